//! What "choose the setting that was best" is worth on data that had no part in the choice, over
//! combinatorial purged paths.

use std::ops::Range;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::bootstrap::Statistic;
use super::overfitting::{Degradation, common_length, degradation_line};
use super::purged_paths::{PurgedPaths, PurgedPathsConfig, PurgedSplit};
use crate::error::SimError;
use crate::monte_carlo::Quantiles;

/// The choice that one split leads to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitChoice {
    /// Groups that test, ascending.
    pub test_groups: Vec<usize>,
    /// The trial with the highest criterion on the training rows, the first of equals.
    pub trial: usize,
    /// Its criterion on the training rows, per row.
    pub train: f64,
    /// Its criterion on the test rows, per row.
    pub test: f64,
}

/// One path over all rows, each group traded with the choice of a split that did not train on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelectionPath {
    /// The trial that is traded in each group.
    pub trials: Vec<usize>,
    /// Sharpe ratio over all rows, per row; 0 where nothing moves.
    pub sharpe: f64,
    /// Compounded return over all rows, as a fraction.
    pub total_return: f64,
}

/// Distribution of what choosing the best leads to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelectionPaths {
    /// One per choice of test groups, in lexicographic order.
    pub splits: Vec<SplitChoice>,
    /// C(n − 1, k − 1) of them.
    pub paths: Vec<SelectionPath>,
    /// Sharpe ratio of the paths, per row.
    pub sharpe: Quantiles,
    /// Mean of the paths' Sharpe ratios, per row.
    pub mean_sharpe: f64,
    /// Compounded return of the paths.
    pub total_return: Quantiles,
    /// Share of the paths whose compounded return is below 0.
    pub share_of_losing_paths: f64,
    /// Mean criterion of the choices on their training rows, per row.
    pub mean_train: f64,
    /// Mean criterion of the same choices on their test rows; how far it is below `mean_train` is what the
    /// choice flatters.
    pub mean_test: f64,
    /// Least-squares line of the test criterion on the training one, over the splits; absent where the latter
    /// are all equal.
    pub degradation: Option<Degradation>,
    /// How often each trial was chosen, as a share of the splits.
    pub chosen: Vec<f64>,
}

/// Chooses the best of `trials` on the training rows of each split, takes its returns on the test rows, and
/// joins them into paths (López de Prado 2018, "Advances in financial machine learning", sections 12.3 and
/// 12.4).
///
/// `trials[n]` holds the returns per row (simple, per day) of trial n, all of length T (`[trials, rows]`),
/// from one run over all rows: what is chosen anew is the setting, nothing is fitted here. `purge` should be
/// no less than the rows that a setting's positions and look-back reach, or training rows next to a test see
/// the same prices. Paths share rows, so that their spread says how much the choice matters and not how
/// uncertain the future is.
///
/// A trial that does not move over some rows has a criterion of 0 there.
///
/// # Errors
/// [`SimError::Config`] and [`SimError::Data`] as of [`PurgedPaths::new`]; [`SimError::Data`] below two
/// trials, for unequal lengths, numbers that are not finite, a return of −100 % or less, fewer than two rows
/// in a group or to train on, and returns that are constant but not 0 where a Sharpe ratio is needed.
pub fn selection_paths(
    trials: &[Vec<f64>],
    criterion: Statistic,
    config: &PurgedPathsConfig,
) -> Result<SelectionPaths, SimError> {
    let rows = common_length(trials)?;
    for (number, trial) in trials.iter().enumerate() {
        if let Some(at) = trial.iter().position(|value| *value <= -1.0) {
            let problem =
                format!("row {at} lost everything, and nothing compounds after it; leave the trial out");
            return Err(SimError::data(format!("trial {number}"), problem));
        }
    }
    let purged = PurgedPaths::new(rows, config)?;
    let splits = purged
        .splits
        .par_iter()
        .map(|split| choose(trials, criterion, split))
        .collect::<Vec<_>>()
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    let paths = purged
        .paths
        .iter()
        .map(|path| join(trials, &purged.groups, path, &splits))
        .collect::<Result<Vec<_>, _>>()?;
    summary(splits, paths, trials.len())
}

fn choose(trials: &[Vec<f64>], criterion: Statistic, split: &PurgedSplit) -> Result<SplitChoice, SimError> {
    let mut best: Option<(usize, f64)> = None;
    for (number, trial) in trials.iter().enumerate() {
        let found = judge(number, trial, &split.train, criterion)?;
        if best.is_none_or(|(_, highest)| found > highest) {
            best = Some((number, found));
        }
    }
    // There are two trials or more.
    let (trial, train) = best.unwrap_or_default();
    let test = trials.get(trial).map_or(Ok(0.0), |returns| judge(trial, returns, &split.test, criterion))?;
    Ok(SplitChoice { test_groups: split.test_groups.clone(), trial, train, test })
}

/// The criterion of a trial over some rows.
fn judge(number: usize, trial: &[f64], rows: &[Range<usize>], criterion: Statistic) -> Result<f64, SimError> {
    let returns: Vec<f64> =
        rows.iter().flat_map(|range| trial.get(range.clone()).unwrap_or_default()).copied().collect();
    let of = || format!("trial {number} over rows {rows:?}");
    if returns.len() < 2 {
        return Err(SimError::data(of(), "fewer than two rows; give more rows, or fewer groups"));
    }
    match criterion {
        Statistic::Mean => Ok(returns.iter().sum::<f64>() / returns.len() as f64),
        Statistic::Sharpe if returns.iter().all(|value| *value == 0.0) => Ok(0.0),
        Statistic::Sharpe => {
            super::sharpe_ratio(&returns).map_err(|error| SimError::data(of(), error.to_string()))
        }
    }
}

fn join(
    trials: &[Vec<f64>],
    groups: &[Range<usize>],
    path: &[usize],
    splits: &[SplitChoice],
) -> Result<SelectionPath, SimError> {
    let chosen: Vec<usize> =
        path.iter().filter_map(|split| splits.get(*split)).map(|split| split.trial).collect();
    let returns: Vec<f64> = groups
        .iter()
        .zip(&chosen)
        .filter_map(|(rows, trial)| trials.get(*trial)?.get(rows.clone()))
        .flatten()
        .copied()
        .collect();
    let sharpe = if returns.iter().all(|value| *value == 0.0) { 0.0 } else { super::sharpe_ratio(&returns)? };
    let total_return = returns.iter().map(|value| value.ln_1p()).sum::<f64>().exp_m1();
    Ok(SelectionPath { trials: chosen, sharpe, total_return })
}

fn summary(
    splits: Vec<SplitChoice>,
    paths: Vec<SelectionPath>,
    trials: usize,
) -> Result<SelectionPaths, SimError> {
    let none = || SimError::data("paths", "there is none; give two groups or more");
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let of_splits = |value: fn(&SplitChoice) -> f64| splits.iter().map(value).collect::<Vec<f64>>();
    let of_paths = |value: fn(&SelectionPath) -> f64| paths.iter().map(value).collect::<Vec<f64>>();
    let (train, test) = (of_splits(|split| split.train), of_splits(|split| split.test));
    let sharpes = of_paths(|path| path.sharpe);
    let losing = paths.iter().filter(|path| path.total_return < 0.0).count();
    let chosen = (0..trials)
        .map(|trial| splits.iter().filter(|split| split.trial == trial).count() as f64 / splits.len() as f64)
        .collect();
    Ok(SelectionPaths {
        mean_sharpe: mean(&sharpes),
        sharpe: Quantiles::of(sharpes).ok_or_else(none)?,
        total_return: Quantiles::of(of_paths(|path| path.total_return)).ok_or_else(none)?,
        share_of_losing_paths: losing as f64 / paths.len() as f64,
        mean_train: mean(&train),
        mean_test: mean(&test),
        degradation: degradation_line(&train, &test),
        chosen,
        splits,
        paths,
    })
}
