//! The mLSTM cell and layer, step by step.

use super::{causal_convolution, group_norm, kept_at, leaving_window};
use crate::kernel::ForgetGate;
use crate::kernel::mlstm::EPSILON;
use crate::layer::MlstmLayer;
use crate::state::{MlstmState, ResetMask};
use burn::tensor::{Tensor, activation};

/// C, n and m of the cell, without the convolution's window.
#[derive(Debug, Clone)]
pub struct MlstmCellState {
    /// `[batch, heads, dim of keys, dim of values]`.
    pub memory: Tensor<4>,
    /// `[batch, heads, dim]`.
    pub normaliser: Tensor<3>,
    /// `[batch, heads]`.
    pub stabiliser: Tensor<2>,
}

/// The recurrent form (equations 19 to 27), one step after the other.
///
/// # Shapes
/// `query`, `key`, `value` and the result `[batch, heads, time, dim]`; the gates' pre-activations
/// `[batch, heads, time]`.
#[must_use]
#[expect(clippy::too_many_arguments, reason = "the inputs of the cell")]
#[expect(clippy::needless_pass_by_value, reason = "tensors are handles, passed by value as Burn does")]
pub fn mlstm_cell(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    input_gate: Tensor<3>,
    forget_gate: Tensor<3>,
    gate: ForgetGate,
    state: MlstmCellState,
    reset: Option<&ResetMask>,
) -> (Tensor<4>, MlstmCellState) {
    let [batch, heads, time, dim] = query.dims();
    let (device, number_type) = (query.device(), query.dtype());
    let key = key * (1.0 / (dim as f64).sqrt());
    let log_forget = match gate {
        ForgetGate::Sigmoid => activation::log_sigmoid(forget_gate),
        ForgetGate::Exponential => forget_gate,
    };
    let MlstmCellState { mut memory, mut normaliser, mut stabiliser } = state;
    let mut hidden = Vec::with_capacity(time);
    for step in 0..time {
        if let Some(reset) = reset {
            let kept = kept_at(reset, step, number_type, &device).reshape([batch, 1]);
            let empty = kept.clone().equal_elem(0.0).expand([batch, heads]);
            stabiliser = stabiliser.mask_fill(empty, f64::NEG_INFINITY);
            memory = memory * kept.clone().reshape([batch, 1, 1, 1]);
            normaliser = normaliser * kept.reshape([batch, 1, 1]);
        }
        let at = |tensor: &Tensor<4>| tensor.clone().narrow(2, step, 1);
        let gate_at = |tensor: &Tensor<3>| tensor.clone().narrow(2, step, 1).reshape([batch, heads]);
        let (i, f) = (gate_at(&input_gate), gate_at(&log_forget));
        let entering = f + stabiliser;
        stabiliser = entering.clone().max_pair(i.clone());
        let decay = (entering - stabiliser.clone()).exp();
        let gain = (i - stabiliser.clone()).exp();
        // One row vectors: k v^T is an outer product. The column comes by `reshape`, not by `swap_dims`: Burn 0.22.1
        // mixes up the elements where a GPU adds something swapped to a sum in one fused kernel (here: gradients).
        let (q, k, v) = (at(&query), at(&key), at(&value));
        let write = k * gain.reshape([batch, heads, 1, 1]);
        memory = memory * decay.clone().reshape([batch, heads, 1, 1])
            + write.clone().reshape([batch, heads, dim, 1]).matmul(v);
        normaliser = normaliser * decay.reshape([batch, heads, 1]) + write.reshape([batch, heads, dim]);
        let dot = q.clone().matmul(normaliser.clone().reshape([batch, heads, dim, 1]));
        let floor = stabiliser.clone().neg().exp().reshape([batch, heads, 1, 1]);
        let denominator = dot.abs().max_pair(floor) + EPSILON;
        hidden.push(q.matmul(memory.clone()) / denominator);
    }
    (Tensor::cat(hidden, 2), MlstmCellState { memory, normaliser, stabiliser })
}

/// Something that computes what [`mlstm_cell`] does.
pub(crate) type MlstmCell = fn(
    Tensor<4>,
    Tensor<4>,
    Tensor<4>,
    Tensor<3>,
    Tensor<3>,
    ForgetGate,
    MlstmCellState,
    Option<&ResetMask>,
) -> (Tensor<4>, MlstmCellState);

/// Everything between the up- and the down-projection of an mLSTM block; see [`MlstmLayer`].
///
/// # Shapes
/// `projected` `[batch, time, 2 · inner width]`, result `[batch, time, inner width]`.
#[must_use]
pub fn mlstm_layer(
    layer: &MlstmLayer,
    projected: Tensor<3>,
    state: MlstmState,
    reset: Option<&ResetMask>,
) -> (Tensor<3>, MlstmState) {
    mlstm_layer_around(mlstm_cell, layer, projected, state, reset)
}

/// As [`mlstm_layer`], with another cell.
pub(crate) fn mlstm_layer_around(
    cell_of: MlstmCell,
    layer: &MlstmLayer,
    projected: Tensor<3>,
    state: MlstmState,
    reset: Option<&ResetMask>,
) -> (Tensor<3>, MlstmState) {
    let [batch, time, double] = projected.dims();
    let (inner, heads) = (double / 2, layer.heads);
    let dim = inner / heads;
    let input = projected.clone().narrow(2, 0, inner);
    let output_gate = projected.narrow(2, inner, inner);
    let activated = causal_convolution(
        input.clone(),
        state.window.clone(),
        layer.convolution_weight.val(),
        layer.convolution_bias.val(),
        reset,
    );
    let query = block_diagonal(activated.clone(), layer.query.val());
    let key = block_diagonal(activated.clone(), layer.key.val());
    let value = block_diagonal(input.clone(), layer.value.val());
    let all = Tensor::cat(vec![query.clone(), key.clone(), value.clone()], 2);
    let gate = |weight: Tensor<2>, bias: Tensor<1>| {
        let gate = all.clone().matmul(weight.swap_dims(0, 1).unsqueeze_dim(0)) + bias.reshape([1, 1, heads]);
        let gate = gate.swap_dims(1, 2);
        match layer.soft_cap {
            Some(cap) => (gate / cap).tanh() * cap,
            None => gate,
        }
    };
    let input_gate = gate(layer.input_gate.val(), layer.input_gate_bias.val());
    let forget_gate = gate(layer.forget_gate.val(), layer.forget_gate_bias.val());
    let split = |tensor: Tensor<3>| tensor.reshape([batch, time, heads, dim]).swap_dims(1, 2);
    let number_type = state.memory.dtype();
    let normaliser_type = state.normaliser.dtype();
    let cell = MlstmCellState {
        memory: state.memory,
        normaliser: state.normaliser.cast(number_type),
        stabiliser: state.stabiliser,
    };
    let (hidden, cell) =
        cell_of(split(query), split(key), split(value), input_gate, forget_gate, layer.gate, cell, reset);
    let hidden = hidden.swap_dims(1, 2).reshape([batch, time, inner]);
    let normed = group_norm(hidden, layer.norm.val(), heads, crate::layer::NORM_EPSILON);
    let skipped = normed + activated * layer.skip.val().reshape([1, 1, inner]);
    let left = MlstmState {
        window: leaving_window(input, state.window, reset).detach(),
        memory: cell.memory.detach(),
        normaliser: cell.normaliser.detach().cast(normaliser_type),
        stabiliser: cell.stabiliser.detach(),
    };
    (skipped * activation::silu(output_gate), left)
}

/// Each block of S channels times its own S x S matrix.
///
/// # Shapes
/// `x` `[batch, time, channels]`, `weight` `[channels / S, S (out), S (in)]`.
fn block_diagonal(x: Tensor<3>, weight: Tensor<3>) -> Tensor<3> {
    let [batch, time, channels] = x.dims();
    let [blocks, size, _] = weight.dims();
    let rows = x.reshape([batch * time, blocks, size]).swap_dims(0, 1);
    rows.matmul(weight.swap_dims(1, 2)).swap_dims(0, 1).reshape([batch, time, channels])
}
