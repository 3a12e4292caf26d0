//! The grid of prices and quantities that an instrument trades on, at one time.

use market_data::InstrumentRules;
use rust_decimal::Decimal;
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};

use crate::money::rounded;

/// Ticks, lots and limits of an instrument, prepared for use per candle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// Prices are multiples of this, in quote currency.
    pub tick: Decimal,
    /// Quantities are multiples of this, in base currency.
    pub lot: Decimal,
    /// Smallest quantity of an order.
    pub minimum_quantity: Decimal,
    /// Largest quantity of an order.
    pub maximum_quantity: Option<Decimal>,
    /// Smallest price × quantity of an order that opens or adds, in quote currency.
    pub minimum_notional: Decimal,
    ticks_per_unit: f64,
    /// The digits of the tick, where 64 bits hold them.
    small_tick: Option<i64>,
}

/// Where a number goes that lies between two places of the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Towards {
    /// The next lower place.
    Down,
    /// The next higher place.
    Up,
    /// The nearer place; halves away from zero.
    Nearest,
}

impl Grid {
    /// The grid of some rules.
    #[must_use]
    pub fn new(rules: &InstrumentRules) -> Self {
        Self {
            tick: rules.tick_size,
            lot: rules.lot_size,
            minimum_quantity: rules.minimum_quantity,
            maximum_quantity: rules.maximum_quantity,
            minimum_notional: rules.minimum_notional,
            ticks_per_unit: 1.0 / rules.tick_size.to_f64().unwrap_or(1.0),
            small_tick: i64::try_from(rules.tick_size.mantissa()).ok(),
        }
    }

    /// The price of a candle on the grid; none for what is not a price or lies beyond 2^53 ticks, where floats have gaps.
    ///
    /// Candles carry floats of printed decimals; the nearest tick is what was printed wherever the source has the
    /// instrument's own precision.
    #[inline]
    #[must_use]
    pub fn price_of(&self, value: f64) -> Option<Decimal> {
        let ticks = value * self.ticks_per_unit;
        if !(0.5..=9_007_199_254_740_992.0).contains(&ticks) {
            return None;
        }
        let ticks = rounded(ticks);
        if let Some(mantissa) = self.small_tick.and_then(|tick| (ticks as i64).checked_mul(tick)) {
            return Some(Decimal::new(mantissa, self.tick.scale()));
        }
        Decimal::try_from_i128_with_scale(ticks as i128 * self.tick.mantissa(), self.tick.scale()).ok()
    }

    /// `price` on the grid; none where that would be zero or less.
    #[must_use]
    pub fn price(&self, price: Decimal, towards: Towards) -> Option<Decimal> {
        let ticks = on_grid(price.checked_div(self.tick)?, towards);
        let price = ticks.checked_mul(self.tick)?;
        (price > Decimal::ZERO).then_some(price)
    }

    /// `quantity` on the grid, toward zero; zero where it is smaller than a lot, or too large to be counted in lots.
    #[must_use]
    pub fn quantity_down(&self, quantity: Decimal) -> Decimal {
        let lots = quantity.checked_div(self.lot).map(|lots| lots.trunc());
        lots.and_then(|lots| lots.checked_mul(self.lot)).unwrap_or_default()
    }

    /// A float quantity on the grid, toward zero; zero for what is not a number or too large.
    #[must_use]
    pub fn quantity_of(&self, quantity: f64) -> Decimal {
        Decimal::from_f64(quantity).map_or(Decimal::ZERO, |quantity| self.quantity_down(quantity))
    }
}

fn on_grid(value: Decimal, towards: Towards) -> Decimal {
    match towards {
        Towards::Down => value.floor(),
        Towards::Up => value.ceil(),
        Towards::Nearest => {
            value.round_dp_with_strategy(0, rust_decimal::RoundingStrategy::MidpointAwayFromZero)
        }
    }
}
