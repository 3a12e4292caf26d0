//! A bias added to every row, forward and backward.

use super::error::{KernelError, expect_length, expect_positive};
use super::math::Real;
use super::schedule::run_jobs;

/// Rows of one job.
const ROWS: usize = 256;

/// `rows[r, c] += bias[c]`; `rows` `[rows, width]`, `bias` `[width]`.
///
/// # Errors
/// [`KernelError`] where the lengths do not fit.
pub fn add<T: Real>(rows: &mut [T], bias: &[T]) -> Result<(), KernelError> {
    let width = bias.len();
    expect_positive("bias", width)?;
    expect_length("rows", rows.len() / width * width, rows.len())?;
    let cost = rows.len();
    run_jobs(
        rows.chunks_mut(ROWS * width),
        cost,
        [0, 0, 0],
        || (),
        |rows, ()| {
            for row in rows.chunks_exact_mut(width) {
                for (value, bias) in row.iter_mut().zip(bias) {
                    *value += *bias;
                }
            }
        },
    );
    Ok(())
}

/// The gradient of the bias: sums of columns, block by block in a fixed order.
///
/// # Errors
/// [`KernelError`] where the lengths do not fit.
pub fn backward<T: Real>(gradient: &[T], bias_gradient: &mut [T]) -> Result<(), KernelError> {
    let width = bias_gradient.len();
    expect_positive("bias gradient", width)?;
    expect_length("gradient", gradient.len() / width * width, gradient.len())?;
    let mut partial = vec![T::ZERO; (gradient.len() / width).div_ceil(ROWS) * width];
    let jobs = gradient.chunks(ROWS * width).zip(partial.chunks_exact_mut(width));
    run_jobs(
        jobs,
        gradient.len(),
        [0, 0, 1],
        || (),
        |(rows, sums), ()| {
            for row in rows.chunks_exact(width) {
                for (sum, value) in sums.iter_mut().zip(row) {
                    *sum += *value;
                }
            }
        },
    );
    bias_gradient.fill(T::ZERO);
    for block in partial.chunks_exact(width) {
        for (sum, value) in bias_gradient.iter_mut().zip(block) {
            *sum += *value;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_and_sums_columns() {
        let mut rows: Vec<f64> = (0..600 * 3).map(f64::from).collect();
        add(&mut rows, &[1.0, 2.0, 3.0]).unwrap();
        assert_eq!(rows[..6], [1.0, 3.0, 5.0, 4.0, 6.0, 8.0]);
        let mut sums = [7.0; 3];
        backward(&rows, &mut sums).unwrap();
        let exact = |column: usize| rows.iter().skip(column).step_by(3).sum::<f64>();
        assert_eq!(sums, [exact(0), exact(1), exact(2)]);
        assert!(add(&mut rows[..5], &[1.0, 2.0, 3.0]).is_err());
        assert!(backward(&rows[..5], &mut sums).is_err());
    }
}
