//! Generators of random numbers: one per purpose and index, all derived from one seed.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};

/// 2⁶⁴ divided by the golden ratio, the step of SplitMix64.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The generator for one `purpose` and one `index` (a path's number, say) under `seed`.
///
/// Derived by the rule of `market_data`'s synthetic markets, so that neither threads nor the order of calls matter: the
/// purpose is hashed with 64-bit FNV-1a, seed, hash and index are chained through SplitMix64 (Steele, Lea and Flood 2014,
/// figure 16), whose next four outputs seed xoshiro256++ (Blackman and Vigna 2021).
pub(crate) fn generator(seed: u64, purpose: &str, index: u64) -> Xoshiro256PlusPlus {
    let mut state = finalise(finalise(finalise(seed) ^ fnv1a(purpose)) ^ index);
    let mut bytes = [0_u8; 32];
    for word in bytes.chunks_exact_mut(8) {
        state = state.wrapping_add(GOLDEN);
        word.copy_from_slice(&mix(state).to_le_bytes());
    }
    Xoshiro256PlusPlus::from_seed(bytes)
}

const fn finalise(value: u64) -> u64 {
    mix(value.wrapping_add(GOLDEN))
}

const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

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
