//! Splits in which all training comes before the test.
//!
//! None of them has an embargo: an embargo keeps training labels away that *follow* a test, and here
//! none does.

use market_data::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::plan::SplitPlan;
use super::time_range::TimeRange;
use crate::error::{LabelError, require};

pub(super) const DAY_MILLIS: i64 = 86_400_000;
/// More windows than this are a mistaken range: a step of a day gets this far in 27 years.
const MAXIMUM_WINDOWS: usize = 10_000;

fn days(days: u32) -> i64 {
    i64::from(days) * DAY_MILLIS
}

fn impossible(range: TimeRange, reason: String) -> LabelError {
    LabelError::ImpossibleSplit { range: range.to_string(), reason }
}

/// Train on what comes before `train_end`, test on what comes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Holdout {
    /// Where training begins. Absent: where the data do.
    #[serde(default)]
    pub train_start: Option<Timestamp>,
    /// Where training ends and the test begins.
    pub train_end: Timestamp,
    /// Where the test ends. Absent: where the data do.
    #[serde(default)]
    pub test_end: Option<Timestamp>,
}

impl Holdout {
    /// Refuses values that leave nothing to train on or to test.
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`] names the field and its range.
    pub fn validate(&self) -> Result<(), LabelError> {
        let Self { train_start, train_end, test_end } = *self;
        if let Some(start) = train_start {
            require(start < train_end, "train_start", start, "give a time before `train_end`")?;
        }
        match test_end {
            Some(end) => require(end > train_end, "test_end", end, "give a time after `train_end`"),
            None => Ok(()),
        }
    }

    /// The one division of `range`.
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`], or [`LabelError::ImpossibleSplit`] where `train_end` lies
    /// outside `range`.
    pub fn plan(&self, range: TimeRange) -> Result<Vec<SplitPlan>, LabelError> {
        self.validate()?;
        let start = self.train_start.unwrap_or(range.from).max(range.from);
        let train = TimeRange::new(start, self.train_end);
        let test = TimeRange::new(self.train_end, self.test_end.unwrap_or(range.to).min(range.to));
        if train.is_empty() || test.is_empty() {
            let reason = format!("`train_end` is {}; give a time inside the data", self.train_end);
            return Err(impossible(range, reason));
        }
        Ok(vec![SplitPlan::new(train, vec![test], 0)])
    }
}

/// Test on the last days, train on all that comes before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LastDays {
    /// How many days to test on, of 24 hours; at least 1.
    pub validation_days: u32,
}

impl Default for LastDays {
    /// 30 days.
    fn default() -> Self {
        Self { validation_days: 30 }
    }
}

impl LastDays {
    /// Refuses values outside their range.
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`] names the field and its range.
    pub fn validate(&self) -> Result<(), LabelError> {
        require(self.validation_days >= 1, "validation_days", self.validation_days, "give 1 day or more")
    }

    /// The one division of `range`.
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`], or [`LabelError::ImpossibleSplit`] where `range` is too short.
    pub fn plan(&self, range: TimeRange) -> Result<Vec<SplitPlan>, LabelError> {
        self.validate()?;
        let middle = range.to.plus_millis(-days(self.validation_days));
        let train = TimeRange::new(range.from, middle);
        if train.is_empty() {
            let reason = format!("the last {} days leave none to train on; take fewer", self.validation_days);
            return Err(impossible(range, reason));
        }
        Ok(vec![SplitPlan::new(train, vec![TimeRange::new(middle, range.to)], 0)])
    }
}

/// Test on the last part of the time, train on all that comes before: for data of any length.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LastShare {
    /// How much of the time to test on, above 0 and below 1.
    pub share: f64,
}

impl Default for LastShare {
    /// A fifth.
    fn default() -> Self {
        Self { share: 0.2 }
    }
}

impl LastShare {
    /// Refuses values outside their range.
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`] names the field and its range.
    pub fn validate(&self) -> Result<(), LabelError> {
        let sound = self.share > 0.0 && self.share < 1.0;
        require(sound, "share", self.share, "give a share above 0 and below 1, for example 0.2")
    }

    /// The one division of `range`.
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`], or [`LabelError::ImpossibleSplit`] where `range` is too short.
    pub fn plan(&self, range: TimeRange) -> Result<Vec<SplitPlan>, LabelError> {
        self.validate()?;
        let tested = range.to.since(range.from) as f64 * self.share;
        let middle = range.to.plus_millis(-(tested as i64));
        let (train, test) = (TimeRange::new(range.from, middle), TimeRange::new(middle, range.to));
        if train.is_empty() || test.is_empty() {
            let reason = "it is too short to be divided; take longer data".to_owned();
            return Err(impossible(range, reason));
        }
        Ok(vec![SplitPlan::new(train, vec![test], 0)])
    }
}

/// A training window directly followed by a test window, both moved on by a step until the data end. Only
/// whole test windows are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WalkForward {
    /// Length of the training window, with `anchored` of the first one, in days of 24 hours.
    pub train_days: u32,
    /// Length of the test window in days.
    pub test_days: u32,
    /// From one test window to the next, in days. Less than `test_days` makes tests overlap.
    pub step_days: u32,
    /// Whether training always begins where the data do, so that it grows.
    pub anchored: bool,
}

impl Default for WalkForward {
    /// A year to train, 30 days to test, 30 days on.
    fn default() -> Self {
        Self { train_days: 365, test_days: 30, step_days: 30, anchored: false }
    }
}

impl WalkForward {
    /// Refuses values outside their range.
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`] names the field and its range.
    pub fn validate(&self) -> Result<(), LabelError> {
        for (field, value) in
            [("train_days", self.train_days), ("test_days", self.test_days), ("step_days", self.step_days)]
        {
            require(value >= 1, field, value, "give 1 day or more")?;
        }
        Ok(())
    }

    /// The divisions of `range`, earliest first.
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`], or [`LabelError::ImpossibleSplit`] where `range` is shorter
    /// than one training and one test window, or holds more than 10 000 of them.
    pub fn plan(&self, range: TimeRange) -> Result<Vec<SplitPlan>, LabelError> {
        self.validate()?;
        let mut plans = Vec::new();
        let mut middle = range.from.plus_millis(days(self.train_days));
        loop {
            let test = TimeRange::new(middle, middle.plus_millis(days(self.test_days)));
            // A time at the very end of what can be represented no longer moves.
            if test.to > range.to || test.is_empty() {
                break;
            }
            if plans.len() == MAXIMUM_WINDOWS {
                let reason = format!("it holds more than {MAXIMUM_WINDOWS} windows; take longer steps");
                return Err(impossible(range, reason));
            }
            let start = if self.anchored { range.from } else { middle.plus_millis(-days(self.train_days)) };
            plans.push(SplitPlan::new(TimeRange::new(start, middle), vec![test], 0));
            middle = middle.plus_millis(days(self.step_days));
        }
        if plans.is_empty() {
            let Self { train_days, test_days, .. } = self;
            let reason = format!(
                "it is shorter than {train_days} days of training and {test_days} of test; take fewer of either"
            );
            return Err(impossible(range, reason));
        }
        Ok(plans)
    }
}
