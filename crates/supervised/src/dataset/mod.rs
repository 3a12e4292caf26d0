//! Frames and labels, joined row by row, and what each row may be used for.
//!
//! Windows are never copied out: a sample is the series and the row that it ends with. Memory is that of the scaled
//! columns, four bytes a value, and about ten bytes a row beside them.

mod preparation;
mod windows;

use std::ops::Range;

use features::{ScaledFrame, Scaler, Selection};
use labels::Label;
use market_data::{SeriesKey, Timestamp};
use serde::{Deserialize, Serialize};

pub use preparation::{LabelledFrame, PreparationConfig, prepare, prepare_rows, prepare_with};
pub use windows::SampleWindow;

use crate::error::SupervisedError;

/// Number of classes, in the order of [`Label`]: SELL, HOLD, BUY.
pub const CLASSES: usize = 3;
/// In a list of classes: there is none.
pub const NO_CLASS: u8 = u8::MAX;

/// What the label of a row may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// For nothing: masked, without a label, purged, or outside every part.
    None,
    /// To learn from.
    Training,
    /// To choose by: early stopping, calibration, thresholds.
    Validation,
    /// To judge by, once.
    Test,
}

/// What is fitted on training rows and turns features into the inputs of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureFit {
    /// Centre and size of every column.
    pub scaler: Scaler,
    /// The columns kept.
    pub selection: Selection,
}

/// The rows of one series.
#[derive(Clone, Debug)]
pub struct DatasetSeries {
    frame: ScaledFrame,
    runs: Vec<Range<usize>>,
    class: Vec<u8>,
    uniqueness: Vec<f32>,
    part: Vec<Part>,
}

/// A series that is not used, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Excluded {
    /// Venue, symbol and timeframe.
    pub series: String,
    /// Why.
    pub reason: String,
}

/// Everything that a training or an evaluation takes.
#[derive(Clone, Debug)]
pub struct Dataset {
    series: Vec<DatasetSeries>,
    excluded: Vec<Excluded>,
    feature_hash: String,
    width: usize,
}

impl DatasetSeries {
    /// Venue, symbol and timeframe.
    pub const fn key(&self) -> &SeriesKey {
        self.frame.key()
    }

    /// The scaled features.
    pub const fn frame(&self) -> &ScaledFrame {
        &self.frame
    }

    /// Consecutive usable rows.
    pub fn runs(&self) -> &[Range<usize>] {
        &self.runs
    }

    /// Class of every row; [`NO_CLASS`] where there is none.
    pub fn classes(&self) -> &[u8] {
        &self.class
    }

    /// Average uniqueness of every label; 0 where there is none.
    pub fn uniqueness(&self) -> &[f32] {
        &self.uniqueness
    }

    /// What every row may be used for.
    pub fn parts(&self) -> &[Part] {
        &self.part
    }

    /// When the candle of a row opens.
    pub fn open_time(&self, row: usize) -> Timestamp {
        self.frame.open_times()[row]
    }
}

impl Dataset {
    /// The series, in the order of their keys.
    pub fn series(&self) -> &[DatasetSeries] {
        &self.series
    }

    /// The series that were left out.
    pub fn excluded(&self) -> &[Excluded] {
        &self.excluded
    }

    /// [`features::FeatureFrame::hash`] of every frame.
    pub fn feature_hash(&self) -> &str {
        &self.feature_hash
    }

    /// Columns of an input row.
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Labelled rows of a part by class.
    pub fn class_counts(&self, part: Part) -> [u64; CLASSES] {
        let mut counts = [0; CLASSES];
        for series in &self.series {
            for (class, of) in series.class.iter().zip(&series.part) {
                if *of == part && *class != NO_CLASS {
                    counts[usize::from(*class)] += 1;
                }
            }
        }
        counts
    }

    /// Shares of the classes in a part.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] where the part holds fewer than two classes: nothing can be told apart in it.
    pub fn class_shares(&self, part: Part) -> Result<[f64; CLASSES], SupervisedError> {
        let counts = self.class_counts(part);
        let total: u64 = counts.iter().sum();
        let present: Vec<String> = Label::ALL
            .iter()
            .zip(counts)
            .filter(|(_, count)| *count > 0)
            .map(|(label, _)| label.to_string())
            .collect();
        if present.len() < 2 {
            let found = present.first().map_or_else(
                || "it holds no labelled row".to_owned(),
                |class| format!("all of its {total} labels are {class}"),
            );
            return Err(SupervisedError::data(
                format!("the {} part", format!("{part:?}").to_lowercase()),
                format!("{found}; change the thresholds of the labeler, the split, or give more candles"),
            ));
        }
        Ok(counts.map(|count| count as f64 / total as f64))
    }

    /// Labelled rows of a part.
    pub fn rows(&self, part: Part) -> u64 {
        self.class_counts(part).iter().sum()
    }
}
