//! Dilated causal convolutions.

use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig, Linear};
use burn::tensor::{Device, Tensor, activation};
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::error::NetworkError;
use crate::initial::{Initial, drop_share};
use crate::network::{at_least_one, droppable};

/// Sizes of a [`Convolutional`] network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ConvolutionalConfig {
    /// Channels.
    pub width: usize,
    /// Taps of a convolution.
    pub kernel: usize,
    /// Layers; the dilation doubles from each to the next. With 5 layers of 3 taps an output sees 63 rows.
    pub layers: usize,
    /// Share of the channels dropped in training.
    pub dropout: f64,
}

impl Default for ConvolutionalConfig {
    fn default() -> Self {
        Self { width: 64, kernel: 3, layers: 5, dropout: 0.2 }
    }
}

impl ConvolutionalConfig {
    /// Refuses sizes outside their range.
    ///
    /// # Errors
    /// [`NetworkError::Config`] names the field.
    pub fn validate(&self) -> Result<(), NetworkError> {
        at_least_one("width", self.width)?;
        at_least_one("kernel", self.kernel)?;
        at_least_one("layers", self.layers)?;
        if self.layers > 16 {
            let remedy = "give at most 16: each doubles the rows that are seen";
            return Err(NetworkError::config("layers", self.layers, remedy));
        }
        droppable(self.dropout)
    }

    pub(crate) fn init(
        &self,
        inputs: usize,
        random: &mut dyn Rng,
        device: &Device,
    ) -> Result<Convolutional, NetworkError> {
        self.validate()?;
        let mut initial = Initial::new(random, device);
        let embedding = initial.linear(inputs, self.width);
        let layers = (0..self.layers)
            .map(|_| ConvolutionalLayer {
                norm: LayerNormConfig::new(self.width).init(device),
                taps: initial.linear(self.kernel * self.width, self.width),
            })
            .collect();
        Ok(Convolutional { embedding, layers, inputs, config: self.clone() })
    }
}

/// One residual layer.
#[derive(Module, Debug)]
struct ConvolutionalLayer {
    norm: LayerNorm,
    /// The taps side by side, oldest first.
    taps: Linear,
}

/// A temporal convolutional network (Bai, Kolter and Koltun 2018, arXiv 1803.01271): residual layers
/// `x + dropout(relu(convolution(norm(x))))` without padding, so that an output depends on its rows alone.
#[derive(Module, Debug)]
pub struct Convolutional {
    embedding: Linear,
    layers: Vec<ConvolutionalLayer>,
    #[module(skip)]
    inputs: usize,
    #[module(skip)]
    config: ConvolutionalConfig,
}

impl Convolutional {
    /// What it was made from.
    #[must_use]
    pub fn config(&self) -> &ConvolutionalConfig {
        &self.config
    }

    #[cfg(test)]
    pub(crate) fn parts_mut(&mut self) -> (&mut Linear, impl Iterator<Item = &mut Linear>) {
        (&mut self.embedding, self.layers.iter_mut().map(|layer| &mut layer.taps))
    }

    pub(crate) fn context(&self) -> Context {
        let rows = (0..self.config.layers).map(|layer| (self.config.kernel - 1) << layer).sum();
        Context { rows, inputs: self.inputs }
    }

    pub(crate) fn forward(&self, rows: Tensor<3>, dropout: &mut Option<&mut dyn Rng>) -> Tensor<3> {
        let mut x = self.embedding.forward(rows);
        for (index, layer) in self.layers.iter().enumerate() {
            let dilation = 1 << index;
            let lost = (self.config.kernel - 1) * dilation;
            let time = x.dims()[1] - lost;
            let normed = layer.norm.forward(x.clone());
            let of_tap = |tap: usize| normed.clone().narrow(1, tap * dilation, time);
            let seen = Tensor::cat((0..self.config.kernel).map(of_tap).collect(), 2);
            let added = activation::relu(layer.taps.forward(seen));
            x = x.narrow(1, lost, time) + drop_share(added, self.config.dropout, dropout.as_deref_mut());
        }
        x
    }
}
