//! Labels by the barrier that is touched first.

use std::ops::Range;

use market_data::{CandleColumns, CandleSeries};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{LabelError, require};
use crate::label::Label;
use crate::label_series::{Absence, Found, LabelSeries, cut_short};
use crate::volatility::average_true_range;

/// Which of three barriers the price touches first (López de Prado, *Advances in Financial Machine
/// Learning*, 2018, ch. 3.4): `take_profit` above the close of candle `i`, `stop_loss` below it, or the
/// time limit.
///
/// With the entry `P = close[i]` the barriers stand at `P (1 + take_profit)` and `P (1 − stop_loss)`, or
/// at `P + take_profit × ATR_i` and `P − stop_loss × ATR_i`. Candles `i + 1 ..= i + time_limit` are looked
/// at in turn:
///
/// 1. An open at or beyond a barrier touches that barrier, at the price of the open.
/// 2. A high at or above the upper barrier is a Buy, a low at or below the lower a Sell, at the
///    barrier's price; known at the close of that candle.
/// 3. Where high and low touch both, a candle does not say which came first: [`Ambiguous`] decides.
/// 4. With none touched, [`OnTimeout`] decides; known at the close of candle `i + time_limit`.
///
/// A candle whose window of `time_limit` candles reaches a gap or the end of the series has no label, also
/// when a barrier was touched before: where only time-outs were missing the classes would be biased.
///
/// The sides are those of a long position; for a short one the stop is the upper barrier.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TripleBarrier {
    /// How many candles are looked at; at least 1.
    pub time_limit: u32,
    /// Distance of the upper barrier, in `unit`; above 0.
    pub take_profit: f64,
    /// Distance of the lower barrier, in `unit`; above 0, and as a fraction below 1.
    pub stop_loss: f64,
    /// What the distances are measured in.
    pub unit: BarrierUnit,
    /// What is assumed where one candle touches both barriers.
    pub ambiguous: Ambiguous,
    /// What becomes of a candle after which no barrier is touched in time.
    pub on_timeout: OnTimeout,
}

/// What the distance of a barrier is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum BarrierUnit {
    /// A fraction of the close: 0.01 is one percent.
    Fraction,
    /// Multiples of Wilder's average true range, known at the close of the candle. Candles before its
    /// first value, at the start and after a gap, have no label, nor have those where it is zero because the
    /// price has not moved yet.
    Atr {
        /// Wilder's period in candles; at least 1.
        period: u32,
    },
}

/// What is assumed where one candle touches both barriers. Never Hold: one of them *was* touched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ambiguous {
    /// The worst for a long position: its stop came first, so Sell.
    #[default]
    PessimisticLong,
    /// The worst for a short position: its stop came first, so Buy.
    PessimisticShort,
    /// Nothing is assumed: the candle has no label ([`Absence::Ambiguous`]).
    NoLabel,
}

/// What becomes of a candle after which no barrier is touched in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnTimeout {
    /// Hold.
    #[default]
    Hold,
    /// The sign of the return at the time limit; Hold only where it is zero.
    Sign,
}

impl TripleBarrier {
    /// Barriers whose distances are yet to be found ([`crate::threshold_search`]): in average true ranges over 14 candles, so that
    /// they follow the volatility.
    #[must_use]
    pub fn unfitted(time_limit: u32) -> Self {
        Self { time_limit, unit: BarrierUnit::Atr { period: 14 }, ..Self::default() }
    }
}

impl Default for TripleBarrier {
    /// 24 candles, one percent both ways.
    fn default() -> Self {
        Self {
            time_limit: 24,
            take_profit: 0.01,
            stop_loss: 0.01,
            unit: BarrierUnit::Fraction,
            ambiguous: Ambiguous::default(),
            on_timeout: OnTimeout::default(),
        }
    }
}

/// What labelling by barriers needs of a series, computed once.
pub(crate) struct BarrierRows<'a> {
    columns: &'a CandleColumns,
    /// `None` where distances are fractions.
    average_true_range: Option<Vec<f64>>,
}

impl BarrierRows<'_> {
    /// What a distance of 1 is at a candle, in quote currency.
    pub(crate) fn unit(&self, index: usize) -> Result<f64, Absence> {
        match &self.average_true_range {
            None => Ok(self.columns.close[index]),
            Some(range) if range[index].is_nan() => Err(Absence::WarmUp),
            // Both barriers would stand at the entry, and an unchanged price would touch them.
            Some(range) if range[index] <= 0.0 => Err(Absence::NoRange),
            Some(range) => Ok(range[index]),
        }
    }
}

/// The first touch, or that there was none.
enum Touch {
    Upper(f64),
    Lower(f64),
    Both,
}

impl TripleBarrier {
    /// Refuses values outside their range.
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`] names the field and its range.
    pub fn validate(&self) -> Result<(), LabelError> {
        const DISTANCE: &str = "give a distance above 0, for example 0.01 as a fraction or 1.5 times the ATR";
        let sound = |distance: f64| distance.is_finite() && distance > 0.0;
        require(self.time_limit >= 1, "time_limit", self.time_limit, "look at least 1 candle ahead")?;
        require(sound(self.take_profit), "take_profit", self.take_profit, DISTANCE)?;
        require(sound(self.stop_loss), "stop_loss", self.stop_loss, DISTANCE)?;
        match self.unit {
            BarrierUnit::Fraction => require(
                self.stop_loss < 1.0,
                "stop_loss",
                self.stop_loss,
                "as a fraction of the price it must stay below 1",
            ),
            BarrierUnit::Atr { period } => {
                require(period >= 1, "unit.atr.period", period, "average over 1 candle or more")
            }
        }
    }

    /// The label of every candle.
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`], or [`LabelError::SeriesTooLong`].
    pub fn label(&self, series: &CandleSeries) -> Result<LabelSeries, LabelError> {
        self.validate()?;
        let rows = self.rows(series);
        LabelSeries::collect(series, self.time_limit, |index, run| self.find(&rows, index, run))
    }

    pub(crate) fn rows<'a>(&self, series: &'a CandleSeries) -> BarrierRows<'a> {
        let average_true_range = match self.unit {
            BarrierUnit::Fraction => None,
            BarrierUnit::Atr { period } => Some(average_true_range(series, period as usize)),
        };
        BarrierRows { columns: series.columns(), average_true_range }
    }

    /// The label of one candle.
    pub(crate) fn find(
        &self,
        rows: &BarrierRows<'_>,
        index: usize,
        run: &Range<usize>,
    ) -> Result<Found, Absence> {
        let columns = rows.columns;
        let entry = columns.close[index];
        let unit = rows.unit(index)?;
        let (upper, lower) = (entry + self.take_profit * unit, entry - self.stop_loss * unit);
        let end = index.saturating_add(self.time_limit as usize).saturating_add(1);
        // The whole window must be there, also for a barrier that was touched before it ends: else time-outs
        // alone would be missing before a gap and at the end, and the classes would be biased there.
        if end > run.end {
            return Err(cut_short(run, columns.len()));
        }
        for at in index + 1..end {
            let Some(touch) = touch(columns, at, upper, lower) else { continue };
            let (label, exit) = match (touch, self.ambiguous) {
                (Touch::Upper(exit), _) => (Label::Buy, exit),
                (Touch::Lower(exit), _) => (Label::Sell, exit),
                (Touch::Both, Ambiguous::PessimisticLong) => (Label::Sell, lower),
                (Touch::Both, Ambiguous::PessimisticShort) => (Label::Buy, upper),
                (Touch::Both, Ambiguous::NoLabel) => return Err(Absence::Ambiguous),
            };
            return Ok(Found { label, known_at: at, forward_return: (exit / entry).ln() });
        }
        let forward_return = (columns.close[end - 1] / entry).ln();
        let label = match self.on_timeout {
            OnTimeout::Hold => Label::Hold,
            OnTimeout::Sign => Label::of_sign(forward_return),
        };
        Ok(Found { label, known_at: end - 1, forward_return })
    }
}

/// What candle `at` touches first, with the price at which it does.
fn touch(columns: &CandleColumns, at: usize, upper: f64, lower: f64) -> Option<Touch> {
    let open = columns.open[at];
    // The open comes before high and low: a gap through a barrier is never ambiguous.
    if open >= upper {
        return Some(Touch::Upper(open));
    }
    if open <= lower {
        return Some(Touch::Lower(open));
    }
    match (columns.high[at] >= upper, columns.low[at] <= lower) {
        (true, true) => Some(Touch::Both),
        (true, false) => Some(Touch::Upper(upper)),
        (false, true) => Some(Touch::Lower(lower)),
        (false, false) => None,
    }
}
