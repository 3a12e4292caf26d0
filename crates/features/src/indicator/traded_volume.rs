//! Volume against its own past, and the price of trading it.

use serde::{Deserialize, Serialize};

use crate::bar::Bar;
use crate::indicator::Indicator;
use crate::indicator::deviation::{RollingVariance, largest_score};
use crate::indicator::window_fold::{WindowSum, WindowSums};

/// (volume − mean) / standard deviation over the last candles, this one included; 0 where all are equal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct VolumeScore {
    variance: RollingVariance,
    largest_score: f64,
}

impl VolumeScore {
    pub(crate) fn new(period: usize) -> Self {
        Self { variance: RollingVariance::new(period), largest_score: largest_score(period) }
    }
}

impl Indicator for VolumeScore {
    type Values = [f64; 1];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        let standard_deviation = self.variance.push(bar.volume).sqrt();
        [self.variance.score(bar.volume, standard_deviation, self.largest_score)]
    }
}

/// volume / mean volume − 1 over the last candles, this one included; 0 where there was no volume.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RelativeVolume {
    volume: WindowSum,
    period: f64,
}

impl RelativeVolume {
    pub(crate) fn new(period: usize) -> Self {
        Self { volume: WindowSum::new(period), period: period as f64 }
    }
}

impl Indicator for RelativeVolume {
    type Values = [f64; 1];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        let Some(sum) = self.volume.push(bar.volume) else { return [f64::NAN] };
        [if sum > 0.0 { self.period * (bar.volume / sum) - 1.0 } else { 0.0 }]
    }
}

/// How many short windows the long one of [`Illiquidity`] holds.
const SHORT_WINDOWS: usize = 5;

/// A candle that turned over less quote currency than this traded nothing: the ratio would overflow.
const SMALLEST_TURNOVER: f64 = 1e-100;

/// Amihud's illiquidity of the last candles against that of five times as many:
/// (short − long) / (short + long), which is tanh(½ ln(short / long)).
///
/// Illiquidity is the mean of |logarithmic return| / (close × volume): how far a unit of money moved the
/// price. Candles without volume are left out of the mean; 0 where no candle is left, or none moved.
///
/// Y. Amihud, Illiquidity and stock returns, Journal of Financial Markets 5 (2002); against its own past,
/// because its unit and level differ between markets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Illiquidity {
    /// Of |logarithmic return| / turnover of the candles that traded, and of their number.
    short: WindowSums,
    long: WindowSums,
}

impl Illiquidity {
    pub(crate) fn new(period: usize) -> Self {
        Self { short: WindowSums::new(period), long: WindowSums::new(SHORT_WINDOWS * period) }
    }

    /// Index of the first value.
    pub(crate) fn lookback(period: usize) -> usize {
        // One more than the window has before its last candle, because the first of a run has no return.
        SHORT_WINDOWS * period
    }
}

impl Indicator for Illiquidity {
    type Values = [f64; 1];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        if bar.first {
            return [f64::NAN];
        }
        let turnover = bar.close * bar.volume;
        let impact =
            if turnover > SMALLEST_TURNOVER { [bar.log_return.abs() / turnover, 1.0] } else { [0.0; 2] };
        let (short, long) = (self.short.push(impact), self.long.push(impact));
        let (Some([short, short_count]), Some([long, long_count])) = (short, long) else { return [f64::NAN] };
        // Both means times both counts.
        let (short, long) = (short * long_count, long * short_count);
        [if short + long > 0.0 { (short - long) / (short + long) } else { 0.0 }]
    }
}
