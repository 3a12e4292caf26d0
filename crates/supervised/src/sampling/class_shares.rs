//! The share of each class, by epoch.

use std::f64::consts::PI;

use super::configuration::SamplingConfig;
use super::{CLASS_NAMES, CLASSES};
use crate::SupervisedError;

/// The shares of `totals` (numbers of samples, or sums of weights, of each class).
///
/// # Errors
/// [`SupervisedError::Data`] unless two classes or more are there.
pub(super) fn natural_shares(totals: [f64; CLASSES]) -> Result<[f64; CLASSES], SupervisedError> {
    let present: Vec<&str> =
        CLASS_NAMES.into_iter().zip(totals).filter(|(_, total)| *total > 0.0).map(|(name, _)| name).collect();
    match present.as_slice() {
        [] => Err(SupervisedError::data(
            "training labels",
            "there are none; give longer series or a later end of training",
        )),
        [only] => Err(SupervisedError::data(
            "training labels",
            format!(
                "all are {only}, and nothing can be learnt from one class; choose other label thresholds or a longer training range, so that at least two of {} occur",
                CLASS_NAMES.join(", ")
            ),
        )),
        _ => {
            let sum: f64 = totals.iter().sum();
            Ok(totals.map(|total| total / sum))
        }
    }
}

/// The shares that classes have in `epoch`, summing to 1; 0 for a class that is not there.
///
/// Natural unless `class_balanced`; else `target + (natural − target) · (1 − cos(π · min(epoch / E, 1))) / 2`
/// with `E` the epochs of the curriculum, and the target itself where `E` is 0.
pub(super) fn class_shares(config: &SamplingConfig, natural: [f64; CLASSES], epoch: usize) -> [f64; CLASSES] {
    if !config.class_balanced {
        return natural;
    }
    let mut target = config.target_class_ratios;
    for (target, natural) in target.iter_mut().zip(natural) {
        if natural <= 0.0 {
            *target = 0.0;
        }
    }
    let sum: f64 = target.iter().sum();
    let progress = if config.curriculum_epochs > 0.0 {
        let linear = (epoch as f64 / config.curriculum_epochs).min(1.0);
        0.5 * (1.0 - (PI * linear).cos())
    } else {
        0.0
    };
    std::array::from_fn(|class| {
        let target = target[class] / sum;
        target + (natural[class] - target) * progress
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(left: [f64; 3], right: [f64; 3]) {
        assert!(left.iter().zip(right).all(|(l, r)| (l - r).abs() < 1e-12), "{left:?} {right:?}");
    }

    #[test]
    fn the_curriculum_moves_from_target_to_natural_along_half_a_cosine() {
        let mut config = SamplingConfig {
            target_class_ratios: [0.4, 0.2, 0.4],
            curriculum_epochs: 6.0,
            ..SamplingConfig::default()
        };
        let natural = [0.1, 0.8, 0.1];
        close(class_shares(&config, natural, 0), [0.4, 0.2, 0.4]);
        // cos(π/3) = 1/2, so a quarter of the way.
        close(class_shares(&config, natural, 2), [0.325, 0.35, 0.325]);
        close(class_shares(&config, natural, 3), [0.25, 0.5, 0.25]);
        close(class_shares(&config, natural, 6), natural);
        close(class_shares(&config, natural, 60), natural);
        config.curriculum_epochs = 0.0;
        close(class_shares(&config, natural, 60), [0.4, 0.2, 0.4]);
        config.class_balanced = false;
        close(class_shares(&config, natural, 0), natural);
    }

    #[test]
    fn an_absent_class_gives_its_share_to_the_others() {
        let config = SamplingConfig { target_class_ratios: [0.6, 0.2, 0.2], ..SamplingConfig::default() };
        close(class_shares(&config, [0.5, 0.0, 0.5], 0), [0.75, 0.0, 0.25]);
    }

    #[test]
    fn one_class_is_refused_by_name() {
        let message = natural_shares([0.0, 5.0, 0.0]).unwrap_err().to_string();
        assert!(message.contains("all are Hold") && message.contains("thresholds"), "{message}");
        assert!(natural_shares([0.0; 3]).unwrap_err().to_string().contains("there are none"));
        close(natural_shares([1.0, 3.0, 0.0]).unwrap(), [0.25, 0.75, 0.0]);
    }
}
