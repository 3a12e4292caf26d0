//! Matrix products for buffers with the batch innermost. Outputs stay in registers while the depth runs.

use super::LANES_OF_BATCH;
use crate::kernel::level::dispatched;
use crate::kernel::math::{Arithmetic, Real};

/// One term of a product: `sum over k of weights[k, row] * right[k, lane]`.
#[derive(Clone, Copy)]
pub(super) struct Term<'a, T> {
    /// `[depth, rows]`, rows of the matrix `stride` apart.
    pub weights: &'a [T],
    /// Distance between depths.
    pub stride: usize,
    /// `[depth, lanes]`; as many depths as it holds.
    pub right: &'a [T],
}

dispatched! {
    /// `out[row, lane] = start[row] + first + second`, for `rows` rows; an empty `start` is zero, and a second term
    /// may have no depth.
    fn product_of_lanes(rows: usize, start: &[T], first: Term<'_, T>, second: Term<'_, T>, out: &mut [T])
        = product_of_lanes_body;
}

#[inline(always)]
fn product_of_lanes_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    rows: usize,
    start: &[T],
    first: Term<'_, T>,
    second: Term<'_, T>,
    out: &mut [T],
) {
    let out = out[..rows * LANES_OF_BATCH].as_chunks_mut::<LANES>().0;
    for part in 0..LANES_OF_BATCH / LANES {
        let mut row = 0;
        // 24 sums and one vector fit the 32 registers of AVX-512, 8 the 16 of AVX2.
        while LANES == 16 && row + 24 <= rows {
            tile::<T, A, 3, 8, LANES>(row, part, start, first, second, out);
            row += 24;
        }
        while row + 8 <= rows {
            tile::<T, A, 1, 8, LANES>(row, part, start, first, second, out);
            row += 8;
        }
        while row + 2 <= rows {
            tile::<T, A, 1, 2, LANES>(row, part, start, first, second, out);
            row += 2;
        }
        if row < rows {
            tile::<T, A, 1, 1, LANES>(row, part, start, first, second, out);
        }
    }
}

/// `GROUPS * ROWS` rows; two short loops, because the compiler unrolls no long one.
#[inline(always)]
fn tile<T: Real, A: Arithmetic, const GROUPS: usize, const ROWS: usize, const LANES: usize>(
    row: usize,
    part: usize,
    start: &[T],
    first: Term<'_, T>,
    second: Term<'_, T>,
    out: &mut [[T; LANES]],
) {
    let parts = LANES_OF_BATCH / LANES;
    let mut sums = [[[T::ZERO; LANES]; ROWS]; GROUPS];
    if !start.is_empty() {
        let start = start[row..row + GROUPS * ROWS].as_chunks::<ROWS>().0;
        for (sums, start) in sums.iter_mut().zip(start) {
            for r in 0..ROWS {
                sums[r] = [start[r]; LANES];
            }
        }
    }
    for term in [first, second] {
        let right = term.right.as_chunks::<LANES>().0;
        let depths = right.len() / parts;
        for depth in 0..depths {
            let vector = right[depth * parts + part];
            let weights = term.weights[depth * term.stride + row..][..GROUPS * ROWS].as_chunks::<ROWS>().0;
            for g in 0..GROUPS {
                for r in 0..ROWS {
                    let weight = weights[g][r];
                    for lane in 0..LANES {
                        sums[g][r][lane] = vector[lane].multiply_add::<A>(weight, sums[g][r][lane]);
                    }
                }
            }
        }
    }
    for (g, sums) in sums.iter().enumerate() {
        for (r, sum) in sums.iter().enumerate() {
            out[(row + g * ROWS + r) * parts + part] = *sum;
        }
    }
}

/// The left operand of [`add_outer`]: element (sequence, step, unit).
#[derive(Clone, Copy)]
pub(super) struct Rows<'a, T> {
    /// Begins at sequence 0, first step, first unit.
    pub data: &'a [T],
    /// Distance between sequences.
    pub sequence: usize,
    /// Distance between steps.
    pub step: usize,
}

/// Sizes of [`add_outer`].
#[derive(Clone, Copy)]
pub(super) struct Outer {
    pub sequences: usize,
    pub steps: usize,
    /// Rows of the output.
    pub units: usize,
    /// Columns of the output: whole vectors of the widest level.
    pub columns: usize,
    /// Distances between sequences and between steps of the right operand.
    pub right_sequence: usize,
    pub right_step: usize,
}

dispatched! {
    /// `out[unit, column] += sum over sequences and steps of left[., ., unit] * right[., ., column]`.
    fn add_outer(outer: Outer, left: Rows<'_, T>, right: &[T], out: &mut [T]) = add_outer_body;
}

#[inline(always)]
fn add_outer_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    outer: Outer,
    left: Rows<'_, T>,
    right: &[T],
    out: &mut [T],
) {
    let vectors = outer.columns / LANES;
    let mut vector = 0;
    while vector < vectors {
        let column = vector * LANES;
        vector += match vectors - vector {
            1 => {
                // Of eight rows of one vector the compiler makes gathers.
                panel::<T, A, 2, 1, LANES>(outer, column, left, right, out);
                1
            }
            rest if LANES == 16 && rest != 2 && rest != 4 => {
                panel::<T, A, TILE_ROWS, 3, LANES>(outer, column, left, right, out);
                3
            }
            _ => {
                panel::<T, A, TILE_ROWS, 2, LANES>(outer, column, left, right, out);
                2
            }
        };
    }
}

#[inline(always)]
fn panel<T: Real, A: Arithmetic, const TILE_ROWS: usize, const VECTORS: usize, const LANES: usize>(
    outer: Outer,
    column: usize,
    left: Rows<'_, T>,
    right: &[T],
    out: &mut [T],
) {
    let mut unit = 0;
    while unit + TILE_ROWS <= outer.units {
        outer_tile::<T, A, TILE_ROWS, VECTORS, LANES>(outer, (unit, column), left, right, out);
        unit += TILE_ROWS;
    }
    while unit + 2 <= outer.units {
        outer_tile::<T, A, 2, VECTORS, LANES>(outer, (unit, column), left, right, out);
        unit += 2;
    }
    if unit < outer.units {
        outer_tile::<T, A, 1, VECTORS, LANES>(outer, (unit, column), left, right, out);
    }
}

#[inline(always)]
fn outer_tile<T: Real, A: Arithmetic, const ROWS: usize, const VECTORS: usize, const LANES: usize>(
    outer: Outer,
    (unit, column): (usize, usize),
    left: Rows<'_, T>,
    right: &[T],
    out: &mut [T],
) {
    let mut sums = [[[T::ZERO; LANES]; VECTORS]; ROWS];
    for sequence in 0..outer.sequences {
        let (mut from, mut to) = (sequence * left.sequence + unit, sequence * outer.right_sequence + column);
        for _ in 0..outer.steps {
            let factors = &left.data[from..][..ROWS];
            let mut vectors = [[T::ZERO; LANES]; VECTORS];
            for (v, vector) in vectors.iter_mut().enumerate() {
                vector.copy_from_slice(&right[to + v * LANES..][..LANES]);
            }
            for (r, row_sums) in sums.iter_mut().enumerate() {
                let factor = factors[r];
                for (sum, vector) in row_sums.iter_mut().zip(&vectors) {
                    for lane in 0..LANES {
                        sum[lane] = vector[lane].multiply_add::<A>(factor, sum[lane]);
                    }
                }
            }
            from += left.step;
            to += outer.right_step;
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        let target = &mut out[(unit + r) * outer.columns + column..][..VECTORS * LANES];
        for (target, sum) in target.as_chunks_mut::<LANES>().0.iter_mut().zip(sums) {
            for lane in 0..LANES {
                target[lane] += sum[lane];
            }
        }
    }
}
