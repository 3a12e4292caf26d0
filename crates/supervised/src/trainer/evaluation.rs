//! Logits of the labelled rows of a part, without gradients.

use burn::tensor::{Device, Tensor, TensorData};
use networks::{NetworkRun, NetworkState, values};
use xlstm::Pooling;

use crate::classifier::Classifier;
use crate::config::{Objective, SupervisedConfig};
use crate::dataset::{CLASSES, Dataset, NO_CLASS, Part, SampleWindow};
use crate::error::SupervisedError;

/// Segments that run side by side.
const PARALLEL: usize = 32;
/// Steps of one call.
const CHUNK: usize = 128;
/// Rows of one segment, context not counted.
const SEGMENT: usize = 2_048;

/// Logits of labelled rows, by series and row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowLogits {
    /// Position of the series in the dataset.
    pub series: Vec<u32>,
    /// The row.
    pub row: Vec<u32>,
    /// Its class.
    pub targets: Vec<u8>,
    /// `[rows, 3]`.
    pub logits: Vec<f32>,
}

impl RowLogits {
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
}

/// The logits of all labelled rows of a part, as the objective of the configuration asks for them.
///
/// With [`Objective::EveryStep`] a run of validation rows is cut into segments, each of which begins
/// `validation.context` rows earlier from an empty state: near to what a state carried from the beginning of the run
/// gives, and much sooner done.
///
/// # Errors
/// Those of the network.
pub fn evaluate(
    classifier: &Classifier,
    dataset: &Dataset,
    part: Part,
    config: &SupervisedConfig,
) -> Result<RowLogits, SupervisedError> {
    match config.objective {
        Objective::LastStep => last_step(classifier, dataset, part, config),
        Objective::EveryStep => every_step(classifier, dataset, part, config.validation.context),
    }
}

fn device_of(classifier: &Classifier) -> Device {
    classifier.head.linear.weight.val().device()
}

fn last_step(
    classifier: &Classifier,
    dataset: &Dataset,
    part: Part,
    config: &SupervisedConfig,
) -> Result<RowLogits, SupervisedError> {
    let (length, width) = (config.sequence_length, dataset.width());
    let samples = dataset.samples(part, length);
    let device = device_of(classifier);
    let mut found = RowLogits::default();
    for batch in samples.chunks(config.validation.batch) {
        let mut inputs = vec![0.0; batch.len() * length * width];
        for (sample, window) in batch.iter().zip(inputs.chunks_exact_mut(length * width)) {
            let start = sample.row + 1 - length as u32;
            dataset.copy_window(SampleWindow { series: sample.series, start }, window)?;
            found.series.push(sample.series);
            found.row.push(sample.row);
            found.targets.push(sample.class);
        }
        let input = Tensor::from_data(TensorData::new(inputs, [batch.len(), length, width]), &device);
        let last_only = classifier.head.config().pooling == Pooling::Last;
        let (hidden, _) = classifier.network.run(input, NetworkRun { last_only, ..NetworkRun::default() })?;
        found.logits.extend(values(classifier.head.forward(hidden, None, None)?)?);
    }
    Ok(found)
}

/// Rows of a run that are run through together.
struct Segment {
    series: usize,
    /// The first row that is run through.
    start: usize,
    /// The first row whose logits are wanted.
    wanted_from: usize,
    end: usize,
}

fn segments(dataset: &Dataset, part: Part, context: usize) -> Vec<Segment> {
    let mut segments = Vec::new();
    for (index, series) in dataset.series().iter().enumerate() {
        let wanted = |row: &usize| series.parts()[*row] == part && series.classes()[*row] != NO_CLASS;
        for run in series.runs() {
            let Some(first) = run.clone().find(wanted) else { continue };
            let end = run.clone().rev().find(wanted).map_or(first, |last| last + 1);
            for wanted_from in (first..end).step_by(SEGMENT) {
                let end = end.min(wanted_from + SEGMENT);
                if (wanted_from..end).any(|row| wanted(&row)) {
                    let start = wanted_from.saturating_sub(context).max(run.start);
                    segments.push(Segment { series: index, start, wanted_from, end });
                }
            }
        }
    }
    segments
}

fn every_step(
    classifier: &Classifier,
    dataset: &Dataset,
    part: Part,
    context: usize,
) -> Result<RowLogits, SupervisedError> {
    let mut segments = segments(dataset, part, context);
    // Segments of like length together, so that few steps are padding.
    segments.sort_by_key(|segment| (segment.end - segment.start, segment.series, segment.start));
    let mut found = Vec::new();
    for together in segments.chunks(PARALLEL) {
        run_together(classifier, dataset, part, together, &mut found)?;
    }
    found.sort_unstable_by_key(|(series, row, _, _)| (*series, *row));
    let mut rows = RowLogits::default();
    for (series, row, class, logits) in found {
        rows.series.push(series);
        rows.row.push(row);
        rows.targets.push(class);
        rows.logits.extend(logits);
    }
    Ok(rows)
}

type Found = (u32, u32, u8, [f32; CLASSES]);

fn run_together(
    classifier: &Classifier,
    dataset: &Dataset,
    part: Part,
    together: &[Segment],
    found: &mut Vec<Found>,
) -> Result<(), SupervisedError> {
    let width = dataset.width();
    let device = device_of(classifier);
    let longest = together.iter().map(|segment| segment.end - segment.start).max().unwrap_or(0);
    let mut state: Option<NetworkState> = None;
    for offset in (0..longest).step_by(CHUNK) {
        let time = CHUNK.min(longest - offset);
        let mut inputs = vec![0.0; together.len() * time * width];
        for (segment, rows) in together.iter().zip(inputs.chunks_exact_mut(time * width)) {
            let from = (segment.start + offset).min(segment.end);
            let steps = time.min(segment.end - from);
            let series = &dataset.series()[segment.series];
            series.frame().copy_rows(from..from + steps, &mut rows[..steps * width])?;
        }
        let input = Tensor::from_data(TensorData::new(inputs, [together.len(), time, width]), &device);
        let run = NetworkRun { state: state.take(), keep_state: true, ..NetworkRun::default() };
        let (hidden, next) = classifier.network.run(input, run)?;
        state = next;
        let logits = values(classifier.head.every_step(hidden, None))?;
        for (segment, logits) in together.iter().zip(logits.chunks_exact(time * CLASSES)) {
            let series = &dataset.series()[segment.series];
            for (step, logits) in logits.chunks_exact(CLASSES).enumerate() {
                let row = segment.start + offset + step;
                let inside = (segment.wanted_from..segment.end).contains(&row);
                if inside && series.parts()[row] == part && series.classes()[row] != NO_CLASS {
                    let logits = [logits[0], logits[1], logits[2]];
                    found.push((segment.series as u32, row as u32, series.classes()[row], logits));
                }
            }
        }
    }
    Ok(())
}
