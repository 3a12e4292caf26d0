//! A venue on paper for tests: it takes every order, and fills what the test says at the price that the test says.

use market_data::{Candle, Instrument, Timeframe, Timestamp};
use rust_decimal::Decimal;

use crate::account::{AccountConfig, InstrumentTerms, MarginTier, MarginTiers};
use crate::engine::{Command, Engine, EngineConfig, Event, ExecutionConfig, Notice};
use crate::error::TradingError;
use crate::exit::ExitPlan;
use crate::market::{MarketUpdate, MarketView, PortfolioView};
use crate::order::{InstrumentIndex, Liquidity, OrderIntent, OrderKind, PositionSide, Purpose, Side};
use crate::orders::{FeeCurrency, Fill, OrderReport, OrderReportKind, Snapshot, VenueOrderStatus};
use crate::risk::RiskLimits;
use crate::strategy::{Decision, Strategy, Target, TargetPosition, Vote};

/// Wants what the test put into it.
#[derive(Debug, Default)]
pub(super) struct Scripted {
    targets: Vec<Target>,
    votes: Vec<Vote>,
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
        decision.votes.append(&mut self.votes);
    }
}

pub(super) const BTC: InstrumentIndex = InstrumentIndex(0);
pub(super) const SPOT: InstrumentIndex = InstrumentIndex(1);

pub(super) fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn terms() -> Vec<InstrumentTerms> {
    // From 2024-02-01 on the lot is a hundred times larger.
    let rules = "[[rules]]\nvalid_from = \"2020-01-01\"\nvalid_until = \"2024-02-01\"\ntick_size = \"0.5\"\nlot_size = \"0.001\"\n\
                 minimum_quantity = \"0.001\"\nminimum_notional = \"5\"\n[[rules]]\nvalid_from = \"2024-02-01\"\n\
                 tick_size = \"0.5\"\nlot_size = \"0.1\"\nminimum_quantity = \"0.1\"\nminimum_notional = \"5\"\n";
    let instrument = |head: &str| Instrument::from_toml(&format!("{head}{rules}")).unwrap();
    let tier = |up_to: &str, rate: &str, leverage: &str| MarginTier {
        up_to: decimal(up_to),
        maintenance_rate: decimal(rate),
        maximum_leverage: decimal(leverage),
    };
    let tiers = MarginTiers::new(vec![tier("2000", "0.005", "100"), tier("1000000", "0.01", "50")]).unwrap();
    let one = |head: &str, leverage: &str, tiers: MarginTiers| InstrumentTerms {
        instrument: instrument(head),
        maker_fee: decimal("0.0002"),
        taker_fee: decimal("0.0006"),
        leverage: decimal(leverage),
        tiers,
    };
    vec![
        one("venue = \"bybit-linear\"\nsymbol = \"BTC/USDT:USDT\"\n", "10", tiers),
        one("venue = \"bybit-spot\"\nsymbol = \"ETH/USDT\"\n", "1", MarginTiers::default()),
    ]
}

/// Limits wide enough to be out of the way of tests about other things.
pub(super) fn wide() -> RiskLimits {
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

/// An engine with a venue on paper.
pub(super) struct Desk {
    pub engine: Engine<Scripted>,
    pub notices: Vec<Notice>,
    /// Whether cancellations are confirmed at once.
    pub confirms_cancels: bool,
    /// Whether each report comes twice.
    pub repeats_reports: bool,
    time: Timestamp,
    sent: Vec<OrderIntent>,
    executions: u32,
}

impl Desk {
    pub(super) fn new(cash: &str, edit: impl FnOnce(&mut EngineConfig)) -> Self {
        let mut config = EngineConfig {
            account: AccountConfig { settlement: "USDT".to_owned(), ..AccountConfig::default() },
            execution: ExecutionConfig { atr_period: 2, ..ExecutionConfig::default() },
            limits: wide(),
            ..EngineConfig::default()
        };
        edit(&mut config);
        let engine = Engine::new(Scripted::default(), config, Timeframe::H1, terms(), decimal(cash)).unwrap();
        let time = "2024-01-01".parse().unwrap();
        Self {
            engine,
            notices: Vec::new(),
            confirms_cancels: true,
            repeats_reports: false,
            time,
            sent: Vec::new(),
            executions: 0,
        }
    }

    /// Puts a wish into the strategy, for the next candle.
    pub(super) fn want(
        &mut self,
        instrument: InstrumentIndex,
        position: TargetPosition,
        exits: Option<ExitPlan>,
    ) -> &mut Self {
        self.engine.strategy_mut().targets.push(Target { instrument, position, exits });
        self
    }

    pub(super) fn vote(&mut self, vote: Vote) {
        self.engine.strategy_mut().votes.push(vote);
    }

    /// A candle of an hour: open, high, low, close.
    pub(super) fn candle_of(&mut self, instrument: InstrumentIndex, prices: [f64; 4]) -> &mut Self {
        self.candles(&[instrument], prices)
    }

    /// The same candle of both instruments.
    pub(super) fn both(&mut self, prices: [f64; 4]) -> &mut Self {
        self.candles(&[BTC, SPOT], prices)
    }

    fn candles(&mut self, instruments: &[InstrumentIndex], prices: [f64; 4]) -> &mut Self {
        let [open, high, low, close] = prices;
        let candle = Candle { open_time: self.time, open, high, low, close, volume: 1.0, turnover: None };
        self.time = Timeframe::H1.close_of(self.time);
        let updates: Vec<_> =
            instruments.iter().map(|instrument| MarketUpdate::new(*instrument, candle)).collect();
        self.step(Event::Candles(MarketView { time: self.time, updates: &updates })).unwrap();
        self
    }

    pub(super) fn candle(&mut self, prices: [f64; 4]) -> &mut Self {
        self.candle_of(BTC, prices)
    }

    pub(super) const fn later(&mut self, hours: i64) -> &mut Self {
        self.time = self.time.plus_millis(hours * 3_600_000);
        self
    }

    pub(super) const fn time(&self) -> Timestamp {
        self.time
    }

    /// One event; orders that it leads to are accepted, cancellations confirmed.
    pub(super) fn step(&mut self, event: Event<'_>) -> Result<(), TradingError> {
        let output = self.engine.step(event)?;
        let commands = std::mem::take(&mut output.commands);
        self.notices.append(&mut output.notices);
        for command in commands {
            match command {
                Command::Submit(approved) => {
                    let intent = approved.into_inner();
                    self.sent.push(intent);
                    let venue_order_id = format!("v{}", self.sent.len()).parse().unwrap();
                    let kind = match intent.kind.trigger() {
                        None => OrderReportKind::Accepted { venue_order_id },
                        Some(_) => OrderReportKind::AcceptedUntriggered { venue_order_id },
                    };
                    self.report(intent, kind)?;
                }
                Command::Cancel { client_order_id, .. } if self.confirms_cancels => {
                    let intent =
                        *self.sent.iter().find(|sent| sent.client_order_id == client_order_id).unwrap();
                    self.report(intent, OrderReportKind::Cancelled { cumulative_filled: None })?;
                }
                Command::Cancel { .. } | Command::Query { .. } => {}
            }
        }
        Ok(())
    }

    pub(super) fn report(
        &mut self,
        intent: OrderIntent,
        kind: OrderReportKind<'_>,
    ) -> Result<(), TradingError> {
        let report = OrderReport { client_order_id: intent.client_order_id, time: self.time, kind };
        self.step(Event::Report(report))?;
        if self.repeats_reports {
            self.step(Event::Report(report))?;
        }
        Ok(())
    }

    /// The last order whose purpose this is.
    pub(super) fn last(&self, purpose: Purpose) -> OrderIntent {
        *self.sent.iter().rev().find(|intent| intent.purpose == purpose).unwrap()
    }

    pub(super) fn execution(
        &mut self,
        intent: &OrderIntent,
        price: &str,
        quantity: &str,
        fee_rate: &str,
    ) -> Fill {
        self.executions += 1;
        let (price, quantity) = (decimal(price), decimal(quantity));
        Fill {
            execution_id: format!("x{}", self.executions).parse().unwrap(),
            client_order_id: Some(intent.client_order_id),
            instrument: intent.instrument,
            position_side: intent.position_side,
            side: intent.side,
            price,
            quantity,
            fee: price * quantity * decimal(fee_rate),
            fee_currency: FeeCurrency::Quote,
            liquidity: Liquidity::Taker,
            purpose: intent.purpose,
            time: self.time,
        }
    }

    /// Fills the last order of a purpose as a taker without a fee.
    pub(super) fn fill(&mut self, purpose: Purpose, price: &str, quantity: &str) -> &mut Self {
        self.fill_with_fee(purpose, price, quantity, "0")
    }

    pub(super) fn fill_with_fee(
        &mut self,
        purpose: Purpose,
        price: &str,
        quantity: &str,
        rate: &str,
    ) -> &mut Self {
        let intent = self.last(purpose);
        let fill = self.execution(&intent, price, quantity, rate);
        self.report(intent, OrderReportKind::Fill(fill)).unwrap();
        self
    }

    pub(super) fn fill_order(&mut self, intent: &OrderIntent, price: &str, quantity: &str) {
        let fill = self.execution(intent, price, quantity, "0.0006");
        self.report(*intent, OrderReportKind::Fill(fill)).unwrap();
    }

    /// Orders that may still trade, oldest first, with what remains of them.
    pub(super) fn working(&self) -> Vec<(OrderIntent, Decimal)> {
        let of = |intent: &OrderIntent| {
            let order = self.engine.orders().get(intent.client_order_id)?;
            (!order.status.is_terminal()).then(|| (*intent, order.remaining()))
        };
        self.sent.iter().filter_map(of).collect()
    }

    /// Answers a query.
    pub(super) fn snapshot(
        &mut self,
        intent: OrderIntent,
        status: VenueOrderStatus,
        filled: &str,
        fills: &[Fill],
    ) {
        let snapshot = Snapshot { status, venue_order_id: None, cumulative_filled: decimal(filled), fills };
        self.report(intent, OrderReportKind::Snapshot(snapshot)).unwrap();
    }

    /// Working orders in words, oldest first.
    pub(super) fn orders(&self) -> Vec<String> {
        let mut working: Vec<String> = Vec::new();
        for intent in &self.sent {
            let Some(order) = self.engine.orders().get(intent.client_order_id) else { continue };
            if order.status.is_terminal() {
                continue;
            }
            let side = if intent.side == Side::Buy { "buy" } else { "sell" };
            let kind = match intent.kind {
                OrderKind::Market => "market".to_owned(),
                OrderKind::Limit { price } => format!("limit {}", price.normalize()),
                OrderKind::Stop { trigger } => format!("stop {}", trigger.normalize()),
                OrderKind::StopLimit { trigger, price } => format!("stop-limit {trigger} {price}"),
                OrderKind::TakeProfit { trigger } => format!("take-profit {trigger}"),
            };
            let purpose = match intent.purpose {
                Purpose::TakeProfit(number) => format!("rung {number}"),
                other => format!("{other:?}").to_lowercase(),
            };
            working.push(format!("{purpose}: {side} {} {kind}", order.remaining().normalize()));
        }
        working
    }

    pub(super) fn position(&self, instrument: InstrumentIndex, side: PositionSide) -> String {
        self.engine.account().position(instrument, side).quantity.normalize().to_string()
    }

    pub(super) fn equity(&self) -> String {
        self.engine.account().equity().normalize().to_string()
    }

    pub(super) fn trades(&self) -> Vec<crate::engine::TradeRecord> {
        let of = |notice: &Notice| match notice {
            Notice::Traded { trade } => Some(trade.clone()),
            _ => None,
        };
        self.notices.iter().filter_map(of).collect()
    }
}
