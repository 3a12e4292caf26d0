//! The equity curve: what an account was worth, and when that was known.

use market_data::Timestamp;
use serde::{Deserialize, Serialize};

use crate::SimError;

/// Milliseconds of a UTC day.
pub(crate) const DAY: i64 = 86_400_000;

/// The largest growth of equity in one step that is believed: more is a mix of units, and would overflow the
/// moments.
const LARGEST_GROWTH: f64 = 1e12;

/// Equity beyond this is no amount, and sums of it might overflow.
const LARGEST_EQUITY: f64 = 1e30;

/// The smallest amount of money that accounts know: 12 places.
const SMALLEST_EQUITY: f64 = 1e-12;

/// Times beyond this many milliseconds of the epoch (about the year 5138) are no times of a market.
const LARGEST_TIME: i64 = 100_000_000_000_000;

/// What an account was worth, at strictly increasing times.
///
/// **Deposits and withdrawals** are the caller's: they must be taken out of `equity`, or they count as
/// returns.
///
/// **Times** are when the equity was known, which for a candle is its close and not its open. So the point at
/// 00:00 UTC belongs to the day, the month and the year that ends there. The first point is what was there
/// before the first step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EquityCurve {
    /// When each point was known (ms UTC), strictly increasing.
    pub times: Vec<Timestamp>,
    /// Cash and marked positions in settlement currency, one per time.
    pub equity: Vec<f64>,
    /// Gross notional of all positions over equity, one per time, never negative; 0 is flat. It is held to
    /// last until the next point.
    pub exposure: Vec<f64>,
}

/// The return of one calendar month (UTC), or of the part of it that the curve covers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonthlyReturn {
    /// The year.
    pub year: i16,
    /// The month, 1 to 12.
    pub month: i8,
    /// Last equity of the month over the last one before it, minus 1.
    pub value: f64,
}

/// The millisecond before, whose day and month a point belongs to.
const fn just_before(time: Timestamp) -> Timestamp {
    Timestamp::from_millis(time.as_millis().saturating_sub(1))
}

/// Number of the UTC day that a point belongs to: days are (00:00, 24:00].
pub(crate) const fn day_of(time: Timestamp) -> i64 {
    just_before(time).as_millis().div_euclid(DAY)
}

/// The simple return from `before` to `after`. The difference is divided, because a ratio minus 1 loses
/// digits: 85 of 100 is a loss of 0.15 and not of 0.15000000000000002.
pub(crate) fn simple_return(before: f64, after: f64) -> f64 {
    (after - before) / before
}

impl EquityCurve {
    /// Simple returns of each step, `(equity[i + 1] − equity[i]) / equity[i]`; one fewer than points.
    ///
    /// They end with the step to the first point without equity: what comes after ruin has no return.
    #[must_use]
    pub fn returns(&self) -> Vec<f64> {
        let judged = self.equity.get(..self.judged()).unwrap_or_default();
        judged
            .iter()
            .zip(judged.iter().skip(1))
            .map(|(before, after)| simple_return(*before, *after))
            .collect()
    }

    /// How far each point lies below the highest before it, as a share of that: 0 at a peak, 0.15 for 15 %
    /// below it. One per point until ruin.
    #[must_use]
    pub fn underwater(&self) -> Vec<f64> {
        let mut peak = f64::NEG_INFINITY;
        let below = |equity: &f64| {
            peak = peak.max(*equity);
            (peak - equity) / peak
        };
        self.equity.iter().take(self.judged()).map(below).collect()
    }

    /// The points from `from` to `to`, both included, with what was there when `from` came: the last point before it, where
    /// none lies on it.
    #[must_use]
    pub fn between(&self, from: Timestamp, to: Timestamp) -> Self {
        let after = self.times.partition_point(|time| *time <= from);
        let range = after.saturating_sub(1)..self.times.partition_point(|time| *time <= to).max(after);
        let pick = |values: &[f64]| values.get(range.clone()).unwrap_or_default().to_vec();
        Self {
            times: self.times.get(range.clone()).unwrap_or_default().to_vec(),
            equity: pick(&self.equity),
            exposure: pick(&self.exposure),
        }
    }

    /// The curve of UTC days: its first point, and the last of each day, (00:00, 24:00].
    ///
    /// The first point stays so that no part of the result is lost; the first and the last step may be
    /// shorter than a day. A day without a point is left out and never filled, so the step over it is longer.
    /// The exposure is that of the kept point: time in the market comes from the whole curve.
    #[must_use]
    pub fn daily(&self) -> Self {
        let last = self.times.len().saturating_sub(1);
        let ends_day = |at: usize| {
            let day = |at: usize| self.times.get(at).copied().map(day_of);
            at == 0 || at == last || day(at) != day(at + 1)
        };
        let kept: Vec<usize> = (0..self.times.len()).filter(|at| ends_day(*at)).collect();
        let pick = |values: &[f64]| kept.iter().filter_map(|at| values.get(*at).copied()).collect();
        Self {
            times: kept.iter().filter_map(|at| self.times.get(*at).copied()).collect(),
            equity: pick(&self.equity),
            exposure: pick(&self.exposure),
        }
    }

    /// Returns of calendar months in order; months without a point are left out, and the first and the last
    /// may be parts of a month.
    #[must_use]
    pub fn monthly_returns(&self) -> Vec<MonthlyReturn> {
        let Some(mut base) = self.equity.first().copied() else { return Vec::new() };
        let mut months: Vec<MonthlyReturn> = Vec::new();
        let mut last = base;
        for (time, equity) in self.times.iter().zip(&self.equity).take(self.judged()).skip(1) {
            let (year, month) = just_before(*time).year_month();
            match months.last_mut() {
                Some(row) if (row.year, row.month) == (year, month) => {
                    row.value = simple_return(base, *equity);
                }
                _ => {
                    base = last;
                    months.push(MonthlyReturn { year, month, value: simple_return(base, *equity) });
                }
            }
            last = *equity;
        }
        months
    }

    /// The first time at which nothing was left, if there is one.
    #[must_use]
    pub fn ruined_at(&self) -> Option<Timestamp> {
        let at = self.equity.iter().position(|equity| *equity <= 0.0)?;
        self.times.get(at).copied()
    }

    /// Points up to the first without equity, which is included.
    pub(super) fn judged(&self) -> usize {
        self.equity.iter().position(|equity| *equity <= 0.0).map_or(self.equity.len(), |at| at + 1)
    }

    /// The points that can be judged: all, or up to ruin.
    pub(super) fn until_ruin(&self) -> Self {
        let judged = self.judged();
        Self {
            times: self.times.iter().take(judged).copied().collect(),
            equity: self.equity.iter().take(judged).copied().collect(),
            exposure: self.exposure.iter().take(judged).copied().collect(),
        }
    }

    /// Milliseconds from the first point to the last.
    pub(super) fn elapsed(&self) -> i64 {
        match (self.times.first(), self.times.last()) {
            (Some(first), Some(last)) => last.as_millis() - first.as_millis(),
            _ => 0,
        }
    }

    /// Milliseconds of each step.
    pub(super) fn steps(&self) -> impl Iterator<Item = i64> + '_ {
        let pairs = self.times.iter().zip(self.times.iter().skip(1));
        pairs.map(|(before, after)| after.as_millis() - before.as_millis())
    }

    /// Checks that the curve can be judged. What comes after ruin has to be finite and in order, no more.
    ///
    /// # Errors
    /// [`SimError::Data`] names the point and what is wrong with it.
    pub fn validate(&self) -> Result<(), SimError> {
        let (points, equities, exposures) = (self.times.len(), self.equity.len(), self.exposure.len());
        if points == 0 || equities != points || exposures != points {
            let problem = format!(
                "{points} times, {equities} equities and {exposures} exposures; give one of each per point, and at least one point"
            );
            return Err(SimError::data("equity curve", problem));
        }
        let judged = self.judged();
        let mut before: Option<(Timestamp, f64)> = None;
        for (at, ((time, equity), exposure)) in
            self.times.iter().zip(&self.equity).zip(&self.exposure).enumerate()
        {
            if let Some(problem) = fault(before, *time, *equity, *exposure, at < judged) {
                return Err(SimError::data(format!("equity curve, point {at} at {time}"), problem));
            }
            before = Some((*time, *equity));
        }
        Ok(())
    }
}

/// Why a point cannot be judged.
fn fault(
    before: Option<(Timestamp, f64)>,
    time: Timestamp,
    equity: f64,
    exposure: f64,
    is_judged: bool,
) -> Option<String> {
    let is_amount = equity.abs() <= LARGEST_EQUITY;
    if !is_amount {
        return Some(format!("its equity is {equity:e}; give an amount, at most 1e30"));
    }
    if time.as_millis().checked_abs().is_none_or(|millis| millis > LARGEST_TIME) {
        return Some("its time is not one of a market; give milliseconds since the epoch".to_owned());
    }
    // Over no equity the exposure is no number.
    if is_judged && equity > 0.0 && !(exposure.is_finite() && (0.0..=LARGEST_GROWTH).contains(&exposure)) {
        return Some(format!("its exposure is {exposure}; give gross notional over equity, at least 0"));
    }
    let Some((earlier, was)) = before else {
        let problem = format!("it begins with an equity of {equity}; begin where there is some");
        return (equity < SMALLEST_EQUITY).then_some(problem);
    };
    if time <= earlier {
        return Some(format!("it comes after {earlier}; sort the points and keep one per time"));
    }
    let growth = simple_return(was, equity).abs();
    let is_believed = growth <= LARGEST_GROWTH;
    (is_judged && !is_believed)
        .then(|| format!("equity goes from {was} to {equity} in one step; check the units of the curve"))
}
