//! Statistics of returns, and how they are made annual.

use market_data::Timestamp;
use serde::{Deserialize, Serialize};
use trading::risk::historical_tail;

use super::config::{Basis, MetricsConfig};
use super::curve::{DAY, EquityCurve, day_of};
use crate::SimError;

/// Where the number of periods in a year comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Annualisation {
    /// It was set.
    Given,
    /// From the timeframe that was set, which the curve agrees with.
    Timeframe,
    /// From the median step of the curve.
    MedianStep,
    /// A year has as many UTC days as were set.
    CalendarDays,
    /// Nothing says it: there is one point. Annual figures are absent.
    Unknown,
}

/// Periods in a year, for [`ReturnStatistics`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Periods {
    pub(super) per_year: Option<f64>,
    source: Annualisation,
    /// Periods without a point, which a longer step spans.
    missing: u64,
}

impl Periods {
    /// Of UTC days. `curve` holds days.
    pub(super) fn daily(curve: &EquityCurve, config: &MetricsConfig) -> Self {
        let days = curve.times.iter().zip(curve.times.iter().skip(1));
        let skipped = days.map(|(before, after)| (day_of(*after) - day_of(*before) - 1).max(0) as u64);
        Self {
            per_year: Some(config.days_per_year),
            source: Annualisation::CalendarDays,
            missing: skipped.sum(),
        }
    }

    /// Of the steps of `curve`.
    ///
    /// # Errors
    /// [`SimError::Data`] where the steps are of no one length, or not of the length that was set.
    pub(super) fn per_bar(curve: &EquityCurve, config: &MetricsConfig) -> Result<Self, SimError> {
        let year = config.days_per_year * DAY as f64;
        let median = median_step(curve);
        if let (Some(timeframe), Some(step)) = (config.timeframe, median)
            && step != timeframe.millis()
        {
            let problem = format!(
                "its median step is {step} ms and metrics.timeframe = {timeframe}; give the timeframe of the curve"
            );
            return Err(SimError::data("equity curve", problem));
        }
        let step = config.timeframe.map(|timeframe| timeframe.millis()).or(median);
        if config.periods_per_year.is_none()
            && let Some(step) = step
            && let Some(odd) = curve.steps().find(|one| one % step != 0)
        {
            let problem = format!(
                "a step of {odd} ms is no multiple of {step} ms; take the equity at the close of each candle, or set metrics.periods_per_year"
            );
            return Err(SimError::data("equity curve", problem));
        }
        let missing = step.map_or(0, |step| curve.steps().map(|one| (one / step - 1).max(0) as u64).sum());
        let (per_year, source) = match (config.periods_per_year, config.timeframe, step) {
            (Some(given), _, _) => (Some(given), Annualisation::Given),
            (None, Some(_), Some(step)) => (Some(year / step as f64), Annualisation::Timeframe),
            (None, None, Some(step)) => (Some(year / step as f64), Annualisation::MedianStep),
            (None, _, None) => (None, Annualisation::Unknown),
        };
        Ok(Self { per_year, source, missing })
    }
}

/// Median length of the steps, the shorter of the two in the middle; none of one point.
pub(super) fn median_step(curve: &EquityCurve) -> Option<i64> {
    let mut steps: Vec<i64> = curve.steps().collect();
    steps.sort_unstable();
    steps.get(steps.len().saturating_sub(1) / 2).copied()
}

/// A return and when it was known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimedReturn {
    /// End of the step.
    pub time: Timestamp,
    /// The simple return.
    pub value: f64,
}

/// What the returns of one basis say. Absent figures have no value, for the reason that stands at each; NaN
/// never occurs.
///
/// A deviation no larger than the rounding of the returns themselves (a few 10⁻¹⁶) counts as none: equity
/// that grows by the same rate at each step has no Sharpe ratio, where floats would give 10¹⁵.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReturnStatistics {
    /// What the returns are of.
    pub basis: Basis,
    /// Number of returns.
    pub count: usize,
    /// Periods without a point. The return over a gap counts as one period, so many of them make annual
    /// figures doubtful.
    pub missing: u64,
    /// Periods in a year, by which figures are made annual; none of a single point.
    pub periods_per_year: Option<f64>,
    /// Where that comes from.
    pub annualisation: Annualisation,
    /// Mean simple return of a period; none without a return.
    pub mean: Option<f64>,
    /// Standard deviation (n − 1) × √periods; none of fewer than 2 returns.
    pub volatility: Option<f64>,
    /// Mean excess return over its standard deviation (n − 1), × √periods (Sharpe (1994), "The Sharpe ratio",
    /// eq. 3 to 6). None of fewer than 2 returns, and without variance.
    pub sharpe: Option<f64>,
    /// Mean excess return over the downside deviation √(Σ min(excess, 0)² / n) of all n returns, × √periods
    /// (Sortino & Price (1994), "Performance measurement in a downside risk framework"). None of fewer than 2
    /// returns, and where none is below the risk-free rate.
    pub sortino: Option<f64>,
    /// Σ max(excess, 0) / Σ max(−excess, 0), with the risk-free rate as the threshold (Keating & Shadwick
    /// (2002), "A universal performance measure"). None of fewer than 2 returns, and where none is below the
    /// threshold.
    pub omega: Option<f64>,
    /// Loss that is exceeded with probability 1 − level by the empirical distribution, positive for a loss:
    /// [`historical_tail`]. None without a return. QuantStats' is that of a normal distribution.
    pub value_at_risk: Option<f64>,
    /// Mean of the worst share 1 − level of returns, positive for a loss: [`historical_tail`]. None without a
    /// return.
    pub expected_shortfall: Option<f64>,
    /// Adjusted Fisher-Pearson skewness G₁ (Joanes & Gill (1998), "Comparing measures of sample skewness and
    /// kurtosis"). None of fewer than 3 returns, and without variance.
    pub skewness: Option<f64>,
    /// *Excess* kurtosis G₂ (the same source): 0 for a normal distribution. None of fewer than 4 returns, and
    /// without variance.
    pub kurtosis: Option<f64>,
    /// The best return (the first of equals); none without a return.
    pub best: Option<TimedReturn>,
    /// The worst return (the first of equals); none without a return.
    pub worst: Option<TimedReturn>,
}

impl ReturnStatistics {
    pub(super) fn of(curve: &EquityCurve, basis: Basis, periods: Periods, config: &MetricsConfig) -> Self {
        let returns = curve.returns();
        let moments = Moments::of(&returns);
        let root = periods.per_year.map(f64::sqrt);
        let excess = excess_returns(&returns, periods.per_year, config.risk_free_rate);
        let annual = |ratio: Option<f64>| ratio.zip(root).map(|(ratio, root)| ratio * root);
        let mut sorted = returns.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let tail = historical_tail(&sorted, config.tail_level);
        let timed = || {
            let pairs = curve.times.iter().skip(1).zip(&returns);
            pairs.map(|(time, value)| TimedReturn { time: *time, value: *value })
        };
        Self {
            basis,
            count: returns.len(),
            missing: periods.missing,
            periods_per_year: periods.per_year,
            annualisation: periods.source,
            mean: (!returns.is_empty()).then_some(moments.mean),
            volatility: annual(moments.deviation()),
            sharpe: annual(excess.as_deref().and_then(sharpe)),
            sortino: annual(excess.as_deref().and_then(sortino)),
            omega: excess.as_deref().and_then(omega),
            value_at_risk: tail.map(|(risk, _)| risk),
            expected_shortfall: tail.map(|(_, shortfall)| shortfall),
            skewness: moments.skewness(),
            kurtosis: moments.kurtosis(),
            best: timed().reduce(|best, next| if next.value > best.value { next } else { best }),
            worst: timed().reduce(|worst, next| if next.value < worst.value { next } else { worst }),
        }
    }
}

/// Rounding of a simple return: about the spacing of floats at its growth factor, for each of the two
/// roundings.
fn rounding(returns: &[f64]) -> f64 {
    let largest = returns.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    4.0 * f64::EPSILON * (1.0 + largest)
}

/// Returns less the risk-free rate of a period. Without periods in a year only a rate of 0 is known.
pub(super) fn excess_returns(returns: &[f64], per_year: Option<f64>, yearly_rate: f64) -> Option<Vec<f64>> {
    let rate = if yearly_rate == 0.0 { 0.0 } else { libm::pow(1.0 + yearly_rate, 1.0 / per_year?) - 1.0 };
    Some(returns.iter().map(|value| value - rate).collect())
}

/// Mean over standard deviation, of one period.
pub(crate) fn sharpe(excess: &[f64]) -> Option<f64> {
    let moments = Moments::of(excess);
    moments.variable_deviation().map(|deviation| moments.mean / deviation)
}

fn sortino(excess: &[f64]) -> Option<f64> {
    if excess.len() < 2 {
        return None;
    }
    let count = excess.len() as f64;
    let squares: f64 = excess.iter().map(|value| value.min(0.0)).map(|below| below * below).sum();
    let downside = (squares / count).sqrt();
    let mean = excess.iter().sum::<f64>() / count;
    (downside > rounding(excess)).then(|| mean / downside)
}

fn omega(excess: &[f64]) -> Option<f64> {
    let above: f64 = excess.iter().map(|value| value.max(0.0)).sum();
    let below: f64 = excess.iter().map(|value| (-value).max(0.0)).sum();
    (excess.len() >= 2 && below > rounding(excess)).then(|| above / below)
}

/// Sums of powers of deviations from the mean.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moments {
    count: f64,
    pub(crate) mean: f64,
    squares: f64,
    cubes: f64,
    fourths: f64,
    rounding: f64,
}

impl Moments {
    /// Two passes: the one-pass formulas lose every digit where the mean is large against the deviation.
    pub(crate) fn of(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let mean = if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / count };
        let mut sums =
            Self { count, mean, squares: 0.0, cubes: 0.0, fourths: 0.0, rounding: rounding(values) };
        for deviation in values.iter().map(|value| value - mean) {
            let square = deviation * deviation;
            sums.squares += square;
            sums.cubes += square * deviation;
            sums.fourths += square * square;
        }
        sums
    }

    /// Standard deviation (n − 1); 0 where all values are the same. None of fewer than 2.
    pub(crate) fn deviation(&self) -> Option<f64> {
        (self.count >= 2.0).then(|| (self.squares / (self.count - 1.0)).sqrt())
    }

    /// The same where it is more than rounding.
    pub(super) fn variable_deviation(&self) -> Option<f64> {
        self.deviation().filter(|deviation| *deviation > self.rounding)
    }

    fn skewness(&self) -> Option<f64> {
        self.variable_deviation().filter(|_| self.count >= 3.0)?;
        let n = self.count;
        Some(n * (n - 1.0).sqrt() / (n - 2.0) * self.cubes / (self.squares * self.squares.sqrt()))
    }

    fn kurtosis(&self) -> Option<f64> {
        self.variable_deviation().filter(|_| self.count >= 4.0)?;
        let n = self.count;
        let spread = (n - 2.0) * (n - 3.0);
        let raw = n * (n + 1.0) * (n - 1.0) / spread * self.fourths / (self.squares * self.squares);
        Some(raw - 3.0 * (n - 1.0) * (n - 1.0) / spread)
    }
}

/// Sharpe ratio and volatility of each window of returns, by its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollingStatistics {
    /// What the returns are of.
    pub basis: Basis,
    /// Returns in a window.
    pub window: usize,
    /// Periods in a year.
    pub periods_per_year: Option<f64>,
    /// End of each window; none where there are fewer returns than a window.
    pub times: Vec<Timestamp>,
    /// Annual Sharpe ratio of each; none where the window has no variance.
    pub sharpe: Vec<Option<f64>>,
    /// Annual volatility of each.
    pub volatility: Vec<Option<f64>>,
}

impl RollingStatistics {
    /// Of a curve up to ruin, on the basis and in the window that are set.
    ///
    /// # Errors
    /// [`SimError`] where a setting or the curve is unsound, or the curve has no days where they are the
    /// basis.
    pub fn of(curve: &EquityCurve, config: &MetricsConfig) -> Result<Self, SimError> {
        config.validate()?;
        curve.validate()?;
        let (curve, periods) = on_basis(&curve.until_ruin(), config)?;
        let returns = curve.returns();
        let root = periods.per_year.map(f64::sqrt);
        let excess = excess_returns(&returns, periods.per_year, config.risk_free_rate).unwrap_or_default();
        let annual = |ratio: Option<f64>| ratio.zip(root).map(|(ratio, root)| ratio * root);
        let window = config.rolling_window;
        Ok(Self {
            basis: config.basis,
            window,
            periods_per_year: periods.per_year,
            times: curve.times.iter().skip(window).copied().collect(),
            sharpe: excess.windows(window).map(|part| annual(sharpe(part))).collect(),
            volatility: returns.windows(window).map(|part| annual(Moments::of(part).deviation())).collect(),
        })
    }
}

/// Whether days can be made of a curve: a step that is longer than one gives fewer points than days.
pub(crate) fn has_days(curve: &EquityCurve) -> bool {
    median_step(curve).is_none_or(|step| step <= DAY)
}

/// Annual Sharpe ratio of a curve on the basis that is set, the same figure as [`ReturnStatistics::sharpe`];
/// none of fewer than 2 returns, and without variance.
///
/// # Errors
/// [`SimError`] where the curve has no days and they are the basis, or steps of no one length.
pub(crate) fn annual_sharpe(curve: &EquityCurve, config: &MetricsConfig) -> Result<Option<f64>, SimError> {
    let (curve, periods) = on_basis(curve, config)?;
    let excess = excess_returns(&curve.returns(), periods.per_year, config.risk_free_rate);
    let ratio = excess.as_deref().and_then(sharpe);
    Ok(ratio.zip(periods.per_year).map(|(ratio, per_year)| ratio * per_year.sqrt()))
}

/// The curve and its periods on the basis that is set.
pub(super) fn on_basis(
    curve: &EquityCurve,
    config: &MetricsConfig,
) -> Result<(EquityCurve, Periods), SimError> {
    match config.basis {
        Basis::PerBar => Ok((curve.clone(), Periods::per_bar(curve, config)?)),
        Basis::Daily if has_days(curve) => {
            let days = curve.daily();
            let periods = Periods::daily(&days, config);
            Ok((days, periods))
        }
        Basis::Daily => {
            let remedy = "the steps of the curve are longer than a day; set per-bar";
            Err(SimError::config("metrics.basis", "daily", remedy))
        }
    }
}
