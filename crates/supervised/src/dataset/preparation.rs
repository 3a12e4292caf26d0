//! From features and labels to a dataset.

use features::{FeatureFrame, ScalerOptions, SelectionOptions, TrainingFrame};
use labels::LabelSeries;
use labels::splits::{Split, SplitPlan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Dataset, DatasetSeries, Excluded, FeatureFit, NO_CLASS, Part};
use crate::config::within;
use crate::error::SupervisedError;
use crate::selection::RankedSelectionConfig;

/// The features and the labels of one series.
#[derive(Clone, Debug)]
pub struct LabelledFrame {
    /// A row for each candle.
    pub frame: FeatureFrame,
    /// A label, or none, for each candle.
    pub labels: LabelSeries,
}

/// How features become inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PreparationConfig {
    /// How columns are brought to like size.
    pub scaler: ScalerOptions,
    /// Which columns are left out whatever the classes are.
    pub selection: SelectionOptions,
    /// Which of the others are kept for what they say of the classes on the training rows; all by default.
    pub ranking: Option<RankedSelectionConfig>,
    /// A series with fewer usable, labelled training rows is left out, and the report says so.
    pub minimum_rows_per_series: usize,
}

impl Default for PreparationConfig {
    /// Robust scaling, the default selection, at least 1,000 rows.
    fn default() -> Self {
        Self {
            scaler: ScalerOptions::default(),
            selection: SelectionOptions::default(),
            ranking: None,
            minimum_rows_per_series: 1_000,
        }
    }
}

impl PreparationConfig {
    /// Refuses values outside their range.
    ///
    /// # Errors
    /// Those of scaler and selection.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        self.scaler.validate()?;
        self.selection.validate()?;
        match &self.ranking {
            Some(ranking) => within("preparation.ranking", ranking.validate()),
            None => Ok(()),
        }
    }
}

/// Fits scaler and selection on the training rows and makes the dataset of training and validation. `plan` divides
/// time: its training intervals are learned from, its test intervals are the **validation**; what is to be judged at
/// the end must lie outside both.
///
/// The frames are taken apart column by column, so that features and inputs are never in memory together.
///
/// # Errors
/// [`SupervisedError::Data`] where no series is left, or where frame and labels are of different series; those of the
/// fits.
pub fn prepare(
    series: Vec<LabelledFrame>,
    plan: &SplitPlan,
    config: &PreparationConfig,
) -> Result<(Dataset, FeatureFit), SupervisedError> {
    config.validate()?;
    let series = checked(series)?;
    let mut excluded = Vec::new();
    let mut kept = Vec::with_capacity(series.len());
    for one in series {
        let split = plan.apply(&one.labels);
        let rows = TrainingFrame::new(&one.frame, split.train())?.rows().len();
        if rows < config.minimum_rows_per_series {
            let reason = format!(
                "{rows} usable, labelled training rows, and `minimum_rows_per_series` asks for {}",
                config.minimum_rows_per_series
            );
            excluded.push(Excluded { series: one.frame.key().to_string(), reason });
        } else {
            kept.push((one, split));
        }
    }
    let fit = {
        let frames = kept
            .iter()
            .map(|(one, split)| TrainingFrame::new(&one.frame, split.train()))
            .collect::<Result<Vec<_>, _>>()?;
        if frames.is_empty() {
            return Err(SupervisedError::data("the series", none_left(&excluded)));
        }
        let scaler = config.scaler.fit(&frames)?;
        let selection = config.selection.fit(&frames)?;
        FeatureFit { scaler, selection }
    };
    let kept = kept.into_iter().map(|(one, split)| (one, Rows::of(&split))).collect();
    let dataset = assemble(kept, excluded, &fit, Part::Validation)?;
    match &config.ranking {
        Some(ranking) => ranked(dataset, fit, ranking),
        None => Ok((dataset, fit)),
    }
}

/// Leaves out the columns that say least of the classes of the training rows.
fn ranked(
    mut dataset: Dataset,
    fit: FeatureFit,
    ranking: &RankedSelectionConfig,
) -> Result<(Dataset, FeatureFit), SupervisedError> {
    let rows = dataset.table(Part::Training, &[0])?;
    let selection = ranking.restrict(&fit.selection, &rows)?;
    let stays: Vec<bool> =
        fit.selection.kept().iter().map(|index| selection.kept().contains(index)).collect();
    for series in &mut dataset.series {
        series.frame.retain_columns(&stays);
    }
    dataset.width = selection.kept().len();
    Ok((dataset, FeatureFit { selection, ..fit }))
}

/// The dataset of an evaluation: what was fitted before is applied, and the test intervals of `plan` are the **test**.
///
/// # Errors
/// [`SupervisedError::Features`] for frames of another specification; else as [`prepare`].
pub fn prepare_with(
    series: Vec<LabelledFrame>,
    plan: &SplitPlan,
    fit: &FeatureFit,
) -> Result<Dataset, SupervisedError> {
    let series = checked(series)?;
    let rows = |one: LabelledFrame| {
        let rows = Rows::of(&plan.apply(&one.labels));
        (one, rows)
    };
    assemble(series.into_iter().map(rows).collect(), Vec::new(), fit, Part::Test)
}

/// The dataset of an evaluation of chosen rows: those that `wanted` takes are the **test**.
///
/// # Errors
/// As [`prepare_with`].
pub fn prepare_rows(
    series: Vec<LabelledFrame>,
    fit: &FeatureFit,
    wanted: impl Fn(&LabelSeries, usize) -> bool,
) -> Result<Dataset, SupervisedError> {
    let rows = |one: LabelledFrame| {
        let held_out = (0..one.labels.len()).filter(|row| wanted(&one.labels, *row)).collect();
        (one, Rows { training: Vec::new(), held_out })
    };
    assemble(checked(series)?.into_iter().map(rows).collect(), Vec::new(), fit, Part::Test)
}

fn none_left(excluded: &[Excluded]) -> String {
    let reasons: Vec<String> =
        excluded.iter().take(5).map(|one| format!("{}: {}", one.series, one.reason)).collect();
    if reasons.is_empty() {
        return "there is none; name candle files".to_owned();
    }
    format!("none is left ({}); give longer series, or lower the limit", reasons.join("; "))
}

/// In the order of their keys, so that the order in which they were read changes no bit of a fit.
fn checked(mut series: Vec<LabelledFrame>) -> Result<Vec<LabelledFrame>, SupervisedError> {
    series.sort_by(|left, right| left.frame.key().cmp(right.frame.key()));
    for two in series.windows(2) {
        if two[0].frame.key() == two[1].frame.key() {
            let what = format!("the series {}", two[0].frame.key());
            return Err(SupervisedError::data(
                what,
                "it is there twice, and would count twice; give it once",
            ));
        }
    }
    for one in &series {
        if one.frame.key() != one.labels.key() || one.frame.len() != one.labels.len() {
            return Err(SupervisedError::data(
                format!("the labels of {} ({} candles)", one.labels.key(), one.labels.len()),
                format!("the features are of {} ({} candles)", one.frame.key(), one.frame.len()),
            ));
        }
    }
    Ok(series)
}

/// The labelled rows of a series that are learned from, and those that something is judged by.
struct Rows {
    training: Vec<usize>,
    held_out: Vec<usize>,
}

impl Rows {
    fn of(split: &Split) -> Self {
        Self { training: split.train().indices().to_vec(), held_out: split.test().to_vec() }
    }
}

fn assemble(
    series: Vec<(LabelledFrame, Rows)>,
    excluded: Vec<Excluded>,
    fit: &FeatureFit,
    held_out: Part,
) -> Result<Dataset, SupervisedError> {
    let mut prepared = Vec::with_capacity(series.len());
    for (one, of_series) in series {
        let LabelledFrame { frame, labels } = one;
        let rows = frame.len();
        let mut part = vec![Part::None; rows];
        for (indices, as_part) in [(of_series.training, Part::Training), (of_series.held_out, held_out)] {
            for row in indices {
                if frame.is_valid(row) {
                    part[row] = as_part;
                }
            }
        }
        let mut class = vec![NO_CLASS; rows];
        let mut uniqueness = vec![0.0; rows];
        for (row, label) in labels.iter() {
            // At most 2: there are three classes.
            class[row] = label.label.index() as u8;
            uniqueness[row] = label.uniqueness as f32;
        }
        drop(labels);
        let frame = fit.scaler.scale_selected(frame, &fit.selection)?;
        let runs = frame.runs();
        prepared.push(DatasetSeries { frame, runs, class, uniqueness, part });
    }
    Ok(Dataset {
        series: prepared,
        excluded,
        feature_hash: fit.scaler.feature_hash().to_owned(),
        width: fit.selection.kept().len(),
    })
}
