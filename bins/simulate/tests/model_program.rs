//! The program with a model: as it is, and trained anew for each stretch of time.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, OnceLock};

use features::FeatureSpec;
use labels::splits::LastShare;
use labels::{HorizonReturn, Labeler};
use market_data::synthetic::{MarketShape, SyntheticModel};
use market_data::{CandleSeries, Timeframe, Timestamp};
use serde_json::Value;
use supervised::{CandleSource, Checkpoints, DeviceKind, Periods, SupervisedConfig, TrainingJob, train};

mod requests;

const CANDLES: usize = 3_600;
const DAY: i64 = 86_400_000;

/// Twelve and a half days of a market with a planted signal, as files, and a small model of it.
fn prepared() -> &'static Path {
    static DIRECTORY: OnceLock<tempfile::TempDir> = OnceLock::new();
    DIRECTORY
        .get_or_init(|| {
            let directory = tempfile::tempdir().unwrap();
            let model: SyntheticModel = toml::from_str("model = \"planted\"").unwrap();
            let mut shape =
                MarketShape { candles: CANDLES, timeframe: Timeframe::M5, seed: 3, ..Default::default() };
            shape.symbols.truncate(2);
            let series = model.generate(&shape).unwrap().series;
            let read = write(directory.path(), &series);
            bundle(directory.path(), read);
            directory
        })
        .path()
}

/// Writes each series as the file of a venue that trades, and gives it as it will be read.
fn write(directory: &Path, series: &[CandleSeries]) -> Vec<CandleSeries> {
    std::fs::create_dir_all(directory.join("candles")).unwrap();
    let of = |one: &CandleSeries| {
        let key = one.key();
        let mut rows = "timestamp,open,high,low,close,volume\n".to_owned();
        for candle in one.iter() {
            let (time, volume) = (candle.open_time.as_millis(), candle.volume);
            let (open, high, low, close) = (candle.open, candle.high, candle.low, candle.close);
            rows += &format!("{time},{open},{high},{low},{close},{volume}\n");
        }
        let symbol = key.symbol.to_string().replace('/', "").replace(":USDT", "");
        let file = format!("candles/bybit-linear_{symbol}_{}_test.csv", key.timeframe);
        std::fs::write(directory.join(file), rows).unwrap();
        let mut columns = one.columns().clone();
        columns.turnover = None;
        let venue = "bybit-linear".parse().unwrap();
        let key = market_data::SeriesKey::new(venue, key.symbol.clone(), key.timeframe);
        CandleSeries::new(key, columns).unwrap()
    };
    series.iter().map(of).collect()
}

fn bundle(directory: &Path, series: Vec<CandleSeries>) {
    let keys = series.iter().map(|one| one.key().clone()).collect();
    let candles = Arc::new(CandleSource::new(keys, series, Vec::new(), Vec::new()).unwrap());
    let spec = "trend.enabled = false\ncycle.enabled = false\nhigher_timeframe.enabled = false";
    let config =
        "epochs = 2\nnetwork = { width = 16, heads = 2 }\npreparation = { minimum_rows_per_series = 100 }";
    let config: SupervisedConfig = toml::from_str(config).unwrap();
    let plans = LastShare { share: 0.3 }.plan(candles.range().unwrap()).unwrap();
    let periods = Periods::new(plans[0].clone(), 1).unwrap();
    let job = TrainingJob::prepare(
        candles,
        FeatureSpec::from_toml(spec).unwrap(),
        Labeler::HorizonReturn(HorizonReturn { horizon: 4, ..HorizonReturn::default() }),
        periods,
        &config.preparation,
    )
    .unwrap();
    let device = DeviceKind::Flex.device().unwrap();
    let trained =
        train(&job.dataset, &config, &device, &job.data_hash, Checkpoints::default(), &mut ()).unwrap();
    let finished = job.finish(trained, &config, "small", None, Some(7)).unwrap();
    finished.bundle.write(&directory.join("bundle"), false).unwrap();
}

fn run(words: &[&str]) -> Output {
    command(words).output().unwrap()
}

fn command(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simulate"));
    command.current_dir(prepared()).env_remove("RUST_LOG").stdin(Stdio::null());
    command
        .args(["--data", "candles", "--accept", "random-walk", "--bundle", "bundle", "--monte-carlo", "0"])
        .args(words);
    command
}

fn json(words: &[&str]) -> (Value, String) {
    let output = run(&[words, &["--output-format", "json"]].concat());
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    let document = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{words:?}: {error}: {message}"));
    (document, message)
}

/// Lines of the equity curve, with their times.
fn equity(directory: &str, strategy: &str) -> Vec<(i64, String)> {
    let text = std::fs::read_to_string(prepared().join(directory).join(strategy).join("equity.csv")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("equity,"));
    rows.map(|line| (line.split(',').nth(1).unwrap().parse().unwrap(), line.to_owned())).collect()
}

fn report(directory: &str) -> Value {
    let path = prepared().join(directory).join("hybrid/report.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

const DIVIDED: [&str; 9] = [
    "--walk-forward",
    "--strategy",
    "hybrid,buy-and-hold",
    "--set",
    "walk_forward.train_days=4",
    "--set",
    "walk_forward.test_days=3",
    "--set",
    "walk_forward.validation_days=1",
];

fn divided(further: &[&str]) -> (Value, String) {
    json(&[&DIVIDED[..], further].concat())
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn a_model_trades_after_what_it_saw_and_is_judged_on_it() {
    let (document, _) = json(&["--strategy", "hybrid", "--out", "as-it-is"]);
    let origin: Value =
        serde_json::from_str(&std::fs::read_to_string(prepared().join("bundle/bundle.json")).unwrap())
            .unwrap();
    let seen = time(&origin["origin"]["intervals"]["validation"][0]["to"]);
    assert_eq!(time(&document["strategies"][0]["from"]), seen);
    // The settings that its search tried count, and buy and hold is one more.
    assert_eq!(document["strategies"][0]["trials"], 9);
    let report = report("as-it-is");
    let counts = report["confusion"]["counts"].as_array().unwrap();
    let rows: u64 = counts.iter().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(Some(rows), document["predictions"]["rows"].as_u64());
    assert!(rows > 1_500, "{rows}");
    let bins = report["calibration"][0]["bins"].as_array().unwrap();
    let binned: u64 = bins.iter().map(|bin| bin["count"].as_u64().unwrap()).sum();
    assert_eq!(binned, rows);
    let output = run(&["--strategy", "hybrid", "--from", "2020-01-02", "--out", "never"]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(message.contains("training or validation of the bundle saw"), "{message}");
}

#[test]
fn each_fold_is_trained_on_what_came_before_it() {
    let (document, _) = divided(&["--out", "folds"]);
    // 12.5 days: training 4, then tests of 3, 3 and no third.
    let folds = document["strategies"][0]["folds"].as_array().unwrap();
    assert_eq!(folds.len(), 2);
    assert_eq!(document["predictions"]["fold_macro_f1"].as_array().unwrap().len(), 2);
    let mut product = 1.0;
    for (number, fold) in folds.iter().enumerate() {
        let path = format!("folds/walk-forward/fold-{}/bundle/bundle.json", number + 1);
        let origin: Value =
            serde_json::from_str(&std::fs::read_to_string(prepared().join(path)).unwrap()).unwrap();
        let intervals = &origin["origin"]["intervals"];
        let of = |part: &str, end: &str| time(&intervals[part][0][end]);
        assert!(of("training", "to") <= of("validation", "from"));
        assert_eq!(of("validation", "to").since(of("validation", "from")), DAY);
        assert_eq!(of("validation", "to"), time(&fold["from"]), "{fold}");
        assert_eq!(time(&fold["until"]).since(time(&fold["from"])), 3 * DAY);
        // Anchored: every training begins with the candles.
        assert_eq!(of("training", "from"), time(&folds[0]["from"]).plus_millis(-4 * DAY));
        product *= 1.0 + fold["total_return"].as_f64().unwrap();
    }
    let total = document["strategies"][0]["total_return"].as_f64().unwrap();
    assert!((product - 1.0 - total).abs() < 1e-9, "{product} and not {total}");
    let page = report("folds");
    assert_eq!(page["walk_forward"]["folds"].as_array().unwrap().len(), 2);
    let output = run(&[&DIVIDED[..], &["--from", "2024-01-01"]].concat());
    assert_eq!(output.status.code(), Some(2));
}

/// Candles that come later change nothing before them: not the thresholds, not the weights, not the trades.
#[test]
fn what_comes_after_a_fold_changes_nothing_in_it() {
    let (document, _) = divided(&["--out", "whole"]);
    let end = time(&document["strategies"][0]["folds"][0]["until"]);
    let (shorter, _) = divided(&["--out", "shorter", "--to", &end.to_string()]);
    assert_eq!(shorter["strategies"][0]["folds"].as_array().unwrap().len(), 1);
    let (whole, shorter) = (equity("whole", "hybrid"), equity("shorter", "hybrid"));
    assert_eq!(shorter.last().unwrap().0, end.as_millis());
    assert!(shorter.len() > 800 && whole.len() > shorter.len());
    assert_eq!(whole[..shorter.len()], shorter[..]);
    let moved = shorter.iter().filter(|(_, line)| !line.ends_with(",10000")).count();
    assert!(moved > 100, "the model never traded: the comparison shows nothing");
}

#[test]
fn models_of_an_earlier_run_are_taken_and_those_of_other_settings_are_not() {
    let (first, message) = divided(&["--out", "again", "-v"]);
    assert!(!message.contains("earlier run is taken"), "{message}");
    let (second, message) = divided(&["--out", "again", "-v"]);
    assert_eq!(message.matches("the model of an earlier run is taken").count(), 2, "{message}");
    assert_eq!(first, second);
    let (_, message) = divided(&["--out", "again", "-v", "--set", "walk_forward.anchored=false"]);
    // The first fold is the same, the second begins later now.
    assert_eq!(message.matches("the model of an earlier run is taken").count(), 1, "{message}");
}

#[test]
fn models_of_other_parts_make_paths_through_the_whole_time() {
    let words = [
        "--purged-paths",
        "--strategy",
        "hybrid",
        "--set",
        "purged_paths.groups=4",
        "--set",
        "walk_forward.validation_days=1",
        "--out",
        "purged",
    ];
    let (document, _) = json(&words);
    // 4 over 2 splits, of which each part is tested by 3.
    let paths = document["strategies"][0]["purged_paths"].as_array().unwrap();
    assert_eq!(paths.len(), 3);
    assert!(paths.iter().all(|path| path["trades"].as_u64().unwrap() > 0), "{paths:?}");
    assert!(prepared().join("purged/purged-paths/split-6/bundle/bundle.json").is_file());
    let page = std::fs::read_to_string(prepared().join("purged/hybrid/report.html")).unwrap();
    assert!(page.contains("Models of other parts of the time"));
    let refused = run(&["--purged-paths", "--strategy", "buy-and-hold", "--out", "never"]);
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(message.contains("add `hybrid` to --strategy"), "{message}");
}

#[test]
fn an_explanation_of_the_model_is_shown_and_one_of_another_is_refused() {
    let bundle: Value =
        serde_json::from_str(&std::fs::read_to_string(prepared().join("bundle/bundle.json")).unwrap())
            .unwrap();
    let write = |directory: &str, hash: &Value, model: &str| {
        let importance =
            |name: &str, value: f64| serde_json::json!({ "name": name, "importance": value, "gross": value });
        let document = serde_json::json!({ "model": model, "feature_hash": hash, "explanation": {
            "quantity": "logits", "windows": 12,
            "features": { "overall": [importance("rsi_14", 0.5), importance("volume_z", 0.25)], "by_output": [] },
        }});
        std::fs::create_dir_all(prepared().join(directory)).unwrap();
        std::fs::write(prepared().join(directory).join("explanation.json"), document.to_string()).unwrap();
    };
    write("explained", &bundle["feature_hash"], "xlstm");
    write("other", &Value::from("0123"), "xlstm");
    write("forest", &bundle["feature_hash"], "random-forest");
    let _ = json(&["--strategy", "hybrid", "--explanation", "explained", "--out", "with-importance"]);
    let page = report("with-importance");
    assert_eq!(page["importance"][0]["feature"], "rsi_14");
    assert_eq!(page["importance"][1]["value"], 0.25);
    assert!(page["importance_label"].as_str().unwrap().contains("logits, 12 windows"), "{page:.500}");
    for (directory, part) in
        [("other", "other features"), ("forest", "with --model xlstm"), ("none", "cannot read")]
    {
        let output = run(&["--strategy", "hybrid", "--explanation", directory, "--out", "never"]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{directory}: {message}");
        assert!(message.contains(part), "{directory}: {message}");
    }
}

#[test]
fn models_and_trades_do_not_depend_on_the_number_of_threads() {
    for threads in ["1", "2"] {
        let mut command = command(&DIVIDED);
        let output = command.args(["--out", threads]).env("RAYON_NUM_THREADS", threads).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    }
    for file in ["hybrid/equity.csv", "hybrid/orders.csv", "walk-forward/fold-2/bundle/weights.safetensors"] {
        let of = |threads: &str| std::fs::read(prepared().join(threads).join(file)).unwrap();
        assert!(of("1") == of("2"), "{file}");
    }
}
