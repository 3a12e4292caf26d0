//! The Donchian Channel.

use serde::{Deserialize, Serialize};

use crate::bar::Bar;
use crate::indicator::Indicator;
use crate::indicator::window_fold::WindowExtremes;

/// Donchian Channel: the highest high and the lowest low of the last candles, this one included.
///
/// TA-Lib DONCHIAN, after Richard Donchian (1960). Values: upper and lower band in quote currency;
/// position = (close − lower) / (upper − lower), 0.5 where they are equal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DonchianChannel {
    extremes: WindowExtremes,
}

impl DonchianChannel {
    pub(crate) fn new(period: usize) -> Self {
        Self { extremes: WindowExtremes::new(period) }
    }
}

impl Indicator for DonchianChannel {
    type Values = [f64; 3];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 3] {
        let (upper, lower) = self.extremes.push(bar.high, bar.low);
        if !self.extremes.is_full() {
            return [f64::NAN; 3];
        }
        let position = if upper > lower { (bar.close - lower) / (upper - lower) } else { 0.5 };
        [upper, lower, position]
    }
}
