//! Matrix products of the backward kernel of the mLSTM, in blocks of TILE x TILE; letters as there.

use super::mlstm::key_scale;
use super::mlstm_gates::Plan;
use super::{TILE, accumulate, clear, padded, spread, spread_within};
use burn_cubecl::cubecl::{self, prelude::*};

/// `scores[t, 1 + s] = S_ts`, and column 0 = e_t.
#[cube]
pub(crate) fn score_rows<F: Float>(
    queries: &[F],
    keys: &[F],
    weights: &[F],
    scores: &mut [F],
    #[comptime] plan: Plan,
) {
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
                scores[place] = weights[place] * sums[i * TILE + j] * F::new(comptime!(key_scale(plan.dim)));
            }
        }
        tile += plan.units;
    }
    let step = UNIT_POS as usize;
    if step < plan.chunk {
        scores[step * stride] = weights[step * stride];
    }
}

/// A_ts = dN_t.v_s + db_t; `weights[t, 1 + s]` (D_ts) becomes P_ts = sc A_ts D_ts, `products[t, 1 + s]` G_ts.
#[cube]
pub(crate) fn weigh_products<F: Float>(
    numerators: &[F],
    values: &[F],
    dot_gradients: &[F],
    scores: &[F],
    weights: &mut [F],
    products: &mut [F],
    #[comptime] plan: Plan,
) {
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
        accumulate::<F>(&mut sums, numerators, &rows, 1, values, &columns, 1, plan.dim);
        #[unroll]
        for i in 0..TILE {
            #[unroll]
            for j in 0..TILE {
                let step = down + i * side;
                let place = step * stride + 1 + across + j * side;
                let gradient = sums[i * TILE + j] + dot_gradients[step];
                weights[place] = weights[place] * gradient * F::new(comptime!(key_scale(plan.dim)));
                products[place] = gradient * scores[place];
            }
        }
        tile += plan.units;
    }
}

/// `dq_t = e_t (C dN_t + db_t n) + sum_s P_ts k_s`; `parts` gets the tiles' shares of E_t.
#[cube]
pub(crate) fn write_query_gradient<F: Float>(
    numerators: &[F],
    queries: &[F],
    keys: &[F],
    weights: &[F],
    entering: &[F],
    dot_gradients: &[F],
    state: &[F],
    memory: &[F],
    memory_from: usize,
    parts: &mut [F],
    out: &mut [F],
    out_from: usize,
    length: usize,
    #[comptime] plan: Plan,
) {
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
        spread_within(&mut columns, across, across_step, plan.dim, comptime!(plan.dim - 1));
        accumulate::<F>(&mut sums, numerators, &rows, 1, own, &columns, 1, plan.dim);
        #[unroll]
        for i in 0..TILE {
            let step = down + i * down_step;
            let mut part = F::new(0.0_f32);
            #[unroll]
            for j in 0..TILE {
                let column = across + j * across_step;
                if column < plan.dim {
                    let gradient =
                        entering[step] * (sums[i * TILE + j] + dot_gradients[step] * state[column]);
                    part += gradient * queries[rows[i] + column];
                    sums[i * TILE + j] = gradient;
                }
            }
            parts[step * comptime!(padded(plan.dim) / TILE + 1) + across] = part;
            rows[i] = step * comptime!(plan.weight_stride()) + 1;
        }
        spread(&mut columns, across, across_step, 1);
        accumulate::<F>(&mut sums, weights, &rows, 1, keys, &columns, comptime!(plan.stride()), plan.chunk);
        store_tile::<F>(&sums, down, across, out, out_from, length, plan);
        tile += plan.units;
    }
}

/// `dk_s = sc D_Ls (dC v_s + dn) + sum_t P_ts q_t`; `parts` gets the tiles' shares of Y_s.
#[cube]
pub(crate) fn write_key_gradient<F: Float>(
    queries: &[F],
    keys: &[F],
    values: &[F],
    weights: &[F],
    leaving: &[F],
    state_gradient: &[F],
    carried: &[F],
    carried_from: usize,
    parts: &mut [F],
    out: &mut [F],
    out_from: usize,
    length: usize,
    #[comptime] plan: Plan,
) {
    let down_step = comptime!(plan.chunk / TILE);
    let across_step = comptime!(padded(plan.dim) / TILE);
    let own = &carried[carried_from..carried_from + comptime!(plan.dim * plan.dim)];
    let mut sums = Array::<F>::new(comptime!(TILE * TILE));
    let mut rows = Array::<usize>::new(TILE);
    let mut columns = Array::<usize>::new(TILE);
    let mut tile = UNIT_POS as usize;
    while tile < comptime!(down_step * across_step) {
        let (down, across) = (tile / across_step, tile % across_step);
        clear::<F>(&mut sums);
        spread(&mut rows, down, down_step, comptime!(plan.stride()));
        spread_within(&mut columns, across, across_step, plan.dim, comptime!(plan.dim - 1));
        accumulate::<F>(&mut sums, values, &rows, 1, own, &columns, 1, plan.dim);
        #[unroll]
        for i in 0..TILE {
            let step = down + i * down_step;
            let mut part = F::new(0.0_f32);
            #[unroll]
            for j in 0..TILE {
                let column = across + j * across_step;
                if column < plan.dim {
                    let gradient = leaving[step] * (sums[i * TILE + j] + state_gradient[column]);
                    part += gradient * keys[rows[i] + column];
                    sums[i * TILE + j] = gradient;
                }
            }
            parts[step * comptime!(padded(plan.dim) / TILE + 1) + across] = part;
            rows[i] = 1 + step;
        }
        spread(&mut columns, across, across_step, 1);
        accumulate::<F>(
            &mut sums,
            weights,
            &rows,
            comptime!(plan.weight_stride()),
            queries,
            &columns,
            comptime!(plan.stride()),
            plan.chunk,
        );
        store_tile::<F>(&sums, down, across, out, out_from, length, plan);
        tile += plan.units;
    }
}

/// `dv_s = sc D_Ls dC^T k_s + sum_t S_ts dN_t`.
#[cube]
pub(crate) fn write_value_gradient<F: Float>(
    numerators: &[F],
    keys: &[F],
    scores: &[F],
    leaving: &[F],
    carried: &[F],
    carried_from: usize,
    out: &mut [F],
    out_from: usize,
    length: usize,
    #[comptime] plan: Plan,
) {
    let down_step = comptime!(plan.chunk / TILE);
    let across_step = comptime!(padded(plan.dim) / TILE);
    let own = &carried[carried_from..carried_from + comptime!(plan.dim * plan.dim)];
    let mut sums = Array::<F>::new(comptime!(TILE * TILE));
    let mut rows = Array::<usize>::new(TILE);
    let mut columns = Array::<usize>::new(TILE);
    let mut tile = UNIT_POS as usize;
    while tile < comptime!(down_step * across_step) {
        let (down, across) = (tile / across_step, tile % across_step);
        clear::<F>(&mut sums);
        spread(&mut rows, down, down_step, comptime!(plan.stride()));
        spread_within(&mut columns, across, across_step, 1, comptime!(plan.dim - 1));
        accumulate::<F>(&mut sums, keys, &rows, 1, own, &columns, plan.dim, plan.dim);
        #[unroll]
        for i in 0..TILE {
            let step = down + i * down_step;
            #[unroll]
            for j in 0..TILE {
                sums[i * TILE + j] *= leaving[step];
            }
            rows[i] = 1 + step;
        }
        spread(&mut columns, across, across_step, 1);
        accumulate::<F>(
            &mut sums,
            scores,
            &rows,
            comptime!(plan.weight_stride()),
            numerators,
            &columns,
            comptime!(plan.stride()),
            plan.chunk,
        );
        store_tile::<F>(&sums, down, across, out, out_from, length, plan);
        tile += plan.units;
    }
}

/// Writes a block of a chunk's rows, without what lies beyond the chunk or the row.
#[cube]
fn store_tile<F: Float>(
    sums: &Array<F>,
    down: usize,
    across: usize,
    out: &mut [F],
    out_from: usize,
    length: usize,
    #[comptime] plan: Plan,
) {
    #[unroll]
    for i in 0..TILE {
        let step = down + i * comptime!(plan.chunk / TILE);
        #[unroll]
        for j in 0..TILE {
            let column = across + j * comptime!(padded(plan.dim) / TILE);
            if step < length && column < plan.dim {
                out[out_from + step * plan.dim + column] = sums[i * TILE + j];
            }
        }
    }
}
