//! Backward pass, written by hand: back through time, slice by slice.
//!
//! With `e = dy_t + R^T dx_(t+1)`: `dc += e o/n`, `dn -= e y/n`, `d_i = ig (z dc + dn)`,
//! `d_f = fg (c_(t-1) dc + n_(t-1) dn) sigmoid(-f)`, `d_z = ig dc (1 - z²)`, `d_o = e y (1 - o)`, then
//! `dx_t = (d_i, d_f, d_z, d_o)`, `dR += dx_t y_(t-1)^T`, `db += dx_t`, `dc *= fg`, `dn *= fg`.
//! The stabiliser is a constant for y, exactly. Where the gradient of the final state is given, what reaches m
//! beyond c and n, `dm - dc.c - dn.n`, follows the path by which m was reached, so those gradients are exact too.

use super::forward::{cost, gather, kept_len, scatter};
use super::gates::{Carried, KEPT, Kept, gates_backward, outputs_again, spread};
use super::{GATES, Geometry, SliceState, SlstmInputs, SlstmRecurrence, SlstmSaved, SlstmShape, SlstmState};
use crate::kernel::error::{KernelError, expect_length};
use crate::kernel::math::Real;
use crate::kernel::product::{Extent, Into, Left, PAD, Right, copy_short, product};
use crate::kernel::rows::accumulate_rows;
use crate::kernel::schedule::{fit, run_jobs};

/// Steps whose rows are collected before the weight gradient is updated: a deeper, cheaper product.
const COLLECTED_STEPS: usize = 4;

/// Gradients of every input.
#[derive(Debug, Clone)]
pub struct SlstmGradients<T> {
    /// dx, `[batch, time, 4, heads, dim]`.
    pub input: Vec<T>,
    /// dR, `[4, heads, dim_out, dim_in]`.
    pub recurrent_weights: Vec<T>,
    /// db, `[4, heads, dim]`.
    pub bias: Vec<T>,
    /// dy0, dc0, dn0, dm0, where the forward pass had an initial state.
    pub initial: Option<SlstmState<T>>,
    /// Per slice and head: dR transposed `[dim_in, 4 · dim_out padded]`, then db; summed in order.
    partial: Vec<T>,
}

impl<T> Default for SlstmGradients<T> {
    /// Empty buffers, to be filled by [`backward_into`].
    fn default() -> Self {
        Self {
            input: Vec::new(),
            recurrent_weights: Vec::new(),
            bias: Vec::new(),
            initial: None,
            partial: Vec::new(),
        }
    }
}

struct Job<'a, T> {
    rows: usize,
    first: usize,
    output_gradient: &'a [T],
    reset: Option<&'a [bool]>,
    /// `[rows, heads, dim]`.
    mask: Option<&'a [T]>,
    kept: &'a [T],
    input_out: &'a mut [T],
    partial: &'a mut [T],
    initial_out: Option<SliceState<'a, T>>,
}

/// What a thread keeps. All but the first and the last few are per head, one after the other.
struct Scratch<T> {
    upstream: Vec<T>,
    recurrent: Vec<T>,
    cell: Vec<T>,
    normaliser: Vec<T>,
    stabiliser: Vec<T>,
    cell_before: Vec<T>,
    normaliser_before: Vec<T>,
    pre: Vec<T>,
    /// dx of the collected steps, `[steps · rows, 4 · dim padded]`.
    collected: Vec<T>,
    /// Factors of y before R.
    mask: Vec<T>,
    /// y before those steps, masked, `[steps · rows, dim]`.
    outputs_before: Vec<T>,
    ones: Vec<T>,
}

impl<T: Real> Scratch<T> {
    fn new(geometry: Geometry) -> Self {
        let Geometry { heads, slice, wide, narrow, .. } = geometry;
        let units = geometry.units(slice);
        let reals = |length: usize| vec![T::ZERO; length];
        Self {
            upstream: reals(units),
            recurrent: reals(heads * slice * narrow),
            cell: reals(heads * units),
            normaliser: reals(heads * units),
            stabiliser: reals(heads * units),
            cell_before: reals(units),
            normaliser_before: reals(units),
            pre: reals(GATES * units),
            collected: reals(heads * COLLECTED_STEPS * slice * wide),
            mask: reals(heads * units),
            outputs_before: reals(heads * outputs_len(geometry)),
            ones: vec![T::ONE; COLLECTED_STEPS * slice],
        }
    }
}

/// Elements of one head's collected y; whole vectors may run past the last row.
fn outputs_len(geometry: Geometry) -> usize {
    COLLECTED_STEPS * geometry.slice * geometry.dim + PAD
}

/// Gradients of all inputs from `output_gradient` (dy, `[batch, time, heads, dim]`) and, where there is one, the
/// gradient of the final state, given with that state. `inputs` and `saved` are those of the forward call.
///
/// # Errors
/// [`KernelError`] where a slice does not fit the shape or `saved` belongs to another call.
pub fn backward<T: Real>(
    inputs: &SlstmInputs<'_, T>,
    saved: &SlstmSaved<T>,
    output_gradient: &[T],
    final_state: Option<(&SlstmState<T>, &SlstmState<T>)>,
) -> Result<SlstmGradients<T>, KernelError> {
    let mut gradients = SlstmGradients::default();
    backward_into(inputs, saved, output_gradient, final_state, &mut gradients)?;
    Ok(gradients)
}

/// As [`backward`], into buffers of an earlier call.
///
/// # Errors
/// As [`backward`].
pub fn backward_into<T: Real>(
    inputs: &SlstmInputs<'_, T>,
    saved: &SlstmSaved<T>,
    output_gradient: &[T],
    final_state: Option<(&SlstmState<T>, &SlstmState<T>)>,
    gradients: &mut SlstmGradients<T>,
) -> Result<(), KernelError> {
    let shape = saved.shape;
    inputs.check(&shape)?;
    if saved.has_initial != inputs.initial.is_some() {
        return Err(KernelError::ForeignSaved { name: "initial state" });
    }
    expect_length("output_gradient", shape.output_len(), output_gradient.len())?;
    if let Some((state, gradient)) = final_state {
        state.check(shape.state_len())?;
        gradient.check(shape.state_len())?;
    }
    let SlstmShape { batch, heads, dim, .. } = shape;
    let geometry = Geometry::new(saved.level, &shape);
    let slices = batch.div_ceil(geometry.slice);
    fit(&mut gradients.input, shape.input_len());
    fit(&mut gradients.recurrent_weights, GATES * heads * dim * dim);
    fit(&mut gradients.bias, GATES * heads * dim);
    fit(&mut gradients.partial, slices * heads * partial_len(geometry));
    gradients.initial = inputs.initial.map(|_| SlstmState::empty(batch, heads, dim));
    let jobs = make_jobs(geometry, inputs, saved, output_gradient, gradients);
    run_jobs(
        jobs.into_iter(),
        2 * cost(&shape),
        [geometry.slice, dim, heads],
        || Scratch::new(geometry),
        |job, scratch| run_slice(geometry, inputs, final_state, job, scratch),
    );
    sum_partials(geometry, slices, gradients);
    Ok(())
}

/// Elements of one slice's and head's weight gradient: dR transposed and db.
fn partial_len(geometry: Geometry) -> usize {
    (geometry.dim + 1) * geometry.wide
}

fn make_jobs<'a, T: Real>(
    geometry: Geometry,
    inputs: &'a SlstmInputs<'a, T>,
    saved: &'a SlstmSaved<T>,
    output_gradient: &'a [T],
    gradients: &'a mut SlstmGradients<T>,
) -> Vec<Job<'a, T>> {
    let Geometry { time, heads, dim, slice, .. } = geometry;
    let sequence = time * heads * dim;
    let mut kept = saved.kept.as_slice();
    let mut initial = gradients.initial.as_mut().map(|state| state.slices_mut(slice * heads * dim));
    gradients
        .input
        .chunks_mut(slice * GATES * sequence)
        .zip(gradients.partial.chunks_mut(heads * partial_len(geometry)))
        .enumerate()
        .map(|(index, (input_out, partial))| {
            let (first, rows) = (index * slice, input_out.len() / (GATES * sequence));
            let (mine, others) = kept.split_at(kept_len(geometry, rows));
            kept = others;
            Job {
                rows,
                first,
                output_gradient: &output_gradient[first * sequence..(first + rows) * sequence],
                reset: inputs.reset.map(|mask| &mask[first * time..(first + rows) * time]),
                mask: inputs
                    .recurrent_mask
                    .map(|mask| &mask[first * heads * dim..(first + rows) * heads * dim]),
                kept: mine,
                input_out,
                partial,
                initial_out: initial.as_mut().and_then(Iterator::next),
            }
        })
        .collect()
}

/// dR and db: the slices' partial sums, added in the order of the slices.
fn sum_partials<T: Real>(geometry: Geometry, slices: usize, gradients: &mut SlstmGradients<T>) {
    let Geometry { heads, dim, wide, .. } = geometry;
    let length = partial_len(geometry);
    let (total, others) = gradients.partial.split_at_mut(heads * length);
    for slice in others.chunks_exact(heads * length).take(slices - 1) {
        for (total, part) in total.iter_mut().zip(slice) {
            *total += *part;
        }
    }
    for gate in 0..GATES {
        for head in 0..heads {
            let total = &total[head * length..(head + 1) * length];
            for out in 0..dim {
                let (unit, column) = ((gate * heads + head) * dim + out, gate * dim + out);
                gradients.bias[unit] = total[dim * wide + column];
                for input in 0..dim {
                    gradients.recurrent_weights[unit * dim + input] = total[input * wide + column];
                }
            }
        }
    }
}

fn run_slice<T: Real>(
    geometry: Geometry,
    inputs: &SlstmInputs<'_, T>,
    final_state: Option<(&SlstmState<T>, &SlstmState<T>)>,
    mut job: Job<'_, T>,
    scratch: &mut Scratch<T>,
) {
    let Geometry { time, heads, .. } = geometry;
    let units = geometry.units(job.rows);
    job.partial.fill(T::ZERO);
    for head in 0..heads {
        load_final(geometry, head, &job, final_state, scratch);
        if let Some(mask) = job.mask {
            gather(geometry, head, mask, &mut scratch.mask[head * geometry.units(job.rows)..]);
        }
    }
    let mut collected = 0;
    for step in (0..time).rev() {
        for head in 0..heads {
            let block = |step: usize| {
                let start = (step * heads + head) * KEPT * units;
                Kept::read(&job.kept[start..start + KEPT * units], units)
            };
            let earlier = (step > 0).then(|| block(step - 1));
            one_step(geometry, inputs, (head, step, collected), (block(step), earlier), &mut job, scratch);
        }
        collected += 1;
        if collected == COLLECTED_STEPS || step == 0 {
            for head in 0..heads {
                add_weights(geometry, head, collected * job.rows, &mut job, scratch);
            }
            collected = 0;
        }
    }
    for head in 0..heads {
        store_initial(geometry, head, &mut job, inputs, scratch);
    }
}

/// One head and step back; `place` is (head, step, steps collected before this one).
fn one_step<T: Real>(
    geometry: Geometry,
    inputs: &SlstmInputs<'_, T>,
    place: (usize, usize, usize),
    (kept, earlier): (Kept<'_, T>, Option<Kept<'_, T>>),
    job: &mut Job<'_, T>,
    scratch: &mut Scratch<T>,
) {
    let Geometry { level, time, slice, wide, narrow, .. } = geometry;
    let (head, step, collected) = place;
    let units = geometry.units(job.rows);
    add_upstream(geometry, head, step, job, scratch);
    load_before(geometry, place, job, inputs, earlier, scratch);
    let own = head * units..(head + 1) * units;
    let mut carried = Carried {
        cell: &mut scratch.cell[own.clone()],
        normaliser: &mut scratch.normaliser[own.clone()],
        stabiliser: &mut scratch.stabiliser[own],
    };
    let before = earlier
        .map_or((scratch.cell_before.as_slice(), scratch.normaliser_before.as_slice()), |earlier| {
            (earlier.cell, earlier.normaliser)
        });
    gates_backward(level, units, kept, before, &scratch.upstream, &mut carried, &mut scratch.pre);
    let start = (head * COLLECTED_STEPS * slice + collected * job.rows) * wide;
    let packed = &mut scratch.collected[start..start + job.rows * wide];
    spread(level, geometry.places(job.rows, head, step), &scratch.pre, job.input_out, packed);
    recur(geometry, inputs.recurrence, head, job.rows, collected, scratch);
    if job.mask.is_some() {
        mask_recurrent(geometry, head, job.rows, scratch);
    }
    if let Some(mask) = job.reset {
        for row in (0..job.rows).filter(|row| mask[row * time + step]) {
            // dc and dn are zero already: fg is 0 where a state was emptied.
            scratch.recurrent[(head * slice + row) * narrow..][..narrow].fill(T::ZERO);
        }
    }
}

/// The gradient that enters at the end of time.
fn load_final<T: Real>(
    geometry: Geometry,
    head: usize,
    job: &Job<'_, T>,
    final_state: Option<(&SlstmState<T>, &SlstmState<T>)>,
    scratch: &mut Scratch<T>,
) {
    let Geometry { heads, dim, narrow, slice, .. } = geometry;
    let units = geometry.units(job.rows);
    let own = head * units..(head + 1) * units;
    scratch.recurrent[head * slice * narrow..(head + 1) * slice * narrow].fill(T::ZERO);
    scratch.cell[own.clone()].fill(T::ZERO);
    scratch.normaliser[own.clone()].fill(T::ZERO);
    scratch.stabiliser[own].fill(T::ZERO);
    let Some((state, gradient)) = final_state else {
        return;
    };
    for row in 0..job.rows {
        let start = ((job.first + row) * heads + head) * dim;
        for unit in 0..dim {
            let (at, flat) = (start + unit, head * units + row * dim + unit);
            let (dc, dn) = (gradient.cell[at], gradient.normaliser[at]);
            scratch.recurrent[(head * slice + row) * narrow + unit] = gradient.output[at];
            scratch.cell[flat] = dc;
            scratch.normaliser[flat] = dn;
            scratch.stabiliser[flat] =
                gradient.stabiliser[at] - dc * state.cell[at] - dn * state.normaliser[at];
        }
    }
}

/// `upstream = dy_t + R^T dx_(t+1)`, flat.
fn add_upstream<T: Real>(
    geometry: Geometry,
    head: usize,
    step: usize,
    job: &Job<'_, T>,
    scratch: &mut Scratch<T>,
) {
    let Geometry { time, heads, dim, narrow, slice, .. } = geometry;
    let recurrent = &scratch.recurrent[head * slice * narrow..];
    let rows = scratch.upstream.chunks_exact_mut(dim).zip(recurrent.chunks_exact(narrow));
    for (row, (to, recurrent)) in rows.take(job.rows).enumerate() {
        let start = ((row * time + step) * heads + head) * dim;
        for ((to, dy), recurrent) in
            to.iter_mut().zip(&job.output_gradient[start..start + dim]).zip(recurrent)
        {
            *to = *dy + *recurrent;
        }
    }
}

/// y that entered the step, into the collected rows: the step before's, the initial state's, or zero after a reset.
/// At the first step also c and n; later ones are read where they were kept.
fn load_before<T: Real>(
    geometry: Geometry,
    place: (usize, usize, usize),
    job: &Job<'_, T>,
    inputs: &SlstmInputs<'_, T>,
    earlier: Option<Kept<'_, T>>,
    scratch: &mut Scratch<T>,
) {
    let Geometry { time, heads, dim, .. } = geometry;
    let (head, step, collected) = place;
    // Whole vectors may run past the last row, into what the next collected step writes.
    let start = head * outputs_len(geometry) + collected * job.rows * dim;
    let outputs = &mut scratch.outputs_before[start..start + geometry.units(job.rows)];
    if let Some(earlier) = earlier {
        outputs_again(geometry.level, earlier, outputs);
    } else if let Some(initial) = inputs.initial {
        let part = job.first * heads * dim..(job.first + job.rows) * heads * dim;
        gather(geometry, head, &initial.cell[part.clone()], &mut scratch.cell_before);
        gather(geometry, head, &initial.normaliser[part.clone()], &mut scratch.normaliser_before);
        gather(geometry, head, &initial.output[part], outputs);
    } else {
        scratch.cell_before.fill(T::ZERO);
        scratch.normaliser_before.fill(T::ZERO);
        outputs.fill(T::ZERO);
    }
    if let Some(mask) = job.reset {
        for row in (0..job.rows).filter(|row| mask[row * time + step]) {
            outputs[row * dim..(row + 1) * dim].fill(T::ZERO);
        }
    }
    if job.mask.is_some() {
        let mask = &scratch.mask[head * geometry.units(job.rows)..];
        for (output, factor) in outputs[..job.rows * dim].iter_mut().zip(mask) {
            *output *= *factor;
        }
    }
}

/// What R^T sends back reaches y through the mask.
fn mask_recurrent<T: Real>(geometry: Geometry, head: usize, rows: usize, scratch: &mut Scratch<T>) {
    let Geometry { dim, narrow, slice, .. } = geometry;
    let mask = scratch.mask[head * geometry.units(rows)..].chunks_exact(dim);
    let recurrent = scratch.recurrent[head * slice * narrow..].chunks_exact_mut(narrow);
    for (recurrent, mask) in recurrent.zip(mask).take(rows) {
        for (gradient, factor) in recurrent.iter_mut().zip(mask) {
            *gradient *= *factor;
        }
    }
}

/// `R^T dx_t`, for the step before.
fn recur<T: Real>(
    geometry: Geometry,
    recurrence: &SlstmRecurrence<T>,
    head: usize,
    rows: usize,
    collected: usize,
    scratch: &mut Scratch<T>,
) {
    let Geometry { level, dim, wide, narrow, slice, .. } = geometry;
    let depth = GATES * dim;
    let start = (head * COLLECTED_STEPS * slice + collected * rows) * wide;
    let left = Left { data: &scratch.collected[start..], row_stride: wide, depth_stride: 1 };
    let right = Right {
        data: &recurrence.backward[head * depth * narrow..(head + 1) * depth * narrow],
        stride: narrow,
    };
    let extent = Extent { rows, depth, columns: narrow };
    product(
        level,
        extent,
        left,
        right,
        Into::Replace,
        &mut scratch.recurrent[head * slice * narrow..],
        narrow,
    );
}

/// `dR^T += y_before^T dx` and `db += dx` over the collected rows.
fn add_weights<T: Real>(
    geometry: Geometry,
    head: usize,
    depth: usize,
    job: &mut Job<'_, T>,
    scratch: &Scratch<T>,
) {
    let Geometry { level, dim, wide, slice, .. } = geometry;
    let length = partial_len(geometry);
    let collected = &scratch.collected[head * COLLECTED_STEPS * slice * wide..][..depth * wide];
    let outputs = &scratch.outputs_before[head * outputs_len(geometry)..];
    let (weights, bias) = job.partial[head * length..(head + 1) * length].split_at_mut(dim * wide);
    let left = Left { data: outputs, row_stride: 1, depth_stride: dim };
    let right = Right { data: collected, stride: wide };
    product(level, Extent { rows: dim, depth, columns: wide }, left, right, Into::Add, weights, wide);
    accumulate_rows(level, T::ONE, wide, &scratch.ones[..depth], collected, bias);
}

/// dy0, dc0, dn0, dm0.
fn store_initial<T: Real>(
    geometry: Geometry,
    head: usize,
    job: &mut Job<'_, T>,
    inputs: &SlstmInputs<'_, T>,
    scratch: &mut Scratch<T>,
) {
    let (Some(out), Some(initial)) = (&mut job.initial_out, inputs.initial) else {
        return;
    };
    let Geometry { heads, dim, narrow, slice, .. } = geometry;
    let part = job.first * heads * dim..(job.first + job.rows) * heads * dim;
    gather(geometry, head, &initial.cell[part.clone()], &mut scratch.cell_before);
    gather(geometry, head, &initial.normaliser[part], &mut scratch.normaliser_before);
    let start = head * geometry.units(job.rows);
    for unit in 0..job.rows * dim {
        scratch.stabiliser[start + unit] += scratch.cell[start + unit] * scratch.cell_before[unit]
            + scratch.normaliser[start + unit] * scratch.normaliser_before[unit];
    }
    let recurrent = &scratch.recurrent[head * slice * narrow..];
    for (to, from) in out.output.chunks_exact_mut(heads * dim).zip(recurrent.chunks_exact(narrow)) {
        copy_short(from, &mut to[head * dim..(head + 1) * dim]);
    }
    scatter(geometry, head, &scratch.cell[start..], out.cell);
    scatter(geometry, head, &scratch.normaliser[start..], out.normaliser);
    scatter(geometry, head, &scratch.stabiliser[start..], out.stabiliser);
}
