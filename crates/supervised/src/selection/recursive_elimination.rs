//! Taking columns away as long as a model can do without them.

use serde::{Deserialize, Serialize};

use crate::error::SupervisedError;

/// How [`recursive_elimination`] goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EliminationConfig {
    /// Columns to be left, from 1. 20 by default.
    pub keep: usize,
    /// Columns taken away in each round, as a share of the columns at the start, above 0 and up to 1, and always at
    /// least one column. 0.1 by default: at most ten fits. A share of nearly nothing takes one at a time.
    pub step: f64,
}

impl Default for EliminationConfig {
    fn default() -> Self {
        Self { keep: 20, step: 0.1 }
    }
}

impl EliminationConfig {
    /// Refuses numbers out of range.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] names the field.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        if self.keep == 0 {
            return Err(SupervisedError::config("keep", 0, "keep at least one column"));
        }
        // Comparisons with NaN are false.
        if self.step > 0.0 && self.step <= 1.0 {
            return Ok(());
        }
        Err(SupervisedError::config("step", self.step, "give a share above 0 and up to 1"))
    }
}

/// One fit and what was taken away after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EliminationRound {
    /// Columns of the fit, ascending.
    pub columns: Vec<usize>,
    /// Importance of each of `columns`.
    pub importance: Vec<f64>,
    /// Columns taken away, least important first.
    pub removed: Vec<usize>,
}

/// What [`recursive_elimination`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Elimination {
    /// Columns that are left, ascending.
    pub kept: Vec<usize>,
    /// Rank of every column: 1 for those left, 2 for those taken away last, and so on; columns of one round share a
    /// rank (scikit-learn's `ranking_`).
    pub ranking: Vec<usize>,
    /// The rounds in order; none if there were no more columns than are to be left.
    pub rounds: Vec<EliminationRound>,
}

/// Fits, takes the least important columns of `0..columns` away, and fits again, until `keep` are left (Guyon, Weston,
/// Barnhill and Vapnik 2002, "Gene selection for cancer classification using support vector machines", section 2.5;
/// scikit-learn's `RFE`).
///
/// `fit_and_rank` is given the columns to fit on, ascending, and returns the importance of each, whose size counts and not its
/// unit. For a linear model of several classes that is the sum of the squared coefficients over the classes, on
/// standardised columns. Of equal importance the later column goes first. The last round takes no more than leaves
/// `keep`. Fit on training rows only, or the choice knows what it is judged by.
///
/// # Errors
/// [`SupervisedError::Config`] as [`EliminationConfig::validate`]; [`SupervisedError::Data`] for an importance that is
/// not a number or another count of them than of columns; and whatever `fit_and_rank` returns.
pub fn recursive_elimination<E: From<SupervisedError>>(
    columns: usize,
    config: &EliminationConfig,
    mut fit_and_rank: impl FnMut(&[usize]) -> Result<Vec<f64>, E>,
) -> Result<Elimination, E> {
    config.validate()?;
    let step = ((config.step * columns as f64) as usize).max(1);
    let mut left: Vec<usize> = (0..columns).collect();
    let mut rounds: Vec<EliminationRound> = Vec::new();
    while left.len() > config.keep {
        let importance = fit_and_rank(&left)?;
        check_importance(&left, &importance)?;
        let mut order: Vec<usize> = (0..left.len()).collect();
        order.sort_by(|&one, &other| importance[one].total_cmp(&importance[other]).then(other.cmp(&one)));
        let taken = step.min(left.len() - config.keep);
        let removed: Vec<usize> = order[..taken].iter().map(|&at| left[at]).collect();
        let next = left.iter().copied().filter(|column| !removed.contains(column)).collect();
        rounds.push(EliminationRound { columns: std::mem::replace(&mut left, next), importance, removed });
    }
    let mut ranking = vec![1; columns];
    for (after, round) in rounds.iter().rev().enumerate() {
        round.removed.iter().for_each(|&column| ranking[column] = after + 2);
    }
    Ok(Elimination { kept: left, ranking, rounds })
}

fn check_importance(columns: &[usize], importance: &[f64]) -> Result<(), SupervisedError> {
    if importance.len() != columns.len() {
        let reason = format!("{} values for {} columns", importance.len(), columns.len());
        return Err(SupervisedError::data("importance", reason));
    }
    match importance.iter().position(|value| value.is_nan()) {
        None => Ok(()),
        Some(at) => {
            Err(SupervisedError::data(format!("importance of column {}", columns[at]), "it is not a number"))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::baseline::{LogisticRegressionConfig, Table};

    /// What scikit-learn says; the script beside the file makes it.
    #[derive(Deserialize)]
    struct Fixture {
        columns: usize,
        train: Vec<f32>,
        targets: Vec<u8>,
        recursive_elimination: Vec<Golden>,
    }

    #[derive(Deserialize)]
    struct Golden {
        keep: usize,
        step: f64,
        ranking: Vec<usize>,
    }

    #[test]
    fn ranks_are_those_of_scikit_learn() {
        let golden: Fixture =
            serde_json::from_str(include_str!("../../tests/fixtures/tabular_baselines.json")).unwrap();
        let fit = |columns: &[usize]| {
            let rows = golden.train.chunks_exact(golden.columns);
            let values: Vec<f32> = rows.flat_map(|row| columns.iter().map(|&column| row[column])).collect();
            let table = Table::new(&values, columns.len())?;
            let config = LogisticRegressionConfig { gradient_tolerance: 1e-7, ..Default::default() };
            let model = config.fit(&table, &golden.targets, 0, &mut |_| ())?;
            let square = |column: usize| {
                (0..3).map(|class| model.coefficients()[class * columns.len() + column].powi(2)).sum()
            };
            Ok::<_, SupervisedError>((0..columns.len()).map(square).collect())
        };
        for wanted in &golden.recursive_elimination {
            let config = EliminationConfig { keep: wanted.keep, step: wanted.step };
            let seen = recursive_elimination(golden.columns, &config, fit).unwrap();
            assert_eq!(seen.ranking, wanted.ranking);
            assert_eq!(seen.kept.len(), wanted.keep);
        }
    }

    #[test]
    fn equal_columns_go_from_the_end() {
        let config = EliminationConfig { keep: 1, step: 0.4 };
        let even = |columns: &[usize]| Ok::<_, SupervisedError>(vec![1.0; columns.len()]);
        let seen = recursive_elimination(5, &config, even).unwrap();
        assert_eq!(seen.ranking, [1, 2, 2, 3, 3]);
        assert_eq!(seen.rounds[0].removed, [4, 3]);
        let few = recursive_elimination(1, &EliminationConfig::default(), even).unwrap();
        assert_eq!((few.kept, few.ranking, few.rounds), (vec![0], vec![1], vec![]));
    }

    proptest! {
        /// With an importance that does not depend on the other columns the most important ones are left.
        #[test]
        fn fixed_importance_is_sorted(
            importance in prop::collection::vec(0_u16..2000, 1..40), keep in 1_usize..40, step in 0.01..1.0_f64,
        ) {
            let fit = |columns: &[usize]| {
                Ok::<_, SupervisedError>(columns.iter().map(|&column| f64::from(importance[column])).collect())
            };
            let seen = recursive_elimination(importance.len(), &EliminationConfig { keep, step }, fit).unwrap();
            prop_assert_eq!(seen.kept.len(), keep.min(importance.len()));
            for (one, of_one) in importance.iter().enumerate() {
                for (other, of_other) in importance.iter().enumerate() {
                    prop_assert!(of_one <= of_other || seen.ranking[one] <= seen.ranking[other]);
                }
            }
            let removed: usize = seen.rounds.iter().map(|round| round.removed.len()).sum();
            prop_assert_eq!(removed + seen.kept.len(), importance.len());
        }
    }

    #[test]
    fn what_cannot_be_ranked_is_refused() {
        let bad = |keep, step, importance: Vec<f64>| {
            let fit = |_: &[usize]| Ok::<_, SupervisedError>(importance.clone());
            recursive_elimination(3, &EliminationConfig { keep, step }, fit).unwrap_err().to_string()
        };
        assert!(bad(0, 0.1, vec![]).contains("`keep` is 0"));
        assert!(bad(1, 0.0, vec![]).contains("`step` is 0"));
        assert!(bad(1, f64::NAN, vec![]).contains("`step`"));
        assert!(bad(1, 0.1, vec![1.0]).contains("1 values for 3 columns"));
        assert!(bad(1, 0.1, vec![1.0, f64::NAN, 0.0]).contains("importance of column 1"));
        let stopped = recursive_elimination(3, &EliminationConfig { keep: 1, step: 0.1 }, |_| {
            Err::<Vec<f64>, _>(SupervisedError::data("fit", "stopped"))
        });
        assert!(stopped.unwrap_err().to_string().contains("stopped"));
    }
}
