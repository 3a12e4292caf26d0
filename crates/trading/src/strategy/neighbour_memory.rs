//! What followed which moment, and the moments nearest to a given one.

use std::ops::Range;

/// A ring of moments with their outcomes, and the moments whose outcome is still to come.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    dimensions: usize,
    /// Learned features, shape `[dimensions, capacity]` so that many distances are computed at once, and
    /// outcomes, `[capacity]`.
    features: Vec<f64>,
    outcomes: Vec<f64>,
    next: usize,
    learned: usize,
    /// Features, `[horizon, dimensions]`, and log closes, `[horizon]`, that wait for their outcome.
    waiting_features: Vec<f64>,
    waiting_log_closes: Vec<f64>,
    waiting_next: usize,
    waiting: usize,
    /// Number, means and sums of squared differences of all features seen (Welford 1962).
    seen: f64,
    means: Vec<f64>,
    squares: Vec<f64>,
    /// One over the variances; 0 for a feature that does not vary.
    precisions: Vec<f64>,
    neighbours: usize,
    /// Squared distance and outcome of the nearest, nearest first.
    nearest: Vec<(f64, f64)>,
}

/// A feature whose variance is not above this does not tell moments apart; it is near what rounding makes.
const STILL: f64 = 1e-24;

/// Distances that are computed together.
const BLOCK: usize = 256;

impl Memory {
    pub(super) fn new(dimensions: usize, capacity: usize, horizon: usize, neighbours: usize) -> Self {
        let mut memory = Self {
            dimensions,
            features: vec![0.0; capacity * dimensions],
            outcomes: vec![0.0; capacity],
            next: 0,
            learned: 0,
            waiting_features: vec![0.0; horizon * dimensions],
            waiting_log_closes: vec![0.0; horizon],
            waiting_next: 0,
            waiting: 0,
            seen: 0.0,
            means: vec![0.0; dimensions],
            squares: vec![0.0; dimensions],
            precisions: vec![0.0; dimensions],
            neighbours,
            nearest: Vec::new(),
        };
        memory.reserve();
        memory
    }

    /// Makes room for the nearest, so that none is made later.
    pub(super) fn reserve(&mut self) {
        self.nearest.reserve_exact((self.neighbours + 1).saturating_sub(self.nearest.len()));
    }

    /// How many moments with their outcomes are remembered.
    pub(super) const fn learned(&self) -> usize {
        self.learned
    }

    /// Forgets the outcomes that are still to come.
    pub(super) const fn interrupt(&mut self) {
        self.waiting = 0;
        self.waiting_next = 0;
    }

    /// Takes in the moment that follows the last one: learns what it is the outcome of, and lets it wait for
    /// its own.
    pub(super) fn advance(&mut self, features: &[f64], log_close: f64) {
        self.standardise(features);
        let horizon = self.waiting_log_closes.len();
        let slot = self.waiting_next;
        let waiting = slot * self.dimensions..(slot + 1) * self.dimensions;
        // The place of the moment `horizon` before this one, which this one takes over.
        if self.waiting == horizon {
            let capacity = self.outcomes.len();
            for (column, feature) in self.waiting_features[waiting.clone()].iter().enumerate() {
                self.features[column * capacity + self.next] = *feature;
            }
            self.outcomes[self.next] = log_close - self.waiting_log_closes[slot];
            self.next = (self.next + 1) % self.outcomes.len();
            self.learned = (self.learned + 1).min(self.outcomes.len());
        }
        self.waiting_features[waiting].copy_from_slice(features);
        self.waiting_log_closes[slot] = log_close;
        self.waiting_next = (slot + 1) % horizon;
        self.waiting = (self.waiting + 1).min(horizon);
    }

    fn standardise(&mut self, features: &[f64]) {
        self.seen += 1.0;
        let sums = self.means.iter_mut().zip(&mut self.squares).zip(&mut self.precisions);
        for (feature, ((mean, squares), precision)) in features.iter().zip(sums) {
            let before = feature - *mean;
            *mean += before / self.seen;
            *squares += before * (feature - *mean);
            let variance = *squares / self.seen;
            *precision = if variance > STILL { variance.recip() } else { 0.0 };
        }
    }

    /// The mean outcome of the nearest; 0 where nothing was learned.
    pub(super) fn expect(&mut self, features: &[f64]) -> f64 {
        self.nearest.clear();
        // Newest first, and only what is strictly nearer displaces: of two equally distant ones the later is taken.
        self.search(0..self.next, features);
        self.search(self.next..self.learned, features);
        let sum = self.nearest.iter().fold(0.0, |sum, (_, outcome)| sum + outcome);
        sum / self.nearest.len().max(1) as f64
    }

    /// Keeps the nearest of these places of the ring, the last place first.
    fn search(&mut self, places: Range<usize>, features: &[f64]) {
        let capacity = self.outcomes.len();
        let mut end = places.end;
        while end > places.start {
            let start = end.saturating_sub(BLOCK).max(places.start);
            let mut block = [0.0; BLOCK];
            let distances = &mut block[..end - start];
            for (column, (feature, precision)) in features.iter().zip(&self.precisions).enumerate() {
                let column = &self.features[column * capacity..][start..end];
                for (distance, other) in distances.iter_mut().zip(column) {
                    *distance += (other - feature) * (other - feature) * precision;
                }
            }
            // Most blocks are passed over whole.
            let farthest = self.farthest();
            if distances.iter().fold(false, |any, distance| any | (*distance < farthest)) {
                for (distance, outcome) in distances.iter().zip(&self.outcomes[start..end]).rev() {
                    if *distance < self.farthest() {
                        let place = self.nearest.partition_point(|(other, _)| other <= distance);
                        self.nearest.insert(place, (*distance, *outcome));
                        self.nearest.truncate(self.neighbours);
                    }
                }
            }
            end = start;
        }
    }

    /// What is nearer than this is among the nearest of what was searched so far.
    fn farthest(&self) -> f64 {
        let is_full = self.nearest.len() == self.neighbours;
        self.nearest.last().filter(|_| is_full).map_or(f64::INFINITY, |(distance, _)| *distance)
    }
}
