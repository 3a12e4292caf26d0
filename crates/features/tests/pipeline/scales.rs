//! One model serves all symbols: features do not depend on the unit of price or volume.

use features::{FeatureSpec, Outside, PriceScale};
use market_data::{CandleSeries, Timeframe};

use crate::markets::one;

/// The same market in other units: prices times `price`, volumes times `volume`.
fn in_units(series: &CandleSeries, price: f64, volume: f64) -> CandleSeries {
    let mut columns = series.columns().clone();
    columns.turnover = None;
    for column in [&mut columns.open, &mut columns.high, &mut columns.low, &mut columns.close] {
        column.iter_mut().for_each(|value| *value *= price);
    }
    columns.volume.iter_mut().for_each(|value| *value *= volume);
    CandleSeries::new(series.key().clone(), columns).unwrap()
}

#[test]
fn features_are_free_of_units() {
    let series = one(4_000, Timeframe::M5, 8);
    // Powers of two, so that every product is exact and only a real dependence on the unit can show.
    let other = in_units(&series, 1024.0, 1.0 / 64.0);
    for scale in [PriceScale::Close, PriceScale::Atr] {
        let mut spec = FeatureSpec { scale, ..FeatureSpec::default() };
        spec.yata.enabled = true;
        let (here, there) = (
            spec.frame(&series, Outside::default()).unwrap(),
            spec.frame(&other, Outside::default()).unwrap(),
        );
        assert!(here.valid_rows() > 1_000);
        assert_eq!(here.valid(), there.valid());
        for (column, (left, right)) in here.values().iter().zip(there.values()).enumerate() {
            let size =
                left.iter().filter(|value| value.is_finite()).map(|value| value.abs()).fold(0.0, f64::max);
            for (row, (left, right)) in left.iter().zip(right).enumerate() {
                let near = (left - right).abs() <= 1e-9 * size || left.is_nan();
                assert!(near, "{scale:?} {} at {row}: {left} {right}", here.columns()[column].name);
            }
        }
    }
}

#[test]
fn scaling_is_what_the_reference_says() {
    let series = one(4_000, Timeframe::M5, 9);
    let frame =
        |scale| FeatureSpec { scale, ..FeatureSpec::default() }.frame(&series, Outside::default()).unwrap();
    let (close_scaled, atr_scaled, raw) =
        (frame(PriceScale::Close), frame(PriceScale::Atr), frame(PriceScale::Raw));
    let row = 3_500;
    let value = |frame: &features::FeatureFrame, name: &str| frame.column(name).unwrap()[row];
    let close = series.get(row).close;
    let level = value(&raw, "ema_50");
    let near = |left: f64, right: f64| {
        assert!((left - right).abs() <= 1e-12 * left.abs().max(1e-3), "{left} {right}");
    };
    near(value(&close_scaled, "ema_50"), (level - close) / close);
    near(value(&close_scaled, "stddev_20"), value(&raw, "stddev_20") / close);
    assert_eq!(value(&close_scaled, "rsi_14"), value(&raw, "rsi_14"));
    let true_range = |index: usize| {
        let (candle, before) = (series.get(index), series.get(index - 1).close);
        (candle.high - candle.low).max((candle.high - before).abs()).max((candle.low - before).abs())
    };
    let atr = (row - 13..=row).map(true_range).sum::<f64>() / 14.0;
    near(value(&atr_scaled, "ema_50"), (level - close) / atr);
    near(value(&atr_scaled, "stddev_20"), value(&raw, "stddev_20") / atr);
    let volumes = &series.columns().volume[row - 49..=row];
    let mean = volumes.iter().sum::<f64>() / 50.0;
    near(value(&close_scaled, "adosc_3_10"), value(&raw, "adosc_3_10") / mean);
}
