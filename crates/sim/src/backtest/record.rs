//! Who keeps what happens in a backtest.

use market_data::Timestamp;
use serde::Serialize;
use trading::{Notice, TradeRecord};

use super::result::ExecutedOrder;
use crate::metrics::EquityCurve;

/// What the account was worth at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CurvePoint {
    /// When that was known: the close of a candle.
    pub time: Timestamp,
    /// Cash and marked positions, in settlement currency.
    pub equity: f64,
    /// Gross notional of positions over equity; 0 where there is no equity.
    pub exposure: f64,
}

/// Hears of everything that happens in a backtest, as it happens, and keeps what it wants.
pub trait Record {
    /// What the account is worth: once with the cash at the open of the first candle, then once per moment.
    fn point(&mut self, point: CurvePoint);

    /// Something traded.
    fn executed(&mut self, execution: &ExecutedOrder);

    /// A position was opened and closed again.
    fn traded(&mut self, trade: &TradeRecord);

    /// The engine reports, after what was said of it above. Entries of the ledger ([`Notice::Booked`]) are left out.
    fn noticed(&mut self, notice: Notice) {
        drop(notice);
    }
}

/// Keeps everything, in memory that grows with the length of history.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FullRecord {
    /// Equity at each moment.
    pub curve: EquityCurve,
    /// Round trips, in the order of their ends.
    pub trades: Vec<TradeRecord>,
    /// What traded.
    pub executions: Vec<ExecutedOrder>,
    /// Every notice of the engine, where it was asked for.
    pub journal: Vec<Notice>,
    keeps_journal: bool,
}

impl FullRecord {
    /// An empty record, with room for `moments`.
    #[must_use]
    pub fn new(keeps_journal: bool, moments: usize) -> Self {
        // One more: the first point stands before the first moment.
        let room = moments.saturating_add(1);
        let curve = EquityCurve {
            times: Vec::with_capacity(room),
            equity: Vec::with_capacity(room),
            exposure: Vec::with_capacity(room),
        };
        Self { curve, keeps_journal, ..Self::default() }
    }
}

impl Record for FullRecord {
    #[inline]
    fn point(&mut self, point: CurvePoint) {
        self.curve.times.push(point.time);
        self.curve.equity.push(point.equity);
        self.curve.exposure.push(point.exposure);
    }

    fn executed(&mut self, execution: &ExecutedOrder) {
        self.executions.push(*execution);
    }

    fn traded(&mut self, trade: &TradeRecord) {
        self.trades.push(trade.clone());
    }

    fn noticed(&mut self, notice: Notice) {
        if self.keeps_journal {
            self.journal.push(notice);
        }
    }
}
