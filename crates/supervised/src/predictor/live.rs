//! Candle by candle.

use features::FeaturePipeline;
use market_data::Candle;

use super::{Prediction, RowPredictor};
use crate::error::SupervisedError;

/// The fold that a live system runs for one series: a closed candle in, a prediction out.
///
/// Feed it history first: [`FeaturePipeline::warm_up`] candles give nothing, and a state that began earlier knows more.
/// Fed from the beginning of a run it gives what [`super::Predictor::predict`] gives, to the bit.
#[derive(Clone, Debug)]
pub struct LivePredictor {
    pipeline: FeaturePipeline,
    rows: RowPredictor,
}

impl LivePredictor {
    pub(super) const fn new(pipeline: FeaturePipeline, rows: RowPredictor) -> Self {
        Self { pipeline, rows }
    }

    /// The features, to tell them what comes from outside ([`FeaturePipeline::tell_reference`],
    /// [`FeaturePipeline::tell_exogenous`]).
    pub const fn pipeline(&mut self) -> &mut FeaturePipeline {
        &mut self.pipeline
    }

    /// Takes the next candle, once it is **closed**. Nothing where its features are masked, or a window is not full.
    ///
    /// # Errors
    /// [`SupervisedError::Features`] for a candle that cannot come next; nothing has changed then.
    pub fn push(&mut self, candle: &Candle) -> Result<Option<Prediction>, SupervisedError> {
        match self.pipeline.push(candle)? {
            Some(row) => self.rows.push(row.open_time, row.values),
            // The next row does not follow the one before this candle, and so begins anew.
            None => Ok(None),
        }
    }
}
