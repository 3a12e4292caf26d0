//! Where an episode is, and what was drawn for it.

use rand::{Rng, RngExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::config::{CostConfig, EpisodeConfig, MarketEnvironmentConfig};
use super::frame::{MarketFrames, Run};
use crate::error::SimError;
use crate::luck::{below, generator};

/// Where episodes can begin in one run of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    portfolio: usize,
    /// The first row that can be decided at.
    first: usize,
    /// The last row, whose close is marked last.
    last: usize,
    /// First rows of this and all stretches before.
    starts_until: usize,
    /// First rows of this one.
    starts: usize,
}

/// All places where episodes can be.
#[derive(Clone, Debug)]
pub(super) struct Episodes {
    stretches: Vec<Stretch>,
    config: EpisodeConfig,
    costs: CostConfig,
    time_shift: usize,
    environments: usize,
}

/// Where an episode is, and what was drawn for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(super) struct Episode {
    pub portfolio: usize,
    /// The row at whose close it began.
    pub first: usize,
    /// The row at whose close is decided next.
    pub row: usize,
    /// The row at whose close it is truncated.
    pub last: usize,
    /// Rows by which observations are late.
    pub shift: usize,
    pub noise_key: u64,
    pub taker_fee: f64,
    pub slippage: f64,
}

impl Episodes {
    pub(super) fn new(config: &MarketEnvironmentConfig, frames: &MarketFrames) -> Result<Self, SimError> {
        let before = config.window - 1 + config.augmentation.time_shift;
        let mut stretches: Vec<Stretch> = Vec::new();
        let mut starts_until = 0;
        for Run { portfolio, from, to } in frames.runs().iter().copied() {
            let (first, last) = (from + before, to - 1);
            if first >= last {
                continue;
            }
            let starts = match config.episode {
                EpisodeConfig::RandomWindow { length } => (last - first).saturating_sub(length) + 1,
                EpisodeConfig::WholeSeries => 1,
            };
            starts_until += starts;
            stretches.push(Stretch { portfolio, first, last, starts_until, starts });
        }
        if stretches.is_empty() {
            let problem = format!(
                "no run of valid rows without a gap is longer than the {} rows that a window needs; give more data, or a smaller \
                 window or time shift",
                before + 1
            );
            return Err(SimError::data("market frames", problem));
        }
        Ok(Self {
            stretches,
            config: config.episode,
            costs: config.costs,
            time_shift: config.augmentation.time_shift,
            environments: config.environments,
        })
    }

    /// Runs of rows that are long enough for an episode.
    pub(super) fn stretches(&self) -> usize {
        self.stretches.len()
    }

    /// Episode `number` of an environment, after so many steps of it since the reset.
    pub(super) fn draw(&self, seed: u64, environment: usize, number: u64, steps: u64) -> Episode {
        let mut rng = generator(seed, "market-environment/episode", (environment as u64) << 40 | number);
        let (stretch, offset) = match self.config {
            EpisodeConfig::RandomWindow { .. } => {
                let total = self.stretches.last().map_or(1, |stretch| stretch.starts_until);
                let at = below(total, &mut rng);
                let stretch =
                    self.stretches[self.stretches.partition_point(|stretch| stretch.starts_until <= at)];
                (stretch, at + stretch.starts - stretch.starts_until)
            }
            EpisodeConfig::WholeSeries => {
                let at =
                    (environment as u64 + number * self.environments as u64) % self.stretches.len() as u64;
                (self.stretches[at as usize], 0)
            }
        };
        let first = stretch.first + offset;
        let last = match self.config {
            EpisodeConfig::RandomWindow { length } => stretch.last.min(first.saturating_add(length)),
            EpisodeConfig::WholeSeries => stretch.last,
        };
        let factor = self.costs.curriculum.map_or(1.0, |curriculum| {
            let way = (steps as f64 / (curriculum.steps.max(1) as f64)).min(1.0);
            if curriculum.steps == 0 { 1.0 } else { curriculum.start + (1.0 - curriculum.start) * way }
        });
        let mut between =
            |range: super::CostRange| factor * (range.from + (range.to - range.from) * rng.random::<f64>());
        let (taker_fee, slippage) = (between(self.costs.taker_fee), between(self.costs.slippage));
        let shift = below(self.time_shift + 1, &mut rng);
        Episode {
            portfolio: stretch.portfolio,
            first,
            row: first,
            last,
            shift,
            noise_key: rng.next_u64(),
            taker_fee,
            slippage,
        }
    }
}
