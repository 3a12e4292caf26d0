//! Candles, features and labels of a training or an evaluation.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use command_line::{CommonArguments, now_millis};
use features::{FeatureFrame, FeatureSpec, Outside};
use labels::splits::{LastDays, SplitPlan, TimeRange};
use labels::threshold_search::search_threshold;
use labels::{LabelSeries, Labeler};
use market_data::import::{ImportOptions, gather_candles};
use market_data::store::Store;
use market_data::{CandleSeries, ExogenousSeries, SeriesKey, Timeframe, Timestamp};
use rayon::prelude::*;
use supervised::dataset::{Dataset, DatasetSeries, LabelledFrame};
use supervised::{FrameLogits, Interval};

use crate::Input;
use crate::configuration::{Configuration, LabelSection};

/// Everything that was read.
pub(crate) struct Candles {
    pub(crate) timeframe: Timeframe,
    /// The series to work on, in order of their keys.
    pub(crate) keys: Vec<SeriesKey>,
    /// Files that were refused, and why.
    pub(crate) refused: Vec<(String, String)>,
    series: BTreeMap<SeriesKey, CandleSeries>,
    exogenous: Vec<ExogenousSeries>,
    stores: Vec<Store>,
}

/// Training, validation and test time.
#[derive(Clone, Debug)]
pub(crate) struct Periods {
    /// Its training intervals are learned from, its test intervals are the validation.
    pub(crate) inner: SplitPlan,
    /// Its test intervals are the test.
    pub(crate) outer: SplitPlan,
}

impl Candles {
    /// Reads what the arguments name, and what the features need beside it.
    pub(crate) fn read(
        input: &Input,
        options: &ImportOptions,
        spec: &FeatureSpec,
        common: &CommonArguments,
    ) -> anyhow::Result<Self> {
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
        let timeframe = {
            let outside: Vec<CandleSeries> =
                gathered.series.extract_if(.., |one| !asked_for(one.key())).collect();
            let timeframe = gathered.one_timeframe()?;
            gathered.series.extend(outside);
            timeframe
        };
        let series = gathered.series.into_iter().map(|series| (series.key().clone(), series)).collect();
        let stores: Vec<Store> = input.data.iter().filter(|path| path.is_dir()).map(Store::new).collect();
        let mut candles = Self { timeframe, keys, refused, series, exogenous: gathered.exogenous, stores };
        candles.read_stored_exogenous(spec)?;
        Ok(candles)
    }

    /// Reads the exogenous series that the features need from the stores.
    fn read_stored_exogenous(&mut self, spec: &FeatureSpec) -> anyhow::Result<()> {
        let wanted: Vec<String> = self.keys.iter().flat_map(|key| spec.exogenous_of(key)).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        for store in &self.stores {
            for name in store.exogenous_names()? {
                if wanted.contains(&name) && !self.exogenous.iter().any(|series| series.name() == name) {
                    self.exogenous.push(store.read_exogenous(&name)?);
                }
            }
        }
        Ok(())
    }

    /// The candles of the series to work on.
    pub(crate) fn selected(&self) -> impl Iterator<Item = &CandleSeries> {
        self.keys.iter().filter_map(|key| self.series.get(key))
    }

    /// All of their time.
    pub(crate) fn range(&self) -> anyhow::Result<TimeRange> {
        TimeRange::covering(self.selected()).context("the series hold no candle")
    }

    /// A hash of the candles and of what the features take from outside.
    pub(crate) fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (key, series) in &self.series {
            hasher.update(key.to_string().as_bytes());
            hasher.update(series.columns().content_hash().as_bytes());
        }
        for series in &self.exogenous {
            hasher.update(series.name().as_bytes());
            hasher.update(series.content_hash().as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }

    /// The features of one series.
    pub(crate) fn frame(&self, key: &SeriesKey, spec: &FeatureSpec) -> anyhow::Result<FeatureFrame> {
        let series = self.series.get(key).with_context(|| format!("{key} was not read"))?;
        let mut outside = Outside { reference: None, exogenous: &self.exogenous };
        if let Some(reference) = spec.reference_of(key)? {
            outside.reference = Some(self.series.get(&reference).with_context(|| {
                format!("the features of {key} need {reference}, which was not given; give it with --data, or set `features.cross_asset.enabled = false`")
            })?);
        }
        spec.frame(series, outside).with_context(|| key.to_string())
    }

    /// The logarithms of the best possible probabilities of the rows that `found` has, from the exogenous series that a
    /// synthetic market has beside its candles.
    pub(crate) fn optimum(&self, key: &SeriesKey, found: &FrameLogits) -> anyhow::Result<FrameLogits> {
        let name = format!("bayes_{}_{}", key.symbol.exchange_id(), key.timeframe);
        let missing = || {
            format!(
                "there is no series `{name}`; --optimum needs a store that `data-loader generate --model planted` made"
            )
        };
        let best =
            self.stores.iter().find_map(|store| store.read_exogenous(&name).ok()).with_context(missing)?;
        let series = self.series.get(key).with_context(|| format!("{key} was not read"))?;
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

    /// The labels of one series.
    pub(crate) fn labels(&self, key: &SeriesKey, labeler: &Labeler) -> anyhow::Result<LabelSeries> {
        let series = self.series.get(key).with_context(|| format!("{key} was not read"))?;
        labeler.label(series).with_context(|| key.to_string())
    }

    /// Features and labels of all series, on all threads.
    pub(crate) fn labelled(
        &self,
        spec: &FeatureSpec,
        labeler: &Labeler,
    ) -> anyhow::Result<Vec<LabelledFrame>> {
        let of = |key: &SeriesKey| {
            anyhow::Ok(LabelledFrame { frame: self.frame(key, spec)?, labels: self.labels(key, labeler)? })
        };
        self.keys.par_iter().map(of).collect()
    }

    /// As [`Self::labelled`], of the series of a dataset.
    pub(crate) fn labelled_as(
        &self,
        dataset: &Dataset,
        spec: &FeatureSpec,
        labeler: &Labeler,
    ) -> anyhow::Result<Vec<LabelledFrame>> {
        let of = |series: &DatasetSeries| {
            let key = series.key();
            anyhow::Ok(LabelledFrame { frame: self.frame(key, spec)?, labels: self.labels(key, labeler)? })
        };
        dataset.series().par_iter().map(of).collect()
    }

    /// The labeler with thresholds that were found on the training time.
    pub(crate) fn search_labeler(&self, labels: &LabelSection, plan: &SplitPlan) -> anyhow::Result<Labeler> {
        labels.goal().validate().context("section `labels`")?;
        let unfitted = labels.unfitted();
        unfitted.validate().context("section `labels`")?;
        let candles: Vec<_> = self.selected().map(|series| plan.train_candles(series)).collect();
        let found = search_threshold(&unfitted, &candles, &labels.goal())
            .context("searching the thresholds of the labels on the training time")?;
        Ok(found.labeler)
    }
}

impl Periods {
    /// Divides the time of the candles.
    pub(crate) fn of(configuration: &Configuration, range: TimeRange) -> anyhow::Result<Self> {
        let outer = configuration.split.plan(range)?;
        let &[learned] = outer.train() else {
            anyhow::bail!(
                "section `split`: its training time is in {} pieces, and must be one",
                outer.train().len()
            );
        };
        let validation_days = configuration.validation_days;
        let plans = LastDays { validation_days }.plan(learned).with_context(|| {
            format!("`validation_days` = {validation_days}, taken from the training time {learned}")
        })?;
        let inner = plans.into_iter().next().context("the validation leaves no training time")?;
        Ok(Self { inner, outer })
    }

    /// The intervals by the name of their part.
    pub(crate) fn intervals(&self) -> BTreeMap<String, Vec<Interval>> {
        let shown = |ranges: &[TimeRange]| ranges.iter().copied().map(Interval::from).collect();
        BTreeMap::from([
            ("training".to_owned(), shown(self.inner.train())),
            ("validation".to_owned(), shown(self.inner.test())),
            ("test".to_owned(), shown(self.outer.test())),
        ])
    }
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
