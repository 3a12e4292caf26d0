//! How much worse than the simulated price a taker trades.

use rust_decimal::Decimal;
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};
use trading::{Side, Towards, amount};

use super::config::Slippage;
use super::path::Walk;

/// `2 sqrt(ln 2)`, the divisor of Parkinson's volatility.
const PARKINSON: f64 = 1.665_109_222_315_395_5;

/// The price at which a taker trades `quantity` where the simulated market is at `price`: on the tick, rounded against the order,
/// never worse than `limit`.
pub(super) fn taker_price(
    slippage: Slippage,
    walk: &Walk,
    side: Side,
    price: Decimal,
    quantity: Decimal,
    limit: Option<Decimal>,
) -> Decimal {
    let shift = shift(slippage, walk, price, quantity);
    let (moved, towards) = match side {
        Side::Buy => (price.checked_add(shift), Towards::Up),
        Side::Sell => (price.checked_sub(shift), Towards::Down),
    };
    let moved = moved.unwrap_or(price);
    // A sale cannot be worth less than one tick.
    let moved = walk.grid.price(moved, towards).unwrap_or(walk.grid.tick);
    match (limit, side) {
        (Some(limit), Side::Buy) => moved.min(limit),
        (Some(limit), Side::Sell) => moved.max(limit),
        (None, _) => moved,
    }
}

/// How far the price moves against the order, in quote currency.
fn shift(slippage: Slippage, walk: &Walk, price: Decimal, quantity: Decimal) -> Decimal {
    let of_price = |fraction: Decimal| price.checked_mul(fraction).map_or(Decimal::ZERO, amount);
    match slippage {
        Slippage::None => Decimal::ZERO,
        Slippage::Fixed { fraction } => of_price(fraction),
        Slippage::Spread { fraction, assumed } => {
            let known = walk.relative_spread.filter(|spread| spread.is_finite() && *spread >= 0.0);
            let spread = known.and_then(Decimal::from_f64).unwrap_or(assumed);
            of_price(amount(spread.checked_mul(fraction).unwrap_or_default()))
        }
        Slippage::Volatility { multiple } => {
            let high = walk.grid.price_of(walk.candle.high).unwrap_or(price);
            let low = walk.grid.price_of(walk.candle.low).unwrap_or(price);
            multiple.checked_mul(high - low).map_or(Decimal::ZERO, amount)
        }
        Slippage::SquareRoot { coefficient } => {
            let sigma = (walk.candle.high / walk.candle.low).ln() / PARKINSON;
            let volume = walk.candle.volume;
            let quantity = quantity.to_f64().unwrap_or(0.0);
            let ratio = if volume > 0.0 { quantity / volume } else { 1.0 };
            let impact = coefficient.to_f64().unwrap_or(0.0) * sigma * ratio.sqrt();
            of_price(Decimal::from_f64(impact).map_or(Decimal::ZERO, amount))
        }
    }
}
