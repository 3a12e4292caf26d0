//! Where the close lies between the extremes of a window: the stochastic oscillators and Williams' %R.

use serde::{Deserialize, Serialize};

use crate::bar::Bar;
use crate::indicator::Indicator;
use crate::indicator::extremes::Extremes;
use crate::indicator::relative_strength::RelativeStrengthIndex;

/// Whether TA-Lib takes the extremes of a window for equal: they differ in their last bits at most.
#[inline]
fn is_flat(highest: f64, lowest: f64) -> bool {
    highest - lowest <= 1e-14 * (highest + lowest)
}

/// %K: `100 * (value - lowest) / (highest - lowest)`; 0 in a flat window, as in TA-Lib.
#[inline]
fn percent_of_range(value: f64, (highest, lowest): (f64, f64)) -> f64 {
    if is_flat(highest, lowest) { 0.0 } else { (value - lowest) / (highest - lowest) * 100.0 }
}

/// Simple average of percentages as TA-Lib's running sum, which rounding may carry over their bounds by the
/// last bits.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct AveragePercentage {
    percentages: Vec<f64>,
    next: usize,
    /// Percentages that are still missing from the first average.
    missing: usize,
    /// Sum of the percentages without the one that leaves next.
    sum: f64,
    period: f64,
}

impl AveragePercentage {
    fn new(period: usize) -> Self {
        Self { percentages: vec![0.0; period], next: 0, missing: period, sum: 0.0, period: period as f64 }
    }

    #[inline]
    fn push(&mut self, percentage: f64) -> Option<f64> {
        self.percentages[self.next] = percentage;
        self.next += 1;
        if self.next == self.percentages.len() {
            self.next = 0;
        }
        let sum = self.sum + percentage;
        if self.missing > 1 {
            self.missing -= 1;
            self.sum = sum;
            return None;
        }
        self.sum = sum - self.percentages[self.next];
        Some(sum / self.period)
    }
}

/// Slow stochastic: %K over `fast_k` candles, that is the close's place between lowest low and highest high,
/// averaged over `slow_k` candles (slow %K), and that averaged over `slow_d` candles (slow %D), both with
/// simple averages.
///
/// From 0 to 100; a window without movement counts as 0. George C. Lane, *Lane's Stochastics*, Stocks &
/// Commodities 2:3 (1984); TA-Lib `STOCH`, both values from candle `fast_k + slow_k + slow_d - 3` on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Stochastic {
    extremes: Extremes,
    slow_k: AveragePercentage,
    slow_d: AveragePercentage,
}

impl Stochastic {
    pub(crate) fn new(fast_k: usize, slow_k: usize, slow_d: usize) -> Self {
        Self {
            extremes: Extremes::new(fast_k),
            slow_k: AveragePercentage::new(slow_k),
            slow_d: AveragePercentage::new(slow_d),
        }
    }
}

impl Indicator for Stochastic {
    /// Slow %K and slow %D.
    type Values = [f64; 2];

    // By itself the compiler leaves this out of a block's loop, which then takes a quarter longer.
    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 2] {
        let Some(extremes) = self.extremes.push(bar.high, bar.low) else { return [f64::NAN; 2] };
        let Some(slow_k) = self.slow_k.push(percent_of_range(bar.close, extremes)) else {
            return [f64::NAN; 2];
        };
        let Some(slow_d) = self.slow_d.push(slow_k) else { return [f64::NAN; 2] };
        [slow_k.clamp(0.0, 100.0), slow_d.clamp(0.0, 100.0)]
    }
}

/// Stochastic of the relative strength index over `period`: its place between its own extremes of the last
/// `fast_k` candles (fast %K), and that averaged over `fast_d` candles with a simple average (fast %D).
///
/// From 0 to 100; a window without movement counts as 0. Tushar Chande and Stanley Kroll, *Stochastic RSI and
/// Dynamic Momentum Index*, Stocks & Commodities 11:5 (1993); TA-Lib `STOCHRSI`, both values from candle
/// `period + fast_k + fast_d - 2` on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StochasticRsi {
    strength: RelativeStrengthIndex,
    extremes: Extremes,
    fast_d: AveragePercentage,
}

impl StochasticRsi {
    /// `period` is at least 2.
    pub(crate) fn new(period: usize, fast_k: usize, fast_d: usize) -> Self {
        Self {
            strength: RelativeStrengthIndex::new(period),
            extremes: Extremes::new(fast_k),
            fast_d: AveragePercentage::new(fast_d),
        }
    }
}

impl Indicator for StochasticRsi {
    /// Fast %K and fast %D.
    type Values = [f64; 2];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 2] {
        let strength = self.strength.after(bar);
        if strength.is_nan() {
            return [f64::NAN; 2];
        }
        let Some(extremes) = self.extremes.push(strength, strength) else { return [f64::NAN; 2] };
        let fast_k = percent_of_range(strength, extremes);
        let Some(fast_d) = self.fast_d.push(fast_k) else { return [f64::NAN; 2] };
        [fast_k, fast_d.clamp(0.0, 100.0)]
    }
}

/// Williams' %R: `-100 * (highest high - close) / (highest high - lowest low)` of the last `period` candles.
///
/// From -100 to 0; 0 in a window without movement. Larry Williams, *How I Made One Million Dollars Last Year
/// Trading Commodities* (1973); TA-Lib `WILLR`, from candle `period - 1` on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct WilliamsPercentRange {
    extremes: Extremes,
}

impl WilliamsPercentRange {
    pub(crate) fn new(period: usize) -> Self {
        Self { extremes: Extremes::new(period) }
    }
}

impl Indicator for WilliamsPercentRange {
    type Values = [f64; 1];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        let Some((highest, lowest)) = self.extremes.push(bar.high, bar.low) else { return [f64::NAN] };
        [if is_flat(highest, lowest) { 0.0 } else { (highest - bar.close) / (highest - lowest) * -100.0 }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::generated_series::bars;

    /// `[open, high, low, close, volume]`; of two candles the highest are 12, 14, 14, the lowest 8, 9, 10.
    const CANDLES: [[f64; 5]; 4] = [
        [9.0, 12.0, 8.0, 10.0, 1.0],
        [10.0, 11.0, 9.0, 11.0, 1.0],
        [11.0, 14.0, 10.0, 10.0, 1.0],
        [10.0, 13.0, 10.0, 13.0, 1.0],
    ];

    #[test]
    fn the_stochastic_of_four_candles() {
        let mut stochastic = Stochastic::new(2, 2, 1);
        let values: Vec<_> = bars(&CANDLES).iter().map(|bar| stochastic.push(bar)).collect();
        assert!(values[..2].iter().flatten().all(|value| value.is_nan()));
        // Fast %K is 75, 20, 75.
        assert_eq!(values[2..], [[47.5, 47.5], [47.5, 47.5]]);
        let mut stochastic = Stochastic::new(2, 1, 3);
        let last = bars(&CANDLES).iter().map(|bar| stochastic.push(bar)).last();
        assert_eq!(last, Some([75.0, 170.0 / 3.0]));
    }

    #[test]
    fn williams_percent_range_of_four_candles() {
        let mut range = WilliamsPercentRange::new(2);
        let values: Vec<f64> = bars(&CANDLES).iter().map(|bar| range.push(bar)[0]).collect();
        assert!(values[0].is_nan());
        assert_eq!(values[1..], [-25.0, -80.0, -25.0]);
    }
}
