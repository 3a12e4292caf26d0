//! Several independent choices: log probabilities and entropies add up.

use rand::Rng;

use super::{RowGradient, categorical};

/// The logits of each choice, with the place of its action.
fn parts<'a>(counts: &'a [usize], outputs: &'a [f32]) -> impl Iterator<Item = &'a [f32]> {
    let mut rest = outputs;
    counts.iter().map(move |count| {
        let (logits, after) = rest.split_at(*count);
        rest = after;
        logits
    })
}

pub(super) fn sample(counts: &[usize], outputs: &[f32], action: &mut [f32], random: &mut impl Rng) {
    for (logits, action) in parts(counts, outputs).zip(action) {
        *action = categorical::sample(logits, random) as f32;
    }
}

pub(super) fn mode(counts: &[usize], outputs: &[f32], action: &mut [f32]) {
    for (logits, action) in parts(counts, outputs).zip(action) {
        *action = categorical::mode(logits) as f32;
    }
}

pub(super) fn log_probability_and_entropy(counts: &[usize], outputs: &[f32], action: &[f32]) -> [f32; 2] {
    let mut sums = [0.0; 2];
    for (logits, action) in parts(counts, outputs).zip(action) {
        let [log_probability, entropy] = categorical::log_probability_and_entropy(logits, *action);
        sums = [sums[0] + log_probability, sums[1] + entropy];
    }
    sums
}

pub(super) fn gradient(
    counts: &[usize],
    outputs: &[f32],
    action: &[f32],
    wanted: RowGradient,
    gradient: &mut [f32],
) {
    let mut rest = gradient;
    for (logits, action) in parts(counts, outputs).zip(action) {
        let (here, after) = rest.split_at_mut(logits.len());
        categorical::gradient(logits, *action, wanted, here);
        rest = after;
    }
}
