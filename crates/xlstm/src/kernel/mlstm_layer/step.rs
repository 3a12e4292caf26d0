//! One step of inference: state in, state out, no allocation after a thread's first call.

use super::blocks::{Place, project};
use super::open::{Rows, open, soft_cap};
use super::{MlstmLayerOptions, MlstmLayerShape, MlstmLayerState, MlstmLayerWeights, NORM_EPSILON};
use crate::kernel::convolution::{Taps, convolve_step};
use crate::kernel::error::{KernelError, expect_length};
use crate::kernel::level::dispatched;
use crate::kernel::math::{Arithmetic, Real};
use crate::kernel::mlstm::HeadStateMut;
use crate::kernel::mlstm::step::step_head;
use crate::kernel::norm::{NormShape, normalise};
use crate::kernel::product::transpose_padded;
use crate::kernel::schedule::run_jobs;

/// Sequences of one job: each packs the weights anew, so not too few.
const ROWS: usize = 32;

/// Inputs of one step.
#[derive(Debug, Clone, Copy)]
pub struct MlstmLayerStepInputs<'a, T> {
    /// (u, z), `[batch, 2 · inner]`.
    pub projected: &'a [T],
    /// `[batch]`: true where the state is emptied before the step.
    pub reset: Option<&'a [bool]>,
}

/// Some sequences of the batch and their state.
struct Job<'a, T> {
    first: usize,
    output: &'a mut [T],
    window: &'a mut [T],
    memory: &'a mut [T],
    normaliser: &'a mut [f64],
    stabiliser: &'a mut [T],
}

/// What a thread keeps from call to call.
struct Scratch<T> {
    taps: Vec<T>,
    query_rows: Vec<T>,
    key_rows: Vec<T>,
    value_rows: Vec<T>,
    /// `[ROWS, I]` each; q, k and v by head.
    activated: Vec<T>,
    query: Vec<T>,
    key: Vec<T>,
    value: Vec<T>,
    hidden: Vec<T>,
    normed: Vec<T>,
    /// `[ROWS, 2 NH]`.
    gates: Vec<T>,
}

impl<T: Real> Scratch<T> {
    fn new(shape: &MlstmLayerShape) -> Self {
        let MlstmLayerShape { inner, heads, block, taps, .. } = *shape;
        let reals = |length: usize| vec![T::ZERO; length];
        Self {
            taps: reals(taps * inner),
            query_rows: reals(block * inner),
            key_rows: reals(block * inner),
            value_rows: reals(block * inner),
            activated: reals(ROWS * inner),
            query: reals(ROWS * inner),
            key: reals(ROWS * inner),
            value: reals(ROWS * inner),
            hidden: reals(ROWS * inner),
            normed: reals(ROWS * inner),
            gates: reals(ROWS * 2 * heads),
        }
    }
}

/// Advances `state` by one step and writes out, `[batch, inner]`, to `output`. `shape.time` is 1; of the options
/// only `forget`, `soft_cap` and `level` count.
///
/// # Errors
/// [`KernelError`] where a slice does not fit; nothing has been written then.
pub fn step<T: Real>(
    shape: MlstmLayerShape,
    weights: &MlstmLayerWeights<'_, T>,
    inputs: &MlstmLayerStepInputs<'_, T>,
    options: MlstmLayerOptions,
    state: &mut MlstmLayerState<T>,
    output: &mut [T],
) -> Result<(), KernelError> {
    shape.check()?;
    weights.check(&shape)?;
    expect_length("time", 1, shape.time)?;
    expect_length("projected", shape.projected_len(), inputs.projected.len())?;
    if let Some(reset) = inputs.reset {
        expect_length("reset", shape.batch, reset.len())?;
    }
    state.check(&shape)?;
    expect_length("output", shape.output_len(), output.len())?;
    let MlstmLayerShape { heads, inner, block, taps, .. } = shape;
    let (dim, window_len) = (shape.dim(), shape.window_len());
    let mut windows = state.window.as_mut_slice();
    let jobs = output
        .chunks_mut(ROWS * inner)
        .zip(state.cell.memory.chunks_mut(ROWS * inner * dim))
        .zip(state.cell.normaliser.chunks_mut(ROWS * inner))
        .zip(state.cell.stabiliser.chunks_mut(ROWS * heads))
        .enumerate()
        .map(|(index, (((output, memory), normaliser), stabiliser))| {
            let rows = output.len() / inner;
            let (window, rest) = std::mem::take(&mut windows).split_at_mut(rows * window_len);
            windows = rest;
            Job { first: index * ROWS, output, window, memory, normaliser, stabiliser }
        });
    run_jobs(
        jobs,
        shape.output_len() * (dim + 64),
        [inner, heads, block << 32 | taps],
        || Scratch::new(&shape),
        |job, scratch| run_rows(&shape, weights, inputs, &options, job, scratch),
    );
    Ok(())
}

/// `[C, width]` to `[width, C]`, in blocks where that is possible.
fn turn<T: Real>(width: usize, weight: &[T], turned: &mut [T]) {
    let channels = weight.len() / width;
    transpose_padded(weight, channels, width, width, turned, channels);
}

fn run_rows<T: Real>(
    shape: &MlstmLayerShape,
    weights: &MlstmLayerWeights<'_, T>,
    inputs: &MlstmLayerStepInputs<'_, T>,
    options: &MlstmLayerOptions,
    job: Job<'_, T>,
    scratch: &mut Scratch<T>,
) {
    let MlstmLayerShape { heads, inner, block, taps, .. } = *shape;
    let (dim, level) = (shape.dim(), options.level);
    let rows = job.output.len() / inner;
    let projected = &inputs.projected[job.first * 2 * inner..(job.first + rows) * 2 * inner];
    let resets = |row: usize| inputs.reset.is_some_and(|reset| reset[job.first + row]);
    turn(taps, weights.conv_weight, &mut scratch.taps);
    turn(block, weights.query, &mut scratch.query_rows);
    turn(block, weights.key, &mut scratch.key_rows);
    turn(block, weights.value, &mut scratch.value_rows);
    let taps = Taps { taps, channels: inner, weight: &scratch.taps, bias: weights.conv_bias };
    let mut windows = job.window;
    for row in 0..rows {
        let (window, rest) = windows.split_at_mut(shape.window_len());
        windows = rest;
        let input = &projected[row * 2 * inner..][..inner];
        let activated = &mut scratch.activated[row * inner..(row + 1) * inner];
        convolve_step(level, taps, input, resets(row), window, activated);
    }
    for head in 0..heads {
        let place = Place { rows, dim, first: head * dim, block, inner, stride: inner };
        let here = head * rows * dim..(head + 1) * rows * dim;
        let matrices = [scratch.query_rows.as_slice(), scratch.key_rows.as_slice()];
        let mut outputs = [&mut scratch.query[here.clone()], &mut scratch.key[here.clone()]];
        project(level, place, &matrices, &scratch.activated, &mut outputs);
        let place = Place { stride: 2 * inner, ..place };
        project(level, place, &[&scratch.value_rows], projected, &mut [&mut scratch.value[here]]);
    }
    gate(shape, weights, options, rows, scratch);
    let mut states = job
        .memory
        .chunks_exact_mut(dim * dim)
        .zip(job.normaliser.chunks_exact_mut(dim))
        .zip(job.stabiliser.iter_mut());
    for row in 0..rows {
        for (head, ((memory, normaliser), stabiliser)) in states.by_ref().take(heads).enumerate() {
            let mut state = HeadStateMut { memory, normaliser, stabiliser };
            if resets(row) {
                state.clear();
            }
            let here = (head * rows + row) * dim..(head * rows + row + 1) * dim;
            let gates = &scratch.gates[row * 2 * heads..];
            step_head(
                level,
                &scratch.query[here.clone()],
                &scratch.key[here.clone()],
                &scratch.value[here],
                (gates[head], gates[heads + head], options.forget),
                &mut state,
                &mut scratch.hidden[row * inner + head * dim..][..dim],
            );
        }
    }
    let norm = NormShape {
        rows,
        groups: heads,
        dim,
        input_stride: inner,
        output_stride: inner,
        epsilon: NORM_EPSILON,
    };
    normalise(level, norm, &scratch.hidden, weights.norm, &mut scratch.normed, &mut []);
    let places = Rows { inner, stride: 2 * inner };
    open(level, places, weights.skip, &scratch.activated, &scratch.normed, &projected[inner..], job.output);
}

/// Gates of all rows, capped.
fn gate<T: Real>(
    shape: &MlstmLayerShape,
    weights: &MlstmLayerWeights<'_, T>,
    options: &MlstmLayerOptions,
    rows: usize,
    scratch: &mut Scratch<T>,
) {
    let (heads, dim) = (shape.heads, shape.dim());
    let gates = &mut scratch.gates[..rows * 2 * heads];
    for gates in gates.chunks_exact_mut(2 * heads) {
        gates[..heads].copy_from_slice(weights.input_gate_bias);
        gates[heads..].copy_from_slice(weights.forget_gate_bias);
    }
    let vectors = [scratch.query.as_slice(), &scratch.key, &scratch.value];
    for (third, vector) in vectors.into_iter().enumerate() {
        for head in 0..heads {
            let source = &vector[head * rows * dim..(head + 1) * rows * dim];
            let column = third * shape.inner + head * dim;
            let matrices = [weights.input_gate_weight, weights.forget_gate_weight];
            add_gates(options.level, heads, column, matrices, source, gates);
        }
    }
    if let Some(cap) = options.soft_cap {
        soft_cap(options.level, T::from_f64(cap), gates);
    }
}

dispatched! {
    /// `gates[r, g] += W_g[column .. column + dim] . source[r, :]` for both matrices of `heads` rows.
    fn add_gates(heads: usize, column: usize, matrices: [&[T]; 2], source: &[T], gates: &mut [T]) = add_gates_body;
}

#[inline(always)]
fn add_gates_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    heads: usize,
    column: usize,
    matrices: [&[T]; 2],
    source: &[T],
    gates: &mut [T],
) {
    let rows = gates.len() / (2 * heads);
    let dim = source.len() / rows;
    for (x, gates) in source.chunks_exact(dim).zip(gates.chunks_exact_mut(2 * heads)) {
        for (matrix, gates) in matrices.into_iter().zip(gates.chunks_exact_mut(heads)) {
            let width = matrix.len() / heads;
            for (row, gate) in matrix.chunks_exact(width).zip(gates) {
                *gate += dot::<T, A>(&row[column..column + dim], x);
            }
        }
    }
}

#[inline(always)]
fn dot<T: Real, A: Arithmetic>(a: &[T], b: &[T]) -> T {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut lanes = [T::ZERO; 8];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            lanes[lane] = a[lane].multiply_add::<A>(b[lane], lanes[lane]);
        }
    }
    let mut rest = T::ZERO;
    for (a, b) in a_rest.iter().zip(b_rest) {
        rest = a.multiply_add::<A>(*b, rest);
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h)) + rest
}
