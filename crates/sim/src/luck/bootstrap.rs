//! Stationary block bootstrap: how far off a mean or a Sharpe ratio may be when returns depend on earlier ones.

use std::ops::Range;

use rand::Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use trading::TradingError;

use super::random::{below, generator, unit_interval};
use crate::error::SimError;

/// Below this an automatic block length and the percentiles of a bootstrap mean nothing.
pub(crate) const FEWEST_RETURNS: usize = 20;

/// Consecutive insignificant autocorrelations that end the search: K_N = max(5, √log₁₀ n), which is 5 below 10²⁵ rows.
const INSIGNIFICANT_RUN: usize = 5;

/// Blocks of the stationary bootstrap: each starts anywhere, its length is geometric, and the sample is a circle
/// (Politis and Romano 1994, "The stationary bootstrap", section 2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct StationaryBlocks {
    observations: usize,
    /// ln(1 − 1/b), b being the mean length of a block.
    log_continue: f64,
}

impl StationaryBlocks {
    /// Blocks over `0..observations` of the mean length `mean_block` (1 or more).
    pub(crate) fn new(observations: usize, mean_block: f64) -> Self {
        Self { observations, log_continue: (-1.0 / mean_block).ln_1p() }
    }

    /// Draws blocks of `length` rows in all and gives their rows, as ranges of the sample, in order.
    pub(crate) fn draw(&self, length: usize, rng: &mut impl Rng, mut visit: impl FnMut(Range<usize>)) {
        let mut missing = length;
        while missing > 0 {
            let mut start = below(self.observations, rng);
            // The inverse of the geometric distribution; at b = 1 the quotient is 0, and `as` saturates.
            let more = (unit_interval(rng).ln() / self.log_continue).floor() as usize;
            let mut block = more.saturating_add(1).min(missing);
            missing -= block;
            while block > 0 {
                let end = start.saturating_add(block).min(self.observations);
                visit(start..end);
                block -= end - start;
                start = 0;
            }
        }
    }
}

/// Block length that estimates the variance of the mean best in the stationary bootstrap, in rows, 1 or more.
///
/// Politis and White 2004, "Automatic block-length selection for the dependent bootstrap", with the constant of Patton,
/// Politis and White 2009 (D_SB = 2 ĝ(0)²) and their limit ⌈min(3 √n, n/3)⌉. As in their program (and in the packages
/// `np` of R and `arch` of Python) m̂ is the first of five insignificant autocorrelations; the largest lag is taken where
/// there is no such run.
///
/// # Errors
/// [`SimError::Data`] below 20 returns, for numbers that are not finite and for returns that are all equal.
pub fn automatic_block_length(returns: &[f64]) -> Result<f64, SimError> {
    check(returns)?;
    let count = returns.len() as f64;
    let mean = returns.iter().sum::<f64>() / count;
    let excess: Vec<f64> = returns.iter().map(|value| value - mean).collect();
    let covariance = |lag: usize| {
        excess.iter().zip(excess.iter().skip(lag)).map(|(early, late)| early * late).sum::<f64>() / count
    };
    let largest_lag = (count.sqrt().ceil() as usize + INSIGNIFICANT_RUN).min(returns.len() - 1);
    let covariances: Vec<f64> = (0..=largest_lag).map(covariance).collect();
    let variance = covariances.first().copied().unwrap_or_default();
    let critical = 2.0 * (count.log10() / count).sqrt() * variance;
    let first_insignificant =
        covariances.windows(INSIGNIFICANT_RUN).position(|run| run.iter().all(|value| value.abs() < critical));
    let bandwidth = first_insignificant.map_or(largest_lag, |lag| (2 * lag.max(1)).min(largest_lag));
    let (mut spectrum, mut slope) = (variance, 0.0);
    for (lag, covariance) in covariances.iter().enumerate().skip(1).take(bandwidth) {
        let share = lag as f64 / bandwidth as f64;
        // The flat-top window of Politis and Romano 1995.
        let weight = (2.0 * (1.0 - share)).min(1.0);
        spectrum += 2.0 * weight * covariance;
        slope += 2.0 * weight * lag as f64 * covariance;
    }
    let limit = (3.0 * count.sqrt()).min(count / 3.0).ceil();
    let length = (slope / spectrum).powi(2).cbrt() * count.cbrt();
    // 0/0: neither dependence nor variance at frequency 0 was found.
    Ok(if length.is_nan() { 1.0 } else { length.clamp(1.0, limit) })
}

/// What is estimated from returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Statistic {
    /// Mean return per row.
    Mean,
    /// Sharpe ratio per row: the mean over the standard deviation (n − 1).
    Sharpe,
}

/// How a bootstrap interval is made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BootstrapConfig {
    /// Resampled records; 500 or more.
    pub replications: usize,
    /// Probability that the interval is to cover the truth, between 0.5 and 1.
    pub level: f64,
    /// Mean length of a block in rows; absent: [`automatic_block_length`].
    pub mean_block: Option<f64>,
    /// Seed of the randomness.
    pub seed: u64,
}

impl Default for BootstrapConfig {
    fn default() -> Self {
        Self { replications: 2_000, level: 0.95, mean_block: None, seed: 0 }
    }
}

impl BootstrapConfig {
    /// Refuses settings that make no interval.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the setting, its value and the remedy.
    pub fn validate(&self) -> Result<(), TradingError> {
        let refuse = |field, value: String, remedy| Err(TradingError::Config { field, value, remedy });
        if self.replications < 500 {
            let remedy = "give 500 or more; fewer leave the ends of the interval to chance";
            return refuse("bootstrap.replications", self.replications.to_string(), remedy);
        }
        if !(self.level > 0.5 && self.level < 1.0) {
            return refuse(
                "bootstrap.level",
                self.level.to_string(),
                "give a number between 0.5 and 1, such as 0.95",
            );
        }
        match self.mean_block {
            Some(block) if !(block >= 1.0 && block.is_finite()) => {
                refuse("bootstrap.mean_block", block.to_string(), "give 1 or more rows, or leave it out")
            }
            _ => Ok(()),
        }
    }
}

/// An estimate and the interval that covers the truth with the probability asked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BootstrapInterval {
    /// The statistic of the returns themselves, per row.
    pub estimate: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Standard deviation of the statistic over the replications.
    pub standard_error: f64,
    /// Mean length of a block, in rows.
    pub mean_block: f64,
}

/// Percentile interval of a statistic of `returns` (per bar or trade) by the stationary bootstrap.
///
/// Politis and Romano 1994; the percentiles of the replications (Efron 1979) are the ends. Its coverage is a few points
/// below the level in short and strongly dependent records.
///
/// # Errors
/// [`SimError::Trading`] for the configuration; [`SimError::Data`] as [`automatic_block_length`], for a block longer than
/// the record, and where a replication is of equal returns only and has no Sharpe ratio.
pub fn bootstrap_interval(
    returns: &[f64],
    statistic: Statistic,
    config: &BootstrapConfig,
) -> Result<BootstrapInterval, SimError> {
    config.validate()?;
    check(returns)?;
    let mean_block = mean_block(returns, config.mean_block)?;
    let blocks = StationaryBlocks::new(returns.len(), mean_block);
    let mut values = (0..config.replications)
        .into_par_iter()
        .map(|replication| {
            let mut rng = generator(config.seed, "luck/bootstrap", replication as u64);
            let mut sample = Vec::with_capacity(returns.len());
            blocks.draw(returns.len(), &mut rng, |rows| {
                sample.extend_from_slice(returns.get(rows).unwrap_or_default());
            });
            estimate(&sample, statistic)
        })
        .collect::<Result<Vec<_>, _>>()?;
    values.sort_by(f64::total_cmp);
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let outside = 0.5 * (1.0 - config.level);
    Ok(BootstrapInterval {
        estimate: estimate(returns, statistic)?,
        low: quantile(&values, outside),
        high: quantile(&values, 1.0 - outside),
        standard_error: variance.sqrt(),
        mean_block,
    })
}

/// The block length that was asked for, or the automatic one.
pub(crate) fn mean_block(returns: &[f64], asked: Option<f64>) -> Result<f64, SimError> {
    let Some(block) = asked else {
        return automatic_block_length(returns);
    };
    if block > returns.len() as f64 {
        return Err(SimError::data(
            "mean block",
            format!(
                "{block} rows are more than the record's {}; give a shorter one or leave it out",
                returns.len()
            ),
        ));
    }
    Ok(block)
}

fn check(returns: &[f64]) -> Result<(), SimError> {
    if returns.len() < FEWEST_RETURNS {
        let problem = format!("{} of them; a bootstrap needs {FEWEST_RETURNS} or more", returns.len());
        return Err(SimError::data("returns", problem));
    }
    estimate(returns, Statistic::Sharpe).map(|_| ())
}

fn estimate(returns: &[f64], statistic: Statistic) -> Result<f64, SimError> {
    match statistic {
        Statistic::Mean => Ok(returns.iter().sum::<f64>() / returns.len() as f64),
        Statistic::Sharpe => super::sharpe::sharpe_ratio(returns),
    }
}

/// The quantile at `level` of ascending `values`, linear between neighbours (type 7 of Hyndman and Fan 1996, numpy's);
/// not a number where there is no value.
pub(crate) fn quantile(values: &[f64], level: f64) -> f64 {
    let place = level * values.len().saturating_sub(1) as f64;
    let (Some(low), Some(high)) = (values.get(place.floor() as usize), values.get(place.ceil() as usize))
    else {
        return f64::NAN;
    };
    low + (high - low) * place.fract()
}
