//! One assignment tried, and what came of it.

use serde::{Deserialize, Serialize};

use super::search_space::Assignment;

/// Which way of the metric is better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Lower is better: losses.
    #[default]
    Minimise,
    /// Higher is better: scores.
    Maximise,
}

impl Direction {
    /// The value as a cost, lower being better.
    pub(super) fn cost(self, value: f64) -> f64 {
        match self {
            Self::Minimise => value,
            Self::Maximise => -value,
        }
    }
}

/// Where a trial stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialState {
    /// Started and not yet ended; also one whose process was killed, until it is abandoned.
    Running,
    /// Abandoned: the next start takes it up again, with the same parameters.
    Waiting,
    /// Ended with this value of the metric.
    Finished(f64),
    /// Stopped by the pruner at its last report.
    Pruned,
    /// Ended with a value that is not finite: the parameters are at fault.
    Diverged,
    /// Ended by an error, with its text: the parameters need not be at fault.
    Failed(String),
}

/// An intermediate value of the metric.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Resource spent so far, in the caller's unit (epochs done, folds done), from 1.
    pub step: u64,
    /// The metric then.
    pub value: f64,
}

/// One assignment tried, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Number in the study, from 0.
    pub number: usize,
    /// How often it was started, from 1.
    pub attempt: u32,
    /// The values tried.
    pub parameters: Assignment,
    /// Who started it last, in the words of the caller.
    pub process: String,
    /// Intermediate values of the last attempt; steps strictly increase.
    pub reports: Vec<Report>,
    /// Where it stands.
    pub state: TrialState,
}

impl Trial {
    /// The value of the metric, of a finished trial.
    pub fn value(&self) -> Option<f64> {
        match self.state {
            TrialState::Finished(value) => Some(value),
            _ => None,
        }
    }

    /// Whether its parameters were tried to a result: finished, pruned or diverged.
    pub fn is_settled(&self) -> bool {
        matches!(self.state, TrialState::Finished(_) | TrialState::Pruned | TrialState::Diverged)
    }
}

/// How many trials stand where. [`settled`](Self::settled) is the number that statistics of overfitting need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrialCounts {
    /// Ended with a value.
    pub finished: usize,
    /// Stopped by the pruner.
    pub pruned: usize,
    /// Ended with a value that is not finite.
    pub diverged: usize,
    /// Ended by an error.
    pub failed: usize,
    /// Started and not ended.
    pub running: usize,
    /// Abandoned and not yet taken up again.
    pub waiting: usize,
}

impl TrialCounts {
    /// Counts trials.
    pub fn of(trials: &[Trial]) -> Self {
        let mut counts = Self::default();
        for trial in trials {
            let count = match trial.state {
                TrialState::Finished(_) => &mut counts.finished,
                TrialState::Pruned => &mut counts.pruned,
                TrialState::Diverged => &mut counts.diverged,
                TrialState::Failed(_) => &mut counts.failed,
                TrialState::Running => &mut counts.running,
                TrialState::Waiting => &mut counts.waiting,
            };
            *count += 1;
        }
        counts
    }

    /// Configurations that were tried to a result: finished, pruned and diverged.
    pub fn settled(&self) -> usize {
        self.finished + self.pruned + self.diverged
    }
}
