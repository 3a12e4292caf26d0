//! Average true range.

use market_data::Candle;

use super::checked_period;
use crate::error::TradingError;

/// How far the price moved in a candle, the way from the previous close included, in quote currency.
///
/// Wilder (1978), New Concepts in Technical Trading Systems: the largest of high - low, |high - previous
/// close| and |low - previous close|.
#[must_use]
pub fn true_range(candle: &Candle, previous_close: f64) -> f64 {
    candle.high.max(previous_close) - candle.low.min(previous_close)
}

/// Wilder's average true range, in quote currency.
///
/// `A = (A × (n - 1) + TR) / n`; the first value is the mean of the first n true ranges. The first candle has
/// no true range, since none closed before it, so the first value comes with candle n + 1 (TA-Lib `ATR`).
#[derive(Clone, Debug, PartialEq)]
pub struct AverageTrueRange {
    period: usize,
    previous_close: Option<f64>,
    /// True ranges seen, at most `period`.
    seen: usize,
    /// The sum while it warms up, the average then.
    value: f64,
}

impl AverageTrueRange {
    /// With the smoothing of `period` candles; Wilder takes 14.
    ///
    /// # Errors
    /// [`TradingError::Config`] for a period of zero or beyond 2^20.
    pub fn new(period: usize) -> Result<Self, TradingError> {
        let period = checked_period("average_true_range.period", period, 1)?;
        Ok(Self { period, previous_close: None, seen: 0, value: 0.0 })
    }

    /// Takes a candle; answers from candle `period + 1` on.
    pub fn push(&mut self, candle: &Candle) -> Option<f64> {
        if candle.fault().is_some() {
            self.reset();
            return None;
        }
        let range = true_range(candle, self.previous_close.replace(candle.close)?);
        let period = self.period as f64;
        if self.seen >= self.period {
            self.value = (self.value * (period - 1.0) + range) / period;
            return Some(self.value);
        }
        self.seen += 1;
        self.value += range;
        if self.seen < self.period {
            return None;
        }
        self.value /= period;
        Some(self.value)
    }

    /// The last value, where there is one.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        (self.seen >= self.period).then_some(self.value)
    }

    /// Forgets all candles.
    pub fn reset(&mut self) {
        self.previous_close = None;
        self.seen = 0;
        self.value = 0.0;
    }
}
