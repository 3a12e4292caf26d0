//! What an engine is made with.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::account::AccountConfig;
use crate::error::TradingError;
use crate::orders::OrdersConfig;
use crate::risk::{RiskLimits, SizingConfig, TailConfig, TailLimits};

/// Everything that an engine is set by, but for strategy, instruments and cash.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EngineConfig {
    /// The account's modes.
    pub account: AccountConfig,
    /// How decisions become orders.
    pub execution: ExecutionConfig,
    /// How large positions are where the strategy names a direction only.
    pub sizing: SizingConfig,
    /// What the risk gate lets pass.
    pub limits: RiskLimits,
    /// The gate on tail risk; absent for none.
    pub tail: Option<TailGateConfig>,
    /// How much is remembered of orders that are done.
    pub orders: OrdersConfig,
}

/// The gate on tail risk: nothing is opened while the estimate from the account's own returns, candle by candle, exceeds its
/// limits or has proven wrong.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TailGateConfig {
    /// How the tail is estimated.
    pub estimate: TailConfig,
    /// How fat it may be.
    pub limits: TailLimits,
    /// Candles without a position after which the estimate begins anew, at least 1. The account has returns only while something is
    /// held: what was exceeded once would bar the way for ever.
    pub rest: u32,
}

impl Default for TailGateConfig {
    /// A rest of 288 candles, a day of five minutes.
    fn default() -> Self {
        Self { estimate: TailConfig::default(), limits: TailLimits::default(), rest: 288 }
    }
}

impl TailGateConfig {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the field.
    pub fn validate(&self) -> Result<(), TradingError> {
        if self.rest == 0 {
            return Err(TradingError::config("tail.rest", 0, "give at least 1 candle, such as 288"));
        }
        self.estimate.validate()?;
        self.limits.validate()
    }
}

/// How decisions become orders.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ExecutionConfig {
    /// How positions are entered.
    pub entry: EntryStyle,
    /// Candles after which an entry that is not filled is cancelled; at least 1.
    pub entry_candles: u32,
    /// A difference between wanted and present exposure below this share of equity is left alone.
    pub rebalance_band: f64,
    /// Candles of the average true range that exits are measured in.
    pub atr_period: usize,
    /// How often a protective order that the venue refused is sent again before the position is closed at market.
    pub protection_attempts: u32,
    /// What happens to open positions when the risk gate halts.
    pub on_halt: OnHalt,
}

/// How positions are entered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum EntryStyle {
    /// At market.
    #[default]
    Market,
    /// With a limit order `offset` (a fraction of the last price) better than the last price.
    Limit {
        /// How much better; negative to cross the spread by that much at most.
        offset: f64,
        /// Whether it must not take from the book.
        post_only: bool,
    },
}

/// What happens to open positions when the risk gate halts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnHalt {
    /// They are closed at market.
    #[default]
    Close,
    /// They stay, with their protective orders.
    Keep,
}

impl Default for ExecutionConfig {
    fn default() -> Self {
        Self {
            entry: EntryStyle::default(),
            entry_candles: 1,
            rebalance_band: 0.05,
            atr_period: 14,
            protection_attempts: 3,
            on_halt: OnHalt::default(),
        }
    }
}

impl EngineConfig {
    /// Refuses what contradicts itself.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the field.
    pub fn validate(&self) -> Result<(), TradingError> {
        self.account.validate()?;
        self.execution.validate()?;
        self.sizing.validate()?;
        self.limits.validate()?;
        self.orders.validate()?;
        if self.execution.on_halt == OnHalt::Close && !self.limits.halted_allows_protection {
            let remedy = "set it to true, or execution.on_halt = \"keep\"; no close could pass after a halt";
            return Err(TradingError::config("limits.halted_allows_protection", false, remedy));
        }
        self.tail.as_ref().map_or(Ok(()), TailGateConfig::validate)
    }
}

impl ExecutionConfig {
    /// Refuses what cannot be executed.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the field.
    pub fn validate(&self) -> Result<(), TradingError> {
        if self.entry_candles == 0 {
            return Err(TradingError::config("execution.entry_candles", 0, "give at least 1"));
        }
        if !(self.rebalance_band.is_finite() && (0.0..1.0).contains(&self.rebalance_band)) {
            let remedy = "give a share of equity from 0 to below 1";
            return Err(TradingError::config("execution.rebalance_band", self.rebalance_band, remedy));
        }
        if !(1..=10_000).contains(&self.atr_period) {
            let remedy = "give a number of candles from 1 to 10000";
            return Err(TradingError::config("execution.atr_period", self.atr_period, remedy));
        }
        if let EntryStyle::Limit { offset, .. } = self.entry
            && !(offset.is_finite() && offset.abs() < 0.5)
        {
            let remedy = "give a fraction of the price between -0.5 and 0.5";
            return Err(TradingError::config("execution.entry.offset", offset, remedy));
        }
        Ok(())
    }
}
