//! The commodity channel index.

use serde::{Deserialize, Serialize};

use crate::bar::Bar;
use crate::indicator::Indicator;

/// Commodity channel index: `(typical - mean) / (0.015 * mean absolute deviation)` of the typical prices
/// `(high + low + close) / 3` of the last `period` candles.
///
/// Mostly from -100 to 100; 0 in a window without movement. Donald Lambert, *Commodities* (October 1980);
/// TA-Lib `CCI`, from candle `period - 1` on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CommodityChannelIndex {
    /// The last `period` typical prices, each where it was written.
    typical: Vec<f64>,
    next: usize,
    /// Sum of the typical prices before `next`, which are those of the ring's current round.
    round: f64,
    full: bool,
}

/// TA-Lib takes deviations for zero that are not larger than this share of the mean.
const FLAT: f64 = 1e-14;

impl CommodityChannelIndex {
    /// `period` is at least 2.
    pub(crate) fn new(period: usize) -> Self {
        Self { typical: vec![0.0; period], next: 0, round: 0.0, full: false }
    }
}

/// Sum of the distances of `values` from `center`. All terms are positive, so that the order does not matter:
/// taken from four places in turn, they need not wait for each other. Nor are they neighbours in memory,
/// which the compiler would load together and thereby wait for the newest value to be written.
#[inline]
fn total_distance(values: &[f64], center: f64) -> f64 {
    let quarter = values.len() / 4;
    let (first, others) = values.split_at(quarter);
    let (second, others) = others.split_at(quarter);
    let (third, others) = others.split_at(quarter);
    let (fourth, rest) = others.split_at(quarter);
    let mut sums = [0.0; 4];
    for (((a, b), c), d) in first.iter().zip(second).zip(third).zip(fourth) {
        sums[0] += (a - center).abs();
        sums[1] += (b - center).abs();
        sums[2] += (c - center).abs();
        sums[3] += (d - center).abs();
    }
    for value in rest {
        sums[0] += (value - center).abs();
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}

impl Indicator for CommodityChannelIndex {
    type Values = [f64; 1];

    // By itself the compiler leaves this out of a block's loop, which then takes a quarter longer.
    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        let typical = bar.typical();
        self.typical[self.next] = typical;
        self.next += 1;
        self.round += typical;
        // Summed in the order in which the ring lies in memory, as TA-Lib does: where prices are large and
        // move little, another order gives another distance from the mean.
        let sum = self.typical[self.next..].iter().fold(self.round, |sum, older| sum + older);
        if self.next == self.typical.len() {
            self.next = 0;
            self.round = 0.0;
            self.full = true;
        }
        if !self.full {
            return [f64::NAN];
        }
        let period = self.typical.len() as f64;
        let mean = sum / period;
        let distance = typical - mean;
        let deviation = total_distance(&self.typical, mean) / period;
        let flat = FLAT * mean;
        let scale = 0.015 * deviation;
        [if distance.abs() <= flat || deviation <= flat || scale == 0.0 { 0.0 } else { distance / scale }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::generated_series::{bars, closes};

    #[test]
    fn the_index_of_four_flat_candles() {
        let mut index = CommodityChannelIndex::new(3);
        let values: Vec<f64> =
            bars(&closes(&[1.0, 2.0, 6.0, 7.0])).iter().map(|bar| index.push(bar)[0]).collect();
        assert!(values[..2].iter().all(|value| value.is_nan()));
        // Mean 3, deviations 2, 1, 3; then mean 5, deviations 3, 1, 2.
        assert!((values[2] - 3.0 / (0.015 * 2.0)).abs() < 1e-9);
        assert!((values[3] - 2.0 / (0.015 * 2.0)).abs() < 1e-9);
    }

    #[test]
    fn all_lengths_are_summed_to_their_end() {
        let values: Vec<f64> = (0..11).map(f64::from).collect();
        for length in 0..values.len() {
            let expected: f64 = values[..length].iter().map(|value| (value - 2.5).abs()).sum();
            assert_eq!(total_distance(&values[..length], 2.5), expected);
        }
    }
}
