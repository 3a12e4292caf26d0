//! Windows as indices.

use super::{Dataset, NO_CLASS, Part};
use crate::error::SupervisedError;
use crate::sampling::{Run, Sample};

/// Where a window lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleWindow {
    /// Position of the series in the dataset.
    pub series: u32,
    /// The row that it begins with.
    pub start: u32,
}

impl Dataset {
    /// The labelled windows of `length` rows of a part, by series and row: no window reaches across a gap or a masked
    /// row. The label is that of the last row.
    pub fn samples(&self, part: Part, length: usize) -> Vec<Sample> {
        let mut samples = Vec::new();
        for (index, series) in self.series.iter().enumerate() {
            for run in series.runs() {
                for row in run.start + length.max(1) - 1..run.end {
                    if series.part[row] == part && series.class[row] != NO_CLASS {
                        samples.push(Sample {
                            series: index as u32,
                            row: row as u32,
                            class: series.class[row],
                            weight: series.uniqueness[row],
                        });
                    }
                }
            }
        }
        samples
    }

    /// The runs of all series that hold a row of the part, each from its beginning to the last such row.
    pub fn runs_with(&self, part: Part) -> Vec<Run> {
        let mut runs = Vec::new();
        for (index, series) in self.series.iter().enumerate() {
            for run in series.runs() {
                if let Some(last) = run.clone().rev().find(|row| series.part[*row] == part) {
                    runs.push(Run {
                        series: index as u32,
                        start: run.start as u32,
                        length: (last + 1 - run.start) as u32,
                    });
                }
            }
        }
        runs
    }

    /// Copies a window, row by row, `[length, width]`.
    ///
    /// # Errors
    /// [`SupervisedError::Features`] where the series has no such rows.
    pub fn copy_window(&self, at: SampleWindow, out: &mut [f32]) -> Result<(), SupervisedError> {
        let series = self
            .series
            .get(at.series as usize)
            .ok_or_else(|| SupervisedError::data("a window", format!("there is no series {}", at.series)))?;
        let start = at.start as usize;
        let length = out.len().checked_div(self.width).unwrap_or(0);
        series.frame.copy_rows(start..start + length, out)?;
        Ok(())
    }
}
