//! Forward pass: whole sequences and single steps run the same code.

use super::gates::{KEPT, assemble, gates_forward, multiply};
use super::{GATES, Geometry, SliceState, SlstmInputs, SlstmRecurrence, SlstmShape, SlstmState};
use crate::kernel::error::{KernelError, expect_length};
use crate::kernel::gate::ForgetGate;
use crate::kernel::level::Level;
use crate::kernel::math::Real;
use crate::kernel::product::{Extent, Into, Left, Right, copy_short, product};
use crate::kernel::schedule::{fit, run_jobs};

/// What a forward call gives back.
#[derive(Debug, Clone)]
pub struct SlstmForward<T> {
    /// y, `[batch, time, heads, dim]`.
    pub output: Vec<T>,
    /// State after the last step.
    pub state: SlstmState<T>,
    /// What [`super::backward`] needs besides the inputs.
    pub saved: SlstmSaved<T>,
}

impl<T: Real> Default for SlstmForward<T> {
    /// Empty buffers, to be filled by [`forward_into`].
    fn default() -> Self {
        let shape = SlstmShape { batch: 0, time: 0, heads: 0, dim: 0 };
        Self {
            output: Vec::new(),
            state: SlstmState::empty(0, 0, 0),
            saved: SlstmSaved { kept: Vec::new(), shape, has_initial: false, level: Level::detect() },
        }
    }
}

/// Seven numbers per unit and step (ig, fg, sigmoid(-f), z, o, c, n), slice by slice, head by head, step by step.
#[derive(Debug, Clone)]
pub struct SlstmSaved<T> {
    pub(crate) kept: Vec<T>,
    pub(crate) shape: SlstmShape,
    pub(crate) has_initial: bool,
    pub(crate) level: Level,
}

/// One slice of the batch, all heads, all steps.
struct Job<'a, T> {
    rows: usize,
    input: &'a [T],
    reset: Option<&'a [bool]>,
    /// `[rows, heads, dim]`.
    mask: Option<&'a [T]>,
    output: &'a mut [T],
    state: SliceState<'a, T>,
    /// Empty: nothing is kept.
    kept: &'a mut [T],
}

/// What all slices share.
#[derive(Clone, Copy)]
struct Cell<'a, T> {
    recurrence: &'a SlstmRecurrence<T>,
    forget_gate: ForgetGate,
}

/// What a thread keeps: sizes for a whole slice. The state is flat, head by head.
struct Scratch<T> {
    recurrent: Vec<T>,
    pre: Vec<T>,
    output: Vec<T>,
    cell: Vec<T>,
    normaliser: Vec<T>,
    stabiliser: Vec<T>,
    /// Factors of y before R.
    mask: Vec<T>,
    /// One head's y, masked.
    masked: Vec<T>,
}

impl<T: Real> Scratch<T> {
    fn new(geometry: Geometry) -> Self {
        let units = geometry.units(geometry.slice);
        let reals = |length: usize| vec![T::ZERO; length];
        Self {
            recurrent: reals(geometry.slice * geometry.wide),
            pre: reals(GATES * units),
            output: reals(geometry.heads * units),
            cell: reals(geometry.heads * units),
            normaliser: reals(geometry.heads * units),
            stabiliser: reals(geometry.heads * units),
            mask: reals(geometry.heads * units),
            masked: reals(units),
        }
    }
}

/// Elements kept for one slice of `rows` sequences.
pub(crate) fn kept_len(geometry: Geometry, rows: usize) -> usize {
    geometry.heads * geometry.time * KEPT * geometry.units(rows)
}

/// Multiply-adds of one pass.
pub(crate) fn cost(shape: &SlstmShape) -> usize {
    // A unit's gates cost as much as some 40 multiply-adds.
    shape.output_len() * (GATES * shape.dim + 40)
}

/// Computes y for every step, the state after the last and what the backward pass needs.
///
/// # Errors
/// [`KernelError`] where a slice does not fit the shape or a size is zero.
pub fn forward<T: Real>(
    level: Level,
    shape: SlstmShape,
    inputs: &SlstmInputs<'_, T>,
) -> Result<SlstmForward<T>, KernelError> {
    let mut output = SlstmForward::default();
    forward_into(level, shape, inputs, &mut output)?;
    Ok(output)
}

/// As [`forward`], into buffers of an earlier call.
///
/// # Errors
/// As [`forward`].
pub fn forward_into<T: Real>(
    level: Level,
    shape: SlstmShape,
    inputs: &SlstmInputs<'_, T>,
    result: &mut SlstmForward<T>,
) -> Result<(), KernelError> {
    inputs.check(&shape)?;
    let SlstmShape { batch, time, heads, dim } = shape;
    let geometry = Geometry::new(level, &shape);
    let SlstmForward { output, state, saved } = result;
    match inputs.initial {
        Some(initial) => state.clone_from(initial),
        None => *state = SlstmState::empty(batch, heads, dim),
    }
    fit(output, shape.output_len());
    let whole = batch / geometry.slice;
    let rest = batch - whole * geometry.slice;
    let tail = if rest == 0 { 0 } else { kept_len(geometry, rest) };
    fit(&mut saved.kept, whole * kept_len(geometry, geometry.slice) + tail);
    (saved.shape, saved.has_initial, saved.level) = (shape, inputs.initial.is_some(), level);
    let mut kept = saved.kept.as_mut_slice();
    let (width, sequence) = (heads * dim, heads * dim * time);
    let jobs = output
        .chunks_mut(geometry.slice * sequence)
        .zip(state.slices_mut(geometry.slice * heads * dim))
        .enumerate()
        .map(|(index, (output, state))| {
            let rows = output.len() / sequence;
            let first = index * geometry.slice;
            let (mine, others) = std::mem::take(&mut kept).split_at_mut(kept_len(geometry, rows));
            kept = others;
            Job {
                rows,
                input: &inputs.input[first * GATES * sequence..(first + rows) * GATES * sequence],
                reset: inputs.reset.map(|mask| &mask[first * time..(first + rows) * time]),
                mask: inputs.recurrent_mask.map(|mask| &mask[first * width..(first + rows) * width]),
                output,
                state,
                kept: mine,
            }
        });
    let cell = Cell { recurrence: inputs.recurrence, forget_gate: inputs.forget_gate };
    run_jobs(
        jobs,
        cost(&shape),
        [geometry.slice, dim, heads],
        || Scratch::new(geometry),
        |job, scratch| run_slice(geometry, cell, job, scratch),
    );
    Ok(())
}

/// Inputs of one step.
#[derive(Debug, Clone, Copy)]
pub struct SlstmStepInputs<'a, T> {
    /// Sequences in the batch.
    pub batch: usize,
    /// Heads.
    pub heads: usize,
    /// Units per head.
    pub dim: usize,
    /// `[batch, 4, heads, dim]`.
    pub input: &'a [T],
    /// R and b.
    pub recurrence: &'a SlstmRecurrence<T>,
    /// `[batch]`: true where the state is emptied before the step.
    pub reset: Option<&'a [bool]>,
    /// How f acts.
    pub forget_gate: ForgetGate,
    /// `[batch, heads, dim]`: factors of y_(t-1) before R; `None`: all 1.
    pub recurrent_mask: Option<&'a [T]>,
}

/// Advances `state` by one step; y of the step, `[batch, heads, dim]`, goes to `output` (and is `state.output`
/// afterwards). Small batches stay on the calling thread and allocate nothing after its first call.
///
/// # Errors
/// [`KernelError`] where a slice does not fit; the state is unchanged then.
pub fn step<T: Real>(
    level: Level,
    inputs: &SlstmStepInputs<'_, T>,
    state: &mut SlstmState<T>,
    output: &mut [T],
) -> Result<(), KernelError> {
    let SlstmStepInputs { batch, heads, dim, input, recurrence, reset, forget_gate, recurrent_mask } =
        *inputs;
    let shape = SlstmShape { batch, time: 1, heads, dim };
    SlstmInputs { input, recurrence, reset, initial: None, forget_gate, recurrent_mask }.check(&shape)?;
    state.check(shape.state_len())?;
    expect_length("output", shape.state_len(), output.len())?;
    let geometry = Geometry::new(level, &shape);
    let (length, width) = (geometry.slice * heads * dim, heads * dim);
    let cell = Cell { recurrence, forget_gate };
    let jobs = output.chunks_mut(length).zip(state.slices_mut(length)).enumerate().map(
        |(index, (output, state))| {
            let rows = output.len() / (heads * dim);
            let first = index * geometry.slice;
            Job {
                rows,
                input: &input[first * GATES * heads * dim..(first + rows) * GATES * heads * dim],
                reset: reset.map(|mask| &mask[first..first + rows]),
                mask: recurrent_mask.map(|mask| &mask[first * width..(first + rows) * width]),
                output,
                state,
                kept: &mut [],
            }
        },
    );
    run_jobs(
        jobs,
        cost(&shape),
        [geometry.slice, dim, heads],
        || Scratch::new(geometry),
        |job, scratch| run_slice(geometry, cell, job, scratch),
    );
    Ok(())
}

/// Copies one head's part of `[rows, heads, dim]` to `[rows, dim]`.
pub(crate) fn gather<T: Real>(geometry: Geometry, head: usize, source: &[T], target: &mut [T]) {
    let Geometry { heads, dim, .. } = geometry;
    for (from, to) in source.chunks_exact(heads * dim).zip(target.chunks_exact_mut(dim)) {
        copy_short(&from[head * dim..(head + 1) * dim], to);
    }
}

/// Copies `[rows, dim]` to one head's part of `[rows, heads, dim]`.
pub(crate) fn scatter<T: Real>(geometry: Geometry, head: usize, source: &[T], target: &mut [T]) {
    let Geometry { heads, dim, .. } = geometry;
    for (to, from) in target.chunks_exact_mut(heads * dim).zip(source.chunks_exact(dim)) {
        copy_short(from, &mut to[head * dim..(head + 1) * dim]);
    }
}

/// Time outside, heads inside: a step's inputs lie together in memory, and all heads' R fit the second-level cache.
fn run_slice<T: Real>(geometry: Geometry, cell: Cell<'_, T>, job: Job<'_, T>, scratch: &mut Scratch<T>) {
    let Job { rows, input, reset, mask, output, state, kept } = job;
    let Geometry { time, heads, dim, .. } = geometry;
    let units = geometry.units(rows);
    let block = KEPT * units;
    for head in 0..heads {
        let own = head * units..(head + 1) * units;
        gather(geometry, head, state.output, &mut scratch.output[own.clone()]);
        gather(geometry, head, state.cell, &mut scratch.cell[own.clone()]);
        gather(geometry, head, state.normaliser, &mut scratch.normaliser[own.clone()]);
        gather(geometry, head, state.stabiliser, &mut scratch.stabiliser[own.clone()]);
        if let Some(mask) = mask {
            gather(geometry, head, mask, &mut scratch.mask[own]);
        }
    }
    for step in 0..time {
        for head in 0..heads {
            if let Some(mask) = reset {
                for row in (0..rows).filter(|row| mask[row * time + step]) {
                    let part = head * units + row * dim..head * units + (row + 1) * dim;
                    scratch.output[part.clone()].fill(T::ZERO);
                    scratch.cell[part.clone()].fill(T::ZERO);
                    scratch.normaliser[part].fill(T::ZERO);
                }
            }
            let at = (step * heads + head) * block;
            let kept = if kept.is_empty() { &mut [] } else { &mut kept[at..at + block] };
            one_step(geometry, cell, (rows, head, step), (input, mask.is_some()), scratch, kept);
            for (row, from) in scratch.output[head * units..].chunks_exact(dim).take(rows).enumerate() {
                let start = ((row * time + step) * heads + head) * dim;
                copy_short(from, &mut output[start..start + dim]);
            }
        }
    }
    for head in 0..heads {
        let own = head * units..(head + 1) * units;
        scatter(geometry, head, &scratch.output[own.clone()], state.output);
        scatter(geometry, head, &scratch.cell[own.clone()], state.cell);
        scatter(geometry, head, &scratch.normaliser[own.clone()], state.normaliser);
        scatter(geometry, head, &scratch.stabiliser[own], state.stabiliser);
    }
}

/// One head and step of a slice; `place` is (rows, head, step).
fn one_step<T: Real>(
    geometry: Geometry,
    recurrent_cell: Cell<'_, T>,
    place: (usize, usize, usize),
    (input, masked): (&[T], bool),
    scratch: &mut Scratch<T>,
    kept: &mut [T],
) {
    let Geometry { level, dim, wide, .. } = geometry;
    let (rows, head, step) = place;
    let units = geometry.units(rows);
    let own = head * units..(head + 1) * units;
    let mut before = &scratch.output[own.clone()];
    if masked {
        multiply(level, before, &scratch.mask[own.clone()], &mut scratch.masked);
        before = &scratch.masked;
    }
    let recurrence = recurrent_cell.recurrence;
    let left = Left { data: before, row_stride: dim, depth_stride: 1 };
    let right = Right { data: &recurrence.forward[head * dim * wide..(head + 1) * dim * wide], stride: wide };
    let extent = Extent { rows, depth: dim, columns: wide };
    product(level, extent, left, right, Into::Replace, &mut scratch.recurrent, wide);
    let bias = &recurrence.bias[head * wide..(head + 1) * wide];
    assemble(level, geometry.places(rows, head, step), input, &scratch.recurrent, bias, &mut scratch.pre);
    let Scratch { pre, output, cell, normaliser, stabiliser, .. } = scratch;
    gates_forward(
        level,
        units,
        recurrent_cell.forget_gate,
        pre,
        &mut cell[own.clone()],
        &mut normaliser[own.clone()],
        &mut stabiliser[own.clone()],
        &mut output[own],
        kept,
    );
}
