//! A multi-layer perceptron on the rows at some lags.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, activation};
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::error::NetworkError;
use crate::initial::{Initial, drop_share};
use crate::network::{at_least_one, droppable};

/// Sizes of a [`Perceptron`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PerceptronConfig {
    /// Rows back that it sees, 0 for the present one; increasing. The default reaches 32 rows back with growing steps.
    pub lags: Vec<usize>,
    /// Units of every layer.
    pub width: usize,
    /// Hidden layers.
    pub layers: usize,
    /// Share of the hidden units dropped in training.
    pub dropout: f64,
}

impl Default for PerceptronConfig {
    fn default() -> Self {
        Self { lags: vec![0, 1, 2, 4, 8, 16, 32], width: 128, layers: 2, dropout: 0.2 }
    }
}

impl PerceptronConfig {
    /// Refuses sizes outside their range.
    ///
    /// # Errors
    /// [`NetworkError::Config`] names the field.
    pub fn validate(&self) -> Result<(), NetworkError> {
        at_least_one("width", self.width)?;
        at_least_one("layers", self.layers)?;
        droppable(self.dropout)?;
        if self.lags.is_empty() || self.lags.windows(2).any(|two| two[0] >= two[1]) {
            let remedy = "give at least one lag, in increasing order";
            return Err(NetworkError::config("lags", format!("{:?}", self.lags), remedy));
        }
        Ok(())
    }

    pub(crate) fn init(
        &self,
        inputs: usize,
        random: &mut dyn Rng,
        device: &Device,
    ) -> Result<Perceptron, NetworkError> {
        self.validate()?;
        let mut initial = Initial::new(random, device);
        let mut before = inputs * self.lags.len();
        let mut layers = Vec::with_capacity(self.layers);
        for _ in 0..self.layers {
            layers.push(initial.linear(before, self.width));
            before = self.width;
        }
        Ok(Perceptron { layers, inputs, config: self.clone() })
    }
}

/// `relu(W x + b)` layer on layer (Rumelhart, Hinton and Williams 1986), x the rows at the lags side by side.
#[derive(Module, Debug)]
pub struct Perceptron {
    layers: Vec<Linear>,
    #[module(skip)]
    inputs: usize,
    #[module(skip)]
    config: PerceptronConfig,
}

impl Perceptron {
    /// What it was made from.
    #[must_use]
    pub fn config(&self) -> &PerceptronConfig {
        &self.config
    }

    pub(crate) fn context(&self) -> Context {
        Context { rows: self.config.lags.last().copied().unwrap_or(0), inputs: self.inputs }
    }

    pub(crate) fn forward(&self, rows: &Tensor<3>, dropout: &mut Option<&mut dyn Rng>) -> Tensor<3> {
        let reach = self.context().rows;
        let time = rows.dims()[1] - reach;
        let of_lag = |lag: &usize| rows.clone().narrow(1, reach - lag, time);
        let mut x = Tensor::cat(self.config.lags.iter().map(of_lag).collect(), 2);
        for layer in &self.layers {
            x = activation::relu(layer.forward(x));
            x = drop_share(x, self.config.dropout, dropout.as_deref_mut());
        }
        x
    }
}
