//! Logarithmic returns.

use serde::{Deserialize, Serialize};

use crate::bar::Bar;
use crate::indicator::Indicator;
use crate::rolling::Window;

/// Logarithmic returns `ln(close / close before period candles)` over `N` periods, each from candle `period`
/// on.
///
/// As differences of logarithms, which costs one logarithm per candle for all periods together.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LogReturns<const N: usize> {
    periods: Vec<usize>,
    /// Logarithms of the closes, as many as the longest period reaches back.
    logarithms: Window,
}

impl<const N: usize> LogReturns<N> {
    pub(crate) fn new(periods: [usize; N]) -> Self {
        let longest = periods.iter().copied().max().unwrap_or(0);
        Self { periods: periods.into(), logarithms: Window::new(longest + 1) }
    }
}

impl<const N: usize> Indicator for LogReturns<N> {
    type Values = [f64; N];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [f64; N] {
        let logarithm = bar.close.ln();
        self.logarithms.push(logarithm);
        let mut values = [f64::NAN; N];
        for (value, &period) in values.iter_mut().zip(&self.periods) {
            if period < self.logarithms.len() {
                *value = logarithm - self.logarithms.back(period);
            }
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::generated_series::{bars, random_walk};

    #[test]
    fn the_logarithm_of_the_ratio_of_closes() {
        let periods = [60, 1, 2, 7];
        let candles = random_walk(500);
        let mut returns = LogReturns::new(periods);
        for (index, bar) in bars(&candles).iter().enumerate() {
            for (value, period) in returns.push(bar).into_iter().zip(periods) {
                match index.checked_sub(period) {
                    None => assert!(value.is_nan()),
                    Some(before) => {
                        assert!((value - (bar.close / candles[before][3]).ln()).abs() < 1e-14);
                    }
                }
            }
        }
    }
}
