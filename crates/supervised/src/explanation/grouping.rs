//! Sums of attributions: by feature, by step, by group of features.

use super::attributions::Attributions;
use crate::error::SupervisedError;

/// Which group every column belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureGroups {
    names: Vec<String>,
    of_feature: Vec<usize>,
}

impl FeatureGroups {
    /// From the name of the group of each column; groups come in the order in which they first occur.
    #[must_use]
    pub fn new<T: AsRef<str>>(group_of_feature: &[T]) -> Self {
        let mut names: Vec<String> = Vec::new();
        let of_feature = group_of_feature
            .iter()
            .map(|group| {
                let group = group.as_ref();
                names.iter().position(|name| name == group).unwrap_or_else(|| {
                    names.push(group.to_owned());
                    names.len() - 1
                })
            })
            .collect();
        Self { names, of_feature }
    }

    /// Names of the groups.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Position of the group of each column.
    #[must_use]
    pub fn of_feature(&self) -> &[usize] {
        &self.of_feature
    }
}

/// Attributions added up over parts of the input. As they are additive, the value of a part is what it
/// contributes as a whole; what its members say for and against an output cancels in it, and `gross` keeps
/// how much that was.
#[derive(Clone, Debug, PartialEq)]
pub struct Grouped {
    windows: usize,
    outputs: usize,
    parts: usize,
    values: Vec<f64>,
    gross: Vec<f64>,
}

impl Grouped {
    /// `[windows, outputs, parts]`.
    #[must_use]
    pub const fn shape(&self) -> [usize; 3] {
        [self.windows, self.outputs, self.parts]
    }

    /// Sums of the values of each part, in the order of [`Self::shape`].
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Sums of the absolute values of each part, in the order of [`Self::shape`].
    #[must_use]
    pub fn gross(&self) -> &[f64] {
        &self.gross
    }

    /// Mean over windows of `|value|`, `[outputs, parts]`: the importance of a part to an output.
    #[must_use]
    pub fn mean_absolute(&self) -> Vec<f64> {
        self.mean_over_windows(&self.values, f64::abs)
    }

    /// Mean over windows of the values, `[outputs, parts]`.
    #[must_use]
    pub fn mean(&self) -> Vec<f64> {
        self.mean_over_windows(&self.values, |value| value)
    }

    /// Mean over windows of the sums of absolute values, `[outputs, parts]`.
    #[must_use]
    pub fn mean_gross(&self) -> Vec<f64> {
        self.mean_over_windows(&self.gross, |value| value)
    }

    fn mean_over_windows(&self, values: &[f64], of: impl Fn(f64) -> f64) -> Vec<f64> {
        let mut means = vec![0.0; self.outputs * self.parts];
        for row in values.chunks_exact(means.len()) {
            means.iter_mut().zip(row).for_each(|(mean, value)| *mean += of(*value));
        }
        means.iter_mut().for_each(|mean| *mean /= self.windows as f64);
        means
    }
}

impl Attributions {
    /// Sums over time, one part for each feature.
    #[must_use]
    pub fn by_feature(&self) -> Grouped {
        self.by_part(self.features, |_, feature| feature)
    }

    /// Sums over features, one part for each step.
    #[must_use]
    pub fn by_step(&self) -> Grouped {
        self.by_part(self.time, |step, _| step)
    }

    /// Sums over time and the features of each group.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] where the groups are of another number of columns.
    pub fn by_group(&self, groups: &FeatureGroups) -> Result<Grouped, SupervisedError> {
        if groups.of_feature.len() != self.features {
            let reason = format!("they are of {} columns, not {}", groups.of_feature.len(), self.features);
            return Err(SupervisedError::data("groups of features", reason));
        }
        Ok(self.by_part(groups.names.len(), |_, feature| groups.of_feature[feature]))
    }

    /// Mean over windows of the absolute value of each input, `[outputs, time, features]`.
    #[must_use]
    pub fn mean_absolute(&self) -> Vec<f64> {
        self.by_part(self.time * self.features, |step, feature| step * self.features + feature)
            .mean_absolute()
    }

    fn by_part(&self, parts: usize, part_of: impl Fn(usize, usize) -> usize) -> Grouped {
        let rows = self.windows * self.outputs;
        let (mut values, mut gross) = (vec![0.0; rows * parts], vec![0.0; rows * parts]);
        let sums = values.chunks_exact_mut(parts).zip(gross.chunks_exact_mut(parts));
        for (window, (sums, gross)) in self.values.chunks_exact(self.time * self.features).zip(sums) {
            for (step, row) in window.chunks_exact(self.features).enumerate() {
                for (feature, value) in row.iter().enumerate() {
                    let part = part_of(step, feature);
                    sums[part] += f64::from(*value);
                    gross[part] += f64::from(value.abs());
                }
            }
        }
        Grouped { windows: self.windows, outputs: self.outputs, parts, values, gross }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Two windows, two outputs, two steps, three features.
    fn attributions() -> Attributions {
        let values = vec![
            1.0, 2.0, 3.0, 4.0, -5.0, 6.0, // window 0, output 0
            0.0, 1.0, 0.0, -1.0, 0.0, 0.5, // window 0, output 1
            -1.0, 0.0, 1.0, 1.0, 1.0, -1.0, // window 1, output 0
            2.0, 2.0, 2.0, 2.0, 2.0, 2.0, // window 1, output 1
        ];
        Attributions::new([2, 2, 2, 3], values, vec![0.0; 4], vec![0.0; 2], None).unwrap()
    }

    #[test]
    fn sums_by_hand() {
        let attributions = attributions();
        let features = attributions.by_feature();
        assert_eq!(features.shape(), [2, 2, 3]);
        assert_eq!(features.values(), [5.0, -3.0, 9.0, -1.0, 1.0, 0.5, 0.0, 1.0, 0.0, 4.0, 4.0, 4.0]);
        assert_eq!(features.gross()[..6], [5.0, 7.0, 9.0, 1.0, 1.0, 0.5]);
        assert_eq!(features.mean_absolute(), [2.5, 2.0, 4.5, 2.5, 2.5, 2.25]);
        assert_eq!(features.mean(), [2.5, -1.0, 4.5, 1.5, 2.5, 2.25]);
        assert_eq!(features.mean_gross()[..3], [3.5, 4.0, 5.5]);
        let steps = attributions.by_step();
        assert_eq!(steps.values(), [6.0, 5.0, 1.0, -0.5, 0.0, 1.0, 6.0, 6.0]);
        let groups = FeatureGroups::new(&["price", "volume", "price"]);
        assert_eq!(groups.names(), ["price", "volume"]);
        let grouped = attributions.by_group(&groups).unwrap();
        assert_eq!(grouped.values(), [14.0, -3.0, -0.5, 1.0, 0.0, 1.0, 8.0, 4.0]);
        assert!(attributions.by_group(&FeatureGroups::new(&["price"])).is_err());
        assert_eq!(attributions.mean_absolute()[..6], [1.0, 1.0, 2.0, 2.5, 3.0, 3.5]);
    }

    proptest! {
        #[test]
        fn every_grouping_adds_up_to_the_same(
            values in proptest::collection::vec(-9.0..9.0_f32, 2 * 2 * 3 * 4),
            cut in 0_usize..4,
        ) {
            let none = (vec![0.0; 4], vec![0.0; 2]);
            let attributions = Attributions::new([2, 2, 3, 4], values, none.0, none.1, None).unwrap();
            let groups: Vec<String> = (0..4).map(|feature| format!("{}", feature < cut)).collect();
            let groups = attributions.by_group(&FeatureGroups::new(&groups)).unwrap();
            for grouped in [attributions.by_feature(), attributions.by_step(), groups] {
                let rows = grouped.values().chunks(grouped.shape()[2]);
                for (row, residual) in rows.zip(attributions.residual()) {
                    prop_assert!((row.iter().sum::<f64>() - residual).abs() < 1e-9);
                }
                for (value, gross) in grouped.values().iter().zip(grouped.gross()) {
                    prop_assert!(value.abs() <= gross + 1e-9);
                }
            }
        }
    }
}
