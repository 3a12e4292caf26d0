//! Processes with exact Gaussian steps: geometric Brownian motion, jumps on top of it, and mean reversion.

use rand::Rng;
use rand_distr::{Distribution, Poisson, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parameter::{finite, not_negative, positive};
use crate::error::MarketDataError;

/// Geometric Brownian motion dS = μ S dt + σ S dW (Black and Scholes 1973, equation 1), sampled exactly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GeometricBrownianMotion {
    /// Start price S₀ (quote currency); candles scale it to their symbol's own start price.
    pub start: f64,
    /// Drift μ per year: E\[S_t\] = S₀ exp(μ t).
    pub drift: f64,
    /// Volatility σ per √year.
    pub volatility: f64,
}

impl Default for GeometricBrownianMotion {
    fn default() -> Self {
        Self { start: 1.0, drift: 0.0, volatility: 0.6 }
    }
}

impl GeometricBrownianMotion {
    /// Refuses parameters outside their range.
    ///
    /// # Errors
    /// [`MarketDataError::InvalidRequest`] names the parameter and its range.
    pub fn validate(&self) -> Result<(), MarketDataError> {
        positive("start", self.start)?;
        finite("drift", self.drift)?;
        positive("volatility", self.volatility)
    }

    /// Prices at 0, dt, 2 dt, … (`steps + 1` values); `dt` in years.
    pub fn simulate(&self, steps: usize, dt: f64, rng: &mut impl Rng) -> Vec<f64> {
        exponentials(self.simulate_log(steps, dt, rng))
    }

    /// Natural logarithms of the prices of [`Self::simulate`].
    pub(super) fn simulate_log(&self, steps: usize, dt: f64, rng: &mut impl Rng) -> Vec<f64> {
        let (mean, deviation) = (self.log_return_mean(dt), self.log_return_variance(dt).sqrt());
        walk(steps, self.start.ln(), |log_price| {
            let shock: f64 = StandardNormal.sample(rng);
            log_price + mean + deviation * shock
        })
    }

    /// Mean of ln(S_{t+dt}/S_t): (μ − σ²/2) dt, by Itô's formula.
    pub fn log_return_mean(&self, dt: f64) -> f64 {
        (self.drift - 0.5 * self.volatility * self.volatility) * dt
    }

    /// Variance of ln(S_{t+dt}/S_t): σ² dt.
    pub fn log_return_variance(&self, dt: f64) -> f64 {
        self.volatility * self.volatility * dt
    }

    /// E\[S_t\] = S₀ exp(μ t), `time` in years.
    pub fn mean(&self, time: f64) -> f64 {
        self.start * (self.drift * time).exp()
    }

    /// Var\[S_t\] = S₀² exp(2 μ t) (exp(σ² t) − 1), the log-normal law's.
    pub fn variance(&self, time: f64) -> f64 {
        self.mean(time).powi(2) * self.log_return_variance(time).exp_m1()
    }
}

/// Merton's jump diffusion (Merton 1976, "Option pricing when underlying stock returns are
/// discontinuous", equation 3, with log-normal jumps), sampled exactly:
/// d ln S = (μ − σ²/2 − λκ) dt + σ dW + J dN, J ~ N(m, δ²), κ = exp(m + δ²/2) − 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MertonJumpDiffusion {
    /// Start price S₀ (quote currency); candles scale it to their symbol's own start price.
    pub start: f64,
    /// Drift μ per year, jumps included: E\[S_t\] = S₀ exp(μ t).
    pub drift: f64,
    /// Volatility σ per √year between jumps.
    pub volatility: f64,
    /// Jumps per year λ.
    pub jump_intensity: f64,
    /// Mean m of a jump's log return.
    pub jump_mean: f64,
    /// Standard deviation δ of a jump's log return.
    pub jump_deviation: f64,
}

impl Default for MertonJumpDiffusion {
    fn default() -> Self {
        Self {
            start: 1.0,
            drift: 0.0,
            volatility: 0.6,
            jump_intensity: 60.0,
            jump_mean: -0.01,
            jump_deviation: 0.03,
        }
    }
}

impl MertonJumpDiffusion {
    /// Refuses parameters outside their range.
    ///
    /// # Errors
    /// [`MarketDataError::InvalidRequest`] names the parameter and its range.
    pub fn validate(&self) -> Result<(), MarketDataError> {
        positive("start", self.start)?;
        finite("drift", self.drift)?;
        positive("volatility", self.volatility)?;
        not_negative("jump_intensity", self.jump_intensity)?;
        finite("jump_mean", self.jump_mean)?;
        not_negative("jump_deviation", self.jump_deviation)
    }

    /// Prices at 0, dt, 2 dt, … (`steps + 1` values); `dt` in years.
    pub fn simulate(&self, steps: usize, dt: f64, rng: &mut impl Rng) -> Vec<f64> {
        exponentials(self.simulate_log(steps, dt, rng))
    }

    /// Natural logarithms of the prices of [`Self::simulate`].
    pub(super) fn simulate_log(&self, steps: usize, dt: f64, rng: &mut impl Rng) -> Vec<f64> {
        let deviation = self.volatility * dt.sqrt();
        // No jumps at all is a valid model that the Poisson law refuses.
        let jumps = Poisson::new(self.jump_intensity * dt).ok();
        walk(steps, self.start.ln(), |log_price| {
            let shock: f64 = StandardNormal.sample(rng);
            let count: f64 = jumps.as_ref().map_or(0.0, |law| law.sample(rng));
            // The sum of n normal jumps is normal with n times mean and variance.
            let jump = if count > 0.0 {
                let size: f64 = StandardNormal.sample(rng);
                count * self.jump_mean + count.sqrt() * self.jump_deviation * size
            } else {
                0.0
            };
            log_price + self.continuous_drift() * dt + deviation * shock + jump
        })
    }

    /// Drift of ln S between jumps, per year: μ − σ²/2 − λκ.
    fn continuous_drift(&self) -> f64 {
        let mean_jump = (self.jump_mean + 0.5 * self.jump_deviation.powi(2)).exp_m1();
        self.drift - 0.5 * self.volatility.powi(2) - self.jump_intensity * mean_jump
    }

    /// Mean of ln(S_{t+dt}/S_t): (μ − σ²/2 − λκ + λm) dt.
    pub fn log_return_mean(&self, dt: f64) -> f64 {
        (self.continuous_drift() + self.jump_intensity * self.jump_mean) * dt
    }

    /// Variance of ln(S_{t+dt}/S_t): (σ² + λ(m² + δ²)) dt.
    pub fn log_return_variance(&self, dt: f64) -> f64 {
        let (m2, d2) = (self.jump_mean.powi(2), self.jump_deviation.powi(2));
        (self.volatility.powi(2) + self.jump_intensity * (m2 + d2)) * dt
    }

    /// Skewness of ln(S_{t+dt}/S_t), from the compound Poisson's third cumulant λ(m³ + 3mδ²) dt.
    pub fn log_return_skewness(&self, dt: f64) -> f64 {
        let (m, d2) = (self.jump_mean, self.jump_deviation.powi(2));
        let third = self.jump_intensity * (m.powi(3) + 3.0 * m * d2) * dt;
        third / self.log_return_variance(dt).powf(1.5)
    }

    /// Excess kurtosis of ln(S_{t+dt}/S_t), from the fourth cumulant λ(m⁴ + 6m²δ² + 3δ⁴) dt.
    pub fn log_return_excess_kurtosis(&self, dt: f64) -> f64 {
        let (m2, d2) = (self.jump_mean.powi(2), self.jump_deviation.powi(2));
        let fourth = self.jump_intensity * (m2 * m2 + 6.0 * m2 * d2 + 3.0 * d2 * d2) * dt;
        fourth / self.log_return_variance(dt).powi(2)
    }

    /// E\[S_t\] = S₀ exp(μ t), `time` in years: the jumps' mean is compensated.
    pub fn mean(&self, time: f64) -> f64 {
        self.start * (self.drift * time).exp()
    }
}

/// Ornstein-Uhlenbeck process dX = κ(θ − X) dt + σ dW, sampled exactly (Uhlenbeck and Ornstein 1930;
/// Gillespie 1996, "Exact numerical simulation of the Ornstein-Uhlenbeck process", equation 1.9).
///
/// As a price model X is the *logarithm* of the price relative to the symbol's start price.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OrnsteinUhlenbeck {
    /// Start value X₀.
    pub start: f64,
    /// Speed of reversion κ per year; the half-life is ln 2 / κ years.
    pub reversion_speed: f64,
    /// Mean θ to which the process reverts.
    pub mean: f64,
    /// Volatility σ per √year.
    pub volatility: f64,
}

impl Default for OrnsteinUhlenbeck {
    fn default() -> Self {
        Self { start: 0.0, reversion_speed: 12.0, mean: 0.0, volatility: 0.6 }
    }
}

impl OrnsteinUhlenbeck {
    /// Refuses parameters outside their range.
    ///
    /// # Errors
    /// [`MarketDataError::InvalidRequest`] names the parameter and its range.
    pub fn validate(&self) -> Result<(), MarketDataError> {
        finite("start", self.start)?;
        positive("reversion_speed", self.reversion_speed)?;
        finite("mean", self.mean)?;
        positive("volatility", self.volatility)
    }

    /// Values at 0, dt, 2 dt, … (`steps + 1` values); `dt` in years.
    pub fn simulate(&self, steps: usize, dt: f64, rng: &mut impl Rng) -> Vec<f64> {
        let decay = (-self.reversion_speed * dt).exp();
        let deviation = self.conditional_variance(dt).sqrt();
        walk(steps, self.start, |value| {
            let shock: f64 = StandardNormal.sample(rng);
            self.mean + (value - self.mean) * decay + deviation * shock
        })
    }

    /// E\[X_{t+dt} | X_t = value\] = θ + (value − θ) exp(−κ dt).
    pub fn conditional_mean(&self, value: f64, dt: f64) -> f64 {
        self.mean + (value - self.mean) * (-self.reversion_speed * dt).exp()
    }

    /// Var\[X_{t+dt} | X_t\] = σ² (1 − exp(−2κ dt)) / 2κ.
    pub fn conditional_variance(&self, dt: f64) -> f64 {
        -self.stationary_variance() * (-2.0 * self.reversion_speed * dt).exp_m1()
    }

    /// Variance in the long run: σ²/2κ.
    pub fn stationary_variance(&self) -> f64 {
        0.5 * self.volatility.powi(2) / self.reversion_speed
    }

    /// Cov\[X_t, X_{t+lag}\] in the long run: σ²/2κ · exp(−κ lag), `lag` in years.
    pub fn autocovariance(&self, lag: f64) -> f64 {
        self.stationary_variance() * (-self.reversion_speed * lag).exp()
    }
}

/// `steps + 1` values, each made from the one before it.
pub(super) fn walk(steps: usize, start: f64, mut next: impl FnMut(f64) -> f64) -> Vec<f64> {
    let mut path = Vec::with_capacity(steps + 1);
    let mut value = start;
    path.push(value);
    for _ in 0..steps {
        value = next(value);
        path.push(value);
    }
    path
}

/// Logarithms become prices.
pub(super) fn exponentials(mut log_prices: Vec<f64>) -> Vec<f64> {
    for value in &mut log_prices {
        *value = value.exp();
    }
    log_prices
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::generator;

    #[test]
    fn paths_start_where_they_should() {
        let mut rng = generator(1, "diffusion-test", 0);
        let dt = 1.0 / 365.0;
        let brownian = GeometricBrownianMotion { start: 100.0, ..Default::default() };
        assert_eq!(brownian.simulate(10, dt, &mut rng).len(), 11);
        assert!((brownian.simulate(0, dt, &mut rng)[0] - 100.0).abs() < 1e-9);
        let jumps = MertonJumpDiffusion { start: 100.0, ..Default::default() };
        assert!((jumps.simulate(3, dt, &mut rng)[0] - 100.0).abs() < 1e-9);
        let reverting = OrnsteinUhlenbeck { start: 3.0, ..Default::default() };
        assert_eq!(reverting.simulate(3, dt, &mut rng)[0], 3.0);
    }

    #[test]
    fn without_jumps_merton_is_brownian() {
        let merton = MertonJumpDiffusion { jump_intensity: 0.0, ..Default::default() };
        let brownian = GeometricBrownianMotion::default();
        let run = |path: Vec<f64>| path.last().copied();
        assert_eq!(merton.log_return_variance(0.1), brownian.log_return_variance(0.1));
        assert_eq!(merton.log_return_mean(0.1), brownian.log_return_mean(0.1));
        assert_eq!(
            run(merton.simulate(1, 0.1, &mut generator(1, "merton-test", 0))),
            run(brownian.simulate(1, 0.1, &mut generator(1, "merton-test", 0))),
        );
    }

    #[test]
    fn nonsense_is_refused_with_the_name_of_the_parameter() {
        let brownian = GeometricBrownianMotion { volatility: -1.0, ..Default::default() };
        assert!(brownian.validate().unwrap_err().to_string().contains("volatility"));
        let jumps = MertonJumpDiffusion { jump_intensity: f64::NAN, ..Default::default() };
        assert!(jumps.validate().unwrap_err().to_string().contains("jump_intensity"));
        let reverting = OrnsteinUhlenbeck { reversion_speed: 0.0, ..Default::default() };
        assert!(reverting.validate().unwrap_err().to_string().contains("reversion_speed"));
    }
}
