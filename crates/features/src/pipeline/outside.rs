//! What a pipeline needs beside the candles of its own symbol.

use std::collections::VecDeque;

use market_data::{CandleSeries, ExogenousSeries, Timestamp};
use serde::{Deserialize, Serialize};

use crate::group::{ExogenousColumn, Transform};

/// What a specification with `cross_asset` or `exogenous` columns needs for a whole series. The default is
/// nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outside<'a> {
    /// Candles of the reference symbol, of the same timeframe.
    pub reference: Option<&'a CandleSeries>,
    /// Series that exogenous columns name; others are left alone.
    pub exogenous: &'a [ExogenousSeries],
}

/// One exogenous column: the values told, and the last one known.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ExogenousInput {
    series: String,
    field: String,
    transform: Transform,
    max_age: Option<i64>,
    /// Values told whose time has not come.
    ahead: VecDeque<(Timestamp, f64)>,
    last: Option<(Timestamp, f64)>,
    before: Option<f64>,
}

impl ExogenousInput {
    pub(crate) fn new(column: &ExogenousColumn) -> Self {
        Self {
            series: column.series.clone(),
            field: column.field.clone(),
            transform: column.transform,
            max_age: column.max_age_hours.map(|hours| (hours * 3_600_000.0) as i64),
            ahead: VecDeque::new(),
            last: None,
            before: None,
        }
    }

    pub(crate) fn series(&self) -> &str {
        &self.series
    }

    /// Whether this is its series, for some symbol where the name has `{symbol}`.
    pub(crate) fn is_of(&self, name: &str) -> bool {
        match self.series.split_once("{symbol}") {
            Some((before, after)) => {
                let symbol = name.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
                symbol.is_some_and(|symbol| {
                    !symbol.is_empty() && symbol.bytes().all(|byte| byte.is_ascii_alphanumeric())
                })
            }
            None => self.series == name,
        }
    }

    pub(crate) fn field(&self) -> &str {
        &self.field
    }

    /// When the newest value told is known.
    pub(crate) fn newest(&self) -> Option<Timestamp> {
        self.ahead.back().or(self.last.as_ref()).map(|(time, _)| *time)
    }

    /// The next value, known at `known_at`. Of several known at once the last told counts.
    pub(crate) fn tell(&mut self, known_at: Timestamp, value: f64) {
        self.ahead.push_back((known_at, value));
    }

    /// The column's value at `time`, NaN while unknown. Times never go back.
    pub(crate) fn at(&mut self, time: Timestamp) -> f64 {
        while let Some(&(known_at, value)) = self.ahead.front()
            && known_at <= time
        {
            self.before = self.last.map(|(_, value)| value);
            self.last = Some((known_at, value));
            self.ahead.pop_front();
        }
        let Some((known_at, value)) = self.last else { return f64::NAN };
        if self.max_age.is_some_and(|age| time.since(known_at) > age) {
            return f64::NAN;
        }
        match (self.transform, self.before) {
            (Transform::Level, _) => value,
            (_, None) => f64::NAN,
            (Transform::Change, Some(before)) => value - before,
            (Transform::RelativeChange, Some(0.0)) => 0.0,
            (Transform::RelativeChange, Some(before)) => (value - before) / before.abs(),
        }
    }
}
