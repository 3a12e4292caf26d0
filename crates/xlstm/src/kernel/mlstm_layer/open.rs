//! The way out of the layer: `out = (normed + skip * a) * silu(z)`, and its gradients; also the soft cap.

use crate::kernel::level::dispatched;
use crate::kernel::math::{Arithmetic, Real};

/// Where the rows of one sequence lie.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    /// I; rows of a, of the normed h, of out and of their gradients are this far apart.
    pub inner: usize,
    /// Distance between rows of z and dz.
    pub stride: usize,
}

dispatched! {
    /// `out`, `[rows, inner]`, from a, the normed h and z (which begins with the first row's z).
    fn open(rows: Rows, skip: &[T], activated: &[T], normed: &[T], gate: &[T], out: &mut [T]) = open_body;
}

#[inline(always)]
fn open_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    rows: Rows,
    skip: &[T],
    activated: &[T],
    normed: &[T],
    gate: &[T],
    out: &mut [T],
) {
    let Rows { inner, stride, .. } = rows;
    let whole = inner / LANES * LANES;
    for (row, out) in out.chunks_exact_mut(inner).enumerate() {
        let a = &activated[row * inner..][..inner];
        let n = &normed[row * inner..][..inner];
        let z = &gate[row * stride..][..inner];
        for at in (0..whole).step_by(LANES) {
            open_lanes::<T, A, LANES>(at, skip, a, n, z, out);
        }
        for at in whole..inner {
            open_lanes::<T, A, 1>(at, skip, a, n, z, out);
        }
    }
}

#[inline(always)]
fn open_lanes<T: Real, A: Arithmetic, const N: usize>(
    at: usize,
    skip: &[T],
    a: &[T],
    n: &[T],
    z: &[T],
    out: &mut [T],
) {
    let (skip, a, n, z) = (&skip[at..at + N], &a[at..at + N], &n[at..at + N], &z[at..at + N]);
    let out = &mut out[at..at + N];
    for lane in 0..N {
        let sum = skip[lane].multiply_add::<A>(a[lane], n[lane]);
        out[lane] = sum * (z[lane] * z[lane].sigmoid::<A>());
    }
}

/// What the gradient of [`open`] reads; rows as there.
#[derive(Clone, Copy)]
pub(super) struct Opened<'a, T> {
    /// `[inner]`.
    pub skip: &'a [T],
    /// a.
    pub activated: &'a [T],
    /// The normed h.
    pub normed: &'a [T],
    /// z.
    pub gate: &'a [T],
    /// dout, `[rows, inner]`.
    pub gradient: &'a [T],
}

/// What it writes.
pub(super) struct OpenGradients<'a, T> {
    /// (du, dz), rows `stride` apart; du becomes zero.
    pub projected: &'a mut [T],
    /// The gradient of the normed h, `[rows, inner]`.
    pub normed: &'a mut [T],
    /// da through the skip, `[rows, inner]`.
    pub activated: &'a mut [T],
    /// `[inner]`, added to.
    pub skip: &'a mut [T],
}

dispatched! {
    /// With s = normed + skip a: `dz = dout s silu'(z)`, `ds = dout silu(z)`, `da = ds skip`, `dskip += ds a`.
    fn open_backward(rows: Rows, forward: Opened<'_, T>, out: &mut OpenGradients<'_, T>) = open_backward_body;
}

#[inline(always)]
fn open_backward_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    rows: Rows,
    forward: Opened<'_, T>,
    out: &mut OpenGradients<'_, T>,
) {
    let Rows { inner, stride } = rows;
    let whole = inner / LANES * LANES;
    for (row, gradient) in forward.gradient.chunks_exact(inner).enumerate() {
        let own = row * inner..(row + 1) * inner;
        let (du, dz) = out.projected[row * stride..(row + 1) * stride].split_at_mut(inner);
        du.fill(T::ZERO);
        let mut row = OpenRow {
            skip: &forward.skip[..inner],
            a: &forward.activated[own.clone()],
            n: &forward.normed[own.clone()],
            z: &forward.gate[row * stride..][..inner],
            g: gradient,
            dz: &mut dz[..inner],
            dn: &mut out.normed[own.clone()],
            da: &mut out.activated[own],
            dskip: &mut out.skip[..inner],
        };
        for at in (0..whole).step_by(LANES) {
            open_backward_lanes::<T, A, LANES>(at, &mut row);
        }
        for at in whole..inner {
            open_backward_lanes::<T, A, 1>(at, &mut row);
        }
    }
}

/// Slices of one row, all `inner` long.
struct OpenRow<'a, T> {
    skip: &'a [T],
    a: &'a [T],
    n: &'a [T],
    z: &'a [T],
    g: &'a [T],
    dz: &'a mut [T],
    dn: &'a mut [T],
    da: &'a mut [T],
    dskip: &'a mut [T],
}

#[inline(always)]
fn open_backward_lanes<T: Real, A: Arithmetic, const N: usize>(at: usize, row: &mut OpenRow<'_, T>) {
    let (skip, a, n) = (&row.skip[at..at + N], &row.a[at..at + N], &row.n[at..at + N]);
    let (z, g, dskip) = (&row.z[at..at + N], &row.g[at..at + N], &mut row.dskip[at..at + N]);
    let (dz, dn, da) = (&mut row.dz[at..at + N], &mut row.dn[at..at + N], &mut row.da[at..at + N]);
    for lane in 0..N {
        let open = z[lane].sigmoid::<A>();
        let silu = z[lane] * open;
        let sum = skip[lane].multiply_add::<A>(a[lane], n[lane]);
        let slope = silu.multiply_add::<A>(T::ONE - open, open);
        dz[lane] = g[lane] * sum * slope;
        let ds = g[lane] * silu;
        dn[lane] = ds;
        da[lane] = ds * skip[lane];
        dskip[lane] = ds.multiply_add::<A>(a[lane], dskip[lane]);
    }
}

dispatched! {
    /// `x <- cap tanh(x / cap)`.
    fn soft_cap(cap: T, values: &mut [T]) = soft_cap_body;
}

#[inline(always)]
fn soft_cap_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    cap: T,
    values: &mut [T],
) {
    let inverse = T::ONE / cap;
    let (blocks, rest) = values.as_chunks_mut::<LANES>();
    for block in blocks {
        for value in block {
            *value = (*value * inverse).tanh::<A>() * cap;
        }
    }
    for value in rest {
        *value = (*value * inverse).tanh::<A>() * cap;
    }
}
