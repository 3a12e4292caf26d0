//! How much values vary.

use super::checked_period;
use super::window::Window;
use crate::error::TradingError;

/// Standard deviation of the last `period` values around their mean, in two passes over the window.
///
/// It divides by n (TA-Lib `STDDEV`, Bollinger's bands), not by n - 1.
#[derive(Clone, Debug, PartialEq)]
pub struct StandardDeviation {
    window: Window,
    period: usize,
}

impl StandardDeviation {
    /// Over `period` values.
    ///
    /// # Errors
    /// [`TradingError::Config`] for a period below 2 or beyond 2^20.
    pub fn new(period: usize) -> Result<Self, TradingError> {
        let period = checked_period("standard_deviation.period", period, 2)?;
        Ok(Self { window: Window::new(period), period })
    }

    /// Takes a value; answers from the `period`-th on.
    pub fn push(&mut self, value: f64) -> Option<f64> {
        if !self.window.push(value) {
            return None;
        }
        let mean = self.window.mean();
        let squares: f64 = self.window.iter().map(|value| (value - mean).powi(2)).sum();
        Some((squares / self.period as f64).sqrt())
    }

    /// The mean of the same window, once it is full.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.window.iter().count() == self.period).then(|| self.window.mean())
    }

    /// Forgets all values.
    pub fn reset(&mut self) {
        self.window.reset();
    }
}

/// Exponentially weighted volatility of log returns, per candle, around zero.
///
/// `σ² = λ σ² + (1 - λ) r²` (RiskMetrics Technical Document, 4th edition 1996, section 5.2; λ = 0.94 for days).
/// The first value is the root of the mean of the first n squared returns.
#[derive(Clone, Debug, PartialEq)]
pub struct EwmaVolatility {
    decay: f64,
    warm_up: usize,
    previous_close: Option<f64>,
    seen: usize,
    /// The sum of squares while it warms up, the variance then.
    variance: f64,
}

impl EwmaVolatility {
    /// With the weight `decay` (λ) on the past and `warm_up` returns for the first value.
    ///
    /// # Errors
    /// [`TradingError::Config`] for a decay outside (0, 1), or a warm-up of zero or beyond 2^20.
    pub fn new(decay: f64, warm_up: usize) -> Result<Self, TradingError> {
        if !(decay > 0.0 && decay < 1.0) {
            let remedy = "give a weight above 0 and below 1, such as 0.94";
            return Err(TradingError::config("ewma_volatility.decay", decay, remedy));
        }
        let warm_up = checked_period("ewma_volatility.warm_up", warm_up, 1)?;
        Ok(Self { decay, warm_up, previous_close: None, seen: 0, variance: 0.0 })
    }

    /// Takes a closing price; answers from price `warm_up + 1` on. A price that is not above zero is a gap.
    pub fn push(&mut self, close: f64) -> Option<f64> {
        if !(close > 0.0 && close.is_finite()) {
            self.reset();
            return None;
        }
        let square = (close / self.previous_close.replace(close)?).ln().powi(2);
        if self.seen >= self.warm_up {
            self.variance = self.decay * self.variance + (1.0 - self.decay) * square;
            return Some(self.variance.sqrt());
        }
        self.seen += 1;
        self.variance += square;
        if self.seen < self.warm_up {
            return None;
        }
        self.variance /= self.warm_up as f64;
        Some(self.variance.sqrt())
    }

    /// Forgets all prices.
    pub fn reset(&mut self) {
        self.previous_close = None;
        self.seen = 0;
        self.variance = 0.0;
    }
}
