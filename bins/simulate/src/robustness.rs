//! Where a result came from and what else could have come out: by regime, on other markets, by other choices.

use anyhow::Context;
use command_line::CommonArguments;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sim::backtest::{BacktestInstrument, BacktestResult};
use sim::luck::{BootstrapConfig, PurgedPathsConfig, SelectionPaths, Statistic, selection_paths};
use sim::metrics::ClosedTrade;
use sim::monte_carlo::{CandleMethod, CandleMonteCarlo, monte_carlo_candles};
use sim::regime::{DailyIndex, RegimeAttribution, attribute_to_regimes};
use sim::report::NamedTable;

use crate::configuration::{Configuration, StrategyName};
use crate::market::{Market, Paths};
use crate::page::{number, percent};
use crate::run;

const DAY_MINUTES: u32 = 1_440;

/// One path of models that were trained on purged splits.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct PathRow {
    pub(crate) total_return: f64,
    pub(crate) sharpe: Option<f64>,
    pub(crate) maximum_drawdown: Option<f64>,
    pub(crate) trades: usize,
}

/// How a result divides over the regimes of the market that was traded; nothing where there is less than a day.
pub(crate) fn by_regime(
    configuration: &Configuration,
    market: &Market,
    result: &BacktestResult,
) -> Option<RegimeAttribution> {
    let series: Vec<_> = market.series.iter().filter(|series| !series.is_empty()).collect();
    let trades: Vec<ClosedTrade> = result.trades.iter().map(ClosedTrade::from).collect();
    let found = DailyIndex::of(&series).and_then(|index| {
        let (regime, metrics) = (&configuration.regime, &configuration.metrics);
        attribute_to_regimes(&result.curve, &trades, &index, regime, metrics, &BootstrapConfig::default())
    });
    match found {
        Ok(found) => Some(found),
        Err(error) => {
            tracing::warn!("not divided by regime: {error}");
            None
        }
    }
}

/// What choosing the best of this run's strategies by earlier days would have earned on other days.
pub(crate) fn selection(configuration: &Configuration, days: &[Vec<f64>]) -> Option<SelectionPaths> {
    if days.len() < 2 {
        return None;
    }
    let section = &configuration.purged_paths;
    let config = PurgedPathsConfig {
        groups: section.groups as usize,
        test_groups: section.test_groups as usize,
        purge: section.purge_days,
        embargo: section.embargo_minutes.div_ceil(DAY_MINUTES) as usize,
    };
    match selection_paths(days, Statistic::Sharpe, &config) {
        Ok(found) => Some(found),
        Err(error) => {
            tracing::info!("no paths of choices: {error}");
            None
        }
    }
}

/// A strategy on markets that are made from the candles; nothing where they cannot be made for it.
pub(crate) fn on_other_candles(
    configuration: &Configuration,
    name: StrategyName,
    instruments: &[BacktestInstrument<'_>],
    common: &CommonArguments,
) -> anyhow::Result<Option<CandleMonteCarlo>> {
    let config = &configuration.candle_monte_carlo;
    let windows = matches!(config.method, CandleMethod::RandomStart { .. });
    if name.needs_signals() && !windows {
        tracing::info!("{name} is not run on other candles: model and policy spoke of the recorded ones");
        return Ok(None);
    }
    // What a model said is of no use to the others, and candles that are made anew have none.
    let silent: Vec<BacktestInstrument<'_>> = instruments
        .iter()
        .cloned()
        .map(|one| match windows {
            true => one,
            false => BacktestInstrument { signals: Vec::new(), detail: None, ..one },
        })
        .collect();
    let count = silent.len();
    let build = || configuration.strategy(name, count);
    let bar = common.progress().bar(config.paths as u64, format!("other candles, {name}"));
    let (backtest, metrics) = (&configuration.backtest, &configuration.metrics);
    let found =
        monte_carlo_candles(config, backtest, metrics, &silent, build, &|done| bar.advance(done as u64));
    bar.finish();
    found.map(Some).with_context(|| format!("{name} on other candles"))
}

/// The hybrid over each path of models of purged splits.
pub(crate) fn over_paths(configuration: &Configuration, paths: &Paths) -> anyhow::Result<Vec<PathRow>> {
    let of = |signals: &Vec<Vec<sim::backtest::CandleSignal>>| {
        let instruments =
            run::instruments_of(&paths.series, |_| None, |_| Vec::new(), signals, configuration)?;
        let result =
            run::backtest(configuration, &configuration.backtest, StrategyName::Hybrid, &instruments, None)?;
        let metrics = result.metrics(&configuration.metrics)?;
        anyhow::Ok(PathRow {
            total_return: metrics.total_return,
            sharpe: metrics.headline().sharpe,
            maximum_drawdown: metrics.drawdown.maximum,
            trades: result.trades.len(),
        })
    };
    paths.signals.par_iter().map(of).collect()
}

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

pub(crate) fn regime_table(found: &RegimeAttribution) -> NamedTable {
    let row = |one: &sim::regime::RegimeResult| {
        let interval = one.sharpe_interval.map_or_else(
            || "not known".to_owned(),
            |interval| format!("{:.2} to {:.2}", interval.low, interval.high),
        );
        vec![
            one.regime.name().to_owned(),
            one.days.to_string(),
            one.stretches.to_string(),
            percent(Some(one.total_return)),
            percent(Some(one.benchmark_return)),
            number(one.sharpe),
            interval,
            percent(Some(one.maximum_drawdown)),
            one.trades.to_string(),
            percent(one.win_rate),
        ]
    };
    NamedTable {
        title: "By regime".to_owned(),
        note: format!(
            "Days by what the market did, told with hindsight: bull from a low before a rise of {:.0} %, bear from a high before a fall of {:.0} %, sideways after {} days without a new high or low. The market is the mean of the series.",
            100.0 * found.config.rise,
            100.0 * found.config.fall,
            found.config.pause_days
        ),
        columns: texts(&[
            "market",
            "days",
            "stretches",
            "return",
            "the market",
            "Sharpe ratio",
            "95 % interval",
            "deepest fall",
            "trades entered",
            "won",
        ]),
        rows: found.regimes.iter().filter(|one| one.days > 0).map(row).collect(),
    }
}

pub(crate) fn selection_table(found: &SelectionPaths) -> NamedTable {
    let row = |(at, path): (usize, &sim::luck::SelectionPath)| {
        vec![format!("path {}", at + 1), format!("{:.3}", path.sharpe), percent(Some(path.total_return))]
    };
    NamedTable {
        title: "Choosing the best strategy".to_owned(),
        note: format!(
            "The strategy of this run with the best Sharpe ratio on some parts of the time, traded on the others (combinatorial purged paths): {:.2} a day where it was chosen and {:.2} where it was traded, {:.0} % of the paths lose.",
            found.mean_train,
            found.mean_test,
            100.0 * found.share_of_losing_paths
        ),
        columns: texts(&["path", "Sharpe ratio a day", "return"]),
        rows: found.paths.iter().enumerate().map(row).collect(),
    }
}

pub(crate) fn candle_table(found: &CandleMonteCarlo) -> NamedTable {
    let made = match found.config.method {
        CandleMethod::StationaryBootstrap { .. } => {
            let block =
                found.mean_block.map_or_else(String::new, |block| format!(" of {block:.0} on average"));
            format!("blocks{block} of the recorded candles")
        }
        CandleMethod::RandomStart { candles } => format!("windows of {candles} recorded candles"),
        CandleMethod::GeometricBrownianMotion {} => {
            "geometric Brownian motions like the recorded candles".to_owned()
        }
    };
    let own = &found.recorded;
    let (low, high) =
        (|one: &sim::monte_carlo::Quantiles| one.p5, |one: &sim::monte_carlo::Quantiles| one.p95);
    let rank = |of: fn(&sim::monte_carlo::RecordedRank) -> f64| {
        found.rank.as_ref().map_or_else(|| "none".to_owned(), |rank| format!("{:.3}", of(rank)))
    };
    let mut rows = vec![vec![
        "total return".to_owned(),
        percent(Some(own.total_return)),
        percent(Some(low(&found.total_return))),
        percent(Some(found.total_return.median)),
        percent(Some(high(&found.total_return))),
        rank(|rank| rank.total_return),
    ]];
    if let Some(sharpe) = &found.sharpe {
        rows.push(vec![
            "Sharpe ratio a year".to_owned(),
            number(own.sharpe),
            number(Some(low(sharpe))),
            number(Some(sharpe.median)),
            number(Some(high(sharpe))),
            rank(|rank| rank.sharpe),
        ]);
    }
    let depth = &found.maximum_drawdown;
    rows.push(vec![
        "maximum drawdown".to_owned(),
        percent(Some(own.maximum_drawdown)),
        percent(Some(low(depth))),
        percent(Some(depth.median)),
        percent(Some(high(depth))),
        rank(|rank| rank.maximum_drawdown),
    ]);
    NamedTable {
        title: "On other candles".to_owned(),
        note: format!(
            "The strategy decides anew on {} markets made of {made}; {:.0} % of them lose, {:.0} % come to ruin. The last column is the share of markets on which it did as well as on the recorded one: small where the record suits it more than chance would.",
            found.outcomes.len(),
            100.0 * found.probability_of_loss.share,
            100.0 * found.probability_of_ruin.share
        ),
        columns: texts(&["", "recorded", "5 %", "median", "95 %", "share as good"]),
        rows,
    }
}

pub(crate) fn path_table(rows: &[PathRow]) -> NamedTable {
    let row = |(at, path): (usize, &PathRow)| {
        vec![
            format!("path {}", at + 1),
            percent(Some(path.total_return)),
            number(path.sharpe),
            percent(path.maximum_drawdown),
            path.trades.to_string(),
        ]
    };
    NamedTable {
        title: "Models of other parts of the time".to_owned(),
        note: "Combinatorial purged cross-validation: each part of the time is traded by models that were trained on other parts, earlier and later ones, without funding and finer candles. It shows how much the result varies, and not what could have been traded.".to_owned(),
        columns: texts(&["path", "return", "Sharpe ratio", "maximum drawdown", "trades"]),
        rows: rows.iter().enumerate().map(row).collect(),
    }
}
