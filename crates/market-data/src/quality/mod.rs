//! What is wrong with a series, said exactly, and what the policy makes of it.
//!
//! Nothing is repaired here. A finding is counted and shown; the [`Policy`] decides whether the file is
//! refused or the rows in question are left out, and the report says how many were.

mod inspect;
mod plausibility;
mod reference_price;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::candle::CandleFault;
use crate::error::MarketDataError;
use crate::gap::GapLedger;
use crate::symbol::SeriesKey;
use crate::timestamp::Timestamp;

pub use inspect::{Inspected, inspect};
pub(crate) use plausibility::check_index_range;
pub use plausibility::{Plausibility, Sign, SignKind, assess};

/// A kind of fault in the rows of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// The open time and all values repeat an earlier row.
    Duplicate,
    /// The open time repeats an earlier row, with other values.
    ConflictingDuplicate,
    /// The row goes back in time.
    OutOfOrder,
    /// The open time is not on the grid of the timeframe.
    OffGrid,
    /// A value is missing, NaN or infinite.
    NonFinite,
    /// A price is zero or negative.
    NonPositivePrice,
    /// The volume or the turnover is negative.
    NegativeVolume,
    /// The high lies below, or the low above, another price of the candle.
    ImpossibleOhlc,
    /// Turnover per unit of volume lies outside low to high: the two may be swapped or in other units.
    TurnoverOutsideRange,
    /// The candle had not closed at the time of reading.
    Unfinished,
}

impl FindingKind {
    /// The kind in words.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Duplicate => "repeated candle",
            Self::ConflictingDuplicate => "second candle with the same open time and other values",
            Self::OutOfOrder => "candle out of order",
            Self::OffGrid => "open time off the grid",
            Self::NonFinite => "missing or non-finite value",
            Self::NonPositivePrice => "price of zero or below",
            Self::NegativeVolume => "negative volume or turnover",
            Self::ImpossibleOhlc => "impossible open, high, low, close",
            Self::TurnoverOutsideRange => "turnover that does not fit volume and prices",
            Self::Unfinished => "candle that has not closed yet",
        }
    }

    /// The columns concerned, for the place in a message.
    const fn column(self) -> &'static str {
        match self {
            Self::Duplicate
            | Self::ConflictingDuplicate
            | Self::OutOfOrder
            | Self::OffGrid
            | Self::Unfinished => "open time",
            Self::NonFinite => "open, high, low, close, volume",
            Self::NonPositivePrice | Self::ImpossibleOhlc => "open, high, low, close",
            Self::NegativeVolume => "volume",
            Self::TurnoverOutsideRange => "turnover",
        }
    }

    /// What to do about it, besides choosing another policy.
    const fn remedy(self) -> &'static str {
        match self {
            Self::Duplicate => "--findings drop or keep-first leaves the repetition out",
            Self::ConflictingDuplicate => {
                "find out which one is true; --findings keep-first keeps the first, drop leaves both out"
            }
            Self::OutOfOrder => "--findings keep-first sorts the rows, drop leaves the late ones out",
            Self::OffGrid => {
                "if the times state no zone, state their clock with --utc-offset; else fetch candles of the UTC grid, or build them from shorter ones"
            }
            Self::NonFinite | Self::NonPositivePrice | Self::NegativeVolume | Self::ImpossibleOhlc => {
                "correct the source, check the order of the columns (--columns), or leave such rows out with --findings drop"
            }
            Self::TurnoverOutsideRange => {
                "volume and turnover may be swapped or in other units: name the columns with --columns, or leave such rows out with --findings drop"
            }
            Self::Unfinished => "--findings drop leaves it out until it has closed",
        }
    }
}

impl From<CandleFault> for FindingKind {
    fn from(fault: CandleFault) -> Self {
        match fault {
            CandleFault::NonFinite => Self::NonFinite,
            CandleFault::NonPositivePrice => Self::NonPositivePrice,
            CandleFault::NegativeVolume => Self::NegativeVolume,
            CandleFault::ImpossibleOhlc => Self::ImpossibleOhlc,
        }
    }
}

/// What to do with rows that have a finding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Refuse the series when there is any finding.
    #[default]
    Reject,
    /// Leave out every row with a finding: repetitions, all rows of conflicting duplicates, rows that go
    /// back in time, impossible rows.
    Drop,
    /// Sort the rows, keep the first (in file order) of those with the same open time, and leave out
    /// impossible rows.
    KeepFirst,
}

impl Policy {
    /// `reject`, `drop` or `keep-first`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Drop => "drop",
            Self::KeepFirst => "keep-first",
        }
    }
}

impl FromStr for Policy {
    type Err = MarketDataError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "reject" => Ok(Self::Reject),
            "drop" => Ok(Self::Drop),
            "keep-first" => Ok(Self::KeepFirst),
            _ => Err(MarketDataError::request(
                "policy",
                format!("`{text}` is unknown; use reject, drop or keep-first"),
            )),
        }
    }
}

/// All findings of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FindingSummary {
    /// How many rows have it.
    pub count: u64,
    /// Line of the first one.
    pub line: u64,
    /// The first one in words.
    pub example: String,
}

/// The holes of a series in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapSummary {
    /// How many holes.
    pub count: usize,
    /// How many candles are missing in all.
    pub missing: u64,
    /// How many candles the longest hole lacks.
    pub longest: u64,
    /// Open time of the first missing candle of the longest hole.
    pub longest_from: Option<Timestamp>,
}

impl GapSummary {
    /// The summary of a ledger.
    pub fn of(gaps: &GapLedger) -> Self {
        let longest = gaps.longest();
        Self {
            count: gaps.len(),
            missing: gaps.missing(),
            longest: longest.map_or(0, |gap| gap.missing),
            longest_from: longest.map(|gap| gap.first_missing),
        }
    }
}

/// Everything that is known about the soundness of one series in one file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QualityReport {
    /// The series.
    pub key: SeriesKey,
    /// The file, with the archive member where there is one.
    pub file: String,
    /// Rows in the file.
    pub rows_read: u64,
    /// Candles that remain.
    pub rows: u64,
    /// Rows left out by the policy.
    pub removed: u64,
    /// Open time of the first candle.
    pub first: Option<Timestamp>,
    /// Open time of the last candle.
    pub last: Option<Timestamp>,
    /// The holes.
    pub gaps: GapSummary,
    /// Candles without any trade.
    pub zero_volume: u64,
    /// The findings by kind.
    pub findings: BTreeMap<FindingKind, FindingSummary>,
    /// Signs that this is no record of a market, with what was measured.
    pub signs: Vec<Sign>,
    /// What a reader should know: units, zones, skipped lines, columns not read.
    pub notes: Vec<String>,
    /// Hash of the values ([`crate::CandleColumns::content_hash`]); empty where the series was refused.
    pub content_hash: String,
}

impl QualityReport {}

/// A series that was not taken, and why.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// What was found.
    pub report: QualityReport,
    /// The policy that refused it.
    pub policy: Policy,
    /// Signs against which the plausibility gate refused it; empty where rows were the reason.
    pub refused_signs: Vec<Sign>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = &self.report;
        write!(f, "{}: {} refused", report.file, report.key)?;
        if !self.refused_signs.is_empty() {
            write!(f, ": this does not look like a record of that market")?;
            for sign in &self.refused_signs {
                write!(f, "; {} ({})", sign.message, sign.kind.as_str())?;
            }
            let kinds: Vec<&str> = self.refused_signs.iter().map(|sign| sign.kind.as_str()).collect();
            return write!(f, "; if you know why, take it with --accept {}", kinds.join(","));
        }
        if report.removed > 0 {
            write!(
                f,
                ": {} would leave out {} of {} rows, which is no matter of single rows",
                self.policy.as_str(),
                report.removed,
                report.rows_read
            )?;
        }
        for (kind, summary) in &report.findings {
            write!(
                f,
                "; {} × {}, first at line {}, column `{}`: {}; {}",
                summary.count,
                kind.describe(),
                summary.line,
                kind.column(),
                summary.example,
                kind.remedy()
            )?;
        }
        if !report.signs.is_empty() {
            write!(f, "; besides, this does not look like a record of that market")?;
            for sign in &report.signs {
                write!(f, "; {} ({})", sign.message, sign.kind.as_str())?;
            }
        }
        Ok(())
    }
}
