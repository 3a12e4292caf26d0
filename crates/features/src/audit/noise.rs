//! Another future.

use market_data::{Candle, CandleColumns, CandleSeries, ExogenousSeries, MarketDataError, Timestamp};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use crate::error::FeatureError;
use crate::pipeline::Outside;

/// A series, and what comes from outside, that are real up to a moment and noise after it.
pub(super) struct OtherFuture {
    pub(super) series: CandleSeries,
    reference: Option<CandleSeries>,
    exogenous: Vec<ExogenousSeries>,
}

impl OtherFuture {
    /// What is known when candle `cut` closes, and `candles` candles of noise at the times of the real ones.
    pub(super) fn after(
        series: &CandleSeries,
        outside: Outside<'_>,
        cut: usize,
        candles: usize,
        seed: u64,
    ) -> Result<Self, FeatureError> {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let end = (cut + 1 + candles).min(series.len());
        let known_at = series.key().timeframe.close_of(series.columns().open_time[cut]);
        let last = series.columns().open_time[end - 1];
        let reference = match outside.reference {
            Some(reference) => {
                let times = &reference.columns().open_time;
                let real =
                    times.partition_point(|time| reference.key().timeframe.close_of(*time) <= known_at);
                let end = times.partition_point(|time| *time <= last);
                Some(noisy(reference, real, end, &mut random)?)
            }
            None => None,
        };
        let mut exogenous = Vec::with_capacity(outside.exogenous.len());
        for series in outside.exogenous {
            exogenous.push(other_values(series, known_at, &mut random)?);
        }
        Ok(Self { series: noisy(series, cut + 1, end, &mut random)?, reference, exogenous })
    }

    pub(super) fn outside(&self) -> Outside<'_> {
        Outside { reference: self.reference.as_ref(), exogenous: &self.exogenous }
    }
}

/// The first `end` candles of `series`, those from `real` on replaced.
fn noisy(
    series: &CandleSeries,
    real: usize,
    end: usize,
    random: &mut Xoshiro256PlusPlus,
) -> Result<CandleSeries, FeatureError> {
    let mut columns: CandleColumns = series.columns().slice(0..real.min(end));
    let mut close = real.checked_sub(1).map_or(1.0, |last| series.columns().close[last]);
    let start = close;
    let usual = real.checked_sub(1).map_or(1.0, |last| series.columns().volume[last]).max(1e-9);
    for index in real..end {
        // However long the noise is, prices stay ones that can be written.
        if !(start * 1e-2..start * 1e2).contains(&close) {
            close = start;
        }
        let open = close * (1.0 + random.random_range(-0.02..0.02));
        close = open * (1.0 + random.random_range(-0.05..0.05));
        let high = open.max(close) * (1.0 + random.random_range(0.0..0.02));
        let low = open.min(close) * (1.0 - random.random_range(0.0..0.02));
        let volume = usual * random.random_range(0.01..50.0);
        let open_time: Timestamp = series.columns().open_time[index];
        columns.push(&Candle { open_time, open, high, low, close, volume, turnover: None });
    }
    CandleSeries::new(series.key().clone(), columns).map_err(|error| fault(&error))
}

/// The same series with other values for all that was known after `known_at`.
fn other_values(
    series: &ExogenousSeries,
    known_at: Timestamp,
    random: &mut Xoshiro256PlusPlus,
) -> Result<ExogenousSeries, FeatureError> {
    let real = series.known_at().partition_point(|time| *time <= known_at);
    let mut columns = series.columns().to_vec();
    for column in &mut columns {
        for value in &mut column[real..] {
            *value = *value * random.random_range(-3.0..3.0) + random.random_range(-1.0..1.0);
        }
    }
    let (described, known) = (series.described_at().to_vec(), series.known_at().to_vec());
    ExogenousSeries::with_known_at(series.name(), series.fields().to_vec(), described, known, columns)
        .map_err(|error| fault(&error))
}

fn fault(error: &MarketDataError) -> FeatureError {
    FeatureError::mismatch("noise made by the audit", "a sound series", error)
}
