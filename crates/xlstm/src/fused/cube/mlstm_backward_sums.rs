//! Sums over rows and columns of a chunk that the backward kernel of the mLSTM needs; letters as there.

use super::exponential;
use super::mlstm::{EPSILON, denominator};
use super::mlstm_gates::{Plan, sum_partials};
use burn_cubecl::cubecl::{self, prelude::*};

/// Partial sums of g_t.h_t.
#[cube]
pub(crate) fn partial_alongs<F: Float>(
    gradients: &[F],
    hidden: &[F],
    hidden_from: usize,
    length: usize,
    partials: &mut [F],
    #[comptime] plan: Plan,
) {
    let lanes = comptime!(plan.lanes());
    let row = UNIT_POS as usize / lanes;
    let lane = UNIT_POS as usize % lanes;
    if row < plan.chunk {
        let mut along = F::new(0.0_f32);
        if row < length {
            let mut column = lane;
            while column < plan.dim {
                along += gradients[row * comptime!(plan.stride()) + column]
                    * hidden[hidden_from + row * plan.dim + column];
                column += lanes;
            }
        }
        partials[row * (lanes + 1) + lane] = along;
    }
}

/// 1/den_t, db_t and mu_t of one row; zero beyond the chunk's end.
#[cube]
pub(crate) fn row_gradients<F: Float>(
    step: usize,
    length: usize,
    dots: &[F],
    alongs: &[F],
    stabilisers: &[F],
    inverses: &mut [F],
    dot_gradients: &mut [F],
    shifts: &mut [F],
    #[comptime] plan: Plan,
) {
    let zero = F::new(0.0_f32);
    let mut inverse = F::new(0.0_f32);
    let mut dot_gradient = F::new(0.0_f32);
    let mut shift = F::new(0.0_f32);
    if step < length {
        let from = step * comptime!(plan.lanes() + 1);
        let dot = sum_partials::<F>(dots, from, comptime!(plan.lanes()));
        let along = sum_partials::<F>(alongs, from, comptime!(plan.lanes()));
        inverse = F::new(1.0_f32) / denominator::<F>(dot, stabilisers[step]);
        let relative = along * inverse;
        let signed = select(dot < zero, relative, zero - relative);
        // Where the floor exp(-m) holds the denominator up, it does not depend on b.
        dot_gradient = select(dot.abs() > exponential::<F>(zero - stabilisers[step]), signed, zero);
        shift = F::new(-EPSILON) * relative;
    }
    inverses[step] = inverse;
    dot_gradients[step] = dot_gradient;
    shifts[step] = shift;
}

/// Partial sums of <dC, C> + dn.n.
#[cube]
pub(crate) fn partial_through<F: Float>(
    carried: &[F],
    carried_from: usize,
    memory: &[F],
    memory_from: usize,
    state_gradient: &[F],
    state: &[F],
    partials: &mut [F],
    #[comptime] plan: Plan,
) {
    let unit = UNIT_POS as usize;
    let mut sum = F::new(0.0_f32);
    let mut index = unit;
    while index < comptime!(plan.dim * plan.dim) {
        sum += carried[carried_from + index] * memory[memory_from + index];
        index += plan.units;
    }
    if unit < plan.dim {
        sum += state_gradient[unit] * state[unit];
    }
    partials[unit] = sum;
}

/// `sum over t of G_ts`.
#[cube]
pub(crate) fn column_sum<F: Float>(products: &[F], column: usize, #[comptime] plan: Plan) -> F {
    let mut sum = F::new(0.0_f32);
    for step in 0..plan.chunk {
        sum += products[step * comptime!(plan.weight_stride()) + 1 + column];
    }
    sum
}

/// `products[t, 1 + r]` (G) becomes the sum over s <= r of G_ts, for one row; column 0 becomes zero.
#[cube]
pub(crate) fn prefix_row<F: Float>(products: &mut [F], row: usize, #[comptime] plan: Plan) {
    let from = row * comptime!(plan.weight_stride());
    let mut sum = F::new(0.0_f32);
    products[from] = sum;
    for step in 0..plan.chunk {
        sum += products[from + 1 + step];
        products[from + 1 + step] = sum;
    }
}

/// `sum over t >= r, s < r of G_ts`, from the rows' prefix sums.
#[cube]
pub(crate) fn crossing_sum<F: Float>(products: &[F], step: usize, #[comptime] plan: Plan) -> F {
    let mut sum = F::new(0.0_f32);
    for row in 0..plan.chunk {
        if row >= step {
            sum += products[row * comptime!(plan.weight_stride()) + step];
        }
    }
    sum
}

/// For one unit: completes di (`input_sums`, given the columns of G) and dlogf (`forget_sums`, given the sums of
/// G that cross the step) of a chunk. `entering` is E, `leaving` Y, `through` X, `shifts` mu. Returns the
/// gradient that goes on to the stabiliser which entered.
#[cube]
pub(crate) fn gate_gradients<F: Float>(
    length: usize,
    through: F,
    stabiliser_gradient: F,
    entering: &[F],
    leaving: &[F],
    shifts: &[F],
    sources: &[F],
    input_sums: &mut [F],
    forget_sums: &mut [F],
) -> F {
    let mut before = through;
    for step in 0..length {
        forget_sums[step] += before;
        before += leaving[step];
    }
    let mut after = F::new(0.0_f32);
    let mut shift = stabiliser_gradient;
    for reversed in 0..length {
        let step = length - 1 - reversed;
        after += entering[step];
        shift += shifts[step];
        let from_input = sources[step] != F::new(0.0_f32);
        input_sums[step] += leaving[step] + select(from_input, shift, F::new(0.0_f32));
        shift = select(from_input, F::new(0.0_f32), shift);
        forget_sums[step] += after + shift;
    }
    shift
}
