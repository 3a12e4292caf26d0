//! Averages of the true range, and the Keltner Channel that is made of one.

use serde::{Deserialize, Serialize};

use crate::bar::Bar;
use crate::indicator::Indicator;

/// An exponential average that begins with the simple average of its first values, as TA-Lib's do.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct SeededAverage {
    /// Weight of the average so far.
    kept: f64,
    /// Weight of a new value.
    taken: f64,
    period: f64,
    /// How many values are missing until the simple average.
    missing: usize,
    /// The average; before it begins the sum.
    average: f64,
}

impl SeededAverage {
    /// Wilder's average, in which a new value weighs 1 / period.
    fn wilder(period: usize) -> Self {
        Self::new(period, (period as f64 - 1.0) / period as f64)
    }

    /// The exponential average, in which a new value weighs 2 / (period + 1).
    fn exponential(period: usize) -> Self {
        Self::new(period, (period as f64 - 1.0) / (period as f64 + 1.0))
    }

    fn new(period: usize, kept: f64) -> Self {
        Self { kept, taken: 1.0 - kept, period: period as f64, missing: period, average: 0.0 }
    }

    /// Adds a value; gives the average, NaN before it begins.
    #[inline]
    fn push(&mut self, value: f64) -> f64 {
        if self.missing == 0 {
            self.average = self.kept * self.average + self.taken * value;
            return self.average;
        }
        self.average += value;
        self.missing -= 1;
        if self.missing > 0 {
            return f64::NAN;
        }
        self.average /= self.period;
        self.average
    }
}

/// Wilder's average true range, in quote currency.
///
/// The true range is max(high, close before) − min(low, close before); the first average is the simple one
/// of `period` true ranges, each further one (average × (period − 1) + true range) / period. TA-Lib ATR;
/// J. Welles Wilder, New Concepts in Technical Trading Systems (1978).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AverageTrueRange {
    average: SeededAverage,
}

impl AverageTrueRange {
    pub(crate) fn new(period: usize) -> Self {
        Self { average: SeededAverage::wilder(period) }
    }
}

impl Indicator for AverageTrueRange {
    type Values = [f64; 1];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        [if bar.first { f64::NAN } else { self.average.push(bar.true_range) }]
    }
}

/// Average true range in percent of the close, without unit.
///
/// TA-Lib NATR; John Forman, Technical Analysis of Stocks & Commodities, May 2006.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct NormalizedAverageTrueRange {
    average: AverageTrueRange,
}

impl NormalizedAverageTrueRange {
    pub(crate) fn new(period: usize) -> Self {
        Self { average: AverageTrueRange::new(period) }
    }
}

impl Indicator for NormalizedAverageTrueRange {
    type Values = [f64; 1];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        let [average] = self.average.push(bar);
        [average / bar.close * 100.0]
    }
}

/// A channel narrower than this share of the close counts as closed. In a long stretch of equal prices the
/// range and the distance from the middle both fade to nothing, and their ratio would tell how long the
/// stretch is and, for a run that began shortly before it, where the run began.
const CLOSED_CHANNEL: f64 = 1e-7;

/// Keltner Channel: exponential average of the typical price ± multiplier × average true range.
///
/// TA-Lib KC, after Chester Keltner (1960) and Linda Raschke. Values: upper and lower band in quote
/// currency; position = (close − lower) / (upper − lower), 0.5 where the channel is closed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KeltnerChannel {
    middle: CloseAboveAverage,
    true_range: SeededAverage,
    multiplier: f64,
    /// Candles to wait so that both averages begin with the same candle, as TA-Lib's do.
    wait_middle: usize,
    wait_true_range: usize,
}

impl KeltnerChannel {
    pub(crate) fn new(period: usize, atr_period: usize, multiplier: f64) -> Self {
        let lookback = Self::lookback(period, atr_period);
        Self {
            middle: CloseAboveAverage::new(period),
            true_range: SeededAverage::wilder(atr_period),
            multiplier,
            wait_middle: lookback + 1 - period,
            // One candle more than the period goes in, because a true range needs the close before.
            wait_true_range: lookback + 1 - atr_period,
        }
    }

    /// Index of the first value.
    pub(crate) fn lookback(period: usize, atr_period: usize) -> usize {
        (period - 1).max(atr_period)
    }
}

impl Indicator for KeltnerChannel {
    type Values = [f64; 3];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 3] {
        let above = if is_over(&mut self.wait_middle) { self.middle.push(bar) } else { f64::NAN };
        let true_range =
            if is_over(&mut self.wait_true_range) { self.true_range.push(bar.true_range) } else { f64::NAN };
        let middle = bar.close - above;
        let distance = self.multiplier * true_range;
        let is_closed = 2.0 * distance < CLOSED_CHANNEL * bar.close;
        let position = if is_closed { 0.5 } else { 0.5 + 0.5 * above / distance };
        [middle + distance, middle - distance, position]
    }
}

/// Counts a wait down; gives whether it was over before.
#[inline]
fn is_over(wait: &mut usize) -> bool {
    if *wait == 0 {
        return true;
    }
    *wait -= 1;
    false
}

/// How far the close is above the exponential average of the typical price, with all digits where both are
/// nearly equal: close − average follows the same recursion as the average, fed with differences of prices.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct CloseAboveAverage {
    /// The simple average that the exponential one begins with.
    seed: SeededAverage,
    /// Close less average, once the average has begun.
    above: Option<f64>,
}

impl CloseAboveAverage {
    fn new(period: usize) -> Self {
        Self { seed: SeededAverage::exponential(period), above: None }
    }

    /// Adds a candle; gives close − average, NaN before the average begins.
    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> f64 {
        let Some(above) = self.above else {
            let seed = self.seed.push(bar.typical());
            self.above = (!seed.is_nan()).then_some(bar.close - seed);
            return bar.close - seed;
        };
        let above_typical = ((bar.close - bar.low) - (bar.high - bar.close)) / 3.0;
        let above =
            self.seed.kept * (above + (bar.close - bar.previous_close)) + self.seed.taken * above_typical;
        self.above = Some(above);
        above
    }
}
