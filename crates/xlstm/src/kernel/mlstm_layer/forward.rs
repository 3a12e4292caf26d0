//! Whole-sequence forward pass.

use super::open::{Rows, open};
use super::packed::{Packed, Widths};
use super::row::{Call, Row};
use super::{MlstmLayerInputs, MlstmLayerOptions, MlstmLayerShape, MlstmLayerState, MlstmLayerWeights};
use crate::kernel::convolution::leaving_window;
use crate::kernel::error::{KernelError, expect_positive};
use crate::kernel::gate::ForgetGate;
use crate::kernel::level::Level;
use crate::kernel::math::Real;
use crate::kernel::mlstm::chunk::kept_state_len;
use crate::kernel::mlstm::forward as cell;
use crate::kernel::mlstm::plan::Plan;
use crate::kernel::mlstm::{Form, Geometry, HeadStateMut};
use crate::kernel::norm::normalise;
use crate::kernel::schedule::{fit, run_jobs};

/// What a forward call gives back.
#[derive(Debug, Clone)]
pub struct MlstmLayerForward<T> {
    /// out, `[batch, time, inner]`.
    pub output: Vec<T>,
    /// State after the last step, if it was asked for.
    pub state: Option<MlstmLayerState<T>>,
    /// What [`super::backward_into`] needs besides weights and inputs.
    pub saved: MlstmLayerSaved<T>,
}

/// Values kept from forward to backward: h, the gates, four numbers per step and head, and the states between chunks.
#[derive(Debug, Clone)]
pub struct MlstmLayerSaved<T> {
    /// h, `[batch, heads, time, dim]`.
    pub(super) hidden: Vec<T>,
    /// `[batch, heads, time]` each.
    pub(super) input_gate: Vec<T>,
    pub(super) forget_gate: Vec<T>,
    pub(super) denominator: Vec<T>,
    pub(super) sign: Vec<T>,
    /// Mean and 1 / root of the head norm, `[batch, heads, time, 2]`.
    pub(super) statistics: Vec<T>,
    /// As in the cell's saved values.
    pub(super) kept: Vec<T>,
    pub(super) kept_normalisers: Vec<f64>,
    pub(super) packed: Packed<T>,
    pub(super) plan: Plan,
    pub(super) shape: MlstmLayerShape,
    pub(super) options: MlstmLayerOptions,
    pub(super) has_initial: bool,
}

impl<T: Real> Default for MlstmLayerForward<T> {
    /// Empty buffers, to be filled by [`forward_into`].
    fn default() -> Self {
        let shape = MlstmLayerShape { batch: 0, time: 0, heads: 0, inner: 0, block: 0, taps: 0 };
        let options = MlstmLayerOptions {
            form: Form::Parallel,
            forget: ForgetGate::Sigmoid,
            soft_cap: None,
            final_state: false,
            keep: false,
            level: Level::detect(),
        };
        let saved = MlstmLayerSaved {
            hidden: Vec::new(),
            input_gate: Vec::new(),
            forget_gate: Vec::new(),
            denominator: Vec::new(),
            sign: Vec::new(),
            statistics: Vec::new(),
            kept: Vec::new(),
            kept_normalisers: Vec::new(),
            packed: Packed::default(),
            plan: Plan::empty(),
            shape,
            options,
            has_initial: false,
        };
        Self { output: Vec::new(), state: None, saved }
    }
}

/// One sequence's kept values.
struct Kept<'a, T> {
    hidden: &'a mut [T],
    input_gate: &'a mut [T],
    forget_gate: &'a mut [T],
    denominator: &'a mut [T],
    sign: &'a mut [T],
    statistics: &'a mut [T],
    states: &'a mut [T],
    normalisers: &'a mut [f64],
}

/// One sequence's final state.
struct Last<'a, T> {
    window: &'a mut [T],
    heads: Vec<HeadStateMut<'a, T>>,
}

struct Job<'a, T> {
    batch: usize,
    output: &'a mut [T],
    kept: Option<Kept<'a, T>>,
    last: Option<Last<'a, T>>,
}

/// What a thread keeps from sequence to sequence.
struct Scratch<T> {
    row: Row<T>,
    cell: cell::Scratch<T>,
    longest: usize,
    hidden: Vec<T>,
    input_gate: Vec<T>,
    forget_gate: Vec<T>,
    denominator: Vec<T>,
    sign: Vec<T>,
}

impl<T: Real> Scratch<T> {
    fn new(call: &Call<'_, T>, longest: usize) -> Self {
        let MlstmLayerShape { time, heads, inner, .. } = call.shape;
        let reals = |length: usize| vec![T::ZERO; length];
        Self {
            row: Row::new(&call.shape, &call.widths),
            cell: cell::Scratch::new(call.geometry, longest),
            longest,
            hidden: reals(time * inner),
            input_gate: reals(heads * time),
            forget_gate: reals(heads * time),
            denominator: reals(heads * time),
            sign: reals(heads * time),
        }
    }
}

/// Computes the layer's output into buffers of an earlier call, and, where the options say so, what the backward
/// pass needs and the state after the last step.
///
/// # Errors
/// [`KernelError`] where a slice does not fit the shape, a size or the chunk length is zero, or heads or blocks do
/// not divide the inner width.
pub fn forward_into<T: Real>(
    shape: MlstmLayerShape,
    weights: &MlstmLayerWeights<'_, T>,
    inputs: &MlstmLayerInputs<'_, T>,
    options: MlstmLayerOptions,
    output: &mut MlstmLayerForward<T>,
) -> Result<(), KernelError> {
    shape.check()?;
    weights.check(&shape)?;
    inputs.check(&shape)?;
    let length = options.form.chunk_length(shape.time);
    expect_positive("chunk length", length)?;
    let widths = Widths::new(&shape);
    let geometry = Geometry::new(options.level, shape.dim());
    let saved = &mut output.saved;
    saved.plan = Plan::new(&shape.cell(), length, inputs.reset, inputs.initial.is_some());
    (saved.shape, saved.options, saved.has_initial) = (shape, options, inputs.initial.is_some());
    saved.packed.pack(&widths, weights);
    fit(&mut output.output, shape.output_len());
    if options.keep {
        saved.fit();
    }
    output.state = options.final_state.then(|| MlstmLayerState::empty(&shape));
    let longest = saved.plan.longest();
    let packed = std::mem::take(&mut saved.packed);
    let plan = std::mem::replace(&mut saved.plan, Plan::empty());
    let call = Call { shape, widths, weights: *weights, packed: &packed, inputs: *inputs, options, geometry };
    let jobs = make_jobs(&call, &plan, output);
    run_jobs(
        jobs.into_iter(),
        shape.output_len() * (longest + 64),
        [shape.time, shape.inner, shape.heads],
        || Scratch::new(&call, longest),
        |job, scratch| run_row(&call, &plan, job, scratch),
    );
    (output.saved.packed, output.saved.plan) = (packed, plan);
    Ok(())
}

impl<T: Real> MlstmLayerSaved<T> {
    /// Gives the kept values their lengths.
    fn fit(&mut self) {
        let MlstmLayerShape { batch, time, heads, .. } = self.shape;
        let (gates, dim) = (batch * heads * time, self.shape.dim());
        let states: usize = (0..batch).map(|row| self.plan.kept_states(row) * heads).sum();
        fit(&mut self.hidden, self.shape.output_len());
        for buffer in [&mut self.input_gate, &mut self.forget_gate, &mut self.denominator, &mut self.sign] {
            fit(buffer, gates);
        }
        fit(&mut self.statistics, 2 * gates);
        fit(&mut self.kept, states * kept_state_len(dim));
        fit(&mut self.kept_normalisers, states * dim);
    }
}

fn make_jobs<'a, T: Real>(
    call: &Call<'_, T>,
    plan: &Plan,
    output: &'a mut MlstmLayerForward<T>,
) -> Vec<Job<'a, T>> {
    let MlstmLayerShape { time, heads, inner, .. } = call.shape;
    let (dim, gates) = (call.geometry.dim, heads * time);
    let saved = &mut output.saved;
    let mut states = (saved.kept.as_mut_slice(), saved.kept_normalisers.as_mut_slice());
    let mut hidden = saved.hidden.chunks_exact_mut(time * inner);
    let mut steps = saved
        .input_gate
        .chunks_exact_mut(gates)
        .zip(saved.forget_gate.chunks_exact_mut(gates))
        .zip(saved.denominator.chunks_exact_mut(gates).zip(saved.sign.chunks_exact_mut(gates)))
        .zip(saved.statistics.chunks_exact_mut(2 * gates));
    let mut keep = |batch: usize| {
        let count = plan.kept_states(batch) * heads;
        let (mine, rest) = std::mem::take(&mut states.0).split_at_mut(count * kept_state_len(dim));
        let (normalisers, others) = std::mem::take(&mut states.1).split_at_mut(count * dim);
        states = (rest, others);
        let (((input_gate, forget_gate), (denominator, sign)), statistics) = steps.next()?;
        let hidden = hidden.next()?;
        Some(Kept {
            hidden,
            input_gate,
            forget_gate,
            denominator,
            sign,
            statistics,
            states: mine,
            normalisers,
        })
    };
    let (mut windows, mut last): (&mut [T], _) = match &mut output.state {
        Some(state) => (&mut state.window, Some(state.cell.heads_mut(dim))),
        None => (&mut [], None),
    };
    let rows = output.output.chunks_exact_mut(time * inner);
    rows.enumerate()
        .map(|(batch, output)| Job {
            batch,
            output,
            kept: if call.options.keep { keep(batch) } else { None },
            last: last.as_mut().map(|last| {
                let (window, rest) = std::mem::take(&mut windows).split_at_mut(call.shape.window_len());
                windows = rest;
                Last { window, heads: last.by_ref().take(heads).collect() }
            }),
        })
        .collect()
}

fn run_row<T: Real>(call: &Call<'_, T>, plan: &Plan, job: Job<'_, T>, scratch: &mut Scratch<T>) {
    let longest = plan.longest();
    if scratch.longest != longest {
        scratch.cell = cell::Scratch::new(call.geometry, longest);
        scratch.longest = longest;
    }
    let Scratch { row, cell, hidden, input_gate, forget_gate, denominator, sign, .. } = scratch;
    let mut kept = job.kept.unwrap_or_else(|| Kept {
        hidden,
        input_gate,
        forget_gate,
        denominator,
        sign,
        statistics: &mut [],
        states: &mut [],
        normalisers: &mut [],
    });
    row.activate(call, job.batch, &mut []);
    row.gate(call, job.batch, kept.input_gate, kept.forget_gate);
    let (window, mut last) =
        job.last.map_or((None, None), |last| (Some(last.window), Some(last.heads.into_iter())));
    for head in 0..call.shape.heads {
        run_head(call, plan, (job.batch, head), row, &mut kept, last.as_mut().and_then(Iterator::next), cell);
    }
    let inner = call.shape.inner;
    let rows = Rows { inner, stride: 2 * inner };
    let gate = &call.projected(job.batch)[inner..];
    open(call.level(), rows, call.weights.skip, &row.activated, &row.normed, gate, job.output);
    if let Some(window) = window {
        leaving_window(call.taps(), call.sequence(job.batch), window);
    }
}

/// One head: the cell and its norm.
fn run_head<T: Real>(
    call: &Call<'_, T>,
    plan: &Plan,
    (batch, head): (usize, usize),
    row: &mut Row<T>,
    kept: &mut Kept<'_, T>,
    last: Option<HeadStateMut<'_, T>>,
    scratch: &mut cell::Scratch<T>,
) {
    let MlstmLayerShape { time, heads, .. } = call.shape;
    let dim = call.geometry.dim;
    let (sequence, steps) = (head * time * dim..(head + 1) * time * dim, head * time..(head + 1) * time);
    row.project(call, batch, head);
    let states = kept.states.len() / heads;
    let normalisers = kept.normalisers.len() / heads;
    cell::run_head(
        call.geometry,
        cell::Job {
            query: &row.query,
            key: &row.key,
            value: &row.value,
            input_gate: &kept.input_gate[steps.clone()],
            forget_gate: &kept.forget_gate[steps.clone()],
            chunks: plan.chunks(batch),
            initial: call.inputs.initial.map(|state| state.cell.head(batch * heads + head, dim)),
            hidden: &mut kept.hidden[sequence.clone()],
            denominator: &mut kept.denominator[steps.clone()],
            sign: &mut kept.sign[steps],
            kept: &mut kept.states[head * states..(head + 1) * states],
            kept_normalisers: &mut kept.normalisers[head * normalisers..(head + 1) * normalisers],
            forget: call.options.forget,
            last,
        },
        scratch,
    );
    let statistics = if kept.statistics.is_empty() { 0 } else { call.norm().statistics_len() };
    normalise(
        call.level(),
        call.norm(),
        &kept.hidden[sequence],
        &call.weights.norm[head * dim..(head + 1) * dim],
        &mut row.normed[head * dim..],
        &mut kept.statistics[head * statistics..(head + 1) * statistics],
    );
}
