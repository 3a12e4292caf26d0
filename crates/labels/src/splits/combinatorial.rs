//! Combinatorial purged cross-validation.

use serde::{Deserialize, Serialize};

use super::plan::SplitPlan;
use super::time_range::TimeRange;
use crate::error::{LabelError, require};

const MINUTE_MILLIS: i64 = 60_000;
const MAXIMUM_SPLITS: u64 = 10_000;

/// Combinatorial purged cross-validation (López de Prado, *Advances in Financial Machine Learning*, 2018,
/// ch. 12.3–12.4): time is cut into `groups` of equal length, and every choice of `test_groups` of them is
/// the test set of one split, all others its training set, purged and embargoed.
///
/// There are `C(groups, test_groups)` splits, and their tests make up
/// `φ = C(groups, test_groups) × test_groups / groups` paths through the whole time.
///
/// Test labels that reach from one group into the next are left out even where both are tested, so that
/// a group has the same test candles in every split and paths can be put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CombinatorialPurged {
    /// How many groups; at least 2.
    pub groups: u32,
    /// How many groups are tested at a time; at least 1, fewer than `groups`.
    pub test_groups: u32,
    /// How long after each test interval nothing is trained on, in minutes. At least the look-back of the
    /// features, so that no training feature sees a test candle.
    pub embargo_minutes: u32,
}

impl Default for CombinatorialPurged {
    /// 6 groups of which 2 are tested (15 splits, 5 paths), an embargo of a day.
    fn default() -> Self {
        Self { groups: 6, test_groups: 2, embargo_minutes: 1440 }
    }
}

impl CombinatorialPurged {
    /// Refuses values outside their range.
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`] names the field and its range.
    pub fn validate(&self) -> Result<(), LabelError> {
        require(self.groups >= 2, "groups", self.groups, "give 2 groups or more")?;
        require(
            (1..self.groups).contains(&self.test_groups),
            "test_groups",
            self.test_groups,
            "test 1 group or more, and fewer than `groups`",
        )?;
        require(
            self.splits() <= MAXIMUM_SPLITS,
            "groups",
            self.groups,
            "this makes more than 10000 splits; take fewer groups or fewer test groups",
        )
    }

    /// How many splits there are, `C(groups, test_groups)`; saturating.
    pub fn splits(&self) -> u64 {
        binomial(u64::from(self.groups), u64::from(self.test_groups))
    }

    /// How many paths the tests make up: `φ = C(groups, test_groups) × test_groups / groups`.
    pub fn paths(&self) -> u64 {
        // The same number without a product that could overflow.
        match (self.groups.checked_sub(1), self.test_groups.checked_sub(1)) {
            (Some(groups), Some(tested)) => binomial(u64::from(groups), u64::from(tested)),
            _ => 0,
        }
    }

    /// The groups that each split tests, in the order of [`CombinatorialPurged::plan`].
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`].
    pub fn combinations(&self) -> Result<Vec<Vec<usize>>, LabelError> {
        self.validate()?;
        Ok(combinations(self.groups as usize, self.test_groups as usize))
    }

    /// The paths through the whole time (ch. 12.4): `[path][group]` is the split from which the path takes
    /// the group's test. Each split's test of each group is used exactly once.
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`].
    pub fn path_assignment(&self) -> Result<Vec<Vec<usize>>, LabelError> {
        Ok(test_paths(self.groups as usize, &self.combinations()?))
    }

    /// One plan per combination of groups; its test intervals are those groups in order.
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`], or [`LabelError::ImpossibleSplit`] where `range` is shorter than
    /// a millisecond per group.
    pub fn plan(&self, range: TimeRange) -> Result<Vec<SplitPlan>, LabelError> {
        let combinations = self.combinations()?;
        let (length, groups) = (range.to.since(range.from), i64::from(self.groups));
        if length < groups {
            let range = range.to_string();
            let reason = format!("it is too short for {groups} groups; take longer data or fewer groups");
            return Err(LabelError::ImpossibleSplit { range, reason });
        }
        // Quotient and remainder apart, so that no product overflows.
        let start = |group: usize| {
            let group = i64::try_from(group).unwrap_or(groups).min(groups);
            range.from.plus_millis(length / groups * group + length % groups * group / groups)
        };
        let plan = |combination: &Vec<usize>| {
            let test = combination.iter().map(|&group| TimeRange::new(start(group), start(group + 1)));
            SplitPlan::new(range, test.collect(), i64::from(self.embargo_minutes) * MINUTE_MILLIS)
        };
        Ok(combinations.iter().map(plan).collect())
    }
}

/// All ways to choose `chosen` of `0..items`, each ascending, in lexicographic order.
#[must_use]
pub fn combinations(items: usize, chosen: usize) -> Vec<Vec<usize>> {
    let mut all = Vec::new();
    if chosen > items {
        return all;
    }
    let mut current: Vec<usize> = (0..chosen).collect();
    loop {
        all.push(current.clone());
        // The last position that can still move on; all behind it follow closely.
        let Some(position) = (0..chosen).rev().find(|&at| current[at] < items - chosen + at) else {
            return all;
        };
        current[position] += 1;
        for at in position + 1..chosen {
            current[at] = current[at - 1] + 1;
        }
    }
}

/// The paths that the tests of all `combinations` of groups make through the whole time (López de Prado 2018, section 12.4):
/// `[path][group]` is the combination from which the path takes the group's test. Each test of each combination is in one path.
#[must_use]
pub fn test_paths(groups: usize, combinations: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut tests_of_group = vec![Vec::new(); groups];
    for (at, combination) in combinations.iter().enumerate() {
        for &group in combination {
            if let Some(tests) = tests_of_group.get_mut(group) {
                tests.push(at);
            }
        }
    }
    let path = |path| tests_of_group.iter().filter_map(|tests| tests.get(path).copied()).collect();
    (0..tests_of_group.first().map_or(0, Vec::len)).map(path).collect()
}

/// `n` over `k`, saturating.
fn binomial(n: u64, k: u64) -> u64 {
    if k > n {
        return 0;
    }
    let mut result: u64 = 1;
    for step in 0..k.min(n - k) {
        match result.checked_mul(n - step) {
            Some(product) => result = product / (step + 1),
            None => return u64::MAX,
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the book: 6 groups, 2 tested, give 15 splits and 5 paths (fig. 12.1, 12.2).
    #[test]
    fn the_paths_are_those_of_the_book() {
        let splitter = CombinatorialPurged::default();
        assert_eq!((splitter.splits(), splitter.paths()), (15, 5));
        let combinations = splitter.combinations().unwrap();
        assert_eq!(combinations.len(), 15);
        assert_eq!((&combinations[0], &combinations[14]), (&vec![0, 1], &vec![4, 5]));
        let paths = splitter.path_assignment().unwrap();
        // Figure 12.2, path 1: groups 1 and 2 from split 1, group 3 from split 2, … group 6 from split 5.
        assert_eq!(paths[0], [0, 0, 1, 2, 3, 4]);
        assert_eq!(paths.len(), 5);
        for (groups, test_groups) in [(2, 1), (5, 1), (5, 4), (8, 3), (10, 5)] {
            let splitter = CombinatorialPurged { groups, test_groups, embargo_minutes: 0 };
            let paths = splitter.path_assignment().unwrap();
            let phi = splitter.splits() * u64::from(test_groups) / u64::from(groups);
            assert_eq!((paths.len() as u64, splitter.paths()), (phi, phi));
            let mut used: Vec<_> = paths.iter().flat_map(|path| path.iter().copied().enumerate()).collect();
            let all = used.len();
            used.sort_unstable();
            used.dedup();
            assert_eq!((used.len(), all), (all, (phi * u64::from(groups)) as usize));
        }
    }

    #[test]
    fn too_many_or_too_few_groups_are_refused() {
        for (groups, test_groups) in [(1, 1), (4, 0), (4, 4), (4, 9), (60, 30), (u32::MAX, u32::MAX / 2)] {
            assert!(CombinatorialPurged { groups, test_groups, embargo_minutes: 0 }.validate().is_err());
        }
    }
}
