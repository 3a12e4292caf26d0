//! Which values a trial tries.

use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tpe::TpeOptimizerBuilder;

use super::definition::StudyDefinition;
use super::search_space::{Assignment, Parameter};
use super::trial::{Direction, Trial, TrialState};
use crate::error::SupervisedError;
use crate::random::generator;

/// How values are suggested.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SamplerConfig {
    /// Evenly over the search space: the baseline that any other has to beat.
    Random {},
    /// Tree-structured Parzen estimators.
    Tpe(TpeConfig),
}

impl Default for SamplerConfig {
    fn default() -> Self {
        Self::Tpe(TpeConfig::default())
    }
}

/// Tree-structured Parzen estimators (Bergstra et al. 2011, "Algorithms for hyper-parameter optimization"),
/// one per parameter, of the crate `tpe`. A value is suggested that is likely among the best trials and
/// unlikely among the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TpeConfig {
    /// Settled trials before the estimators are trusted; until then values are random. 10, as in Optuna.
    pub startup_trials: usize,
    /// Share of the trials that count as the best, above 0 and below 1. 0.1, as in Optuna.
    pub best_share: f64,
    /// Values drawn from the best trials' estimator, of which the most promising is taken. 24, as in the
    /// paper's implementation.
    pub candidates: usize,
}

impl Default for TpeConfig {
    fn default() -> Self {
        Self { startup_trials: 10, best_share: 0.1, candidates: 24 }
    }
}

impl SamplerConfig {
    /// Checks the options.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] that names the option.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        let Self::Tpe(config) = self else { return Ok(()) };
        if config.startup_trials == 0 {
            return Err(SupervisedError::config("sampler.startup_trials", 0, "use at least 1"));
        }
        if !(config.best_share > 0.0 && config.best_share < 1.0) {
            let remedy = "use a share above 0 and below 1";
            return Err(SupervisedError::config("sampler.best_share", config.best_share, remedy));
        }
        if config.candidates == 0 {
            return Err(SupervisedError::config("sampler.candidates", 0, "use at least 1"));
        }
        Ok(())
    }
}

/// The values that trial `number` tries: a function of the definition (its seed above all), the number, and
/// what is settled in `trials`. Trials that run, wait or have failed decide nothing.
///
/// # Errors
/// [`SupervisedError::Data`] where a trial's value is none of the search space.
pub fn suggest(
    definition: &StudyDefinition,
    number: usize,
    trials: &[Trial],
) -> Result<Assignment, SupervisedError> {
    let ranked = ranked(trials, definition.direction);
    let mut assignment = Assignment::new();
    for parameter in &definition.space.parameters {
        // A stream of its own for each parameter, so that another one more changes nothing here.
        let mut random = generator(definition.seed, &format!("tuning/{}", parameter.key()), number as u64);
        let internal = match &definition.sampler {
            SamplerConfig::Tpe(config) if ranked.len() >= config.startup_trials => {
                estimated(parameter, config, &ranked, &mut random)?
            }
            SamplerConfig::Tpe(_) | SamplerConfig::Random {} => {
                let (start, end) = parameter.internal_range();
                random.random_range(start..end)
            }
        };
        assignment.insert(parameter.key().to_owned(), parameter.value_at(internal));
    }
    Ok(assignment)
}

/// Asks the estimator of one parameter. It is told ranks instead of values, which is all that it looks at, so
/// that trials without a final value have their place, too.
fn estimated(
    parameter: &Parameter,
    config: &TpeConfig,
    ranked: &[&Trial],
    random: &mut impl rand::Rng,
) -> Result<f64, SupervisedError> {
    let refused = |reason: String| SupervisedError::data(format!("parameter `{}`", parameter.key()), reason);
    let (start, end) = parameter.internal_range();
    let range = tpe::range(start, end).map_err(|error| refused(error.to_string()))?;
    let estimator = match parameter {
        Parameter::Choice { .. } => tpe::histogram_estimator(),
        Parameter::Float { .. } | Parameter::Integer { .. } => tpe::parzen_estimator(),
    };
    let mut optimiser = TpeOptimizerBuilder::new()
        .gamma(config.best_share)
        .candidates(config.candidates)
        .build(estimator, range)
        .map_err(|error| refused(error.to_string()))?;
    for (rank, trial) in ranked.iter().enumerate() {
        let number = trial
            .parameters
            .get(parameter.key())
            .and_then(|value| parameter.number_of(value))
            .ok_or_else(|| refused(format!("trial {} has no value of it", trial.number)))?;
        let internal = if parameter.is_logarithmic() { number.ln() } else { number };
        // The end is not part of the range, and exp and ln may round past it.
        let inside = internal.clamp(start, end.next_down());
        optimiser.tell(inside, rank as f64).map_err(|error| refused(error.to_string()))?;
    }
    optimiser.ask(random).map_err(|error| refused(error.to_string()))
}

/// The settled trials, best first: finished ones by value, then pruned ones (those that came further first,
/// then by their last value, as Optuna does), then diverged ones. Ties go to the lower number.
fn ranked(trials: &[Trial], direction: Direction) -> Vec<&Trial> {
    let mut settled: Vec<&Trial> = trials.iter().filter(|trial| trial.is_settled()).collect();
    let key = |trial: &Trial| {
        let last = trial.reports.last();
        let steps_left = u64::MAX - last.map_or(0, |report| report.step);
        let last_cost = last.map_or(f64::INFINITY, |report| direction.cost(report.value));
        match trial.state {
            TrialState::Finished(value) => (0, 0, direction.cost(value)),
            TrialState::Pruned => (1, steps_left, last_cost),
            _ => (2, 0, 0.0),
        }
    };
    settled.sort_by(|left, right| {
        let (left, right) = (key(left), key(right));
        (left.0, left.1).cmp(&(right.0, right.1)).then(left.2.total_cmp(&right.2))
    });
    settled
}
