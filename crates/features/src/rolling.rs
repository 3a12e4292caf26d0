//! Windows over the last candles.

use serde::{Deserialize, Serialize};

/// The last `capacity` values.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Window {
    values: Vec<f64>,
    /// Where the next value goes, which in a full window is where the oldest one is.
    next: usize,
    len: usize,
}

impl Window {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { values: vec![0.0; capacity.max(1)], next: 0, len: 0 }
    }

    /// Adds a value; gives the one that leaves once the window is full.
    #[inline]
    pub(crate) fn push(&mut self, value: f64) -> Option<f64> {
        let slot = &mut self.values[self.next];
        let old = *slot;
        *slot = value;
        self.next += 1;
        if self.next == self.values.len() {
            self.next = 0;
        }
        if self.len == self.values.len() {
            Some(old)
        } else {
            self.len += 1;
            None
        }
    }

    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.len == self.values.len()
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The value pushed `age` values ago; 0 is the newest. `age` is below [`Window::len`].
    #[inline]
    pub(crate) fn back(&self, age: usize) -> f64 {
        let index =
            if self.next > age { self.next - 1 - age } else { self.values.len() + self.next - 1 - age };
        self.values[index]
    }

    /// The oldest value; that of a full window leaves with the next push.
    #[inline]
    pub(crate) fn oldest(&self) -> f64 {
        self.back(self.len - 1)
    }

    /// The values in two slices, oldest first.
    #[inline]
    pub(crate) fn as_slices(&self) -> (&[f64], &[f64]) {
        if self.is_full() {
            let (newer, older) = self.values.split_at(self.next);
            (older, newer)
        } else {
            (&self.values[..self.len], &[])
        }
    }
}

/// Running sum of the last `capacity` values, added and subtracted in the order of TA-Lib's moving average.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RollingSum {
    window: Window,
    total: f64,
}

impl RollingSum {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { window: Window::new(capacity), total: 0.0 }
    }

    /// Adds a value; gives the sum of the last `capacity` values once there are so many.
    #[inline]
    pub(crate) fn push(&mut self, value: f64) -> Option<f64> {
        self.window.push(value);
        self.total += value;
        if !self.window.is_full() {
            return None;
        }
        let sum = self.total;
        self.total -= self.window.oldest();
        Some(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_forgets_the_oldest() {
        let mut window = Window::new(3);
        assert_eq!([1.0, 2.0, 3.0, 4.0].map(|value| window.push(value)), [None, None, None, Some(1.0)]);
        assert_eq!([window.back(0), window.back(1), window.back(2), window.oldest()], [4.0, 3.0, 2.0, 2.0]);
        assert_eq!(window.as_slices(), (&[2.0, 3.0][..], &[4.0][..]));
    }

    #[test]
    fn the_sum_of_the_last_two() {
        let mut sum = RollingSum::new(2);
        assert_eq!([1.0, 2.0, 3.0].map(|value| sum.push(value)), [None, Some(3.0), Some(5.0)]);
    }
}
