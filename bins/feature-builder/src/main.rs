//! Computes features of candles and proves that they cannot look ahead.
//!
//! The work is done by `features`; this program turns arguments into options and results into tables, files
//! or JSON. It leaves with 0 (fine), 1 (a finding: a leak, a warm-up that is too short, a series without rows)
//! or 2 (an error).

mod audit;
mod build;
mod configuration;
mod input;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use command_line::{CommonArguments, ConfigArguments, ConfigLoader, Outcome, Table, print_json, print_text};
use features::reference;
use market_data::Timeframe;

use configuration::Configuration;

/// Computes features of candles and proves that they cannot look ahead
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
    /// Computes the features of series, writes them as Parquet, and says how many rows are masked and why
    Build(build::Arguments),
    /// Proves on your candles that no feature looks ahead and that warm-ups are long enough
    Audit(audit::Arguments),
    /// Lists the columns of the configured specification
    Columns {
        /// Length of the candles
        #[arg(long, default_value = "5m", value_name = "TIMEFRAME")]
        timeframe: Timeframe,
    },
    /// Writes the reference of all columns of the default specification, as docs/feature-reference.md
    Reference,
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
    let loaded = ConfigLoader::<Configuration>::new("feature-builder").arguments(common).load()?;
    let configuration = &loaded.config;
    match &arguments.command {
        Command::Build(build) => build::run(build, configuration, common),
        Command::Audit(audit) => audit::run(audit, configuration, common),
        Command::Columns { timeframe } => columns(configuration, *timeframe, common),
        Command::Reference => {
            print_text(&reference::markdown()?)?;
            Ok(Outcome::Fine)
        }
        Command::Config(config) => {
            loaded.print(config, common.output_format)?;
            Ok(Outcome::Fine)
        }
    }
}

fn columns(
    configuration: &Configuration,
    timeframe: Timeframe,
    common: &CommonArguments,
) -> anyhow::Result<Outcome> {
    let columns = configuration.features.columns(timeframe)?;
    if common.is_json() {
        print_json(&columns)?;
    } else {
        let mut table = Table::new(["column", "warm-up", "formula"]);
        for column in &columns {
            table.row([column.name.clone(), column.warm_up.to_string(), column.formula.clone()]);
        }
        table.print()?;
    }
    Ok(Outcome::Fine)
}
