//! Element-wise row operations that both cells use.

use crate::kernel::level::dispatched;
use crate::kernel::math::{Arithmetic, Real};

dispatched! {
    /// `total[:] = decay * total[:] + sum over r of factors[r] * rows[r, :]`, r ascending.
    fn accumulate_rows(decay: T, width: usize, factors: &[T], rows: &[T], total: &mut [T]) = accumulate_rows_body;
}

#[inline(always)]
fn accumulate_rows_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    decay: T,
    width: usize,
    factors: &[T],
    rows: &[T],
    total: &mut [T],
) {
    for (block, total) in total.chunks_exact_mut(LANES).enumerate() {
        let mut lanes = [T::ZERO; LANES];
        for lane in 0..LANES {
            lanes[lane] = total[lane] * decay;
        }
        for (row, factor) in rows.chunks_exact(width).zip(factors) {
            let row = &row[block * LANES..(block + 1) * LANES];
            for lane in 0..LANES {
                lanes[lane] = row[lane].multiply_add::<A>(*factor, lanes[lane]);
            }
        }
        total.copy_from_slice(&lanes);
    }
}
