//! Backtests strategies and models over candles, and says what of the result is luck.
//!
//! The work is done by `sim` over the engine of `trading`; this program turns arguments into options and results into
//! reports, tables or a JSON document. It leaves with 0 (fine), 1 (a finding: a file was refused, or no strategy passed the gate)
//! or 2 (an error).

mod compare;
mod configuration;
mod importance;
mod market;
mod model;
mod model_page;
mod page;
mod retraining;
mod robustness;
mod run;
mod summary;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Parser, Subcommand};
use command_line::{CommonArguments, ConfigArguments, ConfigLoader, Outcome};
use market_data::quality::{Policy, SignKind};
use market_data::{Timeframe, Timestamp};

use configuration::{Configuration, StrategyName};

/// Backtests strategies and models over candles, and says what of the result is luck
///
/// Each strategy gets a directory with report.html (open it in a browser, it needs no network), report.json, equity.csv,
/// trades.csv and orders.csv; summary.json says it all.
#[derive(Debug, Parser)]
#[command(
    version,
    arg_required_else_help = true,
    subcommand_negates_reqs = true,
    args_conflicts_with_subcommands = true
)]
struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
    #[command(flatten)]
    work: Work,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Puts backtests side by side that were made before
    Compare {
        /// Directories that `simulate` wrote
        #[arg(required = true, value_name = "DIR")]
        directories: Vec<PathBuf>,
    },
    /// Prints the effective configuration and where each value comes from, its JSON schema, or its reference
    Config(ConfigArguments),
}

#[derive(clap::Args, Clone, Debug)]
struct Work {
    /// Candle files, directories of them, patterns such as 'data/*_1h.csv.gz', or a store of data-loader
    #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
    data: Vec<PathBuf>,

    /// Strategies to run; `classic` stands for all that need no model
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = "classic")]
    strategy: Vec<StrategyName>,

    /// Bundle of train-supervised, for `hybrid` and `model`; what its training and validation saw is left out of the backtest
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,

    /// Policy of train-rl, which holds its model: for `hybrid`, `model` and `policy`; what their training and validation saw is left out
    #[arg(long, value_name = "DIR", conflicts_with_all = ["bundle", "walk_forward", "purged_paths"])]
    policy: Option<PathBuf>,

    /// Directory that `train-supervised explain` wrote of the bundle's model, for the importance of features in the report
    #[arg(long, value_name = "DIR")]
    explanation: Option<PathBuf>,

    /// Train the model of the bundle anew for each stretch of time, on what came before it; `[walk_forward]` says how long
    #[arg(long, conflicts_with = "from")]
    walk_forward: bool,

    /// Also train the model on every choice of parts of the time and trade the others: paths through the whole time that show
    /// how much results vary; `[purged_paths]` says how many parts
    #[arg(long)]
    purged_paths: bool,

    /// Also run each strategy on this many markets made from the candles, 1 to 100000; `[candle_monte_carlo]` says how, and
    /// how many where no number is given
    #[arg(long, value_name = "PATHS")]
    #[expect(clippy::option_option, reason = "the way clap says: an option with or without a value")]
    candle_paths: Option<Option<usize>>,

    /// Finer candles of the same series, which say how the price moved inside a candle
    #[arg(long, num_args = 1.., value_name = "PATH")]
    detail: Vec<PathBuf>,

    /// Trade from this time on; a model's features know the candles before it, other strategies begin here
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,

    /// Trade up to this time
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,

    /// Paths of the Monte Carlo runs, 1000 to 100000; 0 for none
    #[arg(long, value_name = "PATHS")]
    monte_carlo: Option<usize>,

    /// Directory for the reports
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// How many settings were tried before this run, for the deflated Sharpe ratio
    #[arg(long, value_name = "N")]
    trials: Option<u64>,

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

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    command_line::run(|| run(&arguments))
}

fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let common = &arguments.common;
    common.start_logging()?;
    if let Some(Command::Compare { directories }) = &arguments.command {
        if !(common.config.is_empty() && common.set.is_empty()) {
            bail!("`compare` reads what earlier runs left and has no settings; leave --config and --set out");
        }
        return compare::run(directories, common);
    }
    let mut loaded = ConfigLoader::<Configuration>::new("simulate").arguments(common).load()?;
    if let Some(Command::Config(config)) = &arguments.command {
        loaded.print(config, common.output_format)?;
        return Ok(Outcome::Fine);
    }
    loaded.config.take(&arguments.work);
    run::run(&arguments.work, &loaded.config, common)
}
