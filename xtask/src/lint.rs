//! `cargo xtask lint`: everything that can be said about the sources without running them.

mod floors;
mod lint_tables;
mod rust_text;
mod sans_io;
mod sources;

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::say;
use crate::verdict::Verdict;
use crate::workspace::{Workspace, run};

/// Runs every check, also after one has failed, so that one run shows all there is to mend.
pub(crate) fn lint(workspace: &Workspace) -> Result<Verdict> {
    let mut failed = Vec::new();
    let mut check = |name: &'static str, verdict: Verdict| {
        if verdict != Verdict::Fine {
            failed.push(name);
        }
    };

    check("floors", report(&floors(workspace)?));
    check("lints", report(&lint_tables(workspace)?));
    check("sources", report(&sources(workspace)?));

    let mut format = workspace.cargo();
    format.args(["fmt", "--all", "--check"]);
    check("format", run(&mut format, Verdict::Finding)?);

    let mut clippy = workspace.cargo();
    clippy.args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    check("clippy", run(&mut clippy, Verdict::Finding)?);

    let mut documentation = workspace.cargo();
    documentation.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
    check("documentation", run(&mut documentation, Verdict::Finding)?);

    if failed.is_empty() {
        say("lint: floors, lints, sources, format, clippy and documentation are fine");
        Ok(Verdict::Fine)
    } else {
        say(&format!("lint: failed: {}", failed.join(", ")));
        Ok(Verdict::Finding)
    }
}

/// Things to mend. A warning is shown and does not fail the run.
#[derive(Debug, Default, PartialEq, Eq)]
struct Complaints {
    violations: Vec<String>,
    warnings: Vec<String>,
}

fn report(complaints: &Complaints) -> Verdict {
    for warning in &complaints.warnings {
        say(&format!("warning: {warning}"));
    }
    for violation in &complaints.violations {
        say(&format!("violation: {violation}"));
    }
    if complaints.violations.is_empty() { Verdict::Fine } else { Verdict::Finding }
}

fn members(workspace: &Workspace) -> Result<Vec<floors::Member>> {
    let mut metadata = workspace.cargo();
    metadata.args(["metadata", "--format-version", "1", "--no-deps"]);
    let output = metadata.output().context("cannot start `cargo metadata`")?;
    if !output.status.success() {
        bail!("`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    floors::members(&output.stdout, &workspace.root)
}

fn floors(workspace: &Workspace) -> Result<Complaints> {
    let members = members(workspace)?;
    let mut violations = floors::violations(&members);
    let architecture = workspace.root.join("ARCHITECTURE.md");
    let architecture = std::fs::read_to_string(&architecture)
        .with_context(|| format!("cannot read {}", architecture.display()))?;
    violations.extend(floors::unlisted(&members, &architecture));
    Ok(Complaints { violations, warnings: Vec::new() })
}

fn lint_tables(workspace: &Workspace) -> Result<Complaints> {
    let read = |path: &Path| {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let root = read(&workspace.root.join("Cargo.toml"))?;
    let mut violations = Vec::new();
    for member in members(workspace)? {
        violations.extend(lint_tables::violation(&member.name, &read(&member.manifest)?, &root));
    }
    Ok(Complaints { violations, warnings: Vec::new() })
}

fn sources(workspace: &Workspace) -> Result<Complaints> {
    let mut complaints = Complaints::default();
    for path in sources::rust_files(&workspace.root)? {
        let text = std::fs::read_to_string(workspace.root.join(&path))
            .with_context(|| format!("cannot read {}", path.display()))?;
        sources::inspect(&path, &text, &mut complaints);
        sans_io::inspect(&path, &text, &mut complaints);
    }
    Ok(complaints)
}
