//! Out of time by regime: how a finished result divides over bull, bear and sideways markets.
//!
//! The regimes of days are labelled *with hindsight* ([`label_days`]): that a market had turned is known only
//! weeks later. So they attribute results that are there already, and must never feed a decision.
//!
//! Invariant: the product of 1 + return over the regimes is 1 + the total return, of the strategy and of the
//! benchmark.

mod attribution;
mod benchmark;
mod filter;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trading::TradingError;

pub use attribution::{RegimeAttribution, RegimeResult, RegimeStretch, attribute_to_regimes};
pub use benchmark::DailyIndex;
pub use filter::label_days;

/// What a market does over weeks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MarketRegime {
    /// It rises from a low to a high.
    Bull,
    /// It falls from a high to a low.
    Bear,
    /// It does neither.
    Sideways,
}

impl MarketRegime {
    /// All of them, in the order of a report.
    pub const ALL: [Self; 3] = [Self::Bull, Self::Bear, Self::Sideways];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bull => "bull",
            Self::Bear => "bear",
            Self::Sideways => "sideways",
        }
    }
}

/// When a market is a bull or a bear market; see [`label_days`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RegimeConfig {
    /// Rise from the lowest close that ends a bear market, as a fraction of that close.
    pub rise: f64,
    /// Fall from the highest close that ends a bull market, as a fraction of that close.
    pub fall: f64,
    /// Days without a new high in a bull market, or a new low in a bear market, from which on the days
    /// between count as sideways.
    pub pause_days: usize,
}

impl Default for RegimeConfig {
    /// A fifth either way, which is the common usage of the words, and a month.
    fn default() -> Self {
        Self { rise: 0.2, fall: 0.2, pause_days: 30 }
    }
}

impl RegimeConfig {
    /// Refuses settings that make no regimes.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the setting, its value and the remedy.
    pub fn validate(&self) -> Result<(), TradingError> {
        let refuse = |field, value: String, remedy| Err(TradingError::Config { field, value, remedy });
        if !(self.rise > 0.0 && self.rise <= 10.0) {
            return refuse(
                "regime.rise",
                self.rise.to_string(),
                "give a fraction above 0 and at most 10, such as 0.2",
            );
        }
        if !(self.fall > 0.0 && self.fall < 1.0) {
            return refuse(
                "regime.fall",
                self.fall.to_string(),
                "give a fraction between 0 and 1, such as 0.2",
            );
        }
        if self.pause_days < 2 {
            let remedy = "give 2 days or more, such as 30; very many switch pauses off";
            return refuse("regime.pause_days", self.pause_days.to_string(), remedy);
        }
        Ok(())
    }
}
