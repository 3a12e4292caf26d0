//! What can go wrong, said so that the reader can mend it.

/// Everything that this crate refuses or fails at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RlError {
    /// A configured value lies outside its range.
    #[error("`{field}` is {value}: {remedy}")]
    Config {
        /// Name of the field, with the names of its tables in front.
        field: &'static str,
        /// The value as given.
        value: String,
        /// What to write instead.
        remedy: &'static str,
    },

    /// Spaces, batches or networks do not fit each other.
    #[error("{what}: {problem}")]
    Shape {
        /// What does not fit.
        what: &'static str,
        /// What is wrong with it, and what to change.
        problem: String,
    },

    /// Training has left the finite numbers.
    #[error("training diverged at step {step}: {reason}; lower the learning rate, or clip gradients")]
    Diverged {
        /// Steps of environments so far.
        step: u64,
        /// What was seen.
        reason: String,
    },

    /// An environment failed.
    #[error("environment {index}: {problem}")]
    Environment {
        /// Which of a vector of them, counted from 0.
        index: usize,
        /// Its own message.
        problem: String,
    },

    /// Bytes are no checkpoint, or one of something else.
    #[error("the checkpoint cannot be taken up: {problem}")]
    Checkpoint {
        /// Why not, and what to do.
        problem: String,
    },

    /// A checkpoint or a policy cannot be written or read.
    #[error("{}: {problem}", path.display())]
    File {
        /// Which file.
        path: std::path::PathBuf,
        /// Why not, and what to do.
        problem: String,
    },
}

impl RlError {
    #[expect(
        clippy::needless_pass_by_value,
        reason = "numbers and temporary texts read better without a borrow"
    )]
    pub(crate) fn config(field: &'static str, value: impl ToString, remedy: &'static str) -> Self {
        Self::Config { field, value: value.to_string(), remedy }
    }

    pub(crate) fn shape(what: &'static str, problem: impl Into<String>) -> Self {
        Self::Shape { what, problem: problem.into() }
    }

    pub(crate) fn checkpoint(problem: impl Into<String>) -> Self {
        Self::Checkpoint { problem: problem.into() }
    }
}
