//! What the xLSTM has to beat: constant answers, linear models, neighbours, trees and other networks, on the same split, the
//! same features and by the same metrics.
//!
//! Tabular models see a row of scaled features (or the rows at some lags, side by side), networks see sequences and are trained
//! by the recipe of the xLSTM. Each is calibrated on the validation rows as the xLSTM is.

mod binned;
mod class_tree;
mod constant;
mod fit;
mod gradient_boosting;
mod gradient_tree;
mod histogram;
mod logistic_regression;
mod margins;
mod nearest_neighbours;
mod random_forest;
mod rows;
mod table;
mod targets;
mod tree_ensemble;
mod tree_growth;

use burn::tensor::Device;
use networks::{ConvolutionalConfig, LstmConfig, PerceptronConfig, TransformerConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use constant::{Majority, StratifiedRandom};
pub use fit::{BaselineRun, FittedBaseline, fit_baseline};
pub use gradient_boosting::{GradientBoosting, GradientBoostingConfig};
pub use logistic_regression::{LogisticRegression, LogisticRegressionConfig};
pub use nearest_neighbours::{NearestNeighbours, NearestNeighboursConfig, NeighbourWeights};
pub use random_forest::{RandomForest, RandomForestConfig};
pub use rows::TableRows;
pub use table::Table;
pub(crate) use table::check_targets;
pub use tree_ensemble::{Link, Tree, TreeEnsemble, TreeNode};

use crate::assessment::{JudgedRows, ScoredRows};
use crate::calibration::Calibration;
use crate::classifier::{Classifier, ClassifierConfig};
use crate::config::{SupervisedConfig, within};
use crate::dataset::{Dataset, Part};
use crate::error::SupervisedError;
use crate::trainer::{RowLogits, evaluate};

/// The least probability that a tabular model gives to a class: a forest or a few neighbours may say 0 of what happens all the
/// same, and a logarithm has to exist.
const LEAST_PROBABILITY: f32 = 1e-4;

/// A kind of model to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BaselineKind {
    /// Always the most frequent class.
    Majority,
    /// A class drawn from the training shares.
    StratifiedRandom,
    /// Multinomial logistic regression.
    LogisticRegression,
    /// The nearest rows of training.
    NearestNeighbours,
    /// Bagged decision trees.
    RandomForest,
    /// Boosted decision trees.
    GradientBoosting,
    /// A multi-layer perceptron on the rows at some lags.
    Perceptron,
    /// Dilated causal convolutions.
    Convolutional,
    /// The LSTM of 1997.
    Lstm,
    /// A transformer encoder.
    Transformer,
}

impl BaselineKind {
    /// All, from the simplest.
    pub const ALL: [Self; 10] = [
        Self::Majority,
        Self::StratifiedRandom,
        Self::LogisticRegression,
        Self::NearestNeighbours,
        Self::RandomForest,
        Self::GradientBoosting,
        Self::Perceptron,
        Self::Convolutional,
        Self::Lstm,
        Self::Transformer,
    ];

    /// Its name in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Majority => "majority",
            Self::StratifiedRandom => "stratified-random",
            Self::LogisticRegression => "logistic-regression",
            Self::NearestNeighbours => "nearest-neighbours",
            Self::RandomForest => "random-forest",
            Self::GradientBoosting => "gradient-boosting",
            Self::Perceptron => "perceptron",
            Self::Convolutional => "convolutional",
            Self::Lstm => "lstm",
            Self::Transformer => "transformer",
        }
    }

    /// Whether another seed gives another model.
    #[must_use]
    pub const fn uses_seed(self) -> bool {
        !matches!(self, Self::Majority | Self::LogisticRegression | Self::NearestNeighbours)
    }
}

impl std::fmt::Display for BaselineKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Which baselines, and their settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BaselinesConfig {
    /// Which ones, each once. All by default.
    pub models: Vec<BaselineKind>,
    /// Rows back that tabular models see side by side, 0 for the present one; increasing. The default is the present row alone:
    /// the features look back themselves.
    pub lags: Vec<usize>,
    /// Multinomial logistic regression.
    pub logistic_regression: LogisticRegressionConfig,
    /// The nearest rows of training.
    pub nearest_neighbours: NearestNeighboursConfig,
    /// Bagged decision trees.
    pub random_forest: RandomForestConfig,
    /// Boosted decision trees.
    pub gradient_boosting: GradientBoostingConfig,
    /// A multi-layer perceptron.
    pub perceptron: PerceptronConfig,
    /// Dilated causal convolutions.
    pub convolutional: ConvolutionalConfig,
    /// The LSTM of 1997.
    pub lstm: LstmConfig,
    /// A transformer encoder.
    pub transformer: TransformerConfig,
}

impl Default for BaselinesConfig {
    fn default() -> Self {
        Self {
            models: BaselineKind::ALL.to_vec(),
            lags: vec![0],
            logistic_regression: LogisticRegressionConfig::default(),
            nearest_neighbours: NearestNeighboursConfig::default(),
            random_forest: RandomForestConfig::default(),
            gradient_boosting: GradientBoostingConfig::default(),
            perceptron: PerceptronConfig::default(),
            convolutional: ConvolutionalConfig::default(),
            lstm: LstmConfig::default(),
            transformer: TransformerConfig::default(),
        }
    }
}

impl BaselinesConfig {
    /// Refuses values outside their range.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] names the field.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        for (index, kind) in self.models.iter().enumerate() {
            if self.models[..index].contains(kind) {
                return Err(SupervisedError::config("models", kind, "name each model once"));
            }
        }
        if self.lags.is_empty() || self.lags.windows(2).any(|two| two[0] >= two[1]) {
            let remedy = "give at least one lag, in increasing order";
            return Err(SupervisedError::config("lags", format!("{:?}", self.lags), remedy));
        }
        within("logistic_regression", self.logistic_regression.validate())?;
        within("nearest_neighbours", self.nearest_neighbours.validate())?;
        within("random_forest", self.random_forest.validate())?;
        within("gradient_boosting", self.gradient_boosting.validate())?;
        within("perceptron", self.perceptron.validate())?;
        within("convolutional", self.convolutional.validate())?;
        within("lstm", self.lstm.validate())?;
        within("transformer", self.transformer.validate())
    }
}

/// A fitted model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BaselineModel {
    /// Always the most frequent class.
    Majority(Majority),
    /// A class drawn from the training shares.
    StratifiedRandom(StratifiedRandom),
    /// Multinomial logistic regression.
    LogisticRegression(LogisticRegression),
    /// The nearest rows of training.
    NearestNeighbours(NearestNeighbours),
    /// Bagged decision trees.
    RandomForest(RandomForest),
    /// Boosted decision trees.
    GradientBoosting(GradientBoosting),
    /// A network with its parameters, in the order of [`Classifier::layout`].
    Network(Box<ClassifierConfig>, Vec<f32>),
}

/// A fitted, calibrated baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Its kind.
    pub kind: BaselineKind,
    /// The seed that it was fitted with.
    pub seed: u64,
    /// Rows back that a tabular model sees.
    pub lags: Vec<usize>,
    /// The model.
    pub model: BaselineModel,
    /// From logits to probabilities to classes, fitted on validation rows.
    pub calibration: Calibration,
}

impl Baseline {
    /// Logits of the labelled rows of a part: for tabular models the logarithms of their probabilities.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] where the dataset has other columns than the model was fitted on.
    pub fn logits(
        &self,
        dataset: &Dataset,
        part: Part,
        config: &SupervisedConfig,
        device: &Device,
    ) -> Result<RowLogits, SupervisedError> {
        if let BaselineModel::Network(classifier, parameters) = &self.model {
            let classifier = self::network(classifier, parameters, device)?;
            return evaluate(&classifier, dataset, part, config);
        }
        let mut found = RowLogits::default();
        // Series by series, so that little of the table is in memory at once.
        for series in 0..dataset.series().len() {
            let rows = dataset.table_of(series, part, &self.lags)?;
            if rows.is_empty() {
                continue;
            }
            found.logits.extend(self.table_logits(&rows.table()?)?);
            found.series.extend(rows.series);
            found.row.extend(rows.row);
            found.targets.extend(rows.targets);
        }
        Ok(found)
    }

    /// Logits of the rows of a table, `[rows, 3]`: the logarithms of a tabular model's probabilities.
    ///
    /// # Errors
    /// As [`BaselineModel::probabilities`].
    pub fn table_logits(&self, table: &Table<'_>) -> Result<Vec<f32>, SupervisedError> {
        let probabilities = self.model.probabilities(table)?;
        Ok(probabilities.iter().map(|share| share.max(LEAST_PROBABILITY).ln()).collect())
    }

    /// The labelled rows of a part with its probabilities and decisions.
    ///
    /// # Errors
    /// As [`Self::logits`].
    pub fn judge(
        &self,
        dataset: &Dataset,
        part: Part,
        config: &SupervisedConfig,
        device: &Device,
    ) -> Result<JudgedRows, SupervisedError> {
        self.judge_logits(dataset, &self.logits(dataset, part, config, device)?)
    }

    /// As [`Self::judge`], where its logits are known.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] where the logits are those of another dataset.
    pub fn judge_logits(&self, dataset: &Dataset, logits: &RowLogits) -> Result<JudgedRows, SupervisedError> {
        let judged = JudgedRows::new(ScoredRows::of_dataset(dataset, logits)?, &self.calibration)?;
        let rows = judged.rows().len();
        match &self.model {
            BaselineModel::Majority(model) => judged.with_classes(model.classes(rows)),
            BaselineModel::StratifiedRandom(model) => judged.with_classes(model.classes(rows)),
            _ => Ok(judged),
        }
    }

    /// The network, where it is one.
    ///
    /// # Errors
    /// Those of [`ClassifierConfig::init`].
    pub fn classifier(&self, device: &Device) -> Result<Option<Classifier>, SupervisedError> {
        match &self.model {
            BaselineModel::Network(config, parameters) => network(config, parameters, device).map(Some),
            _ => Ok(None),
        }
    }
}

impl BaselineModel {
    /// Probabilities of a tabular model, `[rows, 3]`.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] for another number of columns, and for a network, which takes sequences.
    pub fn probabilities(&self, table: &Table<'_>) -> Result<Vec<f32>, SupervisedError> {
        match self {
            Self::Majority(model) => model.probabilities(table),
            Self::StratifiedRandom(model) => model.probabilities(table),
            Self::LogisticRegression(model) => model.probabilities(table),
            Self::NearestNeighbours(model) => model.probabilities(table),
            Self::RandomForest(model) => model.probabilities(table),
            Self::GradientBoosting(model) => model.probabilities(table),
            Self::Network(..) => {
                Err(SupervisedError::data("a table", "the model is a network and takes sequences of rows"))
            }
        }
    }

    /// The trees of a forest or of boosting.
    #[must_use]
    pub fn trees(&self) -> Option<&TreeEnsemble> {
        match self {
            Self::RandomForest(model) => Some(model.ensemble()),
            Self::GradientBoosting(model) => Some(model.ensemble()),
            _ => None,
        }
    }
}

fn network(
    config: &ClassifierConfig,
    parameters: &[f32],
    device: &Device,
) -> Result<Classifier, SupervisedError> {
    config.init(device)?.with_parameters(parameters)
}
