//! From candles to labels.

use anyhow::Context;
use command_line::{CommonArguments, Outcome, now_millis};
use labels::splits::TimeRange;
use labels::{LabelTable, Labeler};
use market_data::import::{Gathered, gather_candles};
use market_data::store::write_columns;
use market_data::{CandleSeries, SeriesKey, Timestamp};

use crate::Work;
use crate::configuration::Configuration;
use crate::directory::Directory;
use crate::report::{Labelled, Report};

pub(crate) fn run(
    arguments: &Work,
    configuration: &Configuration,
    common: &CommonArguments,
) -> anyhow::Result<Outcome> {
    let labeler = configuration.read_labeler()?;
    let directory = Directory::prepare(&configuration.out)?;
    let (gathered, left_out) = gather(arguments, configuration, common)?;
    let timeframe = gathered.one_timeframe()?;
    let range = TimeRange::covering(&gathered.series).context("the series hold no candle")?;
    let plan = configuration.split.plan(range)?;
    directory.create()?;
    let bar = common.progress().bar(gathered.series.len() as u64, "label");
    let mut series = Vec::with_capacity(gathered.series.len());
    for candles in &gathered.series {
        series.push(label_one(&labeler, candles, &plan, &directory)?);
        bar.advance(1);
    }
    bar.finish();
    let report = Report::new(configuration, &labeler, timeframe, &gathered, &left_out, &plan, series);
    let files: Vec<&str> = report.series.iter().map(|series| series.file.as_str()).collect();
    directory.finish(&report.document()?, &files)?;
    report.print(common)?;
    let without = report.series.iter().any(|series| series.labels == 0);
    let untrained = report.series.iter().all(|series| series.train_labels() == 0);
    if untrained && !without {
        tracing::warn!(
            "no label may be trained on: every window reaches out of the training time; shorten the labeler's windows or the test"
        );
    }
    Ok(Outcome::finding_if(without || untrained || !gathered.refused.is_empty()))
}

fn label_one(
    labeler: &Labeler,
    candles: &CandleSeries,
    plan: &labels::splits::SplitPlan,
    directory: &Directory,
) -> anyhow::Result<Labelled> {
    let labels = labeler.label(candles)?;
    let file = format!("{}.parquet", candles.key().file_stem());
    write_columns(&directory.file(&file), &LabelTable::of(&labels).into_columns())?;
    Ok(Labelled::of(&labels, &plan.apply(&labels), file))
}

fn gather(
    arguments: &Work,
    configuration: &Configuration,
    common: &CommonArguments,
) -> anyhow::Result<(Gathered, Vec<SeriesKey>)> {
    let spinner = common.progress().spinner("read");
    let wanted = |key: &SeriesKey| {
        arguments.timeframe.is_none_or(|timeframe| timeframe == key.timeframe)
            && (arguments.series.is_empty() || arguments.series.contains(&key.to_string()))
    };
    let mut gathered = gather_candles(
        &arguments.data,
        &configuration.import,
        now_millis().map(Timestamp::from_millis),
        &wanted,
    )?;
    spinner.finish();
    for (path, error) in &gathered.refused {
        tracing::warn!(file = %path.display(), "refused: {error}");
    }
    gathered.require(&arguments.series)?;
    let left_out = configuration.max_symbols.map(|count| gathered.keep_longest(count as usize));
    Ok((gathered, left_out.unwrap_or_default()))
}
