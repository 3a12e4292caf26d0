//! Series from outside the market (funding, macro, sentiment), joined by the time at which they were
//! **known**.
//!
//! A daily index stamped 2024-01-01 describes that day; nobody knew it before the day was over. Each
//! value therefore carries two times, and only the second one decides who may see it.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{MarketDataError, Place};
use crate::symbol::{Market, Symbol};
use crate::timestamp::Timestamp;

const DAY: i64 = 86_400_000;

/// What the name of headlines is followed by in that of their mean polarity.
pub(crate) const DAILY_POLARITY: &str = "_daily_polarity";

/// When a value becomes known, counted from the time that it describes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KnownAfter {
    /// One usual distance between values later, at least a day: the period that a value describes must
    /// be over. Irregular series (rate decisions) use a day. Series of 28 days and longer use two such distances, because
    /// statistics of months and quarters are published weeks after their end; where the day of publication is known, state it.
    #[default]
    Period,
    /// At the stamped time itself: funding settlements, published headlines.
    Immediately,
    /// A stated number of milliseconds later.
    Millis(i64),
}

/// A table of values over time; every value has the time it describes and the time it was known.
///
/// Invariants: described times increase strictly, known times never decrease and never precede the
/// described ones, all values are finite.
#[derive(Clone, Debug, PartialEq)]
pub struct ExogenousSeries {
    name: String,
    fields: Vec<String>,
    described_at: Vec<Timestamp>,
    known_at: Vec<Timestamp>,
    /// One column per field.
    values: Vec<Vec<f64>>,
}

impl ExogenousSeries {
    /// A series from columns, known by the rule `known_after`.
    ///
    /// # Errors
    /// [`MarketDataError::UnsoundSeries`] names the first row that breaks an invariant.
    pub fn new(
        name: &str,
        fields: Vec<String>,
        described_at: Vec<Timestamp>,
        values: Vec<Vec<f64>>,
        known_after: KnownAfter,
    ) -> Result<Self, MarketDataError> {
        let lag = match known_after {
            KnownAfter::Immediately => 0,
            KnownAfter::Millis(millis) => millis,
            KnownAfter::Period => usual_period(&described_at),
        };
        let known_at = described_at.iter().map(|time| time.plus_millis(lag)).collect();
        Self::with_known_at(name, fields, described_at, known_at, values)
    }

    /// A series from columns with explicit known times.
    ///
    /// # Errors
    /// As [`ExogenousSeries::new`].
    pub fn with_known_at(
        name: &str,
        fields: Vec<String>,
        described_at: Vec<Timestamp>,
        known_at: Vec<Timestamp>,
        values: Vec<Vec<f64>>,
    ) -> Result<Self, MarketDataError> {
        let unsound = |index: usize, reason: String| MarketDataError::UnsoundSeries {
            key: name.to_owned(),
            index,
            reason,
        };
        if !is_name(name) {
            return Err(unsound(0, "a name is made of letters, digits, `_`, `-` and `.`".to_owned()));
        }
        let rows = described_at.len();
        if fields.len() != values.len()
            || values.iter().any(|column| column.len() != rows)
            || known_at.len() != rows
        {
            return Err(unsound(rows, "the columns have different lengths".to_owned()));
        }
        for row in 0..rows {
            if known_at[row] < described_at[row] {
                return Err(unsound(row, format!("known at {} before {}", known_at[row], described_at[row])));
            }
            if row > 0 && (described_at[row] <= described_at[row - 1] || known_at[row] < known_at[row - 1]) {
                return Err(unsound(
                    row,
                    format!("{} does not follow the value before it", described_at[row]),
                ));
            }
            if let Some((field, column)) =
                fields.iter().zip(&values).find(|(_, column)| !column[row].is_finite())
            {
                return Err(unsound(row, format!("`{field}` is {}", column[row])));
            }
        }
        Ok(Self { name: name.to_owned(), fields, described_at, known_at, values })
    }

    /// The name under which it is stored.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of the values.
    pub fn fields(&self) -> &[String] {
        &self.fields
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.described_at.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.described_at.is_empty()
    }

    /// The times that the values describe.
    pub fn described_at(&self) -> &[Timestamp] {
        &self.described_at
    }

    /// The times at which the values were known.
    pub fn known_at(&self) -> &[Timestamp] {
        &self.known_at
    }

    /// The column of a field.
    pub fn column(&self, field: &str) -> Option<&[f64]> {
        let index = self.fields.iter().position(|name| name == field)?;
        Some(&self.values[index])
    }

    /// All columns, in the order of the fields.
    pub fn columns(&self) -> &[Vec<f64>] {
        &self.values
    }

    /// A hash of all values and times, independent of how they are stored.
    pub fn content_hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for times in [&self.described_at, &self.known_at] {
            for time in times {
                hasher.update(&time.as_millis().to_le_bytes());
            }
        }
        for (field, column) in self.fields.iter().zip(&self.values) {
            hasher.update(field.as_bytes());
            for value in column {
                hasher.update(&value.to_le_bytes());
            }
        }
        hasher.finalize().to_hex().to_string()
    }

    /// A cursor for times that only go forward, as in a fold over candles.
    pub const fn cursor(&self) -> AsOfCursor<'_> {
        AsOfCursor { series: self, known: 0 }
    }
}

/// Whether a name is safe as a file name on every system.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 120
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

/// The most frequent distance between values, if most of them share it, else a day; at least a day.
fn usual_period(times: &[Timestamp]) -> i64 {
    let mut distances: Vec<i64> =
        times.windows(2).map(|pair| (pair[1].since(pair[0]) + DAY / 2) / DAY).collect();
    if distances.is_empty() {
        return DAY;
    }
    distances.sort_unstable();
    // The longest usual distance: months have 28 to 31 days, and 31 is the one that is never too early.
    let middle = distances[distances.len() / 2];
    let close = distances.iter().filter(|distance| (**distance - middle).abs() * 8 <= middle).count();
    let upper = distances.iter().filter(|distance| (**distance - middle).abs() * 8 <= middle).max();
    match upper {
        Some(upper) if close * 2 > distances.len() && *upper >= 28 => 2 * *upper * DAY,
        Some(upper) if close * 2 > distances.len() => (*upper).max(1) * DAY,
        _ => DAY,
    }
}

/// Walks a series forward in time.
#[derive(Clone, Debug)]
pub struct AsOfCursor<'a> {
    series: &'a ExogenousSeries,
    /// How many rows are known so far.
    known: usize,
}

impl AsOfCursor<'_> {
    /// The row that was the last one known at `time`. Times must not go back.
    pub fn advance(&mut self, time: Timestamp) -> Option<usize> {
        while self.series.known_at.get(self.known).is_some_and(|known| *known <= time) {
            self.known += 1;
        }
        self.known.checked_sub(1)
    }
}

/// For each of `times` (in order) the last value of `field` that was known then; `None` before the first,
/// and where the value has been known for longer than `max_age` milliseconds.
///
/// Give the times at which decisions are made: for candles that is when they *close*.
///
/// # Errors
/// [`MarketDataError::InvalidRequest`] when the series has no such field or the times go back.
pub fn join_as_of(
    times: &[Timestamp],
    series: &ExogenousSeries,
    field: &str,
    max_age: Option<i64>,
) -> Result<Vec<Option<f64>>, MarketDataError> {
    let column = series.column(field).ok_or_else(|| {
        MarketDataError::request(
            format!("field `{field}`"),
            format!("series {} has only {}", series.name(), series.fields().join(", ")),
        )
    })?;
    if let Some(row) = times.windows(2).position(|pair| pair[1] < pair[0]) {
        return Err(MarketDataError::request(
            "times of an as-of join",
            format!("{} comes after {}; sort them", times[row + 1], times[row]),
        ));
    }
    let mut cursor = series.cursor();
    Ok(times
        .iter()
        .map(|&time| {
            let row = cursor.advance(time)?;
            let fresh = max_age.is_none_or(|age| time.since(series.known_at[row]) <= age);
            fresh.then(|| column[row])
        })
        .collect())
}

const HOUR: i64 = 3_600_000;

/// The hour that a settlement belongs to: exchanges stamp some milliseconds late.
fn settlement_hour(time: &Timestamp) -> i64 {
    (time.as_millis() + HOUR / 2).div_euclid(HOUR)
}

/// The usual hours between the rows of a funding history: 1, 2, 4 or 8, as exchanges settle. None where rows are further apart, as
/// means of days are, or there are too few to tell.
pub(crate) fn settlement_hours(times: &[Timestamp]) -> Option<i64> {
    let mut distances: Vec<i64> =
        times.windows(2).map(|pair| settlement_hour(&pair[1]) - settlement_hour(&pair[0])).collect();
    distances.sort_unstable();
    distances.get(distances.len() / 2).copied().filter(|interval| [1, 2, 4, 8].contains(interval))
}

/// Checks that funding settles on the grid of its interval: 00, 08 and 16 o'clock UTC for eight hours.
/// A history whose clock is local time does not, and would tell tomorrow's rates today.
pub(crate) fn check_settlement_clock(
    file: &str,
    lines: &[u32],
    times: &[Timestamp],
) -> Result<(), MarketDataError> {
    let hour = settlement_hour;
    let Some(interval) = settlement_hours(times) else { return Ok(()) };
    let Some(row) = times.iter().position(|time| hour(time).rem_euclid(interval) != 0) else { return Ok(()) };
    let off = times.iter().filter(|time| hour(time).rem_euclid(interval) != 0).count();
    if off * 10 < times.len() {
        return Ok(());
    }
    let phase = hour(&times[row]).rem_euclid(interval);
    Err(MarketDataError::Unreadable {
        place: Place::at(file, u64::from(lines.get(row).copied().unwrap_or(0)), Some("time")),
        problem: format!(
            "funding every {interval} hours settles at hours that {interval} divides in UTC, but {off} of {} rows do not ({} is one): the clock is not UTC",
            times.len(),
            times[row]
        ),
        remedy: format!("if the clock is local time state it, for example --utc-offset +{phase:02}:00"),
    })
}

/// A published headline, as far as the source tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Headline {
    /// When it was published, which is when it was known.
    pub published_at: Timestamp,
    /// Who published it.
    pub source: String,
    /// The headline.
    pub title: String,
    /// The subject that the source assigns.
    pub subject: String,
    /// The sentiment label that the source assigns.
    pub label: String,
    /// The sentiment score that the source assigns.
    pub polarity: Option<f64>,
}

/// Headlines in order of publication; several may share a time.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadlineSeries {
    name: String,
    headlines: Vec<Headline>,
}

impl HeadlineSeries {
    /// Headlines under a name, sorted by time (stable).
    ///
    /// # Errors
    /// [`MarketDataError::InvalidRequest`] for a name that is no file name.
    pub fn new(name: &str, mut headlines: Vec<Headline>) -> Result<Self, MarketDataError> {
        if !is_name(name) {
            return Err(MarketDataError::request(
                format!("name `{name}`"),
                "a name is made of letters, digits, `_`, `-` and `.`",
            ));
        }
        headlines.sort_by_key(|headline| headline.published_at);
        Ok(Self { name: name.to_owned(), headlines })
    }

    /// The name under which they are stored.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The headlines, earliest first.
    pub fn headlines(&self) -> &[Headline] {
        &self.headlines
    }

    /// Mean polarity and number of headlines per day (UTC), known when the day is over.
    ///
    /// # Errors
    /// As [`ExogenousSeries::new`].
    pub fn daily_polarity(&self) -> Result<ExogenousSeries, MarketDataError> {
        let mut days: Vec<(i64, f64, u32)> = Vec::new();
        for headline in &self.headlines {
            let Some(polarity) = headline.polarity else { continue };
            let day = headline.published_at.as_millis().div_euclid(DAY);
            match days.last_mut() {
                Some((last, sum, count)) if *last == day => {
                    *sum += polarity;
                    *count += 1;
                }
                _ => days.push((day, polarity, 1)),
            }
        }
        ExogenousSeries::new(
            &format!("{}{DAILY_POLARITY}", self.name),
            vec!["polarity".to_owned(), "headlines".to_owned()],
            days.iter().map(|(day, _, _)| Timestamp::from_millis(day * DAY)).collect(),
            vec![
                days.iter().map(|(_, sum, count)| sum / f64::from(*count)).collect(),
                days.iter().map(|(_, _, count)| f64::from(*count)).collect(),
            ],
            KnownAfter::Millis(DAY),
        )
    }
}

/// The name of a funding series: `funding_bybit_BTCUSDT`.
pub(crate) fn funding_name(exchange: Option<&str>, symbol: Option<&str>, file: &Path) -> String {
    let clean = |text: &str| -> String { text.chars().filter(char::is_ascii_alphanumeric).collect() };
    let stem = crate::identify::series_name_of(&file.display().to_string());
    // As candles of the perpetual are called, whichever way the file spells it.
    let pair = |symbol: &str| {
        Symbol::parse_on(symbol, Market::Linear).map_or_else(|_| clean(symbol), |it| it.exchange_id())
    };
    match (exchange, symbol) {
        (Some(exchange), Some(symbol)) => {
            format!("funding_{}_{}", clean(exchange).to_lowercase(), pair(symbol))
        }
        // Each symbol of a file without venues has a name of its own.
        (None, Some(symbol)) => format!("funding_{}", pair(symbol)),
        (_, None) => clean_name(&stem),
    }
}

/// A text with everything replaced that a name may not hold.
pub(crate) fn clean_name(text: &str) -> String {
    let name: String = text
        .chars()
        .map(
            |character| {
                if character.is_ascii_alphanumeric() || "_-.".contains(character) { character } else { '-' }
            },
        )
        .collect();
    name.trim_start_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(days: &[i64]) -> Vec<Timestamp> {
        days.iter().map(|day| Timestamp::from_millis(day * DAY)).collect()
    }

    fn series(at: &[i64], known_after: KnownAfter) -> ExogenousSeries {
        let values = at.iter().map(|day| *day as f64).collect();
        ExogenousSeries::new("x", vec!["value".to_owned()], days(at), vec![values], known_after).unwrap()
    }

    #[test]
    fn a_daily_value_is_not_known_on_its_day() {
        let daily = series(&[0, 1, 2, 3], KnownAfter::Period);
        let joined = join_as_of(&days(&[0, 1, 2, 9]), &daily, "value", None).unwrap();
        assert_eq!(joined, [None, Some(0.0), Some(1.0), Some(3.0)]);
    }

    #[test]
    fn the_join_is_inclusive_to_the_millisecond() {
        let funding = series(&[1], KnownAfter::Immediately);
        let at = |millis: i64| {
            join_as_of(&[Timestamp::from_millis(DAY + millis)], &funding, "value", None).unwrap()[0]
        };
        assert_eq!((at(-1), at(0), at(1)), (None, Some(1.0), Some(1.0)));
    }

    #[test]
    fn old_values_can_be_refused() {
        let daily = series(&[0, 1], KnownAfter::Immediately);
        let joined = join_as_of(&days(&[1, 2, 3]), &daily, "value", Some(DAY)).unwrap();
        assert_eq!(joined, [Some(1.0), Some(1.0), None]);
    }

    #[test]
    fn months_wait_for_the_longest_month_and_their_publication() {
        let monthly = series(&[0, 31, 59, 90, 120, 151], KnownAfter::Period);
        assert_eq!(monthly.known_at()[1].since(monthly.described_at()[1]), 62 * DAY);
        let weekly = series(&[0, 7, 14, 21], KnownAfter::Period);
        assert_eq!(weekly.known_at()[1].since(weekly.described_at()[1]), 7 * DAY);
        let irregular = series(&[0, 40, 41, 300, 302, 800], KnownAfter::Period);
        assert_eq!(irregular.known_at()[0].since(irregular.described_at()[0]), DAY);
    }

    #[test]
    fn refuses_what_breaks_the_invariants() {
        let build = |at: &[i64], values: Vec<f64>| {
            ExogenousSeries::new("x", vec!["v".to_owned()], days(at), vec![values], KnownAfter::Immediately)
        };
        assert!(build(&[0, 0], vec![1.0, 2.0]).is_err());
        assert!(build(&[1, 0], vec![1.0, 2.0]).is_err());
        assert!(build(&[0, 1], vec![1.0, f64::NAN]).is_err());
        assert!(build(&[0, 1], vec![1.0]).is_err());
        let early = ExogenousSeries::with_known_at(
            "x",
            vec!["v".to_owned()],
            days(&[1]),
            days(&[0]),
            vec![vec![1.0]],
        );
        assert!(early.is_err());
        assert!(join_as_of(&days(&[1, 0]), &series(&[0], KnownAfter::Immediately), "value", None).is_err());
        assert!(join_as_of(&[], &series(&[0], KnownAfter::Immediately), "other", None).is_err());
    }

    #[test]
    fn a_local_clock_of_funding_is_found() {
        let hours = |offset: i64| -> Vec<Timestamp> {
            (0..30).map(|k| Timestamp::from_millis((k * 8 + offset) * 3_600_000 + 12)).collect()
        };
        assert!(check_settlement_clock("f", &[], &hours(0)).is_ok());
        let error = check_settlement_clock("f", &[], &hours(3)).unwrap_err().to_string();
        assert!(error.contains("--utc-offset +03:00"), "{error}");
        assert_eq!((settlement_hours(&hours(0)), settlement_hours(&days(&[0, 1, 2]))), (Some(8), None));
    }

    #[test]
    fn funding_is_named_as_a_perpetual_is_looked_for() {
        for (exchange, symbol, expected) in [
            (Some("bybit"), Some("BTCUSDT"), "funding_bybit_BTCUSDT"),
            (Some("Binance"), Some("BTC/USDT:USDT"), "funding_binance_BTCUSDT"),
            (Some("okx"), Some("BTC-USDT-SWAP"), "funding_okx_BTCUSDT"),
            (Some("bybit"), Some("btcusdt"), "funding_bybit_BTCUSDT"),
            (None, Some("ETH_USDT"), "funding_ETHUSDT"),
            (Some("bybit"), Some("?"), "funding_bybit_"),
        ] {
            assert_eq!(funding_name(exchange, symbol, Path::new("x.csv")), expected);
        }
    }

    #[test]
    fn headlines_become_a_daily_series() {
        let headline = |hour: i64, polarity: Option<f64>| Headline {
            published_at: Timestamp::from_millis(hour * 3_600_000),
            source: String::new(),
            title: "t".to_owned(),
            subject: String::new(),
            label: String::new(),
            polarity,
        };
        let news = HeadlineSeries::new(
            "n",
            vec![headline(30, Some(1.0)), headline(1, Some(0.5)), headline(2, Some(-0.5)), headline(3, None)],
        )
        .unwrap();
        let daily = news.daily_polarity().unwrap();
        assert_eq!(daily.column("polarity").unwrap(), [0.0, 1.0]);
        assert_eq!(daily.column("headlines").unwrap(), [2.0, 1.0]);
        assert_eq!(daily.known_at()[0], Timestamp::from_millis(DAY));
    }
}
