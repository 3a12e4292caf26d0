//! Reads the settings of every program before any work is done: what is misspelt is refused now and not in an hour,
//! and sections that several programs share must say the same to each. What is in force is kept: it tells whether a stage
//! that is done was done with the same settings.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use super::content::{hash_at, hash_of};
use super::resume::Version;
use super::{Run, SECTIONS, Stage, without_values};
use crate::say;
use crate::verdict::Verdict;
use crate::workspace::shown;

pub(super) const STAGE: Stage = Stage { name: "settings", run, kept: None };

/// Sections on which programs must agree: a model is judged on the time that labels were held out for, and takes the
/// features that were audited.
const SHARED: &[&str] = &["features", "split"];
/// More differences than this are not listed.
const LISTED: usize = 5;

/// One value in force, as `<program> config` prints it.
#[derive(Clone, Debug, Deserialize)]
struct Setting {
    key: String,
    value: Value,
    origin: String,
}

fn run(run: &mut Run) -> Result<Verdict> {
    let mut programs = Vec::new();
    for (name, _) in SECTIONS {
        let settings = effective(run, name)?;
        let mut values = BTreeMap::new();
        for Setting { key, value, .. } in &settings {
            values.insert(key.clone(), value.clone());
        }
        let text = serde_json::to_string(&values).context("cannot write JSON")?;
        let bytes = hash_at(run.program(name)?)?;
        run.versions.insert(name, Version { bytes, settings: hash_of([text.as_str()]), values });
        programs.push((*name, settings));
    }
    let differences = differences(&programs);
    if !differences.is_empty() {
        let more = match differences.len().saturating_sub(LISTED) {
            0 => String::new(),
            more => format!("\n  and {more} more"),
        };
        bail!(
            "the programs are told different things, and must agree; write the same into their files, or give --set:\n  {}{more}",
            differences.iter().take(LISTED).cloned().collect::<Vec<_>>().join("\n  ")
        );
    }
    Ok(Verdict::Fine)
}

/// The settings of a program as files, environment and `--set` give them.
fn effective(run: &Run, name: &str) -> Result<Vec<Setting>> {
    let mut program = Command::new(run.program(name)?);
    program.args(["config", "--output-format", "json"]);
    for assignment in run.arguments.device.setting(name).iter().chain(run.arguments.settings_of(name)) {
        program.args(["--set", assignment]);
    }
    program.current_dir(&run.workspace.root).stdin(Stdio::null()).stderr(Stdio::inherit());
    say(&format!("$ {}", without_values(&shown(&program), &run.arguments.set)));
    let output = program.output().with_context(|| format!("cannot start {name}"))?;
    if !output.status.success() {
        bail!("{name} cannot read its settings; its own message stands above");
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("{name} wrote settings of another form"))
}

/// Every key of a shared section that two programs have with different values.
fn differences(programs: &[(&str, Vec<Setting>)]) -> Vec<String> {
    let mut first: BTreeMap<&str, (&str, &Setting)> = BTreeMap::new();
    let mut found = Vec::new();
    for (program, settings) in programs {
        for setting in settings {
            let section = setting.key.split('.').next().unwrap_or_default();
            if !SHARED.contains(&section) {
                continue;
            }
            let (other, known) = *first.entry(&setting.key).or_insert((*program, setting));
            if known.value != setting.value {
                found.push(format!(
                    "{}: {} for {other} ({}), {} for {program} ({})",
                    setting.key, known.value, known.origin, setting.value, setting.origin
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(settings: Value) -> Vec<Setting> {
        serde_json::from_value(settings).unwrap()
    }

    #[test]
    fn shared_sections_must_agree_and_others_need_not() {
        let setting = |key: &str, value: Value, origin: &str| serde_json::json!({ "key": key, "value": value, "origin": origin });
        let one = program(serde_json::json!([
            setting("split.share", 0.2.into(), "config/a.toml:7"),
            setting("features.scale", "close".into(), "default"),
            setting("out", "x".into(), "default"),
        ]));
        let same = program(serde_json::json!([
            setting("split.share", 0.2.into(), "--set"),
            setting("out", "y".into(), "default"),
        ]));
        assert_eq!(differences(&[("a", one.clone()), ("b", same)]), [""; 0]);
        let other = program(serde_json::json!([setting("split.share", 0.3.into(), "config/b.toml:3")]));
        assert_eq!(
            differences(&[("a", one), ("b", other)]),
            ["split.share: 0.2 for a (config/a.toml:7), 0.3 for b (config/b.toml:3)"]
        );
    }

    #[test]
    fn every_shared_section_has_several_programs() {
        for section in SHARED {
            let programs = SECTIONS.iter().filter(|(_, sections)| sections.contains(section)).count();
            assert!(programs > 1, "{section}");
        }
    }
}
