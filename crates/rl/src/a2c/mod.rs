//! Advantage actor-critic (Mnih et al. 2016, arXiv 1602.01783, synchronous), with the details of
//! Stable-Baselines3; if wanted, with random actions and an experience buffer, both corrected by V-trace.

mod experience;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::experience::Experience;
pub use self::experience::ExperienceConfig;
use crate::actor_critic::ActorCritic;
use crate::agent::Agent;
use crate::collection::Behaviour;
use crate::environment::VecEnvironment;
use crate::error::RlError;
use crate::exploration::{Decay, ExplorationConfig};
use crate::normalisation::NormalisationConfig;
use crate::objective::Objective;
use crate::on_policy::{OnPolicy, Setup, expect_positive, expect_within};
use crate::optimiser::OptimiserConfig;
use crate::policy::Policy;
use crate::random::generator;
use crate::schedule::Schedule;
use crate::training::{Learner, Progress, ReplayTerms};

/// Settings of [`A2c`]. The defaults are Stable-Baselines3's (whose budget of steps is an argument instead).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct A2cConfig {
    /// Steps of all environments to take; schedules run over them.
    pub total_steps: u64,
    /// Steps of each environment in a rollout.
    pub steps: usize,
    /// Learning rate.
    pub learning_rate: Schedule,
    /// The optimiser.
    pub optimiser: OptimiserConfig,
    /// γ, 0 to 1.
    pub discount: f32,
    /// λ of generalised advantage estimation, 0 to 1.
    pub gae_lambda: f32,
    /// Weight of the entropy.
    pub entropy_coefficient: f32,
    /// Weight of the squared error of values.
    pub value_coefficient: f32,
    /// Euclidean norm that gradients are clipped to.
    pub maximum_gradient_norm: f32,
    /// Advantages get mean 0 and standard deviation 1, per minibatch.
    pub normalise_advantages: bool,
    /// Steps that derivatives run through where the policy has memory; divides `steps`. Without memory it has
    /// no meaning.
    pub sequence: usize,
    /// What is normalised.
    pub normalisation: NormalisationConfig,
    /// ε over training: actions are drawn from all alike with that chance, else from the policy. The mixture
    /// is corrected for by truncated importance weights ([`crate::rollout::Rollout::compute_advantages`];
    /// bound 1 without `experience`). Actions must be choices, not numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exploration: Option<ExplorationConfig>,
    /// Learns from older rollouts too; for policies without memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub experience: Option<ExperienceConfig>,
}

impl Default for A2cConfig {
    fn default() -> Self {
        Self {
            total_steps: 500_000,
            steps: 5,
            learning_rate: Schedule::constant(7e-4),
            optimiser: OptimiserConfig::RmsProp { alpha: 0.99, epsilon: 1e-5 },
            discount: 0.99,
            gae_lambda: 1.0,
            entropy_coefficient: 0.0,
            value_coefficient: 0.5,
            maximum_gradient_norm: 0.5,
            normalise_advantages: false,
            sequence: 5,
            normalisation: NormalisationConfig::default(),
            exploration: None,
            experience: None,
        }
    }
}

impl A2cConfig {
    /// A2C with an experience buffer and random actions that become rarer.
    #[must_use]
    pub fn with_experience_buffer() -> Self {
        let exploration = ExplorationConfig { decay: Decay::Linear, initial: 0.2, last: 0.01, fraction: 0.5 };
        Self {
            exploration: Some(exploration),
            experience: Some(ExperienceConfig::default()),
            ..Self::default()
        }
    }

    /// Bound of importance weights.
    fn maximum_importance_weight(&self) -> f32 {
        self.experience.as_ref().map_or(1.0, |experience| experience.maximum_importance_weight)
    }

    /// # Errors
    /// [`RlError::Config`] names the field, its value and the remedy.
    pub fn validate(&self) -> Result<(), RlError> {
        expect_positive("total_steps", self.total_steps)?;
        expect_positive("steps", self.steps as u64)?;
        expect_positive("sequence", self.sequence as u64)?;
        if !self.steps.is_multiple_of(self.sequence) {
            return Err(RlError::config("sequence", self.sequence, "give a divisor of `steps`"));
        }
        self.learning_rate.validate("learning_rate")?;
        self.optimiser.validate()?;
        expect_within("discount", self.discount, 0.0, 1.0)?;
        expect_within("gae_lambda", self.gae_lambda, 0.0, 1.0)?;
        expect_within("entropy_coefficient", self.entropy_coefficient, 0.0, f32::MAX)?;
        expect_within("value_coefficient", self.value_coefficient, 0.0, f32::MAX)?;
        if self.maximum_gradient_norm.is_nan() || self.maximum_gradient_norm <= 0.0 {
            let remedy = "give a number above 0; infinity clips nothing";
            return Err(RlError::config("maximum_gradient_norm", self.maximum_gradient_norm, remedy));
        }
        self.exploration.as_ref().map_or(Ok(()), ExplorationConfig::validate)?;
        self.experience.as_ref().map_or(Ok(()), |experience| experience.validate(self.steps))?;
        self.normalisation.validate()
    }
}

/// A policy that learns by A2C: one step of the optimiser per rollout, and those of the experience buffer.
pub struct A2c {
    config: A2cConfig,
    core: OnPolicy,
    experience: Option<Experience>,
    order: Vec<usize>,
}

impl std::fmt::Debug for A2c {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("A2c").field("config", &self.config).finish_non_exhaustive()
    }
}

impl A2c {
    /// Begins an episode in each environment; everything random comes from the seed.
    ///
    /// # Errors
    /// [`RlError::Config`] and [`RlError::Shape`] for what is refused or does not fit.
    pub fn new(
        config: A2cConfig,
        model: ActorCritic,
        environments: Box<dyn VecEnvironment>,
        seed: u64,
    ) -> Result<Self, RlError> {
        config.validate()?;
        let (steps, sequence) = (config.steps, config.sequence);
        let (optimiser, normalisation) = (config.optimiser, config.normalisation);
        let core =
            OnPolicy::new(model, environments, &Setup { steps, sequence, optimiser, normalisation, seed })?;
        let distribution = core.policy.model.distribution();
        if config.exploration.is_some() && distribution.uniform_log_probability().is_none() {
            let remedy = "actions are numbers, which no choice is uniform over; leave `exploration` out \
                          and begin with a larger `initial_log_deviation`";
            return Err(RlError::config("exploration", "set", remedy));
        }
        let shape = core.rollout.shape();
        let experience =
            config.experience.as_ref().map(|config| Experience::new(config, shape)).transpose()?;
        Ok(Self { config, core, experience, order: Vec::new() })
    }

    /// Share of training that is over.
    fn share(&self) -> f64 {
        self.core.collector.steps as f64 / self.config.total_steps as f64
    }

    /// Takes the rollout in, and makes the steps of the optimiser on what was experienced.
    fn replay(&mut self, objective: &Objective, learning_rate: f64) -> Result<Option<ReplayTerms>, RlError> {
        let (Some(experience), Some(config)) = (&mut self.experience, &self.config.experience) else {
            return Ok(None);
        };
        experience.push(&self.core.rollout);
        let (discount, lambda) = (self.config.discount, self.config.gae_lambda);
        let mut terms = ReplayTerms::default();
        for _ in 0..config.updates {
            let random = &mut generator(self.core.seed, "experience", self.core.progress.updates);
            let rollout = experience.sample(&mut self.core.policy, random, discount, lambda)?;
            let weights = rollout.importance_weights.iter().map(|weight| f64::from(*weight)).sum::<f64>();
            terms.importance_weight += weights / rollout.rows() as f64;
            self.order.clear();
            self.order.extend(0..rollout.rows());
            rollout.gather(&self.order, &mut self.core.minibatch);
            let limit = self.config.maximum_gradient_norm;
            let (one, _) = self.core.update(objective, learning_rate, limit, f32::INFINITY)?;
            terms.losses.add(&one);
        }
        let share = 1.0 / config.updates as f64;
        terms.importance_weight *= share;
        terms.losses = terms.losses.scaled(share as f32);
        Ok(Some(terms))
    }

    /// The policy so far.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.core.policy
    }

    /// The same, to act with it.
    pub fn policy_mut(&mut self) -> &mut Policy {
        &mut self.core.policy
    }

    /// The policy, when training is over.
    #[must_use]
    pub fn into_policy(self) -> Policy {
        self.core.policy
    }
}

impl Learner for A2c {
    /// Collects one rollout and learns from it, and then from what was experienced before.
    fn iterate(&mut self) -> Result<Progress, RlError> {
        let config = &self.config;
        let exploration = config.exploration.as_ref().map(|exploration| exploration.at(self.share()));
        let corrected = exploration.is_some() || config.experience.is_some();
        let behaviour = corrected.then(|| Behaviour {
            exploration: exploration.unwrap_or(0.0),
            maximum_importance_weight: config.maximum_importance_weight(),
        });
        self.core.collect(config.discount, config.gae_lambda, behaviour)?;
        let learning_rate = config.learning_rate.at(self.share());
        let objective = Objective {
            clip_range: None,
            value_clip_range: None,
            entropy_coefficient: config.entropy_coefficient,
            value_coefficient: config.value_coefficient,
            normalise_advantages: config.normalise_advantages,
        };
        self.order.clear();
        self.order.extend(0..self.core.rollout.rows() / self.core.rollout.shape().sequence);
        self.core.gather(&self.order);
        let limit = config.maximum_gradient_norm;
        let (terms, _) = self.core.update(&objective, learning_rate, limit, f32::INFINITY)?;
        let replayed = self.replay(&objective, learning_rate)?;
        let total_steps = self.config.total_steps;
        let progress = self.core.finish(terms, &objective, learning_rate, 1, total_steps);
        Ok(Progress { exploration, replayed, ..progress })
    }

    fn is_done(&self) -> bool {
        self.core.collector.steps >= self.config.total_steps
    }

    fn agent(&self) -> &dyn Agent {
        &self.core.policy
    }

    fn agent_mut(&mut self) -> &mut dyn Agent {
        &mut self.core.policy
    }

    fn into_agent(self: Box<Self>) -> Box<dyn Agent> {
        Box::new(self.core.policy)
    }

    fn to_bytes(&self) -> Result<Vec<u8>, RlError> {
        self.core.to_bytes("a2c", &self.config, |writer| {
            if let Some(experience) = &self.experience {
                experience.save(writer);
            }
        })
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), RlError> {
        let experience = self.experience.as_mut();
        self.core.restore(bytes, "a2c", &self.config, |reader| {
            experience.map_or(Ok(()), |experience| experience.restore(reader))
        })
    }
}

#[cfg(test)]
mod tests;
