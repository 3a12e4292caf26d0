//! The mLSTM layer.

use crate::config::{Kernel, XlstmConfig};
use crate::fused;
use crate::initialisation::{Initialiser, evenly_spaced};
use crate::kernel::ForgetGate;
use crate::reference;
use crate::state::{MlstmState, ResetMask};
use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Tensor};

/// Everything between the up- and the down-projection of an mLSTM block (Beck et al. 2024, figure 10):
///
/// ```text
/// (u, z) = halves of the projected input           a = silu(causal convolution(u))
/// q = Wq a    k = Wk a    v = Wv u                 block-diagonal
/// i = Wi [q; k; v] + bi   f = Wf [q; k; v] + bf    one number per head, optionally capped
/// out = (headnorm(mlstm(q, k, v, i, f)) + skip * a) * silu(z)
/// ```
///
/// I: inner width, NH: heads, K: steps of the convolution, S: side of a projection block.
#[derive(Module, Debug)]
pub struct MlstmLayer {
    /// `[I, K]`; the last tap is the present step.
    pub convolution_weight: Param<Tensor<2>>,
    /// `[I]`.
    pub convolution_bias: Param<Tensor<1>>,
    /// `[I / S, S (out), S (in)]`.
    pub query: Param<Tensor<3>>,
    /// `[I / S, S (out), S (in)]`.
    pub key: Param<Tensor<3>>,
    /// `[I / S, S (out), S (in)]`.
    pub value: Param<Tensor<3>>,
    /// `[NH, 3 I]`: of queries, keys and values.
    pub input_gate: Param<Tensor<2>>,
    /// `[NH]`.
    pub input_gate_bias: Param<Tensor<1>>,
    /// `[NH, 3 I]`.
    pub forget_gate: Param<Tensor<2>>,
    /// `[NH]`.
    pub forget_gate_bias: Param<Tensor<1>>,
    /// `[I]`: the scale of the head norm is one more than this.
    pub norm: Param<Tensor<1>>,
    /// `[I]`.
    pub skip: Param<Tensor<1>>,
    /// NH.
    #[module(skip)]
    pub heads: usize,
    /// Sigmoid or exponential forget gate.
    #[module(skip)]
    pub gate: ForgetGate,
    /// Cap of the gates' pre-activations.
    #[module(skip)]
    pub soft_cap: Option<f64>,
    /// What computes it.
    #[module(skip)]
    pub kernel: Kernel,
}

impl MlstmLayer {
    pub(crate) fn init(config: &XlstmConfig, initialiser: &mut Initialiser) -> Self {
        let mlstm = &config.mlstm;
        let (inner, heads) = (config.mlstm_width(), config.heads);
        let side = mlstm.projection_block;
        let block_diagonal = [inner / side, side, side];
        Self {
            convolution_weight: initialiser.fan_in([inner, mlstm.convolution], mlstm.convolution),
            convolution_bias: initialiser.fan_in([inner], mlstm.convolution),
            query: initialiser.small(block_diagonal),
            key: initialiser.small(block_diagonal),
            value: initialiser.small(block_diagonal),
            input_gate: initialiser.constant([heads, 3 * inner], 0.0),
            input_gate_bias: initialiser.normal([heads], mlstm.input_bias, mlstm.input_bias_deviation),
            forget_gate: initialiser.constant([heads, 3 * inner], 0.0),
            forget_gate_bias: initialiser.values([heads], evenly_spaced(mlstm.forget_bias, heads)),
            norm: initialiser.constant([inner], 0.0),
            skip: initialiser.constant([inner], 1.0),
            heads,
            gate: mlstm.forget_gate,
            soft_cap: mlstm.soft_cap,
            kernel: config.kernel,
        }
    }

    /// The state before the first step.
    #[must_use]
    pub fn empty_state(&self, batch: usize, device: &Device) -> MlstmState {
        let [inner, taps] = self.convolution_weight.dims();
        let dim = inner / self.heads;
        let heads = self.heads;
        let options = (device, self.norm.val().dtype());
        // The GPU kernels keep n in the network's number type; not every GPU has f64.
        let wide = if fused::is_host(device) { DType::F64 } else { options.1 };
        MlstmState {
            window: Tensor::zeros([batch, taps - 1, inner], options),
            memory: Tensor::zeros([batch, heads, dim, dim], options),
            normaliser: Tensor::zeros([batch, heads, dim], (device, wide)),
            stabiliser: Tensor::full([batch, heads], f64::NEG_INFINITY, options),
        }
    }

    /// Runs the layer over whole sequences.
    ///
    /// # Shapes
    /// `projected` `[batch, time, 2 I]`, result `[batch, time, I]`. The state afterwards comes where `keep_state`
    /// asks for it.
    pub(crate) fn forward(
        &self,
        projected: Tensor<3>,
        state: Option<MlstmState>,
        reset: Option<&ResetMask>,
        keep_state: bool,
    ) -> (Tensor<3>, Option<MlstmState>) {
        match self.kernel {
            Kernel::Fused => fused::mlstm_layer(self, projected, state, reset, keep_state),
            Kernel::Reference => {
                let batch = projected.dims()[0];
                let state = state.unwrap_or_else(|| self.empty_state(batch, &projected.device()));
                let (output, state) = reference::mlstm_layer(self, projected, state, reset);
                (output, keep_state.then_some(state))
            }
        }
    }
}
