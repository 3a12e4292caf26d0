//! Candles, their costs, and what a model says of them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use command_line::{CommonArguments, now_millis};
use features::FeatureSpec;
use market_data::import::gather_candles;
use market_data::{CandleSeries, MarketDataError, SeriesKey, Timeframe, Timestamp};
use sim::backtest::CandleSignal;
use sim::funding::{Funding, funding_name, funding_of};
use sim::model_signals::ModelSignals;
use sim::policy::PolicyBundle;
use supervised::{CandleSelection, CandleSource, Predictor};

use crate::Work;
use crate::configuration::Configuration;
use crate::importance;
use crate::model::Model;
use crate::retraining::{purged_paths, walk_forward};

/// Everything that was read.
pub(crate) struct Market {
    pub(crate) timeframe: Timeframe,
    /// Series to trade, in order of their keys.
    pub(crate) series: Vec<CandleSeries>,
    /// Finer candles by the series that they belong to.
    pub(crate) detail: BTreeMap<SeriesKey, CandleSeries>,
    /// What the model says of each candle of each series; empty without a bundle.
    pub(crate) signals: Vec<Vec<CandleSignal>>,
    /// Funding of each series.
    pub(crate) funding: Vec<Funding>,
    /// What is known of the model, where there is one.
    pub(crate) model: Option<Model>,
    /// Name of the policy, where there is one.
    pub(crate) policy: Option<String>,
    /// What models of purged splits say, path by path, over all candles that were given; absent where it was not asked for.
    pub(crate) paths: Option<Paths>,
    /// Files that were refused, and why.
    pub(crate) refused: Vec<(String, String)>,
}

/// Paths through the whole time, and the candles of it.
pub(crate) struct Paths {
    pub(crate) series: Vec<CandleSeries>,
    /// By path, and in it by series.
    pub(crate) signals: Vec<Vec<Vec<CandleSignal>>>,
}

impl Market {
    pub(crate) fn read(
        arguments: &Work,
        configuration: &Configuration,
        common: &CommonArguments,
    ) -> anyhow::Result<Self> {
        let policy = arguments.policy.as_deref().map(PolicyBundle::read).transpose()?;
        let predictor = match &policy {
            Some(policy) => Some(policy.predictor.clone()),
            None => arguments.bundle.as_deref().map(Predictor::load).transpose()?,
        };
        if predictor.is_none() && arguments.explanation.is_some() {
            bail!("--explanation is of a model; give its --bundle, or the --policy that stands on it");
        }
        let importance = match (&predictor, &arguments.explanation) {
            (Some(predictor), Some(directory)) => {
                Some(importance::read(directory, predictor.bundle().feature_hash())?)
            }
            _ => None,
        };
        let timeframe =
            arguments.timeframe.or_else(|| predictor.as_ref().map(|one| one.bundle().origin.timeframe));
        let selection = CandleSelection { timeframe, series: arguments.series.clone() };
        let spec = predictor.as_ref().map_or_else(own_candles_alone, |one| one.bundle().spec.clone());
        let spinner = common.progress().spinner("read");
        let now = now_millis().map(Timestamp::from_millis);
        let funding = |key: &SeriesKey| vec![funding_name(key)];
        let (candles, notes) =
            CandleSource::read(&arguments.data, &selection, &configuration.import, &spec, now, &funding)?;
        for note in notes {
            tracing::info!("{note}");
        }
        let mut refused = candles.refused.clone();
        for (path, error) in &refused {
            tracing::warn!(file = %path, "refused: {error}");
        }
        // A walk-forward divides the time that it is given.
        let candles = match arguments.to {
            Some(to) => candles.until(to).with_context(|| {
                format!("no candle lies before {to}; give other candles, or another --to")
            })?,
            None => candles,
        };
        let series: Vec<CandleSeries> = candles.selected().cloned().collect();
        let detail = read_detail(arguments, configuration, candles.timeframe, &series, &mut refused)?;
        spinner.finish();
        let records = candles.exogenous().to_vec();
        let mut market = Self {
            timeframe: candles.timeframe,
            series,
            detail,
            signals: Vec::new(),
            funding: Vec::new(),
            model: None,
            policy: policy.as_ref().map(|policy| policy.origin.name.clone()),
            paths: None,
            refused,
        };
        if let Some(predictor) = predictor {
            market.ask(&predictor, policy.as_ref(), candles, arguments, configuration, common)?;
        }
        if let Some(model) = &mut market.model {
            model.importance = importance;
        }
        market.cut(arguments)?;
        market.funding =
            market.series.iter().map(|one| funding_of(one, &records)).collect::<Result<_, _>>()?;
        Ok(market)
    }

    /// What the model, or one trained anew for each stretch of time, says of each candle.
    fn ask(
        &mut self,
        predictor: &Predictor,
        policy: Option<&PolicyBundle>,
        candles: CandleSource,
        arguments: &Work,
        configuration: &Configuration,
        common: &CommonArguments,
    ) -> anyhow::Result<()> {
        let candles = Arc::new(candles);
        let (bundle, section, out) = (predictor.bundle(), &configuration.walk_forward, &configuration.out.0);
        if arguments.purged_paths {
            let paths = purged_paths(bundle, &candles, section, &configuration.purged_paths, out, common)?;
            let of_path = |mut said: ModelSignals| {
                let of = |one: &CandleSeries| said.signals.remove(one.key()).unwrap_or_default();
                self.series.iter().map(of).collect()
            };
            let signals = paths.into_iter().map(of_path).collect();
            self.paths = Some(Paths { series: self.series.clone(), signals });
        }
        let (model, mut said) = if arguments.walk_forward {
            Model::retrained(bundle, walk_forward(bundle, &candles, section, out, common)?)?
        } else {
            Model::as_it_is(predictor, &candles, arguments.from, arguments.to, common)?
        };
        let mut model = model;
        if let Some(policy) = policy {
            // Both were chosen, one after the other.
            model.trials += policy.origin.trials.unwrap_or(1).max(1);
            let from = arguments.from.unwrap_or(model.seen_until).max(model.seen_until);
            let spinner = common.progress().spinner("policy");
            let ended = said.add_policy(policy, &candles, from)?;
            spinner.finish();
            for key in ended {
                tracing::warn!(
                    "{key}: the account of the policy {} was ended; it wants nothing after that",
                    policy.origin.name
                );
            }
        }
        self.signals =
            self.series.iter().map(|one| said.signals.remove(one.key()).unwrap_or_default()).collect();
        self.model = Some(model);
        Ok(())
    }

    /// The share of each series' time for which funding is known; of spot there is none to know.
    pub(crate) fn covered_funding(&self) -> Vec<(String, Option<f64>)> {
        let of =
            |(series, funding): (&CandleSeries, &Funding)| (series.key().symbol.to_string(), funding.covered);
        self.series.iter().zip(&self.funding).map(of).collect()
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
        // Days that are too few for a fold at the end are not traded.
        let last_fold = self.model.as_ref().and_then(|model| model.folds.last()).map(|fold| fold.test.to);
        let to = to.or(last_fold).unwrap_or(Timestamp::from_millis(i64::MAX));
        let to = last_fold.map_or(to, |last| last.min(to));
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

/// Features of a model that there is not: nothing is read for them beside the candles asked for.
fn own_candles_alone() -> FeatureSpec {
    let mut spec = FeatureSpec::default();
    spec.cross_asset.enabled = false;
    spec
}
