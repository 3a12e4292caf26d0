//! From distances to prices on the grid.

use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive;

use super::plan::{ProfitRule, StopRule};
use crate::error::TradingError;
use crate::grid::{Grid, Towards};
use crate::order::Side;

/// Whether `price` is more favourable than `other` for a position entered by `side`; for stops: whether it is
/// tighter.
pub(super) fn better(side: Side, price: Decimal, other: Decimal) -> bool {
    match side {
        Side::Buy => price > other,
        Side::Sell => price < other,
    }
}

/// The more favourable of two prices.
pub(super) fn best(side: Side, price: Decimal, other: Decimal) -> Decimal {
    if better(side, other, price) { other } else { price }
}

/// The rounding that favours a position.
fn in_favour(side: Side) -> Towards {
    match side {
        Side::Buy => Towards::Up,
        Side::Sell => Towards::Down,
    }
}

/// What distances are measured by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// Entry price, or the price that a stop follows.
    pub(super) price: Decimal,
    /// Average true range.
    pub(super) atr: Option<f64>,
    /// Initial risk R per unit of base currency.
    pub(super) risk: Option<Decimal>,
}

impl Scale {
    /// Distance of a stop, in quote currency.
    pub(super) fn stop(&self, field: &'static str, rule: StopRule) -> Result<Decimal, TradingError> {
        match rule {
            StopRule::Fraction(fraction) => self.fraction(fraction),
            StopRule::Atr { multiple } => self.ranges(field, multiple),
        }
    }

    /// Distance of a profit, in quote currency.
    pub(super) fn profit(&self, field: &'static str, rule: ProfitRule) -> Result<Decimal, TradingError> {
        match rule {
            ProfitRule::Fraction(fraction) => self.fraction(fraction),
            ProfitRule::Atr { multiple } => self.ranges(field, multiple),
            ProfitRule::Risk { multiple } => {
                let risk = self.risk.ok_or_else(|| {
                    TradingError::config(field, multiple, "state exits.stop, whose distance is R")
                })?;
                product(risk, multiple)
            }
        }
    }

    fn fraction(&self, fraction: f64) -> Result<Decimal, TradingError> {
        product(self.price, fraction)
    }

    fn ranges(&self, field: &'static str, multiple: f64) -> Result<Decimal, TradingError> {
        let atr = usable(self.atr).and_then(Decimal::from_f64).ok_or_else(|| {
            let remedy =
                "there is no ATR yet: enter after its warm-up, or measure by a fraction of the price";
            TradingError::config(field, format!("{multiple} ATR"), remedy)
        })?;
        product(atr, multiple)
    }
}

/// An ATR that distances can be measured by.
pub(super) fn usable(atr: Option<f64>) -> Option<f64> {
    atr.filter(|atr| atr.is_finite() && *atr >= 0.0)
}

/// Not brought to the places of an amount: it ends on the grid, and rounding twice could cross a tick.
pub(super) fn product(value: Decimal, factor: f64) -> Result<Decimal, TradingError> {
    Decimal::from_f64(factor)
        .and_then(|factor| value.checked_mul(factor))
        .ok_or(TradingError::Magnitude { what: "distance of an exit, factor of", value })
}

/// The stop `distance` behind `price`: never farther, on the losing side. None where the grid has no such
/// place.
pub(super) fn stop_behind(side: Side, price: Decimal, distance: Decimal, grid: &Grid) -> Option<Decimal> {
    let raw = price.checked_sub(side.signed(distance))?;
    // The lowest place is nearer than what lies below it, so a stop there is still as asked.
    let place = if raw <= grid.tick { grid.tick } else { grid.price(raw, in_favour(side))? };
    if better(side, price, place) { Some(place) } else { neighbour(price, side.opposite(), grid) }
}

/// The target `distance` beyond `price`: never nearer, on the winning side. None where the grid has no such
/// place.
pub(super) fn target_beyond(side: Side, price: Decimal, distance: Decimal, grid: &Grid) -> Option<Decimal> {
    let place = at_least(side, price, distance, grid)?;
    if better(side, place, price) { Some(place) } else { neighbour(price, side, grid) }
}

/// The place `distance` beyond `price` or the next one in favour of the position, which may be `price`
/// itself.
pub(super) fn at_least(side: Side, price: Decimal, distance: Decimal, grid: &Grid) -> Option<Decimal> {
    grid.price(price.checked_add(side.signed(distance))?, in_favour(side))
}

/// The nearest place of the grid strictly above (`Buy`) or below (`Sell`) `price`.
fn neighbour(price: Decimal, direction: Side, grid: &Grid) -> Option<Decimal> {
    let place = match direction {
        Side::Buy => grid.price(price, Towards::Down).unwrap_or_default().checked_add(grid.tick)?,
        Side::Sell => grid.price(price, Towards::Up)? - grid.tick,
    };
    (place > Decimal::ZERO && better(direction, place, price)).then_some(place)
}
