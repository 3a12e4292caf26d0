//! Groups of columns: each has options in the specification and knows its indicators.

mod cross_asset;
mod cycle;
mod exogenous;
mod higher_timeframe;
mod level;
mod momentum;
mod pattern;
#[cfg(test)]
mod plan_checks;
mod price;
pub(crate) mod time;
mod trend;
mod volatility;
mod volume;
mod yata;

pub use cross_asset::CrossAssetOptions;
pub use cycle::*;
pub use exogenous::{ExogenousColumn, ExogenousOptions, Transform};
pub use higher_timeframe::HigherTimeframeOptions;
pub use level::*;
pub use momentum::*;
pub use pattern::*;
pub use price::*;
pub use time::*;
pub use trend::*;
pub use volatility::*;
pub use volume::*;
pub use yata::{YataIndicator, YataOptions};
