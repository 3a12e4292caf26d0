//! The calendar: where in the day, week, month and year, and which markets are open.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::column::{ColumnInfo, Group};
use crate::error::FeatureError;
use crate::indicator::calendar::{CalendarCycles, Sessions};
use crate::plan::Planned;

/// Which time columns there are. All take the close of the candle, which is the moment of the decision, in
/// UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TimeOptions {
    /// Whether the group's columns are computed at all.
    pub enabled: bool,
    /// The positions in the day, the week, the month and the year, each as sine and cosine.
    pub cycles: bool,
    /// The hours of the Asian, European and American markets, and the weekend.
    pub sessions: bool,
}

impl Default for TimeOptions {
    fn default() -> Self {
        Self { enabled: true, cycles: true, sessions: true }
    }
}

impl TimeOptions {
    pub(crate) fn plan(&self) -> Result<Vec<Planned>, FeatureError> {
        let mut plan = Vec::new();
        if self.enabled && self.cycles {
            plan.push(Planned::new(CalendarCycles::new(), cycle_columns()));
        }
        if self.enabled && self.sessions {
            plan.push(Planned::new(Sessions {}, session_columns()));
        }
        Ok(plan)
    }
}

fn cycle_columns() -> [ColumnInfo; 8] {
    [
        ("hour_of_day_sin", "sin(2 pi * time since midnight / 1 day)"),
        ("hour_of_day_cos", "cos(2 pi * time since midnight / 1 day)"),
        ("day_of_week_sin", "sin(2 pi * time since Monday 00:00 / 7 days)"),
        ("day_of_week_cos", "cos(2 pi * time since Monday 00:00 / 7 days)"),
        ("day_of_month_sin", "sin(2 pi * whole days since the first of the month / days of the month)"),
        ("day_of_month_cos", "cos(2 pi * whole days since the first of the month / days of the month)"),
        ("month_of_year_sin", "sin(2 pi * whole days since 1 January / days of the year)"),
        ("month_of_year_cos", "cos(2 pi * whole days since 1 January / days of the year)"),
    ]
    .map(|(name, formula)| {
        let source = "cyclical encoding of the close time (UTC, Gregorian calendar); own definition";
        ColumnInfo::new(Group::Time, name, formula, source).between(-1.0, 1.0)
    })
}

/// Length of the cycle that a column of this group tells the place in, in milliseconds; of months and years the mean of the
/// Gregorian calendar.
pub(crate) fn cycle_millis(name: &str) -> Option<f64> {
    const DAY: f64 = 86_400_000.0;
    let days = match name {
        "hour_of_day_sin" | "hour_of_day_cos" | "session_asia" | "session_europe" | "session_us" => 1.0,
        "day_of_week_sin" | "day_of_week_cos" | "weekend" => 7.0,
        "day_of_month_sin" | "day_of_month_cos" => 30.436_875,
        "month_of_year_sin" | "month_of_year_cos" => 365.242_5,
        _ => return None,
    };
    Some(days * DAY)
}

fn session_columns() -> [ColumnInfo; 4] {
    [
        ("session_asia", "1 if the candle closes from 00:00 to before 09:00 UTC, else 0"),
        ("session_europe", "1 if the candle closes from 07:00 to before 16:00 UTC, else 0"),
        ("session_us", "1 if the candle closes from 13:00 to before 22:00 UTC, else 0"),
        ("weekend", "1 if the candle closes on a Saturday or Sunday (UTC), else 0"),
    ]
    .map(|(name, formula)| {
        let source = "usual hours of currency trading, in UTC without daylight saving; own definition";
        ColumnInfo::new(Group::Time, name, formula, source).between(0.0, 1.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widths(options: &TimeOptions) -> Vec<usize> {
        let plan = options.plan().unwrap();
        plan.iter().for_each(|planned| assert_eq!(planned.node.width(), planned.columns.len()));
        plan.iter().map(|planned| planned.columns.len()).collect()
    }

    #[test]
    fn every_column_has_a_cycle() {
        let columns = cycle_columns().into_iter().chain(session_columns());
        assert!(columns.into_iter().all(|column| cycle_millis(&column.name).is_some()));
        assert_eq!(cycle_millis("ema_20"), None);
    }

    #[test]
    fn each_part_can_be_switched() {
        assert_eq!(widths(&TimeOptions::default()), [8, 4]);
        assert_eq!(widths(&TimeOptions { sessions: false, ..TimeOptions::default() }), [8]);
        assert_eq!(widths(&TimeOptions { cycles: false, ..TimeOptions::default() }), [4]);
        assert!(widths(&TimeOptions { enabled: false, ..TimeOptions::default() }).is_empty());
    }
}
