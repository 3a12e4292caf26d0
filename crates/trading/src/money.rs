//! Amounts of money: exact decimals of a fixed number of places.
//!
//! A [`Decimal`] has 28 digits and rounds silently where a result needs more. So each amount is brought to
//! [`MONEY_DECIMALS`] places when it is made (a price times a quantity times a rate), by one rule; sums and differences of
//! amounts are then exact as long as they stay below [`LARGEST_AMOUNT`], which is checked where orders and reports enter.

use rust_decimal::prelude::ToPrimitive;
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
    let parts = value.unpack();
    // 2^64 digits with six places or more after the point are below it by far.
    let is_small = parts.hi == 0 && parts.scale >= 6;
    if !is_small && value.abs() >= LARGEST_AMOUNT {
        return Err(TradingError::Magnitude { what: "price × quantity", value });
    }
    Ok(amount(value))
}

/// Powers of ten that a float and a `u64` hold exactly.
const POWERS: [u64; 20] = {
    let mut powers = [1; 20];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// The nearest whole number of what is not negative; halves go up.
#[inline]
pub(crate) fn rounded(value: f64) -> f64 {
    // Floats from 2^52 on are whole.
    if value >= 4_503_599_627_370_496.0 {
        return value;
    }
    // Without SSE4.1 `f64::round` is a call into the C library; the rest below is exact.
    let floor = value as u64 as f64;
    if value - floor >= 0.5 { floor + 1.0 } else { floor }
}

/// An amount as a float, to the bit as [`Decimal`]'s own conversion gives it, without its divisions by 128 bits where 64 do.
#[must_use]
pub fn to_float(value: Decimal) -> f64 {
    let parts = value.unpack();
    let mantissa = u64::from(parts.mid) << 32 | u64::from(parts.lo);
    let power = POWERS.get(parts.scale as usize).copied();
    let (0, Some(power)) = (parts.hi, power) else { return value.to_f64().unwrap_or(f64::NAN) };
    let whole = (mantissa / power) as f64;
    let fraction = (mantissa % power) as f64 / power as f64;
    let magnitude = if parts.scale == 0 || fraction == 0.0 {
        whole
    } else {
        let scale = power as f64;
        rounded((whole + fraction) * scale) / scale
    };
    // A whole number of scale 0 has no negative zero.
    if parts.negative && (parts.scale > 0 || mantissa > 0) { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn same_float(value: Decimal) -> bool {
        to_float(value).to_bits() == value.to_f64().unwrap().to_bits()
    }

    proptest! {
        #[test]
        fn a_float_is_that_of_the_library(low in any::<u64>(), high in prop_oneof![Just(0), any::<u32>()], cut in 0..64_u32, scale in 0..=28_u32, negative in any::<bool>()) {
            let low = low >> cut;
            let value = Decimal::from_parts(low as u32, (low >> 32) as u32, high, negative, scale);
            prop_assert!(same_float(value), "{value}");
        }

        #[test]
        fn rounding_is_that_of_the_library(bits in any::<u64>(), near in 0..1_000_000_u64, half in any::<bool>()) {
            let wide = f64::from_bits(bits).abs();
            let close = near as f64 + if half { 0.5 } else { 0.499_999_999_999_999_94 };
            for value in [wide, close] {
                prop_assert!(value.is_nan() || rounded(value) == value.round(), "{value}");
            }
        }
    }

    #[test]
    fn floats_at_the_edges() {
        for text in [
            "0",
            "-0",
            "0.00",
            "-0.00",
            "0.1",
            "18446744073709551615",
            "18446744073709551616",
            "0.5",
            "-2.5",
            "9999.123456789012",
            "1844674407370955.1615",
            "0.0000000000000000001",
            "0.00000000000000000001",
        ] {
            let value: Decimal = text.parse().unwrap();
            assert!(same_float(value) && same_float(-value), "{text}");
        }
    }

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
