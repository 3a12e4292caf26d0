//! A forest of trees on resampled rows.

use hessboost::config::{MultiStrategy, TreeMethod};
use hessboost::data::{DMatrix, ViewCuts};
use hessboost::objective::RegLoss;
use hessboost::prelude::{Objective, TrainingParams, train};
use rand::{Rng, RngExt};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::baseline::learned_tree::{CLASSES, check_targets, learned_tree, matrix, refused};
use crate::baseline::{Link, Table, Tree, TreeEnsemble};
use crate::error::SupervisedError;
use crate::random::generator;

/// Trees between two reports of progress, which are grown at the same time.
const TREES_AT_ONCE: usize = 8;

/// How a [`RandomForest`] is grown (Breiman 2001, "Random forests", Machine Learning 45).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RandomForestConfig {
    /// Number of trees, from 1. More trees take more time and memory and only lower the noise of the mean.
    pub trees: usize,
    /// Splits on a path from the root to a leaf at most, from 1 to 30. The default bounds time and memory on rows of
    /// which little can be learnt; trees that are grown out reproduce the noise of the labels.
    pub depth: usize,
    /// Rows of the resample in a leaf at least, from 1. The default keeps the error of a leaf's shares below 7 %.
    pub leaf_rows: usize,
    /// Columns that are drawn for each split, from 1; those of the table at most. Without it the square root of
    /// their number, rounded down, as is usual for classification.
    pub split_columns: Option<usize>,
    /// Rows that are drawn for each tree with replacement, as a share of all: above 0, up to 1. 1 is Breiman's
    /// bootstrap.
    pub row_share: f64,
    /// Intervals into which the values of a column are sorted before trees are grown, 2 to 256. With few, splits are
    /// coarse; time and memory of a small node are proportional to them.
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

    /// Grows a forest on all rows of `table`, whose classes are `targets` (0 to 2, one per row). `progress` gets the
    /// share of trees grown, 0 to 1.
    ///
    /// Splits maximise the decrease in Gini impurity. To the library that is the squared error of the three
    /// indicators of the classes, which is the same number, and the mean of the indicators is a leaf's shares of the classes.
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
        let source =
            matrix(table)?.with_label_matrix(&class_indicators(targets), CLASSES).map_err(refused)?;
        let mut trees = Vec::with_capacity(self.trees);
        while trees.len() < self.trees {
            let batch = trees.len()..self.trees.min(trees.len() + TREES_AT_ONCE);
            let grown: Result<Vec<Tree>, _> =
                batch.into_par_iter().map(|tree| self.grow(&source, split_columns, seed, tree)).collect();
            trees.append(&mut grown?);
            progress(trees.len() as f64 / self.trees as f64);
        }
        let weight = 1.0 / self.trees as f64;
        let ensemble = TreeEnsemble::new(table.columns(), vec![0.0; CLASSES], weight, Link::Identity, trees)?;
        Ok(RandomForest { ensemble })
    }

    /// Tree number `tree`, on rows drawn for it alone.
    fn grow(
        &self,
        source: &DMatrix,
        split_columns: usize,
        seed: u64,
        tree: usize,
    ) -> Result<Tree, SupervisedError> {
        let mut rng = generator(seed, "random-forest", tree as u64);
        let rows = drawn_rows(source.n_rows(), self.row_share, &mut rng);
        let sample = source.select_rows_with_cuts(&rows, ViewCuts::Source).map_err(refused)?;
        // The library rounds the product down; half a column keeps it from losing one.
        let column_share = (split_columns as f64 + 0.5) / source.n_cols() as f64;
        let parameters = TrainingParams::builder()
            .objective(Objective::SquaredError(RegLoss::default()))
            .multi_strategy(MultiStrategy::MultiOutputTree)
            .tree_method(TreeMethod::Hist)
            .max_bin(self.bins)
            .max_depth(self.depth)
            .min_child_weight(self.leaf_rows as f64)
            .colsample_bynode(column_share.min(1.0))
            .base_score(0.0)
            .eta(1.0)
            .lambda(0.0)
            .seed(rng.next_u64())
            .build()
            .map_err(refused)?;
        let model = train(&parameters, &sample, 1).map_err(refused)?;
        let missing = || SupervisedError::data(format!("tree {tree}"), "it was not grown");
        model.trees().first().map(|grown| learned_tree(grown, 0)).ok_or_else(missing)
    }
}

/// `[rows, 3]`: 1 for a row's class, 0 for the others.
fn class_indicators(targets: &[u8]) -> Vec<f32> {
    let mut indicators = vec![0.0; targets.len() * CLASSES];
    for (indicators, &target) in indicators.chunks_exact_mut(CLASSES).zip(targets) {
        indicators[usize::from(target)] = 1.0;
    }
    indicators
}

/// Rows drawn with replacement, in order: a tree does not depend on it, and memory is read forwards.
fn drawn_rows(rows: usize, share: f64, rng: &mut impl Rng) -> Vec<usize> {
    let drawn = ((rows as f64 * share).round() as usize).max(1);
    let mut counts = vec![0_u32; rows];
    for _ in 0..drawn {
        counts[rng.random_range(0..rows)] += 1;
    }
    let repeated = |(row, &count): (usize, &u32)| std::iter::repeat_n(row, count as usize);
    counts.iter().enumerate().flat_map(repeated).collect()
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
