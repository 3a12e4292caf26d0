//! The element-wise pieces of the sLSTM, each compiled for every instruction level.
//!
//! A *flat* buffer holds one gate (or state component) of one head and step for all rows of a slice, `[rows, dim]`
//! without gaps and padded once at its end, so that the costly functions run over whole vectors.

#![expect(clippy::too_many_arguments, reason = "loops over rows take their sizes and slices one by one")]

use super::GATES;
use crate::kernel::gate::ForgetGate;
use crate::kernel::level::dispatched;
use crate::kernel::math::{Arithmetic, Real};
use crate::kernel::product::{SHORT, copy_short};

/// What one step keeps for the backward pass: this many flat buffers, in the order of [`Kept`].
pub(crate) const KEPT: usize = 7;

/// The flat buffers that one step keeps.
#[derive(Clone, Copy)]
pub(crate) struct Kept<'a, T> {
    /// ig.
    pub input: &'a [T],
    /// fg.
    pub forget: &'a [T],
    /// sigmoid(-f).
    pub slope: &'a [T],
    /// z.
    pub candidate: &'a [T],
    /// o.
    pub output: &'a [T],
    /// c.
    pub cell: &'a [T],
    /// n.
    pub normaliser: &'a [T],
}

impl<'a, T> Kept<'a, T> {
    /// Reads one step's block of `KEPT * units` elements.
    pub(crate) fn read(block: &'a [T], units: usize) -> Self {
        let part = |index: usize| &block[index * units..(index + 1) * units];
        Self {
            input: part(0),
            forget: part(1),
            slope: part(2),
            candidate: part(3),
            output: part(4),
            cell: part(5),
            normaliser: part(6),
        }
    }
}

/// Where the rows of a slice lie in a caller's `[batch, time, 4, heads, dim]`, for one step and head.
#[derive(Clone, Copy)]
pub(crate) struct Places {
    /// Rows of the slice.
    pub rows: usize,
    /// D.
    pub dim: usize,
    /// First element of row 0, gate 0.
    pub start: usize,
    /// Distance between rows.
    pub row_stride: usize,
    /// Distance between gates.
    pub gate_stride: usize,
    /// Distance between rows of the packed matrices, `[rows, 4 · dim padded]`.
    pub wide: usize,
    /// Elements of one flat gate buffer.
    pub units: usize,
}

dispatched! {
    /// `flat[g][row, d] = x[row, g, d] + ((R y)[row, g D + d] + b[g D + d])`.
    fn assemble(places: Places, input: &[T], recurrent: &[T], bias: &[T], flat: &mut [T]) = assemble_body;
}

#[expect(clippy::extra_unused_type_parameters, reason = "the dispatcher names all parameters")]
#[inline(always)]
fn assemble_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    places: Places,
    input: &[T],
    recurrent: &[T],
    bias: &[T],
    flat: &mut [T],
) {
    let Places { rows, dim, start, row_stride, gate_stride, wide, units } = places;
    for row in 0..rows {
        for gate in 0..GATES {
            let x = &input[start + row * row_stride + gate * gate_stride..][..dim];
            let r = &recurrent[row * wide + gate * dim..][..dim];
            let b = &bias[gate * dim..][..dim];
            let out = &mut flat[gate * units + row * dim..][..dim];
            let (outs, out_rest) = out.as_chunks_mut::<SHORT>();
            let whole = outs.len() * SHORT;
            let (xs, rs, bs) = (x.as_chunks::<SHORT>().0, r.as_chunks::<SHORT>().0, b.as_chunks::<SHORT>().0);
            for (((out, x), r), b) in outs.iter_mut().zip(xs).zip(rs).zip(bs) {
                for lane in 0..SHORT {
                    out[lane] = x[lane] + (r[lane] + b[lane]);
                }
            }
            for (((out, x), r), b) in out_rest.iter_mut().zip(&x[whole..]).zip(&r[whole..]).zip(&b[whole..]) {
                *out = *x + (*r + *b);
            }
        }
    }
}

dispatched! {
    /// `out = left * right`, element by element.
    fn multiply(left: &[T], right: &[T], out: &mut [T]) = multiply_body;
}

#[expect(clippy::extra_unused_type_parameters, reason = "the dispatcher names all parameters")]
#[inline(always)]
fn multiply_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    left: &[T],
    right: &[T],
    out: &mut [T],
) {
    for ((out, left), right) in out.iter_mut().zip(left).zip(right) {
        *out = *left * *right;
    }
}

dispatched! {
    /// The other way: `flat[g][row, d]` to the caller's layout and to the packed matrix.
    fn spread(places: Places, flat: &[T], output: &mut [T], packed: &mut [T]) = spread_body;
}

#[expect(clippy::extra_unused_type_parameters, reason = "the dispatcher names all parameters")]
#[inline(always)]
fn spread_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    places: Places,
    flat: &[T],
    output: &mut [T],
    packed: &mut [T],
) {
    let Places { rows, dim, start, row_stride, gate_stride, wide, units } = places;
    for row in 0..rows {
        for gate in 0..GATES {
            let from = &flat[gate * units + row * dim..][..dim];
            copy_short(from, &mut output[start + row * row_stride + gate * gate_stride..][..dim]);
            copy_short(from, &mut packed[row * wide + gate * dim..][..dim]);
        }
    }
}

dispatched! {
    /// y of a kept step, as the forward pass computed it.
    fn outputs_again(kept: Kept<'_, T>, output: &mut [T]) = outputs_again_body;
}

#[expect(clippy::extra_unused_type_parameters, reason = "the dispatcher names all parameters")]
#[inline(always)]
fn outputs_again_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    kept: Kept<'_, T>,
    output: &mut [T],
) {
    let outputs = output.as_chunks_mut::<LANES>().0;
    let gates = kept.output.as_chunks::<LANES>().0;
    let (cells, normalisers) = (kept.cell.as_chunks::<LANES>().0, kept.normaliser.as_chunks::<LANES>().0);
    for (((y, o), c), n) in outputs.iter_mut().zip(gates).zip(cells).zip(normalisers) {
        for lane in 0..LANES {
            y[lane] = o[lane] * c[lane] / n[lane];
        }
    }
}

dispatched! {
    /// One step of all units: `pre` holds the four gates' pre-activations (flat, `units` each), `cell`,
    /// `normaliser`, `stabiliser` the state, replaced; `output` gets y and `kept` the [`KEPT`] buffers.
    fn gates_forward(
        units: usize,
        forget_gate: ForgetGate,
        pre: &[T],
        cell: &mut [T],
        normaliser: &mut [T],
        stabiliser: &mut [T],
        output: &mut [T],
        kept: &mut [T],
    ) = gates_forward_body;
}

#[inline(always)]
fn gates_forward_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    units: usize,
    forget_gate: ForgetGate,
    pre: &[T],
    cell: &mut [T],
    normaliser: &mut [T],
    stabiliser: &mut [T],
    output: &mut [T],
    kept: &mut [T],
) {
    let blocks = units / LANES;
    let pre = pre[..GATES * units].as_chunks::<LANES>().0;
    let keeps = !kept.is_empty();
    let kept = kept[..if keeps { KEPT * units } else { 0 }].as_chunks_mut::<LANES>().0;
    let cell = cell[..units].as_chunks_mut::<LANES>().0;
    let normaliser = normaliser[..units].as_chunks_mut::<LANES>().0;
    let stabiliser = stabiliser[..units].as_chunks_mut::<LANES>().0;
    let output = output[..units].as_chunks_mut::<LANES>().0;
    // One short loop per quantity: a single long body is too much for the compiler to make vectors of.
    for block in 0..blocks {
        let (i, f) = (&pre[block], &pre[blocks + block]);
        let (m, n) = (&mut stabiliser[block], &mut normaliser[block]);
        let mut log_forget = [T::ZERO; LANES];
        let mut slope = [T::ZERO; LANES];
        if forget_gate == ForgetGate::Sigmoid {
            for lane in 0..LANES {
                (log_forget[lane], slope[lane]) = f[lane].log_sigmoid_and_slope::<A>();
            }
        } else {
            (log_forget, slope) = (*f, [T::ONE; LANES]);
        }
        let mut input = [T::ZERO; LANES];
        let mut forget = [T::ZERO; LANES];
        for lane in 0..LANES {
            let carried = log_forget[lane] + m[lane];
            let empty = n[lane] == T::ZERO;
            let next = if empty { i[lane] } else { i[lane].larger(carried) };
            input[lane] = i[lane] - next;
            // m - m' first: what rounding took from m' comes back, at any size of m.
            forget[lane] = if empty { T::NEGATIVE_INFINITY } else { log_forget[lane] + (m[lane] - next) };
            m[lane] = next;
        }
        for argument in &mut input {
            *argument = argument.exp::<A>();
        }
        for argument in &mut forget {
            *argument = argument.exp::<A>();
        }
        let (mut candidate, mut gate) = ([T::ZERO; LANES], [T::ZERO; LANES]);
        for lane in 0..LANES {
            candidate[lane] = pre[2 * blocks + block][lane].tanh::<A>();
        }
        for lane in 0..LANES {
            gate[lane] = pre[3 * blocks + block][lane].sigmoid::<A>();
        }
        let c = &mut cell[block];
        let y = &mut output[block];
        for lane in 0..LANES {
            c[lane] = c[lane].multiply_add::<A>(forget[lane], input[lane] * candidate[lane]);
            n[lane] = n[lane].multiply_add::<A>(forget[lane], input[lane]);
            y[lane] = gate[lane] * c[lane] / n[lane];
        }
        if keeps {
            for (index, saved) in [input, forget, slope, candidate, gate, *c, *n].into_iter().enumerate() {
                kept[index * blocks + block] = saved;
            }
        }
    }
}

/// Gradients that run backwards through time, flat.
pub(crate) struct Carried<'a, T> {
    /// dc.
    pub cell: &'a mut [T],
    /// dn.
    pub normaliser: &'a mut [T],
    /// Gradient of m beyond what c and n account for; 0 unless the final state's gradient was given.
    pub stabiliser: &'a mut [T],
}

dispatched! {
    /// One step back for all units. `upstream` holds dy + R^T dx of the step after (flat); `before` the c and n
    /// that entered the step; `pre` gets (d_i, d_f, d_z, d_o), flat.
    fn gates_backward(
        units: usize,
        kept: Kept<'_, T>,
        before: (&[T], &[T]),
        upstream: &[T],
        carried: &mut Carried<'_, T>,
        pre: &mut [T],
    ) = gates_backward_body;
}

#[inline(always)]
fn gates_backward_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    units: usize,
    kept: Kept<'_, T>,
    before: (&[T], &[T]),
    upstream: &[T],
    carried: &mut Carried<'_, T>,
    pre: &mut [T],
) {
    let blocks = units / LANES;
    let pre = pre[..GATES * units].as_chunks_mut::<LANES>().0;
    let input = kept.input[..units].as_chunks::<LANES>().0;
    let forget = kept.forget[..units].as_chunks::<LANES>().0;
    let slope = kept.slope[..units].as_chunks::<LANES>().0;
    let candidate = kept.candidate[..units].as_chunks::<LANES>().0;
    let gate = kept.output[..units].as_chunks::<LANES>().0;
    let cell = kept.cell[..units].as_chunks::<LANES>().0;
    let normaliser = kept.normaliser[..units].as_chunks::<LANES>().0;
    let cell_before = before.0[..units].as_chunks::<LANES>().0;
    let normaliser_before = before.1[..units].as_chunks::<LANES>().0;
    let upstream = upstream[..units].as_chunks::<LANES>().0;
    let d_cell = carried.cell[..units].as_chunks_mut::<LANES>().0;
    let d_normaliser = carried.normaliser[..units].as_chunks_mut::<LANES>().0;
    let d_stabiliser = carried.stabiliser[..units].as_chunks_mut::<LANES>().0;
    for block in 0..blocks {
        let mut out = [[T::ZERO; LANES]; GATES];
        for lane in 0..LANES {
            let e = upstream[block][lane];
            let (ig, fg, z, o) =
                (input[block][lane], forget[block][lane], candidate[block][lane], gate[block][lane]);
            let inverse = T::ONE / normaliser[block][lane];
            let mean = cell[block][lane] * inverse;
            let dc = (e * o).multiply_add::<A>(inverse, d_cell[block][lane]);
            let dn = (-e * o * mean).multiply_add::<A>(inverse, d_normaliser[block][lane]);
            let along = dc.multiply_add::<A>(cell_before[block][lane], dn * normaliser_before[block][lane]);
            // ig = 1 exactly where the input gate set the stabiliser.
            let dm = d_stabiliser[block][lane];
            let from_input = ig >= T::ONE;
            let (to_input, kept_on) = if from_input { (dm, T::ZERO) } else { (T::ZERO, dm) };
            out[0][lane] = z.multiply_add::<A>(dc, dn).multiply_add::<A>(ig, to_input);
            out[1][lane] = along.multiply_add::<A>(fg, kept_on) * slope[block][lane];
            out[2][lane] = ig * dc * (T::ONE - z * z);
            out[3][lane] = e * o * mean * (T::ONE - o);
            d_cell[block][lane] = dc * fg;
            d_normaliser[block][lane] = dn * fg;
            d_stabiliser[block][lane] = kept_on;
        }
        for (index, out) in out.iter().enumerate() {
            pre[index * blocks + block] = *out;
        }
    }
}
