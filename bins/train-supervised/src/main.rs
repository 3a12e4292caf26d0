//! Trains xLSTM classifiers on candles, and judges them on candles that they never saw.
//!
//! The work is done by `supervised`; this program turns arguments into options and results into files, tables or a
//! JSON document. It leaves with 0 (fine), 1 (a finding: a file was refused, or a class is predicted far too often or
//! too rarely, or contributions do not add up) or 2 (an error).

mod ablation;
mod baselines;
mod compare;
mod configuration;
mod data;
mod evaluate;
mod explain;
mod progress;
mod report;
mod training;
mod tuning;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use command_line::{CommonArguments, ConfigArguments, ConfigLoader, Outcome};
use market_data::Timeframe;
use market_data::quality::{Policy, SignKind};
use supervised::baseline::BaselineKind;

use configuration::Configuration;

/// Keeps freed memory: with the allocator of the C library nearly half of a training step goes into page faults.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Trains xLSTM classifiers on candles, and judges them on candles that they never saw
///
/// Without a subcommand it trains: candles become features and labels, time is divided into training, validation and
/// test, and each seed gives a model bundle under the directory `out`/NAME.
#[derive(Debug, Parser)]
#[command(
    version,
    arg_required_else_help = true,
    args_conflicts_with_subcommands = false,
    subcommand_negates_reqs = true
)]
struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
    #[command(flatten)]
    train: Train,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Sets models side by side: their own test figures, or all on the same candles
    Compare(compare::Arguments),
    /// Judges a bundle on candles, by default on those alone that it never saw
    Evaluate(evaluate::Arguments),
    /// Trains with each technique switched off (or on) in turn, and compares
    Ablate(ablation::Arguments),
    /// Searches settings on validation folds, in a study that can be stopped, resumed and shared
    Tune(tuning::Arguments),
    /// Says which features and steps predictions came from, as a document and pictures
    Explain(explain::Arguments),
    /// Prints the effective configuration and where each value comes from, its JSON schema, or its reference
    Config(ConfigArguments),
}

/// Where candles come from.
#[derive(Args, Clone, Debug, Default)]
#[command(about = None, long_about = None)]
struct Input {
    /// Candle files, directories of them, patterns such as 'data/*_5m.csv.gz', stores of data-loader, files of
    /// exogenous values
    #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
    data: Vec<PathBuf>,

    /// Only series of this timeframe
    #[arg(long, value_name = "TIMEFRAME")]
    timeframe: Option<Timeframe>,

    /// Only this series, as `data-loader inspect` names it: 'bybit-linear BTC/USDT:USDT 5m'; repeatable
    #[arg(long, value_name = "SERIES")]
    series: Vec<String>,

    /// What happens to rows with findings: reject (the file), drop (the rows), keep-first
    #[arg(long, value_name = "POLICY")]
    findings: Option<Policy>,

    /// Take series with this sign of a false record (known-prices, random-walk, …); repeatable
    #[arg(long, value_name = "SIGN", value_delimiter = ',')]
    accept: Vec<SignKind>,
}

/// What is learned from.
#[derive(Args, Clone, Debug)]
#[command(about = None, long_about = None)]
struct Source {
    #[command(flatten)]
    input: Input,

    /// File with the labeler, as `optimize-labels` prints it; without one its thresholds are searched on the training
    /// time, as the section `labels` says
    #[arg(long, value_name = "FILE")]
    labeler: Option<PathBuf>,

    /// File with the feature specification, instead of the configuration's section `features`
    #[arg(long, value_name = "FILE")]
    spec: Option<PathBuf>,
}

#[derive(Args, Clone, Debug)]
struct Train {
    #[command(flatten)]
    source: Source,

    /// Name of the model, and of its directory under `out`
    #[arg(long, default_value = "model", value_name = "NAME")]
    name: String,

    /// How many models are trained, with seeds that count up from `supervised.seed`
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    seeds: u32,

    /// Fit simpler models on the same split and set them beside the xLSTM: those of the section `baselines`, or some of them
    /// by name, `--baselines=lstm,random-forest`
    #[arg(
        long,
        value_name = "MODELS",
        num_args = 0..,
        require_equals = true,
        value_delimiter = ',',
        value_parser = baselines::parse_kind
    )]
    baselines: Option<Vec<BaselineKind>>,

    /// How many trials a search took to find this configuration, to be written into the bundle; the
    /// configuration that `tune` writes says it itself
    #[arg(long, value_name = "N")]
    trials: Option<u64>,

    /// Directory for models
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Go on where a training of this name stopped
    #[arg(long)]
    resume: bool,

    /// Replace a model of this name
    #[arg(long, conflicts_with = "resume")]
    overwrite: bool,

    /// Version of the source, to be written into the bundle
    #[arg(long, value_name = "HASH")]
    commit: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    command_line::run(|| run(&arguments))
}

fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let common = &arguments.common;
    common.start_logging()?;
    let loaded = ConfigLoader::<Configuration>::new("train-supervised").arguments(common).load()?;
    match &arguments.command {
        None => training::run(&arguments.train, loaded.config, common),
        Some(Command::Compare(compare)) => compare::run(compare, &loaded.config, common),
        Some(Command::Evaluate(evaluate)) => evaluate::run(evaluate, &loaded.config, common),
        Some(Command::Ablate(ablate)) => ablation::run(ablate, loaded.config, common),
        Some(Command::Tune(tune)) => tuning::run(tune, loaded.config, common),
        Some(Command::Explain(explain)) => explain::run(explain, &loaded.config, common),
        Some(Command::Config(config)) => {
            loaded.print(config, common.output_format)?;
            Ok(Outcome::Fine)
        }
    }
}
