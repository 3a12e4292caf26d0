//! Buffers with the batch innermost, `[channels, LANES_OF_BATCH]`: to and from rows, and the head norm on them.

use super::LANES_OF_BATCH;
use crate::kernel::level::dispatched;
use crate::kernel::math::{Arithmetic, Real};

/// Side of the square blocks of a transposition.
const BLOCK: usize = 4;

/// A matrix to be transposed.
#[derive(Clone, Copy)]
pub(super) struct Turn {
    /// Rows of the source.
    pub rows: usize,
    /// Columns of the source.
    pub columns: usize,
    /// Distance between rows of the source.
    pub stride: usize,
    /// Distance between rows of the target.
    pub target_stride: usize,
}

dispatched! {
    /// `target[c, r] = source[r, c]`; nothing else of the target is touched.
    fn transpose(turn: Turn, source: &[T], target: &mut [T]) = transpose_body;
}

#[expect(clippy::extra_unused_type_parameters, reason = "the dispatcher names all parameters")]
#[inline(always)]
fn transpose_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    turn: Turn,
    source: &[T],
    target: &mut [T],
) {
    let Turn { rows, columns, stride, target_stride } = turn;
    let (whole_rows, whole_columns) = (rows / BLOCK * BLOCK, columns / BLOCK * BLOCK);
    for row in (0..whole_rows).step_by(BLOCK) {
        let line = |r: usize| &source[(row + r) * stride..][..columns];
        let from = [line(0), line(1), line(2), line(3)];
        // Cut once, so that the loop checks nothing.
        let lines = from.map(|line| line.as_chunks::<BLOCK>().0);
        let blocks = lines[0].iter().zip(lines[1]).zip(lines[2].iter().zip(lines[3]));
        let targets = target[row..].chunks_mut(BLOCK * target_stride);
        for (((a, b), (c, d)), target) in blocks.zip(targets) {
            let block = T::transpose_block([*a, *b, *c, *d]);
            let target = &mut target[..(BLOCK - 1) * target_stride + BLOCK];
            for (c, line) in block.iter().enumerate() {
                target[c * target_stride..][..BLOCK].copy_from_slice(line);
            }
        }
        for column in whole_columns..columns {
            for (r, from) in from.iter().enumerate() {
                target[column * target_stride + row + r] = from[column];
            }
        }
    }
    for row in whole_rows..rows {
        for column in 0..columns {
            target[column * target_stride + row] = source[row * stride + column];
        }
    }
}

dispatched! {
    /// Head norm of `input`, `[heads, dim, lanes]`, times (1 + `weight`), `[heads, dim]`.
    fn norm_lanes(dim: usize, epsilon: f64, input: &[T], weight: &[T], output: &mut [T]) = norm_lanes_body;
}

/// Sum over the units of a head, lane by lane.
#[inline(always)]
fn mean_of<T: Real, const LANES: usize>(
    dim: usize,
    inverse_dim: T,
    mut term: impl FnMut(usize, &mut [T; LANES]),
) -> [T; LANES] {
    let mut sum = [T::ZERO; LANES];
    for unit in 0..dim {
        term(unit, &mut sum);
    }
    for sum in &mut sum {
        *sum *= inverse_dim;
    }
    sum
}

/// Mean and 1 / root of the variance of one head, lane by lane; `x` begins at the first unit's lanes.
#[inline(always)]
fn statistics<T: Real, A: Arithmetic, const LANES: usize>(
    dim: usize,
    epsilon: f64,
    x: &[T],
) -> ([T; LANES], [T; LANES]) {
    let inverse_dim = T::from_f64(1.0 / dim as f64);
    let mean = mean_of::<T, LANES>(dim, inverse_dim, |unit, sum| {
        let x = &x[unit * LANES_OF_BATCH..][..LANES];
        for lane in 0..LANES {
            sum[lane] += x[lane];
        }
    });
    let variance = mean_of::<T, LANES>(dim, inverse_dim, |unit, sum| {
        let x = &x[unit * LANES_OF_BATCH..][..LANES];
        for lane in 0..LANES {
            let centred = x[lane] - mean[lane];
            sum[lane] = centred.multiply_add::<A>(centred, sum[lane]);
        }
    });
    let mut root = [T::ZERO; LANES];
    for lane in 0..LANES {
        root[lane] = T::from_f64(1.0 / (variance[lane].to_f64() + epsilon).sqrt());
    }
    (mean, root)
}

#[inline(always)]
fn norm_lanes_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    dim: usize,
    epsilon: f64,
    input: &[T],
    weight: &[T],
    output: &mut [T],
) {
    for (head, weight) in weight.chunks_exact(dim).enumerate() {
        for part in (0..LANES_OF_BATCH).step_by(LANES) {
            let start = head * dim * LANES_OF_BATCH + part;
            let (mean, root) = statistics::<T, A, LANES>(dim, epsilon, &input[start..]);
            for (unit, w) in weight.iter().enumerate() {
                let x = &input[start + unit * LANES_OF_BATCH..][..LANES];
                let y = &mut output[start + unit * LANES_OF_BATCH..][..LANES];
                let scale = T::ONE + *w;
                for lane in 0..LANES {
                    y[lane] = (x[lane] - mean[lane]) * root[lane] * scale;
                }
            }
        }
    }
}

dispatched! {
    /// Backward pass of [`norm_lanes`]: `gradient` holds dy and gets dx; dw, lane by lane, is added to
    /// `weight_gradient`, `[heads, dim, lanes]`.
    fn norm_lanes_backward(
        dim: usize,
        epsilon: f64,
        input: &[T],
        weight: &[T],
        gradient: &mut [T],
        weight_gradient: &mut [T],
    ) = norm_lanes_backward_body;
}

#[inline(always)]
fn norm_lanes_backward_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    dim: usize,
    epsilon: f64,
    input: &[T],
    weight: &[T],
    gradient: &mut [T],
    weight_gradient: &mut [T],
) {
    for (head, weight) in weight.chunks_exact(dim).enumerate() {
        for part in (0..LANES_OF_BATCH).step_by(LANES) {
            let start = head * dim * LANES_OF_BATCH + part;
            head_backward::<T, A, LANES>(
                epsilon,
                &input[start..],
                weight,
                &mut gradient[start..],
                &mut weight_gradient[start..],
            );
        }
    }
}

#[inline(always)]
fn head_backward<T: Real, A: Arithmetic, const LANES: usize>(
    epsilon: f64,
    input: &[T],
    weight: &[T],
    gradient: &mut [T],
    weight_gradient: &mut [T],
) {
    let dim = weight.len();
    let inverse_dim = T::from_f64(1.0 / dim as f64);
    let (mean, root) = statistics::<T, A, LANES>(dim, epsilon, input);
    let (mut sum, mut product) = ([T::ZERO; LANES], [T::ZERO; LANES]);
    for (unit, w) in weight.iter().enumerate() {
        let own = unit * LANES_OF_BATCH..unit * LANES_OF_BATCH + LANES;
        let (x, g) = (&input[own.clone()], &mut gradient[own.clone()]);
        let dw = &mut weight_gradient[own];
        let scale = T::ONE + *w;
        for lane in 0..LANES {
            let normed = (x[lane] - mean[lane]) * root[lane];
            dw[lane] = g[lane].multiply_add::<A>(normed, dw[lane]);
            g[lane] *= scale;
            sum[lane] += g[lane];
            product[lane] = g[lane].multiply_add::<A>(normed, product[lane]);
        }
    }
    for lane in 0..LANES {
        sum[lane] *= inverse_dim * root[lane];
        product[lane] *= inverse_dim * root[lane] * root[lane];
    }
    for unit in 0..dim {
        let own = unit * LANES_OF_BATCH..unit * LANES_OF_BATCH + LANES;
        let (x, g) = (&input[own.clone()], &mut gradient[own]);
        for lane in 0..LANES {
            let level = g[lane] * root[lane] - sum[lane];
            g[lane] = (mean[lane] - x[lane]).multiply_add::<A>(product[lane], level);
        }
    }
}

/// Writes one sequence's part of `[heads, dim, lanes]`.
pub(super) fn fill_lane<T: Real>(buffer: &mut [T], lane: usize, value: T) {
    for lanes in buffer.chunks_exact_mut(LANES_OF_BATCH) {
        lanes[lane] = value;
    }
}

/// The sum over the lanes, in their order.
pub(super) fn sum_lanes<T: Real>(buffer: &[T], target: &mut [T]) {
    for (target, lanes) in target.iter_mut().zip(buffer.as_chunks::<LANES_OF_BATCH>().0) {
        *target = lanes.iter().fold(T::ZERO, |sum, lane| sum + *lane);
    }
}
