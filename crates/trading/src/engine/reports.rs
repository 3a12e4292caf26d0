//! What a venue reports: orders, executions, liquidations.

use rust_decimal::Decimal;

use super::{Command, Engine, Notice};
use crate::account::FillEffect;
use crate::error::TradingError;
use crate::order::Purpose;
use crate::orders::{Fill, OrderReport, OrderReportKind, OrderStatus};
use crate::strategy::Strategy;

impl<S: Strategy> Engine<S> {
    pub(super) fn on_report(&mut self, report: &OrderReport<'_>) -> Result<(), TradingError> {
        self.now = self.now.max(report.time);
        let applied = self.orders.apply(report)?;
        let (status, question) = (applied.status, applied.question);
        self.fills.clear();
        self.fills.extend_from_slice(applied.executions);
        for at in 0..self.fills.len() {
            let fill = self.fills[at];
            if let Err(error) = self.on_execution(&fill) {
                // They count as known, and those after this one would never be accounted.
                self.broken = true;
                return Err(error);
            }
        }
        if let OrderReportKind::Rejected { reason } = report.kind {
            let client_order_id = report.client_order_id;
            self.output.notices.push(Notice::Rejected { client_order_id, reason });
        }
        if status.is_some_and(OrderStatus::is_terminal) {
            self.on_order_end(report.client_order_id)?;
        }
        if question.is_some()
            && let Some(order) = self.orders.get(report.client_order_id)
        {
            self.output.commands.push(Command::Query {
                instrument: order.intent.instrument,
                client_order_id: report.client_order_id,
            });
        }
        Ok(())
    }

    /// The venue traded by itself.
    pub(super) fn on_liquidation(&mut self, fill: &Fill) -> Result<(), TradingError> {
        self.now = self.now.max(fill.time);
        if fill.purpose != Purpose::Liquidation {
            let problem = "it is no liquidation; report it with its order";
            return Err(TradingError::report(fill.execution_id, problem));
        }
        if self.orders.apply_venue_fill(fill)?.executions.is_empty() {
            return Ok(());
        }
        self.on_execution(fill)
    }

    /// Accounts an execution and does what follows from the change of its position.
    fn on_execution(&mut self, fill: &Fill) -> Result<(), TradingError> {
        if !self.is_open(fill.instrument) {
            // Nothing marked it while nothing was open: its last mark may be old. What it trades at is what it is worth.
            self.account.mark(fill.instrument, fill.price)?;
        }
        let effect: FillEffect = match self.account.fill(fill) {
            Ok(effect) => effect,
            Err(error) => {
                // The venue has traded what the books cannot hold: they are not those of the account any more.
                self.broken = true;
                return Err(error);
            }
        };
        self.output.notices.push(Notice::Filled { fill: *fill, realised: effect.realised });
        self.account.check("a fill")?;
        self.on_position_change(fill, &effect)
    }

    /// An order can trade no more.
    fn on_order_end(&mut self, client_order_id: crate::ClientOrderId) -> Result<(), TradingError> {
        let Some(order) = self.orders.get(client_order_id) else { return Ok(()) };
        let (intent, status, filled) = (order.intent, order.status, order.filled);
        let place = super::slot::place(intent.position_side);
        match intent.purpose {
            Purpose::Entry => {
                // What was cancelled or expired may still be found to have traded: its plan is kept for that.
                if status == OrderStatus::Rejected
                    && filled.is_zero()
                    && !self.has_entry(intent.instrument, place)
                {
                    self.slots[intent.instrument.get()].wanted[place] = None;
                }
                Ok(())
            }
            Purpose::StopLoss | Purpose::TakeProfit(_) | Purpose::Close | Purpose::Reduction
                if status == OrderStatus::Filled =>
            {
                self.forget_protection(intent.instrument, place, client_order_id);
                if let Some(held) = &mut self.slots[intent.instrument.get()].held[place]
                    && intent.purpose == Purpose::Close
                {
                    // It was to be gone, but an entry filled in the meantime: what is open now is protected again.
                    held.closing = None;
                }
                self.protect(intent.instrument, place)
            }
            Purpose::StopLoss | Purpose::TakeProfit(_) | Purpose::Close | Purpose::Reduction => {
                self.forget_protection(intent.instrument, place, client_order_id);
                self.on_protection_lost(intent, status, filled)
            }
            Purpose::Liquidation => Ok(()),
        }
    }

    fn is_open(&self, instrument: crate::InstrumentIndex) -> bool {
        self.account.positions().any(|position| position.instrument == instrument)
    }

    /// Whether an entry into this position may still trade.
    pub(super) fn has_entry(&self, instrument: crate::InstrumentIndex, at: usize) -> bool {
        self.orders.working(instrument).any(|order| {
            order.intent.purpose == Purpose::Entry && super::slot::place(order.intent.position_side) == at
        })
    }

    /// Funding belongs to the trades that were open: each pays `per_unit` for what it is long of. Both sides of hedge mode may come
    /// to nothing together and still pay each other.
    pub(super) fn share_funding(
        &mut self,
        instrument: crate::InstrumentIndex,
        received: Decimal,
        per_unit: Decimal,
    ) {
        let held = &mut self.slots[instrument.get()].held;
        let mut rest = received;
        let count = held.iter().flatten().count();
        for (at, held) in held.iter_mut().flatten().enumerate() {
            let signed = held.side.signed(held.entered - held.left);
            // The last takes what rounding leaves.
            let part = if at + 1 == count { rest } else { crate::amount(-(signed * per_unit)) };
            rest -= part;
            held.funding += part;
        }
    }
}
