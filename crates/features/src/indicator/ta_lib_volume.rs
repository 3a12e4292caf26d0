//! Comparison with the crate `ta-lib`, the official port of TA-Lib, and with sums over whole windows.

use ta_lib::Core;

use crate::bar::Bar;
use crate::indicator::extreme_series::{self, Series};
use crate::indicator::money_flow::{
    ChaikinMoneyFlow, ChaikinOscillator, CumulativeVolume, MoneyFlowIndex, VolumeBalance,
};
use crate::indicator::ta_lib_volatility::{CLOSE, assert_like_ta_lib, columns, exactly};
use crate::indicator::traded_volume::{Illiquidity, RelativeVolume, VolumeScore};
use crate::indicator::vwap::RollingVwapDistance;

fn for_each_series(check: impl Fn(&Core, &Series, &[Bar], usize)) {
    let core = Core::new();
    for series in extreme_series::all() {
        check(&core, &series, &series.bars_from(0), series.len() - 1);
    }
}

/// For each candle a bound of the rounding that a running sum of `values` carries which subtracts what
/// leaves its window.
fn rounding_of_running_sum(values: impl IntoIterator<Item = f64>, period: usize) -> Vec<f64> {
    let (mut largest, mut steps) = (0.0f64, 0.0f64);
    values
        .into_iter()
        .map(|value| {
            largest = largest.max(value.abs());
            steps += 1.0;
            f64::EPSILON * largest * (period as f64).min(steps) * steps.sqrt()
        })
        .collect()
}

/// What `of` gives for each window of `period` candles beginning with candle `first` of the series.
fn over_windows(bars: &[Bar], period: usize, first: usize, of: impl Fn(&[Bar]) -> f64) -> Vec<f64> {
    (0..bars.len())
        .map(|last| if last + 1 < period + first { f64::NAN } else { of(&bars[last + 1 - period..=last]) })
        .collect()
}

fn assert_near(what: &str, ours: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), expected.len());
    for (index, (ours, expected)) in ours.iter().zip(expected).enumerate() {
        let near = (ours - expected).abs() <= tolerance || ours.is_nan() && expected.is_nan();
        assert!(near, "{what}: {ours} instead of {expected} at candle {index}");
    }
}

fn sum(bars: &[Bar], of: impl Fn(&Bar) -> f64) -> f64 {
    bars.iter().map(of).sum()
}

fn sign(bar: &Bar) -> f64 {
    let change = bar.close - bar.previous_close;
    if change == 0.0 { 0.0 } else { change.signum() }
}

fn flow(bar: &Bar) -> f64 {
    if bar.high == bar.low { 0.0 } else { (2.0 * bar.close - bar.low - bar.high) / bar.range() * bar.volume }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}

#[test]
fn cumulative_volume() {
    for_each_series(|core, s, bars, last| {
        let [on_balance, accumulation] = columns(CumulativeVolume::default(), bars);
        let obv = |out: &mut [f64]| core.obv(0, last, &s.close, &s.volume, out);
        assert_like_ta_lib(&format!("obv, {}", s.name), &on_balance, obv, exactly);
        let ad = |out: &mut [f64]| core.ad(0, last, &s.high, &s.low, &s.close, &s.volume, out);
        assert_like_ta_lib(&format!("ad, {}", s.name), &accumulation, ad, exactly);
    });
}

#[test]
fn money_flow_index() {
    for_each_series(|core, s, bars, last| {
        for period in [2, 14, 60] {
            let what = format!("mfi {period}, {}", s.name);
            let [ours] = columns(MoneyFlowIndex::new(period), bars);
            let money = |bar: &Bar| bar.typical() * bar.volume;
            let rounding = rounding_of_running_sum(bars.iter().map(money), period);
            let moved = over_windows(bars, period, 1, |window| sum(window, money));
            let compute =
                |out: &mut [f64]| core.mfi(0, last, &s.high, &s.low, &s.close, &s.volume, period as i32, out);
            assert_like_ta_lib(&what, &ours, compute, |i| 100.0 * (1e-12 + ratio(rounding[i], moved[i])));
        }
    });
}

#[test]
fn money_flow_index_of_whole_windows() {
    for_each_series(|_, s, bars, _| {
        let [ours] = columns(MoneyFlowIndex::new(14), bars);
        let direction: Vec<f64> = std::iter::once(0.0)
            .chain(bars.windows(2).map(|pair| {
                let (before, typical) = (pair[0].typical(), pair[1].typical());
                let moved = (typical - before).abs() > 1e-14 * (typical + before);
                if moved { (typical - before).signum() } else { 0.0 }
            }))
            .collect();
        let expected: Vec<f64> = (0..bars.len())
            .map(|last| {
                if last < 14 {
                    return f64::NAN;
                }
                let money = |wanted: f64| {
                    (last - 13..=last)
                        .filter(|&i| direction[i] == wanted)
                        .map(|i| bars[i].typical() * bars[i].volume)
                        .sum::<f64>()
                };
                100.0 * ratio(money(1.0), money(1.0) + money(-1.0))
            })
            .collect();
        assert_near(s.name, &ours, &expected, 1e-11);
    });
}

#[test]
fn chaikin_money_flow() {
    for_each_series(|core, s, bars, last| {
        for period in [2, 20, 60] {
            let what = format!("cmf {period}, {}", s.name);
            let [ours] = columns(ChaikinMoneyFlow::new(period), bars);
            let rounding = rounding_of_running_sum(s.volume.iter().copied(), period);
            let volume = over_windows(bars, period, 0, |window| sum(window, |bar| bar.volume));
            let compute =
                |out: &mut [f64]| core.cmf(0, last, &s.high, &s.low, &s.close, &s.volume, period as i32, out);
            assert_like_ta_lib(&what, &ours, compute, |i| 1e-12 + ratio(rounding[i], volume[i]));
            let whole = |window: &[Bar]| ratio(sum(window, flow), sum(window, |bar| bar.volume));
            // Twice the close less high and low loses digits at prices of 10⁹ that move by 1.
            assert_near(&what, &ours, &over_windows(bars, period, 0, whole), 1e-12);
        }
    });
}

#[test]
fn chaikin_oscillator() {
    for_each_series(|core, s, bars, last| {
        for (fast, slow) in [(3, 10), (2, 5), (20, 50)] {
            let [ours] = columns(ChaikinOscillator::new(fast, slow), bars);
            let [_, accumulation] = columns(CumulativeVolume::default(), bars);
            // TA-Lib subtracts two averages of the whole line from each other.
            let mut largest = 0.0f64;
            let rounding: Vec<f64> = accumulation
                .iter()
                .map(|level| {
                    largest = largest.max(level.abs());
                    slow as f64 * f64::EPSILON * largest
                })
                .collect();
            let compute = |out: &mut [f64]| {
                let (fast, slow) = (fast as i32, slow as i32);
                core.adosc(0, last, &s.high, &s.low, &s.close, &s.volume, fast, slow, out)
            };
            assert_like_ta_lib(&format!("adosc {fast} {slow}, {}", s.name), &ours, compute, |i| rounding[i]);
        }
    });
}

#[test]
fn own_definitions_over_whole_windows() {
    for_each_series(|_, s, bars, _| {
        let n = 20;
        let volume = |window: &[Bar]| sum(window, |bar| bar.volume);

        let [ours] = columns(VolumeBalance::new(n), bars);
        let balance = |window: &[Bar]| ratio(sum(window, |bar| sign(bar) * bar.volume), volume(window));
        assert_near(&format!("obv, {}", s.name), &ours, &over_windows(bars, n, 1, balance), 1e-13);

        let [ours] = columns(RollingVwapDistance::new(n), bars);
        let distance = |window: &[Bar]| {
            let average = sum(window, |bar| bar.typical() * bar.volume) / volume(window);
            if average.is_nan() { 0.0 } else { window[n - 1].close / average - 1.0 }
        };
        assert_near(&format!("vwap, {}", s.name), &ours, &over_windows(bars, n, 0, distance), 1e-13);

        let [ours] = columns(RelativeVolume::new(n), bars);
        let relative = |window: &[Bar]| {
            if volume(window) == 0.0 { 0.0 } else { window[n - 1].volume * n as f64 / volume(window) - 1.0 }
        };
        assert_near(&format!("relative, {}", s.name), &ours, &over_windows(bars, n, 0, relative), 1e-12);

        let [ours] = columns(VolumeScore::new(n), bars);
        let score = |window: &[Bar]| {
            let mean = volume(window) / n as f64;
            let variance = sum(window, |bar| (bar.volume - mean).powi(2)) / n as f64;
            let equal = window.iter().all(|bar| bar.volume == window[0].volume);
            if equal { 0.0 } else { (window[n - 1].volume - mean) / variance.sqrt() }
        };
        assert_near(&format!("score, {}", s.name), &ours, &over_windows(bars, n, 0, score), CLOSE);

        let [ours] = columns(Illiquidity::new(n), bars);
        let impact = |window: &[Bar]| {
            let traded: Vec<f64> = window
                .iter()
                .filter(|bar| bar.volume > 0.0)
                .map(|bar| bar.log_return.abs() / (bar.close * bar.volume))
                .collect();
            ratio(traded.iter().sum::<f64>(), traded.len() as f64)
        };
        let illiquidity = |window: &[Bar]| {
            let (long, short) = (impact(window), impact(&window[4 * n..]));
            let none_traded = window[4 * n..].iter().all(|bar| bar.volume == 0.0);
            if none_traded { 0.0 } else { ratio(short - long, short + long) }
        };
        assert_near(&format!("amihud, {}", s.name), &ours, &over_windows(bars, 5 * n, 1, illiquidity), 1e-12);
    });
}
