//! The market as the engine sees it: candles of several series, moment by moment.

use market_data::{CandleSeries, Timeframe, Timestamp};
use rust_decimal::Decimal;
use trading::account::InstrumentTerms;
use trading::{InstrumentIndex, MarketUpdate, PolicyAction, Signal};

use super::moment::Moment;
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
        })
    }

    pub(super) const fn timeframe(&self) -> Timeframe {
        self.timeframe
    }

    /// How many moments there are at least: candles of the longest series.
    pub(super) fn least_moments(&self) -> usize {
        self.instruments.iter().map(|one| one.series.len()).max().unwrap_or(0)
    }

    /// Writes the next moment at which candles close; whether there is one.
    pub(super) fn advance(&mut self, moment: &mut Moment) -> bool {
        let Some(open_time) = self
            .instruments
            .iter()
            .zip(&self.next)
            .filter_map(|(one, next)| one.series.columns().open_time.get(*next).copied())
            .min()
        else {
            return false;
        };
        let close_time = self.timeframe.close_of(open_time);
        moment.begin(close_time);
        for (index, one) in self.instruments.iter().enumerate() {
            let at = self.next[index];
            if one.series.columns().open_time.get(at) != Some(&open_time) {
                continue;
            }
            let after_gap = at > 0 && one.series.close_time(at - 1) != open_time;
            let signal = one.signals.get(at).copied().unwrap_or_default();
            moment.candle(MarketUpdate {
                after_gap,
                signal: Signal { probabilities: signal.probabilities, action: signal.action },
                ..MarketUpdate::new(InstrumentIndex(index as u16), one.series.get(at))
            });
            if !one.funding.is_empty() {
                let next = &mut self.next_funding[index];
                let due = one.funding[*next..].iter().take_while(|funding| funding.time < close_time);
                let count = due.clone().count();
                moment.funding(due.copied());
                *next += count;
            }
            if let Some(detail) = one.detail {
                let times = &detail.columns().open_time;
                let next = &mut self.next_detail[index];
                let from = *next + times[*next..].iter().take_while(|time| **time < open_time).count();
                *next = from + times[from..].iter().take_while(|time| **time < close_time).count();
                moment.detail((from..*next).map(|at| detail.get(at)));
            }
            self.next[index] = at + 1;
        }
        true
    }
}
