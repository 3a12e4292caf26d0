//! Backtests: any strategy over many series on one account, through the same engine that trades live.
//!
//! Each moment at which candles close goes through the same steps: funding that fell due while they formed, then the venue walks
//! through each candle with the orders that were there before, then the engine sees the candles and decides. What it orders can trade in the next
//! candle at the earliest, so nothing can look ahead. The same input gives the same result, to the byte.

mod daily;
mod feed;
mod moment;
mod record;
mod result;
mod sensitivity;
mod terms;
#[cfg(test)]
mod tests;

use market_data::{Timeframe, Timestamp};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trading::account::InstrumentTerms;
use trading::strategy::Strategy;
use trading::{Engine, EngineConfig, Event, Grid, MarketUpdate, MarketView, Notice, to_float};

pub use self::daily::{DailyRecord, PointTotals, TradeTotals};
pub use self::feed::{BacktestInstrument, CandleSignal, FundingRate};
pub use self::moment::Moment;
pub use self::record::{CurvePoint, FullRecord, Record};
pub use self::result::{BacktestResult, BacktestTotals, ExecutedOrder};
pub use self::sensitivity::{Sensitivity, fee_and_latency_sensitivity};
pub use self::terms::{CostAssumptions, assumed_terms};

use self::feed::Feed;
use self::result::Books;
use crate::error::SimError;
use crate::venue::{Traffic, Venue, VenueCandle, VenueConfig};

/// What a backtest is run with, but for strategy and data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BacktestConfig {
    /// Cash at the start, in settlement currency.
    pub cash: Decimal,
    /// The engine.
    pub engine: EngineConfig,
    /// The venue.
    pub venue: VenueConfig,
    /// Whether every notice of the engine is kept, and not only trades and counts: it takes memory with each order. `simulate` writes
    /// them into `journal.jsonl`.
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

/// Runs a strategy from the first to the last candle and keeps everything: a [`Backtest`] over whole series with a [`FullRecord`].
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
    let terms = instruments.iter().map(|one| one.terms.clone()).collect();
    let record = FullRecord::new(config.journal, feed.least_moments());
    let mut backtest = Backtest::new(config, strategy, feed.timeframe(), terms, record)?;
    let mut moment = Moment::default();
    while feed.advance(&mut moment) {
        backtest.push(&moment)?;
        if backtest.moments() % PROGRESS_EVERY == 0 {
            progress(backtest.moments());
        }
    }
    progress(backtest.moments());
    let (record, totals) = backtest.finish();
    Ok(BacktestResult::new(record, totals))
}

/// A backtest that is fed one moment after the other, from wherever they come, and tells a [`Record`] what happens.
///
/// Its memory does not grow with the length of history; that of the record may.
///
/// ```
/// use market_data::{Candle, Instrument, Timeframe, Timestamp};
/// use sim::backtest::{Backtest, BacktestConfig, DailyRecord, Moment};
/// use trading::account::{InstrumentTerms, MarginTiers};
/// use trading::strategy::{BuyAndHold, BuyAndHoldConfig};
/// use trading::{InstrumentIndex, MarketUpdate};
///
/// let instrument = Instrument::from_toml(
///     "venue = \"bybit-spot\"\nsymbol = \"BTC/USDT\"\n[[rules]]\nvalid_from = \"2020-01-01\"\ntick_size = \"0.1\"\n\
///      lot_size = \"0.001\"\nminimum_quantity = \"0.001\"\nminimum_notional = \"5\"\n")?;
/// let (maker_fee, taker_fee, leverage) = ("0.001".parse()?, "0.001".parse()?, "1".parse()?);
/// let terms = InstrumentTerms { instrument, maker_fee, taker_fee, leverage, tiers: MarginTiers::default() };
/// let strategy = BuyAndHold::new(&BuyAndHoldConfig::default(), 1)?;
/// let (config, record) = (BacktestConfig::default(), DailyRecord::default());
/// let mut backtest = Backtest::new(&config, strategy, Timeframe::H1, vec![terms], record)?;
/// let mut moment = Moment::default();
/// for hour in 0..48 {
///     let open_time = Timestamp::from_millis(1_704_067_200_000 + hour * 3_600_000);
///     let (open, close) = (42_000.0 + hour as f64, 42_001.0 + hour as f64);
///     let candle = Candle { open_time, open, high: close, low: open, close, volume: 1e6, turnover: None };
///     moment.begin(Timeframe::H1.close_of(open_time)).candle(MarketUpdate::new(InstrumentIndex(0), candle));
///     backtest.push(&moment)?;
/// }
/// let (record, totals) = backtest.finish();
/// // The start, and the ends of two days.
/// assert_eq!((record.curve.equity.len(), record.executions, totals.moments), (3, 1, 48));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Backtest<S, R> {
    engine: Engine<S>,
    venue: Venue,
    books: Books<R>,
    traffic: Traffic,
    candle_ms: i64,
    instruments: usize,
    moments: usize,
    last: Timestamp,
    /// Equity of the last point, exactly and as a float: while nothing is open it stays.
    equity: (Decimal, f64),
}

impl<S: Strategy, R: Record> Backtest<S, R> {
    /// A backtest before its first candle. Instruments are named by their index in `terms`; their candles are of `timeframe`.
    /// [`BacktestConfig::journal`] is for [`run_backtest`]: here the record decides.
    ///
    /// # Errors
    /// [`SimError::Trading`] names the setting that makes no sense.
    pub fn new(
        config: &BacktestConfig,
        strategy: S,
        timeframe: Timeframe,
        terms: Vec<InstrumentTerms>,
        record: R,
    ) -> Result<Self, SimError> {
        Ok(Self {
            venue: Venue::new(config.venue.clone(), &terms)?,
            instruments: terms.len(),
            engine: Engine::new(strategy, config.engine.clone(), timeframe, terms, config.cash)?,
            books: Books::new(record),
            traffic: Traffic::default(),
            candle_ms: timeframe.millis(),
            moments: 0,
            last: Timestamp::MIN,
            equity: (config.cash, to_float(config.cash)),
        })
    }

    /// Goes through one moment, later than all before it.
    ///
    /// # Errors
    /// [`SimError::Data`] for a moment out of order or a candle that cannot have happened, [`SimError::Trading`] for what the kernel
    /// cannot account. The backtest is over then.
    pub fn push(&mut self, moment: &Moment) -> Result<(), SimError> {
        if let Some(problem) = moment.fault(self.last) {
            return Err(SimError::data(format!("the moment {}", moment.time), problem));
        }
        let time = moment.time;
        if self.moments == 0 {
            // What the account began with, when the first candle opened.
            let point =
                CurvePoint { time: time.plus_millis(-self.candle_ms), equity: self.equity.1, exposure: 0.0 };
            self.books.record.point(point);
        }
        let Self { engine, venue, books, traffic, .. } = self;
        for (at, update) in moment.updates.iter().enumerate() {
            for funding in moment.funding_of(at) {
                if let Some(event) = funding_event(engine, update, *funding) {
                    traffic.take(engine, venue, event, funding.time, books)?;
                }
            }
            let input = VenueCandle {
                instrument: update.instrument,
                candle: update.candle,
                close_time: time,
                detail: moment.detail_of(at),
                relative_spread: update.relative_spread,
            };
            traffic.walk(engine, venue, &input, books)?;
        }
        let view = MarketView { time, updates: &moment.updates };
        traffic.take(engine, venue, Event::Candles(view), time, books)?;
        books.forget_ended(engine.orders());
        self.moments += 1;
        self.last = time;
        self.record_point(time);
        Ok(())
    }

    fn record_point(&mut self, time: Timestamp) {
        let account = self.engine.account();
        let equity = account.equity();
        if equity.serialize() != self.equity.0.serialize() {
            self.equity = (equity, to_float(equity));
        }
        let equity = self.equity.1;
        let held = !account.is_flat() && equity > 0.0;
        let exposure = if held { to_float(account.gross_notional()) / equity } else { 0.0 };
        self.books.record.point(CurvePoint { time, equity, exposure });
    }

    /// Moments that are done.
    pub const fn moments(&self) -> usize {
        self.moments
    }

    /// The engine, with account, orders and strategy.
    pub const fn engine(&self) -> &Engine<S> {
        &self.engine
    }

    /// What was kept so far.
    pub const fn record(&self) -> &R {
        &self.books.record
    }

    /// The counts so far.
    #[must_use]
    pub fn totals(&self) -> BacktestTotals {
        let (account, orders) = (self.engine.account(), self.engine.orders());
        self.books.totals(account, orders, self.instruments, self.moments)
    }

    /// What was kept, and the counts.
    #[must_use]
    pub fn finish(self) -> (R, BacktestTotals) {
        let totals = self.totals();
        (self.books.record, totals)
    }
}

/// Funding is exchanged at the last price that was known when it fell due: the open of the candle that it falls into.
fn funding_event<S: Strategy>(
    engine: &Engine<S>,
    update: &MarketUpdate,
    funding: FundingRate,
) -> Option<Event<'static>> {
    let account = engine.account();
    let terms = account.terms(update.instrument)?;
    if account.is_flat() || terms.is_spot() {
        return None;
    }
    let mark_price = Grid::new(terms.instrument.rules_at(funding.time)?).price_of(update.candle.open)?;
    Some(Event::Funding { time: funding.time, instrument: update.instrument, rate: funding.rate, mark_price })
}

/// Whether a notice belongs into the decision log of a report.
pub(crate) const fn is_of_record(notice: &Notice) -> bool {
    !matches!(notice, Notice::Booked { .. })
}
