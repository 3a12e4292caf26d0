//! Values of actions, what they should be, and the loss between the two with its derivative.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::RlError;
use crate::value_policy::best;

/// Loss of one temporal-difference error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Loss {
    /// Half the square up to the threshold, linear beyond it (Huber 1964); with 1, PyTorch's
    /// `smooth_l1_loss`.
    Huber {
        /// Where it becomes linear, above 0.
        threshold: f32,
    },
    /// Half the square.
    SquaredError,
}

impl Default for Loss {
    /// That of Stable-Baselines3.
    fn default() -> Self {
        Self::Huber { threshold: 1.0 }
    }
}

impl Loss {
    /// # Errors
    /// [`RlError::Config`] for a threshold that is none.
    pub fn validate(&self) -> Result<(), RlError> {
        match self {
            Self::Huber { threshold } if !(*threshold > 0.0 && threshold.is_finite()) => {
                Err(RlError::config("dqn.loss.threshold", threshold, "give a positive number"))
            }
            _ => Ok(()),
        }
    }

    /// Loss of an error and its derivative.
    #[must_use]
    pub fn of(&self, error: f32) -> (f32, f32) {
        match *self {
            Self::Huber { threshold } if error.abs() > threshold => {
                (threshold * (error.abs() - 0.5 * threshold), threshold.copysign(error))
            }
            _ => (0.5 * error * error, error),
        }
    }
}

/// The derivative of the loss by the outputs from that by the value of the action taken in each row.
pub(super) fn output_gradient(
    by_value: &[f32],
    taken: &[usize],
    actions: usize,
    dueling: bool,
    gradient: &mut Vec<f32>,
) {
    gradient.clear();
    for (by_value, taken) in by_value.iter().zip(taken) {
        let mean = if dueling { by_value / actions as f32 } else { 0.0 };
        if dueling {
            gradient.push(*by_value);
        }
        gradient.extend((0..actions).map(|action| if action == *taken { by_value - mean } else { -mean }));
    }
}

/// What the values of the actions taken should be, `[rows]`: reward plus discount times the target network's
/// value of the action that it finds best itself (Mnih et al. 2015), or that the online network does
/// (`choosing`; double Q-learning).
///
/// Where the discount is 0, what was seen next is not looked at: nothing of it, not even not-a-number, gets
/// through.
pub(super) fn targets(
    rewards: &[f32],
    discounts: &[f32],
    actions: usize,
    valuing: &[f32],
    choosing: Option<&[f32]>,
    targets: &mut Vec<f32>,
) {
    targets.clear();
    let rows = valuing.chunks_exact(actions).zip(choosing.unwrap_or(valuing).chunks_exact(actions));
    for ((reward, discount), (valuing, choosing)) in rewards.iter().zip(discounts).zip(rows) {
        let next = if *discount == 0.0 { 0.0 } else { valuing.get(best(choosing)).copied().unwrap_or(0.0) };
        targets.push(reward + discount * next);
    }
}

/// The weighted mean loss `Σ wᵢ L(Qᵢ - yᵢ) / rows`, and writes the errors `Qᵢ - yᵢ` and the derivative by
/// `Qᵢ`.
pub(super) fn temporal_difference(
    loss: Loss,
    taken_values: impl Iterator<Item = f32>,
    targets: &[f32],
    weights: &[f32],
    errors: &mut Vec<f32>,
    by_value: &mut Vec<f32>,
) -> f32 {
    errors.clear();
    by_value.clear();
    let rows = targets.len() as f32;
    let mut sum = 0.0;
    for ((value, target), weight) in taken_values.zip(targets).zip(weights) {
        let error = value - target;
        let (one, derivative) = loss.of(error);
        sum += weight * one;
        errors.push(error);
        by_value.push(weight * derivative / rows);
    }
    sum / rows
}
