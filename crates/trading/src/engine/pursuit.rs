//! From the position that is wanted to the orders that lead there.

use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive;

use super::slot::{Wanted, place};
use super::{Command, Engine, EntryStyle, Notice};
use crate::account::PositionMode;
use crate::client_order_id::ClientOrderId;
use crate::error::TradingError;
use crate::exit::{CloseReason, ExitAction};
use crate::grid::{Grid, Towards};
use crate::money::amount;
use crate::order::{InstrumentIndex, OrderIntent, OrderKind, PositionSide, Purpose, Side, TimeInForce};
use crate::risk::{InstrumentRisk, RiskView, Volatility};
use crate::strategy::{Edge, Strategy, Target, TargetPosition};

/// What a target comes to.
enum Aim {
    /// Signed share of equity, followed closely.
    Exposure(f64),
    /// A direction: a position that has it already is left as it is.
    Direction(Side, Edge),
}

impl<S: Strategy> Engine<S> {
    pub(super) fn pursue(&mut self, target: &Target, equity: Decimal) -> Result<(), TradingError> {
        let instrument = target.instrument;
        let Some(slot) = self.slots.get_mut(instrument.get()) else {
            return Err(TradingError::report(
                format!("instrument {}", instrument.0),
                "the strategy wants a position in it, but the engine does not have it",
            ));
        };
        let Some(terms) = self.account.terms(instrument) else { return Ok(()) };
        let Some(grid) = slot.grid_at(&terms.instrument, self.now) else {
            let reason = format!("{} has no rules at {}", slot.name, self.now);
            self.output.notices.push(Notice::Unable { instrument, reason });
            return Ok(());
        };
        let Some(price) = grid.price_of(slot.last_price) else {
            let reason = format!("{} has no price yet", slot.name);
            self.output.notices.push(Notice::Unable { instrument, reason });
            return Ok(());
        };
        let is_spot = terms.is_spot();
        slot.flip = None;
        let aim = match target.position {
            TargetPosition::Flat => Aim::Exposure(0.0),
            TargetPosition::Exposure(share) => Aim::Exposure(share),
            TargetPosition::Long(edge) => Aim::Direction(Side::Buy, edge),
            TargetPosition::Short(edge) => Aim::Direction(Side::Sell, edge),
        };
        // What is less than a lot cannot be traded, and counts as nothing.
        let held = grid.quantity_down(self.net_quantity(instrument));
        let wanted = match aim {
            Aim::Exposure(share) => self.quantity_of(&grid, equity, price, share),
            Aim::Direction(side, edge) => {
                if !held.is_zero() && Side::of_change(held) == side {
                    return Ok(());
                }
                let volatility =
                    self.slots[instrument.get()].volatility.as_ref().and_then(Volatility::per_step);
                let share = self.sizer.exposure(side, edge, volatility).share;
                self.quantity_of(&grid, equity, price, share)
            }
        };
        // Coins that are not held cannot be sold: to want them short is to want none.
        let wanted = if is_spot { wanted.max(Decimal::ZERO) } else { wanted };
        self.go(target, &grid, price, equity, held, wanted)
    }

    /// A share of equity as a quantity on the grid, with the share's sign.
    fn quantity_of(&self, grid: &Grid, equity: Decimal, price: Decimal, share: f64) -> Decimal {
        let Some(share) = Decimal::from_f64(share) else { return Decimal::ZERO };
        let quantity =
            equity.max(Decimal::ZERO).checked_mul(share).and_then(|value| value.checked_div(price));
        quantity.map_or(Decimal::ZERO, |quantity| grid.quantity_down(quantity))
    }

    /// Both positions of hedge mode together.
    pub(super) fn net_quantity(&self, instrument: InstrumentIndex) -> Decimal {
        let both = [PositionSide::Net, PositionSide::Long, PositionSide::Short];
        both.iter().fold(Decimal::ZERO, |sum, side| sum + self.account.position(instrument, *side).quantity)
    }

    fn go(
        &mut self,
        target: &Target,
        grid: &Grid,
        price: Decimal,
        equity: Decimal,
        held: Decimal,
        wanted: Decimal,
    ) -> Result<(), TradingError> {
        let instrument = target.instrument;
        let opposite =
            !held.is_zero() && !wanted.is_zero() && Side::of_change(held) != Side::of_change(wanted);
        if opposite && self.exits_ignore_signals(instrument) {
            return Ok(());
        }
        let change = wanted - held;
        if self.orders.working(instrument).any(|order| order.intent.purpose == Purpose::Reduction) {
            // It trades at once or ends, unless its fate is not known: then nobody knows what is missing.
            return Ok(());
        }
        let on_its_way = self.entries_on_their_way(instrument);
        if !on_its_way.is_zero() && Side::of_change(on_its_way) == Side::of_change(change) {
            // Equity and price move what a share of equity comes to at every candle: an order that is nearly right keeps its
            // place in the queue.
            let missing = (change - on_its_way).abs();
            if missing <= grid.lot || missing * price < equity * self.rebalance_band {
                return Ok(());
            }
        }
        if !on_its_way.is_zero() {
            // What was wanted before is not wanted any more; the rest follows when its end is known.
            self.cancel_working(instrument, |purpose| purpose == Purpose::Entry);
            if Side::of_change(on_its_way) == Side::of_change(change) && !opposite && !wanted.is_zero() {
                return Ok(());
            }
        }
        let small = (change * price).abs() < equity * self.rebalance_band;
        if change.is_zero() || small && !held.is_zero() && !wanted.is_zero() && !opposite {
            return Ok(());
        }
        let reduces = !held.is_zero() && Side::of_change(change) != Side::of_change(held);
        if reduces && (opposite || wanted.is_zero()) {
            let reason = if opposite { CloseReason::OppositeSignal } else { CloseReason::Decision };
            self.close(instrument, reason)?;
            if !wanted.is_zero() {
                self.slots[instrument.get()].flip = Some((*target, wanted));
            }
            return Ok(());
        }
        if reduces {
            return self.reduce(instrument, change);
        }
        self.enter(target, grid, price, change)
    }

    /// Whether the position's exit plan says that a signal for the other direction does not end it.
    fn exits_ignore_signals(&self, instrument: InstrumentIndex) -> bool {
        self.slots[instrument.get()].held.iter().flatten().any(|held| {
            held.exits.as_ref().is_some_and(|exits| exits.on_opposite_signal() == ExitAction::None)
        })
    }

    /// Signed quantity of entries that may still trade.
    fn entries_on_their_way(&self, instrument: InstrumentIndex) -> Decimal {
        let entries = self.orders.working(instrument).filter(|order| order.intent.purpose == Purpose::Entry);
        entries.fold(Decimal::ZERO, |sum, order| sum + order.intent.side.signed(order.remaining()))
    }

    /// A flip whose first half is not on its way any more is over: what ends the position later is something else.
    pub(super) fn forget_flip(&mut self, instrument: InstrumentIndex) {
        let closing = self.orders.working(instrument).any(|order| order.intent.purpose == Purpose::Close);
        if !closing {
            self.slots[instrument.get()].flip = None;
        }
    }

    /// The second half of a flip, when the first is done.
    pub(super) fn flip(&mut self, instrument: InstrumentIndex) -> Result<(), TradingError> {
        let slot = &mut self.slots[instrument.get()];
        let Some((target, wanted)) = slot.flip.take() else { return Ok(()) };
        let Some(terms) = self.account.terms(instrument) else { return Ok(()) };
        let Some(grid) = slot.grid_at(&terms.instrument, self.now) else { return Ok(()) };
        let Some(price) = grid.price_of(slot.last_price) else { return Ok(()) };
        self.enter(&target, &grid, price, wanted)
    }

    fn enter(
        &mut self,
        target: &Target,
        grid: &Grid,
        price: Decimal,
        change: Decimal,
    ) -> Result<(), TradingError> {
        let instrument = target.instrument;
        let slot = &self.slots[instrument.get()];
        if slot.atr_value.is_none() && target.exits.is_some_and(|exits| exits.needs_average_true_range()) {
            // It would have to be closed as soon as it was filled, and opened again at the next candle.
            let reason = format!(
                "{} is not entered: its exits are measured in average true ranges, and none is known yet",
                slot.name
            );
            self.output.notices.push(Notice::Unable { instrument, reason });
            return Ok(());
        }
        let side = Side::of_change(change);
        let position_side = self.position_side(instrument, side);
        let (kind, time_in_force) = self.entry_kind(grid, price, side);
        let intent = OrderIntent {
            client_order_id: self.next_name(instrument, "e"),
            instrument,
            position_side,
            side,
            kind,
            quantity: change.abs(),
            time_in_force,
            reduce_only: false,
            purpose: Purpose::Entry,
        };
        let votes =
            self.decision.votes.iter().filter(|vote| vote.instrument == instrument).copied().collect();
        let wanted = Wanted { exits: target.exits, votes, candles: 0 };
        if self.send(intent)? {
            for vote in &wanted.votes {
                self.output.notices.push(Notice::Voted { time: self.now, vote: *vote });
            }
            self.slots[instrument.get()].wanted[place(position_side)] = Some(wanted);
        }
        Ok(())
    }

    fn entry_kind(&self, grid: &Grid, price: Decimal, side: Side) -> (OrderKind, TimeInForce) {
        let EntryStyle::Limit { offset, post_only } = self.config.execution.entry else {
            return (OrderKind::Market, TimeInForce::ImmediateOrCancel);
        };
        let better = Decimal::from_f64(offset).unwrap_or_default() * price;
        let (limit, towards) = match side {
            Side::Buy => (price - better, Towards::Down),
            Side::Sell => (price + better, Towards::Up),
        };
        let limit = grid.price(limit, towards).unwrap_or(price);
        let time = if post_only { TimeInForce::PostOnly } else { TimeInForce::GoodTillCancelled };
        (OrderKind::Limit { price: limit }, time)
    }

    fn position_side(&self, instrument: InstrumentIndex, side: Side) -> PositionSide {
        let is_spot = self.account.terms(instrument).is_some_and(crate::account::InstrumentTerms::is_spot);
        match (self.account.config().position_mode, side) {
            (PositionMode::OneWay, _) => PositionSide::Net,
            _ if is_spot => PositionSide::Net,
            (PositionMode::Hedge, Side::Buy) => PositionSide::Long,
            (PositionMode::Hedge, Side::Sell) => PositionSide::Short,
        }
    }

    /// The next name of an order of this instrument at this moment.
    pub(super) fn next_name(&mut self, instrument: InstrumentIndex, leg: &str) -> ClientOrderId {
        let slot = &mut self.slots[instrument.get()];
        slot.attempt += 1;
        ClientOrderId::derive(self.strategy.name(), &slot.name, slot.last_time, leg, slot.attempt)
    }

    /// Sends an order through the gate, shrunk to what the limits leave where it is an entry. Whether anything was sent.
    pub(super) fn send(&mut self, mut intent: OrderIntent) -> Result<bool, TradingError> {
        let free = self.view_risk();
        let view = RiskView {
            time: self.now,
            equity: self.account.equity(),
            free,
            tail_exceeded: self.tail_exceeded(),
            instruments: &self.risk_rows,
        };
        let approved = match self.gate.approve(intent, &view) {
            Ok(approved) => approved,
            Err(refusal) => {
                let largest = if intent.purpose == Purpose::Entry {
                    self.gate.largest_approvable(intent, &view)
                } else {
                    Decimal::ZERO
                };
                let notice = Notice::Refused { intent, approved: largest, refusal };
                self.output.notices.push(notice);
                if largest.is_zero() {
                    return Ok(false);
                }
                intent.quantity = largest;
                match self.gate.approve(intent, &view) {
                    Ok(approved) => approved,
                    Err(refusal) => {
                        let notice = Notice::Refused { intent, approved: Decimal::ZERO, refusal };
                        self.output.notices.push(notice);
                        return Ok(false);
                    }
                }
            }
        };
        self.orders.submit(*approved.intent())?;
        self.output.notices.push(Notice::Ordered { intent: *approved.intent() });
        self.output.commands.push(Command::Submit(approved));
        Ok(true)
    }

    /// Writes what the gate sees of each instrument; returns what is bound neither by positions nor by working orders.
    fn view_risk(&mut self) -> Decimal {
        self.risk_rows.clear();
        let hedged = self.account.config().position_mode == PositionMode::Hedge;
        let mut free = self.account.free();
        for (index, slot) in self.slots.iter().enumerate() {
            let instrument = InstrumentIndex(index as u16);
            let Some(terms) = self.account.terms(instrument) else { continue };
            let grid = slot.any_grid(&terms.instrument);
            let held = |side| self.account.position(instrument, side).quantity;
            let net = held(PositionSide::Net);
            let mut row = InstrumentRisk {
                last_price: grid.price_of(slot.last_price).unwrap_or_default(),
                last_time: slot.last_time,
                timeframe_ms: self.timeframe.millis(),
                long: net.max(Decimal::ZERO) + held(PositionSide::Long),
                short: (-net).max(Decimal::ZERO) - held(PositionSide::Short),
                working_buy: Decimal::ZERO,
                working_sell: Decimal::ZERO,
                open_orders: 0,
                grid,
                leverage: terms.leverage,
                hedged: hedged && !terms.is_spot(),
                is_spot: terms.is_spot(),
            };
            for order in self.orders.working(instrument) {
                row.open_orders += 1;
                if order.intent.reduce_only {
                    continue;
                }
                match order.intent.side {
                    Side::Buy => row.working_buy += order.remaining(),
                    Side::Sell => row.working_sell += order.remaining(),
                }
                let price =
                    order.intent.kind.limit().or(order.intent.kind.trigger()).unwrap_or(row.last_price);
                free -= amount(price * order.remaining() / terms.leverage);
            }
            self.risk_rows.push(row);
        }
        free
    }

    /// Cancels what may still trade and is for one of these purposes.
    pub(super) fn cancel_working(&mut self, instrument: InstrumentIndex, which: impl Fn(Purpose) -> bool) {
        let names: Vec<ClientOrderId> = self
            .orders
            .working(instrument)
            .filter(|order| which(order.intent.purpose))
            .map(|order| order.intent.client_order_id)
            .collect();
        for name in names {
            self.cancel(instrument, name);
        }
    }

    pub(super) fn cancel(&mut self, instrument: InstrumentIndex, client_order_id: ClientOrderId) {
        if self.orders.request_cancel(client_order_id).is_ok_and(|requested| requested) {
            self.output.commands.push(Command::Cancel { instrument, client_order_id });
        }
    }

    /// Entries that have stood for too long are cancelled.
    pub(super) fn age_entries(&mut self, instrument: InstrumentIndex) {
        let most = self.config.execution.entry_candles;
        let slot = &mut self.slots[instrument.get()];
        let mut stale = false;
        for wanted in slot.wanted.iter_mut().flatten() {
            wanted.candles += 1;
            stale |= wanted.candles >= most;
        }
        if stale {
            self.cancel_working(instrument, |purpose| purpose == Purpose::Entry);
        }
    }
}
