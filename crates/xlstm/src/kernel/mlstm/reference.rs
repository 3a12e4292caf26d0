//! The plain cell, straight from the equations: one recurrence at a time, one step at a time, every state kept.
//! For tests and for doubt; never fast.

use super::{EPSILON, HeadState, MlstmGradients, MlstmInputs, MlstmShape, MlstmState};
use crate::kernel::gate::ForgetGate;
use crate::kernel::math::Real;

/// One step's values, kept for the backward pass.
struct Step<T> {
    memory_before: Vec<T>,
    normaliser_before: Vec<f64>,
    memory: Vec<T>,
    normaliser: Vec<f64>,
    stabiliser: T,
    decay: T,
    gain: T,
    dot: T,
    denominator: T,
    hidden: Vec<T>,
    /// The maximum was the carried stabiliser, not the input gate.
    from_before: bool,
    is_reset: bool,
}

fn exp<T: Real>(x: T) -> T {
    T::from_f64(x.to_f64().exp())
}
/// Logarithm of the factor that the memory keeps.
fn log_forget<T: Real>(forget: ForgetGate, x: T) -> T {
    match forget {
        ForgetGate::Sigmoid => {
            let x = x.to_f64();
            T::from_f64(x.min(0.0) - (-x.abs()).exp().ln_1p())
        }
        ForgetGate::Exponential => x,
    }
}
/// Its derivative.
fn log_forget_slope<T: Real>(forget: ForgetGate, x: T) -> T {
    match forget {
        ForgetGate::Sigmoid => T::from_f64(1.0 / (1.0 + x.to_f64().exp())),
        ForgetGate::Exponential => T::ONE,
    }
}

fn run_head<T: Real>(
    shape: &MlstmShape,
    inputs: &MlstmInputs<'_, T>,
    forget: ForgetGate,
    row: usize,
) -> Vec<Step<T>> {
    let (time, dim) = (shape.time, shape.dim);
    let scale = T::from_f64(1.0 / (dim as f64).sqrt());
    let (mut memory, mut normaliser, mut stabiliser) = match inputs.initial {
        Some(state) => {
            let HeadState { memory, normaliser, stabiliser } = state.head(row, dim);
            (memory.to_vec(), normaliser.to_vec(), *stabiliser)
        }
        None => (vec![T::ZERO; dim * dim], vec![0.0; dim], T::NEGATIVE_INFINITY),
    };
    let mut steps = Vec::new();
    for t in 0..time {
        let is_reset = inputs.reset.is_some_and(|mask| mask[row / shape.heads * time + t]);
        if is_reset {
            memory.fill(T::ZERO);
            normaliser.fill(0.0);
            stabiliser = T::NEGATIVE_INFINITY;
        }
        let (memory_before, normaliser_before) = (memory.clone(), normaliser.clone());
        let at = row * time + t;
        let q = &inputs.query[at * dim..(at + 1) * dim];
        let k = &inputs.key[at * dim..(at + 1) * dim];
        let v = &inputs.value[at * dim..(at + 1) * dim];
        let (i, log_forget) = (inputs.input_gate[at], log_forget(forget, inputs.forget_gate[at]));
        let carried = log_forget + stabiliser;
        let from_before = carried >= i;
        let next = if from_before { carried } else { i };
        let (decay, gain) = (exp(carried - next), exp(i - next));
        for r in 0..dim {
            normaliser[r] = decay.to_f64() * normaliser[r] + (gain * scale).to_f64() * k[r].to_f64();
            for c in 0..dim {
                memory[r * dim + c] = decay * memory[r * dim + c] + gain * scale * k[r] * v[c];
            }
        }
        let mut dot = 0.0;
        let mut hidden = vec![T::ZERO; dim];
        for r in 0..dim {
            dot += q[r].to_f64() * normaliser[r];
            for c in 0..dim {
                hidden[c] += q[r] * memory[r * dim + c];
            }
        }
        let dot = T::from_f64(dot);
        let denominator = dot.abs().larger(exp(-next)) + T::from_f64(EPSILON);
        for h in &mut hidden {
            *h = *h / denominator;
        }
        stabiliser = next;
        steps.push(Step {
            memory_before,
            normaliser_before,
            memory: memory.clone(),
            normaliser: normaliser.clone(),
            stabiliser,
            decay,
            gain,
            dot,
            denominator,
            hidden,
            from_before,
            is_reset,
        });
    }
    steps
}

/// h `[batch, heads, time, dim]` and the state after the last step.
#[must_use]
pub fn forward<T: Real>(
    shape: MlstmShape,
    inputs: &MlstmInputs<'_, T>,
    forget: ForgetGate,
) -> (Vec<T>, MlstmState<T>) {
    let mut hidden = Vec::new();
    let mut state = MlstmState { memory: Vec::new(), normaliser: Vec::new(), stabiliser: Vec::new() };
    for row in 0..shape.rows() {
        let steps = run_head(&shape, inputs, forget, row);
        for step in &steps {
            hidden.extend_from_slice(&step.hidden);
        }
        if let Some(last) = steps.last() {
            state.memory.extend_from_slice(&last.memory);
            state.normaliser.extend_from_slice(&last.normaliser);
            state.stabiliser.push(last.stabiliser);
        }
    }
    (hidden, state)
}

/// Gradients of every input from those of h and, if any, of the final state.
#[must_use]
pub fn backward<T: Real>(
    shape: MlstmShape,
    inputs: &MlstmInputs<'_, T>,
    forget: ForgetGate,
    hidden_gradient: &[T],
    final_gradient: Option<&MlstmState<T>>,
) -> MlstmGradients<T> {
    let mut out = MlstmGradients {
        query: vec![T::ZERO; shape.sequence_len()],
        key: vec![T::ZERO; shape.sequence_len()],
        value: vec![T::ZERO; shape.sequence_len()],
        input_gate: vec![T::ZERO; shape.gate_len()],
        forget_gate: vec![T::ZERO; shape.gate_len()],
        initial: inputs.initial.map(|_| MlstmState::zeros(shape.batch, shape.heads, shape.dim)),
    };
    for row in 0..shape.rows() {
        backward_head(&shape, inputs, forget, hidden_gradient, final_gradient, row, &mut out);
    }
    out
}

fn backward_head<T: Real>(
    shape: &MlstmShape,
    inputs: &MlstmInputs<'_, T>,
    forget: ForgetGate,
    hidden_gradient: &[T],
    final_gradient: Option<&MlstmState<T>>,
    row: usize,
    out: &mut MlstmGradients<T>,
) {
    let (time, dim) = (shape.time, shape.dim);
    let scale = T::from_f64(1.0 / (dim as f64).sqrt());
    let steps = run_head(shape, inputs, forget, row);
    let (mut d_memory, mut d_normaliser, mut d_stabiliser) = match final_gradient {
        Some(state) => {
            let HeadState { memory, normaliser, stabiliser } = state.head(row, dim);
            (memory.to_vec(), normaliser.to_vec(), *stabiliser)
        }
        None => (vec![T::ZERO; dim * dim], vec![0.0; dim], T::ZERO),
    };
    for (t, step) in steps.iter().enumerate().rev() {
        let at = row * time + t;
        let element = at * dim;
        let q = &inputs.query[element..element + dim];
        let k = &inputs.key[element..element + dim];
        let v = &inputs.value[element..element + dim];
        let g = &hidden_gradient[element..element + dim];
        // h = num/den, den = max(|b|, exp(-m)) + eps
        let mut along = T::ZERO;
        for (g, h) in g.iter().zip(&step.hidden) {
            along += *g * *h;
        }
        let floor = exp(-step.stabiliser);
        let d_denominator = -along / step.denominator;
        let mut d_dot = T::ZERO;
        if step.dot.abs() > floor {
            d_dot = if step.dot < T::ZERO { -d_denominator } else { d_denominator };
        } else if floor.to_f64().is_finite() {
            // An infinite floor makes h and d_denominator zero.
            d_stabiliser += -floor * d_denominator;
        }
        let mut d_decay = T::ZERO;
        let mut d_gain = T::ZERO;
        for r in 0..dim {
            for c in 0..dim {
                let d_num = g[c] / step.denominator;
                out.query[element + r] += step.memory[r * dim + c] * d_num;
                d_memory[r * dim + c] += q[r] * d_num;
            }
            out.query[element + r] += d_dot * T::from_f64(step.normaliser[r]);
            d_normaliser[r] += d_dot.to_f64() * q[r].to_f64();
        }
        for r in 0..dim {
            for c in 0..dim {
                let d = d_memory[r * dim + c];
                out.key[element + r] += step.gain * scale * d * v[c];
                out.value[element + c] += step.gain * scale * d * k[r];
                d_gain += d * scale * k[r] * v[c];
                d_decay += d * step.memory_before[r * dim + c];
                d_memory[r * dim + c] = step.decay * d;
            }
            let d = d_normaliser[r];
            out.key[element + r] += step.gain * scale * T::from_f64(d);
            d_gain += T::from_f64(d) * scale * k[r];
            d_decay += T::from_f64(d * step.normaliser_before[r]);
            d_normaliser[r] = step.decay.to_f64() * d;
        }
        // decay = exp(lf + m - m'), gain = exp(i - m'), m' = max(lf + m, i): plain chain rule, m' included.
        let through_decay = step.decay * d_decay;
        let through_gain = step.gain * d_gain;
        let d_next = d_stabiliser - through_decay - through_gain;
        let (to_carried, to_input) = if step.from_before { (d_next, T::ZERO) } else { (T::ZERO, d_next) };
        out.input_gate[at] = through_gain + to_input;
        let d_log_forget = through_decay + to_carried;
        out.forget_gate[at] = d_log_forget * log_forget_slope(forget, inputs.forget_gate[at]);
        d_stabiliser = d_log_forget;
        if step.is_reset {
            d_memory.fill(T::ZERO);
            d_normaliser.fill(0.0);
            d_stabiliser = T::ZERO;
        }
    }
    if let Some(initial) = &mut out.initial {
        initial.memory[row * dim * dim..(row + 1) * dim * dim].copy_from_slice(&d_memory);
        initial.normaliser[row * dim..(row + 1) * dim].copy_from_slice(&d_normaliser);
        initial.stabiliser[row] = d_stabiliser;
    }
}
