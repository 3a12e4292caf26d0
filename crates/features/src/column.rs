//! What a column is.

use serde::Serialize;

/// The group that a column belongs to; each can be switched in a [`crate::FeatureSpec`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// Returns and the geometry of the candle.
    Price,
    /// Moving averages and the direction of the price.
    Trend,
    /// Oscillators.
    Momentum,
    /// The size of movements.
    Volatility,
    /// Volume and where it went.
    Volume,
    /// The Hilbert transform's cycles.
    Cycle,
    /// Candlestick patterns.
    Pattern,
    /// Support and resistance.
    Level,
    /// The calendar.
    Time,
    /// Indicators of the library `yata`.
    Yata,
    /// Longer timeframes.
    HigherTimeframe,
    /// Relation to another symbol.
    CrossAsset,
    /// Series from outside the market.
    Exogenous,
}

/// The unit of an indicator's own values, which decides how they become comparable between symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Without unit already: taken as it is.
    Plain,
    /// A price level in quote currency: its distance from the close is taken.
    PriceLevel,
    /// A difference of prices in quote currency: taken relative to the close or the average true range.
    PriceDifference,
    /// An amount in base currency: taken relative to the mean volume.
    Volume,
}

/// One column of a feature frame.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColumnInfo {
    /// Unique name, for example `ema_20`.
    pub name: String,
    /// Its group.
    pub group: Group,
    /// How it is computed, in words or as a formula.
    pub formula: String,
    /// Where the formula comes from: book, paper, or the TA-Lib function.
    pub source: &'static str,
    /// The unit of the formula's value.
    pub unit: Unit,
    /// Candles of a run that pass before the value is used: after these it does not depend on where the
    /// run began, to one part in a million.
    pub warm_up: usize,
    /// Whether the value may be unknown after the warm-up too, because it waits for something: a value from
    /// outside, the first midnight. The row is masked then.
    pub waits: bool,
    /// Smallest value possible, without unit scaling; `-inf` where there is no bound.
    pub minimum: f64,
    /// Largest value possible, without unit scaling; `inf` where there is no bound.
    pub maximum: f64,
}
