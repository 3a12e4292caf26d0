//! Whatever happens, the engine's own checks hold (it returns an error where the books do not add up), a position that wants a
//! stop has one, and repeated reports change nothing.

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::desk::{BTC, Desk};
use crate::account::{MarginMode, PositionMode};
use crate::engine::EntryStyle;
use crate::exit::{BreakEven, ExitPlan, ProfitRule, ProfitTarget, StopRule, TrailingStop};
use crate::order::{OrderKind, Purpose};
use crate::strategy::TargetPosition;

#[derive(Clone, Debug)]
enum Step {
    /// Ticks that the price moves.
    Candle(i8),
    /// Tenths of equity, and whether with exits.
    Want(i8, bool),
    /// The number of a working order, and tenths of what remains of it.
    Fill(u8, u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (-6..=6_i8).prop_map(Step::Candle),
        2 => (-20..=20_i8, any::<bool>()).prop_map(|(exposure, exits)| Step::Want(exposure, exits)),
        4 => (any::<u8>(), 1..=10_u8).prop_map(|(order, share)| Step::Fill(order, share)),
    ];
    prop::collection::vec(step, 1..40)
}

fn plan() -> ExitPlan {
    let rung = |multiple: f64| Some(ProfitTarget { distance: ProfitRule::Risk { multiple }, share: 0.4 });
    ExitPlan {
        stop: Some(StopRule::Fraction(0.1)),
        trailing: Some(TrailingStop { distance: StopRule::Fraction(0.15), activation: None }),
        break_even: Some(BreakEven { activation: ProfitRule::Fraction(0.05), offset: 0.001 }),
        targets: [rung(0.5), rung(1.0), None, None],
        ..ExitPlan::default()
    }
}

fn run(steps: &[Step], setting: u8, repeats: bool) -> Desk {
    let mut desk = Desk::new("1000", |config| {
        if setting & 1 > 0 {
            config.account.position_mode = PositionMode::Hedge;
        }
        if setting & 2 > 0 {
            config.account.margin_mode = MarginMode::Cross;
        }
        if setting & 4 > 0 {
            config.execution.entry = EntryStyle::Limit { offset: 0.005, post_only: false };
        }
        config.limits.orders_per_window = 100_000;
        config.limits.open_orders_per_instrument = 1000;
    });
    desk.repeats_reports = repeats;
    let mut price = 100.0;
    desk.candle([price; 4]);
    for step in steps {
        match step {
            Step::Candle(ticks) => {
                let next: f64 = price + 0.5 * f64::from(*ticks);
                desk.candle([price, price.max(next), price.min(next), next]);
                price = next;
            }
            Step::Want(tenths, exits) => {
                let wanted = TargetPosition::Exposure(f64::from(*tenths) / 10.0);
                desk.want(BTC, wanted, exits.then(plan)).candle([price; 4]);
            }
            Step::Fill(which, tenths) => {
                let working = desk.working();
                if working.is_empty() {
                    continue;
                }
                let (intent, remaining) = working[usize::from(*which) % working.len()];
                // A reduce-only order trades no more than there is to reduce, as at a venue.
                let held = desk.engine.account().position(intent.instrument, intent.position_side).quantity;
                let reducible = if intent.side.signed(Decimal::ONE) * held < Decimal::ZERO {
                    held.abs()
                } else {
                    Decimal::ZERO
                };
                let most = if intent.reduce_only { remaining.min(reducible) } else { remaining };
                let share = most * Decimal::from(*tenths) / Decimal::TEN;
                let quantity = (share / Decimal::new(1, 3)).trunc() * Decimal::new(1, 3);
                if quantity.is_zero() {
                    continue;
                }
                let at = match intent.kind {
                    OrderKind::Limit { price } => price.to_string(),
                    OrderKind::Stop { trigger } => trigger.to_string(),
                    _ => price.to_string(),
                };
                desk.fill_order(&intent, &at, &quantity.to_string());
            }
        }
        protected(&desk);
    }
    desk
}

/// Invariant 4 of the engine.
fn protected(desk: &Desk) {
    for position in desk.engine.account().positions() {
        let Some(stop) = desk.engine.stop_of(position.instrument, position.side) else { continue };
        let covered = desk.working().iter().any(|(intent, remaining)| {
            let closes = matches!(intent.purpose, Purpose::Close)
                || intent.kind == OrderKind::Stop { trigger: stop } && *remaining >= position.quantity.abs();
            intent.position_side == position.side && closes
        });
        assert!(covered, "{position:?} wants a stop at {stop}: {:?}, {:#?}", desk.orders(), desk.notices);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn the_books_add_up_stops_stand_and_repeated_reports_change_nothing(steps in steps(), setting in 0..8_u8) {
        let once = run(&steps, setting, false);
        let often = run(&steps, setting, true);
        prop_assert_eq!(once.engine.account(), often.engine.account());
        prop_assert_eq!(once.orders(), often.orders());
    }
}
