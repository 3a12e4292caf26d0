//! Arguments that every program accepts, before or after its subcommand.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use crate::configuration::Assignment;
use crate::{Progress, logging};

/// The arguments shared by all programs; add them with `#[command(flatten)]`.
#[derive(Args, Clone, Debug, Default)]
// Else clap would take the sentence above for the description of the whole program.
#[command(about = None, long_about = None)]
pub struct CommonArguments {
    /// Configuration file to read instead of `config/<program>.toml`; repeat it to lay one over another
    #[arg(long, global = true, value_name = "PATH", help_heading = "Common options")]
    pub config: Vec<PathBuf>,

    /// Set one configuration value, as TOML or plain text; repeatable, wins over files and environment
    #[arg(long, global = true, value_name = "KEY=VALUE", help_heading = "Common options")]
    pub set: Vec<Assignment>,

    /// What to write to stdout
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        help_heading = "Common options"
    )]
    pub output_format: OutputFormat,

    /// Log more to stderr: -v progress of the work, -vv details, -vvv everything
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet", help_heading = "Common options")]
    pub verbose: u8,

    /// Log errors only, and draw no progress bars
    #[arg(short, long, global = true, help_heading = "Common options")]
    pub quiet: bool,
}

impl CommonArguments {
    /// Starts logging to stderr; call it once, before any work.
    ///
    /// Warnings and errors are shown unless `--verbose`, `--quiet` or `RUST_LOG` say otherwise (the
    /// arguments win over `RUST_LOG`).
    ///
    /// # Errors
    ///
    /// When `RUST_LOG` cannot be read, or logging was started before.
    pub fn start_logging(&self) -> anyhow::Result<()> {
        logging::start(self.verbose, self.quiet)
    }

    /// Progress bars as these arguments ask for them.
    pub fn progress(&self) -> Progress {
        if self.quiet || self.is_json() { Progress::hidden() } else { Progress::on_terminal() }
    }

    /// Whether stdout is to be one JSON document.
    pub fn is_json(&self) -> bool {
        self.output_format == OutputFormat::Json
    }
}

/// What the subcommand `config` of a program prints: the settings in force, unless asked for something else.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(about = None, long_about = None)]
pub struct ConfigArguments {
    /// Print the JSON schema of the configuration file instead, for editors
    #[arg(long, conflicts_with = "reference")]
    pub schema: bool,

    /// Print every setting with what it takes, its default and its meaning instead, as Markdown
    #[arg(long)]
    pub reference: bool,
}

/// The form of what a program writes to stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// Tables and sentences for people.
    #[default]
    Text,
    /// One JSON document for programs.
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser, Subcommand};

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        common: CommonArguments,
        #[command(subcommand)]
        command: Command,
    }

    #[derive(Debug, Subcommand)]
    enum Command {
        Import,
    }

    #[test]
    fn common_arguments_stand_before_or_after_the_subcommand() {
        for line in [
            ["program", "--output-format", "json", "--set", "a.b=1", "-vv", "import"],
            ["program", "import", "--output-format", "json", "--set", "a.b=1", "-vv"],
        ] {
            let Program { common, command: Command::Import } = Program::try_parse_from(line).unwrap();
            assert!(common.is_json());
            assert_eq!(common.set.len(), 1);
            assert_eq!(common.verbose, 2);
        }
    }

    #[test]
    fn an_assignment_without_equals_sign_is_a_usage_error() {
        let error = Program::try_parse_from(["program", "import", "--set", "a.b"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("section.key=value"), "{error}");
    }

    #[test]
    fn the_program_keeps_its_own_description() {
        #[derive(Parser)]
        struct Silent {
            #[command(flatten)]
            _common: CommonArguments,
        }
        /// Counts candles
        #[derive(Parser)]
        struct Described {
            #[command(flatten)]
            _common: CommonArguments,
        }
        assert!(Silent::command().get_about().is_none());
        let about = Described::command().get_about().map(ToString::to_string);
        assert_eq!(about.as_deref(), Some("Counts candles"));
    }

    #[test]
    fn verbose_and_quiet_exclude_each_other() {
        assert!(Program::try_parse_from(["program", "import", "-v", "-q"]).is_err());
    }
}
