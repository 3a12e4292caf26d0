//! Random true histories of an order, delivered with drops, duplicates and reorderings.
//!
//! What must come out is said by the history itself, not by the code: its last status and its executions.

use proptest::prelude::*;
use proptest::test_runner::Config;

use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It rests where it is.
    Rests,
    Cancelled,
    Expired,
    Filled,
    Rejected,
    /// The request is lost on its way.
    NeverArrives,
}

/// The life of an order at the venue.
#[derive(Clone, Debug)]
struct Life {
    quantity: i64,
    conditional: bool,
    /// A conditional order that never wakes.
    asleep: bool,
    fills: Vec<i64>,
    end: End,
    /// We ask to cancel it; where it does not end as cancelled, the venue refuses.
    cancel: bool,
    states_total: bool,
}

/// What the network does to one report: when it comes, whether it is lost, and when it comes again.
type Fate = (u8, bool, Option<u8>);

/// What goes wrong on the way.
#[derive(Clone, Debug)]
struct Noise {
    fates: Vec<Fate>,
    request_at: u8,
    submission_timeout_at: Option<u8>,
    cancel_timeout_at: Option<u8>,
    /// Late answers to earlier queries: how many events they know of, when they come, whether they list
    /// executions.
    old_answers: Vec<(u8, u8, bool)>,
    last_answer_lists_fills: bool,
}

fn lives() -> impl Strategy<Value = Life> {
    let ends = prop::sample::select(vec![
        End::Rests,
        End::Cancelled,
        End::Expired,
        End::Filled,
        End::Rejected,
        End::NeverArrives,
    ]);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (1..=6_i64, prop::collection::vec(1..=3_i64, 0..4), ends, flags).prop_map(
        |(quantity, sizes, end, flags)| {
            let (conditional, mut asleep, cancel, states_total) = flags;
            asleep &= conditional && !matches!(end, End::Filled);
            let mut left =
                if asleep || matches!(end, End::Rejected | End::NeverArrives) { 0 } else { quantity };
            let mut fills = Vec::new();
            for size in sizes {
                if size <= left {
                    fills.push(size);
                    left -= size;
                }
            }
            let total: i64 = fills.iter().sum();
            let end = if total == quantity { End::Filled } else { end };
            if end == End::Filled && total < quantity {
                fills.push(quantity - total);
            }
            Life { quantity, conditional, asleep, fills, end, cancel, states_total }
        },
    )
}

fn noises() -> impl Strategy<Value = Noise> {
    let fate = (any::<u8>(), prop::bool::weighted(0.25), prop::option::weighted(0.3, any::<u8>()));
    let old = prop::collection::vec((0..8_u8, any::<u8>(), any::<bool>()), 0..3);
    let timeout = || prop::option::weighted(0.4, any::<u8>());
    (prop::collection::vec(fate, 8), any::<u8>(), timeout(), timeout(), old, any::<bool>()).prop_map(
        |(
            fates,
            request_at,
            submission_timeout_at,
            cancel_timeout_at,
            old_answers,
            last_answer_lists_fills,
        )| Noise {
            fates,
            request_at,
            submission_timeout_at,
            cancel_timeout_at,
            old_answers,
            last_answer_lists_fills,
        },
    )
}

impl Life {
    fn order(&self) -> OrderIntent {
        let mut order = intent("history", self.quantity.into());
        if self.conditional {
            order.kind = OrderKind::Stop { trigger: Decimal::from(101) };
        }
        order
    }

    fn executions(&self) -> Vec<Fill> {
        let order = self.order();
        let names = ["e0", "e1", "e2", "e3", "e4"];
        self.fills.iter().zip(names).map(|(size, name)| fill(&order, name, (*size).into())).collect()
    }

    /// What the venue says, in its order.
    fn reports(&self) -> Vec<OrderReportKind<'static>> {
        let venue_order_id = venue_name();
        let total = self.states_total.then(|| Decimal::from(self.fills.iter().sum::<i64>()));
        let mut reports = Vec::new();
        if self.end == End::NeverArrives {
            return reports;
        }
        if self.conditional {
            reports.push(OrderReportKind::AcceptedUntriggered { venue_order_id });
            if !self.asleep {
                reports.push(OrderReportKind::Triggered { venue_order_id: None });
            }
        } else {
            reports.push(OrderReportKind::Accepted { venue_order_id });
        }
        reports.extend(self.executions().into_iter().map(OrderReportKind::Fill));
        if self.cancel && self.end != End::Cancelled {
            reports.push(OrderReportKind::CancelRejected);
        }
        match self.end {
            End::Cancelled => reports.push(OrderReportKind::Cancelled { cumulative_filled: total }),
            End::Expired => reports.push(OrderReportKind::Expired { cumulative_filled: total }),
            End::Rejected => {
                reports.push(OrderReportKind::Rejected { reason: RejectReason::InsufficientFunds });
            }
            End::Rests | End::Filled | End::NeverArrives => {}
        }
        reports
    }

    /// What the venue answers to a query after `known` of its reports.
    fn answer<'a>(&self, known: usize, fills: &'a mut Vec<Fill>, lists_fills: bool) -> OrderReportKind<'a> {
        let mut status = None;
        for report in self.reports().iter().take(known) {
            status = match report {
                OrderReportKind::Accepted { .. } | OrderReportKind::Triggered { .. } => {
                    Some(VenueOrderStatus::Working)
                }
                OrderReportKind::AcceptedUntriggered { .. } => Some(VenueOrderStatus::Untriggered),
                OrderReportKind::Fill(fill) => {
                    fills.push(*fill);
                    let complete = fills.len() == self.fills.len() && self.end == End::Filled;
                    Some(if complete { VenueOrderStatus::Filled } else { VenueOrderStatus::PartiallyFilled })
                }
                OrderReportKind::Cancelled { .. } => Some(VenueOrderStatus::Cancelled),
                OrderReportKind::Expired { .. } => Some(VenueOrderStatus::Expired),
                OrderReportKind::Rejected { .. } => Some(VenueOrderStatus::Rejected),
                _ => status,
            };
        }
        let Some(status) = status else { return OrderReportKind::NotFound };
        let cumulative_filled = fills.iter().map(|fill| fill.quantity).sum();
        let fills: &[Fill] = if lists_fills { fills } else { &[] };
        OrderReportKind::Snapshot(Snapshot {
            status,
            venue_order_id: Some(venue_name()),
            cumulative_filled,
            fills,
        })
    }

    fn last_status(&self) -> OrderStatus {
        match self.end {
            End::Rests if self.asleep => OrderStatus::Untriggered,
            End::Rests if self.fills.is_empty() => OrderStatus::Working,
            End::Rests => OrderStatus::PartiallyFilled,
            End::Cancelled => OrderStatus::Cancelled,
            End::Expired => OrderStatus::Expired,
            End::Filled => OrderStatus::Filled,
            End::Rejected | End::NeverArrives => OrderStatus::Rejected,
        }
    }
}

/// A book with the one order, and what it handed out.
struct Run {
    book: Orders,
    order: OrderIntent,
    accounted: Vec<Fill>,
}

impl Run {
    fn new(order: OrderIntent) -> Self {
        let mut book = Orders::new(OrdersConfig::default()).unwrap();
        book.submit(order).unwrap();
        Self { book, order, accounted: Vec::new() }
    }

    fn take(&mut self, millis: i64, kind: OrderReportKind<'_>) -> Option<Question> {
        let applied = self.book.apply(&report(&self.order, millis, kind)).unwrap();
        self.accounted.extend_from_slice(applied.executions);
        let question = applied.question;
        let record = self.book.get(self.order.client_order_id).unwrap();
        let sum: Decimal = self.accounted.iter().map(|fill| fill.quantity).sum();
        assert_eq!(record.filled, sum);
        assert_eq!(self.book.unresolved().count(), usize::from(question.is_some()));
        question
    }

    fn cancel(&mut self) {
        self.book.request_cancel(self.order.client_order_id).unwrap();
    }

    fn status(&self) -> OrderStatus {
        self.book.get(self.order.client_order_id).unwrap().status
    }

    fn accounted(&self) -> Vec<Fill> {
        let mut fills = self.accounted.clone();
        fills.sort_by_key(|fill| fill.execution_id);
        fills
    }
}

#[derive(Clone, Copy, Debug)]
enum Delivery {
    Report(usize),
    Request,
    SubmissionTimeout,
    CancelTimeout,
    Answer(usize, bool),
}

/// What arrives here, in the order in which it arrives.
fn deliveries(life: &Life, noise: &Noise) -> Vec<Delivery> {
    let mut all = Vec::new();
    for (index, report) in life.reports().iter().enumerate() {
        let (at, lost, again) = noise.fates[index];
        // No answer comes before what it answers.
        let is_answer = matches!(report, OrderReportKind::CancelRejected)
            || (life.cancel && matches!(report, OrderReportKind::Cancelled { .. }));
        let earliest = if is_answer { noise.request_at } else { 0 };
        let times = (!lost).then_some(at).into_iter().chain(again);
        all.extend(times.map(|time| (time.max(earliest), Delivery::Report(index))));
    }
    if life.cancel {
        all.insert(0, (noise.request_at, Delivery::Request));
    }
    all.extend(noise.submission_timeout_at.map(|time| (time, Delivery::SubmissionTimeout)));
    all.extend(noise.cancel_timeout_at.map(|time| (time, Delivery::CancelTimeout)));
    all.extend(
        noise.old_answers.iter().map(|&(known, time, lists)| (time, Delivery::Answer(known.into(), lists))),
    );
    all.sort_by_key(|(time, _)| *time);
    all.into_iter().map(|(_, delivery)| delivery).collect()
}

fn clean(life: &Life) -> Run {
    let mut run = Run::new(life.order());
    for (index, kind) in life.reports().into_iter().enumerate() {
        let answers_us = matches!(kind, OrderReportKind::CancelRejected | OrderReportKind::Cancelled { .. });
        if life.cancel && answers_us {
            run.cancel();
        }
        run.take(10 * (index as i64 + 1), kind);
    }
    if life.end == End::NeverArrives {
        run.take(900, OrderReportKind::SubmissionTimedOut);
        run.take(901, OrderReportKind::NotFound);
    }
    run
}

fn noisy(life: &Life, noise: &Noise) -> Result<Run, TestCaseError> {
    let reports = life.reports();
    let mut run = Run::new(life.order());
    let mut wrongly_not_found = false;
    for delivery in deliveries(life, noise) {
        match delivery {
            Delivery::Report(index) => {
                run.take(10 * (index as i64 + 1), reports[index]);
            }
            Delivery::Request => run.cancel(),
            Delivery::SubmissionTimeout => {
                run.take(0, OrderReportKind::SubmissionTimedOut);
            }
            Delivery::CancelTimeout => {
                run.take(0, OrderReportKind::CancelTimedOut);
            }
            Delivery::Answer(known, lists_fills) => {
                let known = known.min(reports.len());
                let mut fills = Vec::new();
                let answer = life.answer(known, &mut fills, lists_fills);
                wrongly_not_found |= answer == OrderReportKind::NotFound && !reports.is_empty();
                run.take(10 * known as i64 + 1, answer);
            }
        }
    }
    // The caller's timers fire for what was not answered, and it asks until nothing is open.
    run.take(0, OrderReportKind::SubmissionTimedOut);
    run.take(0, OrderReportKind::CancelTimedOut);
    let mut answers = 0;
    for lists_fills in [noise.last_answer_lists_fills, true, true] {
        let mut fills = Vec::new();
        let answer = life.answer(reports.len(), &mut fills, lists_fills);
        answers += 1;
        if run.take(1_000 + answers, answer).is_none() {
            break;
        }
    }
    // One answer is enough; without executions it may take another, and so it may where an order was called
    // unknown.
    let most = 1 + i64::from(!noise.last_answer_lists_fills || wrongly_not_found);
    prop_assert!(answers <= most, "{} answers", answers);
    prop_assert_eq!(run.book.unresolved().count(), 0);
    Ok(run)
}

proptest! {
    #![proptest_config(Config { cases: 100_000, failure_persistence: None, ..Config::default() })]

    #[test]
    fn a_noisy_history_ends_like_the_clean_one(life in lives(), noise in noises()) {
        let clean = clean(&life);
        prop_assert_eq!(clean.status(), life.last_status());
        prop_assert_eq!(clean.accounted(), life.executions());
        let mut noisy = noisy(&life, &noise)?;
        prop_assert_eq!(noisy.status(), life.last_status());
        prop_assert_eq!(noisy.accounted(), life.executions());
        // Everything once more: nothing is accounted twice.
        for (index, kind) in life.reports().into_iter().enumerate() {
            noisy.take(10 * (index as i64 + 1), kind);
        }
        prop_assert_eq!(noisy.accounted(), life.executions());
    }
}
