//! What is told of a model.

use anyhow::Context;
use command_line::CommonArguments;
use labels::splits::TimeRange;
use market_data::Timestamp;
use sim::model_signals::{ModelSignals, seen_until};
use sim::retraining::{RetrainedFold, RetrainedSignals};
use supervised::{Assessment, CandleSource, ModelBundle, Predictor};

use crate::importance::FeatureImportance;

/// What is told of the model.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) name: String,
    /// How many settings its search tried.
    pub(crate) trials: u64,
    /// Until when training and validation saw the market; in a walk-forward those of the first fold.
    pub(crate) seen_until: Timestamp,
    /// What its predictions are worth on the time that is traded; absent where no label lies in it.
    pub(crate) assessment: Option<Assessment>,
    /// Models that were trained anew, where the run is a walk-forward.
    pub(crate) folds: Vec<RetrainedFold>,
    /// What it looked at, where an explanation was given; of a walk-forward the model of the bundle.
    pub(crate) importance: Option<FeatureImportance>,
}

impl Model {
    /// A model that was trained before, over the candles after what it saw and before `to`.
    pub(crate) fn as_it_is(
        predictor: &Predictor,
        candles: &CandleSource,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        common: &CommonArguments,
    ) -> anyhow::Result<(Self, ModelSignals)> {
        let seen_until = seen_until(&predictor.bundle().origin)
            .context("the bundle does not say which time it was trained on; train it again")?;
        let end = Timestamp::from_millis(i64::MAX);
        let span = TimeRange::new(from.unwrap_or(seen_until).max(seen_until), to.unwrap_or(end));
        let bar = common.progress().bar(candles.keys.len() as u64, "predictions");
        let said = ModelSignals::predict(predictor, candles, span, &|| bar.advance(1))?;
        bar.finish();
        let assessment = said.assess(predictor)?;
        Ok((Self::of(predictor.bundle(), seen_until, assessment, Vec::new()), said))
    }

    /// Models that were trained anew by the recipe of a bundle.
    pub(crate) fn retrained(
        bundle: &ModelBundle,
        found: RetrainedSignals,
    ) -> anyhow::Result<(Self, ModelSignals)> {
        let RetrainedSignals { folds, said, assessment } = found;
        let first = folds.first().context("there is no fold")?.test.from;
        Ok((Self::of(bundle, first, assessment, folds), said))
    }

    fn of(
        bundle: &ModelBundle,
        seen_until: Timestamp,
        assessment: Option<Assessment>,
        folds: Vec<RetrainedFold>,
    ) -> Self {
        let origin = &bundle.origin;
        let trials = origin.trials.unwrap_or(1).max(1);
        Self { name: origin.name.clone(), trials, seen_until, assessment, folds, importance: None }
    }
}
