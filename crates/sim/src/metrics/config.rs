//! How metrics are computed.

use market_data::Timeframe;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trading::TradingError;

/// Which returns a figure was computed from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Returns of UTC days: the convention, and what targets are stated for.
    #[default]
    Daily,
    /// Returns of each step of the curve.
    PerBar,
}

/// Settings of [`super::Metrics`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// Which returns the headline figures, the rolling ones and those against a benchmark are computed from.
    /// Both are reported.
    pub basis: Basis,
    /// Days of a year. 365 is that of [`Timeframe::per_year`], of which every other part of the system makes
    /// its annual figures: crypto markets never close, and equities' 252 would understate volatility by 17 %.
    /// 365.25 counts leap days. CAGR takes its years from the same setting.
    pub days_per_year: f64,
    /// Length of the steps of the curve, where it is to be checked: another one is refused. Without it, the
    /// median step is taken.
    pub timeframe: Option<Timeframe>,
    /// Steps of the curve in a year, in place of what follows from their length; it holds for per-bar figures
    /// only.
    pub periods_per_year: Option<f64>,
    /// Yearly risk-free rate, compounding, as a fraction. Each period bears `(1 + rate)^(1 / periods per
    /// year) − 1`.
    pub risk_free_rate: f64,
    /// Level of value at risk and expected shortfall, above 0.5 and below 1.
    pub tail_level: f64,
    /// Returns in a rolling window, at least 2.
    pub rolling_window: usize,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self {
            basis: Basis::Daily,
            days_per_year: 365.0,
            timeframe: None,
            periods_per_year: None,
            risk_free_rate: 0.0,
            tail_level: 0.95,
            rolling_window: 90,
        }
    }
}

impl MetricsConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the field.
    pub fn validate(&self) -> Result<(), TradingError> {
        let days = (360.0..=366.0).contains(&self.days_per_year);
        require(days, "metrics.days_per_year", self.days_per_year, "give 365 or 365.25")?;
        let periods = self.periods_per_year.unwrap_or(1.0);
        let remedy = "give a number above 0, at most 1e9";
        require(periods > 0.0 && periods <= 1e9, "metrics.periods_per_year", periods, remedy)?;
        let rate = self.risk_free_rate;
        let remedy = "give a yearly rate as a fraction above -1 and at most 10: 0.03 for 3 %";
        require(rate > -1.0 && rate <= 10.0, "metrics.risk_free_rate", rate, remedy)?;
        let level = self.tail_level;
        require(
            level > 0.5 && level < 1.0,
            "metrics.tail_level",
            level,
            "give a level such as 0.95 or 0.99",
        )?;
        let window = self.rolling_window;
        require(window >= 2, "metrics.rolling_window", window, "give at least 2 returns")
    }
}

/// `Ok` where a setting is sound.
pub(super) fn require(
    sound: bool,
    field: &'static str,
    value: impl std::fmt::Display,
    remedy: &'static str,
) -> Result<(), TradingError> {
    if sound { Ok(()) } else { Err(TradingError::Config { field, value: value.to_string(), remedy }) }
}
