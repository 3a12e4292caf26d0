//! The element-wise pieces of the chunk, each compiled for every instruction level.

#![expect(clippy::too_many_arguments, reason = "loops over rows take their sizes and slices one by one")]

use super::chunk::GateView;
use crate::kernel::level::dispatched;
use crate::kernel::math::{Arithmetic, Real};

dispatched! {
    /// `tails[t] = log1p(exp(-|gate[t]|))`.
    fn softplus_tails(gates: &[T], tails: &mut [T]) = softplus_tails_body;
}

#[inline(always)]
fn softplus_tails_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    gates: &[T],
    tails: &mut [T],
) {
    for_lanes::<T, LANES>(gates, tails, |gate| gate.softplus_tail::<A>());
}

dispatched! {
    /// `slopes[t] = sigmoid(-gate[t])`, the derivative of log sigmoid.
    fn forget_slopes(gates: &[T], slopes: &mut [T]) = forget_slopes_body;
}

#[inline(always)]
fn forget_slopes_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    gates: &[T],
    slopes: &mut [T],
) {
    for_lanes::<T, LANES>(gates, slopes, |gate| (-gate).sigmoid::<A>());
}

dispatched! {
    /// `out[t] = exp(arguments[t])`, rounded to T before the exponential.
    fn exponentials(arguments: &[f64], out: &mut [T]) = exponentials_body;
}

#[inline(always)]
fn exponentials_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    arguments: &[f64],
    out: &mut [T],
) {
    let mut blocks = out.chunks_exact_mut(LANES);
    let mut sources = arguments.chunks_exact(LANES);
    for (to, from) in (&mut blocks).zip(&mut sources) {
        for lane in 0..LANES {
            to[lane] = T::from_f64(from[lane]).exp::<A>();
        }
    }
    for (to, from) in blocks.into_remainder().iter_mut().zip(sources.remainder()) {
        *to = T::from_f64(*from).exp::<A>();
    }
}

/// A function of one number over a slice, in whole vectors first.
#[inline(always)]
fn for_lanes<T: Real, const LANES: usize>(source: &[T], target: &mut [T], function: impl Fn(T) -> T) {
    let mut blocks = target.chunks_exact_mut(LANES);
    let mut sources = source.chunks_exact(LANES);
    for (to, from) in (&mut blocks).zip(&mut sources) {
        for lane in 0..LANES {
            to[lane] = function(from[lane]);
        }
    }
    for (to, from) in blocks.into_remainder().iter_mut().zip(sources.remainder()) {
        *to = function(*from);
    }
}

/// Makes `weights[s] = exp(alpha[s] - maximum[row])` for s <= row, zero beyond, from the weights of the row
/// before: they all stay while the prefix maximum does not move.
#[inline(always)]
fn advance_weights<T: Real, A: Arithmetic, const LANES: usize>(
    row: usize,
    gates: GateView<'_, T>,
    weights: &mut [T],
) {
    let maximum = gates.maximum[row];
    let moved = row == 0 || maximum != gates.maximum[row - 1];
    if moved {
        let filled = (row / LANES + 1) * LANES;
        let (targets, sources) =
            (weights[..filled].as_chunks_mut::<LANES>().0, gates.alpha[..filled].as_chunks::<LANES>().0);
        for (to, from) in targets.iter_mut().zip(sources) {
            for lane in 0..LANES {
                to[lane] = T::from_f64(from[lane] - maximum).exp::<A>();
            }
        }
        // Beyond `filled` everything is zero since row 0.
        let end = if row == 0 { weights.len() } else { filled };
        for weight in &mut weights[row + 1..end] {
            *weight = T::ZERO;
        }
    }
    weights[row] = gates.diagonal[row];
}

dispatched! {
    /// Turns rows `first..first + rows` of K-products `q_t . k_s` into `Ct_ts = scale q_t . k_s D_ts` and sums
    /// each row. `strip` is `[rows, stride]`, of which `columns` are touched; `weights` carries D's current row.
    fn weigh_rows(
        first: usize,
        columns: usize,
        gates: GateView<'_, T>,
        scale: T,
        weights: &mut [T],
        strip: &mut [T],
        stride: usize,
        sums: &mut [T],
    ) = weigh_rows_body;
}

#[inline(always)]
fn weigh_rows_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    first: usize,
    columns: usize,
    gates: GateView<'_, T>,
    scale: T,
    weights: &mut [T],
    strip: &mut [T],
    stride: usize,
    sums: &mut [T],
) {
    for (offset, (row, sum)) in strip.chunks_mut(stride).zip(sums.iter_mut()).enumerate() {
        advance_weights::<T, A, LANES>(first + offset, gates, weights);
        let mut lanes = [T::ZERO; LANES];
        let (scores, weights) =
            (row[..columns].as_chunks_mut::<LANES>().0, weights[..columns].as_chunks::<LANES>().0);
        for (score, weight) in scores.iter_mut().zip(weights) {
            for lane in 0..LANES {
                score[lane] = score[lane] * scale * weight[lane];
                lanes[lane] += score[lane];
            }
        }
        *sum = reduce(&lanes);
    }
}

/// Sum of a vector's lanes, in pairs.
#[inline(always)]
fn reduce<T: Real, const LANES: usize>(lanes: &[T; LANES]) -> T {
    let mut values = *lanes;
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            values[lane] += values[lane + width];
        }
        width /= 2;
    }
    values[0]
}

/// Per-row numbers of one strip of the backward pass.
#[derive(Clone, Copy)]
pub(crate) struct BackwardStrip {
    /// First row of the strip.
    pub first: usize,
    /// Columns that are touched, a multiple of the padding.
    pub columns: usize,
    /// Distance between rows.
    pub stride: usize,
}

dispatched! {
    /// For rows `first..` of one strip: `scores` holds `q_t . k_s` and becomes `Ct_ts`; `products` holds
    /// `dN_t . v_s` and becomes `scale P_ts` with `P_ts = (dN_t . v_s + db_t) D_ts`. Adds the sums of
    /// `G = P * S` over rows and columns, in f64, to `row_sums` (one per row) and `column_sums`.
    fn weigh_rows_backward(
        strip: BackwardStrip,
        gates: GateView<'_, T>,
        scale: T,
        normaliser_gradient: &[T],
        weights: &mut [T],
        scores: &mut [T],
        products: &mut [T],
        row_sums: &mut [f64],
        column_sums: &mut [f64],
    ) = weigh_rows_backward_body;
}

#[inline(always)]
fn weigh_rows_backward_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    strip: BackwardStrip,
    gates: GateView<'_, T>,
    scale: T,
    normaliser_gradient: &[T],
    weights: &mut [T],
    scores: &mut [T],
    products: &mut [T],
    row_sums: &mut [f64],
    column_sums: &mut [f64],
) {
    let BackwardStrip { first, columns, stride } = strip;
    let rows = scores.chunks_mut(stride).zip(products.chunks_mut(stride)).zip(row_sums.iter_mut());
    for (offset, ((score_row, product_row), row_sum)) in rows.enumerate() {
        advance_weights::<T, A, LANES>(first + offset, gates, weights);
        let shift = normaliser_gradient[offset];
        let mut lanes = [0.0_f64; LANES];
        let scores = score_row[..columns].as_chunks_mut::<LANES>().0;
        let products = &mut product_row[..columns].as_chunks_mut::<LANES>().0[..scores.len()];
        let weights = &weights[..columns].as_chunks::<LANES>().0[..scores.len()];
        let column_sums = &mut column_sums[..columns].as_chunks_mut::<LANES>().0[..scores.len()];
        for block in 0..scores.len() {
            let (score, product) = (&mut scores[block], &mut products[block]);
            let (weight, column) = (&weights[block], &mut column_sums[block]);
            for lane in 0..LANES {
                let scaled = score[lane] * scale;
                let gradient = (product[lane] + shift) * weight[lane];
                score[lane] = scaled * weight[lane];
                product[lane] = gradient * scale;
                let gate = (gradient * scaled).to_f64();
                lanes[lane] += gate;
                column[lane] += gate;
            }
        }
        *row_sum += reduce(&lanes);
    }
}

dispatched! {
    /// `out[r] = left[r] . right[r]` over `width` elements, a multiple of the padding; rows `left_stride` and
    /// `right_stride` apart (0: the same vector for all rows).
    fn row_dots(
        width: usize,
        left: &[T],
        left_stride: usize,
        right: &[T],
        right_stride: usize,
        out: &mut [f64],
    ) = row_dots_body;
}

#[inline(always)]
fn row_dots_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    width: usize,
    left: &[T],
    left_stride: usize,
    right: &[T],
    right_stride: usize,
    out: &mut [f64],
) {
    for (row, out) in out.iter_mut().enumerate() {
        let a = &left[row * left_stride..row * left_stride + width];
        let b = &right[row * right_stride..row * right_stride + width];
        let mut lanes = [T::ZERO; LANES];
        for (a, b) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
            for lane in 0..LANES {
                lanes[lane] = a[lane].multiply_add::<A>(b[lane], lanes[lane]);
            }
        }
        *out = reduce(&lanes).to_f64();
    }
}

dispatched! {
    /// `rows[r, :] = factors[r] * (rows[r, :] + coefficients[r] * vector)`, rows `width` long and apart.
    fn scale_rows(width: usize, factors: &[T], coefficients: &[T], vector: &[T], rows: &mut [T]) = scale_rows_body;
}

#[inline(always)]
fn scale_rows_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    width: usize,
    factors: &[T],
    coefficients: &[T],
    vector: &[T],
    rows: &mut [T],
) {
    for ((row, factor), coefficient) in rows.chunks_exact_mut(width).zip(factors).zip(coefficients) {
        for (row, vector) in row.as_chunks_mut::<LANES>().0.iter_mut().zip(vector.as_chunks::<LANES>().0) {
            for lane in 0..LANES {
                row[lane] = *factor * vector[lane].multiply_add::<A>(*coefficient, row[lane]);
            }
        }
    }
}

dispatched! {
    /// `total[:] = decay * total[:] + sum over r of factors[r] * rows[r, :]`, r ascending, in f64; `total` is as
    /// long as a row without its padding.
    fn accumulate_normaliser(decay: f64, width: usize, factors: &[f64], rows: &[T], total: &mut [f64]) = accumulate_normaliser_body;
}

#[inline(always)]
fn accumulate_normaliser_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    decay: f64,
    width: usize,
    factors: &[f64],
    rows: &[T],
    total: &mut [f64],
) {
    for total in total.iter_mut() {
        *total *= decay;
    }
    for (row, factor) in rows.chunks_exact(width).zip(factors) {
        for (total, key) in total.iter_mut().zip(row) {
            *total = key.to_f64().multiply_add::<A>(*factor, *total);
        }
    }
}

dispatched! {
    /// `rows[r, :] *= factors[r]`, rows `width` long and apart.
    fn multiply_rows(width: usize, factors: &[T], rows: &mut [T]) = multiply_rows_body;
}

#[expect(clippy::extra_unused_type_parameters, reason = "the dispatcher names all parameters")]
#[inline(always)]
fn multiply_rows_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    width: usize,
    factors: &[T],
    rows: &mut [T],
) {
    for (row, factor) in rows.chunks_exact_mut(width).zip(factors) {
        for row in row.as_chunks_mut::<LANES>().0 {
            for value in row {
                *value *= *factor;
            }
        }
    }
}
