//! Deep Q-networks (Mnih et al. 2015) with what made them better: double, dueling, several steps, prioritised
//! replay.
//!
//! Order of things as in Stable-Baselines3's DQN: `train_frequency` steps of all environments, during which
//! the target network is updated, then `gradient_steps` gradient steps. Two differences: each environment of
//! a vector draws by itself whether its action is random, and episodes that were truncated are always
//! bootstrapped.

mod checkpoint;
mod config;
mod exploration;
mod loss;
mod progress;
mod update;

use std::ops::ControlFlow;

use rand::RngExt;

pub use config::{DqnConfig, ReplayConfig};
pub use exploration::{Decay, ExplorationConfig};
pub use loss::Loss;
pub use progress::DqnProgress;

use self::loss::{action_values, best};
use self::update::Work;
use crate::environment::{Actions, Outcomes, VecEnvironment};
use crate::error::RlError;
use crate::network::Network;
use crate::optimiser::Optimiser;
use crate::random::generator;
use crate::replay::{NStep, ReplayBuffer, Sampler};
use crate::space::Space;
use crate::training::EpisodeStatistics;

/// An agent that learns values of discrete actions, and all that it takes to go on learning.
#[derive(Debug)]
pub struct Dqn<N> {
    config: DqnConfig,
    seed: u64,
    environments: usize,
    width: usize,
    actions: usize,
    online: N,
    target: N,
    optimiser: Optimiser,
    buffer: ReplayBuffer,
    sampler: Sampler,
    n_step: NStep,
    episodes: EpisodeStatistics,
    /// Whether the environments were reset.
    started: bool,
    /// Steps of all environments together, and of the vector.
    steps: u64,
    calls: u64,
    updates: u64,
    work: Work,
}

impl<N: Network> Dqn<N> {
    /// With a network for values and one of the same shape for targets, whose parameters are overwritten.
    ///
    /// # Errors
    /// [`RlError::Config`] as [`DqnConfig::validate`]; [`RlError::Shape`] for actions that are not
    /// [`Space::Discrete`], networks
    /// with memory, or ones that do not fit the spaces ([`DqnConfig::outputs`]).
    pub fn new(
        config: DqnConfig,
        seed: u64,
        online: N,
        mut target: N,
        environments: &dyn VecEnvironment,
    ) -> Result<Self, RlError> {
        config.validate()?;
        let (width, actions) = fitting(&config, &online, &target, environments)?;
        let count = environments.len();
        target.parameters_mut().copy_from_slice(online.parameters());
        let parameters = online.parameters().len();
        Ok(Self {
            optimiser: Optimiser::new(config.optimiser, parameters),
            buffer: ReplayBuffer::new(config.replay.capacity, width)?,
            sampler: Sampler::new(config.replay.prioritised.as_ref(), config.replay.capacity)?,
            n_step: NStep::new(config.n_step, config.discount, count, width)?,
            episodes: EpisodeStatistics::new(count),
            work: Work::new(parameters),
            environments: count,
            started: false,
            steps: 0,
            calls: 0,
            updates: 0,
            config,
            seed,
            width,
            actions,
            online,
            target,
        })
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &DqnConfig {
        &self.config
    }

    /// The network of values.
    #[must_use]
    pub fn network(&self) -> &N {
        &self.online
    }

    /// Steps of environments so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The transitions that are kept.
    #[must_use]
    pub fn buffer(&self) -> &ReplayBuffer {
        &self.buffer
    }

    /// The best actions, `[rows]`, for observations `[rows, width]`.
    ///
    /// # Errors
    /// [`RlError::Shape`] for observations of another width.
    pub fn act(&mut self, observations: &[f32], chosen: &mut Vec<usize>) -> Result<(), RlError> {
        let rows = observations.len() / self.width;
        self.work.outputs.resize(rows * self.config.outputs(self.actions), 0.0);
        self.online.step(observations, &mut [], &mut self.work.outputs)?;
        action_values(&self.work.outputs, self.actions, self.config.dueling, &mut self.work.values);
        chosen.clear();
        chosen.extend(self.work.values.chunks_exact(self.actions).map(best));
        Ok(())
    }

    /// Learns in whole rounds until so many steps of environments are done in all, or the observer, asked
    /// after each round, breaks off. The first call resets the environments by the seed; later ones go on
    /// with them, untouched in between.
    ///
    /// # Errors
    /// [`RlError::Diverged`] if a loss is not finite; those of the environments and networks.
    pub fn learn(
        &mut self,
        environments: &mut dyn VecEnvironment,
        until: u64,
        observer: &mut dyn FnMut(&DqnProgress) -> ControlFlow<()>,
    ) -> Result<(), RlError> {
        self.check(environments)?;
        if !self.started {
            environments.reset(self.seed);
            self.started = true;
        }
        let mut now = vec![0.0; self.environments * self.width];
        let mut next = now.clone();
        environments.observe(&mut now);
        let mut actions = Actions::Discrete(Vec::new());
        let mut outcomes = Outcomes::default();
        while self.steps < until {
            for _ in 0..self.config.train_frequency {
                self.choose(&now, &mut actions)?;
                environments.step(&actions, &mut outcomes)?;
                environments.observe(&mut next);
                self.remember(environments, &now, &actions, &outcomes, &next)?;
                std::mem::swap(&mut now, &mut next);
                self.count();
            }
            let learned = if self.steps > self.config.learning_starts { self.round()? } else { None };
            if observer(&self.progress(learned)).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn check(&self, environments: &dyn VecEnvironment) -> Result<(), RlError> {
        let given = (environments.len(), environments.observation_space().width());
        let actions = environments.action_space();
        if given == (self.environments, self.width) && *actions == (Space::Discrete { count: self.actions }) {
            return Ok(());
        }
        Err(RlError::shape("the environments", "they are not those that the agent was made for; give those"))
    }

    /// Share of training that is over.
    fn share(&self) -> f64 {
        self.steps as f64 / self.config.total_steps as f64
    }

    fn exploration(&self) -> f64 {
        if self.steps < self.config.learning_starts { 1.0 } else { self.config.exploration.at(self.share()) }
    }

    fn choose(&mut self, observations: &[f32], actions: &mut Actions) -> Result<(), RlError> {
        let exploration = self.exploration();
        let mut random = generator(self.seed, "exploration", self.calls);
        let mut chosen = match std::mem::replace(actions, Actions::Discrete(Vec::new())) {
            Actions::Discrete(chosen) => chosen,
            _ => Vec::new(),
        };
        if exploration < 1.0 {
            self.act(observations, &mut chosen)?;
        } else {
            chosen.resize(self.environments, 0);
        }
        for chosen in &mut chosen {
            // Both are drawn in any case, so that a change of the chance changes nothing else.
            let (explores, at_random) =
                (random.random::<f64>() < exploration, random.random_range(0..self.actions));
            if explores {
                *chosen = at_random;
            }
        }
        *actions = Actions::Discrete(chosen);
        Ok(())
    }

    /// Stores the steps; what was seen after the last step of an episode is not what begins the next one.
    fn remember(
        &mut self,
        environments: &dyn VecEnvironment,
        now: &[f32],
        actions: &Actions,
        outcomes: &Outcomes,
        next: &[f32],
    ) -> Result<(), RlError> {
        let Actions::Discrete(actions) = actions else { return Ok(()) };
        let (buffer, sampler, last) = (&mut self.buffer, &mut self.sampler, &mut self.work.last);
        last.resize(self.width, 0.0);
        let rows = now.chunks_exact(self.width).zip(next.chunks_exact(self.width));
        for (index, (((now, next), action), step)) in rows.zip(actions).zip(&outcomes.steps).enumerate() {
            let ended = step.terminated || step.truncated;
            if ended {
                environments.observe_final(index, last);
            }
            let next = if ended { last.as_slice() } else { next };
            self.n_step.push(index, now, *action, step, next, |transition| {
                sampler.inserted(buffer.push(transition)?)
            })?;
        }
        self.episodes.record(&outcomes.steps);
        Ok(())
    }

    /// Counts a step of the vector, and updates the target network if it is due.
    fn count(&mut self) {
        self.calls += 1;
        self.steps += self.environments as u64;
        let interval = (self.config.target_update_interval / self.environments as u64).max(1);
        if self.calls.is_multiple_of(interval) {
            let rate = self.config.target_update_rate as f32;
            update::blend(self.target.parameters_mut(), self.online.parameters(), rate);
        }
    }

    fn progress(&self, learned: Option<(f64, f64)>) -> DqnProgress {
        let means = self.episodes.means();
        DqnProgress {
            steps: self.steps,
            updates: self.updates,
            episodes: self.episodes.episodes(),
            mean_return: means.map(|means| means.0),
            mean_length: means.map(|means| means.1),
            exploration: self.exploration(),
            loss: learned.map(|learned| learned.0),
            mean_value: learned.map(|learned| learned.1),
        }
    }
}

/// Numbers of an observation and number of actions, if networks and environments fit each other.
fn fitting<N: Network>(
    config: &DqnConfig,
    online: &N,
    target: &N,
    environments: &dyn VecEnvironment,
) -> Result<(usize, usize), RlError> {
    environments.observation_space().validate()?;
    environments.action_space().validate()?;
    if environments.is_empty() {
        return Err(RlError::shape("the environments", "there is none; give at least one"));
    }
    let Space::Discrete { count: actions } = *environments.action_space() else {
        let problem = "values are learned of discrete actions only; take PPO or A2C";
        return Err(RlError::shape("the action space", problem));
    };
    let width = environments.observation_space().width();
    let (inputs, outputs) = (width, config.outputs(actions));
    for network in [online, target] {
        if network.state_width() != 0 {
            let problem = "it has memory, which replay does not keep; take one without, or PPO";
            return Err(RlError::shape("the network", problem));
        }
        if (network.inputs(), network.outputs()) != (inputs, outputs) {
            let given = (network.inputs(), network.outputs());
            let problem =
                format!("it maps {} numbers to {}; make it {inputs} to {outputs}", given.0, given.1);
            return Err(RlError::shape("the network", problem));
        }
    }
    if online.parameters().len() != target.parameters().len() {
        return Err(RlError::shape(
            "the target network",
            "it has another number of parameters; make both alike",
        ));
    }
    Ok((width, actions))
}

#[cfg(test)]
mod tests;
