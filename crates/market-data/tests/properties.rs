//! What holds for any input: reading never panics, values survive, folds agree with brute force.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use market_data::import::{ImportOptions, Imported, import_file};
use market_data::quality::Policy;
use market_data::store::{OnConflict, Store};
use market_data::{
    Candle, CandleColumns, CandleSeries, GapLedger, SeriesKey, Timeframe, Timestamp, join_as_of, resample,
    write_csv,
};
use market_data::{ExogenousSeries, KnownAfter};
use proptest::prelude::*;

fn key() -> SeriesKey {
    let venue = "synthetic-linear".parse().unwrap();
    SeriesKey::new(venue, "XYZ/USDT:USDT".parse().unwrap(), Timeframe::M1)
}

/// Sound candles at increasing minutes of 2024, with holes, any finite prices and volumes.
fn candles() -> impl Strategy<Value = CandleSeries> {
    let price = prop_oneof![1e-9..1e-3_f64, 0.01..100.0_f64, 1e3..1e12_f64];
    let row = (1..4_i64, price, 0.0..0.5_f64, 0.0..0.5_f64, 0.0..1.0_f64, 0.0..1.0_f64, 0.0..1e9_f64);
    proptest::collection::vec(row, 2..60).prop_map(|rows| {
        let mut columns = CandleColumns::default();
        let mut minute = 28_401_120;
        for (step, low, up, more, open, close, volume) in rows {
            minute += step;
            let high = low * (1.0 + up + more);
            let between = |share: f64| (low + (high - low) * share).clamp(low, high);
            columns.push(&Candle {
                open_time: Timestamp::from_millis(minute * 60_000),
                open: between(open),
                high,
                low,
                close: between(close),
                volume,
                turnover: None,
            });
        }
        // Most candles must be neighbours, or the file would state another timeframe.
        let last = columns.open_time[columns.len() - 1];
        for next in 1..=columns.len() as i64 {
            let candle = columns.get(0);
            columns.push(&Candle { open_time: last.plus_millis(next * 60_000), ..candle });
        }
        CandleSeries::new(key(), columns).unwrap()
    })
}

fn import(name: &str, bytes: &[u8], policy: Policy) -> Option<Vec<CandleSeries>> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let tables = import_file(&path, &ImportOptions { policy, ..ImportOptions::default() }, None).ok()?;
    let mut all = Vec::new();
    for table in tables {
        if let Imported::Candles(series) = table.content {
            all.extend(series.into_iter().map(|one| one.series));
        }
    }
    Some(all)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn csv_survives_to_the_bit(series in candles()) {
        let mut text = Vec::new();
        write_csv(&series, &mut text).unwrap();
        let read = import("synthetic-linear_XYZUSDT_1m.csv", &text, Policy::Reject);
        prop_assert_eq!(read, Some(vec![series]));
    }

    #[test]
    fn any_bytes_are_read_or_refused_but_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        import("synthetic-linear_XYZUSDT_1m.csv", &bytes, Policy::Drop);
    }

    #[test]
    fn any_table_is_read_or_refused_but_never_panics(
        header in "(timestamp|date|time|x)?[,;\t](open,high,low,close,volume|o,h,l,c,v|a,b)?",
        rows in proptest::collection::vec("[-0-9eE.,;:TZ /nax\"]{0,60}", 0..12),
    ) {
        import("synthetic-linear_XYZUSDT_1m.csv", format!("{header}\n{}", rows.join("\n")).as_bytes(), Policy::KeepFirst);
        import("x.json", format!("[[{}]]", rows.join("],[")).as_bytes(), Policy::Drop);
    }

    /// One changed character never changes a value silently: the file is refused, or reads to other
    /// candles that a person would read too. What must not happen is a candle lost without a word.
    #[test]
    fn no_row_is_lost_silently(series in candles(), at in any::<prop::sample::Index>(), by in "[0-9a-z,.\n-]") {
        let mut text = Vec::new();
        write_csv(&series, &mut text).unwrap();
        let body = text.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        let at = body + at.index(text.len() - body);
        text[at] = by.as_bytes()[0];
        if let Some(read) = import("synthetic-linear_XYZUSDT_1m.csv", &text, Policy::Reject) {
            let rows = text.iter().filter(|byte| **byte == b'\n').count() - 1;
            let read: usize = read.iter().map(CandleSeries::len).sum();
            prop_assert!(read >= rows.min(series.len()), "{read} of {rows}");
        }
    }

    #[test]
    fn gaps_are_those_of_brute_force(series in candles(), from in 0..60_usize, len in 0..60_usize) {
        let times = &series.columns().open_time;
        let range = from.min(times.len())..(from + len).min(times.len());
        let brute = times[range.clone()].windows(2).any(|pair| pair[1].since(pair[0]) != 60_000);
        prop_assert_eq!(series.gaps().spanned_by(range), brute);
        let span = times[times.len() - 1].since(times[0]) / 60_000 + 1;
        prop_assert_eq!(series.gaps().missing() + times.len() as u64, span as u64);
        let runs: usize = series.gaps().runs(times.len()).map(|run| run.len()).sum();
        prop_assert_eq!(runs, times.len());
        prop_assert_eq!(GapLedger::of(times, Timeframe::M1), series.gaps().clone());
    }

    #[test]
    fn resampling_equals_brute_force(series in candles()) {
        let (long, counts) = resample(&series, Timeframe::M5).unwrap();
        let mut expected = Vec::new();
        let mut started = std::collections::BTreeSet::new();
        for candle in series.iter() {
            started.insert(Timeframe::M5.floor(candle.open_time));
        }
        for start in &started {
            let part = series.between(*start, start.plus_millis(300_000));
            if part.len() == 5 {
                let columns = part.columns();
                expected.push((
                    *start,
                    columns.open[0],
                    columns.high.iter().copied().fold(f64::MIN, f64::max),
                    columns.low.iter().copied().fold(f64::MAX, f64::min),
                    columns.close[4],
                ));
            }
        }
        let built: Vec<_> =
            long.iter().map(|candle| (candle.open_time, candle.open, candle.high, candle.low, candle.close)).collect();
        prop_assert_eq!(counts.incomplete as usize, started.len() - expected.len());
        prop_assert_eq!(built, expected);
    }

    #[test]
    fn joins_equal_brute_force(known in proptest::collection::btree_set(0..500_i64, 1..40), asked in proptest::collection::btree_set(0..600_i64, 1..60), lag in 0..50_i64) {
        let described: Vec<Timestamp> = known.iter().map(|time| Timestamp::from_millis(*time)).collect();
        let values = vec![(0..described.len()).map(|row| row as f64).collect()];
        let series = ExogenousSeries::new("x", vec!["v".to_owned()], described, values, KnownAfter::Millis(lag)).unwrap();
        let times: Vec<Timestamp> = asked.iter().map(|time| Timestamp::from_millis(*time)).collect();
        let brute: Vec<Option<f64>> = asked
            .iter()
            .map(|time| known.iter().filter(|known| **known + lag <= *time).count().checked_sub(1).map(|row| row as f64))
            .collect();
        prop_assert_eq!(join_as_of(&times, &series, "v", None).unwrap(), brute);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 25, failure_persistence: None, ..ProptestConfig::default() })]

    /// Parts in any order, overlapping as they like, give the store of the whole.
    #[test]
    fn the_store_does_not_depend_on_the_order_of_appends(
        series in candles(),
        cuts in proptest::collection::vec((0..120_usize, 1..60_usize), 1..5),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path());
        for (from, len) in cuts {
            let columns = series.columns().slice(from.min(series.len() - 1)..(from + len).min(series.len()).max(from.min(series.len() - 1)));
            store.append(&CandleSeries::new(key(), columns).unwrap(), OnConflict::Refuse).unwrap();
        }
        store.append(&series, OnConflict::Refuse).unwrap();
        prop_assert_eq!(store.read(&key()).unwrap(), series);
    }
}
