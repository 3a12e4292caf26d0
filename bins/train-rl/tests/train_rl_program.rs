//! The program through its command line: trains, resumes, judges, refuses.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, OnceLock};

use features::FeatureSpec;
use labels::splits::LastShare;
use labels::{HorizonReturn, Labeler};
use market_data::synthetic::{MarketShape, SyntheticModel};
use market_data::{CandleSeries, SeriesKey, Timeframe};
use serde_json::Value;
use supervised::{CandleSource, Checkpoints, DeviceKind, Periods, SupervisedConfig, TrainingJob, train};

mod requests;

/// Ten days of a market with a planted signal, as files, and a small model of it.
fn prepared() -> &'static Path {
    static DIRECTORY: OnceLock<tempfile::TempDir> = OnceLock::new();
    DIRECTORY
        .get_or_init(|| {
            let directory = tempfile::tempdir().unwrap();
            let model: SyntheticModel = toml::from_str("model = \"planted\"").unwrap();
            let mut shape =
                MarketShape { candles: 2_900, timeframe: Timeframe::M5, seed: 8, ..Default::default() };
            shape.symbols.truncate(2);
            let series = model.generate(&shape).unwrap().series;
            let read = series.iter().map(|one| write(directory.path(), one)).collect();
            bundle(directory.path(), read);
            directory
        })
        .path()
}

/// Writes a series as the file of a venue, and gives it as it will be read.
fn write(directory: &Path, series: &CandleSeries) -> CandleSeries {
    let mut rows = "timestamp,open,high,low,close,volume\n".to_owned();
    for candle in series.iter() {
        let (time, volume) = (candle.open_time.as_millis(), candle.volume);
        rows += &format!("{time},{},{},{},{},{volume}\n", candle.open, candle.high, candle.low, candle.close);
    }
    std::fs::create_dir_all(directory.join("candles")).unwrap();
    let symbol = series.key().symbol.to_string().replace('/', "").replace(":USDT", "");
    std::fs::write(directory.join(format!("candles/bybit-linear_{symbol}_5m_test.csv")), rows).unwrap();
    let mut columns = series.columns().clone();
    columns.turnover = None;
    let key =
        SeriesKey::new("bybit-linear".parse().unwrap(), series.key().symbol.clone(), series.key().timeframe);
    CandleSeries::new(key, columns).unwrap()
}

fn bundle(directory: &Path, series: Vec<CandleSeries>) {
    let keys = series.iter().map(|one| one.key().clone()).collect();
    let candles = Arc::new(CandleSource::new(keys, series, Vec::new(), Vec::new()).unwrap());
    let spec = "trend.enabled = false\ncycle.enabled = false\nhigher_timeframe.enabled = false";
    let config =
        "epochs = 1\nnetwork = { width = 16, heads = 2 }\npreparation = { minimum_rows_per_series = 100 }";
    let config: SupervisedConfig = toml::from_str(config).unwrap();
    let plans = LastShare { share: 0.3 }.plan(candles.range().unwrap()).unwrap();
    let job = TrainingJob::prepare(
        candles,
        FeatureSpec::from_toml(spec).unwrap(),
        Labeler::HorizonReturn(HorizonReturn { horizon: 4, ..HorizonReturn::default() }),
        Periods::new(plans[0].clone(), 1).unwrap(),
        &config.preparation,
    )
    .unwrap();
    let device = DeviceKind::Flex.device().unwrap();
    let trained =
        train(&job.dataset, &config, &device, &job.data_hash, Checkpoints::default(), &mut ()).unwrap();
    let finished = job.finish(trained, &config, "small", None, None).unwrap();
    finished.bundle.write(&directory.join("bundle"), false).unwrap();
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_train-rl"));
    command.args(arguments).current_dir(prepared()).env_clear().stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

/// What every training here is told; few steps in small rollouts.
fn training<'a>(name: &'a str, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec![
        "--bundle",
        "bundle",
        "--data",
        "candles",
        "--accept",
        "random-walk",
        "--name",
        name,
        "--out",
        out,
        "--steps",
        "2048",
        "--set",
        "policy.environment.environments=8",
        "--set",
        "policy.recipe.ppo.steps=32",
        "--set",
        "policy.recipe.ppo.batch_size=128",
        "--set",
        "policy.environment.episode.length=50",
        "--set",
        "checkpoint_seconds=0",
        "--output-format",
        "json",
    ];
    all.extend(more);
    all
}

fn document(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn error(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn trains_seeds_and_judges_them_beside_the_others() {
    let out = tempfile::tempdir().unwrap();
    let place = out.path().to_str().unwrap();
    let report = document(&run(&training("two", place, &["--seeds", "2", "--trials", "3"])));
    assert_eq!((report["columns"].as_u64(), report["algorithm"].as_str()), (Some(19), Some("ppo")));
    let seeds = report["seeds"].as_array().unwrap();
    assert_eq!(seeds.iter().map(|seed| seed["seed"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2]);
    let chosen = PathBuf::from(report["policy"].as_str().unwrap());
    assert!(chosen.join("policy.json").exists() && chosen.join("model/bundle.json").exists());
    let own = out.path().join("two/seed-1");
    let lines = std::fs::read_to_string(own.join("progress.jsonl")).unwrap();
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!((lines.lines().count(), last["steps"].as_u64()), (8, Some(2_048)));
    assert!(last["validation"]["log_return"].is_number() && last["steps_per_second"].as_f64().unwrap() > 0.0);
    assert!(std::fs::read_dir(own.join("tensorboard")).unwrap().count() == 1);
    assert!(!own.join("checkpoint.bin").exists());

    let directory = out.path().join("two");
    let judge =
        ["evaluate", "--policy", directory.to_str().unwrap(), "--data", "candles", "--accept", "random-walk"];
    let judged = document(&run(&[&judge[..], &["--output-format", "json"]].concat()));
    let players = judged["players"].as_array().unwrap();
    let kinds: Vec<&str> = players.iter().map(|player| player["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["policy", "model", "buy-and-hold", "flat", "random"]);
    assert_eq!(players[0]["total_return"]["seeds"].as_u64(), Some(2));
    assert_eq!(players[3]["total_return"]["mean"].as_f64(), Some(0.0));
    assert!(players[4]["total_return"]["mean"].as_f64().unwrap() < 0.0);
    // What training and validation saw is left out, and asking for it takes a word.
    let text = String::from_utf8(run(&judge).stdout).unwrap();
    assert!(text.contains("buy and hold") && text.contains("may be luck"), "{text}");
    let early = run(&[&judge[..], &["--from", "2020-01-01"]].concat());
    assert!(error(&early).contains("--seen"));
    assert!(run(&[&judge[..], &["--from", "2020-01-01", "--seen"]].concat()).status.success());
}

#[test]
fn interrupted_is_uninterrupted() {
    let out = tempfile::tempdir().unwrap();
    let place = out.path().to_str().unwrap();
    let whole = document(&run(&training("whole", place, &[])));
    let mut child =
        command(&training("cut", place, &[])).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let checkpoint = out.path().join("cut/seed-1/checkpoint.bin");
    while !checkpoint.exists() && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // A training that is there is neither overwritten nor taken for finished.
    if !out.path().join("cut/seed-1/report.json").exists() {
        assert!(error(&run(&training("cut", place, &[]))).contains("--resume"));
    }
    let resumed = document(&run(&training("cut", place, &["--resume"])));
    assert_eq!(resumed["seeds"][0]["validation"], whole["seeds"][0]["validation"]);
    // What is finished is taken as it is, and only for the same settings.
    let again = document(&run(&training("cut", place, &["--resume"])));
    assert_eq!(again["seeds"][0]["validation"], whole["seeds"][0]["validation"]);
    let other = ["--resume", "--set", "policy.recipe.ppo.discount=0.5"];
    assert!(error(&run(&training("cut", place, &other))).contains("other settings"));
    let bytes =
        |name: &str| std::fs::read(out.path().join(name).join("seed-1/policy/agent.msgpack")).unwrap();
    assert_eq!(bytes("cut"), bytes("whole"));
    let lines = |name: &str| {
        let text = std::fs::read_to_string(out.path().join(name).join("seed-1/progress.jsonl")).unwrap();
        let told = |line: &str| {
            let mut value: Value = serde_json::from_str(line).unwrap();
            value["steps_per_second"] = Value::Null;
            value
        };
        text.lines().map(told).collect::<Vec<_>>()
    };
    assert_eq!(lines("cut"), lines("whole"));
}

#[test]
fn every_algorithm_can_be_named() {
    let out = tempfile::tempdir().unwrap();
    let place = out.path().to_str().unwrap();
    for (name, expected) in [("a2c", "a2c"), ("a2c-experience", "a2c"), ("dqn", "dqn")] {
        let set = ["--algorithm", name, "--set", "policy.recipe.dqn.learning_starts=256"];
        let report = document(&run(&training(name, place, &set)));
        assert_eq!(report["algorithm"].as_str(), Some(expected));
    }
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    let out = tempfile::tempdir().unwrap();
    let place = out.path().to_str().unwrap();
    for (more, words) in [
        (vec!["--algorithm", "sarsa"], vec!["sarsa", "ppo", "dqn"]),
        (vec!["--env", "windw=3"], vec!["windw"]),
        (vec!["--env", "window"], vec!["--env"]),
        (vec!["--set", "policy.environment.window=0"], vec!["window"]),
        (vec!["--set", "policy.fine_tuning={}"], vec!["inputs.source", "columns"]),
        (vec!["--series", "bybit-linear DOGE/USDT:USDT 5m"], vec!["DOGE"]),
        (vec!["--name", "../up"], vec!["--name"]),
    ] {
        let message = error(&run(&training("bad", place, &more)));
        assert!(words.iter().all(|word| message.contains(word)), "{more:?}: {message}");
    }
    assert!(!out.path().join("bad").exists());
    let none = run(&["--bundle", "candles", "--data", "candles", "--accept", "random-walk"]);
    assert!(error(&none).contains("bundle"));
    assert!(error(&run(&["evaluate", "--policy", "bundle", "--data", "candles"])).contains("train-rl"));
    let help = run(&["--help"]);
    assert!(help.status.success() && String::from_utf8(help.stdout).unwrap().contains("--algorithm"));
}
