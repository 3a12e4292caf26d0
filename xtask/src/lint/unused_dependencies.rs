//! Dependencies that nothing names.
//!
//! A crate must stand as a word in the code of the sources that may use it: `src` for a normal dependency, `src`, `tests`,
//! `benches` and `examples` for a development one, `build.rs` for one of the build script.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::rust_text::{code_only, words};

/// Dependencies that stand somewhere for another reason than to be named: member, dependency, reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[(
    "supervised",
    "argmin-math",
    "its feature `vec` gives `argmin` the arithmetic of vectors, which that leaves out",
)];

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    /// How the sources name it, where that differs.
    rename: Option<String>,
    /// `None` for a normal dependency, else `dev` or `build`.
    kind: Option<String>,
}

/// A Rust file, with its path from the root of the workspace.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// Every dependency that is named nowhere, from what `cargo metadata --no-deps` prints, and every one in the root's
/// Cargo.toml that no member has.
pub(super) fn violations(
    metadata: &[u8],
    root: &Path,
    manifest: &str,
    sources: &[Source],
) -> Result<Vec<String>> {
    let metadata: Metadata =
        serde_json::from_slice(metadata).context("cannot read what `cargo metadata` printed")?;
    let mut found = Vec::new();
    for package in &metadata.packages {
        let directory = package.manifest_path.parent().unwrap_or(root);
        let directory = directory.strip_prefix(root).unwrap_or(directory);
        for dependency in &package.dependencies {
            let is_named = is_named(directory, dependency, sources);
            let mut exceptions = EXCEPTIONS.iter();
            let exception =
                exceptions.find(|(member, name, _)| *member == package.name && *name == dependency.name);
            match (is_named, exception) {
                (false, None) => found.push(format!(
                    "`{}` has the {}dependency `{}`, which {} do not name; remove it from {}",
                    package.name,
                    dependency.kind.as_ref().map_or(String::new(), |kind| format!("{kind}-")),
                    dependency.name,
                    places(dependency).join(", "),
                    directory.join("Cargo.toml").display(),
                )),
                (true, Some((member, name, _))) => found.push(format!(
                    "`{member}` names `{name}`; take it off the list in xtask/src/lint/unused_dependencies.rs"
                )),
                _ => {}
            }
        }
    }
    for (member, name, _) in EXCEPTIONS {
        let package = metadata.packages.iter().find(|package| package.name == *member);
        if package.is_some_and(|package| package.dependencies.iter().all(|one| one.name != *name)) {
            found.push(format!(
                "`{member}` has no `{name}` any more; take it off the list in xtask/src/lint/unused_dependencies.rs"
            ));
        }
    }
    let had: BTreeSet<&str> =
        metadata.packages.iter().flat_map(|one| &one.dependencies).map(|one| one.name.as_str()).collect();
    for name in of_workspace(manifest)? {
        if !had.contains(name.as_str()) {
            found.push(format!("no member has the dependency `{name}`; remove it from Cargo.toml"));
        }
    }
    Ok(found)
}

/// The names in `[workspace.dependencies]`.
fn of_workspace(manifest: &str) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Manifest {
        workspace: Workspace,
    }
    #[derive(Deserialize)]
    struct Workspace {
        dependencies: toml::Table,
    }
    let manifest: Manifest = toml::from_str(manifest).context("cannot read the workspace's Cargo.toml")?;
    let package = |(name, value): (String, toml::Value)| {
        let renamed = value.get("package").and_then(toml::Value::as_str).map(str::to_owned);
        renamed.unwrap_or(name)
    };
    Ok(manifest.workspace.dependencies.into_iter().map(package).collect())
}

/// Where a dependency may be used, in the directory of its package.
fn places(dependency: &Dependency) -> &'static [&'static str] {
    match dependency.kind.as_deref() {
        None => &["src"],
        Some("dev") => &["src", "tests", "benches", "examples"],
        Some(_) => &["build.rs"],
    }
}

fn is_named(directory: &Path, dependency: &Dependency, sources: &[Source]) -> bool {
    let name = dependency.rename.as_ref().unwrap_or(&dependency.name).replace('-', "_");
    let has_doctests = dependency.kind.as_deref() == Some("dev");
    sources
        .iter()
        .filter(|source| {
            places(dependency).iter().any(|place| source.path.starts_with(directory.join(place)))
        })
        // Most files do not have the letters at all.
        .filter(|source| source.text.contains(&name))
        .any(|source| {
            words(&code_only(&source.text)).any(|word| word == name)
                || (has_doctests && is_named_in_documentation(&source.text, &name))
        })
}

/// Whether a line of documentation imports it or names something in it, as a doctest does.
fn is_named_in_documentation(text: &str, name: &str) -> bool {
    let lines = text.lines().map(str::trim_start);
    let mut documentation = lines.filter(|line| line.starts_with("///") || line.starts_with("//!"));
    documentation.any(|line| line.contains(&format!("{name}::")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "[workspace.dependencies]\none-crate = \"1\"\n";

    /// What is wrong with a member `crates/own` that has one dependency `one-crate` of a kind, and one file.
    fn found(dependency: &str, path: &str, text: &str) -> Vec<String> {
        let metadata = format!(
            r#"{{"packages":[{{"name":"own","manifest_path":"/clone/crates/own/Cargo.toml",
                "dependencies":[{{"name":"one-crate",{dependency}}}]}}]}}"#
        );
        let sources = [Source { path: path.into(), text: text.to_owned() }];
        violations(metadata.as_bytes(), Path::new("/clone"), ROOT, &sources).unwrap()
    }

    #[test]
    fn a_dependency_is_used_where_its_kind_may_be() {
        let (normal, dev, build) = (r#""kind":null"#, r#""kind":"dev""#, r#""kind":"build""#);
        let used = "use one_crate::Thing;";
        let cases = [
            (normal, "crates/own/src/a/b.rs", used, true),
            (normal, "crates/own/tests/a.rs", used, false),
            (normal, "crates/owner/src/a.rs", used, false),
            (normal, "crates/own/src/lib.rs", "use one_crates::Thing; fn one() {}", false),
            (normal, "crates/own/src/lib.rs", "// one_crate::Thing\nlet text = \"one_crate\";", false),
            (normal, "crates/own/src/lib.rs", "/// one_crate::Thing", false),
            (normal, "crates/own/src/lib.rs", "#[derive(one_crate::Thing)] struct A;", true),
            (dev, "crates/own/benches/a.rs", used, true),
            (dev, "crates/own/examples/a.rs", used, true),
            (dev, "crates/own/src/tests.rs", used, true),
            (dev, "crates/own/src/lib.rs", "/// use one_crate::Thing;", true),
            (dev, "crates/own/src/lib.rs", "/// This has nothing of one_crate in it.", false),
            (build, "crates/own/build.rs", used, true),
            (build, "crates/own/src/lib.rs", used, false),
            (r#""kind":null,"rename":"other""#, "crates/own/src/lib.rs", "use other::Thing;", true),
            (r#""kind":null,"rename":"other""#, "crates/own/src/lib.rs", used, false),
        ];
        for (dependency, path, text, is_used) in cases {
            let found = found(dependency, path, text);
            assert_eq!(found.is_empty(), is_used, "{dependency} {path} {text}: {found:?}");
            assert!(is_used || found[0].contains("dependency `one-crate`"), "{found:?}");
        }
    }

    #[test]
    fn an_exception_must_be_one() {
        let of = |dependencies: &str, text: &str| {
            let metadata = format!(
                r#"{{"packages":[{{"name":"supervised","manifest_path":"/clone/crates/supervised/Cargo.toml",
                    "dependencies":[{dependencies}]}}]}}"#
            );
            let sources = [Source { path: "crates/supervised/src/lib.rs".into(), text: text.to_owned() }];
            let root = "[workspace.dependencies]";
            violations(metadata.as_bytes(), Path::new("/clone"), root, &sources).unwrap()
        };
        let excepted = r#"{"name":"argmin-math","kind":null}"#;
        assert_eq!(of(excepted, "fn a() {}"), [""; 0]);
        assert!(of(excepted, "use argmin_math::ArgminDot;")[0].contains("take it off the list"));
        assert!(of("", "fn a() {}")[0].contains("no `argmin-math` any more"));
    }

    #[test]
    fn what_no_member_has_is_found_in_the_root() {
        let metadata = br#"{"packages":[]}"#;
        let found = |manifest: &str| violations(metadata, Path::new("/clone"), manifest, &[]);
        let names = found("[workspace.dependencies]\na = { package = \"b\", version = \"1\" }\n").unwrap();
        assert_eq!(names, ["no member has the dependency `b`; remove it from Cargo.toml"]);
        assert!(found("[package]").is_err());
        assert!(violations(b"{}", Path::new("/clone"), ROOT, &[]).is_err());
    }
}
