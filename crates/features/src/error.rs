//! What can go wrong, said so that the reader can mend it.

/// Everything that this crate refuses. Each message names the thing and the remedy.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FeatureError {
    /// A value of a specification lies outside its range.
    #[error("`{field}` is {value}; {remedy}")]
    InvalidSpec {
        /// Name of the field, with the name of its table in front: `trend.ema`.
        field: String,
        /// The value as given.
        value: String,
        /// What to write instead.
        remedy: String,
    },

    /// A specification is not the TOML that it should be.
    #[error("the feature specification cannot be read: {reason}")]
    UnreadableSpec {
        /// Why not, with line and column.
        reason: String,
    },

    /// All groups are switched off.
    #[error("the specification gives no column; switch a group on (`enabled = true`) and name periods in it")]
    NoColumns,

    /// A candle that cannot come next in a fold.
    #[error("the candle of {time} cannot be pushed: {reason}; push closed, sound candles in order of time")]
    UnsoundCandle {
        /// When it opens.
        time: String,
        /// Why not.
        reason: String,
    },

    /// Something that the specification needs beside the candles was not given.
    #[error("{what} is needed by {column}; {remedy}")]
    MissingOutside {
        /// What is missing.
        what: String,
        /// The column or group that needs it.
        column: String,
        /// What to do.
        remedy: String,
    },

    /// Things were put together that do not belong together.
    #[error("{what} does not fit: {expected} was expected, {found} was given")]
    Mismatch {
        /// The thing given.
        what: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },

    /// There is too little to learn from or to judge.
    #[error("{what} needs at least {needed} {unit}, there are {found}; {remedy}")]
    TooLittle {
        /// What was asked for.
        what: String,
        /// The least number.
        needed: usize,
        /// Of what.
        unit: &'static str,
        /// The number given.
        found: usize,
        /// What to do.
        remedy: String,
    },

    /// A saved state cannot be read.
    #[error("the saved state cannot be used: {reason}; build the pipeline anew and push past candles")]
    UnreadableState {
        /// Why not.
        reason: String,
    },
}

impl FeatureError {
    #[expect(clippy::needless_pass_by_value, reason = "callers give numbers and texts alike")]
    pub(crate) fn spec(field: impl Into<String>, value: impl ToString, remedy: impl Into<String>) -> Self {
        Self::InvalidSpec { field: field.into(), value: value.to_string(), remedy: remedy.into() }
    }

    #[expect(clippy::needless_pass_by_value, reason = "callers give keys, numbers and texts alike")]
    pub(crate) fn mismatch(what: impl Into<String>, expected: impl ToString, found: impl ToString) -> Self {
        Self::Mismatch { what: what.into(), expected: expected.to_string(), found: found.to_string() }
    }
}
