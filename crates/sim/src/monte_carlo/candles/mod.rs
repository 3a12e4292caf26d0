//! What else might have happened to a *strategy*: it is run anew on many markets made from the recorded
//! candles.
//!
//! [`monte_carlo`](super::monte_carlo) resamples the returns of an account, so that the trades stay as they
//! were. Here candles are resampled and the strategy decides again, through the same engine and venue. That
//! says two things: how far results vary between markets of this kind, and, where the resampling destroys
//! what a strategy lives on (the order of candles), whether it did better on the recorded market than on
//! markets without it ([`RecordedRank`]).
//!
//! What a path does not have: finer candles (the price inside a candle takes the way that the venue assumes)
//! in resampled and parametric markets, and what models say of candles, which were never computed for these.
//! So strategies that need a model are refused there.

mod market;
mod paths;
mod summary;
#[cfg(test)]
mod tests;

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trading::TradingError;
use trading::strategy::Strategy;

pub use summary::{CandleMonteCarlo, CandlePathOutcome, RecordedRank};

use market::CommonMarket;
use paths::PathMaker;

use crate::backtest::{BacktestConfig, BacktestInstrument, run_backtest};
use crate::error::SimError;
use crate::metrics::MetricsConfig;

/// Each path leaves five numbers: 5 MB at this many.
const MOST_PATHS: usize = 100_000;

/// How the candles of a path are made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum CandleMethod {
    /// Blocks of the recorded candles with replacement (Politis and Romano 1994), the same ones of all
    /// symbols, so that they move together as they did. Each candle is taken relative to the close before it
    /// (open, high, low, close; volume as it is) and they are chained from the first open, on the
    /// instrument's ticks and at the recorded times. A candle's funding goes with it.
    StationaryBootstrap {
        /// Mean length of a block in candles; absent: the longest automatic length (Politis and White 2004)
        /// of the log returns and their absolute values, of any symbol, which keeps clusters of volatility.
        /// With 1 nothing depends on what came before.
        #[serde(default)]
        mean_block: Option<f64>,
    },
    /// The recorded candles from a random one on. Windows overlap, so that they say how much the start
    /// mattered and not how uncertain the future is; nothing is ranked. Finer candles, funding and what
    /// models say stay.
    RandomStart {
        /// Candles of a window; fewer than the recorded ones.
        candles: usize,
    },
    /// Correlated geometric Brownian motions with the mean, the deviation and the correlations of the
    /// recorded log returns (Black and Scholes 1973). Extremes come from the Brownian bridge, volume and
    /// funding from a random recorded candle.
    GeometricBrownianMotion {},
}

/// Settings of [`monte_carlo_candles`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CandleMonteCarloConfig {
    /// Paths, 1 to 100,000; each is a whole backtest.
    pub paths: usize,
    /// How they are made.
    pub method: CandleMethod,
    /// Ruin is an equity at or below this share of the starting equity, between 0 and 1.
    pub ruin_share: f64,
    /// Seed of the randomness; equal seeds give equal results on any number of threads.
    pub seed: u64,
}

impl Default for CandleMonteCarloConfig {
    fn default() -> Self {
        let method = CandleMethod::StationaryBootstrap { mean_block: None };
        Self { paths: 200, method, ruin_share: 0.5, seed: 0 }
    }
}

impl CandleMonteCarloConfig {
    /// Refuses settings that make no paths.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the setting, its value and the remedy.
    pub fn validate(&self) -> Result<(), TradingError> {
        let refuse = |field, value: String, remedy| Err(TradingError::Config { field, value, remedy });
        if !(1..=MOST_PATHS).contains(&self.paths) {
            return refuse("candle_monte_carlo.paths", self.paths.to_string(), "give 1 to 100,000");
        }
        if !(self.ruin_share > 0.0 && self.ruin_share < 1.0) {
            let remedy = "give a share of the starting equity between 0 and 1, such as 0.5";
            return refuse("candle_monte_carlo.ruin_share", self.ruin_share.to_string(), remedy);
        }
        match self.method {
            CandleMethod::StationaryBootstrap { mean_block: Some(block) }
                if !(block >= 1.0 && block.is_finite()) =>
            {
                let remedy = "give 1 or more candles, or leave it out";
                refuse("candle_monte_carlo.method.mean_block", block.to_string(), remedy)
            }
            CandleMethod::RandomStart { candles } if candles < 2 => {
                refuse("candle_monte_carlo.method.candles", candles.to_string(), "give 2 or more")
            }
            _ => Ok(()),
        }
    }
}

/// Runs a strategy on many markets made from the candles of `instruments`, and on the recorded market under
/// the same conditions.
///
/// Only moments at which all instruments have a candle take part, so that blocks are the same of all; the
/// recorded run is of those too. `strategy` builds one before its first candle, for each path. `progress` is
/// told the number of paths just finished, from any thread. A path's candles are freed with it: as many
/// markets are in memory as there are threads.
///
/// # Errors
/// [`SimError::Trading`] for a configuration or the strategy; [`SimError::Data`] where signals of a model are
/// present and candles are made anew, below 20 common candles, for a block or window that does not fit them,
/// for a market of which a price leaves what its ticks can count, and what [`run_backtest`] refuses. Of
/// several paths that fail, the first is named.
pub fn monte_carlo_candles<S: Strategy>(
    config: &CandleMonteCarloConfig,
    backtest: &BacktestConfig,
    metrics: &MetricsConfig,
    instruments: &[BacktestInstrument<'_>],
    strategy: impl Fn() -> Result<S, TradingError> + Sync,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<CandleMonteCarlo, SimError> {
    config.validate()?;
    metrics.validate()?;
    let market = CommonMarket::new(instruments)?;
    let maker = PathMaker::new(&market, config)?;
    let run = |instruments: &[BacktestInstrument<'_>]| {
        let result = run_backtest(backtest, strategy()?, instruments, &mut |_| {})?;
        CandlePathOutcome::of(&result, metrics)
    };
    let recorded = run(&market.instruments(maker.keeps_detail()))?;
    let path = |index: usize| {
        let made = maker.path(index as u64)?;
        let outcome = run(&made.instruments(maker.keeps_detail()))
            .map_err(|error| SimError::data(format!("Monte Carlo path {index}"), error.to_string()));
        progress(1);
        outcome
    };
    // First all results, then the first error: which thread was faster must not show.
    let outcomes: Vec<Result<CandlePathOutcome, SimError>> =
        (0..config.paths).into_par_iter().map(path).collect();
    let outcomes = outcomes.into_iter().collect::<Result<Vec<_>, _>>()?;
    CandleMonteCarlo::of(config, &market, &maker, recorded, outcomes)
}
