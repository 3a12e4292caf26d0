//! Supervised training.

mod assessment;
pub mod augmentation;
pub mod bundle;
pub mod calibration;
mod classifier;
mod config;
pub mod dataset;
mod device;
mod error;
pub mod loss;
pub mod metrics;
pub mod optimiser;
mod prediction_rows;
mod predictor;
mod random;
pub mod sampling;
pub mod tensor_board;
mod trainer;
pub mod transform;

pub use assessment::{Assessment, ScoredRows, Skill, assess, calibrate};
pub use bundle::{Interval, ModelBundle, Origin};
pub use classifier::{Classifier, ClassifierConfig};
pub use config::{
    CalibrationConfig, NetworkConfig, Objective, SupervisedConfig, TemperatureConfig, ValidationConfig,
};
pub use device::DeviceKind;
pub use error::SupervisedError;
pub use predictor::{FrameLogits, LivePredictor, Prediction, Predictions, Predictor, RowPredictor};
pub use trainer::{Checkpoints, EpochReport, Observer, RowLogits, StepReport, Trained, evaluate, train};
