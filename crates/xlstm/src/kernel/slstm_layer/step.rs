//! One step: units innermost, so that a single sequence fills the vectors.

use super::forward::SlstmLayerForward;
use super::{NORM_EPSILON, Plan, SlstmLayerInputs, SlstmLayerPacked, SlstmLayerShape, SlstmLayerState};
use crate::kernel::convolution::convolve_step;
use crate::kernel::error::{KernelError, expect_length};
use crate::kernel::gate::ForgetGate;
use crate::kernel::level::Level;
use crate::kernel::math::Real;
use crate::kernel::norm::{NormShape, normalise};
use crate::kernel::product::{Extent, Into, Left, PAD, Right, copy_short, padded, product};
use crate::kernel::schedule::run_jobs;
use crate::kernel::slstm::gates::{gates_forward, multiply};
use crate::kernel::slstm::{GATES, SliceState};

/// Sequences per job.
const ROWS: usize = 8;

/// Inputs of one step.
#[derive(Debug, Clone, Copy)]
pub struct SlstmLayerStepInputs<'a, T> {
    /// Sequences in the batch.
    pub batch: usize,
    /// x, `[batch, E]`.
    pub input: &'a [T],
    /// `[batch]`: true where the state is emptied before the step.
    pub reset: Option<&'a [bool]>,
    /// `[batch, E]`: factors of y_(t-1) before R; `None`: all 1.
    pub recurrent_mask: Option<&'a [T]>,
    /// How f acts.
    pub forget_gate: ForgetGate,
}

struct Job<'a, T> {
    input: &'a [T],
    reset: Option<&'a [bool]>,
    mask: Option<&'a [T]>,
    output: &'a mut [T],
    window: &'a mut [T],
    state: SliceState<'a, T>,
}

/// What a thread keeps, for [`ROWS`] sequences.
struct Scratch<T> {
    /// a, `[rows, E]`.
    convolved: Vec<T>,
    /// y before R, masked, `[rows, E]`.
    masked: Vec<T>,
    /// `[rows, 4 · dim padded]` of one head.
    sums: Vec<T>,
    /// `[4, rows, E]`, each gate padded.
    pre: Vec<T>,
    /// y, c, n, m, `[rows, E]`, padded: where the state itself is no whole number of vectors.
    state: [Vec<T>; 4],
}

impl<T: Real> Scratch<T> {
    fn new(plan: Plan) -> Self {
        let reals = |length: usize| vec![T::ZERO; length];
        let units = padded(ROWS * plan.width);
        Self {
            convolved: reals(ROWS * plan.width),
            masked: reals(ROWS * plan.width),
            sums: reals(ROWS * plan.wide),
            pre: reals(GATES * units),
            state: std::array::from_fn(|_| reals(units)),
        }
    }
}

/// Advances `state` by one step; the layer's result, `[batch, E]`, goes to `output`. Small batches stay on the
/// calling thread and allocate nothing after its first call.
///
/// # Errors
/// [`KernelError`] where a slice does not fit; the state is unchanged then.
pub fn step<T: Real>(
    level: Level,
    packed: &SlstmLayerPacked<T>,
    inputs: &SlstmLayerStepInputs<'_, T>,
    state: &mut SlstmLayerState<T>,
    output: &mut [T],
) -> Result<(), KernelError> {
    let SlstmLayerStepInputs { batch, input, reset, recurrent_mask, forget_gate } = *inputs;
    let SlstmLayerPacked { heads, dim, taps, .. } = *packed;
    let shape = SlstmLayerShape { batch, time: 1, heads, dim, taps };
    SlstmLayerInputs { input, reset, initial: None, recurrent_mask }.check(&shape)?;
    state.check(&shape)?;
    let plan = Plan::new(level, &shape);
    let width = plan.width;
    expect_length("output", batch * width, output.len())?;
    let mut windows = state.window.as_mut_slice();
    let cells = state.cell.slices_mut(ROWS * width);
    let jobs = output.chunks_mut(ROWS * width).zip(cells).enumerate().map(|(index, (output, state))| {
        let (first, rows) = (index * ROWS, output.len() / width);
        let (window, others) = std::mem::take(&mut windows).split_at_mut(rows * plan.window_rows() * width);
        windows = others;
        Job {
            input: &input[first * width..(first + rows) * width],
            reset: reset.map(|mask| &mask[first..first + rows]),
            mask: recurrent_mask.map(|mask| &mask[first * width..(first + rows) * width]),
            output,
            window,
            state,
        }
    });
    run_jobs(
        jobs,
        plan.cost(batch),
        [0, dim, heads],
        || Scratch::new(plan),
        |job, scratch| run_slice(plan, packed, forget_gate, job, scratch),
    );
    Ok(())
}

/// Whole sequences, row by row and step by step, nothing kept: for batches that leave most lanes empty. `result`
/// holds buffers of the right lengths and the state before the first step.
pub(super) fn run_rows<T: Real>(
    plan: Plan,
    packed: &SlstmLayerPacked<T>,
    inputs: &SlstmLayerInputs<'_, T>,
    forget_gate: ForgetGate,
    result: &mut SlstmLayerForward<T>,
) {
    let Plan { time, width, heads, dim, .. } = plan;
    let (sequence, window) = (time * width, plan.window_rows() * width);
    let cost = plan.cost(result.output.len() / sequence);
    let mut windows = result.state.window.as_mut_slice();
    let cells = result.state.cell.slices_mut(width);
    let jobs = result.output.chunks_mut(sequence).zip(cells).enumerate().map(|(row, (output, state))| {
        let (mine, others) = std::mem::take(&mut windows).split_at_mut(window);
        windows = others;
        Job {
            input: &inputs.input[row * sequence..(row + 1) * sequence],
            reset: inputs.reset.map(|mask| &mask[row * time..(row + 1) * time]),
            mask: inputs.recurrent_mask.map(|mask| &mask[row * width..(row + 1) * width]),
            output,
            window: mine,
            state,
        }
    });
    run_jobs(
        jobs,
        cost,
        [0, dim, heads],
        || Scratch::new(plan),
        |job, scratch| {
            let Job { input, reset, mask, output, window, state } = job;
            for (step, (input, output)) in
                input.chunks_exact(width).zip(output.chunks_exact_mut(width)).enumerate()
            {
                let state = SliceState {
                    output: &mut *state.output,
                    cell: &mut *state.cell,
                    normaliser: &mut *state.normaliser,
                    stabiliser: &mut *state.stabiliser,
                };
                let reset = reset.map(|mask| &mask[step..=step]);
                let one = Job { input, reset, mask, output, window: &mut *window, state };
                run_slice(plan, packed, forget_gate, one, scratch);
            }
        },
    );
}

fn run_slice<T: Real>(
    plan: Plan,
    packed: &SlstmLayerPacked<T>,
    forget_gate: ForgetGate,
    mut job: Job<'_, T>,
    scratch: &mut Scratch<T>,
) {
    let Plan { level, heads, dim, width, .. } = plan;
    let rows = job.input.len() / width;
    let (length, units) = (rows * width, padded(rows * width));
    empty_and_convolve(plan, packed, &mut job, &mut scratch.convolved);
    for head in 0..heads {
        assemble(plan, packed, head, &job, units, scratch);
    }
    let SliceState { output, cell, normaliser, stabiliser } = &mut job.state;
    let pre = &scratch.pre[..GATES * units];
    if length % PAD == 0 {
        gates_forward(level, units, forget_gate, pre, cell, normaliser, stabiliser, output, &mut []);
    } else {
        let [y, c, n, m] = &mut scratch.state;
        for (to, from) in [&mut *c, n, m].into_iter().zip([&*cell, &*normaliser, &*stabiliser]) {
            to[..length].copy_from_slice(from);
        }
        gates_forward(level, units, forget_gate, pre, c, n, m, y, &mut []);
        for (from, to) in [y, c, n, m].into_iter().zip([&mut *output, cell, normaliser, stabiliser]) {
            to.copy_from_slice(&from[..length]);
        }
    }
    let norm = NormShape {
        rows,
        groups: heads,
        dim,
        input_stride: width,
        output_stride: width,
        epsilon: NORM_EPSILON,
    };
    normalise(level, norm, job.state.output, &packed.norm, job.output, &mut []);
}

/// Resets, and a of every row.
fn empty_and_convolve<T: Real>(
    plan: Plan,
    packed: &SlstmLayerPacked<T>,
    job: &mut Job<'_, T>,
    convolved: &mut [T],
) {
    let width = plan.width;
    let resets = |row: usize| job.reset.is_some_and(|mask| mask[row]);
    for row in (0..job.input.len() / width).filter(|row| resets(*row)) {
        let own = row * width..(row + 1) * width;
        job.state.output[own.clone()].fill(T::ZERO);
        job.state.cell[own.clone()].fill(T::ZERO);
        job.state.normaliser[own].fill(T::ZERO);
    }
    let Some(taps) = packed.taps() else {
        return;
    };
    let window = plan.window_rows() * width;
    for (row, (x, a)) in job.input.chunks_exact(width).zip(convolved.chunks_exact_mut(width)).enumerate() {
        let window = &mut job.window[row * window..(row + 1) * window];
        convolve_step(plan.level, taps, x, resets(row), window, a);
    }
}

/// `pre = b + W (a for i and f, x for z and o) + R y` of one head.
fn assemble<T: Real>(
    plan: Plan,
    packed: &SlstmLayerPacked<T>,
    head: usize,
    job: &Job<'_, T>,
    units: usize,
    scratch: &mut Scratch<T>,
) {
    let Plan { level, dim, wide, width, .. } = plan;
    let Scratch { convolved, masked, sums, pre, .. } = scratch;
    let rows = job.input.len() / width;
    let mut before = &*job.state.output;
    if let Some(mask) = job.mask {
        multiply(level, before, mask, masked);
        before = masked;
    }
    for sums in sums.chunks_exact_mut(wide).take(rows) {
        copy_short(&packed.recurrence.bias[head * wide..], sums);
    }
    let weights = head * dim * wide..(head + 1) * dim * wide;
    let mut add = |left: &[T], weights: &[T], columns: std::ops::Range<usize>| {
        let left = Left { data: &left[head * dim..], row_stride: width, depth_stride: 1 };
        let right = Right { data: &weights[columns.start..], stride: wide };
        let extent = Extent { rows, depth: dim, columns: columns.len() };
        product(level, extent, left, right, Into::Add, &mut sums[columns.start..], wide);
    };
    if plan.taps > 0 {
        add(convolved, &packed.from_convolved[weights.clone()], 0..padded(2 * dim));
        add(job.input, &packed.from_input[weights.clone()], 2 * dim / PAD * PAD..wide);
    } else {
        add(job.input, &packed.gates.forward[weights.clone()], 0..wide);
    }
    add(before, &packed.recurrence.forward[weights], 0..wide);
    for (row, sums) in sums.chunks_exact(wide).take(rows).enumerate() {
        for gate in 0..GATES {
            let to = gate * units + row * width + head * dim;
            copy_short(&sums[gate * dim..], &mut pre[to..to + dim]);
        }
    }
}
