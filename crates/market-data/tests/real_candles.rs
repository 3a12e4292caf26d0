//! Every file of the shared data directory, where there is one.
//!
//! The data are third-party and not part of the repository; these tests use `../shared/data` where it is
//! (`cargo xtask test` says whether it is). Elsewhere the first test runs over files of the synthetic
//! market, and `tests/file_conventions.rs` tests every convention, damage and refusal on made files.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use market_data::import::{ImportOptions, Imported, import_file};
use market_data::quality::{Plausibility, Policy};
use market_data::read::ReadOptions;
use market_data::synthetic::{MarketShape, SyntheticModel};
use market_data::{Hints, MarketDataError};

fn shared() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    path.is_dir().then_some(path)
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.is_file() && path.extension().is_some_and(|ending| ending != "md" && ending != "json")
        })
        .collect();
    files.sort();
    files
}

/// Synthetic candles under real names, with a manifest of the same form. Solana and XRP have no table of
/// known prices, so nothing but the statistics judges them.
fn synthetic_data(directory: &Path) -> PathBuf {
    let shape = MarketShape { candles: 3_000, ..MarketShape::default() };
    let mut entries = Vec::new();
    for series in SyntheticModel::default().generate(&shape).unwrap().series.into_iter().skip(2) {
        let symbol = series.key().symbol.exchange_id();
        let file = format!("bybit-linear_{symbol}_5m_synthetic.csv");
        market_data::write_csv(&series, std::fs::File::create(directory.join(&file)).unwrap()).unwrap();
        let (first, last) = series.range().unwrap();
        entries.push(serde_json::json!({
            "file": file, "market": "linear", "timeframe": "5m", "symbol": symbol, "rows": series.len(),
            "gaps": 0, "missing_bars": 0, "first": first.to_string(), "last": last.to_string(),
        }));
    }
    let manifest = serde_json::json!({ "candles": entries }).to_string();
    std::fs::write(directory.join("MANIFEST.json"), manifest).unwrap();
    directory.to_owned()
}

#[test]
fn synthetic_files_stand_in_where_there_are_no_real_ones() {
    let directory = tempfile::tempdir().unwrap();
    for path in files(&synthetic_data(directory.path())) {
        import_file(&path, &ImportOptions::default(), None).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn every_candle_file_imports_without_a_finding() {
    let synthetic = tempfile::tempdir().unwrap();
    let data = shared().unwrap_or_else(|| synthetic_data(synthetic.path()));
    let manifest: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(data.join("MANIFEST.json")).unwrap()).unwrap();
    let listed = manifest["candles"].as_array().unwrap();
    assert_eq!(listed.len(), files(&data).len());
    for entry in listed {
        let name = entry["file"].as_str().unwrap();
        let tables = import_file(&data.join(name), &ImportOptions::default(), None)
            .unwrap_or_else(|error| panic!("{error}"));
        let Imported::Candles(series) = &tables[0].content else { panic!("{name}") };
        let report = &series[0].report;
        let market = match entry["market"].as_str().unwrap() {
            "usdm" => "linear",
            other => other,
        };
        assert_eq!(report.key.venue.market().as_str(), market, "{name}");
        assert_eq!(report.key.timeframe.as_str(), entry["timeframe"].as_str().unwrap(), "{name}");
        assert_eq!(report.key.symbol.exchange_id(), entry["symbol"].as_str().unwrap(), "{name}");
        assert_eq!(report.rows, entry["rows"].as_u64().unwrap(), "{name}");
        assert_eq!(report.gaps.count as u64, entry["gaps"].as_u64().unwrap(), "{name}");
        assert_eq!(report.gaps.missing, entry["missing_bars"].as_u64().unwrap(), "{name}");
        assert!(
            report.first.unwrap().to_string().starts_with(&entry["first"].as_str().unwrap()[..16]),
            "{name}"
        );
        assert!(
            report.last.unwrap().to_string().starts_with(&entry["last"].as_str().unwrap()[..16]),
            "{name}"
        );
    }
}

#[test]
fn funding_macro_and_news_import_as_exogenous_series() {
    let Some(data) = shared() else { return };
    for directory in ["funding", "macro", "news"] {
        for path in files(&data.join(directory)) {
            let tables =
                import_file(&path, &ImportOptions::default(), None).unwrap_or_else(|error| panic!("{error}"));
            match &tables[0].content {
                Imported::Exogenous(series) => {
                    assert!(!series[0].is_empty());
                    let lag = series[0].known_at()[0].since(series[0].described_at()[0]);
                    // Funding is known when it settles; a macro value not before its day is over.
                    let least = if directory == "funding" { 0 } else { 86_400_000 };
                    assert!(
                        lag >= least && (directory != "funding" || lag == 0),
                        "{}: {lag}",
                        path.display()
                    );
                }
                Imported::Headlines(news) => assert!(news.headlines().len() > 100),
                Imported::Candles(_) => panic!("{} is no candle file", path.display()),
            }
        }
    }
}

/// A raw file, the options that it needs, and what comes of it: a number of candles or a refusal whose
/// message contains all of these parts.
struct Case {
    file: &'static str,
    options: ImportOptions,
    expected: Result<u64, &'static [&'static str]>,
}

fn case(file: &'static str, expected: Result<u64, &'static [&'static str]>) -> Case {
    Case { file, options: ImportOptions::default(), expected }
}

fn raw_cases() -> Vec<Case> {
    let with = |change: fn(&mut ImportOptions)| {
        let mut options = ImportOptions::default();
        change(&mut options);
        options
    };
    let drop = with(|options| options.policy = Policy::Drop);
    let keep_first = with(|options| options.policy = Policy::KeepFirst);
    vec![
        // Each source in its own dress.
        case("binance_12-column_klines_1h_BTCUSDT.csv.gz", Ok(6_000)),
        case("binance_usdm_BTCUSDT_1d_zone-suffix.csv.gz", Ok(1_570)),
        case("bybit_XRPUSDT_D_date-only.csv.gz", Ok(1_162)),
        case("cdd_binance_SHIBUSDT_1h_descending.csv.gz", Ok(5_000)),
        case("mislabelled_bitfinex_1h_is_coinbase.csv.gz", Ok(6_000)),
        case("noheader_BTCUSDT_1d_20230315T.csv.gz", Ok(200)),
        case("noheader_BNBUSDT_1d_20230315T.csv.gz", Ok(200)),
        case("bybit_v5_kline_ETHUSDT_D_page1.json", Ok(1_000)),
        case("bybit_v5_kline_ETHUSDT_D_page2.json", Ok(222)),
        case("freqtrade_ADA_USDT_USDT-5m-futures.feather", Ok(17_359)),
        case("lean_bybit_spot_20221213_trade.zip", Ok(1_440)),
        case("lean_bybit_linear_20221213_trade.zip", Ok(721)),
        case("ccxt_array_1m_gaps_zero-volume.json.gz", Err(&["--symbol"])),
        Case {
            file: "ccxt_array_1m_gaps_zero-volume.json.gz",
            options: with(|options| {
                options.hints = Hints { symbol: Some("UNITTEST/BTC".into()), ..Hints::default() }
            }),
            expected: Ok(13_681),
        },
        case("bitstamp_wide_multi-asset_1d.csv.gz", Err(&["--quote"])),
        Case {
            file: "bitstamp_wide_multi-asset_1d.csv.gz",
            options: with(|options| options.hints = Hints { quote: Some("USD".into()), ..Hints::default() }),
            expected: Ok(1_865 + (1_865 - 1_077) + (1_865 - 940)),
        },
        // Rows that are wrong: refused with their line, taken under another policy.
        case(
            "bybit_daily_BTCUSDT_duplicate-page-row.csv.gz",
            Err(&["line ", "open time", "2023-02-18", "repeats line", "--findings"]),
        ),
        Case {
            file: "bybit_daily_BTCUSDT_duplicate-page-row.csv.gz",
            options: keep_first,
            expected: Ok(1_341),
        },
        case(
            "bybit_daily_BCHUSDT_zero-open-first-row.csv.gz",
            Err(&["line 2", "price of zero", "--findings drop"]),
        ),
        Case {
            file: "bybit_daily_BCHUSDT_zero-open-first-row.csv.gz",
            options: drop.clone(),
            expected: Ok(1_311),
        },
        case(
            "btcusd_1h_descending_volume-columns-swapped.csv.gz",
            Err(&["2997", "turnover", "swapped", "line "]),
        ),
        Case {
            file: "btcusd_1h_descending_volume-columns-swapped.csv.gz",
            options: drop,
            expected: Ok(3_003),
        },
        case("coinbase_1h_comment-first-line_am-pm_descending.csv.gz", Err(&["2017-11-12", "line "])),
        // Clocks that are not UTC.
        case(
            "multi-venue_8h_long-format_dst_misaligned.csv.gz",
            Err(&["1 h after the 8h grid", "--utc-offset"]),
        ),
        case("funding_binance_BTC_utc+3_clock.csv.gz", Err(&["--utc-offset +03:00", "line 2"])),
        case("funding_bybit_BTC_utc+3_clock.csv.gz", Err(&["--utc-offset +03:00", "line 2"])),
        // What is no candle at all.
        case("lean_bybit_spot_20221213_quote.zip", Err(&["bid and ask quotes", "line 1"])),
        case("lean_bybit_linear_20221213_quote.zip", Err(&["bid and ask quotes", "line 1"])),
        case("orderbook_binance-futures_book_snapshot_5_BTCUSDT.csv", Err(&["order book"])),
        case("orderbook_binance-futures_book_snapshot_25_BTCUSDT.csv", Err(&["order book"])),
        case("orderbook_btcusdt-depth-snap.csv", Err(&["order book"])),
        case("orderbook_btcusdt-depth-update.csv", Err(&["order book"])),
        case("orderbook_bitmex_trades_XBTUSD.csv", Err(&["single trades"])),
        case("orderbook_bybit_XRPUSDT_ob500_2024-12-01.zip", Err(&["one JSON document per line"])),
        case("orderbook_binance_spot_btcusdt_20240808.gz", Err(&["line 1"])),
        case("trades_ccxt_list_ETH_2023-02-02.csv", Err(&["single trades"])),
        case("trades_bitstampUSD_noheader.csv.gz", Err(&["single trades"])),
        case("news_semicolon_dmy_python-dict.csv.gz", Err(&["line 2", "`date`", "--date-order"])),
        // What pretends to be a market.
        case(
            "NEGATIVE_synthetic_SOLUSDT_1h.csv.gz",
            Err(&["16 min 48.939 s after the 1h grid", "line 2", "random-walk", "no-body"]),
        ),
        case("NEGATIVE_testnet_SOLUSDT_1h.csv.gz", Err(&["test network", "dead-book"])),
        case(
            "NEGATIVE_synthetic_BTC_USDT-1h.feather",
            Err(&["known prices of BTC", "known-prices", "line 8", "impossible open"]),
        ),
        case("NEGATIVE_wrong-scale_DXY.csv.gz", Err(&["this is not DXY", "line 2", "known-prices"])),
    ]
}

#[test]
fn every_raw_file_reads_right_or_is_refused_for_the_right_reason() {
    let Some(data) = shared() else { return };
    let mut seen = std::collections::BTreeSet::from([
        // Exogenous ones, tested below.
        "lean_bybit_btcusdt_funding.csv".to_owned(),
        "freqtrade_BTC_funding_rate.feather".to_owned(),
    ]);
    for case in raw_cases() {
        seen.insert(case.file.to_owned());
        let result = import_file(&data.join("raw").join(case.file), &case.options, None);
        match (result, case.expected) {
            (Ok(tables), Ok(rows)) => {
                let Imported::Candles(series) = &tables[0].content else {
                    panic!("{} holds no candles", case.file)
                };
                let read: u64 = series.iter().map(|one| one.report.rows).sum();
                assert_eq!(read, rows, "{}", case.file);
            }
            (Err(error), Err(parts)) => {
                let text = error.to_string();
                for part in parts.iter().chain(&[case.file]) {
                    assert!(text.contains(part), "{}: `{part}` is not in: {text}", case.file);
                }
            }
            (Ok(_), Err(parts)) => panic!("{} was taken, expected a refusal with {parts:?}", case.file),
            (Err(error), Ok(_)) => panic!("{error}"),
        }
    }
    for path in files(&data.join("raw")) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(seen.contains(&name), "{name} has no case");
    }
}

#[test]
fn accepted_signs_let_a_file_pass() {
    let Some(data) = shared() else { return };
    let path = data.join("raw/NEGATIVE_testnet_SOLUSDT_1h.csv.gz");
    let accept = std::collections::BTreeSet::from([market_data::quality::SignKind::DeadBook]);
    let options = ImportOptions { plausibility: Plausibility { accept }, ..ImportOptions::default() };
    let tables = import_file(&path, &options, None).unwrap();
    let Imported::Candles(series) = &tables[0].content else { panic!() };
    assert_eq!(series[0].report.signs.len(), 1);
}

#[test]
fn funding_of_other_programs() -> Result<(), MarketDataError> {
    let Some(data) = shared() else { return Ok(()) };
    for (file, offset, rows, first) in [
        ("freqtrade_BTC_funding_rate.feather", 0, 180, "2025-11-30T00:00:00Z"),
        ("lean_bybit_btcusdt_funding.csv", 0, 3, "2022-12-13T00:00:00Z"),
        ("funding_bybit_BTC_utc+3_clock.csv.gz", 180, 3_285, "2021-01-01T00:00:00Z"),
    ] {
        let read = ReadOptions { utc_offset_minutes: offset, ..ReadOptions::default() };
        let options = ImportOptions { read, ..ImportOptions::default() };
        let tables = import_file(&data.join("raw").join(file), &options, None)?;
        let Imported::Exogenous(series) = &tables[0].content else { panic!("{file}") };
        assert_eq!(
            (series[0].len(), series[0].described_at()[0].to_string().as_str()),
            (rows, first),
            "{file}"
        );
    }
    Ok(())
}
