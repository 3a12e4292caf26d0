//! Metrics of a curve in a file, as JSON: `cargo run -p sim --example curve_metrics -- EQUITY.csv >
//! METRICS.json`.
//!
//! The file has a heading and the columns time, equity and, where known, exposure (0 without it). Times are
//! ISO 8601 or milliseconds, when the equity was known: the close of a candle.
//! `benches/peers/quantstats_metrics.py` puts QuantStats' figures beside them.

use std::error::Error;
use std::io::Write;

use sim::metrics::{EquityCurve, Metrics, MetricsConfig, OrderCounts};

fn read(text: &str) -> Result<EquityCurve, Box<dyn Error>> {
    let mut curve = EquityCurve::default();
    for (at, line) in text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty()) {
        let mut fields = line.split(',').map(str::trim);
        let (time, equity) = fields
            .next()
            .zip(fields.next())
            .ok_or_else(|| format!("line {}: `{line}` has no equity; write time,equity", at + 1))?;
        curve.times.push(time.parse()?);
        curve.equity.push(equity.parse().map_err(|error| format!("line {}: `{equity}`: {error}", at + 1))?);
        curve.exposure.push(fields.next().map_or(Ok(0.0), str::parse)?);
    }
    Ok(curve)
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("name a file of time,equity")?;
    let curve = read(&std::fs::read_to_string(path)?)?;
    let metrics = Metrics::of(&curve, &[], &OrderCounts::default(), &MetricsConfig::default())?;
    writeln!(std::io::stdout().lock(), "{}", serde_json::to_string_pretty(&metrics)?)?;
    Ok(())
}
