//! What a report shows: plain data, everything optional but the equity curve.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// A backtest as numbers and words. What is empty is left out of the page.
///
/// Times are milliseconds since the Unix epoch, UTC. Shares and returns are fractions (0.01 is one per cent).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReportData {
    /// Heading of the page.
    pub title: String,
    /// Unit of equity, fees and net results, as `USDT`.
    pub currency: String,
    /// What was run: strategy, symbols, timeframe, span, costs, seeds, commit.
    pub parameters: Vec<NamedValue>,
    /// The effective configuration as text.
    pub configuration: String,
    /// What the numbers rest on, a sentence each: fill model, costs, how looking ahead is excluded.
    pub assumptions: Vec<String>,
    /// What the report does not show, a sentence each: many settings tried, one period only.
    pub warnings: Vec<String>,
    /// The decision about the strategy.
    pub verdict: Option<Verdict>,
    /// Numbers as text.
    pub metrics: Vec<Metric>,
    /// Name of what [`Metric::benchmark`] belongs to.
    pub benchmark_name: String,
    /// What was asked for, and what came out.
    pub targets: Vec<Target>,
    /// Estimates with intervals, as of a bootstrap.
    pub intervals: Option<Intervals>,
    /// Equity in [`ReportData::currency`]; the one field that is required.
    pub equity: Curve,
    /// What equity is compared with, in the same currency.
    pub benchmarks: Vec<NamedCurve>,
    /// Equity over its maximum so far less one, in [−1, 0].
    pub underwater: Option<Curve>,
    /// What the rolling curves run over, as `90 days`.
    pub rolling_window: String,
    /// Sharpe ratio of the window that ends at each time, a year.
    pub rolling_sharpe: Option<Curve>,
    /// Volatility of the window that ends at each time, a year, as a fraction.
    pub rolling_volatility: Option<Curve>,
    /// At most one per month.
    pub monthly_returns: Vec<MonthlyReturn>,
    /// The distribution of returns.
    pub returns: Option<Returns>,
    /// Candles that trades are shown on.
    pub symbols: Vec<SymbolCandles>,
    /// In the order of their entries.
    pub trades: Vec<TradeRow>,
    /// For the CSV alone.
    pub orders: Vec<OrderRow>,
    /// Of the model's classes.
    pub confusion: Option<Confusion>,
    /// One curve per class, or before and after calibration.
    pub calibration: Vec<Calibration>,
    /// What the importance of features is measured by, with its unit.
    pub importance_label: String,
    /// From the most important on.
    pub importance: Vec<Importance>,
    /// Paths by resampling.
    pub monte_carlo: Option<MonteCarlo>,
    /// Results over two settings each.
    pub sensitivity: Vec<SensitivityGrid>,
    /// Folds in the order of time.
    pub walk_forward: Option<WalkForward>,
    /// Further tables of the section on robustness: by regime, other markets, other choices.
    pub tables: Vec<NamedTable>,
}

/// A table with its heading.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedTable {
    /// Heading.
    pub title: String,
    /// What it shows and how it was made, in a sentence or two.
    pub note: String,
    /// Headings of the columns; the first is text, the others are numbers.
    pub columns: Vec<String>,
    /// Formatted, as many cells as columns.
    pub rows: Vec<Vec<String>>,
}

/// A name and a value as text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedValue {
    /// What it is.
    pub name: String,
    /// With its unit.
    pub value: String,
}

/// Whether a strategy may go on, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// It may go on to paper trading.
    pub promote: bool,
    /// A sentence each.
    pub reasons: Vec<String>,
}

/// A row of the table of metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metric {
    /// As `Sharpe ratio, a year`.
    pub name: String,
    /// Formatted, with its unit.
    pub value: String,
    /// The same of the benchmark.
    pub benchmark: Option<String>,
    /// What it means, for those who do not know it; may be empty.
    pub hint: String,
}

/// Something asked for beforehand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// What is measured.
    pub name: String,
    /// What was asked for, as `at least 1.0`.
    pub wanted: String,
    /// What came out.
    pub reached: String,
    /// Whether that suffices.
    pub outcome: Outcome,
}

/// Whether a target is met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is.
    Met,
    /// It is not.
    NotMet,
    /// The data cannot tell.
    #[default]
    Unknown,
}

/// Estimates with their intervals.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intervals {
    /// What is estimated, its unit, the level and the method of the intervals.
    pub label: String,
    /// The value that means "nothing there", as 0.
    pub reference: f64,
    /// From top to bottom.
    pub rows: Vec<IntervalRow>,
}

/// An estimate between the ends of its interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntervalRow {
    /// What is estimated.
    pub name: String,
    /// The estimate.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Values over time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curve {
    /// Milliseconds since the Unix epoch, strictly ascending.
    pub times: Vec<i64>,
    /// One per time.
    pub values: Vec<f64>,
}

/// A curve with its name in the key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedCurve {
    /// As `buy and hold`.
    pub name: String,
    /// Its values.
    pub curve: Curve,
}

/// The return of a calendar month in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonthlyReturn {
    /// As 2025.
    pub year: i16,
    /// 1 to 12.
    pub month: u8,
    /// As a fraction.
    pub value: f64,
}

/// Returns of equal periods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Returns {
    /// As `daily`.
    pub period: String,
    /// As fractions, in any order.
    pub values: Vec<f64>,
    /// Named values to compare with, as fractions: mean, value at risk.
    pub references: Vec<(String, f64)>,
}

/// The candles of a symbol.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SymbolCandles {
    /// The same text as in [`TradeRow::symbol`].
    pub symbol: String,
    /// As `1h`.
    pub timeframe: String,
    /// By ascending time. Many are drawn as fewer, each of several candles; the page says so.
    pub candles: Vec<ReportCandle>,
}

/// A candle as it is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportCandle {
    /// When it opens.
    pub time: i64,
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
}

/// The direction of a trade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TradeSide {
    /// Earns when the price rises.
    #[default]
    Long,
    /// Earns when the price falls.
    Short,
}

/// A position from its opening to its closing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TradeRow {
    /// The same text as in [`SymbolCandles::symbol`].
    pub symbol: String,
    /// Its direction.
    pub side: TradeSide,
    /// When it was opened.
    pub opened: i64,
    /// When it was closed; `None`: still open at the end.
    pub closed: Option<i64>,
    /// In the base currency, above zero.
    pub quantity: Decimal,
    /// Mean price of the opening.
    pub entry_price: Decimal,
    /// Mean price of the closing, or the mark at the end of one still open.
    pub exit_price: Option<Decimal>,
    /// Fees paid, in [`ReportData::currency`].
    pub fees: Decimal,
    /// Profit or loss after fees and funding, in [`ReportData::currency`].
    pub net: Decimal,
    /// Why it was closed, as `take profit`.
    pub reason: String,
    /// Votes and checks that led to it, a line each.
    pub log: Vec<String>,
}

/// An order as the CSV lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrderRow {
    /// When it was placed.
    pub time: i64,
    /// The client's name for it.
    pub id: String,
    /// What it is about.
    pub symbol: String,
    /// As `buy`.
    pub side: String,
    /// As `limit`.
    pub kind: String,
    /// What was asked for, in the base currency.
    pub quantity: Decimal,
    /// Of a limit order.
    pub limit_price: Option<Decimal>,
    /// What was filled, in the base currency.
    pub filled: Decimal,
    /// Mean price of the fills.
    pub mean_price: Option<Decimal>,
    /// In [`ReportData::currency`].
    pub fees: Decimal,
    /// As `filled`.
    pub state: String,
    /// Why it was placed, or refused.
    pub reason: String,
}

/// Counts by actual and predicted class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confusion {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// `[classes, classes]`, row-major: a row per actual class, a column per predicted class.
    pub counts: Vec<u64>,
}

/// Whether predicted probabilities come true.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Class or stage.
    pub name: String,
    /// By ascending mean; empty ones left out.
    pub bins: Vec<CalibrationBin>,
}

/// The predictions of a range of probability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationBin {
    /// Mean predicted probability.
    pub mean_predicted: f64,
    /// Share that came true.
    pub observed_share: f64,
    /// Number of predictions, above zero.
    pub count: u64,
}

/// How much a feature matters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Importance {
    /// Its name.
    pub feature: String,
    /// In the unit of [`ReportData::importance_label`].
    pub value: f64,
    /// Lower and upper end, around the value.
    pub interval: Option<(f64, f64)>,
}

/// What could have come out as well.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonteCarlo {
    /// How paths were made and how many, in a sentence.
    pub method: String,
    /// Milliseconds since the Unix epoch, strictly ascending.
    pub times: Vec<i64>,
    /// By ascending level.
    pub quantiles: Vec<QuantilePath>,
    /// Equity at the end of each path, in [`ReportData::currency`].
    pub final_equity: Vec<f64>,
}

/// Equity at a quantile of the paths, time by time; no path of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantilePath {
    /// Between 0 and 1, both excluded.
    pub level: f64,
    /// One per time.
    pub values: Vec<f64>,
}

/// A result over two settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensitivityGrid {
    /// Heading.
    pub title: String,
    /// What the rows are.
    pub row_label: String,
    /// What the columns are.
    pub column_label: String,
    /// What the values are, with their unit.
    pub value_label: String,
    /// From top to bottom.
    pub rows: Vec<String>,
    /// From left to right.
    pub columns: Vec<String>,
    /// `[rows, columns]`, row-major; `None` where nothing could be computed.
    pub values: Vec<Option<f64>>,
    /// Row and column of the setting that the rest of the report uses.
    pub chosen: Option<(usize, usize)>,
}

/// Fitting on the past and judging on what follows, again and again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WalkForward {
    /// Headings of [`Fold::metrics`].
    pub metric_names: Vec<String>,
    /// What [`Fold::score`] is, with its unit.
    pub score_label: String,
    /// In the order of time.
    pub folds: Vec<Fold>,
}

/// One fold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fold {
    /// As `fold 3`.
    pub label: String,
    /// Span that was fitted on, as text.
    pub train: String,
    /// Span that was judged on, as text.
    pub test: String,
    /// Formatted, one per name.
    pub metrics: Vec<String>,
    /// Drawn as a bar; `None` where it is not defined, as without trades.
    pub score: Option<f64>,
}
