//! The table of states, held against `docs/trading-order-states.md` and against rules that do not come from
//! the code.

use super::*;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/trading-order-states.md");

fn words(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push(' ');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

fn rendered() -> String {
    let mut lines = vec![String::from("| event |"), String::from("|---|")];
    for status in OrderStatus::ALL {
        lines[0] += &format!(" {} |", words(&format!("{status:?}")));
        lines[1] += "---|";
    }
    for event in OrderEvent::ALL {
        let mut line = format!("| {} |", words(&format!("{event:?}")));
        for status in OrderStatus::ALL {
            line += &match transition(status, event) {
                Transition::To(next) => format!(" {} |", words(&format!("{next:?}"))),
                Transition::Stay => String::from(" · |"),
                Transition::Contradiction => String::from(" ✗ |"),
            };
        }
        lines.push(line);
    }
    lines.join("\n")
}

#[test]
fn the_documented_table_is_the_one_in_the_code() {
    let file = std::fs::read_to_string(FILE).unwrap_or_default();
    let documented: Vec<&str> = file.lines().filter(|line| line.starts_with('|')).collect();
    let table = rendered();
    assert!(
        documented.join("\n") == table,
        "the table in {FILE} differs from the code; paste this:\n\n{table}\n"
    );
}

/// The same table written by hand from the semantics, one letter per status in the order of
/// `OrderStatus::ALL`: s submitted, u submission unknown, t untriggered, w working, p partially filled, q
/// cancel requested, k cancel unknown, F filled, C cancelled, R rejected, E expired, `.` stays, `x`
/// contradiction.
#[rustfmt::skip]
const BY_HAND: [(OrderEvent, &str); 13] = [
    //                                  sutwpqkFCRE
    (OrderEvent::Accepted,             "ww.......x."),
    (OrderEvent::AcceptedUntriggered,  "tt.......x."),
    (OrderEvent::Triggered,            "www......x."),
    (OrderEvent::Rejected,             "RRRRxRRxx.x"),
    (OrderEvent::SubmissionTimedOut,   "u.........."),
    (OrderEvent::PartialFill,          "ppppp....x."),
    (OrderEvent::CompleteFill,         "FFFFFFF.FxF"),
    (OrderEvent::CancelRequested,      "qqqqq.q...."),
    (OrderEvent::CancelRejected,       ".....ww...."),
    (OrderEvent::CancelTimedOut,       ".....k....."),
    (OrderEvent::Cancelled,            "CCCCCCC..x."),
    (OrderEvent::Expired,              "EEEEEEE..x."),
    (OrderEvent::NotFound,             ".Rxxx.R...."),
];

#[test]
fn every_pair_does_what_the_table_by_hand_says() {
    let letters = "sutwpqkFCRE";
    assert_eq!(BY_HAND.map(|(event, _)| event), OrderEvent::ALL);
    for (event, row) in BY_HAND {
        assert_eq!(row.len(), OrderStatus::ALL.len());
        for (status, letter) in OrderStatus::ALL.into_iter().zip(row.chars()) {
            let expected = match letter {
                '.' => Transition::Stay,
                'x' => Transition::Contradiction,
                letter => Transition::To(OrderStatus::ALL[letters.find(letter).unwrap()]),
            };
            assert_eq!(transition(status, event), expected, "{status:?} + {event:?}");
        }
    }
}

#[test]
fn what_has_ended_does_not_live_again_and_only_the_venue_ends_what_is_unknown() {
    let ours = [OrderEvent::SubmissionTimedOut, OrderEvent::CancelTimedOut, OrderEvent::CancelRequested];
    for status in OrderStatus::ALL {
        for event in OrderEvent::ALL {
            if let Transition::To(next) = transition(status, event) {
                assert!(!status.is_terminal() || next == OrderStatus::Filled, "{status:?} + {event:?}");
                assert!(!(ours.contains(&event) && next.is_terminal()), "{status:?} + {event:?}");
            }
        }
    }
}

#[test]
fn names_are_the_same_in_files_and_venue_names_are_bounded() {
    assert_eq!(serde_json::to_string(&OrderStatus::SubmissionUnknown).unwrap(), "\"submission-unknown\"");
    let longest = "x".repeat(64);
    let id: ExecutionId = longest.parse().unwrap();
    assert_eq!(id.as_str(), longest);
    assert_eq!(serde_json::from_str::<VenueOrderId>("\"8a3f-01\"").unwrap().to_string(), "8a3f-01");
    assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{longest}\""));
    for text in ["", "a b", "ä", "line\n", &"x".repeat(65)] {
        assert!(text.parse::<ExecutionId>().is_err(), "{text}");
        assert!(text.parse::<VenueOrderId>().is_err(), "{text}");
    }
    let error = "a b".parse::<ExecutionId>().unwrap_err().to_string();
    assert!(error.contains("`a b`") && error.contains("execution id"), "{error}");
    let order = intent("o", Decimal::from(5));
    let fill = fill(&order, "e1", Decimal::ONE);
    let text = serde_json::to_string(&fill).unwrap();
    assert_eq!(serde_json::from_str::<Fill>(&text).unwrap(), fill);
}
