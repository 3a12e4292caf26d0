//! Whole-sequence backward pass: slices of the batch, sequence by sequence, everything in a thread's scratch memory.
//!
//! `s = normed + skip a`, `dz = dout s silu'(z)`, `ds = dout silu(z)`; through the head norm to dh, through the cell to
//! dq, dk, dv and the gates' gradients g, then `da = skip ds + Wq^T dq + Wk^T dk + G_a^T g`, `du = Wv^T dv + G_u^T g`
//! with the folded gate weights G (see `packed`), and through the convolution from da to du.

use super::blocks::{Upstream, project_backward};
use super::forward::MlstmLayerSaved;
use super::open::{OpenGradients, Opened, Rows, open_backward};
use super::packed::{Partial, Widths, partial_len};
use super::row::{Call, Row};
use super::{MlstmLayerInputs, MlstmLayerShape, MlstmLayerWeightGradients, MlstmLayerWeights, SLICE};
use crate::kernel::Wanted;
use crate::kernel::convolution::{TapGradients, convolve_backward, scratch_len};
use crate::kernel::error::{KernelError, expect_length};
use crate::kernel::math::Real;
use crate::kernel::mlstm::Geometry;
use crate::kernel::mlstm::backward as cell;
use crate::kernel::mlstm::chunk::kept_state_len;
use crate::kernel::norm::{Normed, normalise_again, normalise_backward};
use crate::kernel::product::{Extent, Into, Left, Right, copy_padded, product};
use crate::kernel::rows::accumulate_rows;
use crate::kernel::schedule::{fit, run_jobs};

/// Gradients of the projected rows and of every weight.
#[derive(Debug, Clone)]
pub struct MlstmLayerGradients<T> {
    /// (du, dz), `[batch, time, 2 · inner]`.
    pub projected: Vec<T>,
    /// Of the weights, summed over the batch; of no use where only those of the input are wanted.
    pub weights: MlstmLayerWeightGradients<T>,
    /// Per slice one [`Partial`].
    partial: Vec<T>,
    wanted: Wanted,
}

impl<T> MlstmLayerGradients<T> {
    /// Empty buffers for a call that leaves out what it can of the weights' gradients, as an explanation needs them.
    #[must_use]
    pub fn of_input() -> Self {
        Self { wanted: Wanted::Input, ..Self::default() }
    }
}

impl<T> Default for MlstmLayerGradients<T> {
    /// Empty buffers, to be filled by [`backward_into`].
    fn default() -> Self {
        Self {
            projected: Vec::new(),
            weights: MlstmLayerWeightGradients::default(),
            partial: Vec::new(),
            wanted: Wanted::All,
        }
    }
}

/// Some sequences of the batch.
struct Job<'a, T> {
    first: usize,
    projected: &'a mut [T],
    partial: &'a mut [T],
    /// Kept states and normalisers of these sequences.
    states: (&'a [T], &'a [f64]),
    wanted: Wanted,
}

/// What a thread keeps from sequence to sequence.
struct Scratch<T> {
    row: Row<T>,
    cell: cell::Scratch<T>,
    longest: usize,
    /// Gradient of the normed h, `[T, I]`.
    normed: Vec<T>,
    /// dh, dq, dk, dv of one head, `[T, D]`.
    hidden: Vec<T>,
    query: Vec<T>,
    key: Vec<T>,
    value: Vec<T>,
    /// di, df, `[NH, T]`.
    input_gate: Vec<T>,
    forget_gate: Vec<T>,
    /// Both by step, `[T, gates padded]`.
    gates: Vec<T>,
    /// da, `[T, I]`.
    activated: Vec<T>,
    /// Rows `inner padded` apart, where I is no whole number of vectors.
    padded: Vec<T>,
    convolution: Vec<T>,
    /// silu' of the convolution, `[T, I]`.
    slopes: Vec<T>,
    ones: Vec<T>,
}

impl<T: Real> Scratch<T> {
    fn new(call: &Call<'_, T>, longest: usize) -> Self {
        let MlstmLayerShape { time, heads, inner, .. } = call.shape;
        let (elements, padded) = (time * inner, time * call.widths.inner_padded);
        let reals = |length: usize| vec![T::ZERO; length];
        Self {
            row: Row::new(&call.shape, &call.widths),
            cell: cell::Scratch::new(call.geometry, longest),
            longest,
            normed: reals(elements),
            hidden: reals(time * call.geometry.dim),
            query: reals(time * call.geometry.dim),
            key: reals(time * call.geometry.dim),
            value: reals(time * call.geometry.dim),
            input_gate: reals(heads * time),
            forget_gate: reals(heads * time),
            gates: reals(time * call.widths.gates_padded),
            activated: reals(elements),
            padded: reals(padded),
            convolution: reals(scratch_len(time)),
            slopes: reals(elements),
            ones: vec![T::ONE; time],
        }
    }
}

/// Gradients from `output_gradient` (dout, `[batch, time, inner]`), into buffers of an earlier call. `weights`,
/// `inputs` and `saved` are those of the forward call, which must have kept its values.
///
/// # Errors
/// [`KernelError`] where a slice does not fit the shape or `saved` belongs to another call.
pub fn backward_into<T: Real>(
    weights: &MlstmLayerWeights<'_, T>,
    inputs: &MlstmLayerInputs<'_, T>,
    saved: &MlstmLayerSaved<T>,
    output_gradient: &[T],
    gradients: &mut MlstmLayerGradients<T>,
) -> Result<(), KernelError> {
    let (shape, options) = (saved.shape, saved.options);
    shape.check()?;
    weights.check(&shape)?;
    inputs.check(&shape)?;
    if saved.has_initial != inputs.initial.is_some() {
        return Err(KernelError::ForeignSaved { name: "initial state" });
    }
    if !options.keep {
        return Err(KernelError::ForeignSaved { name: "whether values were kept" });
    }
    expect_length("output_gradient", shape.output_len(), output_gradient.len())?;
    let widths = Widths::new(&shape);
    let geometry = Geometry::new(options.level, shape.dim());
    let slices = shape.batch.div_ceil(SLICE);
    fit(&mut gradients.projected, shape.projected_len());
    fit(&mut gradients.partial, slices * partial_len(&widths));
    let call =
        Call { shape, widths, weights: *weights, packed: &saved.packed, inputs: *inputs, options, geometry };
    let longest = saved.plan.longest();
    let jobs = make_jobs(&call, saved, gradients);
    run_jobs(
        jobs.into_iter(),
        3 * shape.output_len() * (longest + 64),
        [shape.time, shape.inner, shape.heads],
        || Scratch::new(&call, longest),
        |mut job, scratch| run_slice(&call, saved, output_gradient, &mut job, scratch),
    );
    let length = partial_len(&widths);
    let (total, others) = gradients.partial.split_at_mut(length);
    for part in others.chunks_exact(length) {
        for (total, part) in total.iter_mut().zip(part) {
            *total += *part;
        }
    }
    Partial::split(&widths, total).unpack(&widths, weights, &mut gradients.weights);
    Ok(())
}

fn make_jobs<'a, T: Real>(
    call: &Call<'_, T>,
    saved: &'a MlstmLayerSaved<T>,
    gradients: &'a mut MlstmLayerGradients<T>,
) -> Vec<Job<'a, T>> {
    let MlstmLayerShape { batch, time, heads, inner, .. } = call.shape;
    let (dim, wanted) = (call.geometry.dim, gradients.wanted);
    let mut states = (saved.kept.as_slice(), saved.kept_normalisers.as_slice());
    gradients
        .projected
        .chunks_mut(SLICE * time * 2 * inner)
        .zip(gradients.partial.chunks_exact_mut(partial_len(&call.widths)))
        .enumerate()
        .map(|(index, (projected, partial))| {
            let first = index * SLICE;
            let rows = first..(first + SLICE).min(batch);
            let count: usize = rows.map(|row| saved.plan.kept_states(row) * heads).sum();
            let (mine, rest) = states.0.split_at(count * kept_state_len(dim));
            let (normalisers, others) = states.1.split_at(count * dim);
            states = (rest, others);
            Job { first, projected, partial, states: (mine, normalisers), wanted }
        })
        .collect()
}

fn run_slice<T: Real>(
    call: &Call<'_, T>,
    saved: &MlstmLayerSaved<T>,
    output_gradient: &[T],
    job: &mut Job<'_, T>,
    scratch: &mut Scratch<T>,
) {
    let longest = saved.plan.longest();
    if scratch.longest != longest {
        scratch.cell = cell::Scratch::new(call.geometry, longest);
        scratch.longest = longest;
    }
    job.partial.fill(T::ZERO);
    let mut partial = Partial::split(&call.widths, job.partial);
    let row_len = call.shape.time * call.shape.inner;
    let mut states = job.states;
    for (row, projected) in job.projected.chunks_exact_mut(2 * row_len).enumerate() {
        let batch = job.first + row;
        let count = saved.plan.kept_states(batch) * call.shape.heads;
        let (mine, rest) = states.0.split_at(count * kept_state_len(call.geometry.dim));
        let (normalisers, others) = states.1.split_at(count * call.geometry.dim);
        states = (rest, others);
        scratch.row.activate(call, batch, &mut scratch.slopes);
        let gradient = &output_gradient[batch * row_len..(batch + 1) * row_len];
        close(call, saved, batch, gradient, projected, &mut partial, scratch);
        for head in 0..call.shape.heads {
            scratch.row.project(call, batch, head);
            run_head(call, saved, (batch, head), (mine, normalisers), &mut partial, scratch);
            blocks(call, (batch, head), projected, &mut partial, job.wanted, scratch);
        }
        gates(call, saved, batch, projected, scratch);
        if job.wanted == Wanted::All {
            gate_weights(call, batch, &mut partial, scratch);
        }
        let taps = &mut TapGradients { weight: partial.taps, bias: partial.conv_bias };
        convolve_backward(
            call.level(),
            call.taps(),
            call.sequence(batch),
            &scratch.slopes,
            &scratch.activated,
            taps,
            projected,
            2 * call.shape.inner,
            &mut scratch.convolution,
        );
    }
}

/// Where one head's sequence of one batch row lies in `[batch, heads, time, dim]`.
fn own<T: Real>(call: &Call<'_, T>, batch: usize, head: usize, width: usize) -> std::ops::Range<usize> {
    let length = call.shape.time * width;
    let start = (batch * call.shape.heads + head) * length;
    start..start + length
}

/// From dout to dz and the gradients of a (through the skip) and of the normed h.
fn close<T: Real>(
    call: &Call<'_, T>,
    saved: &MlstmLayerSaved<T>,
    batch: usize,
    gradient: &[T],
    projected: &mut [T],
    partial: &mut Partial<'_, T>,
    scratch: &mut Scratch<T>,
) {
    let MlstmLayerShape { heads, inner, .. } = call.shape;
    let dim = call.geometry.dim;
    for head in 0..heads {
        let forward = Normed {
            input: &saved.hidden[own(call, batch, head, dim)],
            weight: &call.weights.norm[head * dim..(head + 1) * dim],
            statistics: &saved.statistics[own(call, batch, head, 2)],
        };
        normalise_again(call.level(), call.norm(), forward, &mut scratch.row.normed[head * dim..]);
    }
    open_backward(
        call.level(),
        Rows { inner, stride: 2 * inner },
        Opened {
            skip: call.weights.skip,
            activated: &scratch.row.activated,
            normed: &scratch.row.normed,
            gate: &call.projected(batch)[inner..],
            gradient,
        },
        &mut OpenGradients {
            projected,
            normed: &mut scratch.normed,
            activated: &mut scratch.activated,
            skip: partial.skip,
        },
    );
}

/// Through one head's norm and cell, to dq, dk, dv, di and df.
fn run_head<T: Real>(
    call: &Call<'_, T>,
    saved: &MlstmLayerSaved<T>,
    (batch, head): (usize, usize),
    (states, normalisers): (&[T], &[f64]),
    partial: &mut Partial<'_, T>,
    scratch: &mut Scratch<T>,
) {
    let MlstmLayerShape { time, heads, .. } = call.shape;
    let dim = call.geometry.dim;
    let (sequence, steps) = (own(call, batch, head, dim), own(call, batch, head, 1));
    let channels = head * dim..(head + 1) * dim;
    let forward = Normed {
        input: &saved.hidden[sequence.clone()],
        weight: &call.weights.norm[channels.clone()],
        statistics: &saved.statistics[own(call, batch, head, 2)],
    };
    normalise_backward(
        call.level(),
        call.norm(),
        forward,
        &scratch.normed[head * dim..],
        &mut scratch.hidden,
        &mut partial.norm[channels],
    );
    let (states_len, normalisers_len) = (states.len() / heads, normalisers.len() / heads);
    let at = head * time..(head + 1) * time;
    cell::run_head(
        call.geometry,
        cell::Job {
            query: &scratch.row.query,
            key: &scratch.row.key,
            value: &scratch.row.value,
            input_gate: &saved.input_gate[steps.clone()],
            forget_gate: &saved.forget_gate[steps.clone()],
            hidden: &saved.hidden[sequence],
            hidden_gradient: &scratch.hidden,
            denominator: &saved.denominator[steps.clone()],
            sign: &saved.sign[steps],
            kept: &states[head * states_len..(head + 1) * states_len],
            kept_normalisers: &normalisers[head * normalisers_len..(head + 1) * normalisers_len],
            forget: call.options.forget,
            chunks: saved.plan.chunks(batch),
            initial: call.inputs.initial.map(|state| state.cell.head(batch * heads + head, dim)),
            last: None,
            query_out: &mut scratch.query,
            key_out: &mut scratch.key,
            value_out: &mut scratch.value,
            input_out: &mut scratch.input_gate[at.clone()],
            forget_out: &mut scratch.forget_gate[at],
            initial_out: None,
        },
        &mut scratch.cell,
    );
}

/// From the gates' gradients to those of a and u.
fn gates<T: Real>(
    call: &Call<'_, T>,
    saved: &MlstmLayerSaved<T>,
    batch: usize,
    projected: &mut [T],
    scratch: &mut Scratch<T>,
) {
    let MlstmLayerShape { time, heads, inner, .. } = call.shape;
    let (level, widths) = (call.level(), &call.widths);
    let (stride, columns) = (widths.gates_padded, widths.inner_padded);
    let steps = batch * heads * time..(batch + 1) * heads * time;
    let sources = [
        (&scratch.input_gate, &saved.input_gate[steps.clone()], 0),
        (&scratch.forget_gate, &saved.forget_gate[steps], heads),
    ];
    for (gradient, value, first) in sources {
        for head in 0..heads {
            for step in 0..time {
                let at = head * time + step;
                // d (c tanh(x / c)) / dx = 1 - (y / c)²
                let slope = call.options.soft_cap.map_or(T::ONE, |cap| {
                    let ratio = value[at].to_f64() / cap;
                    T::from_f64(1.0 - ratio * ratio)
                });
                scratch.gates[step * stride + first + head] = gradient[at] * slope;
            }
        }
    }
    let left = Left { data: &scratch.gates, row_stride: stride, depth_stride: 1 };
    let extent = Extent { rows: time, depth: 2 * heads, columns };
    for (weights, target, target_stride) in [
        (&call.packed.from_activated, scratch.activated.as_mut_slice(), inner),
        (&call.packed.from_input, &mut *projected, 2 * inner),
    ] {
        let right = Right { data: weights, stride: columns };
        if columns == inner {
            product(level, extent, left, right, Into::Add, target, target_stride);
        } else {
            // Whole vectors would run into what lies beside the rows.
            product(level, extent, left, right, Into::Replace, &mut scratch.padded, columns);
            let rows = target.chunks_exact_mut(target_stride).zip(scratch.padded.chunks_exact(columns));
            rows.for_each(|(to, from)| to.iter_mut().zip(&from[..inner]).for_each(|(to, from)| *to += *from));
        }
    }
}

/// From the gates' gradients to those of the folded weights.
fn gate_weights<T: Real>(
    call: &Call<'_, T>,
    batch: usize,
    partial: &mut Partial<'_, T>,
    scratch: &mut Scratch<T>,
) {
    let MlstmLayerShape { time, heads, inner, .. } = call.shape;
    let (level, widths) = (call.level(), &call.widths);
    let (stride, columns) = (widths.gates_padded, widths.inner_padded);
    accumulate_rows(level, T::ONE, stride, &scratch.ones, &scratch.gates, partial.gate_bias);
    let left = Left { data: &scratch.gates, row_stride: 1, depth_stride: stride };
    let extent = Extent { rows: 2 * heads, depth: time, columns };
    for (source, source_stride, sums) in [
        (scratch.row.activated.as_slice(), inner, &mut *partial.from_activated),
        (call.projected(batch), 2 * inner, &mut *partial.from_input),
    ] {
        let right = if columns == inner {
            Right { data: source, stride: source_stride }
        } else {
            let rows = source.chunks(source_stride).zip(scratch.padded.chunks_exact_mut(columns));
            rows.for_each(|(from, to)| copy_padded(&from[..inner], inner, to, columns));
            Right { data: scratch.padded.as_slice(), stride: columns }
        };
        product(level, extent, left, right, Into::Add, sums, columns);
    }
}

/// Adds one head's dq, dk and dv to da, du and the gradients of the block-diagonal weights.
fn blocks<T: Real>(
    call: &Call<'_, T>,
    (batch, head): (usize, usize),
    projected: &mut [T],
    partial: &mut Partial<'_, T>,
    wanted: Wanted,
    scratch: &mut Scratch<T>,
) {
    let (level, inner) = (call.level(), call.shape.inner);
    let upstream = Upstream {
        transposed: &[&call.packed.query.transposed, &call.packed.key.transposed],
        source: &scratch.row.activated,
    };
    let gradients = [scratch.query.as_slice(), scratch.key.as_slice()];
    let mut sums = [&mut *partial.query, &mut *partial.key];
    let place = call.place(head, inner);
    project_backward(level, place, upstream, &gradients, &mut scratch.activated, &mut sums, wanted);
    let upstream = Upstream { transposed: &[&call.packed.value.transposed], source: call.projected(batch) };
    let (place, mut sums) = (call.place(head, 2 * inner), [&mut *partial.value]);
    project_backward(level, place, upstream, &[&scratch.value], projected, &mut sums, wanted);
}
