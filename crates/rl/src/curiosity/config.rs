//! Settings of curiosity.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::RlError;
use crate::network::{Activation, Initialisation, MlpConfig};
use crate::on_policy::{expect_positive, expect_within};
use crate::optimiser::OptimiserConfig;

/// Settings of [`super::CuriousEnvironment`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CuriosityConfig {
    /// What normalised novelty is multiplied by before it is added to rewards, at least 0.
    pub coefficient: f32,
    /// γ of the sum of novelty whose standard deviation normalises it, 0 to 1.
    pub discount: f32,
    /// Layers of the target network, and of the predictor.
    pub network: MlpConfig,
    /// Numbers that the target network gives and the predictor predicts.
    pub outputs: usize,
    /// Learning rate of the predictor, above 0.
    pub learning_rate: f64,
    /// Its optimiser.
    pub optimiser: OptimiserConfig,
    /// Steps of the vector between two updates of the predictor.
    pub update_every: usize,
    /// Gradient steps of an update, each on all that was kept of these steps.
    pub passes: usize,
    /// Chance that an observation is kept to learn from, above 0 and at most 1: with many environments a
    /// share is enough, and lets what is new stay new for longer.
    pub share: f32,
    /// Normalised observations are cut off here, on both sides.
    pub observation_limit: f32,
    /// Steps of the vector at the very beginning that moments alone are learned from, and nothing is added
    /// in.
    pub warm_up: u64,
}

impl Default for CuriosityConfig {
    /// Rate, passes, limit and discounting as in the experiments of the paper; networks are small.
    fn default() -> Self {
        let (activation, initialisation) = (Activation::Relu, Initialisation::Orthogonal);
        Self {
            coefficient: 1.0,
            discount: 0.99,
            network: MlpConfig { hidden: vec![64, 64], activation, initialisation },
            outputs: 32,
            learning_rate: 1e-4,
            optimiser: OptimiserConfig::adam(1e-8),
            update_every: 128,
            passes: 4,
            share: 1.0,
            observation_limit: 5.0,
            warm_up: 128,
        }
    }
}

impl CuriosityConfig {
    /// # Errors
    /// [`RlError::Config`] names the field, its value and the remedy.
    pub fn validate(&self) -> Result<(), RlError> {
        expect_within("curiosity.coefficient", self.coefficient, 0.0, f32::MAX)?;
        expect_within("curiosity.discount", self.discount, 0.0, 1.0)?;
        self.network.validate()?;
        expect_positive("curiosity.outputs", self.outputs as u64)?;
        expect_positive("curiosity.update_every", self.update_every as u64)?;
        expect_positive("curiosity.passes", self.passes as u64)?;
        self.optimiser.validate()?;
        if !(self.share > 0.0 && self.share <= 1.0) {
            return Err(RlError::config("curiosity.share", self.share, "give above 0, at most 1"));
        }
        for (field, value) in [
            ("curiosity.learning_rate", self.learning_rate),
            ("curiosity.observation_limit", f64::from(self.observation_limit)),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(RlError::config(field, value, "give a positive number"));
            }
        }
        Ok(())
    }
}
