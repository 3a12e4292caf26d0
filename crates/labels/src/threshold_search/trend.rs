//! The threshold of a trend's t-value.

use super::critical::CriticalValues;
use super::quantile::both_sides;
use super::report::ThresholdReport;
use super::{Goal, Symmetry};
use crate::error::{LabelError, require};
use crate::labeler::Labeler;
use crate::splits::TrainCandles;
use crate::trend_scanning::TrendScanning;

/// The `t_threshold` that meets `goal`: a quantile of `|t|` over all candles, exact to one of them; how the rest
/// divides into Sell and Buy is the market's.
///
/// # Errors
/// [`LabelError::InvalidConfiguration`], also for [`Symmetry::Asymmetric`]; [`LabelError::NothingToSearch`];
/// [`LabelError::TargetUnreachable`] where too many candles have a t-value of zero.
pub fn search_trend_threshold(
    labeler: &TrendScanning,
    candles: &[TrainCandles<'_>],
    goal: &Goal,
) -> Result<ThresholdReport, LabelError> {
    goal.validate()?;
    let remedy = "give `symmetric`: trend scanning has one threshold for both sides";
    require(goal.symmetry == Symmetry::Symmetric, "symmetry", "asymmetric", remedy)?;
    let values = CriticalValues::of(&Labeler::TrendScanning(*labeler), candles)?;
    let t_threshold = both_sides(&values, goal)?.max(f64::MIN_POSITIVE);
    let labeler = Labeler::TrendScanning(TrendScanning { t_threshold, ..*labeler });
    ThresholdReport::measure(labeler, goal.target, candles)
}
