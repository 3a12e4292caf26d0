//! The mLSTM layer: everything between the up- and the down-projection of an mLSTM block, as one operation.
//!
//! Per sequence, with `projected` rows (u, z) of twice the inner width I, NH heads of D = I / NH channels, blocks of
//! S channels and K taps:
//!
//! ```text
//! a = silu(causal depthwise convolution of u)       q = Wq a   k = Wk a   v = Wv u    (block-diagonal)
//! i = Wi [q; k; v] + bi      f = Wf [q; k; v] + bf      optionally x <- c tanh(x / c) on both (soft cap)
//! h = the mLSTM cell per head (head n owns channels n D .. (n + 1) D), see the module `mlstm`
//! out = (headnorm(h) + skip * a) * silu(z)
//! headnorm: per step and head, (x - mean) / sqrt(variance + 1e-5) * (1 + w)
//! ```
//!
//! One job is one sequence, so all its rows stay in the second-level cache. The backward pass computes a, q, k and v
//! again; from the forward pass it keeps h, the gates, and a few numbers per step and head. The gates are a linear
//! function of a and u, so Wi and Wf are multiplied with Wq, Wk and Wv once per call (`packed`) and never see
//! q, k and v.
//!
//! Invariants: those of the cell; gradients of weights are summed over slices of [`SLICE`] sequences and these
//! sums added in order. The initial and the final state are constants for the gradient.

use crate::kernel::error::{KernelError, expect_length, expect_multiple, expect_positive};
use crate::kernel::gate::ForgetGate;
use crate::kernel::level::Level;
use crate::kernel::math::Real;
use crate::kernel::mlstm::{Form, MlstmShape, MlstmState};

mod backward;
mod blocks;
mod forward;
mod open;
mod packed;
pub mod reference;
mod row;
mod step;

pub use backward::{MlstmLayerGradients, backward_into};
pub use forward::{MlstmLayerForward, MlstmLayerSaved, forward_into};
pub use step::{MlstmLayerStepInputs, step};

/// Sequences whose weight gradients are summed one after the other.
pub const SLICE: usize = 4;

/// The small number under the root of the head norm.
pub const NORM_EPSILON: f64 = 1e-5;

/// Sizes of a call: all at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MlstmLayerShape {
    /// Sequences in the batch (B).
    pub batch: usize,
    /// Steps (T).
    pub time: usize,
    /// Heads (NH).
    pub heads: usize,
    /// Inner width (I), a multiple of `heads` and of `block`.
    pub inner: usize,
    /// Channels per block of the projections to q, k and v (S).
    pub block: usize,
    /// Taps of the convolution (K).
    pub taps: usize,
}

impl MlstmLayerShape {
    /// D, channels per head.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.inner / self.heads
    }
    /// Elements of `[batch, time, 2 · inner]`.
    #[must_use]
    pub fn projected_len(&self) -> usize {
        2 * self.output_len()
    }
    /// Elements of `[batch, time, inner]`.
    #[must_use]
    pub fn output_len(&self) -> usize {
        self.batch * self.time * self.inner
    }
    /// Elements of one sequence's convolution window, `[taps - 1, inner]`.
    #[must_use]
    pub fn window_len(&self) -> usize {
        (self.taps - 1) * self.inner
    }
    /// The shape of the cell.
    pub(crate) fn cell(&self) -> MlstmShape {
        MlstmShape { batch: self.batch, heads: self.heads, time: self.time, dim: self.dim() }
    }

    fn check(&self) -> Result<(), KernelError> {
        expect_positive("batch", self.batch)?;
        expect_positive("time", self.time)?;
        expect_positive("heads", self.heads)?;
        expect_positive("inner", self.inner)?;
        expect_positive("block", self.block)?;
        expect_positive("taps", self.taps)?;
        expect_multiple("inner", self.inner, self.heads)?;
        expect_multiple("inner", self.inner, self.block)
    }
}

/// The weights, contiguous and row-major.
#[derive(Debug, Clone, Copy)]
pub struct MlstmLayerWeights<'a, T> {
    /// `[inner, taps]`; the last tap is the present step.
    pub conv_weight: &'a [T],
    /// `[inner]`.
    pub conv_bias: &'a [T],
    /// Wq, `[inner / block, block (out), block (in)]`.
    pub query: &'a [T],
    /// Wk, as `query`.
    pub key: &'a [T],
    /// Wv, as `query`.
    pub value: &'a [T],
    /// Wi, `[heads, 3 · inner]`: columns of q, then k, then v.
    pub input_gate_weight: &'a [T],
    /// bi, `[heads]`.
    pub input_gate_bias: &'a [T],
    /// Wf, as `input_gate_weight`.
    pub forget_gate_weight: &'a [T],
    /// bf, `[heads]`.
    pub forget_gate_bias: &'a [T],
    /// w of the head norm, `[inner]`; the factor is 1 + w.
    pub norm: &'a [T],
    /// `[inner]`.
    pub skip: &'a [T],
}

impl<T> MlstmLayerWeights<'_, T> {
    fn check(&self, shape: &MlstmLayerShape) -> Result<(), KernelError> {
        let MlstmLayerShape { heads, inner, block, taps, .. } = *shape;
        expect_length("conv_weight", inner * taps, self.conv_weight.len())?;
        expect_length("conv_bias", inner, self.conv_bias.len())?;
        expect_length("query", inner * block, self.query.len())?;
        expect_length("key", inner * block, self.key.len())?;
        expect_length("value", inner * block, self.value.len())?;
        expect_length("input_gate_weight", heads * 3 * inner, self.input_gate_weight.len())?;
        expect_length("input_gate_bias", heads, self.input_gate_bias.len())?;
        expect_length("forget_gate_weight", heads * 3 * inner, self.forget_gate_weight.len())?;
        expect_length("forget_gate_bias", heads, self.forget_gate_bias.len())?;
        expect_length("norm", inner, self.norm.len())?;
        expect_length("skip", inner, self.skip.len())
    }
}

/// Gradients of the weights, shaped as in [`MlstmLayerWeights`].
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "every field is the gradient of the weight of the same name")]
pub struct MlstmLayerWeightGradients<T> {
    pub conv_weight: Vec<T>,
    pub conv_bias: Vec<T>,
    pub query: Vec<T>,
    pub key: Vec<T>,
    pub value: Vec<T>,
    pub input_gate_weight: Vec<T>,
    pub input_gate_bias: Vec<T>,
    pub forget_gate_weight: Vec<T>,
    pub forget_gate_bias: Vec<T>,
    pub norm: Vec<T>,
    pub skip: Vec<T>,
}

impl<T> Default for MlstmLayerWeightGradients<T> {
    fn default() -> Self {
        Self {
            conv_weight: Vec::new(),
            conv_bias: Vec::new(),
            query: Vec::new(),
            key: Vec::new(),
            value: Vec::new(),
            input_gate_weight: Vec::new(),
            input_gate_bias: Vec::new(),
            forget_gate_weight: Vec::new(),
            forget_gate_bias: Vec::new(),
            norm: Vec::new(),
            skip: Vec::new(),
        }
    }
}

/// Inputs of a whole-sequence call.
#[derive(Debug, Clone, Copy)]
pub struct MlstmLayerInputs<'a, T> {
    /// (u, z), `[batch, time, 2 · inner]`.
    pub projected: &'a [T],
    /// `[batch, time]`: true where the cell's state and the convolution's window are emptied *before* that step.
    pub reset: Option<&'a [bool]>,
    /// State before the first step; `None`: empty.
    pub initial: Option<&'a MlstmLayerState<T>>,
}

impl<T> MlstmLayerInputs<'_, T> {
    fn check(&self, shape: &MlstmLayerShape) -> Result<(), KernelError> {
        expect_length("projected", shape.projected_len(), self.projected.len())?;
        if let Some(reset) = self.reset {
            expect_length("reset", shape.batch * shape.time, reset.len())?;
        }
        self.initial.map_or(Ok(()), |state| state.check(shape))
    }
}

/// What the layer carries from call to call.
#[derive(Debug, Clone, PartialEq)]
pub struct MlstmLayerState<T> {
    /// Past rows of u, `[batch, taps - 1, inner]`, oldest first.
    pub window: Vec<T>,
    /// The cell's state.
    pub cell: MlstmState<T>,
}

impl<T: Real> MlstmLayerState<T> {
    /// The empty state: a sequence that starts from it equals one without an initial state.
    #[must_use]
    pub fn empty(shape: &MlstmLayerShape) -> Self {
        Self {
            window: vec![T::ZERO; shape.batch * shape.window_len()],
            cell: MlstmState::empty(shape.batch, shape.heads, shape.dim()),
        }
    }
}

impl<T> MlstmLayerState<T> {
    fn check(&self, shape: &MlstmLayerShape) -> Result<(), KernelError> {
        expect_length("state window", shape.batch * shape.window_len(), self.window.len())?;
        self.cell.check(shape.batch * shape.heads, shape.dim())
    }
}

/// How a call runs.
#[derive(Debug, Clone, Copy)]
pub struct MlstmLayerOptions {
    /// Which form of the cell; see [`crate::kernel::mlstm::choose_form`]. Single steps take no notice of it.
    pub form: Form,
    /// What the forget gate's pre-activation means.
    pub forget: ForgetGate,
    /// c of the soft cap on both gates, above 0; `None`: no cap.
    pub soft_cap: Option<f64>,
    /// Whether to compute the state after the last step.
    pub final_state: bool,
    /// Whether to keep what the backward pass needs.
    pub keep: bool,
    /// Vector instructions to use.
    pub level: Level,
}
