//! Gradients taken where the loss is worst nearby.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::norm::norm;
use crate::error::SupervisedError;

/// Sharpness-aware minimisation (Foret et al. 2021, arXiv 2010.01412): each step's gradient is taken not at
/// the parameters but where the loss is highest within a radius of them, so that minima are sought whose
/// surroundings are low too.
///
/// It takes two gradients per step, so the training loop does it, around [`perturb`]:
///
/// ```text
/// gradients at the parameters → perturb → gradients there → restore → Optimiser::step with those
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SharpnessConfig {
    /// Whether it is done. Off by default: a step costs twice as much.
    pub enabled: bool,
    /// ρ, the radius, a Euclidean distance of all parameters together, above 0; the paper's 0.05.
    pub radius: f64,
}

impl Default for SharpnessConfig {
    fn default() -> Self {
        Self { enabled: false, radius: 0.05 }
    }
}

impl SharpnessConfig {
    pub(super) fn validate(&self) -> Result<(), SupervisedError> {
        if self.radius.is_finite() && self.radius > 0.0 {
            return Ok(());
        }
        let remedy = "give a radius above 0, or set `enabled = false`";
        Err(SupervisedError::config("optimiser.sharpness.radius", self.radius, remedy))
    }
}

/// The way back from [`perturb`].
#[derive(Clone, Debug)]
#[must_use = "the parameters stay perturbed unless they are restored"]
pub struct Perturbation {
    original: Vec<f32>,
}

/// Moves the parameters to where a linear loss is highest within `radius`: θ + ρ g / ‖g‖ (equation 2 of the
/// paper with p = 2).
///
/// Gradients that are all zero or not all finite point nowhere: the parameters stay, and the gradient taken
/// there is the same again, which [`super::Optimiser::step`] skips where it is not finite.
///
/// # Errors
/// The slices differ in length.
pub fn perturb(
    parameters: &mut [f32],
    gradients: &[f32],
    radius: f64,
) -> Result<Perturbation, SupervisedError> {
    if parameters.len() != gradients.len() {
        let reason = format!("{} gradients for {} parameters", gradients.len(), parameters.len());
        return Err(SupervisedError::data("perturbation", reason));
    }
    let original = parameters.to_vec();
    let norm = norm(gradients);
    if norm.is_finite() && norm > 0.0 {
        // In f64: the factor of tiny gradients passes the range of f32.
        let factor = radius / norm;
        for (parameter, &gradient) in parameters.iter_mut().zip(gradients) {
            *parameter += (factor * f64::from(gradient)) as f32;
        }
    }
    Ok(Perturbation { original })
}

impl Perturbation {
    /// Puts the parameters back, exact to the bit.
    ///
    /// # Errors
    /// The slice has another length than the one that was perturbed.
    pub fn restore(self, parameters: &mut [f32]) -> Result<(), SupervisedError> {
        if parameters.len() != self.original.len() {
            let reason =
                format!("{} parameters were perturbed, not {}", self.original.len(), parameters.len());
            return Err(SupervisedError::data("perturbation", reason));
        }
        parameters.copy_from_slice(&self.original);
        Ok(())
    }

    /// The parameters before.
    #[must_use]
    pub fn original(&self) -> &[f32] {
        &self.original
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_step_is_along_the_gradient_and_as_long_as_the_radius() {
        // By hand: ‖g‖ = 13.
        let mut parameters = [1.0, -2.0, 0.5, 0.0];
        let back = perturb(&mut parameters, &[3.0, -4.0, 0.0, 12.0], 0.05).unwrap();
        let expected = [1.0 + 0.15 / 13.0, -2.0 - 0.2 / 13.0, 0.5, 0.6 / 13.0];
        for (seen, expected) in parameters.iter().zip(expected) {
            assert!((f64::from(*seen) - expected).abs() < 1e-7, "{seen} {expected}");
        }
        assert_eq!(back.original(), [1.0, -2.0, 0.5, 0.0]);
        assert!(back.restore(&mut parameters[..3]).is_err());
    }

    #[test]
    fn a_gradient_without_direction_moves_nothing() {
        for gradient in [0.0, f32::NAN, f32::INFINITY] {
            let mut parameters = [1.0, 2.0];
            let back = perturb(&mut parameters, &[gradient, 0.0], 0.05).unwrap();
            assert_eq!(parameters, [1.0, 2.0]);
            back.restore(&mut parameters).unwrap();
        }
        assert!(perturb(&mut [1.0], &[1.0, 2.0], 0.05).is_err());
        let mut parameter = [0.0];
        let _back = perturb(&mut parameter, &[1e-40], 0.05).unwrap();
        assert!((parameter[0] - 0.05).abs() < 1e-8);
    }

    proptest! {
        #[test]
        fn the_way_back_is_exact(
            numbers in prop::collection::vec((any::<f32>(), -1e3..1e3_f32), 1..40), radius in 1e-3..1e3_f64,
        ) {
            let (given, gradients): (Vec<f32>, Vec<f32>) = numbers.into_iter().unzip();
            let mut parameters = given.clone();
            perturb(&mut parameters, &gradients, radius).unwrap().restore(&mut parameters).unwrap();
            let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&parameters), bits(&given));
        }
    }

    const BARRIER: f32 = 0.15;

    /// Slope of two parabolas that meet at the barrier: a sharp one around 0, a flat one around 2.
    fn slope(x: f32) -> f32 {
        if x < BARRIER { 100.0 * x } else { x - 2.0 }
    }

    /// Gradient descent with the rate η = 0.016 settles in the sharp minimum, curvature h = 100, because η h
    /// < 2. With the gradients of the method it bounces from side to side and further each time, towards η h
    /// ρ / (2 − η h) = 4 ρ (Bartlett, Long and Bousquet 2022, arXiv 2210.01513, "bouncing across ravines"),
    /// which takes it over the barrier; in the flat minimum the same bouncing is a hundredth of ρ. (Right
    /// beside the barrier the method is held: on either side the worst point nearby is across it.)
    #[test]
    fn of_two_minima_the_flat_one_is_found() {
        let found = |start: f32, radius: Option<f64>| {
            let mut x = [start];
            for _ in 0..1_000 {
                let mut gradient = slope(x[0]);
                if let Some(radius) = radius {
                    let back = perturb(&mut x, &[gradient], radius).unwrap();
                    gradient = slope(x[0]);
                    back.restore(&mut x).unwrap();
                }
                x[0] -= 0.016 * gradient;
            }
            x[0]
        };
        for start in [-0.2, -0.1, -0.05, 0.02, 0.04] {
            let (plain, aware) = (found(start, None), found(start, Some(0.1)));
            assert!(plain.abs() < 1e-3, "{start}: {plain}");
            assert!((aware - 2.0).abs() < 2e-3, "{start}: {aware}");
        }
        // As far as the bounces of a small radius go, the minimum is not sharp: 4 ρ stays below the barrier.
        let near = found(0.02, Some(0.01)).abs();
        assert!((near - 0.04).abs() < 1e-3, "{near}");
    }
}
