//! The weights as the loops read them, made once per call, and the way back for their gradients.
//!
//! The gate pre-activations are linear in a and u: with Wi = (Wi_q, Wi_k, Wi_v),
//! `i = (Wi_q Wq + Wi_k Wk) a + Wi_v Wv u + bi`. These products, for all 2 NH gates, are the *folded* weights; with
//! M_a = sum over t of dgate_t a_t^T and M_u alike, the gradients are `dWi_q = M_a Wq^T`, `dWq += Wi_q^T M_a`
//! (block by block), and so on.

use super::{MlstmLayerShape, MlstmLayerWeightGradients, MlstmLayerWeights};
use crate::kernel::convolution::{pack_taps, unpack_taps};
use crate::kernel::math::Real;
use crate::kernel::product::padded;
use crate::kernel::schedule::fit;

/// The sizes that the packed weights have.
#[derive(Clone, Copy)]
pub(super) struct Widths {
    pub inner: usize,
    pub block: usize,
    pub heads: usize,
    pub taps: usize,
    /// I rounded up to whole vectors.
    pub inner_padded: usize,
    /// 2 NH rounded up to whole vectors: input gates, forget gates, nothing.
    pub gates_padded: usize,
}

impl Widths {
    pub(super) fn new(shape: &MlstmLayerShape) -> Self {
        let MlstmLayerShape { inner, block, heads, taps, .. } = *shape;
        let (inner_padded, gates_padded) = (padded(inner), padded(2 * heads));
        Self { inner, block, heads, taps, inner_padded, gates_padded }
    }

    /// 2 NH.
    pub(super) fn gates(&self) -> usize {
        2 * self.heads
    }
}

/// A matrix of blocks as rows of coefficients; see the module `blocks`.
#[derive(Debug, Clone)]
pub(super) struct PackedBlocks<T> {
    /// For y = W x, `[S, I]`.
    pub rows: Vec<T>,
    /// For x = W^T y, `[S, I]`.
    pub transposed: Vec<T>,
}

/// All weights of one call.
#[derive(Debug, Clone)]
pub(crate) struct Packed<T> {
    /// Convolution, `[K, I]`.
    pub(super) taps: Vec<T>,
    pub(super) query: PackedBlocks<T>,
    pub(super) key: PackedBlocks<T>,
    pub(super) value: PackedBlocks<T>,
    /// Folded weights of a, `[2 NH, inner padded]`, zero beyond.
    pub(super) from_activated: Vec<T>,
    /// Folded weights of u, alike.
    pub(super) from_input: Vec<T>,
    /// Their transposes, `[I, gates padded]`.
    pub(super) activated_columns: Vec<T>,
    pub(super) input_columns: Vec<T>,
    /// `[gates padded]`.
    pub(super) gate_bias: Vec<T>,
}

impl<T> Default for PackedBlocks<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), transposed: Vec::new() }
    }
}

impl<T> Default for Packed<T> {
    fn default() -> Self {
        Self {
            taps: Vec::new(),
            query: PackedBlocks::default(),
            key: PackedBlocks::default(),
            value: PackedBlocks::default(),
            from_activated: Vec::new(),
            from_input: Vec::new(),
            activated_columns: Vec::new(),
            input_columns: Vec::new(),
            gate_bias: Vec::new(),
        }
    }
}

impl<T: Real> PackedBlocks<T> {
    fn pack(&mut self, widths: &Widths, weight: &[T]) {
        let Widths { inner, block, .. } = *widths;
        fit(&mut self.rows, block * inner);
        fit(&mut self.transposed, block * inner);
        pack_taps(block, weight, &mut self.rows);
        for (group, rows) in weight.chunks_exact(block * block).enumerate() {
            for (out, row) in rows.chunks_exact(block).enumerate() {
                self.transposed[out * inner + group * block..][..block].copy_from_slice(row);
            }
        }
    }
}

/// The row of one gate of [Wi; Wf].
fn gate_row<'a, T>(weights: &MlstmLayerWeights<'a, T>, widths: &Widths, gate: usize) -> &'a [T] {
    let Widths { inner, heads, .. } = *widths;
    let (rows, head) = if gate < heads {
        (weights.input_gate_weight, gate)
    } else {
        (weights.forget_gate_weight, gate - heads)
    };
    &rows[head * 3 * inner..(head + 1) * 3 * inner]
}

/// `to[j] += sum over o of factors[o] blocks[o, j]`, block by block.
fn fold<T: Real>(block: usize, factors: &[T], blocks: &[T], to: &mut [T]) {
    for ((factors, to), blocks) in
        factors.chunks_exact(block).zip(to.chunks_exact_mut(block)).zip(blocks.chunks_exact(block * block))
    {
        for (factor, row) in factors.iter().zip(blocks.chunks_exact(block)) {
            for (to, w) in to.iter_mut().zip(row) {
                *to += *factor * *w;
            }
        }
    }
}

impl<T: Real> Packed<T> {
    pub(super) fn pack(&mut self, widths: &Widths, weights: &MlstmLayerWeights<'_, T>) {
        let Widths { inner, block, heads, taps, inner_padded, gates_padded } = *widths;
        fit(&mut self.taps, taps * inner);
        pack_taps(taps, weights.conv_weight, &mut self.taps);
        self.query.pack(widths, weights.query);
        self.key.pack(widths, weights.key);
        self.value.pack(widths, weights.value);
        for buffer in [&mut self.from_activated, &mut self.from_input] {
            fit(buffer, widths.gates() * inner_padded);
            buffer.fill(T::ZERO);
        }
        for buffer in [&mut self.activated_columns, &mut self.input_columns] {
            fit(buffer, inner * gates_padded);
            buffer.fill(T::ZERO);
        }
        fit(&mut self.gate_bias, gates_padded);
        self.gate_bias.fill(T::ZERO);
        self.gate_bias[..heads].copy_from_slice(weights.input_gate_bias);
        self.gate_bias[heads..2 * heads].copy_from_slice(weights.forget_gate_bias);
        for gate in 0..widths.gates() {
            let row = gate_row(weights, widths, gate);
            let own = gate * inner_padded..gate * inner_padded + inner;
            let (from_activated, from_input) =
                (&mut self.from_activated[own.clone()], &mut self.from_input[own]);
            fold(block, &row[..inner], weights.query, from_activated);
            fold(block, &row[inner..2 * inner], weights.key, from_activated);
            fold(block, &row[2 * inner..], weights.value, from_input);
            for channel in 0..inner {
                self.activated_columns[channel * gates_padded + gate] = from_activated[channel];
                self.input_columns[channel * gates_padded + gate] = from_input[channel];
            }
        }
    }
}

/// One slice's sums of the weights' gradients, or the total of all.
pub(super) struct Partial<'a, T> {
    /// `[K, I]`.
    pub taps: &'a mut [T],
    pub conv_bias: &'a mut [T],
    /// Packed, `[S, I]`.
    pub query: &'a mut [T],
    pub key: &'a mut [T],
    pub value: &'a mut [T],
    /// M_a, `[2 NH, inner padded]`.
    pub from_activated: &'a mut [T],
    /// M_u.
    pub from_input: &'a mut [T],
    /// `[gates padded]`.
    pub gate_bias: &'a mut [T],
    pub norm: &'a mut [T],
    pub skip: &'a mut [T],
}

/// Elements of one [`Partial`].
pub(super) fn partial_len(widths: &Widths) -> usize {
    let Widths { inner, block, taps, inner_padded, gates_padded, .. } = *widths;
    (taps + 3 + 3 * block) * inner + 2 * widths.gates() * inner_padded + gates_padded
}

impl<'a, T> Partial<'a, T> {
    pub(super) fn split(widths: &Widths, mut all: &'a mut [T]) -> Self {
        let Widths { inner, block, taps, inner_padded, gates_padded, .. } = *widths;
        let mut take = |length: usize| {
            let (mine, rest) = std::mem::take(&mut all).split_at_mut(length);
            all = rest;
            mine
        };
        Self {
            taps: take(taps * inner),
            conv_bias: take(inner),
            query: take(block * inner),
            key: take(block * inner),
            value: take(block * inner),
            from_activated: take(widths.gates() * inner_padded),
            from_input: take(widths.gates() * inner_padded),
            gate_bias: take(gates_padded),
            norm: take(inner),
            skip: take(inner),
        }
    }
}

impl<T: Real> Partial<'_, T> {
    /// Writes the gradients of the weights themselves.
    pub(super) fn unpack(
        &self,
        widths: &Widths,
        weights: &MlstmLayerWeights<'_, T>,
        out: &mut MlstmLayerWeightGradients<T>,
    ) {
        let Widths { inner, block, heads, taps, .. } = *widths;
        fit(&mut out.conv_weight, taps * inner);
        unpack_taps(taps, self.taps, &mut out.conv_weight);
        for (to, from) in [
            (&mut out.conv_bias, &*self.conv_bias),
            (&mut out.norm, self.norm),
            (&mut out.skip, self.skip),
            (&mut out.input_gate_bias, &self.gate_bias[..heads]),
            (&mut out.forget_gate_bias, &self.gate_bias[heads..2 * heads]),
        ] {
            fit(to, from.len());
            to.copy_from_slice(from);
        }
        for (to, from) in
            [(&mut out.query, &*self.query), (&mut out.key, self.key), (&mut out.value, self.value)]
        {
            fit(to, block * inner);
            unpack_taps(block, from, to);
        }
        fit(&mut out.input_gate_weight, heads * 3 * inner);
        fit(&mut out.forget_gate_weight, heads * 3 * inner);
        for gate in 0..widths.gates() {
            self.unfold(widths, weights, gate, out);
        }
    }

    /// One gate's gradient and its part of those of Wq, Wk and Wv.
    fn unfold(
        &self,
        widths: &Widths,
        weights: &MlstmLayerWeights<'_, T>,
        gate: usize,
        out: &mut MlstmLayerWeightGradients<T>,
    ) {
        let Widths { inner, block, heads, inner_padded, .. } = *widths;
        let factors = gate_row(weights, widths, gate);
        let own = gate * inner_padded..gate * inner_padded + inner;
        let gate_gradient = if gate < heads {
            &mut out.input_gate_weight[gate * 3 * inner..][..3 * inner]
        } else {
            &mut out.forget_gate_weight[(gate - heads) * 3 * inner..][..3 * inner]
        };
        let matrices = [
            (weights.query, &mut out.query, &self.from_activated[own.clone()]),
            (weights.key, &mut out.key, &self.from_activated[own.clone()]),
            (weights.value, &mut out.value, &self.from_input[own]),
        ];
        for (third, (matrix, matrix_gradient, sums)) in matrices.into_iter().enumerate() {
            let columns = third * inner..(third + 1) * inner;
            let (gradient, factors) = (&mut gate_gradient[columns.clone()], &factors[columns]);
            for channel in 0..inner {
                let sums = &sums[channel / block * block..][..block];
                let row = channel * block..(channel + 1) * block;
                let (row, row_gradient) = (&matrix[row.clone()], &mut matrix_gradient[row]);
                let mut total = T::ZERO;
                for j in 0..block {
                    total += row[j] * sums[j];
                    row_gradient[j] += factors[channel] * sums[j];
                }
                gradient[channel] = total;
            }
        }
    }
}
