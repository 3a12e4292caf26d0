//! Windows of the last values and moving averages over them, as small folds.
//!
//! Means and deviations are computed anew from the window, oldest value first. So they depend on nothing but
//! the values in it, to the bit, and no rounding piles up over millions of candles.

use market_data::Candle;

/// The close of a candle that can be computed with. A candle that cannot have happened is treated as a gap.
pub(super) fn sound_close(candle: &Candle) -> Option<f64> {
    candle.fault().is_none().then_some(candle.close)
}

/// The last values, of a fixed number.
#[derive(Clone, Debug)]
pub(super) struct Window {
    values: Vec<f64>,
    next: usize,
    filled: usize,
}

impl Window {
    /// An empty window of `length` values, at least one.
    pub(super) fn new(length: usize) -> Self {
        Self { values: vec![0.0; length.max(1)], next: 0, filled: 0 }
    }

    /// Adds a value, in place of the oldest where the window is full.
    pub(super) fn push(&mut self, value: f64) {
        if let Some(slot) = self.values.get_mut(self.next) {
            *slot = value;
        }
        self.next = (self.next + 1) % self.values.len();
        self.filled = (self.filled + 1).min(self.values.len());
    }

    pub(super) const fn clear(&mut self) {
        self.next = 0;
        self.filled = 0;
    }

    pub(super) const fn filled(&self) -> usize {
        self.filled
    }

    pub(super) const fn is_full(&self) -> bool {
        self.filled == self.values.len()
    }

    /// The value that was added `lag` values before the newest.
    pub(super) fn back(&self, lag: usize) -> Option<f64> {
        if lag >= self.filled {
            return None;
        }
        let length = self.values.len();
        self.values.get((self.next + length - 1 - lag) % length).copied()
    }

    /// The last `count` values, or as many as there are, oldest first.
    pub(super) fn last(&self, count: usize) -> impl Iterator<Item = f64> + Clone + '_ {
        let split = if self.is_full() { self.next } else { 0 };
        let (newer, older) = self.values.split_at(split);
        older.iter().chain(newer).copied().take(self.filled).skip(self.filled - count.min(self.filled))
    }

    /// Arithmetic mean and population standard deviation (divisor n, as of Bollinger bands) of the last
    /// `count` values; none where there are fewer.
    pub(super) fn moments(&self, count: usize) -> Option<(f64, f64)> {
        if count == 0 || count > self.filled {
            return None;
        }
        let number = count as f64;
        let mean = self.last(count).fold(0.0, |sum, value| sum + value) / number;
        // Two passes: the difference of squares would lose all digits where prices are large and moves small.
        let squares = self.last(count).fold(0.0, |sum, value| sum + (value - mean) * (value - mean));
        Some((mean, (squares / number).sqrt()))
    }
}

/// A moving average of closes.
#[derive(Clone, Debug)]
pub(super) enum MovingAverage {
    /// The mean of the last values.
    Simple(Window),
    /// `a(t) = a(t-1) + 2 / (n + 1) · (x(t) − a(t-1))`, begun with the mean of the first n values, as TA-Lib
    /// begins it.
    Exponential {
        /// The first values.
        beginning: Window,
        /// The average, once it has begun.
        average: Option<f64>,
    },
}

impl MovingAverage {
    pub(super) fn simple(period: usize) -> Self {
        Self::Simple(Window::new(period))
    }

    pub(super) fn exponential(period: usize) -> Self {
        Self::Exponential { beginning: Window::new(period), average: None }
    }

    pub(super) const fn clear(&mut self) {
        match self {
            Self::Simple(window) => window.clear(),
            Self::Exponential { beginning, average } => {
                beginning.clear();
                *average = None;
            }
        }
    }

    /// Adds a value; the average once there are enough of them.
    pub(super) fn push(&mut self, value: f64) -> Option<f64> {
        match self {
            Self::Simple(window) => {
                window.push(value);
                let period = window.values.len();
                window
                    .is_full()
                    .then(|| window.last(period).fold(0.0, |sum, value| sum + value) / period as f64)
            }
            Self::Exponential { beginning, average } => {
                let period = beginning.values.len() as f64;
                if let Some(average) = average {
                    *average += 2.0 / (period + 1.0) * (value - *average);
                } else {
                    beginning.push(value);
                    if beginning.is_full() {
                        let all = beginning.last(beginning.filled());
                        *average = Some(all.fold(0.0, |sum, value| sum + value) / period);
                    }
                }
                *average
            }
        }
    }
}
