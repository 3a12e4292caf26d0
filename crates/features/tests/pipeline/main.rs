//! The pipeline as a whole: one fold for past and present, nothing ahead, nothing filled.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod audits;
mod fits;
mod folds;
mod markets;
mod outside;
mod scales;
mod specs;
