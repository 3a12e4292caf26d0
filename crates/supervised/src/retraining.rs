//! A recipe trained anew on other stretches of time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;
use labels::Labeler;
use labels::splits::SplitPlan;
use labels::threshold_search::{Goal, Objective, Symmetry};

use crate::bundle::ModelBundle;
use crate::candle_source::CandleSource;
use crate::config::SupervisedConfig;
use crate::error::SupervisedError;
use crate::predictor::Predictor;
use crate::trainer::{Checkpoints, Observer, train};
use crate::training_job::{Periods, TrainingJob};

/// How far the class shares that thresholds give may be from those wanted.
const SHARE_TOLERANCE: f64 = 0.02;

/// The recipe of a bundle (its features, its kind of labels, its settings of training) and where it is trained anew. What is fitted
/// to a market is fitted anew each time, on that training time alone: thresholds of the labels, scaler, selection, weights,
/// calibration.
#[derive(Clone, Debug)]
pub struct Retraining<'a> {
    /// Whose recipe it is.
    pub bundle: &'a ModelBundle,
    /// What models are trained on.
    pub candles: &'a Arc<CandleSource>,
    /// The last days of each training time, which choose the epoch and fit the calibration.
    pub validation_days: u32,
    /// Shares of sell, hold and buy that the thresholds of the labels are to give; those of the bundle's training where absent.
    pub class_shares: Option<[f64; 3]>,
    /// What computes.
    pub device: Device,
    /// Where each model gets a directory of its own. One that an earlier run left there for the same candles, labels, time and
    /// settings is taken instead of being trained again, and a training that was cut off goes on.
    pub directory: PathBuf,
}

/// Who watches models that are trained one after the other.
pub trait RetrainingWatcher {
    /// A training begins; gives who watches it.
    fn training(&self, what: &str, epochs: usize) -> Box<dyn Observer>;

    /// A model of an earlier run is taken.
    fn kept(&self, what: &str, directory: &Path);

    /// A model of an earlier run cannot be used, and is trained again.
    fn unusable(&self, directory: &Path, error: &SupervisedError);
}

/// Nobody watches.
impl RetrainingWatcher for () {
    fn training(&self, _: &str, _: usize) -> Box<dyn Observer> {
        Box::new(())
    }

    fn kept(&self, _: &str, _: &Path) {}

    fn unusable(&self, _: &Path, _: &SupervisedError) {}
}

impl Retraining<'_> {
    /// The model of a plan's training time, whose last days validate. `name` is that of its directory, `what` names it to the
    /// watcher.
    ///
    /// # Errors
    /// Where the training time is too short, holds nothing to train on, or training fails; where a file cannot be written.
    pub fn fit(
        &self,
        what: &str,
        name: &str,
        plan: &SplitPlan,
        watcher: &dyn RetrainingWatcher,
    ) -> Result<Predictor, SupervisedError> {
        let config = &self.bundle.origin.config;
        let periods = Periods::new(plan.clone(), self.validation_days)?;
        let labeler = self.labeler(&periods.inner)?;
        let spec = self.bundle.spec.clone();
        let job =
            TrainingJob::prepare(Arc::clone(self.candles), spec, labeler, periods, &config.preparation)?;
        let own = self.directory.join(name);
        let kept = own.join("bundle");
        if let Some(bundle) = known(&kept, &job, config, watcher) {
            watcher.kept(what, &kept);
            return Predictor::new(bundle);
        }
        // A checkpoint of other data or settings is never gone on from: it lies under another name.
        let checkpoints = own.join(format!("checkpoints-{}", fingerprint(&job, config)?));
        std::fs::create_dir_all(&checkpoints).map_err(|error| {
            SupervisedError::file(&checkpoints, format!("cannot create the directory: {error}"))
        })?;
        let mut observer = watcher.training(what, config.epochs);
        let state = Checkpoints { directory: Some(&checkpoints), resume: true };
        let trained = train(&job.dataset, config, &self.device, &job.data_hash, state, &mut *observer)?;
        let origin = &self.bundle.origin;
        let name = format!("{}-{name}", origin.name);
        let finished = job.finish(trained, config, &name, origin.commit.clone(), origin.trials)?;
        finished.bundle.write(&kept, true)?;
        // The state of a training that is done is of no more use.
        std::fs::remove_dir_all(&checkpoints)
            .map_err(|error| SupervisedError::file(&checkpoints, format!("cannot remove: {error}")))?;
        Predictor::new(finished.bundle)
    }

    /// The bundle's kind of labels with thresholds of this training time.
    fn labeler(&self, plan: &SplitPlan) -> Result<Labeler, SupervisedError> {
        let symmetry = match self.bundle.labeler {
            Labeler::TrendScanning(_) => Symmetry::Symmetric,
            _ => Symmetry::Asymmetric,
        };
        let target = self.class_shares.unwrap_or(self.bundle.origin.prior);
        let goal = Goal { target, symmetry, objective: Objective::Pooled, tolerance: SHARE_TOLERANCE };
        goal.validate()?;
        self.candles.search_labeler(&self.bundle.labeler, &goal, plan)
    }
}

/// A bundle that an earlier run left for the same candles, labels, time and settings.
fn known(
    directory: &Path,
    job: &TrainingJob,
    config: &SupervisedConfig,
    watcher: &dyn RetrainingWatcher,
) -> Option<ModelBundle> {
    if !directory.exists() {
        return None;
    }
    match ModelBundle::read(directory, &Device::flex()) {
        Ok(bundle) => {
            let same = bundle.origin.data_hash == job.data_hash && bundle.origin.config == *config;
            same.then_some(bundle)
        }
        Err(error) => {
            watcher.unusable(directory, &error);
            None
        }
    }
}

/// Twelve digits that differ with the data and the settings.
fn fingerprint(job: &TrainingJob, config: &SupervisedConfig) -> Result<String, SupervisedError> {
    let settings = serde_json::to_string(config)
        .map_err(|error| SupervisedError::data("the settings of the bundle", error.to_string()))?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(job.data_hash.as_bytes()).update(settings.as_bytes());
    Ok(hasher.finalize().to_hex().chars().take(12).collect())
}
