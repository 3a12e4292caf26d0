//! Is a Sharpe ratio more than luck: probabilistic, deflated, and how long a record must be.
//!
//! Every Sharpe ratio here is per observation (per bar or per trade), not annualised: divide an annual one by the square
//! root of the observations per year, and a variance of annual ones by the observations per year.

use serde::{Deserialize, Serialize};

use super::normal::{normal_probability, normal_quantile};
use crate::error::SimError;

/// Euler's constant γ.
const EULER_MASCHERONI: f64 = 0.577_215_664_901_532_9;

/// What the sampling error of a Sharpe ratio depends on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrackRecord {
    observations: usize,
    sharpe: f64,
    skewness: f64,
    kurtosis: f64,
}

impl TrackRecord {
    /// A record of known moments; `sharpe` per observation, `kurtosis` not in excess (3 for a normal distribution).
    ///
    /// # Errors
    /// [`SimError::Data`] below two observations, for numbers that are not finite, and for a kurtosis below
    /// skewness² + 1, which no distribution has (Pearson 1916).
    pub fn new(observations: usize, sharpe: f64, skewness: f64, kurtosis: f64) -> Result<Self, SimError> {
        if observations < 2 {
            return Err(SimError::data(
                "track record",
                format!("{observations} observations; a Sharpe ratio needs two or more"),
            ));
        }
        for (name, value) in [("Sharpe ratio", sharpe), ("skewness", skewness), ("kurtosis", kurtosis)] {
            if !value.is_finite() {
                return Err(SimError::data(
                    "track record",
                    format!("its {name} is {value}; check the returns"),
                ));
            }
        }
        // Sample moments of two-valued returns lie on the bound and may round to below it.
        let bound = skewness * skewness + 1.0;
        if kurtosis < bound * (1.0 - 1e-9) {
            return Err(SimError::data(
                "track record",
                format!(
                    "kurtosis {kurtosis} is below skewness² + 1 = {bound}, which no distribution has; \
                     give the kurtosis itself (3 for a normal distribution), not the excess"
                ),
            ));
        }
        Ok(Self { observations, sharpe, skewness, kurtosis })
    }

    /// The record of `returns` (simple returns per bar or per trade, in excess of the risk-free rate).
    ///
    /// The Sharpe ratio is the mean over the standard deviation with n − 1 in the denominator; skewness and kurtosis are
    /// the moment ratios m₃/m₂^1.5 and m₄/m₂² (scipy's `skew` and `kurtosis(fisher=False)`).
    ///
    /// # Errors
    /// [`SimError::Data`] below two returns, for a return that is not finite, and for returns that are all equal.
    pub fn from_returns(returns: &[f64]) -> Result<Self, SimError> {
        let moments = Moments::of(returns)?;
        Self::new(returns.len(), moments.sharpe(), moments.skewness, moments.kurtosis)
    }

    /// Number of returns.
    pub fn observations(&self) -> usize {
        self.observations
    }

    /// Sharpe ratio per observation.
    pub fn sharpe(&self) -> f64 {
        self.sharpe
    }

    /// Skewness of the returns.
    pub fn skewness(&self) -> f64 {
        self.skewness
    }

    /// Kurtosis of the returns; 3 for a normal distribution.
    pub fn kurtosis(&self) -> f64 {
        self.kurtosis
    }

    /// 1 − γ₃ SR + (γ₄ − 1)/4 SR², the variance of √n·SR (Mertens 2002; Bailey and López de Prado 2012).
    fn scaled_variance(&self) -> f64 {
        let sharpe = self.sharpe;
        (1.0 - self.skewness * sharpe + 0.25 * (self.kurtosis - 1.0) * sharpe * sharpe).max(0.0)
    }

    /// Standard error of the Sharpe ratio, per observation (Bailey and López de Prado 2012).
    pub fn standard_error(&self) -> f64 {
        (self.scaled_variance() / (self.observations as f64 - 1.0)).sqrt()
    }
}

/// Mean, deviation and shape of a sample.
struct Moments {
    mean: f64,
    deviation: f64,
    skewness: f64,
    kurtosis: f64,
}

impl Moments {
    fn of(returns: &[f64]) -> Result<Self, SimError> {
        if returns.len() < 2 {
            return Err(SimError::data(
                "returns",
                format!("{} of them; a Sharpe ratio needs two or more", returns.len()),
            ));
        }
        if let Some(at) = returns.iter().position(|value| !value.is_finite()) {
            return Err(SimError::data(
                "returns",
                format!("row {at} is not a finite number; correct or leave it out"),
            ));
        }
        let count = returns.len() as f64;
        let mean = returns.iter().sum::<f64>() / count;
        let power =
            |exponent: i32| returns.iter().map(|value| (value - mean).powi(exponent)).sum::<f64>() / count;
        let (second, third, fourth) = (power(2), power(3), power(4));
        if !second.is_finite() {
            return Err(SimError::data("returns", "they are too large to have a variance; check their unit"));
        }
        // A constant series may leave rounding noise as its variance, and noise over noise is no Sharpe ratio.
        let largest = returns.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        if second.sqrt() <= largest * 1e-12 || second * second <= f64::MIN_POSITIVE {
            return Err(SimError::data(
                "returns",
                "they are all equal (or too small to tell apart), so they have no Sharpe ratio; leave this series out",
            ));
        }
        Ok(Self {
            mean,
            deviation: (second * count / (count - 1.0)).sqrt(),
            skewness: third / second.powf(1.5),
            kurtosis: fourth / (second * second),
        })
    }

    fn sharpe(&self) -> f64 {
        self.mean / self.deviation
    }
}

/// Sharpe ratio per observation: mean over standard deviation (n − 1 in the denominator).
///
/// # Errors
/// As [`TrackRecord::from_returns`].
pub fn sharpe_ratio(returns: &[f64]) -> Result<f64, SimError> {
    Ok(Moments::of(returns)?.sharpe())
}

/// Probability that the true Sharpe ratio is above `benchmark` (per observation), given the record.
///
/// PSR = Φ((SR − SR*) √(n − 1) / √(1 − γ₃ SR + (γ₄ − 1)/4 SR²)), Bailey and López de Prado 2012, "The Sharpe ratio
/// efficient frontier", section 3. It is asymptotic in n, and assumes that returns do not depend on earlier ones.
///
/// # Errors
/// [`SimError::Data`] for a benchmark that is not finite, and for moments that leave the ratio no sampling error.
pub fn probabilistic_sharpe_ratio(record: &TrackRecord, benchmark: f64) -> Result<f64, SimError> {
    if !benchmark.is_finite() {
        return Err(SimError::data("benchmark Sharpe ratio", format!("{benchmark} is not a finite number")));
    }
    let error = record.standard_error();
    if error <= 0.0 {
        return Err(SimError::data(
            "track record",
            "its skewness and kurtosis leave the Sharpe ratio no sampling error (two-valued returns); gather more returns",
        ));
    }
    Ok(normal_probability((record.sharpe - benchmark) / error))
}

/// Observations that the record must have for its Sharpe ratio to be above `benchmark` with `confidence` (0.95, say);
/// `None` where the Sharpe ratio is not above the benchmark, since no length will do then.
///
/// n* = 1 + (1 − γ₃ SR + (γ₄ − 1)/4 SR²)(Φ⁻¹(confidence)/(SR − SR*))², Bailey and López de Prado 2012, section 4.
///
/// # Errors
/// [`SimError::Data`] for a benchmark that is not finite and a confidence that is not between 0.5 and 1.
pub fn minimum_track_record_length(
    record: &TrackRecord,
    benchmark: f64,
    confidence: f64,
) -> Result<Option<f64>, SimError> {
    if !benchmark.is_finite() {
        return Err(SimError::data("benchmark Sharpe ratio", format!("{benchmark} is not a finite number")));
    }
    if !(confidence > 0.5 && confidence < 1.0) {
        return Err(SimError::data(
            "confidence",
            format!("{confidence}; give a number between 0.5 and 1, such as 0.95"),
        ));
    }
    let margin = record.sharpe - benchmark;
    if margin <= 0.0 {
        return Ok(None);
    }
    let quantiles = normal_quantile(confidence) / margin;
    Ok(Some(1.0 + record.scaled_variance() * quantiles * quantiles))
}

/// Expected largest Sharpe ratio of `trials` independent trials without skill, whose Sharpe ratios have `variance`.
///
/// √V ((1 − γ) Φ⁻¹(1 − 1/N) + γ Φ⁻¹(1 − 1/(N e))), Bailey and López de Prado 2014, "The deflated Sharpe ratio". `trials` may be fractional ([`effective_trials`]); towards 1, where the formula, made for large N, turns
/// negative, it is 0: the expected Sharpe ratio of one trial without skill.
///
/// # Errors
/// [`SimError::Data`] below one trial and for a negative variance or numbers that are not finite.
pub fn expected_maximum_sharpe(trials: f64, variance: f64) -> Result<f64, SimError> {
    if !(trials >= 1.0 && trials.is_finite()) {
        return Err(SimError::data(
            "trials",
            format!("{trials}; count every configuration that was tried, from 1"),
        ));
    }
    if !(variance >= 0.0 && variance.is_finite()) {
        return Err(SimError::data(
            "variance of the trials' Sharpe ratios",
            format!("{variance}; it is 0 or more"),
        ));
    }
    if trials == 1.0 || variance == 0.0 {
        return Ok(0.0);
    }
    let first = normal_quantile(1.0 - 1.0 / trials);
    let second = normal_quantile(1.0 - 1.0 / (trials * std::f64::consts::E));
    let deviations = (1.0 - EULER_MASCHERONI) * first + EULER_MASCHERONI * second;
    Ok(variance.sqrt() * deviations.max(0.0))
}

/// The Sharpe ratio that luck alone would have found, and the probability that the true one is above it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeflatedSharpe {
    /// Expected largest Sharpe ratio of the trials without skill, per observation.
    pub benchmark: f64,
    /// The deflated Sharpe ratio: the probability that the true Sharpe ratio is above `benchmark`.
    pub probability: f64,
}

/// Deflated Sharpe ratio of the best of `trials`, whose Sharpe ratios (per observation) have `variance`.
///
/// The probabilistic Sharpe ratio against [`expected_maximum_sharpe`] (Bailey and López de Prado 2014). As
/// a test at 0.95 it is conservative: the largest of N varies less than one Sharpe ratio does, so that for 20 trials
/// without skill the best passes in well under 5 % of cases.
///
/// # Errors
/// As [`expected_maximum_sharpe`] and [`probabilistic_sharpe_ratio`].
pub fn deflated_sharpe_ratio(
    record: &TrackRecord,
    trials: f64,
    variance: f64,
) -> Result<DeflatedSharpe, SimError> {
    let benchmark = expected_maximum_sharpe(trials, variance)?;
    Ok(DeflatedSharpe { benchmark, probability: probabilistic_sharpe_ratio(record, benchmark)? })
}

/// Variance (n − 1 in the denominator) of the Sharpe ratios of all trials, for [`deflated_sharpe_ratio`].
///
/// # Errors
/// [`SimError::Data`] below two trials and for numbers that are not finite.
pub fn variance_of_sharpes(sharpes: &[f64]) -> Result<f64, SimError> {
    if sharpes.len() < 2 {
        return Err(SimError::data(
            "trials' Sharpe ratios",
            format!(
                "{} of them have no variance; for a single trial use the probabilistic Sharpe ratio",
                sharpes.len()
            ),
        ));
    }
    if let Some(at) = sharpes.iter().position(|value| !value.is_finite()) {
        return Err(SimError::data(
            "trials' Sharpe ratios",
            format!("that of trial {at} is not a finite number"),
        ));
    }
    let count = sharpes.len() as f64;
    let mean = sharpes.iter().sum::<f64>() / count;
    Ok(sharpes.iter().map(|sharpe| (sharpe - mean).powi(2)).sum::<f64>() / (count - 1.0))
}

/// Number of independent trials that are worth `trials` correlated ones: N = ρ + (1 − ρ) M.
///
/// The interpolation of Bailey and López de Prado 2014, appendix on the number of independent trials: one trial at a mean correlation ρ of 1, all M of
/// them at 0. A negative ρ counts as 0, since no more trials were made than M.
///
/// # Errors
/// [`SimError::Data`] for no trial and for a correlation outside [−1, 1].
pub fn effective_trials(trials: usize, mean_correlation: f64) -> Result<f64, SimError> {
    if trials == 0 {
        return Err(SimError::data(
            "trials",
            "there is none; count every configuration that was tried, from 1",
        ));
    }
    if !(-1.0..=1.0).contains(&mean_correlation) {
        return Err(SimError::data(
            "mean correlation",
            format!("{mean_correlation} is not between −1 and 1"),
        ));
    }
    let correlation = mean_correlation.max(0.0);
    Ok(correlation + (1.0 - correlation) * trials as f64)
}

/// Mean of the Pearson correlations of all pairs of trials; `trials[n]` holds the returns of trial n, all equally long.
///
/// By one pass, not over pairs: with z the standardised returns, Σ_{i≠j} ρ_ij = Σ_t (Σ_i z_it)²/T − M.
///
/// # Errors
/// [`SimError::Data`] below two trials, for unequal lengths, and as [`TrackRecord::from_returns`].
pub fn mean_correlation(trials: &[Vec<f64>]) -> Result<f64, SimError> {
    let rows = super::overfitting::common_length(trials)?;
    let mut sums = vec![0.0_f64; rows];
    for trial in trials {
        let moments = Moments::of(trial)?;
        // The correlation is taken with n, as z is.
        let deviation = moments.deviation * ((rows as f64 - 1.0) / rows as f64).sqrt();
        for (sum, value) in sums.iter_mut().zip(trial) {
            *sum += (value - moments.mean) / deviation;
        }
    }
    let count = trials.len() as f64;
    let square = sums.iter().map(|sum| sum * sum).sum::<f64>() / rows as f64;
    Ok(((square - count) / (count * (count - 1.0))).clamp(-1.0, 1.0))
}
