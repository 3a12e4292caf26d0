//! Tables as text: CSV and its relatives.

use std::io::{BufRead, Read};

use crate::error::{MarketDataError, Place};

use super::header::{TableKind, is_header_without_time, kind_of, normalise};
use super::source::{PREFIX, damaged, read_up_to};
use super::time_cell::{TimeRules, read_number, trim};

const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// How many lines may stand before the header (comments, addresses of a data vendor).
const PREAMBLE: usize = 8;

/// What the first lines of a text say about the rest.
#[derive(Clone, Debug)]
pub(crate) struct Sniffed {
    pub(crate) delimiter: u8,
    /// Lines before the header or the first row.
    pub(crate) preamble: Vec<String>,
    /// Column names, or `None` where the first line is data.
    pub(crate) header: Option<Vec<String>>,
    /// Fields of the first line that counts.
    pub(crate) width: usize,
    /// Lines between the header and the first row, which yfinance writes.
    pub(crate) skipped: usize,
    /// What the table holds; without a header this is told by the shape of the first row.
    pub(crate) kind: TableKind,
}

/// A text whose first lines are understood.
pub(crate) struct DelimitedText<'a> {
    pub(crate) name: String,
    pub(crate) sniffed: Sniffed,
    /// Rows of nothing but empty cells, which spreadsheets leave at the end; they are passed over.
    pub(crate) empty_rows: u64,
    reader: csv::Reader<Box<dyn Read + 'a>>,
}

impl<'a> DelimitedText<'a> {
    pub(crate) fn open(
        name: String,
        mut text: Box<dyn BufRead + 'a>,
        rules: &TimeRules,
        named: Option<&[String]>,
    ) -> Result<Self, MarketDataError> {
        let mut prefix = vec![0_u8; PREFIX];
        let len = read_up_to(&mut text, &mut prefix).map_err(|error| damaged(&name, &error))?;
        prefix.truncate(len);
        let sniffed = sniff(&name, &prefix, rules, named)?;
        let whole: Box<dyn Read + 'a> = Box::new(std::io::Cursor::new(prefix).chain(text));
        let reader = csv::ReaderBuilder::new()
            .delimiter(sniffed.delimiter)
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(1 << 17)
            .from_reader(whole);
        Ok(Self { name, sniffed, empty_rows: 0, reader })
    }

    /// Hands each row with its line number to `row`; the header and what stands before it are left out.
    pub(crate) fn for_each_row(
        &mut self,
        row: &mut dyn FnMut(&csv::ByteRecord, u64) -> Result<(), MarketDataError>,
    ) -> Result<(), MarketDataError> {
        let skipped =
            self.sniffed.preamble.len() + usize::from(self.sniffed.header.is_some()) + self.sniffed.skipped;
        let mut record = csv::ByteRecord::new();
        let mut lines_before = 0;
        loop {
            // The position before the read counts lines that the CSV reader passes over as empty.
            let more = self.reader.read_byte_record(&mut record).map_err(|error| self.unreadable(&error))?;
            if !more {
                return Ok(());
            }
            let line = record.position().map_or(0, csv::Position::line);
            if lines_before < skipped {
                lines_before += 1;
                continue;
            }
            if record.iter().all(|cell| trim(cell).is_empty()) {
                self.empty_rows += 1;
                continue;
            }
            if record.len() != self.sniffed.width {
                // pandas and others write no trailing delimiter for a last empty field, so a shorter row
                // is a damaged one.
                return Err(MarketDataError::Unreadable {
                    place: Place::at(&self.name, line, None),
                    problem: format!(
                        "the row has {} fields where {} are expected",
                        record.len(),
                        self.sniffed.width
                    ),
                    remedy: "the file may be cut off or mixed with another; restore or remove the row"
                        .to_owned(),
                });
            }
            row(&record, line)?;
        }
    }

    fn unreadable(&self, error: &csv::Error) -> MarketDataError {
        match error.kind() {
            csv::ErrorKind::Io(io) => damaged(&self.name, io),
            _ => MarketDataError::Unreadable {
                place: Place {
                    file: self.name.clone(),
                    line: error.position().map(csv::Position::line),
                    column: None,
                },
                problem: error.to_string(),
                remedy: "correct the row".to_owned(),
            },
        }
    }
}

/// Cuts one line at `delimiter`, minding quotes.
fn fields(line: &[u8], delimiter: u8) -> Vec<String> {
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(line);
    let mut record = csv::ByteRecord::new();
    match reader.read_byte_record(&mut record) {
        Ok(true) => record.iter().map(|field| String::from_utf8_lossy(field).into_owned()).collect(),
        _ => Vec::new(),
    }
}

fn sniff(
    name: &str,
    prefix: &[u8],
    rules: &TimeRules,
    named: Option<&[String]>,
) -> Result<Sniffed, MarketDataError> {
    let lines = prefix.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    // Empty lines do not count: the CSV reader passes over them.
    let lines: Vec<&[u8]> = lines.filter(|line| !line.is_empty()).take(PREAMBLE + 4).collect();
    let mut preamble: Vec<String> = Vec::new();
    for (number, line) in lines.iter().take(PREAMBLE + 1).enumerate() {
        let by_delimiter = DELIMITERS
            .iter()
            .map(|&delimiter| (delimiter, fields(line, delimiter)))
            .filter(|(_, fields)| fields.len() >= 2);
        for (delimiter, mut cells) in by_delimiter {
            let width = cells.len();
            let found = |header, kind, skipped, preamble| Sniffed {
                delimiter,
                preamble,
                header,
                width,
                skipped,
                kind,
            };
            if named.is_none() {
                if normalise(&cells[0]) == "price" && is_header_without_time(&cells) {
                    // yfinance: a header that calls the times `Price`, then a line of tickers and one of names.
                    let rest = lines[number + 1..].iter();
                    let after = rest
                        .take_while(|line| {
                            let first = fields(line, delimiter);
                            first.first().is_none_or(|cell| rules.read(cell.as_bytes()).is_err())
                        })
                        .count();
                    cells[0] = "date".to_owned();
                    return Ok(found(Some(cells), TableKind::Candles, after, preamble));
                }
                if let Some(kind) = kind_of(&cells) {
                    return Ok(found(Some(cells), kind, 0, preamble));
                }
            }
            if let Some(kind) = kind_of_row(name, &cells, rules, named.is_some()) {
                // A line of as many words above the numbers is a header that was not understood; reading
                // the columns by their place would guess.
                let above =
                    preamble.iter().position(|line| fields(line.as_bytes(), delimiter).len() == width);
                if let (Some(above), None) = (above, named) {
                    return Err(header_unknown(name, above, lines[above]));
                }
                return Ok(found(None, kind, 0, preamble));
            }
        }
        preamble.push(String::from_utf8_lossy(line).chars().take(240).collect());
    }
    let first_line = preamble.first().map(|line| line.chars().take(120).collect::<String>());
    Err(MarketDataError::Unreadable {
        place: Place::at(name, 1, None),
        problem: format!(
            "no header and no row of numbers was found; the text begins `{}`",
            first_line.unwrap_or_default()
        ),
        remedy: "a table needs a header such as `timestamp,open,high,low,close,volume`, or name the columns with --columns".to_owned(),
    })
}

fn header_unknown(name: &str, line: usize, text: &[u8]) -> MarketDataError {
    let shown: String = String::from_utf8_lossy(text).chars().take(120).collect();
    MarketDataError::Unreadable {
        place: Place::at(name, line as u64 + 1, None),
        problem: format!("the header `{shown}` names no column of times, or none that is known"),
        remedy: "name the columns in their order, for example --columns time,open,high,low,close,volume"
            .to_owned(),
    }
}

/// What a row without a header holds, told by its shape.
fn kind_of_row(name: &str, cells: &[String], rules: &TimeRules, named: bool) -> Option<TableKind> {
    let is_time = |cell: &String| rules.read(cell.as_bytes()).is_ok();
    let is_number = |cell: &String| {
        let cell = trim(cell.as_bytes());
        !cell.is_empty() && read_number(cell).is_some_and(f64::is_finite)
    };
    if named {
        return cells.iter().any(is_time).then_some(TableKind::Candles);
    }
    // A header-less first cell may be a time that this reader refuses (day or month first): the row is
    // still data, and the refusal comes with its line number.
    let first = cells.first()?;
    let time = is_time(first) || is_number(first) || super::civil::needs_date_order(trim(first.as_bytes()));
    // A missing value in the first row is a finding of that row, not a reason to pass it over.
    let rest = cells.get(1..)?;
    let readable = rest.iter().take(5).all(|cell| read_number(cell.as_bytes()).is_some());
    let numbers = rest.iter().take(5).filter(|cell| is_number(cell)).count();
    if !time || !readable || numbers < rest.len().min(2) {
        return None;
    }
    Some(match cells.len() {
        2 if name.to_lowercase().contains("funding") => TableKind::Funding,
        2 => TableKind::Values,
        3 | 4 => TableKind::Trades,
        // LEAN's quote bars: bid OHLC and size, ask OHLC and size.
        11 => TableKind::Quotes,
        _ => TableKind::Candles,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sniffed(text: &str) -> Result<Sniffed, MarketDataError> {
        sniff("test.csv", text.as_bytes(), &TimeRules::default(), None)
    }

    #[test]
    fn finds_the_header_behind_a_comment() {
        let found = sniffed(
            "Timestamps are UTC timezone,https://example.com\ndate,symbol,open,high,low,close,volume\n",
        )
        .unwrap();
        assert_eq!((found.preamble.len(), found.width, found.delimiter), (1, 7, b','));
        assert!(found.header.is_some());
    }

    #[test]
    fn knows_rows_without_a_header() {
        for (text, kind) in [
            (
                "1502942400000,4261.48,4313.62,4261.32,4308.83,47.18,1502945999999,202366.13,171,35.16,150952.47,0",
                TableKind::Candles,
            ),
            ("20230315T,24674.98,25177.13,23890.95,24276.58,14952.24", TableKind::Candles),
            ("20221213 00:00:00,-0.0002016", TableKind::Values),
            ("1315922016,5.8,1.0", TableKind::Trades),
            (
                "0,17207.18,17211.24,17205,17205.01,0.00531,17208.86,17213,17206.29,17206.77,0.00416",
                TableKind::Quotes,
            ),
        ] {
            let found = sniffed(text).unwrap();
            assert_eq!(found.kind, kind, "{text}");
            assert!(found.header.is_none());
        }
    }

    #[test]
    fn finds_other_delimiters() {
        assert_eq!(sniffed("timestamp;open;high;low;close;volume\n").unwrap().delimiter, b';');
        assert_eq!(sniffed("timestamp\topen\thigh\tlow\tclose\tvolume\n").unwrap().delimiter, b'\t');
    }

    #[test]
    fn a_header_that_is_not_understood_is_never_skipped() {
        for text in [
            "when,Close,High,Low,Open,Volume\n2017-08-17,4285.08,4485.39,4200.74,4261.48,795.15\n",
            "a,b,c,d,e,f\n2017-08-17,4285.08,4485.39,4200.74,4261.48,795.15\n",
        ] {
            let error = sniffed(text).unwrap_err().to_string();
            assert!(error.contains("line 1") && error.contains("--columns"), "{error}");
        }
        let yfinance = "Price,Close,High,Low,Open,Volume\nTicker,X,X,X,X,X\nDate,,,,,\n2017-08-17,4285.08,4485.39,4200.74,4261.48,795.15\n";
        let found = sniffed(yfinance).unwrap();
        assert_eq!((found.skipped, found.header.unwrap()[0].as_str()), (2, "date"));
    }

    #[test]
    fn a_first_row_with_a_hole_is_a_row() {
        let found = sniffed("1502942400000,NaN,4485.39,4200.74,4285.08,795.15\n").unwrap();
        assert_eq!((found.kind, found.preamble.len()), (TableKind::Candles, 0));
    }

    #[test]
    fn says_when_nothing_is_found() {
        let error = sniffed("hello\nworld\n").unwrap_err().to_string();
        assert!(error.contains("test.csv, line 1") && error.contains("hello"), "{error}");
    }
}
