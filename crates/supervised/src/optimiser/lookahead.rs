//! Slow weights that follow the optimiser's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::SupervisedError;

/// Lookahead (Zhang et al. 2019, arXiv 1907.08610, algorithm 1): after every k steps of the optimiser a
/// second, slow copy of the weights goes part of the way to where it is, and the optimiser goes on from
/// there. This takes noise out of the weights.
///
/// The moments of Adam are kept over this, the variant that the authors' code has by default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LookaheadConfig {
    /// Whether it is done. Off by default: an average of the weights takes out noise too.
    pub enabled: bool,
    /// k, steps from one meeting to the next, at least 1; the paper's 5.
    pub steps: u64,
    /// α, the share of the way that the slow weights go, above 0 and at most 1. 0.5 and 0.8
    /// are in use; the smaller one takes out more noise.
    pub alpha: f64,
}

impl Default for LookaheadConfig {
    fn default() -> Self {
        Self { enabled: false, steps: 5, alpha: 0.5 }
    }
}

impl LookaheadConfig {
    pub(super) fn validate(&self) -> Result<(), SupervisedError> {
        if self.steps == 0 {
            return Err(SupervisedError::config("optimiser.lookahead.steps", 0, "give at least 1 step"));
        }
        if !(self.alpha > 0.0 && self.alpha <= 1.0) {
            let remedy = "give a share above 0 and at most 1";
            return Err(SupervisedError::config("optimiser.lookahead.alpha", self.alpha, remedy));
        }
        Ok(())
    }
}

/// φ ← φ + α (θ − φ), θ ← φ.
pub(super) fn meet(slow: &mut [f32], fast: &mut [f32], alpha: f64) {
    let alpha = alpha as f32;
    for (slow, fast) in slow.iter_mut().zip(fast) {
        *slow += alpha * (*fast - *slow);
        *fast = *slow;
    }
}

#[cfg(test)]
mod tests {
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::random::generator;

    /// Proposition 2 of the paper: on the quadratic ½ a (θ − c)² with noisy c of variance σ², gradient
    /// descent with the rate γ settles at a variance V of θ, Lookahead after its meetings at a smaller one,
    /// with q = 1 − γ a:
    ///
    /// ```text
    /// V = γ² a² σ² / (1 − q²)       α² (1 − q²ᵏ) / (α² (1 − q²ᵏ) + 2 α (1 − α) (1 − qᵏ)) · V
    /// ```
    #[test]
    fn the_variance_on_a_noisy_quadratic_is_that_of_the_paper() {
        let (rate, k, alpha) = (0.1, 5, 0.5);
        let variance_after = |lookahead: bool| {
            let mut rng = generator(1, "noisy quadratic", 0);
            let mut fast = vec![0.0_f32; 500];
            let mut slow = fast.clone();
            let (mut sum, mut count) = (0.0, 0.0);
            for step in 1..=1_000 {
                for parameter in &mut fast {
                    let centre: f32 = StandardNormal.sample(&mut rng);
                    *parameter -= rate * (*parameter - centre);
                }
                if step % k == 0 {
                    if lookahead {
                        meet(&mut slow, &mut fast, alpha);
                    }
                    if step > 200 {
                        sum += fast.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>();
                        count += fast.len() as f64;
                    }
                }
            }
            sum / count
        };
        let q: f64 = 1.0 - f64::from(rate);
        let descent = f64::from(rate).powi(2) / (1.0 - q * q);
        let (one, two) = (1.0 - q.powi(k), 1.0 - q.powi(2 * k));
        let share = alpha * alpha * two / (alpha * alpha * two + 2.0 * alpha * (1.0 - alpha) * one);
        assert!(share < 0.5);
        let (plain, smoothed) = (variance_after(false), variance_after(true));
        assert!((plain / descent - 1.0).abs() < 0.03, "{plain} {descent}");
        assert!((smoothed / (share * descent) - 1.0).abs() < 0.03, "{smoothed} {}", share * descent);
    }

    #[test]
    fn fast_and_slow_weights_meet_part_of_the_way() {
        let (mut slow, mut fast) = ([1.0, -2.0], [3.0, -2.0]);
        meet(&mut slow, &mut fast, 0.25);
        assert_eq!((slow, fast), ([1.5, -2.0], [1.5, -2.0]));
    }
}
