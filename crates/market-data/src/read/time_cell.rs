//! One cell of a time column: a number in some unit, or a calendar time.

use super::civil::{CivilTime, DateOrder, needs_date_order, parse_civil_ordered};

/// How a file writes its times; stated in notes, because a wrong unit or zone moves every candle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum TimeStyle {
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
    /// Milliseconds since midnight of the date in the file's name (LEAN).
    MillisecondsOfDay,
    /// Calendar time with a stated zone.
    Zoned,
    /// Calendar time without a zone.
    Naive,
}

impl TimeStyle {
    pub(crate) const fn describe(self) -> &'static str {
        match self {
            Self::Seconds => "seconds since the epoch",
            Self::Milliseconds => "milliseconds since the epoch",
            Self::Microseconds => "microseconds since the epoch",
            Self::Nanoseconds => "nanoseconds since the epoch",
            Self::MillisecondsOfDay => "milliseconds since midnight of the file's date",
            Self::Zoned => "calendar times with a zone",
            Self::Naive => "calendar times without a zone",
        }
    }
}

/// A time read from a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeCell {
    pub(crate) millis: i64,
    /// Whether the cell said more than milliseconds can hold.
    pub(crate) finer: bool,
    pub(crate) style: TimeStyle,
}

/// What the user and the file's name say about times.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TimeRules {
    /// Milliseconds east of UTC of a clock that states no zone.
    pub(crate) zone: i64,
    pub(crate) order: Option<DateOrder>,
    /// Midnight of the date in the file's name, for times that count from it.
    pub(crate) midnight: Option<i64>,
}

impl TimeRules {
    /// Whether times without a zone are read as UTC.
    pub(crate) const fn is_utc(&self) -> bool {
        self.zone == 0
    }

    /// Reads one cell.
    ///
    /// # Errors
    /// What is wrong, and the remedy.
    #[inline]
    pub(crate) fn read(&self, cell: &[u8]) -> Result<TimeCell, (String, &'static str)> {
        let cell = trim(cell);
        if !cell.is_empty() && cell.len() <= 19 && cell.iter().all(u8::is_ascii_digit) {
            let value = cell
                .iter()
                .fold(0_i64, |value, byte| value.wrapping_mul(10).wrapping_add(i64::from(byte - b'0')));
            // Eight digits are a calendar date, which counts as no number.
            if (cell.len() != 8 || self.midnight.is_some())
                && let Some(read) = self.integer(value)
            {
                return Ok(read);
            }
        }
        self.other(cell)
    }

    /// A count of something since the epoch; the unit follows from its size, and the ranges of the
    /// units do not meet for any time after 1973.
    #[inline]
    pub(crate) fn integer(&self, value: i64) -> Option<TimeCell> {
        let exact = |millis, style| Some(TimeCell { millis, finer: false, style });
        if let Some(midnight) = self.midnight
            && (0..86_400_000).contains(&value)
            // Never a calendar date: no day has the number 0.
            && value % 1_000 == 0
        {
            return exact(midnight + value, TimeStyle::MillisecondsOfDay);
        }
        match value {
            100_000_000..100_000_000_000 => exact(value * 1_000, TimeStyle::Seconds),
            100_000_000_000..100_000_000_000_000 => exact(value, TimeStyle::Milliseconds),
            100_000_000_000_000..100_000_000_000_000_000 => Some(TimeCell {
                millis: value / 1_000,
                finer: value % 1_000 != 0,
                style: TimeStyle::Microseconds,
            }),
            100_000_000_000_000_000.. => Some(TimeCell {
                millis: value / 1_000_000,
                finer: value % 1_000_000 != 0,
                style: TimeStyle::Nanoseconds,
            }),
            _ => None,
        }
    }

    fn other(&self, cell: &[u8]) -> Result<TimeCell, (String, &'static str)> {
        if let Some(civil) = parse_civil_ordered(cell, self.order) {
            return Ok(self.civil(civil));
        }
        let text = String::from_utf8_lossy(cell);
        // pandas writes whole numbers as floats when a column has a hole: 1613300400.0
        if let Ok(value) = fast_float2::parse::<f64, _>(cell)
            && (1e8..1e19).contains(&value)
        {
            let scale = match value {
                ..1e11 => 1e3,
                ..1e14 => 1.0,
                ..1e17 => 1e-3,
                _ => 1e-6,
            };
            let style = match value {
                ..1e11 => TimeStyle::Seconds,
                ..1e14 => TimeStyle::Milliseconds,
                ..1e17 => TimeStyle::Microseconds,
                _ => TimeStyle::Nanoseconds,
            };
            let millis = value * scale;
            return Ok(TimeCell { millis: millis as i64, finer: millis.fract() != 0.0, style });
        }
        if needs_date_order(cell) {
            return Err((
                format!("`{text}` does not say whether the day or the month comes first"),
                "state it with --date-order dmy or --date-order mdy",
            ));
        }
        if cell.is_empty() {
            return Err(("the time is empty".to_owned(), "remove the row or restore its time"));
        }
        Err((format!("`{text}` is no time"), "write ISO 8601 or a number of s, ms, µs or ns since the epoch"))
    }

    pub(crate) fn civil(&self, civil: CivilTime) -> TimeCell {
        TimeCell {
            millis: civil.utc_millis(self.zone),
            finer: civil.is_finer(),
            style: if civil.has_zone() { TimeStyle::Zoned } else { TimeStyle::Naive },
        }
    }
}

/// Cuts blanks and one pair of quotes.
#[inline]
pub(crate) fn trim(cell: &[u8]) -> &[u8] {
    let cell = cell.trim_ascii();
    match cell {
        [b'"', inner @ .., b'"'] => inner.trim_ascii(),
        _ => cell,
    }
}

/// Reads a number. An empty cell and the usual words for "nothing" are NaN, which the quality report
/// names; anything else that is no number is an error.
#[inline]
pub(crate) fn read_number(cell: &[u8]) -> Option<f64> {
    let cell = trim(cell);
    if let Ok(value) = fast_float2::parse::<f64, _>(cell) {
        return Some(value);
    }
    let empty = cell.is_empty()
        || [&b"null"[..], b"none", b"na", b"n/a", b"-", b"#n/a"]
            .iter()
            .any(|word| cell.eq_ignore_ascii_case(word));
    empty.then_some(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_follows_from_the_size() {
        let rules = TimeRules::default();
        for (cell, millis, style) in [
            ("1613300400", 1_613_300_400_000, TimeStyle::Seconds),
            ("1613300400000", 1_613_300_400_000, TimeStyle::Milliseconds),
            ("1735689600000000", 1_735_689_600_000, TimeStyle::Microseconds),
            ("1735689600000000000", 1_735_689_600_000, TimeStyle::Nanoseconds),
            ("1613300400.0", 1_613_300_400_000, TimeStyle::Seconds),
            ("1.6133004e9", 1_613_300_400_000, TimeStyle::Seconds),
            ("\"2021-02-14 11:00:00\"", 1_613_300_400_000, TimeStyle::Naive),
            ("2021-02-14T11:00:00Z", 1_613_300_400_000, TimeStyle::Zoned),
            ("20210214", 1_613_260_800_000, TimeStyle::Naive),
        ] {
            let read = rules.read(cell.as_bytes()).unwrap();
            assert_eq!((read.millis, read.style, read.finer), (millis, style, false), "{cell}");
        }
        assert!(rules.read(b"1735689600000001").unwrap().finer);
    }

    #[test]
    fn a_stated_clock_moves_naive_times_only() {
        let rules = TimeRules { zone: 3 * 3_600_000, ..TimeRules::default() };
        assert_eq!(rules.read(b"2020-01-01 03:00:00").unwrap().millis, 1_577_836_800_000);
        assert_eq!(rules.read(b"2020-01-01 00:00:00Z").unwrap().millis, 1_577_836_800_000);
        assert_eq!(rules.read(b"1577836800").unwrap().millis, 1_577_836_800_000);
    }

    #[test]
    fn milliseconds_of_day_need_the_date_of_the_file() {
        let rules = TimeRules { midnight: Some(1_670_889_600_000), ..TimeRules::default() };
        assert_eq!(rules.read(b"60000").unwrap().millis, 1_670_889_660_000);
        assert_eq!(rules.read(b"20221213").unwrap().style, TimeStyle::Naive);
        assert!(TimeRules::default().read(b"60000").is_err());
    }

    #[test]
    fn says_what_is_wrong() {
        for (cell, part) in [("25-4-2022 19:05", "--date-order"), ("", "empty"), ("abc", "is no time")] {
            let (problem, remedy) = TimeRules::default().read(cell.as_bytes()).unwrap_err();
            assert!(format!("{problem}; {remedy}").contains(part), "{problem}; {remedy}");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(read_number(b" 6.81e-06 "), Some(6.81e-6));
        assert_eq!(read_number(b"\"5\""), Some(5.0));
        assert!(read_number(b"").unwrap().is_nan());
        assert!(read_number(b"NaN").unwrap().is_nan());
        assert!(read_number(b"inf").unwrap().is_infinite());
        assert_eq!(read_number(b"1,5"), None);
        assert_eq!(read_number(b"12abc"), None);
    }
}
