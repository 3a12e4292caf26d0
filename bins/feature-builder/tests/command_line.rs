//! The program as a user runs it: good runs, bad input, exit codes, JSON.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use market_data::store::{OnConflict, Store, TableColumn, read_columns};
use market_data::synthetic::{MarketShape, SyntheticModel};
use market_data::{CandleSeries, ExogenousSeries, Headline, HeadlineSeries, KnownAfter, Timeframe};
use serde_json::Value;

mod requests;

fn run(directory: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_feature-builder"));
    command.current_dir(directory).env_remove("RUST_LOG").stdin(Stdio::null());
    command.args(words).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs with JSON output; gives the exit code and the document.
fn json(directory: &Path, words: &[&str]) -> (i32, Value) {
    let output = run(directory, &[words, &["--output-format", "json"]].concat());
    let document = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{words:?}: {error}: {}", text(&output.stderr)));
    (output.status.code().unwrap(), document)
}

/// A store with two synthetic series of `candles` candles.
fn store(directory: &Path, candles: usize) -> Vec<CandleSeries> {
    let mut shape = MarketShape { candles, timeframe: Timeframe::M5, seed: 3, ..MarketShape::default() };
    shape.symbols.truncate(2);
    let market = SyntheticModel::default().generate(&shape).unwrap();
    let store = Store::new(directory.join("datasets/store"));
    for series in &market.series {
        store.append(series, OnConflict::Refuse).unwrap();
    }
    market.series
}

#[test]
fn help_names_every_command() {
    let directory = tempfile::tempdir().unwrap();
    let help = text(&run(directory.path(), &["--help"]).stdout);
    for command in ["build", "audit", "columns", "reference", "config"] {
        assert!(help.contains(command), "{help}");
        let output = run(directory.path(), &[command, "--help"]);
        assert!(output.status.success() && text(&output.stdout).contains("Usage"), "{command}");
    }
}

#[test]
fn features_are_written_and_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let series = store(directory, 4_000);
    let (code, document) = json(directory, &["build", "--out", "features"]);
    assert_eq!(code, 0);
    let built = document["series"].as_array().unwrap();
    assert_eq!(built.len(), 2);
    let first = &built[0];
    assert_eq!(first["candles"].as_u64(), Some(4_000));
    assert_eq!(
        first["rows"].as_u64().unwrap() + first["masked"]["warm_up"].as_u64().unwrap(),
        4_000,
        "{first}"
    );
    // The file holds what the library gives.
    let spec = features::FeatureSpec::default();
    let frame = spec.frame(&series[0], features::Outside::default()).unwrap();
    assert_eq!(first["feature_hash"], frame.hash());
    let columns = read_columns(&directory.join(first["file"].as_str().unwrap())).unwrap();
    assert_eq!(columns.len(), frame.columns().len() + 2);
    for ((name, column), (info, values)) in
        columns[2..].iter().zip(frame.columns().iter().zip(frame.values()))
    {
        assert_eq!(*name, info.name);
        let TableColumn::Numbers(read) = column else { panic!("{name} holds no numbers") };
        let same = |(l, r): (&f64, &f64)| l.to_bits() == r.to_bits() || (l.is_nan() && r.is_nan());
        assert!(read.len() == 4_000 && read.iter().zip(values).all(same), "{name}");
    }
    let stored = std::fs::read_to_string(directory.join("features/features.toml")).unwrap();
    assert_eq!(features::FeatureSpec::from_toml(&stored).unwrap(), spec);
    // Nothing is written over unless that is asked for.
    let again = run(directory, &["build", "--out", "features"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("--overwrite"), "{}", text(&again.stderr));
    assert!(run(directory, &["build", "--out", "features", "--overwrite"]).status.success());
}

#[test]
fn an_audit_passes_and_a_planted_leak_fails() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    store(directory, 6_000);
    let quick = ["--symbol", "BTCUSDT", "--set", "audit.cuts=3", "--set", "audit.starts=3"];
    let (code, document) = json(directory, &[&["audit"], &quick[..]].concat());
    assert_eq!((code, document["series"][0]["findings"].as_array().unwrap().len()), (0, 0), "{document}");
    let output = run(directory, &[&["audit", "--plant-leak"], &quick[..]].concat());
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    assert!(said.contains("`planted_leak` looks ahead"), "{said}");
}

#[test]
fn real_candles_of_three_timeframes_are_sound() {
    let data: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let directory = tempfile::tempdir().unwrap();
    let files = [
        "binance-usdm_SOLUSDT_1m_typhonun.csv.gz",
        "binance-spot_PEPEUSDT_5m_genetrader.csv.gz",
        "bybit-linear_BTCUSDT_1h_joacoesperon.csv.gz",
    ];
    for file in files {
        let path = data.join(file);
        if !data.is_dir() {
            // Third-party candles are not part of this repository; the synthetic audits have run.
            eprintln!("../shared/data is absent: no real candles are audited");
            return;
        }
        let path = path.to_str().unwrap();
        let words = ["audit", "--data", path, "--last", "15000", "--set", "audit.cuts=8"];
        let (code, document) = json(directory.path(), &words);
        assert_eq!(code, 0, "{file}: {}", document["series"][0]["findings"]);
        let leaking = run(directory.path(), &[&words[..], &["--plant-leak"]].concat());
        assert_eq!(leaking.status.code(), Some(1), "{file}");
    }
}

#[test]
fn what_is_outside_is_found_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let series = store(directory, 4_000);
    let spec = "[cross_asset]\nenabled = true\nwindows = [30]\n\
                [[exogenous.columns]]\nseries = \"funding_{symbol}\"\nfield = \"rate\"\n";
    std::fs::write(directory.join("outside.toml"), spec).unwrap();
    let build = ["build", "--spec", "outside.toml", "--symbol", "ETHUSDT"];
    let output = run(directory, &build);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("funding_ETHUSDT"), "{}", text(&output.stderr));
    let times: Vec<_> = series[1].columns().open_time.iter().copied().step_by(96).collect();
    let values = vec![0.0001; times.len()];
    let funding = ExogenousSeries::new(
        "funding_ETHUSDT",
        vec!["rate".to_owned()],
        times,
        vec![values],
        KnownAfter::Immediately,
    )
    .unwrap();
    Store::new(directory.join("datasets/store")).append_exogenous(&funding, OnConflict::Refuse).unwrap();
    let (code, document) = json(directory, &build);
    assert_eq!((code, document["series"].as_array().unwrap().len()), (0, 1));
    assert!(document["series"][0]["rows"].as_u64().unwrap() > 2_000);
    // Headlines of the store give a series, too.
    let headline = |day: i64| Headline {
        published_at: series[1].columns().open_time[0].plus_millis(day * 86_400_000),
        source: String::new(),
        title: format!("day {day}"),
        subject: String::new(),
        label: String::new(),
        polarity: Some(0.25),
    };
    let news = HeadlineSeries::new("news", (-2..15).map(headline).collect()).unwrap();
    Store::new(directory.join("datasets/store")).append_headlines(&news).unwrap();
    let spec = "[[exogenous.columns]]\nseries = \"news_daily_polarity\"\nfield = \"polarity\"\n";
    std::fs::write(directory.join("outside.toml"), spec).unwrap();
    let (code, document) = json(directory, &build);
    assert!(code == 0 && document["series"][0]["rows"].as_u64().unwrap() > 2_000, "{document}");
}

#[test]
fn what_is_wrong_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    store(directory, 1_000);
    std::fs::write(directory.join("bad.toml"), "[trend]\nema = [0]\n").unwrap();
    std::fs::write(directory.join("unknown.toml"), "[trend]\nemma = [5]\n").unwrap();
    for (words, named) in [
        (&["build", "--data", "absent.csv"][..], "absent.csv"),
        (&["build", "--symbol", "DOGEUSDT"], "--symbol"),
        (&["build", "--series", "bybit-linear X/USDT:USDT 5m"], "X/USDT:USDT"),
        (&["build", "--spec", "bad.toml"], "trend.ema"),
        (&["build", "--spec", "unknown.toml"], "emma"),
        (&["build", "--set", "features.trend.emma=[5]"], "emma"),
        (&["audit"], "candles"),
        (&["audit", "--set", "audit.cuts=0"], "cuts"),
    ] {
        let output = run(directory, words);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {said}");
        assert!(said.contains(named), "{words:?}: {said}");
    }
    // A series without a single row is a finding, not a success.
    let output = run(directory, &["build"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("warms up"), "{}", text(&output.stderr));
}
