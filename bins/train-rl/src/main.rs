//! Trains policies over models in the market environment, and judges them on candles that they never saw.
//!
//! The work is done by `sim::policy` and `rl`; this program turns arguments into options and results into files, tables or a JSON
//! document. It leaves with 0 (fine), 1 (a finding: a file was refused) or 2 (an error).

mod configuration;
mod data;
mod evaluate;
mod progress;
mod report;
mod training;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use command_line::{CommonArguments, ConfigArguments, ConfigLoader, Outcome};
use market_data::Timeframe;
use market_data::quality::{Policy, SignKind};

use configuration::{AlgorithmName, Configuration};

/// Keeps freed memory, as in `train-supervised`, where it was measured: fine-tuning runs the same networks.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Trains policies over models in the market environment, and judges them on candles that they never saw
///
/// Without a subcommand it trains: weights come from the training time of the model, the choice among them from its validation
/// time, and each seed gives a policy under the directory `out`/NAME/seed-N. Everything can be set: `--env window=5`, `--set
/// policy.recipe.ppo.learning_rate.value=0.001`, …; `train-rl config` shows it all.
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
    /// Judges policies beside the model alone, buy and hold, random actions and nothing, with the same costs
    Evaluate(evaluate::Arguments),
    /// Prints the effective configuration and where each value comes from, its JSON schema, or its reference
    Config(ConfigArguments),
}

/// Where candles come from.
#[derive(Args, Clone, Debug, Default)]
#[command(about = None, long_about = None)]
struct Input {
    /// Candle files, directories of them, patterns such as 'data/*_5m.csv.gz', stores of data-loader; files of funding with them
    #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
    data: Vec<PathBuf>,

    /// Only this series, as `data-loader inspect` names it: 'bybit-linear BTC/USDT:USDT 5m'; repeatable
    #[arg(long, value_name = "SERIES")]
    series: Vec<String>,

    /// Only series of this timeframe; that of the model by default
    #[arg(long, value_name = "TIMEFRAME")]
    timeframe: Option<Timeframe>,

    /// What happens to rows with findings: reject (the file), drop (the rows), keep-first
    #[arg(long, value_name = "POLICY")]
    findings: Option<Policy>,

    /// Take series with this sign of a false record (known-prices, random-walk, …); repeatable
    #[arg(long, value_name = "SIGN", value_delimiter = ',')]
    accept: Vec<SignKind>,
}

#[derive(Args, Clone, Debug)]
struct Train {
    /// Bundle of train-supervised that the policy stands on
    #[arg(long, required = true, value_name = "DIR")]
    bundle: Option<PathBuf>,

    #[command(flatten)]
    input: Input,

    /// Who learns: ppo, a2c, a2c-experience (with an experience buffer and random actions) or dqn; the configuration says how
    #[arg(long, value_name = "NAME")]
    algorithm: Option<AlgorithmName>,

    /// Trainings that differ in their seed only, from `seed` on
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    seeds: u16,

    /// The first seed
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    seed: u64,

    /// A setting of the market that is traded in: `--env window=5` is `--set policy.environment.window=5`; repeatable
    #[arg(long, value_name = "KEY=VALUE")]
    env: Vec<String>,

    /// Steps of all environments together, of each stage
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,

    /// Name of the directory under `out`
    #[arg(long, default_value = "policy", value_name = "NAME")]
    name: String,

    /// Directory for policies
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Go on where an interrupted training stopped
    #[arg(long, conflicts_with = "overwrite")]
    resume: bool,

    /// Replace policies of the same name
    #[arg(long)]
    overwrite: bool,

    /// How many settings were tried before these, for the policy
    #[arg(long, value_name = "N")]
    trials: Option<u64>,

    /// Version of the source, for the policy
    #[arg(long, value_name = "COMMIT")]
    commit: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    command_line::run(|| run(&arguments))
}

fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let mut common = arguments.common.clone();
    for assignment in &arguments.train.env {
        let assignment = format!("policy.environment.{assignment}").parse();
        common.set.push(assignment.with_context(|| "--env".to_owned())?);
    }
    let common = &common;
    common.start_logging()?;
    let loader = ConfigLoader::<Configuration>::new("train-rl");
    let mut loaded = loader.arguments(common).load()?;
    match &arguments.command {
        Some(Command::Config(config)) => {
            loaded.print(config, common.output_format)?;
            Ok(Outcome::Fine)
        }
        Some(Command::Evaluate(evaluate)) => {
            loaded.config.take(&evaluate.input);
            evaluate::run(evaluate, &loaded.config, common)
        }
        None => {
            loaded.config.take(&arguments.train.input);
            training::run(&arguments.train, loaded.config, common)
        }
    }
}
