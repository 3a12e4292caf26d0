//! The cells on CPU backends: the kernels over slices.
//!
//! A network on a CPU runs the fused layers instead. These are here so that the same operation runs everywhere and
//! can be compared; they compute the forward pass a second time in the backward pass.
#![cfg_attr(
    feature = "ndarray",
    expect(deprecated, reason = "Burn deprecates this backend in favour of flex; it stays selectable")
)]

use super::{
    CellOps, MlstmCellGradients, MlstmCellInputs, MlstmCellOutputs, SlstmCellGradients, SlstmCellInputs,
    SlstmCellOutputs,
};
use crate::fused::host::{HostBackend, Number, as_type, checked, typed};
use crate::kernel::mlstm::{self, MlstmOptions, MlstmShape, MlstmState, Purpose, choose_form};
use crate::kernel::slstm::{self, SlstmRecurrence, SlstmShape, SlstmState};
use crate::kernel::{ForgetGate, Level};
use burn::backend::TensorMetadata;
use burn::backend::tensor::FloatTensor;
use burn::tensor::Shape;
use burn_flex::Flex;
#[cfg(feature = "ndarray")]
use burn_ndarray::NdArray;

const fn forget_gate(exponential: bool) -> ForgetGate {
    if exponential { ForgetGate::Exponential } else { ForgetGate::Sigmoid }
}

fn to_vec<B: HostBackend, T: Number>(tensor: FloatTensor<B>) -> Vec<T> {
    B::into_vec(as_type::<B, T>(tensor))
}

fn to_marks<B: HostBackend, T: Number>(reset: FloatTensor<B>) -> Vec<bool> {
    B::slice::<T>(&as_type::<B, T>(reset)).iter().map(|mark| *mark != T::ZERO).collect()
}

/// The inputs of an mLSTM cell in memory of their own.
struct Mlstm<T> {
    shape: MlstmShape,
    query: Vec<T>,
    key: Vec<T>,
    value: Vec<T>,
    input_gate: Vec<T>,
    forget_gate: Vec<T>,
    reset: Vec<bool>,
    initial: MlstmState<T>,
    forget: ForgetGate,
}

impl<T: Number> Mlstm<T> {
    fn new<B: HostBackend>(inputs: MlstmCellInputs<B>, exponential_forget: bool) -> Self {
        let [batch, heads, time, dim] = inputs.query.shape().dims();
        Self {
            shape: MlstmShape { batch, heads, time, dim },
            query: to_vec::<B, T>(inputs.query),
            key: to_vec::<B, T>(inputs.key),
            value: to_vec::<B, T>(inputs.value),
            input_gate: to_vec::<B, T>(inputs.input_gate),
            forget_gate: to_vec::<B, T>(inputs.forget_gate),
            reset: to_marks::<B, T>(inputs.reset),
            initial: MlstmState {
                memory: to_vec::<B, T>(inputs.memory),
                normaliser: to_vec::<B, f64>(inputs.normaliser),
                stabiliser: to_vec::<B, T>(inputs.stabiliser),
            },
            forget: forget_gate(exponential_forget),
        }
    }

    fn inputs(&self) -> mlstm::MlstmInputs<'_, T> {
        mlstm::MlstmInputs {
            query: &self.query,
            key: &self.key,
            value: &self.value,
            input_gate: &self.input_gate,
            forget_gate: &self.forget_gate,
            reset: Some(&self.reset),
            initial: Some(&self.initial),
        }
    }

    fn forward(&self) -> mlstm::MlstmForward<T> {
        let MlstmShape { time, dim, .. } = self.shape;
        let options = MlstmOptions {
            form: choose_form(time, dim, Purpose::Training),
            forget: self.forget,
            final_state: true,
            level: Level::detect(),
        };
        checked(mlstm::forward(self.shape, &self.inputs(), options))
    }
}

fn mlstm_forward<B: HostBackend, T: Number>(
    inputs: MlstmCellInputs<B>,
    exponential_forget: bool,
) -> MlstmCellOutputs<B> {
    let own = Mlstm::<T>::new(inputs, exponential_forget);
    let MlstmShape { batch, heads, time, dim } = own.shape;
    let found = own.forward();
    let state = found.state.unwrap_or_else(|| MlstmState::empty(batch, heads, dim));
    let normaliser = state.normaliser.into_iter().map(T::from_f64).collect();
    MlstmCellOutputs {
        hidden: B::tensor(found.hidden, Shape::new([batch, heads, time, dim])),
        memory: B::tensor(state.memory, Shape::new([batch, heads, dim, dim])),
        normaliser: B::tensor::<T>(normaliser, Shape::new([batch, heads, dim])),
        stabiliser: B::tensor(state.stabiliser, Shape::new([batch, heads])),
    }
}

fn mlstm_backward<B: HostBackend, T: Number>(
    inputs: MlstmCellInputs<B>,
    hidden: FloatTensor<B>,
    gradient: FloatTensor<B>,
    exponential_forget: bool,
) -> MlstmCellGradients<B> {
    let own = Mlstm::<T>::new(inputs, exponential_forget);
    let MlstmShape { batch, heads, time, dim } = own.shape;
    let (hidden, gradient) = (to_vec::<B, T>(hidden), to_vec::<B, T>(gradient));
    let saved = own.forward().saved;
    let found = checked(mlstm::backward(&own.inputs(), &hidden, &saved, &gradient, None));
    let sequence = |values| B::tensor::<T>(values, Shape::new([batch, heads, time, dim]));
    let steps = |values| B::tensor::<T>(values, Shape::new([batch, heads, time]));
    MlstmCellGradients {
        query: sequence(found.query),
        key: sequence(found.key),
        value: sequence(found.value),
        input_gate: steps(found.input_gate),
        forget_gate: steps(found.forget_gate),
    }
}

/// The inputs of an sLSTM cell in memory of their own.
struct Slstm<T> {
    shape: SlstmShape,
    input: Vec<T>,
    recurrence: SlstmRecurrence<T>,
    mask: Vec<T>,
    reset: Vec<bool>,
    initial: SlstmState<T>,
    forget: ForgetGate,
}

impl<T: Number> Slstm<T> {
    fn new<B: HostBackend>(inputs: SlstmCellInputs<B>, exponential_forget: bool) -> Self {
        let [batch, time, _, heads, dim] = inputs.input.shape().dims();
        let (recurrent, bias) = (to_vec::<B, T>(inputs.recurrent), to_vec::<B, T>(inputs.bias));
        Self {
            shape: SlstmShape { batch, time, heads, dim },
            input: to_vec::<B, T>(inputs.input),
            recurrence: checked(SlstmRecurrence::pack(heads, dim, &recurrent, &bias)),
            mask: to_vec::<B, T>(inputs.recurrent_mask),
            reset: to_marks::<B, T>(inputs.reset),
            initial: SlstmState {
                output: to_vec::<B, T>(inputs.output),
                cell: to_vec::<B, T>(inputs.cell),
                normaliser: to_vec::<B, T>(inputs.normaliser),
                stabiliser: to_vec::<B, T>(inputs.stabiliser),
            },
            forget: forget_gate(exponential_forget),
        }
    }

    fn inputs(&self) -> slstm::SlstmInputs<'_, T> {
        slstm::SlstmInputs {
            input: &self.input,
            recurrence: &self.recurrence,
            reset: Some(&self.reset),
            initial: Some(&self.initial),
            forget_gate: self.forget,
            recurrent_mask: Some(&self.mask),
        }
    }

    fn forward(&self) -> slstm::SlstmForward<T> {
        checked(slstm::forward(Level::detect(), self.shape, &self.inputs()))
    }
}

fn slstm_forward<B: HostBackend, T: Number>(
    inputs: SlstmCellInputs<B>,
    exponential_forget: bool,
) -> SlstmCellOutputs<B> {
    let own = Slstm::<T>::new(inputs, exponential_forget);
    let SlstmShape { batch, time, heads, dim } = own.shape;
    let found = own.forward();
    let unit = |values| B::tensor::<T>(values, Shape::new([batch, heads, dim]));
    SlstmCellOutputs {
        hidden: B::tensor(found.output, Shape::new([batch, time, heads, dim])),
        output: unit(found.state.output),
        cell: unit(found.state.cell),
        normaliser: unit(found.state.normaliser),
        stabiliser: unit(found.state.stabiliser),
    }
}

fn slstm_backward<B: HostBackend, T: Number>(
    inputs: SlstmCellInputs<B>,
    gradient: FloatTensor<B>,
    exponential_forget: bool,
) -> SlstmCellGradients<B> {
    let own = Slstm::<T>::new(inputs, exponential_forget);
    let SlstmShape { batch, time, heads, dim } = own.shape;
    let saved = own.forward().saved;
    let found = checked(slstm::backward(&own.inputs(), &saved, &to_vec::<B, T>(gradient), None));
    SlstmCellGradients {
        input: B::tensor(found.input, Shape::new([batch, time, slstm::GATES, heads, dim])),
        recurrent: B::tensor(found.recurrent_weights, Shape::new([slstm::GATES, heads, dim, dim])),
        bias: B::tensor(found.bias, Shape::new([slstm::GATES, heads, dim])),
    }
}

macro_rules! host_operations {
    ($backend:ty) => {
        impl CellOps for $backend {
            fn mlstm_cell(inputs: MlstmCellInputs<Self>, exponential_forget: bool) -> MlstmCellOutputs<Self> {
                typed!(inputs.query, mlstm_forward::<Self>(inputs, exponential_forget))
            }
            fn mlstm_cell_backward(
                inputs: MlstmCellInputs<Self>,
                hidden: FloatTensor<Self>,
                gradient: FloatTensor<Self>,
                exponential_forget: bool,
            ) -> MlstmCellGradients<Self> {
                typed!(inputs.query, mlstm_backward::<Self>(inputs, hidden, gradient, exponential_forget))
            }
            fn slstm_cell(inputs: SlstmCellInputs<Self>, exponential_forget: bool) -> SlstmCellOutputs<Self> {
                typed!(inputs.input, slstm_forward::<Self>(inputs, exponential_forget))
            }
            fn slstm_cell_backward(
                inputs: SlstmCellInputs<Self>,
                _hidden: FloatTensor<Self>,
                gradient: FloatTensor<Self>,
                exponential_forget: bool,
            ) -> SlstmCellGradients<Self> {
                typed!(inputs.input, slstm_backward::<Self>(inputs, gradient, exponential_forget))
            }
        }
    };
}
host_operations!(Flex);
#[cfg(feature = "ndarray")]
host_operations!(NdArray);
