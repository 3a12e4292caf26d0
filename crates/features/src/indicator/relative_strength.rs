//! How much of the movement went up: the relative strength index and Chande's momentum oscillator.

use serde::{Deserialize, Serialize};

use crate::bar::Bar;
use crate::indicator::Indicator;

/// The part of a change that went up and the part that went down, both as sizes.
#[inline]
fn gain_and_loss(change: f64) -> [f64; 2] {
    let gain = if change > 0.0 { change } else { 0.0 };
    [gain, gain - change]
}

/// Relative strength index: `100 * average gain / (average gain + average loss)` of the closes' changes, with
/// Wilder's averages over `period` changes, which begin as simple ones.
///
/// From 0 to 100; 50 where the price has not moved at all. J. Welles Wilder, *New Concepts in Technical
/// Trading Systems* (1978); TA-Lib `RSI`, from candle `period` on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RelativeStrengthIndex {
    /// Average gain and average loss. One array, since the processor waits when it is to load two numbers at
    /// once that were stored one by one.
    averages: [f64; 2],
    /// `period - 1`.
    kept: f64,
    /// `1 / period`.
    share: f64,
    /// Changes that are still missing from the first averages.
    missing: usize,
}

impl RelativeStrengthIndex {
    /// `period` is at least 2.
    pub(crate) fn new(period: usize) -> Self {
        Self { averages: [0.0; 2], kept: period as f64 - 1.0, share: 1.0 / period as f64, missing: period }
    }

    /// The index after this candle; NaN as long as there is none.
    #[inline]
    pub(crate) fn after(&mut self, bar: &Bar) -> f64 {
        if bar.first {
            return f64::NAN;
        }
        let changes = gain_and_loss(bar.close - bar.previous_close);
        if self.missing == 0 {
            // Not rearranged into fewer operations: in a market that stands still for days both averages
            // shrink until only their last bits are left, and these decide the index.
            for (average, change) in self.averages.iter_mut().zip(changes) {
                *average = (*average * self.kept + change) * self.share;
            }
        } else {
            for (average, change) in self.averages.iter_mut().zip(changes) {
                *average += change;
            }
            self.missing -= 1;
            if self.missing > 0 {
                return f64::NAN;
            }
            self.averages = self.averages.map(|sum| sum * self.share);
        }
        let [gain, loss] = self.averages;
        let movement = gain + loss;
        if movement > 0.0 { 100.0 * (gain / movement) } else { 50.0 }
    }
}

impl Indicator for RelativeStrengthIndex {
    type Values = [f64; 1];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        [self.after(bar)]
    }
}

/// Chande's momentum oscillator: `100 * (average gain - average loss) / (average gain + average loss)` of the
/// closes' changes, with Wilder's averages over `period` changes, which begin as simple ones.
///
/// From -100 to 100; 0 where the price has not moved at all. Tushar Chande and Stanley Kroll, *The New
/// Technical Trader* (1994), who take plain sums; TA-Lib `CMO`, from candle `period` on, takes Wilder's
/// averages.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ChandeMomentum {
    /// Average gain and average loss.
    averages: [f64; 2],
    period: f64,
    /// `1 / period`.
    share: f64,
    /// Changes that are still missing from the first averages.
    missing: usize,
}

impl ChandeMomentum {
    /// `period` is at least 2.
    pub(crate) fn new(period: usize) -> Self {
        Self { averages: [0.0; 2], period: period as f64, share: 1.0 / period as f64, missing: period }
    }
}

impl Indicator for ChandeMomentum {
    type Values = [f64; 1];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        if bar.first {
            return [f64::NAN];
        }
        let changes = gain_and_loss(bar.close - bar.previous_close);
        if self.missing == 0 {
            // Other operations than those of the relative strength index, as in TA-Lib, for the same reason.
            for (average, change) in self.averages.iter_mut().zip(changes) {
                *average += change * self.share - *average * self.share;
            }
        } else {
            for (average, change) in self.averages.iter_mut().zip(changes) {
                *average += change;
            }
            self.missing -= 1;
            if self.missing > 0 {
                return [f64::NAN];
            }
            self.averages = self.averages.map(|sum| sum / self.period);
        }
        let [gain, loss] = self.averages;
        let movement = gain + loss;
        [if movement > 0.0 { 100.0 * ((gain - loss) / movement) } else { 0.0 }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::generated_series::{bars, closes};

    /// Seed over the changes +1, -1, +2; then a change of -3 in Wilder's average.
    const CLOSES: [f64; 5] = [10.0, 11.0, 10.0, 12.0, 9.0];

    #[test]
    fn the_relative_strength_of_five_closes() {
        let mut index = RelativeStrengthIndex::new(3);
        let values: Vec<f64> = bars(&closes(&CLOSES)).iter().map(|bar| index.push(bar)[0]).collect();
        assert!(values[..3].iter().all(|value| value.is_nan()));
        assert!((values[3] - 75.0).abs() < 1e-12);
        // Average gain 1 * 2 / 3, average loss (1 / 3 * 2 + 3) / 3.
        assert!((values[4] - 100.0 * (2.0 / 3.0) / (2.0 / 3.0 + 11.0 / 9.0)).abs() < 1e-12);
    }

    #[test]
    fn chandes_momentum_of_five_closes() {
        let mut oscillator = ChandeMomentum::new(3);
        let values: Vec<f64> = bars(&closes(&CLOSES)).iter().map(|bar| oscillator.push(bar)[0]).collect();
        assert!(values[..3].iter().all(|value| value.is_nan()));
        assert!((values[3] - 50.0).abs() < 1e-12);
        assert!((values[4] - 100.0 * (2.0 / 3.0 - 11.0 / 9.0) / (2.0 / 3.0 + 11.0 / 9.0)).abs() < 1e-12);
    }

    #[test]
    fn a_price_that_stands_still_is_neutral() {
        let bars = bars(&closes(&[7.0; 10]));
        let mut index = RelativeStrengthIndex::new(3);
        let mut oscillator = ChandeMomentum::new(3);
        let last = bars.iter().map(|bar| (index.push(bar), oscillator.push(bar))).last();
        assert_eq!(last, Some(([50.0], [0.0])));
    }
}
