//! Why the gate lets an order not pass.

use rust_decimal::Decimal;
use serde::Serialize;

use super::state::RiskState;
use crate::order::{InstrumentIndex, Purpose};

/// Limits that an order can be held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RiskLimit {
    /// [`super::RiskLimits::maximum_order_notional`], in settlement currency.
    MaximumOrderNotional,
    /// [`super::RiskLimits::symbol_exposure`], in settlement currency.
    SymbolExposure,
    /// [`super::RiskLimits::gross_exposure`], in settlement currency.
    GrossExposure,
    /// [`super::RiskLimits::net_exposure`], in settlement currency.
    NetExposure,
    /// [`super::RiskLimits::correlated_exposure`], in settlement currency.
    CorrelatedExposure,
    /// [`super::RiskLimits::maximum_leverage`]: notional of the perpetuals in settlement currency, or the leverage that is set.
    MaximumLeverage,
    /// [`super::RiskLimits::minimum_free_margin`], in settlement currency.
    MinimumFreeMargin,
    /// [`super::RiskLimits::open_orders_per_instrument`], a count with this order.
    OpenOrdersPerInstrument,
    /// [`super::RiskLimits::orders_per_window`], a count with this order.
    OrdersPerWindow,
    /// [`super::RiskLimits::stale_candles`], in ms.
    StaleCandles,
    /// [`super::RiskLimits::price_collar`], in quote currency.
    PriceCollar,
    /// The venue's smallest quantity.
    VenueMinimumQuantity,
    /// The venue's largest quantity.
    VenueMaximumQuantity,
    /// The venue's smallest notional, in quote currency.
    VenueMinimumNotional,
    /// The venue's grid of quantities: the quantity and the lot.
    VenueLot,
    /// The venue's grid of prices: the price and the tick.
    VenueTick,
}

impl RiskLimit {
    /// The setting, or the rule of the venue.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MaximumOrderNotional => "risk.maximum_order_notional",
            Self::SymbolExposure => "risk.symbol_exposure",
            Self::GrossExposure => "risk.gross_exposure",
            Self::NetExposure => "risk.net_exposure",
            Self::CorrelatedExposure => "risk.correlated_exposure",
            Self::MaximumLeverage => "risk.maximum_leverage",
            Self::MinimumFreeMargin => "risk.minimum_free_margin",
            Self::OpenOrdersPerInstrument => "risk.open_orders_per_instrument",
            Self::OrdersPerWindow => "risk.orders_per_window",
            Self::StaleCandles => "risk.stale_candles",
            Self::PriceCollar => "risk.price_collar",
            Self::VenueMinimumQuantity => "the venue's minimum quantity",
            Self::VenueMaximumQuantity => "the venue's maximum quantity",
            Self::VenueMinimumNotional => "the venue's minimum notional",
            Self::VenueLot => "the venue's lot",
            Self::VenueTick => "the venue's tick",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::MaximumOrderNotional | Self::SymbolExposure | Self::GrossExposure => {
                "order less, or reduce positions first"
            }
            Self::NetExposure | Self::CorrelatedExposure => "order less, or reduce what points the same way",
            Self::MaximumLeverage => "order less, or set a lower leverage at the venue",
            Self::MinimumFreeMargin => "order less, or free margin first",
            Self::OpenOrdersPerInstrument => "cancel orders of this instrument first",
            Self::OrdersPerWindow => "wait until the window has passed",
            Self::StaleCandles => "wait for fresh candles",
            Self::PriceCollar => "move the price nearer to the last one",
            Self::VenueMinimumQuantity | Self::VenueMinimumNotional => {
                "order more, or close what is left by the venue's own close of the position"
            }
            Self::VenueMaximumQuantity => "order less; a position may be no larger than one order can close",
            Self::VenueLot | Self::VenueTick => "round to the grid",
        }
    }

    /// Whether a smaller order may pass.
    pub(super) const fn is_size(self) -> bool {
        matches!(
            self,
            Self::MaximumOrderNotional
                | Self::SymbolExposure
                | Self::GrossExposure
                | Self::NetExposure
                | Self::CorrelatedExposure
                | Self::MaximumLeverage
                | Self::MinimumFreeMargin
                | Self::VenueMaximumQuantity
        )
    }
}

/// Why an order does not pass. Each message ends with the remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(rename_all = "kebab-case", tag = "refusal")]
pub enum RiskRefusal {
    /// The state of the account does not allow it.
    #[error("{purpose:?} does not pass, as {}; {}", restriction(.state), state_remedy(.state))]
    Restricted {
        /// The state.
        state: RiskState,
        /// What the order is for.
        purpose: Purpose,
    },
    /// The order would pass a limit.
    #[error(
        "{}: {} is held against {}; {}",
        .limit.name(), .value.normalize(), .threshold.normalize(), .limit.remedy()
    )]
    Limit {
        /// Which.
        limit: RiskLimit,
        /// What it would come to.
        value: Decimal,
        /// What is allowed.
        threshold: Decimal,
    },
    /// The tail risk is above its limit.
    #[error("the estimated tail risk is above its limit; reduce positions, or wait until it is below")]
    TailRisk,
    /// A reduction of nothing.
    #[error("there is no position that this order could reduce; drop it, or order without reduce-only")]
    NothingToReduce,
    /// A reduction of more than there is.
    #[error(
        "{} would be reduced, but the position is {}; order at most the position, or set risk.oversized_reduction to cut",
        .quantity.normalize(), .position.normalize()
    )]
    ReductionTooLarge {
        /// What the order reduces.
        quantity: Decimal,
        /// What there is.
        position: Decimal,
    },
    /// The order contradicts itself or the mode of its instrument.
    #[error("{problem}; {remedy}")]
    Contradiction {
        /// How.
        problem: &'static str,
        /// What to do about it.
        remedy: &'static str,
    },
    /// The gate does not know the instrument.
    #[error("instrument {} is not among the {known} that the gate watches; add it to the engine first", .instrument.0)]
    UnknownInstrument {
        /// Which.
        instrument: InstrumentIndex,
        /// How many there are.
        known: usize,
    },
    /// The view of the account cannot be right.
    #[error("{what} = {} in the view of the account cannot be; reconcile with the venue first", .value.normalize())]
    View {
        /// The field.
        what: &'static str,
        /// Its value.
        value: Decimal,
    },
    /// A notional is too large to be accounted exactly.
    #[error("{price} × {quantity} is beyond what can be accounted exactly; check the quantity and the price")]
    Magnitude {
        /// The price.
        price: Decimal,
        /// The quantity.
        quantity: Decimal,
    },
}

fn restriction(state: &RiskState) -> String {
    match state {
        RiskState::Active => "trading is active".to_owned(),
        RiskState::Reducing(reason) => format!("positions may only be reduced because of {reason}"),
        RiskState::Halted(reason) => format!("trading is halted because of {reason}"),
    }
}

const fn state_remedy(state: &RiskState) -> &'static str {
    match state {
        RiskState::Active => "ask again",
        RiskState::Reducing(_) => "reduce, or have the operator resume",
        RiskState::Halted(_) => "have the operator look into it and resume",
    }
}
