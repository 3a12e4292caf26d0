//! Paths of a Monte Carlo simulation: `cargo bench -p sim --bench monte_carlo`.
//!
//! To reach: 1,000 paths of 100,000 steps in under 2 s on two cores.

use divan::Bencher;
use sim::monte_carlo::{MonteCarloConfig, MonteCarloMethod, monte_carlo};

const STEPS: usize = 100_000;

fn main() {
    divan::main();
}

fn returns() -> Vec<f64> {
    let mut state = 1_u64;
    (0..STEPS)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5) * 0.001
        })
        .collect()
}

#[divan::bench(sample_count = 3, sample_size = 1, args = ["shuffle", "bootstrap-50", "bootstrap-1", "gaussian"])]
fn thousand_paths_of_a_hundred_thousand_steps(bencher: Bencher<'_, '_>, method: &str) {
    let method = match method {
        "shuffle" => MonteCarloMethod::Shuffle {},
        "bootstrap-50" => MonteCarloMethod::StationaryBootstrap { mean_block: Some(50.0), steps: None },
        "bootstrap-1" => MonteCarloMethod::StationaryBootstrap { mean_block: Some(1.0), steps: None },
        _ => MonteCarloMethod::Gaussian { steps: None },
    };
    let returns = returns();
    let config = MonteCarloConfig { method, ..MonteCarloConfig::default() };
    bencher.bench(|| monte_carlo(&returns, &config));
}
