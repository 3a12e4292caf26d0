//! Whole-sequence forward pass: parallel (one chunk) and chunkwise forms.

use super::chunk::{Gates, PaddedState, copy_rows_out, kept_state_len};
use super::plan::{Chunk, Plan};
use super::rows::{accumulate_normaliser, multiply_rows, weigh_rows};
use super::{EPSILON, Form, Geometry, HeadState, HeadStateMut, MlstmInputs, MlstmShape, MlstmState};
use crate::kernel::error::{KernelError, expect_positive};
use crate::kernel::gate::ForgetGate;
use crate::kernel::level::Level;
use crate::kernel::math::Real;
use crate::kernel::product::{Extent, Into, Left, Right, padded, padded_rows, product, transpose_padded};
use crate::kernel::schedule::{fit, run_jobs};

/// Rows of the score matrix that are worked on at a time.
pub(crate) const STRIP: usize = 8;

/// How a forward call runs.
#[derive(Debug, Clone, Copy)]
pub struct MlstmOptions {
    /// Which form of the cell; see [`super::choose_form`].
    pub form: Form,
    /// What the forget gate's pre-activation means.
    pub forget: ForgetGate,
    /// Whether to compute the state after the last step.
    pub final_state: bool,
    /// Vector instructions to use.
    pub level: Level,
}

/// What a forward call gives back.
#[derive(Debug, Clone)]
pub struct MlstmForward<T> {
    /// h, `[batch, heads, time, dim]`.
    pub hidden: Vec<T>,
    /// State after the last step, if it was asked for.
    pub state: Option<MlstmState<T>>,
    /// What [`super::backward`] needs besides the inputs and `hidden`.
    pub saved: MlstmSaved<T>,
}

/// Values kept from forward to backward: two numbers per step, and the state that enters each chunk but the first.
#[derive(Debug, Clone)]
pub struct MlstmSaved<T> {
    /// max(|b|, exp(-m)) + eps, `[batch, heads, time]`.
    pub(crate) denominator: Vec<T>,
    /// sign(b) where |b| makes the denominator, else 0; `[batch, heads, time]`.
    pub(crate) sign: Vec<T>,
    /// Entering states, chunk by chunk, head by head; per batch row as many as its plan has chunks, less one.
    pub(crate) kept: Vec<T>,
    /// Their normalisers, in the same order.
    pub(crate) kept_normalisers: Vec<f64>,
    pub(crate) plan: Plan,
    pub(crate) shape: MlstmShape,
    pub(crate) has_initial: bool,
    pub(crate) forget: ForgetGate,
    pub(crate) level: Level,
}

/// One (batch, head): inputs of its own, slices of its own.
pub(crate) struct Job<'a, T> {
    pub query: &'a [T],
    pub key: &'a [T],
    pub value: &'a [T],
    pub input_gate: &'a [T],
    pub forget_gate: &'a [T],
    pub chunks: &'a [Chunk],
    pub initial: Option<HeadState<'a, T>>,
    pub hidden: &'a mut [T],
    pub denominator: &'a mut [T],
    pub sign: &'a mut [T],
    /// Empty where no backward pass follows.
    pub kept: &'a mut [T],
    pub kept_normalisers: &'a mut [f64],
    pub forget: ForgetGate,
    pub last: Option<HeadStateMut<'a, T>>,
}

pub(crate) struct Scratch<T> {
    gates: Gates<T>,
    state: PaddedState<T>,
    keys_transposed: Vec<T>,
    values: Vec<T>,
    keys: Vec<T>,
    scaled_keys: Vec<T>,
    strip: Vec<T>,
    numerators: Vec<T>,
    weights: Vec<T>,
}

impl<T: Real> Scratch<T> {
    pub(crate) fn new(geometry: Geometry, longest: usize) -> Self {
        let (time, dim) = (padded(longest), geometry.dim_padded);
        let reals = |length: usize| vec![T::ZERO; length];
        Self {
            gates: Gates::new(longest),
            state: PaddedState::new(geometry),
            keys_transposed: reals(geometry.dim * time),
            values: reals(time * dim),
            keys: reals(time * dim),
            scaled_keys: reals(time * dim),
            strip: reals(STRIP * time),
            numerators: reals(STRIP * dim),
            weights: reals(time),
        }
    }
}

impl<T> Default for MlstmForward<T> {
    /// Empty buffers, to be filled by [`forward_into`].
    fn default() -> Self {
        let shape = MlstmShape { batch: 0, heads: 0, time: 0, dim: 0 };
        Self {
            hidden: Vec::new(),
            state: None,
            saved: MlstmSaved {
                denominator: Vec::new(),
                sign: Vec::new(),
                kept: Vec::new(),
                kept_normalisers: Vec::new(),
                plan: Plan::empty(),
                shape,
                has_initial: false,
                forget: ForgetGate::Sigmoid,
                level: Level::detect(),
            },
        }
    }
}

/// Computes h for every step, and what the backward pass needs.
///
/// # Errors
/// [`KernelError`] where a slice does not fit the shape, or a size or the chunk length is zero.
pub fn forward<T: Real>(
    shape: MlstmShape,
    inputs: &MlstmInputs<'_, T>,
    options: MlstmOptions,
) -> Result<MlstmForward<T>, KernelError> {
    let mut output = MlstmForward::default();
    forward_into(shape, inputs, options, &mut output)?;
    Ok(output)
}

/// As [`forward`], into buffers of an earlier call: allocates nothing large where the shape is the same.
///
/// # Errors
/// As [`forward`].
pub fn forward_into<T: Real>(
    shape: MlstmShape,
    inputs: &MlstmInputs<'_, T>,
    options: MlstmOptions,
    output: &mut MlstmForward<T>,
) -> Result<(), KernelError> {
    inputs.check(&shape)?;
    let length = options.form.chunk_length(shape.time);
    expect_positive("chunk length", length)?;
    let geometry = Geometry::new(options.level, shape.dim);
    let plan = Plan::new(&shape, length, inputs.reset, inputs.initial.is_some());
    let kept_states: usize = (0..shape.batch).map(|b| plan.kept_states(b) * shape.heads).sum();
    let longest = plan.longest();
    fit(&mut output.hidden, shape.sequence_len());
    let saved = &mut output.saved;
    fit(&mut saved.denominator, shape.gate_len());
    fit(&mut saved.sign, shape.gate_len());
    fit(&mut saved.kept, kept_states * kept_state_len(shape.dim));
    fit(&mut saved.kept_normalisers, kept_states * shape.dim);
    (saved.plan, saved.shape) = (plan, shape);
    (saved.has_initial, saved.level) = (inputs.initial.is_some(), options.level);
    saved.forget = options.forget;
    output.state = options.final_state.then(|| MlstmState::zeros(shape.batch, shape.heads, shape.dim));
    let jobs = make_jobs(&shape, inputs, output);
    let cost = shape.gate_len() * longest * shape.dim;
    let sizes = [longest, shape.dim, 0];
    run_jobs(
        jobs.into_iter(),
        cost,
        sizes,
        || Scratch::new(geometry, longest),
        |job, scratch| run_head(geometry, job, scratch),
    );
    Ok(())
}

fn make_jobs<'a, T: Real>(
    shape: &MlstmShape,
    inputs: &'a MlstmInputs<'a, T>,
    output: &'a mut MlstmForward<T>,
) -> Vec<Job<'a, T>> {
    let MlstmShape { heads, time, dim, .. } = *shape;
    let MlstmForward { hidden, state, saved } = output;
    let MlstmSaved { denominator, sign, kept, kept_normalisers, plan, forget, .. } = saved;
    let plan: &'a Plan = plan;
    let mut kept: &'a mut [T] = kept;
    let mut kept_normalisers: &'a mut [f64] = kept_normalisers;
    let mut last = state.as_mut().map(|state| state.heads_mut(dim));
    hidden
        .chunks_exact_mut(time * dim)
        .zip(denominator.chunks_exact_mut(time).zip(sign.chunks_exact_mut(time)))
        .enumerate()
        .map(|(row, (hidden, (denominator, sign)))| {
            let batch = row / heads;
            let states = plan.kept_states(batch);
            let (mine, rest) = std::mem::take(&mut kept).split_at_mut(states * kept_state_len(dim));
            let (my_normalisers, other_normalisers) =
                std::mem::take(&mut kept_normalisers).split_at_mut(states * dim);
            (kept, kept_normalisers) = (rest, other_normalisers);
            let sequence = row * time * dim..(row + 1) * time * dim;
            let steps = row * time..(row + 1) * time;
            Job {
                query: &inputs.query[sequence.clone()],
                key: &inputs.key[sequence.clone()],
                value: &inputs.value[sequence],
                input_gate: &inputs.input_gate[steps.clone()],
                forget_gate: &inputs.forget_gate[steps],
                chunks: plan.chunks(batch),
                initial: inputs.initial.map(|state| state.head(row, dim)),
                hidden,
                denominator,
                sign,
                kept: mine,
                kept_normalisers: my_normalisers,
                forget: *forget,
                last: last.as_mut().and_then(Iterator::next),
            }
        })
        .collect()
}

pub(crate) fn run_head<T: Real>(geometry: Geometry, mut job: Job<'_, T>, scratch: &mut Scratch<T>) {
    let kept_len = kept_state_len(geometry.dim);
    let chunks = job.chunks;
    for (index, chunk) in chunks.iter().enumerate() {
        if !chunk.enters {
            scratch.state.clear();
        } else if index == 0 {
            if let Some(initial) = job.initial {
                scratch.state.load(geometry, initial);
            }
        } else if !job.kept.is_empty() {
            let kept = &mut job.kept[(index - 1) * kept_len..index * kept_len];
            let (memory, stabiliser) = kept.split_at_mut(geometry.dim * geometry.dim);
            let normaliser = &mut job.kept_normalisers[(index - 1) * geometry.dim..index * geometry.dim];
            scratch.state.store(geometry, memory, normaliser, &mut stabiliser[0]);
        }
        chunk_forward(geometry, *chunk, &mut job, scratch);
        let leaves = chunks.get(index + 1).map_or(job.last.is_some(), |next| next.enters);
        if leaves {
            chunk_leave(geometry, *chunk, &job, scratch);
        }
    }
    if let Some(last) = job.last {
        scratch.state.store(geometry, last.memory, last.normaliser, last.stabiliser);
    }
}

/// h of one chunk's steps, from the state that entered and the chunk itself.
fn chunk_forward<T: Real>(geometry: Geometry, chunk: Chunk, job: &mut Job<'_, T>, scratch: &mut Scratch<T>) {
    let Geometry { level, dim, dim_padded, scale } = geometry;
    let Scratch { gates, state, keys_transposed, values, strip, numerators, weights, .. } = scratch;
    let (length, steps) = (chunk.len(), chunk.start..chunk.end);
    let elements = chunk.start * dim..chunk.end * dim;
    let stride = padded(length);
    gates.prepare(
        geometry,
        &job.input_gate[steps.clone()],
        &job.forget_gate[steps],
        job.forget,
        chunk.enters.then_some(state.stabiliser),
    );
    transpose_padded(&job.key[elements.clone()], length, dim, dim, keys_transposed, stride);
    let values = padded_rows(&job.value[elements.clone()], dim, values, dim_padded);
    let queries = &job.query[elements];
    for first in (0..length).step_by(STRIP) {
        let rows = STRIP.min(length - first);
        let columns = padded(first + rows);
        let query = &queries[first * dim..(first + rows) * dim];
        let left = Left { data: query, row_stride: dim, depth_stride: 1 };
        let scores = Extent { rows, depth: dim, columns };
        product(level, scores, left, Right { data: keys_transposed, stride }, Into::Replace, strip, stride);
        let mut sums = [T::ZERO; STRIP];
        weigh_rows(
            level,
            first,
            columns,
            gates.view(),
            T::from_f64(scale),
            &mut weights[..stride],
            &mut strip[..rows * stride],
            stride,
            &mut sums[..rows],
        );
        let mut into = Into::Replace;
        let outputs = Extent { rows, depth: dim, columns: dim_padded };
        if chunk.enters {
            let entering = &gates.entering[first..first + rows];
            let memory = Right { data: &state.memory, stride: dim_padded };
            product(level, outputs, left, memory, Into::Replace, numerators, dim_padded);
            multiply_rows(level, dim_padded, entering, &mut numerators[..rows * dim_padded]);
            add_normaliser(query, dim, &state.normaliser, entering, &mut sums);
            into = Into::Add;
        }
        let left = Left { data: strip, row_stride: stride, depth_stride: 1 };
        let outputs = Extent { depth: first + rows, ..outputs };
        product(
            level,
            outputs,
            left,
            Right { data: values, stride: dim_padded },
            into,
            numerators,
            dim_padded,
        );
        for row in 0..rows {
            let step = first + row;
            let floor = gates.floor[step];
            let size = sums[row].abs();
            let denominator = size.larger(floor) + T::from_f64(EPSILON);
            job.denominator[chunk.start + step] = denominator;
            job.sign[chunk.start + step] = if size > floor { signum(sums[row]) } else { T::ZERO };
            let numerator = &mut numerators[row * dim_padded..(row + 1) * dim_padded];
            multiply_rows(level, dim_padded, &[T::ONE / denominator], numerator);
            let at = (chunk.start + step) * dim;
            copy_rows_out(numerator, dim_padded, &mut job.hidden[at..at + dim], dim);
        }
    }
}

fn signum<T: Real>(value: T) -> T {
    if value < T::ZERO { -T::ONE } else { T::ONE }
}

/// `sums[r] += e_r q_r . n`.
fn add_normaliser<T: Real>(queries: &[T], dim: usize, normaliser: &[f64], entering: &[T], sums: &mut [T]) {
    for ((query, entering), sum) in queries.chunks_exact(dim).zip(entering).zip(sums) {
        let mut dot = 0.0;
        for (q, n) in query.iter().zip(normaliser) {
            dot += q.to_f64() * n;
        }
        *sum = T::from_f64(sum.to_f64() + entering.to_f64() * dot);
    }
}

/// Carries the state to the chunk's end: C' = decay C + sum of leaving_s k_s v_s^T, and n' alike.
fn chunk_leave<T: Real>(geometry: Geometry, chunk: Chunk, job: &Job<'_, T>, scratch: &mut Scratch<T>) {
    let Geometry { level, dim, dim_padded, .. } = geometry;
    let Scratch { gates, state, values, keys, scaled_keys, .. } = scratch;
    let length = chunk.len();
    gates.prepare_leaving(geometry, chunk.enters.then_some(state.stabiliser));
    let elements = chunk.start * dim..chunk.end * dim;
    let keys = padded_rows(&job.key[elements.clone()], dim, keys, dim_padded);
    let values = padded_rows(&job.value[elements], dim, values, dim_padded);
    let weights = &gates.leaving[..length];
    let exact = &gates.leaving_exact[..length];
    accumulate_normaliser(level, gates.decay_exact, dim_padded, exact, keys, &mut state.normaliser);
    let used = length * dim_padded;
    scaled_keys[..used].copy_from_slice(&keys[..used]);
    multiply_rows(level, dim_padded, weights, &mut scaled_keys[..used]);
    multiply_rows(level, dim * dim_padded, &[gates.decay], &mut state.memory);
    let extent = Extent { rows: dim, depth: length, columns: dim_padded };
    let left = Left { data: scaled_keys, row_stride: 1, depth_stride: dim_padded };
    product(
        level,
        extent,
        left,
        Right { data: values, stride: dim_padded },
        Into::Add,
        &mut state.memory,
        dim_padded,
    );
    state.stabiliser = gates.stabiliser;
}
