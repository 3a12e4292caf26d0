//! Layer norm with a residual scale.

use crate::config::Kernel;
use crate::fused;
use crate::initialisation::Initialiser;
use crate::layer::NORM_EPSILON;
use crate::reference;
use burn::module::{Module, Param};
use burn::tensor::Tensor;

/// Layer norm without bias, its scale one more than the weight (Ba et al. 2016, arXiv 1607.06450), so that weight
/// decay pulls the scale to 1.
#[derive(Module, Debug)]
pub struct Norm {
    /// `[channels]`.
    pub weight: Param<Tensor<1>>,
    #[module(skip)]
    kernel: Kernel,
}

impl Norm {
    pub(crate) fn init(width: usize, kernel: Kernel, initialiser: &Initialiser) -> Self {
        Self { weight: initialiser.constant([width], 0.0), kernel }
    }

    /// Normalises every step.
    ///
    /// # Shapes
    /// `x` and the result `[batch, time, channels]`.
    #[must_use]
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        match self.kernel {
            Kernel::Fused => fused::layer_norm(x, self.weight.val(), NORM_EPSILON),
            Kernel::Reference => reference::group_norm(x, self.weight.val(), 1, NORM_EPSILON),
        }
    }
}
