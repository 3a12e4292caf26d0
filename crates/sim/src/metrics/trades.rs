//! What trades and orders say: round trips, activity and costs.

use market_data::Timestamp;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};
use trading::{Side, TradeRecord};

use super::curve::EquityCurve;
use crate::SimError;

/// Amounts beyond this are no amounts, and their sums might overflow.
const LARGEST_AMOUNT: f64 = 1e30;

/// One position from its first to its last fill, as metrics need it. Amounts are in settlement currency.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClosedTrade {
    /// Time of the first fill.
    pub opened: Timestamp,
    /// Time of the last fill.
    pub closed: Timestamp,
    /// `gross − fees + funding`.
    pub net: f64,
    /// Profit before fees and funding.
    pub gross: f64,
    /// Fees of all its fills, positive where paid.
    pub fees: f64,
    /// Funding received, negative where paid.
    pub funding: f64,
    /// `net` over the notional of its entries, as a fraction.
    pub return_on_notional: f64,
    /// Candles that closed while it was open.
    pub candles: u32,
    /// Whether it gained from rising prices.
    pub is_long: bool,
}

impl From<&TradeRecord> for ClosedTrade {
    fn from(record: &TradeRecord) -> Self {
        // What does not fit is refused when the trade is judged.
        let float = |value: Decimal| value.to_f64().unwrap_or(f64::NAN);
        Self {
            opened: record.opened,
            closed: record.closed,
            net: float(record.net),
            gross: float(record.gross),
            fees: float(record.fees),
            funding: float(record.funding),
            return_on_notional: float(record.return_on_notional()),
            candles: record.candles,
            is_long: record.side == Side::Buy,
        }
    }
}

impl ClosedTrade {
    fn fault(&self) -> Option<String> {
        let amounts = [self.net, self.gross, self.fees, self.funding, self.return_on_notional];
        if !amounts.iter().all(|amount| amount.abs() <= LARGEST_AMOUNT) {
            return Some("an amount is not a number below 1e30; give finite amounts".to_owned());
        }
        if self.closed < self.opened {
            return Some(format!("it opened at {} and closed at {}; swap them", self.opened, self.closed));
        }
        let sum = self.gross - self.fees + self.funding;
        let scale = self.gross.abs() + self.fees.abs() + self.funding.abs();
        // A net profit that leaves out a cost would flatter every figure below.
        let is_one = (self.net - sum).abs() <= 1e-9 * (scale + self.net.abs());
        (!is_one).then(|| format!("net is {} but gross - fees + funding is {sum}; mend one", self.net))
    }
}

/// Counts and sums over **all** orders and fills of a run, of positions that are still open too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrderCounts {
    /// Orders that were sent and came to an end: filled, cancelled, expired or rejected by the venue.
    pub submitted: u64,
    /// Those of them that ended without any execution.
    pub unfilled: u64,
    /// Notional of all executions, entries and exits, in settlement currency.
    pub traded_notional: f64,
    /// Fees paid, in settlement currency; negative for a net rebate.
    pub fees: f64,
    /// Funding received, in settlement currency; negative where paid.
    pub funding: f64,
}

impl OrderCounts {
    fn validate(&self) -> Result<(), SimError> {
        if self.unfilled > self.submitted {
            let problem = format!(
                "{} of {} submitted are unfilled; count an order once, when it ends",
                self.unfilled, self.submitted
            );
            return Err(SimError::data("orders", problem));
        }
        let sound = |amount: f64| amount.abs() <= LARGEST_AMOUNT;
        if !(sound(self.traded_notional)
            && self.traded_notional >= 0.0
            && sound(self.fees)
            && sound(self.funding))
        {
            let problem = format!(
                "notional {}, fees {}, funding {}; give finite amounts and a notional that is not negative",
                self.traded_notional, self.fees, self.funding
            );
            return Err(SimError::data("orders", problem));
        }
        Ok(())
    }
}

/// What round trips say, each counted once at its net profit after fees and funding. A trade that nets
/// exactly 0 counts as a trade and as neither a win nor a loss.
///
/// QuantStats computes figures of these names from *returns of days*; they have nothing in common with these.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TradeMetrics {
    /// Round trips.
    pub count: usize,
    /// Those that gained.
    pub wins: usize,
    /// Those that lost.
    pub losses: usize,
    /// Wins over round trips; none without a trade.
    pub win_rate: Option<f64>,
    /// Of long trades alone; none without one.
    pub long_win_rate: Option<f64>,
    /// Of short trades alone; none without one.
    pub short_win_rate: Option<f64>,
    /// Long round trips; the others are short.
    pub longs: usize,
    /// Sum of the wins, in settlement currency.
    pub gross_profit: f64,
    /// Sum of the losses, positive, in settlement currency.
    pub gross_loss: f64,
    /// Sum of all, in settlement currency.
    pub net_profit: f64,
    /// Gross profit over gross loss; none without a losing trade, or beyond all numbers.
    pub profit_factor: Option<f64>,
    /// Mean net profit of a trade, in settlement currency; none without a trade.
    pub expectancy: Option<f64>,
    /// Mean win, in settlement currency; none without a win.
    pub average_win: Option<f64>,
    /// Mean loss, positive, in settlement currency; none without a loss.
    pub average_loss: Option<f64>,
    /// Mean win over mean loss; none without a win or without a loss.
    pub payoff_ratio: Option<f64>,
    /// Mean of net profit over notional after fees and funding, as a fraction; each trade weighs the same.
    /// None without a trade.
    pub average_return: Option<f64>,
    /// Largest net profit, in settlement currency; none without a trade.
    pub best: Option<f64>,
    /// Smallest net profit, in settlement currency; none without a trade.
    pub worst: Option<f64>,
    /// Mean time from the first to the last fill (ms); none without a trade.
    pub average_holding_ms: Option<f64>,
    /// Mean number of candles that closed meanwhile; none without a trade.
    pub average_candles: Option<f64>,
}

/// `sum / count`, where there is something to average.
fn mean(sum: f64, count: usize) -> Option<f64> {
    (count > 0).then(|| sum / count as f64)
}

fn win_rate<'a>(trades: impl Iterator<Item = &'a ClosedTrade>) -> Option<f64> {
    let (wins, count) = trades
        .fold((0_usize, 0_usize), |(wins, count), trade| (wins + usize::from(trade.net > 0.0), count + 1));
    mean(wins as f64, count)
}

impl TradeMetrics {
    /// Of round trips, in any order.
    ///
    /// # Errors
    /// [`SimError::Data`] names the trade that contradicts itself.
    pub fn of(trades: &[ClosedTrade]) -> Result<Self, SimError> {
        for (at, trade) in trades.iter().enumerate() {
            if let Some(problem) = trade.fault() {
                return Err(SimError::data(format!("trade {at}, opened {}", trade.opened), problem));
            }
        }
        let sum = |value: fn(&ClosedTrade) -> f64| trades.iter().map(value).sum::<f64>();
        let count = trades.len();
        let wins = trades.iter().filter(|trade| trade.net > 0.0).count();
        let losses = trades.iter().filter(|trade| trade.net < 0.0).count();
        let (gross_profit, gross_loss) =
            (sum(|trade| trade.net.max(0.0)), sum(|trade| (-trade.net).max(0.0)));
        let (average_win, average_loss) = (mean(gross_profit, wins), mean(gross_loss, losses));
        let net_profit = sum(|trade| trade.net);
        let nets = || trades.iter().map(|trade| trade.net);
        Ok(Self {
            count,
            wins,
            losses,
            win_rate: win_rate(trades.iter()),
            long_win_rate: win_rate(trades.iter().filter(|trade| trade.is_long)),
            short_win_rate: win_rate(trades.iter().filter(|trade| !trade.is_long)),
            longs: trades.iter().filter(|trade| trade.is_long).count(),
            gross_profit,
            gross_loss,
            net_profit,
            profit_factor: (losses > 0).then(|| gross_profit / gross_loss).filter(|ratio| ratio.is_finite()),
            expectancy: mean(net_profit, count),
            average_win,
            average_loss,
            payoff_ratio: average_win
                .zip(average_loss)
                .map(|(win, loss)| win / loss)
                .filter(|ratio| ratio.is_finite()),
            average_return: mean(sum(|trade| trade.return_on_notional), count),
            best: nets().reduce(f64::max),
            worst: nets().reduce(f64::min),
            average_holding_ms: mean(sum(|trade| trade.closed.since(trade.opened) as f64), count),
            average_candles: mean(sum(|trade| f64::from(trade.candles)), count),
        })
    }
}

/// How much was done, and what it cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivityMetrics {
    /// Share of time that begins with a position: each step counts with its length and the exposure at its
    /// start. None without a step.
    pub time_in_market: Option<f64>,
    /// Mean gross notional over equity, weighted in the same way, flat times included; none without a step.
    pub mean_exposure: Option<f64>,
    /// Largest gross notional over equity at a point that has equity.
    pub largest_exposure: f64,
    /// Mean equity of the points, in settlement currency.
    pub mean_equity: f64,
    /// Notional of all executions (entries and exits) over mean equity, per year; none without a step,
    /// without mean equity, or beyond all numbers.
    pub turnover: Option<f64>,
    /// Share of orders that ended without any execution; none without an order.
    pub unfilled_share: Option<f64>,
    /// Fees paid, in settlement currency; negative for a net rebate.
    pub fees: f64,
    /// Funding received, in settlement currency; negative where paid.
    pub funding: f64,
}

impl ActivityMetrics {
    /// Of a curve up to ruin, over `years` years.
    pub(super) fn of(curve: &EquityCurve, orders: &OrderCounts, years: f64) -> Result<Self, SimError> {
        orders.validate()?;
        let elapsed = curve.elapsed() as f64;
        let weighted = |value: fn(f64) -> f64| {
            let sum: f64 =
                curve.steps().zip(&curve.exposure).map(|(step, at)| step as f64 * value(*at)).sum();
            (elapsed > 0.0).then(|| sum / elapsed)
        };
        let solvent = curve.exposure.iter().zip(&curve.equity).filter(|(_, equity)| **equity > 0.0);
        let mean_equity = curve.equity.iter().sum::<f64>() / curve.equity.len() as f64;
        let turnover = orders.traded_notional / mean_equity / years;
        Ok(Self {
            time_in_market: weighted(|exposure| f64::from(u8::from(exposure > 0.0))),
            mean_exposure: weighted(|exposure| exposure),
            largest_exposure: solvent.map(|(exposure, _)| *exposure).fold(0.0, f64::max),
            mean_equity,
            turnover: (mean_equity > 0.0 && turnover.is_finite()).then_some(turnover),
            unfilled_share: (orders.submitted > 0).then(|| orders.unfilled as f64 / orders.submitted as f64),
            fees: orders.fees,
            funding: orders.funding,
        })
    }
}
