//! One division of time as a flat section of a configuration file.

use market_data::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::plan::SplitPlan;
use super::time_range::TimeRange;
use super::{Holdout, LastDays, LastShare, Splitter};
use crate::error::LabelError;

/// Which [`Splitter`] of one division, and the values of each. Flat, so that configuration layers can change one
/// value without the others: a value of a splitter that is not chosen does nothing.
///
/// ```toml
/// split = "last-share"
/// share = 0.2
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SplitSetting {
    /// Which one.
    pub split: SplitKind,
    /// See [`LastShare`].
    pub share: f64,
    /// See [`LastDays`].
    pub validation_days: u32,
    /// See [`Holdout`].
    pub train_start: Option<Timestamp>,
    /// See [`Holdout`], which needs it.
    pub train_end: Option<Timestamp>,
    /// See [`Holdout`].
    pub test_end: Option<Timestamp>,
}

/// A splitter that gives one division.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SplitKind {
    /// [`LastShare`].
    #[default]
    LastShare,
    /// [`LastDays`].
    LastDays,
    /// [`Holdout`].
    Holdout,
}

impl Default for SplitSetting {
    /// The last fifth is tested.
    fn default() -> Self {
        Self {
            split: SplitKind::default(),
            share: LastShare::default().share,
            validation_days: LastDays::default().validation_days,
            train_start: None,
            train_end: None,
            test_end: None,
        }
    }
}

impl SplitSetting {
    /// The splitter chosen.
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`] where `holdout` has no `train_end`.
    pub fn splitter(&self) -> Result<Splitter, LabelError> {
        let Self { split, share, validation_days, train_start, train_end, test_end } = *self;
        Ok(match (split, train_end) {
            (SplitKind::LastShare, _) => Splitter::LastShare(LastShare { share }),
            (SplitKind::LastDays, _) => Splitter::LastDays(LastDays { validation_days }),
            (SplitKind::Holdout, Some(train_end)) => {
                Splitter::Holdout(Holdout { train_start, train_end, test_end })
            }
            (SplitKind::Holdout, None) => {
                return Err(LabelError::InvalidConfiguration {
                    field: "train_end",
                    value: "absent".to_owned(),
                    remedy: "`holdout` needs the time at which training ends, for example 2024-01-01",
                });
            }
        })
    }

    /// The division of `range`.
    ///
    /// # Errors
    /// Those of [`Splitter::plan`].
    pub fn plan(&self, range: TimeRange) -> Result<SplitPlan, LabelError> {
        let plans = self.splitter()?.plan(range)?;
        plans.into_iter().next().ok_or_else(|| LabelError::ImpossibleSplit {
            range: range.to_string(),
            reason: "no division of it is possible".to_owned(),
        })
    }
}
