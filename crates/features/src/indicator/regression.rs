//! Straight lines through the closes.

use serde::{Deserialize, Serialize};

use super::Indicator;
use crate::bar::Bar;
use crate::rolling::Window;

/// After so many windows the sums are taken anew.
const WINDOWS_BETWEEN_SUMS: usize = 32;
/// So many times what is left in the window a departing close must weigh for the sums to be taken anew.
const HEAVY: f64 = 100.0;

/// Slope of the line of least squares through the last `period` closes, in quote currency per candle (TA-Lib
/// LINEARREG_SLOPE).
///
/// With `x` for the age of a close, `slope = (n·Σxy − Σx·Σy) / ((Σx)² − n·Σx²)`. Both sums over `y` run along
/// and are taken anew where TA-Lib does so: at regular intervals, and when a close leaves that outweighs the
/// rest, since its rounding would stay behind.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LinearRegressionSlope {
    period: usize,
    closes: Window,
    /// Σy.
    sum: f64,
    /// Σxy.
    weighted: f64,
    /// Candles until the sums are taken anew.
    until_anew: usize,
    /// Σx.
    ages: f64,
    /// (Σx)² − n·Σx².
    divisor: f64,
}

impl LinearRegressionSlope {
    pub(crate) fn new(period: usize) -> Self {
        let n = period as f64;
        let ages = n * (n - 1.0) * 0.5;
        let squared_ages = n * (n - 1.0) * (2.0 * n - 1.0) / 6.0;
        Self {
            period,
            closes: Window::new(period),
            sum: 0.0,
            weighted: 0.0,
            until_anew: 0,
            ages,
            divisor: ages * ages - n * squared_ages,
        }
    }

    #[inline(always)]
    fn take_sums_anew(&mut self) {
        self.until_anew = WINDOWS_BETWEEN_SUMS * self.period;
        let (mut sum, mut weighted) = (0.0, 0.0);
        let mut age = self.period as f64;
        let (older, newer) = self.closes.as_slices();
        for close in older.iter().chain(newer) {
            age -= 1.0;
            sum += close;
            weighted += age * close;
        }
        (self.sum, self.weighted) = (sum, weighted);
    }
}

impl Indicator for LinearRegressionSlope {
    type Values = [f64; 1];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        let n = self.period as f64;
        if let Some(departing) = self.closes.push(bar.close) {
            self.weighted = self.weighted + self.sum - n * departing;
            self.sum = self.sum - departing + bar.close;
            self.until_anew -= 1;
            if self.until_anew == 0 || n * departing > HEAVY * self.sum {
                self.take_sums_anew();
            }
        } else if self.closes.is_full() {
            self.take_sums_anew();
        } else {
            return [f64::NAN];
        }
        [(n * self.weighted - self.ages * self.sum) / self.divisor]
    }
}
