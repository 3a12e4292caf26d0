//! The market that regimes are told from: one symbol, or the mean of all.

use std::collections::BTreeMap;

use market_data::{CandleSeries, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::SimError;
use crate::metrics::{DAY, day_of, simple_return};

/// Daily closes of a market.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DailyIndex {
    /// Ends of UTC days (ms), strictly increasing; the first is that of the day before the first candle.
    pub times: Vec<Timestamp>,
    /// One per time, above 0; the first is 1.
    pub closes: Vec<f64>,
}

impl DailyIndex {
    /// The index of `series`: of one, its closes over its first open; of several, the mean of the simple
    /// returns of the days, each series alike, compounded (an equal-weighted index that is rebalanced daily).
    ///
    /// A day is (00:00, 24:00] UTC and closes with the last candle that closes in it. The first day's return
    /// begins at the first open. A day without a candle of a series has no return of it, and its next return
    /// reaches over the gap; a day without a candle of any is left out.
    ///
    /// # Errors
    /// [`SimError::Data`] where there is no candle, and for candles longer than a day.
    pub fn of(series: &[&CandleSeries]) -> Result<Self, SimError> {
        // Sum of returns and their number, by day.
        let mut days: BTreeMap<i64, (f64, usize)> = BTreeMap::new();
        for one in series {
            if one.key().timeframe.millis() > DAY {
                let problem = "its candles are longer than a day; give candles of a day or less";
                return Err(SimError::data(format!("benchmark {}", one.key()), problem));
            }
            let Some(mut before) = one.columns().open.first().copied() else { continue };
            for at in 0..one.len() {
                let day = day_of(one.close_time(at));
                if at + 1 < one.len() && day_of(one.close_time(at + 1)) == day {
                    continue;
                }
                let close = one.get(at).close;
                let entry = days.entry(day).or_default();
                *entry = (entry.0 + simple_return(before, close), entry.1 + 1);
                before = close;
            }
        }
        let Some(first) = days.keys().next() else {
            return Err(SimError::data("benchmark", "there is no candle; give a series that has some"));
        };
        // Day number d ends at (d + 1) · 24 h.
        let end_of = |day: i64| Timestamp::from_millis((day + 1).saturating_mul(DAY));
        let mut index = Self { times: vec![end_of(first - 1)], closes: vec![1.0] };
        let mut level = 1.0;
        for (day, (sum, count)) in days {
            level *= 1.0 + sum / count as f64;
            index.times.push(end_of(day));
            index.closes.push(level);
        }
        Ok(index)
    }
}
