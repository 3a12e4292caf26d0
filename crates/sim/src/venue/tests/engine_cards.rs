//! Cards of engine and venue together: what the strategy wants, candles, trades and money. 1000 USDT; fees 0.0002 and 0.0006.

use trading::account::MarginMode;
use trading::exit::{ExitPlan, ProfitRule, ProfitTarget, StopRule};
use trading::{EngineConfig, EntryStyle};

use super::bench::{BTC, ETH, decimal, plain};
use super::desk::Desk;
use crate::venue::{LiquidationPrice, PathModel, VenueConfig};

const FLAT: [f64; 4] = [100.0; 4];

/// A stop 5 % below the entry and, where `target` is above 0, all of it sold that much above.
fn exits(target: f64) -> Option<ExitPlan> {
    let rung = ProfitTarget { distance: ProfitRule::Fraction(target), share: 1.0 };
    let targets = [(target > 0.0).then_some(rung), None, None, None];
    Some(ExitPlan { stop: Some(StopRule::Fraction(0.05)), targets, ..ExitPlan::default() })
}

fn limit_entry(config: &mut EngineConfig) {
    config.execution.entry = EntryStyle::Limit { offset: 0.02, post_only: false };
}

#[test]
fn an_entry_and_its_stop_in_the_same_candle() {
    for path in [PathModel::Pessimistic, PathModel::Adaptive] {
        let mut desk = Desk::new(plain(path), "1000", |_| {});
        assert!(desk.want(BTC, 0.5, exits(0.0)).candle(FLAT).is_empty());
        // 0.5 × 1000 / 100 = 5, bought at the open; the stop at 95 is met in the same hour.
        let trades = desk.candle([100.0, 101.0, 94.0, 96.0]);
        assert_eq!(trades, ["entry: buy 5 @ 100 taker", "stoploss: sell 5 @ 95 taker"]);
        // 5 × −5 − 500 × 0.0006 − 475 × 0.0006 = −25 − 0.3 − 0.285
        assert_eq!((desk.equity(), desk.profits()), ("974.415".to_owned(), vec!["-25.585".to_owned()]));
        assert_eq!(desk.venue.open_orders(), 0);
    }
}

#[test]
fn stop_and_target_in_the_candle_of_the_entry() {
    // The target of 104 lies 5 below the high, the stop of 95 one above the low; the high is nearer to the open.
    let candle = [100.0, 105.0, 94.0, 100.0];
    let run = |path: PathModel| {
        let mut desk = Desk::new(plain(path), "1000", |_| {});
        desk.want(BTC, 0.5, exits(0.04)).candle(FLAT);
        let trades = desk.candle(candle);
        assert_eq!(desk.venue.open_orders(), 0);
        (trades[1].clone(), desk.equity())
    };
    assert_eq!(run(PathModel::Pessimistic), ("stoploss: sell 5 @ 95 taker".to_owned(), "974.415".to_owned()));
    // 5 × 4 − 0.3 − 520 × 0.0002 = 19.596
    assert_eq!(
        run(PathModel::Adaptive),
        ("takeprofit(0): sell 5 @ 104 maker".to_owned(), "1019.596".to_owned())
    );
}

#[test]
fn a_target_is_not_reached_by_a_high_that_may_have_come_before_the_entry() {
    // 0.5 × 1000 / 100 = 5, by a limit order 2 % below 100; its target is 98 × 1.04 = 101.92, on the tick 102.
    let run = |path: PathModel, close: f64| {
        let mut desk = Desk::new(plain(path), "1000", limit_entry);
        desk.want(BTC, 0.5, exits(0.04)).candle(FLAT);
        desk.candle([100.0, 104.0, 97.0, close])
    };
    let entry = "entry: buy 5 @ 98 maker";
    let target = "takeprofit(0): sell 5 @ 102 maker";
    // The low comes first on the adaptive path, so that the high comes after the entry.
    assert_eq!(run(PathModel::Adaptive, 100.0), [entry, target]);
    assert_eq!(run(PathModel::Pessimistic, 100.0), [entry]);
    // It closes beyond the target, so that the price came there after the entry whatever the path.
    assert_eq!(run(PathModel::Pessimistic, 103.0), [entry, target]);
}

#[test]
fn a_limit_entry_and_its_stop_on_the_way_to_the_same_extreme() {
    // Sold at 102 on the way up; the stop of 102 × 1.05 = 107.1, on the tick 107, lies before the high, whatever the path.
    for path in [PathModel::Pessimistic, PathModel::Adaptive] {
        let mut desk = Desk::new(plain(path), "1000", limit_entry);
        desk.want(BTC, -0.5, exits(0.0)).candle(FLAT);
        let trades = desk.candle([100.0, 108.0, 99.0, 100.0]);
        assert_eq!(trades, ["entry: sell 5 @ 102 maker", "stoploss: buy 5 @ 107 taker"], "{path:?}");
    }
}

#[test]
fn isolated_liquidation_loses_the_margin_and_no_more() {
    let mut desk = Desk::new(plain(PathModel::Pessimistic), "1000", |_| {});
    desk.want(BTC, 5.0, None).candle(FLAT);
    // 50 at 100, margin 500. Due at (5000 − 500) / (50 × 0.995) = 90.452…, bankrupt at 90.
    assert_eq!(desk.candle(FLAT), ["entry: buy 50 @ 100 taker"]);
    assert!(desk.candle([100.0, 100.0, 90.5, 95.0]).is_empty());
    assert_eq!(desk.candle([95.0, 96.0, 90.0, 95.0]), ["liquidation: sell 50 @ 90 taker"]);
    // 1000 − 500 − 5000 × 0.0006
    assert_eq!(desk.equity(), "497");
}

#[test]
fn liquidation_at_maintenance_pays_its_fee() {
    let liquidation = LiquidationPrice::Maintenance { fee: decimal("0.001") };
    let config = VenueConfig { liquidation, ..plain(PathModel::Pessimistic) };
    let mut desk = Desk::new(config.clone(), "1000", |_| {});
    desk.want(BTC, 5.0, None).candle(FLAT);
    desk.candle(FLAT);
    // It opens beyond 90.452, at 90, where all of the margin is lost: the venue bears the fee of 4.5.
    assert_eq!(desk.candle([90.0, 91.0, 90.0, 90.5]), ["liquidation: sell 50 @ 90 taker"]);
    assert_eq!(desk.equity(), "497");
    let mut desk = Desk::new(config, "1000", |_| {});
    desk.want(BTC, 5.0, None).candle(FLAT);
    desk.candle(FLAT);
    // (5000 − 500) / 49.75 = 90.4522613065326…, toward the worse side at 12 places.
    assert_eq!(desk.candle([95.0, 96.0, 90.0, 95.0]), ["liquidation: sell 50 @ 90.452261306532 taker"]);
    // 1000 − 3 + 50 × (90.452261306532 − 100) − 4522.6130653266 × 0.001 = 997 − 477.3869346734 − 4.522613065327
    assert_eq!(desk.equity(), "515.090452261273");
}

#[test]
fn cross_liquidation_takes_all_there_is() {
    let cross = |config: &mut EngineConfig| config.account.margin_mode = MarginMode::Cross;
    let mut desk = Desk::new(plain(PathModel::Pessimistic), "1000", cross);
    desk.want(BTC, 5.0, None).candle(FLAT);
    assert_eq!(desk.candle(FLAT), ["entry: buy 50 @ 100 taker"]);
    // Cash 997. Due where 997 + 50 P − 5000 = 0.25 P: 4003 / 49.75 = 80.462…; bankrupt at 4003 / 50 = 80.06.
    assert!(desk.candle([100.0, 100.0, 80.5, 85.0]).is_empty());
    assert_eq!(desk.candle([85.0, 86.0, 80.0, 85.0]), ["liquidation: sell 50 @ 80.06 taker"]);
    assert_eq!(desk.equity(), "0");
}

#[test]
fn cross_liquidation_reaches_the_other_position() {
    let cross = |config: &mut EngineConfig| config.account.margin_mode = MarginMode::Cross;
    let mut desk = Desk::new(plain(PathModel::Pessimistic), "1000", cross);
    desk.want(BTC, 5.0, None).want(ETH, 1.0, None).candles(&[(BTC, FLAT), (ETH, FLAT)]);
    assert_eq!(
        desk.candles(&[(BTC, FLAT), (ETH, FLAT)]),
        ["entry: buy 50 @ 100 taker", "entry: buy 10 @ 100 taker"]
    );
    // Cash 1000 − 3 − 0.6 = 996.4. The maintenance of ETH is 5: due at (5000 − 996.4 + 5) / 49.75 = 80.575…; all of it is lost at
    // (5000 − 996.4) / 50 = 80.072. ETH is then due at its mark with nothing behind it: bankrupt at its mark of 100.
    let trades = desk.candles(&[(BTC, [85.0, 86.0, 80.5, 85.0]), (ETH, FLAT)]);
    assert_eq!(trades, ["liquidation: sell 50 @ 80.072 taker", "liquidation: sell 10 @ 100 taker"]);
    assert_eq!(desk.equity(), "0");
}

#[test]
fn a_close_larger_than_the_volume_goes_on_and_ends() {
    let config = VenueConfig { volume_share: Some(decimal("0.002")), ..plain(PathModel::Pessimistic) };
    let mut desk = Desk::new(config, "1000", |_| {});
    // 0.002 × 1000 = 2 in each hour; the entry is immediate or stands one candle, the close is sent again.
    desk.want(BTC, 0.5, None).candle(FLAT);
    let bought = desk.candle(FLAT);
    assert_eq!(bought, ["entry: buy 2 @ 100 taker"]);
    desk.want(BTC, 0.0, None).candle(FLAT);
    let mut sold = Vec::new();
    for _ in 0..4 {
        sold.extend(desk.candle(FLAT));
    }
    assert!(!sold.is_empty() && sold.iter().all(|trade| trade.contains("sell")), "{sold:?}");
    assert!(desk.engine.account().is_flat());
    assert_eq!(desk.venue.open_orders(), 0);
}

#[test]
fn latency_without_finer_candles_buys_the_high_and_meets_the_low() {
    let config = VenueConfig { latency_ms: 200, ..plain(PathModel::Adaptive) };
    let mut desk = Desk::new(config, "1000", |_| {});
    desk.want(BTC, 0.5, exits(0.0)).candle(FLAT);
    // 104 × 0.95 = 98.8, up to the tick: 99.
    let trades = desk.candle([100.0, 104.0, 97.0, 101.0]);
    assert_eq!(trades, ["entry: buy 5 @ 104 taker", "stoploss: sell 5 @ 99 taker"]);
    // The stop is held against the 104 of the entry, not against the open: 104 × 0.98 = 101.92, up to the tick: 102.
    let config = VenueConfig { latency_ms: 200, ..plain(PathModel::Adaptive) };
    let mut desk = Desk::new(config, "1000", |_| {});
    let near = ExitPlan { stop: Some(StopRule::Fraction(0.02)), ..ExitPlan::default() };
    desk.want(BTC, 0.5, Some(near)).candle(FLAT);
    let trades = desk.candle([100.0, 104.0, 97.0, 101.0]);
    assert_eq!(trades, ["entry: buy 5 @ 104 taker", "stoploss: sell 5 @ 102 taker"]);
}
