//! A whole training as one configuration: which algorithm, with which networks and settings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::a2c::{A2c, A2cConfig};
use crate::actor_critic::{ActorCritic, ActorCriticConfig};
use crate::agent::Agent;
use crate::curiosity::{CuriosityConfig, CuriousEnvironment};
use crate::dqn::{Dqn, DqnConfig};
use crate::environment::VecEnvironment;
use crate::error::RlError;
use crate::network::{Activation, Initialisation, MlpConfig, Network, NetworkConfig, OutputHead};
use crate::policy::Policy;
use crate::ppo::{Ppo, PpoConfig};
use crate::space::Space;
use crate::training::Learner;
use crate::value_policy::ValuePolicy;

/// Which algorithm learns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// Proximal policy optimisation.
    #[default]
    Ppo,
    /// Advantage actor-critic.
    A2c,
    /// Deep Q-networks; discrete actions and networks without memory only.
    Dqn,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ppo, Self::A2c, Self::Dqn];

    /// As in configurations.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ppo => "ppo",
            Self::A2c => "a2c",
            Self::Dqn => "dqn",
        }
    }
}

impl std::fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Which algorithm, with which networks and settings. The sections of other algorithms are not read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// Who learns.
    pub algorithm: Algorithm,
    /// Networks of A2C and PPO.
    pub policy: ActorCriticConfig,
    /// The network of DQN.
    pub values: NetworkConfig,
    /// Settings of A2C.
    pub a2c: A2cConfig,
    /// Settings of DQN.
    pub dqn: DqnConfig,
    /// Settings of PPO.
    pub ppo: PpoConfig,
    /// A reward for what is new; none without it.
    pub curiosity: Option<CuriosityConfig>,
}

impl Default for Recipe {
    fn default() -> Self {
        // Stable-Baselines3's network of DQN.
        let (activation, initialisation) = (Activation::Relu, Initialisation::Uniform);
        let values = MlpConfig { hidden: vec![64, 64], activation, initialisation };
        Self {
            algorithm: Algorithm::default(),
            policy: ActorCriticConfig::default(),
            values: values.into(),
            a2c: A2cConfig::default(),
            dqn: DqnConfig::default(),
            ppo: PpoConfig::default(),
            curiosity: None,
        }
    }
}

impl Recipe {
    /// Checks what the algorithm reads.
    ///
    /// # Errors
    /// [`RlError::Config`] names the field, its value and the remedy.
    pub fn validate(&self) -> Result<(), RlError> {
        if let Some(curiosity) = &self.curiosity {
            curiosity.validate()?;
        }
        match self.algorithm {
            Algorithm::Ppo => self.policy.validate().and_then(|()| self.ppo.validate()),
            Algorithm::A2c => self.policy.validate().and_then(|()| self.a2c.validate()),
            Algorithm::Dqn => self.values.validate().and_then(|()| self.dqn.validate()),
        }
    }

    /// Steps of all environments that the algorithm takes.
    #[must_use]
    pub const fn total_steps(&self) -> u64 {
        match self.algorithm {
            Algorithm::Ppo => self.ppo.total_steps,
            Algorithm::A2c => self.a2c.total_steps,
            Algorithm::Dqn => self.dqn.total_steps,
        }
    }

    /// Sets [`Recipe::total_steps`] of the algorithm.
    pub const fn set_total_steps(&mut self, steps: u64) {
        match self.algorithm {
            Algorithm::Ppo => self.ppo.total_steps = steps,
            Algorithm::A2c => self.a2c.total_steps = steps,
            Algorithm::Dqn => self.dqn.total_steps = steps,
        }
    }

    /// The algorithm at its first step; everything random comes from the seed.
    ///
    /// # Errors
    /// [`RlError::Config`] and [`RlError::Shape`] for what is refused or does not fit.
    pub fn learner(
        &self,
        environments: Box<dyn VecEnvironment>,
        seed: u64,
    ) -> Result<Box<dyn Learner>, RlError> {
        self.validate()?;
        let environments = match &self.curiosity {
            Some(config) => Box::new(CuriousEnvironment::new(environments, config.clone(), seed)?),
            None => environments,
        };
        let observations = environments.observation_space().clone();
        let actions = environments.action_space().clone();
        let model = || ActorCritic::from_config(&observations, &actions, &self.policy, seed);
        Ok(match self.algorithm {
            Algorithm::Ppo => Box::new(Ppo::new(self.ppo.clone(), model()?, environments, seed)?),
            Algorithm::A2c => Box::new(A2c::new(self.a2c.clone(), model()?, environments, seed)?),
            Algorithm::Dqn => {
                let network = || self.value_network(&observations, &actions, seed);
                Box::new(Dqn::new(self.dqn.clone(), network()?, network()?, environments, seed)?)
            }
        })
    }

    /// Such an agent as the algorithm makes, before it has learned anything: what [`Agent::restore_bytes`] goes into.
    ///
    /// # Errors
    /// As [`Recipe::learner`].
    pub fn agent(&self, observations: &Space, actions: &Space, seed: u64) -> Result<Box<dyn Agent>, RlError> {
        self.validate()?;
        let normalisation = match self.algorithm {
            Algorithm::Ppo => self.ppo.normalisation,
            Algorithm::A2c => self.a2c.normalisation,
            Algorithm::Dqn => {
                let network = self.value_network(observations, actions, seed)?;
                let count = choices(actions)?;
                return Ok(Box::new(ValuePolicy::new(network, count, self.dqn.dueling)?));
            }
        };
        let model = ActorCritic::from_config(observations, actions, &self.policy, seed)?;
        Ok(Box::new(Policy::new(model, normalisation)?))
    }

    fn value_network(
        &self,
        observations: &Space,
        actions: &Space,
        seed: u64,
    ) -> Result<Box<dyn Network>, RlError> {
        let head = OutputHead { outputs: self.dqn.outputs(choices(actions)?), gain: 1.0 };
        self.values.init(observations.width(), &[head], seed, "values")
    }
}

fn choices(actions: &Space) -> Result<usize, RlError> {
    match actions {
        Space::Discrete { count } => Ok(*count),
        _ => Err(RlError::shape(
            "the action space",
            "values are learned of discrete actions only; take PPO or A2C",
        )),
    }
}
