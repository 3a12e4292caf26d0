//! Clipping of the gradient by its norm.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::norm::scale;
use crate::error::SupervisedError;

/// Scales the gradient of all parameters together so that its norm does not pass a bound (Pascanu et al.
/// 2013, arXiv 1211.5063, algorithm 1); the direction stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NormClippingConfig {
    /// Whether it is done. On by default: one bad batch must not throw a recurrent network.
    pub enabled: bool,
    /// The largest norm, above 0. 1 is the usual bound of recurrent networks and transformers.
    pub maximum_norm: f64,
}

impl Default for NormClippingConfig {
    fn default() -> Self {
        Self { enabled: true, maximum_norm: 1.0 }
    }
}

impl NormClippingConfig {
    pub(super) fn validate(&self) -> Result<(), SupervisedError> {
        if self.maximum_norm.is_finite() && self.maximum_norm > 0.0 {
            return Ok(());
        }
        let remedy = "give a norm above 0, or set `enabled = false`";
        Err(SupervisedError::config("optimiser.norm_clipping.maximum_norm", self.maximum_norm, remedy))
    }
}

/// Clips `gradients` of the given `norm` and says whether it did, with the factor of PyTorch's
/// `clip_grad_norm_`: maximum / (norm + 10⁻⁶), at most 1.
pub(super) fn clip_norm(gradients: &mut [f32], norm: f64, maximum_norm: f64) -> bool {
    let factor = maximum_norm / (norm + 1e-6);
    if factor >= 1.0 {
        return false;
    }
    scale(gradients, factor);
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::norm::norm;
    use super::*;

    /// `torch.nn.utils.clip_grad_norm_(max_norm=1.5)`, PyTorch 2.15, f32.
    #[test]
    fn the_clipped_gradient_is_that_of_pytorch() {
        let mut gradients = [0.5, -1.5, 2.25, 0.0, -3.0, 0.125];
        let before = norm(&gradients);
        assert!((before - 4.071_624_279).abs() < 1e-6);
        assert!(clip_norm(&mut gradients, before, 1.5));
        let expected = [1.842_016_3e-1, -5.526_049e-1, 8.289_073e-1, 0.0, -1.105_209_8, 4.605_041e-2];
        for (seen, expected) in gradients.iter().zip(expected) {
            assert!((seen - expected).abs() < 1e-6, "{seen} {expected}");
        }
    }

    proptest! {
        #[test]
        fn the_norm_is_bounded_and_the_direction_kept(
            gradients in prop::collection::vec(-100.0..100.0_f32, 1..60), maximum in 1e-3..200.0_f64,
        ) {
            let before = norm(&gradients);
            let mut seen = gradients.clone();
            let clipped = clip_norm(&mut seen, before, maximum);
            prop_assert_eq!(clipped, before + 1e-6 > maximum);
            if clipped {
                prop_assert!((norm(&seen) / maximum - 1.0).abs() < 1e-6 + 1e-6 / before);
                let factor = norm(&seen) / before;
                for (seen, given) in seen.iter().zip(&gradients) {
                    let expected = f64::from(*given) * factor;
                    prop_assert!((f64::from(*seen) - expected).abs() <= 1e-6 * expected.abs());
                }
            } else {
                prop_assert_eq!(seen, gradients);
            }
        }
    }
}
