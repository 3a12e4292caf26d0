//! What happens when candles close: marks, risk, exits, decision, in this order.

use rust_decimal::Decimal;

use super::slot::place;
use super::{Command, Engine, Notice, OnHalt};
use crate::error::TradingError;
use crate::market::{MarketUpdate, MarketView, PortfolioView, PositionView};
use crate::money::to_float;
use crate::order::Purpose;
use crate::risk::{RiskState, StateChange, TailRisk, TailVerdict};
use crate::strategy::Strategy;

impl<S: Strategy> Engine<S> {
    pub(super) fn on_candles(&mut self, view: &MarketView<'_>) -> Result<(), TradingError> {
        self.now = self.now.max(view.time);
        self.log_returns.fill(f64::NAN);
        for update in view.updates {
            self.observe(view, update)?;
        }
        if !self.log_returns.is_empty() {
            self.gate.observe_log_returns(&self.log_returns)?;
        }
        let flat = self.account.is_flat();
        let equity = self.account.equity();
        if !flat {
            self.account.check("candles")?;
        }
        self.observe_tail(equity)?;
        if let Some(change) = self.gate.observe(view.time, equity) {
            self.on_state_change(Some(change))?;
        }
        for update in view.updates {
            let index = update.instrument.get();
            if !self.slots[index].is_idle() {
                self.age_entries(update.instrument);
                self.forget_flip(update.instrument);
                self.follow_exits(update)?;
            }
        }
        self.view_positions(equity);
        let portfolio = PortfolioView {
            equity: self.floats.equity.of(equity),
            free: self.floats.free.of(self.account.free()),
            positions: &self.positions,
        };
        self.decision.clear();
        self.strategy.decide(view, &portfolio, &mut self.decision);
        if matches!(self.gate.state(), RiskState::Halted(_)) {
            return Ok(());
        }
        // Not an iterator: pursuing one target changes orders and commands, and the decision keeps its memory.
        for at in 0..self.decision.targets.len() {
            let target = self.decision.targets[at];
            self.pursue(&target, equity)?;
        }
        Ok(())
    }

    fn observe(&mut self, view: &MarketView<'_>, update: &MarketUpdate) -> Result<(), TradingError> {
        let index = update.instrument.get();
        let Some(slot) = self.slots.get_mut(index) else {
            let subject = format!("instrument {index}");
            return Err(TradingError::report(
                subject,
                "a candle of it came, but the engine does not have it",
            ));
        };
        if update.candle.fault().is_some() {
            let subject = slot.name.clone();
            return Err(TradingError::report(
                subject,
                "its candle cannot have happened; judge the data first",
            ));
        }
        if let Some(log_return) = self.log_returns.get_mut(index)
            && slot.last_price > 0.0
            && !update.after_gap
        {
            *log_return = (update.candle.close / slot.last_price).ln();
        }
        slot.observe(view.time, update)?;
        if self.account.is_flat() {
            return Ok(());
        }
        let Some(terms) = self.account.terms(update.instrument) else { return Ok(()) };
        let grid = slot.grid_at(&terms.instrument, view.time);
        let price = update.mark_price.or_else(|| grid?.price_of(update.candle.close));
        // Without rules on this day the last mark stays: nothing can be traded on it anyway.
        price.map_or(Ok(()), |price| self.account.mark(update.instrument, price))
    }

    /// The returns of the account, for the gate on tail risk: only while something is at risk.
    fn observe_tail(&mut self, equity: Decimal) -> Result<(), TradingError> {
        let before = std::mem::replace(&mut self.last_equity, equity);
        let (Some(tail), Some(config)) = (&mut self.tail, &self.config.tail) else { return Ok(()) };
        if self.account.is_flat() && equity == before || before <= Decimal::ZERO {
            self.candles_at_rest = self.candles_at_rest.saturating_add(1);
            if self.candles_at_rest == 1 {
                tail.gap();
            }
            if self.candles_at_rest == config.rest {
                *tail = TailRisk::new(config.estimate)?;
            }
            return Ok(());
        }
        self.candles_at_rest = 0;
        let change = to_float(equity - before) / to_float(before);
        tail.push(change).map(|_| ())
    }

    /// Whether the estimated tail is fatter than allowed, or the estimate has proven wrong.
    pub(super) fn tail_exceeded(&self) -> bool {
        let (Some(tail), Some(config)) = (&self.tail, &self.config.tail) else { return false };
        match config.limits.judge(tail) {
            TailVerdict::Exceeds { .. } | TailVerdict::Miscalibrated { .. } => true,
            TailVerdict::Within | TailVerdict::Unproven { .. } => false,
        }
    }

    fn view_positions(&mut self, equity: Decimal) {
        self.positions.clear();
        if self.account.is_flat() {
            return;
        }
        let equity = self.floats.equity.of(equity);
        for position in self.account.positions() {
            let slot = &mut self.slots[position.instrument.get()];
            let lot =
                self.account.terms(position.instrument).map(|terms| slot.any_grid(&terms.instrument).lot);
            if lot.is_some_and(|lot| position.quantity.abs() < lot) {
                continue;
            }
            let value = to_float(position.value);
            let (quantity, entry_price) = slot.floats[place(position.side)].of(&position);
            let held = slot.held[place(position.side)].as_ref();
            self.positions.push(PositionView {
                instrument: position.instrument,
                quantity,
                entry_price,
                mark_price: slot.last_price,
                exposure: if equity > 0.0 { value / equity } else { 0.0 },
                unrealised: to_float(position.unrealised()),
                candles_held: held.map_or(0, |held| held.candles),
            });
        }
    }

    pub(super) fn on_state_change(&mut self, change: Option<StateChange>) -> Result<(), TradingError> {
        let Some(change) = change else { return Ok(()) };
        self.output.notices.push(Notice::RiskState { change });
        if change.to == RiskState::Active {
            return Ok(());
        }
        let halted = matches!(change.to, RiskState::Halted(_));
        for index in 0..self.slots.len() {
            let instrument = crate::order::InstrumentIndex(index as u16);
            // An entry may fill before it is cancelled: its exits are kept for that.
            self.cancel_working(instrument, |purpose| purpose == Purpose::Entry);
            self.slots[index].flip = None;
            if halted && self.config.execution.on_halt == OnHalt::Close {
                self.close_all(instrument)?;
            }
        }
        Ok(())
    }

    /// Asks the venue about every order whose fate is not known.
    pub(super) fn ask_about_unresolved(&mut self) {
        for (record, _) in self.orders.unresolved() {
            self.output.commands.push(Command::Query {
                instrument: record.intent.instrument,
                client_order_id: record.intent.client_order_id,
            });
        }
    }
}
