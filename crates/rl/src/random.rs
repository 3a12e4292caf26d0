//! Generators of random numbers: one per purpose and index, all derived from one seed.

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

/// The increment of SplitMix64.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The generator of one purpose and index, independent of all others of the same seed.
///
/// The purpose is hashed with 64-bit FNV-1a; seed, hash and index are chained through the SplitMix64 finaliser (Steele, Lea and
/// Flood 2014, "Fast splittable pseudorandom number generators"), whose outputs seed xoshiro256++ (Blackman and Vigna 2021).
pub(crate) fn generator(seed: u64, purpose: &str, index: u64) -> Xoshiro256PlusPlus {
    let hash = purpose
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let mut state = mix(mix(mix(seed).wrapping_add(hash)).wrapping_add(index));
    let mut bytes = [0_u8; 32];
    for word in bytes.chunks_exact_mut(8) {
        state = state.wrapping_add(GOLDEN);
        word.copy_from_slice(&mix(state).to_le_bytes());
    }
    Xoshiro256PlusPlus::from_seed(bytes)
}

/// A seed for whatever is seeded by a number, as an environment is.
pub(crate) fn derived_seed(seed: u64, purpose: &str, index: u64) -> u64 {
    use rand::Rng;
    generator(seed, purpose, index).next_u64()
}

const fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
