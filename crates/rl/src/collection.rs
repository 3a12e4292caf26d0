//! Acting in environments to fill a rollout.

use rand::{Rng, RngExt};

use crate::agent::check_spaces;
use crate::codec::{Reader, Writer};
use crate::environment::{Actions, Outcomes, VecEnvironment};
use crate::error::RlError;
use crate::policy::Policy;
use crate::random::generator;
use crate::rollout::Rollout;
use crate::training::EpisodeStatistics;

/// How actions are drawn where not by the policy alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behaviour {
    /// ε: the chance of an action drawn from all alike.
    pub(crate) exploration: f64,
    /// Bound of importance weights.
    pub(crate) maximum_importance_weight: f32,
}

impl Behaviour {
    /// Draws another action over the policy's, perhaps; gives the log probability of the action by the
    /// mixture, ln((1 − ε) π + ε / actions), and the truncated weight of it, π over the mixture.
    fn mix(
        self,
        policy: &Policy,
        outputs: &[f32],
        action: &mut [f32],
        other: &mut [f32],
        random: &mut impl Rng,
    ) -> [f32; 2] {
        let (distribution, logs) = (policy.model.distribution(), policy.model.log_deviations());
        // Both are drawn in any case, so that a change of the chance changes nothing else.
        let explores = random.random::<f64>() < self.exploration;
        distribution.sample_uniform(other, random);
        if explores {
            action.copy_from_slice(other);
        }
        let [log_probability, _] = distribution.log_probability_and_entropy(outputs, logs, action);
        let Some(uniform) = distribution.uniform_log_probability().filter(|_| self.exploration > 0.0) else {
            return [log_probability, self.maximum_importance_weight.min(1.0)];
        };
        let (own, uniform) = (f64::from(log_probability).exp(), f64::from(uniform).exp());
        let mixture = (1.0 - self.exploration) * own + self.exploration * uniform;
        // What the policy rules out must not look finite here.
        let log_mixture = if log_probability.is_finite() { mixture.ln() as f32 } else { log_probability };
        [log_mixture, self.maximum_importance_weight.min((own / mixture) as f32)]
    }
}

/// Environments under way, with what the policy remembers of each.
pub(crate) struct Collector {
    environments: Box<dyn VecEnvironment>,
    pub(crate) statistics: EpisodeStatistics,
    pub(crate) steps: u64,
    seed: u64,
    /// Rollouts so far: each draws its actions from a generator of its own.
    rollouts: u64,
    /// Of the policy, `[environments, state_width]`.
    states: Vec<f32>,
    /// The next step begins an episode.
    starts: Vec<bool>,
    /// Discounted returns so far, which rewards are normalised by.
    discounted: Vec<f32>,
    room: Room,
}

/// Buffers of a step.
#[derive(Default)]
struct Room {
    observations: Vec<f32>,
    outputs: Vec<f32>,
    values: Vec<f32>,
    actions: Vec<f32>,
    other: Vec<f32>,
    taken: Option<Actions>,
    outcomes: Outcomes,
    /// Of the environments that were cut off: their indices, last observations, states, outputs and values.
    cut: Vec<usize>,
    cut_observations: Vec<f32>,
    cut_states: Vec<f32>,
    cut_outputs: Vec<f32>,
    cut_values: Vec<f32>,
}

impl Collector {
    /// Begins an episode in each environment.
    pub(crate) fn new(
        mut environments: Box<dyn VecEnvironment>,
        policy: &mut Policy,
        seed: u64,
    ) -> Result<Self, RlError> {
        check_spaces(policy, environments.observation_space(), environments.action_space())?;
        let (count, width) = (environments.len(), policy.model.inputs());
        let distribution = policy.model.distribution();
        environments.reset(seed);
        let room = Room {
            observations: vec![0.0; count * width],
            outputs: vec![0.0; count * distribution.outputs()],
            values: vec![0.0; count],
            actions: vec![0.0; count * distribution.action_width()],
            other: vec![0.0; distribution.action_width()],
            ..Room::default()
        };
        let mut this = Self {
            environments,
            statistics: EpisodeStatistics::new(count),
            steps: 0,
            seed,
            rollouts: 0,
            states: vec![0.0; count * policy.model.state_width()],
            starts: vec![true; count],
            discounted: vec![0.0; count],
            room,
        };
        this.environments.observe(&mut this.room.observations);
        policy.normalisation.learn_observations(&this.room.observations);
        Ok(this)
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Fills the rollout and computes its advantages.
    pub(crate) fn collect(
        &mut self,
        policy: &mut Policy,
        rollout: &mut Rollout,
        discount: f32,
        lambda: f32,
        behaviour: Option<Behaviour>,
    ) -> Result<(), RlError> {
        let mut random = generator(self.seed, "actions", self.rollouts);
        let mut exploring = generator(self.seed, "exploration", self.rollouts);
        rollout.cut_rows.clear();
        rollout.cut_observations.clear();
        self.rollouts += 1;
        for time in 0..rollout.shape().steps {
            self.begin_episodes(policy);
            self.look(policy);
            self.remember(policy, rollout, time);
            let Room { observations, outputs, values, actions, other, taken, outcomes, .. } = &mut self.room;
            policy.model.step(observations, &mut self.states, outputs, values)?;
            let (distribution, logs) = (policy.model.distribution(), policy.model.log_deviations());
            let (width, per_row) = (distribution.action_width(), distribution.outputs());
            for (index, row) in outputs.chunks_exact(per_row).enumerate() {
                let action = &mut actions[index * width..(index + 1) * width];
                distribution.sample(row, logs, action, &mut random);
                let [log_probability, weight] = match behaviour {
                    Some(behaviour) => behaviour.mix(policy, row, action, other, &mut exploring),
                    None => [distribution.log_probability_and_entropy(row, logs, action)[0], 1.0],
                };
                if !log_probability.is_finite() || !values[index].is_finite() {
                    let reason = format!("log probability {log_probability}, value {}", values[index]);
                    return Err(RlError::Diverged { step: self.steps, reason });
                }
                let place = index * rollout.shape().steps + time;
                rollout.actions[place * width..(place + 1) * width].copy_from_slice(action);
                rollout.log_probabilities[place] = log_probability;
                rollout.importance_weights[place] = weight;
                rollout.values[place] = values[index];
            }
            let taken = taken.get_or_insert_with(|| Actions::Discrete(Vec::new()));
            distribution.actions(actions, taken);
            self.environments.step(taken, outcomes)?;
            self.steps += outcomes.steps.len() as u64;
            self.statistics.record(&outcomes.steps, self.environments.extrinsic_rewards());
            self.settle(policy, rollout, time, discount)?;
        }
        // States must not move: the next rollout begins with this observation.
        self.begin_episodes(policy);
        self.look(policy);
        let mut states = std::mem::take(&mut self.room.cut_states);
        states.clear();
        states.extend_from_slice(&self.states);
        let Room { observations, outputs, values, .. } = &mut self.room;
        policy.model.step(observations, &mut states, outputs, values)?;
        rollout.last_observations.copy_from_slice(observations);
        self.room.cut_states = states;
        rollout.compute_advantages(&self.room.values, discount, lambda)
    }

    /// Sets the states of environments whose episode begins.
    fn begin_episodes(&mut self, policy: &Policy) {
        let width = policy.model.state_width();
        if width > 0 {
            for (state, start) in self.states.chunks_exact_mut(width).zip(&self.starts) {
                if *start {
                    policy.model.initial_state(state);
                }
            }
        }
    }

    /// The current observations, normalised.
    fn look(&mut self, policy: &Policy) {
        self.environments.observe(&mut self.room.observations);
        policy.normalisation.normalise_observations(&mut self.room.observations);
    }

    /// Writes down what the policy is about to act on.
    fn remember(&self, policy: &Policy, rollout: &mut Rollout, time: usize) {
        let shape = rollout.shape();
        let width = policy.model.state_width();
        for (index, row) in self.room.observations.chunks_exact(shape.inputs).enumerate() {
            let place = index * shape.steps + time;
            rollout.observations[place * shape.inputs..(place + 1) * shape.inputs].copy_from_slice(row);
            rollout.starts[place] = self.starts[index];
            if width > 0 && time.is_multiple_of(shape.sequence) {
                let sequence = place / shape.sequence;
                let state = &self.states[index * width..(index + 1) * width];
                rollout.states[sequence * width..(sequence + 1) * width].copy_from_slice(state);
            }
        }
    }

    /// Rewards, ends and bootstraps of a step, and what the moments learn from it.
    fn settle(
        &mut self,
        policy: &mut Policy,
        rollout: &mut Rollout,
        time: usize,
        discount: f32,
    ) -> Result<(), RlError> {
        let steps = rollout.shape().steps;
        self.environments.observe(&mut self.room.observations);
        policy.normalisation.learn_observations(&self.room.observations);
        for (sum, step) in self.discounted.iter_mut().zip(&self.room.outcomes.steps) {
            *sum = *sum * discount + step.reward;
        }
        policy.normalisation.learn_returns(&self.discounted);
        self.room.cut.clear();
        for (index, step) in self.room.outcomes.steps.iter().enumerate() {
            let (place, ended) = (index * steps + time, step.terminated || step.truncated);
            rollout.rewards[place] = policy.normalisation.normalise_reward(step.reward);
            rollout.ended[place] = ended;
            rollout.bootstraps[place] = 0.0;
            self.starts[index] = ended;
            if ended {
                self.discounted[index] = 0.0;
            }
            if step.truncated && !step.terminated {
                self.room.cut.push(index);
            }
        }
        if self.room.cut.is_empty() { Ok(()) } else { self.bootstrap(policy, rollout, time) }
    }

    /// Values of the last observations of episodes that were cut off in this step.
    fn bootstrap(&mut self, policy: &mut Policy, rollout: &mut Rollout, time: usize) -> Result<(), RlError> {
        let (inputs, width) = (rollout.shape().inputs, policy.model.state_width());
        let Room { cut, cut_observations, cut_states, cut_outputs, cut_values, .. } = &mut self.room;
        cut_observations.resize(cut.len() * inputs, 0.0);
        cut_states.clear();
        for (index, row) in cut.iter().zip(cut_observations.chunks_exact_mut(inputs)) {
            self.environments.observe_final(*index, row);
            cut_states.extend_from_slice(&self.states[index * width..(index + 1) * width]);
        }
        policy.normalisation.normalise_observations(cut_observations);
        cut_outputs.resize(cut.len() * policy.model.distribution().outputs(), 0.0);
        cut_values.resize(cut.len(), 0.0);
        policy.model.step(cut_observations, cut_states, cut_outputs, cut_values)?;
        let steps = rollout.shape().steps;
        for (index, value) in cut.iter().zip(cut_values) {
            rollout.bootstraps[index * steps + time] = *value;
            rollout.cut_rows.push(index * steps + time);
        }
        rollout.cut_observations.extend_from_slice(cut_observations);
        Ok(())
    }

    pub(crate) fn save(&self, writer: &mut Writer) -> Result<(), RlError> {
        writer.bytes(&self.environments.save()?);
        self.statistics.save(writer);
        writer.u64(self.steps);
        writer.u64(self.seed);
        writer.u64(self.rollouts);
        writer.f32s(&self.states);
        for start in &self.starts {
            writer.bool(*start);
        }
        writer.f32s(&self.discounted);
        Ok(())
    }

    pub(crate) fn restore(&mut self, reader: &mut Reader<'_>) -> Result<(), RlError> {
        self.environments.restore(reader.bytes()?)?;
        self.statistics.restore(reader)?;
        (self.steps, self.seed, self.rollouts) = (reader.u64()?, reader.u64()?, reader.u64()?);
        let states = reader.f32s()?;
        for start in &mut self.starts {
            *start = reader.bool()?;
        }
        let discounted = reader.f32s()?;
        if states.len() != self.states.len() || discounted.len() != self.discounted.len() {
            return Err(RlError::checkpoint("its states are of another policy or vector; make the same"));
        }
        (self.states, self.discounted) = (states, discounted);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
