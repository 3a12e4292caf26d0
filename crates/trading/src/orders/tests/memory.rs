//! What the book remembers, what it forgets, and what it refuses.

use super::*;

fn book(orders: usize, executions: usize, venue: usize) -> Orders {
    Orders::new(OrdersConfig {
        remembered_orders: orders,
        remembered_executions: executions,
        remembered_venue_executions: venue,
    })
    .unwrap()
}

/// Submits a purchase and fills it with executions of one each.
fn filled(book: &mut Orders, name: &str, executions: &[&str]) -> OrderIntent {
    let order = intent(name, executions.len().into());
    book.submit(order).unwrap();
    for execution in executions {
        let kind = OrderReportKind::Fill(fill(&order, execution, Decimal::ONE));
        assert_eq!(book.apply(&report(&order, 1, kind)).unwrap().executions.len(), 1);
    }
    order
}

#[test]
fn a_name_is_refused_as_long_as_it_is_remembered() {
    let mut book = book(2, 100, 1);
    let first = filled(&mut book, "first", &["e1"]);
    let error = book.submit(first).unwrap_err().to_string();
    assert!(error.contains("first") && error.contains("used before"), "{error}");
    filled(&mut book, "second", &["e1"]); // the same execution id of another order is another execution
    assert!(book.get(first.client_order_id).is_some());
    filled(&mut book, "third", &["e1"]);
    assert!(book.get(first.client_order_id).is_none(), "two are remembered");
    // A report about a forgotten order is refused, never accounted a second time.
    let late = OrderReportKind::Fill(fill(&first, "e1", Decimal::ONE));
    let error = book.apply(&report(&first, 1, late)).unwrap_err().to_string();
    assert!(error.contains("order first") && error.contains("last 2"), "{error}");
    assert!(book.request_cancel(first.client_order_id).is_err());
    assert!(book.submit(first).is_ok());
}

#[test]
fn many_executions_push_out_old_orders_but_never_the_newest() {
    let mut book = book(100, 4, 1);
    let names = |book: &Orders| -> Vec<String> {
        ["a", "b", "c", "d"]
            .into_iter()
            .filter(|name| book.get(name.parse().unwrap()).is_some())
            .map(str::to_owned)
            .collect()
    };
    filled(&mut book, "a", &["1", "2"]);
    filled(&mut book, "b", &["1", "2"]);
    assert_eq!(names(&book), ["a", "b"]); // 2 + 2 = 4 executions
    filled(&mut book, "c", &["1"]);
    assert_eq!(names(&book), ["b", "c"]); // 2 + 1 after `a` went
    filled(&mut book, "d", &["1", "2", "3", "4", "5"]);
    assert_eq!(names(&book), ["d"]); // 5 alone are above 4, but it is the newest
}

#[test]
fn what_is_open_is_never_forgotten() {
    let mut book = book(1, 100, 1);
    let open = intent("a-open", 5.into());
    book.submit(open).unwrap();
    let ended = intent("b-ended", 5.into());
    book.submit(ended).unwrap();
    let cancelled = OrderReportKind::Cancelled { cumulative_filled: None };
    assert_eq!(book.apply(&report(&ended, 5, cancelled)).unwrap().status, Some(OrderStatus::Cancelled));
    // It ended with 2 filled of which nothing is known: open again, however many end after it.
    let stated = OrderReportKind::Cancelled { cumulative_filled: Some(2.into()) };
    assert_eq!(book.apply(&report(&ended, 5, stated)).unwrap().question, Some(Question::MissingFills));
    for name in ["x", "y", "z"] {
        filled(&mut book, name, &["1"]);
    }
    let names: Vec<_> =
        book.unresolved().map(|(record, question)| (record.intent.client_order_id, question)).collect();
    assert_eq!(names, [(ended.client_order_id, Question::MissingFills)]);
    let kind = OrderReportKind::Fill(fill(&ended, "late", 2.into()));
    let applied = book.apply(&report(&ended, 6, kind)).unwrap();
    assert_eq!((applied.executions.len(), applied.question), (1, None));
    assert!(book.get("z".parse().unwrap()).is_none(), "one is remembered: the one that was settled last");
    assert!(book.get(open.client_order_id).is_some());
    assert_eq!(book.working(open.instrument).count(), 1);
    assert_eq!(book.working(InstrumentIndex(0)).count(), 0);
}

#[test]
fn executions_of_the_venue_are_accounted_once() {
    let mut book = book(1, 1, 2);
    let at = |execution: &str, millis: i64| {
        let mut fill = fill(&intent("o", Decimal::ONE), execution, Decimal::ONE);
        fill.client_order_id = None;
        fill.purpose = Purpose::Liquidation;
        fill.time = Timestamp::from_millis(millis);
        fill
    };
    for (fill, count) in
        [(at("1", 10), 1), (at("1", 10), 0), (at("2", 20), 1), (at("1", 10), 0), (at("3", 30), 1)]
    {
        assert_eq!(book.apply_venue_fill(&fill).unwrap().executions.len(), count, "{}", fill.execution_id);
    }
    // Two are remembered, so `1` of time 10 is forgotten: what is not newer than it may have been accounted.
    let error = book.apply_venue_fill(&at("1", 10)).unwrap_err().to_string();
    assert!(error.contains("execution 1") && error.contains("last 2"), "{error}");
    assert_eq!(book.apply_venue_fill(&at("4", 11)).unwrap().executions.len(), 1);
    assert!(book.apply_venue_fill(&fill(&intent("o", Decimal::ONE), "5", Decimal::ONE)).is_err());
    let mut nothing = at("6", 60);
    nothing.quantity = Decimal::ZERO;
    assert!(book.apply_venue_fill(&nothing).is_err());
}

#[test]
fn executions_that_contradict_the_order_are_refused_by_name() {
    let order = intent("mine", 5.into());
    type Change = fn(&mut Fill);
    let cases: [(&str, Change); 5] = [
        ("of instrument 9, the order of 3", |fill| fill.instrument = InstrumentIndex(9)),
        ("Sell", |fill| fill.side = Side::Sell),
        ("Long", |fill| fill.position_side = PositionSide::Long),
        ("name of another order", |fill| fill.client_order_id = None),
        ("quantity -1", |fill| fill.quantity = -Decimal::ONE),
    ];
    let mut book = book(1, 1, 1);
    book.submit(order).unwrap();
    for (problem, change) in cases {
        let mut wrong = fill(&order, "e1", Decimal::ONE);
        change(&mut wrong);
        let before = book.get(order.client_order_id).unwrap().clone();
        let error = book.apply(&report(&order, 1, OrderReportKind::Fill(wrong))).unwrap_err().to_string();
        assert!(error.contains("order mine") && error.contains(problem), "{error}");
        // A sound execution before the wrong one is not taken either: all or nothing.
        let fills = [fill(&order, "e0", Decimal::ONE), wrong];
        let snapshot = Snapshot {
            status: VenueOrderStatus::PartiallyFilled,
            venue_order_id: None,
            cumulative_filled: 2.into(),
            fills: &fills,
        };
        assert!(book.apply(&report(&order, 1, OrderReportKind::Snapshot(snapshot))).is_err());
        assert_eq!(*book.get(order.client_order_id).unwrap(), before);
    }
    let mut huge = fill(&order, "e1", Decimal::ONE);
    huge.price = Decimal::MAX;
    assert!(book.apply(&report(&order, 1, OrderReportKind::Fill(huge))).is_err());
    huge.quantity = Decimal::MAX;
    assert!(book.apply(&report(&order, 1, OrderReportKind::Fill(huge))).is_err());
    for quantity in [Decimal::ZERO, -Decimal::ONE, Decimal::MAX] {
        assert!(book.submit(intent("other", quantity)).is_err());
    }
}

#[test]
fn an_order_knows_its_average_price_and_what_is_left() {
    let mut book = book(1, 1, 1);
    let order = intent("mine", 5.into());
    book.submit(order).unwrap();
    assert_eq!(book.get(order.client_order_id).unwrap().average_price(), None);
    for (execution, price, quantity) in [("a", 100, 1), ("b", 103, 2)] {
        let mut fill = fill(&order, execution, quantity.into());
        fill.price = price.into();
        fill.purpose = Purpose::Close;
        let applied = book.apply(&report(&order, 1, OrderReportKind::Fill(fill))).unwrap();
        assert_eq!(applied.executions[0].purpose, Purpose::Entry, "the order's own purpose counts");
    }
    let record = book.get(order.client_order_id).unwrap();
    assert_eq!(record.filled_notional, Decimal::from(306)); // 100 + 2 × 103
    assert_eq!(record.average_price(), Some(Decimal::from(102))); // 306 / 3
    assert_eq!((record.remaining(), record.execution_count()), (Decimal::from(2), 2));
}

#[test]
fn limits_are_checked_and_misspelt_settings_refused() {
    let config: OrdersConfig = toml::from_str("remembered_orders = 0").unwrap();
    let error = config.validate().unwrap_err().to_string();
    assert!(error.contains("orders.remembered_orders = 0"), "{error}");
    assert!(Orders::new(config).is_err());
    assert!(
        OrdersConfig { remembered_executions: 10_000_001, ..OrdersConfig::default() }.validate().is_err()
    );
    assert!(OrdersConfig { remembered_venue_executions: 0, ..OrdersConfig::default() }.validate().is_err());
    assert!(toml::from_str::<OrdersConfig>("remembered = 3").is_err());
    assert_eq!(toml::from_str::<OrdersConfig>("").unwrap(), OrdersConfig::default());
}
