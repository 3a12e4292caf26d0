//! Segments of the objective `every_step`.

use std::ops::Range;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::configuration::require;
use crate::SupervisedError;
use crate::random::generator;

/// How stretches of rows are cut for truncated back-propagation through time (Williams and Peng 1990).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn config(batch: usize, supervised_steps: usize, burn_in: usize) -> SegmentConfig {
        SegmentConfig { batch, supervised_steps, burn_in, ..SegmentConfig::default() }
    }

    fn all_segments(plan: &SegmentPlan, epoch: usize) -> Vec<Segment> {
        let mut segments: Vec<_> = plan.epoch(epoch).into_iter().flat_map(|batch| batch.segments).collect();
        segments.sort_by_key(|segment| (segment.series, segment.start + segment.supervised_from));
        segments
    }

    #[test]
    fn a_run_is_cut_with_burn_in_where_there_are_rows_for_it() {
        let run = Run { series: 0, start: 5, length: 10 };
        let plan = SegmentPlan::new(&config(2, 4, 3), &[run], &[vec![true; 15]], 1).unwrap();
        let mut firsts = std::collections::BTreeSet::new();
        for epoch in 0..40 {
            let segments = all_segments(&plan, epoch);
            // By hand for each first piece of 1 to 4 rows.
            let first = segments[0].length;
            firsts.insert(first);
            let expected: &[(u32, u32, u32)] = match first {
                1 => &[(5, 1, 0), (5, 5, 1), (7, 7, 3), (11, 4, 3)],
                2 => &[(5, 2, 0), (5, 6, 2), (8, 7, 3)],
                3 => &[(5, 3, 0), (5, 7, 3), (9, 6, 3)],
                _ => &[(5, 4, 0), (6, 7, 3), (10, 5, 3)],
            };
            let found: Vec<_> = segments.iter().map(|s| (s.start, s.length, s.supervised_from)).collect();
            assert_eq!(found, expected);
        }
        assert_eq!(firsts.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(plan.supervised_rows(), 10);
    }

    #[test]
    fn pieces_without_a_label_are_left_out() {
        let mut labels = vec![false; 100];
        labels[50] = true;
        let runs = [Run { series: 0, start: 0, length: 100 }];
        let plan = SegmentPlan::new(&config(2, 10, 5), &runs, &[labels], 1).unwrap();
        for epoch in 0..10 {
            let segments = all_segments(&plan, epoch);
            assert_eq!(segments.len(), 1);
            assert!(segments[0].supervised_rows().contains(&50));
        }
    }

    #[test]
    fn chunks_cover_the_steps() {
        let segment = |length| Segment { series: 0, start: 0, length, supervised_from: 0 };
        let batch = SegmentBatch { segments: vec![segment(9), segment(10)] };
        assert_eq!(batch.chunks(4).collect::<Vec<_>>(), [0..4, 4..8, 8..10]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let run = |series, start, length| Run { series, start, length };
        let labels = [vec![true; 10], vec![false; 10]];
        let new = |runs: &[Run]| SegmentPlan::new(&config(2, 4, 3), runs, &labels, 0);
        assert!(new(&[run(0, 0, 5), run(0, 5, 5), run(1, 0, 10), run(0, 3, 0)]).is_ok());
        for (runs, reason) in [
            (&[run(0, 4, 5), run(0, 0, 5)][..], "overlaps"),
            (&[run(0, 5, 6)], "beyond"),
            (&[run(0, u32::MAX, 2)], "beyond"),
            (&[run(2, 0, 1)], "beyond"),
            (&[run(1, 0, 10)], "no usable row"),
            (&[], "no usable row"),
        ] {
            let message = new(runs).unwrap_err().to_string();
            assert!(message.contains(reason), "{message}");
        }
        for (text, field) in [
            ("batch = 0", "`batch`"),
            ("chunk = 0", "`chunk`"),
            ("supervised_steps = 0", "`supervised_steps`"),
            ("burn_in = 99999999999", "`burn_in`"),
        ] {
            let config: SegmentConfig = toml::from_str(text).unwrap();
            assert!(config.validate().unwrap_err().to_string().contains(field));
        }
        let default = SegmentConfig::default();
        default.validate().unwrap();
        assert_eq!(toml::from_str::<SegmentConfig>(&toml::to_string(&default).unwrap()).unwrap(), default);
    }

    prop_compose! {
        /// Series of runs with gaps between them and labels in stretches.
        fn data()(series in prop::collection::vec(
            prop::collection::vec((1_u32..60, 0_u32..4, prop::collection::vec(any::<bool>(), 1..8)), 1..6), 1..5,
        )) -> (Vec<Run>, Vec<Vec<bool>>) {
            let (mut runs, mut labels) = (Vec::new(), Vec::new());
            for (index, parts) in series.iter().enumerate() {
                let mut rows: Vec<bool> = Vec::new();
                for (length, gap, pattern) in parts {
                    runs.push(Run { series: index as u32, start: rows.len() as u32, length: *length });
                    rows.extend((0..*length as usize).map(|row| pattern[row / 7 % pattern.len()]));
                    // Labels in a gap belong to no run.
                    rows.extend(std::iter::repeat_n(true, *gap as usize));
                }
                labels.push(rows);
            }
            (runs, labels)
        }
    }

    proptest! {
        #[test]
        fn every_labelled_row_counts_once((runs, labels) in data(), steps in 1_usize..40, burn_in in 0_usize..40, batch in 1_usize..6, seed: u64, epoch in 0_usize..50) {
            let config = config(batch, steps, burn_in);
            let Ok(plan) = SegmentPlan::new(&config, &runs, &labels, seed) else {
                let any = runs.iter().any(|run| labels[run.series as usize][run.start as usize..][..run.length as usize].contains(&true));
                prop_assert!(!any);
                return Ok(());
            };
            prop_assert_eq!(plan.epoch(epoch), plan.epoch(epoch));
            let mut counts: Vec<Vec<u32>> = labels.iter().map(|rows| vec![0; rows.len()]).collect();
            for segment in all_segments(&plan, epoch) {
                let run = runs.iter().find(|run| {
                    run.series == segment.series && run.start <= segment.start && segment.rows().end <= run.start + run.length
                });
                prop_assert!(run.is_some(), "{:?} lies in no run", segment);
                let run = run.unwrap();
                let before = segment.supervised_rows().start - run.start;
                prop_assert_eq!(segment.supervised_from, before.min(burn_in as u32));
                prop_assert!(segment.supervised_rows().len() <= steps);
                let rows = segment.supervised_rows();
                let of_series = &labels[segment.series as usize];
                prop_assert!(of_series[rows.start as usize..rows.end as usize].contains(&true));
                for row in rows {
                    counts[segment.series as usize][row as usize] += 1;
                }
            }
            let mut supervised = 0;
            for run in &runs {
                for row in run.start as usize..(run.start + run.length) as usize {
                    let count = counts[run.series as usize][row];
                    let label = labels[run.series as usize][row];
                    prop_assert!(count <= 1 && (!label || count == 1));
                    supervised += usize::from(label);
                    counts[run.series as usize][row] = 0;
                }
            }
            prop_assert!(counts.iter().flatten().all(|count| *count == 0));
            prop_assert_eq!(plan.supervised_rows(), supervised);
        }

        #[test]
        fn padding_is_small_and_batches_are_full((runs, labels) in data(), steps in 1_usize..40, batch in 1_usize..6, epoch in 0_usize..50) {
            let Ok(plan) = SegmentPlan::new(&config(batch, steps, 8), &runs, &labels, 3) else { return Ok(()) };
            let batches = plan.epoch(epoch);
            let sizes: Vec<usize> = batches.iter().map(|batch| batch.segments.len()).collect();
            prop_assert!(sizes.iter().all(|size| (1..=batch).contains(size)));
            prop_assert!(sizes.iter().filter(|size| **size < batch).count() <= 1);
            let padding: usize = batches.iter().map(|batch| {
                batch.segments.iter().map(|segment| batch.steps() - segment.length as usize).sum::<usize>()
            }).sum();
            let longest = batches.iter().map(SegmentBatch::steps).max().unwrap();
            prop_assert!(padding < batch * longest);
        }
    }

    #[test]
    fn cuts_and_company_differ_between_epochs_and_seeds() {
        let runs: Vec<_> = (0..20).map(|series| Run { series, start: 0, length: 500 }).collect();
        let labels = vec![vec![true; 500]; 20];
        let plan = |seed| SegmentPlan::new(&config(4, 50, 10), &runs, &labels, seed).unwrap();
        assert_ne!(plan(1).epoch(0), plan(1).epoch(1));
        assert_ne!(plan(1).epoch(0), plan(2).epoch(0));
        // Every place of a cut is equally likely: 20 runs in 200 epochs, 50 places, 80 expected at each.
        let mut cuts = [0_u32; 50];
        for epoch in 0..200 {
            for segment in all_segments(&plan(1), epoch).iter().filter(|segment| segment.start == 0) {
                if segment.supervised_from == 0 {
                    cuts[segment.length as usize - 1] += 1;
                }
            }
        }
        // Chi square with 49 degrees of freedom; 1 in 10 000 lies above 94.
        let chi: f64 = cuts.iter().map(|seen| (f64::from(*seen) - 80.0).powi(2) / 80.0).sum();
        assert!(chi < 94.0, "{chi}");
        // Full segments of different series share batches.
        let mixed = plan(1)
            .epoch(0)
            .iter()
            .filter(|batch| batch.segments.iter().any(|segment| segment.series != batch.segments[0].series))
            .count();
        assert!(mixed > 40);
    }
}
