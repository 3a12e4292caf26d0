//! The program as a user runs it: good runs, bad input, exit codes, files.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use market_data::synthetic::{MarketShape, SyntheticModel};
use market_data::{CandleSeries, Timeframe};
use serde_json::Value;

const CANDLES: usize = 1_500;
const CLASSIC: [&str; 5] = [
    "buy-and-hold",
    "moving-average-crossover",
    "mean-reversion",
    "equal-risk-contribution",
    "nearest-neighbours",
];
const FILES: [&str; 5] = ["report.html", "report.json", "equity.csv", "trades.csv", "orders.csv"];

fn command(directory: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simulate"));
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

/// Sees that the program fails with all of these parts in its message, and writes nothing.
fn refused(directory: &Path, words: &[&str], parts: &[&str]) {
    let output = run(directory, &[words, &["--out", "never"]].concat());
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{words:?}: {message}");
    assert!(output.stdout.is_empty(), "{words:?}: {}", text(&output.stdout));
    for part in parts {
        assert!(message.contains(part), "{words:?}: `{part}` is not in: {message}");
    }
    assert!(!directory.join("never").exists(), "{words:?} wrote something");
}

fn market(model: &str, timeframe: Timeframe, candles: usize) -> Vec<CandleSeries> {
    let model: SyntheticModel = toml::from_str(&format!("model = \"{model}\"")).unwrap();
    let mut shape = MarketShape { candles, timeframe, seed: 7, ..Default::default() };
    shape.symbols.truncate(2);
    model.generate(&shape).unwrap().series
}

/// Writes each series as the file of a venue that trades.
fn files(directory: &Path, name: &str, series: &[CandleSeries]) {
    std::fs::create_dir_all(directory.join(name)).unwrap();
    for one in series {
        let key = one.key();
        let mut rows = "timestamp,open,high,low,close,volume\n".to_owned();
        for candle in one.iter() {
            let (time, volume) = (candle.open_time.as_millis(), candle.volume);
            let (open, high, low, close) = (candle.open, candle.high, candle.low, candle.close);
            rows += &format!("{time},{open},{high},{low},{close},{volume}\n");
        }
        let symbol = key.symbol.to_string().replace('/', "").replace(":USDT", "");
        let file = format!("{name}/bybit-linear_{symbol}_{}_test.csv", key.timeframe);
        std::fs::write(directory.join(file), rows).unwrap();
    }
}

/// Two series of hours, as files in `hours`.
fn prepared() -> (tempfile::TempDir, Vec<CandleSeries>) {
    let directory = tempfile::tempdir().unwrap();
    let series = market("regime", Timeframe::H1, CANDLES);
    files(directory.path(), "hours", &series);
    (directory, series)
}

/// Rows of a table that was written, as columns by their names.
fn table(path: &Path) -> Vec<std::collections::BTreeMap<String, String>> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let row = |line: &str| {
        names.iter().map(|name| (*name).to_owned()).zip(line.split(',').map(str::to_owned)).collect()
    };
    lines.map(row).collect()
}

/// Points of the equity curve: time and equity.
fn equity(directory: &Path) -> Vec<(i64, f64)> {
    table(&directory.join("equity.csv"))
        .iter()
        .filter(|row| row["series"] == "equity")
        .map(|row| (row["time_ms"].parse().unwrap(), row["value"].parse().unwrap()))
        .collect()
}

fn names(document: &Value) -> Vec<String> {
    let rows = document["strategies"].as_array().unwrap();
    rows.iter().map(|row| row["strategy"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn help_names_what_there_is_and_a_bare_call_shows_it() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(directory.path(), &["--help"]);
    let shown = text(&output.stdout);
    assert!(output.status.success());
    for part in ["--data", "--strategy", "--bundle", "--from", "--monte-carlo", "compare", "config"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert_eq!(run(directory.path(), &[]).status.code(), Some(2));
    let output = run(directory.path(), &["config", "--set", "costs.leverage=2"]);
    let shown = text(&output.stdout);
    assert!(output.status.success() && shown.contains("leverage"), "{shown}");
}

#[test]
fn the_classic_strategies_leave_reports_that_agree_with_each_other() {
    let (directory, series) = prepared();
    let directory = directory.path();
    let words = ["--data", "hours", "--out", "o", "--output-format", "json"];
    let output = run(directory, &words);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    // No strategy passes the gate on two months: a finding.
    assert_eq!(output.status.code(), Some(1), "{document}");
    assert_eq!(names(&document), CLASSIC);
    assert_eq!((&document["timeframe"], &document["cash"]), (&"1h".into(), &"10000".into()));
    let keys: Vec<&str> =
        document["series"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
    assert_eq!(keys, ["bybit-linear BTC/USDT:USDT 1h", "bybit-linear ETH/USDT:USDT 1h"]);
    let written = std::fs::read_to_string(directory.join("o/summary.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), document);
    let pages: Vec<Vec<u8>> =
        CLASSIC.map(|name| std::fs::read(directory.join("o").join(name).join("report.html")).unwrap()).into();
    for (row, page) in document["strategies"].as_array().unwrap().iter().zip(&pages) {
        agree(&directory.join("o").join(row["strategy"].as_str().unwrap()), row, &series);
        let page = text(page).replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        for outside in ["http:", "https:", "src=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
    // Again with one thread: the same bytes.
    let again = command(directory, &words).env("RAYON_NUM_THREADS", "1").output().unwrap();
    assert_eq!(text(&again.stdout), text(&output.stdout));
    for (name, page) in CLASSIC.iter().zip(&pages) {
        let second = std::fs::read(directory.join("o").join(name).join("report.html")).unwrap();
        assert!(second == *page, "{name}: report.html is another one");
    }
    let shown = text(&run(directory, &["--data", "hours", "--out", "o", "--monte-carlo", "0"]).stdout);
    for part in ["deflated Sharpe", "not met", "o/mean-reversion/report.html"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

/// Sees that the files of one strategy say the same as its row.
fn agree(directory: &Path, row: &Value, series: &[CandleSeries]) {
    let name = &row["strategy"];
    let found: BTreeSet<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(found, FILES.map(str::to_owned).into(), "{name}");
    let curve = equity(directory);
    // One point per close, and the cash before them.
    assert_eq!(curve.len(), CANDLES + 1, "{name}");
    let last = series[0].close_time(CANDLES - 1).as_millis();
    assert_eq!((curve[0].1, curve[CANDLES].0), (10_000.0, last), "{name}");
    let close = |one: f64, other: &Value| (one - other.as_f64().unwrap()).abs() < 1e-6;
    assert!(close(curve[CANDLES].1 / 10_000.0 - 1.0, &row["total_return"]), "{name}: {row}");
    let sum = |file: &str, column: &str| -> f64 {
        table(&directory.join(file)).iter().map(|row| row[column].parse::<f64>().unwrap()).sum()
    };
    assert!(close(sum("orders.csv", "fees"), &row["fees"]), "{name}: {row}");
    let trades = std::fs::read_to_string(directory.join("trades.csv")).unwrap();
    let opened = trades.lines().filter(|line| line.contains("/USDT:USDT,")).count();
    assert_eq!(opened as u64, row["trades"].as_u64().unwrap(), "{name}");
    assert_eq!((row["trials"].as_u64(), row["promote"].as_bool()), (Some(5), Some(false)), "{name}");
    assert!(!row["not_met"].as_array().unwrap().is_empty());
    let report: Value =
        serde_json::from_str(&std::fs::read_to_string(directory.join("report.json")).unwrap()).unwrap();
    assert_eq!(report["verdict"]["promote"], false, "{name}");
    assert!(report["monte_carlo"].is_object() && !report["assumptions"].as_array().unwrap().is_empty());
}

#[test]
fn buy_and_hold_buys_at_the_second_open_and_earns_what_the_price_does() {
    let (directory, series) = prepared();
    let directory = directory.path();
    let words = [
        "--data",
        "hours",
        "--strategy",
        "buy-and-hold",
        "--series",
        "bybit-linear BTC/USDT:USDT 1h",
        "--set",
        "backtest.venue.slippage.fraction=0",
        "--set",
        "costs.perpetual_taker_fee=0",
        "--monte-carlo",
        "0",
        "--out",
        "o",
    ];
    let (code, document) = json(directory, &words);
    assert_eq!((code, document["strategies"][0]["trials"].as_u64()), (1, Some(1)), "{document}");
    let orders = table(&directory.join("o/buy-and-hold/orders.csv"));
    let [order] = orders.as_slice() else { panic!("{orders:?}") };
    let (second, last) = (series[0].get(1), series[0].get(CANDLES - 1));
    assert_eq!(order["time_ms"], second.open_time.as_millis().to_string());
    assert_eq!(order["mean_price"].parse::<f64>().unwrap(), second.open);
    let quantity: f64 = order["filled"].parse().unwrap();
    // A part of the cash stays free (`limits.minimum_free_margin`, 5 %).
    assert!((0.94..=1.0).contains(&(quantity * second.open / 10_000.0)), "{quantity}");
    let wanted = 10_000.0 + quantity * (last.close - second.open);
    let reached = equity(&directory.join("o/buy-and-hold"))[CANDLES].1;
    assert!((reached - wanted).abs() < 1e-6, "{reached} and not {wanted}");
}

#[test]
fn funding_that_is_given_is_exchanged_and_what_is_missing_is_said() {
    let (directory, series) = prepared();
    let directory = directory.path();
    let first = series[0].get(0).open_time;
    // 0.01 % at the opens of candles 8, 16, … up to 40: what long pays to short.
    let mut rows = "timestamp,symbol,venue,funding_rate\n".to_owned();
    for hour in (8..=40).step_by(8) {
        rows += &format!("{},BTCUSDT,bybit,0.0001\n", first.plus_millis(hour * 3_600_000).as_millis());
    }
    std::fs::write(directory.join("funding.csv"), rows).unwrap();
    let words = [
        "--strategy",
        "buy-and-hold",
        "--series",
        "bybit-linear BTC/USDT:USDT 1h",
        "--monte-carlo",
        "0",
        "--out",
        "o",
        "--data",
        "hours",
    ];
    let (_, without) = json(directory, &words);
    assert_eq!(without["strategies"][0]["funding"], 0.0);
    let (_, with) = json(directory, &[&words[..], &["funding.csv"]].concat());
    let orders = table(&directory.join("o/buy-and-hold/orders.csv"));
    let quantity: f64 = orders[0]["filled"].parse().unwrap();
    let opens: f64 = (1..=5).map(|time| series[0].get(8 * time).open).sum();
    let wanted = -0.0001 * quantity * opens;
    let funding = with["strategies"][0]["funding"].as_f64().unwrap();
    assert!((funding - wanted).abs() < 1e-6, "{funding} and not {wanted}");
    let report = std::fs::read_to_string(directory.join("o/buy-and-hold/report.json")).unwrap();
    assert!(report.contains("missing for BTC/USDT:USDT (3 % of its time is known)"), "{report:.2000}");
}

#[test]
fn strategies_are_judged_by_regime_by_choice_and_on_other_candles() {
    let (directory, _) = prepared();
    let directory = directory.path();
    let words = ["--data", "hours", "--monte-carlo", "0", "--candle-paths", "12", "--out", "o"];
    let (_, document) = json(directory, &words);
    assert_eq!(document["selection"]["paths"], 5, "{document}");
    for row in document["strategies"].as_array().unwrap() {
        let others = &row["other_candles"];
        assert_eq!(others["paths"], 12, "{row}");
        let share = others["share_as_good"].as_f64().unwrap();
        // At least the recorded market itself, of 13.
        assert!((1.0 / 13.0 - 1e-12..=1.0).contains(&share), "{row}");
        let regimes = row["regimes"].as_array().unwrap();
        let days: u64 = regimes.iter().map(|regime| regime["days"].as_u64().unwrap()).sum();
        assert_eq!(days, (CANDLES as u64).div_ceil(24), "{row}");
        let growth: f64 =
            regimes.iter().map(|regime| 1.0 + regime["total_return"].as_f64().unwrap()).product();
        assert!((growth - 1.0 - row["total_return"].as_f64().unwrap()).abs() < 1e-9, "{row}");
    }
    let page = std::fs::read_to_string(directory.join("o/mean-reversion/report.html")).unwrap();
    for title in ["By regime", "On other candles", "Choosing the best strategy"] {
        assert!(page.contains(title), "{title}");
    }
}

#[test]
fn a_shorter_time_is_the_beginning_of_a_longer_one() {
    let (directory, _) = prepared();
    let directory = directory.path();
    let work = ["--data", "hours", "--strategy", "moving-average-crossover", "--monte-carlo", "0"];
    let (from, to) = ("2024-01-10T00:00:00Z", "2024-02-20T00:00:00Z");
    let (_, whole) = json(directory, &[work.as_slice(), &["--from", from, "--out", "whole"]].concat());
    let (_, part) =
        json(directory, &[work.as_slice(), &["--from", from, "--to", to, "--out", "part"]].concat());
    let row = &part["strategies"][0];
    assert_eq!((&row["from"], &row["until"]), (&from.into(), &to.into()));
    assert_eq!(whole["strategies"][0]["from"], from);
    // Buy and hold is run along with it, which makes two trials, and has no row.
    assert_eq!((names(&part).len(), row["trials"].as_u64()), (1, Some(2)));
    let name = "moving-average-crossover";
    let (long, short) =
        (equity(&directory.join("whole").join(name)), equity(&directory.join("part").join(name)));
    assert_eq!(short.len(), 41 * 24 + 1);
    assert_eq!(long[..short.len()], short);
    assert!(short.iter().any(|point| point.1 != 10_000.0));
}

#[test]
fn more_trials_and_dearer_venues_make_a_result_worse() {
    let (directory, _) = prepared();
    let directory = directory.path();
    let row = |more: &[&str]| {
        let words = ["--data", "hours", "--strategy", "mean-reversion", "--monte-carlo", "0", "--out", "o"];
        json(directory, &[words.as_slice(), more].concat()).1["strategies"][0].clone()
    };
    let number = |row: &Value, name: &str| row[name].as_f64().unwrap();
    let plain = row(&[]);
    let tried = row(&["--trials", "1000"]);
    assert_eq!(tried["trials"].as_u64(), Some(1_002));
    assert_eq!(tried["total_return"], plain["total_return"]);
    assert!(number(&tried, "deflated_sharpe") < number(&plain, "deflated_sharpe"), "{tried} {plain}");
    let slipping = row(&["--set", "backtest.venue.slippage.fraction=0.002"]);
    assert!(number(&slipping, "total_return") < number(&plain, "total_return"));
    let late = row(&["--set", "backtest.venue.latency_ms=1000"]);
    assert!(number(&late, "total_return") < number(&plain, "total_return"));
}

#[test]
fn backtests_are_put_side_by_side() {
    let (directory, _) = prepared();
    let directory = directory.path();
    let work = ["--data", "hours", "--monte-carlo", "0", "--strategy"];
    json(directory, &[work.as_slice(), &["mean-reversion", "--out", "one"]].concat());
    json(directory, &[work.as_slice(), &["mean-reversion,buy-and-hold", "--out", "two"]].concat());
    json(
        directory,
        &[work.as_slice(), &["mean-reversion", "--out", "late", "--from", "2024-02-01"]].concat(),
    );
    let (code, both) = json(directory, &["compare", "one", "two"]);
    assert_eq!((code, both.as_array().unwrap().len()), (0, 2), "{both}");
    assert_eq!(names(&both[1]), ["mean-reversion", "buy-and-hold"]);
    assert_eq!(both[0]["strategies"][0]["total_return"], both[1]["strategies"][0]["total_return"]);
    let shown = text(&run(directory, &["compare", "one", "two"]).stdout);
    for part in ["one mean-reversion", "two mean-reversion", "two buy-and-hold"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let apart = run(directory, &["compare", "one", "late"]);
    assert_eq!(apart.status.code(), Some(1));
    assert!(text(&apart.stderr).contains("different series or times"), "{}", text(&apart.stderr));
    let dearer = ["mean-reversion", "--out", "dear", "--set", "costs.perpetual_taker_fee=0.001"];
    json(directory, &[work.as_slice(), &dearer].concat());
    let apart = run(directory, &["compare", "one", "dear"]);
    assert_eq!(apart.status.code(), Some(1));
    assert!(
        text(&apart.stderr).contains("different settings of engine, venue or costs"),
        "{}",
        text(&apart.stderr)
    );
    for (words, part) in [
        (vec!["compare"], "<DIR>"),
        (vec!["compare", "hours"], "hours/summary.json"),
        (vec!["compare", "one", "absent"], "absent/summary.json"),
    ] {
        let output = run(directory, &words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(text(&output.stderr).contains(part), "{words:?}: {}", text(&output.stderr));
    }
}

#[test]
fn files_that_are_refused_are_named_and_a_finding() {
    let (directory, _) = prepared();
    let directory = directory.path();
    files(directory, "walk", &market("gbm", Timeframe::H1, 3_000));
    files(directory, "fine", &market("gbm", Timeframe::M30, 6_000));
    refused(directory, &["--data", "walk"], &["refused", "known prices of BTC", "--accept known-prices"]);
    let words = ["--data", "walk", "--strategy", "buy-and-hold", "--monte-carlo", "0", "--out", "o"];
    let (_, document) =
        json(directory, &[words.as_slice(), &["--accept", "known-prices,random-walk"]].concat());
    assert_eq!((document["refused"].as_array().unwrap().len(), names(&document).len()), (0, 1));
    let broken = "timestamp,open,high,low,close,volume\n1704067200000,5,4,6,5,1\n";
    std::fs::write(directory.join("hours/bybit-linear_SOLUSDT_1h_test.csv"), broken).unwrap();
    let words = ["--data", "hours", "--strategy", "buy-and-hold", "--monte-carlo", "0", "--out", "o"];
    let (code, document) = json(directory, &words);
    assert_eq!((code, document["series"].as_array().unwrap().len()), (1, 2), "{document}");
    let file = document["refused"][0][0].as_str().unwrap();
    assert!(file.contains("SOLUSDT"), "{document}");
    // Finer candles that are refused are told too.
    let output = run(directory, &[words.as_slice(), &["--detail", "fine"]].concat());
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    assert!(message.contains("known prices of BTC") && message.contains("--detail"), "{message}");
}

#[test]
fn bad_requests_are_errors_with_a_remedy() {
    let (directory, _) = prepared();
    let directory = directory.path();
    files(directory, "minutes", &market("regime", Timeframe::M5, 600));
    let work = ["--data", "hours"];
    for (more, parts) in [
        (vec!["--strategy", "hold"], vec!["no strategy `hold`", "classic, buy-and-hold", "hybrid"]),
        (vec!["--strategy", "hybrid"], vec!["--bundle", "train-supervised"]),
        (vec!["--strategy", "hybrid", "--bundle", "hours"], vec!["hours", "no model bundle"]),
        (vec!["--from", "2030-01-01"], vec!["no candle", "2030-01-01T00:00:00Z", "--from"]),
        (vec!["--to", "2020-01-01"], vec!["no candle", "2020-01-01T00:00:00Z", "--to"]),
        (vec!["--from", "yesterday"], vec!["yesterday"]),
        (vec!["--data", "minutes"], vec!["5m, 1h", "--timeframe"]),
        (vec!["--timeframe", "4h"], vec!["no candles", "data-loader inspect"]),
        (vec!["--series", "x"], vec!["'x'", "data-loader inspect"]),
        (vec!["--detail", "hours"], vec!["--detail", "divide 1h"]),
        (vec!["--monte-carlo", "5"], vec!["monte_carlo.paths = 5", "1,000"]),
        (vec!["--accept", "luck"], vec!["luck", "random-walk"]),
        (vec!["--findings", "hope"], vec!["hope", "reject"]),
        (vec!["--set", "backtest.cash=much"], vec!["backtest.cash", "much"]),
        (vec!["--set", "backtest.cash=-5"], vec!["cash = -5"]),
        (vec!["--set", "backtst.cash=5"], vec!["backtst", "did you mean `backtest`"]),
        (vec!["--set", "backtest.venue.volume_share=2"], vec!["venue.volume_share = 2"]),
        (vec!["--set", "costs.leverage=0"], vec!["leverage = 0"]),
        (vec!["--set", "metrics.rolling_window=1"], vec!["metrics.rolling_window = 1"]),
        (vec!["--set", "gate.minimum_deflated_sharpe=2"], vec!["minimum_deflated_sharpe = 2"]),
        (vec!["--set", "strategies.moving_average_crossover.fast=60"], vec!["slow = 50", "fast"]),
    ] {
        refused(directory, &[work.as_slice(), &more].concat(), &parts);
    }
    refused(directory, &["--data", "absent"], &["absent"]);
    refused(directory, &["--strategy", "classic"], &["--data"]);
    let endless = run(directory, &["--data", "hours", "--from", "2030-01-01"]);
    assert!(!text(&endless.stderr).contains("9223372036854775807"), "{}", text(&endless.stderr));
}
