//! Training and test sets that share no information, divided by **time**, so that many series share them.
//!
//! A [`Splitter`] turns a span of time into [`SplitPlan`]s; a plan applied to the labels of one series
//! gives a [`Split`]. In it
//!
//! - a **training** label's whole window, from the open of its candle to the close of the last candle at which
//!   the label could have become known, lies inside one training interval: what would reach into a test
//!   interval is *purged*, what opens less than the embargo after one is *embargoed* (López de Prado,
//!   *Advances in Financial Machine Learning*, 2018, ch. 7.4);
//! - a **test** label's whole window lies inside one test interval, so that nothing outside it is needed to
//!   judge the test, in this series or in any other.
//!
//! The window counts, and not the part of it that the label turned out to need: else a barrier touched early
//! would be kept near the end of an interval and a time-out of the same candle removed, and the classes
//! would be biased there.
//!
//! [`TrainView`] and [`TrainCandles`] are made only here. What is fitted takes one of them, and so cannot
//! be fitted on a test set by mistake:
//!
//! ```compile_fail
//! let all = labels::splits::TrainView { indices: (0..100).collect() };
//! ```

mod combinatorial;
mod plan;
mod sequential;
mod setting;
mod time_range;
mod training;

use serde::{Deserialize, Serialize};

pub use combinatorial::{CombinatorialPurged, combinations, test_paths};
pub use plan::{Split, SplitPlan, TrainCandles, TrainView};
pub use sequential::{Holdout, LastDays, LastShare, WalkForward};
pub use setting::{SplitKind, SplitSetting};
pub use time_range::TimeRange;

use crate::error::LabelError;

/// A way to divide time, named in its field `split`:
///
/// ```toml
/// split = "walk-forward"
/// train_days = 365
/// test_days = 30
/// step_days = 30
/// anchored = true
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "split", rename_all = "kebab-case")]
pub enum Splitter {
    /// Train before a date, test after it.
    Holdout(Holdout),
    /// Test the last days.
    LastDays(LastDays),
    /// Test the last part of the time.
    LastShare(LastShare),
    /// A window of training and one of test that move on together.
    WalkForward(WalkForward),
    /// All combinations of groups as test sets.
    CombinatorialPurged(CombinatorialPurged),
}

impl Splitter {
    /// Refuses values outside their range.
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`] names the field and its range.
    pub fn validate(&self) -> Result<(), LabelError> {
        match self {
            Self::Holdout(splitter) => splitter.validate(),
            Self::LastDays(splitter) => splitter.validate(),
            Self::LastShare(splitter) => splitter.validate(),
            Self::WalkForward(splitter) => splitter.validate(),
            Self::CombinatorialPurged(splitter) => splitter.validate(),
        }
    }

    /// The divisions of `range`, earliest test first; at least one. [`TimeRange::covering`] gives the
    /// range of some series.
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`], or [`LabelError::ImpossibleSplit`] where `range` is too short.
    pub fn plan(&self, range: TimeRange) -> Result<Vec<SplitPlan>, LabelError> {
        match self {
            Self::Holdout(splitter) => splitter.plan(range),
            Self::LastDays(splitter) => splitter.plan(range),
            Self::LastShare(splitter) => splitter.plan(range),
            Self::WalkForward(splitter) => splitter.plan(range),
            Self::CombinatorialPurged(splitter) => splitter.plan(range),
        }
    }
}
