//! Steps joined to transitions of several steps.

use super::Transition;
use crate::codec::{Reader, Writer};
use crate::environment::Step;
use crate::error::RlError;

/// Joins the steps of each environment to transitions of `n` steps (Sutton and Barto 2018, equation 7.1), and
/// of fewer where an episode ends: the rewards are discounted to the first step, the value after them by γⁿ,
/// or not at all after a termination.
#[derive(Clone, Debug, PartialEq)]
pub struct NStep {
    steps: usize,
    discount: f64,
    width: usize,
    queues: Vec<Queue>,
}

/// Steps of one environment that wait for their rewards, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
struct Queue {
    /// `[waiting, width]`.
    observations: Vec<f32>,
    actions: Vec<usize>,
    rewards: Vec<f64>,
}

impl NStep {
    /// For so many environments with observations of so many numbers.
    ///
    /// # Errors
    /// [`RlError::Config`] for no step, or a discount outside `[0, 1]`.
    pub fn new(steps: usize, discount: f64, environments: usize, width: usize) -> Result<Self, RlError> {
        if steps == 0 {
            return Err(RlError::config("dqn.n_step", steps, "give at least 1"));
        }
        if !(0.0..=1.0).contains(&discount) {
            return Err(RlError::config("dqn.discount", discount, "give 0 to 1"));
        }
        Ok(Self { steps, discount, width, queues: vec![Queue::default(); environments] })
    }

    /// Takes a step of one environment: what was seen before it, done, followed and was seen after it (the
    /// last observation of the episode if that ended), and gives each transition that is now whole, oldest
    /// first.
    ///
    /// # Errors
    /// [`RlError::Shape`] for an environment that there is not; those of `store`.
    pub fn push(
        &mut self,
        environment: usize,
        observation: &[f32],
        action: usize,
        step: &Step,
        next_observation: &[f32],
        mut store: impl FnMut(&Transition<'_>) -> Result<(), RlError>,
    ) -> Result<(), RlError> {
        let count = self.queues.len();
        let Some(queue) = self.queues.get_mut(environment) else {
            return Err(RlError::shape(
                "n-step returns",
                format!("environment {environment} is none of {count}"),
            ));
        };
        queue.observations.extend_from_slice(observation);
        queue.actions.push(action);
        queue.rewards.push(f64::from(step.reward));
        let ended = step.terminated || step.truncated;
        let whole = if ended { queue.actions.len() } else { usize::from(queue.actions.len() == self.steps) };
        for first in 0..whole {
            let rewards = queue.rewards.get(first..).unwrap_or(&[]);
            let reward = rewards.iter().rev().fold(0.0, |sum, reward| reward + self.discount * sum);
            let left = rewards.iter().fold(1.0, |left, _| left * self.discount);
            store(&Transition {
                observation: queue
                    .observations
                    .get(first * self.width..(first + 1) * self.width)
                    .unwrap_or(&[]),
                action: queue.actions.get(first).copied().unwrap_or(action),
                reward: reward as f32,
                discount: if step.terminated { 0.0 } else { left as f32 },
                next_observation,
            })?;
        }
        queue.observations.drain(..(whole * self.width).min(queue.observations.len()));
        queue.actions.drain(..whole);
        queue.rewards.drain(..whole);
        Ok(())
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        for queue in &self.queues {
            writer.f32s(&queue.observations);
            writer.f64s(&queue.rewards);
            queue.actions.iter().for_each(|action| writer.usize(*action));
        }
    }

    pub(crate) fn restore(&mut self, reader: &mut Reader<'_>) -> Result<(), RlError> {
        for queue in &mut self.queues {
            let (observations, rewards) = (reader.f32s()?, reader.f64s()?);
            if rewards.len() >= self.steps || observations.len() != rewards.len() * self.width {
                return Err(RlError::checkpoint("its n-step queue does not fit the configuration"));
            }
            let actions = rewards.iter().map(|_| reader.usize()).collect::<Result<_, RlError>>()?;
            *queue = Queue { observations, actions, rewards };
        }
        Ok(())
    }
}
