//! Averages that remember everything and forget it gradually, begun as TA-Lib begins them.

use serde::{Deserialize, Serialize};

/// Exponential average: `average += weight · (value − average)`, begun with the mean of the first values.
///
/// TA-Lib writes the same as `(1 − weight) · average + weight · value`, in one fused operation; this form
/// needs none to leave a constant series exactly where it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ema {
    weight: f64,
    /// Until it begins, the sum of the values so far.
    average: f64,
    period: usize,
    /// Values that are still missing before it begins.
    missing: usize,
}

impl Ema {
    /// The exponential average over `period` values, whose weight is 2 / (period + 1) (TA-Lib EMA).
    pub(crate) fn new(period: usize) -> Self {
        Self { weight: 2.0 / (period as f64 + 1.0), average: 0.0, period, missing: period }
    }

    /// Wilder's average over `period` values, whose weight is 1 / period (TA-Lib RMA).
    pub(crate) fn wilder(period: usize) -> Self {
        Self { weight: 1.0 / period as f64, ..Self::new(period) }
    }

    /// Adds a value; gives the average once there have been `period` values.
    #[inline]
    pub(crate) fn push(&mut self, value: f64) -> Option<f64> {
        if self.missing == 0 {
            self.average += self.weight * (value - self.average);
            return Some(self.average);
        }
        self.average += value;
        self.missing -= 1;
        if self.missing > 0 {
            return None;
        }
        self.average /= self.period as f64;
        Some(self.average)
    }
}

/// Wilder's running sum: `sum += value − sum / period`, begun with the sum of the first `period − 1` values,
/// as in TA-Lib's directional movement. It is `period` times an average, and ratios of two such sums are
/// ratios of the averages.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct WilderSum {
    weight: f64,
    sum: f64,
    /// Values that are still missing before it begins.
    missing: usize,
}

impl WilderSum {
    pub(crate) fn new(period: usize) -> Self {
        Self { weight: 1.0 / period as f64, sum: 0.0, missing: period.saturating_sub(1) }
    }

    /// Adds a value; gives the sum from the value `period` on.
    #[inline]
    pub(crate) fn push(&mut self, value: f64) -> Option<f64> {
        if self.missing == 0 {
            self.sum = self.sum - self.sum * self.weight + value;
            return Some(self.sum);
        }
        self.sum += value;
        self.missing -= 1;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exponential_average_begins_with_the_mean() {
        let mut average = Ema::new(3);
        let values = [1.0, 2.0, 6.0, 5.0, 0.0].map(|value| average.push(value));
        assert_eq!(values, [None, None, Some(3.0), Some(4.0), Some(2.0)]);
        let mut wilder = Ema::wilder(2);
        assert_eq!([1.0, 3.0, 4.0].map(|value| wilder.push(value)), [None, Some(2.0), Some(3.0)]);
    }

    #[test]
    fn a_constant_series_stays_where_it_is() {
        for mut average in [Ema::new(7), Ema::wilder(7)] {
            let values: Vec<_> = (0..1000).filter_map(|_| average.push(96.0)).collect();
            assert_eq!(values, vec![96.0; 994]);
        }
    }

    #[test]
    fn wilders_sum_begins_one_value_early() {
        let mut sum = WilderSum::new(4);
        let values = [1.0, 2.0, 5.0, 10.0, 0.0].map(|value| sum.push(value));
        assert_eq!(values, [None, None, None, Some(16.0), Some(12.0)]);
    }
}
