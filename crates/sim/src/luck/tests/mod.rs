//! Published examples, references in numpy and scipy, and the size of the tests on noise.
//!
//! The references read the same noise: `x = (x·6364136223846793005 + 1442695040888963407) mod 2⁶⁴`, u = (x >> 11)/2⁵³ − 0.5.

mod evidence;
mod overfitting;
mod published;
mod selection;
mod size;
mod splits;

/// `count` uniform numbers in ±0.5 that Python makes alike.
pub(super) fn noise(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
        })
        .collect()
}

/// y_t = φ y_{t−1} + u_t from 0.
pub(super) fn autoregression(seed: u64, count: usize, phi: f64) -> Vec<f64> {
    let mut level = 0.0;
    noise(seed, count)
        .into_iter()
        .map(|shock| {
            level = phi * level + shock;
            level
        })
        .collect()
}

pub(super) fn close(found: f64, expected: f64, tolerance: f64) {
    let allowed = tolerance * expected.abs().max(1.0);
    assert!((found - expected).abs() <= allowed, "{found} is not {expected} within {allowed}");
}
