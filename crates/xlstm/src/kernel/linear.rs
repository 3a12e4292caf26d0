//! A linear layer with packed weights over rows, for inference: `y = x W + b`.

use super::error::{KernelError, expect_length, expect_positive};
use super::level::Level;
use super::math::Real;
use super::product::{Extent, Into, Left, Right, copy_padded, copy_short, padded, product};
use super::schedule::run_jobs;

/// Rows of one job: their outputs stay in the first-level cache.
const ROWS: usize = 32;

/// A weight matrix with rows padded to whole vectors, and a bias.
#[derive(Debug, Clone)]
pub struct PackedLinear<T> {
    inputs: usize,
    outputs: usize,
    weight: Vec<T>,
    bias: Option<Vec<T>>,
}

impl<T: Real> PackedLinear<T> {
    /// Packs a `weight` `[inputs, outputs]` and a `bias` `[outputs]`.
    ///
    /// # Errors
    /// [`KernelError`] where the lengths do not fit.
    pub fn pack(
        inputs: usize,
        outputs: usize,
        weight: &[T],
        bias: Option<&[T]>,
    ) -> Result<Self, KernelError> {
        expect_positive("inputs", inputs)?;
        expect_positive("outputs", outputs)?;
        expect_length("weight", inputs * outputs, weight.len())?;
        if let Some(bias) = bias {
            expect_length("bias", outputs, bias.len())?;
        }
        let stride = padded(outputs);
        let mut packed = vec![T::ZERO; inputs * stride];
        copy_padded(weight, outputs, &mut packed, stride);
        Ok(Self { inputs, outputs, weight: packed, bias: bias.map(<[T]>::to_vec) })
    }

    /// Length of an input row.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Length of an output row.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// `output = input W + b`, or that added to what `output` holds (a residual). `input` `[rows, inputs]`, `output`
    /// `[rows, outputs]`. Few rows stay on the calling thread and allocate nothing after its first call.
    ///
    /// # Errors
    /// [`KernelError`] where the lengths do not fit.
    pub fn apply(&self, level: Level, input: &[T], add: bool, output: &mut [T]) -> Result<(), KernelError> {
        let Self { inputs, outputs, .. } = *self;
        let rows = input.len() / inputs;
        expect_length("input", rows * inputs, input.len())?;
        expect_length("output", rows * outputs, output.len())?;
        let stride = padded(outputs);
        let jobs = input.chunks(ROWS * inputs).zip(output.chunks_mut(ROWS * outputs));
        run_jobs(
            jobs,
            rows * inputs * outputs,
            [stride, 2, 0],
            || vec![T::ZERO; ROWS * stride],
            |(input, output), scratch: &mut Vec<T>| self.rows(level, input, add, output, scratch),
        );
        Ok(())
    }

    fn rows(&self, level: Level, input: &[T], add: bool, output: &mut [T], scratch: &mut [T]) {
        let Self { inputs, outputs, .. } = *self;
        let rows = input.len() / inputs;
        let stride = padded(outputs);
        let extent = Extent { rows, depth: inputs, columns: stride };
        let left = Left { data: input, row_stride: inputs, depth_stride: 1 };
        let right = Right { data: &self.weight, stride };
        let direct = stride == outputs;
        if direct {
            let into = if add { Into::Add } else { Into::Replace };
            product(level, extent, left, right, into, output, stride);
        } else {
            product(level, extent, left, right, Into::Replace, scratch, stride);
        }
        for (row, from) in output.chunks_exact_mut(outputs).zip(scratch.chunks_exact(stride)) {
            match (direct, add) {
                (true, _) => {}
                (false, false) => copy_short(&from[..outputs], row),
                (false, true) => row.iter_mut().zip(from).for_each(|(y, x)| *y += *x),
            }
            if let Some(bias) = &self.bias {
                row.iter_mut().zip(bias).for_each(|(y, b)| *y += *b);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_plain_loops_for_any_width() {
        for (rows, inputs, outputs) in [(1, 1, 1), (3, 5, 7), (70, 4, 16), (33, 9, 21)] {
            let number = |i: usize| ((i * 37 % 101) as f64 - 50.0) / 30.0;
            let input: Vec<f64> = (0..rows * inputs).map(number).collect();
            let weight: Vec<f64> = (0..inputs * outputs).map(|i| number(i + 7)).collect();
            let bias: Vec<f64> = (0..outputs).map(|i| number(i + 3)).collect();
            for add in [false, true] {
                let linear = PackedLinear::pack(inputs, outputs, &weight, Some(&bias)).unwrap();
                let mut output = vec![0.25; rows * outputs];
                linear.apply(Level::detect(), &input, add, &mut output).unwrap();
                for row in 0..rows {
                    for column in 0..outputs {
                        let mut exact = bias[column] + if add { 0.25 } else { 0.0 };
                        for k in 0..inputs {
                            exact += input[row * inputs + k] * weight[k * outputs + column];
                        }
                        assert!((output[row * outputs + column] - exact).abs() < 1e-12);
                    }
                }
            }
        }
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        assert!(PackedLinear::pack(2, 3, &[0.0_f32; 5], None).is_err());
        let linear = PackedLinear::pack(2, 3, &[0.0_f32; 6], None).unwrap();
        assert!(linear.apply(Level::detect(), &[0.0; 4], false, &mut [0.0; 5]).is_err());
        assert!(linear.apply(Level::detect(), &[0.0; 3], false, &mut [0.0; 3]).is_err());
    }
}
