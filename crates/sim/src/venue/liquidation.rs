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

/// Prices at which the two positions of an instrument were due when they were looked at last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LevelMemory {
    known: [Option<KnownLevel>; 2],
}

#[derive(Clone, Copy, Debug)]
struct KnownLevel {
    side: PositionSide,
    /// Quantity, cost and margin: all that the price depends on in isolated mode.
    of: [[u8; 16]; 3],
    price: Option<Decimal>,
}

impl LevelMemory {
    /// The open positions of an instrument with the prices at which they are due; none on spot and where no price does.
    pub(super) fn of(&mut self, account: &Account, instrument: InstrumentIndex) -> [Option<Due>; 2] {
        if account.is_flat() {
            return [None, None];
        }
        let [first, second] = &mut self.known;
        let due = |side: PositionSide, known: &mut Option<KnownLevel>| {
            let position = account.position(instrument, side);
            if !position.is_open() {
                return None;
            }
            price(account, &position, known).map(|price| Due { position, price })
        };
        let long = due(PositionSide::Net, first).or_else(|| due(PositionSide::Long, first));
        [long, due(PositionSide::Short, second)]
    }
}

/// [`Account::liquidation_price`], computed anew only where what it depends on has changed. In cross mode that is the whole account.
fn price(account: &Account, position: &Position, known: &mut Option<KnownLevel>) -> Option<Decimal> {
    let Position { instrument, side, quantity, cost, margin, .. } = *position;
    if account.config().margin_mode == MarginMode::Cross {
        return account.liquidation_price(instrument, side);
    }
    let of = [quantity, cost, margin].map(|amount| amount.serialize());
    if let Some(level) = known.filter(|level| level.side == side && level.of == of) {
        return level.price;
    }
    let price = account.liquidation_price(instrument, side);
    *known = Some(KnownLevel { side, of, price });
    price
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
