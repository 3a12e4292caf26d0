//! Candles as environments see them, and the times that they are cut into.

use std::collections::BTreeMap;

use anyhow::bail;
use command_line::{CommonArguments, now_millis};
use market_data::{CandleSeries, SeriesKey, Timestamp};
use sim::SimError;
use sim::funding::{describe_funding, funding_name, funding_of};
use sim::policy::{PolicyInputs, SeriesFrame};
use supervised::{CandleSelection, CandleSource, Predictor, TimeRange};

use crate::Input;
use crate::configuration::Configuration;

/// Reads what the arguments name, with the funding that lies beside it.
pub(crate) fn read(
    input: &Input,
    configuration: &Configuration,
    predictor: &Predictor,
    common: &CommonArguments,
) -> anyhow::Result<CandleSource> {
    let timeframe = input.timeframe.unwrap_or(predictor.bundle().origin.timeframe);
    let selection = CandleSelection { timeframe: Some(timeframe), series: input.series.clone() };
    let spinner = common.progress().spinner("read");
    let now = now_millis().map(Timestamp::from_millis);
    let funding = |key: &SeriesKey| vec![funding_name(key)];
    let spec = &predictor.bundle().spec;
    let (candles, notes) =
        CandleSource::read(&input.data, &selection, &configuration.import, spec, now, &funding)?;
    spinner.finish();
    for note in notes {
        tracing::info!("{note}");
    }
    for (path, error) in &candles.refused {
        tracing::warn!(file = %path, "refused: {error}");
    }
    Ok(candles)
}

/// Refuses series that the environment cannot trade.
pub(crate) fn check(candles: &CandleSource, shorts: bool, remedy: &str) -> anyhow::Result<()> {
    let spot = candles.keys.iter().find(|key| key.venue.market() == market_data::Market::Spot);
    if let (Some(key), true) = (spot, shorts) {
        bail!("{key} is spot, which cannot be sold short; {remedy}");
    }
    Ok(())
}

/// The frames of all series of which the model says something, through it once.
pub(crate) fn frames(
    inputs: PolicyInputs,
    predictor: &Predictor,
    candles: &CandleSource,
    common: &CommonArguments,
) -> anyhow::Result<Vec<SeriesFrame>> {
    let spinner = common.progress().spinner("model");
    let funding =
        |series: &CandleSeries| -> Result<_, SimError> { Ok(funding_of(series, candles.exogenous())?.rates) };
    let frames = inputs.frames(predictor, candles, &funding)?;
    spinner.finish();
    for key in candles.keys.iter().filter(|key| frames.iter().all(|frame| frame.key != **key)) {
        tracing::warn!(
            "{key} is left out: the model says nothing of it, because it is shorter than its features need to begin"
        );
    }
    Ok(frames)
}

/// What there is to say of the funding of the series.
pub(crate) fn funding_note(candles: &CandleSource) -> anyhow::Result<Option<String>> {
    let mut covered = Vec::new();
    for series in candles.selected() {
        covered.push((series.key().symbol.to_string(), funding_of(series, candles.exogenous())?.covered));
    }
    Ok(describe_funding(&covered))
}

/// The parts of the frames that lie in the intervals, each with the rows of a window in front of it; parts in which nothing can be
/// decided are left out.
pub(crate) fn within(frames: &[SeriesFrame], intervals: &[TimeRange], window: usize) -> Vec<SeriesFrame> {
    let of = |frame: &SeriesFrame| {
        let cut = |interval: &TimeRange| frame.within(interval.from, interval.to, window);
        intervals.iter().filter_map(cut).collect::<Vec<_>>()
    };
    frames.iter().flat_map(of).collect()
}

/// The intervals of a part of the model's time.
pub(crate) fn part(predictor: &Predictor, name: &str) -> anyhow::Result<Vec<TimeRange>> {
    let intervals: &BTreeMap<String, Vec<TimeRange>> = &predictor.bundle().origin.intervals;
    match intervals.get(name) {
        Some(found) if !found.is_empty() => Ok(found.clone()),
        _ => bail!("the model has no {name} time; train it with a split that has one"),
    }
}
