//! Moving averages of the close with fixed weights.

use serde::{Deserialize, Serialize};

use super::Indicator;
use crate::bar::Bar;
use crate::plan::ema_alpha;
use crate::rolling::RollingSum;
use crate::smoothing::Ema;

/// Simple moving average: the mean of the last `period` closes, in quote currency (TA-Lib SMA).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SimpleMovingAverage {
    sum: RollingSum,
    period: f64,
}

impl SimpleMovingAverage {
    pub(crate) fn new(period: usize) -> Self {
        Self { sum: RollingSum::new(period), period: period as f64 }
    }
}

impl Indicator for SimpleMovingAverage {
    type Values = [f64; 1];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        [self.sum.push(bar.close).map_or(f64::NAN, |sum| sum / self.period)]
    }
}

/// Exponential moving averages of the close over `N` periods: `ema += 2 / (period + 1) · (close − ema)`,
/// begun with the mean of the first `period` closes, in quote currency (TA-Lib EMA).
///
/// Each average waits for its own value of the candle before; side by side they wait together.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound(
    serialize = "[f64; N]: Serialize, [usize; N]: Serialize",
    deserialize = "[f64; N]: Deserialize<'de>, [usize; N]: Deserialize<'de>"
))]
pub(crate) struct ExponentialMovingAverages<const N: usize> {
    periods: [usize; N],
    weights: [f64; N],
    /// Until an average begins, the sum of the closes so far.
    averages: [f64; N],
    /// Closes so far, up to the longest period.
    seen: usize,
    longest: usize,
}

impl<const N: usize> ExponentialMovingAverages<N> {
    pub(crate) fn new(periods: [usize; N]) -> Self {
        Self {
            periods,
            weights: periods.map(ema_alpha),
            averages: [0.0; N],
            seen: 0,
            longest: periods.into_iter().max().unwrap_or(0),
        }
    }

    /// Takes one of the closes before the longest average has begun.
    #[inline(always)]
    fn begin(&mut self, close: f64) -> [f64; N] {
        self.seen += 1;
        std::array::from_fn(|lane| {
            let (period, average) = (self.periods[lane], &mut self.averages[lane]);
            if self.seen > period {
                *average += self.weights[lane] * (close - *average);
                return *average;
            }
            *average += close;
            if self.seen < period {
                return f64::NAN;
            }
            *average /= period as f64;
            *average
        })
    }
}

impl<const N: usize> Indicator for ExponentialMovingAverages<N> {
    type Values = [f64; N];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; N] {
        if self.seen < self.longest {
            return self.begin(bar.close);
        }
        for (average, weight) in self.averages.iter_mut().zip(self.weights) {
            *average += weight * (bar.close - *average);
        }
        self.averages
    }
}

/// Double exponential moving average: `2·ema − ema(ema)`, in quote currency (TA-Lib DEMA; Patrick Mulloy,
/// "Smoothing Data with Faster Moving Averages", Stocks & Commodities 12:1, 1994).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DoubleExponential {
    first: Ema,
    second: Ema,
}

impl DoubleExponential {
    pub(crate) fn new(period: usize) -> Self {
        Self { first: Ema::new(period), second: Ema::new(period) }
    }
}

impl Indicator for DoubleExponential {
    type Values = [f64; 1];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        let Some(first) = self.first.push(bar.close) else { return [f64::NAN] };
        let Some(second) = self.second.push(first) else { return [f64::NAN] };
        [2.0 * first - second]
    }
}

/// Triple exponential moving average: `3·ema − 3·ema(ema) + ema(ema(ema))`, in quote currency (TA-Lib TEMA;
/// Patrick Mulloy, "Smoothing Data with Less Lag", Stocks & Commodities 12:2, 1994).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TripleExponential {
    first: Ema,
    second: Ema,
    third: Ema,
}

impl TripleExponential {
    pub(crate) fn new(period: usize) -> Self {
        Self { first: Ema::new(period), second: Ema::new(period), third: Ema::new(period) }
    }
}

impl Indicator for TripleExponential {
    type Values = [f64; 1];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        let Some(first) = self.first.push(bar.close) else { return [f64::NAN] };
        let Some(second) = self.second.push(first) else { return [f64::NAN] };
        let Some(third) = self.third.push(second) else { return [f64::NAN] };
        [third + (3.0 * first - 3.0 * second)]
    }
}
