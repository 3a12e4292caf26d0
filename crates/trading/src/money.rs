//! Amounts of money: exact decimals of a fixed number of places.
//!
//! A [`Decimal`] has 28 digits and rounds silently where a result needs more. So each amount is brought to
//! [`MONEY_DECIMALS`] places when it is made (a price times a quantity times a rate), by one rule; sums and differences of
//! amounts are then exact as long as they stay below [`LARGEST_AMOUNT`], which is checked where orders and reports enter.

use rust_decimal::{Decimal, RoundingStrategy};

use crate::error::TradingError;

/// Places of an amount after the point.
pub const MONEY_DECIMALS: u32 = 12;

/// Notionals, balances and equities stay below this; 10^14 leaves two digits for sums.
pub const LARGEST_AMOUNT: Decimal = Decimal::from_parts(276_447_232, 23_283, 0, false, 0);

/// An amount at [`MONEY_DECIMALS`] places, halves to the even neighbour.
#[inline]
#[must_use]
pub fn amount(value: Decimal) -> Decimal {
    if value.scale() <= MONEY_DECIMALS {
        return value;
    }
    value.round_dp_with_strategy(MONEY_DECIMALS, RoundingStrategy::MidpointNearestEven)
}

/// `price × quantity` as an amount, refusing what is too large to be accounted exactly.
///
/// # Errors
/// [`TradingError::Magnitude`] names the number.
pub fn notional(price: Decimal, quantity: Decimal) -> Result<Decimal, TradingError> {
    let value = price
        .checked_mul(quantity)
        .ok_or(TradingError::Magnitude { what: "price × quantity", value: quantity })?;
    if value.abs() >= LARGEST_AMOUNT {
        return Err(TradingError::Magnitude { what: "price × quantity", value });
    }
    Ok(amount(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_to_the_even_neighbour() {
        let rounded = |text: &str| amount(text.parse().unwrap()).normalize().to_string();
        assert_eq!(rounded("0.0000000000005"), "0");
        assert_eq!(rounded("0.0000000000015"), "0.000000000002");
        assert_eq!(rounded("-0.0000000000015"), "-0.000000000002");
        assert_eq!(rounded("12.5"), "12.5");
    }

    #[test]
    fn what_cannot_be_accounted_exactly_is_refused() {
        assert_eq!(LARGEST_AMOUNT.to_string(), "100000000000000");
        assert!(notional(Decimal::from(10_i64.pow(9)), Decimal::from(99_999)).is_ok());
        let error = notional(Decimal::from(10_i64.pow(9)), Decimal::from(100_000)).unwrap_err();
        assert!(error.to_string().contains("price × quantity = 100000000000000"), "{error}");
        assert!(notional(Decimal::MAX, Decimal::MAX).is_err());
    }
}
