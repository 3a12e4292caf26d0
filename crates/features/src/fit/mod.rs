//! What is fitted: scalers and selections. Fitting takes training rows only; what was fitted is another type,
//! which can be stored and applied to anything.

mod scaled_frame;
mod scaler;
mod selection;

use market_data::TrainingRows;

pub use scaled_frame::ScaledFrame;
pub use scaler::{ColumnScale, Scaler, ScalerOptions};
pub use selection::{DropReason, Dropped, Selection, SelectionOptions};

use crate::error::FeatureError;
use crate::frame::FeatureFrame;

/// The rows of one frame that may be learned from: training rows that are not masked.
#[derive(Clone, Debug)]
pub struct TrainingFrame<'a> {
    frame: &'a FeatureFrame,
    rows: Vec<usize>,
}

impl<'a> TrainingFrame<'a> {
    /// The rows of `frame` that `training` allows.
    ///
    /// # Errors
    /// [`FeatureError::Mismatch`] where these are rows of another series, or of another length of it.
    pub fn new(frame: &'a FeatureFrame, training: &impl TrainingRows) -> Result<Self, FeatureError> {
        if frame.key() != training.series() {
            return Err(FeatureError::mismatch("the training rows", frame.key(), training.series()));
        }
        if frame.len() != training.candles() {
            return Err(FeatureError::mismatch(
                format!("the training rows of {}", frame.key()),
                format!("{} candles", frame.len()),
                format!("{} candles", training.candles()),
            ));
        }
        let rows = training.indices().iter().copied().filter(|row| frame.is_valid(*row)).collect();
        Ok(Self { frame, rows })
    }

    /// The frame.
    pub const fn frame(&self) -> &'a FeatureFrame {
        self.frame
    }

    /// The rows that may be learned from, in increasing order.
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }
}

/// The hash that all frames share, and how many rows they have together.
fn check_frames(what: &str, frames: &[TrainingFrame<'_>], least: usize) -> Result<String, FeatureError> {
    let rows = frames.iter().map(|frame| frame.rows.len()).sum();
    let Some(first) = frames.first().filter(|_| rows >= least) else {
        return Err(FeatureError::TooLittle {
            what: what.to_owned(),
            needed: least,
            unit: "unmasked training rows",
            found: rows,
            remedy: "give longer series, or a specification with a shorter warm-up".to_owned(),
        });
    };
    let hash = first.frame.hash();
    for other in frames {
        if other.frame.hash() != hash {
            let what = format!("the frame of {}", other.frame.key());
            return Err(FeatureError::mismatch(what, hash, other.frame.hash()));
        }
    }
    Ok(hash.to_owned())
}

/// The training values of one column of all frames.
fn gather(frames: &[TrainingFrame<'_>], column: usize, into: &mut Vec<f64>) {
    into.clear();
    for frame in frames {
        let values = &frame.frame.values()[column];
        match (frame.rows.first(), frame.rows.last()) {
            // Mostly training rows follow one another.
            (Some(&first), Some(&last)) if last - first + 1 == frame.rows.len() => {
                into.extend_from_slice(&values[first..=last]);
            }
            _ => into.extend(frame.rows.iter().map(|row| values[*row])),
        }
    }
}
