//! An actor (a distribution of actions) and a critic (a value), on two networks or on one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::distribution::Distribution;
use crate::error::RlError;
use crate::network::{Network, NetworkConfig, OutputHead, ParameterGroup, SequenceBatch};
use crate::optimiser::check_groups;
use crate::space::Space;

/// Gain of the weights that actions come from, as Stable-Baselines3.
const ACTION_GAIN: f32 = 0.01;

/// Networks of a policy. The default is Stable-Baselines3's: two networks of two layers of 64
/// units.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ActorCriticConfig {
    /// The actor's network, and the critic's too unless it has its own.
    pub actor: NetworkConfig,
    /// The critic's, where it differs; refused with `shared`.
    pub critic: Option<NetworkConfig>,
    /// One network with a head for each, whose layers learn from both.
    pub shared: bool,
    /// Log of the standard deviation that continuous actions begin with.
    pub initial_log_deviation: f32,
}

impl ActorCriticConfig {
    /// # Errors
    /// [`RlError::Config`] for layers without units, a critic beside a shared network, or a deviation that is
    /// not finite.
    pub fn validate(&self) -> Result<(), RlError> {
        self.actor.validate()?;
        if let Some(critic) = &self.critic {
            critic.validate()?;
            if self.shared {
                let remedy = "a shared network has no critic of its own; leave one of the two out";
                return Err(RlError::config("shared", true, remedy));
            }
        }
        if !self.initial_log_deviation.is_finite() {
            let remedy = "give a finite number, as 0 for a deviation of 1";
            return Err(RlError::config("initial_log_deviation", self.initial_log_deviation, remedy));
        }
        Ok(())
    }
}

/// Whether actor and critic share a network.
pub enum Backbone {
    /// Outputs are those of the distribution, then the value.
    Shared(Box<dyn Network>),
    /// Outputs of the actor are those of the distribution, the critic's is the value.
    Separate {
        /// Of the actions.
        actor: Box<dyn Network>,
        /// Of the value.
        critic: Box<dyn Network>,
    },
}

/// Networks, distribution and log standard deviations. Its parameters are, in this order: the actor's (or the
/// shared network's), the critic's, the log standard deviations.
///
/// A state is `[state_width]` per row: the actor's (or the shared network's), then the critic's.
pub struct ActorCritic {
    backbone: Backbone,
    distribution: Distribution,
    log_deviations: Vec<f32>,
    /// Outputs of a shared network, and states of one of two networks.
    joint: Vec<f32>,
    states: [Vec<f32>; 2],
}

impl std::fmt::Debug for ActorCritic {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = formatter.debug_struct("ActorCritic");
        parts.field("distribution", &self.distribution).field("parameters", &self.parameter_count());
        parts.finish_non_exhaustive()
    }
}

impl ActorCritic {
    /// Of the networks of the configuration.
    ///
    /// # Errors
    /// [`RlError::Config`] and [`RlError::Shape`] for what is refused.
    pub fn from_config(
        observations: &Space,
        actions: &Space,
        config: &ActorCriticConfig,
        seed: u64,
    ) -> Result<Self, RlError> {
        config.validate()?;
        let inputs = observations.width();
        let action = OutputHead { outputs: Distribution::of(actions)?.outputs(), gain: ACTION_GAIN };
        let value = OutputHead { outputs: 1, gain: 1.0 };
        let backbone = if config.shared {
            Backbone::Shared(config.actor.init(inputs, &[action, value], seed, "actor-critic")?)
        } else {
            let critic = config.critic.as_ref().unwrap_or(&config.actor);
            Backbone::Separate {
                actor: config.actor.init(inputs, &[action], seed, "actor")?,
                critic: critic.init(inputs, &[value], seed, "critic")?,
            }
        };
        Self::new(backbone, actions, config.initial_log_deviation)
    }

    /// Of any networks.
    ///
    /// # Errors
    /// [`RlError::Shape`] for outputs that do not fit the actions, networks of different inputs, or groups of
    /// parameters that are not all of them.
    pub fn new(backbone: Backbone, actions: &Space, initial_log_deviation: f32) -> Result<Self, RlError> {
        let distribution = Distribution::of(actions)?;
        let outputs = distribution.outputs();
        let fits = match &backbone {
            Backbone::Shared(network) => network.outputs() == outputs + 1,
            Backbone::Separate { actor, critic } => {
                actor.outputs() == outputs && critic.outputs() == 1 && actor.inputs() == critic.inputs()
            }
        };
        if !fits {
            let problem = format!("the actions need {outputs} outputs and the value 1, of the same inputs");
            return Err(RlError::shape("the networks of a policy", problem));
        }
        match &backbone {
            Backbone::Shared(network) => check_groups(&**network)?,
            Backbone::Separate { actor, critic } => {
                check_groups(&**actor)?;
                check_groups(&**critic)?;
            }
        }
        let log_deviations = vec![initial_log_deviation; distribution.log_deviations()];
        Ok(Self {
            backbone,
            distribution,
            log_deviations,
            joint: Vec::new(),
            states: [Vec::new(), Vec::new()],
        })
    }

    /// Of the actions.
    #[must_use]
    pub fn distribution(&self) -> &Distribution {
        &self.distribution
    }

    /// Of continuous actions; empty for others.
    #[must_use]
    pub fn log_deviations(&self) -> &[f32] {
        &self.log_deviations
    }

    /// Numbers of one observation.
    #[must_use]
    pub fn inputs(&self) -> usize {
        match &self.backbone {
            Backbone::Shared(network) => network.inputs(),
            Backbone::Separate { actor, .. } => actor.inputs(),
        }
    }

    fn state_widths(&self) -> [usize; 2] {
        match &self.backbone {
            Backbone::Shared(network) => [network.state_width(), 0],
            Backbone::Separate { actor, critic } => [actor.state_width(), critic.state_width()],
        }
    }

    /// Numbers of one state; 0 without memory.
    #[must_use]
    pub fn state_width(&self) -> usize {
        self.state_widths().iter().sum()
    }

    /// Writes the state at the beginning of an episode, `[state_width]`.
    pub fn initial_state(&self, state: &mut [f32]) {
        match &self.backbone {
            Backbone::Shared(network) => network.initial_state(state),
            Backbone::Separate { actor, critic } => {
                let (first, second) = state.split_at_mut(actor.state_width());
                actor.initial_state(first);
                critic.initial_state(second);
            }
        }
    }

    /// All parameters, in pieces.
    pub fn parameters_mut(&mut self) -> [&mut [f32]; 3] {
        match &mut self.backbone {
            Backbone::Shared(network) => [network.parameters_mut(), &mut [], &mut self.log_deviations],
            Backbone::Separate { actor, critic } => {
                [actor.parameters_mut(), critic.parameters_mut(), &mut self.log_deviations]
            }
        }
    }

    /// All parameters, in pieces.
    #[must_use]
    pub fn parameters(&self) -> [&[f32]; 3] {
        match &self.backbone {
            Backbone::Shared(network) => [network.parameters(), &[], &self.log_deviations],
            Backbone::Separate { actor, critic } => {
                [actor.parameters(), critic.parameters(), &self.log_deviations]
            }
        }
    }

    /// How many parameters there are.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.parameters().iter().map(|piece| piece.len()).sum()
    }

    /// Groups of all parameters, in their order: those of the networks, and the log standard deviations.
    #[must_use]
    pub fn parameter_groups(&self) -> Vec<ParameterGroup> {
        let mut groups = match &self.backbone {
            Backbone::Shared(network) => network.parameter_groups(),
            Backbone::Separate { actor, critic } => {
                [actor.parameter_groups(), critic.parameter_groups()].concat()
            }
        };
        groups.push(ParameterGroup { parameters: self.log_deviations.len(), learning_rate_factor: 1.0 });
        groups
    }

    /// One step of n rows: observations `[n, inputs]`, states `[n, state_width]` are replaced, outputs `[n,
    /// outputs]` for the distribution, values `[n]`.
    ///
    /// # Errors
    /// [`RlError::Shape`] where the lengths do not fit.
    pub fn step(
        &mut self,
        observations: &[f32],
        states: &mut [f32],
        outputs: &mut [f32],
        values: &mut [f32],
    ) -> Result<(), RlError> {
        let widths = self.state_widths();
        let Self { backbone, joint, states: scratch, .. } = self;
        match backbone {
            Backbone::Shared(network) => {
                joint.resize(outputs.len() + values.len(), 0.0);
                network.step(observations, states, joint)?;
                split(joint, outputs, values);
                Ok(())
            }
            Backbone::Separate { actor, critic } if widths == [0, 0] => {
                actor.step(observations, &mut [], outputs)?;
                critic.step(observations, &mut [], values)
            }
            Backbone::Separate { actor, critic } => {
                divide(states, widths, scratch);
                actor.step(observations, &mut scratch[0], outputs)?;
                critic.step(observations, &mut scratch[1], values)?;
                unite(states, widths, scratch);
                Ok(())
            }
        }
    }

    /// Outputs for the distribution `[sequences, time, outputs]` and values `[sequences, time]`, remembering
    /// what
    /// [`ActorCritic::backward`] needs.
    ///
    /// # Errors
    /// [`RlError::Shape`] where the lengths do not fit.
    pub fn forward(
        &mut self,
        batch: &SequenceBatch<'_>,
        outputs: &mut [f32],
        values: &mut [f32],
    ) -> Result<(), RlError> {
        let widths = self.state_widths();
        let Self { backbone, joint, states: scratch, .. } = self;
        match backbone {
            Backbone::Shared(network) => {
                joint.resize(outputs.len() + values.len(), 0.0);
                network.forward(batch, joint)?;
                split(joint, outputs, values);
                Ok(())
            }
            Backbone::Separate { actor, critic } => {
                divide(batch.states, widths, scratch);
                actor.forward(&SequenceBatch { states: &scratch[0], ..*batch }, outputs)?;
                critic.forward(&SequenceBatch { states: &scratch[1], ..*batch }, values)
            }
        }
    }

    /// ADDS d loss / d parameters of the networks to `gradient` (that of the log standard deviations is the
    /// caller's), given d loss / d outputs and d loss / d values of the last [`ActorCritic::forward`].
    ///
    /// # Errors
    /// [`RlError::Shape`] where the lengths do not fit.
    pub fn backward(&mut self, outputs: &[f32], values: &[f32], gradient: &mut [f32]) -> Result<(), RlError> {
        let count = self.parameter_count();
        if gradient.len() != count {
            let problem = format!("{} gradients for {count} parameters", gradient.len());
            return Err(RlError::shape("a derivative of a policy", problem));
        }
        let (gradient, _) = gradient.split_at_mut(count - self.log_deviations.len());
        match &mut self.backbone {
            Backbone::Shared(network) => {
                let width = outputs.len() / values.len().max(1);
                for ((joint, outputs), value) in
                    self.joint.chunks_exact_mut(width + 1).zip(outputs.chunks_exact(width)).zip(values)
                {
                    joint[..width].copy_from_slice(outputs);
                    joint[width] = *value;
                }
                network.backward(&self.joint, gradient)
            }
            Backbone::Separate { actor, critic } => {
                let (first, second) = gradient.split_at_mut(actor.parameters().len());
                actor.backward(outputs, first)?;
                critic.backward(values, second)
            }
        }
    }
}

/// Rows of `[outputs, value]` to both.
fn split(joint: &[f32], outputs: &mut [f32], values: &mut [f32]) {
    let width = outputs.len() / values.len().max(1);
    let rows = joint.chunks_exact(width + 1).zip(outputs.chunks_exact_mut(width)).zip(values);
    for ((joint, outputs), value) in rows {
        outputs.copy_from_slice(&joint[..width]);
        *value = joint[width];
    }
}

/// Rows of `[first, second]` to both.
fn divide(states: &[f32], widths: [usize; 2], parts: &mut [Vec<f32>; 2]) {
    parts.iter_mut().for_each(Vec::clear);
    for row in states.chunks_exact((widths[0] + widths[1]).max(1)) {
        let (first, second) = row.split_at(widths[0]);
        parts[0].extend_from_slice(first);
        parts[1].extend_from_slice(second);
    }
}

fn unite(states: &mut [f32], widths: [usize; 2], parts: &[Vec<f32>; 2]) {
    for (index, row) in states.chunks_exact_mut((widths[0] + widths[1]).max(1)).enumerate() {
        let (first, second) = row.split_at_mut(widths[0]);
        first.copy_from_slice(&parts[0][index * widths[0]..(index + 1) * widths[0]]);
        second.copy_from_slice(&parts[1][index * widths[1]..(index + 1) * widths[1]]);
    }
}
