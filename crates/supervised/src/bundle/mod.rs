//! A trained model as one directory: everything that inference needs, and nothing else is needed.
//!
//! | file | content |
//! |---|---|
//! | `bundle.json` | format, version, class order, timeframe, feature hash, data hash, seed, configuration, checksum of every other file and of itself |
//! | `weights.safetensors` | the parameters, by name |
//! | `features.toml` | the feature specification |
//! | `inputs.json` | scaler and selection |
//! | `labeler.toml` | what the classes mean |
//! | `calibration.json` | temperature and decision rule |
//! | `metrics.json` | what was measured, and on what |
//! | `baselines/NAME.msgpack` | where there are: models to compare with, and what they were worth |
//!
//! It appears whole or not at all. Reading checks every checksum, and that specification and scaler belong together.

mod baselines;
mod files;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use burn::tensor::Device;
use features::FeatureSpec;
use labels::splits::TimeRange;
use labels::{Label, Labeler};
use market_data::{Timeframe, Timestamp};
use serde::{Deserialize, Serialize};

pub use baselines::StoredBaseline;

use crate::assessment::Assessment;
use crate::calibration::Calibration;
use crate::classifier::Classifier;
use crate::config::SupervisedConfig;
use crate::dataset::{CLASSES, Excluded, FeatureFit};
use crate::error::SupervisedError;

/// Name of the format.
const FORMAT: &str = "matrela-bundle";
/// Its version: a reader refuses another one.
const VERSION: u32 = 1;

/// A trained, calibrated classifier with everything that turns candles into its inputs.
#[derive(Clone, Debug)]
pub struct ModelBundle {
    /// The network.
    pub classifier: Classifier,
    /// From candles to features.
    pub spec: FeatureSpec,
    /// From features to inputs.
    pub fit: FeatureFit,
    /// What the classes mean.
    pub labeler: Labeler,
    /// From logits to probabilities to a class.
    pub calibration: Calibration,
    /// What was measured, by name of the part: `validation`, and `test` where there was one.
    pub metrics: BTreeMap<String, Assessment>,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a model comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Its name.
    pub name: String,
    /// Length of the candles that it was trained on, and takes.
    pub timeframe: Timeframe,
    /// The series that it was trained on.
    pub series: Vec<String>,
    /// Series that were left out.
    pub excluded: Vec<Excluded>,
    /// Hash of the candles.
    pub data_hash: String,
    /// Intervals by the name of the part: `training`, `validation`, `test`.
    pub intervals: BTreeMap<String, Vec<TimeRange>>,
    /// Shares of the classes among the training labels: what a model without skill would say.
    pub prior: [f64; CLASSES],
    /// The epoch whose weights these are, counted from 0.
    pub epoch: usize,
    /// Everything that training was told.
    pub config: SupervisedConfig,
    /// Version of the source, where known.
    pub commit: Option<String>,
    /// How many trials a search took to find the configuration, where there was one: the more were tried, the less a good
    /// figure says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trials: Option<u64>,
}

impl Origin {
    /// Whether training or validation looked at some of `span`, on any series: markets move together.
    #[must_use]
    pub fn saw(&self, span: &Range<Timestamp>) -> bool {
        let seen =
            ["training", "validation"].into_iter().filter_map(|part| self.intervals.get(part)).flatten();
        seen.into_iter().any(|interval| span.start < interval.to && interval.from < span.end)
    }
}

/// `bundle.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: String,
    version: u32,
    /// Version of this crate.
    program: String,
    class_order: Vec<String>,
    feature_hash: String,
    origin: Origin,
    /// Names of the baselines, in the order of their kinds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    baselines: Vec<String>,
    /// Checksum (BLAKE3) of every other file.
    checksums: BTreeMap<String, String>,
    /// Checksum of all of the above.
    checksum: String,
}

impl ModelBundle {
    /// [`features::FeatureFrame::hash`] of the frames that it takes.
    #[must_use]
    pub fn feature_hash(&self) -> &str {
        self.fit.scaler.feature_hash()
    }

    /// Writes the bundle. An existing directory is replaced only where `replace` says so, and only if it is a bundle.
    ///
    /// # Errors
    /// [`SupervisedError::File`] where something cannot be written or is in the way.
    pub fn write(&self, directory: &Path, replace: bool) -> Result<(), SupervisedError> {
        self.write_with_baselines(&[], directory, replace)
    }

    /// As [`Self::write`], with models to compare with.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn write_with_baselines(
        &self,
        baselines: &[StoredBaseline],
        directory: &Path,
        replace: bool,
    ) -> Result<(), SupervisedError> {
        files::write(self, baselines, directory, replace)
    }

    /// Copies a bundle with everything in it; as [`Self::write`] else.
    ///
    /// # Errors
    /// As [`Self::read`] and [`Self::write`].
    pub fn copy(from: &Path, to: &Path, replace: bool) -> Result<(), SupervisedError> {
        files::copy(from, to, replace)
    }

    /// Reads the baselines of a bundle, in the order of their kinds; none where it was written without.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_baselines(directory: &Path) -> Result<Vec<StoredBaseline>, SupervisedError> {
        files::read_baselines(directory)
    }

    /// Reads a bundle, on a device without gradients.
    ///
    /// # Errors
    /// [`SupervisedError::File`] names the file that is missing, changed or of another version, and the remedy.
    pub fn read(directory: &Path, device: &Device) -> Result<Self, SupervisedError> {
        files::read(directory, device)
    }
}

fn class_order() -> Vec<String> {
    Label::ALL.iter().map(ToString::to_string).collect()
}
