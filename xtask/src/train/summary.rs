//! Sums up for the person at the terminal what is in the store and what was refused.

use anyhow::Result;

use super::report::{File, Report, Series, Status};
use super::{Run, Stage, print};
use crate::table::table;
use crate::verdict::Verdict;

pub(super) const STAGE: Stage = Stage { name: "summary", run, kept: None };

fn run(run: &mut Run) -> Result<Verdict> {
    let data = run.data()?;
    let store = data.report.store.clone().unwrap_or_else(|| run.store.display().to_string());
    print(&text(&data.report, &store))?;
    Ok(Verdict::Fine)
}

fn text(report: &Report, store: &str) -> String {
    let mut text = String::new();
    let candles = candle_rows(report);
    if !candles.is_empty() {
        let header = ["series", "timeframe", "candles", "first", "last", "gaps", "findings", "source"];
        text += &table(header, &[2], &candles);
    }
    let exogenous = exogenous_rows(report);
    if !exogenous.is_empty() {
        text += "\n";
        text += &table(["other series", "rows", "first", "last", "source"], &[1], &exogenous);
    }
    text += &notes(report);
    text += &troubles(report);
    text += &totals(report);
    text += &format!("store: {store}\n");
    text
}

fn candle_rows(report: &Report) -> Vec<[String; 8]> {
    let row = |file: &File, series: &Series| {
        [
            format!("{} {}", series.key.venue, series.key.symbol),
            series.key.timeframe.clone(),
            grouped(series.rows),
            short_time(series.first.as_deref()),
            short_time(series.last.as_deref()),
            gaps(series),
            findings(series),
            source(report, file),
        ]
    };
    let files = report.files.iter();
    files.flat_map(|file| file.series.iter().map(move |series| row(file, series))).collect()
}

fn exogenous_rows(report: &Report) -> Vec<[String; 5]> {
    let mut rows = Vec::new();
    for file in &report.files {
        for series in &file.exogenous {
            rows.push([
                series.name.clone(),
                grouped(series.rows),
                short_time(series.first.as_deref()),
                short_time(series.last.as_deref()),
                source(report, file),
            ]);
        }
    }
    rows
}

/// How a file's candles came here. The reason of a refusal is long and stands below the table.
fn source(report: &Report, file: &File) -> String {
    let status = match file.status {
        Status::Imported if report.command == "generate" => "generated",
        status => status.name(),
    };
    let name = file.path.as_deref().map(|path| path.rsplit('/').next().unwrap_or(path));
    name.map_or_else(|| status.to_owned(), |name| format!("{status}: {name}"))
}

fn gaps(series: &Series) -> String {
    if series.gaps.count == 0 {
        return "none".to_owned();
    }
    format!("{} / {} missing", grouped(series.gaps.count), grouped(series.gaps.missing))
}

fn findings(series: &Series) -> String {
    // A finding is a count, or an object that holds one beside its first line.
    let count_of = |found: &serde_json::Value| found.get("count").unwrap_or(found).as_u64();
    let present = series.findings.iter().filter(|(_, found)| count_of(found) != Some(0));
    let mut words: Vec<String> = present
        .map(|(name, count)| match count_of(count) {
            Some(count) => format!("{name} {}", grouped(count)),
            None => format!("{name} {count}"),
        })
        .collect();
    if words.is_empty() {
        words.push("none".to_owned());
    }
    if series.removed > 0 {
        words.push(format!("rows removed {}", grouped(series.removed)));
    }
    words.join(", ")
}

/// Each note once, with the series that it is about; the same note about many is counted.
fn notes(report: &Report) -> String {
    let mut about: Vec<(&str, Vec<&Series>)> = Vec::new();
    for series in report.series() {
        for note in &series.notes {
            match about.iter_mut().find(|(known, _)| known == note) {
                Some((_, all)) => all.push(series),
                None => about.push((note, vec![series])),
            }
        }
    }
    let mut text = String::new();
    for (note, all) in about {
        let of = match all.as_slice() {
            [one] => format!("{} {} {}", one.key.venue, one.key.symbol, one.key.timeframe),
            many => format!("{} series", many.len()),
        };
        text += &format!("note: {of}: {note}\n");
    }
    separated(text)
}

/// Every file that is not in the store, with its reason.
fn troubles(report: &Report) -> String {
    let mut text = String::new();
    for file in &report.files {
        if file.status.verdict() == Verdict::Fine {
            continue;
        }
        let path = file.path.as_deref().unwrap_or("synthetic market");
        let reason = file.error.as_deref().unwrap_or("data-loader gave no reason");
        // Most reasons begin with the file already.
        let place = if reason.starts_with(path) { String::new() } else { format!("{path}: ") };
        let reason = reason.replace('\n', "\n  ");
        text += &format!("{}: {place}{reason}\n", file.status.name());
    }
    separated(text)
}

fn totals(report: &Report) -> String {
    let fine: Vec<&File> =
        report.files.iter().filter(|file| file.status.verdict() == Verdict::Fine).collect();
    let series: usize = fine.iter().map(|file| file.series.len()).sum();
    let other: usize = fine.iter().map(|file| file.exogenous.len()).sum();
    let rows: u64 = fine.iter().flat_map(|file| &file.series).map(|series| series.rows).sum();
    let mut text = format!("\n{series} series of candles, {} candles", grouped(rows));
    if other > 0 {
        text += &format!(", {other} other series");
    }
    if report.command != "generate" {
        text += "; files:";
        for status in
            [Status::Imported, Status::AlreadyStored, Status::Refused, Status::Failed, Status::Unknown]
        {
            let count = report.count(status);
            if count > 0 {
                text += &format!(" {count} {},", status.name());
            }
        }
        text.truncate(text.trim_end_matches(',').len());
    }
    text + "\n"
}

fn separated(text: String) -> String {
    if text.is_empty() { text } else { format!("\n{text}") }
}

/// `2024-01-01T00:00:00Z` as `2024-01-01 00:00`; everything else as it is.
fn short_time(time: Option<&str>) -> String {
    let Some(time) = time else {
        return "-".to_owned();
    };
    let minutes = time.strip_suffix('Z').map(|time| time.strip_suffix(".000").unwrap_or(time));
    match minutes.and_then(|time| time.strip_suffix(":00")) {
        Some(minutes) => minutes.replacen('T', " ", 1),
        None => time.to_owned(),
    }
}

/// `1234567` as `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::report::tests::DOCUMENT;

    #[test]
    fn the_summary_says_what_was_stored_and_what_was_not() {
        let report = serde_json::from_str(DOCUMENT).unwrap();
        let expected = "\
series                      timeframe  candles  first             last              gaps           findings                     source
bybit-linear BTC/USDT:USDT  5m          57,310  2024-01-01 00:00  2024-07-17 23:55  1 / 2 missing  duplicate 3, rows removed 3  imported: btc.csv.gz
bybit-linear ETH/USDT:USDT  1h              10  2024-01-01 00:00  2024-01-01 09:00  none           none                         already stored: eth.csv.gz

other series  rows  first       last        source
VIX              7  2024-01-01  2024-01-09  imported: vix.csv

note: bybit-linear BTC/USDT:USDT 5m: turnover is absent

refused: data/walk.csv: looks like a random walk

2 series of candles, 57,320 candles, 1 other series; files: 2 imported, 1 already stored, 1 refused
store: datasets/store
";
        assert_eq!(text(&report, "datasets/store"), expected);
    }

    #[test]
    fn a_generated_market_is_called_so() {
        let report = serde_json::from_str(
            r#"{"command":"generate","files":[{"path":null,"status":"imported","series":[{"rows":1}]}]}"#,
        )
        .unwrap();
        let text = text(&report, "s");
        assert!(text.contains("generated\n"), "{text}");
        assert!(text.contains("1 series of candles, 1 candles\n"), "{text}");
    }

    #[test]
    fn candles_of_a_refused_file_are_not_counted() {
        let report = serde_json::from_str(
            r#"{"files":[{"path":"a","status":"refused","error":"bad","series":[{"rows":5}]}]}"#,
        )
        .unwrap();
        let text = text(&report, "s");
        assert!(text.contains("0 series of candles, 0 candles; files: 1 refused\n"), "{text}");
        assert!(text.contains("refused: a: bad\n"), "{text}");
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, expected) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (12345, "12,345"), (1_234_567, "1,234,567")]
        {
            assert_eq!(grouped(number), expected);
        }
    }

    #[test]
    fn times_lose_nothing_but_zeros() {
        for (time, expected) in [
            ("2024-01-01T00:05:00Z", "2024-01-01 00:05"),
            ("2024-01-01T00:05:00.000Z", "2024-01-01 00:05"),
            ("2024-01-01T00:05:01Z", "2024-01-01T00:05:01Z"),
            ("2024-01-01", "2024-01-01"),
        ] {
            assert_eq!(short_time(Some(time)), expected);
        }
        assert_eq!(short_time(None), "-");
    }
}
