//! Square-root processes: Cox-Ingersoll-Ross, and Heston's stochastic volatility built on it.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, Gamma, Poisson, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::diffusion::{exponentials, walk};
use super::parameter::{finite, not_negative, positive, within};
use crate::error::MarketDataError;

/// Cox-Ingersoll-Ross process dX = κ(θ − X) dt + σ√X dW (Cox, Ingersoll and Ross 1985, equation 17),
/// sampled exactly from its non-central chi-square transition law (their equation 18).
///
/// As a price model X is the price level relative to the symbol's start price.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CoxIngersollRoss {
    /// Start value X₀ ≥ 0.
    pub start: f64,
    /// Speed of reversion κ per year.
    pub reversion_speed: f64,
    /// Mean θ to which the process reverts.
    pub mean: f64,
    /// Volatility σ: X has the local variance σ² X per year. Zero stays out of reach while 2κθ ≥ σ².
    pub volatility: f64,
}

impl Default for CoxIngersollRoss {
    fn default() -> Self {
        Self { start: 1.0, reversion_speed: 12.0, mean: 1.0, volatility: 0.6 }
    }
}

impl CoxIngersollRoss {
    /// Refuses parameters outside their range.
    ///
    /// # Errors
    /// [`MarketDataError::InvalidRequest`] names the parameter and its range.
    pub fn validate(&self) -> Result<(), MarketDataError> {
        not_negative("start", self.start)?;
        positive("reversion_speed", self.reversion_speed)?;
        positive("mean", self.mean)?;
        positive("volatility", self.volatility)
    }

    /// Values at 0, dt, 2 dt, … (`steps + 1` values); `dt` in years.
    ///
    /// X_{t+dt} = c χ'²_d(X_t e^{−κdt}/c) with c = σ²(1 − e^{−κdt})/4κ and d = 4κθ/σ². The non-central
    /// chi-square with non-centrality Λ is a gamma of shape d/2 + N, scale 2, N ~ Poisson(Λ/2) (Glasserman
    /// 2003, "Monte Carlo methods in financial engineering", section 3.4.1).
    pub fn simulate(&self, steps: usize, dt: f64, rng: &mut impl Rng) -> Vec<f64> {
        let decay = (-self.reversion_speed * dt).exp();
        let square = self.volatility.powi(2);
        let scale = square * (1.0 - decay) / (4.0 * self.reversion_speed);
        let half_degrees = 2.0 * self.reversion_speed * self.mean / square;
        walk(steps, self.start, |value| {
            // At zero the mixture is empty: the Poisson law refuses it and the count is 0.
            let count = Poisson::new(0.5 * value * decay / scale).map_or(0.0, |law| law.sample(rng));
            Gamma::new(half_degrees + count, 2.0 * scale).map_or(0.0, |law| law.sample(rng))
        })
    }

    /// E\[X_{t+dt} | X_t = value\] = θ + (value − θ) exp(−κ dt) (their equation 19).
    pub fn conditional_mean(&self, value: f64, dt: f64) -> f64 {
        self.mean + (value - self.mean) * (-self.reversion_speed * dt).exp()
    }

    /// Var\[X_{t+dt} | X_t = value\] = value σ²/κ (e^{−κdt} − e^{−2κdt}) + θ σ²/2κ (1 − e^{−κdt})² (their
    /// equation 19).
    pub fn conditional_variance(&self, value: f64, dt: f64) -> f64 {
        let decay = (-self.reversion_speed * dt).exp();
        let ratio = self.volatility.powi(2) / self.reversion_speed;
        value * ratio * (decay - decay * decay) + 0.5 * self.mean * ratio * (1.0 - decay).powi(2)
    }

    /// Variance in the long run: σ²θ/2κ (their equation 20's gamma law).
    pub fn stationary_variance(&self) -> f64 {
        0.5 * self.volatility.powi(2) * self.mean / self.reversion_speed
    }

    /// Cov\[X_t, X_{t+lag}\] in the long run: σ²θ/2κ · exp(−κ lag), `lag` in years.
    pub fn autocovariance(&self, lag: f64) -> f64 {
        self.stationary_variance() * (-self.reversion_speed * lag).exp()
    }
}

/// Heston's stochastic volatility (Heston 1993, equations 1 and 4): dS = μS dt + √V S dW₁,
/// dV = κ(θ − V) dt + ξ√V dW₂, dW₁dW₂ = ρ dt.
///
/// Sampled by Andersen's quadratic-exponential scheme with central weights and the martingale correction
/// (Andersen 2008, "Simple and efficient simulation of the Heston stochastic volatility model", sections
/// 3.2 and 4). Mean and variance of V are matched exactly over a step, the rest to O(dt).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Heston {
    /// Start price S₀ (quote currency); candles scale it to their symbol's own start price.
    pub start: f64,
    /// Start variance V₀ per year.
    pub start_variance: f64,
    /// Drift μ per year: E\[S_t\] = S₀ exp(μ t).
    pub drift: f64,
    /// Speed κ, per year, at which the variance reverts.
    pub reversion_speed: f64,
    /// Long-run variance θ per year.
    pub long_run_variance: f64,
    /// Volatility of variance ξ.
    pub volatility_of_variance: f64,
    /// Correlation ρ of price and variance shocks; below 0 is the leverage effect.
    pub correlation: f64,
}

impl Default for Heston {
    fn default() -> Self {
        Self {
            start: 1.0,
            start_variance: 0.36,
            drift: 0.0,
            reversion_speed: 20.0,
            long_run_variance: 0.36,
            volatility_of_variance: 3.0,
            correlation: -0.3,
        }
    }
}

/// Prices and variances of a [`Heston`] path at the same times.
#[derive(Clone, Debug, PartialEq)]
pub struct HestonPath {
    /// Prices (quote currency), `steps + 1` values.
    pub price: Vec<f64>,
    /// Variances per year, `steps + 1` values.
    pub variance: Vec<f64>,
}

impl Heston {
    /// Refuses parameters outside their range.
    ///
    /// # Errors
    /// [`MarketDataError::InvalidRequest`] names the parameter and its range.
    pub fn validate(&self) -> Result<(), MarketDataError> {
        positive("start", self.start)?;
        not_negative("start_variance", self.start_variance)?;
        finite("drift", self.drift)?;
        positive("reversion_speed", self.reversion_speed)?;
        positive("long_run_variance", self.long_run_variance)?;
        positive("volatility_of_variance", self.volatility_of_variance)?;
        within("correlation", self.correlation, -1.0, 1.0)
    }

    /// Prices and variances at 0, dt, 2 dt, … (`steps + 1` values); `dt` in years.
    pub fn simulate(&self, steps: usize, dt: f64, rng: &mut impl Rng) -> HestonPath {
        let (log_price, variance) = self.simulate_log(steps, dt, rng);
        HestonPath { price: exponentials(log_price), variance }
    }

    /// Logarithms of the prices, and the variances, of [`Self::simulate`].
    pub(super) fn simulate_log(&self, steps: usize, dt: f64, rng: &mut impl Rng) -> (Vec<f64>, Vec<f64>) {
        let scheme = QuadraticExponential::new(self, dt);
        let mut log_price = Vec::with_capacity(steps + 1);
        let mut variance = Vec::with_capacity(steps + 1);
        let (mut x, mut v) = (self.start.ln(), self.start_variance);
        log_price.push(x);
        variance.push(v);
        for _ in 0..steps {
            let step = scheme.step(v, rng);
            x += step.log_return;
            v = step.variance;
            log_price.push(x);
            variance.push(v);
        }
        (log_price, variance)
    }

    /// E\[S_t\] = S₀ exp(μ t), `time` in years; the martingale correction keeps it exact.
    pub fn mean(&self, time: f64) -> f64 {
        self.start * (self.drift * time).exp()
    }

    /// E\[V_t\] = θ + (V₀ − θ) exp(−κ t).
    pub fn variance_mean(&self, time: f64) -> f64 {
        self.long_run_variance
            + (self.start_variance - self.long_run_variance) * (-self.reversion_speed * time).exp()
    }

    /// Long-run variance of V: ξ²θ/2κ, as for [`CoxIngersollRoss`].
    pub fn variance_of_variance(&self) -> f64 {
        0.5 * self.volatility_of_variance.powi(2) * self.long_run_variance / self.reversion_speed
    }

    /// Long-run correlation of V_t and V_{t+lag}: exp(−κ lag), `lag` in years.
    pub fn variance_autocorrelation(&self, lag: f64) -> f64 {
        (-self.reversion_speed * lag).exp()
    }

    /// Long-run variance of ln(S_{t+dt}/S_t):
    /// θdt − ρξθ(dt − B)/κ + ξ²θ(dt − B)/4κ², B = (1 − e^{−κdt})/κ.
    ///
    /// It follows from ln S = ∫(μ − V/2) dt + ∫√V dW₁ with the covariances of a stationary square-root
    /// process; the first term alone is the variance without feedback of V on the drift.
    pub fn log_return_variance(&self, dt: f64) -> f64 {
        let kappa = self.reversion_speed;
        let (theta, xi) = (self.long_run_variance, self.volatility_of_variance);
        let rest = dt + (-kappa * dt).exp_m1() / kappa;
        theta * dt - self.correlation * xi * theta * rest / kappa
            + 0.25 * xi * xi * theta * rest / (kappa * kappa)
    }

    /// Long-run covariance of ln(S_{t+dt}/S_t) and V_{t+dt} − V_t: ρξθ(1 − e^{−κdt})/κ, which has the sign
    /// of ρ (leverage effect).
    pub fn leverage_covariance(&self, dt: f64) -> f64 {
        -self.correlation
            * self.volatility_of_variance
            * self.long_run_variance
            * (-self.reversion_speed * dt).exp_m1()
            / self.reversion_speed
    }
}

/// One step of Andersen's scheme.
struct HestonStep {
    log_return: f64,
    variance: f64,
}

/// What the scheme needs of the parameters, computed once per `dt`.
struct QuadraticExponential {
    theta: f64,
    decay: f64,
    /// Conditional variance of V is `slope · V + level`.
    slope: f64,
    level: f64,
    drift: f64,
    /// K₀ … K₄ of equation 33 at γ₁ = γ₂ = 1/2.
    k: [f64; 5],
}

impl QuadraticExponential {
    /// Where the quadratic branch gives way to the exponential one; any value in 1..=2 works (section 3.2.3).
    const SWITCH: f64 = 1.5;

    fn new(model: &Heston, dt: f64) -> Self {
        let (kappa, theta) = (model.reversion_speed, model.long_run_variance);
        let (xi, rho) = (model.volatility_of_variance, model.correlation);
        let decay = (-kappa * dt).exp();
        let ratio = xi * xi / kappa;
        let half = 0.5 * dt;
        let feedback = half * (kappa * rho / xi - 0.5);
        let free = half * (1.0 - rho * rho);
        Self {
            theta,
            decay,
            slope: ratio * decay * (1.0 - decay),
            level: 0.5 * theta * ratio * (1.0 - decay).powi(2),
            drift: model.drift * dt,
            k: [-rho * kappa * theta / xi * dt, feedback - rho / xi, feedback + rho / xi, free, free],
        }
    }

    fn step(&self, v: f64, rng: &mut impl Rng) -> HestonStep {
        let [k0, k1, k2, k3, k4] = self.k;
        let mean = self.theta + (v - self.theta) * self.decay;
        let ratio = (self.slope * v + self.level) / (mean * mean);
        // ln E[exp(A V')] exists only below a bound on A; past it the plain K₀ is Andersen's advice.
        let a_star = k2 + 0.5 * k4;
        let correct = |log_moment: f64| -log_moment - (k1 + 0.5 * k3) * v;
        let (variance, constant) = if ratio <= Self::SWITCH {
            let inverse = 2.0 / ratio;
            let b2 = inverse - 1.0 + (inverse * (inverse - 1.0)).sqrt();
            let a = mean / (1.0 + b2);
            let shock: f64 = StandardNormal.sample(rng);
            let room = 1.0 - 2.0 * a_star * a;
            let constant = if room > 0.0 { correct(a_star * b2 * a / room - 0.5 * room.ln()) } else { k0 };
            (a * (b2.sqrt() + shock).powi(2), constant)
        } else {
            let p = (ratio - 1.0) / (ratio + 1.0);
            let beta = (1.0 - p) / mean;
            let uniform: f64 = rng.random();
            let variance = if uniform <= p { 0.0 } else { ((1.0 - p) / (1.0 - uniform)).ln() / beta };
            let constant =
                if a_star < beta { correct((p + beta * (1.0 - p) / (beta - a_star)).ln()) } else { k0 };
            (variance, constant)
        };
        let shock: f64 = StandardNormal.sample(rng);
        let log_return =
            self.drift + constant + k1 * v + k2 * variance + (k3 * v + k4 * variance).max(0.0).sqrt() * shock;
        HestonStep { log_return, variance }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::generator;

    #[test]
    fn a_cir_path_leaves_zero() {
        let process = CoxIngersollRoss { start: 0.0, volatility: 6.0, ..Default::default() };
        let path = process.simulate(1_000, 0.01, &mut generator(3, "cir-test", 0));
        assert!(path.iter().all(|value| value.is_finite() && *value >= 0.0));
        assert!(path.last().is_some_and(|value| *value > 0.0));
    }

    #[test]
    fn one_step_of_the_variance_has_the_exact_moments_in_both_branches() {
        let model = Heston { volatility_of_variance: 6.0, ..Default::default() };
        let scheme = QuadraticExponential::new(&model, 0.05);
        for (index, v) in [2.0, 0.0].into_iter().enumerate() {
            let mean = model.long_run_variance + (v - model.long_run_variance) * scheme.decay;
            let variance = scheme.slope * v + scheme.level;
            let mut rng = generator(5, "heston-test", index as u64);
            let count = 200_000;
            let sample: Vec<f64> = (0..count).map(|_| scheme.step(v, &mut rng).variance).collect();
            let seen = sample.iter().sum::<f64>() / f64::from(count);
            let spread = sample.iter().map(|x| (x - seen).powi(2)).sum::<f64>() / f64::from(count);
            let error = (variance / f64::from(count)).sqrt();
            assert!((seen - mean).abs() < 5.0 * error, "{v}: {seen} {mean}");
            assert!((spread / variance - 1.0).abs() < 0.05, "{v}: {spread} {variance}");
        }
        // The two starting points do reach the two branches.
        let ratio = |v: f64| {
            let mean = model.long_run_variance + (v - model.long_run_variance) * scheme.decay;
            (scheme.slope * v + scheme.level) / (mean * mean)
        };
        assert!(ratio(2.0) < QuadraticExponential::SWITCH);
        assert!(ratio(0.0) > QuadraticExponential::SWITCH);
    }

    #[test]
    fn nonsense_is_refused_with_the_name_of_the_parameter() {
        let heston = Heston { correlation: 1.5, ..Default::default() };
        assert!(heston.validate().unwrap_err().to_string().contains("correlation"));
        let cir = CoxIngersollRoss { mean: 0.0, ..Default::default() };
        assert!(cir.validate().unwrap_err().to_string().contains("mean"));
    }
}
