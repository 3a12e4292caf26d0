//! Own orders: what state each is in, what of it is filled, and what must be asked about.
//!
//! - [`transition`] is the state machine, one exhaustive table.
//! - [`OrderRecord`] is one order: its status, its fills, and what is still open about it.
//! - [`Orders`] is the book of all of them. Reports may come twice, late, in another order or not at all;
//!   each execution is handed out once, and what is missing is said by name so that the venue can be asked.
//!
//! Nothing here sends, waits or guesses: an unknown outcome stays unknown until the venue has answered.

mod book;
mod record;
mod report;
mod status;

#[cfg(test)]
mod tests;

pub use book::{Applied, Orders, OrdersConfig};
pub use record::{OrderRecord, Question};
pub use report::{
    ExecutionId, FeeCurrency, Fill, OrderReport, OrderReportKind, RejectReason, Snapshot, VENUE_NAME_LENGTH,
    VenueOrderId, VenueOrderStatus,
};
pub use status::{OrderEvent, OrderStatus, Transition, transition};
