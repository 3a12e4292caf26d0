//! Plain tables beside the store: what programs make of candles.

use std::path::Path;

use polars::prelude::{DataFrame, DataType, ParquetReader, SerReader};

use super::atomic::write_whole;
use super::table::{integers, numbers, numbers_of, write_frame};
use crate::error::MarketDataError;

/// A column of a plain table.
#[derive(Clone, Debug, PartialEq)]
pub enum TableColumn {
    /// Whole numbers: counts, classes, times in milliseconds since the epoch.
    Integers(Vec<i64>),
    /// Numbers.
    Numbers(Vec<f64>),
}

impl TableColumn {
    fn len(&self) -> usize {
        match self {
            Self::Integers(values) => values.len(),
            Self::Numbers(values) => values.len(),
        }
    }
}

/// Writes named columns of equal length as a Parquet file, whole or not at all.
///
/// # Errors
/// When the columns differ in length or the file cannot be written.
pub fn write_columns(path: &Path, columns: &[(&str, TableColumn)]) -> Result<(), MarketDataError> {
    let length = columns.first().map_or(0, |(_, column)| column.len());
    let table = columns.iter().map(|(name, column)| match column {
        TableColumn::Integers(values) => integers(name, values.iter().copied()),
        TableColumn::Numbers(values) => numbers(name, values),
    });
    let mut frame = DataFrame::new(length, table.collect())
        .map_err(MarketDataError::table(path, "cannot build the table"))?;
    write_whole(path, |file| write_frame(path, file, &mut frame))
}

/// Reads the columns of a Parquet file in their order; whole numbers of any width are integers, all else is
/// read as numbers, null as NaN.
///
/// # Errors
/// When the file cannot be read, or a column holds neither.
pub fn read_columns(path: &Path) -> Result<Vec<(String, TableColumn)>, MarketDataError> {
    let file = std::fs::File::open(path).map_err(MarketDataError::io(path, "cannot open"))?;
    let frame =
        ParquetReader::new(file).finish().map_err(MarketDataError::table(path, "cannot read the table"))?;
    let read = |name: &str| {
        let column = frame.column(name)?;
        if column.dtype().is_integer() && column.null_count() == 0 {
            let column = column.cast(&DataType::Int64)?.rechunk();
            return Ok(TableColumn::Integers(column.i64()?.cont_slice()?.to_vec()));
        }
        numbers_of(&frame, name).map(TableColumn::Numbers)
    };
    let names = frame.get_column_names_owned();
    let columns = names.iter().map(|name| Ok((name.to_string(), read(name)?)));
    columns.collect::<Result<_, _>>().map_err(MarketDataError::table(path, "cannot read a column"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("plain.parquet");
        let columns = [
            ("time", TableColumn::Integers(vec![i64::MIN, 0, 1_704_067_200_000])),
            ("value", TableColumn::Numbers(vec![0.1 + 0.2, -0.0, f64::INFINITY])),
        ];
        write_columns(&path, &columns).unwrap();
        let read = read_columns(&path).unwrap();
        let expected: Vec<_> =
            columns.iter().map(|(name, column)| ((*name).to_owned(), column.clone())).collect();
        assert_eq!(read, expected);
        write_columns(&path, &[("time", TableColumn::Integers(Vec::new()))]).unwrap();
        assert_eq!(read_columns(&path).unwrap(), [("time".to_owned(), TableColumn::Integers(Vec::new()))]);
        let uneven = [columns[0].clone(), ("short", TableColumn::Numbers(vec![1.0]))];
        assert!(write_columns(&path, &uneven).is_err());
        // The file of before is still there.
        assert_eq!(read_columns(&path).unwrap().len(), 1);
        assert!(read_columns(&directory.path().join("absent.parquet")).is_err());
    }
}
