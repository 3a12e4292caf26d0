//! A moving average of the weights.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::SupervisedError;

/// An exponential moving average of the weights over the steps, used in place of the last weights (Polyak and
/// Juditsky 1992 for the plain mean). It takes out the noise of a learning rate that is not small yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AverageConfig {
    /// Whether it is kept. On by default: it costs one pass and steadies what is validated and stored.
    pub enabled: bool,
    /// The share that is kept at each step, from 0 to below 1; 0.999 remembers about 1000 steps. Early on it
    /// is less, see [`AverageConfig::decay_at`].
    pub decay: f64,
}

impl Default for AverageConfig {
    fn default() -> Self {
        Self { enabled: true, decay: 0.999 }
    }
}

impl AverageConfig {
    pub(super) fn validate(&self) -> Result<(), SupervisedError> {
        if (0.0..1.0).contains(&self.decay) {
            return Ok(());
        }
        let remedy = "give a share from 0 to below 1, usually 0.99 to 0.9999";
        Err(SupervisedError::config("optimiser.average.decay", self.decay, remedy))
    }

    /// The share kept at a step that `steps` others went before: min(decay, (1 + t) / (10 + t)), as
    /// TensorFlow's `ExponentialMovingAverage` does it with `num_updates`, so that the random weights of the
    /// start are soon gone.
    #[must_use]
    pub fn decay_at(&self, steps: u64) -> f64 {
        let steps = steps as f64;
        self.decay.min((1.0 + steps) / (10.0 + steps))
    }
}

/// μ ← μ + (1 − decay) (θ − μ).
pub(super) fn follow(average: &mut [f32], parameters: &[f32], decay: f64) {
    let taken = (1.0 - decay) as f32;
    for (average, &parameter) in average.iter_mut().zip(parameters) {
        *average += taken * (parameter - *average);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_that_is_kept_grows_to_the_wanted_one() {
        let config = AverageConfig { enabled: true, decay: 0.99 };
        for (steps, expected) in
            [(0, 0.1), (8, 0.5), (80, 0.9), (889, 890.0 / 899.0), (891, 0.99), (u64::MAX, 0.99)]
        {
            assert!((config.decay_at(steps) - expected).abs() < 1e-15, "{steps}");
        }
    }

    #[test]
    fn the_average_follows() {
        let mut average = [1.0, -1.0];
        follow(&mut average, &[2.0, -1.0], 0.75);
        assert_eq!(average, [1.25, -1.0]);
    }
}
