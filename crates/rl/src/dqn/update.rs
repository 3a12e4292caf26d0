//! Gradient steps.

use super::Dqn;
use super::loss::{output_gradient, targets, temporal_difference};
use crate::error::RlError;
use crate::network::SequenceBatch;
use crate::replay::ReplayBatch;
use crate::value_policy::action_values;

/// Room that is used again and again.
#[derive(Debug, Default)]
pub(super) struct Work {
    outputs: Vec<f32>,
    values: Vec<f32>,
    /// Of each environment.
    pub(super) chosen: Vec<f32>,
    pub(super) last: Vec<f32>,
    choosing: Vec<f32>,
    pub(super) targets: Vec<f32>,
    errors: Vec<f32>,
    by_value: Vec<f32>,
    by_output: Vec<f32>,
    starts: Vec<bool>,
    pub(super) gradient: Vec<f32>,
    pub(super) batch: ReplayBatch,
}

impl Work {
    pub(super) fn new(parameters: usize, environments: usize) -> Self {
        let (gradient, chosen) = (vec![0.0; parameters], vec![0.0; environments]);
        Self { gradient, chosen, ..Self::default() }
    }
}

/// What the gradient steps of a round were like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    /// Mean over all.
    pub(super) loss: f64,
    /// Of the last, before it was clipped.
    pub(super) gradient_norm: f32,
    /// Mean value of the actions taken, of the last batch.
    pub(super) mean_value: f64,
}

/// Moves `to` by a share of the way to `from`; all the way copies it to the bit.
pub(super) fn blend(to: &mut [f32], from: &[f32], rate: f32) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = if rate < 1.0 { (1.0 - rate) * *to + rate * from } else { *from };
    }
}

impl Dqn {
    /// The gradient steps of a round; none while transitions of several steps are not yet whole.
    pub(super) fn round(&mut self) -> Result<Option<Round>, RlError> {
        let (mut sum, mut mean_value, mut gradient_norm) = (0.0, 0.0, 0.0);
        if self.buffer.is_empty() {
            return Ok(None);
        }
        for _ in 0..self.config.gradient_steps {
            let draw = (self.seed, self.updates);
            let (size, share) = (self.config.batch_size, self.share());
            self.sampler.sample(&self.buffer, size, draw, share, &mut self.work.batch)?;
            let (loss, mean) = self.gradient()?;
            if !loss.is_finite() {
                let reason = format!("the loss of update {} is {loss}", self.updates);
                return Err(RlError::Diverged { step: self.steps, reason });
            }
            let limit = self.config.maximum_gradient_norm as f32;
            gradient_norm = self.optimiser.clip(&mut self.work.gradient, limit)?;
            let rate = self.config.learning_rate.at(share);
            let parameters = self.policy.network.parameters_mut();
            self.optimiser.step(&mut [parameters], &self.work.gradient, rate)?;
            self.sampler.learned(&self.work.batch.indices, &self.work.errors)?;
            self.updates += 1;
            sum += f64::from(loss);
            mean_value = mean;
        }
        let loss = sum / self.config.gradient_steps as f64;
        Ok(Some(Round { loss, gradient_norm, mean_value }))
    }

    /// The gradient of the loss of the batch; gives the loss, and the mean value of the actions taken.
    pub(super) fn gradient(&mut self) -> Result<(f32, f64), RlError> {
        let (actions, dueling) = (self.actions, self.config.dueling);
        let work = &mut self.work;
        let batch = &work.batch;
        let rows = batch.actions.len();
        work.outputs.resize(rows * self.config.outputs(actions), 0.0);
        self.target.step(&batch.next_observations, &mut [], &mut work.outputs)?;
        action_values(&work.outputs, actions, dueling, &mut work.values);
        let choosing = if self.config.double {
            self.policy.network.step(&batch.next_observations, &mut [], &mut work.outputs)?;
            action_values(&work.outputs, actions, dueling, &mut work.choosing);
            Some(work.choosing.as_slice())
        } else {
            None
        };
        targets(&batch.rewards, &batch.discounts, actions, &work.values, choosing, &mut work.targets);

        work.starts.resize(rows, true);
        let observations = &batch.observations;
        let sequences =
            SequenceBatch { sequences: rows, time: 1, observations, starts: &work.starts, states: &[] };
        self.policy.network.forward(&sequences, &mut work.outputs)?;
        action_values(&work.outputs, actions, dueling, &mut work.values);
        let taken = work.values.chunks_exact(actions).zip(&batch.actions);
        let taken = taken.map(|(values, action)| values.get(*action).copied().unwrap_or(f32::NAN));
        let mean = taken.clone().map(f64::from).sum::<f64>() / rows as f64;
        let (errors, by_value) = (&mut work.errors, &mut work.by_value);
        let loss =
            temporal_difference(self.config.loss, taken, &work.targets, &batch.weights, errors, by_value);
        output_gradient(by_value, &batch.actions, actions, dueling, &mut work.by_output);
        work.gradient.fill(0.0);
        self.policy.network.backward(&work.by_output, &mut work.gradient)?;
        Ok((loss, mean))
    }
}
