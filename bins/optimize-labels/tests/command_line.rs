//! The program as a user runs it: good runs, bad input, exit codes, files.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use labels::Labeler;
use market_data::store::{OnConflict, Store};
use market_data::synthetic::{MarketShape, SyntheticModel};
use market_data::{CandleSeries, Timeframe, write_csv};
use serde_json::Value;

mod requests;

fn run(directory: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_optimize-labels"));
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

fn market(model: &str, candles: usize, timeframe: Timeframe) -> Vec<CandleSeries> {
    let model: SyntheticModel = toml::from_str(&format!("model = \"{model}\"")).unwrap();
    model.generate(&MarketShape { candles, timeframe, seed: 5, ..Default::default() }).unwrap().series
}

fn file(directory: &Path, series: &CandleSeries) -> PathBuf {
    let key = series.key();
    let path = directory.join(format!("{}_{}_{}.csv", key.venue, key.symbol.exchange_id(), key.timeframe));
    write_csv(series, std::fs::File::create(&path).unwrap()).unwrap();
    path
}

#[test]
fn thresholds_of_a_synthetic_market_meet_the_target() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let series = market("regime", 6_000, Timeframe::M5);
    let store = Store::new(directory.join("store"));
    for one in &series {
        store.append(one, OnConflict::Refuse).unwrap();
    }
    let (code, document) = json(directory, &["--data", "store", "--target", "0.25,0.5,0.25"]);
    assert_eq!(code, 0, "{document}");
    let labelers = document["labelers"].as_array().unwrap();
    let names: Vec<&str> = labelers.iter().map(|labeler| labeler["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["horizon-return", "triple-barrier", "trend-scanning"]);
    for labeler in labelers {
        let hold = labeler["pooled"]["shares"][1].as_f64().unwrap();
        assert!(labeler["reached"] == true && (hold - 0.5).abs() < 1e-3, "{labeler}");
        // What is printed is a labeler, and gives those shares on the first four fifths of the time.
        let ready: Labeler = toml::from_str(labeler["toml"].as_str().unwrap()).unwrap();
        let mut holds = (0, 0);
        for one in &series {
            let labels = ready.label(one).unwrap();
            let end = series[0].len() * 4 / 5 - ready.window() as usize;
            for (_, row) in labels.iter().filter(|(index, _)| *index < end) {
                holds = (holds.0 + usize::from(row.label == labels::Label::Hold), holds.1 + 1);
            }
        }
        assert_eq!(holds.0, labeler["pooled"]["counts"][1].as_u64().unwrap() as usize);
        assert!((holds.0 as f64 / holds.1 as f64 - hold).abs() < 1e-12);
        assert_eq!(labeler["series"].as_array().unwrap().len(), series.len());
        let worst = labeler["worst"]["deviation"].as_f64().unwrap();
        let deviations = labeler["series"].as_array().unwrap().iter();
        assert!(deviations.map(|one| one["deviation"].as_f64().unwrap()).all(|one| one <= worst));
        assert!(labeler["sweep"].as_array().unwrap().len() > 10, "{labeler}");
    }
    // All three shares of a horizon return and of barriers, which have a threshold for each side.
    for labeler in &labelers[..2] {
        assert!(labeler["pooled"]["deviation"].as_f64().unwrap() < 1e-3, "{labeler}");
    }
    let (code, document_of_one) =
        json(directory, &["--data", "store", "--symmetry", "symmetric", "--out", "one.json"]);
    let one = &document_of_one["labelers"][1]["labeler"];
    assert_eq!((code, &one["take_profit"]), (0, &one["stop_loss"]));
    assert_eq!(document["program"], "optimize-labels");
    assert_eq!(document["searched"].as_array().unwrap().len(), 1);
    let written = std::fs::read_to_string(directory.join("threshold_sweep_results.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), document);
    let figure = std::fs::read_to_string(directory.join("threshold_sweep_results.svg")).unwrap();
    assert!(figure.starts_with("<svg") && figure.ends_with("</svg>\n") && figure.contains("BTC/USDT"));
    // No candle file is needed for text, which ends in the same lines.
    let shown = text(&run(directory, &["--data", "store", "--target", "0.25,0.5,0.25"]).stdout);
    for labeler in labelers {
        assert!(shown.contains(labeler["toml"].as_str().unwrap()), "{shown}");
    }
    for part in ["held out and not looked at", "furthest: ", "all together"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

/// Whatever happens in the held-out time changes no threshold.
#[test]
fn held_out_time_is_not_looked_at() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let mut series = market("gbm", 2_000, Timeframe::M5).remove(0);
    let store = Store::new(directory.join("store"));
    store.append(&series, OnConflict::Replace).unwrap();
    let search = |out: &str| {
        let (code, document) = json(directory, &["--data", "store", "--out", out, "--tolerance", "0.1"]);
        assert_eq!(code, 0);
        let toml = |labeler: &Value| labeler["toml"].as_str().unwrap().to_owned();
        document["labelers"].as_array().unwrap().iter().map(toml).collect::<Vec<_>>()
    };
    let before = search("a.json");
    let mut columns = series.columns().clone();
    let key = series.key().clone();
    for at in 1_600..2_000 {
        for column in [&mut columns.open, &mut columns.high, &mut columns.low, &mut columns.close] {
            column[at] *= 3.0 + (at % 7) as f64;
        }
    }
    series = CandleSeries::new(key, columns).unwrap();
    store.append(&series, OnConflict::Replace).unwrap();
    assert_eq!(search("b.json"), before);
}

#[test]
fn the_longest_series_are_taken_and_the_others_named() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let series = market("gbm", 1_500, Timeframe::M5);
    std::fs::create_dir(directory.join("files")).unwrap();
    file(
        &directory.join("files"),
        &series[0].between(series[0].range().unwrap().0, series[0].close_time(999)),
    );
    file(&directory.join("files"), &series[1]);
    let words = ["--data", "files", "--max-symbols", "1", "--labeler", "horizon", "--figure", "f.html"];
    let (code, document) = json(directory, &words);
    assert_eq!((code, document["left_out"][0]["candles"].as_u64()), (0, Some(1_000)), "{document}");
    assert_eq!(document["series"].as_array().unwrap().len(), 1);
    assert!(std::fs::read_to_string(directory.join("f.html")).unwrap().starts_with("<!DOCTYPE html>"));
    let shown = text(&run(directory, &["--data", "files/*.csv", "--max-symbols", "1"]).stdout);
    assert!(shown.contains("left out, fewer candles: synthetic-linear BTC/USDT:USDT 5m (1000)"), "{shown}");
    // One series by its name; the worst series is then the only one.
    let name = document["left_out"][0]["series"].as_str().unwrap().to_owned();
    let (code, document) = json(directory, &["--data", "files", "--series", &name, "--objective", "worst"]);
    assert_eq!((code, document["labelers"][0]["worst"]["name"].as_str()), (0, Some(name.as_str())));
}

#[test]
fn what_cannot_be_met_is_a_finding() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let series = market("gbm", 2_000, Timeframe::M5).remove(0);
    file(directory, &series);
    let (code, document) = json(directory, &["--data", "*.csv", "--target", "1,0,0"]);
    assert_eq!(code, 1, "{document}");
    for labeler in document["labelers"].as_array().unwrap() {
        // With a stop next to the entry nearly every candle is a Sell; nothing else can be told of returns.
        if labeler["name"] != "triple-barrier" {
            assert!(labeler["reached"] == false && labeler["problem"].is_string(), "{labeler}");
        }
    }
    // Exactly reachable by one threshold far out.
    let (code, document) = json(directory, &["--data", "*.csv", "--target", "0,1,0"]);
    assert_eq!(code, 0, "{document}");
    // Prices that stand still: nothing but Hold, and no range to measure barriers in.
    let mut columns = series.columns().clone();
    for column in [&mut columns.open, &mut columns.high, &mut columns.low, &mut columns.close] {
        column.fill(7.0);
    }
    let still = Store::new(directory.join("still"));
    still.append(&CandleSeries::new(series.key().clone(), columns).unwrap(), OnConflict::Refuse).unwrap();
    for (labeler, code) in [("horizon", 1), ("trend-scanning", 1), ("triple-barrier", 2)] {
        let output = run(directory, &["--data", "still", "--labeler", labeler]);
        assert_eq!(output.status.code(), Some(code), "{labeler} {}", text(&output.stderr));
    }
    // A refused file is a finding, and the others are searched.
    let bad = "timestamp,open,high,low,close,volume\n1704067200000,1,2,0.5,1,1\n1704067200000,1,2,0.5,1,1\n";
    std::fs::write(directory.join("bybit-linear_BADUSDT_5m.csv"), bad).unwrap();
    let (code, document) = json(directory, &["--data", ".", "--tolerance", "0.1"]);
    assert_eq!((code, document["refused"].as_array().unwrap().len()), (1, 1), "{document}");
    assert!(document["labelers"].as_array().unwrap().iter().all(|labeler| labeler["reached"] == true));
}

#[test]
fn foreign_files_are_not_written_over() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    file(directory, &market("gbm", 1_000, Timeframe::M5)[0]);
    std::fs::write(directory.join("mine.json"), "{\"program\": \"another\"}").unwrap();
    std::fs::write(directory.join("mine.svg"), "<svg/>").unwrap();
    for (words, part) in [
        (["--out", "mine.json", "--figure", "f.svg"], "--out"),
        (["--out", "r.json", "--figure", "mine.svg"], "--figure"),
        (["--out", "r.json", "--figure", "f.png"], ".svg or .html"),
        (["--out", "f.svg", "--figure", "f.svg"], "the same name"),
        (["--out", ".", "--figure", "f.svg"], "."),
    ] {
        let output = run(directory, &[["--data", "*.csv"].as_slice(), &words].concat());
        let message = text(&output.stderr);
        assert!(output.status.code() == Some(2) && message.contains(part), "{words:?}: {message}");
    }
    assert_eq!(std::fs::read_to_string(directory.join("mine.svg")).unwrap(), "<svg/>");
    assert!(!directory.join("r.json").exists() && !directory.join("f.svg").exists());
    for _ in 0..2 {
        let words = ["--data", "*.csv", "--out", "new/deep/r.json"];
        assert_eq!(run(directory, &words).status.code(), Some(0));
    }
    assert_eq!(std::fs::read_dir(directory.join("new/deep")).unwrap().count(), 2);
}

#[test]
fn bad_requests_are_errors_with_a_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let series = market("gbm", 1_000, Timeframe::M5);
    file(directory, &series[0]);
    file(directory, &market("gbm", 1_000, Timeframe::H1)[0]);
    let one = directory.join("one");
    std::fs::create_dir(&one).unwrap();
    file(&one, &series[0].between(series[0].range().unwrap().0, series[0].close_time(0)));
    for (words, part) in [
        (vec!["--target", "0.3,0.4,0.3"], "--data"),
        (vec!["--data", "*_5m.csv", "--target", "0.3,0.3,0.3"], "0.3333,0.3333,0.3334"),
        (vec!["--data", "*_5m.csv", "--set", "target=[0.3,0.3,0.3]"], "sum to 0.9"),
        (vec!["--data", "*_5m.csv", "--target", "0.5,0.5"], "three shares"),
        (vec!["--data", "*_5m.csv", "--labeler", "magic"], "trend-scanning"),
        (vec!["--data", "*_5m.csv", "--objective", "magic"], "pooled"),
        (vec!["--data", "*_5m.csv", "--max-symbols", "0"], "max-symbols"),
        (vec!["--data", "*_5m.csv", "--horizon", "0"], "horizon"),
        (vec!["--data", "*_5m.csv", "--horizon", "2000"], "horizon"),
        (vec!["--data", "*_5m.csv", "--tolerance", "7"], "tolerance"),
        (vec!["--data", "*_5m.csv", "--set", "split.share=1.5"], "share"),
        (vec!["--data", "*_5m.csv", "--set", "split.split=holdout"], "train_end"),
        (
            vec!["--data", "*_5m.csv", "--set", "split.split=holdout", "--set", "split.train_end=2020-01-01"],
            "inside",
        ),
        (vec!["--data", "*_5m.csv", "--series", "binance-spot X/Y 5m"], "data-loader inspect"),
        (vec!["--data", "*_5m.csv", "--timeframe", "1d"], "no candles"),
        (vec!["--data", "*.csv"], "--timeframe"),
        (vec!["--data", "absent.csv"], "absent.csv"),
        (vec!["--data", "one"], "no candle of the 1 series"),
    ] {
        let output = run(directory, &words);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {message}");
        assert!(message.contains(part), "{words:?}: `{part}` is not in: {message}");
    }
    let output = run(directory, &["config", "--set", "horizon=5", "--output-format", "json"]);
    assert!(output.status.success() && text(&output.stdout).contains("--set"), "{}", text(&output.stdout));
    assert!(text(&run(directory, &["--help"]).stdout).contains("held out"));
}

/// On real candles where they are, else on a market with jumps: the shares of all twelve or four series.
#[test]
fn real_candles() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let (data, count) = if shared.join("MANIFEST.json").is_file() {
        (shared.join("*_5m_genetrader.csv.gz"), 12)
    } else {
        for series in market("merton", 5_000, Timeframe::M5) {
            file(directory, &series);
        }
        (directory.join("*.csv"), 4)
    };
    let (code, document) = json(directory, &["--data", data.to_str().unwrap(), "--target", "0.33,0.34,0.33"]);
    assert_eq!(code, 0, "{document}");
    for labeler in document["labelers"].as_array().unwrap() {
        assert_eq!(labeler["series"].as_array().unwrap().len(), count);
        let pooled = &labeler["pooled"]["deviation"];
        assert!(pooled.as_f64().unwrap() < 0.02, "{labeler}");
        for series in labeler["series"].as_array().unwrap() {
            let sum: f64 =
                series["shares"].as_array().unwrap().iter().map(|share| share.as_f64().unwrap()).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{series}");
        }
    }
}
