//! One step of inference: state in, state out, constant time, no allocation.

use super::chunk::exact_exponential;
use super::{EPSILON, HeadStateMut, MlstmState};
use crate::kernel::error::{KernelError, expect_length, expect_positive};
use crate::kernel::gate::ForgetGate;
use crate::kernel::level::{Level, dispatched};
use crate::kernel::math::{Arithmetic, Real};
use rayon::prelude::*;

/// Elements of all memories together below which a step stays on the calling thread.
const SERIAL_BELOW: usize = 400_000;

/// Inputs of one step for `batch · heads` independent recurrences.
#[derive(Debug, Clone, Copy)]
pub struct MlstmStepInputs<'a, T> {
    /// Sequences in the batch.
    pub batch: usize,
    /// Heads.
    pub heads: usize,
    /// Length of q, k, v per head.
    pub dim: usize,
    /// `[batch, heads, dim]`.
    pub query: &'a [T],
    /// `[batch, heads, dim]`.
    pub key: &'a [T],
    /// `[batch, heads, dim]`.
    pub value: &'a [T],
    /// Pre-activation, `[batch, heads]`, finite.
    pub input_gate: &'a [T],
    /// Pre-activation, `[batch, heads]`, finite.
    pub forget_gate: &'a [T],
    /// What the forget gate's pre-activation means.
    pub forget: ForgetGate,
    /// `[batch]`: true where the state is emptied before the step.
    pub reset: Option<&'a [bool]>,
}

/// Advances `state` by one step and writes h, `[batch, heads, dim]`, to `hidden`.
///
/// # Errors
/// [`KernelError`] where a slice does not fit; nothing has been written then.
pub fn step<T: Real>(
    level: Level,
    inputs: &MlstmStepInputs<'_, T>,
    state: &mut MlstmState<T>,
    hidden: &mut [T],
) -> Result<(), KernelError> {
    let MlstmStepInputs { batch, heads, dim, .. } = *inputs;
    check(inputs, state, hidden)?;
    let rows = batch * heads;
    let one = |row: usize, hidden: &mut [T], mut state: HeadStateMut<'_, T>| {
        let vector = row * dim..(row + 1) * dim;
        if inputs.reset.is_some_and(|reset| reset[row / heads]) {
            state.clear();
        }
        step_head(
            level,
            &inputs.query[vector.clone()],
            &inputs.key[vector.clone()],
            &inputs.value[vector],
            (inputs.input_gate[row], inputs.forget_gate[row], inputs.forget),
            &mut state,
            hidden,
        );
    };
    if rows * dim * dim < SERIAL_BELOW {
        for ((row, hidden), state) in hidden.chunks_exact_mut(dim).enumerate().zip(state.heads_mut(dim)) {
            one(row, hidden, state);
        }
    } else {
        hidden
            .par_chunks_exact_mut(dim)
            .zip(state.memory.par_chunks_exact_mut(dim * dim))
            .zip(state.normaliser.par_chunks_exact_mut(dim))
            .zip(state.stabiliser.par_iter_mut())
            .with_min_len(8)
            .enumerate()
            .for_each(|(row, (((hidden, memory), normaliser), stabiliser))| {
                one(row, hidden, HeadStateMut { memory, normaliser, stabiliser });
            });
    }
    Ok(())
}

fn check<T>(inputs: &MlstmStepInputs<'_, T>, state: &MlstmState<T>, hidden: &[T]) -> Result<(), KernelError> {
    let MlstmStepInputs { batch, heads, dim, .. } = *inputs;
    expect_positive("batch", batch)?;
    expect_positive("heads", heads)?;
    expect_positive("dim", dim)?;
    let rows = batch * heads;
    expect_length("query", rows * dim, inputs.query.len())?;
    expect_length("key", rows * dim, inputs.key.len())?;
    expect_length("value", rows * dim, inputs.value.len())?;
    expect_length("input_gate", rows, inputs.input_gate.len())?;
    expect_length("forget_gate", rows, inputs.forget_gate.len())?;
    if let Some(reset) = inputs.reset {
        expect_length("reset", batch, reset.len())?;
    }
    state.check(rows, dim)?;
    expect_length("hidden", rows * dim, hidden.len())
}

dispatched! {
    /// One recurrence, one step; `gates` are the pre-activations (i, f) and what f means.
    fn step_head(
        query: &[T],
        key: &[T],
        value: &[T],
        gates: (T, T, ForgetGate),
        state: &mut HeadStateMut<'_, T>,
        hidden: &mut [T],
    ) = step_head_body;
}

#[inline(always)]
fn step_head_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    query: &[T],
    key: &[T],
    value: &[T],
    gates: (T, T, ForgetGate),
    state: &mut HeadStateMut<'_, T>,
    hidden: &mut [T],
) {
    let dim = hidden.len();
    let (input_gate, forget_gate, forget) = gates;
    let log_forget = match forget {
        ForgetGate::Sigmoid => forget_gate.to_f64().smaller(0.0) - forget_gate.softplus_tail::<A>().to_f64(),
        ForgetGate::Exponential => forget_gate.to_f64(),
    };
    let entering = log_forget + state.stabiliser.to_f64();
    // Rounded before it is used: C' and m' belong together to the last bit, over any number of steps.
    let stabiliser = T::from_f64(entering.larger(input_gate.to_f64()));
    // n is decayed in f64: where q.n cancels, factors rounded to f32 would be seen in h.
    let exact_decay = exact_exponential(entering - stabiliser.to_f64());
    let exact_gain = exact_exponential(input_gate.to_f64() - stabiliser.to_f64()) / (dim as f64).sqrt();
    let (decay, gain) = (T::from_f64(exact_decay), T::from_f64(exact_gain));
    *state.stabiliser = stabiliser;
    let mut dot = 0.0_f64;
    for ((n, k), q) in state.normaliser.iter_mut().zip(key).zip(query) {
        *n = n.multiply_add::<A>(exact_decay, exact_gain * k.to_f64());
        dot = q.to_f64().multiply_add::<A>(*n, dot);
    }
    hidden.fill(T::ZERO);
    let value = &value[..dim];
    for ((row, k), q) in state.memory.chunks_exact_mut(dim).zip(key).zip(query) {
        let write = gain * *k;
        for ((c, v), h) in row.iter_mut().zip(value).zip(hidden.iter_mut()) {
            *c = v.multiply_add::<A>(write, *c * decay);
            *h = q.multiply_add::<A>(*c, *h);
        }
    }
    let floor = (-stabiliser).exp::<A>();
    let inverse = T::ONE / (T::from_f64(dot.abs()).larger(floor) + T::from_f64(EPSILON));
    for h in hidden {
        *h *= inverse;
    }
}
