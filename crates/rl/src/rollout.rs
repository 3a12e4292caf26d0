//! What was experienced since the last update, its advantages, and its minibatches.

use crate::error::RlError;
use crate::network::SequenceBatch;

/// Sizes of a [`Rollout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RolloutShape {
    /// Environments.
    pub environments: usize,
    /// Steps of each.
    pub steps: usize,
    /// Numbers of an observation.
    pub inputs: usize,
    /// Numbers of an action.
    pub action_width: usize,
    /// Numbers of a state; 0 without memory.
    pub state_width: usize,
    /// Steps of a sequence of a minibatch; divides `steps`. 1 for networks without memory.
    pub sequence: usize,
}

/// Steps of all environments, `[environments, steps]`: each environment's steps follow each other, so that a
/// sequence is a piece of memory.
#[derive(Clone, Debug)]
pub struct Rollout {
    shape: RolloutShape,
    /// `[environments, steps, inputs]`, normalised.
    pub observations: Vec<f32>,
    /// `[environments, steps, action_width]`, as drawn.
    pub actions: Vec<f32>,
    /// `[environments, steps]`: the episode begins with this step.
    pub starts: Vec<bool>,
    /// `[environments, steps]`: the episode ended with this step, by itself or cut off.
    pub ended: Vec<bool>,
    /// `[environments, steps]`: what the rest of an episode that was cut off here was worth; 0 at all other
    /// steps.
    pub bootstraps: Vec<f32>,
    /// `[environments, steps]`, normalised.
    pub rewards: Vec<f32>,
    /// `[environments, steps]`, by the critic of that time.
    pub values: Vec<f32>,
    /// `[environments, steps]`, of the actions, by what drew them.
    pub log_probabilities: Vec<f32>,
    /// `[environments, steps]`: how much more probable the policy finds the actions than what drew them,
    /// truncated from above; 1 where the policy itself drew them.
    pub importance_weights: Vec<f32>,
    /// `[environments, steps / sequence, state_width]`, before the first step of each sequence.
    pub states: Vec<f32>,
    /// `[environments, steps]`, from [`Rollout::compute_advantages`].
    pub advantages: Vec<f32>,
    /// `[environments, steps]`: advantage + value.
    pub returns: Vec<f32>,
    /// `[environments, inputs]`, normalised: what follows the last step.
    pub last_observations: Vec<f32>,
    /// Steps, counted from 0 through all environments, at which an episode was cut off.
    pub cut_rows: Vec<usize>,
    /// `[cut rows, inputs]`, normalised: what these episodes ended with.
    pub cut_observations: Vec<f32>,
}

impl Rollout {
    /// Room for a rollout.
    ///
    /// # Errors
    /// [`RlError::Shape`] for one without steps, or sequences that do not divide it.
    pub fn new(shape: RolloutShape) -> Result<Self, RlError> {
        let RolloutShape { environments, steps, inputs, action_width, state_width, sequence } = shape;
        if environments * steps * inputs * action_width * sequence == 0 || steps % sequence != 0 {
            let problem =
                format!("{shape:?}; nothing may be 0 but the state, and sequences must divide the steps");
            return Err(RlError::shape("a rollout", problem));
        }
        let rows = environments * steps;
        let numbers = || vec![0.0; rows];
        Ok(Self {
            shape,
            observations: vec![0.0; rows * inputs],
            actions: vec![0.0; rows * action_width],
            starts: vec![false; rows],
            ended: vec![false; rows],
            bootstraps: numbers(),
            rewards: numbers(),
            values: numbers(),
            log_probabilities: numbers(),
            importance_weights: vec![1.0; rows],
            states: vec![0.0; rows / sequence * state_width],
            advantages: numbers(),
            returns: numbers(),
            last_observations: vec![0.0; environments * inputs],
            cut_rows: Vec::new(),
            cut_observations: Vec::new(),
        })
    }

    /// Its sizes.
    #[must_use]
    pub fn shape(&self) -> RolloutShape {
        self.shape
    }

    /// Steps of all environments together.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.shape.environments * self.shape.steps
    }

    /// Generalised advantage estimation (Schulman et al. 2016, arXiv 1506.02438, equation 16), from the
    /// values of the observations after the last step, `[environments]`.
    ///
    /// Where importance weights are not 1 these are V-trace's (Espeholt et al. 2018, arXiv 1802.01561,
    /// equation 1 and remark 2 for λ, with the same bound for ρ and c): returns are vₛ = V(xₛ) + Aₛ and
    /// advantages Aₛ = ρₛ (δₛ + γ λ Aₛ₊₁) with δₛ = rₛ + γ V(xₛ₊₁) − V(xₛ), which is what weighs the policy
    /// gradient, ρₛ (rₛ + γ vₛ₊₁ − V(xₛ)), with vₛ₊₁ mixed with V(xₛ₊₁) by λ.
    ///
    /// A step that ends an episode sees nothing of what comes after: neither value nor advantage is read, so
    /// that not even NaN gets through. Where the episode was cut off, its bootstrap stands for the rest.
    ///
    /// # Errors
    /// [`RlError::Shape`] for another number of values.
    pub fn compute_advantages(
        &mut self,
        last_values: &[f32],
        discount: f32,
        lambda: f32,
    ) -> Result<(), RlError> {
        let RolloutShape { environments, steps, .. } = self.shape;
        if last_values.len() != environments {
            let problem = format!("{} values for {environments} environments", last_values.len());
            return Err(RlError::shape("the advantages of a rollout", problem));
        }
        for (environment, last_value) in last_values.iter().enumerate() {
            let (mut next_value, mut next_advantage) = (*last_value, 0.0);
            for row in (environment * steps..(environment + 1) * steps).rev() {
                let advantage = if self.ended[row] {
                    self.rewards[row] + discount * self.bootstraps[row] - self.values[row]
                } else {
                    let error = self.rewards[row] + discount * next_value - self.values[row];
                    error + discount * lambda * next_advantage
                };
                let advantage = self.importance_weights[row] * advantage;
                self.advantages[row] = advantage;
                self.returns[row] = advantage + self.values[row];
                (next_value, next_advantage) = (self.values[row], advantage);
            }
        }
        Ok(())
    }

    /// Copies sequences, counted from 0 through all environments, into a minibatch.
    pub fn gather(&self, sequences: &[usize], minibatch: &mut Minibatch) {
        let RolloutShape { inputs, action_width, state_width, sequence, .. } = self.shape;
        minibatch.clear();
        (minibatch.sequences, minibatch.time) = (sequences.len(), sequence);
        for &index in sequences {
            let rows = |width: usize| index * sequence * width..(index + 1) * sequence * width;
            minibatch.observations.extend_from_slice(&self.observations[rows(inputs)]);
            minibatch.actions.extend_from_slice(&self.actions[rows(action_width)]);
            minibatch.starts.extend_from_slice(&self.starts[rows(1)]);
            minibatch.states.extend_from_slice(&self.states[index * state_width..(index + 1) * state_width]);
            minibatch.values.extend_from_slice(&self.values[rows(1)]);
            minibatch.log_probabilities.extend_from_slice(&self.log_probabilities[rows(1)]);
            minibatch.advantages.extend_from_slice(&self.advantages[rows(1)]);
            minibatch.returns.extend_from_slice(&self.returns[rows(1)]);
        }
    }

    /// Share of the variance of returns that values explain, 1 − Var(returns − values) / Var(returns); NaN
    /// where returns do not vary.
    #[must_use]
    pub fn explained_variance(&self) -> f32 {
        let variance = |values: &mut dyn Iterator<Item = f64>| {
            let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
            for value in values {
                count += 1.0;
                let delta = value - mean;
                mean += delta / count;
                squares += delta * (value - mean);
            }
            squares / count
        };
        let total = variance(&mut self.returns.iter().map(|value| f64::from(*value)));
        let errors = self.returns.iter().zip(&self.values);
        let rest = variance(&mut errors.map(|(target, value)| f64::from(*target) - f64::from(*value)));
        if total == 0.0 { f32::NAN } else { (1.0 - rest / total) as f32 }
    }
}

/// Some sequences of a rollout.
#[derive(Clone, Debug, Default)]
pub struct Minibatch {
    /// How many sequences.
    pub sequences: usize,
    /// Steps of each.
    pub time: usize,
    /// `[sequences, time, inputs]`.
    pub observations: Vec<f32>,
    /// `[sequences, time, action_width]`.
    pub actions: Vec<f32>,
    /// `[sequences, time]`.
    pub starts: Vec<bool>,
    /// `[sequences, state_width]`.
    pub states: Vec<f32>,
    /// `[sequences, time]`.
    pub values: Vec<f32>,
    /// `[sequences, time]`.
    pub log_probabilities: Vec<f32>,
    /// `[sequences, time]`.
    pub advantages: Vec<f32>,
    /// `[sequences, time]`.
    pub returns: Vec<f32>,
}

impl Minibatch {
    fn clear(&mut self) {
        let Self { observations, actions, states, values, log_probabilities, advantages, returns, .. } = self;
        for values in [observations, actions, states, values, log_probabilities, advantages, returns] {
            values.clear();
        }
        self.starts.clear();
    }

    /// What a network sees of it.
    #[must_use]
    pub fn batch(&self) -> SequenceBatch<'_> {
        SequenceBatch {
            sequences: self.sequences,
            time: self.time,
            observations: &self.observations,
            starts: &self.starts,
            states: &self.states,
        }
    }

    /// Steps of all sequences.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.sequences * self.time
    }
}

#[cfg(test)]
mod tests;
