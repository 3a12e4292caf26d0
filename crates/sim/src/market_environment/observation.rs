//! What is seen: a window of features, each position, and the account.

use super::account::Accounts;
use super::config::ObservedAccount;
use super::episode::Episode;
use super::frame::MarketFrame;

/// Numbers per position: exposure, unrealised return, time in trade.
const PER_ASSET: usize = 3;
/// Numbers of the account: log of equity over cash at the start, drawdown, share of the episode that is left.
const OF_ACCOUNT: usize = 3;
/// Candles in trade at which their share is a half, where it does not depend on the episode.
const HALF_TIME: f64 = 100.0;

impl ObservedAccount {
    /// Numbers that it adds to an observation.
    pub(super) const fn width(self, assets: usize) -> usize {
        match self {
            Self::Episode => assets * PER_ASSET + OF_ACCOUNT,
            Self::Positions => assets * PER_ASSET,
        }
    }
}

/// Writes the rows that an episode sees, `[assets, window, columns]`.
pub(super) fn write_windows(
    frames: &[MarketFrame],
    episode: &Episode,
    window: usize,
    noise: f32,
    observation: &mut [f32],
) {
    for (asset, frame) in frames.iter().enumerate() {
        let columns = frame.columns;
        let end = episode.row - episode.shift + 1;
        let seen = &frame.features[(end - window) * columns..end * columns];
        let part = &mut observation[asset * seen.len()..(asset + 1) * seen.len()];
        part.copy_from_slice(seen);
        if noise > 0.0 {
            let first = ((end - window) * columns) as u64;
            // Assets must not share their noise.
            let key = episode.noise_key ^ (asset as u64).wrapping_mul(0xd6e8_feb8_6659_fd93);
            for (at, value) in part.iter_mut().enumerate() {
                *value += noise * nearly_normal(key.wrapping_add(first + at as u64));
            }
        }
    }
}

/// A number of mean 0 and variance 1 for a place: four uniform numbers from one SplitMix64 output, summed and scaled.
fn nearly_normal(place: u64) -> f32 {
    let mut bits = place.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    let sum: u64 = (0..4).map(|part| (bits >> (16 * part)) & 0xffff).sum();
    // Each of the four has mean 65535/2 and variance (65536² − 1)/12.
    ((sum as f64 - 131_070.0) / 37_837.227_0) as f32
}

/// Writes what positions and account look like, [`ObservedAccount::width`] numbers.
pub(super) fn write_account(
    observed: ObservedAccount,
    accounts: &Accounts,
    index: usize,
    frames: &[MarketFrame],
    episode: &Episode,
    cash: f64,
    out: &mut [f32],
) {
    let length = (episode.last - episode.first) as f64;
    let equity = accounts.equity[index];
    let (positions, account) = out.split_at_mut(accounts.assets * PER_ASSET);
    for (asset, (frame, part)) in frames.iter().zip(positions.chunks_exact_mut(PER_ASSET)).enumerate() {
        let slot = index * accounts.assets + asset;
        let value = accounts.lots[slot] * frame.lot * frame.prices[episode.row].close;
        let cost = accounts.cost[slot];
        part[0] = if equity > 0.0 { (value / equity) as f32 } else { 0.0 };
        part[1] = if cost == 0.0 { 0.0 } else { ((value - cost) / cost.abs()) as f32 };
        let held = f64::from(accounts.held[slot]);
        part[2] = match observed {
            ObservedAccount::Episode => held / length,
            ObservedAccount::Positions => held / (held + HALF_TIME),
        } as f32;
    }
    if observed == ObservedAccount::Positions {
        return;
    }
    account[0] = (equity / cash).max(super::environment::LEAST_EQUITY).ln() as f32;
    account[1] = (1.0 - equity / accounts.peak[index]) as f32;
    account[2] = ((episode.last - episode.row) as f64 / length) as f32;
}

#[cfg(test)]
mod tests {
    use super::nearly_normal;

    #[test]
    fn noise_has_mean_zero_and_variance_one() {
        let numbers: Vec<f64> = (0..200_000).map(|place| f64::from(nearly_normal(place))).collect();
        let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
        let variance = numbers.iter().map(|number| number * number).sum::<f64>() / numbers.len() as f64;
        // Standard errors of 200000 draws are 0.0022 and 0.0027 (kurtosis 2.7).
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.012, "{mean} {variance}");
        assert!(numbers.iter().all(|number| number.abs() < 3.5));
    }
}
