//! The shape of one candle.

use serde::{Deserialize, Serialize};

use crate::bar::Bar;
use crate::indicator::Indicator;

/// Shape of the newest candle, in shares of its prices. In this order:
///
/// 0. body, `(close - open) / open`
/// 1. range, `(high - low) / close`
/// 2. upper wick, `(high - max(open, close)) / (high - low)`; 0 without a range
/// 3. lower wick, `(min(open, close) - low) / (high - low)`; 0 without a range
/// 4. location of the close, `(close - low) / (high - low)`; 0.5 without a range
/// 5. opening gap, `open / previous close - 1`
/// 6. true range, `(max(high, previous close) - min(low, previous close)) / close`
///
/// The last two are not there on the first candle of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CandleGeometry;

impl Indicator for CandleGeometry {
    type Values = [f64; 7];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [f64; 7] {
        let range = bar.range();
        let (upper, lower) = if bar.close > bar.open { (bar.close, bar.open) } else { (bar.open, bar.close) };
        let [upper_wick, lower_wick, close_location] = if range > 0.0 {
            [(bar.high - upper) / range, (lower - bar.low) / range, (bar.close - bar.low) / range]
        } else {
            [0.0, 0.0, 0.5]
        };
        let [opening_gap, true_range] = if bar.first {
            [f64::NAN; 2]
        } else {
            [bar.open / bar.previous_close - 1.0, bar.true_range / bar.close]
        };
        [
            (bar.close - bar.open) / bar.open,
            range / bar.close,
            upper_wick,
            lower_wick,
            close_location,
            opening_gap,
            true_range,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::generated_series::bars;

    #[test]
    fn the_shape_of_three_candles() {
        let candles =
            [[8.0, 14.0, 6.0, 10.0, 1.0], [20.0, 21.0, 12.0, 16.0, 1.0], [16.0, 16.0, 16.0, 16.0, 0.0]];
        let shapes: Vec<_> = bars(&candles).iter().map(|bar| CandleGeometry.push(bar)).collect();
        assert_eq!(shapes[0][..5], [0.25, 0.8, 0.5, 0.25, 0.5]);
        assert!(shapes[0][5..].iter().all(|value| value.is_nan()));
        assert_eq!(shapes[1], [-0.2, 9.0 / 16.0, 1.0 / 9.0, 4.0 / 9.0, 4.0 / 9.0, 1.0, 11.0 / 16.0]);
        assert_eq!(shapes[2], [0.0, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0]);
    }
}
