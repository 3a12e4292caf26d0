//! Probability of backtest overfitting by combinatorially symmetric cross-validation (CSCV).

use labels::splits::combinations;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::SimError;

/// With 20 blocks there are 184,756 splits, and with more nothing is learnt that time would not be better spent on.
const MOST_BLOCKS: usize = 20;

/// Least-squares line of the out-of-sample Sharpe ratio of the chosen trial on its in-sample one, over all splits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Degradation {
    /// Change of the out-of-sample Sharpe ratio per unit of the in-sample one; below 0, the better it looked the worse
    /// it did.
    pub slope: f64,
    /// Out-of-sample Sharpe ratio at an in-sample one of 0, per row.
    pub intercept: f64,
    /// Share of the variance that the line explains.
    pub r_squared: f64,
}

/// What choosing the best trial in one half of the data was worth in the other half.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BacktestOverfitting {
    /// Share of splits in which the trial that was best in sample was at or below the median out of sample.
    pub probability: f64,
    /// Share of splits in which it had a negative Sharpe ratio out of sample.
    pub probability_of_loss: f64,
    /// How its Sharpe ratio degrades; absent where the in-sample ones are all equal.
    pub degradation: Option<Degradation>,
    /// ln(ω/(1 − ω)) per split, ω being its rank out of sample over the number of trials + 1.
    pub logits: Vec<f64>,
    /// Its Sharpe ratio in sample per split, per row.
    pub in_sample: Vec<f64>,
    /// Its Sharpe ratio out of sample per split, per row.
    pub out_of_sample: Vec<f64>,
    /// Oldest rows left out so that all blocks have the same length.
    pub dropped_rows: usize,
}

/// Sum and sum of squares of a trial's returns in one block, about the trial's mean.
#[derive(Clone, Copy, Default)]
struct BlockSum {
    sum: f64,
    squares: f64,
}

/// CSCV of Bailey, Borwein, López de Prado and Zhu 2015, "The probability of backtest overfitting".
///
/// `trials[n]` holds the returns per row (simple, per bar) of trial n, all of length T ([trials, rows]). The rows are
/// cut into `blocks` blocks; each choice of half of them is once the sample in which the trial of the highest Sharpe
/// ratio is chosen (the first of equals), and the other half judges it. Equal Sharpe ratios share their mean rank. A
/// trial that does not move in a half has a Sharpe ratio of 0 there.
///
/// # Errors
/// [`SimError::Data`] below two trials, for unequal lengths, numbers that are not finite, an odd number of blocks or one
/// outside 2 to 20, fewer than two rows per block, and trials whose returns are constant but not 0 in a half.
pub fn backtest_overfitting(trials: &[Vec<f64>], blocks: usize) -> Result<BacktestOverfitting, SimError> {
    let rows = common_length(trials)?;
    if !(2..=MOST_BLOCKS).contains(&blocks) || !blocks.is_multiple_of(2) {
        return Err(SimError::data(
            "CSCV blocks",
            format!("{blocks}; give an even number from 2 to {MOST_BLOCKS}"),
        ));
    }
    let per_block = rows / blocks;
    if per_block < 2 {
        return Err(SimError::data(
            "CSCV rows",
            format!(
                "{rows} rows do not fill {blocks} blocks with two rows each; give more rows or fewer blocks"
            ),
        ));
    }
    let dropped_rows = rows % blocks;
    let sums: Vec<TrialSums> = trials
        .iter()
        .enumerate()
        .map(|(number, trial)| TrialSums::new(number, trial, dropped_rows, per_block))
        .collect::<Result<_, _>>()?;
    let rows_per_half = (per_block * blocks / 2) as f64;
    let splits = combinations(blocks, blocks / 2)
        .par_iter()
        .map(|chosen| judge(&sums, chosen, rows_per_half))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(summary(&splits, dropped_rows))
}

/// Length of all trials.
pub(super) fn common_length(trials: &[Vec<f64>]) -> Result<usize, SimError> {
    let Some(first) = trials.first().filter(|_| trials.len() >= 2) else {
        return Err(SimError::data("trials", format!("{}; a comparison needs two or more", trials.len())));
    };
    for (number, trial) in trials.iter().enumerate() {
        if trial.len() != first.len() {
            return Err(SimError::data(
                format!("trial {number}"),
                format!(
                    "{} rows where trial 0 has {}; run all trials over the same bars",
                    trial.len(),
                    first.len()
                ),
            ));
        }
        if let Some(at) = trial.iter().position(|value| !value.is_finite()) {
            return Err(SimError::data(
                format!("trial {number}"),
                format!("row {at} is not a finite number"),
            ));
        }
    }
    Ok(first.len())
}

struct TrialSums {
    number: usize,
    mean: f64,
    largest: f64,
    blocks: Vec<BlockSum>,
}

impl TrialSums {
    fn new(number: usize, trial: &[f64], dropped_rows: usize, per_block: usize) -> Result<Self, SimError> {
        let rows = trial.get(dropped_rows..).unwrap_or_default();
        let mean = rows.iter().sum::<f64>() / rows.len() as f64;
        let largest = rows.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        if !mean.is_finite() {
            return Err(SimError::data(format!("trial {number}"), "its returns are too large to be summed"));
        }
        let blocks = rows
            .chunks_exact(per_block)
            .map(|block| {
                block.iter().fold(BlockSum::default(), |total, value| {
                    let excess = value - mean;
                    BlockSum { sum: total.sum + excess, squares: total.squares + excess * excess }
                })
            })
            .collect();
        Ok(Self { number, mean, largest, blocks })
    }

    /// Sharpe ratio over the blocks that `takes` picks.
    fn sharpe(&self, rows: f64, takes: impl Fn(usize) -> bool) -> Result<f64, SimError> {
        let total = self.blocks.iter().enumerate().filter(|(block, _)| takes(*block)).fold(
            BlockSum::default(),
            |total, (_, block)| BlockSum {
                sum: total.sum + block.sum,
                squares: total.squares + block.squares,
            },
        );
        let excess = total.sum / rows;
        let mean = self.mean + excess;
        let variance = ((total.squares - rows * excess * excess) / (rows - 1.0)).max(0.0);
        let deviation = variance.sqrt();
        // Below this both are what rounding left of equal numbers.
        if deviation > self.largest * 1e-9 {
            return Ok(mean / deviation);
        }
        if mean.abs() <= self.largest * 1e-9 {
            return Ok(0.0);
        }
        Err(SimError::data(
            format!("trial {}", self.number),
            "its returns are constant but not 0 over half of the rows, so it has no Sharpe ratio there; leave it out",
        ))
    }
}

#[derive(Clone, Copy)]
struct Split {
    in_sample: f64,
    out_of_sample: f64,
    logit: f64,
}

/// One split: `chosen` are the blocks in sample, `rows` the rows of a half.
fn judge(sums: &[TrialSums], chosen: &[usize], rows: f64) -> Result<Split, SimError> {
    let inside = chosen.iter().fold(0_u32, |mask, block| mask | (1 << block));
    let takes = |block: usize| inside & (1 << block) != 0;
    let mut best: Option<(f64, f64)> = None;
    let mut outcomes = Vec::with_capacity(sums.len());
    for trial in sums {
        let in_sample = trial.sharpe(rows, takes)?;
        let out_of_sample = trial.sharpe(rows, |block| !takes(block))?;
        outcomes.push(out_of_sample);
        if best.is_none_or(|(highest, _)| in_sample > highest) {
            best = Some((in_sample, out_of_sample));
        }
    }
    let (in_sample, out_of_sample) = best.unwrap_or_default();
    let below = outcomes.iter().filter(|sharpe| **sharpe < out_of_sample).count() as f64;
    let equal = outcomes.iter().filter(|sharpe| **sharpe == out_of_sample).count() as f64;
    let omega = (below + 0.5 * (equal + 1.0)) / (outcomes.len() as f64 + 1.0);
    Ok(Split { in_sample, out_of_sample, logit: (omega / (1.0 - omega)).ln() })
}

fn summary(splits: &[Split], dropped_rows: usize) -> BacktestOverfitting {
    let share = |holds: fn(&Split) -> bool| {
        splits.iter().filter(|split| holds(split)).count() as f64 / splits.len() as f64
    };
    let in_sample: Vec<f64> = splits.iter().map(|split| split.in_sample).collect();
    let out_of_sample: Vec<f64> = splits.iter().map(|split| split.out_of_sample).collect();
    BacktestOverfitting {
        probability: share(|split| split.logit <= 0.0),
        probability_of_loss: share(|split| split.out_of_sample < 0.0),
        degradation: degradation_line(&in_sample, &out_of_sample),
        logits: splits.iter().map(|split| split.logit).collect(),
        in_sample,
        out_of_sample,
        dropped_rows,
    }
}

/// The least-squares line of `out_of_sample` on `in_sample`; nothing where the latter are all equal.
pub(super) fn degradation_line(in_sample: &[f64], out_of_sample: &[f64]) -> Option<Degradation> {
    let count = in_sample.len() as f64;
    let mean_x = in_sample.iter().sum::<f64>() / count;
    let mean_y = out_of_sample.iter().sum::<f64>() / count;
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in in_sample.iter().zip(out_of_sample) {
        let (x, y) = (x - mean_x, y - mean_y);
        xx += x * x;
        xy += x * y;
        yy += y * y;
    }
    if xx <= f64::EPSILON * count * mean_x * mean_x {
        return None;
    }
    let slope = xy / xx;
    let r_squared = if yy > 0.0 { xy * xy / (xx * yy) } else { 1.0 };
    Some(Degradation { slope, intercept: mean_y - slope * mean_x, r_squared })
}
