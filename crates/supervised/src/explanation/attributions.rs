//! What each input contributed to each output.

use serde::{Deserialize, Serialize};

use crate::error::SupervisedError;

/// Contributions of inputs to outputs: for each window and output they should add up to the output minus its
/// expectation over the background. Any method that gives additive contributions can be held in it; a model
/// of tables has one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Attributions {
    pub(super) windows: usize,
    pub(super) outputs: usize,
    pub(super) time: usize,
    pub(super) features: usize,
    pub(super) values: Vec<f32>,
    pub(super) predictions: Vec<f32>,
    pub(super) expectation: Vec<f64>,
    pub(super) expectation_error: Option<Vec<f64>>,
    pub(super) residual: Vec<f64>,
}

/// Whether attributions add up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Completeness {
    /// Largest `|Σ values − (output − expectation)|` of a window and output, in units of the output.
    pub maximum_residual: f64,
    /// Mean of the same.
    pub mean_residual: f64,
    /// What the largest one was allowed to be.
    pub tolerance: f64,
    /// Whether it is within.
    pub complete: bool,
}

impl Attributions {
    /// Puts attributions together and computes what they miss.
    ///
    /// `shape` is `[windows, outputs, time, features]`, that of `values`; `predictions` are the outputs of
    /// the model, `[windows, outputs]`, `expectation` its mean outputs over the background, `[outputs]`, and
    /// `expectation_error` their standard errors, where known.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] where a length does not fit the shape, or a value is not finite.
    pub fn new(
        shape: [usize; 4],
        values: Vec<f32>,
        predictions: Vec<f32>,
        expectation: Vec<f64>,
        expectation_error: Option<Vec<f64>>,
    ) -> Result<Self, SupervisedError> {
        let [windows, outputs, time, features] = shape;
        let lengths = [
            ("values", values.len(), windows * outputs * time * features),
            ("predictions", predictions.len(), windows * outputs),
            ("expectation", expectation.len(), outputs),
            ("expectation_error", expectation_error.as_ref().map_or(outputs, Vec::len), outputs),
        ];
        for (name, length, wanted) in lengths {
            if length != wanted || length == 0 {
                let reason =
                    format!("`{name}` has {length} values where the shape {shape:?} asks for {wanted}");
                return Err(SupervisedError::data("attributions", reason));
            }
        }
        let expected = expectation.iter().chain(expectation_error.iter().flatten());
        let finite = values.iter().chain(&predictions).all(|value| value.is_finite())
            && expected.into_iter().all(|value| value.is_finite());
        if !finite {
            return Err(SupervisedError::data(
                "attributions",
                "some are not finite; look for the window that makes the model overflow",
            ));
        }
        let size = time * features;
        let residual = values
            .chunks_exact(size)
            .zip(&predictions)
            .enumerate()
            .map(|(row, (part, output))| {
                let sum: f64 = part.iter().copied().map(f64::from).sum();
                sum - (f64::from(*output) - expectation[row % outputs])
            })
            .collect();
        Ok(Self {
            windows,
            outputs,
            time,
            features,
            values,
            predictions,
            expectation,
            expectation_error,
            residual,
        })
    }

    /// `[windows, outputs, time, features]`.
    #[must_use]
    pub const fn shape(&self) -> [usize; 4] {
        [self.windows, self.outputs, self.time, self.features]
    }

    /// The contributions, in the order of [`Self::shape`].
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The contributions to one output of one window, `[time, features]`.
    ///
    /// # Panics
    /// If there is no such window or output.
    #[must_use]
    pub fn of(&self, window: usize, output: usize) -> &[f32] {
        let size = self.time * self.features;
        let start = (window * self.outputs + output) * size;
        &self.values[start..start + size]
    }

    /// What the model gave, `[windows, outputs]`.
    #[must_use]
    pub fn predictions(&self) -> &[f32] {
        &self.predictions
    }

    /// Mean outputs over the background, `[outputs]`.
    #[must_use]
    pub fn expectation(&self) -> &[f64] {
        &self.expectation
    }

    /// How far the expectation may be off because the background is not all of training: standard deviation
    /// of the outputs over the background divided by the root of its windows, `[outputs]`. None for a single
    /// background window.
    #[must_use]
    pub fn expectation_error(&self) -> Option<&[f64]> {
        self.expectation_error.as_deref()
    }

    /// `Σ values − (output − expectation)`, `[windows, outputs]`.
    #[must_use]
    pub fn residual(&self) -> &[f64] {
        &self.residual
    }

    /// Whether the attributions of all windows and outputs add up within `tolerance`.
    #[must_use]
    pub fn completeness(&self, tolerance: f64) -> Completeness {
        let maximum_residual = self.residual.iter().fold(0.0_f64, |most, residual| most.max(residual.abs()));
        let sum: f64 = self.residual.iter().map(|residual| residual.abs()).sum();
        Completeness {
            maximum_residual,
            mean_residual: sum / self.residual.len() as f64,
            tolerance,
            complete: maximum_residual <= tolerance,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said() {
        let values = vec![1.0, 2.0, -1.0, 0.5, 0.0, 0.25, 3.0, -3.0];
        let attributions =
            Attributions::new([2, 2, 2, 1], values, vec![4.0, 0.0, 1.25, 0.5], vec![1.0, 0.5], None).unwrap();
        assert_eq!(attributions.residual(), [0.0, 0.0, 0.0, 0.0]);
        assert_eq!(attributions.of(1, 0), [0.0, 0.25]);
        let values = vec![1.0, 2.0, -1.0, 0.5, 0.0, 0.25, 3.0, -3.5];
        let attributions =
            Attributions::new([2, 2, 2, 1], values, vec![4.0, 0.0, 1.5, 0.5], vec![1.0, 0.5], None).unwrap();
        assert_eq!(attributions.residual(), [0.0, 0.0, -0.25, -0.5]);
        let completeness = attributions.completeness(0.4);
        assert_eq!((completeness.maximum_residual, completeness.mean_residual), (0.5, 0.1875));
        assert!(!completeness.complete && attributions.completeness(0.5).complete);
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let new = |values, predictions, expectation| {
            Attributions::new([1, 2, 1, 2], values, predictions, expectation, None)
        };
        assert!(new(vec![0.0; 4], vec![0.0; 2], vec![0.0; 2]).is_ok());
        assert!(new(vec![0.0; 3], vec![0.0; 2], vec![0.0; 2]).is_err());
        assert!(new(vec![0.0; 4], vec![0.0; 1], vec![0.0; 2]).is_err());
        assert!(new(vec![0.0; 4], vec![0.0; 2], vec![0.0; 1]).is_err());
        assert!(new(vec![f32::NAN; 4], vec![0.0; 2], vec![0.0; 2]).is_err());
        assert!(new(vec![0.0; 4], vec![0.0; 2], vec![f64::INFINITY; 2]).is_err());
    }
}
