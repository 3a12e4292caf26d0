//! Which samples a training step sees, and how much each counts.
//!
//! Two objectives, two forms of the same intents (balance of classes, balance of symbols, uniqueness of
//! labels, mining of hard samples):
//!
//! - `last_step`: a sample is a window that ends at a labelled row. [`Sampler`] plans every epoch as batches
//!   of sample indices.
//! - `every_step`: whole stretches of rows go through the network and every labelled row counts.
//!   [`SegmentPlan`] cuts the stretches into segments, [`StepWeights`] weighs the rows.
//!
//! Every plan is a function of configuration, data, seed and epoch alone, so a training that resumes at an
//! epoch sees what it would have seen. Epochs are numbered from 0.

mod apportionment;
mod class_shares;
mod configuration;
mod hard_pool;
mod sampler;
mod segment_plan;
mod step_weights;
mod strata;

pub use configuration::{HardNegativeConfig, SamplingConfig};
pub use hard_pool::HardPool;
pub use sampler::{EpochPlan, Sampler};
pub use segment_plan::{Run, Segment, SegmentBatch, SegmentConfig, SegmentPlan};
pub use step_weights::{StepRows, StepWeights};

use crate::dataset::{CLASSES, NO_CLASS};

/// Names of the classes, for messages.
pub(crate) const CLASS_NAMES: [&str; 3] = ["Sell", "Hold", "Buy"];

/// A labelled window of the objective `last_step`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Index of the series (the symbol) that the window lies in.
    pub series: u32,
    /// The last row of the window, the one that the label belongs to.
    pub row: u32,
    /// 0 Sell, 1 Hold, 2 Buy.
    pub class: u8,
    /// Average uniqueness of the label, in `(0, 1]`.
    pub weight: f32,
}
