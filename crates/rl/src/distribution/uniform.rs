//! Actions that are all alike, whatever was observed.

use rand::{Rng, RngExt};
use rand_distr::{Exp1, StandardNormal};

use super::Distribution;

impl Distribution {
    /// Draws an action, `[action_width]`, without any preference. Numbers are uniform between finite bounds;
    /// without bounds they are standard normal, and with one of two bounds exponential from it, as in
    /// Gymnasium's `Box.sample`.
    pub fn sample_uniform(&self, action: &mut [f32], random: &mut impl Rng) {
        match self {
            Self::Categorical { count } => {
                action.iter_mut().for_each(|action| *action = random.random_range(0..*count) as f32);
            }
            Self::MultiCategorical { counts } => {
                for (action, count) in action.iter_mut().zip(counts) {
                    *action = random.random_range(0..*count) as f32;
                }
            }
            Self::DiagonalGaussian { low, high } => {
                for (action, (low, high)) in action.iter_mut().zip(low.iter().zip(high)) {
                    *action = number(*low, *high, random);
                }
            }
        }
    }

    /// Log probability of each action of [`Distribution::sample_uniform`], nats; none where actions are
    /// numbers.
    #[must_use]
    pub fn uniform_log_probability(&self) -> Option<f32> {
        match self {
            Self::Categorical { count } => Some(-(*count as f32).ln()),
            Self::MultiCategorical { counts } => {
                Some(-counts.iter().map(|count| (*count as f32).ln()).sum::<f32>())
            }
            Self::DiagonalGaussian { .. } => None,
        }
    }
}

fn number(low: f32, high: f32, random: &mut impl Rng) -> f32 {
    match (low.is_finite(), high.is_finite()) {
        (true, true) => {
            let share = random.random::<f32>();
            // Not the width times the share: that may be infinite.
            low * (1.0 - share) + high * share
        }
        (true, false) => low + sampled(Exp1, random),
        (false, true) => high - sampled(Exp1, random),
        (false, false) => sampled(StandardNormal, random),
    }
}

fn sampled<D: rand_distr::Distribution<f32>>(distribution: D, random: &mut impl Rng) -> f32 {
    distribution.sample(random)
}
