//! A transformer encoder that looks back over a window.

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

/// Added to the scores of rows that must not be seen: their weights become exact zeros.
const UNSEEN: f32 = -1e9;

/// Sizes of a [`Transformer`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TransformerConfig {
    /// Width of the residual stream.
    pub width: usize,
    /// Heads, which divide the width.
    pub heads: usize,
    /// Layers. With 2 layers and a window of 32 an output sees 63 rows.
    pub layers: usize,
    /// Rows that a layer looks at, the present one included.
    pub window: usize,
    /// Width of the feed-forward layers, as a multiple of `width`.
    pub feed_forward: usize,
    /// Share of what every sub-layer adds that is dropped in training.
    pub dropout: f64,
}

impl Default for TransformerConfig {
    fn default() -> Self {
        Self { width: 64, heads: 4, layers: 2, window: 32, feed_forward: 2, dropout: 0.2 }
    }
}

impl TransformerConfig {
    /// Refuses sizes outside their range.
    ///
    /// # Errors
    /// [`NetworkError::Config`] names the field.
    pub fn validate(&self) -> Result<(), NetworkError> {
        for (field, value) in [
            ("width", self.width),
            ("heads", self.heads),
            ("layers", self.layers),
            ("window", self.window),
            ("feed_forward", self.feed_forward),
        ] {
            at_least_one(field, value)?;
        }
        if !self.width.is_multiple_of(self.heads) {
            return Err(NetworkError::config("heads", self.heads, "give a divisor of `width`"));
        }
        droppable(self.dropout)
    }

    pub(crate) fn init(
        &self,
        inputs: usize,
        random: &mut dyn Rng,
        device: &Device,
    ) -> Result<Transformer, NetworkError> {
        self.validate()?;
        let mut initial = Initial::new(random, device);
        let width = self.width;
        let embedding = initial.linear(inputs, width);
        let norm = || LayerNormConfig::new(width).init(device);
        let layers = (0..self.layers)
            .map(|_| TransformerLayer {
                attention_norm: norm(),
                query: initial.linear(width, width),
                key: initial.linear(width, width),
                value: initial.linear(width, width),
                output: initial.linear(width, width),
                feed_forward_norm: norm(),
                up: initial.linear(width, self.feed_forward * width),
                down: initial.linear(self.feed_forward * width, width),
            })
            .collect();
        Ok(Transformer { embedding, layers, norm: norm(), inputs, config: self.clone() })
    }
}

/// Attention and feed-forward, each residual with the norm in front.
#[derive(Module, Debug)]
struct TransformerLayer {
    attention_norm: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    feed_forward_norm: LayerNorm,
    up: Linear,
    down: Linear,
}

/// A causal transformer encoder (Vaswani et al. 2017, arXiv 1706.03762) with the norms in front (Xiong et al. 2020) and
/// distances instead of positions (Press et al. 2022, arXiv 2108.12409, ALiBi), so that it runs over sequences of any
/// length. Every layer looks at the last `window` rows.
#[derive(Module, Debug)]
pub struct Transformer {
    embedding: Linear,
    layers: Vec<TransformerLayer>,
    norm: LayerNorm,
    #[module(skip)]
    inputs: usize,
    #[module(skip)]
    config: TransformerConfig,
}

impl Transformer {
    /// What it was made from.
    #[must_use]
    pub fn config(&self) -> &TransformerConfig {
        &self.config
    }

    #[cfg(test)]
    pub(crate) fn linears_mut(&mut self) -> Vec<(&'static str, &mut Linear)> {
        let mut all = vec![("embedding", &mut self.embedding)];
        for layer in &mut self.layers {
            all.extend([
                ("query", &mut layer.query),
                ("key", &mut layer.key),
                ("value", &mut layer.value),
                ("output_projection", &mut layer.output),
                ("up", &mut layer.up),
                ("down", &mut layer.down),
            ]);
        }
        all
    }

    pub(crate) fn context(&self) -> Context {
        Context { rows: self.config.layers * (self.config.window - 1), inputs: self.inputs }
    }

    pub(crate) fn forward(&self, rows: Tensor<3>, dropout: &mut Option<&mut dyn Rng>) -> Tensor<3> {
        let share = self.config.dropout;
        let lost = self.config.window - 1;
        let mut x = self.embedding.forward(rows);
        for layer in &self.layers {
            let time = x.dims()[1] - lost;
            let attended = self.attend(layer, layer.attention_norm.forward(x.clone()), time);
            x = x.narrow(1, lost, time) + drop_share(attended, share, dropout.as_deref_mut());
            let hidden = activation::gelu(layer.up.forward(layer.feed_forward_norm.forward(x.clone())));
            x = x + drop_share(layer.down.forward(hidden), share, dropout.as_deref_mut());
        }
        self.norm.forward(x)
    }

    /// The last `time` rows look at the `window` rows that end with them.
    fn attend(&self, layer: &TransformerLayer, x: Tensor<3>, time: usize) -> Tensor<3> {
        let TransformerConfig { width, heads, window, .. } = self.config;
        let [batch, rows, _] = x.dims();
        let dim = width / heads;
        let split = |tensor: Tensor<3>| {
            let rows = tensor.dims()[1];
            tensor.reshape([batch, rows, heads, dim]).swap_dims(1, 2)
        };
        let query = split(layer.query.forward(x.clone().narrow(1, rows - time, time)));
        let (key, value) = (split(layer.key.forward(x.clone())), split(layer.value.forward(x)));
        let scores = query.matmul(key.swap_dims(2, 3)) * (1.0 / (dim as f64).sqrt());
        let weights = activation::softmax(scores + distances(heads, window, time, &value.device()), 3);
        let mixed = weights.matmul(value).swap_dims(1, 2).reshape([batch, time, width]);
        layer.output.forward(mixed)
    }
}

/// What is added to scores, `[1, heads, time, window - 1 + time]`: minus the distance times the slope of the head
/// `2^(-8 (h + 1) / heads)`, [`UNSEEN`] outside the window.
fn distances(heads: usize, window: usize, time: usize, device: &Device) -> Tensor<4> {
    let rows = window - 1 + time;
    let mut values = Vec::with_capacity(heads * time * rows);
    for head in 0..heads {
        let slope = (-8.0 * (head + 1) as f32 / heads as f32).exp2();
        for step in 0..time {
            for row in 0..rows {
                // The present row of `step` is `window - 1 + step`.
                let distance = (window - 1 + step).checked_sub(row).filter(|distance| *distance < window);
                values.push(distance.map_or(UNSEEN, |distance| -slope * distance as f32));
            }
        }
    }
    Tensor::<1>::from_floats(values.as_slice(), device).reshape([1, heads, time, rows])
}
