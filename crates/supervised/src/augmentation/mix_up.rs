//! MixUp: convex combinations of two samples of a batch.

use rand::seq::SliceRandom;
use rand_distr::{Beta, Distribution};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::BatchKey;
use crate::error::SupervisedError;
use crate::random::generator;

/// What is mixed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MixSpace {
    /// Whole windows of features, as in the paper.
    #[default]
    Inputs,
    /// What a layer makes of them (Verma et al. 2019, "Manifold Mixup", arXiv 1806.05236).
    Embeddings,
}

/// MixUp (Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization", arXiv 1710.09412, section 2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MixUpConfig {
    /// Both parameters of the Beta distribution that shares are drawn from; 0 is off. The paper uses 0.1 to 0.4; default
    /// 0.4, the strongest of these: candles are mostly noise, and training fits it within a few epochs.
    pub alpha: f64,
    /// What is mixed; default the inputs, as in the paper.
    pub space: MixSpace,
    /// Whether a sample keeps at least half of itself: `max(λ, 1 − λ)` instead of `λ` (Berthelot et al. 2019,
    /// "MixMatch", arXiv 1905.02249, equation 9). Default false, as in the paper; useful where samples have
    /// weights of their own.
    pub keep_larger_share: bool,
}

impl Default for MixUpConfig {
    fn default() -> Self {
        Self { alpha: 0.4, space: MixSpace::Inputs, keep_larger_share: false }
    }
}

impl MixUpConfig {
    pub(super) fn validate(&self) -> Result<(), SupervisedError> {
        if self.alpha.is_finite() && self.alpha >= 0.0 {
            return Ok(());
        }
        let remedy = "give a finite number of at least 0; 0 is off";
        Err(SupervisedError::config("augmentation.mix_up.alpha", self.alpha, remedy))
    }
}

/// With whom and how much each sample of a batch is mixed: sample `i` becomes
/// `share[i] · sample i + (1 − share[i]) · sample partner[i]`.
///
/// The loss is mixed likewise: `share[i] · loss(i, target i) + (1 − share[i]) · loss(i, target partner[i])`;
/// where every step is supervised, step by step.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    /// The other sample's position in the batch, `[batch]`. What [`draw_mix`] draws is a permutation.
    pub partner: Vec<u32>,
    /// How much of itself a sample keeps, `[batch]`, from 0 to 1.
    pub share: Vec<f32>,
}

/// Draws a random permutation as partners and a share `λ ~ Beta(alpha, alpha)` for each sample; `None` if
/// MixUp is off or the batch is empty.
///
/// # Errors
/// [`SupervisedError::Config`] if `alpha` is out of range, [`SupervisedError::Data`] if 32 bits cannot count
/// the batch.
pub fn draw_mix(batch: usize, config: &MixUpConfig, key: BatchKey) -> Result<Option<Mix>, SupervisedError> {
    config.validate()?;
    if config.alpha == 0.0 || batch == 0 {
        return Ok(None);
    }
    let count = u32::try_from(batch).map_err(|error| SupervisedError::data("mix-up", error.to_string()))?;
    let beta = Beta::new(config.alpha, config.alpha).map_err(|error| {
        SupervisedError::config("augmentation.mix_up.alpha", config.alpha, &error.to_string())
    })?;
    let mut rng = generator(key.seed, "augmentation/mix-up", key.batch);
    let mut partner: Vec<u32> = (0..count).collect();
    partner.shuffle(&mut rng);
    let share = (0..batch)
        .map(|_| {
            let share: f64 = beta.sample(&mut rng);
            if config.keep_larger_share { share.max(1.0 - share) as f32 } else { share as f32 }
        })
        .collect();
    Ok(Some(Mix { partner, share }))
}

/// Mixes rows in place: `values` `[batch, row_length]`, one row per sample (a window of inputs, say, or the
/// embeddings of all its steps). A sample that is its own partner or keeps all of itself is left as it is,
/// bit for bit.
///
/// # Errors
/// [`SupervisedError::Data`] if the rows are not as many as the mix has samples, or a partner is none of
/// them.
pub fn mix_rows(values: &mut [f32], row_length: usize, mix: &Mix) -> Result<(), SupervisedError> {
    mix.check(values.len(), row_length)?;
    if values.is_empty() {
        return Ok(());
    }
    let unmixed = values.to_vec();
    values.par_chunks_mut(row_length).enumerate().for_each(|(sample, row)| {
        let partner = mix.partner[sample] as usize;
        let share = mix.share[sample];
        if partner == sample || share == 1.0 {
            return;
        }
        let other = &unmixed[partner * row_length..][..row_length];
        for (value, &of_partner) in row.iter_mut().zip(other) {
            *value = share * *value + (1.0 - share) * of_partner;
        }
    });
    Ok(())
}

impl Mix {
    fn check(&self, values: usize, row_length: usize) -> Result<(), SupervisedError> {
        let samples = self.partner.len();
        if self.share.len() != samples || values != samples * row_length {
            let shares = self.share.len();
            return Err(SupervisedError::data(
                "mix-up",
                format!("{values} values in rows of {row_length} for {samples} partners and {shares} shares"),
            ));
        }
        match self.partner.iter().find(|&&partner| partner as usize >= samples) {
            Some(partner) => {
                Err(SupervisedError::data("mix-up", format!("partner {partner} of {samples} samples")))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: BatchKey = BatchKey { seed: 4, batch: 7 };

    fn config(alpha: f64) -> MixUpConfig {
        MixUpConfig { alpha, ..Default::default() }
    }

    #[test]
    fn shares_have_the_moments_of_the_beta_distribution() {
        let n = 200_000;
        for alpha in [0.2, 0.4, 1.0, 4.0] {
            let mix = draw_mix(n, &config(alpha), KEY).unwrap().unwrap();
            let central =
                |power| mix.share.iter().map(|&s| (f64::from(s) - 0.5).powi(power)).sum::<f64>() / n as f64;
            // Beta(α, α): mean 1/2, variance 1/(4(2α+1)), fourth central moment 3/(16(2α+1)(2α+3)).
            let variance = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            let fourth = 3.0 / (16.0 * (2.0 * alpha + 1.0) * (2.0 * alpha + 3.0));
            assert!(central(1).abs() < 5.0 * (variance / n as f64).sqrt(), "{alpha}");
            let error = ((fourth - variance * variance) / n as f64).sqrt();
            assert!((central(2) - variance).abs() < 5.0 * error, "{alpha}: {} {variance}", central(2));
            assert!((central(4) - fourth).abs() < 0.01 * fourth, "{alpha}");
        }
    }

    #[test]
    fn extreme_alphas_give_shares_from_zero_to_one() {
        for alpha in [1e-6, 1e-3, 1e3, 1e8] {
            let mix = draw_mix(2_000, &config(alpha), KEY).unwrap().unwrap();
            assert!(mix.share.iter().all(|share| (0.0..=1.0).contains(share)), "{alpha}");
        }
    }

    #[test]
    fn the_larger_share_stays_if_asked() {
        let kept = MixUpConfig { keep_larger_share: true, ..config(0.3) };
        let (free, kept) = (draw_mix(500, &config(0.3), KEY).unwrap(), draw_mix(500, &kept, KEY).unwrap());
        let (free, kept) = (free.unwrap(), kept.unwrap());
        assert!(free.share.iter().any(|&share| share < 0.5));
        assert!(kept.share.iter().all(|&share| share >= 0.5));
        assert_eq!(free.partner, kept.partner);
    }

    #[test]
    fn a_mix_by_hand() {
        let mix = Mix { partner: vec![1, 2, 2], share: vec![0.75, 0.5, 0.1] };
        let mut values = [4.0, 8.0, 0.0, 16.0, 2.0, 3.0];
        mix_rows(&mut values, 2, &mix).unwrap();
        // The partner's own values are taken, not those already mixed.
        assert_eq!(values, [3.0, 10.0, 1.0, 9.5, 2.0, 3.0]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mix = Mix { partner: vec![1, 0], share: vec![0.5, 0.5] };
        assert!(mix_rows(&mut [0.0; 5], 2, &mix).is_err());
        assert!(mix_rows(&mut [0.0; 4], 2, &Mix { partner: vec![2, 0], ..mix.clone() }).is_err());
        assert!(mix_rows(&mut [0.0; 4], 2, &Mix { share: vec![0.5], ..mix }).is_err());
        assert!(draw_mix(4, &config(f64::NAN), KEY).is_err());
    }

    proptest! {
        #[test]
        fn partners_are_a_permutation(batch in 1_usize..50, seed: u64) {
            let mix = draw_mix(batch, &config(0.5), BatchKey { seed, batch: 0 }).unwrap().unwrap();
            let mut sorted = mix.partner.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..batch as u32).collect::<Vec<_>>());
            prop_assert_eq!(mix.share.len(), batch);
        }

        #[test]
        fn keeping_all_changes_no_bit(bits in prop::collection::vec(any::<u32>(), 12), shift in 0_u32..4) {
            let mix = Mix { partner: (0..4).map(|i| (i + shift) % 4).collect(), share: vec![1.0; 4] };
            let mut values: Vec<f32> = bits.iter().map(|&b| f32::from_bits(b)).collect();
            mix_rows(&mut values, 3, &mix).unwrap();
            prop_assert_eq!(values.iter().map(|v| v.to_bits()).collect::<Vec<_>>(), bits);
        }
    }
}
