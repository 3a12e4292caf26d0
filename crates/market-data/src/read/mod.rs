//! Reading candle files of any common convention, without judging their content.
//!
//! What comes out is [`RawTable`]: the values as the file has them, with the line of each. Whether they
//! are sound is decided by [`crate::quality`], and what series they belong to by [`crate::identify`].

mod civil;
mod columnar;
mod delimited;
mod header;
mod json;
mod raw;
mod source;
mod time_cell;

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{MarketDataError, Place};

pub use civil::DateOrder;
pub(crate) use civil::parse_civil;
pub(crate) use columnar::{
    candles_of_frame, column_names, numbers as frame_numbers, read_frame, texts as frame_texts,
    times as frame_times,
};
pub(crate) use delimited::DelimitedText;
pub use header::TableKind;
pub(crate) use header::{FUNDING, find_column, find_time_column, kind_of};
pub(crate) use json::read_json;
pub use raw::{RawSeries, RawTable};
pub(crate) use source::{Content, Member, for_each_member};
pub(crate) use time_cell::{TimeRules, TimeStyle, read_number, trim};

use header::{candle_layout, headerless_layout};
use raw::RowAssembler;

/// What a reader cannot know from the file alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReadOptions {
    /// Names for the columns of a file without a header, or instead of its own.
    pub columns: Option<Vec<String>>,
    /// The clock of times that state no zone, as minutes east of UTC.
    pub utc_offset_minutes: i32,
    /// The order of day and month where the year stands last.
    pub date_order: Option<DateOrder>,
}

impl ReadOptions {
    /// Reads an offset such as `+03:00`.
    ///
    /// # Errors
    /// [`MarketDataError::InvalidRequest`] when it is none.
    pub fn parse_utc_offset(text: &str) -> Result<i32, MarketDataError> {
        civil::parse_offset(text.as_bytes())
            .and_then(|millis| i32::try_from(millis / 60_000).ok())
            .ok_or_else(|| {
                MarketDataError::request("UTC offset", format!("`{text}` is none; write it like +03:00"))
            })
    }

    pub(crate) fn time_rules(&self, file: &str) -> TimeRules {
        TimeRules {
            zone: i64::from(self.utc_offset_minutes) * 60_000,
            order: self.date_order,
            midnight: date_in_name(file),
        }
    }
}

/// Midnight of a date written as eight digits in a file's name (`20221213_btcusdt_trade.csv`).
fn date_in_name(file: &str) -> Option<i64> {
    let name = file.rsplit(['/', '\\', '!']).next().unwrap_or(file);
    name.split(|character: char| !character.is_ascii_digit())
        .filter(|digits| digits.len() == 8)
        .find_map(|digits| parse_civil(digits.as_bytes()))
        .map(|civil| civil.utc_millis(0))
}

/// Reads every candle table of a file: one for most, one per member of an archive.
///
/// # Errors
/// A file that is no table of candles, or has a cell that cannot be read, is refused with file, line,
/// column and remedy. Wrong *values* are not errors here; see [`crate::quality::inspect`].
pub fn read_candles(path: &Path, options: &ReadOptions) -> Result<Vec<RawTable>, MarketDataError> {
    let mut tables = Vec::new();
    for_each_member(path, &mut |member| {
        tables.push(read_member(member, options)?);
        Ok(())
    })?;
    Ok(tables)
}

/// Reads the candles of one member.
pub(crate) fn read_member(member: Member<'_>, options: &ReadOptions) -> Result<RawTable, MarketDataError> {
    let rules = options.time_rules(&member.name);
    let columns = options.columns.as_deref();
    let name = member.name;
    let table = match member.content {
        Content::Delimited(text) => {
            let text = DelimitedText::open(name, text, &rules, columns)?;
            read_delimited(text, rules, columns)?
        }
        Content::Json(text) => json::read_json(&name, text, rules, columns)?,
        Content::Parquet(file) => {
            let frame = read_frame(&name, file, true)?;
            columnar::candles_of_frame(name, frame, rules, columns)?
        }
        Content::Arrow(file) => {
            let frame = read_frame(&name, file, false)?;
            columnar::candles_of_frame(name, frame, rules, columns)?
        }
    };
    Ok(table)
}

/// Reads the candles of a text whose first lines are understood.
pub(crate) fn read_delimited(
    mut text: DelimitedText<'_>,
    rules: TimeRules,
    columns: Option<&[String]>,
) -> Result<RawTable, MarketDataError> {
    let sniffed = text.sniffed.clone();
    let first_line = sniffed.preamble.len() as u64 + 1;
    let refuse = |problem: String, remedy: &str| MarketDataError::Unreadable {
        place: Place::at(&text.name, first_line, None),
        problem,
        remedy: remedy.to_owned(),
    };
    if sniffed.kind != TableKind::Candles {
        return Err(refuse(
            format!("this is {}, not candles", sniffed.kind.describe()),
            match sniffed.kind {
                TableKind::Trades => "aggregate the trades to candles first",
                TableKind::OrderBook | TableKind::Quotes => "give candles of traded prices",
                _ => "import it as its own kind",
            },
        ));
    }
    let layout = match &sniffed.header {
        Some(header) => candle_layout(header).map_err(|missing| {
            refuse(format!("the header lacks {missing}"), "name the columns with --columns")
        })?,
        None => headerless_layout(sniffed.width, columns).map_err(|problem| {
            refuse(problem, "name the columns with --columns, for example time,open,high,low,close,volume")
        })?,
    };
    let guessed_turnover = sniffed.header.is_none() && columns.is_none() && sniffed.width == 7;
    let mut assembler = RowAssembler::new(text.name.clone(), layout, rules);
    text.for_each_row(&mut |record, line| assembler.push(record, line))?;
    let mut table = assembler.finish()?;
    if text.empty_rows > 0 {
        table.notes.push(format!("{} rows of empty cells were passed over", text.empty_rows));
    }
    if !sniffed.preamble.is_empty() {
        let skipped = sniffed.preamble.join(" / ");
        table
            .notes
            .insert(0, format!("skipped {} lines before the header: {skipped}", sniffed.preamble.len()));
    }
    if guessed_turnover {
        table.drop_trade_counts();
    }
    Ok(table)
}

impl RawTable {
    /// Kraken's archive has the number of trades where Bybit's arrays have the turnover. Whole numbers
    /// that do not fit between low and high per unit of volume are counts.
    fn drop_trade_counts(&mut self) {
        for series in &mut self.series {
            let columns = &mut series.columns;
            let Some(turnover) = &columns.turnover else { continue };
            let counts = turnover.iter().all(|value| value.fract() == 0.0);
            let traded: Vec<usize> = (0..turnover.len()).filter(|&row| columns.volume[row] > 0.0).collect();
            let misfits = traded
                .iter()
                .filter(|&&row| {
                    let price = turnover[row] / columns.volume[row];
                    price < columns.low[row] * 0.95 || price > columns.high[row] * 1.05
                })
                .count();
            if counts && misfits * 2 > traded.len() {
                columns.turnover = None;
                self.notes.push(
                    "column 7 holds whole numbers that are no turnover; read as trade counts and left out"
                        .to_owned(),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<RawTable, MarketDataError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        read_candles(&path, &ReadOptions::default()).map(|mut tables| tables.remove(0))
    }

    #[test]
    fn one_file_with_many_symbols() {
        let table = read(
            "many.csv",
            "timestamp,open,high,low,close,volume,turnover,symbol\n\
             1704067200000,1,2,0.5,1.5,10,15,AUSDT\n\
             1704067200000,3,4,2.5,3.5,10,35,BUSDT\n\
             1704067260000,1,2,0.5,1.5,10,15,AUSDT\n",
        )
        .unwrap();
        assert_eq!(table.series.len(), 2);
        assert_eq!(table.series[0].lines, [2, 4]);
        assert_eq!(table.series[1].symbol.as_deref(), Some("BUSDT"));
    }

    #[test]
    fn errors_name_line_and_column() {
        for (text, parts) in [
            ("timestamp,open,high,low,close,volume\n1704067200000,1,2,x,1,1\n", ["line 2", "`low`"]),
            (
                "timestamp,open,high,low,close,volume\n\n1704067200000,1,2,1,1,1\nnever,1,2,1,1,1\n",
                ["line 4", "`timestamp`"],
            ),
            ("timestamp,open,high,low,close,volume\n1704067200000,1,2,1\n", ["line 2", "4 fields where 6"]),
            ("timestamp,open,high,close,volume\n1704067200000,1,2,1,1\n", ["line 1", "lacks a column `low`"]),
        ] {
            let error = read("x.csv", text).unwrap_err().to_string();
            for part in parts {
                assert!(error.contains(part), "{error} lacks {part}");
            }
        }
    }

    #[test]
    fn kraken_counts_are_no_turnover() {
        let table = read("kraken.csv", "1704067200,100,101,99,100,2.5,17\n1704067260,100,101,99,100,1.5,9\n")
            .unwrap();
        assert_eq!(table.series[0].columns.turnover, None);
        let table =
            read("bybit.csv", "1704067200000,100,101,99,100,2.5,250\n1704067260000,100,101,99,100,1,100\n")
                .unwrap();
        assert!(table.series[0].columns.turnover.is_some());
    }

    #[test]
    fn lean_minutes_take_the_date_from_the_name() {
        let table =
            read("20221213_btcusdt_minute_trade.csv", "0,10,11,9,10,1\n60000,10,11,9,10,1\n").unwrap();
        assert_eq!(table.series[0].columns.open_time[1].to_string(), "2022-12-13T00:01:00Z");
    }
}
