//! One sequence up to the cell: convolution, projections and gates, in a thread's scratch memory.

use super::blocks::{Place, project};
use super::open::soft_cap;
use super::packed::{Packed, Widths};
use super::{MlstmLayerInputs, MlstmLayerOptions, MlstmLayerShape, MlstmLayerWeights, NORM_EPSILON};
use crate::kernel::convolution::{Sequence, Taps, convolve, convolve_with_slopes};
use crate::kernel::level::Level;
use crate::kernel::math::Real;
use crate::kernel::mlstm::Geometry;
use crate::kernel::norm::NormShape;
use crate::kernel::product::{Extent, Into, Left, PAD, Right, product};

/// What every function of one call reads.
#[derive(Clone, Copy)]
pub(super) struct Call<'a, T> {
    pub shape: MlstmLayerShape,
    pub widths: Widths,
    pub weights: MlstmLayerWeights<'a, T>,
    pub packed: &'a Packed<T>,
    pub inputs: MlstmLayerInputs<'a, T>,
    pub options: MlstmLayerOptions,
    pub geometry: Geometry,
}

impl<'a, T: Real> Call<'a, T> {
    pub(super) fn level(&self) -> Level {
        self.options.level
    }

    /// (u, z) of one sequence.
    pub(super) fn projected(&self, batch: usize) -> &'a [T] {
        let length = 2 * self.shape.time * self.shape.inner;
        &self.inputs.projected[batch * length..(batch + 1) * length]
    }

    pub(super) fn taps(&self) -> Taps<'a, T> {
        let MlstmLayerShape { taps, inner, .. } = self.shape;
        Taps { taps, channels: inner, weight: &self.packed.taps, bias: self.weights.conv_bias }
    }

    pub(super) fn sequence(&self, batch: usize) -> Sequence<'a, T> {
        let MlstmLayerShape { time, inner, .. } = self.shape;
        let window = self.shape.window_len();
        Sequence {
            time,
            input: self.projected(batch),
            stride: 2 * inner,
            window: self.inputs.initial.map(|state| &state.window[batch * window..(batch + 1) * window]),
            reset: self.inputs.reset.map(|mask| &mask[batch * time..(batch + 1) * time]),
        }
    }

    /// The head norm of one head.
    pub(super) fn norm(&self) -> NormShape {
        let MlstmLayerShape { time, inner, .. } = self.shape;
        let dim = self.geometry.dim;
        NormShape {
            rows: time,
            groups: 1,
            dim,
            input_stride: dim,
            output_stride: inner,
            epsilon: NORM_EPSILON,
        }
    }

    /// One head's place in rows of all channels.
    pub(super) fn place(&self, head: usize, stride: usize) -> Place {
        let (dim, inner) = (self.geometry.dim, self.shape.inner);
        Place { rows: self.shape.time, dim, first: head * dim, block: self.shape.block, inner, stride }
    }
}

/// One sequence on its way to the cell; q, k and v of one head at a time, so that all stays in the second-level
/// cache.
pub(super) struct Row<T> {
    /// a, `[T, I]`, with room for a last whole vector.
    pub activated: Vec<T>,
    /// `[T, D]`.
    pub query: Vec<T>,
    pub key: Vec<T>,
    pub value: Vec<T>,
    /// The normed h, `[T, I]`.
    pub normed: Vec<T>,
    /// Gates of all heads, `[T, gates padded]`.
    pub gates: Vec<T>,
}

impl<T: Real> Row<T> {
    pub(super) fn new(shape: &MlstmLayerShape, widths: &Widths) -> Self {
        let elements = shape.time * shape.inner;
        let reals = |length: usize| vec![T::ZERO; length];
        Self {
            activated: reals(elements + PAD),
            query: reals(shape.time * shape.dim()),
            key: reals(shape.time * shape.dim()),
            value: reals(shape.time * shape.dim()),
            normed: reals(elements),
            gates: reals(shape.time * widths.gates_padded),
        }
    }

    /// Fills a, and silu' of the convolution where `slopes` has room.
    pub(super) fn activate(&mut self, call: &Call<'_, T>, batch: usize, slopes: &mut [T]) {
        let (taps, sequence) = (call.taps(), call.sequence(batch));
        if slopes.is_empty() {
            convolve(call.level(), taps, sequence, &mut self.activated);
        } else {
            convolve_with_slopes(call.level(), taps, sequence, &mut self.activated, slopes);
        }
    }

    /// Fills q, k and v of one head, after [`Self::activate`].
    pub(super) fn project(&mut self, call: &Call<'_, T>, batch: usize, head: usize) {
        let (level, inner) = (call.level(), call.shape.inner);
        let weights = [call.packed.query.rows.as_slice(), call.packed.key.rows.as_slice()];
        let mut outputs = [self.query.as_mut_slice(), self.key.as_mut_slice()];
        project(level, call.place(head, inner), &weights, &self.activated, &mut outputs);
        let (place, mut outputs) = (call.place(head, 2 * inner), [self.value.as_mut_slice()]);
        project(level, place, &[&call.packed.value.rows], call.projected(batch), &mut outputs);
    }

    /// The gates, capped, to `input_gate` and `forget_gate`, `[NH, T]`; after [`Self::activate`].
    pub(super) fn gate(
        &mut self,
        call: &Call<'_, T>,
        batch: usize,
        input_gate: &mut [T],
        forget_gate: &mut [T],
    ) {
        let MlstmLayerShape { time, heads, inner, .. } = call.shape;
        let stride = call.widths.gates_padded;
        for row in self.gates.chunks_exact_mut(stride) {
            row.copy_from_slice(&call.packed.gate_bias);
        }
        let extent = Extent { rows: time, depth: inner, columns: stride };
        for (source, row_stride, columns) in [
            (self.activated.as_slice(), inner, &call.packed.activated_columns),
            (call.projected(batch), 2 * inner, &call.packed.input_columns),
        ] {
            let left = Left { data: source, row_stride, depth_stride: 1 };
            let right = Right { data: columns, stride };
            product(call.level(), extent, left, right, Into::Add, &mut self.gates, stride);
        }
        if let Some(cap) = call.options.soft_cap {
            soft_cap(call.level(), T::from_f64(cap), &mut self.gates);
        }
        for (step, row) in self.gates.chunks_exact(stride).enumerate() {
            for head in 0..heads {
                input_gate[head * time + step] = row[head];
                forget_gate[head * time + step] = row[heads + head];
            }
        }
    }
}
