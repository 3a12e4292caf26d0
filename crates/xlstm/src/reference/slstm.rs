//! The sLSTM cell and layer, step by step.

use super::{causal_convolution, group_norm, kept_at, leaving_window};
use crate::kernel::ForgetGate;
use crate::kernel::slstm::GATES;
use crate::layer::SlstmLayer;
use crate::state::{ResetMask, SlstmState};
use burn::tensor::{Tensor, activation};

/// y, c, n and m of the cell, each `[batch, heads, dim]`.
#[derive(Debug, Clone)]
pub struct SlstmCellState {
    /// y of the last step.
    pub output: Tensor<3>,
    /// c.
    pub cell: Tensor<3>,
    /// n; 0 where a unit is empty.
    pub normaliser: Tensor<3>,
    /// m.
    pub stabiliser: Tensor<3>,
}

/// Equations 8 to 18, one step after the other; gates in the order i, f, z, o.
///
/// # Shapes
/// `input` `[batch, time, 4, heads, dim]` pre-activations without the recurrent part, `recurrent`
/// `[4, heads, dim out, dim in]`, `bias` `[4, heads, dim]`, `mask` (factors of y before `recurrent`, variational
/// dropout) `[batch, heads, dim]`; result `[batch, time, heads, dim]`.
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "tensors are handles, passed by value as Burn does")]
pub fn slstm_cell(
    input: Tensor<5>,
    recurrent: Tensor<4>,
    bias: Tensor<3>,
    mask: Option<Tensor<3>>,
    gate: ForgetGate,
    state: SlstmCellState,
    reset: Option<&ResetMask>,
) -> (Tensor<4>, SlstmCellState) {
    let [batch, time, _, heads, dim] = input.dims();
    let (device, number_type) = (input.device(), input.dtype());
    let SlstmCellState { mut output, mut cell, mut normaliser, mut stabiliser } = state;
    // [1, 4, heads, in, out]: y enters as a row.
    let recurrent = recurrent.swap_dims(2, 3).unsqueeze_dim::<5>(0);
    let bias = bias.unsqueeze_dim::<4>(0);
    let mut outputs = Vec::with_capacity(time);
    for step in 0..time {
        if let Some(reset) = reset {
            let kept = kept_at(reset, step, number_type, &device).reshape([batch, 1, 1]);
            output = output * kept.clone();
            cell = cell * kept.clone();
            normaliser = normaliser * kept;
        }
        let fed = match &mask {
            Some(mask) => output.clone() * mask.clone(),
            None => output.clone(),
        };
        let through = fed.reshape([batch, 1, heads, 1, dim]).matmul(recurrent.clone());
        let pre = input.clone().narrow(1, step, 1).reshape([batch, GATES, heads, dim])
            + through.reshape([batch, GATES, heads, dim])
            + bias.clone();
        let part = |index: usize| pre.clone().narrow(1, index, 1).reshape([batch, heads, dim]);
        let i = part(0);
        let log_forget = match gate {
            ForgetGate::Sigmoid => activation::log_sigmoid(part(1)),
            ForgetGate::Exponential => part(1),
        };
        // An empty unit has no past, whatever its m.
        let empty = normaliser.clone().equal_elem(0.0);
        let entering = (log_forget + stabiliser).mask_fill(empty, f64::NEG_INFINITY);
        stabiliser = entering.clone().max_pair(i.clone());
        let input_gate = (i - stabiliser.clone()).exp();
        let forget_gate = (entering - stabiliser.clone()).exp();
        cell = forget_gate.clone() * cell + input_gate.clone() * part(2).tanh();
        normaliser = forget_gate * normaliser + input_gate;
        output = activation::sigmoid(part(3)) * cell.clone() / normaliser.clone();
        outputs.push(output.clone());
    }
    (Tensor::stack(outputs, 1), SlstmCellState { output, cell, normaliser, stabiliser })
}

/// Something that computes what [`slstm_cell`] does.
pub(crate) type SlstmCell = fn(
    Tensor<5>,
    Tensor<4>,
    Tensor<3>,
    Option<Tensor<3>>,
    ForgetGate,
    SlstmCellState,
    Option<&ResetMask>,
) -> (Tensor<4>, SlstmCellState);

/// Everything between the pre-norm and the residual of an sLSTM block; see [`SlstmLayer`].
///
/// # Shapes
/// `x` and the result `[batch, time, width]`, `mask` `[batch, width]`.
#[must_use]
pub fn slstm_layer(
    layer: &SlstmLayer,
    x: Tensor<3>,
    state: SlstmState,
    mask: Option<Tensor<2>>,
    reset: Option<&ResetMask>,
) -> (Tensor<3>, SlstmState) {
    slstm_layer_around(slstm_cell, layer, x, state, mask, reset)
}

/// As [`slstm_layer`], with another cell.
pub(crate) fn slstm_layer_around(
    cell_of: SlstmCell,
    layer: &SlstmLayer,
    x: Tensor<3>,
    state: SlstmState,
    mask: Option<Tensor<2>>,
    reset: Option<&ResetMask>,
) -> (Tensor<3>, SlstmState) {
    let [batch, time, width] = x.dims();
    let heads = layer.heads;
    let dim = width / heads;
    let activated = match (&layer.convolution_weight, &layer.convolution_bias) {
        (Some(weight), Some(bias)) => {
            causal_convolution(x.clone(), state.window.clone(), weight.val(), bias.val(), reset)
        }
        _ => x.clone(),
    };
    let by_head =
        |tensor: Tensor<3>| tensor.reshape([batch * time, heads, dim]).swap_dims(0, 1).unsqueeze_dim::<4>(0);
    // [1, heads, batch · time, in] times [2, heads, in, out]
    let weights = layer.gates.val().swap_dims(2, 3);
    let early = by_head(activated).matmul(weights.clone().narrow(0, 0, 2));
    let late = by_head(x.clone()).matmul(weights.narrow(0, 2, 2));
    let input =
        Tensor::cat(vec![early, late], 0).reshape([GATES, heads, batch, time, dim]).permute([2, 3, 0, 1, 4]);
    let cell = SlstmCellState {
        output: state.output,
        cell: state.cell,
        normaliser: state.normaliser,
        stabiliser: state.stabiliser,
    };
    let mask = mask.map(|mask| mask.reshape([batch, heads, dim]));
    let (hidden, cell) =
        cell_of(input, layer.recurrent.val(), layer.bias.val(), mask, layer.gate, cell, reset);
    let normed =
        group_norm(hidden.reshape([batch, time, width]), layer.norm.val(), heads, crate::layer::NORM_EPSILON);
    let left = SlstmState {
        window: leaving_window(x, state.window, reset).detach(),
        output: cell.output.detach(),
        cell: cell.cell.detach(),
        normaliser: cell.normaliser.detach(),
        stabiliser: cell.stabiliser.detach(),
    };
    (normed, left)
}
