//! The threshold of a horizon return is a quantile.

use serde::{Deserialize, Serialize};

use super::report::ThresholdReport;
use super::validate_target;
use crate::error::LabelError;
use crate::horizon_return::{AdaptiveThreshold, FixedThreshold, HorizonReturn, Threshold};
use crate::label::Label;
use crate::labeler::Labeler;
use crate::splits::TrainCandles;

/// Whether Sell and Buy share one threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Symmetry {
    /// One threshold, so that the pooled share of Hold is the one wanted; how the rest divides into Sell
    /// and Buy is the market's.
    #[default]
    Symmetric,
    /// A threshold for each side, so that all three pooled shares are those wanted.
    Asymmetric,
}

/// The thresholds at which the pooled shares are those of `target`, in class order.
///
/// A candle is beyond a threshold `m` when `m` is below its **critical value**: `|r_i|` for a fixed
/// threshold, `|r_i| / (σ_i √horizon)` for an adaptive multiplier (and 0 or infinite where `minimum` or
/// `maximum` alone decide). So the wanted `m` lies between two neighbours of the sorted critical values;
/// the middle is taken. O(n log n) in the number of candles, exact to one candle unless returns are equal
/// to the last bit, where the nearest possible share is taken.
///
/// Of `labeler` all is kept but the thresholds, or the multipliers.
///
/// # Errors
/// [`LabelError::InvalidConfiguration`]; [`LabelError::NothingToSearch`] where training time holds no label;
/// [`LabelError::TargetUnreachable`] where even a threshold of 0, or the `maximum`, does not reach the target.
pub fn search_horizon_threshold(
    labeler: &HorizonReturn,
    candles: &[TrainCandles<'_>],
    target: [f64; 3],
    symmetry: Symmetry,
) -> Result<ThresholdReport, LabelError> {
    labeler.validate()?;
    validate_target(target)?;
    let rows = training_rows(labeler, candles);
    if rows.is_empty() {
        return Err(LabelError::NothingToSearch { series: candles.len() });
    }
    let beyond = |share: f64| (share * rows.len() as f64).round() as usize;
    let side = |class: Label, sign: f64| {
        let critical = rows.iter().map(|&(forward_return, scale)| {
            critical_value((forward_return * sign).max(0.0), scale, &labeler.threshold)
        });
        separate(critical.collect(), beyond(target[class.index()]), class)
    };
    let (buy, sell) = match symmetry {
        Symmetry::Symmetric => {
            let critical =
                rows.iter().map(|&(value, scale)| critical_value(value.abs(), scale, &labeler.threshold));
            let holds = beyond(target[Label::Hold.index()]);
            (separate(critical.collect(), rows.len() - holds.min(rows.len()), Label::Hold)?, None)
        }
        Symmetry::Asymmetric => (side(Label::Buy, 1.0)?, Some(side(Label::Sell, -1.0)?)),
    };
    let threshold = match labeler.threshold {
        Threshold::Fixed(_) => Threshold::Fixed(FixedThreshold { value: buy, sell }),
        Threshold::Adaptive(adaptive) => {
            Threshold::Adaptive(AdaptiveThreshold { multiplier: buy, sell_multiplier: sell, ..adaptive })
        }
    };
    ThresholdReport::measure(Labeler::HorizonReturn(HorizonReturn { threshold, ..*labeler }), target, candles)
}

/// Forward return and scale of every candle whose label lies in training time.
fn training_rows(labeler: &HorizonReturn, candles: &[TrainCandles<'_>]) -> Vec<(f64, f64)> {
    let mut training = Vec::new();
    for candles in candles {
        let series = candles.series();
        let rows = labeler.rows(series);
        for run in series.gaps().runs(series.len()) {
            for index in run.clone() {
                if let Ok((forward_return, scale, known_at)) = rows.get(index, &run)
                    && candles.admits(index, known_at)
                {
                    training.push((forward_return, scale));
                }
            }
        }
    }
    training
}

/// The value below which a threshold must lie for a return of this size to be beyond it.
fn critical_value(size: f64, scale: f64, threshold: &Threshold) -> f64 {
    match threshold {
        Threshold::Fixed(_) => size,
        Threshold::Adaptive(adaptive) if size <= adaptive.minimum => 0.0,
        Threshold::Adaptive(adaptive) if size > adaptive.maximum => f64::INFINITY,
        // Without volatility the threshold is the minimum, whatever the multiplier; x / 0 says so.
        Threshold::Adaptive(_) => size / scale,
    }
}

/// The number of 0 or more that `beyond` of the critical values exceed, or the nearest number of them.
fn separate(mut critical: Vec<f64>, beyond: usize, class: Label) -> Result<f64, LabelError> {
    critical.sort_unstable_by(f64::total_cmp);
    let len = critical.len();
    let never = critical.partition_point(|&value| value <= 0.0);
    let always = critical.partition_point(|&value| value < f64::INFINITY);
    let wanted = len - beyond.min(len);
    let within = wanted.clamp(never, always);
    if within != wanted {
        let share = |cut: usize| {
            let cut = if class == Label::Hold { cut } else { len - cut };
            cut as f64 / len as f64
        };
        let remedy = if wanted < never {
            "too many returns are zero, of the other sign or below `minimum`; lower `minimum` or change the target"
        } else {
            "too many returns are above `maximum` or come without volatility; raise `maximum` or change the target"
        };
        return Err(LabelError::TargetUnreachable {
            class,
            wanted: share(wanted),
            nearest: share(within),
            remedy,
        });
    }
    // Equal values cannot be separated; both ends of this range always can.
    let separable = |cut: &usize| {
        *cut == never || *cut == always || critical.get(cut.wrapping_sub(1)) < critical.get(*cut)
    };
    let below = (never..=within).rev().find(separable).unwrap_or(never);
    let above = (within..=always).find(separable).unwrap_or(always);
    let cut = if within - below <= above - within { below } else { above };
    let lower = if cut == 0 { 0.0 } else { critical[cut - 1] };
    Ok(match critical.get(cut) {
        Some(&upper) if upper.is_finite() => lower + (upper - lower) / 2.0,
        // Just above the last finite value, by more than rounding and less than would matter.
        _ => lower * (1.0 + 1e-9),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separates_between_neighbours() {
        let values = vec![4.0, 0.0, 1.0, f64::INFINITY, 2.0];
        for (beyond, expected) in [(4, 0.5), (3, 1.5), (2, 3.0)] {
            assert_eq!(separate(values.clone(), beyond, Label::Hold).unwrap(), expected, "{beyond}");
        }
        let last = separate(values.clone(), 1, Label::Hold).unwrap();
        assert!(last > 4.0 && last < 4.1, "{last}");
        for (beyond, class, wanted, nearest) in [
            (5, Label::Hold, 0.0, 0.2),
            (0, Label::Hold, 1.0, 0.8),
            (5, Label::Buy, 1.0, 0.8),
            (0, Label::Sell, 0.0, 0.2),
        ] {
            match separate(values.clone(), beyond, class).unwrap_err() {
                LabelError::TargetUnreachable { wanted: w, nearest: n, .. } => {
                    assert_eq!((w, n), (wanted, nearest));
                }
                other => panic!("{other}"),
            }
        }
    }

    #[test]
    fn equal_values_go_to_the_nearest_side() {
        let values = vec![1.0, 2.0, 2.0, 2.0, 2.0, 5.0];
        assert_eq!(separate(values.clone(), 4, Label::Hold).unwrap(), 1.5);
        assert_eq!(separate(values, 2, Label::Hold).unwrap(), 3.5);
    }
}
