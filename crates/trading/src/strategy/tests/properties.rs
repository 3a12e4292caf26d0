//! What holds for any candles.

use proptest::prelude::*;

use super::replay::{Close, Replay};
use crate::strategy::{
    AverageKind, BuyAndHoldConfig, Decision, EqualRiskContributionConfig, MeanReversionConfig,
    MovingAverageCrossoverConfig, NearestNeighboursConfig, Stance, StrategyConfig, equal_risk_contribution,
};

/// Each strategy, with windows short enough to trade in some tens of candles.
fn all() -> [StrategyConfig; 6] {
    let average = |average| MovingAverageCrossoverConfig { average, fast: 2, slow: 4, ..Default::default() };
    [
        StrategyConfig::BuyAndHold(BuyAndHoldConfig { warm_up: 3, ..Default::default() }),
        StrategyConfig::MovingAverageCrossover(average(AverageKind::Simple)),
        StrategyConfig::MovingAverageCrossover(average(AverageKind::Exponential)),
        StrategyConfig::MeanReversion(MeanReversionConfig {
            window: 6,
            entry: 1.0,
            stop: 2.0,
            ..Default::default()
        }),
        StrategyConfig::EqualRiskContribution(EqualRiskContributionConfig {
            window: 8,
            every: 2,
            missing_share: 0.3,
            ..Default::default()
        }),
        StrategyConfig::NearestNeighbours(NearestNeighboursConfig {
            lags: vec![1, 2],
            fast_volatility: 2,
            slow_volatility: 4,
            range: 3,
            horizon: 2,
            neighbours: 2,
            memory: 8,
            minimum_memory: 3,
            ..Default::default()
        }),
    ]
}

type Moment = Vec<Option<Close>>;

fn moments(count: usize) -> impl Strategy<Value = Vec<Moment>> {
    let close = (-0.05..0.05_f64, 0..20_u8, 0..20_u8);
    prop::collection::vec(prop::collection::vec(close, 2), count).prop_map(|rows| {
        let mut logs = [4.6, 2.3];
        rows.iter()
            .map(|row| {
                row.iter()
                    .zip(&mut logs)
                    .map(|((change, missing, gap), log)| {
                        *log += change;
                        (*missing > 0).then(|| Close { price: f64::exp(*log), after_gap: *gap == 0 })
                    })
                    .collect()
            })
            .collect()
    })
}

fn decisions(config: &StrategyConfig, moments: &[Moment]) -> Vec<Decision> {
    let mut replay = Replay::new(config, 2);
    moments.iter().map(|closes| replay.step(closes)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn noise_after_a_moment_changes_no_decision_up_to_it(
        past in moments(40),
        future in moments(20),
        noise in moments(20),
    ) {
        for config in all() {
            let with = |rest: &[Moment]| decisions(&config, &[past.as_slice(), rest].concat());
            let (one, other) = (with(&future), with(&noise));
            prop_assert_eq!(&one[..past.len()], &other[..past.len()], "{:?}", &config);
            prop_assert_eq!(one, with(&future), "not deterministic: {:?}", &config);
        }
    }

    #[test]
    fn a_gap_in_all_instruments_makes_windows_forget_what_was_before(
        one in moments(12),
        other in moments(30),
        after in moments(30),
    ) {
        // Those that have no memory across gaps; the others keep what they learned or held, by design.
        for config in &all()[1..4] {
            let votes = |before: &[Moment]| {
                let mut replay = Replay::new(config, 2);
                for moment in before {
                    replay.step(moment);
                }
                // Not before the position is gone too: a held one decides with.
                replay.is_refusing = true;
                replay.exposures.fill(0.0);
                let mut values = Vec::new();
                for (at, moment) in after.iter().enumerate() {
                    let mut moment = moment.clone();
                    if at == 0 {
                        moment = vec![Some(Close { price: 50.0, after_gap: true }); 2];
                    }
                    let votes = replay.step(&moment).votes;
                    values.push(votes.iter().map(|vote| (vote.value, vote.threshold)).collect::<Vec<_>>());
                }
                values
            };
            prop_assert_eq!(votes(&one), votes(&other), "{:?}", config);
        }
    }

    #[test]
    fn nothing_is_wanted_before_the_warm_up_and_all_speak_after_it(
        changes in prop::collection::vec(-0.05..0.05_f64, 80),
    ) {
        for config in all() {
            let mut replay = Replay::new(&config, 2);
            let (warm_up, mut log) = (replay.warm_up(), 4.6);
            for (at, change) in changes.iter().enumerate() {
                log += change;
                // Without gaps; the second instrument moves in its own way.
                let closes = [f64::exp(log), f64::exp(4.0 - log / 2.0 + change * change)];
                let decision = replay.step(&closes.map(|price| Some(price.into())));
                let is_early = at + 1 < warm_up;
                prop_assert!(!is_early || decision.targets.is_empty(), "{config:?} at {at}");
                for vote in decision.votes {
                    prop_assert_eq!(vote.stance == Stance::Abstains, is_early, "{:?} at {}", &config, at);
                }
            }
        }
    }

    #[test]
    fn risk_contributions_are_equal(
        n in 1..12_usize,
        numbers in prop::collection::vec(-1.0..1.0_f64, 12 * 12),
        scales in prop::collection::vec(-8.0..2.0_f64, 12),
    ) {
        // A Aᵀ + 0.0001 I is positive definite; scales make variances of many magnitudes.
        let a = |row: usize, column: usize| numbers[row * n + column];
        let mut covariance = vec![0.0; n * n];
        for row in 0..n {
            for column in 0..n {
                let product: f64 = (0..n).map(|k| a(row, k) * a(column, k)).sum();
                let own = if row == column { 1e-4 } else { 0.0 };
                covariance[row * n + column] = (product + own) * f64::exp(scales[row] + scales[column]);
            }
        }
        let weights = equal_risk_contribution(&covariance, n).unwrap();
        prop_assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        prop_assert!(weights.iter().all(|weight| *weight > 0.0));
        // Computed from the covariance itself, not from the correlations that the solver works on.
        let contributions: Vec<f64> = (0..n)
            .map(|row| weights[row] * (0..n).map(|k| covariance[row * n + k] * weights[k]).sum::<f64>())
            .collect();
        let variance: f64 = contributions.iter().sum();
        for contribution in contributions {
            prop_assert!((contribution / variance - 1.0 / n as f64).abs() < 2e-10, "{weights:?}");
        }
    }

    #[test]
    fn no_candle_makes_a_strategy_panic_or_want_what_is_no_number(
        prices in prop::collection::vec(prop_oneof![
            Just(f64::NAN), Just(0.0), Just(-1.0), Just(f64::INFINITY), Just(f64::MIN_POSITIVE), Just(1e300),
            1.0..2.0_f64,
        ], 60),
    ) {
        for config in all() {
            let mut replay = Replay::new(&config, 1);
            for price in &prices {
                replay.step(&[Some((*price).into())]);
                prop_assert!(replay.exposures.iter().all(|exposure| exposure.abs() <= 1.0), "{config:?}");
            }
        }
    }
}

#[test]
fn every_strategy_trades_in_these_tests() {
    // Otherwise the properties above would say nothing.
    for config in all() {
        let mut replay = Replay::new(&config, 2);
        let mut named = 0;
        for moment in 0..80 {
            let t = f64::from(moment);
            let closes = [100.0 * (0.05 * (0.7 * t).sin()).exp(), 50.0 * (0.03 * (1.9 * t).cos()).exp()];
            named += replay.step(&closes.map(|price| Some(price.into()))).targets.len();
        }
        assert!(named >= 2, "{config:?} named {named}");
    }
}

#[test]
fn updates_of_unknown_instruments_are_ignored() {
    for config in all() {
        let mut replay = Replay::new(&config, 2);
        replay.exposures.push(0.0);
        for moment in 0..60 {
            let price = 100.0 + f64::from(moment % 7);
            let decision = replay.step(&[Some(price.into()), None, Some(price.into())]);
            assert!(decision.votes.iter().all(|vote| vote.instrument.get() == 0), "{config:?}");
            assert!(decision.targets.iter().all(|target| target.instrument.get() == 0), "{config:?}");
        }
    }
}

proptest! {
    /// A feature on a coarse grid, so that many are equally distant, in a ring of several blocks of distances that is
    /// written over more than once. (Several features: `nearest_neighbours_expect_what_numpy_expects`.)
    #[test]
    fn the_nearest_are_those_of_a_sort(
        moments in prop::collection::vec((0..9_u8, -1.0..1.0_f64), 1..1_000),
        capacity in 1..600_usize,
        neighbours in 1..30_usize,
    ) {
        use crate::strategy::neighbour_memory::Memory;
        let mut memory = Memory::new(1, capacity, 1, neighbours);
        for (feature, log_close) in &moments {
            memory.advance(&[f64::from(*feature)], *log_close);
        }
        let (query, _) = moments[moments.len() - 1];
        // Newest first, and a stable sort keeps that order among equals.
        let mut known: Vec<(u8, f64)> = moments
            .windows(2)
            .rev()
            .take(capacity)
            .map(|pair| (pair[0].0.abs_diff(query), pair[1].1 - pair[0].1))
            .collect();
        known.sort_by_key(|(distance, _)| *distance);
        known.truncate(neighbours);
        let expected = known.iter().map(|(_, outcome)| outcome).sum::<f64>() / known.len().max(1) as f64;
        let actual = memory.expect(&[f64::from(query)]);
        prop_assert!((actual - expected).abs() < 1e-12, "{actual} is not {expected}");
    }
}
