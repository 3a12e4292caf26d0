//! A candle's way so far: file → sound series → store → longer candles → joined with what was known.

use market_data::import::{ImportOptions, Imported, import_file};
use market_data::store::{OnConflict, Store};
use market_data::synthetic::{MarketShape, SyntheticModel};
use market_data::{ExogenousSeries, KnownAfter, Timeframe, Timestamp, join_as_of, resample, write_csv};

#[test]
fn a_candle_from_file_to_join() {
    let directory = tempfile::tempdir().unwrap();
    let mut shape = MarketShape { candles: 3_000, seed: 11, ..MarketShape::default() };
    shape.symbols.truncate(1);
    let made = SyntheticModel::default().generate(&shape).unwrap().series.remove(0);

    // A file with a hole of ten candles.
    let file = directory.path().join("synthetic-linear_BTCUSDT_5m_made.csv");
    let mut text = Vec::new();
    write_csv(&made, &mut text).unwrap();
    let lines: Vec<&str> = std::str::from_utf8(&text).unwrap().lines().collect();
    let kept: Vec<&str> = lines[..1_001].iter().chain(&lines[1_011..]).copied().collect();
    std::fs::write(&file, kept.join("\n")).unwrap();

    let tables = import_file(&file, &ImportOptions::default(), None).unwrap();
    let Imported::Candles(found) = &tables[0].content else { panic!("these are candles") };
    let series = &found[0].series;
    assert_eq!((series.len(), series.gaps().len(), series.gaps().missing()), (2_990, 1, 10));
    assert!(series.gaps().spanned_by(990..1_010) && !series.gaps().spanned_by(0..1_000));

    let store = Store::new(directory.path().join("store"));
    store.append(series, OnConflict::Refuse).unwrap();
    let stored = store.read(series.key()).unwrap();
    assert_eq!(stored, *series);
    // The whole file fills the hole: with the true candles, not with guesses.
    store.append(&made, OnConflict::Refuse).unwrap();
    assert_eq!(store.read(made.key()).unwrap(), made);

    // The hole touches two hours; neither is built.
    let (hours, counts) = resample(&stored, Timeframe::H1).unwrap();
    assert_eq!((counts.incomplete, hours.gaps().missing()), (2, 2));

    // A daily value is seen from the first candle that closes after its day.
    let days: Vec<Timestamp> = (0..12).map(|day| shape.start.plus_millis(day * 86_400_000)).collect();
    let values = vec![(0..12).map(f64::from).collect()];
    let daily =
        ExogenousSeries::new("DAY", vec!["value".to_owned()], days, values, KnownAfter::Period).unwrap();
    let closes: Vec<Timestamp> = (0..made.len()).map(|index| made.close_time(index)).collect();
    let joined = join_as_of(&closes, &daily, "value", None).unwrap();
    let first = joined.iter().position(Option::is_some).unwrap();
    assert_eq!(closes[first].to_string(), "2024-01-02T00:00:00Z");
    assert_eq!((joined[first], joined[first - 1]), (Some(0.0), None));
}

#[test]
fn candles_of_many_days_never_see_their_own_day() {
    // Whatever the stamp of a daily value, the join gives at most yesterday's.
    let shape = MarketShape { candles: 5_000, timeframe: Timeframe::M15, ..MarketShape::default() };
    let series = SyntheticModel::default().generate(&shape).unwrap().series.remove(0);
    let days: Vec<Timestamp> = (0..60).map(|day| shape.start.plus_millis(day * 86_400_000)).collect();
    let values = vec![(0..60).map(f64::from).collect()];
    let daily =
        ExogenousSeries::new("DAY", vec!["value".to_owned()], days, values, KnownAfter::Period).unwrap();
    let closes: Vec<Timestamp> = (0..series.len()).map(|index| series.close_time(index)).collect();
    for (close, value) in closes.iter().zip(join_as_of(&closes, &daily, "value", None).unwrap()) {
        let day_of_close = close.since(shape.start) / 86_400_000;
        assert!(value.is_none_or(|value| (value as i64) < day_of_close), "{close}: {value:?}");
    }
}
