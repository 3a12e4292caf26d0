//! Feature row by feature row.

use std::collections::VecDeque;
use std::sync::Arc;

use market_data::Timestamp;

use super::Prediction;
use super::network::{StepNetwork, StepState};
use crate::bundle::ModelBundle;
use crate::config::Objective;
use crate::dataset::CLASSES;
use crate::error::SupervisedError;

/// A fold over the feature rows of one series.
///
/// A model trained on every step carries its state from row to row; one trained on windows keeps the last rows, and runs
/// a window from an empty state for each. A row that does not follow the one before it begins anew.
#[derive(Clone, Debug)]
pub struct RowPredictor {
    bundle: Arc<ModelBundle>,
    network: Arc<StepNetwork>,
    /// One sequence for each transform of the inputs.
    state: StepState,
    last: Option<Timestamp>,
    /// The scaled rows of a window, all transforms of a row after each other.
    window: VecDeque<Vec<f32>>,
    scaled: Vec<f32>,
    outputs: Vec<f32>,
    /// What the head saw last, `[width]`; of the first transform.
    embedding: Vec<f32>,
}

impl RowPredictor {
    pub(super) fn new(bundle: Arc<ModelBundle>, network: Arc<StepNetwork>) -> Self {
        let transforms = bundle.origin.config.calibration.transforms.0.len();
        let state = network.empty_state(transforms);
        let scaled = vec![0.0; bundle.fit.scaler.columns().len()];
        let outputs = vec![0.0; transforms * network.width()];
        let embedding = vec![0.0; network.width()];
        Self { bundle, network, state, last: None, window: VecDeque::new(), scaled, outputs, embedding }
    }

    /// Forgets all rows.
    pub fn reset(&mut self) {
        if self.last.is_some() {
            self.last = None;
            self.window.clear();
            self.state = self.network.empty_state(self.bundle.origin.config.calibration.transforms.0.len());
        }
    }

    /// Takes the features of the next candle, in the order of the bundle's specification, not yet scaled. Nothing while a
    /// window is not full.
    ///
    /// # Errors
    /// [`SupervisedError::Features`] for a row of another width; [`SupervisedError::Data`] for one that is not later than
    /// the row before it.
    pub fn push(
        &mut self,
        open_time: Timestamp,
        features: &[f64],
    ) -> Result<Option<Prediction>, SupervisedError> {
        let logits = self.logits(open_time, features, true)?;
        Ok(logits.map(|logits| Prediction::of(open_time, logits, &self.bundle.calibration)))
    }

    /// As [`Self::push`], before calibration; nothing where no output is `wanted`, which saves a window's work. Under several
    /// transforms it is the mean of their logits, so the geometric mean of their probabilities.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn logits(
        &mut self,
        open_time: Timestamp,
        features: &[f64],
        wanted: bool,
    ) -> Result<Option<[f32; CLASSES]>, SupervisedError> {
        self.bundle.fit.scaler.scale_row(features, &mut self.scaled)?;
        if let Some(last) = self.last {
            if open_time <= last {
                let reason = format!(
                    "it opens at {open_time}, the one before it at {last}; push rows in order of time"
                );
                return Err(SupervisedError::data("a feature row", reason));
            }
            if open_time.since(last) != self.bundle.origin.timeframe.millis() {
                self.reset();
            }
        }
        self.last = Some(open_time);
        let inputs = self.transformed(open_time);
        let config = &self.bundle.origin.config;
        match config.objective {
            Objective::EveryStep => {
                // The state has to see every row.
                self.network.step(&inputs, &mut self.state, &mut self.outputs)?;
                if !wanted {
                    return Ok(None);
                }
                self.embedding.copy_from_slice(&self.outputs[..self.network.width()]);
                let outputs = self.outputs.chunks_exact(self.network.width());
                Ok(Some(mean(outputs.map(|outputs| self.network.logits(outputs)))))
            }
            Objective::LastStep => {
                if self.window.len() == config.sequence_length {
                    self.window.pop_front();
                }
                self.window.push_back(inputs);
                let full = self.window.len() == config.sequence_length;
                if full && wanted { self.window_logits().map(Some) } else { Ok(None) }
            }
        }
    }

    /// The selected columns of the scaled row under each transform.
    fn transformed(&self, open_time: Timestamp) -> Vec<f32> {
        let config = &self.bundle.origin.config;
        let mut inputs = Vec::with_capacity(self.outputs.len());
        for (index, transform) in config.calibration.transforms.0.iter().enumerate() {
            let from = inputs.len();
            inputs.extend(self.bundle.fit.selection.pick(&self.scaled));
            transform.apply(&mut inputs[from..], open_time.as_millis(), index, config.seed);
        }
        inputs
    }

    fn window_logits(&mut self) -> Result<[f32; CLASSES], SupervisedError> {
        let (width, transforms) = (self.network.width(), self.outputs.len() / self.network.width());
        let mut state = self.network.empty_state(transforms);
        let mut outputs = vec![0.0; self.outputs.len()];
        let mut steps = vec![Vec::with_capacity(self.window.len() * width); transforms];
        for inputs in &self.window {
            self.network.step(inputs, &mut state, &mut outputs)?;
            for (steps, outputs) in steps.iter_mut().zip(outputs.chunks_exact(width)) {
                steps.extend_from_slice(outputs);
            }
        }
        if let Some(outputs) = steps.first() {
            self.embedding = self.network.pooled(outputs);
        }
        Ok(mean(steps.iter().map(|outputs| self.network.logits(outputs))))
    }

    /// What the head made the last logits from: the hidden vector of the network, `[width]`, pooled over the window of a model
    /// trained on windows. Under several transforms it is that of the first; zeros before the first logits.
    #[must_use]
    pub fn embedding(&self) -> &[f32] {
        &self.embedding
    }

    /// The inputs of the network for the row that was pushed last are the scaled, selected columns: writes them, `[inputs]`.
    pub(super) fn inputs_of_last(&self, inputs: &mut Vec<f32>) {
        inputs.extend(self.bundle.fit.selection.pick(&self.scaled));
    }
}

fn mean(of_transforms: impl ExactSizeIterator<Item = [f32; CLASSES]>) -> [f32; CLASSES] {
    let count = of_transforms.len() as f32;
    let mut mean = [0.0; CLASSES];
    for logits in of_transforms {
        for (mean, logit) in mean.iter_mut().zip(logits) {
            *mean += logit / count;
        }
    }
    mean
}
