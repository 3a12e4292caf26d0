//! `data-loader export`

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use command_line::{CommonArguments, Outcome, Table, print_json};
use market_data::store::{Store, write_parquet};
use market_data::{CSV_HEADER, CandleSeries, SeriesKey, Timestamp, write_csv, write_csv_rows};
use serde::Serialize;

use crate::configuration::Configuration;
use crate::selection::Selection;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// `timestamp,open,high,low,close,volume,turnover,symbol`
    Csv,
    /// The same columns as Parquet, without the symbol
    Parquet,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// Directory to write to, one file per series, or `-` for all series as CSV on stdout
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Directory of the store
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,

    /// Format of the files
    #[arg(long, value_enum, default_value = "csv", value_name = "FORMAT")]
    format: Format,

    /// Only candles that open at this time or later
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,

    /// Only candles that open before this time
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,

    /// Write over files that exist
    #[arg(long)]
    overwrite: bool,

    #[command(flatten)]
    selection: Selection,
}

#[derive(Debug, Serialize)]
struct Written {
    file: String,
    series: String,
    rows: usize,
}

pub(crate) fn run(
    arguments: &Arguments,
    configuration: &Configuration,
    common: &CommonArguments,
) -> anyhow::Result<Outcome> {
    let store = Store::new(arguments.store.as_ref().unwrap_or(&configuration.store));
    let keys = arguments.selection.of(&store)?;
    let from = arguments.from.unwrap_or(Timestamp::MIN);
    let to = arguments.to.unwrap_or(Timestamp::MAX);
    let mut held = Vec::with_capacity(keys.len());
    for key in &keys {
        held.extend(store.manifest(key)?.and_then(|manifest| manifest.first.zip(manifest.last)));
    }
    ensure!(
        held.iter().any(|(first, last)| from < to && *first < to && from <= *last),
        "store {}: no candle of the selected series opens in the time of --from and --to; they reach from {} to {}",
        store.root().display(),
        held.iter().map(|(first, _)| first).min().copied().unwrap_or(from),
        held.iter().map(|(_, last)| last).max().copied().unwrap_or(to)
    );
    if arguments.out == Path::new("-") {
        ensure!(
            arguments.format == Format::Csv,
            "only CSV is written to stdout; give --out a directory for Parquet"
        );
        ensure!(!common.is_json(), "stdout holds the candles; leave --output-format json out");
        let mut out = BufWriter::new(std::io::stdout().lock());
        let mut write = || -> anyhow::Result<()> {
            writeln!(out, "{CSV_HEADER}")?;
            for key in &keys {
                write_csv_rows(&store.read_between(key, from, to)?, &mut out)?;
            }
            Ok(out.flush()?)
        };
        return match write() {
            // Whoever reads has enough: `| head`.
            Err(error) if is_broken_pipe(&error) => Ok(Outcome::Fine),
            Err(error) if error.is::<std::io::Error>() => Err(error.context("cannot write to stdout")),
            Err(error) => Err(error),
            Ok(()) => Ok(Outcome::Fine),
        };
    }
    // Of files that are asked for together, all are written or none.
    for path in keys.iter().map(|key| path_of(arguments, key)) {
        ensure!(
            arguments.overwrite || !path.exists(),
            "{}: the file exists; remove it, or give --overwrite",
            path.display()
        );
    }
    std::fs::create_dir_all(&arguments.out)
        .with_context(|| format!("{}: cannot create the directory", arguments.out.display()))?;
    let bar = common.progress().bar(keys.len() as u64, "export");
    let mut written = Vec::with_capacity(keys.len());
    for key in &keys {
        let series = store.read_between(key, from, to)?;
        written.push(write_one(arguments, &series)?);
        bar.advance(1);
    }
    bar.finish();
    if common.is_json() {
        print_json(&serde_json::json!({ "command": "export", "files": written }))?;
    } else {
        let mut table = Table::new(["file", "series", "candles"]);
        for one in &written {
            table.row([one.file.clone(), one.series.clone(), one.rows.to_string()]);
        }
        table.print()?;
    }
    Ok(Outcome::Fine)
}

/// Where a series goes, under a name that `import` understands without further words.
fn path_of(arguments: &Arguments, key: &SeriesKey) -> PathBuf {
    let ending = match arguments.format {
        Format::Csv => "csv",
        Format::Parquet => "parquet",
    };
    arguments.out.join(format!("{}.{ending}", key.file_stem()))
}

/// Writes one series beside its place and moves it there, so that no file ends in the middle.
fn write_one(arguments: &Arguments, series: &CandleSeries) -> anyhow::Result<Written> {
    let path = path_of(arguments, series.key());
    let beside = path.with_extension("part");
    let failed = || format!("{}: cannot write", path.display());
    let write = || -> anyhow::Result<()> {
        let mut file = File::create(&beside).with_context(failed)?;
        match arguments.format {
            Format::Csv => write_csv(series, BufWriter::new(file)).with_context(failed)?,
            Format::Parquet => write_parquet(series.columns(), &path, &mut file)?,
        }
        std::fs::rename(&beside, &path).with_context(failed)
    };
    let written = write();
    if written.is_err() {
        // Whatever is there is no candles; that it was not written is said.
        _ = std::fs::remove_file(&beside);
    }
    written?;
    Ok(Written { file: path.display().to_string(), series: series.key().to_string(), rows: series.len() })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
