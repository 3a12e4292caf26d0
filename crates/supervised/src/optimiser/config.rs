//! How the optimiser is set.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::adaptive_clipping::AdaptiveClippingConfig;
use super::average::AverageConfig;
use super::clipping::NormClippingConfig;
use super::lookahead::LookaheadConfig;
use super::sharpness::SharpnessConfig;
use crate::error::SupervisedError;

/// AdamW and what goes on around it. The learning rate is a schedule of its own, [`super::LearningRate`].
///
/// Each table has an `enabled`, so that a layer of configuration can switch off what the one below switched
/// on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OptimiserConfig {
    /// λ: at each step a parameter that decays shrinks by the factor 1 − learning rate × λ; at least 0. Default 1, a
    /// hundred times PyTorch's: at the default rate a thousandth per step, which small networks on noisy labels need.
    pub weight_decay: f64,
    /// β₁ and β₂, how much of the averages of gradient and squared gradient is kept per step, from 0 to below
    /// 1; the 0.9 and 0.999 of Kingma and Ba.
    pub betas: [f64; 2],
    /// ε, added to the root of the second moment, at least the least normal f32 (about 1.2e-38); the 1e-8 of
    /// Kingma and Ba.
    pub epsilon: f64,
    /// Clipping of the whole gradient.
    pub norm_clipping: NormClippingConfig,
    /// Clipping of each unit's gradient.
    pub adaptive_clipping: AdaptiveClippingConfig,
    /// Slow weights.
    pub lookahead: LookaheadConfig,
    /// Gradients from where the loss is worst nearby; done by the training loop, see [`super::perturb`].
    pub sharpness: SharpnessConfig,
    /// Moving average of the weights.
    pub average: AverageConfig,
}

impl Default for OptimiserConfig {
    fn default() -> Self {
        Self {
            weight_decay: 1.0,
            betas: [0.9, 0.999],
            epsilon: 1e-8,
            norm_clipping: NormClippingConfig::default(),
            adaptive_clipping: AdaptiveClippingConfig::default(),
            lookahead: LookaheadConfig::default(),
            sharpness: SharpnessConfig::default(),
            average: AverageConfig::default(),
        }
    }
}

impl OptimiserConfig {
    /// Checks every value, also in tables that are not enabled.
    ///
    /// # Errors
    /// Names the first field that is out of its range.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        if !(self.weight_decay.is_finite() && self.weight_decay >= 0.0) {
            let remedy = "give a number of at least 0, usually 0.01 to 1";
            return Err(SupervisedError::config("optimiser.weight_decay", self.weight_decay, remedy));
        }
        if !self.betas.iter().all(|beta| (0.0..1.0).contains(beta)) {
            let remedy = "give two numbers from 0 to below 1";
            return Err(SupervisedError::config("optimiser.betas", format!("{:?}", self.betas), remedy));
        }
        if !(self.epsilon.is_finite() && self.epsilon >= f64::from(f32::MIN_POSITIVE)) {
            let remedy = "give a number above 0 that f32 can hold, usually 1e-8";
            return Err(SupervisedError::config("optimiser.epsilon", self.epsilon, remedy));
        }
        self.norm_clipping.validate()?;
        self.adaptive_clipping.validate()?;
        self.lookahead.validate()?;
        self.sharpness.validate()?;
        self.average.validate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_survive_toml() {
        let config = OptimiserConfig::default();
        config.validate().unwrap();
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<OptimiserConfig>(&text).unwrap(), config);
        assert_eq!(toml::from_str::<OptimiserConfig>("").unwrap(), config);
        let off: OptimiserConfig = toml::from_str("average.enabled = false").unwrap();
        assert_eq!(off.average, AverageConfig { enabled: false, ..AverageConfig::default() });
        assert!(toml::from_str::<OptimiserConfig>("lookahead.k = 5").is_err());
        assert!(toml::from_str::<OptimiserConfig>("momentum = 0.9").is_err());
    }

    #[test]
    fn values_out_of_range_are_refused_by_name() {
        let refused = |change: fn(&mut OptimiserConfig), field: &str| {
            let mut config = OptimiserConfig::default();
            change(&mut config);
            let message = config.validate().unwrap_err().to_string();
            assert!(message.starts_with(&format!("`optimiser.{field}` is ")), "{message}");
        };
        refused(|config| config.weight_decay = -0.1, "weight_decay");
        refused(|config| config.weight_decay = f64::NAN, "weight_decay");
        refused(|config| config.betas[1] = 1.0, "betas");
        refused(|config| config.betas[0] = f64::NAN, "betas");
        refused(|config| config.epsilon = 1e-50, "epsilon");
        refused(|config| config.norm_clipping.maximum_norm = 0.0, "norm_clipping.maximum_norm");
        refused(|config| config.adaptive_clipping.threshold = 0.0, "adaptive_clipping.threshold");
        refused(|config| config.adaptive_clipping.epsilon = f64::INFINITY, "adaptive_clipping.epsilon");
        refused(|config| config.lookahead.steps = 0, "lookahead.steps");
        refused(|config| config.lookahead.alpha = 1.5, "lookahead.alpha");
        refused(|config| config.sharpness.radius = -1.0, "sharpness.radius");
        refused(|config| config.average.decay = 1.0, "average.decay");
    }
}
