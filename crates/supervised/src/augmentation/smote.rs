//! SMOTE for sequences: new windows of rare classes between a window and one of its nearest neighbours.

use rand::seq::index;
use rand::{Rng, RngExt};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::BatchKey;
use crate::error::SupervisedError;
use crate::random::generator;

/// Stands in the table of neighbours where there are fewer than asked for.
const ABSENT: u32 = u32::MAX;

/// SMOTE (Chawla et al. 2002, "SMOTE: Synthetic Minority Over-sampling Technique", section 4.2), for labels
/// of the last step only.
///
/// A synthetic window takes the place of the window it was made from, so that batches keep their size and the
/// sampler alone decides how often each class comes; the label stays, as both windows have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SmoteConfig {
    /// Whether it is on; default false.
    pub enabled: bool,
    /// Nearest neighbours that one is drawn from, 1 to 64; default 5, as in the paper.
    pub neighbours: u32,
    /// Share of a batch's samples of rare classes that are replaced by synthetic ones, in [0, 1]; 0 is off.
    /// Default 0.5: as many true windows as synthetic ones.
    pub share: f64,
    /// Most samples of one series and class that can become neighbours, at least 2; of larger groups a random
    /// part. Default 512: bounds the search (see [`SmoteIndex::build`]) and leaves a varied choice.
    pub maximum_candidates: u32,
    /// Least distance in rows (candles) between the ends of a window and of its neighbour. Windows that end
    /// one candle apart share nearly all rows and would always be nearest, so that nothing new came out.
    /// Default 64; with the length of the windows or more, neighbours share no row.
    pub minimum_separation: u32,
}

impl Default for SmoteConfig {
    fn default() -> Self {
        Self { enabled: false, neighbours: 5, share: 0.5, maximum_candidates: 512, minimum_separation: 64 }
    }
}

impl SmoteConfig {
    /// Whether any window is synthesised.
    pub fn is_on(&self) -> bool {
        self.enabled && self.share > 0.0
    }

    pub(super) fn validate(&self) -> Result<(), SupervisedError> {
        let refuse = |field: &str, value: String, remedy: &str| {
            Err(SupervisedError::config(&format!("augmentation.smote.{field}"), value, remedy))
        };
        if !(1..=64).contains(&self.neighbours) {
            return refuse("neighbours", self.neighbours.to_string(), "give 1 to 64 neighbours");
        }
        if !(0.0..=1.0).contains(&self.share) {
            return refuse("share", self.share.to_string(), "give a share from 0 to 1; 0 is off");
        }
        if self.maximum_candidates < 2 {
            let remedy = "give at least 2 candidates; a sample is no neighbour of its own";
            return refuse("maximum_candidates", self.maximum_candidates.to_string(), remedy);
        }
        Ok(())
    }
}

/// Which classes are rare, hence worth synthesising: those with less than an equal share of the training
/// samples, in the order `[Sell, Hold, Buy]`. `counts` are the samples of each class in the training set.
pub fn minority_classes(counts: [u64; 3]) -> [bool; 3] {
    let all: u128 = counts.iter().map(|&count| u128::from(count)).sum();
    counts.map(|count| u128::from(count) * 3 < all)
}

/// Writes what distances between windows are measured on: the window's last row, then the mean of all its
/// rows.
///
/// `window` is `[time, features]`, `descriptor` `[2 * features]`. The last row says where the market stands
/// at the decision, the mean where it came from; both cost far less to compare than whole windows.
///
/// # Errors
/// [`SupervisedError::Data`] if the lengths do not fit or the window is empty.
pub fn describe_window(
    window: &[f32],
    features: usize,
    descriptor: &mut [f32],
) -> Result<(), SupervisedError> {
    if features == 0
        || window.is_empty()
        || !window.len().is_multiple_of(features)
        || descriptor.len() != 2 * features
    {
        return Err(SupervisedError::data(
            "window descriptor",
            format!("{} values of {features} features into {}", window.len(), descriptor.len()),
        ));
    }
    let (last, mean) = descriptor.split_at_mut(features);
    last.copy_from_slice(&window[window.len() - features..]);
    mean.fill(0.0);
    for row in window.chunks_exact(features) {
        for (sum, &value) in mean.iter_mut().zip(row) {
            *sum += value;
        }
    }
    let steps = (window.len() / features) as f32;
    mean.iter_mut().for_each(|sum| *sum /= steps);
    Ok(())
}

/// Moves window `a` towards `b`, of the same length: `a + share · (b − a)`. A share of 0 changes no bit.
pub fn interpolate(a: &mut [f32], b: &[f32], share: f32) {
    if share == 0.0 {
        return;
    }
    for (value, &other) in a.iter_mut().zip(b) {
        *value += share * (other - *value);
    }
}

/// The windows that may be synthesised and be neighbours: training samples of rare classes (see
/// [`minority_classes`]). Samples are numbered by their place here.
#[derive(Clone, Copy, Debug)]
pub struct SmoteSamples<'a> {
    /// What distances are measured on, `[samples, d]`, finite (see [`describe_window`]).
    pub descriptors: &'a [f32],
    /// Series (symbol) of each sample, `[samples]`.
    pub series: &'a [u32],
    /// Row in its series at which the window ends, `[samples]`.
    pub row: &'a [u32],
    /// Class of each sample, `[samples]`.
    pub class: &'a [u8],
}

/// One window to synthesise: [`interpolate`] the window at `position` of the batch towards that of sample
/// `neighbour`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Synthetic {
    /// Position in the batch.
    pub position: u32,
    /// The neighbour, as numbered in [`SmoteSamples`].
    pub neighbour: u32,
    /// How far the window moves towards the neighbour, in [0, 1).
    pub share: f32,
}

/// For each sample its nearest neighbours of the same series and class.
///
/// Free of leaks by construction: it knows no samples but those given to [`SmoteIndex::build`], so whoever
/// gives training samples only gets training samples only.
#[derive(Clone, Debug, PartialEq)]
pub struct SmoteIndex {
    /// `[samples, width]`, nearest first, [`ABSENT`] after the last; rows in the order of groups.
    neighbours: Vec<u32>,
    width: usize,
    /// Row of each sample in `neighbours`.
    place: Vec<u32>,
    share: f64,
}

impl SmoteIndex {
    /// Finds the neighbours by comparing each sample with the candidates of its group: Euclidean distance of
    /// descriptors, of equal ones the lower number first. `None` if the configuration switches SMOTE off.
    ///
    /// A group is a series and a class; its candidates are all its samples or, if there are more, a random
    /// `maximum_candidates` of them. The cost is therefore at most `samples · maximum_candidates · d`
    /// multiplications, shared among threads, and `4 · (neighbours + 1)` bytes per sample. In a large group
    /// neighbours are thus the nearest among a random part, which is somewhat farther than the nearest of
    /// all.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] if lengths do not fit or a descriptor is not finite,
    /// [`SupervisedError::Config`] if the configuration is out of range.
    pub fn build(
        samples: SmoteSamples<'_>,
        config: &SmoteConfig,
        seed: u64,
    ) -> Result<Option<Self>, SupervisedError> {
        config.validate()?;
        if !config.is_on() {
            return Ok(None);
        }
        let count = samples.check()?;
        let key = |&sample: &u32| (samples.series[sample as usize], samples.class[sample as usize]);
        let mut order: Vec<u32> = (0..count).collect();
        order.sort_by_key(key);
        let mut place = vec![0; order.len()];
        for (slot, &sample) in order.iter().enumerate() {
            place[sample as usize] = slot as u32;
        }
        let width = config.neighbours as usize;
        let mut neighbours = vec![ABSENT; order.len() * width];
        let mut open = neighbours.as_mut_slice();
        for group in order.chunk_by(|a, b| key(a) == key(b)) {
            let (of_group, rest) = open.split_at_mut(group.len() * width);
            open = rest;
            let candidates = Candidates::draw(&samples, group, config, seed);
            of_group.par_chunks_mut(width).zip(group).for_each_init(
                || Vec::with_capacity(width + 1),
                |nearest, (slots, &sample)| {
                    candidates.nearest(&samples, sample, width, nearest);
                    for (slot, &(_, neighbour)) in slots.iter_mut().zip(nearest.iter()) {
                        *slot = neighbour;
                    }
                },
            );
        }
        Ok(Some(Self { neighbours, width, place, share: config.share }))
    }

    /// The neighbours of a sample, nearest first; none if the sample is unknown or alone.
    pub fn neighbours(&self, sample: u32) -> &[u32] {
        let Some(&place) = self.place.get(sample as usize) else { return &[] };
        let row = &self.neighbours[place as usize * self.width..][..self.width];
        &row[..row.iter().position(|&neighbour| neighbour == ABSENT).unwrap_or(row.len())]
    }

    /// One of the sample's neighbours, each as likely; `None` if it has none.
    pub fn neighbour<R: Rng + ?Sized>(&self, sample: u32, rng: &mut R) -> Option<u32> {
        let neighbours = self.neighbours(sample);
        if neighbours.is_empty() { None } else { Some(neighbours[rng.random_range(0..neighbours.len())]) }
    }

    /// Which windows of a batch are synthesised. `members[position]` is the number of the sample at that
    /// position of the batch, `None` if it was not given to [`SmoteIndex::build`] (a common class). Each
    /// member is chosen with the configured share; one without neighbours stays as it is.
    pub fn draw(&self, members: &[Option<u32>], key: BatchKey) -> Vec<Synthetic> {
        let mut rng = generator(key.seed, "augmentation/smote", key.batch);
        let mut chosen = Vec::new();
        for (position, member) in members.iter().enumerate() {
            let Some(sample) = *member else { continue };
            if rng.random::<f64>() >= self.share {
                continue;
            }
            if let Some(neighbour) = self.neighbour(sample, &mut rng) {
                chosen.push(Synthetic { position: position as u32, neighbour, share: rng.random() });
            }
        }
        chosen
    }
}

impl SmoteSamples<'_> {
    fn width(&self) -> usize {
        self.descriptors.len() / self.series.len().max(1)
    }

    fn descriptor(&self, sample: u32) -> &[f32] {
        &self.descriptors[sample as usize * self.width()..][..self.width()]
    }

    /// How many samples there are.
    fn check(&self) -> Result<u32, SupervisedError> {
        let refuse = |reason| Err(SupervisedError::data("SMOTE samples", reason));
        let samples = self.series.len();
        let descriptors = self.descriptors.len();
        let fit = descriptors.checked_rem(samples).unwrap_or(descriptors) == 0;
        if !fit || self.row.len() != samples || self.class.len() != samples {
            let (rows, classes) = (self.row.len(), self.class.len());
            return refuse(format!(
                "{descriptors} descriptor values, {samples} series, {rows} rows, {classes} classes"
            ));
        }
        if let Some(at) = self.descriptors.iter().position(|value| !value.is_finite()) {
            return refuse(format!(
                "descriptor value {} of sample {}",
                self.descriptors[at],
                at / self.width()
            ));
        }
        match u32::try_from(samples) {
            Ok(count) if count < ABSENT => Ok(count),
            _ => refuse(format!("{samples} are more than 32 bits can number")),
        }
    }
}

/// What may become a neighbour in one group, its descriptors side by side.
struct Candidates {
    samples: Vec<u32>,
    descriptors: Vec<f32>,
    minimum_separation: u32,
}

impl Candidates {
    fn draw(samples: &SmoteSamples<'_>, group: &[u32], config: &SmoteConfig, seed: u64) -> Self {
        let most = config.maximum_candidates as usize;
        let chosen = if group.len() <= most {
            group.to_vec()
        } else {
            // By series and class, so that another group's size changes nothing here. Classes are below 256.
            let first = group[0] as usize;
            let number = u64::from(samples.series[first]) << 8 | u64::from(samples.class[first]);
            let mut rng = generator(seed, "augmentation/smote-candidates", number);
            let mut chosen: Vec<u32> =
                index::sample(&mut rng, group.len(), most).into_iter().map(|at| group[at]).collect();
            chosen.sort_unstable();
            chosen
        };
        let descriptors = chosen.iter().flat_map(|&sample| samples.descriptor(sample)).copied().collect();
        Self { samples: chosen, descriptors, minimum_separation: config.minimum_separation }
    }

    /// Puts the `count` nearest candidates of `sample` into `nearest`, with their squared distances, nearest
    /// first.
    fn nearest(&self, samples: &SmoteSamples<'_>, sample: u32, count: usize, nearest: &mut Vec<(f32, u32)>) {
        nearest.clear();
        let descriptor = samples.descriptor(sample);
        let row = samples.row[sample as usize];
        for (at, &candidate) in self.samples.iter().enumerate() {
            let apart = samples.row[candidate as usize].abs_diff(row);
            if candidate == sample || apart < self.minimum_separation {
                continue;
            }
            let other = &self.descriptors[at * descriptor.len()..][..descriptor.len()];
            let distance = squared_distance(descriptor, other);
            // Candidates come in rising order, so an equal distance belongs after those already there.
            let rank = nearest.partition_point(|&(nearer, _)| nearer <= distance);
            if rank < count {
                nearest.truncate(count - 1);
                nearest.insert(rank, (distance, candidate));
            }
        }
    }
}

/// Eight partial sums: the compiler may not reorder one, and would add value by value.
fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(x, y)| (x - y) * (x - y)).sum();
    for (x, y) in a.zip(b) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += (x - y) * (x - y);
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests;
