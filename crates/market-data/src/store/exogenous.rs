//! Exogenous series and headlines in a store: one file each, replaced whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use polars::prelude::{Column, DataFrame, IntoColumn, NewChunkedArray, StringChunked};
use serde::{Deserialize, Serialize};

use crate::error::MarketDataError;
use crate::exogenous::{DAILY_POLARITY, ExogenousSeries, Headline, HeadlineSeries};
use crate::timestamp::Timestamp;

use super::atomic::{lock, read_json, sweep, sync_directory, write_json, write_whole};
use super::candles::READ_TRIES;
use super::manifest::FORMAT;
use super::merge::OnConflict;
use super::table::{integers, numbers, numbers_of, read_frame, times_of, write_frame};
use super::{Appended, CommitStep, Store};

const DESCRIBED: &str = "described_at";
const KNOWN: &str = "known_at";

/// What a stored table holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TableManifest {
    format: u32,
    name: String,
    fields: Vec<String>,
    rows: u64,
    file: String,
    file_hash: String,
    content_hash: String,
}

/// One row: when it was known, and its values.
type Row = (Timestamp, Vec<f64>);

impl Store {
    fn exogenous_directory(&self, name: &str) -> PathBuf {
        self.root.join("exogenous").join(name)
    }

    fn headline_directory(&self, name: &str) -> PathBuf {
        self.root.join("headlines").join(name)
    }

    /// The names of all exogenous series in the store.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub fn exogenous_names(&self) -> Result<Vec<String>, MarketDataError> {
        names_in(&self.root.join("exogenous"))
    }

    /// The names of all headline series in the store.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub fn headline_names(&self) -> Result<Vec<String>, MarketDataError> {
        names_in(&self.root.join("headlines"))
    }

    /// Reads an exogenous series.
    ///
    /// # Errors
    /// When the store does not hold it, or a file is damaged.
    pub fn read_exogenous(&self, name: &str) -> Result<ExogenousSeries, MarketDataError> {
        self.find_exogenous(name)?.ok_or_else(|| {
            self.problem(
                &self.exogenous_directory(name),
                format!("it holds no exogenous series {name}"),
                "import it, or list what is there with `data-loader inspect --store`",
            )
        })
    }

    /// Reads an exogenous series where the store holds it. Headlines `x` give the series `x_daily_polarity`
    /// ([`HeadlineSeries::daily_polarity`]).
    ///
    /// # Errors
    /// When a file is damaged.
    pub fn find_exogenous(&self, name: &str) -> Result<Option<ExogenousSeries>, MarketDataError> {
        if let Some((_, series)) = self.stored_exogenous(&self.exogenous_directory(name))? {
            return Ok(Some(series));
        }
        let Some(headlines) = name.strip_suffix(DAILY_POLARITY) else { return Ok(None) };
        match self.stored_headlines(&self.headline_directory(headlines))? {
            Some((_, headlines)) => headlines.daily_polarity().map(Some),
            None => Ok(None),
        }
    }

    fn stored_exogenous(
        &self,
        directory: &Path,
    ) -> Result<Option<(TableManifest, ExogenousSeries)>, MarketDataError> {
        let Some((manifest, path, frame)) = self.stored_table(directory)? else { return Ok(None) };
        let lacks = || MarketDataError::table(&path, "the table lacks a column");
        let values = manifest
            .fields
            .iter()
            .map(|field| numbers_of(&frame, field))
            .collect::<Result<Vec<_>, _>>()
            .map_err(lacks())?;
        let series = ExogenousSeries::with_known_at(
            &manifest.name,
            manifest.fields.clone(),
            times_of(&frame, DESCRIBED).map_err(lacks())?,
            times_of(&frame, KNOWN).map_err(lacks())?,
            values,
        )?;
        Ok(Some((manifest, series)))
    }

    /// The hash of a stored exogenous series or of stored headlines; `None` where there are none.
    ///
    /// # Errors
    /// When the manifest cannot be read.
    pub fn table_hash(&self, name: &str, headlines: bool) -> Result<Option<String>, MarketDataError> {
        let directory =
            if headlines { self.headline_directory(name) } else { self.exogenous_directory(name) };
        Ok(self.table_manifest(&directory)?.map(|manifest| manifest.content_hash))
    }

    /// A table with its manifest. Where a writer has replaced the table since the manifest was read, both are read again.
    fn stored_table(
        &self,
        directory: &Path,
    ) -> Result<Option<(TableManifest, PathBuf, DataFrame)>, MarketDataError> {
        for attempt in 1..=READ_TRIES {
            let Some(manifest) = self.table_manifest(directory)? else { return Ok(None) };
            let path = directory.join(&manifest.file);
            match read_frame(&path, &manifest.file_hash) {
                Err(MarketDataError::Io { source, .. })
                    if source.kind() == std::io::ErrorKind::NotFound && attempt < READ_TRIES => {}
                Ok(frame) => return Ok(Some((manifest, path, frame))),
                Err(error) => return Err(error),
            }
        }
        Err(self.problem(directory, "it changes without pause", "let the writer finish"))
    }

    fn table_manifest(&self, directory: &Path) -> Result<Option<TableManifest>, MarketDataError> {
        let path = directory.join("manifest.json");
        match read_json::<TableManifest>(&path)? {
            Some(manifest) if manifest.format != FORMAT => Err(self.problem(
                &path,
                format!("the manifest has format {}, this version reads {FORMAT}", manifest.format),
                "use the version that wrote it, or import again into a new store",
            )),
            manifest => Ok(manifest),
        }
    }

    /// Adds values to an exogenous series; as [`Store::append`] for candles.
    ///
    /// # Errors
    /// [`MarketDataError::Conflict`] names the first conflict under [`OnConflict::Refuse`]; fields that differ
    /// from the stored ones are a [`MarketDataError::InvalidRequest`].
    pub fn append_exogenous(
        &self,
        series: &ExogenousSeries,
        on_conflict: OnConflict,
    ) -> Result<Appended, MarketDataError> {
        let directory = self.exogenous_directory(series.name());
        let _lock = lock(&directory)?;
        let stored = self.stored_exogenous(&directory)?;
        let mut counts = Appended::default();
        let merged = match &stored {
            None => {
                counts.added = series.len() as u64;
                series.clone()
            }
            Some((_, stored)) => merge_records(stored, series, on_conflict, &mut counts)?,
        };
        let content_hash = merged.content_hash();
        if stored.as_ref().is_some_and(|(manifest, _)| manifest.content_hash == content_hash) {
            return Ok(counts);
        }
        let mut columns = vec![
            integers(DESCRIBED, merged.described_at().iter().map(|time| time.as_millis())),
            integers(KNOWN, merged.known_at().iter().map(|time| time.as_millis())),
        ];
        columns.extend(
            merged.fields().iter().zip(merged.columns()).map(|(field, values)| numbers(field, values)),
        );
        self.commit_table(
            &directory,
            merged.name(),
            merged.fields().to_vec(),
            merged.len(),
            columns,
            content_hash,
        )?;
        Ok(counts)
    }

    /// Reads headlines.
    ///
    /// # Errors
    /// When the store does not hold them, or a file is damaged.
    pub fn read_headlines(&self, name: &str) -> Result<HeadlineSeries, MarketDataError> {
        let directory = self.headline_directory(name);
        self.stored_headlines(&directory)?.map(|(_, headlines)| headlines).ok_or_else(|| {
            self.problem(
                &directory,
                format!("it holds no headlines {name}"),
                "import them, or list what is there with `data-loader inspect --store`",
            )
        })
    }

    fn stored_headlines(
        &self,
        directory: &Path,
    ) -> Result<Option<(TableManifest, HeadlineSeries)>, MarketDataError> {
        let Some((manifest, path, frame)) = self.stored_table(directory)? else { return Ok(None) };
        let lacks = || MarketDataError::table(&path, "the table lacks a column");
        let texts = |name: &str| -> Result<Vec<String>, polars::error::PolarsError> {
            let column = frame.column(name)?;
            Ok(column.str()?.iter().map(|text| text.unwrap_or_default().to_owned()).collect())
        };
        let times = times_of(&frame, KNOWN).map_err(lacks())?;
        let [sources, titles, subjects, labels] =
            ["source", "title", "subject", "label"].map(|name| texts(name).map_err(lacks()));
        let (sources, titles, subjects, labels) = (sources?, titles?, subjects?, labels?);
        let polarity = numbers_of(&frame, "polarity").map_err(lacks())?;
        let headlines = (0..times.len())
            .map(|row| Headline {
                published_at: times[row],
                source: sources[row].clone(),
                title: titles[row].clone(),
                subject: subjects[row].clone(),
                label: labels[row].clone(),
                polarity: Some(polarity[row]).filter(|value| value.is_finite()),
            })
            .collect();
        let headlines = HeadlineSeries::new(&manifest.name, headlines)?;
        Ok(Some((manifest, headlines)))
    }

    /// Adds headlines; one that is stored already with the same time and title is not stored twice.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn append_headlines(&self, series: &HeadlineSeries) -> Result<Appended, MarketDataError> {
        let directory = self.headline_directory(series.name());
        let _lock = lock(&directory)?;
        let mut merged = self
            .stored_headlines(&directory)?
            .map_or_else(Vec::new, |(_, stored)| stored.headlines().to_vec());
        let mut counts = Appended::default();
        let known: std::collections::HashSet<(Timestamp, String)> =
            merged.iter().map(|headline| (headline.published_at, headline.title.clone())).collect();
        for headline in series.headlines() {
            if known.contains(&(headline.published_at, headline.title.clone())) {
                counts.already_stored += 1;
            } else {
                counts.added += 1;
                merged.push(headline.clone());
            }
        }
        if counts.added == 0 {
            return Ok(counts);
        }
        let merged = HeadlineSeries::new(series.name(), merged)?;
        let rows = merged.headlines();
        let text = |name: &str, of: &dyn Fn(&Headline) -> String| -> Column {
            StringChunked::from_iter_values(name.into(), rows.iter().map(of)).into_column()
        };
        let polarity: Vec<f64> = rows.iter().map(|row| row.polarity.unwrap_or(f64::NAN)).collect();
        let columns = vec![
            integers(KNOWN, rows.iter().map(|row| row.published_at.as_millis())),
            text("source", &|row| row.source.clone()),
            text("title", &|row| row.title.clone()),
            text("subject", &|row| row.subject.clone()),
            text("label", &|row| row.label.clone()),
            numbers("polarity", &polarity),
        ];
        let mut hasher = blake3::Hasher::new();
        for row in rows {
            hasher.update(&row.published_at.as_millis().to_le_bytes());
            hasher.update(row.title.as_bytes());
            hasher.update(&[0]);
        }
        let content_hash = hasher.finalize().to_hex().to_string();
        let fields = ["source", "title", "subject", "label", "polarity"].map(str::to_owned).to_vec();
        self.commit_table(&directory, merged.name(), fields, rows.len(), columns, content_hash)?;
        Ok(counts)
    }

    fn commit_table(
        &self,
        directory: &Path,
        name: &str,
        fields: Vec<String>,
        rows: usize,
        columns: Vec<Column>,
        content_hash: String,
    ) -> Result<(), MarketDataError> {
        let file = format!("{}.parquet", content_hash.get(..16).unwrap_or(&content_hash));
        let path = directory.join(&file);
        let mut frame =
            DataFrame::new(rows, columns).map_err(MarketDataError::table(&path, "cannot build the table"))?;
        write_whole(&path, |out| write_frame(&path, out, &mut frame))?;
        self.step(CommitStep::DataWritten);
        let bytes = std::fs::read(&path).map_err(MarketDataError::io(&path, "cannot read back"))?;
        let manifest = TableManifest {
            format: FORMAT,
            name: name.to_owned(),
            fields,
            rows: rows as u64,
            file_hash: blake3::hash(&bytes).to_hex().to_string(),
            file,
            content_hash,
        };
        sync_directory(directory)?;
        self.step(CommitStep::BeforeManifest);
        write_json(&directory.join("manifest.json"), &manifest)?;
        self.step(CommitStep::AfterManifest);
        sweep(directory, &|name| name == manifest.file)?;
        Ok(())
    }
}

fn names_in(directory: &Path) -> Result<Vec<String>, MarketDataError> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(MarketDataError::io(directory, "cannot list")(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(MarketDataError::io(directory, "cannot list"))?;
        if entry.path().join("manifest.json").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Both in one, by the times that they describe.
pub(crate) fn merge_records(
    stored: &ExogenousSeries,
    new: &ExogenousSeries,
    on_conflict: OnConflict,
    counts: &mut Appended,
) -> Result<ExogenousSeries, MarketDataError> {
    if stored.fields() != new.fields() {
        return Err(MarketDataError::request(
            format!("series {}", stored.name()),
            format!(
                "it is stored with the fields {}, the new one has {}; give one of them another name with --name",
                stored.fields().join(", "),
                new.fields().join(", ")
            ),
        ));
    }
    let rows = |series: &ExogenousSeries| -> Vec<(Timestamp, Row)> {
        (0..series.len())
            .map(|row| {
                let values = series.columns().iter().map(|column| column[row]).collect();
                (series.described_at()[row], (series.known_at()[row], values))
            })
            .collect()
    };
    let mut merged: BTreeMap<Timestamp, Row> = rows(stored).into_iter().collect();
    for (time, row) in rows(new) {
        match merged.get(&time) {
            None => {
                counts.added += 1;
                merged.insert(time, row);
            }
            Some(known) if *known == row => counts.already_stored += 1,
            Some(known) => {
                counts.conflicts += 1;
                match on_conflict {
                    OnConflict::KeepStored => {}
                    OnConflict::Replace => {
                        merged.insert(time, row);
                    }
                    OnConflict::Refuse => {
                        return Err(MarketDataError::Conflict {
                            what: format!("series {} at {time}", stored.name()),
                            difference: format!(
                                "the stored value differs: stored {:?} known at {}, new {:?} known at {}",
                                known.1, known.0, row.1, row.0
                            ),
                        });
                    }
                }
            }
        }
    }
    let described_at = merged.keys().copied().collect();
    let known_at = merged.values().map(|(known, _)| *known).collect();
    let values = (0..stored.fields().len())
        .map(|field| merged.values().map(|(_, values)| values[field]).collect())
        .collect();
    ExogenousSeries::with_known_at(stored.name(), stored.fields().to_vec(), described_at, known_at, values)
}
