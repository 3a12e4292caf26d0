//! Stored tables: Parquet by way of polars.

use std::fs::File;
use std::io::Cursor;
use std::path::Path;

use polars::prelude::{
    Column, DataFrame, Float64Chunked, Int64Chunked, IntoColumn, NewChunkedArray, ParquetCompression,
    ParquetReader, ParquetWriter, SerReader, StatisticsOptions,
};

use crate::error::MarketDataError;
use crate::frame::into_numbers;
use crate::series::CandleColumns;
use crate::timestamp::Timestamp;

/// A candle table as a data frame with the columns `timestamp` (ms since the epoch, UTC), `open`,
/// `high`, `low`, `close`, `volume` and, where it is known, `turnover` (null where unknown).
///
/// # Errors
/// When polars refuses the columns, which it does not for columns of equal length.
pub fn to_frame(columns: &CandleColumns) -> Result<DataFrame, polars::error::PolarsError> {
    let mut frame = vec![integers("timestamp", columns.open_time.iter().map(|time| time.as_millis()))];
    for (name, column) in [
        ("open", &columns.open),
        ("high", &columns.high),
        ("low", &columns.low),
        ("close", &columns.close),
        ("volume", &columns.volume),
    ] {
        frame.push(numbers(name, column));
    }
    if let Some(turnover) = &columns.turnover {
        let known = turnover.iter().map(|value| Some(*value).filter(|value| !value.is_nan()));
        frame.push(Float64Chunked::from_iter_options("turnover".into(), known).into_column());
    }
    DataFrame::new(columns.len(), frame)
}

pub(super) fn integers(name: &str, values: impl Iterator<Item = i64>) -> Column {
    Int64Chunked::from_iter_values(name.into(), values).into_column()
}

pub(super) fn numbers(name: &str, values: &[f64]) -> Column {
    Float64Chunked::from_slice(name.into(), values).into_column()
}

pub(super) fn write_frame(
    path: &Path,
    file: &mut File,
    frame: &mut DataFrame,
) -> Result<(), MarketDataError> {
    ParquetWriter::new(file)
        .with_compression(ParquetCompression::Lz4Raw)
        .with_statistics(StatisticsOptions::empty())
        // Fewer row groups are fewer chunks to put together when reading.
        .with_row_group_size(Some(1 << 20))
        .finish(frame)
        .map(|_| ())
        .map_err(MarketDataError::table(path, "cannot write the table"))
}

/// Writes candles as a Parquet file of the columns of [`to_frame`]; `path` is named in errors.
///
/// # Errors
/// When the file cannot be written.
pub fn write_parquet(columns: &CandleColumns, path: &Path, file: &mut File) -> Result<(), MarketDataError> {
    let mut frame = to_frame(columns).map_err(MarketDataError::table(path, "cannot build the table"))?;
    write_frame(path, file, &mut frame)
}

/// Reads a stored file, which must have the hash that the manifest states.
pub(super) fn read_frame(path: &Path, file_hash: &str) -> Result<DataFrame, MarketDataError> {
    let bytes = std::fs::read(path).map_err(MarketDataError::io(path, "cannot read"))?;
    if blake3::hash(&bytes).to_hex().as_str() != file_hash {
        return Err(MarketDataError::Store {
            path: path.to_owned(),
            problem: "the file does not have the content that the manifest states".to_owned(),
            remedy: "it was changed or damaged; restore it, or remove the series' directory and import again"
                .to_owned(),
        });
    }
    ParquetReader::new(Cursor::new(bytes))
        .finish()
        .map_err(MarketDataError::table(path, "cannot read the table"))
}

pub(super) fn times_of(frame: &DataFrame, name: &str) -> Result<Vec<Timestamp>, polars::error::PolarsError> {
    let column = frame.column(name)?.rechunk();
    Ok(column.i64()?.cont_slice()?.iter().map(|millis| Timestamp::from_millis(*millis)).collect())
}

pub(super) fn numbers_of(frame: &DataFrame, name: &str) -> Result<Vec<f64>, polars::error::PolarsError> {
    into_numbers(frame.column(name)?.clone())
}

/// The candles of a frame with the columns that [`to_frame`] makes. They are not judged: give them to
/// [`crate::CandleSeries::new`], which refuses what is not sound.
///
/// # Errors
/// When a column is absent or of another type.
pub fn columns_from_frame(frame: DataFrame) -> Result<CandleColumns, polars::error::PolarsError> {
    let open_time = times_of(&frame, "timestamp")?;
    let turnover = frame.get_column_index("turnover").is_some();
    // Each column leaves the frame, so that its memory can be taken over.
    let mut columns = frame.into_columns();
    let mut take = |name: &str| {
        let position = columns.iter().position(|column| column.name() == name);
        match position {
            Some(position) => into_numbers(columns.swap_remove(position)),
            None => Err(polars::error::polars_err!(ColumnNotFound: "{name}")),
        }
    };
    Ok(CandleColumns {
        open_time,
        open: take("open")?,
        high: take("high")?,
        low: take("low")?,
        close: take("close")?,
        volume: take("volume")?,
        turnover: if turnover { Some(take("turnover")?) } else { None },
    })
}
