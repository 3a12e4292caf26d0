//! Settings of DQN.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::loss::Loss;
use crate::error::RlError;
use crate::exploration::ExplorationConfig;
use crate::optimiser::OptimiserConfig;
use crate::replay::{PrioritisedConfig, PriorityTree};
use crate::schedule::Schedule;

/// Settings of [`super::Dqn`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DqnConfig {
    /// Steps of environments that training takes in all; what anneals over training is measured by it.
    pub total_steps: u64,
    /// Learning rate over training.
    pub learning_rate: Schedule,
    /// How parameters move.
    pub optimiser: OptimiserConfig,
    /// Steps of environments, all at random, before anything is learned.
    pub learning_starts: u64,
    /// Transitions of one gradient step.
    pub batch_size: usize,
    /// γ, 0 to 1.
    pub discount: f64,
    /// Steps that one transition spans.
    pub n_step: usize,
    /// Steps of the vector of environments between two rounds of learning.
    pub train_frequency: u64,
    /// Gradient steps of one round.
    pub gradient_steps: u64,
    /// Steps of environments between two updates of the target network.
    pub target_update_interval: u64,
    /// Share of the online network that goes into the target network in an update (Polyak); 1 copies it.
    pub target_update_rate: f64,
    /// The online network chooses, the target network values (van Hasselt, Guez and Silver 2016, equation 4).
    pub double: bool,
    /// The network gives the value of a state and the advantages of actions, `[1 + actions]` (Wang et al.
    /// 2016, equation 9).
    pub dueling: bool,
    /// Chance of a random action.
    pub exploration: ExplorationConfig,
    /// What is kept, and how it is chosen from.
    pub replay: ReplayConfig,
    /// Loss of one temporal-difference error.
    pub loss: Loss,
    /// Gradients are scaled down to this norm over all parameters.
    pub maximum_gradient_norm: f64,
}

impl Default for DqnConfig {
    /// Those of Stable-Baselines3 2.9, whose DQN is neither double nor dueling and has steps of one;
    /// `total_steps`, which has no default there, is 100 000.
    fn default() -> Self {
        Self {
            total_steps: 100_000,
            learning_rate: Schedule::constant(1e-4),
            optimiser: OptimiserConfig::adam(1e-8),
            learning_starts: 100,
            batch_size: 32,
            discount: 0.99,
            n_step: 1,
            train_frequency: 4,
            gradient_steps: 1,
            target_update_interval: 10_000,
            target_update_rate: 1.0,
            double: false,
            dueling: false,
            exploration: ExplorationConfig::default(),
            replay: ReplayConfig::default(),
            loss: Loss::default(),
            maximum_gradient_norm: 10.0,
        }
    }
}

/// What is kept, and how it is chosen from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReplayConfig {
    /// Transitions that are kept.
    pub capacity: usize,
    /// Chooses by what was learned; without it, all alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prioritised: Option<PrioritisedConfig>,
}

impl Default for ReplayConfig {
    /// Those of Stable-Baselines3: a million, all alike.
    fn default() -> Self {
        Self { capacity: 1_000_000, prioritised: None }
    }
}

impl DqnConfig {
    /// # Errors
    /// [`RlError::Config`] names the first field that is out of its range.
    pub fn validate(&self) -> Result<(), RlError> {
        let counts = [
            ("dqn.total_steps", self.total_steps),
            ("dqn.batch_size", self.batch_size as u64),
            ("dqn.n_step", self.n_step as u64),
            ("dqn.train_frequency", self.train_frequency),
            ("dqn.gradient_steps", self.gradient_steps),
            ("dqn.target_update_interval", self.target_update_interval),
            ("dqn.replay.capacity", self.replay.capacity as u64),
        ];
        if let Some((field, value)) = counts.into_iter().find(|(_, value)| *value == 0) {
            return Err(RlError::config(field, value, "give at least 1"));
        }
        if self.replay.capacity > PriorityTree::LARGEST {
            let remedy = "give at most 2147483648 transitions";
            return Err(RlError::config("dqn.replay.capacity", self.replay.capacity, remedy));
        }
        let positive = [
            ("dqn.maximum_gradient_norm", self.maximum_gradient_norm),
            ("dqn.target_update_rate", self.target_update_rate),
        ];
        if let Some((field, value)) =
            positive.into_iter().find(|(_, value)| !(*value > 0.0 && value.is_finite()))
        {
            return Err(RlError::config(field, value, "give a positive number"));
        }
        if self.target_update_rate > 1.0 {
            return Err(RlError::config("dqn.target_update_rate", self.target_update_rate, "give at most 1"));
        }
        if !(0.0..=1.0).contains(&self.discount) {
            return Err(RlError::config("dqn.discount", self.discount, "give 0 to 1"));
        }
        self.learning_rate.validate("dqn.learning_rate")?;
        self.optimiser.validate()?;
        self.exploration.validate()?;
        self.loss.validate()?;
        self.replay.prioritised.as_ref().map_or(Ok(()), PrioritisedConfig::validate)
    }

    /// How many outputs a network must have for so many actions.
    #[must_use]
    pub fn outputs(&self, actions: usize) -> usize {
        actions + usize::from(self.dueling)
    }
}
