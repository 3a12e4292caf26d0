//! One candle.

use serde::{Deserialize, Serialize};

use crate::timestamp::Timestamp;

/// One candle: what traded between `open_time` and the close of its timeframe.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candle {
    /// When the candle opens (ms UTC). Its values are known only when it closes.
    pub open_time: Timestamp,
    /// First price, in quote currency.
    pub open: f64,
    /// Highest price, in quote currency.
    pub high: f64,
    /// Lowest price, in quote currency.
    pub low: f64,
    /// Last price, in quote currency.
    pub close: f64,
    /// Traded amount in base currency.
    pub volume: f64,
    /// Traded amount in quote currency, where the source states it.
    pub turnover: Option<f64>,
}

/// Why a candle cannot have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CandleFault {
    /// A value is NaN or infinite.
    NonFinite,
    /// A price is zero or negative.
    NonPositivePrice,
    /// The volume or the turnover is negative.
    NegativeVolume,
    /// The high lies below, or the low above, another price of the candle.
    ImpossibleOhlc,
}

impl Candle {
    /// The first reason why this candle cannot have happened, if there is one.
    #[inline]
    pub fn fault(&self) -> Option<CandleFault> {
        fault_of(self.open, self.high, self.low, self.close, self.volume, self.turnover.unwrap_or(0.0))
    }
}

/// [`Candle::fault`] over plain numbers, for columns. An unknown turnover is passed as 0.
#[inline]
pub(crate) fn fault_of(
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: f64,
    turnover: f64,
) -> Option<CandleFault> {
    // One comparison chain covers the good case: every comparison with NaN is false.
    let sound = low > 0.0
        && low <= open
        && low <= close
        && open <= high
        && close <= high
        && high < f64::INFINITY
        && (0.0..f64::INFINITY).contains(&volume)
        && (0.0..f64::INFINITY).contains(&turnover);
    if sound {
        return None;
    }
    let finite = [open, high, low, close, volume, turnover].iter().all(|value| value.is_finite());
    Some(if !finite {
        CandleFault::NonFinite
    } else if open <= 0.0 || high <= 0.0 || low <= 0.0 || close <= 0.0 {
        CandleFault::NonPositivePrice
    } else if volume < 0.0 || turnover < 0.0 {
        CandleFault::NegativeVolume
    } else {
        CandleFault::ImpossibleOhlc
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candle(open: f64, high: f64, low: f64, close: f64, volume: f64) -> Candle {
        Candle { open_time: Timestamp::default(), open, high, low, close, volume, turnover: None }
    }

    #[test]
    fn names_the_fault() {
        use CandleFault::*;
        for (candle, expected) in [
            (candle(10.0, 12.0, 9.0, 11.0, 0.0), None),
            (candle(10.0, 10.0, 10.0, 10.0, 5.0), None),
            (candle(10.0, 9.0, 9.0, 9.0, 5.0), Some(ImpossibleOhlc)),
            (candle(10.0, 12.0, 11.0, 11.0, 5.0), Some(ImpossibleOhlc)),
            (candle(0.0, 12.0, 0.0, 11.0, 5.0), Some(NonPositivePrice)),
            (candle(f64::NAN, 12.0, 9.0, 11.0, 5.0), Some(NonFinite)),
            (candle(10.0, f64::INFINITY, 9.0, 11.0, 5.0), Some(NonFinite)),
            (candle(10.0, 12.0, 9.0, 11.0, -1.0), Some(NegativeVolume)),
        ] {
            assert_eq!(candle.fault(), expected, "{candle:?}");
        }
        let negative_turnover = Candle { turnover: Some(-1.0), ..candle(10.0, 12.0, 9.0, 11.0, 1.0) };
        assert_eq!(negative_turnover.fault(), Some(NegativeVolume));
    }
}
