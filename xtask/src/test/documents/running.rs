//! Runs commands of one document, as they stand, with the programs that were built.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::calls::Call;
use super::presupposed::SMALL;

/// What stands for cargo before a shell: `run --bin NAME` is the program, which is built already.
const CARGO: &str = r#"#!/bin/sh
name=
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    if [ "$1" = --bin ]; then name=$2; fi
    shift
done
if [ $# -gt 0 ]; then shift; fi
exec "$name" "$@"
"#;

/// Where documents get directories of their own.
pub(super) struct Places {
    pub(super) directory: PathBuf,
    root: PathBuf,
    search_path: OsString,
    programs: BTreeMap<&'static str, PathBuf>,
}

/// How a command ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: Option<i32>,
    pub(super) stderr: String,
    pub(super) took: Duration,
}

impl Places {
    /// Fresh places in `directory`, for documents of the clone at `root`.
    pub(super) fn new(
        directory: PathBuf,
        root: &Path,
        programs: BTreeMap<&'static str, PathBuf>,
    ) -> Result<Self> {
        let shown = || format!("cannot make {}", directory.display());
        if directory.exists() {
            fs::remove_dir_all(&directory).with_context(shown)?;
        }
        let own = directory.join("programs");
        fs::create_dir_all(&own).with_context(shown)?;
        make_executable(&own.join("cargo"), CARGO).with_context(shown)?;
        let built = programs.values().filter_map(|program| program.parent().map(Path::to_owned));
        let users = env::var_os("PATH").unwrap_or_default();
        let search = std::iter::once(own).chain(built.take(1)).chain(env::split_paths(&users));
        let search_path = env::join_paths(search).context("cannot put the programs into PATH")?;
        Ok(Self { directory, root: root.to_owned(), search_path, programs })
    }

    pub(super) fn names(&self) -> Vec<&'static str> {
        self.programs.keys().copied().collect()
    }

    /// A fresh directory for a document, with the settings files that lie where a user stands.
    pub(super) fn directory_for(&self, document: &str) -> Result<PathBuf> {
        let directory = self.directory.join(document.replace(['/', '.'], "-"));
        let shown = || format!("cannot make {}", directory.display());
        let settings = directory.join("config");
        fs::create_dir_all(&settings).with_context(shown)?;
        for entry in fs::read_dir(self.root.join("config")).with_context(shown)? {
            let entry = entry.with_context(shown)?;
            fs::copy(entry.path(), settings.join(entry.file_name())).with_context(shown)?;
        }
        Ok(directory)
    }

    /// Gives `text` to a shell.
    pub(super) fn shell(&self, text: &str, directory: &Path) -> Result<Ended> {
        let mut shell = Command::new("sh");
        shell.args(["-c", text]);
        self.run(&mut shell, directory).context("the documents' commands are run by `sh`")
    }

    /// Whether a program takes these arguments. It is also told to read a settings file that is not there: a program reads
    /// its arguments, then its settings, then begins to work.
    pub(super) fn takes(&self, name: &str, arguments: &[String], directory: &Path) -> Result<(), String> {
        const ABSENT: &str = "there-is-no-such-file.toml";
        let ended = self.program(name, arguments, &["--config", ABSENT], directory)?;
        if !ended.stderr.contains(ABSENT) {
            return Err(ended.said());
        }
        let mut settings = vec!["config".to_owned()];
        for pair in arguments.windows(2).filter(|pair| pair[0] == "--set") {
            settings.extend_from_slice(pair);
        }
        let ended = self.program(name, &settings, &[], directory)?;
        if ended.code == Some(0) { Ok(()) } else { Err(ended.said()) }
    }

    /// The first program that takes a settings file; what each said where none does.
    pub(super) fn taker(&self, file: &Path, directory: &Path) -> Result<&'static str, String> {
        let mut said = Vec::new();
        for name in self.names() {
            let file = file.display().to_string();
            let ended = self.program(name, &["config".to_owned()], &["--config", &file], directory)?;
            if ended.code == Some(0) {
                return Ok(name);
            }
            said.push(format!("{name}: {}", ended.said()));
        }
        Err(said.join("\n"))
    }

    fn program(
        &self,
        name: &str,
        arguments: &[String],
        further: &[&str],
        directory: &Path,
    ) -> Result<Ended, String> {
        let path = self.programs.get(name).ok_or_else(|| format!("`{name}` was not built"))?;
        let mut program = Command::new(path);
        program.args(arguments).args(further);
        self.run(&mut program, directory).map_err(|error| format!("{error:#}"))
    }

    fn run(&self, command: &mut Command, directory: &Path) -> Result<Ended> {
        // What the user has set for other work would change what the documents do.
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MATRELA_")) {
            command.env_remove(name);
        }
        command.envs(SMALL.iter().map(|(name, value)| (format!("MATRELA__{name}"), value)));
        command.env("PATH", &self.search_path).env("NO_COLOR", "1").env_remove("RUST_LOG");
        command.current_dir(directory).stdin(Stdio::null());
        let began = Instant::now();
        let Output { status, stderr, .. } =
            command.output().with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        Ok(Ended { code: status.code(), stderr, took: began.elapsed() })
    }

    /// Removes everything.
    pub(super) fn remove(&self) -> Result<()> {
        fs::remove_dir_all(&self.directory)
            .with_context(|| format!("cannot remove {}", self.directory.display()))
    }
}

impl Ended {
    /// Whether a command may end so. What barely trained models and strategies on made markets are found to be worth is a
    /// finding of theirs and none of the document's.
    pub(super) fn is_fine(&self, call: Call<'_>) -> bool {
        let judges = match call {
            Call::Program("train-supervised", arguments) => {
                arguments.first().is_some_and(|word| word == "evaluate")
            }
            Call::Program("simulate", arguments) => {
                arguments.first().is_some_and(|word| word.starts_with("--"))
            }
            _ => false,
        };
        self.code == Some(0) || (judges && self.code == Some(1))
    }

    /// Exit code and the end of what was said.
    pub(super) fn said(&self) -> String {
        const LINES: usize = 12;
        let lines: Vec<&str> = self.stderr.trim_end().lines().collect();
        let end = lines[lines.len().saturating_sub(LINES)..].join("\n    ");
        let code = self.code.map_or("a signal".to_owned(), |code| format!("exit code {code}"));
        if end.is_empty() { format!("{code}, and nothing on stderr") } else { format!("{code}:\n    {end}") }
    }
}

fn make_executable(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    if cfg!(not(unix)) {
        bail!("the documents' commands are run by a shell, on systems that have one");
    }
    Ok(())
}
