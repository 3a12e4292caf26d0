//! Batches of the objective `last_step`.

use std::slice::Chunks;

use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;

use super::apportionment::{Apportionment, RunningShare};
use super::class_shares::{class_shares, natural_shares};
use super::strata::Strata;
use super::{CLASSES, HardPool, Sample, SamplingConfig};
use crate::SupervisedError;
use crate::random::generator;

/// Plans the epochs of a training on labelled windows.
///
/// An epoch draws as many samples as there are, or `maximum_samples_per_epoch` if that is fewer, in batches
/// of `batch_size`, the last of which may be smaller.
///
/// - Without any balance or mining an epoch is one shuffled pass: every sample once.
/// - `class_balanced`: every batch has the epoch's share of each class, rounded up or down, and over the
///   epoch no class is a sample away from its share. Within a class all samples are drawn before any is
///   drawn again.
/// - `symbol_stratified`: every symbol is spread evenly over the epoch, and so over its batches. What a
///   class does not draw in whole passes falls to its symbols in equal parts as far as they have samples:
///   evenness never repeats the few samples of a short history while others have not been drawn at all.
///   Where symbols have equally many, a batch holds each equally often within a class, to within one.
/// - Mining: the hard share of every batch, of each class alike, comes from the [`HardPool`], the rest from
///   all samples as before (hard ones included).
///
/// Where an epoch draws only a part of a class, the next epochs go on with the part left out.
#[derive(Clone, Debug)]
pub struct Sampler {
    config: SamplingConfig,
    seed: u64,
    symbols: usize,
    natural: [f64; CLASSES],
    /// The stratum of every sample.
    stratum_of: Vec<u32>,
    strata: Strata,
    weights: Vec<f32>,
}

/// What an epoch of `last_step` trains on.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochPlan {
    samples: Vec<u32>,
    batch_size: usize,
    class_shares: [f64; CLASSES],
    hard_draws: usize,
}

/// Where a part of each batch comes from.
struct Source {
    drawn: Vec<u32>,
    next: usize,
}

impl Sampler {
    /// A sampler of `samples`; an index into them is what the plans hold.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] for values out of range or a batch larger than all samples;
    /// [`SupervisedError::Data`] without samples, with samples of one class only, or with a class above 2 or
    /// a weight outside `(0, 1]`.
    pub fn new(config: &SamplingConfig, samples: &[Sample], seed: u64) -> Result<Self, SupervisedError> {
        config.validate()?;
        let natural = natural_shares(class_counts(samples)?.map(|count| count as f64))?;
        if config.batch_size > samples.len() {
            return Err(SupervisedError::config(
                "batch_size",
                config.batch_size,
                &format!("there are only {} samples; give at most that many", samples.len()),
            ));
        }
        let groups = if config.class_balanced { CLASSES } else { 1 };
        let symbols = if config.symbol_stratified { distinct_series(samples) } else { Vec::new() };
        let width = symbols.len().max(1);
        if u32::try_from(groups * width).is_err() {
            return Err(SupervisedError::data("samples", "too many series to stratify by symbol"));
        }
        let stratum_of: Vec<u32> = samples
            .iter()
            .map(|sample| {
                let group = if groups > 1 { sample.class as usize } else { 0 };
                let symbol = symbols.binary_search(&sample.series).unwrap_or(0);
                (group * width + symbol) as u32
            })
            .collect();
        let mut strata = Strata::new(groups, width, 0..samples.len() as u32, &stratum_of);
        let weights = normalised_weights(config, samples, &strata);
        strata.shuffle(&mut generator(seed, "sampling/decks", 0));
        Ok(Self { config: config.clone(), seed, symbols: width, natural, stratum_of, strata, weights })
    }

    /// How much each sample counts in the loss, one per sample: all 1 without `uniqueness_weights`, else
    /// uniqueness brought to mean 1.
    ///
    /// The mean is 1 over the samples (not the draws) of each stratum: of each class where classes are
    /// balanced, of each symbol where symbols are stratified, of each pair of both, else of all. So a
    /// weight stays the same through all epochs, the mean over the draws is 1 too wherever a stratum is
    /// drawn in whole passes, and a class or symbol of much overlapping labels keeps the share that the
    /// draws give it.
    pub fn sample_weights(&self) -> &[f32] {
        &self.weights
    }

    /// The batches of `epoch` (from 0), the same ones whenever asked. `hard` is the latest pool; without
    /// one, or before `start_epoch`, nothing is mined, nor is a class of which the pool has no sample.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] where `hard` was taken from another number of samples.
    pub fn epoch(&self, epoch: usize, hard: Option<&HardPool>) -> Result<EpochPlan, SupervisedError> {
        let mut random = generator(self.seed, "sampling/epoch", epoch as u64);
        let hard_share = self.config.hard_negatives.share(epoch);
        let hard = match hard {
            Some(pool) if hard_share > 0.0 => Some(self.hard_strata(pool, &mut random)?),
            _ => None,
        };
        let class_shares = class_shares(&self.config, self.natural, epoch);
        let group_shares = if self.config.class_balanced { class_shares } else { [1.0, 0.0, 0.0] };
        let counts = self.batch_counts(group_shares, hard.as_ref(), hard_share);
        let mut sources = self.sources(&counts, hard.as_ref(), group_shares, hard_share, epoch, &mut random);

        let mut samples = Vec::with_capacity(self.draws());
        for batch in &counts {
            let start = samples.len();
            for (source, count) in sources.iter_mut().zip(batch.iter().flatten()) {
                let end = source.next + count;
                samples.extend_from_slice(&source.drawn[source.next..end]);
                source.next = end;
            }
            samples[start..].shuffle(&mut random);
        }
        let hard_draws = counts.iter().flatten().map(|count| count[1]).sum();
        Ok(EpochPlan { samples, batch_size: self.config.batch_size, class_shares, hard_draws })
    }

    /// How many samples an epoch draws.
    fn draws(&self) -> usize {
        let all = self.stratum_of.len();
        self.config.maximum_samples_per_epoch.map_or(all, |most| most.min(all))
    }

    fn hard_strata(
        &self,
        pool: &HardPool,
        random: &mut Xoshiro256PlusPlus,
    ) -> Result<Strata, SupervisedError> {
        pool.check(self.stratum_of.len())?;
        let groups = if self.config.class_balanced { CLASSES } else { 1 };
        let members = pool.members().iter().copied();
        let mut strata = Strata::new(groups, self.symbols, members, &self.stratum_of);
        strata.shuffle(random);
        Ok(strata)
    }

    /// Of every batch and group, how many samples come from all of the group and how many from its pool.
    fn batch_counts(
        &self,
        group_shares: [f64; CLASSES],
        hard: Option<&Strata>,
        hard_share: f64,
    ) -> Vec<[[usize; 2]; CLASSES]> {
        let mut apportionment = Apportionment::new(group_shares);
        let mut hard_shares: [RunningShare; CLASSES] = std::array::from_fn(|group| {
            let groups = if self.config.class_balanced { CLASSES } else { 1 };
            let mined = group < groups && hard.is_some_and(|hard| hard.group_len(group) > 0);
            RunningShare::new(if mined { hard_share } else { 0.0 })
        });
        let (draws, size) = (self.draws(), self.config.batch_size);
        (0..draws.div_ceil(size))
            .map(|batch| {
                let counts = apportionment.next(size.min(draws - batch * size));
                std::array::from_fn(|group| {
                    let mined = hard_shares[group].next(counts[group]);
                    [counts[group] - mined, mined]
                })
            })
            .collect()
    }

    /// The samples of the epoch by where they come from, in the order of `counts`.
    fn sources(
        &self,
        counts: &[[[usize; 2]; CLASSES]],
        hard: Option<&Strata>,
        group_shares: [f64; CLASSES],
        hard_share: f64,
        epoch: usize,
        random: &mut Xoshiro256PlusPlus,
    ) -> Vec<Source> {
        let mut symbol_order: Vec<u32> = (0..self.symbols as u32).collect();
        symbol_order.shuffle(random);
        // In a batch each source goes on through the symbols where the one before it left off, so that
        // together they hold every symbol equally often.
        let round = self.config.batch_size as f64 / self.symbols as f64;
        let mut offset = 0.0;
        let mut sources = Vec::with_capacity(2 * CLASSES);
        for (group, group_share) in group_shares.into_iter().enumerate() {
            let shares = [group_share * (1.0 - hard_share), group_share * hard_share];
            for (part, strata) in [Some(&self.strata), hard].into_iter().enumerate() {
                let draws = counts.iter().map(|batch| batch[group][part]).sum();
                let drawn = match strata {
                    Some(strata) if draws > 0 => {
                        strata.draw(group, draws, epoch, &symbol_order, offset, random)
                    }
                    _ => Vec::new(),
                };
                if draws > 0 {
                    offset += shares[part] * round;
                }
                sources.push(Source { drawn, next: 0 });
            }
        }
        sources
    }
}

impl EpochPlan {
    /// The batches in order, as indices of samples; in a batch the order has no meaning.
    pub fn batches(&self) -> Chunks<'_, u32> {
        self.samples.chunks(self.batch_size)
    }

    /// All draws, batch after batch.
    pub fn samples(&self) -> &[u32] {
        &self.samples
    }

    /// The shares of Sell, Hold and Buy that the epoch aims at; the natural ones where classes are not
    /// balanced.
    pub fn class_shares(&self) -> [f64; CLASSES] {
        self.class_shares
    }

    /// How many of the draws come from the hard pool.
    pub fn hard_draws(&self) -> usize {
        self.hard_draws
    }
}

/// Samples of each class.
fn class_counts(samples: &[Sample]) -> Result<[usize; CLASSES], SupervisedError> {
    if u32::try_from(samples.len()).is_err() {
        return Err(SupervisedError::data("samples", "there are 2³² or more; train on fewer"));
    }
    let mut counts = [0; CLASSES];
    for (index, sample) in samples.iter().enumerate() {
        let Some(count) = counts.get_mut(sample.class as usize) else {
            return Err(SupervisedError::data(
                format!("class of sample {index}"),
                format!("{} is none; classes are 0 Sell, 1 Hold, 2 Buy", sample.class),
            ));
        };
        *count += 1;
        if !(sample.weight > 0.0 && sample.weight <= 1.0) {
            return Err(SupervisedError::data(
                format!("weight of sample {index}"),
                format!("{} is no uniqueness; it lies above 0 and is at most 1", sample.weight),
            ));
        }
    }
    Ok(counts)
}

fn distinct_series(samples: &[Sample]) -> Vec<u32> {
    let mut series: Vec<u32> = samples.iter().map(|sample| sample.series).collect();
    series.sort_unstable();
    series.dedup();
    series
}

/// See [`Sampler::sample_weights`].
fn normalised_weights(config: &SamplingConfig, samples: &[Sample], strata: &Strata) -> Vec<f32> {
    let mut weights = vec![1.0; samples.len()];
    if !config.uniqueness_weights {
        return weights;
    }
    for members in strata.strata().filter(|members| !members.is_empty()) {
        let sum: f64 = members.iter().map(|member| f64::from(samples[*member as usize].weight)).sum();
        let scale = members.len() as f64 / sum;
        for &member in members {
            weights[member as usize] = (f64::from(samples[member as usize].weight) * scale) as f32;
        }
    }
    weights
}

#[cfg(test)]
mod tests;
