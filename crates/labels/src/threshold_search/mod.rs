//! Thresholds that give a wanted ratio of classes, found on training time only.
//!
//! Each labeler has a size that a threshold cuts in two, so a threshold is a quantile and is found by one
//! sort, not by trying ([`CriticalValues`]):
//!
//! - [`search_horizon_threshold`]: the return over the horizon, or the return divided by its expected deviation;
//! - [`search_barrier_distance`]: how far the price goes from the entry before the time limit;
//! - [`search_trend_threshold`]: the t-value of the strongest trend.
//!
//! [`search_threshold`] takes any of them. [`sweep`] gives the classes under many thresholds at once.

mod barrier;
mod barrier_pair;
mod critical;
mod horizon;
mod quantile;
mod report;
mod sweep;
mod trend;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use barrier::search_barrier_distance;
pub use critical::{CriticalValues, Histogram};
pub use horizon::search_horizon_threshold;
pub use report::{SeriesShares, ThresholdReport};
pub use sweep::{SweepRow, ThresholdPair, sweep};
pub use trend::search_trend_threshold;

use crate::error::{LabelError, require};
use crate::labeler::Labeler;
use crate::splits::TrainCandles;

/// Whether Sell and Buy share one threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Symmetry {
    /// One threshold, so that the share of Hold is the one wanted; how the rest divides into Sell and Buy is
    /// the market's.
    #[default]
    Symmetric,
    /// A threshold for each side, so that all three shares are those wanted. Trend scanning has one only.
    Asymmetric,
}

/// Whose class shares are to be near the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// All series together: exact to one candle, and each series as it comes.
    #[default]
    Pooled,
    /// The series furthest from the target: the largest deviation over all series is as small as one threshold
    /// for all can make it.
    Worst,
}

/// What a search aims at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goal {
    /// Shares wanted, in class order; together 1.
    pub target: [f64; 3],
    /// One threshold, or one for each side.
    pub symmetry: Symmetry,
    /// Whose shares count.
    pub objective: Objective,
    /// How far a pooled share that the threshold decides may be from its target where equal values leave no
    /// nearer one, from 0 to 1.
    pub tolerance: f64,
}

impl Goal {
    /// One threshold for the pooled shares `target`, met as nearly as the data allow within one percent.
    pub const fn pooled(target: [f64; 3]) -> Self {
        Self { target, symmetry: Symmetry::Symmetric, objective: Objective::Pooled, tolerance: 0.01 }
    }

    /// Refuses a target that is no distribution over `[Sell, Hold, Buy]`, and a tolerance that is no share.
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`] names the field and its range.
    pub fn validate(&self) -> Result<(), LabelError> {
        let target = self.target;
        let sound = target.iter().all(|share| (0.0..=1.0).contains(share))
            && (target.iter().sum::<f64>() - 1.0).abs() <= 1e-6;
        let remedy =
            "give the shares of sell, hold and buy from 0 to 1, together 1, for example [0.25, 0.5, 0.25]";
        require(sound, "target", &format!("{target:?}"), remedy)?;
        let remedy = "give a share from 0 to 1, for example 0.01";
        require((0.0..=1.0).contains(&self.tolerance), "tolerance", self.tolerance, remedy)
    }
}

/// The labeler with the thresholds that meet `goal`; all else of it is kept.
///
/// # Errors
/// Those of the search for its kind.
pub fn search_threshold(
    labeler: &Labeler,
    candles: &[TrainCandles<'_>],
    goal: &Goal,
) -> Result<ThresholdReport, LabelError> {
    match labeler {
        Labeler::HorizonReturn(labeler) => search_horizon_threshold(labeler, candles, goal),
        Labeler::TripleBarrier(labeler) => search_barrier_distance(labeler, candles, goal),
        Labeler::TrendScanning(labeler) => search_trend_threshold(labeler, candles, goal),
    }
}
