//! `cargo xtask train`: the main job, stage by stage.
//!
//! A stage is a file in `train/` with one constant [`Stage`]; it takes what earlier stages left in
//! [`Run`] and leaves its own results there. A new stage is added to [`STAGES`], before `record`. A stage with [`Kept`] is
//! passed over by `--resume` where it is done for the same inputs.

mod backtest;
mod build;
mod content;
mod data;
mod device;
mod evaluation;
mod features;
mod identifier;
mod labels;
mod ledger;
mod model;
mod outcome;
mod policy;
mod program;
mod record;
mod report;
mod resume;
mod settings;
mod summary;
mod thresholds;
mod walk_forward;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::Serialize;

use crate::say;
use crate::verdict::Verdict;
use crate::workspace::Workspace;
pub(crate) use build::programs;
use ledger::Ledger;
use report::Report;
use resume::{Kept, Version};

/// In the order in which they run. `record` comes last: it writes down what the others found.
const STAGES: &[Stage] = &[
    build::STAGE,
    settings::STAGE,
    data::STAGE,
    summary::STAGE,
    features::STAGE,
    thresholds::STAGE,
    labels::STAGE,
    model::STAGE,
    evaluation::STAGE,
    policy::STAGE,
    backtest::STAGE,
    walk_forward::STAGE,
    record::STAGE,
];

/// A step of the main job.
struct Stage {
    name: &'static str,
    /// An error ends the run; a verdict does not.
    run: fn(&mut Run) -> Result<Verdict>,
    /// What it reads and leaves; none for a stage that runs every time.
    kept: Option<Kept>,
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Candle files to learn from; without them a synthetic market is generated
    #[arg(long, num_args = 1.., value_name = "PATH")]
    data: Vec<PathBuf>,

    /// How much work to do: the size of the synthetic market, and whether it is trained on only shortly (demo)
    #[arg(long, value_enum, default_value_t)]
    profile: Profile,

    /// Where the candles are stored [default: datasets/store, or a place of its own in
    /// datasets/synthetic for each synthetic market]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,

    /// Take up a run that was interrupted or failed, the newest of these arguments or the one named, and skip each stage
    /// that is done for the same inputs
    #[arg(long, num_args = 0..=1, default_missing_value = resume::NEWEST, value_name = "RUN_ID")]
    resume: Option<String>,

    /// What computes the networks; for cuda the programs are built with that feature
    #[arg(long, value_enum, default_value_t)]
    device: device::DeviceName,

    /// Leave out the stage that trains the model anew for each stretch of time
    #[arg(long)]
    no_walk_forward: bool,

    /// The seed of everything that is random
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Accept this kind of finding in the files; given to `data-loader import`; repeatable
    #[arg(long, value_name = "FINDING", requires = "data")]
    accept: Vec<String>,

    /// What to do about bad rows (reject, drop, keep-first); given to `data-loader import`
    #[arg(long, value_name = "POLICY", requires = "data")]
    findings: Option<String>,

    /// How the candles are labelled
    #[arg(long, value_enum, default_value_t)]
    labeler: thresholds::LabelerName,

    /// How far ahead labels look, in candles [default: that of config/optimize-labels.toml, or 12]
    #[arg(long, value_name = "N")]
    horizon: Option<u32>,

    /// Shares of sell, hold and buy to find thresholds for [default: that of config/optimize-labels.toml, or
    /// 0.33,0.34,0.33]
    #[arg(long, value_name = "SHARES")]
    target: Option<String>,

    /// How many models are trained, with seeds that count up from --seed
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    seeds: u32,

    /// How often all training labels are seen [default: 4 on the synthetic market of the demo, else that of
    /// config/train-supervised.toml, or 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    epochs: Option<u32>,

    /// Who learns the policy that stands on the model [default: that of config/train-rl.toml, or ppo]
    #[arg(long, value_enum, value_name = "NAME")]
    policy_algorithm: Option<policy::AlgorithmName>,

    /// How many policies are trained, with seeds that count up from --seed
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    policy_seeds: u32,

    /// Steps of all environments together for which a policy learns [default: 100000 on the synthetic market of
    /// the demo, else those of config/train-rl.toml, or 500000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    policy_steps: Option<u64>,

    /// Simpler models that are set beside it, by name, comma-separated: `none`, `all`, or some of those that
    /// `train-supervised --baselines` knows
    #[arg(
        long,
        default_value = "stratified-random,logistic-regression,gradient-boosting",
        value_name = "MODELS"
    )]
    baselines: String,

    /// Set one configuration value of the programs (import.…, features.…, split.…, supervised.…, …); it reaches
    /// every program that has the section; repeatable
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Profile {
    /// 4 symbols of 50,000 candles with a planted signal, so that there is something to find; few epochs
    #[default]
    Demo,
    /// 12 symbols of 200,000 candles, in which there is next to nothing to find, as in a real market
    Standard,
    /// 24 symbols of 500,000 candles of the same kind
    Full,
}

impl Profile {
    const fn name(self) -> &'static str {
        match self {
            Self::Demo => "demo",
            Self::Standard => "standard",
            Self::Full => "full",
        }
    }

    /// The law of the synthetic market, as `data-loader generate --model` takes it.
    const fn market(self) -> &'static str {
        match self {
            Self::Demo => "planted",
            Self::Standard | Self::Full => "regime",
        }
    }

    const fn symbols(self) -> u32 {
        match self {
            Self::Demo => 4,
            Self::Standard => 12,
            Self::Full => 24,
        }
    }

    /// Candles per symbol.
    const fn candles(self) -> u32 {
        match self {
            Self::Demo => 50_000,
            Self::Standard => 200_000,
            Self::Full => 500_000,
        }
    }
}

/// What the stages share.
struct Run {
    workspace: Workspace,
    arguments: Arguments,
    started: std::time::SystemTime,
    /// Where the candles are, relative to the root of the clone unless the user named another place.
    store: PathBuf,
    /// The programs that were built, by name.
    programs: BTreeMap<&'static str, PathBuf>,
    /// The programs as they stand, and their settings in force, by name.
    versions: BTreeMap<&'static str, Version>,
    /// A hash of the arguments, by which `--resume` knows a run.
    identity: String,
    /// A hash of what the store holds; none where it could not be told.
    candles: Option<String>,
    data: Option<Data>,
    /// What the features stage reports.
    features: Option<serde_json::Value>,
    labels: thresholds::Labels,
    model: model::Model,
    policy: policy::Policy,
    /// What `simulate` says.
    backtest: serde_json::Value,
    /// What `simulate --walk-forward` says.
    walk_forward: serde_json::Value,
    /// What stages were given and left, from the first of them that is kept.
    ledger: Option<Ledger>,
    /// Whether the stage that runs was interrupted or failed before on the same inputs, so that its program may go on.
    goes_on: bool,
    /// Where the record of this run goes, relative to the root of the clone; made when first needed.
    directory: Option<PathBuf>,
    /// What has run so far, for the record.
    stages: Vec<Finished>,
}

/// What the data stage leaves behind.
struct Data {
    report: Report,
    /// The report as `data-loader` wrote it, with all that this program does not read.
    document: serde_json::Value,
}

#[derive(Debug, Serialize)]
struct Finished {
    name: &'static str,
    /// Of a stage that was skipped, those that it took when it ran.
    seconds: f64,
    verdict: Verdict,
    skipped: bool,
}

pub(crate) fn train(workspace: &Workspace, arguments: Arguments) -> Result<Verdict> {
    let store = store(workspace, &arguments);
    let mut run = Run {
        identity: resume::identity(workspace, &arguments, &store),
        store,
        workspace: workspace.clone(),
        arguments,
        started: std::time::SystemTime::now(),
        programs: BTreeMap::new(),
        versions: BTreeMap::new(),
        candles: None,
        data: None,
        features: None,
        labels: thresholds::Labels::default(),
        model: model::Model::default(),
        policy: policy::Policy::default(),
        backtest: serde_json::Value::Null,
        walk_forward: serde_json::Value::Null,
        ledger: None,
        goes_on: false,
        directory: None,
        stages: Vec::new(),
    };
    run.arguments.check_settings()?;
    run.take_up()?;
    for stage in STAGES {
        say(&format!("== {}", stage.name));
        let finished = run.step(stage).with_context(|| format!("stage `{}`", stage.name))?;
        run.stages.push(finished);
    }
    Ok(run.verdict())
}

/// Each synthetic market has a store of its own: another seed or size gives other candles for the
/// same symbols and times, and they must not meet.
fn store(workspace: &Workspace, arguments: &Arguments) -> PathBuf {
    match &arguments.store {
        Some(store) => workspace.user_path(store),
        None if arguments.data.is_empty() => {
            let Arguments { profile, seed, .. } = arguments;
            PathBuf::from(format!("datasets/synthetic/{}-{}-seed-{seed}", profile.market(), profile.name()))
        }
        None => PathBuf::from("datasets/store"),
    }
}

impl Arguments {
    /// Whether the candles are those of the synthetic demo, with its planted signal.
    fn is_demo(&self) -> bool {
        self.data.is_empty() && self.profile == Profile::Demo
    }
}

impl Run {
    /// The worst verdict of all stages so far.
    fn verdict(&self) -> Verdict {
        self.stages.iter().map(|stage| stage.verdict).max().unwrap_or(Verdict::Fine)
    }

    /// A setting in force, as a program read it before any work; none where it has none of this name.
    fn setting(&self, program: &str, key: &str) -> Option<&serde_json::Value> {
        self.versions.get(program)?.values.get(key)
    }

    fn data(&self) -> Result<&Data> {
        self.data.as_ref().context("the data stage has not run")
    }
}

/// The programs of the main job and the sections of their configurations, by which `--set` finds its way.
const SECTIONS: &[(&str, &[&str])] = &[
    ("data-loader", &["store", "on_conflict", "import", "generate"]),
    ("feature-builder", &["features", "audit"]),
    (
        "optimize-labels",
        &[
            "target",
            "horizon",
            "objective",
            "symmetry",
            "tolerance",
            "split",
            "horizon_return",
            "triple_barrier",
            "trend_scanning",
        ],
    ),
    ("label-candles", &["split"]),
    ("train-supervised", &["features", "split", "validation_days", "device", "supervised"]),
    ("train-rl", &["random_agents", "policy"]),
    (
        "simulate",
        &[
            "trials",
            "backtest",
            "costs",
            "metrics",
            "targets",
            "gate",
            "monte_carlo",
            "candle_monte_carlo",
            "regime",
            "walk_forward",
            "purged_paths",
            "strategies",
        ],
    ),
];

impl Arguments {
    /// What was set for a program.
    fn settings_of(&self, program: &str) -> impl Iterator<Item = &String> {
        let sections =
            SECTIONS.iter().find(|(name, _)| *name == program).map_or(&[][..], |(_, sections)| sections);
        self.set.iter().filter(|assignment| sections.contains(&section_of(assignment)))
    }

    /// Refuses what is set for no program.
    fn check_settings(&self) -> Result<()> {
        let known: Vec<&str> = SECTIONS.iter().flat_map(|(_, sections)| sections.iter().copied()).collect();
        for assignment in &self.set {
            let section = section_of(assignment);
            // It would have no effect: the labeler that `optimize-labels` finds is handed over.
            anyhow::ensure!(
                section != "labels",
                "--set labels.…: in the main job labels come from optimize-labels; give --labeler, --horizon or --target"
            );
            anyhow::ensure!(
                section != "walk_forward" || !self.no_walk_forward,
                "--set walk_forward.… has no effect with --no-walk-forward; leave one of them out"
            );
            anyhow::ensure!(
                known.contains(&section),
                "--set {section}…: no program of the main job has such a section; there are {}",
                known.join(", ")
            );
        }
        Ok(())
    }
}

/// `features` of `features.trend.ema=[10]`.
fn section_of(assignment: &str) -> &str {
    assignment.split(['.', '=']).next().unwrap_or_default()
}

/// Hides what `--set` gives: it may be a secret, and the line may end in a log.
fn without_values(line: &str, assignments: &[String]) -> String {
    assignments.iter().filter_map(|text| text.split_once('=')).fold(line.to_owned(), |line, (key, value)| {
        line.replace(&format!("{key}={value}"), &format!("{key}=***"))
    })
}

/// Writes to stdout; a reader that has gone is no error.
fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to stdout")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
