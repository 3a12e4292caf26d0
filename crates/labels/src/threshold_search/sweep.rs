//! The classes under many thresholds.

use serde::Serialize;

use super::critical::CriticalValues;
use super::report::{SeriesShares, ThresholdReport};
use crate::error::{LabelError, require};

/// Thresholds of both sides, in the unit of the labeler's critical values; 0 or more.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ThresholdPair {
    /// Beyond which a fall is a Sell.
    pub sell: f64,
    /// Beyond which a rise is a Buy.
    pub buy: f64,
}

/// The classes under one pair of thresholds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SweepRow {
    /// The thresholds.
    pub thresholds: ThresholdPair,
    /// Number of labels per class in all series together, in class order.
    pub counts: [usize; 3],
    /// Shares of the classes, in class order; zeros where there is no label.
    pub shares: [f64; 3],
    /// Largest deviation of a pooled share from the target.
    pub deviation: f64,
    /// Largest deviation of a series with labels.
    pub worst_deviation: f64,
    /// Key of that series; empty where there is none.
    pub worst: String,
}

impl SweepRow {
    /// What a report says of its labeler, whose both thresholds are `threshold`.
    pub fn of(report: &ThresholdReport, threshold: f64) -> Self {
        let worst = report.series.get(report.worst);
        Self {
            thresholds: ThresholdPair { sell: threshold, buy: threshold },
            counts: report.pooled.counts,
            shares: report.pooled.shares,
            deviation: report.pooled.deviation,
            worst_deviation: worst.map_or(0.0, |series| series.deviation),
            worst: worst.map_or_else(String::new, |series| series.name.clone()),
        }
    }
}

/// The classes of all labels under each of `pairs`: two binary searches per series and pair, exact, as the
/// labeler itself would give them (for adaptive thresholds up to rounding in the last bit of a product).
///
/// # Errors
/// [`LabelError::InvalidConfiguration`] for values without sides, those of a triple barrier, whose classes
/// depend on the order in which barriers are touched, and for a threshold below 0 or not finite.
pub fn sweep(
    values: &CriticalValues,
    pairs: &[ThresholdPair],
    target: [f64; 3],
) -> Result<Vec<SweepRow>, LabelError> {
    let remedy =
        "sweep a horizon return or trend scanning: which barrier is touched first no threshold tells";
    require(values.has_sides(), "labeler", "triple-barrier", remedy)?;
    let row = |pair: &ThresholdPair| {
        for (field, value) in [("thresholds.sell", pair.sell), ("thresholds.buy", pair.buy)] {
            require(value >= 0.0 && value.is_finite(), field, value, "give a threshold of 0 or more")?;
        }
        let mut pooled = [0; 3];
        let (mut worst_deviation, mut worst) = (0.0, "");
        for series in &values.series {
            let beyond =
                |values: &[f64], threshold| values.len() - values.partition_point(|v| *v <= threshold);
            let (sells, buys) = (beyond(&series.sell, pair.sell), beyond(&series.buy, pair.buy));
            let counts = [sells, series.labels - sells - buys, buys];
            let deviation = SeriesShares::deviation(counts, target);
            if deviation > worst_deviation || worst.is_empty() {
                (worst_deviation, worst) = (deviation, &series.name);
            }
            counts.iter().zip(&mut pooled).for_each(|(count, sum)| *sum += count);
        }
        Ok(SweepRow {
            thresholds: *pair,
            counts: pooled,
            shares: crate::label_series::shares_of_counts(pooled),
            deviation: SeriesShares::deviation(pooled, target),
            worst_deviation,
            worst: worst.to_owned(),
        })
    };
    pairs.iter().map(row).collect()
}
