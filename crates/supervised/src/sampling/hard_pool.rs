//! The samples on which the loss is highest.

use serde::{Deserialize, Serialize};

use super::{CLASSES, HardNegativeConfig, Sample};
use crate::SupervisedError;

/// The hardest fraction of every class by loss, the ones that [`HardNegativeConfig`] draws more often.
///
/// The fraction is taken within each class, so that mining leaves the shares of the classes alone. It is
/// part of the state of a training: store it with a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HardPool {
    /// How many samples (or rows) the losses were of.
    population: u32,
    /// Indices of the hardest, ascending.
    members: Vec<u32>,
}

impl HardPool {
    /// The hardest `top_fraction` of the samples of each class, among those whose loss is known; `losses`
    /// holds one per sample, NaN where unknown. Rounded, and at least 1 of a class with any known loss;
    /// among equal losses the earlier sample counts as harder.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] where there is not one loss per sample or a class is above 2;
    /// [`SupervisedError::Config`] as [`HardNegativeConfig::validate`].
    pub fn from_losses(
        samples: &[Sample],
        losses: &[f32],
        config: &HardNegativeConfig,
    ) -> Result<Self, SupervisedError> {
        if samples.len() != losses.len() {
            return Err(SupervisedError::data(
                "losses for the hard pool",
                format!("{} losses for {} samples; give one per sample", losses.len(), samples.len()),
            ));
        }
        Self::hardest(samples.iter().map(|sample| sample.class).zip(losses.iter().copied()), config)
    }

    /// The same for the objective `every_step`: `classes` and `losses` have one entry per row of each
    /// series. Rows without a class (255) or with an unknown loss (NaN) are left out; give NaN for rows that
    /// are not trained on. Members are numbered through all rows of all series, in order.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] where the two differ in shape, a class is neither 0, 1, 2 nor 255, or there
    /// are more rows than an index of 32 bits can name; [`SupervisedError::Config`] as
    /// [`HardNegativeConfig::validate`].
    pub fn from_step_losses(
        classes: &[Vec<u8>],
        losses: &[Vec<f32>],
        config: &HardNegativeConfig,
    ) -> Result<Self, SupervisedError> {
        let same = classes.len() == losses.len()
            && classes.iter().zip(losses).all(|(classes, losses)| classes.len() == losses.len());
        if !same {
            return Err(SupervisedError::data(
                "losses for the hard pool",
                "series or rows differ from those of the classes; give one loss per row, NaN where unknown",
            ));
        }
        Self::hardest(classes.iter().flatten().copied().zip(losses.iter().flatten().copied()), config)
    }

    fn hardest(
        rows: impl Iterator<Item = (u8, f32)>,
        config: &HardNegativeConfig,
    ) -> Result<Self, SupervisedError> {
        config.validate()?;
        let mut population = 0_u32;
        let mut by_class: [Vec<(f32, u32)>; CLASSES] = Default::default();
        for (class, loss) in rows {
            let index = population;
            population = population.checked_add(1).ok_or_else(|| {
                SupervisedError::data(
                    "losses for the hard pool",
                    "there are 2³² or more; train on fewer rows",
                )
            })?;
            if class == super::NO_CLASS || loss.is_nan() {
                continue;
            }
            let Some(known) = by_class.get_mut(class as usize) else {
                return Err(SupervisedError::data(
                    "classes for the hard pool",
                    format!("{class} is none; classes are 0 Sell, 1 Hold, 2 Buy"),
                ));
            };
            known.push((loss, index));
        }
        let mut members = Vec::new();
        for known in &mut by_class {
            if known.is_empty() {
                continue;
            }
            let keep = ((known.len() as f64 * config.top_fraction).round() as usize).clamp(1, known.len());
            known.select_nth_unstable_by(keep - 1, |left, right| {
                right.0.total_cmp(&left.0).then(left.1.cmp(&right.1))
            });
            members.extend(known[..keep].iter().map(|(_, index)| *index));
        }
        members.sort_unstable();
        Ok(Self { population, members })
    }

    /// Indices of the hardest samples, ascending.
    pub fn members(&self) -> &[u32] {
        &self.members
    }

    /// `Err` unless the pool is one of `population` samples; a stored pool may be of other data.
    pub(super) fn check(&self, population: usize) -> Result<(), SupervisedError> {
        let ordered = self.members.windows(2).all(|pair| pair[0] < pair[1]);
        let inside = self.members.last().is_none_or(|last| (*last as usize) < population);
        if self.population as usize == population && ordered && inside {
            return Ok(());
        }
        Err(SupervisedError::data(
            "hard pool",
            format!(
                "it was taken from {} samples and there are {population}; resume with the data of that training, or rank the losses anew",
                self.population
            ),
        ))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn samples(classes: &[u8]) -> Vec<Sample> {
        classes.iter().map(|class| Sample { series: 0, row: 0, class: *class, weight: 1.0 }).collect()
    }

    fn top(top_fraction: f64) -> HardNegativeConfig {
        HardNegativeConfig { top_fraction, ..HardNegativeConfig::default() }
    }

    #[test]
    fn the_hardest_of_each_class_whatever_other_classes_lose() {
        let classes = [0, 0, 0, 0, 1, 1, 1, 1, 2];
        let losses = [0.1, 0.4, 0.3, 0.2, 9.0, f32::NAN, 7.0, 8.0, 0.01];
        let pool = HardPool::from_losses(&samples(&classes), &losses, &top(0.5)).unwrap();
        // Half of 4, of the 3 known (1.5, so 2) and of 1 (0.5, so 1).
        assert_eq!(pool.members(), [1, 2, 4, 7, 8]);
        let stored = serde_json::to_string(&pool).unwrap();
        assert_eq!(serde_json::from_str::<HardPool>(&stored).unwrap(), pool);
        pool.check(9).unwrap();
        assert!(pool.check(10).is_err());
        let ties = HardPool::from_losses(&samples(&[0; 5]), &[1.0; 5], &top(0.4)).unwrap();
        assert_eq!(ties.members(), [0, 1]);
        let unknown = HardPool::from_losses(&samples(&[0; 2]), &[f32::NAN; 2], &top(0.4)).unwrap();
        assert!(unknown.members().is_empty());
    }

    #[test]
    fn rows_are_numbered_through_all_series() {
        let classes = [vec![0, 255, 0], vec![], vec![0, 1]];
        let losses = [vec![1.0, 9.0, 2.0], vec![], vec![3.0, 0.0]];
        let pool = HardPool::from_step_losses(&classes, &losses, &top(0.6)).unwrap();
        assert_eq!(pool.members(), [2, 3, 4]);
        assert!(HardPool::from_step_losses(&classes, &losses[..2], &top(0.6)).is_err());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(HardPool::from_losses(&samples(&[0, 1]), &[1.0], &top(0.3)).is_err());
        assert!(HardPool::from_losses(&samples(&[3]), &[1.0], &top(0.3)).is_err());
        assert!(HardPool::from_losses(&samples(&[0]), &[1.0], &top(0.0)).is_err());
        for stored in [
            r#"{"population": 3, "members": [3]}"#,
            r#"{"population": 3, "members": [1, 1]}"#,
            r#"{"population": 4, "members": [1]}"#,
        ] {
            assert!(serde_json::from_str::<HardPool>(stored).unwrap().check(3).is_err());
        }
    }

    proptest! {
        #[test]
        fn nothing_outside_the_pool_is_harder(
            rows in prop::collection::vec((0_u8..3, prop::option::of(0.0_f32..5.0)), 0..200),
            fraction in 0.01_f64..=1.0,
        ) {
            let classes: Vec<u8> = rows.iter().map(|row| row.0).collect();
            let losses: Vec<f32> = rows.iter().map(|row| row.1.unwrap_or(f32::NAN)).collect();
            let pool = HardPool::from_losses(&samples(&classes), &losses, &top(fraction)).unwrap();
            for class in 0..3 {
                let (mut inside, mut outside) = (Vec::new(), Vec::new());
                for (index, row) in rows.iter().enumerate().filter(|(_, row)| row.0 == class) {
                    let is_member = pool.members().contains(&(index as u32));
                    prop_assert!(!is_member || row.1.is_some());
                    if let Some(loss) = row.1 {
                        if is_member { &mut inside } else { &mut outside }.push(loss);
                    }
                }
                let known = (inside.len() + outside.len()) as f64;
                prop_assert!(known == 0.0 || !inside.is_empty());
                prop_assert!((inside.len() as f64 - known * fraction).abs() < 1.0);
                let easiest = inside.iter().copied().fold(f32::INFINITY, f32::min);
                prop_assert!(outside.iter().all(|loss| *loss <= easiest));
            }
        }
    }
}
