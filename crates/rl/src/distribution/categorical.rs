//! One choice, by its logits.

use rand::{Rng, RngExt};

use super::RowGradient;

/// Log of the sum of exponentials, without overflow.
fn log_sum(logits: &[f32]) -> f32 {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    highest + logits.iter().map(|logit| (logit - highest).exp()).sum::<f32>().ln()
}

pub(super) fn sample(logits: &[f32], random: &mut impl Rng) -> usize {
    let (log_sum, mut rest) = (log_sum(logits), random.random::<f32>());
    for (choice, logit) in logits.iter().enumerate() {
        rest -= (logit - log_sum).exp();
        if rest < 0.0 {
            return choice;
        }
    }
    // The probabilities may sum to a little less than 1.
    mode(logits)
}

/// The first of the highest.
pub(super) fn mode(logits: &[f32]) -> usize {
    let mut best = 0;
    for (choice, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = choice;
        }
    }
    best
}

pub(super) fn log_probability_and_entropy(logits: &[f32], action: f32) -> [f32; 2] {
    let log_sum = log_sum(logits);
    let entropy = logits.iter().map(|logit| (logit - log_sum).exp() * (log_sum - logit)).sum();
    [logits.get(action as usize).map_or(f32::NAN, |logit| logit - log_sum), entropy]
}

/// d log p(a) / d zⱼ = 1[j = a] − pⱼ, d H / d zⱼ = −pⱼ (log pⱼ + H).
pub(super) fn gradient(logits: &[f32], action: f32, wanted: RowGradient, gradient: &mut [f32]) {
    let log_sum = log_sum(logits);
    let entropy: f32 = logits.iter().map(|logit| (logit - log_sum).exp() * (log_sum - logit)).sum();
    for (choice, (logit, gradient)) in logits.iter().zip(gradient).enumerate() {
        let log_probability = logit - log_sum;
        let probability = log_probability.exp();
        let chosen = if choice == action as usize { 1.0 } else { 0.0 };
        *gradient = wanted.log_probability * (chosen - probability)
            - wanted.entropy * probability * (log_probability + entropy);
    }
}
