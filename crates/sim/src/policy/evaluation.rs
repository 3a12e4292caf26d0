//! Policies beside what needs no learning, on the same candles with the same costs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use supervised::comparison::SeedSummary;

use super::play::{AccountPath, Player, play, together};
use crate::error::SimError;
use crate::luck::{BootstrapConfig, BootstrapInterval, Statistic, bootstrap_interval};
use crate::market_environment::{MarketEnvironmentConfig, MarketFrames};
use crate::metrics::{EquityCurve, Metrics, MetricsConfig, OrderCounts};

/// Who played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlayerKind {
    /// A trained policy; one for each seed.
    Policy,
    /// The model alone: long where it says BUY, short where it says SELL (nothing where shorts are not allowed), else nothing.
    Model,
    /// All equity in the market from the first close on.
    BuyAndHold,
    /// Nothing.
    Flat,
    /// Uniformly random actions; one for each seed.
    Random,
}

/// What became of equal shares of cash, one for each series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JudgedPlayer {
    /// How it is called.
    pub name: String,
    /// Who it is.
    pub kind: PlayerKind,
    /// Total return after costs, a fraction, over its seeds.
    pub total_return: SeedSummary,
    /// Of each seed.
    pub total_returns: Vec<f64>,
    /// Largest loss from a peak, a fraction, mean over seeds.
    pub maximum_drawdown: f64,
    /// Annualised Sharpe ratio of daily returns, mean over the seeds that have one.
    pub sharpe: Option<f64>,
    /// Mean daily return of the mean over seeds, with its interval (stationary bootstrap); none with too few days.
    pub daily: Option<BootstrapInterval>,
    /// The same less that of buy and hold on the same days.
    pub daily_over_buy_and_hold: Option<BootstrapInterval>,
    /// Notional traded per decision over equity, mean over seeds.
    pub turnover: f64,
    /// Trades per seed.
    pub fills: f64,
    /// Accounts that were liquidated or ruined, of all seeds.
    pub ended: usize,
}

/// Days that an interval needs.
const FEWEST_DAYS: usize = 20;

/// Plays each group (a name, who it is, and one player for each seed) over all frames. Buy and hold has to be among them for the
/// comparison with it.
///
/// # Errors
/// Those of [`play`]; [`SimError::Data`] for a group without a player.
pub fn judge_players(
    config: &MarketEnvironmentConfig,
    frames: &Arc<MarketFrames>,
    groups: Vec<(String, PlayerKind, Vec<Player<'_>>)>,
) -> Result<Vec<JudgedPlayer>, SimError> {
    let mut played = Vec::with_capacity(groups.len());
    for (name, kind, players) in groups {
        let mut seeds = Vec::with_capacity(players.len());
        for mut player in players {
            let paths = play(config, frames, &mut player)?;
            let curve = together(&paths, frames)?;
            seeds.push((paths, curve));
        }
        played.push((name, kind, seeds));
    }
    let benchmark = played.iter().find(|(_, kind, _)| *kind == PlayerKind::BuyAndHold);
    let benchmark = benchmark.map(|(_, _, seeds)| mean_daily(seeds));
    played.iter().map(|(name, kind, seeds)| judged(name, *kind, seeds, benchmark.as_deref())).collect()
}

fn judged(
    name: &str,
    kind: PlayerKind,
    seeds: &[(Vec<AccountPath>, EquityCurve)],
    benchmark: Option<&[f64]>,
) -> Result<JudgedPlayer, SimError> {
    let mut metrics = Vec::with_capacity(seeds.len());
    for (_, curve) in seeds {
        metrics.push(Metrics::of(curve, &[], &OrderCounts::default(), &MetricsConfig::default())?);
    }
    let total_returns: Vec<f64> = metrics.iter().map(|one| one.total_return).collect();
    let total_return = SeedSummary::of(&total_returns)
        .map_err(|error| SimError::data(name.to_owned(), error.to_string()))?;
    let count = seeds.len() as f64;
    let paths = || seeds.iter().flat_map(|(paths, _)| paths);
    let decisions: usize = paths().map(|path| path.equity.len() - 1).sum();
    let sharpes: Vec<f64> =
        metrics.iter().filter_map(|one| one.daily.as_ref().and_then(|daily| daily.sharpe)).collect();
    let daily = mean_daily(seeds);
    let interval = |days: &[f64]| {
        let varies = days.iter().any(|day| *day != days[0]);
        let found = (days.len() >= FEWEST_DAYS && varies)
            .then(|| bootstrap_interval(days, Statistic::Mean, &BootstrapConfig::default()));
        found.transpose()
    };
    let excess: Option<Vec<f64>> = benchmark
        .filter(|benchmark| benchmark.len() == daily.len() && kind != PlayerKind::BuyAndHold)
        .map(|benchmark| daily.iter().zip(benchmark).map(|(own, other)| own - other).collect());
    Ok(JudgedPlayer {
        name: name.to_owned(),
        kind,
        total_return,
        total_returns,
        maximum_drawdown: metrics.iter().map(|one| one.drawdown.maximum.unwrap_or(0.0)).sum::<f64>() / count,
        sharpe: (!sharpes.is_empty()).then(|| sharpes.iter().sum::<f64>() / sharpes.len() as f64),
        daily: interval(&daily)?,
        daily_over_buy_and_hold: excess.map(|excess| interval(&excess)).transpose()?.flatten(),
        turnover: paths().map(|path| path.turnover).sum::<f64>() / decisions.max(1) as f64,
        fills: paths().map(|path| path.fills).sum::<usize>() as f64 / count,
        ended: paths().filter(|path| path.terminated).count(),
    })
}

/// Daily returns, mean over the seeds; days after a ruin earn nothing.
fn mean_daily(seeds: &[(Vec<AccountPath>, EquityCurve)]) -> Vec<f64> {
    let days: Vec<Vec<f64>> = seeds.iter().map(|(_, curve)| curve.daily().returns()).collect();
    let length = days.iter().map(Vec::len).max().unwrap_or(0);
    let count = days.len().max(1) as f64;
    (0..length).map(|day| days.iter().filter_map(|one| one.get(day)).sum::<f64>() / count).collect()
}
