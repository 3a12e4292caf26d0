//! How fast thresholds are found: `cargo bench --workspace --bench threshold_search`.

#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

#[path = "../../market-data/benches/machine/mod.rs"]
mod machine;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use labels::splits::{SplitPlan, TimeRange};
use labels::threshold_search::{Symmetry, search_barrier_distance, search_horizon_threshold};
use labels::{AdaptiveThreshold, HorizonReturn, Labeler, Threshold, TrendScanning, TripleBarrier};
use market_data::Timestamp;
use market_data::synthetic::{MarketShape, SyntheticMarket, SyntheticModel};

const TARGET: [f64; 3] = [0.25, 0.5, 0.25];

fn main() {
    machine::print_header("threshold_search");
    divan::main();
}

/// Four symbols of `candles` candles each.
fn market(candles: usize) -> SyntheticMarket {
    let shape = MarketShape { candles, ..Default::default() };
    SyntheticModel::default().generate(&shape).expect("the default shape is valid")
}

fn plan() -> SplitPlan {
    SplitPlan::everything(TimeRange::new(Timestamp::MIN, Timestamp::MAX))
}

#[divan::bench(sample_count = 5, args = [25_000, 250_000])]
fn horizon_fixed(bencher: Bencher, candles: usize) {
    search(bencher, candles, &HorizonReturn::default());
}

#[divan::bench(sample_count = 5, args = [25_000, 250_000])]
fn horizon_adaptive(bencher: Bencher, candles: usize) {
    let threshold = Threshold::Adaptive(AdaptiveThreshold::default());
    search(bencher, candles, &HorizonReturn { threshold, ..Default::default() });
}

fn search(bencher: Bencher, candles: usize, labeler: &HorizonReturn) {
    let (market, plan) = (market(candles), plan());
    let training: Vec<_> = market.series.iter().map(|series| plan.train_candles(series)).collect();
    bencher
        .counter(ItemsCount::new(candles * training.len()))
        .bench(|| search_horizon_threshold(black_box(labeler), &training, TARGET, Symmetry::Symmetric));
}

#[divan::bench(sample_count = 5, args = [25_000])]
fn barrier_bisection(bencher: Bencher, candles: usize) {
    let (market, plan) = (market(candles), plan());
    let training: Vec<_> = market.series.iter().map(|series| plan.train_candles(series)).collect();
    bencher
        .counter(ItemsCount::new(candles * training.len()))
        .bench(|| search_barrier_distance(black_box(&TripleBarrier::default()), &training, TARGET, 1e-3));
}

const LABELERS: [&str; 3] = ["horizon-return", "triple-barrier", "trend-scanning"];

#[divan::bench(sample_count = 5, args = LABELERS)]
fn label(bencher: Bencher, name: &str) {
    let labeler = match name {
        "triple-barrier" => Labeler::TripleBarrier(TripleBarrier::default()),
        "trend-scanning" => Labeler::TrendScanning(TrendScanning::default()),
        _ => Labeler::default(),
    };
    let market = market(250_000);
    bencher
        .counter(ItemsCount::new(market.series[0].len()))
        .bench(|| labeler.label(black_box(&market.series[0])));
}
