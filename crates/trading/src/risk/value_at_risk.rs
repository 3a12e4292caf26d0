//! Value at risk and expected shortfall of a series of returns, one step ahead.
//!
//! Both are losses as a positive fraction of equity, so they can be negative where the mean outweighs the
//! spread. Returns are simple returns of equity per step; a step is whatever the caller pushes (a candle, a
//! day).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::TradingError;
use crate::risk::coverage::Coverage;
use crate::risk::moments::{Moments, SlidingMoments};
use crate::risk::normal::{normal_density, normal_quantile};
use crate::risk::volatility::{EwmaVariance, check_decay, check_return};

/// The way a number was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TailMethod {
    /// [`historical_tail`].
    Historical,
    /// [`gaussian_tail`] with the sample mean and standard deviation (n − 1).
    Gaussian,
    /// [`cornish_fisher_tail`].
    CornishFisher,
    /// [`gaussian_tail`] with mean zero and the exponentially weighted volatility.
    Ewma,
}

/// How the tail is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "method", rename_all = "kebab-case", deny_unknown_fields)]
pub enum TailModel {
    /// The empirical distribution of the last returns.
    Historical {
        /// How many.
        #[serde(default = "default_window")]
        window: usize,
    },
    /// A normal distribution with mean and standard deviation of the last returns.
    Gaussian {
        /// How many.
        #[serde(default = "default_window")]
        window: usize,
    },
    /// The normal quantile bent by skewness and kurtosis of the last returns. Outside its domain of validity
    /// the estimate is the historical one and says so.
    CornishFisher {
        /// How many.
        #[serde(default = "default_window")]
        window: usize,
    },
    /// A normal distribution with mean zero and the exponentially weighted volatility of all returns,
    /// RiskMetrics (1996).
    Ewma {
        /// λ, in [0, 1): what is left of a weight after one step; RiskMetrics takes 0.94 for days.
        #[serde(default = "riskmetrics_decay")]
        decay: f64,
    },
}

const fn default_window() -> usize {
    500
}

const fn riskmetrics_decay() -> f64 {
    0.94
}

/// Settings of [`TailRisk`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TailConfig {
    /// Probability that the loss stays within value at risk, between 0.5 and 1.
    pub level: f64,
    /// How the tail is estimated.
    pub model: TailModel,
    /// Returns that must be known before there is an estimate; at least 20, at most the window, and for the
    /// historical method at least 1 / (1 − level), so that the tail has a return in it.
    pub minimum_observations: usize,
}

impl Default for TailConfig {
    fn default() -> Self {
        Self {
            level: 0.95,
            model: TailModel::Historical { window: default_window() },
            minimum_observations: 100,
        }
    }
}

impl TailConfig {
    /// Whether it makes sense.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the field, its value and the remedy.
    pub fn validate(&self) -> Result<(), TradingError> {
        if !(self.level > 0.5 && self.level < 1.0) {
            return Err(TradingError::config(
                "tail.level",
                self.level,
                "take a level between 0.5 and 1, such as 0.95",
            ));
        }
        let minimum = self.minimum_observations;
        let refuse = |remedy| Err(TradingError::config("tail.minimum_observations", minimum, remedy));
        if minimum < 20 {
            return refuse("take at least 20");
        }
        let (window, in_tail) = match self.model {
            TailModel::Ewma { decay } => return check_decay("tail.model.decay", decay),
            TailModel::Gaussian { window } => (window, false),
            TailModel::Historical { window } | TailModel::CornishFisher { window } => (window, true),
        };
        if window > 1_000_000 {
            return Err(TradingError::config("tail.model.window", window, "take at most 1000000 returns"));
        }
        if minimum > window {
            return refuse("take at most tail.model.window");
        }
        if in_tail && minimum as f64 * (1.0 - self.level) < 1.0 - ROUNDING {
            return refuse("take at least 1 / (1 - tail.level), so that the tail holds a return");
        }
        Ok(())
    }
}

/// What one step may lose, as a fraction of equity.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TailEstimate {
    /// The loss that is exceeded with probability 1 − level; positive for a loss.
    pub value_at_risk: f64,
    /// The mean of the worst share 1 − level of outcomes (CVaR); positive for a loss.
    pub expected_shortfall: f64,
    /// How the two were computed.
    pub method: TailMethod,
    /// Whether that is not the method that was asked for, because that one is not valid here.
    pub fallback: bool,
}

/// `count × (1 − level)` is rounded before it is cut to a rank: 100 × (1 − 0.95) is 5.000000000000004 in
/// floats.
const ROUNDING: f64 = 1e-9;

/// Value at risk and expected shortfall of the empirical distribution of `sorted` returns, worst first.
///
/// Value at risk is minus the quantile at α = 1 − level by its definition, the smallest return whose share of
/// returns at or below it reaches α: numpy's `inverted_cdf`, R's type 1. Expected shortfall is the mean of
/// the worst share α, of the return at the quantile as much as is missing: Acerbi & Tasche (2002), "On the
/// coherence of expected shortfall", definition 2.6. None of no returns.
#[must_use]
pub fn historical_tail(sorted: &[f64], level: f64) -> Option<(f64, f64)> {
    let share = (1.0 - level) * sorted.len() as f64;
    let rank = ((share - ROUNDING).ceil().max(1.0) as usize).min(sorted.len());
    let (quantile, worse) = sorted.get(..rank)?.split_last()?;
    let sum: f64 = worse.iter().sum();
    Some((-quantile, -(sum + (share - worse.len() as f64) * quantile) / share))
}

/// Value at risk and expected shortfall of a normal distribution: −μ − σ z_α and −μ + σ φ(z_α) / α with α = 1
/// − level (McNeil, Frey & Embrechts (2015), "Quantitative risk management", chapter 2).
#[must_use]
pub fn gaussian_tail(mean: f64, deviation: f64, level: f64) -> (f64, f64) {
    Normal::at(level).tail(mean, deviation)
}

/// z at α = 1 − level, and φ(z) / α; computed once per level.
#[derive(Clone, Copy, Debug)]
struct Normal {
    z: f64,
    density_over_share: f64,
}

impl Normal {
    fn at(level: f64) -> Self {
        let z = normal_quantile(1.0 - level);
        Self { z, density_over_share: normal_density(z) / (1.0 - level) }
    }

    fn tail(self, mean: f64, deviation: f64) -> (f64, f64) {
        (-mean - deviation * self.z, -mean + deviation * self.density_over_share)
    }

    fn cornish_fisher_tail(self, moments: &Moments) -> Option<(f64, f64)> {
        let (s, k) = (moments.skewness()?, moments.excess_kurtosis()?);
        let deviation = moments.variance()?.sqrt();
        if !cornish_fisher_is_monotonic(s, k) {
            return None;
        }
        let z = self.z;
        let bend = 1.0 + z * s / 6.0 + (z * z - 1.0) * k / 24.0 - (2.0 * z * z - 1.0) * s * s / 36.0;
        let quantile = cornish_fisher_quantile(z, s, k);
        Some((
            -moments.mean() - deviation * quantile,
            -moments.mean() + deviation * self.density_over_share * bend,
        ))
    }
}

/// The Cornish-Fisher quantile of a standardised variable, from the normal quantile `z`, skewness s and
/// excess kurtosis k: w(z) = z + (z² − 1) s/6 + (z³ − 3z) k/24 − (2z³ − 5z) s²/36 (Cornish & Fisher 1938;
/// Zangari 1996; Maillard 2012).
#[must_use]
pub fn cornish_fisher_quantile(z: f64, skewness: f64, excess_kurtosis: f64) -> f64 {
    let (square, cube) = (z * z, z * z * z);
    z + (square - 1.0) * skewness / 6.0 + (cube - 3.0 * z) * excess_kurtosis / 24.0
        - (2.0 * cube - 5.0 * z) * skewness * skewness / 36.0
}

/// Whether [`cornish_fisher_quantile`] rises everywhere, so that it is the quantile function of some
/// distribution.
///
/// Its slope is z² (k/8 − s²/6) + z s/3 + 1 − k/8 + 5s²/36, which is nowhere negative if s²/9 ≤ 4 (k/8 −
/// s²/6) (1 − k/8 + 5s²/36) and the first factor is not negative: Maillard (2012), "A user's guide to the
/// Cornish Fisher expansion". The inequality alone also holds where both factors are negative and the slope
/// is, too.
#[must_use]
pub fn cornish_fisher_is_monotonic(skewness: f64, excess_kurtosis: f64) -> bool {
    let (s, k) = (skewness * skewness, excess_kurtosis);
    let (quadratic, constant) = (k / 8.0 - s / 6.0, 1.0 - k / 8.0 + 5.0 * s / 36.0);
    quadratic >= 0.0 && s / 9.0 <= 4.0 * quadratic * constant
}

/// Modified value at risk and expected shortfall, from the sample's mean, standard deviation (n − 1),
/// skewness and excess kurtosis; none outside the domain of validity ([`cornish_fisher_is_monotonic`]) or
/// where the returns do not vary.
///
/// Expected shortfall is the mean of the Cornish-Fisher quantile function itself over the worst share α = 1 −
/// level: −μ + σ φ(z)/α [1 + z s/6 + (z² − 1) k/24 − (2z² − 1) s²/36], from ∫ z φ = −φ, ∫ z² φ = Φ − z φ and
/// ∫ z³ φ = −(z² + 2) φ. So the two belong to one distribution and the shortfall is never below value at
/// risk. The modified expected shortfall of Boudt, Peterson & Croux (2008) instead averages an Edgeworth
/// density below this quantile and needs a floor where it is not.
///
/// The sample's skewness and kurtosis are put in as the parameters, as is usual (Favre & Galeano 2002). The
/// distribution that results has larger ones (Maillard 2012): with s = 0 and k = 3 its excess kurtosis is
/// about 8. So this errs towards large losses at high levels.
#[must_use]
pub fn cornish_fisher_tail(moments: &Moments, level: f64) -> Option<(f64, f64)> {
    Normal::at(level).cornish_fisher_tail(moments)
}

/// Running value at risk and expected shortfall, each forecast held against the return that follows.
///
/// Memory is fixed when it is made. A push costs O(1) on average for `gaussian` and `ewma`; `historical` and
/// `cornish-fisher` also keep the window in order, which moves up to a window's length of numbers, and sum
/// the tail.
#[derive(Clone, Debug)]
pub struct TailRisk {
    config: TailConfig,
    normal: Normal,
    state: State,
    /// The window in order, for the methods that need it.
    sorted: Vec<f64>,
    observations: u64,
    forecast: Option<TailEstimate>,
    coverage: Coverage,
}

#[derive(Clone, Debug)]
enum State {
    Ewma(EwmaVariance),
    Window { window: SlidingMoments, method: TailMethod },
}

impl TailRisk {
    /// Nothing known yet.
    ///
    /// # Errors
    /// [`TradingError::Config`] for settings that make no sense.
    pub fn new(config: TailConfig) -> Result<Self, TradingError> {
        config.validate()?;
        let of_window = |window: usize, method| State::Window { window: SlidingMoments::new(window), method };
        let (state, in_order) = match config.model {
            TailModel::Historical { window } => (of_window(window, TailMethod::Historical), window),
            TailModel::Gaussian { window } => (of_window(window, TailMethod::Gaussian), 0),
            TailModel::CornishFisher { window } => (of_window(window, TailMethod::CornishFisher), window),
            TailModel::Ewma { decay } => (State::Ewma(EwmaVariance::new(decay)), 0),
        };
        Ok(Self {
            config,
            normal: Normal::at(config.level),
            state,
            // One more, because the new return comes in before the old one leaves.
            sorted: Vec::with_capacity(if in_order == 0 { 0 } else { in_order + 1 }),
            observations: 0,
            forecast: None,
            coverage: Coverage::default(),
        })
    }

    /// Takes the return of one step: first it is held against the forecast made before it, then the next
    /// forecast is made. Says whether its loss exceeded value at risk, where there was a forecast.
    ///
    /// # Errors
    /// [`TradingError::Report`] for what is no return; nothing has changed then.
    pub fn push(&mut self, value: f64) -> Result<Option<bool>, TradingError> {
        check_return("tail risk", value)?;
        let breach = self.forecast.map(|forecast| -value > forecast.value_at_risk);
        if let Some(breach) = breach {
            self.coverage.push(breach);
        }
        self.observations += 1;
        match &mut self.state {
            State::Ewma(variance) => variance.push(value),
            State::Window { window, method } => {
                let leaves = window.push(value);
                if *method != TailMethod::Gaussian {
                    reorder(&mut self.sorted, value, leaves);
                }
            }
        }
        self.forecast = self.compute();
        Ok(breach)
    }

    /// The next return does not follow the last one: those between are missing. The estimate stays; the test
    /// of independence does not count the pair.
    pub fn gap(&mut self) {
        self.coverage.gap();
    }

    /// The forecast for the next step, once enough returns are known.
    #[must_use]
    pub const fn estimate(&self) -> Option<TailEstimate> {
        self.forecast
    }

    /// How the forecasts have fared since the beginning or [`Self::restart_back_test`].
    #[must_use]
    pub const fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// Forgets how earlier forecasts fared, for a test of a recent time; the estimate stays.
    pub fn restart_back_test(&mut self) {
        self.coverage = Coverage::default();
    }

    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &TailConfig {
        &self.config
    }

    fn compute(&self) -> Option<TailEstimate> {
        if self.observations < self.config.minimum_observations as u64 {
            return None;
        }
        let level = self.config.level;
        let ((value_at_risk, expected_shortfall), method, fallback) = match &self.state {
            State::Ewma(variance) => (self.normal.tail(0.0, variance.get().sqrt()), TailMethod::Ewma, false),
            State::Window { window, method } => match method {
                TailMethod::Historical => (historical_tail(&self.sorted, level)?, *method, false),
                TailMethod::CornishFisher => match self.normal.cornish_fisher_tail(&window.moments()) {
                    Some(tail) => (tail, *method, false),
                    None => (historical_tail(&self.sorted, level)?, TailMethod::Historical, true),
                },
                TailMethod::Gaussian | TailMethod::Ewma => {
                    let moments = window.moments();
                    (self.normal.tail(moments.mean(), moments.variance()?.sqrt()), *method, false)
                }
            },
        };
        Some(TailEstimate { value_at_risk, expected_shortfall, method, fallback })
    }
}

/// Puts a value into an ascending row and takes another one out.
fn reorder(sorted: &mut Vec<f64>, enters: f64, leaves: Option<f64>) {
    let place = sorted.partition_point(|value| value.total_cmp(&enters).is_lt());
    sorted.insert(place, enters);
    if let Some(leaves) = leaves {
        let place = sorted.partition_point(|value| value.total_cmp(&leaves).is_lt());
        sorted.remove(place);
    }
}

#[cfg(test)]
mod tests;
