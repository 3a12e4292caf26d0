//! Losses of A2C and PPO, and their derivatives by the outputs of the networks.

use serde::Serialize;

use crate::distribution::{Distribution, RowGradient};
use crate::rollout::Minibatch;

/// What is minimised: policy loss − `entropy_coefficient` · entropy + `value_coefficient` · value loss, each
/// a mean over the steps of a minibatch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// None: A2C's, −A log π. Else PPO's clipped surrogate (Schulman et al. 2017, arXiv 1707.06347, equation
    /// 7), −min(ρ A, clip(ρ, 1 − c, 1 + c) A) with the ratio of probabilities ρ.
    pub clip_range: Option<f32>,
    /// Values are kept this close to those of the rollout in the value loss; none: as they are.
    pub value_clip_range: Option<f32>,
    /// Weight of the entropy.
    pub entropy_coefficient: f32,
    /// Weight of the mean squared error of values.
    pub value_coefficient: f32,
    /// Advantages of a minibatch get mean 0 and standard deviation 1.
    pub normalise_advantages: bool,
}

/// Terms of the loss, and what is watched beside them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LossTerms {
    /// Of the policy.
    pub policy: f32,
    /// Mean squared error of values, without its weight.
    pub value: f32,
    /// Mean entropy, nats.
    pub entropy: f32,
    /// Mean of (ρ − 1) − ln ρ, an estimate of the divergence from the policy of the rollout (Schulman 2020,
    /// "Approximating KL divergence", k3), nats; 0 for A2C.
    pub approximate_kl: f32,
    /// Share of steps whose ratio was beyond the clip range; 0 for A2C.
    pub clip_fraction: f32,
}

impl LossTerms {
    /// The loss itself.
    #[must_use]
    pub fn total(&self, objective: &Objective) -> f32 {
        self.policy - objective.entropy_coefficient * self.entropy + objective.value_coefficient * self.value
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.policy += other.policy;
        self.value += other.value;
        self.entropy += other.entropy;
        self.approximate_kl += other.approximate_kl;
        self.clip_fraction += other.clip_fraction;
    }

    pub(crate) fn scaled(&self, factor: f32) -> Self {
        Self {
            policy: self.policy * factor,
            value: self.value * factor,
            entropy: self.entropy * factor,
            approximate_kl: self.approximate_kl * factor,
            clip_fraction: self.clip_fraction * factor,
        }
    }
}

/// Where derivatives go.
#[derive(Debug)]
pub struct OutputGradients<'a> {
    /// d loss / d outputs for the distribution, `[rows, outputs]`; written.
    pub outputs: &'a mut [f32],
    /// d loss / d values, `[rows]`; written.
    pub values: &'a mut [f32],
    /// d loss / d log standard deviations; ADDED to.
    pub log_deviations: &'a mut [f32],
}

/// What the networks say of a minibatch.
#[derive(Clone, Copy, Debug)]
pub struct Evaluation<'a> {
    /// Of the actions.
    pub distribution: &'a Distribution,
    /// `[rows, outputs]`.
    pub outputs: &'a [f32],
    /// `[rows]`.
    pub values: &'a [f32],
    /// Of continuous actions.
    pub log_deviations: &'a [f32],
}

/// Mean and inverse standard deviation of the advantages, as Stable-Baselines3: of the sample, 1e-8 added.
fn advantage_scale(advantages: &[f32]) -> (f32, f32) {
    if advantages.len() < 2 {
        return (0.0, 1.0);
    }
    let count = advantages.len() as f64;
    let mean = advantages.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
    let squares: f64 = advantages.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum();
    (mean as f32, (1.0 / ((squares / (count - 1.0)).sqrt() + 1e-8)) as f32)
}

impl Objective {
    /// The loss of a minibatch and its derivatives by what the networks put out.
    pub fn derivative(
        &self,
        minibatch: &Minibatch,
        evaluation: &Evaluation<'_>,
        gradients: &mut OutputGradients<'_>,
    ) -> LossTerms {
        let rows = minibatch.rows();
        let (width, outputs) = (evaluation.distribution.action_width(), evaluation.distribution.outputs());
        let scale = 1.0 / rows as f32;
        let (mean, inverse) =
            if self.normalise_advantages { advantage_scale(&minibatch.advantages) } else { (0.0, 1.0) };
        let mut terms = LossTerms::default();
        for row in 0..rows {
            let action = &minibatch.actions[row * width..(row + 1) * width];
            let range = row * outputs..(row + 1) * outputs;
            let row_outputs = &evaluation.outputs[range.clone()];
            let (distribution, logs) = (evaluation.distribution, evaluation.log_deviations);
            let [log_probability, entropy] =
                distribution.log_probability_and_entropy(row_outputs, logs, action);
            let advantage = (minibatch.advantages[row] - mean) * inverse;
            let by_log_probability =
                self.policy(log_probability, minibatch.log_probabilities[row], advantage, &mut terms);
            terms.entropy += entropy;
            let wanted = RowGradient {
                log_probability: by_log_probability * scale,
                entropy: -self.entropy_coefficient * scale,
            };
            let out = &mut gradients.outputs[range];
            distribution.gradient(row_outputs, logs, action, wanted, out, gradients.log_deviations);
            let (value, old, target) =
                (evaluation.values[row], minibatch.values[row], minibatch.returns[row]);
            let by_value = self.value(value, old, target, &mut terms);
            gradients.values[row] = self.value_coefficient * by_value * scale;
        }
        terms.scaled(scale)
    }

    /// Adds the terms of one step; d policy loss / d log probability, before the mean.
    fn policy(&self, log_probability: f32, old: f32, advantage: f32, terms: &mut LossTerms) -> f32 {
        let Some(range) = self.clip_range else {
            terms.policy -= advantage * log_probability;
            return -advantage;
        };
        let log_ratio = log_probability - old;
        let ratio = log_ratio.exp();
        let (whole, clipped) = (advantage * ratio, advantage * ratio.clamp(1.0 - range, 1.0 + range));
        terms.policy -= if clipped < whole { clipped } else { whole };
        terms.approximate_kl += (ratio - 1.0) - log_ratio;
        terms.clip_fraction += if (ratio - 1.0).abs() > range { 1.0 } else { 0.0 };
        // What is clipped does not depend on the policy any more.
        if clipped < whole { 0.0 } else { -whole }
    }

    /// Adds the term of one step; d squared error / d value, before the mean.
    fn value(&self, value: f32, old: f32, target: f32, terms: &mut LossTerms) -> f32 {
        let (value, slope) = match self.value_clip_range {
            Some(range) if (value - old).abs() > range => (old + (value - old).clamp(-range, range), 0.0),
            _ => (value, 2.0),
        };
        let error = value - target;
        terms.value += error * error;
        slope * error
    }
}

#[cfg(test)]
mod tests;
