//! Candles, their costs, and what a model says of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, bail};
use command_line::{CommonArguments, now_millis};
use features::{FeatureSpec, Outside};
use market_data::import::gather_candles;
use market_data::store::Store;
use market_data::{CandleSeries, ExogenousSeries, MarketDataError, SeriesKey, Timeframe, Timestamp};
use rayon::prelude::*;
use sim::backtest::CandleSignal;
use supervised::Predictor;

use crate::Work;
use crate::configuration::Configuration;

/// Everything that was read.
pub(crate) struct Market {
    pub(crate) timeframe: Timeframe,
    /// Series to trade, in order of their keys.
    pub(crate) series: Vec<CandleSeries>,
    /// Finer candles by the series that they belong to.
    pub(crate) detail: BTreeMap<SeriesKey, CandleSeries>,
    /// What the model says of each candle of each series; empty without a bundle.
    pub(crate) signals: Vec<Vec<CandleSignal>>,
    /// The model's name and trials, where there is one.
    pub(crate) model: Option<Model>,
    /// Files that were refused, and why.
    pub(crate) refused: Vec<(String, String)>,
}

/// What is told of the model.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) name: String,
    /// How many settings its search tried.
    pub(crate) trials: u64,
    /// Until when training and validation saw the market.
    pub(crate) seen_until: Timestamp,
}

impl Market {
    pub(crate) fn read(
        arguments: &Work,
        configuration: &Configuration,
        common: &CommonArguments,
    ) -> anyhow::Result<Self> {
        let predictor = arguments.bundle.as_deref().map(Predictor::load).transpose()?;
        let timeframe =
            arguments.timeframe.or_else(|| predictor.as_ref().map(|one| one.bundle().origin.timeframe));
        let asked_for = |key: &SeriesKey| {
            timeframe.is_none_or(|timeframe| timeframe == key.timeframe)
                && (arguments.series.is_empty() || arguments.series.contains(&key.to_string()))
        };
        let spinner = common.progress().spinner("read");
        let now = now_millis().map(Timestamp::from_millis);
        let mut gathered = gather_candles(&arguments.data, &configuration.import, now, &asked_for)?;
        let mut refused = tell_refused(&gathered.refused);
        gathered.require(&arguments.series)?;
        let timeframe = gathered.one_timeframe()?;
        let detail = read_detail(arguments, configuration, timeframe, &gathered.series, &mut refused)?;
        spinner.finish();
        gathered.series.sort_by(|one, other| one.key().cmp(other.key()));
        let mut market =
            Self { timeframe, series: gathered.series, detail, signals: Vec::new(), model: None, refused };
        if let Some(predictor) = predictor {
            let mut exogenous = gathered.exogenous;
            read_stored(&mut exogenous, arguments, &market.series, &predictor.bundle().spec)?;
            market.signals = signals(&market.series, &exogenous, &predictor, common)?;
            market.model = Some(describe(&predictor)?);
        }
        market.cut(arguments)?;
        Ok(market)
    }

    /// Leaves what is to be traded: from the time asked for on, and for a model nothing that it was fitted on.
    fn cut(&mut self, arguments: &Work) -> anyhow::Result<()> {
        let seen = self.model.as_ref().map(|model| model.seen_until);
        let from = match (arguments.from, seen) {
            (Some(from), Some(seen)) if from < seen => {
                bail!(
                    "--from {from} lies in the time that training or validation of the bundle saw, up to {seen}; begin there"
                )
            }
            (from, seen) => from.or(seen),
        };
        let to = arguments.to;
        let span = match (from, to) {
            (Some(from), Some(to)) => format!("between {from} and {to}"),
            (Some(from), None) => format!("at or after {from}"),
            (None, Some(to)) => format!("before {to}"),
            (None, None) => "in the files".to_owned(),
        };
        let from = from.unwrap_or(Timestamp::from_millis(i64::MIN));
        let to = to.unwrap_or(Timestamp::from_millis(i64::MAX));
        let mut kept = Vec::new();
        for (at, series) in self.series.iter().enumerate() {
            let range = series.indices_between(from, to);
            if let Some(signals) = self.signals.get_mut(at) {
                *signals = signals[range.clone()].to_vec();
            }
            kept.push(series.between(from, to));
        }
        self.series = kept;
        if self.series.iter().all(CandleSeries::is_empty) {
            bail!("no candle lies {span}; give other candles, or another --from or --to");
        }
        Ok(())
    }
}

/// Warns of files that were refused, and gives them and why.
fn tell_refused(refused: &[(PathBuf, MarketDataError)]) -> Vec<(String, String)> {
    let tell = |(path, error): &(PathBuf, MarketDataError)| {
        tracing::warn!(file = %path.display(), "refused: {error}");
        (path.display().to_string(), error.to_string())
    };
    refused.iter().map(tell).collect()
}

fn read_detail(
    arguments: &Work,
    configuration: &Configuration,
    timeframe: Timeframe,
    series: &[CandleSeries],
    refused: &mut Vec<(String, String)>,
) -> anyhow::Result<BTreeMap<SeriesKey, CandleSeries>> {
    if arguments.detail.is_empty() {
        return Ok(BTreeMap::new());
    }
    let coarse = |key: &SeriesKey| SeriesKey::new(key.venue.clone(), key.symbol.clone(), timeframe);
    let keys: Vec<SeriesKey> = series.iter().map(|one| one.key().clone()).collect();
    let wanted = |key: &SeriesKey| {
        key.timeframe < timeframe && timeframe.is_multiple_of(key.timeframe) && keys.contains(&coarse(key))
    };
    let now = now_millis().map(Timestamp::from_millis);
    let gathered = gather_candles(&arguments.detail, &configuration.import, now, &wanted)?;
    refused.extend(tell_refused(&gathered.refused));
    let mut detail: BTreeMap<SeriesKey, CandleSeries> = BTreeMap::new();
    for one in gathered.series {
        let key = coarse(one.key());
        // The finest says most.
        let finer = detail.get(&key).is_none_or(|other| one.key().timeframe < other.key().timeframe);
        if finer {
            detail.insert(key, one);
        }
    }
    if detail.is_empty() {
        bail!(
            "--detail names no finer candles of the series; give candles of the same venue and symbol that divide {timeframe}"
        );
    }
    Ok(detail)
}

/// What the features take from outside and a store holds beside its candles.
fn read_stored(
    exogenous: &mut Vec<ExogenousSeries>,
    arguments: &Work,
    series: &[CandleSeries],
    spec: &FeatureSpec,
) -> anyhow::Result<()> {
    let wanted: Vec<String> = series.iter().flat_map(|one| spec.exogenous_of(one.key())).collect();
    for store in arguments.data.iter().filter(|path| !wanted.is_empty() && path.is_dir()).map(Store::new) {
        for name in store.exogenous_names()? {
            if wanted.contains(&name) && !exogenous.iter().any(|series| series.name() == name) {
                exogenous.push(store.read_exogenous(&name)?);
            }
        }
    }
    Ok(())
}

fn describe(predictor: &Predictor) -> anyhow::Result<Model> {
    let origin = &predictor.bundle().origin;
    let seen = ["training", "validation"];
    let seen_until = seen
        .iter()
        .filter_map(|part| origin.intervals.get(*part))
        .flatten()
        .map(|interval| interval.to)
        .max()
        .context("the bundle does not say which time it was trained on; train it again")?;
    Ok(Model { name: origin.name.clone(), trials: origin.trials.unwrap_or(1).max(1), seen_until })
}

/// The calibrated probabilities of each candle: the same fold that runs live.
fn signals(
    series: &[CandleSeries],
    exogenous: &[ExogenousSeries],
    predictor: &Predictor,
    common: &CommonArguments,
) -> anyhow::Result<Vec<Vec<CandleSignal>>> {
    let spec: &FeatureSpec = &predictor.bundle().spec;
    let bar = common.progress().bar(series.len() as u64, "predictions");
    let of = |one: &CandleSeries| {
        let mut outside = Outside { reference: None, exogenous };
        if let Some(reference) = spec.reference_of(one.key())? {
            let found = series.iter().find(|other| *other.key() == reference);
            outside.reference = Some(found.with_context(|| {
                format!(
                    "the features of {} need {reference}, which was not given; give it with --data",
                    one.key()
                )
            })?);
        }
        let frame = spec.frame(one, outside).with_context(|| one.key().to_string())?;
        let predictions = predictor.predict(&frame)?;
        let mut signals = vec![CandleSignal::default(); one.len()];
        for prediction in &predictions.predictions {
            // Rows of a frame are found by their time, so that none can slip.
            if let Ok(at) = one.columns().open_time.binary_search(&prediction.open_time) {
                signals[at].probabilities = Some(prediction.probabilities);
            }
        }
        bar.advance(1);
        anyhow::Ok(signals)
    };
    let found = series.par_iter().map(of).collect();
    bar.finish();
    found
}
