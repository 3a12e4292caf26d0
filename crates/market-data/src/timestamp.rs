//! Points in time: milliseconds since the Unix epoch, UTC.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::MarketDataError;
use crate::read::parse_civil;

/// A point in time in **milliseconds since the Unix epoch, UTC**.
///
/// Exchanges speak milliseconds, so nothing finer is kept. A candle is named by the time at which it
/// *opens*; what it holds is known only when it closes (see [`crate::Timeframe::close_of`]).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest time representable here; useful as an open lower bound.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest time representable here; useful as an open upper bound.
    pub const MAX: Self = Self(i64::MAX);

    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This time moved by `millis` (saturating at the ends of the range).
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to `self` (negative when `earlier` is later).
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The calendar month `(year, month)` in UTC, the unit of the store's partitions.
    pub fn year_month(self) -> (i16, i8) {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => {
                let date = jiff::tz::TimeZone::UTC.to_datetime(time);
                (date.year(), date.month())
            }
            // Outside the years -9999..=9999 there is no calendar; such times never pass a reader.
            Err(_) => (0, 1),
        }
    }
}

impl fmt::Display for Timestamp {
    /// ISO 8601 in UTC: `2024-01-01T00:00:00Z`, with milliseconds only where there are some.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = MarketDataError;

    /// Reads ISO 8601 (a date, or a date and a time; without a zone it is UTC) or integer milliseconds.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        // Eight digits are a calendar date (20240131), not 5 hours after the epoch.
        if text.len() != 8
            && let Ok(millis) = text.parse::<i64>()
        {
            return Ok(Self(millis));
        }
        match parse_civil(text.as_bytes()) {
            Some(civil) => Ok(Self(civil.utc_millis(0))),
            None => Err(MarketDataError::InvalidTimestamp { text: text.to_owned() }),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "description": "An ISO 8601 time, in UTC where it names no zone, or milliseconds since 1970 in UTC.",
        })
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TimestampVisitor;
        impl Visitor<'_> for TimestampVisitor {
            type Value = Timestamp;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an ISO 8601 time or milliseconds since the epoch")
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Timestamp, E> {
                Ok(Timestamp(value))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Timestamp, E> {
                i64::try_from(value).map(Timestamp).map_err(E::custom)
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<Timestamp, E> {
                value.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(TimestampVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_iso_and_reads_it_back() {
        let time = Timestamp::from_millis(1_704_067_200_000);
        assert_eq!(time.to_string(), "2024-01-01T00:00:00Z");
        assert_eq!("2024-01-01T00:00:00Z".parse::<Timestamp>().unwrap(), time);
        assert_eq!("2024-01-01".parse::<Timestamp>().unwrap(), time);
        assert_eq!("20240101".parse::<Timestamp>().unwrap(), time);
        assert_eq!("1704067200000".parse::<Timestamp>().unwrap(), time);
        assert_eq!(time.plus_millis(1).to_string(), "2024-01-01T00:00:00.001Z");
    }

    #[test]
    fn refuses_text_that_is_no_time() {
        let error = "yesterday".parse::<Timestamp>().unwrap_err().to_string();
        assert!(error.contains("yesterday"), "{error}");
    }

    #[test]
    fn knows_its_month() {
        assert_eq!("2024-02-29T23:59:59.999Z".parse::<Timestamp>().unwrap().year_month(), (2024, 2));
        assert_eq!("1969-12-31".parse::<Timestamp>().unwrap().year_month(), (1969, 12));
    }
}
