use super::*;
use crate::symbol::{Market, Symbol, Venue};
use crate::timeframe::Timeframe;

fn key() -> SeriesKey {
    let venue = Venue::new("bybit", Market::Linear).unwrap();
    SeriesKey::new(venue, Symbol::parse_on("BTCUSDT", Market::Linear).unwrap(), Timeframe::M1)
}

/// A raw series from rows `minute open high low close volume turnover`, lines counted from 2.
fn raw(rows: &str) -> RawSeries {
    let mut raw = RawSeries { has_volume: true, ..RawSeries::default() };
    let mut turnover = Vec::new();
    for (index, row) in rows.trim().lines().enumerate() {
        let cells: Vec<f64> = row.split_whitespace().map(|cell| cell.parse().unwrap()).collect();
        raw.columns.open_time.push(Timestamp::from_millis((cells[0] * 60_000.0) as i64));
        raw.columns.open.push(cells[1]);
        raw.columns.high.push(cells[2]);
        raw.columns.low.push(cells[3]);
        raw.columns.close.push(cells[4]);
        raw.columns.volume.push(cells[5]);
        turnover.push(cells.get(6).copied().unwrap_or(f64::NAN));
        raw.lines.push(index as u32 + 2);
    }
    raw.columns.turnover = Some(turnover);
    raw
}

fn minutes(inspected: &Inspected) -> Vec<i64> {
    inspected.series.columns().open_time.iter().map(|time| time.as_millis() / 60_000).collect()
}

/// Rows in; findings, and the minutes (with the open of each) that remain under drop and keep-first.
#[test]
fn each_fault_is_found_and_each_policy_applied() {
    use FindingKind::*;
    let sound = "0 10 11 9 10 1\n1 10 11 9 10 1\n2 10 11 9 10 1\n";
    for (name, rows, kind, dropped, kept_first) in [
        ("repetition", "1 10 11 9 10 1", Some((Duplicate, 1)), vec![0, 1, 2], vec![0, 1, 2]),
        ("conflict", "2 10 12 9 10 1", Some((ConflictingDuplicate, 1)), vec![0, 1], vec![0, 1, 2]),
        ("nan", "3 nan 11 9 10 1", Some((NonFinite, 1)), vec![0, 1, 2], vec![0, 1, 2]),
        ("infinite", "3 10 inf 9 10 1", Some((NonFinite, 1)), vec![0, 1, 2], vec![0, 1, 2]),
        ("zero price", "3 0 11 0 10 1", Some((NonPositivePrice, 1)), vec![0, 1, 2], vec![0, 1, 2]),
        ("negative volume", "3 10 11 9 10 -1", Some((NegativeVolume, 1)), vec![0, 1, 2], vec![0, 1, 2]),
        ("negative turnover", "3 10 11 9 10 1 -5", Some((NegativeVolume, 1)), vec![0, 1, 2], vec![0, 1, 2]),
        ("high below close", "3 10 10 9 11 1", Some((ImpossibleOhlc, 1)), vec![0, 1, 2], vec![0, 1, 2]),
        ("off grid", "3.5 10 11 9 10 1", Some((OffGrid, 1)), vec![0, 1, 2], vec![0, 1, 2]),
        ("turnover", "3 10 11 9 10 50 50", Some((TurnoverOutsideRange, 1)), vec![0, 1, 2], vec![0, 1, 2]),
        ("gap is no finding", "9 10 11 9 10 1", None, vec![0, 1, 2, 9], vec![0, 1, 2, 9]),
        ("rounded volume", "3 10 11 9 10 1 5", None, vec![0, 1, 2, 3], vec![0, 1, 2, 3]),
    ] {
        let text = format!("{sound}{rows}");
        let rejected = inspect(raw(&text), key(), "f.csv", Policy::Reject, None);
        match kind {
            None => assert!(rejected.is_ok(), "{name}: {:?}", rejected.err()),
            Some(_) => assert!(rejected.is_err(), "{name}"),
        }
        let drop = inspect(raw(&text), key(), "f.csv", Policy::Drop, None).unwrap();
        let found: Vec<_> = drop.report.findings.iter().map(|(kind, found)| (*kind, found.count)).collect();
        // A repetition of an earlier minute is also out of order.
        let found: Vec<_> = found.into_iter().filter(|(kind, _)| *kind != OutOfOrder).collect();
        assert_eq!(found, kind.into_iter().collect::<Vec<_>>(), "{name}");
        assert_eq!(minutes(&drop), dropped, "{name}");
        let first = inspect(raw(&text), key(), "f.csv", Policy::KeepFirst, None).unwrap();
        assert_eq!(minutes(&first), kept_first, "{name}");
        assert_eq!(first.report.removed + first.report.rows, first.report.rows_read, "{name}");
    }
}

#[test]
fn the_refusal_names_line_column_and_remedy() {
    let text = "0 10 11 9 10 1\n1 10 11 9 10 1\n1 10 11 9 10 1";
    let error = inspect(raw(text), key(), "f.csv", Policy::Reject, None).unwrap_err().to_string();
    for part in ["f.csv", "line 4", "open time", "repeats line 3", "--findings"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn newest_first_is_turned_around() {
    let inspected =
        inspect(raw("2 1 1 1 1 1\n1 1 1 1 1 1\n0 1 1 1 1 1"), key(), "f", Policy::Reject, None).unwrap();
    assert_eq!(minutes(&inspected), [0, 1, 2]);
    assert!(inspected.report.notes[0].contains("newest first"));
    let duplicate =
        inspect(raw("2 1 1 1 1 1\n1 1 1 1 1 1\n1 1 1 1 1 1\n0 1 1 1 1 1"), key(), "f", Policy::Reject, None);
    // The later line in time order stands earlier in the file.
    assert!(duplicate.unwrap_err().to_string().contains("line 3"));
}

#[test]
fn keep_first_means_first_in_the_file_also_when_newest_come_first() {
    let text = "2 1 1 1 1 1\n1 7 7 7 7 1\n1 8 8 8 8 1\n0 1 1 1 1 1";
    let kept = inspect(raw(text), key(), "f", Policy::KeepFirst, None).unwrap();
    assert_eq!(kept.series.columns().open, [1.0, 7.0, 1.0]);
    // Three of a time, in each order of two or three values, with the newest first, the oldest first and scattered.
    for values in ["788", "778", "787", "789", "987"] {
        let first = values[..1].parse::<f64>().unwrap();
        let row = |value: char| format!("1 {value} {value} {value} {value} 1");
        let rows: Vec<String> = values.chars().map(row).collect();
        let (oldest, newest) = ("0 1 1 1 1 1", "2 1 1 1 1 1\n3 1 1 1 1 1");
        for text in [
            format!("3 1 1 1 1 1\n2 1 1 1 1 1\n{}\n{oldest}", rows.join("\n")),
            format!("{oldest}\n{}\n{newest}", rows.join("\n")),
            format!("{oldest}\n{}\n2 1 1 1 1 1\n{}\n3 1 1 1 1 1\n{}", rows[0], rows[1], rows[2]),
        ] {
            let kept = inspect(raw(&text), key(), "f", Policy::KeepFirst, None).unwrap();
            assert_eq!(kept.series.columns().open, [1.0, first, 1.0, 1.0], "{text}");
        }
    }
}

#[test]
fn disorder_is_sorted_or_dropped() {
    let text = "0 1 1 1 1 1\n2 2 2 2 2 1\n1 3 3 3 3 1\n3 4 4 4 4 1\n2 9 9 9 9 1";
    let sorted = inspect(raw(text), key(), "f", Policy::KeepFirst, None).unwrap();
    assert_eq!(minutes(&sorted), [0, 1, 2, 3]);
    assert_eq!(sorted.series.columns().open, [1.0, 3.0, 2.0, 4.0]);
    let more = format!("{text}\n4 1 1 1 1 1\n5 1 1 1 1 1");
    let dropped = inspect(raw(&more), key(), "f", Policy::Drop, None).unwrap();
    assert_eq!(minutes(&dropped), [0, 3, 4, 5]);
    assert_eq!(dropped.series.gaps().missing(), 2);
}

#[test]
fn of_a_disputed_time_nothing_is_kept_when_dropping() {
    let text = "0 1 1 1 1 1\n1 2 2 2 2 1\n1 2 2 2 2 1\n1 2 2 2 2 9\n2 1 1 1 1 1\n3 1 1 1 1 1\n4 1 1 1 1 1";
    assert_eq!(minutes(&inspect(raw(text), key(), "f", Policy::Drop, None).unwrap()), [0, 2, 3, 4]);
    let first = inspect(raw(text), key(), "f", Policy::KeepFirst, None).unwrap();
    assert_eq!(first.series.columns().volume, [1.0; 5]);
}

#[test]
fn no_policy_drops_most_of_a_file() {
    let late = "0 1 1 1 1 1\n90 1 1 1 1 1\n1 1 1 1 1 1\n2 1 1 1 1 1\n3 1 1 1 1 1\n4 1 1 1 1 1";
    let error = inspect(raw(late), key(), "f", Policy::Drop, None).unwrap_err().to_string();
    assert!(error.contains("out of order") && error.contains("4 of 6"), "{error}");
    // Where a clock tells that the stamp is from the future, only that row is at fault.
    let now = Some(Timestamp::from_millis(10 * 60_000));
    assert_eq!(minutes(&inspect(raw(late), key(), "f", Policy::Drop, now).unwrap()), [0, 1, 2, 3, 4]);
}

#[test]
fn a_wrong_clock_is_refused_under_every_policy() {
    let text = "0.28 1 1 1 1 1\n1.28 1 1 1 1 1\n2.28 1 1 1 1 1";
    for policy in [Policy::Reject, Policy::Drop, Policy::KeepFirst] {
        let error = inspect(raw(text), key(), "f", policy, None).unwrap_err().to_string();
        assert!(error.contains("16.8 s after the 1m grid"), "{error}");
    }
}

#[test]
fn a_time_finer_than_milliseconds_is_off_the_grid() {
    let mut fine = raw("0 1 1 1 1 1\n1 1 1 1 1 1\n2 1 1 1 1 1");
    fine.finer_times = vec![1];
    assert!(inspect(fine, key(), "f", Policy::Reject, None).is_err());
}

#[test]
fn an_unfinished_candle_is_found_by_the_clock() {
    let text = "0 1 1 1 1 1\n1 1 1 1 1 1\n2 1 1 1 1 1";
    let now = Some(Timestamp::from_millis(150_000));
    assert!(inspect(raw(text), key(), "f", Policy::Reject, now).is_err());
    assert_eq!(minutes(&inspect(raw(text), key(), "f", Policy::Drop, now).unwrap()), [0, 1]);
    // The candle of minute 2 closes at 180,000 ms: from then on it is whole.
    assert!(inspect(raw(text), key(), "f", Policy::Reject, Some(Timestamp::from_millis(180_000))).is_ok());
}

#[test]
fn durations_read_like_speech() {
    assert_eq!(duration(1_008_939), "16 min 48.939 s");
    assert_eq!(duration(3_600_000), "1 h");
    assert_eq!(duration(0), "0 s");
    assert_eq!(duration(90_000_000), "1 d 1 h");
}
