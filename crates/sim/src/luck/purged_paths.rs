//! Combinatorial purged cross-validation: which rows train and test, and how tests join into paths.

use std::ops::Range;

use labels::splits::{combinations, test_paths};
use serde::{Deserialize, Serialize};

use crate::error::SimError;

/// 20 choose 5 and the like; each split trains a model, so no one waits for more.
const MOST_SPLITS: usize = 20_000;

/// How rows are split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurgedPathsConfig {
    /// Groups of consecutive rows; 2 or more.
    pub groups: usize,
    /// Groups that test in each split; from 1 to below `groups`.
    pub test_groups: usize,
    /// Rows that a label looks ahead: so many rows before and after each test range do not train, because their labels
    /// and the test's share bars.
    pub purge: usize,
    /// Further rows after each test range that do not train, because they follow from what the test saw.
    pub embargo: usize,
}

/// One split: rows that train and rows that test, each as ascending ranges that do not touch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgedSplit {
    /// Groups that test, ascending.
    pub test_groups: Vec<usize>,
    /// Rows that train.
    pub train: Vec<Range<usize>>,
    /// Rows that test; neighbouring groups are one range.
    pub test: Vec<Range<usize>>,
}

/// All splits, and the paths that their tests make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgedPaths {
    /// Rows of each group; the first ones have one row more where rows do not divide evenly.
    pub groups: Vec<Range<usize>>,
    /// One per choice of test groups, in lexicographic order.
    pub splits: Vec<PurgedSplit>,
    /// `paths[p][g]` is the split whose test gives group g of path p. Each path covers all rows once, and each
    /// (split, test group) is in exactly one path.
    pub paths: Vec<Vec<usize>>,
}

impl PurgedPaths {
    /// The splits and paths of `rows` rows: C(n, k) splits and k/n · C(n, k) = C(n − 1, k − 1) paths.
    ///
    /// López de Prado 2018, "Advances in financial machine learning", sections 12.4 and 7.4 (purging and embargo). A
    /// path takes, for each group, the splits that test it in order, as in figure 12.2.
    ///
    /// # Errors
    /// [`SimError::Config`] for numbers of groups that make no split or too many; [`SimError::Data`] for fewer rows than
    /// groups and where purge and embargo leave a split nothing to train on.
    pub fn new(rows: usize, config: &PurgedPathsConfig) -> Result<Self, SimError> {
        let PurgedPathsConfig { groups: count, test_groups, .. } = *config;
        if count < 2 {
            return Err(SimError::config("purged_paths.groups", count, "give 2 or more"));
        }
        if !(1..count).contains(&test_groups) {
            let remedy = "give 1 or more and fewer than groups, so that something is left to train on";
            return Err(SimError::config("purged_paths.test_groups", test_groups, remedy));
        }
        if number_of_splits(count, test_groups).is_none_or(|splits| splits > MOST_SPLITS) {
            let remedy = "these make more than 20,000 splits; give fewer groups or test groups";
            return Err(SimError::config("purged_paths.groups", count, remedy));
        }
        if rows < count {
            let problem =
                format!("{rows} of them do not fill {count} groups; give more rows or fewer groups");
            return Err(SimError::data("rows", problem));
        }
        let groups = divide(rows, count);
        let chosen = combinations(count, test_groups);
        let paths = test_paths(count, &chosen);
        let splits = chosen
            .into_iter()
            .map(|chosen| split(rows, &groups, chosen, config))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { groups, splits, paths })
    }
}

/// C(items, chosen), or nothing where it does not fit.
fn number_of_splits(items: usize, chosen: usize) -> Option<usize> {
    let mut number = 1_usize;
    for step in 1..=chosen.min(items - chosen) {
        number = number.checked_mul(items - step + 1)? / step;
        if number > MOST_SPLITS {
            return None;
        }
    }
    Some(number)
}

fn divide(rows: usize, groups: usize) -> Vec<Range<usize>> {
    let (length, longer) = (rows / groups, rows % groups);
    let mut start = 0;
    (0..groups)
        .map(|group| {
            let range = start..start + length + usize::from(group < longer);
            start = range.end;
            range
        })
        .collect()
}

fn split(
    rows: usize,
    groups: &[Range<usize>],
    test_groups: Vec<usize>,
    config: &PurgedPathsConfig,
) -> Result<PurgedSplit, SimError> {
    let mut test: Vec<Range<usize>> = Vec::new();
    for range in test_groups.iter().filter_map(|group| groups.get(*group)) {
        match test.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => test.push(range.clone()),
        }
    }
    let mut train = Vec::new();
    let mut free = 0;
    for range in &test {
        let end = range.start.saturating_sub(config.purge);
        if free < end {
            train.push(free..end);
        }
        free = range.end.saturating_add(config.purge).saturating_add(config.embargo);
    }
    if free < rows {
        train.push(free..rows);
    }
    if train.is_empty() {
        return Err(SimError::data(
            format!("split that tests groups {test_groups:?}"),
            format!(
                "purge {} and embargo {} leave none of {rows} rows to train on; give more rows or fewer test groups",
                config.purge, config.embargo
            ),
        ));
    }
    Ok(PurgedSplit { test_groups, train, test })
}
