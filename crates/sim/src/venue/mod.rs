//! A venue that does not flatter: executes [`trading::Command`]s against candles and answers with [`trading::Event`]s.
//!
//! It keeps orders, not money: positions, cash and margin are the engine's account, which is passed in where they matter. A candle
//! is walked *before* the engine sees it:
//!
//! 1. [`Venue::begin_candle`];
//! 2. [`Venue::next_event`] until there is none. Each event goes to the engine at once, and the engine's commands go back by
//!    [`Venue::submit`]: they take effect at this place of the candle, so that the stop of an entry can fill in the candle of the
//!    entry;
//! 3. the engine sees the candle, and its commands are submitted: with no latency they take part in the next candle from its open.
//!
//! [`drive_candle`] does this.
//!
//! What it assumes:
//! - Orders do not move the market; what they cost beyond the path of the price is [`Slippage`].
//! - A price that no candle reached never fills. A limit order fills where the price went through its limit (or, by
//!   [`VenueConfig::touch_fills`], came to it). Triggers fire at their price, as venues' do.
//! - A stop trades at its trigger, or at the open of a candle that opens beyond it, and slips as a taker.
//! - The price of candles is also the mark price.
//! - Market orders wait for a candle with volume; what is left of an order then stands or ends by its time in force.
//! - Cash or margin is checked when an order arrives, less what other open orders bind, and again when it trades.

mod config;
mod costs;
mod drive;
mod liquidation;
mod matching;
mod name;
mod order;
mod path;
mod slippage;
mod slot;
#[cfg(test)]
mod tests;

use market_data::Timestamp;
use rust_decimal::Decimal;
use trading::account::{Account, InstrumentTerms};
use trading::orders::{
    Fill, OrderReport, OrderReportKind, RejectReason, Snapshot, VenueOrderId, VenueOrderStatus,
};
use trading::{
    ClientOrderId, Command, Event, Grid, InstrumentIndex, OrderIntent, OrderKind, PositionSide, TimeInForce,
    amount, notional,
};

pub use self::config::{LiquidationPrice, PathModel, Slippage, VenueConfig};
pub use self::drive::drive_candle;
pub(crate) use self::drive::{Listener, Traffic};
pub use self::path::VenueCandle;

use self::liquidation::LevelMemory;
use self::name::numbered;
use self::order::{End, Ended, EndedOrders, Presence, Working, reached, wakes_by_rise};
use self::path::{Leg, Walk};
use self::slot::Slot;
use crate::error::SimError;

/// What the venue has to say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum VenueEvent {
    /// News of an order.
    Report(OrderReport<'static>),
    /// A position was liquidated.
    Liquidation(Fill),
}

impl VenueEvent {
    /// As an event for the engine.
    #[must_use]
    pub const fn as_event(&self) -> Event<'_> {
        match self {
            Self::Report(report) => Event::Report(*report),
            Self::Liquidation(fill) => Event::Liquidation(*fill),
        }
    }

    /// When it happened.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        match self {
            Self::Report(report) => report.time,
            Self::Liquidation(fill) => fill.time,
        }
    }

    /// The execution in it, where it is one.
    #[must_use]
    pub const fn fill(&self) -> Option<&Fill> {
        match self {
            Self::Liquidation(fill) | Self::Report(OrderReport { kind: OrderReportKind::Fill(fill), .. }) => {
                Some(fill)
            }
            Self::Report(_) => None,
        }
    }
}

/// The simulated venue. See the module for how it is used and what it assumes.
#[derive(Debug)]
pub struct Venue {
    config: VenueConfig,
    slots: Vec<Slot>,
    ended: EndedOrders,
    walk: Option<Walk>,
    /// Memory of the last walk, to be used again.
    legs: Vec<Leg>,
    orders: u64,
    executions: u64,
}

impl Venue {
    /// A venue without orders. Instruments are named by their index in `instruments`, as in the engine.
    ///
    /// # Errors
    /// [`SimError::Trading`] names the setting that makes no sense.
    pub fn new(config: VenueConfig, instruments: &[InstrumentTerms]) -> Result<Self, SimError> {
        config.validate()?;
        Ok(Self {
            config,
            slots: instruments.iter().map(Slot::new).collect(),
            ended: EndedOrders::default(),
            walk: None,
            legs: Vec::new(),
            orders: 0,
            executions: 0,
        })
    }

    /// How it works.
    #[must_use]
    pub const fn config(&self) -> &VenueConfig {
        &self.config
    }

    /// How many orders live.
    #[must_use]
    pub fn open_orders(&self) -> usize {
        self.slots.iter().map(|slot| slot.orders.len()).sum()
    }

    /// Begins the walk through a candle. Call [`Venue::next_event`] until it has none, then give the candle to the engine. Where no
    /// order of the instrument lives and no perpetual of it is open this only remembers the close.
    ///
    /// # Errors
    /// [`SimError::Data`] for a candle that cannot have happened, finer candles outside it, an unknown instrument, or where the
    /// walk through the last candle is not at its end.
    pub fn begin_candle(&mut self, input: &VenueCandle<'_>, account: &Account) -> Result<(), SimError> {
        let instrument = input.instrument;
        if self.walk.is_some() {
            let problem =
                "the candle before it was not walked to its end; call next_event until there is none";
            return Err(SimError::data(format!("candle of instrument {}", instrument.0), problem));
        }
        let Some(slot) = self.slots.get_mut(instrument.get()) else {
            let problem = "the venue does not have it; name it when the venue is made";
            return Err(SimError::data(format!("instrument {}", instrument.0), problem));
        };
        slot.last = input.candle.close;
        let holds = !slot.is_spot && !account.is_flat() && is_open(account, instrument);
        if slot.orders.is_empty() && !holds {
            return Ok(());
        }
        // Without rules on this day nothing trades, and orders wait.
        let Some(grid) = slot.grid_of_candle(input.candle.open_time) else { return Ok(()) };
        if slot.orders.is_empty()
            && input.detail.is_empty()
            && is_uneventful(input, &grid, &mut slot.levels, account)?
        {
            return Ok(());
        }
        self.walk = Walk::new(input, grid, self.config.volume_share, std::mem::take(&mut self.legs))?;
        if let Some(leg) = self.walk.as_ref().and_then(Walk::leg).copied() {
            slot.orders.iter_mut().for_each(|order| order.enter(&leg));
        }
        Ok(())
    }

    /// Takes a command that is sent at `time` and appends the immediate answers to `out`. Between two calls of
    /// [`Venue::next_event`] it takes effect at that place of the candle.
    ///
    /// # Errors
    /// [`SimError::Trading`] for numbers that cannot be accounted exactly.
    pub fn submit(
        &mut self,
        command: Command,
        time: Timestamp,
        account: &Account,
        out: &mut Vec<VenueEvent>,
    ) -> Result<(), SimError> {
        match command {
            Command::Submit(approved) => self.place(approved.into_inner(), time, account, out),
            Command::Cancel { instrument, client_order_id } => {
                self.cancel(instrument, client_order_id, time, out);
                Ok(())
            }
            Command::Query { instrument, client_order_id } => {
                self.query(instrument, client_order_id, time, out)
            }
        }
    }

    fn place(
        &mut self,
        intent: OrderIntent,
        time: Timestamp,
        account: &Account,
        out: &mut Vec<VenueEvent>,
    ) -> Result<(), SimError> {
        let client_order_id = intent.client_order_id;
        let known = self.find(intent.instrument, client_order_id).is_some()
            || self.ended.get(client_order_id).is_some();
        let judged = if known {
            Err(RejectReason::DuplicateClientOrderId)
        } else {
            self.orders += 1;
            self.judge(&intent, time, account)?
        };
        let number = self.orders;
        let binds = match judged {
            Ok(binds) => binds,
            Err(reason) => {
                if !known {
                    let ended = Ended { number, status: VenueOrderStatus::Rejected, filled: Decimal::ZERO };
                    self.ended.insert(client_order_id, ended);
                }
                out.push(report(client_order_id, time, OrderReportKind::Rejected { reason }));
                return Ok(());
            }
        };
        let awake = intent.kind.trigger().is_none();
        let (presence, active_from) = self.arrival(intent.instrument, time);
        let order = Working {
            intent,
            number,
            active_from,
            awake,
            presence,
            binds,
            filled: Decimal::ZERO,
            fresh: true,
            sent_inside: presence != Presence::Absent,
            woken_at: None,
            judged: false,
            spent: false,
            ending: None,
            cancel_at: None,
        };
        if let Some(slot) = self.slots.get_mut(intent.instrument.get()) {
            slot.orders.push(order);
        }
        let venue_order_id = venue_order_id(number)?;
        let kind = if awake {
            OrderReportKind::Accepted { venue_order_id }
        } else {
            OrderReportKind::AcceptedUntriggered { venue_order_id }
        };
        out.push(report(client_order_id, time, kind));
        Ok(())
    }

    /// How an order sent now takes part in the candle that is walked.
    fn arrival(&self, instrument: InstrumentIndex, time: Timestamp) -> (Presence, Timestamp) {
        let latency = i64::from(self.config.latency_ms);
        let Some(walk) = self.walk.as_ref().filter(|walk| walk.instrument == instrument) else {
            return (Presence::Absent, time.plus_millis(latency));
        };
        let active_from = walk.time().plus_millis(latency);
        let presence = match walk.leg() {
            None => Presence::Absent,
            Some(_) if latency == 0 && walk.at_open => Presence::Standing,
            Some(_) if latency == 0 => Presence::Inside,
            Some(leg) if active_from < leg.close_time => Presence::Late,
            Some(_) => Presence::Absent,
        };
        (presence, active_from)
    }

    /// Whether the venue takes an order; then what it binds.
    fn judge(
        &self,
        intent: &OrderIntent,
        time: Timestamp,
        account: &Account,
    ) -> Result<Result<Decimal, RejectReason>, SimError> {
        let Some(slot) = self.slots.get(intent.instrument.get()) else {
            return Ok(Err(RejectReason::InstrumentClosed));
        };
        let Some(grid) = slot.grid_at(time) else { return Ok(Err(RejectReason::InstrumentClosed)) };
        let terms = &slot.terms;
        let closes = costs::closes_only(account, terms, intent);
        let closable = costs::closable(account, intent);
        let market = self.market(slot, intent.instrument, &grid);
        if let Some(reason) = fault(&grid, intent, closes) {
            return Ok(Err(reason));
        }
        if closes {
            let short_of_coins = !intent.reduce_only && slot.is_spot && intent.quantity > closable;
            if short_of_coins {
                return Ok(Err(RejectReason::InsufficientFunds));
            }
            if closable.is_zero() {
                return Ok(Err(RejectReason::WouldNotReduce));
            }
        }
        if let (Some(trigger), Some(market)) = (intent.kind.trigger(), market)
            && reached(wakes_by_rise(intent), trigger, market)
        {
            return Ok(Err(RejectReason::WouldTriggerAtOnce));
        }
        let Some(price) = intent.kind.limit().or(intent.kind.trigger()).or(market) else {
            return Ok(Ok(Decimal::ZERO));
        };
        if closes {
            return Ok(Ok(Decimal::ZERO));
        }
        if notional(price, intent.quantity)? < grid.minimum_notional {
            return Ok(Err(RejectReason::NotionalTooSmall));
        }
        let purchase_fee = self.config.spot_purchase_fee;
        let binds = costs::binds(account, terms, purchase_fee, intent, intent.quantity, price)?;
        let lacks = !binds.is_zero() && binds > costs::available(account, terms) - self.bound();
        Ok(if lacks { Err(RejectReason::InsufficientFunds) } else { Ok(binds) })
    }

    /// What all open orders bind.
    fn bound(&self) -> Decimal {
        let orders = self.slots.iter().flat_map(|slot| &slot.orders);
        orders.filter(|order| !order.binds.is_zero()).fold(Decimal::ZERO, |sum, order| {
            let part = order
                .binds
                .checked_mul(order.remaining())
                .and_then(|part| part.checked_div(order.intent.quantity));
            sum + amount(part.unwrap_or(order.binds))
        })
    }

    /// The market as far as it is known when an order is sent.
    fn market(&self, slot: &Slot, instrument: InstrumentIndex, grid: &Grid) -> Option<Decimal> {
        match &self.walk {
            Some(walk) if walk.instrument == instrument => Some(walk.last),
            _ => grid.price_of(slot.last),
        }
    }

    fn cancel(
        &mut self,
        instrument: InstrumentIndex,
        name: ClientOrderId,
        time: Timestamp,
        out: &mut Vec<VenueEvent>,
    ) {
        let Some(at) = self.find(instrument, name) else {
            out.push(report(name, time, OrderReportKind::CancelRejected));
            return;
        };
        if self.config.latency_ms == 0 {
            out.extend(self.end(instrument, at, End::Cancelled, time));
            return;
        }
        let (_, arrives) = self.arrival(instrument, time);
        if let Some(order) = self.order_mut(instrument, at) {
            order.cancel_at = Some(order.cancel_at.map_or(arrives, |earlier| earlier.min(arrives)));
        }
    }

    fn query(
        &self,
        instrument: InstrumentIndex,
        name: ClientOrderId,
        time: Timestamp,
        out: &mut Vec<VenueEvent>,
    ) -> Result<(), SimError> {
        let live =
            self.find(instrument, name).and_then(|at| self.slots.get(instrument.get())?.orders.get(at));
        let found = match (live, self.ended.get(name)) {
            (Some(order), _) => Some((order.number, order.status(), order.filled)),
            (None, Some(ended)) => Some((ended.number, ended.status, ended.filled)),
            (None, None) => None,
        };
        let kind = match found {
            None => OrderReportKind::NotFound,
            Some((number, status, cumulative_filled)) => OrderReportKind::Snapshot(Snapshot {
                status,
                venue_order_id: Some(venue_order_id(number)?),
                cumulative_filled,
                // Each was reported when it happened.
                fills: &[],
            }),
        };
        out.push(report(name, time, kind));
        Ok(())
    }

    fn find(&self, instrument: InstrumentIndex, name: ClientOrderId) -> Option<usize> {
        self.slots.get(instrument.get())?.orders.iter().position(|order| order.intent.client_order_id == name)
    }

    fn order_mut(&mut self, instrument: InstrumentIndex, at: usize) -> Option<&mut Working> {
        self.slots.get_mut(instrument.get())?.orders.get_mut(at)
    }

    /// Ends an order that is not filled.
    fn end(
        &mut self,
        instrument: InstrumentIndex,
        at: usize,
        end: End,
        time: Timestamp,
    ) -> Option<VenueEvent> {
        let orders = &mut self.slots.get_mut(instrument.get())?.orders;
        if at >= orders.len() {
            return None;
        }
        let order = orders.remove(at);
        let name = order.intent.client_order_id;
        self.ended.insert(name, Ended { number: order.number, status: end.status(), filled: order.filled });
        Some(report(name, time, end.report(order.filled)))
    }
}

/// What of an order contradicts the rules of its instrument.
fn fault(grid: &Grid, intent: &OrderIntent, closes: bool) -> Option<RejectReason> {
    let off = |value: Decimal, step: Decimal| value <= Decimal::ZERO || !(value % step).is_zero();
    let prices = [intent.kind.limit(), intent.kind.trigger()];
    if prices.into_iter().flatten().any(|price| off(price, grid.tick)) {
        return Some(RejectReason::InvalidPrice);
    }
    let quantity = intent.quantity;
    // The rest of a position may be smaller than the minimum, and venues let it be closed.
    let too_small = !closes && quantity < grid.minimum_quantity;
    if off(quantity, grid.lot) || too_small || grid.maximum_quantity.is_some_and(|most| quantity > most) {
        return Some(RejectReason::InvalidQuantity);
    }
    let takes =
        matches!(intent.kind, OrderKind::Market | OrderKind::Stop { .. } | OrderKind::TakeProfit { .. });
    (takes && intent.time_in_force == TimeInForce::PostOnly).then_some(RejectReason::WouldTake)
}

/// Whether a candle without orders and finer candles passes without a liquidation: the walk through it would find nothing.
fn is_uneventful(
    input: &VenueCandle<'_>,
    grid: &Grid,
    levels: &mut LevelMemory,
    account: &Account,
) -> Result<bool, SimError> {
    path::check(input)?;
    if liquidation::elsewhere(account, input.instrument).is_some() {
        return Ok(false);
    }
    let (Some(high), Some(low)) = (grid.price_of(input.candle.high), grid.price_of(input.candle.low)) else {
        return Ok(false);
    };
    let levels = levels.of(account, input.instrument);
    Ok(levels.iter().flatten().all(|due| !due.at(if due.is_long() { low } else { high })))
}

fn is_open(account: &Account, instrument: InstrumentIndex) -> bool {
    [PositionSide::Net, PositionSide::Long, PositionSide::Short]
        .into_iter()
        .any(|side| account.position(instrument, side).is_open())
}

fn venue_order_id(number: u64) -> Result<VenueOrderId, SimError> {
    Ok(numbered('v', number)?)
}

const fn report(
    client_order_id: ClientOrderId,
    time: Timestamp,
    kind: OrderReportKind<'static>,
) -> VenueEvent {
    VenueEvent::Report(OrderReport { client_order_id, time, kind })
}
