//! xLSTM networks (Beck et al. 2024, arXiv 2405.04517) on Burn, with fused CPU kernels: training with exact gradients,
//! and live inference in constant time per step.
//!
//! [`XlstmConfig`] says what a network consists of; [`XlstmConfig::init`] makes an [`Xlstm`]: embedding, mLSTM and sLSTM
//! blocks, optional attention, a final norm. [`Head`] turns its outputs into logits. [`Stepper`] runs the same weights
//! over plain slices, one candle at a time. [`weights`] reads and writes files, also those of the public PyTorch
//! reference. Every layer exists twice, chosen at run time by [`Kernel`]: fused (module [`fused`] over the slices of
//! [`kernel`]) and in ordinary tensor operations (module [`mod@reference`]).
//!
//! Invariants:
//! - **Three forms, one network.** Whole sequences, pieces with carried state and single steps give the same outputs; a
//!   state never carries gradients.
//! - **Causal.** The output of a step depends on it and the steps before it, of the same sequence, only.
//! - **Results do not depend on threads.** Kernels are bit-identical for any number of threads. They differ between
//!   instruction levels by rounding (fused multiply-adds).
//! - **Gradients are the exact ones** of the function computed, the small term of the denominator and the path
//!   through the stabiliser included.
//! - **Finite inputs never give NaN or infinity**, gates of ±1000 included.
//! - **No hidden randomness.** Initial weights come from the configuration's seed, dropout from the caller's generator.
//! - **Single steps allocate nothing** after a thread's first call ([`Stepper`], small batches).
//! - Each kernel has a plain reference beside it and is held against it, against golden files of the public
//!   reference, and against finite differences.
//!
//! It never sees a market, a candle or another crate of the workspace, reads no clock or environment variable and no
//! file but weights that are named, prints nothing, and guesses no shape. Unsafe code stands only where a kernel enters
//! the function compiled for the processor at hand, in one shuffle of registers, and where the crate `gemm` takes pointers.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use xlstm::{HeadConfig, XlstmConfig};
//!
//! let device = Device::flex();
//! let config = XlstmConfig { inputs: 8, width: 32, heads: 2, ..XlstmConfig::default() };
//! let network = config.init(&device)?;
//! let head = HeadConfig::default().init(config.width, &device)?;
//! // Two windows of 20 steps with 8 features: one row of SELL, HOLD, BUY logits each.
//! let logits = head.forward(network.forward(Tensor::zeros([2, 20, 8], &device))?, None, None)?;
//! assert_eq!(logits.dims(), [2, 3]);
//! // The same network, candle by candle.
//! let (_, state) = network.step(Tensor::zeros([2, 8], &device), network.empty_state(2))?;
//! let (output, _) = network.step(Tensor::zeros([2, 8], &device), state)?;
//! assert_eq!(output.dims(), [2, 32]);
//! # Ok::<(), xlstm::XlstmError>(())
//! ```

#[cfg(all(feature = "cube", not(any(feature = "cuda", feature = "wgpu"))))]
compile_error!("the feature `cube` is what `cuda` and `wgpu` share; choose one of them");

pub mod block;
mod config;
mod device;
mod dropout;
mod error;
pub mod fused;
mod head;
mod initialisation;
pub mod kernel;
pub mod layer;
mod norm;
pub mod reference;
mod stack;
pub mod state;
mod stepper;
pub mod weights;

pub use config::{
    AttentionConfig, DropoutConfig, FeatureGroupsConfig, Kernel, MlstmConfig, SlstmConfig, XlstmConfig,
};
pub use device::gpu_device;
pub use error::XlstmError;
pub use head::{Head, HeadConfig, LogitClipping, Pooling};
pub use norm::Norm;
pub use stack::{Embedding, Layer, Run, Xlstm};
pub use state::{ResetMask, XlstmState};
pub use stepper::{Stepper, StepperState};

/// The guide, so that its examples are compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/xlstm.md")]
struct Guide;
