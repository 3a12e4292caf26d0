//! The workspace's own commands: `cargo xtask train`, `test`, `lint` and `reference`.
//!
//! Invariant: no crate of this workspace is a dependency of this program, so that it starts in
//! seconds on a fresh clone. It works by running cargo and the workspace's programs, and reads the
//! JSON that they write to stdout.

mod lint;
mod reference;
mod table;
mod test;
mod train;
mod verdict;
mod workspace;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

#[derive(Debug, Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The main job: get candles, judge and store them, compute features and labels, train a model and a policy, judge and trade them
    Train(Box<train::Arguments>),
    /// Runs every test of the workspace
    Test(test::Arguments),
    /// Checks format, lints, documentation, the floors of the crates and the sources
    Lint,
    /// Writes the generated documents anew: the reference of settings with their JSON schemas, and that of features
    Reference,
}

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let verdict = Workspace::find().and_then(|workspace| match command {
        Command::Train(arguments) => train::train(&workspace, *arguments),
        Command::Test(arguments) => test::test(&workspace, &arguments),
        Command::Lint => lint::lint(&workspace),
        Command::Reference => reference::write(&workspace),
    });
    match verdict {
        Ok(verdict) => verdict.into(),
        Err(error) => {
            say(&format!("error: {error}"));
            for cause in error.chain().skip(1) {
                say(&format!("  caused by: {cause}"));
            }
            verdict::Verdict::Error.into()
        }
    }
}

/// Tells the person at the terminal something; with stderr closed there is nobody to tell.
fn say(line: &str) {
    _ = writeln!(io::stderr().lock(), "{line}");
}
