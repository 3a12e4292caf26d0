//! A result divided over the regimes of its days.

use std::collections::BTreeMap;

use market_data::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DailyIndex, MarketRegime, RegimeConfig, label_days};
use crate::error::SimError;
use crate::luck::{BootstrapConfig, BootstrapInterval, Statistic, bootstrap_interval};
use crate::metrics::{
    ClosedTrade, DAY, EquityCurve, MetricsConfig, Moments, TradeMetrics, day_of, has_days, sharpe,
    simple_return, total_return,
};

/// What was earned in one regime. Returns and shares are fractions, amounts in settlement currency.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegimeResult {
    /// Which.
    pub regime: MarketRegime,
    /// Days of the equity curve in it; a part of a day at either end counts as one.
    pub days: usize,
    /// `days` over all days.
    pub share_of_time: f64,
    /// Unbroken runs of such days.
    pub stretches: usize,
    /// Return of its days compounded; 0 without a day.
    pub total_return: f64,
    /// Return of the benchmark over the same days, compounded.
    pub benchmark_return: f64,
    /// Annual Sharpe ratio of its days; none of fewer than 2, and without variance.
    pub sharpe: Option<f64>,
    /// Bootstrap interval of the annual Sharpe ratio. None below 20 days, for a set block that is longer, and
    /// where the days, or those of a resample, are all equal. Days of several stretches are joined for it, so
    /// that some blocks lie across a join.
    pub sharpe_interval: Option<BootstrapInterval>,
    /// Annual volatility of its days (n − 1); none of fewer than 2.
    pub volatility: Option<f64>,
    /// Deepest fall from a peak inside one stretch, at every point of the curve, positive; the equity before
    /// the stretch is a peak.
    pub maximum_drawdown: f64,
    /// Round trips that were entered in it, whenever they ended.
    pub trades: usize,
    /// Share of them that gained; none without a trade.
    pub win_rate: Option<f64>,
    /// Their gross profit over their gross loss; none without a losing one.
    pub profit_factor: Option<f64>,
    /// Sum of their net profits.
    pub net_profit: f64,
}

/// An unbroken run of days of one regime, for a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegimeStretch {
    /// Which.
    pub regime: MarketRegime,
    /// The point of the curve that it begins after.
    pub from: Timestamp,
    /// The last point of the curve in it.
    pub until: Timestamp,
}

/// A result over the regimes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegimeAttribution {
    /// What the labels were made with.
    pub config: RegimeConfig,
    /// One per regime, in the order of [`MarketRegime::ALL`], also where it has no day.
    pub regimes: Vec<RegimeResult>,
    /// In the order of time.
    pub stretches: Vec<RegimeStretch>,
    /// Return of all days.
    pub total_return: f64,
    /// Return of the benchmark over all days.
    pub benchmark_return: f64,
}

/// One day of the curve.
struct Day {
    end: Timestamp,
    regime: MarketRegime,
    value: f64,
    benchmark: f64,
}

/// Divides a result over the regimes of `benchmark`: the returns of UTC days, (00:00, 24:00], by the day's
/// regime, and trades by the regime of the day of their entry, [00:00, 24:00), because what is bought at
/// midnight lives in the day that begins.
///
/// Labels are made with hindsight ([`label_days`]): this says where a result came from, and nothing about
/// tomorrow. The number of days in a regime is small, so read the intervals before the ratios.
///
/// # Errors
/// [`SimError::Trading`] for a configuration; [`SimError::Data`] for a curve or a trade that is unsound, a
/// curve whose steps are longer than a day, and days of the curve that the benchmark does not have.
pub fn attribute_to_regimes(
    curve: &EquityCurve,
    trades: &[ClosedTrade],
    benchmark: &DailyIndex,
    config: &RegimeConfig,
    metrics: &MetricsConfig,
    bootstrap: &BootstrapConfig,
) -> Result<RegimeAttribution, SimError> {
    metrics.validate()?;
    bootstrap.validate()?;
    curve.validate()?;
    if !has_days(curve) {
        let problem = "its steps are longer than a day, and regimes are of days; give a finer curve";
        return Err(SimError::data("equity curve", problem));
    }
    let market = Market::new(benchmark, config)?;
    let days = market.days(curve)?;
    let depths = depths(curve, &market)?;
    let mut entered: BTreeMap<MarketRegime, Vec<ClosedTrade>> = BTreeMap::new();
    for trade in trades {
        let regime = market.regime(trade.opened.as_millis().div_euclid(DAY), trade.opened)?;
        entered.entry(regime).or_default().push(*trade);
    }
    let stretches = stretches(curve, &days);
    let regimes = MarketRegime::ALL
        .into_iter()
        .map(|regime| {
            let own: Vec<&Day> = days.iter().filter(|day| day.regime == regime).collect();
            let trades = TradeMetrics::of(entered.get(&regime).map_or(&[], Vec::as_slice))?;
            let returns = returns_of(&own, metrics, bootstrap);
            Ok(RegimeResult {
                regime,
                days: own.len(),
                share_of_time: if days.is_empty() { 0.0 } else { own.len() as f64 / days.len() as f64 },
                stretches: stretches.iter().filter(|stretch| stretch.regime == regime).count(),
                total_return: compound(own.iter().map(|day| day.value)),
                benchmark_return: compound(own.iter().map(|day| day.benchmark)),
                sharpe: returns.sharpe,
                sharpe_interval: returns.interval,
                volatility: returns.volatility,
                maximum_drawdown: depths.get(&regime).copied().unwrap_or(0.0),
                trades: trades.count,
                win_rate: trades.win_rate,
                profit_factor: trades.profit_factor,
                net_profit: trades.net_profit,
            })
        })
        .collect::<Result<Vec<_>, SimError>>()?;
    Ok(RegimeAttribution {
        config: *config,
        regimes,
        stretches,
        total_return: total_return(curve),
        benchmark_return: compound(days.iter().map(|day| day.benchmark)),
    })
}

/// The benchmark by day: its regime and its level.
struct Market {
    days: BTreeMap<i64, (MarketRegime, f64)>,
    first: f64,
}

impl Market {
    fn new(benchmark: &DailyIndex, config: &RegimeConfig) -> Result<Self, SimError> {
        let DailyIndex { times, closes } = benchmark;
        let unordered =
            times.iter().zip(times.iter().skip(1)).any(|(one, next)| day_of(*one) >= day_of(*next));
        if times.len() != closes.len() || unordered {
            let problem = "give one close per time, by ascending days, each once";
            return Err(SimError::data("benchmark", problem));
        }
        let labels = label_days(closes, config)?;
        let later = times.iter().zip(closes).skip(1);
        let days =
            later.zip(labels).map(|((time, close), regime)| (day_of(*time), (regime, *close))).collect();
        Ok(Self { days, first: closes.first().copied().unwrap_or(1.0) })
    }

    fn regime(&self, day: i64, time: Timestamp) -> Result<MarketRegime, SimError> {
        self.days.get(&day).map(|(regime, _)| *regime).ok_or_else(|| {
            SimError::data(
                format!("benchmark of the regimes at {time}"),
                "it has no candle on that day; give a benchmark that covers the equity curve",
            )
        })
    }

    /// Its last close up to the end of a day.
    fn level(&self, day: i64) -> f64 {
        self.days.range(..=day).next_back().map_or(self.first, |(_, (_, close))| *close)
    }

    fn days(&self, curve: &EquityCurve) -> Result<Vec<Day>, SimError> {
        let daily = curve.daily();
        let mut days = Vec::new();
        // `returns` ends at ruin, and so do the days.
        for ((start, end), value) in daily.times.iter().zip(daily.times.iter().skip(1)).zip(daily.returns()) {
            let number = day_of(*end);
            // The first point may lie inside its own day, whose benchmark then counts from the day before.
            let since = day_of(*start).min(number - 1);
            let benchmark = simple_return(self.level(since), self.level(number));
            days.push(Day { end: *end, regime: self.regime(number, *end)?, value, benchmark });
        }
        Ok(days)
    }
}

/// Deepest fall inside a stretch, by regime.
fn depths(curve: &EquityCurve, market: &Market) -> Result<BTreeMap<MarketRegime, f64>, SimError> {
    let mut depths = BTreeMap::new();
    let mut peak: Option<(MarketRegime, f64)> = None;
    // As far as there are returns: up to ruin.
    for (at, _) in curve.returns().iter().enumerate() {
        let (Some(before), Some(equity)) = (curve.equity.get(at), curve.equity.get(at + 1)) else { break };
        let Some(time) = curve.times.get(at + 1) else { break };
        let regime = market.regime(day_of(*time), *time)?;
        let highest = match peak {
            Some((same, highest)) if same == regime => highest.max(*equity),
            _ => before.max(*equity),
        };
        peak = Some((regime, highest));
        let deepest: &mut f64 = depths.entry(regime).or_default();
        *deepest = deepest.max((highest - equity) / highest);
    }
    Ok(depths)
}

fn stretches(curve: &EquityCurve, days: &[Day]) -> Vec<RegimeStretch> {
    let mut stretches: Vec<RegimeStretch> = Vec::new();
    let mut from = curve.times.first().copied().unwrap_or_default();
    for day in days {
        match stretches.last_mut() {
            Some(last) if last.regime == day.regime => last.until = day.end,
            _ => stretches.push(RegimeStretch { regime: day.regime, from, until: day.end }),
        }
        from = day.end;
    }
    stretches
}

/// Figures of the days of one regime.
struct Returns {
    sharpe: Option<f64>,
    volatility: Option<f64>,
    interval: Option<BootstrapInterval>,
}

fn returns_of(days: &[&Day], metrics: &MetricsConfig, bootstrap: &BootstrapConfig) -> Returns {
    let root = metrics.days_per_year.sqrt();
    let rate = libm::pow(1.0 + metrics.risk_free_rate, 1.0 / metrics.days_per_year) - 1.0;
    let returns: Vec<f64> = days.iter().map(|day| day.value).collect();
    let excess: Vec<f64> = returns.iter().map(|value| value - rate).collect();
    // The configurations were checked, so that what is refused is days that have no Sharpe ratio.
    let interval =
        bootstrap_interval(&excess, Statistic::Sharpe, bootstrap).ok().map(|interval| BootstrapInterval {
            estimate: interval.estimate * root,
            low: interval.low * root,
            high: interval.high * root,
            standard_error: interval.standard_error * root,
            mean_block: interval.mean_block,
        });
    Returns {
        sharpe: sharpe(&excess).map(|ratio| ratio * root),
        volatility: Moments::of(&returns).deviation().map(|deviation| deviation * root),
        interval,
    }
}

fn compound(returns: impl Iterator<Item = f64>) -> f64 {
    returns.fold(1.0, |growth, value| growth * (1.0 + value)) - 1.0
}
