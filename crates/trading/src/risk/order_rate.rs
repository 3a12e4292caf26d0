//! How many orders passed lately, in the time of events.

use market_data::Timestamp;

/// The times of the latest approved orders: as many as a window may hold.
#[derive(Clone, Debug)]
pub(super) struct OrderRate {
    times: Box<[Timestamp]>,
    oldest: usize,
    known: usize,
}

impl OrderRate {
    /// Room for `most` orders.
    pub(super) fn new(most: u32) -> Self {
        Self { times: vec![Timestamp::MIN; most as usize].into_boxed_slice(), oldest: 0, known: 0 }
    }

    /// Orders in the window `(time − window, time]`, at most as many as there is room for.
    pub(super) fn within(&self, time: Timestamp, window_ms: i64) -> usize {
        self.times.iter().filter(|past| **past != Timestamp::MIN && time.since(**past) < window_ms).count()
    }

    /// Whether one more order at `time` would be one too many. Constant time: only the oldest matters.
    pub(super) fn is_full(&self, time: Timestamp, window_ms: i64) -> bool {
        self.known == self.times.len()
            && self.times.get(self.oldest).is_some_and(|oldest| time.since(*oldest) < window_ms)
    }

    /// Counts an order, forgetting the oldest where there is no room.
    pub(super) fn count(&mut self, time: Timestamp) {
        if let Some(slot) = self.times.get_mut(self.oldest) {
            *slot = time;
            self.oldest = (self.oldest + 1) % self.times.len();
            self.known = (self.known + 1).min(self.times.len());
        }
    }
}
