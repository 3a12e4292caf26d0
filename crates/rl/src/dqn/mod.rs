//! Deep Q-networks (Mnih et al. 2015) with what made them better: double, dueling, several steps, prioritised
//! replay.
//!
//! Order of things as in Stable-Baselines3's DQN: `train_frequency` steps of all environments, during which
//! the target network is updated, then `gradient_steps` gradient steps. Two differences: each environment of
//! a vector draws by itself whether its action is random, and episodes that were truncated are always
//! bootstrapped.

mod checkpoint;
mod config;
mod loss;
mod update;

pub use config::{DqnConfig, ReplayConfig};
pub use loss::Loss;

use self::update::{Round, Work};
use crate::agent::Agent;
use crate::environment::{Actions, Outcomes, VecEnvironment};
use crate::error::RlError;
use crate::network::Network;
use crate::optimiser::{Optimiser, check_groups};
use crate::random::generator;
use crate::replay::{NStep, ReplayBuffer, Sampler};
use crate::space::Space;
use crate::training::{EpisodeStatistics, Learner, Progress};
use crate::value_policy::ValuePolicy;

/// An agent that learns values of discrete actions, its environments, and all that it takes to go on
/// learning.
pub struct Dqn {
    config: DqnConfig,
    seed: u64,
    environments: Box<dyn VecEnvironment>,
    width: usize,
    actions: usize,
    /// Its network is the online one.
    policy: ValuePolicy,
    target: Box<dyn Network>,
    optimiser: Optimiser,
    buffer: ReplayBuffer,
    sampler: Sampler,
    n_step: NStep,
    episodes: EpisodeStatistics,
    /// Steps of all environments together, and of the vector.
    steps: u64,
    calls: u64,
    updates: u64,
    work: Work,
}

impl std::fmt::Debug for Dqn {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = formatter.debug_struct("Dqn");
        parts.field("config", &self.config).field("steps", &self.steps).finish_non_exhaustive()
    }
}

impl Dqn {
    /// With a network for values and one of the same shape for targets, whose parameters are overwritten.
    /// Begins an episode in each environment; everything random comes from the seed.
    ///
    /// # Errors
    /// [`RlError::Config`] as [`DqnConfig::validate`]; [`RlError::Shape`] for actions that are not
    /// [`Space::Discrete`], networks with memory, or ones that do not fit the spaces
    /// ([`DqnConfig::outputs`]).
    pub fn new(
        config: DqnConfig,
        online: Box<dyn Network>,
        mut target: Box<dyn Network>,
        mut environments: Box<dyn VecEnvironment>,
        seed: u64,
    ) -> Result<Self, RlError> {
        config.validate()?;
        let (width, actions) = fitting(&config, [&*online, &*target], &*environments)?;
        let count = environments.len();
        target.parameters_mut().copy_from_slice(online.parameters());
        environments.reset(seed);
        let parameters = online.parameters().len();
        Ok(Self {
            optimiser: Optimiser::new(config.optimiser, &online.parameter_groups())?,
            buffer: ReplayBuffer::new(config.replay.capacity, width)?,
            sampler: Sampler::new(config.replay.prioritised.as_ref(), config.replay.capacity)?,
            n_step: NStep::new(config.n_step, config.discount, count, width)?,
            episodes: EpisodeStatistics::new(count),
            work: Work::new(parameters, count),
            policy: ValuePolicy::new(online, actions, config.dueling)?,
            target,
            environments,
            steps: 0,
            calls: 0,
            updates: 0,
            config,
            seed,
            width,
            actions,
        })
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &DqnConfig {
        &self.config
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

    /// What was learned so far; greedy.
    #[must_use]
    pub fn policy(&self) -> &ValuePolicy {
        &self.policy
    }

    /// The same, to act with it.
    pub fn policy_mut(&mut self) -> &mut ValuePolicy {
        &mut self.policy
    }

    /// The same, when training is over.
    #[must_use]
    pub fn into_policy(self) -> ValuePolicy {
        self.policy
    }

    /// Share of training that is over.
    fn share(&self) -> f64 {
        self.steps as f64 / self.config.total_steps as f64
    }

    fn exploration(&self) -> f64 {
        if self.steps < self.config.learning_starts { 1.0 } else { self.config.exploration.at(self.share()) }
    }

    /// Writes the next action of each environment.
    fn choose(&mut self, observations: &[f32], actions: &mut Actions) -> Result<(), RlError> {
        let mut random = generator(self.seed, "exploration", self.calls);
        let exploration = self.exploration();
        // The caller's own chance, if it has set one, comes back.
        let own = std::mem::replace(&mut self.policy.exploration, exploration);
        let chosen = self.policy.act(observations, &mut [], Some(&mut random), &mut self.work.chosen);
        self.policy.exploration = own;
        chosen?;
        self.policy.distribution().actions(&self.work.chosen, actions);
        Ok(())
    }

    /// Steps all environments until it is time to learn.
    fn act(&mut self) -> Result<(), RlError> {
        let mut now = vec![0.0; self.environments.len() * self.width];
        let mut next = now.clone();
        self.environments.observe(&mut now);
        let (mut actions, mut outcomes) = (Actions::Discrete(Vec::new()), Outcomes::default());
        for _ in 0..self.config.train_frequency {
            self.choose(&now, &mut actions)?;
            self.environments.step(&actions, &mut outcomes)?;
            self.environments.observe(&mut next);
            self.remember(&now, &actions, &outcomes, &next)?;
            std::mem::swap(&mut now, &mut next);
            self.count();
        }
        Ok(())
    }

    /// Stores the steps; what was seen after the last step of an episode is not what begins the next one.
    fn remember(
        &mut self,
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
                self.environments.observe_final(index, last);
            }
            let next = if ended { last.as_slice() } else { next };
            self.n_step.push(index, now, *action, step, next, |transition| {
                sampler.inserted(buffer.push(transition)?)
            })?;
        }
        self.episodes.record(&outcomes.steps, self.environments.extrinsic_rewards());
        Ok(())
    }

    /// Counts a step of the vector, and updates the target network if it is due.
    fn count(&mut self) {
        let environments = self.environments.len() as u64;
        self.calls += 1;
        self.steps += environments;
        let interval = (self.config.target_update_interval / environments).max(1);
        if self.calls.is_multiple_of(interval) {
            let rate = self.config.target_update_rate as f32;
            update::blend(self.target.parameters_mut(), self.policy.network.parameters(), rate);
        }
    }

    fn progress(&self, round: Option<Round>) -> Progress {
        let means = self.episodes.means();
        Progress {
            steps: self.steps,
            total_steps: self.config.total_steps,
            updates: self.updates,
            episodes: self.episodes.episodes(),
            mean_return: means.map(|means| means.0),
            mean_length: means.map(|means| means.1),
            learning_rate: self.config.learning_rate.at(self.share()),
            loss: round.map(|round| round.loss),
            gradient_norm: round.map(|round| round.gradient_norm),
            mean_value: round.map(|round| round.mean_value),
            exploration: Some(self.exploration()),
            ..Progress::default()
        }
    }
}

impl Learner for Dqn {
    /// `train_frequency` steps of the vector, and then `gradient_steps` gradient steps.
    fn iterate(&mut self) -> Result<Progress, RlError> {
        self.act()?;
        let round = if self.steps > self.config.learning_starts { self.round()? } else { None };
        Ok(self.progress(round))
    }

    fn is_done(&self) -> bool {
        self.steps >= self.config.total_steps
    }

    fn agent(&self) -> &dyn Agent {
        &self.policy
    }

    fn agent_mut(&mut self) -> &mut dyn Agent {
        &mut self.policy
    }

    fn into_agent(self: Box<Self>) -> Box<dyn Agent> {
        Box::new(self.policy)
    }

    fn to_bytes(&self) -> Result<Vec<u8>, RlError> {
        self.save()
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), RlError> {
        self.take_up(bytes)
    }
}

/// Numbers of an observation and number of actions, if networks and environments fit each other.
fn fitting(
    config: &DqnConfig,
    networks: [&dyn Network; 2],
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
    check_groups(networks[0])?;
    for network in networks {
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
    if networks[0].parameters().len() != networks[1].parameters().len() {
        let problem = "it has another number of parameters; make both alike";
        return Err(RlError::shape("the target network", problem));
    }
    Ok((width, actions))
}

#[cfg(test)]
mod tests;
