//! The walk through a candle: which order trades next, and at which price.

use market_data::Timestamp;
use rust_decimal::Decimal;
use trading::account::Account;
use trading::orders::{ExecutionId, FeeCurrency, Fill, OrderReportKind, RejectReason, VenueOrderStatus};
use trading::{
    InstrumentIndex, Liquidity, OrderIntent, PositionSide, Purpose, Side, TimeInForce, amount, notional,
};

use super::config::PathModel;
use super::liquidation::{self, Due};
use super::name::numbered;
use super::order::{Deed, End, Ended, MatchRules, Presence, Working, passes, reached, wakes_by_rise};
use super::path::Walk;
use super::{Venue, VenueEvent, costs, report, slippage};
use crate::error::SimError;

/// What the price meets next on its way.
#[derive(Clone, Copy, Debug)]
enum Hit {
    /// An order, by its place, and the price.
    Order(usize, Decimal),
    /// A liquidation, and the price.
    Liquidation(Due, Decimal),
}

impl Venue {
    /// What happens next in the candle that was begun; none at its end. Give it to the engine, and the engine's commands to
    /// [`Venue::submit`], before the next call.
    ///
    /// # Errors
    /// [`SimError::Trading`] for numbers that cannot be accounted exactly. The candle is then over.
    pub fn next_event(&mut self, account: &Account) -> Result<Option<VenueEvent>, SimError> {
        let Some(mut walk) = self.walk.take() else { return Ok(None) };
        let event = self.advance(&mut walk, account)?;
        if event.is_some() {
            self.walk = Some(walk);
        } else {
            self.legs = walk.legs;
        }
        Ok(event)
    }

    fn advance(&mut self, walk: &mut Walk, account: &Account) -> Result<Option<VenueEvent>, SimError> {
        let instrument = walk.instrument;
        // Between two events the account stays as it is.
        let elsewhere = liquidation::elsewhere(account, instrument);
        let slot = self.slots.get_mut(instrument.get());
        let levels = slot.map_or([None, None], |slot| slot.levels.of(account, instrument));
        loop {
            if let Some(event) = self.end_what_ends(walk) {
                return Ok(Some(event));
            }
            if let Some(due) = elsewhere {
                return self.liquidate(walk, account, &due, due.price).map(Some);
            }
            if let Some((due, price)) = self.overdue(walk, &levels) {
                walk.last = price;
                return self.liquidate(walk, account, &due, price).map(Some);
            }
            if let Some(event) = self.act_here(walk, account)? {
                return Ok(Some(event));
            }
            if walk.at_open {
                walk.leave_open(self.config.path, net_quantity(account, instrument));
                // What arrives late acts now.
                continue;
            }
            if let Some(hit) = self.next_hit(walk, &levels) {
                if let Some(event) = self.strike(walk, account, hit, &levels)? {
                    return Ok(Some(event));
                }
            } else if walk.target().is_some() {
                walk.arrive();
            } else if !self.cancel_late(walk) && !self.go_to_next_leg(walk) {
                return Ok(None);
            }
        }
    }

    const fn rules(&self) -> MatchRules {
        MatchRules {
            pessimistic: matches!(self.config.path, PathModel::Pessimistic),
            touch_fills: self.config.touch_fills,
            gap_improvement: self.config.gap_improvement,
        }
    }

    fn orders(&self, instrument: InstrumentIndex) -> &[Working] {
        self.slots.get(instrument.get()).map_or(&[], |slot| &slot.orders)
    }

    fn end_what_ends(&mut self, walk: &Walk) -> Option<VenueEvent> {
        let ending = |(at, order): (usize, &Working)| order.ending.map(|end| (at, end));
        let (at, end) = self.orders(walk.instrument).iter().enumerate().find_map(ending)?;
        self.end(walk.instrument, at, end, walk.time())
    }

    /// Cancellations that arrived inside the leg take effect at its end; whether there are some.
    fn cancel_late(&mut self, walk: &Walk) -> bool {
        let (Some(leg), Some(slot)) = (walk.leg(), self.slots.get_mut(walk.instrument.get())) else {
            return false;
        };
        let mut any = false;
        for order in &mut slot.orders {
            if order.cancel_at.is_some_and(|time| time < leg.close_time) {
                order.ending = Some(End::Cancelled);
                any = true;
            }
        }
        any
    }

    fn go_to_next_leg(&mut self, walk: &mut Walk) -> bool {
        if !walk.next_leg() {
            return false;
        }
        if let (Some(leg), Some(slot)) = (walk.leg(), self.slots.get_mut(walk.instrument.get())) {
            slot.orders.iter_mut().for_each(|order| order.enter(leg));
        }
        true
    }

    /// A position that is due without any further move: at the open, or, on the pessimistic path, by an extreme that may have come
    /// after the position was opened, unless a stop lies before it.
    fn overdue(&self, walk: &Walk, levels: &[Option<Due>; 2]) -> Option<(Due, Decimal)> {
        let leg = walk.leg()?;
        for due in levels.iter().flatten() {
            if walk.at_open && due.at(leg.open) {
                return Some((*due, leg.open));
            }
            if !walk.at_open && due.at(walk.cursor) {
                return Some((*due, walk.cursor));
            }
            if self.rules().pessimistic
                && walk.entered
                && !self.is_being_stopped(walk, due)
                && self.stop_before(walk, due).is_none()
                && due.at(worst(walk, due)?)
            {
                return Some((*due, due.price));
            }
        }
        None
    }

    /// Whether a stop of the position has woken here and is about to trade.
    fn is_being_stopped(&self, walk: &Walk, due: &Due) -> bool {
        let closing = Side::of_change(due.position.quantity).opposite();
        self.orders(walk.instrument).iter().any(|order| {
            let closes = order.intent.position_side == due.position.side && order.intent.side == closing;
            closes && order.awake && order.fresh && order.woken_at.is_some() && !order.spent
        })
    }

    /// A stop of the position that the price meets before the liquidation.
    fn stop_before(&self, walk: &Walk, due: &Due) -> Option<(usize, Decimal)> {
        let closing = Side::of_change(due.position.quantity).opposite();
        let stop = self.nearest_stop(walk, due.position.side, closing)?;
        let first = if due.is_long() { stop.1 > due.price } else { stop.1 < due.price };
        first.then_some(stop)
    }

    /// The stop of a position that is reached first in this leg.
    fn nearest_stop(&self, walk: &Walk, position_side: PositionSide, side: Side) -> Option<(usize, Decimal)> {
        let leg = walk.leg()?;
        let extreme = if side == Side::Sell { leg.low } else { leg.high };
        let mut nearest: Option<(usize, Decimal)> = None;
        for (at, order) in self.orders(walk.instrument).iter().enumerate() {
            let same = order.intent.position_side == position_side && order.intent.side == side;
            let Some(trigger) =
                order.trigger().filter(|_| same && order.is_present() && order.is_sleeping_stop())
            else {
                continue;
            };
            let nearer = nearest
                .is_none_or(|(_, other)| if side == Side::Sell { trigger > other } else { trigger < other });
            if reached(side == Side::Buy, trigger, extreme) && nearer {
                nearest = Some((at, trigger));
            }
        }
        nearest
    }

    /// What orders do where the price stands.
    fn act_here(&mut self, walk: &mut Walk, account: &Account) -> Result<Option<VenueEvent>, SimError> {
        let Some(leg) = walk.leg().copied() else { return Ok(None) };
        let (rules, at_open) = (self.rules(), walk.at_open);
        let mut at = 0;
        while let Some(order) = self.order_mut(walk.instrument, at) {
            let deed = order.deed(&leg, at_open, walk.last, &rules);
            if order.presence == Presence::Late && !at_open {
                order.judged = true;
            }
            let event = match deed {
                Deed::Nothing => None,
                Deed::Rest => {
                    order.fresh = false;
                    None
                }
                Deed::Wake(price) => self.wake(walk, at, price),
                Deed::Take(price) => {
                    walk.last = price;
                    self.execute(walk, account, at, price, Liquidity::Taker)?
                }
                Deed::Make(price) => self.execute(walk, account, at, price, Liquidity::Maker)?,
                Deed::End(end) => self.end(walk.instrument, at, end, walk.time()),
            };
            if event.is_some() {
                return Ok(event);
            }
            at += 1;
        }
        Ok(None)
    }

    fn wake(&mut self, walk: &mut Walk, at: usize, price: Decimal) -> Option<VenueEvent> {
        let order = self.order_mut(walk.instrument, at)?;
        order.awake = true;
        order.fresh = true;
        order.woken_at = Some(price);
        let name = order.intent.client_order_id;
        walk.last = price;
        Some(report(name, walk.time(), OrderReportKind::Triggered { venue_order_id: None }))
    }

    /// The nearest thing between the price and the next point of its path.
    fn next_hit(&self, walk: &Walk, levels: &[Option<Due>; 2]) -> Option<Hit> {
        let target = walk.target()?;
        let rules = self.rules();
        // Nearest first; at the same price liquidations, then stops, then the rest, then the older order.
        let mut best: Option<((Decimal, u8), Hit)> = None;
        let mut offer = |price: Decimal, class: u8, hit: Hit| {
            let rank = ((price - walk.cursor).abs(), class);
            if best.as_ref().is_none_or(|(other, _)| rank < *other) {
                best = Some((rank, hit));
            }
        };
        for due in levels.iter().flatten() {
            let towards = due.is_long() == (target < walk.cursor);
            if towards && due.at(target) {
                offer(due.price, 0, Hit::Liquidation(*due, due.price));
            }
        }
        for (at, order) in self.orders(walk.instrument).iter().enumerate() {
            if let Some(price) = meets(order, walk, target, &rules) {
                let class = if order.is_sleeping_stop() { 1 } else { 2 };
                offer(price, class, Hit::Order(at, price));
            }
        }
        best.map(|(_, hit)| hit)
    }

    fn strike(
        &mut self,
        walk: &mut Walk,
        account: &Account,
        hit: Hit,
        levels: &[Option<Due>; 2],
    ) -> Result<Option<VenueEvent>, SimError> {
        match self.worse_first(walk, account, hit, levels) {
            Some(Hit::Liquidation(due, price)) => {
                walk.last = price;
                return self.liquidate(walk, account, &due, price).map(Some);
            }
            Some(Hit::Order(at, price)) => return Ok(self.wake(walk, at, price)),
            None => {}
        }
        match hit {
            Hit::Liquidation(due, price) => {
                walk.cursor = price;
                walk.last = price;
                self.liquidate(walk, account, &due, price).map(Some)
            }
            Hit::Order(at, price) => {
                walk.cursor = price;
                walk.last = price;
                let asleep = self.orders(walk.instrument).get(at).is_some_and(|order| !order.awake);
                if asleep {
                    return Ok(self.wake(walk, at, price));
                }
                self.execute(walk, account, at, price, Liquidity::Maker)
            }
        }
    }

    /// On the pessimistic path, what ends the position of a target before the target does.
    fn worse_first(
        &self,
        walk: &Walk,
        account: &Account,
        hit: Hit,
        levels: &[Option<Due>; 2],
    ) -> Option<Hit> {
        let Hit::Order(at, _) = hit else { return None };
        let order = self.orders(walk.instrument).get(at).filter(|_| self.rules().pessimistic)?;
        let intent = &order.intent;
        if order.is_sleeping_stop() || costs::closable(account, intent).is_zero() {
            return None;
        }
        let due = levels.iter().flatten().find(|due| due.position.side == intent.position_side);
        if let Some(due) = due
            && due.at(worst(walk, due)?)
            && self.stop_before(walk, due).is_none()
        {
            return Some(Hit::Liquidation(*due, due.price));
        }
        self.nearest_stop(walk, intent.position_side, intent.side).map(|(at, price)| Hit::Order(at, price))
    }

    /// Trades what can be traded of an order at `price`. None where the candle has no volume left for it.
    fn execute(
        &mut self,
        walk: &mut Walk,
        account: &Account,
        at: usize,
        price: Decimal,
        liquidity: Liquidity,
    ) -> Result<Option<VenueEvent>, SimError> {
        let instrument = walk.instrument;
        let time = walk.time();
        let Some(slot) = self.slots.get(instrument.get()) else { return Ok(None) };
        let Some(order) = slot.orders.get(at) else { return Ok(None) };
        let intent = order.intent;
        let closes = costs::closes_only(account, &slot.terms, &intent);
        let room = match closes {
            true => walk.grid.quantity_down(order.remaining().min(costs::closable(account, &intent))),
            false => order.remaining(),
        };
        if room.is_zero() {
            return Ok(self.end(instrument, at, End::Cancelled, time));
        }
        let quantity = walk.capacity().map_or(room, |capacity| capacity.min(room));
        if quantity < room && intent.time_in_force == TimeInForce::FillOrKill {
            return Ok(self.end(instrument, at, End::Expired, time));
        }
        if quantity <= Decimal::ZERO {
            if let Some(order) = self.order_mut(instrument, at) {
                order.spent = true;
            }
            return Ok(None);
        }
        let price = match liquidity {
            Liquidity::Maker => price,
            Liquidity::Taker => slippage::taker_price(
                self.config.slippage,
                walk,
                intent.side,
                price,
                quantity,
                intent.kind.limit(),
            ),
        };
        let purchase_fee = self.config.spot_purchase_fee;
        let needs = costs::binds(account, &slot.terms, purchase_fee, &intent, quantity, price)?;
        if !needs.is_zero() && needs > costs::available(account, &slot.terms) {
            let refused = End::Refused(RejectReason::InsufficientFunds);
            let end = if order.filled.is_zero() { refused } else { End::Cancelled };
            return Ok(self.end(instrument, at, end, time));
        }
        let opens = quantity > costs::closable(account, &intent);
        let fill = self.fill_of(&intent, price, quantity, liquidity, time)?;
        walk.entered |= opens && !walk.at_open;
        walk.consume(quantity);
        self.book(walk, at, quantity, quantity < room);
        Ok(Some(report(intent.client_order_id, time, OrderReportKind::Fill(fill))))
    }

    fn fill_of(
        &mut self,
        intent: &OrderIntent,
        price: Decimal,
        quantity: Decimal,
        liquidity: Liquidity,
        time: Timestamp,
    ) -> Result<Fill, SimError> {
        let OrderIntent { client_order_id, instrument, position_side, side, purpose, .. } = *intent;
        let execution_id = self.execution_id()?;
        let Some(slot) = self.slots.get(instrument.get()) else {
            return Err(SimError::data(format!("instrument {}", instrument.0), "the venue does not have it"));
        };
        let purchase_fee = self.config.spot_purchase_fee;
        let (fee, fee_currency) = costs::fee(&slot.terms, purchase_fee, side, price, quantity, liquidity)?;
        Ok(Fill {
            execution_id,
            client_order_id: Some(client_order_id),
            instrument,
            position_side,
            side,
            price,
            quantity,
            fee,
            fee_currency,
            liquidity,
            purpose,
            time,
        })
    }

    /// What becomes of an order that has traded `quantity`.
    fn book(&mut self, walk: &Walk, at: usize, quantity: Decimal, spent: bool) {
        let Some(slot) = self.slots.get_mut(walk.instrument.get()) else { return };
        let Some(order) = slot.orders.get_mut(at) else { return };
        order.filled += quantity;
        order.fresh = false;
        if order.remaining().is_zero() {
            let ended =
                Ended { number: order.number, status: VenueOrderStatus::Filled, filled: order.filled };
            self.ended.insert(order.intent.client_order_id, ended);
            slot.orders.remove(at);
        } else if order.ends_at_once() {
            order.ending = Some(End::Expired);
        } else if spent {
            order.spent = true;
        } else {
            // There was volume for more, so its position is gone.
            order.ending = Some(End::Cancelled);
        }
    }

    fn liquidate(
        &mut self,
        walk: &Walk,
        account: &Account,
        due: &Due,
        market: Decimal,
    ) -> Result<VenueEvent, SimError> {
        let (price, rate) = liquidation::terms_of(self.config.liquidation, account, due, market);
        let quantity = due.position.quantity.abs();
        Ok(VenueEvent::Liquidation(Fill {
            execution_id: self.execution_id()?,
            client_order_id: None,
            instrument: due.position.instrument,
            position_side: due.position.side,
            side: Side::of_change(due.position.quantity).opposite(),
            price,
            quantity,
            fee: amount(notional(price, quantity)? * rate),
            fee_currency: FeeCurrency::Quote,
            liquidity: Liquidity::Taker,
            purpose: Purpose::Liquidation,
            time: walk.time(),
        }))
    }

    fn execution_id(&mut self) -> Result<ExecutionId, SimError> {
        self.executions += 1;
        Ok(numbered('x', self.executions)?)
    }
}

/// Where the price meets an order on its way to `target`.
fn meets(order: &Working, walk: &Walk, target: Decimal, rules: &MatchRules) -> Option<Decimal> {
    let leg = walk.leg()?;
    let up = target > walk.cursor;
    if !order.is_present() || target == walk.cursor {
        return None;
    }
    let uncertain = rules.pessimistic && order.presence == Presence::Inside;
    if let Some(trigger) = order.trigger() {
        let rises = wakes_by_rise(&order.intent);
        let ahead = rises == up && reached(rises, trigger, target) && !beyond(up, walk.cursor, trigger);
        let certain = order.is_sleeping_stop() || !uncertain || reached(rises, trigger, leg.close);
        return (ahead && certain).then_some(trigger);
    }
    let side = order.intent.side;
    let limit = order.intent.kind.limit().filter(|_| !order.fresh)?;
    let ahead = (side == Side::Sell) == up
        && passes(side, limit, target, rules.touch_fills)
        && !beyond(up, walk.cursor, limit);
    let certain = !uncertain || passes(side, limit, leg.close, rules.touch_fills);
    (ahead && certain).then_some(limit)
}

/// Whether `price` has passed `level` in the direction of the move.
fn beyond(up: bool, price: Decimal, level: Decimal) -> bool {
    if up { price > level } else { price < level }
}

/// The extreme of the leg against a position.
fn worst(walk: &Walk, due: &Due) -> Option<Decimal> {
    walk.leg().map(|leg| if due.is_long() { leg.low } else { leg.high })
}

fn net_quantity(account: &Account, instrument: InstrumentIndex) -> Decimal {
    [PositionSide::Net, PositionSide::Long, PositionSide::Short]
        .into_iter()
        .fold(Decimal::ZERO, |sum, side| sum + account.position(instrument, side).quantity)
}
