//! How samples are drawn and weighed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CLASSES;
use crate::SupervisedError;

/// How samples are drawn (`last_step`) or rows weighed (`every_step`).
///
/// ```toml
/// batch_size = 128
/// class_balanced = true
/// curriculum_epochs = 20.0
/// hard_negatives.enabled = true
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SamplingConfig {
    /// Samples in a batch of `last_step`, at least 1. Default 128: large enough that each class has some
    /// forty samples in every batch. Of `every_step` see `SegmentConfig::batch`.
    pub batch_size: usize,
    /// Whether classes have set shares instead of their natural ones. Default true: most candles are Hold,
    /// and a network that never sees much else learns to say only that.
    pub class_balanced: bool,
    /// The share of Sell, Hold and Buy where `class_balanced`: each above 0, together 1 (within 0.01; they
    /// are brought to exactly 1). A class without samples gives its share to the others in proportion.
    /// Default a third each, which favours no class.
    pub target_class_ratios: [f64; CLASSES],
    /// Whether symbols are spread evenly. `last_step`: over the batches and, as far as the number of
    /// samples allows without repeating any early, over the symbols. `every_step`: every symbol has the
    /// same total weight. Default true: a symbol with a long history must not drown the others.
    pub symbol_stratified: bool,
    /// Over how many epochs the shares of the classes move from `target_class_ratios` to the natural ones,
    /// along half a cosine wave; 0 keeps the targets throughout. Needs `class_balanced`. Default 0: whether
    /// the natural shares serve better in the end is for a validation to say.
    pub curriculum_epochs: f64,
    /// Whether a sample counts in the loss in proportion to the uniqueness of its label. Default true:
    /// labels whose spans overlap say the same thing more than once.
    pub uniqueness_weights: bool,
    /// Mining of hard samples.
    pub hard_negatives: HardNegativeConfig,
    /// The most samples drawn in an epoch of `last_step`, at least `batch_size`. Absent: as many as there
    /// are samples. The part of a class that an epoch leaves out comes first in the epochs that follow.
    pub maximum_samples_per_epoch: Option<usize>,
}

/// Mining of hard samples: from some epoch on, a share of every batch comes from the samples on which the
/// loss was highest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HardNegativeConfig {
    /// Whether hard samples are mined. Default false: where labels are noisy, as they are here, the hardest
    /// samples are often the mislabelled ones.
    pub enabled: bool,
    /// First epoch with mining, counted from 0. Default 5: before that a loss says little of a sample.
    pub start_epoch: usize,
    /// Share of the draws from the pool at `start_epoch`, in `[0, 1)`. Default 0.2.
    pub share_start: f64,
    /// Share of the draws from the pool from `full_epoch` on, in `[0, 1)`; linear in between. Default 0.5:
    /// half of every batch is still drawn from everything.
    pub share_end: f64,
    /// The epoch at which `share_end` is reached, at least `start_epoch`. Default 15.
    pub full_epoch: usize,
    /// The fraction of a class, the samples with the highest loss, that forms the pool, in `(0, 1]`.
    /// Default 0.3: few enough to be hard, enough not to be repeated often.
    pub top_fraction: f64,
    /// Epochs between two rankings by loss, at least 1. Default 1: always the losses of the last epoch.
    pub refresh_epochs: usize,
}

impl Default for SamplingConfig {
    fn default() -> Self {
        Self {
            batch_size: 128,
            class_balanced: true,
            target_class_ratios: [1.0 / 3.0; CLASSES],
            symbol_stratified: true,
            curriculum_epochs: 0.0,
            uniqueness_weights: true,
            hard_negatives: HardNegativeConfig::default(),
            maximum_samples_per_epoch: None,
        }
    }
}

impl Default for HardNegativeConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            start_epoch: 5,
            share_start: 0.2,
            share_end: 0.5,
            full_epoch: 15,
            top_fraction: 0.3,
            refresh_epochs: 1,
        }
    }
}

/// `Err` with field, value and remedy where `sound` is false.
pub(super) fn require(
    sound: bool,
    field: &str,
    value: impl ToString,
    remedy: &str,
) -> Result<(), SupervisedError> {
    if sound { Ok(()) } else { Err(SupervisedError::config(field, value, remedy)) }
}

impl SamplingConfig {
    /// Refuses values outside their range.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] names the field and its range.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        require(self.batch_size >= 1, "batch_size", self.batch_size, "give at least 1, for example 128")?;
        let ratios = self.target_class_ratios;
        let sum: f64 = ratios.iter().sum();
        require(
            ratios.iter().all(|ratio| ratio.is_finite() && *ratio > 0.0) && (sum - 1.0).abs() <= 0.01,
            "target_class_ratios",
            format!("{ratios:?}"),
            "give the shares of Sell, Hold and Buy, each above 0, that add up to 1",
        )?;
        let epochs = self.curriculum_epochs;
        require(
            epochs.is_finite() && epochs >= 0.0,
            "curriculum_epochs",
            epochs,
            "give a number of epochs, or 0 for none",
        )?;
        require(
            epochs == 0.0 || self.class_balanced,
            "curriculum_epochs",
            epochs,
            "without `class_balanced` the shares are natural from the start; set `class_balanced`, or give 0",
        )?;
        if let Some(most) = self.maximum_samples_per_epoch {
            require(
                most >= self.batch_size,
                "maximum_samples_per_epoch",
                most,
                "give at least `batch_size`, or leave it out",
            )?;
        }
        self.hard_negatives.validate()
    }
}

impl HardNegativeConfig {
    /// Refuses values outside their range.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] names the field and its range.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        const SHARE: &str = "give a share of 0 or more and below 1";
        let share = |value: f64| (0.0..1.0).contains(&value);
        require(share(self.share_start), "hard_negatives.share_start", self.share_start, SHARE)?;
        require(share(self.share_end), "hard_negatives.share_end", self.share_end, SHARE)?;
        require(
            self.full_epoch >= self.start_epoch,
            "hard_negatives.full_epoch",
            self.full_epoch,
            "give an epoch not before `start_epoch`",
        )?;
        require(
            self.top_fraction > 0.0 && self.top_fraction <= 1.0,
            "hard_negatives.top_fraction",
            self.top_fraction,
            "give a fraction above 0 and at most 1, for example 0.3",
        )?;
        require(
            self.refresh_epochs >= 1,
            "hard_negatives.refresh_epochs",
            self.refresh_epochs,
            "give at least 1 epoch",
        )
    }

    /// Share of the draws of `epoch` that come from the pool: 0 before `start_epoch`, then linear from
    /// `share_start` to `share_end` at `full_epoch`.
    pub fn share(&self, epoch: usize) -> f64 {
        if !self.enabled || epoch < self.start_epoch {
            return 0.0;
        }
        if epoch >= self.full_epoch {
            return self.share_end;
        }
        let progress = (epoch - self.start_epoch) as f64 / (self.full_epoch - self.start_epoch) as f64;
        self.share_start + (self.share_end - self.share_start) * progress
    }

    /// Whether the pool is to be ranked anew before `epoch`: at `start_epoch` and every `refresh_epochs`
    /// epochs from there.
    pub fn refresh_due(&self, epoch: usize) -> bool {
        self.enabled
            && epoch >= self.start_epoch
            && (epoch - self.start_epoch).is_multiple_of(self.refresh_epochs.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_sound_and_survive_a_file() {
        let config = SamplingConfig { maximum_samples_per_epoch: Some(1000), ..Default::default() };
        config.validate().unwrap();
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<SamplingConfig>(&text).unwrap(), config);
        assert_eq!(toml::from_str::<SamplingConfig>("").unwrap(), SamplingConfig::default());
        assert!(toml::from_str::<SamplingConfig>("batchsize = 3").is_err());
        assert!(toml::from_str::<SamplingConfig>("hard_negatives.share = 0.3").is_err());
    }

    #[test]
    fn what_is_out_of_range_is_refused_by_name() {
        for (text, field) in [
            ("batch_size = 0", "batch_size"),
            ("target_class_ratios = [0.5, 0.5, 0.0]", "target_class_ratios"),
            ("target_class_ratios = [0.5, 0.5, 0.5]", "target_class_ratios"),
            ("target_class_ratios = [nan, 0.5, 0.5]", "target_class_ratios"),
            ("curriculum_epochs = -1.0", "curriculum_epochs"),
            ("curriculum_epochs = inf", "curriculum_epochs"),
            ("curriculum_epochs = 3.0\nclass_balanced = false", "curriculum_epochs"),
            ("maximum_samples_per_epoch = 127", "maximum_samples_per_epoch"),
            ("hard_negatives.share_start = -0.1", "hard_negatives.share_start"),
            ("hard_negatives.share_end = 1.0", "hard_negatives.share_end"),
            ("hard_negatives.share_end = nan", "hard_negatives.share_end"),
            ("hard_negatives.full_epoch = 4", "hard_negatives.full_epoch"),
            ("hard_negatives.top_fraction = 0.0", "hard_negatives.top_fraction"),
            ("hard_negatives.refresh_epochs = 0", "hard_negatives.refresh_epochs"),
        ] {
            let config: SamplingConfig = toml::from_str(text).unwrap();
            let SupervisedError::Config { field: named, .. } = config.validate().unwrap_err() else {
                panic!("{text} is not an error of configuration")
            };
            assert_eq!(named, field, "{text}");
        }
        // Thirds written with three digits.
        let thirds: SamplingConfig = toml::from_str("target_class_ratios = [0.333, 0.333, 0.333]").unwrap();
        thirds.validate().unwrap();
    }

    #[test]
    fn the_hard_share_grows_linearly() {
        let config = HardNegativeConfig { enabled: true, ..Default::default() };
        for (epoch, share) in
            [(0, 0.0), (4, 0.0), (5, 0.2), (6, 0.23), (10, 0.35), (14, 0.47), (15, 0.5), (99, 0.5)]
        {
            assert!((config.share(epoch) - share).abs() < 1e-12, "{epoch}");
        }
        let at_once = HardNegativeConfig { full_epoch: 5, ..config };
        assert_eq!((at_once.share(4), at_once.share(5)), (0.0, 0.5));
        assert_eq!(HardNegativeConfig::default().share(20), 0.0);
        let every_third = HardNegativeConfig { refresh_epochs: 3, ..at_once };
        let due: Vec<_> = (0..13).filter(|epoch| every_third.refresh_due(*epoch)).collect();
        assert_eq!(due, [5, 8, 11]);
    }
}
