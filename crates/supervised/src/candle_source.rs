//! The candles that a model is trained or run on, and what is computed from them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use features::{FeatureFrame, FeatureSpec, Outside};
use labels::splits::{SplitPlan, TimeRange};
use labels::threshold_search::{Goal, search_threshold};
use labels::{LabelSeries, Labeler};
use market_data::import::{ImportOptions, gather_candles};
use market_data::{CandleSeries, ExogenousSeries, SeriesKey, Timeframe, Timestamp};
use rayon::prelude::*;

use crate::dataset::{Dataset, DatasetSeries, LabelledFrame};
use crate::error::SupervisedError;

/// Candles of several series, what the features take from outside, and nothing else: features and labels are computed when
/// they are asked for, because those of all series are larger than the candles by far.
#[derive(Clone, Debug)]
pub struct CandleSource {
    /// Of all series to work on.
    pub timeframe: Timeframe,
    /// The series to work on, in order of their keys.
    pub keys: Vec<SeriesKey>,
    /// Files that were given and refused, and why; for reports.
    pub refused: Vec<(String, String)>,
    series: BTreeMap<SeriesKey, CandleSeries>,
    exogenous: Vec<ExogenousSeries>,
}

/// Which of the series that files and stores hold are worked on.
#[derive(Clone, Debug, Default)]
pub struct CandleSelection {
    /// Series of this timeframe alone.
    pub timeframe: Option<Timeframe>,
    /// These series alone, as their keys are written; all where there is none.
    pub series: Vec<String>,
}

impl CandleSelection {
    /// Whether a series is worked on.
    #[must_use]
    pub fn takes(&self, key: &SeriesKey) -> bool {
        self.timeframe.is_none_or(|timeframe| timeframe == key.timeframe)
            && (self.series.is_empty() || self.series.contains(&key.to_string()))
    }
}

impl CandleSource {
    /// Reads files, directories, patterns and stores: the series of the selection, the references that their features need, the
    /// exogenous series of all files, and from stores those that the features need or `exogenous` names. Gives what was assumed or
    /// left out, too. `now` is the present, where it is known: candles after it are refused.
    ///
    /// # Errors
    /// [`SupervisedError::MarketData`] for what cannot be read; [`SupervisedError::Data`] as [`Self::new`].
    pub fn read(
        paths: &[PathBuf],
        selection: &CandleSelection,
        options: &ImportOptions,
        spec: &FeatureSpec,
        now: Option<Timestamp>,
        exogenous: &dyn Fn(&SeriesKey) -> Vec<String>,
    ) -> Result<(Self, Vec<String>), SupervisedError> {
        // The reference symbol may be another one than is asked for.
        let wanted = |key: &SeriesKey| selection.takes(key) || spec.cross_asset.enabled;
        let mut gathered = gather_candles(paths, options, now, &wanted)?;
        gathered.require(&selection.series).map_err(|error| {
            let refused: Vec<String> = gathered
                .refused
                .iter()
                .map(|(path, error)| format!("{} was refused: {error}", path.display()))
                .collect();
            match refused.is_empty() {
                true => error.into(),
                false => SupervisedError::data("the candles", format!("{error}; {}", refused.join("; "))),
            }
        })?;
        let keys: Vec<SeriesKey> = gathered
            .series
            .iter()
            .map(CandleSeries::key)
            .filter(|key| selection.takes(key))
            .cloned()
            .collect();
        let outside: Vec<CandleSeries> =
            gathered.series.extract_if(.., |one| !selection.takes(one.key())).collect();
        gathered.one_timeframe()?;
        gathered.series.extend(outside);
        let of_key = |key: &SeriesKey| spec.exogenous_of(key).into_iter().chain(exogenous(key));
        let names: Vec<String> = keys.iter().flat_map(of_key).collect();
        let names: BTreeSet<String> = names.into_iter().collect();
        gathered.add_exogenous(paths, &names.into_iter().collect::<Vec<_>>())?;
        let refused = gathered.refused.iter();
        let refused = refused.map(|(path, error)| (path.display().to_string(), error.to_string())).collect();
        Ok((Self::new(keys, gathered.series, gathered.exogenous, refused)?, gathered.notes))
    }

    /// The candles before a time, without the series that have none there.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] where no series has a candle before it.
    pub fn until(&self, to: Timestamp) -> Result<Self, SupervisedError> {
        let before = Timestamp::from_millis(i64::MIN);
        let cut = self.series.values().map(|series| series.between(before, to));
        let series: Vec<CandleSeries> = cut.filter(|series| !series.is_empty()).collect();
        let left = |key: &&SeriesKey| series.iter().any(|series| series.key() == *key);
        let keys: Vec<SeriesKey> = self.keys.iter().filter(left).cloned().collect();
        if keys.is_empty() {
            return Err(SupervisedError::data(
                "the candles",
                format!("none lies before {to}; give a later time"),
            ));
        }
        Self::new(keys, series, self.exogenous.clone(), self.refused.clone())
    }

    /// What the features, and whoever else, take from outside.
    #[must_use]
    pub fn exogenous(&self) -> &[ExogenousSeries] {
        &self.exogenous
    }

    /// `keys` are worked on; the other series are there for features that need a reference.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] for a key without candles, one of another timeframe, or none at all.
    pub fn new(
        mut keys: Vec<SeriesKey>,
        series: Vec<CandleSeries>,
        exogenous: Vec<ExogenousSeries>,
        refused: Vec<(String, String)>,
    ) -> Result<Self, SupervisedError> {
        keys.sort();
        let Some(timeframe) = keys.first().map(|key| key.timeframe) else {
            return Err(SupervisedError::data("the candles", "there is no series; give at least one"));
        };
        let series: BTreeMap<SeriesKey, CandleSeries> =
            series.into_iter().map(|series| (series.key().clone(), series)).collect();
        let source = Self { timeframe, keys, refused, series, exogenous };
        for key in &source.keys {
            source.candles(key)?;
            if key.timeframe != timeframe {
                let reason =
                    format!("the series before it are of {timeframe}; give candles of one timeframe");
                return Err(SupervisedError::data(key.to_string(), reason));
            }
        }
        Ok(source)
    }

    /// The candles of one series.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] where there are none.
    pub fn candles(&self, key: &SeriesKey) -> Result<&CandleSeries, SupervisedError> {
        self.series.get(key).ok_or_else(|| {
            SupervisedError::data(key.to_string(), "its candles were not read; give them with the others")
        })
    }

    /// The candles of the series to work on.
    pub fn selected(&self) -> impl Iterator<Item = &CandleSeries> {
        self.keys.iter().filter_map(|key| self.series.get(key))
    }

    /// All of their time.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] where there is no candle.
    pub fn range(&self) -> Result<TimeRange, SupervisedError> {
        TimeRange::covering(self.selected())
            .ok_or_else(|| SupervisedError::data("the series", "they hold no candle; give longer ones"))
    }

    /// A hash of the candles and of what the features take from outside.
    #[must_use]
    pub fn hash(&self) -> String {
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
    ///
    /// # Errors
    /// [`SupervisedError::Data`] where the series or the reference of its features is not there; those of the features.
    pub fn frame(&self, key: &SeriesKey, spec: &FeatureSpec) -> Result<FeatureFrame, SupervisedError> {
        let series = self.candles(key)?;
        let mut outside = Outside { reference: None, exogenous: &self.exogenous };
        if let Some(reference) = spec.reference_of(key)? {
            outside.reference = Some(self.series.get(&reference).ok_or_else(|| {
                let reason = format!(
                    "its features need {reference}, which was not given; give it with --data, or set `features.cross_asset.enabled = false`"
                );
                SupervisedError::data(key.to_string(), reason)
            })?);
        }
        let within =
            |error: features::FeatureError| SupervisedError::data(key.to_string(), error.to_string());
        spec.frame(series, outside).map_err(within)
    }

    /// The labels of one series.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] where the series is not there; those of the labels.
    pub fn labels(&self, key: &SeriesKey, labeler: &Labeler) -> Result<LabelSeries, SupervisedError> {
        let within = |error: labels::LabelError| SupervisedError::data(key.to_string(), error.to_string());
        labeler.label(self.candles(key)?).map_err(within)
    }

    fn labelled_series(
        &self,
        key: &SeriesKey,
        spec: &FeatureSpec,
        labeler: &Labeler,
    ) -> Result<LabelledFrame, SupervisedError> {
        Ok(LabelledFrame { frame: self.frame(key, spec)?, labels: self.labels(key, labeler)? })
    }

    /// Features and labels of all series, on all threads.
    ///
    /// # Errors
    /// Those of [`Self::frame`] and [`Self::labels`].
    pub fn labelled(
        &self,
        spec: &FeatureSpec,
        labeler: &Labeler,
    ) -> Result<Vec<LabelledFrame>, SupervisedError> {
        self.keys.par_iter().map(|key| self.labelled_series(key, spec, labeler)).collect()
    }

    /// As [`Self::labelled`], of the series of a dataset.
    ///
    /// # Errors
    /// As [`Self::labelled`].
    pub fn labelled_as(
        &self,
        dataset: &Dataset,
        spec: &FeatureSpec,
        labeler: &Labeler,
    ) -> Result<Vec<LabelledFrame>, SupervisedError> {
        let of = |series: &DatasetSeries| self.labelled_series(series.key(), spec, labeler);
        dataset.series().par_iter().map(of).collect()
    }

    /// The labeler with thresholds that give the shares of `goal` on the training time of `plan`.
    ///
    /// # Errors
    /// Those of the search.
    pub fn search_labeler(
        &self,
        labeler: &Labeler,
        goal: &Goal,
        plan: &SplitPlan,
    ) -> Result<Labeler, SupervisedError> {
        let candles: Vec<_> = self.selected().map(|series| plan.train_candles(series)).collect();
        Ok(search_threshold(labeler, &candles, goal)?.labeler)
    }
}
