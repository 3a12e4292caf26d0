//! The lines of a study file, and what they do to its trials.

use serde::{Deserialize, Serialize};

use super::definition::StudyDefinition;
use super::search_space::Assignment;
use super::trial::{Report, Trial, TrialState};

/// Version of the file's format.
pub(super) const FORMAT: u32 = 1;

/// One line of a study file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Event {
    /// The first line.
    Study { format: u32, space_hash: String, definition: StudyDefinition },
    /// A trial begins, or one that was abandoned begins again.
    Started { trial: usize, process: String, parameters: Assignment },
    /// An intermediate value.
    Report { trial: usize, step: u64, value: f64 },
    /// The objective has given a value.
    Finished { trial: usize, value: f64 },
    /// The pruner has ended it.
    Pruned { trial: usize },
    /// The objective has given a value that is not finite.
    Diverged { trial: usize },
    /// The objective has given an error.
    Failed { trial: usize, reason: String },
    /// Its process is gone; the next start takes it up again.
    Abandoned { trial: usize },
}

/// Applies an event to the trials.
///
/// # Errors
/// In words, where the event does not follow from what came before it. Nothing is changed then.
pub(super) fn apply(
    event: Event,
    definition: &StudyDefinition,
    trials: &mut Vec<Trial>,
) -> Result<(), String> {
    match event {
        Event::Study { .. } => Err("a second first line".to_owned()),
        Event::Started { trial, process, parameters } => {
            definition.space.check(&parameters)?;
            start(trials, trial, process, parameters)
        }
        Event::Report { trial, step, value } => {
            let trial = running(trials, trial)?;
            check_report(trial, step, value)?;
            trial.reports.push(Report { step, value });
            Ok(())
        }
        Event::Finished { trial, value } if !value.is_finite() => {
            Err(format!("the value of trial {trial} is {value}"))
        }
        Event::Finished { trial, value } => end(trials, trial, TrialState::Finished(value)),
        Event::Pruned { trial } => end(trials, trial, TrialState::Pruned),
        Event::Diverged { trial } => end(trials, trial, TrialState::Diverged),
        Event::Failed { trial, reason } => end(trials, trial, TrialState::Failed(reason)),
        Event::Abandoned { trial } => {
            running(trials, trial)?.reports.clear();
            end(trials, trial, TrialState::Waiting)
        }
    }
}

fn start(
    trials: &mut Vec<Trial>,
    number: usize,
    process: String,
    parameters: Assignment,
) -> Result<(), String> {
    let count = trials.len();
    match trials.get_mut(number) {
        None if number == count => {
            let state = TrialState::Running;
            trials.push(Trial { number, attempt: 1, parameters, process, reports: Vec::new(), state });
            Ok(())
        }
        None => Err(format!("trial {number} begins after {count} trials")),
        Some(trial) if trial.state == TrialState::Waiting && trial.parameters == parameters => {
            trial.attempt += 1;
            trial.process = process;
            trial.state = TrialState::Running;
            Ok(())
        }
        Some(trial) if trial.state == TrialState::Waiting => {
            Err(format!("trial {number} begins again with other parameters"))
        }
        Some(_) => Err(format!("trial {number} begins a second time")),
    }
}

/// What a report must be: finite, and later than the one before.
pub(super) fn check_report(trial: &Trial, step: u64, value: f64) -> Result<(), String> {
    if !value.is_finite() {
        return Err(format!("trial {} reports {value}", trial.number));
    }
    let last = trial.reports.last().map_or(0, |report| report.step);
    if step <= last {
        return Err(format!("trial {} reports step {step} after step {last}", trial.number));
    }
    Ok(())
}

fn running(trials: &mut [Trial], number: usize) -> Result<&mut Trial, String> {
    match trials.get_mut(number) {
        None => Err(format!("there is no trial {number}")),
        Some(trial) if trial.state == TrialState::Running => Ok(trial),
        Some(_) => Err(format!("trial {number} is not running")),
    }
}

fn end(trials: &mut [Trial], number: usize, state: TrialState) -> Result<(), String> {
    running(trials, number)?.state = state;
    Ok(())
}
