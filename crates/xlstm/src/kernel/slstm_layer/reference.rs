//! The plain layer, straight from the equations and from the plain cell. For tests and for doubt; never fast.

use super::{NORM_EPSILON, SlstmLayerInputs, SlstmLayerShape, SlstmLayerState, SlstmLayerWeights};
use crate::kernel::gate::ForgetGate;
use crate::kernel::math::Real;
use crate::kernel::slstm::reference::{self as cell, ReferenceInputs};
use crate::kernel::slstm::{GATES, SlstmShape};

/// Gradients, in the order and shapes of the weights.
#[derive(Debug, Clone)]
pub struct ReferenceGradients<T> {
    /// dx.
    pub input: Vec<T>,
    /// `[E, K]`; empty without a convolution.
    pub convolution_weight: Vec<T>,
    /// `[E]`; empty without a convolution.
    pub convolution_bias: Vec<T>,
    /// dW.
    pub gates: Vec<T>,
    /// dR.
    pub recurrent: Vec<T>,
    /// db.
    pub bias: Vec<T>,
    /// dw of the norm.
    pub norm: Vec<T>,
}

fn sigmoid<T: Real>(x: T) -> T {
    T::from_f64(1.0 / (1.0 + (-x.to_f64()).exp()))
}

/// x of `back` steps before `step`; zero beyond a reset and before the window.
fn seen<T: Real>(
    shape: &SlstmLayerShape,
    inputs: &SlstmLayerInputs<'_, T>,
    (row, step, back): (usize, usize, usize),
    channel: usize,
) -> T {
    let (time, width, window_rows) = (shape.time, shape.width(), shape.taps - 1);
    for passed in 0..back.min(step + 1) {
        if inputs.reset.is_some_and(|mask| mask[row * time + step - passed]) {
            return T::ZERO;
        }
    }
    match step.checked_sub(back) {
        Some(step) => inputs.input[(row * time + step) * width + channel],
        None => inputs.initial.map_or(T::ZERO, |state| {
            state.window[(row * window_rows + window_rows + step - back) * width + channel]
        }),
    }
}

/// What lies between x and the output.
struct Trace<T> {
    /// Before SiLU; empty without a convolution.
    convolved: Vec<T>,
    /// a.
    active: Vec<T>,
    /// `[batch, time, 4, heads, dim]`.
    pre: Vec<T>,
    /// y.
    hidden: Vec<T>,
    cell: crate::kernel::slstm::SlstmState<T>,
}

fn cell_shape(shape: &SlstmLayerShape) -> SlstmShape {
    SlstmShape { batch: shape.batch, time: shape.time, heads: shape.heads, dim: shape.dim }
}

/// The cell's inputs.
fn cell_inputs<'a, T>(
    weights: &SlstmLayerWeights<'a, T>,
    inputs: &SlstmLayerInputs<'a, T>,
    forget_gate: ForgetGate,
    pre: &'a [T],
) -> ReferenceInputs<'a, T> {
    ReferenceInputs {
        input: pre,
        weights: weights.recurrent,
        bias: weights.bias,
        reset: inputs.reset,
        initial: inputs.initial.map(|state| &state.cell),
        forget_gate,
        recurrent_mask: inputs.recurrent_mask,
    }
}

fn run<T: Real>(
    shape: &SlstmLayerShape,
    weights: &SlstmLayerWeights<'_, T>,
    inputs: &SlstmLayerInputs<'_, T>,
    forget_gate: ForgetGate,
) -> Trace<T> {
    let (width, dim, heads) = (shape.width(), shape.dim, shape.heads);
    let mut convolved = Vec::new();
    let mut active = inputs.input.to_vec();
    if let Some(taps) = weights.convolution {
        for row in 0..shape.batch {
            for step in 0..shape.time {
                for channel in 0..width {
                    let mut y = taps.bias[channel];
                    for back in 0..shape.taps {
                        y += taps.weight[channel * shape.taps + shape.taps - 1 - back]
                            * seen(shape, inputs, (row, step, back), channel);
                    }
                    convolved.push(y);
                }
            }
        }
        active = convolved.iter().map(|y| *y * sigmoid(*y)).collect();
    }
    let mut pre = Vec::new();
    for at in 0..shape.batch * shape.time {
        for unit in 0..GATES * width {
            let (gate, head) = (unit / width, unit % width / dim);
            let source = if gate < 2 { &active } else { inputs.input };
            let from = &source[at * width + head * dim..][..dim];
            let row = &weights.gates[(gate * heads * dim + unit % width) * dim..][..dim];
            pre.push(from.iter().zip(row).fold(T::ZERO, |sum, (x, w)| sum + *x * *w));
        }
    }
    let (hidden, cell) = cell::forward(cell_shape(shape), &cell_inputs(weights, inputs, forget_gate, &pre));
    Trace { convolved, active, pre, hidden, cell }
}

/// Mean and 1 / root of the variance.
fn statistics<T: Real>(group: &[T]) -> (T, T) {
    let count = group.len() as f64;
    let mean = group.iter().map(|x| x.to_f64()).sum::<f64>() / count;
    let variance = group.iter().map(|x| (x.to_f64() - mean).powi(2)).sum::<f64>() / count;
    (T::from_f64(mean), T::from_f64(1.0 / (variance + NORM_EPSILON).sqrt()))
}

/// The output, `[batch, time, E]`, and the state after the last step.
#[must_use]
pub fn forward<T: Real>(
    shape: SlstmLayerShape,
    weights: &SlstmLayerWeights<'_, T>,
    inputs: &SlstmLayerInputs<'_, T>,
    forget_gate: ForgetGate,
) -> (Vec<T>, SlstmLayerState<T>) {
    let trace = run(&shape, weights, inputs, forget_gate);
    let mut output = Vec::new();
    for (group, hidden) in trace.hidden.chunks_exact(shape.dim).enumerate() {
        let (mean, root) = statistics(hidden);
        let weight = &weights.norm[group % shape.heads * shape.dim..][..shape.dim];
        output.extend(hidden.iter().zip(weight).map(|(y, w)| (*y - mean) * root * (T::ONE + *w)));
    }
    let mut window = Vec::new();
    for row in 0..shape.batch {
        // The row `back` steps before the one that would come next.
        for back in (1..shape.taps).rev() {
            for channel in 0..shape.width() {
                window.push(seen(&shape, inputs, (row, shape.time - 1, back - 1), channel));
            }
        }
    }
    (output, SlstmLayerState { window, cell: trace.cell })
}

/// Gradients of x and of the weights.
#[must_use]
pub fn backward<T: Real>(
    shape: SlstmLayerShape,
    weights: &SlstmLayerWeights<'_, T>,
    inputs: &SlstmLayerInputs<'_, T>,
    forget_gate: ForgetGate,
    output_gradient: &[T],
) -> ReferenceGradients<T> {
    let (width, dim, heads) = (shape.width(), shape.dim, shape.heads);
    let trace = run(&shape, weights, inputs, forget_gate);
    let mut norm = vec![T::ZERO; width];
    let mut hidden_gradient = Vec::new();
    for (group, (hidden, dy)) in
        trace.hidden.chunks_exact(dim).zip(output_gradient.chunks_exact(dim)).enumerate()
    {
        let (mean, root) = statistics(hidden);
        let first = group % heads * dim;
        let count = T::from_f64(dim as f64);
        let (mut sum, mut product) = (T::ZERO, T::ZERO);
        for (unit, (y, dy)) in hidden.iter().zip(dy).enumerate() {
            let normed = (*y - mean) * root;
            norm[first + unit] += *dy * normed;
            sum += *dy * (T::ONE + weights.norm[first + unit]);
            product += *dy * (T::ONE + weights.norm[first + unit]) * normed;
        }
        for (unit, (y, dy)) in hidden.iter().zip(dy).enumerate() {
            let (normed, g) = ((*y - mean) * root, *dy * (T::ONE + weights.norm[first + unit]));
            hidden_gradient.push(root * (g - sum / count - normed * product / count));
        }
    }
    let cell_inputs = cell_inputs(weights, inputs, forget_gate, &trace.pre);
    let found = cell::backward(cell_shape(&shape), &cell_inputs, &hidden_gradient, None);
    let mut input = vec![T::ZERO; shape.sequence_len()];
    let mut active = vec![T::ZERO; shape.sequence_len()];
    let mut gates = vec![T::ZERO; weights.gates.len()];
    for (at, d) in found.input.iter().enumerate() {
        let (position, unit) = (at / (GATES * width), at % (GATES * width));
        let (gate, from) = (unit / width, position * width + unit % width / dim * dim);
        for j in 0..dim {
            let (source, target) =
                if gate < 2 { (&trace.active[..], &mut active) } else { (inputs.input, &mut input) };
            gates[unit * dim + j] += *d * source[from + j];
            target[from + j] += *d * weights.gates[unit * dim + j];
        }
    }
    let mut gradients = ReferenceGradients {
        input,
        convolution_weight: Vec::new(),
        convolution_bias: Vec::new(),
        gates,
        recurrent: found.weights,
        bias: found.bias,
        norm,
    };
    convolution_backward(&shape, weights, inputs, (&trace.convolved, &active), &mut gradients);
    gradients
}

/// From da to the convolution's weights and to x.
fn convolution_backward<T: Real>(
    shape: &SlstmLayerShape,
    weights: &SlstmLayerWeights<'_, T>,
    inputs: &SlstmLayerInputs<'_, T>,
    (convolved, active): (&[T], &[T]),
    gradients: &mut ReferenceGradients<T>,
) {
    let (width, taps, time) = (shape.width(), shape.taps, shape.time);
    let Some(convolution) = weights.convolution else {
        for (dx, da) in gradients.input.iter_mut().zip(active) {
            *dx += *da;
        }
        return;
    };
    gradients.convolution_weight = vec![T::ZERO; width * taps];
    gradients.convolution_bias = vec![T::ZERO; width];
    for (at, (y, da)) in convolved.iter().zip(active).enumerate() {
        let (row, step, channel) = (at / width / time, at / width % time, at % width);
        let open = sigmoid(*y);
        let dy = *da * open * (T::ONE + *y * (T::ONE - open));
        gradients.convolution_bias[channel] += dy;
        for back in 0..taps {
            let tap = channel * taps + taps - 1 - back;
            gradients.convolution_weight[tap] += dy * seen(shape, inputs, (row, step, back), channel);
            let cut = (0..back.min(step + 1))
                .any(|passed| inputs.reset.is_some_and(|mask| mask[row * time + step - passed]));
            if back <= step && !cut {
                gradients.input[at - back * width] += dy * convolution.weight[tap];
            }
        }
    }
}
