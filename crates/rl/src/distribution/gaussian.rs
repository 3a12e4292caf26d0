//! Independent normal distributions with standard deviations of their own.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::RowGradient;

/// ½ ln 2π
const HALF_LOG_TWO_PI: f32 = 0.918_938_5;

pub(super) fn sample(means: &[f32], log_deviations: &[f32], action: &mut [f32], random: &mut impl Rng) {
    for ((action, mean), log) in action.iter_mut().zip(means).zip(log_deviations) {
        let noise: f32 = StandardNormal.sample(random);
        *action = mean + log.exp() * noise;
    }
}

pub(super) fn log_probability_and_entropy(means: &[f32], log_deviations: &[f32], action: &[f32]) -> [f32; 2] {
    let mut sums = [0.0; 2];
    for ((action, mean), log) in action.iter().zip(means).zip(log_deviations) {
        let scaled = (action - mean) * (-log).exp();
        sums[0] -= 0.5 * scaled * scaled + log + HALF_LOG_TWO_PI;
        sums[1] += 0.5 + HALF_LOG_TWO_PI + log;
    }
    sums
}

pub(super) fn gradient(
    means: &[f32],
    log_deviations: &[f32],
    action: &[f32],
    wanted: RowGradient,
    mean_gradient: &mut [f32],
    log_gradient: &mut [f32],
) {
    let gradients = mean_gradient.iter_mut().zip(log_gradient);
    for (((action, mean), log), (by_mean, by_log)) in
        action.iter().zip(means).zip(log_deviations).zip(gradients)
    {
        let inverse = (-log).exp();
        let scaled = (action - mean) * inverse;
        *by_mean = wanted.log_probability * scaled * inverse;
        *by_log += wanted.log_probability * (scaled * scaled - 1.0) + wanted.entropy;
    }
}
