//! A curve against another: what it earned that the benchmark did not.

use serde::{Deserialize, Serialize};

use super::config::{Basis, MetricsConfig};
use super::curve::EquityCurve;
use super::returns::{Moments, excess_returns, on_basis};
use crate::SimError;

/// A curve against a benchmark over the same periods.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BenchmarkMetrics {
    /// What the returns are of.
    pub basis: Basis,
    /// Pairs of returns.
    pub count: usize,
    /// Slope of excess returns on those of the benchmark: covariance over its variance. None of fewer than 2
    /// returns, and where the benchmark has no variance.
    pub beta: Option<f64>,
    /// Jensen's alpha, `mean(excess) − beta × mean(excess of the benchmark)`, × periods in a year, not
    /// compounded (Jensen (1968), "The performance of mutual funds in the period 1945-1964"). None where beta
    /// is.
    pub alpha: Option<f64>,
    /// Pearson's correlation; none of fewer than 2 returns, and where either has no variance.
    pub correlation: Option<f64>,
    /// Mean difference of returns, × periods in a year; none without a return.
    pub active_return: Option<f64>,
    /// Standard deviation (n − 1) of the differences, × √periods; none of fewer than 2 returns.
    pub tracking_error: Option<f64>,
    /// Active return over tracking error (Grinold & Kahn (2000), "Active portfolio management", chapter 5),
    /// annual: QuantStats' is that of one period. None of fewer than 2 returns, and where the differences do
    /// not vary.
    pub information_ratio: Option<f64>,
}

impl BenchmarkMetrics {
    /// Of `curve` against `benchmark`, on the basis that is set, over the time until `curve` is ruined.
    ///
    /// # Errors
    /// [`SimError`] where a setting or a curve is unsound, or the times of the two differ: what is not
    /// measured at the same times cannot be compared.
    pub fn of(
        curve: &EquityCurve,
        benchmark: &EquityCurve,
        config: &MetricsConfig,
    ) -> Result<Self, SimError> {
        config.validate()?;
        curve.validate()?;
        benchmark.validate()?;
        let (curve, periods) = on_basis(&curve.until_ruin(), config)?;
        let end = curve.times.last().copied();
        let mut benchmark = benchmark.until_ruin();
        let kept = benchmark.times.iter().take_while(|time| Some(**time) <= end).count();
        benchmark.times.truncate(kept);
        benchmark.equity.truncate(kept);
        benchmark.exposure.truncate(kept);
        let (benchmark, _) = on_basis(&benchmark, config)?;
        if curve.times != benchmark.times {
            let odd = curve.times.iter().zip(&benchmark.times).find(|(own, other)| own != other);
            let place = match odd {
                Some((own, other)) => format!("a point is at {other} where the curve has one at {own}"),
                None => format!("{} points where the curve has {}", benchmark.times.len(), curve.times.len()),
            };
            return Err(SimError::data("benchmark", format!("{place}; sample both at the same times")));
        }
        let rate = |values: &[f64]| excess_returns(values, periods.per_year, config.risk_free_rate);
        let (own, other) = (curve.returns(), benchmark.returns());
        let active: Vec<f64> = own.iter().zip(&other).map(|(own, other)| own - other).collect();
        let line = rate(&own).zip(rate(&other)).map(|(own, other)| Line::of(&own, &other));
        let active = Moments::of(&active);
        let root = periods.per_year.map(f64::sqrt);
        let annual = |value: Option<f64>| value.zip(root).map(|(value, root)| value * root);
        Ok(Self {
            basis: config.basis,
            count: own.len(),
            beta: line.and_then(|line| line.beta),
            alpha: line.and_then(|line| line.alpha).zip(periods.per_year).map(|(alpha, year)| alpha * year),
            correlation: line.and_then(|line| line.correlation),
            active_return: periods.per_year.filter(|_| !own.is_empty()).map(|year| active.mean * year),
            tracking_error: annual(active.deviation()),
            information_ratio: annual(active.variable_deviation().map(|deviation| active.mean / deviation)),
        })
    }
}

/// The line through pairs of returns, by least squares.
#[derive(Clone, Copy, Debug)]
struct Line {
    beta: Option<f64>,
    alpha: Option<f64>,
    correlation: Option<f64>,
}

impl Line {
    fn of(own: &[f64], other: &[f64]) -> Self {
        let (left, right) = (Moments::of(own), Moments::of(other));
        let products = own.iter().zip(other).map(|(own, other)| (own - left.mean) * (other - right.mean));
        let covariance = products.sum::<f64>() / (own.len() as f64 - 1.0);
        let beta = right.variable_deviation().map(|deviation| covariance / (deviation * deviation));
        Self {
            beta,
            alpha: beta.map(|beta| left.mean - beta * right.mean),
            // Rounding may carry a perfect correlation past 1.
            correlation: left
                .variable_deviation()
                .zip(right.variable_deviation())
                .map(|(left, right)| (covariance / left / right).clamp(-1.0, 1.0)),
        }
    }
}
