//! The plain cell, straight from the equations: unit by unit, step by step. For tests and for doubt; never fast.

use super::{GATES, SlstmShape, SlstmState};
use crate::kernel::gate::ForgetGate;
use crate::kernel::math::Real;

/// Inputs with the weights as the caller holds them: R `[4, heads, dim_out, dim_in]`, b `[4, heads, dim]`.
#[derive(Debug, Clone, Copy)]
pub struct ReferenceInputs<'a, T> {
    /// `[batch, time, 4, heads, dim]`.
    pub input: &'a [T],
    /// R.
    pub weights: &'a [T],
    /// b.
    pub bias: &'a [T],
    /// `[batch, time]`.
    pub reset: Option<&'a [bool]>,
    /// State before the first step.
    pub initial: Option<&'a SlstmState<T>>,
    /// How f acts.
    pub forget_gate: ForgetGate,
    /// `[batch, heads, dim]`: factors of y_(t-1) before R.
    pub recurrent_mask: Option<&'a [T]>,
}

/// Gradients: dx, dR, db and those of the initial state (of the empty state where there was none).
#[derive(Debug, Clone)]
pub struct ReferenceGradients<T> {
    /// dx.
    pub input: Vec<T>,
    /// dR.
    pub weights: Vec<T>,
    /// db.
    pub bias: Vec<T>,
    /// dy0, dc0, dn0, dm0.
    pub initial: SlstmState<T>,
}

fn exp<T: Real>(x: T) -> T {
    T::from_f64(x.to_f64().exp())
}
fn log_sigmoid<T: Real>(x: T) -> T {
    let x = x.to_f64();
    T::from_f64(x.min(0.0) - (-x.abs()).exp().ln_1p())
}
fn sigmoid<T: Real>(x: T) -> T {
    T::from_f64(1.0 / (1.0 + (-x.to_f64()).exp()))
}

/// Every step's states before (after a reset, if there is one) and after it, and its pre-activations.
struct Trace<T> {
    before: Vec<SlstmState<T>>,
    after: Vec<SlstmState<T>>,
    pre: Vec<Vec<T>>,
}

/// Index of (batch, head, unit) in a state.
fn state_at(shape: &SlstmShape, b: usize, h: usize, d: usize) -> usize {
    (b * shape.heads + h) * shape.dim + d
}
/// Index in `[batch, 4, heads, dim]`.
fn pre_at(shape: &SlstmShape, b: usize, g: usize, h: usize, d: usize) -> usize {
    ((b * GATES + g) * shape.heads + h) * shape.dim + d
}

/// The mask's factor of one y.
fn factor<T: Real>(inputs: &ReferenceInputs<'_, T>, at: usize) -> T {
    inputs.recurrent_mask.map_or(T::ONE, |mask| mask[at])
}
fn log_forget<T: Real>(gate: ForgetGate, f: T) -> T {
    match gate {
        ForgetGate::Sigmoid => log_sigmoid(f),
        ForgetGate::Exponential => f,
    }
}

fn reset_rows<T: Real>(
    shape: &SlstmShape,
    inputs: &ReferenceInputs<'_, T>,
    t: usize,
    state: &mut SlstmState<T>,
) {
    let width = shape.heads * shape.dim;
    for b in 0..shape.batch {
        if inputs.reset.is_some_and(|mask| mask[b * shape.time + t]) {
            for part in [&mut state.output, &mut state.cell, &mut state.normaliser, &mut state.stabiliser] {
                part[b * width..(b + 1) * width].fill(T::ZERO);
            }
        }
    }
}

fn run<T: Real>(shape: &SlstmShape, inputs: &ReferenceInputs<'_, T>) -> Trace<T> {
    let SlstmShape { batch, time, heads, dim } = *shape;
    let mut state = inputs.initial.cloned().unwrap_or_else(|| SlstmState::empty(batch, heads, dim));
    let mut trace = Trace { before: Vec::new(), after: Vec::new(), pre: Vec::new() };
    for t in 0..time {
        reset_rows(shape, inputs, t, &mut state);
        let mut pre = vec![T::ZERO; batch * GATES * heads * dim];
        let before = state.clone();
        for b in 0..batch {
            for h in 0..heads {
                for d in 0..dim {
                    for g in 0..GATES {
                        let at = pre_at(shape, b, g, h, d);
                        let mut sum =
                            inputs.input[(b * time + t) * GATES * heads * dim + (g * heads + h) * dim + d];
                        sum += inputs.bias[(g * heads + h) * dim + d];
                        for j in 0..dim {
                            let weight = inputs.weights[((g * heads + h) * dim + d) * dim + j];
                            let from = state_at(shape, b, h, j);
                            sum += weight * (before.output[from] * factor(inputs, from));
                        }
                        pre[at] = sum;
                    }
                    let at = state_at(shape, b, h, d);
                    let [i, f, z, o] = std::array::from_fn(|g| pre[pre_at(shape, b, g, h, d)]);
                    let carried = log_forget(inputs.forget_gate, f) + before.stabiliser[at];
                    let empty = before.normaliser[at] == T::ZERO;
                    let m = if empty || i > carried { i } else { carried };
                    let ig = exp(i - m);
                    let fg = if empty { T::ZERO } else { exp(carried - m) };
                    let c = fg * before.cell[at] + ig * T::from_f64(z.to_f64().tanh());
                    let n = fg * before.normaliser[at] + ig;
                    state.output[at] = sigmoid(o) * c / n;
                    state.cell[at] = c;
                    state.normaliser[at] = n;
                    state.stabiliser[at] = m;
                }
            }
        }
        trace.before.push(before);
        trace.after.push(state.clone());
        trace.pre.push(pre);
    }
    trace
}

/// y `[batch, time, heads, dim]` and the state after the last step.
#[must_use]
pub fn forward<T: Real>(shape: SlstmShape, inputs: &ReferenceInputs<'_, T>) -> (Vec<T>, SlstmState<T>) {
    let mut trace = run(&shape, inputs);
    let width = shape.heads * shape.dim;
    let mut output = vec![T::ZERO; shape.output_len()];
    for (t, state) in trace.after.iter().enumerate() {
        for b in 0..shape.batch {
            let to = (b * shape.time + t) * width;
            output[to..to + width].copy_from_slice(&state.output[b * width..(b + 1) * width]);
        }
    }
    let last = trace.after.pop().unwrap_or_else(|| SlstmState::empty(shape.batch, shape.heads, shape.dim));
    (output, last)
}

/// Gradients of every input from those of y and, if any, of the final state. Plain chain rule, m included.
#[must_use]
pub fn backward<T: Real>(
    shape: SlstmShape,
    inputs: &ReferenceInputs<'_, T>,
    output_gradient: &[T],
    final_gradient: Option<&SlstmState<T>>,
) -> ReferenceGradients<T> {
    let SlstmShape { batch, time, heads, dim } = shape;
    let trace = run(&shape, inputs);
    let mut out = ReferenceGradients {
        input: vec![T::ZERO; shape.input_len()],
        weights: vec![T::ZERO; inputs.weights.len()],
        bias: vec![T::ZERO; inputs.bias.len()],
        initial: final_gradient.cloned().unwrap_or_else(|| SlstmState::empty(batch, heads, dim)),
    };
    for t in (0..time).rev() {
        let mut before_gradient = SlstmState::empty(batch, heads, dim);
        for b in 0..batch {
            for h in 0..heads {
                for d in 0..dim {
                    let gradients = unit_backward(
                        &shape,
                        inputs.forget_gate,
                        &trace,
                        (t, b, h, d),
                        output_gradient,
                        &out.initial,
                    );
                    let at = state_at(&shape, b, h, d);
                    before_gradient.cell[at] = gradients.cell;
                    before_gradient.normaliser[at] = gradients.normaliser;
                    before_gradient.stabiliser[at] = gradients.stabiliser;
                    for (g, gradient) in gradients.pre.iter().enumerate() {
                        let unit = (g * heads + h) * dim + d;
                        out.input[(b * time + t) * GATES * heads * dim + unit] = *gradient;
                        out.bias[unit] += *gradient;
                        for j in 0..dim {
                            let from = state_at(&shape, b, h, j);
                            let factor = factor(inputs, from);
                            out.weights[unit * dim + j] += *gradient * trace.before[t].output[from] * factor;
                            before_gradient.output[from] +=
                                *gradient * inputs.weights[unit * dim + j] * factor;
                        }
                    }
                }
            }
        }
        reset_rows(&shape, inputs, t, &mut before_gradient);
        out.initial = before_gradient;
    }
    out
}

/// One unit's gradients at one step.
struct UnitGradients<T> {
    pre: [T; GATES],
    cell: T,
    normaliser: T,
    stabiliser: T,
}

fn unit_backward<T: Real>(
    shape: &SlstmShape,
    forget_gate: ForgetGate,
    trace: &Trace<T>,
    (t, b, h, d): (usize, usize, usize, usize),
    output_gradient: &[T],
    after_gradient: &SlstmState<T>,
) -> UnitGradients<T> {
    let at = state_at(shape, b, h, d);
    let (before, after) = (&trace.before[t], &trace.after[t]);
    let [i, f, z, o] = std::array::from_fn(|g| trace.pre[t][pre_at(shape, b, g, h, d)]);
    let (z, o) = (T::from_f64(z.to_f64().tanh()), sigmoid(o));
    let empty = before.normaliser[at] == T::ZERO;
    let carried = log_forget(forget_gate, f) + before.stabiliser[at];
    let slope = if forget_gate == ForgetGate::Sigmoid { sigmoid(-f) } else { T::ONE };
    let m = after.stabiliser[at];
    let ig = exp(i - m);
    let fg = if empty { T::ZERO } else { exp(carried - m) };
    let (c, n) = (after.cell[at], after.normaliser[at]);
    let dy =
        output_gradient[((b * shape.time + t) * shape.heads + h) * shape.dim + d] + after_gradient.output[at];
    let dc = after_gradient.cell[at] + dy * o / n;
    let dn = after_gradient.normaliser[at] - dy * o * c / (n * n);
    let d_o = dy * c / n * o * (T::ONE - o);
    let d_z = dc * ig * (T::ONE - z * z);
    let through_input = ig * (dc * z + dn);
    let through_forget = fg * (dc * before.cell[at] + dn * before.normaliser[at]);
    let dm = after_gradient.stabiliser[at] - through_input - through_forget;
    let from_input = empty || i > carried;
    let (to_input, to_carried) = if from_input { (dm, T::ZERO) } else { (T::ZERO, dm) };
    let d_carried = through_forget + to_carried;
    UnitGradients {
        pre: [through_input + to_input, d_carried * slope, d_z, d_o],
        cell: dc * fg,
        normaliser: dn * fg,
        stabiliser: d_carried,
    }
}
