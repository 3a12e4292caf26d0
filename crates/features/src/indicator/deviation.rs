//! How far closes lie from their mean: standard deviation and Bollinger Bands.

use serde::{Deserialize, Serialize};

use crate::bar::Bar;
use crate::indicator::Indicator;

/// The last windows after which the sums of [`RollingVariance`] are taken anew at the latest.
const WINDOWS_BETWEEN_REBUILDS: u64 = 32;

/// Below this share of the largest mean square since the last rebuild a variance is too close to the
/// rounding of the sums that it comes from.
const SHARE_LOST_TO_ROUNDING: f64 = 1e-6;

/// A variance below this share of the mean square that it comes from is nothing but rounding.
const SHARE_OF_NOTHING: f64 = 1e-12;

/// The farthest that one of `period` values can lie from their mean, in standard deviations.
pub(crate) fn largest_score(period: usize) -> f64 {
    (period as f64 - 1.0).sqrt()
}

/// Mean and population variance of the last values, with the arithmetic of TA-Lib's VAR.
///
/// Running sums of the values and their squares, measured from a value near them, so that the variance is
/// not the small difference of two large numbers. The sums are taken anew from the window, and from its mean,
/// every 32 windows, and when the variance has become so small against the largest squares since then that
/// their rounding would show: after a spike has left the window, or when the price has wandered off.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RollingVariance {
    /// Ring of the last values; `next` is where the next one goes, which is where the oldest one is.
    values: Vec<f64>,
    next: usize,
    /// How many values are missing until the ring is full.
    missing: usize,
    per_value: f64,
    pushes_to_rebuild: u64,
    /// From where values are measured.
    origin: f64,
    /// Sums of the measured values, without the one that leaves next.
    sums: Sums,
    /// Largest sum of squares since the last rebuild.
    largest_squares: f64,
    /// Mean of the measured values.
    measured_mean: f64,
}

impl RollingVariance {
    pub(crate) fn new(period: usize) -> Self {
        let period = period.max(1);
        Self {
            values: vec![0.0; period],
            next: 0,
            missing: period,
            per_value: 1.0 / period as f64,
            pushes_to_rebuild: WINDOWS_BETWEEN_REBUILDS * period as u64,
            origin: 0.0,
            sums: Sums::default(),
            largest_squares: 0.0,
            measured_mean: 0.0,
        }
    }

    /// Adds a value; gives the variance of the last `period` values, never negative, NaN before there are so
    /// many.
    #[inline(always)]
    pub(crate) fn push(&mut self, value: f64) -> f64 {
        if self.missing == self.values.len() {
            self.origin = value;
        }
        self.values[self.next] = value;
        self.next += 1;
        if self.next == self.values.len() {
            self.next = 0;
        }
        let measured = value - self.origin;
        let mut sums =
            Sums { sum: self.sums.sum + measured, squares: self.sums.squares + measured * measured };
        if self.missing > 1 {
            self.missing -= 1;
            self.sums = sums;
            return f64::NAN;
        }
        self.missing = 0;
        if sums.squares > self.largest_squares {
            self.largest_squares = sums.squares;
        }
        let mut variance = sums.variance(self.per_value);
        self.pushes_to_rebuild = self.pushes_to_rebuild.saturating_sub(1);
        if variance < SHARE_LOST_TO_ROUNDING * (self.largest_squares * self.per_value)
            || self.pushes_to_rebuild == 0
        {
            (self.origin, sums) = Sums::of_window(&self.values, self.next, self.per_value);
            self.pushes_to_rebuild = WINDOWS_BETWEEN_REBUILDS * self.values.len() as u64;
            self.largest_squares = sums.squares;
            variance = sums.variance(self.per_value);
            if variance < SHARE_OF_NOTHING * (sums.squares * self.per_value) {
                variance = 0.0;
            }
        }
        self.measured_mean = sums.sum * self.per_value;
        let leaving = self.values[self.next] - self.origin;
        self.sums = Sums { sum: sums.sum - leaving, squares: sums.squares - leaving * leaving };
        variance
    }

    /// The mean of the last `period` values, once there are so many.
    #[inline]
    pub(crate) fn mean(&self) -> f64 {
        self.origin + self.measured_mean
    }

    /// How far the value that was just pushed, with the variance of then, is from the mean, in standard
    /// deviations: at most [`largest_score`]. 0 where all values are equal.
    #[inline]
    pub(crate) fn score(&self, value: f64, standard_deviation: f64, largest: f64) -> f64 {
        if standard_deviation == 0.0 {
            return 0.0;
        }
        let score = (value - self.origin - self.measured_mean) / standard_deviation;
        score.clamp(-largest, largest)
    }
}

/// Sum of values, measured from an origin, and of their squares.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Sums {
    sum: f64,
    squares: f64,
}

impl Sums {
    #[inline]
    fn variance(self, per_value: f64) -> f64 {
        let mean = self.sum * per_value;
        self.squares * per_value - mean * mean
    }

    /// A good origin for a whole window and the sums measured from it. `next` is the place of the oldest value.
    #[cold]
    fn of_window(values: &[f64], next: usize, per_value: f64) -> (f64, Self) {
        let (newer, older) = values.split_at(next);
        let mut total = 0.0;
        for value in older.iter().chain(newer) {
            total += value;
        }
        let origin = total * per_value;
        let sums = Self::measured_from(origin, older, newer);
        if sums.variance(per_value) < SHARE_LOST_TO_ROUNDING * (sums.squares * per_value) {
            // All values are equal but for the rounding of their mean. Measured from one of them, the newest,
            // the equal ones count exactly nothing.
            if let Some(&newest) = newer.last().or(older.last()) {
                return (newest, Self::measured_from(newest, older, newer));
            }
        }
        (origin, sums)
    }

    fn measured_from(origin: f64, older: &[f64], newer: &[f64]) -> Self {
        let mut sums = Self::default();
        for value in older.iter().chain(newer) {
            let measured = value - origin;
            sums.sum += measured;
            sums.squares += measured * measured;
        }
        sums
    }
}

/// Standard deviation of the last closes, √(Σ (close − mean)² / n), in quote currency.
///
/// TA-Lib STDDEV of the close, with one deviation: over the whole window (population), not a sample of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StandardDeviation {
    variance: RollingVariance,
}

impl StandardDeviation {
    pub(crate) fn new(period: usize) -> Self {
        Self { variance: RollingVariance::new(period) }
    }
}

impl Indicator for StandardDeviation {
    type Values = [f64; 1];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        [self.variance.push(bar.close).sqrt()]
    }
}

/// Bollinger Bands of the close: mean ± deviations × standard deviation.
///
/// John Bollinger, Bollinger on Bollinger Bands (2001). Values: upper and lower band in quote currency
/// (TA-Lib BBANDS with a simple average); %b = (close − lower) / (upper − lower), 0.5 where the bands
/// coincide (TA-Lib PERCENTB); bandwidth = (upper − lower) / mean (TA-Lib BBW / 100).
///
/// The mean comes from the sums of [`RollingVariance`], which do not drift, and %b from the distance between
/// close and mean, because the bands of a quiet price differ by less than the rounding of TA-Lib's average.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BollingerBands {
    variance: RollingVariance,
    deviations: f64,
    /// %b is 0.5 plus this times the distance from the mean in standard deviations.
    percent_per_score: f64,
    largest_score: f64,
}

impl BollingerBands {
    pub(crate) fn new(period: usize, deviations: f64) -> Self {
        Self {
            variance: RollingVariance::new(period),
            deviations,
            percent_per_score: Self::percent_per_score(deviations),
            largest_score: largest_score(period),
        }
    }

    fn percent_per_score(deviations: f64) -> f64 {
        0.5 / deviations
    }

    /// Smallest and largest possible %b.
    pub(crate) fn percent_b_bounds(period: usize, deviations: f64) -> (f64, f64) {
        let farthest = Self::percent_per_score(deviations) * largest_score(period);
        (0.5 - farthest, 0.5 + farthest)
    }
}

impl Indicator for BollingerBands {
    type Values = [f64; 4];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 4] {
        let standard_deviation = self.variance.push(bar.close).sqrt();
        let mean = self.variance.mean();
        let distance = self.deviations * standard_deviation;
        let score = self.variance.score(bar.close, standard_deviation, self.largest_score);
        [mean + distance, mean - distance, 0.5 + self.percent_per_score * score, 2.0 * distance / mean]
    }
}
