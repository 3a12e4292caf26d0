//! What every Matrela program shares: common arguments, layered configuration, logs, progress,
//! tables and exit codes.
//!
//! Invariants:
//!
//! - stdout carries data only (a table, or one JSON document); logs, progress and errors go to stderr.
//! - A program leaves with 0 (fine), 1 (a finding) or 2 (an error), see [`Outcome`].
//! - Every configuration value knows where it came from, and a secret is never printed.
//! - Nothing here knows about markets, models or orders.
//!
//! ```
//! use command_line::ConfigLoader;
//!
//! #[derive(Debug, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
//! #[serde(deny_unknown_fields, default)]
//! struct Config {
//!     rows: u64,
//! }
//!
//! let loaded = ConfigLoader::<Config>::new("example")
//!     .environment([("MATRELA__ROWS", "7")])
//!     .load()?;
//! assert_eq!(loaded.config.rows, 7);
//! assert_eq!(loaded.effective()[0].origin.to_string(), "environment variable MATRELA__ROWS");
//! # Ok::<(), command_line::ConfigurationError>(())
//! ```

mod arguments;
mod clock;
mod configuration;
mod logging;
mod named_directory;
mod outcome;
mod output;
mod progress;
mod table;

pub use arguments::{CommonArguments, ConfigArguments, OutputFormat};
pub use clock::now_millis;
pub use configuration::{Assignment, ConfigLoader, ConfigurationError, EffectiveSetting, Loaded, Origin};
pub use named_directory::{check_named_directory, named_directory, remove_directory};
pub use outcome::{Outcome, run};
pub use output::{print_json, print_text};
pub use progress::{Bar, Progress};
pub use table::Table;
