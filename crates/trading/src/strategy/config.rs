//! Which strategy, and with which settings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::TradingError;

use super::buy_and_hold::{BuyAndHold, BuyAndHoldConfig};
use super::equal_risk_contribution::{EqualRiskContribution, EqualRiskContributionConfig};
use super::mean_reversion::{MeanReversion, MeanReversionConfig};
use super::moving_average_crossover::{MovingAverageCrossover, MovingAverageCrossoverConfig};
use super::nearest_neighbours::{NearestNeighbours, NearestNeighboursConfig};
use super::wish::Heading;
use super::{Strategy, wish::Terms};
use crate::exit::ExitPlan;

/// A strategy and its settings; `kind` says which one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum StrategyConfig {
    /// Buys once and keeps.
    BuyAndHold(BuyAndHoldConfig),
    /// Follows the trend that two moving averages show.
    MovingAverageCrossover(MovingAverageCrossoverConfig),
    /// Trades against what lies far from its mean.
    MeanReversion(MeanReversionConfig),
    /// Holds all instruments so that each brings the same risk.
    EqualRiskContribution(EqualRiskContributionConfig),
    /// Trades on what followed the most similar moments of the past.
    NearestNeighbours(NearestNeighboursConfig),
}

impl Default for StrategyConfig {
    /// The yardstick of all others.
    fn default() -> Self {
        Self::BuyAndHold(BuyAndHoldConfig::default())
    }
}

impl StrategyConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the field, its value and the remedy.
    pub fn validate(&self) -> Result<(), TradingError> {
        match self {
            Self::BuyAndHold(config) => config.validate(),
            Self::MovingAverageCrossover(config) => config.validate(),
            Self::MeanReversion(config) => config.validate(),
            Self::EqualRiskContribution(config) => config.validate(),
            Self::NearestNeighbours(config) => config.validate(),
        }
    }

    /// The strategy, before its first candle, for the instruments `0..instruments`. Updates of others are
    /// ignored.
    ///
    /// # Errors
    /// [`TradingError::Config`] where a setting makes no sense, alone or for so many instruments.
    pub fn build(&self, instruments: usize) -> Result<Box<dyn Strategy + Send>, TradingError> {
        Ok(match self {
            Self::BuyAndHold(config) => Box::new(BuyAndHold::new(config, instruments)?),
            Self::MovingAverageCrossover(config) => {
                Box::new(MovingAverageCrossover::new(config, instruments)?)
            }
            Self::MeanReversion(config) => Box::new(MeanReversion::new(config, instruments)?),
            Self::EqualRiskContribution(config) => Box::new(EqualRiskContribution::new(config, instruments)?),
            Self::NearestNeighbours(config) => Box::new(NearestNeighbours::new(config, instruments)?),
        })
    }
}

/// Which positions a rule may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Long and short.
    #[default]
    LongShort,
    /// Long or nothing, as on spot.
    LongOnly,
}

impl Direction {
    /// Where a rule heads that sees prices fall.
    pub(super) const fn down(self) -> Heading {
        match self {
            Self::LongShort => Heading::Short,
            Self::LongOnly => Heading::Flat,
        }
    }
}

/// An error naming the field where a setting is not sound.
pub(super) fn require(
    is_sound: bool,
    field: &'static str,
    value: impl std::fmt::Display,
    remedy: &'static str,
) -> Result<(), TradingError> {
    if is_sound { Ok(()) } else { Err(TradingError::config(field, value, remedy)) }
}

pub(super) fn require_exposure(exposure: f64) -> Result<(), TradingError> {
    let is_sound = exposure.is_finite() && exposure > 0.0;
    require(is_sound, "strategy.exposure", exposure, "give a share of equity above 0, such as 1.0")
}

/// Exits that outlive the rule's own signal would leave it heading one way and holding the other.
pub(super) fn require_exits(exits: Option<&ExitPlan>, direction: Direction) -> Result<(), TradingError> {
    exits.map_or(Ok(()), ExitPlan::validate)?;
    require(
        direction == Direction::LongOnly || exits.is_none_or(|exits| exits.opposite_signal),
        "strategy.exits.opposite_signal",
        false,
        "set it to true, or direction = \"long-only\"; a position would be kept against the strategy's own signal",
    )
}

/// The terms of each position where `exposure` is divided equally.
pub(super) fn equal_terms(
    exposure: f64,
    exits: Option<ExitPlan>,
    instruments: usize,
) -> Result<Terms, TradingError> {
    require_instruments(instruments)?;
    exits.as_ref().map_or(Ok(()), ExitPlan::validate)?;
    Ok(Terms { share: exposure / instruments as f64, exits })
}

pub(super) fn require_instruments(instruments: usize) -> Result<(), TradingError> {
    let is_sound = (1..=usize::from(u16::MAX) + 1).contains(&instruments);
    require(is_sound, "strategy.instruments", instruments, "trade at least 1 instrument and at most 65536")
}
