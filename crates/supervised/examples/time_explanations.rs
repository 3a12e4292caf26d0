//! Explanations per second of an untrained xLSTM of default size, as JSON: beside `benches/peers/expected_gradients.py`, which
//! does the same with PyTorch and SHAP on random windows of the same shape.
//!
//! `eight_nodes` takes as many gradient evaluations as `--samples 256` of the peer, `four_nodes` half of them (and still adds up
//! better than the peer's samples do); `adaptive` takes as many as it needs to add up.

use std::time::Instant;

use market_data::synthetic::generator;
use rand::RngExt;
use rand_distr::StandardNormal;
use supervised::explanation::{
    CentredOutputs, DifferentiableModel, ExpectedGradients, ExplainedNetwork, PathConfig, Windows,
    expected_gradients,
};
use supervised::{DeviceKind, NetworkConfig, SupervisedError};

/// As in the programs: with the allocator of the C library much of the time goes into page faults.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const STEPS: usize = 60;
const FEATURES: usize = 45;
const BACKGROUND: usize = 32;

fn inputs(windows: usize, seed: u64) -> Vec<f32> {
    let mut rng = generator(seed, "example/windows", 0);
    (0..windows * STEPS * FEATURES).map(|_| rng.sample::<f32, _>(StandardNormal)).collect()
}

/// As JSON.
fn timed(network: &ExplainedNetwork, windows: usize, config: &PathConfig) -> Result<String, SupervisedError> {
    let (values, background) = (inputs(windows, 1), inputs(BACKGROUND, 2));
    let windows = Windows::new(&values, STEPS, FEATURES)?;
    let background = Windows::new(&background, STEPS, FEATURES)?;
    let begun = Instant::now();
    let found = expected_gradients(&CentredOutputs::new(network), windows, background, config, &mut |_| {})?;
    let seconds = begun.elapsed().as_secs_f64();
    let ExpectedGradients { completeness, cost, .. } = found;
    let count = windows.count();
    Ok(format!(
        "{{\"windows\": {count}, \"explanations_per_second\": {:.3}, \"gradient_evaluations\": {:.0}, \"unexplained\": {:.2e}}}",
        count as f64 / seconds,
        cost.gradient_evaluations as f64 / count as f64,
        completeness.maximum_residual
    ))
}

/// Windows per second of a forward pass, and of a forward and a backward pass.
fn passes(network: &ExplainedNetwork) -> Result<[f64; 2], SupervisedError> {
    let values = inputs(256, 3);
    let windows = Windows::new(&values, STEPS, FEATURES)?;
    let rate = |pass: &dyn Fn() -> Result<Vec<f32>, SupervisedError>| {
        pass()?;
        let begun = Instant::now();
        for _ in 0..5 {
            pass()?;
        }
        Ok::<f64, SupervisedError>(5.0 * 256.0 / begun.elapsed().as_secs_f64())
    };
    let forward = rate(&|| network.evaluate(windows))?;
    Ok([forward, rate(&|| network.input_gradients(windows, &[1.0, -0.5, -0.5]))?])
}

#[expect(clippy::print_stdout, reason = "an example prints its result")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count: usize = std::env::args().nth(1).map_or(Ok(8), |text| text.parse())?;
    let config = NetworkConfig { width: 64, heads: 4, ..NetworkConfig::default() };
    let classifier = config.classifier(FEATURES, 0).init(&DeviceKind::Flex.device()?)?;
    let network = ExplainedNetwork::new(&classifier)?;
    let [forward, gradient] = passes(&network)?;
    let adaptive = PathConfig::default();
    let fixed = |nodes: usize| PathConfig { nodes, maximum_nodes: nodes, ..adaptive.clone() };
    println!(
        "{{\"width\": 64, \"heads\": 4, \"steps\": {STEPS}, \"features\": {FEATURES}, \"background\": {BACKGROUND}, \
         \"forward_windows_per_second\": {forward:.0}, \"gradient_windows_per_second\": {gradient:.0}, \
         \"four_nodes\": {}, \"eight_nodes\": {}, \"adaptive\": {}}}",
        timed(&network, count, &fixed(4))?,
        timed(&network, count, &fixed(8))?,
        timed(&network, count, &adaptive)?
    );
    Ok(())
}
