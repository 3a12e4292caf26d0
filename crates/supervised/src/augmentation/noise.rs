//! Gaussian noise on inputs.

use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::BatchKey;
use crate::error::SupervisedError;
use crate::random::generator;

/// Independent Gaussian noise on every value of every step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NoiseConfig {
    /// Standard deviation in units of the scaled features; default 0, which is off.
    pub deviation: f32,
}

impl NoiseConfig {
    pub(super) fn validate(&self) -> Result<(), SupervisedError> {
        if self.deviation.is_finite() && self.deviation >= 0.0 {
            return Ok(());
        }
        let remedy = "give a finite standard deviation of at least 0; 0 is off";
        Err(SupervisedError::config("augmentation.noise.deviation", self.deviation, remedy))
    }
}

/// Adds `N(0, deviation²)` to every value of `inputs`, whose samples have `window` values each.
///
/// Samples are worked on by several threads; each has its own generator.
pub fn add_noise(inputs: &mut [f32], window: usize, config: &NoiseConfig, key: BatchKey) {
    let deviation = config.deviation;
    if deviation == 0.0 || window == 0 {
        return;
    }
    let of_batch = generator(key.seed, "augmentation/noise", key.batch).next_u64();
    inputs.par_chunks_mut(window).enumerate().for_each(|(sample, values)| {
        let mut rng = generator(of_batch, "sample", sample as u64);
        for value in values {
            *value += deviation * rng.sample::<f32, _>(StandardNormal);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_the_asked_mean_deviation_and_shape_and_no_correlation() {
        let (samples, window) = (2_000, 500);
        let mut values = vec![0.0_f32; samples * window];
        add_noise(&mut values, window, &NoiseConfig { deviation: 0.25 }, BatchKey { seed: 1, batch: 2 });
        let n = values.len() as f64;
        let moment = |power| values.iter().map(|&x| f64::from(x / 0.25).powi(power)).sum::<f64>() / n;
        // Five standard errors of the moments of N(0, 1): variances 1, 2 and 96 over n (Var x⁴ = 105 − 9).
        assert!(moment(1).abs() < 5.0 / n.sqrt(), "{}", moment(1));
        assert!((moment(2) - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "{}", moment(2));
        assert!((moment(4) - 3.0).abs() < 5.0 * (96.0 / n).sqrt(), "{}", moment(4));
        // Neither between neighbouring values nor between the same places of neighbouring samples.
        for lag in [1, window] {
            let product: f64 =
                values.iter().zip(&values[lag..]).map(|(a, b)| f64::from(a * b) / 0.0625).sum();
            assert!((product / n).abs() < 5.0 / n.sqrt(), "lag {lag}: {}", product / n);
        }
    }
}
