//! Cards about orders that meet something else on their way: a halt, another fill, a number that is not known yet.

use super::desk::{BTC, Desk, SPOT, decimal, wide};
use super::{FLAT, half, stop};
use crate::account::PositionMode;
use crate::engine::{EntryStyle, Event, Notice, OnHalt};
use crate::exit::{ExitPlan, StopRule};
use crate::order::{PositionSide, Purpose};
use crate::orders::VenueOrderStatus;
use crate::risk::{HaltAction, HaltReason, RiskLimits, RiskState};
use crate::strategy::TargetPosition;

fn unable(desk: &Desk) -> usize {
    desk.notices.iter().filter(|notice| matches!(notice, Notice::Unable { .. })).count()
}

#[test]
fn what_is_left_by_ranges_is_not_entered_before_one_is_known() {
    let plan = ExitPlan { stop: Some(StopRule::Atr { multiple: 2.0 }), ..ExitPlan::default() };
    let range = [100.0, 102.0, 98.0, 100.0];
    let mut desk = Desk::new("1000", |_| {});
    // The average true range of this desk takes two true ranges, and the first needs a close before it.
    for candles in [1, 2] {
        desk.want(BTC, half(), Some(plan)).candle(range);
        assert_eq!((desk.orders().len(), unable(&desk)), (0, candles));
    }
    desk.want(BTC, half(), Some(plan)).candle(range).fill(Purpose::Entry, "100", "5");
    assert_eq!(desk.orders(), ["stoploss: sell 5 stop 92"]);
}

fn resting(config: &mut crate::engine::EngineConfig) {
    config.execution.entry = EntryStyle::Limit { offset: 0.0, post_only: false };
    config.execution.entry_candles = 9;
}

#[test]
fn an_entry_stands_for_as_many_candles_as_it_may() {
    for candles in [1, 3] {
        let mut desk = Desk::new("1000", |config| {
            resting(config);
            config.execution.entry_candles = candles;
        });
        desk.want(BTC, half(), None).candle(FLAT);
        for _ in 1..candles {
            desk.candle(FLAT);
            assert_eq!(desk.orders(), ["entry: buy 5 limit 100"], "{candles}");
        }
        desk.candle(FLAT);
        assert!(desk.orders().is_empty(), "{candles}");
    }
}

/// A share of equity comes to another quantity at each price; an order that is nearly right keeps its place in the queue.
#[test]
fn an_entry_that_is_nearly_right_stays() {
    let mut desk = Desk::new("1000", resting);
    desk.want(BTC, half(), None).candle(FLAT);
    let first = desk.last(Purpose::Entry).client_order_id;
    desk.want(BTC, half(), None).candle([100.0, 101.0, 100.0, 101.0]);
    assert_eq!((desk.orders().len(), desk.last(Purpose::Entry).client_order_id), (1, first));
    // Twice the share is another matter: taken back now, and asked for again when it is gone.
    desk.want(BTC, TargetPosition::Exposure(1.0), None).candle(FLAT);
    assert!(desk.orders().is_empty());
}

#[test]
fn a_loss_of_the_day_takes_back_entries_on_their_way() {
    let mut desk = Desk::new("1000", |config| {
        resting(config);
        config.limits =
            RiskLimits { daily_loss: decimal("0.05"), daily_loss_action: HaltAction::Reduce, ..wide() };
    });
    desk.both(FLAT);
    desk.want(BTC, TargetPosition::Exposure(1.0), None).candle(FLAT).fill(Purpose::Entry, "100", "10");
    desk.want(SPOT, TargetPosition::Exposure(0.1), None).candle_of(SPOT, FLAT);
    assert_eq!(desk.orders(), ["entry: buy 1 limit 100"]);
    desk.candle([100.0, 100.0, 94.0, 94.0]);
    assert_eq!(desk.engine.gate().state(), RiskState::Reducing(HaltReason::DailyLoss));
    assert!(desk.orders().is_empty(), "{:?}", desk.orders());
}

#[test]
fn an_entry_that_fills_after_a_halt_has_its_stop() {
    let mut desk = Desk::new("1000", |config| {
        resting(config);
        config.execution.on_halt = OnHalt::Keep;
        config.limits = RiskLimits { drawdown: decimal("0.05"), ..wide() };
    });
    desk.both(FLAT);
    desk.want(BTC, TargetPosition::Exposure(1.0), None).candle(FLAT).fill(Purpose::Entry, "100", "10");
    desk.want(SPOT, TargetPosition::Exposure(0.1), Some(stop(0.1))).candle_of(SPOT, FLAT);
    desk.confirms_cancels = false;
    desk.candle([100.0, 100.0, 94.0, 94.0]);
    assert_eq!(desk.engine.gate().state(), RiskState::Halted(HaltReason::Drawdown));
    desk.fill(Purpose::Entry, "100", "1");
    assert_eq!(desk.orders(), ["stoploss: sell 1 stop 90"]);
}

#[test]
fn a_close_that_trades_piece_by_piece_is_not_refused() {
    let mut desk = Desk::new("1000", |config| config.execution.protection_attempts = 1);
    desk.want(BTC, half(), None).candle(FLAT).fill(Purpose::Entry, "100", "5");
    desk.want(BTC, TargetPosition::Flat, None).candle(FLAT);
    for left in ["4", "3", "2", "1"] {
        desk.fill(Purpose::Close, "100", "1");
        let intent = desk.last(Purpose::Close);
        desk.snapshot(intent, VenueOrderStatus::Expired, "1", &[]);
        assert_eq!(desk.orders(), [format!("close: sell {left} market")]);
    }
    assert_eq!(unable(&desk), 0);
    // A venue that cancels it untraded each time is not asked for ever.
    for working in [1, 0] {
        let intent = desk.last(Purpose::Close);
        desk.snapshot(intent, VenueOrderStatus::Cancelled, "0", &[]);
        assert_eq!(desk.orders().len(), working);
    }
    assert_eq!(unable(&desk), 1);
}

/// A long and a short position that are open at once, because the first entry's cancellation came too late.
fn hedged(long: &str, short: &str) -> Desk {
    let mut desk = Desk::new("1000", |config| {
        resting(config);
        config.account.position_mode = PositionMode::Hedge;
    });
    desk.confirms_cancels = false;
    let share = |quantity: &str| quantity.parse::<f64>().unwrap() / 10.0;
    desk.want(BTC, TargetPosition::Exposure(share(long)), None).candle(FLAT);
    let buy = desk.last(Purpose::Entry);
    desk.want(BTC, TargetPosition::Exposure(-share(short)), None).candle(FLAT);
    let sell = desk.last(Purpose::Entry);
    let fill = desk.execution(&buy, "100", long, "0");
    desk.report(buy, crate::orders::OrderReportKind::Fill(fill)).unwrap();
    let fill = desk.execution(&sell, "100", short, "0");
    desk.report(sell, crate::orders::OrderReportKind::Fill(fill)).unwrap();
    assert_eq!(desk.position(BTC, PositionSide::Long), long);
    assert_eq!(desk.position(BTC, PositionSide::Short), format!("-{short}"));
    desk
}

#[test]
fn funding_of_both_sides_is_that_of_each() {
    for (long, short, expected) in [("2", "1", ["-2", "1"]), ("1", "1", ["-1", "1"]), ("1", "3", ["-1", "3"])]
    {
        let mut desk = hedged(long, short);
        let time = desk.time();
        // 1 for each coin.
        let funding =
            Event::Funding { time, instrument: BTC, rate: decimal("0.01"), mark_price: decimal("100") };
        desk.step(funding).unwrap();
        desk.want(BTC, TargetPosition::Flat, None);
        let time = desk.time();
        desk.step(Event::Kill { time, reason: crate::risk::KillReason::Operator }).unwrap();
        for (intent, quantity) in desk.working() {
            if intent.purpose == Purpose::Close {
                desk.fill_order(&intent, "100", &quantity.to_string());
            }
        }
        let found: Vec<String> =
            desk.trades().iter().map(|trade| trade.funding.normalize().to_string()).collect();
        assert_eq!(found, expected, "{long} long and {short} short");
    }
}

#[test]
fn what_makes_the_net_smaller_reduces_the_side_that_has_it() {
    // Net short by 2: buying makes the short position smaller, not the long one.
    let mut desk = hedged("1", "3");
    desk.want(BTC, TargetPosition::Exposure(-0.1), None).candle(FLAT);
    let reduction = desk.last(Purpose::Reduction);
    assert_eq!((reduction.position_side, reduction.quantity), (PositionSide::Short, decimal("1")));
}
