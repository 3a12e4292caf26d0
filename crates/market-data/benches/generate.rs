//! How fast synthetic markets grow: `cargo bench --workspace --bench generate`.

mod machine;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use market_data::synthetic::{MarketShape, NoiseMarket, PlantedMarket, RegimeMarket, SyntheticModel};

/// Per symbol; the usual shape has four symbols.
const CANDLES: usize = 250_000;

fn main() {
    machine::print_header("generate");
    divan::main();
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

/// The figure to reach: ten million candles under five seconds.
#[divan::bench(sample_count = 3, args = [1, 2])]
fn regime_ten_million(bencher: Bencher, threads: usize) {
    let shape = MarketShape { candles: 2_500_000, ..Default::default() };
    let model = RegimeMarket::default();
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
