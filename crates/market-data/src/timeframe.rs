//! The length of a candle and the grid on which candles open.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::error::MarketDataError;
use crate::timestamp::Timestamp;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// 1970-01-05 was the first Monday; weekly candles open on Mondays at 00:00 UTC.
const FIRST_MONDAY: i64 = 4 * DAY;

/// The length of a candle, from one minute to one week.
///
/// These are the lengths that Bybit and Binance share. All but the week sit on a grid that starts at
/// the epoch; weeks start on Monday 00:00 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Timeframe {
    /// 1 minute
    M1,
    /// 3 minutes
    M3,
    /// 5 minutes
    M5,
    /// 15 minutes
    M15,
    /// 30 minutes
    M30,
    /// 1 hour
    H1,
    /// 2 hours
    H2,
    /// 4 hours
    H4,
    /// 6 hours
    H6,
    /// 8 hours
    H8,
    /// 12 hours
    H12,
    /// 1 day
    D1,
    /// 1 week
    W1,
}

/// As it is written, and not the names of the variants.
impl JsonSchema for Timeframe {
    fn schema_name() -> Cow<'static, str> {
        "Timeframe".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<String> = Self::ALL.iter().map(ToString::to_string).collect();
        json_schema!({ "type": "string", "enum": names })
    }
}

impl Timeframe {
    /// All timeframes, shortest first.
    pub const ALL: [Self; 13] = [
        Self::M1,
        Self::M3,
        Self::M5,
        Self::M15,
        Self::M30,
        Self::H1,
        Self::H2,
        Self::H4,
        Self::H6,
        Self::H8,
        Self::H12,
        Self::D1,
        Self::W1,
    ];

    /// Length in milliseconds.
    pub const fn millis(self) -> i64 {
        match self {
            Self::M1 => MINUTE,
            Self::M3 => 3 * MINUTE,
            Self::M5 => 5 * MINUTE,
            Self::M15 => 15 * MINUTE,
            Self::M30 => 30 * MINUTE,
            Self::H1 => HOUR,
            Self::H2 => 2 * HOUR,
            Self::H4 => 4 * HOUR,
            Self::H6 => 6 * HOUR,
            Self::H8 => 8 * HOUR,
            Self::H12 => 12 * HOUR,
            Self::D1 => DAY,
            Self::W1 => 7 * DAY,
        }
    }

    /// The name that exchanges and ccxt use: `1m`, `4h`, `1d`, `1w`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::M1 => "1m",
            Self::M3 => "3m",
            Self::M5 => "5m",
            Self::M15 => "15m",
            Self::M30 => "30m",
            Self::H1 => "1h",
            Self::H2 => "2h",
            Self::H4 => "4h",
            Self::H6 => "6h",
            Self::H8 => "8h",
            Self::H12 => "12h",
            Self::D1 => "1d",
            Self::W1 => "1w",
        }
    }

    /// The timeframe of exactly this length, if there is one.
    pub fn from_millis(millis: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|timeframe| timeframe.millis() == millis)
    }

    /// Milliseconds from the epoch to the first opening on this timeframe's grid.
    const fn anchor(self) -> i64 {
        match self {
            Self::W1 => FIRST_MONDAY,
            _ => 0,
        }
    }

    /// The open time of the candle that contains `time`.
    pub const fn floor(self, time: Timestamp) -> Timestamp {
        let length = self.millis();
        let offset = (time.as_millis().wrapping_sub(self.anchor())).rem_euclid(length);
        Timestamp::from_millis(time.as_millis() - offset)
    }

    /// Whether a candle of this timeframe may open at `time`.
    pub const fn is_aligned(self, time: Timestamp) -> bool {
        (time.as_millis().wrapping_sub(self.anchor())).rem_euclid(self.millis()) == 0
    }

    /// When the candle that opens at `open_time` closes, which is when its values become **known**.
    pub const fn close_of(self, open_time: Timestamp) -> Timestamp {
        open_time.plus_millis(self.millis())
    }

    /// Candles of this timeframe in a year of 365 days (crypto markets never close).
    pub fn per_year(self) -> f64 {
        365.0 * DAY as f64 / self.millis() as f64
    }

    /// Whether candles of `self` can be built from whole candles of `base`.
    pub const fn is_multiple_of(self, base: Self) -> bool {
        self.millis() % base.millis() == 0
    }
}

impl fmt::Display for Timeframe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Timeframe {
    type Err = MarketDataError;

    /// Reads `5m`, `5min`, `1h`, `60m`, `1d`, `D`, `1w`, and Bybit's intervals (`1`…`720`, `D`, `W`).
    ///
    /// A capital `M` after a number is a month for every exchange, so `1M` is refused rather than read
    /// as a minute.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || MarketDataError::UnknownTimeframe { text: text.to_owned() };
        let trimmed = text.trim();
        let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = trimmed.split_at(digits);
        if unit == "M" || unit == "mo" {
            return Err(unknown());
        }
        let count: i64 = if number.is_empty() { 1 } else { number.parse().map_err(|_| unknown())? };
        let unit_millis = match unit.to_ascii_lowercase().as_str() {
            "s" | "sec" => 1_000,
            // Bybit writes minutes as a bare number.
            "" if !number.is_empty() => MINUTE,
            "m" | "min" | "t" | "minute" | "minutes" if !number.is_empty() => MINUTE,
            "minute" | "min" => MINUTE,
            "h" | "hour" | "hours" | "hourly" => HOUR,
            "d" | "day" | "days" | "daily" => DAY,
            "w" | "week" | "weeks" | "weekly" => 7 * DAY,
            _ => return Err(unknown()),
        };
        count.checked_mul(unit_millis).and_then(Self::from_millis).ok_or_else(unknown)
    }
}

impl TryFrom<String> for Timeframe {
    type Error = MarketDataError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Timeframe> for String {
    fn from(timeframe: Timeframe) -> Self {
        timeframe.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for timeframe in Timeframe::ALL {
            assert_eq!(timeframe.as_str().parse::<Timeframe>().unwrap(), timeframe);
            assert_eq!(Timeframe::from_millis(timeframe.millis()), Some(timeframe));
        }
    }

    #[test]
    fn reads_other_spellings() {
        for (text, expected) in [
            ("60m", Timeframe::H1),
            ("60", Timeframe::H1),
            ("240", Timeframe::H4),
            ("D", Timeframe::D1),
            ("W", Timeframe::W1),
            ("1Min", Timeframe::M1),
            ("1H", Timeframe::H1),
            ("1440m", Timeframe::D1),
        ] {
            assert_eq!(text.parse::<Timeframe>().unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn a_month_is_not_a_minute() {
        for text in ["1M", "M", "1mo", "7m", "", "x", "-1m"] {
            assert!(text.parse::<Timeframe>().is_err(), "{text}");
        }
    }

    #[test]
    fn weeks_open_on_monday() {
        let wednesday: Timestamp = "2024-01-03T12:00:00Z".parse().unwrap();
        assert_eq!(Timeframe::W1.floor(wednesday).to_string(), "2024-01-01T00:00:00Z");
        let before_epoch: Timestamp = "1969-12-31T23:59:59Z".parse().unwrap();
        assert_eq!(Timeframe::D1.floor(before_epoch).to_string(), "1969-12-31T00:00:00Z");
    }
}
