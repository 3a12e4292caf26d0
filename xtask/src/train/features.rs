//! Computes the features of every series of this run, and proves on them that nothing looks ahead.

use std::ffi::OsString;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use super::report::{Key, Report};
use super::resume::{Kept, Reads};
use super::{Run, Stage, print};
use crate::table::table;
use crate::verdict::Verdict;

pub(super) const STAGE: Stage = Stage { name: "features", run, kept: Some(KEPT) };

const KEPT: Kept = Kept {
    reads: |_| Reads {
        programs: &[PROGRAM],
        words: vec![format!("{AUDITED} {AUDIT_MARGIN}")],
        files: Vec::new(),
    },
    writes: &[],
    goes_on: false,
    save: |run| run.features.clone().unwrap_or_default(),
    restore: |run, result| {
        run.features = Some(result).filter(|result| !result.is_null());
        Ok(())
    },
};

const PROGRAM: &str = "feature-builder";
/// Candles of each series that are audited, the last ones: enough for the default warm-up.
const AUDITED: u64 = 12_000;
/// Candles beyond two warm-ups that an audit needs.
const AUDIT_MARGIN: u64 = 512;

fn run(run: &mut Run) -> Result<Verdict> {
    let series = names(&run.data()?.report);
    if series.is_empty() {
        print("no candles, so no features\n")?;
        return Ok(Verdict::Finding);
    }
    let (built, verdict) = call(run, &["build"], &series)?;
    let rows: Vec<Built> = read(&built)?;
    print(&built_table(&rows))?;
    let audited: Vec<String> = rows
        .iter()
        .filter(|row| row.candles >= 2 * row.warm_up + AUDIT_MARGIN)
        .map(|row| row.series.name())
        .collect();
    if audited.len() < rows.len() {
        let short = rows.len() - audited.len();
        print(&format!("{short} of {} series are too short for an audit of these features\n", rows.len()))?;
    }
    let mut features = serde_json::json!({ "built": built });
    let mut audit_verdict = Verdict::Fine;
    if !audited.is_empty() {
        // A short audit in each run; `feature-builder audit` alone looks further.
        let last = AUDITED.max(rows.iter().map(|row| 2 * row.warm_up + AUDIT_MARGIN).max().unwrap_or(0));
        let words =
            ["audit", "--last", &last.to_string(), "--set", "audit.cuts=5", "--set", "audit.starts=5"];
        let (document, verdict) = call(run, &words, &audited)?;
        audit_verdict = verdict;
        print(&audit_text(&read::<Audited>(&document)?))?;
        features["audit"] = document;
    }
    run.features = Some(features);
    Ok(verdict.max(audit_verdict))
}

/// What the record says of features; the whole lies beside it.
pub(super) fn record(run: &Run) -> Value {
    let Some(features) = &run.features else { return Value::Null };
    let empty = Vec::new();
    let of = |part: &str| features[part]["series"].as_array().unwrap_or(&empty);
    let built = of("built").iter().map(|one| {
        serde_json::json!({
            "series": one["series"], "candles": one["candles"], "rows": one["rows"], "masked": one["masked"],
            "columns": one["columns"], "feature_hash": one["feature_hash"],
        })
    });
    let findings: usize = of("audit").iter().map(|one| one["findings"].as_array().map_or(0, Vec::len)).sum();
    serde_json::json!({
        "series": built.collect::<Vec<_>>(), "audited": of("audit").len(), "findings": findings,
    })
}

/// The candle series of this run as `feature-builder --series` takes them, each once.
fn names(report: &Report) -> Vec<String> {
    let stored = report.files.iter().filter(|file| file.status.verdict() == Verdict::Fine);
    let mut names: Vec<String> =
        stored.flat_map(|file| &file.series).map(|series| series.key.name()).collect();
    names.sort();
    names.dedup();
    names
}

/// Runs the program on these series; an error ends the run.
fn call(run: &Run, words: &[&str], series: &[String]) -> Result<(Value, Verdict)> {
    let words_given: Vec<OsString> = words.iter().map(OsString::from).collect();
    let (document, verdict) = run.call(PROGRAM, &words_given, series)?;
    if verdict == Verdict::Error {
        bail!("{PROGRAM} {} could not do its work; its own message stands above", words[0]);
    }
    Ok((document, verdict))
}

fn read<T: for<'de> Deserialize<'de>>(document: &Value) -> Result<Vec<T>> {
    let series = document.get("series").cloned().unwrap_or_default();
    serde_json::from_value(series).with_context(|| format!("{PROGRAM} wrote a report of another form"))
}

#[derive(Debug, Deserialize)]
struct Built {
    series: Key,
    candles: u64,
    rows: u64,
    columns: u64,
    warm_up: u64,
    masked: Masked,
    seconds: f64,
}

#[derive(Debug, Deserialize)]
struct Masked {
    warm_up: u64,
    waiting: u64,
    faulty: u64,
}

fn built_table(rows: &[Built]) -> String {
    let cells: Vec<[String; 8]> = rows
        .iter()
        .map(|row| {
            let million_rows_per_second = row.candles as f64 / row.seconds.max(1e-9) / 1e6;
            [
                row.series.name(),
                row.candles.to_string(),
                row.columns.to_string(),
                row.rows.to_string(),
                row.masked.warm_up.to_string(),
                row.masked.waiting.to_string(),
                row.masked.faulty.to_string(),
                format!("{million_rows_per_second:.2}"),
            ]
        })
        .collect();
    let header = ["series", "candles", "columns", "rows", "warm-up", "waiting", "faulty", "M rows/s"];
    table(header, &[1, 2, 3, 4, 5, 6, 7], &cells)
}

#[derive(Debug, Deserialize)]
struct Audited {
    series: Key,
    candles: u64,
    findings: Vec<Value>,
}

fn audit_text(audited: &[Audited]) -> String {
    let findings: usize = audited.iter().map(|one| one.findings.len()).sum();
    let candles: u64 = audited.iter().map(|one| one.candles).sum();
    let mut text = format!(
        "audit: {} series, {candles} candles: {}\n",
        audited.len(),
        if findings == 0 {
            "nothing looks ahead, warm-ups are long enough, live equals batch".to_owned()
        } else {
            format!("{findings} FINDINGS")
        }
    );
    for one in audited.iter().filter(|one| !one.findings.is_empty()) {
        for finding in &one.findings {
            text.push_str(&format!("  {}: {finding}\n", one.series.name()));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::report::tests::DOCUMENT;

    #[test]
    fn only_stored_series_are_asked_for_and_each_once() {
        let mut report: Report = serde_json::from_str(DOCUMENT).unwrap();
        let before = names(&report);
        assert!(!before.is_empty());
        let files = report.files.clone();
        report.files.extend(files);
        assert_eq!(names(&report), before);
    }

    #[test]
    fn findings_are_shown() {
        let document = serde_json::json!({ "series": [
            { "series": { "venue": "x", "symbol": "A/B", "timeframe": "5m" }, "candles": 7, "findings": [{ "finding": "leak" }] },
            { "series": { "venue": "x", "symbol": "C/B", "timeframe": "5m" }, "candles": 5, "findings": [] },
        ]});
        let text = audit_text(&read::<Audited>(&document).unwrap());
        assert!(
            text.contains("2 series, 12 candles: 1 FINDINGS")
                && text.contains("x A/B 5m: {\"finding\":\"leak\"}"),
            "{text}"
        );
        assert!(read::<Audited>(&serde_json::json!({ "series": 7 })).is_err());
    }
}
