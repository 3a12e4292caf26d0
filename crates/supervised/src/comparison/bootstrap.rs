//! Interval of the difference of two classifiers.

use rand_distr::{Distribution, Geometric, Uniform};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::PairedRows;
use super::timeline::Timeline;
use crate::error::SupervisedError;
use crate::metrics::{BootstrapConfig, Confusion, distributions, percentile, standard_deviation, surprise};
use crate::prediction_rows::{check_probabilities, check_row_counts, rows_of_three};
use crate::random::generator;

/// A score of both classifiers and its difference, the first less the second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairedDifference {
    /// Score of the first classifier over all rows.
    pub first: f64,
    /// Score of the second classifier over all rows.
    pub second: f64,
    /// `first − second`.
    pub difference: f64,
    /// Standard deviation of the resampled differences.
    pub standard_error: f64,
    /// 2.5th percentile of the resampled differences.
    pub lower: f64,
    /// 97.5th percentile of the resampled differences.
    pub upper: f64,
    /// 0.5th percentile of the resampled differences: the 99 % interval, which a claim has to keep clear of 0.
    pub claim_lower: f64,
    /// 99.5th percentile of the resampled differences.
    pub claim_upper: f64,
}

impl PairedDifference {
    fn new(first: f64, second: f64, mut resampled: Vec<f64>) -> Self {
        resampled.sort_unstable_by(f64::total_cmp);
        Self {
            first,
            second,
            difference: first - second,
            standard_error: standard_deviation(&resampled),
            lower: percentile(&resampled, 0.025),
            upper: percentile(&resampled, 0.975),
            claim_lower: percentile(&resampled, 0.005),
            claim_upper: percentile(&resampled, 0.995),
        }
    }

    /// Whether the 99 % interval leaves out 0: a difference that the draw of the times does not explain. With 95 % one in
    /// twenty models without skill would be sold as one with it, and users try many.
    pub fn is_clear(&self) -> bool {
        self.claim_lower > 0.0 || self.claim_upper < 0.0
    }
}

/// Two classifiers compared on the same rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairedComparison {
    /// Number of rows.
    pub rows: u64,
    /// Number of different times.
    pub times: u64,
    /// Macro F1 of the decisions; above 0 the first is better.
    pub macro_f1: PairedDifference,
    /// Mean log-loss of the probabilities in nats, where they are given; below 0 the first is better.
    pub log_loss: Option<PairedDifference>,
}

/// 95 % intervals of the differences in macro F1 and log-loss, by the stationary bootstrap (Politis and Romano 1994,
/// section 2) over the times, with percentiles. `probabilities` are those of the first and of the second
/// classifier, `[rows, 3]` each, if log-loss is wanted as well.
///
/// What is drawn are blocks of times, and both classifiers and all series of a time go with it: series that move
/// together are not taken for independent ones, and what is hard for both classifiers does not blur their difference.
/// `block_length` of `config` is counted in different times here. A block goes on over gaps to the next time
/// that there is, and after the last time at the first. A resample has as many times as the data, though not
/// quite as many rows where times have different numbers of rows. Take blocks that are several times as long as
/// a label reaches ahead; with fewer than some thirty blocks the interval comes out too narrow.
///
/// Macro F1 is computed from the confusion counts of the resample, so it is the macro F1 of resampled rows
/// and no mean of macro F1s. It is that of [`Confusion::macro_f1`].
///
/// The result is the same for any number of threads.
///
/// # Errors
/// [`SupervisedError::Config`] as [`BootstrapConfig::validate`]; [`SupervisedError::Data`] for columns of
/// different lengths, classes other than 0, 1, 2, rows that are no distribution, and fewer times than two
/// blocks.
pub fn compare(
    rows: &PairedRows<'_>,
    probabilities: Option<(&[f32], &[f32])>,
    config: &BootstrapConfig,
) -> Result<PairedComparison, SupervisedError> {
    config.validate()?;
    rows.validate()?;
    let surplus = match probabilities {
        Some((a, b)) => Some([surprises(a, rows.targets)?, surprises(b, rows.targets)?]),
        None => None,
    };
    let timeline = Timeline::new(rows);
    let times = timeline.times();
    if times < config.block_length.saturating_mul(2).max(2) {
        let reason = format!("{times} different times are fewer than two blocks of {}", config.block_length);
        return Err(SupervisedError::data("open times", reason));
    }
    let running = Running::new(rows, surplus.as_ref(), &timeline);
    let (start, length) = distributions(times, config.block_length)?;
    let draw = |index: usize| running.resample(config.seed, index, &start, &length).differences();
    let resampled: Vec<[f64; 2]> = (0..config.resamples).into_par_iter().map(draw).collect();
    let column = |which: usize| resampled.iter().map(|pair| pair[which]).collect();
    let [first, second] = running.all().macro_f1();
    let macro_f1 = PairedDifference::new(first, second, column(0));
    let log_loss = surplus.map(|surplus| {
        let [first, second] = surplus.map(|values| values.iter().sum::<f64>() / values.len() as f64);
        PairedDifference::new(first, second, column(1))
    });
    Ok(PairedComparison { rows: rows.targets.len() as u64, times: times as u64, macro_f1, log_loss })
}

/// Log-loss of each row.
fn surprises(probabilities: &[f32], targets: &[u8]) -> Result<Vec<f64>, SupervisedError> {
    let rows = rows_of_three(probabilities, "probabilities")?;
    check_row_counts("probabilities", rows.len(), "targets", targets.len())?;
    let of_row = |(row, (&values, &target)): (usize, (&[f32; 3], &u8))| {
        check_probabilities(row, values)?;
        Ok(surprise(f64::from(values[usize::from(target)])))
    };
    rows.iter().zip(targets).enumerate().map(of_row).collect()
}

/// Counts of both confusion tables, the second after the first, and the first's log-loss less the second's.
#[derive(Clone, Copy, Default)]
struct Sums {
    /// `18 = 2 classifiers × 3 true × 3 predicted classes`.
    counts: [u64; 18],
    log_loss: f64,
}

impl Sums {
    /// Adds `turns` times what lies between two running sums.
    fn add(&mut self, from: &Self, to: &Self, turns: u64) {
        for (sum, (to, from)) in self.counts.iter_mut().zip(to.counts.iter().zip(&from.counts)) {
            *sum += turns * (to - from);
        }
        self.log_loss += turns as f64 * (to.log_loss - from.log_loss);
    }

    fn macro_f1(&self) -> [f64; 2] {
        let table = |at: usize| {
            let row = |row: usize| std::array::from_fn(|column| self.counts[at + 3 * row + column]);
            Confusion { counts: [row(0), row(1), row(2)] }
        };
        [table(0).macro_f1(), table(9).macro_f1()]
    }

    /// Differences in macro F1 and in mean log-loss.
    fn differences(&self) -> [f64; 2] {
        let [first, second] = self.macro_f1();
        let rows: u64 = self.counts[..9].iter().sum();
        [first - second, self.log_loss / rows as f64]
    }
}

/// Running sums over the times, by which a block costs two look-ups: one element more than times.
struct Running(Vec<Sums>);

impl Running {
    fn new(rows: &PairedRows<'_>, surplus: Option<&[Vec<f64>; 2]>, timeline: &Timeline) -> Self {
        let mut sums = Sums::default();
        let mut running = Vec::with_capacity(timeline.times() + 1);
        running.push(sums);
        for time in 0..timeline.times() {
            for row in timeline.rows(time, time + 1) {
                let truth = 3 * usize::from(rows.targets[row]);
                sums.counts[truth + usize::from(rows.classes_a[row])] += 1;
                sums.counts[9 + truth + usize::from(rows.classes_b[row])] += 1;
                sums.log_loss += surplus.map_or(0.0, |[first, second]| first[row] - second[row]);
            }
            running.push(sums);
        }
        Self(running)
    }

    fn times(&self) -> usize {
        self.0.len() - 1
    }

    fn all(&self) -> Sums {
        self.0[self.times()]
    }

    /// Adds the block of `length` times from `start`, around the end.
    fn add_block(&self, sums: &mut Sums, start: usize, length: usize) {
        let times = self.times();
        let before_end = length.min(times - start);
        sums.add(&self.0[start], &self.0[start + before_end], 1);
        let around = length - before_end;
        if around > 0 {
            sums.add(&self.0[0], &self.0[times], (around / times) as u64);
            sums.add(&self.0[0], &self.0[around % times], 1);
        }
    }

    fn resample(&self, seed: u64, index: usize, start: &Uniform<usize>, length: &Geometric) -> Sums {
        let mut rng = generator(seed, "paired-block-bootstrap", index as u64);
        let mut sums = Sums::default();
        let mut left = self.times();
        while left > 0 {
            let beyond_first = usize::try_from(length.sample(&mut rng)).unwrap_or(usize::MAX);
            let block = beyond_first.saturating_add(1).min(left);
            self.add_block(&mut sums, start.sample(&mut rng), block);
            left -= block;
        }
        sums
    }
}

#[cfg(test)]
mod tests;
