//! What a model says of candles, and how often it was right.

use std::collections::BTreeMap;

use anyhow::Context;
use command_line::CommonArguments;
use labels::splits::TimeRange;
use market_data::{SeriesKey, Timestamp};
use rayon::prelude::*;
use sim::backtest::CandleSignal;
use supervised::{Assessment, CandleSource, Interval, JudgedRows, Predictor, ScoredRows, assess_judged};

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
    pub(crate) folds: Vec<Fold>,
    /// What it looked at, where an explanation was given; of a walk-forward the model of the bundle.
    pub(crate) importance: Option<FeatureImportance>,
}

/// One training of a walk-forward, and the time that it was traded on.
#[derive(Clone, Debug)]
pub(crate) struct Fold {
    pub(crate) training: Vec<Interval>,
    pub(crate) validation: Vec<Interval>,
    pub(crate) test: TimeRange,
    /// Epochs of the training up to the one that was kept.
    pub(crate) epochs: usize,
    /// Absent where no label lies in the test.
    pub(crate) assessment: Option<Assessment>,
}

/// Signals by series, each as long as its series, and the labelled rows behind them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    pub(crate) signals: BTreeMap<SeriesKey, Vec<CandleSignal>>,
    pub(crate) judged: JudgedRows,
}

impl Said {
    /// Predicts the candles of `span`. Features and state know the candles before it; labels count where all of their window
    /// lies in it.
    pub(crate) fn of(
        predictor: &Predictor,
        candles: &CandleSource,
        span: TimeRange,
        common: &CommonArguments,
    ) -> anyhow::Result<Self> {
        let bundle = predictor.bundle();
        let bar = common.progress().bar(candles.keys.len() as u64, "predictions");
        let of = |key: &SeriesKey| {
            let series = candles.candles(key)?;
            let frame = candles.frame(key, &bundle.spec)?;
            let within = |row: usize| span.contains(frame.open_times()[row]);
            let logits = predictor.logits(&frame, within)?;
            let mut signals = vec![CandleSignal::default(); series.len()];
            for prediction in predictor.calibrated(&frame, &logits).predictions {
                // Rows of a frame are found by their time, so that none can slip.
                if let Ok(at) = series.columns().open_time.binary_search(&prediction.open_time) {
                    signals[at].probabilities = Some(prediction.probabilities);
                }
            }
            let labels = candles.labels(key, &bundle.labeler)?;
            let mut rows = ScoredRows::default();
            let whole = |row: usize| labels.window(row).is_some_and(|window| span.covers(&window));
            rows.extend(&logits, &labels, whole)?;
            bar.advance(1);
            anyhow::Ok((key.clone(), signals, rows))
        };
        let found: Vec<_> = candles.keys.par_iter().map(of).collect::<anyhow::Result<_>>()?;
        bar.finish();
        let (mut signals, mut rows) = (BTreeMap::new(), ScoredRows::default());
        for (key, of_series, scored) in found {
            signals.insert(key, of_series);
            rows.append(scored);
        }
        Ok(Self { signals, judged: JudgedRows::new(rows, &bundle.calibration)? })
    }

    /// Takes up what another model says of other candles.
    pub(crate) fn append(&mut self, other: Self) {
        for (key, signals) in other.signals {
            match self.signals.get_mut(&key) {
                Some(known) => {
                    for (known, new) in known.iter_mut().zip(signals) {
                        if new.probabilities.is_some() {
                            *known = new;
                        }
                    }
                }
                None => {
                    self.signals.insert(key, signals);
                }
            }
        }
        self.judged.append(other.judged);
    }

    /// What the predictions are worth beside `prior`, the class shares of training.
    pub(crate) fn assess(&self, predictor: &Predictor) -> anyhow::Result<Option<Assessment>> {
        if self.judged.rows().is_empty() {
            return Ok(None);
        }
        let bundle = predictor.bundle();
        let block = 10 * bundle.labeler.window() as usize;
        let origin = &bundle.origin;
        Ok(Some(assess_judged(&self.judged, origin.prior, block, origin.config.seed)?))
    }
}

impl Model {
    /// A model that was trained before, over the candles after what it saw and before `to`.
    pub(crate) fn as_it_is(
        predictor: &Predictor,
        candles: &CandleSource,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        common: &CommonArguments,
    ) -> anyhow::Result<(Self, Said)> {
        let origin = &predictor.bundle().origin;
        let seen = ["training", "validation"];
        let seen_until = seen
            .iter()
            .filter_map(|part| origin.intervals.get(*part))
            .flatten()
            .map(|interval| interval.to)
            .max()
            .context("the bundle does not say which time it was trained on; train it again")?;
        let end = Timestamp::from_millis(i64::MAX);
        let span = TimeRange::new(from.unwrap_or(seen_until).max(seen_until), to.unwrap_or(end));
        let said = Said::of(predictor, candles, span, common)?;
        let model = Self {
            name: origin.name.clone(),
            trials: origin.trials.unwrap_or(1).max(1),
            seen_until,
            assessment: said.assess(predictor)?,
            folds: Vec::new(),
            importance: None,
        };
        Ok((model, said))
    }
}
