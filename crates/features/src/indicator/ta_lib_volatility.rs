//! Comparison with the crate `ta-lib`, the official port of TA-Lib.

use ta_lib::{Core, MAType, OutRange, RetCode};

use crate::bar::Bar;
use crate::indicator::Indicator;
use crate::indicator::deviation::{BollingerBands, StandardDeviation};
use crate::indicator::donchian::DonchianChannel;
use crate::indicator::extreme_series::{self, Series};
use crate::indicator::range_volatility::RogersSatchellVolatility;
use crate::indicator::true_range::{AverageTrueRange, KeltnerChannel, NormalizedAverageTrueRange};

/// Relative difference that is allowed.
pub(super) const CLOSE: f64 = 1e-9;

/// All values of an indicator, column by column.
pub(super) fn columns<const N: usize>(
    mut indicator: impl Indicator<Values = [f64; N]>,
    bars: &[Bar],
) -> [Vec<f64>; N] {
    let mut columns = std::array::from_fn(|_| vec![]);
    for bar in bars {
        for (column, value) in columns.iter_mut().zip(indicator.push(bar)) {
            column.push(value);
        }
    }
    columns
}

/// Checks that a column begins where TA-Lib's does and then differs from it by no more than [`CLOSE`] times
/// the value, or than what `allowance` gives for an index.
pub(super) fn assert_like_ta_lib(
    what: &str,
    ours: &[f64],
    compute: impl FnOnce(&mut [f64]) -> Result<OutRange, RetCode>,
    allowance: impl Fn(usize) -> f64,
) {
    let mut theirs = vec![0.0; ours.len()];
    let range = compute(&mut theirs).unwrap();
    assert!(range.count > 0, "{what}");
    assert!(ours[..range.beg_idx].iter().all(|value| value.is_nan()), "{what}: begins early");
    for (index, (&ours, &theirs)) in ours[range.beg_idx..].iter().zip(&theirs).enumerate() {
        let allowed = CLOSE * theirs.abs() + allowance(range.beg_idx + index);
        assert!(
            (ours - theirs).abs() <= allowed,
            "{what}: {ours} instead of {theirs} at candle {}",
            range.beg_idx + index,
        );
    }
}

pub(super) fn exactly(_index: usize) -> f64 {
    0.0
}

fn for_each_series(check: impl Fn(&Core, &Series, &[Bar], usize)) {
    let core = Core::new();
    for series in extreme_series::all() {
        check(&core, &series, &series.bars_from(0), series.len() - 1);
    }
}

#[test]
fn average_true_range() {
    for_each_series(|core, s, bars, last| {
        for period in [1, 2, 7, 28] {
            let [ours] = columns(AverageTrueRange::new(period), bars);
            let compute = |out: &mut [f64]| core.atr(0, last, &s.high, &s.low, &s.close, period as i32, out);
            assert_like_ta_lib(&format!("atr {period}, {}", s.name), &ours, compute, exactly);
        }
        for period in [2, 14] {
            let [ours] = columns(NormalizedAverageTrueRange::new(period), bars);
            let compute = |out: &mut [f64]| core.natr(0, last, &s.high, &s.low, &s.close, period as i32, out);
            assert_like_ta_lib(&format!("natr {period}, {}", s.name), &ours, compute, exactly);
        }
    });
}

#[test]
fn standard_deviation() {
    for_each_series(|core, s, bars, last| {
        for period in [2, 5, 20, 60] {
            let [ours] = columns(StandardDeviation::new(period), bars);
            let mut theirs = vec![0.0; bars.len()];
            let range = core.stddev(0, last, &s.close, period as i32, 1.0, &mut theirs).unwrap();
            assert_eq!(range.beg_idx, period - 1);
            assert!(ours[..range.beg_idx].iter().all(|value| value.is_nan()));
            // To the bit: the sums are taken anew with the same candles.
            assert_eq!(ours[range.beg_idx..], theirs[..range.count], "{period}, {}", s.name);
        }
    });
}

#[test]
fn bollinger_bands() {
    for_each_series(|core, s, bars, last| {
        for (period, deviations) in [(2, 2.0), (20, 2.0), (50, 2.5)] {
            let [upper, lower, percent_b, bandwidth] = columns(BollingerBands::new(period, deviations), bars);
            let what = |name: &str| format!("{name} {period} {deviations}, {}", s.name);
            let mut bands = [(); 3].map(|()| vec![0.0; bars.len()]);
            let [their_upper, their_middle, their_lower] = &mut bands;
            let (n, d) = (period as i32, deviations);
            let range = core
                .bbands(0, last, &s.close, n, d, d, MAType::SMA, their_upper, their_middle, their_lower)
                .unwrap();
            let copied = |from: &[f64], out: &mut [f64]| {
                out.copy_from_slice(from);
                Ok(range)
            };
            // Where a band is near zero, or near the close, TA-Lib's running sum of the closes decides the
            // last digits: its rounding is of the size of the largest sum so far.
            let mut largest = 0.0f64;
            let rounding: Vec<f64> = s
                .close
                .iter()
                .enumerate()
                .map(|(index, close)| {
                    largest = largest.max(*close);
                    f64::EPSILON * largest * (index as f64 + 1.0).sqrt()
                })
                .collect();
            let width = |index: usize| upper[index] - lower[index];
            assert_like_ta_lib(&what("upper"), &upper, |out| copied(their_upper, out), |i| rounding[i]);
            assert_like_ta_lib(&what("lower"), &lower, |out| copied(their_lower, out), |i| rounding[i]);
            let percent = |out: &mut [f64]| core.percentb(0, last, &s.close, n, d, d, MAType::SMA, out);
            assert_like_ta_lib(&what("%b"), &percent_b, percent, |i| {
                if width(i) == 0.0 { 0.0 } else { CLOSE + 4.0 * rounding[i] / width(i) }
            });
            let per_cent: Vec<f64> = bandwidth.iter().map(|value| value * 100.0).collect();
            let band_width = |out: &mut [f64]| core.bbw(0, last, &s.close, n, d, d, MAType::SMA, out);
            assert_like_ta_lib(&what("bandwidth"), &per_cent, band_width, |i| {
                200.0 * rounding[i] / s.close[i]
            });
        }
    });
}

#[test]
fn keltner_channel() {
    for_each_series(|core, s, bars, last| {
        for (period, atr_period, multiplier) in [(20, 10, 2.0), (5, 30, 1.5), (2, 1, 3.0)] {
            let [upper, lower, position] = columns(KeltnerChannel::new(period, atr_period, multiplier), bars);
            let what = |name: &str| format!("{name} {period} {atr_period} {multiplier}, {}", s.name);
            let mut bands = [(); 3].map(|()| vec![0.0; bars.len()]);
            let [their_upper, middle, their_lower] = &mut bands;
            let (n, m) = (period as i32, atr_period as i32);
            let range = core
                .kc(0, last, &s.high, &s.low, &s.close, n, m, multiplier, their_upper, middle, their_lower)
                .unwrap();
            let copied = |from: &[f64], out: &mut [f64]| {
                out.copy_from_slice(from);
                Ok(range)
            };
            assert_like_ta_lib(&what("upper"), &upper, |out| copied(their_upper, out), exactly);
            // A band near zero is the difference of two numbers of the size of the other one.
            assert_like_ta_lib(&what("lower"), &lower, |out| copied(their_lower, out), |i| 1e-13 * upper[i]);
            for (index, close) in s.close.iter().enumerate().skip(range.beg_idx) {
                let width = upper[index] - lower[index];
                let is_closed = width < 1e-7 * close;
                let expected = if is_closed { 0.5 } else { (close - lower[index]) / width };
                let allowed = 1e-12 + 1e-15 * upper[index] / width;
                assert!((position[index] - expected).abs() <= allowed, "{} {index}", what("position"));
            }
        }
    });
}

#[test]
fn donchian_channel() {
    for_each_series(|core, s, bars, last| {
        for period in [2, 3, 20] {
            let [upper, lower, position] = columns(DonchianChannel::new(period), bars);
            let mut bands = [(); 3].map(|()| vec![0.0; bars.len()]);
            let [their_upper, middle, their_lower] = &mut bands;
            let range = core
                .donchian(0, last, &s.high, &s.low, period as i32, their_upper, middle, their_lower)
                .unwrap();
            assert_eq!(range.beg_idx, period - 1);
            assert_eq!(upper[range.beg_idx..], their_upper[..range.count], "{}", s.name);
            assert_eq!(lower[range.beg_idx..], their_lower[..range.count], "{}", s.name);
            assert!(position[range.beg_idx..].iter().all(|value| (0.0..=1.0).contains(value)), "{}", s.name);
        }
    });
}

#[test]
fn rogers_satchell() {
    for_each_series(|core, s, bars, last| {
        for period in [1, 20] {
            let [ours] = columns(RogersSatchellVolatility::new(period), bars);
            let compute = |out: &mut [f64]| {
                core.rogerssatchell(0, last, &s.open, &s.high, &s.low, &s.close, period as i32, 1.0, out)
            };
            // TA-Lib rounds a ratio of prices before it takes the logarithm, which for moves of a
            // billionth leaves seven digits.
            assert_like_ta_lib(&format!("{period}, {}", s.name), &ours, compute, |i| {
                let from = (i + 1).saturating_sub(period);
                let widest = (from..=i).map(|i| (s.high[i] / s.low[i]).ln()).fold(0.0, f64::max);
                // d√x = dx / 2√x: an error ε in each logarithm of a product.
                if ours[i] > 0.0 {
                    4.0 * f64::EPSILON * widest / ours[i]
                } else {
                    (4.0 * f64::EPSILON * widest).sqrt()
                }
            });
        }
    });
}
