//! Volatility per candle from the logarithms of its prices.
//!
//! All give a standard deviation of the logarithmic price per candle, which a timeframe's square root of
//! candles per year would annualise.

use std::f64::consts::LN_2;

use serde::{Deserialize, Serialize};

use crate::bar::Bar;
use crate::indicator::Indicator;
use crate::indicator::deviation::RollingVariance;
use crate::indicator::window_fold::WindowSum;

/// ln(price / reference) of pairs of positive prices.
///
/// Prices within a tenth of each other take the series ln(a/b) = 2 (s + s³/3 + s⁵/5 + …) with
/// s = (a − b) / (a + b), cut where a term is less than one part in 10¹⁶. It costs less than the logarithm
/// and keeps all digits of small moves, which the rounding of a/b takes from `(a / b).ln()`. Several at once
/// share the division.
#[inline(always)]
fn log_ratios<const N: usize>(prices: [f64; N], references: [f64; N]) -> [f64; N] {
    const NEAR: f64 = 0.0025;
    let mut logs = [0.0; N];
    let mut farthest = 0.0;
    for (log, (price, reference)) in logs.iter_mut().zip(prices.into_iter().zip(references)) {
        let s = (price - reference) / (price + reference);
        let z = s * s;
        let z2 = z * z;
        let series = (1.0 + z * (1.0 / 3.0))
            + z2 * (1.0 / 5.0 + z * (1.0 / 7.0))
            + (z2 * z2) * (1.0 / 9.0 + z * (1.0 / 11.0));
        *log = (s + s) * series;
        farthest = if z > farthest { z } else { farthest };
    }
    if farthest < NEAR { logs } else { logs_of_ratios(prices, references) }
}

#[cold]
#[inline(never)]
fn logs_of_ratios<const N: usize>(prices: [f64; N], references: [f64; N]) -> [f64; N] {
    std::array::from_fn(|index| (prices[index] / references[index]).ln())
}

/// √variance, of a variance that rounding or odd candles may have made negative.
#[inline]
fn root(variance: f64) -> f64 {
    variance.max(0.0).sqrt()
}

/// Parkinson's volatility: √(Σ ln(high / low)² / (4 n ln 2)).
///
/// M. Parkinson, The Extreme Value Method for Estimating the Variance of the Rate of Return, Journal of
/// Business 53 (1980).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ParkinsonVolatility {
    squares: WindowSum,
    scale: f64,
}

impl ParkinsonVolatility {
    pub(crate) fn new(period: usize) -> Self {
        Self { squares: WindowSum::new(period), scale: 1.0 / (4.0 * LN_2 * period as f64) }
    }
}

impl Indicator for ParkinsonVolatility {
    type Values = [f64; 1];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        let [range] = log_ratios([bar.high], [bar.low]);
        [self.squares.push(range * range).map_or(f64::NAN, |sum| root(self.scale * sum))]
    }
}

/// Garman and Klass's volatility: √(Σ (½ ln(high / low)² − (2 ln 2 − 1) ln(close / open)²) / n).
///
/// M. Garman and M. Klass, On the Estimation of Security Price Volatilities from Historical Data, Journal of
/// Business 53 (1980), in the form for markets that do not close.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct GarmanKlassVolatility {
    terms: WindowSum,
    scale: f64,
}

impl GarmanKlassVolatility {
    pub(crate) fn new(period: usize) -> Self {
        Self { terms: WindowSum::new(period), scale: 1.0 / period as f64 }
    }
}

impl Indicator for GarmanKlassVolatility {
    type Values = [f64; 1];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        let [range, change] = log_ratios([bar.high, bar.close], [bar.low, bar.open]);
        let term = 0.5 * (range * range) - (2.0 * LN_2 - 1.0) * (change * change);
        [self.terms.push(term).map_or(f64::NAN, |sum| root(self.scale * sum))]
    }
}

/// ln(high/close) ln(high/open) + ln(low/close) ln(low/open), from the logarithms of high, low and close over
/// the open.
#[inline]
fn rogers_satchell_term(up: f64, down: f64, change: f64) -> f64 {
    up * (up - change) + down * (down - change)
}

/// Rogers and Satchell's volatility, which a steady drift of the price does not raise:
/// √(Σ (ln(high/close) ln(high/open) + ln(low/close) ln(low/open)) / n).
///
/// TA-Lib ROGERSSATCHELL with an annualisation of 1; L. Rogers and S. Satchell, Estimating Variance from
/// High, Low and Closing Prices, Annals of Applied Probability 1 (1991).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RogersSatchellVolatility {
    terms: WindowSum,
    scale: f64,
}

impl RogersSatchellVolatility {
    pub(crate) fn new(period: usize) -> Self {
        Self { terms: WindowSum::new(period), scale: 1.0 / period as f64 }
    }
}

impl Indicator for RogersSatchellVolatility {
    type Values = [f64; 1];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        let [up, down, change] = log_ratios([bar.high, bar.low, bar.close], [bar.open; 3]);
        let term = rogers_satchell_term(up, down, change);
        [self.terms.push(term).map_or(f64::NAN, |sum| root(self.scale * sum))]
    }
}

/// Yang and Zhang's volatility: √(V(ln(open / close before)) + k V(ln(close / open)) + (1 − k) V_rs), with
/// sample variances V, the mean V_rs of the terms of [`RogersSatchellVolatility`], and
/// k = 0.34 / (1.34 + (n + 1) / (n − 1)).
///
/// D. Yang and Q. Zhang, Drift-Independent Volatility Estimation Based on High, Low, Open, and Close Prices,
/// Journal of Business 73 (2000).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct YangZhangVolatility {
    gaps: RollingVariance,
    changes: RollingVariance,
    terms: WindowSum,
    gap_scale: f64,
    change_scale: f64,
    term_scale: f64,
}

impl YangZhangVolatility {
    pub(crate) fn new(period: usize) -> Self {
        let n = period as f64;
        let k = 0.34 / (1.34 + (n + 1.0) / (n - 1.0));
        let sample = n / (n - 1.0);
        Self {
            gaps: RollingVariance::new(period),
            changes: RollingVariance::new(period),
            terms: WindowSum::new(period),
            gap_scale: sample,
            change_scale: k * sample,
            term_scale: (1.0 - k) / n,
        }
    }
}

impl Indicator for YangZhangVolatility {
    type Values = [f64; 1];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        if bar.first {
            return [f64::NAN];
        }
        let [up, down, change, gap] = log_ratios(
            [bar.high, bar.low, bar.close, bar.open],
            [bar.open, bar.open, bar.open, bar.previous_close],
        );
        let gaps = self.gaps.push(gap);
        let changes = self.changes.push(change);
        let terms = self.terms.push(rogers_satchell_term(up, down, change));
        let Some(terms) = terms else { return [f64::NAN] };
        [root(self.gap_scale * gaps + self.change_scale * changes + self.term_scale * terms)]
    }
}

/// Volatility of an exponential average: σ² = λ σ² + (1 − λ) r² with the logarithmic return r, beginning
/// with the first r².
///
/// J.P. Morgan and Reuters, RiskMetrics — Technical Document, 4th edition (1996).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct EwmaVolatility {
    decay: f64,
    variance: Option<f64>,
}

impl EwmaVolatility {
    pub(crate) fn new(decay: f64) -> Self {
        Self { decay, variance: None }
    }
}

impl Indicator for EwmaVolatility {
    type Values = [f64; 1];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        if bar.first {
            return [f64::NAN];
        }
        let square = bar.log_return * bar.log_return;
        let variance = match self.variance {
            Some(variance) => self.decay * variance + (1.0 - self.decay) * square,
            None => square,
        };
        self.variance = Some(variance);
        [variance.sqrt()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::extreme_series;

    const PERIOD: usize = 20;

    /// ln(price / reference) with all digits, however near they are.
    fn ln(price: f64, reference: f64) -> f64 {
        let change = (price - reference) / reference;
        if change.abs() < 0.5 { change.ln_1p() } else { (price / reference).ln() }
    }

    fn mean(window: &[Bar], of: impl Fn(&Bar) -> f64) -> f64 {
        window.iter().map(of).sum::<f64>() / window.len() as f64
    }

    fn sample_variance(window: &[Bar], of: impl Fn(&Bar) -> f64) -> f64 {
        let center = mean(window, &of);
        mean(window, |bar| (of(bar) - center).powi(2)) * PERIOD as f64 / (PERIOD as f64 - 1.0)
    }

    fn rogers_satchell(bar: &Bar) -> f64 {
        ln(bar.high, bar.close) * ln(bar.high, bar.open) + ln(bar.low, bar.close) * ln(bar.low, bar.open)
    }

    /// Checks that from candle `lookback` on the square of an indicator is the `variance` of the last
    /// `PERIOD` candles.
    fn assert_volatility(
        indicator: &(impl Indicator<Values = [f64; 1]> + Clone),
        lookback: usize,
        variance: impl Fn(&[Bar]) -> f64,
    ) {
        for series in extreme_series::all() {
            let mut indicator = indicator.clone();
            let bars = series.bars_from(0);
            for (index, bar) in bars.iter().enumerate() {
                let [value] = indicator.push(bar);
                if index < lookback {
                    assert!(value.is_nan(), "{} at candle {index}", series.name);
                    continue;
                }
                let window = &bars[index + 1 - PERIOD..=index];
                let expected = variance(window);
                let moves =
                    |bar: &Bar| ln(bar.high, bar.low).powi(2) + ln(bar.open, bar.previous_close).powi(2);
                let allowed = 1e-9 * expected + 1e-14 * mean(window, moves);
                let what = || format!("{value} at candle {index} of {}, {}", series.name, expected.sqrt());
                assert!((value * value - expected).abs() <= allowed, "{}", what());
            }
        }
    }

    #[test]
    fn logarithms_of_near_and_far_prices() {
        for reference in [1e-8, 1.0, 98_765.4, 1e12] {
            for ratio in [1.0, 1.0 + 1e-12, 1.001, 0.95, 1.1, 1.105, 1.106, 1.2, 0.5, 30.0, 1e-6] {
                let price = reference * ratio;
                let [log] = log_ratios([price], [reference]);
                let expected = ln(price, reference);
                assert!((log - expected).abs() <= 1e-15 * expected.abs(), "{log} instead of {expected}");
            }
        }
    }

    #[test]
    fn parkinson() {
        assert_volatility(&ParkinsonVolatility::new(PERIOD), PERIOD - 1, |window| {
            mean(window, |bar| ln(bar.high, bar.low).powi(2)) / (4.0 * 2f64.ln())
        });
    }

    #[test]
    fn garman_klass() {
        assert_volatility(&GarmanKlassVolatility::new(PERIOD), PERIOD - 1, |window| {
            mean(window, |bar| {
                let (range, change) = (ln(bar.high, bar.low), ln(bar.close, bar.open));
                0.5 * range.powi(2) - 0.386_294_361_119_890_6 * change.powi(2)
            })
        });
    }

    #[test]
    fn rogers_and_satchell() {
        assert_volatility(&RogersSatchellVolatility::new(PERIOD), PERIOD - 1, |window| {
            mean(window, rogers_satchell)
        });
    }

    #[test]
    fn yang_zhang() {
        assert_volatility(&YangZhangVolatility::new(PERIOD), PERIOD, |window| {
            let k = 0.34 / (1.34 + 21.0 / 19.0);
            sample_variance(window, |bar| ln(bar.open, bar.previous_close))
                + k * sample_variance(window, |bar| ln(bar.close, bar.open))
                + (1.0 - k) * mean(window, rogers_satchell)
        });
    }

    /// For a path without drift whose every step is seen, all estimators find the same.
    #[test]
    fn estimators_agree_on_a_random_walk() {
        const STEPS: usize = 2000;
        let (sigma, mut price, mut dice) = (0.01, 100.0f64, extreme_series::Dice(5));
        let step = sigma / (STEPS as f64).sqrt();
        let candles = (0..250).map(|_| {
            let (open, mut high, mut low) = (price, price, price);
            for _ in 0..STEPS {
                price *= (step * (2.0 * dice.roll() - 1.0) * 3f64.sqrt()).exp();
                high = high.max(price);
                low = low.min(price);
            }
            [open, high, low, price, 1.0]
        });
        let bars = extreme_series::Series::from_candles("walk", candles).bars_from(0);
        let found = [
            bars.iter().map(|bar| bar.log_return.powi(2)).sum::<f64>() / bars.len() as f64,
            last(ParkinsonVolatility::new(240), &bars).powi(2),
            last(GarmanKlassVolatility::new(240), &bars).powi(2),
            last(RogersSatchellVolatility::new(240), &bars).powi(2),
            last(YangZhangVolatility::new(240), &bars).powi(2),
            last(EwmaVolatility::new(0.995), &bars).powi(2),
        ];
        for variance in found {
            assert!((variance.sqrt() / sigma - 1.0).abs() < 0.15, "{found:?}");
        }
    }

    fn last(mut indicator: impl Indicator<Values = [f64; 1]>, bars: &[Bar]) -> f64 {
        bars.iter().map(|bar| indicator.push(bar)[0]).last().unwrap()
    }

    #[test]
    fn exponentially_weighted() {
        let prices = [100.0, 101.0, 99.0, 99.0];
        let series = extreme_series::Series::from_candles(
            "four",
            prices.map(|price| [price, price, price, price, 1.0]),
        );
        let mut indicator = EwmaVolatility::new(0.9);
        let values: Vec<_> = series.bars_from(0).iter().map(|bar| indicator.push(bar)[0]).collect();
        assert!(values[0].is_nan());
        let (up, down) = (1.01f64.ln(), (99.0f64 / 101.0).ln());
        let second = 0.9 * up * up + 0.1 * down * down;
        for (value, expected) in values[1..].iter().zip([up, second.sqrt(), (0.9 * second).sqrt()]) {
            assert!((value - expected).abs() < 1e-15, "{value} instead of {expected}");
        }
    }
}
