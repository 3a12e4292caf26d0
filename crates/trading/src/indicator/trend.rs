//! How strong a trend is.

use market_data::Candle;

use super::atr::true_range;
use super::checked_period;
use super::window::Window;
use crate::error::TradingError;

/// Kaufman's efficiency ratio: net change of the last n closes over the sum of their absolute changes, 0
/// (noise) to 1 (straight); 0 where nothing moved.
///
/// Kaufman (1995), Smarter Trading; the ratio inside TA-Lib's `KAMA`.
#[derive(Clone, Debug, PartialEq)]
pub struct EfficiencyRatio {
    closes: Window,
}

impl EfficiencyRatio {
    /// Over `period` changes.
    ///
    /// # Errors
    /// [`TradingError::Config`] for a period of zero or beyond 2^20.
    pub fn new(period: usize) -> Result<Self, TradingError> {
        Ok(Self { closes: Window::new(checked_period("efficiency_ratio.period", period, 1)? + 1) })
    }

    /// Takes a closing price; answers from price `period + 1` on.
    pub fn push(&mut self, close: f64) -> Option<f64> {
        if !self.closes.push(close) {
            return None;
        }
        let closes = self.closes.iter();
        let path: f64 = closes.clone().zip(closes.clone().skip(1)).map(|(a, b)| (b - a).abs()).sum();
        let first = closes.clone().next()?;
        // The sum of a straight path may be rounded below its ends' distance.
        Some(if path > 0.0 { ((close - first).abs() / path).min(1.0) } else { 0.0 })
    }

    /// Forgets all prices.
    pub fn reset(&mut self) {
        self.closes.reset();
    }
}

/// Below this the sum of both indicators, in percent, is nothing: TA-Lib's `TA_IS_ZERO`.
const NOTHING: f64 = 1e-14;

/// Wilder's average directional index, 0 to 100: how one-sided the movement is, whichever the side.
///
/// Wilder (1978), with the start of TA-Lib's `ADX`: movements and ranges are summed over n - 1 candles and
/// then smoothed by `S = S - S / n + x`; the index of n candles is averaged for the first value, which comes
/// with candle 2 n; then `A = (A × (n - 1) + DX) / n`. A candle without any movement leaves it as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct AverageDirectionalIndex {
    period: usize,
    previous: Option<Candle>,
    /// Candles after the first, at most `2 × period - 1`.
    seen: usize,
    plus: f64,
    minus: f64,
    range: f64,
    /// The sum of DX while it warms up, their average then.
    value: f64,
}

impl AverageDirectionalIndex {
    /// With the smoothing of `period` candles; Wilder takes 14.
    ///
    /// # Errors
    /// [`TradingError::Config`] for a period below 2 or beyond 2^20.
    pub fn new(period: usize) -> Result<Self, TradingError> {
        let period = checked_period("average_directional_index.period", period, 2)?;
        Ok(Self { period, previous: None, seen: 0, plus: 0.0, minus: 0.0, range: 0.0, value: 0.0 })
    }

    /// Takes a candle; answers from candle `2 × period` on.
    pub fn push(&mut self, candle: &Candle) -> Option<f64> {
        if candle.fault().is_some() {
            self.reset();
            return None;
        }
        let previous = self.previous.replace(*candle)?;
        let (plus, minus) = movement(&previous, candle);
        let range = true_range(candle, previous.close);
        let period = self.period as f64;
        let last = 2 * self.period - 1;
        let warm = self.seen >= last;
        self.seen = (self.seen + 1).min(last);
        let kept = if self.seen < self.period { 1.0 } else { 1.0 - 1.0 / period };
        self.plus = self.plus * kept + plus;
        self.minus = self.minus * kept + minus;
        self.range = self.range * kept + range;
        if self.seen < self.period {
            return None;
        }
        let index = self.directional_index();
        if warm {
            self.value = index.map_or(self.value, |index| (self.value * (period - 1.0) + index) / period);
            return Some(self.value);
        }
        self.value += index.unwrap_or(0.0);
        if self.seen < last {
            return None;
        }
        self.value /= period;
        Some(self.value)
    }

    fn directional_index(&self) -> Option<f64> {
        if self.range <= 0.0 {
            return None;
        }
        let (plus, minus) = (100.0 * self.plus / self.range, 100.0 * self.minus / self.range);
        let sum = plus + minus;
        (sum.abs() >= NOTHING).then(|| 100.0 * (minus - plus).abs() / sum)
    }

    /// Forgets all candles.
    pub fn reset(&mut self) {
        let period = self.period;
        *self = Self { period, previous: None, seen: 0, plus: 0.0, minus: 0.0, range: 0.0, value: 0.0 };
    }
}

/// Upward and downward movement: the larger one counts, where it is one.
fn movement(previous: &Candle, candle: &Candle) -> (f64, f64) {
    let (up, down) = (candle.high - previous.high, previous.low - candle.low);
    if up > down && up > 0.0 {
        (up, 0.0)
    } else if down > up && down > 0.0 {
        (0.0, down)
    } else {
        (0.0, 0.0)
    }
}
