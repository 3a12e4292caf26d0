//! Models that are trained anew for each stretch of time, and what they say of the time that they did not see.

use labels::splits::{CombinatorialPurged, SplitPlan, TimeRange, WalkForward};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use supervised::{Assessment, CandleSource, DeviceKind, Periods, Predictor, Retraining, RetrainingWatcher};

use crate::error::SimError;
use crate::model_signals::ModelSignals;

/// How a walk-forward divides time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WalkForwardConfig {
    /// Days of the training window, validation included; with `anchored` of the first one.
    pub train_days: u32,
    /// Days that each model is traded on.
    pub test_days: u32,
    /// Whether training always begins where the candles do, so that it grows.
    pub anchored: bool,
    /// The last days of each training window, which choose the epoch and fit the calibration.
    pub validation_days: u32,
    /// Shares of sell, hold and buy that the thresholds of the labels are to give; those of the bundle's training where
    /// absent.
    pub class_shares: Option<[f64; 3]>,
    /// What computes: flex, ndarray or gpu.
    pub device: DeviceKind,
}

impl Default for WalkForwardConfig {
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

/// The folds of a walk-forward.
#[derive(Clone, Debug)]
pub struct WalkForwardPlan {
    /// Folds in which some series has a candle to trade; one or more.
    pub folds: Vec<SplitPlan>,
    /// Tests in which no series has one.
    pub left_out: Vec<TimeRange>,
}

impl WalkForwardConfig {
    /// Divides the time of the candles.
    ///
    /// # Errors
    /// [`SimError::Data`] where it is too short, or the settings make no sense.
    pub fn plan(&self, candles: &CandleSource) -> Result<WalkForwardPlan, SimError> {
        let Self { train_days, test_days, anchored, .. } = *self;
        let told =
            |error: &dyn std::fmt::Display| SimError::data("section `walk_forward`", error.to_string());
        let range = candles.range().map_err(|error| told(&error))?;
        let plan = WalkForward { train_days, test_days, step_days: test_days, anchored };
        let is_traded = |plan: &SplitPlan| {
            plan.test().iter().any(|test| {
                candles.selected().any(|series| !series.indices_between(test.from, test.to).is_empty())
            })
        };
        let (folds, empty): (Vec<SplitPlan>, Vec<SplitPlan>) =
            plan.plan(range).map_err(|error| told(&error))?.into_iter().partition(is_traded);
        if folds.is_empty() {
            let problem = "no fold of the walk-forward holds a candle; give longer series";
            return Err(SimError::data("the candles", problem));
        }
        if let Some(first) = folds.first() {
            Periods::new(first.clone(), self.validation_days).map_err(|error| {
                let problem = format!("`walk_forward.validation_days` of `walk_forward.train_days`: {error}");
                SimError::data("section `walk_forward`", problem)
            })?;
        }
        let left_out = empty.iter().flat_map(SplitPlan::test).copied().collect();
        Ok(WalkForwardPlan { folds, left_out })
    }
}

/// One training of a walk-forward, and the time that it was traded on.
#[derive(Clone, Debug)]
pub struct RetrainedFold {
    /// What weights were learned on.
    pub training: Vec<TimeRange>,
    /// What chose the epoch and fitted the calibration.
    pub validation: Vec<TimeRange>,
    /// What was traded.
    pub test: TimeRange,
    /// Epochs of the training up to the one that was kept.
    pub epochs: usize,
    /// What the predictions are worth; absent where no label lies in the test.
    pub assessment: Option<Assessment>,
}

/// What a walk-forward came to.
#[derive(Clone, Debug)]
pub struct RetrainedSignals {
    /// One per fold, in order.
    pub folds: Vec<RetrainedFold>,
    /// What the model of each fold says of its test.
    pub said: ModelSignals,
    /// What all of it is worth, beside the class shares of the last training; absent where no label lies in a test.
    pub assessment: Option<Assessment>,
}

/// Trains a model for each fold on what came before it, and lets it speak of the candles of the fold (Pardo 2008, *The Evaluation and
/// Optimization of Trading Strategies*, ch. 11).
///
/// # Errors
/// [`SimError::Data`] names the fold and what went wrong in it.
pub fn walk_forward_signals(
    retraining: &Retraining<'_>,
    plan: &WalkForwardPlan,
    watcher: &dyn RetrainingWatcher,
) -> Result<RetrainedSignals, SimError> {
    let (mut folds, mut said, mut last) = (Vec::new(), ModelSignals::default(), None);
    for (number, split) in plan.folds.iter().enumerate() {
        let what = format!("fold {} of {}", number + 1, plan.folds.len());
        let told = |error: &dyn std::fmt::Display| SimError::data(what.clone(), error.to_string());
        let name = format!("fold-{}", number + 1);
        let predictor = retraining.fit(&what, &name, split, watcher).map_err(|error| told(&error))?;
        let &[test] = split.test() else {
            return Err(told(&format!("it has {} tests, and must have one", split.test().len())));
        };
        let of_fold = ModelSignals::predict(&predictor, retraining.candles, test, &|| ())
            .map_err(|error| told(&error))?;
        folds.push(fold(&predictor, test, &of_fold).map_err(|error| told(&error))?);
        said.append(of_fold);
        last = Some(predictor);
    }
    let assessment = match &last {
        Some(last) => said.assess(last)?,
        None => None,
    };
    Ok(RetrainedSignals { folds, said, assessment })
}

fn fold(predictor: &Predictor, test: TimeRange, said: &ModelSignals) -> Result<RetrainedFold, SimError> {
    let origin = &predictor.bundle().origin;
    let interval = |part: &str| origin.intervals.get(part).cloned().unwrap_or_default();
    Ok(RetrainedFold {
        training: interval("training"),
        validation: interval("validation"),
        test,
        epochs: origin.epoch + 1,
        assessment: said.assess(predictor)?,
    })
}

/// Trains a model on each choice of parts of the time and joins what they say of the others into paths through the whole time: what
/// is said on each path (López de Prado 2018, *Advances in Financial Machine Learning*, section 12.4). Training comes after the test
/// too, so that this says how results vary, and not what could have been traded.
///
/// # Errors
/// [`SimError::Data`] names the split and what went wrong in it.
pub fn purged_path_signals(
    retraining: &Retraining<'_>,
    splitter: &CombinatorialPurged,
    watcher: &dyn RetrainingWatcher,
) -> Result<Vec<ModelSignals>, SimError> {
    let refused = |error: &dyn std::fmt::Display| SimError::data("section `purged_paths`", error.to_string());
    let range = retraining.candles.range().map_err(|error| refused(&error))?;
    let plans = splitter.plan(range).map_err(|error| refused(&error))?;
    let combinations = splitter.combinations().map_err(|error| refused(&error))?;
    let assignment = splitter.path_assignment().map_err(|error| refused(&error))?;
    let mut paths = vec![ModelSignals::default(); assignment.len()];
    for (number, (plan, tested)) in plans.iter().zip(&combinations).enumerate() {
        let what = format!("split {} of {}", number + 1, plans.len());
        let told = |error: &dyn std::fmt::Display| SimError::data(what.clone(), error.to_string());
        let name = format!("split-{}", number + 1);
        let predictor = retraining.fit(&what, &name, plan, watcher).map_err(|error| told(&error))?;
        for (group, span) in tested.iter().zip(plan.test()) {
            let said = ModelSignals::predict(&predictor, retraining.candles, *span, &|| ())
                .map_err(|error| told(&error))?;
            // Each test of each split belongs to exactly one path.
            let path = assignment.iter().position(|splits| splits.get(*group) == Some(&number));
            let path = path.and_then(|path| paths.get_mut(path));
            path.ok_or_else(|| told(&"a test that is in no path"))?.append(said);
        }
    }
    Ok(paths)
}
