//! `data-loader inspect`

use std::path::PathBuf;

use anyhow::{bail, ensure};
use clap::Args;
use command_line::{CommonArguments, Outcome, Table, print_json, print_text};
use market_data::import::{Imported, import_file};
use market_data::quality::GapSummary;
use market_data::store::Store;
use market_data::{MarketDataError, SeriesKey, Timestamp};
use serde::Serialize;
use serde_json::Value;

use crate::configuration::Configuration;
use crate::import::{other_of, other_of_headlines};
use crate::reading::{Reading, expand};
use crate::report::{File, Report, Status};

#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// Files or directories to inspect; without any, the store is inspected
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Directory of the store to inspect: reads every partition and checks its hash
    #[arg(long, value_name = "DIR", conflicts_with = "paths")]
    store: Option<PathBuf>,

    #[command(flatten)]
    reading: Reading,
}

pub(crate) fn run(
    arguments: &Arguments,
    configuration: &Configuration,
    common: &CommonArguments,
) -> anyhow::Result<Outcome> {
    if arguments.paths.is_empty() {
        let store = Store::new(arguments.store.as_ref().unwrap_or(&configuration.store));
        return inspect_store(&store, common);
    }
    let options = arguments.reading.options(&configuration.import)?;
    let now = arguments.reading.now();
    let paths = expand(&arguments.paths)?;
    let bar = common.progress().bar(paths.len() as u64, "inspect");
    let mut files = Vec::with_capacity(paths.len());
    for path in &paths {
        let name = path.display().to_string();
        let file = match import_file(path, &options, now) {
            Ok(tables) => {
                let mut file = File::new(Some(name), Status::Sound);
                for table in tables {
                    file.notes.extend(table.notes);
                    match table.content {
                        Imported::Candles(all) => {
                            for one in all {
                                file.series.push(serde_json::to_value(&one.report)?);
                            }
                        }
                        Imported::Exogenous(all) => file.exogenous.extend(all.iter().map(other_of)),
                        Imported::Headlines(all) => file.exogenous.push(other_of_headlines(&all)),
                    }
                }
                file
            }
            Err(error) => {
                let status = if error.is_finding() { Status::Refused } else { Status::Failed };
                let mut file = File::new(Some(name), status);
                if let MarketDataError::Refused(refusal) = &error {
                    file.series.push(serde_json::to_value(&refusal.report)?);
                }
                file.error = Some(error.to_string());
                file
            }
        };
        files.push(file);
        bar.advance(1);
    }
    bar.finish();
    let report = Report::new("inspect", None, files);
    report.print(common)?;
    if report.totals.failed > 0 {
        bail!("{} of {} files could not be read; see above", report.totals.failed, report.totals.files);
    }
    // Rows that a lenient policy would leave out are findings here all the same.
    let findings = report.files.iter().flat_map(|file| &file.series).any(|series| {
        series.pointer("/findings").and_then(Value::as_object).is_some_and(|findings| !findings.is_empty())
    });
    Ok(Outcome::finding_if(report.totals.refused > 0 || findings))
}

/// A stored series.
#[derive(Debug, Serialize)]
struct Stored {
    key: SeriesKey,
    rows: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    gaps: GapSummary,
    content_hash: String,
    /// What is wrong with it in the store; absent when its files are whole.
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct StoreReport {
    command: &'static str,
    store: String,
    series: Vec<Stored>,
    exogenous: Vec<StoredTable>,
    headlines: Vec<StoredTable>,
}

/// A stored exogenous series, or stored headlines.
#[derive(Debug, Serialize)]
struct StoredTable {
    name: String,
    rows: u64,
    /// What is wrong with it in the store; absent when its file is whole.
    error: Option<String>,
}

fn inspect_store(store: &Store, common: &CommonArguments) -> anyhow::Result<Outcome> {
    ensure!(
        store.root().is_dir(),
        "store {}: there is no such directory; import or generate something first",
        store.root().display()
    );
    let keys = store.keys()?;
    let bar = common.progress().bar(keys.len() as u64, "check");
    let mut series = Vec::with_capacity(keys.len());
    for key in keys {
        // What is wrong with a manifest stands in the error of reading by it.
        let manifest = store.manifest(&key).ok().flatten();
        let read = store.read(&key);
        series.push(Stored {
            rows: manifest.as_ref().map_or(0, |manifest| manifest.rows),
            first: manifest.as_ref().and_then(|manifest| manifest.first),
            last: manifest.as_ref().and_then(|manifest| manifest.last),
            content_hash: manifest.map_or_else(String::new, |manifest| manifest.content_hash),
            gaps: read.as_ref().map_or_else(|_| GapSummary::default(), |read| GapSummary::of(read.gaps())),
            error: read.err().map(|error| error.to_string()),
            key,
        });
        bar.advance(1);
    }
    bar.finish();
    let mut exogenous = Vec::new();
    for name in store.exogenous_names()? {
        let read = store.read_exogenous(&name);
        let rows = read.as_ref().map_or(0, |series| series.len() as u64);
        exogenous.push(StoredTable { name, rows, error: read.err().map(|error| error.to_string()) });
    }
    let mut headlines = Vec::new();
    for name in store.headline_names()? {
        let read = store.read_headlines(&name);
        let rows = read.as_ref().map_or(0, |series| series.headlines().len() as u64);
        headlines.push(StoredTable { name, rows, error: read.err().map(|error| error.to_string()) });
    }
    ensure!(
        !(series.is_empty() && exogenous.is_empty() && headlines.is_empty()),
        "store {}: it holds nothing; import or generate something first, or name another directory",
        store.root().display()
    );
    let errors = series.iter().map(|series| &series.error);
    let errors = errors.chain(exogenous.iter().chain(&headlines).map(|table| &table.error));
    let damaged = errors.flatten().count();
    let report = StoreReport {
        command: "inspect",
        store: store.root().display().to_string(),
        series,
        exogenous,
        headlines,
    };
    print_store(&report, common)?;
    Ok(Outcome::finding_if(damaged > 0))
}

fn print_store(report: &StoreReport, common: &CommonArguments) -> anyhow::Result<()> {
    if common.is_json() {
        return print_json(report);
    }
    let mut table = Table::new(["series", "candles", "first", "last", "gaps", "missing", "state"]);
    let shown = |time: Option<Timestamp>| time.map_or_else(String::new, |time| time.to_string());
    for series in &report.series {
        table.row([
            series.key.to_string(),
            series.rows.to_string(),
            shown(series.first),
            shown(series.last),
            series.gaps.count.to_string(),
            series.gaps.missing.to_string(),
            series.error.clone().unwrap_or_else(|| "whole".to_owned()),
        ]);
    }
    table.print()?;
    for (what, tables) in [("exogenous series", &report.exogenous), ("headlines", &report.headlines)] {
        if !tables.is_empty() {
            let mut listing = Table::new([what, "rows", "state"]);
            for stored in tables {
                let state = stored.error.clone().unwrap_or_else(|| "whole".to_owned());
                listing.row([stored.name.clone(), stored.rows.to_string(), state]);
            }
            print_text("\n")?;
            listing.print()?;
        }
    }
    print_text(&format!("store: {}\n", report.store))
}
