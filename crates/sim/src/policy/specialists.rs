//! Kinds of markets, each with a specialist of its own.
//!
//! The kind of a row is told from the candles up to it, by two thresholds that the training time gives: volatile where the
//! standard deviation of log returns is high, otherwise trending where the efficiency ratio (Kaufman 1995: the way from end to end
//! over the way walked) is, otherwise flat.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::SimError;
use crate::market_environment::MarketFrame;

/// Kinds of markets, in the order of the specialists.
pub const KINDS: [&str; 3] = ["trending", "flat", "volatile"];

/// How kinds of markets are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SpecialistsConfig {
    /// Candles that the kind is told from, at least 2.
    pub lookback: usize,
    /// Share of the training rows that counts as volatile, between 0 and 1.
    pub volatile_share: f64,
    /// Share of the others that counts as trending, between 0 and 1.
    pub trending_share: f64,
}

impl Default for SpecialistsConfig {
    fn default() -> Self {
        Self { lookback: 96, volatile_share: 1.0 / 3.0, trending_share: 0.5 }
    }
}

impl SpecialistsConfig {
    pub(super) fn validate(&self) -> Result<(), SimError> {
        if self.lookback < 2 {
            return Err(SimError::config("specialists.lookback", self.lookback, "give at least 2 candles"));
        }
        for (field, share) in [
            ("specialists.volatile_share", self.volatile_share),
            ("specialists.trending_share", self.trending_share),
        ] {
            if !(share > 0.0 && share < 1.0) {
                return Err(SimError::config(field, share, "give a share between 0 and 1"));
            }
        }
        Ok(())
    }

    /// Thresholds of the frames of the training time, taken together.
    #[must_use]
    pub fn fit(&self, training: &[MarketFrame]) -> MarketKinds {
        let lookback = self.lookback;
        let known = |frame: &MarketFrame| -> Vec<(f64, f64)> {
            (0..frame.len()).filter_map(|row| measure(lookback, frame, row)).collect()
        };
        let known: Vec<(f64, f64)> = training.iter().flat_map(known).collect();
        let volatility = threshold(known.iter().map(|one| one.0).collect(), self.volatile_share);
        let calm = known.iter().filter(|one| one.0 <= volatility);
        let efficiency = threshold(calm.map(|one| one.1).collect(), self.trending_share);
        MarketKinds { lookback, volatility, efficiency }
    }
}

/// Kinds of markets with the thresholds of one training time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MarketKinds {
    lookback: usize,
    volatility: f64,
    efficiency: f64,
}

impl MarketKinds {
    /// The frame with the rows of one kind (its place in [`KINDS`]) alone valid, and the row after each, in which what was decided
    /// trades: nobody knew of what kind it would be.
    #[must_use]
    pub fn only(&self, frame: &MarketFrame, kind: usize) -> MarketFrame {
        let kinds = self.of(frame);
        let valid = (0..frame.len()).map(|row| {
            let of_kind = |row: usize| kinds.get(row).copied().flatten() == Some(kind);
            let trades = of_kind(row) || row.checked_sub(1).is_some_and(of_kind);
            trades && frame.valid.get(row).copied().unwrap_or(true)
        });
        MarketFrame { valid: valid.collect(), ..frame.clone() }
    }

    /// The kind of each row; none where too few candles lie before it without a gap.
    #[must_use]
    pub fn of(&self, frame: &MarketFrame) -> Vec<Option<usize>> {
        let kind = |(volatility, efficiency): (f64, f64)| match (
            volatility > self.volatility,
            efficiency > self.efficiency,
        ) {
            (true, _) => 2,
            (false, true) => 0,
            (false, false) => 1,
        };
        (0..frame.len()).map(|row| measure(self.lookback, frame, row).map(kind)).collect()
    }
}

/// Standard deviation of log returns and efficiency ratio of the last candles.
fn measure(lookback: usize, frame: &MarketFrame, row: usize) -> Option<(f64, f64)> {
    let first = row.checked_sub(lookback)?;
    if frame.open_times[row] - frame.open_times[first] != lookback as i64 * frame.candle_ms {
        return None;
    }
    let logs: Vec<f64> = frame.prices[first..=row].iter().map(|prices| prices.close.ln()).collect();
    let returns: Vec<f64> = logs.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let mean = returns.iter().sum::<f64>() / returns.len() as f64;
    let variance = returns.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / (returns.len() - 1) as f64;
    let walked: f64 = returns.iter().map(|one| one.abs()).sum();
    let efficiency = if walked > 0.0 { (logs[logs.len() - 1] - logs[0]).abs() / walked } else { 0.0 };
    Some((variance.sqrt(), efficiency))
}

/// What the highest `share` of the values lies above; infinite for no value.
fn threshold(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = ((1.0 - share) * values.len() as f64) as usize;
    place
        .checked_sub(1)
        .and_then(|place| values.get(place))
        .or(values.first())
        .copied()
        .unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market_environment::Prices;

    fn frame(closes: &[f64]) -> MarketFrame {
        let rows = closes.len();
        let prices =
            closes.iter().map(|close| Prices { open: *close, high: *close, low: *close, close: *close });
        MarketFrame {
            columns: 1,
            features: vec![0.0; rows],
            prices: prices.collect(),
            open_times: (0..rows as i64).map(|row| row * 60_000).collect(),
            candle_ms: 60_000,
            valid: Vec::new(),
            funding: Vec::new(),
            tick: 0.01,
            lot: 0.01,
        }
    }

    /// 60 candles up by 0.1 % each, 60 that go to and fro by 0.1 %, 60 to and fro by 2 %.
    fn three_markets() -> MarketFrame {
        let mut price = 100.0;
        let mut closes = vec![price];
        for candle in 0..180 {
            price *= match candle {
                0..60 => 1.001,
                60..120 => [1.001, 1.0 / 1.001][candle % 2],
                _ => [1.02, 1.0 / 1.02][candle % 2],
            };
            closes.push(price);
        }
        frame(&closes)
    }

    #[test]
    fn each_market_has_its_kind() {
        let config = SpecialistsConfig { lookback: 10, ..SpecialistsConfig::default() };
        let market = three_markets();
        let kinds = config.fit(std::slice::from_ref(&market)).of(&market);
        assert!(kinds[..10].iter().all(Option::is_none));
        let share = |rows: std::ops::Range<usize>, kind| {
            let count = rows.len() as f64;
            rows.filter(|row| kinds[*row] == Some(kind)).count() as f64 / count
        };
        assert!(share(15..60, 0) > 0.9, "{kinds:?}");
        assert!(share(80..118, 1) > 0.9, "{kinds:?}");
        assert!(share(135..180, 2) > 0.9, "{kinds:?}");
    }

    #[test]
    fn rows_of_one_kind_are_left_and_the_future_says_nothing_but_thresholds() {
        let config = SpecialistsConfig { lookback: 10, ..SpecialistsConfig::default() };
        let frame = three_markets();
        let fitted = config.fit(std::slice::from_ref(&frame));
        let kinds = fitted.of(&frame);
        for kind in 0..3 {
            for (row, valid) in fitted.only(&frame, kind).valid.into_iter().enumerate() {
                let decides = |row: usize| kinds[row] == Some(kind);
                assert_eq!(valid, decides(row) || (row > 0 && decides(row - 1)), "row {row}");
            }
        }
        // A gap is no move of the market.
        let mut gapped = frame.clone();
        gapped.open_times.iter_mut().skip(90).for_each(|time| *time += 600_000);
        assert!(fitted.of(&gapped)[90..100].iter().all(Option::is_none));
        assert!(fitted.of(&gapped)[100].is_some());
        let mut masked = frame.clone();
        masked.valid = vec![true; frame.len()];
        masked.valid[100] = false;
        assert!((0..3).all(|kind| !fitted.only(&masked, kind).valid[100]));
    }

    /// A validation time that is calm throughout has no volatile third of its own.
    #[test]
    fn thresholds_are_those_of_the_training_time() {
        let config = SpecialistsConfig { lookback: 10, ..SpecialistsConfig::default() };
        let market = three_markets();
        let calm = frame(&market.prices[60..120].iter().map(|prices| prices.close).collect::<Vec<_>>());
        let fitted = config.fit(&[market]);
        assert!(fitted.of(&calm)[10..].iter().all(|kind| *kind == Some(1)), "{:?}", fitted.of(&calm));
        assert_ne!(fitted, config.fit(&[calm]));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for config in [
            SpecialistsConfig { lookback: 1, ..SpecialistsConfig::default() },
            SpecialistsConfig { volatile_share: 1.0, ..SpecialistsConfig::default() },
            SpecialistsConfig { trending_share: 0.0, ..SpecialistsConfig::default() },
        ] {
            assert!(config.validate().is_err(), "{config:?}");
        }
    }
}
