//! Funding of perpetuals, where its history was given.

use market_data::{CandleSeries, ExogenousSeries, Market, SeriesKey};
use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive;

use crate::backtest::FundingRate;
use crate::error::SimError;

/// The field of a funding series.
const RATE: &str = "funding_rate";
/// Places of a rate; venues print eight.
const PLACES: u32 = 12;
/// Venues exchange funding every eight hours, or more often.
const PERIOD_MILLIS: i64 = 8 * 3_600_000;

/// The funding of one series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Funding {
    /// Rates and when they were exchanged, in order.
    pub rates: Vec<FundingRate>,
    /// Share of the candles' time that it covers; nothing to cover on spot.
    pub covered: Option<f64>,
}

/// The name that funding of a series has, as `data-loader` imports it.
#[must_use]
pub fn funding_name(key: &SeriesKey) -> String {
    format!("funding_{}_{}", key.venue.exchange(), key.symbol.exchange_id())
}

/// The funding of a series among what was read. Several records of the same funding are joined where they agree.
///
/// # Errors
/// [`SimError::Data`] for a record without rates, a rate that is none, and records that disagree.
pub fn funding_of(series: &CandleSeries, exogenous: &[ExogenousSeries]) -> Result<Funding, SimError> {
    let key = series.key();
    if key.venue.market() == Market::Spot {
        return Ok(Funding::default());
    }
    let name = funding_name(key);
    let mut rates: Vec<FundingRate> = Vec::new();
    for record in exogenous.iter().filter(|record| record.name() == name) {
        let Some(values) = record.column(RATE) else {
            let problem =
                format!("it has no field `{RATE}`, but {:?}; import it again as funding", record.fields());
            return Err(SimError::data(format!("series `{name}`"), problem));
        };
        for (time, value) in record.described_at().iter().zip(values) {
            let Some(rate) = Decimal::from_f64(*value) else {
                let problem = format!("the rate of {time} is {value}; mend the file");
                return Err(SimError::data(format!("series `{name}`"), problem));
            };
            rates.push(FundingRate { time: *time, rate: rate.round_dp(PLACES) });
        }
    }
    let first = series.columns().open_time.first().copied();
    rates.retain(|rate| first.is_some_and(|first| rate.time >= first));
    rates.sort_by_key(|one| one.time);
    rates.dedup();
    if let Some(pair) = rates.windows(2).find(|pair| pair[0].time == pair[1].time) {
        let problem = format!(
            "two records disagree at {}: {} and {}; give one of them",
            pair[0].time, pair[0].rate, pair[1].rate
        );
        return Err(SimError::data(format!("series `{name}`"), problem));
    }
    let covered = covered(series, &rates);
    Ok(Funding { rates, covered })
}

/// The share of the candles' time without what lies further than a period from the rate before it or after it.
fn covered(series: &CandleSeries, rates: &[FundingRate]) -> Option<f64> {
    let last = series.len().checked_sub(1)?;
    let (from, to) = (series.columns().open_time.first()?.as_millis(), series.close_time(last).as_millis());
    let inside = |rate: &FundingRate| (from..to).contains(&rate.time.as_millis());
    let mut times: Vec<i64> =
        rates.iter().filter(|rate| inside(rate)).map(|rate| rate.time.as_millis()).collect();
    if times.is_empty() {
        return Some(0.0);
    }
    times.insert(0, from);
    times.push(to);
    let lacking: i64 = times.windows(2).map(|pair| (pair[1] - pair[0] - PERIOD_MILLIS).max(0)).sum();
    Some(1.0 - lacking as f64 / (to - from) as f64)
}

/// What there is to say of the funding of series, given their names and the share of their time that is covered; nothing where all are
/// on spot.
#[must_use]
pub fn describe_funding(all: &[(String, Option<f64>)]) -> Option<String> {
    let perpetuals: Vec<(&String, f64)> =
        all.iter().filter_map(|(name, covered)| Some((name, (*covered)?))).collect();
    if perpetuals.is_empty() {
        return None;
    }
    if perpetuals.iter().all(|(_, covered)| *covered == 0.0) {
        let said = "Funding of perpetuals is not charged, because no rates were given: a long position in a rising market paid for it.";
        return Some(said.to_owned());
    }
    let lacking: Vec<String> = perpetuals
        .iter()
        .filter(|(_, covered)| *covered < 0.995)
        .map(|(name, covered)| format!("{name} ({:.0} % of its time is known)", 100.0 * covered))
        .collect();
    Some(match lacking.is_empty() {
        true => "Funding is charged at the rates that the venue exchanged.".to_owned(),
        false => format!(
            "Funding is charged where its rates were given, and is missing for {}: a long position in a rising market paid for it.",
            lacking.join(", ")
        ),
    })
}

#[cfg(test)]
mod tests {
    use market_data::{Candle, CandleColumns, KnownAfter, Symbol, Timeframe, Timestamp};

    use super::*;

    const HOUR: i64 = 3_600_000;
    const START: i64 = 1_700_006_400_000;

    /// A day of hourly candles.
    fn day(venue: &str) -> CandleSeries {
        let mut columns = CandleColumns::with_capacity(24, false);
        for hour in 0..24 {
            let open_time = Timestamp::from_millis(START + hour * HOUR);
            columns.push(&Candle {
                open_time,
                open: 1.0,
                high: 1.0,
                low: 1.0,
                close: 1.0,
                volume: 1.0,
                turnover: None,
            });
        }
        let settle = (venue != "bybit-spot").then_some("USDT");
        let symbol = Symbol::new("BTC", "USDT", settle).unwrap();
        let key = SeriesKey::new(venue.parse().unwrap(), symbol, Timeframe::H1);
        CandleSeries::new(key, columns).unwrap()
    }

    fn record(hours: &[i64], rate: f64) -> ExogenousSeries {
        let times = hours.iter().map(|hour| Timestamp::from_millis(START + hour * HOUR)).collect();
        let rates = vec![rate; hours.len()];
        ExogenousSeries::new(
            "funding_bybit_BTCUSDT",
            vec![RATE.to_owned()],
            times,
            vec![rates],
            KnownAfter::Immediately,
        )
        .unwrap()
    }

    #[test]
    fn rates_are_found_by_venue_and_symbol() {
        let found = funding_of(&day("bybit-linear"), &[record(&[0, 8, 16], 0.0001)]).unwrap();
        assert_eq!(found.rates.len(), 3);
        assert_eq!(found.rates[0].rate.to_string(), "0.0001");
        assert_eq!(found.covered, Some(1.0));
        assert_eq!(funding_of(&day("bybit-spot"), &[record(&[0], 0.1)]).unwrap(), Funding::default());
        let other = funding_of(&day("binance-usdm"), &[record(&[0], 0.1)]).unwrap();
        assert_eq!((other.rates.len(), other.covered), (0, Some(0.0)));
    }

    #[test]
    fn records_are_joined_where_they_agree_and_refused_where_not() {
        let series = day("bybit-linear");
        let joined = funding_of(&series, &[record(&[8], 0.0001), record(&[0, 8], 0.0001)]).unwrap();
        assert_eq!(joined.rates.len(), 2);
        let error =
            funding_of(&series, &[record(&[8], 0.0001), record(&[8], 0.0002)]).unwrap_err().to_string();
        assert!(error.contains("disagree at") && error.contains("0.0002"), "{error}");
    }

    #[test]
    fn what_is_not_covered_is_counted() {
        // After the rate of 0:00 come 24 hours without one, of which 8 are as it should be.
        let found = funding_of(&day("bybit-linear"), &[record(&[0], 0.0001)]).unwrap();
        assert!((found.covered.unwrap() - 8.0 / 24.0).abs() < 1e-6);
    }

    #[test]
    fn what_is_missing_is_said() {
        let said = describe_funding(&[("A".to_owned(), Some(1.0 / 3.0)), ("B".to_owned(), None)]).unwrap();
        assert!(said.contains("missing for A (33 % of its time is known)"), "{said}");
        assert_eq!(describe_funding(&[("B".to_owned(), None)]), None);
        assert!(describe_funding(&[("A".to_owned(), Some(0.0))]).unwrap().contains("no rates were given"));
        assert!(describe_funding(&[("A".to_owned(), Some(1.0))]).unwrap().contains("is charged at"));
    }
}
