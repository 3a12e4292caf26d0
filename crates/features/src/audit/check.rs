//! The checks of an audit.

use market_data::CandleSeries;

use super::noise::OtherFuture;
use super::{AuditOptions, AuditReport, ColumnAudit, FeatureSource, Finding};
use crate::buffer::ColumnBuffer;
use crate::column::{ColumnInfo, Group, Unit};
use crate::error::FeatureError;
use crate::frame::FeatureFrame;
use crate::pipeline::Outside;
use crate::spec::PriceScale;

/// Candles beyond the longest warm-up that a start is compared over.
const COMPARED: usize = 256;
/// Share of rows that may disagree alone: where a phase jumps, two sums of the same numbers in another order
/// can fall on the two sides of the jump, and the rows around it agree.
const ISOLATED: f64 = 2e-4;
/// The same for candlestick patterns. They compare a body with a mean of bodies by TA-Lib's running sums, and
/// prices are whole ticks: a tie is nothing rare, and TA-Lib leaves it to the rounding of everything that went
/// through the sum. Up to six rows of ten thousand were seen (ADA/USDT:USDT 5m, harami).
const ISOLATED_PATTERNS: f64 = 2e-3;

/// How far runs from other candles agree with the whole.
#[derive(Clone, Debug, Default)]
struct Agreement {
    /// Candles after which they agree, but for rows that disagree alone.
    measured: usize,
    /// Rows beyond the stated warm-up that disagree alone.
    isolated: usize,
    /// Candles until after the last of them.
    last_isolated: usize,
}

impl Agreement {
    /// Takes the rows of one run that disagree, in increasing order.
    fn add(&mut self, rows: &[usize], column: &ColumnInfo) {
        for (index, &row) in rows.iter().enumerate() {
            let beside = |other: Option<&usize>| other.is_some_and(|other| other.abs_diff(row) == 1);
            // A pattern has no memory of its own: a tie on two candles in turn is two ties.
            let alone = column.group == Group::Pattern
                || !beside(index.checked_sub(1).and_then(|before| rows.get(before)))
                    && !beside(rows.get(index + 1));
            if row < column.warm_up || !alone {
                self.measured = self.measured.max(row + 1);
            } else {
                self.isolated += 1;
                self.last_isolated = self.last_isolated.max(row + 1);
            }
        }
    }
}

pub(super) struct Audit<'a, S, P> {
    source: &'a S,
    series: &'a CandleSeries,
    outside: Outside<'a>,
    options: &'a AuditOptions,
    progress: P,
    done: usize,
    /// The features of the whole series, masked rows kept.
    whole: FeatureFrame,
    warm_up: usize,
    findings: Vec<Finding>,
}

impl<'a, S: FeatureSource, P: FnMut(usize, usize)> Audit<'a, S, P> {
    pub(super) fn new(
        source: &'a S,
        series: &'a CandleSeries,
        outside: Outside<'a>,
        options: &'a AuditOptions,
        progress: P,
    ) -> Result<Self, FeatureError> {
        let whole = source.unmasked(series, outside)?;
        let warm_up = whole.columns().iter().map(|column| column.warm_up).max().unwrap_or(0);
        let needed = 2 * warm_up + 2 * COMPARED;
        if whole.len() < needed {
            let mut slow: Vec<_> = whole.columns().iter().collect();
            slow.sort_by_key(|column| std::cmp::Reverse(column.warm_up));
            let slow: Vec<String> =
                slow.iter().take(3).map(|column| format!("{} ({})", column.name, column.warm_up)).collect();
            return Err(FeatureError::TooLittle {
                what: format!("an audit of {}", series.key()),
                needed,
                unit: "candles",
                found: whole.len(),
                remedy: format!(
                    "give more, or leave out the columns that warm up longest: {}",
                    slow.join(", ")
                ),
            });
        }
        Ok(Self { source, series, outside, options, progress, done: 0, whole, warm_up, findings: Vec::new() })
    }

    pub(super) fn run(mut self) -> Result<AuditReport, FeatureError> {
        self.step();
        let cuts = self.causality()?;
        let (measured, starts) = self.warm_ups()?;
        let live_candles = self.live()?;
        let extremes = self.values();
        let columns = self.whole.columns().iter().enumerate().map(|(index, column)| ColumnAudit {
            name: column.name.clone(),
            stated_warm_up: column.warm_up,
            measured_warm_up: measured[index].measured,
            isolated: measured[index].isolated,
            smallest: extremes[index].0,
            largest: extremes[index].1,
            sound: !self.findings.iter().any(|finding| finding.column() == column.name),
        });
        Ok(AuditReport {
            series: self.series.key().clone(),
            candles: self.series.len(),
            rows: self.whole.valid_rows(),
            cuts,
            starts,
            live_candles,
            columns: columns.collect(),
            findings: self.findings,
        })
    }

    fn step(&mut self) {
        self.done += 1;
        (self.progress)(self.done, self.options.cuts + self.options.starts + 2);
    }

    fn time(&self, row: usize) -> String {
        self.series.columns().open_time[row].to_string()
    }

    /// `count` rows from `first` up to `last`, spread evenly.
    fn spread(first: usize, last: usize, count: usize) -> Vec<usize> {
        let span = last.saturating_sub(first);
        let count = count.min(span + 1);
        let mut rows: Vec<usize> = (0..count)
            .map(|step| first + (span as u128 * step as u128 / count.max(2) as u128) as usize)
            .collect();
        rows.dedup();
        rows
    }

    fn causality(&mut self) -> Result<usize, FeatureError> {
        // The last cut leaves room for some noise.
        let last = self.whole.len() - 1 - self.options.noise_candles.min(self.whole.len() / 4);
        let cuts = Self::spread(self.warm_up + 1, last, self.options.cuts);
        for &cut in &cuts {
            let seed = self.options.seed.wrapping_add(cut as u64);
            let future =
                OtherFuture::after(self.series, self.outside, cut, self.options.noise_candles, seed)?;
            let other = self.source.unmasked(&future.series, future.outside())?;
            for (index, column) in self.whole.columns().iter().enumerate() {
                let (real, noisy) = (&self.whole.values()[index][..=cut], &other.values()[index][..=cut]);
                let differs =
                    |(l, r): (&f64, &f64)| l.to_bits() != r.to_bits() && !(l.is_nan() && r.is_nan());
                let known = |finding: &Finding| matches!(finding, Finding::Leak { column: known, .. } if *known == column.name);
                if let Some(row) = real.iter().zip(noisy).position(differs)
                    && !self.findings.iter().any(known)
                {
                    self.findings.push(Finding::Leak {
                        column: column.name.clone(),
                        row: self.time(row),
                        cut: self.time(cut),
                        candles_before_cut: cut - row,
                    });
                }
            }
            self.step();
        }
        Ok(cuts.len())
    }

    /// For each column the candles until it agrees from every start with the rows that disagree alone after
    /// that, and how many starts there were.
    fn warm_ups(&mut self) -> Result<(Vec<Agreement>, usize), FeatureError> {
        let sizes = self.sizes();
        let mut found = vec![Agreement::default(); sizes.len()];
        let length = self.warm_up + COMPARED;
        let mut starts = 0;
        for start in Self::spread(self.warm_up + 1, self.whole.len() - length, self.options.starts) {
            // A run that itself just began would agree without having to.
            if self.whole.is_valid(start) {
                starts += 1;
                let part = self.series.columns().slice(start..start + length);
                let part = CandleSeries::new(self.series.key().clone(), part).map_err(|error| {
                    FeatureError::mismatch("a part of the series", "a sound series", error)
                })?;
                let part = self.source.unmasked(&part, self.outside)?;
                for (column, size) in sizes.iter().enumerate() {
                    let whole = &self.whole.values()[column][start..start + length];
                    let disagrees = |(part, whole): (&f64, &f64)| {
                        let size = size.max(part.abs()).max(whole.abs());
                        let differs =
                            (part - whole).abs() > self.options.tolerance * size || !whole.is_finite();
                        part.is_finite() && differs
                    };
                    let rows: Vec<usize> = part.values()[column]
                        .iter()
                        .zip(whole)
                        .enumerate()
                        .filter_map(|(row, pair)| disagrees(pair).then_some(row))
                        .collect();
                    found[column].add(&rows, &self.whole.columns()[column]);
                }
            }
            self.step();
        }
        if starts == 0 {
            return Err(FeatureError::TooLittle {
                what: format!("measuring the warm-up on {}", self.series.key()),
                needed: 1,
                unit: "unmasked rows to start from",
                found: 0,
                remedy: "the series has too many gaps for these warm-ups; give another, or shorter periods"
                    .to_owned(),
            });
        }
        for (column, agreement) in self.whole.columns().iter().zip(&mut found) {
            let share = if column.group == Group::Pattern { ISOLATED_PATTERNS } else { ISOLATED };
            if agreement.isolated as f64 > (share * (starts * length) as f64).max(1.0) {
                agreement.measured = agreement.measured.max(agreement.last_isolated);
            }
            if agreement.measured > column.warm_up {
                let (column, stated, measured) = (column.name.clone(), column.warm_up, agreement.measured);
                self.findings.push(Finding::WarmUp { column, stated, measured });
            }
        }
        Ok((found, starts))
    }

    /// Mean size of each column's unmasked values.
    fn sizes(&self) -> Vec<f64> {
        let rows = self.whole.valid_rows().max(1) as f64;
        let valid = self.whole.valid();
        let size = |values: &ColumnBuffer<f64>| {
            let unmasked = values.iter().zip(valid).filter(|(_, valid)| **valid);
            unmasked.map(|(value, _)| value.abs()).sum::<f64>() / rows
        };
        self.whole.values().iter().map(size).collect()
    }

    fn live(&mut self) -> Result<usize, FeatureError> {
        let candles = self.options.live_candles.min(self.series.len());
        let Some(live) = self.source.live(self.series, self.outside, candles)? else {
            self.step();
            return Ok(0);
        };
        let candles = live.len();
        let mask = (0..candles).find(|row| live.is_valid(*row) != self.whole.is_valid(*row));
        if let Some(row) = mask {
            self.findings.push(Finding::Live { column: "mask".to_owned(), row: self.time(row) });
        }
        for (index, column) in self.whole.columns().iter().enumerate() {
            let (live_values, values) = (&live.values()[index], &self.whole.values()[index]);
            let differs =
                |row: &usize| live.is_valid(*row) && live_values[*row].to_bits() != values[*row].to_bits();
            if let Some(row) = (0..candles).find(differs) {
                self.findings.push(Finding::Live { column: column.name.clone(), row: self.time(row) });
            }
        }
        self.step();
        Ok(candles)
    }

    /// Checks that values are finite and within their columns' ranges; gives the extremes.
    fn values(&mut self) -> Vec<(f64, f64)> {
        let masked = self.whole.masked();
        if let Some((row, column)) = masked.first_fault.clone() {
            let rows = masked.faulty;
            self.findings.push(Finding::NotFinite { column, row: self.time(row), rows });
        }
        let mut extremes = Vec::with_capacity(self.whole.columns().len());
        for (index, column) in self.whole.columns().iter().enumerate() {
            let unmasked =
                self.whole.values()[index].iter().zip(self.whole.valid()).filter(|(_, valid)| **valid);
            let (low, high) = unmasked.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (value, _)| {
                (low.min(*value), high.max(*value))
            });
            extremes.push((low, high));
            // The stated range is that of the indicator's own unit.
            if column.unit != Unit::Plain && self.source.scale() != PriceScale::Raw {
                continue;
            }
            let slack = |bound: f64| 1e-9 * bound.abs().max(1.0);
            let (minimum, maximum) = (column.minimum, column.maximum);
            let beyond = if low < minimum - slack(minimum) {
                Some(low)
            } else {
                (high > maximum + slack(maximum)).then_some(high)
            };
            if let Some(value) = beyond {
                let column = column.name.clone();
                self.findings.push(Finding::Range { column, value, minimum, maximum });
            }
        }
        extremes
    }
}
