//! What a report says of the model: folds, confusion, calibration.

use labels::Label;
use market_data::Timestamp;
use sim::report::{Calibration, CalibrationBin, Confusion, Fold, WalkForward};
use supervised::metrics::ReliabilityBin;
use supervised::{Assessment, TimeRange};

use crate::market::Market;
use crate::page::{number, percent};
use crate::run::Judged;

/// Folds in the order of time, with what the model was worth in each.
pub(crate) fn walk_forward(judged: &Judged, market: &Market) -> Option<WalkForward> {
    let model = market.model.as_ref().filter(|model| !model.folds.is_empty())?;
    let is_model = judged.name.hears_model();
    let mut metric_names = vec!["return", "buy and hold", "Sharpe ratio", "maximum drawdown", "trades"];
    if is_model {
        metric_names.extend(["macro-F1", "epochs"]);
    }
    let shown = |intervals: &[TimeRange]| {
        let (first, last) = (intervals.first(), intervals.last());
        first
            .zip(last)
            .map_or_else(String::new, |(first, last)| format!("{} to {}", day(first.from), day(last.to)))
    };
    let folds = model.folds.iter().zip(&judged.folds).enumerate().map(|(at, (fold, outcome))| {
        let metrics = &outcome.metrics;
        let mut cells = vec![
            percent(Some(metrics.total_return)),
            percent(outcome.benchmark),
            number(metrics.headline().sharpe),
            percent(metrics.drawdown.maximum),
            metrics.trades.count.to_string(),
        ];
        if is_model {
            cells.push(number(fold.assessment.as_ref().map(|one| one.decided.macro_f1)));
            cells.push(fold.epochs.to_string());
        }
        Fold {
            label: format!("fold {}", at + 1),
            train: format!(
                "{}, validation to {}",
                shown(&fold.training),
                fold.validation.last().map_or_else(String::new, |last| day(last.to))
            ),
            test: format!("{} to {}", day(fold.test.from), day(fold.test.to)),
            metrics: cells,
            score: Some(100.0 * metrics.total_return),
        }
    });
    Some(WalkForward {
        metric_names: metric_names.into_iter().map(str::to_owned).collect(),
        score_label: "total return, %".to_owned(),
        folds: folds.collect(),
    })
}

/// The date of a time.
fn day(time: Timestamp) -> String {
    time.to_string().chars().take(10).collect()
}

pub(crate) fn confusion(assessment: &Assessment) -> Confusion {
    Confusion {
        classes: Label::ALL.iter().map(ToString::to_string).collect(),
        counts: assessment.decided.confusion.counts.iter().flatten().copied().collect(),
    }
}

/// How often the class that was thought most probable came true, by how probable it was thought.
pub(crate) fn calibration(assessment: &Assessment) -> Calibration {
    let bin = |bin: &ReliabilityBin| {
        let (mean_predicted, observed_share) = bin.mean_confidence.zip(bin.accuracy)?;
        (bin.count > 0).then_some(CalibrationBin { mean_predicted, observed_share, count: bin.count })
    };
    Calibration {
        name: "most probable class".to_owned(),
        bins: assessment.reliability.bins.iter().filter_map(bin).collect(),
    }
}
