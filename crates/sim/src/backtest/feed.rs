//! The market as the engine sees it: candles of several series, moment by moment.

use market_data::{CandleSeries, Timeframe, Timestamp};
use rust_decimal::Decimal;
use trading::account::InstrumentTerms;
use trading::{InstrumentIndex, MarketUpdate, PolicyAction, Signal};

use crate::error::SimError;

/// One instrument of a backtest: how it trades, and its candles.
#[derive(Clone, Debug)]
pub struct BacktestInstrument<'a> {
    /// Grid, fees, leverage and margin tiers.
    pub terms: InstrumentTerms,
    /// Its candles. All instruments of a backtest have the same timeframe.
    pub series: &'a CandleSeries,
    /// Finer candles of the same instrument, where the user has them: prices inside a candle are then known and not assumed.
    pub detail: Option<&'a CandleSeries>,
    /// Funding of perpetuals, by time; empty where it is not known or there is none.
    pub funding: Vec<FundingRate>,
    /// What models and policies say, by candle; empty where there are none.
    pub signals: Vec<CandleSignal>,
}

/// Funding that was exchanged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FundingRate {
    /// When.
    pub time: Timestamp,
    /// What long pays to short, as a fraction of the notional.
    pub rate: Decimal,
}

/// What models and policies say after one candle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CandleSignal {
    /// Calibrated probabilities of sell, hold and buy.
    pub probabilities: Option<[f32; 3]>,
    /// What a policy wants.
    pub action: Option<PolicyAction>,
}

/// Walks through all series at once.
#[derive(Debug)]
pub(super) struct Feed<'a> {
    instruments: &'a [BacktestInstrument<'a>],
    timeframe: Timeframe,
    /// The next candle of each.
    next: Vec<usize>,
    /// The next finer candle, and the next funding.
    next_detail: Vec<usize>,
    next_funding: Vec<usize>,
    updates: Vec<MarketUpdate<'static>>,
}

impl<'a> Feed<'a> {
    pub(super) fn new(instruments: &'a [BacktestInstrument<'a>]) -> Result<Self, SimError> {
        let Some(first) = instruments.first() else {
            return Err(SimError::data("a backtest", "there is no instrument; give at least one series"));
        };
        let timeframe = first.series.key().timeframe;
        for one in instruments {
            let key = one.series.key();
            let what = || format!("series {key}");
            if key.timeframe != timeframe {
                let problem = format!("the first series is of {timeframe}; give series of one timeframe");
                return Err(SimError::data(what(), problem));
            }
            if !one.signals.is_empty() && one.signals.len() != one.series.len() {
                let problem =
                    format!("it has {} candles and {} signals", one.series.len(), one.signals.len());
                return Err(SimError::data(what(), problem));
            }
            if let Some(detail) = one.detail
                && !timeframe.is_multiple_of(detail.key().timeframe)
            {
                let problem = format!("candles of {} do not divide it", detail.key().timeframe);
                return Err(SimError::data(what(), problem));
            }
            if one.funding.windows(2).any(|pair| pair[0].time >= pair[1].time) {
                return Err(SimError::data(
                    what(),
                    "its funding is not in order of time; sort it, each time once",
                ));
            }
        }
        let count = instruments.len();
        Ok(Self {
            instruments,
            timeframe,
            next: vec![0; count],
            next_detail: vec![0; count],
            next_funding: vec![0; count],
            updates: Vec::with_capacity(count),
        })
    }

    pub(super) const fn timeframe(&self) -> Timeframe {
        self.timeframe
    }

    /// The next moment at which candles close, and the candles; none at the end.
    pub(super) fn advance(&mut self) -> Option<Timestamp> {
        self.updates.clear();
        let open_time = self
            .instruments
            .iter()
            .zip(&self.next)
            .filter_map(|(one, next)| one.series.columns().open_time.get(*next).copied())
            .min()?;
        for (index, one) in self.instruments.iter().enumerate() {
            let at = self.next[index];
            if one.series.columns().open_time.get(at) != Some(&open_time) {
                continue;
            }
            let after_gap = at > 0 && one.series.close_time(at - 1) != open_time;
            let signal = one.signals.get(at).copied().unwrap_or_default();
            self.updates.push(MarketUpdate {
                after_gap,
                signal: Signal { probabilities: signal.probabilities, action: signal.action, features: &[] },
                ..MarketUpdate::new(InstrumentIndex(index as u16), one.series.get(at))
            });
            self.next[index] = at + 1;
        }
        Some(self.timeframe.close_of(open_time))
    }

    /// What closed at the moment that [`Feed::advance`] named.
    pub(super) fn updates(&self) -> &[MarketUpdate<'static>] {
        &self.updates
    }

    /// Funding of an instrument that fell due before `time`, oldest first, each once.
    pub(super) fn funding_before(
        &mut self,
        instrument: InstrumentIndex,
        time: Timestamp,
    ) -> Option<FundingRate> {
        let index = instrument.get();
        let next = self.next_funding.get_mut(index)?;
        let due =
            self.instruments[index].funding.get(*next).copied().filter(|funding| funding.time < time)?;
        *next += 1;
        Some(due)
    }

    /// Finer candles inside the candle of this moment, written into `out`.
    pub(super) fn detail(&mut self, update: &MarketUpdate<'_>, out: &mut Vec<market_data::Candle>) {
        out.clear();
        let index = update.instrument.get();
        let Some(detail) = self.instruments[index].detail else { return };
        let (from, until) = (update.candle.open_time, self.timeframe.close_of(update.candle.open_time));
        let times = &detail.columns().open_time;
        let next = &mut self.next_detail[index];
        while times.get(*next).is_some_and(|time| *time < from) {
            *next += 1;
        }
        while times.get(*next).is_some_and(|time| *time < until) {
            out.push(detail.get(*next));
            *next += 1;
        }
    }
}
