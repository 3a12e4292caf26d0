//! How much worse a model becomes when columns are shuffled.

use rand::seq::SliceRandom;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::baseline::{Table, check_targets};
use crate::error::SupervisedError;
use crate::metrics::{Confusion, surprise};
use crate::prediction_rows::{check_probabilities, check_row_counts, most_probable_class, rows_of_three};
use crate::random::generator;

/// How [`permutation_importance`] shuffles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PermutationConfig {
    /// Shuffles of each group, from 1. 5 by default, as in scikit-learn.
    pub repeats: usize,
    /// Seed of the shuffles.
    pub seed: u64,
}

impl Default for PermutationConfig {
    fn default() -> Self {
        Self { repeats: 5, seed: 0 }
    }
}

impl PermutationConfig {
    /// Refuses no repeats.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] names the field.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        if self.repeats > 0 {
            return Ok(());
        }
        Err(SupervisedError::config("repeats", 0, "give at least 1"))
    }
}

/// Columns that are shuffled together, so that what they say about each other stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnGroup {
    /// What the report calls it.
    pub name: String,
    /// Its columns, each once. Groups may overlap.
    pub columns: Vec<usize>,
}

/// Mean and spread over the shuffles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportanceSummary {
    /// Mean.
    pub mean: f64,
    /// Standard deviation over the shuffles (division by their number, as in scikit-learn). It says how much
    /// the shuffle does, and nothing of other rows.
    pub standard_deviation: f64,
}

impl ImportanceSummary {
    fn of(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        Self { mean, standard_deviation: (squares / count).sqrt() }
    }
}

/// What the shuffling of one group does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PermutationImportance {
    /// Name of the group.
    pub name: String,
    /// By how much macro F1 of the most probable classes falls.
    pub macro_f1_drop: ImportanceSummary,
    /// By how much log-loss rises, in nats.
    pub log_loss_rise: ImportanceSummary,
}

/// Importance of each of `groups` to the model `probabilities` (a table to `[rows, 3]`) on the rows of `table` with
/// the classes `targets` (Breiman 2001, "Random forests", section 10; scikit-learn's `permutation_importance`).
///
/// Rows change values only with rows of the same block, `blocks` (`[rows]`, any numbers; a series and a month,
/// say): a shuffle over years would give calm times the values of wild ones and take a level for what the model
/// looks at. All columns of a group are shuffled by one permutation. Columns that say the same stand in for each
/// other: shuffle them as a group, or each seems to matter little.
///
/// It holds one copy of the table and calls the model `1 + groups × repeats` times; `progress` is given the share
/// done after each.
///
/// # Errors
/// [`SupervisedError::Config`] as [`PermutationConfig::validate`]; [`SupervisedError::Data`] for targets or blocks that
/// do not fit the table, a group that is empty or names a column twice or one that is not there, rows that are no
/// distribution; and whatever the model returns.
pub fn permutation_importance(
    table: &Table<'_>,
    targets: &[u8],
    blocks: &[u32],
    groups: &[ColumnGroup],
    config: &PermutationConfig,
    mut probabilities: impl FnMut(&Table<'_>) -> Result<Vec<f32>, SupervisedError>,
    progress: &mut dyn FnMut(f64),
) -> Result<Vec<PermutationImportance>, SupervisedError> {
    config.validate()?;
    check_targets(table, targets)?;
    check_row_counts("table", table.rows(), "blocks", blocks.len())?;
    groups.iter().try_for_each(|group| check_group(group, table.columns()))?;
    let calls = 1 + groups.len() * config.repeats;
    let [macro_f1, log_loss] = scores(&probabilities(table)?, targets)?;
    progress(1.0 / calls as f64);
    let members = rows_by_block(blocks);
    let mut values = table.values().to_vec();
    let mut importance = Vec::with_capacity(groups.len());
    for (number, group) in groups.iter().enumerate() {
        let (mut drops, mut rises) = (Vec::new(), Vec::new());
        for repeat in 0..config.repeats {
            let index = number * config.repeats + repeat;
            let sources = permutation(&members, config.seed, index as u64);
            copy_columns(table, &group.columns, &mut values, |row| sources[row] as usize);
            let shuffled = scores(&probabilities(&Table::new(&values, table.columns())?)?, targets)?;
            drops.push(macro_f1 - shuffled[0]);
            rises.push(shuffled[1] - log_loss);
            progress((2 + index) as f64 / calls as f64);
        }
        copy_columns(table, &group.columns, &mut values, |row| row);
        importance.push(PermutationImportance {
            name: group.name.clone(),
            macro_f1_drop: ImportanceSummary::of(&drops),
            log_loss_rise: ImportanceSummary::of(&rises),
        });
    }
    Ok(importance)
}

fn check_group(group: &ColumnGroup, columns: usize) -> Result<(), SupervisedError> {
    let bad = |reason: String| Err(SupervisedError::data(format!("group {}", group.name), reason));
    let mut sorted = group.columns.clone();
    sorted.sort_unstable();
    match sorted.last() {
        None => bad("it has no columns".to_owned()),
        Some(&last) if last >= columns => bad(format!("column {last}, but the table has {columns}")),
        Some(_) => match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => bad(format!("column {} is named twice", pair[0])),
            None => Ok(()),
        },
    }
}

/// Macro F1 of the most probable classes, and mean log-loss.
fn scores(probabilities: &[f32], targets: &[u8]) -> Result<[f64; 2], SupervisedError> {
    let rows = rows_of_three(probabilities, "probabilities")?;
    check_row_counts("probabilities", rows.len(), "targets", targets.len())?;
    let mut confusion = Confusion::default();
    let mut log_loss = 0.0;
    for (row, (&values, &target)) in rows.iter().zip(targets).enumerate() {
        check_probabilities(row, values)?;
        let class = usize::from(target);
        confusion.counts[class][usize::from(most_probable_class(values))] += 1;
        log_loss += surprise(f64::from(values[class]));
    }
    Ok([confusion.macro_f1(), log_loss / rows.len() as f64])
}

/// The rows of each block, ascending.
fn rows_by_block(blocks: &[u32]) -> Vec<Vec<u32>> {
    let mut order: Vec<u32> = (0..blocks.len() as u32).collect();
    order.sort_by_key(|&row| blocks[row as usize]);
    let same = |one: &u32, other: &u32| blocks[*one as usize] == blocks[*other as usize];
    order.chunk_by(same).map(<[u32]>::to_vec).collect()
}

/// For each row the row whose values it is given.
fn permutation(members: &[Vec<u32>], seed: u64, index: u64) -> Vec<u32> {
    let mut rng = generator(seed, "permutation-importance", index);
    let mut sources = vec![0; members.iter().map(Vec::len).sum()];
    for rows in members {
        let mut shuffled = rows.clone();
        shuffled.shuffle(&mut rng);
        rows.iter().zip(shuffled).for_each(|(&row, source)| sources[row as usize] = source);
    }
    sources
}

/// Writes `columns` of each row from the row of `table` that `source` names.
fn copy_columns(table: &Table<'_>, columns: &[usize], values: &mut [f32], source: impl Fn(usize) -> usize) {
    for (row, out) in values.chunks_exact_mut(table.columns()).enumerate() {
        let from = table.row(source(row));
        columns.iter().for_each(|&column| out[column] = from[column]);
    }
}

#[cfg(test)]
mod tests;
