//! Metrics against hand computation, QuantStats, and what must hold of any curve.

mod cards;
mod degenerate;
mod laws;
mod quantstats;
mod targets;

use market_data::Timestamp;

use super::{ClosedTrade, EquityCurve, Metrics, MetricsConfig, OrderCounts};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A curve that begins at `start`, with a point each `step` milliseconds, flat.
fn curve(start: &str, step: i64, equity: &[f64]) -> EquityCurve {
    EquityCurve {
        times: (0..equity.len()).map(|at| time(start).plus_millis(step * at as i64)).collect(),
        equity: equity.to_vec(),
        exposure: vec![0.0; equity.len()],
    }
}

fn metrics(curve: &EquityCurve, config: &MetricsConfig) -> Metrics {
    Metrics::of(curve, &[], &OrderCounts::default(), config).unwrap()
}

/// `found` within 1e-9 of `expected`, relative to it where it is large.
#[track_caller]
fn near(found: impl Into<Option<f64>>, expected: f64, what: &str) {
    let found = found.into().unwrap_or(f64::NAN);
    assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{what}: {found} is not {expected}");
}

fn trade(opened: &str, closed: &str, gross: f64, fees: f64, funding: f64, notional: f64) -> ClosedTrade {
    let net = gross - fees + funding;
    let (opened, closed) = (time(opened), time(closed));
    let candles = u32::try_from(closed.since(opened) / HOUR).unwrap();
    ClosedTrade {
        opened,
        closed,
        net,
        gross,
        fees,
        funding,
        return_on_notional: net / notional,
        candles,
        is_long: true,
    }
}
