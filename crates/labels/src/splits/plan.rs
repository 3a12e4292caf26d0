//! One division of time, and what it makes of a series.

use std::ops::Range;

use market_data::{CandleSeries, SeriesKey, Timestamp};

use super::LastDays;
use super::sequential::DAY_MILLIS;
use super::time_range::TimeRange;
use crate::error::LabelError;
use crate::label_series::LabelSeries;

/// One division of time into training and test intervals, the same for every series.
///
/// Invariant: no training interval overlaps a test interval or the embargo after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitPlan {
    train: Vec<TimeRange>,
    /// What is neither training nor test for the embargo's sake.
    embargo: Vec<TimeRange>,
    test: Vec<TimeRange>,
}

impl SplitPlan {
    /// Trains on `train` without `test` and without `embargo_millis` after each test interval.
    pub(super) fn new(train: TimeRange, test: Vec<TimeRange>, embargo_millis: i64) -> Self {
        let without = |ranges: Vec<TimeRange>, other: TimeRange| -> Vec<TimeRange> {
            ranges.into_iter().flat_map(|range| range.without(other)).collect()
        };
        let outside_tests = test.iter().copied().fold(vec![train], without);
        let blocked = |test: &TimeRange| TimeRange::new(test.from, test.to.plus_millis(embargo_millis));
        let allowed = test.iter().map(blocked).fold(outside_tests.clone(), without);
        let embargo = allowed.iter().copied().fold(outside_tests, without);
        Self { train: allowed, embargo, test }
    }

    /// All of `range` as training time and no test: for the last fit, after everything has been judged.
    pub fn everything(range: TimeRange) -> Self {
        Self::new(range, Vec::new(), 0)
    }

    /// Divides the training time once more: its last `validation_days` (of 24 hours) become the test of the new plan, and the
    /// rest of it is trained on. Of several training intervals it is the last one that is longer than that.
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`] for no day, [`LabelError::ImpossibleSplit`] where no interval is longer.
    pub fn validated(&self, validation_days: u32) -> Result<Self, LabelError> {
        let last_days = LastDays { validation_days };
        last_days.validate()?;
        let days = i64::from(validation_days) * DAY_MILLIS;
        let at = self.train.iter().rposition(|range| range.to.since(range.from) > days).ok_or_else(|| {
            LabelError::ImpossibleSplit {
                range: self.train.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "),
                reason: format!("the last {validation_days} days leave none to train on; take fewer"),
            }
        })?;
        let mut train = self.train.clone();
        let middle = train[at].to.plus_millis(-days);
        let validation = TimeRange::new(middle, train[at].to);
        train[at] = TimeRange::new(train[at].from, middle);
        Ok(Self { train, embargo: Vec::new(), test: vec![validation] })
    }

    /// The training intervals, earliest first.
    pub fn train(&self) -> &[TimeRange] {
        &self.train
    }

    /// The test intervals, earliest first.
    pub fn test(&self) -> &[TimeRange] {
        &self.test
    }

    /// Divides the labels of one series.
    pub fn apply(&self, labels: &LabelSeries) -> Split {
        let mut split = Split {
            train: TrainView { series: labels.key().clone(), candles: labels.len(), indices: Vec::new() },
            test: Vec::new(),
            intervals: Vec::with_capacity(self.test.len()),
            purged: 0,
            embargoed: 0,
            cut: 0,
        };
        let opens_in = |ranges: &[TimeRange], time| ranges.iter().any(|range| range.contains(time));
        let mut tests = vec![Vec::new(); self.test.len()];
        for index in 0..labels.len() {
            let Some(window) = labels.window(index) else { continue };
            if covered_by(&self.train, &window) {
                split.train.indices.push(index);
            } else if let Some(interval) = self.test.iter().position(|test| test.covers(&window)) {
                tests[interval].push(index);
            } else if opens_in(&self.train, window.start) {
                split.purged += 1;
            } else if opens_in(&self.embargo, window.start) {
                split.embargoed += 1;
            } else if opens_in(&self.test, window.start) {
                split.cut += 1;
            }
        }
        for indices in tests {
            let start = split.test.len();
            split.test.extend(indices);
            split.intervals.push(start..split.test.len());
        }
        split
    }

    /// The candles of one series, of which only labels inside the training intervals may be looked at.
    pub fn train_candles<'a>(&self, series: &'a CandleSeries) -> TrainCandles<'a> {
        TrainCandles { series, train: self.train.clone() }
    }
}

fn covered_by(ranges: &[TimeRange], window: &Range<Timestamp>) -> bool {
    ranges.iter().any(|range| range.covers(window))
}

/// The labels of one series, divided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    train: TrainView,
    test: Vec<usize>,
    intervals: Vec<Range<usize>>,
    purged: usize,
    embargoed: usize,
    cut: usize,
}

impl Split {
    /// What may be trained on.
    pub const fn train(&self) -> &TrainView {
        &self.train
    }

    /// The candles to test on, in increasing order. They have labels, whose windows end inside the test
    /// interval.
    pub fn test(&self) -> &[usize] {
        &self.test
    }

    /// The candles of one test interval, counted as in [`SplitPlan::test`]; empty where there is none.
    pub fn test_of(&self, interval: usize) -> &[usize] {
        self.intervals.get(interval).and_then(|range| self.test.get(range.clone())).unwrap_or_default()
    }

    /// How many labels open in training time with a window that reaches out of it.
    pub const fn purged(&self) -> usize {
        self.purged
    }

    /// How many labels open in an embargo.
    pub const fn embargoed(&self) -> usize {
        self.embargoed
    }

    /// How many labels open in a test interval with a window that reaches out of it.
    pub const fn cut(&self) -> usize {
        self.cut
    }
}

/// The labelled candles of one series on which something may be fitted. Only a [`SplitPlan`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainView {
    series: SeriesKey,
    candles: usize,
    indices: Vec<usize>,
}

impl TrainView {
    /// Key of the series whose candles the indices count.
    pub const fn series(&self) -> &SeriesKey {
        &self.series
    }

    /// How many candles that series has, training or not.
    pub const fn candles(&self) -> usize {
        self.candles
    }

    /// The candles, in increasing order.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }
}

/// A candle series of which only the training time may be looked at: for what is fitted before there are
/// labels, as a threshold is. Only a [`SplitPlan`] makes one.
#[derive(Clone, Debug)]
pub struct TrainCandles<'a> {
    series: &'a CandleSeries,
    train: Vec<TimeRange>,
}

impl<'a> TrainCandles<'a> {
    /// The whole series. What is fitted looks only where [`TrainCandles::admits`] says so.
    pub(crate) const fn series(&self) -> &'a CandleSeries {
        self.series
    }

    /// Venue, symbol and timeframe.
    pub const fn key(&self) -> &SeriesKey {
        self.series.key()
    }

    /// Whether a label of candle `index` whose window ends with candle `window_end` belongs to training: the
    /// window lies inside one training interval. False where there are no such candles.
    ///
    /// The end of the window is asked for, and not the candle at which the label became known: admission
    /// must not depend on the outcome.
    pub fn admits(&self, index: usize, window_end: usize) -> bool {
        let open_time = &self.series.columns().open_time;
        let (Some(&from), Some(&last)) = (open_time.get(index), open_time.get(window_end)) else {
            return false;
        };
        covered_by(&self.train, &(from..self.series.key().timeframe.close_of(last)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(from: i64, to: i64) -> TimeRange {
        let day = |day: i64| Timestamp::from_millis(1_700_000_000_000 + day * DAY_MILLIS);
        TimeRange::new(day(from), day(to))
    }

    #[test]
    fn the_last_days_of_training_validate() {
        let plan = SplitPlan::new(days(0, 80), vec![days(80, 100)], 0);
        let inner = plan.validated(10).unwrap();
        assert_eq!((inner.train(), inner.test()), (&[days(0, 70)][..], &[days(70, 80)][..]));
        // The same as taking the last days of a span.
        assert_eq!(LastDays { validation_days: 10 }.plan(days(0, 80)).unwrap(), [inner]);
    }

    #[test]
    fn of_several_intervals_the_last_long_enough_is_divided() {
        // Tests of days 20..40 and 75..95 leave 0..20, 40..75 and 95..100; 5 days are not longer than 5.
        let plan = SplitPlan::new(days(0, 100), vec![days(20, 40), days(75, 95)], 0);
        let inner = plan.validated(5).unwrap();
        assert_eq!(inner.train(), [days(0, 20), days(40, 70), days(95, 100)]);
        assert_eq!(inner.test(), [days(70, 75)]);
        let inner = plan.validated(4).unwrap();
        assert_eq!(inner.train(), [days(0, 20), days(40, 75), days(95, 96)]);
        assert_eq!(inner.test(), [days(96, 100)]);
    }

    #[test]
    fn what_leaves_no_training_is_refused() {
        let plan = SplitPlan::new(days(0, 80), vec![days(80, 100)], 0);
        let error = plan.validated(80).unwrap_err().to_string();
        assert!(error.contains("the last 80 days leave none to train on"), "{error}");
        assert!(plan.validated(0).unwrap_err().to_string().contains("validation_days"));
    }
}
