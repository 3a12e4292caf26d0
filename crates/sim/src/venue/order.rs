//! An order as the venue keeps it.

use std::collections::{BTreeMap, VecDeque};

use market_data::Timestamp;
use rust_decimal::Decimal;
use trading::orders::{OrderReportKind, RejectReason, VenueOrderStatus};
use trading::{ClientOrderId, OrderIntent, OrderKind, Side, TimeInForce};

use super::path::Leg;

/// How an order takes part in the candle that is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It has not arrived.
    Absent,
    /// It was there when the candle opened.
    Standing,
    /// It was sent inside the candle, at a known place of the path, and arrived at once.
    Inside,
    /// It arrived inside the candle, nobody knows where.
    Late,
}

/// How an order ends that is not filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Cancelled,
    Expired,
    Refused(RejectReason),
}

impl End {
    pub(super) const fn status(self) -> VenueOrderStatus {
        match self {
            Self::Cancelled => VenueOrderStatus::Cancelled,
            Self::Expired => VenueOrderStatus::Expired,
            Self::Refused(_) => VenueOrderStatus::Rejected,
        }
    }

    pub(super) const fn report(self, filled: Decimal) -> OrderReportKind<'static> {
        match self {
            Self::Cancelled => OrderReportKind::Cancelled { cumulative_filled: Some(filled) },
            Self::Expired => OrderReportKind::Expired { cumulative_filled: Some(filled) },
            Self::Refused(reason) => OrderReportKind::Rejected { reason },
        }
    }
}

/// What an order does at the price where the walk stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Deed {
    Nothing,
    /// It comes to rest in the book.
    Rest,
    /// It wakes, with the market at this price.
    Wake(Decimal),
    /// It trades as a taker.
    Take(Decimal),
    /// It trades as a maker.
    Make(Decimal),
    End(End),
}

/// An order that lives.
#[derive(Clone, Debug)]
pub(super) struct Working {
    pub intent: OrderIntent,
    /// Counts orders of the venue.
    pub number: u64,
    /// When it arrives.
    pub active_from: Timestamp,
    pub filled: Decimal,
    /// Whether it has no trigger, or was triggered.
    pub awake: bool,
    /// Whether it has not been held against the market since it arrived or woke.
    pub fresh: bool,
    /// The market where it woke in this leg.
    pub woken_at: Option<Decimal>,
    pub presence: Presence,
    /// Whether it was sent while this leg was walked: its trigger was held against the market then.
    pub sent_inside: bool,
    /// Whether a late order was held against this leg.
    pub judged: bool,
    /// Whether it found no volume left in this leg.
    pub spent: bool,
    pub ending: Option<End>,
    /// When a cancellation arrives.
    pub cancel_at: Option<Timestamp>,
    /// Cash or margin kept for it when it was taken.
    pub binds: Decimal,
}

/// What is remembered of an order that has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    pub number: u64,
    pub status: VenueOrderStatus,
    pub filled: Decimal,
}

/// As many ended orders as the engine remembers by default.
const REMEMBERED: usize = 4096;

/// The orders that ended last, by their names; older ones are forgotten, as venues do.
#[derive(Debug, Default)]
pub(super) struct EndedOrders {
    by_name: BTreeMap<ClientOrderId, Ended>,
    /// The oldest first.
    order: VecDeque<ClientOrderId>,
}

impl EndedOrders {
    pub(super) fn get(&self, name: ClientOrderId) -> Option<Ended> {
        self.by_name.get(&name).copied()
    }

    pub(super) fn insert(&mut self, name: ClientOrderId, ended: Ended) {
        if self.by_name.insert(name, ended).is_some() {
            return;
        }
        self.order.push_back(name);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_name.remove(&oldest);
        }
    }
}

impl Working {
    pub(super) fn remaining(&self) -> Decimal {
        self.intent.quantity - self.filled
    }

    pub(super) const fn ends_at_once(&self) -> bool {
        matches!(self.intent.time_in_force, TimeInForce::ImmediateOrCancel | TimeInForce::FillOrKill)
    }

    /// Whether it takes part in the path of the price.
    pub(super) fn is_present(&self) -> bool {
        !self.spent && self.ending.is_none() && matches!(self.presence, Presence::Standing | Presence::Inside)
    }

    /// Whether it sleeps and wakes by a move against a position.
    pub(super) const fn is_sleeping_stop(&self) -> bool {
        !self.awake && matches!(self.intent.kind, OrderKind::Stop { .. } | OrderKind::StopLimit { .. })
    }

    /// The trigger while it sleeps.
    pub(super) fn trigger(&self) -> Option<Decimal> {
        if self.awake { None } else { self.intent.kind.trigger() }
    }

    /// How it takes part in a leg that begins.
    pub(super) fn enter(&mut self, leg: &Leg) {
        self.presence = if self.active_from <= leg.open_time {
            Presence::Standing
        } else if self.active_from < leg.close_time {
            Presence::Late
        } else {
            Presence::Absent
        };
        self.sent_inside = false;
        self.judged = false;
        self.spent = false;
        self.woken_at = None;
        if self.cancel_at.is_some_and(|time| time <= leg.open_time) {
            self.ending = Some(End::Cancelled);
        }
    }

    pub(super) fn status(&self) -> VenueOrderStatus {
        if !self.awake {
            VenueOrderStatus::Untriggered
        } else if self.filled.is_zero() {
            VenueOrderStatus::Working
        } else {
            VenueOrderStatus::PartiallyFilled
        }
    }

    /// What it does at a known price of the path.
    pub(super) fn deed(&self, leg: &Leg, at_open: bool, last: Decimal, rules: &MatchRules) -> Deed {
        if self.spent || self.ending.is_some() {
            return Deed::Nothing;
        }
        match self.presence {
            Presence::Absent => return Deed::Nothing,
            // The open is the one place of a candle where it certainly was not.
            Presence::Late if at_open => return Deed::Nothing,
            Presence::Late if !self.judged => return self.late_deed(leg, rules),
            Presence::Late if self.woken_at.is_none() => return Deed::Nothing,
            _ => {}
        }
        let side = self.intent.side;
        if let Some(trigger) = self.trigger() {
            let rises = wakes_by_rise(&self.intent);
            if at_open && reached(rises, trigger, leg.open) {
                return Deed::Wake(leg.open);
            }
            let meets_both =
                rules.pessimistic && self.presence == Presence::Inside && self.is_sleeping_stop();
            let extreme = if rises { leg.high } else { leg.low };
            return if meets_both && reached(rises, trigger, extreme) {
                Deed::Wake(trigger)
            } else {
                Deed::Nothing
            };
        }
        let market = self.woken_at.unwrap_or(last);
        let Some(limit) = self.intent.kind.limit() else { return Deed::Take(market) };
        if self.fresh {
            return match (passes(side, limit, market, false), self.intent.time_in_force) {
                (true, TimeInForce::PostOnly) => Deed::End(End::Refused(RejectReason::WouldTake)),
                (true, _) => Deed::Take(market),
                (false, _) if self.ends_at_once() => Deed::End(End::Expired),
                (false, _) => Deed::Rest,
            };
        }
        let stood = self.presence == Presence::Standing && self.woken_at.is_none();
        if at_open && stood && passes(side, limit, leg.open, rules.touch_fills) {
            return Deed::Make(if rules.gap_improvement { leg.open } else { limit });
        }
        Deed::Nothing
    }

    /// What an order does in a candle in which it arrived, nobody knows where: the worst of what is possible.
    fn late_deed(&self, leg: &Leg, rules: &MatchRules) -> Deed {
        let side = self.intent.side;
        let worst = if side == Side::Buy { leg.high } else { leg.low };
        if let Some(trigger) = self.trigger() {
            let rises = wakes_by_rise(&self.intent);
            let gapped = !self.sent_inside && reached(rises, trigger, leg.open);
            let at = if gapped { worst } else { trigger };
            // A stop is unlucky to wake, a target is unlucky not to.
            let certain =
                if self.is_sleeping_stop() { if rises { leg.high } else { leg.low } } else { leg.close };
            return if reached(rises, trigger, certain) { Deed::Wake(at) } else { Deed::Nothing };
        }
        let Some(limit) = self.intent.kind.limit() else { return Deed::Take(worst) };
        let post_only = self.intent.time_in_force == TimeInForce::PostOnly;
        if self.fresh && post_only && passes(side, limit, leg.open, false) {
            return Deed::End(End::Refused(RejectReason::WouldTake));
        }
        let certain = limit == worst
            || passes(side, limit, worst, false)
            || passes(side, limit, leg.close, rules.touch_fills);
        match (certain, post_only) {
            (true, true) => Deed::Make(limit),
            (true, false) => Deed::Take(if side == Side::Buy { limit.min(worst) } else { limit.max(worst) }),
            (false, _) if self.ends_at_once() => Deed::End(End::Expired),
            (false, _) => Deed::Rest,
        }
    }
}

/// The settings that decide whether an order trades.
#[derive(Clone, Copy, Debug)]
pub(super) struct MatchRules {
    pub pessimistic: bool,
    pub touch_fills: bool,
    pub gap_improvement: bool,
}

/// Whether the trigger lies where the price comes to by rising.
pub(super) fn wakes_by_rise(intent: &OrderIntent) -> bool {
    match intent.kind {
        OrderKind::TakeProfit { .. } => intent.side == Side::Sell,
        _ => intent.side == Side::Buy,
    }
}

/// Whether a price has reached a trigger. Venues trigger at the price itself.
pub(super) fn reached(rises: bool, trigger: Decimal, price: Decimal) -> bool {
    if rises { price >= trigger } else { price <= trigger }
}

/// Whether the market at `price` is beyond a limit, on the good side of the order; at it where a touch is enough.
pub(super) fn passes(side: Side, limit: Decimal, price: Decimal, touch: bool) -> bool {
    touch && price == limit || if side == Side::Buy { price < limit } else { price > limit }
}
