use super::*;

fn import(name: &str, text: &str, options: &ImportOptions) -> Result<ImportedTable, MarketDataError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    import_file(&path, options, None).map(|mut tables| tables.remove(0))
}

fn exogenous(table: ImportedTable) -> Vec<ExogenousSeries> {
    match table.content {
        Imported::Exogenous(series) => series,
        other => panic!("{other:?}"),
    }
}

#[test]
fn macro_values_wait_for_the_end_of_their_period() {
    let text = "timestamp,value,series\n1517443200000,30,FNG\n1517529600000,15,FNG\n1517616000000,16,FNG\n";
    let series = exogenous(import("fng_1d.csv", text, &ImportOptions::default()).unwrap());
    assert_eq!(series[0].name(), "FNG");
    assert_eq!(series[0].known_at()[0].since(series[0].described_at()[0]), 86_400_000);
}

#[test]
fn an_index_without_volume_is_exogenous() {
    let text = "timestamp,open,high,low,close,volume,turnover,symbol\n631238400000,17.24,17.24,17.24,17.24,,,VIX\n631324800000,18.19,18.19,18.19,18.19,,,VIX\n";
    let series = exogenous(import("vix.csv", text, &ImportOptions::default()).unwrap());
    assert_eq!((series[0].name(), series[0].fields().len(), series[0].len()), ("VIX", 4, 2));
}

#[test]
fn an_index_out_of_its_range_is_refused() {
    let mut text = String::from("Date,Close,High,Low,Open,Volume\n");
    for day in 1..=28 {
        text.push_str(&format!("2014-09-{day:02},1642.15,1642.15,1642.15,1642.15,0.0\n"));
    }
    let error = import("wrong_DXY.csv", &text, &ImportOptions::default()).unwrap_err().to_string();
    for part in ["DXY", "1642.15", "line 2", "70 and 165", "known-prices"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn funding_in_every_dress() {
    let normal = "timestamp,symbol,venue,funding_rate\n1764460800000,BTCUSDT,binance,0.00006082\n1764489600000,BTCUSDT,binance,0.00003556\n";
    let headerless =
        "20221213 00:00:00,-0.0002016\n20221213 08:00:00,-0.00022398\n20221213 16:00:00,-0.00038555";
    let series = exogenous(import("f.csv", normal, &ImportOptions::default()).unwrap());
    assert_eq!(
        (series[0].name(), series[0].known_at()[0]),
        ("funding_binance_BTCUSDT", series[0].described_at()[0])
    );
    let series = exogenous(import("lean_funding.csv", headerless, &ImportOptions::default()).unwrap());
    assert_eq!((series[0].name(), series[0].len()), ("LEAN_FUNDING", 3));
}

#[test]
fn a_local_clock_is_refused_until_it_is_stated() {
    let text = "Symbol,Date,Funding Rate\nBTC-USDT,2021-01-01 03:00:00,0.1\nBTC-USDT,2021-01-01 11:00:00,0.2\nBTC-USDT,2021-01-01 19:00:00,0.3\n";
    let error = import("f.csv", text, &ImportOptions::default()).unwrap_err().to_string();
    assert!(error.contains("--utc-offset +03:00") && error.contains("line 2"), "{error}");
    let options = ImportOptions {
        read: ReadOptions { utc_offset_minutes: 180, ..ReadOptions::default() },
        ..ImportOptions::default()
    };
    let series = exogenous(import("f.csv", text, &options).unwrap());
    assert_eq!(series[0].described_at()[0].to_string(), "2021-01-01T00:00:00Z");
}

#[test]
fn headlines_keep_their_text() {
    let text = "timestamp,source,title,subject,sentiment_label,polarity\n1634068800000,CryptoNews,\"Celo, fast\",blockchain,positive,0.16\n1634256000000,,other,,,\n";
    let table = import("crypto_headlines.csv", text, &ImportOptions::default()).unwrap();
    let Imported::Headlines(news) = table.content else { panic!() };
    assert_eq!((news.name(), news.headlines()[0].title.as_str()), ("crypto_headlines", "Celo, fast"));
    assert_eq!(news.headlines()[1].polarity, None);
}

#[test]
fn what_is_no_candle_is_named() {
    for (text, part) in [
        (
            "exchange,symbol,timestamp,id,side,price,amount\nbitmex,X,1583020803145000,c,sell,8531.5,2152\n",
            "single trades",
        ),
        ("1315922016,5.8,1.0\n1315922024,5.83,3.0\n", "single trades"),
        ("0,1,2,0.5,1,3,1,2,0.5,1,3\n", "bid and ask quotes"),
    ] {
        let error = import("x.csv", text, &ImportOptions::default()).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains("line 1"), "{error}");
    }
}

#[test]
fn no_option_is_ignored_without_a_word() {
    let text = "d;x;level\n1517443200000;1;30\n1517529600000;2;15\n";
    let columns = ["date", "other", "value"].map(str::to_owned).to_vec();
    let named = ImportOptions {
        kind: Kind::Values,
        read: ReadOptions { columns: Some(columns), ..ReadOptions::default() },
        hints: Hints { timeframe: Some(crate::Timeframe::D1), ..Hints::default() },
        ..ImportOptions::default()
    };
    let table = import("x.csv", text, &named).unwrap();
    assert!(table.notes.iter().any(|note| note.contains("--timeframe have no effect")), "{:?}", table.notes);
    assert_eq!(exogenous(table)[0].column("value").unwrap(), [30.0, 15.0]);
    let two = ["date", "value"].map(str::to_owned).to_vec();
    let wrong = ImportOptions { read: ReadOptions { columns: Some(two), ..ReadOptions::default() }, ..named };
    assert!(import("x.csv", text, &wrong).unwrap_err().to_string().contains("3 fields"));
    let object = r#"[{"time":1721174400,"open":1,"high":2,"low":0.5,"close":1,"volume":3}]"#;
    let error =
        import("x.json", object, &ImportOptions { kind: Kind::Candles, ..wrong }).unwrap_err().to_string();
    assert!(error.contains("--columns is for arrays"), "{error}");
}
