//! The ladder of targets and how it shares out a position.

use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive;
use serde::{Deserialize, Serialize};

use super::level::{Scale, better, target_beyond};
use super::plan::{ExitPlan, LARGEST_LADDER};
use crate::error::TradingError;
use crate::grid::Grid;
use crate::money::amount;
use crate::order::Side;

/// A share that misses a whole lot by less than this part of it has that lot: a third is no exact decimal.
const LOT_TOLERANCE: Decimal = Decimal::from_parts(1, 0, 0, false, 3);

/// An order that should lie in the book or sleep at the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// Its place in the plan, from 0.
    pub number: u8,
    /// Where it takes profit, in quote currency, on the grid.
    pub price: Decimal,
    /// How much leaves there, in base currency, on the grid of lots.
    pub quantity: Decimal,
}

/// One rung with its history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Step {
    number: u8,
    /// None where the grid has no such price: a short target at or below zero.
    price: Option<Decimal>,
    /// What it should have, before lots. Negative while it has filled more than its share for a nearer one.
    share: Decimal,
    /// What it has.
    quantity: Decimal,
    /// Whether a part of it has filled: what is left of its order may be smaller than the smallest order.
    touched: bool,
    done: bool,
}

/// The rungs of one position, nearest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Ladder {
    steps: [Step; LARGEST_LADDER],
    length: usize,
}

impl Ladder {
    /// Shares out `position`; prices and quantities come later.
    pub(super) fn new(plan: &ExitPlan, position: Decimal) -> Self {
        let mut ladder = Self::default();
        let mut rest = position;
        let mut number = 0;
        for (step, target) in ladder.steps.iter_mut().zip(plan.targets.iter().flatten()) {
            let share = Decimal::from_f64(target.share).unwrap_or_default();
            let share = amount(position * share).min(rest);
            rest -= share;
            *step = Step { number, share, ..Step::default() };
            number += 1;
        }
        ladder.length = usize::from(number);
        if let Some(last) = ladder.steps_mut().last_mut().filter(|_| plan.covers_all()) {
            last.share += rest;
        }
        ladder
    }

    fn steps_mut(&mut self) -> &mut [Step] {
        self.steps.get_mut(..self.length).unwrap_or_default()
    }

    fn steps(&self) -> &[Step] {
        self.steps.get(..self.length).unwrap_or_default()
    }

    /// What should lie at the venue.
    pub(super) fn rungs(&self) -> impl Iterator<Item = Rung> + '_ {
        self.steps().iter().filter(|step| !step.quantity.is_zero()).filter_map(|step| {
            Some(Rung { number: step.number, price: step.price?, quantity: step.quantity })
        })
    }

    /// Gives the rungs that are not done their prices.
    pub(super) fn place(
        &mut self,
        plan: &ExitPlan,
        side: Side,
        scale: &Scale,
        grid: &Grid,
    ) -> Result<(), TradingError> {
        for step in self.steps_mut().iter_mut().filter(|step| !step.done) {
            let Some(target) = plan.targets.get(usize::from(step.number)).copied().flatten() else {
                continue;
            };
            let distance = scale.profit("exits.targets.distance", target.distance)?;
            step.price = target_beyond(side, scale.price, distance, grid);
        }
        // Stable, so rungs at one price keep the order of the plan; what has no price comes last.
        self.steps_mut().sort_by(|a, b| match (a.price, b.price) {
            (Some(a), Some(b)) if better(side, b, a) => std::cmp::Ordering::Less,
            (Some(a), Some(b)) if better(side, a, b) => std::cmp::Ordering::Greater,
            (a, b) => b.is_some().cmp(&a.is_some()),
        });
        Ok(())
    }

    /// Brings the shares to lots. What is less than a lot, or too small for an order, goes on to the next
    /// rung; what the last one cannot take stays with the stop.
    pub(super) fn share_out(&mut self, position: Decimal, grid: &Grid) {
        let (mut wanted, mut given) = (Decimal::ZERO, Decimal::ZERO);
        for step in self.steps_mut() {
            step.quantity = Decimal::ZERO;
            if step.done || step.price.is_none() {
                continue;
            }
            wanted += step.share;
            let reachable = (wanted + grid.lot * LOT_TOLERANCE).min(position) - given;
            let quantity = grid.quantity_down(reachable.max(Decimal::ZERO));
            if quantity >= grid.minimum_quantity || step.touched {
                step.quantity = quantity;
                given += quantity;
            }
        }
    }

    /// The position changed from `before` to `after` without a rung: all shares go with it.
    pub(super) fn rescale(&mut self, before: Decimal, after: Decimal) {
        for step in self.steps_mut().iter_mut().filter(|step| !step.done) {
            step.share = amount(step.share * after / before);
        }
    }

    /// A rung filled. Returns whether it is known.
    pub(super) fn fill(&mut self, number: u8, quantity: Decimal) -> bool {
        let steps = self.steps_mut();
        let Some(at) = steps.iter().position(|step| step.number == number) else { return false };
        let (nearer, rest) = steps.split_at_mut(at);
        let Some((step, farther)) = rest.split_first_mut() else { return false };
        step.touched = true;
        step.share -= quantity;
        if quantity < step.quantity {
            return true;
        }
        // What rounding left over or took in advance is settled by the next rung. Nearer rungs that were too
        // small for an order left with this one.
        let mut left = std::mem::take(&mut step.share);
        step.done = true;
        for small in nearer.iter_mut().filter(|small| !small.done && small.quantity.is_zero()) {
            left += std::mem::take(&mut small.share);
            small.done = true;
        }
        if let Some(next) = farther.iter_mut().find(|next| !next.done) {
            next.share += left;
        }
        true
    }
}
