//! The network on Burn: against golden files of the public reference, fused against plain, sequences against steps.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod cases;
mod cell_cases;
mod cells;
mod golden;
mod networks;
mod properties;
mod weights;
