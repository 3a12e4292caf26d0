//! Sections of models that are trained anew, and what is seen of it while it goes on.

use std::path::Path;
use std::sync::Arc;

use command_line::{Bar, CommonArguments, Progress};
use labels::splits::CombinatorialPurged;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim::model_signals::ModelSignals;
use sim::retraining::{RetrainedSignals, WalkForwardConfig, purged_path_signals, walk_forward_signals};
use supervised::{
    CandleSource, EpochReport, ModelBundle, Observer, Retraining, RetrainingWatcher, StepReport,
    SupervisedError,
};

/// Units of a progress bar in an epoch.
const UNITS: u64 = 1_000;

/// Trains a model for each fold and lets it speak of the candles of the fold.
pub(crate) fn walk_forward(
    bundle: &ModelBundle,
    candles: &Arc<CandleSource>,
    config: &WalkForwardConfig,
    out: &Path,
    common: &CommonArguments,
) -> anyhow::Result<RetrainedSignals> {
    let plan = config.plan(candles)?;
    for test in &plan.left_out {
        tracing::warn!(
            "the fold from {} to {} is left out: no series has a candle in it",
            test.from,
            test.to
        );
    }
    let retraining = retraining(bundle, candles, config, out.join("walk-forward"))?;
    Ok(walk_forward_signals(&retraining, &plan, &Watcher { progress: common.progress() })?)
}

/// Combinatorial purged cross-validation (López de Prado 2018, ch. 12) of models and of strategies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PurgedPathsSection {
    /// Parts of the time, of equal length.
    pub(crate) groups: u32,
    /// Parts that are traded at a time, by what was fitted on the others.
    pub(crate) test_groups: u32,
    /// Minutes after each tested part that nothing is fitted on; at least the look-back of the features.
    pub(crate) embargo_minutes: u32,
    /// Days before and after a tested part by which strategies are not chosen; at least as long as positions last.
    pub(crate) purge_days: usize,
}

impl Default for PurgedPathsSection {
    /// 15 splits, 5 paths.
    fn default() -> Self {
        let CombinatorialPurged { groups, test_groups, embargo_minutes } = CombinatorialPurged::default();
        Self { groups, test_groups, embargo_minutes, purge_days: 2 }
    }
}

impl PurgedPathsSection {
    /// Whether time can be divided so.
    pub(crate) fn validate(&self) -> anyhow::Result<()> {
        Ok(self.splitter().validate()?)
    }

    fn splitter(&self) -> CombinatorialPurged {
        let Self { groups, test_groups, embargo_minutes, .. } = *self;
        CombinatorialPurged { groups, test_groups, embargo_minutes }
    }
}

/// Trains a model on each choice of parts and gives what is said on each path through the whole time.
pub(crate) fn purged_paths(
    bundle: &ModelBundle,
    candles: &Arc<CandleSource>,
    config: &WalkForwardConfig,
    purged: &PurgedPathsSection,
    out: &Path,
    common: &CommonArguments,
) -> anyhow::Result<Vec<ModelSignals>> {
    let retraining = retraining(bundle, candles, config, out.join("purged-paths"))?;
    let watcher = Watcher { progress: common.progress() };
    Ok(purged_path_signals(&retraining, &purged.splitter(), &watcher)?)
}

fn retraining<'a>(
    bundle: &'a ModelBundle,
    candles: &'a Arc<CandleSource>,
    config: &WalkForwardConfig,
    directory: std::path::PathBuf,
) -> anyhow::Result<Retraining<'a>> {
    Ok(Retraining {
        bundle,
        candles,
        validation_days: config.validation_days,
        class_shares: config.class_shares,
        device: config.device.device()?,
        directory,
    })
}

/// Shows a bar for each training, and a line for each epoch.
struct Watcher {
    progress: Progress,
}

impl RetrainingWatcher for Watcher {
    fn training(&self, what: &str, epochs: usize) -> Box<dyn Observer> {
        let bar = self.progress.bar(epochs as u64 * UNITS, what.to_owned());
        Box::new(Training { bar, what: what.to_owned() })
    }

    fn kept(&self, what: &str, directory: &Path) {
        tracing::info!("{what}: the model of an earlier run is taken, {}", directory.display());
    }

    fn unusable(&self, directory: &Path, error: &SupervisedError) {
        tracing::warn!("{}: trained anew, because {error}", directory.display());
    }
}

struct Training {
    bar: Bar,
    what: String,
}

impl Drop for Training {
    fn drop(&mut self) {
        self.bar.finish();
    }
}

impl Observer for Training {
    fn step(&mut self, report: StepReport) {
        self.bar.set_position(((report.epoch as f64 + report.done) * UNITS as f64) as u64);
    }

    fn epoch(&mut self, report: &EpochReport) -> Result<bool, SupervisedError> {
        let validation = &report.validation;
        tracing::info!(
            "{}, epoch {}: loss {:.4}, validation: log-loss {:.4}, macro-F1 {:.4}{}",
            self.what,
            report.epoch + 1,
            report.training_loss,
            validation.log_loss,
            validation.macro_f1,
            if report.best { ", the best so far" } else { "" },
        );
        Ok(true)
    }
}
