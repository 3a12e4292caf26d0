//! What can go wrong in a simulation.

use trading::TradingError;

/// Why a simulation cannot be run or judged. Each message names the thing, what is wrong with it and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// A setting makes no sense.
    #[error("{field} = {value}: {remedy}")]
    Config {
        /// The field, as `section.key`.
        field: &'static str,
        /// Its value.
        value: String,
        /// What to give instead.
        remedy: &'static str,
    },
    /// Data cannot be simulated or judged.
    #[error("{what}: {problem}")]
    Data {
        /// What it is.
        what: String,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// The kernel refused.
    #[error(transparent)]
    Trading(#[from] TradingError),
    /// A picture of a report cannot be drawn.
    #[error(transparent)]
    Chart(#[from] charts::ChartError),
}

impl SimError {
    pub(crate) fn config(field: &'static str, value: impl std::fmt::Display, remedy: &'static str) -> Self {
        Self::Config { field, value: value.to_string(), remedy }
    }

    pub(crate) fn data(what: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Data { what: what.into(), problem: problem.into() }
    }
}
