//! The standard normal distribution.

use std::f64::consts::{PI, SQRT_2};

/// Φ(x), the probability that a standard normal variable is below `x`.
pub(crate) fn normal_probability(x: f64) -> f64 {
    0.5 * libm::erfc(-x / SQRT_2)
}

/// Φ⁻¹(p); −∞ at 0, ∞ at 1 and not a number outside [0, 1].
///
/// Starts from Abramowitz and Stegun 1964, equation 26.2.23 (off by at most 4.5·10⁻⁴) and polishes with three steps of
/// Newton's method on the tail, which reaches the accuracy of `erfc`.
pub(crate) fn normal_quantile(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    let tail = p.min(1.0 - p);
    if tail == 0.0 {
        return if p < 0.5 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    let t = (-2.0 * tail.ln()).sqrt();
    let numerator = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let denominator = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let mut z = t - numerator / denominator;
    for _ in 0..3 {
        let density = (-0.5 * z * z).exp() / (2.0 * PI).sqrt();
        z += (normal_probability(-z) - tail) / density;
    }
    if p < 0.5 { -z } else { z }
}
