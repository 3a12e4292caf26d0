//! `cargo xtask reference`: writes the generated documents of the book anew. Tests hold them against the code.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::say;
use crate::train::programs;
use crate::verdict::Verdict;
use crate::workspace::Workspace;

/// Where the reference of settings and their schemas lie.
const SETTINGS: &str = "docs/configuration";
const FEATURES: &str = "docs/feature-reference.md";

pub(crate) fn write(workspace: &Workspace) -> Result<Verdict> {
    let programs = programs(workspace, None)?;
    let settings = workspace.root.join(SETTINGS);
    fs::create_dir_all(&settings).with_context(|| format!("cannot make {}", settings.display()))?;
    for (name, program) in &programs {
        for (form, ending) in [("--reference", "md"), ("--schema", "schema.json")] {
            written_by(workspace, program, &["config", form], &format!("{SETTINGS}/{name}.{ending}"))?;
        }
    }
    let builder = programs.get("feature-builder").context("`feature-builder` was not built")?;
    written_by(workspace, builder, &["reference"], FEATURES)?;
    Ok(Verdict::Fine)
}

/// Puts what the program prints into the document, where it differs.
fn written_by(workspace: &Workspace, program: &Path, arguments: &[&str], document: &str) -> Result<()> {
    let mut command = std::process::Command::new(program);
    command.args(arguments).current_dir(&workspace.root).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().with_context(|| format!("cannot start {}", program.display()))?;
    if !output.status.success() {
        bail!("{} {} failed; its own message stands above", program.display(), arguments.join(" "));
    }
    let path = workspace.root.join(document);
    if fs::read(&path).is_ok_and(|kept| kept == output.stdout) {
        say(&format!("{document}: as it was"));
        return Ok(());
    }
    fs::write(&path, &output.stdout).with_context(|| format!("cannot write {}", path.display()))?;
    say(&format!("{document}: written"));
    Ok(())
}
