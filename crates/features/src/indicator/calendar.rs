//! The moment of a decision, which is when the candle closes, in the calendar (UTC).

use std::f64::consts::TAU;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::Indicator;
use crate::bar::Bar;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const MINUTE: u32 = 60_000;

/// Sine and cosine of a part of a turn.
fn turn(part: u32, whole: u32) -> [f64; 2] {
    let (sine, cosine) = (TAU * f64::from(part) / f64::from(whole)).sin_cos();
    [sine, cosine]
}

/// Sine and cosine of the sum of two angles.
#[inline]
fn add([sine, cosine]: [f64; 2], [sine_added, cosine_added]: [f64; 2]) -> [f64; 2] {
    [sine * cosine_added + cosine * sine_added, cosine * cosine_added - sine * sine_added]
}

/// Angles of whole hours and minutes, as sine and cosine.
struct Angles {
    hour_of_day: [[f64; 2]; 24],
    minute_of_day: [[f64; 2]; 60],
    hour_of_week: [[f64; 2]; 168],
    minute_of_week: [[f64; 2]; 60],
}

static ANGLES: LazyLock<Angles> = LazyLock::new(|| Angles {
    hour_of_day: std::array::from_fn(|hour| turn(hour as u32, 24)),
    minute_of_day: std::array::from_fn(|minute| turn(minute as u32, 24 * 60)),
    hour_of_week: std::array::from_fn(|hour| turn(hour as u32, 7 * 24)),
    minute_of_week: std::array::from_fn(|minute| turn(minute as u32, 7 * 24 * 60)),
});

/// Days since 1970-01-01 and milliseconds since midnight.
fn day_and_time(millis: i64) -> (i64, i64) {
    (millis.div_euclid(DAY), millis.rem_euclid(DAY))
}

/// Days since Monday.
fn weekday(day: i64) -> u32 {
    // 1970-01-01 was a Thursday.
    (day + 3).rem_euclid(7) as u32
}

fn is_leap(year: i64) -> bool {
    year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0)
}

/// Where a day is in its month and year in the Gregorian calendar, counted from 0.
#[derive(Debug, PartialEq)]
struct Place {
    day_of_month: u32,
    days_in_month: u32,
    day_of_year: u32,
    days_in_year: u32,
}

impl Place {
    /// Howard Hinnant's `civil_from_days`: years begin in March there, so that the leap day comes last.
    fn of(day: i64) -> Self {
        const DAYS_IN_ERA: i64 = 146_097;
        let shifted = day + 719_468;
        let era = shifted.div_euclid(DAYS_IN_ERA);
        let day_of_era = shifted.rem_euclid(DAYS_IN_ERA);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let from_march = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * from_march + 2) / 153;
        let day_of_month = from_march - (153 * month_from_march + 2) / 5;
        let month = (month_from_march + 2) % 12;
        let year = era * 400 + year_of_era + i64::from(month < 2);
        let leap = i64::from(is_leap(year));
        let days_in_month = match month {
            1 => 28 + leap,
            3 | 5 | 8 | 10 => 30,
            _ => 31,
        };
        let day_of_year = if month < 2 { from_march - 306 } else { from_march + 59 + leap };
        Self {
            day_of_month: day_of_month as u32,
            days_in_month: days_in_month as u32,
            day_of_year: day_of_year as u32,
            days_in_year: (365 + leap) as u32,
        }
    }
}

/// Positions in the day, the week, the month and the year, each as sine and cosine of a turn.
///
/// Day and week (from Monday) pass continuously: milliseconds since their beginning over their length. Month
/// and year pass by whole days: days since their beginning over their length in days.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CalendarCycles {
    /// Midnight at which the day of the last candle began, in milliseconds since 1970.
    midnight: i64,
    weekday: u32,
    month: [f64; 2],
    year: [f64; 2],
}

impl CalendarCycles {
    pub(crate) fn new() -> Self {
        let mut cycles = Self { midnight: 0, weekday: 0, month: [0.0; 2], year: [0.0; 2] };
        cycles.begin_day(0);
        cycles
    }

    fn begin_day(&mut self, millis: i64) {
        let (day, time) = day_and_time(millis);
        let place = Place::of(day);
        self.midnight = millis - time;
        self.weekday = weekday(day);
        self.month = turn(place.day_of_month, place.days_in_month);
        self.year = turn(place.day_of_year, place.days_in_year);
    }
}

impl Indicator for CalendarCycles {
    /// Sine and cosine of the position in the day, the week, the month and the year.
    type Values = [f64; 8];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [f64; 8] {
        let millis = bar.close_time.as_millis();
        if !(0..DAY).contains(&millis.wrapping_sub(self.midnight)) {
            self.begin_day(millis);
        }
        let time = (millis - self.midnight) as u32;
        let (minutes, rest) = (time / MINUTE, time % MINUTE);
        let (day, week) = if rest == 0 {
            let (hour, minute) = (minutes / 60, (minutes % 60) as usize);
            let angles = &*ANGLES;
            (
                add(angles.hour_of_day[hour as usize], angles.minute_of_day[minute]),
                add(angles.hour_of_week[(self.weekday * 24 + hour) as usize], angles.minute_of_week[minute]),
            )
        } else {
            (turn(time, DAY as u32), turn(self.weekday * DAY as u32 + time, 7 * DAY as u32))
        };
        [day[0], day[1], week[0], week[1], self.month[0], self.month[1], self.year[0], self.year[1]]
    }
}

/// Whether it is a time at which the markets of a region trade, and whether it is the weekend: 0 or 1.
///
/// The hours usual in currency trading, in UTC the whole year, on each day of the week, without daylight
/// saving: Asia from 00:00 to 09:00, Europe from 07:00 to 16:00, the United States from 13:00 to 22:00. The
/// weekend is Saturday and Sunday. The first moment belongs to a session, the last one does not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sessions {}

impl Indicator for Sessions {
    /// Asia, Europe, the United States, weekend.
    type Values = [f64; 4];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [f64; 4] {
        let (day, time) = day_and_time(bar.close_time.as_millis());
        let within = |from: i64, to: i64| (from * HOUR..to * HOUR).contains(&time);
        [within(0, 9), within(7, 16), within(13, 22), weekday(day) >= 5].map(|flag| f64::from(u8::from(flag)))
    }
}

#[cfg(test)]
mod tests {
    use market_data::Timestamp;

    use super::*;
    use crate::indicator::Node;

    fn bar(millis: i64) -> Bar {
        Bar::new(Timestamp::from_millis(millis), [1.0; 5], None)
    }

    fn cycles(millis: i64) -> [f64; 8] {
        Indicator::push(&mut CalendarCycles::new(), &bar(millis))
    }

    fn assert_close(values: [f64; 8], expected: [f64; 8]) {
        for (value, expected) in values.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-12, "{values:?}, not {expected}");
        }
    }

    /// Counts the days one by one instead of calculating.
    #[test]
    fn four_hundred_years_day_by_day() {
        let (mut day, mut weekday_counted) = (0, 3);
        for year in 1970..=2400_u32 {
            let leap = if year % 100 == 0 { year / 100 % 4 == 0 } else { year % 4 == 0 };
            let lengths = [31, 28 + u32::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            let mut day_of_year = 0;
            for days_in_month in lengths {
                for day_of_month in 0..days_in_month {
                    let days_in_year = lengths.iter().sum();
                    let place = Place { day_of_month, days_in_month, day_of_year, days_in_year };
                    assert_eq!((Place::of(day), weekday(day)), (place, weekday_counted), "day {day}");
                    day += 1;
                    day_of_year += 1;
                    weekday_counted = (weekday_counted + 1) % 7;
                }
            }
        }
    }

    /// Dates with their milliseconds and weekdays as `date -u -d … +%s000` and `+%u` give them.
    #[test]
    fn known_dates() {
        let place = |millis: i64| {
            let day = day_and_time(millis).0;
            let Place { day_of_month, days_in_month, day_of_year, days_in_year } = Place::of(day);
            [day_of_month + 1, days_in_month, day_of_year + 1, days_in_year, weekday(day) + 1]
        };
        assert_eq!(place(0), [1, 31, 1, 365, 4], "1970-01-01");
        assert_eq!(place(951_782_400_000), [29, 29, 60, 366, 2], "2000-02-29");
        assert_eq!(place(951_868_800_000), [1, 31, 61, 366, 3], "2000-03-01");
        assert_eq!(place(1_735_603_200_000), [31, 31, 366, 366, 2], "2024-12-31");
        assert_eq!(place(1_735_689_600_000), [1, 31, 1, 365, 3], "2025-01-01");
        assert_eq!(place(1_745_971_200_000), [30, 30, 120, 365, 3], "2025-04-30");
        assert_eq!(place(4_107_456_000_000), [28, 28, 59, 365, 7], "2100-02-28");
        assert_eq!(place(4_107_542_400_000), [1, 31, 60, 365, 1], "2100-03-01");
    }

    #[test]
    fn a_quarter_of_each_cycle() {
        // Monday 2001-01-01 00:00 begins all four.
        assert_close(cycles(978_307_200_000), [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
        // Tuesday 2025-04-01 18:00: three quarters of the day, a quarter of the week, 90 of 365 days.
        let (year_sine, year_cosine) = (TAU * 90.0 / 365.0).sin_cos();
        assert_close(cycles(1_743_530_400_000), [-1.0, 0.0, 1.0, 0.0, 0.0, 1.0, year_sine, year_cosine]);
        // Thursday 2024-02-08 12:00: half the day, half the week, 7 of 29 days, 38 of 366.
        let (month_sine, month_cosine) = (TAU * 7.0 / 29.0).sin_cos();
        let (year_sine, year_cosine) = (TAU * 38.0 / 366.0).sin_cos();
        let expected = [0.0, -1.0, 0.0, -1.0, month_sine, month_cosine, year_sine, year_cosine];
        assert_close(cycles(1_707_393_600_000), expected);
    }

    /// Minutes come from tables, other times do not.
    #[test]
    fn every_second_minute_and_the_seconds_between() {
        let monday = 978_307_200_000;
        let mut indicator = CalendarCycles::new();
        for step in 0..7 * 24 * 60 {
            let elapsed = step * 60_000 + if step % 2 == 0 { 0 } else { 30_123 };
            let values = Indicator::push(&mut indicator, &bar(monday + elapsed));
            let (day_sine, day_cosine) = (TAU * ((elapsed % DAY) as f64 / DAY as f64)).sin_cos();
            let (week_sine, week_cosine) = (TAU * (elapsed as f64 / (7 * DAY) as f64)).sin_cos();
            let [_, _, _, _, month_sine, month_cosine, year_sine, year_cosine] = values;
            let (sine, cosine) = (TAU * (elapsed / DAY) as f64 / 31.0).sin_cos();
            assert!((month_sine - sine).abs() < 1e-12 && (month_cosine - cosine).abs() < 1e-12);
            let expected = [day_sine, day_cosine, week_sine, week_cosine];
            let rest = [month_sine, month_cosine, year_sine, year_cosine];
            assert_close(values, [expected, rest].concat().try_into().unwrap());
            assert!(values.iter().all(|value| value.abs() <= 1.0), "{values:?}");
        }
    }

    #[test]
    fn sessions_begin_with_their_first_moment_and_end_before_their_last() {
        let sessions = |millis: i64| Indicator::push(&mut Sessions {}, &bar(millis));
        let friday = 1_709_251_200_000;
        let at = |hour: i64, millis: i64| sessions(friday + hour * HOUR + millis);
        assert_eq!(at(0, 0), [1.0, 0.0, 0.0, 0.0]);
        assert_eq!(at(7, -1), [1.0, 0.0, 0.0, 0.0]);
        assert_eq!(at(7, 0), [1.0, 1.0, 0.0, 0.0]);
        assert_eq!(at(9, -1), [1.0, 1.0, 0.0, 0.0]);
        assert_eq!(at(9, 0), [0.0, 1.0, 0.0, 0.0]);
        assert_eq!(at(13, -1), [0.0, 1.0, 0.0, 0.0]);
        assert_eq!(at(13, 0), [0.0, 1.0, 1.0, 0.0]);
        assert_eq!(at(16, -1), [0.0, 1.0, 1.0, 0.0]);
        assert_eq!(at(16, 0), [0.0, 0.0, 1.0, 0.0]);
        assert_eq!(at(22, -1), [0.0, 0.0, 1.0, 0.0]);
        assert_eq!(at(22, 0), [0.0, 0.0, 0.0, 0.0]);
        assert_eq!(at(24, -1), [0.0, 0.0, 0.0, 0.0]);
        assert_eq!(at(24, 0), [1.0, 0.0, 0.0, 1.0], "Saturday");
        assert_eq!(at(72, -1), [0.0, 0.0, 0.0, 1.0], "Sunday");
        assert_eq!(at(72, 0), [1.0, 0.0, 0.0, 0.0], "Monday");
    }

    #[test]
    fn the_order_of_days_and_saving_do_not_matter() {
        let times = [1_709_251_200_000, 978_307_200_000, 978_393_599_999, -1, 4_107_542_400_000, 0];
        let mut indicator = CalendarCycles::new();
        for millis in times {
            assert_eq!(Indicator::push(&mut indicator, &bar(millis)), cycles(millis));
            let mut resumed = CalendarCycles::new();
            resumed.restore(&indicator.save().unwrap()).unwrap();
            assert_eq!(Indicator::push(&mut resumed, &bar(millis + 1)), cycles(millis + 1));
        }
    }
}
