//! What can go wrong, said so that the reader can mend it.

use xlstm::XlstmError;

/// Everything that this crate refuses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// A size is out of range or does not fit another.
    #[error("`{field}` is {value}: {remedy}")]
    Config {
        /// Name of the field.
        field: String,
        /// The value as given.
        value: String,
        /// What to write instead.
        remedy: String,
    },

    /// Inputs, a state or parameters do not fit the network.
    #[error("{what}: {reason}")]
    Data {
        /// What does not fit.
        what: String,
        /// Why not, and what to change.
        reason: String,
    },

    /// Of an xLSTM.
    #[error(transparent)]
    Xlstm(#[from] XlstmError),
}

impl NetworkError {
    #[expect(clippy::needless_pass_by_value, reason = "callers give numbers, words and texts alike")]
    pub(crate) fn config(field: &str, value: impl ToString, remedy: &str) -> Self {
        Self::Config { field: field.to_owned(), value: value.to_string(), remedy: remedy.to_owned() }
    }

    pub(crate) fn data(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Data { what: what.into(), reason: reason.into() }
    }
}
