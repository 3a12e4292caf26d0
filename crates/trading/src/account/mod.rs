//! The exact account: cash, positions, spot holdings, margin, funding, liquidation and the ledger of it all.
//!
//! One account has one currency. On linear perpetuals cash moves by realised profit, fees and funding; on spot it pays for
//! coins. What must hold, and is checked by [`Account::check`] from sums that do not know each other:
//!
//! 1. cash + margins + unrealised profit of perpetuals + marked spot holdings = deposits − withdrawals + trade cash flow +
//!    marked value of all that was traded − fees + funding + insurance, to the last decimal;
//! 2. the same equity = deposits − withdrawals + realised + unrealised − fees + funding + insurance;
//! 3. of each position and coin, what is held = bought − sold − fees in coin.
//!
//! The account never rounds what it keeps: positions keep their cost rather than an average price, and amounts are brought
//! to 12 places once, when they are made. It knows no clock, and a refused event leaves it as it was.

mod fill;
mod ledger;
mod liquidation;
mod margin;
mod position;
mod terms;
#[cfg(test)]
mod tests;

use market_data::Timestamp;
use rust_decimal::Decimal;

use self::ledger::{Flow, bounded};
use crate::error::TradingError;
use crate::money::{amount, notional};
use crate::order::{InstrumentIndex, PositionSide};

pub use self::ledger::{FillEffect, Ledger, LedgerEntry, LedgerKind};
pub use self::liquidation::Liquidations;
pub use self::margin::{MarginTier, MarginTiers};
pub use self::position::Position;
pub use self::terms::{AccountConfig, InstrumentTerms, MarginMode, PositionMode};

/// An instrument as the account keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Traded {
    terms: InstrumentTerms,
    is_spot: bool,
    /// Last mark price; zero until the first.
    mark: Decimal,
}

/// Cash and positions, exactly. See the module for what holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    config: AccountConfig,
    instruments: Vec<Traded>,
    /// Two of each instrument: the net or long position, and the short one of hedge mode.
    slots: Vec<Position>,
    /// What went through each slot.
    flows: Vec<Flow>,
    /// Open slots in order.
    open: Vec<u32>,
    cash: Decimal,
    /// Sum of the margins of positions.
    margins: Decimal,
    /// Sum of the unrealised profit of perpetuals.
    unrealised: Decimal,
    spot_value: Decimal,
    spot_cost: Decimal,
    /// Losses by liquidation since a perpetual was first open, in cross mode: the most that the venue bears.
    liquidation_loss: Decimal,
    ledger: Ledger,
}

impl Account {
    /// An account with `cash` and nothing open. Instruments are named by their index in `terms`.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the field that makes no sense.
    pub fn new(
        config: AccountConfig,
        terms: Vec<InstrumentTerms>,
        cash: Decimal,
    ) -> Result<Self, TradingError> {
        config.validate()?;
        for (at, one) in terms.iter().enumerate() {
            one.validate(&config.settlement)?;
            let (venue, symbol) = (one.instrument.venue(), one.instrument.symbol());
            let same = |other: &InstrumentTerms| {
                other.instrument.venue() == venue && other.instrument.symbol() == symbol
            };
            if terms[..at].iter().any(same) || at > usize::from(u16::MAX) {
                let remedy = "name each instrument once, and at most 65536 of them";
                return Err(TradingError::config("terms.instrument", symbol, remedy));
            }
        }
        if cash.is_sign_negative() && !cash.is_zero() || amount(cash) != cash {
            let remedy = "give an amount that is not negative, of at most 12 places";
            return Err(TradingError::config("account.cash", cash, remedy));
        }
        bounded("cash", cash)?;
        let hedge = config.position_mode == PositionMode::Hedge;
        let instruments: Vec<Traded> = terms
            .into_iter()
            .map(|terms| Traded { is_spot: terms.is_spot(), terms, mark: Decimal::ZERO })
            .collect();
        let slots: Vec<Position> = instruments
            .iter()
            .enumerate()
            .flat_map(|(at, traded)| {
                let first = if hedge && !traded.is_spot { PositionSide::Long } else { PositionSide::Net };
                [first, PositionSide::Short].map(|side| Position::flat(InstrumentIndex(at as u16), side))
            })
            .collect();
        Ok(Self {
            config,
            instruments,
            flows: vec![Flow::default(); slots.len()],
            open: Vec::with_capacity(slots.len()),
            slots,
            cash,
            margins: Decimal::ZERO,
            unrealised: Decimal::ZERO,
            spot_value: Decimal::ZERO,
            spot_cost: Decimal::ZERO,
            liquidation_loss: Decimal::ZERO,
            ledger: Ledger { deposits: cash, ..Ledger::default() },
        })
    }

    /// Takes the mark price of an instrument. While nothing of the account is open this only remembers it.
    ///
    /// # Errors
    /// [`TradingError::Report`] for an unknown instrument or what is no price, [`TradingError::Magnitude`] for what cannot
    /// be accounted exactly. The account is then unchanged.
    pub fn mark(&mut self, instrument: InstrumentIndex, price: Decimal) -> Result<(), TradingError> {
        let is_spot = self.traded(instrument)?.is_spot;
        if price.is_zero() || price.is_sign_negative() {
            return Err(self.fault(instrument, &format!("{price} is no mark price")));
        }
        if !self.open.is_empty() {
            let first = instrument.get() * 2;
            let mut values = [Decimal::ZERO; 2];
            for (value, position) in values.iter_mut().zip(&self.slots[first..]) {
                if position.is_open() {
                    *value = notional(price, position.quantity)?;
                }
            }
            for (value, position) in values.into_iter().zip(&mut self.slots[first..]) {
                if position.is_open() {
                    let total = if is_spot { &mut self.spot_value } else { &mut self.unrealised };
                    *total += value - position.value;
                    position.value = value;
                }
            }
        }
        self.instruments[instrument.get()].mark = price;
        Ok(())
    }

    /// The last mark price of an instrument; none before the first.
    #[must_use]
    pub fn mark_price(&self, instrument: InstrumentIndex) -> Option<Decimal> {
        self.instruments.get(instrument.get()).map(|traded| traded.mark).filter(|mark| !mark.is_zero())
    }

    /// How the account works.
    #[must_use]
    pub const fn config(&self) -> &AccountConfig {
        &self.config
    }

    /// The terms of an instrument.
    #[must_use]
    pub fn terms(&self, instrument: InstrumentIndex) -> Option<&InstrumentTerms> {
        self.instruments.get(instrument.get()).map(|traded| &traded.terms)
    }

    /// Cash that is not set aside as isolated margin. It is negative where more was paid than there was.
    #[inline]
    #[must_use]
    pub const fn cash(&self) -> Decimal {
        self.cash
    }

    /// What the account is worth at the marks: cash, margins, unrealised profit of perpetuals and spot holdings.
    #[inline]
    #[must_use]
    pub fn equity(&self) -> Decimal {
        if self.open.is_empty() {
            return self.cash;
        }
        self.cash + self.margins + self.unrealised + self.spot_value
    }

    /// Profit at the marks that no trade has realised, spot holdings included.
    #[must_use]
    pub fn unrealised(&self) -> Decimal {
        if self.open.is_empty() {
            return Decimal::ZERO;
        }
        self.unrealised + (self.spot_value - self.spot_cost)
    }

    /// What backs positions in cross mode: cash and unrealised profit of perpetuals, and spot holdings where
    /// [`AccountConfig::spot_collateral`] says so. In isolated mode, cash.
    #[must_use]
    pub fn margin_equity(&self) -> Decimal {
        match (self.config.margin_mode, self.config.spot_collateral) {
            (MarginMode::Isolated, _) => self.cash,
            (MarginMode::Cross, false) => self.cash + self.unrealised,
            (MarginMode::Cross, true) => self.cash + self.unrealised + self.spot_value,
        }
    }

    /// What is available for new margin; negative where positions bind more than there is. In isolated mode this is cash,
    /// in cross mode what backs positions less their initial margin, which may be more than the cash that spot could be
    /// paid with.
    #[must_use]
    pub fn free(&self) -> Decimal {
        if self.open.is_empty() || self.config.margin_mode == MarginMode::Isolated {
            return self.cash;
        }
        self.margin_equity() - self.initial_margin()
    }

    /// Margin bound by open positions: in isolated mode what was set aside, in cross mode the cost of each over its
    /// leverage (at most what the tier of its cost allows).
    #[must_use]
    pub fn initial_margin(&self) -> Decimal {
        match self.config.margin_mode {
            MarginMode::Isolated => self.margins,
            MarginMode::Cross => self.sum(|traded, position| {
                traded.terms.opening_margin(position.cost.abs(), position.cost.abs())
            }),
        }
    }

    /// Margin below which positions are liquidated, of all of them at their marks.
    #[must_use]
    pub fn maintenance_margin(&self) -> Decimal {
        self.sum(|traded, position| traded.terms.tiers.maintenance(position.value.abs()))
    }

    /// Signed notional of an instrument at its mark, both positions of hedge mode together; zero for one that is unknown.
    #[must_use]
    pub fn exposure(&self, instrument: InstrumentIndex) -> Decimal {
        let slots = self.slots.get(instrument.get() * 2..).unwrap_or_default();
        slots.iter().take(2).filter(|position| position.is_open()).map(|position| position.value).sum()
    }

    /// Notional of all positions and holdings at their marks, without signs.
    #[must_use]
    pub fn gross_notional(&self) -> Decimal {
        self.sum(|_, position| position.value.abs())
    }

    /// A position; a flat one where nothing is open, also for an instrument or side that the account does not have.
    #[must_use]
    pub fn position(&self, instrument: InstrumentIndex, side: PositionSide) -> Position {
        let slot = self.slot(instrument, side).and_then(|slot| self.slots.get(slot));
        slot.copied().unwrap_or(Position::flat(instrument, side))
    }

    /// Open positions and holdings, by instrument, long before short.
    pub fn positions(&self) -> impl Iterator<Item = Position> + '_ {
        self.open.iter().map(|&slot| self.slots[slot as usize])
    }

    /// Whether nothing is open or held, not even a rest of coins smaller than a lot.
    #[inline]
    #[must_use]
    pub fn is_flat(&self) -> bool {
        self.open.is_empty()
    }

    /// Totals since the account began.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The entry of what changed cash last: funding, a deposit or a withdrawal. For fills see [`FillEffect::entries`].
    #[must_use]
    pub const fn entry(
        &self,
        time: Timestamp,
        kind: LedgerKind,
        instrument: Option<InstrumentIndex>,
        amount: Decimal,
    ) -> LedgerEntry {
        LedgerEntry { time, kind, instrument, amount, balance_after: self.cash }
    }

    /// Holds the books against the history, exactly; `after` names the event for the message.
    ///
    /// # Errors
    /// [`TradingError::Conservation`] names the law and the difference.
    pub fn check(&self, after: &str) -> Result<(), TradingError> {
        let law = |name: &str, difference: Decimal| {
            if difference.is_zero() {
                return Ok(());
            }
            Err(TradingError::Conservation { difference, after: format!("{after} ({name})") })
        };
        let (mut marked, mut cash_flow, mut margins) = (Decimal::ZERO, Decimal::ZERO, Decimal::ZERO);
        for (slot, (flow, position)) in self.flows.iter().zip(&self.slots).enumerate() {
            if position.quantity.is_zero()
                && flow.quantity.is_zero()
                && flow.cash.is_zero()
                && position.margin.is_zero()
            {
                continue;
            }
            let same = flow.quantity.serialize() == position.quantity.serialize();
            if !same && flow.quantity != position.quantity {
                let name = self.instruments[slot / 2].terms.instrument.symbol().to_string();
                law(&format!("quantity of {name}"), position.quantity - flow.quantity)?;
            }
            if !flow.quantity.is_zero() {
                marked += notional(self.instruments[slot / 2].mark, flow.quantity)?;
            }
            cash_flow += flow.cash;
            margins += position.margin;
        }
        let (equity, ledger) = (self.equity(), &self.ledger);
        let other_flows = ledger.other_flows();
        law("margins", self.margins - margins)?;
        law("trade cash flow", ledger.trade_cash_flow - cash_flow)?;
        law("cash flow and marks", equity - (other_flows + cash_flow + marked))?;
        law("realised and unrealised", equity - (other_flows + ledger.realised + self.unrealised()))
    }

    fn sum(&self, amount_of: impl Fn(&Traded, &Position) -> Decimal) -> Decimal {
        self.open.iter().fold(Decimal::ZERO, |sum, &slot| {
            sum + amount_of(&self.instruments[slot as usize / 2], &self.slots[slot as usize])
        })
    }

    fn traded(&self, instrument: InstrumentIndex) -> Result<&Traded, TradingError> {
        self.instruments.get(instrument.get()).ok_or_else(|| {
            TradingError::report(format!("instrument {}", instrument.0), "the account does not have it")
        })
    }

    fn fault(&self, instrument: InstrumentIndex, problem: &str) -> TradingError {
        match self.traded(instrument) {
            Ok(traded) => TradingError::report(traded.terms.instrument.symbol(), problem),
            Err(error) => error,
        }
    }

    /// Where a position is kept; none for a side that the instrument does not have in this mode.
    fn slot(&self, instrument: InstrumentIndex, side: PositionSide) -> Option<usize> {
        let traded = self.instruments.get(instrument.get())?;
        let hedge = self.config.position_mode == PositionMode::Hedge && !traded.is_spot;
        let first = instrument.get() * 2;
        match (hedge, side) {
            (false, PositionSide::Net) | (true, PositionSide::Long) => Some(first),
            (true, PositionSide::Short) => Some(first + 1),
            _ => None,
        }
    }

    fn is_spot_slot(&self, slot: u32) -> bool {
        self.instruments[slot as usize / 2].is_spot
    }

    fn maintenance_of(&self, position: &Position) -> Decimal {
        let traded = self.instruments.get(position.instrument.get());
        traded.map_or(Decimal::ZERO, |traded| traded.terms.tiers.maintenance(position.value.abs()))
    }
}
