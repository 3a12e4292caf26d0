//! Labels by the most significant trend ahead.

use market_data::CandleSeries;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{LabelError, require};
use crate::label::Label;
use crate::label_series::{Found, LabelSeries, look_ahead};

/// The sign of the most significant linear trend ahead (López de Prado, *Machine Learning for Asset
/// Managers*, 2020, ch. 5.4).
///
/// For every window of `L` closes, `minimum_window ≤ L ≤ maximum_window`, the first of them that of
/// candle `i`, the log close is regressed on time: `ln close[i + x] = α + β x + ε_x`, `x = 0 … L − 1`. Of all
/// windows the one with the largest `|t|` counts, `t = β̂ / se(β̂)`, the shortest of equals. Buy when
/// `t ≥ t_threshold`, Sell when `t ≤ −t_threshold`, else Hold.
///
/// The choice needs the longest window, so the label is known only at the close of candle
/// `i + maximum_window − 1`. The forward return is that over the chosen window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrendScanning {
    /// Shortest window in closes; at least 3, so that a residual is left.
    pub minimum_window: u32,
    /// Longest window in closes; at least `minimum_window`.
    pub maximum_window: u32,
    /// Smallest `|t|` of a trend, without unit; above 0.
    pub t_threshold: f64,
}

impl Default for TrendScanning {
    /// 5 to 24 closes, `|t| ≥ 2`.
    fn default() -> Self {
        Self { minimum_window: 5, maximum_window: 24, t_threshold: 2.0 }
    }
}

impl TrendScanning {
    /// Refuses values outside their range.
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`] names the field and its range.
    pub fn validate(&self) -> Result<(), LabelError> {
        require(
            self.minimum_window >= 3,
            "minimum_window",
            self.minimum_window,
            "a t-value needs 3 closes or more",
        )?;
        require(
            self.maximum_window >= self.minimum_window,
            "maximum_window",
            self.maximum_window,
            "give at least `minimum_window`",
        )?;
        require(
            self.t_threshold.is_finite() && self.t_threshold > 0.0,
            "t_threshold",
            self.t_threshold,
            "give a number above 0, for example 2.0",
        )
    }

    /// The label of every candle.
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`], or [`LabelError::SeriesTooLong`].
    pub fn label(&self, series: &CandleSeries) -> Result<LabelSeries, LabelError> {
        self.validate()?;
        let log_close: Vec<f64> = series.columns().close.iter().map(|close| close.ln()).collect();
        LabelSeries::collect(series, self.maximum_window - 1, |index, run| {
            let last = look_ahead(index, self.maximum_window as usize - 1, run, log_close.len())?;
            let (t_value, forward_return) = self.strongest_trend(&log_close[index..=last]);
            let label = if t_value.abs() >= self.t_threshold { Label::of_sign(t_value) } else { Label::Hold };
            Ok(Found { label, known_at: last, forward_return })
        })
    }

    /// The largest `|t|` among the windows that start `values`, and the return over that window.
    pub(crate) fn strongest_trend(&self, values: &[f64]) -> (f64, f64) {
        let origin = values.first().copied().unwrap_or(0.0);
        let mut regression = Regression::default();
        let mut best = (0.0_f64, 0.0);
        let shortest = self.minimum_window as usize;
        for (count, value) in (1..).zip(values) {
            // Relative to the first close, so that the sums stay small beside what is summed.
            regression.push(value - origin);
            if count >= shortest {
                let t_value = regression.t_value();
                if t_value.abs() > best.0.abs() || count == shortest {
                    best = (t_value, value - origin);
                }
            }
        }
        best
    }
}

/// Least squares of values on 0, 1, 2, …, by running sums: O(1) per value.
#[derive(Clone, Copy, Debug, Default)]
struct Regression {
    count: f64,
    sum: f64,
    sum_of_squares: f64,
    sum_with_time: f64,
}

impl Regression {
    fn push(&mut self, value: f64) {
        self.sum_with_time += self.count * value;
        self.sum += value;
        self.sum_of_squares += value * value;
        self.count += 1.0;
    }

    /// `t = β̂ / √(SSE / (n − 2) / S_xx)` for three values or more; 0 where all values are equal.
    ///
    /// A perfect line has no residual; the residual is then taken to be as large as rounding can make
    /// it, so that the value stays finite and grows with the length of the line.
    fn t_value(&self) -> f64 {
        let n = self.count;
        let time_squares = n * (n * n - 1.0) / 12.0;
        let value_squares = self.sum_of_squares - self.sum * self.sum / n;
        let rounding = n * f64::EPSILON * self.sum_of_squares;
        if value_squares <= rounding {
            return 0.0;
        }
        let covariance = self.sum_with_time - (n - 1.0) / 2.0 * self.sum;
        let slope = covariance / time_squares;
        let residual = (value_squares - slope * covariance).max(rounding);
        slope / (residual / (n - 2.0) / time_squares).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand for y = 0, 1, 1, 2: β = 0.6, SSE = 0.2, S_xx = 5, so t = 0.6 / √(0.2 / 2 / 5) = 3 √2.
    #[test]
    fn the_t_value_is_that_of_least_squares() {
        let mut regression = Regression::default();
        for value in [0.0, 1.0, 1.0, 2.0] {
            regression.push(value);
        }
        assert!((regression.t_value() - 3.0 * 2.0_f64.sqrt()).abs() < 1e-12, "{}", regression.t_value());
    }

    #[test]
    fn a_flat_line_has_no_trend_and_a_perfect_one_a_finite_t_value() {
        let (mut flat, mut line) = (Regression::default(), Regression::default());
        for value in 0..10 {
            flat.push(0.3);
            line.push(-0.01 * f64::from(value));
        }
        assert_eq!(flat.t_value(), 0.0);
        assert!(line.t_value() < -1e6 && line.t_value().is_finite(), "{}", line.t_value());
    }
}
