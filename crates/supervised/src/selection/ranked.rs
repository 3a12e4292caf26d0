//! Keeping the columns that say most of the classes.

use features::{DropReason, Selection};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{EliminationConfig, MutualInformationConfig, mutual_information, recursive_elimination};
use crate::baseline::{RandomForestConfig, Table, TableRows};
use crate::error::SupervisedError;

/// By what columns are ranked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RankingMethod {
    /// What each column alone says of the class, [`mutual_information`].
    #[default]
    MutualInformation,
    /// How much a random forest lowers its impurity by each column.
    TreeImportance,
    /// The same, fitted again and again without the least important tenth, [`recursive_elimination`].
    RecursiveElimination,
}

/// Which columns are kept for what they say of the classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RankedSelectionConfig {
    /// By what columns are ranked.
    pub method: RankingMethod,
    /// Columns kept, from 1; all where there are no more.
    pub keep: usize,
    /// Training rows that are looked at at most, evenly spread.
    pub maximum_rows: usize,
    /// Seed of the forests.
    pub seed: u64,
}

impl Default for RankedSelectionConfig {
    fn default() -> Self {
        Self { method: RankingMethod::default(), keep: 30, maximum_rows: 100_000, seed: 1 }
    }
}

impl RankedSelectionConfig {
    /// Refuses values outside their range.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] names the field.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        for (field, value, least) in [("keep", self.keep, 1), ("maximum_rows", self.maximum_rows, 100)] {
            if value < least {
                return Err(SupervisedError::config(field, value, &format!("give at least {least}")));
            }
        }
        Ok(())
    }

    /// `selection` without the columns that say least. `rows` are labelled training rows with the columns that `selection`
    /// keeps.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] where the rows have other columns; those of forests.
    pub fn restrict(&self, selection: &Selection, rows: &TableRows) -> Result<Selection, SupervisedError> {
        self.validate()?;
        let rows = rows.thinned(self.maximum_rows);
        let (table, targets) = (rows.table()?, rows.targets.as_slice());
        let (method, scores, order) = match self.method {
            RankingMethod::MutualInformation => {
                let found = mutual_information(&table, targets, &MutualInformationConfig::default())?;
                let scores: Vec<f64> = found.iter().map(|one| one.corrected).collect();
                ("mutual information (nats)", scores.clone(), by_score(&scores))
            }
            RankingMethod::TreeImportance => {
                let scores = self.forest(&table, targets)?;
                ("importance in a random forest", scores.clone(), by_score(&scores))
            }
            RankingMethod::RecursiveElimination => {
                let config = EliminationConfig { keep: self.keep, ..EliminationConfig::default() };
                let found = recursive_elimination(table.columns(), &config, |columns| {
                    let part = rows.columns(columns);
                    self.forest(&part.table()?, targets)
                })?;
                let mut scores = vec![f64::NAN; table.columns()];
                for round in &found.rounds {
                    for (column, importance) in round.columns.iter().zip(&round.importance) {
                        scores[*column] = *importance;
                    }
                }
                let mut order: Vec<usize> = (0..table.columns()).collect();
                order.sort_by_key(|column| found.ranking[*column]);
                ("importance in the last forest before it was eliminated", scores, order)
            }
        };
        let mut reasons = vec![None; scores.len()];
        for (place, column) in order.into_iter().enumerate().skip(self.keep) {
            let (method, score) = (method.to_owned(), scores[column]);
            reasons[column] = Some(DropReason::Score { method, score, rank: place + 1 });
        }
        Ok(selection.restrict(reasons)?)
    }

    fn forest(&self, table: &Table<'_>, targets: &[u8]) -> Result<Vec<f64>, SupervisedError> {
        let forest = RandomForestConfig::default().fit(table, targets, self.seed, &mut |_| {})?;
        Ok(forest.importance())
    }
}

/// Columns from the highest score; of equal ones the earlier first.
fn by_score(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|one, other| scores[*other].total_cmp(&scores[*one]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::generator;
    use rand::RngExt;

    /// Six columns: the second shifts the class, the fifth does so in two bends that no straight line sees, the others say
    /// nothing.
    fn rows() -> TableRows {
        let mut random = generator(4, "test", 0);
        let mut rows = TableRows { columns: 6, ..TableRows::default() };
        for row in 0..4_000 {
            let values: [f32; 6] = std::array::from_fn(|_| random.random_range(-1.0..1.0));
            let class = if values[4].abs() > 0.7 { 1 } else { u8::from(values[1] > 0.0) * 2 };
            rows.values.extend(values);
            rows.series.push(0);
            rows.row.push(row);
            rows.targets.push(if random.random_range(0.0..1.0) < 0.1 {
                random.random_range(0..3)
            } else {
                class
            });
        }
        rows
    }

    fn order(method: RankingMethod) -> Vec<usize> {
        let config = RankedSelectionConfig { method, keep: 2, ..RankedSelectionConfig::default() };
        let selection = selection();
        let kept = config.restrict(&selection, &rows()).unwrap();
        assert_eq!(kept.dropped().len(), selection.dropped().len() + 4);
        assert!(
            kept.dropped().iter().all(|one| matches!(one.reason, DropReason::Score { rank, .. } if rank > 2))
        );
        kept.kept().to_vec()
    }

    /// A selection that keeps six columns.
    fn selection() -> Selection {
        serde_json::from_value(serde_json::json!({
            "feature_hash": "of the test",
            "kept": [0, 1, 2, 3, 4, 5],
            "names": ["a", "b", "c", "d", "e", "f"],
            "dropped": [],
        }))
        .unwrap()
    }

    #[test]
    fn columns_that_say_something_are_kept() {
        for method in [
            RankingMethod::MutualInformation,
            RankingMethod::TreeImportance,
            RankingMethod::RecursiveElimination,
        ] {
            assert_eq!(order(method), [1, 4], "{method:?}");
        }
    }

    #[test]
    fn nothing_is_left_out_where_there_is_room() {
        let config = RankedSelectionConfig { keep: 6, ..RankedSelectionConfig::default() };
        assert_eq!(config.restrict(&selection(), &rows()).unwrap(), selection());
        assert!(RankedSelectionConfig { keep: 0, ..config }.validate().is_err());
    }
}
