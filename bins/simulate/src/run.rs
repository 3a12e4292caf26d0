//! From candles to reports.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use command_line::{Bar, CommonArguments, Outcome};
use labels::splits::TimeRange;
use market_data::CandleSeries;
use market_data::store::write_file;
use rayon::prelude::*;
use rust_decimal::Decimal;
use sim::backtest::{
    BacktestConfig, BacktestInstrument, BacktestResult, CandleSignal, FundingRate, Sensitivity,
    assumed_terms, fee_and_latency_sensitivity, run_backtest,
};
use sim::luck::{SkillEvidence, SkillVerdict, skill_evidence};
use sim::metrics::{EquityCurve, Metrics};
use sim::monte_carlo::{CandleMonteCarlo, MonteCarlo, monte_carlo};
use sim::regime::RegimeAttribution;
use sim::walk_forward::{FoldOutcome, judge_folds};
use trading::Notice;

use crate::Work;
use crate::configuration::{Configuration, StrategyName};
use crate::market::Market;
use crate::page;
use crate::robustness::{self, PathRow};
use crate::summary::{Summary, SummaryRow};

/// One strategy with everything that is known of it.
pub(crate) struct Judged {
    pub(crate) name: StrategyName,
    pub(crate) result: BacktestResult,
    pub(crate) metrics: Metrics,
    /// Daily returns: what significance is judged on, since bars of minutes are neither normal nor independent.
    pub(crate) days: Vec<f64>,
    pub(crate) evidence: SkillEvidence,
    pub(crate) verdict: SkillVerdict,
    pub(crate) monte_carlo: Option<MonteCarlo>,
    pub(crate) sensitivity: Sensitivity,
    /// What it came to in each fold of a walk-forward; empty in other runs.
    pub(crate) folds: Vec<FoldOutcome>,
    pub(crate) regimes: Option<RegimeAttribution>,
    /// The strategy on markets made from the candles, where that was asked for.
    pub(crate) other_candles: Option<CandleMonteCarlo>,
    /// Of models of purged splits; for the strategy that listens to one.
    pub(crate) paths: Vec<PathRow>,
}

/// Multiples of the fees assumed that each strategy is also run with.
const FEE_FACTORS: [Decimal; 4] =
    [Decimal::ZERO, Decimal::from_parts(5, 0, 0, false, 1), Decimal::ONE, Decimal::TWO];

pub(crate) fn run(
    arguments: &Work,
    configuration: &Configuration,
    common: &CommonArguments,
) -> anyhow::Result<Outcome> {
    let cash = configuration.backtest.cash;
    ensure!(
        cash > rust_decimal::Decimal::ZERO,
        "backtest.cash = {cash}: there is nothing to trade with; give more than 0"
    );
    configuration.gate.validate().context("section `gate`")?;
    configuration.metrics.validate().context("section `metrics`")?;
    if configuration.monte_carlo.paths > 0 {
        configuration.monte_carlo.validate()?;
    }
    configuration.targets.validate().context("section `targets`")?;
    configuration.regime.validate().context("section `regime`")?;
    configuration.purged_paths.validate().context("section `purged_paths`")?;
    if configuration.strategies.hybrid.filters.spread.is_some() {
        bail!(
            "`strategies.hybrid.filters.spread` cannot be tried in a backtest: candles carry no spread; leave it out"
        );
    }
    let names = StrategyName::expand(&arguments.strategy);
    if let Some(name) = names.iter().find(|name| name.hears_model())
        && arguments.bundle.is_none()
        && arguments.policy.is_none()
    {
        bail!(
            "`{name}` needs what a model says; give --bundle a directory that train-supervised wrote, or --policy one of train-rl"
        );
    }
    if names.contains(&StrategyName::Policy) && arguments.policy.is_none() {
        bail!("`policy` needs what a policy wants; give --policy a directory that train-rl wrote");
    }
    let trains = [("--walk-forward", arguments.walk_forward), ("--purged-paths", arguments.purged_paths)];
    let trains = trains.iter().find(|(_, asked)| *asked && arguments.bundle.is_none());
    if let Some((option, _)) = trains {
        bail!(
            "{option} trains the model of a bundle anew; give --bundle a directory that train-supervised wrote"
        );
    }
    if arguments.purged_paths && !names.contains(&StrategyName::Hybrid) {
        bail!("--purged-paths trades the hybrid on models of other times; add `hybrid` to --strategy");
    }
    if arguments.candle_paths.is_some() {
        configuration.candle_monte_carlo.validate()?;
    }
    let market = Market::read(arguments, configuration, common)?;
    let instruments = instruments(&market, configuration)?;
    // Buy and hold is what everything is compared with.
    let mut wanted = names.clone();
    if !wanted.contains(&StrategyName::BuyAndHold) {
        wanted.push(StrategyName::BuyAndHold);
    }
    let moments: usize = market.series.iter().map(market_data::CandleSeries::len).max().unwrap_or(0);
    let bar = common.progress().bar((moments * wanted.len()) as u64, "backtest");
    let results: Vec<(StrategyName, BacktestResult)> = wanted
        .par_iter()
        .map(|name| {
            Ok((*name, backtest(configuration, &configuration.backtest, *name, &instruments, Some(&bar))?))
        })
        .collect::<anyhow::Result<_>>()?;
    bar.finish();
    let benchmark = results
        .iter()
        .find(|(name, _)| *name == StrategyName::BuyAndHold)
        .map(|(_, result)| &result.curve)
        .context("buy and hold was run")?;
    let mut judged = judge(configuration, &market, &instruments, &names, &results, benchmark, common)?;
    for one in &mut judged {
        if arguments.candle_paths.is_some() {
            one.other_candles = robustness::on_other_candles(configuration, one.name, &instruments, common)?;
        }
        if let (StrategyName::Hybrid, Some(paths)) = (one.name, &market.paths) {
            one.paths = robustness::over_paths(configuration, paths)?;
        }
    }
    let days: Vec<Vec<f64>> = results.iter().map(|(_, result)| daily_returns(&result.curve)).collect();
    let selection = robustness::selection(configuration, &days);
    let out = &configuration.out.0;
    let mut rows = Vec::new();
    for one in &judged {
        let directory = out.join(one.name.to_string());
        let data = page::data(one, configuration, &market, benchmark, selection.as_ref())?;
        write_report(&directory, &data)?;
        if configuration.backtest.journal {
            write_journal(&directory, &one.result.journal)?;
        }
        rows.push(SummaryRow::of(one, &directory));
    }
    let summary = Summary::new(configuration, &market, selection.as_ref(), rows)?;
    write(&out.join("summary.json"), &serde_json::to_string_pretty(&summary)?)?;
    summary.print(common)?;
    let promoted = judged.iter().any(|one| one.verdict.promote);
    Ok(Outcome::finding_if(!promoted || !market.refused.is_empty()))
}

fn instruments<'a>(
    market: &'a Market,
    configuration: &Configuration,
) -> anyhow::Result<Vec<BacktestInstrument<'a>>> {
    let detail = |series: &CandleSeries| market.detail.get(series.key());
    let funding = |at: usize| market.funding.get(at).map(|one| one.rates.clone()).unwrap_or_default();
    instruments_of(&market.series, detail, funding, &market.signals, configuration)
}

/// The series that hold candles, as they trade.
pub(crate) fn instruments_of<'a>(
    series: &'a [CandleSeries],
    detail: impl Fn(&CandleSeries) -> Option<&'a CandleSeries>,
    funding: impl Fn(usize) -> Vec<FundingRate>,
    signals: &[Vec<CandleSignal>],
    configuration: &Configuration,
) -> anyhow::Result<Vec<BacktestInstrument<'a>>> {
    let of = |(at, series): (usize, &'a CandleSeries)| {
        anyhow::Ok(BacktestInstrument {
            terms: assumed_terms(series, &configuration.costs)
                .with_context(|| format!("section `costs`, for {}", series.key()))?,
            series,
            detail: detail(series),
            funding: funding(at),
            signals: signals.get(at).cloned().unwrap_or_default(),
        })
    };
    series.iter().enumerate().filter(|(_, series)| !series.is_empty()).map(of).collect()
}

pub(crate) fn backtest(
    configuration: &Configuration,
    config: &BacktestConfig,
    name: StrategyName,
    instruments: &[BacktestInstrument<'_>],
    bar: Option<&Bar>,
) -> anyhow::Result<BacktestResult> {
    let count = instruments.len();
    let strategy = configuration.strategy(name, count)?;
    let mut done = 0;
    let mut progress = |moments: usize| {
        if let Some(bar) = bar {
            bar.advance((moments - done) as u64);
        }
        done = moments;
    };
    run_backtest(config, strategy, instruments, &mut progress).with_context(|| format!("strategy {name}"))
}

fn daily_returns(curve: &EquityCurve) -> Vec<f64> {
    curve.daily().returns()
}

fn judge(
    configuration: &Configuration,
    market: &Market,
    instruments: &[BacktestInstrument<'_>],
    names: &[StrategyName],
    results: &[(StrategyName, BacktestResult)],
    benchmark: &EquityCurve,
    common: &CommonArguments,
) -> anyhow::Result<Vec<Judged>> {
    let tried = market.model.as_ref().map_or(0, |model| model.trials) + configuration.trials;
    let days: Vec<Vec<f64>> = results.iter().map(|(_, result)| daily_returns(&result.curve)).collect();
    let trades: Vec<usize> = results.iter().map(|(_, result)| result.trades.len()).collect();
    let evidence = skill_evidence(&days, &trades, tried as usize);
    let cells = FEE_FACTORS.len() * latencies(configuration, market).len();
    let bar = common.progress().bar((names.len() * cells) as u64, "sensitivity");
    let folds = market.model.as_ref().map(|model| model.folds.as_slice()).unwrap_or_default();
    let spans: Vec<TimeRange> = folds.iter().map(|fold| fold.test).collect();
    let mut judged = Vec::new();
    for (((name, result), days), evidence) in results.iter().zip(days).zip(evidence) {
        if !names.contains(name) {
            continue;
        }
        let metrics = result.metrics(&configuration.metrics)?;
        let verdict = configuration.gate.judge(&evidence);
        let paths = (configuration.monte_carlo.paths > 0 && days.len() >= 20)
            .then(|| monte_carlo(&result.curve.returns(), &configuration.monte_carlo))
            .transpose();
        let monte_carlo = match paths {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!("no Monte Carlo of {name}: {error}");
                None
            }
        };
        let sensitivity = sensitivity(configuration, market, *name, instruments, result, &bar)?;
        judged.push(Judged {
            name: *name,
            result: result.clone(),
            metrics,
            days,
            evidence,
            verdict,
            monte_carlo,
            sensitivity,
            folds: judge_folds(result, Some(benchmark), &spans, &configuration.metrics)?,
            regimes: robustness::by_regime(configuration, market, result),
            other_candles: None,
            paths: Vec::new(),
        });
    }
    bar.finish();
    judged.sort_by_key(|one| names.iter().position(|name| *name == one.name));
    Ok(judged)
}

/// Latencies to try: none, a tenth of a candle, and what is configured.
fn latencies(configuration: &Configuration, market: &Market) -> Vec<u32> {
    let tenth = u32::try_from(market.timeframe.millis() / 10).unwrap_or(u32::MAX);
    let mut all = vec![0, tenth, configuration.backtest.venue.latency_ms];
    all.sort_unstable();
    all.dedup();
    all
}

/// The strategy with other fees and latencies.
fn sensitivity(
    configuration: &Configuration,
    market: &Market,
    name: StrategyName,
    instruments: &[BacktestInstrument<'_>],
    result: &BacktestResult,
    bar: &Bar,
) -> anyhow::Result<Sensitivity> {
    let count = instruments.len();
    fee_and_latency_sensitivity(
        &configuration.backtest,
        instruments,
        result,
        &FEE_FACTORS,
        &latencies(configuration, market),
        &|| configuration.strategy(name, count),
        &|| bar.advance(1),
    )
    .with_context(|| format!("strategy {name}"))
}

fn write_report(directory: &Path, data: &sim::report::ReportData) -> anyhow::Result<()> {
    let report = sim::report::Report::new(data.clone())?;
    let csv = report.csv();
    for (file, text) in [
        ("report.html", report.html()?),
        ("report.json", report.json()?),
        ("equity.csv", csv.equity),
        ("trades.csv", csv.trades),
        ("orders.csv", csv.orders),
    ] {
        write(&directory.join(file), &text)?;
    }
    Ok(())
}

/// Every notice of the engine, one a line.
fn write_journal(directory: &Path, journal: &[Notice]) -> anyhow::Result<()> {
    let mut text = String::new();
    for notice in journal {
        text.push_str(&serde_json::to_string(notice)?);
        text.push('\n');
    }
    write(&directory.join("journal.jsonl"), &text)
}

/// Whole or not at all.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).with_context(|| {
            format!("{}: cannot write, the directory cannot be created", directory.display())
        })?;
    }
    Ok(write_file(path, text.as_bytes())?)
}
