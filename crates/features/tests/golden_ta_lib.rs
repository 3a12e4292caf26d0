//! The features against the C library TA-Lib: values that its Python wrapper gave (`golden/generate.py`).
//!
//! The generated series are repeated here from integers, bit by bit. The real candles belong to others and are
//! not part of this repository: where `../shared/data` is present they are read from there and compared too;
//! where it is not, the test says so and compares the generated series only.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use features::audit::FeatureSource;
use features::{FeatureFrame, FeatureSpec, Outside, PriceScale, Unit};
use market_data::import::{ImportOptions, Imported, import_file};
use market_data::{
    Candle, CandleColumns, CandleSeries, Market, SeriesKey, Symbol, Timeframe, Timestamp, Venue,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    files: Vec<Case>,
    generated: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    candles: Option<usize>,
    rule: Option<Rule>,
    check: Option<Check>,
    columns: BTreeMap<String, Column>,
}

#[derive(Deserialize)]
struct Column {
    count: usize,
    samples: Vec<(usize, f64)>,
    /// Of columns of whole numbers: the sum of value times (index + 1).
    sum: Option<f64>,
}

/// The numbers of a rule; the words stand in `golden/generate.py`.
#[derive(Deserialize)]
struct Rule {
    seed: u64,
    candles: usize,
    start: i64,
    decimals: i32,
    gap: i64,
    drift: i64,
    step: i64,
    wick: i64,
    volume_base: i64,
    volume_spread: i64,
    volume_scale: i64,
    volume_decimals: i32,
    flat_per_mille: i64,
    flat_longest: i64,
    spike_per_mille: i64,
    spike: i64,
}

/// Sums of the generated integers.
#[derive(Debug, Deserialize, PartialEq)]
struct Check {
    open: i64,
    high: i64,
    low: i64,
    close: i64,
    volume: i64,
}

impl Rule {
    fn integers(&self) -> Vec<[i64; 5]> {
        let mut state = self.seed;
        let mut below = move |bound: i64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as i64 % bound
        };
        let (mut previous, mut flat_left) = (self.start, 0);
        let mut candle = || {
            if self.flat_per_mille > 0 && flat_left == 0 && below(1_000) < self.flat_per_mille {
                flat_left = 1 + below(self.flat_longest);
            }
            if flat_left > 0 {
                flat_left -= 1;
                return [previous, previous, previous, previous, 0];
            }
            let open = (previous + below(2 * self.gap + 1) - self.gap).max(1);
            let mut close = (open + self.drift + below(2 * self.step + 1) - self.step).max(1);
            let mut high = open.max(close) + below(self.wick + 1);
            let mut low = (open.min(close) - below(self.wick + 1)).max(1);
            let volume = (self.volume_base + below(self.volume_spread + 1)) * self.volume_scale;
            previous = close;
            if self.spike_per_mille > 0 && below(1_000) < self.spike_per_mille {
                match below(4) {
                    0 => high *= self.spike,
                    1 => low = (low / self.spike).max(1),
                    2 => {
                        close *= self.spike;
                        high = high.max(close);
                    }
                    _ => {
                        close = (close / self.spike).max(1);
                        low = low.min(close);
                    }
                }
            }
            [open, high, low, close, volume]
        };
        (0..self.candles).map(|_| candle()).collect()
    }

    fn series(&self, check: &Check) -> CandleSeries {
        let integers = self.integers();
        let sum = |field: usize| integers.iter().map(|candle| candle[field]).sum::<i64>();
        let found = Check { open: sum(0), high: sum(1), low: sum(2), close: sum(3), volume: sum(4) };
        assert_eq!(&found, check, "other candles than the script's");
        let (tick, unit) = (10_f64.powi(self.decimals), 10_f64.powi(self.volume_decimals));
        let mut columns = CandleColumns::default();
        for (index, candle) in integers.into_iter().enumerate() {
            let [open, high, low, close] = [0, 1, 2, 3].map(|field| candle[field] as f64 / tick);
            let open_time = Timestamp::from_millis(1_700_000_100_000 + index as i64 * 300_000);
            let volume = candle[4] as f64 / unit;
            columns.push(&Candle { open_time, open, high, low, close, volume, turnover: None });
        }
        let venue = Venue::new("bybit", Market::Linear).unwrap();
        let key = SeriesKey::new(venue, Symbol::new("T", "USDT", Some("USDT")).unwrap(), Timeframe::M5);
        CandleSeries::new(key, columns).unwrap()
    }
}

/// The columns that TA-Lib has, in its own units.
fn frame(series: &CandleSeries) -> FeatureFrame {
    let mut spec = FeatureSpec { scale: PriceScale::Raw, ..FeatureSpec::default() };
    spec.volume.cumulative = true;
    spec.trend.ema = vec![9, 12, 20, 26, 50, 100, 200];
    spec.momentum.roc = vec![5, 10, 20];
    spec.higher_timeframe.enabled = false;
    spec.unmasked(series, Outside::default()).unwrap()
}

/// The name here of a column of the golden file; `None` for lines that are not offered because another column is
/// the same.
fn name_here(golden: &str) -> Option<&str> {
    match golden {
        "bollinger_middle_20_2" | "donchian_middle_20" | "keltner_middle_20_10_2" => None,
        "sar" => Some("sar_0_02_0_2"),
        other => Some(other),
    }
}

/// Compares; gives how many values were compared, and adds what differs.
fn compare(case: &Case, series: &CandleSeries, differences: &mut Vec<String>) -> usize {
    let frame = frame(series);
    let mut compared = 0;
    for (golden, column) in &case.columns {
        let Some(name) = name_here(golden) else { continue };
        let values = frame.column(name).unwrap();
        let first = values.iter().position(|value| !value.is_nan()).unwrap_or(values.len());
        let expected_first = column.samples.first().map_or(values.len(), |(index, _)| *index);
        if first != expected_first || values.len() - first != column.count {
            differences.push(format!("{}: {name} begins at {first}, not {expected_first}", case.name));
        }
        for &(index, expected) in &column.samples {
            let value = values[index];
            compared += 1;
            if !agrees(&frame, series, name, value, expected)
                && !differs_on_purpose(series, name, index, value, expected)
            {
                differences.push(format!("{}: {name} at {index}: {value:e}, TA-Lib {expected:e}", case.name));
                break;
            }
        }
        if let Some(sum) = column.sum {
            let found: f64 =
                values.iter().enumerate().skip(first).map(|(index, value)| value * (index + 1) as f64).sum();
            if found != sum {
                differences.push(format!("{}: {name} sums to {found}, TA-Lib's to {sum}", case.name));
            }
        }
    }
    compared
}

/// Equal to one part in a thousand million: of the value, or where that is next to nothing, of what rounding
/// alone leaves (1e-15 of prices, 1e-14 of volumes, 1e-12 of a percentage).
fn agrees(frame: &FeatureFrame, series: &CandleSeries, name: &str, value: f64, expected: f64) -> bool {
    let unit = frame.columns().iter().find(|column| column.name == name).unwrap().unit;
    let largest = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    let least = match unit {
        Unit::Plain => 1e-3,
        Unit::PriceLevel | Unit::PriceDifference => 1e-6 * largest(&series.columns().high),
        Unit::Volume => 1e-5 * largest(&series.columns().volume),
    };
    if name.starts_with("stddev_")
        && (value * value - expected * expected).abs() <= 1e-15 * largest(&series.columns().high).powi(2)
    {
        // A variance is a difference of squares of prices; after a spike what is left of these is rounding, in
        // which the C library and its own Rust port differ too.
        return true;
    }
    (value - expected).abs() <= 1e-9 * expected.abs().max(least)
}

/// Where this crate differs from TA-Lib's C library on purpose.
fn differs_on_purpose(series: &CandleSeries, name: &str, index: usize, value: f64, expected: f64) -> bool {
    let candles = series.columns();
    // No change at all: 0 in version 0.8.1 of the C library, 50 in its Rust port 0.8.3 and here.
    if name.starts_with("rsi_") && value == 50.0 && expected == 0.0 {
        return candles.close[..=index].windows(2).all(|pair| pair[0] == pair[1]);
    }
    // No volume in the window: TA-Lib divides what rounding left of two running sums; here it is 0.
    if name == "cmf_20" && value == 0.0 {
        return candles.volume[index - 19..=index].iter().all(|volume| *volume == 0.0);
    }
    false
}

fn golden() -> Golden {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/ta_lib.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn generated_series() {
    let mut differences = Vec::new();
    let mut compared = 0;
    for case in &golden().generated {
        let series = case.rule.as_ref().unwrap().series(case.check.as_ref().unwrap());
        compared += compare(case, &series, &mut differences);
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    assert!(compared > 15_000, "{compared}");
}

#[test]
fn real_candles() {
    let data: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !data.is_dir() {
        eprintln!("../shared/data is absent: only generated series are compared with TA-Lib");
        return;
    }
    let mut differences = Vec::new();
    let mut compared = 0;
    for case in &golden().files {
        let tables = import_file(&data.join(&case.name), &ImportOptions::default(), None).unwrap();
        let Imported::Candles(found) = &tables[0].content else { unreachable!("candles") };
        let whole = &found[0].series;
        let columns = whole.columns().slice(0..case.candles.unwrap());
        let series = CandleSeries::new(whole.key().clone(), columns).unwrap();
        compared += compare(case, &series, &mut differences);
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    assert!(compared > 6_000, "{compared}");
}
