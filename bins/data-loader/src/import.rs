//! `data-loader import`

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use command_line::{CommonArguments, Outcome};
use market_data::import::{ImportOptions, Imported, ImportedTable, import_file};
use market_data::store::{Appended, OnConflict, SourceOther, SourceRecord, SourceSeries, Store, source_hash};
use market_data::{ExogenousSeries, HeadlineSeries, MarketDataError, Timestamp};
use serde_json::Value;

use crate::configuration::Configuration;
use crate::reading::{Reading, expand};
use crate::report::{File, Report, Status};

#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// Files (CSV, gzip, zip, Parquet, Feather 2, JSON) or directories of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Directory of the store
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,

    /// What happens when a new candle differs from the stored one: refuse, keep-stored, replace
    #[arg(long, value_name = "WHAT")]
    on_conflict: Option<OnConflict>,

    #[command(flatten)]
    reading: Reading,
}

pub(crate) fn run(
    arguments: &Arguments,
    configuration: &Configuration,
    common: &CommonArguments,
) -> anyhow::Result<Outcome> {
    let importer = Importer {
        store: Store::new(arguments.store.as_ref().unwrap_or(&configuration.store)),
        options: arguments.reading.options(&configuration.import)?,
        on_conflict: arguments.on_conflict.unwrap_or(configuration.on_conflict),
        now: arguments.reading.now(),
    };
    let paths = expand(&arguments.paths)?;
    let bar = common.progress().bar(paths.len() as u64, "import");
    let mut files = Vec::with_capacity(paths.len());
    for path in &paths {
        bar.set_label(path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()));
        files.push(importer.import(path));
        bar.advance(1);
    }
    bar.finish();
    let report = Report::new("import", Some(importer.store.root().display().to_string()), files);
    report.print(common)?;
    if report.totals.failed > 0 {
        bail!("{} of {} files could not be imported; see above", report.totals.failed, report.totals.files);
    }
    Ok(Outcome::finding_if(report.totals.refused > 0))
}

struct Importer {
    store: Store,
    options: ImportOptions,
    on_conflict: OnConflict,
    now: Option<Timestamp>,
}

impl Importer {
    /// Imports one file; whatever goes wrong is part of the result, so that the other files go on.
    fn import(&self, path: &Path) -> File {
        let name = path.display().to_string();
        self.try_import(path, &name).unwrap_or_else(|error| {
            let status = if error.is_finding() { Status::Refused } else { Status::Failed };
            let mut file = File::new(Some(name), status);
            if let MarketDataError::Refused(refusal) = &error {
                file.series.push(serde_json::to_value(&refusal.report).unwrap_or(Value::Null));
            }
            file.error = Some(error.to_string());
            file
        })
    }

    fn try_import(&self, path: &Path, name: &str) -> Result<File, MarketDataError> {
        let hash = source_hash(path, &self.fingerprint(path))?;
        if let Some(record) = self.store.source(&hash)?
            && self.store.still_holds(&record)?
        {
            let mut file = File::new(Some(name.to_owned()), Status::AlreadyStored);
            file.series = record.series.into_iter().map(|series| series.report).collect();
            file.exogenous = record.others;
            return Ok(file);
        }
        let tables = import_file(path, &self.options, self.now)?;
        let mut file = File::new(Some(name.to_owned()), Status::Imported);
        let mut record = SourceRecord { hash, file: name.to_owned(), series: Vec::new(), others: Vec::new() };
        let mut stored = Appended::default();
        // A file of many series is taken whole: no series is stored when another one conflicts.
        let candles = || {
            tables.iter().flat_map(|table| match &table.content {
                Imported::Candles(all) => all.as_slice(),
                _ => &[],
            })
        };
        if self.on_conflict == OnConflict::Refuse && candles().count() > 1 {
            candles().try_for_each(|one| self.store.check(&one.series))?;
        }
        for table in tables {
            self.put(table, &mut record, &mut file, &mut stored)?;
        }
        self.store.record_source(&record)?;
        tracing::info!(file = name, added = stored.added, "imported");
        if stored.added == 0 && stored.conflicts == 0 {
            file.status = Status::AlreadyStored;
        }
        file.series = record.series.into_iter().map(|series| series.report).collect();
        file.exogenous = record.others;
        file.stored = Some(stored);
        Ok(file)
    }

    fn put(
        &self,
        table: ImportedTable,
        record: &mut SourceRecord,
        file: &mut File,
        stored: &mut Appended,
    ) -> Result<(), MarketDataError> {
        let mut count = |appended: Appended| {
            stored.added += appended.added;
            stored.already_stored += appended.already_stored;
            stored.conflicts += appended.conflicts;
        };
        file.notes.extend(table.notes);
        match table.content {
            Imported::Candles(all) => {
                for mut one in all {
                    if let Some(twin) = self.store.twin_of(&one.series)? {
                        one.report.notes.push(format!(
                            "{} of {} candles equal those of {} in the store: one of the two is mislabelled",
                            twin.equal, twin.compared, twin.key
                        ));
                    }
                    count(self.store.append(&one.series, self.on_conflict)?);
                    let manifest = self.store.manifest(one.series.key())?;
                    record.series.extend(manifest.map(|manifest| SourceSeries::of(&one.report, &manifest)));
                }
            }
            Imported::Exogenous(all) => {
                for series in all {
                    count(self.store.append_exogenous(&series, self.on_conflict)?);
                    let mut other = other_of(&series);
                    other.content_hash = self.store.table_hash(&other.name, false)?.unwrap_or_default();
                    record.others.push(other);
                }
            }
            Imported::Headlines(headlines) => {
                count(self.store.append_headlines(&headlines)?);
                let mut other = other_of_headlines(&headlines);
                other.content_hash = self.store.table_hash(&other.name, true)?.unwrap_or_default();
                record.others.push(other);
            }
        }
        Ok(())
    }

    /// What, besides the bytes of a file, decides what is stored: the options, and the file's name,
    /// which may state the symbol.
    fn fingerprint(&self, path: &Path) -> String {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        serde_json::json!({ "options": self.options, "on_conflict": self.on_conflict, "name": name })
            .to_string()
    }
}

pub(crate) fn other_of(series: &ExogenousSeries) -> SourceOther {
    SourceOther {
        name: series.name().to_owned(),
        headlines: false,
        rows: series.len() as u64,
        first: series.described_at().first().copied(),
        last: series.described_at().last().copied(),
        content_hash: series.content_hash(),
    }
}

pub(crate) fn other_of_headlines(headlines: &HeadlineSeries) -> SourceOther {
    let rows = headlines.headlines();
    SourceOther {
        name: headlines.name().to_owned(),
        headlines: true,
        rows: rows.len() as u64,
        first: rows.first().map(|row| row.published_at),
        last: rows.last().map(|row| row.published_at),
        content_hash: String::new(),
    }
}
