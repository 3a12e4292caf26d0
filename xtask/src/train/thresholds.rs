//! Finds the thresholds under which the labels have the wanted class ratio, through `optimize-labels`.
//!
//! On the series of this run only: a store may hold more. The last part of the time is held out by the program.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde_json::Value;

use super::report::Report;
use super::{Run, Stage};
use crate::say;
use crate::verdict::Verdict;
use crate::workspace::shown;

pub(super) const STAGE: Stage = Stage { name: "thresholds", run };

/// How the candles are labelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum LabelerName {
    /// By the return over a fixed horizon
    Horizon,
    /// By the barrier touched first: what became of a position with a take-profit, a stop and a time limit
    #[default]
    TripleBarrier,
    /// By the most significant trend ahead
    TrendScanning,
}

/// What this stage and the next leave behind.
#[derive(Debug, Default)]
pub(super) struct Labels {
    /// The series that are labelled, all of one timeframe.
    pub(super) series: Vec<String>,
    /// The file of the labeler, relative to the root of the clone.
    pub(super) labeler: Option<PathBuf>,
    /// What `optimize-labels` wrote.
    pub(super) thresholds: Value,
    /// What `label-candles` wrote.
    pub(super) labels: Value,
}

fn run(run: &mut Run) -> Result<Verdict> {
    let (timeframe, series) = longest_timeframe(&run.data()?.report);
    run.labels.series = series;
    let Some(timeframe) = timeframe else {
        say("no candles of this run are stored: there is nothing to label");
        return Ok(Verdict::Fine);
    };
    say(&format!("{} series of {timeframe} are labelled", run.labels.series.len()));
    let directory = run.directory()?;
    let arguments = &run.arguments;
    let mut words: Vec<OsString> = vec!["--labeler".into(), arguments.labeler.word().into()];
    if let Some(horizon) = arguments.horizon {
        words.extend(["--horizon".into(), horizon.to_string().into()]);
    }
    if let Some(target) = &arguments.target {
        words.extend(["--target".into(), target.into()]);
    }
    words.extend(["--out".into(), directory.join("thresholds.json").into()]);
    let (document, verdict) = run.label_program("optimize-labels", words)?;
    run.labels.thresholds = document;
    let found = &run.labels.thresholds["labelers"][0];
    if let Some(problem) = found["problem"].as_str() {
        say(&format!("{}: {problem}", found["name"].as_str().unwrap_or("labeler")));
    }
    if let Some(toml) = found["toml"].as_str() {
        let path = directory.join("labeler.toml");
        std::fs::write(run.workspace.root.join(&path), toml)
            .with_context(|| format!("cannot write {}", path.display()))?;
        super::print(toml)?;
        run.labels.labeler = Some(path);
    }
    Ok(verdict)
}

impl LabelerName {
    const fn word(self) -> &'static str {
        match self {
            Self::Horizon => "horizon",
            Self::TripleBarrier => "triple-barrier",
            Self::TrendScanning => "trend-scanning",
        }
    }
}

impl Run {
    /// Runs a program on the labelled series of this run's store; its document, null where it wrote none, and
    /// how it ended. An error of the program does not end the run: the record is written all the same.
    pub(super) fn label_program(&self, name: &str, words: Vec<OsString>) -> Result<(Value, Verdict)> {
        let mut program = Command::new(self.program(name)?);
        program.arg("--data").arg(&self.store);
        for series in &self.labels.series {
            program.args(["--series", series]);
        }
        program.args(words).args(["--output-format", "json"]);
        for assignment in self.arguments.settings_of(name) {
            program.args(["--set", assignment]);
        }
        program.current_dir(&self.workspace.root).stdin(Stdio::null()).stderr(Stdio::inherit());
        say(&format!("$ {}", super::without_values(&shown(&program), &self.arguments.set)));
        let output = program.output().with_context(|| format!("cannot start {name}"))?;
        read(name, &output.stdout, output.status.code())
    }
}

fn read(name: &str, stdout: &[u8], code: Option<i32>) -> Result<(Value, Verdict)> {
    let verdict = match code {
        Some(0) => Verdict::Fine,
        Some(1) => Verdict::Finding,
        _ => Verdict::Error,
    };
    if verdict == Verdict::Error && stdout.trim_ascii().is_empty() {
        return Ok((Value::Null, verdict));
    }
    let document = serde_json::from_slice(stdout)
        .with_context(|| format!("{name} wrote no document that can be read"))?;
    Ok((document, verdict))
}

/// The stored series of the timeframe with the most candles: what counts in candles is not the same in each.
fn longest_timeframe(report: &Report) -> (Option<String>, Vec<String>) {
    let mut by_timeframe: BTreeMap<&str, (u64, Vec<String>)> = BTreeMap::new();
    let stored = report.files.iter().filter(|file| file.status.verdict() == Verdict::Fine);
    for series in stored.flat_map(|file| &file.series) {
        let key = &series.key;
        let (candles, names) = by_timeframe.entry(&key.timeframe).or_default();
        *candles += series.rows;
        let name = format!("{} {} {}", key.venue, key.symbol, key.timeframe);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if by_timeframe.len() > 1 {
        let all: Vec<&str> = by_timeframe.keys().copied().collect();
        say(&format!(
            "candles of {}: only those of the timeframe with the most are labelled",
            all.join(", ")
        ));
    }
    let most = by_timeframe.into_iter().max_by_key(|(_, (candles, _))| *candles);
    match most {
        Some((timeframe, (_, mut names))) => {
            names.sort();
            (Some(timeframe.to_owned()), names)
        }
        None => (None, Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::report::tests::DOCUMENT;

    #[test]
    fn the_timeframe_with_the_most_candles_is_labelled() {
        let report = serde_json::from_str(DOCUMENT).unwrap();
        let (timeframe, series) = longest_timeframe(&report);
        assert_eq!(
            (timeframe.as_deref(), series),
            (Some("5m"), vec!["bybit-linear BTC/USDT:USDT 5m".to_owned()])
        );
        assert_eq!(longest_timeframe(&Report::default()), (None, Vec::new()));
        // A refused file left nothing in the store.
        let refused = r#"{"files":[{"status":"refused","series":[{"rows":5}]}]}"#;
        assert_eq!(longest_timeframe(&serde_json::from_str(refused).unwrap()).0, None);
    }

    #[test]
    fn the_exit_code_is_the_verdict() {
        let verdict = |stdout: &str, code| read("x", stdout.as_bytes(), code).map(|(_, verdict)| verdict);
        assert_eq!(verdict("{}", Some(0)).unwrap(), Verdict::Fine);
        assert_eq!(verdict("{}", Some(1)).unwrap(), Verdict::Finding);
        assert_eq!(verdict("", Some(2)).unwrap(), Verdict::Error);
        assert_eq!(verdict("{}", None).unwrap(), Verdict::Error);
        assert!(verdict("", Some(0)).is_err());
        assert!(verdict("panicked", Some(1)).is_err());
    }
}
