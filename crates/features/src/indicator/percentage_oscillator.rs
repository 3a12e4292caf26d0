//! Oscillators of exponential averages in percent: TRIX and the percentage price oscillator.

use serde::{Deserialize, Serialize};

use crate::bar::Bar;
use crate::indicator::Indicator;
use crate::smoothing::Ema;

/// Below this TA-Lib takes an average that it divides by for zero. No price is so small.
const ZERO: f64 = 1e-14;

/// TRIX: change in percent, from one candle to the next, of the close smoothed by three exponential averages
/// in a row, all over `period` candles.
///
/// Jack K. Hutson, *Good TRIX*, Stocks & Commodities 1:5 (1983); TA-Lib `TRIX`, from candle `3 * (period - 1)
/// + 1` on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Trix {
    once: Ema,
    twice: Ema,
    thrice: Ema,
    /// NaN as long as there is none, so that the first quotient is NaN too.
    before: f64,
}

impl Trix {
    /// `period` is at least 2.
    pub(crate) fn new(period: usize) -> Self {
        Self { once: Ema::new(period), twice: Ema::new(period), thrice: Ema::new(period), before: f64::NAN }
    }
}

impl Indicator for Trix {
    type Values = [f64; 1];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        let smoothed = self
            .once
            .push(bar.close)
            .and_then(|average| self.twice.push(average))
            .and_then(|average| self.thrice.push(average));
        let Some(smoothed) = smoothed else { return [f64::NAN] };
        let before = std::mem::replace(&mut self.before, smoothed);
        [if before == 0.0 { 0.0 } else { (smoothed / before - 1.0) * 100.0 }]
    }
}

/// Percentage price oscillator: distance of the fast exponential average of the closes from the slow one, in
/// percent of the slow one.
///
/// Gerald Appel's MACD as a percentage; TA-Lib `PPO` with its default averages, `MAType::EMA`, from candle
/// `slow - 1` on. Each average is seeded with its own first candles.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PercentagePriceOscillator {
    fast: Ema,
    slow: Ema,
}

impl PercentagePriceOscillator {
    /// `fast` is at least 2 and `slow` is longer.
    pub(crate) fn new(fast: usize, slow: usize) -> Self {
        Self { fast: Ema::new(fast), slow: Ema::new(slow) }
    }
}

impl Indicator for PercentagePriceOscillator {
    type Values = [f64; 1];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        let (Some(fast), Some(slow)) = (self.fast.push(bar.close), self.slow.push(bar.close)) else {
            return [f64::NAN];
        };
        [if slow < ZERO { 0.0 } else { (fast - slow) / slow * 100.0 }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::generated_series::{bars, closes};

    #[test]
    fn the_percentage_price_oscillator_of_four_closes() {
        let mut oscillator = PercentagePriceOscillator::new(2, 3);
        let values: Vec<f64> =
            bars(&closes(&[2.0, 4.0, 9.0, 6.0])).iter().map(|bar| oscillator.push(bar)[0]).collect();
        assert!(values[..2].iter().all(|value| value.is_nan()));
        // Fast: seed 3, then 3 + 2/3 * 6 = 7, then 7 - 2/3 = 19/3. Slow: seed 5, then 5.5.
        assert!((values[2] - 40.0).abs() < 1e-12);
        assert!((values[3] - (19.0 / 3.0 - 5.5) / 5.5 * 100.0).abs() < 1e-12);
    }

    #[test]
    fn steady_growth_is_its_own_trix() {
        let growth: Vec<f64> = (0..2_000).map(|candle| 1.001_f64.powi(candle)).collect();
        let mut trix = Trix::new(5);
        let values: Vec<f64> = bars(&closes(&growth)).iter().map(|bar| trix.push(bar)[0]).collect();
        assert!(values[..13].iter().all(|value| value.is_nan()) && values[13].is_finite());
        assert!((values[1_999] - 0.1).abs() < 1e-12);
    }
}
