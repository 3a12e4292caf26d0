//! Wilder's directional movement.

use std::hint::select_unpredictable;

use serde::{Deserialize, Serialize};

use super::Indicator;
use crate::bar::Bar;
use crate::smoothing::{Ema, WilderSum};

/// Sum of both directional indicators below which there is no direction: TA-Lib's zero.
const NO_MOVEMENT: f64 = 1e-14;

/// Wilder's average directional index and directional indicators, 0 to 100 (TA-Lib ADX, PLUS_DI, MINUS_DI;
/// Welles Wilder, "New Concepts in Technical Trading Systems", 1978).
///
/// `+DI = 100 · sum(upward movement) / sum(true range)` with Wilder's sums, and −DI likewise; the ADX is
/// Wilder's average of `100 · |+DI − −DI| / (+DI + −DI)`. Upward movement is what the high gained, where that
/// is more than the low lost. While all true ranges are zero the indicators are 0 and the ADX stays.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DirectionalMovement {
    previous_high: f64,
    previous_low: f64,
    upward: WilderSum,
    downward: WilderSum,
    true_range: WilderSum,
    average: Ema,
    /// The last ADX; 0 before the first.
    adx: f64,
}

impl DirectionalMovement {
    pub(crate) fn new(period: usize) -> Self {
        Self {
            previous_high: f64::NAN,
            previous_low: f64::NAN,
            upward: WilderSum::new(period),
            downward: WilderSum::new(period),
            true_range: WilderSum::new(period),
            average: Ema::wilder(period),
            adx: 0.0,
        }
    }
}

impl Indicator for DirectionalMovement {
    /// ADX, +DI, −DI.
    type Values = [f64; 3];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 3] {
        let gained = bar.high - self.previous_high;
        let lost = self.previous_low - bar.low;
        self.previous_high = bar.high;
        self.previous_low = bar.low;
        if bar.first {
            return [f64::NAN; 3];
        }
        let upward = select_unpredictable((gained > lost) & (gained > 0.0), gained, 0.0);
        let downward = select_unpredictable((lost > gained) & (lost > 0.0), lost, 0.0);
        let upward = self.upward.push(upward);
        let downward = self.downward.push(downward);
        let true_range = self.true_range.push(bar.true_range);
        let (Some(upward), Some(downward), Some(true_range)) = (upward, downward, true_range) else {
            return [f64::NAN; 3];
        };
        let (mut plus, mut minus) = (0.0, 0.0);
        if true_range > 0.0 {
            plus = 100.0 * (upward / true_range);
            minus = 100.0 * (downward / true_range);
        }
        let both = plus + minus;
        let index = if both < NO_MOVEMENT { self.adx } else { 100.0 * ((plus - minus).abs() / both) };
        let adx = self.average.push(index);
        self.adx = adx.unwrap_or(0.0);
        [adx.unwrap_or(f64::NAN), plus, minus]
    }
}
