//! Accounts of all environments in plain floats, and what one candle does to one of them.

use serde::{Deserialize, Serialize};

use super::frame::{MarketFrame, Prices};

/// Why something traded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FillReason {
    /// The action wanted it.
    Decision,
    /// A stop was reached.
    Stop,
    /// A profit target was reached.
    Target,
    /// The venue took the position over.
    Liquidation,
}

/// What traded in the last step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EnvironmentFill {
    /// Of which environment.
    pub environment: usize,
    /// Of which asset of its portfolio.
    pub asset: usize,
    /// Price in quote currency.
    pub price: f64,
    /// Signed lots.
    pub lots: f64,
    /// Fee in quote currency.
    pub fee: f64,
    /// Why.
    pub reason: FillReason,
}

/// What an action wants of one asset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Wish {
    /// Signed lots; not a number to leave it as it is.
    pub lots: f64,
    /// Distance of the stop as a fraction of the entry; 0 for none.
    pub stop: f64,
    /// Distance of the profit target as a fraction of the entry; 0 for none.
    pub target: f64,
}

/// What an episode trades at.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Terms {
    pub taker_fee: f64,
    pub slippage: f64,
    pub maintenance_rate: f64,
    pub liquidation_fee: f64,
    /// Whether [`CandleResult::position_return`] is wanted.
    pub position_return: bool,
}

/// What a candle brought.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct CandleResult {
    /// Notional of all that traded, in quote currency.
    pub turnover: f64,
    /// Mean over assets of the sign of what was held after the decision traded, times the return from close to close.
    pub position_return: f64,
    pub liquidated: bool,
}

/// Accounts, one field after the other: `[environments]` or `[environments, assets]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Accounts {
    pub assets: usize,
    pub cash: Vec<f64>,
    pub equity: Vec<f64>,
    pub peak: Vec<f64>,
    /// Signed whole lots.
    pub lots: Vec<f64>,
    /// What was paid for what is held, with the sign of the position.
    pub cost: Vec<f64>,
    /// Closes at which the position was held.
    pub held: Vec<u32>,
    /// Prices of the bracket; not a number for none.
    pub stop: Vec<f64>,
    pub target: Vec<f64>,
}

/// Prices are floats of printed decimals: what lies so near to a place of the grid is on it.
const ON_GRID: f64 = 1e-9;

/// The price at which a taker trades where the market is at `price`: on the tick, rounded against the order, at least one tick.
pub(super) fn taker_price(price: f64, slippage: f64, tick: f64, buys: bool) -> f64 {
    // Sides are signs and not branches: a policy that learns is a coin, and a wrong guess costs more than the arithmetic.
    let against = if buys { -1.0 } else { 1.0 };
    let ticks = price * (1.0 - against * slippage) / tick;
    let ticks = against * ticks + (ticks * 4e-15 + ON_GRID);
    let toward_zero = truncated(ticks);
    let floor = toward_zero - f64::from(u8::from(toward_zero > ticks));
    (against * floor).max(1.0) * tick
}

/// Toward zero. By way of a whole number that is one instruction on every x86-64, where `f64::floor` is a call.
fn truncated(value: f64) -> f64 {
    value as i64 as f64
}

/// Whole lots, toward zero.
pub(super) fn whole_lots(lots: f64) -> f64 {
    if lots.is_nan() { lots } else { truncated(lots.abs() * (1.0 + 1e-12) + ON_GRID).copysign(lots) }
}

/// Where trades of one environment are written.
pub(super) struct Record<'a> {
    pub environment: usize,
    pub fills: Option<&'a mut Vec<EnvironmentFill>>,
}

impl Record<'_> {
    fn push(&mut self, asset: usize, price: f64, lots: f64, fee: f64, reason: FillReason) {
        let environment = self.environment;
        if let Some(fills) = &mut self.fills {
            fills.push(EnvironmentFill { environment, asset, price, lots, fee, reason });
        }
    }
}

impl Accounts {
    pub(super) fn new(environments: usize, assets: usize) -> Self {
        let (one, each) = (vec![0.0; environments], vec![0.0; environments * assets]);
        Self {
            assets,
            cash: one.clone(),
            equity: one.clone(),
            peak: one,
            lots: each.clone(),
            cost: each.clone(),
            held: vec![0; environments * assets],
            stop: each.clone(),
            target: each,
        }
    }

    /// Everything of one account as at the start.
    pub(super) fn begin(&mut self, index: usize, cash: f64) {
        self.cash[index] = cash;
        self.equity[index] = cash;
        self.peak[index] = cash;
        let slots = index * self.assets..(index + 1) * self.assets;
        self.lots[slots.clone()].fill(0.0);
        self.cost[slots.clone()].fill(0.0);
        self.held[slots.clone()].fill(0);
        self.stop[slots.clone()].fill(f64::NAN);
        self.target[slots].fill(f64::NAN);
    }

    /// One candle of one account; see the module above for the order of things.
    pub(super) fn candle(
        &mut self,
        frames: &[MarketFrame],
        row: usize,
        wishes: &[Wish],
        terms: &Terms,
        record: &mut Record<'_>,
    ) -> CandleResult {
        let index = record.environment;
        let first = index * self.assets;
        let mut result = CandleResult::default();
        self.fund(index, frames, row);
        if self.is_due_at_open(index, frames, row, terms) {
            self.liquidate(frames, row, 0.0, terms, &mut result, record);
            return result;
        }
        for (asset, (frame, wish)) in frames.iter().zip(wishes).enumerate() {
            let change = wish.lots - self.lots[first + asset];
            // Not a number is no wish.
            if change.abs() > 0.0 {
                let price = taker_price(frame.prices[row].open, terms.slippage, frame.tick, change > 0.0);
                let flips_or_opens = self.lots[first + asset] * wish.lots <= 0.0;
                self.trade(
                    asset,
                    frame,
                    price,
                    change,
                    terms.taker_fee,
                    FillReason::Decision,
                    &mut result,
                    record,
                );
                if flips_or_opens {
                    self.bracket(first + asset, price, wish);
                }
            }
            let lots = self.lots[first + asset];
            if terms.position_return && lots != 0.0 {
                let change = frame.prices[row].close / frame.prices[row - 1].close - 1.0;
                result.position_return += change.copysign(change * lots) / self.assets as f64;
            }
        }
        self.meet_the_worst(frames, row, terms, &mut result, record);
        if !result.liquidated {
            self.mark(index, frames, row);
        }
        result
    }

    /// Signed quantities with the prices of the row, of what is open.
    fn open<'a>(
        &'a self,
        index: usize,
        frames: &'a [MarketFrame],
        row: usize,
    ) -> impl Iterator<Item = (usize, f64, &'a Prices)> {
        let first = index * self.assets;
        let lots = &self.lots[first..first + self.assets];
        let open = lots.iter().zip(frames).enumerate().filter(|(_, (lots, _))| **lots != 0.0);
        open.map(move |(asset, (lots, frame))| (asset, lots * frame.lot, &frame.prices[row]))
    }

    fn fund(&mut self, index: usize, frames: &[MarketFrame], row: usize) {
        let first = index * self.assets;
        for (asset, frame) in frames.iter().enumerate() {
            if let Some(rate) = frame.funding.get(row) {
                let quantity = self.lots[first + asset] * frame.lot;
                self.cash[index] -= quantity * frame.prices[row].open * rate;
            }
        }
    }

    fn is_due_at_open(&self, index: usize, frames: &[MarketFrame], row: usize, terms: &Terms) -> bool {
        let (mut equity, mut gross) = (self.cash[index], 0.0);
        for (_, quantity, prices) in self.open(index, frames, row) {
            equity += quantity * prices.open;
            gross += quantity.abs() * prices.open;
        }
        gross > 0.0 && equity <= gross * terms.maintenance_rate
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a trade is of an asset, at a price, for a reason, and recorded"
    )]
    fn trade(
        &mut self,
        asset: usize,
        frame: &MarketFrame,
        price: f64,
        change: f64,
        fee_rate: f64,
        reason: FillReason,
        result: &mut CandleResult,
        record: &mut Record<'_>,
    ) {
        let index = record.environment;
        let slot = index * self.assets + asset;
        let notional = change * frame.lot * price;
        let fee = notional.abs() * fee_rate;
        self.cash[index] -= notional + fee;
        result.turnover += notional.abs();
        let before = self.lots[slot];
        let after = before + change;
        if after == 0.0 || before * after < 0.0 {
            // Closed, or through zero: what is held now began now.
            self.cost[slot] = after * frame.lot * price;
            self.held[slot] = 0;
            self.stop[slot] = f64::NAN;
            self.target[slot] = f64::NAN;
        } else if after.abs() < before.abs() {
            self.cost[slot] *= after / before;
        } else {
            self.cost[slot] += notional;
        }
        self.lots[slot] = after;
        record.push(asset, price, change, fee, reason);
    }

    /// The bracket of a position that begins at `price`.
    fn bracket(&mut self, slot: usize, price: f64, wish: &Wish) {
        let sign = 1.0_f64.copysign(self.lots[slot]);
        let level = |distance: f64, sign: f64| {
            if distance > 0.0 && self.lots[slot] != 0.0 { price * (1.0 + sign * distance) } else { f64::NAN }
        };
        let (stop, target) = (level(wish.stop, -sign), level(wish.target, sign));
        self.stop[slot] = stop;
        self.target[slot] = target;
    }

    /// The worst price that a position meets, and whether that is its stop. Comparisons with what is no number are false.
    fn worst(&self, slot: usize, quantity: f64, prices: &Prices) -> (f64, bool) {
        let (sign, stop) = (1.0_f64.copysign(quantity), self.stop[slot]);
        let worst = [prices.high, prices.low][usize::from(quantity > 0.0)];
        if sign * worst <= sign * stop {
            // At the open where that lies beyond the stop.
            (sign * (sign * prices.open).min(sign * stop), true)
        } else {
            (worst, false)
        }
    }

    /// Liquidation on the straight way of all prices from the open to their worst, then stops, then targets.
    fn meet_the_worst(
        &mut self,
        frames: &[MarketFrame],
        row: usize,
        terms: &Terms,
        result: &mut CandleResult,
        record: &mut Record<'_>,
    ) {
        let index = record.environment;
        let first = index * self.assets;
        let (mut spare_open, mut spare_worst, mut any) = (self.cash[index], self.cash[index], false);
        for (asset, quantity, prices) in self.open(index, frames, row) {
            let (worst, _) = self.worst(first + asset, quantity, prices);
            let share = quantity - quantity.abs() * terms.maintenance_rate;
            spare_open += share * prices.open;
            spare_worst += share * worst;
            any = true;
        }
        if !any {
            return;
        }
        if spare_worst <= 0.0 {
            let way = if spare_open > 0.0 { spare_open / (spare_open - spare_worst) } else { 0.0 };
            self.liquidate(frames, row, way, terms, result, record);
            return;
        }
        for (asset, frame) in frames.iter().enumerate() {
            let (slot, lots, prices) = (first + asset, self.lots[first + asset], &frame.prices[row]);
            if lots == 0.0 {
                continue;
            }
            let (worst, stopped) = self.worst(slot, lots, prices);
            let (sign, target) = (1.0_f64.copysign(lots), self.target[slot]);
            let best = [prices.low, prices.high][usize::from(lots > 0.0)];
            // A target fills where the price went beyond it, as a resting order of the venue does.
            let (market, reason) = if stopped {
                (worst, FillReason::Stop)
            } else if sign * best > sign * target {
                (sign * (sign * prices.open).max(sign * target), FillReason::Target)
            } else {
                continue;
            };
            let price = taker_price(market, terms.slippage, frame.tick, lots < 0.0);
            self.trade(asset, frame, price, -lots, terms.taker_fee, reason, result, record);
        }
    }

    /// Closes everything at `way` (0: the open, 1: the worst price) and bears no more than there is.
    fn liquidate(
        &mut self,
        frames: &[MarketFrame],
        row: usize,
        way: f64,
        terms: &Terms,
        result: &mut CandleResult,
        record: &mut Record<'_>,
    ) {
        let index = record.environment;
        for (asset, frame) in frames.iter().enumerate() {
            let slot = index * self.assets + asset;
            let lots = self.lots[slot];
            if lots == 0.0 {
                continue;
            }
            let open = frame.prices[row].open;
            let worst = self.worst(slot, lots, &frame.prices[row]).0;
            let price = taker_price(open + way * (worst - open), 0.0, frame.tick, lots < 0.0);
            let fee = terms.liquidation_fee;
            self.trade(asset, frame, price, -lots, fee, FillReason::Liquidation, result, record);
        }
        self.cash[index] = self.cash[index].max(0.0);
        self.equity[index] = self.cash[index];
        result.liquidated = true;
    }

    fn mark(&mut self, index: usize, frames: &[MarketFrame], row: usize) {
        let first = index * self.assets;
        let mut equity = self.cash[index];
        for (asset, frame) in frames.iter().enumerate() {
            let lots = self.lots[first + asset];
            if lots != 0.0 {
                equity += lots * frame.lot * frame.prices[row].close;
                self.held[first + asset] += 1;
            }
        }
        self.equity[index] = equity;
        self.peak[index] = self.peak[index].max(equity);
    }
}
