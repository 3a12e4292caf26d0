//! Halts: every pair of state and event, days, the kill switch, the window of orders.

use super::*;

fn state(word: &str) -> RiskState {
    let (level, reason) = word.split_once('-').unwrap_or((word, ""));
    let reason = match reason {
        "daily" => HaltReason::DailyLoss,
        "drawdown" => HaltReason::Drawdown,
        "operator" => HaltReason::Kill(KillReason::Operator),
        "defect" => HaltReason::Kill(KillReason::Defect),
        _ => return RiskState::Active,
    };
    if level == "R" { RiskState::Reducing(reason) } else { RiskState::Halted(reason) }
}

#[test]
fn every_pair_of_state_and_event() {
    let settings =
        "daily_loss_action = 'halt'; drawdown_action = 'reduce'; lift_daily_loss_at_midnight = false";
    // State, then after: new day, daily loss, drawdown, kill by a defect, resume.
    for (settings, table) in [
        (
            "",
            "active     active     R-daily    H-drawdown H-defect   active
             R-daily    active     R-daily    H-drawdown H-defect   active
             R-drawdown R-drawdown R-drawdown H-drawdown H-defect   active
             R-operator R-operator R-operator H-operator H-defect   active
             H-daily    active     H-daily    H-drawdown H-defect   active
             H-drawdown H-drawdown H-drawdown H-drawdown H-defect   active
             H-operator H-operator H-operator H-operator H-operator active",
        ),
        (
            settings,
            "active     active     H-daily    R-drawdown H-defect   active
             R-daily    R-daily    H-daily    R-drawdown H-defect   active
             R-drawdown R-drawdown H-drawdown R-drawdown H-defect   active
             H-daily    H-daily    H-daily    H-drawdown H-defect   active
             H-drawdown H-drawdown H-drawdown H-drawdown H-defect   active
             H-operator H-operator H-operator H-operator H-operator active",
        ),
    ] {
        let events = [
            RiskEvent::NewDay,
            RiskEvent::DailyLoss,
            RiskEvent::Drawdown,
            RiskEvent::Kill(KillReason::Defect),
            RiskEvent::Resume,
        ];
        for row in table.lines() {
            let states: Vec<RiskState> = row.split_whitespace().map(state).collect();
            for (event, expected) in events.iter().zip(&states[1..]) {
                assert_eq!(states[0].after(*event, &limits(settings)), *expected, "{row}: {event:?}");
            }
        }
    }
}

#[test]
fn losses_are_measured_over_days_and_from_the_peak() {
    let mut gate = gate("");
    for (at, equity, expected) in [
        ("2024-01-01T10:00:00Z", "10000", "active"),
        // 5 % of 10000.
        ("2024-01-01T12:00:00Z", "9500.01", "active"),
        ("2024-01-01T13:00:00Z", "9500", "R-daily"),
        ("2024-01-01T23:59:59.999Z", "9600", "R-daily"),
        // Midnight itself belongs to the new day: losses count from 9400, 5 % of it is 470.
        ("2024-01-02T00:00:00Z", "9400", "active"),
        ("2024-01-02T01:00:00Z", "8930.01", "active"),
        ("2024-01-02T02:00:00Z", "8930", "R-daily"),
        // Nothing was seen at midnight: the day began at 8930, and 8400 is 5.9 % less.
        ("2024-01-03T00:05:00Z", "8400", "R-daily"),
        ("2024-01-04T00:00:00Z", "8400", "active"),
        // 20 % of the peak of 10000, though only 4.8 % of the day's start.
        ("2024-01-04T03:00:00Z", "8000.01", "active"),
        ("2024-01-04T04:00:00Z", "8000", "H-drawdown"),
        ("2024-01-05T00:00:00Z", "12000", "H-drawdown"),
    ] {
        let before = gate.state();
        let change = gate.observe(time(at), decimal(equity));
        assert_eq!(gate.state(), state(expected), "{at}");
        let expected = StateChange { from: before, to: gate.state() };
        assert_eq!(change, (expected.from != expected.to).then_some(expected), "{at}");
    }
    // A restart forgets nothing.
    let written = serde_json::to_string(gate.record()).unwrap();
    let mut gate =
        RiskGate::restored(RiskLimits::default(), 2, serde_json::from_str(&written).unwrap()).unwrap();
    assert_eq!(gate.state(), state("H-drawdown"));
    // The operator resumes at 8000: 5 % of that is 400, and the peak of 12000 is forgotten.
    assert!(gate.resume(time("2024-01-05T01:00:00Z"), decimal("8000")).is_some());
    assert_eq!(gate.observe(time("2024-01-05T02:00:00Z"), decimal("7600.01")), None);
    assert!(gate.observe(time("2024-01-05T02:00:00Z"), decimal("7600")).is_some());
    assert_eq!(gate.state(), state("R-daily"));
}

#[test]
fn resuming_while_active_forgets_no_peak() {
    let mut gate = gate("daily_loss = '1'");
    gate.observe(time("2024-01-01"), decimal("10000"));
    assert_eq!(gate.resume(time("2024-01-01"), decimal("9000")), None);
    assert!(gate.observe(time("2024-01-01T01:00:00Z"), decimal("8000")).is_some());
    // Nothing left is a loss whatever the settings.
    let mut empty = super::gate("daily_loss = '1'; drawdown = '1'");
    assert!(empty.observe(time("2024-01-01"), Decimal::ZERO).is_some());
    empty.observe(time("2024-01-02"), Decimal::MIN);
    empty.observe(time("2024-01-03"), Decimal::MAX);
    empty.observe(time("2024-01-04"), Decimal::MIN);
}

#[test]
fn restricted_accounts_pass_only_what_they_should() {
    // After the kill switch with open orders: 10 long, a working purchase of 5.
    for (word, settings, passing) in [
        ("active", "", "entry reduction stop take close"),
        ("R-daily", "", "reduction stop take close"),
        ("H-drawdown", "", "stop take close"),
        ("H-operator", "", "stop take close"),
        ("H-operator", "halted_allows_protection = false", ""),
    ] {
        let record = RiskRecord { state: state(word), account: None };
        let account = Account::read("long=10 buys=5 open=1");
        for purpose in ["entry", "reduction", "stop", "take", "close"] {
            let intent = match purpose {
                "entry" => order("buy 1 entry"),
                "stop" => order("sell 10 stop trigger=90 reduce-only"),
                other => order(&format!("sell 10 {other} reduce-only")),
            };
            let mut gate = RiskGate::restored(limits(settings), 2, record).unwrap();
            let passed = gate.approve(intent, &account.view());
            let expected = passing.split_whitespace().any(|word| word == purpose);
            assert_eq!(passed.is_ok(), expected, "{word} {settings} {purpose}: {passed:?}");
        }
        // A flip is not a reduction, even though it begins with one.
        let mut gate = RiskGate::restored(limits(settings), 2, record).unwrap();
        assert_eq!(gate.approve(order("sell 11 entry"), &account.view()).is_ok(), word == "active");
    }
}

#[test]
fn the_kill_switch_holds_until_the_operator_resumes() {
    let mut gate = gate("");
    let account = Account::read("buys=5 open=1");
    gate.observe(time("2024-01-01T10:00:00Z"), decimal("10000"));
    let change = gate.kill(KillReason::Connection).unwrap();
    assert_eq!(change.to, RiskState::Halted(HaltReason::Kill(KillReason::Connection)));
    assert_eq!(gate.kill(KillReason::Operator), None);
    let refusal = gate.approve(order("buy 1 entry"), &account.view()).unwrap_err().to_string();
    assert!(refusal.contains("halted because of the kill switch, by a lost connection"), "{refusal}");
    assert_eq!(gate.observe(time("2024-01-02"), decimal("20000")), None);
    assert_eq!(gate.resume(time("2024-01-02"), decimal("20000")).unwrap().to, RiskState::Active);
    assert!(gate.approve(order("buy 1 entry"), &account.view()).is_ok());
}

#[test]
fn the_window_of_orders_is_half_open() {
    let mut gate = gate("orders_per_window = 3; order_window_ms = 1000");
    let start = time(NOW);
    // Milliseconds, order, whether it passes. Window: (time − 1000, time].
    for (at, words, passes) in [
        (0, "buy 1 entry", true),
        (400, "buy 1 entry", true),
        (999, "buy 1 entry", true),
        (999, "buy 1 entry", false),
        (1000, "buy 1 entry", true),
        // 400, 999 and 1000 fill the window; a reduction passes, but counts.
        (1001, "buy 1 entry", false),
        (1001, "sell 1 close reduce-only", true),
        // 999, 1000, 1001.
        (1400, "buy 1 entry", false),
        (1998, "buy 1 entry", false),
        (1999, "buy 1 entry", true),
        // Time that runs backwards opens nothing.
        (1998, "buy 1 entry", false),
    ] {
        let mut account = Account::read("long=5");
        account.time = start.plus_millis(at);
        let answer = gate.approve(order(words), &account.view());
        assert_eq!(answer.is_ok(), passes, "{at} {words}: {answer:?}");
        if at == 999 && !passes {
            let text = answer.unwrap_err().to_string();
            assert!(text.starts_with("risk.orders_per_window: 4 is held against 3"), "{text}");
        }
    }
}

#[test]
fn equity_that_was_seen_before_counts_anew_after_money_moved_or_trading_resumed() {
    let time: Timestamp = "2024-01-01T12:00:00Z".parse().unwrap();
    let amount = |value: i64| Decimal::from(value);
    // Limits by default: a drawdown of 20 % halts, and 5 % of the day reduce. What was seen last is 100 each time.
    let moved = |gate: &mut RiskGate| gate.transfer(amount(-50));
    let resumed = |gate: &mut RiskGate| {
        gate.kill(KillReason::Operator);
        gate.resume(time, amount(90));
    };
    for change in [&moved as &dyn Fn(&mut RiskGate), &resumed] {
        let mut gate = RiskGate::new(RiskLimits::default(), 1).unwrap();
        assert_eq!(gate.observe(time, amount(100)), None);
        change(&mut gate);
        // The peak is 100 again.
        assert_eq!(gate.observe(time, amount(100)), None);
        gate.observe(time, amount(80));
        assert_eq!(gate.state(), RiskState::Halted(HaltReason::Drawdown));
    }
}
