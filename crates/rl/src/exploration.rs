//! How often actions are random.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::RlError;

/// How the chance of a random action falls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// By the same amount in each step.
    #[default]
    Linear,
    /// By the same factor in each step.
    Exponential,
}

/// The chance ε of a random action over training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ExplorationConfig {
    /// How it falls.
    pub decay: Decay,
    /// At the start, 0 to 1.
    pub initial: f64,
    /// At the end, 0 to 1; above 0 if exponential.
    pub last: f64,
    /// Share of training in which it falls, above 0 and at most 1.
    pub fraction: f64,
}

impl Default for ExplorationConfig {
    /// Those of Stable-Baselines3: linear from 1 to 0.05 in the first tenth.
    fn default() -> Self {
        Self { decay: Decay::Linear, initial: 1.0, last: 0.05, fraction: 0.1 }
    }
}

impl ExplorationConfig {
    /// # Errors
    /// [`RlError::Config`] names the field.
    pub fn validate(&self) -> Result<(), RlError> {
        let unit = [("exploration.initial", self.initial), ("exploration.last", self.last)];
        if let Some((field, value)) = unit.into_iter().find(|(_, value)| !(0.0..=1.0).contains(value)) {
            return Err(RlError::config(field, value, "give 0 to 1"));
        }
        if !(self.fraction > 0.0 && self.fraction <= 1.0) {
            return Err(RlError::config("exploration.fraction", self.fraction, "give above 0, at most 1"));
        }
        let zero = [("exploration.initial", self.initial), ("exploration.last", self.last)];
        match zero.into_iter().find(|(_, value)| *value == 0.0) {
            Some((field, value)) if self.decay == Decay::Exponential => {
                Err(RlError::config(field, value, "give above 0, or decay linearly"))
            }
            _ => Ok(()),
        }
    }

    /// ε after this share of training.
    #[must_use]
    pub fn at(&self, progress: f64) -> f64 {
        let share = (progress / self.fraction).clamp(0.0, 1.0);
        if share >= 1.0 {
            return self.last;
        }
        match self.decay {
            Decay::Linear => self.initial + share * (self.last - self.initial),
            Decay::Exponential => self.initial * (self.last / self.initial).powf(share),
        }
    }
}
