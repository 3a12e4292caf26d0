//! How fast candles are read and written. Run with `cargo bench --workspace --bench read`.
//!
//! One million candles of a synthetic market, as CSV and as Parquet, under a name that does not say so: they
//! are judged like any file. The peers
//! (pandas' C reader, polars from PyPI) are measured by `benches/peers.py` on the same files; see
//! `docs/benchmarks.md`.

#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

mod machine;

use std::path::{Path, PathBuf};

use divan::Bencher;
use divan::counter::ItemsCount;
use market_data::import::{ImportOptions, import_file};
use market_data::store::{OnConflict, Store, write_parquet};
use market_data::synthetic::{MarketShape, SyntheticModel};
use market_data::{CandleSeries, Timeframe, write_csv};

const ROWS: usize = 1_000_000;

fn main() {
    machine::print_header("read");
    divan::main();
}

fn market() -> CandleSeries {
    let mut shape = MarketShape { candles: ROWS, timeframe: Timeframe::M1, ..MarketShape::default() };
    shape.symbols.retain(|symbol| symbol.symbol.base() == "SOL");
    SyntheticModel::default().generate(&shape).expect("the default market").series.remove(0)
}

/// The directory of the benchmark's files, which `peers.py` reads too.
fn directory() -> PathBuf {
    let path = std::env::temp_dir().join("matrela-bench-read");
    std::fs::create_dir_all(&path).expect("a temporary directory");
    path
}

fn csv() -> PathBuf {
    let path = directory().join("bench-linear_SOLUSDT_1m_bench.csv");
    if !path.exists() {
        let file = std::fs::File::create(&path).expect("a temporary file");
        write_csv(&market(), std::io::BufWriter::new(file)).expect("a whole file");
    }
    path
}

fn parquet() -> PathBuf {
    let path = directory().join("bench-linear_SOLUSDT_1m_bench.parquet");
    if !path.exists() {
        let mut file = std::fs::File::create(&path).expect("a temporary file");
        write_parquet(market().columns(), &path, &mut file).expect("a whole file");
    }
    path
}

fn import(path: &Path) -> usize {
    let tables = import_file(path, &ImportOptions::default(), None).expect("a sound file");
    tables.len()
}

/// Read, identified, inspected: everything but the store.
#[divan::bench(sample_count = 10)]
fn csv_read_and_validated(bencher: Bencher) {
    let path = csv();
    bencher.counter(ItemsCount::new(ROWS)).bench(|| import(&path));
}

#[divan::bench(sample_count = 10)]
fn parquet_read_and_validated(bencher: Bencher) {
    let path = parquet();
    bencher.counter(ItemsCount::new(ROWS)).bench(|| import(&path));
}

/// From the store: two years of months, hashes checked, series validated.
#[divan::bench(sample_count = 10)]
fn store_read_and_validated(bencher: Bencher) {
    let store = Store::new(directory().join("store"));
    let series = market();
    store.append(&series, OnConflict::Refuse).expect("a store");
    bencher.counter(ItemsCount::new(ROWS)).bench(|| store.read(series.key()).expect("a whole series"));
}

#[divan::bench(sample_count = 5)]
fn store_append(bencher: Bencher) {
    let series = market();
    bencher
        .counter(ItemsCount::new(ROWS))
        .with_inputs(|| tempfile::tempdir().expect("a temporary directory"))
        .bench_values(|directory| {
            Store::new(directory.path()).append(&series, OnConflict::Refuse).expect("a store");
            directory
        });
}

#[divan::bench(sample_count = 10)]
fn csv_written(bencher: Bencher) {
    let series = market();
    // Into memory: a sink would let the formatting be skipped.
    bencher.counter(ItemsCount::new(ROWS)).bench(|| {
        let mut text = Vec::with_capacity(128 * ROWS);
        write_csv(&series, &mut text).expect("memory");
        text
    });
}
