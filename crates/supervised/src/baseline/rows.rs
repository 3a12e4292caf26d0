//! Labelled rows as a table.

use super::table::Table;
use crate::dataset::{Dataset, NO_CLASS, Part};
use crate::error::SupervisedError;

/// Labelled rows of a dataset, each with the features that a tabular model sees.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableRows {
    /// `[rows, columns]`.
    pub values: Vec<f32>,
    /// Columns of a row: the features at the first lag, then those at the second, and so on.
    pub columns: usize,
    /// Position of the series in the dataset.
    pub series: Vec<u32>,
    /// The row.
    pub row: Vec<u32>,
    /// Its class.
    pub targets: Vec<u8>,
}

impl TableRows {
    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// The values as a table.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] where a value is not finite.
    pub fn table(&self) -> Result<Table<'_>, SupervisedError> {
        Table::new(&self.values, self.columns)
    }

    /// At most `most` rows, evenly spread.
    #[must_use]
    pub fn thinned(&self, most: usize) -> Self {
        let step = self.len().div_ceil(most.max(1)).max(1);
        let mut thin = Self { columns: self.columns, ..Self::default() };
        for row in (0..self.len()).step_by(step) {
            thin.values.extend(&self.values[row * self.columns..][..self.columns]);
            thin.series.push(self.series[row]);
            thin.row.push(self.row[row]);
            thin.targets.push(self.targets[row]);
        }
        thin
    }

    /// The same rows with some of the columns.
    #[must_use]
    pub fn columns(&self, columns: &[usize]) -> Self {
        let of_row = |row: &[f32]| columns.iter().map(|column| row[*column]).collect::<Vec<f32>>();
        let values = self.values.chunks_exact(self.columns).flat_map(of_row).collect();
        let (series, row, targets) = (self.series.clone(), self.row.clone(), self.targets.clone());
        Self { values, columns: columns.len(), series, row, targets }
    }

    fn append(&mut self, other: Self) {
        self.columns = other.columns;
        self.values.extend(other.values);
        self.series.extend(other.series);
        self.row.extend(other.row);
        self.targets.extend(other.targets);
    }
}

impl Dataset {
    /// The labelled rows of a part, in the order of series and rows, with the features at `lags` rows back. A lag that reaches
    /// in front of the run is all zeros, the centre of scaled features: as for a network whose state is empty.
    ///
    /// # Errors
    /// [`SupervisedError::Features`] where a frame cannot be copied from.
    pub fn table(&self, part: Part, lags: &[usize]) -> Result<TableRows, SupervisedError> {
        let mut all = TableRows { columns: self.width() * lags.len(), ..TableRows::default() };
        let rows = usize::try_from(self.rows(part)).unwrap_or(0);
        all.values.reserve_exact(rows * all.columns);
        for series in 0..self.series().len() {
            all.append(self.table_of(series, part, lags)?);
        }
        Ok(all)
    }

    /// As [`Self::table`], of one series.
    ///
    /// # Errors
    /// As [`Self::table`]; [`SupervisedError::Data`] where there is no such series.
    pub fn table_of(&self, series: usize, part: Part, lags: &[usize]) -> Result<TableRows, SupervisedError> {
        let of_series = self
            .series()
            .get(series)
            .ok_or_else(|| SupervisedError::data("a table", format!("there is no series {series}")))?;
        let width = self.width();
        let mut found = TableRows { columns: width * lags.len(), ..TableRows::default() };
        for run in of_series.runs() {
            for row in run.clone() {
                if of_series.parts()[row] != part || of_series.classes()[row] == NO_CLASS {
                    continue;
                }
                for lag in lags {
                    let start = found.values.len();
                    found.values.resize(start + width, 0.0);
                    if let Some(row) = row.checked_sub(*lag).filter(|row| *row >= run.start) {
                        of_series.frame().copy_rows(row..row + 1, &mut found.values[start..])?;
                    }
                }
                found.series.push(series as u32);
                found.row.push(row as u32);
                found.targets.push(of_series.classes()[row]);
            }
        }
        Ok(found)
    }
}
