//! Live equals batch; gaps begin anew; a state goes on to the bit.

use features::{FeatureError, FeaturePipeline, FeatureSpec, Outside};
use market_data::{Candle, Timeframe};
use proptest::prelude::*;

use crate::markets::{extremes, one, with_gaps};

/// Short periods in every group, so that short series have rows.
pub(crate) fn short() -> FeatureSpec {
    FeatureSpec::from_toml(
        "[trend]\nema = [5]\nsma = [5]\ndema = [3]\ntema = [3]\nkama = []\nsupertrend = []\nsar = []\nadx = [3]\n\
         macd = [{ fast = 3, slow = 5, signal = 2 }]\n\
         [momentum]\nrsi = [3]\ncmo = [3]\ntrix = [3]\n\
         [volatility]\natr = [3]\nnatr = [3]\newma = [0.5]\nkeltner = []\n\
         [volume]\n[cycle]\nenabled = false\n[level]\norders = [3]\nlookback = 20\n\
         [higher_timeframe]\ntimeframes = [\"15m\"]",
    )
    .unwrap()
}

#[test]
fn live_equals_batch_to_the_bit_also_across_gaps() {
    let series = with_gaps(&one(6_000, Timeframe::M5, 3), &[2_500, 2_501, 5_000]);
    for spec in [FeatureSpec::default(), FeatureSpec { scale: features::PriceScale::Atr, ..short() }] {
        let frame = spec.frame(&series, Outside::default()).unwrap();
        assert!(frame.valid_rows() > 0, "{:?}", frame.masked());
        let mut pipeline = FeaturePipeline::new(&spec, Timeframe::M5).unwrap();
        for (index, candle) in series.iter().enumerate() {
            let row = pipeline.push(&candle).unwrap();
            assert_eq!(row.is_some(), frame.is_valid(index), "row {index}");
            let Some(row) = row else { continue };
            assert_eq!(row.known_at, Timeframe::M5.close_of(candle.open_time));
            for (column, value) in row.values.iter().enumerate() {
                let name = &frame.columns()[column].name;
                assert_eq!(value.to_bits(), frame.values()[column][index].to_bits(), "{name} at {index}");
            }
        }
    }
}

#[test]
fn a_gap_begins_anew_and_masks_the_warm_up() {
    let whole = one(3_000, Timeframe::M5, 4);
    let spec = short();
    let warm_up = FeaturePipeline::new(&spec, Timeframe::M5).unwrap().warm_up();
    assert!(warm_up > 50 && warm_up < 1_000, "{warm_up}");
    let series = with_gaps(&whole, &[1_500]);
    let frame = spec.frame(&series, Outside::default()).unwrap();
    for row in 0..frame.len() {
        let of_run = if row < 1_500 { row } else { row - 1_500 };
        assert_eq!(frame.is_valid(row), of_run >= warm_up, "row {row}");
    }
    assert_eq!(frame.masked().warm_up, 2 * warm_up);
    assert!(frame.values().iter().all(|column| column[1_500].is_nan()));
    // After the gap the rows are those of a series that begins there.
    let after =
        market_data::CandleSeries::new(series.key().clone(), series.columns().slice(1_500..2_999)).unwrap();
    let alone = spec.frame(&after, Outside::default()).unwrap();
    for (column, values) in frame.values().iter().enumerate() {
        let same = values[1_500..]
            .iter()
            .zip(&alone.values()[column])
            .all(|(l, r)| l.to_bits() == r.to_bits() || l.is_nan());
        assert!(same, "{}", frame.columns()[column].name);
    }
    // No window reaches across.
    let windows: Vec<_> = frame.windows(30).collect();
    assert_eq!(windows.len(), (1_500 - warm_up - 29) + (1_499 - warm_up - 29));
    assert!(windows.iter().all(|window| window.end <= 1_500 || window.start >= 1_500 + warm_up));
}

#[test]
fn no_window_reaches_across_a_gap_even_without_a_warm_up() {
    // The calendar needs no candles before, so that every row is valid.
    let others = [
        "price",
        "trend",
        "momentum",
        "volatility",
        "volume",
        "cycle",
        "pattern",
        "level",
        "higher_timeframe",
    ];
    let text = others.map(|group| format!("[{group}]\nenabled = false")).join("\n");
    let spec = FeatureSpec::from_toml(&text).unwrap();
    let series = with_gaps(&one(20, Timeframe::M5, 7), &[8]);
    let frame = spec.frame(&series, Outside::default()).unwrap();
    assert_eq!(frame.valid_rows(), 19);
    let windows: Vec<_> = frame.windows(5).collect();
    let expected: Vec<_> = (0..=3).chain(8..=14).map(|start| start..start + 5).collect();
    assert_eq!(windows, expected);
    assert_eq!(frame.windows(0).count(), 0);
}

#[test]
fn extremes_give_finite_values_within_their_ranges() {
    let mut specs = vec![FeatureSpec::default()];
    let mut raw = FeatureSpec { scale: features::PriceScale::Raw, ..FeatureSpec::default() };
    raw.volume.cumulative = true;
    raw.yata.enabled = true;
    let mut atr = FeatureSpec { scale: features::PriceScale::Atr, ..FeatureSpec::default() };
    atr.yata.enabled = true;
    specs.extend([raw, atr]);
    for (name, series) in extremes(6_000) {
        for spec in &specs {
            let frame = spec.frame(&series, Outside::default()).unwrap();
            assert_eq!(frame.masked().faulty, 0, "{name}: {:?}", frame.masked());
            assert!(frame.valid_rows() > 1_000, "{name}: {:?}", frame.masked());
            for (column, values) in frame.columns().iter().zip(frame.values()) {
                if column.unit != features::Unit::Plain && spec.scale != features::PriceScale::Raw {
                    continue;
                }
                for value in values.iter().filter(|value| !value.is_nan()) {
                    let slack = 1e-9 * value.abs().max(1.0);
                    let inside = *value >= column.minimum - slack && *value <= column.maximum + slack;
                    assert!(inside, "{name}: {} is {value}", column.name);
                }
            }
        }
    }
}

#[test]
fn what_cannot_come_next_is_refused_and_changes_nothing() {
    let series = one(2_000, Timeframe::M5, 5);
    let spec = short();
    let mut pipeline = FeaturePipeline::new(&spec, Timeframe::M5).unwrap();
    for candle in series.iter().take(1_000) {
        pipeline.push(&candle).unwrap();
    }
    let next = series.get(1_000);
    let refused = [
        series.get(999),
        Candle { open_time: next.open_time.plus_millis(60_000), ..next },
        Candle { close: f64::NAN, ..next },
        Candle { high: next.low / 2.0, ..next },
    ];
    let untouched = pipeline.save().unwrap();
    for candle in refused {
        let error = pipeline.push(&candle).unwrap_err();
        assert!(matches!(error, FeatureError::UnsoundCandle { .. }), "{error}");
        assert_eq!(pipeline.save().unwrap(), untouched);
    }
    assert!(pipeline.extend(&series, Outside::default()).is_err(), "it goes back in time");
    let hourly = one(100, Timeframe::H1, 5);
    assert!(matches!(pipeline.extend(&hourly, Outside::default()), Err(FeatureError::Mismatch { .. })));
    assert_eq!(pipeline.save().unwrap(), untouched);
    assert!(pipeline.push(&next).unwrap().is_some());
}

#[test]
fn a_damaged_or_foreign_state_is_refused() {
    let spec = short();
    let mut pipeline = FeaturePipeline::new(&spec, Timeframe::M5).unwrap();
    for candle in one(500, Timeframe::M5, 6).iter() {
        pipeline.push(&candle).unwrap();
    }
    let state = pipeline.save().unwrap();
    assert!(FeaturePipeline::restore(&spec, Timeframe::M5, &state).is_ok());
    let mut damaged = state.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    for bytes in [&damaged[..], &state[..state.len() - 1], &state[..10], &[]] {
        let error = FeaturePipeline::restore(&spec, Timeframe::M5, bytes).unwrap_err();
        assert!(matches!(error, FeatureError::UnreadableState { .. }), "{error}");
    }
    let other = FeatureSpec { scale: features::PriceScale::Atr, ..spec.clone() };
    for result in [
        FeaturePipeline::restore(&other, Timeframe::M5, &state),
        FeaturePipeline::restore(&spec, Timeframe::M1, &state),
    ] {
        assert!(matches!(result.unwrap_err(), FeatureError::Mismatch { .. }));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Wherever a series is cut, and wherever it has gaps: extending in two parts, by way of a saved state,
    /// gives the bits of extending at once.
    #[test]
    fn a_fold_can_stop_anywhere(
        seed in 0_u64..1_000,
        cut in 1_usize..1_999,
        missing in proptest::collection::vec(1_usize..1_999, 0..3),
    ) {
        let series = with_gaps(&one(2_000, Timeframe::M5, seed), &missing);
        let cut = cut.min(series.len() - 1);
        let spec = short();
        let whole = spec.frame(&series, Outside::default()).unwrap();
        let part = |range: std::ops::Range<usize>| {
            market_data::CandleSeries::new(series.key().clone(), series.columns().slice(range)).unwrap()
        };
        let mut pipeline = FeaturePipeline::new(&spec, Timeframe::M5).unwrap();
        let first = pipeline.extend(&part(0..cut), Outside::default()).unwrap();
        let mut resumed =
            FeaturePipeline::restore(&spec, Timeframe::M5, &pipeline.save().unwrap()).unwrap();
        let second = resumed.extend(&part(cut..series.len()), Outside::default()).unwrap();
        for (column, values) in whole.values().iter().enumerate() {
            let joined = first.values()[column].iter().chain(&second.values()[column]);
            for (row, (expected, found)) in values.iter().zip(joined).enumerate() {
                prop_assert!(
                    expected.to_bits() == found.to_bits() || (expected.is_nan() && found.is_nan()),
                    "{} at {row}: {expected} {found}", whole.columns()[column].name
                );
            }
        }
        prop_assert_eq!(resumed.save().unwrap(), {
            let mut at_once = FeaturePipeline::new(&spec, Timeframe::M5).unwrap();
            at_once.extend(&series, Outside::default()).unwrap();
            at_once.save().unwrap()
        });
    }
}
