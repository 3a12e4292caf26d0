//! What can be wrong with a configuration, and what to do about it.

use std::path::PathBuf;

use super::setting::Origin;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigurationError {
    /// A file named with `--config` is not there.
    #[error("{}: no such configuration file; check the path given with --config", path.display())]
    FileMissing {
        /// The file.
        path: PathBuf,
    },

    /// A file is there, but cannot be read.
    #[error("{}: cannot read the configuration file: {source}", path.display())]
    FileUnreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },

    /// A file is no TOML.
    #[error("{}:{line}: {message}; the file must be TOML, for example `[section]` and `key = \"value\"`", path.display())]
    FileSyntax {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// The parser's reason.
        message: String,
    },

    /// A `--set` argument is no assignment.
    #[error(
        "`{key}` cannot be set; write section.key=value, with quotes around a part that holds other characters than letters, digits, `_` and `-`"
    )]
    Assignment {
        /// What stands before the equals sign.
        key: String,
    },

    /// An environment variable has the project's prefix and cannot be read.
    #[error("environment variable {variable}: {reason}; write MATRELA__SECTION__KEY=value")]
    Environment {
        /// The variable.
        variable: String,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// A key that the program does not have.
    #[error("unknown configuration key `{key}` (from {origin}); {remedy}")]
    UnknownKey {
        /// The dotted key.
        key: String,
        /// Who set it.
        origin: Origin,
        /// The nearest known key, or all that are known beside it.
        remedy: String,
    },

    /// A value that the key does not take.
    #[error("configuration key `{key}` (from {origin}): {reason}")]
    InvalidValue {
        /// The dotted key.
        key: String,
        /// Who set it.
        origin: Origin,
        /// What is wrong, and what to write instead.
        reason: String,
    },

    /// The defaults of a program cannot be written down; a mistake of the program.
    #[error("the default configuration of {program} cannot be serialised: {reason}")]
    Defaults {
        /// The program.
        program: String,
        /// The serialiser's reason.
        reason: String,
    },
}
