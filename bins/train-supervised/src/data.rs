//! Candles, features and labels of a training or an evaluation.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use command_line::{CommonArguments, now_millis};
use features::FeatureSpec;
use labels::splits::TimeRange;
use market_data::import::ImportOptions;
use market_data::store::Store;
use market_data::{SeriesKey, Timestamp};
use supervised::{CandleSelection, CandleSource, FrameLogits, Periods};

use crate::Input;
use crate::configuration::Configuration;

/// Reads what the arguments name, and what the features need beside it.
pub(crate) fn read(
    input: &Input,
    options: &ImportOptions,
    spec: &FeatureSpec,
    common: &CommonArguments,
) -> anyhow::Result<CandleSource> {
    let selection = CandleSelection { timeframe: input.timeframe, series: input.series.clone() };
    let spinner = common.progress().spinner("read");
    let now = now_millis().map(Timestamp::from_millis);
    let (candles, notes) = CandleSource::read(&input.data, &selection, options, spec, now, &|_| Vec::new())?;
    spinner.finish();
    for note in notes {
        tracing::info!("{note}");
    }
    for (path, error) in &candles.refused {
        tracing::warn!(file = %path, "refused: {error}");
    }
    Ok(candles)
}

fn stores(input: &Input) -> impl Iterator<Item = Store> {
    input.data.iter().filter(|path| path.is_dir()).map(Store::new)
}

/// The logarithms of the best possible probabilities of the rows that `found` has, from the exogenous series that a synthetic
/// market has beside its candles.
pub(crate) fn optimum(
    input: &Input,
    candles: &CandleSource,
    key: &SeriesKey,
    found: &FrameLogits,
) -> anyhow::Result<FrameLogits> {
    let name = format!("bayes_{}_{}", key.symbol.exchange_id(), key.timeframe);
    let missing = || {
        format!(
            "there is no series `{name}`; --optimum needs a store that `data-loader generate --model planted` made"
        )
    };
    let best = stores(input).find_map(|store| store.read_exogenous(&name).ok()).with_context(missing)?;
    let series = candles.candles(key)?;
    let field = |name: &str| best.column(name).with_context(missing);
    let fields = [field("sell")?, field("hold")?, field("buy")?];
    let mut optimum = FrameLogits { key: key.clone(), rows: Vec::new(), logits: Vec::new() };
    for row in &found.rows {
        let close = series.close_time(*row);
        if let Ok(at) = best.known_at().binary_search(&close) {
            optimum.rows.push(*row);
            optimum.logits.push(fields.map(|field| field[at].ln() as f32));
        }
    }
    Ok(optimum)
}

/// Divides the time of the candles as the settings say.
pub(crate) fn periods(configuration: &Configuration, range: TimeRange) -> anyhow::Result<Periods> {
    let outer = configuration.split.plan(range)?;
    let validation_days = configuration.validation_days;
    let learned = outer.train().first().copied().context("section `split`: it leaves no training time")?;
    Periods::new(outer, validation_days).with_context(|| {
        format!("`validation_days` = {validation_days}, taken from the training time {learned}")
    })
}

/// Which file of specification, or the configuration's own.
pub(crate) fn specification(path: Option<&PathBuf>, configured: &FeatureSpec) -> anyhow::Result<FeatureSpec> {
    let Some(path) = path else { return Ok(configured.clone()) };
    let text = std::fs::read_to_string(path).with_context(|| format!("{}: cannot read", path.display()))?;
    ensure!(!text.trim().is_empty(), "{}: the file is empty", path.display());
    // A file may be a specification alone, as a bundle holds it, or hold it in `[features]`, as the settings do.
    let table: toml::Table = text.parse().with_context(|| path.display().to_string())?;
    let spec = match table.get("features") {
        Some(features) if table.len() == 1 => toml::to_string(features)?,
        _ => text,
    };
    FeatureSpec::from_toml(&spec).with_context(|| path.display().to_string())
}
