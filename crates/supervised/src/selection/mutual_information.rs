//! How much one column alone says about the class.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::baseline::{Table, check_targets};
use crate::error::SupervisedError;

/// How [`mutual_information`] cuts columns into bins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MutualInformationConfig {
    /// Bins of a column, from 2 to 65,536. 32 by default: fine enough for bends in what a column says, while
    /// three classes of hundreds of thousands of rows still fill every cell.
    pub bins: usize,
}

impl Default for MutualInformationConfig {
    fn default() -> Self {
        Self { bins: 32 }
    }
}

impl MutualInformationConfig {
    /// Refuses too few and too many bins.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] names the field.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        if (2..=65_536).contains(&self.bins) {
            return Ok(());
        }
        Err(SupervisedError::config("bins", self.bins, "give 2 to 65536"))
    }
}

/// Mutual information of a column's bin and the class, in nats.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MutualInformation {
    /// From the counts as they are; never below 0 and too high by chance, the more so the more bins.
    pub plain: f64,
    /// `plain + (bins + classes − cells − 1) / (2 rows)` of the bins, classes and cells of both that hold rows: each
    /// of the three entropies with the correction of Miller (1955, "Note on the bias of information estimates").
    /// About 0 where a column says nothing, and as often below as above. This is the one to rank by.
    pub corrected: f64,
}

/// Mutual information of each column of `table` (`[rows, columns]`) with the class `targets` (`[rows]`): columns are
/// cut at their own quantiles, then `Σ p(x, y) ln (p(x, y) / (p(x) p(y)))` (Cover and Thomas 2006, "Elements of
/// information theory", equation 2.28; scikit-learn's `mutual_info_score`).
///
/// Cut `j` of a column of n rows is its value at place `⌊n j / bins⌋` in order, from 0; a value equal to a cut belongs
/// above it. Equal cuts count once, so equal values are never parted, and a constant column says nothing.
///
/// It sees one column at a time and so not what two say together. It takes rows for independent: overlapping
/// labels make chance look larger than `corrected` takes off, for all columns alike. Ranks are usable, a
/// threshold is not.
///
/// The result is the same for any number of threads.
///
/// # Errors
/// [`SupervisedError::Config`] as [`MutualInformationConfig::validate`]; [`SupervisedError::Data`] for targets that
/// do not fit the table.
pub fn mutual_information(
    table: &Table<'_>,
    targets: &[u8],
    config: &MutualInformationConfig,
) -> Result<Vec<MutualInformation>, SupervisedError> {
    config.validate()?;
    check_targets(table, targets)?;
    let of_column = |column: usize| {
        let values: Vec<f32> = (0..table.rows()).map(|row| table.row(row)[column]).collect();
        let cuts = quantile_cuts(&values, config.bins);
        let mut cells = vec![[0_u64; 3]; cuts.len() + 1];
        for (value, &target) in values.iter().zip(targets) {
            cells[cuts.partition_point(|cut| cut <= value)][usize::from(target)] += 1;
        }
        of_cells(&cells)
    };
    Ok((0..table.columns()).into_par_iter().map(of_column).collect())
}

/// The different values at the places `⌊n j / bins⌋`.
fn quantile_cuts(values: &[f32], bins: usize) -> Vec<f32> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let mut cuts: Vec<f32> = (1..bins).map(|cut| sorted[(sorted.len() * cut) / bins]).collect();
    cuts.dedup();
    cuts
}

/// `cells` are rows by bin and class.
fn of_cells(cells: &[[u64; 3]]) -> MutualInformation {
    let classes: [u64; 3] = std::array::from_fn(|class| cells.iter().map(|bin| bin[class]).sum());
    let rows = classes.iter().sum::<u64>() as f64;
    let (mut plain, mut bins, mut occupied) = (0.0, 0_u64, 0_u64);
    for bin in cells {
        let in_bin: u64 = bin.iter().sum();
        bins += u64::from(in_bin > 0);
        for (&count, &in_class) in bin.iter().zip(&classes).filter(|(count, _)| **count > 0) {
            let ratio = count as f64 * rows / (in_bin as f64 * in_class as f64);
            plain += count as f64 / rows * ratio.ln();
            occupied += 1;
        }
    }
    let present = classes.iter().filter(|&&count| count > 0).count() as u64;
    let plain = plain.max(0.0);
    let surplus = (bins + present) as f64 - (occupied + 1) as f64;
    MutualInformation { plain, corrected: plain + surplus / (2.0 * rows) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::RngExt;

    use super::*;
    use crate::random::generator;

    /// What scikit-learn says; the script beside the file makes it.
    #[derive(Deserialize)]
    struct Fixture {
        columns: usize,
        train: Vec<f32>,
        targets: Vec<u8>,
        mutual_information: Vec<Golden>,
    }

    #[derive(Deserialize)]
    struct Golden {
        column: usize,
        bins: usize,
        plain: f64,
        corrected: f64,
    }

    #[test]
    fn values_are_those_of_scikit_learn_on_the_same_bins() {
        let golden: Fixture =
            serde_json::from_str(include_str!("../../tests/fixtures/tabular_baselines.json")).unwrap();
        let table = Table::new(&golden.train, golden.columns).unwrap();
        for wanted in golden.mutual_information {
            let config = MutualInformationConfig { bins: wanted.bins };
            let seen = mutual_information(&table, &golden.targets, &config).unwrap()[wanted.column];
            assert!((seen.plain - wanted.plain).abs() < 1e-12, "{seen:?} is not {}", wanted.plain);
            assert!((seen.corrected - wanted.corrected).abs() < 1e-12);
        }
    }

    #[test]
    fn columns_that_say_nothing_are_about_0() {
        let mut rng = generator(1, "test/mutual-information", 0);
        let values: Vec<f32> = (0..60 * 2000).map(|_| rng.random::<f32>()).collect();
        let targets: Vec<u8> = (0..2000).map(|_| rng.random_range(0..3_u8)).collect();
        let table = Table::new(&values, 60).unwrap();
        let seen = mutual_information(&table, &targets, &MutualInformationConfig::default()).unwrap();
        let mean = |get: fn(&MutualInformation) -> f64| seen.iter().map(get).sum::<f64>() / 60.0;
        // 2 rows × the information is about chi-square with 31 × 2 degrees of freedom: mean 62 / 4000 = 0.0155, and
        // standard deviation of the mean of 60 columns √124 / 4000 / √60 = 0.00036.
        assert!((mean(|score| score.plain) - 0.0155).abs() < 0.0012);
        assert!(mean(|score| score.corrected).abs() < 0.0012);
    }

    #[test]
    fn a_column_that_says_all_has_the_entropy_of_the_classes() {
        let targets = [0_u8, 0, 1, 1, 1, 1, 2, 2];
        let values: Vec<f32> = targets.iter().flat_map(|&class| [f32::from(class), 7.0]).collect();
        let config = MutualInformationConfig { bins: 4 };
        let seen = mutual_information(&Table::new(&values, 2).unwrap(), &targets, &config).unwrap();
        let entropy = 1.5 * std::f64::consts::LN_2;
        assert!((seen[0].plain - entropy).abs() < 1e-12);
        assert_eq!((seen[1].plain, seen[1].corrected), (0.0, 0.0));
    }

    proptest! {
        /// Neither a rising function of the column nor the order of rows changes anything.
        #[test]
        fn only_ranks_and_pairs_matter(rows in prop::collection::vec((-50_i16..50, 0_u8..3), 1..80), bins in 2_usize..12) {
            let score = |rows: &[(i16, u8)], change: fn(f32) -> f32| {
                let values: Vec<f32> = rows.iter().map(|row| change(f32::from(row.0))).collect();
                let targets: Vec<u8> = rows.iter().map(|row| row.1).collect();
                let table = Table::new(&values, 1).unwrap();
                mutual_information(&table, &targets, &MutualInformationConfig { bins }).unwrap()[0]
            };
            let seen = score(&rows, |value| value);
            prop_assert_eq!(seen, score(&rows, |value| value * value * value / 8.0 + 3.0));
            let turned: Vec<(i16, u8)> = rows.iter().rev().copied().collect();
            prop_assert_eq!(seen, score(&turned, |value| value));
            prop_assert!(seen.plain >= 0.0 && seen.plain <= 3.0_f64.ln() + 1e-12);
        }
    }

    #[test]
    fn what_has_no_score_is_refused() {
        let table = Table::new(&[1.0, 2.0], 1).unwrap();
        let bad = |bins, targets: &[u8]| {
            mutual_information(&table, targets, &MutualInformationConfig { bins }).unwrap_err().to_string()
        };
        assert!(bad(1, &[0, 1]).contains("`bins` is 1"));
        assert!(bad(2, &[0]).contains("2 rows, but 1"));
        assert_eq!(
            toml::from_str::<MutualInformationConfig>("").unwrap(),
            MutualInformationConfig::default()
        );
    }
}
