//! Transitions by what they taught.

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use super::{PrioritisedConfig, ReplayBatch};
use crate::codec::{Reader, Writer};
use crate::error::RlError;

/// Priorities in a binary tree of their sums and minima: both, a change and a draw take `O(log n)` at most.
///
/// Each inner node is worked out anew from its two children, so nothing drifts however often priorities
/// change.
#[derive(Clone, Debug, PartialEq)]
pub struct PriorityTree {
    /// Number of leaves, a power of two; node `i` has the children `2i` and `2i + 1`, leaves begin at
    /// `leaves`.
    leaves: usize,
    sums: Vec<f64>,
    minima: Vec<f64>,
}

impl PriorityTree {
    /// Priorities that a tree can have at most.
    pub const LARGEST: usize = 1 << 31;

    /// For so many priorities, all absent; for [`PriorityTree::LARGEST`] if that is less.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let leaves = capacity.clamp(1, Self::LARGEST).next_power_of_two();
        Self { leaves, sums: vec![0.0; 2 * leaves], minima: vec![f64::INFINITY; 2 * leaves] }
    }

    /// Sets a priority, which is positive and finite.
    ///
    /// # Errors
    /// [`RlError::Shape`] for a place that there is not, or a priority that is none.
    pub fn set(&mut self, index: usize, priority: f64) -> Result<(), RlError> {
        if index >= self.leaves || !(priority > 0.0 && priority.is_finite()) {
            let problem = format!("{priority} at {index} of {} is none; give a positive number", self.leaves);
            return Err(RlError::shape("a priority", problem));
        }
        let mut node = self.leaves + index;
        self.sums[node] = priority;
        self.minima[node] = priority;
        while node > 1 {
            node /= 2;
            self.sums[node] = self.sums[2 * node] + self.sums[2 * node + 1];
            self.minima[node] = self.minima[2 * node].min(self.minima[2 * node + 1]);
        }
        Ok(())
    }

    /// The priority at a place; 0 where none was set.
    #[must_use]
    pub fn get(&self, index: usize) -> f64 {
        self.sums.get(self.leaves.saturating_add(index)).copied().unwrap_or(0.0)
    }

    /// Sum of all.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.sums[1]
    }

    /// The smallest that was set; infinite if none was.
    #[must_use]
    pub fn minimum(&self) -> f64 {
        self.minima[1]
    }

    /// The place at which the sum of all priorities before and at it first exceeds `mass`, which is in `[0,
    /// total)`. Whatever the mass is, the place has a priority if any has.
    #[must_use]
    pub fn find(&self, mut mass: f64) -> usize {
        let mut node = 1;
        while node < self.leaves {
            node *= 2;
            let left = self.sums[node];
            // Rounding must not lead to where nothing is.
            if mass >= left && self.sums[node + 1] > 0.0 {
                mass -= left;
                node += 1;
            }
        }
        node - self.leaves
    }
}

/// Proportional prioritisation with importance sampling (Schaul et al. 2016, algorithm 1).
#[derive(Clone, Debug, PartialEq)]
pub struct PrioritisedSampler {
    config: PrioritisedConfig,
    tree: PriorityTree,
    /// Largest `|error| + offset` so far, which new transitions get: each is replayed soon.
    largest: f64,
}

impl PrioritisedSampler {
    /// For a buffer of this capacity.
    ///
    /// # Errors
    /// [`RlError::Config`] as [`PrioritisedConfig::validate`].
    pub fn new(config: PrioritisedConfig, capacity: usize) -> Result<Self, RlError> {
        config.validate()?;
        Ok(Self { config, tree: PriorityTree::new(capacity), largest: 1.0 })
    }

    /// The priorities, raised to the exponent.
    #[must_use]
    pub fn tree(&self) -> &PriorityTree {
        &self.tree
    }

    pub(super) fn inserted(&mut self, index: usize) -> Result<(), RlError> {
        self.set(index, self.largest)
    }

    /// Chooses one of each of `size` equal shares of the sum of priorities; weights are `(N P(i))^-β`, over
    /// the largest that any transition in the buffer has (section 3.4).
    pub(super) fn choose(
        &self,
        len: usize,
        size: usize,
        progress: f64,
        random: &mut Xoshiro256PlusPlus,
        batch: &mut ReplayBatch,
    ) -> Result<(), RlError> {
        if self.tree.total() <= 0.0 {
            return Err(RlError::shape(
                "priorities",
                "there is none; tell the sampler of each new transition",
            ));
        }
        let correction = self.config.correction(progress);
        let share = self.tree.total() / size as f64;
        batch.indices.clear();
        batch.weights.clear();
        for part in 0..size {
            let mass = (part as f64 + random.random::<f64>()) * share;
            // The tree has no priority beyond the buffer; the bound only keeps this true of what is not ours.
            let index = self.tree.find(mass).min(len - 1);
            batch.indices.push(index);
            // N and the sum of priorities fall out of the ratio to the largest weight.
            let weight = (self.tree.get(index) / self.tree.minimum()).powf(-correction);
            batch.weights.push(weight as f32);
        }
        Ok(())
    }

    pub(super) fn learned(&mut self, indices: &[usize], errors: &[f32]) -> Result<(), RlError> {
        for (index, error) in indices.iter().zip(errors) {
            let priority = f64::from(error.abs()) + self.config.offset;
            self.set(*index, priority)?;
            self.largest = self.largest.max(priority);
        }
        Ok(())
    }

    fn set(&mut self, index: usize, priority: f64) -> Result<(), RlError> {
        self.tree.set(index, priority.powf(self.config.exponent))
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        writer.f64(self.largest);
        writer.f64s(&self.tree.sums[self.tree.leaves..]);
    }

    pub(super) fn restore(&mut self, reader: &mut Reader<'_>) -> Result<(), RlError> {
        self.largest = reader.f64()?;
        let priorities = reader.f64s()?;
        if priorities.len() != self.tree.leaves {
            return Err(RlError::checkpoint("it has other priorities; give the capacity it was made with"));
        }
        for (index, priority) in priorities.into_iter().enumerate().filter(|(_, priority)| *priority != 0.0) {
            self.tree.set(index, priority)?;
        }
        Ok(())
    }
}
