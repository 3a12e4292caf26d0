//! Spans of time.

use std::fmt;
use std::ops::Range;

use market_data::{CandleSeries, Timestamp};
use serde::{Deserialize, Serialize};

/// A span of time from `from` up to, but without, `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeRange {
    /// Start, inclusive.
    pub from: Timestamp,
    /// End, exclusive.
    pub to: Timestamp,
}

impl TimeRange {
    /// From `from` up to, but without, `to`.
    pub const fn new(from: Timestamp, to: Timestamp) -> Self {
        Self { from, to }
    }

    /// From the first open to the last close of all candles of `series`; `None` where there are none.
    pub fn covering<'a>(series: impl IntoIterator<Item = &'a CandleSeries>) -> Option<Self> {
        let of = |series: &CandleSeries| {
            let (first, last) = series.range()?;
            Some(Self::new(first, series.key().timeframe.close_of(last)))
        };
        let join = |a: Self, b: Self| Self::new(a.from.min(b.from), a.to.max(b.to));
        series.into_iter().filter_map(of).reduce(join)
    }

    /// Whether it holds no time.
    pub fn is_empty(&self) -> bool {
        self.to <= self.from
    }

    /// Whether `time` lies inside.
    pub fn contains(&self, time: Timestamp) -> bool {
        self.from <= time && time < self.to
    }

    /// Whether all of `span` lies inside.
    pub fn covers(&self, span: &Range<Timestamp>) -> bool {
        self.from <= span.start && span.end <= self.to
    }

    /// Whether some of `span` lies inside.
    pub fn overlaps(&self, span: &Range<Timestamp>) -> bool {
        span.start < self.to && self.from < span.end
    }

    /// What remains of `self` without `other`.
    pub(super) fn without(self, other: Self) -> impl Iterator<Item = Self> {
        let before = Self::new(self.from, self.to.min(other.from));
        let after = Self::new(self.from.max(other.to), self.to);
        [before, after].into_iter().filter(|range| !range.is_empty())
    }
}

impl fmt::Display for TimeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.from, self.to)
    }
}
