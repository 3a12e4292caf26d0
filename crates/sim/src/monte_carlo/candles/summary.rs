//! The distribution over the paths, and where the recorded run stands in it.

use serde::{Deserialize, Serialize};

use super::market::CommonMarket;
use super::paths::PathMaker;
use super::{CandleMonteCarloConfig, MOST_PATHS};
use crate::backtest::BacktestResult;
use crate::error::SimError;
use crate::metrics::{MetricsConfig, annual_sharpe, total_return};
use crate::monte_carlo::{PathShare, Quantiles};

/// One backtest in a few numbers. Returns and shares are fractions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CandlePathOutcome {
    /// Final equity over the starting equity, less 1; below −1 where more than everything was lost.
    pub total_return: f64,
    /// Annual Sharpe ratio on the basis of the metrics; none without variance.
    pub sharpe: Option<f64>,
    /// Largest fall from a peak, as a share of the peak.
    pub maximum_drawdown: f64,
    /// Lowest equity over the starting equity.
    pub lowest_equity: f64,
    /// Round trips.
    pub trades: usize,
}

impl CandlePathOutcome {
    pub(super) fn of(result: &BacktestResult, metrics: &MetricsConfig) -> Result<Self, SimError> {
        let curve = &result.curve;
        curve.validate()?;
        let underwater = curve.underwater();
        let start = curve.equity.first().copied().unwrap_or(f64::NAN);
        // After ruin nothing is judged.
        let judged = curve.equity.iter().take(underwater.len());
        Ok(Self {
            total_return: total_return(curve),
            sharpe: annual_sharpe(curve, metrics)?,
            maximum_drawdown: underwater.into_iter().fold(0.0, f64::max),
            lowest_equity: judged.fold(f64::INFINITY, |lowest, equity| lowest.min(*equity)) / start,
            trades: result.trades.len(),
        })
    }

    /// What does not move has neither reward nor risk.
    fn sharpe_or_none(&self) -> f64 {
        self.sharpe.unwrap_or(0.0)
    }
}

/// How rarely a path did as well as the recorded run: p = (1 + paths that did) / (1 + paths), which is never
/// 0 (Phipson and Smyth 2010, "Permutation p-values should never be zero", equation 2).
///
/// It is the p-value of a test where the paths are what the market would be if the strategy knew nothing:
/// with blocks of one candle, "the order of candles does not matter". It is one approximately, since candles
/// are drawn with replacement and not permuted, so that the drift of the paths varies too. With longer
/// blocks, what a block holds remains on the paths. A strategy that is always long keeps its drift on the
/// paths, and ranks in the middle.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedRank {
    /// Of a total return as high.
    pub total_return: f64,
    /// Of a Sharpe ratio as high; where a run has none, 0.
    pub sharpe: f64,
    /// Of a maximum drawdown as small.
    pub maximum_drawdown: f64,
}

/// What came out on many markets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CandleMonteCarlo {
    /// What it was run with.
    pub config: CandleMonteCarloConfig,
    /// Candles of each symbol in a path.
    pub candles: usize,
    /// Candles of the symbol that has most of them which others lack, so that they took no part.
    pub left_out: usize,
    /// Mean length of a block in candles, for the bootstrap.
    pub mean_block: Option<f64>,
    /// The run on the recorded candles, all of them, under the conditions of the paths.
    pub recorded: CandlePathOutcome,
    /// One per path.
    pub outcomes: Vec<CandlePathOutcome>,
    /// Of the paths.
    pub total_return: Quantiles,
    /// Annual Sharpe ratio of the paths that have one; absent where none has.
    pub sharpe: Option<Quantiles>,
    /// Paths without one: they never traded.
    pub paths_without_sharpe: usize,
    /// As a share of the peak.
    pub maximum_drawdown: Quantiles,
    /// Round trips.
    pub trades: Quantiles,
    /// Paths that end below the starting equity.
    pub probability_of_loss: PathShare,
    /// Paths whose equity is at or below the ruin share at any point.
    pub probability_of_ruin: PathShare,
    /// Where the recorded run stands; absent for windows of the record, which are shorter and parts of it.
    pub rank: Option<RecordedRank>,
}

impl CandleMonteCarlo {
    pub(super) fn of(
        config: &CandleMonteCarloConfig,
        market: &CommonMarket<'_>,
        maker: &PathMaker<'_>,
        recorded: CandlePathOutcome,
        outcomes: Vec<CandlePathOutcome>,
    ) -> Result<Self, SimError> {
        let quantiles = |value: fn(&CandlePathOutcome) -> f64| {
            let none = || SimError::data("paths", format!("there is none; give 1 to {MOST_PATHS}"));
            Quantiles::of(outcomes.iter().map(value).collect()).ok_or_else(none)
        };
        let count =
            |holds: &dyn Fn(&CandlePathOutcome) -> bool| outcomes.iter().filter(|one| holds(one)).count();
        let share = |holds: &dyn Fn(&CandlePathOutcome) -> bool| PathShare::of(count(holds), outcomes.len());
        let p_value = |holds: &dyn Fn(&CandlePathOutcome) -> bool| {
            (count(holds) + 1) as f64 / (outcomes.len() + 1) as f64
        };
        let sharpes: Vec<f64> = outcomes.iter().filter_map(|one| one.sharpe).collect();
        let rank = maker.is_ranked().then(|| RecordedRank {
            total_return: p_value(&|one| one.total_return >= recorded.total_return),
            sharpe: p_value(&|one| one.sharpe_or_none() >= recorded.sharpe_or_none()),
            maximum_drawdown: p_value(&|one| one.maximum_drawdown <= recorded.maximum_drawdown),
        });
        Ok(Self {
            config: *config,
            candles: maker.candles,
            left_out: market.left_out,
            mean_block: maker.mean_block,
            recorded,
            total_return: quantiles(|one| one.total_return)?,
            paths_without_sharpe: outcomes.len() - sharpes.len(),
            sharpe: Quantiles::of(sharpes),
            maximum_drawdown: quantiles(|one| one.maximum_drawdown)?,
            trades: quantiles(|one| one.trades as f64)?,
            probability_of_loss: share(&|one| one.total_return < 0.0),
            probability_of_ruin: share(&|one| one.lowest_equity <= config.ruin_share),
            rank,
            outcomes,
        })
    }
}
