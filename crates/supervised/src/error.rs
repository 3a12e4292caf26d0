//! What can go wrong, said so that the reader can mend it.

use std::path::{Path, PathBuf};

use features::FeatureError;
use labels::LabelError;
use market_data::MarketDataError;
use networks::NetworkError;
use xlstm::XlstmError;

/// Everything that this crate refuses. Each message names the thing and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SupervisedError {
    /// A configuration value is out of range.
    #[error("`{field}` is {value}: {remedy}")]
    Config {
        /// Name of the field, with the names of its tables in front.
        field: String,
        /// The value as given.
        value: String,
        /// What to write instead.
        remedy: String,
    },

    /// Data do not fit what they are used for.
    #[error("{what}: {reason}")]
    Data {
        /// What does not fit.
        what: String,
        /// Why not, and what to change.
        reason: String,
    },

    /// Training has left the finite numbers.
    #[error(
        "training diverged at epoch {epoch}: {reason}; lower `learning_rate.base`, or clip gradients (`optimiser.norm_clipping`)"
    )]
    Diverged {
        /// The epoch, counted from 0.
        epoch: usize,
        /// What was seen.
        reason: String,
    },

    /// A file of a checkpoint or a bundle cannot be used.
    #[error("{}: {reason}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why not, and what to do.
        reason: String,
    },

    /// Of the features.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// Of the labels.
    #[error(transparent)]
    Labels(#[from] LabelError),
    /// Of the candles, or of a file.
    #[error(transparent)]
    MarketData(#[from] MarketDataError),
    /// Of the network.
    #[error(transparent)]
    Network(#[from] XlstmError),
}

impl SupervisedError {
    #[expect(clippy::needless_pass_by_value, reason = "callers give numbers, words and texts alike")]
    pub(crate) fn config(field: &str, value: impl ToString, remedy: &str) -> Self {
        Self::Config { field: field.to_owned(), value: value.to_string(), remedy: remedy.to_owned() }
    }

    pub(crate) fn data(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Data { what: what.into(), reason: reason.into() }
    }

    pub(crate) fn file(path: &Path, reason: impl Into<String>) -> Self {
        Self::File { path: path.to_owned(), reason: reason.into() }
    }
}

impl From<NetworkError> for SupervisedError {
    fn from(error: NetworkError) -> Self {
        match error {
            NetworkError::Config { field, value, remedy } => Self::Config { field, value, remedy },
            NetworkError::Data { what, reason } => Self::Data { what, reason },
            NetworkError::Xlstm(error) => Self::Network(error),
            other => Self::Data { what: "the network".to_owned(), reason: other.to_string() },
        }
    }
}
