//! The change over some candles in percent.

use serde::{Deserialize, Serialize};

use crate::bar::Bar;
use crate::indicator::Indicator;
use crate::rolling::Window;

/// Rate of change in percent: `100 * (close / close before period candles - 1)`.
///
/// TA-Lib `ROC`, from candle `period` on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RateOfChange {
    closes: Window,
}

impl RateOfChange {
    pub(crate) fn new(period: usize) -> Self {
        Self { closes: Window::new(period) }
    }
}

impl Indicator for RateOfChange {
    type Values = [f64; 1];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        match self.closes.push(bar.close) {
            Some(before) => [(bar.close / before - 1.0) * 100.0],
            None => [f64::NAN],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::generated_series::{bars, closes};

    #[test]
    fn the_change_over_two_candles() {
        let mut change = RateOfChange::new(2);
        let values: Vec<f64> =
            bars(&closes(&[8.0, 9.0, 10.0, 4.5])).iter().map(|bar| change.push(bar)[0]).collect();
        assert!(values[..2].iter().all(|value| value.is_nan()));
        assert_eq!(values[2..], [25.0, -50.0]);
    }
}
