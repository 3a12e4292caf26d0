//! When positions are liquidated.
//!
//! A position is due when what backs it has fallen to its maintenance margin: `backing + unrealised ≤ maintenance`. With
//! `a` the quantity without sign, `C` its cost without sign, `M` the backing, and rate `r` and deduction `d` of the tier
//! that holds the value at that price, the price at which both are equal is
//!
//! - long: `P = (C − M − d) / (a × (1 − r))`
//! - short: `P = (C + M + d) / (a × (1 + r))`
//!
//! (from `M + a P − C = a P r − d` and `M + C − a P = a P r − d`; the maintenance formula is Bybit's, see
//! [`super::MarginTiers`]). Rates rise from tier to tier, so maintenance is the largest of the tiers' lines, and the tier that
//! holds the value at the solution is the one whose solution is reached first: the highest for a long, the lowest for a
//! short position. No fee for closing is set aside.

use rust_decimal::{Decimal, RoundingStrategy};

use super::Account;
use super::position::Position;
use super::terms::MarginMode;
use crate::money::{MONEY_DECIMALS, notional};
use crate::order::{InstrumentIndex, PositionSide};

/// What `backing` and prices must pay: quantities without sign, costs with theirs.
struct Backed {
    long: Decimal,
    short: Decimal,
    /// Backing less the cost of what is held.
    constant: Decimal,
}

impl Account {
    /// The mark price at which a position is due: at it and beyond it is, on the better side it is not. It is the exact
    /// solution, brought toward the worse side to so many places that the value of the position has no more than 12.
    /// Maintenance margins are rounded to 12 places, too: where both sides of hedge mode nearly cancel, that may put it off to
    /// the next price. None on spot, while flat, and where no price makes it due.
    ///
    /// In cross mode all other positions are taken at their marks, except the opposite one of the same instrument in hedge
    /// mode, which has the same price: there the answer for the long side is the price below and for the short side the
    /// price above which the account is due.
    #[must_use]
    pub fn liquidation_price(&self, instrument: InstrumentIndex, side: PositionSide) -> Option<Decimal> {
        let (position, backed, terms) = self.backed(instrument, side, true)?;
        // A side that is not open takes one line, whose rate meets no quantity and whose deduction is zero.
        let lines = |held: Decimal| {
            terms.tiers.lines().take(if held.is_zero() { 1 } else { terms.tiers.tiers().len() })
        };
        let mut found: Option<Decimal> = None;
        for (long_rate, long_deduction) in lines(backed.long) {
            for (short_rate, short_deduction) in lines(backed.short) {
                let slope =
                    backed.long * (Decimal::ONE - long_rate) - backed.short * (Decimal::ONE + short_rate);
                let root = root(&position, slope, backed.constant + long_deduction + short_deduction);
                found = nearer(&position, found, root);
            }
        }
        on_books(&backed, found?, position.quantity.is_sign_negative())
    }

    /// The mark price at which all that backs a position is lost, before the fee for closing it; in cross mode as
    /// [`Account::liquidation_price`] takes the others. Rounded toward the better side, so that the backing covers a
    /// close at it. None on spot, while flat, and where no price loses all.
    #[must_use]
    pub fn bankruptcy_price(&self, instrument: InstrumentIndex, side: PositionSide) -> Option<Decimal> {
        let (position, backed, _) = self.backed(instrument, side, false)?;
        let price = root(&position, backed.long - backed.short, backed.constant)?;
        on_books(&backed, price, !position.quantity.is_sign_negative())
    }

    fn backed(
        &self,
        instrument: InstrumentIndex,
        side: PositionSide,
        after_maintenance: bool,
    ) -> Option<(Position, Backed, &super::InstrumentTerms)> {
        let traded = self.instruments.get(instrument.get()).filter(|traded| !traded.is_spot)?;
        let position = *self.slots.get(self.slot(instrument, side)?)?;
        if !position.is_open() {
            return None;
        }
        let mut backed = Backed { long: Decimal::ZERO, short: Decimal::ZERO, constant: position.margin };
        let mut add = |position: &Position| {
            let held =
                if position.quantity.is_sign_negative() { &mut backed.short } else { &mut backed.long };
            *held += position.quantity.abs();
            backed.constant -= position.cost;
        };
        match self.config.margin_mode {
            MarginMode::Isolated => add(&position),
            MarginMode::Cross => {
                let mut rest = self.margin_equity();
                for other in self.positions() {
                    if other.instrument == instrument {
                        rest -= other.unrealised();
                        add(&other);
                    } else if after_maintenance {
                        rest -= self.maintenance_of(&other);
                    }
                }
                backed.constant += rest;
            }
        }
        Some((position, backed, &traded.terms))
    }

    /// Positions that are due at their marks, the one with the largest maintenance margin first. In cross mode these are
    /// all perpetuals: book the liquidation of the first and ask again. Spot is never liquidated.
    pub fn liquidations(&self) -> Liquidations<'_> {
        let none_due = match self.config.margin_mode {
            _ if self.is_flat() => true,
            MarginMode::Isolated => false,
            MarginMode::Cross => self.margin_equity() > self.maintenance_margin(),
        };
        Liquidations { account: self, last: None, done: none_due }
    }
}

/// Positions that are due; see [`Account::liquidations`]. It allocates nothing.
#[derive(Clone, Debug)]
pub struct Liquidations<'a> {
    account: &'a Account,
    /// Maintenance margin and slot of the last one.
    last: Option<(Decimal, u32)>,
    done: bool,
}

impl Iterator for Liquidations<'_> {
    type Item = Position;

    fn next(&mut self) -> Option<Position> {
        if self.done {
            return None;
        }
        let isolated = self.account.config.margin_mode == MarginMode::Isolated;
        let mut best: Option<(Decimal, u32)> = None;
        for &slot in &self.account.open {
            if self.account.is_spot_slot(slot) {
                continue;
            }
            let position = &self.account.slots[slot as usize];
            let maintenance = self.account.maintenance_of(position);
            if isolated && position.margin + position.unrealised() > maintenance {
                continue;
            }
            let came =
                self.last.is_some_and(|(most, at)| maintenance > most || maintenance == most && slot <= at);
            if !came && best.is_none_or(|(most, _)| maintenance > most) {
                best = Some((maintenance, slot));
            }
        }
        self.last = best;
        self.done = best.is_none();
        best.map(|(_, slot)| self.account.slots[slot as usize])
    }
}

/// Where `constant + slope × price` is zero, if the position loses in that direction and the price is one.
fn root(position: &Position, slope: Decimal, constant: Decimal) -> Option<Decimal> {
    if slope.is_zero() || slope.is_sign_negative() != position.quantity.is_sign_negative() {
        return None;
    }
    (-constant).checked_div(slope).filter(|price| *price > Decimal::ZERO)
}

fn nearer(position: &Position, found: Option<Decimal>, root: Option<Decimal>) -> Option<Decimal> {
    match (found, root) {
        (Some(found), Some(root)) if position.quantity.is_sign_negative() => Some(found.min(root)),
        (Some(found), Some(root)) => Some(found.max(root)),
        (found, root) => found.or(root),
    }
}

/// `price` at so many places that the books value the positions without rounding.
fn on_books(backed: &Backed, price: Decimal, up: bool) -> Option<Decimal> {
    let quantity_places = backed.long.normalize().scale().max(backed.short.normalize().scale());
    let strategy =
        if up { RoundingStrategy::ToPositiveInfinity } else { RoundingStrategy::ToNegativeInfinity };
    let places = MONEY_DECIMALS.saturating_sub(quantity_places);
    let price = price.round_dp_with_strategy(places, strategy);
    let is_exact = notional(price, backed.long.max(backed.short)).is_ok();
    (price > Decimal::ZERO && is_exact).then_some(price)
}
