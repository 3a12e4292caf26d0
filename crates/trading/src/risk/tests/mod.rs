//! Accounts and orders written as words, for tables that a trader can read.

mod cards;
mod properties;
mod states;

use market_data::{InstrumentRules, Timestamp};
use rust_decimal::Decimal;

use super::*;
use crate::grid::Grid;
use crate::order::{InstrumentIndex, OrderIntent, OrderKind, PositionSide, Purpose, Side, TimeInForce};

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is no number"))
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const NOW: &str = "2024-01-01T12:00:00Z";

/// An instrument with candles of one minute and ticks of 0.5, lots of 0.1 and leverage 2 at the venue.
fn instrument(price: &str) -> InstrumentRisk {
    let rules = InstrumentRules {
        valid_from: Timestamp::MIN,
        valid_until: None,
        tick_size: decimal("0.5"),
        lot_size: decimal("0.1"),
        minimum_quantity: decimal("0.2"),
        maximum_quantity: Some(decimal("1000")),
        minimum_notional: decimal("25"),
        maximum_leverage: None,
    };
    InstrumentRisk {
        last_price: decimal(price),
        last_time: time(NOW),
        timeframe_ms: 60_000,
        long: Decimal::ZERO,
        short: Decimal::ZERO,
        working_buy: Decimal::ZERO,
        working_sell: Decimal::ZERO,
        open_orders: 0,
        grid: Grid::new(&rules),
        leverage: Decimal::TWO,
        hedged: false,
        is_spot: false,
    }
}

/// An account of 10000 with instrument 0 at 100 and instrument 1 (its words begin with `b.`) at 10.
struct Account {
    time: Timestamp,
    equity: Decimal,
    free: Decimal,
    tail: bool,
    instruments: Vec<InstrumentRisk>,
}

impl Account {
    fn read(words: &str) -> Self {
        let mut account = Self {
            time: time(NOW),
            equity: decimal("10000"),
            free: decimal("10000"),
            tail: false,
            instruments: vec![instrument("100"), instrument("10")],
        };
        for word in words.split_whitespace() {
            let (key, value) = word.split_once('=').unwrap_or((word, "1"));
            let (index, key) = key.strip_prefix("b.").map_or((0, key), |key| (1, key));
            let risk = &mut account.instruments[index];
            match key {
                "equity" => account.equity = decimal(value),
                "free" => account.free = decimal(value),
                "tail" => account.tail = true,
                "age" => risk.last_time = account.time.plus_millis(-value.parse::<i64>().unwrap()),
                "price" => risk.last_price = decimal(value),
                "long" => risk.long = decimal(value),
                "short" => risk.short = decimal(value),
                "buys" => risk.working_buy = decimal(value),
                "sells" => risk.working_sell = decimal(value),
                "open" => risk.open_orders = value.parse().unwrap(),
                "leverage" => risk.leverage = decimal(value),
                "hedged" => risk.hedged = true,
                "spot" => risk.is_spot = true,
                _ => panic!("`{word}` is no word of an account"),
            }
        }
        account
    }

    fn view(&self) -> RiskView<'_> {
        RiskView {
            time: self.time,
            equity: self.equity,
            free: self.free,
            tail_exceeded: self.tail,
            instruments: &self.instruments,
        }
    }
}

/// `buy 10 entry limit=101`, `sell 5 stop trigger=90 reduce-only`, `sell 5 close on-long instrument=1`.
fn order(words: &str) -> OrderIntent {
    let mut words = words.split_whitespace();
    let side = if words.next() == Some("buy") { Side::Buy } else { Side::Sell };
    let quantity = decimal(words.next().unwrap());
    let mut intent = OrderIntent {
        client_order_id: "card".parse().unwrap(),
        instrument: InstrumentIndex(0),
        position_side: PositionSide::Net,
        side,
        kind: OrderKind::Market,
        quantity,
        time_in_force: TimeInForce::GoodTillCancelled,
        reduce_only: false,
        purpose: Purpose::Entry,
    };
    let (mut limit, mut trigger) = (None, None);
    for word in words {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        match key {
            "entry" => intent.purpose = Purpose::Entry,
            "reduction" => intent.purpose = Purpose::Reduction,
            "stop" => intent.purpose = Purpose::StopLoss,
            "take" => intent.purpose = Purpose::TakeProfit(0),
            "close" => intent.purpose = Purpose::Close,
            "liquidation" => intent.purpose = Purpose::Liquidation,
            "reduce-only" => intent.reduce_only = true,
            "on-long" => intent.position_side = PositionSide::Long,
            "on-short" => intent.position_side = PositionSide::Short,
            "limit" => limit = Some(decimal(value)),
            "trigger" => trigger = Some(decimal(value)),
            "instrument" => intent.instrument = InstrumentIndex(value.parse().unwrap()),
            _ => panic!("`{word}` is no word of an order"),
        }
    }
    intent.kind = match (limit, trigger) {
        (None, None) => OrderKind::Market,
        (Some(price), None) => OrderKind::Limit { price },
        (Some(price), Some(trigger)) => OrderKind::StopLimit { trigger, price },
        (None, Some(trigger)) if intent.purpose == Purpose::TakeProfit(0) => {
            OrderKind::TakeProfit { trigger }
        }
        (None, Some(trigger)) => OrderKind::Stop { trigger },
    };
    intent
}

/// Settings that differ from the defaults, separated by `;`.
fn limits(settings: &str) -> RiskLimits {
    toml::from_str(&settings.replace(';', "\n")).unwrap()
}

fn gate(settings: &str) -> RiskGate {
    RiskGate::new(limits(settings), 2).unwrap()
}
