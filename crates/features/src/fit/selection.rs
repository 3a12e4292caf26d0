//! Selections: columns that say something, and do not say it twice.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scaler::mean_and_deviation;
use super::{TrainingFrame, check_frames, gather};
use crate::error::FeatureError;
use crate::group::time::cycle_millis;

/// Which columns are left out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SelectionOptions {
    /// Variance filter: columns whose variance on the training rows is at most this are left out. 0 leaves out
    /// constant columns only; without it no column is left out for its variance.
    pub minimum_variance: Option<f64>,
    /// Correlation filter: of two columns whose correlation on the training rows is larger than this (in size),
    /// the later one is left out. Without it none is.
    pub maximum_correlation: Option<f64>,
    /// Calendar filter: columns that tell the place in a day, week, month or year are left out where the training rows do
    /// not span this many of them. What was seen once or twice is no cycle: the month of the year in half a year of candles
    /// is the date, and a model that learns from it what happened then expects it where it never looked. Without it none
    /// is.
    pub minimum_cycles: Option<f64>,
    /// Rows that the correlations are taken from at most, evenly spread over the training rows.
    pub correlation_rows: usize,
}

impl Default for SelectionOptions {
    fn default() -> Self {
        Self {
            minimum_variance: Some(0.0),
            maximum_correlation: Some(0.98),
            minimum_cycles: Some(3.0),
            correlation_rows: 50_000,
        }
    }
}

/// Why a column is left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DropReason {
    /// Its variance is too small.
    Variance(f64),
    /// The training rows do not span enough of the cycle that it tells the place in.
    Cycles(f64),
    /// It says what an earlier column says.
    Correlation {
        /// That column.
        with: String,
        /// Their correlation.
        correlation: f64,
    },
    /// Others say more of the classes.
    Score {
        /// What the columns were ranked by.
        method: String,
        /// What it gave for this one.
        score: f64,
        /// Its place among the columns ranked, from 1 for the best.
        rank: usize,
    },
}

/// A column that is left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropped {
    /// Name of the column.
    pub name: String,
    /// Why.
    pub reason: DropReason,
}

/// A fitted selection of columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    feature_hash: String,
    kept: Vec<usize>,
    names: Vec<String>,
    dropped: Vec<Dropped>,
}

impl SelectionOptions {
    /// Refuses values outside their range.
    ///
    /// # Errors
    /// [`FeatureError::InvalidSpec`] names the field.
    pub fn validate(&self) -> Result<(), FeatureError> {
        if let Some(variance) = self.minimum_variance
            && !(variance >= 0.0 && variance.is_finite())
        {
            return Err(FeatureError::spec("minimum_variance", variance, "give a number of 0 or more"));
        }
        if let Some(correlation) = self.maximum_correlation
            && !(correlation > 0.0 && correlation <= 1.0)
        {
            return Err(FeatureError::spec(
                "maximum_correlation",
                correlation,
                "give a number above 0, up to 1",
            ));
        }
        if let Some(cycles) = self.minimum_cycles
            && !(cycles >= 0.0 && cycles.is_finite())
        {
            return Err(FeatureError::spec("minimum_cycles", cycles, "give a number of 0 or more"));
        }
        if self.correlation_rows < 2 {
            return Err(FeatureError::spec("correlation_rows", self.correlation_rows, "give at least 2"));
        }
        Ok(())
    }

    /// Finds the columns to keep, by the training rows of all frames together.
    ///
    /// # Errors
    /// [`FeatureError::TooLittle`] where there are fewer than two rows, or where nothing would be left;
    /// [`FeatureError::Mismatch`] where frames come from different specifications; [`FeatureError::InvalidSpec`].
    pub fn fit(&self, frames: &[TrainingFrame<'_>]) -> Result<Selection, FeatureError> {
        self.validate()?;
        let feature_hash = check_frames("selecting columns", frames, 2)?;
        let names: Vec<String> = frames
            .first()
            .map(|first| first.frame().columns().iter().map(|column| column.name.clone()).collect())
            .unwrap_or_default();
        let rows: usize = frames.iter().map(|frame| frame.rows().len()).sum();
        let step = rows.div_ceil(self.correlation_rows).max(1);
        let span = span_millis(frames);
        let mut values = Vec::new();
        let mut dropped = Vec::new();
        let mut kept: Vec<(usize, Vec<f64>)> = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let cycles = cycle_millis(name).map(|cycle| span / cycle);
            if let (Some(cycles), Some(minimum)) = (cycles, self.minimum_cycles)
                && cycles < minimum
            {
                dropped.push(Dropped { name: name.clone(), reason: DropReason::Cycles(cycles) });
                continue;
            }
            gather(frames, index, &mut values);
            let (_, deviation) = mean_and_deviation(&values);
            let constant = values.iter().all(|value| *value == values[0]);
            let variance = if constant { 0.0 } else { deviation * deviation };
            if self.minimum_variance.is_some_and(|minimum| variance <= minimum) {
                dropped.push(Dropped { name: name.clone(), reason: DropReason::Variance(variance) });
                continue;
            }
            let mut normal = Vec::new();
            if let Some(maximum) = self.maximum_correlation {
                normal = unit_vector(values.iter().copied().step_by(step).collect());
                let twin = kept.iter().map(|(other, vector)| (*other, dot(vector, &normal)));
                if let Some((other, correlation)) = twin.into_iter().find(|(_, r)| r.abs() > maximum) {
                    let reason = DropReason::Correlation { with: names[other].clone(), correlation };
                    dropped.push(Dropped { name: name.clone(), reason });
                    continue;
                }
            }
            kept.push((index, normal));
        }
        if kept.is_empty() {
            return Err(FeatureError::TooLittle {
                what: "a selection".to_owned(),
                needed: 1,
                unit: "columns that pass its filters",
                found: 0,
                remedy: "lower `minimum_variance`".to_owned(),
            });
        }
        let kept: Vec<usize> = kept.into_iter().map(|(index, _)| index).collect();
        Ok(Selection {
            feature_hash,
            names: kept.iter().map(|index| names[*index].clone()).collect(),
            kept,
            dropped,
        })
    }
}

/// From the first training row of all frames to the last, in milliseconds.
fn span_millis(frames: &[TrainingFrame<'_>]) -> f64 {
    let time = |frame: &TrainingFrame<'_>, row: Option<&usize>| {
        row.map(|row| frame.frame().open_times()[*row].as_millis())
    };
    let first = frames.iter().filter_map(|frame| time(frame, frame.rows().first())).min();
    let last = frames.iter().filter_map(|frame| time(frame, frame.rows().last())).max();
    first.zip(last).map_or(0.0, |(first, last)| (last - first) as f64)
}

/// The values without their mean, with length 1, so that a product of two is their correlation; zeros for a
/// constant.
fn unit_vector(mut values: Vec<f64>) -> Vec<f64> {
    let (mean, deviation) = mean_and_deviation(&values);
    let length = deviation * (values.len() as f64).sqrt();
    let factor = if length > 0.0 { 1.0 / length } else { 0.0 };
    for value in &mut values {
        *value = (*value - mean) * factor;
    }
    values
}

/// Sum of products, over four lanes so that it runs as fast as memory gives.
fn dot(left: &[f64], right: &[f64]) -> f64 {
    let mut lanes = [0.0; 4];
    let (left, right) = (left.chunks_exact(4), right.chunks_exact(4));
    let rest: f64 = left.remainder().iter().zip(right.remainder()).map(|(l, r)| l * r).sum();
    for (left, right) in left.zip(right) {
        for lane in 0..4 {
            lanes[lane] += left[lane] * right[lane];
        }
    }
    lanes.iter().sum::<f64>() + rest
}

impl Selection {
    /// [`crate::FeatureFrame::hash`] of the frames that it was fitted on.
    pub fn feature_hash(&self) -> &str {
        &self.feature_hash
    }

    /// Positions of the columns kept, in their order.
    pub fn kept(&self) -> &[usize] {
        &self.kept
    }

    /// Names of the columns kept, in their order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The columns left out, and why.
    pub fn dropped(&self) -> &[Dropped] {
        &self.dropped
    }

    /// The same selection with fewer columns: those of `reasons`, one for each column kept so far, without a reason.
    ///
    /// # Errors
    /// [`FeatureError::Mismatch`] where the reasons are not one a column; [`FeatureError::TooLittle`] where no column is left.
    pub fn restrict(&self, reasons: Vec<Option<DropReason>>) -> Result<Self, FeatureError> {
        if reasons.len() != self.kept.len() {
            return Err(FeatureError::mismatch(
                "the reasons to leave columns out".to_owned(),
                format!("one for each of {} columns", self.kept.len()),
                reasons.len().to_string(),
            ));
        }
        let mut restricted = Self {
            feature_hash: self.feature_hash.clone(),
            kept: Vec::new(),
            names: Vec::new(),
            dropped: self.dropped.clone(),
        };
        for ((index, name), reason) in self.kept.iter().zip(&self.names).zip(reasons) {
            if let Some(reason) = reason {
                restricted.dropped.push(Dropped { name: name.clone(), reason });
            } else {
                restricted.kept.push(*index);
                restricted.names.push(name.clone());
            }
        }
        if restricted.kept.is_empty() {
            return Err(FeatureError::TooLittle {
                what: "a selection".to_owned(),
                needed: 1,
                unit: "columns",
                found: 0,
                remedy: "keep more columns".to_owned(),
            });
        }
        Ok(restricted)
    }

    /// The values of the columns kept, of a row or of a list of columns.
    pub fn pick<'a, T>(&'a self, row: &'a [T]) -> impl Iterator<Item = &'a T> + 'a {
        self.kept.iter().filter_map(|index| row.get(*index))
    }
}
