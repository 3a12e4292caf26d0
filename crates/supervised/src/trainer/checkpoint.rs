//! Training, stopped between two epochs.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use bytemuck::cast_slice;
use market_data::store::write_file;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};

use super::EpochReport;
use crate::classifier::ClassifierConfig;
use crate::config::SupervisedConfig;
use crate::error::SupervisedError;
use crate::sampling::HardPool;

const FORMAT: &str = "matrela-checkpoint";
const VERSION: &str = "2";
const FORMAT_KEY: &str = "matrela.format";
const VERSION_KEY: &str = "matrela.version";
const PROGRESS_KEY: &str = "matrela.progress";
const CHECKSUM_KEY: &str = "matrela.checksum";
/// The file of the state after the last finished epoch.
pub(super) const LAST: &str = "last.safetensors";
/// The file of the state after the best epoch so far.
pub(super) const BEST: &str = "best.safetensors";

/// Everything that training has to know to go on as if it had never stopped.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Checkpoint {
    pub progress: Progress,
    /// Parameters, the best ones, the state of the optimiser, losses of samples.
    pub vectors: BTreeMap<String, Vec<f32>>,
}

/// What is no vector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Progress {
    /// What training was told; a resumed run must be told the same.
    pub config: SupervisedConfig,
    /// The network, which for a baseline does not follow from the configuration.
    pub classifier: ClassifierConfig,
    /// What it learns from.
    pub data_hash: String,
    /// Epochs finished.
    pub epochs: usize,
    /// Steps done.
    pub steps: u64,
    /// The epoch of the best parameters.
    pub best_epoch: Option<usize>,
    /// What every epoch showed.
    pub history: Vec<EpochReport>,
    /// Counters of the optimiser.
    pub counters: BTreeMap<String, u64>,
    /// The samples that are hard.
    pub hard: Option<HardPool>,
}

impl Checkpoint {
    /// Writes it. The file appears whole or not at all: a kill on the way leaves the one before.
    pub(super) fn write(&self, path: &Path) -> Result<(), SupervisedError> {
        let fault =
            |error: String| SupervisedError::file(path, format!("the checkpoint cannot be written: {error}"));
        let progress = serde_json::to_string(&self.progress).map_err(|error| fault(error.to_string()))?;
        let mut views = Vec::with_capacity(self.vectors.len());
        for (name, vector) in &self.vectors {
            let view = TensorView::new(Dtype::F32, vec![vector.len()], cast_slice(vector));
            views.push((name.as_str(), view.map_err(|error| fault(error.to_string()))?));
        }
        let metadata = HashMap::from([
            (FORMAT_KEY.to_owned(), FORMAT.to_owned()),
            (VERSION_KEY.to_owned(), VERSION.to_owned()),
            (CHECKSUM_KEY.to_owned(), checksum(&progress, &self.vectors)),
            (PROGRESS_KEY.to_owned(), progress),
        ]);
        let bytes = serialize(views, Some(metadata)).map_err(|error| fault(error.to_string()))?;
        Ok(write_file(path, &bytes)?)
    }

    /// Reads one.
    pub(super) fn read(path: &Path) -> Result<Self, SupervisedError> {
        let fault = |reason: String| SupervisedError::file(path, reason);
        let broken = |error: String| {
            fault(format!(
                "this is no whole checkpoint ({error}): the file was cut short or changed; remove it to begin anew, or restore it"
            ))
        };
        let bytes = std::fs::read(path).map_err(|error| fault(format!("cannot be read: {error}")))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| broken(error.to_string()))?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let of = |key: &str| metadata.get(key).map(String::as_str).unwrap_or_default();
        if of(FORMAT_KEY) != FORMAT || of(VERSION_KEY) != VERSION {
            return Err(fault(format!(
                "it is `{}` version `{}`, this program reads `{FORMAT}` version {VERSION}; begin anew without --resume",
                of(FORMAT_KEY),
                of(VERSION_KEY)
            )));
        }
        let tensors = SafeTensors::deserialize(&bytes).map_err(|error| broken(error.to_string()))?;
        let mut vectors = BTreeMap::new();
        for (name, view) in tensors.tensors() {
            let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            vectors.insert(name, values.collect());
        }
        if checksum(of(PROGRESS_KEY), &vectors) != of(CHECKSUM_KEY) {
            return Err(broken("its checksum does not fit".to_owned()));
        }
        let progress = serde_json::from_str(of(PROGRESS_KEY)).map_err(|error| broken(error.to_string()))?;
        Ok(Self { progress, vectors })
    }

    /// The vector of a name.
    pub(super) fn take(&mut self, name: &str, path: &Path) -> Result<Vec<f32>, SupervisedError> {
        self.vectors
            .remove(name)
            .ok_or_else(|| SupervisedError::file(path, format!("the checkpoint has no `{name}`; begin anew")))
    }
}

impl Progress {
    /// Refuses to go on with something else than what was begun; `epochs` too, since schedules follow from it.
    pub(super) fn check(
        &self,
        config: &SupervisedConfig,
        classifier: &ClassifierConfig,
        data_hash: &str,
        path: &Path,
    ) -> Result<(), SupervisedError> {
        if self.data_hash != data_hash {
            let reason = "it was written for other candles, features or labels; give the same data, or begin anew without --resume";
            return Err(SupervisedError::file(path, reason));
        }
        let compared = [
            ("", serde_json::to_value(&self.config), serde_json::to_value(config)),
            ("classifier", serde_json::to_value(&self.classifier), serde_json::to_value(classifier)),
        ];
        let mut difference = None;
        for (place, was, is) in compared {
            let (Ok(was), Ok(is)) = (was, is) else {
                return Err(SupervisedError::file(path, "its configuration cannot be compared"));
            };
            difference = difference.or_else(|| first_difference(place, &was, &is));
        }
        match difference {
            None => Ok(()),
            Some(difference) => {
                let reason = format!(
                    "it was written with another configuration: {difference}; resume with the same one, or begin anew without --resume"
                );
                Err(SupervisedError::file(path, reason))
            }
        }
    }
}

/// The first value in which two configurations differ, with its place.
fn first_difference(place: &str, was: &serde_json::Value, is: &serde_json::Value) -> Option<String> {
    if let (Some(was), Some(is)) = (was.as_object(), is.as_object()) {
        let names: std::collections::BTreeSet<&String> = was.keys().chain(is.keys()).collect();
        return names.into_iter().find_map(|name| {
            let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
            let null = serde_json::Value::Null;
            first_difference(&place, was.get(name).unwrap_or(&null), is.get(name).unwrap_or(&null))
        });
    }
    (was != is).then(|| format!("`{place}` was {was}, now it is {is}"))
}

fn checksum(progress: &str, vectors: &BTreeMap<String, Vec<f32>>) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(progress.as_bytes());
    for (name, vector) in vectors {
        hasher.update(name.as_bytes());
        hasher.update(cast_slice(vector));
    }
    hasher.finalize().to_hex().to_string()
}
