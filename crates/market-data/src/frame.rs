//! Values out of polars' columns, without a copy where the column is ours alone.

use polars::prelude::{Column, DataType, PolarsResult};

/// A column of numbers as a vector; null is NaN.
///
/// A column that was just read has one chunk and one owner, so its memory is taken over instead of
/// copied: for a million candles that is most of the time that the table library does not need.
pub(crate) fn into_numbers(column: Column) -> PolarsResult<Vec<f64>> {
    let column =
        if *column.dtype() == DataType::Float64 { column } else { column.cast(&DataType::Float64)? };
    let series = column.take_materialized_series().rechunk();
    let values = series.f64()?.clone();
    // The series must go first, or it would share the memory.
    drop(series);
    if values.null_count() > 0 {
        return Ok(values.iter().map(|value| value.unwrap_or(f64::NAN)).collect());
    }
    let mut numbers = Vec::new();
    for array in values.downcast_into_iter() {
        let owned = array.into_inner().1.into_mut().either(|shared| shared.to_vec(), |owned| owned);
        if numbers.is_empty() {
            numbers = owned;
        } else {
            numbers.extend_from_slice(&owned);
        }
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use polars::prelude::{Float64Chunked, Int32Chunked, IntoColumn, NewChunkedArray};

    use super::*;

    #[test]
    fn values_survive_the_move() {
        let column = Float64Chunked::from_slice("x".into(), &[1.0, -0.0, f64::INFINITY]).into_column();
        let shared = column.clone();
        assert_eq!(into_numbers(column).unwrap().map_bits(), [1.0, -0.0, f64::INFINITY].map(f64::to_bits));
        // A column that somebody else still holds is copied, not stolen.
        assert_eq!(into_numbers(shared.clone()).unwrap().len(), 3);
        assert_eq!(shared.f64().unwrap().get(0), Some(1.0));
    }

    #[test]
    fn null_is_nan_and_integers_are_numbers() {
        let column = Float64Chunked::from_slice_options("x".into(), &[Some(1.0), None]).into_column();
        let values = into_numbers(column).unwrap();
        assert!(values[0] == 1.0 && values[1].is_nan());
        let column = Int32Chunked::from_slice("x".into(), &[1, 2]).into_column();
        assert_eq!(into_numbers(column).unwrap(), [1.0, 2.0]);
        let mut two_chunks = Float64Chunked::from_slice("x".into(), &[1.0]).into_column();
        two_chunks.append(&Float64Chunked::from_slice("x".into(), &[2.0]).into_column()).unwrap();
        assert_eq!(into_numbers(two_chunks).unwrap(), [1.0, 2.0]);
    }

    trait MapBits {
        fn map_bits(&self) -> Vec<u64>;
    }

    impl MapBits for Vec<f64> {
        fn map_bits(&self) -> Vec<u64> {
            self.iter().map(|value| value.to_bits()).collect()
        }
    }
}
