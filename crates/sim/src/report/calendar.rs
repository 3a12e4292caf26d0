//! Times as people read them, UTC.

use market_data::Timestamp;

/// A minute, an hour and a day in milliseconds.
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// More ticks than this crowd an axis.
const MOST_TICKS: usize = 9;

/// `2025-03-01 14:30`, with seconds only where there are some.
pub(super) fn minute_text(time: i64) -> String {
    let text = Timestamp::from_millis(time).to_string();
    let text = text.trim_end_matches('Z').replacen('T', " ", 1);
    if time % MINUTE == 0 { text.chars().take(16).collect() } else { text }
}

/// `2025-03-01`.
fn day_text(time: i64) -> String {
    Timestamp::from_millis(time).to_string().chars().take(10).collect()
}

/// First milliseconds of days, months or years with their names, at most nine between `first` and `last`.
pub(super) fn ticks(first: i64, last: i64) -> Vec<(f64, String)> {
    for step in [MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR] {
        let times = every(first, last, step);
        if times.len() <= MOST_TICKS {
            // Within a day the date says nothing, beyond it the time alone says too little.
            let skip = if last - first <= DAY { 11 } else { 5 };
            return named(&times, |time| minute_text(time).chars().skip(skip).collect());
        }
    }
    for days in [1, 2, 7, 14] {
        let times = every(first, last, days * DAY);
        if times.len() <= MOST_TICKS {
            return named(&times, day_text);
        }
    }
    for months in [1, 2, 3, 6] {
        let times = first_days(first, last, months);
        if times.len() <= MOST_TICKS {
            return named(&times, |time| day_text(time).chars().take(7).collect());
        }
    }
    for years in [1, 2, 5, 10, 20, 50, 100, 500, 1_000] {
        let times = first_days(first, last, 12 * years);
        if times.len() <= MOST_TICKS {
            return named(&times, |time| day_text(time).chars().take(4).collect());
        }
    }
    Vec::new()
}

fn named(times: &[i64], name: impl Fn(i64) -> String) -> Vec<(f64, String)> {
    times.iter().map(|&time| (time as f64, name(time))).collect()
}

/// Multiples of `step` from `first` to `last`, one more than wanted at most.
fn every(first: i64, last: i64, step: i64) -> Vec<i64> {
    let start = first.div_euclid(step) + i64::from(first.rem_euclid(step) != 0);
    (start..).map(|index| index * step).take_while(|time| *time <= last).take(MOST_TICKS + 1).collect()
}

/// First days of every `months`-th month counted from year 0.
fn first_days(first: i64, last: i64, months: i64) -> Vec<i64> {
    let (year, month) = Timestamp::from_millis(first).year_month();
    let begin = (i64::from(year) * 12 + i64::from(month) - 1).div_euclid(months);
    (begin..)
        .map(|index| first_of_month((index * months).div_euclid(12), (index * months).rem_euclid(12) + 1))
        .skip_while(|time| *time < first)
        .take_while(|time| *time <= last)
        .take(MOST_TICKS + 1)
        .collect()
}

/// Days from the civil calendar (Howard Hinnant, "chrono-compatible low-level date algorithms", `days_from_civil`).
fn first_of_month(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era - 719_468) * DAY
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millis()
    }

    #[test]
    fn months_begin_where_the_calendar_says() {
        // A leap year of a century, a century without one, the month after February.
        let cases = [
            (2000, 3, "2000-03-01"),
            (2100, 3, "2100-03-01"),
            (1970, 1, "1970-01-01"),
            (2024, 12, "2024-12-01"),
        ];
        for (year, month, text) in cases {
            assert_eq!(first_of_month(year, month), millis(text), "{text}");
        }
    }

    #[test]
    fn ticks_lie_on_round_dates_in_the_span() {
        // Of each kind of step the finest with at most nine ticks; within a day without a date.
        let cases = [
            ("2025-01-01T00:30:00Z", "2025-01-01T04:00:00Z", "01:00|02:00|03:00|04:00"),
            (
                "2025-01-01",
                "2025-01-02T12:00:00Z",
                "01-01 00:00|01-01 06:00|01-01 12:00|01-01 18:00|01-02 00:00|01-02 06:00|01-02 12:00",
            ),
            (
                "2025-01-30T13:00:00Z",
                "2025-02-06",
                "2025-01-31|2025-02-01|2025-02-02|2025-02-03|2025-02-04|2025-02-05|2025-02-06",
            ),
            ("2024-11-15", "2025-05-20", "2024-12|2025-01|2025-02|2025-03|2025-04|2025-05"),
            ("2023-11-15", "2025-01-02", "2024-01|2024-03|2024-05|2024-07|2024-09|2024-11|2025-01"),
            ("2019-06-01", "2025-02-01", "2020|2021|2022|2023|2024|2025"),
        ];
        for (first, last, wanted) in cases {
            let ticks = ticks(millis(first), millis(last));
            let names: Vec<&str> = ticks.iter().map(|tick| tick.1.as_str()).collect();
            assert_eq!(names.join("|"), wanted, "{first} to {last}");
        }
        assert_eq!(
            ticks(millis("2024-11-15"), millis("2025-05-20")).pop().unwrap().0,
            millis("2025-05-01") as f64
        );
        assert!(ticks(0, 253_402_300_799_999).len() <= MOST_TICKS);
    }

    #[test]
    fn seconds_are_shown_where_there_are_some() {
        assert_eq!(minute_text(millis("2025-03-01T14:30:00Z")), "2025-03-01 14:30");
        assert_eq!(minute_text(millis("2025-03-01T14:30:05Z")), "2025-03-01 14:30:05");
        assert_eq!(minute_text(millis("2025-03-01T14:30:05Z") + 7), "2025-03-01 14:30:05.007");
    }
}
