//! Holes in a series, and the ledger that remembers them.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::timeframe::Timeframe;
use crate::timestamp::Timestamp;

/// A stretch of candles that the source does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Index of the first candle *after* the hole; the hole lies between `index - 1` and `index`.
    pub index: usize,
    /// Open time of the first missing candle.
    pub first_missing: Timestamp,
    /// How many candles are missing.
    pub missing: u64,
}

/// All holes of one series, in order. Nothing here is ever filled; whoever builds windows asks
/// [`GapLedger::spanned_by`] and leaves out what would reach across a hole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapLedger {
    gaps: Vec<Gap>,
}

impl GapLedger {
    /// The holes between strictly increasing, aligned open times.
    pub fn of(open_times: &[Timestamp], timeframe: Timeframe) -> Self {
        let step = timeframe.millis();
        let mut gaps = Vec::new();
        for (before, pair) in open_times.windows(2).enumerate() {
            let distance = pair[1].since(pair[0]);
            if distance != step {
                gaps.push(Gap {
                    index: before + 1,
                    first_missing: pair[0].plus_millis(step),
                    missing: u64::try_from(distance / step - 1).unwrap_or(0),
                });
            }
        }
        Self { gaps }
    }

    /// Whether the candles `range` reach across a hole, so that they are not consecutive in time.
    pub fn spanned_by(&self, range: Range<usize>) -> bool {
        // A hole before index i is inside the range when both i - 1 and i are.
        let first = self.gaps.partition_point(|gap| gap.index <= range.start);
        self.gaps.get(first).is_some_and(|gap| gap.index < range.end)
    }

    /// The holes, earliest first.
    pub fn iter(&self) -> std::slice::Iter<'_, Gap> {
        self.gaps.iter()
    }

    /// How many holes there are.
    pub fn len(&self) -> usize {
        self.gaps.len()
    }

    /// Whether the series is whole.
    pub fn is_empty(&self) -> bool {
        self.gaps.is_empty()
    }

    /// How many candles are missing in all.
    pub fn missing(&self) -> u64 {
        self.gaps.iter().map(|gap| gap.missing).sum()
    }

    /// The longest hole.
    pub fn longest(&self) -> Option<&Gap> {
        self.gaps.iter().max_by_key(|gap| gap.missing)
    }

    /// The maximal runs of consecutive candles of a series of `len` candles.
    pub fn runs(&self, len: usize) -> impl Iterator<Item = Range<usize>> + '_ {
        let starts = std::iter::once(0).chain(self.gaps.iter().map(|gap| gap.index));
        let ends = self.gaps.iter().map(|gap| gap.index).chain(std::iter::once(len));
        starts.zip(ends).map(|(start, end)| start..end).filter(|run| !run.is_empty())
    }
}

impl<'a> IntoIterator for &'a GapLedger {
    type Item = &'a Gap;
    type IntoIter = std::slice::Iter<'a, Gap>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(minutes: &[i64]) -> Vec<Timestamp> {
        minutes.iter().map(|minute| Timestamp::from_millis(minute * 60_000)).collect()
    }

    #[test]
    fn counts_what_is_missing() {
        let ledger = GapLedger::of(&times(&[0, 1, 2, 5, 6, 8]), Timeframe::M1);
        let seen: Vec<_> = ledger.iter().map(|gap| (gap.index, gap.missing)).collect();
        assert_eq!(seen, [(3, 2), (5, 1)]);
        assert_eq!(ledger.missing(), 3);
        assert_eq!(ledger.longest().unwrap().first_missing, Timestamp::from_millis(3 * 60_000));
        assert_eq!(ledger.runs(6).collect::<Vec<_>>(), [0..3, 3..5, 5..6]);
    }

    #[test]
    fn a_window_may_touch_a_gap_but_not_span_it() {
        let ledger = GapLedger::of(&times(&[0, 1, 2, 5, 6]), Timeframe::M1);
        for (range, spans) in
            [(0..3, false), (3..5, false), (2..4, true), (0..5, true), (2..3, false), (3..3, false)]
        {
            assert_eq!(ledger.spanned_by(range.clone()), spans, "{range:?}");
        }
        assert!(!GapLedger::default().spanned_by(0..100));
    }
}
