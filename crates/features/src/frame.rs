//! The features of a whole series.

use std::ops::Range;
use std::sync::Arc;

use market_data::{CandleSeries, SeriesKey, Timestamp};
use serde::Serialize;

use crate::buffer::ColumnBuffer;
use crate::column::ColumnInfo;
use crate::error::FeatureError;
use crate::pipeline::Masking;

/// Features column by column, a row for each candle of a series.
///
/// Rows that may not be used are **masked**, never filled: they hold NaN in every column and
/// [`FeatureFrame::is_valid`] is false. Row `i` belongs to candle `i` and is known when that candle closes.
#[derive(Clone, Debug)]
pub struct FeatureFrame {
    key: SeriesKey,
    hash: String,
    columns: Arc<[ColumnInfo]>,
    open_time: Vec<Timestamp>,
    values: Vec<ColumnBuffer<f64>>,
    valid: Vec<bool>,
    masked: MaskedRows,
}

/// How many rows are masked, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MaskedRows {
    /// Within the warm-up at the beginning of a run.
    pub warm_up: usize,
    /// A value from outside, or one that waits for an event, was not known.
    pub waiting: usize,
    /// A value was not finite after its warm-up: a fault of the crate `features`.
    pub faulty: usize,
    /// Candle and column of the first such fault.
    pub first_fault: Option<(usize, String)>,
}

/// Why a row is masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Masked {
    WarmUp,
    Waiting,
    Faulty(usize),
}

impl FeatureFrame {
    /// A frame of zeros, all valid, to be filled.
    pub(crate) fn zeros(series: &CandleSeries, hash: &str, columns: Arc<[ColumnInfo]>) -> Self {
        let rows = series.len();
        Self {
            key: series.key().clone(),
            hash: hash.to_owned(),
            values: columns.iter().map(|_| ColumnBuffer::zeros(rows)).collect(),
            columns,
            open_time: series.columns().open_time.clone(),
            valid: vec![true; rows],
            masked: MaskedRows::default(),
        }
    }

    pub(crate) fn values_mut(&mut self) -> &mut [ColumnBuffer<f64>] {
        &mut self.values
    }

    /// Its parts: key, hash, open times, which rows may be used, and the values.
    pub(crate) fn into_parts(self) -> (SeriesKey, String, Vec<Timestamp>, Vec<bool>, Vec<ColumnBuffer<f64>>) {
        (self.key, self.hash, self.open_time, self.valid, self.values)
    }

    /// Adds a column.
    pub(crate) fn append(&mut self, column: ColumnInfo, values: Vec<f64>) {
        self.columns = self.columns.iter().cloned().chain([column]).collect();
        self.values.push(values.into());
    }

    /// Masks rows.
    pub(crate) fn mask(&mut self, rows: &[(usize, Masked)], masking: Masking) {
        for (row, reason) in rows {
            self.valid[*row] = false;
            match reason {
                Masked::WarmUp => self.masked.warm_up += 1,
                Masked::Waiting => self.masked.waiting += 1,
                Masked::Faulty(column) => {
                    self.masked.faulty += 1;
                    if self.masked.first_fault.is_none() {
                        self.masked.first_fault = Some((*row, self.columns[*column].name.clone()));
                    }
                }
            }
        }
        if masking == Masking::Applied && !rows.is_empty() {
            // Column by column: a row's values lie far apart in memory.
            for column in &mut self.values {
                for (row, _) in rows {
                    column[*row] = f64::NAN;
                }
            }
        }
    }

    /// Why a row that holds a value that is not finite has to be masked.
    pub(crate) fn reason(&self, row: usize) -> Masked {
        let fault = |column: &usize| {
            let value = self.values[*column][row];
            value.is_infinite() || (value.is_nan() && !self.columns[*column].waits)
        };
        (0..self.columns.len()).find(fault).map_or(Masked::Waiting, Masked::Faulty)
    }

    /// Venue, symbol and timeframe of the candles.
    pub const fn key(&self) -> &SeriesKey {
        &self.key
    }

    /// [`crate::FeatureSpec::hash`] of what it was made from. A model refuses a frame with another hash.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The columns, in their order.
    pub fn columns(&self) -> &[ColumnInfo] {
        &self.columns
    }

    /// How many rows there are, masked or not.
    pub fn len(&self) -> usize {
        self.open_time.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.open_time.is_empty()
    }

    /// When the candles open.
    pub fn open_times(&self) -> &[Timestamp] {
        &self.open_time
    }

    /// The values of a column; NaN in masked rows.
    pub fn column(&self, name: &str) -> Option<&[f64]> {
        let index = self.columns.iter().position(|column| column.name == name)?;
        Some(&self.values[index])
    }

    /// The values of all columns, in their order; NaN in masked rows.
    pub fn values(&self) -> &[ColumnBuffer<f64>] {
        &self.values
    }

    /// Whether row `row` may be used.
    pub fn is_valid(&self, row: usize) -> bool {
        self.valid.get(row).copied().unwrap_or(false)
    }

    /// For each row whether it may be used.
    pub fn valid(&self) -> &[bool] {
        &self.valid
    }

    /// How many rows may be used.
    pub fn valid_rows(&self) -> usize {
        self.valid.iter().filter(|valid| **valid).count()
    }

    /// How many rows are masked, and why.
    pub const fn masked(&self) -> &MaskedRows {
        &self.masked
    }

    /// Copies row `row` into `out`; false, and nothing copied, where it is masked.
    ///
    /// # Errors
    /// [`FeatureError::Mismatch`] where `out` has not one place per column.
    pub fn copy_row(&self, row: usize, out: &mut [f64]) -> Result<bool, FeatureError> {
        if out.len() != self.columns.len() {
            return Err(FeatureError::mismatch("the row to fill", self.columns.len(), out.len()));
        }
        if !self.is_valid(row) {
            return Ok(false);
        }
        for (out, column) in out.iter_mut().zip(&self.values) {
            *out = column[row];
        }
        Ok(true)
    }

    /// The windows of `length` consecutive valid rows, each as the range of its rows, earliest first. None
    /// reaches across a gap.
    pub fn windows(&self, length: usize) -> impl Iterator<Item = Range<usize>> + '_ {
        let step = self.key.timeframe.millis();
        let mut consecutive = 0;
        (0..self.len()).filter_map(move |row| {
            let follows = row > 0 && self.open_time[row].since(self.open_time[row - 1]) == step;
            consecutive = match (self.valid[row], follows) {
                (false, _) => 0,
                (true, true) => consecutive + 1,
                (true, false) => 1,
            };
            (length > 0 && consecutive >= length).then(|| row + 1 - length..row + 1)
        })
    }
}

impl PartialEq for FeatureFrame {
    /// Equal to the bit; masked rows are equal to masked rows.
    fn eq(&self, other: &Self) -> bool {
        let same = |left: &[f64], right: &[f64]| {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(l, r)| l.to_bits() == r.to_bits() || (l.is_nan() && r.is_nan()))
        };
        self.key == other.key
            && self.hash == other.hash
            && self.columns == other.columns
            && self.open_time == other.open_time
            && self.valid == other.valid
            && self.values.len() == other.values.len()
            && self.values.iter().zip(&other.values).all(|(left, right)| same(left, right))
    }
}
