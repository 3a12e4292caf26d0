//! Booking: fills, funding, deposits and withdrawals. Each is computed whole before anything is changed, so that a refused
//! one leaves the account as it was.

use rust_decimal::Decimal;

use super::Account;
use super::ledger::{FillEffect, Flow, Ledger, bounded};
use super::position::{Position, Trade};
use super::terms::{InstrumentTerms, MarginMode, PositionMode};
use crate::error::TradingError;
use crate::money::{MONEY_DECIMALS, amount, notional};
use crate::order::{InstrumentIndex, PositionSide, Purpose, Side};
use crate::orders::{FeeCurrency, Fill};

/// A fee, split by what it is taken from.
struct Fee {
    /// All of it, in quote currency.
    quote: Decimal,
    /// The coins of it.
    coins: Decimal,
    /// These coins at the price of the fill.
    coin_value: Decimal,
}

impl Fee {
    fn of(fill: &Fill, is_spot: bool) -> Result<Self, TradingError> {
        match fill.fee_currency {
            FeeCurrency::Quote => {
                let quote = bounded("fee", amount(fill.fee))?;
                Ok(Self { quote, coins: Decimal::ZERO, coin_value: Decimal::ZERO })
            }
            FeeCurrency::Base if !is_spot => {
                Err(TradingError::report(fill.execution_id, "a perpetual has no fee in base coin"))
            }
            FeeCurrency::Base => {
                let coins = amount(fill.fee);
                let coin_value = notional(fill.price, coins)?;
                Ok(Self { quote: coin_value, coins, coin_value })
            }
        }
    }
}

impl Account {
    /// Books a fill. It is a fact that the venue reports: it is booked even where it takes more cash than there is, which
    /// shows as negative cash; whether an order can be paid is asked before, with [`Account::free`]. Until an instrument
    /// has been marked, its first fill marks it.
    ///
    /// A liquidation never costs an isolated position more than its margin (fee included), nor a cross account more than
    /// it has once no perpetual is left; what is beyond is the venue's and booked as `insurance`.
    ///
    /// # Errors
    /// [`TradingError::Report`] for what cannot be (an unknown instrument, a side that the position mode does not have,
    /// more sold than held on spot, more closed than open in hedge mode or by a liquidation), [`TradingError::Magnitude`]
    /// for numbers that cannot be accounted exactly. The account is then unchanged.
    pub fn fill(&mut self, fill: &Fill) -> Result<FillEffect, TradingError> {
        let traded = self.traded(fill.instrument)?;
        let is_spot = traded.is_spot;
        let slot = self.slot(fill.instrument, fill.position_side).ok_or_else(|| self.no_such_side(fill))?;
        check_numbers(fill)?;
        let fee = Fee::of(fill, is_spot)?;
        let quantity = fill.side.signed(fill.quantity) - fee.coins;
        let cost = fill.side.signed(notional(fill.price, fill.quantity)?) - fee.coin_value;
        if quantity.is_zero() || Side::of_change(quantity) != fill.side {
            return Err(TradingError::report(fill.execution_id, "its fee is all that it trades"));
        }
        let before = self.slots[slot];
        let mut trade = before.trade(quantity, cost, fill.price)?;
        check_change(fill, &before, &trade, is_spot)?;
        let first_mark = traded.mark.is_zero().then_some(fill.price);
        trade.after.value = notional(first_mark.unwrap_or(traded.mark), trade.after.quantity)?;
        bounded("cost of a position", trade.after.cost)?;
        if self.config.margin_mode == MarginMode::Isolated {
            trade.after.margin += opening_margin(&traded.terms, &trade);
        }
        let mut effect = FillEffect {
            realised: trade.realised,
            fee: fee.quote,
            closed: trade.closed,
            opened: trade.opened,
            insurance: Decimal::ZERO,
            before,
            after: trade.after,
            trade: if is_spot { -cost } else { Decimal::ZERO },
            balance_after: Decimal::ZERO,
            realised_in_cash: if is_spot { Decimal::ZERO } else { trade.realised },
        };
        let loss = self.bear(fill, slot, &mut effect);
        let cash = self.cash + effect.trade + effect.realised_in_cash - effect.fee
            + effect.insurance
            + (before.margin - effect.after.margin);
        effect.balance_after = bounded("cash", cash)?;
        let flow = self.flows[slot];
        let flow = Flow { quantity: flow.quantity + quantity, cash: bounded("cash flow", flow.cash - cost)? };
        let ledger = Ledger {
            realised: self.ledger.realised + effect.realised,
            fees: self.ledger.fees + effect.fee,
            insurance: self.ledger.insurance + effect.insurance,
            trade_cash_flow: self.ledger.trade_cash_flow - cost,
            ..self.ledger
        }
        .bounded()?;
        bounded("margins", self.margins + (effect.after.margin - before.margin))?;
        self.commit(slot, &effect, flow, ledger);
        self.liquidation_loss = loss;
        if let Some(price) = first_mark {
            self.instruments[fill.instrument.get()].mark = price;
        }
        Ok(effect)
    }

    /// Sets the venue's share of a liquidation; returns what liquidations have lost since a perpetual was first open.
    fn bear(&self, fill: &Fill, slot: usize, effect: &mut FillEffect) -> Decimal {
        let outcome = effect.realised_in_cash - effect.fee;
        let is_liquidation = fill.purpose == Purpose::Liquidation;
        let loss = if is_liquidation { (-outcome).max(Decimal::ZERO) } else { Decimal::ZERO };
        match self.config.margin_mode {
            MarginMode::Isolated => {
                let released = effect.before.margin - effect.after.margin;
                if is_liquidation {
                    effect.insurance = (loss - released).max(Decimal::ZERO);
                }
                Decimal::ZERO
            }
            MarginMode::Cross => {
                let loss = self.liquidation_loss + loss;
                let others = self.open.iter().any(|&at| at as usize != slot && !self.is_spot_slot(at));
                if others || effect.after.is_open() && !self.instruments[slot / 2].is_spot {
                    return loss;
                }
                if is_liquidation {
                    let spot = if self.config.spot_collateral { self.spot_value } else { Decimal::ZERO };
                    effect.insurance = (-(self.cash + outcome + spot)).min(loss).max(Decimal::ZERO);
                }
                Decimal::ZERO
            }
        }
    }

    fn commit(&mut self, slot: usize, effect: &FillEffect, flow: Flow, ledger: Ledger) {
        let FillEffect { before, after, .. } = effect;
        self.cash = effect.balance_after;
        self.margins += after.margin - before.margin;
        if self.instruments[slot / 2].is_spot {
            self.spot_value += after.value - before.value;
            self.spot_cost += after.cost - before.cost;
        } else {
            self.unrealised += after.unrealised() - before.unrealised();
        }
        self.slots[slot] = *after;
        self.flows[slot] = flow;
        self.ledger = ledger;
        let key = slot as u32;
        match (self.open.binary_search(&key), after.is_open()) {
            (Err(at), true) => self.open.insert(at, key),
            (Ok(at), false) => {
                self.open.remove(at);
            }
            _ => {}
        }
    }

    /// Books the funding of a perpetual: long pays short where `rate` is above zero. Each position pays
    /// `signed quantity × mark price × rate` (Bybit, Introduction to Funding Rate), out of cash also in isolated mode.
    /// Returns what was received, negative if paid. The marks of the account stay as they are.
    ///
    /// # Errors
    /// [`TradingError::Report`] for spot, an unknown instrument, or a price or rate that cannot be;
    /// [`TradingError::Magnitude`] for what cannot be accounted exactly.
    pub fn funding(
        &mut self,
        instrument: InstrumentIndex,
        rate: Decimal,
        mark_price: Decimal,
    ) -> Result<Decimal, TradingError> {
        if self.traded(instrument)?.is_spot {
            return Err(self.fault(instrument, "spot has no funding"));
        }
        if mark_price.is_zero() || mark_price.is_sign_negative() || rate.abs() >= Decimal::ONE {
            return Err(self.fault(instrument, &format!("funding of {rate} at {mark_price} cannot be")));
        }
        let mut received = Decimal::ZERO;
        for position in &self.slots[instrument.get() * 2..][..2] {
            if position.is_open() {
                received -= amount(notional(mark_price, position.quantity)? * rate);
            }
        }
        if !received.is_zero() {
            let ledger = Ledger { funding: self.ledger.funding + received, ..self.ledger }.bounded()?;
            self.cash = bounded("cash", self.cash + received)?;
            self.ledger = ledger;
        }
        Ok(received)
    }

    /// Puts cash in.
    ///
    /// # Errors
    /// [`TradingError::Report`] for what is not above zero or has more than 12 places, [`TradingError::Magnitude`].
    pub fn deposit(&mut self, cash: Decimal) -> Result<(), TradingError> {
        check_transfer("a deposit", cash)?;
        let ledger = Ledger { deposits: self.ledger.deposits + cash, ..self.ledger }.bounded()?;
        self.cash = bounded("cash", self.cash + cash)?;
        self.ledger = ledger;
        Ok(())
    }

    /// Takes cash out.
    ///
    /// # Errors
    /// [`TradingError::Report`] for what is not above zero, has more than 12 places, or is more than [`Account::free`] or
    /// [`Account::cash`].
    pub fn withdraw(&mut self, cash: Decimal) -> Result<(), TradingError> {
        check_transfer("a withdrawal", cash)?;
        let most = self.free().min(self.cash);
        if cash > most {
            return Err(TradingError::report("a withdrawal", format!("{cash} is more than the {most} free")));
        }
        let ledger = Ledger { withdrawals: self.ledger.withdrawals + cash, ..self.ledger }.bounded()?;
        self.cash -= cash;
        self.ledger = ledger;
        Ok(())
    }

    fn no_such_side(&self, fill: &Fill) -> TradingError {
        let mode = match self.config.position_mode {
            PositionMode::OneWay => "one-way",
            PositionMode::Hedge => "hedge",
        };
        let problem = format!("there is no position {:?} of it in {mode} mode", fill.position_side);
        self.fault(fill.instrument, &problem)
    }
}

fn opening_margin(terms: &InstrumentTerms, trade: &Trade) -> Decimal {
    if trade.opened.is_zero() {
        return Decimal::ZERO;
    }
    terms.opening_margin(trade.opened_cost.abs(), trade.after.cost.abs())
}

fn check_transfer(what: &str, cash: Decimal) -> Result<(), TradingError> {
    if cash <= Decimal::ZERO || amount(cash) != cash {
        return Err(TradingError::report(
            what,
            format!("{cash} is not an amount above zero of at most 12 places"),
        ));
    }
    bounded("transfer", cash).map(|_| ())
}

fn check_numbers(fill: &Fill) -> Result<(), TradingError> {
    if fill.price <= Decimal::ZERO || fill.quantity <= Decimal::ZERO {
        let problem = format!("{} at {} cannot trade", fill.quantity, fill.price);
        return Err(TradingError::report(fill.execution_id, problem));
    }
    if fill.quantity.normalize().scale() > MONEY_DECIMALS {
        return Err(TradingError::Magnitude { what: "quantity", value: fill.quantity });
    }
    bounded("quantity", fill.quantity).map(|_| ())
}

fn check_change(fill: &Fill, before: &Position, trade: &Trade, is_spot: bool) -> Result<(), TradingError> {
    let after = trade.after.quantity;
    bounded("quantity of a position", after)?;
    let short = after.is_sign_negative() && !after.is_zero();
    let long = !after.is_sign_negative() && !after.is_zero();
    let held = before.quantity;
    let problem = match fill.position_side {
        _ if is_spot && short => format!("sells {} of {held} held, and spot cannot be short", fill.quantity),
        PositionSide::Long if short => format!("closes {} of {held} long", fill.quantity),
        PositionSide::Short if long => format!("closes {} of {} short", fill.quantity, -held),
        _ if fill.purpose == Purpose::Liquidation && (is_spot || !trade.opened.is_zero()) => {
            format!("a liquidation of {} where {held} is open", fill.quantity)
        }
        _ => return Ok(()),
    };
    Err(TradingError::report(fill.execution_id, problem))
}
