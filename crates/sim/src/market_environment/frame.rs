//! What environments see and trade: features and prices, shared by all of them.

use market_data::CandleSeries;

use crate::error::SimError;

/// Prices of one candle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Prices {
    /// At its open.
    pub open: f64,
    /// Highest.
    pub high: f64,
    /// Lowest.
    pub low: f64,
    /// At its close.
    pub close: f64,
}

/// One series: rows are candles, oldest first.
#[derive(Clone, Debug, PartialEq)]
pub struct MarketFrame {
    /// How many features a row has.
    pub columns: usize,
    /// `[rows, columns]`, row after row, of any source. A row holds what was known at the close of its candle.
    pub features: Vec<f32>,
    /// One per row, on the tick.
    pub prices: Vec<Prices>,
    /// Open times in milliseconds.
    pub open_times: Vec<i64>,
    /// Length of a candle in milliseconds. Rows that are farther apart have a gap between them.
    pub candle_ms: i64,
    /// Rows that may be seen and traded; empty where all may.
    pub valid: Vec<bool>,
    /// What long pays to short at the open of each row, as a fraction of notional; empty where there is none.
    pub funding: Vec<f64>,
    /// Prices are multiples of this, in quote currency.
    pub tick: f64,
    /// Quantities are multiples of this, in base currency.
    pub lot: f64,
}

impl MarketFrame {
    /// The frame of a series with features of the caller, `[candles, columns]`; no funding, all rows valid.
    #[must_use]
    pub fn of_series(series: &CandleSeries, columns: usize, features: Vec<f32>, tick: f64, lot: f64) -> Self {
        let prices = |candle: market_data::Candle| Prices {
            open: candle.open,
            high: candle.high,
            low: candle.low,
            close: candle.close,
        };
        Self {
            columns,
            features,
            prices: series.iter().map(prices).collect(),
            open_times: series.columns().open_time.iter().map(|time| time.as_millis()).collect(),
            candle_ms: series.key().timeframe.millis(),
            valid: Vec::new(),
            funding: Vec::new(),
            tick,
            lot,
        }
    }

    /// The rows that open at or after `from` and before `to` (milliseconds), with `before` rows in front of them where there are so
    /// many.
    #[must_use]
    pub fn between(&self, from: i64, to: i64, before: usize) -> Self {
        let first = self.open_times.partition_point(|time| *time < from).saturating_sub(before);
        let last = self.open_times.partition_point(|time| *time < to).max(first);
        let rows = first..last;
        fn part<T: Copy>(values: &[T], rows: &std::ops::Range<usize>) -> Vec<T> {
            values.get(rows.clone()).unwrap_or_default().to_vec()
        }
        Self {
            features: part(&self.features, &(first * self.columns..last * self.columns)),
            prices: part(&self.prices, &rows),
            open_times: part(&self.open_times, &rows),
            valid: part(&self.valid, &rows),
            funding: part(&self.funding, &rows),
            ..*self
        }
    }

    /// Rows.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.prices.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.prices.is_empty()
    }

    fn is_valid(&self, row: usize) -> bool {
        self.valid.get(row).copied().unwrap_or(true)
    }

    /// Whether a row follows the one before it without a gap.
    fn follows(&self, row: usize) -> bool {
        let time = |row: usize| self.open_times.get(row).copied();
        match (row.checked_sub(1).and_then(time), time(row)) {
            (Some(before), Some(now)) => now - before == self.candle_ms,
            _ => false,
        }
    }

    /// Refuses what cannot be traded.
    ///
    /// # Errors
    /// [`SimError::Data`] names the first row that makes no sense.
    pub fn validate(&self) -> Result<(), SimError> {
        let fault = |problem: String| Err(SimError::data("a market frame", problem));
        let rows = self.len();
        if self.columns == 0 || self.features.len() != rows * self.columns {
            let (columns, numbers) = (self.columns, self.features.len());
            return fault(format!(
                "{rows} rows of {columns} features are not {numbers} numbers; give as many"
            ));
        }
        let fits = |length: usize| length == 0 || length == rows;
        if self.open_times.len() != rows || !fits(self.valid.len()) || !fits(self.funding.len()) {
            return fault(
                "times, validity and funding are not one per row; give as many as prices".to_owned(),
            );
        }
        let positive = |value: f64| value.is_finite() && value > 0.0;
        if !positive(self.tick) || !positive(self.lot) || self.candle_ms <= 0 {
            return fault("tick, lot and length of a candle must be above 0".to_owned());
        }
        if let Some(row) = (1..rows).find(|row| self.open_times[*row] <= self.open_times[row - 1]) {
            return fault(format!("row {row} does not open after the one before it; sort the rows by time"));
        }
        for (row, prices) in self.prices.iter().enumerate().filter(|(row, _)| self.is_valid(*row)) {
            let Prices { open, high, low, close } = *prices;
            let sound =
                positive(low) && high.is_finite() && low <= open.min(close) && high >= open.max(close);
            let funding = self.funding.get(row).is_none_or(|rate| rate.is_finite());
            let features = &self.features[row * self.columns..(row + 1) * self.columns];
            if !sound || !funding || features.iter().any(|value| !value.is_finite()) {
                return fault(format!(
                    "row {row} has prices, funding or features that cannot be; mark it as not valid"
                ));
            }
        }
        Ok(())
    }
}

/// A run of rows of a portfolio without gaps: `from..to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub portfolio: usize,
    pub from: usize,
    pub to: usize,
}

/// Portfolios of series that trade together. Share it by [`std::sync::Arc`].
#[derive(Clone, Debug, PartialEq)]
pub struct MarketFrames {
    /// `[portfolios, assets]`.
    frames: Vec<MarketFrame>,
    assets: usize,
    columns: usize,
    runs: Vec<Run>,
}

impl MarketFrames {
    /// Portfolios of equally many series each. Series of a portfolio have the same open times, row by row; all have the same columns.
    ///
    /// # Errors
    /// [`SimError::Data`] says what does not fit.
    pub fn new(portfolios: Vec<Vec<MarketFrame>>) -> Result<Self, SimError> {
        let fault = |problem: &str| Err(SimError::data("market frames", problem));
        let assets = portfolios.first().map_or(0, Vec::len);
        if assets == 0 || portfolios.iter().any(|portfolio| portfolio.len() != assets) {
            return fault(
                "give at least one portfolio of at least one series, and equally many series in each",
            );
        }
        let mut runs = Vec::new();
        for (index, portfolio) in portfolios.iter().enumerate() {
            let first = &portfolio[0];
            for frame in portfolio {
                frame.validate()?;
                if frame.open_times != first.open_times || frame.candle_ms != first.candle_ms {
                    return fault(
                        "series of a portfolio do not open at the same times; align them and mark what is missing as not valid",
                    );
                }
            }
            runs_of(index, portfolio, &mut runs);
        }
        let frames: Vec<MarketFrame> = portfolios.into_iter().flatten().collect();
        let columns = frames[0].columns;
        if frames.iter().any(|frame| frame.columns != columns) {
            return fault("series differ in columns; give the same features of each");
        }
        Ok(Self { frames, assets, columns, runs })
    }

    /// One series per portfolio.
    ///
    /// # Errors
    /// As [`MarketFrames::new`].
    pub fn of_single(frames: Vec<MarketFrame>) -> Result<Self, SimError> {
        Self::new(frames.into_iter().map(|frame| vec![frame]).collect())
    }

    /// Series of each portfolio.
    #[must_use]
    pub const fn assets(&self) -> usize {
        self.assets
    }

    /// Features of a row of a series.
    #[must_use]
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// The series of a portfolio; none for one that there is not.
    #[must_use]
    pub fn portfolio(&self, index: usize) -> &[MarketFrame] {
        self.frames.get(index * self.assets..(index + 1) * self.assets).unwrap_or_default()
    }

    /// A number that other rows, prices or features hardly ever have (64-bit FNV-1a).
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut take = |bits: u64| hash = (hash ^ bits).wrapping_mul(0x100_0000_01b3);
        for frame in &self.frames {
            take(frame.columns as u64);
            frame.open_times.iter().for_each(|time| take(time.cast_unsigned()));
            frame.features.iter().for_each(|value| take(u64::from(value.to_bits())));
            let prices = frame.prices.iter().flat_map(|one| [one.open, one.high, one.low, one.close]);
            prices.chain([frame.tick, frame.lot]).for_each(|price| take(price.to_bits()));
            frame.funding.iter().for_each(|rate| take(rate.to_bits()));
            frame.valid.iter().for_each(|valid| take(u64::from(*valid)));
        }
        hash
    }

    pub(super) fn runs(&self) -> &[Run] {
        &self.runs
    }
}

fn runs_of(index: usize, portfolio: &[MarketFrame], runs: &mut Vec<Run>) {
    let rows = portfolio.first().map_or(0, MarketFrame::len);
    let mut from = None;
    for row in 0..=rows {
        let valid = row < rows && portfolio.iter().all(|frame| frame.is_valid(row));
        let follows = portfolio.first().is_some_and(|frame| frame.follows(row));
        if let Some(start) = from
            && !(valid && follows)
        {
            runs.push(Run { portfolio: index, from: start, to: row });
            from = None;
        }
        if valid && from.is_none() {
            from = Some(row);
        }
    }
}
