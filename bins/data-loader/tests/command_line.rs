//! The program as a user runs it: good runs, bad input, exit codes, JSON, kills.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

mod requests;

fn loader(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_data-loader"));
    // The store's default and the configuration are relative to where the user stands.
    command.current_dir(directory).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

fn run(directory: &Path, words: &[&str]) -> Output {
    loader(directory).args(words).output().unwrap()
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

/// Six files of a synthetic market with 5,000 candles of 5m each, as `export` writes them.
fn files(directory: &Path) -> Vec<PathBuf> {
    let generated = run(
        directory,
        &["generate", "--store", "made", "--symbols", "6", "--candles", "5000", "--seed", "9"],
    );
    assert!(generated.status.success(), "{}", text(&generated.stderr));
    let exported = run(directory, &["export", "--store", "made", "--out", "files"]);
    assert!(exported.status.success(), "{}", text(&exported.stderr));
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(directory.join("files")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 6);
    files
}

#[test]
fn help_names_every_command() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(directory.path(), &["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = text(&output.stdout);
    for command in ["import", "generate", "inspect", "resample", "export", "config"] {
        assert!(help.contains(command), "{help}");
        let output = run(directory.path(), &[command, "--help"]);
        assert_eq!(output.status.code(), Some(0), "{command}");
        assert!(text(&output.stdout).contains("Usage"), "{command}");
    }
}

#[test]
fn a_market_goes_round() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let files = files(directory);
    let (code, document) = json(directory, &["import", "files"]);
    assert_eq!((code, document["totals"]["rows"].as_u64()), (0, Some(30_000)));
    assert_eq!(document["files"].as_array().unwrap().len(), files.len());
    let hashes = |document: &Value| -> Vec<String> {
        document["series"].as_array().unwrap().iter().map(|one| one["content_hash"].to_string()).collect()
    };
    let (_, made) = json(directory, &["inspect", "--store", "made"]);
    let (code, stored) = json(directory, &["inspect"]);
    assert_eq!(code, 0);
    assert_eq!(hashes(&made), hashes(&stored));

    let (code, again) = json(directory, &["import", "files"]);
    assert_eq!(code, 0);
    assert!(
        again["files"].as_array().unwrap().iter().all(|file| file["status"] == "already_stored"),
        "{again}"
    );

    let (code, long) = json(directory, &["resample", "--to", "1h", "--symbol", "BTCUSDT"]);
    assert_eq!((code, long["series"][0]["complete"].as_u64()), (0, Some(416)));
    assert_eq!(long["series"][0]["incomplete"].as_u64(), Some(1));
    let output = run(
        directory,
        &["export", "--out", "-", "--timeframe", "1h", "--from", "2024-01-02", "--to", "2024-01-03"],
    );
    let csv = text(&output.stdout);
    assert_eq!(csv.lines().next(), Some("timestamp,open,high,low,close,volume,turnover,symbol"));
    assert_eq!(csv.lines().count(), 25);
    assert!(
        csv.lines().nth(1).unwrap().starts_with("1704153600000,")
            && csv.lines().nth(1).unwrap().ends_with(",BTCUSDT")
    );

    let exported =
        run(directory, &["export", "--out", "parquet", "--format", "parquet", "--timeframe", "5m"]);
    assert!(exported.status.success());
    let (code, parquet) = json(directory, &["import", "parquet", "--store", "from-parquet"]);
    assert_eq!((code, parquet["totals"]["rows"].as_u64()), (0, Some(30_000)));
    let (_, from_parquet) = json(directory, &["inspect", "--store", "from-parquet"]);
    assert_eq!(hashes(&from_parquet), hashes(&made));
}

#[test]
fn the_same_seed_makes_the_same_market() {
    let directory = tempfile::tempdir().unwrap();
    let make = |store: &str, seed: &str| {
        let words = ["generate", "--candles", "500", "--model", "planted", "--store", store, "--seed", seed];
        let (code, document) = json(directory.path(), &words);
        assert_eq!(code, 0);
        document
    };
    let (one, same, other) = (make("a", "1"), make("b", "1"), make("c", "2"));
    let hash = |document: &Value| document["files"][0]["series"][0]["content_hash"].clone();
    assert_eq!(hash(&one), hash(&same));
    assert_ne!(hash(&one), hash(&other));
    // The law's probabilities lie beside the candles.
    assert_eq!(one["files"][0]["exogenous"][0]["name"], "bayes_BTCUSDT_5m");
    assert_eq!(one["files"][0]["exogenous"][0]["rows"], 500);
    // Another seed into the same store would overwrite: refused as a conflict.
    let output = run(
        directory.path(),
        &["generate", "--candles", "500", "--model", "planted", "--store", "a", "--seed", "2"],
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--on-conflict"), "{}", text(&output.stderr));
}

#[test]
fn one_bad_file_does_not_stop_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    files(directory);
    let bad = "timestamp,open,high,low,close,volume\n1704067200000,1,2,0.5,1,1\n1704067200000,1,2,0.5,1,1\n1704067260000,1,2,0.5,1,1\n";
    std::fs::write(directory.join("files/bybit-linear_BADUSDT_1m.csv"), bad).unwrap();
    let (code, document) = json(directory, &["import", "files"]);
    assert_eq!(code, 1);
    assert_eq!(
        (document["totals"]["refused"].as_u64(), document["totals"]["series"].as_u64()),
        (Some(1), Some(7))
    );
    let refused =
        document["files"].as_array().unwrap().iter().find(|file| file["status"] == "refused").unwrap();
    assert!(refused["error"].as_str().unwrap().contains("line 3"), "{refused}");
    assert_eq!(refused["series"][0]["findings"]["duplicate"]["count"], 1);
    let (code, document) = json(directory, &["import", "files", "--findings", "keep-first"]);
    assert_eq!(code, 0);
    assert!(document["files"].as_array().unwrap().iter().any(|file| file["series"][0]["removed"] == 1));
    // An absent file is an error of the request, and the others are done all the same.
    let (code, document) =
        json(directory, &["import", "absent.csv", "files/bybit-linear_BADUSDT_1m.csv", "--findings", "drop"]);
    assert_eq!((code, document["files"][0]["status"].as_str()), (2, Some("failed")));
}

#[test]
fn inspect_finds_and_stores_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let bad = "timestamp,open,high,low,close,volume\n1704067200000,1,2,0.5,1,1\n1704067260000,1,0.2,0.5,1,1\n1704067320000,1,2,0.5,1,1\n";
    std::fs::write(directory.join("bybit-linear_BADUSDT_1m.csv"), bad).unwrap();
    for policy in ["reject", "drop"] {
        let (code, document) =
            json(directory, &["inspect", "bybit-linear_BADUSDT_1m.csv", "--findings", policy]);
        assert_eq!(code, 1, "{document}");
        assert_eq!(document["files"][0]["series"][0]["findings"]["impossible_ohlc"]["line"], 3);
    }
    assert!(!directory.join("datasets").exists());
    // A candle of the future has not closed.
    let open = "timestamp,open,high,low,close,volume\n1704067200000,1,2,0.5,1,1\n1704067260000,1,2,0.5,1,1\n";
    std::fs::write(directory.join("bybit-linear_NEWUSDT_1m.csv"), open).unwrap();
    let words = ["inspect", "bybit-linear_NEWUSDT_1m.csv", "--now", "2024-01-01T00:01:30Z"];
    let (code, document) = json(directory, &words);
    assert_eq!(
        (code, &document["files"][0]["series"][0]["findings"]["unfinished"]["count"]),
        (1, &Value::from(1))
    );
}

#[test]
fn a_person_is_told_what_was_assumed() {
    let directory = tempfile::tempdir().unwrap();
    let text_of = "date,open,high,low,close,volume,trades\n2024-01-01 00:00,1,2,0.5,1,1,3\n2024-01-01 00:01,1,2,0.5,1,1,3\n";
    std::fs::write(directory.path().join("NEWUSDT_1m.csv"), text_of).unwrap();
    let output = run(directory.path(), &["inspect", "NEWUSDT_1m.csv"]);
    let shown = text(&output.stdout);
    for part in ["read as UTC", "columns not read: trades", "taken as unknown-spot", "NEW/USDT", "2 candles"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn a_damaged_store_is_a_finding() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    run(directory, &["generate", "--symbols", "1", "--candles", "100", "--store", "s"]);
    let series = directory.join("s/candles/synthetic-linear/BTC_USDT_USDT/5m");
    let parquet = std::fs::read_dir(&series).unwrap().map(|entry| entry.unwrap().path());
    let parquet = parquet.into_iter().find(|path| path.extension().is_some_and(|e| e == "parquet")).unwrap();
    std::fs::write(parquet, b"damaged").unwrap();
    let (code, document) = json(directory, &["inspect", "--store", "s"]);
    assert_eq!(code, 1);
    assert!(document["series"][0]["error"].as_str().unwrap().contains("manifest states"), "{document}");
}

#[test]
fn an_import_record_is_believed_only_while_it_is_true() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let file = |name: &str, close: &str| {
        let rows = format!(
            "timestamp,open,high,low,close,volume\n1704067200000,1,2,0.5,1,1\n1704067260000,1,2,0.5,{close},1\n1704067320000,1,2,0.5,1,1\n"
        );
        std::fs::create_dir_all(directory.join(name)).unwrap();
        std::fs::write(directory.join(name).join("bybit-linear_NEWUSDT_1m.csv"), rows).unwrap();
    };
    file("a", "1");
    file("b", "1.5");
    let status = |words: &[&str]| {
        let (code, document) = json(directory, words);
        (code, document["files"][0]["status"].as_str().unwrap().to_owned())
    };
    assert_eq!(status(&["import", "a"]), (0, "imported".to_owned()));
    assert_eq!(status(&["import", "b"]), (1, "refused".to_owned()));
    assert_eq!(status(&["import", "b", "--on-conflict", "replace"]), (0, "imported".to_owned()));
    // The store no longer holds what `a` left.
    assert_eq!(status(&["import", "a"]), (1, "refused".to_owned()));
    assert_eq!(status(&["import", "b", "--on-conflict", "replace"]), (0, "already_stored".to_owned()));
}

#[test]
fn a_file_of_two_series_is_stored_whole_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let rows = |symbols: &[(&str, &str)]| {
        let mut text = "timestamp,open,high,low,close,volume,symbol\n".to_owned();
        for minute in 0..3 {
            for (symbol, close) in symbols {
                text.push_str(&format!(
                    "{},1,2,0.5,{close},1,{symbol}\n",
                    1_704_067_200_000_i64 + minute * 60_000
                ));
            }
        }
        text
    };
    std::fs::write(directory.join("one.csv"), rows(&[("BBBUSDT", "1")])).unwrap();
    std::fs::write(directory.join("two.csv"), rows(&[("AAAUSDT", "1"), ("BBBUSDT", "1.5")])).unwrap();
    let venue = ["--venue", "bybit-linear"];
    assert_eq!(json(directory, &[&["import", "one.csv"], &venue[..]].concat()).0, 0);
    let (code, document) = json(directory, &[&["import", "two.csv"], &venue[..]].concat());
    assert_eq!((code, document["files"][0]["status"].as_str()), (1, Some("refused")));
    let (_, store) = json(directory, &["inspect", "--store", "datasets/store"]);
    assert_eq!(store["series"].as_array().unwrap().len(), 1, "{store}");
}

#[test]
fn resampling_twice_takes_the_shortest_candles() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    run(directory, &["generate", "--symbols", "2", "--candles", "3000", "--timeframe", "1m", "--store", "s"]);
    for to in ["5m", "15m", "1h", "1h"] {
        let (code, document) = json(directory, &["resample", "--to", to, "--store", "s"]);
        assert_eq!(code, 0, "{document}");
        let from = document["series"].as_array().unwrap().iter().map(|one| one["from"]["timeframe"].clone());
        assert!(from.into_iter().all(|timeframe| timeframe == "1m"), "{document}");
    }
}

#[test]
fn bad_requests_are_errors_with_a_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    run(directory, &["generate", "--symbols", "1", "--candles", "100", "--store", "s"]);
    for (words, part) in [
        (vec!["import"], "PATH"),
        (vec!["import", "x.csv", "--findings", "repair"], "keep-first"),
        (vec!["import", "x.csv", "--timeframe", "7m"], "1m 3m 5m"),
        (vec!["import", "x.csv", "--venue", "bybit"], "bybit-linear"),
        (vec!["import", "x.csv", "--accept", "all"], "known-prices"),
        (vec!["import", "x.csv", "--utc-offset", "3"], "+03:00"),
        (vec!["import", "x.csv", "--known-after", "9223372036854775807d"], "thousand years"),
        (vec!["generate", "--model", "magic"], "magic"),
        (vec!["generate", "--candles", "0"], "candles"),
        (vec!["generate", "--start", "2024-01-01T00:01:00Z"], "grid"),
        (vec!["generate", "--set", "generate.shape.seeds=1"], "seed"),
        (vec!["generate", "--set", "generate.market.volatilty=1"], "volatilty"),
        (vec!["resample", "--to", "1m", "--store", "s"], "multiple"),
        (vec!["resample", "--to", "1h", "--store", "empty"], "holds no candles"),
        (vec!["export", "--out", "out", "--store", "s", "--symbol", "XRPUSDT"], "none of its 1 series"),
        (vec!["export", "--out", "-", "--store", "s", "--format", "parquet"], "CSV"),
        (vec!["inspect", "--store", "absent"], "no such directory"),
        (vec!["inspect", "--store", "s", "x.csv"], "cannot be used with"),
    ] {
        let output = run(directory, &words);
        let message = text(&output.stderr) + &text(&output.stdout);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {message}");
        assert!(message.contains(part), "{words:?}: `{part}` is not in: {message}");
    }
    // What exists is not written over.
    assert!(run(directory, &["export", "--out", "out", "--store", "s"]).status.success());
    let output = run(directory, &["export", "--out", "out", "--store", "s"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--overwrite"));
}

#[test]
fn the_effective_configuration_names_its_origins() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("config")).unwrap();
    std::fs::write(directory.path().join("config/data-loader.toml"), "store = \"elsewhere\"\n").unwrap();
    let output = loader(directory.path())
        .args(["config", "--set", "generate.shape.seed=5", "--output-format", "json"])
        .env("MATRELA__ON_CONFLICT", "replace")
        .output()
        .unwrap();
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for part in
        ["elsewhere", "config/data-loader.toml", "MATRELA__ON_CONFLICT", "replace", "generate.shape.seed"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

/// Kills an import after each of its files in turn; the next import finishes, and the store is the one
/// that an undisturbed import makes.
#[test]
fn a_killed_import_resumes() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    files(directory);
    let hashes = |store: &str| -> Vec<String> {
        let (code, document) = json(directory, &["inspect", "--store", store]);
        assert_eq!(code, 0, "{document}");
        document["series"].as_array().unwrap().iter().map(|one| one["content_hash"].to_string()).collect()
    };
    run(directory, &["import", "files", "--store", "whole"]);
    for kill_after in 1..=5 {
        let store = format!("killed-{kill_after}");
        let mut child = loader(directory)
            .args(["-v", "import", "files", "--store", &store])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let seen =
            lines.map_while(Result::ok).filter(|line| line.contains("imported")).take(kill_after).count();
        assert_eq!(seen, kill_after);
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success());
        let (code, resumed) = json(directory, &["import", "files", "--store", &store]);
        assert_eq!(code, 0);
        let already =
            resumed["files"].as_array().unwrap().iter().filter(|file| file["status"] == "already_stored");
        assert!(already.count() >= kill_after, "{resumed}");
        assert_eq!(hashes(&store), hashes("whole"), "killed after {kill_after} files");
    }
}
