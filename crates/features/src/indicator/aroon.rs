//! Aroon: how long ago the extremes were.

use std::hint::select_unpredictable;

use serde::{Deserialize, Serialize};

use super::Indicator;
use crate::bar::Bar;

/// Chande's Aroon, 0 to 100: `100 · (period − candles since the extreme) / period`, of the lowest low and of
/// the highest high in the last `period + 1` candles, the newest of equal ones (TA-Lib AROON; Tushar Chande,
/// "Time Price Oscillator", Stocks & Commodities 13:9, 1995).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Aroon {
    period: f64,
    per_candle: f64,
    /// Of the negated lows.
    lowest: SinceLargest,
    highest: SinceLargest,
}

impl Aroon {
    pub(crate) fn new(period: usize) -> Self {
        Self {
            period: period as f64,
            per_candle: 100.0 / period as f64,
            lowest: SinceLargest::new(period + 1),
            highest: SinceLargest::new(period + 1),
        }
    }

    #[inline]
    fn value(&self, since: Option<usize>) -> f64 {
        since.map_or(f64::NAN, |candles| (self.per_candle * (self.period - candles as f64)).min(100.0))
    }
}

impl Indicator for Aroon {
    /// Down, up.
    type Values = [f64; 2];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 2] {
        let lowest = self.lowest.push(-bar.low);
        let highest = self.highest.push(bar.high);
        [self.value(lowest), self.value(highest)]
    }
}

/// How long ago the largest of the last `capacity` values was pushed.
///
/// Values are taken in blocks of `capacity`. A window is the end of the full block before and the beginning
/// of this one: the largest of the one is looked up, that of the other kept up to date. Unlike a queue of
/// candidates this has no branch that depends on the values, whose misprediction would cost most of the time.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct SinceLargest {
    /// Before `next` the values of this block. From there on, for each place in the block before, the largest
    /// value from that place to the end, the newest of equal ones. One more that is smaller than all.
    block: Vec<Placed>,
    next: usize,
    /// The largest value of this block.
    largest: Placed,
    /// Whether there is a block before.
    full: bool,
}

/// A value and its place in its block.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Placed {
    value: f64,
    place: usize,
}

/// Smaller than all values.
const NONE: Placed = Placed { value: f64::NEG_INFINITY, place: 0 };

impl SinceLargest {
    fn new(capacity: usize) -> Self {
        Self { block: vec![NONE; capacity + 1], next: 0, largest: NONE, full: false }
    }

    /// Adds a value; gives how many values ago the largest was pushed, the newest of equal ones, once there
    /// have been `capacity` values.
    #[inline(always)]
    fn push(&mut self, value: f64) -> Option<usize> {
        let capacity = self.block.len() - 1;
        let place = self.next;
        let placed = Placed { value, place };
        self.block[place] = placed;
        self.largest = select_unpredictable(value >= self.largest.value, placed, self.largest);
        let before = self.block[place + 1];
        let since = place - self.largest.place;
        let since_before = place + capacity - before.place;
        let found = select_unpredictable(before.value > self.largest.value, since_before, since);
        self.next += 1;
        if self.next == capacity {
            self.finish_block();
        }
        self.full.then_some(found)
    }

    #[inline(always)]
    fn finish_block(&mut self) {
        let mut largest = NONE;
        for placed in self.block.iter_mut().rev() {
            largest = select_unpredictable(placed.value > largest.value, *placed, largest);
            *placed = largest;
        }
        self.next = 0;
        self.largest = NONE;
        self.full = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_the_largest() {
        let mut since = SinceLargest::new(3);
        let found = [5.0, 1.0, 2.0, 2.0, 1.0, 0.0, 0.0, 3.0].map(|value| since.push(value));
        let expected = [None, None, Some(2), Some(0), Some(1), Some(2), Some(2), Some(0)];
        assert_eq!(found, expected);
    }
}
