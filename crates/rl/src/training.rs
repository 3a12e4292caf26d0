//! What all algorithms have in common: iterations, progress, observers, statistics of episodes.

use std::collections::VecDeque;

use serde::Serialize;

use crate::agent::Agent;
use crate::codec::{Reader, Writer};
use crate::environment::Step;
use crate::error::RlError;
use crate::objective::LossTerms;

/// Episodes that means are taken over.
const WINDOW: usize = 100;

/// Where training stands after an iteration of any algorithm. What an algorithm does not have is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Progress {
    /// Steps of all environments so far.
    pub steps: u64,
    /// Steps that training is to take.
    pub total_steps: u64,
    /// Steps of the optimiser so far.
    pub updates: u64,
    /// Episodes that have ended so far.
    pub episodes: u64,
    /// Mean return of the last 100 episodes (or as many as have ended), raw rewards without discount, random
    /// actions included. What a wrapper adds to rewards does not count: see
    /// [`crate::environment::VecEnvironment::extrinsic_rewards`].
    pub mean_return: Option<f64>,
    /// Mean length of these episodes, steps.
    pub mean_length: Option<f64>,
    /// Of the last update.
    pub learning_rate: f64,
    /// What is minimised, mean over the batches of the iteration; none before learning starts.
    pub loss: Option<f64>,
    /// Norm of the last gradient before it was clipped.
    pub gradient_norm: Option<f32>,
    /// Mean value of what the iteration learned from: by the critic, of the steps of the rollout; by DQN, of
    /// the actions taken in its last batch.
    pub mean_value: Option<f64>,
    /// A2C and PPO: means over the minibatches of the last rollout.
    pub losses: Option<LossTerms>,
    /// A2C and PPO: see [`crate::rollout::Rollout::explained_variance`]; none where returns do not vary.
    pub explained_variance: Option<f32>,
    /// A2C and PPO: passes over the last rollout; fewer than configured where the divergence stopped it.
    pub epochs: Option<usize>,
    /// DQN, and A2C with exploration: ε, the chance of a random action.
    pub exploration: Option<f64>,
    /// A2C with experience: means over the batches that were replayed.
    pub replayed: Option<ReplayTerms>,
}

/// What was learned from steps of older policies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ReplayTerms {
    /// Terms of the loss.
    pub losses: LossTerms,
    /// Mean importance weight, truncated: 1 where the policy is still the one that acted.
    pub importance_weight: f64,
}

/// What an observer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    Continue,
    /// Leave it at that; training may go on later.
    Stop,
}

/// Watches training. It has the clock, if one is wanted: this crate has none.
pub trait Observer {
    /// After each iteration.
    fn observe(&mut self, progress: &Progress) -> Control;
}

impl<F: FnMut(&Progress) -> Control> Observer for F {
    fn observe(&mut self, progress: &Progress) -> Control {
        self(progress)
    }
}

/// An algorithm under way, whichever it is. All steps, draws and updates follow from its configuration and
/// seed.
pub trait Learner: Send {
    /// Acts for a while and learns from it: one rollout of A2C and PPO, one round of DQN.
    ///
    /// # Errors
    /// [`RlError::Diverged`], and what environments fail at.
    fn iterate(&mut self) -> Result<Progress, RlError>;

    /// Whether all steps are taken.
    fn is_done(&self) -> bool;

    /// Goes on until all steps are taken or the observer stops.
    ///
    /// # Errors
    /// See [`Learner::iterate`].
    fn learn(&mut self, observer: &mut dyn Observer) -> Result<(), RlError> {
        while !self.is_done() {
            if observer.observe(&self.iterate()?) == Control::Stop {
                break;
            }
        }
        Ok(())
    }

    /// What was learned so far.
    fn agent(&self) -> &dyn Agent;

    /// The same, to act with it.
    fn agent_mut(&mut self) -> &mut dyn Agent;

    /// The same, when training is over.
    fn into_agent(self: Box<Self>) -> Box<dyn Agent>;

    /// All that [`Learner::restore`] needs to go on to the bit, environments included.
    ///
    /// # Errors
    /// [`RlError::Environment`] where an environment cannot be saved.
    fn to_bytes(&self) -> Result<Vec<u8>, RlError>;

    /// Goes on from what [`Learner::to_bytes`] gave, in an instance made with the same configuration,
    /// networks and environments; the seed is that of the bytes.
    ///
    /// # Errors
    /// [`RlError::Checkpoint`] for bytes that are damaged or of something else. The instance is of no use
    /// then.
    fn restore(&mut self, bytes: &[u8]) -> Result<(), RlError>;
}

/// Returns and lengths of the episodes of many environments.
#[derive(Clone, Debug)]
pub struct EpisodeStatistics {
    /// Of the episodes under way, per environment.
    running: Vec<(f64, u64)>,
    /// Of the last that ended, oldest first.
    last: VecDeque<(f64, u64)>,
    episodes: u64,
}

impl EpisodeStatistics {
    /// For so many environments.
    #[must_use]
    pub fn new(environments: usize) -> Self {
        Self { running: vec![(0.0, 0); environments], last: VecDeque::with_capacity(WINDOW), episodes: 0 }
    }

    /// Takes in a step of each environment. Where there are extrinsic rewards, they count, not those of the
    /// steps.
    pub fn record(&mut self, steps: &[Step], extrinsic: Option<&[f32]>) {
        for (index, (running, step)) in self.running.iter_mut().zip(steps).enumerate() {
            let reward = extrinsic.and_then(|rewards| rewards.get(index)).unwrap_or(&step.reward);
            running.0 += f64::from(*reward);
            running.1 += 1;
            if step.terminated || step.truncated {
                if self.last.len() == WINDOW {
                    self.last.pop_front();
                }
                self.last.push_back(*running);
                self.episodes += 1;
                *running = (0.0, 0);
            }
        }
    }

    /// Episodes that have ended.
    #[must_use]
    pub fn episodes(&self) -> u64 {
        self.episodes
    }

    /// Mean return and length of the last 100 episodes, once one has ended.
    #[must_use]
    pub fn means(&self) -> Option<(f64, f64)> {
        let count = self.last.len() as f64;
        let (returns, lengths) =
            self.last.iter().fold((0.0, 0), |(returns, lengths), one| (returns + one.0, lengths + one.1));
        (!self.last.is_empty()).then_some((returns / count, lengths as f64 / count))
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        writer.u64(self.episodes);
        writer.usize(self.last.len());
        for (value, length) in self.running.iter().chain(&self.last) {
            writer.f64(*value);
            writer.u64(*length);
        }
    }

    pub(crate) fn restore(&mut self, reader: &mut Reader<'_>) -> Result<(), RlError> {
        self.episodes = reader.u64()?;
        let count = reader.usize()?;
        if count > WINDOW {
            return Err(RlError::checkpoint("it has statistics of too many episodes; it is damaged"));
        }
        for running in &mut self.running {
            *running = (reader.f64()?, reader.u64()?);
        }
        self.last.clear();
        for _ in 0..count {
            self.last.push_back((reader.f64()?, reader.u64()?));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_those_of_the_last_hundred_episodes() {
        let mut statistics = EpisodeStatistics::new(2);
        assert_eq!(statistics.means(), None);
        let step = |reward, terminated, truncated| Step { reward, terminated, truncated };
        statistics.record(&[step(1.0, false, false), step(9.0, true, false)], Some(&[1.0, -1.0]));
        assert_eq!(statistics.means(), Some((-1.0, 1.0)));
        statistics.record(&[step(2.0, false, true), step(5.0, false, false)], None);
        assert_eq!(statistics.means(), Some((1.0, 1.5)));
        for _ in 0..100 {
            statistics.record(&[step(0.0, false, false), step(7.0, true, false)], None);
        }
        // The first episode of these began with 5.
        assert_eq!((statistics.episodes(), statistics.means()), (102, Some((7.05, 1.01))));
        let mut writer = Writer::default();
        statistics.save(&mut writer);
        let bytes = writer.finish();
        let mut other = EpisodeStatistics::new(2);
        other.restore(&mut Reader::new(&bytes)).unwrap();
        assert_eq!((other.running, other.last), (statistics.running, statistics.last));
    }
}
