//! What an account may risk.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::TradingError;
use crate::order::InstrumentIndex;

/// What happens when a limit of loss is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HaltAction {
    /// Positions may only become smaller.
    Reduce,
    /// Nothing but closing and protecting.
    Halt,
}

/// What happens to a reduce-only order that is larger than the position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OversizedReduction {
    /// It is cut to the position.
    Cut,
    /// It is refused.
    Refuse,
}

/// Instruments that fall together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CorrelatedGroup {
    /// What it is called in messages.
    pub name: String,
    /// Its members by their place in the engine's list, each once.
    pub instruments: Vec<InstrumentIndex>,
}

/// When two instruments count as one because their returns move together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CorrelationLimit {
    /// From this absolute correlation on; above 0, at most 1.
    pub threshold: f64,
    /// Weight of the past per candle; RiskMetrics (1996) uses 0.94 for days.
    pub decay: f64,
    /// Common returns before a correlation counts.
    pub minimum_observations: u32,
}

impl Default for CorrelationLimit {
    fn default() -> Self {
        Self { threshold: 0.8, decay: 0.94, minimum_observations: 50 }
    }
}

/// What an account may risk. Shares are fractions of equity: 0.5 is one half.
///
/// Limits of size hold for orders that open or add. What makes a position smaller passes them all: being able to get out is
/// worth more than any of them. So the net exposure may pass its limit when one side of a hedge is closed.
/// All limits are inclusive: exactly the limit passes. Losses trigger when they reach theirs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RiskLimits {
    /// Notional of one instrument, share of equity.
    pub symbol_exposure: Decimal,
    /// Notional of all positions regardless of sign, share of equity.
    pub gross_exposure: Decimal,
    /// Notional of long minus short positions, share of equity.
    pub net_exposure: Decimal,
    /// Notional of one direction within instruments that move together, share of equity. Opposite positions do not offset.
    pub correlated_exposure: Decimal,
    /// Instruments that count together by decree.
    pub correlated_groups: Vec<CorrelatedGroup>,
    /// Instruments that count together by what they did; absent for groups only.
    pub correlation: Option<CorrelationLimit>,
    /// Notional of all perpetuals over equity, and the leverage set at the venue.
    pub maximum_leverage: Decimal,
    /// Notional of one order, in settlement currency.
    pub maximum_order_notional: Decimal,
    /// What stays free after an order's margin, share of equity. Fees are not foreseen: leave room for them.
    pub minimum_free_margin: Decimal,
    /// Live and unknown orders of one instrument.
    pub open_orders_per_instrument: u32,
    /// Orders within `order_window_ms`. Reductions count but are never refused for it.
    pub orders_per_window: u32,
    /// Length of that window, in ms of the time of events.
    pub order_window_ms: i64,
    /// Age of an instrument's last candle, in lengths of its candles.
    pub stale_candles: u32,
    /// Distance of limit and trigger prices from the last price, as a fraction of it. Of reductions only limit prices that
    /// give away more than that are refused, measured from the trigger where there is one: a distant stop or take-profit passes.
    pub price_collar: Decimal,
    /// Loss since the start of the UTC day, share of the equity at its start.
    pub daily_loss: Decimal,
    /// What follows from it.
    pub daily_loss_action: HaltAction,
    /// Whether a new UTC day lifts it.
    pub lift_daily_loss_at_midnight: bool,
    /// Loss from the highest equity, share of that.
    pub drawdown: Decimal,
    /// What follows from it.
    pub drawdown_action: HaltAction,
    /// Whether closes, stop-losses and take-profits that reduce a position pass while halted. Without it nothing does.
    pub halted_allows_protection: bool,
    /// What happens to a reduce-only order that is larger than the position.
    pub oversized_reduction: OversizedReduction,
}

impl Default for RiskLimits {
    fn default() -> Self {
        Self {
            symbol_exposure: Decimal::ONE,
            gross_exposure: Decimal::TWO,
            net_exposure: Decimal::new(15, 1),
            correlated_exposure: Decimal::new(15, 1),
            correlated_groups: Vec::new(),
            correlation: None,
            maximum_leverage: Decimal::from(3),
            maximum_order_notional: Decimal::ONE_HUNDRED * Decimal::ONE_THOUSAND,
            minimum_free_margin: Decimal::new(5, 2),
            open_orders_per_instrument: 10,
            orders_per_window: 60,
            order_window_ms: 60_000,
            stale_candles: 2,
            price_collar: Decimal::new(5, 2),
            daily_loss: Decimal::new(5, 2),
            daily_loss_action: HaltAction::Reduce,
            lift_daily_loss_at_midnight: true,
            drawdown: Decimal::new(2, 1),
            drawdown_action: HaltAction::Halt,
            halted_allows_protection: true,
            oversized_reduction: OversizedReduction::Cut,
        }
    }
}

impl RiskLimits {
    /// Whether every setting makes sense.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the field, its value and what to give instead.
    pub fn validate(&self) -> Result<(), TradingError> {
        let positive = "give a number above 0, at most 1000";
        let fraction = "give a fraction above 0, at most 1";
        let below_one = "give a fraction from 0 to below 1";
        let one = Decimal::ONE;
        let thousand = Decimal::ONE_THOUSAND;
        let largest = crate::money::LARGEST_AMOUNT;
        for (field, value, most, remedy) in [
            ("risk.symbol_exposure", self.symbol_exposure, thousand, positive),
            ("risk.gross_exposure", self.gross_exposure, thousand, positive),
            ("risk.net_exposure", self.net_exposure, thousand, positive),
            ("risk.correlated_exposure", self.correlated_exposure, thousand, positive),
            ("risk.maximum_leverage", self.maximum_leverage, thousand, positive),
            ("risk.maximum_order_notional", self.maximum_order_notional, largest, "give an amount above 0"),
            ("risk.price_collar", self.price_collar, one, fraction),
            ("risk.daily_loss", self.daily_loss, one, fraction),
            ("risk.drawdown", self.drawdown, one, fraction),
        ] {
            if value <= Decimal::ZERO || value > most {
                return Err(TradingError::config(field, value, remedy));
            }
        }
        if self.minimum_free_margin < Decimal::ZERO || self.minimum_free_margin >= one {
            return Err(TradingError::config(
                "risk.minimum_free_margin",
                self.minimum_free_margin,
                below_one,
            ));
        }
        for (field, value) in [
            ("risk.open_orders_per_instrument", self.open_orders_per_instrument),
            ("risk.orders_per_window", self.orders_per_window),
            ("risk.stale_candles", self.stale_candles),
        ] {
            if !(1..=100_000).contains(&value) {
                return Err(TradingError::config(field, value, "give a whole number from 1 to 100000"));
            }
        }
        if self.order_window_ms <= 0 {
            let remedy = "give a length above 0, in milliseconds";
            return Err(TradingError::config("risk.order_window_ms", self.order_window_ms, remedy));
        }
        self.validate_correlation()
    }

    fn validate_correlation(&self) -> Result<(), TradingError> {
        for group in &self.correlated_groups {
            let mut members = group.instruments.clone();
            members.sort_unstable();
            members.dedup();
            if members.len() < 2 || members.len() != group.instruments.len() {
                let remedy = "name at least two instruments, each once";
                return Err(TradingError::config("risk.correlated_groups", &group.name, remedy));
            }
        }
        let Some(correlation) = self.correlation else { return Ok(()) };
        if !(correlation.threshold > 0.0 && correlation.threshold <= 1.0) {
            let remedy = "give a correlation above 0, at most 1";
            return Err(TradingError::config("risk.correlation.threshold", correlation.threshold, remedy));
        }
        if !(correlation.decay > 0.0 && correlation.decay < 1.0) {
            let remedy = "give a weight between 0 and 1, both excluded";
            return Err(TradingError::config("risk.correlation.decay", correlation.decay, remedy));
        }
        if correlation.minimum_observations < 2 {
            let field = "risk.correlation.minimum_observations";
            return Err(TradingError::config(field, correlation.minimum_observations, "give at least 2"));
        }
        Ok(())
    }
}
