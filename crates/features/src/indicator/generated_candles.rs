//! Candles from integers by the rule of `tests/golden/generate.py`, the same to the bit.

use market_data::Timestamp;

use crate::bar::Bar;

/// The numbers of a rule, as `RULE` of the script explains them.
#[derive(Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) seed: u64,
    pub(crate) start: i64,
    pub(crate) decimals: u32,
    pub(crate) gap: i64,
    pub(crate) drift: i64,
    pub(crate) step: i64,
    pub(crate) wick: i64,
    pub(crate) volume_base: i64,
    pub(crate) volume_spread: i64,
    pub(crate) volume_scale: i64,
    pub(crate) volume_decimals: u32,
    pub(crate) flat_per_mille: i64,
    pub(crate) flat_longest: i64,
    pub(crate) spike_per_mille: i64,
    pub(crate) spike: i64,
}

const CONSTANT: Rule = Rule {
    seed: 11,
    start: 10_000,
    decimals: 2,
    gap: 0,
    drift: 0,
    step: 0,
    wick: 0,
    volume_base: 1_000,
    volume_spread: 100_000,
    volume_scale: 1,
    volume_decimals: 3,
    flat_per_mille: 0,
    flat_longest: 1,
    spike_per_mille: 0,
    spike: 1,
};

/// Ordinary and extreme markets.
pub(crate) const RULES: [(&str, Rule); 12] = [
    ("constant_price", CONSTANT),
    ("one_tick", Rule { seed: 12, step: 1, ..CONSTANT }),
    ("one_tick_gaps", Rule { seed: 13, step: 1, gap: 1, wick: 1, ..CONSTANT }),
    (
        "tiny_price",
        Rule { seed: 14, start: 400, decimals: 8, step: 3, wick: 2, volume_decimals: 0, ..CONSTANT },
    ),
    (
        "huge_price",
        Rule { seed: 15, start: 1_000_000_000, decimals: 0, step: 1, gap: 1, wick: 1, ..CONSTANT },
    ),
    ("zero_volume", Rule { seed: 16, step: 20, wick: 10, volume_base: 0, volume_spread: 0, ..CONSTANT }),
    (
        "huge_volume",
        Rule { seed: 17, step: 20, wick: 10, volume_scale: 10_000_000_000, volume_decimals: 0, ..CONSTANT },
    ),
    (
        "flat_runs",
        Rule { seed: 18, step: 15, wick: 8, gap: 2, flat_per_mille: 60, flat_longest: 70, ..CONSTANT },
    ),
    ("spikes", Rule { seed: 19, step: 15, wick: 8, spike_per_mille: 15, spike: 10, ..CONSTANT }),
    ("rise", Rule { seed: 20, drift: 3, ..CONSTANT }),
    ("walk", Rule { seed: 21, start: 2_500_000, step: 1_500, wick: 900, gap: 1, ..CONSTANT }),
    ("gaps", Rule { seed: 22, start: 50_000, step: 40, wick: 12, gap: 25, ..CONSTANT }),
];

/// Whole numbers by the script's linear congruential generator.
pub(crate) struct Draws(pub(crate) u64);

impl Draws {
    /// A number from 0 to below `bound`.
    pub(crate) fn below(&mut self, bound: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as i64 % bound
    }
}

/// The first `count` candles of a rule: open, high, low, close and volume.
pub(crate) fn candles(rule: &Rule, count: usize) -> Vec<[f64; 5]> {
    let mut draws = Draws(rule.seed);
    let mut below = |bound| draws.below(bound);
    let tick = 10_f64.powi(rule.decimals as i32);
    let unit = 10_f64.powi(rule.volume_decimals as i32);
    let mut previous = rule.start;
    let mut flat_left = 0;
    let mut candle = || {
        if rule.flat_per_mille > 0 && flat_left == 0 && below(1000) < rule.flat_per_mille {
            flat_left = 1 + below(rule.flat_longest);
        }
        if flat_left > 0 {
            flat_left -= 1;
            return [previous, previous, previous, previous, 0];
        }
        let open = 1.max(previous + below(2 * rule.gap + 1) - rule.gap);
        let mut close = 1.max(open + rule.drift + below(2 * rule.step + 1) - rule.step);
        let mut high = open.max(close) + below(rule.wick + 1);
        let mut low = 1.max(open.min(close) - below(rule.wick + 1));
        let volume = (rule.volume_base + below(rule.volume_spread + 1)) * rule.volume_scale;
        previous = close;
        if rule.spike_per_mille > 0 && below(1000) < rule.spike_per_mille {
            match below(4) {
                0 => high *= rule.spike,
                1 => low = 1.max(low / rule.spike),
                2 => {
                    close *= rule.spike;
                    high = high.max(close);
                }
                _ => {
                    close = 1.max(close / rule.spike);
                    low = low.min(close);
                }
            }
        }
        [open, high, low, close, volume]
    };
    (0..count)
        .map(|_| {
            let [open, high, low, close, volume] = candle().map(|value| value as f64);
            [open / tick, high / tick, low / tick, close / tick, volume / unit]
        })
        .collect()
}

/// One run of five-minute bars from such candles.
pub(crate) fn bars(candles: &[[f64; 5]]) -> Vec<Bar> {
    let mut previous_close = None;
    let close_times = (1..).map(|index| Timestamp::from_millis(1_700_000_100_000 + index * 300_000));
    let bar = |(candle, close_time): (&[f64; 5], Timestamp)| {
        Bar::new(close_time, *candle, previous_close.replace(candle[3]))
    };
    candles.iter().zip(close_times).map(bar).collect()
}
