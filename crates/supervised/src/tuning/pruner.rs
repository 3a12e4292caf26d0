//! When a trial is given up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::trial::{Direction, Report, Trial, TrialState};
use crate::error::SupervisedError;

/// When a trial is given up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum PrunerConfig {
    /// Never.
    None {},
    /// When it is worse than the median of the finished ones.
    Median(MedianConfig),
    /// When it is not among the best of its bracket at the next rung.
    Hyperband(HyperbandConfig),
}

impl Default for PrunerConfig {
    fn default() -> Self {
        Self::Median(MedianConfig::default())
    }
}

/// The median rule (Golovin et al. 2017, "Google Vizier", section 3.5): a trial ends when its best report so
/// far is worse than the median that the finished trials reported at the same step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MedianConfig {
    /// Finished trials before the rule holds. 5, as in Optuna.
    pub startup_trials: usize,
    /// Steps below this one are not judged. 3: a first epoch or two say little.
    pub warm_up_steps: u64,
}

impl Default for MedianConfig {
    fn default() -> Self {
        Self { startup_trials: 5, warm_up_steps: 3 }
    }
}

/// Hyperband (Li et al. 2018) of asynchronous successive halving (Li et al. 2020, algorithm 2, in the form
/// that stops instead of pausing, as Optuna has it).
///
/// Bracket `b` has rungs at `min_resource · eta^(b + k)`, k = 0, 1, …, below `max_resource`. At a rung a
/// trial goes on when it is among the best `1/eta` of its bracket that have come there (or the best of less
/// than `eta`). Brackets take turns by the trial's number, in proportion to the sizes of Hyperband, so that
/// the same trial is in the same bracket in each process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HyperbandConfig {
    /// Steps before the first decision. 1: one epoch.
    pub min_resource: u64,
    /// Steps of a trial that is never stopped. 27: three rungs with `eta` 3.
    pub max_resource: u64,
    /// One of so many goes on at each rung. 3, as in the paper.
    pub eta: u64,
}

impl Default for HyperbandConfig {
    fn default() -> Self {
        Self { min_resource: 1, max_resource: 27, eta: 3 }
    }
}

impl PrunerConfig {
    /// Checks the options.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] that names the option.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        match self {
            Self::None {} => Ok(()),
            Self::Median(config) if config.startup_trials == 0 => {
                Err(SupervisedError::config("pruner.startup_trials", 0, "use at least 1"))
            }
            Self::Median(_) => Ok(()),
            Self::Hyperband(config) => {
                if config.min_resource == 0 {
                    return Err(SupervisedError::config("pruner.min_resource", 0, "use at least 1"));
                }
                if config.max_resource <= config.min_resource {
                    let remedy = "use more than `pruner.min_resource`";
                    return Err(SupervisedError::config("pruner.max_resource", config.max_resource, remedy));
                }
                if !(2..=1000).contains(&config.eta) {
                    return Err(SupervisedError::config("pruner.eta", config.eta, "use 2 to 1000"));
                }
                Ok(())
            }
        }
    }
}

/// Whether trial `number` ends at its last report, given all `trials` (it among them).
pub(super) fn ends(pruner: &PrunerConfig, direction: Direction, trials: &[Trial], number: usize) -> bool {
    match pruner {
        PrunerConfig::None {} => false,
        PrunerConfig::Median(config) => is_worse_than_median(config, direction, trials, number),
        PrunerConfig::Hyperband(config) => {
            let bracket = config.bracket_of(number);
            let rungs = config.rungs(bracket);
            let rivals = trials.iter().filter(|trial| config.bracket_of(trial.number) == bracket);
            let rivals: Vec<&Trial> = rivals.collect();
            fails_a_rung(&rungs, config.eta, direction, &trials[number], &rivals)
        }
    }
}

fn is_worse_than_median(
    config: &MedianConfig,
    direction: Direction,
    trials: &[Trial],
    number: usize,
) -> bool {
    let trial = &trials[number];
    let Some(last) = trial.reports.last() else { return false };
    let finished = || trials.iter().filter(|trial| matches!(trial.state, TrialState::Finished(_)));
    if last.step < config.warm_up_steps || finished().count() < config.startup_trials {
        return false;
    }
    let mut costs: Vec<f64> = finished()
        .filter_map(|other| other.reports.iter().find(|report| report.step == last.step))
        .map(|report| direction.cost(report.value))
        .collect();
    costs.sort_by(f64::total_cmp);
    let Some(median) = median_of_sorted(&costs) else { return false };
    let best = trial.reports.iter().map(|report| direction.cost(report.value)).fold(f64::INFINITY, f64::min);
    best > median
}

fn median_of_sorted(sorted: &[f64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    Some(if sorted.len().is_multiple_of(2) {
        f64::midpoint(sorted[sorted.len() / 2 - 1], upper)
    } else {
        upper
    })
}

impl HyperbandConfig {
    /// ⌊log_eta(max / min)⌋ + 1.
    fn brackets(&self) -> u32 {
        let mut brackets = 1;
        let mut resource = self.min_resource;
        while resource.checked_mul(self.eta).is_some_and(|next| next <= self.max_resource) {
            resource *= self.eta;
            brackets += 1;
        }
        brackets
    }

    /// Trials that Hyperband begins in a bracket: ⌈n · eta^s / (s + 1)⌉ with s = n − 1 − bracket.
    fn size(&self, bracket: u32) -> u64 {
        let brackets = self.brackets();
        let halvings = brackets - 1 - bracket;
        (u64::from(brackets) * self.eta.pow(halvings)).div_ceil(u64::from(halvings) + 1)
    }

    /// The bracket of a trial: each time the one that is furthest behind its share (smooth weighted round
    /// robin), over and over again.
    fn bracket_of(&self, number: usize) -> u32 {
        let sizes: Vec<i128> = (0..self.brackets()).map(|bracket| i128::from(self.size(bracket))).collect();
        let total: i128 = sizes.iter().sum();
        let turn = number as i128 % total;
        let mut credits = vec![0_i128; sizes.len()];
        let mut chosen = 0;
        for _ in 0..=turn {
            for (credit, size) in credits.iter_mut().zip(&sizes) {
                *credit += size;
            }
            // The first of the largest, so that ties go to the most frugal bracket.
            chosen = (0..credits.len()).rev().max_by_key(|&at| credits[at]).unwrap_or(0);
            credits[chosen] -= total;
        }
        chosen as u32
    }

    /// The steps at which a bracket decides.
    fn rungs(&self, bracket: u32) -> Vec<u64> {
        let first = self.eta.checked_pow(bracket).and_then(|power| self.min_resource.checked_mul(power));
        std::iter::successors(first, |rung| rung.checked_mul(self.eta))
            .take_while(|&rung| rung < self.max_resource)
            .collect()
    }
}

/// The first report at or after a rung.
fn at_rung(reports: &[Report], rung: u64) -> Option<usize> {
    reports.iter().position(|report| report.step >= rung)
}

/// Whether a trial reaches a rung with its last report and is not among the best there. `rivals` may contain
/// it.
fn fails_a_rung(rungs: &[u64], eta: u64, direction: Direction, trial: &Trial, rivals: &[&Trial]) -> bool {
    let Some(last) = trial.reports.len().checked_sub(1) else { return false };
    let own = direction.cost(trial.reports[last].value);
    rungs.iter().filter(|&&rung| at_rung(&trial.reports, rung) == Some(last)).any(|&rung| {
        let mut costs: Vec<f64> = rivals
            .iter()
            .filter(|rival| rival.number != trial.number)
            .filter_map(|rival| at_rung(&rival.reports, rung).map(|at| rival.reports[at].value))
            .map(|value| direction.cost(value))
            .chain(std::iter::once(own))
            .collect();
        costs.sort_by(f64::total_cmp);
        let places = (costs.len() / eta as usize).max(1);
        own > costs[places - 1]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuning::search_space::Assignment;

    #[derive(Deserialize)]
    struct Reference {
        curves: Vec<Vec<f64>>,
        halving: Vec<u64>,
    }

    #[test]
    fn successive_halving_is_that_of_optuna() {
        let reference: Reference =
            serde_json::from_str(include_str!("../../tests/fixtures/tuning/optuna.json")).unwrap();
        for (direction, sign) in [(Direction::Minimise, 1.0), (Direction::Maximise, -1.0)] {
            let mut trials: Vec<Trial> = Vec::new();
            for (number, curve) in reference.curves.iter().enumerate() {
                let (process, parameters) = (String::new(), Assignment::new());
                let (reports, state) = (Vec::new(), TrialState::Running);
                let mut trial = Trial { number, attempt: 1, parameters, process, reports, state };
                let rivals: Vec<&Trial> = trials.iter().collect();
                let stopped = curve.iter().zip(1..).find_map(|(value, step)| {
                    trial.reports.push(Report { step, value: sign * value });
                    fails_a_rung(&[2, 4, 8], 2, direction, &trial, &rivals).then_some(step)
                });
                assert_eq!(stopped.unwrap_or(0), reference.halving[number], "trial {number}");
                trials.push(trial);
            }
        }
    }

    /// Table 1 of Li et al. (2018): R = 81, η = 3. The paper rounds as ⌈n η^s / (s + 1)⌉ in its algorithm.
    #[test]
    fn brackets_are_those_of_the_paper() {
        let config = HyperbandConfig { min_resource: 1, max_resource: 81, eta: 3 };
        assert_eq!(config.brackets(), 5);
        let sizes: Vec<u64> = (0..5).map(|bracket| config.size(bracket)).collect();
        assert_eq!(sizes, [81, 34, 15, 8, 5]);
        let rungs: Vec<Vec<u64>> = (0..5).map(|bracket| config.rungs(bracket)).collect();
        assert_eq!(rungs, [vec![1, 3, 9, 27], vec![3, 9, 27], vec![9, 27], vec![27], vec![]]);
        // In 143 trials each bracket has its size, and again in the next 143.
        for round in [0, 143] {
            let mut counts = [0_u64; 5];
            (round..round + 143).for_each(|number| counts[config.bracket_of(number) as usize] += 1);
            assert_eq!(counts, [81, 34, 15, 8, 5]);
        }
        let first: Vec<u32> = (0..6).map(|number| config.bracket_of(number)).collect();
        assert!(first.contains(&1) && first.contains(&0), "{first:?}");
    }

    #[test]
    fn trials_compete_within_their_bracket() {
        let config = HyperbandConfig { min_resource: 1, max_resource: 9, eta: 3 };
        let pruner = PrunerConfig::Hyperband(config.clone());
        let trial = |number: usize, value: f64| Trial {
            number,
            attempt: 1,
            parameters: Assignment::new(),
            process: String::new(),
            reports: vec![Report { step: 3, value }],
            state: TrialState::Running,
        };
        let newest = 16;
        let own = config.bracket_of(newest);
        let among = |rival: &dyn Fn(u32) -> f64| -> Vec<Trial> {
            let of = |number| if number == newest { 5.0 } else { rival(config.bracket_of(number)) };
            (0..=newest).map(|number| trial(number, of(number))).collect()
        };
        assert!(own < 2, "its bracket decides at step 3");
        let better_elsewhere = among(&|bracket| if bracket == own { 9.0 } else { 0.0 });
        assert!(!ends(&pruner, Direction::Minimise, &better_elsewhere, newest));
        let better_here = among(&|bracket| if bracket == own { 0.0 } else { 9.0 });
        assert!(ends(&pruner, Direction::Minimise, &better_here, newest));
    }
}
