//! Which windows an explanation is compared with.

use rand::seq::index;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::SupervisedError;
use crate::random::generator;

/// How background windows are drawn from training windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BackgroundSampling {
    /// All alike: the expectation is the mean output over training, which is what an explanation is usually
    /// read against.
    #[default]
    Uniform,
    /// As many of each class that occurs: the expectation is that of a market in which all classes are
    /// equally frequent.
    ByClass,
}

/// The background of an explanation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BackgroundConfig {
    /// Number of background windows, from 2. Cost is proportional to it, while the error from not taking all
    /// training windows falls with its root: see [`crate::explanation::Attributions::expectation_error`].
    /// With the default of 32 that error is 18 % of the deviation of an output over training, and for means
    /// over many windows the background is the larger part of the error, the path the smaller.
    pub windows: usize,
    /// From where.
    pub sampling: BackgroundSampling,
    /// Seed of the draw.
    pub seed: u64,
}

impl Default for BackgroundConfig {
    fn default() -> Self {
        Self { windows: 32, sampling: BackgroundSampling::Uniform, seed: 0 }
    }
}

impl BackgroundConfig {
    /// Refuses fewer than two windows.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] names the field.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        if self.windows < 2 {
            let remedy = "give at least 2: the error of the expectation is estimated from their differences";
            return Err(SupervisedError::config("background.windows", self.windows, remedy));
        }
        Ok(())
    }
}

/// Draws background windows from **training** windows with these classes, without putting back; gives their
/// positions in ascending order. Where a number of windows is no multiple of the number of classes, the first
/// classes give one more.
///
/// # Errors
/// [`SupervisedError::Config`] as [`BackgroundConfig::validate`]; [`SupervisedError::Data`] where there are
/// fewer training windows (of a class) than are to be drawn.
pub fn draw_background(classes: &[u8], config: &BackgroundConfig) -> Result<Vec<usize>, SupervisedError> {
    config.validate()?;
    let strata: Vec<Vec<usize>> = match config.sampling {
        BackgroundSampling::Uniform => vec![(0..classes.len()).collect()],
        BackgroundSampling::ByClass => {
            let of_class = |class| (0..classes.len()).filter(|&row| classes[row] == class).collect();
            (0..=u8::MAX).map(of_class).filter(|rows: &Vec<usize>| !rows.is_empty()).collect()
        }
    };
    let mut drawn = Vec::with_capacity(config.windows);
    for (stratum, rows) in strata.iter().enumerate() {
        let count = config.windows / strata.len() + usize::from(stratum < config.windows % strata.len());
        if rows.len() < count {
            let reason = format!(
                "{count} are to be drawn from {}; lower `background.windows` or give more training windows",
                rows.len()
            );
            return Err(SupervisedError::data("background windows", reason));
        }
        let mut rng = generator(config.seed, "explanation/background", stratum as u64);
        drawn.extend(index::sample(&mut rng, rows.len(), count).iter().map(|position| rows[position]));
    }
    if drawn.is_empty() {
        return Err(SupervisedError::data(
            "background windows",
            "there are no training windows to draw from",
        ));
    }
    drawn.sort_unstable();
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes() -> Vec<u8> {
        (0..900).map(|row| if row % 30 == 0 { 0 } else { 1 + u8::from(row % 30 < 5) }).collect()
    }

    #[test]
    fn uniform_draws_follow_the_shares_and_the_seed() {
        let config = BackgroundConfig { windows: 300, ..BackgroundConfig::default() };
        let drawn = draw_background(&classes(), &config).unwrap();
        assert!(drawn.len() == 300 && drawn.windows(2).all(|pair| pair[0] < pair[1]));
        let share = drawn.iter().filter(|&&row| classes()[row] == 1).count() as f64 / 300.0;
        // 25 of 30 rows; the deviation of the share is 1.8 % (without putting back).
        assert!((share - 25.0 / 30.0).abs() < 0.07, "{share}");
        // Early and late rows alike.
        let mean = drawn.iter().sum::<usize>() as f64 / 300.0;
        assert!((mean - 450.0).abs() < 50.0, "{mean}");
        assert_eq!(drawn, draw_background(&classes(), &config).unwrap());
        assert_ne!(drawn, draw_background(&classes(), &BackgroundConfig { seed: 1, ..config }).unwrap());
    }

    #[test]
    fn classes_give_alike() {
        let sampling = BackgroundSampling::ByClass;
        let config = BackgroundConfig { windows: 32, sampling, seed: 3 };
        let drawn = draw_background(&classes(), &config).unwrap();
        let count = |class| drawn.iter().filter(|&&row| classes()[row] == class).count();
        assert_eq!([count(0), count(1), count(2)], [11, 11, 10]);
        let two = [1_u8, 1, 2, 2, 2];
        let config = BackgroundConfig { windows: 4, sampling, seed: 3 };
        assert_eq!(draw_background(&two, &config).unwrap()[..2], [0, 1]);
        assert!(draw_background(&two, &BackgroundConfig { windows: 5, ..config }).is_err());
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        let config = BackgroundConfig::default();
        assert!(
            draw_background(&[0; 31], &config)
                .unwrap_err()
                .to_string()
                .contains("32 are to be drawn from 31")
        );
        for sampling in [BackgroundSampling::Uniform, BackgroundSampling::ByClass] {
            assert!(draw_background(&[], &BackgroundConfig { sampling, ..config.clone() }).is_err());
        }
        let few = BackgroundConfig { windows: 1, ..config };
        assert!(draw_background(&[0; 31], &few).unwrap_err().to_string().contains("background.windows"));
        let text = "windows = 9\nsampling = \"by-class\"";
        assert_eq!(toml::from_str::<BackgroundConfig>(text).unwrap().sampling, BackgroundSampling::ByClass);
        assert!(toml::from_str::<BackgroundConfig>("window = 9").is_err());
    }
}
