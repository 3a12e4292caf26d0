//! The market environment by hand: candles and actions in, equity, reward and ends out.

use std::sync::Arc;

use rl::{Actions, Outcomes, Space, VecEnvironment};
use sim::market_environment::{
    ActionScheme, CostCurriculum, CostRange, EpisodeConfig, MarketEnvironment, MarketEnvironmentConfig,
    MarketFrame, MarketFrames, ObservedAccount, Prices, RewardTerm, WeightedReward,
};

/// Rows of open, high, low and close, an hour each; the only feature is the number of the row.
fn frame(rows: &[[f64; 4]], tick: f64, lot: f64) -> MarketFrame {
    MarketFrame {
        columns: 1,
        features: (0..rows.len()).map(|row| row as f32).collect(),
        prices: rows.iter().map(|&[open, high, low, close]| Prices { open, high, low, close }).collect(),
        open_times: (0..rows.len() as i64).map(|row| row * 3_600_000).collect(),
        candle_ms: 3_600_000,
        valid: Vec::new(),
        funding: Vec::new(),
        tick,
        lot,
    }
}

/// 1000 of cash, no costs, no band, a window of one row, the whole series, levels short, flat and long.
fn plain() -> MarketEnvironmentConfig {
    let mut config = MarketEnvironmentConfig {
        environments: 1,
        window: 1,
        cash: 1000.0,
        rebalance_band: 0.0,
        episode: EpisodeConfig::WholeSeries,
        ..MarketEnvironmentConfig::default()
    };
    config.costs.taker_fee = CostRange::fixed(0.0);
    config.costs.slippage = CostRange::fixed(0.0);
    config
}

fn rewards(terms: &[(RewardTerm, f64)]) -> Vec<WeightedReward> {
    terms.iter().map(|&(reward, weight)| WeightedReward { reward, weight }).collect()
}

/// What a step must give: equity, reward and whether it went on, was truncated or terminated.
type Expected = (f64, f64, char);

struct Card {
    name: &'static str,
    set: fn(&mut MarketEnvironmentConfig),
    /// Lot and funding rates.
    lot: f64,
    funding: &'static [f64],
    /// The first is the one at whose close is decided first.
    candles: &'static [[f64; 4]],
    /// Choices, by parts.
    actions: &'static [&'static [usize]],
    expected: &'static [Expected],
}

const NOTHING: fn(&mut MarketEnvironmentConfig) = |_| {};
const AT_100: [f64; 4] = [100.0; 4];
/// Opens at 100 and rises to 110, or falls to 90.
const RISES: [f64; 4] = [100.0, 110.0, 100.0, 110.0];
const FALLS: [f64; 4] = [100.0, 100.0, 90.0, 90.0];
const SHORT: &[usize] = &[0];
const FLAT: &[usize] = &[1];
const LONG: &[usize] = &[2];

fn brackets(config: &mut MarketEnvironmentConfig) {
    let (levels, stops, targets) = (vec![0.0, 1.0, -1.0], vec![0.0, 0.05], vec![0.0, 0.1]);
    config.actions = ActionScheme::Brackets { levels, stops, targets };
}

fn doubled(config: &mut MarketEnvironmentConfig) {
    config.actions = ActionScheme::TargetLevels { levels: vec![-2.0, 0.0, 2.0] };
    config.maximum_exposure = 2.0;
    config.margin.maintenance_rate = 0.05;
}

fn some_less(config: &mut MarketEnvironmentConfig) {
    config.actions = ActionScheme::TargetLevels { levels: vec![0.0, 1.0, 0.7] };
}

fn sharpe(config: &mut MarketEnvironmentConfig) {
    config.rewards = rewards(&[(RewardTerm::DifferentialSharpe { adaptation: 0.5 }, 1.0)]);
}

fn sortino(config: &mut MarketEnvironmentConfig) {
    config.rewards = rewards(&[(RewardTerm::DifferentialSortino { adaptation: 0.5 }, 1.0)]);
}

/// 10 held: 1000 becomes 1100, 990 (-10 %) and 1039.5 (+5 %).
const SWING: &[[f64; 4]] = &[AT_100, RISES, [110.0, 110.0, 99.0, 99.0], [99.0, 103.95, 99.0, 103.95]];

#[rustfmt::skip]
const CARDS: &[Card] = &[
    // 1000 / 100 = 10 bought at 100; 10 × 110 = 1100; ln 1.1.
    Card { name: "long", set: NOTHING, lot: 0.01, funding: &[], candles: &[AT_100, RISES], actions: &[LONG],
        expected: &[(1100.0, 0.095_310, 't')] },
    // 10 sold at 100, worth 90.
    Card { name: "short", set: NOTHING, lot: 0.01, funding: &[], candles: &[AT_100, FALLS], actions: &[SHORT],
        expected: &[(1100.0, 0.095_310, 't')] },
    Card { name: "flat", set: NOTHING, lot: 0.01, funding: &[], candles: &[AT_100, RISES, FALLS], actions: &[FLAT, FLAT],
        expected: &[(1000.0, 0.0, '-'), (1000.0, 0.0, 't')] },
    Card { name: "no shorts", set: |config| config.shorts = false, lot: 0.01, funding: &[], candles: &[AT_100, FALLS],
        actions: &[SHORT], expected: &[(1000.0, 0.0, 't')] },
    // 10 × 100 × 0.001 = 1; ln 0.999.
    Card { name: "fee", set: |config| config.costs.taker_fee = CostRange::fixed(0.001), lot: 0.01, funding: &[],
        candles: &[AT_100, AT_100], actions: &[LONG], expected: &[(999.0, -0.001_000_5, 't')] },
    // 100 × 1.015 = 101.5, on the tick of 1 against a buyer 102; 10 × -2.
    Card { name: "slippage of a buyer", set: |config| config.costs.slippage = CostRange::fixed(0.015), lot: 0.01, funding: &[],
        candles: &[AT_100, AT_100], actions: &[LONG], expected: &[(980.0, -0.020_203, 't')] },
    // 98.5 is 98 for a seller.
    Card { name: "slippage of a seller", set: |config| config.costs.slippage = CostRange::fixed(0.015), lot: 0.01, funding: &[],
        candles: &[AT_100, AT_100], actions: &[SHORT], expected: &[(980.0, -0.020_203, 't')] },
    // Nothing is held at the first open; at the second 10 × 100 × 0.01 is paid.
    Card { name: "funding", set: NOTHING, lot: 0.01, funding: &[0.0, 0.01, 0.01], candles: &[AT_100, AT_100, AT_100],
        actions: &[LONG, LONG], expected: &[(1000.0, 0.0, '-'), (990.0, -0.010_050, 't')] },
    // Sized at the close of 100: 10. Bought at the open of 105 and worth that.
    Card { name: "trades at the next open", set: NOTHING, lot: 0.01, funding: &[], candles: &[AT_100, [105.0; 4]],
        actions: &[LONG], expected: &[(1000.0, 0.0, 't')] },
    // 10 are three whole lots of 3; 9 × 10 gained.
    Card { name: "whole lots", set: NOTHING, lot: 3.0, funding: &[], candles: &[AT_100, RISES], actions: &[LONG],
        expected: &[(1090.0, 0.086_178, 't')] },
    // 0.7 after 1.0 sells 3 of 10: 1000 + 7 × 10.
    Card { name: "without band", set: some_less, lot: 0.01, funding: &[], candles: &[AT_100, AT_100, RISES], actions: &[&[1], &[2]],
        expected: &[(1000.0, 0.0, '-'), (1070.0, 0.067_659, 't')] },
    // A change of 0.3 is within the band of 0.5.
    Card { name: "within the band", set: |config| { some_less(config); config.rebalance_band = 0.5; }, lot: 0.01, funding: &[],
        candles: &[AT_100, AT_100, RISES], actions: &[&[1], &[2]], expected: &[(1000.0, 0.0, '-'), (1100.0, 0.095_310, 't')] },
    // In and out whatever the band: half of equity is below it. 5 × 10 gained, and nothing after.
    Card { name: "opening and closing ignore the band", set: |config| {
            config.actions = ActionScheme::TargetLevels { levels: vec![0.0, 0.5] }; config.rebalance_band = 0.99;
        }, lot: 0.01, funding: &[], candles: &[AT_100, RISES, [110.0, 120.0, 110.0, 120.0]], actions: &[&[1], &[0]],
        expected: &[(1050.0, 0.048_790, '-'), (1050.0, 0.0, 't')] },
    // 10 bought for a fee of 1: 1099 at 110. Short: 1099 / 110 = 9.99; sells 19.99 at 110 for 2.1989; 9.99 × 10 gained.
    Card { name: "flip", set: |config| config.costs.taker_fee = CostRange::fixed(0.001), lot: 0.01, funding: &[],
        candles: &[AT_100, RISES, [110.0, 110.0, 100.0, 100.0]], actions: &[LONG, SHORT],
        expected: &[(1099.0, 0.094_401, '-'), (1196.7011, 0.085_168, 't')] },
    // 3 wanted, 1.5 allowed: 15 × 10 gained.
    Card { name: "largest exposure", set: |config| {
            config.actions = ActionScheme::TargetLevels { levels: vec![3.0] }; config.maximum_exposure = 1.5;
        }, lot: 0.01, funding: &[], candles: &[AT_100, RISES], actions: &[&[0]], expected: &[(1150.0, 0.139_762, 't')] },
    // 20 held with -1000 of cash: due where -1000 + 20 p = 0.05 × 20 p, p = 52.63; sold on the tick below, 52: 40 is left.
    Card { name: "liquidation of a long", set: doubled, lot: 0.01, funding: &[], candles: &[AT_100, [100.0, 100.0, 50.0, 90.0]],
        actions: &[LONG], expected: &[(40.0, -3.218_876, 'T')] },
    // At 53 the equity of 60 is above 53: it lives, 20 × 90 - 1000 = 800.
    Card { name: "just not liquidated", set: doubled, lot: 0.01, funding: &[], candles: &[AT_100, [100.0, 100.0, 53.0, 90.0]],
        actions: &[LONG], expected: &[(800.0, -0.223_144, 't')] },
    // -20 with 3000 of cash: due where 3000 - 20 p = 20 p × 0.05, p = 142.86, bought at 143: 140 is left.
    Card { name: "liquidation of a short", set: doubled, lot: 0.01, funding: &[], candles: &[AT_100, [100.0, 145.0, 100.0, 110.0]],
        actions: &[SHORT], expected: &[(140.0, -1.966_113, 'T')] },
    // Opens at 45, where 900 - 1000 is less than nothing: the venue bears it. ln(0.1 / 1000).
    Card { name: "a gap through the liquidation", set: doubled, lot: 0.01, funding: &[], candles: &[AT_100, AT_100, [45.0; 4]],
        actions: &[LONG, LONG], expected: &[(1000.0, 0.0, '-'), (0.0, -9.210_340, 'T')] },
    // Equity is nothing and not less: the drawdown grew by 1.
    Card { name: "the venue bears what is beyond", set: |config| {
            doubled(config); config.rewards = rewards(&[(RewardTerm::DrawdownPenalty, 1.0)]);
        }, lot: 0.01, funding: &[], candles: &[AT_100, AT_100, [45.0; 4]], actions: &[LONG, LONG],
        expected: &[(1000.0, 0.0, '-'), (0.0, -1.0, 'T')] },
    Card { name: "ruin", set: |config| config.margin.ruin = 0.4, lot: 0.01, funding: &[],
        candles: &[AT_100, [100.0, 100.0, 40.0, 40.0], AT_100], actions: &[LONG], expected: &[(400.0, -0.916_291, 'T')] },
    // Entry 100, stop 95, target 110. Both are met: the stop.
    Card { name: "stop before target", set: brackets, lot: 0.01, funding: &[], candles: &[AT_100, [100.0, 112.0, 94.0, 111.0]],
        actions: &[&[1, 1, 1]], expected: &[(950.0, -0.051_293, 't')] },
    Card { name: "target", set: brackets, lot: 0.01, funding: &[], candles: &[AT_100, [100.0, 112.0, 96.0, 97.0]],
        actions: &[&[1, 1, 1]], expected: &[(1100.0, 0.095_310, 't')] },
    Card { name: "a target that was only touched", set: brackets, lot: 0.01, funding: &[],
        candles: &[AT_100, [100.0, 110.0, 96.0, 105.0]], actions: &[&[1, 1, 1]], expected: &[(1050.0, 0.048_790, 't')] },
    // The bracket of the entry holds although the next action asks for none; the stop is beyond the open of 90.
    Card { name: "a gap through the stop", set: brackets, lot: 0.01, funding: &[], candles: &[AT_100, AT_100, [90.0, 99.0, 90.0, 99.0]],
        actions: &[&[1, 1, 1], &[1, 0, 0]], expected: &[(1000.0, 0.0, '-'), (900.0, -0.105_361, 't')] },
    // Short from 100: stop at 105.
    Card { name: "stop of a short", set: brackets, lot: 0.01, funding: &[], candles: &[AT_100, [100.0, 106.0, 89.0, 89.0]],
        actions: &[&[2, 1, 1]], expected: &[(950.0, -0.051_293, 't')] },
    // The highest was 1100: 990 lies 10 % below, 1039.5 less so.
    Card { name: "drawdown penalty", set: |config| config.rewards = rewards(&[(RewardTerm::DrawdownPenalty, 1.0)]), lot: 0.01,
        funding: &[], candles: SWING, actions: &[LONG, LONG, LONG],
        expected: &[(1100.0, 0.0, '-'), (990.0, -0.1, '-'), (1039.5, 0.0, 't')] },
    // A = 0.05 and B = 0.005 after the first; then ΔA = -0.15, ΔB = 0.005:
    // (0.005 × -0.15 - 0.05 × 0.005 / 2) / 0.0025^1.5 = -0.000875 / 0.000125 = -7.
    // A = -0.025, B = 0.0075; R = 0.05: ΔA = 0.075, ΔB = -0.005: (0.0005625 - 0.0000625) / 0.006875^1.5 = 0.877124.
    Card { name: "differential Sharpe ratio", set: sharpe, lot: 0.01, funding: &[], candles: SWING, actions: &[LONG, LONG, LONG],
        expected: &[(1100.0, 0.0, '-'), (990.0, -7.0, '-'), (1039.5, 0.877_124, 't')] },
    // No loss before the second, in which DD² becomes 0.005 and A -0.025: (0.05 + 0.0125) / 0.0707107.
    Card { name: "differential Sortino ratio", set: sortino, lot: 0.01, funding: &[], candles: SWING, actions: &[LONG, LONG, LONG],
        expected: &[(1100.0, 0.0, '-'), (990.0, 0.0, '-'), (1039.5, 0.883_883, 't')] },
    // 1000 of 1000 traded, then nothing.
    Card { name: "turnover penalty", set: |config| config.rewards = rewards(&[(RewardTerm::TurnoverPenalty, 1.0)]), lot: 0.01,
        funding: &[], candles: &[AT_100, RISES, [110.0; 4]], actions: &[LONG, LONG],
        expected: &[(1100.0, -1.0, '-'), (1100.0, 0.0, 't')] },
    // The close rose by a tenth; the sign of what was held is all that counts, the late open is not.
    Card { name: "position-based return", set: |config| config.rewards = rewards(&[(RewardTerm::PositionBasedReturn, 1.0)]),
        lot: 0.01, funding: &[], candles: &[AT_100, [110.0; 4], [110.0, 110.0, 99.0, 99.0]], actions: &[SHORT, FLAT],
        expected: &[(1000.0, -0.1, '-'), (1000.0, 0.0, 't')] },
    // 2 ln 1.1 - 0.5 × 1.
    Card { name: "weights", set: |config| {
            config.rewards = rewards(&[(RewardTerm::LogEquity, 2.0), (RewardTerm::TurnoverPenalty, 0.5)]);
        }, lot: 0.01, funding: &[], candles: &[AT_100, RISES], actions: &[LONG], expected: &[(1100.0, -0.309_380, 't')] },
];

fn actions_of(space: &Space, choices: &[usize]) -> Actions {
    match space {
        Space::Discrete { .. } => Actions::Discrete(choices.to_vec()),
        _ => Actions::MultiDiscrete(choices.to_vec(), choices.len()),
    }
}

/// Equity after the last step, also where the next episode has begun: what fills and closes say.
fn final_equity(environment: &MarketEnvironment, cash: f64) -> f64 {
    let width = environment.observation_space().width();
    let mut last = vec![0.0; width];
    environment.observe_final(0, &mut last);
    cash * f64::from(last[width - 3]).exp()
}

#[test]
fn cards() {
    for card in CARDS {
        let mut config = plain();
        (card.set)(&mut config);
        let mut series = frame(card.candles, if card.candles == SWING { 0.01 } else { 1.0 }, card.lot);
        series.funding = card.funding.to_vec();
        let frames = Arc::new(MarketFrames::of_single(vec![series]).unwrap());
        let mut environment = MarketEnvironment::new(config, frames).unwrap();
        let mut outcomes = Outcomes::default();
        assert_eq!(card.actions.len(), card.expected.len());
        for (at, (action, expected)) in card.actions.iter().zip(card.expected).enumerate() {
            let action = actions_of(environment.action_space(), action);
            environment.step(&action, &mut outcomes).unwrap();
            let step = outcomes.steps[0];
            let end = match (step.terminated, step.truncated) {
                (false, false) => '-',
                (false, true) => 't',
                (true, false) => 'T',
                (true, true) => '!',
            };
            let equity =
                if end == '-' { environment.equity()[0] } else { final_equity(&environment, 1000.0) };
            // A logarithm of f32 is good to seven digits; below 0.0001 of the cash it is not taken.
            let equal =
                (equity - expected.0).abs() <= 1e-3 + 1000.0 * 1e-4 * f64::from(u8::from(expected.0 == 0.0));
            let name = format!("{}, step {at}: {equity} {} {end}", card.name, step.reward);
            assert!(equal && end == expected.2, "{name}");
            assert!((f64::from(step.reward) - expected.1).abs() < 2e-6, "{name}");
        }
    }
    assert!(CARDS.len() >= 15);
}

/// Prices that go up and down, all four equal.
fn zigzag(rows: usize) -> MarketFrame {
    let prices: Vec<[f64; 4]> = (0..rows).map(|row| [100.0 + ((row * 37) % 11) as f64; 4]).collect();
    frame(&prices, 1.0, 0.01)
}

fn all(environment: &MarketEnvironment) -> Vec<f32> {
    let mut observations = vec![0.0; environment.len() * environment.observation_space().width()];
    environment.observe(&mut observations);
    observations
}

#[test]
fn episodes_begin_anew_in_the_step_in_which_they_end() {
    let config =
        MarketEnvironmentConfig { window: 3, episode: EpisodeConfig::RandomWindow { length: 2 }, ..plain() };
    let frames = Arc::new(MarketFrames::of_single(vec![zigzag(50)]).unwrap());
    let mut environment = MarketEnvironment::new(config, frames).unwrap();
    environment.reset(5);
    let (_, first) = environment.place(0).unwrap();
    let mut outcomes = Outcomes::default();
    let long = Actions::Discrete(vec![2]);
    environment.step(&long, &mut outcomes).unwrap();
    assert_eq!((outcomes.steps[0].truncated, environment.place(0).unwrap().1), (false, first + 1));
    let middle = all(&environment);
    assert_eq!(middle[..3], [first as f32 - 1.0, first as f32, first as f32 + 1.0]);
    // One candle held of two, one step of two left.
    assert_eq!((middle[5], middle[8]), (0.5, 0.5));
    environment.step(&long, &mut outcomes).unwrap();
    assert!(outcomes.steps[0].truncated && !outcomes.steps[0].terminated);
    let mut last = vec![0.0; 9];
    environment.observe_final(0, &mut last);
    assert_eq!(last[..3], [first as f32, first as f32 + 1.0, first as f32 + 2.0]);
    assert_eq!((last[5], last[8]), (1.0, 0.0));
    // The next episode: flat, whole, undamaged.
    let next = all(&environment);
    let (_, row) = environment.place(0).unwrap();
    assert_eq!(next[2], row as f32);
    assert_eq!(next[3..], [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
    assert_eq!((environment.equity()[0], environment.lots()[0]), (1000.0, 0.0));
}

#[test]
fn positions_and_account_are_observed() {
    let frames = Arc::new(MarketFrames::of_single(vec![frame(SWING, 0.01, 0.01)]).unwrap());
    let mut environment = MarketEnvironment::new(plain(), frames).unwrap();
    let mut outcomes = Outcomes::default();
    environment.step(&Actions::Discrete(vec![2]), &mut outcomes).unwrap();
    // 10 for 1000, now 1100.
    let seen = all(&environment);
    let near =
        |seen: &[f32], wanted: &[f32]| seen.iter().zip(wanted).all(|(one, other)| (one - other).abs() < 1e-6);
    assert!(near(&seen, &[1.0, 1.0, 0.1, 1.0 / 3.0, 0.095_310, 0.0, 2.0 / 3.0]), "{seen:?}");
    environment.step(&Actions::Discrete(vec![2]), &mut outcomes).unwrap();
    // Worth 990, from 1100.
    let seen = all(&environment);
    assert!(near(&seen, &[2.0, 1.0, -0.01, 2.0 / 3.0, -0.010_050, 0.1, 1.0 / 3.0]), "{seen:?}");
}

#[test]
fn windows_and_trades_never_reach_across_gaps_or_invalid_rows() {
    let mut series = zigzag(60);
    // A day is missing before row 20, and row 40 is not valid: even its prices make no sense.
    series.open_times[20..].iter_mut().for_each(|time| *time += 86_400_000);
    series.valid = (0..60).map(|row| row != 40).collect();
    series.prices[40].open = f64::NAN;
    series.features[40] = f32::NAN;
    let config = MarketEnvironmentConfig {
        environments: 8,
        window: 5,
        episode: EpisodeConfig::RandomWindow { length: 7 },
        ..plain()
    };
    let frames = Arc::new(MarketFrames::of_single(vec![series]).unwrap());
    let mut environment = MarketEnvironment::new(config, frames).unwrap();
    let (mut outcomes, mut seen_in) = (Outcomes::default(), [0; 3]);
    let run = |row: f32| {
        if row < 20.0 {
            0
        } else if row < 40.0 {
            1
        } else {
            2
        }
    };
    for at in 0..300_usize {
        for row in all(&environment).chunks_exact(11) {
            let (first, last) = (row[0], row[4]);
            assert_eq!((last - first, run(first)), (4.0, run(last)));
            assert!(row.iter().all(|value| value.is_finite()));
            seen_in[run(first)] += 1;
        }
        let actions = (0..8).map(|index| (at * 7 + index) % 3).collect();
        environment.step(&Actions::Discrete(actions), &mut outcomes).unwrap();
        assert!(environment.equity().iter().all(|equity| equity.is_finite()));
    }
    assert!(seen_in.iter().all(|count| *count > 300), "{seen_in:?}");
}

#[test]
fn the_same_seed_gives_the_same_episodes_and_another_does_not() {
    let mut config = MarketEnvironmentConfig {
        environments: 3,
        window: 4,
        episode: EpisodeConfig::RandomWindow { length: 6 },
        ..plain()
    };
    config.costs.taker_fee = CostRange { from: 0.0, to: 0.01 };
    config.augmentation.feature_noise = 0.5;
    config.augmentation.time_shift = 3;
    let frames = Arc::new(MarketFrames::of_single(vec![zigzag(200), zigzag(150)]).unwrap());
    let mut environment = MarketEnvironment::new(config, frames).unwrap();
    let mut play = |seed: u64, first_episode: usize| {
        environment.reset(seed);
        let (mut outcomes, mut story) = (Outcomes::default(), Vec::new());
        for step in 0..24 {
            let choice = if step < 6 { first_episode } else { step % 3 };
            environment.step(&Actions::Discrete(vec![choice; 3]), &mut outcomes).unwrap();
            story.push((format!("{:?}", outcomes.steps), all(&environment)));
        }
        story
    };
    let first = play(1, 0);
    assert_eq!(first, play(1, 0));
    assert_ne!(first, play(2, 0));
    // What was done in an episode (of six steps) is not to be seen in the next, from its first observation on.
    let other = play(1, 2);
    assert_ne!(first[4], other[4]);
    assert_eq!(first[5].1, other[5].1);
    assert_eq!(first[6..], other[6..]);
}

/// For a policy that trades without an end: 1 candle of 101, 2 of 102, and nothing of when the episode began or ends.
#[test]
fn positions_alone_say_nothing_of_the_episode() {
    let frames = Arc::new(MarketFrames::of_single(vec![frame(SWING, 0.01, 0.01)]).unwrap());
    let config = MarketEnvironmentConfig { account: ObservedAccount::Positions, ..plain() };
    let mut environment = MarketEnvironment::new(config, frames).unwrap();
    let mut outcomes = Outcomes::default();
    for expected in [[1.0, 1.0, 0.1, 1.0 / 101.0], [2.0, 1.0, -0.01, 2.0 / 102.0]] {
        environment.step(&Actions::Discrete(vec![2]), &mut outcomes).unwrap();
        let seen = all(&environment);
        assert!(seen.len() == 4 && seen.iter().zip(expected).all(|(one, other)| (one - other).abs() < 1e-6));
    }
    environment.step(&Actions::Discrete(vec![2]), &mut outcomes).unwrap();
    assert!(outcomes.steps[0].truncated);
    let mut last = vec![0.0; 4];
    environment.observe_final(0, &mut last);
    assert!((last[3] - 3.0 / 103.0).abs() < 1e-6, "{last:?}");
    assert_eq!(all(&environment)[1..], [0.0; 3]);
}

#[test]
fn a_saved_environment_goes_on_to_the_bit() {
    let mut config = MarketEnvironmentConfig {
        environments: 3,
        window: 4,
        episode: EpisodeConfig::RandomWindow { length: 6 },
        rewards: rewards(&[(RewardTerm::DifferentialSharpe { adaptation: 0.1 }, 1.0)]),
        ..plain()
    };
    config.costs.taker_fee = CostRange { from: 0.0, to: 0.01 };
    config.costs.curriculum = Some(CostCurriculum { start: 0.1, steps: 30 });
    config.augmentation.feature_noise = 0.5;
    let frames = Arc::new(MarketFrames::of_single(vec![zigzag(200), zigzag(150)]).unwrap());
    let make = |config: &MarketEnvironmentConfig| {
        MarketEnvironment::new(config.clone(), Arc::clone(&frames)).unwrap()
    };
    let go_on = |environment: &mut MarketEnvironment, from: usize| {
        let (mut outcomes, mut story) = (Outcomes::default(), Vec::new());
        for step in from..from + 25 {
            environment.step(&Actions::Discrete(vec![step % 3; 3]), &mut outcomes).unwrap();
            let mut last = vec![0.0; environment.observation_space().width()];
            environment.observe_final(step % 3, &mut last);
            story.push((format!("{:?}", outcomes.steps), all(environment), last));
        }
        story
    };
    let mut whole = make(&config);
    whole.reset(3);
    go_on(&mut whole, 0);
    let saved = whole.save().unwrap();
    let mut other = make(&config);
    other.restore(&saved).unwrap();
    assert_eq!(go_on(&mut whole, 25), go_on(&mut other, 25));
    // Settings, candles and bytes of something else are refused.
    config.cash += 1.0;
    assert!(make(&config).restore(&saved).unwrap_err().to_string().contains("other settings"));
    assert!(other.restore(&saved[..saved.len() - 1]).unwrap_err().to_string().contains("damaged"));
    let changed = Arc::new(MarketFrames::of_single(vec![zigzag(201), zigzag(150)]).unwrap());
    assert!(MarketEnvironment::new(other.config().clone(), changed).unwrap().restore(&saved).is_err());
}

#[test]
fn whole_series_are_played_in_turn() {
    let mut series = zigzag(30);
    series.valid = (0..30).map(|row| row != 9 && row != 20).collect();
    let config = MarketEnvironmentConfig { environments: 2, window: 2, ..plain() };
    let frames = Arc::new(MarketFrames::of_single(vec![series]).unwrap());
    let mut environment = MarketEnvironment::new(config, frames).unwrap();
    let mut outcomes = Outcomes::default();
    // Runs 0..9, 10..20 and 21..30: first decisions at 1, 11 and 22; 7, 8 and 7 steps.
    let mut firsts = [vec![environment.place(0).unwrap().1], vec![environment.place(1).unwrap().1]];
    for _ in 0..30 {
        environment.step(&Actions::Discrete(vec![1, 1]), &mut outcomes).unwrap();
        for (index, firsts) in firsts.iter_mut().enumerate() {
            if outcomes.steps[index].truncated {
                firsts.push(environment.place(index).unwrap().1);
            }
        }
    }
    assert_eq!(firsts[0][..4], [1, 22, 11, 1]);
    assert_eq!(firsts[1][..4], [11, 1, 22, 11]);
}

#[test]
fn costs_are_drawn_and_rise_with_the_curriculum() {
    let mut config =
        MarketEnvironmentConfig { episode: EpisodeConfig::RandomWindow { length: 10 }, ..plain() };
    config.costs.taker_fee = CostRange { from: 0.001, to: 0.002 };
    config.costs.curriculum = Some(CostCurriculum { start: 0.2, steps: 100 });
    let frames = Arc::new(MarketFrames::of_single(vec![zigzag(200)]).unwrap());
    let mut environment = MarketEnvironment::new(config, frames).unwrap();
    let mut outcomes = Outcomes::default();
    for episode in 0..30 {
        // 0.2 + 0.8 × share of the 100 steps.
        let factor = (0.2 + 0.8 * f64::from(episode * 10) / 100.0_f64).min(1.0);
        let fee = environment.costs(0).unwrap().0;
        assert!((0.001 * factor..=0.002 * factor).contains(&fee), "{episode} {fee}");
        for _ in 0..10 {
            environment.step(&Actions::Discrete(vec![1]), &mut outcomes).unwrap();
        }
        assert_ne!(environment.costs(0).unwrap().0, fee);
    }
}

#[test]
fn augmentation_blurs_features_and_never_shows_the_future() {
    let mut config = MarketEnvironmentConfig {
        environments: 16,
        window: 4,
        episode: EpisodeConfig::RandomWindow { length: 5 },
        ..plain()
    };
    config.augmentation.time_shift = 3;
    let frames = Arc::new(MarketFrames::of_single(vec![zigzag(300)]).unwrap());
    let mut environment = MarketEnvironment::new(config.clone(), Arc::clone(&frames)).unwrap();
    let shifts: Vec<f32> = all(&environment)
        .chunks_exact(10)
        .enumerate()
        .map(|(index, row)| environment.place(index).unwrap().1 as f32 - row[3])
        .collect();
    assert!(shifts.iter().all(|shift| (0.0..=3.0).contains(shift)), "{shifts:?}");
    assert!((0..=3).all(|shift| shifts.contains(&(shift as f32))), "{shifts:?}");
    // Noise: the same number has the same noise in the next window.
    config.augmentation.time_shift = 0;
    config.augmentation.feature_noise = 0.1;
    environment = MarketEnvironment::new(config, frames).unwrap();
    let before = all(&environment);
    environment.step(&Actions::Discrete(vec![1; 16]), &mut Outcomes::default()).unwrap();
    let after = all(&environment);
    for (before, after) in before.chunks_exact(10).zip(after.chunks_exact(10)) {
        assert_eq!(before[1..4], after[..3]);
        assert!(before[..4].iter().all(|value| value.fract() != 0.0 && (value - value.round()).abs() < 0.5));
    }
}

#[test]
fn assets_trade_together_by_each_scheme() {
    let pair = || {
        vec![vec![
            frame(&[AT_100, RISES], 1.0, 0.01),
            frame(&[[50.0; 4], [50.0, 50.0, 40.0, 40.0]], 1.0, 0.01),
        ]]
    };
    let run = |scheme: ActionScheme, actions: Actions| {
        let config = MarketEnvironmentConfig { actions: scheme, maximum_exposure: 2.0, ..plain() };
        let frames = Arc::new(MarketFrames::new(pair()).unwrap());
        let mut environment = MarketEnvironment::new(config, frames).unwrap().recording_fills();
        environment.step(&actions, &mut Outcomes::default()).unwrap();
        let lots: Vec<(usize, f64)> =
            environment.fills().iter().map(|fill| (fill.asset, fill.lots)).collect();
        (lots, final_equity(&environment, 1000.0).round())
    };
    // 0.01 lots: 1000 of the first is 1000 lots and gains 100, 1000 of the second 2000 lots and loses 200.
    let hold = ActionScheme::BuySellHold { exposure: 0.5 };
    assert_eq!(
        run(hold.clone(), Actions::MultiDiscrete(vec![1, 2], 2)),
        (vec![(0, 500.0), (1, -1000.0)], 1150.0)
    );
    assert_eq!(run(hold, Actions::MultiDiscrete(vec![0, 1], 2)), (vec![(1, 1000.0)], 900.0));
    let levels = ActionScheme::TargetLevels { levels: vec![0.0, 0.25] };
    assert_eq!(run(levels, Actions::MultiDiscrete(vec![1, 1], 2)), (vec![(0, 250.0), (1, 500.0)], 975.0));
    let continuous = ActionScheme::ContinuousTarget { maximum: 0.5 };
    let (lots, _) = run(continuous, Actions::Continuous(vec![-0.25, 7.0], 2));
    assert_eq!(lots, [(0, -250.0), (1, 1000.0)]);
    let one = ActionScheme::AssetAndSize { sizes: vec![-1.0, 0.5] };
    assert_eq!(run(one, Actions::MultiDiscrete(vec![1, 0], 2)), (vec![(1, -2000.0)], 1200.0));
    let base = ActionScheme::BasePortfolio { base: vec![0.5, 0.25], deviation: 0.5 };
    assert_eq!(run(base, Actions::Continuous(vec![-0.5, 0.5], 2)), (vec![(0, 250.0), (1, 1000.0)], 925.0));
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    let frames = Arc::new(MarketFrames::of_single(vec![zigzag(10)]).unwrap());
    let refused = |set: fn(&mut MarketEnvironmentConfig)| {
        let mut config = plain();
        set(&mut config);
        MarketEnvironment::new(config, Arc::clone(&frames)).unwrap_err().to_string()
    };
    assert!(refused(|config| config.window = 10).contains("longer than the 10 rows"));
    assert!(refused(|config| config.rewards.clear()).contains("rewards = []"));
    assert!(refused(|config| config.costs.taker_fee.to = 0.7).contains("costs.taker_fee"));
    assert!(refused(|config| config.margin.ruin = 1.0).contains("margin.ruin = 1"));
    assert!(
        refused(|config| config.actions = ActionScheme::TargetLevels { levels: vec![] })
            .contains("actions.levels")
    );
    let mut environment = MarketEnvironment::new(plain(), frames).unwrap();
    let mut outcomes = Outcomes::default();
    assert!(environment.step(&Actions::Discrete(vec![3]), &mut outcomes).is_err());
    assert!(environment.step(&Actions::Discrete(vec![]), &mut outcomes).is_err());
    assert!(environment.step(&Actions::Continuous(vec![0.0], 1), &mut outcomes).is_err());
    let mut bad = zigzag(10);
    bad.prices[4].low = 500.0;
    assert!(MarketFrames::of_single(vec![bad]).unwrap_err().to_string().contains("row 4"));
    let mut late = zigzag(10);
    late.open_times.iter_mut().for_each(|time| *time += 1);
    assert!(MarketFrames::new(vec![vec![zigzag(10), late]]).unwrap_err().to_string().contains("same times"));
}
