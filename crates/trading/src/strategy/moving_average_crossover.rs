//! Trend following by two moving averages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::TradingError;
use crate::exit::ExitPlan;
use crate::market::{MarketView, PortfolioView};

use super::config::{Direction, equal_terms, require, require_exits, require_exposure};
use super::rolling::{MovingAverage, sound_close};
use super::wish::{Heading, Terms, Wish, abstention, vote};
use super::{Decision, Strategy};

/// Averages closer than this share of each other count as equal: it is above what rounding makes of equal
/// prices.
const ROUNDING: f64 = 1e-12;

/// How closes are averaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AverageKind {
    /// All closes of the period alike.
    #[default]
    Simple,
    /// `2 / (period + 1)` of each new close, begun with the mean of the first period.
    Exponential,
}

/// Settings of [`MovingAverageCrossover`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MovingAverageCrossoverConfig {
    /// How closes are averaged.
    pub average: AverageKind,
    /// Candles of the fast average.
    pub fast: usize,
    /// Candles of the slow average.
    pub slow: usize,
    /// Share of the slow average by which the fast one must lie above or below it to change the position.
    pub band: f64,
    /// Whether it goes short where the fast average is below.
    pub direction: Direction,
    /// Notional of all instruments together as a share of equity; each gets an equal part, in the market or
    /// not.
    pub exposure: f64,
    /// How positions are left besides; none leaves that to the averages.
    pub exits: Option<ExitPlan>,
}

impl Default for MovingAverageCrossoverConfig {
    fn default() -> Self {
        Self {
            average: AverageKind::Simple,
            fast: 20,
            slow: 50,
            band: 0.0,
            direction: Direction::LongShort,
            exposure: 1.0,
            exits: None,
        }
    }
}

impl MovingAverageCrossoverConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the field.
    pub fn validate(&self) -> Result<(), TradingError> {
        require(self.fast >= 1, "strategy.fast", self.fast, "give at least 1 candle")?;
        require(self.slow > self.fast, "strategy.slow", self.slow, "give more candles than strategy.fast")?;
        let is_sound = (0.0..1.0).contains(&self.band);
        require(is_sound, "strategy.band", self.band, "give a share from 0 to below 1, such as 0.001")?;
        require_exits(self.exits.as_ref(), self.direction)?;
        require_exposure(self.exposure)
    }
}

/// Long while the fast average of closes is above the slow one; short or flat below.
///
/// While the two are as close as the band it heads where it headed before. A position is named when the
/// heading changes, and without exits until it is held (with exits a failed order cannot be told from a
/// position that was stopped at once). It is not named again after it was closed otherwise, before the
/// averages have crossed back.
///
/// After a gap the averages begin anew. Until they are there again it abstains, and what is held is left as
/// it is, with its exits.
///
/// Votes: fast over slow minus one against the band; `Abstains` with the candles known against those needed.
#[derive(Clone, Debug)]
pub struct MovingAverageCrossover {
    slow: usize,
    band: f64,
    direction: Direction,
    terms: Terms,
    trends: Vec<Trend>,
}

#[derive(Clone, Debug)]
struct Trend {
    fast: MovingAverage,
    slow: MovingAverage,
    candles: usize,
    wish: Wish,
}

impl Trend {
    const fn forget(&mut self) {
        self.fast.clear();
        self.slow.clear();
        self.candles = 0;
    }
}

impl MovingAverageCrossover {
    /// The strategy before its first candle.
    ///
    /// # Errors
    /// [`TradingError::Config`] as of [`MovingAverageCrossoverConfig::validate`], and where there is no
    /// instrument.
    pub fn new(config: &MovingAverageCrossoverConfig, instruments: usize) -> Result<Self, TradingError> {
        config.validate()?;
        let average = match config.average {
            AverageKind::Simple => MovingAverage::simple,
            AverageKind::Exponential => MovingAverage::exponential,
        };
        let trend = Trend {
            fast: average(config.fast),
            slow: average(config.slow),
            candles: 0,
            wish: Wish::default(),
        };
        Ok(Self {
            slow: config.slow,
            band: config.band,
            direction: config.direction,
            terms: equal_terms(config.exposure, config.exits, instruments)?,
            trends: vec![trend; instruments],
        })
    }
}

impl Strategy for MovingAverageCrossover {
    fn name(&self) -> &str {
        "cross"
    }

    fn warm_up(&self) -> usize {
        self.slow
    }

    fn decide(&mut self, market: &MarketView<'_>, portfolio: &PortfolioView<'_>, decision: &mut Decision) {
        for update in market.updates {
            let instrument = update.instrument;
            let Some(trend) = self.trends.get_mut(instrument.get()) else { continue };
            let close = sound_close(&update.candle);
            if update.after_gap || close.is_none() {
                trend.forget();
            }
            let averages = close.and_then(|close| {
                trend.candles = (trend.candles + 1).min(self.slow);
                let fast = trend.fast.push(close);
                trend.slow.push(close).and_then(|slow| fast.map(|fast| (fast, slow)))
            });
            let Some((fast, slow)) = averages else {
                decision.votes.push(abstention(instrument, trend.candles, self.slow));
                continue;
            };
            let distance = fast / slow - 1.0;
            let least = self.band.max(ROUNDING);
            let heading = if distance > least {
                Heading::Long
            } else if distance < -least {
                self.direction.down()
            } else {
                trend.wish.heading()
            };
            trend.wish.follow(heading, instrument, portfolio, &self.terms, decision);
            decision.votes.push(vote(instrument, heading.stance(), distance, self.band));
        }
    }
}
