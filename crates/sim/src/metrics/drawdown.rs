//! Drawdowns: how far and how long equity lay below its highest.

use market_data::Timestamp;
use serde::{Deserialize, Serialize};

use super::curve::{EquityCurve, simple_return};

/// One stretch under water, from a peak to its recovery.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drawdown {
    /// Time of the last point at the peak.
    pub peak: Timestamp,
    /// Time of the first point at the bottom.
    pub trough: Timestamp,
    /// First time at or above the peak again; none where the curve ended before.
    pub recovered: Option<Timestamp>,
    /// `(peak − trough) / peak`, positive.
    pub depth: f64,
    /// Milliseconds from the peak to the recovery, or to the end of the curve.
    pub duration_ms: i64,
    /// Steps of the curve from the peak to the recovery, or to the end of the curve. QuantStats counts the
    /// points below the peak, which is one fewer where equity recovered.
    pub bars: usize,
}

/// What drawdowns say about a curve. They come from every point of it, not from days: equity that falls and
/// recovers within a day was down all the same.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrawdownMetrics {
    /// Depth of the deepest drawdown, positive; 0 where equity never fell, none without a step.
    pub maximum: Option<f64>,
    /// The deepest (the first of equals); none where equity never fell.
    pub deepest: Option<Drawdown>,
    /// The longest by time (the first of equals); none where equity never fell.
    pub longest: Option<Drawdown>,
    /// Number of drawdowns.
    pub count: usize,
    /// Mean of their depths; none where equity never fell.
    pub average: Option<f64>,
    /// Total return over the maximum drawdown; none where equity never fell. It is negative for a loss;
    /// QuantStats takes the absolute value of the *sum* of returns, by which a loss looks like a recovery.
    pub recovery_factor: Option<f64>,
    /// √(Σ d² / n) of the depths below the highest at the n steps (Martin & McCann (1989), "The investor's
    /// guide to Fidelity funds"), as a fraction; none without a step. QuantStats divides by n − 1.
    pub ulcer_index: Option<f64>,
}

impl DrawdownMetrics {
    /// Of a curve, up to ruin.
    #[must_use]
    pub fn of(curve: &EquityCurve) -> Self {
        let drawdowns = curve.drawdowns();
        let first_of = |key: fn(&Drawdown) -> f64| {
            drawdowns.iter().copied().reduce(|best, next| if key(&next) > key(&best) { next } else { best })
        };
        let deepest = first_of(|drawdown| drawdown.depth);
        let underwater = curve.underwater();
        let steps = underwater.len().saturating_sub(1);
        let squares: f64 = underwater.iter().map(|depth| depth * depth).sum();
        let depths: f64 = drawdowns.iter().map(|drawdown| drawdown.depth).sum();
        let total = total_return(curve);
        Self {
            maximum: (steps > 0).then(|| deepest.map_or(0.0, |drawdown| drawdown.depth)),
            deepest,
            longest: first_of(|drawdown| drawdown.duration_ms as f64),
            count: drawdowns.len(),
            average: (!drawdowns.is_empty()).then(|| depths / drawdowns.len() as f64),
            recovery_factor: deepest.map(|drawdown| total / drawdown.depth),
            ulcer_index: (steps > 0).then(|| (squares / steps as f64).sqrt()),
        }
    }
}

/// Last equity over the first, minus 1; 0 of a single point.
pub(crate) fn total_return(curve: &EquityCurve) -> f64 {
    match (curve.equity.first(), curve.equity.get(curve.judged().saturating_sub(1))) {
        (Some(first), Some(last)) => simple_return(*first, *last),
        _ => 0.0,
    }
}

impl EquityCurve {
    /// All drawdowns in order, the last of which may be open, up to ruin.
    #[must_use]
    pub fn drawdowns(&self) -> Vec<Drawdown> {
        let mut drawdowns: Vec<Drawdown> = Vec::new();
        let mut open: Option<Drawdown> = None;
        let mut highest: Option<(Timestamp, usize, f64)> = None;
        for (at, (time, equity)) in self.times.iter().zip(&self.equity).take(self.judged()).enumerate() {
            let Some((peak, peak_at, height)) = highest else {
                highest = Some((*time, at, *equity));
                continue;
            };
            let (duration_ms, bars) = (time.as_millis() - peak.as_millis(), at - peak_at);
            if *equity >= height {
                highest = Some((*time, at, *equity));
                let recovered = Some(*time);
                drawdowns.extend(open.take().map(|drawdown| Drawdown {
                    recovered,
                    duration_ms,
                    bars,
                    ..drawdown
                }));
                continue;
            }
            let depth = (height - equity) / height;
            let deeper = Drawdown { peak, trough: *time, recovered: None, depth, duration_ms, bars };
            open = Some(match open {
                Some(drawdown) if drawdown.depth >= depth => Drawdown { duration_ms, bars, ..drawdown },
                _ => deeper,
            });
        }
        drawdowns.extend(open);
        drawdowns
    }
}
