//! The sLSTM layer as one operation of Burn.
#![cfg_attr(
    feature = "ndarray",
    expect(deprecated, reason = "Burn deprecates this backend in favour of flex; it stays selectable")
)]

use super::host::{HostBackend, Number, as_type, checked, typed};
use super::{Saved, is_host, slstm_cell};
use crate::kernel::slstm::{GATES, SlstmState as CellState};
use crate::kernel::slstm_layer::{
    SlstmConvolutionWeights, SlstmLayerForward, SlstmLayerGradients, SlstmLayerInputs, SlstmLayerOptions,
    SlstmLayerPacked, SlstmLayerSaved, SlstmLayerShape, SlstmLayerState, SlstmLayerWeights, backward_into,
    forward_into,
};
use crate::kernel::{ForgetGate, Level};
use crate::layer::SlstmLayer;
use crate::reference;
use crate::state::{ResetMask, SlstmState};
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

/// The input and the weights; or their gradients. Without a convolution its tensors are empty.
#[derive(ExtensionType, Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of `SlstmLayer`")]
pub struct SlstmTensors<B: Backend> {
    pub input: FloatTensor<B>,
    pub convolution_weight: FloatTensor<B>,
    pub convolution_bias: FloatTensor<B>,
    pub gates: FloatTensor<B>,
    pub recurrent: FloatTensor<B>,
    pub bias: FloatTensor<B>,
    pub norm: FloatTensor<B>,
}

/// A state, or none.
#[derive(ExtensionType, Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of `SlstmState`")]
pub enum SlstmCarried<B: Backend> {
    /// Nothing was carried, or nothing is wanted.
    Empty,
    /// What [`SlstmState`] holds.
    State {
        window: FloatTensor<B>,
        output: FloatTensor<B>,
        cell: FloatTensor<B>,
        normaliser: FloatTensor<B>,
        stabiliser: FloatTensor<B>,
    },
}

/// Factors of the recurrent input, or none.
#[derive(ExtensionType, Clone, Debug)]
pub enum RecurrentMask<B: Backend> {
    /// All 1.
    None,
    /// `[batch, width]`.
    Factors(FloatTensor<B>),
}

/// What a call computes.
#[derive(ExtensionType)]
pub struct SlstmResult<B: Backend> {
    /// `[batch, time, width]`.
    pub output: FloatTensor<B>,
    /// After the last step.
    #[extension_type]
    pub state: SlstmCarried<B>,
    /// For the backward pass.
    pub saved: Saved,
}

/// Choices of a call.
#[derive(Debug, Clone)]
pub struct SlstmCall {
    heads: usize,
    taps: usize,
    gate: ForgetGate,
    reset: Option<ResetMask>,
    keep_state: bool,
    save: bool,
}

/// The operation, per backend.
#[backend_extension(Autodiff, Flex, NdArray: cfg(feature = "ndarray"))]
pub trait SlstmOps: Backend {
    /// Forward.
    fn slstm_forward(
        #[extension_type] tensors: SlstmTensors<Self>,
        #[extension_type] carried: SlstmCarried<Self>,
        #[extension_type] mask: RecurrentMask<Self>,
        call: SlstmCall,
    ) -> SlstmResult<Self>;

    /// Gradients of everything in `tensors`; those of the weights are of no use where only the input's are wanted.
    fn slstm_backward(
        gradient: FloatTensor<Self>,
        #[extension_type] tensors: SlstmTensors<Self>,
        saved: Saved,
        only_input: bool,
    ) -> SlstmTensors<Self>;
}

/// See [`reference::slstm_layer`]. Off the CPU the cell alone is fused.
pub(crate) fn slstm_layer(
    layer: &SlstmLayer,
    x: Tensor<3>,
    state: Option<SlstmState>,
    mask: Option<Tensor<2>>,
    reset: Option<&ResetMask>,
    keep_state: bool,
) -> (Tensor<3>, Option<SlstmState>) {
    let device = x.device();
    if !is_host(&device) {
        let state = state.unwrap_or_else(|| layer.empty_state(x.dims()[0], &device));
        let (output, state) = reference::slstm_layer_around(slstm_cell, layer, x, state, mask, reset);
        return (output, keep_state.then_some(state));
    }
    let taps = layer.convolution_weight.as_ref().map_or(0, |weight| weight.dims()[1]);
    let weight = layer.convolution_weight.as_ref();
    let bias = layer.convolution_bias.as_ref();
    let tensors = SlstmTensors {
        convolution_weight: weight
            .map_or_else(|| Tensor::zeros([0, 0], &device), |weight| weight.val())
            .into_dispatch(),
        convolution_bias: bias.map_or_else(|| Tensor::zeros([0], &device), |bias| bias.val()).into_dispatch(),
        input: x.into_dispatch(),
        gates: layer.gates.val().into_dispatch(),
        recurrent: layer.recurrent.val().into_dispatch(),
        bias: layer.bias.val().into_dispatch(),
        norm: layer.norm.val().into_dispatch(),
    };
    let carried = state.map_or(SlstmCarried::Empty, |state| SlstmCarried::State {
        window: state.window.into_dispatch(),
        output: state.output.into_dispatch(),
        cell: state.cell.into_dispatch(),
        normaliser: state.normaliser.into_dispatch(),
        stabiliser: state.stabiliser.into_dispatch(),
    });
    let mask = mask.map_or(RecurrentMask::None, |mask| RecurrentMask::Factors(mask.into_dispatch()));
    let call = SlstmCall {
        heads: layer.heads,
        taps,
        gate: layer.gate,
        reset: reset.cloned(),
        keep_state,
        save: false,
    };
    let SlstmResult { output, state, .. } = Dispatch::slstm_forward(tensors, carried, mask, call);
    let state = match state {
        SlstmCarried::Empty => None,
        SlstmCarried::State { window, output, cell, normaliser, stabiliser } => Some(SlstmState {
            window: Tensor::from_dispatch(window),
            output: Tensor::from_dispatch(output),
            cell: Tensor::from_dispatch(cell),
            normaliser: Tensor::from_dispatch(normaliser),
            stabiliser: Tensor::from_dispatch(stabiliser),
        }),
    };
    (Tensor::from_dispatch(output), state)
}

/// What the backward pass reads besides the input.
struct Kept<T> {
    packed: SlstmLayerPacked<T>,
    saved: SlstmLayerSaved<T>,
    initial: Option<SlstmLayerState<T>>,
    mask: Option<Vec<T>>,
    reset: Option<ResetMask>,
}

/// The tensors as the kernels take them.
trait AsSlices {
    /// Every tensor contiguous and of one number type.
    fn of_type<T: Number>(self) -> Self;
    fn weights<T: Number>(&self, taps: usize) -> SlstmLayerWeights<'_, T>;
}

impl<B: HostBackend> AsSlices for SlstmTensors<B> {
    fn of_type<T: Number>(self) -> Self {
        Self {
            input: as_type::<B, T>(self.input),
            convolution_weight: as_type::<B, T>(self.convolution_weight),
            convolution_bias: as_type::<B, T>(self.convolution_bias),
            gates: as_type::<B, T>(self.gates),
            recurrent: as_type::<B, T>(self.recurrent),
            bias: as_type::<B, T>(self.bias),
            norm: as_type::<B, T>(self.norm),
        }
    }

    fn weights<T: Number>(&self, taps: usize) -> SlstmLayerWeights<'_, T> {
        SlstmLayerWeights {
            convolution: (taps > 0).then(|| SlstmConvolutionWeights {
                weight: B::slice(&self.convolution_weight),
                bias: B::slice(&self.convolution_bias),
            }),
            gates: B::slice(&self.gates),
            recurrent: B::slice(&self.recurrent),
            bias: B::slice(&self.bias),
            norm: B::slice(&self.norm),
        }
    }
}

fn load<B: HostBackend, T: Number>(carried: SlstmCarried<B>) -> Option<SlstmLayerState<T>> {
    match carried {
        SlstmCarried::Empty => None,
        SlstmCarried::State { window, output, cell, normaliser, stabiliser } => Some(SlstmLayerState {
            window: B::into_vec(as_type::<B, T>(window)),
            cell: CellState {
                output: B::into_vec(as_type::<B, T>(output)),
                cell: B::into_vec(as_type::<B, T>(cell)),
                normaliser: B::into_vec(as_type::<B, T>(normaliser)),
                stabiliser: B::into_vec(as_type::<B, T>(stabiliser)),
            },
        }),
    }
}

fn store<B: HostBackend, T: Number>(shape: &SlstmLayerShape, state: SlstmLayerState<T>) -> SlstmCarried<B> {
    let SlstmLayerShape { batch, heads, dim, taps, .. } = *shape;
    let unit = |values| B::tensor(values, Shape::new([batch, heads, dim]));
    SlstmCarried::State {
        window: B::tensor(state.window, Shape::new([batch, taps.saturating_sub(1), heads * dim])),
        output: unit(state.cell.output),
        cell: unit(state.cell.cell),
        normaliser: unit(state.cell.normaliser),
        stabiliser: unit(state.cell.stabiliser),
    }
}

fn forward<B: HostBackend, T: Number>(
    tensors: SlstmTensors<B>,
    carried: SlstmCarried<B>,
    mask: RecurrentMask<B>,
    call: SlstmCall,
) -> SlstmResult<B> {
    let tensors = tensors.of_type::<T>();
    let sizes = tensors.input.shape();
    let (heads, dim) = (call.heads, sizes[2] / call.heads);
    let shape = SlstmLayerShape { batch: sizes[0], time: sizes[1], heads, dim, taps: call.taps };
    let packed = checked(SlstmLayerPacked::pack(heads, dim, call.taps, &tensors.weights::<T>(call.taps)));
    let initial = load::<B, T>(carried);
    let mask = match mask {
        RecurrentMask::None => None,
        RecurrentMask::Factors(mask) => Some(B::into_vec(as_type::<B, T>(mask))),
    };
    let inputs = SlstmLayerInputs {
        input: B::slice(&tensors.input),
        reset: call.reset.as_ref().map(ResetMask::steps),
        initial: initial.as_ref(),
        recurrent_mask: mask.as_deref(),
    };
    let options = SlstmLayerOptions { forget_gate: call.gate, save: call.save, level: Level::detect() };
    let mut result = SlstmLayerForward::default();
    checked(forward_into(shape, &packed, &inputs, options, &mut result));
    let SlstmLayerForward { output, state, saved } = result;
    let saved = if call.save {
        Saved::new(Kept { packed, saved, initial, mask, reset: call.reset })
    } else {
        Saved::new(())
    };
    let state = if call.keep_state { store(&shape, state) } else { SlstmCarried::Empty };
    SlstmResult { output: B::tensor(output, sizes), state, saved }
}

#[expect(clippy::panic, reason = "what the forward pass of the same node kept is there")]
fn backward<B: HostBackend, T: Number>(
    gradient: FloatTensor<B>,
    tensors: SlstmTensors<B>,
    saved: &Saved,
    only_input: bool,
) -> SlstmTensors<B> {
    let Some(Kept { packed, saved, initial, mask, reset }) = saved.get::<Kept<T>>() else {
        panic!("xlstm: the forward pass of this node kept nothing");
    };
    let (gradient, input) = (as_type::<B, T>(gradient), as_type::<B, T>(tensors.input));
    let inputs = SlstmLayerInputs {
        input: B::slice(&input),
        reset: reset.as_ref().map(ResetMask::steps),
        initial: initial.as_ref(),
        recurrent_mask: mask.as_deref(),
    };
    let mut found = if only_input { SlstmLayerGradients::of_input() } else { SlstmLayerGradients::default() };
    checked(backward_into(packed, &inputs, saved, B::slice(&gradient), &mut found));
    let [_, heads, dim] = tensors.bias.shape().dims();
    let square = || Shape::new([GATES, heads, dim, dim]);
    SlstmTensors {
        input: B::tensor(found.input, input.shape()),
        convolution_weight: B::tensor(found.convolution_weight, tensors.convolution_weight.shape()),
        convolution_bias: B::tensor(found.convolution_bias, tensors.convolution_bias.shape()),
        gates: B::tensor(found.gates, square()),
        recurrent: B::tensor(found.recurrent, square()),
        bias: B::tensor(found.bias, tensors.bias.shape()),
        norm: B::tensor(found.norm, tensors.norm.shape()),
    }
}

macro_rules! host_operations {
    ($backend:ty) => {
        impl SlstmOps for $backend {
            fn slstm_forward(
                tensors: SlstmTensors<Self>,
                carried: SlstmCarried<Self>,
                mask: RecurrentMask<Self>,
                call: SlstmCall,
            ) -> SlstmResult<Self> {
                typed!(tensors.input, forward::<Self>(tensors, carried, mask, call))
            }
            fn slstm_backward(
                gradient: FloatTensor<Self>,
                tensors: SlstmTensors<Self>,
                saved: Saved,
                only_input: bool,
            ) -> SlstmTensors<Self> {
                typed!(tensors.input, backward::<Self>(gradient, tensors, &saved, only_input))
            }
        }
    };
}
host_operations!(Flex);
#[cfg(feature = "ndarray")]
host_operations!(NdArray);

/// Tensors and nodes apart.
fn split<B: Backend, C: CheckpointStrategy>(
    tensors: SlstmTensors<Autodiff<B, C>>,
) -> (SlstmTensors<B>, [NodeGuard; 7]) {
    let (input, n0) = tensors.input.into_parts();
    let (convolution_weight, n1) = tensors.convolution_weight.into_parts();
    let (convolution_bias, n2) = tensors.convolution_bias.into_parts();
    let (gates, n3) = tensors.gates.into_parts();
    let (recurrent, n4) = tensors.recurrent.into_parts();
    let (bias, n5) = tensors.bias.into_parts();
    let (norm, n6) = tensors.norm.into_parts();
    let tensors = SlstmTensors { input, convolution_weight, convolution_bias, gates, recurrent, bias, norm };
    (tensors, [n0, n1, n2, n3, n4, n5, n6])
}

/// State and mask are constants: they enter and leave without a node.
fn primitives<B: Backend, C: CheckpointStrategy>(
    carried: SlstmCarried<Autodiff<B, C>>,
    mask: RecurrentMask<Autodiff<B, C>>,
) -> (SlstmCarried<B>, RecurrentMask<B>) {
    let carried = match carried {
        SlstmCarried::Empty => SlstmCarried::Empty,
        SlstmCarried::State { window, output, cell, normaliser, stabiliser } => SlstmCarried::State {
            window: window.into_primitive(),
            output: output.into_primitive(),
            cell: cell.into_primitive(),
            normaliser: normaliser.into_primitive(),
            stabiliser: stabiliser.into_primitive(),
        },
    };
    let mask = match mask {
        RecurrentMask::None => RecurrentMask::None,
        RecurrentMask::Factors(mask) => RecurrentMask::Factors(mask.into_primitive()),
    };
    (carried, mask)
}

fn constants<B: Backend, C: CheckpointStrategy>(carried: SlstmCarried<B>) -> SlstmCarried<Autodiff<B, C>> {
    match carried {
        SlstmCarried::Empty => SlstmCarried::Empty,
        SlstmCarried::State { window, output, cell, normaliser, stabiliser } => SlstmCarried::State {
            window: Autodiff::<B, C>::from_inner(window),
            output: Autodiff::<B, C>::from_inner(output),
            cell: Autodiff::<B, C>::from_inner(cell),
            normaliser: Autodiff::<B, C>::from_inner(normaliser),
            stabiliser: Autodiff::<B, C>::from_inner(stabiliser),
        },
    }
}

#[derive(Debug)]
struct SlstmNode;

impl<B: SlstmOps> Backward<B, 7> for SlstmNode {
    type State = (SlstmTensors<B>, Saved);

    fn backward(self, ops: Ops<Self::State, 7>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let (tensors, saved) = ops.state;
        // An explanation asks for the gradient of the input of a network whose weights stand still.
        let only_input = ops.parents[1..].iter().all(Option::is_none);
        let found = B::slstm_backward(gradient, tensors, saved, only_input);
        let found = [
            found.input,
            found.convolution_weight,
            found.convolution_bias,
            found.gates,
            found.recurrent,
            found.bias,
            found.norm,
        ];
        for (node, gradient) in ops.parents.into_iter().zip(found) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

impl<B: SlstmOps, C: CheckpointStrategy> SlstmOps for Autodiff<B, C> {
    fn slstm_forward(
        tensors: SlstmTensors<Self>,
        carried: SlstmCarried<Self>,
        mask: RecurrentMask<Self>,
        call: SlstmCall,
    ) -> SlstmResult<Self> {
        let (tensors, nodes) = split(tensors);
        let (carried, mask) = primitives(carried, mask);
        match SlstmNode.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let call = SlstmCall { save: true, ..call };
                let result = B::slstm_forward(tensors.clone(), carried, mask, call);
                let output = prepared.finish((tensors, result.saved.clone()), result.output);
                SlstmResult { output, state: constants(result.state), saved: result.saved }
            }
            OpsKind::UnTracked(prepared) => {
                let result = B::slstm_forward(tensors, carried, mask, call);
                let output = prepared.finish(result.output);
                SlstmResult { output, state: constants(result.state), saved: result.saved }
            }
        }
    }

    fn slstm_backward(
        _gradient: FloatTensor<Self>,
        _tensors: SlstmTensors<Self>,
        _saved: Saved,
        _only_input: bool,
    ) -> SlstmTensors<Self> {
        super::first_order_only()
    }
}
