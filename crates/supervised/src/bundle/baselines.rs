//! Baselines as files.

use std::collections::BTreeMap;
use std::path::Path;

use market_data::store::write_file;
use serde::{Deserialize, Serialize};

use crate::assessment::Assessment;
use crate::baseline::{Baseline, BaselinesConfig};
use crate::comparison::Comparison;
use crate::error::SupervisedError;

/// A baseline, and what it was worth beside the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredBaseline {
    /// The model, fitted and calibrated.
    pub baseline: Baseline,
    /// What it was told.
    pub config: BaselinesConfig,
    /// What was measured, by name of the part.
    pub metrics: BTreeMap<String, Assessment>,
    /// The model minus the baseline, by name of the part.
    pub comparisons: BTreeMap<String, Comparison>,
}

impl StoredBaseline {
    /// Writes it as one file of MessagePack.
    ///
    /// # Errors
    /// [`SupervisedError::File`] where it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), SupervisedError> {
        let bytes = rmp_serde::to_vec_named(self)
            .map_err(|error| SupervisedError::file(path, format!("cannot be written: {error}")))?;
        Ok(write_file(path, &bytes)?)
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`SupervisedError::File`] where it cannot be read, or is of another version.
    pub fn read(path: &Path) -> Result<Self, SupervisedError> {
        let bytes = std::fs::read(path)
            .map_err(|error| SupervisedError::file(path, format!("cannot be read: {error}")))?;
        let stored: Self = rmp_serde::from_slice(&bytes).map_err(|error| {
            let reason = format!("this is no baseline of this version ({error}); fit it anew");
            SupervisedError::file(path, reason)
        })?;
        stored.baseline.calibration.validate()?;
        Ok(stored)
    }
}
