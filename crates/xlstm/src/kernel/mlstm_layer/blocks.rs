//! Block-diagonal projections, with the channels in vectors.
//!
//! A matrix of blocks `[I / S, S (out), S (in)]` is kept as S rows of I coefficients, so that with s = c mod S
//! `y[c] = sum over j of w_j[c] x[c - s + j]`: a product of a row with x, shuffled within groups of S. For S = 4 that
//! shuffle is one instruction; other S go through plain loops.

use crate::kernel::Wanted;
use crate::kernel::level::dispatched;
use crate::kernel::math::{Arithmetic, Real};
use crate::kernel::product::SHORT;

/// The block size that the vector loops are made for.
const USUAL: usize = 4;

/// One head's rows.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Rows (steps).
    pub rows: usize,
    /// D: channels of the head.
    pub dim: usize,
    /// First channel of the head.
    pub first: usize,
    /// S.
    pub block: usize,
    /// I.
    pub inner: usize,
    /// Distance between rows of the source x and, in the backward pass, of its gradient.
    pub stride: usize,
}

impl Place {
    /// Whether the vector loops apply: then no block lies in two heads.
    #[inline(always)]
    fn is_vectors(&self) -> bool {
        self.block == USUAL && self.dim.is_multiple_of(USUAL)
    }
}

dispatched! {
    /// `out_m[t, :] = W_m x[t, :]` for one or two matrices (packed, `[S, I]`); `source` holds all channels, the
    /// outputs `[rows, dim]` those of the head.
    fn project(place: Place, weights: &[&[T]], source: &[T], outputs: &mut [&mut [T]]) = project_body;
}

#[inline(always)]
fn project_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    place: Place,
    weights: &[&[T]],
    source: &[T],
    outputs: &mut [&mut [T]],
) {
    match (weights, outputs) {
        ([w], [out]) => project_matrices::<T, A, LANES, 1>(place, [w], source, [out]),
        ([v, w], [first, second]) => {
            project_matrices::<T, A, LANES, 2>(place, [v, w], source, [first, second]);
        }
        _ => {}
    }
}

#[inline(always)]
fn project_matrices<T: Real, A: Arithmetic, const LANES: usize, const M: usize>(
    place: Place,
    weights: [&[T]; M],
    source: &[T],
    mut outputs: [&mut [T]; M],
) {
    if !place.is_vectors() {
        project_plain::<T, A, M>(place, weights, source, &mut outputs);
        return;
    }
    let mut channel = 0;
    while channel + LANES <= place.dim {
        project_lanes::<T, A, LANES, M>(place, channel, weights, source, &mut outputs);
        channel += LANES;
    }
    while LANES > SHORT && channel + SHORT <= place.dim {
        project_lanes::<T, A, SHORT, M>(place, channel, weights, source, &mut outputs);
        channel += SHORT;
    }
    while channel < place.dim {
        project_lanes::<T, A, USUAL, M>(place, channel, weights, source, &mut outputs);
        channel += USUAL;
    }
}

/// Reads a vector.
#[inline(always)]
fn load<T: Real, const N: usize>(from: &[T], at: usize) -> [T; N] {
    let mut vector = [T::ZERO; N];
    vector.copy_from_slice(&from[at..at + N]);
    vector
}

/// Every lane gets the lane number `INDEX` of its group of four. A constant index, for a loop over it would go
/// through memory.
#[inline(always)]
fn spread<T: Real, const N: usize, const INDEX: usize>(vector: &[T; N]) -> [T; N] {
    let mut spread = [T::ZERO; N];
    for lane in 0..N {
        spread[lane] = vector[lane / USUAL * USUAL + INDEX];
    }
    spread
}

/// `sum += a b`, lane by lane.
#[inline(always)]
fn add<T: Real, A: Arithmetic, const N: usize>(a: &[T; N], b: &[T; N], sum: &mut [T; N]) {
    for lane in 0..N {
        sum[lane] = a[lane].multiply_add::<A>(b[lane], sum[lane]);
    }
}

/// The coefficient rows of some matrices for one vector of channels.
#[inline(always)]
fn coefficients<T: Real, const N: usize, const M: usize>(
    weights: [&[T]; M],
    inner: usize,
    channel: usize,
) -> [[[T; N]; USUAL]; M] {
    std::array::from_fn(|m| std::array::from_fn(|j| load(weights[m], j * inner + channel)))
}

#[inline(always)]
fn project_lanes<T: Real, A: Arithmetic, const N: usize, const M: usize>(
    place: Place,
    channel: usize,
    weights: [&[T]; M],
    source: &[T],
    outputs: &mut [&mut [T]; M],
) {
    let Place { rows, dim, first, inner, stride, .. } = place;
    let w = coefficients::<T, N, M>(weights, inner, first + channel);
    for row in 0..rows {
        let x = load::<T, N>(source, row * stride + first + channel);
        let mut sums = [[T::ZERO; N]; M];
        let spread =
            [spread::<T, N, 0>(&x), spread::<T, N, 1>(&x), spread::<T, N, 2>(&x), spread::<T, N, 3>(&x)];
        for m in 0..M {
            add::<T, A, N>(&spread[0], &w[m][0], &mut sums[m]);
            add::<T, A, N>(&spread[1], &w[m][1], &mut sums[m]);
            add::<T, A, N>(&spread[2], &w[m][2], &mut sums[m]);
            add::<T, A, N>(&spread[3], &w[m][3], &mut sums[m]);
        }
        for m in 0..M {
            outputs[m][row * dim + channel..][..N].copy_from_slice(&sums[m]);
        }
    }
}

#[inline(always)]
fn project_plain<T: Real, A: Arithmetic, const M: usize>(
    place: Place,
    weights: [&[T]; M],
    source: &[T],
    outputs: &mut [&mut [T]; M],
) {
    let Place { rows, dim, first, block, inner, stride, .. } = place;
    for row in 0..rows {
        for offset in 0..dim {
            let channel = first + offset;
            let group = row * stride + channel / block * block;
            for m in 0..M {
                let mut sum = T::ZERO;
                for j in 0..block {
                    sum = source[group + j].multiply_add::<A>(weights[m][j * inner + channel], sum);
                }
                outputs[m][row * dim + offset] = sum;
            }
        }
    }
}

/// What the backward pass of one or two matrices reads.
#[derive(Clone, Copy)]
pub(super) struct Upstream<'a, T> {
    /// The matrices transposed within their blocks, packed.
    pub transposed: &'a [&'a [T]],
    /// x, all channels.
    pub source: &'a [T],
}

dispatched! {
    /// `dx[t, :] += sum over m of W_m^T dy_m[t, :]` for the head's channels (and, where a block lies in two heads,
    /// for the others of that block), and, where it is wanted, `dW_m += sum over t of dy_m[t, :] x[t, :]^T` (packed,
    /// `[S, I]`). `gradients` are dy_m, `[rows, dim]`.
    fn project_backward(
        place: Place,
        upstream: Upstream<'_, T>,
        gradients: &[&[T]],
        source_gradient: &mut [T],
        weight_gradients: &mut [&mut [T]],
        wanted: Wanted,
    ) = project_backward_body;
}

#[inline(always)]
fn project_backward_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    place: Place,
    upstream: Upstream<'_, T>,
    gradients: &[&[T]],
    source_gradient: &mut [T],
    weight_gradients: &mut [&mut [T]],
    wanted: Wanted,
) {
    let dx = source_gradient;
    match (gradients, weight_gradients, wanted) {
        ([dy], [dw], Wanted::All) => {
            backward_matrices::<T, A, LANES, 1, true>(place, upstream, [dy], dx, [dw]);
        }
        ([dy], [dw], Wanted::Input) => {
            backward_matrices::<T, A, LANES, 1, false>(place, upstream, [dy], dx, [dw]);
        }
        ([dy, dz], [dv, dw], Wanted::All) => {
            backward_matrices::<T, A, LANES, 2, true>(place, upstream, [dy, dz], dx, [dv, dw]);
        }
        ([dy, dz], [dv, dw], Wanted::Input) => {
            backward_matrices::<T, A, LANES, 2, false>(place, upstream, [dy, dz], dx, [dv, dw]);
        }
        _ => {}
    }
}

#[inline(always)]
fn backward_matrices<T: Real, A: Arithmetic, const LANES: usize, const M: usize, const WEIGHTS: bool>(
    place: Place,
    upstream: Upstream<'_, T>,
    gradients: [&[T]; M],
    dx: &mut [T],
    mut dw: [&mut [T]; M],
) {
    let mut transposed = [upstream.source; M];
    transposed.copy_from_slice(&upstream.transposed[..M]);
    if !place.is_vectors() {
        backward_plain::<T, A, M>(place, upstream, transposed, gradients, dx, &mut dw);
        return;
    }
    let mut channel = 0;
    while channel + LANES <= place.dim {
        backward_lanes::<T, A, LANES, M, WEIGHTS>(
            place, channel, upstream, transposed, gradients, dx, &mut dw,
        );
        channel += LANES;
    }
    while LANES > SHORT && channel + SHORT <= place.dim {
        backward_lanes::<T, A, SHORT, M, WEIGHTS>(
            place, channel, upstream, transposed, gradients, dx, &mut dw,
        );
        channel += SHORT;
    }
    while channel < place.dim {
        backward_lanes::<T, A, USUAL, M, WEIGHTS>(
            place, channel, upstream, transposed, gradients, dx, &mut dw,
        );
        channel += USUAL;
    }
}

#[inline(always)]
fn backward_lanes<T: Real, A: Arithmetic, const N: usize, const M: usize, const WEIGHTS: bool>(
    place: Place,
    channel: usize,
    upstream: Upstream<'_, T>,
    transposed: [&[T]; M],
    gradients: [&[T]; M],
    dx: &mut [T],
    dw: &mut [&mut [T]; M],
) {
    let Place { rows, dim, first, inner, stride, .. } = place;
    let at = first + channel;
    let w = coefficients::<T, N, M>(transposed, inner, at);
    let mut sums = [[[T::ZERO; N]; USUAL]; M];
    for row in 0..rows {
        let x = load::<T, N>(upstream.source, row * stride + at);
        let mut total = load::<T, N>(dx, row * stride + at);
        let dy: [[T; N]; M] = std::array::from_fn(|m| load(gradients[m], row * dim + channel));
        let x = [spread::<T, N, 0>(&x), spread::<T, N, 1>(&x), spread::<T, N, 2>(&x), spread::<T, N, 3>(&x)];
        for m in 0..M {
            let dy = &dy[m];
            add::<T, A, N>(&spread::<T, N, 0>(dy), &w[m][0], &mut total);
            add::<T, A, N>(&spread::<T, N, 1>(dy), &w[m][1], &mut total);
            add::<T, A, N>(&spread::<T, N, 2>(dy), &w[m][2], &mut total);
            add::<T, A, N>(&spread::<T, N, 3>(dy), &w[m][3], &mut total);
            if WEIGHTS {
                add::<T, A, N>(dy, &x[0], &mut sums[m][0]);
                add::<T, A, N>(dy, &x[1], &mut sums[m][1]);
                add::<T, A, N>(dy, &x[2], &mut sums[m][2]);
                add::<T, A, N>(dy, &x[3], &mut sums[m][3]);
            }
        }
        dx[row * stride + at..][..N].copy_from_slice(&total);
    }
    for m in 0..M {
        for j in 0..USUAL {
            let target = &mut dw[m][j * inner + at..][..N];
            for lane in 0..N {
                target[lane] += sums[m][j][lane];
            }
        }
    }
}

#[inline(always)]
fn backward_plain<T: Real, A: Arithmetic, const M: usize>(
    place: Place,
    upstream: Upstream<'_, T>,
    transposed: [&[T]; M],
    gradients: [&[T]; M],
    dx: &mut [T],
    dw: &mut [&mut [T]; M],
) {
    let Place { rows, dim, first, block, inner, stride, .. } = place;
    for row in 0..rows {
        for offset in 0..dim {
            let channel = first + offset;
            let start = channel / block * block;
            for m in 0..M {
                let dy = gradients[m][row * dim + offset];
                for j in 0..block {
                    let input = start + j;
                    let x = upstream.source[row * stride + input];
                    let w = transposed[m][(channel - start) * inner + input];
                    let to = &mut dx[row * stride + input];
                    *to = dy.multiply_add::<A>(w, *to);
                    let to = &mut dw[m][j * inner + channel];
                    *to = dy.multiply_add::<A>(x, *to);
                }
            }
        }
    }
}
