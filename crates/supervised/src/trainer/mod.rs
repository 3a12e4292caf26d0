//! Training, epoch by epoch.
//!
//! Invariants:
//! - **Resumed is uninterrupted.** Everything that decides the next epoch is in the checkpoint; random numbers are drawn
//!   from the seed, a purpose and a count, so there is no generator to store.
//! - **Validation chooses, and nothing else.** Augmentation, dropout and mining touch training labels only.
//! - Results do not depend on the number of threads.

mod batch;
mod checkpoint;
mod epoch;
mod evaluation;
mod every_step;
mod feed;
mod last_step;
mod step;

use std::path::Path;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

pub use evaluation::{RowLogits, evaluate};

use crate::classifier::{Classifier, ClassifierConfig};
use crate::config::SupervisedConfig;
use crate::dataset::{CLASSES, Dataset};
use crate::error::SupervisedError;
use crate::metrics::Metrics;

/// What one epoch showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochReport {
    /// Counted from 0.
    pub epoch: usize,
    /// Optimiser steps since the beginning of training.
    pub steps: u64,
    /// Labels learned from in this epoch.
    pub labels: u64,
    /// Rate of the last step.
    pub learning_rate: f64,
    /// Mean training loss, with all its parts.
    pub training_loss: f64,
    /// Mean norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// Steps whose gradient was clipped, and steps left out because it was not finite.
    pub clipped: u64,
    /// See `clipped`.
    pub skipped: u64,
    /// Share of hard samples in the epoch.
    pub hard_share: f64,
    /// On the validation rows, with the class of the largest probability as decision.
    pub validation: Metrics,
    /// Whether it is the best epoch so far.
    pub best: bool,
}

/// How far an epoch is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// Counted from 0.
    pub epoch: usize,
    /// How much of it is done, from 0 to 1.
    pub done: f64,
    /// Loss of the batch.
    pub loss: f64,
}

/// Who is told how training goes; it may keep time, draw and write, which this crate does not.
pub trait Observer {
    /// Before the first epoch, with what the epochs before the checkpoint showed that training goes on from; without one
    /// there are none.
    ///
    /// # Errors
    /// Whatever the observer cannot do; training ends with it.
    fn begin(&mut self, _history: &[EpochReport]) -> Result<(), SupervisedError> {
        Ok(())
    }

    /// After each step.
    fn step(&mut self, report: StepReport);

    /// After each epoch, when its checkpoint is written. False stops training as if it were the last epoch.
    ///
    /// # Errors
    /// Whatever the observer cannot do; training ends with it.
    fn epoch(&mut self, report: &EpochReport) -> Result<bool, SupervisedError>;
}

/// Tells nobody.
impl Observer for () {
    fn step(&mut self, _report: StepReport) {}

    fn epoch(&mut self, _report: &EpochReport) -> Result<bool, SupervisedError> {
        Ok(true)
    }
}

/// Where training keeps its state, and whether it goes on from there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Checkpoints<'a> {
    /// Directory of `last.safetensors` and `best.safetensors`; without one nothing is kept.
    pub directory: Option<&'a Path>,
    /// Goes on from `last.safetensors` where there is one; else a directory that holds one is refused.
    pub resume: bool,
}

/// A finished training.
#[derive(Debug)]
pub struct Trained {
    /// The classifier of the best epoch, on a device without gradients.
    pub classifier: Classifier,
    /// That epoch, counted from 0.
    pub best_epoch: usize,
    /// What every epoch showed.
    pub history: Vec<EpochReport>,
    /// Shares of the classes among the training labels.
    pub prior: [f64; CLASSES],
}

/// Trains a classifier on the training part of a dataset and chooses the epoch by its validation part. `data_hash` names
/// the data in checkpoints.
///
/// # Errors
/// [`SupervisedError::Config`]; [`SupervisedError::Data`] where a part holds fewer than two classes, or no window;
/// [`SupervisedError::File`] for checkpoints; [`SupervisedError::Diverged`].
pub fn train(
    dataset: &Dataset,
    config: &SupervisedConfig,
    device: &Device,
    data_hash: &str,
    checkpoints: Checkpoints<'_>,
    observer: &mut dyn Observer,
) -> Result<Trained, SupervisedError> {
    let classifier = config.network.classifier(dataset.width(), config.seed);
    train_classifier(dataset, config, &classifier, device, data_hash, checkpoints, observer)
}

/// As [`train`], for a classifier of any architecture; the section `network` of the configuration then says nothing but
/// whether the head begins with the class shares.
///
/// # Errors
/// As [`train`]; [`SupervisedError::Data`] where the classifier takes another number of columns.
pub fn train_classifier(
    dataset: &Dataset,
    config: &SupervisedConfig,
    classifier: &ClassifierConfig,
    device: &Device,
    data_hash: &str,
    checkpoints: Checkpoints<'_>,
    observer: &mut dyn Observer,
) -> Result<Trained, SupervisedError> {
    if classifier.inputs != dataset.width() {
        let reason = format!("it takes {} columns, the data have {}", classifier.inputs, dataset.width());
        return Err(SupervisedError::data("the classifier", reason));
    }
    classifier.network.validate()?;
    epoch::Training::begin(dataset, config, classifier, device, data_hash, checkpoints)?.run(observer)
}
