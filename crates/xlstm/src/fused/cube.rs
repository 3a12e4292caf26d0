//! The cells on every CubeCL runtime (CUDA, wgpu, ...): one set of kernels, the tensors' device decides.
//!
//! Numbers: sums of log forget gates are never formed. Every step's decay is kept relative to the moving
//! stabiliser, `d_t = log f_t + (m_(t-1) - m_t)`, where the difference of the two stabilisers comes first: it is
//! exact, so whatever rounding took from m_t comes back in d_t. Weights between two steps are exponentials of
//! sums of such d's, which are zero or negative, and of which only sums above -87 count. That holds 1e-5 in f32
//! without any f64, at any size of the gates.
//!
//! Results do not depend on the order in which units run: there are no atomics, and partial sums are added in
//! fixed orders that depend on the sizes and on the device's limits only.

use burn::backend::TensorMetadata;
use burn::tensor::Shape;
use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::tensor::CubeTensor;

mod cell_ops;
mod mlstm;
mod mlstm_backward;
mod mlstm_backward_products;
mod mlstm_backward_sums;
mod mlstm_gates;
mod slstm;
mod slstm_backward;

/// Rows and columns of the block of a product that one unit holds in registers.
pub(crate) const TILE: usize = 4;

/// Words of shared memory left for the alignment of its pieces when a plan is fitted to the device.
pub(crate) const ALIGNMENT_WORDS: usize = 128;

/// A stabiliser below this counts as -inf: the state is empty.
const EMPTY_BELOW: f32 = -1.0e37;

/// The decay of what does not exist or was emptied: its exponential is zero and sums of it stay finite.
pub(crate) const ABSENT: f32 = -1.0e4;

/// exp(x): zero below -87, where f32 leaves its normal range, and finite above 88, where it ends.
#[cube]
pub(crate) fn exponential<F: Float>(argument: F) -> F {
    let lowest = F::new(-87.0_f32);
    let value = argument.clamp(lowest, F::new(88.0_f32)).exp();
    select(argument < lowest, F::new(0.0_f32), value)
}

/// 1 / (1 + exp(-x)).
#[cube]
pub(crate) fn sigmoid<F: Float>(argument: F) -> F {
    let one = F::new(1.0_f32);
    one / (one + exponential::<F>(F::new(0.0_f32) - argument))
}

/// tanh; beyond 15 it is 1 in f32, and runtimes that divide exponentials would overflow.
#[cube]
pub(crate) fn hyperbolic_tangent<F: Float>(argument: F) -> F {
    argument.clamp(F::new(-15.0_f32), F::new(15.0_f32)).tanh()
}

/// log f: log sigmoid(x) = min(x, 0) - log1p(exp(-|x|)), or x itself where the forget gate is exponential.
#[cube]
pub(crate) fn log_forget<F: Float>(gate: F, #[comptime] exponential_forget: bool) -> F {
    if comptime!(exponential_forget) {
        gate
    } else {
        let zero = F::new(0.0_f32);
        let size = gate.abs();
        gate.min(zero) - exponential::<F>(zero - size).log1p()
    }
}

/// d log f / d pre-activation: sigmoid(-x), or 1 where the forget gate is exponential.
#[cube]
pub(crate) fn log_forget_slope<F: Float>(gate: F, #[comptime] exponential_forget: bool) -> F {
    if comptime!(exponential_forget) { F::new(1.0_f32) } else { sigmoid::<F>(F::new(0.0_f32) - gate) }
}

/// True where a stabiliser says that there is no state.
#[cube]
pub(crate) fn is_empty_stabiliser<F: Float>(stabiliser: F) -> bool {
    stabiliser < F::new(EMPTY_BELOW)
}

/// `sums[i, j] += sum over k in from..to of left[rows[i] + k * left_depth] * right[columns[j] + k * right_depth]`,
/// a block of TILE x TILE sums in registers.
#[cube]
pub(crate) fn accumulate<F: Float>(
    sums: &mut Array<F>,
    left: &[F],
    rows: &Array<usize>,
    left_depth: usize,
    right: &[F],
    columns: &Array<usize>,
    right_depth: usize,
    depth: usize,
) {
    let mut across = Array::<F>::new(comptime!(TILE));
    for k in 0..depth {
        #[unroll]
        for j in 0..TILE {
            across[j] = right[columns[j] + k * right_depth];
        }
        #[unroll]
        for i in 0..TILE {
            let down = left[rows[i] + k * left_depth];
            #[unroll]
            for j in 0..TILE {
                sums[i * TILE + j] += down * across[j];
            }
        }
    }
}

/// Sets a block of sums to zero.
#[cube]
pub(crate) fn clear<F: Float>(sums: &mut Array<F>) {
    #[unroll]
    for index in 0..TILE * TILE {
        sums[index] = F::new(0.0_f32);
    }
}

/// `places[i] = (first + i * step) * stride`: neighbouring units take neighbouring rows or columns, so that what
/// they read together lies together.
#[cube]
pub(crate) fn spread(places: &mut Array<usize>, first: usize, step: usize, stride: usize) {
    #[unroll]
    for index in 0..TILE {
        places[index] = (first + index * step) * stride;
    }
}

/// As [`spread`] with stride 1, but never beyond `last`: for rows of memory that end before the padding does.
#[cube]
pub(crate) fn spread_within(
    places: &mut Array<usize>,
    first: usize,
    step: usize,
    stride: usize,
    last: usize,
) {
    #[unroll]
    for index in 0..TILE {
        let place = first + index * step;
        places[index] = select(place < last, place, last) * stride;
    }
}

/// `size` rounded up to whole tiles.
pub(crate) fn padded(size: usize) -> usize {
    size.next_multiple_of(TILE)
}

/// A new contiguous tensor beside `like`, not initialised.
pub(crate) fn empty_beside<const N: usize>(like: &CubeTensor, dims: [usize; N]) -> CubeTensor {
    let shape = Shape::from(dims);
    let handle = like.client.empty(shape.num_elements() * like.dtype().size());
    CubeTensor::new_contiguous(like.client.clone(), like.device.clone(), shape, handle, like.dtype())
}
