//! RL fine-tuning: trains a policy over the run's model, through `train-rl`, and sets it beside the model alone, buy and
//! hold, nothing and random actions on the time that was held out. A policy that earns nothing is no fault of the run; it
//! is said in words.

use std::ffi::OsString;

use anyhow::Result;
use clap::ValueEnum;
use serde_json::{Value, json};

use super::model::{bundle_files, commit};
use super::resume::{Kept, Reads};
use super::summary::grouped;
use super::{Arguments, Run, Stage, print};
use crate::say;
use crate::table::table;
use crate::verdict::Verdict;

pub(super) const STAGE: Stage = Stage { name: "policy", run, kept: Some(KEPT) };

const KEPT: Kept = Kept {
    reads: |run| Reads {
        programs: &[PROGRAM],
        words: [size_words(&run.arguments), spot_words(&run.labels.series)].concat(),
        files: bundle_files(run),
    },
    writes: &[NAME],
    goes_on: true,
    save: |run| json!({ "training": run.policy.training, "evaluation": run.policy.evaluation }),
    restore: |run, mut result| {
        let (training, evaluation) = (result["training"].take(), result["evaluation"].take());
        run.policy = Policy { training, evaluation };
        Ok(())
    },
};

const PROGRAM: &str = "train-rl";
/// The directory of the policy in that of the run.
const NAME: &str = "policy";
/// Steps on the synthetic market of the demo: a few seconds.
const DEMO_STEPS: u64 = 100_000;
/// What a trade on spot costs: the default of `costs.spot_taker_fee`, by which `simulate` trades the policy afterwards.
const SPOT_TAKER_FEE: &str = "0.001";

/// Who learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum AlgorithmName {
    /// Proximal policy optimisation
    Ppo,
    /// Advantage actor-critic
    A2c,
    /// Deep Q-networks
    Dqn,
}

impl AlgorithmName {
    const ALL: [Self; 3] = [Self::Ppo, Self::A2c, Self::Dqn];

    /// As the configuration of `train-rl` has it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ppo => "ppo",
            Self::A2c => "a2c",
            Self::Dqn => "dqn",
        }
    }
}

/// What this stage leaves behind.
#[derive(Debug, Default)]
pub(super) struct Policy {
    /// What `train-rl` wrote.
    pub(super) training: Value,
    /// What `train-rl evaluate` wrote.
    pub(super) evaluation: Value,
}

impl Policy {
    /// The policy of the seed in the middle, which is the one that is traded.
    pub(super) fn directory(&self) -> Option<&str> {
        self.training["policy"].as_str()
    }
}

fn run(run: &mut Run) -> Result<Verdict> {
    let Some(bundle) = run.model.training["bundle"].as_str().map(str::to_owned) else {
        say("no model, no policy");
        return Ok(Verdict::Fine);
    };
    let mut words = ["--verbose", "--bundle", &bundle, "--name", NAME, "--out"].map(OsString::from).to_vec();
    words.push(run.directory()?.into());
    words.extend(size_words(&run.arguments).into_iter().map(OsString::from));
    words.extend(spot_words(&run.labels.series).into_iter().map(OsString::from));
    if let Some(commit) = commit(&run.workspace.root) {
        words.extend(["--commit".into(), commit.into()]);
    }
    if run.goes_on {
        words.push("--resume".into());
    }
    let (training, verdict) = run.call(PROGRAM, &words, &run.labels.series)?;
    run.policy.training = training;
    let Some(directory) = run.policy.training["directory"].as_str().map(str::to_owned) else {
        say(&format!("{PROGRAM} trained no policy; its own message stands above"));
        return Ok(verdict);
    };
    print(&training_text(&run.policy.training))?;
    // All seeds are judged together, from where the model's training and validation end: what the backtest trades, too.
    let words = ["evaluate", "--policy", &directory].map(OsString::from);
    let (evaluation, judged) = run.call(PROGRAM, &words, &run.labels.series)?;
    run.policy.evaluation = evaluation;
    if run.policy.evaluation.is_null() {
        say(&format!("{PROGRAM} could not judge the policy; its own message stands above"));
        return Ok(verdict.max(judged));
    }
    print(&evaluation_text(&run.policy.evaluation))?;
    if run.arguments.is_demo() {
        print("the signal was planted: what is earned here is earned nowhere else\n")?;
    }
    Ok(verdict.max(judged))
}

/// How much is trained. What the user sets comes later on the command line, and wins; it would not win over `--steps` and
/// `--algorithm`.
fn size_words(arguments: &Arguments) -> Vec<String> {
    let mut words = vec!["--seeds".to_owned(), arguments.policy_seeds.to_string()];
    words.extend(["--seed".to_owned(), arguments.seed.to_string()]);
    if let Some(algorithm) = arguments.policy_algorithm {
        words.extend(["--set".to_owned(), format!("policy.recipe.algorithm={}", algorithm.word())]);
    }
    if let Some(steps) = arguments.policy_steps.or(arguments.is_demo().then_some(DEMO_STEPS)) {
        // Which of them learns is known only when all settings are read; the others' sections are not.
        for algorithm in AlgorithmName::ALL {
            let key = format!("policy.recipe.{}.total_steps={steps}", algorithm.word());
            words.extend(["--set".to_owned(), key]);
        }
    }
    words
}

/// Nothing can be sold short on spot, and a trade costs more there. One policy is trained for all series, so that one series
/// of spot decides.
fn spot_words(series: &[String]) -> Vec<String> {
    let is_spot =
        |name: &String| name.split(' ').next().is_some_and(|venue| venue.rsplit('-').next() == Some("spot"));
    if !series.iter().any(is_spot) {
        return Vec::new();
    }
    let fee = |end: &str| format!("policy.environment.costs.taker_fee.{end}={SPOT_TAKER_FEE}");
    let settings = ["policy.environment.shorts=false".to_owned(), fee("from"), fee("to")];
    settings.into_iter().flat_map(|setting| ["--set".to_owned(), setting]).collect()
}

/// What each seed gave, and where the policy is.
fn training_text(document: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let mut rows = Vec::new();
    for seed in items(&document["seeds"]) {
        let validation = &seed["validation"];
        rows.push([
            seed["seed"].to_string(),
            seed["steps"].as_u64().map_or("-".to_owned(), grouped),
            percent(validation["log_return"].as_f64().map(f64::exp_m1)),
            figure(&validation["turnover"], 4),
            seed["steps_per_second"].as_f64().map_or("-".to_owned(), |speed| grouped(speed.round() as u64)),
            text(&seed["policy"]),
        ]);
    }
    let header = ["seed", "steps", "validation", "turnover", "steps/s", "policy"];
    let mut said = table(header, &[0, 1, 2, 3, 4], &rows);
    said += &format!("{} over the model {}", text(&document["algorithm"]), text(&document["model"]));
    said += "; validation chose among the states of a training, so it is no estimate\n";
    said + &format!("policy: {}\n", text(&document["policy"]))
}

/// All players as a table, and in words whether the policy has an edge.
fn evaluation_text(document: &Value) -> String {
    let mut rows = Vec::new();
    for player in items(&document["players"]) {
        let total = &player["total_return"];
        rows.push([
            player["name"].as_str().unwrap_or("-").to_owned(),
            total["seeds"].as_u64().map_or("-".to_owned(), grouped),
            percent(total["mean"].as_f64()),
            percent(total["standard_deviation"].as_f64()),
            player["maximum_drawdown"]
                .as_f64()
                .map_or("-".to_owned(), |depth| format!("{:.2} %", 100.0 * depth)),
            player["sharpe"].as_f64().map_or("-".to_owned(), |sharpe| format!("{sharpe:+.2}")),
            interval(&player["daily"]),
            interval(&player["daily_over_buy_and_hold"]),
            figure(&player["turnover"], 4),
            figure(&player["fills"], 0),
        ]);
    }
    let header = [
        "player",
        "seeds",
        "return",
        "deviation",
        "drawdown",
        "Sharpe",
        "daily, 95 %",
        "over buy and hold, 95 %",
        "turnover",
        "trades",
    ];
    let mut text = table(header, &[1, 2, 3, 4, 5, 6, 7, 8, 9], &rows);
    let time = |end: &str| document[end].as_str().unwrap_or("?").to_owned();
    text += &format!(
        "played from {} to {}, which training and validation never saw; after costs\n",
        time("from"),
        time("until")
    );
    if let Some(note) = document["funding"].as_str() {
        text += &format!("note: {note}\n");
    }
    for player in items(&document["players"]).iter().filter(|player| player["kind"] == "policy") {
        let (name, said) = (player["name"].as_str().unwrap_or("-"), Edge::of(player).words());
        text += &format!("{name}: {said}\n");
    }
    text
}

/// What the intervals say of a policy after costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    /// It earned more than nothing, and more than buy and hold.
    Shown,
    /// It earned more than buy and hold, which doing nothing may have done, too.
    OverBuyAndHoldOnly,
    /// Its interval over buy and hold contains 0.
    NoneShown,
    /// It earned less than buy and hold.
    BelowBuyAndHold,
    /// It lost money, whatever buy and hold did.
    Losing,
    /// It never traded.
    Idle,
    /// Too few days for an interval.
    Unknown,
}

impl Edge {
    fn of(player: &Value) -> Self {
        if player["fills"].as_f64() == Some(0.0) {
            return Self::Idle;
        }
        let (Some(own), Some(over)) = (bounds(&player["daily"]), bounds(&player["daily_over_buy_and_hold"]))
        else {
            return Self::Unknown;
        };
        match (own, over) {
            ((_, high), _) if high < 0.0 => Self::Losing,
            (_, (_, high)) if high < 0.0 => Self::BelowBuyAndHold,
            (_, (low, _)) if low <= 0.0 => Self::NoneShown,
            ((low, _), _) if low <= 0.0 => Self::OverBuyAndHoldOnly,
            _ => Self::Shown,
        }
    }

    /// In the record.
    const fn word(self) -> &'static str {
        match self {
            Self::Shown => "shown",
            Self::OverBuyAndHoldOnly => "over-buy-and-hold-only",
            Self::NoneShown => "none-shown",
            Self::BelowBuyAndHold => "below-buy-and-hold",
            Self::Losing => "losing",
            Self::Idle => "idle",
            Self::Unknown => "unknown",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Shown => {
                "its daily return lies above 0 and above buy and hold, by both intervals; it is one stretch of time, and the \
                 gate of the backtest decides"
            }
            Self::OverBuyAndHoldOnly => {
                "no edge shown: it did better than buy and hold, but its own daily return cannot be told from 0"
            }
            Self::NoneShown => "no edge shown: its interval over buy and hold contains 0",
            Self::BelowBuyAndHold => "no edge shown: it earned less than buy and hold; do not trade it",
            Self::Losing => "no edge shown: it loses money after costs; do not trade it",
            Self::Idle => "no edge shown: it never traded",
            Self::Unknown => "no edge shown: its returns are too few, or vary too little, for an interval",
        }
    }
}

fn bounds(interval: &Value) -> Option<(f64, f64)> {
    Some((interval["low"].as_f64()?, interval["high"].as_f64()?))
}

fn interval(value: &Value) -> String {
    let (Some(estimate), Some((low, high))) = (value["estimate"].as_f64(), bounds(value)) else {
        return "-".to_owned();
    };
    // Daily returns are small.
    let share = |value: f64| format!("{:+.3}", 100.0 * value);
    format!("{} ({} to {}) %", share(estimate), share(low), share(high))
}

fn percent(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{:+.2} %", 100.0 * value))
}

fn figure(value: &Value, digits: usize) -> String {
    value.as_f64().map_or("-".to_owned(), |value| format!("{value:.digits$}"))
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// What the record says of the policy; the whole lies beside it.
pub(super) fn record(run: &Run) -> Value {
    let Policy { training, evaluation } = &run.policy;
    if training.is_null() {
        return Value::Null;
    }
    let players: Vec<Value> = items(&evaluation["players"])
        .iter()
        .map(|player| {
            let mut kept = json!({});
            for field in [
                "name",
                "kind",
                "total_return",
                "maximum_drawdown",
                "sharpe",
                "daily",
                "daily_over_buy_and_hold",
                "turnover",
                "fills",
                "ended",
            ] {
                kept[field] = player[field].clone();
            }
            kept
        })
        .collect();
    let policy = items(&evaluation["players"]).iter().find(|player| player["kind"] == "policy");
    json!({
        "name": training["name"], "algorithm": training["algorithm"], "policy": training["policy"],
        "median_seed": training["median_seed"], "columns": training["columns"], "seeds": training["seeds"],
        "from": evaluation["from"], "until": evaluation["until"], "players": players,
        "edge": policy.map(|player| Edge::of(player).word()),
    })
}

#[cfg(test)]
pub(super) mod tests;
