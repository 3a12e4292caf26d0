//! Builds the programs that later stages run.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use super::{Run, Stage};
use crate::say;
use crate::verdict::Verdict;
use crate::workspace::{executable, shown};

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
    let mut cargo = run.workspace.cargo();
    // The whole workspace, as the tests select it: with fewer packages cargo would unite other features
    // and compile the table libraries a second time.
    cargo.args(["build", "--workspace", "--bins", "--message-format=json-render-diagnostics"]);
    if let Some(features) = run.arguments.device.features() {
        cargo.args(["--features", &features]);
    }
    say(&format!("$ {}", shown(&cargo)));
    let output = cargo.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("the programs do not build; see cargo's messages above");
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    for program in PROGRAMS {
        let path = executable(&messages, program, "bin")
            .with_context(|| format!("cargo did not say where it put `{program}`"))?;
        run.programs.insert(program, path);
    }
    Ok(Verdict::Fine)
}

impl Run {
    pub(super) fn program(&self, name: &str) -> Result<&Path> {
        let path = self.programs.get(name).with_context(|| format!("`{name}` was not built"))?;
        Ok(path)
    }
}
