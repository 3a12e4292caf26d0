//! What is asked of the plan of any group.

use proptest::prelude::*;

use crate::bar::Bar;
use crate::error::FeatureError;
use crate::indicator::BLOCK;
use crate::indicator::generated_series::{Candle, all, bars, random_walk};
use crate::plan::Planned;

/// The planned indicator's values, one column for each, candle by candle.
fn pushed(planned: &Planned, bars: &[Bar]) -> Vec<Vec<f64>> {
    let mut node = planned.node.boxed();
    let mut values = vec![0.0; node.width()];
    let mut columns = vec![Vec::with_capacity(bars.len()); node.width()];
    for bar in bars {
        node.push(bar, &mut values);
        for (column, &value) in columns.iter_mut().zip(&values) {
            column.push(value);
        }
    }
    columns
}

/// The same in blocks, and after each block from the saved state of the one before.
fn run_and_restored(planned: &Planned, bars: &[Bar]) -> Vec<Vec<f64>> {
    let mut state = planned.node.save().unwrap();
    let mut columns = vec![vec![0.0; bars.len()]; planned.node.width()];
    let mut start = 0;
    for length in [1, 3, 127, BLOCK].into_iter().cycle() {
        let end = (start + length).min(bars.len());
        let mut node = planned.node.boxed();
        node.restore(&state).unwrap();
        let mut out: Vec<&mut [f64]> = columns.iter_mut().map(|column| &mut column[start..end]).collect();
        node.run(&bars[start..end], &mut out);
        state = node.save().unwrap();
        start = end;
        if start == bars.len() {
            break;
        }
    }
    columns
}

fn bits(columns: &[Vec<f64>]) -> Vec<Vec<u64>> {
    columns.iter().map(|column| column.iter().map(|value| value.to_bits()).collect()).collect()
}

/// After their first value, which comes when the warm-up is over at the latest, all columns stay finite and
/// within the bounds that their descriptions give.
fn check_values(planned: &Planned, columns: &[Vec<f64>], series: &str) {
    for (info, column) in planned.columns.iter().zip(columns) {
        let first = column.iter().position(|value| !value.is_nan()).unwrap_or(column.len());
        assert!(first <= info.warm_up.min(column.len()), "{} on {series}: first value at {first}", info.name);
        for (index, value) in column.iter().enumerate().skip(first) {
            assert!(
                value.is_finite() && (info.minimum..=info.maximum).contains(value),
                "{} on {series}, candle {index}: {value}",
                info.name
            );
        }
    }
}

/// Runs that begin at different candles agree once they are warm.
fn check_warm_up(planned: &Planned, candles: &[Candle]) {
    let whole = pushed(planned, &bars(candles));
    for start in (2_500..candles.len() - 2_500).step_by(97) {
        let late = pushed(planned, &bars(&candles[start..start + 2_500]));
        for ((info, whole), late) in planned.columns.iter().zip(&whole).zip(&late) {
            let scale: f64 = whole[info.warm_up..].iter().map(|value| value.abs()).sum::<f64>()
                / (whole.len() - info.warm_up) as f64;
            for index in info.warm_up..late.len() {
                let difference = (whole[start + index] - late[index]).abs();
                assert!(difference <= 1e-6 * scale, "{}, run from {start}, candle {index}", info.name);
            }
        }
    }
}

/// Candles with prices of any size, and some that repeat the close before.
fn any_candles() -> impl Strategy<Value = Vec<Candle>> {
    let any_candle = (prop::array::uniform4(-12.0..12.0_f64), any::<bool>());
    prop::collection::vec(any_candle, 1..200).prop_map(|drawn| {
        let mut before = 1.0;
        drawn
            .into_iter()
            .map(|(exponents, flat)| {
                let mut prices = exponents.map(|exponent| 10.0_f64.powf(exponent));
                if flat {
                    prices = [before; 4];
                }
                let [open, close, ..] = prices;
                before = close;
                prices.sort_by(f64::total_cmp);
                let [low, .., high] = prices;
                [open, high, low, close, 1.0]
            })
            .collect()
    })
}

/// Everything that a pipeline relies on.
pub(super) fn check(plan: &[Planned]) {
    for planned in plan {
        assert_eq!(planned.columns.len(), planned.node.width());
        for series in all() {
            let bars = bars(&series.candles);
            let columns = pushed(planned, &bars);
            check_values(planned, &columns, series.name);
            assert_eq!(bits(&columns), bits(&run_and_restored(planned, &bars)), "{}", series.name);
        }
        check_warm_up(planned, &random_walk(9_000));
    }
    proptest!(|(candles in any_candles())| {
        for planned in plan {
            check_values(planned, &pushed(planned, &bars(&candles)), "drawn candles");
        }
    });
}

/// The names of all columns, which differ.
pub(super) fn names(plan: &[Planned]) -> Vec<&str> {
    let names: Vec<&str> =
        plan.iter().flat_map(|planned| &planned.columns).map(|info| info.name.as_str()).collect();
    for (index, name) in names.iter().enumerate() {
        assert!(!names[..index].contains(name), "{name} twice");
    }
    names
}

/// The field that a plan is refused for.
pub(super) fn refused_field(plan: Result<Vec<Planned>, FeatureError>) -> String {
    match plan {
        Err(FeatureError::InvalidSpec { field, .. }) => field,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("not refused"),
    }
}
