//! The program as a user runs it: good runs, bad input, exit codes, files.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use market_data::store::{OnConflict, Store};
use market_data::synthetic::{MarketShape, SyntheticModel};
use market_data::{CandleSeries, Timeframe, Timestamp};
use serde_json::Value;

mod requests;

/// Few columns, a network that trains in a moment, and days that suit ten days of candles.
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
sequence_length = 12
preparation.minimum_rows_per_series = 500
segments = { batch = 8, chunk = 32, supervised_steps = 128, burn_in = 16 }
network = { width = 16, heads = 2, mlstm.round_to = 16, slstm.round_to = 16, dropout.output = 0.1 }
loss.smoothing = 0.02
"#;
/// The data of most runs.
const DATA: [&str; 4] = ["--config", "tiny.toml", "--data", "store"];
const LATE: &str = "2024-02-01T00:00:00Z";

fn command(directory: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_train-supervised"));
    command.current_dir(directory).env_remove("RUST_LOG").stdin(Stdio::null()).args(words);
    command
}

fn run(directory: &Path, words: &[&str]) -> Output {
    command(directory, words).output().unwrap()
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

/// Trains a model of this name; the document.
fn train(directory: &Path, name: &str, more: &[&str]) -> Value {
    let (code, document) = json(directory, &[DATA.as_slice(), &["--name", name], more].concat());
    assert_eq!(code, 0, "{document}");
    document
}

/// Sees that the program fails with all of these parts in its message.
fn refused(directory: &Path, words: &[&str], parts: &[&str]) {
    let output = run(directory, words);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{words:?}: {message}");
    assert!(output.stdout.is_empty(), "{words:?}: {}", text(&output.stdout));
    for part in parts {
        assert!(message.contains(part), "{words:?}: `{part}` is not in: {message}");
    }
}

fn market(candles: usize, timeframe: Timeframe, start: Timestamp) -> Vec<CandleSeries> {
    let model: SyntheticModel = toml::from_str("model = \"planted\"").unwrap();
    let mut shape = MarketShape { candles, timeframe, start, seed: 3, ..Default::default() };
    shape.symbols.truncate(2);
    model.generate(&shape).unwrap().series
}

fn store(directory: &Path, name: &str, series: &[CandleSeries]) {
    let store = Store::new(directory.join(name));
    for one in series {
        store.append(one, OnConflict::Refuse).unwrap();
    }
}

/// A directory with the settings and a store of two series of ten days.
fn prepared() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("tiny.toml"), SETTINGS).unwrap();
    store(directory.path(), "store", &market(2_880, Timeframe::M5, MarketShape::default().start));
    directory
}

fn names(directory: &Path) -> Vec<String> {
    let entries =
        std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The lines of `metrics.jsonl`, without what a clock decides.
fn metrics(seed: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(seed.join("metrics.jsonl")).unwrap();
    let line = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let seconds = line["seconds"].take();
        assert!(seconds.is_null() || seconds.as_f64().unwrap() >= 0.0, "{seconds}");
        line
    };
    text.lines().map(line).collect()
}

#[test]
fn a_training_leaves_a_bundle_and_its_records() {
    let directory = prepared();
    let directory = directory.path();
    let document = train(directory, "first", &["--commit", "abc"]);
    let model = directory.join("artifacts/models/first");
    assert_eq!(names(&model), ["bundle", "seed-1", "summary.json"]);
    assert_eq!(names(&model.join("seed-1")), ["bundle", "checkpoints", "metrics.jsonl", "tensorboard"]);
    assert_eq!(names(&model.join("seed-1/checkpoints")), ["best.safetensors", "last.safetensors"]);
    assert_eq!(names(&model.join("seed-1/tensorboard")).len(), 1);
    let files = [
        "bundle.json",
        "calibration.json",
        "features.toml",
        "inputs.json",
        "labeler.toml",
        "metrics.json",
        "weights.safetensors",
    ];
    assert_eq!(names(&model.join("bundle")), files);
    let summary = std::fs::read_to_string(model.join("summary.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&summary).unwrap(), document);
    let read = |path: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(model.join(path)).unwrap()).unwrap()
    };
    assert_eq!(read("bundle/bundle.json")["origin"]["commit"], "abc");
    let seed = &document["seeds"][0];
    assert_eq!(read("bundle/metrics.json")["test"], seed["test"]);
    assert_eq!((document["series"].as_array().unwrap().len(), &seed["epochs"]), (2, &Value::from(2)));
    let lines = metrics(&model.join("seed-1"));
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["steps"], seed["steps"]);
    // Ten days: eight are not the test, of which two validate.
    let interval = |part: &str| document["intervals"][part][0].clone();
    assert_eq!(interval("training")["to"], interval("validation")["from"]);
    assert_eq!(interval("validation")["to"], interval("test")["from"]);
    assert_eq!(interval("validation")["from"], "2024-01-07T00:00:00Z");

    // A model is not replaced by accident, nor by a run that comes to nothing.
    let again = [DATA.as_slice(), &["--name", "first"]].concat();
    refused(directory, &again, &["artifacts/models/first", "--resume", "--overwrite", "--name"]);
    refused(directory, &["--data", "absent", "--name", "first", "--overwrite"], &["absent"]);
    assert_eq!(names(&model), ["bundle", "seed-1", "summary.json"]);
    std::fs::write(model.join("seed-1/note"), "of the old model").unwrap();
    let output =
        run(directory, &[again.as_slice(), &["--overwrite", "--set", "supervised.epochs=3"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    for part in
        ["seed 1 validation", "seed 1 test", "of 3 kept", "the median): artifacts/models/first/bundle"]
    {
        assert!(text(&output.stdout).contains(part), "{part}: {}", text(&output.stdout));
    }
    assert_eq!((metrics(&model.join("seed-1")).len(), model.join("seed-1/note").exists()), (3, false));
    std::fs::create_dir_all(directory.join("artifacts/models/mine")).unwrap();
    std::fs::write(directory.join("artifacts/models/mine/thesis.txt"), "dear").unwrap();
    let mine = [DATA.as_slice(), &["--name", "mine", "--overwrite"]].concat();
    refused(directory, &mine, &["no model of this program"]);
}

#[test]
fn seeds_differ_and_of_two_the_worse_one_is_the_models() {
    let directory = prepared();
    let directory = directory.path();
    let document = train(directory, "two", &["--seeds", "2"]);
    let model = directory.join("artifacts/models/two");
    assert_eq!(names(&model), ["bundle", "seed-1", "seed-2", "summary.json"]);
    let seeds = document["seeds"].as_array().unwrap();
    let loss = |seed: usize| seeds[seed]["validation"]["decided"]["log_loss"].as_f64().unwrap();
    assert!(loss(0) != loss(1), "{seeds:?}");
    // The lower median of two.
    let median = if loss(0) > loss(1) { "seed-1" } else { "seed-2" };
    let metrics = |place: &str| std::fs::read(model.join(place).join("metrics.json")).unwrap();
    assert_eq!(metrics("bundle"), metrics(&format!("{median}/bundle")));
    assert_ne!(metrics("seed-1/bundle"), metrics("seed-2/bundle"));
    // The same seed again gives the same model.
    let again = train(directory, "again", &["--set", "supervised.seed=2"]);
    assert_eq!(again["seeds"][0]["test"], seeds[1]["test"]);
}

#[test]
fn a_stopped_training_goes_on_as_if_it_had_not_been() {
    let directory = prepared();
    let directory = directory.path();
    let long = ["--set", "supervised.epochs=30", "--set", "supervised.validation.patience=0"];
    let whole = train(directory, "whole", &long);
    let words = [DATA.as_slice(), &["--name", "stopped", "-v"], &long].concat();
    let mut child = command(directory, &words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // Said when the checkpoint of the second epoch is written.
    assert!(lines.any(|line| line.unwrap().contains("epoch 2 of 30")));
    child.kill().unwrap();
    child.wait().unwrap();
    let stopped = directory.join("artifacts/models/stopped");
    assert_eq!(names(&stopped), ["seed-1"]);
    let lines = std::fs::read_to_string(stopped.join("seed-1/metrics.jsonl")).unwrap();
    let before: Vec<&str> = lines.lines().collect();
    assert!((1..30).contains(&before.len()), "{lines}");
    // Killed between checkpoint and line, and in the middle of a line.
    let left = format!("{}\n{{\"seconds\":1.0,\"epo", before[..before.len() - 1].join("\n"));
    std::fs::write(stopped.join("seed-1/metrics.jsonl"), left).unwrap();
    let resumed = train(directory, "stopped", &[long.as_slice(), &["--resume"]].concat());
    for part in ["validation", "test", "best_epoch", "epochs", "steps"] {
        assert_eq!(resumed["seeds"][0][part], whole["seeds"][0][part], "{part}");
    }
    let of_whole = metrics(&directory.join("artifacts/models/whole/seed-1"));
    assert_eq!(metrics(&stopped.join("seed-1")), of_whole);
    // What is finished is not trained again.
    let finished = train(directory, "stopped", &[long.as_slice(), &["--resume"]].concat());
    assert_eq!(finished["seeds"][0]["test"], whole["seeds"][0]["test"]);
    assert!(finished["seeds"][0]["seconds_per_epoch"].is_null());
}

#[test]
fn a_training_goes_on_only_as_it_began() {
    let directory = prepared();
    let directory = directory.path();
    train(directory, "model", &[]);
    let resume = [DATA.as_slice(), &["--resume"]].concat();
    let checkpoint = "seed-1/checkpoints/last.safetensors";
    refused(
        directory,
        &[resume.as_slice(), &["--set", "supervised.epochs=3"]].concat(),
        &[checkpoint, "`epochs` was 2, now it is 3"],
    );
    refused(
        directory,
        &[resume.as_slice(), &["--set", "supervised.network.dropout.output=0.2"]].concat(),
        &["`network.dropout.output` was 0.1, now it is 0.2"],
    );
    let fewer = [resume.as_slice(), &["--series", "synthetic-linear BTC/USDT:USDT 5m"]].concat();
    refused(directory, &fewer, &[checkpoint, "other candles"]);
    let path = directory.join("artifacts/models/model").join(checkpoint);
    let bytes = std::fs::read(&path).unwrap();
    let mut flipped = bytes.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for broken in [&bytes[..bytes.len() / 2], &bytes[..100], &[], &flipped] {
        std::fs::write(&path, broken).unwrap();
        refused(directory, &resume, &[checkpoint, "cut short", "remove it", "restore it"]);
    }
    // The remedy that was named.
    std::fs::remove_file(&path).unwrap();
    train(directory, "model", &["--resume"]);
}

#[test]
fn a_bundle_is_judged_on_what_it_never_saw() {
    let directory = prepared();
    let directory = directory.path();
    let trained = train(directory, "model", &[]);
    let late: Timestamp = LATE.parse().unwrap();
    store(directory, "later", &market(1_500, Timeframe::M5, late));
    store(directory, "longer", &market(1_000, Timeframe::M15, late));
    let evaluate =
        |more: &[&'static str]| [&["evaluate", "--bundle", "artifacts/models/model/bundle"], more].concat();
    let (code, document) = json(directory, &evaluate(&["--data", "later"]));
    let collapsed = !document["collapsed"].as_array().unwrap().is_empty();
    assert_eq!((code, &document["command"]), (i32::from(collapsed), &Value::from("evaluate")));
    assert_eq!(document["seen_rows"], 0);
    let rows = |document: &Value| document["assessment"]["decided"]["rows"].as_u64().unwrap();
    let of_series = document["assessment"]["series"].as_object().unwrap().values();
    assert_eq!(of_series.map(|one| one["rows"].as_u64().unwrap()).sum::<u64>(), rows(&document));
    assert!(rows(&document) > 2_000, "{document}");
    // Of the candles of the training, by default those of the test; and they say what the training said.
    let (_, test) = json(directory, &evaluate(&["--data", "store"]));
    assert_eq!(test["assessment"], trained["seeds"][0]["test"]);
    assert!(test["seen_rows"].as_u64().unwrap() > 3_000, "{test}");
    let (_, seen) = json(directory, &evaluate(&["--data", "store", "--to", "2024-01-05", "--seen"]));
    assert_eq!(
        (rows(&seen), &seen["seen_judged"]),
        (seen["seen_rows"].as_u64().unwrap(), &Value::from(true))
    );
    refused(directory, &evaluate(&["--data", "store", "--to", "2024-01-05"]), &["the bundle saw", "--seen"]);
    refused(directory, &evaluate(&["--data", "store", "--from", "2025-01-01"]), &["nothing to judge"]);
    refused(directory, &evaluate(&["--data", "longer"]), &["takes candles of 5m"]);
    let other = evaluate(&["--data", "longer", "--timeframe", "15m"]);
    refused(directory, &other, &["the model was trained on", "5m candles"]);
    let output = run(directory, &evaluate(&["--data", "later"]));
    for part in ["all together", "synthetic-linear ETH/USDT:USDT 5m", "the model "] {
        assert!(text(&output.stdout).contains(part), "{part}: {}", text(&output.stdout));
    }
}

#[test]
fn a_bundle_that_was_changed_is_refused() {
    let directory = prepared();
    let directory = directory.path();
    train(directory, "model", &[]);
    let evaluate = ["evaluate", "--bundle", "artifacts/models/model/bundle", "--data", "store"];
    let bundle = directory.join("artifacts/models/model/bundle");
    for (name, place) in [("features.toml", 0), ("weights.safetensors", 5_000), ("calibration.json", 3)] {
        let path = bundle.join(name);
        let bytes = std::fs::read(&path).unwrap();
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        std::fs::write(&path, changed).unwrap();
        refused(directory, &evaluate, &[name, "checksum", "train anew"]);
        std::fs::remove_file(&path).unwrap();
        refused(directory, &evaluate, &[name, "cannot be read"]);
        std::fs::write(&path, bytes).unwrap();
    }
    let manifest = bundle.join("bundle.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("\"version\": 1,", "\"version\": 2,")).unwrap();
    refused(directory, &evaluate, &["bundle.json", "version 2", "reads `matrela-bundle` version 1"]);
    // Else `evaluate` could be told that the model saw less than it did.
    std::fs::write(&manifest, text.replace("2024-01-07", "2024-01-06")).unwrap();
    refused(directory, &evaluate, &["bundle.json", "checksum"]);
    std::fs::write(&manifest, &text[..text.len() / 2]).unwrap();
    refused(directory, &evaluate, &["bundle.json", "cannot be read"]);
    std::fs::remove_file(&manifest).unwrap();
    refused(directory, &evaluate, &["no `bundle.json`"]);
    std::fs::write(&manifest, text).unwrap();
    let (_, document) = json(directory, &evaluate);
    assert_eq!(document["name"], "model");
}

#[test]
fn what_cannot_be_learned_from_is_named() {
    let directory = prepared();
    let directory = directory.path();
    // No return of twelve candles comes near e⁵.
    let huge = "labeler = \"horizon-return\"\nhorizon = 12\nthreshold.fixed.value = 5.0\n";
    std::fs::write(directory.join("huge.toml"), huge).unwrap();
    let labeler = [DATA.as_slice(), &["--labeler", "huge.toml"]].concat();
    refused(directory, &labeler, &["the training part", "are hold", "labeler"]);
    assert!(!directory.join("artifacts").exists());

    let minimum = |rows: &'static str| [DATA.as_slice(), &["--set", rows]].concat();
    let none = minimum("supervised.preparation.minimum_rows_per_series=100000");
    refused(directory, &none, &["none is left", "BTC/USDT", "minimum_rows_per_series", "lower the limit"]);
    assert!(!directory.join("artifacts").exists());

    let mut series = market(2_880, Timeframe::M5, MarketShape::default().start);
    series[1] = CandleSeries::new(series[1].key().clone(), series[1].columns().slice(0..400)).unwrap();
    store(directory, "uneven", &series);
    let words = ["--config", "tiny.toml", "--data", "uneven"];
    let output = run(directory, &[words.as_slice(), &["--output-format", "json"]].concat());
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let excluded = document["excluded"].as_array().unwrap();
    assert_eq!(
        (output.status.code(), excluded.len(), document["series"].as_array().unwrap().len()),
        (Some(0), 1, 1)
    );
    let key = series[1].key().to_string();
    assert_eq!(excluded[0]["series"], key);
    assert!(excluded[0]["reason"].as_str().unwrap().contains("`minimum_rows_per_series` asks for 500"));
    assert!(text(&output.stderr).contains(&format!("{key} is left out")), "{}", text(&output.stderr));
}

#[test]
fn a_refused_file_is_a_finding() {
    let directory = prepared();
    let directory = directory.path();
    std::fs::write(directory.join("broken.csv"), "open_time,open,high,low,close,volume\n1,2\n").unwrap();
    let words = [DATA.as_slice(), &["broken.csv"]].concat();
    let (code, document) = json(directory, &words);
    let refused = document["refused"].as_array().unwrap();
    assert_eq!((code, refused.len()), (1, 1), "{document}");
    assert!(refused[0][0].as_str().unwrap().contains("broken.csv"), "{document}");
}

#[test]
fn windows_are_learned_from_too() {
    let directory = prepared();
    let directory = directory.path();
    let windows = [
        "--set",
        "supervised.objective=last-step",
        "--set",
        "supervised.sampling.maximum_samples_per_epoch=600",
        "--set",
        "supervised.augmentation.smote.enabled=true",
        "--set",
        "supervised.augmentation.time_shift.maximum_steps=2",
        "--set",
        "supervised.network.pooling=attention",
    ];
    let trained = train(directory, "windows", &windows);
    let labels = trained["seeds"][0]["labels_per_epoch"].as_u64().unwrap();
    assert!((400..=600).contains(&labels), "{labels}");
    let bundle = "artifacts/models/windows/bundle";
    let (_, document) = json(directory, &["evaluate", "--bundle", bundle, "--data", "store"]);
    assert_eq!(document["assessment"], trained["seeds"][0]["test"]);
}

#[test]
fn techniques_are_compared() {
    let directory = prepared();
    let directory = directory.path();
    let ablate = [&["ablate"], DATA.as_slice(), &["--name", "x", "--techniques", "ema,mix-up"]].concat();
    let (code, document) = json(directory, &ablate);
    let variants = document["variants"].as_array().unwrap();
    assert_eq!((code, variants.len()), (0, 3), "{document}");
    let base = &document["config"];
    assert_eq!((&variants[0]["technique"], &variants[0]["on"]), (&Value::Null, &Value::Null));
    assert_eq!((&variants[1]["technique"], &variants[2]["technique"]), (&"ema".into(), &"mix-up".into()));
    assert_eq!(variants[1]["on"], !base["optimiser"]["average"]["enabled"].as_bool().unwrap());
    assert_eq!(variants[2]["on"], base["augmentation"]["mix_up"]["alpha"].as_f64().unwrap() == 0.0);
    for variant in variants {
        assert_eq!((&variant["seeds"], variant["test_log_loss"].as_array().unwrap().len()), (&[1].into(), 1));
        assert_ne!(variant["test_log_loss"][0], document["prior_log_loss"]);
    }
    assert_ne!(variants[0]["test_log_loss"], variants[1]["test_log_loss"]);
    assert_ne!(variants[0]["test_log_loss"], variants[2]["test_log_loss"]);
    // The first variant is the training as configured.
    let trained = train(directory, "x", &[]);
    assert_eq!(variants[0]["test_log_loss"][0], trained["seeds"][0]["test"]["decided"]["log_loss"]);
    let results = directory.join("artifacts/models/x-ablation");
    assert_eq!(names(&results).len(), 4);
    let written = std::fs::read_to_string(results.join("ablation.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), document);
    refused(directory, &ablate, &["x-ablation", "--overwrite"]);
    let one = [&ablate[..ablate.len() - 1], &["smoothing", "--overwrite"]].concat();
    let shown = run(directory, &one);
    assert!(text(&shown.stdout).contains("smoothing off"), "{}", text(&shown.stderr));
    assert_eq!(names(&results), ["ablation.json", "as-configured", "smoothing-off"]);
    refused(directory, &[ablate.as_slice(), &["--resume"]].concat(), &["--resume"]);
    let outside = [&["ablate"], DATA.as_slice(), &["--name", "../x"]].concat();
    refused(directory, &outside, &["--name ../x"]);
    let smote = [&["ablate"], DATA.as_slice(), &["--name", "y", "--techniques", "smote"]].concat();
    refused(directory, &smote, &["SMOTE switched on", "augmentation.smote.enabled"]);
}

#[test]
fn bad_requests_are_errors_with_a_remedy() {
    let directory = prepared();
    let directory = directory.path();
    std::fs::write(directory.join("typo.toml"), "[supervised.network]\nwidht = 8\n").unwrap();
    std::fs::write(directory.join("two.toml"), "labeler = \"horizon-return\"\ntime_limit = 3\n").unwrap();
    std::fs::write(directory.join("spec.toml"), "[features.tend]\nema = [3]\n").unwrap();
    let ordinary = DATA.join(" ");
    for (words, parts) in [
        ("!--config tiny.toml", "--data"),
        ("!--data absent", "absent"),
        ("--config typo.toml", "`supervised.network.widht`|typo.toml:2|`supervised.network.width`"),
        ("--set supervised.los.smoothing=0", "`supervised.los`|--set|`supervised.loss`"),
        ("--set supervised.objective=evry-step", "supervised.objective|every-step"),
        ("--set supervised.segments.batch=0", "section `supervised`|`segments.batch` is 0"),
        ("--set supervised.sampling.batch_size=0", "`sampling.batch_size` is 0"),
        (
            "--set supervised.calibration.decision.share_bounds=[2.0,3.0]",
            "`calibration.decision.share_bounds`",
        ),
        ("--set supervised.augmentation.smote.enabled=true", "augmentation.smote.enabled|every step"),
        ("--set supervised.network.heads=5", "heads"),
        ("--set split.share=0", "share"),
        ("--set validation_days=400", "`validation_days` = 400"),
        ("--set device=gpu", "`device` is gpu|flex"),
        ("--labeler absent.toml", "absent.toml"),
        ("--labeler two.toml", "two.toml|optimize-labels"),
        ("--spec spec.toml", "spec.toml|tend"),
        ("--series x", "data-loader inspect"),
        ("--timeframe 1h", "no candles|data-loader inspect"),
        ("--name ../away", "--name ../away"),
        ("--seeds 0", "--seeds"),
        ("--resume --overwrite", "--overwrite"),
        ("!evaluate --data store", "--bundle"),
        ("!evaluate --data store --bundle store", "no `bundle.json`"),
    ] {
        // Of an ordinary training, unless an exclamation mark says otherwise.
        let whole = words.strip_prefix('!').map_or_else(|| format!("{ordinary} {words}"), str::to_owned);
        refused(directory, &whole.split(' ').collect::<Vec<_>>(), &parts.split('|').collect::<Vec<_>>());
    }
    assert!(!directory.join("artifacts").exists());
    // With the network's rates beyond all bounds the reader is told what to turn.
    let diverging = [
        DATA.as_slice(),
        &["--set", "supervised.learning_rate.base=1e30", "--set", "supervised.optimiser.weight_decay=0.0"],
    ]
    .concat();
    refused(
        directory,
        &diverging,
        &["diverged at epoch 0", "`learning_rate.base`", "`optimiser.norm_clipping`"],
    );
    assert!(run(directory, &["config"]).status.success());
}
