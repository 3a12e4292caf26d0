//! Labels candles and writes the labels as Parquet.
//!
//! The work is done by `labels`; this program turns arguments into options and the results into files, tables or
//! a JSON document. It leaves with 0 (fine), 1 (a finding: a file was refused, or a series has no label) or 2 (an
//! error).

mod configuration;
mod directory;
mod label;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use command_line::{CommonArguments, ConfigArguments, ConfigLoader, Outcome};
use market_data::Timeframe;
use market_data::quality::{Policy, SignKind};

use configuration::Configuration;

/// Labels candles and writes the labels as Parquet
///
/// One file per series with a row per labelled candle, and labels.json, which says what is in them. All candles
/// are labelled; what may be trained on is counted by the section `split` of the configuration.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, subcommand_negates_reqs = true)]
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
    /// Prints the effective configuration and where each value comes from, its JSON schema, or its reference
    Config(ConfigArguments),
}

#[derive(clap::Args, Clone, Debug)]
struct Work {
    /// Candle files, directories of them, patterns such as 'data/*_5m.csv.gz', or a store of data-loader
    #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
    data: Vec<PathBuf>,

    /// File with the labeler, as `optimize-labels` prints it
    #[arg(long, value_name = "FILE")]
    labeler: Option<PathBuf>,

    /// Directory for the labels; another one's content is never touched
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Label the N series with the most candles only
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_symbols: Option<u32>,

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
    let mut loaded = ConfigLoader::<Configuration>::new("label-candles").arguments(common).load()?;
    if let Some(Command::Config(config)) = &arguments.command {
        loaded.print(config, common.output_format)?;
        return Ok(Outcome::Fine);
    }
    loaded.config.take(&arguments.work);
    label::run(&arguments.work, &loaded.config, common)
}
