//! What the venue refuses, and what it answers when asked.

use trading::Command;

use super::bench::{BTC, Bench, plain};
use crate::venue::PathModel;

/// Each order is sent on a fresh account of 10000 USDT with the market at 100.
const REFUSALS: [(&str, &str); 20] = [
    ("buy 1 limit 99.25", "o1 refused InvalidPrice"),
    ("buy 1 stop 101.25", "o1 refused InvalidPrice"),
    ("buy 0.0105 market", "o1 refused InvalidQuantity"),
    ("buy 0.009 market", "o1 refused InvalidQuantity"),
    ("buy 1001 limit 0.5", "o1 refused InvalidQuantity"),
    ("buy 0.049 limit 100", "o1 refused NotionalTooSmall"), // 4.9 < 5
    ("buy 0.05 limit 100", "accepted"),
    ("buy 1 market post", "o1 refused WouldTake"),
    ("sell 1 market reduce", "o1 refused WouldNotReduce"),
    ("buy 1 stop 100", "o1 refused WouldTriggerAtOnce"),
    ("buy 1 stop 99", "o1 refused WouldTriggerAtOnce"),
    ("sell 1 stop 101", "o1 refused WouldTriggerAtOnce"),
    ("buy 1 take-profit 101", "o1 refused WouldTriggerAtOnce"),
    ("buy 1 take-profit 99", "asleep"),
    // 994 × 100 / 10 = 9940 of margin and 99400 × 0.0006 = 59.64 of fee are 9999.64; one more lot of 0.1 costs 1.006.
    ("buy 994 market", "accepted"),
    ("buy 994.1 market", "o1 refused InsufficientFunds"),
    ("spot buy 100 limit 100", "accepted"),
    ("spot buy 100.001 limit 100", "o1 refused InsufficientFunds"),
    ("spot sell 1 market", "o1 refused InsufficientFunds"),
    ("spot sell 1 market reduce", "o1 refused WouldNotReduce"),
];

#[test]
fn orders_against_the_rules_are_refused() {
    for (order, expected) in REFUSALS {
        let mut bench = Bench::new(plain(PathModel::Pessimistic));
        bench.candle([100.0; 4]);
        assert_eq!(bench.send(order), expected, "{order}");
    }
}

#[test]
fn open_orders_bind_what_they_need() {
    let mut bench = Bench::new(plain(PathModel::Pessimistic));
    bench.candle([100.0; 4]);
    assert_eq!(bench.send("buy 500 limit 99"), "accepted");
    assert_eq!(bench.send("buy 500 limit 99.5"), "accepted");
    assert_eq!(bench.send("buy 10 limit 99.5"), "o3 refused InsufficientFunds");
    bench.cancel(1);
    assert_eq!(bench.send("buy 10 limit 99.5"), "accepted");
}

#[test]
fn a_market_order_that_the_open_makes_too_dear_is_refused_when_it_trades() {
    let mut bench = Bench::new(plain(PathModel::Pessimistic));
    bench.candle([100.0; 4]);
    assert_eq!(bench.send("spot buy 100 market"), "accepted");
    assert_eq!(
        bench.candle_of(super::bench::SPOT, [100.5; 4], 1e6, &[]),
        ["o2 refused InsufficientFunds".replace("o2", "o1")]
    );
}

#[test]
fn before_its_first_rules_an_instrument_is_closed() {
    let mut bench = Bench::new(plain(PathModel::Pessimistic));
    bench.time = "2019-12-31".parse().unwrap();
    assert_eq!(bench.send("buy 1 market"), "o1 refused InstrumentClosed");
}

#[test]
fn a_name_is_taken_once() {
    let mut bench = Bench::new(plain(PathModel::Pessimistic));
    bench.candle([100.0; 4]);
    let intent = bench.intent("buy 1 limit 99");
    assert_eq!(bench.place(intent), "accepted");
    assert_eq!(bench.place(intent), "o1 refused DuplicateClientOrderId");
    assert_eq!(bench.candle([100.0, 100.0, 98.0, 100.0]), ["o1 buy 1 @ 99 maker"]);
    assert_eq!(bench.place(intent), "o1 refused DuplicateClientOrderId");
    let query = Command::Query { instrument: BTC, client_order_id: intent.client_order_id };
    let answer = bench.command(query);
    assert!(answer[0].contains("status: Filled") && answer[0].contains("cumulative_filled: 1"), "{answer:?}");
    let query = Command::Query { instrument: BTC, client_order_id: "never".parse().unwrap() };
    assert_eq!(bench.command(query), ["NotFound"]);
}

#[test]
fn cancellations_are_confirmed_once() {
    let mut bench = Bench::new(plain(PathModel::Pessimistic));
    bench.candle([100.0; 4]);
    bench.send("buy 1 limit 99");
    assert_eq!(bench.cancel(1), ["o1 cancelled after 0"]);
    assert_eq!(bench.cancel(1), ["CancelRejected"]);
    assert!(bench.candle([100.0, 100.0, 98.0, 100.0]).is_empty());
}
