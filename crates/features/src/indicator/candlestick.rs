//! Candlestick patterns as TA-Lib recognises them, all from one pass.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Node;
use crate::bar::Bar;
use crate::error::FeatureError;

/// A candlestick pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pattern {
    /// Open and close nearly equal.
    Doji,
    /// Doji with a lower shadow only.
    DragonflyDoji,
    /// Doji with an upper shadow only.
    GravestoneDoji,
    /// Small body near the low before it, with a long lower shadow.
    Hammer,
    /// Small body near the high before it, with a long lower shadow.
    HangingMan,
    /// Small body below the body before it, with a long upper shadow.
    InvertedHammer,
    /// Small body above the body before it, with a long upper shadow.
    ShootingStar,
    /// Body around the whole body before it, of the other colour.
    Engulfing,
    /// Short body within the long body before it.
    Harami,
    /// Long white body from below the low before it into the long black body.
    Piercing,
    /// Black body from above the high before it into the long white body.
    DarkCloudCover,
    /// Long black body, short body below it, white body back into the first.
    MorningStar,
    /// Long white body, short body above it, black body back into the first.
    EveningStar,
    /// Three white bodies, each from within the one before and closing higher, with hardly an upper shadow.
    ThreeWhiteSoldiers,
    /// Three black bodies, each from within the one before and closing lower, with hardly a lower shadow.
    ThreeBlackCrows,
}

impl Pattern {
    /// All patterns, in the order in which [`Candlesticks::push`] gives them.
    pub(crate) const ALL: [Self; 15] = [
        Self::Doji,
        Self::DragonflyDoji,
        Self::GravestoneDoji,
        Self::Hammer,
        Self::HangingMan,
        Self::InvertedHammer,
        Self::ShootingStar,
        Self::Engulfing,
        Self::Harami,
        Self::Piercing,
        Self::DarkCloudCover,
        Self::MorningStar,
        Self::EveningStar,
        Self::ThreeWhiteSoldiers,
        Self::ThreeBlackCrows,
    ];

    /// Index of the first candle for which TA-Lib gives a value.
    pub(crate) const fn lookback(self) -> usize {
        match self {
            Self::Engulfing => 2,
            Self::Doji | Self::DragonflyDoji | Self::GravestoneDoji => 10,
            Self::Hammer
            | Self::HangingMan
            | Self::InvertedHammer
            | Self::ShootingStar
            | Self::Harami
            | Self::Piercing
            | Self::DarkCloudCover => 11,
            Self::MorningStar | Self::EveningStar | Self::ThreeWhiteSoldiers => 12,
            Self::ThreeBlackCrows => 13,
        }
    }
}

/// From this index on all patterns have values.
const SETTLED: u64 = 13;
/// Candles over which TA-Lib averages bodies, and ranges for "doji" and "very short shadow".
const LONG_AVERAGE: u64 = 10;
/// Candles over which TA-Lib averages ranges for "near" and "far".
const SHORT_AVERAGE: u64 = 5;

/// What the patterns ask about a candle.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Candle {
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    body: f64,
    /// Higher end of the body.
    top: f64,
    /// Lower end of the body.
    bottom: f64,
    upper_shadow: f64,
    lower_shadow: f64,
    white: bool,
    /// Average body of the 10 candles before, by the index at which its sum began.
    average_body: [f64; 3],
    /// A tenth of the average range of the 10 candles before, by the index at which its sum began.
    tenth_of_range: [f64; 4],
    /// Average range of the 5 candles before, from sums that began at index 5 and 6.
    average_near_range: [f64; 2],
}

/// Moves sums over the last `length` candles one candle on. The first of the sums began at the index `first`,
/// each next one a candle later.
///
/// TA-Lib begins the sums of each pattern anew at that pattern's lookback, so that sums over the same candles
/// differ by rounding. Prices move in ticks, so that a body often equals the average exactly, and then
/// rounding decides.
fn advance<const N: usize>(
    sums: &mut [f64; N],
    first: u64,
    length: u64,
    index: u64,
    newest: f64,
    oldest: f64,
) {
    if index >= SETTLED {
        for sum in sums {
            *sum += newest - oldest;
        }
        return;
    }
    for (start, sum) in (first..).zip(sums) {
        if index >= start + length {
            *sum += newest - oldest;
        } else if index >= start {
            *sum += newest;
        }
    }
}

/// The 15 patterns: 100 or 80 where one occurs that is bullish, or neither, -100 or -80 where it is bearish,
/// else 0.
///
/// Steve Nison, *Japanese Candlestick Charting Techniques*, 1991, and Gregory L. Morris, *Candlestick
/// Charting Explained*, 1995, as TA-Lib's `CDL…` functions read them with their default settings: long and
/// short bodies are compared with the average body of the 10 candles before, a doji and a very short shadow
/// with a tenth of their average range, near and far with 0.2 and 0.6 of the average range of 5 candles; a
/// shadow is long when longer than the body.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Candlesticks {
    seen: u64,
    /// Body and range of the last 16 candles, at their index modulo 16.
    sizes: [[f64; 2]; 16],
    /// The last four candles, at their index modulo 4.
    candles: [Candle; 4],
    body_sums: [f64; 3],
    range_sums: [f64; 4],
    near_range_sums: [f64; 2],
}

impl Candlesticks {
    pub(crate) fn new() -> Self {
        Self {
            seen: 0,
            sizes: [[0.0; 2]; 16],
            candles: [Candle::default(); 4],
            body_sums: [0.0; 3],
            range_sums: [0.0; 4],
            near_range_sums: [0.0; 2],
        }
    }

    /// The values of [`Pattern::ALL`].
    #[inline]
    pub(crate) fn push(&mut self, bar: &Bar) -> [f64; 15] {
        let index = self.seen;
        self.seen = index + 1;
        let now = self.take(bar, index);
        let mut values = self.values(&now, index);
        if index < SETTLED {
            for (value, pattern) in values.iter_mut().zip(Pattern::ALL) {
                if index < pattern.lookback() as u64 {
                    *value = f64::NAN;
                }
            }
        }
        values
    }

    /// Measures the candle against the ones before it, and adds it to them.
    #[inline]
    fn take(&mut self, bar: &Bar, index: u64) -> Candle {
        let &Bar { open, high, low, close, .. } = bar;
        let white = close >= open;
        let (top, bottom) = if white { (close, open) } else { (open, close) };
        let body = (close - open).abs();
        let range = high - low;
        let now = Candle {
            open,
            high,
            low,
            close,
            body,
            top,
            bottom,
            upper_shadow: high - top,
            lower_shadow: bottom - low,
            white,
            average_body: self.body_sums.map(|sum| sum / LONG_AVERAGE as f64),
            tenth_of_range: self.range_sums.map(|sum| 0.1 * (sum / LONG_AVERAGE as f64)),
            average_near_range: self.near_range_sums.map(|sum| sum / SHORT_AVERAGE as f64),
        };
        let place = |age: u64| (index.wrapping_sub(age) & 15) as usize;
        let [old_body, old_range] = self.sizes[place(LONG_AVERAGE)];
        let [_, old_near_range] = self.sizes[place(SHORT_AVERAGE)];
        advance(&mut self.body_sums, 0, LONG_AVERAGE, index, body, old_body);
        advance(&mut self.range_sums, 0, LONG_AVERAGE, index, range, old_range);
        advance(&mut self.near_range_sums, 5, SHORT_AVERAGE, index, range, old_near_range);
        self.sizes[place(0)] = [body, range];
        self.candles[(index & 3) as usize] = now;
        now
    }

    #[inline]
    fn values(&self, now: &Candle, index: u64) -> [f64; 15] {
        let back = |age: u64| &self.candles[(index.wrapping_sub(age) & 3) as usize];
        let (before, second, third) = (back(1), back(2), back(3));
        let occurs = |occurs: bool, value: f64| if occurs { value } else { 0.0 };

        let doji = now.body <= now.tenth_of_range[0];
        let dragonfly =
            doji & (now.upper_shadow < now.tenth_of_range[0]) & (now.lower_shadow > now.tenth_of_range[0]);
        let gravestone =
            doji & (now.lower_shadow < now.tenth_of_range[0]) & (now.upper_shadow > now.tenth_of_range[0]);

        let short = now.body < now.average_body[1];
        let long_below = short & (now.lower_shadow > now.body) & (now.upper_shadow < now.tenth_of_range[1]);
        let long_above = short & (now.upper_shadow > now.body) & (now.lower_shadow < now.tenth_of_range[1]);
        let near = 0.2 * before.average_near_range[0];
        let hammer = long_below & (now.bottom <= before.low + near);
        let hanging_man = long_below & (now.bottom >= before.high - near);
        let inverted_hammer = long_above & (now.top < before.bottom);
        let shooting_star = long_above & (now.bottom > before.top);

        [
            occurs(doji, 100.0),
            occurs(dragonfly, 100.0),
            occurs(gravestone, 100.0),
            occurs(hammer, 100.0),
            occurs(hanging_man, -100.0),
            occurs(inverted_hammer, 100.0),
            occurs(shooting_star, -100.0),
            engulfing(now, before),
            harami(now, before),
            occurs(is_piercing(now, before), 100.0),
            occurs(is_dark_cloud_cover(now, before), -100.0),
            occurs(is_morning_star(now, before, second), 100.0),
            occurs(is_evening_star(now, before, second), -100.0),
            occurs(are_three_white_soldiers(now, before, second), 100.0),
            occurs(are_three_black_crows(now, before, second, third), -100.0),
        ]
    }
}

/// 80 where one end of the bodies is the same.
#[inline]
fn engulfing(now: &Candle, before: &Candle) -> f64 {
    let around = (now.top >= before.top) & (now.bottom <= before.bottom);
    let wider = (now.top > before.top) | (now.bottom < before.bottom);
    let both_ends = (now.open != before.close) & (now.close != before.open);
    let strength = if both_ends { 100.0 } else { 80.0 };
    if (now.white != before.white) & around & wider {
        if now.white { strength } else { -strength }
    } else {
        0.0
    }
}

/// 80 where one end of the bodies is the same.
#[inline]
fn harami(now: &Candle, before: &Candle) -> f64 {
    let within = (now.top <= before.top) & (now.bottom >= before.bottom);
    let strictly = (now.top < before.top) & (now.bottom > before.bottom);
    let strength = if strictly { 100.0 } else { 80.0 };
    if (before.body > before.average_body[0]) & (now.body <= now.average_body[1]) & within {
        if before.white { -strength } else { strength }
    } else {
        0.0
    }
}

#[inline]
fn is_piercing(now: &Candle, before: &Candle) -> bool {
    (now.open < before.low)
        && !before.white
        && now.white
        && before.body > before.average_body[0]
        && now.body > now.average_body[1]
        && now.close < before.open
        && now.close > before.close + before.body * 0.5
}

#[inline]
fn is_dark_cloud_cover(now: &Candle, before: &Candle) -> bool {
    (now.open > before.high)
        && before.white
        && !now.white
        && before.body > before.average_body[0]
        && now.close > before.open
        && now.close < before.close - before.body * 0.5
}

/// How far into the first body of a star the third one must close.
const PENETRATION: f64 = 0.3;

#[inline]
fn is_morning_star(now: &Candle, before: &Candle, first: &Candle) -> bool {
    (before.top < first.bottom)
        && !first.white
        && now.white
        && first.body > first.average_body[0]
        && before.body <= before.average_body[1]
        && now.body > now.average_body[2]
        // TA-Lib rounds once here, and not in the evening star.
        && now.close > first.body.mul_add(PENETRATION, first.close)
}

#[inline]
fn is_evening_star(now: &Candle, before: &Candle, first: &Candle) -> bool {
    (before.bottom > first.top)
        && first.white
        && !now.white
        && first.body > first.average_body[0]
        && before.body <= before.average_body[1]
        && now.body > now.average_body[2]
        && now.close < first.close - first.body * PENETRATION
}

#[inline]
fn are_three_white_soldiers(now: &Candle, before: &Candle, first: &Candle) -> bool {
    (now.white & before.white & first.white & (now.close > before.close) & (before.close > first.close))
        && now.open > before.open
        && before.open > first.open
        && first.upper_shadow < first.tenth_of_range[0]
        && before.upper_shadow < before.tenth_of_range[1]
        && now.upper_shadow < now.tenth_of_range[2]
        && before.open <= first.close + 0.2 * first.average_near_range[0]
        && now.open <= before.close + 0.2 * before.average_near_range[1]
        && before.body > first.body - 0.6 * first.average_near_range[0]
        && now.body > before.body - 0.6 * before.average_near_range[1]
        && now.body > now.average_body[2]
}

#[inline]
fn are_three_black_crows(now: &Candle, before: &Candle, first: &Candle, white: &Candle) -> bool {
    (!now.white & !before.white & !first.white & white.white)
        && before.close > now.close
        && first.close > before.close
        && (now.open < before.open && now.open > before.close)
        && (before.open < first.open && before.open > first.close)
        && white.high > first.close
        && first.lower_shadow < first.tenth_of_range[1]
        && before.lower_shadow < before.tenth_of_range[2]
        && now.lower_shadow < now.tenth_of_range[3]
}

/// Some of the patterns, in an order of their own.
#[derive(Clone, Debug)]
pub(crate) struct ChosenPatterns {
    candlesticks: Candlesticks,
    chosen: Vec<Pattern>,
}

impl ChosenPatterns {
    pub(crate) fn new(chosen: &[Pattern]) -> Self {
        Self { candlesticks: Candlesticks::new(), chosen: chosen.to_vec() }
    }
}

/// A node of its own, because its width is known at run time only.
impl Node for ChosenPatterns {
    fn width(&self) -> usize {
        self.chosen.len()
    }

    fn push(&mut self, bar: &Bar, out: &mut [f64]) {
        let values = self.candlesticks.push(bar);
        for (value, pattern) in out.iter_mut().zip(&self.chosen) {
            *value = values[*pattern as usize];
        }
    }

    fn run(&mut self, bars: &[Bar], out: &mut [&mut [f64]]) {
        for (index, bar) in bars.iter().enumerate() {
            let values = self.candlesticks.push(bar);
            for (column, pattern) in out.iter_mut().zip(&self.chosen) {
                column[index] = values[*pattern as usize];
            }
        }
    }

    fn save(&self) -> Result<Vec<u8>, FeatureError> {
        rmp_serde::to_vec(&self.candlesticks)
            .map_err(|error| FeatureError::UnreadableState { reason: error.to_string() })
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), FeatureError> {
        self.candlesticks = rmp_serde::from_slice(state)
            .map_err(|error| FeatureError::UnreadableState { reason: error.to_string() })?;
        Ok(())
    }

    fn boxed(&self) -> Box<dyn Node> {
        Box::new(self.clone())
    }
}
