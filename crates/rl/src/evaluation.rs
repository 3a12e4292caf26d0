//! How good an agent is: returns of whole episodes.

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::agent::{Agent, check_spaces};
use crate::environment::{Actions, Outcomes, VecEnvironment};
use crate::error::RlError;
use crate::random::generator;

/// How to evaluate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluationConfig {
    /// Episodes, at least 2.
    pub episodes: usize,
    /// The most probable actions; else they are drawn.
    pub deterministic: bool,
    /// Of environments and actions.
    pub seed: u64,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self { episodes: 100, deterministic: true, seed: 0 }
    }
}

/// Returns of episodes, raw rewards without discount.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluated {
    /// Of each episode: those of the first environment, then of the second, and so on.
    pub returns: Vec<f64>,
    /// Their mean.
    pub mean_return: f64,
    /// Half the width of the 95 % interval of the mean, 1.96 standard errors: for many episodes.
    pub half_width: f64,
    /// Mean length, steps.
    pub mean_length: f64,
}

/// Plays episodes in all environments at once. How many each plays is settled beforehand, so that short
/// episodes do not count more often than long ones. The agent does not change.
///
/// # Errors
/// [`RlError::Config`] for fewer than 2 episodes, [`RlError::Shape`] where agent and environments do not
/// fit.
pub fn evaluate(
    agent: &mut dyn Agent,
    environments: &mut dyn VecEnvironment,
    config: &EvaluationConfig,
) -> Result<Evaluated, RlError> {
    if config.episodes < 2 {
        return Err(RlError::config("episodes", config.episodes, "give at least 2, for an interval"));
    }
    let (count, inputs) = (environments.len(), environments.observation_space().width());
    check_spaces(agent, environments.observation_space(), environments.action_space())?;
    let (width, state_width) = (agent.distribution().action_width(), agent.state_width());
    let mut random = generator(config.seed, "evaluation", 0);
    let mut states = vec![0.0; count * state_width];
    for state in states.chunks_exact_mut(state_width.max(1)) {
        agent.initial_state(state);
    }
    let (mut observations, mut rows) = (vec![0.0; count * inputs], vec![0.0; count * width]);
    let (mut actions, mut outcomes) = (Actions::Discrete(Vec::new()), Outcomes::default());
    let mut running = vec![(0.0, 0_u64); count];
    let mut finished: Vec<Vec<(f64, u64)>> = vec![Vec::new(); count];
    let quota = |index: usize| (config.episodes + index) / count;
    environments.reset(config.seed);
    while finished.iter().enumerate().any(|(index, done)| done.len() < quota(index)) {
        environments.observe(&mut observations);
        let generator: Option<&mut dyn Rng> = if config.deterministic { None } else { Some(&mut random) };
        agent.act(&observations, &mut states, generator, &mut rows)?;
        agent.distribution().actions(&rows, &mut actions);
        environments.step(&actions, &mut outcomes)?;
        for (index, step) in outcomes.steps.iter().enumerate() {
            running[index] = (running[index].0 + f64::from(step.reward), running[index].1 + 1);
            if step.terminated || step.truncated {
                if finished[index].len() < quota(index) {
                    finished[index].push(running[index]);
                }
                running[index] = (0.0, 0);
                agent.initial_state(&mut states[index * state_width..(index + 1) * state_width]);
            }
        }
    }
    Ok(summary(&finished.concat()))
}

fn summary(episodes: &[(f64, u64)]) -> Evaluated {
    let count = episodes.len() as f64;
    let returns: Vec<f64> = episodes.iter().map(|episode| episode.0).collect();
    let mean_return = returns.iter().sum::<f64>() / count;
    let squares: f64 = returns.iter().map(|value| (value - mean_return).powi(2)).sum();
    let half_width = 1.96 * (squares / (count - 1.0) / count).sqrt();
    let mean_length = episodes.iter().map(|episode| episode.1 as f64).sum::<f64>() / count;
    Evaluated { returns, mean_return, half_width, mean_length }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_that_computed_by_hand() {
        // Variance of 1, 2, 3, 6 is 14/3 of the sample; the standard error √(14/12) = 1.0801234.
        let one = summary(&[(1.0, 1), (2.0, 2), (3.0, 3), (6.0, 4)]);
        assert_eq!((one.mean_return, one.mean_length), (3.0, 2.5));
        assert!((one.half_width - 1.96 * 1.080_123_449_734_643_4).abs() < 1e-12);
    }
}
