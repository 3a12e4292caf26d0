//! `train-rl evaluate`

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{bail, ensure};
use command_line::{CommonArguments, Outcome};
use market_data::Timestamp;
use rl::Agent;
use serde::Serialize;
use sim::market_environment::{MarketEnvironmentConfig, MarketFrame, MarketFrames};
use sim::policy::{JudgedPlayer, Player, PlayerKind, PolicyBundle, judge_players};
use supervised::{CandleSource, Interval, Predictor};

use crate::configuration::Configuration;
use crate::{Input, data, report};

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) input: Input,

    /// Directories of policies, or of trainings (`out`/NAME), of which all seeds are taken
    #[arg(long, required = true, num_args = 1.., value_name = "DIR")]
    policy: Vec<PathBuf>,

    /// Trade only candles that open at this time or later
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,

    /// Trade only candles that open before this time
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,

    /// Trade candles of the training and validation time too; what they show is no skill
    #[arg(long)]
    seen: bool,
}

/// The document on stdout.
#[derive(Debug, Serialize)]
pub(crate) struct EvaluateReport {
    pub(crate) command: &'static str,
    pub(crate) series: Vec<String>,
    pub(crate) refused: Vec<(String, String)>,
    /// When the first decision was taken, and the last candle closed.
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) environment: MarketEnvironmentConfig,
    pub(crate) players: Vec<JudgedPlayer>,
}

pub(crate) fn run(
    arguments: &Arguments,
    configuration: &Configuration,
    common: &CommonArguments,
) -> anyhow::Result<Outcome> {
    ensure!(configuration.random_agents > 0, "random_agents = 0: give at least 1");
    let policies = read(&arguments.policy)?;
    let Some(first) = policies.first() else { bail!("--policy: there is no policy in these directories") };
    let (environment, inputs) = (&first.origin.config.environment, first.origin.config.inputs);
    for other in &policies {
        let config = &other.origin.config;
        ensure!(
            (&config.environment, config.inputs) == (environment, inputs)
                && other.predictor.bundle().origin.data_hash == first.predictor.bundle().origin.data_hash,
            "the policies {} and {} see or trade different markets; judge them one after the other",
            first.origin.name,
            other.origin.name
        );
    }
    let mut configuration = configuration.clone();
    configuration.policy.environment = environment.clone();
    let candles = data::read(&arguments.input, &configuration, &first.predictor, common)?;
    let frames = data::frames(inputs, &first.predictor, &candles, common)?;
    let span = span(arguments, first)?;
    let frames = data::within(&frames, &[span], environment.window);
    ensure!(
        !frames.is_empty(),
        "no candle lies from {} to {}; give later candles, or other --from and --to",
        span.from,
        span.to
    );
    let (from, until) = (edge(&frames, false), edge(&frames, true));
    let classes = classes(&first.predictor, &candles, environment.shorts)?;
    let keys = keys_of(&frames, &candles)?;
    let frames = Arc::new(MarketFrames::of_single(frames)?);
    let spinner = common.progress().spinner("play");
    let model = |portfolio: usize, row: usize| {
        let time = frames.portfolio(portfolio).first().and_then(|frame| frame.open_times.get(row));
        let classes = keys.get(portfolio).and_then(|key| classes.get(key));
        classes.zip(time).and_then(|(classes, time)| classes.get(time)).copied().unwrap_or(0.0)
    };
    let players = players(&policies, &model, configuration.random_agents, environment, &frames)?;
    spinner.finish();
    let report = EvaluateReport {
        command: "evaluate",
        series: candles.keys.iter().map(ToString::to_string).collect(),
        refused: candles.refused.clone(),
        from,
        until,
        environment: environment.clone(),
        players,
    };
    report::print_evaluation(&report, common)?;
    Ok(Outcome::finding_if(!report.refused.is_empty()))
}

fn players(
    policies: &[PolicyBundle],
    model: &dyn Fn(usize, usize) -> f64,
    random_agents: u64,
    environment: &MarketEnvironmentConfig,
    frames: &Arc<MarketFrames>,
) -> anyhow::Result<Vec<JudgedPlayer>> {
    let mut agents: BTreeMap<String, Vec<Box<dyn Agent>>> = BTreeMap::new();
    for policy in policies {
        let name = format!("{} ({})", policy.origin.name, policy.origin.config.recipe.algorithm);
        agents.entry(name).or_default().push(policy.agent()?);
    }
    let mut groups: Vec<(String, PlayerKind, Vec<Player<'_>>)> = Vec::new();
    for (name, agents) in &mut agents {
        let players = agents.iter_mut().map(|agent| Player::Agent(&mut **agent)).collect();
        groups.push((name.clone(), PlayerKind::Policy, players));
    }
    let random = (0..random_agents).map(Player::Random).collect();
    groups.push(("model alone".to_owned(), PlayerKind::Model, vec![Player::Scripted(model)]));
    groups.push(("buy and hold".to_owned(), PlayerKind::BuyAndHold, vec![Player::Constant(1.0)]));
    groups.push(("flat".to_owned(), PlayerKind::Flat, vec![Player::Constant(0.0)]));
    groups.push(("random".to_owned(), PlayerKind::Random, random));
    Ok(judge_players(environment, frames, groups)?)
}

/// Policies of directories, each a policy or a training with its seeds.
fn read(directories: &[PathBuf]) -> anyhow::Result<Vec<PolicyBundle>> {
    let mut policies = Vec::new();
    for directory in directories {
        if directory.join("policy.json").exists() {
            policies.push(PolicyBundle::read(directory)?);
            continue;
        }
        let mut seeds: Vec<(u64, PathBuf)> = Vec::new();
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let seed = name.strip_prefix("seed-").and_then(|seed| seed.parse().ok());
            if let Some(seed) = seed.filter(|_| entry.path().join("policy").exists()) {
                seeds.push((seed, entry.path().join("policy")));
            }
        }
        ensure!(
            !seeds.is_empty(),
            "{}: there is no policy in it; give a directory that train-rl wrote",
            directory.display()
        );
        seeds.sort();
        for (_, path) in seeds {
            policies.push(PolicyBundle::read(&path)?);
        }
    }
    Ok(policies)
}

/// The time to trade: after all that was learned or chosen from, unless asked otherwise.
fn span(arguments: &Arguments, policy: &PolicyBundle) -> anyhow::Result<Interval> {
    let origin = &policy.origin;
    let seen = origin.training.iter().chain(&origin.validation).map(|interval| interval.to).max();
    let to = arguments.to.unwrap_or(Timestamp::from_millis(i64::MAX));
    let from = match (arguments.from, seen) {
        (from, _) if arguments.seen => from.unwrap_or(Timestamp::from_millis(i64::MIN)),
        (Some(from), Some(seen)) if from < seen => {
            bail!(
                "--from {from} lies in the time that training or validation saw, up to {seen}; begin there, or add --seen"
            )
        }
        (from, seen) => from.or(seen).unwrap_or(Timestamp::from_millis(i64::MIN)),
    };
    ensure!(
        from < to,
        "--to {to} lies before {from}, up to which training and validation saw the candles; give a later time"
    );
    Ok(Interval { from, to })
}

fn edge(frames: &[MarketFrame], last: bool) -> Timestamp {
    let of = |frame: &MarketFrame| {
        let valid = |row: &usize| frame.valid.get(*row).copied().unwrap_or(true);
        let mut rows = 0..frame.len();
        let row = if last { rows.rfind(valid) } else { rows.find(valid) };
        row.map(|row| frame.open_times[row] + frame.candle_ms)
    };
    let all = frames.iter().filter_map(of);
    Timestamp::from_millis(if last { all.max() } else { all.min() }.unwrap_or(0))
}

/// What the model alone wants of each candle, by series and open time.
fn classes(
    predictor: &Predictor,
    candles: &CandleSource,
    shorts: bool,
) -> anyhow::Result<BTreeMap<String, BTreeMap<i64, f64>>> {
    let mut all = BTreeMap::new();
    for key in &candles.keys {
        let frame = candles.frame(key, &predictor.bundle().spec)?;
        let predicted = predictor.predict(&frame)?;
        let share = |class: usize| if shorts { class as f64 - 1.0 } else { (class as f64 - 1.0).max(0.0) };
        let of = |one: &supervised::Prediction| (one.open_time.as_millis(), share(one.class.index()));
        all.insert(key.to_string(), predicted.predictions.iter().map(of).collect());
    }
    Ok(all)
}

/// The series of each frame, told by its candles: frames keep their order, and those without a candle to trade are left out.
fn keys_of(frames: &[MarketFrame], candles: &CandleSource) -> anyhow::Result<Vec<String>> {
    let mut keys = Vec::new();
    let mut left = candles.keys.iter();
    for frame in frames {
        let holds = |key: &&market_data::SeriesKey| {
            let Ok(series) = candles.candles(key) else { return false };
            let Some(first) = frame.open_times.first() else { return false };
            let at = series.columns().open_time.partition_point(|time| time.as_millis() < *first);
            series.columns().close.get(at) == frame.prices.first().map(|prices| &prices.close)
                && series.columns().open_time.get(at).map(|time| time.as_millis()) == Some(*first)
        };
        let Some(key) = left.find(holds) else { bail!("a frame belongs to no series") };
        keys.push(key.to_string());
    }
    Ok(keys)
}
