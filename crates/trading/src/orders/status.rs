//! The states of an order and what leads from one to another.

use serde::{Deserialize, Serialize};

/// Where an order stands, as far as is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderStatus {
    /// Sent; there is no answer yet.
    Submitted,
    /// What became of the request is not known: the order may live at the venue.
    SubmissionUnknown,
    /// Accepted and asleep until its trigger is reached.
    Untriggered,
    /// It may trade, and has not.
    Working,
    /// It has traded in part and may trade on.
    PartiallyFilled,
    /// A cancellation was sent; there is no answer yet.
    CancelRequested,
    /// What became of the cancellation is not known: the order may still live.
    CancelUnknown,
    /// All of it has traded.
    Filled,
    /// Ended by a cancellation, ours or the venue's; part of it may have traded.
    Cancelled,
    /// The venue never took it.
    Rejected,
    /// Ended by its time in force; part of it may have traded.
    Expired,
}

impl OrderStatus {
    /// All of them, in the order of the documented table.
    pub const ALL: [Self; 11] = [
        Self::Submitted,
        Self::SubmissionUnknown,
        Self::Untriggered,
        Self::Working,
        Self::PartiallyFilled,
        Self::CancelRequested,
        Self::CancelUnknown,
        Self::Filled,
        Self::Cancelled,
        Self::Rejected,
        Self::Expired,
    ];

    /// Whether the order has ended. Only then can it trade no more, apart from fills whose reports are late.
    #[inline]
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Filled | Self::Cancelled | Self::Rejected | Self::Expired)
    }

    /// Whether a request's outcome is unknown, so that the venue must be asked.
    #[inline]
    #[must_use]
    pub const fn is_unknown(self) -> bool {
        matches!(self, Self::SubmissionUnknown | Self::CancelUnknown)
    }
}

/// What happens to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderEvent {
    /// The venue took it, and it may trade.
    Accepted,
    /// The venue took it, and it sleeps until its trigger is reached.
    AcceptedUntriggered,
    /// Its trigger was reached.
    Triggered,
    /// The venue refused it.
    Rejected,
    /// Nothing was heard of the request for as long as the caller waits.
    SubmissionTimedOut,
    /// It traded, and some of it is left.
    PartialFill,
    /// It traded, and nothing of it is left.
    CompleteFill,
    /// We asked to cancel it.
    CancelRequested,
    /// The venue refused to cancel it.
    CancelRejected,
    /// Nothing was heard of the cancellation for as long as the caller waits.
    CancelTimedOut,
    /// The venue cancelled it.
    Cancelled,
    /// Its time in force ended it.
    Expired,
    /// The venue was asked and does not know it.
    NotFound,
}

impl OrderEvent {
    /// All of them, in the order of the documented table.
    pub const ALL: [Self; 13] = [
        Self::Accepted,
        Self::AcceptedUntriggered,
        Self::Triggered,
        Self::Rejected,
        Self::SubmissionTimedOut,
        Self::PartialFill,
        Self::CompleteFill,
        Self::CancelRequested,
        Self::CancelRejected,
        Self::CancelTimedOut,
        Self::Cancelled,
        Self::Expired,
        Self::NotFound,
    ];
}

/// What an event does to the status of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// The order is in this status now.
    To(OrderStatus),
    /// The status stays: the event is a duplicate, late or reordered, or a fill that does not change it.
    Stay,
    /// This cannot have happened: ask the venue and reconcile.
    Contradiction,
}

/// The state machine of an order: what `event` does in `status`.
///
/// Reports may be repeated, late and out of order, so the table is written for what an event *proves*, not
/// for when it should come. A status and an event do not say everything; three entries are completed by
/// [`OrderRecord`](super::OrderRecord), which knows the quantities and what the venue has said before:
///
/// - `To(Working)` means "to where it rests": `Untriggered` where it still sleeps, `PartiallyFilled` where
///   something is filled, and `SubmissionUnknown` where a cancellation was refused before the venue ever
///   spoke of the order.
/// - `To(Rejected)` is a contradiction where something was filled.
/// - `NotFound` leads to `Rejected` only where the venue has never spoken of the order; otherwise it is a
///   contradiction.
///
/// The whole table is in `docs/trading-order-states.md`, which a test holds against this function.
#[must_use]
pub const fn transition(status: OrderStatus, event: OrderEvent) -> Transition {
    use OrderEvent as E;
    use OrderStatus as S;
    use Transition::{Contradiction, Stay, To};

    match (status, event) {
        // The venue took it. Later states prove as much already; a rejected order cannot have been taken.
        (S::Submitted | S::SubmissionUnknown, E::Accepted | E::Triggered) => To(S::Working),
        (S::Submitted | S::SubmissionUnknown, E::AcceptedUntriggered) => To(S::Untriggered),
        (S::Untriggered, E::Triggered) => To(S::Working),
        (S::Untriggered, E::Accepted | E::AcceptedUntriggered) => Stay,
        (
            S::Working
            | S::PartiallyFilled
            | S::CancelRequested
            | S::CancelUnknown
            | S::Filled
            | S::Cancelled
            | S::Expired,
            E::Accepted | E::AcceptedUntriggered | E::Triggered,
        ) => Stay,
        (S::Rejected, E::Accepted | E::AcceptedUntriggered | E::Triggered) => Contradiction,

        // Venues acknowledge a request before they check it, and check margin again when a trigger is
        // reached.
        (
            S::Submitted
            | S::SubmissionUnknown
            | S::Untriggered
            | S::Working
            | S::CancelRequested
            | S::CancelUnknown,
            E::Rejected,
        ) => To(S::Rejected),
        (S::Rejected, E::Rejected) => Stay,
        (S::PartiallyFilled | S::Filled | S::Cancelled | S::Expired, E::Rejected) => Contradiction,

        // Our own timer; it proves nothing once there was an answer, or where a cancellation's answer will
        // tell.
        (S::Submitted, E::SubmissionTimedOut) => To(S::SubmissionUnknown),
        (
            S::SubmissionUnknown
            | S::Untriggered
            | S::Working
            | S::PartiallyFilled
            | S::CancelRequested
            | S::CancelUnknown
            | S::Filled
            | S::Cancelled
            | S::Rejected
            | S::Expired,
            E::SubmissionTimedOut,
        ) => Stay,

        // A fill proves that the venue took the order. While a cancellation runs it stays the thing to wait
        // for. After the end it is late but real. `Filled` meets new partial fills where a query said so
        // before the executions came.
        (
            S::Submitted | S::SubmissionUnknown | S::Untriggered | S::Working | S::PartiallyFilled,
            E::PartialFill,
        ) => To(S::PartiallyFilled),
        (S::CancelRequested | S::CancelUnknown | S::Filled | S::Cancelled | S::Expired, E::PartialFill) => {
            Stay
        }
        (
            S::Submitted
            | S::SubmissionUnknown
            | S::Untriggered
            | S::Working
            | S::PartiallyFilled
            | S::CancelRequested
            | S::CancelUnknown
            | S::Cancelled
            | S::Expired,
            E::CompleteFill,
        ) => To(S::Filled),
        (S::Filled, E::CompleteFill) => Stay,
        (S::Rejected, E::PartialFill | E::CompleteFill) => Contradiction,

        // Our own wish; what has ended needs none, and one that runs is not sent twice.
        (
            S::Submitted
            | S::SubmissionUnknown
            | S::Untriggered
            | S::Working
            | S::PartiallyFilled
            | S::CancelUnknown,
            E::CancelRequested,
        ) => To(S::CancelRequested),
        (S::CancelRequested | S::Filled | S::Cancelled | S::Rejected | S::Expired, E::CancelRequested) => {
            Stay
        }
        (S::CancelRequested | S::CancelUnknown, E::CancelRejected) => To(S::Working),
        (
            S::Submitted
            | S::SubmissionUnknown
            | S::Untriggered
            | S::Working
            | S::PartiallyFilled
            | S::Filled
            | S::Cancelled
            | S::Rejected
            | S::Expired,
            E::CancelRejected,
        ) => Stay,
        (S::CancelRequested, E::CancelTimedOut) => To(S::CancelUnknown),
        (
            S::Submitted
            | S::SubmissionUnknown
            | S::Untriggered
            | S::Working
            | S::PartiallyFilled
            | S::CancelUnknown
            | S::Filled
            | S::Cancelled
            | S::Rejected
            | S::Expired,
            E::CancelTimedOut,
        ) => Stay,

        // The end without a complete fill. Where all was filled nothing was left to end; venues use both
        // words for the rest of an immediate-or-cancel order, so the first one counts.
        (
            S::Submitted
            | S::SubmissionUnknown
            | S::Untriggered
            | S::Working
            | S::PartiallyFilled
            | S::CancelRequested
            | S::CancelUnknown,
            E::Cancelled,
        ) => To(S::Cancelled),
        (
            S::Submitted
            | S::SubmissionUnknown
            | S::Untriggered
            | S::Working
            | S::PartiallyFilled
            | S::CancelRequested
            | S::CancelUnknown,
            E::Expired,
        ) => To(S::Expired),
        (S::Filled | S::Cancelled | S::Expired, E::Cancelled | E::Expired) => Stay,
        (S::Rejected, E::Cancelled | E::Expired) => Contradiction,

        // A query may overtake a request that still runs; its answer or its time-out follows. Venues forget
        // what has ended.
        (S::SubmissionUnknown | S::CancelUnknown, E::NotFound) => To(S::Rejected),
        (S::Submitted | S::CancelRequested, E::NotFound) => Stay,
        (S::Untriggered | S::Working | S::PartiallyFilled, E::NotFound) => Contradiction,
        (S::Filled | S::Cancelled | S::Rejected | S::Expired, E::NotFound) => Stay,
    }
}
