//! What can go wrong, said so that the reader can mend it.

use std::path::{Path, PathBuf};

use crate::quality::Refusal;

/// Everything that this crate refuses or fails at.
///
/// Each message names the thing, the place (file, line, column where there is one) and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MarketDataError {
    /// A text is no point in time.
    #[error(
        "`{text}` is no time; write ISO 8601 (2024-01-31, 2024-01-31T12:00:00Z) or milliseconds since the epoch"
    )]
    InvalidTimestamp {
        /// The text as given.
        text: String,
    },

    /// A text names no timeframe.
    #[error("`{text}` is no timeframe; use one of 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 1w")]
    UnknownTimeframe {
        /// The text as given.
        text: String,
    },

    /// A text names no venue.
    #[error(
        "`{text}` is no venue; write exchange-market, for example bybit-linear, binance-spot or bybit-inverse"
    )]
    UnknownVenue {
        /// The text as given.
        text: String,
    },

    /// A text names no symbol.
    #[error(
        "cannot read `{text}` as a symbol; write it as BASE/QUOTE on spot or BASE/QUOTE:SETTLE for a perpetual, for example BTC/USDT:USDT"
    )]
    UnknownSymbol {
        /// The text as given.
        text: String,
    },

    /// Instrument rules contradict themselves.
    #[error("instrument rules of {symbol}: {reason}")]
    InvalidInstrument {
        /// The symbol concerned.
        symbol: String,
        /// What is wrong, and what to write instead.
        reason: String,
    },

    /// Columns that should have been sound are not.
    #[error("{key}: candle {index}: {reason}")]
    UnsoundSeries {
        /// The series.
        key: String,
        /// Index of the candle, from 0.
        index: usize,
        /// What is wrong with it.
        reason: String,
    },

    /// A file could not be opened, read or written.
    #[error("{}: {action}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },

    /// A file is not what its kind promises.
    #[error("{place}: {problem}; {remedy}")]
    Unreadable {
        /// File, line and column.
        place: Place,
        /// What was found.
        problem: String,
        /// What to do about it.
        remedy: String,
    },

    /// A file was read, but its content was refused by the policy or the plausibility gate.
    #[error("{0}")]
    Refused(Box<Refusal>),

    /// New values contradict stored ones.
    #[error(
        "{what}: {difference}; find out which source is right, then use --on-conflict keep-stored or --on-conflict replace, or another store"
    )]
    Conflict {
        /// The series and the time.
        what: String,
        /// Both values.
        difference: String,
    },

    /// A store cannot be used as asked.
    #[error("store {}: {problem}; {remedy}", path.display())]
    Store {
        /// The file or directory in the store.
        path: PathBuf,
        /// What was found.
        problem: String,
        /// What to do about it.
        remedy: String,
    },

    /// A table library failed on a file.
    #[error("{}: {action}: {source}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
        /// The library's reason.
        source: polars::error::PolarsError,
    },

    /// A request makes no sense: a parameter out of range, a timeframe that does not divide another.
    #[error("{what}: {reason}")]
    InvalidRequest {
        /// The parameter or operation.
        what: String,
        /// Why it cannot be done, and what to give instead.
        reason: String,
    },
}

impl MarketDataError {
    pub(crate) fn io(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, action, source }
    }

    pub(crate) fn table(
        path: &Path,
        action: &'static str,
    ) -> impl FnOnce(polars::error::PolarsError) -> Self {
        let path = path.to_owned();
        move |source| Self::Table { path, action, source }
    }

    pub(crate) fn request(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::InvalidRequest { what: what.into(), reason: reason.into() }
    }

    /// Whether the *data* is at fault (a finding) rather than the request or the system (an error).
    pub const fn is_finding(&self) -> bool {
        matches!(
            self,
            Self::Refused(_) | Self::Unreadable { .. } | Self::Conflict { .. } | Self::UnsoundSeries { .. }
        )
    }
}

/// Where in a file something stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Place {
    /// The file as the user named it; a member of an archive is added as `archive.zip!member.csv`.
    pub file: String,
    /// Line number from 1 in text files, row or element number from 1 elsewhere.
    pub line: Option<u64>,
    /// Column name, or its number where the file has no header.
    pub column: Option<String>,
}

impl Place {
    pub(crate) fn file(file: impl Into<String>) -> Self {
        Self { file: file.into(), line: None, column: None }
    }

    pub(crate) fn at(file: impl Into<String>, line: u64, column: Option<&str>) -> Self {
        Self { file: file.into(), line: Some(line), column: column.map(str::to_owned) }
    }

    pub(crate) fn column(file: impl Into<String>, column: &str) -> Self {
        Self { file: file.into(), line: None, column: Some(column.to_owned()) }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if let Some(column) = &self.column {
            write!(f, ", column `{column}`")?;
        }
        Ok(())
    }
}
