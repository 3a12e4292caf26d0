//! Proof, on the user's own data, that features cannot look ahead and that their warm-up is long enough.
//!
//! - **Causality**: what comes after a moment is replaced by noise (the next candles, the reference symbol's, and the
//!   values that outside series tell later; after the noise the series ends); no row up to that moment may change
//!   by a single bit.
//! - **Warm-up**: features are computed again from other first candles; from the stated warm-up on they must
//!   agree with those of the whole series to one part in a million (but for single rows where rounding decides a
//!   tie, which are counted).
//! - **Live equals batch**: candles pushed one by one, with the state saved and restored on the way, must give
//!   the same bits.
//! - **Sound values**: all are finite and within the range that the column states.

mod check;
mod leak;
mod noise;

use market_data::{CandleSeries, SeriesKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use leak::PlantedLeak;

use crate::error::FeatureError;
use crate::frame::FeatureFrame;
use crate::pipeline::{Masking, Outside};
use crate::spec::{FeatureSpec, PriceScale};

/// How thoroughly to look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuditOptions {
    /// Moments after which everything is replaced by noise.
    pub cuts: usize,
    /// Candles of noise after each of them.
    pub noise_candles: usize,
    /// Other first candles from which everything is computed again.
    pub starts: usize,
    /// Largest relative difference at which two values agree. It is relative to the larger of the two values
    /// and of the column's mean size, so that a value near zero is not asked for more than it can give.
    pub tolerance: f64,
    /// Candles that are pushed one by one, at most.
    pub live_candles: usize,
    /// Seed of the noise.
    pub seed: u64,
}

impl Default for AuditOptions {
    fn default() -> Self {
        Self { cuts: 20, noise_candles: 300, starts: 20, tolerance: 1e-6, live_candles: 50_000, seed: 1 }
    }
}

impl AuditOptions {
    /// Refuses options that would check nothing.
    ///
    /// # Errors
    /// [`FeatureError::InvalidSpec`] names the field.
    pub fn validate(&self) -> Result<(), FeatureError> {
        for (field, value) in [
            ("cuts", self.cuts),
            ("noise_candles", self.noise_candles),
            ("starts", self.starts),
            ("live_candles", self.live_candles),
        ] {
            if value == 0 {
                return Err(FeatureError::spec(
                    field,
                    value,
                    "give at least 1; an audit of nothing proves nothing",
                ));
            }
        }
        if !(self.tolerance > 0.0 && self.tolerance < 1.0) {
            return Err(FeatureError::spec("tolerance", self.tolerance, "give a number above 0 and below 1"));
        }
        Ok(())
    }
}

/// Something that computes features of a series, and can be audited.
pub trait FeatureSource {
    /// The features of a whole series, with the values of masked rows kept.
    ///
    /// # Errors
    /// As [`FeatureSpec::frame`].
    fn unmasked(&self, series: &CandleSeries, outside: Outside<'_>) -> Result<FeatureFrame, FeatureError>;

    /// What values in quote currency are measured against.
    fn scale(&self) -> PriceScale;

    /// What pushing candle by candle gives, of at most `candles` candles, as a frame of the same length, with
    /// the state saved and restored on the way; `None` where there is no such way.
    ///
    /// # Errors
    /// As [`crate::FeaturePipeline::push`].
    fn live(
        &self,
        series: &CandleSeries,
        outside: Outside<'_>,
        candles: usize,
    ) -> Result<Option<FeatureFrame>, FeatureError>;
}

impl FeatureSource for FeatureSpec {
    fn unmasked(&self, series: &CandleSeries, outside: Outside<'_>) -> Result<FeatureFrame, FeatureError> {
        let mut pipeline = crate::FeaturePipeline::new(self, series.key().timeframe)?;
        pipeline.extend_masked(series, outside, Masking::Lifted)
    }

    fn scale(&self) -> PriceScale {
        self.scale
    }

    fn live(
        &self,
        series: &CandleSeries,
        outside: Outside<'_>,
        candles: usize,
    ) -> Result<Option<FeatureFrame>, FeatureError> {
        crate::FeaturePipeline::push_all(self, series, outside, candles).map(Some)
    }
}

/// What an audit found out about one column.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColumnAudit {
    /// Name of the column.
    pub name: String,
    /// Candles that its rows are masked for at least.
    pub stated_warm_up: usize,
    /// Candles after which it agreed from every start.
    pub measured_warm_up: usize,
    /// Rows beyond the stated warm-up that disagree while their neighbours agree: there two sums of the same
    /// numbers, taken in another order, fall on two sides of a tie. More than two of ten thousand are a finding,
    /// of a candlestick pattern twenty.
    pub isolated: usize,
    /// Smallest value of an unmasked row.
    pub smallest: f64,
    /// Largest value of an unmasked row.
    pub largest: f64,
    /// Whether nothing is wrong with it.
    pub sound: bool,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "finding")]
pub enum Finding {
    /// A row changed though only later candles were replaced.
    Leak {
        /// The column.
        column: String,
        /// The row that changed: the time of its candle.
        row: String,
        /// The last candle that was left as it is.
        cut: String,
        /// How many candles lie between them.
        candles_before_cut: usize,
    },
    /// Values from another start agree only after the stated warm-up.
    WarmUp {
        /// The column.
        column: String,
        /// The warm-up stated.
        stated: usize,
        /// The warm-up measured.
        measured: usize,
    },
    /// Pushing candle by candle gave another value.
    Live {
        /// The column, or `mask`.
        column: String,
        /// The time of the candle.
        row: String,
    },
    /// A value was not finite after its warm-up.
    NotFinite {
        /// The column of the first such value.
        column: String,
        /// The time of its candle.
        row: String,
        /// How many rows have one.
        rows: usize,
    },
    /// A value lies outside the range that its column states.
    Range {
        /// The column.
        column: String,
        /// The value.
        value: f64,
        /// Smallest value stated.
        minimum: f64,
        /// Largest value stated.
        maximum: f64,
    },
}

impl Finding {
    /// The column concerned.
    pub fn column(&self) -> &str {
        match self {
            Self::Leak { column, .. }
            | Self::WarmUp { column, .. }
            | Self::Live { column, .. }
            | Self::NotFinite { column, .. }
            | Self::Range { column, .. } => column,
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Leak { column, row, cut, candles_before_cut } => write!(
                f,
                "`{column}` looks ahead: its row of {row} changed when only candles after {cut} were replaced by noise ({candles_before_cut} candles later)"
            ),
            Self::WarmUp { column, stated, measured } => write!(
                f,
                "`{column}` states a warm-up of {stated} candles, but depends on where a run begins for {measured}"
            ),
            Self::Live { column, row } => {
                write!(f, "`{column}` of {row} differs between a batch and candles pushed one by one")
            }
            Self::NotFinite { column, row, rows } => {
                write!(
                    f,
                    "`{column}` of {row} is not finite after its warm-up; {rows} rows have such a value"
                )
            }
            Self::Range { column, value, minimum, maximum } => {
                write!(f, "`{column}` reaches {value}, outside its range {minimum} to {maximum}")
            }
        }
    }
}

/// What an audit of one series found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditReport {
    /// The series.
    pub series: SeriesKey,
    /// How many candles it has.
    pub candles: usize,
    /// Unmasked rows.
    pub rows: usize,
    /// Moments after which everything was replaced.
    pub cuts: usize,
    /// Other first candles that were compared.
    pub starts: usize,
    /// Candles that were pushed one by one.
    pub live_candles: usize,
    /// The columns.
    pub columns: Vec<ColumnAudit>,
    /// What is wrong; at most one finding of a kind per column.
    pub findings: Vec<Finding>,
}

impl AuditReport {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Audits what `source` computes on `series`. `progress` is told how many of how many steps are done.
///
/// # Errors
/// [`FeatureError::TooLittle`] where the series is too short to tell, and whatever `source` refuses.
pub fn audit(
    source: &impl FeatureSource,
    series: &CandleSeries,
    outside: Outside<'_>,
    options: &AuditOptions,
    progress: impl FnMut(usize, usize),
) -> Result<AuditReport, FeatureError> {
    options.validate()?;
    check::Audit::new(source, series, outside, options, progress)?.run()
}
