//! The trend indicators against TA-Lib's, on series made to bring out differences.

use market_data::Timestamp;
use ta_lib::{Core, OutRange, RetCode};

use super::Indicator;
use super::aroon::Aroon;
use super::directional_movement::DirectionalMovement;
use super::kama::Kama;
use super::macd::Macd;
use super::moving_average::{
    DoubleExponential, ExponentialMovingAverages, SimpleMovingAverage, TripleExponential,
};
use super::parabolic_sar::ParabolicSar;
use super::regression::LinearRegressionSlope;
use super::supertrend::SuperTrend;
use crate::bar::Bar;

/// What a value may differ from TA-Lib's by.
#[derive(Clone, Copy)]
enum Allowed {
    /// One part in a billion of itself.
    OfItself,
    /// One part in 10¹⁴ of the largest price so far, for values that are small differences of prices: what
    /// remains of them is rounding, which TA-Lib's fused multiplication does differently.
    OfPrice,
    /// Nothing.
    Nothing,
}

/// Candles column by column, as TA-Lib takes them.
struct Columns {
    high: Vec<f64>,
    low: Vec<f64>,
    close: Vec<f64>,
}

impl Columns {
    fn of(bars: &[Bar]) -> Self {
        let column = |value: fn(&Bar) -> f64| bars.iter().map(value).collect();
        Self { high: column(|bar| bar.high), low: column(|bar| bar.low), close: column(|bar| bar.close) }
    }

    fn last(&self) -> usize {
        self.close.len() - 1
    }

    /// `N` columns that `call` fills from the first value on, with NaN before.
    fn filled<const N: usize>(
        &self,
        call: impl FnOnce(&mut [Vec<f64>; N]) -> Result<OutRange, RetCode>,
    ) -> [Vec<f64>; N] {
        let mut out = std::array::from_fn(|_| vec![0.0; self.close.len()]);
        let range = call(&mut out).unwrap();
        assert!(range.count > 0);
        out.map(|values| {
            let mut column = vec![f64::NAN; range.beg_idx];
            column.extend_from_slice(&values[..range.count]);
            column
        })
    }
}

fn assert_like<const N: usize>(
    what: &str,
    allowed: Allowed,
    bars: &[Bar],
    mut ours: impl Indicator<Values = [f64; N]>,
    theirs: &[Vec<f64>; N],
) {
    let mut largest_price: f64 = 0.0;
    for (index, bar) in bars.iter().enumerate() {
        largest_price = largest_price.max(bar.high);
        for (number, (our, column)) in ours.push(bar).into_iter().zip(theirs).enumerate() {
            let their = column[index];
            let tolerance = match allowed {
                Allowed::OfItself => 1e-9 * their.abs(),
                Allowed::OfPrice => 1e-14 * largest_price,
                Allowed::Nothing => 0.0,
            };
            assert!(
                (our.is_nan() && their.is_nan()) || (our - their).abs() <= tolerance,
                "{what}, value {number}, candle {index}: {our} instead of {their}"
            );
        }
    }
}

/// All trend indicators on `bars`, with usual periods and with short ones.
fn assert_like_ta_lib(series: &str, bars: &[Bar]) {
    let core = Core::new();
    let columns = Columns::of(bars);
    let Columns { high, low, close } = &columns;
    let last = columns.last();
    for period in [2, 3, 14, 30, 200] {
        let n = period as i32;
        let what = |name: &str| format!("{name} {period} on {series}");

        let theirs = columns.filled(|[out]| core.sma(0, last, close, n, out));
        assert_like(&what("SMA"), Allowed::Nothing, bars, SimpleMovingAverage::new(period), &theirs);

        let [theirs] = columns.filled(|[out]| core.ema(0, last, close, n, out));
        let [short] = columns.filled(|[out]| core.ema(0, last, close, 5, out));
        let ours = ExponentialMovingAverages::new([period, 5]);
        assert_like(&what("EMA"), Allowed::OfItself, bars, ours, &[theirs, short]);

        let theirs = columns.filled(|[out]| core.dema(0, last, close, n, out));
        assert_like(&what("DEMA"), Allowed::OfPrice, bars, DoubleExponential::new(period), &theirs);

        let theirs = columns.filled(|[out]| core.tema(0, last, close, n, out));
        assert_like(&what("TEMA"), Allowed::OfPrice, bars, TripleExponential::new(period), &theirs);

        let theirs = columns.filled(|[out]| core.kama(0, last, close, n, out));
        assert_like(&what("KAMA"), Allowed::OfItself, bars, Kama::new(period), &theirs);

        let theirs = columns.filled(|[out]| core.linearreg_slope(0, last, close, n, out));
        assert_like(&what("slope"), Allowed::Nothing, bars, LinearRegressionSlope::new(period), &theirs);

        let theirs = columns.filled(|[down, up]| core.aroon(0, last, high, low, n, down, up));
        assert_like(&what("Aroon"), Allowed::OfItself, bars, Aroon::new(period), &theirs);

        let [adx] = columns.filled(|[out]| core.adx(0, last, high, low, close, n, out));
        let [plus] = columns.filled(|[out]| core.plus_di(0, last, high, low, close, n, out));
        let [minus] = columns.filled(|[out]| core.minus_di(0, last, high, low, close, n, out));
        let ours = DirectionalMovement::new(period);
        assert_like(&what("ADX"), Allowed::OfItself, bars, ours, &[adx, plus, minus]);

        for multiplier in [0.5, 3.0] {
            let mut direction = vec![0; bars.len()];
            let [line, direction] = columns.filled(|[line, as_floats]| {
                let range = core.supertrend(0, last, high, low, close, n, multiplier, line, &mut direction);
                *as_floats = direction.iter().map(|&sign| f64::from(sign)).collect();
                range
            });
            let ours = SuperTrend::new(period, multiplier);
            assert_like(&what("SuperTrend"), Allowed::Nothing, bars, ours, &[line, direction]);
        }
    }
    for [fast, slow, signal] in [[12, 26, 9], [2, 3, 2], [5, 35, 5]] {
        let theirs = columns.filled(|[macd, average, histogram]| {
            let [fast, slow, signal] = [fast as i32, slow as i32, signal as i32];
            core.macd(0, last, close, fast, slow, signal, macd, average, histogram)
        });
        let what = format!("MACD {fast} {slow} {signal} on {series}");
        assert_like(&what, Allowed::OfPrice, bars, Macd::new(fast, slow, signal), &theirs);
    }
    for [acceleration, maximum] in [[0.02, 0.2], [0.1, 0.1], [0.3, 1.0]] {
        let theirs = columns.filled(|[out]| core.sar(0, last, high, low, acceleration, maximum, out));
        let what = format!("SAR {acceleration} {maximum} on {series}");
        assert_like(&what, Allowed::Nothing, bars, ParabolicSar::new(acceleration, maximum), &theirs);
    }
}

/// Pseudo-random numbers (SplitMix64), the same on every machine.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to 1.
    fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// One of the whole numbers from `-reach` to `reach`.
    fn whole(&mut self, reach: u64) -> f64 {
        (self.bits() % (2 * reach + 1)) as f64 - reach as f64
    }
}

/// Bars from `[open, high, low, close, volume]`.
fn bars(candles: impl IntoIterator<Item = [f64; 5]>) -> Vec<Bar> {
    let mut before = None;
    let bar = |(index, candle): (usize, [f64; 5])| {
        let bar = Bar::new(Timestamp::from_millis(60_000 * (index as i64 + 1)), candle, before);
        before = Some(bar.close);
        bar
    };
    candles.into_iter().enumerate().map(bar).collect()
}

/// Candles whose closes take steps of up to `reach` ticks, and whose wicks are up to `reach` ticks long.
fn on_ticks(seed: u64, count: usize, start: f64, tick: f64, reach: u64) -> Vec<Bar> {
    let mut random = Random(seed);
    let mut close = start;
    bars((0..count).map(|_| {
        let open = close;
        close = (open + random.whole(reach)).max(1.0 + reach as f64);
        let high = open.max(close) + random.whole(reach).abs();
        let low = open.min(close) - random.whole(reach).abs();
        [open * tick, high * tick, low.max(1.0) * tick, close * tick, 1e15 * random.unit()]
    }))
}

/// A random walk with steps of about `volatility` of the price.
pub(crate) fn random_walk(seed: u64, count: usize, volatility: f64) -> Vec<Bar> {
    let mut random = Random(seed);
    let mut close: f64 = 100.0;
    bars((0..count).map(|_| {
        let open = close;
        close *= (volatility * (random.unit() + random.unit() + random.unit() - 1.5)).exp();
        let high = open.max(close) * (1.0 + volatility * random.unit());
        let low = open.min(close) / (1.0 + volatility * random.unit());
        [open, high, low, close, 1000.0 * random.unit()]
    }))
}

/// `bars` as a run of its own.
pub(crate) fn begun_anew(bars: &[Bar]) -> Vec<Bar> {
    let mut bars = bars.to_vec();
    let Bar { close_time, open, high, low, close, volume, .. } = bars[0];
    bars[0] = Bar::new(close_time, [open, high, low, close, volume], None);
    bars
}

/// Series that bring out differences, with their names.
pub(crate) fn extremes() -> Vec<(&'static str, Vec<Bar>)> {
    let mut random = Random(6);
    let constant = |price: f64, volume: f64| bars(vec![[price, price, price, price, volume]; 1000]);
    let spiked = random_walk(7, 3000, 0.01).into_iter().enumerate().map(|(index, bar)| {
        let factor: f64 = [1.0, 1e6, 1e-3][if index % 701 == 350 { 1 + index % 2 } else { 0 }];
        [bar.open, bar.high * factor.max(1.0), bar.low * factor.min(1.0), bar.close * factor, 0.0]
    });
    let flat_runs = random_walk(8, 6000, 0.001).into_iter().enumerate().scan(100.0, |stays, (index, bar)| {
        let flat = index % 500 < 40 * (index / 500);
        let candle = [bar.open, bar.high, bar.low, bar.close, bar.volume];
        *stays = if flat { *stays } else { bar.close };
        Some(if flat { [*stays, *stays, *stays, *stays, 0.0] } else { candle })
    });
    let rise = (0..3000).map(|index| {
        let open = 100.0 * 1.002_f64.powi(index);
        [open, open * 1.002, open, open * 1.002, 1.0]
    });
    let fall = (0..3000).map(|index| {
        let open = 1e6 * 0.998_f64.powi(index);
        [open, open, open * 0.998, open * 0.998, 1.0]
    });
    let zigzag = (0..3000).map(|index| {
        let [open, close] = if index % 2 == 0 { [100.0, 100.01] } else { [100.01, 100.0] };
        [open, 100.01, 100.0, close, 1.0]
    });
    let doubled = (0..3000).map(|_| {
        let middle = 50.0 + (random.bits() % 4) as f64;
        [middle, middle + 1.0, middle - 1.0, middle, 1.0]
    });
    let stops =
        on_ticks(10, 6000, 130.0, 1e-8, 2).into_iter().enumerate().scan(100.0, |rests, (index, bar)| {
            let candle = [bar.open, bar.high, bar.low, bar.close, bar.volume];
            let rest = *rests;
            Some(match index {
                // Leaves rounding in running sums.
                1485 | 1600 | 1688 => [bar.open, bar.high * 1e15, bar.low, bar.close * 1e15, 1.0],
                1700..3500 => [rest, rest, rest, rest, 0.0],
                3500..4500 => [rest, rest * 1.01, rest * 0.99, rest, 1.0],
                _ => {
                    *rests = bar.close;
                    candle
                }
            })
        });
    vec![
        ("a constant price", constant(96.3, 0.0)),
        ("a constant tiny price", constant(1.234e-7, 1e15)),
        ("moves of one tick", on_ticks(1, 5000, 10_000.0, 0.01, 1)),
        ("few ticks of a tiny price", on_ticks(2, 5000, 130.0, 1e-8, 2)),
        ("a huge price", on_ticks(3, 5000, 1e9, 1.0, 1)),
        ("a coarse grid", on_ticks(4, 5000, 200.0, 0.5, 3)),
        ("candles that end on the stop", on_ticks(9, 20_000, 300.0, 0.01, 4)),
        ("a lively walk", random_walk(5, 20_000, 0.02)),
        ("spikes", bars(spiked)),
        ("flat runs", bars(flat_runs)),
        ("a walk that spikes and stops", bars(stops)),
        ("a steady rise", bars(rise)),
        ("a steady fall", bars(fall)),
        ("a zigzag", bars(zigzag)),
        ("equal ranges", bars(doubled)),
    ]
}

#[test]
fn the_values_are_ta_libs() {
    for (series, bars) in extremes() {
        assert_like_ta_lib(series, &bars);
    }
}

#[test]
fn the_first_values_are_ta_libs() {
    let walk = random_walk(15, 9000, 0.01);
    for start in (0..8300).step_by(173) {
        assert_like_ta_lib("a walk", &begun_anew(&walk[start..start + 620]));
    }
}
