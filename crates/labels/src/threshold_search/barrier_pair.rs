//! A distance for each barrier.

use std::ops::Range;

use super::Goal;
use super::quantile::{count, separate};
use crate::error::LabelError;
use crate::label::Label;
use crate::splits::TrainCandles;
use crate::triple_barrier::{Ambiguous, BarrierRows, TripleBarrier};

/// Rounds after which the distances found last are taken; some twenty are usual.
const ROUNDS: usize = 100;
/// Relative change of the distances at which nothing moves any more.
const SETTLED: f64 = 1e-10;

/// Distances of the upper and the lower barrier, from `start` on, under which the pooled shares of Sell and Buy, and so
/// of Hold, are those of the goal.
///
/// With one barrier in its place each candle has a furthest distance at which the other one is still touched
/// first, so the wanted distance is a quantile. The two are put in turns: each is exact for the place of the other,
/// and raising one can only raise the other, so from the distance of equal barriers on they move one way until they
/// rest.
pub(super) fn search_pair(
    labeler: &TripleBarrier,
    candles: &[TrainCandles<'_>],
    goal: &Goal,
    start: f64,
    widest: f64,
) -> Result<TripleBarrier, LabelError> {
    let rows: Vec<_> = candles.iter().map(|candles| (candles, labeler.rows(candles.series()))).collect();
    let mut found = TripleBarrier { take_profit: start, stop_loss: start, ..*labeler };
    for _ in 0..ROUNDS {
        let before = found;
        found.take_profit = place(&found, &rows, goal, Label::Buy)?.max(f64::MIN_POSITIVE);
        found.stop_loss = place(&found, &rows, goal, Label::Sell)?.clamp(f64::MIN_POSITIVE, widest);
        let settled = |old: f64, new: f64| (new - old).abs() <= SETTLED * new;
        if settled(before.take_profit, found.take_profit) && settled(before.stop_loss, found.stop_loss) {
            break;
        }
    }
    Ok(found)
}

/// The distance of the barrier of `class`, exact for the place of the other one.
fn place(
    labeler: &TripleBarrier,
    rows: &[(&TrainCandles<'_>, BarrierRows<'_>)],
    goal: &Goal,
    class: Label,
) -> Result<f64, LabelError> {
    let window = labeler.time_limit as usize;
    let mut reaches = Vec::new();
    for (candles, rows) in rows {
        let series = candles.series();
        for run in series.gaps().runs(series.len()) {
            for index in run.start..run.end.saturating_sub(window) {
                if let Ok(unit) = rows.unit(index)
                    && candles.admits(index, index + window)
                {
                    reaches.push(reach(labeler, candles, index..index + window, unit, class).max(0.0) / unit);
                }
            }
        }
    }
    let labels = reaches.len();
    separate(reaches, labels, count(goal.target[class.index()], labels), class, goal.tolerance)
}

/// How far the barrier of `class` may stand from the close of candle `window.start` to be touched before the
/// other one is, in quote currency; the window ends with the candle `window.end`.
fn reach(
    labeler: &TripleBarrier,
    candles: &TrainCandles<'_>,
    window: Range<usize>,
    unit: f64,
    class: Label,
) -> f64 {
    let columns = candles.series().columns();
    let entry = columns.close[window.start];
    // As for a Buy; for a Sell everything is turned over.
    let (sign, far, near) = match class {
        Label::Sell => (-1.0, &columns.low, &columns.high),
        Label::Hold | Label::Buy => (1.0, &columns.high, &columns.low),
    };
    let other = match class {
        Label::Sell => entry + labeler.take_profit * unit,
        Label::Hold | Label::Buy => entry - labeler.stop_loss * unit,
    };
    // Whether the rule for a candle that touches both is in favour of this barrier.
    let favoured = (labeler.ambiguous == Ambiguous::PessimisticShort) == (class == Label::Buy);
    let mut furthest = f64::NEG_INFINITY;
    for at in window.start + 1..=window.end {
        let open = sign * (columns.open[at] - entry);
        if sign * (columns.open[at] - other) <= 0.0 {
            return furthest;
        }
        let extreme = sign * (far[at] - entry);
        if sign * (near[at] - other) <= 0.0 {
            return furthest.max(if favoured { extreme } else { open });
        }
        furthest = furthest.max(extreme);
    }
    furthest
}
