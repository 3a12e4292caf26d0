//! The engine: events in, commands out; the same in a backtest, an environment, on paper and live.
//!
//! It has no clock, does no input or output and draws no random numbers. What happens outside reaches it as an [`Event`];
//! what it wants done leaves it as a [`Command`]; what is worth a record leaves it as a [`Notice`]. A venue, simulated or
//! real, executes the commands and answers with reports.
//!
//! What holds after every event:
//! 1. the books add up to the last decimal ([`crate::Account::check`]), or the event returns an error and the engine refuses to
//!    go on;
//! 2. no order leaves it that the risk gate did not approve ([`crate::risk::RiskApproved`]);
//! 3. every execution is accounted exactly once, whatever the order and number of its reports;
//! 4. an open position with a stop in its exit plan has a stop order at the venue or on its way, or is being closed;
//! 5. the same events give the same commands, to the byte.

mod candles;
mod command;
mod config;
mod positions;
mod protection;
mod pursuit;
mod reports;
mod slot;
#[cfg(test)]
mod tests;

use market_data::{Timeframe, Timestamp};
use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive;

pub use command::{Command, Commands, Notice, TradeRecord};
pub use config::{EngineConfig, EntryStyle, ExecutionConfig, OnHalt, TailGateConfig};

use self::slot::{AccountFloats, Slot};
use crate::account::{Account, InstrumentTerms, LedgerKind};
use crate::error::TradingError;
use crate::indicator::AverageTrueRange;
use crate::market::{MarketView, PositionView};
use crate::order::{InstrumentIndex, PositionSide};
use crate::orders::{Fill, OrderReport, Orders};
use crate::risk::{InstrumentRisk, KillReason, RiskGate, Sizer, TailRisk};
use crate::strategy::{Decision, Strategy};

/// Something that happened outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event<'a> {
    /// Candles closed.
    Candles(MarketView<'a>),
    /// News of an own order.
    Report(OrderReport<'a>),
    /// The venue traded for the account by itself: it liquidated a position.
    Liquidation(Fill),
    /// Funding was exchanged.
    Funding {
        /// When.
        time: Timestamp,
        /// Of what.
        instrument: InstrumentIndex,
        /// What long pays to short, as a fraction of the notional.
        rate: Decimal,
        /// The price that the notional is taken at.
        mark_price: Decimal,
    },
    /// Cash was put in, or taken out where it is negative.
    Transfer {
        /// When.
        time: Timestamp,
        /// How much, in settlement currency.
        amount: Decimal,
    },
    /// Time has passed: what is unresolved is asked for again.
    Timer {
        /// What time it is.
        time: Timestamp,
    },
    /// Somebody pulled the kill switch.
    Kill {
        /// When.
        time: Timestamp,
        /// Who.
        reason: KillReason,
    },
    /// Somebody lets trading go on after a halt.
    Resume {
        /// When.
        time: Timestamp,
    },
}

/// The engine. See the module for what holds.
#[derive(Debug)]
pub struct Engine<S> {
    strategy: S,
    config: EngineConfig,
    /// Of the candles that it is fed.
    timeframe: Timeframe,
    account: Account,
    orders: Orders,
    gate: RiskGate,
    sizer: Sizer,
    tail: Option<TailRisk>,
    /// Equity of the last candle, for the returns that tail risk is estimated from.
    last_equity: Decimal,
    /// Candles since the last return of the account.
    candles_at_rest: u32,
    slots: Vec<Slot>,
    decision: Decision,
    floats: AccountFloats,
    /// [`ExecutionConfig::rebalance_band`].
    rebalance_band: Decimal,
    positions: Vec<PositionView>,
    risk_rows: Vec<InstrumentRisk>,
    /// Log returns of one moment, where the gate estimates correlations.
    log_returns: Vec<f64>,
    fills: Vec<Fill>,
    output: Commands,
    now: Timestamp,
    broken: bool,
}

impl<S: Strategy> Engine<S> {
    /// An engine with `cash` and nothing open, to be fed candles of `timeframe`. Instruments are named by their index in `terms`.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the field that makes no sense.
    pub fn new(
        strategy: S,
        config: EngineConfig,
        timeframe: Timeframe,
        terms: Vec<InstrumentTerms>,
        cash: Decimal,
    ) -> Result<Self, TradingError> {
        config.validate()?;
        let sizer = Sizer::new(config.sizing, timeframe.per_year())?;
        let mut slots = Vec::with_capacity(terms.len());
        for one in &terms {
            let name = one.instrument.symbol().exchange_id();
            let atr = AverageTrueRange::new(config.execution.atr_period)?;
            slots.push(Slot::new(name, atr, sizer.volatility()));
        }
        let instruments = terms.len();
        Ok(Self {
            strategy,
            timeframe,
            account: Account::new(config.account.clone(), terms, cash)?,
            orders: Orders::new(config.orders)?,
            gate: RiskGate::new(config.limits.clone(), instruments)?,
            sizer,
            tail: config.tail.map(|tail| TailRisk::new(tail.estimate)).transpose()?,
            last_equity: cash,
            candles_at_rest: 0,
            slots,
            decision: Decision::default(),
            floats: AccountFloats::default(),
            rebalance_band: Decimal::from_f64(config.execution.rebalance_band).unwrap_or_default(),
            positions: Vec::with_capacity(2 * instruments),
            risk_rows: Vec::with_capacity(instruments),
            log_returns: vec![f64::NAN; if config.limits.correlation.is_some() { instruments } else { 0 }],
            fills: Vec::new(),
            output: Commands::default(),
            now: Timestamp::from_millis(i64::MIN),
            broken: false,
            config,
        })
    }

    /// Takes one event and says what it leads to. Events come in the order in which they became known; one with an earlier
    /// time than the last is taken as it is, for clocks of venues differ.
    ///
    /// # Errors
    /// What contradicts the books or cannot be accounted. After [`TradingError::Conservation`], and after an execution that
    /// the account cannot take, its books cannot be trusted: it refuses every event from then on. Reconcile, and begin anew.
    pub fn step(&mut self, event: Event<'_>) -> Result<&mut Commands, TradingError> {
        if self.broken {
            let problem = "the books did not add up after an earlier event";
            return Err(TradingError::report("the engine", problem));
        }
        self.output.clear();
        let taken = self.take(event);
        if let Err(TradingError::Conservation { .. }) = taken {
            self.broken = true;
        }
        taken?;
        Ok(&mut self.output)
    }

    fn take(&mut self, event: Event<'_>) -> Result<(), TradingError> {
        match event {
            Event::Candles(view) => self.on_candles(&view),
            Event::Report(report) => self.on_report(&report),
            Event::Liquidation(fill) => self.on_liquidation(&fill),
            Event::Funding { time, instrument, rate, mark_price } => {
                self.now = self.now.max(time);
                self.on_funding(time, instrument, rate, mark_price)
            }
            Event::Transfer { time, amount } => {
                self.now = self.now.max(time);
                self.on_transfer(time, amount)
            }
            Event::Timer { time } => {
                self.now = self.now.max(time);
                self.ask_about_unresolved();
                Ok(())
            }
            Event::Kill { time, reason } => {
                self.now = self.now.max(time);
                let change = self.gate.kill(reason);
                self.on_state_change(change)
            }
            Event::Resume { time } => {
                self.now = self.now.max(time);
                if let Some(tail) = &mut self.tail {
                    tail.restart_back_test();
                }
                let change = self.gate.resume(time, self.account.equity());
                self.on_state_change(change)
            }
        }
    }

    fn on_funding(
        &mut self,
        time: Timestamp,
        instrument: InstrumentIndex,
        rate: Decimal,
        mark_price: Decimal,
    ) -> Result<(), TradingError> {
        let received = self.account.funding(instrument, rate, mark_price)?;
        self.share_funding(instrument, received, rate * mark_price);
        if received.is_zero() {
            return Ok(());
        }
        let entry = self.account.entry(time, LedgerKind::Funding, Some(instrument), received);
        self.output.notices.push(Notice::Booked { entry });
        self.account.check("funding")
    }

    fn on_transfer(&mut self, time: Timestamp, amount: Decimal) -> Result<(), TradingError> {
        let kind = if amount.is_sign_negative() {
            self.account.withdraw(-amount)?;
            LedgerKind::Withdrawal
        } else {
            self.account.deposit(amount)?;
            LedgerKind::Deposit
        };
        // Money that comes or goes is no profit or loss.
        self.last_equity += amount;
        self.gate.transfer(amount);
        let entry = self.account.entry(time, kind, None, amount);
        self.output.notices.push(Notice::Booked { entry });
        self.account.check("a transfer")
    }

    /// The strategy.
    pub const fn strategy(&self) -> &S {
        &self.strategy
    }

    /// The strategy, to be told what does not come as an event.
    pub const fn strategy_mut(&mut self) -> &mut S {
        &mut self.strategy
    }

    /// The account.
    pub const fn account(&self) -> &Account {
        &self.account
    }

    /// The own orders.
    pub const fn orders(&self) -> &Orders {
        &self.orders
    }

    /// The risk gate.
    pub const fn gate(&self) -> &RiskGate {
        &self.gate
    }

    /// Where the exits want the stop of a position; none where they want none, or nothing is open.
    #[must_use]
    pub fn stop_of(&self, instrument: InstrumentIndex, position_side: PositionSide) -> Option<Decimal> {
        let held = self.slots.get(instrument.get())?.held[slot::place(position_side)].as_ref()?;
        held.exits.as_ref()?.stop()
    }

    /// The time of the latest event.
    pub const fn now(&self) -> Timestamp {
        self.now
    }
}
