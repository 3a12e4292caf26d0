//! The mLSTM block.

use super::{Pass, linear, project};
use crate::config::XlstmConfig;
use crate::initialisation::Initialiser;
use crate::layer::MlstmLayer;
use crate::norm::Norm;
use crate::state::MlstmState;
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;

/// `y = x + down(layer(up(norm(x))))` (Beck et al. 2024, figure 10: pre up-projection).
#[derive(Module, Debug)]
pub struct MlstmBlock {
    /// Before everything.
    pub norm: Norm,
    /// E to 2 I, no bias.
    pub up: Linear,
    /// Convolution, cell, norm, skip and gate.
    pub layer: MlstmLayer,
    /// I to E, no bias.
    pub down: Linear,
}

impl MlstmBlock {
    pub(crate) fn init(config: &XlstmConfig, initialiser: &mut Initialiser) -> Self {
        let (width, inner) = (config.width, config.mlstm_width());
        Self {
            norm: Norm::init(width, config.kernel, initialiser),
            up: linear(initialiser.small([width, 2 * inner]), None),
            layer: MlstmLayer::init(config, initialiser),
            down: linear(initialiser.wang([inner, width]), None),
        }
    }

    /// `x` and the result `[batch, time, width]`.
    pub(crate) fn forward(
        &self,
        x: Tensor<3>,
        state: Option<MlstmState>,
        pass: &mut Pass<'_, '_>,
    ) -> (Tensor<3>, Option<MlstmState>) {
        let kernel = self.layer.kernel;
        let projected = project(&self.up, self.norm.forward(x.clone()), kernel);
        let (inner, state) = self.layer.forward(projected, state, pass.reset, pass.keep_state);
        // The fresh tensor first: it is added to in place.
        let added = project(&self.down, pass.wanted(inner), kernel);
        (pass.drop_output(added) + pass.wanted(x), state)
    }
}
