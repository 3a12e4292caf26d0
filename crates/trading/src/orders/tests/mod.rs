//! Tests of orders: the table of states, hand-checked histories, random histories, and the memory of the
//! book.

mod cards;
mod histories;
mod memory;
mod table;

use market_data::Timestamp;
use rust_decimal::Decimal;

use super::*;
use crate::order::{
    InstrumentIndex, Liquidity, OrderIntent, OrderKind, PositionSide, Purpose, Side, TimeInForce,
};

/// A purchase of `quantity` named `name`.
fn intent(name: &str, quantity: Decimal) -> OrderIntent {
    OrderIntent {
        client_order_id: name.parse().unwrap(),
        instrument: InstrumentIndex(3),
        position_side: PositionSide::Net,
        side: Side::Buy,
        kind: OrderKind::Limit { price: Decimal::from(100) },
        quantity,
        time_in_force: TimeInForce::GoodTillCancelled,
        reduce_only: false,
        purpose: Purpose::Entry,
    }
}

/// An execution of `order` at 100.
fn fill(order: &OrderIntent, execution: &str, quantity: Decimal) -> Fill {
    Fill {
        execution_id: execution.parse().unwrap(),
        client_order_id: Some(order.client_order_id),
        instrument: order.instrument,
        position_side: order.position_side,
        side: order.side,
        price: Decimal::from(100),
        quantity,
        fee: Decimal::ZERO,
        fee_currency: FeeCurrency::Quote,
        liquidity: Liquidity::Maker,
        purpose: order.purpose,
        time: Timestamp::from_millis(0),
    }
}

fn report<'a>(order: &OrderIntent, millis: i64, kind: OrderReportKind<'a>) -> OrderReport<'a> {
    OrderReport { client_order_id: order.client_order_id, time: Timestamp::from_millis(millis), kind }
}

fn venue_name() -> VenueOrderId {
    "venue-1".parse().unwrap()
}
