//! One position with its exact cost, and how a trade changes it.

use rust_decimal::Decimal;

use crate::error::TradingError;
use crate::money::{amount, notional};
use crate::order::{InstrumentIndex, PositionSide};

/// A position of a perpetual, or a holding of coins on spot. Flat ones are all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Of what.
    pub instrument: InstrumentIndex,
    /// Which one.
    pub side: PositionSide,
    /// Signed quantity in base currency: negative for short.
    pub quantity: Decimal,
    /// What was paid for what is held now: the sum of price × signed quantity, in quote currency; negative for short.
    /// It is kept instead of an average price, which would have to be rounded.
    pub cost: Decimal,
    /// Margin set aside for it: in isolated mode only, zero otherwise.
    pub margin: Decimal,
    /// Signed notional at the mark price.
    pub value: Decimal,
}

impl Position {
    pub(super) const fn flat(instrument: InstrumentIndex, side: PositionSide) -> Self {
        let zero = Decimal::ZERO;
        Self { instrument, side, quantity: zero, cost: zero, margin: zero, value: zero }
    }

    /// Whether something is held.
    #[inline]
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.quantity.is_zero()
    }

    /// Profit at the mark price that no trade has realised, in quote currency, without fees and funding.
    #[must_use]
    pub fn unrealised(&self) -> Decimal {
        self.value - self.cost
    }

    /// Average price of entry, for show: it is rounded. None while flat.
    #[must_use]
    pub fn entry_price(&self) -> Option<Decimal> {
        self.cost.checked_div(self.quantity)
    }

    /// What a trade of `quantity` (signed, not zero) for `cost` (of the same sign) at `price` does to it. Margin that it
    /// sets free is taken off; margin for what it opens, and the value, are the account's to set.
    pub(super) fn trade(
        &self,
        quantity: Decimal,
        cost: Decimal,
        price: Decimal,
    ) -> Result<Trade, TradingError> {
        let mut after = *self;
        after.quantity += quantity;
        if !self.is_open() || self.quantity.is_sign_negative() == quantity.is_sign_negative() {
            after.cost += cost;
            let zero = Decimal::ZERO;
            return Ok(Trade {
                after,
                realised: zero,
                closed: zero,
                opened: quantity.abs(),
                opened_cost: cost,
            });
        }
        let (before, traded) = (self.quantity.abs(), quantity.abs());
        if traded < before {
            let part = pro_rata(self.cost, traded, before)?;
            after.cost -= part;
            after.margin -= pro_rata(self.margin, traded, before)?;
            let zero = Decimal::ZERO;
            return Ok(Trade {
                after,
                realised: -cost - part,
                closed: traded,
                opened: zero,
                opened_cost: zero,
            });
        }
        // What closes is priced by itself and what opens gets the rest, so that both make up the fill exactly.
        let closing = if traded == before { cost } else { notional(price, -self.quantity)? };
        after.cost = cost - closing;
        after.margin = Decimal::ZERO;
        Ok(Trade {
            after,
            realised: -closing - self.cost,
            closed: before,
            opened: traded - before,
            opened_cost: after.cost,
        })
    }
}

/// What a trade does to a position.
pub(super) struct Trade {
    pub(super) after: Position,
    /// Realised profit, without fees.
    pub(super) realised: Decimal,
    /// Quantity closed, without sign.
    pub(super) closed: Decimal,
    /// Quantity opened, without sign.
    pub(super) opened: Decimal,
    /// What the opened quantity cost, with its sign.
    pub(super) opened_cost: Decimal,
}

fn pro_rata(whole: Decimal, part: Decimal, of: Decimal) -> Result<Decimal, TradingError> {
    let product = whole.checked_mul(part);
    product
        .and_then(|product| product.checked_div(of))
        .map(amount)
        .ok_or(TradingError::Magnitude { what: "cost × closed quantity", value: whole })
}
