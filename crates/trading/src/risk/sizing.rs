//! How large a position is: a signed share of equity, and why.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::TradingError;
use crate::order::Side;
use crate::risk::moments::Moments;
use crate::risk::volatility::{Volatility, VolatilityModel, check_return};
use crate::strategy::Edge;

/// How positions are sized.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "method", rename_all = "kebab-case")]
pub enum SizingConfig {
    /// The same share of equity each time.
    Fixed(FixedSizing),
    /// So much that the position's volatility is a target.
    VolatilityTarget(VolatilityTargetSizing),
    /// A part of what makes capital grow fastest.
    Kelly(KellySizing),
}

impl Default for SizingConfig {
    fn default() -> Self {
        Self::Fixed(FixedSizing::default())
    }
}

/// The same share of equity each time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FixedSizing {
    /// Notional in percent of equity, above 0 and up to 100.
    pub percent: f64,
}

impl FixedSizing {
    /// The shares that searches start from, in percent of equity.
    pub const SEED_PERCENTS: [f64; 7] = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0];
}

impl Default for FixedSizing {
    fn default() -> Self {
        Self { percent: 5.0 }
    }
}

/// So much that the position's volatility is a target: target / (volatility per step × √steps per year), at
/// most `maximum_exposure`. The volatility is the instrument's; the portfolio's is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VolatilityTargetSizing {
    /// Standard deviation of the position's return in a year, as a fraction of equity.
    pub annual_volatility: f64,
    /// Largest notional as a share of equity; above 1 with leverage.
    pub maximum_exposure: f64,
    /// How volatility is estimated ([`Sizer::volatility`]).
    pub estimate: VolatilityModel,
    /// Returns that it takes before a position is opened, at least two.
    pub minimum_observations: u64,
}

impl Default for VolatilityTargetSizing {
    fn default() -> Self {
        Self {
            annual_volatility: 0.2,
            maximum_exposure: 1.0,
            estimate: VolatilityModel::default(),
            minimum_observations: 30,
        }
    }
}

/// A part of f* = p − (1 − p) / b ([`kelly_binary`]). Each of p and b comes from the decision's [`Edge`]
/// where it has one, and otherwise from closed trades.
///
/// What closed trades say is shrunk towards no edge: f* is multiplied by n / (n + `prior_trades`), which is
/// the same as adding that many trades at the win probability 1 / (1 + b) at which f* is zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KellySizing {
    /// Part of f* that is taken, above 0 and up to 1; one half keeps three quarters of the growth at half the
    /// spread.
    pub fraction: f64,
    /// Largest notional as a share of equity; above 1 with leverage.
    pub maximum_exposure: f64,
    /// What a lost bet costs.
    pub stake: KellyStake,
    /// Closed trades that it takes before anything is estimated from them, at least one.
    pub minimum_trades: u64,
    /// Weight of no edge, in trades.
    pub prior_trades: f64,
}

impl Default for KellySizing {
    fn default() -> Self {
        Self {
            fraction: 0.5,
            maximum_exposure: 1.0,
            stake: KellyStake::default(),
            minimum_trades: 30,
            prior_trades: 30.0,
        }
    }
}

/// What a lost bet costs. f* is the share of equity that is lost with it, so the notional depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KellyStake {
    /// All of the notional: the exposure is f*. No trade with a stop loses as much, so this is far on the
    /// safe side.
    #[default]
    Notional,
    /// The mean loss of closed trades, as a fraction of notional: the exposure is f* over that loss.
    MeanLoss,
}

impl SizingConfig {
    /// Whether it makes sense.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the field, its value and the remedy.
    pub fn validate(&self) -> Result<(), TradingError> {
        match self {
            Self::Fixed(fixed) if fixed.percent > 0.0 && fixed.percent <= 100.0 => Ok(()),
            Self::Fixed(fixed) => Err(TradingError::config(
                "sizing.percent",
                fixed.percent,
                "take a percentage above 0 and up to 100",
            )),
            Self::VolatilityTarget(target) => {
                check_positive("sizing.annual_volatility", target.annual_volatility)?;
                check_positive("sizing.maximum_exposure", target.maximum_exposure)?;
                if target.minimum_observations < 2 {
                    let remedy = "take at least 2 returns";
                    return Err(TradingError::config(
                        "sizing.minimum_observations",
                        target.minimum_observations,
                        remedy,
                    ));
                }
                if let VolatilityModel::Window { length } = target.estimate
                    && (length as u64) < target.minimum_observations
                {
                    let remedy = "take at least sizing.minimum_observations";
                    return Err(TradingError::config("sizing.estimate.length", length, remedy));
                }
                target.estimate.validate("sizing.estimate.decay", "sizing.estimate.length")
            }
            Self::Kelly(kelly) => {
                if !(kelly.fraction > 0.0 && kelly.fraction <= 1.0) {
                    let remedy = "take a part above 0 and up to 1, such as 0.5";
                    return Err(TradingError::config("sizing.fraction", kelly.fraction, remedy));
                }
                check_positive("sizing.maximum_exposure", kelly.maximum_exposure)?;
                if kelly.minimum_trades == 0 {
                    return Err(TradingError::config("sizing.minimum_trades", 0, "take at least 1 trade"));
                }
                if !(kelly.prior_trades >= 0.0 && kelly.prior_trades.is_finite()) {
                    let remedy = "take a number of trades, 0 or more";
                    return Err(TradingError::config("sizing.prior_trades", kelly.prior_trades, remedy));
                }
                Ok(())
            }
        }
    }
}

fn check_positive(field: &'static str, value: f64) -> Result<(), TradingError> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(TradingError::config(field, value, "take a positive number"))
}

/// Kelly's fraction of capital for a bet that wins `payoff_ratio` times the stake with `win_probability` and
/// loses the stake otherwise: p − (1 − p) / b, negative where the bet is not worth taking. Kelly (1956), "A
/// new interpretation of information rate", Bell System Technical Journal 35; in this form Thorp (2006), "The
/// Kelly criterion in blackjack, sports betting, and the stock market". None for a probability outside [0, 1]
/// or a payoff that is not positive.
#[must_use]
pub fn kelly_binary(win_probability: f64, payoff_ratio: f64) -> Option<f64> {
    let sound = (0.0..=1.0).contains(&win_probability) && payoff_ratio > 0.0;
    sound.then(|| win_probability - (1.0 - win_probability) / payoff_ratio)
}

/// Kelly's fraction for returns in continuous time, (μ − r) / σ², all three per the same time. Merton (1969)
/// for logarithmic utility; Thorp (2006), section 7. Not held to any limit: negative is short, above 1 is
/// with leverage. None for a variance that is not positive.
#[must_use]
pub fn kelly_continuous(mean_return: f64, riskless_return: f64, variance: f64) -> Option<f64> {
    let fraction = (mean_return - riskless_return) / variance;
    (variance > 0.0 && fraction.is_finite()).then_some(fraction)
}

/// What closed trades have won and lost, per unit of notional.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TradeStatistics {
    wins: Moments,
    losses: Moments,
    returns: Moments,
}

impl TradeStatistics {
    /// Takes the return of a closed trade after all costs, as a fraction of its notional at entry.
    ///
    /// # Errors
    /// [`TradingError::Report`] for what is no return; nothing has changed then.
    pub fn push(&mut self, value: f64) -> Result<(), TradingError> {
        check_return("a closed trade", value)?;
        self.returns.push(value);
        if value > 0.0 {
            self.wins.push(value);
        } else if value < 0.0 {
            self.losses.push(-value);
        }
        Ok(())
    }

    /// Trades that won or lost. Those that came out even change neither p nor b, and the best fraction does
    /// not depend on them.
    #[must_use]
    pub const fn decided(&self) -> u64 {
        self.wins.count() + self.losses.count()
    }

    /// Share of winning trades among those decided; none without any.
    #[must_use]
    pub fn win_probability(&self) -> Option<f64> {
        (self.decided() > 0).then(|| self.wins.count() as f64 / self.decided() as f64)
    }

    /// Mean loss of losing trades, positive; none without any.
    #[must_use]
    pub fn mean_loss(&self) -> Option<f64> {
        (self.losses.count() > 0).then(|| self.losses.mean())
    }

    /// Mean win over mean loss; none before there is one of each.
    #[must_use]
    pub fn payoff_ratio(&self) -> Option<f64> {
        (self.wins.count() > 0 && self.losses.count() > 0).then(|| self.wins.mean() / self.losses.mean())
    }

    /// Moments of all trades' returns, even ones included, as [`kelly_continuous`] takes them.
    #[must_use]
    pub const fn returns(&self) -> &Moments {
        &self.returns
    }
}

/// Why an exposure is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SizingReason {
    /// The share that is set.
    Fixed,
    /// The target over this annual volatility.
    VolatilityTarget(f64),
    /// A part of this f*, after shrinking.
    Kelly(f64),
    /// The largest exposure that is set; more was wanted, this much.
    Capped(f64),
    /// Nothing: volatility is not known, zero, or no number.
    UnknownVolatility,
    /// Nothing: neither the decision nor enough closed trades say what is to be won; so many are known.
    UnknownEdge(u64),
    /// Nothing: the win probability is outside [0, 1] or the payoff ratio not positive.
    InvalidEdge,
    /// Nothing: this f* is not positive.
    NoEdge(f64),
}

/// How much, and why.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exposure {
    /// Notional as a signed share of equity, negative for short; zero opens nothing. Always finite.
    pub share: f64,
    /// Why.
    pub reason: SizingReason,
}

/// Sizes positions.
#[derive(Clone, Debug)]
pub struct Sizer {
    config: SizingConfig,
    root_of_steps: f64,
    trades: TradeStatistics,
}

impl Sizer {
    /// A sizer for steps of which a year has `periods_per_year` (365 for daily candles of a market that never
    /// closes).
    ///
    /// # Errors
    /// [`TradingError::Config`] for settings that make no sense.
    pub fn new(config: SizingConfig, periods_per_year: f64) -> Result<Self, TradingError> {
        config.validate()?;
        check_positive("sizing.periods_per_year", periods_per_year)?;
        Ok(Self { config, root_of_steps: periods_per_year.sqrt(), trades: TradeStatistics::default() })
    }

    /// The estimate of volatility that the settings ask for, to be fed with the returns of one instrument;
    /// none where volatility has no part in sizes.
    #[must_use]
    pub fn volatility(&self) -> Option<Volatility> {
        match self.config {
            SizingConfig::VolatilityTarget(target) => {
                Volatility::new(target.estimate, target.minimum_observations).ok()
            }
            SizingConfig::Fixed(_) | SizingConfig::Kelly(_) => None,
        }
    }

    /// Takes the return of a closed trade, as [`TradeStatistics::push`].
    ///
    /// # Errors
    /// As there.
    pub fn record_trade(&mut self, value: f64) -> Result<(), TradingError> {
        self.trades.push(value)
    }

    /// What is known of closed trades.
    #[must_use]
    pub const fn trades(&self) -> &TradeStatistics {
        &self.trades
    }

    /// The exposure for a position in one direction: [`Side::Buy`] for long. `volatility` is the instrument's
    /// per step.
    #[must_use]
    pub fn exposure(&self, direction: Side, edge: Edge, volatility: Option<f64>) -> Exposure {
        let mut exposure = match &self.config {
            SizingConfig::Fixed(fixed) => {
                Exposure { share: fixed.percent / 100.0, reason: SizingReason::Fixed }
            }
            SizingConfig::VolatilityTarget(target) => self.of_volatility(target, volatility),
            SizingConfig::Kelly(kelly) => match self.of_edge(kelly, edge) {
                Ok(exposure) => exposure,
                Err(reason) => Exposure { share: 0.0, reason },
            },
        };
        // Not for zero, which would become minus zero.
        if direction == Side::Sell && exposure.share > 0.0 {
            exposure.share = -exposure.share;
        }
        exposure
    }

    fn of_volatility(&self, target: &VolatilityTargetSizing, volatility: Option<f64>) -> Exposure {
        let annual = volatility.unwrap_or(0.0) * self.root_of_steps;
        if !(annual > 0.0 && annual.is_finite()) {
            return Exposure { share: 0.0, reason: SizingReason::UnknownVolatility };
        }
        let reason = SizingReason::VolatilityTarget(annual);
        capped(target.annual_volatility / annual, target.maximum_exposure, reason)
    }

    fn of_edge(&self, kelly: &KellySizing, edge: Edge) -> Result<Exposure, SizingReason> {
        let trades = self.trades.decided();
        let unknown = SizingReason::UnknownEdge(trades);
        let enough = trades >= kelly.minimum_trades;
        let estimated = |value: Option<f64>| value.filter(|_| enough);
        let p = edge.win_probability.or_else(|| estimated(self.trades.win_probability())).ok_or(unknown)?;
        let b = edge.payoff_ratio.or_else(|| estimated(self.trades.payoff_ratio())).ok_or(unknown)?;
        let mut fraction = kelly_binary(p, b).ok_or(SizingReason::InvalidEdge)?;
        if edge.win_probability.is_none() || edge.payoff_ratio.is_none() {
            fraction *= trades as f64 / (trades as f64 + kelly.prior_trades);
        }
        if fraction <= 0.0 {
            return Err(SizingReason::NoEdge(fraction));
        }
        let stake = match kelly.stake {
            KellyStake::Notional => 1.0,
            KellyStake::MeanLoss => estimated(self.trades.mean_loss()).ok_or(unknown)?,
        };
        Ok(capped(kelly.fraction * fraction / stake, kelly.maximum_exposure, SizingReason::Kelly(fraction)))
    }
}

fn capped(wanted: f64, maximum: f64, reason: SizingReason) -> Exposure {
    let share = wanted.min(f64::MAX);
    if share > maximum {
        Exposure { share: maximum, reason: SizingReason::Capped(share) }
    } else {
        Exposure { share, reason }
    }
}

#[cfg(test)]
mod tests;
