//! Everything between the pre-norm and the residual of an sLSTM block, as one operation: forward, backward, steps.
//!
//! ```text
//! x [batch, time, E], E = heads · dim
//! a = silu(causal depthwise convolution of x)          (without a convolution: a = x)
//! pre_g = W_g a for g in {i, f}, W_g x for g in {z, o}  (head by head, no bias)
//! y = sLSTM cell of pre, with R and b                   (see [`super::slstm`])
//! out = headnorm(y) (1 + w),  headnorm over the units of each head, eps 1e-5
//! ```
//!
//! A reset empties the cell's state, its recurrent input and the convolution's window before that step. The
//! initial state is a constant for the gradient.
//!
//! Whole sequences run in slices of 16 sequences that lie *innermost*, one vector per unit: no head
//! size leaves a remainder, products need no re-ordering between steps, and the head norm adds vectors. Nothing but
//! the cell's numbers is kept for the backward pass; a is computed again. Steps lay the units innermost instead, so
//! that a single sequence fills the vectors; so do a few sequences of which nothing is kept. The two orders round differently only in the head norm.
//!
//! Slices depend on the batch alone and their weight gradients are added in their order: results are bit-identical
//! for any number of threads.

use crate::kernel::convolution::{Taps, pack_taps};
use crate::kernel::error::{KernelError, expect_length, expect_positive};
use crate::kernel::gate::ForgetGate;
use crate::kernel::level::Level;
use crate::kernel::math::Real;
use crate::kernel::product::{PAD, padded};
use crate::kernel::slstm::{GATES, SlstmRecurrence, SlstmState};

mod backward;
mod forward;
mod lanes;
mod products;
pub mod reference;
mod step;

pub use backward::{SlstmLayerGradients, backward_into};
pub use forward::{SlstmLayerForward, SlstmLayerSaved, forward_into};
pub use step::{SlstmLayerStepInputs, step};

/// The small number under the root of the head norm.
pub const NORM_EPSILON: f64 = 1e-5;

/// Sequences per slice: one vector of the widest level.
pub(crate) const LANES_OF_BATCH: usize = PAD;

/// Sizes of a call: all at least 1, but for `taps`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlstmLayerShape {
    /// Sequences in the batch (B).
    pub batch: usize,
    /// Steps (T).
    pub time: usize,
    /// Heads (NH).
    pub heads: usize,
    /// Units per head (D).
    pub dim: usize,
    /// Width of the convolution (K); 0: none.
    pub taps: usize,
}

impl SlstmLayerShape {
    /// E, channels of a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.heads * self.dim
    }
    /// Elements of x and of the output, `[batch, time, E]`.
    #[must_use]
    pub fn sequence_len(&self) -> usize {
        self.batch * self.time * self.width()
    }
    /// Elements of the convolution's window, `[batch, K-1, E]`.
    #[must_use]
    pub fn window_len(&self) -> usize {
        self.batch * self.taps.saturating_sub(1) * self.width()
    }

    fn check(&self) -> Result<(), KernelError> {
        expect_positive("batch", self.batch)?;
        expect_positive("time", self.time)?;
        expect_positive("heads", self.heads)?;
        expect_positive("dim", self.dim)
    }
}

/// Weights of the convolution.
#[derive(Debug, Clone, Copy)]
pub struct SlstmConvolutionWeights<'a, T> {
    /// `[E, K]`; tap K−1 is the present step.
    pub weight: &'a [T],
    /// `[E]`.
    pub bias: &'a [T],
}

/// The layer's weights, as the caller holds them.
#[derive(Debug, Clone, Copy)]
pub struct SlstmLayerWeights<'a, T> {
    /// `None`: a = x.
    pub convolution: Option<SlstmConvolutionWeights<'a, T>>,
    /// W, `[4, heads, dim_out, dim_in]`, gates i, f, z, o.
    pub gates: &'a [T],
    /// R, `[4, heads, dim_out, dim_in]`.
    pub recurrent: &'a [T],
    /// b, `[4, heads, dim]`.
    pub bias: &'a [T],
    /// w of the head norm, `[E]`.
    pub norm: &'a [T],
}

/// The weights as the kernels read them. Pack once per change of the weights.
#[derive(Debug, Clone)]
pub struct SlstmLayerPacked<T> {
    heads: usize,
    dim: usize,
    taps: usize,
    /// `[K, E]`.
    tap_weight: Vec<T>,
    /// `[E]`.
    tap_bias: Vec<T>,
    /// R and b.
    recurrence: SlstmRecurrence<T>,
    /// W, and no bias.
    gates: SlstmRecurrence<T>,
    /// W for i and f, per head `[dim_in, 4 · dim_out padded]`, zero elsewhere.
    from_convolved: Vec<T>,
    /// The same for z and o.
    from_input: Vec<T>,
    /// `[E]`.
    norm: Vec<T>,
}

impl<T: Real> SlstmLayerPacked<T> {
    /// Packs the weights of `shape`'s heads, dim and taps.
    ///
    /// # Errors
    /// [`KernelError`] where a slice does not fit the sizes.
    pub fn pack(
        heads: usize,
        dim: usize,
        taps: usize,
        weights: &SlstmLayerWeights<'_, T>,
    ) -> Result<Self, KernelError> {
        let width = heads * dim;
        let recurrence = SlstmRecurrence::pack(heads, dim, weights.recurrent, weights.bias)?;
        let gates = SlstmRecurrence::pack(heads, dim, weights.gates, &vec![T::ZERO; GATES * width])?;
        expect_length("norm", width, weights.norm.len())?;
        let (mut tap_weight, mut tap_bias) = (Vec::new(), Vec::new());
        if let Some(convolution) = weights.convolution {
            expect_positive("taps", taps)?;
            expect_length("convolution weight", taps * width, convolution.weight.len())?;
            expect_length("convolution bias", width, convolution.bias.len())?;
            tap_weight = vec![T::ZERO; taps * width];
            pack_taps(taps, convolution.weight, &mut tap_weight);
            tap_bias = convolution.bias.to_vec();
        } else {
            expect_length("taps without a convolution", 0, taps)?;
        }
        let (mut from_convolved, mut from_input) = (gates.forward.clone(), gates.forward.clone());
        let wide = padded(GATES * dim);
        for row in from_convolved.chunks_exact_mut(wide) {
            row[2 * dim..].fill(T::ZERO);
        }
        for row in from_input.chunks_exact_mut(wide) {
            row[..2 * dim].fill(T::ZERO);
        }
        let norm = weights.norm.to_vec();
        Ok(Self {
            heads,
            dim,
            taps,
            tap_weight,
            tap_bias,
            recurrence,
            gates,
            from_convolved,
            from_input,
            norm,
        })
    }

    fn check(&self, shape: &SlstmLayerShape) -> Result<(), KernelError> {
        expect_length("heads of the weights", shape.heads, self.heads)?;
        expect_length("dim of the weights", shape.dim, self.dim)?;
        expect_length("taps of the weights", shape.taps, self.taps)
    }

    /// The convolution; `None` where there is none.
    fn taps(&self) -> Option<Taps<'_, T>> {
        (self.taps > 0).then_some(Taps {
            taps: self.taps,
            channels: self.heads * self.dim,
            weight: &self.tap_weight,
            bias: &self.tap_bias,
        })
    }
}

/// What the layer carries from call to call.
#[derive(Debug, Clone, PartialEq)]
pub struct SlstmLayerState<T> {
    /// The last K−1 rows of x, oldest first, `[batch, K-1, E]`.
    pub window: Vec<T>,
    /// The cell's state.
    pub cell: SlstmState<T>,
}

impl<T: Real> SlstmLayerState<T> {
    /// The state before any step, all zero.
    #[must_use]
    pub fn empty(shape: &SlstmLayerShape) -> Self {
        Self {
            window: vec![T::ZERO; shape.window_len()],
            cell: SlstmState::empty(shape.batch, shape.heads, shape.dim),
        }
    }

    fn check(&self, shape: &SlstmLayerShape) -> Result<(), KernelError> {
        expect_length("state window", shape.window_len(), self.window.len())?;
        self.cell.check(shape.batch * shape.width())
    }
}

/// Inputs of a whole-sequence call; all slices contiguous, row-major.
#[derive(Debug, Clone, Copy)]
pub struct SlstmLayerInputs<'a, T> {
    /// x, `[batch, time, E]`.
    pub input: &'a [T],
    /// `[batch, time]`: true where the state is emptied *before* that step.
    pub reset: Option<&'a [bool]>,
    /// State before the first step; `None`: empty. A constant for the gradient.
    pub initial: Option<&'a SlstmLayerState<T>>,
    /// `[batch, E]`: factors of y_(t-1) before R, the same at every step; `None`: all 1.
    pub recurrent_mask: Option<&'a [T]>,
}

impl<T: Real> SlstmLayerInputs<'_, T> {
    fn check(&self, shape: &SlstmLayerShape) -> Result<(), KernelError> {
        shape.check()?;
        expect_length("input", shape.sequence_len(), self.input.len())?;
        if let Some(reset) = self.reset {
            expect_length("reset", shape.batch * shape.time, reset.len())?;
        }
        if let Some(mask) = self.recurrent_mask {
            expect_length("recurrent_mask", shape.batch * shape.width(), mask.len())?;
        }
        self.initial.map_or(Ok(()), |state| state.check(shape))
    }
}

/// How a forward call runs.
#[derive(Debug, Clone, Copy)]
pub struct SlstmLayerOptions {
    /// How f acts.
    pub forget_gate: ForgetGate,
    /// Whether to keep what the backward pass needs.
    pub save: bool,
    /// Which instructions to use.
    pub level: Level,
}

/// What every function of one call needs to know.
#[derive(Clone, Copy)]
struct Plan {
    level: Level,
    time: usize,
    heads: usize,
    dim: usize,
    /// E.
    width: usize,
    /// 4 · D rounded up to whole vectors.
    wide: usize,
    /// D rounded up to whole vectors.
    narrow: usize,
    /// K.
    taps: usize,
}

impl Plan {
    fn new(level: Level, shape: &SlstmLayerShape) -> Self {
        let SlstmLayerShape { time, heads, dim, taps, .. } = *shape;
        Self {
            level,
            time,
            heads,
            dim,
            width: heads * dim,
            wide: padded(GATES * dim),
            narrow: padded(dim),
            taps,
        }
    }

    /// What the scratch of a call depends on: with a convolution it holds a of every step, without one it does not.
    fn scratch_sizes(&self) -> [usize; 3] {
        [self.time, self.dim, self.heads << 1 | usize::from(self.taps > 0)]
    }
    /// Rows of the window.
    fn window_rows(&self) -> usize {
        self.taps.saturating_sub(1)
    }
    /// Elements of one head's component, batch innermost.
    fn units(&self) -> usize {
        self.dim * LANES_OF_BATCH
    }
    /// Elements of all heads' component, batch innermost: `[heads, dim, lanes]`.
    fn lanes(&self) -> usize {
        self.width * LANES_OF_BATCH
    }
    /// Multiply-adds of one forward pass.
    fn cost(&self, batch: usize) -> usize {
        batch * self.time * self.width * (2 * GATES * self.dim + 60)
    }
}
