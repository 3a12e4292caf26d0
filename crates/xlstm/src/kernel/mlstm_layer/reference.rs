//! The plain layer, straight from the equations, one number at a time. For tests and for doubt; never fast.

use super::{
    MlstmLayerGradients, MlstmLayerInputs, MlstmLayerOptions, MlstmLayerShape, MlstmLayerState,
    MlstmLayerWeightGradients, MlstmLayerWeights, NORM_EPSILON,
};
use crate::kernel::math::Real;
use crate::kernel::mlstm::{MlstmInputs, reference as cell};

/// Every value on the way, by batch row, step and channel (`[B, T, I]`) or head (`[B, NH, T, D]`, `[B, NH, T]`).
struct Values<T> {
    /// Before SiLU.
    convolved: Vec<T>,
    activated: Vec<T>,
    query: Vec<T>,
    key: Vec<T>,
    value: Vec<T>,
    /// Capped.
    input_gate: Vec<T>,
    forget_gate: Vec<T>,
    hidden: Vec<T>,
    /// (x - mean) / root.
    normed: Vec<T>,
    /// 1 / root, `[B, NH, T]`.
    inverse: Vec<T>,
    output: Vec<T>,
    state: MlstmLayerState<T>,
}

fn sigmoid<T: Real>(x: T) -> T {
    T::from_f64(1.0 / (1.0 + (-x.to_f64()).exp()))
}

/// Row `t - back` of u before step t, or `None` where a reset or the start lies between and no window fills it.
fn past<T: Real>(
    shape: &MlstmLayerShape,
    inputs: &MlstmLayerInputs<'_, T>,
    (b, t, c): (usize, usize, usize),
    back: usize,
) -> Option<T> {
    let MlstmLayerShape { time, inner, taps, .. } = *shape;
    for between in 0..back {
        let Some(step) = t.checked_sub(between) else { break };
        if inputs.reset.is_some_and(|mask| mask[b * time + step]) {
            return None;
        }
    }
    match t.checked_sub(back) {
        Some(step) => Some(inputs.projected[(b * time + step) * 2 * inner + c]),
        None => inputs.initial.map(|state| state.window[(b * (taps - 1) + taps - 1 + t - back) * inner + c]),
    }
}

/// Place of (b, t, c) in `[B, NH, T, D]`.
fn by_head(shape: &MlstmLayerShape, b: usize, t: usize, c: usize) -> usize {
    let dim = shape.dim();
    ((b * shape.heads + c / dim) * shape.time + t) * dim + c % dim
}

fn run<T: Real>(
    shape: &MlstmLayerShape,
    weights: &MlstmLayerWeights<'_, T>,
    inputs: &MlstmLayerInputs<'_, T>,
    options: &MlstmLayerOptions,
) -> Values<T> {
    let MlstmLayerShape { batch, time, heads, inner, block, taps } = *shape;
    let zeros = || vec![T::ZERO; shape.output_len()];
    let gates = || vec![T::ZERO; batch * heads * time];
    let mut v = Values {
        convolved: zeros(),
        activated: zeros(),
        query: zeros(),
        key: zeros(),
        value: zeros(),
        input_gate: gates(),
        forget_gate: gates(),
        hidden: Vec::new(),
        normed: zeros(),
        inverse: gates(),
        output: zeros(),
        state: MlstmLayerState::empty(shape),
    };
    for (b, t) in (0..batch).flat_map(|b| (0..time).map(move |t| (b, t))) {
        let row = (b * time + t) * inner;
        for c in 0..inner {
            let mut y = weights.conv_bias[c];
            for back in 0..taps {
                if let Some(x) = past(shape, inputs, (b, t, c), back) {
                    y += weights.conv_weight[c * taps + taps - 1 - back] * x;
                }
            }
            v.convolved[row + c] = y;
            v.activated[row + c] = y * sigmoid(y);
        }
        for c in 0..inner {
            let at = by_head(shape, b, t, c);
            for j in 0..block {
                let from = c / block * block + j;
                let a = v.activated[row + from];
                v.query[at] += weights.query[c * block + j] * a;
                v.key[at] += weights.key[c * block + j] * a;
                v.value[at] += weights.value[c * block + j] * inputs.projected[2 * row + from];
            }
        }
        for head in 0..heads {
            let (mut i, mut f) = (weights.input_gate_bias[head], weights.forget_gate_bias[head]);
            for (third, vector) in [&v.query, &v.key, &v.value].into_iter().enumerate() {
                for c in 0..inner {
                    let (x, column) = (vector[by_head(shape, b, t, c)], (head * 3 + third) * inner + c);
                    i += weights.input_gate_weight[column] * x;
                    f += weights.forget_gate_weight[column] * x;
                }
            }
            let cap = |x: T| options.soft_cap.map_or(x, |c| T::from_f64(c * (x.to_f64() / c).tanh()));
            let at = (b * heads + head) * time + t;
            (v.input_gate[at], v.forget_gate[at]) = (cap(i), cap(f));
        }
    }
    (v.hidden, v.state.cell) = cell::forward(shape.cell(), &cell_inputs(&v, inputs), options.forget);
    normalise_and_open(shape, weights, inputs, &mut v);
    for (b, back) in (0..batch).flat_map(|b| (1..taps).map(move |back| (b, back))) {
        for c in 0..inner {
            // The row that lies `back - 1` before the last one.
            let x = past(shape, inputs, (b, time - 1, c), back - 1);
            v.state.window[(b * (taps - 1) + taps - 1 - back) * inner + c] = x.unwrap_or(T::ZERO);
        }
    }
    v
}

fn cell_inputs<'a, T>(v: &'a Values<T>, inputs: &MlstmLayerInputs<'a, T>) -> MlstmInputs<'a, T> {
    MlstmInputs {
        query: &v.query,
        key: &v.key,
        value: &v.value,
        input_gate: &v.input_gate,
        forget_gate: &v.forget_gate,
        reset: inputs.reset,
        initial: inputs.initial.map(|state| &state.cell),
    }
}

fn normalise_and_open<T: Real>(
    shape: &MlstmLayerShape,
    weights: &MlstmLayerWeights<'_, T>,
    inputs: &MlstmLayerInputs<'_, T>,
    v: &mut Values<T>,
) {
    let MlstmLayerShape { batch, time, inner, .. } = *shape;
    let dim = shape.dim();
    let count = T::from_f64(dim as f64);
    for (b, t) in (0..batch).flat_map(|b| (0..time).map(move |t| (b, t))) {
        for c in 0..inner {
            let at = by_head(shape, b, t, c);
            let group = &v.hidden[at - c % dim..][..dim];
            let (mut mean, mut variance) = (T::ZERO, T::ZERO);
            group.iter().for_each(|x| mean += *x / count);
            group.iter().for_each(|x| variance += (*x - mean) * (*x - mean) / count);
            let inverse = T::from_f64(1.0 / (variance.to_f64() + NORM_EPSILON).sqrt());
            v.inverse[at / dim] = inverse;
            let element = (b * time + t) * inner + c;
            v.normed[element] = (v.hidden[at] - mean) * inverse;
            let z = inputs.projected[(b * time + t) * 2 * inner + inner + c];
            let sum = v.normed[element] * (T::ONE + weights.norm[c]) + weights.skip[c] * v.activated[element];
            v.output[element] = sum * z * sigmoid(z);
        }
    }
}

/// out `[batch, time, inner]` and the state after the last step.
#[must_use]
pub fn forward<T: Real>(
    shape: MlstmLayerShape,
    weights: &MlstmLayerWeights<'_, T>,
    inputs: &MlstmLayerInputs<'_, T>,
    options: &MlstmLayerOptions,
) -> (Vec<T>, MlstmLayerState<T>) {
    let values = run(&shape, weights, inputs, options);
    (values.output, values.state)
}

fn zero_gradients<T: Real>(
    shape: &MlstmLayerShape,
    weights: &MlstmLayerWeights<'_, T>,
) -> MlstmLayerGradients<T> {
    let zeros = |like: &[T]| vec![T::ZERO; like.len()];
    let mut out = MlstmLayerGradients::default();
    out.projected = vec![T::ZERO; shape.projected_len()];
    out.weights = MlstmLayerWeightGradients {
        conv_weight: zeros(weights.conv_weight),
        conv_bias: zeros(weights.conv_bias),
        query: zeros(weights.query),
        key: zeros(weights.key),
        value: zeros(weights.value),
        input_gate_weight: zeros(weights.input_gate_weight),
        input_gate_bias: zeros(weights.input_gate_bias),
        forget_gate_weight: zeros(weights.forget_gate_weight),
        forget_gate_bias: zeros(weights.forget_gate_bias),
        norm: zeros(weights.norm),
        skip: zeros(weights.skip),
    };
    out
}

/// Gradients of the projected rows and of every weight.
#[must_use]
pub fn backward<T: Real>(
    shape: MlstmLayerShape,
    weights: &MlstmLayerWeights<'_, T>,
    inputs: &MlstmLayerInputs<'_, T>,
    options: &MlstmLayerOptions,
    output_gradient: &[T],
) -> MlstmLayerGradients<T> {
    let MlstmLayerShape { batch, time, inner, .. } = shape;
    let dim = shape.dim();
    let v = run(&shape, weights, inputs, options);
    let mut out = zero_gradients(&shape, weights);
    let mut d_activated = vec![T::ZERO; shape.output_len()];
    let mut d_normed = vec![T::ZERO; shape.output_len()];
    for element in 0..shape.output_len() {
        let c = element % inner;
        let at = element / inner * 2 * inner + inner + c;
        let z = inputs.projected[at];
        let open = sigmoid(z);
        let factor = T::ONE + weights.norm[c];
        let sum = v.normed[element] * factor + weights.skip[c] * v.activated[element];
        out.projected[at] = output_gradient[element] * sum * open * (T::ONE + z * (T::ONE - open));
        let d_sum = output_gradient[element] * z * open;
        out.weights.skip[c] += d_sum * v.activated[element];
        d_activated[element] = d_sum * weights.skip[c];
        out.weights.norm[c] += d_sum * v.normed[element];
        d_normed[element] = d_sum * factor;
    }
    let mut d_hidden = vec![T::ZERO; shape.output_len()];
    let count = T::from_f64(dim as f64);
    for (b, t) in (0..batch).flat_map(|b| (0..time).map(move |t| (b, t))) {
        for c in 0..inner {
            let element = (b * time + t) * inner + c;
            let group = element - c % dim..element - c % dim + dim;
            let (mut mean, mut along) = (T::ZERO, T::ZERO);
            for other in group {
                mean += d_normed[other] / count;
                along += d_normed[other] * v.normed[other] / count;
            }
            let at = by_head(&shape, b, t, c);
            d_hidden[at] = v.inverse[at / dim] * (d_normed[element] - mean - v.normed[element] * along);
        }
    }
    let d = cell::backward(shape.cell(), &cell_inputs(&v, inputs), options.forget, &d_hidden, None);
    let (mut d_query, mut d_key, mut d_value) = (d.query, d.key, d.value);
    let gates = (d.input_gate.as_slice(), d.forget_gate.as_slice());
    gates_backward(&shape, weights, options, &v, gates, [&mut d_query, &mut d_key, &mut d_value], &mut out);
    blocks_backward(&shape, weights, inputs, &v, [&d_query, &d_key, &d_value], &mut d_activated, &mut out);
    convolution_backward(&shape, weights, inputs, &v, &d_activated, &mut out);
    out
}

fn gates_backward<T: Real>(
    shape: &MlstmLayerShape,
    weights: &MlstmLayerWeights<'_, T>,
    options: &MlstmLayerOptions,
    v: &Values<T>,
    (d_input, d_forget): (&[T], &[T]),
    mut vectors: [&mut Vec<T>; 3],
    out: &mut MlstmLayerGradients<T>,
) {
    let MlstmLayerShape { time, heads, inner, .. } = *shape;
    let slope = |capped: T| {
        options.soft_cap.map_or(T::ONE, |c| T::from_f64(1.0 - (capped.to_f64() / c) * (capped.to_f64() / c)))
    };
    for at in 0..d_input.len() {
        let (b, head, t) = (at / time / heads, at / time % heads, at % time);
        let di = d_input[at] * slope(v.input_gate[at]);
        let df = d_forget[at] * slope(v.forget_gate[at]);
        out.weights.input_gate_bias[head] += di;
        out.weights.forget_gate_bias[head] += df;
        for (third, (d_vector, vector)) in vectors.iter_mut().zip([&v.query, &v.key, &v.value]).enumerate() {
            for c in 0..inner {
                let (from, column) = (by_head(shape, b, t, c), (head * 3 + third) * inner + c);
                out.weights.input_gate_weight[column] += di * vector[from];
                out.weights.forget_gate_weight[column] += df * vector[from];
                d_vector[from] +=
                    di * weights.input_gate_weight[column] + df * weights.forget_gate_weight[column];
            }
        }
    }
}

fn blocks_backward<T: Real>(
    shape: &MlstmLayerShape,
    weights: &MlstmLayerWeights<'_, T>,
    inputs: &MlstmLayerInputs<'_, T>,
    v: &Values<T>,
    [d_query, d_key, d_value]: [&[T]; 3],
    d_activated: &mut [T],
    out: &mut MlstmLayerGradients<T>,
) {
    let MlstmLayerShape { batch, time, inner, block, .. } = *shape;
    for (b, t) in (0..batch).flat_map(|b| (0..time).map(move |t| (b, t))) {
        let row = (b * time + t) * inner;
        for c in 0..inner {
            let at = by_head(shape, b, t, c);
            for j in 0..block {
                let (from, w) = (c / block * block + j, c * block + j);
                let (a, u) = (v.activated[row + from], inputs.projected[2 * row + from]);
                out.weights.query[w] += d_query[at] * a;
                out.weights.key[w] += d_key[at] * a;
                out.weights.value[w] += d_value[at] * u;
                d_activated[row + from] += weights.query[w] * d_query[at] + weights.key[w] * d_key[at];
                out.projected[2 * row + from] += weights.value[w] * d_value[at];
            }
        }
    }
}

fn convolution_backward<T: Real>(
    shape: &MlstmLayerShape,
    weights: &MlstmLayerWeights<'_, T>,
    inputs: &MlstmLayerInputs<'_, T>,
    v: &Values<T>,
    d_activated: &[T],
    out: &mut MlstmLayerGradients<T>,
) {
    let MlstmLayerShape { batch, time, inner, taps, .. } = *shape;
    for (b, t) in (0..batch).flat_map(|b| (0..time).map(move |t| (b, t))) {
        for c in 0..inner {
            let element = (b * time + t) * inner + c;
            let y = v.convolved[element];
            let open = sigmoid(y);
            let dy = d_activated[element] * open * (T::ONE + y * (T::ONE - open));
            out.weights.conv_bias[c] += dy;
            for back in 0..taps {
                let Some(x) = past(shape, inputs, (b, t, c), back) else { continue };
                let w = c * taps + taps - 1 - back;
                out.weights.conv_weight[w] += dy * x;
                if let Some(step) = t.checked_sub(back) {
                    out.projected[(b * time + step) * 2 * inner + c] += dy * weights.conv_weight[w];
                }
            }
        }
    }
}
