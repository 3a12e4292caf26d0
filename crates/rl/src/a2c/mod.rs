//! Advantage actor-critic (Mnih et al. 2016, arXiv 1602.01783, synchronous), with the details of
//! Stable-Baselines3.

use serde::{Deserialize, Serialize};

use crate::actor_critic::ActorCritic;
use crate::environment::VecEnvironment;
use crate::error::RlError;
use crate::normalisation::NormalisationConfig;
use crate::objective::Objective;
use crate::on_policy::{OnPolicy, Setup, expect_positive, expect_within};
use crate::optimiser::OptimiserConfig;
use crate::policy::Policy;
use crate::schedule::Schedule;
use crate::training::{Control, Observer, Progress};

/// Settings of [`A2c`]. The defaults are Stable-Baselines3's (whose budget of steps is an argument instead).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
        }
    }
}

impl A2cConfig {
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
        self.normalisation.validate()
    }
}

/// A policy that learns by A2C: one step of the optimiser per rollout.
pub struct A2c {
    config: A2cConfig,
    core: OnPolicy,
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
        Ok(Self { config, core, order: Vec::new() })
    }

    /// Collects one rollout and learns from it.
    ///
    /// # Errors
    /// [`RlError::Diverged`], and what environments fail at.
    pub fn iterate(&mut self) -> Result<Progress, RlError> {
        let config = &self.config;
        self.core.collect(config.discount, config.gae_lambda)?;
        let progress = self.core.collector.steps as f64 / config.total_steps as f64;
        let learning_rate = config.learning_rate.at(progress);
        let objective = Objective {
            clip_range: None,
            value_clip_range: None,
            entropy_coefficient: config.entropy_coefficient,
            value_coefficient: config.value_coefficient,
            normalise_advantages: config.normalise_advantages,
        };
        self.order.clear();
        self.order.extend(0..self.core.rollout.rows() / self.core.rollout.shape().sequence);
        let limit = config.maximum_gradient_norm;
        let (terms, _) = self.core.update(&self.order, &objective, learning_rate, limit, f32::INFINITY)?;
        Ok(self.core.finish(terms, learning_rate, 1, config.total_steps))
    }

    /// Whether all steps are taken.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.core.collector.steps >= self.config.total_steps
    }

    /// Goes on until all steps are taken or the observer stops.
    ///
    /// # Errors
    /// See [`A2c::iterate`].
    pub fn learn(&mut self, observer: &mut dyn Observer) -> Result<(), RlError> {
        while !self.is_done() {
            if observer.observe(&self.iterate()?) == Control::Stop {
                break;
            }
        }
        Ok(())
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

    /// All that [`A2c::restore`] needs to go on to the bit, environments included.
    ///
    /// # Errors
    /// [`RlError::Environment`] where an environment cannot be saved.
    pub fn to_bytes(&self) -> Result<Vec<u8>, RlError> {
        self.core.to_bytes("a2c", &self.fingerprint()?)
    }

    /// Goes on from what [`A2c::to_bytes`] gave, in an instance made with the same configuration, policy and
    /// environments; the seed is that of the bytes.
    ///
    /// # Errors
    /// [`RlError::Checkpoint`] for bytes that are damaged or of something else. The instance is of no use
    /// then.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), RlError> {
        let fingerprint = self.fingerprint()?;
        self.core.restore(bytes, "a2c", &fingerprint)
    }

    fn fingerprint(&self) -> Result<String, RlError> {
        serde_json::to_string(&self.config).map_err(|error| RlError::checkpoint(error.to_string()))
    }
}
