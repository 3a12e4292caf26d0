//! CPU kernels of the two cells over plain slices: forward, hand-written backward and single steps.
//!
//! [`mlstm`] holds the matrix-memory cell, [`slstm`] the scalar one; each has a plain reference beside it
//! ([`mlstm::reference`], [`slstm::reference`]). Every kernel exists in `f32` (use) and `f64` (checks), and is
//! compiled for the build's baseline, for AVX2 and for AVX-512; which one runs is a [`Level`].

mod error;
mod level;
pub mod math;
pub mod mlstm;
mod product;
mod rows;
mod schedule;
pub mod slstm;

pub use error::KernelError;
pub use level::Level;
