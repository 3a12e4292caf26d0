//! The cycle indicators against TA-Lib's own Rust port.

use ta_lib::{Core, OutRange};

use super::generated_candles::{RULES, Rule, bars, candles};
use super::hilbert::{HilbertCycle, PERIOD_LOOKBACK, PHASE_LOOKBACK};
use super::{BLOCK, Indicator, Node};
use crate::bar::Bar;

fn push_all(indicator: &mut HilbertCycle, bars: &[Bar]) -> Vec<[f64; 7]> {
    bars.iter().map(|bar| Indicator::push(indicator, bar)).collect()
}

/// `values` from the beginning of `range` on, NaN before.
fn placed(range: OutRange, values: &[f64]) -> Vec<f64> {
    assert_eq!(range.beg_idx + range.count, values.len());
    let mut placed = vec![f64::NAN; range.beg_idx];
    placed.extend(&values[..range.count]);
    placed
}

/// TA-Lib's values in the order of [`HilbertCycle`].
fn ta_lib_values(close: &[f64]) -> [Vec<f64>; 7] {
    let core = Core::new();
    let last = close.len() - 1;
    let mut first = vec![0.0; close.len()];
    let mut second = first.clone();
    let mut flags = vec![0; close.len()];
    let period = placed(core.ht_dcperiod(0, last, close, &mut first).unwrap(), &first);
    let phase = placed(core.ht_dcphase(0, last, close, &mut first).unwrap(), &first);
    let range = core.ht_phasor(0, last, close, &mut first, &mut second).unwrap();
    let phasor = [placed(range, &first), placed(range, &second)];
    let range = core.ht_sine(0, last, close, &mut first, &mut second).unwrap();
    let sines = [placed(range, &first), placed(range, &second)];
    let range = core.ht_trendmode(0, last, close, &mut flags).unwrap();
    let flags: Vec<f64> = flags.iter().map(|&flag| f64::from(flag)).collect();
    let [in_phase, quadrature] = phasor;
    let [sine, lead_sine] = sines;
    [period, phase, in_phase, quadrature, sine, lead_sine, placed(range, &flags)]
}

#[test]
fn as_ta_lib() {
    for (name, rule) in RULES {
        let candles = candles(&rule, 20_000);
        let close: Vec<f64> = candles.iter().map(|candle| candle[3]).collect();
        let expected = ta_lib_values(&close);
        let bars = bars(&candles);
        let values = push_all(&mut HilbertCycle::new(), &bars);
        for (index, values) in values.iter().enumerate() {
            for (column, (&value, expected)) in values.iter().zip(&expected).enumerate() {
                let expected = expected[index];
                // The phasor is a difference of prices that may cancel to nearly nothing.
                let rounding = if matches!(column, 2 | 3) { 1e-14 * close[index] } else { 0.0 };
                let same = (value - expected).abs() <= 1e-9 * expected.abs() + rounding;
                assert!(
                    same || (value.is_nan() && expected.is_nan()),
                    "{name}, candle {index}, value {column}: {value}, not {expected}"
                );
            }
        }
    }
}

#[test]
fn values_begin_at_the_lookback_and_stay_within_bounds() {
    for (name, rule) in RULES {
        let bars = bars(&candles(&rule, 3_000));
        for (index, values) in push_all(&mut HilbertCycle::new(), &bars).into_iter().enumerate() {
            let [period, phase, in_phase, quadrature, sine, lead_sine, trend_mode] = values;
            for value in [period, in_phase, quadrature] {
                assert_eq!(value.is_finite(), index >= PERIOD_LOOKBACK, "{name}, candle {index}");
            }
            for value in [phase, sine, lead_sine, trend_mode] {
                assert_eq!(value.is_finite(), index >= PHASE_LOOKBACK, "{name}, candle {index}");
            }
            if index >= PHASE_LOOKBACK {
                assert!((0.0..=50.0).contains(&period) && (-45.0..=315.0).contains(&phase), "{values:?}");
                assert!(sine.abs() <= 1.0 && lead_sine.abs() <= 1.0, "{values:?}");
                assert!(trend_mode == 0.0 || trend_mode == 1.0, "{values:?}");
            }
        }
    }
}

/// Two runs that began at different candles, of which the second one's parity differs, too.
#[test]
fn the_beginning_is_forgotten() {
    const WARM_UP: usize = 600;
    let begin = 401;
    for (name, rule) in RULES {
        // A standstill or a straight line has no cycle: only rounding decides.
        if ["constant_price", "flat_runs", "rise"].contains(&name) {
            continue;
        }
        let bars = bars(&candles(&rule, 6_000));
        let early = push_all(&mut HilbertCycle::new(), &bars);
        let late = push_all(&mut HilbertCycle::new(), &bars[begin..]);
        let pairs = early[begin..].iter().zip(&late).zip(&bars[begin..]).skip(WARM_UP);
        for (index, ((early, late), bar)) in pairs.enumerate() {
            let scales = [20.0, 120.0, 1e-4 * bar.close, 1e-4 * bar.close, 0.6, 0.6, 1.0];
            for ((early, late), scale) in early.iter().zip(late).zip(scales) {
                assert!((early - late).abs() <= 1e-6 * scale, "{name}, candle {index}: {early} and {late}");
            }
        }
    }
}

#[test]
fn a_batch_and_a_resumed_run_give_the_same() {
    let (_, rule): (_, Rule) = RULES[10];
    let bars = bars(&candles(&rule, 1_500));
    let values = push_all(&mut HilbertCycle::new(), &bars);
    // Before and after the filters of the phase begin, and when both recursions have become one.
    for stop in [3, 36, 38, 100, 1_300] {
        let mut indicator = HilbertCycle::new();
        push_all(&mut indicator, &bars[..stop]);
        let mut resumed = HilbertCycle::new();
        resumed.restore(&indicator.save().unwrap()).unwrap();
        let mut columns = vec![vec![0.0; BLOCK]; 7];
        let mut index = stop;
        for block in bars[stop..].chunks(BLOCK) {
            let mut out: Vec<&mut [f64]> =
                columns.iter_mut().map(|column| &mut column[..block.len()]).collect();
            resumed.run(block, &mut out);
            for offset in 0..block.len() {
                let row: Vec<u64> = columns.iter().map(|column| column[offset].to_bits()).collect();
                assert_eq!(row, values[index].map(f64::to_bits), "stopped at {stop}, candle {index}");
                index += 1;
            }
        }
    }
}
