//! Products and activations of small dense layers, in the widest vectors that the processor has.
//!
//! A batch of reinforcement learning is tens of rows of tens of numbers: packing, threads and calls of a
//! general product would cost more than the product. The sums run in one order for any number of rows, so
//! that a row gives the same bits alone and in a batch. Processors with and without fused multiply-add differ
//! by rounding.

use pulp::{Arch, Simd, WithSimd};

use super::mlp::Activation;

/// Rows of a result held in registers at once.
const ROWS: usize = 4;
/// Vectors of a row held in registers at once: 4 × 2 sums leave room for operands with 16 registers.
const VECTORS: usize = 2;
/// Rows whose part of a weight gradient is summed before the next: both operands stay in the first cache.
const BLOCK: usize = 64;
/// Of the widest vectors that there are, 512 bits.
const MAXIMUM_LANES: usize = 16;

/// Where the left factor of a product lies: element (row, depth) at `row * row_stride + depth *
/// depth_stride`.
#[derive(Clone, Copy)]
struct Left<'a> {
    data: &'a [f32],
    row_stride: usize,
    depth_stride: usize,
}

/// What the sums of a product start from.
#[derive(Clone, Copy)]
enum Start<'a> {
    Zero,
    /// `[columns]`, the same for each row.
    Bias(&'a [f32]),
    /// What is in the result.
    Result,
}

/// `out (+)= left right`: `right` `[depth, columns]`, `out` `[rows, columns]`.
struct Product<'a> {
    left: Left<'a>,
    right: &'a [f32],
    start: Start<'a>,
    out: &'a mut [f32],
    columns: usize,
}

#[inline(always)]
fn load<S: Simd>(simd: S, row: &[f32], column: usize, whole: bool) -> S::f32s {
    if whole {
        S::as_simd_f32s(&row[column..column + S::F32_LANES]).0[0]
    } else {
        simd.partial_load_f32s(&row[column..])
    }
}

/// Some lines of a right factor, whole vectors wide.
#[derive(Clone, Copy)]
struct Right<'a> {
    data: &'a [f32],
    width: usize,
    /// Where the columns of a tile begin.
    column: usize,
    /// Depth of the first line.
    depth: usize,
}

impl Product<'_> {
    /// Columns `column..` of rows `row..row + R`: `V` vectors, of which the last may be cut off by the end of
    /// the row.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const V: usize, const WHOLE: bool>(
        &mut self,
        simd: S,
        row: usize,
        column: usize,
        right: Right<'_>,
        start: Start<'_>,
    ) {
        let columns = self.columns;
        let mut sums = [[simd.splat_f32s(0.0); V]; R];
        for (index, sums) in sums.iter_mut().enumerate() {
            for (vector, sum) in sums.iter_mut().enumerate() {
                let place = column + vector * S::F32_LANES;
                match start {
                    Start::Zero => {}
                    Start::Bias(bias) => *sum = load(simd, bias, place, WHOLE),
                    Start::Result => {
                        let line = &self.out[(row + index) * columns..(row + index + 1) * columns];
                        *sum = load(simd, line, place, WHOLE);
                    }
                }
            }
        }
        let mut place = row * self.left.row_stride + right.depth * self.left.depth_stride;
        for line in right.data.chunks_exact(right.width) {
            let mut vectors = [simd.splat_f32s(0.0); V];
            for (vector, value) in vectors.iter_mut().enumerate() {
                *value = load(simd, line, right.column + vector * S::F32_LANES, true);
            }
            for (index, sums) in sums.iter_mut().enumerate() {
                let left = simd.splat_f32s(self.left.data[place + index * self.left.row_stride]);
                for (sum, right) in sums.iter_mut().zip(vectors) {
                    *sum = simd.mul_add_e_f32s(left, right, *sum);
                }
            }
            place += self.left.depth_stride;
        }
        for (index, sums) in sums.into_iter().enumerate() {
            let line = &mut self.out[(row + index) * columns..(row + index + 1) * columns];
            for (vector, sum) in sums.into_iter().enumerate() {
                let place = column + vector * S::F32_LANES;
                if WHOLE {
                    S::as_mut_simd_f32s(&mut line[place..place + S::F32_LANES]).0[0] = sum;
                } else {
                    simd.partial_store_f32s(&mut line[place..], sum);
                }
            }
        }
    }

    #[inline(always)]
    fn rows<S: Simd, const V: usize, const WHOLE: bool>(
        &mut self,
        simd: S,
        column: usize,
        right: Right<'_>,
        start: Start<'_>,
    ) {
        let rows = self.out.len() / self.columns;
        let mut row = 0;
        while row + ROWS <= rows {
            self.tile::<S, ROWS, V, WHOLE>(simd, row, column, right, start);
            row += ROWS;
        }
        while row < rows {
            self.tile::<S, 1, V, WHOLE>(simd, row, column, right, start);
            row += 1;
        }
    }

    /// The columns that fill no vector, as those of most outputs: their part of the right factor is copied into whole
    /// vectors first, because a partial load costs more than all sums that it feeds.
    #[inline(always)]
    fn narrow<S: Simd>(&mut self, simd: S, column: usize) {
        let (lanes, right, columns) = (S::F32_LANES, self.right, self.columns);
        let mut packed = [0.0; BLOCK * MAXIMUM_LANES];
        for (block, lines) in right.chunks(BLOCK * columns).enumerate() {
            for (line, packed) in lines.chunks_exact(columns).zip(packed.chunks_exact_mut(lanes)) {
                for (to, from) in packed.iter_mut().zip(&line[column..]) {
                    *to = *from;
                }
            }
            let data = &packed[..lines.len() / columns * lanes];
            let start = if block == 0 { self.start } else { Start::Result };
            let right = Right { data, width: lanes, column: 0, depth: block * BLOCK };
            self.rows::<S, 1, false>(simd, column, right, start);
        }
    }

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let (data, width, start) = (self.right, self.columns, self.start);
        let mut column = 0;
        while column + VECTORS * S::F32_LANES <= self.columns {
            self.rows::<S, VECTORS, true>(simd, column, Right { data, width, column, depth: 0 }, start);
            column += VECTORS * S::F32_LANES;
        }
        while column + S::F32_LANES <= self.columns {
            self.rows::<S, 1, true>(simd, column, Right { data, width, column, depth: 0 }, start);
            column += S::F32_LANES;
        }
        if column < self.columns {
            self.narrow(simd, column);
        }
    }
}

/// One layer: `out = activation(input weight + bias)`.
pub(super) struct LayerForward<'a> {
    /// `[rows, inputs]`.
    pub(super) input: &'a [f32],
    /// `[inputs, outputs]`.
    pub(super) weight: &'a [f32],
    /// `[outputs]`.
    pub(super) bias: &'a [f32],
    /// None: the layer is linear.
    pub(super) activation: Option<Activation>,
    /// `[rows, outputs]`.
    pub(super) out: &'a mut [f32],
}

impl LayerForward<'_> {
    pub(super) fn run(self, arch: Arch) {
        arch.dispatch(self);
    }
}

impl WithSimd for LayerForward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let columns = self.bias.len();
        let inputs = self.weight.len() / columns;
        let left = Left { data: self.input, row_stride: inputs, depth_stride: 1 };
        let start = Start::Bias(self.bias);
        Product { left, right: self.weight, start, out: &mut *self.out, columns }.run(simd);
        let Some(activation) = self.activation else { return };
        let (vectors, rest) = S::as_mut_simd_f32s(self.out);
        for value in vectors {
            *value = activate(simd, activation, *value);
        }
        if !rest.is_empty() {
            let value = simd.partial_load_f32s(rest);
            simd.partial_store_f32s(rest, activate(simd, activation, value));
        }
    }
}

/// Numerator of the hyperbolic tangent, odd powers from the highest on: the rational approximation of Eigen
/// (`generic_fast_tanh_float`), within 4 units in the last place.
const NUMERATOR: [f32; 7] = [
    -2.760_768_5e-16,
    2.000_188e-13,
    -8.604_672e-11,
    5.122_297e-8,
    1.485_722_4e-5,
    6.372_619_3e-4,
    4.893_524_6e-3,
];
/// Its denominator, even powers from the highest on.
const DENOMINATOR: [f32; 4] = [1.198_258_4e-6, 1.185_347_1e-4, 2.268_434_6e-3, 4.893_525e-3];
/// Beyond it the tangent is 1 in f32.
const TANH_BOUND: f32 = 7.905_311;

#[inline(always)]
fn activate<S: Simd>(simd: S, activation: Activation, value: S::f32s) -> S::f32s {
    let result = match activation {
        Activation::Relu => simd.max_f32s(value, simd.splat_f32s(0.0)),
        Activation::Tanh => {
            let bounded = simd
                .max_f32s(simd.min_f32s(value, simd.splat_f32s(TANH_BOUND)), simd.splat_f32s(-TANH_BOUND));
            let square = simd.mul_f32s(bounded, bounded);
            let mut upper = simd.splat_f32s(0.0);
            for factor in NUMERATOR {
                upper = simd.mul_add_e_f32s(upper, square, simd.splat_f32s(factor));
            }
            let mut lower = simd.splat_f32s(0.0);
            for factor in DENOMINATOR {
                lower = simd.mul_add_e_f32s(lower, square, simd.splat_f32s(factor));
            }
            let result = simd.div_f32s(simd.mul_f32s(upper, bounded), lower);
            simd.max_f32s(simd.min_f32s(result, simd.splat_f32s(1.0)), simd.splat_f32s(-1.0))
        }
    };
    // Minimum and maximum hide NaN: a network that has diverged must show it.
    simd.select_f32s(simd.equal_f32s(value, value), result, value)
}

/// Derivative of one layer.
pub(super) struct LayerBackward<'a> {
    /// `[rows, inputs]`.
    pub(super) input: &'a [f32],
    /// `[rows, outputs]`, of a layer with an activation.
    pub(super) output: &'a [f32],
    /// None: the layer is linear.
    pub(super) activation: Option<Activation>,
    /// d loss / d output, `[rows, outputs]`; the derivative by what goes into the activation when done.
    pub(super) output_gradient: &'a mut [f32],
    /// Weights, then biases are added to.
    pub(super) gradient: &'a mut [f32],
    /// `[outputs, inputs]`, and where d loss / d input goes, `[rows, inputs]`; empty where nobody asks.
    pub(super) transposed: &'a [f32],
    /// See above.
    pub(super) input_gradient: &'a mut [f32],
    /// Numbers of one input.
    pub(super) inputs: usize,
    /// Numbers of one output.
    pub(super) outputs: usize,
}

impl LayerBackward<'_> {
    pub(super) fn run(self, arch: Arch) {
        arch.dispatch(self);
    }
}

impl WithSimd for LayerBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (inputs, columns) = (self.inputs, self.outputs);
        match self.activation {
            None => {}
            Some(Activation::Tanh) => {
                self.output_gradient
                    .iter_mut()
                    .zip(self.output)
                    .for_each(|(gradient, y)| *gradient *= 1.0 - y * y);
            }
            Some(Activation::Relu) => {
                self.output_gradient.iter_mut().zip(self.output).for_each(|(gradient, y)| {
                    // Not a product with 0, which would turn an infinite gradient into NaN.
                    *gradient = if *y <= 0.0 { 0.0 } else { *gradient };
                });
            }
        }
        let (weight, bias) = self.gradient.split_at_mut(inputs * columns);
        for row in self.output_gradient.chunks_exact(columns) {
            bias.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        let blocks = self.input.chunks(BLOCK * inputs).zip(self.output_gradient.chunks(BLOCK * columns));
        for (input, right) in blocks {
            let left = Left { data: input, row_stride: 1, depth_stride: inputs };
            Product { left, right, start: Start::Result, out: &mut *weight, columns }.run(simd);
        }
        if !self.input_gradient.is_empty() {
            let left = Left { data: self.output_gradient, row_stride: columns, depth_stride: 1 };
            let (right, out) = (self.transposed, self.input_gradient);
            Product { left, right, start: Start::Zero, out, columns: inputs }.run(simd);
        }
    }
}
