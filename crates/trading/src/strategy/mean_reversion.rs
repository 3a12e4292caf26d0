//! Mean reversion by z-score.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::TradingError;
use crate::exit::ExitPlan;
use crate::market::{MarketView, PortfolioView};

use super::config::{Direction, equal_terms, require, require_exits, require_exposure};
use super::rolling::{Window, sound_close};
use super::wish::{Heading, Terms, Wish, abstention, vote};
use super::{Decision, Stance, Strategy};

/// A deviation below this share of the mean is what rounding makes of equal prices.
const ROUNDING: f64 = 1e-12;

/// Settings of [`MeanReversion`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MeanReversionConfig {
    /// Candles of the mean and the deviation, the newest included.
    pub window: usize,
    /// z-score from which a position against the move is taken.
    pub entry: f64,
    /// z-score down to which the move must have come back for the position to be left.
    pub exit: f64,
    /// z-score from which the position is given up.
    pub stop: f64,
    /// Whether it goes short above the mean.
    pub direction: Direction,
    /// Notional of all instruments together as a share of equity; each gets an equal part, in the market or
    /// not.
    pub exposure: f64,
    /// How positions are left besides; none leaves that to the z-score.
    pub exits: Option<ExitPlan>,
}

impl Default for MeanReversionConfig {
    fn default() -> Self {
        Self {
            window: 50,
            entry: 2.0,
            exit: 0.5,
            stop: 4.0,
            direction: Direction::LongShort,
            exposure: 1.0,
            exits: None,
        }
    }
}

impl MeanReversionConfig {
    /// Checks the settings.
    ///
    /// No value of n lies more than √(n − 1) population deviations from their mean (Samuelson 1968, "How
    /// deviant can you be?"): a stop from there on could never be reached, and is refused.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the field.
    pub fn validate(&self) -> Result<(), TradingError> {
        require(self.window >= 3, "strategy.window", self.window, "give at least 3 candles")?;
        let is_sound = self.exit >= 0.0 && self.exit < self.entry;
        require(is_sound, "strategy.exit", self.exit, "give 0 or more and less than strategy.entry")?;
        let is_sound = self.entry.is_finite() && self.entry < self.stop;
        require(is_sound, "strategy.entry", self.entry, "give less than strategy.stop")?;
        let farthest = ((self.window - 1) as f64).sqrt();
        let remedy = "give less than the square root of strategy.window - 1, beyond which no z-score lies";
        require(self.stop < farthest, "strategy.stop", self.stop, remedy)?;
        require_exits(self.exits.as_ref(), self.direction)?;
        require_exposure(self.exposure)
    }
}

/// Trades against closes that lie far from their mean, until they have come back.
///
/// `z = (close − mean) / deviation` over the window with the newest close in it; the deviation is that of a
/// population. A window of equal closes has z = 0.
///
/// - Without a position: long from z ≤ −entry, short from z ≥ entry, unless |z| ≥ stop.
/// - With one: left once z has come back to the exit or went through to the other side, where it may turn at
///   once.
/// - Stopped where z moved on to the stop. Then, and after a |z| ≥ stop without a position, it waits until
///   |z| < entry.
///
/// A position is named as by [`MovingAverageCrossover`](super::MovingAverageCrossover): until it is held,
/// with exits once.
///
/// After a gap the window begins anew, the wait is over, and a position is given up: the mean that it was to
/// come back to is not known any more, and neither would its stop be seen.
///
/// Votes: z against the entry, `Vetoes` while it waits; `Abstains` with the candles known against those
/// needed.
#[derive(Clone, Debug)]
pub struct MeanReversion {
    config: MeanReversionConfig,
    terms: Terms,
    reversions: Vec<Reversion>,
}

#[derive(Clone, Debug)]
struct Reversion {
    closes: Window,
    is_waiting: bool,
    has_decided: bool,
    wish: Wish,
}

impl MeanReversion {
    /// The strategy before its first candle.
    ///
    /// # Errors
    /// [`TradingError::Config`] as of [`MeanReversionConfig::validate`], and where there is no instrument.
    pub fn new(config: &MeanReversionConfig, instruments: usize) -> Result<Self, TradingError> {
        config.validate()?;
        let reversion = Reversion {
            closes: Window::new(config.window),
            is_waiting: false,
            has_decided: false,
            wish: Wish::default(),
        };
        Ok(Self {
            terms: equal_terms(config.exposure, config.exits, instruments)?,
            reversions: vec![reversion; instruments],
            config: config.clone(),
        })
    }
}

impl MeanReversionConfig {
    /// Where to head from `before` at z-score `z`, and whether to wait from now on.
    fn next(&self, before: Heading, is_waiting: bool, z: f64) -> (Heading, bool) {
        let stays = match before {
            Heading::Flat => false,
            Heading::Long => z < -self.exit && z > -self.stop,
            Heading::Short => z > self.exit && z < self.stop,
        };
        if stays {
            return (before, false);
        }
        if z.abs() >= self.stop || (is_waiting && z.abs() >= self.entry) {
            return (Heading::Flat, true);
        }
        if z <= -self.entry {
            (Heading::Long, false)
        } else if z >= self.entry {
            (self.direction.down(), false)
        } else {
            (Heading::Flat, false)
        }
    }
}

impl Strategy for MeanReversion {
    fn name(&self) -> &str {
        "revert"
    }

    fn warm_up(&self) -> usize {
        self.config.window
    }

    fn decide(&mut self, market: &MarketView<'_>, portfolio: &PortfolioView<'_>, decision: &mut Decision) {
        for update in market.updates {
            let instrument = update.instrument;
            let Some(state) = self.reversions.get_mut(instrument.get()) else { continue };
            let close = sound_close(&update.candle);
            if update.after_gap || close.is_none() {
                state.closes.clear();
                state.is_waiting = false;
            }
            if let Some(close) = close {
                state.closes.push(close);
            }
            let Some((z, heading)) = state.judge(&self.config) else {
                // Before its first decision it wants nothing, not even to be flat.
                if state.has_decided {
                    state.wish.follow(Heading::Flat, instrument, portfolio, &self.terms, decision);
                }
                decision.votes.push(abstention(instrument, state.closes.filled(), self.config.window));
                continue;
            };
            state.wish.follow(heading, instrument, portfolio, &self.terms, decision);
            let stance = if state.is_waiting { Stance::Vetoes } else { heading.stance() };
            decision.votes.push(vote(instrument, stance, z, self.config.entry));
        }
    }
}

impl Reversion {
    /// The z-score of the newest close and where to head; none while the window is filling.
    fn judge(&mut self, config: &MeanReversionConfig) -> Option<(f64, Heading)> {
        let (mean, deviation) = self.closes.moments(config.window)?;
        let is_moving = deviation > ROUNDING * mean;
        let z = if is_moving { (self.closes.back(0)? - mean) / deviation } else { 0.0 };
        let (heading, is_waiting) = config.next(self.wish.heading(), self.is_waiting, z);
        self.is_waiting = is_waiting;
        self.has_decided = true;
        Some((z, heading))
    }
}
