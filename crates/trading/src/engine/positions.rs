//! What an execution does to the position that it belongs to, and to the record of its trade.

use rust_decimal::Decimal;

use super::slot::{Held, place};
use super::{Engine, Notice, OnHalt, TradeRecord};
use crate::account::FillEffect;
use crate::error::TradingError;
use crate::exit::{CloseReason, ExitState};
use crate::money::amount;
use crate::order::Purpose;
use crate::orders::Fill;
use crate::risk::RiskState;
use crate::strategy::Strategy;

impl<S: Strategy> Engine<S> {
    pub(super) fn on_position_change(
        &mut self,
        fill: &Fill,
        effect: &FillEffect,
    ) -> Result<(), TradingError> {
        // A fill through zero closes one position and opens another: its fee is shared by quantity.
        let closing_fee = if effect.opened.is_zero() {
            effect.fee
        } else if effect.closed.is_zero() {
            Decimal::ZERO
        } else {
            amount(effect.fee * effect.closed / (effect.closed + effect.opened))
        };
        if !effect.closed.is_zero() {
            self.on_closed(fill, effect, closing_fee)?;
        }
        if !effect.opened.is_zero() {
            self.on_opened(fill, effect, effect.fee - closing_fee)?;
        }
        if matches!(self.gate.state(), RiskState::Halted(_)) && self.config.execution.on_halt == OnHalt::Close
        {
            // A fill that was on its way when trading was halted.
            return self.close_side(fill.instrument, place(fill.position_side), CloseReason::Halt);
        }
        self.protect(fill.instrument, place(fill.position_side))
    }

    fn on_opened(&mut self, fill: &Fill, effect: &FillEffect, fee: Decimal) -> Result<(), TradingError> {
        let at = place(fill.position_side);
        let slot = &mut self.slots[fill.instrument.get()];
        let wanted = slot.wanted[at].clone().unwrap_or_default();
        let (atr, time) = (slot.atr_value, fill.time);
        let Some(terms) = self.account.terms(fill.instrument) else { return Ok(()) };
        let grid = slot.grid_at(&terms.instrument, time);
        let held = slot.held[at].get_or_insert_with(|| Held::new(fill.side, time, wanted.votes));
        held.entered += effect.opened;
        held.entered_notional += amount(fill.price * effect.opened);
        held.fees += fee;
        let Some(grid) = grid else { return Ok(()) };
        let begun = match (&mut held.exits, wanted.exits) {
            (Some(exits), _) => exits.on_addition(fill.price, effect.opened, atr, &grid).err(),
            (None, Some(plan)) => {
                // The exits are of all that is held, also of what was opened before there was a plan.
                let (quantity, entry) =
                    (effect.after.quantity.abs(), effect.after.entry_price().unwrap_or(fill.price));
                match ExitState::open(&plan, fill.side, entry, quantity, atr, &grid) {
                    Ok(exits) => {
                        held.exits = Some(exits);
                        None
                    }
                    Err(error) => Some(error),
                }
            }
            (None, None) => None,
        };
        if let Some(error) = begun {
            // Its exits cannot be what was wanted: better no position than one without its stop.
            let reason = format!("the exits of {} cannot be placed ({error}); it is closed", slot.name);
            self.output.notices.push(Notice::Unable { instrument: fill.instrument, reason });
            self.close_side(fill.instrument, at, CloseReason::Unprotected)?;
        }
        Ok(())
    }

    fn on_closed(&mut self, fill: &Fill, effect: &FillEffect, fee: Decimal) -> Result<(), TradingError> {
        let at = place(fill.position_side);
        let slot = &mut self.slots[fill.instrument.get()];
        let Some(terms) = self.account.terms(fill.instrument) else { return Ok(()) };
        let grid = slot.grid_at(&terms.instrument, fill.time);
        let Some(held) = &mut slot.held[at] else { return Ok(()) };
        held.left += effect.closed;
        held.left_notional += amount(fill.price * effect.closed);
        held.gross += effect.realised;
        held.fees += fee;
        if let (Some(exits), Some(grid)) = (&mut held.exits, grid) {
            // A rest of coins from before, smaller than a lot, may have been sold with it.
            let closed = effect.closed.min(exits.quantity());
            match fill.purpose {
                Purpose::TakeProfit(number) => exits.on_rung_filled(number, closed, &grid)?,
                _ => exits.on_reduction(closed, &grid)?,
            }
        }
        // A fee in coin leaves less than a lot behind, which nobody can sell: the trade is over all the same.
        let rest = grid.map_or(effect.after.quantity, |grid| grid.quantity_down(effect.after.quantity));
        let over = rest.is_zero() || !effect.opened.is_zero();
        if !over {
            return Ok(());
        }
        let Some(held) = slot.held[at].take() else { return Ok(()) };
        self.cancel_protection(fill.instrument, &held);
        if !self.has_entry(fill.instrument, at) {
            self.slots[fill.instrument.get()].wanted[at] = None;
        }
        let trade = record(fill, held);
        self.sizer.record_trade(share(&trade))?;
        self.output.notices.push(Notice::Traded { trade });
        self.flip(fill.instrument)
    }
}

fn share(trade: &TradeRecord) -> f64 {
    use rust_decimal::prelude::ToPrimitive;
    trade.return_on_notional().to_f64().unwrap_or(0.0)
}

fn record(fill: &Fill, held: Held) -> TradeRecord {
    let over = |notional: Decimal, quantity: Decimal| {
        if quantity.is_zero() { Decimal::ZERO } else { notional / quantity }
    };
    TradeRecord {
        instrument: fill.instrument,
        position_side: fill.position_side,
        side: held.side,
        opened: held.opened,
        closed: fill.time,
        quantity: held.entered,
        entry_price: over(held.entered_notional, held.entered),
        exit_price: over(held.left_notional, held.left),
        gross: held.gross,
        fees: held.fees,
        funding: held.funding,
        net: held.gross - held.fees + held.funding,
        candles: held.candles,
        exit: fill.purpose,
        reason: held.closing,
        votes: held.votes,
    }
}
