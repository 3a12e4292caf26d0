//! Fractional Brownian motion: memory in the increments, sampled exactly.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::diffusion::exponentials;
use super::fourier::transform;
use super::parameter::{between, positive};
use crate::error::MarketDataError;

/// Price S_t = S₀ exp(σ B_H(t)) with fractional Brownian motion B_H (Mandelbrot and Van Ness 1968):
/// Gaussian, E\[B_H(s) B_H(t)\] = (s^{2H} + t^{2H} − |t − s|^{2H})/2.
///
/// H > 1/2 trends, H < 1/2 reverts, H = 1/2 is Brownian motion.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FractionalBrownianMotion {
    /// Start price S₀ (quote currency); candles scale it to their symbol's own start price.
    pub start: f64,
    /// Volatility σ per year^H: the standard deviation of ln S after one year.
    pub volatility: f64,
    /// Hurst exponent H, between 0 and 1.
    pub hurst: f64,
}

impl Default for FractionalBrownianMotion {
    fn default() -> Self {
        Self { start: 1.0, volatility: 0.6, hurst: 0.6 }
    }
}

impl FractionalBrownianMotion {
    /// Refuses parameters outside their range.
    ///
    /// # Errors
    /// [`MarketDataError::InvalidRequest`] names the parameter and its range.
    pub fn validate(&self) -> Result<(), MarketDataError> {
        positive("start", self.start)?;
        positive("volatility", self.volatility)?;
        between("hurst", self.hurst, 0.0, 1.0)
    }

    /// Prices at 0, dt, 2 dt, … (`steps + 1` values); `dt` in years.
    ///
    /// Exact by circulant embedding (Davies and Harte 1987; Wood and Chan 1994): O(n log n) time and about
    /// 64 bytes of memory per step.
    pub fn simulate(&self, steps: usize, dt: f64, rng: &mut impl Rng) -> Vec<f64> {
        exponentials(self.simulate_log(steps, dt, rng))
    }

    /// Natural logarithms of the prices of [`Self::simulate`].
    pub(super) fn simulate_log(&self, steps: usize, dt: f64, rng: &mut impl Rng) -> Vec<f64> {
        let scale = self.volatility * dt.powf(self.hurst);
        let mut value = self.start.ln();
        let mut path = Vec::with_capacity(steps + 1);
        path.push(value);
        for increment in self.unit_increments(steps, rng) {
            value += scale * increment;
            path.push(value);
        }
        path
    }

    /// Fractional Gaussian noise of unit variance.
    fn unit_increments(&self, steps: usize, rng: &mut impl Rng) -> Vec<f64> {
        let half = steps.next_power_of_two();
        let len = 2 * half;
        // First row of the circulant: the autocovariance out to n and back again.
        let mut real: Vec<f64> =
            (0..len).map(|index| self.unit_autocovariance(index.min(len - index))).collect();
        let mut imaginary = vec![0.0; len];
        transform(&mut real, &mut imaginary);
        for (re, im) in real.iter_mut().zip(&mut imaginary) {
            // Eigenvalues of this embedding are never negative (Craigmile 2003 for H < 1/2, Dietrich and
            // Newsam 1997 above), so what lies below 0 is rounding.
            let amplitude = (re.max(0.0) / len as f64).sqrt();
            let first: f64 = StandardNormal.sample(rng);
            let second: f64 = StandardNormal.sample(rng);
            (*re, *im) = (amplitude * first, amplitude * second);
        }
        transform(&mut real, &mut imaginary);
        // Real and imaginary part are two independent samples; one is asked for.
        real.truncate(steps);
        real
    }

    /// γ(k) = (|k + 1|^{2H} − 2|k|^{2H} + |k − 1|^{2H})/2 of unit-variance increments.
    fn unit_autocovariance(&self, lag: usize) -> f64 {
        let power = 2.0 * self.hurst;
        if lag == 0 {
            return 1.0;
        }
        let k = lag as f64;
        if lag < 1_000 {
            return 0.5 * ((k + 1.0).powf(power) - 2.0 * k.powf(power) + (k - 1.0).powf(power));
        }
        // Far out the difference cancels; its series in 1/k² is exact to rounding.
        let square = 1.0 / (k * k);
        let (p2, p4) = (power - 2.0, power - 3.0);
        let second = 0.5 * power * (power - 1.0);
        let fourth = second * p2 * p4 / 12.0;
        let sixth = fourth * (power - 4.0) * (power - 5.0) / 30.0;
        k.powf(p2) * (second + square * (fourth + square * sixth))
    }

    /// Variance of ln S_t − ln S₀: σ² t^{2H}, `time` in years.
    pub fn log_variance(&self, time: f64) -> f64 {
        self.volatility.powi(2) * time.powf(2.0 * self.hurst)
    }

    /// Covariance of log returns over `dt` years that lie `lag` steps apart: σ² dt^{2H} γ(lag) (Mandelbrot
    /// and Van Ness 1968, section 5).
    pub fn increment_autocovariance(&self, lag: usize, dt: f64) -> f64 {
        self.log_variance(dt) * self.unit_autocovariance(lag)
    }

    /// E\[S_t\] = S₀ exp(σ² t^{2H}/2), the log-normal law's mean.
    pub fn mean(&self, time: f64) -> f64 {
        self.start * (0.5 * self.log_variance(time)).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::generator;

    #[test]
    fn the_far_series_joins_the_near_formula() {
        for hurst in [0.1, 0.3, 0.5, 0.7, 0.9] {
            let process = FractionalBrownianMotion { hurst, ..Default::default() };
            let k: f64 = 1_000.0;
            let power = 2.0 * hurst;
            let direct = 0.5 * ((k + 1.0).powf(power) - 2.0 * k.powf(power) + (k - 1.0).powf(power));
            let series = process.unit_autocovariance(1_000);
            assert!((direct - series).abs() < 1e-10 * k.powf(power - 2.0).max(1e-3), "{hurst}");
        }
    }

    #[test]
    fn any_number_of_steps_works() {
        let process = FractionalBrownianMotion::default();
        for steps in [0, 1, 2, 3, 100] {
            let path = process.simulate(steps, 0.01, &mut generator(1, "fbm-test", 0));
            assert_eq!(path.len(), steps + 1);
            assert!(path.iter().all(|price| price.is_finite() && *price > 0.0));
        }
    }

    #[test]
    fn nonsense_is_refused_with_the_name_of_the_parameter() {
        let process = FractionalBrownianMotion { hurst: 1.0, ..Default::default() };
        assert!(process.validate().unwrap_err().to_string().contains("hurst"));
    }
}
