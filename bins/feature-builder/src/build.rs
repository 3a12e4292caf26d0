//! `feature-builder build`

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, ensure};
use clap::Args;
use command_line::{CommonArguments, Outcome, Table, print_json};
use features::{FeatureFrame, FeaturePipeline, MaskedRows};
use market_data::SeriesKey;
use market_data::store::{TableColumn, write_columns, write_file};
use serde::Serialize;

use crate::configuration::Configuration;
use crate::input::Input;

#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    input: Input,

    /// Directory to write to: a Parquet file per series and `features.toml`; without it the features are
    /// computed and counted only
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Write over files that exist
    #[arg(long, requires = "out")]
    overwrite: bool,
}

/// The features of one series.
#[derive(Debug, Serialize)]
struct Built {
    series: SeriesKey,
    candles: usize,
    /// Rows that may be used.
    rows: usize,
    masked: MaskedRows,
    columns: usize,
    feature_hash: String,
    /// Candles that a run needs before its first row.
    warm_up: usize,
    seconds: f64,
    file: Option<String>,
}

pub(crate) fn run(
    arguments: &Arguments,
    configuration: &Configuration,
    common: &CommonArguments,
) -> anyhow::Result<Outcome> {
    let loaded = arguments.input.load(configuration, common)?;
    if let Some(directory) = &arguments.out {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("{}: cannot create the directory", directory.display()))?;
    }
    let mut built: Vec<Built> = Vec::with_capacity(loaded.selected.len());
    let bar = common.progress().bar(loaded.selected.len() as u64, "features");
    for key in &loaded.selected {
        let (series, outside) = loaded.get(key)?;
        let begun = Instant::now();
        let mut pipeline = FeaturePipeline::new(&loaded.spec, key.timeframe)?;
        let frame = pipeline.extend(series, outside).with_context(|| key.to_string())?;
        let seconds = begun.elapsed().as_secs_f64();
        let file = match &arguments.out {
            Some(directory) => Some(write(arguments, directory, &frame)?),
            None => None,
        };
        built.push(Built {
            series: key.clone(),
            candles: frame.len(),
            rows: frame.valid_rows(),
            masked: frame.masked().clone(),
            columns: frame.columns().len(),
            feature_hash: frame.hash().to_owned(),
            warm_up: pipeline.warm_up(),
            seconds,
            file,
        });
        bar.advance(1);
    }
    bar.finish();
    if let Some(directory) = &arguments.out {
        let path = directory.join("features.toml");
        write_file(&path, loaded.spec.to_toml()?.as_bytes())?;
    }
    if common.is_json() {
        print_json(&serde_json::json!({ "command": "build", "series": built, "refused": loaded.refused }))?;
    } else {
        print(&built)?;
    }
    for one in built.iter().filter(|one| one.rows == 0) {
        tracing::warn!(
            "{}: none of its {} candles has features; the specification warms up for {} candles without a gap",
            one.series,
            one.candles,
            one.warm_up
        );
    }
    let refused = !loaded.refused.is_empty();
    Ok(Outcome::finding_if(refused || built.iter().any(|one| one.rows == 0 || one.masked.faulty > 0)))
}

fn print(built: &[Built]) -> anyhow::Result<()> {
    let mut table =
        Table::new(["series", "candles", "rows", "warm-up", "waiting", "faulty", "columns", "seconds"]);
    for one in built {
        table.row([
            one.series.to_string(),
            one.candles.to_string(),
            one.rows.to_string(),
            one.masked.warm_up.to_string(),
            one.masked.waiting.to_string(),
            one.masked.faulty.to_string(),
            one.columns.to_string(),
            format!("{:.3}", one.seconds),
        ]);
    }
    table.print()
}

/// Writes the features of one series under its name.
fn write(arguments: &Arguments, directory: &std::path::Path, frame: &FeatureFrame) -> anyhow::Result<String> {
    let key = frame.key();
    let name = format!("{}_{}_{}.parquet", key.venue, key.symbol.exchange_id(), key.timeframe);
    let path = directory.join(name);
    ensure!(
        arguments.overwrite || !path.exists(),
        "{}: the file exists; remove it, or give --overwrite",
        path.display()
    );
    let times = frame.open_times().iter().map(|time| time.as_millis()).collect();
    let valid = frame.valid().iter().map(|valid| i64::from(*valid)).collect();
    let mut columns =
        vec![("timestamp", TableColumn::Integers(times)), ("valid", TableColumn::Integers(valid))];
    for (column, values) in frame.columns().iter().zip(frame.values()) {
        columns.push((&column.name, TableColumn::Numbers(values.to_vec())));
    }
    write_columns(&path, &columns)?;
    Ok(path.display().to_string())
}
