//! A record of a few bytes per day, for histories that do not fit into memory.

use serde::Serialize;
use trading::TradeRecord;

use super::record::{CurvePoint, Record};
use super::result::ExecutedOrder;
use crate::metrics::{ClosedTrade, EquityCurve, day_of};

/// Keeps one point of equity per UTC day, and running totals of the rest.
///
/// Its curve is [`EquityCurve::daily`] of the whole one, so figures of days are those of the whole curve. The maximum drawdown, the
/// time in the market and the mean equity come from every point, as in [`crate::metrics::Metrics`]; what needs every step or every
/// trade (statistics per step, single drawdowns, the return of each trade) is not here.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DailyRecord {
    /// The first point, and the last of each day, (00:00, 24:00].
    pub curve: EquityCurve,
    /// Of all points.
    pub points: PointTotals,
    /// Of round trips.
    pub trades: TradeTotals,
    /// What traded.
    pub executions: u64,
}

/// Running totals of the points of a curve, up to ruin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PointTotals {
    /// Points seen.
    pub count: u64,
    /// Sum of their equity, in settlement currency.
    pub equity: f64,
    /// The highest equity.
    pub peak: f64,
    /// Depth of the deepest drawdown below the highest, as a fraction.
    pub maximum_drawdown: f64,
    /// Time that passed (ms).
    pub elapsed_ms: i64,
    /// Of it, time that began with a position (ms).
    pub in_market_ms: i64,
    /// Sum of exposure × time (ms).
    pub exposure_ms: f64,
    /// Largest gross notional over equity.
    pub largest_exposure: f64,
    #[serde(skip)]
    last: Option<CurvePoint>,
    #[serde(skip)]
    is_ruined: bool,
}

/// Running totals of round trips. Amounts are net of fees and funding, in settlement currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct TradeTotals {
    /// Round trips.
    pub count: u64,
    /// Those that gained.
    pub wins: u64,
    /// Those that lost.
    pub losses: u64,
    /// Those that gained from rising prices.
    pub longs: u64,
    /// Sum of the wins.
    pub gross_profit: f64,
    /// Sum of the losses, positive.
    pub gross_loss: f64,
    /// Sum of all.
    pub net_profit: f64,
    /// The best; none without a trade.
    pub best: Option<f64>,
    /// The worst; none without a trade.
    pub worst: Option<f64>,
}

impl PointTotals {
    fn add(&mut self, point: &CurvePoint) {
        if self.is_ruined {
            return;
        }
        if let Some(last) = self.last {
            let step = point.time.since(last.time);
            self.elapsed_ms += step;
            if last.exposure > 0.0 {
                self.in_market_ms += step;
                self.exposure_ms += step as f64 * last.exposure;
            }
        }
        self.count += 1;
        self.equity += point.equity;
        if point.equity > 0.0 {
            self.largest_exposure = self.largest_exposure.max(point.exposure);
        }
        if self.count == 1 || point.equity >= self.peak {
            self.peak = point.equity;
        } else {
            self.maximum_drawdown = self.maximum_drawdown.max((self.peak - point.equity) / self.peak);
        }
        self.last = Some(*point);
        self.is_ruined = point.equity <= 0.0;
    }

    /// Mean equity of the points; none without one.
    #[must_use]
    pub fn mean_equity(&self) -> Option<f64> {
        (self.count > 0).then(|| self.equity / self.count as f64)
    }

    /// Share of time that begins with a position; none without a step.
    #[must_use]
    pub fn time_in_market(&self) -> Option<f64> {
        (self.elapsed_ms > 0).then(|| self.in_market_ms as f64 / self.elapsed_ms as f64)
    }

    /// Mean exposure, weighted by time; none without a step.
    #[must_use]
    pub fn mean_exposure(&self) -> Option<f64> {
        (self.elapsed_ms > 0).then(|| self.exposure_ms / self.elapsed_ms as f64)
    }
}

impl TradeTotals {
    fn add(&mut self, trade: &ClosedTrade) {
        let net = trade.net;
        self.count += 1;
        self.wins += u64::from(net > 0.0);
        self.losses += u64::from(net < 0.0);
        self.longs += u64::from(trade.is_long);
        self.gross_profit += net.max(0.0);
        self.gross_loss += (-net).max(0.0);
        self.net_profit += net;
        self.best = Some(self.best.map_or(net, |best| best.max(net)));
        self.worst = Some(self.worst.map_or(net, |worst| worst.min(net)));
    }
}

impl Record for DailyRecord {
    fn point(&mut self, point: CurvePoint) {
        self.points.add(&point);
        let EquityCurve { times, equity, exposure } = &mut self.curve;
        // The first point stays. Any later one stands for its day until the next of that day comes.
        let replaces =
            times.len() > 1 && times.last().is_some_and(|last| day_of(*last) == day_of(point.time));
        if replaces {
            times.pop();
            equity.pop();
            exposure.pop();
        }
        times.push(point.time);
        equity.push(point.equity);
        exposure.push(point.exposure);
    }

    fn executed(&mut self, _: &ExecutedOrder) {
        self.executions += 1;
    }

    fn traded(&mut self, trade: &TradeRecord) {
        self.trades.add(&ClosedTrade::from(trade));
    }
}
