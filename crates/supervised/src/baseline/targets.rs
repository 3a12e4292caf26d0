//! The classes that trees are grown on.

use crate::baseline::Table;
use crate::error::SupervisedError;

/// Number of classes: SELL, HOLD, BUY.
pub(crate) const CLASSES: usize = 3;

/// Refuses no rows, more than trees can number, a number of targets that is not the number of rows, and a
/// class beyond the third.
pub(crate) fn check_targets(table: &Table<'_>, targets: &[u8]) -> Result<(), SupervisedError> {
    if table.rows() == 0 {
        return Err(SupervisedError::data("table", "it has no rows; give at least one"));
    }
    // Rows are numbered by `u32`, two bits of which a forest uses for the class.
    if table.rows() >= 1 << 30 {
        return Err(SupervisedError::data("table", "it has more than 2^30 rows; give fewer"));
    }
    if targets.len() != table.rows() {
        let reason = format!("there are {} for {} rows", targets.len(), table.rows());
        return Err(SupervisedError::data("targets", reason));
    }
    match targets.iter().position(|&target| usize::from(target) >= CLASSES) {
        Some(row) => {
            let reason = format!("{} is no class; classes are 0 (sell), 1 (hold), 2 (buy)", targets[row]);
            Err(SupervisedError::data(format!("targets, row {row}"), reason))
        }
        None => Ok(()),
    }
}
