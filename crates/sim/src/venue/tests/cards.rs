//! Cards of orders and candles, each candle as open, high, low, close. `o1` is the order that was sent first.

use super::bench::{BTC, Bench, SPOT, decimal, plain};
use crate::venue::{PathModel, Slippage, VenueConfig};

/// Orders that are sent while the price is 100, a candle, and what happens in it.
struct Card {
    what: &'static str,
    /// A position to begin with: bought (or sold, if negative) at 100.
    held: &'static str,
    orders: &'static [&'static str],
    candle: [f64; 4],
    pessimistic: &'static [&'static str],
    /// Where it differs.
    adaptive: Option<&'static [&'static str]>,
}

const CARDS: &[Card] = &[
    Card {
        what: "a market order trades at the next open",
        held: "0",
        orders: &["buy 1 market ioc"],
        candle: [100.5, 103.0, 99.0, 102.0],
        pessimistic: &["o1 buy 1 @ 100.5 taker"],
        adaptive: None,
    },
    Card {
        what: "a limit order fills at its limit once the price went through it",
        held: "0",
        orders: &["buy 1 limit 99"],
        candle: [100.0, 101.0, 98.5, 100.0],
        pessimistic: &["o1 buy 1 @ 99 maker"],
        adaptive: None,
    },
    Card {
        what: "a price that was not reached does not fill",
        held: "0",
        orders: &["buy 1 limit 98", "sell 1 limit 102"],
        candle: [100.0, 101.5, 98.5, 100.0],
        pessimistic: &[],
        adaptive: None,
    },
    Card {
        what: "a price that was only touched does not fill",
        held: "0",
        orders: &["buy 1 limit 98.5", "sell 1 limit 101.5"],
        candle: [100.0, 101.5, 98.5, 100.0],
        pessimistic: &[],
        adaptive: None,
    },
    Card {
        what: "a limit order that the market opens beyond takes at the open, better than its limit",
        held: "0",
        orders: &["buy 1 limit 99"],
        candle: [97.0, 98.0, 96.0, 97.0],
        pessimistic: &["o1 buy 1 @ 97 taker"],
        adaptive: None,
    },
    Card {
        what: "a stop fills at its trigger",
        held: "1",
        orders: &["sell 1 stop 95 reduce"],
        candle: [100.0, 101.0, 94.0, 96.0],
        pessimistic: &["o1 triggered", "o1 sell 1 @ 95 taker"],
        adaptive: None,
    },
    Card {
        what: "a stop is triggered by a touch: the trigger is the price itself",
        held: "1",
        orders: &["sell 1 stop 95 reduce"],
        candle: [100.0, 101.0, 95.0, 96.0],
        pessimistic: &["o1 triggered", "o1 sell 1 @ 95 taker"],
        adaptive: None,
    },
    Card {
        what: "a candle that opens beyond the stop fills it at the open",
        held: "1",
        orders: &["sell 1 stop 95 reduce"],
        candle: [92.0, 97.0, 91.0, 96.0],
        pessimistic: &["o1 triggered", "o1 sell 1 @ 92 taker"],
        adaptive: None,
    },
    Card {
        what: "the stop of a short position over a gap",
        held: "-1",
        orders: &["buy 1 stop 105 reduce"],
        candle: [107.0, 108.0, 103.0, 104.0],
        pessimistic: &["o1 triggered", "o1 buy 1 @ 107 taker"],
        adaptive: None,
    },
    Card {
        // The high is 6 from the open, the low 7: adaptive goes up first.
        what: "stop and target in one candle, high nearer to the open",
        held: "1",
        orders: &["sell 1 stop 95 reduce", "sell 1 limit 105 reduce"],
        candle: [100.0, 106.0, 93.0, 100.0],
        pessimistic: &["o1 triggered", "o1 sell 1 @ 95 taker", "o2 cancelled after 0"],
        adaptive: Some(&["o2 sell 1 @ 105 maker", "o1 triggered", "o1 cancelled after 0"]),
    },
    Card {
        what: "stop and target in one candle, low nearer to the open",
        held: "1",
        orders: &["sell 1 stop 95 reduce", "sell 1 limit 105 reduce"],
        candle: [100.0, 107.0, 94.0, 100.0],
        pessimistic: &["o1 triggered", "o1 sell 1 @ 95 taker", "o2 cancelled after 0"],
        adaptive: None,
    },
    Card {
        // For a short position the high is the bad extreme: 7 away, the low 6.
        what: "stop and target of a short position",
        held: "-1",
        orders: &["buy 1 limit 95 reduce", "buy 1 stop 105 reduce"],
        candle: [100.0, 107.0, 94.0, 100.0],
        pessimistic: &["o2 triggered", "o2 buy 1 @ 105 taker", "o1 cancelled after 0"],
        adaptive: Some(&["o1 buy 1 @ 95 maker", "o2 triggered", "o2 cancelled after 0"]),
    },
    Card {
        what: "a target that the candle opens beyond fills at the open even where the stop is reached later",
        held: "1",
        orders: &["sell 1 stop 95 reduce", "sell 1 limit 105 reduce"],
        candle: [106.0, 107.0, 94.0, 100.0],
        pessimistic: &["o2 sell 1 @ 106 taker", "o1 triggered", "o1 cancelled after 0"],
        adaptive: None,
    },
    Card {
        what: "an addition on the way to the stop fills before it",
        held: "1",
        orders: &["buy 1 limit 97", "sell 2 stop 95 reduce"],
        candle: [100.0, 101.0, 94.0, 96.0],
        pessimistic: &["o1 buy 1 @ 97 maker", "o2 triggered", "o2 sell 2 @ 95 taker"],
        adaptive: None,
    },
    Card {
        what: "a stop-limit that wakes and finds the market beyond its limit does not fill",
        held: "1",
        orders: &["sell 1 stop-limit 95 94.5 reduce"],
        candle: [93.0, 94.0, 92.0, 93.0],
        pessimistic: &["o1 triggered"],
        adaptive: None,
    },
    Card {
        what: "a stop-limit that wakes where its limit can trade takes at the trigger",
        held: "1",
        orders: &["sell 1 stop-limit 95 94 reduce"],
        candle: [100.0, 101.0, 94.5, 96.0],
        pessimistic: &["o1 triggered", "o1 sell 1 @ 95 taker"],
        adaptive: None,
    },
    Card {
        what: "a take-profit sells at market once its trigger is touched",
        held: "1",
        orders: &["sell 1 take-profit 104 reduce"],
        candle: [100.0, 104.0, 99.0, 101.0],
        pessimistic: &["o1 triggered", "o1 sell 1 @ 104 taker"],
        adaptive: None,
    },
    Card {
        what: "an order that only reduces is cut to the position",
        held: "1",
        orders: &["sell 3 market reduce"],
        candle: [100.0, 101.0, 99.0, 100.0],
        pessimistic: &["o1 sell 1 @ 100 taker", "o1 cancelled after 1"],
        adaptive: None,
    },
    Card {
        what: "an immediate limit order that cannot trade at the open expires",
        held: "0",
        orders: &["buy 1 limit 99 ioc"],
        candle: [100.0, 101.0, 98.0, 100.0],
        pessimistic: &["o1 expired after 0"],
        adaptive: None,
    },
    Card {
        what: "a post-only order that would take at the open is refused",
        held: "0",
        orders: &["buy 1 limit 101 post"],
        candle: [100.0, 102.0, 98.0, 100.0],
        pessimistic: &["o1 refused WouldTake"],
        adaptive: None,
    },
    Card {
        what: "a post-only order that rests is a maker",
        held: "0",
        orders: &["buy 1 limit 99 post"],
        candle: [100.0, 102.0, 98.0, 100.0],
        pessimistic: &["o1 buy 1 @ 99 maker"],
        adaptive: None,
    },
    Card {
        what: "a breakout order over a gap buys at the open",
        held: "0",
        orders: &["buy 1 stop 102"],
        candle: [104.0, 105.0, 103.0, 104.0],
        pessimistic: &["o1 triggered", "o1 buy 1 @ 104 taker"],
        adaptive: None,
    },
    Card {
        // Cost 1000 at leverage 10: margin 100. (1000 − 100) / (10 × 0.995) = 90.4522…, bankrupt at 90.
        what: "liquidation before a farther stop",
        held: "10",
        orders: &["sell 10 stop 90 reduce"],
        candle: [100.0, 101.0, 89.0, 95.0],
        pessimistic: &["liquidation: sell 10 @ 90 taker", "o1 triggered", "o1 cancelled after 0"],
        adaptive: None,
    },
    Card {
        what: "a nearer stop saves from liquidation",
        held: "10",
        orders: &["sell 10 stop 91 reduce"],
        candle: [100.0, 101.0, 89.0, 95.0],
        pessimistic: &["o1 triggered", "o1 sell 10 @ 91 taker"],
        adaptive: None,
    },
    Card {
        // Short 10 from 100: (1000 + 100) / (10 × 1.005) = 109.4527…, bankrupt at 110; the target is not reached first.
        what: "liquidation of a short position before its target",
        held: "-10",
        orders: &["buy 10 limit 95 reduce"],
        candle: [100.0, 110.0, 94.0, 95.0],
        pessimistic: &["liquidation: buy 10 @ 110 taker", "o1 cancelled after 0"],
        adaptive: Some(&["o1 buy 10 @ 95 maker"]),
    },
];

fn bench_of(card: &Card, path: PathModel) -> Bench {
    let mut bench = Bench::new(plain(path));
    let held = decimal(card.held);
    if !held.is_zero() {
        let side = if held.is_sign_negative() { "sell" } else { "buy" };
        let intent = bench.intent(&format!("{side} {} market", held.abs()));
        let named = trading::OrderIntent { client_order_id: "first".parse().unwrap(), ..intent };
        bench.place(named);
    }
    bench.candle([100.0; 4]);
    let names = card.orders.iter().enumerate();
    for (at, text) in names {
        let intent = bench.intent(text);
        let client_order_id = format!("o{}", at + 1).parse().unwrap();
        let answer = bench.place(trading::OrderIntent { client_order_id, ..intent });
        assert!(answer == "accepted" || answer == "asleep", "{}: {text}: {answer}", card.what);
    }
    bench
}

#[test]
fn candles_and_orders_give_the_expected_trades() {
    let mut wrong = Vec::new();
    for card in CARDS {
        for path in [PathModel::Pessimistic, PathModel::Adaptive] {
            let expected = match (path, card.adaptive) {
                (PathModel::Adaptive, Some(adaptive)) => adaptive,
                _ => card.pessimistic,
            };
            let found = bench_of(card, path).candle(card.candle);
            if found != expected {
                wrong.push(format!(
                    "{} ({path:?}):\n  found    {found:?}\n  expected {expected:?}",
                    card.what
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn finer_candles_tell_which_came_first() {
    // The target in the first half hour, the stop in the second.
    let halves = [[100.0, 106.0, 99.0, 104.0], [104.0, 104.0, 93.0, 100.0]];
    let swapped = [[100.0, 101.0, 93.0, 95.0], [95.0, 106.0, 95.0, 100.0]];
    for path in [PathModel::Pessimistic, PathModel::Adaptive] {
        for (detail, price, name) in
            [(halves, "105", "o2 sell 1 @ 105 maker"), (swapped, "95", "o1 sell 1 @ 95 taker")]
        {
            let card = CARDS.iter().find(|card| card.what.contains("high nearer")).unwrap();
            let mut bench = bench_of(card, path);
            let found = bench.candle_of(BTC, card.candle, 1000.0, &detail);
            assert!(found.iter().any(|event| event == name), "{price}: {found:?}");
            assert_eq!(bench.held(), "0");
        }
    }
    // Finer candles that miss the low of the candle are not believed.
    let card = CARDS.iter().find(|card| card.what.contains("high nearer")).unwrap();
    let mut bench = bench_of(card, PathModel::Pessimistic);
    let found = bench.candle_of(BTC, card.candle, 1000.0, &[[100.0, 106.0, 99.0, 104.0]]);
    assert_eq!(found[1], "o1 sell 1 @ 95 taker");
}

#[test]
fn settings_of_resting_limit_orders() {
    let resting = |edit: fn(&mut VenueConfig), candle: [f64; 4]| {
        let mut config = plain(PathModel::Pessimistic);
        edit(&mut config);
        let mut bench = Bench::new(config);
        bench.send("buy 1 limit 98");
        assert!(bench.candle([100.0, 101.0, 99.0, 100.0]).is_empty());
        bench.candle(candle)
    };
    assert!(resting(|_| (), [100.0, 101.0, 98.0, 99.0]).is_empty());
    assert_eq!(
        resting(|config| config.touch_fills = true, [100.0, 101.0, 98.0, 99.0]),
        ["o1 buy 1 @ 98 maker"]
    );
    assert_eq!(resting(|_| (), [96.0, 97.0, 95.0, 96.0]), ["o1 buy 1 @ 96 maker"]);
    assert_eq!(
        resting(|config| config.gap_improvement = false, [96.0, 97.0, 95.0, 96.0]),
        ["o1 buy 1 @ 98 maker"]
    );
}

#[test]
fn a_tenth_of_the_volume_fills_over_three_candles() {
    let config = VenueConfig { volume_share: Some(decimal("0.1")), ..plain(PathModel::Pessimistic) };
    let mut bench = Bench::new(config.clone());
    bench.send("buy 2.5 limit 99");
    // 0.1 × 10 = 1 in each candle; the third needs 0.5 only.
    let through = [100.0, 101.0, 98.0, 100.0];
    assert_eq!(bench.candle_of(BTC, through, 10.0, &[]), ["o1 buy 1 @ 99 maker"]);
    assert_eq!(bench.candle_of(BTC, through, 10.0, &[]), ["o1 buy 1 @ 99 maker"]);
    assert_eq!(bench.candle_of(BTC, through, 10.0, &[]), ["o1 buy 0.5 @ 99 maker"]);

    // Two orders share the volume; a market order that stands goes on at the next open.
    let mut bench = Bench::new(config.clone());
    bench.send("buy 0.7 market");
    bench.send("buy 0.7 market");
    assert_eq!(
        bench.candle_of(BTC, [100.0; 4], 10.0, &[]),
        ["o1 buy 0.7 @ 100 taker", "o2 buy 0.3 @ 100 taker"]
    );
    assert_eq!(bench.candle_of(BTC, [101.0; 4], 10.0, &[]), ["o2 buy 0.4 @ 101 taker"]);

    // What is immediate does not go on, and all or nothing is nothing.
    let mut bench = Bench::new(config.clone());
    bench.send("buy 1.5 market ioc");
    assert_eq!(bench.candle_of(BTC, [100.0; 4], 10.0, &[]), ["o1 buy 1 @ 100 taker", "o1 expired after 1"]);
    bench.send("buy 1.5 market fok");
    assert_eq!(bench.candle_of(BTC, [100.0; 4], 10.0, &[]), ["o2 expired after 0"]);
    bench.send("buy 1 limit 101 fok");
    assert_eq!(bench.candle_of(BTC, [100.0; 4], 10.0, &[]), ["o3 buy 1 @ 100 taker"]);

    // Without volume it waits.
    let mut bench = Bench::new(config);
    bench.send("buy 1 market ioc");
    assert!(bench.candle_of(BTC, [100.0; 4], 0.0, &[]).is_empty());
    assert_eq!(bench.candle_of(BTC, [100.0; 4], 10.0, &[]), ["o1 buy 1 @ 100 taker"]);
}

#[test]
fn latency_never_helps() {
    let late = |text: &str, held: &str, candle: [f64; 4]| {
        let config = VenueConfig { latency_ms: 200, ..plain(PathModel::Adaptive) };
        let mut bench = Bench::new(config);
        if held != "0" {
            bench.send(&format!("buy {held} market"));
            bench.candle([100.0; 4]);
        }
        bench.candle([100.0; 4]);
        bench.send(text);
        let words = bench.candle(candle);
        words.iter().map(|event| event.split_once(' ').unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    let candle = [100.0, 104.0, 97.0, 101.0];
    // With no latency: at the open, 100.
    assert_eq!(late("buy 1 market", "0", candle), ["buy 1 @ 104 taker"]);
    assert_eq!(late("sell 1 market", "0", candle), ["sell 1 @ 97 taker"]);
    // It closes at 101: 99 may have been passed before the order came.
    assert!(late("buy 1 limit 99", "0", candle).is_empty());
    assert_eq!(late("buy 1 limit 102", "0", candle), ["buy 1 @ 102 taker"]);
    assert_eq!(late("buy 1 limit 106", "0", candle), ["buy 1 @ 104 taker"]);
    assert_eq!(late("sell 1 stop 98 reduce", "1", candle), ["triggered", "sell 1 @ 98 taker"]);
    // The open is beyond the stop: when it came, the price was anywhere.
    assert_eq!(
        late("sell 1 stop 99 reduce", "1", [98.0, 100.0, 96.0, 98.0]),
        ["triggered", "sell 1 @ 96 taker"]
    );
    assert!(late("sell 1 take-profit 103 reduce", "1", candle).is_empty());
    assert_eq!(late("sell 1 take-profit 101 reduce", "1", candle), ["triggered", "sell 1 @ 101 taker"]);
}

#[test]
fn with_finer_candles_latency_costs_one_of_them() {
    let config = VenueConfig { latency_ms: 200, ..plain(PathModel::Pessimistic) };
    let mut bench = Bench::new(config);
    bench.send("buy 1 market");
    let detail = [[100.0, 101.0, 100.0, 100.0], [100.0, 104.0, 97.0, 101.0]];
    assert_eq!(bench.candle_of(BTC, [100.0, 104.0, 97.0, 101.0], 10.0, &detail), ["o1 buy 1 @ 101 taker"]);
    // A cancellation that is on its way lets the order trade.
    bench.send("buy 1 limit 99");
    assert!(bench.candle([101.0, 102.0, 100.0, 101.0]).is_empty());
    assert!(bench.cancel(2).is_empty());
    assert_eq!(bench.candle([101.0, 102.0, 98.0, 99.5]), ["o2 buy 1 @ 99 maker"]);
    bench.send("buy 1 limit 90");
    bench.candle([101.0, 102.0, 100.0, 101.0]);
    assert!(bench.cancel(3).is_empty());
    assert_eq!(bench.candle([101.0, 102.0, 100.0, 101.0]), ["o3 cancelled after 0"]);
}

#[test]
fn takers_slip() {
    let with = |slippage: Slippage, text: &str, candle: [f64; 4], volume: f64| {
        let mut bench = Bench::new(VenueConfig { slippage, ..plain(PathModel::Pessimistic) });
        bench.send(text);
        bench.candle_of(BTC, candle, volume, &[])[0].clone()
    };
    let candle = [100.0, 108.0, 98.0, 104.0];
    let fixed = Slippage::Fixed { fraction: decimal("0.01") };
    assert_eq!(with(fixed, "buy 1 market", candle, 1.0), "o1 buy 1 @ 101 taker");
    assert_eq!(with(fixed, "sell 1 market", candle, 1.0), "o1 sell 1 @ 99 taker");
    // 100.2 is not on the tick: 100.5, against the order.
    let little = Slippage::Fixed { fraction: decimal("0.002") };
    assert_eq!(with(little, "buy 1 market", candle, 1.0), "o1 buy 1 @ 100.5 taker");
    // Never beyond the limit, and a maker does not slip.
    assert_eq!(with(fixed, "buy 1 limit 100.5", candle, 1.0), "o1 buy 1 @ 100.5 taker");
    assert_eq!(with(fixed, "buy 1 limit 99", candle, 1.0), "o1 buy 1 @ 99 maker");
    // Half of an assumed spread of 2 %: 1 %.
    let spread = Slippage::Spread { fraction: decimal("0.5"), assumed: decimal("0.02") };
    assert_eq!(with(spread, "buy 1 market", candle, 1.0), "o1 buy 1 @ 101 taker");
    // 0.25 × (108 − 98) = 2.5
    let volatility = Slippage::Volatility { multiple: decimal("0.25") };
    assert_eq!(with(volatility, "buy 1 market", candle, 1.0), "o1 buy 1 @ 102.5 taker");
    assert_eq!(with(volatility, "sell 1 market", candle, 1.0), "o1 sell 1 @ 97.5 taker");
    // ln(108 / 98) / sqrt(4 ln 2) = 0.0971637 / 1.6651092 = 0.0583528; × sqrt(4 / 16) = 0.0291764: 102.918, up to 103.
    let square_root = Slippage::SquareRoot { coefficient: decimal("1") };
    assert_eq!(with(square_root, "buy 4 market", candle, 16.0), "o1 buy 4 @ 103 taker");
    // A quarter of the quantity, half of the impact: 98.541, down to 98.5.
    assert_eq!(with(square_root, "sell 1 market", candle, 16.0), "o1 sell 1 @ 98.5 taker");
    // A taker's price may lie outside its candle.
    assert_eq!(with(fixed, "buy 1 market", [100.0; 4], 1.0), "o1 buy 1 @ 101 taker");
}

#[test]
fn a_stop_slips_from_its_trigger() {
    let slippage = Slippage::Fixed { fraction: decimal("0.01") };
    let mut bench = Bench::new(VenueConfig { slippage, ..plain(PathModel::Pessimistic) });
    bench.candle([100.0; 4]);
    bench.send("buy 1 stop 102");
    // 102 × 1.01 = 103.02, up to 103.5
    assert_eq!(bench.candle([100.0, 103.0, 99.0, 101.0]), ["o1 triggered", "o1 buy 1 @ 103.5 taker"]);
}

#[test]
fn fees_are_those_of_the_liquidity() {
    let mut terms = super::bench::terms();
    terms[0].maker_fee = decimal("-0.0001");
    let account = trading::account::AccountConfig::default;
    let mut bench = Bench::with(plain(PathModel::Pessimistic), account(), terms, "10000");
    bench.send("buy 2 limit 99");
    bench.candle([100.0, 101.0, 98.0, 100.0]);
    // A rebate: 2 × 99 × −0.0001
    assert_eq!(bench.last_fee(), "-0.0198");
    bench.send("sell 2 market");
    bench.candle([100.0; 4]);
    // 2 × 100 × 0.0006
    assert_eq!(bench.last_fee(), "0.12");
    // 10000 + 2 × (100 − 99) + 0.0198 − 0.12
    assert_eq!(bench.equity(), "10001.8998");
}

#[test]
fn a_spot_purchase_pays_its_fee_in_coin() {
    let mut bench = Bench::new(plain(PathModel::Pessimistic));
    bench.send("spot buy 2 market");
    assert_eq!(bench.candle_of(SPOT, [100.0; 4], 10.0, &[]), ["o1 buy 2 @ 100 taker"]);
    // 2 × 0.0006 coins; what can be sold is 1.9988, on the lot 1.998.
    assert_eq!(bench.last_fee(), "0.0012");
    assert_eq!(bench.send("spot sell 2 market"), "o2 refused InsufficientFunds");
    bench.send("spot sell 2 market reduce");
    assert_eq!(
        bench.candle_of(SPOT, [110.0; 4], 10.0, &[]),
        ["o3 sell 1.998 @ 110 taker", "o3 cancelled after 1.998"]
    );
    // 1.998 × 110 × 0.0006, in quote currency
    assert_eq!(bench.last_fee(), "0.131868");

    let spot_purchase_fee = trading::orders::FeeCurrency::Quote;
    let mut bench = Bench::new(VenueConfig { spot_purchase_fee, ..plain(PathModel::Pessimistic) });
    bench.send("spot buy 2 market");
    bench.candle_of(SPOT, [100.0; 4], 10.0, &[]);
    assert_eq!((bench.last_fee(), bench.equity()), ("0.12".to_owned(), "9999.88".to_owned()));
}
