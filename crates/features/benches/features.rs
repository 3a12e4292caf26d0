//! How fast features are computed: `cargo bench --workspace --bench features`.

#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

#[path = "../../market-data/benches/machine/mod.rs"]
mod machine;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use features::{FeaturePipeline, FeatureSpec, Outside};
use market_data::synthetic::{MarketShape, SyntheticModel};
use market_data::{CandleSeries, Timeframe};

const ROWS: usize = 1_000_000;

fn main() {
    machine::print_header("features");
    divan::main();
}

fn market(candles: usize) -> CandleSeries {
    let mut shape = MarketShape { candles, timeframe: Timeframe::M1, ..MarketShape::default() };
    shape.symbols.truncate(1);
    SyntheticModel::default().generate(&shape).expect("the default market").series.remove(0)
}

/// The groups of the default specification one by one, and all of them.
const PARTS: [&str; 11] = [
    "all",
    "price",
    "trend",
    "momentum",
    "volatility",
    "volume",
    "cycle",
    "pattern",
    "level",
    "time",
    "higher_timeframe",
];

fn part(name: &str) -> FeatureSpec {
    let mut spec = FeatureSpec::default();
    if name == "all" {
        return spec;
    }
    spec.price.enabled = name == "price";
    spec.trend.enabled = name == "trend";
    spec.momentum.enabled = name == "momentum";
    spec.volatility.enabled = name == "volatility";
    spec.volume.enabled = name == "volume";
    spec.cycle.enabled = name == "cycle";
    spec.pattern.enabled = name == "pattern";
    spec.level.enabled = name == "level";
    spec.time.enabled = name == "time";
    spec.higher_timeframe.enabled = name == "higher_timeframe";
    spec
}

/// One million candles of 1m, on one core: rows per second.
#[divan::bench(sample_count = 5, args = PARTS)]
fn frame(bencher: Bencher, name: &str) {
    let (series, spec) = (market(ROWS), part(name));
    bencher
        .counter(ItemsCount::new(ROWS))
        .bench_local(|| black_box(spec.frame(&series, Outside::default()).expect("a sound series")));
}

/// Candle after candle, as live: 10,000 pushes after the warm-up.
#[divan::bench(sample_count = 10)]
fn ten_thousand_live_pushes(bencher: Bencher) {
    let series = market(20_000);
    let candles: Vec<_> = series.iter().collect();
    let mut warm = FeaturePipeline::new(&FeatureSpec::default(), Timeframe::M1).expect("the default");
    for candle in &candles[..10_000] {
        warm.push(candle).expect("a sound candle");
    }
    bencher.counter(ItemsCount::new(10_000_usize)).with_inputs(|| warm.clone()).bench_local_values(
        |mut pipeline| {
            for candle in &candles[10_000..] {
                black_box(pipeline.push(candle).expect("a sound candle"));
            }
            pipeline
        },
    );
}
