//! One order: its status, its fills, and what is still open about it.

use market_data::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::report::{
    ExecutionId, Fill, OrderReport, OrderReportKind, RejectReason, Snapshot, VenueOrderId, VenueOrderStatus,
};
use super::status::{OrderEvent, OrderStatus, Transition, transition};
use crate::error::TradingError;
use crate::money::{LARGEST_AMOUNT, amount, notional};
use crate::order::OrderIntent;

/// Why the venue must be asked about an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// Reports contradict each other. The status is not to be trusted until a snapshot has settled it.
    Contradiction,
    /// The venue has filled more than the executions that are known.
    MissingFills,
    /// Whether the request arrived is not known.
    SubmissionUnknown,
    /// Whether the cancellation arrived is not known.
    CancelUnknown,
    /// A cancellation was refused, most often because the order has ended and its report is late or lost.
    CancelRejected,
}

/// One own order and all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRecord {
    /// What was asked for.
    pub intent: OrderIntent,
    /// Where it stands.
    pub status: OrderStatus,
    /// The venue's name of it.
    pub venue_order_id: Option<VenueOrderId>,
    /// Sum of the known executions, in base currency.
    pub filled: Decimal,
    /// Sum of price × quantity of the known executions, in quote currency.
    pub filled_notional: Decimal,
    /// The largest cumulative filled quantity that the venue has stated; below `filled` where it states none.
    pub stated_filled: Decimal,
    /// Why it was refused, where that was said.
    pub reject_reason: Option<RejectReason>,
    /// Sorted names of the known executions.
    executions: Vec<ExecutionId>,
    /// The cumulative filled quantity that came with the end of the order: there can be no more than that.
    final_filled: Option<Decimal>,
    /// When the newest report of the venue was made.
    newest: Option<Timestamp>,
    /// The venue has spoken of the order as of one that it took.
    acknowledged: bool,
    /// It was accepted asleep.
    slept: bool,
    /// It was seen awake.
    woken: bool,
    contradicted: bool,
    cancel_rejected: bool,
}

impl OrderRecord {
    pub(super) fn new(intent: OrderIntent) -> Self {
        Self {
            intent,
            status: OrderStatus::Submitted,
            venue_order_id: None,
            filled: Decimal::ZERO,
            filled_notional: Decimal::ZERO,
            stated_filled: Decimal::ZERO,
            reject_reason: None,
            executions: Vec::new(),
            final_filled: None,
            newest: None,
            acknowledged: false,
            slept: false,
            woken: false,
            contradicted: false,
            cancel_rejected: false,
        }
    }

    /// What may still trade, in base currency: zero once the order has ended.
    #[must_use]
    pub fn remaining(&self) -> Decimal {
        if self.status.is_terminal() { Decimal::ZERO } else { self.intent.quantity - self.known_filled() }
    }

    /// Average price of the known executions, in quote currency at twelve places; none where there are none.
    #[must_use]
    pub fn average_price(&self) -> Option<Decimal> {
        self.filled_notional.checked_div(self.filled).map(amount)
    }

    /// How many executions are known.
    #[must_use]
    pub fn execution_count(&self) -> usize {
        self.executions.len()
    }

    /// What the venue must be asked about, the gravest first; none where all is settled or an answer is still
    /// awaited.
    #[must_use]
    pub fn question(&self) -> Option<Question> {
        if self.contradicted {
            return Some(Question::Contradiction);
        }
        if self.stated_filled > self.filled {
            return Some(Question::MissingFills);
        }
        match self.status {
            OrderStatus::SubmissionUnknown => Some(Question::SubmissionUnknown),
            OrderStatus::CancelUnknown => Some(Question::CancelUnknown),
            status if self.cancel_rejected && !status.is_terminal() => Some(Question::CancelRejected),
            _ => None,
        }
    }

    /// Whether it has ended and nothing is open about it.
    pub(super) fn is_settled(&self) -> bool {
        self.status.is_terminal() && self.question().is_none()
    }

    /// What is filled, by executions or by the venue's word.
    fn known_filled(&self) -> Decimal {
        self.filled.max(self.stated_filled)
    }

    /// Takes a report and adds the executions that are new to `new_fills`. Changes nothing where it fails.
    pub(super) fn apply(
        &mut self,
        report: &OrderReport<'_>,
        new_fills: &mut Vec<Fill>,
    ) -> Result<(), TradingError> {
        let was_contradicted = self.contradicted;
        let fills = match &report.kind {
            OrderReportKind::Fill(fill) => std::slice::from_ref(fill),
            OrderReportKind::Snapshot(snapshot) => snapshot.fills,
            _ => &[],
        };
        self.check_stated(&report.kind)?;
        self.collect_new(fills, new_fills)?;
        for fill in new_fills.iter_mut() {
            fill.purpose = self.intent.purpose;
            self.take_fill(fill)?;
        }
        match report.kind {
            OrderReportKind::Fill(_) => {}
            OrderReportKind::Accepted { venue_order_id } => {
                self.woken |= !self.slept;
                self.name(Some(venue_order_id), false);
                self.take(OrderEvent::Accepted);
            }
            OrderReportKind::AcceptedUntriggered { venue_order_id } => {
                self.slept = true;
                self.name(Some(venue_order_id), false);
                self.take(OrderEvent::AcceptedUntriggered);
            }
            OrderReportKind::Triggered { venue_order_id } => {
                self.woken = true;
                self.name(venue_order_id, true);
                self.take(OrderEvent::Triggered);
            }
            OrderReportKind::Rejected { reason } => self.take_rejection(reason),
            OrderReportKind::SubmissionTimedOut => self.take(OrderEvent::SubmissionTimedOut),
            OrderReportKind::CancelTimedOut => self.take(OrderEvent::CancelTimedOut),
            OrderReportKind::CancelRejected => {
                self.cancel_rejected |=
                    matches!(self.status, OrderStatus::CancelRequested | OrderStatus::CancelUnknown);
                self.take(OrderEvent::CancelRejected);
            }
            OrderReportKind::Cancelled { cumulative_filled } => {
                self.take_end(OrderEvent::Cancelled, cumulative_filled);
            }
            OrderReportKind::Expired { cumulative_filled } => {
                self.take_end(OrderEvent::Expired, cumulative_filled);
            }
            OrderReportKind::NotFound => self.take_not_found(),
            OrderReportKind::Snapshot(snapshot) => {
                self.take_snapshot(&snapshot, report.time, was_contradicted);
            }
        }
        let ours =
            matches!(report.kind, OrderReportKind::SubmissionTimedOut | OrderReportKind::CancelTimedOut);
        if !ours {
            self.newest = self.newest.max(Some(report.time));
        }
        Ok(())
    }

    /// Takes our own wish to cancel; whether a cancellation is to be sent.
    pub(super) fn request_cancel(&mut self) -> bool {
        let sent = transition(self.status, OrderEvent::CancelRequested) != Transition::Stay;
        self.cancel_rejected &= !sent; // the next answer is awaited
        self.take(OrderEvent::CancelRequested);
        sent
    }

    /// Changes the status as the table says, completed by what the table cannot know.
    fn take(&mut self, event: OrderEvent) {
        match transition(self.status, event) {
            Transition::Stay => {}
            Transition::Contradiction => self.contradicted = true,
            Transition::To(OrderStatus::Rejected) if self.known_filled() > Decimal::ZERO => {
                self.contradicted = true;
            }
            Transition::To(OrderStatus::Working) => self.status = self.resting(),
            Transition::To(status) => self.status = status,
        }
    }

    /// Where an order stands that has not ended and that nobody is cancelling.
    fn resting(&self) -> OrderStatus {
        if !self.acknowledged {
            OrderStatus::SubmissionUnknown
        } else if self.slept && !self.woken {
            OrderStatus::Untriggered
        } else if self.known_filled() > Decimal::ZERO {
            OrderStatus::PartiallyFilled
        } else {
            OrderStatus::Working
        }
    }

    /// Notes that the venue speaks of the order, and by which name.
    fn name(&mut self, venue_order_id: Option<VenueOrderId>, renamed: bool) {
        self.acknowledged = true;
        let Some(stated) = venue_order_id else { return };
        match self.venue_order_id {
            Some(known) if known != stated && !renamed => {
                // Conditional orders may have two names, and the older one may come late. For others it is a
                // second order.
                self.contradicted |= self.intent.kind.trigger().is_none();
            }
            _ => self.venue_order_id = Some(stated),
        }
    }

    fn take_rejection(&mut self, reason: RejectReason) {
        if reason == RejectReason::DuplicateClientOrderId {
            // The refused request is a second one; what became of the first one must be asked.
            self.take(OrderEvent::SubmissionTimedOut);
            self.contradicted |= self.status == OrderStatus::Rejected;
            return;
        }
        let before = self.status;
        self.take(OrderEvent::Rejected);
        if before != OrderStatus::Rejected && self.status == OrderStatus::Rejected {
            self.reject_reason = Some(reason);
        }
    }

    fn take_not_found(&mut self) {
        if self.acknowledged && self.status == OrderStatus::CancelUnknown {
            self.contradicted = true;
            return;
        }
        let before = self.status;
        self.take(OrderEvent::NotFound);
        if before != OrderStatus::Rejected && self.status == OrderStatus::Rejected {
            self.reject_reason = Some(RejectReason::NeverArrived);
        }
    }

    fn take_end(&mut self, event: OrderEvent, cumulative_filled: Option<Decimal>) {
        self.acknowledged = true;
        self.take(event);
        if let Some(cumulative) = cumulative_filled {
            self.state_final(cumulative);
        }
    }

    /// The venue states what was filled in all when the order ended.
    fn state_final(&mut self, cumulative: Decimal) {
        self.stated_filled = self.stated_filled.max(cumulative);
        self.final_filled = Some(cumulative);
        self.contradicted |= cumulative < self.known_filled();
    }

    /// Takes what a query said. The fills in it are taken already.
    fn take_snapshot(&mut self, snapshot: &Snapshot<'_>, time: Timestamp, was_contradicted: bool) {
        let live = snapshot.status.is_live();
        if live && snapshot.cumulative_filled < self.known_filled() {
            return; // older than what is known
        }
        if snapshot.status != VenueOrderStatus::Rejected {
            self.name(snapshot.venue_order_id, false);
        }
        match snapshot.status {
            VenueOrderStatus::Untriggered => self.slept = true,
            VenueOrderStatus::Working | VenueOrderStatus::PartiallyFilled => self.woken = true,
            VenueOrderStatus::Filled
            | VenueOrderStatus::Cancelled
            | VenueOrderStatus::Rejected
            | VenueOrderStatus::Expired => {}
        }
        let is_newest = self.newest.is_none_or(|newest| time >= newest);
        let ended_before = self.status.is_terminal() && self.newest.is_some_and(|newest| time > newest);
        if was_contradicted && is_newest && self.adopt(snapshot) {
            self.cancel_rejected = false;
            return;
        }
        if live {
            self.stated_filled = snapshot.cumulative_filled.max(self.stated_filled);
            // What has ended does not live again; an older answer may say so, a newer one may not.
            self.contradicted |= ended_before;
        }
        if !live {
            self.state_final(snapshot.cumulative_filled);
        }
        self.take(self.event_of(snapshot));
        if is_newest {
            self.cancel_rejected = false;
        }
    }

    /// What a query's answer proves.
    fn event_of(&self, snapshot: &Snapshot<'_>) -> OrderEvent {
        let live = snapshot.status.is_live();
        match snapshot.status {
            // A query answered after the time-out: the cancellation had no effect.
            _ if live && self.status == OrderStatus::CancelUnknown => OrderEvent::CancelRejected,
            VenueOrderStatus::Untriggered => OrderEvent::AcceptedUntriggered,
            VenueOrderStatus::Working | VenueOrderStatus::PartiallyFilled
                if snapshot.cumulative_filled > Decimal::ZERO =>
            {
                OrderEvent::PartialFill
            }
            VenueOrderStatus::Working | VenueOrderStatus::PartiallyFilled => OrderEvent::Triggered,
            VenueOrderStatus::Filled => OrderEvent::CompleteFill,
            VenueOrderStatus::Cancelled => OrderEvent::Cancelled,
            VenueOrderStatus::Rejected => OrderEvent::Rejected,
            VenueOrderStatus::Expired => OrderEvent::Expired,
        }
    }

    /// After a contradiction the newest word of the venue counts, even against the table; whether it could be
    /// taken.
    fn adopt(&mut self, snapshot: &Snapshot<'_>) -> bool {
        let cumulative = snapshot.cumulative_filled;
        let refused = snapshot.status == VenueOrderStatus::Rejected;
        if cumulative < self.known_filled() || (refused && cumulative > Decimal::ZERO) {
            return false;
        }
        self.stated_filled = cumulative;
        self.final_filled = (!snapshot.status.is_live()).then_some(cumulative);
        self.venue_order_id = snapshot.venue_order_id.or(self.venue_order_id);
        self.status = match snapshot.status {
            VenueOrderStatus::Untriggered => OrderStatus::Untriggered,
            VenueOrderStatus::Working | VenueOrderStatus::PartiallyFilled => self.resting(),
            VenueOrderStatus::Filled => OrderStatus::Filled,
            VenueOrderStatus::Cancelled => OrderStatus::Cancelled,
            VenueOrderStatus::Rejected => OrderStatus::Rejected,
            VenueOrderStatus::Expired => OrderStatus::Expired,
        };
        self.contradicted = false;
        true
    }

    /// Takes an execution that was found to be new and sound.
    fn take_fill(&mut self, fill: &Fill) -> Result<(), TradingError> {
        let value = notional(fill.price, fill.quantity)?;
        let Err(place) = self.executions.binary_search(&fill.execution_id) else { return Ok(()) };
        self.executions.insert(place, fill.execution_id);
        self.filled += fill.quantity;
        self.filled_notional += value;
        self.acknowledged = true;
        self.woken = true;
        let complete = self.filled >= self.intent.quantity;
        self.take(if complete { OrderEvent::CompleteFill } else { OrderEvent::PartialFill });
        self.contradicted |= self.final_filled.is_some_and(|stated| self.filled > stated);
        Ok(())
    }

    /// Copies those fills that are not known into `new_fills`, checking them and their sum.
    fn collect_new(&self, fills: &[Fill], new_fills: &mut Vec<Fill>) -> Result<(), TradingError> {
        let (mut filled, mut value) = (self.filled, self.filled_notional);
        for fill in fills {
            self.check_fill(fill)?;
            let known = self.executions.binary_search(&fill.execution_id).is_ok();
            if known || new_fills.iter().any(|other| other.execution_id == fill.execution_id) {
                continue;
            }
            let most = self.intent.quantity;
            if fill.quantity > most - filled {
                let (id, quantity) = (fill.execution_id, fill.quantity);
                let problem = format!(
                    "execution {id} of {quantity} is too much: {filled} of {most} are filled already"
                );
                return Err(self.error(problem));
            }
            filled += fill.quantity;
            value += notional(fill.price, fill.quantity)?;
            if value >= LARGEST_AMOUNT {
                return Err(TradingError::Magnitude { what: "notional of an order's executions", value });
            }
            new_fills.push(*fill);
        }
        Ok(())
    }

    /// Refuses an execution that is not one of this order.
    fn check_fill(&self, fill: &Fill) -> Result<(), TradingError> {
        let intent = &self.intent;
        let id = fill.execution_id;
        if fill.client_order_id != Some(intent.client_order_id) {
            return Err(self.error(format!("execution {id} bears the name of another order")));
        }
        if fill.instrument != intent.instrument {
            let (is, should) = (fill.instrument.0, intent.instrument.0);
            return Err(self.error(format!("execution {id} is of instrument {is}, the order of {should}")));
        }
        if fill.side != intent.side || fill.position_side != intent.position_side {
            let (is, of) = ((fill.side, fill.position_side), (intent.side, intent.position_side));
            return Err(self.error(format!("execution {id} is {is:?}, the order {of:?}")));
        }
        if fill.quantity <= Decimal::ZERO || fill.price <= Decimal::ZERO {
            let (quantity, price) = (fill.quantity, fill.price);
            return Err(self.error(format!("execution {id} has quantity {quantity} and price {price}")));
        }
        Ok(())
    }

    /// Refuses a cumulative quantity that the order cannot have.
    fn check_stated(&self, kind: &OrderReportKind<'_>) -> Result<(), TradingError> {
        let (stated, all) = match kind {
            OrderReportKind::Cancelled { cumulative_filled }
            | OrderReportKind::Expired { cumulative_filled } => (*cumulative_filled, false),
            OrderReportKind::Snapshot(snapshot) => {
                (Some(snapshot.cumulative_filled), snapshot.status == VenueOrderStatus::Filled)
            }
            _ => (None, false),
        };
        let Some(stated) = stated else { return Ok(()) };
        let most = self.intent.quantity;
        if stated < Decimal::ZERO || stated > most || (all && stated != most) {
            return Err(self.error(format!("the venue states {stated} as filled of {most}")));
        }
        Ok(())
    }

    fn error(&self, problem: String) -> TradingError {
        TradingError::report(format!("order {}", self.intent.client_order_id), problem)
    }
}
