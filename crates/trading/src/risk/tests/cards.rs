//! Hand-checked cards. Defaults: equity 10000, one symbol 1, gross 2, net 1.5, correlated 1.5, leverage 3, free margin 0.05,
//! collar 0.05, 10 open orders, stale after 2 candles of 60 s. Instrument 0 costs 100, instrument 1 costs 10.

use super::*;

const GROUP: &str = "correlated_exposure = '1.2'; correlated_groups = [{ name = 'x', instruments = [0, 1] }]";
const WIDE: &str = "symbol_exposure = '5'; gross_exposure = '5'; net_exposure = '5'";

/// Settings, account, order, and the quantity that passes or a part of the refusal.
const CARDS: &[(&str, &str, &str, &str)] = &[
    // 100 × 100 = 10000 = 1 × equity; margin 10000 / 2.
    ("", "", "buy 100 entry", "100"),
    ("", "", "buy 100.1 entry", "risk.symbol_exposure: 10010 is held against 10000"),
    ("", "long=60", "buy 40.1 entry", "risk.symbol_exposure: 10010 is held"),
    // Working purchases count as filled for a purchase, but a sale ends at −100 at most: max(6000, 10000).
    ("", "buys=60", "buy 40 entry", "40"),
    ("", "buys=60", "buy 40.1 entry", "risk.symbol_exposure: 10010"),
    ("", "buys=60", "sell 100 entry", "100"),
    // A flip counts in full: the 30 short may be closed by a stop before it is filled.
    ("", "short=30", "buy 100 entry", "100"),
    ("", "short=30", "buy 100.1 entry", "risk.symbol_exposure: 10010"),
    // 1000 × 10 short beside 100 × 100 long: gross 20000, net 0.
    ("", "b.short=1000", "buy 100 entry", "100"),
    (
        "gross_exposure = '1.9'",
        "b.short=1000",
        "buy 100 entry",
        "risk.gross_exposure: 20000 is held against 19000",
    ),
    ("", "b.long=1000", "buy 50 entry", "50"),
    ("", "b.long=1000", "buy 50.1 entry", "risk.net_exposure: 15010 is held against 15000"),
    ("", "b.long=1000", "sell 100 entry", "100"),
    // 500 × 10 long and 500 × 10 of working purchases are 10000 of net exposure in the worst case.
    ("", "b.long=500 b.buys=500", "buy 50.1 entry", "risk.net_exposure: 15010"),
    ("", "leverage=4", "buy 1 entry", "risk.maximum_leverage: 4 is held against 3"),
    (WIDE, "free=20000", "buy 300 entry", "300"),
    (WIDE, "free=20000", "buy 300.1 entry", "risk.maximum_leverage: 30010 is held against 30000"),
    // 1000 × 10 of another perpetual leave 20000; on spot they would not count.
    (WIDE, "free=20000 b.long=1000", "buy 200 entry", "200"),
    (WIDE, "free=20000 b.long=1000", "buy 200.1 entry", "risk.maximum_leverage: 30010 is held against 30000"),
    (WIDE, "free=20000 b.long=1000 b.spot", "buy 200.1 entry", "200.1"),
    // Spot is paid in full (10000 − 9000 ≥ 500) and has no leverage.
    ("maximum_leverage = '0.5'", "spot leverage=1", "buy 90 entry", "90"),
    ("", "spot leverage=1", "buy 95.1 entry", "risk.minimum_free_margin: 490 is held against 500"),
    // 1000 − 10 × 100 / 2 = 500.
    ("", "free=1000", "buy 10 entry", "10"),
    ("", "free=1000", "buy 10.1 entry", "risk.minimum_free_margin: 495 is held against 500"),
    // Of 30 bought 20 close the short position: only 10 need margin.
    ("", "free=1000 short=20", "buy 30 entry", "30"),
    ("", "free=1000 short=20", "buy 30.1 entry", "risk.minimum_free_margin: 495"),
    ("maximum_order_notional = '1000'", "", "buy 10 entry", "10"),
    // The limit is the price that counts: 10 × 101.
    (
        "maximum_order_notional = '1000'",
        "",
        "buy 10 entry limit=101",
        "risk.maximum_order_notional: 1010 is held",
    ),
    ("", "", "buy 1 entry limit=105", "1"),
    ("", "", "buy 1 entry limit=105.5", "risk.price_collar: 105.5 is held against 105"),
    ("", "", "sell 1 entry limit=94.5", "risk.price_collar: 94.5 is held against 95"),
    ("", "", "buy 1 entry trigger=105.5", "risk.price_collar: 105.5"),
    // Protection may stand far away, but not give away more than 5 % (of the trigger: 50 − 2.5).
    ("", "long=10", "sell 10 stop trigger=50 reduce-only", "10"),
    ("", "long=10", "sell 10 take trigger=190 reduce-only", "10"),
    ("", "long=10", "sell 10 stop trigger=50 limit=47.5 reduce-only", "10"),
    (
        "",
        "long=10",
        "sell 10 stop trigger=50 limit=47 reduce-only",
        "risk.price_collar: 47 is held against 47.5",
    ),
    ("", "long=10", "sell 10 close limit=94.5 reduce-only", "risk.price_collar: 94.5"),
    ("", "long=10 age=600000", "sell 10 close limit=94.5 reduce-only", "10"),
    ("", "age=120000", "buy 1 entry", "1"),
    ("", "age=120001", "buy 1 entry", "risk.stale_candles: 120001 is held against 120000"),
    ("", "age=-1", "buy 1 entry", "age of the last candle = -1"),
    ("", "open=9", "buy 1 entry", "1"),
    ("", "open=10", "buy 1 entry", "risk.open_orders_per_instrument: 11 is held against 10"),
    ("", "open=10 long=1", "sell 1 close reduce-only", "1"),
    ("", "tail", "buy 1 entry", "tail risk"),
    ("", "tail long=1", "sell 1 reduction", "1"),
    // The venue: lots of 0.1, ticks of 0.5, 0.2 to 1000, notional from 25 except reduce-only.
    ("", "", "buy 1.05 entry", "the venue's lot: 1.05 is held against 0.1"),
    ("", "", "buy -1 entry", "the venue's lot: -1"),
    ("", "", "buy 1 entry limit=100.3", "the venue's tick: 100.3 is held against 0.5"),
    ("", "", "buy 0.1 entry", "the venue's minimum quantity: 0.1 is held against 0.2"),
    // The rest of a position can be closed, a part of it that small cannot, and coins neither.
    ("", "long=0.1", "sell 0.1 close reduce-only", "0.1"),
    ("", "short=0.1", "buy 0.1 close reduce-only", "0.1"),
    ("", "long=0.3", "sell 0.1 close reduce-only", "the venue's minimum quantity: 0.1 is held against 0.2"),
    (
        "",
        "spot leverage=1 long=0.1",
        "sell 0.1 close reduce-only",
        "the venue's minimum quantity: 0.1 is held against 0.2",
    ),
    ("", "", "buy 0.2 entry", "the venue's minimum notional: 20 is held against 25"),
    ("", "", "buy 1000.1 entry", "the venue's maximum quantity: 1000.1 is held against 1000"),
    // A position never grows beyond what one order can close.
    ("", "long=999.9", "buy 0.2 entry", "the venue's maximum quantity: 1000.1 is held against 1000"),
    ("", "short=999.9", "sell 0.2 entry", "the venue's maximum quantity: 1000.1 is held against 1000"),
    ("", "long=0.2", "sell 0.2 close reduce-only", "0.2"),
    ("", "long=0.2", "sell 0.2 close", "the venue's minimum notional"),
    // Reductions.
    ("", "long=10", "sell 25 close reduce-only", "10"),
    (
        "oversized_reduction = 'refuse'",
        "long=10",
        "sell 25 close reduce-only",
        "25 would be reduced, but the position is 10",
    ),
    ("", "", "sell 5 close reduce-only", "no position"),
    ("", "short=5", "sell 5 close reduce-only", "no position"),
    ("", "long=10", "sell 10 reduction", "10"),
    ("", "long=10 sells=1", "sell 10 reduction", "could open a position"),
    ("", "long=10 sells=1", "sell 9 reduction", "9"),
    ("", "equity=-5 free=-5 long=500", "sell 500 close reduce-only", "500"),
    ("", "equity=0", "buy 1 entry", "equity = 0"),
    ("", "spot leverage=1 long=3.05", "sell 5 close", "3"),
    ("", "long=5", "sell 5 entry reduce-only", "an entry could only make"),
    ("", "long=5", "sell 5 liquidation reduce-only", "only the venue liquidates"),
    ("", "spot leverage=1 long=5", "sell 5 entry", "spot cannot be sold short"),
    ("", "hedged short=5", "buy 5 entry on-short", "an entry could only make"),
    // Hedge mode: (60 + 30 + 10) × 100 = 10000.
    ("", "hedged long=60 short=30", "buy 10 entry on-long", "10"),
    ("", "hedged long=60 short=30", "buy 10.1 entry on-long", "risk.symbol_exposure: 10010"),
    ("", "hedged long=60 short=30", "sell 65 reduction on-long", "60"),
    ("", "hedged long=60 short=30", "buy 35 close on-short", "30"),
    ("", "hedged long=60", "sell 10 reduction", "does not fit the mode"),
    ("", "long=60", "sell 10 reduction on-long", "does not fit the mode"),
    ("", "long=6 short=5", "sell 1 reduction", "short beside a long position = 5"),
    // A group: 900 × 10 + 30 × 100 = 12000; what is short in it does not offset.
    (GROUP, "b.long=900", "buy 30 entry", "30"),
    (GROUP, "b.long=900", "buy 30.1 entry", "risk.correlated_exposure: 12010 is held against 12000"),
    (GROUP, "b.short=900", "buy 100 entry", "100"),
    (
        "symbol_exposure = '2'; gross_exposure = '3'; correlated_exposure = '1.2'; correlated_groups = [{ name = 'x', instruments = [0, 1] }]",
        "b.short=900",
        "buy 120.1 entry",
        "risk.correlated_exposure: 12010",
    ),
    // What cannot be.
    ("", "", "buy 1 entry instrument=2", "instrument 2 is not among the 2"),
    ("", "b.long=1 b.price=0", "buy 1 entry", "last_price = 0"),
    ("", "b.buys=-1", "buy 1 entry", "working_buy = -1"),
    ("", "price=1000000000000", "buy 1000 entry", "cannot be accounted|beyond what can be accounted"),
];

#[test]
fn each_card_passes_or_is_refused_as_computed_by_hand() {
    for (settings, account, intent, expected) in CARDS {
        let answer = gate(settings).approve(order(intent), &Account::read(account).view());
        let card = format!("[{settings}] [{account}] {intent}");
        match (answer, expected.parse::<Decimal>()) {
            (Ok(approved), Ok(quantity)) => assert_eq!(approved.intent().quantity, quantity, "{card}"),
            (Err(refusal), Err(_)) => {
                let text = refusal.to_string();
                assert!(expected.split('|').any(|part| text.contains(part)), "{card}: {text}");
                assert!(text.contains(';') || text.contains("first"), "no remedy in: {text}");
            }
            (answer, _) => panic!("{card}: expected {expected}, got {answer:?}"),
        }
    }
}

#[test]
fn what_is_shrunk_to_the_limits_passes_and_one_lot_more_does_not() {
    // The largest quantities follow from the cards: 100 × 100 = 10000, 1000 − 10 × 50 = 500, 15000 − 10000 = 50 × 100.
    for (settings, account, intent, largest) in [
        ("", "", "buy 777.77 entry", "100"),
        ("", "long=60", "buy 500 entry", "40"),
        ("", "short=30", "buy 500 entry", "100"),
        ("", "free=1000", "buy 50 entry", "10"),
        ("", "b.long=1000", "buy 99999 entry", "50"),
        ("maximum_order_notional = '1000'", "", "buy 50 entry limit=101", "9.9"),
        (WIDE, "free=20000", "buy 900 entry", "300"),
        (GROUP, "b.long=900", "buy 90 entry", "30"),
        ("", "", "buy 7.3 entry", "7.3"),
        ("", "long=100", "buy 5 entry", "0"),
        ("", "tail", "buy 5 entry", "0"),
        // 0.1 would fit, but the venue takes no less than 0.2.
        ("", "long=99.9", "buy 5 entry", "0"),
        ("", "", "buy 99999999999999999999 entry", "100"),
        ("", "", "buy 1 entry instrument=9", "0"),
        ("", "long=10", "sell 25 close reduce-only", "10"),
    ] {
        let (gate, account) = (gate(settings), Account::read(account));
        let intent = order(intent);
        let found = gate.largest_approvable(intent, &account.view());
        assert_eq!(found, decimal(largest), "{settings} {intent:?}");
        let passes = |quantity| gate.clone().approve(OrderIntent { quantity, ..intent }, &account.view());
        if found > Decimal::ZERO {
            assert_eq!(passes(found).unwrap().into_inner().quantity, found);
            let more = found + decimal("0.1");
            assert!(intent.reduce_only || more > intent.quantity || passes(more).is_err(), "{intent:?}");
        }
    }
}

#[test]
fn correlated_returns_bind_instruments_together() {
    let settings = "correlated_exposure = '1.2'; correlation = { threshold = 0.8, decay = 0.9, minimum_observations = 3 }";
    // 900 × 10 + 30 × 100 = 12000 passes, one lot more does not; alone, 100 × 100 = 10000 passes.
    for (returns, account, intent, most) in [
        ([[0.01, 0.02], [-0.02, -0.03], [0.01, 0.01]], "b.long=900", "buy 100 entry", "30"),
        // Against each other: a short position in one is a long position in the other.
        ([[0.01, -0.02], [-0.02, 0.03], [0.01, -0.01]], "b.short=900", "buy 100 entry", "30"),
        ([[0.01, 0.02], [-0.02, -0.03], [0.01, f64::NAN]], "b.short=900", "buy 100 entry", "100"),
        ([[0.01, 0.02], [-0.02, 0.03], [0.01, -0.01]], "b.short=900", "buy 100 entry", "100"),
    ] {
        let mut gate = gate(settings);
        for row in returns {
            gate.observe_log_returns(&row).unwrap();
        }
        let account = Account::read(account);
        assert_eq!(gate.largest_approvable(order(intent), &account.view()), decimal(most), "{returns:?}");
    }
    assert!(gate(settings).observe_log_returns(&[0.1]).is_err());
}

#[test]
fn correlation_is_the_weighted_one() {
    // numpy: a, b = np.array([.01,-.02,.03,.01]), np.array([.02,.01,.02,-.01])
    // w = np.array([.9**3, .1*.9**2, .1*.9, .1]); (w*a*b).sum()/np.sqrt((w*a*a).sum()*(w*b*b).sum())
    let settings = CorrelationLimit { threshold: 0.5, decay: 0.9, minimum_observations: 4 };
    let mut correlations = correlation::Correlations::new(settings, 3);
    let rows = [[0.01, 9.0, 0.02], [-0.02, 9.0, 0.01], [0.03, 9.0, 0.02], [0.01, 9.0, -0.01]];
    for row in rows {
        assert_eq!(correlations.of(0, 2), None);
        correlations.push(&row);
    }
    let expected = 0.6664075078717969;
    assert!((correlations.of(2, 0).unwrap() - expected).abs() < 1e-14, "{:?}", correlations.of(2, 0));
    assert_eq!(correlations.of(1, 1), Some(1.0));
}

#[test]
fn limits_that_make_no_sense_are_named() {
    RiskLimits::default().validate().unwrap();
    let written = toml::to_string(&limits(GROUP)).unwrap();
    assert_eq!(toml::from_str::<RiskLimits>(&written).unwrap(), limits(GROUP));
    assert!(toml::from_str::<RiskLimits>("drawdwon = '0.1'").is_err());
    for (settings, field) in [
        ("symbol_exposure = '0'", "risk.symbol_exposure = 0"),
        ("gross_exposure = '1001'", "risk.gross_exposure = 1001"),
        ("net_exposure = '-1'", "risk.net_exposure = -1"),
        ("correlated_exposure = '0'", "risk.correlated_exposure"),
        ("maximum_leverage = '0'", "risk.maximum_leverage"),
        ("maximum_order_notional = '0'", "risk.maximum_order_notional"),
        ("price_collar = '1.1'", "risk.price_collar"),
        ("daily_loss = '0'", "risk.daily_loss"),
        ("drawdown = '1.5'", "risk.drawdown"),
        ("minimum_free_margin = '1'", "risk.minimum_free_margin"),
        ("open_orders_per_instrument = 0", "risk.open_orders_per_instrument"),
        ("orders_per_window = 0", "risk.orders_per_window"),
        ("stale_candles = 0", "risk.stale_candles"),
        ("order_window_ms = 0", "risk.order_window_ms"),
        ("correlated_groups = [{ name = 'x', instruments = [0, 0] }]", "risk.correlated_groups = x"),
        ("correlated_groups = [{ name = 'x', instruments = [0, 2] }]", "risk.correlated_groups = x"),
        ("correlation = { threshold = 0.0 }", "risk.correlation.threshold"),
        ("correlation = { decay = 1.0 }", "risk.correlation.decay"),
        ("correlation = { minimum_observations = 1 }", "risk.correlation.minimum_observations"),
    ] {
        let error = RiskGate::new(limits(settings), 2).unwrap_err().to_string();
        assert!(error.starts_with(field), "{settings}: {error}");
    }
}
