//! Random numbers: the generator of `market_data`, one per purpose and index, all derived from one seed.

pub(crate) use market_data::synthetic::generator;
use rand::Rng;

/// A whole number in `0..bound` by one multiplication (Lemire 2019); its bias is below `bound`/2⁶⁴.
#[inline]
pub(crate) fn below(bound: usize, rng: &mut impl Rng) -> usize {
    ((u128::from(rng.next_u64()) * bound as u128) >> 64) as usize
}

/// A number in (0, 1], so that its logarithm is finite.
#[inline]
pub(crate) fn unit_interval(rng: &mut impl Rng) -> f64 {
    ((rng.next_u64() >> 11) + 1) as f64 * (1.0 / (1_u64 << 53) as f64)
}
