//! CPU kernels of the two cells over plain slices: forward, hand-written backward and single steps.
//!
//! [`mlstm`] holds the matrix-memory cell, [`slstm`] the scalar one; each has a plain reference beside it
//! ([`mlstm::reference`], [`slstm::reference`]). Every kernel exists in `f32` (use) and `f64` (checks), and is
//! compiled for the build's baseline, for AVX2 and for AVX-512; which one runs is a [`Level`].

pub mod bias;
mod convolution;
pub(crate) mod error;
mod gate;
pub mod gated_gelu;
pub mod layer_norm;
mod level;
pub mod linear;
pub mod math;
pub mod matmul;
pub mod mlstm;
pub mod mlstm_layer;
mod norm;
mod product;
mod rows;
pub(crate) mod schedule;
pub mod slstm;
pub mod slstm_layer;

pub use error::KernelError;
pub use gate::ForgetGate;
pub use level::Level;

/// What a backward pass of a layer is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The gradients of the input and of every weight.
    All,
    /// Those of the input; the weights' may be left out.
    Input,
}
