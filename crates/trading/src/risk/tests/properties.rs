//! Whatever passes, the limits hold.

use proptest::prelude::*;

use super::*;

/// One random wish: instrument, purchase, lots, distance of the price in ticks, reduce-only, what happens to the order then.
type Wish = (usize, bool, u32, i32, u8, bool, u8);

fn wish() -> impl Strategy<Value = Wish> {
    (0..3_usize, any::<bool>(), 1..900_u32, -8..9_i32, 0..3_u8, any::<bool>(), 0..4_u8)
}

fn intent_of(account: &Account, wish: Wish) -> OrderIntent {
    let (index, buys, lots, ticks, kind, reduces, _) = wish;
    let risk = &account.instruments[index];
    let price = risk.last_price + Decimal::from(ticks) * risk.grid.tick;
    let mut intent = order("buy 1 entry");
    intent.instrument = InstrumentIndex(u16::try_from(index).unwrap());
    intent.side = if buys { Side::Buy } else { Side::Sell };
    // Notionals of all instruments are alike: up to 9000.
    intent.quantity = (Decimal::from(lots) * Decimal::TEN / risk.last_price).trunc();
    intent.quantity = intent.quantity.max(Decimal::ONE);
    intent.kind = match kind {
        0 => OrderKind::Market,
        1 => OrderKind::Limit { price },
        _ => OrderKind::Stop { trigger: price },
    };
    if reduces {
        intent.purpose = Purpose::Close;
        intent.reduce_only = !risk.is_spot;
    }
    if risk.hedged {
        let opens_long = buys != reduces;
        intent.position_side = if opens_long { PositionSide::Long } else { PositionSide::Short };
    }
    intent
}

fn fill(risk: &mut InstrumentRisk, side: Side, quantity: Decimal, position_side: PositionSide) {
    match (position_side, side) {
        (PositionSide::Long, side) => risk.long += side.signed(quantity),
        (PositionSide::Short, side) => risk.short -= side.signed(quantity),
        (PositionSide::Net, side) => {
            let position = risk.long - risk.short + side.signed(quantity);
            (risk.long, risk.short) = (position.max(Decimal::ZERO), (-position).max(Decimal::ZERO));
        }
    }
}

/// Gross of each instrument, gross of all, gross of the perpetuals and net, after all working orders of some sides are filled.
fn outcome(account: &Account, buys: bool, sells: bool) -> (Vec<Decimal>, Decimal, Decimal, Decimal) {
    let (mut each, mut gross, mut margined, mut net) =
        (Vec::new(), Decimal::ZERO, Decimal::ZERO, Decimal::ZERO);
    for risk in &account.instruments {
        let mut filled = *risk;
        let sides = [(buys, Side::Buy, risk.working_buy), (sells, Side::Sell, risk.working_sell)];
        for (_, side, quantity) in sides.into_iter().filter(|side| side.0) {
            let opened = match (risk.hedged, side) {
                (false, _) => PositionSide::Net,
                (true, Side::Buy) => PositionSide::Long,
                (true, Side::Sell) => PositionSide::Short,
            };
            fill(&mut filled, side, quantity, opened);
        }
        let notional = (filled.long + filled.short) * risk.last_price;
        each.push(notional);
        gross += notional;
        margined += if risk.is_spot { Decimal::ZERO } else { notional };
        net += (filled.long - filled.short) * risk.last_price;
    }
    (each, gross, margined, net)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn limits_hold_after_whatever_passed(wishes in prop::collection::vec(wish(), 1..40)) {
        let limits = limits("maximum_leverage = '1.5'; net_exposure = '1.2'; gross_exposure = '1.9'; orders_per_window = 1000");
        let mut gate = RiskGate::new(limits, 3).unwrap();
        let mut account = Account::read("leverage=1 b.leverage=1 b.hedged");
        account.instruments.push(InstrumentRisk { is_spot: true, leverage: Decimal::ONE, ..instrument("50") });
        for wish in wishes {
            let intent = intent_of(&account, wish);
            let largest = gate.largest_approvable(intent, &account.view());
            let lot = account.instruments[wish.0].grid.lot;
            prop_assert!(largest <= intent.quantity);
            let passes = |quantity| gate.clone().approve(OrderIntent { quantity, ..intent }, &account.view());
            if largest > Decimal::ZERO && !wish.5 && largest < intent.quantity {
                prop_assert!(passes(largest).is_ok());
                prop_assert!(passes(largest + lot).is_err());
            }
            let Ok(approved) = gate.approve(intent, &account.view()) else { continue };
            prop_assert!(approved.intent().quantity <= intent.quantity);
            let reduces = wish.5 || matches!(
                exposure::effect_of(&intent, &account.instruments[wish.0]), exposure::Effect::Reduces);
            let order = *approved.intent();
            let working = account.instruments[wish.0].working_buy + account.instruments[wish.0].working_sell;
            let margin = account.instruments[wish.0].count(&approved);
            let risk = &mut account.instruments[wish.0];
            prop_assert_eq!(working + if order.reduce_only || wish.5 { Decimal::ZERO } else { order.quantity },
                risk.working_buy + risk.working_sell);
            // The order works on, or is filled at the last price. Filled or not, its margin stays bound here.
            risk.open_orders = 0;
            if wish.6 > 0 || wish.5 {
                if !wish.5 {
                    let sum = if order.side == Side::Buy { &mut risk.working_buy } else { &mut risk.working_sell };
                    *sum -= order.quantity;
                }
                fill(risk, order.side, order.quantity, order.position_side);
            }
            account.free = (account.free - margin).max(decimal("10600"));
            for (buys, sells) in [(false, false), (true, false), (false, true), (true, true)] {
                let (each, gross, margined, net) = outcome(&account, buys, sells);
                for notional in each {
                    prop_assert!(notional <= decimal("10000"), "symbol {}", notional);
                }
                prop_assert!(gross <= decimal("19000"), "gross {}", gross);
                prop_assert!(margined <= decimal("15000"), "leverage {}", margined);
                // Closing one side of a hedge may leave more net; opening never does.
                if !reduces && buys != sells && buys == (order.side == Side::Buy) {
                    let towards = if buys { net } else { -net };
                    prop_assert!(towards <= decimal("12000"), "net {}", net);
                }
            }
        }
    }

    #[test]
    fn reductions_always_pass_while_reducing(
        lots in 2..500_u32, part in 1..=100_u32, short: bool, flagged: bool, equity in -100..100_i64, open in 0..50_u32,
    ) {
        let record = RiskRecord { state: RiskState::Reducing(HaltReason::DailyLoss), account: None };
        let mut gate = RiskGate::restored(limits("orders_per_window = 1"), 2, record).unwrap();
        let mut account = Account::read("tail age=99999999 b.long=100000");
        account.equity = Decimal::from(equity);
        account.free = Decimal::from(equity);
        let risk = &mut account.instruments[0];
        risk.open_orders = open;
        let held = Decimal::from(lots) * risk.grid.lot;
        if short { risk.short = held } else { risk.long = held }
        let mut intent = order(if short { "buy 1 reduction" } else { "sell 1 reduction" });
        // From the smallest order that the venue takes (0.3 × 100 above 25) up to the whole position.
        intent.quantity = (held * Decimal::from(part) / Decimal::ONE_HUNDRED * Decimal::TEN).trunc() / Decimal::TEN;
        intent.reduce_only = flagged;
        let smallest = decimal(if flagged { "0.2" } else { "0.3" });
        prop_assume!(intent.quantity >= smallest);
        for _ in 0..3 {
            let approved = gate.approve(intent, &account.view());
            prop_assert_eq!(approved.map(|order| order.into_inner().quantity), Ok(intent.quantity));
        }
    }
}
