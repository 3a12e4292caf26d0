//! Candles, read truthfully.
//!
//! This crate is the ground floor: it reads OHLCV files of any common convention, says exactly what is
//! wrong with them, stores them, resamples them, joins series from outside by the time at which they
//! were known, and generates synthetic markets whose laws are known.
//!
//! Invariants:
//! - A [`CandleSeries`] is sound: open times increase strictly on the grid of their timeframe, every
//!   candle is possible, and the [`GapLedger`] names every hole. **Nothing is ever filled.**
//! - A fault in a file is a finding with file, line and column. A policy decides what becomes of it;
//!   nothing is repaired silently.
//! - A value from outside is joined by the time at which it was *known* ([`join_as_of`]), never by the
//!   time that it describes.
//! - What is stored changes whole or not at all ([`store::Store`]).
//!
//! It never opens a network connection, knows no model, reads no clock and no environment, prints
//! nothing, and draws no random number without a seed.
//!
//! ```
//! use market_data::{import::{import_file, ImportOptions, Imported}, resample, Timeframe};
//!
//! let path = std::env::temp_dir().join(format!("bybit-linear_BTCUSDT_1m_{}.csv", std::process::id()));
//! std::fs::write(&path, "timestamp,open,high,low,close,volume\n\
//!     1704067200000,10,12,9,11,5\n1704067260000,11,13,10,12,5\n1704067320000,12,14,11,13,5\n")?;
//! let tables = import_file(&path, &ImportOptions::default(), None)?;
//! let Imported::Candles(found) = &tables[0].content else { unreachable!("these are candles") };
//! assert_eq!(found[0].series.key().to_string(), "bybit-linear BTC/USDT:USDT 1m");
//! let (longer, _) = resample(&found[0].series, Timeframe::M3)?;
//! assert_eq!((longer.len(), longer.get(0).high, longer.gaps().len()), (1, 14.0, 0));
//! # std::fs::remove_file(&path)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod candle;
mod error;
mod exogenous;
mod export;
mod frame;
mod gap;
mod identify;
pub mod import;
mod instrument;
pub mod quality;
pub mod read;
mod resample;
mod series;
pub mod store;
mod symbol;
pub mod synthetic;
mod timeframe;
mod timestamp;
mod training;

pub use candle::{Candle, CandleFault};
pub use error::{MarketDataError, Place};
pub use exogenous::{AsOfCursor, ExogenousSeries, Headline, HeadlineSeries, KnownAfter, join_as_of};
pub use export::{CSV_HEADER, write_csv, write_csv_rows};
pub use gap::{Gap, GapLedger};
pub use identify::{Hints, Identity, identify};
pub use instrument::{Instrument, InstrumentRules};
pub use resample::{Resampled, Resampler, resample};
pub use series::{CandleColumns, CandleSeries};
pub use symbol::{Market, SeriesKey, Symbol, Venue};
pub use timeframe::Timeframe;
pub use timestamp::Timestamp;
pub use training::TrainingRows;
