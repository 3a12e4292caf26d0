//! Trees that are grown one after another, each on what the ones before it leave.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use hessboost::config::TreeMethod;
use hessboost::data::DMatrix;
use hessboost::metric::EvalMetric;
use hessboost::objective::Multiclass;
use hessboost::prelude::{BoostedModel, Objective, Trainer, TrainingParams};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::baseline::learned_tree::{CLASSES, check_targets, learned_tree, matrix, refused};
use crate::baseline::{Link, Table, TreeEnsemble};
use crate::error::SupervisedError;
use crate::random::generator;

/// How a [`GradientBoosting`] is grown (Chen and Guestrin 2016, "XGBoost: a scalable tree boosting system"): each
/// round grows one tree per class on the gradient of the cross-entropy of the softmax, with `2 p (1 − p)` for its second
/// derivative, as XGBoost does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GradientBoostingConfig {
    /// Rounds at most, from 1; three trees each. With validation rows the best round's model is kept.
    pub rounds: usize,
    /// Factor of each tree, above 0, up to 1. A smaller one needs more rounds and does better up to a point.
    pub learning_rate: f64,
    /// Splits on a path from the root to a leaf at most, from 1 to 16: how many columns can act together.
    pub depth: usize,
    /// Sum of second derivatives in a leaf at least, above 0. A row counts for at most ½, one of even classes for
    /// 4/9.
    pub leaf_weight: f64,
    /// L2 penalty on the values of the leaves (λ of the paper's equation 2), from 0.
    pub l2: f64,
    /// Chance of each row to be used in a round, above 0, up to 1.
    pub row_share: f64,
    /// Share of the columns that are drawn for each tree, above 0, up to 1. At least one is.
    pub column_share: f64,
    /// Intervals into which the values of a column are sorted before trees are grown, 2 to 256.
    pub bins: usize,
    /// Rounds without a better cross-entropy on the validation rows after which no more are tried, from 1. Without
    /// validation rows it has no effect.
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

    /// Grows all rounds on the rows of `table`, whose classes are `targets` (0 to 2, one per row). `progress` gets the
    /// share of rounds done, 0 to 1.
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

    /// As [`Self::fit`], but with `validation` rows and their classes only the rounds up to the one with the least
    /// cross-entropy on them are kept, and growing stops after [`Self::patience`] rounds without a better one.
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
        let training = labelled(table, targets)?;
        let validation = match validation {
            Some((rows, _)) if rows.columns() != table.columns() => {
                let reason = format!("{} columns, {} in training", rows.columns(), table.columns());
                return Err(SupervisedError::data("validation table", reason));
            }
            Some((rows, targets)) => Some(labelled(rows, targets)?),
            None => None,
        };
        let parameters = self.parameters(seed)?;
        let model = self.train(&parameters, &training, validation.as_ref(), progress)?;
        let kept = model.best_iteration().map_or(model.num_trees(), |round| (round + 1) * CLASSES);
        let outputs = model.tree_outputs();
        let grown = model.trees().iter().zip(outputs).take(kept);
        let trees = grown.map(|(tree, outputs)| learned_tree(tree, outputs.start)).collect();
        let base = model.base_scores().iter().map(|&score| f64::from(score)).collect();
        Ok(GradientBoosting {
            ensemble: TreeEnsemble::new(table.columns(), base, 1.0, Link::Softmax, trees)?,
        })
    }

    fn parameters(&self, seed: u64) -> Result<TrainingParams, SupervisedError> {
        TrainingParams::builder()
            .objective(Objective::Softprob(Multiclass::new(CLASSES).map_err(refused)?))
            .eval_metric(EvalMetric::MLogLoss)
            .tree_method(TreeMethod::Hist)
            .max_bin(self.bins)
            .max_depth(self.depth)
            .min_child_weight(self.leaf_weight)
            .lambda(self.l2)
            .eta(self.learning_rate)
            .subsample(self.row_share)
            .colsample_bytree(self.column_share)
            .seed(generator(seed, "gradient-boosting", 0).next_u64())
            .build()
            .map_err(refused)
    }

    /// Runs the rounds as a task of the caller's thread pool, while this thread hands on how far they are: the
    /// library reports from whichever thread it runs on, and `progress` need not be able to go there.
    fn train(
        &self,
        parameters: &TrainingParams,
        training: &DMatrix,
        validation: Option<&DMatrix>,
        progress: &mut dyn FnMut(f64),
    ) -> Result<BoostedModel, SupervisedError> {
        let rounds = self.rounds as f64;
        let patience = NonZeroUsize::new(self.patience);
        let (sender, receiver) = channel();
        let mut result = None;
        progress(0.0);
        rayon::in_place_scope(|scope| {
            let result = &mut result;
            scope.spawn(move |_| {
                let mut trainer = Trainer::new(parameters, training, self.rounds);
                if let (Some(validation), Some(patience)) = (validation, patience) {
                    trainer = trainer.eval(validation, "validation").early_stopping_rounds(patience);
                }
                let trained = trainer.on_round(move |round| {
                    // Fails only when nobody listens any more.
                    let _unheard = sender.send((round.iteration() + 1) as f64 / rounds);
                    ControlFlow::Continue(())
                });
                *result = Some(trained.train());
            });
            hand_on(&receiver, progress);
        });
        let lost = || SupervisedError::data("trees", "the library did not finish");
        let trained = result.ok_or_else(lost)?.map_err(refused)?;
        progress(1.0);
        Ok(trained.model)
    }
}

/// Calls `progress` with what comes in, until the sender is gone. A thread of the pool works meanwhile, so that a
/// pool of one thread comes to an end, too.
fn hand_on(receiver: &Receiver<f64>, progress: &mut dyn FnMut(f64)) {
    loop {
        match receiver.try_recv() {
            Ok(share) => progress(share),
            Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) => match rayon::yield_now() {
                Some(_) => std::thread::yield_now(),
                None => match receiver.recv() {
                    Ok(share) => progress(share),
                    Err(_) => return,
                },
            },
        }
    }
}

/// The library's table of rows with their classes.
fn labelled(table: &Table<'_>, targets: &[u8]) -> Result<DMatrix, SupervisedError> {
    check_targets(table, targets)?;
    let labels: Vec<f32> = targets.iter().map(|&target| f32::from(target)).collect();
    matrix(table)?.with_labels(&labels).map_err(refused)
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
