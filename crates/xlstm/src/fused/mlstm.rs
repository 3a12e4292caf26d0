//! The mLSTM layer as one operation of Burn.
#![cfg_attr(
    feature = "ndarray",
    expect(deprecated, reason = "Burn deprecates this backend in favour of flex; it stays selectable")
)]

use super::host::{HostBackend, Number, as_type, checked, typed};
use super::{Saved, is_host, mlstm_cell};
use crate::kernel::mlstm::{MlstmState as CellState, Purpose, choose_form};
use crate::kernel::mlstm_layer::{
    MlstmLayerForward, MlstmLayerGradients, MlstmLayerInputs, MlstmLayerOptions, MlstmLayerSaved,
    MlstmLayerShape, MlstmLayerState, MlstmLayerStepInputs, MlstmLayerWeights, backward_into, forward_into,
    step,
};
use crate::kernel::{ForgetGate, Level};
use crate::layer::MlstmLayer;
use crate::reference;
use crate::state::{MlstmState, ResetMask};
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, AutodiffBackend, Backend, Dispatch, ExtensionType, TensorMetadata, backend_extension,
};
use burn::tensor::{Shape, Tensor};
use burn_flex::Flex;
#[cfg(feature = "ndarray")]
use burn_ndarray::NdArray;

/// The input and the weights; or their gradients.
#[derive(ExtensionType, Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of `MlstmLayer`")]
pub struct MlstmTensors<B: Backend> {
    pub projected: FloatTensor<B>,
    pub convolution_weight: FloatTensor<B>,
    pub convolution_bias: FloatTensor<B>,
    pub query: FloatTensor<B>,
    pub key: FloatTensor<B>,
    pub value: FloatTensor<B>,
    pub input_gate: FloatTensor<B>,
    pub input_gate_bias: FloatTensor<B>,
    pub forget_gate: FloatTensor<B>,
    pub forget_gate_bias: FloatTensor<B>,
    pub norm: FloatTensor<B>,
    pub skip: FloatTensor<B>,
}

/// A state, or none.
#[derive(ExtensionType, Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of `MlstmState`")]
pub enum MlstmCarried<B: Backend> {
    /// Nothing was carried, or nothing is wanted.
    Empty,
    /// What [`MlstmState`] holds.
    State {
        window: FloatTensor<B>,
        memory: FloatTensor<B>,
        normaliser: FloatTensor<B>,
        stabiliser: FloatTensor<B>,
    },
}

/// What a call computes.
#[derive(ExtensionType)]
pub struct MlstmResult<B: Backend> {
    /// `[batch, time, inner]`.
    pub output: FloatTensor<B>,
    /// After the last step.
    #[extension_type]
    pub state: MlstmCarried<B>,
    /// For the backward pass.
    pub saved: Saved,
}

/// Choices of a call.
#[derive(Debug, Clone)]
pub struct MlstmCall {
    heads: usize,
    gate: ForgetGate,
    soft_cap: Option<f64>,
    reset: Option<ResetMask>,
    keep_state: bool,
    save: bool,
}

/// The operation, per backend.
#[backend_extension(Autodiff, Flex, NdArray: cfg(feature = "ndarray"))]
pub trait MlstmOps: Backend {
    /// Forward.
    fn mlstm_forward(
        #[extension_type] tensors: MlstmTensors<Self>,
        #[extension_type] carried: MlstmCarried<Self>,
        call: MlstmCall,
    ) -> MlstmResult<Self>;

    /// Gradients of everything in `tensors`; those of the weights are of no use where only the input's are wanted.
    fn mlstm_backward(
        gradient: FloatTensor<Self>,
        #[extension_type] tensors: MlstmTensors<Self>,
        saved: Saved,
        only_input: bool,
    ) -> MlstmTensors<Self>;
}

/// See [`reference::mlstm_layer`]. Off the CPU the cell alone is fused.
pub(crate) fn mlstm_layer(
    layer: &MlstmLayer,
    projected: Tensor<3>,
    state: Option<MlstmState>,
    reset: Option<&ResetMask>,
    keep_state: bool,
) -> (Tensor<3>, Option<MlstmState>) {
    let device = projected.device();
    if !is_host(&device) {
        let state = state.unwrap_or_else(|| layer.empty_state(projected.dims()[0], &device));
        let (output, state) = reference::mlstm_layer_around(mlstm_cell, layer, projected, state, reset);
        return (output, keep_state.then_some(state));
    }
    let tensors = MlstmTensors {
        projected: projected.into_dispatch(),
        convolution_weight: layer.convolution_weight.val().into_dispatch(),
        convolution_bias: layer.convolution_bias.val().into_dispatch(),
        query: layer.query.val().into_dispatch(),
        key: layer.key.val().into_dispatch(),
        value: layer.value.val().into_dispatch(),
        input_gate: layer.input_gate.val().into_dispatch(),
        input_gate_bias: layer.input_gate_bias.val().into_dispatch(),
        forget_gate: layer.forget_gate.val().into_dispatch(),
        forget_gate_bias: layer.forget_gate_bias.val().into_dispatch(),
        norm: layer.norm.val().into_dispatch(),
        skip: layer.skip.val().into_dispatch(),
    };
    let carried = state.map_or(MlstmCarried::Empty, |state| MlstmCarried::State {
        window: state.window.into_dispatch(),
        memory: state.memory.into_dispatch(),
        normaliser: state.normaliser.into_dispatch(),
        stabiliser: state.stabiliser.into_dispatch(),
    });
    let call = MlstmCall {
        heads: layer.heads,
        gate: layer.gate,
        soft_cap: layer.soft_cap,
        reset: reset.cloned(),
        keep_state,
        save: false,
    };
    let MlstmResult { output, state, .. } = Dispatch::mlstm_forward(tensors, carried, call);
    let state = match state {
        MlstmCarried::Empty => None,
        MlstmCarried::State { window, memory, normaliser, stabiliser } => Some(MlstmState {
            window: Tensor::from_dispatch(window),
            memory: Tensor::from_dispatch(memory),
            normaliser: Tensor::from_dispatch(normaliser),
            stabiliser: Tensor::from_dispatch(stabiliser),
        }),
    };
    (Tensor::from_dispatch(output), state)
}

/// What the backward pass reads besides the tensors.
struct Kept<T> {
    saved: MlstmLayerSaved<T>,
    initial: Option<MlstmLayerState<T>>,
    reset: Option<ResetMask>,
}

/// The tensors as the kernels take them.
trait AsSlices {
    /// Every tensor contiguous and of one number type.
    fn of_type<T: Number>(self) -> Self;
    fn weights<T: Number>(&self) -> MlstmLayerWeights<'_, T>;
    fn shape(&self, heads: usize) -> MlstmLayerShape;
}

impl<B: HostBackend> AsSlices for MlstmTensors<B> {
    fn of_type<T: Number>(self) -> Self {
        Self {
            projected: as_type::<B, T>(self.projected),
            convolution_weight: as_type::<B, T>(self.convolution_weight),
            convolution_bias: as_type::<B, T>(self.convolution_bias),
            query: as_type::<B, T>(self.query),
            key: as_type::<B, T>(self.key),
            value: as_type::<B, T>(self.value),
            input_gate: as_type::<B, T>(self.input_gate),
            input_gate_bias: as_type::<B, T>(self.input_gate_bias),
            forget_gate: as_type::<B, T>(self.forget_gate),
            forget_gate_bias: as_type::<B, T>(self.forget_gate_bias),
            norm: as_type::<B, T>(self.norm),
            skip: as_type::<B, T>(self.skip),
        }
    }

    fn weights<T: Number>(&self) -> MlstmLayerWeights<'_, T> {
        MlstmLayerWeights {
            conv_weight: B::slice(&self.convolution_weight),
            conv_bias: B::slice(&self.convolution_bias),
            query: B::slice(&self.query),
            key: B::slice(&self.key),
            value: B::slice(&self.value),
            input_gate_weight: B::slice(&self.input_gate),
            input_gate_bias: B::slice(&self.input_gate_bias),
            forget_gate_weight: B::slice(&self.forget_gate),
            forget_gate_bias: B::slice(&self.forget_gate_bias),
            norm: B::slice(&self.norm),
            skip: B::slice(&self.skip),
        }
    }

    fn shape(&self, heads: usize) -> MlstmLayerShape {
        let (projected, convolution, query) =
            (self.projected.shape(), self.convolution_weight.shape(), self.query.shape());
        MlstmLayerShape {
            batch: projected[0],
            time: projected[1],
            heads,
            inner: projected[2] / 2,
            block: query[1],
            taps: convolution[1],
        }
    }
}

fn load<B: HostBackend, T: Number>(carried: MlstmCarried<B>) -> Option<MlstmLayerState<T>> {
    match carried {
        MlstmCarried::Empty => None,
        MlstmCarried::State { window, memory, normaliser, stabiliser } => Some(MlstmLayerState {
            window: B::into_vec(as_type::<B, T>(window)),
            cell: CellState {
                memory: B::into_vec(as_type::<B, T>(memory)),
                normaliser: B::into_vec(as_type::<B, f64>(normaliser)),
                stabiliser: B::into_vec(as_type::<B, T>(stabiliser)),
            },
        }),
    }
}

fn store<B: HostBackend, T: Number>(shape: &MlstmLayerShape, state: MlstmLayerState<T>) -> MlstmCarried<B> {
    let (batch, heads, dim) = (shape.batch, shape.heads, shape.inner / shape.heads);
    MlstmCarried::State {
        window: B::tensor(state.window, Shape::new([batch, shape.taps - 1, shape.inner])),
        memory: B::tensor(state.cell.memory, Shape::new([batch, heads, dim, dim])),
        normaliser: B::tensor(state.cell.normaliser, Shape::new([batch, heads, dim])),
        stabiliser: B::tensor(state.cell.stabiliser, Shape::new([batch, heads])),
    }
}

fn forward<B: HostBackend, T: Number>(
    tensors: MlstmTensors<B>,
    carried: MlstmCarried<B>,
    call: MlstmCall,
) -> MlstmResult<B> {
    let tensors = tensors.of_type::<T>();
    let shape = tensors.shape(call.heads);
    let purpose = if call.save { Purpose::Training } else { Purpose::Inference };
    let options = MlstmLayerOptions {
        form: choose_form(shape.time, shape.dim(), purpose),
        forget: call.gate,
        soft_cap: call.soft_cap,
        final_state: call.keep_state,
        keep: call.save,
        level: Level::detect(),
    };
    let weights = tensors.weights::<T>();
    let projected = B::slice(&tensors.projected);
    let reset = call.reset.as_ref().map(ResetMask::steps);
    let initial = load::<B, T>(carried);
    let output_shape = Shape::new([shape.batch, shape.time, shape.inner]);
    if shape.time == 1 && !call.save {
        let mut state = initial.unwrap_or_else(|| MlstmLayerState::empty(&shape));
        let mut output = vec![T::ZERO; shape.output_len()];
        let inputs = MlstmLayerStepInputs { projected, reset };
        checked(step(shape, &weights, &inputs, options, &mut state, &mut output));
        let state = if call.keep_state { store(&shape, state) } else { MlstmCarried::Empty };
        return MlstmResult { output: B::tensor(output, output_shape), state, saved: Saved::new(()) };
    }
    let inputs = MlstmLayerInputs { projected, reset, initial: initial.as_ref() };
    let mut result = MlstmLayerForward::default();
    checked(forward_into(shape, &weights, &inputs, options, &mut result));
    let MlstmLayerForward { output, state, saved } = result;
    let saved =
        if call.save { Saved::new(Kept { saved, initial, reset: call.reset }) } else { Saved::new(()) };
    let state = state.map_or(MlstmCarried::Empty, |state| store(&shape, state));
    MlstmResult { output: B::tensor(output, output_shape), state, saved }
}

#[expect(clippy::panic, reason = "what the forward pass of the same node kept is there")]
fn backward<B: HostBackend, T: Number>(
    gradient: FloatTensor<B>,
    tensors: MlstmTensors<B>,
    saved: &Saved,
    only_input: bool,
) -> MlstmTensors<B> {
    let Some(Kept { saved, initial, reset }) = saved.get::<Kept<T>>() else {
        panic!("xlstm: the forward pass of this node kept nothing");
    };
    let gradient = as_type::<B, T>(gradient);
    let tensors = tensors.of_type::<T>();
    let inputs = MlstmLayerInputs {
        projected: B::slice(&tensors.projected),
        reset: reset.as_ref().map(ResetMask::steps),
        initial: initial.as_ref(),
    };
    let mut found = if only_input { MlstmLayerGradients::of_input() } else { MlstmLayerGradients::default() };
    checked(backward_into(&tensors.weights(), &inputs, saved, B::slice(&gradient), &mut found));
    let weights = found.weights;
    MlstmTensors {
        projected: B::tensor(found.projected, tensors.projected.shape()),
        convolution_weight: B::tensor(weights.conv_weight, tensors.convolution_weight.shape()),
        convolution_bias: B::tensor(weights.conv_bias, tensors.convolution_bias.shape()),
        query: B::tensor(weights.query, tensors.query.shape()),
        key: B::tensor(weights.key, tensors.key.shape()),
        value: B::tensor(weights.value, tensors.value.shape()),
        input_gate: B::tensor(weights.input_gate_weight, tensors.input_gate.shape()),
        input_gate_bias: B::tensor(weights.input_gate_bias, tensors.input_gate_bias.shape()),
        forget_gate: B::tensor(weights.forget_gate_weight, tensors.forget_gate.shape()),
        forget_gate_bias: B::tensor(weights.forget_gate_bias, tensors.forget_gate_bias.shape()),
        norm: B::tensor(weights.norm, tensors.norm.shape()),
        skip: B::tensor(weights.skip, tensors.skip.shape()),
    }
}

macro_rules! host_operations {
    ($backend:ty) => {
        impl MlstmOps for $backend {
            fn mlstm_forward(
                tensors: MlstmTensors<Self>,
                carried: MlstmCarried<Self>,
                call: MlstmCall,
            ) -> MlstmResult<Self> {
                typed!(tensors.projected, forward::<Self>(tensors, carried, call))
            }
            fn mlstm_backward(
                gradient: FloatTensor<Self>,
                tensors: MlstmTensors<Self>,
                saved: Saved,
                only_input: bool,
            ) -> MlstmTensors<Self> {
                typed!(tensors.projected, backward::<Self>(gradient, tensors, &saved, only_input))
            }
        }
    };
}
host_operations!(Flex);
#[cfg(feature = "ndarray")]
host_operations!(NdArray);

/// Tensors and nodes apart.
fn split<B: Backend, C: CheckpointStrategy>(
    tensors: MlstmTensors<Autodiff<B, C>>,
) -> (MlstmTensors<B>, [NodeGuard; 12]) {
    let (projected, n0) = tensors.projected.into_parts();
    let (convolution_weight, n1) = tensors.convolution_weight.into_parts();
    let (convolution_bias, n2) = tensors.convolution_bias.into_parts();
    let (query, n3) = tensors.query.into_parts();
    let (key, n4) = tensors.key.into_parts();
    let (value, n5) = tensors.value.into_parts();
    let (input_gate, n6) = tensors.input_gate.into_parts();
    let (input_gate_bias, n7) = tensors.input_gate_bias.into_parts();
    let (forget_gate, n8) = tensors.forget_gate.into_parts();
    let (forget_gate_bias, n9) = tensors.forget_gate_bias.into_parts();
    let (norm, n10) = tensors.norm.into_parts();
    let (skip, n11) = tensors.skip.into_parts();
    let tensors = MlstmTensors {
        projected,
        convolution_weight,
        convolution_bias,
        query,
        key,
        value,
        input_gate,
        input_gate_bias,
        forget_gate,
        forget_gate_bias,
        norm,
        skip,
    };
    (tensors, [n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11])
}

/// The state is a constant: it enters and leaves without a node.
fn primitives<B: Backend, C: CheckpointStrategy>(carried: MlstmCarried<Autodiff<B, C>>) -> MlstmCarried<B> {
    match carried {
        MlstmCarried::Empty => MlstmCarried::Empty,
        MlstmCarried::State { window, memory, normaliser, stabiliser } => MlstmCarried::State {
            window: window.into_primitive(),
            memory: memory.into_primitive(),
            normaliser: normaliser.into_primitive(),
            stabiliser: stabiliser.into_primitive(),
        },
    }
}

fn constants<B: Backend, C: CheckpointStrategy>(carried: MlstmCarried<B>) -> MlstmCarried<Autodiff<B, C>> {
    match carried {
        MlstmCarried::Empty => MlstmCarried::Empty,
        MlstmCarried::State { window, memory, normaliser, stabiliser } => MlstmCarried::State {
            window: Autodiff::<B, C>::from_inner(window),
            memory: Autodiff::<B, C>::from_inner(memory),
            normaliser: Autodiff::<B, C>::from_inner(normaliser),
            stabiliser: Autodiff::<B, C>::from_inner(stabiliser),
        },
    }
}

#[derive(Debug)]
struct MlstmNode;

impl<B: MlstmOps> Backward<B, 12> for MlstmNode {
    type State = (MlstmTensors<B>, Saved);

    fn backward(self, ops: Ops<Self::State, 12>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let (tensors, saved) = ops.state;
        // An explanation asks for the gradient of the input of a network whose weights stand still.
        let only_input = ops.parents[1..].iter().all(Option::is_none);
        let found = B::mlstm_backward(gradient, tensors, saved, only_input);
        let found = [
            found.projected,
            found.convolution_weight,
            found.convolution_bias,
            found.query,
            found.key,
            found.value,
            found.input_gate,
            found.input_gate_bias,
            found.forget_gate,
            found.forget_gate_bias,
            found.norm,
            found.skip,
        ];
        for (node, gradient) in ops.parents.into_iter().zip(found) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

impl<B: MlstmOps, C: CheckpointStrategy> MlstmOps for Autodiff<B, C> {
    fn mlstm_forward(
        tensors: MlstmTensors<Self>,
        carried: MlstmCarried<Self>,
        call: MlstmCall,
    ) -> MlstmResult<Self> {
        let (tensors, nodes) = split(tensors);
        let carried = primitives(carried);
        match MlstmNode.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let result = B::mlstm_forward(tensors.clone(), carried, MlstmCall { save: true, ..call });
                let output = prepared.finish((tensors, result.saved.clone()), result.output);
                MlstmResult { output, state: constants(result.state), saved: result.saved }
            }
            OpsKind::UnTracked(prepared) => {
                let result = B::mlstm_forward(tensors, carried, call);
                let output = prepared.finish(result.output);
                MlstmResult { output, state: constants(result.state), saved: result.saved }
            }
        }
    }

    fn mlstm_backward(
        _gradient: FloatTensor<Self>,
        _tensors: MlstmTensors<Self>,
        _saved: Saved,
        _only_input: bool,
    ) -> MlstmTensors<Self> {
        super::first_order_only()
    }
}
