//! Settings as they are read and refused.

use crate::exit::ExitPlan;
use crate::strategy::{
    EqualRiskContributionConfig, MeanReversionConfig, MovingAverageCrossoverConfig, NearestNeighboursConfig,
    StrategyConfig,
};

const KINDS: [&str; 5] = [
    "buy-and-hold",
    "moving-average-crossover",
    "mean-reversion",
    "equal-risk-contribution",
    "nearest-neighbours",
];

#[test]
fn a_kind_alone_is_its_defaults_and_comes_back_from_a_file() {
    for kind in KINDS {
        let config: StrategyConfig = toml::from_str(&format!("kind = '{kind}'")).unwrap();
        config.validate().unwrap();
        let strategy = config.build(3).unwrap();
        let is_short =
            strategy.name().len() <= 6 && strategy.name().bytes().all(|byte| byte.is_ascii_alphanumeric());
        assert!(is_short, "{}", strategy.name());
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<StrategyConfig>(&text).unwrap(), config, "{text}");
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<StrategyConfig>(&json).unwrap(), config, "{json}");
    }
    assert_eq!(StrategyConfig::default(), toml::from_str("kind = 'buy-and-hold'").unwrap());
}

#[test]
fn unknown_settings_are_refused() {
    for kind in KINDS {
        let error =
            toml::from_str::<StrategyConfig>(&format!("kind = '{kind}'\nexposures = 1.0")).unwrap_err();
        assert!(error.to_string().contains("exposures"), "{error}");
    }
    assert!(toml::from_str::<StrategyConfig>("kind = 'buy-and-hope'").is_err());
    assert!(toml::from_str::<StrategyConfig>("exposure = 1.0").is_err());
}

#[test]
fn settings_that_make_no_sense_are_named() {
    for (text, field) in [
        ("kind = 'buy-and-hold'\nexposure = 0.0", "strategy.exposure = 0"),
        ("kind = 'buy-and-hold'\nexposure = nan", "strategy.exposure = NaN"),
        ("kind = 'buy-and-hold'\nwarm_up = 0", "strategy.warm_up = 0"),
        ("kind = 'moving-average-crossover'\nfast = 0", "strategy.fast = 0"),
        ("kind = 'moving-average-crossover'\nfast = 50", "strategy.slow = 50"),
        ("kind = 'moving-average-crossover'\nband = -0.1", "strategy.band = -0.1"),
        ("kind = 'moving-average-crossover'\nexposure = -1.0", "strategy.exposure = -1"),
        (
            "kind = 'moving-average-crossover'\nexits = { stop = { fraction = 0.1 } }",
            "strategy.exits.opposite_signal = false",
        ),
        (
            "kind = 'nearest-neighbours'\nexits = { stop = { fraction = 0.1 } }",
            "strategy.exits.opposite_signal = false",
        ),
        ("kind = 'mean-reversion'\nexits = {}", "strategy.exits.opposite_signal = false"),
        ("kind = 'mean-reversion'\nwindow = 2", "strategy.window = 2"),
        ("kind = 'mean-reversion'\nexit = 2.0", "strategy.exit = 2"),
        ("kind = 'mean-reversion'\nexit = -0.1", "strategy.exit = -0.1"),
        ("kind = 'mean-reversion'\nentry = 4.0", "strategy.entry = 4"),
        ("kind = 'mean-reversion'\nstop = inf", "strategy.stop = inf"),
        ("kind = 'mean-reversion'\nstop = nan", "strategy.entry = 2"),
        // sqrt(17 - 1) = 4
        ("kind = 'mean-reversion'\nwindow = 17", "strategy.stop = 4"),
        ("kind = 'equal-risk-contribution'\nwindow = 3", "strategy.window = 3"),
        ("kind = 'equal-risk-contribution'\nwindow = 8", "strategy.window = 8"),
        ("kind = 'equal-risk-contribution'\nevery = 0", "strategy.every = 0"),
        ("kind = 'equal-risk-contribution'\nband = 0.0", "strategy.band = 0"),
        ("kind = 'equal-risk-contribution'\nmissing_share = 0.6", "strategy.missing_share = 0.6"),
        ("kind = 'nearest-neighbours'\nlags = []", "strategy.lags = []"),
        ("kind = 'nearest-neighbours'\nlags = [0]", "strategy.lags = [0]"),
        ("kind = 'nearest-neighbours'\nfast_volatility = 1", "strategy.fast_volatility = 1"),
        ("kind = 'nearest-neighbours'\nslow_volatility = 12", "strategy.slow_volatility = 12"),
        ("kind = 'nearest-neighbours'\nrange = 1", "strategy.range = 1"),
        ("kind = 'nearest-neighbours'\nhorizon = 0", "strategy.horizon = 0"),
        ("kind = 'nearest-neighbours'\nneighbours = 0", "strategy.neighbours = 0"),
        ("kind = 'nearest-neighbours'\nminimum_memory = 24", "strategy.minimum_memory = 24"),
        ("kind = 'nearest-neighbours'\nmemory = 499", "strategy.minimum_memory = 500"),
        ("kind = 'nearest-neighbours'\nround_trip_cost = -0.1", "strategy.round_trip_cost = -0.1"),
        ("kind = 'nearest-neighbours'\nthreshold_factor = inf", "strategy.threshold_factor = inf"),
    ] {
        let config: StrategyConfig = toml::from_str(text).unwrap();
        let error = config.build(3).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.starts_with(field), "{text}: `{error}`");
    }
    for instruments in [0, 65_537] {
        for kind in KINDS {
            let config: StrategyConfig = toml::from_str(&format!("kind = '{kind}'")).unwrap();
            let error = config.build(instruments).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains("strategy.instruments"), "{kind}: `{error}`");
        }
    }
}

#[test]
fn exits_are_passed_through_with_positions_only() {
    use super::replay::Replay;
    let exits = Some(ExitPlan { opposite_signal: true, ..ExitPlan::default() });
    let average = MovingAverageCrossoverConfig { fast: 1, slow: 2, exits, ..Default::default() };
    let reversion =
        MeanReversionConfig { window: 4, entry: 0.5, exit: 0.2, stop: 1.7, exits, ..Default::default() };
    let neighbours = NearestNeighboursConfig {
        lags: vec![1],
        fast_volatility: 2,
        slow_volatility: 3,
        range: 2,
        horizon: 1,
        neighbours: 1,
        minimum_memory: 1,
        exits,
        ..Default::default()
    };
    for config in [
        StrategyConfig::MovingAverageCrossover(average),
        StrategyConfig::MeanReversion(reversion),
        StrategyConfig::NearestNeighbours(neighbours),
        StrategyConfig::EqualRiskContribution(EqualRiskContributionConfig {
            window: 8,
            ..Default::default()
        }),
    ] {
        let has_exits = !matches!(config, StrategyConfig::EqualRiskContribution(_));
        let mut replay = Replay::new(&config, 1);
        let mut positions = 0;
        for moment in 0..40 {
            let price = 100.0 * (0.05 * (0.9 * f64::from(moment)).sin()).exp();
            for target in replay.step(&[Some(price.into())]).targets {
                let is_position = target.position != crate::strategy::TargetPosition::Flat;
                assert_eq!(target.exits.is_some(), has_exits && is_position, "{target:?}");
                positions += u32::from(is_position);
            }
        }
        assert!(positions > 0, "{config:?}");
    }
}
