//! Large matrix products of a linear layer over many rows: the product itself is the crate `gemm`'s, the work is shared
//! over fixed pieces of the rows, so that results do not depend on the number of threads.
//!
//! Burn's own product on `burn-flex` is the same crate's, but every result is cleared and then copied once on one
//! thread before it is written (0.22.1): a tenth of a training step.

use super::error::{KernelError, expect_length, expect_positive};
use super::math::Real;
use super::schedule::{run_jobs, zeros};

/// Rows of one job of `x W` and `dy W^T`.
const ROWS: usize = 512;
/// Rows whose part of `x^T dy` is summed at once.
const SLICE: usize = 1024;

/// A matrix in memory: element (r, c) at `r * row_stride + c * column_stride`.
#[derive(Clone, Copy)]
struct Matrix<'a, T> {
    data: &'a [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// Row-major, rows following each other.
    fn new(data: &'a [T], rows: usize, columns: usize) -> Self {
        Self { data, rows, columns, row_stride: columns, column_stride: 1 }
    }

    fn transposed(self) -> Self {
        let Self { data, rows, columns, row_stride, column_stride } = self;
        Self { data, rows: columns, columns: rows, row_stride: column_stride, column_stride: row_stride }
    }

    /// Whether every element lies in the slice.
    fn fits(&self) -> bool {
        let last = (self.rows - 1) * self.row_stride + (self.columns - 1) * self.column_stride;
        self.rows > 0 && self.columns > 0 && last < self.data.len()
    }
}

/// `out = left right`, row-major.
fn multiply<T: Real>(left: Matrix<'_, T>, right: Matrix<'_, T>, out: &mut [T]) {
    let (rows, columns, depth) = (left.rows, right.columns, left.columns);
    assert!(left.fits() && right.fits() && right.rows == depth && out.len() == rows * columns);
    #[expect(unsafe_code, reason = "the product of the crate gemm takes pointers")]
    // SAFETY: the assertion above holds every element that the product touches within its slice; `out` is borrowed
    // alone, and T is f32 or f64, which the crate knows.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            depth,
            out.as_mut_ptr(),
            1,
            columns as isize,
            false,
            left.data.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.data.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            T::ZERO,
            T::ONE,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// `x W`: `x` `[rows, inputs]`, `weight` `[inputs, outputs]`, result `[rows, outputs]`.
///
/// # Errors
/// [`KernelError`] where the lengths do not fit.
pub fn forward<T: Real>(inputs: usize, outputs: usize, x: &[T], weight: &[T]) -> Result<Vec<T>, KernelError> {
    let rows = check(inputs, outputs, x, weight)?;
    let mut out = zeros(rows * outputs);
    let jobs = x.chunks(ROWS * inputs).zip(out.chunks_mut(ROWS * outputs));
    run_jobs(
        jobs,
        rows * inputs * outputs,
        [0, 0, 2],
        || (),
        |(x, out), ()| {
            let rows = x.len() / inputs;
            multiply(Matrix::new(x, rows, inputs), Matrix::new(weight, inputs, outputs), out);
        },
    );
    Ok(out)
}

/// `dy W^T`: the gradient of x, `[rows, inputs]`, from `gradient` `[rows, outputs]`.
///
/// # Errors
/// [`KernelError`] where the lengths do not fit.
pub fn backward_input<T: Real>(
    inputs: usize,
    outputs: usize,
    gradient: &[T],
    weight: &[T],
) -> Result<Vec<T>, KernelError> {
    let rows = check(outputs, inputs, gradient, weight)?;
    let mut out = zeros(rows * inputs);
    let jobs = gradient.chunks(ROWS * outputs).zip(out.chunks_mut(ROWS * inputs));
    run_jobs(
        jobs,
        rows * inputs * outputs,
        [0, 0, 3],
        || (),
        |(gradient, out), ()| {
            let rows = gradient.len() / outputs;
            let weight = Matrix::new(weight, inputs, outputs).transposed();
            multiply(Matrix::new(gradient, rows, outputs), weight, out);
        },
    );
    Ok(out)
}

/// `x^T dy`: the gradient of the weight, `[inputs, outputs]`; slices of the rows are summed in their order.
///
/// # Errors
/// [`KernelError`] where the lengths do not fit.
pub fn backward_weight<T: Real>(
    inputs: usize,
    outputs: usize,
    x: &[T],
    gradient: &[T],
) -> Result<Vec<T>, KernelError> {
    expect_positive("inputs", inputs)?;
    expect_positive("outputs", outputs)?;
    let rows = x.len() / inputs;
    expect_positive("rows", rows)?;
    expect_length("x", rows * inputs, x.len())?;
    expect_length("gradient", rows * outputs, gradient.len())?;
    let size = inputs * outputs;
    let mut partial = zeros(rows.div_ceil(SLICE) * size);
    let jobs =
        x.chunks(SLICE * inputs).zip(gradient.chunks(SLICE * outputs)).zip(partial.chunks_exact_mut(size));
    run_jobs(
        jobs,
        rows * size,
        [0, 0, 4],
        || (),
        |((x, gradient), out), ()| {
            let rows = x.len() / inputs;
            multiply(Matrix::new(x, rows, inputs).transposed(), Matrix::new(gradient, rows, outputs), out);
        },
    );
    let mut sums = partial[..size].to_vec();
    for slice in partial[size..].chunks_exact(size) {
        for (sum, value) in sums.iter_mut().zip(slice) {
            *sum += *value;
        }
    }
    Ok(sums)
}

fn check<T>(inputs: usize, outputs: usize, x: &[T], weight: &[T]) -> Result<usize, KernelError> {
    expect_positive("inputs", inputs)?;
    expect_positive("outputs", outputs)?;
    let rows = x.len() / inputs;
    expect_positive("rows", rows)?;
    expect_length("x", rows * inputs, x.len())?;
    expect_length("weight", inputs * outputs, weight.len())?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_equal_plain_loops() {
        for (rows, inputs, outputs) in [(1, 1, 1), (7, 5, 3), (1300, 9, 17), (2049, 4, 6)] {
            let number = |i: usize| ((i * 37 % 101) as f64 - 50.0) / 30.0;
            let x: Vec<f64> = (0..rows * inputs).map(number).collect();
            let weight: Vec<f64> = (0..inputs * outputs).map(|i| number(i + 7)).collect();
            let gradient: Vec<f64> = (0..rows * outputs).map(|i| number(i + 3)).collect();
            let y = forward(inputs, outputs, &x, &weight).unwrap();
            let dx = backward_input(inputs, outputs, &gradient, &weight).unwrap();
            let dw = backward_weight(inputs, outputs, &x, &gradient).unwrap();
            let close = |a: f64, b: f64| (a - b).abs() < 1e-9 * (1.0 + b.abs());
            for row in [0, rows / 2, rows - 1] {
                for o in 0..outputs {
                    let exact = (0..inputs).map(|i| x[row * inputs + i] * weight[i * outputs + o]).sum();
                    assert!(close(y[row * outputs + o], exact));
                }
                for i in 0..inputs {
                    let exact =
                        (0..outputs).map(|o| gradient[row * outputs + o] * weight[i * outputs + o]).sum();
                    assert!(close(dx[row * inputs + i], exact));
                }
            }
            for i in 0..inputs {
                for o in 0..outputs {
                    let exact = (0..rows).map(|r| x[r * inputs + i] * gradient[r * outputs + o]).sum();
                    assert!(close(dw[i * outputs + o], exact));
                }
            }
        }
    }

    #[test]
    fn threads_do_not_change_the_bits() {
        let number = |i: usize| ((i * 37 % 101) as f32 - 50.0) / 30.0;
        let (x, gradient): (Vec<f32>, Vec<f32>) =
            ((0..5000 * 24).map(number).collect(), (0..5000 * 40).map(number).collect());
        let weight: Vec<f32> = (0..24 * 40).map(number).collect();
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                (
                    forward(24, 40, &x, &weight).unwrap(),
                    backward_input(24, 40, &gradient, &weight).unwrap(),
                    backward_weight(24, 40, &x, &gradient).unwrap(),
                )
            })
        };
        assert_eq!(run(1), run(3));
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        assert!(forward(2, 3, &[0.0_f32; 5], &[0.0; 6]).is_err());
        assert!(forward(2, 3, &[0.0_f32; 4], &[0.0; 5]).is_err());
        assert!(backward_weight(2, 3, &[0.0_f32; 4], &[0.0; 5]).is_err());
        assert!(forward(2, 3, &[0.0_f32; 0], &[0.0; 6]).is_err());
    }
}
