//! Small matrix products, held in registers: the work-horse of both cells.
//!
//! `out[m, n] (+)= sum over k of left[m, k] * right[k, n]`, with `left` read one number at a time through two
//! strides (so a transposed operand costs nothing) and `right` and `out` read and written in whole vectors.
//! Each output element is summed over k in ascending order by one accumulator, whatever the tile that it
//! falls in: cutting the rows or the columns differently does not change a bit.

use crate::kernel::level::dispatched;
use crate::kernel::math::{Arithmetic, Real};

/// Row lengths of all scratch matrices are multiples of this number of elements: the widest vector's lanes.
pub(crate) const PAD: usize = 16;

/// `length` rounded up to a multiple of [`PAD`].
pub(crate) const fn padded(length: usize) -> usize {
    length.div_ceil(PAD) * PAD
}

/// The left operand: element (row, depth) lies at `row * row_stride + depth * depth_stride`.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a, T> {
    pub data: &'a [T],
    pub row_stride: usize,
    pub depth_stride: usize,
}

/// The right operand: row-major `[depth, columns]`, rows `stride` elements apart.
#[derive(Clone, Copy)]
pub(crate) struct Right<'a, T> {
    pub data: &'a [T],
    pub stride: usize,
}

/// Sizes of one product. `columns` must be a multiple of [`PAD`].
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    pub rows: usize,
    pub depth: usize,
    pub columns: usize,
}

/// Whether a product replaces what the output holds or adds to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Into {
    Replace,
    Add,
}

dispatched! {
    /// The product of the module's head, written to `out` (row-major, rows `out_stride` apart).
    fn product(
        extent: Extent,
        left: Left<'_, T>,
        right: Right<'_, T>,
        into: Into,
        out: &mut [T],
        out_stride: usize,
    ) = product_body;
}

#[inline(always)]
fn product_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    extent: Extent,
    left: Left<'_, T>,
    right: Right<'_, T>,
    into: Into,
    out: &mut [T],
    out_stride: usize,
) {
    let Extent { rows, depth, columns } = extent;
    if rows == 0 || columns == 0 {
        return;
    }
    debug_assert_eq!(columns % PAD, 0);
    // Operands that are too short fail here, not half way through.
    let columns = columns / LANES * LANES;
    let out = &mut out[..(rows - 1) * out_stride + columns];
    let (left_data, right_data) = if depth == 0 {
        (&left.data[..0], &right.data[..0])
    } else {
        (
            &left.data[..(rows - 1) * left.row_stride + (depth - 1) * left.depth_stride + 1],
            &right.data[..(depth - 1) * right.stride + columns],
        )
    };
    let left = Left { data: left_data, ..left };
    let right = Right { data: right_data, ..right };
    let mut column = 0;
    while column < columns {
        // Three vectors per row fit the 32 registers of AVX-512; with 16 registers they would spill.
        let vectors = match (columns - column) / LANES {
            1 => 1,
            2 | 4 => 2,
            _ => {
                if LANES == 16 {
                    3
                } else {
                    2
                }
            }
        };
        let panel = Panel { rows, depth, column, into, out_stride };
        match vectors {
            1 => panel_rows::<T, A, TILE_ROWS, 1, LANES>(panel, left, right, out),
            2 => panel_rows::<T, A, TILE_ROWS, 2, LANES>(panel, left, right, out),
            _ if LANES == 16 => panel_rows::<T, A, TILE_ROWS, 3, LANES>(panel, left, right, out),
            _ => {}
        }
        column += vectors * LANES;
    }
}

/// One vertical panel of the output: all rows, a few vectors wide, starting at `column`.
#[derive(Clone, Copy)]
struct Panel {
    rows: usize,
    depth: usize,
    column: usize,
    into: Into,
    out_stride: usize,
}

#[inline(always)]
fn panel_rows<T: Real, A: Arithmetic, const TILE_ROWS: usize, const VECTORS: usize, const LANES: usize>(
    panel: Panel,
    left: Left<'_, T>,
    right: Right<'_, T>,
    out: &mut [T],
) {
    let mut row = 0;
    while row + TILE_ROWS <= panel.rows {
        tile::<T, A, TILE_ROWS, VECTORS, LANES>(panel, row, left, right, out);
        row += TILE_ROWS;
    }
    if row + 4 <= panel.rows {
        tile::<T, A, 4, VECTORS, LANES>(panel, row, left, right, out);
        row += 4;
    }
    if row + 2 <= panel.rows {
        tile::<T, A, 2, VECTORS, LANES>(panel, row, left, right, out);
        row += 2;
    }
    if row < panel.rows {
        tile::<T, A, 1, VECTORS, LANES>(panel, row, left, right, out);
    }
}

/// `ROWS` x `VECTORS * LANES` outputs, all in registers while k runs.
#[inline(always)]
fn tile<T: Real, A: Arithmetic, const ROWS: usize, const VECTORS: usize, const LANES: usize>(
    panel: Panel,
    row: usize,
    left: Left<'_, T>,
    right: Right<'_, T>,
    out: &mut [T],
) {
    let mut sums = [[[T::ZERO; LANES]; VECTORS]; ROWS];
    // Checked reads: unchecked ones measured no faster.
    for k in 0..panel.depth {
        let right_start = k * right.stride + panel.column;
        let left_start = row * left.row_stride + k * left.depth_stride;
        let mut vectors = [[T::ZERO; LANES]; VECTORS];
        for (v, vector) in vectors.iter_mut().enumerate() {
            vector.copy_from_slice(&right.data[right_start + v * LANES..][..LANES]);
        }
        for (r, row_sums) in sums.iter_mut().enumerate() {
            let factor = left.data[left_start + r * left.row_stride];
            for (sum, vector) in row_sums.iter_mut().zip(&vectors) {
                for lane in 0..LANES {
                    sum[lane] = vector[lane].multiply_add::<A>(factor, sum[lane]);
                }
            }
        }
    }
    for (r, row_sums) in sums.iter().enumerate() {
        let start = (row + r) * panel.out_stride + panel.column;
        for (v, sum) in row_sums.iter().enumerate() {
            let target = &mut out[start + v * LANES..start + (v + 1) * LANES];
            if panel.into == Into::Add {
                for lane in 0..LANES {
                    target[lane] += sum[lane];
                }
            } else {
                target.copy_from_slice(sum);
            }
        }
    }
}

/// Lanes of the copies of one row: head sizes are small, whole vectors would leave long remainders.
pub(crate) const SHORT: usize = 8;

/// Fills a short row from the start of `from`, in vectors of [`SHORT`]: a call to `memcpy` costs more than the copy.
#[inline(always)]
pub(crate) fn copy_short<T: Real>(from: &[T], to: &mut [T]) {
    let from = &from[..to.len()];
    let (targets, target_rest) = to.as_chunks_mut::<SHORT>();
    let (sources, source_rest) = from.as_chunks::<SHORT>();
    for (to, from) in targets.iter_mut().zip(sources) {
        *to = *from;
    }
    for (to, from) in target_rest.iter_mut().zip(source_rest) {
        *to = *from;
    }
}

/// `[rows, columns]` with rows of `stride` elements: the source itself where no padding is needed, else a copy in
/// `buffer` with zeros beyond `columns`.
pub(crate) fn padded_rows<'a, T: Real>(
    source: &'a [T],
    columns: usize,
    buffer: &'a mut [T],
    stride: usize,
) -> &'a [T] {
    if columns == stride {
        return source;
    }
    copy_padded(source, columns, buffer, stride);
    buffer
}

/// Copies `[rows, columns]` (contiguous) into rows of `stride` elements; what lies beyond `columns` becomes zero.
pub(crate) fn copy_padded<T: Real>(source: &[T], columns: usize, target: &mut [T], stride: usize) {
    if columns == stride {
        target[..source.len()].copy_from_slice(source);
        return;
    }
    for (from, to) in source.chunks_exact(columns).zip(target.chunks_exact_mut(stride)) {
        let (kept, beyond) = to.split_at_mut(columns);
        copy_short(from, kept);
        for to in beyond {
            *to = T::ZERO;
        }
    }
}

/// Writes the transpose of `[rows, columns]` (rows `stride` apart) as `columns` rows of `target_stride`
/// elements each (a multiple of [`PAD`]); what lies beyond `rows` becomes zero.
pub(crate) fn transpose_padded<T: Real>(
    source: &[T],
    rows: usize,
    columns: usize,
    stride: usize,
    target: &mut [T],
    target_stride: usize,
) {
    const BLOCK: usize = 4;
    let (whole_rows, whole_columns) = (rows / BLOCK * BLOCK, columns / BLOCK * BLOCK);
    for row in (0..whole_rows).step_by(BLOCK) {
        let from: [&[T]; BLOCK] = std::array::from_fn(|r| &source[(row + r) * stride..][..columns]);
        for column in (0..whole_columns).step_by(BLOCK) {
            let mut block = [[T::ZERO; BLOCK]; BLOCK];
            for (line, from) in block.iter_mut().zip(&from) {
                line.copy_from_slice(&from[column..column + BLOCK]);
            }
            for (c, line) in T::transpose_block(block).iter().enumerate() {
                target[(column + c) * target_stride + row..][..BLOCK].copy_from_slice(line);
            }
        }
        for column in whole_columns..columns {
            for (r, from) in from.iter().enumerate() {
                target[column * target_stride + row + r] = from[column];
            }
        }
    }
    for column in 0..columns {
        let to = &mut target[column * target_stride..][..target_stride];
        for row in whole_rows..rows {
            to[row] = source[row * stride + column];
        }
        to[rows..].fill(T::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::level::Level;
    use proptest::prelude::*;

    /// Numbers from −0.5 to 0.5.
    fn numbers(count: usize, state: &mut u64) -> Vec<f64> {
        let draw = |_| {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (*state >> 33) as f64 / f64::from(1_u32 << 31) - 0.5
        };
        (0..count).map(draw).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn matches_three_loops(
            (rows, depth, vectors) in (1_usize..20, 0_usize..20, 1_usize..8),
            (add, transposed) in any::<(bool, bool)>(),
            mut seed in any::<u64>(),
        ) {
            let columns = vectors * PAD;
            let extent = Extent { rows, depth, columns };
            let left = numbers(rows * depth, &mut seed);
            let right = numbers(depth * columns, &mut seed);
            let start = numbers(rows * columns, &mut seed);
            let (row_stride, depth_stride) = if transposed { (1, rows) } else { (depth, 1) };
            for level in Level::available() {
                let mut out = start.clone();
                let into = if add { Into::Add } else { Into::Replace };
                let left_operand = Left { data: &left, row_stride, depth_stride };
                let right_operand = Right { data: &right, stride: columns };
                product(level, extent, left_operand, right_operand, into, &mut out, columns);
                for m in 0..rows {
                    for n in 0..columns {
                        let mut exact = if add { start[m * columns + n] } else { 0.0 };
                        for k in 0..depth {
                            exact += left[m * row_stride + k * depth_stride] * right[k * columns + n];
                        }
                        prop_assert!((exact - out[m * columns + n]).abs() < 1e-12);
                    }
                }
            }
        }
    }
}
