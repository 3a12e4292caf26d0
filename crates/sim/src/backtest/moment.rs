//! What is known when candles close.

use market_data::{Candle, Timestamp};
use trading::MarketUpdate;

use super::feed::FundingRate;

/// The candles that closed at one moment, in the order of their instruments, each with the finer candles inside it and the funding
/// that fell due since the last one. Its memory is used again: begin it anew for each moment.
#[derive(Clone, Debug, Default)]
pub struct Moment {
    pub(super) time: Timestamp,
    pub(super) updates: Vec<MarketUpdate>,
    detail: Vec<Candle>,
    funding: Vec<FundingRate>,
    /// Where detail and funding of each candle end.
    ends: Vec<(usize, usize)>,
}

impl Moment {
    /// Forgets everything; the candles to come closed at `time`.
    pub fn begin(&mut self, time: Timestamp) -> &mut Self {
        self.time = time;
        self.updates.clear();
        self.detail.clear();
        self.funding.clear();
        self.ends.clear();
        self
    }

    /// A candle of one instrument, with what is known of it: whether candles before it are missing, and what models say.
    pub fn candle(&mut self, update: MarketUpdate) -> &mut Self {
        self.updates.push(update);
        self.ends.push((self.detail.len(), self.funding.len()));
        self
    }

    /// Finer candles inside the candle that was named last, oldest first.
    pub fn detail(&mut self, candles: impl IntoIterator<Item = Candle>) -> &mut Self {
        if let Some((end, _)) = self.ends.last_mut() {
            self.detail.extend(candles);
            *end = self.detail.len();
        }
        self
    }

    /// Funding of the instrument of the candle that was named last, oldest first, each once, all before the moment.
    pub fn funding(&mut self, rates: impl IntoIterator<Item = FundingRate>) -> &mut Self {
        if let Some((_, end)) = self.ends.last_mut() {
            self.funding.extend(rates);
            *end = self.funding.len();
        }
        self
    }

    /// When the candles closed.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        self.time
    }

    pub(super) fn detail_of(&self, at: usize) -> &[Candle] {
        let from = at.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |ends| ends.0);
        let until = self.ends.get(at).map_or(from, |ends| ends.0);
        self.detail.get(from..until).unwrap_or_default()
    }

    pub(super) fn funding_of(&self, at: usize) -> &[FundingRate] {
        let from = at.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |ends| ends.1);
        let until = self.ends.get(at).map_or(from, |ends| ends.1);
        self.funding.get(from..until).unwrap_or_default()
    }

    /// What contradicts itself, after a moment at `last`.
    pub(super) fn fault(&self, last: Timestamp) -> Option<String> {
        if self.time <= last {
            return Some(format!("it comes after {last}; give moments in the order of time"));
        }
        if self.updates.windows(2).any(|pair| pair[0].instrument >= pair[1].instrument) {
            return Some("its candles are not in the order of instruments, each once".to_owned());
        }
        let unsound = |funding: &[FundingRate]| {
            funding.windows(2).any(|pair| pair[0].time >= pair[1].time)
                || funding.iter().any(|funding| funding.time >= self.time)
        };
        let unsound =
            !self.funding.is_empty() && (0..self.updates.len()).any(|at| unsound(self.funding_of(at)));
        unsound.then(|| "its funding is not in order of time before it; sort it, each time once".to_owned())
    }
}
