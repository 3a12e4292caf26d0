//! Candles as environments see them, and the times that they are cut into.

use std::collections::BTreeMap;

use anyhow::bail;
use command_line::{CommonArguments, now_millis};
use market_data::{CandleSeries, SeriesKey, Timestamp};
use sim::SimError;
use sim::funding::{funding_name, funding_of};
use sim::market_environment::MarketFrame;
use sim::policy::PolicyInputs;
use supervised::{CandleSelection, CandleSource, Interval, Predictor};

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
    let spot = candles.keys.iter().find(|key| key.venue.market() == market_data::Market::Spot);
    if let (Some(key), true) = (spot, configuration.policy.environment.shorts) {
        bail!(
            "{key} is spot, which cannot be sold short; set `policy.environment.shorts = false` (and `policy.environment.costs.taker_fee` \
             to the fee there)"
        );
    }
    Ok(candles)
}

/// The frames of all series, through the model once.
pub(crate) fn frames(
    inputs: PolicyInputs,
    predictor: &Predictor,
    candles: &CandleSource,
    common: &CommonArguments,
) -> anyhow::Result<Vec<MarketFrame>> {
    let spinner = common.progress().spinner("model");
    let funding =
        |series: &CandleSeries| -> Result<_, SimError> { Ok(funding_of(series, candles.exogenous())?.rates) };
    let frames = inputs.frames(predictor, candles, &funding)?;
    spinner.finish();
    Ok(frames)
}

/// The parts of the frames that lie in the intervals, each with the rows of a window in front of it; parts without a candle to
/// trade are left out.
pub(crate) fn within(frames: &[MarketFrame], intervals: &[Interval], window: usize) -> Vec<MarketFrame> {
    let of = |frame: &MarketFrame| {
        let cut = |interval: &Interval| {
            frame.between(interval.from.as_millis(), interval.to.as_millis(), window.saturating_sub(1))
        };
        intervals.iter().map(cut).collect::<Vec<_>>()
    };
    let tradable = |frame: &MarketFrame| frame.valid.iter().filter(|valid| **valid).count() > window;
    frames.iter().flat_map(of).filter(tradable).collect()
}

/// The intervals of a part of the model's time.
pub(crate) fn part(predictor: &Predictor, name: &str) -> anyhow::Result<Vec<Interval>> {
    let intervals: &BTreeMap<String, Vec<Interval>> = &predictor.bundle().origin.intervals;
    match intervals.get(name) {
        Some(found) if !found.is_empty() => Ok(found.clone()),
        _ => bail!("the model has no {name} time; train it with a split that has one"),
    }
}
