//! From a raw series to a sound one, with a report of everything that was in the way.

use std::collections::{BTreeMap, HashSet};

use crate::candle::fault_of;
use crate::error::MarketDataError;
use crate::read::RawSeries;
use crate::series::{CandleColumns, CandleSeries};
use crate::symbol::SeriesKey;
use crate::timestamp::Timestamp;

use super::plausibility::assess_columns;
use super::{FindingKind, FindingSummary, GapSummary, Policy, QualityReport, Refusal};

/// A sound series with its report.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// What remains under the policy.
    pub series: CandleSeries,
    /// What was found.
    pub report: QualityReport,
}

/// Turns a raw series into a sound one under `policy`.
///
/// Newest-first files are turned around, which is a convention and no fault. A candle that has not
/// closed by `now` is a finding; give `None` where there is no clock.
///
/// # Errors
/// [`MarketDataError::Refused`] with the whole report when the policy is [`Policy::Reject`] and there is
/// a finding, when most open times are off the grid, or when nothing remains.
pub fn inspect(
    mut raw: RawSeries,
    key: SeriesKey,
    file: &str,
    policy: Policy,
    now: Option<Timestamp>,
) -> Result<Inspected, MarketDataError> {
    let mut notes = Vec::new();
    if is_newest_first(&raw.columns.open_time) {
        turn_around(&mut raw);
        notes.push("rows were newest first and were turned around".to_owned());
    }
    let findings = Findings::of(&raw, &key, now);
    let mut report = QualityReport {
        file: file.to_owned(),
        rows_read: raw.columns.len() as u64,
        rows: 0,
        removed: 0,
        first: None,
        last: None,
        gaps: GapSummary::default(),
        zero_volume: 0,
        findings: findings.summaries(&raw, &key),
        signs: Vec::new(),
        notes,
        content_hash: String::new(),
        key: key.clone(),
    };
    let off_grid = report.findings.get(&FindingKind::OffGrid).map_or(0, |summary| summary.count);
    let refused = !report.findings.is_empty() && policy == Policy::Reject;
    // A wrong clock is no matter of single rows: no policy takes such a file.
    if refused || off_grid * 2 > report.rows_read {
        if !key.venue.is_synthetic() {
            report.signs = assess_columns(&key, &raw.columns.select(&findings.possible(raw.columns.len())));
        }
        return Err(refusal(report, policy));
    }
    let columns =
        if findings.rows.is_empty() { raw.columns } else { raw.columns.select(&findings.kept(&raw, policy)) };
    // A policy is for single rows. When it would leave out most of a file, something else is wrong: one
    // stamp from the future, for example, puts all later rows out of order.
    if (columns.len() as u64) * 2 < report.rows_read {
        report.removed = report.rows_read - columns.len() as u64;
        return Err(refusal(report, policy));
    }
    report.rows = columns.len() as u64;
    report.removed = report.rows_read - report.rows;
    if columns.is_empty() {
        return Err(refusal(report, policy));
    }
    report.zero_volume = columns.volume.iter().filter(|volume| **volume == 0.0).count() as u64;
    report.content_hash = columns.content_hash();
    let series = CandleSeries::from_sound(key, columns);
    (report.first, report.last) = series.range().unzip();
    report.gaps = GapSummary::of(series.gaps());
    Ok(Inspected { series, report })
}

fn refusal(report: QualityReport, policy: Policy) -> MarketDataError {
    MarketDataError::Refused(Box::new(Refusal { report, policy, refused_signs: Vec::new() }))
}

/// Whether a file runs from the newest candle to the oldest; a few rows out of order do not matter.
fn is_newest_first(times: &[Timestamp]) -> bool {
    let (mut back, mut forth) = (0_usize, 0_usize);
    for pair in times.windows(2) {
        back += usize::from(pair[1] < pair[0]);
        forth += usize::from(pair[1] > pair[0]);
    }
    back > forth
}

fn turn_around(raw: &mut RawSeries) {
    let len = raw.columns.len();
    raw.columns.reverse();
    raw.lines.reverse();
    for row in &mut raw.finer_times {
        *row = len - 1 - *row;
    }
    raw.finer_times.reverse();
}

/// All findings, as (row, kind) in the order of the rows.
struct Findings {
    rows: Vec<(usize, FindingKind)>,
    /// For each repetition or conflict, the earlier row with the same open time.
    earlier: BTreeMap<usize, usize>,
}

impl Findings {
    fn of(raw: &RawSeries, key: &SeriesKey, now: Option<Timestamp>) -> Self {
        let columns = &raw.columns;
        let mut rows = Vec::new();
        let mut earlier = BTreeMap::new();
        let quantum = volume_quantum(&columns.volume);
        let mut finer = raw.finer_times.iter().copied().peekable();
        let mut latest: Option<Timestamp> = None;
        let mut in_order = true;
        let (step, mut aligned) = (key.timeframe.millis(), false);
        for row in 0..columns.len() {
            let time = columns.open_time[row];
            let (low, high, volume) = (columns.low[row], columns.high[row], columns.volume[row]);
            let turnover = columns.turnover.as_ref().map_or(f64::NAN, |turnover| turnover[row]);
            let known = if turnover.is_nan() { 0.0 } else { turnover };
            let fault = fault_of(columns.open[row], high, low, columns.close[row], volume, known);
            if let Some(fault) = fault {
                rows.push((row, fault.into()));
            } else if !turnover_fits(turnover, volume, low, high, quantum) {
                rows.push((row, FindingKind::TurnoverOutsideRange));
            }
            let is_finer = finer.next_if_eq(&row).is_some();
            // One step after an aligned time is aligned, without a division.
            let follows = aligned && row > 0 && time.since(columns.open_time[row - 1]) == step;
            aligned = follows || key.timeframe.is_aligned(time);
            if is_finer || !aligned {
                rows.push((row, FindingKind::OffGrid));
            }
            let unfinished = now.is_some_and(|now| key.timeframe.close_of(time) > now);
            if unfinished {
                rows.push((row, FindingKind::Unfinished));
            }
            match latest {
                Some(latest) if time < latest => {
                    rows.push((row, FindingKind::OutOfOrder));
                    in_order = false;
                }
                Some(latest) if time == latest && in_order => {
                    rows.push((row, repetition(columns, row - 1, row)));
                    earlier.insert(row, row - 1);
                }
                _ => {}
            }
            // A stamp from the future puts nothing after it out of order.
            if !unfinished {
                latest = latest.max(Some(time));
            }
        }
        let mut findings = Self { rows, earlier };
        if !in_order {
            findings.find_scattered_repetitions(columns);
        }
        findings
    }

    /// Where rows are out of order, repetitions are not neighbours.
    fn find_scattered_repetitions(&mut self, columns: &CandleColumns) {
        let mut first_with = std::collections::HashMap::with_capacity(columns.len());
        for row in 0..columns.len() {
            match first_with.entry(columns.open_time[row]) {
                std::collections::hash_map::Entry::Vacant(entry) => {
                    entry.insert(row);
                }
                std::collections::hash_map::Entry::Occupied(entry) => {
                    if self.earlier.insert(row, *entry.get()).is_none() {
                        self.rows.push((row, repetition(columns, *entry.get(), row)));
                    }
                }
            }
        }
        self.rows.sort_by_key(|(row, kind)| (*row, *kind));
    }

    fn summaries(&self, raw: &RawSeries, key: &SeriesKey) -> BTreeMap<FindingKind, FindingSummary> {
        let mut summaries = BTreeMap::new();
        for (row, kind) in &self.rows {
            let summary = summaries.entry(*kind).or_insert_with(|| FindingSummary {
                count: 0,
                line: u64::from(raw.lines.get(*row).copied().unwrap_or(0)),
                example: self.describe(raw, key, *row, *kind),
            });
            summary.count += 1;
        }
        summaries
    }

    fn describe(&self, raw: &RawSeries, key: &SeriesKey, row: usize, kind: FindingKind) -> String {
        let candle = raw.columns.get(row);
        let time = candle.open_time;
        match kind {
            FindingKind::Duplicate | FindingKind::ConflictingDuplicate => {
                let earlier =
                    self.earlier.get(&row).and_then(|row| raw.lines.get(*row)).copied().unwrap_or(0);
                format!("{time} repeats line {earlier}")
            }
            FindingKind::OutOfOrder => {
                let before = raw.columns.open_time[..row].iter().max().copied().unwrap_or(time);
                format!("{time} comes after {before}")
            }
            FindingKind::OffGrid => {
                let late = time.since(key.timeframe.floor(time));
                format!("{time} is {} after the {} grid", duration(late), key.timeframe)
            }
            FindingKind::Unfinished => format!("{time} closes at {}", key.timeframe.close_of(time)),
            FindingKind::NonFinite
            | FindingKind::NonPositivePrice
            | FindingKind::ImpossibleOhlc
            | FindingKind::NegativeVolume => format!(
                "{time} has open {}, high {}, low {}, close {}, volume {}",
                candle.open, candle.high, candle.low, candle.close, candle.volume
            ),
            FindingKind::TurnoverOutsideRange => {
                let turnover = candle.turnover.unwrap_or(f64::NAN);
                format!(
                    "{time} turned over {turnover} for a volume of {}, {} per unit, at prices from {} to {}",
                    candle.volume,
                    turnover / candle.volume,
                    candle.low,
                    candle.high
                )
            }
        }
    }

    /// The rows whose candle could have happened, wherever its time lies.
    fn possible(&self, len: usize) -> Vec<usize> {
        let mut out = vec![false; len];
        for (row, kind) in &self.rows {
            out[*row] |= !matches!(
                kind,
                FindingKind::OffGrid | FindingKind::Unfinished | FindingKind::TurnoverOutsideRange
            );
        }
        (0..len).filter(|row| !out[*row]).collect()
    }

    /// The rows that remain, in order of time, each time once.
    fn kept(&self, raw: &RawSeries, policy: Policy) -> Vec<usize> {
        if policy == Policy::KeepFirst {
            return self.first_of_each_time(raw);
        }
        let mut out = vec![false; raw.columns.len()];
        for (row, _) in &self.rows {
            out[*row] = true;
        }
        if policy == Policy::Drop {
            // Of a time with two truths nothing is kept, not even a value that stands there twice.
            let disputed: HashSet<Timestamp> = self
                .rows
                .iter()
                .filter(|(_, kind)| *kind == FindingKind::ConflictingDuplicate)
                .map(|(row, _)| raw.columns.open_time[*row])
                .collect();
            if !disputed.is_empty() {
                for (row, time) in raw.columns.open_time.iter().enumerate() {
                    out[row] |= disputed.contains(time);
                }
            }
        }
        let mut kept: Vec<usize> = (0..out.len()).filter(|row| !out[*row]).collect();
        kept.sort_by_key(|row| raw.columns.open_time[*row]);
        kept
    }

    /// Of the rows whose own values have no fault, for each time the one that stands first in the file: in a file that was turned
    /// around that is the last one here.
    fn first_of_each_time(&self, raw: &RawSeries) -> Vec<usize> {
        let is_of_others = |kind: &FindingKind| {
            matches!(
                kind,
                FindingKind::Duplicate | FindingKind::ConflictingDuplicate | FindingKind::OutOfOrder
            )
        };
        let mut out = vec![false; raw.columns.len()];
        for (row, _) in self.rows.iter().filter(|(_, kind)| !is_of_others(kind)) {
            out[*row] = true;
        }
        let mut kept: Vec<usize> = (0..out.len()).filter(|row| !out[*row]).collect();
        let line = |row: &usize| raw.lines.get(*row).copied().unwrap_or(u32::MAX);
        kept.sort_by_key(|row| (raw.columns.open_time[*row], line(row)));
        kept.dedup_by_key(|row| raw.columns.open_time[*row]);
        kept
    }
}

fn repetition(columns: &CandleColumns, earlier: usize, row: usize) -> FindingKind {
    let bits = |row: usize| {
        let candle = columns.get(row);
        [
            candle.open,
            candle.high,
            candle.low,
            candle.close,
            candle.volume,
            candle.turnover.unwrap_or(f64::NAN),
        ]
        .map(f64::to_bits)
    };
    if bits(earlier) == bits(row) { FindingKind::Duplicate } else { FindingKind::ConflictingDuplicate }
}

/// The step in which volumes are written (0.01, 1, …), from the decimals of the first candles.
fn volume_quantum(volumes: &[f64]) -> f64 {
    let mut quantum = 1.0;
    for volume in volumes.iter().take(1_000).filter(|volume| volume.is_finite()) {
        while quantum > 1e-8 && ((volume / quantum).round() * quantum - volume).abs() > quantum * 1e-3 {
            quantum /= 10.0;
        }
    }
    quantum
}

/// Whether turnover per unit of volume lies between low and high, give or take 5 % and the rounding of
/// the volume: archives round small volumes hard.
fn turnover_fits(turnover: f64, volume: f64, low: f64, high: f64, quantum: f64) -> bool {
    if turnover.is_nan() || volume <= quantum || turnover == 0.0 {
        return true;
    }
    // Multiplied out, because this runs for every candle of every file.
    turnover >= low * (0.95 * volume - quantum) && turnover <= high * (1.05 * volume + quantum)
}

/// Milliseconds in words: `16 min 48.939 s`.
fn duration(millis: i64) -> String {
    let mut parts = Vec::new();
    for (name, length) in [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000)] {
        let count = millis / length
            % if name == "h" {
                24
            } else if name == "min" {
                60
            } else {
                i64::MAX
            };
        if count > 0 {
            parts.push(format!("{count} {name}"));
        }
    }
    let seconds = (millis % 60_000) as f64 / 1_000.0;
    if seconds > 0.0 || parts.is_empty() {
        parts.push(format!("{seconds} s"));
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests;
