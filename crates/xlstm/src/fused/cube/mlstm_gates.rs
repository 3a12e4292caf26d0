//! Pieces that the forward and backward kernels of the mLSTM share: the plan of a launch, rows of a chunk in
//! shared memory, and the gates of a chunk.

use super::{ABSENT, ALIGNMENT_WORDS, exponential, is_empty_stabiliser, log_forget, padded};
use burn_cubecl::cubecl::{self, prelude::*};

/// What a kernel is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Plan {
    /// D.
    pub dim: usize,
    /// Steps per chunk, L.
    pub chunk: usize,
    /// Units per cube; a multiple of `chunk`.
    pub units: usize,
    /// log f is the pre-activation itself.
    pub exponential_forget: bool,
    /// Forward: keep the state that enters every chunk and compute no hidden values.
    pub keep: bool,
}

impl Plan {
    /// Words of a padded row: odd, so that a column of rows lies in different banks of shared memory.
    pub(crate) const fn stride(&self) -> usize {
        self.dim.next_multiple_of(super::TILE) + 1
    }
    /// Words of a row of weights: one for the state that enters, one per step.
    pub(crate) const fn weight_stride(&self) -> usize {
        self.chunk + 1
    }
    /// Units that share one row's sums.
    pub(crate) const fn lanes(&self) -> usize {
        self.units / self.chunk
    }
    /// Shared words of the forward kernel; see its allocations.
    pub(crate) fn forward_words(&self) -> usize {
        3 * self.chunk * self.stride()
            + self.chunk * self.weight_stride()
            + 6 * self.chunk
            + padded(self.dim)
            + self.chunk * (self.lanes() + 1)
            + ALIGNMENT_WORDS
    }
    /// Shared words of the backward kernel; see its allocations.
    pub(crate) fn backward_words(&self) -> usize {
        4 * self.chunk * self.stride()
            + 3 * self.chunk * self.weight_stride()
            + 12 * self.chunk
            + 2 * padded(self.dim)
            + 2 * self.chunk * (self.lanes() + 1)
            + 2 * self.chunk * (padded(self.dim) / super::TILE + 1)
            + self.units
            + ALIGNMENT_WORDS
    }
}

/// The longest chunk whose `words` fit the device, and the plan for it.
pub(crate) fn fit_plan(
    client: &Client,
    element_bytes: usize,
    dim: usize,
    exponential_forget: bool,
    words: impl Fn(&Plan) -> usize,
) -> Plan {
    let hardware = &client.properties().hardware;
    let wanted = if dim <= 32 { 128 } else { 256 };
    let allowed = usize::try_from(hardware.max_units_per_cube).unwrap_or(wanted);
    let mut plan = Plan { dim, chunk: 32, units: wanted.min(allowed), exponential_forget, keep: false };
    while plan.chunk > super::TILE && words(&plan) * element_bytes > hardware.max_shared_memory_size {
        plan.chunk /= 2;
    }
    plan
}

/// Copies `length` rows of D elements that begin at `from` into padded rows; what lies beyond becomes zero.
#[cube]
pub(crate) fn load_rows<F: Float>(
    source: &[F],
    from: usize,
    length: usize,
    rows: &mut [F],
    #[comptime] plan: Plan,
) {
    let width = comptime!(plan.stride());
    let total = comptime!(plan.stride() * plan.chunk);
    let mut index = UNIT_POS as usize;
    while index < total {
        let row = index / width;
        let column = index % width;
        let mut element = F::new(0.0_f32);
        if row < length && column < plan.dim {
            element = source[from + row * plan.dim + column];
        }
        rows[index] = element;
        index += plan.units;
    }
}

/// One unit per step: the input gate's pre-activation, log f and the reset mark.
#[cube]
pub(crate) fn load_gates<F: Float>(
    input_gate: &[F],
    forget_gate: &[F],
    gates_from: usize,
    reset: &[F],
    reset_from: usize,
    length: usize,
    gains: &mut [F],
    decays: &mut [F],
    sources: &mut [F],
    #[comptime] plan: Plan,
) {
    let step = UNIT_POS as usize;
    if step < length {
        gains[step] = input_gate[gates_from + step];
        decays[step] = log_forget::<F>(forget_gate[gates_from + step], plan.exponential_forget);
        sources[step] = reset[reset_from + step];
    }
}

/// For one unit: the stabilisers m_t = max(i_t, log f_t + m_(t-1)) of a chunk in order. Replaces `gains` (i_t) by
/// i_t - m_t, `decays` (log f_t) by d_t = log f_t + (m_(t-1) - m_t), and `sources` (the reset mark) by 1 where
/// the input gate set m_t, 0 where the carried stabiliser did. A step that starts empty has decay [`ABSENT`].
#[cube]
pub(crate) fn scan_gates<F: Float>(
    entering: F,
    length: usize,
    gains: &mut [F],
    decays: &mut [F],
    sources: &mut [F],
    stabilisers: &mut [F],
) {
    let zero = F::new(0.0_f32);
    let mut before = entering;
    for step in 0..length {
        let input = gains[step];
        let log = decays[step];
        let empty = sources[step] != zero || is_empty_stabiliser::<F>(before);
        let carried = log + before;
        let from_input = empty || input > carried;
        let next = select(from_input, input, carried);
        // The difference of the stabilisers first: exact, it returns what rounding took from m_t.
        decays[step] = select(empty, F::new(ABSENT), log + (before - next));
        gains[step] = input - next;
        sources[step] = select(from_input, F::new(1.0_f32), zero);
        stabilisers[step] = next;
        before = next;
    }
}

/// Weights of a chunk, `[L, 1 + L]`: column 0 is e_t = exp(m_0 + F_t - m_t), what remains of the entering state
/// at step t; column 1 + s is D_ts = exp(i_s - m_s + sum over s < r <= t of d_r) for s <= t, else 0. Rows from
/// `length` on are zero. One unit walks down a column, so no long sum is ever subtracted from another.
#[cube]
pub(crate) fn fill_weights<F: Float>(
    length: usize,
    gains: &[F],
    decays: &[F],
    weights: &mut [F],
    #[comptime] plan: Plan,
) {
    let stride = comptime!(plan.weight_stride());
    let mut column = UNIT_POS as usize;
    while column < stride {
        let mut sum = F::new(0.0_f32);
        for step in 0..plan.chunk {
            let mut weight = F::new(0.0_f32);
            if step < length {
                if step + 1 == column {
                    sum = gains[step];
                }
                if step + 1 > column {
                    sum += decays[step];
                }
                if step + 1 >= column {
                    weight = exponential::<F>(sum);
                }
            }
            weights[step * stride + column] = weight;
        }
        column += plan.units;
    }
}

/// Sum of one row of `lanes` partial sums, in order.
#[cube]
pub(crate) fn sum_partials<F: Float>(partials: &[F], from: usize, #[comptime] count: usize) -> F {
    let mut sum = F::new(0.0_f32);
    for index in 0..count {
        sum += partials[from + index];
    }
    sum
}
