//! The labels of one series, column by column.

use std::ops::Range;

use market_data::{CandleSeries, SeriesKey, Timestamp};
use serde::Serialize;

use crate::error::LabelError;
use crate::label::Label;

/// Why a candle has no label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Absence {
    /// A rolling window over the past is not full yet: at the start of the series or after a gap.
    WarmUp,
    /// A gap of the series came before the label was known.
    Gap,
    /// The series ended before the label was known.
    EndOfSeries,
    /// Both barriers were touched in one candle, and the rule says that nothing can be known then.
    Ambiguous,
    /// The average true range in which barriers are measured is zero: the price has not moved yet.
    NoRange,
}

/// How many candles have no label, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AbsenceCounts {
    /// See [`Absence::WarmUp`].
    pub warm_up: usize,
    /// See [`Absence::Gap`].
    pub gap: usize,
    /// See [`Absence::EndOfSeries`].
    pub end_of_series: usize,
    /// See [`Absence::Ambiguous`].
    pub ambiguous: usize,
    /// See [`Absence::NoRange`].
    pub no_range: usize,
}

/// What is known about one labelled candle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LabelRow {
    /// The class.
    pub label: Label,
    /// Index of the candle at whose **close** the label became known; always later than its own.
    pub known_at_index: u32,
    /// Index of the last candle of the label's window: the latest at whose close it could have become known,
    /// whatever the price did. The same distance from every candle; at least `known_at_index`.
    pub window_end_index: u32,
    /// Average uniqueness, in `(0, 1]`; see [`LabelSeries`].
    pub uniqueness: f64,
    /// Realised log return from the close of the candle to where the label ended.
    pub forward_return: f64,
}

/// A label as a labeler finds it; uniqueness needs all of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) label: Label,
    pub(crate) known_at: usize,
    pub(crate) forward_return: f64,
}

/// The labels of one candle series, one entry per candle.
///
/// The label of candle *i* speaks of the candles `i + 1 ..= known_at_index(i)`: its **span**.
/// Its uniqueness is the average over the span of `1 / c_t`, where `c_t` is the number of labels whose
/// span holds candle *t* (López de Prado, *Advances in Financial Machine Learning*, 2018, ch. 4.3–4.4).
///
/// Its **window** goes on to `window_end_index(i)`, the latest candle at which it could have become known: a
/// barrier may be touched early, but how early is part of the outcome. Splits therefore go by the window,
/// and uniqueness by the span.
///
/// A window never reaches across a gap or past the end of the series; where it would, there is no label.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelSeries {
    key: SeriesKey,
    open_time: Vec<Timestamp>,
    /// How many candles after its own a label's window has.
    window: usize,
    outcome: Vec<Result<Label, Absence>>,
    known_at: Vec<u32>,
    uniqueness: Vec<f64>,
    forward_return: Vec<f64>,
}

impl LabelSeries {
    /// Asks `find(i, run)` for the label of every candle; `run` are the consecutive candles around it.
    /// `window` is how many candles after its own a label may look at, and needs.
    pub(crate) fn collect(
        series: &CandleSeries,
        window: u32,
        mut find: impl FnMut(usize, &Range<usize>) -> Result<Found, Absence>,
    ) -> Result<Self, LabelError> {
        let len = series.len();
        if u32::try_from(len).is_err() {
            return Err(LabelError::SeriesTooLong { series: series.key().to_string(), candles: len });
        }
        let mut outcome = Vec::with_capacity(len);
        let mut known_at = Vec::with_capacity(len);
        let mut forward_return = Vec::with_capacity(len);
        for run in series.gaps().runs(len) {
            for index in run.clone() {
                let found = find(index, &run);
                outcome.push(found.map(|found| found.label));
                let known = found.map_or(index, |found| found.known_at);
                known_at.push(u32::try_from(known).unwrap_or(u32::MAX));
                forward_return.push(found.map_or(f64::NAN, |found| found.forward_return));
            }
        }
        let uniqueness = average_uniqueness(&known_at);
        Ok(Self {
            key: series.key().clone(),
            open_time: series.columns().open_time.clone(),
            window: window as usize,
            outcome,
            known_at,
            uniqueness,
            forward_return,
        })
    }

    /// Venue, symbol and timeframe of the candles.
    pub const fn key(&self) -> &SeriesKey {
        &self.key
    }

    /// How many candles there are, labelled or not.
    pub fn len(&self) -> usize {
        self.outcome.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.outcome.is_empty()
    }

    /// The label of candle `index`; `None` where there is none, or no such candle.
    pub fn label(&self, index: usize) -> Option<Label> {
        self.outcome.get(index)?.ok()
    }

    /// Why candle `index` has no label; `None` where it has one, or there is no such candle.
    pub fn absence(&self, index: usize) -> Option<Absence> {
        self.outcome.get(index)?.err()
    }

    /// All that is known about the label of candle `index`; `None` where there is none.
    pub fn get(&self, index: usize) -> Option<LabelRow> {
        Some(LabelRow {
            label: self.label(index)?,
            known_at_index: self.known_at[index],
            // It fits: the window lies inside the series, whose indices do.
            window_end_index: u32::try_from(index + self.window).unwrap_or(u32::MAX),
            uniqueness: self.uniqueness[index],
            forward_return: self.forward_return[index],
        })
    }

    /// The labelled candles with their indices, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (usize, LabelRow)> + '_ {
        (0..self.len()).filter_map(|index| Some((index, self.get(index)?)))
    }

    /// When candle `index` opens.
    pub fn open_time(&self, index: usize) -> Option<Timestamp> {
        self.open_time.get(index).copied()
    }

    /// The time that the label of candle `index` uses, from the candle's open to the close at which the
    /// label became known; `None` where there is no label.
    pub fn span(&self, index: usize) -> Option<Range<Timestamp>> {
        self.label(index)?;
        let last = *self.open_time.get(self.known_at[index] as usize)?;
        Some(self.open_time[index]..self.key.timeframe.close_of(last))
    }

    /// The time that the label of candle `index` may use, from the candle's open to the close of the last
    /// candle of its window; `None` where there is no label. It holds [`LabelSeries::span`] and does not
    /// depend on what the price did.
    pub fn window(&self, index: usize) -> Option<Range<Timestamp>> {
        self.label(index)?;
        let last = *self.open_time.get(index + self.window)?;
        Some(self.open_time[index]..self.key.timeframe.close_of(last))
    }

    /// Number of labels per class, in class order.
    pub fn class_counts(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        for label in self.outcome.iter().flatten() {
            counts[label.index()] += 1;
        }
        counts
    }

    /// How many candles have no label, by reason.
    pub fn absences(&self) -> AbsenceCounts {
        let mut counts = AbsenceCounts::default();
        for absence in self.outcome.iter().filter_map(|outcome| outcome.err()) {
            match absence {
                Absence::WarmUp => counts.warm_up += 1,
                Absence::Gap => counts.gap += 1,
                Absence::EndOfSeries => counts.end_of_series += 1,
                Absence::Ambiguous => counts.ambiguous += 1,
                Absence::NoRange => counts.no_range += 1,
            }
        }
        counts
    }
}

/// Shares of the classes among all labels, in class order; zeros where there is no label.
pub fn class_shares(labels: &LabelSeries) -> [f64; 3] {
    shares_of_counts(labels.class_counts())
}

pub(crate) fn shares_of_counts(counts: [usize; 3]) -> [f64; 3] {
    let total: usize = counts.iter().sum();
    if total == 0 {
        return [0.0; 3];
    }
    counts.map(|count| count as f64 / total as f64)
}

/// The reason why candle `index` cannot see `ahead` candles of its run, or the index that it sees.
pub(crate) fn look_ahead(
    index: usize,
    ahead: usize,
    run: &Range<usize>,
    len: usize,
) -> Result<usize, Absence> {
    match index.checked_add(ahead) {
        Some(last) if last < run.end => Ok(last),
        _ => Err(cut_short(run, len)),
    }
}

/// Why nothing is seen after the last candle of `run`.
pub(crate) const fn cut_short(run: &Range<usize>, len: usize) -> Absence {
    if run.end == len { Absence::EndOfSeries } else { Absence::Gap }
}

/// Average uniqueness of every label; 0 where `known_at` is the candle itself, which means no label.
fn average_uniqueness(known_at: &[u32]) -> Vec<f64> {
    // Concurrency as a running sum of starts and ends of spans.
    let mut change = vec![0_i64; known_at.len() + 2];
    for (index, &known) in known_at.iter().enumerate() {
        if known as usize > index {
            change[index + 1] += 1;
            change[known as usize + 1] -= 1;
        }
    }
    let (mut concurrency, mut sum) = (0_i64, 0.0);
    let mut sum_to = Vec::with_capacity(known_at.len());
    for change in &change[..known_at.len()] {
        concurrency += change;
        if concurrency > 0 {
            sum += 1.0 / concurrency as f64;
        }
        sum_to.push(sum);
    }
    let of = |(index, &known): (usize, &u32)| {
        let known = known as usize;
        if known > index { (sum_to[known] - sum_to[index]) / (known - index) as f64 } else { 0.0 }
    };
    known_at.iter().enumerate().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spans: 0 → {1, 2}, 1 → {2, 3, 4}, 2 → none, 3 → {4}; concurrency of 1..=4: 1, 2, 1, 2.
    /// By hand: u0 = (1 + 1/2) / 2, u1 = (1/2 + 1 + 1/2) / 3, u3 = 1/2.
    #[test]
    fn uniqueness_is_that_of_the_definition() {
        let found = average_uniqueness(&[2, 4, 2, 4, 4]);
        let expected = [0.75, 2.0 / 3.0, 0.0, 0.5, 0.0];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-15, "{found} {expected}");
        }
    }
}
