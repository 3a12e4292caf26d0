//! The last values, oldest first.

/// A ring of the last `length` values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Window {
    values: Vec<f64>,
    length: usize,
    oldest: usize,
}

impl Window {
    pub(super) fn new(length: usize) -> Self {
        Self { values: Vec::with_capacity(length), length, oldest: 0 }
    }

    pub(super) fn reset(&mut self) {
        self.values.clear();
        self.oldest = 0;
    }

    /// Takes a value and forgets the oldest one. Whether the window is full; one that is not finite empties
    /// it.
    pub(super) fn push(&mut self, value: f64) -> bool {
        if !value.is_finite() {
            self.reset();
        } else if self.values.len() < self.length {
            self.values.push(value);
        } else if let Some(place) = self.values.get_mut(self.oldest) {
            *place = value;
            self.oldest = (self.oldest + 1) % self.length;
        }
        self.values.len() == self.length
    }

    /// Oldest first. Sums are taken anew in this order each time: a running sum drifts, and depends on what
    /// has long left.
    pub(super) fn iter(&self) -> impl Iterator<Item = f64> + Clone + '_ {
        let (newer, older) = self.values.split_at(self.oldest.min(self.values.len()));
        older.iter().chain(newer).copied()
    }

    pub(super) fn mean(&self) -> f64 {
        self.iter().sum::<f64>() / self.length as f64
    }
}
