//! Labels, splits and thresholds on hand-made, random and synthetic markets.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod candles;
mod causality;
mod labelers;
mod splits;
mod thresholds;
