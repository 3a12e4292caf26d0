//! What a model must offer so that its outputs can be attributed to its inputs.

use super::windows::Windows;
use crate::error::SupervisedError;

/// A model with gradients of its outputs in its inputs. It must be deterministic (no dropout) and treat every
/// window of a batch by itself.
pub trait DifferentiableModel {
    /// Number of outputs.
    fn outputs(&self) -> usize;

    /// The outputs of each window, `[windows, outputs]`.
    ///
    /// # Errors
    /// Those of the model.
    fn evaluate(&self, windows: Windows<'_>) -> Result<Vec<f32>, SupervisedError>;

    /// For each window the gradient of `Σ_k upstream[k] output[k]` in the inputs, `[windows, time,
    /// features]`: one forward and one backward pass. `upstream` holds one number per output and is the same
    /// for all windows.
    ///
    /// # Errors
    /// Those of the model.
    fn input_gradients(&self, windows: Windows<'_>, upstream: &[f32]) -> Result<Vec<f32>, SupervisedError>;

    /// The gradients of all outputs in the inputs, `[outputs, windows, time, features]`.
    ///
    /// By default one forward and one backward pass for each output. A model that can keep its forward pass
    /// for several backward passes does better.
    ///
    /// # Errors
    /// Those of the model.
    fn output_gradients(&self, windows: Windows<'_>) -> Result<Vec<f32>, SupervisedError> {
        let outputs = self.outputs();
        let mut gradients = Vec::with_capacity(outputs * windows.values().len());
        let mut upstream = vec![0.0; outputs];
        for output in 0..outputs {
            upstream[output] = 1.0;
            gradients.extend(self.input_gradients(windows, &upstream)?);
            upstream[output] = 0.0;
        }
        Ok(gradients)
    }
}

/// A model whose outputs are those of another one minus their mean: `z_k − (1/K) Σ_j z_j`.
///
/// For logits this is the centred log-ratio of the probabilities, `ln p_k − (1/K) Σ_j ln p_j` (Aitchison
/// 1982, "The statistical analysis of compositional data"): the part of the logits that the softmax sees. As
/// the outputs add up to 0, one backward pass fewer is enough.
#[derive(Clone, Copy)]
pub struct CentredOutputs<'a> {
    model: &'a dyn DifferentiableModel,
}

impl<'a> CentredOutputs<'a> {
    /// Centres the outputs of `model`.
    #[must_use]
    pub const fn new(model: &'a dyn DifferentiableModel) -> Self {
        Self { model }
    }
}

impl DifferentiableModel for CentredOutputs<'_> {
    fn outputs(&self) -> usize {
        self.model.outputs()
    }

    fn evaluate(&self, windows: Windows<'_>) -> Result<Vec<f32>, SupervisedError> {
        let mut values = self.model.evaluate(windows)?;
        for row in values.chunks_exact_mut(self.outputs()) {
            let mean = row.iter().copied().map(f64::from).sum::<f64>() / row.len() as f64;
            row.iter_mut().for_each(|value| *value = (f64::from(*value) - mean) as f32);
        }
        Ok(values)
    }

    fn input_gradients(&self, windows: Windows<'_>, upstream: &[f32]) -> Result<Vec<f32>, SupervisedError> {
        let mean = upstream.iter().sum::<f32>() / upstream.len() as f32;
        let centred: Vec<f32> = upstream.iter().map(|value| value - mean).collect();
        self.model.input_gradients(windows, &centred)
    }

    fn output_gradients(&self, windows: Windows<'_>) -> Result<Vec<f32>, SupervisedError> {
        let (outputs, values) = (self.outputs(), windows.values().len());
        let mut gradients = Vec::with_capacity(outputs * values);
        let mut last = vec![0.0_f32; values];
        let mut upstream = vec![0.0; outputs];
        for output in 0..outputs - 1 {
            upstream[output] = 1.0;
            let gradient = self.input_gradients(windows, &upstream)?;
            upstream[output] = 0.0;
            last.iter_mut().zip(&gradient).for_each(|(last, value)| *last -= value);
            gradients.extend(gradient);
        }
        gradients.extend(last);
        Ok(gradients)
    }
}
