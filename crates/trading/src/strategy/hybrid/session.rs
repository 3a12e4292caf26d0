//! Hours and days at which positions may be opened, in UTC.

use market_data::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::validation::check;
use crate::error::TradingError;

const HOUR: i64 = 3_600_000;
const HOURS_OF_WEEK: usize = 168;
/// The epoch was a Thursday: three days after Monday.
const EPOCH_WEEKDAY_HOURS: i64 = 72;

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "days have no more to say than their names")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    /// The week, from Monday on.
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];
}

/// Whole hours of UTC from `from` (included) to `until` (excluded); over midnight where `until` is not later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HourWindow {
    /// First hour, 0 to 23.
    pub from: u8,
    /// Hour at which it ends, 1 to 24; 24 is midnight.
    pub until: u8,
}

impl HourWindow {
    const fn length(self) -> u8 {
        if self.until > self.from { self.until - self.from } else { 24 - self.from + self.until }
    }
}

/// Lets pass candles that close within a window. A window over midnight belongs to the day on which it begins: with Friday
/// alone, 22 to 2 reaches into Saturday but not from Thursday into Friday.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SessionFilter {
    /// Windows of the day; they may overlap.
    pub hours: Vec<HourWindow>,
    /// Days on which they begin.
    pub weekdays: Vec<Weekday>,
}

impl Default for SessionFilter {
    fn default() -> Self {
        Self { hours: vec![HourWindow { from: 0, until: 24 }], weekdays: Weekday::ALL.to_vec() }
    }
}

impl SessionFilter {
    pub(super) fn validate(&self) -> Result<(), TradingError> {
        check(
            !self.hours.is_empty(),
            "hybrid.filters.session.hours",
            "[]",
            "give at least one window, or leave the filter out",
        )?;
        check(
            !self.weekdays.is_empty(),
            "hybrid.filters.session.weekdays",
            "[]",
            "give at least one day, or leave the filter out",
        )?;
        for window in &self.hours {
            check(
                window.from <= 23 && (1..=24).contains(&window.until) && window.from != window.until,
                "hybrid.filters.session.hours",
                format!("{} to {}", window.from, window.until),
                "give from = 0 to 23 and until = 1 to 24, not the same; 0 to 24 is all day",
            )?;
        }
        Ok(())
    }
}

/// The hours of a week, prepared.
#[derive(Clone, Debug)]
pub(super) struct SessionTable {
    /// Hours from Monday 00:00 UTC: whether they are within, and after how many hours that changes.
    hours: [(bool, u8); HOURS_OF_WEEK],
}

/// What the table says of one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct SessionHour {
    pub(super) within: bool,
    /// Hours since Monday 00:00 UTC, in [0, 168).
    pub(super) hour: f64,
    /// When `within` changes, on the same scale; beyond 168 in the next week.
    pub(super) changes: f64,
}

impl SessionTable {
    pub(super) fn new(filter: &SessionFilter) -> Self {
        let mut hours = [(false, 0); HOURS_OF_WEEK];
        for day in &filter.weekdays {
            for window in &filter.hours {
                let first = *day as usize * 24 + usize::from(window.from);
                for hour in first..first + usize::from(window.length()) {
                    hours[hour % HOURS_OF_WEEK].0 = true;
                }
            }
        }
        for hour in 0..HOURS_OF_WEEK {
            let within = hours[hour].0;
            let steps = (1..HOURS_OF_WEEK).find(|step| hours[(hour + step) % HOURS_OF_WEEK].0 != within);
            // A week later nothing has changed either.
            hours[hour].1 = steps.unwrap_or(HOURS_OF_WEEK) as u8;
        }
        Self { hours }
    }

    pub(super) fn at(&self, time: Timestamp) -> SessionHour {
        let week = HOURS_OF_WEEK as i64 * HOUR;
        let since_monday = time.as_millis().rem_euclid(week) + EPOCH_WEEKDAY_HOURS * HOUR;
        let since_monday = since_monday.rem_euclid(week);
        let index = (since_monday / HOUR) as usize;
        let (within, steps) = self.hours[index];
        SessionHour {
            within,
            hour: since_monday as f64 / HOUR as f64,
            changes: (index + usize::from(steps)) as f64,
        }
    }
}
