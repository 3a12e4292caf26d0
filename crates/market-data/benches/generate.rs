//! How fast synthetic markets grow: `cargo bench -p market-data --bench generate`.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use market_data::synthetic::{MarketShape, NoiseMarket, PlantedMarket, RegimeMarket, SyntheticModel};

/// Per symbol; the usual shape has four symbols.
const CANDLES: usize = 250_000;

#[expect(clippy::print_stderr, reason = "a measurement names its machine and commit")]
fn main() {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    eprintln!("machine: {}, {threads} threads", processor());
    eprintln!("commit: {}", commit());
    eprintln!("command: cargo bench -p market-data --bench generate");
    divan::main();
}

fn processor() -> String {
    std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| Some(text.lines().find(|line| line.starts_with("model name"))?.to_owned()))
        .and_then(|line| Some(line.split_once(':')?.1.trim().to_owned()))
        .unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

fn commit() -> String {
    std::process::Command::new("git")
        .args(["describe", "--always", "--dirty"])
        .output()
        .ok()
        .filter(|output| output.status.success())
        .map_or_else(
            || "unknown".to_owned(),
            |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        )
}

fn shape() -> MarketShape {
    MarketShape { candles: CANDLES, ..Default::default() }
}

fn candles(shape: &MarketShape) -> ItemsCount {
    ItemsCount::new(shape.candles * shape.symbols.len())
}

#[divan::bench(sample_count = 10, args = [1, 2])]
fn regime_on_threads(bencher: Bencher, threads: usize) {
    let (shape, model) = (shape(), RegimeMarket::default());
    bencher.counter(candles(&shape)).bench(|| model.generate_on(black_box(&shape), threads));
}

#[divan::bench(sample_count = 10)]
fn planted(bencher: Bencher) {
    let (shape, model) = (shape(), SyntheticModel::Planted(PlantedMarket::default()));
    bencher.counter(candles(&shape)).bench(|| model.generate(black_box(&shape)));
}

#[divan::bench(sample_count = 10)]
fn noise(bencher: Bencher) {
    let (shape, model) = (shape(), SyntheticModel::Noise(NoiseMarket::default()));
    bencher.counter(candles(&shape)).bench(|| model.generate(black_box(&shape)));
}
