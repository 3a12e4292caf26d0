//! Distance of the close from the volume-weighted average price.

use serde::{Deserialize, Serialize};

use crate::bar::Bar;
use crate::indicator::Indicator;
use crate::indicator::window_fold::WindowSums;

/// (close − vwap) / vwap with vwap = money / volume; 0 where no money was spent.
#[inline]
fn distance(close: f64, money: f64, volume: f64) -> f64 {
    if money > 0.0 { (close * volume - money) / money } else { 0.0 }
}

/// Distance of the close from the volume-weighted average of the last typical prices, as a share of it;
/// 0 where there was no volume.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RollingVwapDistance {
    /// Of the money and of the volume.
    sums: WindowSums,
}

impl RollingVwapDistance {
    pub(crate) fn new(period: usize) -> Self {
        Self { sums: WindowSums::new(period) }
    }
}

impl Indicator for RollingVwapDistance {
    type Values = [f64; 1];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        let sums = self.sums.push([bar.typical() * bar.volume, bar.volume]);
        [sums.map_or(f64::NAN, |[money, volume]| distance(bar.close, money, volume))]
    }
}

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// Distance of the close from the volume-weighted average of the typical prices since 00:00 UTC, as a share
/// of it; 0 where there was no volume.
///
/// A candle that closes at 00:00 belongs to the day before. NaN until the run has seen a day begin, which is
/// when a candle belongs to another day than the first one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct DayVwapDistance {
    /// The day of the newest candle, in days since 1970.
    day: Option<i64>,
    saw_day_begin: bool,
    money: f64,
    volume: f64,
}

impl Indicator for DayVwapDistance {
    type Values = [f64; 1];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        let day = (bar.close_time.as_millis() - 1).div_euclid(DAY_MILLIS);
        if self.day != Some(day) {
            self.saw_day_begin = self.day.is_some();
            self.day = Some(day);
            self.money = 0.0;
            self.volume = 0.0;
        }
        self.money += bar.typical() * bar.volume;
        self.volume += bar.volume;
        [if self.saw_day_begin { distance(bar.close, self.money, self.volume) } else { f64::NAN }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market_data::Timestamp;

    const HOUR: i64 = 60 * 60 * 1000;

    /// The distances of flat candles given as (hour of the close, price, volume).
    fn distances(candles: &[(i64, f64, f64)]) -> Vec<f64> {
        let mut indicator = DayVwapDistance::default();
        let mut previous = None;
        candles
            .iter()
            .map(|&(hour, price, volume)| {
                let time = Timestamp::from_millis(hour * HOUR);
                let bar = Bar::new(time, [price, price, price, price, volume], previous);
                previous = Some(price);
                indicator.push(&bar)[0]
            })
            .collect()
    }

    #[test]
    fn the_day_begins_after_midnight() {
        let values =
            distances(&[(23, 7.0, 9.0), (24, 8.0, 9.0), (25, 10.0, 3.0), (26, 20.0, 1.0), (48, 25.0, 6.0)]);
        assert!(values[0].is_nan() && values[1].is_nan());
        let near = |value: f64, expected: f64| (value - expected).abs() < 1e-15;
        assert_eq!(values[2], 0.0);
        assert!(near(values[3], 20.0 / 12.5 - 1.0), "{}", values[3]);
        // The candle that closes at midnight belongs to the day before: (30 + 20 + 150) / 10 = 20.
        assert!(near(values[4], 25.0 / 20.0 - 1.0), "{}", values[4]);
        let values =
            distances(&[(47, 7.0, 9.0), (48, 8.0, 9.0), (49, 9.0, 0.0), (50, 9.0, 2.0), (51, 12.0, 1.0)]);
        assert_eq!(values[2..4], [0.0, 0.0]);
        assert!(near(values[4], 0.2));
    }

    #[test]
    fn days_before_1970_and_candles_of_a_day_or_more() {
        let values = distances(&[(-25, 7.0, 1.0), (-24, 7.0, 1.0), (-23, 8.0, 1.0), (0, 10.0, 1.0)]);
        assert!(values[1].is_nan());
        assert_eq!(values[2], 0.0);
        assert!((values[3] - 1.0 / 9.0).abs() < 1e-15);
        assert_eq!(distances(&[(24, 7.0, 1.0), (48, 8.0, 2.0), (216, 9.0, 3.0)])[1..], [0.0, 0.0]);
    }
}
