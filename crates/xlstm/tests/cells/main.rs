//! The kernels against golden files of the public reference, the plain references and finite differences.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod cases;
mod golden_mlstm;
mod golden_slstm;
mod property_mlstm;
mod property_mlstm_layer;
mod property_slstm;
mod property_slstm_layer;
