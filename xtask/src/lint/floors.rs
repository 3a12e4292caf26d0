//! The floors of the house: who may use whom, and what nobody on a floor may see.
//!
//! The table is the one of `ARCHITECTURE.md`. A crate uses crates of lower floors only, in normal,
//! build and development dependencies alike: a test that needs a crate from above is a test of that
//! crate, or an end-to-end test.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

const NETWORK: &[&str] = &[
    "tokio",
    "tokio-*",
    "async-std",
    "smol",
    "reqwest",
    "ureq",
    "hyper",
    "hyper-*",
    "axum",
    "tonic",
    "tungstenite",
    "rustls",
    "native-tls",
];
const MODELS: &[&str] = &["burn", "burn-*", "cubecl", "cubecl-*", "candle-core", "candle-nn", "tch", "ort"];
const OTHER_MODELS: &[&str] = &["candle-core", "candle-nn", "tch", "ort"];
const TABLES: &[&str] = &["polars", "polars-*", "arrow", "arrow-*", "parquet", "csv"];
const CLOCKS: &[&str] = &["chrono", "jiff", "time", "instant", "web-time", "quanta"];
const RANDOMNESS: &[&str] = &["rand", "rand_*", "fastrand", "getrandom"];
const EVERY_MEMBER: &str = "any crate of this workspace";

/// What a crate is allowed to know.
struct Room {
    name: &'static str,
    floor: u8,
    /// Lists of dependencies that it must not have; a trailing `*` stands for any ending.
    never: &'static [&'static [&'static str]],
}

const fn room(name: &'static str, floor: u8, never: &'static [&'static [&'static str]]) -> Room {
    Room { name, floor, never }
}

const ROOMS: &[Room] = &[
    room("market-data", 1, &[NETWORK, MODELS]),
    room("charts", 1, &[&[EVERY_MEMBER], NETWORK, MODELS, TABLES, CLOCKS]),
    room("features", 2, &[&["labels"], NETWORK, MODELS]),
    room("labels", 2, &[NETWORK, MODELS]),
    room("xlstm", 1, &[&[EVERY_MEMBER], OTHER_MODELS, TABLES, NETWORK]),
    room(
        "networks",
        2,
        &[&["market-data", "charts", "features", "labels", "trading"], OTHER_MODELS, TABLES, NETWORK],
    ),
    room("trading", 2, &[MODELS, NETWORK, CLOCKS, RANDOMNESS]),
    room("supervised", 3, &[&["trading"], OTHER_MODELS, NETWORK]),
    room("rl", 3, &[&["market-data", "features", "labels", "trading"], TABLES, NETWORK]),
    room("sim", 4, &[NETWORK]),
    room("exchange", 4, &[&["xlstm", "supervised", "rl"], MODELS]),
    room("live", 5, &[]),
    // The programs' own library and the workspace's commands know no logic at all.
    room("command-line", 6, &[&[EVERY_MEMBER], NETWORK, MODELS]),
    room("xtask", 6, &[&[EVERY_MEMBER], NETWORK, MODELS, TABLES]),
    room("end-to-end", 6, &[]),
];

const BINARIES_FLOOR: u8 = 6;

/// A crate of the workspace.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) manifest: PathBuf,
    /// Whether it lies in `bins/`: such a crate needs no row of its own.
    is_binary: bool,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    /// `None` for a normal dependency, else `dev` or `build`.
    kind: Option<String>,
}

/// Reads the members from what `cargo metadata --no-deps` prints.
pub(super) fn members(metadata: &[u8], root: &Path) -> Result<Vec<Member>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        manifest_path: PathBuf,
        dependencies: Vec<Dependency>,
    }
    let metadata: Metadata =
        serde_json::from_slice(metadata).context("cannot read what `cargo metadata` printed")?;
    let member = |package: Package| Member {
        is_binary: package.manifest_path.starts_with(root.join("bins")),
        name: package.name,
        manifest: package.manifest_path,
        dependencies: package.dependencies,
    };
    Ok(metadata.packages.into_iter().map(member).collect())
}

/// Every dependency that the floors forbid.
pub(super) fn violations(members: &[Member]) -> Vec<String> {
    let mut found = Vec::new();
    for member in members {
        let Some(floor) = floor(member) else {
            found.push(format!(
                "`{}` has no floor; add it to the table in xtask/src/lint/floors.rs and in ARCHITECTURE.md",
                member.name
            ));
            continue;
        };
        for dependency in &member.dependencies {
            let used = members.iter().find(|other| other.name == dependency.name);
            found.extend(forbidden(member, dependency, used.is_some()));
            if let Some(used) = used.filter(|used| !may_use(member, floor, used)) {
                found.push(too_high(member, floor, dependency, used));
            }
        }
    }
    found
}

/// Every crate that ARCHITECTURE.md does not speak of.
pub(super) fn unlisted(members: &[Member], architecture: &str) -> Vec<String> {
    members
        .iter()
        .filter(|member| !architecture.contains(&format!("`{}`", member.name)))
        .map(|member| format!("`{}` is not in ARCHITECTURE.md; say there what it is for", member.name))
        .collect()
}

fn room_of(name: &str) -> Option<&'static Room> {
    ROOMS.iter().find(|room| room.name == name)
}

fn floor(member: &Member) -> Option<u8> {
    let binary = member.is_binary.then_some(BINARIES_FLOOR);
    room_of(&member.name).map(|room| room.floor).or(binary)
}

fn may_use(member: &Member, from: u8, used: &Member) -> bool {
    // End-to-end tests look at everything, and every program shares one library of its own floor.
    member.name == "end-to-end"
        || (member.is_binary && used.name == "command-line")
        || floor(used).is_some_and(|to| to < from)
}

fn too_high(member: &Member, from: u8, dependency: &Dependency, used: &Member) -> String {
    let to = floor(used).map_or("none".to_owned(), |floor| floor.to_string());
    format!(
        "`{}` (floor {from}) depends on `{}` (floor {to}){}; a crate uses lower floors only: move what both need down, or the code that needs it up",
        member.name,
        used.name,
        kind(dependency),
    )
}

fn forbidden(member: &Member, dependency: &Dependency, is_member: bool) -> Option<String> {
    let mut patterns = room_of(&member.name)?.never.iter().copied().flatten();
    let pattern = patterns
        .find(|pattern| matches(pattern, &dependency.name) || (**pattern == EVERY_MEMBER && is_member))?;
    Some(format!(
        "`{}` depends on `{}`{}, and must never see {pattern}; see the floors in ARCHITECTURE.md",
        member.name,
        dependency.name,
        kind(dependency),
    ))
}

fn matches(pattern: &str, name: &str) -> bool {
    // Crate names are written with either sign.
    let (pattern, name) = (pattern.replace('_', "-"), name.replace('_', "-"));
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

fn kind(dependency: &Dependency) -> String {
    dependency.kind.as_ref().map_or(String::new(), |kind| format!(" ({kind}-dependency)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `name: dependency dependency`, where `dev:` or `build:` may stand before a dependency, and
    /// `bins/` before the name.
    fn house(lines: &[&str]) -> Vec<Member> {
        let dependency = |word: &str| match word.split_once(':') {
            Some((kind, name)) => Dependency { name: name.to_owned(), kind: Some(kind.to_owned()) },
            None => Dependency { name: word.to_owned(), kind: None },
        };
        let member = |line: &&str| {
            let (name, words) = line.split_once(": ").unwrap_or((line, ""));
            Member {
                name: name.trim_start_matches("bins/").to_owned(),
                manifest: PathBuf::new(),
                is_binary: name.starts_with("bins/"),
                dependencies: words.split_whitespace().map(dependency).collect(),
            }
        };
        lines.iter().map(member).collect()
    }

    fn found(lines: &[&str]) -> Vec<String> {
        violations(&house(lines))
    }

    #[test]
    fn the_house_as_designed_stands() {
        let lines = [
            "market-data: polars serde jiff rand dev:tempfile",
            "features: market-data",
            "labels: market-data",
            "xlstm: burn serde",
            "trading: market-data rust_decimal",
            "networks: xlstm burn rand",
            "supervised: market-data features labels xlstm networks burn",
            "rl: networks burn rand",
            "sim: market-data features trading supervised rl",
            "exchange: market-data trading tokio reqwest",
            "live: sim exchange supervised axum tokio",
            "bins/command-line: clap figment",
            "bins/data-loader: market-data exchange command-line tokio",
            "bins/optimize-labels: market-data labels command-line",
            "bins/label-candles: market-data labels command-line dev:tempfile",
            "bins/train-supervised: market-data features labels supervised command-line",
            "bins/simulate: market-data features supervised trading sim command-line",
            "xtask: clap serde_json",
            "end-to-end: live sim market-data dev:data-loader",
        ];
        assert_eq!(found(&lines), [""; 0]);
    }

    #[test]
    fn each_broken_rule_is_found() {
        // The workspace beside the crate under test is the same in all cases.
        let others = [
            "market-data",
            "features",
            "labels",
            "trading",
            "rl",
            "supervised",
            "sim",
            "exchange",
            "bins/command-line",
            "bins/data-loader",
        ];
        let cases = [
            // upwards, sideways, and in every kind of dependency
            ("market-data", "features", "floor 2"),
            ("market-data", "dev:features", "dev-dependency"),
            ("trading", "build:sim", "build-dependency"),
            ("features", "trading", "floor 2"),
            ("sim", "exchange", "floor 4"),
            ("live", "command-line", "floor 6"),
            ("bins/trader", "data-loader", "floor 6"),
            // what a crate never sees
            ("market-data", "tokio", "must never see tokio"),
            ("market-data", "tokio-tungstenite", "must never see tokio-*"),
            ("market-data", "burn-ndarray", "must never see burn-*"),
            ("features", "labels", "must never see labels"),
            ("labels", "burn", "must never see burn"),
            ("xlstm", "market-data", "any crate of this workspace"),
            ("xlstm", "polars", "must never see polars"),
            ("trading", "jiff", "must never see jiff"),
            ("trading", "dev:rand_chacha", "must never see rand_*"),
            ("trading", "tokio", "must never see tokio"),
            ("supervised", "trading", "must never see trading"),
            ("supervised", "tch", "must never see tch"),
            ("supervised", "rl", "floor 3"),
            ("rl", "market-data", "must never see market-data"),
            ("sim", "reqwest", "must never see reqwest"),
            ("exchange", "rl", "must never see rl"),
            ("exchange", "burn", "must never see burn"),
            ("bins/command-line", "market-data", "any crate of this workspace"),
            ("xtask", "market-data", "any crate of this workspace"),
        ];
        for (name, dependency, expected) in cases {
            let line = format!("{name}: {dependency}");
            let mut lines: Vec<&str> = others.iter().copied().filter(|other| *other != name).collect();
            lines.push(&line);
            let found = found(&lines);
            assert!(
                found.iter().any(|violation| violation.contains(expected)),
                "{line}: expected `{expected}` among {found:?}"
            );
        }
    }

    #[test]
    fn a_crate_without_floor_is_found() {
        let found = found(&["oracle: serde"]);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("`oracle` has no floor"), "{found:?}");
    }

    #[test]
    fn a_crate_that_the_architecture_does_not_name_is_found() {
        let members = house(&["market-data", "sim"]);
        let found = unlisted(&members, "| 1 | `market-data` | candles; sim without quotes |");
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("`sim`"), "{found:?}");
    }

    #[test]
    fn metadata_of_cargo_is_read() {
        let metadata = br#"{"packages":[{"name":"a","manifest_path":"/clone/bins/a/Cargo.toml",
            "dependencies":[{"name":"b","kind":null,"req":"*"},{"name":"c","kind":"dev"}]}],"version":1}"#;
        let members = members(metadata, Path::new("/clone")).unwrap();
        assert!(members[0].is_binary);
        let kinds: Vec<_> =
            members[0].dependencies.iter().map(|dependency| dependency.kind.as_deref()).collect();
        assert_eq!(kinds, [None, Some("dev")]);
    }
}
