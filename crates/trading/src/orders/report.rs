//! What a venue says about orders, in the words of this crate.

use std::fmt;
use std::str::FromStr;

use market_data::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::client_order_id::ClientOrderId;
use crate::error::TradingError;
use crate::order::{InstrumentIndex, Liquidity, PositionSide, Purpose, Side};

/// The longest name that a venue may give to an order or an execution.
pub const VENUE_NAME_LENGTH: usize = 64;

/// Text of 1 to 64 printable ASCII characters without spaces, in place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct VenueName {
    bytes: [u8; VENUE_NAME_LENGTH],
    length: u8,
}

impl VenueName {
    fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; VENUE_NAME_LENGTH];
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self { bytes, length: u8::try_from(text.len()).ok()? })
    }

    fn as_str(&self) -> &str {
        let used = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        std::str::from_utf8(used).unwrap_or_default()
    }
}

macro_rules! venue_name {
    ($(#[$documentation:meta])* $name:ident, $what:literal) => {
        $(#[$documentation])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(VenueName);

        impl $name {
            /// As text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl FromStr for $name {
            type Err = TradingError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                VenueName::parse(text).map(Self).ok_or_else(|| {
                    let problem =
                        concat!("its ", $what, " is not 1 to 64 printable ASCII characters without spaces");
                    TradingError::report(format!("`{text}`"), problem)
                })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

venue_name! {
    /// The name that the venue gave to an order: 1 to 64 printable ASCII characters.
    VenueOrderId, "order id"
}

venue_name! {
    /// The name that the venue gave to an execution, unique among those of its order: 1 to 64 printable ASCII
    /// characters.
    ExecutionId, "execution id"
}

/// What a fee was paid in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FeeCurrency {
    /// The quote currency of the instrument, which is also the settlement currency of a linear contract.
    Quote,
    /// The base currency, as on spot purchases.
    Base,
}

/// One execution: a quantity that traded at a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fill {
    /// The venue's name of it.
    pub execution_id: ExecutionId,
    /// The order that traded; none for what the venue did by itself, as a liquidation.
    pub client_order_id: Option<ClientOrderId>,
    /// What was traded.
    pub instrument: InstrumentIndex,
    /// Which position of it.
    pub position_side: PositionSide,
    /// Bought or sold.
    pub side: Side,
    /// Price in quote currency.
    pub price: Decimal,
    /// Quantity in base currency, more than zero.
    pub quantity: Decimal,
    /// What was paid in `fee_currency`; less than zero for a rebate.
    pub fee: Decimal,
    /// What the fee was paid in.
    pub fee_currency: FeeCurrency,
    /// Whether it stood in the book or took from it.
    pub liquidity: Liquidity,
    /// What it was for. Venues do not know: for a fill of an own order, that order's purpose replaces this
    /// one.
    pub purpose: Purpose,
    /// When it traded.
    pub time: Timestamp,
}

/// Why a venue refused an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RejectReason {
    /// Not enough margin or balance.
    InsufficientFunds,
    /// The price is off the grid or outside the venue's band.
    InvalidPrice,
    /// The quantity is off the grid, too small or too large.
    InvalidQuantity,
    /// The notional is below the minimum.
    NotionalTooSmall,
    /// A post-only order would have taken from the book.
    WouldTake,
    /// A reduce-only order would not have made a position smaller.
    WouldNotReduce,
    /// The trigger was already reached.
    WouldTriggerAtOnce,
    /// A limit of risk, position size or number of open orders.
    LimitExceeded,
    /// Too many requests.
    RateLimited,
    /// The instrument does not trade now.
    InstrumentClosed,
    /// The venue knows an order of this name already: this request was the second one. The first one counts,
    /// so the order becomes [`OrderStatus::SubmissionUnknown`](super::OrderStatus::SubmissionUnknown) until
    /// the venue was asked.
    DuplicateClientOrderId,
    /// The venue was asked after a time-out and does not know the order: the request never arrived.
    NeverArrived,
    /// Something else.
    Other,
}

/// Where the venue says that an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VenueOrderStatus {
    /// Asleep until its trigger is reached.
    Untriggered,
    /// It may trade.
    Working,
    /// It has traded in part and may trade on.
    PartiallyFilled,
    /// All of it has traded.
    Filled,
    /// It was cancelled.
    Cancelled,
    /// It was refused.
    Rejected,
    /// Its time in force ended it.
    Expired,
}

impl VenueOrderStatus {
    /// Whether the order may still trade.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Untriggered | Self::Working | Self::PartiallyFilled)
    }
}

/// The venue's answer to a query about an order. Ask after the last request about the order was answered or
/// timed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot<'a> {
    /// Where it stands.
    pub status: VenueOrderStatus,
    /// The venue's name of it, where it is stated.
    pub venue_order_id: Option<VenueOrderId>,
    /// All that it has traded so far, in base currency.
    pub cumulative_filled: Decimal,
    /// Executions of it: all, some or none; those that are known already are skipped.
    pub fills: &'a [Fill],
}

/// News about one own order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderReport<'a> {
    /// Which order.
    pub client_order_id: ClientOrderId,
    /// When it was so, by the venue's clock; for a time-out, by ours.
    pub time: Timestamp,
    /// What is new.
    pub kind: OrderReportKind<'a>,
}

/// What is new about an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderReportKind<'a> {
    /// The venue took it, and it may trade.
    Accepted {
        /// The venue's name of it.
        venue_order_id: VenueOrderId,
    },
    /// The venue took it, and it sleeps until its trigger is reached.
    AcceptedUntriggered {
        /// The venue's name of it.
        venue_order_id: VenueOrderId,
    },
    /// Its trigger was reached.
    Triggered {
        /// The name that it has from now on, for venues that give it a new one.
        venue_order_id: Option<VenueOrderId>,
    },
    /// The venue refused it.
    Rejected {
        /// Why.
        reason: RejectReason,
    },
    /// Said by the caller: nothing was heard of the request for too long.
    SubmissionTimedOut,
    /// It traded.
    Fill(Fill),
    /// The venue refused to cancel it.
    CancelRejected,
    /// Said by the caller: nothing was heard of the cancellation for too long.
    CancelTimedOut,
    /// The venue cancelled it.
    Cancelled {
        /// All that it has traded, in base currency, where the venue states it.
        cumulative_filled: Option<Decimal>,
    },
    /// Its time in force ended it.
    Expired {
        /// All that it has traded, in base currency, where the venue states it.
        cumulative_filled: Option<Decimal>,
    },
    /// The venue was asked and does not know it.
    NotFound,
    /// The venue was asked and says where it stands.
    Snapshot(Snapshot<'a>),
}
