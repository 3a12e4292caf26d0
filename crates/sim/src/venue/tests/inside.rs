//! Cards of what is sent inside a candle, and of positions that have two sides.

use super::bench::{BTC, Bench, plain};
use crate::venue::PathModel;

/// Walks an hour of BTC; `reply` is sent after the first execution.
fn with_reply(bench: &mut Bench, [open, high, low, close]: [f64; 4], reply: &str) -> Vec<String> {
    let candle =
        market_data::Candle { open_time: bench.time, open, high, low, close, volume: 1000.0, turnover: None };
    let close_time = bench.time.plus_millis(3_600_000);
    let input =
        crate::venue::VenueCandle { instrument: BTC, candle, close_time, detail: &[], relative_spread: None };
    bench.venue.begin_candle(&input, &bench.account).unwrap();
    let (mut events, mut replied) = (Vec::new(), false);
    while let Some(event) = bench.venue.next_event(&bench.account).unwrap() {
        events.push(bench.take(&event));
        if event.fill().is_some() && !replied && !reply.is_empty() {
            replied = true;
            bench.send(reply);
        }
    }
    events
}

#[test]
fn what_is_sent_inside_a_candle_meets_the_worst_of_it() {
    // Bought at 102 on the way up. The low of 98 comes first on the adaptive path; nobody knows that it did.
    let breakout = |path: PathModel, reply: &str, candle: [f64; 4]| {
        let mut bench = Bench::new(plain(path));
        bench.candle([100.0; 4]);
        bench.send("buy 1 stop 102");
        with_reply(&mut bench, candle, reply).split_off(2)
    };
    let candle = [100.0, 104.0, 98.0, 102.5];
    let none: [&str; 0] = [];
    assert_eq!(breakout(PathModel::Adaptive, "sell 1 stop 99 reduce", candle), none);
    let stopped = ["o2 triggered", "o2 sell 1 @ 99 taker"];
    assert_eq!(breakout(PathModel::Pessimistic, "sell 1 stop 99 reduce", candle), stopped);
    // The high of 104 certainly came after the entry or at it, but the order to sell may have come after the high.
    assert_eq!(breakout(PathModel::Adaptive, "sell 1 limit 103 reduce", candle), ["o2 sell 1 @ 103 maker"]);
    assert_eq!(breakout(PathModel::Pessimistic, "sell 1 limit 103 reduce", candle), none);
    assert_eq!(breakout(PathModel::Pessimistic, "sell 1 take-profit 103 reduce", candle), none);
    // A market order trades where the price is: at the entry.
    assert_eq!(breakout(PathModel::Pessimistic, "sell 1 market reduce", candle), ["o2 sell 1 @ 102 taker"]);
}

#[test]
fn a_position_opened_inside_a_candle_may_be_liquidated_in_it() {
    // 10 at 102, margin 102: due at (1020 − 102) / 9.95 = 92.26…, bankrupt at 91.8.
    let breakout = |path: PathModel, reply: &str| {
        let mut bench = Bench::new(plain(path));
        bench.candle([100.0; 4]);
        bench.send("buy 10 stop 102");
        with_reply(&mut bench, [100.0, 109.0, 92.0, 105.0], reply).split_off(2)
    };
    let none: [&str; 0] = [];
    assert_eq!(breakout(PathModel::Adaptive, ""), none);
    assert_eq!(breakout(PathModel::Pessimistic, ""), ["liquidation: sell 10 @ 91.8 taker"]);
    let stopped = ["o2 triggered", "o2 sell 10 @ 95 taker"];
    assert_eq!(breakout(PathModel::Pessimistic, "sell 10 stop 95 reduce"), stopped);
}

#[test]
fn in_hedge_mode_each_side_meets_its_own_worst() {
    let hedge = trading::account::AccountConfig {
        position_mode: trading::account::PositionMode::Hedge,
        ..trading::account::AccountConfig::default()
    };
    let mut bench = Bench::with(plain(PathModel::Pessimistic), hedge, super::bench::terms(), "10000");
    assert_eq!(bench.send("sell 1 market long"), "o1 refused WouldNotReduce");
    bench.send("buy 1 market long");
    bench.send("sell 1 market short");
    bench.candle([100.0; 4]);
    for order in
        ["sell 1 stop 95 long", "sell 1 limit 105 long", "buy 1 stop 106 short", "buy 1 limit 94 short"]
    {
        bench.send(order);
    }
    let events = bench.candle([100.0, 107.0, 93.0, 100.0]);
    let fills: Vec<_> = events.iter().filter(|event| event.contains('@')).collect();
    assert_eq!(fills, ["o4 sell 1 @ 95 taker", "o6 buy 1 @ 106 taker"]);
}
