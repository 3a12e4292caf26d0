//! A policy that learns online from the nearest neighbours of the present.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::TradingError;
use crate::exit::ExitPlan;
use crate::market::{MarketUpdate, MarketView, PortfolioView};

use super::config::{Direction, equal_terms, require, require_exits, require_exposure};
use super::neighbour_memory::Memory;
use super::rolling::{Window, sound_close};
use super::wish::{Heading, Terms, Wish, abstention, vote};
use super::{Decision, Strategy};

/// A deviation of one-candle log returns below this counts as none.
const STILL: f64 = 1e-12;

/// Settings of [`NearestNeighbours`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NearestNeighboursConfig {
    /// Candles over which log returns are features, one feature each.
    pub lags: Vec<usize>,
    /// Candles of the recent volatility.
    pub fast_volatility: usize,
    /// Candles of the volatility that the recent one is compared with.
    pub slow_volatility: usize,
    /// Candles whose range the close is placed in.
    pub range: usize,
    /// Candles over which the outcome is measured, and for which a position is held.
    pub horizon: usize,
    /// How many of the most similar moments are asked.
    pub neighbours: usize,
    /// How many moments are remembered; then the oldest is forgotten for each new one.
    pub memory: usize,
    /// How many must be remembered before it speaks.
    pub minimum_memory: usize,
    /// Fees, spread and slippage of an entry and its exit, as a share of notional.
    pub round_trip_cost: f64,
    /// How many times the costs the mean outcome must be.
    pub threshold_factor: f64,
    /// Whether it goes short.
    pub direction: Direction,
    /// Notional of all instruments together as a share of equity; each gets an equal part, in the market or
    /// not.
    pub exposure: f64,
    /// How positions are left besides; none leaves that to the horizon.
    pub exits: Option<ExitPlan>,
}

impl Default for NearestNeighboursConfig {
    fn default() -> Self {
        Self {
            lags: vec![1, 3, 12, 24],
            fast_volatility: 12,
            slow_volatility: 72,
            range: 48,
            horizon: 12,
            neighbours: 25,
            memory: 4000,
            minimum_memory: 500,
            round_trip_cost: 0.0015,
            threshold_factor: 1.5,
            direction: Direction::LongShort,
            exposure: 1.0,
            exits: None,
        }
    }
}

impl NearestNeighboursConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the field.
    pub fn validate(&self) -> Result<(), TradingError> {
        let is_sound = !self.lags.is_empty() && self.lags.iter().all(|lag| *lag >= 1);
        require(is_sound, "strategy.lags", format!("{:?}", self.lags), "give lags of at least 1 candle")?;
        let (fast, slow) = (self.fast_volatility, self.slow_volatility);
        require(fast >= 2, "strategy.fast_volatility", fast, "give at least 2 candles")?;
        require(slow > fast, "strategy.slow_volatility", slow, "give more than strategy.fast_volatility")?;
        require(self.range >= 2, "strategy.range", self.range, "give at least 2 candles")?;
        require(self.horizon >= 1, "strategy.horizon", self.horizon, "give at least 1 candle")?;
        require(self.neighbours >= 1, "strategy.neighbours", self.neighbours, "give at least 1")?;
        let is_sound = (self.neighbours..=self.memory).contains(&self.minimum_memory);
        let remedy = "give at least strategy.neighbours and at most strategy.memory";
        require(is_sound, "strategy.minimum_memory", self.minimum_memory, remedy)?;
        let is_sound = (0.0..1.0).contains(&self.round_trip_cost);
        let remedy = "give a share of notional from 0 to below 1, such as 0.0015";
        require(is_sound, "strategy.round_trip_cost", self.round_trip_cost, remedy)?;
        let is_sound = self.threshold_factor.is_finite() && self.threshold_factor >= 0.0;
        require(is_sound, "strategy.threshold_factor", self.threshold_factor, "give 0 or more, such as 1.5")?;
        require_exits(self.exits.as_ref(), self.direction)?;
        require_exposure(self.exposure)
    }

    /// Candles without a gap that the features need.
    fn candles_of_features(&self) -> usize {
        let longest = self.lags.iter().copied().max().unwrap_or(0);
        (longest + 1).max(self.slow_volatility + 1).max(self.range)
    }
}

/// Trades on the mean outcome of the moments of the past that were most like the present, for each instrument
/// by itself.
///
/// - Features of a candle: log returns over `lags`; the standard deviation of one-candle log returns over the
///   fast window divided by that over the slow one (1 where nothing moved); the place of the close between
///   the lowest low (0) and the highest high (1) of the range (0.5 where there is none).
/// - Distance: Euclidean, each feature divided by its standard deviation over all candles seen so far. (Means
///   cancel.)
/// - Outcome: the log return over `horizon` candles. It is learned at the candle that ends the horizon, never
///   before, and only where no gap lies in between.
/// - Rule: long where the mean outcome of the `neighbours` nearest is above `round_trip_cost ×
///   threshold_factor`, short (or flat) where it is below minus that. In between what is held is kept until
///   `horizon` candles after the last candle that spoke for it, then left.
///
/// Among equally distant moments the later one is nearer. After a gap the windows and the outcomes that were
/// still to come are forgotten, what was learned stays, and a position is given up: its horizon cannot be
/// counted any more. A position is named as by [`MovingAverageCrossover`](super::MovingAverageCrossover):
/// until it is held, with exits once; one that its exits closed is not opened again before the heading has
/// changed.
///
/// Votes: the mean outcome against the threshold; `Abstains` with the moments learned against those needed.
/// One decision costs a pass over the memory; no memory is allocated.
#[derive(Clone, Debug)]
pub struct NearestNeighbours {
    config: NearestNeighboursConfig,
    threshold: f64,
    terms: Terms,
    learners: Vec<Learner>,
}

#[derive(Clone, Debug)]
struct Learner {
    log_closes: Window,
    returns: Window,
    highs: Window,
    lows: Window,
    features: Vec<f64>,
    memory: Memory,
    remaining: usize,
    has_decided: bool,
    wish: Wish,
}

impl NearestNeighbours {
    /// The strategy before its first candle.
    ///
    /// # Errors
    /// [`TradingError::Config`] as of [`NearestNeighboursConfig::validate`], and where there is no
    /// instrument.
    pub fn new(config: &NearestNeighboursConfig, instruments: usize) -> Result<Self, TradingError> {
        config.validate()?;
        let longest = config.lags.iter().copied().max().unwrap_or(0);
        let dimensions = config.lags.len() + 2;
        let learner = Learner {
            log_closes: Window::new(longest + 1),
            returns: Window::new(config.slow_volatility),
            highs: Window::new(config.range),
            lows: Window::new(config.range),
            features: vec![0.0; dimensions],
            memory: Memory::new(dimensions, config.memory, config.horizon, config.neighbours),
            remaining: 0,
            has_decided: false,
            wish: Wish::default(),
        };
        let terms = equal_terms(config.exposure, config.exits, instruments)?;
        // One by one, because a clone of an empty list does not keep the room that was reserved in it.
        let learners = (0..instruments)
            .map(|_| {
                let mut own = learner.clone();
                own.memory.reserve();
                own
            })
            .collect();
        let threshold = config.round_trip_cost * config.threshold_factor;
        Ok(Self { config: config.clone(), threshold, terms, learners })
    }
}

impl Strategy for NearestNeighbours {
    fn name(&self) -> &str {
        "knn"
    }

    fn warm_up(&self) -> usize {
        // The first features, their outcome, and the outcomes of the candles after.
        self.config.candles_of_features() + self.config.horizon + self.config.minimum_memory - 1
    }

    fn decide(&mut self, market: &MarketView<'_>, portfolio: &PortfolioView<'_>, decision: &mut Decision) {
        for update in market.updates {
            let instrument = update.instrument;
            let Some(learner) = self.learners.get_mut(instrument.get()) else { continue };
            let Some(outcome) = learner.learn(update, &self.config) else {
                // Before its first decision it wants nothing, not even to be flat.
                if learner.has_decided {
                    learner.wish.follow(Heading::Flat, instrument, portfolio, &self.terms, decision);
                }
                let learned = learner.memory.learned();
                decision.votes.push(abstention(instrument, learned, self.config.minimum_memory));
                continue;
            };
            let heading = learner.head(outcome, self.threshold, &self.config);
            learner.wish.follow(heading, instrument, portfolio, &self.terms, decision);
            decision.votes.push(vote(instrument, heading.stance(), outcome, self.threshold));
        }
    }
}

impl Learner {
    /// Takes in one candle; the outcome that the past lets expect, where enough of it is known.
    fn learn(&mut self, update: &MarketUpdate, config: &NearestNeighboursConfig) -> Option<f64> {
        let candle = &update.candle;
        let close = sound_close(candle);
        if update.after_gap || close.is_none() {
            for window in [&mut self.log_closes, &mut self.returns, &mut self.highs, &mut self.lows] {
                window.clear();
            }
            self.memory.interrupt();
            self.remaining = 0;
        }
        let log_close = close?.ln();
        if let Some(before) = self.log_closes.back(0) {
            self.returns.push(log_close - before);
        }
        self.log_closes.push(log_close);
        self.highs.push(candle.high);
        self.lows.push(candle.low);
        self.describe(candle.close, log_close, config)?;
        self.memory.advance(&self.features, log_close);
        (self.memory.learned() >= config.minimum_memory).then(|| self.memory.expect(&self.features))
    }

    /// Computes the features of the newest candle.
    fn describe(&mut self, close: f64, log_close: f64, config: &NearestNeighboursConfig) -> Option<()> {
        if !(self.log_closes.is_full() && self.returns.is_full() && self.lows.is_full()) {
            return None;
        }
        let (_, fast) = self.returns.moments(config.fast_volatility)?;
        let (_, slow) = self.returns.moments(config.slow_volatility)?;
        let highest = self.highs.last(config.range).fold(f64::NEG_INFINITY, f64::max);
        let lowest = self.lows.last(config.range).fold(f64::INFINITY, f64::min);
        let range = highest - lowest;
        let ratio = if slow > STILL { fast / slow } else { 1.0 };
        let place = if range > 0.0 { (close - lowest) / range } else { 0.5 };
        self.features.clear();
        for lag in &config.lags {
            self.features.push(log_close - self.log_closes.back(*lag)?);
        }
        self.features.extend([ratio, place]);
        Some(())
    }

    fn head(&mut self, outcome: f64, threshold: f64, config: &NearestNeighboursConfig) -> Heading {
        self.has_decided = true;
        self.remaining = self.remaining.saturating_sub(1);
        let spoken = if outcome > threshold {
            Heading::Long
        } else if outcome < -threshold {
            config.direction.down()
        } else if self.remaining > 0 {
            return self.wish.heading();
        } else {
            Heading::Flat
        };
        self.remaining = if spoken == Heading::Flat { 0 } else { config.horizon };
        spoken
    }
}
