//! How fast thresholds are found: `cargo bench --workspace --bench threshold_search`.

#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

#[path = "../../market-data/benches/machine/mod.rs"]
mod machine;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use labels::splits::{SplitPlan, TimeRange};
use labels::threshold_search::{
    CriticalValues, Goal, ThresholdPair, search_barrier_distance, search_horizon_threshold, sweep,
};
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
        .bench(|| search_horizon_threshold(black_box(labeler), &training, &Goal::pooled(TARGET)));
}

#[divan::bench(sample_count = 5, args = [25_000, 250_000])]
fn barrier_quantile(bencher: Bencher, candles: usize) {
    let (market, plan) = (market(candles), plan());
    let training: Vec<_> = market.series.iter().map(|series| plan.train_candles(series)).collect();
    bencher.counter(ItemsCount::new(candles * training.len())).bench(|| {
        search_barrier_distance(black_box(&TripleBarrier::default()), &training, &Goal::pooled(TARGET))
    });
}

/// The figure of the issue: the classes of three million candles (four symbols of 750,000) under 1,000 pairs of
/// thresholds, from candles to shares; and the exact threshold for the target beside it.
#[divan::bench(sample_count = 5)]
fn sweep_1000_pairs_of_3_million_candles(bencher: Bencher) {
    let (market, plan) = (market(750_000), plan());
    let training: Vec<_> = market.series.iter().map(|series| plan.train_candles(series)).collect();
    let labeler =
        HorizonReturn { threshold: Threshold::Adaptive(AdaptiveThreshold::default()), ..Default::default() };
    let at = |step: i32| 0.05 * f64::from(step);
    let pairs: Vec<ThresholdPair> =
        (0..1_000).map(|pair| ThresholdPair { sell: at(pair / 40), buy: at(pair % 40) }).collect();
    bencher.counter(ItemsCount::new(4 * 750_000_usize)).bench(|| {
        let values = CriticalValues::of(&Labeler::HorizonReturn(black_box(labeler)), &training)?;
        let rows = sweep(&values, &pairs, TARGET)?;
        let found = search_horizon_threshold(&labeler, &training, &Goal::pooled(TARGET))?;
        Ok::<_, labels::LabelError>((rows, found))
    });
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
