//! Candles as Parquet or Arrow IPC (Feather 2), read column by column through polars.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use polars::prelude::{
    ArrowDataType, Column, DataFrame, DataType, IpcReader, ParquetReader, PolarsError, SerReader, TimeUnit,
};

use crate::error::{MarketDataError, Place};
use crate::frame::into_numbers;
use crate::series::CandleColumns;
use crate::timestamp::Timestamp;

use super::header::{CandleLayout, TableKind, candle_layout, kind_of};
use super::raw::{RawSeries, RawTable};
use super::time_cell::{TimeRules, TimeStyle};

/// Reads a Parquet or an Arrow IPC file as a data frame. Columns of types that hold neither numbers nor
/// text nor times (lists, structs, binary) are left out, with a warning.
///
/// # Errors
/// When the system fails ([`MarketDataError::Table`]), or the file is torn or holds what the library does not
/// read ([`MarketDataError::Unreadable`], a finding).
pub(crate) fn read_frame(name: &str, file: File, parquet: bool) -> Result<DataFrame, MarketDataError> {
    let failed = || move |error| failure(name, error);
    if parquet {
        let mut reader = ParquetReader::new(file);
        let schema = reader.schema().map_err(failed())?;
        let columns =
            plain_columns(name, schema.iter_values().map(|field| (field.name.as_str(), &field.dtype)));
        reader.with_columns(Some(columns)).finish().map_err(failed())
    } else {
        let mut reader = IpcReader::new(file);
        let schema = reader.schema().map_err(failed())?;
        let columns =
            plain_columns(name, schema.iter_values().map(|field| (field.name.as_str(), &field.dtype)));
        reader.with_columns(Some(columns)).finish().map_err(failed())
    }
}

fn failure(name: &str, error: PolarsError) -> MarketDataError {
    let is_of_system = match &error {
        PolarsError::IO { error, .. } => {
            !matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData)
        }
        _ => false,
    };
    if is_of_system {
        return MarketDataError::table(Path::new(name), "cannot read the table")(error);
    }
    MarketDataError::Unreadable {
        place: Place::file(name),
        problem: format!("the table cannot be read: {error}"),
        remedy: "fetch or write the file anew; it may have been cut off".to_owned(),
    }
}

fn plain_columns<'a>(file: &str, fields: impl Iterator<Item = (&'a str, &'a ArrowDataType)>) -> Vec<String> {
    let mut plain = Vec::new();
    for (column, dtype) in fields {
        if is_plain(dtype) {
            plain.push(column.to_owned());
        } else {
            tracing::warn!(file, column, "a column of type {dtype:?} is not read");
        }
    }
    plain
}

/// Whether a column of this type can be numbers, text or times.
const fn is_plain(dtype: &ArrowDataType) -> bool {
    use ArrowDataType as T;
    matches!(
        dtype,
        T::Int8
            | T::Int16
            | T::Int32
            | T::Int64
            | T::UInt8
            | T::UInt16
            | T::UInt32
            | T::UInt64
            | T::Float32
            | T::Float64
            | T::Boolean
            | T::Utf8
            | T::LargeUtf8
            | T::Utf8View
            | T::Dictionary(..)
            | T::Date32
            | T::Date64
            | T::Timestamp(..)
            | T::Decimal(..)
    )
}

/// The names of a frame's columns.
pub(crate) fn column_names(frame: &DataFrame) -> Vec<String> {
    frame.get_column_names().iter().map(|name| name.to_string()).collect()
}

/// Takes the candles out of a frame.
pub(crate) fn candles_of_frame(
    name: String,
    frame: DataFrame,
    rules: TimeRules,
    columns: Option<&[String]>,
) -> Result<RawTable, MarketDataError> {
    let own_names = column_names(&frame);
    let names = columns.map_or_else(|| own_names.clone(), <[String]>::to_vec);
    if names.len() != own_names.len() {
        return Err(MarketDataError::request(
            "columns",
            format!("{} columns are named, but {name} has {}", names.len(), own_names.len()),
        ));
    }
    let unreadable = |problem: String, remedy: &str| MarketDataError::Unreadable {
        place: Place::file(&name),
        problem,
        remedy: remedy.to_owned(),
    };
    match kind_of(&names) {
        Some(TableKind::Candles) => {}
        Some(kind) => {
            return Err(unreadable(
                format!("this is {}, not candles", kind.describe()),
                "give a table with open, high, low, close",
            ));
        }
        None => {
            return Err(unreadable(
                format!("columns {} are no candles", names.join(", ")),
                "name the columns with --columns",
            ));
        }
    }
    let layout = candle_layout(&names).map_err(|missing| {
        unreadable(format!("the table lacks {missing}"), "name the columns with --columns")
    })?;
    if layout.groups.len() > 1 {
        return Err(unreadable(
            "wide tables (one column group per symbol) are read from CSV only".to_owned(),
            "write one row per symbol and candle",
        ));
    }
    assemble(name, frame, &layout, rules)
}

fn assemble(
    name: String,
    frame: DataFrame,
    layout: &CandleLayout,
    rules: TimeRules,
) -> Result<RawTable, MarketDataError> {
    let group = &layout.groups[0];
    // Labels and times first: the columns of numbers leave the frame.
    let mut frame: Vec<Column> = frame.into_columns();
    let (open_time, finer_times, style) = times(&name, &frame[layout.time], rules)?;
    let labels = [layout.symbol, layout.venue, layout.market, layout.timeframe]
        .map(|index| index.map(|index| texts(&name, &frame[index])).transpose());
    let mut number = |index: usize| numbers(&name, std::mem::take(&mut frame[index]));
    let rows = open_time.len();
    if rows == 0 {
        return Err(MarketDataError::Unreadable {
            place: Place::file(name),
            problem: "the table has columns but no row".to_owned(),
            remedy: "fetch the file again, or leave it out".to_owned(),
        });
    }
    let columns = CandleColumns {
        open_time,
        open: number(group.open)?,
        high: number(group.high)?,
        low: number(group.low)?,
        close: number(group.close)?,
        volume: match group.volume {
            Some(index) => number(index)?,
            None => vec![0.0; rows],
        },
        turnover: group.turnover.map(&mut number).transpose()?,
    };
    let mut notes = vec![format!("times read from `{}`: {}", layout.name(layout.time), style.describe())];
    if style == TimeStyle::Naive {
        if rules.zone == 0 {
            notes.push("times carry no zone and were read as UTC".to_owned());
        }
    } else if rules.zone != 0 {
        return Err(MarketDataError::request(
            "UTC offset",
            format!(
                "the times of {name} state their zone or count from the epoch, so an offset has no effect; leave it out"
            ),
        ));
    }
    if !layout.ignored.is_empty() {
        notes.push(format!("columns not read: {}", layout.ignored.join(", ")));
    }
    let lines: Vec<u32> = (1..=u32::try_from(rows).unwrap_or(u32::MAX)).collect();
    let whole =
        RawSeries { columns, lines, finer_times, has_volume: group.volume.is_some(), ..RawSeries::default() };
    let [symbol, exchange, market, timeframe] = labels;
    let labels = Labels { symbol: symbol?, exchange: exchange?, market: market?, timeframe: timeframe? };
    let mut series = labels.split(whole);
    for one in &mut series {
        one.mend_empty_columns(&mut notes);
    }
    Ok(RawTable { file: name, series, notes })
}

/// Label columns of a long table.
struct Labels {
    symbol: Option<Column>,
    exchange: Option<Column>,
    market: Option<Column>,
    timeframe: Option<Column>,
}

impl Labels {
    /// One raw series per combination of labels.
    fn split(&self, whole: RawSeries) -> Vec<RawSeries> {
        let columns: Vec<&Column> =
            [&self.symbol, &self.exchange, &self.market, &self.timeframe].into_iter().flatten().collect();
        if columns.is_empty() {
            return vec![whole];
        }
        let cell = |column: &Column, row: usize| -> Option<String> {
            column
                .str()
                .ok()
                .and_then(|text| text.get(row))
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        let mut order: Vec<(Vec<Option<String>>, Vec<usize>)> = Vec::new();
        let mut known = std::collections::HashMap::<Vec<Option<String>>, usize>::new();
        for row in 0..whole.columns.len() {
            let label: Vec<Option<String>> = columns.iter().map(|column| cell(column, row)).collect();
            let index = *known.entry(label).or_insert_with_key(|label| {
                order.push((label.clone(), Vec::new()));
                order.len() - 1
            });
            order[index].1.push(row);
        }
        let single = order.len() == 1;
        let finer: std::collections::HashSet<usize> = whole.finer_times.iter().copied().collect();
        order
            .into_iter()
            .map(|(_, rows)| {
                let first = rows[0];
                let label = |column: &Option<Column>| column.as_ref().and_then(|column| cell(column, first));
                let (symbol, exchange) = (label(&self.symbol), label(&self.exchange));
                let (market, timeframe) = (label(&self.market), label(&self.timeframe));
                let part = if single {
                    whole.clone()
                } else {
                    RawSeries {
                        columns: whole.columns.select(&rows),
                        lines: rows.iter().map(|&row| whole.lines[row]).collect(),
                        finer_times: (0..rows.len()).filter(|&index| finer.contains(&rows[index])).collect(),
                        has_volume: whole.has_volume,
                        ..RawSeries::default()
                    }
                };
                RawSeries { symbol, exchange, market, timeframe, ..part }
            })
            .collect()
    }
}

fn bad_column(name: &str, column: &Column, problem: String, remedy: &str) -> MarketDataError {
    MarketDataError::Unreadable {
        place: Place::column(name, column.name()),
        problem,
        remedy: remedy.to_owned(),
    }
}

/// A column as numbers; null is NaN.
pub(crate) fn numbers(name: &str, column: Column) -> Result<Vec<f64>, MarketDataError> {
    let dtype = column.dtype();
    if *dtype == DataType::String {
        return text_numbers(name, &column);
    }
    if !(dtype.is_primitive_numeric() || dtype.is_decimal()) {
        let problem = format!("values of type {dtype} are no numbers");
        return Err(bad_column(name, &column, problem, "write numbers"));
    }
    into_numbers(column).map_err(MarketDataError::table(Path::new(name), "cannot read a column as numbers"))
}

/// Numbers that a table keeps as text, as exchanges send them.
fn text_numbers(name: &str, column: &Column) -> Result<Vec<f64>, MarketDataError> {
    let texts = column.str().map_err(MarketDataError::table(Path::new(name), "cannot read a column"))?;
    texts
        .iter()
        .enumerate()
        .map(|(row, text)| {
            let text = text.unwrap_or_default();
            super::time_cell::read_number(text.as_bytes()).ok_or_else(|| MarketDataError::Unreadable {
                place: Place::at(name, row as u64 + 1, Some(column.name())),
                problem: format!("`{text}` is no number"),
                remedy: "correct the cell or remove the row".to_owned(),
            })
        })
        .collect()
}

/// A column as text.
pub(crate) fn texts(name: &str, column: &Column) -> Result<Column, MarketDataError> {
    column
        .cast(&DataType::String)
        .map_err(MarketDataError::table(Path::new(name), "cannot read a column as text"))
}

/// A column as times, the rows that were finer than a millisecond, and how the file writes them.
pub(crate) fn times(
    name: &str,
    column: &Column,
    rules: TimeRules,
) -> Result<(Vec<Timestamp>, Vec<usize>, TimeStyle), MarketDataError> {
    let failed = |action| MarketDataError::table(Path::new(name), action);
    let null_at = |row: usize| MarketDataError::Unreadable {
        place: Place::at(name, row as u64 + 1, Some(column.name())),
        problem: "the time is empty".to_owned(),
        remedy: "remove the row or restore its time".to_owned(),
    };
    let stamped = |divide: i64, multiply: i64, zone: i64, style| {
        let physical =
            column.to_physical_repr().cast(&DataType::Int64).map_err(failed("cannot read the times"))?;
        let values = physical.i64().map_err(failed("cannot read the times"))?;
        let mut finer = Vec::new();
        let mut times = Vec::with_capacity(values.len());
        for (row, value) in values.iter().enumerate() {
            let value = value.ok_or_else(|| null_at(row))?;
            if value % divide != 0 {
                finer.push(row);
            }
            times.push(Timestamp::from_millis(value.div_euclid(divide) * multiply - zone));
        }
        Ok((times, finer, style))
    };
    match column.dtype() {
        DataType::Datetime(unit, zone) => {
            let (style, shift) = match zone {
                Some(_) => (TimeStyle::Zoned, 0),
                None => (TimeStyle::Naive, rules.zone),
            };
            let divide = match unit {
                TimeUnit::Nanoseconds => 1_000_000,
                TimeUnit::Microseconds => 1_000,
                TimeUnit::Milliseconds => 1,
            };
            stamped(divide, 1, shift, style)
        }
        DataType::Date => stamped(1, 86_400_000, rules.zone, TimeStyle::Naive),
        dtype if dtype.is_integer() => integer_times(name, column, rules),
        dtype if dtype.is_primitive_numeric() || *dtype == DataType::String => {
            let text = texts(name, column)?;
            let text = text.str().map_err(failed("cannot read the times"))?;
            let (mut times, mut finer, mut style) = (Vec::with_capacity(text.len()), Vec::new(), None);
            for (row, cell) in text.iter().enumerate() {
                let cell = cell.ok_or_else(|| null_at(row))?;
                let read =
                    rules.read(cell.as_bytes()).map_err(|(problem, remedy)| MarketDataError::Unreadable {
                        place: Place::at(name, row as u64 + 1, Some(column.name())),
                        problem,
                        remedy: remedy.to_owned(),
                    })?;
                if read.finer {
                    finer.push(row);
                }
                style.get_or_insert(read.style);
                times.push(Timestamp::from_millis(read.millis));
            }
            Ok((times, finer, style.unwrap_or(TimeStyle::Milliseconds)))
        }
        dtype => Err(bad_column(
            name,
            column,
            format!("values of type {dtype} are no times"),
            "store times as datetime, date, text or integers since the epoch",
        )),
    }
}

/// Times as integers, the form in which large tables keep them.
fn integer_times(
    name: &str,
    column: &Column,
    rules: TimeRules,
) -> Result<(Vec<Timestamp>, Vec<usize>, TimeStyle), MarketDataError> {
    let failed = |action| MarketDataError::table(Path::new(name), action);
    let whole = column.cast(&DataType::Int64).map_err(failed("cannot read the times"))?;
    let values = whole.i64().map_err(failed("cannot read the times"))?;
    let (mut times, mut finer, mut style) = (Vec::with_capacity(values.len()), Vec::new(), None);
    for (row, value) in values.iter().enumerate() {
        let read = value.and_then(|value| rules.integer(value)).ok_or_else(|| {
            let shown = value.map_or_else(|| "an empty cell".to_owned(), |value| format!("`{value}`"));
            MarketDataError::Unreadable {
                place: Place::at(name, row as u64 + 1, Some(column.name())),
                problem: format!("{shown} is no time since the epoch"),
                remedy: "store s, ms, µs or ns since the epoch".to_owned(),
            }
        })?;
        if read.finer {
            finer.push(row);
        }
        style.get_or_insert(read.style);
        times.push(Timestamp::from_millis(read.millis));
    }
    Ok((times, finer, style.unwrap_or(TimeStyle::Milliseconds)))
}
