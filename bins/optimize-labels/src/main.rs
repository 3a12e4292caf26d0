//! Finds the thresholds under which labels have a wanted class ratio.
//!
//! The work is done by `labels`; this program turns arguments into a goal and the results into tables, a JSON
//! document and a figure. It leaves with 0 (fine), 1 (a finding: a file was refused, or a labeler misses the
//! target) or 2 (an error).

mod configuration;
mod figure;
mod output;
mod report;
mod search;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use command_line::{CommonArguments, ConfigArguments, ConfigLoader, Outcome};
use labels::threshold_search::{Objective, Symmetry};
use market_data::Timeframe;
use market_data::quality::{Policy, SignKind};

use configuration::{Configuration, Which};

/// Finds the thresholds under which labels have a wanted class ratio
///
/// Thresholds are sought on training time only: the last fifth of the time is held out and never looked at,
/// unless the section `split` of the configuration says otherwise.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, subcommand_negates_reqs = true)]
struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
    #[command(flatten)]
    search: Search,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prints the effective configuration and where each value comes from, its JSON schema, or its reference
    Config(ConfigArguments),
}

#[derive(clap::Args, Clone, Debug)]
struct Search {
    /// Candle files, directories of them, patterns such as 'data/*_5m.csv.gz', or a store of data-loader
    #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
    data: Vec<PathBuf>,

    /// Shares of sell, hold and buy, together 1: 0.33,0.34,0.33
    #[arg(long, value_name = "SHARES", value_parser = configuration::target)]
    target: Option<[f64; 3]>,

    /// How far ahead every labeler looks, in candles
    #[arg(long, value_name = "N")]
    horizon: Option<u32>,

    /// Which labeler: horizon, triple-barrier, trend-scanning, all
    #[arg(long, value_enum, value_name = "LABELER")]
    labeler: Option<Which>,

    /// Look at the N series with the most candles only
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_symbols: Option<u32>,

    /// Only series of this timeframe
    #[arg(long, value_name = "TIMEFRAME")]
    timeframe: Option<Timeframe>,

    /// Only this series, as `data-loader inspect` names it: 'bybit-linear BTC/USDT:USDT 5m'; repeatable
    #[arg(long, value_name = "SERIES")]
    series: Vec<String>,

    /// Whose class shares are to be near the target: pooled (all series together) or worst (the series
    /// furthest from it)
    #[arg(long, value_parser = configuration::word::<Objective>, value_name = "OBJECTIVE")]
    objective: Option<Objective>,

    /// Thresholds of a horizon return and distances of barriers: asymmetric (one for each side) or symmetric
    #[arg(long, value_parser = configuration::word::<Symmetry>, value_name = "SYMMETRY")]
    symmetry: Option<Symmetry>,

    /// How far a pooled share may be from its target; further is a finding
    #[arg(long, value_name = "SHARE")]
    tolerance: Option<f64>,

    /// Where the results are written, as JSON
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Where the figure is written, as .svg or .html (default: beside the results, as .svg)
    #[arg(long, value_name = "FILE")]
    figure: Option<PathBuf>,

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
    let mut loaded = ConfigLoader::<Configuration>::new("optimize-labels").arguments(common).load()?;
    if let Some(Command::Config(config)) = &arguments.command {
        loaded.print(config, common.output_format)?;
        return Ok(Outcome::Fine);
    }
    loaded.config.take(&arguments.search);
    search::run(&arguments.search, &loaded.config, common)
}
