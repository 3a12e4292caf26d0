//! Distributions of actions, with the derivatives that policy gradients need.
//!
//! An action is a row of `f32`: a choice is its number (exact up to 2²⁴), a continuous action its values.
//! What a network puts out for one row is `[outputs]`: logits, or means.

mod categorical;
mod gaussian;
mod multi_categorical;
mod uniform;

use rand::Rng;

use crate::environment::Actions;
use crate::error::RlError;
use crate::space::Space;

/// The distribution of one space of actions.
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {
    /// One choice; outputs are its logits.
    Categorical {
        /// Choices.
        count: usize,
    },
    /// Several independent choices; outputs are the logits of the first, then of the second, and so on.
    MultiCategorical {
        /// Choices of each.
        counts: Vec<usize>,
    },
    /// Independent normal distributions; outputs are the means. Their log standard deviations do not depend
    /// on the observation. Actions are unbounded; the environment gets them cut off at its bounds, as in
    /// Stable-Baselines3.
    DiagonalGaussian {
        /// Lower bounds of what the environment gets.
        low: Vec<f32>,
        /// Upper bounds.
        high: Vec<f32>,
    },
}

/// What a loss asks of one row: the factors of its derivative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowGradient {
    /// d loss / d log probability of the action.
    pub log_probability: f32,
    /// d loss / d entropy.
    pub entropy: f32,
}

impl Distribution {
    /// For a space of actions.
    ///
    /// # Errors
    /// [`RlError::Shape`] for a space that is refused.
    pub fn of(space: &Space) -> Result<Self, RlError> {
        space.validate()?;
        Ok(match space {
            Space::Discrete { count } => Self::Categorical { count: *count },
            Space::MultiDiscrete { counts } => Self::MultiCategorical { counts: counts.clone() },
            Space::Continuous { low, high } => {
                Self::DiagonalGaussian { low: low.clone(), high: high.clone() }
            }
        })
    }

    /// What a network puts out for one row.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match self {
            Self::Categorical { count } => *count,
            Self::MultiCategorical { counts } => counts.iter().sum(),
            Self::DiagonalGaussian { low, .. } => low.len(),
        }
    }

    /// Numbers of one action.
    #[must_use]
    pub fn action_width(&self) -> usize {
        match self {
            Self::Categorical { .. } => 1,
            Self::MultiCategorical { counts } => counts.len(),
            Self::DiagonalGaussian { low, .. } => low.len(),
        }
    }

    /// Parameters beside the network: log standard deviations.
    #[must_use]
    pub fn log_deviations(&self) -> usize {
        if let Self::DiagonalGaussian { low, .. } = self { low.len() } else { 0 }
    }

    /// Draws an action, `[action_width]`.
    pub fn sample(&self, outputs: &[f32], log_deviations: &[f32], action: &mut [f32], random: &mut impl Rng) {
        match self {
            Self::Categorical { .. } => {
                action.iter_mut().for_each(|action| *action = categorical::sample(outputs, random) as f32);
            }
            Self::MultiCategorical { counts } => multi_categorical::sample(counts, outputs, action, random),
            Self::DiagonalGaussian { .. } => gaussian::sample(outputs, log_deviations, action, random),
        }
    }

    /// The most probable action, `[action_width]`.
    pub fn mode(&self, outputs: &[f32], action: &mut [f32]) {
        match self {
            Self::Categorical { .. } => {
                action.iter_mut().for_each(|action| *action = categorical::mode(outputs) as f32);
            }
            Self::MultiCategorical { counts } => multi_categorical::mode(counts, outputs, action),
            Self::DiagonalGaussian { .. } => action.copy_from_slice(outputs),
        }
    }

    /// Log probability (or density) of an action, and entropy, in nats.
    #[must_use]
    pub fn log_probability_and_entropy(
        &self,
        outputs: &[f32],
        log_deviations: &[f32],
        action: &[f32],
    ) -> [f32; 2] {
        match self {
            Self::Categorical { .. } => {
                categorical::log_probability_and_entropy(outputs, action.first().copied().unwrap_or(f32::NAN))
            }
            Self::MultiCategorical { counts } => {
                multi_categorical::log_probability_and_entropy(counts, outputs, action)
            }
            Self::DiagonalGaussian { .. } => {
                gaussian::log_probability_and_entropy(outputs, log_deviations, action)
            }
        }
    }

    /// Writes d loss / d outputs, `[outputs]`, and ADDS d loss / d log deviations.
    pub fn gradient(
        &self,
        outputs: &[f32],
        log_deviations: &[f32],
        action: &[f32],
        wanted: RowGradient,
        output_gradient: &mut [f32],
        log_deviation_gradient: &mut [f32],
    ) {
        match self {
            Self::Categorical { .. } => {
                let action = action.first().copied().unwrap_or(f32::NAN);
                categorical::gradient(outputs, action, wanted, output_gradient);
            }
            Self::MultiCategorical { counts } => {
                multi_categorical::gradient(counts, outputs, action, wanted, output_gradient);
            }
            Self::DiagonalGaussian { .. } => {
                let (means, logs) = (output_gradient, log_deviation_gradient);
                gaussian::gradient(outputs, log_deviations, action, wanted, means, logs);
            }
        }
    }

    /// What environments get, for rows `[rows, action_width]`; `actions` is written over, without allocating
    /// where it already holds as many.
    pub fn actions(&self, rows: &[f32], actions: &mut Actions) {
        match (self, actions) {
            (Self::Categorical { .. }, Actions::Discrete(choices)) => {
                choices.clear();
                choices.extend(rows.iter().map(|choice| *choice as usize));
            }
            (Self::MultiCategorical { counts }, Actions::MultiDiscrete(choices, parts)) => {
                *parts = counts.len();
                choices.clear();
                choices.extend(rows.iter().map(|choice| *choice as usize));
            }
            (Self::DiagonalGaussian { low, high }, Actions::Continuous(values, width)) => {
                *width = low.len();
                values.clear();
                let bounds = low.iter().zip(high).cycle();
                values.extend(rows.iter().zip(bounds).map(|(value, (low, high))| value.max(*low).min(*high)));
            }
            (_, actions) => {
                *actions = match self {
                    Self::Categorical { .. } => Actions::Discrete(Vec::new()),
                    Self::MultiCategorical { .. } => Actions::MultiDiscrete(Vec::new(), 0),
                    Self::DiagonalGaussian { .. } => Actions::Continuous(Vec::new(), 0),
                };
                self.actions(rows, actions);
            }
        }
    }
}

#[cfg(test)]
mod tests;
