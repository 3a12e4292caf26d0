//! What can go wrong, said so that the reader can mend it.

/// Everything that this crate refuses. Each message names the thing and the remedy.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
    /// A configured value lies outside its range.
    #[error("`{field}` is {value}; {remedy}")]
    InvalidConfiguration {
        /// Name of the field, with the name of its table in front.
        field: &'static str,
        /// The value as given.
        value: String,
        /// What to write instead.
        remedy: &'static str,
    },

    /// Lines that are no labeler.
    #[error(
        "not one labeler: {reason}; give the lines that `optimize-labels` prints for one, such as `labeler = \"triple-barrier\"`"
    )]
    UnreadableLabeler {
        /// What is wrong, and where.
        reason: String,
    },

    /// A series has more candles than an index of 32 bits can name.
    #[error("{series} has {candles} candles; label it in parts of at most {} candles", u32::MAX)]
    SeriesTooLong {
        /// Key of the series.
        series: String,
        /// How many candles it has.
        candles: usize,
    },

    /// A span of time cannot be divided as asked.
    #[error("cannot split {range}: {reason}")]
    ImpossibleSplit {
        /// The span of time, from its start to its end.
        range: String,
        /// Why not, and what to change.
        reason: String,
    },

    /// A table is not one of labels.
    #[error("column `{column}` is absent or holds what it must not; give a table that `label-candles` wrote")]
    NoLabelTable {
        /// Name of the column.
        column: String,
    },

    /// There is nothing from which a threshold could be found.
    #[error(
        "no candle of the {series} series given has a label inside the training time; give longer series, a shorter horizon or a later end of training"
    )]
    NothingToSearch {
        /// How many series were given.
        series: usize,
    },

    /// No threshold gives the wanted share of a class.
    #[error(
        "no threshold gives {wanted:.6} of class {class}; the nearest reachable share is {nearest:.6}: {remedy}"
    )]
    TargetUnreachable {
        /// The class concerned.
        class: crate::Label,
        /// The share wanted, from 0 to 1.
        wanted: f64,
        /// The share that can be reached.
        nearest: f64,
        /// What to change.
        remedy: &'static str,
    },
}

/// Refuses a value unless `holds`.
pub(crate) fn require(
    holds: bool,
    field: &'static str,
    value: impl std::fmt::Display + Copy,
    remedy: &'static str,
) -> Result<(), LabelError> {
    if holds {
        return Ok(());
    }
    Err(LabelError::InvalidConfiguration { field, value: value.to_string(), remedy })
}
