//! What the engine answers with: commands for a venue, and notices for whoever keeps a record.

use market_data::Timestamp;
use rust_decimal::Decimal;
use serde::Serialize;

use crate::account::LedgerEntry;
use crate::client_order_id::ClientOrderId;
use crate::exit::CloseReason;
use crate::order::{InstrumentIndex, OrderIntent, PositionSide, Purpose, Side};
use crate::orders::{Fill, RejectReason};
use crate::risk::{RiskApproved, RiskRefusal, StateChange};
use crate::strategy::Vote;

/// What a venue is asked to do.
#[derive(Debug, PartialEq)]
pub enum Command {
    /// Send an order. That it was approved is in its type.
    Submit(RiskApproved<OrderIntent>),
    /// Cancel an order.
    Cancel {
        /// Of what.
        instrument: InstrumentIndex,
        /// Which.
        client_order_id: ClientOrderId,
    },
    /// Say what became of an order; to be answered by a snapshot.
    Query {
        /// Of what.
        instrument: InstrumentIndex,
        /// Which.
        client_order_id: ClientOrderId,
    },
}

/// Something that happened inside the engine and is worth a record.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "notice")]
pub enum Notice {
    /// An order was made; what the strategy's votes were stands beside it.
    Ordered {
        /// The order.
        intent: OrderIntent,
    },
    /// The votes behind an order of this instrument, one notice each.
    Voted {
        /// When.
        time: Timestamp,
        /// What was said.
        vote: Vote,
    },
    /// The risk gate refused an order, or part of it.
    Refused {
        /// What was wanted.
        intent: OrderIntent,
        /// What passed after all: 0 where nothing did.
        approved: Decimal,
        /// Why.
        refusal: RiskRefusal,
    },
    /// The venue refused an order.
    Rejected {
        /// Which.
        client_order_id: ClientOrderId,
        /// Why.
        reason: RejectReason,
    },
    /// An execution was accounted.
    Filled {
        /// It.
        fill: Fill,
        /// Profit that it realised, before its fee, in settlement currency.
        realised: Decimal,
    },
    /// The ledger changed.
    Booked {
        /// How.
        entry: LedgerEntry,
    },
    /// A position was opened and closed again.
    Traded {
        /// The round trip.
        trade: TradeRecord,
    },
    /// The state of the risk gate changed.
    RiskState {
        /// How, and why.
        change: StateChange,
    },
    /// A strategy wants what cannot be done.
    Unable {
        /// In what.
        instrument: InstrumentIndex,
        /// Why not.
        reason: String,
    },
}

/// One position from its first to its last fill.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TradeRecord {
    /// In what.
    pub instrument: InstrumentIndex,
    /// Which position of it.
    pub position_side: PositionSide,
    /// Buy for a long position.
    pub side: Side,
    /// Time of the first fill.
    pub opened: Timestamp,
    /// Time of the last fill.
    pub closed: Timestamp,
    /// All that was bought into it, in base currency.
    pub quantity: Decimal,
    /// Notional of all entries over their quantity.
    pub entry_price: Decimal,
    /// Notional of all exits over their quantity.
    pub exit_price: Decimal,
    /// Profit before fees and funding, in settlement currency.
    pub gross: Decimal,
    /// Fees of all its fills, in settlement currency.
    pub fees: Decimal,
    /// Funding received, negative where paid.
    pub funding: Decimal,
    /// `gross − fees + funding`.
    pub net: Decimal,
    /// Candles that closed while it was open.
    pub candles: u32,
    /// What the last fill was for.
    pub exit: Purpose,
    /// Why it was closed, where the engine did so.
    pub reason: Option<CloseReason>,
    /// What was said when it was opened.
    pub votes: Vec<Vote>,
}

impl TradeRecord {
    /// Net profit as a share of what was put in: `net / (entry price × quantity)`.
    #[must_use]
    pub fn return_on_notional(&self) -> Decimal {
        let notional = self.entry_price * self.quantity;
        if notional.is_zero() { Decimal::ZERO } else { self.net / notional }
    }
}

/// What one event led to. The engine reuses it: take out what is wanted before the next event.
#[derive(Debug, Default, PartialEq)]
pub struct Commands {
    /// For the venue, in order.
    pub commands: Vec<Command>,
    /// For the record, in order.
    pub notices: Vec<Notice>,
}

impl Commands {
    pub(super) fn clear(&mut self) {
        self.commands.clear();
        self.notices.clear();
    }
}
