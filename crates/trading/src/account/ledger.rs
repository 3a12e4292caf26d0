//! Totals of the account's history and single entries of it.

use market_data::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::position::Position;
use crate::error::TradingError;
use crate::money::LARGEST_AMOUNT;
use crate::order::InstrumentIndex;

/// Totals since the account began, in settlement currency. Each is summed from events alone, never from the account's
/// balances, so that [`super::Account::check`] holds two independent sums against each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// Cash put in, the first balance included.
    pub deposits: Decimal,
    /// Cash taken out.
    pub withdrawals: Decimal,
    /// Profit realised by closing, without fees and funding.
    pub realised: Decimal,
    /// Fees paid less rebates; fees in base coin at the price of their fill.
    pub fees: Decimal,
    /// Funding received less paid.
    pub funding: Decimal,
    /// Losses of liquidations that the venue bore.
    pub insurance: Decimal,
    /// Received for sold less paid for bought quantities: the sum of −signed quantity × price over all fills. Base coin
    /// given as a fee counts as sold at the price of its fill.
    pub trade_cash_flow: Decimal,
}

impl Ledger {
    /// The part of equity that neither trades nor marks explain.
    pub(super) fn other_flows(&self) -> Decimal {
        self.deposits - self.withdrawals - self.fees + self.funding + self.insurance
    }

    pub(super) fn bounded(self) -> Result<Self, TradingError> {
        for (what, value) in [
            ("total of deposits", self.deposits),
            ("total of withdrawals", self.withdrawals),
            ("total realised profit", self.realised),
            ("total of fees", self.fees),
            ("total of funding", self.funding),
            ("total of insurance", self.insurance),
            ("total trade cash flow", self.trade_cash_flow),
        ] {
            bounded(what, value)?;
        }
        Ok(self)
    }
}

/// Refuses balances whose sums could not be exact.
pub(super) fn bounded(what: &'static str, value: Decimal) -> Result<Decimal, TradingError> {
    if value.abs() >= LARGEST_AMOUNT { Err(TradingError::Magnitude { what, value }) } else { Ok(value) }
}

/// What went through one position: the other side of the conservation law.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flow {
    /// Bought less sold, less fees in coin.
    pub(super) quantity: Decimal,
    /// Received for sold less paid for bought.
    pub(super) cash: Decimal,
}

/// Why cash changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LedgerKind {
    /// Cash put in.
    Deposit,
    /// Cash taken out (negative).
    Withdrawal,
    /// Coins bought (negative) or sold on spot.
    Trade,
    /// Profit or loss realised on a perpetual.
    Realised,
    /// Fee paid (negative) or rebate.
    Fee,
    /// Funding received or paid (negative).
    Funding,
    /// Cash set aside as isolated margin (negative) or set free.
    Margin,
    /// Loss of a liquidation that the venue bore.
    Insurance,
}

/// One change of cash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerEntry {
    /// When.
    pub time: Timestamp,
    /// Why.
    pub kind: LedgerKind,
    /// By which instrument.
    pub instrument: Option<InstrumentIndex>,
    /// How much, in settlement currency; negative for what leaves cash.
    pub amount: Decimal,
    /// Cash afterwards.
    pub balance_after: Decimal,
}

/// What a fill did to the account. Amounts are in settlement currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FillEffect {
    /// Profit realised, without the fee; on spot, proceeds less cost.
    pub realised: Decimal,
    /// The whole fee, negative for a rebate; a fee in base coin at the price of the fill. A fill that turns a position
    /// around is charged once, and its fee is not divided between what closed and what opened.
    pub fee: Decimal,
    /// Quantity closed, without sign; on spot, coins given as a fee included.
    pub closed: Decimal,
    /// Quantity opened, without sign; on spot, less coins given as a fee.
    pub opened: Decimal,
    /// Loss that the venue bore.
    pub insurance: Decimal,
    /// The position before.
    pub before: Position,
    /// The position afterwards.
    pub after: Position,
    /// Received for coins on spot, negative if paid; zero on perpetuals.
    pub trade: Decimal,
    /// Cash afterwards.
    pub balance_after: Decimal,
    pub(super) realised_in_cash: Decimal,
}

impl FillEffect {
    /// Appends the changes of cash to `entries`, in the order in which they are booked; those of nothing are left out.
    pub fn entries(&self, time: Timestamp, entries: &mut Vec<LedgerEntry>) {
        let changes = [
            (LedgerKind::Trade, self.trade),
            (LedgerKind::Realised, self.realised_in_cash),
            (LedgerKind::Fee, -self.fee),
            (LedgerKind::Insurance, self.insurance),
            (LedgerKind::Margin, self.before.margin - self.after.margin),
        ];
        let mut balance = changes.iter().fold(self.balance_after, |balance, (_, amount)| balance - amount);
        for (kind, amount) in changes.into_iter().filter(|(_, amount)| !amount.is_zero()) {
            balance += amount;
            let instrument = Some(self.after.instrument);
            entries.push(LedgerEntry { time, kind, instrument, amount, balance_after: balance });
        }
    }
}
