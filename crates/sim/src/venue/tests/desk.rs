//! Engine and venue together, with a strategy that wants what the test says.

use market_data::{Candle, Timeframe, Timestamp};
use rust_decimal::Decimal;
use trading::account::AccountConfig;
use trading::exit::ExitPlan;
use trading::risk::RiskLimits;
use trading::strategy::{Decision, Strategy, Target, TargetPosition};
use trading::{
    Engine, EngineConfig, ExecutionConfig, InstrumentIndex, Liquidity, MarketUpdate, MarketView, Notice,
    PortfolioView, Side,
};

use super::bench::{BTC, decimal, terms};
use crate::venue::{Venue, VenueConfig, drive_candle};

#[derive(Debug, Default)]
pub(super) struct Scripted {
    targets: Vec<Target>,
}

impl Strategy for Scripted {
    fn name(&self) -> &str {
        "script"
    }

    fn warm_up(&self) -> usize {
        0
    }

    fn decide(&mut self, _: &MarketView<'_>, _: &PortfolioView<'_>, decision: &mut Decision) {
        decision.targets.append(&mut self.targets);
    }
}

/// Limits out of the way of tests about other things.
fn wide() -> RiskLimits {
    let thousand = Decimal::ONE_THOUSAND;
    RiskLimits {
        symbol_exposure: thousand,
        gross_exposure: thousand,
        net_exposure: thousand,
        correlated_exposure: thousand,
        maximum_leverage: thousand,
        minimum_free_margin: Decimal::ZERO,
        daily_loss: Decimal::ONE,
        drawdown: Decimal::ONE,
        price_collar: decimal("0.9"),
        ..RiskLimits::default()
    }
}

pub(super) struct Desk {
    pub engine: Engine<Scripted>,
    pub venue: Venue,
    pub notices: Vec<Notice>,
    time: Timestamp,
}

impl Desk {
    pub(super) fn new(config: VenueConfig, cash: &str, edit: impl FnOnce(&mut EngineConfig)) -> Self {
        let mut engine = EngineConfig {
            account: AccountConfig::default(),
            execution: ExecutionConfig { atr_period: 2, ..ExecutionConfig::default() },
            limits: wide(),
            ..EngineConfig::default()
        };
        edit(&mut engine);
        let venue = Venue::new(config, &terms()).unwrap();
        let engine = Engine::new(Scripted::default(), engine, Timeframe::H1, terms(), decimal(cash)).unwrap();
        Self { engine, venue, notices: Vec::new(), time: "2024-01-01".parse().unwrap() }
    }

    /// Puts a wish into the strategy, for the next candle.
    pub(super) fn want(
        &mut self,
        instrument: InstrumentIndex,
        share: f64,
        exits: Option<ExitPlan>,
    ) -> &mut Self {
        let position = TargetPosition::Exposure(share);
        self.engine.strategy_mut().targets.push(Target { instrument, position, exits });
        self
    }

    /// An hour of BTC with volume 1000; the executions in words.
    pub(super) fn candle(&mut self, prices: [f64; 4]) -> Vec<String> {
        self.candles(&[(BTC, prices)])
    }

    pub(super) fn candles(&mut self, candles: &[(InstrumentIndex, [f64; 4])]) -> Vec<String> {
        let open_time = self.time;
        self.time = Timeframe::H1.close_of(open_time);
        let update = |&(instrument, [open, high, low, close]): &(InstrumentIndex, [f64; 4])| {
            let candle = Candle { open_time, open, high, low, close, volume: 1000.0, turnover: None };
            MarketUpdate::new(instrument, candle)
        };
        let updates: Vec<_> = candles.iter().map(update).collect();
        let mut trades = Vec::new();
        let executed = |event: &crate::venue::VenueEvent| {
            if let Some(fill) = event.fill() {
                let side = if fill.side == Side::Buy { "buy" } else { "sell" };
                let by = if fill.liquidity == Liquidity::Maker { "maker" } else { "taker" };
                let purpose = format!("{:?}", fill.purpose).to_lowercase();
                trades.push(format!(
                    "{purpose}: {side} {} @ {} {by}",
                    fill.quantity.normalize(),
                    fill.price.normalize()
                ));
            }
        };
        let view = MarketView { time: self.time, updates: &updates };
        drive_candle(&mut self.engine, &mut self.venue, view, |_| &[], executed, &mut self.notices).unwrap();
        trades
    }

    pub(super) fn equity(&self) -> String {
        self.engine.account().equity().normalize().to_string()
    }

    /// Net profits of the closed trades.
    pub(super) fn profits(&self) -> Vec<String> {
        let net = |notice: &Notice| match notice {
            Notice::Traded { trade } => Some(trade.net.normalize().to_string()),
            _ => None,
        };
        self.notices.iter().filter_map(net).collect()
    }
}
