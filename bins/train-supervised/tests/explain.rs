//! `train-supervised explain` as a user runs it, on a market of which it is known what its next move follows from.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use market_data::store::{OnConflict, Store};
use market_data::synthetic::{MarketShape, SyntheticModel};
use market_data::{Timeframe, Timestamp};
use serde_json::Value;

/// Columns of three groups, a small network that has time to learn, and the labels of the market's own horizon.
const SETTINGS: &str = r#"
validation_days = 3
labels.horizon = 4
[features]
trend.enabled = false
volatility.enabled = false
cycle.enabled = false
pattern.enabled = false
level.enabled = false
time.enabled = false
higher_timeframe.enabled = false
[supervised]
epochs = 8
sequence_length = 12
preparation.minimum_rows_per_series = 500
segments = { batch = 8, chunk = 32, supervised_steps = 128, burn_in = 16 }
network = { width = 16, heads = 2, mlstm.round_to = 16, slstm.round_to = 16, dropout.output = 0.1 }
[baselines]
models = ["gradient-boosting", "lstm"]
lags = [0, 2]
lstm = { width = 8, layers = 1 }
[explanation]
steps = 16
background.windows = 8
"#;
/// The columns that the driver of the market can be read off: it shows in the volume of each candle.
const PLANTED: [&str; 3] = ["volume_z_20", "volume_z_60", "relative_volume_20"];
const BUNDLE: &str = "artifacts/models/model/bundle";
const ALL_FILES: [&str; 12] = [
    "bar-buy.svg",
    "bar-hold.svg",
    "bar-sell.svg",
    "bar.svg",
    "beeswarm-buy.svg",
    "beeswarm-hold.svg",
    "beeswarm-sell.svg",
    "explanation.json",
    "groups.svg",
    "heat-map.svg",
    "permutation.svg",
    "time.svg",
];

/// A directory with settings, candles and a trained bundle with baselines, for all tests.
static TRAINED: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    std::fs::write(path.join("small.toml"), SETTINGS).unwrap();
    let later = "2024-03-01T00:00:00Z".parse().unwrap();
    store(path, "store", 11_520, MarketShape::default().start);
    store(path, "later", 1_200, later);
    store(path, "both", 11_520, MarketShape::default().start);
    store(path, "both", 1_200, later);
    let output = run(path, &["--config", "small.toml", "--data", "store", "--baselines"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    directory
});

fn store(directory: &Path, name: &str, candles: usize, start: Timestamp) {
    let model: SyntheticModel = toml::from_str("model = \"planted\"").unwrap();
    let mut shape =
        MarketShape { candles, timeframe: Timeframe::M5, start, seed: 3, ..MarketShape::default() };
    shape.symbols.truncate(2);
    let store = Store::new(directory.join(name));
    for one in model.generate(&shape).unwrap().series {
        store.append(&one, OnConflict::Refuse).unwrap();
    }
}

fn run(directory: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_train-supervised"));
    command.current_dir(directory).env_remove("RUST_LOG").stdin(Stdio::null());
    command.args(words).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn explain<'a>(data: &'a str, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let words = ["explain", "--config", "small.toml", "--bundle", BUNDLE, "--data", data, "--out", out];
    [words.as_slice(), more].concat()
}

/// Explains with JSON output; the document, which is also in the directory.
fn explained(data: &str, out: &str, more: &[&str]) -> Value {
    let directory = TRAINED.path();
    let output =
        run(directory, &[explain(data, out, more).as_slice(), &["--output-format", "json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{more:?}: {}", text(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let stored = std::fs::read(directory.join(out).join("explanation.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&stored).unwrap(), document);
    document
}

fn refused(words: &[&str], parts: &[&str]) {
    let output = run(TRAINED.path(), words);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{words:?}: {message}");
    for part in parts {
        assert!(message.contains(part), "{words:?}: `{part}` is not in: {message}");
    }
}

/// Names in their order of importance.
fn ranked(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// What was planted comes first, and is told from the rest.
fn finds_what_was_planted(document: &Value) {
    let report = &document["explanation"];
    let features = ranked(&report["features"]["overall"]);
    let without_lag = |name: &str| name.split('[').next().unwrap().to_owned();
    for name in &features[..2] {
        assert!(PLANTED.contains(&without_lag(name).as_str()), "{features:?}");
    }
    let groups = &report["groups"]["overall"];
    assert_eq!(ranked(groups)[0], "volume", "{groups}");
    assert_eq!(ranked(groups).len(), 3, "{groups}");
    let importance = |place: usize| groups[place]["importance"].as_f64().unwrap();
    assert!(importance(0) > 2.0 * importance(1), "{groups}");
    assert_eq!(report["completeness"]["complete"], true);
    assert!(report["completeness"]["maximum_residual"].as_f64().unwrap() <= 1e-3, "{report}");
}

#[test]
fn what_was_planted_is_found() {
    let document = explained("store", "found", &["--windows", "24", "--permutation"]);
    finds_what_was_planted(&document);
    assert_eq!(document["explanation"]["method"], "expected-gradients");
    assert_eq!(document["explanation"]["windows"], 24);
    assert_eq!((&document["rows_back"][0], &document["rows_back"][15]), (&15.into(), &0.into()));
    assert_eq!(
        (&document["background"]["source"], &document["background"]["windows"]),
        (&"training".into(), &8.into())
    );
    let windows = document["windows"].as_array().unwrap();
    let trained: Value = {
        let text =
            std::fs::read_to_string(TRAINED.path().join("artifacts/models/model/summary.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let end = trained["intervals"]["validation"][0]["to"].as_str().unwrap();
    for window in windows {
        assert!(window["open_time"].as_str().unwrap() >= end, "{window}");
        let outputs: f64 =
            window["outputs"].as_array().unwrap().iter().map(|one| one.as_f64().unwrap()).sum();
        assert!(outputs.abs() < 1e-5, "{window}");
        let probabilities = window["probabilities"].as_array().unwrap();
        let sum: f64 = probabilities.iter().map(|one| one.as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{window}");
    }
    // Both series, and the first as well as the last of the rows.
    let of =
        |series: &str| windows.iter().filter(|one| one["series"].as_str().unwrap().contains(series)).count();
    assert_eq!((of("BTC"), of("ETH")), (12, 12));
    let permutation = &document["permutation"];
    assert_eq!(ranked(&permutation["groups"])[0], "volume", "{permutation}");
    assert!(permutation["groups"][0]["log_loss_rise"]["mean"].as_f64().unwrap() > 0.0, "{permutation}");
    assert_eq!(names(&TRAINED.path().join("found")), ALL_FILES);
    for name in ALL_FILES.iter().filter(|name| name.ends_with(".svg")) {
        let svg = std::fs::read_to_string(TRAINED.path().join("found").join(name)).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{name}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let more = ["--windows", "4", "--background", "3", "--permutation", "--seed", "7"];
    let mut first = explained("store", "first", &more);
    let mut again = explained("store", "again", &more);
    for document in [&mut first, &mut again] {
        let seconds = document["timing"].take();
        assert!(seconds["explanations_per_second"].as_f64().unwrap() > 0.0, "{seconds}");
    }
    assert_eq!(first, again);
    for name in ALL_FILES.iter().filter(|name| name.ends_with(".svg")) {
        let read = |out: &str| std::fs::read(TRAINED.path().join(out).join(name)).unwrap();
        assert!(read("first") == read("again"), "{name}");
    }
    let other = explained("store", "other", &["--windows", "4", "--background", "3", "--seed", "8"]);
    assert_ne!(first["explanation"]["expectation"], other["explanation"]["expectation"]);
}

#[test]
fn stored_baselines_are_explained() {
    let boosting = explained("store", "boosting", &["--model", "gradient-boosting", "--permutation"]);
    finds_what_was_planted(&boosting);
    assert_eq!(
        (&boosting["explanation"]["method"], &boosting["background"]),
        (&"tree-shap".into(), &Value::Null)
    );
    assert_eq!(boosting["explanation"]["windows"], 200);
    let all = ranked(&boosting["explanation"]["features"]["overall"]);
    assert_eq!(all.iter().filter(|name| name.ends_with("[-2]")).count() * 2, all.len(), "{all:?}");
    assert!(
        PLANTED.contains(&ranked(&boosting["permutation"]["features"])[0]),
        "{}",
        boosting["permutation"]
    );
    // One step has no profile over time.
    let without: Vec<&str> =
        ALL_FILES.into_iter().filter(|name| !["heat-map.svg", "time.svg"].contains(name)).collect();
    assert_eq!(names(&TRAINED.path().join("boosting")), without);

    let lstm = explained("store", "lstm", &["--model", "lstm", "--windows", "6", "--steps", "10"]);
    assert_eq!(lstm["explanation"]["time"]["steps_back"].as_array().unwrap().len(), 10);
    assert_eq!(lstm["explanation"]["completeness"]["complete"], true);

    refused(
        &explain("store", "none", &["--model", "transformer"]),
        &["no baseline transformer", "gradient-boosting, lstm", "--baselines=transformer"],
    );
    refused(
        &explain("store", "none", &["--model", "gradient-boosting", "--steps", "3"]),
        &["--steps", "single rows"],
    );
    assert!(!TRAINED.path().join("none").exists());
}

#[test]
fn what_does_not_add_up_is_a_finding() {
    let strict = ["--windows", "2", "--background", "2", "--set", "explanation.path.tolerance=1e-9"];
    let shallow = ["--set", "explanation.path.nodes=2", "--set", "explanation.path.maximum_nodes=2"];
    let output = run(TRAINED.path(), &explain("store", "strict", &[strict.as_slice(), &shallow].concat()));
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("DO NOT add up"), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("maximum_nodes"), "{}", text(&output.stderr));
}

#[test]
fn a_background_that_is_not_there_is_asked_for() {
    refused(
        &explain("later", "later-out", &["--windows", "2"]),
        &["training time", "8 are to be drawn", "give candles of that time", "--earlier-background"],
    );
    // The remedies that were named.
    let both =
        explained("both", "both-out", &["--windows", "2", "--background", "2", "--from", "2024-03-01"]);
    assert_eq!(both["background"]["source"], "training");
    let more = ["--windows", "2", "--background", "2", "--from", "2024-03-03", "--earlier-background"];
    let earlier = explained("later", "earlier-out", &more);
    assert_eq!(earlier["background"]["source"], "earlier");
    // Its labels, too, are known before the first explained window.
    let times = earlier["windows"].as_array().unwrap().iter().map(|one| one["open_time"].as_str().unwrap());
    let first = times.min().unwrap();
    assert!(earlier["background"]["last"].as_str().unwrap() < first, "{first}: {}", earlier["background"]);
    refused(&explain("store", "seen-out", &["--to", "2024-01-05"]), &["the bundle saw", "--seen"]);
    refused(&explain("store", "void-out", &["--from", "2030-01-01"]), &["nothing to explain"]);
}

#[test]
fn other_files_are_left_alone() {
    let directory = TRAINED.path().join("kept");
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("thesis.txt"), "dear").unwrap();
    let small = ["--model", "gradient-boosting", "--windows", "5"];
    let overwrite = [small.as_slice(), &["--overwrite"]].concat();
    refused(&explain("store", "kept", &small), &["kept", "holds no explanation"]);
    refused(&explain("store", "kept", &overwrite), &["kept", "holds no explanation"]);
    assert_eq!(names(&directory), ["thesis.txt"]);
    std::fs::remove_file(directory.join("thesis.txt")).unwrap();
    explained("store", "kept", &[small.as_slice(), &["--permutation"]].concat());
    assert!(names(&directory).contains(&"permutation.svg".to_owned()));
    std::fs::write(directory.join("note.txt"), "mine").unwrap();
    refused(&explain("store", "kept", &small), &["kept", "--overwrite"]);
    explained("store", "kept", &overwrite);
    // A picture of the earlier explanation would tell of another one.
    assert!(!names(&directory).contains(&"permutation.svg".to_owned()));
    assert!(names(&directory).contains(&"note.txt".to_owned()));
}
