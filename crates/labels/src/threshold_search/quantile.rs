//! Thresholds between neighbours of the sorted critical values.

use super::critical::{CriticalValues, SeriesCritical, Side};
use super::{Goal, Objective};
use crate::error::LabelError;
use crate::label::Label;

/// Values nearer than this, relative to their size, are equal but for rounding, and no threshold is put between
/// them: prices on a coarse grid give the same ratio in many ways.
const SAME: f64 = 1e-12;
/// Halvings of the largest deviation: beyond the precision of a share.
const HALVINGS: usize = 60;

/// The one threshold for which the share of Hold, or each share where values have sides, meets the goal.
pub(super) fn both_sides(values: &CriticalValues, goal: &Goal) -> Result<f64, LabelError> {
    values.require_labels()?;
    match goal.objective {
        Objective::Pooled => {
            let (critical, labels) = values.pooled(Side::Both);
            let beyond = labels - count(goal.target[Label::Hold.index()], labels);
            separate(critical, labels, beyond, Label::Hold, goal.tolerance)
        }
        Objective::Worst => {
            let hold = 1.0 - goal.target[Label::Hold.index()];
            let mut wishes = vec![(Side::Both, hold)];
            if values.has_sides() {
                wishes.push((Side::Sell, goal.target[Label::Sell.index()]));
                wishes.push((Side::Buy, goal.target[Label::Buy.index()]));
            }
            Ok(fairest(values, &wishes))
        }
    }
}

/// The threshold of one side, for its own share.
pub(super) fn one_side(values: &CriticalValues, class: Label, goal: &Goal) -> Result<f64, LabelError> {
    values.require_labels()?;
    let side = if class == Label::Buy { Side::Buy } else { Side::Sell };
    let wanted = goal.target[class.index()];
    match goal.objective {
        Objective::Pooled => {
            let (critical, labels) = values.pooled(side);
            separate(critical, labels, count(wanted, labels), class, goal.tolerance)
        }
        Objective::Worst => Ok(fairest(values, &[(side, wanted)])),
    }
}

pub(super) fn count(share: f64, labels: usize) -> usize {
    ((share * labels as f64).round() as usize).min(labels)
}

/// Whether a threshold fits between two neighbours.
fn apart(lower: f64, upper: f64) -> bool {
    upper - lower > SAME * upper || (upper.is_infinite() && lower.is_finite())
}

/// Between two neighbours; just above the lower where there is no upper one, by more than rounding and less
/// than would matter.
fn between(lower: f64, upper: f64) -> f64 {
    if upper.is_finite() { lower + (upper - lower) / 2.0 } else { lower * (1.0 + 1e-9) }
}

/// The number of 0 or more that `beyond` of `labels` critical values exceed, or the nearest number of them;
/// labels that are not among `critical` never do.
pub(super) fn separate(
    mut critical: Vec<f64>,
    labels: usize,
    beyond: usize,
    class: Label,
    tolerance: f64,
) -> Result<f64, LabelError> {
    critical.sort_unstable_by(f64::total_cmp);
    let len = critical.len();
    let never = critical.partition_point(|&value| value <= 0.0);
    let always = critical.partition_point(|&value| value < f64::INFINITY);
    // Counted among all labels, so that one of the other side takes its place among those never beyond.
    let others = labels - len;
    let wanted = (labels - beyond).saturating_sub(others);
    let within = wanted.clamp(never, always);
    let share = |cut: usize| {
        let beyond = len - cut;
        (if class == Label::Hold { labels - beyond } else { beyond }) as f64 / labels as f64
    };
    let wanted_share = (if class == Label::Hold { labels - beyond } else { beyond }) as f64 / labels as f64;
    if (share(within) - wanted_share).abs() > tolerance {
        let remedy = if share(within) < wanted_share && class == Label::Hold
            || share(within) > wanted_share && class != Label::Hold
        {
            "too many candles are beyond any threshold (returns above `maximum`, no volatility or range); raise `maximum` where there is one, or change the target"
        } else {
            "too many candles are beyond no threshold (no movement, of the other side, below `minimum`); lower `minimum` where there is one, or change the target"
        };
        return Err(LabelError::TargetUnreachable {
            class,
            wanted: wanted_share,
            nearest: share(within),
            remedy,
        });
    }
    // Equal values cannot be separated; both ends of this range always can.
    let separable = |cut: &usize| {
        *cut == never
            || *cut == always
            || critical
                .get(cut.wrapping_sub(1))
                .zip(critical.get(*cut))
                .is_some_and(|(&lower, &upper)| apart(lower, upper))
    };
    let below = (never..=within).rev().find(separable).unwrap_or(never);
    let above = (within..=always).find(separable).unwrap_or(always);
    let cut = if within - below <= above - within { below } else { above };
    let lower = if cut == 0 { 0.0 } else { critical[cut - 1].max(0.0) };
    Ok(between(lower, critical.get(cut).copied().unwrap_or(f64::INFINITY)))
}

/// The one threshold under which the largest deviation over all series, and over the shares wished for, is
/// smallest.
///
/// A share that falls with the threshold is within `δ` of its wish on an interval of thresholds, whose ends
/// are two of the sorted values. So `δ` is feasible when the intervals of all series and wishes have a point in
/// common, and the smallest feasible `δ` is found by bisection: exact, whatever plateaus the shares have.
fn fairest(values: &CriticalValues, wishes: &[(Side, f64)]) -> f64 {
    let sorted = |series: &SeriesCritical, side: Side| {
        let mut all: Vec<f64> = side.of(series).copied().collect();
        all.sort_unstable_by(f64::total_cmp);
        all
    };
    let with_labels = values.series.iter().filter(|series| series.labels > 0);
    let lists: Vec<(Vec<f64>, usize, f64)> = with_labels
        .flat_map(|series| wishes.iter().map(|&(side, wish)| (sorted(series, side), series.labels, wish)))
        .collect();
    let common = |deviation: f64| {
        let (mut from, mut to) = (0.0_f64, f64::INFINITY);
        for (critical, labels, wish) in &lists {
            let (lower, upper) = interval(critical, *labels, *wish, deviation);
            (from, to) = (from.max(lower), to.min(upper));
        }
        (from.is_finite() && apart(from, to)).then_some((from, to))
    };
    let (mut infeasible, mut feasible) = (0.0, 1.0);
    // With a deviation of 1 everything is allowed but a threshold that nothing is below.
    let mut best = common(feasible).unwrap_or((0.0, f64::INFINITY));
    for _ in 0..HALVINGS {
        let middle = infeasible + (feasible - infeasible) / 2.0;
        match common(middle) {
            Some(found) => (feasible, best) = (middle, found),
            None => infeasible = middle,
        }
    }
    between(best.0, best.1)
}

/// The thresholds, from the first to below the second, that a share within `deviation` of `wish` exceeds.
fn interval(critical: &[f64], labels: usize, wish: f64, deviation: f64) -> (f64, f64) {
    let len = critical.len();
    // Rounding must not make a count that is exactly allowed a forbidden one.
    let at_most = ((wish + deviation) * labels as f64 + 1e-9).floor().max(0.0) as usize;
    let at_least = ((wish - deviation) * labels as f64 - 1e-9).ceil().max(0.0) as usize;
    // `at_most` values lie beyond a threshold from the next smaller one on.
    let from = if at_most >= len { 0.0 } else { critical[len - 1 - at_most] };
    // `at_least` values lie beyond a threshold below the last of them.
    let to = match at_least {
        0 => f64::INFINITY,
        more if more > len => 0.0,
        count => critical[len - count],
    };
    (from, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_hold(values: &[f64], beyond: usize) -> Result<f64, LabelError> {
        separate(values.to_vec(), values.len(), beyond, Label::Hold, 0.0)
    }

    #[test]
    fn separates_between_neighbours() {
        let values = [4.0, 0.0, 1.0, f64::INFINITY, 2.0];
        for (beyond, expected) in [(4, 0.5), (3, 1.5), (2, 3.0)] {
            assert_eq!(of_hold(&values, beyond).unwrap(), expected, "{beyond}");
        }
        let last = of_hold(&values, 1).unwrap();
        assert!(last > 4.0 && last < 4.1, "{last}");
        for (beyond, class, wanted, nearest) in [
            (5, Label::Hold, 0.0, 0.2),
            (0, Label::Hold, 1.0, 0.8),
            (5, Label::Buy, 1.0, 0.8),
            (0, Label::Sell, 0.0, 0.2),
        ] {
            match separate(values.to_vec(), 5, beyond, class, 0.1).unwrap_err() {
                LabelError::TargetUnreachable { wanted: w, nearest: n, .. } => {
                    assert_eq!((w, n), (wanted, nearest));
                }
                other => panic!("{other}"),
            }
            // What is near enough is taken.
            assert!(separate(values.to_vec(), 5, beyond, class, 0.21).is_ok());
        }
    }

    /// Of six labels four can be a Buy: for two of the six the threshold stands in their middle.
    #[test]
    fn labels_of_the_other_side_count() {
        let values = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(separate(values.to_vec(), 6, 2, Label::Buy, 0.0).unwrap(), 2.5);
        assert_eq!(separate(values.to_vec(), 6, 4, Label::Buy, 0.0).unwrap(), 0.5);
        let error = separate(values.to_vec(), 6, 5, Label::Buy, 0.0).unwrap_err();
        let LabelError::TargetUnreachable { nearest, .. } = error else { panic!("{error}") };
        assert_eq!(nearest, 4.0 / 6.0);
    }

    #[test]
    fn equal_values_go_to_the_nearest_side() {
        let values = [1.0, 2.0, 2.0, 2.0, 2.0, 5.0];
        assert_eq!(of_hold(&values, 4).unwrap(), 1.5);
        assert_eq!(of_hold(&values, 2).unwrap(), 3.5);
        // What differs by rounding alone is equal.
        let values = [1.0, 2.0, 2.0 + 4e-16, 2.0, 2.0 - 2e-16, 5.0];
        assert!((of_hold(&values, 3).unwrap() - 1.5).abs() < 1e-9 || of_hold(&values, 3).unwrap() > 3.0);
    }

    fn values_of(series: &[(&[f64], &[f64])]) -> CriticalValues {
        let of = |&(sell, buy): &(&[f64], &[f64])| SeriesCritical {
            name: String::new(),
            labels: sell.len() + buy.len(),
            sell: sell.to_vec(),
            buy: buy.to_vec(),
        };
        CriticalValues::for_test(series.iter().map(of).collect())
    }

    /// Against every threshold that makes a difference, one after the other.
    #[test]
    fn the_fairest_threshold_is_the_best_of_all() {
        let mut state = 7_u64;
        let mut number = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Few different values, so that there are plateaus and ties.
            ((state >> 33) % 40) as f64 / 8.0
        };
        for case in 0..200 {
            let mut list = |len: usize, factor: f64| {
                let mut list: Vec<f64> = (0..len).map(|_| number() * factor).collect();
                list.sort_unstable_by(f64::total_cmp);
                list
            };
            let lists: Vec<(Vec<f64>, Vec<f64>)> = (0..1 + case % 4)
                .map(|at| (list(5 + 7 * at, 1.0), list(6 + case % 11, 1.0 + at as f64)))
                .collect();
            let borrowed: Vec<_> =
                lists.iter().map(|(sell, buy)| (sell.as_slice(), buy.as_slice())).collect();
            let values = values_of(&borrowed);
            let target = [0.3, 0.4, 0.3];
            let goal = Goal { objective: Objective::Worst, ..Goal::pooled(target) };
            let deviation = |threshold: f64| {
                let of = |(sell, buy): &(Vec<f64>, Vec<f64>)| {
                    let labels = (sell.len() + buy.len()) as f64;
                    let beyond = |values: &[f64]| values.iter().filter(|value| **value > threshold).count();
                    let (sells, buys) = (beyond(sell) as f64 / labels, beyond(buy) as f64 / labels);
                    let hold = 1.0 - sells - buys;
                    (sells - target[0]).abs().max((hold - target[1]).abs()).max((buys - target[2]).abs())
                };
                lists.iter().map(of).fold(0.0, f64::max)
            };
            let best = (0..=1600).map(|at| deviation(f64::from(at) / 64.0)).fold(1.0, f64::min);
            let found = both_sides(&values, &goal).unwrap();
            assert!(deviation(found) <= best + 1e-12, "{case}: {found} {} {best}", deviation(found));
        }
    }

    #[test]
    fn one_side_alone_is_fair_too() {
        // Shares of 1/4 lie between 3 and 4 in one series, between 30 and 40 in the other: nothing in common, so
        // the smallest deviation is 1/4.
        let values = values_of(&[(&[], &[1.0, 2.0, 3.0, 4.0]), (&[], &[10.0, 20.0, 30.0, 40.0])]);
        let goal = Goal { objective: Objective::Worst, ..Goal::pooled([0.5, 0.25, 0.25]) };
        let found = one_side(&values, Label::Buy, &goal).unwrap();
        assert!((20.0..30.0).contains(&found), "{found}");
    }
}
