//! What a trade costs: fees, and the margin or cash that it needs.

use rust_decimal::Decimal;
use trading::account::{Account, InstrumentTerms, PositionMode};
use trading::orders::FeeCurrency;
use trading::{Liquidity, OrderIntent, PositionSide, Side, TradingError, amount, notional};

/// The fee of a fill and what it is taken in.
pub(super) fn fee(
    terms: &InstrumentTerms,
    purchase_fee: FeeCurrency,
    side: Side,
    price: Decimal,
    quantity: Decimal,
    liquidity: Liquidity,
) -> Result<(Decimal, FeeCurrency), TradingError> {
    if terms.is_spot() && side == Side::Buy && purchase_fee == FeeCurrency::Base {
        let rate = if liquidity == Liquidity::Maker { terms.maker_fee } else { terms.taker_fee };
        return Ok((amount(quantity * rate), FeeCurrency::Base));
    }
    Ok((terms.fee(notional(price, quantity)?, liquidity), FeeCurrency::Quote))
}

/// Whether an order can only make a position smaller: by its flag, as the closing side of hedge mode, or as a sale on spot.
pub(super) fn closes_only(account: &Account, terms: &InstrumentTerms, intent: &OrderIntent) -> bool {
    let hedge = account.config().position_mode == PositionMode::Hedge && !terms.is_spot();
    intent.reduce_only
        || terms.is_spot() && intent.side == Side::Sell
        || hedge
            && matches!(
                (intent.position_side, intent.side),
                (PositionSide::Long, Side::Sell) | (PositionSide::Short, Side::Buy)
            )
}

/// What of the order's position it can close, without sign.
pub(super) fn closable(account: &Account, intent: &OrderIntent) -> Decimal {
    let held = account.position(intent.instrument, intent.position_side).quantity;
    if held.is_zero() || Side::of_change(held) == intent.side { Decimal::ZERO } else { held.abs() }
}

/// Cash or margin that trading `quantity` at `price` binds, with the taker's fee: zero for what only closes.
pub(super) fn binds(
    account: &Account,
    terms: &InstrumentTerms,
    purchase_fee: FeeCurrency,
    intent: &OrderIntent,
    quantity: Decimal,
    price: Decimal,
) -> Result<Decimal, TradingError> {
    if closes_only(account, terms, intent) {
        return Ok(Decimal::ZERO);
    }
    let opened = (quantity - closable(account, intent)).max(Decimal::ZERO);
    let opened = notional(price, opened)?;
    if terms.is_spot() {
        let fee = if purchase_fee == FeeCurrency::Base {
            Decimal::ZERO
        } else {
            terms.fee(opened, Liquidity::Taker)
        };
        return Ok(opened + fee.max(Decimal::ZERO));
    }
    let position = account.position(intent.instrument, intent.position_side);
    let adds = position.is_open() && Side::of_change(position.quantity) == intent.side;
    let total = if adds { position.cost.abs() + opened } else { opened };
    Ok(terms.opening_margin(opened, total) + terms.fee(opened, Liquidity::Taker).max(Decimal::ZERO))
}

/// What there is to bind.
pub(super) fn available(account: &Account, terms: &InstrumentTerms) -> Decimal {
    if terms.is_spot() { account.cash() } else { account.free() }
}
