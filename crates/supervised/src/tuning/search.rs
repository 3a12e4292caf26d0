//! Runs trials until there are enough.

use serde::{Deserialize, Serialize};

use super::search_space::Assignment;
use super::study::{Next, Study};
use super::trial::{Trial, TrialCounts};
use crate::error::SupervisedError;

/// What a trial should do after a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Advice {
    /// Go on.
    Continue,
    /// Return, with any value: the trial is already written down as pruned.
    Prune,
}

/// A running trial, for its objective.
#[derive(Debug)]
pub struct TrialHandle<'a> {
    study: &'a mut Study,
    number: usize,
    attempt: u32,
    pruned: bool,
}

impl TrialHandle<'_> {
    /// Number in the study, from 0.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Adds an intermediate value of the metric: `step` is the resource spent (epochs or folds done, from 1,
    /// each greater than the one before).
    ///
    /// # Errors
    /// [`SupervisedError::Data`] for a step that is not greater, a value that is not finite (return it as the
    /// trial's value instead), and a trial that has been pruned or abandoned; [`SupervisedError::File`].
    pub fn report(&mut self, step: u64, value: f64) -> Result<Advice, SupervisedError> {
        self.pruned |= self.study.report(self.number, self.attempt, step, value)?;
        Ok(if self.pruned { Advice::Prune } else { Advice::Continue })
    }
}

/// Where a study stands after [`tune`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TuningOutcome {
    /// All trials of the study, those of other processes and of earlier runs among them.
    pub counts: TrialCounts,
    /// Trials that ran in other processes when this one ended. They count towards the goal, so where one of
    /// those processes is gone, its trial has to be abandoned ([`Study::abandon`]) and the study resumed.
    pub running_elsewhere: Vec<usize>,
}

/// Runs `objective` on suggested values until `trials` of the study are settled (finished, pruned or
/// diverged), or will be when those of other processes end. Failed trials do not count.
///
/// The objective gets the values and a handle for its reports, and gives the value of the metric. One that is
/// not finite says that the values are at fault: the trial has diverged, and the sampler takes it for the
/// worst. `observer` sees each trial when it has ended.
///
/// # Errors
/// The objective's error, after the trial was written down as failed; [`SupervisedError`] of the study.
pub fn tune<E: From<SupervisedError> + std::fmt::Display>(
    study: &mut Study,
    trials: usize,
    mut objective: impl FnMut(&Assignment, &mut TrialHandle<'_>) -> Result<f64, E>,
    mut observer: impl FnMut(&Trial),
) -> Result<TuningOutcome, E> {
    while let Next::Trial(number) = study.start(trials)? {
        let Trial { attempt, parameters, .. } = study.record().trials[number].clone();
        let mut handle = TrialHandle { study: &mut *study, number, attempt, pruned: false };
        let result = objective(&parameters, &mut handle);
        let pruned = handle.pruned;
        // A pruned trial is written down; whatever its objective says then, the file stays as it is.
        if !pruned {
            let written = study.end(number, attempt, result.as_ref().copied().map_err(ToString::to_string));
            if result.is_ok() {
                written?;
            }
        }
        result?;
        observer(&study.record().trials[number]);
    }
    Ok(TuningOutcome { counts: study.record().counts(), running_elsewhere: study.running() })
}
