//! Sums and extremes of the last values that only ever add: what has left the window leaves no trace.

use serde::{Deserialize, Serialize};

/// A fold of the last `capacity` values with an associative operation that need not have an inverse.
///
/// The values come in blocks of `capacity`. The window is always the end of the block before and the start
/// of this one. When a block is complete, each of its places is overwritten by the fold from there to the
/// block's end; the start of the next block is folded on the way. So a push costs two operations on average
/// (van Herk 1992, Gil & Werman 1993). A running sum that subtracts what leaves would keep the rounding of
/// the largest value ever seen: after one volume of 1e15, sums of small volumes would be wrong for good.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct WindowFold {
    /// Before `next` the values of this block; from there on the folds to the end of the block before.
    folds: Vec<f64>,
    next: usize,
    /// The fold of this block so far.
    start: f64,
    is_full: bool,
}

impl WindowFold {
    fn new(capacity: usize, neutral: f64) -> Self {
        Self { folds: vec![neutral; capacity.max(1)], next: 0, start: neutral, is_full: false }
    }

    /// Adds a value; gives the fold of the last `capacity` values, or of all as long as there are fewer.
    #[inline(always)]
    fn push(&mut self, value: f64, neutral: f64, combine: impl Fn(f64, f64) -> f64) -> f64 {
        let start = combine(self.start, value);
        self.folds[self.next] = value;
        self.next += 1;
        if let Some(&end) = self.folds.get(self.next) {
            self.start = start;
            return combine(end, start);
        }
        fold_to_end(&mut self.folds, neutral, combine);
        self.next = 0;
        self.start = neutral;
        self.is_full = true;
        start
    }
}

/// Overwrites each value by the fold from there to the end.
#[cold]
#[inline(never)]
fn fold_to_end(values: &mut [f64], neutral: f64, combine: impl Fn(f64, f64) -> f64) {
    let mut end = neutral;
    for value in values.iter_mut().rev() {
        end = combine(*value, end);
        *value = end;
    }
}

/// Sum of the last `capacity` values, to within the rounding of these values alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct WindowSum(WindowFold);

impl WindowSum {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(WindowFold::new(capacity, 0.0))
    }

    /// Adds a value; gives the sum of the last `capacity` values once there are so many.
    #[inline(always)]
    pub(crate) fn push(&mut self, value: f64) -> Option<f64> {
        let sum = self.0.push(value, 0.0, |left, right| left + right);
        self.0.is_full.then_some(sum)
    }
}

/// [`WindowSum`] of two kinds of values.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct WindowSums(WindowSum, WindowSum);

impl WindowSums {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(WindowSum::new(capacity), WindowSum::new(capacity))
    }

    /// Adds a value of each kind; gives the sums of the last `capacity` once there are so many.
    #[inline(always)]
    pub(crate) fn push(&mut self, [one, other]: [f64; 2]) -> Option<[f64; 2]> {
        let (one, other) = (self.0.push(one), self.1.push(other));
        Some([one?, other?])
    }
}

/// Highest and lowest of the last `capacity` values.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct WindowExtremes {
    highs: WindowFold,
    negated_lows: WindowFold,
}

impl WindowExtremes {
    pub(crate) fn new(capacity: usize) -> Self {
        let none = WindowFold::new(capacity, f64::NEG_INFINITY);
        Self { highs: none.clone(), negated_lows: none }
    }

    /// Adds a high and a low; gives the highest high and the lowest low of the last `capacity`, or of all as
    /// long as there are fewer.
    #[inline(always)]
    pub(crate) fn push(&mut self, high: f64, low: f64) -> (f64, f64) {
        let greater = |left: f64, right: f64| if left > right { left } else { right };
        let highest = self.highs.push(high, f64::NEG_INFINITY, greater);
        let negated_lowest = self.negated_lows.push(-low, f64::NEG_INFINITY, greater);
        (highest, -negated_lowest)
    }

    #[inline(always)]
    pub(crate) fn is_full(&self) -> bool {
        self.highs.is_full
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_huge_value_leaves_no_trace() {
        let mut sum = WindowSum::new(3);
        let sums = [1e15, 0.1, 0.2, 0.3, 0.4].map(|value| sum.push(value));
        assert_eq!(sums[..2], [None, None]);
        assert_eq!(sums[2], Some(1e15 + 0.1 + 0.2));
        assert!((sums[3].unwrap() - 0.6).abs() < 1e-15);
        assert!((sums[4].unwrap() - 0.9).abs() < 1e-15);
    }

    proptest! {
        #[test]
        fn the_same_as_looking_at_every_window(
            values in proptest::collection::vec((-1000i32..1000, -1000i32..1000), 1..200),
            capacity in 1usize..20,
        ) {
            let (mut sum, mut sums) = (WindowSum::new(capacity), WindowSums::new(capacity));
            let mut extremes = WindowExtremes::new(capacity);
            for (index, &(one, other)) in values.iter().enumerate() {
                let so_far = &values[(index + 1).saturating_sub(capacity)..=index];
                let ones = || so_far.iter().map(|pair| f64::from(pair.0));
                let others = || so_far.iter().map(|pair| f64::from(pair.1));
                let is_full = so_far.len() == capacity;
                let (one, other) = (f64::from(one), f64::from(other));
                prop_assert_eq!(sum.push(one), is_full.then(|| ones().sum()));
                prop_assert_eq!(sums.push([one, other]), is_full.then(|| [ones().sum(), others().sum()]));
                let expected = (ones().fold(f64::MIN, f64::max), others().fold(f64::MAX, f64::min));
                prop_assert_eq!(extremes.push(one, other), expected);
                prop_assert_eq!(extremes.is_full(), is_full);
            }
        }
    }
}
