//! Hand-checked cards: events in, orders and money out. Prices in USDT; tick 0.5, lot 0.001; no fees but where one is stated.

mod desk;
mod limits;
mod overlaps;
mod properties;

use rust_decimal::Decimal;

use self::desk::{BTC, Desk, SPOT, decimal};
use crate::account::{MarginMode, PositionMode};
use crate::engine::{EntryStyle, Event, Notice, OnHalt};
use crate::exit::{
    BreakEven, CloseReason, ExitPlan, ProfitRule, ProfitTarget, StopRule, TimeStop, TrailingStop,
};
use crate::order::{PositionSide, Purpose};
use crate::orders::{OrderReportKind, OrderStatus, RejectReason, VenueOrderStatus};
use crate::risk::{HaltAction, HaltReason, KillReason, RiskLimits, RiskState};
use crate::strategy::{Edge, Stance, TargetPosition, Vote, Voter};

const FLAT: [f64; 4] = [100.0; 4];

fn stop(fraction: f64) -> ExitPlan {
    ExitPlan { stop: Some(StopRule::Fraction(fraction)), ..ExitPlan::default() }
}

fn half() -> TargetPosition {
    TargetPosition::Exposure(0.5)
}

#[test]
fn an_entry_is_sized_by_equity_and_protected_when_it_fills() {
    let mut desk = Desk::new("1000", |_| {});
    desk.want(BTC, half(), Some(stop(0.1))).candle(FLAT);
    // 0.5 × 1000 / 100 = 5
    assert_eq!(desk.orders(), ["entry: buy 5 market"]);
    desk.fill_with_fee(Purpose::Entry, "101", "5", "0.0006");
    // fee 101 × 5 × 0.0006 = 0.303; marked at its own price until the next candle closes
    assert_eq!(desk.equity(), "999.697");
    // 101 × 0.9 = 90.9, up to the grid: 91
    assert_eq!(desk.orders(), ["stoploss: sell 5 stop 91"]);
    desk.fill_with_fee(Purpose::StopLoss, "90.5", "5", "0.0006");
    // 5 × (90.5 − 101) = −52.5; fees 0.303 + 0.2715
    assert_eq!(desk.equity(), "946.9255");
    let trade = &desk.trades()[0];
    assert_eq!((trade.gross, trade.fees), (decimal("-52.5"), decimal("0.5745")));
    assert_eq!((trade.net, trade.exit), (decimal("-53.0745"), Purpose::StopLoss));
    assert!(desk.orders().is_empty());
}

#[test]
fn a_second_trade_is_not_valued_at_the_mark_of_the_first() {
    let mut desk = Desk::new("1000", |_| {});
    desk.want(BTC, half(), None).candle(FLAT).fill(Purpose::Entry, "100", "5");
    desk.want(BTC, TargetPosition::Flat, None).candle(FLAT).fill(Purpose::Close, "100", "5");
    desk.candle([100.0, 200.0, 100.0, 200.0]);
    desk.want(BTC, half(), None).candle([200.0; 4]).fill(Purpose::Entry, "200", "2.5");
    assert_eq!(desk.equity(), "1000");
}

#[test]
fn a_ladder_of_targets_shrinks_the_stop_with_each_rung() {
    let rung =
        |distance: f64, share: f64| Some(ProfitTarget { distance: ProfitRule::Fraction(distance), share });
    let plan = ExitPlan { targets: [rung(0.05, 0.5), rung(0.1, 0.25), None, None], ..stop(0.1) };
    let mut desk = Desk::new("1000", |_| {});
    desk.want(BTC, half(), Some(plan)).candle(FLAT).fill(Purpose::Entry, "100", "5");
    assert_eq!(
        desk.orders(),
        ["stoploss: sell 5 stop 90", "rung 0: sell 2.5 limit 105", "rung 1: sell 1.25 limit 110"]
    );
    desk.fill(Purpose::TakeProfit(0), "105", "2.5");
    assert_eq!(desk.orders(), ["rung 1: sell 1.25 limit 110", "stoploss: sell 2.5 stop 90"]);
    desk.fill(Purpose::TakeProfit(1), "110", "1.25");
    assert_eq!(desk.orders(), ["stoploss: sell 1.25 stop 90"]);
    desk.fill(Purpose::StopLoss, "90", "1.25");
    // 2.5 × 5 + 1.25 × 10 − 1.25 × 10 = 12.5
    assert_eq!((desk.equity(), desk.orders().len()), ("1012.5".to_owned(), 0));
    // exit notional (262.5 + 137.5 + 112.5) / 5
    assert_eq!(desk.trades()[0].exit_price, decimal("102.5"));
}

#[test]
fn a_rung_that_fills_in_parts_is_left_standing() {
    let plan = ExitPlan {
        targets: [Some(ProfitTarget { distance: ProfitRule::Fraction(0.05), share: 1.0 }), None, None, None],
        ..stop(0.1)
    };
    let mut desk = Desk::new("1000", |_| {});
    desk.want(BTC, half(), Some(plan)).candle(FLAT).fill(Purpose::Entry, "100", "5");
    desk.fill(Purpose::TakeProfit(0), "105", "2");
    assert_eq!(desk.orders(), ["rung 0: sell 3 limit 105", "stoploss: sell 3 stop 90"]);
}

#[test]
fn a_trailing_stop_follows_and_keeps_its_place_over_a_gap() {
    let trailing = TrailingStop { distance: StopRule::Fraction(0.05), activation: None };
    let plan = ExitPlan { trailing: Some(trailing), ..ExitPlan::default() };
    let mut desk = Desk::new("1000", |_| {});
    desk.want(BTC, half(), Some(plan)).candle(FLAT).fill(Purpose::Entry, "100", "5");
    assert_eq!(desk.orders(), ["stoploss: sell 5 stop 95"]);
    // The high of 120 moves it to 114, from the next candle on.
    desk.candle([100.0, 120.0, 100.0, 118.0]);
    assert_eq!(desk.orders(), ["stoploss: sell 5 stop 114"]);
    // The next candle opens at 108, below the stop: it does not move, and fills where the market is.
    desk.candle([108.0, 109.0, 107.0, 108.0]);
    assert_eq!(desk.orders(), ["stoploss: sell 5 stop 114"]);
    desk.fill(Purpose::StopLoss, "108", "5");
    assert_eq!(desk.equity(), "1040");
}

#[test]
fn break_even_moves_the_stop_once_the_profit_was_seen() {
    let break_even = BreakEven { activation: ProfitRule::Fraction(0.03), offset: 0.005 };
    let plan = ExitPlan { break_even: Some(break_even), ..stop(0.1) };
    let mut desk = Desk::new("1000", |_| {});
    desk.want(BTC, half(), Some(plan)).candle(FLAT).fill(Purpose::Entry, "100", "5");
    desk.candle([100.0, 102.0, 99.0, 101.0]);
    assert_eq!(desk.orders(), ["stoploss: sell 5 stop 90"]);
    // 103 was reached: 100 × 1.005 = 100.5
    desk.candle([101.0, 103.0, 101.0, 102.0]);
    assert_eq!(desk.orders(), ["stoploss: sell 5 stop 100.5"]);
}

#[test]
fn a_partial_fill_then_cancel_leaves_a_protected_rest() {
    let mut desk = Desk::new("1000", |config| {
        config.execution.entry = EntryStyle::Limit { offset: 0.0, post_only: false };
    });
    desk.want(BTC, half(), Some(stop(0.1))).candle(FLAT);
    assert_eq!(desk.orders(), ["entry: buy 5 limit 100"]);
    desk.fill(Purpose::Entry, "100", "2");
    assert_eq!(desk.orders(), ["entry: buy 3 limit 100", "stoploss: sell 2 stop 90"]);
    // The entry stands for one candle; after the second it is stale.
    desk.candle(FLAT).candle(FLAT);
    assert_eq!(desk.orders(), ["stoploss: sell 2 stop 90"]);
    assert_eq!(desk.position(BTC, PositionSide::Net), "2");
}

#[test]
fn a_late_fill_after_the_cancel_is_accounted_and_protected() {
    let mut desk = Desk::new("1000", |config| {
        config.execution.entry = EntryStyle::Limit { offset: 0.0, post_only: false };
    });
    desk.want(BTC, half(), Some(stop(0.1))).candle(FLAT);
    desk.candle(FLAT).candle(FLAT);
    assert!(desk.orders().is_empty());
    desk.fill(Purpose::Entry, "100", "1.5");
    assert_eq!(desk.position(BTC, PositionSide::Net), "1.5");
    let status = desk.engine.orders().get(desk.last(Purpose::Entry).client_order_id).unwrap().status;
    assert_eq!(status, OrderStatus::Cancelled);
    assert_eq!(desk.orders(), ["stoploss: sell 1.5 stop 90"]);
}

#[test]
fn a_duplicate_execution_is_accounted_once() {
    let mut desk = Desk::new("1000", |_| {});
    desk.want(BTC, half(), None).candle(FLAT);
    let intent = desk.last(Purpose::Entry);
    let fill = desk.execution(&intent, "100", "5", "0.0006");
    for _ in 0..3 {
        desk.report(intent, OrderReportKind::Fill(fill)).unwrap();
    }
    assert_eq!((desk.position(BTC, PositionSide::Net), desk.equity()), ("5".to_owned(), "999.7".to_owned()));
}

#[test]
fn an_unknown_request_is_asked_about_and_found_filled() {
    let mut desk = Desk::new("1000", |_| {});
    desk.want(BTC, half(), None).candle(FLAT);
    let intent = desk.last(Purpose::Entry);
    desk.report(intent, OrderReportKind::CancelTimedOut).unwrap();
    let fill = desk.execution(&intent, "100", "5", "0");
    desk.snapshot(intent, VenueOrderStatus::Filled, "5", &[fill]);
    assert_eq!(desk.position(BTC, PositionSide::Net), "5");
    assert!(desk.orders().is_empty());
}

#[test]
fn a_flip_closes_and_opens() {
    let mut desk = Desk::new("1000", |_| {});
    desk.want(BTC, half(), None).candle(FLAT).fill(Purpose::Entry, "100", "5");
    desk.want(BTC, TargetPosition::Exposure(-0.5), None).candle([100.0, 104.0, 100.0, 104.0]);
    // equity 1000 + 5 × 4 = 1020; 0.5 × 1020 / 104 = 4.9038…
    assert_eq!(desk.orders(), ["close: sell 5 market"]);
    // The entry follows when the close has freed its margin.
    desk.fill(Purpose::Close, "104", "5");
    assert_eq!(desk.orders(), ["entry: sell 4.903 market"]);
    desk.fill(Purpose::Entry, "104", "4.903");
    assert_eq!(
        (desk.position(BTC, PositionSide::Net), desk.equity()),
        ("-4.903".to_owned(), "1020".to_owned())
    );
    assert_eq!(desk.trades()[0].reason, Some(CloseReason::OppositeSignal));
}

#[test]
fn hedge_mode_keeps_both_sides_apart() {
    let mut desk = Desk::new("1000", |config| config.account.position_mode = PositionMode::Hedge);
    desk.want(BTC, half(), None).candle(FLAT).fill(Purpose::Entry, "100", "5");
    assert_eq!(desk.position(BTC, PositionSide::Long), "5");
    desk.want(BTC, TargetPosition::Exposure(-0.5), None).candle(FLAT);
    desk.fill(Purpose::Close, "100", "5").fill(Purpose::Entry, "100", "5");
    assert_eq!(
        (desk.position(BTC, PositionSide::Long), desk.position(BTC, PositionSide::Short)),
        ("0".to_owned(), "-5".to_owned())
    );
}

#[test]
fn funding_is_paid_by_the_position_and_shown_in_its_trade() {
    let mut desk = Desk::new("1000", |_| {});
    desk.want(BTC, half(), None).candle(FLAT).fill(Purpose::Entry, "100", "5");
    let time = desk.time();
    // Long pays 5 × 102 × 0.0001 = 0.051
    let event = Event::Funding { time, instrument: BTC, rate: decimal("0.0001"), mark_price: decimal("102") };
    desk.step(event).unwrap();
    assert_eq!(desk.equity(), "999.949");
    desk.want(BTC, TargetPosition::Flat, None).candle(FLAT).fill(Purpose::Close, "100", "5");
    let trade = &desk.trades()[0];
    assert_eq!((trade.funding, trade.net), (decimal("-0.051"), decimal("-0.051")));
    assert_eq!(trade.reason, Some(CloseReason::Decision));
}

#[test]
fn a_liquidation_by_the_venue_ends_the_trade_and_its_orders() {
    let mut desk = Desk::new("1000", |config| config.account.margin_mode = MarginMode::Isolated);
    desk.want(BTC, half(), Some(stop(0.2))).candle(FLAT).fill(Purpose::Entry, "100", "5");
    assert_eq!(desk.orders(), ["stoploss: sell 5 stop 80"]);
    // Margin 5 × 100 / 10 = 50: at 90 it is gone; what is lost beyond (5 × 11 = 55 − 50) the venue bears.
    let mut fill = desk.execution(&desk.last(Purpose::StopLoss), "89", "5", "0");
    (fill.client_order_id, fill.purpose) = (None, Purpose::Liquidation);
    // The venue may say it twice.
    desk.step(Event::Liquidation(fill)).unwrap();
    desk.step(Event::Liquidation(fill)).unwrap();
    assert_eq!((desk.equity(), desk.orders().len()), ("950".to_owned(), 0));
    assert_eq!(desk.trades()[0].exit, Purpose::Liquidation);
}

#[test]
fn a_daily_loss_halts_closes_and_lets_no_entry_pass() {
    let mut desk = Desk::new("1000", |config| {
        config.limits =
            RiskLimits { daily_loss: decimal("0.05"), daily_loss_action: HaltAction::Halt, ..desk::wide() };
    });
    desk.want(BTC, TargetPosition::Exposure(1.0), None).candle(FLAT).fill(Purpose::Entry, "100", "10");
    // 10 × (94 − 100) = −60: more than 5 % of the 1000 that the day began with.
    desk.candle([100.0, 100.0, 94.0, 94.0]);
    assert_eq!(desk.engine.gate().state(), RiskState::Halted(HaltReason::DailyLoss));
    assert_eq!(desk.orders(), ["close: sell 10 market"]);
    desk.fill(Purpose::Close, "94", "10");
    desk.want(BTC, half(), None).candle([94.0; 4]);
    assert!(desk.orders().is_empty());
    // Nobody even asks the gate.
    assert!(!desk.notices.iter().any(|notice| matches!(notice, Notice::Refused { .. })));
}

#[test]
fn the_kill_switch_cancels_entries_and_closes() {
    let mut desk = Desk::new("1000", |config| {
        config.execution.entry = EntryStyle::Limit { offset: 0.01, post_only: true };
        config.execution.entry_candles = 5;
    });
    desk.want(BTC, half(), Some(stop(0.1))).candle(FLAT);
    assert_eq!(desk.orders(), ["entry: buy 5 limit 99"]);
    desk.fill(Purpose::Entry, "99", "2");
    assert_eq!(desk.orders(), ["entry: buy 3 limit 99", "stoploss: sell 2 stop 89.5"]);
    let time = desk.time();
    desk.step(Event::Kill { time, reason: KillReason::Operator }).unwrap();
    // The stop stays until the position is gone: the close could be refused.
    assert_eq!(desk.orders(), ["stoploss: sell 2 stop 89.5", "close: sell 2 market"]);
    desk.fill(Purpose::Close, "99", "2");
    assert!(desk.orders().is_empty());
    desk.want(BTC, half(), None).candle(FLAT);
    assert!(desk.orders().is_empty());
    let time = desk.time();
    desk.step(Event::Resume { time }).unwrap();
    desk.want(BTC, half(), None).candle(FLAT);
    assert_eq!(desk.orders().len(), 1);
}

#[test]
fn a_fill_that_was_on_its_way_when_trading_was_killed_is_closed() {
    let mut desk = Desk::new("1000", |_| {});
    desk.want(BTC, half(), Some(stop(0.1))).candle(FLAT);
    desk.confirms_cancels = false;
    let time = desk.time();
    desk.step(Event::Kill { time, reason: KillReason::Operator }).unwrap();
    desk.fill(Purpose::Entry, "100", "5");
    assert_eq!(desk.orders(), ["close: sell 5 market"]);
}

#[test]
fn extremes_from_before_a_fill_inside_a_candle_move_no_stop() {
    let trailing = TrailingStop { distance: StopRule::Fraction(0.05), activation: None };
    let plan = ExitPlan { trailing: Some(trailing), ..ExitPlan::default() };
    let mut desk = Desk::new("1000", |_| {});
    desk.want(BTC, half(), Some(plan)).candle(FLAT);
    let intent = desk.last(Purpose::Entry);
    let mut fill = desk.execution(&intent, "100", "5", "0");
    // Ten minutes into the candle, whose high of 120 may have come before.
    fill.time = fill.time.plus_millis(600_000);
    desk.report(intent, OrderReportKind::Fill(fill)).unwrap();
    desk.candle([100.0, 120.0, 99.0, 104.0]);
    // The close is sure: 104 × 0.95 = 98.8, up to the grid.
    assert_eq!(desk.orders(), ["stoploss: sell 5 stop 99"]);
}

#[test]
fn positions_may_be_kept_with_their_stops_when_halted() {
    let mut desk = Desk::new("1000", |config| config.execution.on_halt = OnHalt::Keep);
    desk.want(BTC, half(), Some(stop(0.1))).candle(FLAT).fill(Purpose::Entry, "100", "5");
    let time = desk.time();
    desk.step(Event::Kill { time, reason: KillReason::Operator }).unwrap();
    assert_eq!(desk.orders(), ["stoploss: sell 5 stop 90"]);
}

#[test]
fn what_is_below_the_minimum_notional_is_refused_in_words() {
    let mut desk = Desk::new("1000", |_| {});
    // 0.004 × 1000 / 100 = 0.04: 4 USDT, and 5 are the least.
    desk.want(BTC, TargetPosition::Exposure(0.004), None).candle(FLAT);
    assert!(desk.orders().is_empty());
    let refused = desk.notices.iter().find_map(|notice| match notice {
        Notice::Refused { refusal, approved, .. } => Some((refusal.to_string(), *approved)),
        _ => None,
    });
    let (text, approved) = refused.unwrap();
    assert!(text.contains('5') && approved == Decimal::ZERO, "{text}");
}

#[test]
fn a_stop_larger_than_the_position_only_closes_it() {
    let mut desk = Desk::new("1000", |_| {});
    desk.want(BTC, half(), Some(stop(0.1))).candle(FLAT).fill(Purpose::Entry, "100", "5");
    desk.confirms_cancels = false;
    desk.want(BTC, TargetPosition::Exposure(0.2), None).candle(FLAT);
    assert_eq!(desk.orders(), ["stoploss: sell 5 stop 90", "reduction: sell 3 market"]);
    desk.fill(Purpose::Reduction, "100", "3");
    // The new stop is there before the old one's cancellation is confirmed.
    assert_eq!(desk.orders(), ["stoploss: sell 5 stop 90", "stoploss: sell 2 stop 90"]);
    assert_eq!(desk.position(BTC, PositionSide::Net), "2");
}

#[test]
fn a_refused_stop_is_sent_again_and_then_the_position_is_closed() {
    let mut desk = Desk::new("1000", |config| config.execution.protection_attempts = 1);
    desk.want(BTC, half(), Some(stop(0.1))).candle(FLAT).fill(Purpose::Entry, "100", "5");
    let refuse = |desk: &mut Desk| {
        let intent = desk.last(Purpose::StopLoss);
        desk.snapshot(intent, VenueOrderStatus::Rejected, "0", &[]);
    };
    refuse(&mut desk);
    assert_eq!(desk.orders(), ["stoploss: sell 5 stop 90"]);
    refuse(&mut desk);
    assert_eq!(desk.orders(), ["close: sell 5 market"]);
}

#[test]
fn a_refused_close_is_not_sent_for_ever_and_no_stale_flip_follows() {
    let mut desk = Desk::new("1000", |config| config.execution.protection_attempts = 2);
    desk.want(BTC, half(), Some(ExitPlan { opposite_signal: true, ..stop(0.1) })).candle(FLAT).fill(
        Purpose::Entry,
        "100",
        "5",
    );
    desk.want(BTC, TargetPosition::Exposure(-0.5), None).candle(FLAT);
    let standing = ["stoploss: sell 5 stop 90", "close: sell 5 market"];
    // Sent three times in all; then nothing until the next candle.
    for expected in [2, 2, 1] {
        assert_eq!(desk.orders(), standing);
        let intent = desk.last(Purpose::Close);
        desk.snapshot(intent, VenueOrderStatus::Rejected, "0", &[]);
        assert_eq!(desk.orders().len(), expected);
    }
    desk.candle(FLAT);
    assert_eq!(desk.orders(), standing);
    // The flip that was wanted a candle ago is not wanted any more.
    desk.fill(Purpose::Close, "100", "5");
    assert!(desk.orders().is_empty());
}

#[test]
fn a_rejected_entry_leaves_nothing_behind() {
    let mut desk = Desk::new("1000", |_| {});
    desk.want(BTC, half(), Some(stop(0.1))).candle(FLAT);
    let intent = desk.last(Purpose::Entry);
    let kind = OrderReportKind::Rejected { reason: RejectReason::InsufficientFunds };
    // It was accepted by the desk before, so this is a contradiction that is asked about; the snapshot settles it.
    desk.report(intent, kind).unwrap();
    desk.snapshot(intent, VenueOrderStatus::Rejected, "0", &[]);
    assert!(desk.orders().is_empty());
    assert_eq!(desk.equity(), "1000");
    assert!(desk.engine.account().is_flat());
}

#[test]
fn spot_holdings_are_sold_down_to_less_than_a_lot() {
    let mut desk = Desk::new("1000", |_| {});
    desk.want(SPOT, half(), None).candle_of(SPOT, FLAT);
    let intent = desk.last(Purpose::Entry);
    let mut fill = desk.execution(&intent, "100", "5", "0");
    // A fee of 0.0006 in coin: 0.003 of 5.
    (fill.fee, fill.fee_currency) = (decimal("0.0033"), crate::orders::FeeCurrency::Base);
    desk.report(intent, OrderReportKind::Fill(fill)).unwrap();
    assert_eq!(desk.position(SPOT, PositionSide::Net), "4.9967");
    desk.want(SPOT, TargetPosition::Flat, None).candle_of(SPOT, FLAT);
    assert_eq!(desk.orders(), ["close: sell 4.996 market"]);
    desk.fill(Purpose::Close, "110", "4.996");
    // 0.0007 of a coin is less than a lot of 0.001: the trade is over, and the next one may begin.
    assert_eq!(desk.trades().len(), 1);
    assert_eq!(desk.position(SPOT, PositionSide::Net), "0.0007");
    desk.want(SPOT, TargetPosition::Long(Edge::default()), Some(stop(0.1))).candle_of(SPOT, FLAT);
    // 5 % of what the account is worth, 1049.65 …
    assert_eq!(desk.orders(), ["entry: buy 0.524 market"]);
    desk.fill(Purpose::Entry, "100", "0.5");
    assert_eq!(desk.orders(), ["entry: buy 0.024 market", "stoploss: sell 0.5 stop 90"]);
}

#[test]
fn a_direction_is_sized_by_the_sizer_and_kept() {
    let mut desk = Desk::new("1000", |config| {
        config.sizing = crate::risk::SizingConfig::Fixed(crate::risk::FixedSizing { percent: 20.0 });
    });
    desk.want(BTC, TargetPosition::Short(Edge::default()), None).candle(FLAT);
    assert_eq!(desk.orders(), ["entry: sell 2 market"]);
    desk.fill(Purpose::Entry, "100", "2");
    desk.want(BTC, TargetPosition::Short(Edge::default()), None).candle([100.0, 100.0, 80.0, 80.0]);
    assert!(desk.orders().is_empty());
}

#[test]
fn a_time_stop_closes_and_says_why() {
    let plan =
        ExitPlan { time_stop: Some(TimeStop { candles: 2, unless_in_profit: false }), ..ExitPlan::default() };
    let mut desk = Desk::new("1000", |_| {});
    desk.want(BTC, half(), Some(plan)).candle(FLAT).fill(Purpose::Entry, "100", "5");
    desk.candle(FLAT);
    assert!(desk.orders().is_empty());
    desk.candle(FLAT);
    assert_eq!(desk.orders(), ["close: sell 5 market"]);
    desk.fill(Purpose::Close, "100", "5");
    assert_eq!(desk.trades()[0].reason, Some(CloseReason::Time));
    assert_eq!(desk.trades()[0].candles, 2);
}

#[test]
fn votes_are_kept_with_the_trade() {
    let mut desk = Desk::new("1000", |_| {});
    let vote =
        Vote { instrument: BTC, voter: Voter::Model, stance: Stance::Long, value: 0.62, threshold: 0.55 };
    desk.vote(vote);
    desk.want(BTC, half(), None).candle(FLAT).fill(Purpose::Entry, "100", "5");
    desk.want(BTC, TargetPosition::Flat, None).candle(FLAT).fill(Purpose::Close, "100", "5");
    assert_eq!(desk.trades()[0].votes, [vote]);
}

#[test]
fn an_opposite_signal_is_ignored_where_the_plan_says_so() {
    for (opposite_signal, orders) in [(false, 1), (true, 2)] {
        let mut desk = Desk::new("1000", |_| {});
        let plan = ExitPlan { opposite_signal, ..stop(0.1) };
        desk.want(BTC, half(), Some(plan)).candle(FLAT).fill(Purpose::Entry, "100", "5");
        desk.want(BTC, TargetPosition::Exposure(-0.5), None).candle(FLAT);
        assert_eq!(desk.orders().len(), orders, "{:?}", desk.orders());
    }
}

#[test]
fn money_that_comes_and_goes_is_no_profit_or_loss() {
    let mut desk = Desk::new("1000", |config| {
        config.limits = RiskLimits { drawdown: decimal("0.05"), ..desk::wide() };
    });
    desk.candle(FLAT);
    let time = desk.time();
    desk.step(Event::Transfer { time, amount: decimal("-500") }).unwrap();
    desk.candle(FLAT);
    assert_eq!((desk.equity(), desk.engine.gate().state()), ("500".to_owned(), RiskState::Active));
    let time = desk.time();
    assert!(desk.step(Event::Transfer { time, amount: decimal("-501") }).is_err());
    assert_eq!(desk.equity(), "500");
}

#[test]
fn the_same_events_give_the_same_names() {
    let run = || {
        let mut desk = Desk::new("1000", |_| {});
        desk.want(BTC, half(), Some(stop(0.1))).candle(FLAT).fill(Purpose::Entry, "100", "5");
        desk.last(Purpose::StopLoss).client_order_id
    };
    assert_eq!(run(), run());
}
