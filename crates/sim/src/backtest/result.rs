//! What a backtest leaves.

use market_data::Timestamp;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Serialize;
use trading::account::{Account, Ledger};
use trading::orders::{Fill, Orders};
use trading::{InstrumentIndex, Liquidity, Notice, Purpose, Side, TradeRecord};

use crate::error::SimError;
use crate::metrics::{ClosedTrade, EquityCurve, Metrics, MetricsConfig, OrderCounts};

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

/// Gathers a result while a backtest runs.
#[derive(Debug)]
pub(super) struct Recorder {
    keeps_journal: bool,
    candle_ms: i64,
    curve: EquityCurve,
    trades: Vec<TradeRecord>,
    executions: Vec<ExecutedOrder>,
    turnover: Decimal,
    refused: u64,
    liquidations: u64,
    entries: u64,
    entries_filled: std::collections::BTreeSet<trading::ClientOrderId>,
    rejected: u64,
    journal: Vec<Notice>,
    cash: Decimal,
}

impl Recorder {
    pub(super) fn new(keeps_journal: bool, candle_ms: i64, cash: Decimal) -> Self {
        Self {
            keeps_journal,
            candle_ms,
            curve: EquityCurve::default(),
            trades: Vec::new(),
            executions: Vec::new(),
            turnover: Decimal::ZERO,
            refused: 0,
            liquidations: 0,
            entries: 0,
            entries_filled: std::collections::BTreeSet::new(),
            rejected: 0,
            journal: Vec::new(),
            cash,
        }
    }

    pub(super) fn point(&mut self, time: Timestamp, equity: f64, gross: f64) {
        if self.curve.times.is_empty() {
            // What the account began with, when the first candle opened.
            self.curve.times.push(time.plus_millis(-self.candle_ms));
            self.curve.equity.push(self.cash.to_f64().unwrap_or(f64::NAN));
            self.curve.exposure.push(0.0);
        }
        self.curve.times.push(time);
        self.curve.equity.push(equity);
        self.curve.exposure.push(if equity > 0.0 { gross / equity } else { 0.0 });
    }

    pub(super) fn notice(&mut self, notice: Notice) {
        match &notice {
            Notice::Ordered { intent } if intent.purpose == Purpose::Entry => self.entries += 1,
            Notice::Filled { fill, .. } => {
                self.executions.push(ExecutedOrder::from(fill));
                self.turnover += trading::amount(fill.price * fill.quantity);
                self.liquidations += u64::from(fill.purpose == Purpose::Liquidation);
                if let (Purpose::Entry, Some(name)) = (fill.purpose, fill.client_order_id) {
                    self.entries_filled.insert(name);
                }
            }
            Notice::Traded { trade } => self.trades.push(trade.clone()),
            Notice::Refused { .. } => self.refused += 1,
            Notice::Rejected { .. } => self.rejected += 1,
            _ => {}
        }
        if self.keeps_journal && super::is_of_record(&notice) {
            self.journal.push(notice);
        }
    }

    pub(super) fn finish(
        self,
        account: &Account,
        orders: &Orders,
        instruments: usize,
        moments: usize,
    ) -> BacktestResult {
        BacktestResult {
            orders: self.counts(account, orders, instruments),
            curve: self.curve,
            trades: self.trades,
            executions: self.executions,
            turnover: self.turnover,
            refused: self.refused,
            rejected: self.rejected,
            liquidations: self.liquidations,
            ledger: *account.ledger(),
            open_at_the_end: !account.is_flat(),
            moments,
            journal: self.journal,
        }
    }

    /// Of entries only: protective orders are meant to go unfilled.
    fn counts(&self, account: &Account, orders: &Orders, instruments: usize) -> OrderCounts {
        let standing = (0..instruments)
            .flat_map(|index| orders.working(InstrumentIndex(index as u16)))
            .filter(|order| order.intent.purpose == Purpose::Entry && order.filled.is_zero())
            .count() as u64;
        let submitted = self.entries.saturating_sub(standing);
        let float = |value: Decimal| value.to_f64().unwrap_or(f64::NAN);
        OrderCounts {
            submitted,
            unfilled: submitted.saturating_sub(self.entries_filled.len() as u64),
            traded_notional: float(self.turnover),
            fees: float(account.ledger().fees),
            funding: float(account.ledger().funding),
        }
    }
}
