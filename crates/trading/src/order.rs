//! Orders as they are wanted: side, kind, quantity and purpose.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::client_order_id::ClientOrderId;

/// An instrument by its place in the engine's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct InstrumentIndex(pub u16);

impl InstrumentIndex {
    /// As an index.
    #[inline]
    #[must_use]
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

/// Buy or sell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Takes base currency.
    Buy,
    /// Gives base currency.
    Sell,
}

impl Side {
    /// The other one.
    #[inline]
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// `quantity` with the sign of what it does to a position: plus for a purchase.
    #[inline]
    #[must_use]
    pub fn signed(self, quantity: Decimal) -> Decimal {
        match self {
            Self::Buy => quantity,
            Self::Sell => -quantity,
        }
    }

    /// The side that makes a change of this sign.
    #[inline]
    #[must_use]
    pub fn of_change(change: Decimal) -> Self {
        if change.is_sign_negative() { Self::Sell } else { Self::Buy }
    }
}

/// Which position of an instrument an order works on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PositionSide {
    /// The one position of one-way mode, which may be long or short; on spot, the holding.
    #[default]
    Net,
    /// The long position of hedge mode.
    Long,
    /// The short position of hedge mode.
    Short,
}

/// When and at which price an order trades. Prices are in quote currency, on the instrument's grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum OrderKind {
    /// At once, at what the book offers.
    Market,
    /// At `price` or better.
    Limit {
        /// The worst price.
        price: Decimal,
    },
    /// A market order once the price has moved to `trigger` against the position: up for a purchase, down for a sale.
    Stop {
        /// Where it wakes.
        trigger: Decimal,
    },
    /// A limit order once the price has moved to `trigger` against the position.
    StopLimit {
        /// Where it wakes.
        trigger: Decimal,
        /// The worst price then.
        price: Decimal,
    },
    /// A market order once the price has moved to `trigger` in favour of the position: down for a purchase, up for a sale.
    TakeProfit {
        /// Where it wakes.
        trigger: Decimal,
    },
}

impl OrderKind {
    /// The worst price that it may trade at, where it states one.
    #[must_use]
    pub const fn limit(&self) -> Option<Decimal> {
        match self {
            Self::Limit { price } | Self::StopLimit { price, .. } => Some(*price),
            Self::Market | Self::Stop { .. } | Self::TakeProfit { .. } => None,
        }
    }

    /// Where it wakes, for what sleeps at first.
    #[must_use]
    pub const fn trigger(&self) -> Option<Decimal> {
        match self {
            Self::Stop { trigger } | Self::StopLimit { trigger, .. } | Self::TakeProfit { trigger } => {
                Some(*trigger)
            }
            Self::Market | Self::Limit { .. } => None,
        }
    }
}

/// How long an order stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeInForce {
    /// Until it is filled or cancelled.
    #[default]
    GoodTillCancelled,
    /// What cannot trade at once is cancelled.
    ImmediateOrCancel,
    /// All of it at once, or nothing.
    FillOrKill,
    /// Never takes from the book: cancelled where it would.
    PostOnly,
}

/// What an order is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Opens a position or adds to it.
    Entry,
    /// Makes a position smaller because the decision wants less.
    Reduction,
    /// Protects a position.
    StopLoss,
    /// Takes a profit; the number of the rung, from 0.
    TakeProfit(u8),
    /// Closes a position because of its age, an opposite signal or a halt.
    Close,
    /// Made by the venue: the position was liquidated.
    Liquidation,
}

/// An order that somebody wants. No venue accepts it as it is: see `RiskApproved`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderIntent {
    /// Its name, the same for the same wish.
    pub client_order_id: ClientOrderId,
    /// What is traded.
    pub instrument: InstrumentIndex,
    /// Which position of it.
    pub position_side: PositionSide,
    /// Buy or sell.
    pub side: Side,
    /// When and at which price.
    pub kind: OrderKind,
    /// How much, in base currency, on the grid of lots.
    pub quantity: Decimal,
    /// How long it stands.
    pub time_in_force: TimeInForce,
    /// Whether it may only make a position smaller: what is more than the position is cut off.
    pub reduce_only: bool,
    /// What it is for.
    pub purpose: Purpose,
}

/// Who brought the liquidity of a fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Liquidity {
    /// It stood in the book: the maker's fee.
    Maker,
    /// It took from the book: the taker's fee.
    Taker,
}
