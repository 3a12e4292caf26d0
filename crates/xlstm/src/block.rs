//! Residual blocks: pre-norm, a layer, and a way back into the residual stream.

mod attention;
mod feature_groups;
mod feed_forward;
mod mlstm;
mod slstm;

pub use attention::SelfAttention;
pub use feature_groups::FeatureGroups;
pub use feed_forward::FeedForward;
pub use mlstm::MlstmBlock;
pub use slstm::SlstmBlock;

use crate::config::{DropoutConfig, Kernel};
use crate::dropout;
use crate::fused;
use crate::state::ResetMask;
use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::Tensor;
use rand::Rng;

/// What a pass through the stack needs besides the input.
pub(crate) struct Pass<'a, 'g> {
    pub reset: Option<&'a ResetMask>,
    pub generator: Option<&'g mut dyn Rng>,
    pub dropout: &'a DropoutConfig,
    pub keep_state: bool,
    /// Only the last step's output of this layer is wanted.
    pub last_only: bool,
}

impl Pass<'_, '_> {
    /// The last step, where only that is wanted.
    fn wanted(&self, x: Tensor<3>) -> Tensor<3> {
        let time = x.dims()[1];
        if self.last_only && time > 1 { x.narrow(1, time - 1, 1) } else { x }
    }

    /// Dropout of what a block adds to the residual stream.
    fn drop_output(&mut self, x: Tensor<3>) -> Tensor<3> {
        dropout::apply(x, self.dropout.output, self.generator.as_deref_mut())
    }
}

/// A linear layer over steps, with the product of the kernel in use.
pub(crate) fn project(layer: &Linear, x: Tensor<3>, kernel: Kernel) -> Tensor<3> {
    match kernel {
        Kernel::Fused => fused::linear(layer, x),
        Kernel::Reference => layer.forward(x),
    }
}

/// A linear layer of Burn from a weight `[inputs, outputs]`.
pub(crate) fn linear(weight: Param<Tensor<2>>, bias: Option<Param<Tensor<1>>>) -> Linear {
    Linear { weight, bias }
}
