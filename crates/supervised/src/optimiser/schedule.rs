//! The learning rate over the course of training.

use std::f64::consts::PI;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::SupervisedError;

/// A linear rise from 0 to `base` (Goyal et al. 2017, arXiv 1706.02677, section 2.2), then half a cosine down
/// to `minimum` (Loshchilov and Hutter 2017, arXiv 1608.03983, equation 5, without restarts).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LearningRate {
    /// The highest rate, reached at the end of the rise; above 0. 0.001 is the usual one of Adam.
    pub base: f64,
    /// The rate at the end and after it, from 0 to `base`. By default a hundredth of `base`: the last epoch
    /// still moves.
    pub minimum: f64,
    /// Length of the rise in epochs, which need not be whole; 0 for none, below `epochs`. Half an epoch
    /// by default: while Adam's second moments settle, full steps would go astray.
    pub warmup_epochs: f64,
    /// Epochs at which `minimum` is reached, the rise included; above 0. By default all of the training.
    pub epochs: Option<f64>,
}

impl Default for LearningRate {
    fn default() -> Self {
        Self { base: 1e-3, minimum: 1e-5, warmup_epochs: 0.5, epochs: None }
    }
}

impl LearningRate {
    /// Checks every value, for a training of so many epochs.
    ///
    /// # Errors
    /// Names the first field that is out of its range.
    pub fn validate(&self, training_epochs: f64) -> Result<(), SupervisedError> {
        let refuse = |field: &str, value: f64, remedy: &str| {
            Err(SupervisedError::config(&format!("learning_rate.{field}"), value, remedy))
        };
        if !(self.base.is_finite() && self.base > 0.0) {
            return refuse("base", self.base, "give a rate above 0, usually 0.0001 to 0.01");
        }
        if !(0.0..=self.base).contains(&self.minimum) {
            return refuse("minimum", self.minimum, "give a rate from 0 to `base`");
        }
        let epochs = self.epochs.unwrap_or(training_epochs);
        if !(epochs.is_finite() && epochs > 0.0) {
            return refuse("epochs", epochs, "give a number of epochs above 0, or leave it out");
        }
        if !(0.0..epochs).contains(&self.warmup_epochs) {
            let remedy = "give a number of epochs from 0 to below those of the training";
            return refuse("warmup_epochs", self.warmup_epochs, remedy);
        }
        Ok(())
    }

    /// The rate after `progress_epochs` of `training_epochs` epochs. Give a step the progress *with* it, (step + 1) / steps per
    /// epoch: at progress 0 the rate is 0, and a first step there would move nothing.
    ///
    /// With b, m, w, e for the four fields: b p / w while p < w, then m + ½ (b − m) (1 + cos(π (p − w) / (e −
    /// w))), and m from e on. Progress below 0 counts as 0.
    #[must_use]
    pub fn at(&self, progress_epochs: f64, training_epochs: f64) -> f64 {
        let end = self.epochs.unwrap_or(training_epochs);
        let progress = progress_epochs.max(0.0);
        if progress < self.warmup_epochs {
            return self.base * (progress / self.warmup_epochs);
        }
        if progress >= end {
            return self.minimum;
        }
        let done = (progress - self.warmup_epochs) / (end - self.warmup_epochs);
        self.minimum + 0.5 * (self.base - self.minimum) * (1.0 + (PI * done).cos())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `torch.optim.lr_scheduler.CosineAnnealingLR(T_max=16, eta_min=0.0001)` on a base rate of 0.004,
    /// PyTorch 2.15: rate after so many of its steps.
    const TORCH: [(f64, f64); 6] = [
        (0.0, 0.004),
        (1.0, 0.003_962_531_296_786_3),
        (4.0, 0.003_428_858_223_313_767_6),
        (8.0, 0.002_05),
        (11.0, 0.000_966_638_045_611_762_1),
        (16.0, 0.000_1),
    ];

    #[test]
    fn the_fall_is_that_of_pytorch_and_the_rise_is_linear() {
        let schedule = LearningRate { base: 0.004, minimum: 0.000_1, warmup_epochs: 2.0, epochs: None };
        for (steps, expected) in TORCH {
            let seen = schedule.at(2.0 + steps, 18.0);
            assert!((seen / expected - 1.0).abs() < 1e-12, "{steps}: {seen}");
        }
        for (progress, expected) in [(0.0, 0.0), (0.5, 0.001), (1.0, 0.002), (1.75, 0.003_5)] {
            assert!((schedule.at(progress, 18.0) - expected).abs() < 1e-15, "{progress}");
        }
        assert_eq!(schedule.at(-1.0, 18.0), 0.0);
        assert_eq!([schedule.at(18.0, 18.0), schedule.at(1e9, 18.0)], [0.000_1; 2]);
        let without_rise = LearningRate { warmup_epochs: 0.0, ..schedule };
        assert_eq!(without_rise.at(0.0, 18.0), 0.004);
    }

    #[test]
    fn values_out_of_range_are_refused_by_name() {
        LearningRate::default().validate(20.0).unwrap();
        let refused = |change: fn(&mut LearningRate)| {
            let mut schedule = LearningRate::default();
            change(&mut schedule);
            schedule.validate(20.0).unwrap_err().to_string()
        };
        assert!(refused(|schedule| schedule.base = 0.0).starts_with("`learning_rate.base` is 0"));
        assert!(refused(|schedule| schedule.base = f64::NAN).contains("base"));
        assert!(refused(|schedule| schedule.minimum = 0.1).contains("minimum"));
        assert!(refused(|schedule| schedule.warmup_epochs = 20.0).contains("warmup_epochs"));
        assert!(refused(|schedule| schedule.warmup_epochs = f64::NAN).contains("warmup_epochs"));
        assert!(refused(|schedule| schedule.epochs = Some(f64::INFINITY)).contains("learning_rate.epochs"));
        assert!(toml::from_str::<LearningRate>("bass = 1.0").is_err());
    }

    proptest! {
        #[test]
        fn the_rate_rises_then_falls_and_stays_in_bounds(
            base in 1e-6..1.0_f64, share in 0.0..1.0_f64, rise in 0.0..5.0_f64, fall in 0.1..50.0_f64,
            at in 0.0..60.0_f64, further in 0.0..10.0_f64,
        ) {
            let schedule =
                LearningRate { base, minimum: base * share, warmup_epochs: rise, epochs: Some(rise + fall) };
            schedule.validate(20.0).unwrap();
            let (early, late) = (schedule.at(at, 99.0), schedule.at(at + further, 99.0));
            let slack = 1e-12 * base;
            prop_assert!((0.0..=base + slack).contains(&early));
            if at + further <= rise {
                prop_assert!(late >= early - slack);
            }
            if at >= rise {
                prop_assert!(late <= early + slack && late >= schedule.minimum - slack);
            }
        }
    }
}
