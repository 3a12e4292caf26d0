//! What was lived through, to learn from again.
//!
//! [`NStep`] joins steps to [`Transition`]s and closes them where an episode ends, so that nothing in
//! [`ReplayBuffer`] spans two episodes; [`Sampler`] chooses what to learn from.

mod buffer;
mod n_step;
mod prioritised;
mod uniform;

pub use buffer::{ReplayBatch, ReplayBuffer, Transition};
pub use n_step::NStep;
pub use prioritised::{PrioritisedSampler, PriorityTree};
pub use uniform::UniformSampler;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codec::{Reader, Writer};
use crate::error::RlError;
use crate::random::generator;

/// How transitions are replayed more often that taught more (Schaul, Quan, Antonoglou and Silver 2016,
/// "Prioritized experience replay", proportional variant).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PrioritisedConfig {
    /// Exponent α of priorities; 0 chooses all alike.
    pub exponent: f64,
    /// Exponent β of the weights that correct for the choice, at the start.
    pub initial_correction: f64,
    /// The same at the end of training; linear in between.
    pub final_correction: f64,
    /// Added to the absolute error, so that nothing is never replayed.
    pub offset: f64,
}

impl Default for PrioritisedConfig {
    /// Those of the paper (α 0.6, β from 0.4 to 1), with the offset of OpenAI's Baselines; Stable-Baselines3
    /// has none of it.
    fn default() -> Self {
        Self { exponent: 0.6, initial_correction: 0.4, final_correction: 1.0, offset: 1e-6 }
    }
}

impl PrioritisedConfig {
    /// # Errors
    /// [`RlError::Config`] names the field.
    pub fn validate(&self) -> Result<(), RlError> {
        let unit = [
            ("dqn.replay.prioritised.exponent", self.exponent),
            ("dqn.replay.prioritised.initial_correction", self.initial_correction),
            ("dqn.replay.prioritised.final_correction", self.final_correction),
        ];
        if let Some((field, value)) = unit.into_iter().find(|(_, value)| !(0.0..=1.0).contains(value)) {
            return Err(RlError::config(field, value, "give 0 to 1"));
        }
        if !(self.offset > 0.0 && self.offset.is_finite()) {
            return Err(RlError::config(
                "dqn.replay.prioritised.offset",
                self.offset,
                "give a small positive number",
            ));
        }
        Ok(())
    }

    /// β after this share of training.
    #[must_use]
    pub fn correction(&self, progress: f64) -> f64 {
        let progress = progress.clamp(0.0, 1.0);
        self.initial_correction + progress * (self.final_correction - self.initial_correction)
    }
}

/// Chooses transitions.
#[derive(Clone, Debug, PartialEq)]
pub enum Sampler {
    /// All alike.
    Uniform(UniformSampler),
    /// By what they taught.
    Prioritised(PrioritisedSampler),
}

impl Sampler {
    /// For a buffer of this capacity.
    ///
    /// # Errors
    /// [`RlError::Config`] as [`PrioritisedConfig::validate`].
    pub fn new(prioritised: Option<&PrioritisedConfig>, capacity: usize) -> Result<Self, RlError> {
        Ok(match prioritised {
            None => Self::Uniform(UniformSampler),
            Some(config) => Self::Prioritised(PrioritisedSampler::new(config.clone(), capacity)?),
        })
    }

    /// Learns of a new transition at this place.
    ///
    /// # Errors
    /// [`RlError::Shape`] for a place beyond the capacity.
    pub fn inserted(&mut self, index: usize) -> Result<(), RlError> {
        match self {
            Self::Uniform(_) => Ok(()),
            Self::Prioritised(sampler) => sampler.inserted(index),
        }
    }

    /// Fills a batch of `size` from the buffer, with replacement; the draw is fixed by `seed` and `draw`, and
    /// `progress` is the share of training that is over.
    ///
    /// # Errors
    /// [`RlError::Shape`] for an empty buffer, or a prioritised sampler that was told of no transition.
    pub fn sample(
        &self,
        buffer: &ReplayBuffer,
        size: usize,
        (seed, draw): (u64, u64),
        progress: f64,
        batch: &mut ReplayBatch,
    ) -> Result<(), RlError> {
        if buffer.is_empty() {
            return Err(RlError::shape("a replay buffer", "it is empty; step environments before learning"));
        }
        let mut random = generator(seed, "replay", draw);
        match self {
            Self::Uniform(sampler) => sampler.choose(buffer.len(), size, &mut random, batch),
            Self::Prioritised(sampler) => sampler.choose(buffer.len(), size, progress, &mut random, batch)?,
        }
        buffer.gather(batch);
        Ok(())
    }

    /// Learns of the errors of a batch, `[size]`.
    ///
    /// # Errors
    /// [`RlError::Shape`] for a place beyond the capacity, or an error that is not finite.
    pub fn learned(&mut self, indices: &[usize], errors: &[f32]) -> Result<(), RlError> {
        match self {
            Self::Uniform(_) => Ok(()),
            Self::Prioritised(sampler) => sampler.learned(indices, errors),
        }
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        if let Self::Prioritised(sampler) = self {
            sampler.save(writer);
        }
    }

    pub(crate) fn restore(&mut self, reader: &mut Reader<'_>) -> Result<(), RlError> {
        match self {
            Self::Uniform(_) => Ok(()),
            Self::Prioritised(sampler) => sampler.restore(reader),
        }
    }
}

#[cfg(test)]
mod tests;
