//! What else might have happened: many paths of equity from one record of returns.
//!
//! [`monte_carlo`] takes the returns of an equity curve per bar ([`bar_returns`]) or of trades ([`trade_returns`]),
//! compounds resampled ones from an equity of 1, and gives the distribution of the final equity, of the maximum drawdown
//! and of the Sharpe ratio. It resamples what was recorded: a risk that the record does not contain (a crash, a venue's
//! failure) is not in its paths either. [`monte_carlo_candles`] resamples the candles instead, and runs the strategy anew.

mod candles;
mod fan;
mod paths;
#[cfg(test)]
mod tests;

use rayon::prelude::*;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trading::TradingError;

pub use candles::{
    CandleMethod, CandleMonteCarlo, CandleMonteCarloConfig, CandlePathOutcome, RecordedRank,
    monte_carlo_candles,
};
pub use fan::{FAN_LEVELS, Fan};
use paths::{PathSummary, Sampler};

use crate::error::SimError;
use crate::luck::{FEWEST_RETURNS, quantile};

/// Below this the ends of the quantiles are chance.
const FEWEST_PATHS: usize = 1_000;
/// Each path keeps up to 200 numbers for the fan: 160 MB at this many.
const MOST_PATHS: usize = 100_000;

/// How a path is made from the recorded returns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum MonteCarloMethod {
    /// The same returns in a random order: the final equity stays, the drawdown varies. For trades; it destroys the
    /// dependence of bars on earlier bars. (With braces, since serde checks fields of such variants only.)
    Shuffle {},
    /// Blocks of the recorded returns with replacement (Politis and Romano 1994).
    StationaryBootstrap {
        /// Mean length of a block; absent: automatic (Politis and White 2004).
        #[serde(default)]
        mean_block: Option<f64>,
        /// Length of a path; absent: as recorded.
        #[serde(default)]
        steps: Option<usize>,
    },
    /// A sub-period of the record that starts at a random return. Sub-periods overlap, so that paths say how much the
    /// start mattered in this record, not how uncertain the future is.
    RandomStart {
        /// Length of a path; fewer than the recorded returns.
        steps: usize,
    },
    /// Independent normal log returns with the record's mean and standard deviation (n − 1).
    Gaussian {
        /// Length of a path; absent: as recorded.
        #[serde(default)]
        steps: Option<usize>,
    },
}

/// Settings of [`monte_carlo`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MonteCarloConfig {
    /// Paths, 1,000 to 100,000.
    pub paths: usize,
    /// How they are made.
    pub method: MonteCarloMethod,
    /// Ruin is an equity at or below this share of the starting equity, between 0 and 1.
    pub ruin_share: f64,
    /// Seed of the randomness; equal seeds give equal results on any number of threads.
    pub seed: u64,
}

impl Default for MonteCarloConfig {
    fn default() -> Self {
        Self {
            paths: 1_000,
            method: MonteCarloMethod::StationaryBootstrap { mean_block: None, steps: None },
            ruin_share: 0.5,
            seed: 0,
        }
    }
}

impl MonteCarloConfig {
    /// Refuses settings that make no paths.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the setting, its value and the remedy.
    pub fn validate(&self) -> Result<(), TradingError> {
        let refuse = |field, value: String, remedy| Err(TradingError::Config { field, value, remedy });
        if !(FEWEST_PATHS..=MOST_PATHS).contains(&self.paths) {
            return refuse("monte_carlo.paths", self.paths.to_string(), "give 1,000 to 100,000");
        }
        if !(self.ruin_share > 0.0 && self.ruin_share < 1.0) {
            let remedy = "give a share of the starting equity between 0 and 1, such as 0.5";
            return refuse("monte_carlo.ruin_share", self.ruin_share.to_string(), remedy);
        }
        let (mean_block, steps) = match self.method {
            MonteCarloMethod::Shuffle {} => (None, None),
            MonteCarloMethod::StationaryBootstrap { mean_block, steps } => (mean_block, steps),
            MonteCarloMethod::RandomStart { steps } => (None, Some(steps)),
            MonteCarloMethod::Gaussian { steps } => (None, steps),
        };
        if let Some(block) = mean_block.filter(|block| !(*block >= 1.0 && block.is_finite())) {
            let remedy = "give 1 or more returns, or leave it out";
            return refuse("monte_carlo.method.mean_block", block.to_string(), remedy);
        }
        match steps {
            Some(steps) if steps < 2 => {
                refuse("monte_carlo.method.steps", steps.to_string(), "give 2 or more")
            }
            _ => Ok(()),
        }
    }
}

/// Quantiles of one number over the paths, linear between neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// 5 % of paths are below.
    pub p5: f64,
    /// A quarter is below.
    pub p25: f64,
    /// Half are below.
    pub median: f64,
    /// Three quarters are below.
    pub p75: f64,
    /// 95 % are below.
    pub p95: f64,
}

impl Quantiles {
    /// Of `values` in any order, none of them NaN; nothing where there is none.
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        values.sort_by(f64::total_cmp);
        let [p5, p25, median, p75, p95] = FAN_LEVELS.map(|level| quantile(&values, level));
        Some(Self { p5, p25, median, p75, p95 })
    }
}

/// A share of the paths, and how far off so many paths may leave it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathShare {
    /// Share of the paths.
    pub share: f64,
    /// Lower end of its 95 % interval (Wilson 1927).
    pub low: f64,
    /// Upper end; above 0 also where no path was counted.
    pub high: f64,
}

impl PathShare {
    fn of(counted: usize, paths: usize) -> Self {
        const Z: f64 = 1.959_963_984_540_054;
        let count = paths as f64;
        let share = counted as f64 / count;
        let scale = 1.0 / (1.0 + Z * Z / count);
        let centre = (share + 0.5 * Z * Z / count) * scale;
        let half = Z * scale * (share * (1.0 - share) / count + 0.25 * Z * Z / (count * count)).sqrt();
        // At the borders one end is the share itself, up to rounding.
        Self { share, low: (centre - half).clamp(0.0, share), high: (centre + half).clamp(share, 1.0) }
    }
}

/// One path in three numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathOutcome {
    /// Final equity over the starting equity.
    pub final_equity: f64,
    /// Largest fall from a peak, as a share of the peak; the start is a peak too.
    pub maximum_drawdown: f64,
    /// Sharpe ratio per return; absent where all returns are equal.
    pub sharpe: Option<f64>,
}

/// Distribution of what might have happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MonteCarlo {
    /// Paths made.
    pub paths: usize,
    /// Returns per path.
    pub steps: usize,
    /// Mean length of a block, for the bootstrap.
    pub mean_block: Option<f64>,
    /// What was recorded, over all returns.
    pub recorded: PathOutcome,
    /// Final equity over the starting equity.
    pub final_equity: Quantiles,
    /// Maximum drawdown, as a share of the peak.
    pub maximum_drawdown: Quantiles,
    /// Sharpe ratio per return, over the paths that have one; absent where none has.
    pub sharpe: Option<Quantiles>,
    /// Paths whose returns are all equal, so that they have no Sharpe ratio.
    pub paths_without_sharpe: usize,
    /// Paths that end below the starting equity.
    pub probability_of_loss: PathShare,
    /// Paths whose equity is at or below the ruin share at any step.
    pub probability_of_ruin: PathShare,
    /// Quantiles of the equity over time.
    pub fan: Fan,
}

/// Many paths from `returns` (simple, per bar or per trade).
///
/// # Errors
/// [`SimError::Trading`] for the configuration; [`SimError::Data`] below 20 returns, for a return that is not finite or
/// is −100 % or less (nothing compounds after that), for returns that are all equal, for a block or path that does not
/// fit the record, and where an equity leaves the range of `f64`.
pub fn monte_carlo(returns: &[f64], config: &MonteCarloConfig) -> Result<MonteCarlo, SimError> {
    config.validate()?;
    check(returns)?;
    let sampler = Sampler::new(returns, config)?;
    let recorded = sampler.recorded();
    let summaries: Vec<PathSummary> = (0..config.paths)
        .into_par_iter()
        .map_init(Vec::new, |buffer, path| sampler.path(path as u64, &recorded, buffer))
        .collect();
    let fan = Fan::new(sampler.fan_times(), &summaries)?;
    let of = |number: fn(&PathSummary) -> f64, name: &str| {
        let values: Vec<f64> = summaries.iter().map(number).collect();
        if values.iter().any(|value| !value.is_finite()) {
            return Err(too_large(name));
        }
        Quantiles::of(values).ok_or_else(|| too_large(name))
    };
    let sharpes: Vec<f64> = summaries.iter().filter_map(|summary| summary.sharpe).collect();
    let ruin = config.ruin_share.ln();
    let share = |counted: usize| PathShare::of(counted, config.paths);
    Ok(MonteCarlo {
        paths: config.paths,
        steps: sampler.steps(),
        mean_block: sampler.mean_block(),
        recorded: recorded.outcome(),
        final_equity: of(|summary| summary.outcome().final_equity, "final equity")?,
        maximum_drawdown: of(|summary| summary.outcome().maximum_drawdown, "maximum drawdown")?,
        paths_without_sharpe: summaries.len() - sharpes.len(),
        sharpe: Quantiles::of(sharpes),
        probability_of_loss: share(summaries.iter().filter(|summary| summary.final_log < 0.0).count()),
        probability_of_ruin: share(summaries.iter().filter(|summary| summary.lowest_log <= ruin).count()),
        fan,
    })
}

fn too_large(name: &str) -> SimError {
    SimError::data(name, "it leaves the range of numbers; check the returns, or make the paths shorter")
}

fn check(returns: &[f64]) -> Result<(), SimError> {
    if returns.len() < FEWEST_RETURNS {
        let problem = format!("{} of them; {FEWEST_RETURNS} or more are needed to resample", returns.len());
        return Err(SimError::data("returns", problem));
    }
    for (row, value) in returns.iter().enumerate() {
        if !value.is_finite() {
            return Err(SimError::data("returns", format!("row {row} is not a finite number; correct it")));
        }
        if *value <= -1.0 {
            let problem =
                format!("row {row} is {value}: the equity was lost in whole, and nothing compounds after it");
            return Err(SimError::data("returns", problem));
        }
    }
    // The Sharpe ratio refuses returns that are all equal.
    crate::luck::sharpe_ratio(returns).map(|_| ())
}

/// Simple returns of an equity curve: equity over the equity before, less 1; one fewer than the equities.
///
/// # Errors
/// [`SimError::Data`] below two equities and for one that is 0 or less.
pub fn bar_returns(equities: &[Decimal]) -> Result<Vec<f64>, SimError> {
    if equities.len() < 2 {
        return Err(SimError::data(
            "equity curve",
            format!("{} points make no return; give two or more", equities.len()),
        ));
    }
    if let Some(at) = equities.iter().position(|equity| *equity <= Decimal::ZERO) {
        return Err(SimError::data(
            "equity curve",
            format!("point {at} is 0 or less; nothing compounds after it"),
        ));
    }
    equities
        .iter()
        .zip(equities.iter().skip(1))
        .map(|(before, after)| share(*after - *before, *before))
        .collect()
}

/// Returns of trades in the order of their closing: net profit (fees and funding included, quote currency) over the
/// equity before it, `starting_equity` plus the profits so far.
///
/// # Errors
/// [`SimError::Data`] where the equity before a trade is 0 or less.
pub fn trade_returns(net_profits: &[Decimal], starting_equity: Decimal) -> Result<Vec<f64>, SimError> {
    let mut equity = starting_equity;
    let mut returns = Vec::with_capacity(net_profits.len());
    for (trade, profit) in net_profits.iter().enumerate() {
        if equity <= Decimal::ZERO {
            let problem = format!("{equity}; it must be above 0 for the trade to have a return");
            return Err(SimError::data(format!("equity before trade {trade}"), problem));
        }
        returns.push(share(*profit, equity)?);
        equity = equity.checked_add(*profit).ok_or_else(|| {
            SimError::data(format!("profit of trade {trade}"), format!("{profit} is too large"))
        })?;
    }
    Ok(returns)
}

fn share(part: Decimal, whole: Decimal) -> Result<f64, SimError> {
    match (part.to_f64(), whole.to_f64()) {
        (Some(part), Some(whole)) => Ok(part / whole),
        _ => Err(SimError::data("equity", format!("{part} over {whole} is no number"))),
    }
}
