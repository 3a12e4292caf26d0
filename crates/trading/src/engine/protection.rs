//! Protective orders: stops and profit targets that lie at the venue, and closing at market.

use market_data::{Candle, Timestamp};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::slot::{Held, place};
use super::{Engine, Notice};
use crate::client_order_id::ClientOrderId;
use crate::error::TradingError;
use crate::exit::{CloseReason, ExitAction, LARGEST_LADDER};
use crate::market::MarketUpdate;
use crate::order::{InstrumentIndex, OrderIntent, OrderKind, PositionSide, Purpose, Side, TimeInForce};
use crate::orders::OrderStatus;
use crate::strategy::Strategy;

/// What of a candle the position has seen. Where it was opened inside the candle, nobody knows which extremes came before:
/// only entry and close are sure.
fn since_entry(candle: &Candle, opened: Timestamp, entry: Decimal) -> Candle {
    if opened <= candle.open_time {
        return *candle;
    }
    let entry = entry.to_f64().unwrap_or(candle.close).clamp(candle.low, candle.high);
    Candle { open: entry, high: entry.max(candle.close), low: entry.min(candle.close), ..*candle }
}

const RUNG_LEGS: [&str; LARGEST_LADDER] = ["t0", "t1", "t2", "t3"];

impl<S: Strategy> Engine<S> {
    /// Lets the exits of an instrument follow its candle.
    pub(super) fn follow_exits(&mut self, update: &MarketUpdate) -> Result<(), TradingError> {
        let instrument = update.instrument;
        for at in 0..2 {
            let slot = &mut self.slots[instrument.get()];
            let Some(terms) = self.account.terms(instrument) else { return Ok(()) };
            let grid = slot.grid_at(&terms.instrument, self.now);
            let atr = slot.atr_value;
            let Some(held) = &mut slot.held[at] else { continue };
            held.candles = held.candles.saturating_add(1);
            held.protection_refused = 0;
            if let Some(reason) = held.closing {
                self.close_side(instrument, at, reason)?;
                continue;
            }
            let (Some(exits), Some(grid)) = (&mut held.exits, grid) else { continue };
            let candle = since_entry(&update.candle, held.opened, exits.entry_price());
            match exits.on_candle(&candle, atr, &grid) {
                ExitAction::None => {}
                ExitAction::MoveStop(_) => self.protect(instrument, at)?,
                ExitAction::Close(reason) => self.close_side(instrument, at, reason)?,
            }
        }
        Ok(())
    }

    /// Brings the protective orders at the venue to what the exits want. A stop is replaced by sending the new one before
    /// the old one is cancelled, so that the position is never without; both only reduce, so both together close no more
    /// than there is.
    pub(super) fn protect(&mut self, instrument: InstrumentIndex, at: usize) -> Result<(), TradingError> {
        let slot = &self.slots[instrument.get()];
        let Some(held) = &slot.held[at] else { return Ok(()) };
        let (Some(exits), None) = (&held.exits, held.closing) else { return Ok(()) };
        let side = held.side.opposite();
        let position_side = self.side_at(instrument, at);
        let Some(terms) = self.account.terms(instrument) else { return Ok(()) };
        let grid = slot.any_grid(&terms.instrument);
        // Coins beyond the last whole lot cannot be sold.
        let stop = exits.stop().map(|price| (price, grid.quantity_down(exits.quantity())));
        let stop = stop.filter(|(_, quantity)| !quantity.is_zero());
        let mut rungs = [None; LARGEST_LADDER];
        for rung in exits.rungs() {
            rungs[usize::from(rung.number)] = Some((rung.price, rung.quantity));
        }
        let (old_stop, sent, rung_orders) = (held.stop_order, held.stop_sent, held.rung_orders);
        if stop != sent
            && let Some((trigger, quantity)) = stop
        {
            let intent = OrderIntent {
                client_order_id: self.next_name(instrument, "s"),
                instrument,
                position_side,
                side,
                kind: OrderKind::Stop { trigger },
                quantity,
                time_in_force: TimeInForce::GoodTillCancelled,
                reduce_only: true,
                purpose: Purpose::StopLoss,
            };
            let name = self.send(intent)?.then_some(intent.client_order_id);
            if let (Some(held), true) = (&mut self.slots[instrument.get()].held[at], name.is_some()) {
                held.stop_order = name;
                held.stop_sent = stop;
            }
            match (name, old_stop) {
                (Some(_), Some(old)) => self.cancel(instrument, old),
                (None, None) => self.close_side(instrument, at, CloseReason::Unprotected)?,
                _ => {}
            }
        }
        for number in 0..LARGEST_LADDER {
            self.place_rung(instrument, at, number, rungs[number], rung_orders[number])?;
        }
        Ok(())
    }

    fn place_rung(
        &mut self,
        instrument: InstrumentIndex,
        at: usize,
        number: usize,
        wanted: Option<(Decimal, Decimal)>,
        sent: Option<(ClientOrderId, Decimal)>,
    ) -> Result<(), TradingError> {
        let standing =
            sent.and_then(|(name, _)| self.orders.get(name)).map_or(Decimal::ZERO, |order| order.remaining());
        let same = match (wanted, sent) {
            (None, None) => true,
            (Some((price, quantity)), Some((_, sent_price))) => price == sent_price && quantity == standing,
            _ => false,
        };
        if same {
            return Ok(());
        }
        if let Some((name, _)) = sent {
            self.cancel(instrument, name);
        }
        let mut order = None;
        if let Some((price, quantity)) = wanted {
            let Some(held) = &self.slots[instrument.get()].held[at] else { return Ok(()) };
            let side = held.side.opposite();
            let intent = OrderIntent {
                client_order_id: self.next_name(instrument, RUNG_LEGS[number]),
                instrument,
                position_side: self.side_at(instrument, at),
                side,
                kind: OrderKind::Limit { price },
                quantity,
                time_in_force: TimeInForce::GoodTillCancelled,
                reduce_only: true,
                purpose: Purpose::TakeProfit(number as u8),
            };
            order = self.send(intent)?.then_some((intent.client_order_id, price));
        }
        if let Some(held) = &mut self.slots[instrument.get()].held[at] {
            held.rung_orders[number] = order;
        }
        Ok(())
    }

    /// Closes both positions of an instrument at market.
    pub(super) fn close_all(&mut self, instrument: InstrumentIndex) -> Result<(), TradingError> {
        (0..2).try_for_each(|at| self.close_side(instrument, at, CloseReason::Halt))
    }

    /// Closes whatever is open of an instrument at market.
    pub(super) fn close(
        &mut self,
        instrument: InstrumentIndex,
        reason: CloseReason,
    ) -> Result<(), TradingError> {
        (0..2).try_for_each(|at| self.close_side(instrument, at, reason))
    }

    /// Closes one position at market. Its protective orders stay until it is gone: the close could be refused.
    pub(super) fn close_side(
        &mut self,
        instrument: InstrumentIndex,
        at: usize,
        reason: CloseReason,
    ) -> Result<(), TradingError> {
        let position_side = self.side_at(instrument, at);
        let quantity = self.account.position(instrument, position_side).quantity;
        let closing = self.orders.working(instrument).any(|order| {
            order.intent.purpose == Purpose::Close && order.intent.position_side == position_side
        });
        if quantity.is_zero() || closing {
            return Ok(());
        }
        let Some(quantity) = self.closable(instrument, quantity) else { return Ok(()) };
        let intent = OrderIntent {
            client_order_id: self.next_name(instrument, "c"),
            instrument,
            position_side,
            side: Side::of_change(quantity).opposite(),
            kind: OrderKind::Market,
            quantity: quantity.abs(),
            time_in_force: TimeInForce::ImmediateOrCancel,
            reduce_only: true,
            purpose: Purpose::Close,
        };
        if self.send(intent)?
            && let Some(held) = &mut self.slots[instrument.get()].held[at]
        {
            held.closing = Some(reason);
        }
        Ok(())
    }

    /// What of a holding can be sold: on spot a fee in coin leaves less than a lot behind.
    fn closable(&mut self, instrument: InstrumentIndex, quantity: Decimal) -> Option<Decimal> {
        let terms = self.account.terms(instrument)?;
        let grid = self.slots[instrument.get()].grid_at(&terms.instrument, self.now)?;
        Some(grid.quantity_down(quantity)).filter(|quantity| !quantity.is_zero())
    }

    /// Makes a position smaller at market by `change`, which has the sign of the order.
    pub(super) fn reduce(
        &mut self,
        instrument: InstrumentIndex,
        change: Decimal,
    ) -> Result<(), TradingError> {
        let side = Side::of_change(change);
        // In hedge mode what is bought makes the short position smaller, what is sold the long one.
        let at = usize::from(side == Side::Buy);
        let intent = OrderIntent {
            client_order_id: self.next_name(instrument, "r"),
            instrument,
            position_side: self.side_at(instrument, at),
            side,
            kind: OrderKind::Market,
            quantity: change.abs(),
            time_in_force: TimeInForce::ImmediateOrCancel,
            reduce_only: true,
            purpose: Purpose::Reduction,
        };
        self.send(intent).map(|_| ())
    }

    /// The name of the position at a place of the arrays.
    pub(super) fn side_at(&self, instrument: InstrumentIndex, at: usize) -> PositionSide {
        let hedge = self.account.config().position_mode == crate::account::PositionMode::Hedge;
        let is_spot = self.account.terms(instrument).is_some_and(crate::account::InstrumentTerms::is_spot);
        match (hedge && !is_spot, at) {
            (false, _) => PositionSide::Net,
            (true, 0) => PositionSide::Long,
            (true, _) => PositionSide::Short,
        }
    }

    /// The protective orders of a position that is gone.
    pub(super) fn cancel_protection(&mut self, instrument: InstrumentIndex, held: &Held) {
        let rungs = held.rung_orders.iter().flatten().map(|(name, _)| *name);
        for name in held.stop_order.into_iter().chain(rungs) {
            self.cancel(instrument, name);
        }
    }

    pub(super) fn forget_protection(&mut self, instrument: InstrumentIndex, at: usize, name: ClientOrderId) {
        let Some(held) = &mut self.slots[instrument.get()].held[at] else { return };
        if held.stop_order == Some(name) {
            held.stop_order = None;
            held.stop_sent = None;
        }
        for order in &mut held.rung_orders {
            if order.is_some_and(|(rung, _)| rung == name) {
                *order = None;
            }
        }
    }

    /// A protective or closing order ended without doing its work while its position is open. It is sent again a few times;
    /// then the position is closed, and a close that is refused that often waits for the next candle: a venue that refuses
    /// everything must not be asked for ever.
    pub(super) fn on_protection_lost(
        &mut self,
        intent: OrderIntent,
        status: OrderStatus,
        filled: Decimal,
    ) -> Result<(), TradingError> {
        let at = place(intent.position_side);
        let instrument = intent.instrument;
        let most = self.config.execution.protection_attempts;
        let Some(held) = &mut self.slots[instrument.get()].held[at] else { return Ok(()) };
        // What the engine cancelled itself has been replaced already; a close is never cancelled by it.
        let ended = matches!(status, OrderStatus::Rejected | OrderStatus::Expired);
        if !ended && intent.purpose != Purpose::Close && held.stop_order.is_some() {
            return Ok(());
        }
        if !filled.is_zero() {
            held.protection_refused = 0;
        } else if ended || intent.purpose == Purpose::Close {
            held.protection_refused += 1;
        }
        let gives_up = held.protection_refused > most;
        if intent.purpose == Purpose::Close {
            let reason = held.closing.unwrap_or(CloseReason::Unprotected);
            if gives_up {
                let reason = format!(
                    "the venue refused {most} orders in a row; closing is tried again after the next candle"
                );
                self.output.notices.push(Notice::Unable { instrument, reason });
                return Ok(());
            }
            return self.close_side(instrument, at, reason);
        }
        if gives_up {
            let reason =
                format!("the venue refused {most} protective orders in a row; the position is closed");
            self.output.notices.push(Notice::Unable { instrument, reason });
            return self.close_side(instrument, at, CloseReason::Unprotected);
        }
        self.protect(instrument, at)
    }
}
