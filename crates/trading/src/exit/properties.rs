//! What must hold for all positions.

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::level::better;
use super::tests::{candle, decimal, grid};
use super::*;
use crate::grid::Grid;
use crate::order::Side;

pub(super) fn full_plan(stop: f64, trail: f64, share: f64) -> ExitPlan {
    let target = |distance| Some(ProfitTarget { distance, share });
    ExitPlan {
        stop: Some(StopRule::Fraction(stop)),
        trailing: Some(TrailingStop {
            distance: StopRule::Atr { multiple: trail * 50.0 },
            activation: Some(ProfitRule::Risk { multiple: 0.5 }),
        }),
        break_even: Some(BreakEven { activation: ProfitRule::Fraction(trail / 2.0), offset: trail / 20.0 }),
        targets: [
            target(ProfitRule::Risk { multiple: 1.5 }),
            target(ProfitRule::Atr { multiple: 1.0 }),
            target(ProfitRule::Fraction(0.07)),
            None,
        ],
        time_stop: None,
        opposite_signal: true,
    }
}

#[derive(Clone, Copy, Debug)]
enum Happening {
    Candle { change: f64, up: f64, down: f64, atr: Option<f64> },
    Reduce(u32),
    Fill(u32),
    Add(u32),
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let candle = (-0.04..0.05, 0.0..0.03, 0.0..0.02, proptest::option::of(0.01..5.0))
        .prop_map(|(change, up, down, atr)| Happening::Candle { change, up, down, atr });
    let other = prop_oneof![
        (1_u32..400).prop_map(Happening::Reduce),
        (1_u32..400).prop_map(Happening::Fill),
        (1_u32..400).prop_map(Happening::Add),
    ];
    proptest::collection::vec(prop_oneof![4 => candle, 1 => other], 1..40)
}

/// Plays what happens and checks after each step what must always hold.
fn follow(state: &mut ExitState, happenings: &[Happening], grid: &Grid) -> Result<(), TestCaseError> {
    let side = state.side();
    let mut price = 100.0_f64;
    for happening in happenings {
        let before = state.stop();
        match *happening {
            Happening::Candle { change, up, down, atr } => {
                let open = price;
                price *= 1.0 + change;
                let (high, low) = (open.max(price) * (1.0 + up), open.min(price) * (1.0 - down));
                let action = state.on_candle(&candle(open, high, low, price), atr, grid);
                let close = grid.price_of(price).unwrap();
                match action {
                    ExitAction::MoveStop(stop) => {
                        prop_assert_eq!(state.stop(), Some(stop));
                        prop_assert!(better(side, close, stop), "stop {} beyond close {}", stop, close);
                    }
                    _ => prop_assert_eq!(state.stop(), before, "moved without saying so"),
                }
            }
            Happening::Reduce(lots) => {
                let quantity = (Decimal::from(lots) * grid.lot).min(state.quantity());
                state.on_reduction(quantity, grid).unwrap();
            }
            Happening::Fill(lots) => {
                let Some(rung) = state.rungs().next() else { continue };
                let quantity = (Decimal::from(lots) * grid.lot).min(rung.quantity);
                let others: Vec<_> = state.rungs().skip(1).collect();
                state.on_rung_filled(rung.number, quantity, grid).unwrap();
                let kept: Vec<_> = state.rungs().filter(|kept| kept.number != rung.number).collect();
                prop_assert_eq!(others, kept, "a fill changed other rungs");
            }
            Happening::Add(lots) => {
                let at = grid.price_of(price).unwrap();
                // A position whose stop was passed is the venue's to close, nobody adds to it.
                if state.stop().is_some_and(|stop| !better(side, at, stop)) {
                    continue;
                }
                state.on_addition(at, Decimal::from(lots) * grid.lot, None, grid).unwrap();
                prop_assert!(state.stop().is_none_or(|stop| better(side, at, stop)));
            }
        }
        if state.quantity().is_zero() {
            prop_assert_eq!(state.rungs().count(), 0);
            return Ok(());
        }
        check(state, before, grid)?;
    }
    Ok(())
}

fn check(state: &ExitState, before: Option<Decimal>, grid: &Grid) -> Result<(), TestCaseError> {
    if let (Some(before), Some(now)) = (before, state.stop()) {
        prop_assert!(!better(state.side(), before, now), "stop went from {} to {}", before, now);
    }
    prop_assert!(before.is_none() || state.stop().is_some());
    let sum: Decimal = state.rungs().map(|rung| rung.quantity).sum();
    prop_assert!(sum <= state.quantity(), "rungs {} of {}", sum, state.quantity());
    for price in state.rungs().map(|rung| rung.price).chain(state.stop()) {
        prop_assert!((price % grid.tick).is_zero() && price > Decimal::ZERO, "{} is off the grid", price);
    }
    for rung in state.rungs() {
        prop_assert!((rung.quantity % grid.lot).is_zero() && rung.quantity > Decimal::ZERO);
        prop_assert!(better(state.side(), rung.price, state.entry_price()));
    }
    let prices: Vec<_> = state.rungs().map(|rung| rung.price).collect();
    prop_assert!(prices.windows(2).all(|pair| !better(state.side(), pair[0], pair[1])), "not nearest first");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// The stop never loosens, rungs never exceed the position, and all lies on the grid.
    #[test]
    fn what_always_holds(
        short in any::<bool>(),
        (stop, trail, share) in (0.001..0.2, 0.005..0.1, 0.05..0.3333333333),
        lots in 1_u32..1000,
        minimum in 1_u32..50,
        ticks in prop::sample::select(vec!["0.1", "0.5", "0.01", "0.0003"]),
        happenings in happenings(),
    ) {
        let grid = grid(ticks, "0.001", &Decimal::new(i64::from(minimum), 3).to_string());
        let side = if short { Side::Sell } else { Side::Buy };
        let plan = full_plan(stop, trail, share);
        let quantity = Decimal::new(i64::from(lots), 3);
        let mut state = ExitState::open(&plan, side, decimal("100.0007"), quantity, Some(1.5), &grid).unwrap();
        check(&state, None, &grid)?;
        // Never farther than asked for, but for a stop nearer than a tick.
        let asked = decimal("100.0007") * Decimal::try_from(stop).unwrap();
        prop_assert!(state.initial_risk().unwrap() <= asked.max(grid.tick));
        for rung in state.rungs() {
            let asked = match rung.number {
                0 => state.initial_risk().unwrap() * decimal("1.5"),
                1 => decimal("1.5"),
                _ => decimal("7.000049"),
            };
            prop_assert!((rung.price - decimal("100.0007")).abs() >= asked, "target nearer than asked for");
        }
        follow(&mut state, &happenings, &grid)?;
    }
}
