//! `train-supervised tune` as a user runs it: searches that are stopped, resumed, shared, and what they leave behind.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use market_data::store::{OnConflict, Store};
use market_data::synthetic::{MarketShape, SyntheticModel};
use market_data::{CandleSeries, Timeframe};
use serde_json::Value;
use supervised::tuning::{StudyRecord, Trial, TrialState};

/// As in the other tests of this program, and a space in which all of training's speed is kept. The estimators take over
/// early, so that what a trial tries depends on what the ones before it showed.
const SETTINGS: &str = r#"
validation_days = 2
[features]
trend.enabled = false
momentum.enabled = false
volatility.enabled = false
cycle.enabled = false
pattern.enabled = false
level.enabled = false
time.enabled = false
higher_timeframe.enabled = false
[supervised]
epochs = 2
preparation.minimum_rows_per_series = 500
segments = { batch = 8, chunk = 32, supervised_steps = 128, burn_in = 16 }
network = { width = 16, heads = 2, mlstm.round_to = 16, slstm.round_to = 16, dropout.output = 0.1 }
[tuning]
tpe.startup_trials = 2
space = [
    { key = "learning_rate.base", kind = "float", low = 1e-4, high = 3e-2, log = true },
    { key = "network.dropout.output", kind = "float", low = 0.0, high = 0.4 },
    { key = "segments.batch", kind = "choice", values = [8, 16] },
]
"#;
/// Candles of five minutes in a day.
const DAY: usize = 288;

fn command(directory: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_train-supervised"));
    command.current_dir(directory).env_remove("RUST_LOG").stdin(Stdio::null()).args(words);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The words of a search on a store.
fn words<'a>(data: &'a str, study: &'a str, trials: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["tune", "--config", "tiny.toml", "--data", data, "--study", study, "--trials", trials], more].concat()
}

fn tune(directory: &Path, words: &[&str]) -> (Output, Value) {
    let output = command(directory, &[words, &["--output-format", "json"]].concat()).output().unwrap();
    let document = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{words:?}: {error}: {}", text(&output.stderr)));
    (output, document)
}

fn refused(directory: &Path, words: &[&str], parts: &[&str]) {
    let output = command(directory, words).output().unwrap();
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{words:?}: {message}");
    for part in parts {
        assert!(message.contains(part), "{words:?}: `{part}` is not in: {message}");
    }
}

/// Ten days of two series: eight are not the test, of which four are validations of the two folds.
fn market() -> Vec<CandleSeries> {
    let model: SyntheticModel = toml::from_str("model = \"planted\"").unwrap();
    let mut shape =
        MarketShape { candles: 10 * DAY, timeframe: Timeframe::M5, seed: 3, ..Default::default() };
    shape.symbols.truncate(2);
    model.generate(&shape).unwrap().series
}

fn store(directory: &Path, name: &str, series: &[CandleSeries]) {
    let store = Store::new(directory.join(name));
    for one in series {
        store.append(one, OnConflict::Refuse).unwrap();
    }
}

fn prepared() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("tiny.toml"), SETTINGS).unwrap();
    store(directory.path(), "store", &market());
    directory
}

fn trials(directory: &Path, study: &str) -> Vec<Trial> {
    let trials = StudyRecord::read(&directory.join(study)).unwrap().trials;
    // Who ran a trial, and how often it was begun, is not what came of it.
    trials.into_iter().map(|trial| Trial { process: String::new(), attempt: 1, ..trial }).collect()
}

#[test]
fn a_search_leaves_a_configuration_that_trains_and_says_how_much_was_tried() {
    let directory = prepared();
    let directory = directory.path();
    let search = words("store", "searches/study.jsonl", "4", &[]);
    let (output, document) = tune(directory, &search);
    assert_eq!((output.status.code(), &document["command"]), (Some(0), &"tune".into()));
    assert_eq!((&document["counts"]["finished"], &document["trials"]), (&4.into(), &4.into()), "{document}");
    let folds = document["folds"].as_array().unwrap();
    let time =
        |fold: usize, part: &str, end: &str| folds[fold][part][0][end].as_str().unwrap()[..10].to_owned();
    assert_eq!(
        (time(0, "training", "to"), time(0, "validation", "to")),
        ("2024-01-05".into(), "2024-01-07".into())
    );
    assert_eq!(
        (time(1, "training", "to"), time(1, "validation", "to")),
        ("2024-01-07".into(), "2024-01-09".into())
    );
    let best = document["best"].as_array().unwrap();
    let values: Vec<f64> = best.iter().map(|trial| trial["value"].as_f64().unwrap()).collect();
    assert!(values.len() == 4 && values.is_sorted() && values[0] < values[3], "{values:?}");
    // A report for each epoch of each fold, the last of which is the value.
    let found = trials(directory, "searches/study.jsonl");
    for trial in &found {
        let steps: Vec<u64> = trial.reports.iter().map(|report| report.step).collect();
        assert_eq!(
            (steps, trial.value()),
            (vec![1, 2, 3, 4], trial.reports.last().map(|report| report.value))
        );
    }
    let beside = directory.join("searches");
    let mut files: Vec<String> = std::fs::read_dir(&beside)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let expected = ["best.toml", "history.svg", "importance.svg", "parallel-coordinates.svg", "study.jsonl"];
    assert_eq!(files, expected);

    // The same again trains nothing, and says the same.
    let before = std::fs::read(beside.join("study.jsonl")).unwrap();
    let (output, again) = tune(directory, &[search.as_slice(), &["-v"]].concat());
    assert!(!text(&output.stderr).contains("begins"), "{}", text(&output.stderr));
    assert_eq!((again, std::fs::read(beside.join("study.jsonl")).unwrap()), (document.clone(), before));
    let shown = text(&command(directory, &search).output().unwrap().stdout);
    for part in ["learning_rate.base", "importance", "4 trials: 4 finished", "searches/best.toml"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }

    // The file alone trains what the last fold of the best trial trained.
    let chosen = std::fs::read_to_string(beside.join("best.toml")).unwrap();
    assert!(chosen.starts_with("# The best trial of the study study.jsonl.\n"), "{chosen}");
    let train = ["--config", "searches/best.toml", "--data", "store", "--output-format", "json"];
    let output = command(directory, &train).output().unwrap();
    let trained: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)));
    let path = directory.join("artifacts/models/model/bundle/bundle.json");
    let bundle: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(bundle["origin"]["trials"], 4);
    assert_eq!(trained["data_hash"], document["data_hash"]);
    let parameters = &best[0]["parameters"];
    for key in ["learning_rate.base", "network.dropout.output", "segments.batch"] {
        assert_eq!(trained["config"].pointer(&format!("/{}", key.replace('.', "/"))), parameters.get(key));
    }
    let lines = directory.join("artifacts/models/model/seed-1/metrics.jsonl");
    let lines = std::fs::read_to_string(lines).unwrap();
    let losses = lines.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["validation"]["log_loss"].as_f64().unwrap()
    });
    // The value is the mean of two folds, of which the first ended at the second report.
    let number = best[0]["trial"].as_u64().unwrap() as usize;
    let of_last_fold = 2.0 * values[0] - found[number].reports[1].value;
    assert!((losses.fold(f64::INFINITY, f64::min) - of_last_fold).abs() < 1e-9);
    // An argument wins over the file, and a file of somebody else's is not replaced.
    let more = ["--name", "told", "--trials", "7", "--set", "supervised.epochs=1"];
    let output = command(directory, &[train.as_slice(), &more].concat()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let path = directory.join("artifacts/models/told/bundle/bundle.json");
    let bundle: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(bundle["origin"]["trials"], 7);
    refused(
        directory,
        &words("store", "searches/other.jsonl", "4", &[]),
        &["best.toml", "other.jsonl", "--out"],
    );
    assert!(!beside.join("other.jsonl").exists());
}

#[test]
fn a_stopped_search_goes_on_as_if_it_had_not_been() {
    let directory = prepared();
    let directory = directory.path();
    tune(directory, &words("store", "whole.jsonl", "4", &["--out", "whole"]));
    let whole = trials(directory, "whole.jsonl");
    assert_eq!(whole.len(), 4);
    // Ended in between.
    tune(directory, &words("store", "parts.jsonl", "2", &["--out", "parts"]));
    assert_eq!(trials(directory, "parts.jsonl"), whole[..2]);
    tune(directory, &words("store", "parts.jsonl", "4", &["--out", "parts"]));
    assert_eq!(trials(directory, "parts.jsonl"), whole);
    // Killed in the middle of a trial.
    let search = words("store", "killed.jsonl", "4", &["--out", "killed", "--process", "first"]);
    let mut child = command(directory, &[search.as_slice(), &["-v"]].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("trial 1 begins")));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(trials(directory, "killed.jsonl")[1].state, TrialState::Running);
    // Nobody but the user knows that the process is gone.
    let (output, document) = tune(directory, &words("store", "killed.jsonl", "2", &["--out", "killed"]));
    let said = text(&output.stderr);
    assert!(said.contains("trial 1 runs in process first") && said.contains("--reclaim"), "{said}");
    assert_eq!((&document["running"][0]["trial"], &document["trials"]), (&1.into(), &1.into()));
    tune(directory, &[search.as_slice(), &["--reclaim"]].concat());
    assert_eq!(trials(directory, "killed.jsonl"), whole);
}

#[test]
fn processes_share_a_search() {
    let directory = prepared();
    let directory = directory.path();
    let start = |name: &'static str| {
        let search = words("store", "study.jsonl", "6", &["--process", name]);
        command(directory, &search).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    for child in [start("one"), start("two")] {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let record = StudyRecord::read(&directory.join("study.jsonl")).unwrap();
    let numbers: Vec<usize> = record.trials.iter().map(|trial| trial.number).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
    assert_eq!((record.counts().settled(), record.set_aside.len()), (6, 0));
    assert!(record.trials.iter().all(|trial| trial.attempt == 1));
}

#[test]
fn a_search_does_not_look_at_the_test() {
    let directory = prepared();
    let directory = directory.path();
    // Other prices from a candle on; the ranges of the candles stay sound.
    let changed = |from: usize| {
        let change = |series: CandleSeries| {
            let mut columns = series.columns().clone();
            let fields = [&mut columns.open, &mut columns.high, &mut columns.low, &mut columns.close];
            for field in fields {
                for (at, price) in field.iter_mut().enumerate().skip(from) {
                    *price *= 1.0 + 0.01 * ((at / 7) % 5) as f64;
                }
            }
            for (at, volume) in columns.volume.iter_mut().enumerate().skip(from) {
                *volume *= 1.0 + (at % 3) as f64;
            }
            columns.turnover = None;
            CandleSeries::new(series.key().clone(), columns).unwrap()
        };
        market().into_iter().map(change).collect::<Vec<_>>()
    };
    store(directory, "in-test", &changed(8 * DAY));
    store(directory, "in-validation", &changed(8 * DAY - 50));
    store(directory, "unchanged", &changed(10 * DAY));
    let values = |data: &str| {
        tune(directory, &words(data, &format!("{data}.jsonl"), "2", &["--out", data]));
        trials(directory, &format!("{data}.jsonl"))
    };
    let unchanged = values("unchanged");
    assert_eq!(values("in-test"), unchanged);
    let other = values("in-validation");
    assert_eq!(other[0].parameters, unchanged[0].parameters);
    assert_ne!(other[0].value(), unchanged[0].value());
    // The first fold lies before it.
    assert_eq!(other[0].reports[..2], unchanged[0].reports[..2]);

    // Yet they are other data, and a study goes on only with its own.
    let search = |data: &'static str, more: &[&'static str]| words(data, "unchanged.jsonl", "3", more);
    refused(directory, &search("in-test", &[]), &["unchanged.jsonl", "other candles (there", "--study"]);
    let set = |value: &'static str| search("unchanged", &["--out", "unchanged", "--set", value]);
    refused(directory, &set("supervised.epochs=3"), &["other settings (there"]);
    refused(directory, &set("labels.horizon=6"), &["other labeler (there"]);
    refused(directory, &set("tuning.folds=1"), &["other folds (there"]);
    refused(directory, &set("tuning.seed=2"), &["unchanged.jsonl", "the seed is 1, not 2"]);
    refused(directory, &set("tuning.folds=9"), &["`tuning.folds` = 9"]);
    refused(directory, &set("supervised.objective=last-step"), &["`segments.batch`", "sampling.batch_size"]);
    assert_eq!(trials(directory, "unchanged.jsonl"), unchanged);
}

#[test]
fn bad_values_are_given_up_and_count() {
    let directory = prepared();
    let directory = directory.path();
    let pruning = ["--set", "tuning.median={startup_trials=1,warm_up_steps=1}"];
    let (_, document) = tune(directory, &words("store", "pruned.jsonl", "5", &pruning));
    let found = trials(directory, "pruned.jsonl");
    let pruned: Vec<&Trial> = found.iter().filter(|trial| trial.state == TrialState::Pruned).collect();
    assert_eq!(document["counts"]["pruned"], pruned.len());
    assert_eq!(document["trials"], 5);
    assert!(pruned.iter().any(|trial| trial.reports.len() < 4), "{found:?}");
    assert!(found.iter().any(|trial| trial.value().is_some()));

    let wild = r#"tuning.space=[{ key = "learning_rate.base", kind = "float", low = 1e29, high = 1e30 }]"#;
    let more = ["--out", "wild", "--set", "supervised.optimiser.weight_decay=0.0", "--set", wild];
    let (output, document) = tune(directory, &words("store", "wild.jsonl", "2", &more));
    assert_eq!((output.status.code(), &document["counts"]["diverged"]), (Some(1), &2.into()), "{document}");
    assert!(text(&output.stderr).contains("diverged at epoch 0"), "{}", text(&output.stderr));
    assert!(
        document["best"].as_array().unwrap().is_empty() && document["files"].as_array().unwrap().is_empty()
    );
}
