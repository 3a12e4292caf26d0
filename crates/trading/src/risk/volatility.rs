//! Volatility of returns per step: exponentially weighted, or over a window.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::TradingError;
use crate::risk::moments::SlidingMoments;

/// Returns are taken up to this size, a million times the stake, so that their fourth powers stay finite.
pub const LARGEST_RETURN: f64 = 1e6;

/// Refuses what is no return.
pub(super) fn check_return(subject: &str, value: f64) -> Result<(), TradingError> {
    // Written so that what is not a number is refused as well.
    if value.abs() <= LARGEST_RETURN {
        return Ok(());
    }
    Err(TradingError::report(subject, format!("a return of {value} is not a number between -1e6 and 1e6")))
}

/// How volatility is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "model", rename_all = "kebab-case", deny_unknown_fields)]
pub enum VolatilityModel {
    /// Root of the exponentially weighted mean of squared returns, their mean taken as zero: σ²ₜ₊₁ = λ σ²ₜ +
    /// (1 − λ) r²ₜ, RiskMetrics Technical Document, 4th edition (1996), section 5.2. It starts with weights
    /// that add up to one from the first return on: the sum of (1 − λ) λⁱ r² is divided by 1 − λⁿ.
    Ewma {
        /// λ, in [0, 1): what is left of a weight after one step; RiskMetrics takes 0.94 for days.
        #[serde(default = "riskmetrics_decay")]
        decay: f64,
    },
    /// Sample standard deviation (n − 1) of the last returns.
    Window {
        /// How many, at least two.
        #[serde(default = "default_length")]
        length: usize,
    },
}

const fn riskmetrics_decay() -> f64 {
    0.94
}

const fn default_length() -> usize {
    60
}

impl Default for VolatilityModel {
    fn default() -> Self {
        Self::Ewma { decay: riskmetrics_decay() }
    }
}

impl VolatilityModel {
    /// Whether it can be computed.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the field, which `decay_field` and `length_field` say in full.
    pub(super) fn validate(
        &self,
        decay_field: &'static str,
        length_field: &'static str,
    ) -> Result<(), TradingError> {
        match *self {
            Self::Ewma { decay } => check_decay(decay_field, decay),
            Self::Window { length } if length < 2 => {
                Err(TradingError::config(length_field, length, "take at least 2 returns"))
            }
            Self::Window { .. } => Ok(()),
        }
    }
}

pub(super) fn check_decay(field: &'static str, decay: f64) -> Result<(), TradingError> {
    if (0.0..1.0).contains(&decay) {
        return Ok(());
    }
    Err(TradingError::config(field, decay, "take a decay from 0 up to below 1, such as 0.94"))
}

/// The exponentially weighted mean of squares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct EwmaVariance {
    decay: f64,
    sum: f64,
    weight: f64,
}

impl EwmaVariance {
    pub(super) const fn new(decay: f64) -> Self {
        Self { decay, sum: 0.0, weight: 0.0 }
    }

    pub(super) fn push(&mut self, value: f64) {
        self.sum = self.decay * self.sum + (1.0 - self.decay) * value * value;
        self.weight = self.decay * self.weight + (1.0 - self.decay);
    }

    /// Not a number before the first value.
    pub(super) fn get(&self) -> f64 {
        self.sum / self.weight
    }
}

/// A running estimate of the volatility of one instrument's returns, per step. Memory is fixed when it is
/// made; a push costs O(1) on average.
#[derive(Clone, Debug)]
pub struct Volatility {
    state: State,
    observations: u64,
    minimum: u64,
}

#[derive(Clone, Debug)]
enum State {
    Ewma(EwmaVariance),
    Window(SlidingMoments),
}

impl Volatility {
    /// An estimate that says nothing before it has seen `minimum` returns (at least two).
    ///
    /// # Errors
    /// [`TradingError::Config`] for a model that cannot be computed.
    pub fn new(model: VolatilityModel, minimum: u64) -> Result<Self, TradingError> {
        model.validate("volatility.decay", "volatility.length")?;
        let state = match model {
            VolatilityModel::Ewma { decay } => State::Ewma(EwmaVariance::new(decay)),
            VolatilityModel::Window { length } => State::Window(SlidingMoments::new(length)),
        };
        Ok(Self { state, observations: 0, minimum: minimum.max(2) })
    }

    /// Takes the return of one step, as a fraction.
    ///
    /// # Errors
    /// [`TradingError::Report`] for what is no return; the estimate stays as it was.
    pub fn push(&mut self, value: f64) -> Result<(), TradingError> {
        check_return("volatility", value)?;
        self.observations += 1;
        match &mut self.state {
            State::Ewma(variance) => variance.push(value),
            State::Window(window) => {
                window.push(value);
            }
        }
        Ok(())
    }

    /// Standard deviation of one step's return, once enough returns are known.
    #[must_use]
    pub fn per_step(&self) -> Option<f64> {
        if self.observations < self.minimum {
            return None;
        }
        match &self.state {
            State::Ewma(variance) => Some(variance.get().sqrt()),
            State::Window(window) => window.moments().variance().map(f64::sqrt),
        }
    }
}
