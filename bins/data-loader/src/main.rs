//! Imports, generates, inspects, resamples and exports candles.
//!
//! The work is done by `market-data`; this program turns arguments into options and results into tables
//! or JSON. It leaves with 0 (fine), 1 (a finding in the data) or 2 (an error).

mod configuration;
mod export;
mod generate;
mod import;
mod inspect;
mod reading;
mod report;
mod resample;
mod selection;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use command_line::{CommonArguments, ConfigArguments, ConfigLoader, Outcome};

use configuration::Configuration;

/// Imports, generates, inspects, resamples and exports candles
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Reads files, says what is wrong with them, and stores what is sound
    Import(import::Arguments),
    /// Generates a synthetic market into a store
    Generate(generate::Arguments),
    /// Says what is wrong with files, or what a store holds, and stores nothing
    Inspect(inspect::Arguments),
    /// Builds longer candles of stored series and stores them
    Resample(resample::Arguments),
    /// Writes stored candles as CSV or Parquet
    Export(export::Arguments),
    /// Prints the effective configuration and where each value comes from, its JSON schema, or its reference
    Config(ConfigArguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    command_line::run(|| run(&arguments))
}

fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let common = &arguments.common;
    common.start_logging()?;
    let loaded = ConfigLoader::<Configuration>::new("data-loader").arguments(common).load()?;
    let configuration = &loaded.config;
    match &arguments.command {
        Command::Import(import) => import::run(import, configuration, common),
        Command::Generate(generate) => generate::run(generate, configuration, common),
        Command::Inspect(inspect) => inspect::run(inspect, configuration, common),
        Command::Resample(resample) => resample::run(resample, configuration, common),
        Command::Export(export) => export::run(export, configuration, common),
        Command::Config(config) => {
            loaded.print(config, common.output_format)?;
            Ok(Outcome::Fine)
        }
    }
}
