//! What a stored series holds.

use serde::{Deserialize, Serialize};

use crate::symbol::SeriesKey;
use crate::timestamp::Timestamp;

/// The format that this version writes; another one is refused, never guessed.
pub(super) const FORMAT: u32 = 1;

/// The truth about a stored series: its partitions, their extent and their hashes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this file's format.
    pub format: u32,
    /// The series.
    pub key: SeriesKey,
    /// Candles in all partitions.
    pub rows: u64,
    /// Open time of the first candle.
    pub first: Option<Timestamp>,
    /// Open time of the last candle.
    pub last: Option<Timestamp>,
    /// Hash of the whole content: of the partitions' months and content hashes, in order.
    pub content_hash: String,
    /// The partitions, earliest month first.
    pub partitions: Vec<Partition>,
}

/// The candles of one calendar month (UTC).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// The month, `2024-01`.
    pub month: String,
    /// The file's name in the directory of the manifest.
    pub file: String,
    /// How many candles.
    pub rows: u64,
    /// Open time of the first one.
    pub first: Timestamp,
    /// Open time of the last one.
    pub last: Timestamp,
    /// Hash of the values, independent of the file format.
    pub content_hash: String,
    /// Hash of the file's bytes.
    pub file_hash: String,
}

impl Manifest {
    pub(super) fn new(key: SeriesKey) -> Self {
        Self {
            format: FORMAT,
            key,
            rows: 0,
            first: None,
            last: None,
            content_hash: String::new(),
            partitions: Vec::new(),
        }
    }

    /// Brings the totals in line with the partitions.
    pub(super) fn sum_up(&mut self) {
        self.partitions.sort_by(|left, right| left.month.cmp(&right.month));
        self.rows = self.partitions.iter().map(|partition| partition.rows).sum();
        self.first = self.partitions.first().map(|partition| partition.first);
        self.last = self.partitions.last().map(|partition| partition.last);
        let mut hasher = blake3::Hasher::new();
        for partition in &self.partitions {
            hasher.update(partition.month.as_bytes());
            hasher.update(partition.content_hash.as_bytes());
        }
        self.content_hash = hasher.finalize().to_hex().to_string();
    }
}
