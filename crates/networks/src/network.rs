//! From windows `[batch, time, inputs]` to hidden vectors `[batch, time, width]`.
//!
//! All networks run causally over sequences of any length and carry a state from call to call, so that one trainer, one recipe and
//! one predictor serve them all.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use xlstm::{Run, Xlstm, XlstmConfig, XlstmState};

use crate::convolutional::{Convolutional, ConvolutionalConfig};
use crate::error::NetworkError;
use crate::lstm::{Lstm, LstmConfig, LstmLayerState};
use crate::perceptron::{Perceptron, PerceptronConfig};
use crate::transformer::{Transformer, TransformerConfig};

/// Which network, and its sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// mLSTM and sLSTM blocks.
    Xlstm(Box<XlstmConfig>),
    /// A multi-layer perceptron on the rows at some lags.
    Perceptron(PerceptronConfig),
    /// Dilated causal convolutions.
    Convolutional(ConvolutionalConfig),
    /// The LSTM of 1997.
    Lstm(LstmConfig),
    /// A transformer encoder that looks back.
    Transformer(TransformerConfig),
}

impl Default for Architecture {
    fn default() -> Self {
        Self::Xlstm(Box::default())
    }
}

/// A network of one of the architectures.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for each model")]
pub enum Network {
    /// mLSTM and sLSTM blocks.
    Xlstm(Xlstm),
    /// A multi-layer perceptron.
    Perceptron(Perceptron),
    /// Dilated causal convolutions.
    Convolutional(Convolutional),
    /// The LSTM of 1997.
    Lstm(Lstm),
    /// A transformer encoder.
    Transformer(Transformer),
}

/// What a network carries from call to call.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for each batch of sequences")]
pub enum NetworkState {
    /// Of an xLSTM.
    Xlstm(XlstmState),
    /// Of an LSTM, layer by layer.
    Lstm(Vec<LstmLayerState>),
    /// The last rows, `[batch, rows, inputs]`, of a network that sees a fixed number of them; zeros stand for rows before the
    /// first.
    Rows(Tensor<3>),
}

/// How a sequence is run.
#[derive(Default)]
pub struct NetworkRun<'a> {
    /// State before the first step; empty without one.
    pub state: Option<NetworkState>,
    /// Makes dropout happen, and says with which numbers.
    pub dropout: Option<&'a mut dyn Rng>,
    /// Whether the state after the last step is wanted.
    pub keep_state: bool,
    /// Gives the output of the last step alone, `[batch, 1, width]`.
    pub last_only: bool,
}

impl Architecture {
    /// Makes a network for rows of `inputs` columns, its initial weights drawn from `random`; an xLSTM has columns and
    /// seed in its own configuration.
    ///
    /// # Errors
    /// [`NetworkError::Config`] or [`NetworkError::Xlstm`] where sizes are out of range or do not fit together.
    pub fn init(
        &self,
        inputs: usize,
        random: &mut dyn Rng,
        device: &Device,
    ) -> Result<Network, NetworkError> {
        Ok(match self {
            Self::Xlstm(config) => Network::Xlstm(config.init(device)?),
            Self::Perceptron(config) => Network::Perceptron(config.init(inputs, random, device)?),
            Self::Convolutional(config) => Network::Convolutional(config.init(inputs, random, device)?),
            Self::Lstm(config) => Network::Lstm(config.init(inputs, random, device)?),
            Self::Transformer(config) => Network::Transformer(config.init(inputs, random, device)?),
        })
    }

    /// Outputs of a step.
    #[must_use]
    pub fn width(&self) -> usize {
        match self {
            Self::Xlstm(config) => config.width,
            Self::Perceptron(config) => config.width,
            Self::Convolutional(config) => config.width,
            Self::Lstm(config) => config.width,
            Self::Transformer(config) => config.width,
        }
    }

    /// Whether training draws random numbers in it.
    #[must_use]
    pub fn drops(&self) -> bool {
        match self {
            Self::Xlstm(config) => {
                let dropout = &config.dropout;
                dropout.input > 0.0 || dropout.recurrent > 0.0 || dropout.output > 0.0
            }
            Self::Perceptron(config) => config.dropout > 0.0,
            Self::Convolutional(config) => config.dropout > 0.0,
            Self::Lstm(config) => config.dropout > 0.0,
            Self::Transformer(config) => config.dropout > 0.0,
        }
    }

    /// Refuses sizes that are out of range or do not fit together.
    ///
    /// # Errors
    /// As [`Self::init`].
    pub fn validate(&self) -> Result<(), NetworkError> {
        match self {
            Self::Xlstm(config) => Ok(config.validate()?),
            Self::Perceptron(config) => config.validate(),
            Self::Convolutional(config) => config.validate(),
            Self::Lstm(config) => config.validate(),
            Self::Transformer(config) => config.validate(),
        }
    }
}

impl Network {
    /// Its architecture.
    #[must_use]
    pub fn architecture(&self) -> Architecture {
        match self {
            Self::Xlstm(network) => Architecture::Xlstm(Box::new(network.config().clone())),
            Self::Perceptron(network) => Architecture::Perceptron(network.config().clone()),
            Self::Convolutional(network) => Architecture::Convolutional(network.config().clone()),
            Self::Lstm(network) => Architecture::Lstm(network.config().clone()),
            Self::Transformer(network) => Architecture::Transformer(network.config().clone()),
        }
    }

    /// The state before any step.
    #[must_use]
    pub fn empty_state(&self, batch: usize, device: &Device) -> NetworkState {
        match self {
            Self::Xlstm(network) => NetworkState::Xlstm(network.empty_state(batch)),
            Self::Perceptron(network) => network.context().empty(batch, device),
            Self::Convolutional(network) => network.context().empty(batch, device),
            Self::Lstm(network) => NetworkState::Lstm(network.empty_state(batch, device)),
            Self::Transformer(network) => network.context().empty(batch, device),
        }
    }

    /// Runs sequences; the state after the last step where it is wanted, cut off from the gradients before it.
    ///
    /// # Shapes
    /// `input` `[batch, time, inputs]`, the result `[batch, time, width]`.
    ///
    /// # Errors
    /// [`NetworkError::Data`] where the columns or the state are those of another network; [`NetworkError::Xlstm`].
    pub fn run(
        &self,
        input: Tensor<3>,
        run: NetworkRun<'_>,
    ) -> Result<(Tensor<3>, Option<NetworkState>), NetworkError> {
        match self {
            Self::Xlstm(network) => {
                let state = match run.state {
                    Some(NetworkState::Xlstm(state)) => Some(state),
                    None => None,
                    Some(_) => return Err(foreign_state()),
                };
                let NetworkRun { dropout, keep_state, last_only, .. } = run;
                let (hidden, state) =
                    network.run(input, Run { state, reset: None, dropout, keep_state, last_only })?;
                Ok((hidden, state.map(NetworkState::Xlstm)))
            }
            Self::Perceptron(network) => {
                let (rows, state, mut dropout) = network.context().rows(input, run)?;
                Ok((network.forward(&rows, &mut dropout), state))
            }
            Self::Convolutional(network) => {
                let (rows, state, mut dropout) = network.context().rows(input, run)?;
                Ok((network.forward(rows, &mut dropout), state))
            }
            Self::Lstm(network) => network.run(input, run),
            Self::Transformer(network) => {
                let (rows, state, mut dropout) = network.context().rows(input, run)?;
                Ok((network.forward(rows, &mut dropout), state))
            }
        }
    }

    /// All hidden vectors of sequences that begin with an empty state.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn forward(&self, input: Tensor<3>) -> Result<Tensor<3>, NetworkError> {
        Ok(self.run(input, NetworkRun::default())?.0)
    }
}

pub(crate) fn foreign_state() -> NetworkError {
    NetworkError::data("the state", "it is of another network; begin with an empty one")
}

/// Refuses a size of 0.
pub(crate) fn at_least_one(field: &str, value: usize) -> Result<(), NetworkError> {
    if value == 0 {
        return Err(NetworkError::config(field, value, "give at least 1"));
    }
    Ok(())
}

/// Refuses what is no share that can be dropped.
pub(crate) fn droppable(share: f64) -> Result<(), NetworkError> {
    if (0.0..1.0).contains(&share) {
        return Ok(());
    }
    Err(NetworkError::config("dropout", share, "give a share of 0 or more, below 1"))
}
