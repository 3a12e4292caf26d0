//! The moments at which all instruments have a candle, and a market on them.

use market_data::{CandleSeries, Timestamp};
use trading::account::InstrumentTerms;

use crate::backtest::{BacktestInstrument, CandleSignal, FundingRate};
use crate::error::SimError;
use crate::luck::FEWEST_RETURNS;

/// One instrument of a market; what does not change from path to path is borrowed.
pub(super) struct MarketPart<'a> {
    pub(super) terms: &'a InstrumentTerms,
    pub(super) series: CandleSeries,
    pub(super) detail: Option<&'a CandleSeries>,
    pub(super) funding: Vec<FundingRate>,
    pub(super) signals: Vec<CandleSignal>,
}

/// Instruments whose candles open at the same times.
pub(super) struct CommonMarket<'a> {
    pub(super) parts: Vec<MarketPart<'a>>,
    /// Candles of the instrument that has most of them, less the common ones.
    pub(super) left_out: usize,
}

impl<'a> CommonMarket<'a> {
    pub(super) fn new(instruments: &'a [BacktestInstrument<'a>]) -> Result<Self, SimError> {
        let Some((first, others)) = instruments.split_first() else {
            return Err(SimError::data("candles", "there is no instrument; give at least one series"));
        };
        let timeframe = first.series.key().timeframe;
        let mut common: Vec<Timestamp> = first.series.columns().open_time.clone();
        for other in others {
            if other.series.key().timeframe != timeframe {
                let problem = format!("the first series is of {timeframe}; give series of one timeframe");
                return Err(SimError::data(format!("series {}", other.series.key()), problem));
            }
            let times = &other.series.columns().open_time;
            common.retain(|time| times.binary_search(time).is_ok());
        }
        if common.len() < FEWEST_RETURNS {
            let problem = format!(
                "{} of them are common to all instruments; {FEWEST_RETURNS} or more are needed to resample",
                common.len()
            );
            return Err(SimError::data("candles", problem));
        }
        let most = instruments.iter().map(|one| one.series.len()).max().unwrap_or(0);
        let parts = instruments.iter().map(|one| part(one, &common)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { parts, left_out: most - common.len() })
    }

    /// Number of candles of each instrument.
    pub(super) fn candles(&self) -> usize {
        self.parts.first().map_or(0, |part| part.series.len())
    }

    pub(super) fn instruments(&self, keeps_detail: bool) -> Vec<BacktestInstrument<'_>> {
        self.parts
            .iter()
            .map(|part| BacktestInstrument {
                terms: part.terms.clone(),
                series: &part.series,
                detail: part.detail.filter(|_| keeps_detail),
                funding: part.funding.clone(),
                signals: part.signals.clone(),
            })
            .collect()
    }

    /// The candles from `start` on, `length` of them.
    pub(super) fn window(&self, start: usize, length: usize) -> Result<CommonMarket<'a>, SimError> {
        let parts = self
            .parts
            .iter()
            .map(|part| {
                let rows = start..start + length;
                let series = sound(&part.series, part.series.columns().slice(rows.clone()))?;
                let begins = series.range().map_or(Timestamp::MIN, |(first, _)| first);
                Ok(MarketPart {
                    terms: part.terms,
                    series,
                    detail: part.detail,
                    // What fell due before is nobody's.
                    funding: part.funding.iter().filter(|one| one.time >= begins).copied().collect(),
                    signals: part.signals.get(rows).unwrap_or_default().to_vec(),
                })
            })
            .collect::<Result<Vec<_>, SimError>>()?;
        Ok(CommonMarket { parts, left_out: self.left_out })
    }
}

/// A series with the name of another.
pub(super) fn sound(
    like: &CandleSeries,
    columns: market_data::CandleColumns,
) -> Result<CandleSeries, SimError> {
    CandleSeries::new(like.key().clone(), columns)
        .map_err(|error| SimError::data(format!("series {}", like.key()), error.to_string()))
}

fn part<'a>(
    instrument: &'a BacktestInstrument<'a>,
    common: &[Timestamp],
) -> Result<MarketPart<'a>, SimError> {
    let series = instrument.series;
    let signals = &instrument.signals;
    if !signals.is_empty() && signals.len() != series.len() {
        let problem = format!("it has {} candles and {} signals", series.len(), signals.len());
        return Err(SimError::data(format!("series {}", series.key()), problem));
    }
    let times = &series.columns().open_time;
    let rows: Vec<usize> = common.iter().filter_map(|time| times.binary_search(time).ok()).collect();
    Ok(MarketPart {
        terms: &instrument.terms,
        series: sound(series, series.columns().select(&rows))?,
        detail: instrument.detail,
        funding: instrument.funding.clone(),
        signals: rows.iter().filter_map(|row| signals.get(*row).copied()).collect(),
    })
}
