//! Backward pass over whole sequences, a slice of the batch per job, back through time.
//!
//! Per step: the head norm's gradient (y from the kept numbers), the cell's, then R^T and W^T. The weight gradients
//! wait until a few steps are collected: products of depth [`COLLECTED_STEPS`] · lanes. The convolution's gradient
//! follows at the end, row by row.

use super::forward::{from_lanes, kept_len, row_of, to_lanes};
use super::lanes::{Turn, fill_lane, norm_lanes_backward, sum_lanes, transpose};
use super::products::{Outer, Rows, Term, add_outer, product_of_lanes};
use super::{
    LANES_OF_BATCH, NORM_EPSILON, Plan, SlstmLayerInputs, SlstmLayerPacked, SlstmLayerSaved, SlstmLayerState,
};
use crate::kernel::Wanted;
use crate::kernel::convolution::{
    TapGradients, convolve_backward, convolve_with_slopes, scratch_len, unpack_taps,
};
use crate::kernel::error::{KernelError, expect_length};
use crate::kernel::math::Real;
use crate::kernel::product::{PAD, padded};
use crate::kernel::rows::accumulate_rows;
use crate::kernel::schedule::{fit, run_jobs};
use crate::kernel::slstm::GATES;
use crate::kernel::slstm::gates::{Carried, KEPT, Kept, gates_backward, multiply, outputs_again};

/// Steps whose columns are collected before the weight gradients are updated.
const COLLECTED_STEPS: usize = 4;

/// Sequences and steps: the depth of the weights' products.
const COLLECTED: usize = COLLECTED_STEPS * LANES_OF_BATCH;

/// Gradients of x and of every weight, shaped like those.
#[derive(Debug, Clone)]
pub struct SlstmLayerGradients<T> {
    /// dx, `[batch, time, E]`.
    pub input: Vec<T>,
    /// `[E, K]`; empty without a convolution.
    pub convolution_weight: Vec<T>,
    /// `[E]`; empty without a convolution.
    pub convolution_bias: Vec<T>,
    /// dW, `[4, heads, dim_out, dim_in]`.
    pub gates: Vec<T>,
    /// dR, `[4, heads, dim_out, dim_in]`.
    pub recurrent: Vec<T>,
    /// db, `[4, heads, dim]`.
    pub bias: Vec<T>,
    /// dw of the head norm, `[E]`.
    pub norm: Vec<T>,
    /// Per slice, see [`Parts`]; summed in order.
    partial: Vec<T>,
    wanted: Wanted,
}

impl<T> SlstmLayerGradients<T> {
    /// Empty buffers for a call that leaves out what it can of the weights' gradients, as an explanation needs them.
    #[must_use]
    pub fn of_input() -> Self {
        Self { wanted: Wanted::Input, ..Self::default() }
    }
}

impl<T> Default for SlstmLayerGradients<T> {
    /// Empty buffers, to be filled by [`backward_into`].
    fn default() -> Self {
        Self {
            input: Vec::new(),
            convolution_weight: Vec::new(),
            convolution_bias: Vec::new(),
            gates: Vec::new(),
            recurrent: Vec::new(),
            bias: Vec::new(),
            norm: Vec::new(),
            partial: Vec::new(),
            wanted: Wanted::All,
        }
    }
}

/// Where a slice's weight gradients lie in its part of `partial`.
#[derive(Clone, Copy)]
struct Parts {
    /// Columns of dW for i and f, and the first column of those for z and o, in whole vectors.
    convolved_columns: usize,
    input_start: usize,
    /// Per head: dR transposed, dW transposed for i and f, for z and o, db.
    recurrent: usize,
    from_convolved: usize,
    from_input: usize,
    head: usize,
    /// After the heads: the taps `[K, E]`, their bias, the norm.
    taps: usize,
    tap_bias: usize,
    norm: usize,
    all: usize,
}

impl Parts {
    fn new(plan: Plan) -> Self {
        let Plan { dim, wide, heads, width, taps, .. } = plan;
        let (convolved_columns, input_start) = (padded(2 * dim), 2 * dim / PAD * PAD);
        let recurrent = 0;
        let from_convolved = recurrent + dim * wide;
        let from_input = from_convolved + dim * convolved_columns;
        let head = from_input + dim * (wide - input_start) + wide;
        let taps_start = heads * head;
        let tap_bias = taps_start + taps * width;
        let norm = tap_bias + width;
        Self {
            convolved_columns,
            input_start,
            recurrent,
            from_convolved,
            from_input,
            head,
            taps: taps_start,
            tap_bias,
            norm,
            all: norm + width,
        }
    }
}

struct Job<'a, T> {
    rows: usize,
    first: usize,
    input: &'a [T],
    window: Option<&'a [T]>,
    reset: Option<&'a [bool]>,
    mask: Option<&'a [T]>,
    output_gradient: &'a [T],
    kept: &'a [T],
    input_out: &'a mut [T],
    partial: &'a mut [T],
    wanted: Wanted,
}

/// What a thread keeps. Buffers "by lanes" have the batch innermost, `[heads, dim, lanes]`.
struct Scratch<T> {
    /// a, its slope and da, `[lanes, time, E]`.
    convolved: Vec<T>,
    slopes: Vec<T>,
    convolved_gradient: Vec<T>,
    convolution: Vec<T>,
    /// By lanes: y of the step and of the one before; the gradient of one step's y; what R^T sends back.
    output: Vec<T>,
    output_before: Vec<T>,
    upstream: Vec<T>,
    recurrent: Vec<T>,
    /// By lanes: dc, dn, dm, and the state that entered the first step.
    cell: Vec<T>,
    normaliser: Vec<T>,
    stabiliser: Vec<T>,
    cell_before: Vec<T>,
    normaliser_before: Vec<T>,
    mask: Vec<T>,
    /// By lanes: da, dx of one step; dw of the norm.
    step_convolved: Vec<T>,
    step_input: Vec<T>,
    norm: Vec<T>,
    /// The gradient of one head's pre-activations, `[4 · dim, lanes]`.
    pre: Vec<T>,
    /// The same of the collected steps, per head `[lanes, steps, 4 · dim padded]`.
    collected: Vec<T>,
    /// y before R of the collected steps, `[lanes, steps, E]`.
    collected_before: Vec<T>,
    /// By lanes: y before R, masked.
    masked: Vec<T>,
    ones: Vec<T>,
}

impl<T: Real> Scratch<T> {
    fn new(plan: Plan) -> Self {
        let reals = |length: usize| vec![T::ZERO; length];
        let lanes = plan.lanes();
        let rows = if plan.taps > 0 { lanes * plan.time } else { 0 };
        Self {
            convolved: reals(rows),
            slopes: reals(rows),
            convolved_gradient: reals(rows),
            convolution: reals(scratch_len(plan.time)),
            output: reals(lanes),
            output_before: reals(lanes),
            upstream: reals(lanes),
            recurrent: reals(lanes),
            cell: reals(lanes),
            normaliser: reals(lanes),
            stabiliser: reals(lanes),
            cell_before: reals(lanes),
            normaliser_before: reals(lanes),
            mask: reals(lanes),
            step_convolved: reals(lanes),
            step_input: reals(lanes),
            norm: reals(lanes),
            pre: reals(GATES * plan.units()),
            collected: reals(plan.heads * COLLECTED * plan.wide),
            collected_before: reals(plan.width * COLLECTED),
            masked: reals(lanes),
            ones: vec![T::ONE; COLLECTED_STEPS],
        }
    }

    /// Everything that could hold numbers of an earlier job where this one writes none.
    fn clear(&mut self, all_lanes: bool) {
        for buffer in
            [&mut self.recurrent, &mut self.cell, &mut self.normaliser, &mut self.stabiliser, &mut self.norm]
        {
            buffer.fill(T::ZERO);
        }
        if !all_lanes {
            for buffer in [
                &mut self.upstream,
                &mut self.output,
                &mut self.output_before,
                &mut self.cell_before,
                &mut self.normaliser_before,
                &mut self.mask,
            ] {
                buffer.fill(T::ZERO);
            }
        }
    }
}

/// Gradients of x and of all weights from `output_gradient`, `[batch, time, E]`. `packed`, `inputs` and `saved` are
/// those of the forward call, which must have kept what this one needs.
///
/// # Errors
/// [`KernelError`] where a slice does not fit the shape or `saved` belongs to another call.
pub fn backward_into<T: Real>(
    packed: &SlstmLayerPacked<T>,
    inputs: &SlstmLayerInputs<'_, T>,
    saved: &SlstmLayerSaved<T>,
    output_gradient: &[T],
    gradients: &mut SlstmLayerGradients<T>,
) -> Result<(), KernelError> {
    let shape = saved.shape;
    inputs.check(&shape)?;
    packed.check(&shape)?;
    if saved.has_initial != inputs.initial.is_some() {
        return Err(KernelError::ForeignSaved { name: "initial state" });
    }
    expect_length("output_gradient", shape.sequence_len(), output_gradient.len())?;
    let plan = Plan::new(saved.level, &shape);
    let parts = Parts::new(plan);
    let slices = shape.batch.div_ceil(LANES_OF_BATCH);
    expect_length("saved values", slices * kept_len(plan), saved.kept.len())?;
    fit(&mut gradients.input, shape.sequence_len());
    fit(&mut gradients.partial, slices * parts.all);
    let sequence = plan.time * plan.width;
    let window = plan.window_rows() * plan.width;
    let wanted = gradients.wanted;
    let jobs = gradients
        .input
        .chunks_mut(LANES_OF_BATCH * sequence)
        .zip(gradients.partial.chunks_exact_mut(parts.all))
        .zip(saved.kept.chunks_exact(kept_len(plan)))
        .enumerate()
        .map(|(index, ((input_out, partial), kept))| {
            let (first, rows) = (index * LANES_OF_BATCH, input_out.len() / sequence);
            let last = first + rows;
            Job {
                rows,
                first,
                input: &inputs.input[first * sequence..last * sequence],
                window: inputs.initial.map(|state| &state.window[first * window..last * window]),
                reset: inputs.reset.map(|mask| &mask[first * plan.time..last * plan.time]),
                mask: inputs.recurrent_mask.map(|mask| &mask[first * plan.width..last * plan.width]),
                output_gradient: &output_gradient[first * sequence..last * sequence],
                kept,
                input_out,
                partial,
                wanted,
            }
        });
    run_jobs(
        jobs,
        3 * plan.cost(shape.batch),
        plan.scratch_sizes(),
        || Scratch::new(plan),
        |job, scratch| run_slice(plan, packed, inputs.initial, job, scratch),
    );
    sum_partials(plan, parts, gradients);
    Ok(())
}

/// The slices' partial sums, added in the order of the slices, in the callers' layouts.
fn sum_partials<T: Real>(plan: Plan, parts: Parts, gradients: &mut SlstmLayerGradients<T>) {
    let Plan { heads, dim, wide, width, taps, .. } = plan;
    let (total, others) = gradients.partial.split_at_mut(parts.all);
    for slice in others.chunks_exact(parts.all) {
        for (total, part) in total.iter_mut().zip(slice) {
            *total += *part;
        }
    }
    fit(&mut gradients.gates, GATES * width * dim);
    fit(&mut gradients.recurrent, GATES * width * dim);
    fit(&mut gradients.bias, GATES * width);
    let input_columns = wide - parts.input_start;
    for (head, total) in total[..parts.taps].chunks_exact(parts.head).enumerate() {
        for column in 0..GATES * dim {
            let unit = (column / dim * heads + head) * dim + column % dim;
            gradients.bias[unit] = total[parts.head - wide + column];
            let (gate_start, gate_columns) = if column < 2 * dim {
                (parts.from_convolved + column, parts.convolved_columns)
            } else {
                (parts.from_input + column - parts.input_start, input_columns)
            };
            for input in 0..dim {
                gradients.recurrent[unit * dim + input] = total[parts.recurrent + input * wide + column];
                gradients.gates[unit * dim + input] = total[gate_start + input * gate_columns];
            }
        }
    }
    fit(&mut gradients.norm, width);
    gradients.norm.copy_from_slice(&total[parts.norm..]);
    fit(&mut gradients.convolution_weight, taps * width);
    fit(&mut gradients.convolution_bias, if taps > 0 { width } else { 0 });
    if taps > 0 {
        unpack_taps(taps, &total[parts.taps..parts.tap_bias], &mut gradients.convolution_weight);
        gradients.convolution_bias.copy_from_slice(&total[parts.tap_bias..parts.norm]);
    }
}

fn run_slice<T: Real>(
    plan: Plan,
    packed: &SlstmLayerPacked<T>,
    initial: Option<&SlstmLayerState<T>>,
    mut job: Job<'_, T>,
    scratch: &mut Scratch<T>,
) {
    let Plan { level, time, heads, dim, width, .. } = plan;
    let units = plan.units();
    let parts = Parts::new(plan);
    job.partial.fill(T::ZERO);
    scratch.clear(job.rows == LANES_OF_BATCH);
    convolve_again(plan, packed, &job, scratch);
    if let Some(mask) = job.mask {
        to_lanes(plan, job.rows, mask, width, &mut scratch.mask);
    }
    let kept = job.kept;
    let block = |step: usize, head: usize| {
        let start = (step * heads + head) * KEPT * units;
        Kept::read(&kept[start..start + KEPT * units], units)
    };
    for head in 0..heads {
        let own = head * units..(head + 1) * units;
        outputs_again(level, block(time - 1, head), &mut scratch.output[own]);
    }
    for step in (0..time).rev() {
        let from = &job.output_gradient[step * width..];
        to_lanes(plan, job.rows, from, time * width, &mut scratch.upstream);
        if step > 0 {
            for head in 0..heads {
                let own = head * units..(head + 1) * units;
                outputs_again(level, block(step - 1, head), &mut scratch.output_before[own]);
            }
        } else {
            load_initial(plan, &job, initial, scratch);
        }
        norm_lanes_backward(
            level,
            dim,
            NORM_EPSILON,
            &scratch.output,
            &packed.norm,
            &mut scratch.upstream,
            &mut scratch.norm,
        );
        for head in 0..heads {
            let earlier = (step > 0).then(|| block(step - 1, head));
            head_step(plan, packed, head, (block(step, head), earlier), &job, step, scratch);
        }
        if job.wanted == Wanted::All {
            collect_before(plan, step % COLLECTED_STEPS, &job, step, scratch);
        }
        store_step(plan, &mut job, step, scratch);
        std::mem::swap(&mut scratch.output, &mut scratch.output_before);
        if job.wanted == Wanted::All && step % COLLECTED_STEPS == 0 {
            let steps = COLLECTED_STEPS.min(time - step);
            for head in 0..heads {
                add_weights(plan, (head, step, steps), &mut job, scratch);
            }
        }
    }
    sum_lanes(&scratch.norm, &mut job.partial[parts.norm..]);
    convolution_gradient(plan, packed, parts, &mut job, scratch);
}

/// a once more, and the slope of its SiLU; nothing where there is no convolution.
fn convolve_again<T: Real>(
    plan: Plan,
    packed: &SlstmLayerPacked<T>,
    job: &Job<'_, T>,
    scratch: &mut Scratch<T>,
) {
    let Some(taps) = packed.taps() else {
        return;
    };
    let sequence = plan.time * plan.width;
    let targets = scratch.convolved.chunks_exact_mut(sequence).zip(scratch.slopes.chunks_exact_mut(sequence));
    for (row, (input, (a, slopes))) in job.input.chunks_exact(sequence).zip(targets).enumerate() {
        let source = row_of(plan, (input, job.window, job.reset), row);
        convolve_with_slopes(plan.level, taps, source, a, slopes);
    }
}

/// The state that entered the first step.
fn load_initial<T: Real>(
    plan: Plan,
    job: &Job<'_, T>,
    initial: Option<&SlstmLayerState<T>>,
    scratch: &mut Scratch<T>,
) {
    let Scratch { output_before, cell_before, normaliser_before, .. } = scratch;
    let Some(state) = initial.map(|state| &state.cell) else {
        output_before.fill(T::ZERO);
        cell_before.fill(T::ZERO);
        normaliser_before.fill(T::ZERO);
        return;
    };
    let width = plan.width;
    for (from, to) in
        [(&state.output, output_before), (&state.cell, cell_before), (&state.normaliser, normaliser_before)]
    {
        // Lanes without a sequence may hold an earlier step's y.
        to.fill(T::ZERO);
        to_lanes(plan, job.rows, &from[job.first * width..], width, to);
    }
}

/// One head and step back: the gradients of its pre-activations, collected, and what R^T and W^T make of them.
fn head_step<T: Real>(
    plan: Plan,
    packed: &SlstmLayerPacked<T>,
    head: usize,
    (kept, earlier): (Kept<'_, T>, Option<Kept<'_, T>>),
    job: &Job<'_, T>,
    step: usize,
    scratch: &mut Scratch<T>,
) {
    let Plan { level, dim, narrow, wide, time, .. } = plan;
    let units = plan.units();
    let own = head * units..(head + 1) * units;
    for (upstream, recurrent) in scratch.upstream[own.clone()].iter_mut().zip(&scratch.recurrent[own.clone()])
    {
        *upstream += *recurrent;
    }
    let before = earlier
        .map_or((&scratch.cell_before[own.clone()], &scratch.normaliser_before[own.clone()]), |earlier| {
            (earlier.cell, earlier.normaliser)
        });
    let mut carried = Carried {
        cell: &mut scratch.cell[own.clone()],
        normaliser: &mut scratch.normaliser[own.clone()],
        stabiliser: &mut scratch.stabiliser[own.clone()],
    };
    let upstream = &scratch.upstream[own.clone()];
    gates_backward(level, units, kept, before, upstream, &mut carried, &mut scratch.pre);
    if job.wanted == Wanted::All {
        let turn = Turn {
            rows: GATES * dim,
            columns: LANES_OF_BATCH,
            stride: LANES_OF_BATCH,
            target_stride: COLLECTED_STEPS * wide,
        };
        let start = (head * COLLECTED + step % COLLECTED_STEPS) * wide;
        transpose(level, turn, &scratch.pre, &mut scratch.collected[start..]);
    }

    let weights = head * GATES * dim * narrow..(head + 1) * GATES * dim * narrow;
    let pre = scratch.pre.as_slice();
    // `out[unit, lane] = sum over the gates' columns of weights[column, unit] * pre[column, lane]`.
    let back = |weights: &[T], columns: std::ops::Range<usize>, out: &mut [T]| {
        let right = &pre[columns.start * LANES_OF_BATCH..columns.end * LANES_OF_BATCH];
        let term = Term { weights: &weights[columns.start * narrow..], stride: narrow, right };
        product_of_lanes(level, dim, &[], term, Term { right: &[], ..term }, out);
    };
    back(&packed.recurrence.backward[weights.clone()], 0..GATES * dim, &mut scratch.recurrent[own.clone()]);
    let gates = &packed.gates.backward[weights];
    if plan.taps > 0 {
        back(gates, 0..2 * dim, &mut scratch.step_convolved[own.clone()]);
        back(gates, 2 * dim..GATES * dim, &mut scratch.step_input[own.clone()]);
    } else {
        back(gates, 0..GATES * dim, &mut scratch.step_input[own.clone()]);
    }
    let recurrent = &mut scratch.recurrent[own.clone()];
    if job.mask.is_some() {
        for (gradient, factor) in recurrent.iter_mut().zip(&scratch.mask[own]) {
            *gradient *= *factor;
        }
    }
    if let Some(mask) = job.reset {
        for row in (0..job.rows).filter(|row| mask[row * time + step]) {
            // dc and dn are zero already: fg is 0 where a state was emptied.
            fill_lane(recurrent, row, T::ZERO);
        }
    }
}

/// y before R, as R saw it, among the collected steps.
fn collect_before<T: Real>(plan: Plan, slot: usize, job: &Job<'_, T>, step: usize, scratch: &mut Scratch<T>) {
    let width = plan.width;
    let Scratch { output_before, masked, mask, collected_before, .. } = scratch;
    let mut before = &*output_before;
    if job.mask.is_some() {
        multiply(plan.level, before, mask, masked);
        before = masked;
    }
    let target = &mut collected_before[slot * width..];
    from_lanes(plan, job.rows, before, target, COLLECTED_STEPS * width);
    if let Some(mask) = job.reset {
        for row in (0..job.rows).filter(|row| mask[row * plan.time + step]) {
            target[row * COLLECTED_STEPS * width..][..width].fill(T::ZERO);
        }
    }
}

/// da and dx of one step to rows.
fn store_step<T: Real>(plan: Plan, job: &mut Job<'_, T>, step: usize, scratch: &mut Scratch<T>) {
    let (width, stride) = (plan.width, plan.time * plan.width);
    from_lanes(plan, job.rows, &scratch.step_input, &mut job.input_out[step * width..], stride);
    if plan.taps > 0 {
        let to = &mut scratch.convolved_gradient[step * width..];
        from_lanes(plan, job.rows, &scratch.step_convolved, to, stride);
    }
}

/// dR, dW (all transposed) and db of the collected steps, `steps` from `first` on.
fn add_weights<T: Real>(
    plan: Plan,
    (head, first, steps): (usize, usize, usize),
    job: &mut Job<'_, T>,
    scratch: &Scratch<T>,
) {
    let Plan { level, dim, wide, time, width, .. } = plan;
    let parts = Parts::new(plan);
    let collected = &scratch.collected[head * COLLECTED * wide..(head + 1) * COLLECTED * wide];
    let partial = &mut job.partial[head * parts.head..(head + 1) * parts.head];
    let (sequences, right_sequence) = (job.rows, COLLECTED_STEPS * wide);
    let add = |left: Rows<'_, T>, start: usize, columns: usize, out: &mut [T]| {
        let outer = Outer { sequences, steps, units: dim, columns, right_sequence, right_step: wide };
        add_outer(level, outer, left, &collected[start..], out);
    };
    let before = &scratch.collected_before[head * dim..];
    let before = Rows { data: before, sequence: COLLECTED_STEPS * width, step: width };
    add(before, 0, wide, &mut partial[parts.recurrent..]);
    let start = first * width + head * dim;
    let input = Rows { data: &job.input[start..], sequence: time * width, step: width };
    let convolved = if plan.taps > 0 { Rows { data: &scratch.convolved[start..], ..input } } else { input };
    add(convolved, 0, parts.convolved_columns, &mut partial[parts.from_convolved..]);
    add(input, parts.input_start, wide - parts.input_start, &mut partial[parts.from_input..]);
    let bias = &mut partial[parts.head - wide..];
    for row in 0..sequences {
        let rows = &collected[row * right_sequence..][..steps * wide];
        accumulate_rows(level, T::ONE, wide, &scratch.ones[..steps], rows, bias);
    }
}

/// From da: what x gets through the convolution, and the gradients of the taps.
fn convolution_gradient<T: Real>(
    plan: Plan,
    packed: &SlstmLayerPacked<T>,
    parts: Parts,
    job: &mut Job<'_, T>,
    scratch: &mut Scratch<T>,
) {
    let Some(taps) = packed.taps() else {
        return;
    };
    let sequence = plan.time * plan.width;
    let (weight, bias) = job.partial[parts.taps..parts.norm].split_at_mut(parts.tap_bias - parts.taps);
    let mut gradients = TapGradients { weight, bias };
    let rows = job.input.chunks_exact(sequence).zip(scratch.convolved_gradient.chunks_exact(sequence));
    let slopes = scratch.slopes.chunks_exact(sequence);
    for (row, (((input, da), slopes), dx)) in
        rows.zip(slopes).zip(job.input_out.chunks_exact_mut(sequence)).enumerate()
    {
        let source = row_of(plan, (input, job.window, job.reset), row);
        let scratch = &mut scratch.convolution;
        convolve_backward(plan.level, taps, source, slopes, da, &mut gradients, dx, plan.width, scratch);
    }
}
