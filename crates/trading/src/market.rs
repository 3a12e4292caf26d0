//! What a strategy sees of the market: candles that have closed, and what was known of them then.

use market_data::{Candle, Timestamp};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::order::InstrumentIndex;

/// What models and policies say of one instrument after one candle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Signal {
    /// Calibrated probabilities of sell, hold and buy, where there is a model.
    pub probabilities: Option<[f32; 3]>,
    /// What the policy wants, where there is one.
    pub action: Option<PolicyAction>,
}

/// What a learned policy wants of one instrument.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyAction {
    /// Go short, or out.
    Sell,
    /// Leave it as it is.
    Hold,
    /// Go long, or out of a short position.
    Buy,
    /// The position's notional as a signed share of equity.
    Target(f32),
}

/// One instrument after one of its candles closed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MarketUpdate {
    /// Which one.
    pub instrument: InstrumentIndex,
    /// The candle that closed.
    pub candle: Candle,
    /// The mark price at its close, where the venue has one; otherwise its last price counts.
    pub mark_price: Option<Decimal>,
    /// Best ask minus best bid over the price in between, where known.
    pub relative_spread: Option<f64>,
    /// Whether candles before this one are missing: what is remembered of them is not adjacent.
    pub after_gap: bool,
    /// What models say.
    pub signal: Signal,
}

impl MarketUpdate {
    /// A candle of which nothing else is known.
    #[must_use]
    pub const fn new(instrument: InstrumentIndex, candle: Candle) -> Self {
        Self {
            instrument,
            candle,
            mark_price: None,
            relative_spread: None,
            after_gap: false,
            signal: Signal { probabilities: None, action: None },
        }
    }
}

/// All instruments whose candles closed at one moment, in the order of their indices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MarketView<'a> {
    /// When they closed.
    pub time: Timestamp,
    /// What closed.
    pub updates: &'a [MarketUpdate],
}

impl<'a> MarketView<'a> {
    /// The update of one instrument, where its candle closed at this moment.
    #[must_use]
    pub fn of(&self, instrument: InstrumentIndex) -> Option<&'a MarketUpdate> {
        self.updates.iter().find(|update| update.instrument == instrument)
    }
}

/// A position as strategies see it. Floats are enough to decide with; the ledger has the exact figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PositionView {
    /// What is held.
    pub instrument: InstrumentIndex,
    /// Signed quantity in base currency: negative for short.
    pub quantity: f64,
    /// Average price of entry, in quote currency.
    pub entry_price: f64,
    /// Last mark price.
    pub mark_price: f64,
    /// Signed notional at the mark price as a share of equity.
    pub exposure: f64,
    /// Unrealised profit in settlement currency.
    pub unrealised: f64,
    /// Candles since it was opened.
    pub candles_held: u32,
}

/// What a strategy sees of the account.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PortfolioView<'a> {
    /// Cash, margins and unrealised profit together, in settlement currency.
    pub equity: f64,
    /// What is not bound by positions.
    pub free: f64,
    /// Open positions, by instrument; in hedge mode up to two of one instrument.
    pub positions: &'a [PositionView],
}

impl PortfolioView<'_> {
    /// Signed exposure to one instrument as a share of equity, both sides of hedge mode together.
    #[must_use]
    pub fn exposure(&self, instrument: InstrumentIndex) -> f64 {
        // Not `sum()`, whose neutral element is minus zero.
        self.positions
            .iter()
            .filter(|position| position.instrument == instrument)
            .fold(0.0, |sum, position| sum + position.exposure)
    }
}
