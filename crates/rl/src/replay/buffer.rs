//! A ring of transitions.

use crate::codec::{Reader, Writer};
use crate::error::RlError;

/// One or several steps of one episode.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transition<'a> {
    /// What was seen, `[width]`.
    pub observation: &'a [f32],
    /// What was done.
    pub action: usize,
    /// What it earned until `next_observation`, discounted to the first step.
    pub reward: f32,
    /// What the value of `next_observation` counts: γⁿ after n steps, and 0 if the episode terminated there.
    /// Where it was truncated it counts as usual.
    pub discount: f32,
    /// What was seen n steps later, `[width]`: of the same episode, also where that ended.
    pub next_observation: &'a [f32],
}

/// Some transitions, chosen to learn from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReplayBatch {
    /// Their places in the buffer, `[size]`.
    pub indices: Vec<usize>,
    /// Their weights in the loss, `[size]`, at most 1.
    pub weights: Vec<f32>,
    /// `[size, width]`.
    pub observations: Vec<f32>,
    /// `[size]`.
    pub actions: Vec<usize>,
    /// `[size]`.
    pub rewards: Vec<f32>,
    /// `[size]`.
    pub discounts: Vec<f32>,
    /// `[size, width]`.
    pub next_observations: Vec<f32>,
}

/// The last transitions, at most `capacity`; memory grows with what is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayBuffer {
    capacity: usize,
    width: usize,
    /// Where the next one goes.
    next: usize,
    observations: Vec<f32>,
    actions: Vec<usize>,
    rewards: Vec<f32>,
    discounts: Vec<f32>,
    next_observations: Vec<f32>,
}

impl ReplayBuffer {
    /// For so many transitions with observations of so many numbers.
    ///
    /// # Errors
    /// [`RlError::Config`] for a capacity or width of 0.
    pub fn new(capacity: usize, width: usize) -> Result<Self, RlError> {
        if capacity == 0 {
            return Err(RlError::config("dqn.replay.capacity", capacity, "give at least 1"));
        }
        if width == 0 {
            return Err(RlError::shape("a replay buffer", "observations have no number; give at least one"));
        }
        let (observations, next_observations) = (Vec::new(), Vec::new());
        let (actions, rewards, discounts) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { capacity, width, next: 0, observations, actions, rewards, discounts, next_observations })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.actions.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// How many there can be.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Stores one, in place of the oldest if it is full; gives its place.
    ///
    /// # Errors
    /// [`RlError::Shape`] for observations of another width.
    pub fn push(&mut self, transition: &Transition<'_>) -> Result<usize, RlError> {
        let width = self.width;
        let (observation, next_observation) = (transition.observation, transition.next_observation);
        if observation.len() != width || next_observation.len() != width {
            let problem = format!("observations have {} numbers, not {width}", observation.len());
            return Err(RlError::shape("a transition", problem));
        }
        let place = self.next;
        if self.len() < self.capacity {
            self.observations.extend_from_slice(observation);
            self.next_observations.extend_from_slice(next_observation);
            self.actions.push(transition.action);
            self.rewards.push(transition.reward);
            self.discounts.push(transition.discount);
        } else {
            let row = place * width..(place + 1) * width;
            self.observations[row.clone()].copy_from_slice(observation);
            self.next_observations[row].copy_from_slice(next_observation);
            self.actions[place] = transition.action;
            self.rewards[place] = transition.reward;
            self.discounts[place] = transition.discount;
        }
        self.next = (place + 1) % self.capacity;
        Ok(place)
    }

    /// The transition at a place; none where nothing is.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Transition<'_>> {
        Some(Transition {
            action: *self.actions.get(index)?,
            reward: *self.rewards.get(index)?,
            discount: *self.discounts.get(index)?,
            observation: self.observations.get(index * self.width..(index + 1) * self.width)?,
            next_observation: self.next_observations.get(index * self.width..(index + 1) * self.width)?,
        })
    }

    /// Copies what a batch's indices name into it.
    pub(super) fn gather(&self, batch: &mut ReplayBatch) {
        batch.observations.clear();
        batch.next_observations.clear();
        batch.actions.clear();
        batch.rewards.clear();
        batch.discounts.clear();
        for one in batch.indices.iter().filter_map(|index| self.get(*index)) {
            batch.observations.extend_from_slice(one.observation);
            batch.next_observations.extend_from_slice(one.next_observation);
            batch.actions.push(one.action);
            batch.rewards.push(one.reward);
            batch.discounts.push(one.discount);
        }
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        writer.usize(self.next);
        writer.usize(self.len());
        self.actions.iter().for_each(|action| writer.usize(*action));
        for values in [&self.observations, &self.rewards, &self.discounts, &self.next_observations] {
            writer.f32s(values);
        }
    }

    pub(crate) fn restore(&mut self, reader: &mut Reader<'_>) -> Result<(), RlError> {
        let (next, len) = (reader.usize()?, reader.usize()?);
        let ring = len == self.capacity && next < len || len < self.capacity && next == len;
        if !ring {
            let problem =
                format!("its replay buffer holds {len} and goes on at {next}, of {}", self.capacity);
            return Err(RlError::checkpoint(problem));
        }
        let actions = (0..len).map(|_| reader.usize()).collect::<Result<Vec<usize>, RlError>>()?;
        let mut floats = [reader.f32s()?, reader.f32s()?, reader.f32s()?, reader.f32s()?];
        let lengths = [len * self.width, len, len, len * self.width];
        if floats.iter().map(Vec::len).ne(lengths) {
            return Err(RlError::checkpoint(
                "its replay buffer has another width; make the same environments",
            ));
        }
        (self.next, self.actions) = (next, actions);
        [self.observations, self.rewards, self.discounts, self.next_observations] =
            floats.each_mut().map(std::mem::take);
        Ok(())
    }
}
