//! Layer norm and the feed-forward gate as operations of Burn.
#![cfg_attr(
    feature = "ndarray",
    expect(deprecated, reason = "Burn deprecates this backend in favour of flex; it stays selectable")
)]

use super::host::{HostBackend, Number, as_type, checked, typed};
use super::{Saved, is_host};
use crate::kernel::schedule::zeros;
use crate::kernel::{
    Level, bias as bias_kernel, gated_gelu as gelu_kernel, layer_norm as norm_kernel, matmul,
};
use crate::reference;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, ExtensionType, TensorMetadata, backend_extension};
use burn::nn::Linear;
use burn::tensor::{Shape, Tensor};
use burn_flex::Flex;
#[cfg(feature = "ndarray")]
use burn_ndarray::NdArray;

/// What the norm gives back.
#[derive(ExtensionType)]
pub struct Normalised<B: Backend> {
    /// y.
    pub output: FloatTensor<B>,
    /// Statistics of the rows.
    pub saved: Saved,
}

/// The operations, per backend.
#[backend_extension(Autodiff, Flex, NdArray: cfg(feature = "ndarray"))]
pub trait PointwiseOps: Backend {
    /// `x` `[batch, time, width]`, `weight` `[width]`.
    fn residual_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        epsilon: f64,
        save: bool,
    ) -> Normalised<Self>;

    /// Gradients of `x` and `weight`.
    fn residual_norm_backward(
        gradient: FloatTensor<Self>,
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        saved: Saved,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// `x` `[batch, time, inputs]`, `weight` `[inputs, outputs]`.
    fn project(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Gradient of `x`.
    fn project_backward_input(gradient: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Gradient of `weight`.
    fn project_backward_weight(gradient: FloatTensor<Self>, x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `x` `[batch, time, width]`, `bias` `[width]`.
    fn add_bias(x: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Gradient of the bias.
    fn add_bias_backward(gradient: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `x` `[batch, time, 2 · width]`.
    fn gated_gelu(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Gradient of `x`.
    fn gated_gelu_backward(gradient: FloatTensor<Self>, x: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// See [`reference::group_norm`] with one group.
pub(crate) fn layer_norm(x: Tensor<3>, weight: Tensor<1>, epsilon: f64) -> Tensor<3> {
    if !is_host(&x.device()) {
        return reference::group_norm(x, weight, 1, epsilon);
    }
    let result = Dispatch::residual_norm(x.into_dispatch(), weight.into_dispatch(), epsilon, false);
    Tensor::from_dispatch(result.output)
}

/// A linear layer over steps.
///
/// # Shapes
/// `x` `[batch, time, inputs]`, result `[batch, time, outputs]`.
pub(crate) fn linear(layer: &Linear, x: Tensor<3>) -> Tensor<3> {
    if !is_host(&x.device()) {
        return layer.forward(x);
    }
    let product = Dispatch::project(x.into_dispatch(), layer.weight.val().into_dispatch());
    Tensor::from_dispatch(match &layer.bias {
        Some(bias) => Dispatch::add_bias(product, bias.val().into_dispatch()),
        None => product,
    })
}

/// See [`reference::gated_gelu`].
pub(crate) fn gated_gelu(x: Tensor<3>) -> Tensor<3> {
    if !is_host(&x.device()) {
        return reference::gated_gelu(x);
    }
    Tensor::from_dispatch(Dispatch::gated_gelu(x.into_dispatch()))
}

fn norm_forward<B: HostBackend, T: Number>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    epsilon: f64,
    save: bool,
) -> Normalised<B> {
    let (x, weight) = (B::contiguous(x), as_type::<B, T>(weight));
    let (input, scale) = (B::slice::<T>(&x), B::slice::<T>(&weight));
    let mut output = zeros(input.len());
    let mut statistics = if save { vec![T::ZERO; input.len() / scale.len().max(1) * 2] } else { Vec::new() };
    checked(norm_kernel::forward(Level::detect(), epsilon, input, scale, &mut output, &mut statistics));
    Normalised { output: B::tensor(output, x.shape()), saved: Saved::new(statistics) }
}

fn norm_backward<B: HostBackend, T: Number>(
    gradient: FloatTensor<B>,
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    saved: &Saved,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let (gradient, x, weight) = (B::contiguous(gradient), B::contiguous(x), as_type::<B, T>(weight));
    let (input, scale) = (B::slice::<T>(&x), B::slice::<T>(&weight));
    let statistics = saved.get::<Vec<T>>().map_or(&[][..], Vec::as_slice);
    let (mut slope, mut weight_slope) = (zeros(input.len()), vec![T::ZERO; scale.len()]);
    checked(norm_kernel::backward(
        Level::detect(),
        input,
        scale,
        statistics,
        B::slice::<T>(&gradient),
        &mut slope,
        &mut weight_slope,
    ));
    (B::tensor(slope, x.shape()), B::tensor(weight_slope, weight.shape()))
}

fn project_forward<B: HostBackend, T: Number>(x: FloatTensor<B>, weight: FloatTensor<B>) -> FloatTensor<B> {
    let (x, weight) = (B::contiguous(x), as_type::<B, T>(weight));
    let [inputs, outputs] = weight.shape().dims();
    let mut shape = x.shape();
    shape[2] = outputs;
    B::tensor(checked(matmul::forward(inputs, outputs, B::slice::<T>(&x), B::slice(&weight))), shape)
}

fn project_input<B: HostBackend, T: Number>(
    gradient: FloatTensor<B>,
    weight: FloatTensor<B>,
) -> FloatTensor<B> {
    let (gradient, weight) = (B::contiguous(gradient), as_type::<B, T>(weight));
    let [inputs, outputs] = weight.shape().dims();
    let mut shape = gradient.shape();
    shape[2] = inputs;
    let slope = matmul::backward_input(inputs, outputs, B::slice::<T>(&gradient), B::slice(&weight));
    B::tensor(checked(slope), shape)
}

fn project_weight<B: HostBackend, T: Number>(gradient: FloatTensor<B>, x: FloatTensor<B>) -> FloatTensor<B> {
    let (gradient, x) = (B::contiguous(gradient), B::contiguous(x));
    let (inputs, outputs) = (x.shape()[2], gradient.shape()[2]);
    let slope = matmul::backward_weight(inputs, outputs, B::slice::<T>(&x), B::slice(&gradient));
    B::tensor(checked(slope), Shape::new([inputs, outputs]))
}

fn bias_forward<B: HostBackend, T: Number>(x: FloatTensor<B>, bias: FloatTensor<B>) -> FloatTensor<B> {
    let bias = as_type::<B, T>(bias);
    let (sum, result) = B::edit::<T, _>(x, |rows| bias_kernel::add(rows, B::slice(&bias)));
    checked(result);
    sum
}

#[expect(clippy::needless_pass_by_value, reason = "tensors are handles: Burn passes them by value")]
fn bias_backward<B: HostBackend, T: Number>(
    gradient: FloatTensor<B>,
    bias: FloatTensor<B>,
) -> FloatTensor<B> {
    let gradient = B::contiguous(gradient);
    let mut sums = vec![T::ZERO; bias.shape().num_elements()];
    checked(bias_kernel::backward(B::slice::<T>(&gradient), &mut sums));
    B::tensor(sums, bias.shape())
}

fn gelu_forward<B: HostBackend, T: Number>(x: FloatTensor<B>) -> FloatTensor<B> {
    let x = B::contiguous(x);
    let mut shape = x.shape();
    let width = shape[2] / 2;
    shape[2] = width;
    let input = B::slice::<T>(&x);
    let mut output = zeros(input.len() / 2);
    checked(gelu_kernel::forward(Level::detect(), width, input, &mut output));
    B::tensor(output, shape)
}

fn gelu_backward<B: HostBackend, T: Number>(gradient: FloatTensor<B>, x: FloatTensor<B>) -> FloatTensor<B> {
    let (gradient, x) = (B::contiguous(gradient), B::contiguous(x));
    let width = x.shape()[2] / 2;
    let input = B::slice::<T>(&x);
    let mut slope = zeros(input.len());
    checked(gelu_kernel::backward(Level::detect(), width, input, B::slice::<T>(&gradient), &mut slope));
    B::tensor(slope, x.shape())
}

macro_rules! host_operations {
    ($backend:ty) => {
        impl PointwiseOps for $backend {
            fn residual_norm(
                x: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                epsilon: f64,
                save: bool,
            ) -> Normalised<Self> {
                typed!(x, norm_forward::<Self>(x, weight, epsilon, save))
            }
            fn residual_norm_backward(
                gradient: FloatTensor<Self>,
                x: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                saved: Saved,
            ) -> (FloatTensor<Self>, FloatTensor<Self>) {
                typed!(x, norm_backward::<Self>(gradient, x, weight, &saved))
            }
            fn project(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
                typed!(x, project_forward::<Self>(x, weight))
            }
            fn project_backward_input(
                gradient: FloatTensor<Self>,
                weight: FloatTensor<Self>,
            ) -> FloatTensor<Self> {
                typed!(gradient, project_input::<Self>(gradient, weight))
            }
            fn project_backward_weight(
                gradient: FloatTensor<Self>,
                x: FloatTensor<Self>,
            ) -> FloatTensor<Self> {
                typed!(gradient, project_weight::<Self>(gradient, x))
            }
            fn add_bias(x: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
                typed!(x, bias_forward::<Self>(x, bias))
            }
            fn add_bias_backward(gradient: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
                typed!(gradient, bias_backward::<Self>(gradient, bias))
            }
            fn gated_gelu(x: FloatTensor<Self>) -> FloatTensor<Self> {
                typed!(x, gelu_forward::<Self>(x))
            }
            fn gated_gelu_backward(gradient: FloatTensor<Self>, x: FloatTensor<Self>) -> FloatTensor<Self> {
                typed!(x, gelu_backward::<Self>(gradient, x))
            }
        }
    };
}
host_operations!(Flex);
#[cfg(feature = "ndarray")]
host_operations!(NdArray);

#[derive(Debug)]
struct NormNode;

impl<B: PointwiseOps> Backward<B, 2> for NormNode {
    type State = (FloatTensor<B>, FloatTensor<B>, Saved);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x_node, weight_node] = ops.parents;
        let gradient = grads.consume::<B>(&ops.node);
        let (x, weight, saved) = ops.state;
        let (slope, weight_slope) = B::residual_norm_backward(gradient, x, weight, saved);
        if let Some(node) = x_node {
            grads.register::<B>(node.id, slope);
        }
        if let Some(node) = weight_node {
            grads.register::<B>(node.id, weight_slope);
        }
    }
}

#[derive(Debug)]
struct ProjectNode;

impl<B: PointwiseOps> Backward<B, 2> for ProjectNode {
    type State = (FloatTensor<B>, FloatTensor<B>);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x_node, weight_node] = ops.parents;
        let gradient = grads.consume::<B>(&ops.node);
        let (x, weight) = ops.state;
        if let Some(node) = weight_node {
            grads.register::<B>(node.id, B::project_backward_weight(gradient.clone(), x));
        }
        if let Some(node) = x_node {
            grads.register::<B>(node.id, B::project_backward_input(gradient, weight));
        }
    }
}

#[derive(Debug)]
struct BiasNode;

impl<B: PointwiseOps> Backward<B, 2> for BiasNode {
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x_node, bias_node] = ops.parents;
        let gradient = grads.consume::<B>(&ops.node);
        if let Some(node) = bias_node {
            grads.register::<B>(node.id, B::add_bias_backward(gradient.clone(), ops.state));
        }
        if let Some(node) = x_node {
            grads.register::<B>(node.id, gradient);
        }
    }
}

#[derive(Debug)]
struct GeluNode;

impl<B: PointwiseOps> Backward<B, 1> for GeluNode {
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [node] = ops.parents;
        let gradient = grads.consume::<B>(&ops.node);
        let slope = B::gated_gelu_backward(gradient, ops.state);
        if let Some(node) = node {
            grads.register::<B>(node.id, slope);
        }
    }
}

impl<B: PointwiseOps, C: CheckpointStrategy> PointwiseOps for Autodiff<B, C> {
    fn residual_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        epsilon: f64,
        _save: bool,
    ) -> Normalised<Self> {
        let (x, x_node) = x.into_parts();
        let (weight, weight_node) = weight.into_parts();
        match NormNode.prepare::<C>([x_node, weight_node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let Normalised { output, saved } = B::residual_norm(x.clone(), weight.clone(), epsilon, true);
                Normalised { output: prepared.finish((x, weight, saved.clone()), output), saved }
            }
            OpsKind::UnTracked(prepared) => {
                let Normalised { output, saved } = B::residual_norm(x, weight, epsilon, false);
                Normalised { output: prepared.finish(output), saved }
            }
        }
    }

    fn residual_norm_backward(
        _gradient: FloatTensor<Self>,
        _x: FloatTensor<Self>,
        _weight: FloatTensor<Self>,
        _saved: Saved,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        super::first_order_only()
    }

    fn project(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (weight, weight_node) = weight.into_parts();
        match ProjectNode.prepare::<C>([x_node, weight_node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let output = B::project(x.clone(), weight.clone());
                prepared.finish((x, weight), output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::project(x, weight)),
        }
    }

    fn project_backward_input(_gradient: FloatTensor<Self>, _weight: FloatTensor<Self>) -> FloatTensor<Self> {
        super::first_order_only()
    }

    fn project_backward_weight(_gradient: FloatTensor<Self>, _x: FloatTensor<Self>) -> FloatTensor<Self> {
        super::first_order_only()
    }

    fn add_bias(x: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (bias, bias_node) = bias.into_parts();
        match BiasNode.prepare::<C>([x_node, bias_node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let output = B::add_bias(x, bias.clone());
                prepared.finish(bias, output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::add_bias(x, bias)),
        }
    }

    fn add_bias_backward(_gradient: FloatTensor<Self>, _bias: FloatTensor<Self>) -> FloatTensor<Self> {
        super::first_order_only()
    }

    fn gated_gelu(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        match GeluNode.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let output = B::gated_gelu(x.clone());
                prepared.finish(x, output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::gated_gelu(x)),
        }
    }

    fn gated_gelu_backward(_gradient: FloatTensor<Self>, _x: FloatTensor<Self>) -> FloatTensor<Self> {
        super::first_order_only()
    }
}
