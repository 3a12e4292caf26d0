//! mLSTM cell, backward. One cube per (batch row, head) walks through the chunks in reverse with the gradient
//! (dC, dn) of the state that leaves the chunk; the states that enter the chunks are computed anew beforehand.
//!
//! With g = dh, sc = 1/sqrt(D), e and D_ts of `fill_weights`, S_ts = sc q_t.k_s D_ts:
//!
//! ```text
//! dN_t = g_t / den_t      db_t = -(g_t.h_t)/den_t sign(b_t) [|b_t| > exp(-m_t)]
//! A_ts = dN_t.v_s + db_t          P_ts = sc A_ts D_ts             G_ts = A_ts S_ts
//! dq_t = sum_s P_ts k_s + e_t (C dN_t + db_t n)
//! dk_s = sum_t P_ts q_t + sc D_Ls (dC v_s + dn)                   dv_s = sum_t S_ts dN_t + sc D_Ls dC^T k_s
//! dC <- e_L dC + sum_t e_t q_t dN_t^T                             dn <- e_L dn + sum_t e_t db_t q_t
//! ```
//!
//! Gates: with E_t = the part of q_t.dq_t that passes through (C, n), Y_s = the part of k_s.dk_s that passes
//! through (dC, dn) and X = e_L (<dC, C> + dn.n):
//!
//! ```text
//! di_s = sum_t G_ts + Y_s         dlogf_r = X + sum_{s<r} Y_s + sum_{t>=r} E_t + sum_{t>=r} sum_{s<r} G_ts
//! ```
//!
//! No sum is taken away from another. The stabiliser is not quite a constant, because eps stands beside a
//! stabilised denominator: h_t depends on m_t by mu_t = -(eps/den_t)(g_t.h_t), which runs backwards along the
//! carried stabiliser to the input gate that set it.

use super::mlstm::{
    MlstmInputs, advance_memory, cubes, entering_states, key_scale, partial_dots, scale_rows, sizes,
};
use super::mlstm_backward_products::{
    score_rows, weigh_products, write_key_gradient, write_query_gradient, write_value_gradient,
};
use super::mlstm_backward_sums::{
    column_sum, crossing_sum, gate_gradients, partial_alongs, partial_through, prefix_row, row_gradients,
};
use super::mlstm_gates::{Plan, fill_weights, fit_plan, load_gates, load_rows, scan_gates, sum_partials};
use super::{TILE, empty_beside, log_forget_slope, padded};
use crate::fused::cells::MlstmCellGradients;
use burn::backend::TensorMetadata;
use burn::backend::cubecl::dtype_to_storage_type;
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

/// Gradients from those of the hidden values; `inputs` and `hidden` are those of the forward call.
pub(crate) fn mlstm_cell_backward(
    inputs: MlstmInputs,
    hidden: CubeTensor,
    hidden_gradient: CubeTensor,
    exponential_forget: bool,
) -> MlstmCellGradients<CubeBackend> {
    let inputs = inputs.contiguous();
    let [batch, heads, time, dim] = sizes(&inputs.query);
    let like = inputs.query.clone();
    let client = like.client.clone();
    let plan = fit_plan(&client, like.dtype().size(), dim, exponential_forget, Plan::backward_words);
    let (memory, normaliser, stabiliser) = entering_states(inputs.clone(), plan);
    let carried = empty_beside(&like, [batch, heads, dim, dim]);
    let sequence = || empty_beside(&like, [batch, heads, time, dim]);
    let steps = || empty_beside(&like, [batch, heads, time]);
    let gradients = MlstmCellGradients::<CubeBackend> {
        query: sequence(),
        key: sequence(),
        value: sequence(),
        input_gate: steps(),
        forget_gate: steps(),
    };
    backward_kernel::launch(
        &client,
        cubes(batch, heads),
        CubeDim::new_1d(plan.units as u32),
        inputs.query.into_buffer_arg(),
        inputs.key.into_buffer_arg(),
        inputs.value.into_buffer_arg(),
        inputs.input_gate.into_buffer_arg(),
        inputs.forget_gate.into_buffer_arg(),
        inputs.reset.into_buffer_arg(),
        memory.into_buffer_arg(),
        normaliser.into_buffer_arg(),
        stabiliser.into_buffer_arg(),
        into_contiguous(hidden).into_buffer_arg(),
        into_contiguous(hidden_gradient).into_buffer_arg(),
        carried.into_buffer_arg(),
        gradients.query.clone().into_buffer_arg(),
        gradients.key.clone().into_buffer_arg(),
        gradients.value.clone().into_buffer_arg(),
        gradients.input_gate.clone().into_buffer_arg(),
        gradients.forget_gate.clone().into_buffer_arg(),
        time,
        plan,
        dtype_to_storage_type(like.dtype()),
    );
    gradients
}

#[cube(launch)]
fn backward_kernel<F: Float>(
    query: &[F],
    key: &[F],
    value: &[F],
    input_gate: &[F],
    forget_gate: &[F],
    reset: &[F],
    memory: &[F],
    normaliser: &[F],
    stabiliser: &[F],
    hidden: &[F],
    hidden_gradient: &[F],
    carried: &mut [F],
    query_out: &mut [F],
    key_out: &mut [F],
    value_out: &mut [F],
    input_gate_out: &mut [F],
    forget_gate_out: &mut [F],
    time: usize,
    #[comptime] plan: Plan,
    #[define(F)] _dtype: ElemType,
) {
    let unit = UNIT_POS as usize;
    let batch_row = CUBE_POS_X as usize;
    let row = batch_row * CUBE_COUNT_Y as usize + CUBE_POS_Y as usize;
    let chunks = time.div_ceil(plan.chunk);
    let area = comptime!(plan.dim * plan.dim);
    let rows_len = comptime!(plan.chunk * plan.stride());
    let square = comptime!(plan.chunk * plan.weight_stride());
    let tiles = comptime!(plan.chunk * (padded(plan.dim) / TILE + 1));

    let mut queries = Shared::<[F]>::new_slice(rows_len);
    let mut keys = Shared::<[F]>::new_slice(rows_len);
    let mut values = Shared::<[F]>::new_slice(rows_len);
    let mut numerators = Shared::<[F]>::new_slice(rows_len);
    let mut weights = Shared::<[F]>::new_slice(square);
    let mut scores = Shared::<[F]>::new_slice(square);
    let mut products = Shared::<[F]>::new_slice(square);
    let mut dots = Shared::<[F]>::new_slice(comptime!(plan.chunk * (plan.lanes() + 1)));
    let mut alongs = Shared::<[F]>::new_slice(comptime!(plan.chunk * (plan.lanes() + 1)));
    let mut query_parts = Shared::<[F]>::new_slice(tiles);
    let mut key_parts = Shared::<[F]>::new_slice(tiles);
    let mut through_parts = Shared::<[F]>::new_slice(plan.units);
    let mut gains = Shared::<[F]>::new_slice(plan.chunk);
    let mut decays = Shared::<[F]>::new_slice(plan.chunk);
    let mut sources = Shared::<[F]>::new_slice(plan.chunk);
    let mut stabilisers = Shared::<[F]>::new_slice(plan.chunk);
    let mut inverses = Shared::<[F]>::new_slice(plan.chunk);
    let mut dot_gradients = Shared::<[F]>::new_slice(plan.chunk);
    let mut shifts = Shared::<[F]>::new_slice(plan.chunk);
    let mut entering = Shared::<[F]>::new_slice(plan.chunk);
    let mut leaving = Shared::<[F]>::new_slice(plan.chunk);
    let mut input_sums = Shared::<[F]>::new_slice(plan.chunk);
    let mut forget_sums = Shared::<[F]>::new_slice(plan.chunk);
    let mut slopes = Shared::<[F]>::new_slice(plan.chunk);
    let mut state = Shared::<[F]>::new_slice(comptime!(padded(plan.dim)));
    let mut state_gradient = Shared::<[F]>::new_slice(comptime!(padded(plan.dim)));
    let mut stabiliser_gradient = Shared::<[F]>::new_slice(1usize);

    let mut index = unit;
    while index < area {
        carried[row * area + index] = F::new(0.0_f32);
        index += plan.units;
    }
    if unit < plan.dim {
        state_gradient[unit] = F::new(0.0_f32);
    }
    if unit == 0 {
        stabiliser_gradient[0] = F::new(0.0_f32);
    }
    sync_storage();

    for reversed in 0..chunks {
        let chunk = chunks - 1 - reversed;
        let start = chunk * plan.chunk;
        let length = (time - start).min(plan.chunk);
        let slot = row * chunks + chunk;
        let gates_from = row * time + start;
        let rows_from = gates_from * plan.dim;
        load_rows::<F>(query, rows_from, length, &mut queries, plan);
        load_rows::<F>(key, rows_from, length, &mut keys, plan);
        load_rows::<F>(value, rows_from, length, &mut values, plan);
        load_rows::<F>(hidden_gradient, rows_from, length, &mut numerators, plan);
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
        if unit < length {
            slopes[unit] = log_forget_slope::<F>(forget_gate[gates_from + unit], plan.exponential_forget);
        }
        if unit < plan.dim {
            state[unit] = normaliser[slot * plan.dim + unit];
        }
        sync_cube();
        if unit == 0 {
            scan_gates::<F>(
                stabiliser[slot],
                length,
                &mut gains,
                &mut decays,
                &mut sources,
                &mut stabilisers,
            );
        }
        sync_cube();
        fill_weights::<F>(length, &gains, &decays, &mut weights, plan);
        partial_alongs::<F>(&numerators, hidden, rows_from, length, &mut alongs, plan);
        sync_cube();
        score_rows::<F>(&queries, &keys, &weights, &mut scores, plan);
        sync_cube();
        partial_dots::<F>(&queries, &state, &scores, &mut dots, plan);
        sync_cube();
        let last = (length - 1) * comptime!(plan.weight_stride());
        let remaining = weights[last];
        if unit < plan.chunk {
            leaving[unit] = weights[last + 1 + unit] * F::new(comptime!(key_scale(plan.dim)));
            entering[unit] = weights[unit * comptime!(plan.weight_stride())];
            row_gradients::<F>(
                unit,
                length,
                &dots,
                &alongs,
                &stabilisers,
                &mut inverses,
                &mut dot_gradients,
                &mut shifts,
                plan,
            );
        }
        sync_cube();
        scale_rows::<F>(&mut numerators, &inverses, plan);
        sync_cube();
        weigh_products::<F>(&numerators, &values, &dot_gradients, &scores, &mut weights, &mut products, plan);
        sync_cube();
        write_query_gradient::<F>(
            &numerators,
            &queries,
            &keys,
            &weights,
            &entering,
            &dot_gradients,
            &state,
            memory,
            slot * area,
            &mut query_parts,
            query_out,
            rows_from,
            length,
            plan,
        );
        write_key_gradient::<F>(
            &queries,
            &keys,
            &values,
            &weights,
            &leaving,
            &state_gradient,
            &*carried,
            row * area,
            &mut key_parts,
            key_out,
            rows_from,
            length,
            plan,
        );
        write_value_gradient::<F>(
            &numerators,
            &keys,
            &scores,
            &leaving,
            &*carried,
            row * area,
            value_out,
            rows_from,
            length,
            plan,
        );
        partial_through::<F>(
            &*carried,
            row * area,
            memory,
            slot * area,
            &state_gradient,
            &state,
            &mut through_parts,
            plan,
        );
        if unit < plan.chunk {
            input_sums[unit] = column_sum::<F>(&products, unit, plan);
        }
        sync_storage();
        if unit < plan.chunk {
            prefix_row::<F>(&mut products, unit, plan);
        }
        scale_rows::<F>(&mut queries, &entering, plan);
        sync_cube();
        if unit < plan.chunk {
            forget_sums[unit] = crossing_sum::<F>(&products, unit, plan);
        }
        advance_memory::<F>(&queries, &numerators, remaining, carried, row * area, row * area, plan);
        if unit < plan.dim {
            let mut sum = remaining * state_gradient[unit];
            for step in 0..plan.chunk {
                sum += dot_gradients[step] * queries[step * comptime!(plan.stride()) + unit];
            }
            state_gradient[unit] = sum;
        }
        // E_t and Y_s, in the places of what is no longer needed.
        if unit < plan.chunk {
            let from = unit * comptime!(padded(plan.dim) / TILE + 1);
            entering[unit] = sum_partials::<F>(&query_parts, from, comptime!(padded(plan.dim) / TILE));
            leaving[unit] = sum_partials::<F>(&key_parts, from, comptime!(padded(plan.dim) / TILE));
        }
        sync_storage();
        if unit == 0 {
            let through = remaining * sum_partials::<F>(&through_parts, 0usize, plan.units);
            stabiliser_gradient[0] = gate_gradients::<F>(
                length,
                through,
                stabiliser_gradient[0],
                &entering,
                &leaving,
                &shifts,
                &sources,
                &mut input_sums,
                &mut forget_sums,
            );
        }
        sync_cube();
        if unit < length {
            input_gate_out[gates_from + unit] = input_sums[unit];
            forget_gate_out[gates_from + unit] = forget_sums[unit] * slopes[unit];
        }
        sync_cube();
    }
}
