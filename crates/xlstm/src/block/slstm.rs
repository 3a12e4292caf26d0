//! The sLSTM block.

use super::{FeedForward, Pass};
use crate::config::XlstmConfig;
use crate::dropout;
use crate::initialisation::Initialiser;
use crate::layer::SlstmLayer;
use crate::norm::Norm;
use crate::state::SlstmState;
use burn::module::Module;
use burn::tensor::Tensor;

/// `r = x + layer(norm(x))`, `y = r + feed_forward(r)` (Beck et al. 2024, figure 9: post up-projection).
#[derive(Module, Debug)]
pub struct SlstmBlock {
    /// Before the layer.
    pub norm: Norm,
    /// Convolution, gates, cell and head norm.
    pub layer: SlstmLayer,
    /// The second residual part.
    pub feed_forward: FeedForward,
}

impl SlstmBlock {
    pub(crate) fn init(config: &XlstmConfig, block: usize, initialiser: &mut Initialiser) -> Self {
        Self {
            norm: Norm::init(config.width, config.kernel, initialiser),
            layer: SlstmLayer::init(config, block, initialiser),
            feed_forward: FeedForward::init(config, initialiser),
        }
    }

    /// `x` and the result `[batch, time, width]`.
    pub(crate) fn forward(
        &self,
        x: Tensor<3>,
        state: Option<SlstmState>,
        pass: &mut Pass<'_, '_>,
    ) -> (Tensor<3>, Option<SlstmState>) {
        let [batch, _, width] = x.dims();
        let share = pass.dropout.recurrent;
        let mask = match pass.generator.as_deref_mut() {
            Some(generator) if share > 0.0 => {
                Some(dropout::mask([batch, width], share, generator, &x.device()).cast(x.dtype()))
            }
            _ => None,
        };
        let normed = self.norm.forward(x.clone());
        let (added, state) = self.layer.forward(normed, state, mask, pass.reset, pass.keep_state);
        // The fresh tensors first: they are added to in place.
        let residual = pass.drop_output(pass.wanted(added)) + pass.wanted(x);
        let added = self.feed_forward.forward(residual.clone());
        (pass.drop_output(added) + residual, state)
    }
}
