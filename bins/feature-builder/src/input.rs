//! Where candles and what lies outside them come from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use command_line::{CommonArguments, now_millis};
use features::{FeatureSpec, Outside};
use market_data::import::{ImportOptions, gather_candles};
use market_data::{CandleSeries, ExogenousSeries, SeriesKey, Timeframe, Timestamp};

use crate::configuration::Configuration;

#[derive(Args, Clone, Debug, Default)]
#[command(about = None, long_about = None)]
pub(crate) struct Input {
    /// Stores or files with candles, and files with exogenous values [default: the configured store]
    #[arg(long, num_args = 1.., value_name = "PATH")]
    data: Vec<PathBuf>,

    /// Only series of this symbol, in any spelling
    #[arg(long, value_name = "SYMBOL")]
    symbol: Option<String>,

    /// Only series of this timeframe
    #[arg(long, value_name = "TIMEFRAME")]
    timeframe: Option<Timeframe>,

    /// Only this series, as `data-loader inspect` names it ("bybit-linear BTC/USDT:USDT 5m"); repeatable
    #[arg(long, value_name = "NAME")]
    series: Vec<String>,

    /// TOML file with a feature specification, instead of the configuration's `[features]`
    #[arg(long, value_name = "FILE")]
    spec: Option<PathBuf>,
}

/// Everything that was read.
pub(crate) struct Loaded {
    pub(crate) spec: FeatureSpec,
    /// The series to work on, in order of their keys.
    pub(crate) selected: Vec<SeriesKey>,
    /// Files that were refused, and why.
    pub(crate) refused: Vec<(String, String)>,
    series: BTreeMap<SeriesKey, CandleSeries>,
    exogenous: Vec<ExogenousSeries>,
}

impl Input {
    /// The specification.
    pub(crate) fn spec(&self, configuration: &Configuration) -> anyhow::Result<FeatureSpec> {
        let Some(path) = &self.spec else { return Ok(configuration.features.clone()) };
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{}: cannot read", path.display()))?;
        // A file may be a specification alone, as `build` writes it, or hold it in `[features]`, as the settings do.
        let table: toml::Table = text.parse().with_context(|| path.display().to_string())?;
        let spec = match table.get("features") {
            Some(features) if table.len() == 1 => toml::to_string(features)?,
            _ => text,
        };
        FeatureSpec::from_toml(&spec).with_context(|| path.display().to_string())
    }

    /// Reads everything that is named.
    pub(crate) fn load(
        &self,
        configuration: &Configuration,
        common: &CommonArguments,
    ) -> anyhow::Result<Loaded> {
        let spec = self.spec(configuration)?;
        let paths = if self.data.is_empty() { vec![configuration.store.clone()] } else { self.data.clone() };
        // The reference symbol may be another one than is asked for.
        let wanted = |key: &SeriesKey| spec.cross_asset.enabled || self.matches(key);
        let spinner = common.progress().spinner("read");
        let mut gathered = gather_candles(
            &paths,
            &ImportOptions::default(),
            now_millis().map(Timestamp::from_millis),
            &wanted,
        )?;
        spinner.finish();
        gathered.require(&self.series)?;
        for note in &gathered.notes {
            tracing::info!("{note}");
        }
        let selected = gathered.series.iter().map(CandleSeries::key).filter(|key| self.matches(key));
        let names: BTreeSet<String> = selected.flat_map(|key| spec.exogenous_of(key)).collect();
        gathered.add_exogenous(&paths, &names.into_iter().collect::<Vec<_>>())?;
        let refused =
            gathered.refused.into_iter().map(|(path, error)| (path.display().to_string(), error.to_string()));
        let series: BTreeMap<SeriesKey, CandleSeries> =
            gathered.series.into_iter().map(|series| (series.key().clone(), series)).collect();
        let selected: Vec<SeriesKey> = series.keys().filter(|key| self.matches(key)).cloned().collect();
        let loaded =
            Loaded { spec, selected, refused: refused.collect(), series, exogenous: gathered.exogenous };
        for (path, error) in &loaded.refused {
            // The error itself names the file.
            tracing::error!("{error}");
            if error.contains("--accept") {
                tracing::error!(
                    "{path}: import it with `data-loader import --accept …` and give the store with --data"
                );
            }
        }
        if loaded.selected.is_empty() {
            let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            bail!(
                "{}: no sound candle series to work on{}; list what there is with `data-loader inspect`",
                paths.join(", "),
                if self.symbol.is_some() || self.timeframe.is_some() {
                    " of the --symbol and --timeframe asked for"
                } else {
                    ""
                }
            );
        }
        Ok(loaded)
    }

    fn matches(&self, key: &SeriesKey) -> bool {
        (self.series.is_empty() || self.series.contains(&key.to_string()))
            && self.symbol.as_ref().is_none_or(|text| key.is_of(text))
            && self.timeframe.is_none_or(|timeframe| timeframe == key.timeframe)
    }
}

impl Loaded {
    /// The series from outside the market that were read.
    pub(crate) fn exogenous(&self) -> &[ExogenousSeries] {
        &self.exogenous
    }

    /// The candles of a series, and what its features need beside them.
    pub(crate) fn get(&self, key: &SeriesKey) -> anyhow::Result<(&CandleSeries, Outside<'_>)> {
        let series = self.series.get(key).with_context(|| format!("{key} was not read"))?;
        let mut outside = Outside { reference: None, exogenous: &self.exogenous };
        if let Some(reference) = self.spec.reference_of(key)? {
            outside.reference = Some(self.series.get(&reference).with_context(|| {
                format!("the features of {key} need {reference}, which was not given; give it with --data, or set `cross_asset.enabled = false`")
            })?);
        }
        Ok((series, outside))
    }
}
