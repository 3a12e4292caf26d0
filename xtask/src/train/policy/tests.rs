use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use clap::Parser;

use super::*;
use crate::train::device::DeviceName;
use crate::train::record::tests::example;
use crate::train::resume::Version;
use crate::train::{backtest, model, walk_forward};

#[derive(Debug, Parser)]
struct Program {
    #[command(flatten)]
    arguments: Arguments,
}

fn arguments(typed: &str) -> Arguments {
    let words = ["train"].into_iter().chain(typed.split_whitespace());
    Program::try_parse_from(words).unwrap().arguments
}

/// What `train-rl` writes, as far as this program reads it.
pub(in crate::train) fn training() -> Value {
    json!({
        "command": "train", "name": "policy", "directory": "artifacts/runs/x/policy", "algorithm": "ppo",
        "policy": "artifacts/runs/x/policy/seed-1/policy", "median_seed": 1, "model": "triple-barrier", "columns": 6,
        "seeds": [{
            "seed": 1, "policy": "artifacts/runs/x/policy/seed-1/policy", "steps": 98304, "steps_per_second": 20123.4,
            "validation": { "steps": 98304, "log_return": 0.01, "turnover": 0.02345, "best": true },
        }],
    })
}

fn bounds_of(low: f64, high: f64) -> Value {
    json!({ "estimate": f64::midpoint(low, high), "low": low, "high": high })
}

fn player(name: &str, kind: &str, mean: f64) -> Value {
    json!({
        "name": name, "kind": kind, "total_return": { "seeds": 1, "mean": mean, "standard_deviation": null },
        "maximum_drawdown": 0.05, "sharpe": 1.5, "daily": bounds_of(-0.001, 0.003),
        "daily_over_buy_and_hold": bounds_of(-0.002, 0.002), "turnover": 0.01, "fills": 120.0, "ended": 0,
    })
}

pub(in crate::train) fn evaluation() -> Value {
    let mut random = player("random", "random", -0.3);
    random["total_return"] = json!({ "seeds": 10, "mean": -0.3, "standard_deviation": 0.02 });
    let mut flat = player("flat", "flat", 0.0);
    flat["sharpe"] = Value::Null;
    flat["daily"] = Value::Null;
    let learned = player("policy (ppo)", "policy", 0.1);
    let model = player("model alone", "model", 0.2);
    json!({ "from": "A", "until": "B", "players": [learned, model, flat, random] })
}

#[test]
fn the_demo_is_short_and_everything_else_as_configured() {
    let words = |typed: &str| size_words(&arguments(typed)).join(" ");
    assert_eq!(
        words("--seed 3"),
        "--seeds 1 --seed 3 --set policy.recipe.ppo.total_steps=100000 --set policy.recipe.a2c.total_steps=100000 \
         --set policy.recipe.dqn.total_steps=100000"
    );
    assert_eq!(words("--data a.csv --seeds 4"), "--seeds 1 --seed 1");
    assert_eq!(words("--profile full"), "--seeds 1 --seed 1");
    let all = words("--data a.csv --policy-seeds 5 --policy-steps 7 --policy-algorithm a2c");
    assert!(all.starts_with("--seeds 5 --seed 1 --set policy.recipe.algorithm=a2c "), "{all}");
    assert!(all.contains("policy.recipe.a2c.total_steps=7"), "{all}");
    assert!(Program::try_parse_from(["train", "--policy-steps", "0"]).is_err());
    for algorithm in AlgorithmName::ALL {
        let typed = format!("--policy-algorithm {}", algorithm.word());
        assert_eq!(arguments(&typed).policy_algorithm, Some(algorithm));
    }
}

#[test]
fn one_series_of_spot_forbids_shorts_and_sets_the_fee() {
    let words = |series: &[&str]| {
        spot_words(&series.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).join(" ")
    };
    let expected = "--set policy.environment.shorts=false --set policy.environment.costs.taker_fee.from=0.001 \
                    --set policy.environment.costs.taker_fee.to=0.001";
    assert_eq!(words(&["bybit-linear BTC/USDT:USDT 5m", "cdd-usd-spot BTC/USD 1h"]), expected);
    assert_eq!(words(&["bybit-linear BTC/USDT:USDT 5m", "spot-linear SPOT/USDT:USDT 5m"]), "");
    assert_eq!(words(&[]), "");
}

#[test]
fn every_seed_and_every_player_is_shown() {
    let expected = "\
seed   steps  validation  turnover  steps/s  policy
   1  98,304     +1.01 %    0.0234   20,123  artifacts/runs/x/policy/seed-1/policy
ppo over the model triple-barrier; validation chose among the states of a training, so it is no estimate
policy: artifacts/runs/x/policy/seed-1/policy
";
    // 0.02345 lies a little below itself in binary; exp(0.01) − 1 = 0.010050.
    assert_eq!(training_text(&training()), expected);
    let expected = "\
player        seeds    return  deviation  drawdown  Sharpe                 daily, 95 %  over buy and hold, 95 %  turnover  trades
policy (ppo)      1  +10.00 %          -    5.00 %   +1.50  +0.100 (-0.100 to +0.300) %  +0.000 (-0.200 to +0.200) %    0.0100     120
model alone       1  +20.00 %          -    5.00 %   +1.50  +0.100 (-0.100 to +0.300) %  +0.000 (-0.200 to +0.200) %    0.0100     120
flat              1   +0.00 %          -    5.00 %       -                            -  +0.000 (-0.200 to +0.200) %    0.0100     120
random           10  -30.00 %    +2.00 %    5.00 %   +1.50  +0.100 (-0.100 to +0.300) %  +0.000 (-0.200 to +0.200) %    0.0100     120
played from A to B, which training and validation never saw; after costs
policy (ppo): no edge shown: its interval over buy and hold contains 0
";
    let squeezed = |text: &str| {
        text.lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n")
            .collect::<String>()
    };
    assert_eq!(squeezed(&evaluation_text(&evaluation())), squeezed(expected));
    let mut noted = evaluation();
    noted["funding"] = json!("No rates were given.");
    assert!(
        evaluation_text(&noted).contains("after costs\nnote: No rates were given.\npolicy (ppo): no edge")
    );
    // Documents of another form are no panic, and show no edge.
    let other = json!({ "players": [{ "kind": "policy" }], "seeds": [{}] });
    assert!(evaluation_text(&other).contains("no edge shown") && training_text(&other).contains("policy: -"));
}

#[test]
fn an_edge_needs_both_intervals_above_nothing() {
    let edge = |own: (f64, f64), over: (f64, f64)| {
        let mut one = player("p", "policy", 0.1);
        one["daily"] = bounds_of(own.0, own.1);
        one["daily_over_buy_and_hold"] = bounds_of(over.0, over.1);
        Edge::of(&one)
    };
    let (above, around, below) = ((0.001, 0.002), (-0.001, 0.001), (-0.002, -0.001));
    assert_eq!(edge(above, above), Edge::Shown);
    assert_eq!(edge(above, around), Edge::NoneShown);
    assert_eq!(edge(above, (0.0, 0.001)), Edge::NoneShown);
    assert_eq!(edge(around, above), Edge::OverBuyAndHoldOnly);
    assert_eq!(edge(around, around), Edge::NoneShown);
    assert_eq!(edge(around, below), Edge::BelowBuyAndHold);
    assert_eq!(edge(above, below), Edge::BelowBuyAndHold);
    assert_eq!(edge(below, above), Edge::Losing);
    let mut idle = player("p", "policy", 0.0);
    idle["fills"] = json!(0.0);
    assert_eq!(Edge::of(&idle), Edge::Idle);
    idle["fills"] = json!(3.0);
    idle["daily"] = Value::Null;
    assert_eq!(Edge::of(&idle), Edge::Unknown);
    for (own, over) in [(around, above), (above, around), (around, below), (below, above)] {
        assert!(edge(own, over).words().starts_with("no edge shown: "));
    }
    assert!(!Edge::Shown.words().contains("no edge"));
}

/// A program that notes its words in `NAME.words`, writes `NAME.json` (`NAME.evaluate.json` of its `evaluate`), and leaves with 2
/// where that is not there. A shell writes it: a file that this process had open to write could not be started while another
/// thread starts a program.
fn program(directory: &Path, name: &str) -> std::path::PathBuf {
    let path = directory.join(name);
    let script = "#!/bin/sh\necho \"$*\" >> \"$0.words\"\n\
                  case \"$1\" in evaluate) document=\"$0.evaluate.json\" ;; explain) exit 2 ;; *) document=\"$0.json\" ;; \
                  esac\ncat \"$document\" || exit 2\n";
    let mut shell = Command::new("sh");
    shell.args(["-c", "printf '%s' \"$1\" > \"$2\" && chmod +x \"$2\"", "sh", script]).arg(&path);
    assert!(shell.status().unwrap().success());
    path
}

/// The command lines that a program was given, with the name of the run's directory as RUN.
fn noted(run: &Run, directory: &Path, name: &str) -> Vec<String> {
    let made = run.directory.as_ref().unwrap().display().to_string();
    let text = fs::read_to_string(directory.join(format!("{name}.words"))).unwrap_or_default();
    text.lines().map(|line| line.replace(&made, "RUN")).collect()
}

fn with_programs(root: &Path, documents: &[(&str, Value)]) -> Run {
    for (file, document) in documents {
        fs::write(root.join(file), document.to_string()).unwrap();
    }
    let mut run = example(root);
    (run.policy, run.backtest, run.store) = (Policy::default(), Value::Null, "S".into());
    run.arguments.set = vec!["policy.environment.window=5".to_owned()];
    run.labels.series = vec!["bybit-linear A/USDT:USDT 5m".to_owned()];
    run.programs = ["train-rl", "train-supervised", "simulate"]
        .map(|name| (name, program(root, name)))
        .into_iter()
        .collect::<BTreeMap<_, _>>();
    run
}

#[test]
fn the_policy_is_trained_on_the_bundle_judged_and_traded() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let traded = json!({ "strategies": [{ "strategy": "policy", "promote": false, "report": "p.html" }] });
    let documents = [
        ("train-rl.json", training()),
        ("train-rl.evaluate.json", evaluation()),
        ("simulate.json", traded.clone()),
    ];
    let mut run = with_programs(root, &documents);
    assert_eq!((STAGE.run)(&mut run).unwrap(), Verdict::Fine);
    assert_eq!((run.policy.training.clone(), run.policy.evaluation.clone()), (training(), evaluation()));
    let common = "--output-format json --data S --series bybit-linear A/USDT:USDT 5m";
    let set = "--set policy.environment.window=5";
    assert_eq!(
        noted(&run, root, "train-rl"),
        [
            format!(
                "--verbose --bundle artifacts/runs/x/models/triple-barrier/bundle --name policy --out RUN --seeds 1 \
                 --seed 1 {common} {set}"
            ),
            format!("evaluate --policy artifacts/runs/x/policy {common} {set}"),
        ]
    );
    assert_eq!((backtest::STAGE.run)(&mut run).unwrap(), Verdict::Fine);
    assert_eq!(
        noted(&run, root, "simulate"),
        [format!(
            "--policy artifacts/runs/x/policy/seed-1/policy --strategy classic,model,policy,hybrid --out RUN/backtest \
             {common}"
        )]
    );
    assert_eq!((&run.backtest, backtest::report(&run)), (&traded, Some("p.html")));
}

#[test]
fn without_a_policy_the_model_is_traded_and_the_run_says_so() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let mut run = with_programs(root, &[("simulate.json", json!({ "strategies": [] }))]);
    assert_eq!((STAGE.run)(&mut run).unwrap(), Verdict::Error);
    assert_eq!((run.policy.directory(), record(&run)), (None, Value::Null));
    (backtest::STAGE.run)(&mut run).unwrap();
    let traded = noted(&run, root, "simulate").concat();
    assert!(
        traded
            .starts_with("--bundle artifacts/runs/x/models/triple-barrier/bundle --strategy hybrid,classic ")
    );
    // A policy that could not be judged is traded all the same, and is no success.
    let mut run = with_programs(root, &[("train-rl.json", training())]);
    assert_eq!((STAGE.run)(&mut run).unwrap(), Verdict::Error);
    assert_eq!(run.policy.directory(), training()["policy"].as_str());
    assert_eq!(record(&run)["edge"], Value::Null);
    // Without a model nothing is started.
    run.model.training = Value::Null;
    run.programs.clear();
    assert_eq!((STAGE.run)(&mut run).unwrap(), Verdict::Fine);
}

#[test]
fn programs_go_on_where_their_stage_does_and_are_told_of_the_device_before_the_user_s_settings() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let mut run = with_programs(root, &[("train-rl.json", training()), ("train-supervised.json", json!({}))]);
    run.labels.labeler = Some("labeler.toml".into());
    run.arguments.device = DeviceName::Cuda;
    run.arguments.set = vec!["device=flex".to_owned()];
    for goes_on in [false, true] {
        let bundle = run.model.training.clone();
        run.goes_on = goes_on;
        (model::STAGE.run)(&mut run).unwrap();
        run.model.training = bundle;
        _ = (STAGE.run)(&mut run).unwrap();
        for name in ["train-supervised", "train-rl"] {
            let lines = noted(&run, root, name);
            let line = lines.iter().rfind(|line| !line.starts_with("evaluate")).unwrap();
            assert_eq!(line.contains(" --resume "), goes_on, "{line}");
            assert!(name == "train-rl" || line.ends_with(" --set device=gpu --set device=flex"), "{line}");
        }
    }
}

#[test]
fn the_model_is_trained_anew_in_each_fold_where_there_is_one() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let traded = json!({ "strategies": [{ "strategy": "hybrid", "promote": false, "report": "w.html", "folds": [{}] }] });
    let mut run = with_programs(root, &[("simulate.json", traded.clone())]);
    run.labels.series = vec!["bybit-linear BTC/USDT:USDT 5m".to_owned()];
    run.arguments.set = vec!["walk_forward.anchored=false".to_owned()];
    let with_days = |run: &mut Run, train_days: u32| {
        let values = [("walk_forward.train_days", train_days), ("walk_forward.test_days", 30)];
        let values = values.map(|(key, days)| (key.to_owned(), json!(days))).into_iter().collect();
        run.versions.insert("simulate", Version { bytes: String::new(), settings: String::new(), values });
        (walk_forward::STAGE.run)(run).unwrap()
    };
    // The candles span 198 days; too few of them are no fault.
    assert_eq!(with_days(&mut run, 169), Verdict::Fine);
    assert_eq!((noted_if_any(root, "simulate"), &run.walk_forward), (0, &Value::Null));
    assert_eq!(with_days(&mut run, 168), Verdict::Fine);
    assert_eq!(
        noted(&run, root, "simulate"),
        [
            "--walk-forward --strategy hybrid,classic --verbose --bundle artifacts/runs/x/models/triple-barrier/bundle \
             --out RUN/walk-forward --output-format json --data S --series bybit-linear BTC/USDT:USDT 5m \
             --set walk_forward.anchored=false"
        ]
    );
    assert_eq!((&run.walk_forward, walk_forward::report(&run)), (&traded, Some("w.html")));
    assert_eq!(walk_forward::record(&run)["folds"], 1);
    run.arguments.no_walk_forward = true;
    assert_eq!(with_days(&mut run, 168), Verdict::Fine);
    assert_eq!((noted_if_any(root, "simulate"), &run.walk_forward), (1, &Value::Null));
    // The demo has shorter folds; what the user sets comes later, and wins.
    (run.arguments.no_walk_forward, run.arguments.data) = (false, Vec::new());
    with_days(&mut run, 90);
    let line = noted(&run, root, "simulate").pop().unwrap();
    assert!(
        line.contains(" --set walk_forward.test_days=27 ")
            && line.ends_with(" --set walk_forward.anchored=false")
    );
    // Settings of markets made from the candles are for something only where these are asked for.
    run.arguments.set = vec!["candle_monte_carlo.paths=7".to_owned()];
    let values = [("candle_monte_carlo.paths".to_owned(), json!(7))].into_iter().collect();
    run.versions.insert("simulate", Version { bytes: String::new(), settings: String::new(), values });
    (backtest::STAGE.run)(&mut run).unwrap();
    assert!(noted(&run, root, "simulate").pop().unwrap().contains(" --candle-paths 7 "));
}

fn noted_if_any(directory: &Path, name: &str) -> usize {
    fs::read_to_string(directory.join(format!("{name}.words"))).unwrap_or_default().lines().count()
}
