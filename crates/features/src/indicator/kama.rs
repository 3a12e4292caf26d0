//! Kaufman's adaptive moving average.

use serde::{Deserialize, Serialize};

use super::Indicator;
use crate::bar::Bar;
use crate::rolling::Window;

/// Weight of an exponential average over 30 values, which Kaufman takes where the price goes nowhere.
const SLOWEST: f64 = 2.0 / (30.0 + 1.0);
/// Weight of an exponential average over 2 values, which Kaufman takes where the price goes straight.
const FASTEST: f64 = 2.0 / (2.0 + 1.0);

/// Kaufman's adaptive moving average of the close: an exponential average with the weight
/// `(efficiency · (2/3 − 2/31) + 2/31)²`, where the efficiency is the distance that the close has gone in
/// `period` candles, relative to the way it took, 0 to 1. In quote currency (TA-Lib KAMA; Perry Kaufman,
/// "Smarter Trading", 1995).
///
/// Where the close has not moved in `period` candles, the efficiency is 1, as in TA-Lib.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Kama {
    period: usize,
    closes: Window,
    /// Sum of the last `period` absolute changes, added and subtracted in TA-Lib's order.
    way: f64,
    /// The close that left the window last.
    departed: f64,
    /// Candles in a row whose close did not change, which tells a flat window where `way` has kept a rest of
    /// rounding.
    still: usize,
    average: f64,
}

impl Kama {
    pub(crate) fn new(period: usize) -> Self {
        Self { period, closes: Window::new(period), way: 0.0, departed: f64::NAN, still: 0, average: 0.0 }
    }
}

impl Indicator for Kama {
    type Values = [f64; 1];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        let departing = self.closes.push(bar.close);
        if bar.first {
            return [f64::NAN];
        }
        let change = (bar.close - bar.previous_close).abs();
        self.still = if change > 0.0 { 0 } else { self.still + 1 };
        let Some(departing) = departing else {
            self.way += change;
            return [f64::NAN];
        };
        if self.departed.is_nan() {
            self.average = bar.previous_close;
        } else {
            self.way -= (self.departed - departing).abs();
        }
        self.way += change;
        self.departed = departing;

        let distance = bar.close - departing;
        let efficiency = if self.still >= self.period {
            self.way = 0.0;
            1.0
        } else if self.way <= 0.0 {
            1.0
        } else {
            (distance / self.way).abs().min(1.0)
        };
        let weight = efficiency * (FASTEST - SLOWEST) + SLOWEST;
        self.average += weight * weight * (bar.close - self.average);
        [self.average]
    }
}
