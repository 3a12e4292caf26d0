//! Batches for the objective that supervises the last step of a window.

use super::batch::{Batch, NOWHERE};
use crate::augmentation::{
    BatchKey, SmoteIndex, SmoteSamples, augment, describe_window, draw_time_shifts, interpolate,
    minority_classes,
};
use crate::config::{SupervisedConfig, within};
use crate::dataset::{Dataset, Part, SampleWindow};
use crate::error::SupervisedError;
use crate::sampling::{HardPool, Sample, Sampler};

/// Draws windows and copies them side by side.
pub(super) struct WindowFeed<'a> {
    dataset: &'a Dataset,
    config: &'a SupervisedConfig,
    samples: Vec<Sample>,
    sampler: Sampler,
    smote: Option<Smote>,
}

/// The windows of rare classes and their neighbours.
struct Smote {
    index: SmoteIndex,
    /// Number of each sample in the index, if it is in there.
    member: Vec<Option<u32>>,
    /// Sample of each number.
    sample: Vec<u32>,
}

impl<'a> WindowFeed<'a> {
    pub(super) fn new(dataset: &'a Dataset, config: &'a SupervisedConfig) -> Result<Self, SupervisedError> {
        let samples = dataset.samples(Part::Training, config.sequence_length);
        let sampler = within("sampling", Sampler::new(&config.sampling, &samples, config.seed))?;
        let mut feed = Self { dataset, config, samples, sampler, smote: None };
        if config.augmentation.smote.is_on() {
            feed.smote = feed.smote()?;
        }
        Ok(feed)
    }

    /// A place for each sample.
    pub(super) fn places(&self) -> usize {
        self.samples.len()
    }

    pub(super) fn hard_pool(&self, losses: &[f32]) -> Result<HardPool, SupervisedError> {
        HardPool::from_losses(&self.samples, losses, &self.config.sampling.hard_negatives)
    }

    /// Neighbours among the training windows of rare classes.
    fn smote(&self) -> Result<Option<Smote>, SupervisedError> {
        let mut counts = [0; 3];
        for sample in &self.samples {
            counts[usize::from(sample.class)] += 1;
        }
        let rare = minority_classes(counts);
        let (width, length) = (self.dataset.width(), self.config.sequence_length);
        let mut window = vec![0.0; length * width];
        let mut member = vec![None; self.samples.len()];
        let mut chosen = Vec::new();
        let mut descriptors = Vec::new();
        for (index, sample) in self.samples.iter().enumerate().filter(|(_, one)| rare[usize::from(one.class)])
        {
            self.dataset.copy_window(self.window_of(sample, 0), &mut window)?;
            let from = descriptors.len();
            descriptors.resize(from + 2 * width, 0.0);
            describe_window(&window, width, &mut descriptors[from..])?;
            member[index] = Some(chosen.len() as u32);
            chosen.push(index as u32);
        }
        let of = |field: fn(&Sample) -> u32| -> Vec<u32> {
            chosen.iter().map(|index| field(&self.samples[*index as usize])).collect()
        };
        let class: Vec<u8> = chosen.iter().map(|index| self.samples[*index as usize].class).collect();
        let samples = SmoteSamples {
            descriptors: &descriptors,
            series: &of(|sample| sample.series),
            row: &of(|sample| sample.row),
            class: &class,
        };
        let index = SmoteIndex::build(samples, &self.config.augmentation.smote, self.config.seed)?;
        Ok(index.map(|index| Smote { index, member, sample: chosen }))
    }

    /// The window of a sample, `shift` rows earlier.
    fn window_of(&self, sample: &Sample, shift: u32) -> SampleWindow {
        let start = sample.row + 1 - self.config.sequence_length as u32 - shift;
        SampleWindow { series: sample.series, start }
    }

    /// Rows of the same run before a sample's window.
    fn rows_before(&self, sample: &Sample) -> u32 {
        let start = (sample.row + 1) as usize - self.config.sequence_length;
        let runs = self.dataset.series()[sample.series as usize].runs();
        let run = runs.partition_point(|run| run.end <= start);
        runs.get(run).map_or(0, |run| start.saturating_sub(run.start) as u32)
    }

    pub(super) fn produce(
        &self,
        epoch: usize,
        hard: Option<&HardPool>,
        send: &mut dyn FnMut(Batch) -> bool,
    ) -> Result<(), SupervisedError> {
        let plan = self.sampler.epoch(epoch, hard)?;
        let batches = plan.batches().len();
        for (index, indices) in plan.batches().enumerate() {
            let key = BatchKey { seed: self.config.seed, batch: ((epoch as u64) << 32) | index as u64 };
            let done = (index + 1) as f64 / batches as f64;
            if !send(self.batch(indices, key, done)?) {
                break;
            }
        }
        Ok(())
    }

    fn batch(&self, indices: &[u32], key: BatchKey, done: f64) -> Result<Batch, SupervisedError> {
        let (time, width) = (self.config.sequence_length, self.dataset.width());
        let samples: Vec<&Sample> = indices.iter().map(|index| &self.samples[*index as usize]).collect();
        let augmentation = &self.config.augmentation;
        let before: Vec<u32> = samples.iter().map(|sample| self.rows_before(sample)).collect();
        let shifts = draw_time_shifts(&before, &augmentation.time_shift, key);
        let mut inputs = vec![0.0; indices.len() * time * width];
        for ((sample, shift), window) in samples.iter().zip(shifts).zip(inputs.chunks_exact_mut(time * width))
        {
            self.dataset.copy_window(self.window_of(sample, shift), window)?;
        }
        let mut places = indices.to_vec();
        if let Some(smote) = &self.smote {
            let members: Vec<Option<u32>> =
                indices.iter().map(|index| smote.member[*index as usize]).collect();
            let mut other = vec![0.0; time * width];
            for synthetic in smote.index.draw(&members, key) {
                let neighbour = &self.samples[smote.sample[synthetic.neighbour as usize] as usize];
                self.dataset.copy_window(self.window_of(neighbour, 0), &mut other)?;
                let position = synthetic.position as usize;
                let window = &mut inputs[position * time * width..][..time * width];
                interpolate(window, &other, synthetic.share);
                // Its loss is not that of the sample.
                places[position] = NOWHERE;
            }
        }
        let shape = [indices.len(), time, width];
        let mix = augment(&mut inputs, shape, augmentation, key)?;
        let weights = self.sampler.sample_weights();
        Ok(Batch {
            inputs,
            shape,
            targets: samples.iter().map(|sample| sample.class).collect(),
            weights: indices.iter().map(|index| weights[*index as usize]).collect(),
            mix,
            places,
            begins: true,
            done,
        })
    }
}
