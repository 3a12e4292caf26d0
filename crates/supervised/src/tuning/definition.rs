//! What a study searches, and how: the first line of its file.

use serde::{Deserialize, Serialize};

use super::pruner::PrunerConfig;
use super::sampler::SamplerConfig;
use super::search_space::SearchSpace;
use super::trial::Direction;
use crate::error::SupervisedError;

/// What a study searches, and how. It is written when a study begins and never changes: what a trial tries
/// and whether it is pruned follow from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudyDefinition {
    /// Name of the metric, such as `validation_log_loss`.
    pub metric: String,
    /// Which way of the metric is better.
    pub direction: Direction,
    /// Seed of all suggestions.
    pub seed: u64,
    /// How values are suggested.
    pub sampler: SamplerConfig,
    /// When a trial is given up.
    pub pruner: PrunerConfig,
    /// Whatever else must be the same for values to be comparable, in the words of the caller: the data's
    /// hash, the split, the commit.
    pub context: String,
    /// What is searched.
    pub space: SearchSpace,
}

impl StudyDefinition {
    /// Checks all of it.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] that names the option.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        if self.metric.trim().is_empty() {
            return Err(SupervisedError::config("metric", "empty", "name what the objective gives back"));
        }
        self.sampler.validate()?;
        self.pruner.validate()?;
        self.space.validate()
    }

    /// BLAKE3 of the search space's JSON, 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] for a space that JSON cannot hold, which [`validate`](Self::validate)
    /// refuses.
    pub fn space_hash(&self) -> Result<String, SupervisedError> {
        let text = serde_json::to_string(&self.space)
            .map_err(|error| SupervisedError::data("search space", error.to_string()))?;
        Ok(blake3::hash(text.as_bytes()).to_hex().to_string())
    }

    /// The first difference from `other`, in words; nothing where they are equal.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        let says = |what: &str, here: String, there: String| Some(format!("{what} is {here}, not {there}"));
        if self.metric != other.metric {
            return says("the metric", self.metric.clone(), other.metric.clone());
        }
        if self.direction != other.direction {
            return says("the direction", format!("{:?}", self.direction), format!("{:?}", other.direction));
        }
        if self.context != other.context {
            return says("the context", format!("`{}`", self.context), format!("`{}`", other.context));
        }
        if self.seed != other.seed {
            return says("the seed", self.seed.to_string(), other.seed.to_string());
        }
        if self.sampler != other.sampler {
            return says("the sampler", format!("{:?}", self.sampler), format!("{:?}", other.sampler));
        }
        if self.pruner != other.pruner {
            return says("the pruner", format!("{:?}", self.pruner), format!("{:?}", other.pruner));
        }
        self.space_difference(other)
    }

    fn space_difference(&self, other: &Self) -> Option<String> {
        let (here, there) = (&self.space.parameters, &other.space.parameters);
        for parameter in here {
            let key = parameter.key();
            match there.iter().find(|candidate| candidate.key() == key) {
                None => return Some(format!("the search space has `{key}` in addition")),
                Some(found) if found != parameter => {
                    return Some(format!("the search space has `{key}` as {parameter:?}, not {found:?}"));
                }
                Some(_) => {}
            }
        }
        if let Some(missing) = there.iter().find(|there| here.iter().all(|here| here.key() != there.key())) {
            return Some(format!("the search space has no `{}`", missing.key()));
        }
        (here != there).then(|| "the search space has its parameters in another order".to_owned())
    }
}
