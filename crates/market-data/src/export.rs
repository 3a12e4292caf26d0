//! Candles as CSV: `timestamp,open,high,low,close,volume,turnover,symbol`.

use std::io::Write;

use crate::series::CandleSeries;

/// The header of exported files.
pub const CSV_HEADER: &str = "timestamp,open,high,low,close,volume,turnover,symbol";

/// Writes a series as CSV with a header: times in ms since the epoch, numbers as plain decimals (never
/// with an exponent) with as many digits as it takes to read back the same value, an unknown turnover as
/// an empty cell, and the symbol in the exchange's spelling (`BTCUSDT`).
///
/// # Errors
/// When `out` cannot be written.
pub fn write_csv(series: &CandleSeries, mut out: impl Write) -> std::io::Result<()> {
    writeln!(out, "{CSV_HEADER}")?;
    write_csv_rows(series, &mut out)?;
    out.flush()
}

/// Writes the rows of a series without a header, so that many series can share a file.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_csv_rows(series: &CandleSeries, out: &mut impl Write) -> std::io::Result<()> {
    let symbol = series.key().symbol.exchange_id();
    for candle in series.iter() {
        // Display of f64 is the shortest decimal that reads back, and never has an exponent.
        write!(
            out,
            "{},{},{},{},{},{},",
            candle.open_time.as_millis(),
            candle.open,
            candle.high,
            candle.low,
            candle.close,
            candle.volume
        )?;
        if let Some(turnover) = candle.turnover {
            write!(out, "{turnover}")?;
        }
        writeln!(out, ",{symbol}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candle::Candle;
    use crate::import::{ImportOptions, Imported, import_file};
    use crate::series::CandleColumns;
    use crate::symbol::{Market, SeriesKey, Symbol, Venue};
    use crate::timeframe::Timeframe;
    use crate::timestamp::Timestamp;

    #[test]
    fn exported_values_read_back_to_the_bit() {
        let venue = Venue::new("bybit", Market::Linear).unwrap();
        let symbol = Symbol::parse_on("SHIB1000USDT", Market::Linear).unwrap();
        let key = SeriesKey::new(venue, symbol, Timeframe::M1);
        let mut columns = CandleColumns::default();
        for (minute, price) in
            [6.81e-6, 0.1 + 0.2, 1.0 / 3.0, 1e15, 123_456_789.123_456_78].into_iter().enumerate()
        {
            columns.push(&Candle {
                open_time: Timestamp::from_millis(1_700_000_040_000 + minute as i64 * 60_000),
                open: price,
                high: price,
                low: price,
                close: price,
                volume: 1e-9,
                turnover: (minute % 2 == 0).then_some(price * 1e-9),
            });
        }
        let series = CandleSeries::new(key, columns).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bybit-linear_SHIB1000USDT_1m_test.csv");
        write_csv(&series, std::fs::File::create(&path).unwrap()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.lines().skip(1).all(|line| !line.contains('e')), "{text}");
        let tables = import_file(&path, &ImportOptions::default(), None).unwrap();
        let Imported::Candles(read) = &tables[0].content else { panic!() };
        assert_eq!(read[0].series, series);
    }
}
