//! Wilder's parabolic stop and reverse.

use std::hint::select_unpredictable;

use serde::{Deserialize, Serialize};

use super::Indicator;
use crate::bar::Bar;

/// Wilder's parabolic stop and reverse, in quote currency (TA-Lib SAR; Welles Wilder, "New Concepts in
/// Technical Trading Systems", 1978).
///
/// The stop approaches the extreme price of the position: `stop += factor · (extreme − stop)`, not beyond the
/// lows of this candle and the one before; the factor grows by `acceleration` with each new extreme, up to
/// `maximum`. A candle that reaches the stop reverses the position, and the extreme becomes the stop.
/// As in TA-Lib the second candle opens the first position, long unless the low fell further than the high
/// rose, with the first candle's extreme as the stop.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ParabolicSar {
    acceleration: f64,
    maximum: f64,
    long: bool,
    factor: f64,
    /// Stop and extreme of a long position. A short position is a long one in negated prices.
    stop: f64,
    extreme: f64,
    previous_high: f64,
    previous_low: f64,
    opened: bool,
}

impl ParabolicSar {
    /// `acceleration` is at most `maximum`.
    pub(crate) fn new(acceleration: f64, maximum: f64) -> Self {
        Self {
            acceleration,
            maximum,
            long: true,
            factor: acceleration,
            stop: f64::NAN,
            extreme: f64::NAN,
            previous_high: f64::NAN,
            previous_low: f64::NAN,
            opened: false,
        }
    }

    /// Opens the first position at the second candle.
    #[inline(always)]
    fn open(&mut self, bar: &Bar) {
        let rise = bar.high - self.previous_high;
        let fall = self.previous_low - bar.low;
        self.long = !(fall > 0.0 && fall > rise);
        (self.extreme, self.stop) =
            if self.long { (bar.high, self.previous_low) } else { (-bar.low, -self.previous_high) };
        // The stop may not rise beyond the lows of this candle and the one before; here the one before does
        // not count.
        (self.previous_high, self.previous_low) = (bar.high, bar.low);
        self.opened = true;
    }
}

/// High and low of a candle in the prices of the position: negated for a short one.
#[inline]
fn seen_from(long: bool, high: f64, low: f64) -> (f64, f64) {
    if long { (high, low) } else { (-low, -high) }
}

/// The lesser of two numbers, neither of which is NaN: one instruction, unlike [`f64::min`].
#[inline]
fn lesser(one: f64, other: f64) -> f64 {
    if one < other { one } else { other }
}

impl Indicator for ParabolicSar {
    type Values = [f64; 1];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        if bar.first {
            (self.previous_high, self.previous_low) = (bar.high, bar.low);
            return [f64::NAN];
        }
        if !self.opened {
            self.open(bar);
        }
        let (mut high, mut low) = seen_from(self.long, bar.high, bar.low);
        let reversed = low <= self.stop;
        if reversed {
            self.long = !self.long;
            (high, low) = (-low, -high);
        }
        let (_, previous_low) = seen_from(self.long, self.previous_high, self.previous_low);
        let highest_stop = lesser(previous_low, low);
        if reversed {
            self.stop = lesser(-self.extreme, highest_stop);
            self.factor = self.acceleration;
            self.extreme = high;
        } else {
            let faster = lesser(self.factor + self.acceleration, self.maximum);
            let extended = high > self.extreme;
            self.factor = select_unpredictable(extended, faster, self.factor);
            self.extreme = select_unpredictable(extended, high, self.extreme);
        }
        let stop = self.stop;
        // Fused as in TA-Lib: where a candle ends exactly on the stop, the last bit decides whether the
        // position reverses, and all values after that.
        self.stop = lesser(self.factor.mul_add(self.extreme - stop, stop), highest_stop);
        (self.previous_high, self.previous_low) = (bar.high, bar.low);
        [if self.long { stop } else { -stop }]
    }
}
