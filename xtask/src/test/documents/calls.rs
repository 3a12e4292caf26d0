//! What a command of a document calls, and what can be said of it without running it.

use std::fs;
use std::path::Path;

use clap::Parser;

use crate::workspace::{Metadata, Target};

/// What a command calls, with the arguments.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Call<'words> {
    /// A program of this workspace, also by `cargo run --bin`.
    Program(&'words str, &'words [String]),
    Xtask(&'words [String]),
    Cargo(&'words [String]),
    /// A script, and its arguments.
    Python(&'words str, &'words [String]),
    /// A file of the clone.
    File(&'words str),
    /// A tool of every system that documents make files with.
    Shell,
}

/// Tools that may be run; none of them can do harm outside of its directory as documents call them.
const SHELL: [&str; 3] = ["cat", "cp", "mkdir"];

/// Tells what `words` call, of which `programs` are this workspace's.
pub(super) fn call<'words>(words: &'words [String], programs: &[&str]) -> Result<Call<'words>, String> {
    let (first, arguments) = words.split_first().ok_or("no command")?;
    let plain: Vec<&str> = words.iter().map(String::as_str).collect();
    Ok(match plain.as_slice() {
        ["cargo", "xtask", ..] => Call::Xtask(&arguments[1..]),
        ["cargo", "run", ..] if named_program(arguments).is_some_and(|name| programs.contains(&name)) => {
            let name = named_program(arguments).unwrap_or_default();
            let own = arguments.iter().position(|word| word == "--").map_or(arguments.len(), |at| at + 1);
            Call::Program(name, &arguments[own..])
        }
        ["cargo", ..] => Call::Cargo(arguments),
        ["python" | "python3", script, ..] => Call::Python(script, &arguments[1..]),
        [name, ..] if programs.contains(name) => Call::Program(first, arguments),
        [name, ..] if SHELL.contains(name) => Call::Shell,
        [name, ..] if name.contains('/') => Call::File(first),
        _ => return Err(format!("nobody knows how to run or to check `{first}`")),
    })
}

/// The program in `run --bin NAME [-- …]`.
fn named_program(arguments: &[String]) -> Option<&str> {
    let before = arguments.split(|word| word == "--").next()?;
    let at = before.iter().position(|word| word == "--bin")?;
    before.get(at + 1).map(String::as_str)
}

/// Checks what is not to be run: whether all that it names is there.
pub(super) fn check(call: Call<'_>, root: &Path, metadata: &Metadata) -> Result<(), String> {
    match call {
        Call::Program(..) | Call::Shell => Ok(()),
        Call::Xtask(arguments) => xtask(arguments),
        Call::Cargo(arguments) => cargo(arguments, metadata),
        Call::Python(script, arguments) => python(script, arguments, root, metadata),
        Call::File(path) => exists(root, path),
    }
}

fn exists(root: &Path, path: &str) -> Result<(), String> {
    if root.join(path).is_file() { Ok(()) } else { Err(format!("there is no file {path}")) }
}

fn xtask(arguments: &[String]) -> Result<(), String> {
    let name = "cargo xtask".to_owned();
    match crate::Arguments::try_parse_from(std::iter::once(&name).chain(arguments)) {
        // `--help` is an error for clap, and none for us.
        Err(error) if error.use_stderr() => Err(error.to_string().trim_end().to_owned()),
        _ => Ok(()),
    }
}

const CARGO_COMMANDS: [&str; 8] = ["bench", "build", "check", "clippy", "doc", "fmt", "run", "test"];
/// Options of cargo that say nothing of this workspace.
const CARGO_FLAGS: [&str; 15] = [
    "--all",
    "--all-targets",
    "--benches",
    "--bins",
    "--doc",
    "--examples",
    "--lib",
    "--no-deps",
    "--offline",
    "--open",
    "--quiet",
    "--release",
    "--tests",
    "--workspace",
    "-q",
];

/// What cargo is told to take is there: commands, packages, targets, features, and options of an example.
fn cargo(arguments: &[String], metadata: &Metadata) -> Result<(), String> {
    let mut parts = arguments.splitn(2, |word| word == "--");
    let (own, further) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let (command, options) = own.split_first().ok_or("cargo is told nothing")?;
    if !CARGO_COMMANDS.contains(&command.as_str()) {
        return Err(format!("`cargo {command}` is not one of {}", CARGO_COMMANDS.join(", ")));
    }
    let mut named = Vec::new();
    let mut options = options.iter().map(String::as_str);
    while let Some(option) = options.next() {
        let (name, value) =
            option.split_once('=').map_or((option, None), |(name, value)| (name, Some(value)));
        match name {
            "--bin" | "--bench" | "--example" | "--test" | "--features" | "--package" | "-p" => {
                let value = value.or_else(|| options.next()).ok_or(format!("{name} names nothing"))?;
                named.push((name, value));
            }
            _ if CARGO_FLAGS.contains(&option) => {}
            // The beginning of names of tests.
            _ if !option.starts_with('-') && ["bench", "test"].contains(&command.as_str()) => {}
            _ => return Err(format!("nobody knows how to check `{option}` of cargo")),
        }
    }
    let mut packages: Vec<_> = metadata.packages.iter().collect();
    for (_, name) in named.iter().filter(|(option, _)| ["--package", "-p"].contains(option)) {
        packages.retain(|package| package.name == *name);
        if packages.is_empty() {
            return Err(format!("there is no package `{name}`"));
        }
    }
    for (option, name) in named {
        let kind = option.trim_start_matches('-');
        if kind == "features" {
            let unknown = name
                .split(',')
                .find(|feature| !packages.iter().any(|package| package.features.contains_key(*feature)));
            if let Some(unknown) = unknown {
                return Err(format!("there is no feature `{unknown}`"));
            }
        } else if !["package", "p"].contains(&kind) {
            let target =
                packages.iter().flat_map(|package| &package.targets).find(|target| target.is(kind, name));
            let target = target.ok_or_else(|| format!("there is no {kind} `{name}`"))?;
            if command == "run" {
                mentioned(further, target)?;
            }
        }
    }
    Ok(())
}

/// A script is there and mentions its options; examples that it is given as programs exist.
fn python(script: &str, arguments: &[String], root: &Path, metadata: &Metadata) -> Result<(), String> {
    exists(root, script)?;
    for built in arguments.iter().filter(|word| word.starts_with("target/")) {
        let name = built.rsplit('/').next().unwrap_or_default();
        if !metadata
            .packages
            .iter()
            .flat_map(|package| &package.targets)
            .any(|target| target.is("example", name))
        {
            return Err(format!("there is no example `{name}`"));
        }
    }
    options_in(arguments, &root.join(script))
}

fn mentioned(arguments: &[String], target: &Target) -> Result<(), String> {
    options_in(arguments, &target.src_path)
}

/// Whether a source mentions each option. That is less than parsing them, and enough for one that was renamed.
fn options_in(arguments: &[String], source: &Path) -> Result<(), String> {
    let text =
        fs::read_to_string(source).map_err(|error| format!("cannot read {}: {error}", source.display()))?;
    for option in arguments.iter().filter_map(|word| word.strip_prefix("--")).filter(|name| !name.is_empty())
    {
        let option = option.split('=').next().unwrap_or(option);
        // clap makes `output-format` of a field `output_format`.
        if !text.contains(option) && !text.contains(&option.replace('-', "_")) {
            return Err(format!("{} does not mention --{option}", source.display()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Workspace;

    const PROGRAMS: [&str; 2] = ["data-loader", "simulate"];

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn what_is_called_is_told_by_the_words() {
        let generate = words("generate --store x");
        let cases = [
            ("data-loader generate --store x", Call::Program("data-loader", &generate)),
            ("cargo run --bin data-loader -- generate --store x", Call::Program("data-loader", &generate)),
            ("cargo run --release --bin simulate", Call::Program("simulate", &[])),
            ("cargo xtask generate --store x", Call::Xtask(&generate)),
            ("python generate --store x", Call::Python("generate", &generate[1..])),
            ("cargo generate --store x", Call::Cargo(&generate)),
            (".ci/run", Call::File(".ci/run")),
            ("cat", Call::Shell),
        ];
        for (text, expected) in cases {
            assert_eq!(call(&words(text), &PROGRAMS), Ok(expected), "{text}");
        }
        let absent = words("cargo run --bin absent -- x");
        assert_eq!(call(&absent, &PROGRAMS), Ok(Call::Cargo(&absent[1..])));
        for unknown in ["rm -r /", "data-loder generate", "pip install x"] {
            assert!(call(&words(unknown), &PROGRAMS).is_err(), "{unknown}");
        }
    }

    /// Checks against the workspace that the test belongs to.
    fn checked(text: &str) -> Result<(), String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned();
        let workspace = Workspace { current: root.clone(), root };
        let words = words(text);
        check(call(&words, &PROGRAMS).unwrap(), &workspace.root, &workspace.metadata().unwrap())
    }

    #[test]
    fn what_is_there_passes() {
        for text in [
            "cargo build",
            "cargo xtask train --data path/to/*_5m.csv.gz",
            "cargo xtask test --peers -- -p xtask",
            "cargo xtask train --help",
            "cargo test --workspace --lib --test real_candles gap -- --nocapture",
            "cargo test --package xlstm --features cuda,wgpu --test=gpu",
            "cargo bench -p trading --bench engine",
            "cargo run --release -p rl --example cartpole -- --algorithm ppo --output-format json",
            "python crates/sim/benches/peers/backtest_speed.py target/release/examples/crossover --rounds 5",
            ".ci/run",
        ] {
            assert_eq!(checked(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_is_not_there_is_named() {
        for (text, named) in [
            ("cargo xtask train --dta x", "--dta"),
            ("cargo xtask tets", "tets"),
            ("cargo bild", "`cargo bild`"),
            ("cargo test --tset x", "`--tset`"),
            ("cargo run --bin absent -- x", "no bin `absent`"),
            ("cargo bench -p trading --bench backtest", "no bench `backtest`"),
            ("cargo test -p xslmt", "no package `xslmt`"),
            ("cargo test -p trading --features cuda", "no feature `cuda`"),
            ("cargo run --example cartpole -- --algoritm ppo", "does not mention --algoritm"),
            ("python crates/sim/benches/peers/absent.py", "absent.py"),
            ("python crates/sim/benches/peers/backtest_speed.py --laps 5", "does not mention --laps"),
            (
                "python crates/sim/benches/peers/backtest_speed.py target/release/examples/absent",
                "no example `absent`",
            ),
            (".ci/walk", "no file .ci/walk"),
        ] {
            let error = checked(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
