//! The report of a backtest: one HTML file that needs nothing else, JSON, and tables as CSV.
//!
//! The library returns text and writes no file. The same data give the same bytes.

mod calendar;
mod candle_chart;
mod csv;
mod data;
mod html;
mod sections;
mod thinning;
mod validate;

pub use self::csv::ReportCsv;
pub use self::data::{
    Calibration, CalibrationBin, Confusion, Curve, Fold, Importance, IntervalRow, Intervals, Metric,
    MonteCarlo, MonthlyReturn, NamedCurve, NamedTable, NamedValue, OrderRow, Outcome, QuantilePath,
    ReportCandle, ReportData, Returns, SensitivityGrid, SymbolCandles, Target, TradeRow, TradeSide, Verdict,
    WalkForward,
};

use crate::error::SimError;

/// Data that passed [`ReportData::validate`], ready to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    data: ReportData,
}

impl Report {
    /// Checks `data`.
    ///
    /// # Errors
    /// Those of [`ReportData::validate`].
    pub fn new(data: ReportData) -> Result<Self, SimError> {
        data.validate()?;
        Ok(Self { data })
    }

    /// What is reported.
    #[must_use]
    pub fn data(&self) -> &ReportData {
        &self.data
    }

    /// One page of HTML (also well-formed XML but for its script and style) that loads nothing: charts are inline SVG, light
    /// or dark as the reader's system asks; only the candle chart needs its script. Where curves, candles or trades are
    /// too many to be drawn, the page says how they were thinned or cut.
    ///
    /// After drawing, its script sets `data-drawn` of the body to the number of charts that are seen, and `data-error` to
    /// what went wrong, if anything did.
    ///
    /// # Errors
    /// [`SimError::Chart`] where a chart refuses its data, as a confusion matrix with too few counts.
    pub fn html(&self) -> Result<String, SimError> {
        sections::page(&self.data)
    }

    /// The data as indented JSON, readable by `serde` into the same [`ReportData`]; amounts are strings and exact.
    ///
    /// # Errors
    /// [`SimError::Data`] where the data cannot be written.
    pub fn json(&self) -> Result<String, SimError> {
        serde_json::to_string_pretty(&self.data)
            .map_err(|error| SimError::data("the report as JSON", error.to_string()))
    }

    /// Curves, trades and orders as tables, every point of them.
    #[must_use]
    pub fn csv(&self) -> ReportCsv {
        csv::tables(&self.data)
    }
}
