//! Hand-checked histories of one order: a step on the left, what is known after it on the right.
//!
//! A step is a word and its numbers: `fill a 2` is execution `a` of 2, `snapshot cancelled 3 a2 b1` a query's
//! answer with two executions, `cancelled 3` a cancellation that states 3 as filled. Each order is a purchase
//! of 5. The right side is the status, the filled quantity, then `+a` for an execution
//! handed out and `?what` for an open question. Time goes on by 1 ms per step unless `@n` sets it. `send`
//! says that a cancellation is to be sent.

use super::*;

struct Card {
    name: &'static str,
    trigger: bool,
    steps: &'static [(&'static str, &'static str)],
}

#[rustfmt::skip]
const CARDS: &[Card] = &[
    Card { name: "partial fill, then cancelled", trigger: false, steps: &[
        ("accepted",    "Working 0"),
        ("fill a 2",    "PartiallyFilled 2 +a"),
        ("cancel",      "CancelRequested 2 send"),
        ("cancel",      "CancelRequested 2"),          // one is on its way
        ("cancelled 2", "Cancelled 2"),
        ("cancel",      "Cancelled 2"),
    ]},
    Card { name: "a late fill after the cancellation", trigger: false, steps: &[
        ("accepted",    "Working 0"),
        ("fill a 2",    "PartiallyFilled 2 +a"),
        ("cancel",      "CancelRequested 2 send"),
        ("cancelled",   "Cancelled 2"),
        ("fill b 1",    "Cancelled 3 +b"),             // 2 + 1, real though late
        ("fill c 2",    "Filled 5 +c"),                // 3 + 2 = 5: nothing was left to cancel
    ]},
    Card { name: "the venue states more than is known", trigger: false, steps: &[
        ("accepted",    "Working 0"),
        ("fill a 2",    "PartiallyFilled 2 +a"),
        ("cancelled 3", "Cancelled 2 ?MissingFills"),  // 3 - 2 = 1 is missing
        ("fill b 1",    "Cancelled 3 +b"),             // here it is
        ("fill c 1",    "Cancelled 4 +c ?Contradiction"), // accounted, but the venue said 3 in all
        ("snapshot cancelled 4", "Cancelled 4"),       // and says 4 now
    ]},
    Card { name: "a fill before the acceptance", trigger: false, steps: &[
        ("fill a 2",    "PartiallyFilled 2 +a"),
        ("accepted",    "PartiallyFilled 2"),
        ("fill b 3",    "Filled 5 +b"),
        ("accepted",    "Filled 5"),
    ]},
    Card { name: "executions that come twice", trigger: false, steps: &[
        ("accepted",    "Working 0"),
        ("fill a 2",    "PartiallyFilled 2 +a"),
        ("fill a 2",    "PartiallyFilled 2"),
        ("fill b 2",    "PartiallyFilled 4 +b"),
        ("fill a 2",    "PartiallyFilled 4"),
        ("snapshot partially-filled 4 a2 b2", "PartiallyFilled 4"),
        ("fill c 1",    "Filled 5 +c"),
        ("fill b 2",    "Filled 5"),
    ]},
    Card { name: "filled while the cancellation was on its way", trigger: false, steps: &[
        ("accepted",    "Working 0"),
        ("cancel",      "CancelRequested 0 send"),
        ("fill a 2",    "CancelRequested 2 +a"),
        ("fill b 3",    "Filled 5 +b"),
        ("cancel-rejected", "Filled 5"),
        ("cancel-timed-out", "Filled 5"),
    ]},
    Card { name: "a refused cancellation leaves it as it was, to be asked about", trigger: false, steps: &[
        ("accepted",    "Working 0"),
        ("cancel",      "CancelRequested 0 send"),
        ("cancel-rejected", "Working 0 ?CancelRejected"),
        ("snapshot working 0", "Working 0"),
        ("fill a 1",    "PartiallyFilled 1 +a"),
        ("cancel",      "CancelRequested 1 send"),
        ("cancel-rejected", "PartiallyFilled 1 ?CancelRejected"),
        ("snapshot filled 5 b4", "Filled 5 +b"),       // 1 + 4; the reason for the refusal
    ]},
    Card { name: "timed out, then found filled", trigger: false, steps: &[
        ("timed-out",   "SubmissionUnknown 0 ?SubmissionUnknown"),
        ("snapshot filled 5", "Filled 0 ?MissingFills"),
        ("snapshot filled 5 a2 b3", "Filled 5 +a +b"),
        ("fill b 3",    "Filled 5"),
    ]},
    Card { name: "timed out, then not found", trigger: false, steps: &[
        ("not-found",   "Submitted 0"),                // the question overtook the request
        ("timed-out",   "SubmissionUnknown 0 ?SubmissionUnknown"),
        ("timed-out",   "SubmissionUnknown 0 ?SubmissionUnknown"),
        ("not-found",   "Rejected 0"),
    ]},
    Card { name: "timed out, not found, and it arrives after all", trigger: false, steps: &[
        ("timed-out",   "SubmissionUnknown 0 ?SubmissionUnknown"),
        ("not-found",   "Rejected 0"),
        ("accepted",    "Rejected 0 ?Contradiction"),
        ("fill a 2",    "Rejected 2 +a ?Contradiction"), // accounted all the same
        ("snapshot partially-filled 2 @2", "Rejected 2 ?Contradiction"), // older than the fill
        ("snapshot partially-filled 2 @9", "PartiallyFilled 2"),
        ("fill b 3 @10", "Filled 5 +b"),
    ]},
    Card { name: "sent twice: the second request is refused as a duplicate", trigger: false, steps: &[
        ("timed-out",   "SubmissionUnknown 0 ?SubmissionUnknown"),
        ("duplicate",   "SubmissionUnknown 0 ?SubmissionUnknown"),
        ("snapshot working 0", "Working 0"),
        ("duplicate",   "Working 0"),
    ]},
    Card { name: "not found, yet the second request is a duplicate", trigger: false, steps: &[
        ("timed-out",   "SubmissionUnknown 0 ?SubmissionUnknown"),
        ("not-found",   "Rejected 0"),
        ("duplicate",   "Rejected 0 ?Contradiction"),  // the first one is there after all
        ("snapshot working 0", "Working 0"),
    ]},
    Card { name: "an overfill is refused and changes nothing", trigger: false, steps: &[
        ("accepted",    "Working 0"),
        ("fill a 4",    "PartiallyFilled 4 +a"),
        ("fill b 2",    "error order card: execution b of 2 is too much: 4 of 5 are filled already"),
        ("snapshot partially-filled 4 c1 d1", "error order card: execution d of 1 is too much: 5 of 5"),
        ("snapshot filled 4", "error order card: the venue states 4 as filled of 5"),
        ("cancelled 6", "error order card: the venue states 6 as filled of 5"),
        ("fill c 0",    "error order card: execution c has quantity 0 and price 100"),
        ("accepted",    "PartiallyFilled 4"),
        ("fill b 1",    "Filled 5 +b"),
        ("fill c 1",    "error order card: execution c of 1 is too much: 5 of 5 are filled already"),
    ]},
    Card { name: "an immediate-or-cancel order expires with a part of it filled", trigger: false, steps: &[
        ("accepted",    "Working 0"),
        ("expired 3",   "Expired 0 ?MissingFills"),    // the end overtook the executions
        ("fill b 1",    "Expired 1 +b ?MissingFills"),
        ("fill a 2",    "Expired 3 +a"),               // 1 + 2 = 3 as stated
        ("cancelled 3", "Expired 3"),
    ]},
    Card { name: "rejected after the acknowledgement, then traded", trigger: false, steps: &[
        ("accepted",    "Working 0"),
        ("rejected",    "Rejected 0"),
        ("rejected",    "Rejected 0"),
        ("fill a 1",    "Rejected 1 +a ?Contradiction"),
        ("snapshot rejected 0", "Rejected 1 ?Contradiction"), // 0 is less than what is known
        ("snapshot cancelled 1", "Cancelled 1"),
    ]},
    Card { name: "a rejection while a cancellation runs, but it has traded", trigger: false, steps: &[
        ("fill a 1",    "PartiallyFilled 1 +a"),
        ("cancel",      "CancelRequested 1 send"),
        ("rejected",    "CancelRequested 1 ?Contradiction"),
        ("snapshot cancelled 1", "Cancelled 1"),
    ]},
    Card { name: "the cancellation of an order nobody has confirmed", trigger: false, steps: &[
        ("cancel",      "CancelRequested 0 send"),
        ("cancel-rejected", "SubmissionUnknown 0 ?SubmissionUnknown"),
        ("cancel",      "CancelRequested 0 send"),
        ("not-found",   "CancelRequested 0"),
        ("cancel-timed-out", "CancelUnknown 0 ?CancelUnknown"),
        ("not-found",   "Rejected 0"),
    ]},
    Card { name: "the cancellation's outcome is unknown", trigger: false, steps: &[
        ("accepted",    "Working 0"),
        ("cancel",      "CancelRequested 0 send"),
        ("cancel-timed-out", "CancelUnknown 0 ?CancelUnknown"),
        ("fill a 2",    "CancelUnknown 2 +a ?CancelUnknown"),
        ("snapshot working 0", "CancelUnknown 2 ?CancelUnknown"), // older than the fill: says nothing
        ("snapshot partially-filled 2", "PartiallyFilled 2"),
        ("cancel",      "CancelRequested 2 send"),
        ("cancel-timed-out", "CancelUnknown 2 ?CancelUnknown"),
        ("not-found",   "CancelUnknown 2 ?Contradiction"), // it was known: never taken as gone
        ("snapshot cancelled 2", "Cancelled 2"),
    ]},
    Card { name: "neither a cancellation nor an answer ends what the venue took", trigger: false, steps: &[
        ("accepted",    "Working 0"),
        ("cancel",      "CancelRequested 0 send"),
        ("cancel-timed-out", "CancelUnknown 0 ?CancelUnknown"),
        ("not-found",   "CancelUnknown 0 ?Contradiction"),
        ("snapshot expired 0", "Expired 0"),
    ]},
    Card { name: "not found though it was accepted", trigger: false, steps: &[
        ("accepted",    "Working 0"),
        ("not-found",   "Working 0 ?Contradiction"),
        ("snapshot working 0", "Working 0"),
    ]},
    Card { name: "a stop sleeps, wakes and sells", trigger: true, steps: &[
        ("untriggered", "Untriggered 0"),
        ("cancel",      "CancelRequested 0 send"),
        ("cancel-rejected", "Untriggered 0 ?CancelRejected"),
        ("snapshot untriggered 0", "Untriggered 0"),
        ("triggered",   "Working 0"),
        ("untriggered", "Working 0"),                  // late
        ("cancel",      "CancelRequested 0 send"),
        ("cancel-rejected", "Working 0 ?CancelRejected"),
        ("fill a 5",    "Filled 5 +a"),
    ]},
    Card { name: "a stop whose waking was not heard of", trigger: true, steps: &[
        ("untriggered", "Untriggered 0"),
        ("snapshot working 0", "Working 0"),
        ("rejected",    "Rejected 0"),                 // no margin left when it woke
    ]},
    Card { name: "a newer answer that an ended order lives", trigger: false, steps: &[
        ("accepted @5", "Working 0"),
        ("cancelled @9", "Cancelled 0"),
        ("snapshot working 0 @7", "Cancelled 0"),      // older than the end
        ("snapshot working 0 @11", "Cancelled 0 ?Contradiction"),
        ("snapshot working 0 @12", "Working 0"),
    ]},
    Card { name: "two venue names for one order", trigger: false, steps: &[
        ("accepted",    "Working 0"),
        ("accepted-as other", "Working 0 ?Contradiction"),
    ]},
];

fn number(text: Option<&str>) -> Decimal {
    text.unwrap().parse().unwrap()
}

fn said(book: &mut Orders, order: &OrderIntent, step: &str, millis: i64) -> String {
    let (words, time) =
        step.split_once(" @").map_or((step, millis), |(words, at)| (words, at.parse().unwrap()));
    let mut words = words.split(' ');
    let word = words.next().unwrap();
    let mut fills = Vec::new();
    let kind = match word {
        "cancel" => {
            let send = book.request_cancel(order.client_order_id).unwrap();
            return shown(book, order, "", None) + if send { " send" } else { "" };
        }
        "accepted" => OrderReportKind::Accepted { venue_order_id: venue_name() },
        "accepted-as" => OrderReportKind::Accepted { venue_order_id: words.next().unwrap().parse().unwrap() },
        "untriggered" => OrderReportKind::AcceptedUntriggered { venue_order_id: venue_name() },
        "triggered" => OrderReportKind::Triggered { venue_order_id: None },
        "rejected" => OrderReportKind::Rejected { reason: RejectReason::Other },
        "duplicate" => OrderReportKind::Rejected { reason: RejectReason::DuplicateClientOrderId },
        "timed-out" => OrderReportKind::SubmissionTimedOut,
        "fill" => OrderReportKind::Fill(fill(order, words.next().unwrap(), number(words.next()))),
        "cancel-rejected" => OrderReportKind::CancelRejected,
        "cancel-timed-out" => OrderReportKind::CancelTimedOut,
        "cancelled" => {
            OrderReportKind::Cancelled { cumulative_filled: words.next().map(|text| number(Some(text))) }
        }
        "expired" => {
            OrderReportKind::Expired { cumulative_filled: words.next().map(|text| number(Some(text))) }
        }
        "not-found" => OrderReportKind::NotFound,
        "snapshot" => {
            let status = serde_json::from_str(&format!("\"{}\"", words.next().unwrap())).unwrap();
            let cumulative_filled = number(words.next());
            fills.extend(words.map(|text| fill(order, &text[..1], number(Some(&text[1..])))));
            OrderReportKind::Snapshot(Snapshot {
                status,
                venue_order_id: None,
                cumulative_filled,
                fills: &fills,
            })
        }
        other => panic!("no step {other}"),
    };
    match book.apply(&report(order, time, kind)) {
        Ok(applied) => {
            let names: String =
                applied.executions.iter().map(|fill| format!(" +{}", fill.execution_id)).collect();
            let question = applied.question;
            shown(book, order, &names, question)
        }
        Err(error) => format!("error {error}").replace("report about ", ""),
    }
}

fn shown(book: &Orders, order: &OrderIntent, names: &str, question: Option<Question>) -> String {
    let record = book.get(order.client_order_id).unwrap();
    let question = question.map_or_else(String::new, |question| format!(" ?{question:?}"));
    format!("{:?} {}{names}{question}", record.status, record.filled)
}

#[test]
fn hand_checked_cards() {
    for card in CARDS {
        let mut order = intent("card", 5.into());
        if card.trigger {
            order.kind = OrderKind::Stop { trigger: Decimal::from(101) };
        }
        let mut book = Orders::new(OrdersConfig::default()).unwrap();
        book.submit(order).unwrap();
        for (place, (step, expected)) in card.steps.iter().enumerate() {
            let result = said(&mut book, &order, step, place as i64);
            let fits = if expected.starts_with("error") {
                result.starts_with(expected)
            } else {
                result == *expected
            };
            assert!(fits, "{}: step {place} `{step}`\n expected {expected}\n got      {result}", card.name);
            let record = book.get(order.client_order_id).unwrap();
            assert_eq!(book.unresolved().count(), usize::from(record.question().is_some()), "{}", card.name);
            assert_eq!(book.working(order.instrument).count(), usize::from(!record.status.is_terminal()));
        }
    }
}
