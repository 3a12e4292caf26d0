//! A backtest as the data of its report.

use std::collections::BTreeMap;

use market_data::{CandleSeries, Timestamp};
use rust_decimal::Decimal;
use sim::funding::describe_funding;
use sim::luck::SelectionPaths;
use sim::metrics::{
    BenchmarkMetrics, EquityCurve, Metrics, RollingStatistics, Target, TargetOutcome,
    Verdict as TargetVerdict,
};
use sim::report::{
    Curve, Importance, Metric, MonteCarlo, MonthlyReturn, NamedCurve, NamedTable, NamedValue, OrderRow,
    Outcome, QuantilePath, ReportCandle, ReportData, Returns, SensitivityGrid, SymbolCandles,
    Target as ReportTarget, TradeRow, TradeSide, Verdict,
};
use trading::strategy::explain;
use trading::{InstrumentIndex, Side, TradeRecord};

use crate::configuration::Configuration;
use crate::market::Market;
use crate::model_page;
use crate::robustness;
use crate::run::Judged;

/// Trades whose votes are written out.
const MOST_LOGS: usize = 2_000;

pub(crate) fn data(
    judged: &Judged,
    configuration: &Configuration,
    market: &Market,
    benchmark: &EquityCurve,
    selection: Option<&SelectionPaths>,
) -> anyhow::Result<ReportData> {
    let (result, metrics) = (&judged.result, &judged.metrics);
    let benchmark_metrics =
        Metrics::of(benchmark, &[], &sim::metrics::OrderCounts::default(), &configuration.metrics)?;
    let beside = match BenchmarkMetrics::of(&result.curve, benchmark, &configuration.metrics) {
        Ok(beside) => Some(beside),
        Err(error) => {
            tracing::warn!("{} is not set beside buy and hold: {error}", judged.name);
            None
        }
    };
    let rolling = RollingStatistics::of(&result.curve, &configuration.metrics).ok();
    let series: Vec<&CandleSeries> = market.series.iter().filter(|series| !series.is_empty()).collect();
    let mut data = ReportData {
        title: format!("{} on {}", judged.name, symbols(&series)),
        currency: configuration.backtest.engine.account.settlement.clone(),
        parameters: parameters(judged, configuration, market, &series),
        configuration: serde_json::to_string_pretty(configuration)?,
        assumptions: assumptions(configuration, market),
        warnings: warnings(judged, market),
        verdict: Some(Verdict {
            promote: judged.verdict.promote,
            reasons: judged.verdict.reasons.iter().map(|reason| reason.words.clone()).collect(),
        }),
        metrics: metric_rows(metrics, &benchmark_metrics, beside.as_ref()),
        benchmark_name: "buy and hold".to_owned(),
        targets: configuration.targets.judge(metrics)?.iter().map(target_row).collect(),
        equity: curve(&result.curve.times, &result.curve.equity),
        underwater: Some(curve(
            &result.curve.times,
            // Below the water: minus the depth.
            &result.curve.underwater().iter().map(|depth| 0.0 - depth).collect::<Vec<f64>>(),
        )),
        monthly_returns: metrics
            .months
            .iter()
            .map(|month| MonthlyReturn { year: month.year, month: month.month as u8, value: month.value })
            .collect(),
        returns: (judged.days.len() > 1).then(|| Returns {
            period: "daily".to_owned(),
            values: judged.days.clone(),
            references: Vec::new(),
        }),
        symbols: series.iter().map(|series| symbol_candles(series)).collect(),
        trades: trade_rows(&result.trades, &series),
        orders: order_rows(judged, &series),
        monte_carlo: judged.monte_carlo.as_ref().map(|found| fan(found, &result.curve)),
        sensitivity: vec![sensitivity(judged, configuration)],
        walk_forward: model_page::walk_forward(judged, market),
        tables: tables(judged, selection),
        ..ReportData::default()
    };
    let importance = market.model.as_ref().and_then(|model| model.importance.as_ref());
    if let Some(found) = importance.filter(|_| judged.name.hears_model()) {
        data.importance_label = found.label.clone();
        let row = |(feature, value): &(String, f64)| Importance {
            feature: feature.clone(),
            value: *value,
            interval: None,
        };
        data.importance = found.features.iter().map(row).collect();
    }
    // How often the model was right belongs to the strategy that listens to it.
    let assessment = market.model.as_ref().and_then(|model| model.assessment.as_ref());
    if let Some(assessment) = assessment.filter(|_| judged.name.hears_model()) {
        data.confusion = Some(model_page::confusion(assessment));
        data.calibration = vec![model_page::calibration(assessment)];
    }
    if benchmark != &result.curve {
        let named =
            NamedCurve { name: "buy and hold".to_owned(), curve: curve(&benchmark.times, &benchmark.equity) };
        data.benchmarks.push(named);
    }
    if let Some(rolling) = rolling {
        data.rolling_window = format!(
            "{} {}",
            rolling.window,
            if metrics.basis == sim::metrics::Basis::Daily { "days" } else { "candles" }
        );
        data.rolling_sharpe = known(&rolling.times, &rolling.sharpe);
        data.rolling_volatility = known(&rolling.times, &rolling.volatility);
    }
    Ok(data)
}

fn tables(judged: &Judged, selection: Option<&SelectionPaths>) -> Vec<NamedTable> {
    let mut tables: Vec<NamedTable> = judged.regimes.iter().map(robustness::regime_table).collect();
    tables.extend(judged.other_candles.iter().map(robustness::candle_table));
    if !judged.paths.is_empty() {
        tables.push(robustness::path_table(&judged.paths));
    }
    tables.extend(selection.map(robustness::selection_table));
    tables
}

fn symbols(series: &[&CandleSeries]) -> String {
    let timeframe = series.first().map(|series| series.key().timeframe.to_string()).unwrap_or_default();
    match series {
        [one] => format!("{} {timeframe}", one.key().symbol),
        many => format!("{} series of {timeframe}", many.len()),
    }
}

fn millis(times: &[Timestamp]) -> Vec<i64> {
    times.iter().map(|time| time.as_millis()).collect()
}

fn curve(times: &[Timestamp], values: &[f64]) -> Curve {
    Curve { times: millis(times), values: values.to_vec() }
}

/// The points that are known; none where there is none.
fn known(times: &[Timestamp], values: &[Option<f64>]) -> Option<Curve> {
    let (times, values): (Vec<i64>, Vec<f64>) =
        times.iter().zip(values).filter_map(|(time, value)| Some((time.as_millis(), (*value)?))).unzip();
    (!times.is_empty()).then_some(Curve { times, values })
}

fn named(name: &str, value: impl std::fmt::Display) -> NamedValue {
    NamedValue { name: name.to_owned(), value: value.to_string() }
}

fn parameters(
    judged: &Judged,
    configuration: &Configuration,
    market: &Market,
    series: &[&CandleSeries],
) -> Vec<NamedValue> {
    let metrics = &judged.metrics;
    let keys: Vec<String> = series.iter().map(|series| series.key().to_string()).collect();
    let costs = &configuration.costs;
    let mut rows = vec![
        named("strategy", judged.name),
        named("series", keys.join(", ")),
        named("candles", market.timeframe),
        named("from", metrics.from),
        named("until", metrics.until),
        named("cash at the start", configuration.backtest.cash),
        named(
            "fees on spot, maker and taker",
            format!("{} and {}", costs.spot_maker_fee, costs.spot_taker_fee),
        ),
        named(
            "fees on perpetuals, maker and taker",
            format!("{} and {}", costs.perpetual_maker_fee, costs.perpetual_taker_fee),
        ),
        named("leverage of perpetuals", costs.leverage),
        named("settings tried, this one included", judged.evidence.trials),
    ];
    if let Some(model) = &market.model {
        rows.push(named("model", &model.name));
        rows.push(named("the model saw the market until", model.seen_until));
    }
    rows
}

fn assumptions(configuration: &Configuration, market: &Market) -> Vec<String> {
    let venue = &configuration.backtest.venue;
    let mut said = vec![
        "What is decided at the close of a candle trades in the next one at the earliest.".to_owned(),
        format!(
            "How the price moves inside a candle is assumed: {:?}, where no finer candles say it.",
            venue.path
        ),
        format!("Takers slip: {:?}. Latency: {} ms.", venue.slippage, venue.latency_ms),
        match venue.volume_share {
            Some(share) => format!("Own orders trade at most {share} of a candle's volume."),
            None => "Own orders trade without regard to a candle's volume.".to_owned(),
        },
        "Ticks and lots are read off the prices; the venue's own rules changed over the years.".to_owned(),
        "The candle's price is the mark price.".to_owned(),
        "Positions that are open at the end are valued at the last close.".to_owned(),
    ];
    said.extend(describe_funding(&market.covered_funding()));
    match &market.model {
        Some(model) if model.folds.is_empty() => said.push(
            "The model's training and validation time is left out; its features saw earlier candles only."
                .to_owned(),
        ),
        Some(_) => said.push(
            "A model was trained anew for each fold, on time before it: thresholds of the labels, scaler, selection, weights and calibration know nothing later. The recipe itself (features, network, settings) is the bundle's."
                .to_owned(),
        ),
        None => {}
    }
    if let Some(policy) = &market.policy {
        said.push(format!(
            "The policy {policy} trades an account of its own, with the costs that it was trained with; what that account holds is what \
             it wants here. Its training and validation time is left out."
        ));
    }
    said
}

fn warnings(judged: &Judged, market: &Market) -> Vec<String> {
    let mut said = vec![
        "This is one stretch of time. What it rewards, the next may punish.".to_owned(),
        "The strategy's settings were not chosen here, but whoever chose them may have seen this market."
            .to_owned(),
    ];
    if let Some(model) = market.model.as_ref().filter(|model| !model.folds.is_empty()) {
        said.push(format!(
            "The recipe that is trained anew is that of `{}`: whoever chose its settings may have seen these folds.",
            model.name
        ));
    }
    if judged.metrics.years < 1.0 {
        said.push(format!(
            "It is {:.2} years: too short for yearly figures to mean much.",
            judged.metrics.years
        ));
    }
    if judged.result.refused > 0 {
        said.push(format!("The risk gate refused or shrank {} orders.", judged.result.refused));
    }
    if let Some(time) = judged.metrics.ruined_at {
        said.push(format!("The account was ruined at {time}; the curve ends there."));
    }
    said
}

pub(crate) fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "not known".to_owned(), |value| format!("{:.2} %", 100.0 * value))
}

pub(crate) fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "not known".to_owned(), |value| format!("{value:.3}"))
}

fn metric_rows(metrics: &Metrics, benchmark: &Metrics, beside: Option<&BenchmarkMetrics>) -> Vec<Metric> {
    let both = |name: &str, hint: &str, of: &dyn Fn(&Metrics) -> String| Metric {
        name: name.to_owned(),
        value: of(metrics),
        benchmark: Some(of(benchmark)),
        hint: hint.to_owned(),
    };
    let own = |name: &str, value: String, hint: &str| Metric {
        name: name.to_owned(),
        value,
        benchmark: None,
        hint: hint.to_owned(),
    };
    let (trades, activity) = (&metrics.trades, &metrics.activity);
    let beside = |of: &dyn Fn(&BenchmarkMetrics) -> Option<f64>| beside.and_then(of);
    vec![
        both("total return", "", &|metrics| percent(Some(metrics.total_return))),
        both("return a year", "compounded", &|metrics| percent(metrics.cagr)),
        both("volatility a year", "", &|metrics| percent(metrics.headline().volatility)),
        both("Sharpe ratio a year", "mean over deviation of returns", &|metrics| {
            number(metrics.headline().sharpe)
        }),
        both("Sortino ratio a year", "as Sharpe, by losses alone", &|metrics| {
            number(metrics.headline().sortino)
        }),
        both("Calmar ratio", "return a year over the maximum drawdown", &|metrics| number(metrics.calmar)),
        both("Omega ratio", "gains over losses", &|metrics| number(metrics.headline().omega)),
        both("maximum drawdown", "", &|metrics| percent(metrics.drawdown.maximum)),
        both("longest drawdown", "from a peak until it is reached again", &|metrics| {
            metrics.drawdown.longest.as_ref().map_or_else(
                || "none".to_owned(),
                |longest| format!("{:.1} days", longest.duration_ms as f64 / 86_400_000.0),
            )
        }),
        both("value at risk", "a loss that one period in twenty exceeds", &|metrics| {
            percent(metrics.headline().value_at_risk)
        }),
        both("expected shortfall", "mean of the losses beyond it", &|metrics| {
            percent(metrics.headline().expected_shortfall)
        }),
        own("beta", number(beside(&|one| one.beta)), "how far it moves with buy and hold"),
        own("alpha a year", percent(beside(&|one| one.alpha)), "Jensen's: what beta does not explain"),
        own(
            "information ratio",
            number(beside(&|one| one.information_ratio)),
            "return over buy and hold, over its deviation, a year",
        ),
        own("trades", trades.count.to_string(), "round trips"),
        own("trades won", percent(trades.win_rate), "after fees"),
        own("profit factor", number(trades.profit_factor), "profits over losses"),
        own("mean result of a trade", percent(trades.average_return), "of its notional, after fees"),
        own("time in the market", percent(activity.time_in_market), ""),
        own("turnover a year", number(activity.turnover), "traded notional over mean equity"),
        own("orders that went unfilled", percent(activity.unfilled_share), "of entries"),
        own("fees", format!("{:.2}", activity.fees), ""),
        own("funding", format!("{:.2}", activity.funding), "received; paid where negative"),
    ]
}

fn target_row(outcome: &TargetOutcome) -> ReportTarget {
    let (name, is_share) = match outcome.target {
        Target::Sharpe => ("Sharpe ratio a year", false),
        Target::MaximumDrawdown => ("maximum drawdown", true),
        Target::YearlyReturn => ("return a year", true),
        Target::WinRate => ("trades won", true),
        Target::ProfitFactor => ("profit factor", false),
        Target::AverageProfit => ("mean result of a trade", true),
        Target::Unfilled => ("orders that went unfilled", true),
    };
    let show = |value: f64| if is_share { format!("{:.2} %", 100.0 * value) } else { format!("{value:.2}") };
    let bound = match outcome.bound {
        sim::metrics::Bound::AtLeast => "at least",
        sim::metrics::Bound::AtMost => "at most",
    };
    ReportTarget {
        name: name.to_owned(),
        wanted: format!("{bound} {}", show(outcome.threshold)),
        reached: outcome.value.map_or_else(|| "not known".to_owned(), show),
        outcome: match outcome.verdict {
            TargetVerdict::Met => Outcome::Met,
            TargetVerdict::NotMet => Outcome::NotMet,
            TargetVerdict::NotKnown => Outcome::Unknown,
        },
    }
}

fn symbol_candles(series: &CandleSeries) -> SymbolCandles {
    let candle = |candle: market_data::Candle| ReportCandle {
        time: candle.open_time.as_millis(),
        open: candle.open,
        high: candle.high,
        low: candle.low,
        close: candle.close,
    };
    SymbolCandles {
        symbol: series.key().symbol.to_string(),
        timeframe: series.key().timeframe.to_string(),
        candles: series.iter().map(candle).collect(),
    }
}

fn name_of(instrument: InstrumentIndex, series: &[&CandleSeries]) -> String {
    series.get(instrument.get()).map(|series| series.key().symbol.to_string()).unwrap_or_default()
}

fn trade_rows(trades: &[TradeRecord], series: &[&CandleSeries]) -> Vec<TradeRow> {
    let row = |(at, trade): (usize, &TradeRecord)| TradeRow {
        symbol: name_of(trade.instrument, series),
        side: if trade.side == Side::Buy { TradeSide::Long } else { TradeSide::Short },
        opened: trade.opened.as_millis(),
        closed: Some(trade.closed.as_millis()),
        quantity: trade.quantity,
        entry_price: trade.entry_price.round_dp(10),
        exit_price: Some(trade.exit_price.round_dp(10)),
        fees: trade.fees,
        net: trade.net,
        reason: trade.reason.map_or_else(|| format!("{:?}", trade.exit), |reason| format!("{reason:?}")),
        log: if at < MOST_LOGS {
            explain(&trade.votes).to_string().lines().map(str::to_owned).collect()
        } else {
            Vec::new()
        },
    };
    let mut rows: Vec<TradeRow> = trades.iter().enumerate().map(row).collect();
    rows.sort_by_key(|row| row.opened);
    rows
}

/// An execution a row; the same order may stand in several.
fn order_rows(judged: &Judged, series: &[&CandleSeries]) -> Vec<OrderRow> {
    let mut numbers: BTreeMap<i64, usize> = BTreeMap::new();
    let row = |done: &sim::backtest::ExecutedOrder| {
        let number = numbers.entry(done.time.as_millis()).or_default();
        *number += 1;
        OrderRow {
            time: done.time.as_millis(),
            id: format!("{}-{number}", done.time.as_millis()),
            symbol: name_of(done.instrument, series),
            side: format!("{:?}", done.side).to_lowercase(),
            kind: format!("{:?}", done.liquidity).to_lowercase(),
            quantity: done.quantity,
            limit_price: None,
            filled: done.quantity,
            mean_price: Some(done.price),
            fees: done.fee,
            state: "filled".to_owned(),
            reason: format!("{:?}", done.purpose),
        }
    };
    judged.result.executions.iter().map(row).collect()
}

/// The fan over the time of the curve.
fn fan(found: &sim::monte_carlo::MonteCarlo, curve: &EquityCurve) -> MonteCarlo {
    let last = curve.times.len().saturating_sub(1);
    let mut times: Vec<i64> = Vec::new();
    let mut kept: Vec<usize> = Vec::new();
    for (at, step) in found.fan.times.iter().enumerate() {
        let time = curve.times[(*step).min(last)].as_millis();
        if times.last().is_none_or(|before| *before < time) {
            times.push(time);
            kept.push(at);
        }
    }
    let start = curve.equity.first().copied().unwrap_or(1.0);
    let quantiles = sim::monte_carlo::FAN_LEVELS
        .iter()
        .zip(&found.fan.equity)
        .map(|(level, values)| QuantilePath {
            level: *level,
            values: kept.iter().map(|at| values[*at] * start).collect(),
        })
        .collect();
    let block = found.mean_block.map_or_else(String::new, |block| format!(", mean block {block:.0} candles"));
    MonteCarlo {
        method: format!(
            "{} paths of {} candles{block}; probability of a loss {:.1} %, of ruin {:.1} %",
            found.paths,
            found.steps,
            100.0 * found.probability_of_loss.share,
            100.0 * found.probability_of_ruin.share
        ),
        times,
        quantiles,
        final_equity: Vec::new(),
    }
}

fn sensitivity(judged: &Judged, configuration: &Configuration) -> SensitivityGrid {
    let found = &judged.sensitivity;
    let row = found.fee_factors.iter().position(|factor| *factor == Decimal::ONE);
    let column =
        found.latencies_ms.iter().position(|latency| *latency == configuration.backtest.venue.latency_ms);
    SensitivityGrid {
        title: "Fees and latency".to_owned(),
        row_label: "fees, as multiples of those assumed".to_owned(),
        column_label: "latency".to_owned(),
        value_label: "total return, %".to_owned(),
        rows: found.fee_factors.iter().map(|factor| format!("× {factor}")).collect(),
        columns: found.latencies_ms.iter().map(|latency| format!("{latency} ms")).collect(),
        values: found.total_returns.iter().map(|value| value.map(|value| 100.0 * value)).collect(),
        chosen: row.zip(column),
    }
}
