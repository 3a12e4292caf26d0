//! mLSTM cell: matrix memory with exponential input gate and sigmoid or exponential forget gate, forward and
//! backward.
//!
//! Source: Beck et al. 2024, *xLSTM: Extended Long Short-Term Memory* (arXiv 2405.04517), equations 19 to 27;
//! the chunkwise form after Beck et al. 2025, *Tiled Flash Linear Attention* (arXiv 2503.14376). Re-derived from
//! the mathematics; no code was ported.
//!
//! Per batch row and head, with q, k, v of length D, scalar gate pre-activations i and f, eps = 1e-6:
//!
//! ```text
//! m' = max(log sigmoid(f) + m, i)        a = exp(log sigmoid(f) + m - m')        u = exp(i - m')
//! C' = a C + u/sqrt(D) k v^T             n' = a n + u/sqrt(D) k
//! h  = C'^T q / (max(|q.n'|, exp(-m')) + eps)
//! ```
//!
//! With the exponential forget gate ([`crate::kernel::ForgetGate`]), f itself stands for log sigmoid(f). One engine computes whole sequences: a sequence is cut into chunks; inside a chunk the cell is a masked matrix
//! product, between chunks the state is carried. One chunk over everything is the *parallel* form. The *step*
//! form ([`step`]) carries the state from call to call. A sequence without an initial state starts from
//! C = n = 0, m = −∞.
//!
//! Invariants: results are bit-identical for any number of threads; gates are summed in f64; exponent
//! arguments below −87 are exact zeros in f32; finite inputs never give NaN. What the kernels never do: keep a
//! T x T matrix from forward to backward, treat the denominator as a constant in the backward pass, or round n to
//! f32 between steps or chunks.

use crate::kernel::error::{KernelError, expect_length, expect_positive};
use crate::kernel::level::Level;
use crate::kernel::math::Real;

pub(crate) mod backward;
mod backward_scratch;
pub(crate) mod chunk;
mod form;
pub(crate) mod forward;
pub(crate) mod plan;
pub mod reference;
mod rows;
pub(crate) mod step;

pub use backward::{FinalStateGradient, MlstmGradients, backward, backward_into};
pub use form::{Form, Purpose, choose_form};
pub use forward::{MlstmForward, MlstmOptions, MlstmSaved, forward, forward_into};
pub use step::{MlstmStepInputs, step};

/// The small number added to the denominator, after the stabilised maximum.
pub const EPSILON: f64 = 1e-6;

/// Sizes of a call: all at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MlstmShape {
    /// Sequences in the batch (B).
    pub batch: usize,
    /// Heads (NH).
    pub heads: usize,
    /// Steps (T).
    pub time: usize,
    /// Length of q, k and v per head (D).
    pub dim: usize,
}

impl MlstmShape {
    /// B · NH: independent recurrences.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.batch * self.heads
    }
    /// Elements of `[batch, heads, time]`.
    #[must_use]
    pub fn gate_len(&self) -> usize {
        self.rows() * self.time
    }
    /// Elements of `[batch, heads, time, dim]`.
    #[must_use]
    pub fn sequence_len(&self) -> usize {
        self.gate_len() * self.dim
    }

    pub(crate) fn check(&self) -> Result<(), KernelError> {
        expect_positive("batch", self.batch)?;
        expect_positive("heads", self.heads)?;
        expect_positive("time", self.time)?;
        expect_positive("dim", self.dim)
    }
}

/// Inputs of a whole-sequence call; all slices contiguous, row-major.
#[derive(Debug, Clone, Copy)]
pub struct MlstmInputs<'a, T> {
    /// `[batch, heads, time, dim]`.
    pub query: &'a [T],
    /// `[batch, heads, time, dim]`.
    pub key: &'a [T],
    /// `[batch, heads, time, dim]`.
    pub value: &'a [T],
    /// Input gate pre-activation i (exponential gate), `[batch, heads, time]`, finite.
    pub input_gate: &'a [T],
    /// Forget gate pre-activation f, `[batch, heads, time]`, finite; see [`crate::kernel::ForgetGate`].
    pub forget_gate: &'a [T],
    /// `[batch, time]`: true where the state is emptied *before* that step (an episode begins there).
    pub reset: Option<&'a [bool]>,
    /// State before the first step; `None`: empty.
    pub initial: Option<&'a MlstmState<T>>,
}

impl<T> MlstmInputs<'_, T> {
    pub(crate) fn check(&self, shape: &MlstmShape) -> Result<(), KernelError> {
        shape.check()?;
        expect_length("query", shape.sequence_len(), self.query.len())?;
        expect_length("key", shape.sequence_len(), self.key.len())?;
        expect_length("value", shape.sequence_len(), self.value.len())?;
        expect_length("input_gate", shape.gate_len(), self.input_gate.len())?;
        expect_length("forget_gate", shape.gate_len(), self.forget_gate.len())?;
        if let Some(reset) = self.reset {
            expect_length("reset", shape.batch * shape.time, reset.len())?;
        }
        self.initial.map_or(Ok(()), |state| state.check(shape.rows(), shape.dim))
    }
}

/// The stabilised state of every recurrence: the true memory is `memory * exp(stabiliser)`.
#[derive(Debug, Clone, PartialEq)]
pub struct MlstmState<T> {
    /// C, `[batch, heads, dim of keys, dim of values]`; carries the 1/sqrt(D) of the keys.
    pub memory: Vec<T>,
    /// n, `[batch, heads, dim of keys]`; always f64, because q·n may cancel almost wholly.
    pub normaliser: Vec<f64>,
    /// m, `[batch, heads]`; −∞ for an empty state.
    pub stabiliser: Vec<T>,
}

impl<T: Real> MlstmState<T> {
    /// The empty state: C = n = 0, m = −∞; a sequence that starts from it equals one without an initial state.
    #[must_use]
    pub fn empty(batch: usize, heads: usize, dim: usize) -> Self {
        let mut state = Self::zeros(batch, heads, dim);
        state.stabiliser.fill(T::NEGATIVE_INFINITY);
        state
    }

    /// All zero, m too: the public reference's start of its step form (differs from [`Self::empty`] by the
    /// place of eps only, about 1e-6), and the right start for accumulating gradients.
    #[must_use]
    pub fn zeros(batch: usize, heads: usize, dim: usize) -> Self {
        let rows = batch * heads;
        Self {
            memory: vec![T::ZERO; rows * dim * dim],
            normaliser: vec![0.0; rows * dim],
            stabiliser: vec![T::ZERO; rows],
        }
    }
}

impl<T> MlstmState<T> {
    pub(crate) fn check(&self, rows: usize, dim: usize) -> Result<(), KernelError> {
        expect_length("state memory", rows * dim * dim, self.memory.len())?;
        expect_length("state normaliser", rows * dim, self.normaliser.len())?;
        expect_length("state stabiliser", rows, self.stabiliser.len())
    }

    /// The state of one recurrence.
    pub(crate) fn head(&self, row: usize, dim: usize) -> HeadState<'_, T> {
        HeadState {
            memory: &self.memory[row * dim * dim..(row + 1) * dim * dim],
            normaliser: &self.normaliser[row * dim..(row + 1) * dim],
            stabiliser: &self.stabiliser[row],
        }
    }

    /// The states of all recurrences in order, each writable on its own.
    pub(crate) fn heads_mut(&mut self, dim: usize) -> impl Iterator<Item = HeadStateMut<'_, T>> {
        self.memory
            .chunks_exact_mut(dim * dim)
            .zip(self.normaliser.chunks_exact_mut(dim))
            .zip(self.stabiliser.iter_mut())
            .map(|((memory, normaliser), stabiliser)| HeadStateMut { memory, normaliser, stabiliser })
    }
}

/// One recurrence's state, read.
#[derive(Clone, Copy)]
pub(crate) struct HeadState<'a, T> {
    pub memory: &'a [T],
    pub normaliser: &'a [f64],
    pub stabiliser: &'a T,
}

/// One recurrence's state, written.
pub(crate) struct HeadStateMut<'a, T> {
    pub memory: &'a mut [T],
    pub normaliser: &'a mut [f64],
    pub stabiliser: &'a mut T,
}

impl<T: Real> HeadStateMut<'_, T> {
    /// Empties the state.
    pub(crate) fn clear(&mut self) {
        self.memory.fill(T::ZERO);
        self.normaliser.fill(0.0);
        *self.stabiliser = T::NEGATIVE_INFINITY;
    }
}

/// What every function of one call needs to know.
#[derive(Clone, Copy)]
pub(crate) struct Geometry {
    pub level: Level,
    /// D.
    pub dim: usize,
    /// D rounded up to whole vectors.
    pub dim_padded: usize,
    /// 1/sqrt(D).
    pub scale: f64,
}

impl Geometry {
    pub(crate) fn new(level: Level, dim: usize) -> Self {
        let scale = 1.0 / (dim as f64).sqrt();
        Self { level, dim, dim_padded: crate::kernel::product::padded(dim), scale }
    }
}
