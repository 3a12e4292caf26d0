//! Cards about what keeps an order from being sent, or makes it smaller.

use super::desk::{BTC, Desk, SPOT, decimal, wide};
use crate::engine::{EntryStyle, Event, Notice, TailGateConfig};
use crate::order::{PositionSide, Purpose};
use crate::risk::{CorrelationLimit, RiskLimits, TailConfig, TailLimits, TailModel};
use crate::strategy::TargetPosition;

const FLAT: [f64; 4] = [100.0; 4];

fn refusals(desk: &Desk) -> usize {
    desk.notices.iter().filter(|notice| matches!(notice, Notice::Refused { .. })).count()
}

#[test]
fn the_grid_is_that_of_the_day() {
    let mut desk = Desk::new("1000", |_| {});
    desk.want(BTC, TargetPosition::Exposure(0.333), None).candle(FLAT);
    assert_eq!(desk.orders(), ["entry: buy 3.33 market"]);
    desk.later(24 * 40);
    // The old wish is taken back first, for its size is not possible any more.
    desk.want(BTC, TargetPosition::Exposure(0.333), None).candle(FLAT);
    desk.want(BTC, TargetPosition::Exposure(0.333), None).candle(FLAT);
    assert_eq!(desk.orders(), ["entry: buy 3.3 market"]);
}

#[test]
fn spot_is_never_short() {
    let mut desk = Desk::new("1000", |_| {});
    desk.want(SPOT, TargetPosition::Exposure(-0.5), None).candle_of(SPOT, FLAT);
    assert_eq!((desk.orders().len(), refusals(&desk)), (0, 0));
    desk.want(SPOT, TargetPosition::Exposure(0.5), None).candle_of(SPOT, FLAT).fill(
        Purpose::Entry,
        "100",
        "5",
    );
    desk.want(SPOT, TargetPosition::Exposure(-0.5), None).candle_of(SPOT, FLAT);
    assert_eq!(desk.orders(), ["close: sell 5 market"]);
}

#[test]
fn margin_of_orders_on_their_way_is_not_spent_twice() {
    let mut desk = Desk::new("100", |config| {
        config.execution.entry = EntryStyle::Limit { offset: 0.0, post_only: false };
        config.execution.entry_candles = 9;
    });
    // 600 at leverage 10 will bind 60 of the 100.
    desk.want(BTC, TargetPosition::Exposure(6.0), None).candle(FLAT);
    assert_eq!(desk.orders(), ["entry: buy 6 limit 100"]);
    desk.want(SPOT, TargetPosition::Exposure(0.9), None).candle_of(SPOT, FLAT);
    assert_eq!(desk.orders(), ["entry: buy 6 limit 100", "entry: buy 0.4 limit 100"]);
}

fn with_tail_gate(desk: &mut crate::engine::EngineConfig) {
    desk.tail = Some(TailGateConfig {
        estimate: TailConfig {
            level: 0.95,
            model: TailModel::Gaussian { window: 20 },
            minimum_observations: 20,
        },
        limits: TailLimits { value_at_risk: 0.02, expected_shortfall: 0.03, ..TailLimits::default() },
        rest: 5,
    });
}

#[test]
fn a_fat_tail_lets_nothing_open_and_everything_close() {
    let mut desk = Desk::new("1000", with_tail_gate);
    desk.want(BTC, TargetPosition::Exposure(1.0), None).candle(FLAT).fill(Purpose::Entry, "100", "10");
    // Returns of the account of about -5, +5, -5, +5 %: far more than 2 % at risk.
    for _ in 0..11 {
        desk.candle([100.0, 100.0, 95.0, 95.0]).candle([95.0, 100.0, 95.0, 100.0]);
    }
    desk.want(BTC, TargetPosition::Exposure(1.5), None).candle(FLAT);
    assert!(desk.orders().is_empty());
    assert_eq!(refusals(&desk), 1);
    desk.want(BTC, TargetPosition::Flat, None).candle(FLAT);
    assert_eq!(desk.orders(), ["close: sell 10 market"]);
    // Nothing is held, so nothing is learned any more: after a rest it may begin anew.
    desk.fill(Purpose::Close, "100", "10");
    for rest in 0..5 {
        desk.want(BTC, TargetPosition::Exposure(0.5), None).candle(FLAT);
        assert_eq!(desk.orders().len(), usize::from(rest == 4), "candle {rest}");
    }
}

#[test]
fn a_withdrawal_is_no_loss_to_the_tail() {
    let mut desk = Desk::new("1000", with_tail_gate);
    desk.want(BTC, TargetPosition::Exposure(0.1), None).candle(FLAT).fill(Purpose::Entry, "100", "1");
    for amount in ["-300", "300"].repeat(11) {
        let time = desk.time();
        desk.step(Event::Transfer { time, amount: decimal(amount) }).unwrap();
        desk.candle(FLAT);
    }
    desk.want(BTC, TargetPosition::Exposure(0.3), None).candle(FLAT);
    assert_eq!(desk.orders(), ["entry: buy 2 market"]);
}

#[test]
fn what_moves_together_counts_together() {
    let correlation = Some(CorrelationLimit { threshold: 0.8, decay: 0.9, minimum_observations: 4 });
    let mut desk = Desk::new("1000", |config| {
        config.limits = RiskLimits { correlation, correlated_exposure: decimal("0.5"), ..wide() };
    });
    for close in [100.0, 102.0, 99.0, 103.0, 98.0, 100.0, 103.0, 100.0] {
        desk.both([close; 4]);
    }
    desk.want(BTC, TargetPosition::Exposure(0.4), None).both(FLAT);
    desk.fill(Purpose::Entry, "100", "4");
    desk.want(SPOT, TargetPosition::Exposure(0.4), None).both(FLAT);
    // Together they may be half of 1000: what is left for the second is 1.
    assert_eq!(desk.orders(), ["entry: buy 1 market"]);
    assert_eq!(desk.position(BTC, PositionSide::Net), "4");
}
