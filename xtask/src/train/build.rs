//! Builds the programs that later stages run.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::{Run, Stage};
use crate::say;
use crate::verdict::Verdict;
use crate::workspace::shown;

pub(super) const STAGE: Stage = Stage { name: "build", run };

const PROGRAMS: &[&str] =
    &["data-loader", "feature-builder", "optimize-labels", "label-candles", "train-supervised", "simulate"];

fn run(run: &mut Run) -> Result<Verdict> {
    let mut cargo = run.workspace.cargo();
    // The whole workspace, as the tests select it: with fewer packages cargo would unite other features
    // and compile the table libraries a second time.
    cargo.args(["build", "--workspace", "--bins", "--message-format=json-render-diagnostics"]);
    say(&format!("$ {}", shown(&cargo)));
    let output = cargo.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("the programs do not build; see cargo's messages above");
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    for program in PROGRAMS {
        let path = executable(&messages, program)
            .with_context(|| format!("cargo did not say where it put `{program}`"))?;
        run.programs.insert(program, path);
    }
    Ok(Verdict::Fine)
}

/// Finds a program among cargo's messages. Only cargo knows where it is: the target directory may be
/// set in the environment or in a configuration file.
fn executable(messages: &str, program: &str) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Message {
        target: Option<Target>,
        executable: Option<PathBuf>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
        kind: Vec<String>,
    }
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| {
            message
                .target
                .as_ref()
                .is_some_and(|target| target.name == program && target.kind.iter().any(|kind| kind == "bin"))
        })
        .find_map(|message| message.executable)
}

impl Run {
    pub(super) fn program(&self, name: &str) -> Result<&Path> {
        let path = self.programs.get(name).with_context(|| format!("`{name}` was not built"))?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_among_the_messages() {
        let messages = r#"not json
{"reason":"compiler-artifact","target":{"name":"data-loader","kind":["lib"]},"executable":null}
{"reason":"compiler-artifact","target":{"name":"other","kind":["bin"]},"executable":"/t/other"}
{"reason":"compiler-artifact","target":{"name":"data-loader","kind":["bin"]},"executable":"/t/data-loader"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages, "data-loader"), Some("/t/data-loader".into()));
        assert_eq!(executable(messages, "absent"), None);
    }
}
