//! Walk-forward: the model is trained anew for each stretch of time, on what came before it, and traded on it.
//!
//! The recipe is that of the bundle: its features, its kind of labels, its settings of training. What is fitted to a market is
//! fitted anew in each fold, on its training time alone: thresholds of the labels, scaler, selection, weights, calibration.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, ensure};
use command_line::{Bar, CommonArguments};
use labels::Labeler;
use labels::splits::{CombinatorialPurged, SplitPlan, TimeRange, WalkForward};
use labels::threshold_search::{Goal, Objective, Symmetry};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use supervised::{
    CandleSource, Checkpoints, Device, DeviceKind, EpochReport, ModelBundle, Observer, Periods, Predictor,
    StepReport, SupervisedConfig, SupervisedError, TrainingJob, train,
};

use crate::model::{Fold, Model, Said};

/// Units of a progress bar in an epoch.
const UNITS: u64 = 1_000;
/// How far the class shares that thresholds give may be from those wanted.
const SHARE_TOLERANCE: f64 = 0.02;

/// How time is divided.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WalkForwardSection {
    /// Days of the training window, validation included; with `anchored` of the first one.
    pub(crate) train_days: u32,
    /// Days that each model is traded on.
    pub(crate) test_days: u32,
    /// Whether training always begins where the candles do, so that it grows.
    pub(crate) anchored: bool,
    /// The last days of each training window, which choose the epoch and fit the calibration.
    pub(crate) validation_days: u32,
    /// Shares of sell, hold and buy that the thresholds of the labels are to give; those of the bundle's training where
    /// absent.
    pub(crate) class_shares: Option<[f64; 3]>,
    /// What computes: flex, ndarray or gpu.
    pub(crate) device: DeviceKind,
}

impl Default for WalkForwardSection {
    fn default() -> Self {
        Self {
            train_days: 90,
            test_days: 30,
            anchored: true,
            validation_days: 14,
            class_shares: None,
            device: DeviceKind::default(),
        }
    }
}

impl WalkForwardSection {
    fn plans(&self, range: TimeRange) -> anyhow::Result<Vec<SplitPlan>> {
        let Self { train_days, test_days, anchored, .. } = *self;
        let plan = WalkForward { train_days, test_days, step_days: test_days, anchored };
        plan.plan(range).context("section `walk_forward`")
    }

    /// Folds in which some series has a candle to trade; told of the others before anything is trained.
    fn traded(&self, candles: &CandleSource) -> anyhow::Result<Vec<SplitPlan>> {
        let (full, empty): (Vec<SplitPlan>, Vec<SplitPlan>) =
            self.plans(candles.range()?)?.into_iter().partition(|plan| {
                let mut tests = plan.test().iter();
                tests.any(|test| {
                    candles.selected().any(|series| !series.indices_between(test.from, test.to).is_empty())
                })
            });
        for test in empty.iter().flat_map(SplitPlan::test) {
            tracing::warn!(
                "the fold from {} to {} is left out: no series has a candle in it",
                test.from,
                test.to
            );
        }
        ensure!(!full.is_empty(), "no fold of the walk-forward holds a candle; give longer series");
        Ok(full)
    }
}

/// Trains a model for each fold and lets it speak of the candles of the fold.
pub(crate) fn walk_forward(
    bundle: &ModelBundle,
    candles: &Arc<CandleSource>,
    section: &WalkForwardSection,
    out: &Path,
    common: &CommonArguments,
) -> anyhow::Result<(Model, Said)> {
    let plans = section.traded(candles)?;
    let directory = out.join("walk-forward");
    let trainer = Trainer { bundle, candles, section, device: section.device.device()?, directory, common };
    let (mut folds, mut said, mut last) = (Vec::new(), Said::default(), None);
    for (number, plan) in plans.iter().enumerate() {
        let what = format!("fold {} of {}", number + 1, plans.len());
        let predictor =
            trainer.fit(&what, &format!("fold-{}", number + 1), plan).with_context(|| what.clone())?;
        let &[test] = plan.test() else { anyhow::bail!("{what} has {} tests", plan.test().len()) };
        let of_fold = Said::of(&predictor, candles, test, common).with_context(|| what.clone())?;
        let interval =
            |part: &str| predictor.bundle().origin.intervals.get(part).cloned().unwrap_or_default();
        folds.push(Fold {
            training: interval("training"),
            validation: interval("validation"),
            test,
            epochs: predictor.bundle().origin.epoch + 1,
            assessment: of_fold.assess(&predictor)?,
        });
        said.append(of_fold);
        last = Some(predictor);
    }
    let (Some(last), Some(first)) = (last, folds.first()) else { anyhow::bail!("there is no fold") };
    let model = Model {
        name: bundle.origin.name.clone(),
        trials: bundle.origin.trials.unwrap_or(1).max(1),
        seen_until: first.test.from,
        assessment: said.assess(&last)?,
        folds,
        importance: None,
    };
    Ok((model, said))
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
        self.splitter().combinations()?;
        Ok(())
    }

    fn splitter(&self) -> CombinatorialPurged {
        let Self { groups, test_groups, embargo_minutes, .. } = *self;
        CombinatorialPurged { groups, test_groups, embargo_minutes }
    }
}

/// Trains a model on each choice of parts and joins what they say of the others into paths through the whole time: signals
/// of each path. Training comes after the test too, so that this says how results vary, and not what could have been traded.
pub(crate) fn purged_paths(
    bundle: &ModelBundle,
    candles: &Arc<CandleSource>,
    section: &WalkForwardSection,
    purged: &PurgedPathsSection,
    out: &Path,
    common: &CommonArguments,
) -> anyhow::Result<Vec<Said>> {
    let splitter = purged.splitter();
    let plans = splitter.plan(candles.range()?).context("section `purged_paths`")?;
    let (combinations, assignment) = (splitter.combinations()?, splitter.path_assignment()?);
    let directory = out.join("purged-paths");
    let trainer = Trainer { bundle, candles, section, device: section.device.device()?, directory, common };
    let mut paths = vec![Said::default(); assignment.len()];
    for (number, (plan, tested)) in plans.iter().zip(&combinations).enumerate() {
        let what = format!("split {} of {}", number + 1, plans.len());
        let name = format!("split-{}", number + 1);
        let predictor = trainer.fit(&what, &name, plan).with_context(|| what.clone())?;
        for (group, span) in tested.iter().zip(plan.test()) {
            let said = Said::of(&predictor, candles, *span, common).with_context(|| what.clone())?;
            // Each test of each split belongs to exactly one path.
            let path = assignment.iter().position(|splits| splits.get(*group) == Some(&number));
            let path = path.and_then(|path| paths.get_mut(path)).context("a test that is in no path")?;
            path.append(said);
        }
    }
    Ok(paths)
}

/// What all folds have in common.
struct Trainer<'a> {
    bundle: &'a ModelBundle,
    candles: &'a Arc<CandleSource>,
    section: &'a WalkForwardSection,
    device: Device,
    directory: PathBuf,
    common: &'a CommonArguments,
}

impl Trainer<'_> {
    /// The model of a fold, from an earlier run where that was of the same candles and settings.
    fn fit(&self, what: &str, name: &str, plan: &SplitPlan) -> anyhow::Result<Predictor> {
        let config = &self.bundle.origin.config;
        let periods = Periods::new(plan.clone(), self.section.validation_days)
            .context("`walk_forward.validation_days` of `walk_forward.train_days`")?;
        let labeler = self.labeler(&periods.inner)?;
        let job = TrainingJob::prepare(
            Arc::clone(self.candles),
            self.bundle.spec.clone(),
            labeler,
            periods,
            &config.preparation,
        )?;
        let own = self.directory.join(name);
        let kept = own.join("bundle");
        if let Some(bundle) = known(&kept, &job, config) {
            tracing::info!("{what}: the model of an earlier run is taken, {}", kept.display());
            return Ok(Predictor::new(bundle)?);
        }
        // A checkpoint of other data or settings is never gone on from: it lies under another name.
        let checkpoints = own.join(format!("checkpoints-{}", fingerprint(&job, config)?));
        std::fs::create_dir_all(&checkpoints)
            .with_context(|| format!("{}: cannot create the directory", checkpoints.display()))?;
        let mut observer = Progress {
            bar: self.common.progress().bar(config.epochs as u64 * UNITS, what),
            what: what.to_owned(),
        };
        let kept_state = Checkpoints { directory: Some(&checkpoints), resume: true };
        let trained = train(&job.dataset, config, &self.device, &job.data_hash, kept_state, &mut observer)?;
        observer.bar.finish();
        let origin = &self.bundle.origin;
        let name = format!("{}-{name}", origin.name);
        let finished = job.finish(trained, config, &name, origin.commit.clone(), origin.trials)?;
        finished.bundle.write(&kept, true)?;
        // The state of a training that is done is of no more use.
        std::fs::remove_dir_all(&checkpoints)
            .with_context(|| format!("{}: cannot remove", checkpoints.display()))?;
        Ok(Predictor::new(finished.bundle)?)
    }

    /// The bundle's kind of labels with thresholds of this fold's training time.
    fn labeler(&self, plan: &SplitPlan) -> anyhow::Result<Labeler> {
        let symmetry = match self.bundle.labeler {
            Labeler::TrendScanning(_) => Symmetry::Symmetric,
            _ => Symmetry::Asymmetric,
        };
        let target = self.section.class_shares.unwrap_or(self.bundle.origin.prior);
        let goal = Goal { target, symmetry, objective: Objective::Pooled, tolerance: SHARE_TOLERANCE };
        goal.validate().context("`walk_forward.class_shares`")?;
        self.candles
            .search_labeler(&self.bundle.labeler, &goal, plan)
            .context("searching the thresholds of the labels on the fold's training time")
    }
}

/// A bundle that an earlier run left for the same candles, labels, time and settings.
fn known(directory: &Path, job: &TrainingJob, config: &SupervisedConfig) -> Option<ModelBundle> {
    if !directory.exists() {
        return None;
    }
    match ModelBundle::read(directory, &Device::flex()) {
        Ok(bundle) => {
            let same = bundle.origin.data_hash == job.data_hash && bundle.origin.config == *config;
            same.then_some(bundle)
        }
        Err(error) => {
            tracing::warn!("{}: trained anew, because {error}", directory.display());
            None
        }
    }
}

fn fingerprint(job: &TrainingJob, config: &SupervisedConfig) -> anyhow::Result<String> {
    let settings = serde_json::to_string(config)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(job.data_hash.as_bytes()).update(settings.as_bytes());
    let text = hasher.finalize().to_hex();
    ensure!(text.len() > 12, "a hash has 64 digits");
    Ok(text[..12].to_owned())
}

/// A bar, and a line for each epoch.
struct Progress {
    bar: Bar,
    what: String,
}

impl Observer for Progress {
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
