//! Candle series in a store.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::candle::Candle;
use crate::error::MarketDataError;
use crate::series::{CandleColumns, CandleSeries};
use crate::symbol::{SeriesKey, Symbol, Venue};
use crate::timestamp::Timestamp;

use super::atomic::{lock, read_json, sweep, sync_directory, write_json, write_whole};
use super::manifest::{FORMAT, Manifest, Partition};
use super::merge::{OnConflict, merge};
use super::table::{columns_from_frame, read_frame, write_parquet};
use super::{Appended, CommitStep, Store, Twin};

/// How often a reader looks again when a writer replaces partitions under its eyes.
pub(super) const READ_TRIES: usize = 5;

impl Store {
    pub(super) fn directory(&self, key: &SeriesKey) -> PathBuf {
        let symbol = key.symbol.to_string().replace(['/', ':'], "_");
        self.root.join("candles").join(key.venue.to_string()).join(symbol).join(key.timeframe.as_str())
    }

    /// All series that the store holds, in order, by the names of their directories: a manifest that is damaged
    /// is an error of its own series alone.
    ///
    /// # Errors
    /// When a directory cannot be listed, or one with a manifest is not named as this store names series.
    pub fn keys(&self) -> Result<Vec<SeriesKey>, MarketDataError> {
        let mut directories = vec![self.root.join("candles")];
        for _ in 0..3 {
            let mut inner = Vec::new();
            for directory in directories {
                let entries = match std::fs::read_dir(&directory) {
                    Ok(entries) => entries,
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(MarketDataError::io(&directory, "cannot list")(error)),
                };
                for entry in entries {
                    let path = entry.map_err(MarketDataError::io(&directory, "cannot list"))?.path();
                    if path.is_dir() {
                        inner.push(path);
                    }
                }
            }
            directories = inner;
        }
        let mut keys = Vec::new();
        for directory in directories.iter().filter(|directory| directory.join("manifest.json").exists()) {
            keys.push(self.key_of(directory)?);
        }
        keys.sort();
        Ok(keys)
    }

    /// The series whose directory this is.
    fn key_of(&self, directory: &Path) -> Result<SeriesKey, MarketDataError> {
        let names: Vec<_> = directory.iter().rev().take(3).map(std::ffi::OsStr::to_string_lossy).collect();
        let key = || {
            let [timeframe, symbol, venue] = names.as_slice() else { return None };
            let venue: Venue = venue.parse().ok()?;
            // Codes have no `_` of their own.
            let symbol = match symbol.split('_').collect::<Vec<_>>().as_slice() {
                [base, quote] => Symbol::new(base, quote, None),
                [base, quote, settle] => Symbol::new(base, quote, Some(settle)),
                _ => return None,
            };
            Some(SeriesKey::new(venue, symbol.ok()?, timeframe.parse().ok()?))
        };
        key().filter(|key| self.directory(key) == directory).ok_or_else(|| {
            self.problem(
                directory,
                "it has a manifest, and its name is none that this store gives to a series",
                "move it out of the store, or give it its name back: venue/symbol/timeframe, such as bybit-linear/BTC_USDT_USDT/5m",
            )
        })
    }

    /// What the store holds of a series; `None` where it holds nothing.
    ///
    /// # Errors
    /// When the manifest is damaged, of another format, or of another series.
    pub fn manifest(&self, key: &SeriesKey) -> Result<Option<Manifest>, MarketDataError> {
        let path = self.directory(key).join("manifest.json");
        let Some(manifest) = read_json::<Manifest>(&path)? else { return Ok(None) };
        if manifest.format != FORMAT {
            return Err(self.problem(
                &path,
                format!("the manifest has format {}, this version reads {FORMAT}", manifest.format),
                "use the version that wrote it, or import again into a new store",
            ));
        }
        if manifest.key != *key {
            return Err(self.problem(
                &path,
                format!("the manifest is of {}", manifest.key),
                "directories were moved; put them back",
            ));
        }
        Ok(Some(manifest))
    }

    /// Reads a whole series.
    ///
    /// # Errors
    /// When the store does not hold it, or a file is damaged.
    pub fn read(&self, key: &SeriesKey) -> Result<CandleSeries, MarketDataError> {
        self.read_between(key, Timestamp::MIN, Timestamp::MAX)
    }

    /// Reads the candles that open in `from..to`; only the months concerned are touched.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub fn read_between(
        &self,
        key: &SeriesKey,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<CandleSeries, MarketDataError> {
        for attempt in 1.. {
            let manifest = self.manifest(key)?.ok_or_else(|| {
                self.problem(
                    &self.root,
                    format!("it holds no {key}"),
                    "import it, or list what is there with `data-loader inspect --store`",
                )
            })?;
            match self.read_partitions(&manifest, from, to) {
                // A writer has replaced the partition since the manifest was read.
                Err(MarketDataError::Io { source, .. })
                    if source.kind() == std::io::ErrorKind::NotFound && attempt < READ_TRIES => {}
                Ok(columns) => {
                    let series = CandleSeries::new(key.clone(), columns)?;
                    return Ok(series.between(from, to));
                }
                Err(error) => return Err(error),
            }
        }
        Err(self.problem(&self.root, "it changes without pause", "let the writer finish"))
    }

    fn read_partitions(
        &self,
        manifest: &Manifest,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<CandleColumns, MarketDataError> {
        let mut columns: Option<CandleColumns> = None;
        for partition in &manifest.partitions {
            if partition.last < from || partition.first >= to {
                continue;
            }
            let more = self.read_partition(&manifest.key, partition)?;
            match &mut columns {
                None => columns = Some(more),
                Some(columns) => columns.append(more),
            }
        }
        Ok(columns.unwrap_or_default())
    }

    fn read_partition(
        &self,
        key: &SeriesKey,
        partition: &Partition,
    ) -> Result<CandleColumns, MarketDataError> {
        let path = self.directory(key).join(&partition.file);
        let frame = read_frame(&path, &partition.file_hash)?;
        columns_from_frame(frame).map_err(MarketDataError::table(&path, "the table lacks a column"))
    }

    /// Adds candles to a series: new times are put in, equal candles are counted, and differing ones are
    /// treated as `on_conflict` says. All of it happens, or nothing.
    ///
    /// # Errors
    /// [`MarketDataError::Conflict`] names the first conflict under [`OnConflict::Refuse`].
    pub fn append(
        &self,
        series: &CandleSeries,
        on_conflict: OnConflict,
    ) -> Result<Appended, MarketDataError> {
        let key = series.key();
        let directory = self.directory(key);
        let _lock = lock(&directory)?;
        let before = self.manifest(key)?.unwrap_or_else(|| Manifest::new(key.clone()));
        sweep(&directory, &|name| before.partitions.iter().any(|partition| partition.file == name))?;
        let mut after = before.clone();
        let mut counts = Appended::default();
        for (month, range) in months(series.columns()) {
            let new = series.columns().slice(range);
            let position = after.partitions.iter().position(|partition| partition.month == month);
            let (merged, old_hash) = match position {
                None => {
                    counts.added += new.len() as u64;
                    (new, None)
                }
                Some(position) => {
                    let partition = &after.partitions[position];
                    let stored = self.read_partition(key, partition)?;
                    (
                        merge(key, &stored, &new, on_conflict, &mut counts)?,
                        Some(partition.content_hash.clone()),
                    )
                }
            };
            let content_hash = merged.content_hash();
            if old_hash.as_ref() == Some(&content_hash) {
                continue;
            }
            let partition = self.write_partition(key, &month, &merged, content_hash)?;
            match position {
                None => after.partitions.push(partition),
                Some(position) => after.partitions[position] = partition,
            }
        }
        if after != before {
            after.sum_up();
            // The names of the data files must be on disk before the manifest that names them.
            sync_directory(&directory)?;
            self.step(CommitStep::BeforeManifest);
            write_json(&directory.join("manifest.json"), &after)?;
            self.step(CommitStep::AfterManifest);
            if sweep(&directory, &|name| after.partitions.iter().any(|partition| partition.file == name))? > 0
            {
                self.step(CommitStep::OldRemoved);
            }
        }
        Ok(counts)
    }

    /// Looks for conflicts of a series with what is stored, without writing anything.
    ///
    /// # Errors
    /// [`MarketDataError::Conflict`] names the first one.
    pub fn check(&self, series: &CandleSeries) -> Result<(), MarketDataError> {
        let key = series.key();
        let Some(manifest) = self.manifest(key)? else { return Ok(()) };
        for (month, range) in months(series.columns()) {
            if let Some(partition) = manifest.partitions.iter().find(|partition| partition.month == month) {
                let stored = self.read_partition(key, partition)?;
                let new = series.columns().slice(range);
                merge(key, &stored, &new, OnConflict::Refuse, &mut Appended::default())?;
            }
        }
        Ok(())
    }

    /// Looks for the same candles under the name of another venue. Two venues never agree on every price
    /// and volume, so where nearly all do, one of the two is mislabelled.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn twin_of(&self, series: &CandleSeries) -> Result<Option<Twin>, MarketDataError> {
        const ENOUGH: u64 = 50;
        let key = series.key();
        let Some((first, last)) = series.range() else { return Ok(None) };
        for other in self.keys()? {
            let same_pair =
                other.symbol.base() == key.symbol.base() && other.symbol.quote() == key.symbol.quote();
            if !same_pair || other.timeframe != key.timeframe || other.venue == key.venue {
                continue;
            }
            let stored = self.read_between(&other, first, last.plus_millis(1))?;
            let (mut compared, mut equal) = (0, 0);
            let mut row = 0;
            for candle in stored.iter() {
                row += series.columns().open_time[row..].partition_point(|time| *time < candle.open_time);
                if row == series.len() {
                    break;
                }
                let own = series.get(row);
                if own.open_time == candle.open_time {
                    compared += 1;
                    let bare = |candle: Candle| Candle { turnover: None, ..candle };
                    equal += u64::from(bare(own) == bare(candle));
                }
            }
            if compared >= ENOUGH && equal * 100 >= compared * 99 {
                return Ok(Some(Twin { key: other, compared, equal }));
            }
        }
        Ok(None)
    }

    fn write_partition(
        &self,
        key: &SeriesKey,
        month: &str,
        columns: &CandleColumns,
        content_hash: String,
    ) -> Result<Partition, MarketDataError> {
        let directory = self.directory(key);
        let file = format!("{month}.{}.parquet", content_hash.get(..16).unwrap_or(&content_hash));
        let path = directory.join(&file);
        write_whole(&path, |out| write_parquet(columns, &path, out))?;
        let bytes = std::fs::read(&path).map_err(MarketDataError::io(&path, "cannot read back"))?;
        self.step(CommitStep::DataWritten);
        let (first, last) = (columns.open_time.first(), columns.open_time.last());
        Ok(Partition {
            month: month.to_owned(),
            file,
            rows: columns.len() as u64,
            first: first.copied().unwrap_or_default(),
            last: last.copied().unwrap_or_default(),
            content_hash,
            file_hash: blake3::hash(&bytes).to_hex().to_string(),
        })
    }
}

/// The ranges of candles that open in the same month.
fn months(columns: &CandleColumns) -> BTreeMap<String, Range<usize>> {
    let mut months = BTreeMap::new();
    let mut start = 0;
    while start < columns.len() {
        let (year, month) = columns.open_time[start].year_month();
        // Times are sorted, so the month ends where a binary search says.
        let len = columns.open_time[start..].partition_point(|time| time.year_month() == (year, month));
        months.insert(format!("{year:04}-{month:02}"), start..start + len);
        start += len;
    }
    months
}
