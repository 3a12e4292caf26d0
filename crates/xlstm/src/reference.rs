//! The same network in ordinary tensor operations, step by step, differentiated by Burn: slow, plain, and what the
//! fused kernels are held against. Chosen at run time with [`crate::Kernel::Reference`].
//!
//! Sources: Beck et al. 2024 (arXiv 2405.04517), equations 8 to 27 and figures 9 and 10.

mod convolution;
mod mlstm;
mod norm;
mod slstm;

pub use convolution::{causal_convolution, leaving_window};
pub use mlstm::{MlstmCellState, mlstm_cell, mlstm_layer};
pub use norm::{gated_gelu, group_norm};
pub use slstm::{SlstmCellState, slstm_cell, slstm_layer};

pub(crate) use mlstm::mlstm_layer_around;
pub(crate) use slstm::slstm_layer_around;

use crate::state::ResetMask;
use burn::tensor::{DType, Device, Tensor};

/// 0 at the sequences that begin anew at this step, 1 elsewhere, `[batch]`.
pub(crate) fn kept_at(reset: &ResetMask, step: usize, number_type: DType, device: &Device) -> Tensor<1> {
    let [_, time] = reset.dims();
    let kept: Vec<f32> =
        reset.steps().chunks_exact(time).map(|row| f32::from(u8::from(!row[step]))).collect();
    Tensor::<1>::from_floats(kept.as_slice(), device).cast(number_type)
}
