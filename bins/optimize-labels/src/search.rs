//! From candles to thresholds.

use anyhow::{Context, bail};
use command_line::{CommonArguments, Outcome, now_millis};
use labels::splits::{SplitPlan, TimeRange, TrainCandles};
use labels::threshold_search::{
    CriticalValues, Histogram, SweepRow, ThresholdPair, ThresholdReport, search_threshold, sweep,
};
use labels::{AdaptiveThreshold, HorizonReturn, LabelError, Labeler, Threshold};
use market_data::import::{Gathered, gather_candles};
use market_data::{SeriesKey, Timestamp};

use crate::configuration::{Configuration, check_sum};
use crate::output::Outputs;
use crate::report::{LeftOut, Report, Tried};
use crate::{Search, figure};

/// Thresholds of the sweep: those that give these shares of Hold.
const HOLD_SHARES: [f64; 19] =
    [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95];
const HISTOGRAM_BINS: usize = 80;

pub(crate) fn run(
    arguments: &Search,
    configuration: &Configuration,
    common: &CommonArguments,
) -> anyhow::Result<Outcome> {
    check_sum(configuration.target).map_err(|problem| anyhow::anyhow!("`target`: {problem}"))?;
    let labelers = configuration.labelers();
    for labeler in &labelers {
        configuration.goal(labeler).validate()?;
        labeler.validate().with_context(|| {
            let name = labeler.name();
            if matches!(labeler, Labeler::TrendScanning(_)) {
                return format!(
                    "labeler {name}: its windows go from `trend_scanning.minimum_window` = {} to the horizon of {} candles and \
                     the candle itself; change one of them, or choose another --labeler",
                    configuration.trend_scanning.minimum_window, configuration.horizon
                );
            }
            format!("labeler {name}")
        })?;
    }
    // Before the work: who is told only afterwards has waited for nothing.
    let outputs = Outputs::prepare(configuration)?;
    let (gathered, left_out) = gather(arguments, configuration, common)?;
    let timeframe = gathered.one_timeframe()?;
    let range = TimeRange::covering(&gathered.series).context("the series hold no candle")?;
    let plan = configuration.split.plan(range)?;
    let candles: Vec<TrainCandles<'_>> =
        gathered.series.iter().map(|series| plan.train_candles(series)).collect();
    outputs.create_directories()?;
    let bar = common.progress().bar(labelers.len() as u64, "search");
    let mut tried = Vec::with_capacity(labelers.len());
    for labeler in &labelers {
        bar.set_label(labeler.name());
        tried.push(try_labeler(labeler, &candles, configuration)?);
        bar.advance(1);
    }
    bar.finish();
    let report = Report::new(configuration, timeframe, &gathered, left_out, &plan, tried, &outputs);
    outputs.write(&report.document()?, &figure::draw(&report))?;
    report.print(common)?;
    if let Some(broken) = report.labelers.iter().find(|tried| tried.failed) {
        bail!("{}: {}", broken.name, broken.problem.as_deref().unwrap_or("it failed"));
    }
    Ok(Outcome::finding_if(
        !gathered.refused.is_empty() || report.labelers.iter().any(|tried| !tried.reached),
    ))
}

fn gather(
    arguments: &Search,
    configuration: &Configuration,
    common: &CommonArguments,
) -> anyhow::Result<(Gathered, Vec<LeftOut>)> {
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
    let mut left_out = Vec::new();
    if let Some(count) = configuration.max_symbols {
        let lengths: Vec<(String, usize)> =
            gathered.series.iter().map(|series| (series.key().to_string(), series.len())).collect();
        let keys = gathered.keep_longest(count as usize);
        left_out.extend(keys.into_iter().map(|key| {
            let series = key.to_string();
            let candles = lengths.iter().find(|(name, _)| *name == series).map_or(0, |(_, len)| *len);
            LeftOut { series, candles }
        }));
    }
    Ok((gathered, left_out))
}

fn try_labeler(
    labeler: &Labeler,
    candles: &[TrainCandles<'_>],
    configuration: &Configuration,
) -> anyhow::Result<Tried> {
    let values = CriticalValues::of(labeler, candles)?;
    let histogram = CriticalValues::of(&unbounded(labeler), candles)?.histogram(HISTOGRAM_BINS);
    let goal = configuration.goal(labeler);
    Ok(match search_threshold(labeler, candles, &goal) {
        Ok(found) => {
            let rows = sweep_of(labeler, &values, candles, configuration)?;
            Tried::found(found, configuration.tolerance, histogram, rows)
        }
        // The search was done, and the market has no such threshold: a finding.
        Err(error @ LabelError::TargetUnreachable { .. }) => {
            let rows = sweep_of(labeler, &values, candles, configuration)?;
            Tried::unreachable(labeler.name(), error.to_string(), histogram, rows)
        }
        Err(error) => Tried::failed(labeler.name(), error.to_string(), empty(&histogram)),
    })
}

/// The same without the bounds of an adaptive threshold: beside them returns have no critical value of their own.
fn unbounded(labeler: &Labeler) -> Labeler {
    match *labeler {
        Labeler::HorizonReturn(HorizonReturn { horizon, threshold: Threshold::Adaptive(adaptive) }) => {
            let threshold =
                Threshold::Adaptive(AdaptiveThreshold { minimum: 0.0, maximum: f64::MAX, ..adaptive });
            Labeler::HorizonReturn(HorizonReturn { horizon, threshold })
        }
        other => other,
    }
}

/// The histogram of no value says nothing.
fn empty(histogram: &Histogram) -> Histogram {
    Histogram { counts: Vec::new(), ..histogram.clone() }
}

/// The classes at thresholds across their range, each for both sides.
fn sweep_of(
    labeler: &Labeler,
    values: &CriticalValues,
    candles: &[TrainCandles<'_>],
    configuration: &Configuration,
) -> anyhow::Result<Vec<SweepRow>> {
    let target = configuration.target;
    let mut thresholds = values.hold_thresholds(&HOLD_SHARES);
    thresholds.dedup();
    if values.has_sides() {
        let pairs: Vec<ThresholdPair> =
            thresholds.iter().map(|&at| ThresholdPair { sell: at, buy: at }).collect();
        return Ok(sweep(values, &pairs, target)?);
    }
    let Labeler::TripleBarrier(barrier) = labeler else { return Ok(Vec::new()) };
    let row = |&at: &f64| {
        let labeler =
            Labeler::TripleBarrier(labels::TripleBarrier { take_profit: at, stop_loss: at, ..*barrier });
        Ok(SweepRow::of(&ThresholdReport::measure(labeler, target, candles)?, at))
    };
    thresholds.iter().filter(|at| **at > 0.0).map(row).collect()
}

/// What of `plan` is searched and what is not.
pub(crate) fn spans(plan: &SplitPlan) -> (Vec<String>, Vec<String>) {
    let shown = |ranges: &[TimeRange]| ranges.iter().map(ToString::to_string).collect();
    (shown(plan.train()), shown(plan.test()))
}
