//! Batches for the objective that supervises every step: chunks of segments, one after the other.

use super::batch::{Batch, NOWHERE};
use crate::augmentation::{BatchKey, Mix, MixSpace, add_noise, draw_mix, mask_time, mix_rows};
use crate::config::SupervisedConfig;
use crate::dataset::{Dataset, Part};
use crate::error::SupervisedError;
use crate::sampling::{HardPool, SegmentBatch, SegmentPlan, StepRows, StepWeights};

/// Cuts the training runs into segments, and these into chunks.
pub(super) struct SegmentFeed<'a> {
    dataset: &'a Dataset,
    config: &'a SupervisedConfig,
    plan: SegmentPlan,
    supervised: Vec<Vec<bool>>,
    classes: Vec<Vec<u8>>,
    uniqueness: Vec<Vec<f32>>,
    /// Rows of all series before each.
    before: Vec<usize>,
}

impl<'a> SegmentFeed<'a> {
    pub(super) fn new(dataset: &'a Dataset, config: &'a SupervisedConfig) -> Result<Self, SupervisedError> {
        let of_training = |part: &Part| *part == Part::Training;
        let series = dataset.series();
        let supervised: Vec<Vec<bool>> =
            series.iter().map(|series| series.parts().iter().map(of_training).collect()).collect();
        let runs = dataset.runs_with(Part::Training);
        let plan = SegmentPlan::new(&config.segments, &runs, &supervised, config.seed)?;
        let mut before = Vec::with_capacity(series.len());
        let mut rows = 0;
        for series in series {
            before.push(rows);
            rows += series.parts().len();
        }
        Ok(Self {
            dataset,
            config,
            plan,
            supervised,
            classes: series.iter().map(|series| series.classes().to_vec()).collect(),
            uniqueness: series.iter().map(|series| series.uniqueness().to_vec()).collect(),
            before,
        })
    }

    /// A place for each row of each series.
    pub(super) fn places(&self) -> usize {
        self.supervised.iter().map(Vec::len).sum()
    }

    pub(super) fn hard_pool(&self, losses: &[f32]) -> Result<HardPool, SupervisedError> {
        let of_series = self.before.iter().zip(&self.supervised);
        let losses: Vec<Vec<f32>> =
            of_series.map(|(before, rows)| losses[*before..before + rows.len()].to_vec()).collect();
        HardPool::from_step_losses(&self.classes, &losses, &self.config.sampling.hard_negatives)
    }

    pub(super) fn produce(
        &self,
        epoch: usize,
        hard: Option<&HardPool>,
        send: &mut dyn FnMut(Batch) -> bool,
    ) -> Result<(), SupervisedError> {
        let rows =
            StepRows { supervised: &self.supervised, classes: &self.classes, uniqueness: &self.uniqueness };
        let weights = StepWeights::new(&self.config.sampling, rows, epoch, hard)?;
        let batches = self.plan.epoch(epoch);
        let steps: usize = batches.iter().map(SegmentBatch::steps).sum();
        let (mut done, mut counted) = (0, 0);
        for (index, segments) in batches.iter().enumerate() {
            let key = |number: usize| BatchKey {
                seed: self.config.seed,
                batch: ((epoch as u64) << 32) | number as u64,
            };
            // One partner for a whole segment: its state is mixed from the first step on.
            let mix = draw_mix(segments.segments.len(), &self.config.augmentation.mix_up, key(index))?;
            for chunk in segments.chunks(self.config.segments.chunk) {
                done += chunk.len();
                let share = done as f64 / steps.max(1) as f64;
                let batch =
                    self.chunk(segments, chunk, weights.weights(), mix.as_ref(), key(counted), share)?;
                counted += 1;
                if !send(batch) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The steps `chunk` of all segments of a batch.
    fn chunk(
        &self,
        segments: &SegmentBatch,
        chunk: std::ops::Range<usize>,
        weights: &[Vec<f32>],
        mix: Option<&Mix>,
        key: BatchKey,
        done: f64,
    ) -> Result<Batch, SupervisedError> {
        let (sequences, time, width) = (segments.segments.len(), chunk.len(), self.dataset.width());
        let mut batch = Batch {
            inputs: vec![0.0; sequences * time * width],
            shape: [sequences, time, width],
            targets: vec![0; sequences * time],
            weights: vec![0.0; sequences * time],
            mix: mix.cloned(),
            places: vec![NOWHERE; sequences * time],
            begins: chunk.start == 0,
            done,
        };
        for (sequence, segment) in segments.segments.iter().enumerate() {
            let first = segment.start as usize + chunk.start;
            let end = (segment.start + segment.length) as usize;
            // Behind the end of a short segment stand zeros without weight.
            let steps = time.min(end.saturating_sub(first));
            if steps == 0 {
                continue;
            }
            let series = segment.series as usize;
            let of_sequence = sequence * time;
            let inputs = &mut batch.inputs[of_sequence * width..][..steps * width];
            self.dataset.series()[series].frame().copy_rows(first..first + steps, inputs)?;
            for step in 0..steps {
                let row = first + step;
                let learned = row >= (segment.start + segment.supervised_from) as usize;
                if learned && self.supervised[series][row] {
                    batch.targets[of_sequence + step] = self.classes[series][row];
                    batch.weights[of_sequence + step] = weights[series][row];
                    // Rows that fit into memory are fewer than 32 bits count.
                    batch.places[of_sequence + step] = (self.before[series] + row) as u32;
                }
            }
        }
        let augmentation = &self.config.augmentation;
        add_noise(&mut batch.inputs, time * width, &augmentation.noise, key);
        mask_time(&mut batch.inputs, time, width, &augmentation.time_mask, key);
        if let Some(mix) = mix
            && augmentation.mix_up.space == MixSpace::Inputs
        {
            mix_rows(&mut batch.inputs, time * width, mix)?;
        }
        Ok(batch)
    }
}
