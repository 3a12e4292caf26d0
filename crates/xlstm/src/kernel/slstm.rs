//! sLSTM cell: scalar memory with exponential input gate, stabiliser and a recurrence through the output, forward
//! and backward.
//!
//! Source: Beck et al. 2024, *xLSTM* (arXiv 2405.04517), equations 8 to 18. Gate order everywhere: i, f, z, o.
//!
//! ```text
//! pre = x_t + R y_(t-1) + b                   (R block-diagonal: per gate and head)
//! m_t = max(i, log sigmoid(f) + m_(t-1))      (from an empty state: m_t = i)
//! ig = exp(i - m_t)   fg = exp(log sigmoid(f) + m_(t-1) - m_t)   z = tanh(.)   o = sigmoid(.)
//! c = fg c + ig z     n = fg n + ig           y = o c / n
//! ```
//!
//! A sequence cannot be cut along time (the recurrence passes through y), so work is shared over slices of the
//! batch: one thread takes a slice through all of T, R stays in its first-level cache and `R y` is one small
//! matrix product for all rows of the slice. Slices depend on the batch alone and their weight gradients are
//! added in their order, so results are bit-identical for any number of threads.
//!
//! With [`ForgetGate::Exponential`] f stands in the place of log sigmoid(f). With a recurrent mask, y_(t-1) is
//! multiplied by it before R, by the same factors at every step (variational dropout).
//!
//! A unit whose n is 0 counts as empty, whatever its m: that is where a sequence starts and where a reset leads.

use crate::kernel::error::{KernelError, expect_length, expect_positive};
use crate::kernel::gate::ForgetGate;
use crate::kernel::level::Level;
use crate::kernel::math::Real;
use crate::kernel::product::padded;
use gates::Places;

mod backward;
mod forward;
pub(crate) mod gates;
pub mod reference;

pub use backward::{SlstmGradients, backward, backward_into};
pub use forward::{SlstmForward, SlstmSaved, SlstmStepInputs, forward, forward_into, step};

/// i, f, z, o.
pub const GATES: usize = 4;

/// Sizes of a call: all at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlstmShape {
    /// Sequences in the batch (B).
    pub batch: usize,
    /// Steps (T).
    pub time: usize,
    /// Heads (NH).
    pub heads: usize,
    /// Units per head (D).
    pub dim: usize,
}

impl SlstmShape {
    /// Elements of a state component, `[batch, heads, dim]`.
    #[must_use]
    pub fn state_len(&self) -> usize {
        self.batch * self.heads * self.dim
    }
    /// Elements of y, `[batch, time, heads, dim]`.
    #[must_use]
    pub fn output_len(&self) -> usize {
        self.state_len() * self.time
    }
    /// Elements of x, `[batch, time, 4, heads, dim]`.
    #[must_use]
    pub fn input_len(&self) -> usize {
        self.output_len() * GATES
    }

    pub(crate) fn check(&self) -> Result<(), KernelError> {
        expect_positive("batch", self.batch)?;
        expect_positive("time", self.time)?;
        expect_positive("heads", self.heads)?;
        expect_positive("dim", self.dim)
    }
}

/// Recurrent weights and biases, packed for the kernels. Pack once per change of the weights.
#[derive(Debug, Clone)]
pub struct SlstmRecurrence<T> {
    heads: usize,
    dim: usize,
    /// Per head `[dim_in, 4 · dim_out padded]`: R transposed, gates side by side.
    pub(crate) forward: Vec<T>,
    /// Per head `[4 · dim_out, dim_in padded]`: R as it is.
    pub(crate) backward: Vec<T>,
    /// Per head `[4 · dim padded]`.
    pub(crate) bias: Vec<T>,
}

impl<T: Real> SlstmRecurrence<T> {
    /// Packs R, `[4, heads, dim_out, dim_in]`, and b, `[4, heads, dim]`.
    ///
    /// # Errors
    /// [`KernelError`] where a slice does not fit the sizes.
    pub fn pack(heads: usize, dim: usize, weights: &[T], bias: &[T]) -> Result<Self, KernelError> {
        expect_positive("heads", heads)?;
        expect_positive("dim", dim)?;
        expect_length("recurrent weights", GATES * heads * dim * dim, weights.len())?;
        expect_length("bias", GATES * heads * dim, bias.len())?;
        let (wide, narrow) = (padded(GATES * dim), padded(dim));
        let mut packed = Self {
            heads,
            dim,
            forward: vec![T::ZERO; heads * dim * wide],
            backward: vec![T::ZERO; heads * GATES * dim * narrow],
            bias: vec![T::ZERO; heads * wide],
        };
        for gate in 0..GATES {
            for head in 0..heads {
                for out in 0..dim {
                    let unit = (gate * heads + head) * dim + out;
                    let column = gate * dim + out;
                    packed.bias[head * wide + column] = bias[unit];
                    for (input, weight) in weights[unit * dim..(unit + 1) * dim].iter().enumerate() {
                        packed.forward[(head * dim + input) * wide + column] = *weight;
                        packed.backward[(head * GATES * dim + column) * narrow + input] = *weight;
                    }
                }
            }
        }
        Ok(packed)
    }

    fn check(&self, heads: usize, dim: usize) -> Result<(), KernelError> {
        expect_length("heads of the recurrence", heads, self.heads)?;
        expect_length("dim of the recurrence", dim, self.dim)
    }
}

/// The state of every unit, each component `[batch, heads, dim]`; the true memory is `cell * exp(stabiliser)`.
#[derive(Debug, Clone, PartialEq)]
pub struct SlstmState<T> {
    /// y of the last step.
    pub output: Vec<T>,
    /// c.
    pub cell: Vec<T>,
    /// n; 0 where the unit is empty.
    pub normaliser: Vec<T>,
    /// m.
    pub stabiliser: Vec<T>,
}

impl<T: Real> SlstmState<T> {
    /// The empty state, all zero; also the right start for accumulating gradients.
    #[must_use]
    pub fn empty(batch: usize, heads: usize, dim: usize) -> Self {
        let zeros = || vec![T::ZERO; batch * heads * dim];
        Self { output: zeros(), cell: zeros(), normaliser: zeros(), stabiliser: zeros() }
    }
}

impl<T> SlstmState<T> {
    pub(crate) fn check(&self, length: usize) -> Result<(), KernelError> {
        expect_length("state output", length, self.output.len())?;
        expect_length("state cell", length, self.cell.len())?;
        expect_length("state normaliser", length, self.normaliser.len())?;
        expect_length("state stabiliser", length, self.stabiliser.len())
    }

    /// The state in pieces of `length` elements, each writable on its own.
    pub(crate) fn slices_mut(&mut self, length: usize) -> impl ExactSizeIterator<Item = SliceState<'_, T>> {
        self.output
            .chunks_mut(length)
            .zip(self.cell.chunks_mut(length))
            .zip(self.normaliser.chunks_mut(length).zip(self.stabiliser.chunks_mut(length)))
            .map(|((output, cell), (normaliser, stabiliser))| SliceState {
                output,
                cell,
                normaliser,
                stabiliser,
            })
    }
}

/// The state of one slice of the batch.
pub(crate) struct SliceState<'a, T> {
    pub output: &'a mut [T],
    pub cell: &'a mut [T],
    pub normaliser: &'a mut [T],
    pub stabiliser: &'a mut [T],
}

/// Inputs of a whole-sequence call; all slices contiguous, row-major.
#[derive(Debug, Clone, Copy)]
pub struct SlstmInputs<'a, T> {
    /// Gate pre-activations from the input, `[batch, time, 4, heads, dim]`, finite.
    pub input: &'a [T],
    /// R and b.
    pub recurrence: &'a SlstmRecurrence<T>,
    /// `[batch, time]`: true where the state is emptied *before* that step.
    pub reset: Option<&'a [bool]>,
    /// State before the first step; `None`: empty.
    pub initial: Option<&'a SlstmState<T>>,
    /// How f acts.
    pub forget_gate: ForgetGate,
    /// `[batch, heads, dim]`: factors of y_(t-1) before R, the same at every step; `None`: all 1.
    pub recurrent_mask: Option<&'a [T]>,
}

impl<T: Real> SlstmInputs<'_, T> {
    pub(crate) fn check(&self, shape: &SlstmShape) -> Result<(), KernelError> {
        shape.check()?;
        expect_length("input", shape.input_len(), self.input.len())?;
        self.recurrence.check(shape.heads, shape.dim)?;
        if let Some(reset) = self.reset {
            expect_length("reset", shape.batch * shape.time, reset.len())?;
        }
        if let Some(mask) = self.recurrent_mask {
            expect_length("recurrent_mask", shape.state_len(), mask.len())?;
        }
        self.initial.map_or(Ok(()), |state| state.check(shape.state_len()))
    }
}

/// What every function of one call needs to know.
#[derive(Clone, Copy)]
pub(crate) struct Geometry {
    pub level: Level,
    pub time: usize,
    pub heads: usize,
    pub dim: usize,
    /// 4 · D rounded up to whole vectors.
    pub wide: usize,
    /// D rounded up to whole vectors.
    pub narrow: usize,
    /// Sequences per slice (the last slice may hold fewer).
    pub slice: usize,
}

impl Geometry {
    pub(crate) fn new(level: Level, shape: &SlstmShape) -> Self {
        let SlstmShape { batch, time, heads, dim } = *shape;
        Self {
            level,
            time,
            heads,
            dim,
            wide: padded(GATES * dim),
            narrow: padded(dim),
            slice: slice_rows(batch),
        }
    }

    /// Where one step and head of a slice lie in `[rows, time, 4, heads, dim]`.
    pub(crate) fn places(&self, rows: usize, head: usize, step: usize) -> Places {
        let Self { time, heads, dim, wide, .. } = *self;
        Places {
            rows,
            dim,
            start: (step * GATES * heads + head) * dim,
            row_stride: time * GATES * heads * dim,
            gate_stride: heads * dim,
            wide,
            units: self.units(rows),
        }
    }

    /// Elements of one gate of one head and step, padded, for a slice of `rows` sequences.
    pub(crate) fn units(&self, rows: usize) -> usize {
        padded(rows * self.dim)
    }
}

/// Sequences per slice: a function of the batch alone, never of the number of threads.
fn slice_rows(batch: usize) -> usize {
    match batch {
        64.. => 16,
        16..64 => 8,
        4..16 => 4,
        _ => batch,
    }
}
