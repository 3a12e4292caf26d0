//! Small folds over candles that exits, filters and strategies measure the market by.
//!
//! Each takes one candle or value after the other and answers once it has seen enough; a push allocates
//! nothing. What cannot be a value (a candle that cannot have happened, a number that is not finite) counts
//! as a gap: the fold starts anew, as after `reset`. Use `reset` too where candles are missing, for what is
//! remembered is not adjacent then.
//!
//! The recursions and their first values are those of TA-Lib (without its optional unstable period), so that
//! levels agree with what charting tools show.

mod atr;
mod ema;
#[cfg(test)]
mod tests;
mod trend;
mod volatility;
mod window;

pub use atr::{AverageTrueRange, true_range};
pub use ema::{ExponentialMovingAverage, SimpleMovingAverage};
pub use trend::{AverageDirectionalIndex, EfficiencyRatio};
pub use volatility::{EwmaVolatility, StandardDeviation};

use crate::error::TradingError;

/// Longest window: three years of five-minute candles fit.
const LONGEST_PERIOD: usize = 1 << 20;

/// A period that a fold can have.
fn checked_period(field: &'static str, period: usize, least: usize) -> Result<usize, TradingError> {
    if (least..=LONGEST_PERIOD).contains(&period) {
        return Ok(period);
    }
    let remedy = if least == 1 { "give 1 to 1048576 candles" } else { "give 2 to 1048576 candles" };
    Err(TradingError::config(field, period, remedy))
}
