//! Layer norm without bias over rows, forward and backward, shared over threads.
//!
//! `y = (x - mean) / sqrt(variance + eps) * (1 + w)` (Ba et al. 2016, arXiv 1607.06450, with a residual scale). Weight
//! gradients are summed per block of 128 rows and the blocks added in their order, so they do not depend on
//! the number of threads.

use super::error::{KernelError, expect_length, expect_positive};
use super::level::Level;
use super::math::Real;
use super::norm::{NormShape, Normed, normalise, normalise_backward};
use super::schedule::run_jobs;

/// Rows of one job.
const ROWS: usize = 128;
/// What one element costs, in multiply-adds.
const COST: usize = 4;

fn shape_of(rows: usize, width: usize, epsilon: f64) -> NormShape {
    NormShape { rows, groups: 1, dim: width, input_stride: width, output_stride: width, epsilon }
}

/// Mean and 1 / root of the variance of every row go to `statistics`, `[rows, 2]`, for the backward pass; an empty
/// slice where none is wanted. `input` and `output` `[rows, width]`, `weight` `[width]`.
///
/// # Errors
/// [`KernelError`] where the lengths do not fit.
pub fn forward<T: Real>(
    level: Level,
    epsilon: f64,
    input: &[T],
    weight: &[T],
    output: &mut [T],
    statistics: &mut [T],
) -> Result<(), KernelError> {
    let width = weight.len();
    expect_positive("width", width)?;
    expect_length("input", input.len() / width * width, input.len())?;
    expect_length("output", input.len(), output.len())?;
    let rows = input.len() / width;
    if !statistics.is_empty() {
        expect_length("statistics", rows * 2, statistics.len())?;
    }
    // Without statistics every job gets an empty slice.
    let mut rest = statistics;
    let jobs = input.chunks(ROWS * width).zip(output.chunks_mut(ROWS * width)).map(|(input, output)| {
        let length = (input.len() / width * 2).min(rest.len());
        let (own, others) = std::mem::take(&mut rest).split_at_mut(length);
        rest = others;
        (input, output, own)
    });
    run_jobs(
        jobs,
        input.len() * COST,
        [width, 0, 0],
        || (),
        |(input, output, statistics), ()| {
            normalise(
                level,
                shape_of(input.len() / width, width, epsilon),
                input,
                weight,
                output,
                statistics,
            );
        },
    );
    Ok(())
}

/// Gradients of `input` (overwritten) and `weight` (overwritten) from that of the output; `statistics` as
/// [`forward`] left them.
///
/// # Errors
/// [`KernelError`] where the lengths do not fit.
pub fn backward<T: Real>(
    level: Level,
    input: &[T],
    weight: &[T],
    statistics: &[T],
    output_gradient: &[T],
    input_gradient: &mut [T],
    weight_gradient: &mut [T],
) -> Result<(), KernelError> {
    let width = weight.len();
    expect_positive("width", width)?;
    expect_length("input", input.len() / width * width, input.len())?;
    expect_length("statistics", input.len() / width * 2, statistics.len())?;
    expect_length("output gradient", input.len(), output_gradient.len())?;
    expect_length("input gradient", input.len(), input_gradient.len())?;
    expect_length("weight gradient", width, weight_gradient.len())?;
    let mut partial = vec![T::ZERO; (input.len() / width).div_ceil(ROWS) * width];
    let inputs = input.chunks(ROWS * width).zip(statistics.chunks(ROWS * 2));
    let gradients = output_gradient.chunks(ROWS * width).zip(input_gradient.chunks_mut(ROWS * width));
    let jobs = inputs.zip(gradients).zip(partial.chunks_exact_mut(width));
    run_jobs(
        jobs,
        input.len() * 2 * COST,
        [width, 1, 0],
        || (),
        |(((input, statistics), (gradient, out)), weight_out), ()| {
            let shape = shape_of(input.len() / width, width, 0.0);
            let forward = Normed { input, weight, statistics };
            normalise_backward(level, shape, forward, gradient, out, weight_out);
        },
    );
    weight_gradient.fill(T::ZERO);
    for block in partial.chunks_exact(width) {
        for (sum, value) in weight_gradient.iter_mut().zip(block) {
            *sum += *value;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_threads_do_not_change_the_result() {
        let (rows, width) = (300, 96);
        let input: Vec<f32> = (0..rows * width).map(|i| ((i * 37 % 211) as f32 - 105.0) / 25.0).collect();
        let gradient: Vec<f32> = (0..rows * width).map(|i| ((i * 53 % 97) as f32 - 48.0) / 40.0).collect();
        let weight: Vec<f32> = (0..width).map(|i| i as f32 / 100.0 - 0.5).collect();
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let (mut output, mut statistics) = (vec![0.0; rows * width], vec![0.0; rows * 2]);
                let level = Level::detect();
                forward(level, 1e-5, &input, &weight, &mut output, &mut statistics).unwrap();
                let mut unsaved = vec![0.0; rows * width];
                forward(level, 1e-5, &input, &weight, &mut unsaved, &mut []).unwrap();
                assert_eq!(output, unsaved);
                let (mut slope, mut weight_slope) = (vec![0.0; rows * width], vec![1.0; width]);
                backward(level, &input, &weight, &statistics, &gradient, &mut slope, &mut weight_slope)
                    .unwrap();
                (output, slope, weight_slope)
            })
        };
        let one = run(1);
        assert_eq!(one, run(3));
        // The first row by hand, in f64.
        let row: Vec<f64> = input[..width].iter().map(|x| f64::from(*x)).collect();
        let mean = row.iter().sum::<f64>() / width as f64;
        let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
        for (channel, x) in row.iter().enumerate() {
            let exact = (x - mean) / (variance + 1e-5).sqrt() * (1.0 + f64::from(weight[channel]));
            assert!((f64::from(one.0[channel]) - exact).abs() < 1e-5);
        }
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let mut output = [0.0_f32; 6];
        assert!(forward(Level::detect(), 1e-5, &[0.0; 6], &[0.0; 4], &mut output, &mut []).is_err());
        assert!(forward(Level::detect(), 1e-5, &[0.0; 6], &[0.0; 3], &mut output, &mut [0.0; 3]).is_err());
    }
}
