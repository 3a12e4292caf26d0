//! Two classifiers that are better in turns, for the tests of what compares them.

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use super::PairedRows;
use crate::random::generator;

/// Rows of two series at each time.
pub(super) struct Simulation {
    open_times: Vec<i64>,
    targets: Vec<u8>,
    classes_a: Vec<u8>,
    classes_b: Vec<u8>,
}

impl Simulation {
    /// One is right with `½ ± 0.4 tanh(state)`, the other with `½ ∓ 0.4 tanh(state)`, in both series alike; the
    /// state is a first-order autoregression with coefficient 0.8. The first is right for `advantage` of all
    /// rows on top. Without it both are equally good and nothing but the signs tells them apart.
    pub(super) fn new(times: usize, advantage: f64, index: u64) -> Self {
        let mut rng = generator(9, "test/comparison", index);
        let mut state = 0.0_f64;
        let mut new = Self { open_times: vec![], targets: vec![], classes_a: vec![], classes_b: vec![] };
        for time in 0..times {
            let innovation: f64 = StandardNormal.sample(&mut rng);
            state = 0.8 * state + 0.6 * innovation;
            for _series in 0..2 {
                let target = rng.random_range(0..3_u8);
                let mut decide = |right: f64| {
                    let wrong = (target + rng.random_range(1..3_u8)) % 3;
                    if rng.random::<f64>() < right { target } else { wrong }
                };
                let tilt = 0.4 * state.tanh();
                new.classes_a.push(decide(0.5 + tilt + advantage));
                new.classes_b.push(decide(0.5 - tilt));
                new.targets.push(target);
                new.open_times.push(300_000 * time as i64);
            }
        }
        new
    }

    pub(super) fn rows(&self) -> PairedRows<'_> {
        PairedRows {
            open_times: &self.open_times,
            targets: &self.targets,
            classes_a: &self.classes_a,
            classes_b: &self.classes_b,
        }
    }
}
