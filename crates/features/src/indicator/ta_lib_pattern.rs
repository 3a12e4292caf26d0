//! The candlestick patterns against TA-Lib's own Rust port.

use ta_lib::{Core, OutRange, RetCode};

use super::Node;
use super::candlestick::{Candlesticks, ChosenPatterns, Pattern};
use super::generated_candles::{Draws, RULES, bars, candles};
use crate::bar::Bar;

/// TA-Lib's values of a pattern, NaN before its first.
fn ta_lib_values(pattern: Pattern, candles: &[[f64; 5]]) -> Vec<f64> {
    let core = Core::new();
    let last = candles.len() - 1;
    let column = |index: usize| candles.iter().map(|candle| candle[index]).collect::<Vec<_>>();
    let (open, high, low, close) = (column(0), column(1), column(2), column(3));
    let (open, high, low, close) = (&open[..], &high[..], &low[..], &close[..]);
    let mut out = vec![0; candles.len()];
    let range: Result<OutRange, RetCode> = match pattern {
        Pattern::Doji => core.cdldoji(0, last, open, high, low, close, &mut out),
        Pattern::DragonflyDoji => core.cdldragonflydoji(0, last, open, high, low, close, &mut out),
        Pattern::GravestoneDoji => core.cdlgravestonedoji(0, last, open, high, low, close, &mut out),
        Pattern::Hammer => core.cdlhammer(0, last, open, high, low, close, &mut out),
        Pattern::HangingMan => core.cdlhangingman(0, last, open, high, low, close, &mut out),
        Pattern::InvertedHammer => core.cdlinvertedhammer(0, last, open, high, low, close, &mut out),
        Pattern::ShootingStar => core.cdlshootingstar(0, last, open, high, low, close, &mut out),
        Pattern::Engulfing => core.cdlengulfing(0, last, open, high, low, close, &mut out),
        Pattern::Harami => core.cdlharami(0, last, open, high, low, close, &mut out),
        Pattern::Piercing => core.cdlpiercing(0, last, open, high, low, close, &mut out),
        Pattern::DarkCloudCover => core.cdldarkcloudcover(0, last, open, high, low, close, 0.5, &mut out),
        Pattern::MorningStar => core.cdlmorningstar(0, last, open, high, low, close, 0.3, &mut out),
        Pattern::EveningStar => core.cdleveningstar(0, last, open, high, low, close, 0.3, &mut out),
        Pattern::ThreeWhiteSoldiers => core.cdl3whitesoldiers(0, last, open, high, low, close, &mut out),
        Pattern::ThreeBlackCrows => core.cdl3blackcrows(0, last, open, high, low, close, &mut out),
    };
    let range = range.unwrap();
    assert_eq!(range.beg_idx + range.count, candles.len(), "{pattern:?}");
    let mut values = vec![f64::NAN; range.beg_idx];
    values.extend(out[..range.count].iter().map(|&value| f64::from(value)));
    values
}

fn push_all(candlesticks: &mut Candlesticks, bars: &[Bar]) -> Vec<[f64; 15]> {
    bars.iter().map(|bar| candlesticks.push(bar)).collect()
}

fn assert_as_ta_lib(name: &str, candles: &[[f64; 5]]) {
    let values = push_all(&mut Candlesticks::new(), &bars(candles));
    for (column, pattern) in Pattern::ALL.into_iter().enumerate() {
        assert_eq!(pattern as usize, column);
        for (index, expected) in ta_lib_values(pattern, candles).into_iter().enumerate() {
            let value = values[index][column];
            assert!(
                value == expected || (value.is_nan() && expected.is_nan()),
                "{name}, candle {index}, {pattern:?}: {value}, not {expected}"
            );
        }
    }
}

#[test]
fn as_ta_lib() {
    for (name, rule) in RULES {
        assert_as_ta_lib(name, &candles(&rule, 20_000));
    }
}

/// Candles in which patterns of two and three candles are frequent and often just fulfilled or just not.
struct Stage {
    draws: Draws,
    start: i64,
    /// In hundredths: open, high, low, close.
    candles: Vec<[i64; 4]>,
}

impl Stage {
    fn last(&self) -> [i64; 4] {
        self.candles.last().copied().unwrap_or([self.start; 4])
    }

    fn add(&mut self, open: i64, close: i64, longest_wick: i64) {
        let (open, close) = (open.max(1), close.max(1));
        let high = open.max(close) + self.draws.below(longest_wick + 1);
        let low = 1.max(open.min(close) - self.draws.below(longest_wick + 1));
        self.candles.push([open, high, low, close]);
    }

    /// A candle of this body, anywhere near the last one.
    fn wander(&mut self, body: i64) {
        let open = self.last()[3] + self.draws.below(5) - 2;
        self.add(open, open + body, 4);
    }

    /// Bodies that open within the one before and close beyond it.
    fn march(&mut self, direction: i64) {
        let first = direction * (5 + self.draws.below(12));
        self.wander(-first);
        if self.draws.below(3) == 0 {
            // Beyond the candle before, though against the march.
            let [_, high, low, _] = self.last();
            let close = if direction > 0 { low } else { high } + self.draws.below(3) - 1;
            self.add(close - first, close, 1);
        } else {
            self.wander(first);
        }
        for _ in 0..3 {
            let [open, _, _, close] = self.last();
            let open = open + direction * self.draws.below(12);
            let close = close + direction * self.draws.below(8);
            self.add(open, close, 1);
        }
    }

    /// A long body, a short one beyond it, and one back into the first.
    fn star(&mut self, direction: i64) {
        let body = 10 * (1 + self.draws.below(2));
        self.wander(-direction * body);
        let end = self.last()[3];
        let open = end - direction * (1 + self.draws.below(3));
        let close = open - direction * self.draws.below(6);
        self.add(open, close, 2);
        let back = end + direction * (body * 3 / 10 + self.draws.below(3) - 1);
        self.add(open, back, 2);
    }

    /// A long body, and one from beyond it back to about its middle.
    fn turn_back(&mut self, direction: i64) {
        let body = 10 + 2 * self.draws.below(10);
        self.wander(-direction * body);
        let [_, high, low, end] = self.last();
        let extreme = if direction > 0 { low } else { high };
        let open = extreme - direction * self.draws.below(3);
        let close = end + direction * (body / 2 + self.draws.below(3) - 1);
        self.add(open, close, 3);
    }

    fn candles(seed: u64, start: i64) -> Vec<[f64; 5]> {
        let mut stage = Self { draws: Draws(seed), start, candles: Vec::new() };
        while stage.candles.len() < 400 {
            for _ in 0..stage.draws.below(12) {
                let body = stage.draws.below(21) - 10;
                stage.wander(body);
            }
            let direction = 2 * stage.draws.below(2) - 1;
            match stage.draws.below(3) {
                0 => stage.march(direction),
                1 => stage.star(direction),
                _ => stage.turn_back(direction),
            }
        }
        let price = |hundredths: i64| hundredths as f64 / 100.0;
        stage
            .candles
            .iter()
            .map(|&[open, high, low, close]| [price(open), price(high), price(low), price(close), 1.0])
            .collect()
    }
}

#[test]
fn as_ta_lib_where_patterns_are_just_fulfilled_or_not() {
    for seed in 0..500 {
        for start in [10_000, 50] {
            assert_as_ta_lib(&format!("seed {seed}, start {start}"), &Stage::candles(seed, start));
        }
    }
}

/// Sums that held one huge candle keep a rounding error, which decides whenever a body equals the average.
#[test]
fn as_ta_lib_when_a_huge_candle_has_left_some_of_the_sums() {
    for seed in 0..2_000 {
        for place in [0, 1, 2, 5] {
            let mut candles = Stage::candles(seed, 10_000);
            let [open, high, low, close, _] = &mut candles[place];
            (*open, *high, *low, *close) = (*low, *high * 1e7, *low / 3.0, *high * 1e7 / 3.0);
            assert_as_ta_lib(&format!("seed {seed}, huge candle at {place}"), &candles);
        }
    }
}

/// The generated series contain each pattern, so that the comparison means something.
#[test]
fn every_pattern_occurs() {
    for pattern in Pattern::ALL {
        let occurring = |(_, rule): &(_, _)| {
            ta_lib_values(pattern, &candles(rule, 20_000))
                .into_iter()
                .filter(|value| value.abs() >= 80.0)
                .count()
        };
        let count: usize = RULES.iter().map(occurring).sum();
        assert!(count >= 3, "{pattern:?} occurs {count} times");
    }
}

#[test]
fn a_batch_and_a_resumed_run_of_chosen_patterns_give_the_same() {
    let chosen = [Pattern::Harami, Pattern::Doji, Pattern::ThreeBlackCrows];
    let (_, rule) = RULES[11];
    let bars = bars(&candles(&rule, 1_000));
    let values = push_all(&mut Candlesticks::new(), &bars);
    for stop in [5, 12, 13, 500] {
        let mut node = ChosenPatterns::new(&chosen);
        let mut row = [0.0; 3];
        bars[..stop].iter().for_each(|bar| node.push(bar, &mut row));
        let mut resumed = ChosenPatterns::new(&chosen);
        resumed.restore(&node.save().unwrap()).unwrap();
        let mut copy = resumed.boxed();
        let mut columns = vec![vec![0.0; bars.len() - stop]; 3];
        let mut out: Vec<&mut [f64]> = columns.iter_mut().map(Vec::as_mut_slice).collect();
        resumed.run(&bars[stop..], &mut out);
        for (index, bar) in bars.iter().enumerate().skip(stop) {
            copy.push(bar, &mut row);
            for (column, pattern) in chosen.into_iter().enumerate() {
                let expected = values[index][pattern as usize].to_bits();
                assert_eq!(columns[column][index - stop].to_bits(), expected, "candle {index}, {pattern:?}");
                assert_eq!(row[column].to_bits(), expected, "candle {index}, {pattern:?}");
            }
        }
    }
}
