//! The highest and the lowest price of a window.

use serde::{Deserialize, Serialize};

/// Highest of the last `period` highs and lowest of the last `period` lows.
///
/// The algorithm of van Herk (1992) and of Gil and Werman (1993) as a fold: candles are cut into blocks of
/// `period`. A window consists of the end of one block and the beginning of the next, so that two comparisons
/// join what is known of both. The work per candle is the same for any period and any series.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Extremes {
    /// Highest from each candle of the previous block to the end of that block, and behind it that of
    /// nothing; the highs of the current block overwrite it from the front.
    highs: Vec<f64>,
    /// The same with lowest and lows.
    lows: Vec<f64>,
    /// Candles in the current block.
    filled: usize,
    /// Of the current block.
    highest: f64,
    /// Of the current block.
    lowest: f64,
    /// Whether there is a previous block.
    has_previous: bool,
}

/// The highest of no prices at all.
const NO_HIGH: f64 = f64::NEG_INFINITY;
/// The lowest of no prices at all.
const NO_LOW: f64 = f64::INFINITY;

/// A plain comparison, unlike `f64::max`, needs no instructions for NaN; there is none among prices.
#[inline]
fn higher(one: f64, other: f64) -> f64 {
    if other > one { other } else { one }
}

/// See [`higher`].
#[inline]
fn lower(one: f64, other: f64) -> f64 {
    if other < one { other } else { one }
}

impl Extremes {
    /// `period` is at least 1.
    pub(crate) fn new(period: usize) -> Self {
        Self {
            highs: vec![NO_HIGH; period + 1],
            lows: vec![NO_LOW; period + 1],
            filled: 0,
            highest: NO_HIGH,
            lowest: NO_LOW,
            has_previous: false,
        }
    }

    /// Adds a candle's high and low; gives the highest and the lowest once there are `period` of them.
    // By itself the compiler leaves this out of a block's loop, which then takes a quarter longer.
    #[inline(always)]
    pub(crate) fn push(&mut self, high: f64, low: f64) -> Option<(f64, f64)> {
        self.highest = higher(self.highest, high);
        self.lowest = lower(self.lowest, low);
        self.highs[self.filled] = high;
        self.lows[self.filled] = low;
        self.filled += 1;
        let highest = higher(self.highs[self.filled], self.highest);
        let lowest = lower(self.lows[self.filled], self.lowest);
        if self.filled + 1 == self.highs.len() {
            self.end_block();
        }
        self.has_previous.then_some((highest, lowest))
    }

    /// Makes the current block the previous one.
    #[inline]
    fn end_block(&mut self) {
        let mut highest = NO_HIGH;
        for high in self.highs.iter_mut().rev() {
            highest = higher(highest, *high);
            *high = highest;
        }
        let mut lowest = NO_LOW;
        for low in self.lows.iter_mut().rev() {
            lowest = lower(lowest, *low);
            *low = lowest;
        }
        self.filled = 0;
        self.highest = NO_HIGH;
        self.lowest = NO_LOW;
        self.has_previous = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::generated_series::Random;

    #[test]
    fn the_same_as_a_search_through_the_window() {
        let mut random = Random::new(1);
        let prices: Vec<(f64, f64)> = (0..2_000)
            .map(|_| {
                let low = (random.uniform() * 20.0).floor();
                (low + (random.uniform() * 20.0).floor(), low)
            })
            .collect();
        for period in [1, 2, 3, 5, 14, 60, 333] {
            let mut extremes = Extremes::new(period);
            for (index, &(high, low)) in prices.iter().enumerate() {
                let searched = (index + 1 >= period).then(|| {
                    let window = &prices[index + 1 - period..=index];
                    let highest = window.iter().map(|candle| candle.0).fold(f64::NEG_INFINITY, f64::max);
                    let lowest = window.iter().map(|candle| candle.1).fold(f64::INFINITY, f64::min);
                    (highest, lowest)
                });
                assert_eq!(extremes.push(high, low), searched, "period {period}, candle {index}");
            }
        }
    }
}
