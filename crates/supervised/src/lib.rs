//! Supervised training: from features and labels to a calibrated model that says SELL, HOLD or BUY of a closed candle.
//!
//! [`dataset::prepare`] joins feature frames and labels under a split, [`train`] learns an xLSTM classifier from
//! its training part and chooses the epoch by its validation part, [`calibrate`] fits temperature and decision rule,
//! [`assess`] says what the result is worth. A [`ModelBundle`] is all of it as one directory, and a [`Predictor`] runs it
//! over frames or candle by candle. A [`TrainingJob`] is these steps in order, as the programs take them, over a
//! [`CandleSource`]; a [`Retraining`] takes them again for other stretches of time.
//!
//! Around it: [`baseline`] fits what the xLSTM has to beat on the same rows, [`comparison`] says whether it does, beyond chance;
//! [`selection`] ranks columns by what they say of the classes, [`tuning`] searches for settings, [`explanation`] says which
//! inputs a prediction came from.
//!
//! Invariants:
//! - **What is fitted sees training rows only**: scaler, selection, class shares, baselines. Validation rows choose the epoch,
//!   end boosting and fit the calibration, test rows decide nothing. A label belongs to a part only with its whole window.
//! - **No input reaches across a gap or a masked row**, and none is later than the close of its candle.
//! - **Live equals batch to the bit**: a frame is predicted by the fold that a live system runs.
//! - **Resumed is uninterrupted**: a checkpoint holds everything that decides the next epoch, a study's file everything that
//!   decides the next trial.
//! - **Rows of market data are not independent**: intervals and tests take blocks of time for what is drawn, and both models
//!   and all series of a time go together.
//! - **Every trial of a search is counted**, and contributions of an explanation are never rescaled to add up.
//! - The same seed gives the same bits, for any number of threads. Random numbers are drawn from seed, purpose and count.
//! - A bundle or a checkpoint appears whole or not at all. One that was changed, cut short or made by other formulas is
//!   refused, as is a frame of other features.
//! - The class order is `[Sell, Hold, Buy]` everywhere.
//!
//! It never sees an order or a fee, never balances classes in validation or test, draws no chart, prints nothing, and reads no
//! clock, no environment variable and no file but candles, bundles with their baselines, checkpoints, studies and TensorBoard's
//! events.
//!
//! ```
//! use features::{FeatureSpec, Outside};
//! use labels::{HorizonReturn, splits::{LastDays, SplitPlan, TimeRange}};
//! use market_data::synthetic::{MarketShape, SyntheticModel};
//! use supervised::dataset::{LabelledFrame, prepare};
//! use supervised::{Checkpoints, DeviceKind, SupervisedConfig, train};
//!
//! let market = SyntheticModel::default().generate(&MarketShape { candles: 2_000, ..Default::default() })?;
//! let series = &market.series[0];
//! let spec = FeatureSpec::from_toml("trend.enabled = false\ncycle.enabled = false\nhigher_timeframe.enabled = false")?;
//! let labels = HorizonReturn::default().label(series)?;
//! let labelled = LabelledFrame { frame: spec.frame(series, Outside::default())?, labels };
//! let range = TimeRange::covering(std::slice::from_ref(series)).ok_or("no candles")?;
//! let plans: Vec<SplitPlan> = LastDays { validation_days: 1 }.plan(range)?;
//! let config: SupervisedConfig = toml::from_str("epochs = 2\nnetwork = { width = 16, heads = 2 }")?;
//! let (dataset, _fit) = prepare(vec![labelled], &plans[0], &config.preparation)?;
//! let trained = train(&dataset, &config, &DeviceKind::Flex.device()?, "data", Checkpoints::default(), &mut ())?;
//! assert!(trained.history[trained.best_epoch].validation.log_loss < 3.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod assessment;
pub mod augmentation;
pub mod baseline;
pub mod bundle;
pub mod calibration;
mod candle_source;
mod classifier;
pub mod comparison;
mod config;
pub mod dataset;
mod device;
mod error;
pub mod explanation;
pub mod loss;
pub mod metrics;
pub mod optimiser;
mod prediction_rows;
mod predictor;
mod random;
mod retraining;
pub mod sampling;
pub mod selection;
pub mod tensor_board;
mod trainer;
mod training_job;
pub mod transform;
pub mod tuning;

pub use burn::tensor::Device;
pub use labels::splits::TimeRange;
pub use networks;

pub use assessment::{Assessment, JudgedRows, ScoredRows, Skill, assess, assess_judged, calibrate};
pub use bundle::{ModelBundle, Origin, StoredBaseline};
pub use candle_source::{CandleSelection, CandleSource};
pub use classifier::{Classifier, ClassifierConfig};
pub use config::{
    CalibrationConfig, NetworkConfig, Objective, SupervisedConfig, TemperatureConfig, ValidationConfig,
};
pub use device::DeviceKind;
pub use error::SupervisedError;
pub use predictor::{
    FrameEncoding, FrameLogits, LivePredictor, Prediction, Predictions, Predictor, RowPredictor,
};
pub use retraining::{Retraining, RetrainingWatcher};
pub use trainer::{
    Checkpoints, EpochReport, Observer, RowLogits, StepReport, Trained, evaluate, train, train_classifier,
};
pub use training_job::{FinishedModel, Periods, TrainingJob};

/// The guide's Rust code, compiled and run with the documentation's tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/supervised.md")]
struct Guide;
