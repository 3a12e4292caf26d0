//! Cross-attention between groups of input features.

use super::linear;
use crate::config::{FeatureGroupsConfig, Kernel};
use crate::initialisation::Initialiser;
use crate::norm::Norm;
use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, activation};

/// Embeds every group of features on its own (prices, volumes, other timeframes, …), lets each ask all the *others*
/// at the same step by multi-head attention (Vaswani et al. 2017, arXiv 1706.03762), and takes the mean.
///
/// It looks at one step at a time, so it has no state.
#[derive(Module, Debug)]
pub struct FeatureGroups {
    /// One per group, columns to E.
    pub embeddings: Vec<Linear>,
    /// Added to what a group embeds to, so that groups can be told apart, `[groups, E]`.
    pub identity: Param<Tensor<2>>,
    /// Before the projections.
    pub norm: Norm,
    /// E to E.
    pub query: Linear,
    /// E to E.
    pub key: Linear,
    /// E to E.
    pub value: Linear,
    /// E to E.
    pub output: Linear,
    #[module(skip)]
    heads: usize,
}

impl FeatureGroups {
    pub(crate) fn init(
        config: &FeatureGroupsConfig,
        width: usize,
        kernel: Kernel,
        initialiser: &mut Initialiser,
    ) -> Self {
        let embed = |size: &usize| {
            linear(initialiser.fan_in([*size, width], *size), Some(initialiser.fan_in([width], *size)))
        };
        Self {
            embeddings: config.sizes.iter().map(embed).collect(),
            identity: initialiser.small([config.sizes.len(), width]),
            norm: Norm::init(width, kernel, initialiser),
            query: linear(initialiser.small([width, width]), None),
            key: linear(initialiser.small([width, width]), None),
            value: linear(initialiser.small([width, width]), None),
            output: linear(initialiser.wang([width, width]), None),
            heads: config.heads,
        }
    }

    /// `x` `[batch, time, inputs]`, result `[batch, time, width]`.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "tensors are handles, passed by value as Burn does")]
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, time, _] = x.dims();
        let [groups, width] = self.identity.dims();
        let (device, number_type) = (x.device(), x.dtype());
        let mut start = 0;
        let mut embedded = Vec::with_capacity(groups);
        for embedding in &self.embeddings {
            let columns = embedding.weight.dims()[0];
            embedded.push(embedding.forward(x.clone().narrow(2, start, columns)));
            start += columns;
        }
        let rows = batch * time;
        let tokens: Tensor<4> = Tensor::stack(embedded, 2);
        let tokens = tokens.reshape([rows, groups, width]) + self.identity.val().unsqueeze_dim(0);
        let normed = self.norm.forward(tokens.clone());
        let dim = width / self.heads;
        let split = |tensor: Tensor<3>| tensor.reshape([rows, groups, self.heads, dim]).swap_dims(1, 2);
        let query = split(self.query.forward(normed.clone()));
        let key = split(self.key.forward(normed.clone()));
        let value = split(self.value.forward(normed));
        let scores = query.matmul(key.swap_dims(2, 3)) * (1.0 / (dim as f64).sqrt());
        let weights = activation::softmax(scores + others_only(groups, &device).cast(number_type), 3);
        let mixed = weights.matmul(value).swap_dims(1, 2).reshape([rows, groups, width]);
        let tokens = tokens + self.output.forward(mixed);
        tokens.mean_dim(1).reshape([batch, time, width])
    }
}

/// Hides every group from itself, `[1, 1, groups, groups]`.
fn others_only(groups: usize, device: &Device) -> Tensor<4> {
    let mask: Vec<f32> =
        (0..groups * groups).map(|index| if index / groups == index % groups { -1e9 } else { 0.0 }).collect();
    Tensor::<1>::from_floats(mask.as_slice(), device).reshape([1, 1, groups, groups])
}
