//! Longer candles from shorter ones.

use serde::{Deserialize, Serialize};

use crate::candle::Candle;
use crate::error::MarketDataError;
use crate::series::{CandleColumns, CandleSeries};
use crate::symbol::SeriesKey;
use crate::timeframe::Timeframe;
use crate::timestamp::Timestamp;

/// Builds candles of a longer timeframe, one shorter candle at a time.
///
/// A long candle is closed only when all of its short ones were seen, so that live and batch agree and
/// nothing is known early. Where short candles are missing the long one is not built; the hole appears
/// in the gap ledger of the result.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Resampler {
    base: Timeframe,
    target: Timeframe,
    /// Short candles that make one long candle.
    needed: i64,
    open: Option<(Candle, i64)>,
}

impl Resampler {
    /// From candles of `base` to candles of `target`.
    ///
    /// # Errors
    /// [`MarketDataError::InvalidRequest`] when `target` is not a longer, whole multiple of `base`.
    pub fn new(base: Timeframe, target: Timeframe) -> Result<Self, MarketDataError> {
        if !target.is_multiple_of(base) || target <= base {
            return Err(MarketDataError::request(
                format!("resampling {base} to {target}"),
                format!("the target must be a whole multiple of {base} and longer than it"),
            ));
        }
        Ok(Self { base, target, needed: target.millis() / base.millis(), open: None })
    }

    /// Takes the next short candle; gives the long one that it completes.
    ///
    /// The turnover of a long candle is known when that of all its short ones is.
    pub fn push(&mut self, candle: &Candle) -> Option<Candle> {
        let start = self.target.floor(candle.open_time);
        let (long, seen) = match self.open.take() {
            Some((long, seen)) if long.open_time == start => (
                Candle {
                    open_time: start,
                    open: long.open,
                    high: long.high.max(candle.high),
                    low: long.low.min(candle.low),
                    close: candle.close,
                    volume: long.volume + candle.volume,
                    turnover: long.turnover.zip(candle.turnover).map(|(long, short)| long + short),
                },
                seen + 1,
            ),
            _ => (Candle { open_time: start, ..*candle }, 1),
        };
        let last = self.base.close_of(candle.open_time) == self.target.close_of(start);
        if last && seen == self.needed {
            return Some(long);
        }
        if !last {
            self.open = Some((long, seen));
        }
        None
    }
}

/// What resampling left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Resampled {
    /// Long candles that were built.
    pub complete: u64,
    /// Long candles that lack a short one, at an end of the series or at a hole, and were not built.
    pub incomplete: u64,
}

/// Resamples a whole series: the same fold as live.
///
/// # Errors
/// As [`Resampler::new`].
pub fn resample(
    series: &CandleSeries,
    target: Timeframe,
) -> Result<(CandleSeries, Resampled), MarketDataError> {
    let mut resampler = Resampler::new(series.key().timeframe, target)?;
    let mut columns = CandleColumns::default();
    let mut started = 0;
    let mut current: Option<Timestamp> = None;
    for candle in series.iter() {
        let start = target.floor(candle.open_time);
        if current != Some(start) {
            current = Some(start);
            started += 1;
        }
        if let Some(long) = resampler.push(&candle) {
            columns.push(&long);
        }
    }
    let counts = Resampled { complete: columns.len() as u64, incomplete: started - columns.len() as u64 };
    let key = SeriesKey { timeframe: target, ..series.key().clone() };
    Ok((CandleSeries::new(key, columns)?, counts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbol::{Market, Symbol, Venue};

    fn minutes(minutes: &[i64]) -> CandleSeries {
        let venue = Venue::new("x", Market::Spot).unwrap();
        let key = SeriesKey::new(venue, Symbol::new("A", "USD", None).unwrap(), Timeframe::M1);
        let mut columns = CandleColumns::default();
        for &minute in minutes {
            let price = 100.0 + minute as f64;
            columns.push(&Candle {
                open_time: Timestamp::from_millis(minute * 60_000),
                open: price,
                high: price + 2.0,
                low: price - 1.0,
                close: price + 1.0,
                volume: 1.0,
                turnover: Some(price),
            });
        }
        CandleSeries::new(key, columns).unwrap()
    }

    #[test]
    fn a_long_candle_holds_its_short_ones() {
        let (long, counts) = resample(&minutes(&[0, 1, 2, 3, 4, 5]), Timeframe::M3).unwrap();
        assert_eq!(counts, Resampled { complete: 2, incomplete: 0 });
        assert_eq!(
            long.get(1),
            Candle {
                open_time: Timestamp::from_millis(180_000),
                open: 103.0,
                high: 107.0,
                low: 102.0,
                close: 106.0,
                volume: 3.0,
                turnover: Some(312.0),
            }
        );
    }

    #[test]
    fn only_whole_candles_close() {
        for (given, built, incomplete) in [
            (vec![0, 1], vec![], 1),
            (vec![1, 2, 3, 4, 5], vec![3], 1),
            // One in the middle, the first or the last of a long candle is missing.
            (vec![0, 2, 3, 4, 5], vec![3], 1),
            (vec![0, 1, 4, 5, 6, 7, 8], vec![6], 2),
            (vec![0, 1, 2, 9, 10, 11], vec![0, 9], 0),
        ] {
            let (long, counts) = resample(&minutes(&given), Timeframe::M3).unwrap();
            let opens: Vec<i64> =
                long.columns().open_time.iter().map(|time| time.as_millis() / 60_000).collect();
            assert_eq!((opens, counts.incomplete), (built, incomplete), "{given:?}");
        }
    }

    #[test]
    fn nothing_is_known_before_the_last_minute_closes() {
        let series = minutes(&[0, 1, 2]);
        let mut resampler = Resampler::new(Timeframe::M1, Timeframe::M3).unwrap();
        let given: Vec<bool> = series.iter().map(|candle| resampler.push(&candle).is_some()).collect();
        assert_eq!(given, [false, false, true]);
    }

    #[test]
    fn unknown_turnover_stays_unknown() {
        let mut columns = minutes(&[0, 1, 2]).into_columns();
        columns.turnover.as_mut().unwrap()[1] = f64::NAN;
        let series = CandleSeries::new(minutes(&[0]).key().clone(), columns).unwrap();
        assert_eq!(resample(&series, Timeframe::M3).unwrap().0.get(0).turnover, None);
    }

    #[test]
    fn refuses_what_does_not_divide() {
        for (base, target) in
            [(Timeframe::M3, Timeframe::M5), (Timeframe::H1, Timeframe::M5), (Timeframe::M5, Timeframe::M5)]
        {
            assert!(Resampler::new(base, target).is_err(), "{base} {target}");
        }
        assert!(Resampler::new(Timeframe::D1, Timeframe::W1).is_ok());
    }
}
