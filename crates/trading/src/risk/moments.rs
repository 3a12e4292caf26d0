//! Central moments of a growing or sliding window, without sums that cancel.

/// Count, mean and sums of powers of deviations from the mean, up to the fourth.
///
/// Pébay (2008), "Formulas for robust, one-pass parallel computation of covariances and arbitrary-order
/// statistical moments", SAND2008-6212, equations 2.1, 2.2 and following; only additions of parts, never a
/// subtraction of one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    count: u64,
    mean: f64,
    second: f64,
    third: f64,
    fourth: f64,
}

impl Moments {
    /// One more value.
    pub fn push(&mut self, value: f64) {
        *self = self.merged(&Self { count: 1, mean: value, ..Self::default() });
    }

    /// The moments of both sets of values together.
    #[must_use]
    pub fn merged(&self, other: &Self) -> Self {
        if self.count == 0 {
            return *other;
        }
        if other.count == 0 {
            return *self;
        }
        let (a, b) = (self.count as f64, other.count as f64);
        let count = a + b;
        let step = (other.mean - self.mean) / count;
        let step_squared = step * step;
        let product = a * b * count;
        let (mixed_second, mixed_third) =
            (a * other.second - b * self.second, a * other.third - b * self.third);
        Self {
            count: self.count + other.count,
            mean: self.mean + step * b,
            second: self.second + other.second + step_squared * product,
            third: self.third
                + other.third
                + step_squared * step * product * (a - b)
                + 3.0 * step * mixed_second,
            fourth: self.fourth
                + other.fourth
                + step_squared * step_squared * product * (a * a - a * b + b * b)
                + 6.0 * step_squared * (a * a * other.second + b * b * self.second)
                + 4.0 * step * mixed_third,
        }
    }

    /// How many values.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Their mean; 0 of none.
    #[must_use]
    pub const fn mean(&self) -> f64 {
        self.mean
    }

    /// Sample variance (divided by n − 1), from two values on.
    #[must_use]
    pub fn variance(&self) -> Option<f64> {
        (self.count >= 2).then(|| self.second / (self.count - 1) as f64)
    }

    /// Skewness m₃ / m₂^1.5 of the sample (g₁, not corrected for bias); none where the values do not vary.
    #[must_use]
    pub fn skewness(&self) -> Option<f64> {
        let n = self.count as f64;
        let skewness = n.sqrt() * self.third / (self.second * self.second.sqrt());
        skewness.is_finite().then_some(skewness)
    }

    /// Excess kurtosis m₄ / m₂² − 3 of the sample (g₂, not corrected for bias); none where the values do not
    /// vary.
    #[must_use]
    pub fn excess_kurtosis(&self) -> Option<f64> {
        let kurtosis = self.count as f64 * self.fourth / (self.second * self.second) - 3.0;
        kurtosis.is_finite().then_some(kurtosis)
    }
}

/// Moments of the last values, as many as the window holds.
///
/// The values are kept in blocks of the window's length. The window is the rest of the block before and the
/// beginning of this one, so its moments are one merge of two parts, each built by additions alone (the queue
/// of two stacks; van Herk 1992). A running sum that subtracts what leaves would keep the rounding of a large
/// value after the value itself has left; here nothing is left of it. A push costs O(1) on average (O(window)
/// once in a window's length), and memory is fixed.
#[derive(Clone, Debug, PartialEq)]
pub struct SlidingMoments {
    values: Vec<f64>,
    /// `rest[i]`: the moments of the values from `i` on in the block before; empty during the first block.
    rest: Vec<Moments>,
    begun: Moments,
    next: usize,
    full: bool,
}

impl SlidingMoments {
    /// An empty window of `length` values, at least one.
    #[must_use]
    pub fn new(length: usize) -> Self {
        let length = length.max(1);
        Self {
            values: vec![0.0; length],
            rest: vec![Moments::default(); length],
            begun: Moments::default(),
            next: 0,
            full: false,
        }
    }

    /// Takes a value and gives back the one that leaves the window.
    pub fn push(&mut self, value: f64) -> Option<f64> {
        let leaves = std::mem::replace(&mut self.values[self.next], value);
        let leaves = self.full.then_some(leaves);
        self.begun.push(value);
        self.next += 1;
        if self.next == self.values.len() {
            let mut rest = Moments::default();
            for (value, place) in self.values.iter().zip(&mut self.rest).rev() {
                rest.push(*value);
                *place = rest;
            }
            (self.begun, self.next, self.full) = (Moments::default(), 0, true);
        }
        leaves
    }

    /// Moments of the values in the window.
    #[must_use]
    pub fn moments(&self) -> Moments {
        self.rest[self.next].merged(&self.begun)
    }

    /// How many values the window holds at most.
    #[must_use]
    pub fn length(&self) -> usize {
        self.values.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Two passes over the values, the definition itself.
    fn two_passes(values: &[f64]) -> [f64; 4] {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let sum = |power: i32| values.iter().map(|value| (value - mean).powi(power)).sum::<f64>();
        [mean, sum(2), sum(3), sum(4)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn a_sliding_window_agrees_with_two_passes(
            values in prop::collection::vec(-1.0..1.0_f64, 1..120), length in 1_usize..40,
        ) {
            let mut window = SlidingMoments::new(length);
            for (index, value) in values.iter().enumerate() {
                let leaves = window.push(*value);
                prop_assert_eq!(leaves, index.checked_sub(length).map(|old| values[old]));
                let inside = &values[(index + 1).saturating_sub(length)..=index];
                let (moments, expected) = (window.moments(), two_passes(inside));
                prop_assert_eq!(moments.count(), inside.len() as u64);
                let found = [moments.mean, moments.second, moments.third, moments.fourth];
                for (found, expected) in found.into_iter().zip(expected) {
                    prop_assert!((found - expected).abs() < 1e-12, "{} {}", found, expected);
                }
            }
        }
    }

    // A jump of a million passes through a window of returns around 1 %. A running sum of squares, which
    // subtracts it when it leaves, keeps about 1e12 × 2^-53 = 1e-4 of it: as much as the variance itself.
    #[test]
    fn nothing_is_left_of_a_value_that_has_left() {
        let (mut window, mut running) = (SlidingMoments::new(50), 0.0);
        let mut values = Vec::new();
        for index in 0..400_u32 {
            let small = 0.01 * f64::from(index * 7 % 11) - 0.05;
            let value = if index == 120 { 1e6 } else { small };
            values.push(value);
            running += value * value - window.push(value).map_or(0.0, |old| old * old);
            if index >= 170 {
                let inside = &values[values.len() - 50..];
                let expected = two_passes(inside)[1] / 49.0;
                assert!((window.moments().variance().unwrap() / expected - 1.0).abs() < 1e-13, "{index}");
            }
        }
        // The reference shows that the test can fail: the sum of squares is off, by far more than rounding.
        let exact: f64 = values[350..].iter().map(|value| value * value).sum();
        assert!((running / exact - 1.0).abs() > 1e-6, "{running} {exact}");
    }

    #[test]
    fn values_that_do_not_vary_have_no_shape() {
        let mut moments = Moments::default();
        assert_eq!((moments.variance(), moments.skewness()), (None, None));
        for _ in 0..10 {
            moments.push(0.1);
        }
        assert_eq!(moments.variance(), Some(0.0));
        assert_eq!((moments.skewness(), moments.excess_kurtosis()), (None, None));
    }
}
