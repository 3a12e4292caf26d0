//! Support and resistance from pivots.

use serde::{Deserialize, Serialize};

use crate::bar::Bar;
use crate::indicator::Indicator;
use crate::indicator::window_fold::WindowExtremes;

/// Support and resistance from the pivots among the last candles.
///
/// A pivot high of order k is a candle whose high is greater than those of the k candles before it and not
/// less than those of the k after it; so it is known k candles later, and not used before. A pivot low is the
/// mirror image. Pivots `lookback` or more candles ago are forgotten.
///
/// Values: resistance, the nearest pivot high above the close, or else the highest high of the last
/// `lookback` candles; support, its mirror image; candles since the newest pivot high, and low, divided by
/// `lookback`, 1 where there is none. Levels are in quote currency, resistance is not below the close and
/// support not above it. All depend on the last `lookback + order` candles alone, exactly.
///
/// Own definition; pivots as in Bill Williams, Trading Chaos (1995), whose fractals are those of order 2.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PivotLevels {
    /// Of the last `order` candles.
    before: WindowExtremes,
    /// Highest high and lowest low of the `order` candles before the next one.
    extremes_before: (f64, f64),
    /// Of the last `lookback` candles.
    remembered: WindowExtremes,
    resistance: PivotHighs,
    /// Of negated prices.
    support: PivotHighs,
    lookback: i64,
    per_lookback: f64,
    missing: usize,
}

impl PivotLevels {
    /// `lookback` is longer than `order`.
    pub(crate) fn new(order: usize, lookback: usize) -> Self {
        Self {
            before: WindowExtremes::new(order),
            extremes_before: (f64::NEG_INFINITY, f64::INFINITY),
            remembered: WindowExtremes::new(lookback),
            resistance: PivotHighs::new(order, lookback),
            support: PivotHighs::new(order, lookback),
            lookback: lookback as i64,
            per_lookback: 1.0 / lookback as f64,
            missing: Self::lookback(order, lookback),
        }
    }

    /// Index of the first value: of the candles that a pivot may be in, the oldest has the whole order before
    /// it. What was taken for a pivot with fewer candles before it has just been forgotten then.
    pub(crate) fn lookback(order: usize, lookback: usize) -> usize {
        order + lookback - 1
    }

    /// `candles` as a share of the lookback, exactly 1 for the whole.
    #[inline(always)]
    fn share(&self, candles: i64) -> f64 {
        if candles < self.lookback { candles as f64 * self.per_lookback } else { 1.0 }
    }
}

impl Indicator for PivotLevels {
    type Values = [f64; 4];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 4] {
        let (highest_before, lowest_before) = self.extremes_before;
        self.extremes_before = self.before.push(bar.high, bar.low);
        let (highest, lowest) = self.remembered.push(bar.high, bar.low);
        let since_high = self.resistance.push(bar.high, highest_before);
        let since_low = self.support.push(-bar.low, -lowest_before);
        let resistance = self.resistance.pivots.lowest_above(bar.close);
        let support = -self.support.pivots.lowest_above(-bar.close);
        if self.missing > 0 {
            self.missing -= 1;
            return [f64::NAN; 4];
        }
        [
            if resistance < f64::INFINITY { resistance } else { highest },
            if support > f64::NEG_INFINITY { support } else { lowest },
            self.share(since_high),
            self.share(since_low),
        ]
    }
}

/// A candle that is, or may become, a pivot.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Pivot {
    high: f64,
    index: i64,
}

/// No candle has this index.
const NEVER: i64 = i64::MAX;

/// Pivot highs.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct PivotHighs {
    order: i64,
    lookback: i64,
    /// High of the newest candle that may become a pivot. There is only one: a later one with a greater
    /// high rules it out, and one with no greater high is no pivot itself.
    candidate: f64,
    /// The candle that makes the candidate a pivot, if none before rules it out.
    confirmed_at: i64,
    pivots: Pivots,
    /// The candle with which the oldest pivot is forgotten.
    forgotten_at: i64,
    /// The candle of the newest pivot.
    newest: i64,
    /// The next candle. The first is number `lookback`, so that there seems to be a forgotten pivot before.
    index: i64,
}

impl PivotHighs {
    fn new(order: usize, lookback: usize) -> Self {
        Self {
            order: order as i64,
            lookback: lookback as i64,
            candidate: 0.0,
            confirmed_at: NEVER,
            pivots: Pivots::new(order, lookback),
            forgotten_at: NEVER,
            newest: 0,
            index: lookback as i64,
        }
    }

    /// Adds a candle; gives the candles since the newest pivot, at most `lookback`.
    #[inline(always)]
    fn push(&mut self, high: f64, highest_before: f64) -> i64 {
        let index = self.index;
        self.index += 1;
        if high > highest_before {
            self.candidate = high;
            self.confirmed_at = index + self.order;
        }
        if index == self.forgotten_at {
            self.forgotten_at = self.pivots.forget_oldest().map_or(NEVER, |pivot| pivot + self.lookback);
        }
        if index == self.confirmed_at {
            self.newest = index - self.order;
            self.pivots.remember(Pivot { high: self.candidate, index: self.newest });
            self.forgotten_at = self.forgotten_at.min(self.newest + self.lookback);
        }
        (index - self.newest).min(self.lookback)
    }
}

/// The remembered pivots.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pivots {
    /// In the order of time: a ring from `oldest`, `len` of them.
    by_time: Vec<Pivot>,
    oldest: usize,
    len: usize,
    /// The same pivots' highs, rising, between minus infinity and infinities.
    by_high: Vec<f64>,
    /// Where the last close was among them: the place of the last one not above it.
    not_above: usize,
    /// The high there and the next one. A close between them is in the same place. Minus infinity for the
    /// next one says that the pivots have changed.
    below: f64,
    above: f64,
}

impl Pivots {
    fn new(order: usize, lookback: usize) -> Self {
        // Two pivots lie more than `order` candles apart: the later one is greater than those before it.
        let most = lookback / (order + 1) + 1;
        let mut by_high = vec![f64::INFINITY; most + 2];
        by_high[0] = f64::NEG_INFINITY;
        Self {
            by_time: vec![Pivot { high: 0.0, index: 0 }; most],
            oldest: 0,
            len: 0,
            by_high,
            not_above: 0,
            below: f64::NEG_INFINITY,
            above: f64::INFINITY,
        }
    }

    /// The place in the ring of the pivot that `age` others are older than.
    fn place(&self, age: usize) -> usize {
        let place = self.oldest + age;
        if place < self.by_time.len() { place } else { place - self.by_time.len() }
    }

    /// Gives the candle of the pivot that is the oldest then.
    #[inline(never)]
    fn forget_oldest(&mut self) -> Option<i64> {
        let high = self.by_time[self.oldest].high;
        let by_high = &mut self.by_high[..self.len + 2];
        let mut place = by_high.len() - 1;
        let mut moved = f64::INFINITY;
        while moved > high {
            place -= 1;
            moved = std::mem::replace(&mut by_high[place], moved);
        }
        self.oldest = self.place(1);
        self.len -= 1;
        self.above = f64::NEG_INFINITY;
        (self.len > 0).then(|| self.by_time[self.oldest].index)
    }

    #[inline(never)]
    fn remember(&mut self, pivot: Pivot) {
        let place = self.place(self.len);
        self.by_time[place] = pivot;
        self.len += 1;
        let by_high = &mut self.by_high[..self.len + 2];
        let mut place = by_high.len() - 2;
        while by_high[place - 1] > pivot.high {
            by_high[place] = by_high[place - 1];
            place -= 1;
        }
        by_high[place] = pivot.high;
        self.above = f64::NEG_INFINITY;
    }

    /// The lowest high above a close, infinity if there is none.
    #[inline(always)]
    fn lowest_above(&mut self, close: f64) -> f64 {
        if (close >= self.above) | (close < self.below) {
            let mut place = self.not_above;
            while self.by_high[place] > close {
                place -= 1;
            }
            while self.by_high[place + 1] <= close {
                place += 1;
            }
            self.not_above = place;
            self.below = self.by_high[place];
            self.above = self.by_high[place + 1];
        }
        self.above
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::extreme_series::{self, Series};
    use proptest::prelude::*;

    /// What the definition says, candle by candle.
    fn by_definition(s: &Series, order: usize, lookback: usize, now: usize) -> [f64; 4] {
        let window = now + 1 - lookback..=now;
        // The newest candle that can be a pivot has the whole order after it.
        let pivots = |is_pivot: &dyn Fn(usize, usize, bool) -> bool| -> Vec<usize> {
            (*window.start()..=now - order)
                .filter(|&p| (p - order..p).all(|i| is_pivot(p, i, true)))
                .filter(|&p| (p + 1..=p + order).all(|i| is_pivot(p, i, false)))
                .collect()
        };
        let highs = pivots(&|p, i, before| s.high[p] > s.high[i] || !before && s.high[p] == s.high[i]);
        let lows = pivots(&|p, i, before| s.low[p] < s.low[i] || !before && s.low[p] == s.low[i]);
        let close = s.close[now];
        let above = highs.iter().map(|&p| s.high[p]).filter(|&high| high > close).reduce(f64::min);
        let below = lows.iter().map(|&p| s.low[p]).filter(|&low| low < close).reduce(f64::max);
        let since = |pivots: &[usize]| pivots.last().map_or(1.0, |&p| (now - p) as f64 / lookback as f64);
        [
            above.unwrap_or(s.high[window.clone()].iter().copied().fold(f64::MIN, f64::max)),
            below.unwrap_or(s.low[window].iter().copied().fold(f64::MAX, f64::min)),
            since(&highs),
            since(&lows),
        ]
    }

    fn assert_by_definition(s: &Series, order: usize, lookback: usize) {
        let mut levels = PivotLevels::new(order, lookback);
        for (now, bar) in s.bars_from(0).iter().enumerate() {
            let values = levels.push(bar);
            if now + 1 < lookback + order {
                assert!(values.iter().all(|value| value.is_nan()), "candle {now}");
                continue;
            }
            let expected = by_definition(s, order, lookback, now);
            assert_eq!(values[..2], expected[..2], "{} at candle {now}, order {order}", s.name);
            for index in [2, 3] {
                assert!((values[index] - expected[index]).abs() < 1e-15, "{} at candle {now}", s.name);
            }
        }
    }

    #[test]
    fn extremes_by_definition() {
        for series in extreme_series::all() {
            assert_by_definition(&series, 5, 200);
            assert_by_definition(&series, 20, 200);
        }
    }

    #[test]
    fn a_pivot_is_not_known_before_the_candles_after_it() {
        let highs = [10.0, 11.0, 15.0, 12.0, 11.0, 10.0, 10.0, 10.0];
        let s = Series::from_candles("one peak", highs.map(|high| [9.0, high, 8.0, 9.0, 1.0]));
        let mut levels = PivotLevels::new(2, 5);
        let values: Vec<_> = s.bars_from(0).iter().map(|bar| levels.push(bar)).collect();
        assert_eq!(values[6][0], 15.0);
        assert_eq!(values[6][2], 4.0 / 5.0);
        // Five candles later it is forgotten, and no other is above.
        assert_eq!(values[7][0], 12.0);
        assert_eq!(values[7][2], 1.0);
    }

    proptest! {
        #[test]
        fn any_series_by_definition(
            candles in proptest::collection::vec((1u8..9, 1u8..9, 1u8..9), 5..120),
            order in 1usize..5,
            more in 1usize..25,
        ) {
            let s = Series::from_candles("any", candles.into_iter().map(|(one, other, close)| {
                let (one, other, close) = (f64::from(one), f64::from(other), f64::from(close));
                [close, one.max(other).max(close), one.min(other).min(close), close, 1.0]
            }));
            assert_by_definition(&s, order, 2 * order + more);
        }
    }
}
