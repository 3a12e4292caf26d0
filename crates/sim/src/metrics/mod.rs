//! Performance of an equity curve and of trades, with what each figure was computed from.
//!
//! Markets of crypto never close, so a year has 365 days here (or as many as are set) and never 252. Sharpe
//! ratio, volatility and the like stand there twice: from UTC days, which is the convention and what they are
//! commonly compared on, and from each step of the curve. [`MetricsConfig::basis`] says which is the
//! headline. Drawdowns always come from every point.
//!
//! A figure that does not exist is absent, never NaN, 0 or infinite; its field says when.
//!
//! # Where figures differ from QuantStats (0.0.86)
//!
//! Equal on the same daily series, with `periods=365` given to it: total return, CAGR (without gaps),
//! volatility, Sharpe, Sortino, Omega, Calmar, maximum and average drawdown, skewness, kurtosis, best and
//! worst day, months, rolling Sharpe and volatility, alpha and beta without a risk-free rate. The others:
//!
//! | figure | QuantStats | here | why |
//! |---|---|---|---|
//! | periods in a year | 252 by default | 365 | the market never closes; 252 makes Sharpe 17 % too small |
//! | years of CAGR | returns / periods | time that passed | a gap in the data is not a shorter time |
//! | volatility, Sharpe | n − 1, NaN or huge without variance | n − 1, absent without variance | 10¹⁵ is no ratio |
//! | value at risk | normal distribution, negative | empirical, positive | returns have fat tails |
//! | expected shortfall | mean of returns up to an interpolated quantile | mean of exactly the worst share | coherent |
//! | ulcer index | n − 1 | n | it is a root mean square and loses no degree of freedom |
//! | recovery factor | absolute sum of returns / drawdown | total return / drawdown | a loss is no recovery |
//! | information ratio | of one period | annual | as Sharpe |
//! | length of a drawdown | points below the peak | steps from the peak to the recovery | it lasts until then |
//! | absent months | 0 | left out | no data is no return of 0 |
//! | best and worst month | `aggregate="month"` joins the Januaries of all years | each by itself | |
//! | win rate, profit factor, payoff | of days | of round trips, after costs | the name says trades |
//! | time in the market | share of returns that are not 0, rounded up | share of time with a position | |

mod benchmark;
mod config;
mod curve;
mod drawdown;
mod returns;
mod targets;
#[cfg(test)]
mod tests;
mod trades;

use market_data::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::benchmark::BenchmarkMetrics;
pub use self::config::{Basis, MetricsConfig};
pub use self::curve::{EquityCurve, MonthlyReturn};
pub use self::drawdown::{Drawdown, DrawdownMetrics};
pub use self::returns::{Annualisation, ReturnStatistics, RollingStatistics, TimedReturn};
pub use self::targets::{Bound, Target, TargetOutcome, Targets, Verdict};
pub use self::trades::{ActivityMetrics, ClosedTrade, OrderCounts, TradeMetrics};

pub(crate) use self::curve::{DAY, day_of, simple_return};
pub(crate) use self::drawdown::total_return;
use self::returns::Periods;
pub(crate) use self::returns::{Moments, annual_sharpe, has_days, sharpe};
use crate::SimError;

/// All figures of a result. Ratios and returns are fractions, money is in settlement currency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// Time of the first point.
    pub from: Timestamp,
    /// Time of the last point, or of ruin.
    pub until: Timestamp,
    /// Time that passed, in years of as many days as are set.
    pub years: f64,
    /// When nothing was left, where that happened. The curve is judged up to there.
    pub ruined_at: Option<Timestamp>,
    /// Equity at the start.
    pub initial_equity: f64,
    /// Equity at the end.
    pub final_equity: f64,
    /// `final / initial − 1`.
    pub total_return: f64,
    /// Compound annual growth rate, `(final / initial)^(1 / years) − 1`; −1 after ruin. None where no time
    /// passed, or so little that it is beyond all numbers: look at `years` before it.
    pub cagr: Option<f64>,
    /// CAGR over the maximum drawdown (Young (1991), "Calmar ratio: a smoother tool"), over the whole time
    /// rather than his 36 months. None where equity never fell or CAGR is none.
    pub calmar: Option<f64>,
    /// Which returns are the headline.
    pub basis: Basis,
    /// Statistics of each step of the curve.
    pub per_bar: ReturnStatistics,
    /// Statistics of UTC days; none where steps are longer than a day.
    pub daily: Option<ReturnStatistics>,
    /// Drawdowns, from every point.
    pub drawdown: DrawdownMetrics,
    /// Returns of calendar months in UTC, in order.
    pub months: Vec<MonthlyReturn>,
    /// The best of them (the first of equals), parts of months included; none without a step.
    pub best_month: Option<MonthlyReturn>,
    /// The worst of them (the first of equals); none without a step.
    pub worst_month: Option<MonthlyReturn>,
    /// Round trips.
    pub trades: TradeMetrics,
    /// Time in the market, turnover, costs.
    pub activity: ActivityMetrics,
}

impl Metrics {
    /// All figures of `curve` and its `trades` and `orders`.
    ///
    /// # Errors
    /// [`SimError`] names what is unsound: a setting, a point of the curve, a trade, orders; or says that
    /// days are the basis and the steps of the curve are longer; or that the steps are no multiples of one
    /// length and the periods in a year are not set.
    pub fn of(
        curve: &EquityCurve,
        trades: &[ClosedTrade],
        orders: &OrderCounts,
        config: &MetricsConfig,
    ) -> Result<Self, SimError> {
        config.validate()?;
        curve.validate()?;
        let ruined_at = curve.ruined_at();
        let curve = curve.until_ruin();
        let no_points = || SimError::data("equity curve", "it has no point; give at least one");
        let (from, until) = curve.times.first().zip(curve.times.last()).ok_or_else(no_points)?;
        let (first, last) = curve.equity.first().zip(curve.equity.last()).ok_or_else(no_points)?;
        let years = curve.elapsed() as f64 / (config.days_per_year * DAY as f64);
        let daily = has_days(&curve).then(|| {
            let days = curve.daily();
            ReturnStatistics::of(&days, Basis::Daily, Periods::daily(&days, config), config)
        });
        if config.basis == Basis::Daily && daily.is_none() {
            let remedy = "the steps of the curve are longer than a day; set per-bar";
            return Err(SimError::config("metrics.basis", "daily", remedy));
        }
        let drawdown = DrawdownMetrics::of(&curve);
        let cagr = growth_rate(last / first, years);
        let months = curve.monthly_returns();
        let month = |better: fn(f64, f64) -> bool| {
            let pick = |a: MonthlyReturn, b: MonthlyReturn| if better(b.value, a.value) { b } else { a };
            months.iter().copied().reduce(pick)
        };
        Ok(Self {
            from: *from,
            until: *until,
            years,
            ruined_at,
            initial_equity: *first,
            final_equity: *last,
            total_return: total_return(&curve),
            cagr,
            calmar: cagr
                .zip(drawdown.maximum)
                .map(|(rate, depth)| rate / depth)
                .filter(|ratio| ratio.is_finite() && drawdown.count > 0),
            basis: config.basis,
            per_bar: ReturnStatistics::of(&curve, Basis::PerBar, Periods::per_bar(&curve, config)?, config),
            daily,
            drawdown,
            best_month: month(|next, best| next > best),
            worst_month: month(|next, worst| next < worst),
            months,
            trades: TradeMetrics::of(trades)?,
            activity: ActivityMetrics::of(&curve, orders, years)?,
        })
    }

    /// The statistics on the basis that is set.
    #[must_use]
    pub fn headline(&self) -> &ReturnStatistics {
        match (self.basis, &self.daily) {
            (Basis::Daily, Some(daily)) => daily,
            // Of days there are some where they are the basis, or there are no metrics.
            _ => &self.per_bar,
        }
    }
}

/// The yearly rate at which `growth`, final over initial, comes about in `years`.
fn growth_rate(growth: f64, years: f64) -> Option<f64> {
    if years <= 0.0 {
        return None;
    }
    let rate = if growth > 0.0 { libm::pow(growth, 1.0 / years) - 1.0 } else { -1.0 };
    rate.is_finite().then_some(rate)
}
