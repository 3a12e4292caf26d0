//! `feature-builder build`

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, ensure};
use clap::Args;
use command_line::{CommonArguments, Outcome, Table, print_json};
use features::{FeatureFrame, FeaturePipeline, FeatureSpec, MaskedRows};
use market_data::SeriesKey;
use market_data::store::{TableColumn, write_columns, write_file};
use serde::Serialize;

use crate::configuration::Configuration;
use crate::input::{Input, Loaded};

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
        prepare(directory, &loaded, arguments.overwrite)?;
    }
    let mut built: Vec<Built> = Vec::with_capacity(loaded.selected.len());
    let bar = common.progress().bar(loaded.selected.len() as u64, "features");
    for key in &loaded.selected {
        let (series, outside) = loaded.get(key)?;
        let begun = Instant::now();
        let mut pipeline = FeaturePipeline::new(&loaded.spec, key.timeframe)?;
        let frame = pipeline.extend(series, outside).with_context(|| key.to_string())?;
        let seconds = begun.elapsed().as_secs_f64();
        warn_of_holes(key, &frame, &loaded);
        let file = match &arguments.out {
            Some(directory) => Some(write(directory, &frame)?),
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
            "{}: none of its {} candles has features; the specification warms up for {} candles without a gap: give a longer series, or leave out slow columns (`feature-builder columns` shows the warm-up of each)",
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

/// Makes the directory. Files of another specification that this run would leave there are refused: one
/// `features.toml` describes all.
fn prepare(directory: &std::path::Path, loaded: &Loaded, overwrite: bool) -> anyhow::Result<()> {
    let failed = || format!("{}: cannot create the directory", directory.display());
    // Of series that are asked for together, the features of all are written or of none.
    for path in loaded.selected.iter().map(|key| directory.join(file_name(key))) {
        ensure!(
            overwrite || !path.exists(),
            "{}: the file exists; remove it, or give --overwrite",
            path.display()
        );
    }
    std::fs::create_dir_all(directory).with_context(failed)?;
    let described = std::fs::read_to_string(directory.join("features.toml"));
    if described.is_err()
        || described.is_ok_and(|text| FeatureSpec::from_toml(&text).ok().as_ref() == Some(&loaded.spec))
    {
        return Ok(());
    }
    let own: Vec<String> = loaded.selected.iter().map(file_name).collect();
    for entry in std::fs::read_dir(directory).with_context(failed)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        ensure!(
            !name.ends_with(".parquet") || own.contains(&name),
            "{}: {name} holds features of another specification and would stay; remove it, or write to another directory",
            directory.display()
        );
    }
    Ok(())
}

fn file_name(key: &SeriesKey) -> String {
    format!("{}.parquet", key.file_stem())
}

/// Says where a value from outside is used long after it should have been renewed.
fn warn_of_holes(key: &SeriesKey, frame: &FeatureFrame, loaded: &Loaded) {
    let Some((first, last)) = frame.open_times().first().zip(frame.open_times().last()) else { return };
    for column in &loaded.spec.exogenous.columns {
        let name = column.series.replace("{symbol}", &key.symbol.exchange_id());
        let Some(series) = loaded.exogenous().iter().find(|series| series.name() == name) else { continue };
        let mut times: Vec<_> = series.known_at().iter().filter(|time| *time <= last).copied().collect();
        let mut usual: Vec<i64> = times.windows(2).map(|pair| pair[1].since(pair[0])).collect();
        usual.sort_unstable();
        let Some(&usual) = usual.get(usual.len() / 2) else { continue };
        times.push(*last);
        let hole = times.windows(2).filter(|pair| pair[1] > *first).max_by_key(|pair| pair[1].since(pair[0]));
        if let Some(hole) = hole.filter(|hole| hole[1].since(hole[0]) > 10 * usual.max(1))
            && column.max_age_hours.is_none()
        {
            tracing::warn!(
                "{key}: `{name}` tells nothing from {} to {}; rows of that time hold the old value; `max_age_hours` masks them",
                hole[0],
                hole[1]
            );
        }
    }
}

/// Writes the features of one series under its name.
fn write(directory: &std::path::Path, frame: &FeatureFrame) -> anyhow::Result<String> {
    let path = directory.join(file_name(frame.key()));
    let times = frame.open_times().iter().map(|time| time.as_millis()).collect();
    let valid = frame.valid().iter().map(|valid| i64::from(*valid)).collect();
    let mut columns =
        vec![("open_time", TableColumn::Integers(times)), ("valid", TableColumn::Integers(valid))];
    for (column, values) in frame.columns().iter().zip(frame.values()) {
        columns.push((&column.name, TableColumn::Numbers(values.to_vec())));
    }
    write_columns(&path, &columns)?;
    Ok(path.display().to_string())
}
