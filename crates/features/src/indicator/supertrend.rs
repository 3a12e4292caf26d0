//! SuperTrend: a trailing band that changes sides.

use std::hint::select_unpredictable;

use serde::{Deserialize, Serialize};

use super::Indicator;
use crate::bar::Bar;

/// SuperTrend: a band of `multiplier` average true ranges around the middle of the candle, whose lower side
/// follows a rising price and whose upper side follows a falling one; a close beyond the side that counts
/// turns the direction. Values are that side in quote currency and the direction, 1 for rising and −1 for
/// falling (TA-Lib SUPERTREND; Olivier Seban, "Tout le monde mérite d'être riche").
///
/// Rising at first, as in TA-Lib.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SuperTrend {
    period: usize,
    multiplier: f64,
    /// Weight of the average true range so far; the newest one's is the rest.
    kept: f64,
    /// Until it begins, the sum of the true ranges so far.
    average_true_range: f64,
    /// True ranges that are still missing before it begins.
    missing: usize,
    upper: f64,
    lower: f64,
    rising: bool,
}

impl SuperTrend {
    pub(crate) fn new(period: usize, multiplier: f64) -> Self {
        Self {
            period,
            multiplier,
            kept: (period as f64 - 1.0) / period as f64,
            average_true_range: 0.0,
            missing: period,
            upper: f64::NAN,
            lower: f64::NAN,
            rising: true,
        }
    }

    /// The band around this candle.
    #[inline]
    fn band(&self, bar: &Bar) -> (f64, f64) {
        let middle = (bar.high + bar.low) / 2.0;
        let width = self.multiplier * self.average_true_range;
        (middle + width, middle - width)
    }

    /// Adds one of the first true ranges.
    #[inline(always)]
    fn begin(&mut self, bar: &Bar) -> [f64; 2] {
        self.average_true_range += bar.true_range;
        self.missing -= 1;
        if self.missing > 0 {
            return [f64::NAN; 2];
        }
        self.average_true_range /= self.period as f64;
        (self.upper, self.lower) = self.band(bar);
        [self.lower, 1.0]
    }
}

impl Indicator for SuperTrend {
    /// The side that counts, and the direction.
    type Values = [f64; 2];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 2] {
        if bar.first {
            return [f64::NAN; 2];
        }
        if self.missing > 0 {
            return self.begin(bar);
        }
        // Fused as in TA-Lib: where a close lies exactly on the band, the last bit decides the direction, and
        // all values after that.
        let newest = (1.0 - self.kept) * bar.true_range;
        self.average_true_range = self.kept.mul_add(self.average_true_range, newest);
        let (upper, lower) = self.band(bar);
        // Selections instead of branches: which way they go cannot be predicted.
        let upper_released = (upper < self.upper) | (bar.previous_close > self.upper);
        let lower_released = (lower > self.lower) | (bar.previous_close < self.lower);
        self.upper = select_unpredictable(upper_released, upper, self.upper);
        self.lower = select_unpredictable(lower_released, lower, self.lower);
        self.rising = if self.rising { bar.close >= self.lower } else { bar.close > self.upper };
        if self.rising { [self.lower, 1.0] } else { [self.upper, -1.0] }
    }
}
