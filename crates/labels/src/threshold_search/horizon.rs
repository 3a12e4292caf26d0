//! The threshold of a horizon return.

use super::critical::CriticalValues;
use super::quantile::{both_sides, one_side};
use super::report::ThresholdReport;
use super::{Goal, Symmetry};
use crate::error::LabelError;
use crate::horizon_return::{AdaptiveThreshold, FixedThreshold, HorizonReturn, Threshold};
use crate::label::Label;
use crate::labeler::Labeler;
use crate::splits::TrainCandles;

/// The thresholds, or the multipliers, that meet `goal`.
///
/// A candle is beyond a threshold when the threshold is below its critical value ([`CriticalValues`]). So the
/// wanted one lies between two neighbours of the sorted critical values; the middle is taken. O(n log n) in
/// the number of candles, exact to one candle unless returns are equal up to rounding, where the nearest
/// possible share is taken. Under [`super::Objective::Worst`] each side has its own smallest deviation.
///
/// Of `labeler` all is kept but the thresholds, or the multipliers.
///
/// # Errors
/// [`LabelError::InvalidConfiguration`]; [`LabelError::NothingToSearch`] where training time holds no label;
/// [`LabelError::TargetUnreachable`] where even a threshold of 0, or the `maximum`, leaves a share further than
/// the tolerance from the target.
pub fn search_horizon_threshold(
    labeler: &HorizonReturn,
    candles: &[TrainCandles<'_>],
    goal: &Goal,
) -> Result<ThresholdReport, LabelError> {
    goal.validate()?;
    let values = CriticalValues::of(&Labeler::HorizonReturn(*labeler), candles)?;
    let (buy, sell) = match goal.symmetry {
        Symmetry::Symmetric => (both_sides(&values, goal)?, None),
        Symmetry::Asymmetric => {
            (one_side(&values, Label::Buy, goal)?, Some(one_side(&values, Label::Sell, goal)?))
        }
    };
    let threshold = match labeler.threshold {
        Threshold::Fixed(_) => Threshold::Fixed(FixedThreshold { value: buy, sell }),
        Threshold::Adaptive(adaptive) => {
            Threshold::Adaptive(AdaptiveThreshold { multiplier: buy, sell_multiplier: sell, ..adaptive })
        }
    };
    let labeler = Labeler::HorizonReturn(HorizonReturn { threshold, ..*labeler });
    ThresholdReport::measure(labeler, goal.target, candles)
}
