//! How much each parameter decides whether a trial is among the best.
//!
//! PED-ANOVA (Watanabe, Bansal and Hutter 2023, "PED-ANOVA: efficiently quantifying hyperparameter importance
//! in arbitrary subspaces", algorithm 1): the Pearson divergence between where the best trials lie on one
//! parameter and where all of them lie. Unlike fANOVA it needs no forest, and it asks about the good end of
//! the metric, where the search is spent. Densities on a grid and their bandwidths are those of Optuna's
//! `PedAnovaImportanceEvaluator`, which it equals.

use serde::{Deserialize, Serialize};

use super::definition::StudyDefinition;
use super::search_space::Parameter;
use super::study::StudyRecord;
use super::trial::Trial;
use crate::error::SupervisedError;

/// Points of the grid of a real parameter, as in the authors' implementation.
const GRID_POINTS: usize = 50;
/// Keeps densities from 0, as in the authors' implementation.
const DENSITY_FLOOR: f64 = 1e-12;
/// Smallest bandwidth in grid steps: 1.64 deviations (90 %) within half a step.
const SMALLEST_BANDWIDTH: f64 = 0.5 / 1.64;

/// Options of [`importance`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImportanceConfig {
    /// Share of the finished trials that count as the best, above 0 and below 1. 0.1, as in Optuna; five
    /// trials or more should be among them for the result to be steady.
    pub best_share: f64,
}

impl Default for ImportanceConfig {
    fn default() -> Self {
        Self { best_share: 0.1 }
    }
}

impl ImportanceConfig {
    /// Checks the options.
    ///
    /// # Errors
    /// [`SupervisedError::Config`].
    pub fn validate(&self) -> Result<(), SupervisedError> {
        if self.best_share > 0.0 && self.best_share < 1.0 {
            return Ok(());
        }
        Err(SupervisedError::config("best_share", self.best_share, "use a share above 0 and below 1"))
    }
}

/// How much one parameter matters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImportanceBar {
    /// The parameter.
    pub key: String,
    /// Its part of the sum over all parameters, 0 to 1.
    pub share: f64,
}

/// Importance of each parameter among the finished trials, most important first. All shares are 0 where the
/// best trials lie as all of them do in every parameter.
///
/// # Errors
/// [`SupervisedError::Config`], and [`SupervisedError::Data`] for fewer than two finished trials.
pub fn importance(
    record: &StudyRecord,
    config: &ImportanceConfig,
) -> Result<Vec<ImportanceBar>, SupervisedError> {
    config.validate()?;
    let finished: Vec<&Trial> = record.trials.iter().filter(|trial| trial.value().is_some()).collect();
    if finished.len() < 2 {
        let reason = format!("{} finished trials are too few, run at least two", finished.len());
        return Err(SupervisedError::data("importance", reason));
    }
    let best = best_of(&finished, config.best_share, &record.definition);
    let mut bars = Vec::new();
    for parameter in &record.definition.space.parameters {
        let share = divergence(&density(parameter, &best)?, &density(parameter, &finished)?);
        bars.push(ImportanceBar { key: parameter.key().to_owned(), share });
    }
    let sum: f64 = bars.iter().map(|bar| bar.share).sum();
    if sum > 0.0 {
        bars.iter_mut().for_each(|bar| bar.share /= sum);
    }
    bars.sort_by(|left, right| right.share.total_cmp(&left.share));
    Ok(bars)
}

/// The trials up to the quantile of the metric, with all that are equal to it.
fn best_of<'a>(finished: &[&'a Trial], share: f64, definition: &StudyDefinition) -> Vec<&'a Trial> {
    let cost = |trial: &Trial| trial.value().map_or(f64::INFINITY, |value| definition.direction.cost(value));
    let mut costs: Vec<f64> = finished.iter().map(|trial| cost(trial)).collect();
    costs.sort_by(f64::total_cmp);
    let last = ((share * costs.len() as f64).ceil() as usize).max(1) - 1;
    finished.iter().copied().filter(|trial| cost(trial) <= costs[last]).collect()
}

/// Pearson's divergence, equation 12 of the paper up to its constant factor.
fn divergence(best: &[f64], all: &[f64]) -> f64 {
    best.iter()
        .zip(all)
        .map(|(best, all)| {
            let excess = best / all - 1.0;
            all * excess * excess
        })
        .sum()
}

/// The density of trials at the grid points of a parameter, or at its choices.
fn density(parameter: &Parameter, trials: &[&Trial]) -> Result<Vec<f64>, SupervisedError> {
    let numbers = trials.iter().map(|trial| {
        let value = trial.parameters.get(parameter.key());
        value.and_then(|value| parameter.number_of(value)).ok_or_else(|| {
            let what = format!("trial {}", trial.number);
            SupervisedError::data(what, format!("has no value of `{}`", parameter.key()))
        })
    });
    let numbers = numbers.collect::<Result<Vec<f64>, _>>()?;
    let counts = match parameter {
        Parameter::Choice { values, .. } => {
            let mut counts = vec![0.0; values.len()];
            numbers.iter().for_each(|&number| counts[number as usize] += 1.0);
            return Ok(choice_density(&counts));
        }
        Parameter::Float { low, high, log, .. } => on_grid(&numbers, *low, *high, *log, GRID_POINTS),
        Parameter::Integer { low, high, log: true, .. } => {
            let doublings = ((high - low + 1) as f64).ln() / 2.0_f64.ln();
            let points = (doublings.ceil() as usize + 1).min(GRID_POINTS);
            on_grid(&numbers, *low as f64, *high as f64, true, points)
        }
        Parameter::Integer { low, high, step, .. } => {
            let points = usize::try_from((high - low) / step + 1).unwrap_or(GRID_POINTS).min(GRID_POINTS);
            on_grid(&numbers, *low as f64, *high as f64, false, points)
        }
    };
    Ok(grid_density(&counts))
}

/// Counts by the nearest of `points` even points; ties go to the lower one.
fn on_grid(numbers: &[f64], low: f64, high: f64, log: bool, points: usize) -> Vec<f64> {
    let scale = |number: f64| if log { number.ln() } else { number };
    let start = scale(low);
    let step = (scale(high) - start) / (points - 1) as f64;
    let mut counts = vec![0.0; points];
    for &number in numbers {
        let place = ((scale(number) - start) / step - 0.5).ceil().max(0.0) as usize;
        counts[place.min(points - 1)] += 1.0;
    }
    counts
}

/// A categorical kernel for each choice seen, weighted by its count, and one of weight 1 that knows nothing.
fn choice_density(counts: &[f64]) -> Vec<f64> {
    let choices = counts.len() as f64;
    let seen = counts.iter().filter(|&&count| count > 0.0).count() as f64;
    let weights = counts.iter().sum::<f64>() + 1.0;
    let prior = 1.0 / (seen + 1.0);
    let row = 1.0 + choices * prior;
    let elsewhere = (weights - 1.0) * prior / row + 1.0 / choices;
    counts.iter().map(|count| (elsewhere + count / row) / weights + DENSITY_FLOOR).collect()
}

/// A normal kernel for each point seen, weighted by its count, with the bandwidth of Scott's rule (Scott
/// 1992), and one of weight 1 over the whole grid; all cut off at its ends and integrated over the grid's
/// cells.
fn grid_density(counts: &[f64]) -> Vec<f64> {
    let seen: Vec<(f64, f64)> = counts
        .iter()
        .enumerate()
        .filter(|&(_, &count)| count > 0.0)
        .map(|(place, &count)| (place as f64, count))
        .collect();
    let weight: f64 = seen.iter().map(|(_, count)| count).sum();
    let last = (counts.len() - 1) as f64;
    let bandwidth = scott_bandwidth(&seen, weight).max(SMALLEST_BANDWIDTH);
    let kernels = seen.iter().map(|&(place, count)| (place, bandwidth, count)).chain(std::iter::once((
        last / 2.0,
        last + 1.0,
        1.0,
    )));
    let mut density = vec![DENSITY_FLOOR; counts.len()];
    for (mean, deviation, count) in kernels {
        let below = |at: f64| 0.5 * libm::erfc((mean - at) / (deviation * std::f64::consts::SQRT_2));
        let inside = below(last + 0.5) - below(-0.5);
        for (place, density) in density.iter_mut().enumerate() {
            let mass = below(place as f64 + 0.5) - below(place as f64 - 0.5);
            *density += count / (weight + 1.0) * mass / inside;
        }
    }
    density
}

/// 1.059 · min(IQR / 1.34, σ) · n^(−1/5), in grid steps. `seen` are places with their counts, ascending;
/// `weight` is the sum of the counts. The quartiles are taken from whole counts as in the authors'
/// implementation.
fn scott_bandwidth(seen: &[(f64, f64)], weight: f64) -> f64 {
    let mean = seen.iter().map(|(place, count)| place * count).sum::<f64>() / weight;
    let squares: f64 = seen.iter().map(|(place, count)| (place - mean) * (place - mean) * count).sum();
    let deviation = (squares / (weight - 1.0).max(1.0)).sqrt();
    let cumulated: Vec<f64> = seen
        .iter()
        .scan(0.0, |sum, (_, count)| {
            *sum += count;
            Some(*sum)
        })
        .collect();
    let first = cumulated.partition_point(|&sum| sum < (weight / 4.0).floor());
    let third = cumulated.partition_point(|&sum| sum <= (weight * 3.0 / 4.0).floor()).min(seen.len() - 1);
    let spread = seen[third].0 - seen[first].0;
    1.059 * (spread / 1.34).min(deviation) * weight.powf(-0.2)
}
