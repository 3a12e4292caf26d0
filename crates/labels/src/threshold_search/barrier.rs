//! The distance of barriers, by bisection.

use super::report::ThresholdReport;
use super::validate_target;
use crate::error::{LabelError, require};
use crate::label::Label;
use crate::labeler::Labeler;
use crate::splits::TrainCandles;
use crate::triple_barrier::{BarrierRows, BarrierUnit, OnTimeout, TripleBarrier};

/// Where no distance in multiples of the ATR is sought any further.
const WIDEST_MULTIPLE: f64 = 1e6;
/// As a fraction the lower barrier must stay above a price of 0.
const WIDEST_FRACTION: f64 = 1.0 - 1e-9;
/// A halving per bit of a float's precision, and some.
const BISECTIONS: usize = 60;

/// The distance of both barriers, in the unit of `labeler`, at which the pooled share of Hold is within
/// `tolerance` of `target[1]`; how the rest divides into Sell and Buy is the market's.
///
/// The further away the barriers, the fewer are touched in time: the share of Hold never falls with the
/// distance, so bisection finds it. (With [`crate::Ambiguous::NoLabel`] candles can gain a label as a
/// barrier moves away, and the share may fall by those few; the report counts what is.)
///
/// Of `labeler` all is kept but the two distances. Each step labels all candles: O(n × time_limit).
///
/// # Errors
/// [`LabelError::InvalidConfiguration`], also for [`OnTimeout::Sign`], which leaves no Hold to aim at;
/// [`LabelError::NothingToSearch`]; [`LabelError::TargetUnreachable`] where no distance comes within
/// `tolerance`.
pub fn search_barrier_distance(
    labeler: &TripleBarrier,
    candles: &[TrainCandles<'_>],
    target: [f64; 3],
    tolerance: f64,
) -> Result<ThresholdReport, LabelError> {
    labeler.validate()?;
    validate_target(target)?;
    let remedy = "give a share above 0 and below 1, for example 0.001";
    require(tolerance > 0.0 && tolerance < 1.0, "tolerance", tolerance, remedy)?;
    let remedy = "give `hold`: with `sign` a time-out is no Hold, whose share is sought";
    require(labeler.on_timeout == OnTimeout::Hold, "on_timeout", "sign", remedy)?;
    let rows: Vec<_> = candles.iter().map(|candles| (candles, labeler.rows(candles.series()))).collect();
    let hold_share = |distance: f64| hold_share(&with_distance(labeler, distance), &rows);
    let nothing = || LabelError::NothingToSearch { series: candles.len() };

    let wanted = target[Label::Hold.index()];
    let widest = match labeler.unit {
        BarrierUnit::Fraction => WIDEST_FRACTION,
        BarrierUnit::Atr { .. } => WIDEST_MULTIPLE,
    };
    // Doubling first: the answer is small beside the widest distance.
    let (mut near, mut far) = (0.0, labeler.take_profit.min(widest));
    let mut best = (f64::INFINITY, far, 0.0);
    for _ in 0..BISECTIONS {
        let share = hold_share(far).ok_or_else(nothing)?;
        best = closest(best, far, share, wanted);
        if share >= wanted {
            break;
        }
        near = far;
        if far >= widest {
            break;
        }
        far = (2.0 * far).min(widest);
    }
    for _ in 0..BISECTIONS {
        // Nothing lies between where even the widest distance leaves too few Holds.
        if best.0 <= tolerance || near >= far {
            break;
        }
        let middle = near + (far - near) / 2.0;
        let share = hold_share(middle).ok_or_else(nothing)?;
        best = closest(best, middle, share, wanted);
        if share < wanted {
            near = middle;
        } else {
            far = middle;
        }
    }
    let (deviation, distance, nearest) = best;
    if deviation > tolerance {
        let remedy = "change the target or `time_limit`, or raise `tolerance`";
        return Err(LabelError::TargetUnreachable { class: Label::Hold, wanted, nearest, remedy });
    }
    ThresholdReport::measure(Labeler::TripleBarrier(with_distance(labeler, distance)), target, candles)
}

/// The better of the best so far and a new one, as `(deviation, distance, share)`.
fn closest(best: (f64, f64, f64), distance: f64, share: f64, wanted: f64) -> (f64, f64, f64) {
    let deviation = (share - wanted).abs();
    if deviation < best.0 { (deviation, distance, share) } else { best }
}

const fn with_distance(labeler: &TripleBarrier, distance: f64) -> TripleBarrier {
    TripleBarrier { take_profit: distance, stop_loss: distance, ..*labeler }
}

/// Share of Hold among the labels in training time; `None` where there are none.
fn hold_share(labeler: &TripleBarrier, rows: &[(&TrainCandles<'_>, BarrierRows<'_>)]) -> Option<f64> {
    let (mut holds, mut labels) = (0_usize, 0_usize);
    for (candles, rows) in rows {
        let series = candles.series();
        for run in series.gaps().runs(series.len()) {
            for index in run.clone() {
                if let Ok(found) = labeler.find(rows, index, &run)
                    && candles.admits(index, found.known_at)
                {
                    labels += 1;
                    holds += usize::from(found.label == Label::Hold);
                }
            }
        }
    }
    (labels > 0).then(|| holds as f64 / labels as f64)
}
