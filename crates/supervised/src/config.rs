//! Everything that a training can be told, with its defaults.

use networks::Architecture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use xlstm::{
    AttentionConfig, DropoutConfig, HeadConfig, Kernel, LogitClipping, MlstmConfig, Pooling, SlstmConfig,
    XlstmConfig,
};

use crate::augmentation::AugmentationConfig;
use crate::calibration::DecisionConfig;
use crate::classifier::ClassifierConfig;
use crate::dataset::{CLASSES, PreparationConfig};
use crate::error::SupervisedError;
use crate::loss::LossConfig;
use crate::metrics::MetricName;
use crate::optimiser::{LearningRate, OptimiserConfig};
use crate::sampling::{SamplingConfig, SegmentConfig};
use crate::transform::Transforms;

/// What a label is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// One label per window: each window starts from an empty state, and its last step is supervised.
    LastStep,
    /// Each step of a sequence is supervised; the state is carried from chunk to chunk. Sixty labels for the price of
    /// one, and what a live system does with its state is what was trained.
    #[default]
    EveryStep,
}

/// A training, from data to calibration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SupervisedConfig {
    /// One label per window or one per step.
    pub objective: Objective,
    /// Rows of a window, for [`Objective::LastStep`].
    pub sequence_length: usize,
    /// How often all training labels are seen.
    pub epochs: usize,
    /// The seed of everything that is random: weights, order, dropout, augmentation.
    pub seed: u64,
    /// How features become inputs.
    pub preparation: PreparationConfig,
    /// The network.
    pub network: NetworkConfig,
    /// What is minimised.
    pub loss: LossConfig,
    /// How.
    pub optimiser: OptimiserConfig,
    /// How fast.
    pub learning_rate: LearningRate,
    /// Which windows come together, and how often.
    pub sampling: SamplingConfig,
    /// How runs are cut into segments, for [`Objective::EveryStep`].
    pub segments: SegmentConfig,
    /// What is done to inputs in training.
    pub augmentation: AugmentationConfig,
    /// How epochs are judged.
    pub validation: ValidationConfig,
    /// What is fitted after training, on validation rows.
    pub calibration: CalibrationConfig,
}

impl Default for SupervisedConfig {
    fn default() -> Self {
        Self {
            objective: Objective::default(),
            sequence_length: 60,
            epochs: 8,
            seed: 1,
            preparation: PreparationConfig::default(),
            network: NetworkConfig::default(),
            loss: LossConfig::default(),
            optimiser: OptimiserConfig::default(),
            learning_rate: LearningRate::default(),
            sampling: SamplingConfig::default(),
            segments: SegmentConfig::default(),
            augmentation: AugmentationConfig::default(),
            validation: ValidationConfig::default(),
            calibration: CalibrationConfig::default(),
        }
    }
}

/// The sizes and choices of the network that do not follow from the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkConfig {
    /// Width of the residual stream.
    pub width: usize,
    /// Heads of every cell. The memory of an mLSTM head is a square of `projection_factor * width / heads` rows: 32 with
    /// the defaults.
    pub heads: usize,
    /// Number of blocks.
    pub blocks: usize,
    /// Which of them are sLSTM blocks, counted from 0.
    pub slstm_at: Vec<usize>,
    /// The mLSTM blocks.
    pub mlstm: MlstmConfig,
    /// The sLSTM blocks.
    pub slstm: SlstmConfig,
    /// Self-attention between blocks; none by default.
    pub attention: Option<AttentionConfig>,
    /// Dropout of inputs, recurrent inputs and block outputs.
    pub dropout: DropoutConfig,
    /// Fused kernels, or their plain reference.
    pub kernel: Kernel,
    /// How the steps of a window become one vector, for [`Objective::LastStep`].
    pub pooling: Pooling,
    /// Bound of the logits in the first training steps; none by default.
    pub clipping: Option<LogitClipping>,
    /// Whether the head begins with the class shares that training aims at, and not with equal ones.
    pub class_priors: bool,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        let XlstmConfig { heads, blocks, slstm_at, mlstm, slstm, kernel, .. } = XlstmConfig::default();
        Self {
            width: 64,
            heads,
            blocks,
            slstm_at,
            mlstm,
            slstm,
            attention: None,
            dropout: DropoutConfig { input: 0.2, recurrent: 0.1, output: 0.2 },
            kernel,
            pooling: Pooling::Last,
            clipping: None,
            class_priors: true,
        }
    }
}

impl NetworkConfig {
    /// The whole configuration of a classifier on `inputs` columns.
    #[must_use]
    pub fn classifier(&self, inputs: usize, seed: u64) -> ClassifierConfig {
        ClassifierConfig {
            inputs,
            network: Architecture::Xlstm(Box::new(XlstmConfig {
                inputs,
                width: self.width,
                heads: self.heads,
                blocks: self.blocks,
                slstm_at: self.slstm_at.clone(),
                mlstm: self.mlstm.clone(),
                slstm: self.slstm.clone(),
                attention: self.attention.clone(),
                feature_groups: None,
                dropout: self.dropout.clone(),
                kernel: self.kernel,
                seed,
            })),
            head: HeadConfig {
                outputs: CLASSES,
                pooling: self.pooling,
                clipping: self.clipping.clone(),
                seed,
            },
        }
    }
}

/// How epochs are judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ValidationConfig {
    /// The metric by which the best epoch is chosen, on validation rows.
    pub metric: MetricName,
    /// Epochs without a better one after which training stops; 0: never.
    pub patience: usize,
    /// Whether the averaged weights are judged and kept, where `optimiser.average` is on.
    pub use_average: bool,
    /// Windows in one pass, for [`Objective::LastStep`].
    pub batch: usize,
    /// Rows that are run through before the first validation row of a run, for [`Objective::EveryStep`]: the state has to
    /// fill. The bundle's own predictions begin with the run.
    pub context: usize,
}

impl Default for ValidationConfig {
    fn default() -> Self {
        Self { metric: MetricName::LogLoss, patience: 4, use_average: true, batch: 256, context: 512 }
    }
}

/// What is fitted after training, on validation rows only.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CalibrationConfig {
    /// Temperature scaling of the logits.
    pub temperature: TemperatureConfig,
    /// From probabilities to a class.
    pub decision: DecisionConfig,
    /// Test-time augmentation: predictions are the mean over these.
    pub transforms: Transforms,
}

/// Whether logits are divided by a fitted temperature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TemperatureConfig {
    /// Whether it is fitted; else it is 1.
    pub enabled: bool,
}

impl Default for TemperatureConfig {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl SupervisedConfig {
    /// Refuses values outside their range, and combinations in which one would do nothing.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] names the field, its value and the remedy; [`SupervisedError::Network`] for sizes that
    /// do not fit together.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        for (field, value) in [
            ("sequence_length", self.sequence_length),
            ("epochs", self.epochs),
            ("validation.batch", self.validation.batch),
        ] {
            if value == 0 {
                return Err(SupervisedError::config(field, value, "give at least 1"));
            }
        }
        self.preparation.validate()?;
        self.network.classifier(1, self.seed).network.validate()?;
        self.loss.validate()?;
        self.optimiser.validate()?;
        self.learning_rate.validate(self.epochs as f64)?;
        within("sampling", self.sampling.validate())?;
        within("segments", self.segments.validate())?;
        self.augmentation.validate()?;
        within("calibration.decision", self.calibration.decision.validate())?;
        within("calibration", self.calibration.transforms.validate())?;
        if self.learning_rate.base * self.optimiser.weight_decay > 1.0 {
            let remedy =
                "give at most 1 / `optimiser.weight_decay`: beyond it the decay of one step turns signs";
            return Err(SupervisedError::config("learning_rate.base", self.learning_rate.base, remedy));
        }
        self.check_objective()
    }

    /// What one objective cannot do is refused there, not ignored.
    fn check_objective(&self) -> Result<(), SupervisedError> {
        if self.objective == Objective::LastStep {
            return Ok(());
        }
        let remedy = "every step has its own output: give `last`, or set `objective = \"last-step\"`";
        self.augmentation.validate_for_every_step()?;
        if self.network.pooling != Pooling::Last {
            return Err(SupervisedError::config(
                "network.pooling",
                format!("{:?}", self.network.pooling),
                remedy,
            ));
        }
        if let Some(most) = self.sampling.maximum_samples_per_epoch {
            let remedy = "leave it out, since every step takes each row once an epoch, or set `objective = \"last-step\"`";
            return Err(SupervisedError::config("sampling.maximum_samples_per_epoch", most, remedy));
        }
        Ok(())
    }
}

/// Puts the name of a table in front of the field that it refuses.
pub(crate) fn within<T, E: Into<SupervisedError>>(
    table: &str,
    result: Result<T, E>,
) -> Result<T, SupervisedError> {
    result.map_err(|error| match error.into() {
        SupervisedError::Config { field, value, remedy } => {
            SupervisedError::Config { field: format!("{table}.{field}"), value, remedy }
        }
        other => other,
    })
}
