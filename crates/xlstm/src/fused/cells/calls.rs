//! The cells on tensors: which kernel takes a call, and the way there.

use super::{CellOps, MlstmCellInputs, MlstmCellOutputs, SlstmCellInputs, SlstmCellOutputs};
use crate::fused::{is_cube, is_host};
use crate::kernel::ForgetGate;
use crate::reference::{self, MlstmCellState, SlstmCellState};
use crate::state::ResetMask;
use burn::backend::Dispatch;
use burn::tensor::{DType, Device, Tensor};

/// Elements of a head that the GPU kernels take at most. Wider heads run as the plain reference.
pub const GPU_DIM_LIMIT: usize = 128;

/// Whether a kernel takes this call.
fn has_kernel(device: &Device, number_type: DType, dim: usize) -> bool {
    if is_host(device) {
        return matches!(number_type, DType::F32 | DType::F64);
    }
    is_cube(device) && number_type == DType::F32 && dim <= GPU_DIM_LIMIT
}

/// A mask as the kernels take it; without one, nothing is emptied.
fn marks(
    reset: Option<&ResetMask>,
    batch: usize,
    time: usize,
    number_type: DType,
    device: &Device,
) -> Tensor<2> {
    match reset {
        Some(reset) => reset.tensor(device).cast(number_type),
        None => Tensor::zeros([batch, time], (device, number_type)),
    }
}

/// The mLSTM cell over whole sequences: [`reference::mlstm_cell`] by the kernel of the tensors' device, or by the
/// reference itself where the device has none for this call (see [`CellOps`]). No gradient passes through a state.
///
/// # Shapes
/// `query`, `key`, `value` and the result `[batch, heads, time, dim]`; the gates' pre-activations
/// `[batch, heads, time]`; `reset` `[batch, time]`.
#[must_use]
#[expect(clippy::too_many_arguments, reason = "the arguments of the reference")]
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
    let [batch, _, time, dim] = query.dims();
    let (device, number_type) = (query.device(), query.dtype());
    if !has_kernel(&device, number_type, dim) {
        let (hidden, state) = reference::mlstm_cell(
            query,
            key,
            value,
            input_gate,
            forget_gate,
            gate,
            detached_mlstm(state),
            reset,
        );
        return (hidden, detached_mlstm(state));
    }
    let inputs = MlstmCellInputs {
        query: query.into_dispatch(),
        key: key.into_dispatch(),
        value: value.into_dispatch(),
        input_gate: input_gate.into_dispatch(),
        forget_gate: forget_gate.into_dispatch(),
        reset: marks(reset, batch, time, number_type, &device).into_dispatch(),
        memory: state.memory.into_dispatch(),
        normaliser: state.normaliser.cast(number_type).into_dispatch(),
        stabiliser: state.stabiliser.into_dispatch(),
    };
    let MlstmCellOutputs { hidden, memory, normaliser, stabiliser } =
        Dispatch::mlstm_cell(inputs, gate == ForgetGate::Exponential);
    let state = MlstmCellState {
        memory: Tensor::from_dispatch(memory),
        normaliser: Tensor::from_dispatch(normaliser),
        stabiliser: Tensor::from_dispatch(stabiliser),
    };
    (Tensor::from_dispatch(hidden), state)
}

/// The sLSTM cell over whole sequences: [`reference::slstm_cell`] by the kernel of the tensors' device, or by the
/// reference itself where the device has none for this call (see [`CellOps`]). No gradient passes through a state
/// or through `mask`.
///
/// # Shapes
/// `input` `[batch, time, 4, heads, dim]`, `recurrent` `[4, heads, dim out, dim in]`, `bias` `[4, heads, dim]`,
/// `mask` `[batch, heads, dim]`, `reset` `[batch, time]`; result `[batch, time, heads, dim]`.
#[must_use]
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
    if !has_kernel(&device, number_type, dim) {
        let (state, mask) = (detached_slstm(state), mask.map(Tensor::detach));
        let (hidden, state) = reference::slstm_cell(input, recurrent, bias, mask, gate, state, reset);
        return (hidden, detached_slstm(state));
    }
    let mask = mask.unwrap_or_else(|| Tensor::ones([batch, heads, dim], (&device, number_type)));
    let inputs = SlstmCellInputs {
        input: input.into_dispatch(),
        recurrent: recurrent.into_dispatch(),
        bias: bias.into_dispatch(),
        recurrent_mask: mask.into_dispatch(),
        reset: marks(reset, batch, time, number_type, &device).into_dispatch(),
        output: state.output.into_dispatch(),
        cell: state.cell.into_dispatch(),
        normaliser: state.normaliser.into_dispatch(),
        stabiliser: state.stabiliser.into_dispatch(),
    };
    let SlstmCellOutputs { hidden, output, cell, normaliser, stabiliser } =
        Dispatch::slstm_cell(inputs, gate == ForgetGate::Exponential);
    let state = SlstmCellState {
        output: Tensor::from_dispatch(output),
        cell: Tensor::from_dispatch(cell),
        normaliser: Tensor::from_dispatch(normaliser),
        stabiliser: Tensor::from_dispatch(stabiliser),
    };
    (Tensor::from_dispatch(hidden), state)
}

fn detached_mlstm(state: MlstmCellState) -> MlstmCellState {
    MlstmCellState {
        memory: state.memory.detach(),
        normaliser: state.normaliser.detach(),
        stabiliser: state.stabiliser.detach(),
    }
}

fn detached_slstm(state: SlstmCellState) -> SlstmCellState {
    SlstmCellState {
        output: state.output.detach(),
        cell: state.cell.detach(),
        normaliser: state.normaliser.detach(),
        stabiliser: state.stabiliser.detach(),
    }
}
