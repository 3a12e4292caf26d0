//! The distance of barriers.

use super::barrier_pair::search_pair;
use super::critical::CriticalValues;
use super::quantile::both_sides;
use super::report::ThresholdReport;
use super::{Goal, Objective, Symmetry};
use crate::error::{LabelError, require};
use crate::label::Label;
use crate::labeler::Labeler;
use crate::splits::TrainCandles;
use crate::triple_barrier::{Ambiguous, BarrierRows, BarrierUnit, OnTimeout, TripleBarrier};

/// As a fraction the lower barrier must stay above a price of 0.
const WIDEST_FRACTION: f64 = 1.0 - 1e-9;
/// A halving per bit of a float's precision, and some.
const BISECTIONS: usize = 60;

/// The distance of the barriers, in the unit of `labeler`, that meets `goal`: one for both, at which the share of
/// Hold is the one wanted and the market divides the rest, or under [`Symmetry::Asymmetric`] one for each.
///
/// A candle is a Hold when the furthest that a high or low of its window is from the entry stays short of the
/// barriers, so the distance is a quantile of that ([`CriticalValues`]): one sort, exact to one candle. Under
/// [`Objective::Worst`] the share of Hold alone is looked at.
///
/// Of two distances each is a quantile too, for the place of the other; they are put in turns until they rest.
///
/// With [`Ambiguous::NoLabel`] a candle may lose its label as the barriers move, so the quantile is only where a
/// bisection begins; then each step labels all candles.
///
/// Of `labeler` all is kept but the two distances.
///
/// # Errors
/// [`LabelError::InvalidConfiguration`], also for [`OnTimeout::Sign`], which leaves no Hold to aim at, and for
/// [`Symmetry::Asymmetric`] together with [`Ambiguous::NoLabel`] or [`Objective::Worst`]; [`LabelError::NothingToSearch`]; [`LabelError::TargetUnreachable`] where no distance
/// comes within the tolerance.
pub fn search_barrier_distance(
    labeler: &TripleBarrier,
    candles: &[TrainCandles<'_>],
    goal: &Goal,
) -> Result<ThresholdReport, LabelError> {
    goal.validate()?;
    let pair = goal.symmetry == Symmetry::Asymmetric;
    let sound = labeler.ambiguous != Ambiguous::NoLabel && goal.objective == Objective::Pooled;
    let remedy = "give `symmetric`: with `no-label` or `worst` one distance is sought for both barriers";
    require(!pair || sound, "symmetry", "asymmetric", remedy)?;
    let remedy = "give `hold`: with `sign` a time-out is no Hold, whose share is sought";
    require(labeler.on_timeout == OnTimeout::Hold, "on_timeout", "sign", remedy)?;
    let values = CriticalValues::of(&Labeler::TripleBarrier(*labeler), candles)?;
    let widest = match labeler.unit {
        BarrierUnit::Fraction => WIDEST_FRACTION,
        BarrierUnit::Atr { .. } => f64::MAX,
    };
    let mut distance = both_sides(&values, goal)?.clamp(f64::MIN_POSITIVE, widest);
    if pair {
        let found = search_pair(labeler, candles, goal, distance, widest)?;
        return ThresholdReport::measure(Labeler::TripleBarrier(found), goal.target, candles);
    }
    if labeler.ambiguous == Ambiguous::NoLabel && goal.objective == Objective::Pooled {
        distance = bisect(labeler, candles, goal, distance, widest);
    }
    let report = ThresholdReport::measure(
        Labeler::TripleBarrier(with_distance(labeler, distance)),
        goal.target,
        candles,
    )?;
    let (wanted, nearest) = (goal.target[Label::Hold.index()], report.pooled.shares[Label::Hold.index()]);
    // A share of whole candles is seldom exactly the one wanted.
    let one: f64 = 1.0 / report.pooled.counts.iter().sum::<usize>().max(1) as f64;
    if goal.objective == Objective::Pooled && (nearest - wanted).abs() > goal.tolerance + one {
        let remedy = "change the target or `time_limit`, or raise the tolerance";
        return Err(LabelError::TargetUnreachable { class: Label::Hold, wanted, nearest, remedy });
    }
    Ok(report)
}

/// The distance nearest to the target, from `start` on.
fn bisect(
    labeler: &TripleBarrier,
    candles: &[TrainCandles<'_>],
    goal: &Goal,
    start: f64,
    widest: f64,
) -> f64 {
    let rows: Vec<_> = candles.iter().map(|candles| (candles, labeler.rows(candles.series()))).collect();
    let wanted = goal.target[Label::Hold.index()];
    let mut best = (f64::INFINITY, start);
    let mut share_at = |distance: f64| {
        // Without any label left, all candles touch both barriers at once.
        let Some(share) = hold_share(&with_distance(labeler, distance), &rows) else { return 0.0 };
        if (share - wanted).abs() < best.0 {
            best = ((share - wanted).abs(), distance);
        }
        share
    };
    // The candles without a label were taken for touched: the share at the start is too large rather than too
    // small, but both ends are looked for.
    let (mut near, mut far) = (start, start);
    for _ in 0..BISECTIONS {
        if near <= f64::MIN_POSITIVE || share_at(near) < wanted {
            break;
        }
        near /= 1.25;
    }
    for _ in 0..BISECTIONS {
        if far >= widest || share_at(far) >= wanted {
            break;
        }
        far = (far * 1.25).min(widest);
    }
    for _ in 0..BISECTIONS {
        let middle = near + (far - near) / 2.0;
        if middle <= near || middle >= far {
            break;
        }
        if share_at(middle) < wanted {
            near = middle;
        } else {
            far = middle;
        }
    }
    best.1
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
                    && candles.admits(index, index + labeler.time_limit as usize)
                {
                    labels += 1;
                    holds += usize::from(found.label == Label::Hold);
                }
            }
        }
    }
    (labels > 0).then(|| holds as f64 / labels as f64)
}
