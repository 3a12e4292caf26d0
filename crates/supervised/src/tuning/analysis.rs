//! What came of a study, as plain data for tables and plots.

use serde::{Deserialize, Serialize};

use super::search_space::Parameter;
use super::study::StudyRecord;
use super::trial::Trial;
use crate::error::SupervisedError;

/// The best value after a finished trial.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BestSoFar {
    /// The finished trial.
    pub trial: usize,
    /// Its value.
    pub value: f64,
    /// The best value of the finished trials up to this number.
    pub best: f64,
}

/// How the places on an axis are spread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AxisScale {
    /// Evenly.
    Linear,
    /// Evenly in the logarithm.
    Logarithmic,
    /// One place for each of these labels, from 0 on.
    Choices {
        /// The values as TOML writes them.
        labels: Vec<String>,
    },
}

/// One axis of parallel coordinates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// Key of the parameter, or name of the metric.
    pub name: String,
    /// How it is spread.
    pub scale: AxisScale,
    /// Value at its lower end.
    pub low: f64,
    /// Value at its upper end; the same as `low` where all values of the metric are equal.
    pub high: f64,
}

impl Axis {
    /// Place of a value, 0 at the lower end and 1 at the upper one, 0.5 on an axis without length.
    pub fn place(&self, value: f64) -> f64 {
        let scale = |number: f64| match self.scale {
            AxisScale::Logarithmic => number.ln(),
            AxisScale::Linear | AxisScale::Choices { .. } => number,
        };
        let length = scale(self.high) - scale(self.low);
        if length == 0.0 { 0.5 } else { (scale(value) - scale(self.low)) / length }
    }
}

/// One finished trial in parallel coordinates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CoordinateLine {
    /// Number of the trial.
    pub trial: usize,
    /// Its value on each axis: the number itself, or the place of a choice. The metric stands last.
    pub values: Vec<f64>,
}

/// Finished trials as lines across one axis for each parameter and one for the metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParallelCoordinates {
    /// The parameters' axes in the order of the search space, then that of the metric.
    pub axes: Vec<Axis>,
    /// The trials, worst first, so that the best are drawn above the others.
    pub lines: Vec<CoordinateLine>,
}

/// The `count` best finished trials (or all, where there are fewer), best first; ties go to the lower number.
pub fn best_trials(record: &StudyRecord, count: usize) -> Vec<&Trial> {
    let mut finished: Vec<(f64, &Trial)> = record
        .trials
        .iter()
        .filter_map(|trial| trial.value().map(|value| (record.definition.direction.cost(value), trial)))
        .collect();
    finished.sort_by(|left, right| left.0.total_cmp(&right.0));
    finished.into_iter().take(count).map(|(_, trial)| trial).collect()
}

/// The best value over the finished trials by their number.
pub fn history(record: &StudyRecord) -> Vec<BestSoFar> {
    let direction = record.definition.direction;
    let mut best: Option<f64> = None;
    let finished = record.trials.iter().filter_map(|trial| trial.value().map(|value| (trial.number, value)));
    finished
        .map(|(trial, value)| {
            let so_far = best.filter(|&best| direction.cost(best) <= direction.cost(value)).unwrap_or(value);
            best = Some(so_far);
            BestSoFar { trial, value, best: so_far }
        })
        .collect()
}

/// The finished trials in parallel coordinates. Axes of parameters span their search space, that of the
/// metric its values.
///
/// # Errors
/// [`SupervisedError::Data`] for no finished trial, and a trial without a value of a parameter.
pub fn parallel_coordinates(record: &StudyRecord) -> Result<ParallelCoordinates, SupervisedError> {
    let mut finished = best_trials(record, usize::MAX);
    finished.reverse();
    let values = || finished.iter().filter_map(|trial| trial.value());
    if finished.is_empty() {
        return Err(SupervisedError::data("parallel coordinates", "there is no finished trial, run some"));
    }
    let mut axes: Vec<Axis> = record.definition.space.parameters.iter().map(axis_of).collect();
    axes.push(Axis {
        name: record.definition.metric.clone(),
        scale: AxisScale::Linear,
        low: values().fold(f64::INFINITY, f64::min),
        high: values().fold(f64::NEG_INFINITY, f64::max),
    });
    let mut lines = Vec::new();
    for trial in finished {
        let mut line = Vec::with_capacity(axes.len());
        for parameter in &record.definition.space.parameters {
            let value = trial.parameters.get(parameter.key());
            line.push(value.and_then(|value| parameter.number_of(value)).ok_or_else(|| {
                let reason = format!("has no value of `{}`", parameter.key());
                SupervisedError::data(format!("trial {}", trial.number), reason)
            })?);
        }
        line.extend(trial.value());
        lines.push(CoordinateLine { trial: trial.number, values: line });
    }
    Ok(ParallelCoordinates { axes, lines })
}

fn axis_of(parameter: &Parameter) -> Axis {
    let linear = if parameter.is_logarithmic() { AxisScale::Logarithmic } else { AxisScale::Linear };
    let (scale, low, high) = match parameter {
        Parameter::Float { low, high, .. } => (linear, *low, *high),
        Parameter::Integer { low, high, .. } => (linear, *low as f64, *high as f64),
        Parameter::Choice { values, .. } => {
            let labels: Vec<String> = values.iter().map(ToString::to_string).collect();
            let last = (labels.len() - 1) as f64;
            (AxisScale::Choices { labels }, 0.0, last)
        }
    };
    Axis { name: parameter.key().to_owned(), scale, low, high }
}
