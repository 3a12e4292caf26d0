//! A trained policy as one directory: with its model, everything that acting needs.
//!
//! | file | content |
//! |---|---|
//! | `policy.json` | format, version, settings, where it comes from, checksums of the agent and the model, and of itself |
//! | `agent.msgpack` | what the agent, and its specialists, have learned |
//! | `model/` | the model bundle that it stands on |
//!
//! It appears whole or not at all.

use std::path::Path;

use market_data::store::write_file;
use rl::Agent;
use serde::{Deserialize, Serialize};
use supervised::{ModelBundle, Predictor, TimeRange};

use super::config::PolicyConfig;
use super::training::{AgentBytes, Validation, agent, packed};
use crate::error::SimError;

const FORMAT: &str = "matrela-policy";
const VERSION: u32 = 1;
const MANIFEST: &str = "policy.json";
const AGENT: &str = "agent.msgpack";
const MODEL: &str = "model";
const MODEL_MANIFEST: &str = "bundle.json";

/// Where a policy comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyOrigin {
    /// Its name.
    pub name: String,
    /// Of everything random in its training.
    pub seed: u64,
    /// Everything that training was told.
    pub config: PolicyConfig,
    /// Hash of the model that it stands on: [`PolicyBundle::model_hash`].
    pub model: String,
    /// Columns of a row that it sees.
    pub columns: usize,
    /// Series that it was trained on.
    pub series: Vec<String>,
    /// Time that weights come from.
    pub training: Vec<TimeRange>,
    /// Time that it was chosen in.
    pub validation: Vec<TimeRange>,
    /// How it did there, of the last stage.
    pub validations: Vec<Validation>,
    /// Settings that were tried before these, where known.
    pub trials: Option<u64>,
    /// Version of the source, where known.
    pub commit: Option<String>,
}

/// A trained policy and its model.
pub struct PolicyBundle {
    /// Where it comes from.
    pub origin: PolicyOrigin,
    /// What it stands on.
    pub predictor: Predictor,
    learned: AgentBytes,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: String,
    version: u32,
    /// Version of this crate.
    program: String,
    origin: PolicyOrigin,
    /// Of the agent's file, BLAKE3.
    agent: String,
    /// Of the model's manifest, which holds those of its files.
    model: String,
    /// Of all of the above.
    checksum: String,
}

impl PolicyBundle {
    /// Of what a training gave, over the model that it was trained over.
    ///
    /// # Errors
    /// [`SimError::Data`] where the agent does not fit its settings.
    pub fn new(origin: PolicyOrigin, predictor: Predictor, learned: AgentBytes) -> Result<Self, SimError> {
        let new = Self { origin, predictor, learned };
        new.agent()?;
        Ok(new)
    }

    /// The agent, ready to act.
    ///
    /// # Errors
    /// [`SimError::Data`] where what it learned does not fit its settings.
    pub fn agent(&self) -> Result<Box<dyn Agent>, SimError> {
        let recipe = self.origin.config.recipe_over(self.predictor.bundle(), None);
        let AgentBytes { agent: learned, specialists } = &self.learned;
        agent(&self.origin.config, &recipe, self.origin.columns, learned, specialists)
    }

    /// Writes it, with a copy of the model's directory. An existing directory is replaced only where `replace` says so, and only if
    /// it holds a policy.
    ///
    /// # Errors
    /// [`SimError::Data`] names what cannot be written or is in the way.
    pub fn write(&self, model: &Path, directory: &Path, replace: bool) -> Result<(), SimError> {
        if directory.exists() && !(replace && directory.join(MANIFEST).exists()) {
            let problem = "it exists; name another directory, or allow replacing it where it holds a policy";
            return Err(file(directory, problem));
        }
        let name = directory.file_name().ok_or_else(|| file(directory, "it is no name of a directory"))?;
        let beside = |what: &str| directory.with_file_name(format!(".{}.{what}", name.to_string_lossy()));
        let (building, old) = (beside("building"), beside("old"));
        remove(&building)?;
        std::fs::create_dir_all(&building).map_err(|error| file(&building, &error))?;
        let told = |error: supervised::SupervisedError| SimError::data("the model", error.to_string());
        ModelBundle::copy(model, &building.join(MODEL), false).map_err(told)?;
        if hash(&get(&building.join(MODEL).join(MODEL_MANIFEST))?) != self.origin.model {
            let problem = "it is not the model any more that the policy was trained over; give that one, or train the policy anew";
            return Err(file(model, problem));
        }
        let bytes = packed(&self.learned)?;
        put(&building.join(AGENT), &bytes)?;
        let mut manifest = Manifest {
            format: FORMAT.to_owned(),
            version: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            origin: self.origin.clone(),
            agent: hash(&bytes),
            model: self.origin.model.clone(),
            checksum: String::new(),
        };
        manifest.checksum = manifest.sum()?;
        let text = serde_json::to_string_pretty(&manifest).map_err(|error| file(&building, &error))?;
        put(&building.join(MANIFEST), text.as_bytes())?;
        remove(&old)?;
        if directory.exists() {
            std::fs::rename(directory, &old).map_err(|error| file(directory, &error))?;
        }
        std::fs::rename(&building, directory).map_err(|error| file(directory, &error))?;
        remove(&old)
    }

    /// Reads a policy and its model.
    ///
    /// # Errors
    /// [`SimError::Data`] names the file that is missing, changed or of another version, and the remedy.
    pub fn read(directory: &Path) -> Result<Self, SimError> {
        let manifest = manifest(directory)?;
        let bytes = get(&directory.join(AGENT))?;
        if hash(&bytes) != manifest.agent {
            return Err(file(&directory.join(AGENT), CHANGED));
        }
        let model = directory.join(MODEL);
        if hash(&get(&model.join(MODEL_MANIFEST))?) != manifest.model {
            return Err(file(&model.join(MODEL_MANIFEST), CHANGED));
        }
        let told = |error: supervised::SupervisedError| SimError::data("the model", error.to_string());
        let predictor = Predictor::load(&model).map_err(told)?;
        let learned = rmp_serde::from_slice(&bytes).map_err(|error| file(&directory.join(AGENT), &error))?;
        Self::new(manifest.origin, predictor, learned)
    }

    /// The hash of a model bundle's directory, as [`PolicyOrigin::model`] has it.
    ///
    /// # Errors
    /// [`SimError::Data`] where there is no bundle.
    pub fn model_hash(directory: &Path) -> Result<String, SimError> {
        Ok(hash(&get(&directory.join(MODEL_MANIFEST))?))
    }

    /// Where a policy comes from, without its model.
    ///
    /// # Errors
    /// As [`PolicyBundle::read`].
    pub fn read_origin(directory: &Path) -> Result<PolicyOrigin, SimError> {
        Ok(manifest(directory)?.origin)
    }
}

const CHANGED: &str = "it was changed or cut short; copy the directory again, or train the policy anew";

fn manifest(directory: &Path) -> Result<Manifest, SimError> {
    let path = directory.join(MANIFEST);
    if !path.exists() {
        return Err(file(directory, "there is no policy.json in it; give a directory that train-rl wrote"));
    }
    let manifest: Manifest = serde_json::from_slice(&get(&path)?)
        .map_err(|error| file(&path, &format!("it is no description of a policy: {error}")))?;
    if manifest.format != FORMAT || manifest.version != VERSION {
        let problem = format!(
            "it is {} {}, this program reads {FORMAT} {VERSION}; train the policy anew",
            manifest.format, manifest.version
        );
        return Err(file(&path, &problem));
    }
    if manifest.checksum != manifest.sum()? {
        return Err(file(&path, CHANGED));
    }
    Ok(manifest)
}

impl Manifest {
    fn sum(&self) -> Result<String, SimError> {
        let origin = serde_json::to_string(&self.origin)
            .map_err(|error| SimError::data("the description of a policy", error.to_string()))?;
        let Self { format, version, program, agent, model, .. } = self;
        Ok(hash(format!("{format} {version} {program} {agent} {model} {origin}").as_bytes()))
    }
}

fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

fn get(path: &Path) -> Result<Vec<u8>, SimError> {
    std::fs::read(path).map_err(|error| file(path, &format!("cannot read: {error}")))
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), SimError> {
    write_file(path, bytes).map_err(|error| SimError::data("a policy", error.to_string()))
}

fn remove(directory: &Path) -> Result<(), SimError> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(file(directory, &error)),
        _ => Ok(()),
    }
}

fn file(path: &Path, problem: &(impl std::fmt::Display + ?Sized)) -> SimError {
    SimError::data(path.display().to_string(), problem.to_string())
}
