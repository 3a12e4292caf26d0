//! Series of candles at the edges of what is sound, for tests.

use market_data::Timestamp;

use crate::bar::Bar;
use crate::column::{ColumnInfo, Unit};
use crate::indicator::BLOCK;
use crate::plan::Planned;

/// Candles of one kind, column by column and as bars.
pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) open: Vec<f64>,
    pub(crate) high: Vec<f64>,
    pub(crate) low: Vec<f64>,
    pub(crate) close: Vec<f64>,
    pub(crate) volume: Vec<f64>,
}

const FIVE_MINUTES: i64 = 300_000;

impl Series {
    pub(crate) fn from_candles(name: &'static str, candles: impl IntoIterator<Item = [f64; 5]>) -> Self {
        let mut series =
            Self { name, open: vec![], high: vec![], low: vec![], close: vec![], volume: vec![] };
        for [open, high, low, close, volume] in candles {
            series.open.push(open);
            series.high.push(high);
            series.low.push(low);
            series.close.push(close);
            series.volume.push(volume);
        }
        series
    }

    pub(crate) fn len(&self) -> usize {
        self.close.len()
    }

    /// The bars of a run that begins at candle `first`.
    pub(crate) fn bars_from(&self, first: usize) -> Vec<Bar> {
        let mut previous = None;
        (first..self.len())
            .map(|index| {
                let time = Timestamp::from_millis((index as i64 + 1) * FIVE_MINUTES);
                let values = [self.open[index], self.high[index], self.low[index], self.close[index]];
                let [open, high, low, close] = values;
                let bar = Bar::new(time, [open, high, low, close, self.volume[index]], previous);
                previous = Some(close);
                bar
            })
            .collect()
    }
}

/// SplitMix64.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// Uniform in 0..1.
    pub(crate) fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Bell-shaped around 0 with standard deviation 1.
    pub(crate) fn bell(&mut self) -> f64 {
        (0..12).map(|_| self.roll()).sum::<f64>() - 6.0
    }
}

/// Candles whose closes move by `step` times a bell-shaped number, as a share of the price, with gaps.
pub(crate) fn walk(seed: u64, length: usize, start: f64, step: f64) -> Vec<[f64; 5]> {
    let mut dice = Dice(seed);
    let mut close = start;
    (0..length)
        .map(|_| {
            let open = close * (1.0 + 0.2 * step * dice.bell());
            close = open * (1.0 + step * dice.bell());
            let high = open.max(close) * (1.0 + 0.5 * step * dice.roll());
            let low = open.min(close) * (1.0 - 0.5 * step * dice.roll());
            [open, high, low, close, 1000.0 * (-10.0 * dice.roll()).exp() + 10.0 * dice.roll()]
        })
        .collect()
}

/// Candles on a grid: `base` ± `ticks` grid steps.
fn on_grid(seed: u64, length: usize, base: f64, tick: f64, ticks: u64) -> Vec<[f64; 5]> {
    let mut dice = Dice(seed);
    let mut price = || base + (dice.roll() * (2 * ticks + 1) as f64 - ticks as f64).round() * tick;
    let mut previous = price();
    (0..length)
        .map(|index| {
            let (open, close, one, other) = (previous, price(), price(), price());
            previous = close;
            let high = open.max(close).max(one).max(other);
            let low = open.min(close).min(one).min(other);
            [open, high, low, close, (index % 7) as f64 * 13.7]
        })
        .collect()
}

/// The extremes that every indicator has to bear. All are long enough for the default periods.
pub(crate) fn all() -> Vec<Series> {
    let flat = |price: f64, volume: f64| [price, price, price, price, volume];
    let varied = |seed, change: fn(usize, &mut Dice, &mut [f64; 5])| {
        let mut dice = Dice(seed + 100);
        let mut candles = walk(seed, 4000, 100.0, 0.003);
        candles.iter_mut().enumerate().for_each(|(index, candle)| change(index, &mut dice, candle));
        candles
    };
    let stormy_volume = |index: usize, dice: &mut Dice, candle: &mut [f64; 5]| {
        candle[4] = match index % 97 {
            0 => 1e15 * dice.roll(),
            40..60 => 0.0,
            _ => 100.0 * dice.roll(),
        };
    };
    vec![
        Series::from_candles("walk", walk(1, 20_000, 100.0, 0.003)),
        Series::from_candles("constant", (0..1500).map(|_| flat(100.1, 5.3))),
        Series::from_candles("one tick", on_grid(2, 3000, 100.0, 0.01, 1)),
        Series::from_candles("tiny prices", on_grid(3, 3000, 1.3e-6, 1e-8, 10)),
        Series::from_candles("huge prices", on_grid(4, 3000, 1e9, 1.0, 1)),
        Series::from_candles(
            "largest prices and volumes",
            walk(10, 3000, 4e11, 0.003).into_iter().map(|[o, h, l, c, volume]| [o, h, l, c, volume * 1e15]),
        ),
        Series::from_candles(
            "smallest prices and volumes",
            walk(11, 3000, 1e-12, 0.003).into_iter().map(|[o, h, l, c, volume]| [o, h, l, c, volume * 1e-15]),
        ),
        Series::from_candles("zero volume", varied(5, |_, _, candle| candle[4] = 0.0)),
        Series::from_candles("huge volume", varied(6, |_, dice, candle| candle[4] = 1e15 * dice.roll())),
        Series::from_candles("stormy volume", varied(7, stormy_volume)),
        Series::from_candles(
            "flat runs",
            varied(8, |index, _, candle| {
                if index % 500 > 100 {
                    *candle = [99.9, 99.9, 99.9, 99.9, f64::from(u8::from(index % 3 == 0))];
                }
            }),
        ),
        Series::from_candles(
            "rise",
            (0..2000).map(|index| {
                let open = 10.0 * 1.001f64.powi(index);
                [open, open * 1.001, open, open * 1.001, 50.0]
            }),
        ),
        Series::from_candles(
            "spikes",
            varied(9, |index, dice, candle| {
                if index % 331 == 200 {
                    candle[1] *= 1.0 + 5.0 * dice.roll();
                    candle[2] *= 0.2;
                }
                if index % 613 == 300 {
                    candle[1] *= 20.0;
                    candle[3] = candle[1];
                }
            }),
        ),
    ]
}

/// All values of planned columns, column by column, in blocks as a batch takes them.
fn values_of(planned: Vec<Planned>, bars: &[Bar]) -> Vec<(ColumnInfo, Vec<f64>)> {
    let mut columns = vec![];
    for Planned { mut node, columns: infos } in planned {
        let mut values = vec![vec![0.0; bars.len()]; node.width()];
        for first in (0..bars.len()).step_by(BLOCK) {
            let last = bars.len().min(first + BLOCK);
            let mut out: Vec<&mut [f64]> = values.iter_mut().map(|column| &mut column[first..last]).collect();
            node.run(&bars[first..last], &mut out);
        }
        assert_eq!(infos.len(), values.len());
        columns.extend(infos.into_iter().zip(values));
    }
    columns
}

/// A value as the pipeline makes it comparable.
fn scaled(info: &ColumnInfo, value: f64, bar: &Bar, mean_volume: f64) -> f64 {
    match info.unit {
        Unit::Plain => value,
        Unit::PriceLevel => value / bar.close - 1.0,
        Unit::PriceDifference => value / bar.close,
        Unit::Volume => value / mean_volume,
    }
}

/// The largest difference after warm-up between a run and one that begins at candle `first` of it, as a
/// multiple of the column's mean absolute value, both scaled as the pipeline does. Up to 1e-14 counts as
/// nothing: it is the rounding of a price.
pub(crate) fn disagreement(
    plan: &impl Fn() -> Vec<Planned>,
    series: &Series,
    first: usize,
) -> Vec<(ColumnInfo, f64)> {
    let bars = series.bars_from(0);
    let mean_volume = (series.volume.iter().sum::<f64>() / series.len() as f64).max(1.0);
    let runs = values_of(plan(), &bars).into_iter().zip(values_of(plan(), &series.bars_from(first)));
    runs.map(|((info, whole), (_, late))| {
        let size = |index: usize| scaled(&info, whole[index], &bars[index], mean_volume);
        let used = || (info.warm_up + first..bars.len()).filter(|&index| !late[index - first].is_nan());
        let mean = used().map(|index| size(index).abs()).sum::<f64>() / used().count().max(1) as f64;
        let largest = used()
            .map(|index| (size(index) - scaled(&info, late[index - first], &bars[index], mean_volume)).abs())
            .fold(0.0, f64::max);
        (info, if largest > 1e-14 { largest / mean } else { 0.0 })
    })
    .collect()
}

/// Checks that nodes go on to the bit from a saved state.
fn assert_resumable(plan: &impl Fn() -> Vec<Planned>, series: &Series) {
    let bars = series.bars_from(0);
    for stop in [1, 30, 700] {
        for (mut whole, mut resumed) in plan().into_iter().zip(plan()) {
            let mut values = [vec![0.0; whole.node.width()], vec![0.0; whole.node.width()]];
            let [of_whole, of_resumed] = &mut values;
            bars[..stop].iter().for_each(|bar| whole.node.push(bar, of_whole));
            resumed.node.restore(&whole.node.save().unwrap()).unwrap();
            for bar in &bars[stop..stop + 500] {
                whole.node.push(bar, of_whole);
                resumed.node.push(bar, of_resumed);
                let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(of_whole), bits(of_resumed), "{}", whole.columns[0].name);
            }
        }
    }
}

/// Checks the columns of a group on all extremes: after its first value each is finite and within its
/// bounds, the first is not later than the warm-up, runs begun elsewhere agree after it, and saved ones go on.
pub(crate) fn assert_sound(plan: impl Fn() -> Vec<Planned>) {
    for series in all() {
        assert_resumable(&plan, &series);
        let bars = series.bars_from(0);
        for (info, values) in values_of(plan(), &bars) {
            let what = format!("{} in {}", info.name, series.name);
            let first = values.iter().position(|value| !value.is_nan()).unwrap();
            // `vwap_day` waits for midnight, which no number of candles tells.
            assert!(first <= info.warm_up || info.name == "vwap_day", "{what}: first value at {first}");
            for value in &values[first..] {
                assert!(value.is_finite(), "{what}: {value}");
                assert!((info.minimum..=info.maximum).contains(value), "{what}: {value}");
            }
        }
        for first in [1, 37, 501, 777] {
            for (info, difference) in disagreement(&plan, &series, first) {
                assert!(difference < 1e-6, "{} in {} from {first}: {difference}", info.name, series.name);
            }
        }
    }
}
