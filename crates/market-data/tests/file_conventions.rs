//! The same candles in every dress that files wear, made from the synthetic market: each must read back
//! to the bit, and each damaged one must be refused with its place.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Write;
use std::path::{Path, PathBuf};

use market_data::import::{ImportOptions, Imported, import_file};
use market_data::read::ReadOptions;
use market_data::store::write_parquet;
use market_data::synthetic::{MarketShape, SyntheticModel};
use market_data::{Candle, CandleSeries, Hints, MarketDataError};

fn market() -> Vec<CandleSeries> {
    let mut shape = MarketShape { candles: 700, seed: 3, ..MarketShape::default() };
    shape.symbols.truncate(2);
    SyntheticModel::default().generate(&shape).unwrap().series
}

/// A file's text from a header and a function that writes a candle.
fn table(series: &CandleSeries, header: &str, row: impl Fn(&Candle) -> String) -> String {
    let mut text = header.to_owned();
    for candle in series.iter() {
        text.push_str(&row(&candle));
        text.push('\n');
    }
    text
}

fn prices(candle: &Candle) -> String {
    format!("{},{},{},{},{}", candle.open, candle.high, candle.low, candle.close, candle.volume)
}

fn turnover(candle: &Candle) -> f64 {
    candle.turnover.unwrap()
}

fn write(directory: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn read(path: &Path, options: &ImportOptions) -> Result<Vec<CandleSeries>, MarketDataError> {
    let mut all = Vec::new();
    for table in import_file(path, options, None)? {
        let Imported::Candles(series) = table.content else { panic!("{} is no candle file", path.display()) };
        all.extend(series.into_iter().map(|one| one.series));
    }
    Ok(all)
}

/// Name of the file, its text, and whether it states the turnover.
fn texts(series: &CandleSeries) -> Vec<(&'static str, String, bool)> {
    let iso = |candle: &Candle| candle.open_time.to_string();
    let naive = |candle: &Candle| iso(candle).replace('T', " ").replace('Z', "");
    let newest_first = |text: String| {
        let mut lines: Vec<&str> = text.lines().collect();
        lines[1..].reverse();
        lines.join("\n")
    };
    let row =
        |time: &dyn Fn(&Candle) -> String, candle: &Candle| format!("{},{}", time(candle), prices(candle));
    let ms = |candle: &Candle| candle.open_time.as_millis();
    vec![
        (
            "export_BTCUSDT.csv",
            table(series, "timestamp,open,high,low,close,volume,turnover,symbol\n", |c| {
                format!("{},{},{},BTCUSDT", ms(c), prices(c), turnover(c))
            }),
            true,
        ),
        ("seconds_BTCUSDT.csv", table(series, "unix,open,high,low,close,volume\n", |c| format!("{},{}", ms(c) / 1_000, prices(c))), false),
        ("micro_BTCUSDT.csv", table(series, "", |c| format!("{}000,{}", ms(c), prices(c))), false),
        ("nano_BTCUSDT.csv", table(series, "ts,o,h,l,c,v\n", |c| format!("{}000000,{}", ms(c), prices(c))), false),
        ("float_BTCUSDT.csv", table(series, "time,open,high,low,close,volume\n", |c| format!("{}.0,{}", ms(c) / 1_000, prices(c))), false),
        ("iso_BTCUSDT.csv", table(series, "Date,Open,High,Low,Close,Volume\n", |c| row(&iso, c)), false),
        ("naive_BTCUSDT.csv", table(series, "datetime,open,high,low,close,volume\n", |c| row(&naive, c)), false),
        (
            "zone_BTCUSDT.csv",
            table(series, "date,open,high,low,close,volume\n", |c| format!("{}+00:00,{}", naive(c), prices(c))),
            false,
        ),
        (
            "semicolon_BTCUSDT.csv",
            table(series, "timestamp,open,high,low,close,volume\n", |c| row(&iso, c)).replace(',', ";"),
            false,
        ),
        (
            "tabs_BTCUSDT.tsv",
            table(series, "timestamp,open,high,low,close,volume\n", |c| row(&iso, c)).replace(',', "\t"),
            false,
        ),
        (
            "windows_BTCUSDT.csv",
            format!("\u{feff}{}", table(series, "timestamp,open,high,low,close,volume\n", |c| row(&iso, c)))
                .replace('\n', "\r\n"),
            false,
        ),
        (
            "newest_BTCUSDT.csv",
            newest_first(table(series, "timestamp,open,high,low,close,volume\n", |c| row(&iso, c))),
            false,
        ),
        (
            "cdd_BTCUSDT.csv",
            newest_first(table(series, "unix,date,symbol,open,high,low,close,Volume BTC,Volume USDT,tradecount\n", |c| {
                format!("{},{},BTC/USDT,{},{},7", ms(c) / 1_000, naive(c), prices(c), turnover(c))
            })),
            true,
        ),
        (
            "comment_BTCUSDT.csv",
            format!(
                "Times are UTC, https://example.com\n{}",
                table(series, "date,symbol,open,high,low,close,volume_btc,volume\n", |c| {
                    format!("{},BTCUSDT,{},{}", naive(c), prices(c), turnover(c))
                })
            ),
            true,
        ),
        (
            "binance_BTCUSDT.csv",
            table(series, "", |c| {
                format!("{},{},{},{},5,1.0,1.0,0", ms(c), prices(c), ms(c) + 299_999, turnover(c))
            }),
            true,
        ),
        (
            "quoted_BTCUSDT.csv",
            table(series, "\"timestamp\",\"open\",\"high\",\"low\",\"close\",\"volume\"\n", |c| {
                format!("\"{}\",\"{}\"", iso(c), prices(c).replace(',', "\",\""))
            }),
            false,
        ),
        (
            "reordered_BTCUSDT.csv",
            table(series, "Date,Close,High,Low,Open,Volume\n", |c| {
                format!("{},{},{},{},{},{}", iso(c), c.close, c.high, c.low, c.open, c.volume)
            }),
            false,
        ),
        (
            "ccxt_BTCUSDT.json",
            format!("[{}]", table(series, "", |c| format!("[{},{}],", ms(c), prices(c))).trim_end().trim_end_matches(',')),
            false,
        ),
        (
            "objects_BTCUSDT.json",
            format!(
                "[{}]",
                table(series, "", |c| format!(
                    "{{\"time\":{},\"open\":{},\"high\":{},\"low\":{},\"close\":\"{}\",\"volume\":{},\"turnover\":{}}},",
                    ms(c), c.open, c.high, c.low, c.close, c.volume, turnover(c)
                ))
                .trim_end()
                .trim_end_matches(',')
            ),
            true,
        ),
    ]
}

fn expected(series: &CandleSeries, with_turnover: bool) -> CandleSeries {
    let mut columns = series.columns().clone();
    if !with_turnover {
        columns.turnover = None;
    }
    CandleSeries::new(series.key().clone(), columns).unwrap()
}

/// The synthetic venue is stated, so that generated prices under real names pass the gate.
fn options() -> ImportOptions {
    let hints = Hints { venue: Some("synthetic-linear".parse().unwrap()), ..Hints::default() };
    ImportOptions { hints, ..ImportOptions::default() }
}

#[test]
fn every_dress_reads_back_to_the_bit() {
    let directory = tempfile::tempdir().unwrap();
    let series = &market()[0];
    for (name, text, with_turnover) in texts(series) {
        let path = write(directory.path(), name, text.as_bytes());
        let found = read(&path, &options()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(found, [expected(series, with_turnover)], "{name}");
    }
}

#[test]
fn archives_are_unpacked_by_content_not_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let series = &market()[0];
    let (_, text, with_turnover) = texts(series).remove(0);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("inner/BTCUSDT-5m.csv", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(text.as_bytes()).unwrap();
    let zip = zip.finish().unwrap().into_inner();
    for (name, bytes) in
        [("a_BTCUSDT.csv.gz", &gzip), ("a_BTCUSDT.csv", &gzip), ("b.zip", &zip), ("b.data", &zip)]
    {
        let path = write(directory.path(), name, bytes);
        assert_eq!(read(&path, &options()).unwrap(), [expected(series, with_turnover)], "{name}");
    }
    // Cut off: refused as damaged, never read as a shorter file.
    for (name, bytes) in [("cut.csv.gz", &gzip[..gzip.len() / 2]), ("cut.zip", &zip[..zip.len() / 2])] {
        let path = write(directory.path(), name, bytes);
        let error = read(&path, &options()).unwrap_err().to_string();
        assert!(
            error.contains(name) && (error.contains("to its end") || error.contains("damaged")),
            "{error}"
        );
    }
}

#[test]
fn long_and_wide_tables_hold_many_symbols() {
    let directory = tempfile::tempdir().unwrap();
    let market = market();
    let bare: Vec<CandleSeries> = market.iter().map(|series| expected(series, false)).collect();
    let mut long = String::from("timestamp,symbol,open,high,low,close,volume\n");
    let mut wide = String::from(
        "date,BTC:open,BTC:high,BTC:low,BTC:close,BTC:volume,ETH:open,ETH:high,ETH:low,ETH:close,ETH:volume\n",
    );
    for row in 0..market[0].len() {
        let (btc, eth) = (market[0].get(row), market[1].get(row));
        long.push_str(&format!("{},BTCUSDT,{}\n", btc.open_time.as_millis(), prices(&btc)));
        long.push_str(&format!("{},ETHUSDT,{}\n", eth.open_time.as_millis(), prices(&eth)));
        // ETH is listed later.
        let eth = if row < 100 { ",,,,".to_owned() } else { prices(&eth) };
        wide.push_str(&format!("{},{},{eth}\n", btc.open_time, prices(&btc)));
    }
    let path = write(directory.path(), "long.csv", long.as_bytes());
    assert_eq!(read(&path, &options()).unwrap(), bare);
    let path = write(directory.path(), "wide.csv", wide.as_bytes());
    let mut quoted = options();
    quoted.hints.quote = Some("USDT".to_owned());
    let found = read(&path, &quoted).unwrap();
    assert_eq!(found[0], bare[0]);
    assert_eq!(found[1], bare[1].between(bare[1].get(100).open_time, market_data::Timestamp::MAX));
}

#[test]
fn parquet_and_feather_of_other_programs() {
    use polars::prelude::{DataType, IntoColumn, IpcWriter, ParquetWriter, SerWriter, TimeUnit};
    let directory = tempfile::tempdir().unwrap();
    let series = &market()[0];
    let path = directory.path().join("own_BTCUSDT.parquet");
    write_parquet(series.columns(), &path, &mut std::fs::File::create(&path).unwrap()).unwrap();
    assert_eq!(read(&path, &options()).unwrap(), [expected(series, true)]);

    // As pandas writes them: a datetime column called `date`, another order, single precision nowhere.
    for (unit, scale) in
        [(TimeUnit::Milliseconds, 1), (TimeUnit::Microseconds, 1_000), (TimeUnit::Nanoseconds, 1_000_000)]
    {
        let mut frame = market_data::store::to_frame(series.columns()).unwrap();
        let times = frame.column("timestamp").unwrap().i64().unwrap().clone() * scale;
        let times = times.into_column().cast(&DataType::Datetime(unit, None)).unwrap();
        frame.replace_column(0, times).unwrap();
        frame.rename("timestamp", "date".into()).unwrap();
        let path = directory.path().join("pandas_BTCUSDT.feather");
        IpcWriter::new(std::fs::File::create(&path).unwrap()).finish(&mut frame).unwrap();
        assert_eq!(read(&path, &options()).unwrap(), [expected(series, true)], "{unit:?}");
        let path = directory.path().join("pandas_BTCUSDT.parquet");
        ParquetWriter::new(std::fs::File::create(&path).unwrap()).finish(&mut frame).unwrap();
        assert_eq!(read(&path, &options()).unwrap(), [expected(series, true)], "{unit:?}");
    }
}

#[test]
fn damage_is_refused_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let series = &market()[0];
    let text =
        table(series, "timestamp,open,high,low,close,volume\n", |c| format!("{},{}", c.open_time, prices(c)));
    let line = |number: usize| text.lines().nth(number - 1).unwrap();
    let with = |number: usize, new: &str| text.replacen(line(number), new, 1);
    for (name, bytes, parts) in [
        ("empty_BTCUSDT.csv", String::new(), vec!["is empty"]),
        ("header_BTCUSDT.csv", text.lines().next().unwrap().to_owned(), vec!["no row"]),
        ("cut_BTCUSDT.csv", text[..text.len() - 30].to_owned(), vec!["line 701", "fields"]),
        (
            "word_BTCUSDT.csv",
            with(100, &line(100).replacen(',', ",abc", 1)),
            vec!["line 100", "`open`", "no number"],
        ),
        ("time_BTCUSDT.csv", with(7, "soon,1,1,1,1,1"), vec!["line 7", "`timestamp`", "`soon`"]),
        (
            "comma_BTCUSDT.csv",
            with(9, "2024-01-01T00:35:00Z,\"1.234,5\",1,1,1,1"),
            vec!["line 9", "decimal point"],
        ),
        (
            "repeat_BTCUSDT.csv",
            with(50, &format!("{}\n{}", line(50), line(50))),
            vec!["line 51", "repeats line 50"],
        ),
        ("swapped_BTCUSDT.csv", with(50, &format!("{}\n{}", line(51), line(50))), vec!["out of order"]),
        ("hole_BTCUSDT.csv", with(50, "2024-01-01T04:00:00Z,,,,,"), vec!["line 50", "missing or non-finite"]),
        ("minus_BTCUSDT.csv", with(50, "2024-01-01T04:00:00Z,1,2,-1,1,1"), vec!["line 50", "zero or below"]),
        ("symbol.csv", text.clone(), vec!["--symbol"]),
        ("words_BTCUSDT.csv", "just,some,words\nand,more,words\n".to_owned(), vec!["line 1", "--columns"]),
    ] {
        let path = write(directory.path(), name, bytes.as_bytes());
        let error = read(&path, &options()).expect_err(name).to_string();
        for part in parts.iter().chain(&[name]) {
            assert!(error.contains(part), "{name}: `{part}` is not in: {error}");
        }
    }
    let error = read(&directory.path().join("absent.csv"), &options()).unwrap_err();
    assert!(error.to_string().contains("absent.csv") && !error.is_finding(), "{error}");
    assert!(read(directory.path(), &options()).unwrap_err().to_string().contains("directory"));
}

#[test]
fn day_first_dates_need_their_order() {
    let directory = tempfile::tempdir().unwrap();
    let text =
        "date,open,high,low,close,volume\n31/01/2024,1,1,1,1,1\n01/02/2024,1,1,1,1,1\n02/02/2024,1,1,1,1,1\n";
    let path = write(directory.path(), "eu_BTCUSDT_1d.csv", text.as_bytes());
    assert!(read(&path, &options()).unwrap_err().to_string().contains("--date-order"));
    let order = Some("dmy".parse().unwrap());
    let ordered =
        ImportOptions { read: ReadOptions { date_order: order, ..ReadOptions::default() }, ..options() };
    let found = read(&path, &ordered).unwrap();
    assert_eq!(found[0].range().unwrap().1.to_string(), "2024-02-02T00:00:00Z");
}

#[test]
fn named_columns_read_the_order_of_other_exchanges() {
    let directory = tempfile::tempdir().unwrap();
    let series = &market()[0];
    // Coinbase: time, low, high, open, close, volume.
    let text = table(series, "", |c| {
        format!(
            "{},{},{},{},{},{}",
            c.open_time.as_millis() / 1_000,
            c.low,
            c.high,
            c.open,
            c.close,
            c.volume
        )
    });
    let path = write(directory.path(), "coinbase_BTCUSDT.csv", text.as_bytes());
    let error = read(&path, &options()).unwrap_err().to_string();
    assert!(error.contains("impossible") && error.contains("--columns"), "{error}");
    let columns = ["time", "low", "high", "open", "close", "volume"].map(str::to_owned).to_vec();
    let named =
        ImportOptions { read: ReadOptions { columns: Some(columns), ..ReadOptions::default() }, ..options() };
    assert_eq!(read(&path, &named).unwrap(), [expected(series, false)]);
}

#[test]
fn a_random_walk_is_no_market() {
    let directory = tempfile::tempdir().unwrap();
    let shape = MarketShape { candles: 5_000, seed: 5, ..MarketShape::default() };
    let noise: SyntheticModel = serde_json::from_value(serde_json::json!({ "model": "noise" })).unwrap();
    let regime = SyntheticModel::default();
    // XRP has no table of known prices, so only the statistics speak.
    for (model, refused) in [(noise, true), (regime, false)] {
        let market = model.generate(&shape).unwrap();
        let xrp = market.series.iter().find(|series| series.key().symbol.base() == "XRP").unwrap();
        let path = directory.path().join("bybit-linear_XRPUSDT_5m_somewhere.csv");
        market_data::write_csv(xrp, std::fs::File::create(&path).unwrap()).unwrap();
        let result = read(&path, &ImportOptions::default());
        assert_eq!(result.is_err(), refused, "{}: {result:?}", model.name());
        if let Err(error) = result {
            assert!(error.to_string().contains("--accept random-walk"), "{error}");
        }
    }
}
