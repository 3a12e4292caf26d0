//! What a model is worth, on rows that it did not learn from.

use std::collections::BTreeMap;

use labels::LabelSeries;
use market_data::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::calibration::{Calibration, DecisionRule, TemperatureScaling};
use crate::config::CalibrationConfig;
use crate::dataset::{CLASSES, Dataset};
use crate::error::SupervisedError;
use crate::metrics::{
    BootstrapConfig, BootstrapInterval, Metrics, Reliability, area_under_curve, block_bootstrap,
    log_loss_advantage,
};
use crate::predictor::FrameLogits;
use crate::trainer::RowLogits;

/// The logits of labelled rows beside their classes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScoredRows {
    names: Vec<String>,
    /// Position in `names`, per row.
    series: Vec<u32>,
    open_time: Vec<Timestamp>,
    targets: Vec<u8>,
    /// `[rows, 3]`.
    logits: Vec<f32>,
}

impl ScoredRows {
    /// Adds the rows of one series that have logits and a label, of those that `wanted` takes.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] where the labels are of another series.
    pub fn extend(
        &mut self,
        found: &FrameLogits,
        labels: &LabelSeries,
        wanted: impl Fn(usize) -> bool,
    ) -> Result<(), SupervisedError> {
        if found.key != *labels.key() {
            let what = format!("the labels of {}", labels.key());
            return Err(SupervisedError::data(what, format!("the predictions are of {}", found.key)));
        }
        let series = self.names.len() as u32;
        self.names.push(found.key.to_string());
        for (row, logits) in found.rows.iter().zip(&found.logits) {
            let (Some(label), Some(open_time)) = (labels.label(*row), labels.open_time(*row)) else {
                continue;
            };
            if wanted(*row) {
                self.series.push(series);
                self.open_time.push(open_time);
                self.targets.push(label.index() as u8);
                self.logits.extend(logits);
            }
        }
        Ok(())
    }

    /// Adds all rows of others.
    pub fn append(&mut self, others: Self) {
        let before = self.names.len() as u32;
        self.names.extend(others.names);
        self.series.extend(others.series.iter().map(|series| series + before));
        self.open_time.extend(others.open_time);
        self.targets.extend(others.targets);
        self.logits.extend(others.logits);
    }

    /// Labelled rows of a dataset with their logits, as [`crate::evaluate`] gives them.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] where the dataset has no such rows.
    pub fn of_dataset(dataset: &Dataset, found: &RowLogits) -> Result<Self, SupervisedError> {
        let names = dataset.series().iter().map(|series| series.key().to_string()).collect();
        let open_time = |(series, row): (&u32, &u32)| {
            let times = dataset.series().get(*series as usize)?.frame().open_times();
            times.get(*row as usize).copied()
        };
        let open_time: Option<Vec<Timestamp>> = found.series.iter().zip(&found.row).map(open_time).collect();
        let open_time = open_time
            .ok_or_else(|| SupervisedError::data("the rows with logits", "they are of another dataset"))?;
        let (series, targets, logits) = (found.series.clone(), found.targets.clone(), found.logits.clone());
        Ok(Self { names, series, open_time, targets, logits })
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// When the candle of each row opens.
    #[must_use]
    pub fn open_times(&self) -> &[Timestamp] {
        &self.open_time
    }

    /// Name of the series of a row.
    #[must_use]
    pub fn series_of(&self, row: usize) -> Option<&str> {
        self.names.get(*self.series.get(row)? as usize).map(String::as_str)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// The classes.
    #[must_use]
    pub fn targets(&self) -> &[u8] {
        &self.targets
    }

    /// `[rows, 3]`.
    #[must_use]
    pub fn logits(&self) -> &[f32] {
        &self.logits
    }
}

/// Rows with the probabilities and classes that a model makes of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JudgedRows {
    rows: ScoredRows,
    /// `[rows, 3]`.
    probabilities: Vec<f32>,
    classes: Vec<u8>,
}

impl JudgedRows {
    /// What calibration makes of the logits.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] for logits that are not finite.
    pub fn new(rows: ScoredRows, calibration: &Calibration) -> Result<Self, SupervisedError> {
        let (probabilities, classes) = calibration.apply(&rows.logits)?;
        Ok(Self { rows, probabilities, classes })
    }

    /// The same rows with classes that were decided otherwise, one for each row.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] where they are more or fewer than the rows.
    pub fn with_classes(self, classes: Vec<u8>) -> Result<Self, SupervisedError> {
        if classes.len() != self.rows.len() {
            let reason = format!("they are {}, the rows {}", classes.len(), self.rows.len());
            return Err(SupervisedError::data("the classes", reason));
        }
        Ok(Self { classes, ..self })
    }

    /// Adds all rows of others, which another model may have judged.
    pub fn append(&mut self, others: Self) {
        self.rows.append(others.rows);
        self.probabilities.extend(others.probabilities);
        self.classes.extend(others.classes);
    }

    /// The rows.
    #[must_use]
    pub fn rows(&self) -> &ScoredRows {
        &self.rows
    }

    /// Calibrated probabilities, `[rows, 3]`.
    #[must_use]
    pub fn probabilities(&self) -> &[f32] {
        &self.probabilities
    }

    /// The classes decided.
    #[must_use]
    pub fn classes(&self) -> &[u8] {
        &self.classes
    }
}

/// Fits temperature and decision rule on validation rows.
///
/// # Errors
/// [`SupervisedError::Data`] where there are no rows, or rows of one class only.
pub fn calibrate(rows: &ScoredRows, config: &CalibrationConfig) -> Result<Calibration, SupervisedError> {
    let temperature = if config.temperature.enabled {
        TemperatureScaling::fit(&rows.logits, &rows.targets)?
    } else {
        TemperatureScaling::default()
    };
    let probabilities = temperature.apply(&rows.logits)?;
    let decision = DecisionRule::fit(&probabilities, &rows.targets, &config.decision)?;
    Ok(Calibration { temperature, decision })
}

/// Whether a model knows more than the class shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Skill {
    /// Its log-loss is lower than that of the training shares, beyond chance.
    Better,
    /// Which of the two is better cannot be told.
    Unclear,
    /// Its log-loss is higher, beyond chance.
    Worse,
}

/// What a model was found to be worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assessment {
    /// With the classes that the decision rule chooses.
    pub decided: Metrics,
    /// With the most probable classes.
    pub most_probable: Metrics,
    /// How much lower the log-loss is than that of constant training shares, in nats a row; mean over the series of a
    /// time, with a 95 % interval by the block bootstrap. Absent where there are too few rows for one.
    pub advantage: Option<BootstrapInterval>,
    /// What the interval says.
    pub skill: Skill,
    /// Whether it moves: area under the curve of the probability of not holding, over all rows.
    pub move_auc: Option<f64>,
    /// Where to: area under the curve of buy against sell, over the rows that are not hold. What a trader lives on; a model
    /// can be better than the class shares by telling when it will move and not where.
    pub direction_auc: Option<f64>,
    /// As `advantage`, of buy against sell alone, in nats a row that is not hold.
    pub direction_advantage: Option<BootstrapInterval>,
    /// Probabilities beside what happened.
    pub reliability: Reliability,
    /// By series, with the classes that the decision rule chooses.
    pub series: BTreeMap<String, Metrics>,
}

/// Judges rows. `prior` are the class shares of training, `block` the rows that depend on each other (several times the
/// window of the labels), `seed` that of the bootstrap.
///
/// # Errors
/// [`SupervisedError::Data`] where there is no row.
pub fn assess(
    rows: &ScoredRows,
    calibration: &Calibration,
    prior: [f64; CLASSES],
    block: usize,
    seed: u64,
) -> Result<Assessment, SupervisedError> {
    assess_judged(&JudgedRows::new(rows.clone(), calibration)?, prior, block, seed)
}

/// As [`assess`], of rows whose classes are decided.
///
/// # Errors
/// As [`assess`].
pub fn assess_judged(
    judged: &JudgedRows,
    prior: [f64; CLASSES],
    block: usize,
    seed: u64,
) -> Result<Assessment, SupervisedError> {
    let JudgedRows { rows, probabilities, classes } = judged;
    if rows.is_empty() {
        let reason = "no row has features, a label and a place in it; give longer series, or another split";
        return Err(SupervisedError::data("the part to judge", reason));
    }
    let most_probable = DecisionRule::default().apply(probabilities)?;
    let all: Vec<usize> = (0..rows.len()).collect();
    let advantage =
        interval(rows, &all, &log_loss_advantage(probabilities, &rows.targets, prior)?, block, seed)?;
    let direction = Direction::of(probabilities, &rows.targets, prior);
    let is_move: Vec<bool> = rows.targets.iter().map(|target| *target != HOLD).collect();
    let of_move: Vec<f64> = probabilities.chunks_exact(CLASSES).map(|row| 1.0 - f64::from(row[1])).collect();
    let mut series = BTreeMap::new();
    for (index, name) in rows.names.iter().enumerate() {
        let own: Vec<usize> = (0..rows.len()).filter(|row| rows.series[*row] as usize == index).collect();
        if own.is_empty() {
            continue;
        }
        let of = |values: &[u8]| -> Vec<u8> { own.iter().map(|row| values[*row]).collect() };
        let own_probabilities: Vec<f32> =
            own.iter().flat_map(|row| &probabilities[row * CLASSES..(row + 1) * CLASSES]).copied().collect();
        let metrics = Metrics::of(&own_probabilities, &of(&rows.targets), &of(classes), prior)?;
        series.insert(name.clone(), metrics);
    }
    Ok(Assessment {
        decided: Metrics::of(probabilities, &rows.targets, classes, prior)?,
        most_probable: Metrics::of(probabilities, &rows.targets, &most_probable, prior)?,
        advantage,
        skill: Skill::of(advantage),
        move_auc: area_under_curve(&of_move, &is_move),
        direction_auc: area_under_curve(&direction.buy, &direction.rose),
        direction_advantage: interval(rows, &direction.rows, &direction.advantage, block, seed)?,
        reliability: Reliability::of(probabilities, &rows.targets)?,
        series,
    })
}

/// Position of HOLD.
const HOLD: u8 = 1;

impl Skill {
    /// What an interval of the advantage says.
    #[must_use]
    pub fn of(advantage: Option<BootstrapInterval>) -> Self {
        match advantage {
            Some(interval) if interval.lower > 0.0 => Self::Better,
            Some(interval) if interval.upper < 0.0 => Self::Worse,
            _ => Self::Unclear,
        }
    }
}

/// The rows that are not hold, and what was said of their direction.
struct Direction {
    rows: Vec<usize>,
    /// Probability of buy, given that it is not hold.
    buy: Vec<f64>,
    rose: Vec<bool>,
    /// How much lower the log-loss of the direction is than that of the training shares.
    advantage: Vec<f64>,
}

impl Direction {
    fn of(probabilities: &[f32], targets: &[u8], prior: [f64; CLASSES]) -> Self {
        let share = |sell: f64, buy: f64| {
            // Both can round to nothing.
            let sum = sell + buy;
            if sum > 0.0 { (buy / sum).clamp(1e-9, 1.0 - 1e-9) } else { 0.5 }
        };
        let expected = share(prior[0], prior[2]);
        let mut direction =
            Self { rows: Vec::new(), buy: Vec::new(), rose: Vec::new(), advantage: Vec::new() };
        for (index, (row, target)) in probabilities.chunks_exact(CLASSES).zip(targets).enumerate() {
            if *target == HOLD {
                continue;
            }
            let (buy, rose) = (share(f64::from(row[0]), f64::from(row[2])), *target > HOLD);
            let gain = if rose { (buy / expected).ln() } else { ((1.0 - buy) / (1.0 - expected)).ln() };
            direction.rows.push(index);
            direction.buy.push(buy);
            direction.rose.push(rose);
            direction.advantage.push(gain);
        }
        direction
    }
}

/// The interval of the mean of values of `of_rows`, with series of one time averaged: they move together.
fn interval(
    rows: &ScoredRows,
    of_rows: &[usize],
    values: &[f64],
    block: usize,
    seed: u64,
) -> Result<Option<BootstrapInterval>, SupervisedError> {
    let mut by_time: BTreeMap<Timestamp, (f64, u32)> = BTreeMap::new();
    for (row, value) in of_rows.iter().zip(values) {
        let entry = by_time.entry(rows.open_time[*row]).or_default();
        *entry = (entry.0 + value, entry.1 + 1);
    }
    let means: Vec<f64> = by_time.values().map(|(sum, count)| sum / f64::from(*count)).collect();
    let config = BootstrapConfig { block_length: block.max(1), seed, ..BootstrapConfig::default() };
    // Fewer than twenty blocks would make the interval look narrower than it is.
    if means.len() < 20 * config.block_length {
        return Ok(None);
    }
    block_bootstrap(&[&means], &config).map(Some)
}
