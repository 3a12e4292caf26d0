//! What a report refuses to show.

use super::data::{Curve, MonteCarlo, ReportData, SymbolCandles, TradeRow};
use crate::error::SimError;

impl ReportData {
    /// Refuses what cannot be drawn or would read wrong.
    ///
    /// # Errors
    /// [`SimError::Data`] where the equity curve is empty, lengths differ, times do not ascend or lie outside the years
    /// 1970 to 9999, a value is not finite, a month stands twice, a candle's prices are out of order or a trade ends
    /// before it begins. What only a chart can judge is refused by [`Report::html`](super::Report::html).
    pub fn validate(&self) -> Result<(), SimError> {
        if self.equity.times.is_empty() {
            return Err(SimError::data("the report's equity curve", "is empty: give at least one point"));
        }
        check_curve("the report's equity curve", &self.equity)?;
        for benchmark in &self.benchmarks {
            check_curve(&format!("the report's benchmark `{}`", benchmark.name), &benchmark.curve)?;
        }
        let optional = [
            ("underwater curve", &self.underwater),
            ("rolling Sharpe ratio", &self.rolling_sharpe),
            ("rolling volatility", &self.rolling_volatility),
        ];
        for (name, curve) in optional {
            if let Some(curve) = curve {
                check_curve(&format!("the report's {name}"), curve)?;
            }
        }
        self.check_underwater()?;
        self.check_months()?;
        self.check_numbers()?;
        self.symbols.iter().try_for_each(check_candles)?;
        self.trades.iter().enumerate().try_for_each(|(index, trade)| check_trade(index, trade))?;
        for (index, order) in self.orders.iter().enumerate() {
            check_time(&format!("order {index} of the report"), order.time)?;
        }
        self.monte_carlo.as_ref().map_or(Ok(()), check_monte_carlo)?;
        self.check_tables()
    }

    fn check_underwater(&self) -> Result<(), SimError> {
        let curve = self.underwater.iter().flat_map(|curve| &curve.values);
        match curve.copied().find(|value| !(-1.0..=0.0).contains(value)) {
            Some(value) => Err(SimError::data(
                "the report's underwater curve",
                format!(
                    "holds {value}: give fractions from −1 to 0, equity over its maximum so far less one"
                ),
            )),
            None => Ok(()),
        }
    }

    fn check_months(&self) -> Result<(), SimError> {
        let mut months: Vec<(i16, u8)> =
            self.monthly_returns.iter().map(|month| (month.year, month.month)).collect();
        months.sort_unstable();
        for month in &self.monthly_returns {
            let what = format!("the report's monthly return of {:04}-{:02}", month.year, month.month);
            if !(1..=12).contains(&month.month) {
                return Err(SimError::data(what, "is of no month: give 1 to 12"));
            }
            check_finite(&what, &[month.value])?;
        }
        match months.windows(2).find(|pair| pair.first() == pair.last()) {
            Some(pair) => Err(SimError::data(
                format!("the report's monthly returns {:?}", pair.first()),
                "stand twice: give each month once",
            )),
            None => Ok(()),
        }
    }

    fn check_numbers(&self) -> Result<(), SimError> {
        if let Some(returns) = &self.returns {
            check_finite("the report's returns", &returns.values)?;
            for (name, value) in &returns.references {
                check_finite(&format!("the reference `{name}` of the report's returns"), &[*value])?;
            }
        }
        if let Some(intervals) = &self.intervals {
            for row in &intervals.rows {
                let what = format!("the report's interval of `{}`", row.name);
                check_finite(&what, &[intervals.reference, row.value, row.low, row.high])?;
            }
        }
        for row in &self.importance {
            let what = format!("the report's importance of `{}`", row.feature);
            let (low, high) = row.interval.unwrap_or((row.value, row.value));
            check_finite(&what, &[row.value, low, high])?;
        }
        for grid in &self.sensitivity {
            let what = format!("the report's grid `{}`", grid.title);
            let values: Vec<f64> = grid.values.iter().copied().flatten().collect();
            check_finite(&what, &values)?;
            if grid.chosen.is_some_and(|(row, column)| row >= grid.rows.len() || column >= grid.columns.len())
            {
                return Err(SimError::data(
                    what,
                    "has its chosen cell outside: count rows and columns from 0",
                ));
            }
        }
        Ok(())
    }

    fn check_tables(&self) -> Result<(), SimError> {
        for table in &self.tables {
            if let Some(row) = table.rows.iter().position(|row| row.len() != table.columns.len()) {
                let (given, columns) = (table.rows[row].len(), table.columns.len());
                let problem =
                    format!("has {given} cells in row {row} for {columns} columns: give one per column");
                return Err(SimError::data(format!("the report's table `{}`", table.title), problem));
            }
        }
        let Some(walk_forward) = &self.walk_forward else { return Ok(()) };
        for fold in &walk_forward.folds {
            let what = format!("the report's fold `{}`", fold.label);
            if fold.metrics.len() != walk_forward.metric_names.len() {
                let (given, names) = (fold.metrics.len(), walk_forward.metric_names.len());
                let problem = format!("has {given} metrics for {names} names: give one per name");
                return Err(SimError::data(what, problem));
            }
            check_finite(&what, fold.score.as_slice())?;
        }
        Ok(())
    }
}

fn check_curve(what: &str, curve: &Curve) -> Result<(), SimError> {
    check_length(what, curve.values.len(), curve.times.len())?;
    check_times(what, &curve.times)?;
    check_finite(what, &curve.values)
}

fn check_length(what: &str, values: usize, times: usize) -> Result<(), SimError> {
    if values == times {
        return Ok(());
    }
    Err(SimError::data(what, format!("has {values} values for {times} times: give one per time")))
}

fn check_times(what: &str, times: &[i64]) -> Result<(), SimError> {
    times.iter().try_for_each(|time| check_time(what, *time))?;
    match times.windows(2).position(|pair| pair.first() >= pair.last()) {
        Some(index) => {
            let problem = format!("time {} does not come after the one before it: sort them", index + 1);
            Err(SimError::data(what, problem))
        }
        None => Ok(()),
    }
}

/// The first millisecond of the year 10000; a page shows years of four digits.
const YEAR_10000: i64 = 253_402_300_800_000;

fn check_time(what: &str, time: i64) -> Result<(), SimError> {
    if (0..YEAR_10000).contains(&time) {
        return Ok(());
    }
    let problem = format!("has the time {time}: give milliseconds since 1970, up to the year 9999");
    Err(SimError::data(what, problem))
}

fn check_finite(what: &str, values: &[f64]) -> Result<(), SimError> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => {
            Err(SimError::data(what, format!("value {index} is not finite: leave out what is not defined")))
        }
        None => Ok(()),
    }
}

fn check_candles(symbol: &SymbolCandles) -> Result<(), SimError> {
    let what = format!("the report's candles of {}", symbol.symbol);
    if symbol.candles.is_empty() {
        return Err(SimError::data(what, "are none: leave the symbol out"));
    }
    let times: Vec<i64> = symbol.candles.iter().map(|candle| candle.time).collect();
    check_times(&what, &times)?;
    for candle in &symbol.candles {
        check_finite(&what, &[candle.open, candle.high, candle.low, candle.close])?;
        let (bottom, top) = (candle.open.min(candle.close), candle.open.max(candle.close));
        if candle.low > bottom || candle.high < top {
            let problem =
                format!("the one at {} ms has its prices out of order: check its source", candle.time);
            return Err(SimError::data(what, problem));
        }
    }
    Ok(())
}

fn check_trade(index: usize, trade: &TradeRow) -> Result<(), SimError> {
    let what = format!("trade {} of the report ({})", index + 1, trade.symbol);
    check_time(&what, trade.opened)?;
    if let Some(closed) = trade.closed {
        check_time(&what, closed)?;
        if closed < trade.opened {
            return Err(SimError::data(what, "is closed before it is opened: check its times"));
        }
        if trade.exit_price.is_none() {
            return Err(SimError::data(what, "is closed without a price: give the exit price"));
        }
    }
    Ok(())
}

fn check_monte_carlo(monte_carlo: &MonteCarlo) -> Result<(), SimError> {
    let what = "the report's Monte Carlo paths";
    check_times(what, &monte_carlo.times)?;
    check_finite("the report's final equities", &monte_carlo.final_equity)?;
    for path in &monte_carlo.quantiles {
        if !(path.level > 0.0 && path.level < 1.0) {
            let problem = format!("have the quantile {}: give levels between 0 and 1", path.level);
            return Err(SimError::data(what, problem));
        }
        check_length(what, path.values.len(), monte_carlo.times.len())?;
        check_finite(what, &path.values)?;
    }
    for pair in monte_carlo.quantiles.windows(2) {
        let [lower, upper] = pair else { continue };
        let crossed = lower.values.iter().zip(&upper.values).any(|(low, high)| low > high);
        if lower.level >= upper.level || crossed {
            let problem = format!(
                "the quantile {} does not lie below {} throughout: sort by level, and compute each time by time",
                lower.level, upper.level
            );
            return Err(SimError::data(what, problem));
        }
    }
    Ok(())
}
