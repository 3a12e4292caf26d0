//! From candles and a model to what a policy sees.

use features::FeatureFrame;
use market_data::{CandleSeries, SeriesKey, Timestamp};
use rust_decimal::prelude::ToPrimitive;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use supervised::{CandleSource, FrameEncoding, ModelBundle, Predictor};

use crate::backtest::{CostAssumptions, FundingRate, assumed_terms};
use crate::error::SimError;
use crate::market_environment::MarketFrame;

/// What of a model a policy sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InputSource {
    /// The hidden vector that the head of the model sees. The network is frozen: each series is run through it once, and all
    /// environments read the result.
    #[default]
    Embeddings,
    /// The inputs of the network: the scaled, selected features. For a policy with a network of its own over them, such as the
    /// model's, fine-tuned.
    Columns,
}

/// What a policy sees of the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyInputs {
    /// Hidden vectors or features.
    pub source: InputSource,
    /// Whether the calibrated probabilities of SELL, HOLD, BUY stand behind them.
    pub probabilities: bool,
}

impl Default for PolicyInputs {
    fn default() -> Self {
        Self { source: InputSource::default(), probabilities: true }
    }
}

impl PolicyInputs {
    /// Columns of the source of a model, without probabilities.
    #[must_use]
    pub fn source_columns(&self, bundle: &ModelBundle) -> usize {
        match self.source {
            InputSource::Embeddings => bundle.classifier.config().network.width(),
            InputSource::Columns => bundle.classifier.config().inputs,
        }
    }

    /// One series as environments see it; none where the model says nothing of any candle. Rows for which it says nothing (its
    /// features are not known yet, or there is a gap) are not valid.
    ///
    /// # Errors
    /// [`SimError::Data`] where the features are not those of the model, or there is no candle.
    pub fn frame(
        &self,
        predictor: &Predictor,
        frame: &FeatureFrame,
        series: &CandleSeries,
        funding: &[FundingRate],
    ) -> Result<Option<MarketFrame>, SimError> {
        let told =
            |error: supervised::SupervisedError| SimError::data(series.key().to_string(), error.to_string());
        let encoding = predictor.encode(frame).map_err(told)?;
        if frame.len() != series.len() {
            let problem = format!(
                "{} rows of features for {} candles; compute them from these",
                frame.len(),
                series.len()
            );
            return Err(SimError::data(series.key().to_string(), problem));
        }
        let source = self.source_columns(predictor.bundle());
        let columns = source
            + if self.probabilities { encoding.probabilities.first().map_or(0, |one| one.len()) } else { 0 };
        if encoding.rows.is_empty() {
            return Ok(None);
        }
        let terms = assumed_terms(series, &CostAssumptions::default())?;
        let rules = terms.instrument.rules().first();
        let number = |of: Option<f64>| of.unwrap_or(f64::NAN);
        let tick = number(rules.and_then(|rules| rules.tick_size.to_f64()));
        let lot = number(rules.and_then(|rules| rules.lot_size.to_f64()));
        let features = self.features(&encoding, series.len(), source, columns);
        let mut market = MarketFrame::of_series(series, columns, features, tick, lot);
        market.valid = vec![false; series.len()];
        for row in &encoding.rows {
            market.valid[*row] = true;
        }
        market.funding = funding_by_row(series, funding);
        Ok(Some(market))
    }

    /// `[candles, columns]`; zeros where the model says nothing.
    fn features(&self, encoding: &FrameEncoding, candles: usize, source: usize, columns: usize) -> Vec<f32> {
        let of_source = match self.source {
            InputSource::Embeddings => &encoding.embeddings,
            InputSource::Columns => &encoding.inputs,
        };
        let mut features = vec![0.0; candles * columns];
        let rows = encoding.rows.iter().zip(of_source.chunks_exact(source)).zip(&encoding.probabilities);
        for ((row, values), probabilities) in rows {
            let place = &mut features[row * columns..(row + 1) * columns];
            place[..source].copy_from_slice(values);
            if self.probabilities {
                place[source..].copy_from_slice(probabilities);
            }
        }
        features
    }

    /// All series of a source of which the model says something, in order of their keys; `funding` gives that of one.
    ///
    /// # Errors
    /// Those of [`PolicyInputs::frame`] and of the features.
    pub fn frames(
        &self,
        predictor: &Predictor,
        candles: &CandleSource,
        funding: &(dyn Fn(&CandleSeries) -> Result<Vec<FundingRate>, SimError> + Sync),
    ) -> Result<Vec<SeriesFrame>, SimError> {
        use rayon::prelude::*;
        let spec = &predictor.bundle().spec;
        let of = |key: &SeriesKey| {
            let told =
                |error: supervised::SupervisedError| SimError::data(key.to_string(), error.to_string());
            let series = candles.candles(key).map_err(told)?;
            let frame = candles.frame(key, spec).map_err(told)?;
            let frame = self.frame(predictor, &frame, series, &funding(series)?)?;
            Ok(frame.map(|frame| SeriesFrame { key: key.clone(), frame }))
        };
        let all: Vec<Option<SeriesFrame>> =
            candles.keys.par_iter().map(of).collect::<Result<_, SimError>>()?;
        Ok(all.into_iter().flatten().collect())
    }
}

/// A series as environments see it.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesFrame {
    /// Which.
    pub key: SeriesKey,
    /// Its rows.
    pub frame: MarketFrame,
}

impl SeriesFrame {
    /// The rows that open at or after `from` and before `to`, with those of a window of `window` rows in front of the first; nothing
    /// where no decision can be taken in them.
    #[must_use]
    pub fn within(&self, from: Timestamp, to: Timestamp, window: usize) -> Option<Self> {
        let frame = self.frame.between(from.as_millis(), to.as_millis(), window.saturating_sub(1));
        let decides = frame.valid.iter().filter(|valid| **valid).count() > window;
        decides.then(|| Self { key: self.key.clone(), frame })
    }
}

/// What long pays to short at the open of each row: the funding that falls into the time of its candle; empty without funding.
fn funding_by_row(series: &CandleSeries, funding: &[FundingRate]) -> Vec<f64> {
    if funding.is_empty() {
        return Vec::new();
    }
    let opens = &series.columns().open_time;
    let mut rates = vec![0.0; opens.len()];
    let length = series.key().timeframe.millis();
    for one in funding {
        let after = opens.partition_point(|open: &Timestamp| *open <= one.time);
        let Some(row) = after.checked_sub(1) else { continue };
        if one.time.since(opens[row]) < length {
            rates[row] += one.rate.to_f64().unwrap_or(0.0);
        }
    }
    rates
}
