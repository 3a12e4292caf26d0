//! The sLSTM layer.

use crate::config::{Kernel, XlstmConfig};
use crate::fused;
use crate::initialisation::{Initialiser, power_law_biases};
use crate::kernel::ForgetGate;
use crate::kernel::slstm::GATES;
use crate::reference;
use crate::state::{ResetMask, SlstmState};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

/// Everything between the pre-norm and the residual of an sLSTM block (Beck et al. 2024, figure 9):
///
/// ```text
/// a = silu(causal convolution(x))      (a = x without a convolution)
/// i, f from a;  z, o from x            head-wise matrices without bias
/// out = headnorm(slstm(i, f, z, o))    with recurrent matrices per gate and head
/// ```
///
/// E: width, NH: heads, D = E / NH, K: steps of the convolution. Gates in the order i, f, z, o.
#[derive(Module, Debug)]
pub struct SlstmLayer {
    /// `[E, K]`; the last tap is the present step.
    pub convolution_weight: Option<Param<Tensor<2>>>,
    /// `[E]`.
    pub convolution_bias: Option<Param<Tensor<1>>>,
    /// `[4, NH, D (out), D (in)]`.
    pub gates: Param<Tensor<4>>,
    /// R, `[4, NH, D (out), D (in)]`.
    pub recurrent: Param<Tensor<4>>,
    /// `[4, NH, D]`.
    pub bias: Param<Tensor<3>>,
    /// `[E]`: the scale of the head norm is one more than this.
    pub norm: Param<Tensor<1>>,
    /// NH.
    #[module(skip)]
    pub heads: usize,
    /// Sigmoid or exponential forget gate.
    #[module(skip)]
    pub gate: ForgetGate,
    /// What computes it.
    #[module(skip)]
    pub kernel: Kernel,
}

impl SlstmLayer {
    pub(crate) fn init(config: &XlstmConfig, block: usize, initialiser: &mut Initialiser) -> Self {
        let (width, heads, taps) = (config.width, config.heads, config.slstm.convolution);
        let dim = width / heads;
        let mut bias = vec![0.0; GATES * width];
        for head in 0..heads {
            // Gate 1 is the forget gate.
            let start = width + head * dim;
            bias[start..start + dim].copy_from_slice(&power_law_biases(dim, block, config.blocks));
        }
        Self {
            convolution_weight: (taps > 0).then(|| initialiser.fan_in([width, taps], taps)),
            convolution_bias: (taps > 0).then(|| initialiser.fan_in([width], taps)),
            gates: initialiser.small([GATES, heads, dim, dim]),
            recurrent: initialiser.constant([GATES, heads, dim, dim], 0.0),
            bias: initialiser.values([GATES, heads, dim], bias),
            norm: initialiser.constant([width], 0.0),
            heads,
            gate: config.slstm.forget_gate,
            kernel: config.kernel,
        }
    }

    /// The state before the first step.
    #[must_use]
    pub fn empty_state(&self, batch: usize, device: &Device) -> SlstmState {
        let [_, heads, dim] = self.bias.dims();
        let taps = self.convolution_weight.as_ref().map_or(1, |weight| weight.dims()[1]);
        let options = (device, self.norm.val().dtype());
        let zeros = || Tensor::zeros([batch, heads, dim], options);
        SlstmState {
            window: Tensor::zeros([batch, taps - 1, heads * dim], options),
            output: zeros(),
            cell: zeros(),
            normaliser: zeros(),
            stabiliser: zeros(),
        }
    }

    /// Runs the layer over whole sequences.
    ///
    /// # Shapes
    /// `x` and the result `[batch, time, E]`; `mask`: factors of the recurrent input, `[batch, E]`.
    pub(crate) fn forward(
        &self,
        x: Tensor<3>,
        state: Option<SlstmState>,
        mask: Option<Tensor<2>>,
        reset: Option<&ResetMask>,
        keep_state: bool,
    ) -> (Tensor<3>, Option<SlstmState>) {
        match self.kernel {
            Kernel::Fused => fused::slstm_layer(self, x, state, mask, reset, keep_state),
            Kernel::Reference => {
                let batch = x.dims()[0];
                let state = state.unwrap_or_else(|| self.empty_state(batch, &x.device()));
                let (output, state) = reference::slstm_layer(self, x, state, mask, reset);
                (output, keep_state.then_some(state))
            }
        }
    }
}
