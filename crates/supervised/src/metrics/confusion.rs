//! How often each class was taken for each.

use serde::{Deserialize, Serialize};

/// Rows counted by true and predicted class, in class order `[Sell, Hold, Buy]`.
///
/// Where scikit-learn defines a score, this is that score with `labels=[0, 1, 2]` and `zero_division=0`: a
/// quotient with a denominator of 0 is 0. So is every score of no rows at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confusion {
    /// `counts[true class][predicted class]`.
    pub counts: [[u64; 3]; 3],
}

/// `numerator / denominator`, and 0 where the denominator is 0.
fn quotient(numerator: u64, denominator: u64) -> f64 {
    if denominator == 0 { 0.0 } else { numerator as f64 / denominator as f64 }
}

impl Confusion {
    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.true_counts().iter().sum()
    }

    /// Rows of each true class.
    pub fn true_counts(&self) -> [u64; 3] {
        self.counts.map(|predicted| predicted.iter().sum())
    }

    /// Rows of each predicted class.
    pub fn predicted_counts(&self) -> [u64; 3] {
        std::array::from_fn(|class| self.counts.iter().map(|predicted| predicted[class]).sum())
    }

    /// Share of each true class in all rows.
    pub fn true_shares(&self) -> [f64; 3] {
        self.true_counts().map(|count| quotient(count, self.rows()))
    }

    /// Share of each predicted class in all rows.
    pub fn predicted_shares(&self) -> [f64; 3] {
        self.predicted_counts().map(|count| quotient(count, self.rows()))
    }

    fn hits(&self) -> [u64; 3] {
        std::array::from_fn(|class| self.counts[class][class])
    }

    /// Share of rows whose class was predicted.
    pub fn accuracy(&self) -> f64 {
        quotient(self.hits().iter().sum(), self.rows())
    }

    /// Of the rows predicted as a class, the share that are; 0 for a class never predicted.
    pub fn precision(&self) -> [f64; 3] {
        let (hits, predicted) = (self.hits(), self.predicted_counts());
        std::array::from_fn(|class| quotient(hits[class], predicted[class]))
    }

    /// Of the rows of a class, the share predicted as such; 0 for a class that does not occur.
    pub fn recall(&self) -> [f64; 3] {
        let (hits, truth) = (self.hits(), self.true_counts());
        std::array::from_fn(|class| quotient(hits[class], truth[class]))
    }

    /// Harmonic mean of precision and recall, `2 TP / (2 TP + FP + FN)`, of each class; 0 for a class that
    /// neither occurs nor is predicted.
    pub fn f1(&self) -> [f64; 3] {
        let (hits, truth, predicted) = (self.hits(), self.true_counts(), self.predicted_counts());
        std::array::from_fn(|class| quotient(2 * hits[class], truth[class] + predicted[class]))
    }

    /// Mean of [`Self::f1`] over all three classes, also over one that does not occur (it counts 0).
    pub fn macro_f1(&self) -> f64 {
        self.f1().iter().sum::<f64>() / 3.0
    }

    /// Mean recall over the classes that occur. One that does not occur is left out, as scikit-learn does.
    pub fn balanced_accuracy(&self) -> f64 {
        let present = self.true_counts().iter().filter(|&&count| count > 0).count();
        if present == 0 { 0.0 } else { self.recall().iter().sum::<f64>() / present as f64 }
    }

    /// Matthews' correlation coefficient for several classes, from −1 to 1 (Gorodkin 2004, "Comparing two
    /// K-category assignments by a K-category correlation coefficient", equation 8); 0 where truth or
    /// prediction is all of one class, for which it is not defined.
    pub fn mcc(&self) -> f64 {
        let wide = |counts: [u64; 3]| counts.map(i128::from);
        let (truth, predicted) = (wide(self.true_counts()), wide(self.predicted_counts()));
        let rows = i128::from(self.rows());
        let dot =
            |one: [i128; 3], other: [i128; 3]| -> i128 { one.iter().zip(other).map(|(a, b)| a * b).sum() };
        // Integers, so that nothing cancels and a denominator of 0 is exactly 0.
        let covariance = rows * wide(self.hits()).iter().sum::<i128>() - dot(truth, predicted);
        let of_truth = rows * rows - dot(truth, truth);
        let of_prediction = rows * rows - dot(predicted, predicted);
        if of_truth == 0 || of_prediction == 0 {
            return 0.0;
        }
        covariance as f64 / ((of_truth as f64).sqrt() * (of_prediction as f64).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_rows_score_nothing() {
        let none = Confusion::default();
        assert_eq!(none.rows(), 0);
        for score in [none.accuracy(), none.macro_f1(), none.balanced_accuracy(), none.mcc()] {
            assert_eq!(score, 0.0);
        }
        assert_eq!(none.true_shares(), [0.0; 3]);
    }

    #[test]
    fn true_class_comes_first() {
        let confusion = Confusion { counts: [[0, 3, 0], [0, 0, 0], [1, 0, 0]] };
        assert_eq!(confusion.true_counts(), [3, 0, 1]);
        assert_eq!(confusion.predicted_counts(), [1, 3, 0]);
        assert_eq!(confusion.predicted_shares(), [0.25, 0.75, 0.0]);
    }

    #[test]
    fn billions_of_rows_do_not_overflow() {
        let huge = 4_000_000_000;
        let confusion = Confusion { counts: [[huge, 0, 0], [0, huge, 0], [0, 0, huge]] };
        assert!((confusion.mcc() - 1.0).abs() < 1e-15);
    }

    proptest! {
        #[test]
        fn scores_keep_their_ranges(counts in prop::array::uniform3(prop::array::uniform3(0_u64..50))) {
            let confusion = Confusion { counts };
            for score in [confusion.accuracy(), confusion.macro_f1(), confusion.balanced_accuracy()] {
                prop_assert!((0.0..=1.0).contains(&score));
            }
            prop_assert!(confusion.mcc().abs() <= 1.0 + 1e-12);
            // Gorodkin's coefficient is the same for truth and prediction exchanged.
            let column = |class: usize| counts.map(|row| row[class]);
            let exchanged = Confusion { counts: [column(0), column(1), column(2)] };
            prop_assert!((confusion.mcc() - exchanged.mcc()).abs() < 1e-12);
            prop_assert!((confusion.macro_f1() - exchanged.macro_f1()).abs() < 1e-12);
        }
    }
}
