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

#[cfg(test)]
mod tests {
    use features::{FeatureSpec, Outside};
    use labels::splits::{LastShare, TimeRange};
    use labels::{FixedThreshold, HorizonReturn, Threshold};
    use market_data::synthetic::{MarketShape, PlantedMarket};

    use super::*;
    use crate::dataset::{LabelledFrame, PreparationConfig, prepare};

    /// Two thirds of the labels are of one class.
    fn dataset() -> Dataset {
        let shape = MarketShape { candles: 600, ..MarketShape::default() };
        let series = PlantedMarket::default().generate(&shape).unwrap().series.remove(0);
        let groups = [
            "trend",
            "momentum",
            "volatility",
            "volume",
            "cycle",
            "pattern",
            "level",
            "time",
            "higher_timeframe",
        ];
        let off: String = groups.iter().map(|group| format!("[{group}]\nenabled = false\n")).collect();
        let spec = FeatureSpec::from_toml(&format!("{off}[price]\nlog_return = [1, 4]")).unwrap();
        let threshold = Threshold::Fixed(FixedThreshold { value: 0.007, sell: None });
        let labels = HorizonReturn { horizon: 4, threshold }.label(&series).unwrap();
        let plan = LastShare::default().plan(TimeRange::covering([&series]).unwrap()).unwrap().remove(0);
        let frame = spec.frame(&series, Outside::default()).unwrap();
        let config = PreparationConfig { minimum_rows_per_series: 1, ..PreparationConfig::default() };
        prepare(vec![LabelledFrame { frame, labels }], &plan, &config).unwrap().0
    }

    fn config() -> SupervisedConfig {
        let mut config = SupervisedConfig { sequence_length: 8, ..SupervisedConfig::default() };
        config.sampling.batch_size = 64;
        config.augmentation.mix_up.alpha = 0.0;
        config
    }

    fn batches(feed: &WindowFeed<'_>, epoch: usize) -> Vec<Batch> {
        let mut batches = Vec::new();
        feed.produce(epoch, None, &mut |batch| {
            batches.push(batch);
            true
        })
        .unwrap();
        batches
    }

    #[test]
    fn a_synthetic_window_has_its_class_and_no_place() {
        let dataset = dataset();
        let mut config = config();
        (config.augmentation.smote.enabled, config.augmentation.smote.share) = (true, 0.5);
        let feed = WindowFeed::new(&dataset, &config).unwrap();
        let plan = feed.sampler.epoch(0, None).unwrap();
        let length = config.sequence_length * dataset.width();
        let (mut synthetic, mut window) = (0, vec![0.0; length]);
        for (batch, indices) in batches(&feed, 0).iter().zip(plan.batches()) {
            for (position, index) in indices.iter().enumerate() {
                let sample = &feed.samples[*index as usize];
                dataset.copy_window(feed.window_of(sample, 0), &mut window).unwrap();
                let same = batch.inputs[position * length..][..length] == window;
                assert_eq!(batch.targets[position], sample.class);
                assert_eq!(batch.places[position], if same { *index } else { NOWHERE });
                if !same {
                    assert_ne!(sample.class, 1, "Hold is no rare class");
                    synthetic += 1;
                }
            }
        }
        assert!(synthetic > 50, "{synthetic}");
    }

    #[test]
    fn shifted_windows_stay_in_their_run() {
        let dataset = dataset();
        let mut config = config();
        config.augmentation.time_shift.maximum_steps = 5;
        let feed = WindowFeed::new(&dataset, &config).unwrap();
        let run = &dataset.series()[0].runs()[0];
        for (index, sample) in feed.samples.iter().enumerate() {
            assert_eq!(feed.rows_before(sample) as usize, index.min(sample.row as usize - 7 - run.start));
        }
        let plan = feed.sampler.epoch(0, None).unwrap();
        let length = config.sequence_length * dataset.width();
        let (mut shifts, mut window) = ([0; 6], vec![0.0; length]);
        for (batch, indices) in batches(&feed, 0).iter().zip(plan.batches()) {
            for (position, index) in indices.iter().enumerate() {
                let sample = &feed.samples[*index as usize];
                let shift = (0..=feed.rows_before(sample).min(5)).find(|shift| {
                    dataset.copy_window(feed.window_of(sample, *shift), &mut window).unwrap();
                    batch.inputs[position * length..][..length] == window
                });
                shifts[shift.unwrap() as usize] += 1;
            }
        }
        assert!(shifts.iter().all(|count| *count > 20), "{shifts:?}");
    }
}
