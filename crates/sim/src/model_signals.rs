//! What a model says of candles, and how often it was right; and what a policy over it wants.

use std::collections::BTreeMap;
use std::sync::Arc;

use labels::splits::TimeRange;
use market_data::{CandleSeries, SeriesKey, Timestamp};
use rayon::prelude::*;
use supervised::{
    Assessment, CandleSource, JudgedRows, Origin, Predictor, ScoredRows, SupervisedError, assess_judged,
};

use crate::backtest::CandleSignal;
use crate::error::SimError;
use crate::funding::funding_of;
use crate::market_environment::MarketFrames;
use crate::policy::{Player, PolicyBundle, SeriesFrame, play, policy_actions};

/// Signals by series, each as long as its series, and the labelled rows behind them.
#[derive(Clone, Debug, Default)]
pub struct ModelSignals {
    /// What is said of each candle at its close; nothing where the model did not speak.
    pub signals: BTreeMap<SeriesKey, Vec<CandleSignal>>,
    /// Predictions whose label is known.
    pub judged: JudgedRows,
}

impl ModelSignals {
    /// Predicts the candles of `span`. Features and state know the candles before it; labels count where all of their window
    /// lies in it. `done` is called for each series, from several threads.
    ///
    /// # Errors
    /// [`SimError::Data`] where the candles do not give the model's features, or a prediction cannot be judged.
    pub fn predict(
        predictor: &Predictor,
        candles: &CandleSource,
        span: TimeRange,
        done: &(dyn Fn() + Sync),
    ) -> Result<Self, SimError> {
        let bundle = predictor.bundle();
        let of = |key: &SeriesKey| -> Result<_, SupervisedError> {
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
            done();
            Ok((key.clone(), signals, rows))
        };
        let found: Vec<_> = candles.keys.par_iter().map(of).collect::<Result<_, _>>().map_err(told)?;
        let (mut signals, mut rows) = (BTreeMap::new(), ScoredRows::default());
        for (key, of_series, scored) in found {
            signals.insert(key, of_series);
            rows.append(scored);
        }
        Ok(Self { signals, judged: JudgedRows::new(rows, &bundle.calibration).map_err(told)? })
    }

    /// Takes up what another model says of other candles.
    pub fn append(&mut self, other: Self) {
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

    /// What the predictions are worth beside the class shares of the model's training; nothing where no label is known.
    ///
    /// # Errors
    /// [`SimError::Data`] where they cannot be judged.
    pub fn assess(&self, predictor: &Predictor) -> Result<Option<Assessment>, SimError> {
        if self.judged.rows().is_empty() {
            return Ok(None);
        }
        let bundle = predictor.bundle();
        let block = 10 * bundle.labeler.window() as usize;
        let origin = &bundle.origin;
        assess_judged(&self.judged, origin.prior, block, origin.config.seed).map(Some).map_err(told)
    }

    /// Lets a policy trade its own account from `from` on, and adds what it wants to the signals of each series. Gives the series
    /// whose account came to an end: it wants nothing after that.
    ///
    /// # Errors
    /// [`SimError::Data`] where the candles do not give what the policy sees.
    pub fn add_policy(
        &mut self,
        policy: &PolicyBundle,
        candles: &CandleSource,
        from: Timestamp,
    ) -> Result<Vec<SeriesKey>, SimError> {
        let config = &policy.origin.config;
        let funding = |series: &CandleSeries| -> Result<_, SimError> {
            Ok(funding_of(series, candles.exogenous())?.rates)
        };
        let whole = config.inputs.frames(&policy.predictor, candles, &funding)?;
        let end = Timestamp::from_millis(i64::MAX);
        let traded: Vec<SeriesFrame> =
            whole.iter().filter_map(|frame| frame.within(from, end, config.environment.window)).collect();
        let frames = traded.iter().map(|one| one.frame.clone()).collect();
        let frames = Arc::new(MarketFrames::of_single(frames)?);
        let mut agent = policy.agent()?;
        let paths = play(&config.environment, &frames, &mut Player::Agent(&mut *agent))?;
        for (portfolio, SeriesFrame { key, frame }) in traded.iter().enumerate() {
            let Some(signals) = self.signals.get_mut(key) else { continue };
            let times = &candles.candles(key).map_err(told)?.columns().open_time;
            for (row, action) in policy_actions(&paths, portfolio, frame.len()).into_iter().enumerate() {
                let at = times.binary_search_by_key(&frame.open_times[row], |time| time.as_millis());
                if let Some(signal) = at.ok().and_then(|at| signals.get_mut(at)) {
                    signal.action = action;
                }
            }
        }
        let ended = paths.iter().filter(|path| path.terminated);
        Ok(ended.filter_map(|path| traded.get(path.portfolio)).map(|one| one.key.clone()).collect())
    }
}

/// Until when the training and the validation of a model saw the market; nothing where its bundle does not say.
#[must_use]
pub fn seen_until(origin: &Origin) -> Option<Timestamp> {
    let seen = ["training", "validation"];
    let intervals = seen.iter().filter_map(|part| origin.intervals.get(*part)).flatten();
    intervals.map(|interval| interval.to).max()
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn told(error: SupervisedError) -> SimError {
    SimError::data("the model", error.to_string())
}
