//! The gated feed-forward part.

use super::{linear, project};
use crate::config::{Kernel, XlstmConfig};
use crate::fused;
use crate::initialisation::Initialiser;
use crate::norm::Norm;
use crate::reference;
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;

/// `down(gelu(g) * u)` with `[g, u] = up(norm(x))` (Shazeer 2020, arXiv 2002.05202: GEGLU).
#[derive(Module, Debug)]
pub struct FeedForward {
    /// Before the projection.
    pub norm: Norm,
    /// E to 2 FF, no bias.
    pub up: Linear,
    /// FF to E, no bias.
    pub down: Linear,
    #[module(skip)]
    kernel: Kernel,
}

impl FeedForward {
    pub(crate) fn init(config: &XlstmConfig, initialiser: &mut Initialiser) -> Self {
        let (width, inner) = (config.width, config.feed_forward_width());
        Self {
            norm: Norm::init(width, config.kernel, initialiser),
            up: linear(initialiser.small([width, 2 * inner]), None),
            down: linear(initialiser.wang([inner, width]), None),
            kernel: config.kernel,
        }
    }

    /// `x` and the result `[batch, time, width]`; without the residual.
    #[must_use]
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let up = project(&self.up, self.norm.forward(x), self.kernel);
        let gated = match self.kernel {
            Kernel::Fused => fused::gated_gelu(up),
            Kernel::Reference => reference::gated_gelu(up),
        };
        project(&self.down, gated, self.kernel)
    }
}
