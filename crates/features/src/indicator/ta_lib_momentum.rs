//! Comparison of the oscillators with TA-Lib on generated series.

use ta_lib::{Core, MAType, OutRange, RetCode};

use crate::bar::Bar;
use crate::indicator::Indicator;
use crate::indicator::commodity_channel::CommodityChannelIndex;
use crate::indicator::generated_series::{Candle, all, bars};
use crate::indicator::percentage_oscillator::{PercentagePriceOscillator, Trix};
use crate::indicator::rate_of_change::RateOfChange;
use crate::indicator::relative_strength::{ChandeMomentum, RelativeStrengthIndex};
use crate::indicator::stochastic::{Stochastic, StochasticRsi, WilliamsPercentRange};
use crate::indicator::ultimate_oscillator::UltimateOscillator;

/// Prices as TA-Lib takes them.
struct Prices {
    bars: Vec<Bar>,
    high: Vec<f64>,
    low: Vec<f64>,
    close: Vec<f64>,
    last: usize,
}

impl Prices {
    fn new(candles: &[Candle]) -> Self {
        let column = |index: usize| candles.iter().map(|candle| candle[index]).collect();
        Self {
            bars: bars(candles),
            high: column(1),
            low: column(2),
            close: column(3),
            last: candles.len() - 1,
        }
    }

    /// TA-Lib's values, one column for each; NaN before its first.
    fn ta_lib<const N: usize>(
        &self,
        function: impl FnOnce(&mut [Vec<f64>; N]) -> Result<OutRange, RetCode>,
    ) -> [Vec<f64>; N] {
        let mut out = std::array::from_fn(|_| vec![0.0; self.bars.len()]);
        let range = function(&mut out).unwrap();
        assert!(range.count > 0);
        assert_eq!(range.beg_idx + range.count, self.bars.len());
        out.map(|values| {
            let mut column = vec![f64::NAN; range.beg_idx];
            column.extend(&values[..range.count]);
            column
        })
    }
}

/// How much an indicator may differ from TA-Lib.
#[derive(Clone, Copy)]
struct Tolerance {
    relative: f64,
    absolute: f64,
    /// The bounds that TA-Lib's values leave by rounding.
    bounds: [f64; 2],
}

/// To the last bit.
const SAME: Tolerance =
    Tolerance { relative: 0.0, absolute: 0.0, bounds: [f64::NEG_INFINITY, f64::INFINITY] };
/// To the last bit, within the bounds of a percentage.
const PERCENTAGE: Tolerance = Tolerance { bounds: [0.0, 100.0], ..SAME };
/// But for the order of a sum of positive numbers.
const ROUNDED: Tolerance = Tolerance { relative: 1e-12, ..SAME };
/// Where averages that are nearly equal are subtracted or divided, their last bits, which a fused
/// multiply-add rounds differently, are a share of the price and not of the result: one part in 1e14, in
/// percent.
const PERCENT_OF_PRICE: Tolerance = Tolerance { relative: 1e-12, absolute: 1e-12, ..SAME };

fn compare<I, const N: usize>(
    name: &str,
    prices: &Prices,
    mut indicator: I,
    expected: &[Vec<f64>; N],
    tolerance: Tolerance,
) where
    I: Indicator<Values = [f64; N]>,
{
    let [lowest, highest] = tolerance.bounds;
    for (index, bar) in prices.bars.iter().enumerate() {
        for (value, column) in indicator.push(bar).into_iter().zip(expected) {
            let expected = column[index].clamp(lowest, highest);
            if expected.is_nan() {
                assert!(value.is_nan(), "{name}, candle {index}: {value} before TA-Lib's first value");
                continue;
            }
            let allowed = tolerance.relative * expected.abs() + tolerance.absolute;
            assert!(
                (value - expected).abs() <= allowed,
                "{name}, candle {index}: {value}, TA-Lib {expected}"
            );
        }
    }
}

/// Runs a comparison on each of the generated series.
fn on_all_series(comparison: impl Fn(&Core, &str, &Prices)) {
    let core = Core::new();
    for series in all() {
        comparison(&core, series.name, &Prices::new(&series.candles));
    }
}

#[test]
fn the_relative_strength_index_is_that_of_ta_lib() {
    on_all_series(|core, series, prices| {
        for period in [2, 7, 14, 21, 100] {
            let expected = prices.ta_lib(|[out]| core.rsi(0, prices.last, &prices.close, period as i32, out));
            let name = format!("rsi {period} on {series}");
            compare(&name, prices, RelativeStrengthIndex::new(period), &expected, SAME);
        }
    });
}

#[test]
fn chandes_momentum_is_that_of_ta_lib() {
    on_all_series(|core, series, prices| {
        for period in [2, 7, 14, 100] {
            let expected = prices.ta_lib(|[out]| core.cmo(0, prices.last, &prices.close, period as i32, out));
            let name = format!("cmo {period} on {series}");
            compare(&name, prices, ChandeMomentum::new(period), &expected, SAME);
        }
    });
}

#[test]
fn the_rate_of_change_is_that_of_ta_lib() {
    on_all_series(|core, series, prices| {
        for period in [1, 2, 5, 10, 20, 300] {
            let expected = prices.ta_lib(|[out]| core.roc(0, prices.last, &prices.close, period as i32, out));
            let name = format!("roc {period} on {series}");
            compare(&name, prices, RateOfChange::new(period), &expected, SAME);
        }
    });
}

#[test]
fn the_commodity_channel_index_is_that_of_ta_lib() {
    on_all_series(|core, series, prices| {
        let Prices { high, low, close, last, .. } = prices;
        for period in [2, 3, 14, 20, 33, 150] {
            let expected = prices.ta_lib(|[out]| core.cci(0, *last, high, low, close, period as i32, out));
            let name = format!("cci {period} on {series}");
            compare(&name, prices, CommodityChannelIndex::new(period), &expected, ROUNDED);
        }
    });
}

#[test]
fn williams_percent_range_is_that_of_ta_lib() {
    on_all_series(|core, series, prices| {
        let Prices { high, low, close, last, .. } = prices;
        for period in [2, 3, 14, 33, 150] {
            let expected = prices.ta_lib(|[out]| core.willr(0, *last, high, low, close, period as i32, out));
            let name = format!("willr {period} on {series}");
            compare(&name, prices, WilliamsPercentRange::new(period), &expected, SAME);
        }
    });
}

#[test]
fn the_stochastic_is_that_of_ta_lib() {
    const SMA: MAType = MAType::SMA;
    on_all_series(|core, series, prices| {
        let Prices { high, low, close, last, .. } = prices;
        for periods in [[5, 3, 3], [1, 1, 1], [14, 1, 3], [14, 3, 1], [60, 7, 5]] {
            let [fast_k, slow_k, slow_d] = periods.map(|period| period as i32);
            let expected = prices.ta_lib(|[k, d]| {
                core.stoch(0, *last, high, low, close, fast_k, slow_k, SMA, slow_d, SMA, k, d)
            });
            let [fast_k, slow_k, slow_d] = periods;
            let name = format!("stoch {periods:?} on {series}");
            compare(&name, prices, Stochastic::new(fast_k, slow_k, slow_d), &expected, PERCENTAGE);
        }
    });
}

#[test]
fn the_stochastic_of_the_relative_strength_index_is_that_of_ta_lib() {
    on_all_series(|core, series, prices| {
        for periods in [[14, 5, 3], [14, 14, 1], [2, 2, 2], [21, 60, 9]] {
            let [period, fast_k, fast_d] = periods.map(|period| period as i32);
            let expected = prices.ta_lib(|[k, d]| {
                core.stochrsi(0, prices.last, &prices.close, period, fast_k, fast_d, MAType::SMA, k, d)
            });
            let [period, fast_k, fast_d] = periods;
            let name = format!("stoch_rsi {periods:?} on {series}");
            compare(&name, prices, StochasticRsi::new(period, fast_k, fast_d), &expected, PERCENTAGE);
        }
    });
}

#[test]
fn the_ultimate_oscillator_is_that_of_ta_lib() {
    on_all_series(|core, series, prices| {
        let Prices { high, low, close, last, .. } = prices;
        for periods in [[7, 14, 28], [1, 2, 3], [5, 6, 40]] {
            let [short, medium, long] = periods.map(|period| period as i32);
            let expected =
                prices.ta_lib(|[out]| core.ultosc(0, *last, high, low, close, short, medium, long, out));
            let name = format!("ultosc {periods:?} on {series}");
            compare(&name, prices, UltimateOscillator::new(periods), &expected, PERCENTAGE);
        }
    });
}

#[test]
fn trix_is_that_of_ta_lib() {
    on_all_series(|core, series, prices| {
        for period in [2, 3, 15, 30] {
            let expected =
                prices.ta_lib(|[out]| core.trix(0, prices.last, &prices.close, period as i32, out));
            let name = format!("trix {period} on {series}");
            compare(&name, prices, Trix::new(period), &expected, PERCENT_OF_PRICE);
        }
    });
}

#[test]
fn the_percentage_price_oscillator_is_that_of_ta_lib() {
    on_all_series(|core, series, prices| {
        for [fast, slow] in [[12, 26], [2, 3], [5, 100]] {
            let expected = prices.ta_lib(|[out]| {
                core.ppo(0, prices.last, &prices.close, fast as i32, slow as i32, MAType::DEFAULT, out)
            });
            let name = format!("ppo {fast} {slow} on {series}");
            compare(&name, prices, PercentagePriceOscillator::new(fast, slow), &expected, PERCENT_OF_PRICE);
        }
    });
}
