//! One value that somebody set, and who it was.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use figment::value::{Dict, Map, Value};
use figment::{Error, Metadata, Profile, Provider};

/// Where a configuration value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The program's own default.
    Default,
    /// A configuration file.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
    },
    /// An environment variable.
    Environment {
        /// The variable's name.
        variable: String,
    },
    /// A `--set` argument.
    Argument,
}

impl Origin {
    /// Whether both come from one layer: the same file, the environment, or the command line.
    pub(super) fn is_layer_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File { path, .. }, Self::File { path: other, .. }) => path == other,
            (Self::Default, Self::Default)
            | (Self::Environment { .. }, Self::Environment { .. })
            | (Self::Argument, Self::Argument) => true,
            _ => false,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment { variable } => write!(f, "environment variable {variable}"),
            Self::Argument => f.write_str("--set"),
        }
    }
}

/// One leaf of a layer: a dotted key that is no table, its value and its origin.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) key: Vec<String>,
    pub(super) value: Value,
    /// What was written, where only text was given and the value's type had to be guessed.
    pub(super) text: Option<String>,
    pub(super) origin: Origin,
}

impl Setting {
    /// Whether this setting decides, wholly or in part, the value at `key`.
    pub(super) fn concerns(&self, key: &[String]) -> bool {
        self.key.starts_with(key) || key.starts_with(&self.key)
    }
}

impl Provider for Setting {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.to_string())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let mut value = self.value.clone();
        for segment in self.key.iter().skip(1).rev() {
            value = Value::from(Dict::from([(segment.clone(), value)]));
        }
        let first = self.key.first().cloned().unwrap_or_default();
        Ok(Profile::Default.collect(Dict::from([(first, value)])))
    }
}

/// A key as one would write it in TOML.
pub(super) fn dotted(key: &[String]) -> String {
    let segments: Vec<_> = key.iter().map(|segment| quoted(segment)).collect();
    segments.join(".")
}

fn quoted(segment: &str) -> Cow<'_, str> {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !segment.is_empty() && segment.chars().all(bare) {
        Cow::Borrowed(segment)
    } else {
        Cow::Owned(format!("{segment:?}"))
    }
}

/// Whether a value under this name must never be printed.
pub(super) fn is_secret(segment: &str) -> bool {
    let name = segment.to_ascii_lowercase().replace('-', "_");
    ["secret", "token", "password", "api_key", "private_key"].iter().any(|word| name.contains(word))
}
