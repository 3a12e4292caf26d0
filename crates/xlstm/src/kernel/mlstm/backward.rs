//! Whole-sequence backward pass, written by hand.
//!
//! With g = dh, `dN_t = g_t/den_t` and `db_t = -(g_t.h_t)/den_t sign(b_t) [|b_t| > exp(-m_t)]`, inside a chunk
//! `P_ts = (dN_t.v_s + db_t) D_ts`, `dq = sc P K`, `dk = sc P^T Q`, `dv = Ct^T dN`, and between chunks the gradient
//! (dC, dn) of the leaving state runs backwards (`chunk_state`, `chunk_gates` below).
//!
//! Gate gradients come from `G = P * S` summed over rows and columns in f64, so that
//! `dlogf_r = sum over t >= r of (row_t - column_t)` cancels without loss. The stabiliser m is not simply a
//! constant: because eps stands beside a stabilised denominator, h depends on m by `mu_t = -(eps/den_t)(g_t.h_t)`,
//! and a gradient of the final state depends on it by `dm - <dC, C> - dn.n`; both are added to `G_{t,s*}`, s* the
//! step at which the maximum of row t was reached (or the initial stabiliser). The result is the exact gradient.

pub(crate) use super::backward_scratch::Scratch;
use super::chunk::{FROM_STATE, copy_rows_out, kept_state, kept_state_len};
use super::forward::STRIP;
use super::plan::Chunk;
use super::rows::{
    BackwardStrip, accumulate_normaliser, forget_slopes, multiply_rows, row_dots, scale_rows,
    weigh_rows_backward,
};
use super::{EPSILON, Geometry, HeadState, HeadStateMut, MlstmInputs, MlstmSaved, MlstmShape, MlstmState};
use crate::kernel::error::{KernelError, expect_length};
use crate::kernel::gate::ForgetGate;
use crate::kernel::level::Level;
use crate::kernel::math::Real;
use crate::kernel::product::{
    Extent, Into, Left, Right, copy_padded, padded, padded_rows, product, transpose_padded,
};
use crate::kernel::schedule::{fit, run_jobs};

/// A gradient that reaches the state after the last step.
#[derive(Debug, Clone, Copy)]
pub struct FinalStateGradient<'a, T> {
    /// The state itself, as the forward pass returned it.
    pub state: &'a MlstmState<T>,
    /// Gradients of C, n and m.
    pub gradient: &'a MlstmState<T>,
}

/// Gradients of every input.
#[derive(Debug, Clone)]
pub struct MlstmGradients<T> {
    /// dq, `[batch, heads, time, dim]`.
    pub query: Vec<T>,
    /// dk, `[batch, heads, time, dim]`.
    pub key: Vec<T>,
    /// dv, `[batch, heads, time, dim]`.
    pub value: Vec<T>,
    /// di, `[batch, heads, time]`.
    pub input_gate: Vec<T>,
    /// df, `[batch, heads, time]`.
    pub forget_gate: Vec<T>,
    /// dC0, dn0, dm0, where the forward pass had an initial state.
    pub initial: Option<MlstmState<T>>,
}

impl<T> Default for MlstmGradients<T> {
    /// Empty buffers, to be filled by [`backward_into`].
    fn default() -> Self {
        Self {
            query: Vec::new(),
            key: Vec::new(),
            value: Vec::new(),
            input_gate: Vec::new(),
            forget_gate: Vec::new(),
            initial: None,
        }
    }
}

pub(crate) struct Job<'a, T> {
    pub query: &'a [T],
    pub key: &'a [T],
    pub value: &'a [T],
    pub input_gate: &'a [T],
    pub forget_gate: &'a [T],
    pub hidden: &'a [T],
    pub hidden_gradient: &'a [T],
    pub denominator: &'a [T],
    pub sign: &'a [T],
    pub kept: &'a [T],
    pub kept_normalisers: &'a [f64],
    pub forget: ForgetGate,
    pub chunks: &'a [Chunk],
    pub initial: Option<HeadState<'a, T>>,
    pub last: Option<(HeadState<'a, T>, HeadState<'a, T>)>,
    pub query_out: &'a mut [T],
    pub key_out: &'a mut [T],
    pub value_out: &'a mut [T],
    pub input_out: &'a mut [T],
    pub forget_out: &'a mut [T],
    pub initial_out: Option<HeadStateMut<'a, T>>,
}

/// A chunk's inputs with padded rows.
#[derive(Clone, Copy)]
struct Operands<'a, T> {
    queries: &'a [T],
    keys: &'a [T],
    values: &'a [T],
    hidden: &'a [T],
}

/// Gradients of all inputs from `hidden_gradient` (dh, `[batch, heads, time, dim]`) and, where there is one, the
/// gradient of the final state. `inputs`, `hidden` and `saved` are those of the forward call.
///
/// # Errors
/// [`KernelError`] where a slice does not fit the shape or `saved` belongs to another call.
pub fn backward<T: Real>(
    inputs: &MlstmInputs<'_, T>,
    hidden: &[T],
    saved: &MlstmSaved<T>,
    hidden_gradient: &[T],
    final_state: Option<FinalStateGradient<'_, T>>,
) -> Result<MlstmGradients<T>, KernelError> {
    let mut gradients = MlstmGradients::default();
    backward_into(inputs, hidden, saved, hidden_gradient, final_state, &mut gradients)?;
    Ok(gradients)
}

/// As [`backward`], into buffers of an earlier call.
///
/// # Errors
/// As [`backward`].
pub fn backward_into<T: Real>(
    inputs: &MlstmInputs<'_, T>,
    hidden: &[T],
    saved: &MlstmSaved<T>,
    hidden_gradient: &[T],
    final_state: Option<FinalStateGradient<'_, T>>,
    gradients: &mut MlstmGradients<T>,
) -> Result<(), KernelError> {
    let shape = saved.shape;
    inputs.check(&shape)?;
    if saved.has_initial != inputs.initial.is_some() {
        return Err(KernelError::ForeignSaved { name: "initial state" });
    }
    expect_length("hidden", shape.sequence_len(), hidden.len())?;
    expect_length("hidden_gradient", shape.sequence_len(), hidden_gradient.len())?;
    if let Some(FinalStateGradient { state, gradient }) = final_state {
        state.check(shape.rows(), shape.dim)?;
        gradient.check(shape.rows(), shape.dim)?;
    }
    let geometry = Geometry::new(saved.level, shape.dim);
    fit(&mut gradients.query, shape.sequence_len());
    fit(&mut gradients.key, shape.sequence_len());
    fit(&mut gradients.value, shape.sequence_len());
    fit(&mut gradients.input_gate, shape.gate_len());
    fit(&mut gradients.forget_gate, shape.gate_len());
    gradients.initial = inputs.initial.map(|_| MlstmState::zeros(shape.batch, shape.heads, shape.dim));
    let forward = ForwardValues { inputs, hidden, saved, hidden_gradient, final_state };
    let jobs = make_jobs(&shape, &forward, gradients);
    let longest = saved.plan.longest();
    let cost = 3 * shape.gate_len() * longest * shape.dim;
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

/// All that the backward pass reads.
#[derive(Clone, Copy)]
struct ForwardValues<'a, T> {
    inputs: &'a MlstmInputs<'a, T>,
    hidden: &'a [T],
    saved: &'a MlstmSaved<T>,
    hidden_gradient: &'a [T],
    final_state: Option<FinalStateGradient<'a, T>>,
}

fn make_jobs<'a, T: Real>(
    shape: &MlstmShape,
    forward: &ForwardValues<'a, T>,
    gradients: &'a mut MlstmGradients<T>,
) -> Vec<Job<'a, T>> {
    let MlstmShape { heads, time, dim, .. } = *shape;
    let ForwardValues { inputs, hidden, saved, hidden_gradient, final_state } = *forward;
    let mut initial_out = gradients.initial.as_mut().map(|state| state.heads_mut(dim));
    let mut kept = saved.kept.as_slice();
    let mut kept_normalisers = saved.kept_normalisers.as_slice();
    let sequences = gradients
        .query
        .chunks_exact_mut(time * dim)
        .zip(gradients.key.chunks_exact_mut(time * dim).zip(gradients.value.chunks_exact_mut(time * dim)));
    let steps = gradients.input_gate.chunks_exact_mut(time).zip(gradients.forget_gate.chunks_exact_mut(time));
    sequences
        .zip(steps)
        .enumerate()
        .map(|(row, ((query_out, (key_out, value_out)), (input_out, forget_out)))| {
            let batch = row / heads;
            let states = saved.plan.kept_states(batch);
            let (mine, rest) = kept.split_at(states * kept_state_len(dim));
            let (my_normalisers, other_normalisers) = kept_normalisers.split_at(states * dim);
            (kept, kept_normalisers) = (rest, other_normalisers);
            let sequence = row * time * dim..(row + 1) * time * dim;
            let steps = row * time..(row + 1) * time;
            Job {
                query: &inputs.query[sequence.clone()],
                key: &inputs.key[sequence.clone()],
                value: &inputs.value[sequence.clone()],
                input_gate: &inputs.input_gate[steps.clone()],
                forget_gate: &inputs.forget_gate[steps.clone()],
                hidden: &hidden[sequence.clone()],
                hidden_gradient: &hidden_gradient[sequence],
                denominator: &saved.denominator[steps.clone()],
                sign: &saved.sign[steps],
                kept: mine,
                kept_normalisers: my_normalisers,
                forget: saved.forget,
                chunks: saved.plan.chunks(batch),
                initial: inputs.initial.map(|state| state.head(row, dim)),
                last: final_state.map(|last| (last.state.head(row, dim), last.gradient.head(row, dim))),
                query_out,
                key_out,
                value_out,
                input_out,
                forget_out,
                initial_out: initial_out.as_mut().and_then(Iterator::next),
            }
        })
        .collect()
}

pub(crate) fn run_head<T: Real>(geometry: Geometry, mut job: Job<'_, T>, scratch: &mut Scratch<T>) {
    scratch.carried.clear();
    scratch.carries = false;
    scratch.stabiliser_gradient = 0.0;
    if let Some((state, gradient)) = job.last {
        scratch.carried.load(geometry, gradient);
        scratch.carries = true;
        scratch.stabiliser_gradient = gradient.stabiliser.to_f64() - inner_product(&gradient, &state);
    }
    let chunks = job.chunks;
    for (index, chunk) in chunks.iter().enumerate().rev() {
        if chunk.enters {
            let entering = match (index, job.initial) {
                (0, Some(initial)) => initial,
                _ => kept_state(job.kept, job.kept_normalisers, index.max(1) - 1, geometry.dim),
            };
            scratch.entering.load(geometry, entering);
        }
        chunk_backward(geometry, *chunk, &mut job, scratch);
        if !chunk.enters {
            scratch.carried.clear();
            scratch.carries = false;
            scratch.stabiliser_gradient = 0.0;
        }
    }
    if let (Some(out), Some(initial), true) = (job.initial_out, job.initial, scratch.carries) {
        scratch.carried.store(geometry, out.memory, out.normaliser, out.stabiliser);
        let gradient = HeadState { memory: out.memory, normaliser: out.normaliser, stabiliser: &T::ZERO };
        let total = inner_product(&gradient, &initial) + scratch.stabiliser_gradient;
        *out.stabiliser = T::from_f64(total);
    }
}

/// `<dC, C> + dn.n`, f64.
fn inner_product<T: Real>(gradient: &HeadState<'_, T>, state: &HeadState<'_, T>) -> f64 {
    let sum = |a: &[T], b: &[T]| -> f64 { a.iter().zip(b).map(|(a, b)| a.to_f64() * b.to_f64()).sum() };
    sum(gradient.memory, state.memory) + dot(gradient.normaliser, state.normaliser)
}

/// Inner product in f64.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Rounds a normaliser to T; what lies beyond it in `to` stays zero.
fn round<T: Real>(from: &[f64], to: &mut [T]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = T::from_f64(*from);
    }
}

fn chunk_backward<T: Real>(geometry: Geometry, chunk: Chunk, job: &mut Job<'_, T>, scratch: &mut Scratch<T>) {
    let steps = chunk.start..chunk.end;
    let start = chunk.enters.then_some(scratch.entering.stabiliser);
    let gates = (&job.input_gate[steps.clone()], &job.forget_gate[steps]);
    scratch.gates.prepare(geometry, gates.0, gates.1, job.forget, start);
    if scratch.carries {
        scratch.gates.prepare_leaving(geometry, start);
    }
    let (dim, elements) = (geometry.dim, chunk.start * geometry.dim..chunk.end * geometry.dim);
    let mut copies = std::mem::take(&mut scratch.copies);
    let stride = geometry.dim_padded;
    let operands = Operands {
        queries: padded_rows(&job.query[elements.clone()], dim, &mut copies.queries, stride),
        keys: padded_rows(&job.key[elements.clone()], dim, &mut copies.keys, stride),
        values: padded_rows(&job.value[elements.clone()], dim, &mut copies.values, stride),
        hidden: padded_rows(&job.hidden[elements.clone()], dim, &mut copies.hidden, stride),
    };
    chunk_load(geometry, chunk, job, operands, scratch);
    let through = chunk_state(geometry, chunk, operands, scratch);
    chunk_intra(geometry, chunk, operands, scratch);
    chunk_gates(geometry.level, chunk, job, scratch, through);
    if chunk.enters {
        chunk_carry(geometry, chunk, operands, scratch);
    }
    scratch.copies = copies;
    let used = chunk.len() * stride;
    let rows = &scratch.rows;
    copy_rows_out(&rows.query_out[..used], geometry.dim_padded, &mut job.query_out[elements.clone()], dim);
    copy_rows_out(&rows.key_out[..used], geometry.dim_padded, &mut job.key_out[elements.clone()], dim);
    copy_rows_out(&rows.value_out[..used], geometry.dim_padded, &mut job.value_out[elements], dim);
}

/// Padded and transposed copies of the chunk's rows, dN, db and mu.
fn chunk_load<T: Real>(
    geometry: Geometry,
    chunk: Chunk,
    job: &Job<'_, T>,
    operands: Operands<'_, T>,
    scratch: &mut Scratch<T>,
) {
    let Geometry { level, dim, dim_padded, .. } = geometry;
    let Scratch { rows, sums, .. } = scratch;
    let length = chunk.len();
    let stride = padded(length);
    let elements = chunk.start * dim..chunk.end * dim;
    copy_padded(&job.hidden_gradient[elements.clone()], dim, &mut rows.numerators, dim_padded);
    transpose_padded(&job.key[elements.clone()], length, dim, dim, &mut rows.keys_transposed, stride);
    transpose_padded(&job.value[elements], length, dim, dim, &mut rows.values_transposed, stride);
    // g.h first, then g becomes dN = g/den in place.
    row_dots(
        level,
        dim_padded,
        &rows.numerators,
        dim_padded,
        operands.hidden,
        dim_padded,
        &mut sums.stabiliser[..length],
    );
    for step in 0..length {
        let denominator = job.denominator[chunk.start + step];
        let relative = sums.stabiliser[step] / denominator.to_f64();
        rows.inverse[step] = T::ONE / denominator;
        let gradient = -relative * job.sign[chunk.start + step].to_f64();
        sums.normaliser[step] = gradient;
        rows.normaliser_gradient[step] = T::from_f64(gradient);
        sums.stabiliser[step] = -EPSILON * relative;
    }
    multiply_rows(level, dim_padded, &rows.inverse[..length], &mut rows.numerators[..length * dim_padded]);
    sums.row[..length].fill(0.0);
    sums.column[..stride].fill(0.0);
    sums.entering[..length].fill(0.0);
    sums.leaving[..length].fill(0.0);
}

/// `dq_j = e_j (C dN_j + db_j n)`: what the queries read from the state that entered.
fn queries_from_entering<T: Real>(
    geometry: Geometry,
    length: usize,
    operands: Operands<'_, T>,
    scratch: &mut Scratch<T>,
) {
    let Geometry { level, dim, dim_padded, .. } = geometry;
    let Scratch { gates, entering, rows, sums, transposed_memory, normaliser, .. } = scratch;
    let extent = Extent { rows: length, depth: dim, columns: dim_padded };
    entering.transpose_memory(geometry, transposed_memory);
    let left = Left { data: &rows.numerators, row_stride: dim_padded, depth_stride: 1 };
    let right = Right { data: transposed_memory, stride: dim_padded };
    product(level, extent, left, right, Into::Replace, &mut rows.query_out, dim_padded);
    let (factors, coefficients) = (&gates.entering[..length], &rows.normaliser_gradient[..length]);
    let query_out = &mut rows.query_out[..length * dim_padded];
    round(&entering.normaliser, normaliser);
    scale_rows(level, dim_padded, factors, coefficients, normaliser, query_out);
    let sums = &mut sums.entering[..length];
    row_dots(level, dim_padded, operands.queries, dim_padded, query_out, dim_padded, sums);
}

/// Contributions of the entering state to dq and of the leaving state's gradient to dk and dv, which replace
/// what the outputs held. Returns X, the part of the gradient that passes through the whole chunk:
/// `decay (<dC', C> + dn'.n)`.
fn chunk_state<T: Real>(
    geometry: Geometry,
    chunk: Chunk,
    operands: Operands<'_, T>,
    scratch: &mut Scratch<T>,
) -> f64 {
    let Geometry { level, dim, dim_padded, .. } = geometry;
    let length = chunk.len();
    let used = length * dim_padded;
    let extent = Extent { rows: length, depth: dim, columns: dim_padded };
    if chunk.enters {
        queries_from_entering(geometry, length, operands, scratch);
    }
    let Scratch { gates, entering, carried, carries, rows, sums, transposed_memory, normaliser, .. } =
        scratch;
    if !*carries {
        return 0.0;
    }
    // dk_s = ab_s (dC' v_s + dn'), dv_s = ab_s dC'^T k_s
    carried.transpose_memory(geometry, transposed_memory);
    let factors = &gates.leaving[..length];
    let left = Left { data: operands.values, row_stride: dim_padded, depth_stride: 1 };
    let right = Right { data: transposed_memory, stride: dim_padded };
    product(level, extent, left, right, Into::Replace, &mut rows.key_out, dim_padded);
    round(&carried.normaliser, normaliser);
    scale_rows(level, dim_padded, factors, &rows.ones[..length], normaliser, &mut rows.key_out[..used]);
    row_dots(
        level,
        dim_padded,
        operands.keys,
        dim_padded,
        &rows.key_out,
        dim_padded,
        &mut sums.leaving[..length],
    );
    let left = Left { data: operands.keys, row_stride: dim_padded, depth_stride: 1 };
    let right = Right { data: &carried.memory, stride: dim_padded };
    product(level, extent, left, right, Into::Replace, &mut rows.value_out, dim_padded);
    multiply_rows(level, dim_padded, factors, &mut rows.value_out[..used]);
    if !chunk.enters {
        return 0.0;
    }
    let mut through = [0.0];
    row_dots(level, dim * dim_padded, &carried.memory, 0, &entering.memory, 0, &mut through);
    gates.decay.to_f64() * (through[0] + dot(&carried.normaliser, &entering.normaliser))
}

/// The chunk's own masked matrix products.
fn chunk_intra<T: Real>(
    geometry: Geometry,
    chunk: Chunk,
    operands: Operands<'_, T>,
    scratch: &mut Scratch<T>,
) {
    let Geometry { level, dim, dim_padded, scale } = geometry;
    let Scratch { gates, carries, rows, sums, .. } = scratch;
    let length = chunk.len();
    let stride = padded(length);
    let query_into = if chunk.enters { Into::Add } else { Into::Replace };
    let key_into = if *carries { Into::Add } else { Into::Replace };
    for first in (0..length).step_by(STRIP) {
        let count = STRIP.min(length - first);
        let columns = padded(first + count);
        let extent = Extent { rows: count, depth: dim, columns };
        let scores = &mut rows.scores[first * stride..(first + count) * stride];
        let products = &mut rows.products[first * stride..(first + count) * stride];
        let left =
            Left { data: &operands.queries[first * dim_padded..], row_stride: dim_padded, depth_stride: 1 };
        let right = Right { data: &rows.keys_transposed, stride };
        product(level, extent, left, right, Into::Replace, scores, stride);
        let left =
            Left { data: &rows.numerators[first * dim_padded..], row_stride: dim_padded, depth_stride: 1 };
        let right = Right { data: &rows.values_transposed, stride };
        product(level, extent, left, right, Into::Replace, products, stride);
        weigh_rows_backward(
            level,
            BackwardStrip { first, columns, stride },
            gates.view(),
            T::from_f64(scale),
            &rows.normaliser_gradient[first..first + count],
            &mut rows.weights[..stride],
            scores,
            products,
            &mut sums.row[first..first + count],
            &mut sums.column,
        );
        let extent = Extent { rows: count, depth: first + count, columns: dim_padded };
        let left = Left { data: products, row_stride: stride, depth_stride: 1 };
        let right = Right { data: operands.keys, stride: dim_padded };
        product(
            level,
            extent,
            left,
            right,
            query_into,
            &mut rows.query_out[first * dim_padded..],
            dim_padded,
        );
    }
    for first in (0..length).step_by(STRIP) {
        let count = STRIP.min(length - first);
        let extent = Extent { rows: count, depth: length - first, columns: dim_padded };
        let corner = first * stride + first;
        let left = Left { data: &rows.products[corner..], row_stride: 1, depth_stride: stride };
        let right = Right { data: &operands.queries[first * dim_padded..], stride: dim_padded };
        product(level, extent, left, right, key_into, &mut rows.key_out[first * dim_padded..], dim_padded);
        let left = Left { data: &rows.scores[corner..], row_stride: 1, depth_stride: stride };
        let right = Right { data: &rows.numerators[first * dim_padded..], stride: dim_padded };
        product(level, extent, left, right, key_into, &mut rows.value_out[first * dim_padded..], dim_padded);
    }
}

/// di and df of the chunk:
/// `di_s = column_s + Y_s + mu to s`, `dlogf_r = X + sum_{s<r} Y_s + sum_{t>=r} (E_t + row_t - column_t + mu_t - mu to t)`.
fn chunk_gates<T: Real>(
    level: Level,
    chunk: Chunk,
    job: &mut Job<'_, T>,
    scratch: &mut Scratch<T>,
    through: f64,
) {
    let Scratch { gates, rows, sums, stabiliser_gradient, .. } = scratch;
    let length = chunk.len();
    // The leaving stabiliser is the last row's.
    sums.stabiliser[length - 1] += *stabiliser_gradient;
    let mut to_state = 0.0;
    for step in 0..length {
        let gradient = sums.stabiliser[step];
        sums.row[step] += gradient;
        match gates.arg_max[step] {
            FROM_STATE => to_state += gradient,
            source => sums.column[source] += gradient,
        }
    }
    *stabiliser_gradient = to_state;
    let mut before: f64 = sums.leaving[..length].iter().sum();
    let mut after = 0.0;
    let slopes = &mut rows.inverse[..length];
    match job.forget {
        // d log sigmoid(f) / df = sigmoid(-f)
        ForgetGate::Sigmoid => forget_slopes(level, &job.forget_gate[chunk.start..chunk.end], slopes),
        ForgetGate::Exponential => slopes.fill(T::ONE),
    }
    for step in (0..length).rev() {
        before -= sums.leaving[step];
        after += sums.entering[step] + (sums.row[step] - sums.column[step]);
        let at = chunk.start + step;
        job.input_out[at] = T::from_f64(sums.column[step] + sums.leaving[step]);
        job.forget_out[at] = T::from_f64((through + before + after) * slopes[step].to_f64());
    }
}

/// The gradient of the entering state: `dC = decay dC' + sum of e_j q_j dN_j^T`, `dn = decay dn' + sum of e_j db_j q_j`.
fn chunk_carry<T: Real>(
    geometry: Geometry,
    chunk: Chunk,
    operands: Operands<'_, T>,
    scratch: &mut Scratch<T>,
) {
    let Geometry { level, dim, dim_padded, .. } = geometry;
    let Scratch { gates, carried, carries, rows, sums, .. } = scratch;
    let length = chunk.len();
    let used = length * dim_padded;
    let (decay, exact_decay) = if *carries { (gates.decay, gates.decay_exact) } else { (T::ZERO, 0.0) };
    rows.scaled[..used].copy_from_slice(&operands.queries[..used]);
    multiply_rows(level, dim_padded, &gates.entering[..length], &mut rows.scaled[..used]);
    accumulate_normaliser(
        level,
        exact_decay,
        dim_padded,
        &sums.normaliser[..length],
        &rows.scaled,
        &mut carried.normaliser,
    );
    multiply_rows(level, dim * dim_padded, &[decay], &mut carried.memory);
    let extent = Extent { rows: dim, depth: length, columns: dim_padded };
    let left = Left { data: &rows.scaled, row_stride: 1, depth_stride: dim_padded };
    let right = Right { data: &rows.numerators, stride: dim_padded };
    product(level, extent, left, right, Into::Add, &mut carried.memory, dim_padded);
    *carries = true;
}
