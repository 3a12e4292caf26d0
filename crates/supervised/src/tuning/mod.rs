//! Search for hyperparameters: trials of a configuration, kept in a file that several processes can share.
//!
//! A [`SearchSpace`] says which values of the configuration are tried, a [`StudyDefinition`] how. A [`Study`]
//! is the file of all trials, [`tune`] runs trials of an objective until there are enough of them, and
//! [`importance`], [`parallel_coordinates`] and [`history`] say what came of it.
//!
//! Invariants:
//! - **What a trial tries follows from the seed, its number and the trials settled before it began.** A study
//!   of one process that was interrupted at any point and resumed equals one that was not.
//! - **Events are only ever added.** A line that a killed process left unfinished is set aside, named, and
//!   never read.
//! - **Every trial is counted** ([`TrialCounts`]), pruned and diverged ones, too: how much was tried decides
//!   what the best result is worth.
//! - The objective decides which rows it looks at; it must be those of validation folds.

mod analysis;
mod definition;
mod event;
mod importance;
mod journal;
mod pruner;
mod sampler;
mod search;
mod search_space;
mod study;
#[cfg(test)]
mod tests;
mod trial;

pub use analysis::{
    Axis, AxisScale, BestSoFar, CoordinateLine, ParallelCoordinates, best_trials, history,
    parallel_coordinates,
};
pub use definition::StudyDefinition;
pub use importance::{ImportanceBar, ImportanceConfig, importance};
pub use journal::SetAside;
pub use pruner::{HyperbandConfig, MedianConfig, PrunerConfig};
pub use sampler::{SamplerConfig, TpeConfig, suggest};
pub use search::{Advice, TrialHandle, TuningOutcome, tune};
pub use search_space::{Assignment, Parameter, SearchSpace, assign};
pub use study::{Study, StudyRecord};
pub use trial::{Direction, Report, Trial, TrialCounts, TrialState};
