//! Scaled columns of a whole series: what a model takes.

use std::ops::Range;

use market_data::{SeriesKey, Timestamp};

use super::scaler::Scaler;
use super::selection::Selection;
use crate::buffer::ColumnBuffer;
use crate::error::FeatureError;
use crate::frame::FeatureFrame;

/// The columns that a [`Selection`] keeps, scaled by a [`Scaler`], of one series.
///
/// Values are to the bit what [`Scaler::scale_row`] gives. Masked rows hold NaN and are never part of a run.
#[derive(Clone, Debug)]
pub struct ScaledFrame {
    key: SeriesKey,
    hash: String,
    open_time: Vec<Timestamp>,
    valid: Vec<bool>,
    columns: Vec<ColumnBuffer<f32>>,
}

impl Scaler {
    /// Scales the columns that `selection` keeps, and takes the frame apart on the way: each column of it is given
    /// back to the system before the next one is scaled, so that both are never in memory together.
    ///
    /// # Errors
    /// [`FeatureError::Mismatch`] where frame, scaler and selection do not come from one specification.
    pub fn scale_selected(
        &self,
        frame: FeatureFrame,
        selection: &Selection,
    ) -> Result<ScaledFrame, FeatureError> {
        for (what, hash) in [
            (format!("the frame of {}", frame.key()), frame.hash()),
            ("the selection".to_owned(), selection.feature_hash()),
        ] {
            if hash != self.feature_hash() {
                return Err(FeatureError::mismatch(what, self.feature_hash(), hash));
            }
        }
        let (key, hash, open_time, valid, values) = frame.into_parts();
        let mut kept = selection.kept().iter().peekable();
        let mut columns = Vec::with_capacity(selection.kept().len());
        for (index, (values, scale)) in values.into_iter().zip(self.columns()).enumerate() {
            if kept.next_if_eq(&&index).is_some() {
                columns.push(self.scale_column(scale, &values));
            }
        }
        Ok(ScaledFrame { key, hash, open_time, valid, columns })
    }
}

impl ScaledFrame {
    /// Venue, symbol and timeframe of the candles.
    pub const fn key(&self) -> &SeriesKey {
        &self.key
    }

    /// [`FeatureFrame::hash`] of the frame that was scaled.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// How many rows there are, masked or not.
    pub fn len(&self) -> usize {
        self.open_time.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.open_time.is_empty()
    }

    /// How many columns there are.
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// When the candles open.
    pub fn open_times(&self) -> &[Timestamp] {
        &self.open_time
    }

    /// Whether row `row` may be used.
    pub fn is_valid(&self, row: usize) -> bool {
        self.valid.get(row).copied().unwrap_or(false)
    }

    /// The scaled values, column by column; NaN in masked rows.
    pub fn columns(&self) -> &[ColumnBuffer<f32>] {
        &self.columns
    }

    /// Gives up the columns for which `kept` is false; columns beyond its end stay.
    pub fn retain_columns(&mut self, kept: &[bool]) {
        let mut kept = kept.iter();
        self.columns.retain(|_| kept.next().copied().unwrap_or(true));
    }

    /// Copies rows into `out`, row by row: `[rows, width]`.
    ///
    /// # Errors
    /// [`FeatureError::Mismatch`] where the frame has no such rows, or `out` is of another size.
    pub fn copy_rows(&self, rows: Range<usize>, out: &mut [f32]) -> Result<(), FeatureError> {
        let width = self.columns.len();
        if rows.end > self.len() || out.len() != rows.len() * width {
            return Err(FeatureError::mismatch(
                format!("the rows {rows:?} of {}", self.key),
                format!("at most {} rows and room for {}", self.len(), rows.len() * width),
                format!("room for {}", out.len()),
            ));
        }
        if rows.is_empty() {
            return Ok(());
        }
        for (index, column) in self.columns.iter().enumerate() {
            let places = out[index..].iter_mut().step_by(width);
            for (place, value) in places.zip(&column[rows.clone()]) {
                *place = *value;
            }
        }
        Ok(())
    }

    /// Consecutive usable rows without a gap or a masked row between them, earliest first.
    pub fn runs(&self) -> Vec<Range<usize>> {
        let step = self.key.timeframe.millis();
        let mut runs: Vec<Range<usize>> = Vec::new();
        for row in 0..self.len() {
            if !self.valid[row] {
                continue;
            }
            match runs.last_mut() {
                Some(run) if run.end == row && self.open_time[row].since(self.open_time[row - 1]) == step => {
                    run.end += 1;
                }
                _ => runs.push(row..row + 1),
            }
        }
        runs
    }
}
