//! Networks: functions over a flat parameter vector that know their own derivative.
//!
//! Algorithms never differentiate a network themselves: they work out the derivative of the loss by the
//! outputs and hand it to [`Network::backward`]. Whatever can do that (a hand-written MLP, a tensor library)
//! is a backbone.

#[cfg(test)]
pub(crate) mod elman;
pub(crate) mod initialisation;
mod kernel;
mod mlp;
#[cfg(feature = "sequence-networks")]
mod sequence;

pub use initialisation::Initialisation;
pub use mlp::{Activation, Mlp, MlpConfig, OutputHead};
#[cfg(feature = "sequence-networks")]
pub use sequence::{SequenceConfig, SequenceNetwork};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::RlError;

/// Parameters that follow each other and learn at one pace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParameterGroup {
    /// How many.
    pub parameters: usize,
    /// What the learning rate is multiplied by, at least 0; 0 freezes them: nothing of them moves, nor of
    /// what the optimiser remembers, and their derivative does not count in the norm that gradients are
    /// clipped by.
    pub learning_rate_factor: f32,
}

/// Sequences of observations of one length, each with the state that it starts from.
///
/// A network without memory sees `sequences * time` rows; the flags and states are not read.
#[derive(Clone, Copy, Debug)]
pub struct SequenceBatch<'a> {
    /// How many sequences.
    pub sequences: usize,
    /// Steps of each.
    pub time: usize,
    /// `[sequences, time, inputs]`.
    pub observations: &'a [f32],
    /// `[sequences, time]`: the state is set to [`Network::initial_state`] before that step. It is set, not
    /// multiplied by zero, so that nothing of the episode before (not even NaN) gets through.
    pub starts: &'a [bool],
    /// `[sequences, state_width]`: before the first step, and before its flag is looked at.
    pub states: &'a [f32],
}

/// Which network, and its sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "network", rename_all = "kebab-case")]
pub enum NetworkConfig {
    /// Dense layers over the whole observation.
    Mlp(MlpConfig),
    /// LSTM, convolutions, transformer, perceptron over lags or xLSTM over its rows.
    #[cfg(feature = "sequence-networks")]
    Sequence(Box<SequenceConfig>),
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self::Mlp(MlpConfig::default())
    }
}

impl From<MlpConfig> for NetworkConfig {
    fn from(config: MlpConfig) -> Self {
        Self::Mlp(config)
    }
}

#[cfg(feature = "sequence-networks")]
impl From<SequenceConfig> for NetworkConfig {
    fn from(config: SequenceConfig) -> Self {
        Self::Sequence(Box::new(config))
    }
}

impl NetworkConfig {
    /// # Errors
    /// [`RlError::Config`] names the field, its value and the remedy.
    pub fn validate(&self) -> Result<(), RlError> {
        match self {
            Self::Mlp(config) => config.validate(),
            #[cfg(feature = "sequence-networks")]
            Self::Sequence(config) => config.validate(),
        }
    }

    /// A network for observations of `inputs` numbers, whose outputs are those of the heads, one head after the other.
    /// `purpose` tells networks of one seed apart.
    ///
    /// # Errors
    /// [`RlError::Config`] and [`RlError::Shape`] for what is refused or does not fit.
    pub fn init(
        &self,
        inputs: usize,
        heads: &[OutputHead],
        seed: u64,
        purpose: &str,
    ) -> Result<Box<dyn Network>, RlError> {
        Ok(match self {
            Self::Mlp(config) => Box::new(Mlp::new(inputs, heads, config, seed, purpose)?),
            #[cfg(feature = "sequence-networks")]
            Self::Sequence(config) => Box::new(SequenceNetwork::new(inputs, heads, config, seed, purpose)?),
        })
    }
}

/// A function of observations and, where it has memory, of a state, with its derivative.
pub trait Network: Send {
    /// Numbers of one observation.
    fn inputs(&self) -> usize;

    /// Numbers of one output.
    fn outputs(&self) -> usize;

    /// Numbers of one state; 0 without memory.
    fn state_width(&self) -> usize;

    /// Writes the state at the beginning of an episode, `[state_width]`.
    fn initial_state(&self, state: &mut [f32]);

    /// All parameters, in an order that does not change.
    fn parameters(&self) -> &[f32];

    /// The same, to change them.
    fn parameters_mut(&mut self) -> &mut [f32];

    /// Groups of the parameters, in their order; their sizes sum to as many as there are. Learners ask once,
    /// when they are made.
    fn parameter_groups(&self) -> Vec<ParameterGroup> {
        vec![ParameterGroup { parameters: self.parameters().len(), learning_rate_factor: 1.0 }]
    }

    /// One step of n rows without remembering anything: observations `[n, inputs]`, states `[n, state_width]`
    /// are replaced by the next ones, outputs `[n, outputs]`.
    ///
    /// # Errors
    /// [`RlError::Shape`] where the lengths do not fit.
    fn step(&mut self, observations: &[f32], states: &mut [f32], outputs: &mut [f32]) -> Result<(), RlError>;

    /// Outputs of all steps, `[sequences, time, outputs]`, remembering what [`Network::backward`] needs.
    ///
    /// # Errors
    /// [`RlError::Shape`] where the lengths do not fit.
    fn forward(&mut self, batch: &SequenceBatch<'_>, outputs: &mut [f32]) -> Result<(), RlError>;

    /// ADDS d loss / d parameters to `gradient`, given d loss / d outputs of the last [`Network::forward`],
    /// `[sequences, time, outputs]`. States passed on in the batch carry no gradient.
    ///
    /// # Errors
    /// [`RlError::Shape`] where the lengths do not fit, or no forward went before.
    fn backward(&mut self, output_gradient: &[f32], gradient: &mut [f32]) -> Result<(), RlError>;
}
