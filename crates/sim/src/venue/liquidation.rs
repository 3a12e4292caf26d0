//! When the venue takes over a position, and at which price.
//!
//! The price of the candle counts as the mark price. Where all positions back each other (cross margin), those of other
//! instruments count at the account's marks, which are as old as their last candle.

use rust_decimal::Decimal;
use trading::account::{Account, MarginMode, Position};
use trading::{InstrumentIndex, PositionSide};

use super::config::LiquidationPrice;

/// A position that is open, and the price at which it is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    pub position: Position,
    pub price: Decimal,
}

impl Due {
    pub(super) fn is_long(&self) -> bool {
        self.position.quantity > Decimal::ZERO
    }

    /// Whether it is due at `price`.
    pub(super) fn at(&self, price: Decimal) -> bool {
        if self.is_long() { price <= self.price } else { price >= self.price }
    }
}

/// The open positions of an instrument with the prices at which they are due; none on spot and where no price does.
pub(super) fn levels(account: &Account, instrument: InstrumentIndex) -> [Option<Due>; 2] {
    if account.is_flat() {
        return [None, None];
    }
    let due = |side: PositionSide| {
        let position = account.position(instrument, side);
        if !position.is_open() {
            return None;
        }
        account.liquidation_price(instrument, side).map(|price| Due { position, price })
    };
    [due(PositionSide::Net).or_else(|| due(PositionSide::Long)), due(PositionSide::Short)]
}

/// A position of another instrument that is due at its mark, in cross mode.
pub(super) fn elsewhere(account: &Account, instrument: InstrumentIndex) -> Option<Due> {
    if account.is_flat() || account.config().margin_mode == MarginMode::Isolated {
        return None;
    }
    let position = account.liquidations().find(|position| position.instrument != instrument)?;
    let price = account.mark_price(position.instrument)?;
    Some(Due { position, price })
}

/// Price and fee rate at which a position is taken over that became due with the market at `market`.
pub(super) fn terms_of(
    rule: LiquidationPrice,
    account: &Account,
    due: &Due,
    market: Decimal,
) -> (Decimal, Decimal) {
    match rule {
        LiquidationPrice::Bankruptcy => {
            let Position { instrument, side, .. } = due.position;
            // In cross mode the account may have so much that no price loses all: then the market is what there is.
            (account.bankruptcy_price(instrument, side).unwrap_or(market), Decimal::ZERO)
        }
        LiquidationPrice::Maintenance { fee } => (market, fee),
    }
}
