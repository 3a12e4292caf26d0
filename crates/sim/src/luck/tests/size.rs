//! How often noise passes: a test at 5 % must let about 5 % through.

use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use super::super::random::{below, unit_interval};
use super::super::*;

fn normal_returns(purpose: &str, seed: u64, count: usize) -> Vec<f64> {
    let mut rng = generator(seed, purpose, 0);
    (0..count).map(|_| StandardNormal.sample(&mut rng)).collect()
}

fn share_of(seeds: u64, passes: impl Fn(u64) -> bool + Sync) -> f64 {
    (0..seeds).into_par_iter().filter(|seed| passes(*seed)).count() as f64 / seeds as f64
}

#[test]
fn generators_are_those_of_the_synthetic_markets() {
    use rand::Rng;
    // The numbers that market_data's test pins, from an independent implementation in Python.
    let mut rng = generator(7, "regime/factor", 0);
    assert_eq!([rng.next_u64(), rng.next_u64()], [0x22eb_3a27_55ae_50ae, 0x9f18_8a70_34d9_08be]);
    assert!((0..1_000).all(|_| below(3, &mut rng) < 3));
    assert!((0..1_000).map(|_| unit_interval(&mut rng)).all(|value| value > 0.0 && value <= 1.0));
}

#[test]
fn blocks_start_anywhere_and_have_geometric_lengths() {
    // Mean length b = 4: P(length 1) = 1/4, P(length 2) = 3/16. 10⁶ rows make about 250,000 blocks, whose number has the
    // standard error √(10⁶ · 1/4 · 3/4) = 433. A circle of 10⁶ rows hardly ever cuts one.
    let mut rng = generator(1, "test/blocks", 0);
    let (mut lengths, mut starts) = (Vec::new(), Vec::new());
    StationaryBlocks::new(1_000_000, 4.0).draw(1_000_000, &mut rng, |rows| {
        lengths.push(rows.len());
        starts.push(rows.start as f64);
    });
    assert_eq!(lengths.iter().sum::<usize>(), 1_000_000);
    assert!((lengths.len() as f64 - 250_000.0).abs() < 1_800.0, "{}", lengths.len());
    for (length, share) in [(1, 0.25), (2, 0.1875), (3, 0.140_625)] {
        let found = lengths.iter().filter(|found| **found == length).count() as f64 / lengths.len() as f64;
        assert!((found - share).abs() < 0.004, "{length}: {found}");
    }
    let mean = starts.iter().sum::<f64>() / starts.len() as f64;
    // 10⁶/√12/√250,000 = 577.
    assert!((mean - 499_999.5).abs() < 2_400.0, "{mean}");
    // A block that reaches the end goes on at the beginning.
    let mut visits = Vec::new();
    StationaryBlocks::new(10, 1e12).draw(25, &mut rng, |rows| visits.push(rows));
    assert_eq!(visits.iter().map(ExactSizeIterator::len).sum::<usize>(), 25);
    assert!(visits.windows(2).all(|pair| pair[0].end == 10 && pair[1].start == 0), "{visits:?}");
}

#[test]
fn five_percent_of_records_without_skill_pass_the_probabilistic_sharpe_ratio() {
    // 4,000 seeds: 5 % ± 3.5 standard errors of √(0.05 · 0.95/4,000) = 0.345 %.
    let share = share_of(4_000, |seed| {
        let record = TrackRecord::from_returns(&normal_returns("size/psr", seed, 250)).unwrap();
        deflated_sharpe_ratio(&record, 1.0, 0.0).unwrap().probability >= 0.95
    });
    assert!((share - 0.05).abs() < 0.0121, "{share}");
}

#[test]
fn the_best_of_twenty_without_skill_passes_the_deflated_ratio_far_less_often_than_alone() {
    // Undeflated, the best of 20 passes in 1 − 0.95²⁰ = 64 % of cases; deflated it must reach about 1.87 + 1.64 = 3.51
    // standard errors, which 20 · (1 − Φ(3.51)) = 0.4 % do (more where the 20 vary little by chance, hence 2 %).
    let best = |seed: u64| {
        let trials: Vec<TrackRecord> = (0..20)
            .map(|trial| {
                TrackRecord::from_returns(&normal_returns("size/dsr", seed * 20 + trial, 250)).unwrap()
            })
            .collect();
        let sharpes: Vec<f64> = trials.iter().map(TrackRecord::sharpe).collect();
        let best = trials.into_iter().max_by(|a, b| a.sharpe().total_cmp(&b.sharpe())).unwrap();
        (best, variance_of_sharpes(&sharpes).unwrap())
    };
    let alone = share_of(500, |seed| probabilistic_sharpe_ratio(&best(seed).0, 0.0).unwrap() >= 0.95);
    assert!((alone - 0.64).abs() < 0.075, "{alone}");
    let deflated = share_of(500, |seed| {
        let (record, variance) = best(seed);
        deflated_sharpe_ratio(&record, 20.0, variance).unwrap().probability >= 0.95
    });
    assert!(deflated <= 0.02, "{deflated}");
}

#[test]
fn the_expected_maximum_is_that_of_normal_draws() {
    // E max of 10 and 100 standard normal variables: 1.53875 and 2.50759 (Harter 1961, table 1); the formula is within 3 %.
    for (trials, exact) in [(10.0, 1.538_75), (100.0, 2.507_59)] {
        let found = expected_maximum_sharpe(trials, 1.0).unwrap();
        assert!((found / exact - 1.0).abs() < 0.03, "{found}");
    }
}

#[test]
fn intervals_cover_the_truth() {
    // AR(1) of 0.3 around 0: the mean is 0 and so is the Sharpe ratio. Percentile intervals of 300 rows cover somewhat
    // less than 95 %; without blocks the interval would be √(0.7/1.3) as wide as it should be and cover about 85 %.
    let covers = |statistic: Statistic, mean_block: Option<f64>| {
        share_of(300, |seed| {
            let mut level = 0.0;
            let returns: Vec<f64> = normal_returns("size/interval", seed, 300)
                .into_iter()
                .map(|shock| {
                    level = 0.3 * level + shock;
                    level
                })
                .collect();
            let config =
                BootstrapConfig { replications: 500, mean_block, seed, ..BootstrapConfig::default() };
            let found = bootstrap_interval(&returns, statistic, &config).unwrap();
            found.low <= 0.0 && 0.0 <= found.high
        })
    };
    for statistic in [Statistic::Mean, Statistic::Sharpe] {
        let (blocks, alone) = (covers(statistic, None), covers(statistic, Some(1.0)));
        assert!((0.89..0.98).contains(&blocks), "{statistic:?} {blocks}");
        assert!((0.79..0.90).contains(&alone), "{statistic:?} {alone}");
    }
}

#[test]
fn the_bootstrap_error_of_a_mean_is_its_closed_form() {
    // Politis and Romano 1994, lemma 1: n · variance of the resampled mean = C₀ + 2 Σ_{i=1}^{n−1} b_i C_i with
    // b_i = (1 − i/n)(1 − p)^i + (i/n)(1 − p)^{n−i}, p = 1/8, C_i the autocovariances over n.
    let returns = super::autoregression(21, 200, 0.6);
    let config = BootstrapConfig { replications: 4_000, mean_block: Some(8.0), ..BootstrapConfig::default() };
    let found = bootstrap_interval(&returns, Statistic::Mean, &config).unwrap();
    let mean = returns.iter().sum::<f64>() / 200.0;
    let covariance = |lag: usize| {
        (0..200 - lag).map(|t| (returns[t] - mean) * (returns[t + lag] - mean)).sum::<f64>() / 200.0
    };
    let stay = 1.0 - 1.0 / 8.0_f64;
    let weighted = |lag: usize| {
        let share = lag as f64 / 200.0;
        (1.0 - share) * stay.powi(lag as i32) + share * stay.powi(200 - lag as i32)
    };
    let variance =
        (covariance(0) + 2.0 * (1..200).map(|lag| weighted(lag) * covariance(lag)).sum::<f64>()) / 200.0;
    // 4,000 replications: the standard error of a standard deviation is 1/√8,000 = 1.1 %.
    assert!((found.standard_error / variance.sqrt() - 1.0).abs() < 0.045, "{found:?} {}", variance.sqrt());
    assert!((found.estimate - mean).abs() < 1e-15 && found.low < mean && mean < found.high);
}

#[test]
fn the_number_of_threads_changes_no_interval() {
    let returns = super::noise(4, 100);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| bootstrap_interval(&returns, Statistic::Sharpe, &BootstrapConfig::default()).unwrap())
    };
    assert_eq!(on(1), on(2));
}
