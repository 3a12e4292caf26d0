//! The trading kernel: what decides and accounts, the same in a backtest, an environment, on paper and live.
//!
//! Candles, signals and reports of a venue go in as events, orders and records come out. It is sans-IO: a simulator and an
//! exchange are only venues that it talks to.
//!
//! Invariants:
//! - Money is exact: after each event the books add up to the last decimal, from sums that do not know each other
//!   ([`account::Account::check`]).
//! - An execution is accounted once, whatever becomes of its reports ([`orders::Orders`]).
//! - Only a [`risk::RiskApproved`] order can leave, and only the risk gate makes one.
//! - The same events give the same commands. What a strategy saw of the future is nothing: it is a fold over closed candles.
//!
//! It has no clock, opens no file or connection, starts no thread, draws no random number, and knows no model.
//!
//! ```
//! use trading::account::{AccountConfig, InstrumentTerms, MarginTiers};
//! use trading::strategy::{BuyAndHold, BuyAndHoldConfig};
//! use trading::{Command, Engine, EngineConfig, Event, InstrumentIndex, MarketUpdate, MarketView};
//! use market_data::{Candle, Instrument, Timeframe};
//!
//! let instrument = Instrument::from_toml(
//!     "venue = \"bybit-spot\"\nsymbol = \"BTC/USDT\"\n[[rules]]\nvalid_from = \"2020-01-01\"\ntick_size = \"0.1\"\n\
//!      lot_size = \"0.001\"\nminimum_quantity = \"0.001\"\nminimum_notional = \"5\"\n")?;
//! let terms = InstrumentTerms {
//!     instrument, maker_fee: "0.001".parse()?, taker_fee: "0.001".parse()?, leverage: "1".parse()?, tiers: MarginTiers::default(),
//! };
//! let config = EngineConfig { account: AccountConfig { settlement: "USDT".into(), ..AccountConfig::default() }, ..EngineConfig::default() };
//! let strategy = BuyAndHold::new(&BuyAndHoldConfig::default(), 1)?;
//! let mut engine = Engine::new(strategy, config, Timeframe::H1, vec![terms], "10000".parse()?)?;
//! let candle = Candle {
//!     open_time: "2024-01-01".parse()?, open: 42_000.0, high: 42_100.0, low: 41_900.0, close: 42_000.0, volume: 10.0, turnover: None,
//! };
//! let update = MarketUpdate::new(InstrumentIndex(0), candle);
//! let commands = engine.step(Event::Candles(MarketView { time: "2024-01-01T01:00:00Z".parse()?, updates: &[update] }))?;
//! let Some(Command::Submit(order)) = commands.commands.first() else { unreachable!("it buys at once") };
//! assert!(order.intent().quantity > "0.2".parse()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod account;
mod client_order_id;
mod engine;
mod error;
pub mod exit;
mod grid;
pub mod indicator;
mod market;
mod money;
mod order;
pub mod orders;
pub mod risk;
pub mod strategy;

pub use client_order_id::{CLIENT_ORDER_ID_LENGTH, ClientOrderId};
pub use engine::{
    Command, Commands, Engine, EngineConfig, EntryStyle, Event, ExecutionConfig, Notice, OnHalt,
    TailGateConfig, TradeRecord,
};
pub use error::TradingError;
pub use grid::{Grid, Towards};
pub use market::{MarketUpdate, MarketView, PolicyAction, PortfolioView, PositionView, Signal};
pub use money::{LARGEST_AMOUNT, MONEY_DECIMALS, amount, notional, to_float};
pub use order::{
    InstrumentIndex, Liquidity, OrderIntent, OrderKind, PositionSide, Purpose, Side, TimeInForce,
};
