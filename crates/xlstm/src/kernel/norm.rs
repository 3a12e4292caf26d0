//! Normalisation over groups of channels, forward and backward.
//!
//! Every row of `groups * dim` channels is normed group by group, with biased variance:
//!
//! ```text
//! r = 1 / sqrt(mean((x - mean(x))²) + eps)     h = (x - mean(x)) r     y = h (1 + w[channel])
//! g = dy (1 + w)     dx = r (g - mean(g) - h mean(g h))     dw += dy h
//! ```
//!
//! One group is a layer norm without bias, one group per head the head norm. Sums run in [`SHORT`] lanes and then
//! over the rest, so they are the same for every vector width; head sizes are small and mostly multiples of
//! [`SHORT`], where longer vectors would leave half of a group to scalars.

use crate::kernel::level::dispatched;
use crate::kernel::math::{Arithmetic, Real};
use crate::kernel::product::SHORT;

/// Sizes of a call and where its rows lie.
#[derive(Clone, Copy)]
pub(crate) struct NormShape {
    /// Rows.
    pub rows: usize,
    /// Groups per row.
    pub groups: usize,
    /// Channels per group; a row's groups lie side by side.
    pub dim: usize,
    /// Distance between rows of x and dx.
    pub input_stride: usize,
    /// Distance between rows of y and dy.
    pub output_stride: usize,
    /// The small number under the root.
    pub epsilon: f64,
}

impl NormShape {
    /// Elements of the statistics, `[rows, groups, 2]`.
    pub(crate) fn statistics_len(&self) -> usize {
        self.rows * self.groups * 2
    }
}

/// The sum of `SHORT` lanes, as a tree, and then of the rest.
#[inline(always)]
fn total<T: Real>(lanes: [T; SHORT], rest: T) -> T {
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h)) + rest
}

/// Mean and 1 / root of the variance of one group.
#[inline(always)]
fn statistics_of<T: Real, A: Arithmetic>(group: &[T], inverse_dim: T, epsilon: f64) -> (T, T) {
    let (blocks, rest) = group.as_chunks::<SHORT>();
    let mut lanes = [T::ZERO; SHORT];
    let mut tail = T::ZERO;
    for block in blocks {
        for lane in 0..SHORT {
            lanes[lane] += block[lane];
        }
    }
    for x in rest {
        tail += *x;
    }
    let mean = total(lanes, tail) * inverse_dim;
    let mut lanes = [T::ZERO; SHORT];
    let mut tail = T::ZERO;
    for block in blocks {
        for lane in 0..SHORT {
            let centred = block[lane] - mean;
            lanes[lane] = centred.multiply_add::<A>(centred, lanes[lane]);
        }
    }
    for x in rest {
        tail += (*x - mean) * (*x - mean);
    }
    let variance = total(lanes, tail) * inverse_dim;
    (mean, T::from_f64(1.0 / (variance.to_f64() + epsilon).sqrt()))
}

dispatched! {
    /// y of every row. `statistics`, `[rows, groups, 2]`, gets mean and r of every group; an empty slice: nowhere.
    fn normalise(shape: NormShape, input: &[T], weight: &[T], output: &mut [T], statistics: &mut [T]) = normalise_body;
}

#[inline(always)]
fn normalise_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    shape: NormShape,
    input: &[T],
    weight: &[T],
    output: &mut [T],
    statistics: &mut [T],
) {
    let NormShape { rows, groups, dim, input_stride, output_stride, epsilon } = shape;
    let inverse_dim = T::from_f64(1.0 / dim as f64);
    for row in 0..rows {
        for group in 0..groups {
            let x = &input[row * input_stride + group * dim..][..dim];
            let y = &mut output[row * output_stride + group * dim..][..dim];
            let w = &weight[group * dim..][..dim];
            let (mean, root) = statistics_of::<T, A>(x, inverse_dim, epsilon);
            if !statistics.is_empty() {
                let at = (row * groups + group) * 2;
                statistics[at] = mean;
                statistics[at + 1] = root;
            }
            apply::<T, SHORT>((mean, root), x, w, y);
        }
    }
}

/// `(x - mean) r (1 + w)` of one group.
#[inline(always)]
fn apply<T: Real, const N: usize>((mean, root): (T, T), x: &[T], w: &[T], y: &mut [T]) {
    let (ys, y_rest) = y.as_chunks_mut::<N>();
    let whole = ys.len() * N;
    let blocks = ys.iter_mut().zip(x.as_chunks::<N>().0).zip(w.as_chunks::<N>().0);
    for ((y, x), w) in blocks {
        for lane in 0..N {
            y[lane] = (x[lane] - mean) * root * (T::ONE + w[lane]);
        }
    }
    for ((y, x), w) in y_rest.iter_mut().zip(&x[whole..]).zip(&w[whole..]) {
        *y = (*x - mean) * root * (T::ONE + *w);
    }
}

dispatched! {
    /// y of every row once more, from the statistics that [`normalise`] stored.
    fn normalise_again(shape: NormShape, forward: Normed<'_, T>, output: &mut [T]) = normalise_again_body;
}

#[expect(clippy::extra_unused_type_parameters, reason = "the dispatcher names all parameters")]
#[inline(always)]
fn normalise_again_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    shape: NormShape,
    forward: Normed<'_, T>,
    output: &mut [T],
) {
    let NormShape { rows, groups, dim, input_stride, output_stride, .. } = shape;
    for row in 0..rows {
        for group in 0..groups {
            let x = &forward.input[row * input_stride + group * dim..][..dim];
            let y = &mut output[row * output_stride + group * dim..][..dim];
            let at = (row * groups + group) * 2;
            let statistics = (forward.statistics[at], forward.statistics[at + 1]);
            apply::<T, SHORT>(statistics, x, &forward.weight[group * dim..][..dim], y);
        }
    }
}

/// What the backward pass reads, as the forward call had it.
#[derive(Clone, Copy)]
pub(crate) struct Normed<'a, T> {
    /// x.
    pub input: &'a [T],
    /// w.
    pub weight: &'a [T],
    /// What the forward call stored.
    pub statistics: &'a [T],
}

dispatched! {
    /// From `output_gradient` (dy) writes `input_gradient` (dx) and adds to `weight_gradient` (dw).
    fn normalise_backward(
        shape: NormShape,
        forward: Normed<'_, T>,
        output_gradient: &[T],
        input_gradient: &mut [T],
        weight_gradient: &mut [T],
    ) = normalise_backward_body;
}

#[inline(always)]
fn normalise_backward_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    shape: NormShape,
    forward: Normed<'_, T>,
    output_gradient: &[T],
    input_gradient: &mut [T],
    weight_gradient: &mut [T],
) {
    let NormShape { rows, groups, dim, input_stride, output_stride, .. } = shape;
    let inverse_dim = T::from_f64(1.0 / dim as f64);
    for row in 0..rows {
        for group in 0..groups {
            let (from, at) = (row * input_stride + group * dim, (row * groups + group) * 2);
            let own = group * dim..(group + 1) * dim;
            group_backward::<T, A>(
                inverse_dim,
                (forward.statistics[at], forward.statistics[at + 1]),
                (&forward.input[from..from + dim], &forward.weight[own.clone()]),
                &output_gradient[row * output_stride + group * dim..][..dim],
                &mut input_gradient[from..from + dim],
                &mut weight_gradient[own],
            );
        }
    }
}

#[inline(always)]
fn group_backward<T: Real, A: Arithmetic>(
    inverse_dim: T,
    (mean, root): (T, T),
    (x, w): (&[T], &[T]),
    dy: &[T],
    dx: &mut [T],
    dw: &mut [T],
) {
    let ((xs, x_rest), (ws, w_rest)) = (x.as_chunks::<SHORT>(), w.as_chunks::<SHORT>());
    let ((dys, dy_rest), (dxs, dx_rest)) = (dy.as_chunks::<SHORT>(), dx.as_chunks_mut::<SHORT>());
    let (dws, dw_rest) = dw.as_chunks_mut::<SHORT>();
    let (mut sums, mut products) = ([T::ZERO; SHORT], [T::ZERO; SHORT]);
    for ((((x, w), dy), dx), dw) in xs.iter().zip(ws).zip(dys).zip(dxs.iter_mut()).zip(dws) {
        for lane in 0..SHORT {
            let normed = (x[lane] - mean) * root;
            let gradient = dy[lane] * (T::ONE + w[lane]);
            sums[lane] += gradient;
            products[lane] = gradient.multiply_add::<A>(normed, products[lane]);
            dw[lane] = dy[lane].multiply_add::<A>(normed, dw[lane]);
            dx[lane] = gradient;
        }
    }
    let (mut sum, mut product) = (T::ZERO, T::ZERO);
    for ((((x, w), dy), dx), dw) in
        x_rest.iter().zip(w_rest).zip(dy_rest).zip(dx_rest.iter_mut()).zip(dw_rest)
    {
        let normed = (*x - mean) * root;
        let gradient = *dy * (T::ONE + *w);
        sum += gradient;
        product += gradient * normed;
        *dw += *dy * normed;
        *dx = gradient;
    }
    let offset = total(sums, sum) * inverse_dim * root;
    let factor = total(products, product) * inverse_dim * root * root;
    for (x, dx) in xs.iter().zip(dxs) {
        for lane in 0..SHORT {
            let level = dx[lane] * root - offset;
            dx[lane] = (mean - x[lane]).multiply_add::<A>(factor, level);
        }
    }
    for (x, dx) in x_rest.iter().zip(dx_rest) {
        *dx = *dx * root - offset + (mean - *x) * factor;
    }
}

#[cfg(test)]
mod tests;
