//! The targets of the product, and which of them a result meets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trading::TradingError;

use super::Metrics;
use super::config::require;

/// What is aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Sharpe ratio on the headline basis.
    Sharpe,
    /// Maximum drawdown, from every point of the curve.
    MaximumDrawdown,
    /// Compound annual growth rate.
    YearlyReturn,
    /// Share of round trips that gained after costs.
    WinRate,
    /// Gross profit over gross loss, after costs.
    ProfitFactor,
    /// Mean net profit of a round trip over its notional.
    AverageProfit,
    /// Share of orders that ended without any execution.
    Unfilled,
}

/// Which side of a threshold is aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// The threshold or more.
    AtLeast,
    /// The threshold or less.
    AtMost,
}

/// Whether a target was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It was.
    Met,
    /// It was not.
    NotMet,
    /// The figure does not exist; [`TargetOutcome::reason`] says why. It is not met.
    NotKnown,
}

/// Thresholds of the targets. Fractions, not percent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Targets {
    /// At least this Sharpe ratio.
    pub sharpe: f64,
    /// At most this maximum drawdown.
    pub maximum_drawdown: f64,
    /// At least this compound annual growth rate.
    pub yearly_return: f64,
    /// At least this share of winning round trips.
    pub win_rate: f64,
    /// At least this profit factor.
    pub profit_factor: f64,
    /// At least this mean net profit over notional of a round trip.
    pub average_profit: f64,
    /// At most this share of unfilled orders.
    pub unfilled: f64,
    /// Years below which the yearly return is not known: returns of a part of a year are not made annual
    /// (Global Investment Performance Standards 2020, on periods of less than one year).
    pub minimum_years: f64,
}

impl Default for Targets {
    fn default() -> Self {
        Self {
            sharpe: 1.5,
            maximum_drawdown: 0.15,
            yearly_return: 0.2,
            win_rate: 0.55,
            profit_factor: 1.5,
            average_profit: 0.005,
            unfilled: 0.3,
            minimum_years: 1.0,
        }
    }
}

/// A target beside what was reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetOutcome {
    /// What is aimed at.
    pub target: Target,
    /// On which side of the threshold.
    pub bound: Bound,
    /// The threshold.
    pub threshold: f64,
    /// What was reached, where it is known.
    pub value: Option<f64>,
    /// Whether that meets the target.
    pub verdict: Verdict,
    /// Why it is not known.
    pub reason: Option<String>,
}

/// A figure that misses its threshold by rounding does not miss it.
const ROUNDING: f64 = 1e-12;

impl Targets {
    /// Checks the thresholds.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the field.
    pub fn validate(&self) -> Result<(), TradingError> {
        for (field, value) in [
            ("targets.sharpe", self.sharpe),
            ("targets.yearly_return", self.yearly_return),
            ("targets.profit_factor", self.profit_factor),
            ("targets.average_profit", self.average_profit),
        ] {
            require(value.is_finite(), field, value, "give a finite number")?;
        }
        for (field, value) in [
            ("targets.maximum_drawdown", self.maximum_drawdown),
            ("targets.win_rate", self.win_rate),
            ("targets.unfilled", self.unfilled),
        ] {
            require(
                (0.0..=1.0).contains(&value),
                field,
                value,
                "give a fraction from 0 to 1: 0.15 for 15 %",
            )?;
        }
        let years = self.minimum_years;
        let remedy = "give years, 0 to make any stretch annual";
        require(years.is_finite() && years >= 0.0, "targets.minimum_years", years, remedy)
    }

    /// Which targets `metrics` meets, in the order of the table.
    ///
    /// # Errors
    /// [`TradingError::Config`] where a threshold makes no sense.
    pub fn judge(&self, metrics: &Metrics) -> Result<Vec<TargetOutcome>, TradingError> {
        self.validate()?;
        let trades = &metrics.trades;
        let years = metrics.years;
        let is_long_enough = years >= self.minimum_years;
        let (few, flat) = ("fewer than 2 returns", "returns do not vary");
        let headline = metrics.headline();
        let no_sharpe = if headline.count < 2 { few } else { flat };
        let no_factor = if trades.count == 0 { "no closed trade" } else { "no losing trade" };
        let no_growth = format!("{years:.3} years, fewer than {}, are not made annual", self.minimum_years);
        let no_trade = "no closed trade";
        let (least, most) = (Bound::AtLeast, Bound::AtMost);
        let drawdown = metrics.drawdown.maximum;
        let growth = metrics.cagr.filter(|_| is_long_enough);
        let unfilled = metrics.activity.unfilled_share;
        let no_growth = if is_long_enough { "no time passed" } else { &no_growth };
        Ok(vec![
            outcome(Target::Sharpe, least, self.sharpe, headline.sharpe, no_sharpe),
            outcome(Target::MaximumDrawdown, most, self.maximum_drawdown, drawdown, "no return"),
            outcome(Target::YearlyReturn, least, self.yearly_return, growth, no_growth),
            outcome(Target::WinRate, least, self.win_rate, trades.win_rate, no_trade),
            outcome(Target::ProfitFactor, least, self.profit_factor, trades.profit_factor, no_factor),
            outcome(Target::AverageProfit, least, self.average_profit, trades.average_return, no_trade),
            outcome(Target::Unfilled, most, self.unfilled, unfilled, "no order came to an end"),
        ])
    }
}

fn outcome(target: Target, bound: Bound, threshold: f64, value: Option<f64>, absent: &str) -> TargetOutcome {
    let slack = ROUNDING * threshold.abs().max(1.0);
    let verdict = match (value, bound) {
        (None, _) => Verdict::NotKnown,
        (Some(value), Bound::AtLeast) if value >= threshold - slack => Verdict::Met,
        (Some(value), Bound::AtMost) if value <= threshold + slack => Verdict::Met,
        (Some(_), _) => Verdict::NotMet,
    };
    let reason = value.is_none().then(|| absent.to_owned());
    TargetOutcome { target, bound, threshold, value, verdict, reason }
}
