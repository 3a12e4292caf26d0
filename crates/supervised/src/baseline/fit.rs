//! Fitting a baseline.

use burn::tensor::Device;
use networks::Architecture;
use xlstm::{HeadConfig, Pooling};

use super::constant::{Majority, StratifiedRandom};
use super::{Baseline, BaselineKind, BaselineModel, BaselinesConfig};
use crate::assessment::{ScoredRows, calibrate};
use crate::calibration::Calibration;
use crate::classifier::ClassifierConfig;
use crate::config::SupervisedConfig;
use crate::dataset::{CLASSES, Dataset, Part};
use crate::error::SupervisedError;
use crate::trainer::{Checkpoints, Observer, RowLogits, train_classifier};

/// What fitting takes beside data and settings.
pub struct BaselineRun<'a> {
    /// Where networks are computed.
    pub device: &'a Device,
    /// Names the data in checkpoints.
    pub data_hash: &'a str,
    /// Where networks keep their checkpoints.
    pub checkpoints: Checkpoints<'a>,
    /// Is told of a network's epochs.
    pub observer: &'a mut dyn Observer,
    /// Is told how much of the fit of a tabular model is done, from 0 to 1.
    pub progress: &'a mut dyn FnMut(f64),
}

/// A baseline, and what it says of the validation rows that it was calibrated on.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedBaseline {
    /// The model.
    pub baseline: Baseline,
    /// Its logits of the validation rows.
    pub validation: RowLogits,
}

/// Fits a baseline on the training part and calibrates it on the validation part, as the xLSTM is. Networks take objective,
/// loss, optimiser, schedule, sampling and augmentation of `config`; boosting stops early by the validation rows.
///
/// # Errors
/// [`SupervisedError::Config`]; [`SupervisedError::Data`] where a part has too few rows or classes; those of training.
pub fn fit_baseline(
    kind: BaselineKind,
    dataset: &Dataset,
    config: &SupervisedConfig,
    baselines: &BaselinesConfig,
    run: BaselineRun<'_>,
) -> Result<FittedBaseline, SupervisedError> {
    baselines.validate()?;
    let device = run.device.clone();
    let model = match architecture(kind, baselines) {
        Some(architecture) => fit_network(architecture, dataset, config, run)?,
        None => fit_tabular(kind, dataset, config.seed, baselines, run.progress)?,
    };
    let lags = baselines.lags.clone();
    let mut baseline = Baseline { kind, seed: config.seed, lags, model, calibration: Calibration::default() };
    let validation = baseline.logits(dataset, Part::Validation, config, &device)?;
    // Constant probabilities have nothing to be calibrated.
    if !matches!(kind, BaselineKind::Majority | BaselineKind::StratifiedRandom) {
        let rows = ScoredRows::of_dataset(dataset, &validation)?;
        baseline.calibration = calibrate(&rows, &config.calibration)?;
    }
    Ok(FittedBaseline { baseline, validation })
}

fn architecture(kind: BaselineKind, baselines: &BaselinesConfig) -> Option<Architecture> {
    Some(match kind {
        BaselineKind::Perceptron => Architecture::Perceptron(baselines.perceptron.clone()),
        BaselineKind::Convolutional => Architecture::Convolutional(baselines.convolutional.clone()),
        BaselineKind::Lstm => Architecture::Lstm(baselines.lstm.clone()),
        BaselineKind::Transformer => Architecture::Transformer(baselines.transformer.clone()),
        _ => return None,
    })
}

fn fit_network(
    network: Architecture,
    dataset: &Dataset,
    config: &SupervisedConfig,
    run: BaselineRun<'_>,
) -> Result<BaselineModel, SupervisedError> {
    let head = HeadConfig {
        outputs: CLASSES,
        pooling: Pooling::Last,
        clipping: config.network.clipping.clone(),
        seed: config.seed,
    };
    let classifier = ClassifierConfig { inputs: dataset.width(), network, head };
    let BaselineRun { device, data_hash, checkpoints, observer, .. } = run;
    let trained = train_classifier(dataset, config, &classifier, device, data_hash, checkpoints, observer)?;
    Ok(BaselineModel::Network(Box::new(classifier), trained.classifier.parameters()?))
}

fn fit_tabular(
    kind: BaselineKind,
    dataset: &Dataset,
    seed: u64,
    baselines: &BaselinesConfig,
    progress: &mut dyn FnMut(f64),
) -> Result<BaselineModel, SupervisedError> {
    let constant = matches!(kind, BaselineKind::Majority | BaselineKind::StratifiedRandom);
    // Models that look at no column need none in memory.
    let rows = dataset.table(Part::Training, if constant { &[] } else { &baselines.lags })?;
    let targets = rows.targets.as_slice();
    match kind {
        BaselineKind::Majority => return Ok(BaselineModel::Majority(Majority::fit(targets)?)),
        BaselineKind::StratifiedRandom => {
            return Ok(BaselineModel::StratifiedRandom(StratifiedRandom::fit(targets, seed)?));
        }
        _ => {}
    }
    let table = rows.table()?;
    Ok(match kind {
        BaselineKind::LogisticRegression => BaselineModel::LogisticRegression(
            baselines.logistic_regression.fit(&table, targets, seed, progress)?,
        ),
        BaselineKind::NearestNeighbours => BaselineModel::NearestNeighbours(
            baselines.nearest_neighbours.fit(&table, targets, seed, progress)?,
        ),
        BaselineKind::RandomForest => {
            BaselineModel::RandomForest(baselines.random_forest.fit(&table, targets, seed, progress)?)
        }
        _ => {
            let held_out = dataset.table(Part::Validation, &baselines.lags)?;
            let validation = held_out.table()?;
            BaselineModel::GradientBoosting(baselines.gradient_boosting.fit_with_validation(
                &table,
                targets,
                Some((&validation, held_out.targets.as_slice())),
                seed,
                progress,
            )?)
        }
    })
}
