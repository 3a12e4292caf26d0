//! Candles for tests: a random walk and the extremes that a market or its data may show.

use market_data::Timestamp;

use crate::bar::Bar;

/// `[open, high, low, close, volume]`.
pub(crate) type Candle = [f64; 5];

/// Numbers that look random and are the same on every run: SplitMix64.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// At least 0 and below 1.
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A whole number from `-size` to `size`.
    fn step(&mut self, size: f64) -> f64 {
        (self.uniform() * (2.0 * size + 1.0)).floor() - size
    }
}

/// The bars of one run.
pub(crate) fn bars(candles: &[Candle]) -> Vec<Bar> {
    let mut before = None;
    (0..)
        .zip(candles)
        .map(|(minute, &candle)| {
            let bar = Bar::new(Timestamp::from_millis(60_000 * (minute + 1)), candle, before);
            before = Some(bar.close);
            bar
        })
        .collect()
}

/// Candles without a range at these closes.
pub(crate) fn closes(closes: &[f64]) -> Vec<Candle> {
    closes.iter().map(|&close| [close, close, close, close, 1.0]).collect()
}

/// A candle between two prices with wicks of the sizes `up` and `down`.
fn candle(open: f64, close: f64, up: f64, down: f64) -> Candle {
    let low = open.min(close);
    [open, open.max(close) + up, if down < low { low - down } else { low }, close, 1.0]
}

/// A geometric random walk with moves of about one percent.
pub(crate) fn random_walk(length: usize) -> Vec<Candle> {
    let mut random = Random::new(20_240_229);
    let mut price = 100.0;
    (0..length)
        .map(|_| {
            let open = price * (1.0 + 0.001 * (random.uniform() - 0.5));
            price = open * (0.02 * (random.uniform() + random.uniform() - 1.0)).exp();
            let wick = 0.01 * price;
            candle(open, price, wick * random.uniform(), wick * random.uniform())
        })
        .collect()
}

/// A walk of whole ticks, each candle up to `step` of them, between `lowest` and `highest` ticks.
fn tick_walk(length: usize, tick: f64, [lowest, highest]: [f64; 2], step: f64) -> Vec<Candle> {
    let mut random = Random::new(7);
    let mut ticks = (lowest + highest) / 2.0;
    (0..length)
        .map(|_| {
            let open = ticks;
            ticks = (ticks + random.step(step)).floor().clamp(lowest, highest);
            let (up, down) = (random.step(1.0).max(0.0), random.step(1.0).max(0.0));
            let high = open.max(ticks) + up;
            let low = (open.min(ticks) - down).max(1.0);
            let volume = random.step(1.0).max(0.0) * 1e15;
            [open * tick, high * tick, low * tick, ticks * tick, volume]
        })
        .collect()
}

/// A series and its name.
pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) candles: Vec<Candle>,
}

/// All series, named.
pub(crate) fn all() -> Vec<Series> {
    let mut random = Random::new(11);
    let flat_runs = {
        let mut before: Option<f64> = None;
        random_walk(5_000)
            .into_iter()
            .enumerate()
            .map(|(index, walked)| {
                let stopped = (index / 90) % 2 == 1;
                match before {
                    Some(close) if stopped => [close, close, close, close, 0.0],
                    _ => {
                        before = Some(walked[3]);
                        walked
                    }
                }
            })
            .collect()
    };
    let spikes = random_walk(5_000)
        .into_iter()
        .map(|[open, high, low, close, volume]| {
            let chance = random.uniform();
            let (up, down) = match chance {
                _ if chance < 0.005 => (1_000.0, 1.0),
                _ if chance < 0.01 => (1.0, 1_000.0),
                _ => (1.0, 1.0),
            };
            let close = if random.uniform() < 0.5 { close * up / down } else { close };
            [open, high.max(close) * up, low.min(close) / down, close, volume]
        })
        .collect();
    let stopped_for_good = {
        let mut candles = random_walk(300);
        candles.extend(closes(&[candles[299][3]; 20_000]));
        candles
    };
    let leaps = closes(&(0..3_000).map(|_| 10_f64.powf(24.0 * random.uniform() - 12.0)).collect::<Vec<_>>());
    let monotone = |direction: f64| {
        let prices = (0..4_000).map(|index| 1_000.0 * (direction * 0.001 * f64::from(index)).exp());
        prices.map(|open| candle(open, open * (direction * 0.0008).exp(), 0.0, 0.0)).collect()
    };
    [
        ("random walk", random_walk(20_000)),
        ("constant price", closes(&[0.3; 2_000])),
        ("one tick", tick_walk(5_000, 0.01, [9_999.0, 10_001.0], 1.0)),
        ("tiny prices", tick_walk(5_000, 1e-8, [1.0, 300.0], 3.0)),
        ("huge prices", tick_walk(5_000, 1.0, [999_999_000.0, 1_000_001_000.0], 1.0)),
        ("flat runs", flat_runs),
        ("rise", monotone(1.0)),
        ("fall", monotone(-1.0)),
        ("spikes", spikes),
        ("stopped for good", stopped_for_good),
        ("leaps", leaps),
    ]
    .map(|(name, candles)| Series { name, candles })
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_candles_are_sound() {
        for series in all() {
            for &[open, high, low, close, volume] in &series.candles {
                assert!(0.0 < low && low <= open.min(close) && open.max(close) <= high, "{}", series.name);
                assert!(high <= 1e12 && volume >= 0.0, "{}", series.name);
            }
        }
    }
}
