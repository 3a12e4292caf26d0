//! Proximal policy optimisation (Schulman et al. 2017, arXiv 1707.06347), with the details of
//! Stable-Baselines3.

use rand::seq::SliceRandom;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::actor_critic::ActorCritic;
use crate::agent::Agent;
use crate::environment::VecEnvironment;
use crate::error::RlError;
use crate::normalisation::NormalisationConfig;
use crate::objective::{LossTerms, Objective};
use crate::on_policy::{OnPolicy, Setup, expect_positive, expect_within};
use crate::optimiser::OptimiserConfig;
use crate::policy::Policy;
use crate::random::generator;
use crate::schedule::Schedule;
use crate::training::{Learner, Progress};

/// Settings of [`Ppo`]. The defaults are Stable-Baselines3's (whose budget of steps is an argument instead).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PpoConfig {
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
    /// Steps in a minibatch, of all environments together. Where it does not divide the rollout, the last is
    /// smaller. With memory a minibatch is of whole sequences, as many as fit.
    pub batch_size: usize,
    /// Passes over a rollout.
    pub epochs: usize,
    /// How far the ratio of probabilities may go from 1.
    pub clip_range: Schedule,
    /// How far values may go from those of the rollout; none: any way. It depends on the scale of rewards.
    pub value_clip_range: Option<Schedule>,
    /// A rollout is left when the divergence of a minibatch is above 1.5 times this, nats; none: never.
    pub target_kl: Option<f32>,
}

impl Default for PpoConfig {
    fn default() -> Self {
        Self {
            total_steps: 100_000,
            steps: 2048,
            learning_rate: Schedule::constant(3e-4),
            optimiser: OptimiserConfig::adam(1e-5),
            discount: 0.99,
            gae_lambda: 0.95,
            entropy_coefficient: 0.0,
            value_coefficient: 0.5,
            maximum_gradient_norm: 0.5,
            normalise_advantages: true,
            sequence: 32,
            normalisation: NormalisationConfig::default(),
            batch_size: 64,
            epochs: 10,
            clip_range: Schedule::constant(0.2),
            value_clip_range: None,
            target_kl: None,
        }
    }
}

impl PpoConfig {
    /// # Errors
    /// [`RlError::Config`] names the field, its value and the remedy.
    pub fn validate(&self) -> Result<(), RlError> {
        expect_positive("batch_size", self.batch_size as u64)?;
        expect_positive("epochs", self.epochs as u64)?;
        self.clip_range.validate("clip_range")?;
        if let Some(range) = &self.value_clip_range {
            range.validate("value_clip_range")?;
        }
        if let Some(target) = self.target_kl {
            expect_within("target_kl", target, 0.0, f32::MAX)?;
        }
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
        self.normalisation.validate()
    }
}

/// A policy that learns by PPO.
pub struct Ppo {
    config: PpoConfig,
    core: OnPolicy,
    order: Vec<usize>,
}

impl std::fmt::Debug for Ppo {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Ppo").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Ppo {
    /// Begins an episode in each environment; everything random comes from the seed.
    ///
    /// # Errors
    /// [`RlError::Config`] and [`RlError::Shape`] for what is refused or does not fit.
    pub fn new(
        config: PpoConfig,
        model: ActorCritic,
        environments: Box<dyn VecEnvironment>,
        seed: u64,
    ) -> Result<Self, RlError> {
        config.validate()?;
        let (steps, sequence) = (config.steps, config.sequence);
        let (optimiser, normalisation) = (config.optimiser, config.normalisation);
        let core =
            OnPolicy::new(model, environments, &Setup { steps, sequence, optimiser, normalisation, seed })?;
        Ok(Self { config, core, order: Vec::new() })
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

impl Learner for Ppo {
    /// Collects one rollout and learns from it.
    fn iterate(&mut self) -> Result<Progress, RlError> {
        let config = &self.config;
        self.core.collect(config.discount, config.gae_lambda, None)?;
        let progress = self.core.collector.steps as f64 / config.total_steps as f64;
        let learning_rate = config.learning_rate.at(progress);
        let objective = Objective {
            clip_range: Some(config.clip_range.at(progress) as f32),
            value_clip_range: config.value_clip_range.map(|range| range.at(progress) as f32),
            entropy_coefficient: config.entropy_coefficient,
            value_coefficient: config.value_coefficient,
            normalise_advantages: config.normalise_advantages,
        };
        let sequence = self.core.rollout.shape().sequence;
        let per_batch = (config.batch_size / sequence).max(1);
        let kl_limit = config.target_kl.map_or(f32::INFINITY, |target| 1.5 * target);
        let mut random = generator(self.core.seed, "minibatches", self.core.iterations);
        let (mut terms, mut count, mut epochs) = (LossTerms::default(), 0, 0);
        self.order.clear();
        self.order.extend(0..self.core.rollout.rows() / sequence);
        'rollout: for _ in 0..config.epochs {
            self.order.shuffle(&mut random);
            epochs += 1;
            for sequences in self.order.chunks(per_batch) {
                let limit = config.maximum_gradient_norm;
                self.core.gather(sequences);
                let (one, done) = self.core.update(&objective, learning_rate, limit, kl_limit)?;
                terms.add(&one);
                count += 1;
                if !done {
                    break 'rollout;
                }
            }
        }
        let terms = terms.scaled(1.0 / count as f32);
        Ok(self.core.finish(terms, &objective, learning_rate, epochs, config.total_steps))
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
        self.core.to_bytes("ppo", &self.config, |_| {})
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), RlError> {
        self.core.restore(bytes, "ppo", &self.config, |_| Ok(()))
    }
}

#[cfg(test)]
mod tests;
