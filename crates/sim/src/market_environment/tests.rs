//! What needs a look inside: nothing of an episode survives its end.

use std::sync::Arc;

use market_data::synthetic::{MarketShape, PriceModel, SyntheticSymbol};
use rl::{Actions, Outcomes, VecEnvironment};

use super::episode::Episode;
use super::reward::Averages;
use super::*;

fn frames() -> Arc<MarketFrames> {
    let candle = |row: usize| {
        let (open, close) = (100.0 + (row % 7) as f64, 100.0 + ((row + 1) % 7) as f64);
        Prices { open, high: open.max(close) + 1.0, low: open.min(close) - 1.0, close }
    };
    let frame = MarketFrame {
        columns: 2,
        features: (0..400).map(|at| at as f32).collect(),
        prices: (0..200).map(candle).collect(),
        open_times: (0..200).collect(),
        candle_ms: 1,
        valid: Vec::new(),
        funding: vec![0.001; 200],
        tick: 0.5,
        lot: 0.1,
    };
    Arc::new(MarketFrames::new(vec![vec![frame.clone(), frame]]).unwrap())
}

fn environment() -> MarketEnvironment {
    let terms = [
        RewardTerm::LogEquity,
        RewardTerm::DifferentialSharpe { adaptation: 0.1 },
        RewardTerm::DifferentialSortino { adaptation: 0.1 },
        RewardTerm::DrawdownPenalty,
    ];
    let config = MarketEnvironmentConfig {
        environments: 2,
        window: 4,
        actions: ActionScheme::Brackets {
            levels: vec![-0.5, 0.0, 0.5],
            stops: vec![0.0, 0.02],
            targets: vec![0.0, 0.02],
        },
        rewards: terms.into_iter().map(|reward| WeightedReward { reward, weight: 1.0 }).collect(),
        episode: EpisodeConfig::RandomWindow { length: 9 },
        augmentation: Augmentation { feature_noise: 0.1, time_shift: 2 },
        ..MarketEnvironmentConfig::default()
    };
    MarketEnvironment::new(config, frames()).unwrap()
}

fn play(environment: &mut MarketEnvironment, steps: usize) -> String {
    let mut outcomes = Outcomes::default();
    let mut story = String::new();
    for step in 0..steps {
        let choices = (0..12).map(|part| (step * 5 + part * 3) % if part % 3 == 0 { 3 } else { 2 }).collect();
        environment.step(&Actions::MultiDiscrete(choices, 6), &mut outcomes).unwrap();
        let mut seen = vec![0.0; 2 * environment.observation_space().width()];
        environment.observe(&mut seen);
        story += &format!("{:?} {seen:?}\n", outcomes.steps);
    }
    story
}

#[test]
fn a_poisoned_episode_leaves_nothing_behind() {
    let (mut clean, mut poisoned) = (environment(), environment());
    play(&mut clean, 5);
    play(&mut poisoned, 5);
    for index in 0..2 {
        let accounts = &mut poisoned.accounts;
        for one in [&mut accounts.cash, &mut accounts.equity, &mut accounts.peak] {
            one[index] = f64::NAN;
        }
        for asset in index * 2..index * 2 + 2 {
            for one in [&mut accounts.lots, &mut accounts.cost, &mut accounts.stop, &mut accounts.target] {
                one[asset] = 1e300;
            }
            accounts.held[asset] = u32::MAX;
            poisoned.unit[asset] = f64::NAN;
        }
        for term in index * 4..index * 4 + 4 {
            poisoned.averages[term] = Averages { mean: f64::NAN, square: f64::NAN };
        }
        poisoned.now[index] = Episode { portfolio: 0, first: 1, row: 2, last: 3, ..Episode::default() };
        clean.begin(index);
        poisoned.begin(index);
    }
    assert_eq!(format!("{clean:?}"), format!("{poisoned:?}"));
    let story = play(&mut clean, 40);
    assert_eq!(story, play(&mut poisoned, 40));
    assert!(!story.contains("NaN") && story.contains("truncated: true"));
}

#[test]
fn randomised_markets_differ_by_index_and_repeat_by_seed() {
    let domain = DomainRandomisation {
        processes: vec![PriceModel::Gbm(Default::default()), PriceModel::Heston(Default::default())],
        lowest_volatility_factor: 0.25,
        highest_volatility_factor: 4.0,
    };
    let shape = MarketShape {
        symbols: vec![SyntheticSymbol::new("BTC/USDT:USDT", 40_000.0).unwrap()],
        candles: 2000,
        ..MarketShape::default()
    };
    // Standard deviation of the returns of a market.
    let deviation = |index: u64| {
        let series = domain.market(&shape, 7, index).unwrap();
        let closes = &series.columns().close;
        let squares = closes.windows(2).map(|pair| (pair[1] / pair[0]).ln().powi(2));
        (squares.sum::<f64>() / 1999.0).sqrt()
    };
    let deviations: Vec<f64> = (0..16).map(deviation).collect();
    let (low, high) =
        deviations.iter().fold((f64::MAX, 0.0_f64), |(low, high), one| (low.min(*one), high.max(*one)));
    // 0.6 a year over 105120 candles of five minutes is 0.00185 each, times 0.25 to 4 (and Heston wanders).
    assert!(low > 0.000_2 && high < 0.012 && high / low > 4.0, "{deviations:?}");
    assert_eq!(deviation(3), deviations[3]);
    let none = DomainRandomisation { processes: Vec::new(), ..domain };
    assert!(none.market(&shape, 7, 0).unwrap_err().to_string().contains("domain.processes"));
}

#[test]
fn configurations_are_read_strictly() {
    let text = "window = 30\nsizing = \"fixed-quantity\"\n[actions]\nscheme = \"brackets\"\nlevels = [0.0, 1.0]\nstops = [0.02]\n\
                targets = [0.0]\n[[rewards]]\nweight = 1.0\nreward = { term = \"differential-sharpe\", adaptation = 0.01 }\n\
                [episode]\nkind = \"random-window\"\nlength = 100\n";
    let config: MarketEnvironmentConfig = toml::from_str(text).unwrap();
    config.validate().unwrap();
    assert_eq!((config.window, config.episode), (30, EpisodeConfig::RandomWindow { length: 100 }));
    let again: MarketEnvironmentConfig = toml::from_str(&toml::to_string(&config).unwrap()).unwrap();
    assert_eq!(again, config);
    assert!(toml::from_str::<MarketEnvironmentConfig>("windows = 30").is_err());
    MarketEnvironmentConfig::default().validate().unwrap();
}
