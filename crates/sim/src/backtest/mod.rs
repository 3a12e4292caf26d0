//! Backtests: any strategy over many series on one account, through the same engine that trades live.
//!
//! Each moment at which candles close goes through the same steps: funding that fell due while they formed, then the venue walks
//! through each candle with the orders that were there before, then the engine sees the candles and decides. What it orders can trade in the next
//! candle at the earliest, so nothing can look ahead. The same input gives the same result, to the byte.

mod feed;
mod result;
mod terms;
#[cfg(test)]
mod tests;

use market_data::{Candle, Timestamp};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};
use trading::strategy::Strategy;
use trading::{Engine, EngineConfig, Event, MarketView, Notice};

pub use self::feed::{BacktestInstrument, CandleSignal, FundingRate};
pub use self::result::{BacktestResult, ExecutedOrder};
pub use self::terms::{CostAssumptions, assumed_terms};

use self::feed::Feed;
use self::result::Recorder;
use crate::error::SimError;
use crate::venue::{Venue, VenueCandle, VenueConfig, VenueEvent};

/// What a backtest is run with, but for strategy and data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BacktestConfig {
    /// Cash at the start, in settlement currency.
    pub cash: Decimal,
    /// The engine. Its timeframe is that of the series, whatever stands here.
    pub engine: EngineConfig,
    /// The venue.
    pub venue: VenueConfig,
    /// Whether every notice of the engine is kept, and not only trades and counts: it takes memory with each order.
    pub journal: bool,
}

impl Default for BacktestConfig {
    /// The engine's defaults, but for the halt on a drawdown: it waits for an operator, and in a backtest there is none.
    fn default() -> Self {
        let mut engine = EngineConfig::default();
        engine.limits.drawdown = Decimal::ONE;
        Self { cash: Decimal::from(10_000), engine, venue: VenueConfig::default(), journal: false }
    }
}

/// Called every so many candles with the number of moments that are done.
const PROGRESS_EVERY: usize = 10_000;

/// Runs a strategy from the first to the last candle.
///
/// # Errors
/// [`SimError::Config`] and [`SimError::Data`] name what makes no sense; [`SimError::Trading`] what the kernel cannot account.
pub fn run_backtest<S: Strategy>(
    config: &BacktestConfig,
    strategy: S,
    instruments: &[BacktestInstrument<'_>],
    progress: &mut dyn FnMut(usize),
) -> Result<BacktestResult, SimError> {
    let mut feed = Feed::new(instruments)?;
    let terms: Vec<_> = instruments.iter().map(|one| one.terms.clone()).collect();
    let mut engine_config = config.engine.clone();
    engine_config.execution.timeframe = feed.timeframe();
    let mut run = Run {
        venue: Venue::new(config.venue.clone(), &terms)?,
        engine: Engine::new(strategy, engine_config, terms, config.cash)?,
        recorder: Recorder::new(config.journal, feed.timeframe().millis(), config.cash),
        answers: Vec::new(),
        detail: Vec::new(),
    };
    let mut moments = 0;
    while let Some(time) = feed.advance() {
        run.moment(&mut feed, time)?;
        moments += 1;
        if moments % PROGRESS_EVERY == 0 {
            progress(moments);
        }
    }
    progress(moments);
    Ok(run.recorder.finish(run.engine.account(), run.engine.orders(), instruments.len(), moments))
}

struct Run<S> {
    engine: Engine<S>,
    venue: Venue,
    recorder: Recorder,
    answers: Vec<VenueEvent>,
    detail: Vec<Candle>,
}

/// More events of one candle than an engine that acts on purpose can lead to.
const MOST_EVENTS: usize = 100_000;

impl<S: Strategy> Run<S> {
    fn moment(&mut self, feed: &mut Feed<'_>, time: Timestamp) -> Result<(), SimError> {
        for at in 0..feed.updates().len() {
            let update = feed.updates()[at];
            while let Some(funding) = feed.funding_before(update.instrument, time) {
                self.fund(&update, funding)?;
            }
            feed.detail(&update, &mut self.detail);
            let input = VenueCandle {
                instrument: update.instrument,
                candle: update.candle,
                close_time: time,
                detail: &self.detail,
                relative_spread: update.relative_spread,
            };
            self.venue.begin_candle(&input, self.engine.account())?;
            let mut events = 0;
            while let Some(event) = self.venue.next_event(self.engine.account())? {
                events += 1;
                if events > MOST_EVENTS {
                    let problem =
                        "engine and venue answer each other without end; this is a defect, report it";
                    return Err(SimError::data(
                        format!("the candle of {}", update.candle.open_time),
                        problem,
                    ));
                }
                self.answers.push(event);
                self.exchange()?;
            }
        }
        self.step(Event::Candles(MarketView { time, updates: feed.updates() }), time)?;
        self.exchange()?;
        let equity = self.engine.account().equity().to_f64().unwrap_or(f64::NAN);
        let gross = if self.engine.account().is_flat() {
            0.0
        } else {
            self.engine.account().gross_notional().to_f64().unwrap_or(f64::NAN)
        };
        self.recorder.point(time, equity, gross);
        Ok(())
    }

    /// Funding is exchanged at the last price that was known when it fell due: the open of the candle that it falls into.
    fn fund(&mut self, update: &trading::MarketUpdate<'_>, funding: FundingRate) -> Result<(), SimError> {
        let account = self.engine.account();
        let Some(terms) = account.terms(update.instrument) else { return Ok(()) };
        if account.is_flat() || terms.is_spot() {
            return Ok(());
        }
        let Some(rules) = terms.instrument.rules_at(funding.time) else { return Ok(()) };
        let Some(mark_price) = trading::Grid::new(rules).price_of(update.candle.open) else { return Ok(()) };
        let event = Event::Funding {
            time: funding.time,
            instrument: update.instrument,
            rate: funding.rate,
            mark_price,
        };
        self.step(event, funding.time)?;
        self.exchange()
    }

    /// Gives answers of the venue to the engine, oldest first, until there are no more.
    fn exchange(&mut self) -> Result<(), SimError> {
        let mut at = 0;
        while let Some(event) = self.answers.get(at).copied() {
            at += 1;
            if at > MOST_EVENTS {
                let problem = "engine and venue answer each other without end; this is a defect, report it";
                return Err(SimError::data(format!("the events at {}", event.time()), problem));
            }
            self.step(event.as_event(), event.time())?;
        }
        self.answers.clear();
        Ok(())
    }

    fn step(&mut self, event: Event<'_>, time: Timestamp) -> Result<(), SimError> {
        let output = self.engine.step(event)?;
        if output.commands.is_empty() && output.notices.is_empty() {
            return Ok(());
        }
        for notice in output.notices.drain(..) {
            self.recorder.notice(notice);
        }
        let mut commands = std::mem::take(&mut output.commands);
        for command in commands.drain(..) {
            self.venue.submit(command, time, self.engine.account(), &mut self.answers)?;
        }
        Ok(())
    }
}

/// Whether a notice belongs into the decision log of a report.
pub(crate) const fn is_of_record(notice: &Notice) -> bool {
    !matches!(notice, Notice::Booked { .. })
}
