//! Forward pass over whole sequences, a slice of the batch per job.

use super::lanes::{Turn, fill_lane, norm_lanes, transpose};
use super::products::{Term, product_of_lanes};
use super::step::run_rows;
use super::{
    LANES_OF_BATCH, NORM_EPSILON, Plan, SlstmLayerInputs, SlstmLayerOptions, SlstmLayerPacked,
    SlstmLayerShape, SlstmLayerState,
};
use crate::kernel::convolution::{Sequence, convolve, leaving_window};
use crate::kernel::error::KernelError;
use crate::kernel::gate::ForgetGate;
use crate::kernel::level::Level;
use crate::kernel::math::Real;
use crate::kernel::schedule::{fit, run_jobs};
use crate::kernel::slstm::gates::{KEPT, gates_forward, multiply};
use crate::kernel::slstm::{GATES, SliceState, SlstmState};

/// What a forward call gives back.
#[derive(Debug, Clone)]
pub struct SlstmLayerForward<T> {
    /// `[batch, time, E]`.
    pub output: Vec<T>,
    /// State after the last step.
    pub state: SlstmLayerState<T>,
    /// What [`super::backward_into`] needs besides the inputs.
    pub saved: SlstmLayerSaved<T>,
}

/// The cell's numbers per unit and step, slice by slice, step by step, head by head.
#[derive(Debug, Clone)]
pub struct SlstmLayerSaved<T> {
    pub(super) kept: Vec<T>,
    pub(super) shape: SlstmLayerShape,
    pub(super) has_initial: bool,
    pub(super) level: Level,
}

impl<T: Real> Default for SlstmLayerForward<T> {
    /// Empty buffers, to be filled by [`forward_into`].
    fn default() -> Self {
        let shape = SlstmLayerShape { batch: 0, time: 0, heads: 0, dim: 0, taps: 0 };
        let saved = SlstmLayerSaved { kept: Vec::new(), shape, has_initial: false, level: Level::detect() };
        Self { output: Vec::new(), state: SlstmLayerState::empty(&shape), saved }
    }
}

/// Batches smaller than this go row by row where nothing is kept: a slice costs as much as so many rows.
const ROWS_ALONE: usize = 8;

/// One slice of the batch, all of time.
struct Job<'a, T> {
    rows: usize,
    input: &'a [T],
    reset: Option<&'a [bool]>,
    mask: Option<&'a [T]>,
    /// The windows before the sequences.
    window: Option<&'a [T]>,
    output: &'a mut [T],
    /// The windows after them.
    leaving: &'a mut [T],
    state: SliceState<'a, T>,
    /// Empty: nothing is kept.
    kept: &'a mut [T],
}

/// What a thread keeps. Buffers "by lanes" have the batch innermost, `[heads, dim, lanes]`.
struct Scratch<T> {
    /// a, `[lanes, time, E]`.
    convolved: Vec<T>,
    /// By lanes: a and x of one step.
    step_convolved: Vec<T>,
    step_input: Vec<T>,
    /// `[4 · dim, lanes]` of one head.
    pre: Vec<T>,
    /// By lanes: the state, the mask, one step's result.
    output: Vec<T>,
    cell: Vec<T>,
    normaliser: Vec<T>,
    stabiliser: Vec<T>,
    mask: Vec<T>,
    normed: Vec<T>,
    /// y before R, masked, of one head.
    masked: Vec<T>,
}

impl<T: Real> Scratch<T> {
    fn new(plan: Plan) -> Self {
        let reals = |length: usize| vec![T::ZERO; length];
        let lanes = plan.lanes();
        Self {
            convolved: reals(if plan.taps > 0 { lanes * plan.time } else { 0 }),
            step_convolved: reals(lanes),
            step_input: reals(lanes),
            pre: reals(GATES * plan.units()),
            output: reals(lanes),
            cell: reals(lanes),
            normaliser: reals(lanes),
            stabiliser: reals(lanes),
            mask: reals(lanes),
            normed: reals(lanes),
            masked: reals(plan.units()),
        }
    }
}

/// Elements kept for one slice, full or not.
pub(super) fn kept_len(plan: Plan) -> usize {
    plan.time * KEPT * plan.lanes()
}

/// Computes the layer's output for every step, the state after the last and, where `options` says so, what the
/// backward pass needs.
///
/// # Errors
/// [`KernelError`] where a slice does not fit the shape or a size is zero.
pub fn forward_into<T: Real>(
    shape: SlstmLayerShape,
    packed: &SlstmLayerPacked<T>,
    inputs: &SlstmLayerInputs<'_, T>,
    options: SlstmLayerOptions,
    result: &mut SlstmLayerForward<T>,
) -> Result<(), KernelError> {
    inputs.check(&shape)?;
    packed.check(&shape)?;
    let plan = Plan::new(options.level, &shape);
    prepare(plan, &shape, inputs, options, result);
    if !options.save && shape.batch < ROWS_ALONE {
        match inputs.initial {
            Some(initial) => result.state.window.copy_from_slice(&initial.window),
            None => result.state.window.fill(T::ZERO),
        }
        run_rows(plan, packed, inputs, options.forget_gate, result);
        return Ok(());
    }
    let (slice, sequence) = (LANES_OF_BATCH * plan.width, plan.time * plan.width);
    let mut windows = result.state.window.as_mut_slice();
    let mut kept = result.saved.kept.as_mut_slice();
    let jobs = result
        .output
        .chunks_mut(LANES_OF_BATCH * sequence)
        .zip(result.state.cell.slices_mut(slice))
        .enumerate()
        .map(|(index, (output, state))| {
            let rows = output.len() / sequence;
            let first = index * LANES_OF_BATCH;
            let window = plan.window_rows() * plan.width;
            let (leaving, other_windows) = std::mem::take(&mut windows).split_at_mut(rows * window);
            windows = other_windows;
            let mine = if options.save { kept_len(plan) } else { 0 };
            let (mine, others) = std::mem::take(&mut kept).split_at_mut(mine);
            kept = others;
            Job {
                rows,
                input: &inputs.input[first * sequence..(first + rows) * sequence],
                reset: inputs.reset.map(|mask| &mask[first * plan.time..(first + rows) * plan.time]),
                mask: inputs
                    .recurrent_mask
                    .map(|mask| &mask[first * plan.width..(first + rows) * plan.width]),
                window: inputs.initial.map(|state| &state.window[first * window..(first + rows) * window]),
                output,
                leaving,
                state,
                kept: mine,
            }
        });
    run_jobs(
        jobs,
        plan.cost(shape.batch),
        plan.scratch_sizes(),
        || Scratch::new(plan),
        |job, scratch| run_slice(plan, packed, options.forget_gate, job, scratch),
    );
    Ok(())
}

/// Gives the result's buffers their lengths, and the state its first values.
fn prepare<T: Real>(
    plan: Plan,
    shape: &SlstmLayerShape,
    inputs: &SlstmLayerInputs<'_, T>,
    options: SlstmLayerOptions,
    result: &mut SlstmLayerForward<T>,
) {
    match inputs.initial {
        Some(initial) => result.state.cell.clone_from(&initial.cell),
        None => result.state.cell = SlstmState::empty(shape.batch, shape.heads, shape.dim),
    }
    fit(&mut result.state.window, shape.window_len());
    fit(&mut result.output, shape.sequence_len());
    let slices = shape.batch.div_ceil(LANES_OF_BATCH);
    let saved = &mut result.saved;
    fit(&mut saved.kept, if options.save { slices * kept_len(plan) } else { 0 });
    (saved.shape, saved.has_initial, saved.level) = (*shape, inputs.initial.is_some(), options.level);
}

/// `[rows, E]`, rows `stride` apart, to lanes.
pub(super) fn to_lanes<T: Real>(plan: Plan, rows: usize, source: &[T], stride: usize, target: &mut [T]) {
    let turn = Turn { rows, columns: plan.width, stride, target_stride: LANES_OF_BATCH };
    transpose(plan.level, turn, source, target);
}

/// Lanes to `[rows, E]`, rows `stride` apart.
pub(super) fn from_lanes<T: Real>(plan: Plan, rows: usize, source: &[T], target: &mut [T], stride: usize) {
    let turn = Turn { rows: plan.width, columns: rows, stride: LANES_OF_BATCH, target_stride: stride };
    transpose(plan.level, turn, source, target);
}

/// a of all rows of a slice, `[rows, time, E]`; nothing where there is no convolution.
fn convolve_rows<T: Real>(
    plan: Plan,
    packed: &SlstmLayerPacked<T>,
    (input, window, reset): (&[T], Option<&[T]>, Option<&[bool]>),
    convolved: &mut [T],
) {
    let Some(taps) = packed.taps() else {
        return;
    };
    let sequence = plan.time * plan.width;
    for (row, (input, a)) in
        input.chunks_exact(sequence).zip(convolved.chunks_exact_mut(sequence)).enumerate()
    {
        convolve(plan.level, taps, row_of(plan, (input, window, reset), row), a);
    }
}

/// One row of a slice as the convolution takes it; `input` is the row's own.
pub(super) fn row_of<'a, T>(
    plan: Plan,
    (input, window, reset): (&'a [T], Option<&'a [T]>, Option<&'a [bool]>),
    row: usize,
) -> Sequence<'a, T> {
    let Plan { time, width, .. } = plan;
    let window_len = plan.window_rows() * width;
    Sequence {
        time,
        input,
        stride: width,
        window: window.map(|window| &window[row * window_len..(row + 1) * window_len]),
        reset: reset.map(|mask| &mask[row * time..(row + 1) * time]),
    }
}

fn run_slice<T: Real>(
    plan: Plan,
    packed: &SlstmLayerPacked<T>,
    forget_gate: ForgetGate,
    mut job: Job<'_, T>,
    scratch: &mut Scratch<T>,
) {
    let Plan { level, time, heads, dim, width, .. } = plan;
    let units = plan.units();
    start_slice(plan, packed, &mut job, scratch);
    for step in 0..time {
        if let Some(mask) = job.reset {
            for row in (0..job.rows).filter(|row| mask[row * time + step]) {
                fill_lane(&mut scratch.output, row, T::ZERO);
                fill_lane(&mut scratch.cell, row, T::ZERO);
                fill_lane(&mut scratch.normaliser, row, T::ZERO);
            }
        }
        to_lanes(plan, job.rows, &job.input[step * width..], time * width, &mut scratch.step_input);
        if plan.taps > 0 {
            let from = &scratch.convolved[step * width..];
            to_lanes(plan, job.rows, from, time * width, &mut scratch.step_convolved);
        }
        for head in 0..heads {
            let own = head * units..(head + 1) * units;
            assemble(plan, packed, head, job.mask.is_some(), scratch);
            let at = (step * heads + head) * KEPT * units;
            let kept = if job.kept.is_empty() { &mut [] } else { &mut job.kept[at..at + KEPT * units] };
            gates_forward(
                level,
                units,
                forget_gate,
                &scratch.pre,
                &mut scratch.cell[own.clone()],
                &mut scratch.normaliser[own.clone()],
                &mut scratch.stabiliser[own.clone()],
                &mut scratch.output[own],
                kept,
            );
        }
        norm_lanes(level, dim, NORM_EPSILON, &scratch.output, &packed.norm, &mut scratch.normed);
        from_lanes(plan, job.rows, &scratch.normed, &mut job.output[step * width..], time * width);
    }
    from_lanes(plan, job.rows, &scratch.output, job.state.output, width);
    from_lanes(plan, job.rows, &scratch.cell, job.state.cell, width);
    from_lanes(plan, job.rows, &scratch.normaliser, job.state.normaliser, width);
    from_lanes(plan, job.rows, &scratch.stabiliser, job.state.stabiliser, width);
}

/// The convolution, the windows after it, the state by lanes. Lanes without a sequence are zero.
fn start_slice<T: Real>(
    plan: Plan,
    packed: &SlstmLayerPacked<T>,
    job: &mut Job<'_, T>,
    scratch: &mut Scratch<T>,
) {
    let width = plan.width;
    let source = (job.input, job.window, job.reset);
    convolve_rows(plan, packed, source, &mut scratch.convolved);
    if let Some(taps) = packed.taps().filter(|taps| taps.taps > 1) {
        let windows = job.leaving.chunks_exact_mut(plan.window_rows() * width);
        for (row, (input, leaving)) in job.input.chunks_exact(plan.time * width).zip(windows).enumerate() {
            leaving_window(taps, row_of(plan, (input, job.window, job.reset), row), leaving);
        }
    }
    if job.rows < LANES_OF_BATCH {
        for buffer in [
            &mut scratch.step_input,
            &mut scratch.step_convolved,
            &mut scratch.output,
            &mut scratch.cell,
            &mut scratch.normaliser,
            &mut scratch.stabiliser,
            &mut scratch.mask,
        ] {
            buffer.fill(T::ZERO);
        }
    }
    to_lanes(plan, job.rows, job.state.output, width, &mut scratch.output);
    to_lanes(plan, job.rows, job.state.cell, width, &mut scratch.cell);
    to_lanes(plan, job.rows, job.state.normaliser, width, &mut scratch.normaliser);
    to_lanes(plan, job.rows, job.state.stabiliser, width, &mut scratch.stabiliser);
    if let Some(mask) = job.mask {
        to_lanes(plan, job.rows, mask, width, &mut scratch.mask);
    }
}

/// `pre = b + W (a for i and f, x for z and o) + R y`, `[4 · dim, lanes]` of one head.
fn assemble<T: Real>(
    plan: Plan,
    packed: &SlstmLayerPacked<T>,
    head: usize,
    masked: bool,
    scratch: &mut Scratch<T>,
) {
    let Plan { level, dim, wide, .. } = plan;
    let units = plan.units();
    let own = head * units..(head + 1) * units;
    let Scratch { pre, output, mask, masked: kept_back, step_input, step_convolved, .. } = scratch;
    let mut before = &output[own.clone()];
    if masked {
        multiply(level, before, &mask[own.clone()], kept_back);
        before = kept_back;
    }
    let weights = head * dim * wide..(head + 1) * dim * wide;
    let bias = &packed.recurrence.bias[head * wide..];
    let (gates, recurrent) = (&packed.gates.forward[weights.clone()], &packed.recurrence.forward[weights]);
    let mut columns = |first: usize, rows: usize, from: &[T]| {
        let input = Term { weights: &gates[first..], stride: wide, right: from };
        let back = Term { weights: &recurrent[first..], stride: wide, right: before };
        product_of_lanes(level, rows, &bias[first..], input, back, &mut pre[first * LANES_OF_BATCH..]);
    };
    if plan.taps > 0 {
        columns(0, 2 * dim, &step_convolved[own.clone()]);
        columns(2 * dim, 2 * dim, &step_input[own]);
    } else {
        columns(0, GATES * dim, &step_input[own]);
    }
}
