//! sLSTM cell, forward, and the entry point of the backward pass. One cube per (tile of batch rows, head) stays
//! for the whole sequence; R lies in shared memory where it fits, else it is read through the cache. A unit owns
//! one output of [`ROWS`] sequences and keeps their c, n and m in registers; y goes from step to step through
//! shared memory, twice, so that one barrier per step is enough.
//!
//! ```text
//! pre = x_t + R (mask y_(t-1)) + b            (gates i, f, z, o; y = 0 after a reset)
//! m_t = max(i, log f + m_(t-1))               (from an empty unit, n = 0: m_t = i)
//! ig = exp(i - m_t)   fg = exp(log f + (m_(t-1) - m_t))   z = tanh(.)   o = sigmoid(.)
//! c = fg c + ig z     n = fg n + ig           y = o c / n
//! ```

use super::{ABSENT, ALIGNMENT_WORDS, empty_beside, exponential, hyperbolic_tangent, log_forget, sigmoid};
use crate::fused::cells::{SlstmCellInputs, SlstmCellOutputs};
pub(crate) use crate::kernel::slstm::GATES;
use burn::backend::TensorMetadata;
use burn::backend::cubecl::dtype_to_storage_type;
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::permute;
use burn_cubecl::tensor::CubeTensor;

/// Sequences of one unit.
pub(crate) const ROWS: usize = 4;

/// Inputs of the cell, in any memory layout.
pub(crate) type SlstmInputs = SlstmCellInputs<CubeBackend>;

impl SlstmInputs {
    /// The same with every tensor contiguous.
    pub(crate) fn contiguous(self) -> Self {
        Self {
            input: into_contiguous(self.input),
            recurrent: into_contiguous(self.recurrent),
            bias: into_contiguous(self.bias),
            recurrent_mask: into_contiguous(self.recurrent_mask),
            reset: into_contiguous(self.reset),
            output: into_contiguous(self.output),
            cell: into_contiguous(self.cell),
            normaliser: into_contiguous(self.normaliser),
            stabiliser: into_contiguous(self.stabiliser),
        }
    }

    /// R as `[heads, dim of inputs, 4, dim of outputs]`: what neighbouring units read lies together.
    pub(crate) fn transposed_recurrent(&self) -> CubeTensor {
        into_contiguous(permute(self.recurrent.clone(), &[1, 3, 0, 2]))
    }
}

/// What a kernel is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Plan {
    /// D.
    pub dim: usize,
    /// Units side by side, each with its own [`ROWS`] sequences.
    pub groups: usize,
    /// R in shared memory.
    pub shared_recurrent: bool,
    /// log f is the pre-activation itself.
    pub exponential_forget: bool,
}

impl Plan {
    /// Sequences per cube.
    pub(crate) const fn rows(&self) -> usize {
        self.groups * ROWS
    }
    /// Units per cube.
    pub(crate) const fn units(&self) -> usize {
        self.groups * self.dim
    }
    /// Words of R of one head, or of the smallest array that stands for it.
    pub(crate) const fn recurrent_words(&self) -> usize {
        if self.shared_recurrent { GATES * self.dim * self.dim } else { 1 }
    }

    /// The plan for `rows` sequences. More units per cube only while enough cubes remain to fill a device;
    /// `row_words`: words of shared memory per sequence.
    pub(crate) fn fit(like: &CubeTensor, rows: usize, heads: usize, row_words: usize, dim: usize) -> Self {
        let hardware = &like.client.properties().hardware;
        let bytes = like.dtype().size();
        let allowed = usize::try_from(hardware.max_units_per_cube).unwrap_or(256).min(512);
        let mut plan = Self { dim, groups: 1, shared_recurrent: false, exponential_forget: false };
        let fits = |plan: &Self| {
            (plan.recurrent_words() + plan.rows() * row_words + ALIGNMENT_WORDS) * bytes
                <= hardware.max_shared_memory_size
        };
        while plan.units() * 2 <= allowed
            && rows.div_ceil(plan.rows() * 2) * heads >= 256
            && fits(&Self { groups: plan.groups * 2, ..plan })
        {
            plan.groups *= 2;
        }
        // Less than a whole sub-group of units wastes the rest of it.
        while plan.units() * 2 <= 32 && plan.rows() < rows && fits(&Self { groups: plan.groups * 2, ..plan })
        {
            plan.groups *= 2;
        }
        plan.shared_recurrent = true;
        plan.shared_recurrent = fits(&plan);
        plan
    }
}

/// `[batch, time, heads, dim]` of an input.
pub(crate) fn sizes(input: &CubeTensor) -> [usize; 4] {
    let [batch, time, _, heads, dim] = input.shape().dims();
    [batch, time, heads, dim]
}

/// Forward.
pub(crate) fn slstm_cell(inputs: SlstmInputs, exponential_forget: bool) -> SlstmCellOutputs<CubeBackend> {
    let inputs = inputs.contiguous();
    let [batch, time, heads, dim] = sizes(&inputs.input);
    let plan = Plan { exponential_forget, ..Plan::fit(&inputs.input, batch, heads, 2 * dim, dim) };
    let like = &inputs.input;
    let client = like.client.clone();
    let dtype = dtype_to_storage_type(like.dtype());
    let recurrent = inputs.transposed_recurrent();
    let hidden = empty_beside(like, [batch, time, heads, dim]);
    let state = || empty_beside(like, [batch, heads, dim]);
    let (output, cell, normaliser, stabiliser) = (state(), state(), state(), state());
    forward_kernel::launch(
        &client,
        CubeCount::Static(batch.div_ceil(plan.rows()) as u32, heads as u32, 1),
        CubeDim::new_1d(plan.units() as u32),
        inputs.input.into_buffer_arg(),
        recurrent.into_buffer_arg(),
        inputs.bias.into_buffer_arg(),
        inputs.recurrent_mask.into_buffer_arg(),
        inputs.reset.into_buffer_arg(),
        inputs.output.into_buffer_arg(),
        inputs.cell.into_buffer_arg(),
        inputs.normaliser.into_buffer_arg(),
        inputs.stabiliser.into_buffer_arg(),
        hidden.clone().into_buffer_arg(),
        output.clone().into_buffer_arg(),
        cell.clone().into_buffer_arg(),
        normaliser.clone().into_buffer_arg(),
        stabiliser.clone().into_buffer_arg(),
        batch,
        time,
        plan,
        dtype,
    );
    SlstmCellOutputs { hidden, output, cell, normaliser, stabiliser }
}

/// Copies one head's R to shared memory, if the plan says so.
#[cube]
pub(crate) fn load_recurrent<F: Float>(source: &[F], from: usize, target: &mut [F], #[comptime] plan: Plan) {
    if comptime!(plan.shared_recurrent) {
        let mut index = UNIT_POS as usize;
        while index < comptime!(plan.recurrent_words()) {
            target[index] = source[from + index];
            index += comptime!(plan.units());
        }
    }
}

/// `sums[row, gate] = sum over j of R[j, gate, unit] y[row, j]` for the unit's [`ROWS`] rows from `first`.
/// `recurrent`: one head's `[dim of inputs, 4, dim of outputs]` from `from` on; `rows`: `[rows, dim]`.
#[cube]
pub(crate) fn recurrent_sums<F: Float>(
    sums: &mut Array<F>,
    recurrent: &[F],
    from: usize,
    rows: &[F],
    first: usize,
    unit: usize,
    #[comptime] plan: Plan,
) {
    let mut column = Array::<F>::new(GATES);
    #[unroll]
    for index in 0..ROWS * GATES {
        sums[index] = F::new(0.0_f32);
    }
    for input in 0..plan.dim {
        #[unroll]
        for gate in 0..GATES {
            column[gate] = recurrent[from + (input * GATES + gate) * plan.dim + unit];
        }
        #[unroll]
        for row in 0..ROWS {
            let before = rows[(first + row) * plan.dim + input];
            #[unroll]
            for gate in 0..GATES {
                sums[row * GATES + gate] += column[gate] * before;
            }
        }
    }
}

/// m_t = max(i, log f + m_(t-1)); from an empty unit m_t = i.
#[cube]
pub(crate) fn next_stabiliser<F: Float>(input: F, log: F, before: F, empty: bool) -> F {
    let carried = log + before;
    select(empty || input > carried, input, carried)
}

/// fg = exp(log f + (m_(t-1) - m_t)), the difference first: it is exact. 0 from an empty unit.
#[cube]
pub(crate) fn forget_weight<F: Float>(log: F, before: F, after: F, empty: bool) -> F {
    exponential::<F>(select(empty, F::new(ABSENT), log + (before - after)))
}

#[cube(launch)]
fn forward_kernel<F: Float>(
    input: &[F],
    recurrent: &[F],
    bias: &[F],
    recurrent_mask: &[F],
    reset: &[F],
    y_start: &[F],
    c_start: &[F],
    n_start: &[F],
    m_start: &[F],
    output: &mut [F],
    y_end: &mut [F],
    c_end: &mut [F],
    n_end: &mut [F],
    m_end: &mut [F],
    batch: usize,
    time: usize,
    #[comptime] plan: Plan,
    #[define(F)] _dtype: ElemType,
) {
    let zero = F::new(0.0_f32);
    let unit = UNIT_POS as usize % plan.dim;
    let first = UNIT_POS as usize / plan.dim * ROWS;
    let head = CUBE_POS_Y as usize;
    let heads = CUBE_COUNT_Y as usize;
    let first_batch = CUBE_POS_X as usize * comptime!(plan.rows()) + first;
    let recurrent_from = head * comptime!(GATES * plan.dim * plan.dim);

    let mut local = Shared::<[F]>::new_slice(comptime!(plan.recurrent_words()));
    // Two halves that change places: a step reads one and fills the other.
    let mut rows = Shared::<[F]>::new_slice(comptime!(2 * plan.rows() * plan.dim));
    let mut y = Array::<F>::new(ROWS);
    let mut c = Array::<F>::new(ROWS);
    let mut n = Array::<F>::new(ROWS);
    let mut m = Array::<F>::new(ROWS);
    let mut mask = Array::<F>::new(ROWS);
    let mut biases = Array::<F>::new(GATES);
    let mut sums = Array::<F>::new(comptime!(ROWS * GATES));

    load_recurrent::<F>(recurrent, recurrent_from, &mut local, plan);
    #[unroll]
    for gate in 0..GATES {
        biases[gate] = bias[(gate * heads + head) * plan.dim + unit];
    }
    #[unroll]
    for row in 0..ROWS {
        // Rows beyond the batch are computed as empty ones and not stored.
        y[row] = zero;
        c[row] = zero;
        n[row] = zero;
        m[row] = zero;
        mask[row] = zero;
        if first_batch + row < batch {
            let at = ((first_batch + row) * heads + head) * plan.dim + unit;
            y[row] = y_start[at];
            c[row] = c_start[at];
            n[row] = n_start[at];
            m[row] = m_start[at];
            mask[row] = recurrent_mask[at];
        }
        rows[(first + row) * plan.dim + unit] = y[row] * mask[row];
    }
    sync_cube();

    for step in 0..time {
        let half = step % 2 * comptime!(plan.rows());
        let other = comptime!(plan.rows()) - half;
        if comptime!(plan.shared_recurrent) {
            recurrent_sums::<F>(&mut sums, &local, 0usize, &rows, half + first, unit, plan);
        } else {
            recurrent_sums::<F>(&mut sums, recurrent, recurrent_from, &rows, half + first, unit, plan);
        }
        #[unroll]
        for row in 0..ROWS {
            if first_batch + row < batch {
                let at = (first_batch + row) * time + step;
                let is_reset = reset[at] != zero;
                let empty = is_reset || n[row] == zero;
                let from = (at * GATES * heads + head) * plan.dim + unit;
                let across = heads * plan.dim;
                #[unroll]
                for gate in 0..GATES {
                    let through = select(is_reset, zero, sums[row * GATES + gate]);
                    sums[row * GATES + gate] = input[from + gate * across] + through + biases[gate];
                }
                let log = log_forget::<F>(sums[row * GATES + 1], plan.exponential_forget);
                let next = next_stabiliser::<F>(sums[row * GATES], log, m[row], empty);
                let kept = forget_weight::<F>(log, m[row], next, empty);
                let gained = exponential::<F>(sums[row * GATES] - next);
                let candidate = hyperbolic_tangent::<F>(sums[row * GATES + 2]);
                let gate = sigmoid::<F>(sums[row * GATES + 3]);
                c[row] = kept * c[row] + gained * candidate;
                n[row] = kept * n[row] + gained;
                m[row] = next;
                y[row] = gate * c[row] / n[row];
                output[(at * heads + head) * plan.dim + unit] = y[row];
            }
            rows[(other + first + row) * plan.dim + unit] = y[row] * mask[row];
        }
        sync_cube();
    }
    #[unroll]
    for row in 0..ROWS {
        if first_batch + row < batch {
            let at = ((first_batch + row) * heads + head) * plan.dim + unit;
            y_end[at] = y[row];
            c_end[at] = c[row];
            n_end[at] = n[row];
            m_end[at] = m[row];
        }
    }
}
