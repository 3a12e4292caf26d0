//! Inputs of a tabular model.

use rayon::prelude::*;

use crate::error::SupervisedError;
use crate::prediction_rows::{check_class, check_row_counts};

/// Inputs of a tabular model: row-major `[rows, columns]`, all finite.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    values: &'a [f32],
    columns: usize,
}

impl<'a> Table<'a> {
    /// `values` of shape `[rows, columns]`, row after row. No rows are a table too.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] for no columns, a length that is no multiple of `columns`, and a value that is
    /// not finite, whose row and column it names.
    pub fn new(values: &'a [f32], columns: usize) -> Result<Self, SupervisedError> {
        if columns == 0 || !values.len().is_multiple_of(columns) {
            let reason = format!("{} values are no rows of {columns} columns", values.len());
            return Err(SupervisedError::data("table", reason));
        }
        match values.par_iter().position_first(|value| !value.is_finite()) {
            None => Ok(Self { values, columns }),
            Some(at) => {
                let what = format!("table, row {}, column {}", at / columns, at % columns);
                Err(SupervisedError::data(what, format!("{} is not finite", values[at])))
            }
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    /// Number of columns, from 1.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The values of one row, `[columns]`.
    pub fn row(&self, row: usize) -> &'a [f32] {
        &self.values[row * self.columns..(row + 1) * self.columns]
    }

    /// All values, `[rows, columns]`.
    pub fn values(&self) -> &'a [f32] {
        self.values
    }

    /// Refuses a table of other columns than the model was fitted on.
    pub(crate) fn expect_columns(&self, columns: usize) -> Result<(), SupervisedError> {
        if self.columns == columns {
            return Ok(());
        }
        let reason = format!("{} columns, but the model was fitted on {columns}", self.columns);
        Err(SupervisedError::data("table", reason))
    }
}

/// Refuses targets that do not belong to the rows of `table`, and a table without rows.
///
/// # Errors
/// [`SupervisedError::Data`] for other lengths, no rows, and a class other than 0, 1, 2.
pub(crate) fn check_targets(table: &Table<'_>, targets: &[u8]) -> Result<(), SupervisedError> {
    check_row_counts("table", table.rows(), "targets", targets.len())?;
    targets.iter().enumerate().try_for_each(|(row, &class)| check_class("targets", row, class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shape_and_finiteness_are_checked() {
        let table = Table::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2).unwrap();
        assert_eq!((table.rows(), table.columns(), table.row(1)), (3, 2, &[3.0_f32, 4.0][..]));
        assert_eq!(Table::new(&[], 4).unwrap().rows(), 0);
        let bad = |values: &[f32], columns| Table::new(values, columns).unwrap_err().to_string();
        assert!(bad(&[1.0; 5], 2).contains("5 values"));
        assert!(bad(&[], 0).contains("0 columns"));
        assert!(bad(&[1.0, 2.0, 3.0, f32::INFINITY, f32::NAN, 0.0], 3).contains("row 1, column 0"));
        assert!(check_targets(&table, &[0, 1]).unwrap_err().to_string().contains("3 rows, but 2"));
        assert!(check_targets(&table, &[0, 1, 3]).unwrap_err().to_string().contains("targets, row 2"));
        assert!(check_targets(&Table::new(&[], 1).unwrap(), &[]).is_err());
        assert!(table.expect_columns(3).is_err());
    }
}
