//! A forest of trees on resampled rows.

use rand::{Rng, RngExt};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::baseline::binned::BinnedTable;
use crate::baseline::class_tree::{ClassTreeRule, grow_class_tree};
use crate::baseline::histogram::ClassRow;
use crate::baseline::targets::{CLASSES, check_targets};
use crate::baseline::{Link, Table, Tree, TreeEnsemble};
use crate::error::SupervisedError;
use crate::random::generator;

/// Trees between two reports of progress, which are grown at the same time.
const TREES_AT_ONCE: usize = 8;

/// How a [`RandomForest`] is grown (Breiman 2001, "Random forests", Machine Learning 45).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RandomForestConfig {
    /// Number of trees, from 1. More trees take more time and memory and only lower the noise of the mean.
    pub trees: usize,
    /// Splits on a path from the root to a leaf at most, from 1 to 30. The default bounds time and memory on
    /// rows of which little can be learnt; trees that are grown out reproduce the noise of the labels.
    pub depth: usize,
    /// Rows of the resample in a leaf at least, from 1. The default keeps the error of a leaf's shares below
    /// 7 %.
    pub leaf_rows: usize,
    /// Columns that are drawn for each split, from 1; those of the table at most. Without it the square root
    /// of their number, rounded down, as is usual for classification.
    pub split_columns: Option<usize>,
    /// Rows that are drawn for each tree with replacement, as a share of all: above 0, up to 1. 1 is
    /// Breiman's bootstrap.
    pub row_share: f64,
    /// Intervals into which the values of a column are sorted before trees are grown, 2 to 256. With few,
    /// splits are coarse; time and memory of a small node are proportional to them.
    pub bins: usize,
}

impl Default for RandomForestConfig {
    fn default() -> Self {
        Self { trees: 100, depth: 12, leaf_rows: 50, split_columns: None, row_share: 1.0, bins: 64 }
    }
}

impl RandomForestConfig {
    /// Refuses values beyond the ranges that are given at the fields.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] names the field.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        let refuse = |field: &str, value: &dyn ToString, remedy: &str| {
            Err(SupervisedError::config(field, value.to_string(), remedy))
        };
        if self.trees == 0 {
            return refuse("trees", &self.trees, "give the number of trees, from 1");
        }
        if !(1..=30).contains(&self.depth) {
            return refuse("depth", &self.depth, "give a depth from 1 to 30");
        }
        if self.leaf_rows == 0 {
            return refuse("leaf_rows", &self.leaf_rows, "give a number of rows from 1");
        }
        if self.split_columns == Some(0) {
            return refuse("split_columns", &0, "give a number of columns from 1, or leave it out");
        }
        if !(self.row_share > 0.0 && self.row_share <= 1.0) {
            return refuse("row_share", &self.row_share, "give a share above 0, up to 1");
        }
        if !(2..=256).contains(&self.bins) {
            return refuse("bins", &self.bins, "give a number from 2 to 256");
        }
        Ok(())
    }

    /// Grows a forest on all rows of `table`, whose classes are `targets` (0 to 2, one per row). `progress`
    /// gets the share of trees grown, 0 to 1.
    ///
    /// Splits maximise the decrease in Gini impurity over columns that are drawn for each of them; a leaf
    /// holds its rows' shares of the classes.
    ///
    /// The forest is the same for any number of threads.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] as [`Self::validate`], and for more split columns than the table has;
    /// [`SupervisedError::Data`] for targets that do not fit.
    pub fn fit(
        &self,
        table: &Table<'_>,
        targets: &[u8],
        seed: u64,
        progress: &mut dyn FnMut(f64),
    ) -> Result<RandomForest, SupervisedError> {
        self.validate()?;
        check_targets(table, targets)?;
        let split_columns = self.split_columns.unwrap_or_else(|| table.columns().isqrt());
        if split_columns > table.columns() {
            let remedy = format!("the table has {} columns", table.columns());
            return Err(SupervisedError::config("split_columns", split_columns, &remedy));
        }
        progress(0.0);
        let binned = BinnedTable::new(table, self.bins);
        let rule = ClassTreeRule { depth: self.depth, leaf_rows: self.leaf_rows, split_columns };
        let grow = |tree: usize| {
            let mut rng = generator(seed, "random-forest", tree as u64);
            let mut rows = drawn_rows(targets, self.row_share, &mut rng);
            grow_class_tree(&binned, &rule, &mut rows, &mut rng)
        };
        let mut trees: Vec<Tree> = Vec::with_capacity(self.trees);
        while trees.len() < self.trees {
            let batch = trees.len()..self.trees.min(trees.len() + TREES_AT_ONCE);
            trees.par_extend(batch.into_par_iter().map(grow));
            progress(trees.len() as f64 / self.trees as f64);
        }
        let weight = 1.0 / self.trees as f64;
        let ensemble = TreeEnsemble::new(table.columns(), vec![0.0; CLASSES], weight, Link::Identity, trees)?;
        Ok(RandomForest { ensemble })
    }
}

/// Rows drawn with replacement, each once with the times that it was drawn, in order: memory is read
/// forwards.
fn drawn_rows(targets: &[u8], share: f64, rng: &mut impl Rng) -> Vec<ClassRow> {
    let rows = targets.len();
    let drawn = ((rows as f64 * share).round() as usize).max(1);
    let mut counts = vec![0_u32; rows];
    for _ in 0..drawn {
        counts[rng.random_range(0..rows)] += 1;
    }
    let drawn = counts.iter().zip(targets).enumerate().filter(|(_, (times, _))| **times > 0);
    drawn.map(|(row, (&times, &class))| ClassRow::new(row as u32, class, times)).collect()
}

/// A grown forest: the mean of its trees' shares of the classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomForest {
    ensemble: TreeEnsemble,
}

impl RandomForest {
    /// Class probabilities, row-major `[rows, 3]`.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] for a table of other columns.
    pub fn probabilities(&self, table: &Table<'_>) -> Result<Vec<f32>, SupervisedError> {
        self.ensemble.probabilities(table)
    }

    /// The trees, to be explained; their outputs are probabilities.
    pub fn ensemble(&self) -> &TreeEnsemble {
        &self.ensemble
    }

    /// Mean decrease in impurity by column, as [`TreeEnsemble::importance`].
    pub fn importance(&self) -> Vec<f64> {
        self.ensemble.importance()
    }
}
