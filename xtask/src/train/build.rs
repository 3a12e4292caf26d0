//! Builds the programs that later stages run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use super::{Run, Stage};
use crate::say;
use crate::verdict::Verdict;
use crate::workspace::{Workspace, executable, shown};

pub(super) const STAGE: Stage = Stage { name: "build", run, kept: None };

const PROGRAMS: &[&str] = &[
    "data-loader",
    "feature-builder",
    "optimize-labels",
    "label-candles",
    "train-supervised",
    "train-rl",
    "simulate",
];

fn run(run: &mut Run) -> Result<Verdict> {
    run.programs = programs(&run.workspace, run.arguments.device.features().as_deref())?;
    Ok(Verdict::Fine)
}

/// Builds all programs, with these features; where each is, by its name.
pub(crate) fn programs(
    workspace: &Workspace,
    features: Option<&str>,
) -> Result<BTreeMap<&'static str, PathBuf>> {
    let mut cargo = workspace.cargo();
    // The whole workspace, as the tests select it: with fewer packages cargo would unite other features
    // and compile the table libraries a second time.
    cargo.args(["build", "--workspace", "--bins", "--message-format=json-render-diagnostics"]);
    if let Some(features) = features {
        cargo.args(["--features", features]);
    }
    say(&format!("$ {}", shown(&cargo)));
    let output = cargo.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("the programs do not build; see cargo's messages above");
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let path = |program: &'static str| {
        let path = executable(&messages, program, "bin")
            .with_context(|| format!("cargo did not say where it put `{program}`"))?;
        Ok((program, path))
    };
    PROGRAMS.iter().copied().map(path).collect()
}

impl Run {
    pub(super) fn program(&self, name: &str) -> Result<&Path> {
        let path = self.programs.get(name).with_context(|| format!("`{name}` was not built"))?;
        Ok(path)
    }
}
