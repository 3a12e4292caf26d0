//! A candle's way to an order: file → model → policy → signal → engine and venue → trade → report.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use features::FeatureSpec;
use labels::splits::LastShare;
use labels::{HorizonReturn, Labeler};
use market_data::import::ImportOptions;
use market_data::quality::SignKind;
use market_data::synthetic::{MarketShape, PlantedMarket};
use market_data::{CandleSeries, Timestamp, write_csv};
use rl::{NormalisationConfig, PpoConfig, Recipe};
use sim::backtest::{
    BacktestConfig, BacktestInstrument, BacktestResult, CandleSignal, CostAssumptions, assumed_terms,
    run_backtest,
};
use sim::market_environment::{EpisodeConfig, MarketEnvironmentConfig, MarketFrames, ObservedAccount};
use sim::metrics::MetricsConfig;
use sim::policy::{
    Player, PolicyBundle, PolicyConfig, PolicyOrigin, PolicyTraining, SeriesFrame, play, policy_actions,
};
use sim::report::{Curve, Report, ReportData};
use supervised::{
    CandleSelection, CandleSource, Checkpoints, DeviceKind, ModelBundle, Periods, Predictor,
    SupervisedConfig, TimeRange, TrainingJob, train,
};
use trading::strategy::{Combination, HybridConfig, HybridStrategy, OnHold};
use trading::{PolicyAction, Side};

/// A market with a known signal, as files.
fn files(directory: &Path) -> PathBuf {
    let mut shape = MarketShape { candles: 4_000, seed: 12, ..MarketShape::default() };
    shape.symbols.truncate(2);
    let candles = directory.join("candles");
    std::fs::create_dir_all(&candles).unwrap();
    for series in PlantedMarket::default().generate(&shape).unwrap().series {
        let mut text = Vec::new();
        write_csv(&series, &mut text).unwrap();
        let symbol = series.key().symbol.exchange_id();
        std::fs::write(candles.join(format!("bybit-linear_{symbol}_5m_made.csv")), text).unwrap();
    }
    candles
}

/// Files → candles → features and labels → a bundle on disk.
fn model_of(candles: &Path, directory: &Path) -> (Arc<CandleSource>, ModelBundle) {
    let spec = FeatureSpec::from_toml(
        "trend.enabled = false\ncycle.enabled = false\nhigher_timeframe.enabled = false",
    );
    let spec = spec.unwrap();
    let mut options = ImportOptions::default();
    options.plausibility.accept.insert(SignKind::RandomWalk);
    let paths = [candles.to_owned()];
    let nothing = |_: &market_data::SeriesKey| Vec::new();
    let (source, _) =
        CandleSource::read(&paths, &CandleSelection::default(), &options, &spec, None, &nothing).unwrap();
    assert!(source.refused.is_empty(), "{:?}", source.refused);
    let source = Arc::new(source);
    let config =
        "epochs = 3\nnetwork = { width = 16, heads = 2 }\npreparation = { minimum_rows_per_series = 100 }";
    let config: SupervisedConfig = toml::from_str(config).unwrap();
    let plans = LastShare { share: 0.3 }.plan(source.range().unwrap()).unwrap();
    let job = TrainingJob::prepare(
        Arc::clone(&source),
        spec,
        Labeler::HorizonReturn(HorizonReturn { horizon: 4, ..HorizonReturn::default() }),
        Periods::new(plans[0].clone(), 2).unwrap(),
        &config.preparation,
    )
    .unwrap();
    let device = DeviceKind::Flex.device().unwrap();
    let trained =
        train(&job.dataset, &config, &device, &job.data_hash, Checkpoints::default(), &mut ()).unwrap();
    let bundle = job.finish(trained, &config, "small", None, None).unwrap().bundle;
    bundle.write(&directory.join("bundle"), false).unwrap();
    (source, ModelBundle::read(&directory.join("bundle"), &device).unwrap())
}

fn within(frames: &[SeriesFrame], intervals: &[TimeRange]) -> Vec<SeriesFrame> {
    let cut = |one: &SeriesFrame| {
        intervals.iter().filter_map(|interval| one.within(interval.from, interval.to, 1)).collect::<Vec<_>>()
    };
    frames.iter().flat_map(cut).collect()
}

/// A bundle and candles → a policy on disk.
fn policy_of(source: &CandleSource, bundle: &ModelBundle, directory: &Path) -> PolicyBundle {
    let normalisation =
        NormalisationConfig { observations: true, rewards: true, ..NormalisationConfig::default() };
    let ppo = PpoConfig {
        total_steps: 30_000,
        steps: 64,
        batch_size: 256,
        epochs: 4,
        normalisation,
        ..PpoConfig::default()
    };
    let config = PolicyConfig {
        recipe: Recipe { ppo, ..Recipe::default() },
        environment: MarketEnvironmentConfig {
            environments: 16,
            window: 1,
            episode: EpisodeConfig::RandomWindow { length: 200 },
            account: ObservedAccount::Positions,
            ..MarketEnvironmentConfig::default()
        },
        validations: 3,
        ..PolicyConfig::default()
    };
    let predictor = Predictor::new(bundle.clone()).unwrap();
    let frames = config.inputs.frames(&predictor, source, &|_| Ok(Vec::new())).unwrap();
    let part = |name: &str| -> Vec<_> {
        within(&frames, &bundle.origin.intervals[name]).into_iter().map(|one| one.frame).collect()
    };
    let mut training =
        PolicyTraining::new(config.clone(), bundle, part("training"), &part("validation"), 3).unwrap();
    while training.advance().unwrap().is_some() {}
    let origin = PolicyOrigin {
        name: "small".to_owned(),
        seed: 3,
        columns: frames[0].frame.columns,
        config,
        model: PolicyBundle::model_hash(&directory.join("bundle")).unwrap(),
        series: source.keys.iter().map(ToString::to_string).collect(),
        training: bundle.origin.intervals["training"].clone(),
        validation: bundle.origin.intervals["validation"].clone(),
        validations: training.validations().to_vec(),
        trials: None,
        commit: None,
    };
    let policy = PolicyBundle::new(origin, predictor, training.agent_bytes().unwrap()).unwrap();
    policy.write(&directory.join("bundle"), &directory.join("policy"), false).unwrap();
    PolicyBundle::read(&directory.join("policy")).unwrap()
}

/// What model and policy say of each candle that neither has seen, by series.
fn signals(source: &CandleSource, policy: &PolicyBundle) -> Vec<(CandleSeries, Vec<CandleSignal>)> {
    let config = &policy.origin.config;
    let seen = policy.origin.validation.iter().map(|interval| interval.to).max().unwrap();
    let later = [TimeRange { from: seen, to: Timestamp::from_millis(i64::MAX) }];
    let whole = config.inputs.frames(&policy.predictor, source, &|_| Ok(Vec::new())).unwrap();
    let traded = within(&whole, &later);
    let frames =
        Arc::new(MarketFrames::of_single(traded.iter().map(|one| one.frame.clone()).collect()).unwrap());
    let mut agent = policy.agent().unwrap();
    let paths = play(&config.environment, &frames, &mut Player::Agent(&mut *agent)).unwrap();
    let of = |(portfolio, one): (usize, &SeriesFrame)| {
        let series = source.candles(&one.key).unwrap().between(later[0].from, later[0].to);
        let features = source.frame(&one.key, &policy.predictor.bundle().spec).unwrap();
        let predicted = policy.predictor.predict(&features).unwrap();
        let mut signals: Vec<CandleSignal> = policy_actions(&paths, portfolio, series.len())
            .into_iter()
            .map(|action| CandleSignal { action, ..CandleSignal::default() })
            .collect();
        for prediction in predicted.predictions {
            if let Ok(at) = series.columns().open_time.binary_search(&prediction.open_time) {
                signals[at].probabilities = Some(prediction.probabilities);
            }
        }
        (series, signals)
    };
    traded.iter().enumerate().map(of).collect()
}

fn backtest(said: &[(CandleSeries, Vec<CandleSignal>)], combination: Combination) -> BacktestResult {
    let of = |(series, signals): &'_ (CandleSeries, Vec<CandleSignal>)| {
        (assumed_terms(series, &CostAssumptions::default()).unwrap(), signals.clone())
    };
    let parts: Vec<_> = said.iter().map(of).collect();
    let instruments: Vec<BacktestInstrument<'_>> = said
        .iter()
        .zip(parts)
        .map(|((series, _), (terms, signals))| BacktestInstrument {
            terms,
            series,
            detail: None,
            funding: Vec::new(),
            signals,
        })
        .collect();
    let mut config = HybridConfig { combination, ..HybridConfig::default() };
    config.position.on_hold = OnHold::Close;
    if combination != Combination::PolicyOnly {
        // A model of three epochs is sure of hardly anything.
        (config.model.minimum_probability, config.model.minimum_margin) = (0.334, 0.0);
    }
    let strategy = HybridStrategy::new(config, instruments.len()).unwrap();
    run_backtest(&BacktestConfig::default(), strategy, &instruments, &mut |_| ()).unwrap()
}

fn report(result: &BacktestResult) -> String {
    let times = result.curve.times.iter().map(|time| time.as_millis()).collect();
    let equity = Curve { times, values: result.curve.equity.clone() };
    let data = ReportData {
        title: "small".to_owned(),
        currency: "USDT".to_owned(),
        equity,
        ..ReportData::default()
    };
    Report::new(data).unwrap().html().unwrap()
}

#[test]
fn a_candle_becomes_an_order_and_a_line_of_a_report() {
    let directory = tempfile::tempdir().unwrap();
    let candles = files(directory.path());
    let (source, bundle) = model_of(&candles, directory.path());
    let policy = policy_of(&source, &bundle, directory.path());
    let said = signals(&source, &policy);
    assert_eq!(said.len(), 2);
    // What was learned from is not traded.
    let seen = bundle.origin.intervals["validation"][0].to;
    assert!(said.iter().all(|(series, _)| series.columns().open_time[0] >= seen));

    let alone = backtest(&said, Combination::PolicyOnly);
    assert!(alone.trades.len() > 10, "{} trades", alone.trades.len());
    // Each entry follows from what the policy wanted at the close before it, and trades in the candle after that at the earliest.
    for trade in &alone.trades {
        let (series, signals) = &said[trade.instrument.get()];
        let open = series.columns().open_time.partition_point(|time| *time <= trade.opened) - 1;
        let wanted = signals[..open].iter().rev().find_map(|signal| signal.action);
        let Some(PolicyAction::Target(share)) = wanted else {
            unreachable!("a trade without a wish: {trade:?}")
        };
        assert!(if trade.side == Side::Buy { share > 0.0 } else { share < 0.0 }, "{trade:?} after {share}");
    }
    // The books add up: what was earned is what equity grew by, but for a position that is still open.
    let net: f64 = alone.trades.iter().map(|trade| trade.net.to_string().parse::<f64>().unwrap()).sum();
    let (first, last) = (alone.curve.equity[0], alone.curve.equity[alone.curve.equity.len() - 1]);
    assert!(alone.open_at_the_end || (last - first - net).abs() < 1e-6 * first, "{first} {last} {net}");
    // A model is heard, and a policy's veto keeps some of what it wanted from being opened.
    let model = backtest(&said, Combination::ModelOnly);
    let vetoed = backtest(&said, Combination::ModelWithPolicyVeto);
    assert!(model.executions.len() > 10 && vetoed.executions.len() > 10);
    assert_ne!(model.executions, vetoed.executions);

    // The same files give the same report, to the byte.
    let again = tempfile::tempdir().unwrap();
    let (source, bundle) = model_of(&candles, again.path());
    let other =
        backtest(&signals(&source, &policy_of(&source, &bundle, again.path())), Combination::PolicyOnly);
    assert_eq!(report(&alone), report(&other));
    assert!(
        report(&alone).contains("small")
            && alone.metrics(&MetricsConfig::default()).unwrap().trades.count == alone.trades.len()
    );
}
