//! Trees that are grown one after another, each on what the ones before it leave.

use rand::RngExt;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::baseline::binned::BinnedTable;
use crate::baseline::gradient_tree::{GradientTreeMemory, GradientTreeRule, grow_gradient_tree};
use crate::baseline::histogram::GradientRow;
use crate::baseline::margins::Margins;
use crate::baseline::targets::{CLASSES, check_targets};
use crate::baseline::{Link, Table, Tree, TreeEnsemble};
use crate::error::SupervisedError;
use crate::random::generator;

/// How a [`GradientBoosting`] is grown (Chen and Guestrin 2016, "XGBoost: a scalable tree boosting system"):
/// each round grows one tree per class on the gradient of the cross-entropy of the softmax, with
/// `2 p (1 − p)` for its second derivative, as XGBoost does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GradientBoostingConfig {
    /// Rounds at most, from 1; three trees each. With validation rows the best round's model is kept.
    pub rounds: usize,
    /// Factor of each tree, above 0, up to 1. A smaller one needs more rounds and does better up to a point.
    pub learning_rate: f64,
    /// Splits on a path from the root to a leaf at most, from 1 to 16: how many columns can act together.
    pub depth: usize,
    /// Sum of second derivatives in a leaf at least, above 0. A row counts for at most ½, one of even classes
    /// for 4/9.
    pub leaf_weight: f64,
    /// L2 penalty on the values of the leaves (λ of the paper's equation 2), from 0.
    pub l2: f64,
    /// Share of the rows that are drawn for each round without replacement, above 0, up to 1. At least one
    /// is.
    pub row_share: f64,
    /// Share of the columns that are drawn for each tree, above 0, up to 1. At least one is.
    pub column_share: f64,
    /// Intervals into which the values of a column are sorted before trees are grown, 2 to 256.
    pub bins: usize,
    /// Rounds without a better cross-entropy on the validation rows after which no more are tried, from 1.
    /// Without validation rows it has no effect.
    pub patience: usize,
}

impl Default for GradientBoostingConfig {
    fn default() -> Self {
        Self {
            rounds: 200,
            learning_rate: 0.05,
            depth: 6,
            leaf_weight: 20.0,
            l2: 1.0,
            row_share: 0.8,
            column_share: 0.8,
            bins: 256,
            patience: 20,
        }
    }
}

impl GradientBoostingConfig {
    /// Refuses values beyond the ranges that are given at the fields.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] names the field.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        let refuse = |field: &str, value: &dyn ToString, remedy: &str| {
            Err(SupervisedError::config(field, value.to_string(), remedy))
        };
        if self.rounds == 0 {
            return refuse("rounds", &self.rounds, "give the number of rounds, from 1");
        }
        if !(1..=16).contains(&self.depth) {
            return refuse("depth", &self.depth, "give a depth from 1 to 16");
        }
        if !(self.leaf_weight > 0.0 && self.leaf_weight.is_finite()) {
            return refuse("leaf_weight", &self.leaf_weight, "give a number above 0");
        }
        if !(self.l2 >= 0.0 && self.l2.is_finite()) {
            return refuse("l2", &self.l2, "give a number from 0");
        }
        let shares = [
            ("learning_rate", self.learning_rate),
            ("row_share", self.row_share),
            ("column_share", self.column_share),
        ];
        for (field, value) in shares {
            if !(value > 0.0 && value <= 1.0) {
                return refuse(field, &value, "give a number above 0, up to 1");
            }
        }
        if !(2..=256).contains(&self.bins) {
            return refuse("bins", &self.bins, "give a number from 2 to 256");
        }
        if self.patience == 0 {
            return refuse("patience", &self.patience, "give a number of rounds from 1");
        }
        Ok(())
    }

    /// Grows all rounds on the rows of `table`, whose classes are `targets` (0 to 2, one per row). `progress`
    /// gets the share of rounds done, 0 to 1.
    ///
    /// The model is the same for any number of threads.
    ///
    /// # Errors
    /// As [`Self::fit_with_validation`].
    pub fn fit(
        &self,
        table: &Table<'_>,
        targets: &[u8],
        seed: u64,
        progress: &mut dyn FnMut(f64),
    ) -> Result<GradientBoosting, SupervisedError> {
        self.fit_with_validation(table, targets, None, seed, progress)
    }

    /// As [`Self::fit`], but with `validation` rows and their classes only the rounds up to the one with the
    /// least cross-entropy on them are kept, and growing stops after [`Self::patience`] rounds without a
    /// better one.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] as [`Self::validate`]; [`SupervisedError::Data`] for targets that do not fit, and
    /// for validation rows of other columns.
    pub fn fit_with_validation(
        &self,
        table: &Table<'_>,
        targets: &[u8],
        validation: Option<(&Table<'_>, &[u8])>,
        seed: u64,
        progress: &mut dyn FnMut(f64),
    ) -> Result<GradientBoosting, SupervisedError> {
        self.validate()?;
        check_targets(table, targets)?;
        if let Some((rows, targets)) = validation {
            if rows.columns() != table.columns() {
                let reason = format!("{} columns, {} in training", rows.columns(), table.columns());
                return Err(SupervisedError::data("validation table", reason));
            }
            check_targets(rows, targets)?;
        }
        progress(0.0);
        let base = base_margins(targets);
        let mut rounds = Rounds::new(self, table, targets, base, seed);
        let mut validation = validation.map(|(rows, targets)| (Margins::new(rows, base), targets));
        let mut trees = Vec::new();
        let (mut best_loss, mut best_round) = (f64::INFINITY, 0);
        for round in 0..self.rounds {
            let grown = rounds.next();
            if let Some((margins, targets)) = &mut validation {
                margins.add(&grown);
                let loss = margins.cross_entropy(targets);
                if loss < best_loss {
                    (best_loss, best_round) = (loss, round);
                }
            }
            trees.extend(grown);
            progress((round + 1) as f64 / self.rounds as f64);
            if validation.is_some() && round - best_round >= self.patience {
                break;
            }
        }
        if validation.is_some() {
            trees.truncate((best_round + 1) * CLASSES);
        }
        progress(1.0);
        let ensemble = TreeEnsemble::new(table.columns(), base.to_vec(), 1.0, Link::Softmax, trees)?;
        Ok(GradientBoosting { ensemble })
    }
}

/// Logarithms of the classes' shares, shifted so that they sum to 0, as XGBoost starts from them. A millionth
/// is added to each share, for a class that does not occur.
fn base_margins(targets: &[u8]) -> [f64; CLASSES] {
    let mut counts = [0_usize; CLASSES];
    targets.iter().for_each(|&target| counts[usize::from(target)] += 1);
    let logarithms = counts.map(|count| (count as f64 / targets.len() as f64 + 1e-6).ln());
    let mean = logarithms.iter().sum::<f64>() / CLASSES as f64;
    logarithms.map(|logarithm| logarithm - mean)
}

/// The rounds of a fit and what they share.
struct Rounds<'a> {
    config: &'a GradientBoostingConfig,
    targets: &'a [u8],
    binned: BinnedTable,
    margins: Margins<'a>,
    seed: u64,
    round: u64,
    /// The rows of this round in ascending order.
    drawn: Vec<u32>,
    /// One per class.
    memory: Vec<GradientTreeMemory>,
}

impl<'a> Rounds<'a> {
    fn new(
        config: &'a GradientBoostingConfig,
        table: &Table<'a>,
        targets: &'a [u8],
        base: [f64; CLASSES],
        seed: u64,
    ) -> Self {
        let binned = BinnedTable::new(table, config.bins);
        let margins = Margins::new(table, base);
        let memory = (0..CLASSES).map(|_| GradientTreeMemory::default()).collect();
        Self { config, targets, binned, margins, seed, round: 0, drawn: vec![], memory }
    }

    /// Grows one tree per class and adds them to the margins.
    fn next(&mut self) -> Vec<Tree> {
        let config = self.config;
        let mut rng = generator(self.seed, "gradient-boosting-rows", self.round);
        draw(self.targets.len(), config.row_share * self.targets.len() as f64, &mut self.drawn, &mut rng);
        let rule = GradientTreeRule {
            depth: config.depth,
            leaf_weight: config.leaf_weight,
            l2: config.l2,
            learning_rate: config.learning_rate,
        };
        let (binned, margins, seed, round) = (&self.binned, &self.margins, self.seed, self.round);
        let (drawn, targets) = (&self.drawn, self.targets);
        let classes = self.memory.par_iter_mut().enumerate();
        let trees: Vec<Tree> = classes
            .map(|(class, memory)| {
                let derivatives = |&row: &u32| {
                    let share = margins.share(row as usize, class);
                    derivatives(row, share, usize::from(targets[row as usize]) == class)
                };
                drawn.par_iter().map(derivatives).collect_into_vec(&mut memory.rows);
                let number = round * CLASSES as u64 + class as u64;
                let mut rng = generator(seed, "gradient-boosting-columns", number);
                let mut columns = vec![];
                draw(binned.columns(), config.column_share * binned.columns() as f64, &mut columns, &mut rng);
                grow_gradient_tree(binned, &columns, &rule, memory, class)
            })
            .collect();
        self.margins.add(&trees);
        self.round += 1;
        trees
    }
}

/// Derivatives of the cross-entropy of the softmax by the margin of a class that has `share`. The second one
/// is twice the exact one and never 0, as in XGBoost (`SoftmaxMultiClassObj`).
fn derivatives(row: u32, share: f64, is_target: bool) -> GradientRow {
    let gradient = share - f64::from(u8::from(is_target));
    let hessian = (2.0 * share * (1.0 - share)).max(1e-16);
    GradientRow { row, gradient: gradient as f32, hessian: hessian as f32 }
}

/// Fills `drawn` with `count` of the numbers below `of`, rounded down but at least one, in ascending order:
/// selection sampling (Knuth, "The art of computer programming", volume 2, section 3.4.2, algorithm S).
fn draw(of: usize, count: f64, drawn: &mut Vec<u32>, rng: &mut impl rand::Rng) {
    let count = (count as usize).clamp(1, of);
    drawn.clear();
    for number in 0..of {
        if rng.random_range(0..of - number) < count - drawn.len() {
            drawn.push(number as u32);
        }
    }
}

/// A boosted model: the softmax of the summed trees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GradientBoosting {
    ensemble: TreeEnsemble,
}

impl GradientBoosting {
    /// Class probabilities, row-major `[rows, 3]`.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] for a table of other columns.
    pub fn probabilities(&self, table: &Table<'_>) -> Result<Vec<f32>, SupervisedError> {
        self.ensemble.probabilities(table)
    }

    /// Number of rounds in the model.
    pub fn rounds(&self) -> usize {
        self.ensemble.trees().len() / CLASSES
    }

    /// The trees, to be explained; their outputs are margins before the softmax.
    pub fn ensemble(&self) -> &TreeEnsemble {
        &self.ensemble
    }

    /// Share of the columns in the total gain, as [`TreeEnsemble::importance`].
    pub fn importance(&self) -> Vec<f64> {
        self.ensemble.importance()
    }
}
