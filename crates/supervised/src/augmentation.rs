//! Augmentation of training batches in host memory: Gaussian noise, time shift, time mask, MixUp and SMOTE.
//!
//! A batch is `inputs` `[batch, time, features]` of scaled features (about unit size, mean 0). The techniques
//! act in this order, each only where it is switched on:
//!
//! 1. while the windows are gathered: [`draw_time_shifts`] moves a window into the past, [`SmoteIndex::draw`]
//!    names the windows that are replaced by an interpolation ([`interpolate`]);
//! 2. [`augment`]: Gaussian noise, then time masks;
//! 3. MixUp last, so that finished samples are mixed whether it acts on inputs (within [`augment`]) or on
//!    embeddings (by the caller, who has them as tensors).
//!
//! Targets are never changed here. With MixUp the loss is mixed as [`Mix`] says.
//!
//! Each technique draws from a generator of its own, so that switching one on leaves the draws of the others
//! as they were, and each sample's noise from one of its own, so that the number of threads does not matter.
//! All techniques are for training batches only; whoever validates or predicts calls nothing of this module.

mod mix_up;
mod noise;
mod smote;
mod time_mask;
mod time_shift;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use mix_up::{Mix, MixSpace, MixUpConfig, draw_mix, mix_rows};
pub use noise::{NoiseConfig, add_noise};
pub use smote::{
    SmoteConfig, SmoteIndex, SmoteSamples, Synthetic, describe_window, interpolate, minority_classes,
};
pub use time_mask::{TimeMaskConfig, mask_time};
pub use time_shift::{TimeShiftConfig, draw_time_shifts};

use crate::error::SupervisedError;

/// Which batch of which training run: together with the configuration all that the draws depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchKey {
    /// Seed of the training run.
    pub seed: u64,
    /// Number of the batch, counted from the start of training across epochs, so that no two batches share
    /// draws.
    pub batch: u64,
}

/// Augmentation of training batches. Everything is off by default: a run changes its inputs only where it
/// says so.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentationConfig {
    /// Gaussian noise on every value.
    pub noise: NoiseConfig,
    /// Windows that end up to some steps earlier than their label's row.
    pub time_shift: TimeShiftConfig,
    /// Spans of steps that are set to 0.
    pub time_mask: TimeMaskConfig,
    /// Convex combinations of two samples of the batch.
    pub mix_up: MixUpConfig,
    /// Interpolated windows of rare classes.
    pub smote: SmoteConfig,
}

impl AugmentationConfig {
    /// Refuses values outside their range.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] names the field and its range.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        self.noise.validate()?;
        self.time_shift.validate()?;
        self.time_mask.validate()?;
        self.mix_up.validate()?;
        self.smote.validate()
    }

    /// Refuses what has no meaning where every step of a window is supervised: a time shift would move the
    /// inputs against the labels of the same rows, and a SMOTE window would have no label but at its last
    /// step.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] names the technique.
    pub fn validate_for_every_step(&self) -> Result<(), SupervisedError> {
        let remedy = "switch it off where every step is supervised; it acts on labels of the last step only";
        if self.time_shift.maximum_steps > 0 {
            return Err(SupervisedError::config(
                "augmentation.time_shift.maximum_steps",
                self.time_shift.maximum_steps,
                remedy,
            ));
        }
        if self.smote.is_on() {
            return Err(SupervisedError::config("augmentation.smote.enabled", true, remedy));
        }
        Ok(())
    }
}

/// Adds noise to `inputs` `[batch, time, features]`, masks spans of time and, where MixUp is on, draws a
/// [`Mix`] and returns it. In [`MixSpace::Inputs`] the inputs are mixed already; in [`MixSpace::Embeddings`]
/// the caller mixes the embeddings. In both cases the caller mixes the loss.
///
/// # Errors
/// [`SupervisedError::Data`] if `inputs` does not have the length that `shape` = `[batch, time, features]`
/// says.
pub fn augment(
    inputs: &mut [f32],
    shape: [usize; 3],
    config: &AugmentationConfig,
    key: BatchKey,
) -> Result<Option<Mix>, SupervisedError> {
    let [batch, time, features] = shape;
    let window = time * features;
    if inputs.len() != batch * window {
        return Err(SupervisedError::data(
            "augmentation",
            format!("{} inputs given for a batch of shape {shape:?}", inputs.len()),
        ));
    }
    if inputs.is_empty() {
        return Ok(None);
    }
    add_noise(inputs, window, &config.noise, key);
    mask_time(inputs, time, features, &config.time_mask, key);
    let mix = draw_mix(batch, &config.mix_up, key)?;
    if let Some(mix) = &mix
        && config.mix_up.space == MixSpace::Inputs
    {
        mix_rows(inputs, window, mix)?;
    }
    Ok(mix)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn batch(shape: [usize; 3]) -> Vec<f32> {
        (0..shape.iter().product::<usize>()).map(|i| (i as f32 * 0.37).sin()).collect()
    }

    fn off() -> AugmentationConfig {
        AugmentationConfig { mix_up: MixUpConfig { alpha: 0.0, ..Default::default() }, ..Default::default() }
    }

    fn all_on() -> AugmentationConfig {
        AugmentationConfig {
            noise: NoiseConfig { deviation: 0.1 },
            time_mask: TimeMaskConfig { probability: 0.5, maximum_span: 3 },
            mix_up: MixUpConfig { alpha: 0.4, ..Default::default() },
            ..Default::default()
        }
    }

    proptest! {
        #[test]
        fn what_is_off_changes_no_bit(
            batch in 0_usize..5, time in 0_usize..6, features in 0_usize..4,
            bits in prop::collection::vec(any::<u32>(), 100), seed: u64,
        ) {
            let shape = [batch, time, features];
            let bits = &bits[..batch * time * features];
            let mut inputs: Vec<f32> = bits.iter().map(|&b| f32::from_bits(b)).collect();
            let before: Vec<u32> = inputs.iter().map(|x| x.to_bits()).collect();
            let config = off();
            prop_assert_eq!(augment(&mut inputs, shape, &config, BatchKey { seed, batch: 3 }).unwrap(), None);
            prop_assert_eq!(inputs.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), before);
        }

        #[test]
        fn the_same_key_gives_the_same_batch_with_any_number_of_threads(
            batch_size in 1_usize..9, time in 1_usize..6, features in 1_usize..4, seed: u64, number: u64,
        ) {
            let shape = [batch_size, time, features];
            let key = BatchKey { seed, batch: number };
            let run = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let mut inputs = batch(shape);
                let mix = pool.install(|| augment(&mut inputs, shape, &all_on(), key)).unwrap();
                (inputs, mix)
            };
            prop_assert_eq!(run(1), run(3));
        }
    }

    #[test]
    fn seed_and_batch_matter_to_each_technique() {
        let shape = [16, 8, 3];
        let all = all_on();
        let only = [
            AugmentationConfig { noise: all.noise, ..off() },
            AugmentationConfig { time_mask: all.time_mask, ..off() },
            AugmentationConfig { mix_up: all.mix_up, ..off() },
        ];
        for config in only {
            let run = |seed, number| {
                let mut inputs = batch(shape);
                augment(&mut inputs, shape, &config, BatchKey { seed, batch: number }).unwrap();
                inputs
            };
            assert_ne!(run(1, 0), batch(shape));
            assert_ne!(run(1, 0), run(1, 1));
            assert_ne!(run(1, 0), run(2, 0));
        }
        let shifts = |seed, number| {
            let config = TimeShiftConfig { maximum_steps: 9 };
            draw_time_shifts(&[20; 16], &config, BatchKey { seed, batch: number })
        };
        assert_ne!(shifts(1, 0), shifts(1, 1));
        assert_ne!(shifts(1, 0), shifts(2, 0));
    }

    #[test]
    fn mixing_embeddings_leaves_the_inputs_unmixed() {
        let shape = [6, 5, 3];
        let key = BatchKey { seed: 5, batch: 8 };
        let mut without = batch(shape);
        augment(
            &mut without,
            shape,
            &AugmentationConfig { mix_up: MixUpConfig { alpha: 0.0, ..Default::default() }, ..all_on() },
            key,
        )
        .unwrap();
        let mut embeddings = all_on();
        embeddings.mix_up.space = MixSpace::Embeddings;
        let mut inputs = batch(shape);
        let mix = augment(&mut inputs, shape, &embeddings, key).unwrap().unwrap();
        // Neither the noise nor the masks depend on whether MixUp is on.
        assert_eq!(inputs, without);
        mix_rows(&mut inputs, 15, &mix).unwrap();
        let mut mixed = batch(shape);
        augment(&mut mixed, shape, &all_on(), key).unwrap();
        assert_eq!(inputs, mixed);
    }

    #[test]
    fn a_wrong_shape_is_refused() {
        let key = BatchKey { seed: 0, batch: 0 };
        assert!(augment(&mut [0.0; 7], [2, 2, 2], &all_on(), key).is_err());
    }

    #[test]
    fn files_say_what_is_on() {
        let text = r#"
            noise.deviation = 0.02
            mix_up = { alpha = 0.2, space = "embeddings" }
            smote.enabled = true
        "#;
        let config: AugmentationConfig = toml::from_str(text).unwrap();
        config.validate().unwrap();
        assert_eq!(config.mix_up.space, MixSpace::Embeddings);
        assert!(config.validate_for_every_step().is_err());
        AugmentationConfig::default().validate_for_every_step().unwrap();
        assert_eq!(toml::from_str::<AugmentationConfig>(&toml::to_string(&config).unwrap()).unwrap(), config);
        for wrong in ["nois.deviation = 1.0", "noise.deviations = 1.0", "smote.k = 5"] {
            assert!(toml::from_str::<AugmentationConfig>(wrong).is_err(), "{wrong}");
        }
        for wrong in [
            "noise.deviation = -0.1",
            "noise.deviation = inf",
            "time_mask.probability = 1.5",
            "time_mask.maximum_span = 0",
            "mix_up.alpha = -1.0",
            "mix_up.alpha = nan",
            "smote.neighbours = 0",
            "smote.share = 1.1",
            "smote.maximum_candidates = 1",
        ] {
            assert!(toml::from_str::<AugmentationConfig>(wrong).unwrap().validate().is_err(), "{wrong}");
        }
    }
}
