//! A whole series of candles, column by column.

use std::ops::Range;

use crate::candle::{Candle, fault_of};
use crate::error::MarketDataError;
use crate::gap::GapLedger;
use crate::symbol::SeriesKey;
use crate::timestamp::Timestamp;

/// Values that are hashed at a time where they have to be converted first.
const HASH_CHUNK: usize = 8 * 1024;

/// Hashes numbers as little-endian bytes, which on most machines is what they are.
fn update_numbers(hasher: &mut blake3::Hasher, values: &[f64]) {
    if cfg!(target_endian = "little") {
        hasher.update(bytemuck::cast_slice(values));
        return;
    }
    for chunk in values.chunks(HASH_CHUNK) {
        let bits: Vec<u64> = chunk.iter().map(|value| value.to_bits().to_le()).collect();
        hasher.update(bytemuck::cast_slice(&bits));
    }
}

/// The columns of a candle table, one entry per candle, all of the same length.
///
/// This is plain data: it may hold anything that a file can hold. [`CandleSeries`] is what remains when
/// it has been found sound.
#[derive(Clone, Debug, Default)]
pub struct CandleColumns {
    /// Open times (ms UTC).
    pub open_time: Vec<Timestamp>,
    /// First prices, in quote currency.
    pub open: Vec<f64>,
    /// Highest prices, in quote currency.
    pub high: Vec<f64>,
    /// Lowest prices, in quote currency.
    pub low: Vec<f64>,
    /// Last prices, in quote currency.
    pub close: Vec<f64>,
    /// Traded amounts in base currency.
    pub volume: Vec<f64>,
    /// Traded amounts in quote currency, where the source has such a column. A single unknown cell is NaN.
    pub turnover: Option<Vec<f64>>,
}

impl PartialEq for CandleColumns {
    /// Equal to the bit; an unknown turnover (NaN) equals an unknown one.
    fn eq(&self, other: &Self) -> bool {
        let same = |left: &[f64], right: &[f64]| {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(l, r)| l.to_bits() == r.to_bits() || (l.is_nan() && r.is_nan()))
        };
        let turnover = match (&self.turnover, &other.turnover) {
            (Some(left), Some(right)) => same(left, right),
            (None, None) => true,
            _ => false,
        };
        turnover
            && self.open_time == other.open_time
            && same(&self.open, &other.open)
            && same(&self.high, &other.high)
            && same(&self.low, &other.low)
            && same(&self.close, &other.close)
            && same(&self.volume, &other.volume)
    }
}

impl CandleColumns {
    /// Empty columns with room for `capacity` candles.
    pub fn with_capacity(capacity: usize, turnover: bool) -> Self {
        let column = || Vec::with_capacity(capacity);
        Self {
            open_time: Vec::with_capacity(capacity),
            open: column(),
            high: column(),
            low: column(),
            close: column(),
            volume: column(),
            turnover: turnover.then(column),
        }
    }

    /// How many candles there are.
    pub fn len(&self) -> usize {
        self.open_time.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.open_time.is_empty()
    }

    /// Adds one candle. A turnover turns a table without that column into one with it.
    pub fn push(&mut self, candle: &Candle) {
        if candle.turnover.is_some() && self.turnover.is_none() {
            self.turnover = Some(vec![f64::NAN; self.len()]);
        }
        self.open_time.push(candle.open_time);
        self.open.push(candle.open);
        self.high.push(candle.high);
        self.low.push(candle.low);
        self.close.push(candle.close);
        self.volume.push(candle.volume);
        if let Some(turnover) = &mut self.turnover {
            turnover.push(candle.turnover.unwrap_or(f64::NAN));
        }
    }

    /// The candle at `index`.
    ///
    /// # Panics
    /// When `index` is not below [`CandleColumns::len`], like a slice.
    #[inline]
    pub fn get(&self, index: usize) -> Candle {
        Candle {
            open_time: self.open_time[index],
            open: self.open[index],
            high: self.high[index],
            low: self.low[index],
            close: self.close[index],
            volume: self.volume[index],
            turnover: self
                .turnover
                .as_ref()
                .map(|turnover| turnover[index])
                .filter(|turnover| !turnover.is_nan()),
        }
    }

    /// The candles at `order`, in that order.
    #[must_use]
    pub fn select(&self, order: &[usize]) -> Self {
        let pick = |column: &[f64]| order.iter().map(|&index| column[index]).collect::<Vec<_>>();
        Self {
            open_time: order.iter().map(|&index| self.open_time[index]).collect(),
            open: pick(&self.open),
            high: pick(&self.high),
            low: pick(&self.low),
            close: pick(&self.close),
            volume: pick(&self.volume),
            turnover: self.turnover.as_deref().map(pick),
        }
    }

    /// A copy of the candles in `range`.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        Self {
            open_time: self.open_time[range.clone()].to_vec(),
            open: self.open[range.clone()].to_vec(),
            high: self.high[range.clone()].to_vec(),
            low: self.low[range.clone()].to_vec(),
            close: self.close[range.clone()].to_vec(),
            volume: self.volume[range.clone()].to_vec(),
            turnover: self.turnover.as_ref().map(|turnover| turnover[range].to_vec()),
        }
    }

    /// Puts `other` behind these candles.
    pub fn append(&mut self, other: Self) {
        if other.turnover.is_some() && self.turnover.is_none() {
            self.turnover = Some(vec![f64::NAN; self.len()]);
        }
        if let Some(turnover) = &mut self.turnover {
            match &other.turnover {
                Some(more) => turnover.extend_from_slice(more),
                None => turnover.resize(turnover.len() + other.len(), f64::NAN),
            }
        }
        self.open_time.extend(other.open_time);
        self.open.extend(other.open);
        self.high.extend(other.high);
        self.low.extend(other.low);
        self.close.extend(other.close);
        self.volume.extend(other.volume);
    }

    /// Newest first becomes oldest first.
    pub fn reverse(&mut self) {
        self.open_time.reverse();
        for column in [&mut self.open, &mut self.high, &mut self.low, &mut self.close, &mut self.volume] {
            column.reverse();
        }
        if let Some(turnover) = &mut self.turnover {
            turnover.reverse();
        }
    }

    /// Bytes that the values themselves take, the measure for memory claims.
    pub fn raw_bytes(&self) -> usize {
        self.len() * (6 + usize::from(self.turnover.is_some())) * size_of::<f64>()
    }

    /// A hash of the values, independent of how they are stored: BLAKE3 over each column as
    /// little-endian bytes, with its name and length. An absent turnover and one that is unknown
    /// everywhere hash alike.
    pub fn content_hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let begin = |hasher: &mut blake3::Hasher, name: &str| {
            hasher.update(name.as_bytes());
            hasher.update(&(self.len() as u64).to_le_bytes());
        };
        begin(&mut hasher, "open_time");
        // In chunks, so that no copy of a whole column is made.
        for chunk in self.open_time.chunks(HASH_CHUNK) {
            let millis: Vec<i64> = chunk.iter().map(|time| time.as_millis().to_le()).collect();
            hasher.update(bytemuck::cast_slice(&millis));
        }
        for (name, column) in [
            ("open", &self.open),
            ("high", &self.high),
            ("low", &self.low),
            ("close", &self.close),
            ("volume", &self.volume),
        ] {
            begin(&mut hasher, name);
            update_numbers(&mut hasher, column);
        }
        if let Some(turnover) = &self.turnover
            && turnover.iter().any(|value| !value.is_nan())
        {
            begin(&mut hasher, "turnover");
            if turnover.iter().any(|value| value.is_nan()) {
                // One bit pattern for every "unknown".
                let canonical: Vec<f64> =
                    turnover.iter().map(|value| if value.is_nan() { f64::NAN } else { *value }).collect();
                update_numbers(&mut hasher, &canonical);
            } else {
                update_numbers(&mut hasher, turnover);
            }
        }
        hasher.finalize().to_hex().to_string()
    }

    /// Checks that all columns have the same length.
    fn check_lengths(&self, key: &SeriesKey) -> Result<(), MarketDataError> {
        let turnover = self.turnover.as_ref().map_or(self.len(), Vec::len);
        for (column, len) in [
            ("open", self.open.len()),
            ("high", self.high.len()),
            ("low", self.low.len()),
            ("close", self.close.len()),
            ("volume", self.volume.len()),
            ("turnover", turnover),
        ] {
            if len != self.len() {
                return Err(MarketDataError::UnsoundSeries {
                    key: key.to_string(),
                    index: len.min(self.len()),
                    reason: format!("column `{column}` has {len} values for {} open times", self.len()),
                });
            }
        }
        Ok(())
    }
}

/// A sound series of candles of one symbol and timeframe.
///
/// Invariants, established by [`CandleSeries::new`] and never broken after it:
/// open times increase strictly and lie on the timeframe's grid; every candle is possible
/// (`0 < low ≤ open, close ≤ high`, finite, volume ≥ 0); the gap ledger names every hole.
#[derive(Clone, Debug, PartialEq)]
pub struct CandleSeries {
    key: SeriesKey,
    columns: CandleColumns,
    gaps: GapLedger,
}

impl CandleSeries {
    /// A series from columns that already are sound.
    ///
    /// # Errors
    /// [`MarketDataError::UnsoundSeries`] names the first candle that breaks an invariant. Files go
    /// through [`crate::quality::inspect`] instead, which reports all of them.
    pub fn new(key: SeriesKey, columns: CandleColumns) -> Result<Self, MarketDataError> {
        columns.check_lengths(&key)?;
        let unsound = |index: usize, reason: String| MarketDataError::UnsoundSeries {
            key: key.to_string(),
            index,
            reason,
        };
        for index in 0..columns.len() {
            let time = columns.open_time[index];
            if !key.timeframe.is_aligned(time) {
                return Err(unsound(index, format!("{time} is not on the {} grid", key.timeframe)));
            }
            if index > 0 && time <= columns.open_time[index - 1] {
                return Err(unsound(index, format!("{time} does not follow the candle before it")));
            }
            let turnover = columns.turnover.as_ref().map_or(0.0, |turnover| turnover[index]);
            let turnover = if turnover.is_nan() { 0.0 } else { turnover };
            if let Some(fault) = fault_of(
                columns.open[index],
                columns.high[index],
                columns.low[index],
                columns.close[index],
                columns.volume[index],
                turnover,
            ) {
                return Err(unsound(index, format!("candle {time} is impossible: {fault:?}")));
            }
        }
        let gaps = GapLedger::of(&columns.open_time, key.timeframe);
        Ok(Self { key, columns, gaps })
    }

    /// A series from columns of which every invariant was checked row by row, as inspection does.
    pub(crate) fn from_sound(key: SeriesKey, columns: CandleColumns) -> Self {
        debug_assert!(Self::new(key.clone(), columns.clone()).is_ok(), "unsound columns of {key}");
        let gaps = GapLedger::of(&columns.open_time, key.timeframe);
        Self { key, columns, gaps }
    }

    /// Venue, symbol and timeframe.
    pub const fn key(&self) -> &SeriesKey {
        &self.key
    }

    /// The columns.
    pub const fn columns(&self) -> &CandleColumns {
        &self.columns
    }

    /// The columns, without a copy.
    pub fn into_columns(self) -> CandleColumns {
        self.columns
    }

    /// The holes of the series.
    pub const fn gaps(&self) -> &GapLedger {
        &self.gaps
    }

    /// How many candles there are.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The candle at `index`; panics like a slice when there is none.
    #[inline]
    pub fn get(&self, index: usize) -> Candle {
        self.columns.get(index)
    }

    /// All candles, oldest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Candle> + '_ {
        (0..self.len()).map(|index| self.columns.get(index))
    }

    /// When the candle at `index` closes, which is when it is known.
    pub fn close_time(&self, index: usize) -> Timestamp {
        self.key.timeframe.close_of(self.columns.open_time[index])
    }

    /// Open times of the first and the last candle.
    pub fn range(&self) -> Option<(Timestamp, Timestamp)> {
        Some((*self.columns.open_time.first()?, *self.columns.open_time.last()?))
    }

    /// The candles that open in `from..to`, as indices.
    pub fn indices_between(&self, from: Timestamp, to: Timestamp) -> Range<usize> {
        let start = self.columns.open_time.partition_point(|&time| time < from);
        let end = self.columns.open_time.partition_point(|&time| time < to);
        start..end.max(start)
    }

    /// A copy of the candles that open in `from..to`.
    #[must_use]
    pub fn between(&self, from: Timestamp, to: Timestamp) -> Self {
        let columns = self.columns.slice(self.indices_between(from, to));
        let gaps = GapLedger::of(&columns.open_time, self.key.timeframe);
        Self { key: self.key.clone(), columns, gaps }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbol::{Market, Symbol, Venue};
    use crate::timeframe::Timeframe;

    fn key() -> SeriesKey {
        let venue = Venue::new("bybit", Market::Linear).unwrap();
        SeriesKey::new(venue, Symbol::parse_on("BTCUSDT", Market::Linear).unwrap(), Timeframe::M1)
    }

    fn columns(minutes: &[i64]) -> CandleColumns {
        let mut columns = CandleColumns::default();
        for minute in minutes {
            columns.push(&Candle {
                open_time: Timestamp::from_millis(minute * 60_000),
                open: 10.0,
                high: 11.0,
                low: 9.0,
                close: 10.5,
                volume: 1.0,
                turnover: None,
            });
        }
        columns
    }

    #[test]
    fn accepts_sound_columns_and_finds_gaps() {
        let series = CandleSeries::new(key(), columns(&[0, 1, 3])).unwrap();
        assert_eq!((series.len(), series.gaps().missing()), (3, 1));
        assert_eq!(series.close_time(2), Timestamp::from_millis(4 * 60_000));
        let cut = series.between(Timestamp::from_millis(60_000), Timestamp::MAX);
        assert_eq!((cut.len(), cut.gaps().missing()), (2, 1));
    }

    #[test]
    fn refuses_each_broken_invariant() {
        let disorder = columns(&[0, 2, 1]);
        let duplicate = columns(&[0, 1, 1]);
        let mut off_grid = columns(&[0, 1]);
        off_grid.open_time[1] = Timestamp::from_millis(60_001);
        let mut impossible = columns(&[0, 1]);
        impossible.high[1] = 1.0;
        let mut ragged = columns(&[0, 1]);
        ragged.volume.pop();
        for bad in [disorder, duplicate, off_grid, impossible, ragged] {
            assert!(CandleSeries::new(key(), bad).is_err());
        }
    }

    #[test]
    fn the_hash_sees_values_not_storage() {
        let plain = columns(&[0, 1]);
        let mut unknown_turnover = plain.clone();
        unknown_turnover.turnover = Some(vec![f64::NAN; 2]);
        assert_eq!(plain.content_hash(), unknown_turnover.content_hash());
        let mut changed = plain.clone();
        changed.close[1] = 10.500_000_000_000_002;
        assert_ne!(plain.content_hash(), changed.content_hash());
        let mut known_turnover = plain.clone();
        known_turnover.turnover = Some(vec![10.0, f64::NAN]);
        assert_ne!(plain.content_hash(), known_turnover.content_hash());
        let mut other_turnover = plain;
        other_turnover.turnover = Some(vec![11.0, f64::NAN]);
        assert_ne!(known_turnover.content_hash(), other_turnover.content_hash());
    }

    #[test]
    fn turnover_may_arrive_late() {
        let mut columns = columns(&[0]);
        columns.push(&Candle {
            turnover: Some(5.0),
            open_time: Timestamp::from_millis(60_000),
            ..columns.get(0)
        });
        assert_eq!(columns.get(0).turnover, None);
        assert_eq!(columns.get(1).turnover, Some(5.0));
    }
}
