//! One closed candle, as indicators see it.

use market_data::Timestamp;
use serde::{Deserialize, Serialize};

/// One closed candle and what follows from it and the candle before.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bar {
    /// When the candle closes, which is when it is known (ms UTC).
    pub(crate) close_time: Timestamp,
    /// First price, in quote currency.
    pub(crate) open: f64,
    /// Highest price, in quote currency.
    pub(crate) high: f64,
    /// Lowest price, in quote currency.
    pub(crate) low: f64,
    /// Last price, in quote currency.
    pub(crate) close: f64,
    /// Traded amount in base currency.
    pub(crate) volume: f64,
    /// Close of the candle before; on the first candle of a run its own open.
    pub(crate) previous_close: f64,
    /// Wilder's true range: the range of the candle with the close before it.
    pub(crate) true_range: f64,
    /// `ln(close / previous_close)`.
    pub(crate) log_return: f64,
    /// Whether no candle of this run came before.
    pub(crate) first: bool,
}

impl Bar {
    /// The bar of one candle that closes at `close_time`, with prices and volume as
    /// `[open, high, low, close, volume]`, after the close `previous_close` of the run, if there is one.
    #[inline]
    pub(crate) fn new(close_time: Timestamp, values: [f64; 5], previous_close: Option<f64>) -> Self {
        let [open, high, low, close, volume] = values;
        let before = previous_close.unwrap_or(open);
        let true_range = if previous_close.is_some() {
            (high - low).max((high - before).abs()).max((low - before).abs())
        } else {
            high - low
        };
        Self {
            close_time,
            open,
            high,
            low,
            close,
            volume,
            previous_close: before,
            true_range,
            log_return: (close / before).ln(),
            first: previous_close.is_none(),
        }
    }

    /// `(high + low + close) / 3`.
    #[inline]
    pub(crate) fn typical(&self) -> f64 {
        (self.high + self.low + self.close) / 3.0
    }

    /// `high - low`, in quote currency.
    #[inline]
    pub(crate) fn range(&self) -> f64 {
        self.high - self.low
    }
}
