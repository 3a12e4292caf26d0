//! Calendar times as files write them.
//!
//! Sources spell times in a dozen ways (`2024-01-31`, `20230315T`, `2019-10-17 09-AM`,
//! `2020-01-01 00:00:00+00:00`, `20221213 00:00:00`, …). A general parser would need the right pattern
//! for each, and would guess where a guess is wrong (day or month first). This reader takes a time apart
//! by its digits and refuses what is ambiguous; the calendar arithmetic is jiff's.

/// A calendar time, with the zone that the text states, if it states one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CivilTime {
    /// Milliseconds from the epoch to this wall-clock time, as if it were UTC.
    wall_millis: i64,
    /// Whether the text was finer than a millisecond.
    finer: bool,
    /// Milliseconds east of UTC, where the text states a zone.
    zone: Option<i64>,
}

impl CivilTime {
    /// Milliseconds since the epoch in UTC; `default_zone` (ms east of UTC) applies where the text
    /// states no zone.
    pub(crate) const fn utc_millis(self, default_zone: i64) -> i64 {
        self.wall_millis
            - match self.zone {
                Some(zone) => zone,
                None => default_zone,
            }
    }

    /// Whether the text states its zone.
    pub(crate) const fn has_zone(self) -> bool {
        self.zone.is_some()
    }

    /// Whether digits below the millisecond were cut off.
    pub(crate) const fn is_finer(self) -> bool {
        self.finer
    }
}

/// The order of day and month where the year stands last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DateOrder {
    /// `31/12/2024`
    DayMonthYear,
    /// `12/31/2024`
    MonthDayYear,
}

impl std::str::FromStr for DateOrder {
    type Err = crate::MarketDataError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "dmy" | "day-month-year" => Ok(Self::DayMonthYear),
            "mdy" | "month-day-year" => Ok(Self::MonthDayYear),
            _ => Err(crate::MarketDataError::request(
                "date order",
                format!("`{text}` is unknown; use dmy (31/12/2024) or mdy (12/31/2024)"),
            )),
        }
    }
}

/// Reads a time whose year comes first. `None` for anything else.
pub(crate) fn parse_civil(text: &[u8]) -> Option<CivilTime> {
    parse_civil_ordered(text, None)
}

/// Reads a time; a year that comes last is accepted only with the order of day and month stated.
pub(crate) fn parse_civil_ordered(text: &[u8], order: Option<DateOrder>) -> Option<CivilTime> {
    let mut cursor = Cursor { rest: text.trim_ascii() };
    let (year, month, day) = cursor.date(order)?;
    let (mut seconds_of_day, mut millis, mut finer) = (0_i64, 0_i64, false);
    let separated = cursor.skip_one(b"T t_");
    if separated {
        while cursor.skip_one(b" ") {}
    }
    if separated && cursor.peek().is_some_and(|byte| byte.is_ascii_digit()) {
        (seconds_of_day, millis, finer) = cursor.time_of_day()?;
    }
    let zone = cursor.zone()?;
    if !cursor.rest.is_empty() {
        return None;
    }
    let date = jiff::civil::Date::new(year, month, day).ok()?;
    let days = date.duration_since(jiff::civil::date(1970, 1, 1)).as_secs() / 86_400;
    Some(CivilTime { wall_millis: days * 86_400_000 + seconds_of_day * 1_000 + millis, finer, zone })
}

/// Whether a text looks like a date with the year last, which needs a stated order.
pub(crate) fn needs_date_order(text: &[u8]) -> bool {
    parse_civil(text).is_none()
        && (parse_civil_ordered(text, Some(DateOrder::DayMonthYear)).is_some()
            || parse_civil_ordered(text, Some(DateOrder::MonthDayYear)).is_some())
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn skip_one(&mut self, any_of: &[u8]) -> bool {
        match self.rest.split_first() {
            Some((byte, rest)) if any_of.contains(byte) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// A run of 1 to `most` digits, with its length.
    fn digits(&mut self, most: usize) -> Option<(i64, usize)> {
        let len = self.rest.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
        if len == 0 {
            return None;
        }
        let value = self.rest[..len].iter().fold(0, |value, byte| value * 10 + i64::from(byte - b'0'));
        self.rest = &self.rest[len..];
        Some((value, len))
    }

    fn date(&mut self, order: Option<DateOrder>) -> Option<(i16, i8, i8)> {
        let (first, len) = self.digits(8)?;
        let small = |value: i64| i8::try_from(value).ok();
        match len {
            8 => Some((i16::try_from(first / 10_000).ok()?, small(first / 100 % 100)?, small(first % 100)?)),
            4 => {
                let separator = self.peek().filter(|byte| b"-/.".contains(byte))?;
                self.skip_one(&[separator]);
                let (month, month_len) = self.digits(2)?;
                // 2024-01 is a month, not a day; nothing here is stamped with a month.
                if !self.skip_one(&[separator]) {
                    return None;
                }
                let (day, _) = self.digits(2)?;
                (month_len <= 2).then_some(())?;
                Some((i16::try_from(first).ok()?, small(month)?, small(day)?))
            }
            1 | 2 => {
                let order = order?;
                let separator = self.peek().filter(|byte| b"-/.".contains(byte))?;
                self.skip_one(&[separator]);
                let (second, _) = self.digits(2)?;
                if !self.skip_one(&[separator]) {
                    return None;
                }
                let (year, year_len) = self.digits(4)?;
                (year_len == 4).then_some(())?;
                let (day, month) = match order {
                    DateOrder::DayMonthYear => (first, second),
                    DateOrder::MonthDayYear => (second, first),
                };
                Some((i16::try_from(year).ok()?, small(month)?, small(day)?))
            }
            _ => None,
        }
    }

    /// Seconds of the day, milliseconds, and whether the text was finer.
    fn time_of_day(&mut self) -> Option<(i64, i64, bool)> {
        let (mut hour, hour_len) = self.digits(6)?;
        let (mut minute, mut second, mut millis, mut finer) = (0, 0, 0, false);
        match hour_len {
            // 235959 and 2359, as in 20240131T235959
            6 => (hour, minute, second) = (hour / 10_000, hour / 100 % 100, hour % 100),
            4 => (hour, minute) = (hour / 100, hour % 100),
            1 | 2 => {
                if self.skip_one(b":") {
                    minute = self.digits(2)?.0;
                    if self.skip_one(b":") {
                        second = self.digits(2)?.0;
                    }
                }
            }
            _ => return None,
        }
        if self.skip_one(b".,") {
            let (fraction, len) = self.digits(18)?;
            let len = u32::try_from(len).ok()?;
            if len <= 3 {
                millis = fraction * 10_i64.pow(3 - len);
            } else {
                millis = fraction / 10_i64.pow(len - 3);
                finer = fraction % 10_i64.pow(len - 3) != 0;
            }
        }
        hour = self.meridiem(hour)?;
        let in_range = hour < 24 && minute < 60 && second < 60;
        in_range.then_some((hour * 3_600 + minute * 60 + second, millis, finer))
    }

    /// Applies `AM` or `PM` (also written `-AM`) where it follows.
    fn meridiem(&mut self, hour: i64) -> Option<i64> {
        let trimmed = match self.rest.first() {
            Some(b' ' | b'-') => &self.rest[1..],
            _ => self.rest,
        };
        let Some(word) = trimmed.get(..2) else { return Some(hour) };
        let afternoon = if word.eq_ignore_ascii_case(b"AM") {
            false
        } else if word.eq_ignore_ascii_case(b"PM") {
            true
        } else {
            return Some(hour);
        };
        self.rest = &trimmed[2..];
        // 12 AM is midnight, 12 PM is noon.
        (1..=12).contains(&hour).then_some(hour % 12 + if afternoon { 12 } else { 0 })
    }

    /// `Some(None)` without a zone, `None` for a text that is no zone.
    fn zone(&mut self) -> Option<Option<i64>> {
        while self.skip_one(b" ") {}
        match self.rest {
            [] => Some(None),
            b"Z" | b"z" | b"UTC" | b"GMT" | b"utc" => {
                self.rest = &[];
                Some(Some(0))
            }
            [b'+' | b'-', ..] => {
                let millis = parse_offset(self.rest)?;
                self.rest = &[];
                Some(Some(millis))
            }
            _ => None,
        }
    }
}

/// Reads `+03:00`, `-0500`, `+3` as milliseconds east of UTC.
pub(crate) fn parse_offset(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text.split_first()? {
        (b'+', rest) => (1, rest),
        (b'-', rest) => (-1, rest),
        _ => return None,
    };
    let mut cursor = Cursor { rest: digits };
    let (first, len) = cursor.digits(4)?;
    let (hours, minutes) = match len {
        1 | 2 if cursor.skip_one(b":") => (first, cursor.digits(2)?.0),
        1 | 2 => (first, 0),
        4 => (first / 100, first % 100),
        _ => return None,
    };
    let sound = cursor.rest.is_empty() && hours <= 14 && minutes < 60;
    sound.then_some(sign * (hours * 60 + minutes) * 60_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str) -> Option<i64> {
        parse_civil(text.as_bytes()).map(|time| time.utc_millis(0))
    }

    #[test]
    fn reads_what_sources_write() {
        // Expected values from `date -u -d … +%s`.
        for (text, seconds) in [
            ("2024-01-31", 1_706_659_200),
            ("2024/01/31", 1_706_659_200),
            ("20240131", 1_706_659_200),
            ("20240131T", 1_706_659_200),
            ("20221213 08:00:00", 1_670_918_400),
            ("2019-10-17 09-AM", 1_571_302_800),
            ("2019-10-17 12-AM", 1_571_270_400),
            ("2019-10-17 12-PM", 1_571_313_600),
            ("2019-07-04 01:00", 1_562_202_000),
            ("2019-7-4 1:00", 1_562_202_000),
            ("2020-01-01 00:00:00+00:00", 1_577_836_800),
            ("2020-01-01T03:00:00+03:00", 1_577_836_800),
            ("2020-01-01T00:00:00.000Z", 1_577_836_800),
            ("2020-01-01 00:00:00 UTC", 1_577_836_800),
            ("2019-12-31 19:00:00-0500", 1_577_836_800),
            ("20200101T000000", 1_577_836_800),
        ] {
            assert_eq!(millis(text), Some(seconds * 1_000), "{text}");
        }
        let fine = parse_civil(b"2024-12-01 16:16:48.939225").unwrap();
        assert!(fine.is_finer());
        assert_eq!(fine.utc_millis(0) % 1_000, 939);
        assert!(!parse_civil(b"2024-12-01 16:16:48.939000").unwrap().is_finer());
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "2024",
            "2024-01",
            "2024-13-01",
            "2024-02-30",
            "24-01-31",
            "31-01-2024",
            "2024-01-31 25:00",
            "2024-01-31 10:60",
            "2024-01-31x",
            "2024-01-31 10:00 CET",
            "1,5",
            "13 PM",
            "2024-01-31 13 PM",
            "2024-01-31+99:00",
        ] {
            assert_eq!(millis(text), None, "{text}");
        }
    }

    #[test]
    fn a_year_last_needs_its_order() {
        assert!(needs_date_order(b"25-4-2022 19:05"));
        assert!(!needs_date_order(b"2022-4-25 19:05"));
        let day_first = parse_civil_ordered(b"3/4/2022 19:05", Some(DateOrder::DayMonthYear)).unwrap();
        let month_first = parse_civil_ordered(b"4/3/2022 19:05", Some(DateOrder::MonthDayYear)).unwrap();
        assert_eq!(day_first, month_first);
        assert_eq!(parse_civil_ordered(b"25/4/2022", Some(DateOrder::MonthDayYear)), None);
    }

    #[test]
    fn a_stated_zone_wins_over_the_default() {
        let stated = parse_civil(b"2020-01-01T00:00:00Z").unwrap();
        let silent = parse_civil(b"2020-01-01T00:00:00").unwrap();
        assert!(stated.has_zone() && !silent.has_zone());
        let hour = 3_600_000;
        assert_eq!(stated.utc_millis(hour) - silent.utc_millis(hour), hour);
    }

    #[test]
    fn offsets() {
        assert_eq!(parse_offset(b"+03:00"), Some(3 * 3_600_000));
        assert_eq!(parse_offset(b"-0530"), Some(-(5 * 60 + 30) * 60_000));
        assert_eq!(parse_offset(b"+3"), Some(3 * 3_600_000));
        for text in ["", "3", "+", "+15", "+03:00x", "+3:70"] {
            assert_eq!(parse_offset(text.as_bytes()), None, "{text}");
        }
    }
}
