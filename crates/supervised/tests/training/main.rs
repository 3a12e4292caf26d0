//! Training, bundle and predictor as a whole, on small generated markets.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bundles;
mod checkpoints;
mod datasets;
mod explanations;
mod learning;
mod losses;
mod markets;
mod predictions;
mod resumed;
