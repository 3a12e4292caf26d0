//! Steps of older policies, kept to learn from again.

use rand::{Rng, RngExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codec::{Reader, Writer};
use crate::error::RlError;
use crate::on_policy::expect_positive;
use crate::policy::Policy;
use crate::rollout::{Rollout, RolloutShape};

/// An experience buffer: what was done under older policies is learned from again, corrected by V-trace
/// (Espeholt et al. 2018, arXiv 1802.01561, equation 1) with the probabilities of that time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ExperienceConfig {
    /// Steps that are kept, at least `steps`; whole sequences of `steps`, as many as fit.
    pub capacity: usize,
    /// Steps of one update, at least `steps`; whole sequences, as many as fit.
    pub batch_size: usize,
    /// Updates after each rollout.
    pub updates: usize,
    /// Bound of importance weights, above 0: ρ̄ and c̄ of V-trace.
    pub maximum_importance_weight: f32,
}

impl Default for ExperienceConfig {
    fn default() -> Self {
        Self { capacity: 10_000, batch_size: 80, updates: 1, maximum_importance_weight: 1.0 }
    }
}

impl ExperienceConfig {
    /// For rollouts of so many steps of each environment.
    pub(super) fn validate(&self, steps: usize) -> Result<(), RlError> {
        let sizes = [("experience.capacity", self.capacity), ("experience.batch_size", self.batch_size)];
        if let Some((field, value)) = sizes.into_iter().find(|(_, value)| *value < steps) {
            return Err(RlError::config(field, value, "give at least `steps`: whole sequences are kept"));
        }
        expect_positive("experience.updates", self.updates as u64)?;
        let bound = self.maximum_importance_weight;
        if !(bound > 0.0 && bound.is_finite()) {
            let remedy = "give a positive number, as 1";
            return Err(RlError::config("experience.maximum_importance_weight", bound, remedy));
        }
        Ok(())
    }
}

/// Steps of one environment that follow each other, normalised as they were seen.
#[derive(Clone, Debug, Default, PartialEq)]
struct Sequence {
    /// `[steps, inputs]`.
    observations: Vec<f32>,
    /// `[steps, action_width]`.
    actions: Vec<f32>,
    /// `[steps]`.
    rewards: Vec<f32>,
    /// `[steps]`, by what drew the actions.
    log_probabilities: Vec<f32>,
    /// `[steps]`.
    ended: Vec<bool>,
    /// `[inputs]`: what follows the last step.
    last_observation: Vec<f32>,
    /// Steps at which an episode was cut off, and what was seen there, `[cuts, inputs]`.
    cuts: Vec<usize>,
    cut_observations: Vec<f32>,
}

/// A ring of sequences, and room for a batch of them.
#[derive(Debug)]
pub(super) struct Experience {
    /// Sequences that are kept.
    capacity: usize,
    sequences: Vec<Sequence>,
    /// Where the next one goes.
    next: usize,
    maximum_importance_weight: f32,
    /// A batch, as if it were a rollout of as many environments.
    batch: Rollout,
    outputs: Vec<f32>,
    last_values: Vec<f32>,
    cut_values: Vec<f32>,
}

impl Experience {
    /// For sequences of rollouts of this shape.
    pub(super) fn new(config: &ExperienceConfig, shape: RolloutShape) -> Result<Self, RlError> {
        if shape.state_width != 0 {
            let problem = "it has memory, whose states of that time are not those of the policy that learns; \
                           leave `experience` out, or take networks without memory";
            return Err(RlError::shape("the policy", problem));
        }
        let environments = config.batch_size / shape.steps;
        Ok(Self {
            capacity: config.capacity / shape.steps,
            sequences: Vec::new(),
            next: 0,
            maximum_importance_weight: config.maximum_importance_weight,
            batch: Rollout::new(RolloutShape { environments, ..shape })?,
            outputs: Vec::new(),
            last_values: vec![0.0; environments],
            cut_values: Vec::new(),
        })
    }

    /// Takes a rollout in, over the oldest sequences.
    pub(super) fn push(&mut self, rollout: &Rollout) {
        let RolloutShape { environments, steps, inputs, action_width, .. } = rollout.shape();
        for environment in 0..environments {
            if self.sequences.len() <= self.next {
                self.sequences.push(Sequence::default());
            }
            let sequence = &mut self.sequences[self.next];
            self.next = (self.next + 1) % self.capacity;
            let rows = |width: usize| environment * steps * width..(environment + 1) * steps * width;
            overwrite(&mut sequence.observations, &rollout.observations[rows(inputs)]);
            overwrite(&mut sequence.actions, &rollout.actions[rows(action_width)]);
            overwrite(&mut sequence.rewards, &rollout.rewards[rows(1)]);
            overwrite(&mut sequence.log_probabilities, &rollout.log_probabilities[rows(1)]);
            overwrite(&mut sequence.ended, &rollout.ended[rows(1)]);
            let last = &rollout.last_observations[environment * inputs..(environment + 1) * inputs];
            overwrite(&mut sequence.last_observation, last);
            sequence.cuts.clear();
            sequence.cut_observations.clear();
            let cuts = rollout.cut_rows.iter().zip(rollout.cut_observations.chunks_exact(inputs));
            for (row, observation) in cuts.filter(|(row, _)| rows(1).contains(row)) {
                sequence.cuts.push(row - environment * steps);
                sequence.cut_observations.extend_from_slice(observation);
            }
        }
    }

    /// Draws sequences, all alike and with replacement, and looks at them with the policy as it is now:
    /// values, importance weights, advantages.
    pub(super) fn sample(
        &mut self,
        policy: &mut Policy,
        random: &mut impl Rng,
        discount: f32,
        lambda: f32,
    ) -> Result<&Rollout, RlError> {
        let RolloutShape { environments, steps, inputs, action_width, .. } = self.batch.shape();
        self.batch.cut_rows.clear();
        self.batch.cut_observations.clear();
        for place in 0..environments {
            let sequence = &self.sequences[random.random_range(0..self.sequences.len())];
            let rows = |width: usize| place * steps * width..(place + 1) * steps * width;
            self.batch.observations[rows(inputs)].copy_from_slice(&sequence.observations);
            self.batch.actions[rows(action_width)].copy_from_slice(&sequence.actions);
            self.batch.rewards[rows(1)].copy_from_slice(&sequence.rewards);
            self.batch.log_probabilities[rows(1)].copy_from_slice(&sequence.log_probabilities);
            self.batch.ended[rows(1)].copy_from_slice(&sequence.ended);
            self.batch.last_observations[place * inputs..(place + 1) * inputs]
                .copy_from_slice(&sequence.last_observation);
            self.batch.cut_rows.extend(sequence.cuts.iter().map(|step| place * steps + step));
            self.batch.cut_observations.extend_from_slice(&sequence.cut_observations);
        }
        self.look(policy)?;
        self.batch.compute_advantages(&self.last_values, discount, lambda)?;
        Ok(&self.batch)
    }

    /// Values and importance weights of the batch by the policy as it is now.
    fn look(&mut self, policy: &mut Policy) -> Result<(), RlError> {
        let Self { batch, outputs, last_values, cut_values, .. } = self;
        let (per_row, width) = (policy.model.distribution().outputs(), batch.shape().action_width);
        let mut step = |observations: &[f32], outputs: &mut Vec<f32>, values: &mut [f32]| {
            outputs.resize(values.len() * per_row, 0.0);
            policy.model.step(observations, &mut [], outputs, values)
        };
        step(&batch.last_observations, outputs, last_values)?;
        cut_values.resize(batch.cut_rows.len(), 0.0);
        step(&batch.cut_observations, outputs, cut_values)?;
        batch.bootstraps.fill(0.0);
        for (row, value) in batch.cut_rows.iter().zip(&*cut_values) {
            batch.bootstraps[*row] = *value;
        }
        step(&batch.observations, outputs, &mut batch.values)?;
        let (distribution, logs) = (policy.model.distribution(), policy.model.log_deviations());
        let rows = outputs.chunks_exact(per_row).zip(batch.actions.chunks_exact(width));
        let weights = batch.importance_weights.iter_mut().zip(&batch.log_probabilities);
        for ((outputs, action), (weight, behaviour)) in rows.zip(weights) {
            let [log_probability, _] = distribution.log_probability_and_entropy(outputs, logs, action);
            *weight = (log_probability - behaviour).exp().min(self.maximum_importance_weight);
        }
        Ok(())
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        writer.usize(self.next);
        writer.usize(self.sequences.len());
        for sequence in &self.sequences {
            for values in sequence.floats() {
                writer.f32s(values);
            }
            sequence.ended.iter().for_each(|ended| writer.bool(*ended));
            writer.usize(sequence.cuts.len());
            sequence.cuts.iter().for_each(|step| writer.usize(*step));
        }
    }

    pub(super) fn restore(&mut self, reader: &mut Reader<'_>) -> Result<(), RlError> {
        let RolloutShape { steps, inputs, action_width, .. } = self.batch.shape();
        let (next, count) = (reader.usize()?, reader.usize()?);
        let ring = count == self.capacity && next < count || count < self.capacity && next == count;
        if !ring {
            let problem = format!("its experience buffer holds {count} and goes on at {next}; it is damaged");
            return Err(RlError::checkpoint(problem));
        }
        self.next = next;
        self.sequences.clear();
        for _ in 0..count {
            let [observations, actions, rewards, log_probabilities, last_observation, cut_observations] = [
                reader.f32s()?,
                reader.f32s()?,
                reader.f32s()?,
                reader.f32s()?,
                reader.f32s()?,
                reader.f32s()?,
            ];
            let ended = (0..steps).map(|_| reader.bool()).collect::<Result<Vec<_>, _>>()?;
            let cuts = reader.usize()?.min(steps + 1);
            let cuts = (0..cuts).map(|_| reader.usize()).collect::<Result<Vec<_>, _>>()?;
            let sequence = Sequence {
                observations,
                actions,
                rewards,
                log_probabilities,
                ended,
                last_observation,
                cuts,
                cut_observations,
            };
            let lengths =
                [steps * inputs, steps * action_width, steps, steps, inputs, sequence.cuts.len() * inputs];
            let fits = sequence.floats().into_iter().map(Vec::len).eq(lengths);
            if !fits || sequence.cuts.iter().any(|step| *step >= steps) {
                let problem = "its experience is of other environments; make the same";
                return Err(RlError::checkpoint(problem));
            }
            self.sequences.push(sequence);
        }
        Ok(())
    }
}

impl Sequence {
    fn floats(&self) -> [&Vec<f32>; 6] {
        let Self { observations, actions, rewards, log_probabilities, .. } = self;
        [observations, actions, rewards, log_probabilities, &self.last_observation, &self.cut_observations]
    }
}

fn overwrite<T: Copy>(to: &mut Vec<T>, from: &[T]) {
    to.clear();
    to.extend_from_slice(from);
}
