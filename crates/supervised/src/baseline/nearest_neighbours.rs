//! Classification by the nearest training rows.

mod search;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::table::{Table, check_targets};
use crate::error::SupervisedError;

/// How much each of the neighbours counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NeighbourWeights {
    /// All the same.
    #[default]
    Uniform,
    /// One over the distance; where a neighbour has distance 0, only those with distance 0 count.
    Distance,
}

/// How [`NearestNeighbours`] looks up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NearestNeighboursConfig {
    /// Number of neighbours, from 1. 100 by default: of noisy labels a few neighbours say next to nothing, and
    /// log-loss punishes a probability of 0.
    pub neighbours: usize,
    /// How much each counts. Uniform by default.
    pub weights: NeighbourWeights,
    /// Training rows kept at most, at least `neighbours`: row `⌊j rows / maximum⌋` for each `j`, so that they are
    /// spread evenly over the training rows. Time and memory of a prediction go with it. 50,000 by default: about
    /// a quarter of a minute for 137,000 rows of 45 columns on two cores.
    pub maximum_training_rows: usize,
}

impl Default for NearestNeighboursConfig {
    fn default() -> Self {
        Self { neighbours: 100, weights: NeighbourWeights::Uniform, maximum_training_rows: 50_000 }
    }
}

impl NearestNeighboursConfig {
    /// Refuses numbers out of range.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] names the field.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        if self.neighbours == 0 {
            return Err(SupervisedError::config("neighbours", 0, "give at least 1"));
        }
        if self.maximum_training_rows < self.neighbours || self.maximum_training_rows > u32::MAX as usize {
            let remedy = "give at least as many as `neighbours`, and fewer than 2^32";
            return Err(SupervisedError::config("maximum_training_rows", self.maximum_training_rows, remedy));
        }
        Ok(())
    }

    /// Keeps the training rows; the search is all done in [`NearestNeighbours::probabilities`]. `table` is `[rows,
    /// columns]`, `targets` `[rows]`. Distances are Euclidean: standardise the columns before. Nothing is drawn,
    /// so the seed has no effect; `progress` is told 1.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] as [`Self::validate`]; [`SupervisedError::Data`] for targets that do not fit
    /// the table and for fewer rows than neighbours.
    pub fn fit(
        &self,
        table: &Table<'_>,
        targets: &[u8],
        _seed: u64,
        progress: &mut dyn FnMut(f64),
    ) -> Result<NearestNeighbours, SupervisedError> {
        self.validate()?;
        check_targets(table, targets)?;
        let rows = table.rows();
        if rows < self.neighbours {
            let reason = format!("{rows} rows are fewer than {} neighbours", self.neighbours);
            return Err(SupervisedError::data("table", reason));
        }
        let kept = rows.min(self.maximum_training_rows);
        let mut values = Vec::with_capacity(kept * table.columns());
        let mut classes = Vec::with_capacity(kept);
        // In 128 bits, since rows × rows may exceed 64 on no machine, but 32 on some.
        for row in (0..kept).map(|at| (at as u128 * rows as u128 / kept as u128) as usize) {
            values.extend_from_slice(table.row(row));
            classes.push(targets[row]);
        }
        progress(1.0);
        Ok(NearestNeighbours {
            neighbours: self.neighbours,
            weights: self.weights,
            columns: table.columns(),
            values,
            classes,
        })
    }
}

/// The training rows, by which others are classified. Exact: it finds the same neighbours as a comparison with
/// every row would.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NearestNeighbours {
    neighbours: usize,
    weights: NeighbourWeights,
    columns: usize,
    /// `[training rows, columns]`.
    values: Vec<f32>,
    classes: Vec<u8>,
}

impl NearestNeighbours {
    /// Number of training rows kept.
    pub fn training_rows(&self) -> usize {
        self.classes.len()
    }

    /// Weighted shares of the classes among the nearest training rows, `[rows, 3]` (scikit-learn's
    /// `KNeighborsClassifier.predict_proba`). Of training rows at the same distance the earlier ones are taken.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] for other columns than those of the fit.
    pub fn probabilities(&self, table: &Table<'_>) -> Result<Vec<f32>, SupervisedError> {
        table.expect_columns(self.columns)?;
        // A stored model may have been changed by hand.
        let training = Table::new(&self.values, self.columns)?;
        check_targets(&training, &self.classes)?;
        if self.neighbours == 0 || self.neighbours > training.rows() {
            let reason = format!("{} of {} rows", self.neighbours, training.rows());
            return Err(SupervisedError::data("neighbours", reason));
        }
        let mut probabilities = vec![0.0_f32; table.rows() * 3];
        search::each_row(&training, table, self.neighbours, &mut probabilities, |nearest, out| {
            out.copy_from_slice(&self.shares(nearest).map(|share| share as f32));
        });
        Ok(probabilities)
    }

    fn shares(&self, nearest: &[search::Neighbour]) -> [f64; 3] {
        let exact = nearest.first().is_some_and(|neighbour| neighbour.squared_distance == 0.0);
        let mut sums = [0.0; 3];
        for neighbour in nearest {
            let weight = match self.weights {
                NeighbourWeights::Uniform => 1.0,
                NeighbourWeights::Distance if exact => f64::from(neighbour.squared_distance == 0.0),
                NeighbourWeights::Distance => 1.0 / neighbour.squared_distance.sqrt(),
            };
            sums[usize::from(self.classes[neighbour.row as usize])] += weight;
        }
        let all: f64 = sums.iter().sum();
        sums.map(|sum| sum / all)
    }
}

#[cfg(test)]
mod tests;
