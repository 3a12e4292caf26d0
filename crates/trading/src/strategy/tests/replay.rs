//! Candles through a strategy, with an account that gets what the strategy wants.

use market_data::{Candle, Timestamp};

use crate::market::{MarketUpdate, MarketView, PortfolioView, PositionView, Signal};
use crate::order::InstrumentIndex;
use crate::strategy::{Decision, Strategy, StrategyConfig, TargetPosition};

/// One instrument at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Close {
    pub(super) price: f64,
    pub(super) after_gap: bool,
}

impl From<f64> for Close {
    fn from(price: f64) -> Self {
        Self { price, after_gap: false }
    }
}

pub(super) struct Replay {
    strategy: Box<dyn Strategy + Send>,
    /// What the account holds, by instrument, as shares of equity.
    pub(super) exposures: Vec<f64>,
    /// Whether orders fail.
    pub(super) is_refusing: bool,
    hours: i64,
}

impl Replay {
    pub(super) fn new(config: &StrategyConfig, instruments: usize) -> Self {
        let strategy = config.build(instruments).unwrap();
        Self { strategy, exposures: vec![0.0; instruments], is_refusing: false, hours: 0 }
    }

    pub(super) fn warm_up(&self) -> usize {
        self.strategy.warm_up()
    }

    /// One moment; an instrument without a close is missing.
    pub(super) fn step(&mut self, closes: &[Option<Close>]) -> Decision {
        let hour = 3_600_000;
        let open_time = Timestamp::from_millis(self.hours * hour);
        self.hours += 1;
        let mut updates = Vec::new();
        for (at, close) in closes.iter().enumerate() {
            let Some(Close { price, after_gap }) = *close else { continue };
            // A range that the references know too.
            let (high, low) = (price * 1.002, price * 0.997);
            let candle =
                Candle { open_time, open: price, high, low, close: price, volume: 1.0, turnover: None };
            let instrument = InstrumentIndex(u16::try_from(at).unwrap());
            let signal = Signal::default();
            updates.push(MarketUpdate {
                instrument,
                candle,
                mark_price: None,
                relative_spread: None,
                after_gap,
                signal,
            });
        }
        let positions: Vec<PositionView> = self
            .exposures
            .iter()
            .enumerate()
            .filter(|(_, exposure)| **exposure != 0.0)
            .map(|(at, exposure)| PositionView {
                instrument: InstrumentIndex(u16::try_from(at).unwrap()),
                quantity: *exposure,
                entry_price: 1.0,
                mark_price: 1.0,
                exposure: *exposure,
                unrealised: 0.0,
                candles_held: 1,
            })
            .collect();
        let market = MarketView { time: Timestamp::from_millis(self.hours * hour), updates: &updates };
        let portfolio = PortfolioView { equity: 1.0, free: 1.0, positions: &positions };
        let mut decision = Decision::default();
        self.strategy.decide(&market, &portfolio, &mut decision);
        if !self.is_refusing {
            for target in &decision.targets {
                self.exposures[target.instrument.get()] = match target.position {
                    TargetPosition::Flat => 0.0,
                    TargetPosition::Exposure(share) => share,
                    other => panic!("{other:?} is for other strategies"),
                };
            }
        }
        decision
    }
}
