//! Where the workspace lies, and how its cargo is called.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::say;
use crate::verdict::Verdict;

/// The root of the clone and the directory in which the user stands.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) current: PathBuf,
}

impl Workspace {
    /// The clone that this program is run from.
    pub(crate) fn find() -> Result<Self> {
        // Cargo sets the variable when it runs us. The constant is only for a direct start: with a
        // target directory shared by several clones it may name another one.
        let package = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package.parent().context("xtask does not lie in a workspace")?.to_owned();
        let current = env::current_dir().context("cannot tell the current directory")?;
        Ok(Self { root, current })
    }

    /// The cargo that runs us, in the root of the clone.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root);
        if let Some(target) = env::var_os("CARGO_TARGET_DIR") {
            // Cargo reads a relative one from the current directory, which is now another.
            command.env("CARGO_TARGET_DIR", self.current.join(target));
        }
        command
    }

    /// What cargo says of the workspace's own packages, and where it builds, which may be set in the environment or in a
    /// configuration file.
    pub(crate) fn metadata(&self) -> Result<Metadata> {
        let output = self
            .cargo()
            .args(["metadata", "--format-version", "1", "--no-deps"])
            .stderr(Stdio::inherit())
            .output()
            .context("cannot start `cargo metadata`")?;
        serde_json::from_slice(&output.stdout).context("cannot read what `cargo metadata` printed")
    }

    /// A path as the user wrote it, so that it means the same to a program started in the root.
    pub(crate) fn user_path(&self, path: &Path) -> PathBuf {
        if self.current == self.root { path.to_owned() } else { self.current.join(path) }
    }
}

/// What `cargo metadata` says, as far as it is of use here.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) target_directory: PathBuf,
    pub(crate) packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) targets: Vec<Target>,
    pub(crate) features: BTreeMap<String, Vec<String>>,
}

/// What a package builds: a program, an example, a test, a benchmark.
#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
    pub(crate) src_path: PathBuf,
}

impl Target {
    pub(crate) fn is(&self, kind: &str, name: &str) -> bool {
        self.name == name && self.kind.iter().any(|one| one == kind)
    }
}

/// Runs `command`, showing it first. A failing exit code is `on_failure`.
pub(crate) fn run(command: &mut Command, on_failure: Verdict) -> Result<Verdict> {
    let shown = shown(command);
    say(&format!("$ {shown}"));
    let status = command.status().with_context(|| format!("cannot start `{shown}`"))?;
    Ok(if status.success() { Verdict::Fine } else { on_failure })
}

/// The command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .map(|word| if word.contains(' ') { format!("'{word}'") } else { word.into_owned() })
        .collect::<Vec<_>>()
        .join(" ")
}

/// Finds a program of a kind, `bin` or `example`, among cargo's messages. Only cargo knows where it is: the target directory may be
/// set in the environment or in a configuration file.
pub(crate) fn executable(messages: &str, program: &str, kind: &str) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Message {
        target: Option<Target>,
        executable: Option<PathBuf>,
    }
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| message.target.as_ref().is_some_and(|target| target.is(kind, program)))
        .find_map(|message| message.executable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_user_are_kept_in_the_root_and_made_absolute_elsewhere() {
        let at = |current: &str| Workspace { root: "/clone".into(), current: current.into() };
        let path = Path::new("../data/a.csv");
        assert_eq!(at("/clone").user_path(path), path);
        assert_eq!(at("/clone/docs").user_path(path), Path::new("/clone/docs/../data/a.csv"));
        assert_eq!(at("/clone/docs").user_path(Path::new("/x.csv")), Path::new("/x.csv"));
    }

    #[test]
    fn a_command_is_shown_as_typed() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["test", "two words"]);
        assert_eq!(shown(&command), "cargo test 'two words'");
    }

    #[test]
    fn the_program_is_found_among_the_messages() {
        let messages = r#"not json
{"reason":"compiler-artifact","target":{"name":"data-loader","kind":["lib"],"src_path":"/s"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"other","kind":["bin"],"src_path":"/s"},"executable":"/t/other"}
{"reason":"compiler-artifact","target":{"name":"data-loader","kind":["bin"],"src_path":"/s"},"executable":"/t/data-loader"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages, "data-loader", "bin"), Some("/t/data-loader".into()));
        assert_eq!(executable(messages, "data-loader", "example"), None);
        assert_eq!(executable(messages, "absent", "bin"), None);
    }
}
