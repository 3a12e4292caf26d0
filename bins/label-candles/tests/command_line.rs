//! The program as a user runs it: good runs, bad input, exit codes, files.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use labels::splits::{LastShare, TimeRange};
use labels::{LabelTable, Labeler};
use market_data::CandleSeries;
use market_data::store::{OnConflict, Store, read_columns};
use market_data::synthetic::{MarketShape, SyntheticModel};
use serde_json::Value;

mod requests;

const LABELER: &str = "labeler = \"triple-barrier\"\ntime_limit = 12\nunit.atr.period = 14\ntake_profit = 2.0\nstop_loss = 2.0\n";

fn run(directory: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_label-candles"));
    command.current_dir(directory).env_remove("RUST_LOG").stdin(Stdio::null());
    command.args(words).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(directory: &Path, words: &[&str]) -> (i32, Value) {
    let output = run(directory, &[words, &["--output-format", "json"]].concat());
    let document = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{words:?}: {error}: {}", text(&output.stderr)));
    (output.status.code().unwrap(), document)
}

/// A store of four series, one of them with a hole, and the file of a labeler.
fn prepared(directory: &Path) -> Vec<CandleSeries> {
    let shape = MarketShape { candles: 3_000, seed: 3, ..Default::default() };
    let mut series = SyntheticModel::default().generate(&shape).unwrap().series;
    let keep: Vec<usize> = (0..1_000).chain(1_030..3_000).collect();
    series[1] = CandleSeries::new(series[1].key().clone(), series[1].columns().select(&keep)).unwrap();
    let store = Store::new(directory.join("store"));
    for one in &series {
        store.append(one, OnConflict::Refuse).unwrap();
    }
    std::fs::write(directory.join("labeler.toml"), LABELER).unwrap();
    series
}

#[test]
fn labels_are_written_and_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let all = prepared(directory);
    let words = ["--data", "store", "--labeler", "labeler.toml", "--out", "labels"];
    let (code, document) = json(directory, &words);
    assert_eq!(code, 0, "{document}");
    let labeler: Labeler = toml::from_str(LABELER).unwrap();
    assert_eq!(toml::from_str::<Labeler>(document["toml"].as_str().unwrap()).unwrap(), labeler);
    let plan = LastShare::default().plan(TimeRange::covering(&all).unwrap()).unwrap().remove(0);
    let reported = document["series"].as_array().unwrap();
    assert_eq!(reported.len(), all.len());
    for one in reported {
        let series = all.iter().find(|series| series.key().to_string() == one["series"]).unwrap();
        let labels = labeler.label(series).unwrap();
        let path = directory.join("labels").join(one["file"].as_str().unwrap());
        let table = LabelTable::from_columns(read_columns(&path).unwrap()).unwrap();
        assert_eq!(table, LabelTable::of(&labels));
        assert_eq!(
            (table.len() as u64, labels.len() as u64),
            (one["labels"].as_u64().unwrap(), one["candles"].as_u64().unwrap())
        );
        let split = plan.apply(&labels);
        let count = |name: &str| one[name].as_u64().unwrap() as usize;
        assert_eq!((count("purged"), count("cut"), count("embargoed")), (split.purged(), split.cut(), 0));
        let sum = |name: &str| -> u64 {
            one[name]["counts"].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).sum()
        };
        assert_eq!(sum("train") as usize, split.train().indices().len());
        assert_eq!(sum("test") as usize, split.test().len());
        assert_eq!(sum("train") + sum("test") + (split.purged() + split.cut()) as u64, sum("classes"));
        let absences = &one["absences"];
        let absent: u64 = absences.as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
        assert_eq!(absent + sum("classes"), one["candles"].as_u64().unwrap());
        let holes = u64::from(series.gaps().len() as u32);
        assert_eq!(absences["warm_up"], 14 * (1 + holes));
        assert_eq!(absences["gap"], 12 * holes);
    }
    let written = std::fs::read_to_string(directory.join("labels/labels.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), document);
    // Again with fewer series: the labels of the others go, and nothing else is there.
    let name = reported[2]["series"].as_str().unwrap();
    let (code, fewer) = json(directory, &[words.as_slice(), &["--series", name]].concat());
    assert_eq!((code, fewer["series"].as_array().unwrap().len()), (0, 1));
    let mut left: Vec<_> = std::fs::read_dir(directory.join("labels"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(
        left,
        ["labels.json", fewer["series"][0]["file"].as_str().unwrap()]
            .map(str::to_owned)
            .into_iter()
            .rev()
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
    );
    let shown = text(&run(directory, &words).stdout);
    for part in ["all together", "labels by time", "candles without a label", "labels: labels"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn a_series_without_labels_is_a_finding() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    prepared(directory);
    let far = LABELER.replace("time_limit = 12", "time_limit = 2_500");
    std::fs::write(directory.join("far.toml"), far).unwrap();
    let (code, document) = json(directory, &["--data", "store", "--labeler", "far.toml", "--out", "o"]);
    assert_eq!(code, 1, "{document}");
    let labels: Vec<u64> =
        document["series"].as_array().unwrap().iter().map(|one| one["labels"].as_u64().unwrap()).collect();
    assert_eq!(labels.iter().filter(|labels| **labels == 0).count(), 1, "{labels:?}");
}

#[test]
fn bad_requests_are_errors_with_a_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    prepared(directory);
    std::fs::create_dir(directory.join("mine")).unwrap();
    std::fs::write(directory.join("mine/thesis.txt"), "dear").unwrap();
    std::fs::write(directory.join("two.toml"), format!("{LABELER}horizon = 3\n")).unwrap();
    std::fs::write(directory.join("range.toml"), LABELER.replace("time_limit = 12", "time_limit = 0"))
        .unwrap();
    for (words, part) in [
        (vec!["--labeler", "labeler.toml"], "--data"),
        (vec!["--data", "store"], "--labeler"),
        (vec!["--data", "store", "--labeler", "absent.toml"], "absent.toml"),
        (vec!["--data", "store", "--labeler", "two.toml"], "optimize-labels"),
        (vec!["--data", "store", "--labeler", "range.toml"], "time_limit"),
        (vec!["--data", "store", "--labeler", "labeler.toml", "--out", "mine"], "--out"),
        (vec!["--data", "store", "--labeler", "labeler.toml", "--series", "x"], "data-loader inspect"),
        (vec!["--data", "absent", "--labeler", "labeler.toml"], "absent"),
        (vec!["--data", "store", "--labeler", "labeler.toml", "--set", "split.share=0"], "share"),
        (vec!["--data", "store", "--labeler", "labeler.toml", "--set", "splt.share=0.1"], "split"),
    ] {
        let output = run(directory, &words);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {message}");
        assert!(message.contains(part), "{words:?}: `{part}` is not in: {message}");
    }
    assert_eq!(std::fs::read_dir(directory.join("mine")).unwrap().count(), 1);
    assert!(run(directory, &["config"]).status.success());
}
