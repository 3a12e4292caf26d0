//! What the gate sees of the account and its instruments.

use market_data::Timestamp;
use rust_decimal::Decimal;

use super::approved::RiskApproved;
use super::exposure::{Effect, effect_of, initial_margin};
use crate::grid::Grid;
use crate::order::{OrderIntent, Side};

/// The account at the moment of an order.
///
/// It must hold every order that was approved before: build it anew for each order, or bring it forward with
/// [`InstrumentRisk::count`]. Two orders that are approved against the same view can pass a limit together.
#[derive(Clone, Copy, Debug)]
pub struct RiskView<'a> {
    /// When, in the time of events.
    pub time: Timestamp,
    /// Cash, margins and unrealised profit together, in settlement currency.
    pub equity: Decimal,
    /// What is bound neither by positions nor by working orders, in settlement currency.
    pub free: Decimal,
    /// Whether the estimated tail risk of the account is above its limit: nothing is opened while it is.
    pub tail_exceeded: bool,
    /// All instruments, by their index.
    pub instruments: &'a [InstrumentRisk],
}

/// One instrument: its price, what is held of it and what is ordered. Quantities are in base currency, not negative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InstrumentRisk {
    /// Close of the last candle, in quote currency.
    pub last_price: Decimal,
    /// When that candle closed.
    pub last_time: Timestamp,
    /// Length of its candles, in ms.
    pub timeframe_ms: i64,
    /// Held long; on spot, the holding.
    pub long: Decimal,
    /// Held short. In one-way mode one of `long` and `short` is zero.
    pub short: Decimal,
    /// What live purchases may still open or add. Orders whose fate is unknown count as live; reduce-only ones do not count.
    pub working_buy: Decimal,
    /// As `working_buy`, of sales; on spot always zero, as no sale opens anything there.
    pub working_sell: Decimal,
    /// Live and unknown orders of any kind.
    pub open_orders: u32,
    /// The grid of its prices and quantities now.
    pub grid: Grid,
    /// Leverage that is set at the venue; 1 on spot.
    pub leverage: Decimal,
    /// Whether the venue keeps a long and a short position apart (hedge mode).
    pub hedged: bool,
    /// Whether coins are held: what is not held cannot be sold, and nothing is borrowed.
    pub is_spot: bool,
}

impl InstrumentRisk {
    /// The position of both sides together: negative for short.
    #[must_use]
    pub fn position(&self) -> Decimal {
        self.long.saturating_sub(self.short)
    }

    /// Counts an approved order as working, before the view of the next one is made. Returns the margin that it binds, to be
    /// taken off [`RiskView::free`]; zero where it only reduces.
    pub fn count(&mut self, approved: &RiskApproved<OrderIntent>) -> Decimal {
        let order = approved.intent();
        let effect = effect_of(order, self);
        let margin = initial_margin(order, effect.opening(), self).unwrap_or(Decimal::ZERO);
        self.open_orders = self.open_orders.saturating_add(1);
        if !matches!(effect, Effect::MustReduce { .. }) {
            let working = match order.side {
                Side::Buy => &mut self.working_buy,
                Side::Sell => &mut self.working_sell,
            };
            *working = working.saturating_add(order.quantity);
        }
        margin
    }
}
