//! Models that look at no input.

use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::table::Table;
use crate::error::SupervisedError;
use crate::prediction_rows::{check_class, check_row_counts, class_of_highest};
use crate::random::generator;

fn class_shares(targets: &[u8]) -> Result<[f64; 3], SupervisedError> {
    check_row_counts("targets", targets.len(), "targets", targets.len())?;
    let mut counts = [0_u64; 3];
    for (row, &class) in targets.iter().enumerate() {
        check_class("targets", row, class)?;
        counts[usize::from(class)] += 1;
    }
    Ok(counts.map(|count| count as f64 / targets.len() as f64))
}

fn repeated(shares: [f64; 3], rows: usize) -> Vec<f32> {
    shares.map(|share| share as f32).repeat(rows)
}

/// Always the most frequent class of the training rows (scikit-learn's `DummyClassifier(strategy="prior")`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Majority {
    shares: [f64; 3],
}

impl Majority {
    /// Learns the class shares of `targets` (`[rows]`, classes 0, 1, 2).
    ///
    /// # Errors
    /// [`SupervisedError::Data`] for no rows and for a class other than 0, 1, 2.
    pub fn fit(targets: &[u8]) -> Result<Self, SupervisedError> {
        Ok(Self { shares: class_shares(targets)? })
    }

    /// Class shares of the training rows.
    pub fn shares(&self) -> [f64; 3] {
        self.shares
    }

    /// The shares for each row, `[rows, 3]`.
    ///
    /// # Errors
    /// None; the signature is that of every model.
    pub fn probabilities(&self, table: &Table<'_>) -> Result<Vec<f32>, SupervisedError> {
        Ok(repeated(self.shares, table.rows()))
    }

    /// The most frequent class for each of `rows`; of equally frequent ones Hold before Sell before Buy.
    pub fn classes(&self, rows: usize) -> Vec<u8> {
        vec![class_of_highest(self.shares); rows]
    }
}

/// Classes drawn in the proportions of the training rows (scikit-learn's
/// `DummyClassifier(strategy="stratified")`), with the shares themselves as probabilities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StratifiedRandom {
    shares: [f64; 3],
    seed: u64,
}

impl StratifiedRandom {
    /// Learns the class shares of `targets` (`[rows]`, classes 0, 1, 2); `seed` is that of the draws.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] for no rows and for a class other than 0, 1, 2.
    pub fn fit(targets: &[u8], seed: u64) -> Result<Self, SupervisedError> {
        Ok(Self { shares: class_shares(targets)?, seed })
    }

    /// Class shares of the training rows.
    pub fn shares(&self) -> [f64; 3] {
        self.shares
    }

    /// The shares for each row, `[rows, 3]`.
    ///
    /// # Errors
    /// None; the signature is that of every model.
    pub fn probabilities(&self, table: &Table<'_>) -> Result<Vec<f32>, SupervisedError> {
        Ok(repeated(self.shares, table.rows()))
    }

    /// A class for each of `rows`, drawn one after the other: the first rows do not depend on how many follow.
    /// A class without a training row is never drawn.
    pub fn classes(&self, rows: usize) -> Vec<u8> {
        let mut rng = generator(self.seed, "stratified-random", 0);
        let [sell, hold, _] = self.shares;
        // The last class that occurs takes what rounding leaves of 1.
        let last = if self.shares[2] > 0.0 { 2 } else { u8::from(hold > 0.0) };
        let draw = |_| match rng.random::<f64>() {
            below if below < sell => 0,
            below if below < sell + hold => 1,
            _ => last,
        };
        (0..rows).map(draw).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn majority_takes_the_most_frequent_class() {
        let model = Majority::fit(&[2, 0, 2, 1]).unwrap();
        assert_eq!(model.classes(3), [2, 2, 2]);
        let table = Table::new(&[1.0, 2.0], 1).unwrap();
        assert_eq!(model.probabilities(&table).unwrap(), [0.25, 0.25, 0.5, 0.25, 0.25, 0.5]);
        assert_eq!(Majority::fit(&[0, 1, 2]).unwrap().classes(1), [1]);
        assert_eq!(Majority::fit(&[0, 2]).unwrap().classes(1), [0]);
    }

    #[test]
    fn draws_come_in_the_proportions_of_the_training_rows() {
        let targets = [[0_u8; 20].as_slice(), &[1; 50], &[2; 30]].concat();
        let model = StratifiedRandom::fit(&targets, 7).unwrap();
        let classes = model.classes(60_000);
        for (class, share) in [0.2, 0.5, 0.3].into_iter().enumerate() {
            let seen = classes.iter().filter(|&&drawn| usize::from(drawn) == class).count() as f64 / 60_000.0;
            // Five standard deviations of a share are at most 0.0102.
            assert!((seen - share).abs() < 0.0103, "{class}: {seen}");
        }
        assert_eq!(model.classes(10), classes[..10]);
        assert_ne!(StratifiedRandom::fit(&targets, 8).unwrap().classes(100), classes[..100]);
        // Neighbours in the draw are independent: the pairs, too, come in their proportions.
        let pairs = classes.windows(2).filter(|pair| pair == &[1, 1]).count() as f64 / 59_999.0;
        assert!((pairs - 0.25).abs() < 0.012, "{pairs}");
    }

    #[test]
    fn a_class_that_never_occurred_is_never_drawn() {
        for (targets, absent) in [([0_u8, 1], 2), ([0, 2], 1), ([1, 2], 0)] {
            let classes = StratifiedRandom::fit(&targets, 1).unwrap().classes(1000);
            assert!(!classes.contains(&absent));
            assert!(targets.iter().all(|class| classes.contains(class)));
        }
        assert_eq!(StratifiedRandom::fit(&[0, 0], 1).unwrap().classes(3), [0, 0, 0]);
    }

    #[test]
    fn bad_targets_are_refused_and_models_stored() {
        assert!(Majority::fit(&[]).unwrap_err().to_string().contains("no rows"));
        assert!(StratifiedRandom::fit(&[0, 3], 0).unwrap_err().to_string().contains("row 1"));
        let model = StratifiedRandom::fit(&[0, 1, 1], 5).unwrap();
        let text = serde_json::to_string(&model).unwrap();
        assert_eq!(serde_json::from_str::<StratifiedRandom>(&text).unwrap(), model);
    }
}
