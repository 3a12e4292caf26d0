//! `gelu(g) * u` over rows `[g, u]`, forward and backward.
//!
//! gelu(g) = g Φ(g), with the exact distribution function of the normal (Hendrycks and Gimpel 2016, arXiv
//! 1606.08415); gated as in Shazeer 2020 (arXiv 2002.05202). dg = dy u (Φ(g) + g φ(g)), du = dy gelu(g).

use super::error::{KernelError, expect_length, expect_positive};
use super::level::{Level, dispatched};
use super::math::{Arithmetic, Real};
use super::schedule::run_jobs;

/// Rows of one job.
const ROWS: usize = 64;
/// What one element costs, in multiply-adds.
const COST: usize = 20;

/// `output[r, c] = gelu(input[r, c]) * input[r, width + c]`.
///
/// `input` `[rows, 2 · width]`, `output` `[rows, width]`.
///
/// # Errors
/// [`KernelError`] where the lengths do not fit.
pub fn forward<T: Real>(
    level: Level,
    width: usize,
    input: &[T],
    output: &mut [T],
) -> Result<(), KernelError> {
    expect_positive("width", width)?;
    expect_length("output", input.len() / 2, output.len())?;
    expect_length("input", output.len() / width * width * 2, input.len())?;
    let cost = output.len() * COST;
    let jobs = input.chunks(2 * width * ROWS).zip(output.chunks_mut(width * ROWS));
    run_jobs(jobs, cost, [width, 0, 0], || (), |(input, output), ()| gate_rows(level, width, input, output));
    Ok(())
}

/// The gradient of `input` from that of the output.
///
/// `input` and `input_gradient` `[rows, 2 · width]`, `output_gradient` `[rows, width]`.
///
/// # Errors
/// [`KernelError`] where the lengths do not fit.
pub fn backward<T: Real>(
    level: Level,
    width: usize,
    input: &[T],
    output_gradient: &[T],
    input_gradient: &mut [T],
) -> Result<(), KernelError> {
    expect_positive("width", width)?;
    expect_length("input gradient", input.len(), input_gradient.len())?;
    expect_length("output gradient", input.len() / 2, output_gradient.len())?;
    expect_length("input", output_gradient.len() / width * width * 2, input.len())?;
    let cost = output_gradient.len() * 2 * COST;
    let jobs = input
        .chunks(2 * width * ROWS)
        .zip(output_gradient.chunks(width * ROWS))
        .zip(input_gradient.chunks_mut(2 * width * ROWS));
    run_jobs(
        jobs,
        cost,
        [width, 1, 0],
        || (),
        |((input, gradient), out), ()| gate_rows_backward(level, width, input, gradient, out),
    );
    Ok(())
}

dispatched! {
    fn gate_rows(width: usize, input: &[T], output: &mut [T]) = gate_rows_body;
}

#[inline(always)]
fn gate_rows_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    width: usize,
    input: &[T],
    output: &mut [T],
) {
    for (row, out) in input.chunks_exact(2 * width).zip(output.chunks_exact_mut(width)) {
        let (gate, value) = row.split_at(width);
        let (gates, gate_rest) = gate.as_chunks::<LANES>();
        let (values, value_rest) = value.as_chunks::<LANES>();
        let (outs, out_rest) = out.as_chunks_mut::<LANES>();
        for ((gate, value), out) in gates.iter().zip(values).zip(outs) {
            for lane in 0..LANES {
                out[lane] = gate[lane] * gate[lane].normal::<A>().0 * value[lane];
            }
        }
        for ((gate, value), out) in gate_rest.iter().zip(value_rest).zip(out_rest) {
            *out = *gate * gate.normal::<A>().0 * *value;
        }
    }
}

dispatched! {
    fn gate_rows_backward(width: usize, input: &[T], gradient: &[T], out: &mut [T]) = gate_rows_backward_body;
}

#[inline(always)]
fn gate_rows_backward_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    width: usize,
    input: &[T],
    gradient: &[T],
    out: &mut [T],
) {
    let rows = input.chunks_exact(2 * width).zip(gradient.chunks_exact(width));
    for ((row, gradient), out) in rows.zip(out.chunks_exact_mut(2 * width)) {
        let (gate, value) = row.split_at(width);
        let (gate_out, value_out) = out.split_at_mut(width);
        let (gates, gate_rest) = gate.as_chunks::<LANES>();
        let (values, value_rest) = value.as_chunks::<LANES>();
        let (gradients, gradient_rest) = gradient.as_chunks::<LANES>();
        let (gate_outs, gate_out_rest) = gate_out.as_chunks_mut::<LANES>();
        let (value_outs, value_out_rest) = value_out.as_chunks_mut::<LANES>();
        let blocks = gates.iter().zip(values).zip(gradients).zip(gate_outs.iter_mut().zip(value_outs));
        for (((gate, value), gradient), (gate_out, value_out)) in blocks {
            for lane in 0..LANES {
                (gate_out[lane], value_out[lane]) =
                    element_backward::<T, A>(gate[lane], value[lane], gradient[lane]);
            }
        }
        let rest = gate_rest.iter().zip(value_rest).zip(gradient_rest);
        for (((gate, value), gradient), (gate_out, value_out)) in
            rest.zip(gate_out_rest.iter_mut().zip(value_out_rest))
        {
            (*gate_out, *value_out) = element_backward::<T, A>(*gate, *value, *gradient);
        }
    }
}

#[inline(always)]
fn element_backward<T: Real, A: Arithmetic>(gate: T, value: T, gradient: T) -> (T, T) {
    let (cumulative, density) = gate.normal::<A>();
    let slope = gate.multiply_add::<A>(density, cumulative);
    (gradient * value * slope, gradient * gate * cumulative)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        // gelu(1) = Φ(1), gelu(-1) = -Φ(-1): from tables of the normal distribution.
        for level in Level::available() {
            let mut out = [0.0_f64; 2];
            forward(level, 2, &[1.0, -1.0, 2.0, 3.0], &mut out).unwrap();
            assert!((out[0] - 2.0 * 0.841_344_746_068_542_9).abs() < 1e-14);
            assert!((out[1] + 3.0 * 0.158_655_253_931_457_05).abs() < 1e-14);
        }
    }

    #[test]
    fn f32_follows_f64_and_gradients_are_slopes() {
        let (rows, width) = (67, 21);
        let input: Vec<f64> = (0..rows * 2 * width).map(|i| ((i * 37 % 211) as f64 - 105.0) / 25.0).collect();
        let gradient: Vec<f64> = (0..rows * width).map(|i| ((i * 53 % 97) as f64 - 48.0) / 40.0).collect();
        let single: Vec<f32> = input.iter().map(|x| *x as f32).collect();
        let single_gradient: Vec<f32> = gradient.iter().map(|x| *x as f32).collect();
        let run = |level, input: &[f64]| {
            let mut out = vec![0.0; rows * width];
            forward(level, width, input, &mut out).unwrap();
            out
        };
        for level in Level::available() {
            let exact = run(level, &input);
            let mut slopes = vec![0.0; input.len()];
            backward(level, width, &input, &gradient, &mut slopes).unwrap();
            let (mut out, mut out_gradient) = (vec![0.0_f32; rows * width], vec![0.0_f32; input.len()]);
            forward(level, width, &single, &mut out).unwrap();
            backward(level, width, &single, &single_gradient, &mut out_gradient).unwrap();
            assert!(out.iter().zip(&exact).all(|(a, b)| (f64::from(*a) - b).abs() < 2e-5));
            assert!(out_gradient.iter().zip(&slopes).all(|(a, b)| (f64::from(*a) - b).abs() < 2e-5));
            for index in (0..input.len()).step_by(13) {
                let moved = |by: f64| {
                    let mut input = input.clone();
                    input[index] += by;
                    run(level, &input).iter().zip(&gradient).map(|(y, g)| y * g).sum::<f64>()
                };
                let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                assert!((slope - slopes[index]).abs() < 1e-7, "{index}: {slope} {}", slopes[index]);
            }
        }
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let mut out = [0.0_f32; 3];
        assert!(forward(Level::detect(), 2, &[0.0; 6], &mut out).is_err());
        assert!(forward(Level::detect(), 0, &[], &mut out[..0]).is_err());
    }
}
