//! Buy and hold: the yardstick that every other strategy is held against.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::TradingError;
use crate::market::{MarketView, PortfolioView};

use super::config::{equal_terms, require, require_exposure};
use super::wish::{abstention, vote};
use super::{Decision, Stance, Strategy, TargetPosition};

/// Settings of [`BuyAndHold`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BuyAndHoldConfig {
    /// Notional of all instruments together at the purchase, as a share of equity; each gets an equal part.
    pub exposure: f64,
    /// Candles of an instrument after which it is bought. The warm-up of another strategy makes the two
    /// comparable.
    pub warm_up: usize,
}

impl Default for BuyAndHoldConfig {
    fn default() -> Self {
        Self { exposure: 1.0, warm_up: 1 }
    }
}

impl BuyAndHoldConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the field.
    pub fn validate(&self) -> Result<(), TradingError> {
        require_exposure(self.exposure)?;
        require(self.warm_up >= 1, "strategy.warm_up", self.warm_up, "give at least 1 candle")
    }
}

/// Buys an equal share of each instrument once that has closed enough candles, and keeps it.
///
/// A share is `exposure / instruments` of equity at the time of purchase; an instrument that comes later gets
/// its share of the equity then. The wish is repeated until a position is seen, so that an order that failed
/// is tried again. After that it says nothing any more: nothing is rebalanced, and a position that was
/// liquidated or closed by hand is not bought again. Gaps change nothing, because it remembers no prices.
///
/// Votes: `Long` with the share; `Abstains` with the candles seen against those needed.
#[derive(Clone, Debug)]
pub struct BuyAndHold {
    warm_up: usize,
    share: f64,
    holdings: Vec<Holding>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Holding {
    candles: usize,
    was_held: bool,
}

impl BuyAndHold {
    /// The strategy before its first candle.
    ///
    /// # Errors
    /// [`TradingError::Config`] as of [`BuyAndHoldConfig::validate`], and where there is no instrument.
    pub fn new(config: &BuyAndHoldConfig, instruments: usize) -> Result<Self, TradingError> {
        config.validate()?;
        let share = equal_terms(config.exposure, None, instruments)?.share;
        Ok(Self { warm_up: config.warm_up, share, holdings: vec![Holding::default(); instruments] })
    }
}

impl Strategy for BuyAndHold {
    fn name(&self) -> &str {
        "hold"
    }

    fn warm_up(&self) -> usize {
        self.warm_up
    }

    fn decide(&mut self, market: &MarketView<'_>, portfolio: &PortfolioView<'_>, decision: &mut Decision) {
        for update in market.updates {
            let instrument = update.instrument;
            let Some(holding) = self.holdings.get_mut(instrument.get()) else { continue };
            holding.candles = holding.candles.saturating_add(1);
            if holding.candles < self.warm_up {
                decision.votes.push(abstention(instrument, holding.candles, self.warm_up));
                continue;
            }
            holding.was_held |= portfolio.exposure(instrument) != 0.0;
            if !holding.was_held {
                decision.want(instrument, TargetPosition::Exposure(self.share), None);
            }
            decision.votes.push(vote(instrument, Stance::Long, self.share, 0.0));
        }
    }
}
