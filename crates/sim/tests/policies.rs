//! Policies over models: what they see, how they train, resume, are kept, trade and are judged.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::{Arc, OnceLock};

use features::FeatureSpec;
use labels::splits::LastShare;
use labels::{HorizonReturn, Labeler};
use market_data::synthetic::{MarketShape, SyntheticModel};
use market_data::{CandleSeries, Timeframe};
use rl::recipe::{Algorithm, Recipe};
use rl::{NormalisationConfig, PpoConfig};
use sim::market_environment::{
    EpisodeConfig, MarketEnvironmentConfig, MarketFrame, MarketFrames, ObservedAccount,
};
use sim::policy::{
    FineTuning, InputSource, Player, PlayerKind, PolicyBundle, PolicyConfig, PolicyInputs, PolicyOrigin,
    PolicyTraining, SpecialistsConfig, judge_players, play, policy_actions, together,
};
use supervised::{
    CandleSource, Checkpoints, DeviceKind, ModelBundle, Periods, Predictor, SupervisedConfig, TrainingJob,
    train,
};

/// Two series of a planted market, one with a gap, and a small model of their first half.
struct World {
    candles: Arc<CandleSource>,
    model: tempfile::TempDir,
    predictor: Predictor,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let model: SyntheticModel = toml::from_str("model = \"planted\"").unwrap();
        let mut shape = MarketShape { candles: 3_000, timeframe: Timeframe::M5, seed: 5, ..Default::default() };
        shape.symbols.truncate(2);
        let series = model.generate(&shape).unwrap().series;
        let kept: Vec<usize> = (0..3_000).filter(|row| !(1_000..1_003).contains(row)).collect();
        let gapped = CandleSeries::new(series[1].key().clone(), series[1].columns().select(&kept)).unwrap();
        let candles = source(vec![series[0].clone(), gapped]);
        let spec = "trend.enabled = false\ncycle.enabled = false\nhigher_timeframe.enabled = false";
        let config = "epochs = 1\nnetwork = { width = 16, heads = 2 }\npreparation = { minimum_rows_per_series = 100 }";
        let config: SupervisedConfig = toml::from_str(config).unwrap();
        let plans = LastShare { share: 0.3 }.plan(candles.range().unwrap()).unwrap();
        let job = TrainingJob::prepare(
            Arc::clone(&candles),
            FeatureSpec::from_toml(spec).unwrap(),
            Labeler::HorizonReturn(HorizonReturn { horizon: 4, ..HorizonReturn::default() }),
            Periods::new(plans[0].clone(), 1).unwrap(),
            &config.preparation,
        )
        .unwrap();
        let device = DeviceKind::Flex.device().unwrap();
        let trained =
            train(&job.dataset, &config, &device, &job.data_hash, Checkpoints::default(), &mut ()).unwrap();
        let bundle: ModelBundle = job.finish(trained, &config, "small", None, None).unwrap().bundle;
        let model = tempfile::tempdir().unwrap();
        bundle.write(&model.path().join("bundle"), false).unwrap();
        World { candles, model, predictor: Predictor::new(bundle).unwrap() }
    })
}

fn source(series: Vec<CandleSeries>) -> Arc<CandleSource> {
    let keys = series.iter().map(|one| one.key().clone()).collect();
    Arc::new(CandleSource::new(keys, series, Vec::new(), Vec::new()).unwrap())
}

fn frames(inputs: PolicyInputs, candles: &CandleSource) -> Vec<MarketFrame> {
    let all = inputs.frames(&world().predictor, candles, &|_| Ok(Vec::new())).unwrap();
    all.into_iter().map(|one| one.frame).collect()
}

/// Rows from the first to the second share of the candles.
fn part(frames: &[MarketFrame], from: f64, to: f64) -> Vec<MarketFrame> {
    let (first, last) = (frames[0].open_times[0], *frames[0].open_times.last().unwrap());
    let at = |share: f64| first + ((last - first) as f64 * share) as i64;
    frames.iter().map(|frame| frame.between(at(from), at(to), 0)).collect()
}

fn small() -> PolicyConfig {
    let environment = MarketEnvironmentConfig {
        environments: 8,
        window: 1,
        episode: EpisodeConfig::RandomWindow { length: 60 },
        account: ObservedAccount::Positions,
        ..MarketEnvironmentConfig::default()
    };
    let normalisation =
        NormalisationConfig { observations: true, rewards: true, ..NormalisationConfig::default() };
    let ppo = PpoConfig {
        total_steps: 1_024,
        steps: 32,
        sequence: 16,
        batch_size: 64,
        epochs: 2,
        normalisation,
        ..PpoConfig::default()
    };
    let recipe = Recipe { ppo, ..Recipe::default() };
    PolicyConfig { recipe, environment, validations: 2, ..PolicyConfig::default() }
}

fn training(config: &PolicyConfig, seed: u64) -> PolicyTraining {
    let all = frames(config.inputs, &world().candles);
    let bundle = world().predictor.bundle();
    PolicyTraining::new(config.clone(), bundle, part(&all, 0.0, 0.5), &part(&all, 0.5, 0.7), seed).unwrap()
}

fn finished(config: &PolicyConfig, training: &PolicyTraining, seed: u64) -> PolicyBundle {
    let origin = PolicyOrigin {
        name: "small".to_owned(),
        seed,
        config: config.clone(),
        model: PolicyBundle::model_hash(&world().model.path().join("bundle")).unwrap(),
        columns: frames(config.inputs, &world().candles)[0].columns,
        series: Vec::new(),
        training: Vec::new(),
        validation: Vec::new(),
        validations: training.validations().to_vec(),
        trials: None,
        commit: None,
    };
    PolicyBundle::new(origin, world().predictor.clone(), training.agent_bytes().unwrap()).unwrap()
}

#[test]
fn a_policy_sees_what_the_model_says() {
    let world = world();
    let key = &world.candles.keys[1];
    let features = world.candles.frame(key, &world.predictor.bundle().spec).unwrap();
    let encoding = world.predictor.encode(&features).unwrap();
    let seen = &frames(PolicyInputs::default(), &world.candles)[1];
    assert_eq!((seen.columns, seen.len()), (16 + 3, 2_997));
    let valid: Vec<usize> = (0..seen.len()).filter(|row| seen.valid[*row]).collect();
    assert_eq!(valid, encoding.rows);
    assert!(valid[0] > 10, "features need some candles to begin");
    for at in [0, 7, valid.len() - 1] {
        let row = &seen.features[valid[at] * 19..(valid[at] + 1) * 19];
        assert_eq!(row[..16], encoding.embeddings[at * 16..(at + 1) * 16]);
        assert_eq!(row[16..], encoding.probabilities[at]);
    }
    let columns = PolicyInputs { source: InputSource::Columns, probabilities: false };
    let seen = &frames(columns, &world.candles)[1];
    assert_eq!(seen.columns, world.predictor.bundle().classifier.config().inputs);
    assert_eq!(seen.features[valid[7] * seen.columns..][..3], encoding.inputs[7 * seen.columns..][..3]);
}

#[test]
fn interrupted_is_uninterrupted() {
    let specialists = PolicyConfig { specialists: Some(SpecialistsConfig::default()), ..small() };
    for (config, stop) in [(small(), 2), (specialists, 10)] {
        let mut whole = training(&config, 4);
        while whole.advance().unwrap().is_some() {}
        let mut first = training(&config, 4);
        for _ in 0..stop {
            first.advance().unwrap().unwrap();
        }
        let saved = first.to_bytes().unwrap();
        let mut second = training(&config, 4);
        second.restore(&saved).unwrap();
        // What was best before is still there.
        assert_eq!(second.agent_bytes().unwrap(), first.agent_bytes().unwrap());
        while second.advance().unwrap().is_some() {}
        assert_eq!(second.agent_bytes().unwrap(), whole.agent_bytes().unwrap());
        assert_eq!(second.validations(), whole.validations());
        let stages = if config.specialists.is_some() { 4 } else { 1 };
        assert_eq!(whole.stages(), stages);
        assert_eq!(whole.agent_bytes().unwrap().specialists.len(), stages - 1);
        // Another seed is another training, and refuses this one's checkpoint.
        assert!(training(&config, 5).restore(&saved).unwrap_err().to_string().contains("another seed"));
        assert!(second.restore(&saved[1..]).is_err());
    }
}

#[test]
fn all_algorithms_and_fine_tuning_train_and_are_kept() {
    let mut dqn = small();
    dqn.recipe.algorithm = Algorithm::Dqn;
    (dqn.recipe.dqn.total_steps, dqn.recipe.dqn.learning_starts) = (1_024, 128);
    let mut a2c = small();
    a2c.recipe.algorithm = Algorithm::A2c;
    a2c.recipe.a2c.total_steps = 1_024;
    a2c.recipe.curiosity = Some(rl::CuriosityConfig::default());
    let mut tuned = small();
    tuned.inputs = PolicyInputs { source: InputSource::Columns, probabilities: true };
    tuned.fine_tuning = Some(FineTuning { hidden: 8, ..FineTuning::default() });
    tuned.recipe.ppo.total_steps = 512;
    tuned.recipe.ppo.normalisation.observations = false;
    let directory = tempfile::tempdir().unwrap();
    for (name, config) in [("dqn", dqn), ("a2c", a2c), ("tuned", tuned)] {
        let mut training = training(&config, 1);
        while training.advance().unwrap().is_some() {}
        assert!(training.validations().iter().any(|one| one.best && one.log_return.is_finite()));
        let policy = finished(&config, &training, 1);
        let (path, model) = (directory.path().join(name), world().model.path().join("bundle"));
        policy.write(&model, &path, false).unwrap();
        assert!(policy.write(&model, &path, false).unwrap_err().to_string().contains("exists"));
        policy.write(&model, &path, true).unwrap();
        let read = PolicyBundle::read(&path).unwrap();
        assert_eq!(read.origin, policy.origin);
        let all = Arc::new(MarketFrames::of_single(frames(config.inputs, &world().candles)).unwrap());
        let played = |policy: &PolicyBundle| {
            play(&config.environment, &all, &mut Player::Agent(&mut *policy.agent().unwrap())).unwrap()
        };
        assert_eq!(played(&read), played(&policy));
        damage(&path);
    }
}

/// Each file of a policy is guarded.
fn damage(path: &Path) {
    for file in ["agent.msgpack", "policy.json", "model/bundle.json", "model/weights.safetensors"] {
        let file = path.join(file);
        let bytes = std::fs::read(&file).unwrap();
        let mut changed = bytes.clone();
        let at = changed.len() / 2;
        changed[at] = if changed[at] == b'1' { b'2' } else { b'1' };
        std::fs::write(&file, changed).unwrap();
        let Err(error) = PolicyBundle::read(path) else { panic!("{} was changed", file.display()) };
        assert!(error.to_string().len() > 20);
        std::fs::write(&file, bytes).unwrap();
    }
    PolicyBundle::read(path).unwrap();
}

/// What a policy wants of a candle does not depend on later ones.
#[test]
fn later_candles_change_no_earlier_action() {
    let config = small();
    let mut training = training(&config, 2);
    while training.advance().unwrap().is_some() {}
    let policy = finished(&config, &training, 2);
    let actions = |candles: &CandleSource| {
        let frames = frames(config.inputs, candles);
        let rows = frames[0].len();
        let frames = Arc::new(MarketFrames::of_single(frames).unwrap());
        let paths =
            play(&config.environment, &frames, &mut Player::Agent(&mut *policy.agent().unwrap())).unwrap();
        policy_actions(&paths, 0, rows)
    };
    let whole = actions(&world().candles);
    let keep = 2_000;
    let mut columns = world().candles.candles(&world().candles.keys[0]).unwrap().columns().clone();
    for row in keep..3_000 {
        for price in [&mut columns.open, &mut columns.high, &mut columns.low, &mut columns.close] {
            price[row] *= 1.5;
        }
    }
    let changed = CandleSeries::new(world().candles.keys[0].clone(), columns).unwrap();
    let other = world().candles.candles(&world().candles.keys[1]).unwrap().clone();
    let changed = actions(&source(vec![changed, other]));
    assert_eq!(whole[..keep], changed[..keep]);
    assert_ne!(whole[keep..], changed[keep..]);
    assert!(whole.iter().flatten().count() > 1_500);
}

/// Two series of three candles by hand: 100, 110, 99 and 50, 50, 60, a gap before the last of the second.
fn by_hand() -> Arc<MarketFrames> {
    let frame = |opens: &[i64], closes: &[f64]| {
        let prices = closes.iter().enumerate().map(|(row, close)| {
            // Opens where the candle before it closed, so that nothing happens over night.
            let open = if row == 0 { *close } else { closes[row - 1] };
            let (high, low) = (open.max(*close), open.min(*close));
            sim::market_environment::Prices { open, high, low, close: *close }
        });
        MarketFrame {
            columns: 1,
            features: vec![0.0; closes.len()],
            prices: prices.collect(),
            open_times: opens.iter().map(|open| open * 86_400_000).collect(),
            candle_ms: 86_400_000,
            valid: Vec::new(),
            funding: Vec::new(),
            tick: 0.01,
            lot: 1e-6,
        }
    };
    let first = frame(&[0, 1, 2, 3], &[100.0, 110.0, 99.0, 99.0]);
    let second = frame(&[0, 1, 3, 4], &[50.0, 60.0, 60.0, 30.0]);
    Arc::new(MarketFrames::of_single(vec![first, second]).unwrap())
}

#[test]
fn accounts_go_through_whole_series_and_come_together() {
    let mut config = small().environment;
    config.costs.taker_fee = sim::market_environment::CostRange::fixed(0.001);
    config.costs.slippage = sim::market_environment::CostRange::fixed(0.0);
    let frames = by_hand();
    let paths = play(&config, &frames, &mut Player::Constant(1.0)).unwrap();
    let near = |one: f64, other: f64| (one - other).abs() < 1e-5;
    // All of the first in one run; the second is broken by a gap, and begins anew behind it.
    assert_eq!(
        paths.iter().map(|path| (path.portfolio, path.first_row)).collect::<Vec<_>>(),
        [(0, 0), (1, 0), (1, 2)]
    );
    let hold = |factor: f64| factor - 0.001;
    let expected = [vec![1.0, hold(1.1), hold(0.99), hold(0.99)], vec![1.0, hold(1.2)], vec![1.0, hold(0.5)]];
    for (path, expected) in paths.iter().zip(&expected) {
        assert!(path.equity.len() == expected.len());
        assert!(path.equity.iter().zip(expected).all(|(one, other)| near(*one, *other)), "{path:?}");
        assert!(near(path.turnover, 1.0) && path.fills == 1, "{path:?}");
    }
    // Halves of the cash: the second keeps what it has over the gap, and goes on from there.
    let curve = together(&paths, &frames).unwrap();
    assert_eq!(
        curve.times.iter().map(|time| time.as_millis() / 86_400_000).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5]
    );
    let (first, second) = (hold(0.99), hold(1.2));
    let expected = [1.0, hold(1.1) + second, first + second, first + second, first + second * hold(0.5)];
    let expected = expected.map(|sum| if sum == 1.0 { 1.0 } else { 0.5 * sum });
    assert!(curve.equity.iter().zip(expected).all(|(one, other)| near(*one, other)), "{curve:?}");
}

/// An account that is ruined does not begin again behind a gap.
#[test]
fn what_is_ruined_stays_so() {
    let mut frames = by_hand().portfolio(1).to_vec();
    frames[0].prices[1].close = 4.0;
    frames[0].prices[1].low = 4.0;
    let frames = Arc::new(MarketFrames::of_single(frames).unwrap());
    let paths = play(&small().environment, &frames, &mut Player::Constant(1.0)).unwrap();
    assert_eq!((paths.len(), paths[0].terminated), (1, true));
    let curve = together(&paths, &frames).unwrap();
    assert!(curve.equity.iter().skip(1).all(|equity| *equity < 0.1), "{curve:?}");
    let flat = play(&small().environment, &frames, &mut Player::Constant(0.0)).unwrap();
    assert_eq!(flat.len(), 2);
}

#[test]
fn players_are_judged_side_by_side() {
    let config = small().environment;
    let all = frames(PolicyInputs::default(), &world().candles);
    let frames = Arc::new(MarketFrames::of_single(all).unwrap());
    let script = |_: usize, row: usize| if row.is_multiple_of(2) { 1.0 } else { -1.0 };
    let groups = vec![
        ("turns".to_owned(), PlayerKind::Model, vec![Player::Scripted(&script)]),
        ("hold".to_owned(), PlayerKind::BuyAndHold, vec![Player::Constant(1.0)]),
        ("flat".to_owned(), PlayerKind::Flat, vec![Player::Constant(0.0)]),
        ("random".to_owned(), PlayerKind::Random, vec![Player::Random(1), Player::Random(2)]),
    ];
    let judged = judge_players(&config, &frames, groups).unwrap();
    let [turns, hold, flat, random] = &judged[..] else { panic!("{judged:?}") };
    assert_eq!((flat.total_return.mean, flat.turnover, flat.fills), (0.0, 0.0, 0.0));
    assert_eq!((flat.sharpe, hold.fills), (None, 3.0));
    assert!(turns.turnover > 1.9 && turns.turnover < 2.1 && turns.ended == 1, "{turns:?}");
    assert!(turns.total_return.mean < -0.85, "each step costs two turns of fee and slippage: {turns:?}");
    assert_eq!(random.total_returns.len(), 2);
    assert_ne!(random.total_returns[0], random.total_returns[1]);
    assert!(random.total_return.mean < hold.total_return.mean);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let tuned = PolicyConfig { fine_tuning: Some(FineTuning::default()), ..small() };
    let mut window = PolicyConfig {
        inputs: PolicyInputs { source: InputSource::Columns, probabilities: true },
        ..tuned.clone()
    };
    let normalised = window.clone();
    window.recipe.ppo.normalisation.observations = false;
    window.environment.window = 2;
    let mut dqn = window.clone();
    (dqn.environment.window, dqn.recipe.algorithm) = (1, Algorithm::Dqn);
    let mut infinite = small();
    infinite.recipe.ppo.maximum_gradient_norm = f32::INFINITY;
    let mut remembering = small();
    remembering.environment.window = 3;
    remembering.recipe.policy.actor = rl::SequenceConfig::default().into();
    for (config, word) in [
        (tuned, "inputs.source"),
        (window, "environment.window"),
        (dqn, "recipe.algorithm"),
        (normalised, "normalisation.observations"),
        (infinite, "infinite"),
        (remembering, "recipe.policy.actor.memory"),
        (PolicyConfig { validations: 0, ..small() }, "validations"),
        (
            PolicyConfig {
                specialists: Some(SpecialistsConfig { lookback: 0, ..Default::default() }),
                ..small()
            },
            "specialists.lookback",
        ),
    ] {
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    let none = tempfile::tempdir().unwrap();
    let Err(error) = PolicyBundle::read(none.path()) else { panic!("an empty directory is no policy") };
    assert!(error.to_string().contains("train-rl"), "{error}");
}
