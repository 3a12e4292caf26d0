use super::*;
use crate::candle::Candle;
use crate::exogenous::{ExogenousSeries, Headline, HeadlineSeries, KnownAfter};
use crate::series::{CandleColumns, CandleSeries};
use crate::symbol::{Market, Symbol, Venue};
use crate::timeframe::Timeframe;
use crate::timestamp::Timestamp;

fn key() -> SeriesKey {
    let venue = Venue::new("bybit", Market::Linear).unwrap();
    SeriesKey::new(venue, Symbol::parse_on("BTCUSDT", Market::Linear).unwrap(), Timeframe::H4)
}

/// Candles of four hours from the `from`th to the `to`th after 2024-01-30, so that months change.
fn series(from: i64, to: i64, turnover: bool) -> CandleSeries {
    let mut columns = CandleColumns::default();
    for index in from..to {
        let price = 100.0 + (index % 7) as f64;
        columns.push(&Candle {
            open_time: Timestamp::from_millis(1_706_572_800_000 + index * Timeframe::H4.millis()),
            open: price,
            high: price + 1.5,
            low: price - 1.0,
            close: price + 0.1,
            volume: index as f64 + 0.1,
            turnover: turnover.then_some(price * (index as f64 + 0.1)),
        });
    }
    CandleSeries::new(key(), columns).unwrap()
}

fn store() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::new(directory.path().join("store"));
    (directory, store)
}

#[test]
fn what_is_stored_is_read_to_the_bit() {
    let (_directory, store) = store();
    for turnover in [false, true] {
        let series = series(0, 500, turnover);
        store.append(&series, OnConflict::Refuse).unwrap();
        assert_eq!(store.read(&key()).unwrap(), series);
    }
    assert_eq!(store.keys().unwrap(), [key()]);
    let manifest = store.manifest(&key()).unwrap().unwrap();
    assert_eq!((manifest.rows, manifest.partitions.len()), (500, 4));
    assert_eq!(manifest.first.unwrap().to_string(), "2024-01-30T00:00:00Z");
}

#[test]
fn order_and_overlap_of_appends_do_not_matter() {
    let whole = series(0, 400, true);
    let mut hashes = Vec::new();
    for parts in [vec![(0, 400)], vec![(200, 400), (0, 250)], vec![(100, 150), (0, 400), (399, 400)]] {
        let (_directory, store) = store();
        for (from, to) in parts {
            store.append(&series(from, to, true), OnConflict::Refuse).unwrap();
        }
        assert_eq!(store.read(&key()).unwrap(), whole);
        hashes.push(store.manifest(&key()).unwrap().unwrap().content_hash);
    }
    hashes.dedup();
    assert_eq!(hashes.len(), 1);
}

#[test]
fn appends_count_what_they_did() {
    let (_directory, store) = store();
    store.append(&series(0, 100, false), OnConflict::Refuse).unwrap();
    let again = store.append(&series(50, 120, false), OnConflict::Refuse).unwrap();
    assert_eq!(again, Appended { added: 20, already_stored: 50, conflicts: 0 });
    // A source that knows the turnover adds it without a conflict.
    store.append(&series(0, 120, true), OnConflict::Refuse).unwrap();
    assert_eq!(store.read(&key()).unwrap(), series(0, 120, true));
}

#[test]
fn nothing_is_overwritten_unless_asked() {
    let (_directory, store) = store();
    store.append(&series(0, 100, false), OnConflict::Refuse).unwrap();
    let before = store.manifest(&key()).unwrap();
    let mut columns = series(0, 110, false).into_columns();
    columns.close[99] += 0.5;
    let other = CandleSeries::new(key(), columns).unwrap();
    let error = store.append(&other, OnConflict::Refuse).unwrap_err().to_string();
    for part in ["2024-02-15T12:00:00Z", "stored open", "--on-conflict"] {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(store.manifest(&key()).unwrap(), before);
    store.append(&other, OnConflict::KeepStored).unwrap();
    assert_eq!(store.read(&key()).unwrap(), series(0, 110, false));
    store.append(&other, OnConflict::Replace).unwrap();
    assert_eq!(store.read(&key()).unwrap(), other);
}

#[test]
fn ranges_read_only_what_they_need() {
    let (_directory, store) = store();
    store.append(&series(0, 500, false), OnConflict::Refuse).unwrap();
    let from: Timestamp = "2024-02-10".parse().unwrap();
    let to: Timestamp = "2024-02-12".parse().unwrap();
    let part = store.read_between(&key(), from, to).unwrap();
    assert_eq!((part.len(), part.range().unwrap().0), (12, from));
    // A damaged month outside of the range does not disturb.
    let march = store.manifest(&key()).unwrap().unwrap().partitions.pop().unwrap();
    std::fs::write(store.directory(&key()).join(&march.file), b"damaged").unwrap();
    assert!(store.read_between(&key(), from, to).is_ok());
    let error = store.read(&key()).unwrap_err().to_string();
    assert!(error.contains(&march.file) && error.contains("content that the manifest states"), "{error}");
}

#[test]
fn left_over_files_are_removed_and_unknown_formats_refused() {
    let (_directory, store) = store();
    store.append(&series(0, 10, false), OnConflict::Refuse).unwrap();
    let directory = store.directory(&key());
    std::fs::write(directory.join("2024-05.0000.parquet"), b"half").unwrap();
    std::fs::write(directory.join(".unfinished-x"), b"half").unwrap();
    store.append(&series(10, 20, false), OnConflict::Refuse).unwrap();
    assert!(!directory.join("2024-05.0000.parquet").exists() && !directory.join(".unfinished-x").exists());
    let text = std::fs::read_to_string(directory.join("manifest.json")).unwrap();
    std::fs::write(directory.join("manifest.json"), text.replace("\"format\": 1", "\"format\": 2")).unwrap();
    assert!(store.read(&key()).unwrap_err().to_string().contains("format 2"));
    std::fs::write(directory.join("manifest.json"), "{").unwrap();
    assert!(store.read(&key()).unwrap_err().to_string().contains("damaged"));
}

#[test]
fn a_damaged_manifest_hides_no_other_series() {
    let (_directory, store) = store();
    let columns = series(0, 10, false).columns().clone();
    let mut keys = Vec::new();
    for (venue, symbol) in [
        ("bybit-spot", Symbol::new("BTC", "USDT", None)),
        ("my_own-exchange-linear", Symbol::new("1000PEPE", "USDC", Some("USDC"))),
        ("bybit-inverse", Symbol::new("ETH", "USD", Some("ETH"))),
    ] {
        let key = SeriesKey::new(venue.parse().unwrap(), symbol.unwrap(), Timeframe::H4);
        store.append(&CandleSeries::new(key.clone(), columns.clone()).unwrap(), OnConflict::Refuse).unwrap();
        keys.push(key);
    }
    std::fs::write(store.directory(&keys[1]).join("manifest.json"), "{").unwrap();
    let mut sorted = keys.clone();
    sorted.sort();
    assert_eq!(store.keys().unwrap(), sorted);
    assert!(store.read(&keys[1]).is_err());
    assert!(store.read(&keys[0]).is_ok() && store.read(&keys[2]).is_ok());
    // A directory that was renamed is not passed over.
    let moved = store.directory(&keys[0]).with_file_name("4hours");
    std::fs::rename(store.directory(&keys[0]), &moved).unwrap();
    assert!(store.keys().unwrap_err().to_string().contains("4hours"));
}

#[test]
fn an_absent_series_is_named() {
    let (_directory, store) = store();
    assert!(store.keys().unwrap().is_empty());
    assert!(store.read(&key()).unwrap_err().to_string().contains("holds no bybit-linear BTC/USDT:USDT 4h"));
}

#[test]
fn exogenous_series_and_headlines_round_trip() {
    let (_directory, store) = store();
    let days = |from: i64, to: i64| {
        let times: Vec<Timestamp> = (from..to).map(|day| Timestamp::from_millis(day * 86_400_000)).collect();
        let values = vec![(from..to).map(|day| day as f64).collect()];
        ExogenousSeries::new("FNG", vec!["value".to_owned()], times, values, KnownAfter::Period).unwrap()
    };
    store.append_exogenous(&days(0, 10), OnConflict::Refuse).unwrap();
    let appended = store.append_exogenous(&days(5, 15), OnConflict::Refuse).unwrap();
    assert_eq!((appended.added, appended.already_stored), (5, 5));
    assert_eq!(store.read_exogenous("FNG").unwrap(), days(0, 15));
    assert_eq!(store.exogenous_names().unwrap(), ["FNG"]);
    let headline = Headline {
        published_at: Timestamp::from_millis(5),
        source: "s".to_owned(),
        title: "t".to_owned(),
        subject: String::new(),
        label: String::new(),
        polarity: None,
    };
    let news = HeadlineSeries::new("news", vec![headline]).unwrap();
    store.append_headlines(&news).unwrap();
    assert_eq!(store.append_headlines(&news).unwrap().already_stored, 1);
    assert_eq!(store.read_headlines("news").unwrap(), news);
}

#[test]
fn a_source_holds_until_its_months_change() {
    let (_directory, store) = store();
    let record = |series: &CandleSeries, store: &Store| {
        let (first, last) = series.range().unzip();
        let report = crate::quality::QualityReport {
            key: key(),
            file: String::new(),
            rows_read: 0,
            rows: series.len() as u64,
            removed: 0,
            first,
            last,
            gaps: crate::quality::GapSummary::default(),
            zero_volume: 0,
            findings: std::collections::BTreeMap::new(),
            signs: Vec::new(),
            notes: Vec::new(),
            content_hash: String::new(),
        };
        let manifest = store.manifest(&key()).unwrap().unwrap();
        let series = vec![SourceSeries::of(&report, &manifest)];
        SourceRecord { hash: "h".to_owned(), file: String::new(), series, others: Vec::new() }
    };
    // Two months; the first ends with candle 11.
    let january = series(0, 12, false);
    store.append(&january, OnConflict::Refuse).unwrap();
    let of_january = record(&january, &store);
    assert_eq!(of_january.series[0].partitions.len(), 1);
    assert!(store.still_holds(&of_january).unwrap());
    store.append(&series(12, 100, false), OnConflict::Refuse).unwrap();
    assert!(store.still_holds(&of_january).unwrap(), "another month does not matter");
    let mut changed = january.into_columns();
    changed.close[3] += 0.25;
    store.append(&CandleSeries::new(key(), changed).unwrap(), OnConflict::Replace).unwrap();
    assert!(!store.still_holds(&of_january).unwrap());
}

#[test]
fn the_same_candles_of_another_venue_are_found() {
    let (_directory, store) = store();
    store.append(&series(0, 200, true), OnConflict::Refuse).unwrap();
    let venue = Venue::new("bitfinex", Market::Spot).unwrap();
    let symbol = Symbol::parse_on("BTCUSDT", Market::Spot).unwrap();
    let relabelled = |columns| {
        CandleSeries::new(SeriesKey::new(venue.clone(), symbol.clone(), Timeframe::H4), columns).unwrap()
    };
    let twin = store.twin_of(&relabelled(series(100, 260, false).into_columns())).unwrap().unwrap();
    assert_eq!((twin.key, twin.compared, twin.equal), (key(), 100, 100));
    // Another venue has other volumes.
    let mut other = series(100, 260, false).into_columns();
    for volume in &mut other.volume {
        *volume *= 1.5;
    }
    assert_eq!(store.twin_of(&relabelled(other)).unwrap(), None);
    // Few candles may agree by chance, and a series is no twin of itself.
    assert_eq!(store.twin_of(&relabelled(series(0, 20, false).into_columns())).unwrap(), None);
    assert_eq!(store.twin_of(&series(0, 200, false)).unwrap(), None);
}

#[test]
fn conflicts_are_told_before_anything_is_written() {
    let (_directory, store) = store();
    store.append(&series(0, 50, false), OnConflict::Refuse).unwrap();
    assert!(store.check(&series(0, 60, false)).is_ok());
    let mut columns = series(0, 60, false).into_columns();
    columns.low[49] -= 0.5;
    let other = CandleSeries::new(key(), columns).unwrap();
    assert!(matches!(store.check(&other), Err(MarketDataError::Conflict { .. })));
}

#[test]
fn sources_are_remembered_by_content_and_options() {
    let (directory, store) = store();
    let file = directory.path().join("a.csv");
    std::fs::write(&file, "x").unwrap();
    let hash = source_hash(&file, "options").unwrap();
    assert_ne!(hash, source_hash(&file, "others").unwrap());
    let record =
        SourceRecord { hash: hash.clone(), file: "a.csv".to_owned(), series: Vec::new(), others: Vec::new() };
    assert_eq!(store.source(&hash).unwrap(), None);
    store.record_source(&record).unwrap();
    assert_eq!(store.source(&hash).unwrap(), Some(record));
}
