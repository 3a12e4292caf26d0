//! `cargo xtask lint`: everything that can be said about the sources without running them.

mod dependencies;
mod floors;
mod licence;
mod lint_tables;
mod rust_text;
mod sans_io;
mod sources;
mod unused_dependencies;

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
    check("dependencies", report(&dependencies(workspace)?));
    check("unused dependencies", report(&unused_dependencies(workspace)?));
    check("cargo deny", cargo_deny(workspace)?);

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
        say("lint: floors, lints, sources, dependencies, format, clippy and documentation are fine");
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

/// What cargo prints to stdout.
fn printed(workspace: &Workspace, words: &[&str]) -> Result<Vec<u8>> {
    let name = words.first().copied().unwrap_or_default();
    let output =
        workspace.cargo().args(words).output().with_context(|| format!("cannot start `cargo {name}`"))?;
    if !output.status.success() {
        bail!("`cargo {name}` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}

const MEMBERS_ONLY: [&str; 4] = ["metadata", "--format-version", "1", "--no-deps"];

fn members(workspace: &Workspace) -> Result<Vec<floors::Member>> {
    floors::members(&printed(workspace, &MEMBERS_ONLY)?, &workspace.root)
}

fn dependencies(workspace: &Workspace) -> Result<Complaints> {
    let deny = workspace.root.join("deny.toml");
    let deny = std::fs::read_to_string(&deny).with_context(|| format!("cannot read {}", deny.display()))?;
    let metadata = ["metadata", "--format-version", "1", "--all-features", "--locked"];
    let metadata = printed(workspace, &metadata)?;
    let tree = |edges: &str| {
        let words = ["tree", "--workspace", "--all-features", "--locked", "--target", "all"];
        let format = ["--prefix", "none", "--format", "{p}", "--edges", edges];
        let tree = printed(workspace, &[words.as_slice(), format.as_slice()].concat())?;
        String::from_utf8(tree).context("`cargo tree` printed no text")
    };
    let (built, with_tests) = (tree("normal,build")?, tree("normal,build,dev")?);
    let facts = dependencies::Facts { metadata: &metadata, built: &built, with_tests: &with_tests };
    dependencies::complaints(&facts, &deny)
}

fn unused_dependencies(workspace: &Workspace) -> Result<Complaints> {
    let read = |path: &Path| {
        std::fs::read_to_string(workspace.root.join(path))
            .with_context(|| format!("cannot read {}", path.display()))
    };
    let mut files = Vec::new();
    for path in sources::rust_files(&workspace.root)? {
        files.push(unused_dependencies::Source { text: read(&path)?, path });
    }
    let metadata = printed(workspace, &MEMBERS_ONLY)?;
    let manifest = read(Path::new("Cargo.toml"))?;
    let violations = unused_dependencies::violations(&metadata, &workspace.root, &manifest, &files)?;
    Ok(Complaints { violations, warnings: Vec::new() })
}

/// Runs cargo-deny where it is installed: it knows the published advisories, which need the network.
fn cargo_deny(workspace: &Workspace) -> Result<Verdict> {
    let version = workspace.cargo().args(["deny", "--version"]).output().context("cannot start cargo")?;
    if !version.status.success() {
        say(
            "note: not run: cargo deny (advisories), because it is not installed; `cargo install cargo-deny --locked`",
        );
        return Ok(Verdict::Fine);
    }
    let mut deny = workspace.cargo();
    deny.args(["deny", "check"]);
    run(&mut deny, Verdict::Finding)
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
