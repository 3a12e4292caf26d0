//! What an order does to a position, and what is at stake when everything that works is filled.

use rust_decimal::Decimal;

use super::refusal::RiskRefusal;
use super::view::InstrumentRisk;
use crate::money::{amount, notional};
use crate::order::{OrderIntent, PositionSide, Side};

/// What an order does to its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It can only make it smaller, whatever else fills: reduce-only, the closing side of hedge mode, a sale on spot.
    MustReduce {
        /// What there is to close.
        closable: Decimal,
    },
    /// It makes it smaller even if all other opening orders of its direction are filled first.
    Reduces,
    /// It opens, adds or flips.
    Opens {
        /// The part that is not a reduction.
        opening: Decimal,
    },
}

impl Effect {
    /// The part of the order that is not a reduction.
    pub(super) const fn opening(self) -> Decimal {
        match self {
            Self::MustReduce { .. } | Self::Reduces => Decimal::ZERO,
            Self::Opens { opening } => opening,
        }
    }
}

pub(super) fn effect_of(order: &OrderIntent, risk: &InstrumentRisk) -> Effect {
    let position = risk.position();
    let (closable, working) = match (order.position_side, order.side) {
        (PositionSide::Net, Side::Buy) => (-position, risk.working_buy),
        (PositionSide::Net, Side::Sell) => (position, risk.working_sell),
        (PositionSide::Long, Side::Sell) => (risk.long, Decimal::ZERO),
        (PositionSide::Short, Side::Buy) => (risk.short, Decimal::ZERO),
        (PositionSide::Long, Side::Buy) | (PositionSide::Short, Side::Sell) => (Decimal::ZERO, Decimal::ZERO),
    };
    let closable = closable.max(Decimal::ZERO);
    let closes_a_side = matches!(
        (order.position_side, order.side),
        (PositionSide::Long, Side::Sell) | (PositionSide::Short, Side::Buy)
    );
    if order.reduce_only || closes_a_side || (risk.is_spot && order.side == Side::Sell) {
        return Effect::MustReduce { closable };
    }
    let certain = closable.saturating_sub(working).max(Decimal::ZERO);
    if order.quantity <= certain {
        return Effect::Reduces;
    }
    Effect::Opens { opening: order.quantity.saturating_sub(certain) }
}

/// The highest price that the order may trade at as far as it is known: a notional on it is never too small.
pub(super) fn worst_price(order: &OrderIntent, risk: &InstrumentRisk) -> Decimal {
    let limit = order.kind.limit().unwrap_or(risk.last_price);
    let trigger = order.kind.trigger().unwrap_or(risk.last_price);
    risk.last_price.max(limit).max(trigger)
}

/// `price × quantity`, or the refusal of what cannot be accounted.
pub(super) fn value(price: Decimal, quantity: Decimal) -> Result<Decimal, RiskRefusal> {
    notional(price, quantity).map_err(|_| RiskRefusal::Magnitude { price, quantity })
}

/// What the opening part of an order binds: its notional over the leverage. On spot it is paid in full.
pub(super) fn initial_margin(
    order: &OrderIntent,
    opening: Decimal,
    risk: &InstrumentRisk,
) -> Result<Decimal, RiskRefusal> {
    let notional = value(worst_price(order, risk), opening)?;
    if risk.is_spot {
        return Ok(notional);
    }
    Ok(notional.checked_div(risk.leverage).map_or(notional, amount))
}

/// Notionals at stake when everything that works is filled, in settlement currency.
///
/// Sizes do not count on a position to offset what works against it: a stop or another reduction may close it first, and
/// reductions are never refused for exposure. So a purchase that flips a short position counts in full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Exposure {
    /// Signed notional when all purchases are filled and no sale.
    up: Decimal,
    /// Negated signed notional when all sales are filled and no purchase.
    down: Decimal,
    /// Largest long position.
    long: Decimal,
    /// Largest short position.
    short: Decimal,
    /// Largest notional regardless of sign: the larger one in one-way mode, both together in hedge mode.
    pub(super) gross: Decimal,
}

impl Exposure {
    /// The exposure of an instrument with one more order of this notional.
    pub(super) fn of(risk: &InstrumentRisk, more: Option<(Side, Decimal)>) -> Result<Self, RiskRefusal> {
        let price = risk.last_price;
        let (long, short) = (value(price, risk.long)?, value(price, risk.short)?);
        let (mut buys, mut sells) = (value(price, risk.working_buy)?, value(price, risk.working_sell)?);
        match more {
            Some((Side::Buy, notional)) => buys += notional,
            Some((Side::Sell, notional)) => sells += notional,
            None => {}
        }
        let net = long - short;
        let (long, short) = (long + buys, short + sells);
        let gross = if risk.hedged { long + short } else { long.max(short) };
        Ok(Self { up: net + buys, down: sells - net, long, short, gross })
    }

    /// Signed notional in the direction of `side`.
    pub(super) const fn towards(self, side: Side) -> Decimal {
        match side {
            Side::Buy => self.up,
            Side::Sell => self.down,
        }
    }

    /// What is at stake in one direction, without what the other one offsets.
    pub(super) const fn one_sided(self, side: Side) -> Decimal {
        match side {
            Side::Buy => self.long,
            Side::Sell => self.short,
        }
    }

    /// Both together.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            up: self.up + other.up,
            down: self.down + other.down,
            long: self.long + other.long,
            short: self.short + other.short,
            gross: self.gross + other.gross,
        }
    }
}
