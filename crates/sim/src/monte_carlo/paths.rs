//! One path: how its returns are drawn, and what is kept of it.

use std::ops::Range;

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::fan::fan_times;
use super::{MonteCarloConfig, MonteCarloMethod, PathOutcome};
use crate::error::SimError;
use crate::luck::{StationaryBlocks, below, generator, mean_block};

/// Normal returns are drawn so many at a time, so that they stay in the nearest cache.
const CHUNK: usize = 1_024;

/// What is kept of a path: logarithms of the equity over the starting equity.
pub(super) struct PathSummary {
    pub(super) final_log: f64,
    pub(super) lowest_log: f64,
    /// Largest fall of the logarithm from a peak.
    pub(super) deepest_log: f64,
    pub(super) sharpe: Option<f64>,
    pub(super) fan_logs: Vec<f64>,
}

impl PathSummary {
    pub(super) fn outcome(&self) -> PathOutcome {
        PathOutcome {
            final_equity: self.final_log.exp(),
            maximum_drawdown: -(-self.deepest_log).exp_m1(),
            sharpe: self.sharpe,
        }
    }
}

/// A path under way. Equity is kept as a sum of log returns: an addition per step, and a drawdown is a difference.
struct Walk<'times> {
    log: f64,
    peak: f64,
    lowest: f64,
    deepest: f64,
    steps: usize,
    /// Times of the fan still to come.
    times: &'times [usize],
    fan_logs: Vec<f64>,
}

impl<'times> Walk<'times> {
    fn new(times: &'times [usize]) -> Self {
        let fan_logs = Vec::with_capacity(times.len());
        let mut walk = Self { log: 0.0, peak: 0.0, lowest: 0.0, deepest: 0.0, steps: 0, times, fan_logs };
        walk.note();
        walk
    }

    fn advance(&mut self, mut logs: &[f64]) {
        while !logs.is_empty() {
            let until = self.times.first().map_or(logs.len(), |time| time - self.steps);
            let (now, later) = logs.split_at(until.min(logs.len()));
            self.run(now);
            self.steps += now.len();
            self.note();
            logs = later;
        }
    }

    #[inline]
    fn run(&mut self, logs: &[f64]) {
        let (mut log, mut peak, mut lowest, mut deepest) = (self.log, self.peak, self.lowest, self.deepest);
        for step in logs {
            log += step;
            // Comparisons by hand: `max` also orders NaN, which costs as much as the rest of the loop.
            peak = if log > peak { log } else { peak };
            lowest = if log < lowest { log } else { lowest };
            let fall = peak - log;
            deepest = if fall > deepest { fall } else { deepest };
        }
        (self.log, self.peak, self.lowest, self.deepest) = (log, peak, lowest, deepest);
    }

    fn note(&mut self) {
        if let Some((time, later)) = self.times.split_first()
            && *time == self.steps
        {
            self.fan_logs.push(self.log);
            self.times = later;
        }
    }

    fn finish(self, sharpe: Option<f64>) -> PathSummary {
        let Self { log, lowest, deepest, fan_logs, .. } = self;
        PathSummary { final_log: log, lowest_log: lowest, deepest_log: deepest, sharpe, fan_logs }
    }
}

/// Sums of simple returns about the record's mean, from which a Sharpe ratio is made.
#[derive(Clone, Copy, Default)]
struct Sums {
    sum: f64,
    squares: f64,
}

impl Sums {
    fn add(&mut self, excess: f64) {
        self.sum += excess;
        self.squares += excess * excess;
    }

    /// Sharpe ratio of `count` returns; `deviation` is the record's, against which rounding is told from movement.
    fn sharpe(self, count: usize, mean: f64, deviation: f64) -> Option<f64> {
        let count = count as f64;
        let excess = self.sum / count;
        let variance = (self.squares - count * excess * excess) / (count - 1.0);
        (variance > deviation * deviation * 1e-9).then(|| (mean + excess) / variance.sqrt())
    }
}

/// Draws paths of one record.
pub(super) struct Sampler {
    method: MonteCarloMethod,
    seed: u64,
    steps: usize,
    times: Vec<usize>,
    mean_block: Option<f64>,
    /// ln(1 + return).
    logs: Vec<f64>,
    /// Sums over the first rows, one more than rows: a block's sums are one subtraction.
    before: Vec<Sums>,
    mean: f64,
    deviation: f64,
    log_mean: f64,
    log_deviation: f64,
}

impl Sampler {
    pub(super) fn new(returns: &[f64], config: &MonteCarloConfig) -> Result<Self, SimError> {
        let count = returns.len();
        let (steps, block) = match config.method {
            MonteCarloMethod::Shuffle {} => (count, None),
            MonteCarloMethod::StationaryBootstrap { mean_block: asked, steps } => {
                (steps.unwrap_or(count), Some(mean_block(returns, asked)?))
            }
            MonteCarloMethod::RandomStart { steps } => {
                if steps >= count {
                    let problem =
                        format!("{steps} steps leave no choice of a start in {count} returns; give fewer");
                    return Err(SimError::data("random start", problem));
                }
                (steps, None)
            }
            MonteCarloMethod::Gaussian { steps } => (steps.unwrap_or(count), None),
        };
        let logs: Vec<f64> = returns.iter().map(|value| value.ln_1p()).collect();
        let (mean, deviation) = mean_and_deviation(returns);
        let (log_mean, log_deviation) = mean_and_deviation(&logs);
        let mut total = Sums::default();
        let mut before = vec![total];
        for value in returns {
            total.add(value - mean);
            before.push(total);
        }
        let times = fan_times(steps);
        let (method, seed, mean_block) = (config.method, config.seed, block);
        Ok(Self {
            method,
            seed,
            steps,
            times,
            mean_block,
            logs,
            before,
            mean,
            deviation,
            log_mean,
            log_deviation,
        })
    }

    pub(super) fn steps(&self) -> usize {
        self.steps
    }

    pub(super) fn mean_block(&self) -> Option<f64> {
        self.mean_block
    }

    pub(super) fn fan_times(&self) -> &[usize] {
        &self.times
    }

    /// The path that was recorded, without a fan.
    pub(super) fn recorded(&self) -> PathSummary {
        let mut walk = Walk::new(&[]);
        let mut sums = Sums::default();
        self.visit(0..self.logs.len(), &mut walk, &mut sums);
        walk.finish(sums.sharpe(self.logs.len(), self.mean, self.deviation))
    }

    /// Path number `index`; `buffer` is scratch space, whose content does not matter.
    pub(super) fn path(&self, index: u64, recorded: &PathSummary, buffer: &mut Vec<f64>) -> PathSummary {
        let mut rng = generator(self.seed, "monte-carlo", index);
        let mut walk = Walk::new(&self.times);
        let mut sums = Sums::default();
        match self.method {
            MonteCarloMethod::Shuffle {} => return self.shuffled(walk, recorded, &mut rng, buffer),
            MonteCarloMethod::StationaryBootstrap { .. } => {
                let blocks = StationaryBlocks::new(self.logs.len(), self.mean_block.unwrap_or(1.0));
                blocks.draw(self.steps, &mut rng, |rows| self.visit(rows, &mut walk, &mut sums));
            }
            MonteCarloMethod::RandomStart { steps } => {
                let start = below(self.logs.len() - steps + 1, &mut rng);
                self.visit(start..start + steps, &mut walk, &mut sums);
            }
            MonteCarloMethod::Gaussian { .. } => self.gaussian(&mut walk, &mut sums, &mut rng, buffer),
        }
        walk.finish(sums.sharpe(self.steps, self.mean, self.deviation))
    }

    #[inline]
    fn visit(&self, rows: Range<usize>, walk: &mut Walk<'_>, sums: &mut Sums) {
        if let (Some(first), Some(last)) = (self.before.get(rows.start), self.before.get(rows.end)) {
            sums.sum += last.sum - first.sum;
            sums.squares += last.squares - first.squares;
        }
        walk.advance(self.logs.get(rows).unwrap_or_default());
    }

    fn shuffled(
        &self,
        mut walk: Walk<'_>,
        recorded: &PathSummary,
        rng: &mut impl Rng,
        buffer: &mut Vec<f64>,
    ) -> PathSummary {
        buffer.clear();
        buffer.extend_from_slice(&self.logs);
        // Fisher and Yates, as Durstenfeld 1964.
        for last in (1..buffer.len()).rev() {
            buffer.swap(last, below(last + 1, rng));
        }
        walk.advance(buffer);
        let mut path = walk.finish(recorded.sharpe);
        // The order changes neither; without this, rounding would decide which paths of a flat record are losses.
        path.final_log = recorded.final_log;
        if let Some(last) = path.fan_logs.last_mut() {
            *last = recorded.final_log;
        }
        path
    }

    fn gaussian(&self, walk: &mut Walk<'_>, sums: &mut Sums, rng: &mut impl Rng, buffer: &mut Vec<f64>) {
        let mut missing = self.steps;
        while missing > 0 {
            buffer.clear();
            for _ in 0..missing.min(CHUNK) {
                let normal: f64 = StandardNormal.sample(rng);
                let log = self.log_mean + self.log_deviation * normal;
                sums.add(log.exp_m1() - self.mean);
                buffer.push(log);
            }
            walk.advance(buffer);
            missing -= buffer.len();
        }
    }
}

/// Mean and standard deviation (n − 1).
fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0)).sqrt())
}
