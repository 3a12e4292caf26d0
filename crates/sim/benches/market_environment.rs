//! Steps a second of the market environment on one core: `cargo bench -p sim --bench market_environment`.
//!
//! To reach: 5 million with random actions, windows of 60 rows referenced, 24 features.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use market_data::synthetic::{MarketShape, PriceModel, generator};
use rand::RngExt;
use rl::{Actions, Outcomes, VecEnvironment};
use sim::market_environment::{MarketEnvironment, MarketEnvironmentConfig, MarketFrame, MarketFrames};

const FEATURES: usize = 24;
const STEPS: usize = 1_000;

fn main() {
    divan::main();
}

/// Four series of 100000 candles of geometric Brownian motion with made-up features, 64 environments with the default settings.
fn environment() -> MarketEnvironment {
    let model = PriceModel::Gbm(Default::default());
    let market = model.generate(&MarketShape::default(), &Default::default()).unwrap();
    let frames =
        market.series.iter().zip([0.1, 0.01, 0.001, 0.0001]).enumerate().map(|(index, (series, tick))| {
            let mut rng = generator(1, "bench/features", index as u64);
            let features = (0..series.len() * FEATURES).map(|_| rng.random::<f32>() - 0.5).collect();
            MarketFrame::of_series(series, FEATURES, features, tick, 0.001)
        });
    let frames = MarketFrames::of_single(frames.collect()).unwrap();
    MarketEnvironment::new(MarketEnvironmentConfig::default(), Arc::new(frames)).unwrap()
}

/// Actions are drawn before the clock runs.
fn actions(environments: usize) -> Vec<Actions> {
    let mut rng = generator(1, "bench/actions", 0);
    let draw = |_| Actions::Discrete((0..environments).map(|_| rng.random_range(0..3)).collect());
    (0..STEPS).map(draw).collect()
}

#[divan::bench(sample_count = 50, sample_size = 1)]
fn step_only(bencher: Bencher<'_, '_>) {
    let mut environment = environment();
    let (actions, mut outcomes) = (actions(environment.len()), Outcomes::default());
    bencher.counter(ItemsCount::new(STEPS * environment.len())).bench_local(|| {
        for action in &actions {
            environment.step(action, &mut outcomes).unwrap();
        }
        outcomes.steps.iter().map(|step| step.reward).sum::<f32>()
    });
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn step_and_observe(bencher: Bencher<'_, '_>) {
    let mut environment = environment();
    let (actions, mut outcomes) = (actions(environment.len()), Outcomes::default());
    let mut observations = vec![0.0; environment.len() * environment.observation_space().width()];
    bencher.counter(ItemsCount::new(STEPS * environment.len())).bench_local(|| {
        for action in &actions {
            environment.step(action, &mut outcomes).unwrap();
            environment.observe(&mut observations);
        }
        observations.iter().sum::<f32>()
    });
}
