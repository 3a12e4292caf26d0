//! Candles and exogenous series on disk.
//!
//! ```text
//! <root>/candles/<venue>/<symbol>/<timeframe>/manifest.json
//!                                             2024-01.<hash>.parquet
//! <root>/exogenous/<name>/manifest.json + <hash>.parquet
//! <root>/headlines/<name>/manifest.json + <hash>.parquet
//! <root>/sources/<hash>.json        one record per imported file
//! ```
//!
//! Invariants:
//! - The manifest is the only truth. Data files are written under names that hold their hash and are
//!   never changed; replacing the manifest (write aside, sync, rename) is the commit. Whoever is killed
//!   at any moment leaves the old state or the new one, and at worst a file that no manifest names,
//!   which the next writer removes.
//! - What is read is checked against the hash in the manifest.
//! - Nothing stored is overwritten by other values unless that is asked for by name.
//! - One writer per series at a time, held by a file lock; readers need none.

mod atomic;
mod candles;
mod columns;
mod exogenous;
mod manifest;
mod merge;
mod table;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::MarketDataError;
use crate::quality::QualityReport;
use crate::symbol::SeriesKey;

pub use columns::{TableColumn, read_columns, write_columns};
pub(crate) use exogenous::merge_records;
pub use manifest::{Manifest, Partition};
pub use merge::OnConflict;
pub use table::{columns_from_frame, to_frame, write_parquet};

use atomic::{read_json, write_json};

/// A step of a commit, in the order in which they happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitStep {
    /// A data file is written and synced, but no manifest names it yet.
    DataWritten,
    /// All data files are in place; the manifest is about to be replaced.
    BeforeManifest,
    /// The new manifest is in place; the commit has happened.
    AfterManifest,
    /// A data file that no manifest names any more was removed.
    OldRemoved,
}

type Observer = Arc<dyn Fn(CommitStep) + Send + Sync>;

/// A directory of stored series.
#[derive(Clone)]
pub struct Store {
    root: PathBuf,
    observer: Option<Observer>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("root", &self.root).finish_non_exhaustive()
    }
}

/// What an append did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appended {
    /// Candles that were new.
    pub added: u64,
    /// Candles that were stored already with the same values.
    pub already_stored: u64,
    /// Candles whose stored values were replaced, or whose new values were left out, as asked.
    pub conflicts: u64,
}

/// A stored series of another venue with the same candles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Twin {
    /// The other series.
    pub key: SeriesKey,
    /// Candles of the same time in both.
    pub compared: u64,
    /// How many of them are equal in every price and in the volume.
    pub equal: u64,
}

/// A record of an imported file, by which a repeated import knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRecord {
    /// Hash of the file's bytes and of the options that shaped its reading.
    pub hash: String,
    /// The file as it was named.
    pub file: String,
    /// The candle series that it gave, with what was in them.
    pub series: Vec<SourceSeries>,
    /// The exogenous series and headlines that it gave.
    pub others: Vec<SourceOther>,
}

/// An exogenous series or headlines of an imported file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceOther {
    /// Its name in the store.
    pub name: String,
    /// Whether it holds headlines.
    pub headlines: bool,
    /// How many rows.
    pub rows: u64,
    /// The first time described.
    pub first: Option<crate::Timestamp>,
    /// The last time described.
    pub last: Option<crate::Timestamp>,
    /// Hash of the stored table after the import.
    pub content_hash: String,
}

/// One series of an imported file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSeries {
    /// The series.
    pub key: SeriesKey,
    /// What the quality report said, as JSON.
    pub report: serde_json::Value,
    /// The months that the file touched, with the hash of each after the import.
    pub partitions: Vec<(String, String)>,
}

impl SourceSeries {
    /// The record of a series with its report and what the store holds of it now.
    pub fn of(report: &QualityReport, manifest: &Manifest) -> Self {
        let touched = manifest
            .partitions
            .iter()
            .filter(|month| Some(month.last) >= report.first && Some(month.first) <= report.last)
            .map(|month| (month.month.clone(), month.content_hash.clone()))
            .collect();
        // A report is plain data; were it ever not to serialise, the record would say null, not fail.
        let report_value = serde_json::to_value(report).unwrap_or_default();
        Self { key: report.key.clone(), report: report_value, partitions: touched }
    }
}

impl Store {
    /// A store in `root`. The directory is made when something is first written.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), observer: None }
    }

    /// Calls `observer` at each step of each commit: for progress, and for tests that kill the process.
    #[must_use]
    pub fn with_observer(mut self, observer: impl Fn(CommitStep) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn step(&self, step: CommitStep) {
        if let Some(observer) = &self.observer {
            observer(step);
        }
    }

    fn problem(&self, path: &Path, problem: impl Into<String>, remedy: &str) -> MarketDataError {
        MarketDataError::Store { path: path.to_owned(), problem: problem.into(), remedy: remedy.to_owned() }
    }

    /// The record of an imported file, if it was imported whole.
    ///
    /// # Errors
    /// When the record exists but cannot be read.
    pub fn source(&self, hash: &str) -> Result<Option<SourceRecord>, MarketDataError> {
        read_json(&self.root.join("sources").join(format!("{hash}.json")))
    }

    /// Whether everything that an imported file left is still in the store as it left it. Other values in
    /// its months, also more of them, say no: then only another import can tell.
    ///
    /// # Errors
    /// When a manifest cannot be read.
    pub fn still_holds(&self, record: &SourceRecord) -> Result<bool, MarketDataError> {
        for series in &record.series {
            let Some(manifest) = self.manifest(&series.key)? else { return Ok(false) };
            let holds = |(month, hash): &(String, String)| {
                manifest.partitions.iter().any(|partition| {
                    partition.month == *month
                        && partition.content_hash == *hash
                        && self.directory(&series.key).join(&partition.file).is_file()
                })
            };
            if !series.partitions.iter().all(holds) {
                return Ok(false);
            }
        }
        for other in &record.others {
            if self.table_hash(&other.name, other.headlines)?.as_ref() != Some(&other.content_hash) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Remembers an imported file. Written last, so that an interrupted import is repeated.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn record_source(&self, record: &SourceRecord) -> Result<(), MarketDataError> {
        let directory = self.root.join("sources");
        atomic::create_directory(&directory)?;
        write_json(&directory.join(format!("{}.json", record.hash)), record)
    }
}

/// Writes a file whole or not at all: readers see the old content or the new one, also after a kill.
///
/// # Errors
/// When the file cannot be written.
pub fn write_file(path: &Path, content: &[u8]) -> Result<(), MarketDataError> {
    atomic::write_whole(path, |file| {
        std::io::Write::write_all(file, content).map_err(MarketDataError::io(path, "cannot write"))
    })
}

/// The hash of a file's bytes together with a text that states how it is read.
///
/// # Errors
/// When the file cannot be read.
pub fn source_hash(path: &Path, options: &str) -> Result<String, MarketDataError> {
    let mut file = std::fs::File::open(path).map_err(MarketDataError::io(path, "cannot open"))?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(options.len() as u64).to_le_bytes());
    hasher.update(options.as_bytes());
    std::io::copy(&mut file, &mut hasher).map_err(MarketDataError::io(path, "cannot read"))?;
    Ok(hasher.finalize().to_hex().to_string())
}

#[cfg(test)]
mod tests;
