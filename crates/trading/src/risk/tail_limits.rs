//! The gate on tail risk: whether the forecasts are within limits and worth believing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::TradingError;
use crate::risk::value_at_risk::TailRisk;

/// Limits on the tail of equity's returns per step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TailLimits {
    /// Largest value at risk, as a fraction of equity.
    pub value_at_risk: f64,
    /// Largest expected shortfall, as a fraction of equity.
    pub expected_shortfall: f64,
    /// Below this p-value of the test of conditional coverage the forecasts count as wrong; 0 never says so.
    pub minimum_p_value: f64,
    /// Forecasts that must have been held against a return before they count as proven.
    pub minimum_observations: u64,
}

impl Default for TailLimits {
    fn default() -> Self {
        Self {
            value_at_risk: 0.05,
            expected_shortfall: 0.08,
            minimum_p_value: 0.01,
            minimum_observations: 250,
        }
    }
}

/// Which figure exceeds its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TailMeasure {
    /// [`TailLimits::value_at_risk`].
    ValueAtRisk,
    /// [`TailLimits::expected_shortfall`].
    ExpectedShortfall,
}

/// What the gate says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TailVerdict {
    /// Both figures are within their limits, and the back-test does not speak against them.
    Within,
    /// A figure is too large. Said also of forecasts that are not proven: it is the side to err on.
    Exceeds {
        /// Which one.
        measure: TailMeasure,
        /// The forecast.
        estimate: f64,
        /// Its limit.
        limit: f64,
    },
    /// Too few forecasts have been held against a return, or there is none yet.
    Unproven {
        /// How many have been.
        observations: u64,
        /// How many it takes.
        needed: u64,
    },
    /// The breaches do not fit the level: too many, too few, or in clusters.
    Miscalibrated {
        /// p-value of the test of conditional coverage.
        p: f64,
        /// Share of steps whose loss exceeded the forecast; above `expected` it was too low.
        breaches: f64,
        /// 1 − level.
        expected: f64,
    },
}

impl TailLimits {
    /// Whether they make sense.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the field, its value and the remedy.
    pub fn validate(&self) -> Result<(), TradingError> {
        for (field, value) in [
            ("tail_limits.value_at_risk", self.value_at_risk),
            ("tail_limits.expected_shortfall", self.expected_shortfall),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(TradingError::config(
                    field,
                    value,
                    "take a positive fraction of equity, such as 0.05",
                ));
            }
        }
        if self.expected_shortfall < self.value_at_risk {
            let remedy = "take at least tail_limits.value_at_risk, which it always exceeds";
            return Err(TradingError::config(
                "tail_limits.expected_shortfall",
                self.expected_shortfall,
                remedy,
            ));
        }
        if !(0.0..1.0).contains(&self.minimum_p_value) {
            let remedy = "take a p-value from 0 up to below 1, such as 0.01";
            return Err(TradingError::config("tail_limits.minimum_p_value", self.minimum_p_value, remedy));
        }
        Ok(())
    }

    /// Judges the forecast for the next step and how earlier ones fared.
    #[must_use]
    pub fn judge(&self, risk: &TailRisk) -> TailVerdict {
        let coverage = risk.coverage();
        let unproven = TailVerdict::Unproven {
            observations: coverage.observations(),
            needed: self.minimum_observations,
        };
        let Some(forecast) = risk.estimate() else { return unproven };
        for (measure, estimate, limit) in [
            (TailMeasure::ValueAtRisk, forecast.value_at_risk, self.value_at_risk),
            (TailMeasure::ExpectedShortfall, forecast.expected_shortfall, self.expected_shortfall),
        ] {
            if estimate > limit {
                return TailVerdict::Exceeds { measure, estimate, limit };
            }
        }
        if coverage.observations() < self.minimum_observations {
            return unproven;
        }
        let expected = 1.0 - risk.config().level;
        let Ok(test) = coverage.conditional_coverage(expected) else { return unproven };
        if test.p_value < self.minimum_p_value {
            let breaches = coverage.breaches() as f64 / coverage.observations() as f64;
            return TailVerdict::Miscalibrated { p: test.p_value, breaches, expected };
        }
        TailVerdict::Within
    }
}
