//! What the workspace is built from: licences, sources, and crates of which there are several versions.
//!
//! The rules stand in `deny.toml`, which cargo-deny reads too. This check needs nothing but cargo, so it runs everywhere.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::Complaints;
use super::licence::Expression;

/// The part of `deny.toml` that is checked here; the rest is for cargo-deny.
#[derive(Debug, Deserialize)]
struct Rules {
    licenses: Licences,
    bans: Bans,
    sources: Sources,
}

#[derive(Debug, Deserialize)]
struct Licences {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
    #[serde(default)]
    clarify: Vec<Clarification>,
}

#[derive(Debug, Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

/// The expression of a crate that names none.
#[derive(Debug, Deserialize)]
struct Clarification {
    #[serde(rename = "crate")]
    name: String,
    expression: String,
}

#[derive(Debug, Deserialize)]
struct Bans {
    #[serde(default)]
    skip: Vec<Skip>,
}

#[derive(Debug, Deserialize)]
struct Skip {
    /// `name@version`, without build metadata.
    #[serde(rename = "crate")]
    specification: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    /// `None` for a path.
    source: Option<String>,
}

impl Package {
    fn specification(&self) -> String {
        // A part behind `+` tells no versions apart.
        format!("{}@{}", self.name, self.version.split('+').next().unwrap_or_default())
    }
}

/// What cargo says.
pub(super) struct Facts<'text> {
    /// Of `cargo metadata`, with all features. It also names crates that no feature brings in.
    pub(super) metadata: &'text [u8],
    /// Of `cargo tree --prefix none --format {p}`, which names those that are in use: normal and build dependencies.
    pub(super) built: &'text str,
    /// The same with those of tests.
    pub(super) with_tests: &'text str,
}

/// Everything in which the dependencies do not follow the rules of `deny.toml`.
pub(super) fn complaints(facts: &Facts<'_>, deny: &str) -> Result<Complaints> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
        workspace_members: BTreeSet<String>,
    }
    let rules: Rules = toml::from_str(deny).context("cannot read deny.toml")?;
    let metadata: Metadata =
        serde_json::from_slice(facts.metadata).context("cannot read what `cargo metadata` printed")?;
    let outside = |package: &&Package| !metadata.workspace_members.contains(&package.id);
    let of_tree = |tree: &str| {
        let named = named(tree);
        let is_named =
            |package: &&Package| named.contains(&(package.name.as_str(), package.version.as_str()));
        metadata.packages.iter().filter(outside).filter(is_named).collect::<Vec<_>>()
    };
    let (built, all) = (of_tree(facts.built), of_tree(facts.with_tests));
    let mut violations = licences(&built, &rules.licenses);
    violations.extend(sources(&all, &rules.sources));
    violations.extend(duplicates(&all, &rules.bans));
    if built.is_empty() {
        violations.push("cargo named no dependency, so none was checked".to_owned());
    }
    Ok(Complaints { violations, warnings: Vec::new() })
}

/// Names and versions in lines of the form `name v1.2.3 (proc-macro)`.
fn named(tree: &str) -> BTreeSet<(&str, &str)> {
    tree.lines()
        .filter_map(|line| {
            let (name, rest) = line.split_once(" v")?;
            Some((name, rest.split(' ').next()?))
        })
        .collect()
}

fn licences(packages: &[&Package], rules: &Licences) -> Vec<String> {
    let mut found = Vec::new();
    let mut met = BTreeSet::new();
    for package in packages {
        let shown = package.specification();
        let clarified = rules.clarify.iter().find(|one| one.name == package.name);
        let Some(text) = clarified.map(|one| &one.expression).or(package.license.as_ref()) else {
            found.push(format!(
                "`{shown}` names no licence; read its files and clarify it in deny.toml, or do without"
            ));
            continue;
        };
        let Some(expression) = Expression::parse(text) else {
            found.push(format!(
                "the licence of `{shown}`, `{text}`, is no SPDX expression; clarify it in deny.toml"
            ));
            continue;
        };
        let excepted = rules.exceptions.iter().filter(|one| one.name == package.name);
        let excepted: Vec<&String> = excepted.flat_map(|one| &one.allow).collect();
        let allowed = |name: &str| rules.allow.iter().chain(excepted.iter().copied()).any(|one| one == name);
        if !expression.is_satisfied(&allowed) {
            found.push(format!("`{shown}` is under `{text}`, which deny.toml does not allow"));
        }
        met.extend(expression.licences().into_iter().map(|name| (package.name.clone(), name.to_owned())));
    }
    for name in &rules.allow {
        if !met.iter().any(|(_, met)| met == name) {
            found.push(format!("deny.toml allows `{name}`, and nothing is under it; remove it"));
        }
    }
    for one in &rules.exceptions {
        for name in &one.allow {
            if !met.contains(&(one.name.clone(), name.clone())) {
                found.push(format!(
                    "deny.toml allows `{name}` for `{}`, which is not under it; remove it",
                    one.name
                ));
            }
        }
    }
    found
}

fn sources(packages: &[&Package], rules: &Sources) -> Vec<String> {
    let is_allowed = |source: &str| {
        let registry = source.strip_prefix("registry+");
        registry.is_some_and(|address| rules.allow_registry.iter().any(|allowed| allowed == address))
    };
    packages
        .iter()
        .filter(|package| !package.source.as_deref().is_some_and(is_allowed))
        .map(|package| {
            let source = package.source.as_deref().unwrap_or("a path outside the workspace");
            format!("`{}` comes from {source}, which deny.toml does not allow", package.specification())
        })
        .collect()
}

fn duplicates(packages: &[&Package], rules: &Bans) -> Vec<String> {
    let mut versions: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for package in packages {
        versions.entry(&package.name).or_default().insert(package.specification());
    }
    let mut found = Vec::new();
    for skip in &rules.skip {
        let name = skip.specification.split('@').next().unwrap_or_default();
        let there = versions.get(name);
        if !there.is_some_and(|there| there.len() > 1 && there.contains(&skip.specification)) {
            found.push(format!("deny.toml skips `{}`, which is no duplicate; remove it", skip.specification));
        }
        if skip.reason.trim().is_empty() {
            found.push(format!("deny.toml skips `{}` without a reason", skip.specification));
        }
    }
    for there in versions.values() {
        let is_skipped = |one: &&String| rules.skip.iter().any(|skip| skip.specification == **one);
        let kept: Vec<&str> = there.iter().filter(|one| !is_skipped(one)).map(String::as_str).collect();
        if kept.len() > 1 {
            found.push(format!(
                "{} are all compiled; unite them, or skip the older ones in deny.toml and say who wants them",
                kept.join(" and ")
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENY: &str = r#"
        [licenses]
        allow = ["MIT"]
        exceptions = [{ crate = "special", allow = ["MPL-2.0"] }]
        clarify = [{ crate = "silent", expression = "MIT", license-files = [] }]
        [bans]
        multiple-versions = "deny"
        skip = [{ crate = "twice@1.0.0", reason = "for plain" }]
        [sources]
        allow-registry = ["https://registry"]"#;
    /// Name, version, licence and source.
    const GOOD: [[&str; 4]; 5] = [
        ["plain", "1.0.0", "MIT OR GPL-3.0", "registry+https://registry"],
        ["special", "1.0.0", "MPL-2.0", "registry+https://registry"],
        ["silent", "1.0.0", "", "registry+https://registry"],
        ["twice", "1.0.0+a", "MIT", "registry+https://registry"],
        ["twice", "2.0.0", "MIT", "registry+https://registry"],
    ];

    fn found(packages: &[[&str; 4]], deny: &str) -> Vec<String> {
        let quoted = |text: &str| if text.is_empty() { "null".to_owned() } else { format!("\"{text}\"") };
        let package = |[name, version, license, source]: &[&str; 4]| {
            let (license, source) = (quoted(license), quoted(source));
            format!(
                r#"{{"id":"{name} {version}","name":"{name}","version":"{version}","license":{license},"source":{source}}}"#
            )
        };
        let packages_text = packages.iter().map(package).collect::<Vec<_>>().join(",");
        let metadata = format!(
            r#"{{"packages":[{{"id":"own","name":"own","version":"0.1.0","license":null,"source":null}},
                {{"id":"unused","name":"unused","version":"1.0.0","license":"GPL-3.0","source":"git"}},
                {packages_text}],"workspace_members":["own"]}}"#
        );
        let lines = packages.iter().map(|[name, version, ..]| format!("{name} v{version} (*)\n"));
        let tree = format!("own v0.1.0 (/clone/own)\n\n{}", lines.collect::<String>());
        let facts = Facts { metadata: metadata.as_bytes(), built: &tree, with_tests: &tree };
        complaints(&facts, deny).unwrap().violations
    }

    #[test]
    fn what_follows_the_rules_is_left_alone() {
        assert_eq!(found(&GOOD, DENY), [""; 0]);
    }

    #[test]
    fn each_broken_rule_is_found() {
        let registry = "registry+https://registry";
        let cases = [
            (["a", "1.0.0", "GPL-3.0", registry], "`a@1.0.0` is under `GPL-3.0`"),
            (["a", "1.0.0", "MIT AND GPL-3.0", registry], "is under `MIT AND GPL-3.0`"),
            // An exception is for one crate only.
            (["a", "1.0.0", "MPL-2.0", registry], "`a@1.0.0` is under `MPL-2.0`"),
            (["a", "1.0.0", "", registry], "`a@1.0.0` names no licence"),
            (["a", "1.0.0", "see the file", registry], "is no SPDX expression"),
            (["a", "1.0.0", "MIT", "git+https://registry"], "comes from git+https://registry"),
            (["a", "1.0.0", "MIT", "registry+https://other"], "comes from registry+https://other"),
            (["a", "1.0.0", "MIT", ""], "comes from a path outside the workspace"),
            (["twice", "3.0.0", "MIT", registry], "twice@2.0.0 and twice@3.0.0 are all compiled"),
            (["plain", "2.0.0", "MIT", registry], "plain@1.0.0 and plain@2.0.0 are all compiled"),
        ];
        for (package, expected) in cases {
            let mut packages = GOOD.to_vec();
            packages.push(package);
            let found = found(&packages, DENY);
            assert!(found.len() == 1 && found[0].contains(expected), "{package:?}: {found:?}");
        }
    }

    #[test]
    fn rules_that_nothing_needs_any_more_are_found() {
        let cases = [
            (DENY.replace(r#"["MIT"]"#, r#"["MIT", "ISC"]"#), "allows `ISC`, and nothing"),
            (DENY.replace("special", "plain"), "allows `MPL-2.0` for `plain`"),
            (DENY.replace("twice@1.0.0", "twice@0.9.0"), "skips `twice@0.9.0`, which is no duplicate"),
            (DENY.replace("twice@1.0.0", "plain@1.0.0"), "skips `plain@1.0.0`, which is no duplicate"),
            (DENY.replace("for plain", " "), "skips `twice@1.0.0` without a reason"),
        ];
        for (deny, expected) in cases {
            let found = found(&GOOD, &deny);
            assert!(found.iter().any(|one| one.contains(expected)), "{expected}: {found:?}");
        }
    }

    #[test]
    fn metadata_that_says_nothing_is_not_taken_for_good() {
        let facts =
            Facts { metadata: br#"{"packages":[],"workspace_members":[]}"#, built: "", with_tests: "" };
        let found = complaints(&facts, DENY).unwrap().violations;
        assert!(found.iter().any(|one| one.contains("named no dependency")), "{found:?}");
        for metadata in [&b"not json"[..], b"{}", br#"{"packages":[{"id":"a"}],"workspace_members":[]}"#] {
            let facts = Facts { metadata, built: "", with_tests: "" };
            assert!(complaints(&facts, DENY).unwrap_err().to_string().contains("cargo metadata"));
        }
        let facts =
            Facts { metadata: br#"{"packages":[],"workspace_members":[]}"#, built: "", with_tests: "" };
        assert!(complaints(&facts, "[licenses]").unwrap_err().to_string().contains("deny.toml"));
    }
}
