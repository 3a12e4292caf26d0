//! `train-rl evaluate`

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use command_line::{CommonArguments, Outcome};
use market_data::Timestamp;
use rl::Agent;
use serde::Serialize;
use sim::market_environment::{CostRange, MarketEnvironmentConfig, MarketFrame, MarketFrames};
use sim::policy::{JudgedPlayer, Player, PlayerKind, PolicyBundle, SeriesFrame, judge_players};
use supervised::{CandleSource, Predictor, TimeRange};

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

    /// Another fee than the policies were trained with, as a fraction of notional; other settings of their market stay
    #[arg(long, value_name = "FRACTION")]
    taker_fee: Option<f64>,

    /// Another slippage than the policies were trained with, as a fraction of the price
    #[arg(long, value_name = "FRACTION")]
    slippage: Option<f64>,
}

/// The document on stdout.
#[derive(Debug, Serialize)]
pub(crate) struct EvaluateReport {
    pub(crate) command: &'static str,
    pub(crate) series: Vec<String>,
    pub(crate) refused: Vec<(String, String)>,
    /// What there is to say of funding.
    pub(crate) funding: Option<String>,
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
    let groups = read(&arguments.policy)?;
    let policies = || groups.iter().flat_map(|(_, policies)| policies);
    let Some(first) = policies().next() else { bail!("--policy: there is no policy in these directories") };
    let (mut environment, inputs) = (first.origin.config.environment.clone(), first.origin.config.inputs);
    for other in policies() {
        let config = &other.origin.config;
        ensure!(
            (&config.environment, config.inputs) == (&environment, inputs)
                && other.origin.model == first.origin.model,
            "the policies {} and {} stand on other models, or trade by other rules; judge them one after the other",
            first.origin.name,
            other.origin.name
        );
    }
    let costs = [
        (arguments.taker_fee, &mut environment.costs.taker_fee),
        (arguments.slippage, &mut environment.costs.slippage),
    ];
    for (given, cost) in costs {
        *cost = given.map_or(*cost, CostRange::fixed);
    }
    environment.validate()?;
    let candles = data::read(&arguments.input, configuration, &first.predictor, common)?;
    data::check(&candles, environment.shorts, "the policy was trained to sell short; give perpetuals")?;
    let frames = data::frames(inputs, &first.predictor, &candles, common)?;
    let span = span(arguments, policies())?;
    let frames = data::within(&frames, &[span], environment.window);
    ensure!(
        !frames.is_empty(),
        "no candle {}can be traded at or after {}, or fewer than `policy.environment.window` = {}; give later candles, or other --from \
         and --to",
        arguments.to.map_or_else(String::new, |to| format!("before {to} ")),
        span.from,
        environment.window
    );
    let (from, until) = edges(&frames, environment.window);
    let classes = classes(&first.predictor, &candles, environment.shorts)?;
    let (keys, frames): (Vec<String>, Vec<MarketFrame>) =
        frames.into_iter().map(|one| (one.key.to_string(), one.frame)).unzip();
    let frames = Arc::new(MarketFrames::of_single(frames)?);
    let spinner = common.progress().spinner("play");
    let model = |portfolio: usize, row: usize| {
        let time = frames.portfolio(portfolio).first().and_then(|frame| frame.open_times.get(row));
        let classes = keys.get(portfolio).and_then(|key| classes.get(key));
        classes.zip(time).and_then(|(classes, time)| classes.get(time)).copied().unwrap_or(0.0)
    };
    let players = players(&groups, &model, configuration.random_agents, &environment, &frames)?;
    spinner.finish();
    let report = EvaluateReport {
        command: "evaluate",
        series: keys.iter().collect::<BTreeSet<_>>().into_iter().cloned().collect(),
        funding: data::funding_note(&candles)?,
        refused: candles.refused.clone(),
        from,
        until,
        environment,
        players,
    };
    report::print_evaluation(&report, common)?;
    Ok(Outcome::finding_if(!report.refused.is_empty()))
}

fn players(
    policies: &[(String, Vec<PolicyBundle>)],
    model: &dyn Fn(usize, usize) -> f64,
    random_agents: u64,
    environment: &MarketEnvironmentConfig,
    frames: &Arc<MarketFrames>,
) -> anyhow::Result<Vec<JudgedPlayer>> {
    let mut agents: Vec<(String, Vec<Box<dyn Agent>>)> = Vec::new();
    for (name, seeds) in policies {
        let seeds = seeds.iter().map(PolicyBundle::agent).collect::<Result<_, _>>()?;
        agents.push((name.clone(), seeds));
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

/// Policies of directories, each a policy or a training with its seeds, by name.
fn read(directories: &[PathBuf]) -> anyhow::Result<Vec<(String, Vec<PolicyBundle>)>> {
    let mut groups: Vec<(String, Vec<PolicyBundle>)> = Vec::new();
    for directory in directories {
        let mut paths: Vec<(u64, PathBuf)> = Vec::new();
        if directory.join("policy.json").exists() {
            paths.push((0, directory.clone()));
        }
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let seed = name.strip_prefix("seed-").and_then(|seed| seed.parse().ok());
            if let Some(seed) = seed.filter(|_| entry.path().join("policy").exists()) {
                paths.push((seed, entry.path().join("policy")));
            }
        }
        ensure!(
            !paths.is_empty(),
            "{}: there is no policy in it; give a directory that train-rl wrote",
            directory.display()
        );
        paths.sort();
        let policies =
            paths.iter().map(|(_, path)| PolicyBundle::read(path)).collect::<Result<Vec<_>, _>>()?;
        let origin = policies.first().map(|policy| &policy.origin).context("a policy was read")?;
        let mut name = format!("{} ({})", origin.name, origin.config.recipe.algorithm);
        if groups.iter().any(|(known, _)| *known == name) {
            name = format!("{name} {}", directory.display());
        }
        groups.push((name, policies));
    }
    Ok(groups)
}

/// The time to trade: after all that was learned or chosen from, unless asked otherwise.
fn span<'a>(
    arguments: &Arguments,
    policies: impl Iterator<Item = &'a PolicyBundle>,
) -> anyhow::Result<TimeRange> {
    let seen = policies.flat_map(|policy| policy.origin.training.iter().chain(&policy.origin.validation));
    let seen = seen.map(|interval| interval.to).max();
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
    Ok(TimeRange { from, to })
}

/// When the first decision is taken, and when the last candle closes.
fn edges(frames: &[SeriesFrame], window: usize) -> (Timestamp, Timestamp) {
    let closes = |one: &SeriesFrame| {
        let frame = &one.frame;
        let rows = (0..frame.len()).filter(|row| frame.valid.get(*row).copied().unwrap_or(true));
        rows.map(|row| frame.open_times[row] + frame.candle_ms).collect::<Vec<_>>()
    };
    let all: Vec<Vec<i64>> = frames.iter().map(closes).collect();
    let first = all.iter().filter_map(|closes| closes.get(window.saturating_sub(1))).min();
    let last = all.iter().filter_map(|closes| closes.last()).max();
    let time = |of: Option<&i64>| Timestamp::from_millis(of.copied().unwrap_or(0));
    (time(first), time(last))
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
