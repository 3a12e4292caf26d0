//! mLSTM cell, forward, and the entry point of the backward pass. One cube per (batch row, head) walks through
//! the chunks of its sequence; C stays in global memory, where the cube's next-level cache holds it.
//!
//! Per chunk of L steps with entering state (C, n, m_0), sc = 1/sqrt(D), e and D_ts of `fill_weights`:
//!
//! ```text
//! S_ts = sc q_t.k_s D_ts        b_t = e_t q_t.n + sum_s S_ts      den_t = max(|b_t|, exp(-m_t)) + eps
//! h_t  = (e_t C^T q_t + sum_s S_ts v_s) / den_t
//! C'   = e_L C + sum_s sc D_Ls k_s v_s^T       n' = e_L n + sum_s sc D_Ls k_s       m' = m_L
//! ```

use super::mlstm_gates::{Plan, fill_weights, fit_plan, load_gates, load_rows, scan_gates, sum_partials};
use super::{TILE, accumulate, clear, empty_beside, exponential, padded, spread, spread_within};
use crate::fused::cells::{MlstmCellInputs, MlstmCellOutputs};
use burn::backend::TensorMetadata;
use burn::backend::cubecl::dtype_to_storage_type;
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

/// The small number added to the denominator, after the stabilised maximum.
pub(crate) const EPSILON: f32 = crate::kernel::mlstm::EPSILON as f32;

/// Inputs of the cell, in any memory layout.
pub(crate) type MlstmInputs = MlstmCellInputs<CubeBackend>;

impl MlstmInputs {
    /// The same with every tensor contiguous.
    pub(crate) fn contiguous(self) -> Self {
        Self {
            query: into_contiguous(self.query),
            key: into_contiguous(self.key),
            value: into_contiguous(self.value),
            input_gate: into_contiguous(self.input_gate),
            forget_gate: into_contiguous(self.forget_gate),
            reset: into_contiguous(self.reset),
            memory: into_contiguous(self.memory),
            normaliser: into_contiguous(self.normaliser),
            stabiliser: into_contiguous(self.stabiliser),
        }
    }
}

/// `[batch, heads, time, dim]` of a query.
pub(crate) fn sizes(query: &CubeTensor) -> [usize; 4] {
    query.shape().dims()
}

/// One cube per (batch row, head).
pub(crate) fn cubes(batch: usize, heads: usize) -> CubeCount {
    CubeCount::Static(batch as u32, heads as u32, 1)
}

/// Forward.
pub(crate) fn mlstm_cell(inputs: MlstmInputs, exponential_forget: bool) -> MlstmCellOutputs<CubeBackend> {
    let inputs = inputs.contiguous();
    let [batch, heads, time, dim] = sizes(&inputs.query);
    let query = &inputs.query;
    let plan = fit_plan(&query.client, query.dtype().size(), dim, exponential_forget, Plan::forward_words);
    let hidden = empty_beside(query, [batch, heads, time, dim]);
    let memory = empty_beside(query, [batch, heads, dim, dim]);
    let normaliser = empty_beside(query, [batch, heads, dim]);
    let stabiliser = empty_beside(query, [batch, heads]);
    launch_forward(inputs, &hidden, &memory, &normaliser, &stabiliser, plan);
    MlstmCellOutputs { hidden, memory, normaliser, stabiliser }
}

/// The states that enter the chunks of `plan`: `[batch, heads, chunks, ..]` of C, n and m.
pub(crate) fn entering_states(inputs: MlstmInputs, plan: Plan) -> (CubeTensor, CubeTensor, CubeTensor) {
    let [batch, heads, time, dim] = sizes(&inputs.query);
    let chunks = time.div_ceil(plan.chunk);
    let like = inputs.query.clone();
    let unused = empty_beside(&like, [1]);
    let memory = empty_beside(&like, [batch, heads, chunks, dim, dim]);
    let normaliser = empty_beside(&like, [batch, heads, chunks, dim]);
    let stabiliser = empty_beside(&like, [batch, heads, chunks]);
    launch_forward(inputs, &unused, &memory, &normaliser, &stabiliser, Plan { keep: true, ..plan });
    (memory, normaliser, stabiliser)
}

fn launch_forward(
    inputs: MlstmInputs,
    hidden: &CubeTensor,
    memory: &CubeTensor,
    normaliser: &CubeTensor,
    stabiliser: &CubeTensor,
    plan: Plan,
) {
    let [batch, heads, time, _] = sizes(&inputs.query);
    let client = inputs.query.client.clone();
    let dtype = dtype_to_storage_type(inputs.query.dtype());
    forward_kernel::launch(
        &client,
        cubes(batch, heads),
        CubeDim::new_1d(plan.units as u32),
        inputs.query.into_buffer_arg(),
        inputs.key.into_buffer_arg(),
        inputs.value.into_buffer_arg(),
        inputs.input_gate.into_buffer_arg(),
        inputs.forget_gate.into_buffer_arg(),
        inputs.reset.into_buffer_arg(),
        inputs.memory.into_buffer_arg(),
        inputs.normaliser.into_buffer_arg(),
        inputs.stabiliser.into_buffer_arg(),
        hidden.clone().into_buffer_arg(),
        memory.clone().into_buffer_arg(),
        normaliser.clone().into_buffer_arg(),
        stabiliser.clone().into_buffer_arg(),
        time,
        plan,
        dtype,
    );
}

#[cube(launch)]
fn forward_kernel<F: Float>(
    query: &[F],
    key: &[F],
    value: &[F],
    input_gate: &[F],
    forget_gate: &[F],
    reset: &[F],
    memory: &[F],
    normaliser: &[F],
    stabiliser: &[F],
    hidden: &mut [F],
    memory_out: &mut [F],
    normaliser_out: &mut [F],
    stabiliser_out: &mut [F],
    time: usize,
    #[comptime] plan: Plan,
    #[define(F)] _dtype: ElemType,
) {
    let unit = UNIT_POS as usize;
    let batch_row = CUBE_POS_X as usize;
    let row = batch_row * CUBE_COUNT_Y as usize + CUBE_POS_Y as usize;
    let chunks = time.div_ceil(plan.chunk);
    // Slots of states per sequence, and how many chunks hand on theirs: the last one's is not kept.
    let slots = if comptime!(plan.keep) { chunks } else { 1usize.runtime() };
    let handed_on = if comptime!(plan.keep) { chunks - 1 } else { chunks };
    let area = comptime!(plan.dim * plan.dim);

    let mut queries = Shared::<[F]>::new_slice(comptime!(plan.chunk * plan.stride()));
    let mut keys = Shared::<[F]>::new_slice(comptime!(plan.chunk * plan.stride()));
    let mut values = Shared::<[F]>::new_slice(comptime!(plan.chunk * plan.stride()));
    let mut weights = Shared::<[F]>::new_slice(comptime!(plan.chunk * plan.weight_stride()));
    let mut partials = Shared::<[F]>::new_slice(comptime!(plan.chunk * (plan.lanes() + 1)));
    let mut gains = Shared::<[F]>::new_slice(plan.chunk);
    let mut decays = Shared::<[F]>::new_slice(plan.chunk);
    let mut sources = Shared::<[F]>::new_slice(plan.chunk);
    let mut stabilisers = Shared::<[F]>::new_slice(plan.chunk);
    let mut inverses = Shared::<[F]>::new_slice(plan.chunk);
    let mut leaving = Shared::<[F]>::new_slice(plan.chunk);
    let mut running = Shared::<[F]>::new_slice(comptime!(padded(plan.dim)));
    let mut maximum = Shared::<[F]>::new_slice(1usize);

    let mut index = unit;
    while index < area {
        memory_out[row * slots * area + index] = memory[row * area + index];
        index += plan.units;
    }
    if unit < plan.dim {
        running[unit] = normaliser[row * plan.dim + unit];
    }
    if unit == 0 {
        maximum[0] = stabiliser[row];
    }
    sync_storage();

    for chunk in 0..chunks {
        let start = chunk * plan.chunk;
        let length = (time - start).min(plan.chunk);
        let gates_from = row * time + start;
        let slot = if comptime!(plan.keep) { row * slots + chunk } else { row };
        let next_slot = if comptime!(plan.keep) { slot + 1 } else { slot };
        if comptime!(plan.keep) {
            if unit < plan.dim {
                normaliser_out[slot * plan.dim + unit] = running[unit];
            }
            if unit == 0 {
                stabiliser_out[slot] = maximum[0];
            }
        } else {
            load_rows::<F>(query, gates_from * plan.dim, length, &mut queries, plan);
        }
        load_rows::<F>(key, gates_from * plan.dim, length, &mut keys, plan);
        load_rows::<F>(value, gates_from * plan.dim, length, &mut values, plan);
        load_gates::<F>(
            input_gate,
            forget_gate,
            gates_from,
            reset,
            batch_row * time + start,
            length,
            &mut gains,
            &mut decays,
            &mut sources,
            plan,
        );
        sync_cube();
        if unit == 0 {
            scan_gates::<F>(maximum[0], length, &mut gains, &mut decays, &mut sources, &mut stabilisers);
            maximum[0] = stabilisers[length - 1];
        }
        sync_cube();
        fill_weights::<F>(length, &gains, &decays, &mut weights, plan);
        sync_cube();
        let remaining = weights[(length - 1) * comptime!(plan.weight_stride())];
        if unit < plan.chunk {
            let last = (length - 1) * comptime!(plan.weight_stride());
            leaving[unit] = weights[last + 1 + unit] * F::new(comptime!(key_scale(plan.dim)));
        }
        sync_cube();
        if comptime!(!plan.keep) {
            weigh_scores::<F>(&queries, &keys, &mut weights, plan);
            sync_cube();
            partial_dots::<F>(&queries, &running, &weights, &mut partials, plan);
            sync_cube();
            if unit < plan.chunk {
                let mut inverse = F::new(0.0_f32);
                if unit < length {
                    let dot = sum_partials::<F>(
                        &partials,
                        unit * comptime!(plan.lanes() + 1),
                        comptime!(plan.lanes()),
                    );
                    inverse = F::new(1.0_f32) / denominator::<F>(dot, stabilisers[unit]);
                }
                inverses[unit] = inverse;
            }
            sync_cube();
            write_hidden::<F>(
                &queries,
                &values,
                &weights,
                &inverses,
                &*memory_out,
                slot * area,
                hidden,
                gates_from * plan.dim,
                length,
                plan,
            );
            sync_storage();
        }
        if chunk < handed_on {
            scale_rows::<F>(&mut keys, &leaving, plan);
            sync_cube();
            advance_memory::<F>(&keys, &values, remaining, memory_out, slot * area, next_slot * area, plan);
            advance_normaliser::<F>(&keys, remaining, &mut running, plan);
        }
        sync_storage();
    }
    if comptime!(!plan.keep) {
        if unit < plan.dim {
            normaliser_out[row * plan.dim + unit] = running[unit];
        }
        if unit == 0 {
            stabiliser_out[row] = maximum[0];
        }
    }
}

/// 1/sqrt(D).
pub(crate) fn key_scale(dim: usize) -> f32 {
    (1.0 / (dim as f64).sqrt()) as f32
}

/// max(|b|, exp(-m)) + eps.
#[cube]
pub(crate) fn denominator<F: Float>(dot: F, stabiliser: F) -> F {
    dot.abs().max(exponential::<F>(F::new(0.0_f32) - stabiliser)) + F::new(EPSILON)
}

/// `weights[t, 1 + s] *= sc q_t.k_s`; column 0 stays.
#[cube]
fn weigh_scores<F: Float>(queries: &[F], keys: &[F], weights: &mut [F], #[comptime] plan: Plan) {
    let stride = comptime!(plan.weight_stride());
    let side = comptime!(plan.chunk / TILE);
    let mut sums = Array::<F>::new(comptime!(TILE * TILE));
    let mut rows = Array::<usize>::new(TILE);
    let mut columns = Array::<usize>::new(TILE);
    let mut tile = UNIT_POS as usize;
    while tile < comptime!(side * side) {
        let (down, across) = (tile / side, tile % side);
        spread(&mut rows, down, side, comptime!(plan.stride()));
        spread(&mut columns, across, side, comptime!(plan.stride()));
        clear::<F>(&mut sums);
        accumulate::<F>(&mut sums, queries, &rows, 1, keys, &columns, 1, plan.dim);
        #[unroll]
        for i in 0..TILE {
            #[unroll]
            for j in 0..TILE {
                let place = (down + i * side) * stride + 1 + across + j * side;
                weights[place] = weights[place] * sums[i * TILE + j] * F::new(comptime!(key_scale(plan.dim)));
            }
        }
        tile += plan.units;
    }
}

/// Partial sums of b_t = e_t q_t.n + sum_s S_ts: `lanes` units share a row.
#[cube]
pub(crate) fn partial_dots<F: Float>(
    queries: &[F],
    normaliser: &[F],
    weights: &[F],
    partials: &mut [F],
    #[comptime] plan: Plan,
) {
    let lanes = comptime!(plan.lanes());
    let row = UNIT_POS as usize / lanes;
    let lane = UNIT_POS as usize % lanes;
    if row < plan.chunk {
        let from = row * comptime!(plan.weight_stride());
        let mut dot = F::new(0.0_f32);
        let mut column = lane;
        while column < plan.dim {
            dot += queries[row * comptime!(plan.stride()) + column] * normaliser[column];
            column += lanes;
        }
        dot *= weights[from];
        let mut step = lane;
        while step < plan.chunk {
            dot += weights[from + 1 + step];
            step += lanes;
        }
        partials[row * (lanes + 1) + lane] = dot;
    }
}

/// `h_t = (e_t C^T q_t + sum_s S_ts v_s) / den_t`.
#[cube]
fn write_hidden<F: Float>(
    queries: &[F],
    values: &[F],
    weights: &[F],
    inverses: &[F],
    memory: &[F],
    memory_from: usize,
    hidden: &mut [F],
    hidden_from: usize,
    length: usize,
    #[comptime] plan: Plan,
) {
    let stride = comptime!(plan.weight_stride());
    let down_step = comptime!(plan.chunk / TILE);
    let across_step = comptime!(padded(plan.dim) / TILE);
    let own = &memory[memory_from..memory_from + comptime!(plan.dim * plan.dim)];
    let mut sums = Array::<F>::new(comptime!(TILE * TILE));
    let mut rows = Array::<usize>::new(TILE);
    let mut columns = Array::<usize>::new(TILE);
    let mut tile = UNIT_POS as usize;
    while tile < comptime!(down_step * across_step) {
        let (down, across) = (tile / across_step, tile % across_step);
        clear::<F>(&mut sums);
        spread(&mut rows, down, down_step, comptime!(plan.stride()));
        spread_within(&mut columns, across, across_step, 1, comptime!(plan.dim - 1));
        accumulate::<F>(&mut sums, queries, &rows, 1, own, &columns, plan.dim, plan.dim);
        spread(&mut rows, down, down_step, stride);
        #[unroll]
        for i in 0..TILE {
            #[unroll]
            for j in 0..TILE {
                sums[i * TILE + j] *= weights[rows[i]];
            }
            rows[i] += 1;
        }
        spread(&mut columns, across, across_step, 1);
        accumulate::<F>(&mut sums, weights, &rows, 1, values, &columns, comptime!(plan.stride()), plan.chunk);
        #[unroll]
        for i in 0..TILE {
            let step = down + i * down_step;
            #[unroll]
            for j in 0..TILE {
                let column = across + j * across_step;
                if step < length && column < plan.dim {
                    hidden[hidden_from + step * plan.dim + column] = sums[i * TILE + j] * inverses[step];
                }
            }
        }
        tile += plan.units;
    }
}

/// `rows[s] *= factors[s]`.
#[cube]
pub(crate) fn scale_rows<F: Float>(rows: &mut [F], factors: &[F], #[comptime] plan: Plan) {
    let total = comptime!(plan.chunk * plan.stride());
    let mut index = UNIT_POS as usize;
    while index < total {
        rows[index] *= factors[index / comptime!(plan.stride())];
        index += plan.units;
    }
}

/// `C' = remaining C + sum_s left_s right_s^T`, from one place of `memory` to another (or the same).
#[cube]
pub(crate) fn advance_memory<F: Float>(
    left: &[F],
    right: &[F],
    remaining: F,
    memory: &mut [F],
    from: usize,
    to: usize,
    #[comptime] plan: Plan,
) {
    let side = comptime!(padded(plan.dim) / TILE);
    let mut sums = Array::<F>::new(comptime!(TILE * TILE));
    let mut rows = Array::<usize>::new(TILE);
    let mut columns = Array::<usize>::new(TILE);
    let mut tile = UNIT_POS as usize;
    while tile < comptime!(side * side) {
        let (down, across) = (tile / side, tile % side);
        spread(&mut rows, down, side, 1);
        spread(&mut columns, across, side, 1);
        clear::<F>(&mut sums);
        accumulate::<F>(
            &mut sums,
            left,
            &rows,
            comptime!(plan.stride()),
            right,
            &columns,
            comptime!(plan.stride()),
            plan.chunk,
        );
        #[unroll]
        for i in 0..TILE {
            #[unroll]
            for j in 0..TILE {
                if rows[i] < plan.dim && columns[j] < plan.dim {
                    let place = rows[i] * plan.dim + columns[j];
                    memory[to + place] = remaining * memory[from + place] + sums[i * TILE + j];
                }
            }
        }
        tile += plan.units;
    }
}

/// `n' = remaining n + sum_s left_s`.
#[cube]
pub(crate) fn advance_normaliser<F: Float>(
    left: &[F],
    remaining: F,
    normaliser: &mut [F],
    #[comptime] plan: Plan,
) {
    let unit = UNIT_POS as usize;
    if unit < plan.dim {
        let mut sum = remaining * normaliser[unit];
        for step in 0..plan.chunk {
            sum += left[step * comptime!(plan.stride()) + unit];
        }
        normaliser[unit] = sum;
    }
}
