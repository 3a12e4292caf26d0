//! Williams' ultimate oscillator.

use serde::{Deserialize, Serialize};

use crate::bar::Bar;
use crate::indicator::Indicator;

/// Ultimate oscillator: `100 * (4 * short + 2 * medium + long) / 7`, where each is the share of buying
/// pressure `close - true low` in the true range, both summed over the period. The true low is the lower of
/// the low and the close before.
///
/// From 0 to 100; a period without movement counts as 0. Larry Williams, *The Ultimate Oscillator*, Stocks &
/// Commodities 3:4 (1985); TA-Lib `ULTOSC`, from candle `long` on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct UltimateOscillator {
    /// Short, medium, long.
    periods: [usize; 3],
    /// `[buying pressure, true range]` of the last `long` candles.
    terms: Vec<[f64; 2]>,
    next: usize,
    /// Sums of the terms over each period.
    sums: [[f64; 2]; 3],
    /// Candles that are still missing from the first value.
    missing: usize,
    /// Candles without any movement up to now.
    still: usize,
}

impl UltimateOscillator {
    /// `periods` are at least 1 and do not fall.
    pub(crate) fn new(periods: [usize; 3]) -> Self {
        let [_, _, long] = periods;
        Self { periods, terms: vec![[0.0; 2]; long], next: 0, sums: [[0.0; 2]; 3], missing: long, still: 0 }
    }

    /// `[buying pressure, true range]` of the candle that was written `age` candles before the newest.
    #[inline]
    fn term(&self, age: usize) -> [f64; 2] {
        self.terms[if self.next > age { self.next - 1 - age } else { self.terms.len() + self.next - 1 - age }]
    }
}

impl Indicator for UltimateOscillator {
    type Values = [f64; 1];

    // By itself the compiler leaves this out of a block's loop, which then takes a quarter longer.
    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        if bar.first {
            return [f64::NAN];
        }
        let true_low = if bar.low < bar.previous_close { bar.low } else { bar.previous_close };
        let term = [bar.close - true_low, bar.true_range];
        self.terms[self.next] = term;
        self.next += 1;
        if self.next == self.terms.len() {
            self.next = 0;
        }
        if self.missing > 0 {
            // Each sum begins with the candle that is the first of its period at the first value, so that
            // it has been rounded as often as TA-Lib's.
            for (sum, period) in self.sums.iter_mut().zip(self.periods) {
                if self.missing <= period {
                    sum[0] += term[0];
                    sum[1] += term[1];
                }
            }
            self.missing -= 1;
        } else {
            for sum in &mut self.sums {
                sum[0] += term[0];
                sum[1] += term[1];
            }
        }
        self.still = if bar.true_range + term[0] > 0.0 { 0 } else { self.still + 1 };
        if self.still >= self.periods[0] {
            // Nothing but zeros: what the running sums still hold is rounding.
            for (sum, period) in self.sums.iter_mut().zip(self.periods) {
                if self.still >= period {
                    *sum = [0.0; 2];
                }
            }
        }
        if self.missing > 0 {
            return [f64::NAN];
        }
        let [short, medium, long] =
            self.sums.map(|[pressure, range]| if range > 0.0 { pressure / range } else { 0.0 });
        for index in 0..3 {
            let leaving = self.term(self.periods[index] - 1);
            self.sums[index][0] -= leaving[0];
            self.sums[index][1] -= leaving[1];
        }
        // After a candle that was larger than those after it by many powers of ten, the running sums have
        // lost their last digits, and the quotients may leave their bounds.
        [(100.0 * ((4.0 * short + 2.0 * medium + long) / 7.0)).clamp(0.0, 100.0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::generated_series::bars;

    #[test]
    fn the_oscillator_of_four_candles() {
        let candles = [
            [9.0, 12.0, 8.0, 10.0, 1.0],
            [10.0, 11.0, 9.0, 11.0, 1.0],
            [11.0, 14.0, 12.0, 13.0, 1.0],
            [13.0, 13.0, 9.0, 10.0, 1.0],
        ];
        let mut oscillator = UltimateOscillator::new([1, 2, 3]);
        let values: Vec<f64> = bars(&candles).iter().map(|bar| oscillator.push(bar)[0]).collect();
        assert!(values[..3].iter().all(|value| value.is_nan()));
        // Buying pressure 2, 2, 1 of true ranges 2, 3, 4.
        let expected = 100.0 * (4.0 * (1.0 / 4.0) + 2.0 * (3.0 / 7.0) + 5.0 / 9.0) / 7.0;
        assert!((values[3] - expected).abs() < 1e-12);
    }

    #[test]
    fn a_price_that_stands_still_leaves_nothing_behind() {
        let mut candles =
            vec![[0.1, 0.7, 0.1, 0.3, 1.0], [0.3, 0.9, 0.2, 0.3, 1.0], [0.3, 0.4, 0.1, 0.3, 1.0]];
        candles.extend([[0.3, 0.3, 0.3, 0.3, 1.0]; 6]);
        let mut oscillator = UltimateOscillator::new([2, 3, 5]);
        let last = bars(&candles).iter().map(|bar| oscillator.push(bar)).last();
        assert_eq!(last, Some([0.0]));
    }
}
