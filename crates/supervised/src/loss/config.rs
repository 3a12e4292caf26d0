//! What the loss is made of, and how its mixture moves over the epochs.

use std::f64::consts::PI;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::epoch_loss::EpochLoss;
use super::triplet::TripletConfig;
use super::{CLASSES, require};
use crate::SupervisedError;

/// The loss of the classifier; the formula stands at the [module](super).
///
/// Lists of three are in class order, `[Sell, Hold, Buy]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LossConfig {
    /// Label smoothing ε of the cross-entropy, 0 ≤ ε < 1: the share of the target that is spread evenly over
    /// all three classes. The focal part has none. Default 0.02: labels near a threshold are noise, yet the
    /// probabilities shall stay within ε of what the labels say (at 0.1, the usual value of image
    /// classification, a class with a share of 0.05 would be taught as 0.078).
    pub smoothing: f64,
    /// Whether there is a focal part at all; without it the cross-entropy's share is 1 at all times, and
    /// `alpha`, `gamma` and the schedule have no effect. Default false: on candles it made probabilities worse
    /// (`docs/results.md`).
    pub asymmetric_focal: bool,
    /// Weights α of the focal part per true class, above 0. Default 1: imbalance belongs to the row weights,
    /// which act on all parts alike.
    pub alpha: [f64; CLASSES],
    /// Focusing exponents γ of the focal part per true class, 0 to 10. Default 1, 2, 1: Hold has the 2 that
    /// Lin et al. found best, the rarer classes less, since their rows shall all count (γ₊ < γ₋ in Ridnik et
    /// al.).
    pub gamma: [f64; CLASSES],
    /// Epochs (fractions allowed, 0 or more) over which the cross-entropy's share falls. Default 5: focusing
    /// on hard rows means something once the network knows the easy ones.
    pub afl_warmup_epochs: f64,
    /// Share of the cross-entropy before the first epoch, 0 to 1; the focal part has the rest. Default 1.
    pub ce_weight_start: f64,
    /// Share of the cross-entropy from the end of the warm-up on, 0 to `ce_weight_start`. Default 0.5: focal
    /// loss alone does not have the true probabilities as its minimum (Charoenphakdee et al. 2021, arXiv
    /// 2011.09172).
    pub ce_weight_end: f64,
    /// Weight λ, 0 or more, of the confidence penalty ln 3 − H(p). It is added to the loss, so a larger λ
    /// makes predictions less confident. Default 0: smoothing already does this, and both at once are hard to
    /// tell apart.
    pub entropy_penalty: f64,
    /// The triplet loss on embeddings; off by default.
    pub triplet: TripletConfig,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self {
            smoothing: 0.02,
            asymmetric_focal: false,
            alpha: [1.0; CLASSES],
            gamma: [1.0, 2.0, 1.0],
            afl_warmup_epochs: 5.0,
            ce_weight_start: 1.0,
            ce_weight_end: 0.5,
            entropy_penalty: 0.0,
            triplet: TripletConfig::default(),
        }
    }
}

impl LossConfig {
    /// Refuses values outside their range.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] names the field and its range.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        let share = 0.0..=1.0;
        let not_negative = |value: f64| value.is_finite() && value >= 0.0;
        require(
            (0.0..1.0).contains(&self.smoothing),
            "loss.smoothing",
            self.smoothing,
            "give a share from 0 to below 1, for example 0.02",
        )?;
        for class in 0..CLASSES {
            let (alpha, gamma) = (self.alpha[class], self.gamma[class]);
            require(
                alpha.is_finite() && alpha > 0.0,
                &format!("loss.alpha[{class}]"),
                alpha,
                "give a weight above 0, for example 1.0",
            )?;
            require(
                (0.0..=10.0).contains(&gamma),
                &format!("loss.gamma[{class}]"),
                gamma,
                "give an exponent from 0 to 10, for example 2.0",
            )?;
        }
        require(
            not_negative(self.afl_warmup_epochs),
            "loss.afl_warmup_epochs",
            self.afl_warmup_epochs,
            "give a number of epochs of 0 or more, for example 5.0",
        )?;
        require(
            share.contains(&self.ce_weight_start),
            "loss.ce_weight_start",
            self.ce_weight_start,
            "give a share from 0 to 1",
        )?;
        require(
            (0.0..=self.ce_weight_start).contains(&self.ce_weight_end),
            "loss.ce_weight_end",
            self.ce_weight_end,
            "give a share from 0 to `ce_weight_start`; the share falls, it does not rise",
        )?;
        require(
            not_negative(self.entropy_penalty),
            "loss.entropy_penalty",
            self.entropy_penalty,
            "give a weight of 0 or more, for example 0.01",
        )?;
        self.triplet.validate()
    }

    /// Share of the cross-entropy at `epoch`, which counts from 0 and may lie within an epoch (2.5 is the
    /// middle of the third); before 0 it is the share at 0.
    ///
    /// It follows half a cosine from `ce_weight_start` to `ce_weight_end`, as learning rates do in Loshchilov
    /// and Hutter (2017, "SGDR", arXiv 1608.03983, equation 5), flat at both ends.
    pub fn cross_entropy_share(&self, epoch: f64) -> f64 {
        if !self.asymmetric_focal {
            return 1.0;
        }
        if epoch >= self.afl_warmup_epochs {
            return self.ce_weight_end;
        }
        let progress = epoch.max(0.0) / self.afl_warmup_epochs;
        self.ce_weight_end + (self.ce_weight_start - self.ce_weight_end) * 0.5 * (1.0 + (PI * progress).cos())
    }

    /// The loss as it stands at `epoch` (see [`Self::cross_entropy_share`]) of a [valid](Self::validate)
    /// configuration.
    pub fn at_epoch(&self, epoch: f64) -> EpochLoss {
        EpochLoss {
            smoothing: self.smoothing,
            cross_entropy_share: self.cross_entropy_share(epoch),
            alpha: self.alpha,
            gamma: self.gamma,
            entropy_penalty: self.entropy_penalty,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_falls_smoothly_from_start_to_end() {
        let config = LossConfig {
            afl_warmup_epochs: 4.0,
            ce_weight_start: 0.9,
            ce_weight_end: 0.1,
            asymmetric_focal: true,
            ..LossConfig::default()
        };
        // (1 + cos(π e/4))/2 at e = 0, 1, 2, 3, 4.
        let cosine = [1.0, 0.8535533905932737, 0.5, 0.1464466094067262, 0.0];
        for (epoch, cosine) in cosine.into_iter().enumerate() {
            let share = config.cross_entropy_share(epoch as f64);
            assert!((share - (0.1 + 0.8 * cosine)).abs() < 1e-12, "{epoch}: {share}");
        }
        assert_eq!(config.cross_entropy_share(-3.0), 0.9);
        assert_eq!(config.cross_entropy_share(100.0), 0.1);
        let shares: Vec<f64> =
            (0..=400).map(|step| config.cross_entropy_share(step as f64 / 100.0)).collect();
        assert!(shares.windows(2).all(|pair| pair[0] >= pair[1] && pair[0] - pair[1] < 0.004));
    }

    #[test]
    fn no_warm_up_is_the_end_and_no_focal_part_is_all_cross_entropy() {
        let at_once = LossConfig { asymmetric_focal: true, afl_warmup_epochs: 0.0, ..LossConfig::default() };
        assert_eq!(at_once.cross_entropy_share(0.0), 0.5);
        let off = LossConfig { asymmetric_focal: false, ..LossConfig::default() };
        assert_eq!([0.0, 2.0, 50.0].map(|epoch| off.cross_entropy_share(epoch)), [1.0; 3]);
    }

    #[test]
    fn each_field_is_held_to_its_range() {
        let base = LossConfig::default();
        base.validate().unwrap();
        type Change = fn(&mut LossConfig);
        let wrong: [(&str, Change); 15] = [
            ("loss.smoothing", |loss| loss.smoothing = 1.0),
            ("loss.smoothing", |loss| loss.smoothing = f64::NAN),
            ("loss.alpha[1]", |loss| loss.alpha[1] = 0.0),
            ("loss.alpha[2]", |loss| loss.alpha[2] = f64::INFINITY),
            ("loss.gamma[0]", |loss| loss.gamma[0] = -0.1),
            ("loss.gamma[2]", |loss| loss.gamma[2] = 10.5),
            ("loss.afl_warmup_epochs", |loss| loss.afl_warmup_epochs = -1.0),
            ("loss.ce_weight_start", |loss| loss.ce_weight_start = 1.1),
            ("loss.ce_weight_end", |loss| loss.ce_weight_end = -0.1),
            ("loss.ce_weight_end", |loss| (loss.ce_weight_start, loss.ce_weight_end) = (0.2, 0.3)),
            ("loss.entropy_penalty", |loss| loss.entropy_penalty = -0.1),
            ("loss.triplet.weight", |loss| loss.triplet.weight = f64::INFINITY),
            ("loss.triplet.margin", |loss| loss.triplet.margin = 0.0),
            ("loss.triplet.margin", |loss| loss.triplet.margin = 4.5),
            ("loss.triplet.maximum_anchors", |loss| loss.triplet.maximum_anchors = 0),
        ];
        for (field, change) in wrong {
            let mut config = base.clone();
            change(&mut config);
            let error = config.validate().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{field}` is ")), "{field}: {error}");
        }
    }

    #[test]
    fn a_file_may_leave_fields_out_but_not_invent_any() {
        let config: LossConfig = toml::from_str("smoothing = 0.1\n[triplet]\nweight = 0.5").unwrap();
        let triplet = TripletConfig { weight: 0.5, ..TripletConfig::default() };
        assert_eq!(config, LossConfig { smoothing: 0.1, triplet, ..LossConfig::default() });
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<LossConfig>(&text).unwrap(), config);
        assert!(toml::from_str::<LossConfig>("smooth = 0.1").is_err());
        assert!(toml::from_str::<LossConfig>("[triplet]\nmargins = 0.1").is_err());
    }
}
