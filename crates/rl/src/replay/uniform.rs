//! All transitions alike.

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use super::ReplayBatch;

/// Chooses all transitions alike, with replacement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UniformSampler;

impl UniformSampler {
    /// Chooses `size` of `len` into a batch, all of weight 1; `len` is at least 1.
    pub(super) fn choose(
        self,
        len: usize,
        size: usize,
        random: &mut Xoshiro256PlusPlus,
        batch: &mut ReplayBatch,
    ) {
        batch.indices.clear();
        batch.indices.extend((0..size).map(|_| random.random_range(0..len)));
        batch.weights.clear();
        batch.weights.resize(size, 1.0);
    }
}
