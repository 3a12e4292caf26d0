//! From a bundle to probabilities, over whole frames and candle by candle.
//!
//! There is one way to predict: [`RowPredictor`] takes the features of one candle after another. A whole frame is the
//! same fold, so batch and live agree to the bit.

mod live;
mod network;
mod row;

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use features::{FeatureFrame, FeaturePipeline};
use labels::Label;
use market_data::{SeriesKey, Timestamp};

pub use live::LivePredictor;
pub use row::RowPredictor;

use crate::bundle::ModelBundle;
use crate::calibration::Calibration;
use crate::dataset::CLASSES;
use crate::error::SupervisedError;
use network::StepNetwork;

/// What the model says of one candle, known when that candle closes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// When the candle opens.
    pub open_time: Timestamp,
    /// Calibrated probabilities of SELL, HOLD, BUY.
    pub probabilities: [f32; CLASSES],
    /// What the decision rule makes of them.
    pub class: Label,
}

/// Predictions of one series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predictions {
    /// Rows of the frame that have a prediction, in increasing order.
    pub rows: Vec<usize>,
    /// What the model says of each.
    pub predictions: Vec<Prediction>,
}

/// The logits of one series, before calibration.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameLogits {
    /// Venue, symbol and timeframe.
    pub key: SeriesKey,
    /// Rows of the frame that have logits, in increasing order.
    pub rows: Vec<usize>,
    /// Logits of SELL, HOLD, BUY of each.
    pub logits: Vec<[f32; CLASSES]>,
}

/// What the network makes of the rows of one series, for whoever builds on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FrameEncoding {
    /// Rows of the frame that have an encoding, in increasing order.
    pub rows: Vec<usize>,
    /// Inputs of the network: scaled and selected, `[rows, inputs]`.
    pub inputs: Vec<f32>,
    /// Hidden vectors that the head sees, `[rows, width]`; see [`RowPredictor::embedding`].
    pub embeddings: Vec<f32>,
    /// Calibrated probabilities of SELL, HOLD, BUY.
    pub probabilities: Vec<[f32; CLASSES]>,
}

/// A loaded model.
#[derive(Clone, Debug)]
pub struct Predictor {
    bundle: Arc<ModelBundle>,
    network: Arc<StepNetwork>,
}

impl Predictor {
    /// Loads a bundle.
    ///
    /// # Errors
    /// Those of [`ModelBundle::read`].
    pub fn load(directory: &Path) -> Result<Self, SupervisedError> {
        Self::new(ModelBundle::read(directory, &Device::flex())?)
    }

    /// A predictor of a bundle in memory.
    ///
    /// # Errors
    /// [`SupervisedError::Network`] where the weights cannot be packed.
    pub fn new(bundle: ModelBundle) -> Result<Self, SupervisedError> {
        let network = StepNetwork::new(&bundle.classifier)?;
        Ok(Self { bundle: Arc::new(bundle), network: Arc::new(network) })
    }

    /// What it was made from.
    #[must_use]
    pub fn bundle(&self) -> &ModelBundle {
        &self.bundle
    }

    /// A fold over the feature rows of one series.
    #[must_use]
    pub fn rows(&self) -> RowPredictor {
        RowPredictor::new(Arc::clone(&self.bundle), Arc::clone(&self.network))
    }

    /// A fold over the candles of one series: the bundle's own features, then [`RowPredictor`].
    ///
    /// # Errors
    /// [`SupervisedError::Features`] where the specification cannot be computed.
    pub fn live(&self) -> Result<LivePredictor, SupervisedError> {
        let pipeline = FeaturePipeline::new(&self.bundle.spec, self.bundle.origin.timeframe)?;
        Ok(LivePredictor::new(pipeline, self.rows()))
    }

    /// The predictions of a whole frame. State begins anew with every run of consecutive rows.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] for a frame of another specification or timeframe.
    pub fn predict(&self, frame: &FeatureFrame) -> Result<Predictions, SupervisedError> {
        let found = self.logits(frame, |_| true)?;
        Ok(self.calibrated(frame, &found))
    }

    /// What calibration makes of the logits of a frame.
    #[must_use]
    pub fn calibrated(&self, frame: &FeatureFrame, found: &FrameLogits) -> Predictions {
        let times = frame.open_times();
        let of = |(row, logits): (&usize, &[f32; CLASSES])| {
            Some(Prediction::of(*times.get(*row)?, *logits, &self.bundle.calibration))
        };
        let predictions = found.rows.iter().zip(&found.logits).filter_map(of).collect();
        Predictions { rows: found.rows.clone(), predictions }
    }

    /// The logits of those rows of a frame that `wanted` takes, before calibration: what calibration is fitted on. Every
    /// row is run through all the same.
    ///
    /// # Errors
    /// As [`Self::predict`].
    pub fn logits(
        &self,
        frame: &FeatureFrame,
        wanted: impl Fn(usize) -> bool,
    ) -> Result<FrameLogits, SupervisedError> {
        let mut found = FrameLogits { key: frame.key().clone(), rows: Vec::new(), logits: Vec::new() };
        self.run(frame, wanted, |row, logits, _| {
            found.rows.push(row);
            found.logits.push(logits);
        })?;
        Ok(found)
    }

    /// Inputs, hidden vectors and probabilities of all rows of a frame.
    ///
    /// # Errors
    /// As [`Self::predict`].
    pub fn encode(&self, frame: &FeatureFrame) -> Result<FrameEncoding, SupervisedError> {
        let mut found = FrameEncoding::default();
        self.run(
            frame,
            |_| true,
            |row, logits, predictor| {
                found.rows.push(row);
                predictor.inputs_of_last(&mut found.inputs);
                found.embeddings.extend_from_slice(predictor.embedding());
                found.probabilities.push(self.bundle.calibration.apply_row(logits).0);
            },
        )?;
        Ok(found)
    }

    /// Runs a frame through, and says what each wanted row gave.
    fn run(
        &self,
        frame: &FeatureFrame,
        wanted: impl Fn(usize) -> bool,
        mut found: impl FnMut(usize, [f32; CLASSES], &RowPredictor),
    ) -> Result<(), SupervisedError> {
        if frame.hash() != self.bundle.feature_hash() {
            return Err(SupervisedError::data(
                format!("the frame of {}", frame.key()),
                format!(
                    "its features have the hash {}, the model was trained on {}; compute them with the bundle's own `features.toml` on {} candles",
                    frame.hash(),
                    self.bundle.feature_hash(),
                    self.bundle.origin.timeframe
                ),
            ));
        }
        let mut predictor = self.rows();
        let mut row = vec![0.0; frame.columns().len()];
        for index in 0..frame.len() {
            if !frame.copy_row(index, &mut row)? {
                continue;
            }
            if let Some(logits) = predictor.logits(frame.open_times()[index], &row, wanted(index))? {
                found(index, logits, &predictor);
            }
        }
        Ok(())
    }
}

impl Prediction {
    /// What calibration makes of logits.
    fn of(open_time: Timestamp, logits: [f32; CLASSES], calibration: &Calibration) -> Self {
        let (probabilities, class) = calibration.apply_row(logits);
        let class = Label::from_index(usize::from(class)).unwrap_or(Label::Hold);
        Self { open_time, probabilities, class }
    }
}
