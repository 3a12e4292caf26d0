//! Liquidation prices against a reference that knows neither the closed form nor deductions: exact fractions in Python,
//! maintenance summed slice by slice, and bisection.
//!
//! ```python
//! T = [(2000000, F('0.005')), (10000000, F('0.01')), (20000000, F('0.015'))]      # F is fractions.Fraction
//! def maintenance(value):
//!     total, low = F(0), F(0)
//!     for k, (up, rate) in enumerate(T):
//!         top = value if k == len(T) - 1 else min(value, F(up))
//!         if top > low: total += (top - low) * rate; low = top
//!     return total
//! def price(quantity, entry, margin):
//!     left = lambda p: margin + quantity * (p - entry) - maintenance(abs(quantity) * p)
//!     bad, good = (F(0), F(entry)) if quantity > 0 else (F(entry) * 9, F(entry))
//!     for _ in range(200):
//!         middle = (bad + good) / 2
//!         if left(middle) <= 0: bad = middle
//!         else: good = middle
//!     return bad                                  # price(q, e, abs(q) * e / leverage) for the rows below
//! ```

use rust_decimal::Decimal;

use super::{BTC, account, decimal, fill, tiers};
use crate::account::{MarginMode, PositionMode};
use crate::order::{PositionSide, Side};

#[test]
fn liquidation_prices_are_those_of_a_bisection() {
    let btc = tiers(&[("2000000", "0.005", "100"), ("10000000", "0.01", "50"), ("20000000", "0.015", "25")]);
    for (quantity, entry, leverage, expected) in [
        ("0.1", "30000", "10", "27135.678391959798994974"),
        ("100", "50000", "20", "47878.787878787878787879"),
        ("-250", "50000", "20", "51960.591133004926108374"),
        ("-39", "50000", "10", "54709.317085554709317086"),
        ("41", "50000", "5", "40201.005025125628140704"),
    ] {
        let mut account = account(
            PositionMode::OneWay,
            MarginMode::Isolated,
            leverage,
            "2000000",
            btc.clone(),
            btc.clone(),
        );
        let quantity = decimal(quantity);
        let trade = fill(BTC, PositionSide::Net, Side::of_change(quantity), quantity.abs(), decimal(entry));
        account.fill(&trade).unwrap();
        let price = account.liquidation_price(BTC, PositionSide::Net).unwrap();
        // Rounded toward the worse side, by less than the last place that the books have.
        let worse =
            (decimal(expected) - price) * Decimal::from(if quantity > Decimal::ZERO { 1 } else { -1 });
        assert!(worse >= Decimal::ZERO && worse < Decimal::new(1, 11), "{price} for {expected}");
    }
}
