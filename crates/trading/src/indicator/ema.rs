//! Moving averages.

use super::checked_period;
use super::window::Window;
use crate::error::TradingError;

/// Mean of the last `period` values, summed anew at each push.
#[derive(Clone, Debug, PartialEq)]
pub struct SimpleMovingAverage {
    window: Window,
}

impl SimpleMovingAverage {
    /// Over `period` values.
    ///
    /// # Errors
    /// [`TradingError::Config`] for a period of zero or beyond 2^20.
    pub fn new(period: usize) -> Result<Self, TradingError> {
        Ok(Self { window: Window::new(checked_period("moving_average.period", period, 1)?) })
    }

    /// Takes a value; answers from the `period`-th on.
    pub fn push(&mut self, value: f64) -> Option<f64> {
        self.window.push(value).then(|| self.window.mean())
    }

    /// Forgets all values.
    pub fn reset(&mut self) {
        self.window.reset();
    }
}

/// Exponential moving average: `E += 2 / (n + 1) × (x - E)`, whose first value is the mean of the first n
/// (TA-Lib `EMA`).
#[derive(Clone, Debug, PartialEq)]
pub struct ExponentialMovingAverage {
    period: usize,
    seen: usize,
    /// The sum while it warms up, the average then.
    value: f64,
}

impl ExponentialMovingAverage {
    /// With the smoothing of `period` values.
    ///
    /// # Errors
    /// [`TradingError::Config`] for a period of zero or beyond 2^20.
    pub fn new(period: usize) -> Result<Self, TradingError> {
        let period = checked_period("exponential_moving_average.period", period, 1)?;
        Ok(Self { period, seen: 0, value: 0.0 })
    }

    /// Takes a value; answers from the `period`-th on.
    pub fn push(&mut self, value: f64) -> Option<f64> {
        if !value.is_finite() {
            self.reset();
            return None;
        }
        if self.seen >= self.period {
            self.value += 2.0 / (self.period as f64 + 1.0) * (value - self.value);
            return Some(self.value);
        }
        self.seen += 1;
        self.value += value;
        if self.seen < self.period {
            return None;
        }
        self.value /= self.period as f64;
        Some(self.value)
    }

    /// Forgets all values.
    pub fn reset(&mut self) {
        self.seen = 0;
        self.value = 0.0;
    }
}
