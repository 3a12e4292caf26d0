//! Thresholds that give a wanted ratio of classes, found on training time only.
//!
//! - [`search_horizon_threshold`] solves directly for the threshold of a [`crate::HorizonReturn`]: it is a
//!   quantile of the returns, or of the returns divided by their expected deviation. One sort.
//! - [`search_barrier_distance`] bisects for the distance of both barriers of a [`crate::TripleBarrier`].

mod barrier;
mod horizon;
mod report;

pub use barrier::search_barrier_distance;
pub use horizon::{Symmetry, search_horizon_threshold};
pub use report::{SeriesShares, ThresholdReport};

use crate::error::{LabelError, require};

/// Refuses a target that is no distribution over `[Sell, Hold, Buy]`.
fn validate_target(target: [f64; 3]) -> Result<(), LabelError> {
    let sound = target.iter().all(|share| (0.0..=1.0).contains(share))
        && (target.iter().sum::<f64>() - 1.0).abs() <= 1e-9;
    let remedy =
        "give the shares of sell, hold and buy from 0 to 1, together 1, for example [0.25, 0.5, 0.25]";
    require(sound, "target", &format!("{target:?}"), remedy)
}
