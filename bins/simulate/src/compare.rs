//! Backtests that were made before, side by side.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use command_line::{CommonArguments, Outcome, print_json};

use crate::summary::{Summary, table};

pub(crate) fn run(directories: &[PathBuf], common: &CommonArguments) -> anyhow::Result<Outcome> {
    let mut summaries = Vec::new();
    for directory in directories {
        let path = directory.join("summary.json");
        let text = std::fs::read_to_string(&path).with_context(|| {
            format!("{}: cannot read; give a directory that `simulate` wrote", path.display())
        })?;
        let summary: Summary =
            serde_json::from_str(&text).with_context(|| format!("{}: not a summary", path.display()))?;
        ensure!(summary.command == "simulate", "{}: not a summary of `simulate`", path.display());
        summaries.push((directory.display().to_string(), summary));
    }
    let spans = |summary: &Summary| {
        summary.strategies.first().map(|row| (row.from.clone(), row.until.clone(), summary.series.clone()))
    };
    let differ = summaries.windows(2).any(|pair| spans(&pair[0].1) != spans(&pair[1].1));
    if differ {
        tracing::warn!(
            "the backtests are of different series or times: their figures cannot be compared as they stand"
        );
    }
    let otherwise = summaries.windows(2).any(|pair| pair[0].1.conditions != pair[1].1.conditions);
    if otherwise {
        tracing::warn!(
            "the backtests have different settings of engine, venue or costs: their figures cannot be compared as they stand; their reports list the settings"
        );
    }
    if common.is_json() {
        let documents: Vec<&Summary> = summaries.iter().map(|(_, summary)| summary).collect();
        print_json(&documents)?;
    } else {
        let rows = summaries.iter().flat_map(|(directory, summary)| {
            summary.strategies.iter().map(move |row| (format!("{directory} {}", row.strategy), row))
        });
        table(rows).print()?;
    }
    Ok(Outcome::finding_if(differ || otherwise))
}
