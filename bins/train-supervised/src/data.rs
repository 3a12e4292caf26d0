//! Candles, features and labels of a training or an evaluation.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use command_line::{CommonArguments, now_millis};
use features::FeatureSpec;
use labels::splits::TimeRange;
use market_data::import::{ImportOptions, gather_candles};
use market_data::store::Store;
use market_data::{CandleSeries, ExogenousSeries, SeriesKey, Timestamp};
use supervised::{CandleSource, FrameLogits, Periods};

use crate::Input;
use crate::configuration::Configuration;

/// Reads what the arguments name, and what the features need beside it.
pub(crate) fn read(
    input: &Input,
    options: &ImportOptions,
    spec: &FeatureSpec,
    common: &CommonArguments,
) -> anyhow::Result<CandleSource> {
    let asked_for = |key: &SeriesKey| {
        input.timeframe.is_none_or(|timeframe| timeframe == key.timeframe)
            && (input.series.is_empty() || input.series.contains(&key.to_string()))
    };
    // The reference symbol may be another one than is asked for.
    let wanted = |key: &SeriesKey| asked_for(key) || spec.cross_asset.enabled;
    let spinner = common.progress().spinner("read");
    let now = now_millis().map(Timestamp::from_millis);
    let mut gathered = gather_candles(&input.data, options, now, &wanted)?;
    spinner.finish();
    for note in &gathered.notes {
        tracing::info!("{note}");
    }
    for (path, error) in &gathered.refused {
        tracing::warn!(file = %path.display(), "refused: {error}");
    }
    gathered.require(&input.series)?;
    let keys: Vec<SeriesKey> =
        gathered.series.iter().map(CandleSeries::key).filter(|key| asked_for(key)).cloned().collect();
    let refused = gathered
        .refused
        .iter()
        .map(|(path, error)| (path.display().to_string(), error.to_string()))
        .collect();
    let outside: Vec<CandleSeries> = gathered.series.extract_if(.., |one| !asked_for(one.key())).collect();
    gathered.one_timeframe()?;
    gathered.series.extend(outside);
    read_stored_exogenous(&mut gathered.exogenous, input, &keys, spec)?;
    Ok(CandleSource::new(keys, gathered.series, gathered.exogenous, refused)?)
}

fn stores(input: &Input) -> impl Iterator<Item = Store> {
    input.data.iter().filter(|path| path.is_dir()).map(Store::new)
}

/// Reads the exogenous series that the features need from the stores.
fn read_stored_exogenous(
    exogenous: &mut Vec<ExogenousSeries>,
    input: &Input,
    keys: &[SeriesKey],
    spec: &FeatureSpec,
) -> anyhow::Result<()> {
    let wanted: Vec<String> = keys.iter().flat_map(|key| spec.exogenous_of(key)).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    for store in stores(input) {
        for name in store.exogenous_names()? {
            if wanted.contains(&name) && !exogenous.iter().any(|series| series.name() == name) {
                exogenous.push(store.read_exogenous(&name)?);
            }
        }
    }
    Ok(())
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
