//! What a backtest leaves.

use std::collections::BTreeSet;

use market_data::Timestamp;
use rust_decimal::Decimal;
use serde::Serialize;
use trading::account::{Account, Ledger};
use trading::orders::{Fill, Orders};
use trading::{ClientOrderId, InstrumentIndex, Liquidity, Notice, Purpose, Side, TradeRecord, to_float};

use super::record::{FullRecord, Record};
use crate::error::SimError;
use crate::metrics::{ClosedTrade, EquityCurve, Metrics, MetricsConfig, OrderCounts};
use crate::venue::{Listener, VenueEvent};

/// What a backtest leaves.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BacktestResult {
    /// Equity at each moment at which candles closed, and the gross notional of positions over it.
    pub curve: EquityCurve,
    /// Round trips, in the order of their ends.
    pub trades: Vec<TradeRecord>,
    /// What traded.
    pub executions: Vec<ExecutedOrder>,
    /// Orders by what became of them.
    pub orders: OrderCounts,
    /// Notional of all executions, in settlement currency.
    pub turnover: Decimal,
    /// Orders that the risk gate refused, whole or in part.
    pub refused: u64,
    /// Orders that the venue refused.
    pub rejected: u64,
    /// Positions that the venue liquidated.
    pub liquidations: u64,
    /// The totals of the books at the end.
    pub ledger: Ledger,
    /// Whether positions were open at the end; they are valued at the last close.
    pub open_at_the_end: bool,
    /// Moments at which candles closed.
    pub moments: usize,
    /// Every notice of the engine, where it was asked for.
    pub journal: Vec<Notice>,
}

/// One execution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ExecutedOrder {
    /// When.
    pub time: Timestamp,
    /// In what.
    pub instrument: InstrumentIndex,
    /// Buy or sell.
    pub side: Side,
    /// At what, in quote currency.
    pub price: Decimal,
    /// How much, in base currency.
    pub quantity: Decimal,
    /// In the currency of the fill.
    pub fee: Decimal,
    /// Who brought the liquidity.
    pub liquidity: Liquidity,
    /// What the order was for.
    pub purpose: Purpose,
}

impl From<&Fill> for ExecutedOrder {
    fn from(fill: &Fill) -> Self {
        Self {
            time: fill.time,
            instrument: fill.instrument,
            side: fill.side,
            price: fill.price,
            quantity: fill.quantity,
            fee: fill.fee,
            liquidity: fill.liquidity,
            purpose: fill.purpose,
        }
    }
}

impl BacktestResult {
    /// The metrics of it.
    ///
    /// # Errors
    /// Those of [`Metrics::of`].
    pub fn metrics(&self, config: &MetricsConfig) -> Result<Metrics, SimError> {
        let trades: Vec<ClosedTrade> = self.trades.iter().map(ClosedTrade::from).collect();
        Metrics::of(&self.curve, &trades, &self.orders, config)
    }
}

/// Counts of a backtest, whoever keeps the rest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BacktestTotals {
    /// Orders by what became of them.
    pub orders: OrderCounts,
    /// Notional of all executions, in settlement currency.
    pub turnover: Decimal,
    /// Orders that the risk gate refused, whole or in part.
    pub refused: u64,
    /// Orders that the venue refused.
    pub rejected: u64,
    /// Positions that the venue liquidated.
    pub liquidations: u64,
    /// The totals of the books at the end.
    pub ledger: Ledger,
    /// Whether positions were open at the end; they are valued at the last close.
    pub open_at_the_end: bool,
    /// Moments at which candles closed.
    pub moments: usize,
}

impl BacktestResult {
    pub(super) fn new(record: FullRecord, totals: BacktestTotals) -> Self {
        Self {
            curve: record.curve,
            trades: record.trades,
            executions: record.executions,
            orders: totals.orders,
            turnover: totals.turnover,
            refused: totals.refused,
            rejected: totals.rejected,
            liquidations: totals.liquidations,
            ledger: totals.ledger,
            open_at_the_end: totals.open_at_the_end,
            moments: totals.moments,
            journal: record.journal,
        }
    }
}

/// Names of filled entries that are kept before those that have ended are forgotten.
const FEW_NAMES: usize = 256;

/// Counts while a backtest runs, and tells the record.
#[derive(Debug)]
pub(super) struct Books<R> {
    pub record: R,
    turnover: Decimal,
    refused: u64,
    rejected: u64,
    liquidations: u64,
    entries: u64,
    entries_filled: u64,
    /// Entries that have filled, in part at least, and may do so again.
    filling: BTreeSet<ClientOrderId>,
    most_filling: usize,
}

impl<R: Record> Books<R> {
    pub(super) const fn new(record: R) -> Self {
        Self {
            record,
            turnover: Decimal::ZERO,
            refused: 0,
            rejected: 0,
            liquidations: 0,
            entries: 0,
            entries_filled: 0,
            filling: BTreeSet::new(),
            most_filling: FEW_NAMES,
        }
    }

    fn count_fill(&mut self, fill: &Fill) {
        self.turnover += trading::amount(fill.price * fill.quantity);
        self.liquidations += u64::from(fill.purpose == Purpose::Liquidation);
        if let (Purpose::Entry, Some(name)) = (fill.purpose, fill.client_order_id) {
            self.entries_filled += u64::from(self.filling.insert(name));
        }
    }

    /// Forgets names of orders that have ended, where they are many.
    pub(super) fn forget_ended(&mut self, orders: &Orders) {
        if self.filling.len() < self.most_filling {
            return;
        }
        self.filling.retain(|name| orders.get(*name).is_some_and(|order| !order.status.is_terminal()));
        self.most_filling = FEW_NAMES.max(2 * self.filling.len());
    }

    pub(super) fn totals(
        &self,
        account: &Account,
        orders: &Orders,
        instruments: usize,
        moments: usize,
    ) -> BacktestTotals {
        BacktestTotals {
            orders: self.counts(account, orders, instruments),
            turnover: self.turnover,
            refused: self.refused,
            rejected: self.rejected,
            liquidations: self.liquidations,
            ledger: *account.ledger(),
            open_at_the_end: !account.is_flat(),
            moments,
        }
    }

    /// Of entries only: protective orders are meant to go unfilled.
    fn counts(&self, account: &Account, orders: &Orders, instruments: usize) -> OrderCounts {
        let standing = (0..instruments)
            .flat_map(|index| orders.working(InstrumentIndex(index as u16)))
            .filter(|order| order.intent.purpose == Purpose::Entry && order.filled.is_zero())
            .count() as u64;
        let submitted = self.entries.saturating_sub(standing);
        OrderCounts {
            submitted,
            unfilled: submitted.saturating_sub(self.entries_filled),
            traded_notional: to_float(self.turnover),
            fees: to_float(account.ledger().fees),
            funding: to_float(account.ledger().funding),
        }
    }
}

impl<R: Record> Listener for Books<R> {
    fn event(&mut self, _: &VenueEvent) {}

    fn notice(&mut self, notice: Notice) {
        match &notice {
            Notice::Ordered { intent } if intent.purpose == Purpose::Entry => self.entries += 1,
            Notice::Filled { fill, .. } => {
                self.count_fill(fill);
                self.record.executed(&ExecutedOrder::from(fill));
            }
            Notice::Traded { trade } => self.record.traded(trade),
            Notice::Refused { .. } => self.refused += 1,
            Notice::Rejected { .. } => self.rejected += 1,
            _ => {}
        }
        if super::is_of_record(&notice) {
            self.record.noticed(notice);
        }
    }
}
