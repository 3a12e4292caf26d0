//! Finds the thresholds under which the labels have the wanted class ratio, through `optimize-labels`.
//!
//! On the series of this run only: a store may hold more. The last part of the time is held out by the program.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde_json::{Value, json};

use super::report::Report;
use super::resume::{Kept, Reads};
use super::{Arguments, Run, Stage};
use crate::say;
use crate::verdict::Verdict;

pub(super) const STAGE: Stage = Stage { name: "thresholds", run, kept: Some(KEPT) };

const KEPT: Kept = Kept {
    reads: |run| Reads { programs: &["optimize-labels"], words: words(&run.arguments), files: Vec::new() },
    writes: &["thresholds.json", "thresholds.svg", LABELER],
    goes_on: false,
    save: |run| json!({ "thresholds": run.labels.thresholds, "labeler": run.labels.labeler, "series": run.labels.series }),
    restore: |run, mut result| {
        let of = |value: &mut Value| value.take();
        run.labels.thresholds = of(&mut result["thresholds"]);
        run.labels.labeler = serde_json::from_value(of(&mut result["labeler"]))?;
        run.labels.series = serde_json::from_value(of(&mut result["series"]))?;
        Ok(())
    },
};

/// The file of the labeler in the directory of the run.
const LABELER: &str = "labeler.toml";

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
    let mut words: Vec<OsString> = words(&run.arguments).into_iter().map(OsString::from).collect();
    words.extend(["--out".into(), directory.join("thresholds.json").into()]);
    let (document, verdict) = run.call("optimize-labels", &words, &run.labels.series)?;
    run.labels.thresholds = document;
    let found = &run.labels.thresholds["labelers"][0];
    if let Some(problem) = found["problem"].as_str() {
        say(&format!("{}: {problem}", found["name"].as_str().unwrap_or("labeler")));
    }
    if let Some(toml) = found["toml"].as_str() {
        let path = directory.join(LABELER);
        std::fs::write(run.workspace.root.join(&path), toml)
            .with_context(|| format!("cannot write {}", path.display()))?;
        super::print(toml)?;
        run.labels.labeler = Some(path);
    }
    Ok(verdict)
}

fn words(arguments: &Arguments) -> Vec<String> {
    let mut words = vec!["--labeler".to_owned(), arguments.labeler.word().to_owned()];
    if let Some(horizon) = arguments.horizon {
        words.extend(["--horizon".to_owned(), horizon.to_string()]);
    }
    if let Some(target) = &arguments.target {
        words.extend(["--target".to_owned(), target.clone()]);
    }
    words
}

impl LabelerName {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Horizon => "horizon",
            Self::TripleBarrier => "triple-barrier",
            Self::TrendScanning => "trend-scanning",
        }
    }
}

/// The stored series of the timeframe with the most candles: what counts in candles is not the same in each.
fn longest_timeframe(report: &Report) -> (Option<String>, Vec<String>) {
    let mut by_timeframe: BTreeMap<&str, (u64, Vec<String>)> = BTreeMap::new();
    let stored = report.files.iter().filter(|file| file.status.verdict() == Verdict::Fine);
    for series in stored.flat_map(|file| &file.series) {
        let (candles, names) = by_timeframe.entry(&series.key.timeframe).or_default();
        *candles += series.rows;
        let name = series.key.name();
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
}
