//! One training from candles to a bundle: the steps that the programs share.

use std::collections::BTreeMap;
use std::sync::Arc;

use features::FeatureSpec;
use labels::Labeler;
use labels::splits::{SplitPlan, TimeRange};
use rayon::prelude::*;

use crate::assessment::{JudgedRows, ScoredRows, assess_judged, calibrate};
use crate::bundle::{ModelBundle, Origin};
use crate::calibration::Calibration;
use crate::candle_source::CandleSource;
use crate::config::SupervisedConfig;
use crate::dataset::{Dataset, DatasetSeries, FeatureFit, Part, PreparationConfig, prepare};
use crate::error::SupervisedError;
use crate::predictor::Predictor;
use crate::trainer::Trained;

/// Names of the parts that a model is judged on.
const VALIDATION: &str = "validation";
const TEST: &str = "test";

/// Training, validation and test time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Periods {
    /// Its training intervals are learned from, its test intervals are the validation.
    pub inner: SplitPlan,
    /// Its test intervals are the test.
    pub outer: SplitPlan,
}

impl Periods {
    /// Takes the last days of the training time of `outer` for the validation.
    ///
    /// # Errors
    /// Those of [`SplitPlan::validated`].
    pub fn new(outer: SplitPlan, validation_days: u32) -> Result<Self, SupervisedError> {
        Ok(Self { inner: outer.validated(validation_days)?, outer })
    }

    /// The intervals by the name of their part.
    #[must_use]
    pub fn intervals(&self) -> BTreeMap<String, Vec<TimeRange>> {
        let shown = <[TimeRange]>::to_vec;
        BTreeMap::from([
            ("training".to_owned(), shown(self.inner.train())),
            (VALIDATION.to_owned(), shown(self.inner.test())),
            (TEST.to_owned(), shown(self.outer.test())),
        ])
    }
}

/// Everything that is the same for all seeds of a training.
#[derive(Clone, Debug)]
pub struct TrainingJob {
    /// Where features and labels come from.
    pub candles: Arc<CandleSource>,
    /// Which time is learned from, which validates, which tests.
    pub periods: Periods,
    /// From candles to features.
    pub spec: FeatureSpec,
    /// What the classes mean; its thresholds must know no more than the training time.
    pub labeler: Labeler,
    /// Rows of training and validation.
    pub dataset: Dataset,
    /// From features to inputs.
    pub fit: FeatureFit,
    /// Of candles, features, labeler and intervals.
    pub data_hash: String,
}

/// A trained model and its judgement of the rows of each part.
#[derive(Clone, Debug)]
pub struct FinishedModel {
    /// Calibrated, with its metrics.
    pub bundle: ModelBundle,
    /// By name of the part: `validation` and `test`.
    pub judged: BTreeMap<&'static str, JudgedRows>,
}

impl TrainingJob {
    /// Computes features and labels, and fits scaler and selection on the training time.
    ///
    /// # Errors
    /// Those of [`CandleSource::labelled`] and [`prepare`]; [`SupervisedError::Data`] where training or validation hold fewer
    /// than two classes.
    pub fn prepare(
        candles: Arc<CandleSource>,
        spec: FeatureSpec,
        labeler: Labeler,
        periods: Periods,
        config: &PreparationConfig,
    ) -> Result<Self, SupervisedError> {
        let labelled = candles.labelled(&spec, &labeler)?;
        let (dataset, fit) = prepare(labelled, &periods.inner, config)?;
        // What cannot be learned from is refused before anything is written.
        for part in [Part::Training, Part::Validation] {
            dataset.class_shares(part)?;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(candles.hash().as_bytes());
        hasher.update(dataset.feature_hash().as_bytes());
        hasher.update(labeler.to_toml().as_bytes());
        hasher.update(format!("{:?}", periods.intervals()).as_bytes());
        let data_hash = hasher.finalize().to_hex().to_string();
        Ok(Self { candles, periods, spec, labeler, dataset, fit, data_hash })
    }

    /// Candles that depend on each other: several times the window of the labels.
    #[must_use]
    pub fn block(&self) -> usize {
        10 * self.labeler.window() as usize
    }

    /// The bundle of a trained classifier, calibrated on the validation rows, and what it is worth on validation and test.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] where a part holds nothing to judge; those of predictions and calibration.
    pub fn finish(
        &self,
        trained: Trained,
        config: &SupervisedConfig,
        name: &str,
        commit: Option<String>,
        trials: Option<u64>,
    ) -> Result<FinishedModel, SupervisedError> {
        let origin = Origin {
            name: name.to_owned(),
            timeframe: self.candles.timeframe,
            series: self.dataset.series().iter().map(|series| series.key().to_string()).collect(),
            excluded: self.dataset.excluded().to_vec(),
            data_hash: self.data_hash.clone(),
            intervals: self.periods.intervals(),
            prior: trained.prior,
            epoch: trained.best_epoch,
            config: config.clone(),
            commit,
            trials,
        };
        let bundle = ModelBundle {
            classifier: trained.classifier,
            spec: self.spec.clone(),
            fit: self.fit.clone(),
            labeler: self.labeler,
            calibration: Calibration::default(),
            metrics: BTreeMap::new(),
            origin,
        };
        let predictor = Predictor::new(bundle.clone())?;
        let (validation, test) = self.score(&predictor)?;
        let calibration = calibrate(&validation, &config.calibration)?;
        let (mut metrics, mut judged) = (BTreeMap::new(), BTreeMap::new());
        for (part, rows) in [(VALIDATION, validation), (TEST, test)] {
            let rows = JudgedRows::new(rows, &calibration)?;
            let within =
                |error: SupervisedError| SupervisedError::data(format!("the {part} part"), error.to_string());
            let assessed =
                assess_judged(&rows, bundle.origin.prior, self.block(), config.seed).map_err(within)?;
            metrics.insert(part.to_owned(), assessed);
            judged.insert(part, rows);
        }
        Ok(FinishedModel { bundle: ModelBundle { calibration, metrics, ..bundle }, judged })
    }

    /// The logits of the validation and the test rows.
    fn score(&self, predictor: &Predictor) -> Result<(ScoredRows, ScoredRows), SupervisedError> {
        let (mut validation, mut test) = (ScoredRows::default(), ScoredRows::default());
        // As many series at once as there are threads: the raw features of all of them are not needed together.
        let of = |series: &DatasetSeries| {
            let labels = self.candles.labels(series.key(), &self.labeler)?;
            let (inner, outer) = (self.periods.inner.apply(&labels), self.periods.outer.apply(&labels));
            let of_validation = |row: usize| inner.test().binary_search(&row).is_ok();
            let of_test = |row: usize| outer.test().binary_search(&row).is_ok();
            let frame = self.candles.frame(series.key(), &self.spec)?;
            let logits = predictor.logits(&frame, |row| of_validation(row) || of_test(row))?;
            let (mut validation, mut test) = (ScoredRows::default(), ScoredRows::default());
            validation.extend(&logits, &labels, of_validation)?;
            test.extend(&logits, &labels, of_test)?;
            Ok::<_, SupervisedError>((validation, test))
        };
        for scored in self.dataset.series().par_iter().map(of).collect::<Vec<_>>() {
            let scored = scored?;
            validation.append(scored.0);
            test.append(scored.1);
        }
        Ok((validation, test))
    }
}
