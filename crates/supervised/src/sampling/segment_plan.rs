//! Segments of the objective `every_step`.

use std::ops::Range;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::configuration::require;
use crate::SupervisedError;
use crate::random::generator;

/// How stretches of rows are cut for truncated back-propagation through time (Williams and Peng 1990).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SegmentConfig {
    /// Segments that run in parallel, at least 1. Default 32: with 64 steps a chunk has 2048 rows.
    pub batch: usize,
    /// Steps through which gradients flow back, at least 1; the state is carried on without them. Default
    /// 64.
    pub chunk: usize,
    /// Rows of a segment that may count in the loss, at least 1. Default 512: eight times the burn-in, so
    /// that little is computed without being learnt from.
    pub supervised_steps: usize,
    /// Rows in front of them that only fill the state. Default 64.
    pub burn_in: usize,
}

/// The longest segment, so that rows always fit an index of 32 bits.
const LONGEST: usize = 1 << 24;

impl Default for SegmentConfig {
    fn default() -> Self {
        Self { batch: 32, chunk: 64, supervised_steps: 512, burn_in: 64 }
    }
}

impl SegmentConfig {
    /// Refuses values outside their range.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] names the field and its range.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        const LENGTH: &str = "give at least 1 step and at most 16777216";
        let length = |steps: usize| (1..=LONGEST).contains(&steps);
        require(self.batch >= 1, "batch", self.batch, "give at least 1 segment, for example 32")?;
        require(length(self.chunk), "chunk", self.chunk, LENGTH)?;
        require(length(self.supervised_steps), "supervised_steps", self.supervised_steps, LENGTH)?;
        require(self.burn_in <= LONGEST, "burn_in", self.burn_in, "give at most 16777216 steps, 0 for none")
    }
}

/// Consecutive usable rows of a series: no gap between them, every feature known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Index of the series.
    pub series: u32,
    /// First row.
    pub start: u32,
    /// How many rows; a run of none is passed over.
    pub length: u32,
}

/// Consecutive rows that go through the network from an empty state.
///
/// The loss counts the rows from `supervised_from` on that have a training label; the rows before only fill
/// the state. A segment at the start of its run has nothing before it: the state is truly empty there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Index of the series.
    pub series: u32,
    /// First row.
    pub start: u32,
    /// How many rows, burn-in included.
    pub length: u32,
    /// The first step that may count, from 0 at `start`.
    pub supervised_from: u32,
}

impl Segment {
    /// All its rows.
    pub fn rows(&self) -> Range<u32> {
        self.start..self.start + self.length
    }

    /// The rows that count in the loss where they have a training label.
    pub fn supervised_rows(&self) -> Range<u32> {
        self.start + self.supervised_from..self.start + self.length
    }
}

/// Segments that run in parallel, all beginning at step 0.
///
/// A segment shorter than [`steps`](Self::steps) is padded at its end: its steps from `length` on have no
/// row. Whatever stands there, they must count nothing in the loss; no later row sees their state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentBatch {
    /// At least 1, at most the configured number.
    pub segments: Vec<Segment>,
}

impl SegmentBatch {
    /// Steps of the longest segment.
    pub fn steps(&self) -> usize {
        self.segments.iter().map(|segment| segment.length as usize).max().unwrap_or(0)
    }

    /// The steps chunk by chunk, the last of which may be shorter.
    pub fn chunks(&self, chunk: usize) -> impl Iterator<Item = Range<usize>> {
        let (steps, chunk) = (self.steps(), chunk.max(1));
        (0..steps).step_by(chunk).map(move |start| start..(start + chunk).min(steps))
    }
}

/// Cuts runs into segments, differently in every epoch.
///
/// In an epoch every row of a run belongs to the supervised part of one segment at most, and every row with
/// a training label to exactly one.
#[derive(Clone, Debug)]
pub struct SegmentPlan {
    config: SegmentConfig,
    seed: u64,
    runs: Vec<SupervisedRun>,
}

/// A run and the stretches of it that have training labels, ascending.
#[derive(Clone, Debug)]
struct SupervisedRun {
    run: Run,
    labelled: Vec<Range<u32>>,
}

impl SegmentPlan {
    /// A plan for `runs`; `supervised` says of every row of every series whether it has a training label.
    /// Labels outside all runs are not trained on.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] as [`SegmentConfig::validate`]; [`SupervisedError::Data`] where a run
    /// reaches beyond its series, runs overlap, or no run has a training label.
    pub fn new(
        config: &SegmentConfig,
        runs: &[Run],
        supervised: &[Vec<bool>],
        seed: u64,
    ) -> Result<Self, SupervisedError> {
        config.validate()?;
        let mut runs = runs.to_vec();
        runs.retain(|run| run.length > 0);
        runs.sort_unstable_by_key(|run| (run.series, run.start));
        let mut kept = Vec::with_capacity(runs.len());
        let mut before: Option<Run> = None;
        for run in runs {
            let rows = supervised
                .get(run.series as usize)
                .and_then(|rows| rows.get(run.start as usize..)?.get(..run.length as usize));
            let Some(rows) = rows else {
                return Err(SupervisedError::data(
                    run_name(run),
                    "it reaches beyond the rows of its series; give runs and labels of the same frame",
                ));
            };
            if let Some(before) = before.filter(|before| before.series == run.series)
                && run.start - before.start < before.length
            {
                return Err(SupervisedError::data(
                    run_name(run),
                    format!("it overlaps the {}; rows would count twice", run_name(before)),
                ));
            }
            before = Some(run);
            let labelled = stretches(rows, run.start);
            if !labelled.is_empty() {
                kept.push(SupervisedRun { run, labelled });
            }
        }
        if kept.is_empty() {
            return Err(SupervisedError::data(
                "training labels",
                "no usable row has one; give longer series or a later end of training",
            ));
        }
        Ok(Self { config: config.clone(), seed, runs: kept })
    }

    /// How many rows an epoch trains on.
    pub fn supervised_rows(&self) -> usize {
        self.runs.iter().flat_map(|run| &run.labelled).map(ExactSizeIterator::len).sum()
    }

    /// The batches of `epoch` (from 0), the same ones whenever asked.
    ///
    /// Every run is cut at a random place and every `supervised_steps` rows from there; each piece, together
    /// with the `burn_in` rows before it as far as the run has them, is a segment. Pieces without a training
    /// label are left out. Segments of like length share a batch, which keeps the padding of the whole epoch
    /// below one batch of the longest segments; who shares a batch among equals is random, as is the order
    /// of the batches.
    pub fn epoch(&self, epoch: usize) -> Vec<SegmentBatch> {
        let mut random = generator(self.seed, "sampling/segments", epoch as u64);
        let mut segments = Vec::new();
        for run in &self.runs {
            self.cut(run, &mut random, &mut segments);
        }
        segments.shuffle(&mut random);
        // Stable, so that equals keep their random order.
        segments.sort_by_key(|segment| std::cmp::Reverse(segment.length));
        let mut batches: Vec<SegmentBatch> = segments
            .chunks(self.config.batch)
            .map(|segments| SegmentBatch { segments: segments.to_vec() })
            .collect();
        batches.shuffle(&mut random);
        batches
    }

    fn cut(&self, run: &SupervisedRun, random: &mut Xoshiro256PlusPlus, segments: &mut Vec<Segment>) {
        let SupervisedRun { run, labelled } = run;
        let steps = self.config.supervised_steps as u32;
        let mut labelled = labelled.iter().peekable();
        let mut from = 0;
        let mut to = random.random_range(1..=steps).min(run.length);
        while from < run.length {
            // Stretches that end before this piece concern no later one either.
            while labelled.next_if(|rows| rows.end <= run.start + from).is_some() {}
            if labelled.peek().is_some_and(|rows| rows.start < run.start + to) {
                let supervised_from = from.min(self.config.burn_in as u32);
                let first = from - supervised_from;
                segments.push(Segment {
                    series: run.series,
                    start: run.start + first,
                    length: to - first,
                    supervised_from,
                });
            }
            from = to;
            to = from.saturating_add(steps).min(run.length);
        }
    }
}

fn run_name(run: Run) -> String {
    format!("run of {} rows from row {} of series {}", run.length, run.start, run.series)
}

/// Stretches of true, as row numbers from `first`.
fn stretches(rows: &[bool], first: u32) -> Vec<Range<u32>> {
    let mut found = Vec::new();
    let mut row = first;
    for stretch in rows.chunk_by(|left, right| left == right) {
        let end = row + stretch.len() as u32;
        if stretch[0] {
            found.push(row..end);
        }
        row = end;
    }
    found
}

#[cfg(test)]
mod tests;
