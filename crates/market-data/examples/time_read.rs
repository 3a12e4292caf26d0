//! Times reading one candle file and prints JSON: seconds of each repetition, rows, peak memory.
//!
//! `benches/peers.py` runs this beside pandas and polars on the same file. The memory is what the process
//! holds at most (Linux only; 0 elsewhere), against the bytes of the raw columns.

use std::path::Path;
use std::time::Instant;

use market_data::import::{ImportOptions, Imported, import_file};

#[expect(clippy::print_stdout, reason = "an example prints its result")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: time_read FILE [REPETITIONS]")?;
    let repetitions: usize = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let mut seconds = Vec::with_capacity(repetitions);
    let (mut rows, mut raw_bytes) = (0, 0);
    for _ in 0..repetitions {
        let start = Instant::now();
        let tables = import_file(Path::new(&path), &ImportOptions::default(), None)?;
        seconds.push(start.elapsed().as_secs_f64());
        let Imported::Candles(found) = &tables[0].content else { return Err("no candles".into()) };
        rows = found[0].series.len();
        raw_bytes = found[0].series.columns().raw_bytes();
    }
    let report = serde_json::json!({
        "seconds": seconds, "rows": rows, "raw_bytes": raw_bytes, "peak_bytes": peak_bytes(),
    });
    println!("{report}");
    Ok(())
}

/// The most memory that this process has held, from Linux's process status.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1_024
}
