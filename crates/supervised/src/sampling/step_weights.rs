//! Weights of the rows of the objective `every_step`.

use super::class_shares::{class_shares, natural_shares};
use super::{CLASSES, HardPool, SamplingConfig};
use crate::SupervisedError;

/// The rows of all series, each list one entry per series and in it one per row.
#[derive(Clone, Copy, Debug)]
pub struct StepRows<'a> {
    /// Whether the row has a training label. Only rows that are trained on should have: leave out those
    /// that lie in no run.
    pub supervised: &'a [Vec<bool>],
    /// 0 Sell, 1 Hold, 2 Buy, [`NO_CLASS`](crate::dataset::NO_CLASS) for none.
    pub classes: &'a [Vec<u8>],
    /// Average uniqueness of the label, in `(0, 1]` where supervised.
    pub uniqueness: &'a [Vec<f32>],
}

/// How much each supervised row counts in the loss of an epoch: what [`Sampler`](super::Sampler) does by
/// drawing more or less often, done by weight.
///
/// `w = u · k_c · s_y · h`, brought to mean 1 over all supervised rows, with
/// - `u` the uniqueness of the label, 1 without `uniqueness_weights`;
/// - `k_c` the share of the class in this epoch over its natural share, 1 without `class_balanced`. Shares
///   are shares of the sum of `u`, so that afterwards the class has exactly its share of the weight;
/// - `s_y`, 1 without `symbol_stratified`, gives every symbol the same total weight. Where the symbols
///   differ in their mix of classes, this moves the classes off their shares a little: the symbols hold;
/// - `h` for mining with share `m`: `1 − m` for a row outside the pool, `1 − m + m · C / P` inside, where
///   `C` is the weight of the class and `P` that of its rows in the pool. That is the expectation of drawing
///   the share `m` from the pool and the rest from everything: the class keeps its weight, the pool has
///   `m + (1 − m) P / C` of it. Symbols with more hard rows gain weight by this.
#[derive(Clone, Debug, PartialEq)]
pub struct StepWeights {
    weights: Vec<Vec<f32>>,
}

impl StepWeights {
    /// The weights in `epoch` (from 0); `hard` is the latest pool of [`HardPool::from_step_losses`]. Of the
    /// configuration, what concerns batches and numbers of samples has no effect here.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] as [`SamplingConfig::validate`]; [`SupervisedError::Data`] where the lists
    /// differ in shape, a supervised row has no class or no uniqueness in `(0, 1]`, fewer than two classes
    /// occur, or `hard` is of another number of rows.
    pub fn new(
        config: &SamplingConfig,
        rows: StepRows<'_>,
        epoch: usize,
        hard: Option<&HardPool>,
    ) -> Result<Self, SupervisedError> {
        config.validate()?;
        rows.check()?;
        let (class_factors, symbol_factors) = factors(config, rows, epoch)?;
        let unique = config.uniqueness_weights;
        let mut weights: Vec<Vec<f64>> = Vec::with_capacity(rows.classes.len());
        for (series, symbol_factor) in symbol_factors.into_iter().enumerate() {
            let mut of_series = vec![0.0; rows.classes[series].len()];
            for (row, class) in rows.labelled(series) {
                of_series[row] = rows.uniqueness(series, row, unique) * class_factors[class] * symbol_factor;
            }
            weights.push(of_series);
        }
        let share = config.hard_negatives.share(epoch);
        if let Some(pool) = hard.filter(|_| share > 0.0) {
            pool.check(rows.classes.iter().map(Vec::len).sum())?;
            mine(rows, pool, share, &mut weights);
        }
        let count = (0..rows.classes.len()).map(|series| rows.labelled(series).count()).sum::<usize>();
        let scale = count as f64 / weights.iter().flatten().sum::<f64>();
        let weights = weights
            .into_iter()
            .map(|rows| rows.into_iter().map(|weight| (weight * scale) as f32).collect())
            .collect();
        Ok(Self { weights })
    }

    /// One list per series with one weight per row; 0 where not supervised.
    pub fn weights(&self) -> &[Vec<f32>] {
        &self.weights
    }

    /// The same, without a copy.
    pub fn into_weights(self) -> Vec<Vec<f32>> {
        self.weights
    }
}

impl StepRows<'_> {
    fn check(&self) -> Result<(), SupervisedError> {
        let series = self.supervised.len();
        let same = self.classes.len() == series
            && self.uniqueness.len() == series
            && (0..series).all(|index| {
                let rows = self.supervised[index].len();
                self.classes[index].len() == rows && self.uniqueness[index].len() == rows
            });
        if !same {
            return Err(SupervisedError::data(
                "rows to weigh",
                "labels, classes and uniqueness differ in series or rows; give those of one frame",
            ));
        }
        for index in 0..series {
            for row in (0..self.supervised[index].len()).filter(|row| self.supervised[index][*row]) {
                let (class, weight) = (self.classes[index][row], self.uniqueness[index][row]);
                if class as usize >= CLASSES || !(weight > 0.0 && weight <= 1.0) {
                    return Err(SupervisedError::data(
                        format!("row {row} of series {index}"),
                        format!(
                            "it is to be trained on with class {class} and uniqueness {weight}; a class is 0, 1 or 2, a uniqueness above 0 and at most 1"
                        ),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Supervised rows of a series, with their class.
    fn labelled(&self, series: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        let classes = &self.classes[series];
        let supervised = self.supervised[series].iter().enumerate().filter(|(_, supervised)| **supervised);
        supervised.map(|(row, _)| (row, classes[row] as usize))
    }

    fn uniqueness(&self, series: usize, row: usize, unique: bool) -> f64 {
        if unique { f64::from(self.uniqueness[series][row]) } else { 1.0 }
    }
}

/// `k_c` of every class and `s_y` of every series.
fn factors(
    config: &SamplingConfig,
    rows: StepRows<'_>,
    epoch: usize,
) -> Result<([f64; CLASSES], Vec<f64>), SupervisedError> {
    let mut by_series = vec![[0.0; CLASSES]; rows.classes.len()];
    for (series, sums) in by_series.iter_mut().enumerate() {
        for (row, class) in rows.labelled(series) {
            sums[class] += rows.uniqueness(series, row, config.uniqueness_weights);
        }
    }
    let totals = std::array::from_fn(|class| by_series.iter().map(|sums| sums[class]).sum());
    let natural = natural_shares(totals)?;
    let shares = class_shares(config, natural, epoch);
    let class_factors: [f64; CLASSES] =
        std::array::from_fn(|class| if natural[class] > 0.0 { shares[class] / natural[class] } else { 0.0 });
    let symbol_factors = by_series
        .iter()
        .map(|sums| {
            let sum: f64 = sums.iter().zip(class_factors).map(|(sum, factor)| sum * factor).sum();
            if config.symbol_stratified && sum > 0.0 { 1.0 / sum } else { 1.0 }
        })
        .collect();
    Ok((class_factors, symbol_factors))
}

/// Multiplies by `h`. A class of which the pool has no row is left alone.
fn mine(rows: StepRows<'_>, pool: &HardPool, share: f64, weights: &mut [Vec<f64>]) {
    let mut offsets = Vec::with_capacity(weights.len());
    let mut rows_before = 0;
    for of_series in weights.iter() {
        offsets.push(rows_before);
        rows_before += of_series.len();
    }
    // The pool is ascending, so one walk through the series finds all members. A member need not be
    // supervised: its weight is 0 then, and it counts nothing.
    let places: Vec<(usize, usize)> = pool
        .members()
        .iter()
        .map(|member| {
            let member = *member as usize;
            let series = offsets.partition_point(|offset| *offset <= member) - 1;
            (series, member - offsets[series])
        })
        .filter(|(series, row)| rows.supervised[*series][*row])
        .collect();
    let mut of_class = [0.0; CLASSES];
    for (series, weights) in weights.iter().enumerate() {
        for (row, class) in rows.labelled(series) {
            of_class[class] += weights[row];
        }
    }
    let mut of_pool = [0.0; CLASSES];
    for &(series, row) in &places {
        of_pool[rows.classes[series][row] as usize] += weights[series][row];
    }
    let gain: [f64; CLASSES] = std::array::from_fn(|class| {
        if of_pool[class] > 0.0 { share / (1.0 - share) * of_class[class] / of_pool[class] } else { 0.0 }
    });
    for (series, weights) in weights.iter_mut().enumerate() {
        for (row, class) in rows.labelled(series) {
            if of_pool[class] > 0.0 {
                weights[row] *= 1.0 - share;
            }
        }
    }
    for (series, row) in places {
        // On what is left of the weight, `1 − m`, so that both add up to `1 − m + m C / P`.
        weights[series][row] *= 1.0 + gain[rows.classes[series][row] as usize];
    }
}

#[cfg(test)]
mod tests;
