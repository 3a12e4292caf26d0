//! Worked examples of the papers, and scipy.

use super::super::normal::{normal_probability, normal_quantile};
use super::super::*;
use super::{autoregression, close, noise};

#[test]
fn the_normal_distribution_is_scipys() {
    // [norm.ppf(p) for p in (1e-10, .001, .025, .3, .5, .95, .999999)]
    let quantiles = [
        (1e-10, -6.361_340_902_404_056),
        (0.001, -3.090_232_306_167_813),
        (0.025, -1.959_963_984_540_054_5),
        (0.3, -0.524_400_512_708_041),
        (0.5, 0.0),
        (0.95, 1.644_853_626_951_472_2),
        (0.999_999, 4.753_424_308_817_087),
    ];
    for (p, z) in quantiles {
        close(normal_quantile(p), z, 1e-12);
    }
    for (z, p) in
        [(-8.0, 6.220_960_574_271_74e-16), (-1.5, 0.066_807_201_268_858_07), (3.0, 0.998_650_101_968_369_9)]
    {
        let found = normal_probability(z);
        assert!((found / p - 1.0).abs() < 1e-12, "{found} is not {p}");
    }
    assert_eq!((normal_quantile(0.0), normal_quantile(1.0)), (f64::NEG_INFINITY, f64::INFINITY));
    assert!(normal_quantile(1.1).is_nan());
}

#[test]
fn probabilistic_sharpe_ratio_of_the_hedge_fund() {
    // Bailey and López de Prado 2012, the two years of monthly returns: Sharpe ratio 0.458 a month, skewness −2.448,
    // kurtosis 10.164. "0.982" if they were normal, "0.913" as they are.
    let normal = TrackRecord::new(24, 0.458, 0.0, 3.0).unwrap();
    let skewed = TrackRecord::new(24, 0.458, -2.448, 10.164).unwrap();
    close(probabilistic_sharpe_ratio(&normal, 0.0).unwrap(), 0.982, 5e-4);
    close(probabilistic_sharpe_ratio(&skewed, 0.0).unwrap(), 0.913, 5e-4);
}

#[test]
fn minimum_track_record_of_two_against_one() {
    // Same paper: years to tell an annual Sharpe ratio of 2 from 1 at 95 %: 2.73 with daily, 2.83 with weekly and 3.24
    // with monthly normal returns, 4.99 with monthly ones of skewness −0.72 and kurtosis 5.78.
    let cases =
        [(252.0, 0.0, 3.0, 2.73), (52.0, 0.0, 3.0, 2.83), (12.0, 0.0, 3.0, 3.24), (12.0, -0.72, 5.78, 4.99)];
    for (per_year, skewness, kurtosis, years) in cases {
        let root = f64::sqrt(per_year);
        let record = TrackRecord::new(100, 2.0 / root, skewness, kurtosis).unwrap();
        let length = minimum_track_record_length(&record, 1.0 / root, 0.95).unwrap().unwrap();
        assert!((length / per_year - years).abs() < 0.005, "{} years, not {years}", length / per_year);
        assert_eq!(minimum_track_record_length(&record, 2.0 / root, 0.95).unwrap(), None);
    }
}

#[test]
fn deflated_sharpe_ratio_of_the_strategist() {
    // Bailey and López de Prado 2014, "A numerical example": annual Sharpe ratio 2.5 over 1,250 days (250 a year),
    // variance of the trials' annual Sharpe ratios 1/2, skewness −3, kurtosis 10.
    let daily = 2.5 / f64::sqrt(250.0);
    let skewed = TrackRecord::new(1_250, daily, -3.0, 10.0).unwrap();
    let normal = TrackRecord::new(1_250, daily, 0.0, 3.0).unwrap();
    // "SR0 = 0.1132", "DSR = 0.9004" for 100 trials; 0.9505 for 46, and for 88 if returns were normal.
    for (record, trials, benchmark, probability) in [
        (&skewed, 100.0, 0.1132, 0.9004),
        (&skewed, 46.0, 0.100_362, 0.9505),
        (&normal, 88.0, 0.111_146, 0.9505),
    ] {
        let deflated = deflated_sharpe_ratio(record, trials, 0.5 / 250.0).unwrap();
        assert!((deflated.benchmark - benchmark).abs() < 5e-5, "{deflated:?}");
        assert!((deflated.probability - probability).abs() < 5e-5, "{deflated:?}");
    }
}

#[test]
fn moments_and_what_follows_from_them_are_scipys() {
    // x = noise(7, 60) + 0.05; x.mean()/x.std(ddof=1), stats.skew(x), stats.kurtosis(x, fisher=False)
    let returns: Vec<f64> = noise(7, 60).into_iter().map(|value| value + 0.05).collect();
    let record = TrackRecord::from_returns(&returns).unwrap();
    close(record.sharpe(), 0.069_899_095_826_972_58, 1e-12);
    close(record.skewness(), 0.165_797_880_451_164_48, 1e-12);
    close(record.kurtosis(), 1.739_316_375_210_752, 1e-12);
    // norm.cdf((sr - .02) * sqrt(59) / sqrt(1 - g3 * sr + (g4 - 1) / 4 * sr**2)), and the length
    close(probabilistic_sharpe_ratio(&record, 0.02).unwrap(), 0.650_009_708_795_491_5, 1e-12);
    let length = minimum_track_record_length(&record, 0.02, 0.95).unwrap().unwrap();
    close(length, 1_075.987_182_217_861, 1e-10);
}

#[test]
fn correlated_trials_count_for_fewer() {
    // M = [noise(s, 60) for s in 1..4], the last half mixed with the third; (np.corrcoef(M).sum() - 4) / 12
    let shifted =
        |seed: u64| noise(seed, 60).iter().map(|value| value + 0.02 * seed as f64).collect::<Vec<_>>();
    let mut trials: Vec<Vec<f64>> = (1..=4).map(shifted).collect();
    trials[3] = trials[3].iter().zip(&trials[2]).map(|(a, b)| 0.5 * a + 0.5 * b).collect();
    close(mean_correlation(&trials).unwrap(), 0.094_629_244_751_594_11, 1e-12);
    // ρ + (1 − ρ) M by hand: 0.25 + 0.75 · 9 = 7.
    close(effective_trials(9, 0.25).unwrap(), 7.0, 1e-15);
    assert_eq!(effective_trials(9, 1.0).unwrap(), 1.0);
    assert_eq!(effective_trials(9, -0.1).unwrap(), 9.0);
    // Mean 2, squares 1 + 0 + 1, over 2.
    assert_eq!(variance_of_sharpes(&[1.0, 2.0, 3.0]).unwrap(), 1.0);
}

#[test]
fn one_trial_has_nothing_to_deflate() {
    assert_eq!(expected_maximum_sharpe(1.0, 0.1).unwrap(), 0.0);
    assert_eq!(expected_maximum_sharpe(1.05, 0.1).unwrap(), 0.0);
    assert_eq!(expected_maximum_sharpe(50.0, 0.0).unwrap(), 0.0);
}

#[test]
fn adjusted_p_values_of_the_heart_attack_trial() {
    // Benjamini and Hochberg 1995 (thrombolysis after myocardial infarction): of 15 hypotheses four are
    // rejected at 5 % by their procedure, three by Bonferroni's and Holm's.
    let p = [
        0.4262, 0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.5719,
        0.6528, 0.7590, 1.0,
    ];
    let (found, step_down) = (benjamini_hochberg(&p).unwrap(), holm(&p).unwrap());
    assert_eq!(found.iter().filter(|p| **p <= 0.05).count(), 4);
    assert_eq!(step_down.iter().filter(|p| **p <= 0.05).count(), 3);
    // scipy.stats.false_discovery_control(p), and np.minimum(1, np.maximum.accumulate((15 - np.arange(15)) * p)).
    let expected =
        [(0, 0.581_181_818, 1.0), (1, 0.0015, 0.0015), (4, 0.035_625, 0.114), (6, 0.063_857_143, 0.278)];
    for (test, false_discovery, family_wise) in expected {
        close(found[test], false_discovery, 1e-9);
        close(step_down[test], family_wise, 1e-9);
    }
    // 0.0298 · 8 = 0.2384 is lifted to the 0.278 before it; 0.0278 · 15/7 = 0.0596 is not below its follower's 0.0559.
    close(step_down[7], 0.278, 1e-12);
    assert!(holm(&[0.1, f64::NAN]).unwrap_err().to_string().contains("p-value of test 1"));
    assert!(holm(&[]).unwrap().is_empty());
}

#[test]
fn automatic_block_lengths_are_those_of_the_reference() {
    // The reference gives the 13.635665 that arch 8 (arch/tests/bootstrap/test_block_length.py) expects of its series:
    // R = [e[k:] @ e[:n-k] / n for k in range(mmax + 1)], mmax = ceil(sqrt(n)) + 5, c = 2 * sqrt(log10(n) / n)
    // m = first i with all(abs(R[i:i+5] / R[0]) < c); M = min(2 * max(m, 1), mmax), or mmax
    // g = sum(2 * lam(k / M) * k * R[k] for k in 1..M), s = R[0] + sum(2 * lam(k / M) * R[k] for k in 1..M)
    // clip((g / s)**2 * n, ...)**(1/3) between 1 and ceil(min(3 * sqrt(n), n / 3))
    let cases = [
        (11, 400, 0.6, 9.374_244_871_424_464),
        (12, 400, 0.0, 1.0),
        (13, 400, -0.5, 8.450_103_902_485_248),
        (14, 200, 0.97, 21.117_365_997_865_054),
        (15, 1_000, 0.3, 6.882_792_495_915_646),
    ];
    for (seed, count, phi, expected) in cases {
        close(automatic_block_length(&autoregression(seed, count, phi)).unwrap(), expected, 1e-10);
    }
}

#[test]
fn what_cannot_be_judged_is_refused_in_words() {
    let says = |error: crate::SimError, words: &str| assert!(error.to_string().contains(words), "{error}");
    says(TrackRecord::new(1, 0.1, 0.0, 3.0).unwrap_err(), "1 observations");
    says(TrackRecord::new(9, f64::NAN, 0.0, 3.0).unwrap_err(), "Sharpe ratio is NaN");
    says(TrackRecord::new(9, 0.1, 0.0, 0.0).unwrap_err(), "not the excess");
    says(TrackRecord::from_returns(&[0.1; 50]).unwrap_err(), "all equal");
    says(TrackRecord::from_returns(&[0.0; 50]).unwrap_err(), "all equal");
    says(TrackRecord::from_returns(&[0.1, f64::INFINITY]).unwrap_err(), "row 1");
    says(TrackRecord::from_returns(&[1e200, -1e200]).unwrap_err(), "too large");
    says(expected_maximum_sharpe(0.0, 1.0).unwrap_err(), "count every configuration");
    says(expected_maximum_sharpe(5.0, -1.0).unwrap_err(), "0 or more");
    says(variance_of_sharpes(&[0.1]).unwrap_err(), "single trial");
    says(effective_trials(5, 1.5).unwrap_err(), "between −1 and 1");
    says(automatic_block_length(&[0.1; 19]).unwrap_err(), "20 or more");
    let record = TrackRecord::new(9, 0.1, 0.0, 3.0).unwrap();
    says(probabilistic_sharpe_ratio(&record, f64::NAN).unwrap_err(), "not a finite");
    says(minimum_track_record_length(&record, 0.0, 1.0).unwrap_err(), "between 0.5 and 1");
    let config = BootstrapConfig { replications: 10, ..BootstrapConfig::default() };
    says(
        bootstrap_interval(&noise(1, 50), Statistic::Mean, &config).unwrap_err(),
        "bootstrap.replications = 10",
    );
    let config = BootstrapConfig { mean_block: Some(51.0), ..BootstrapConfig::default() };
    says(
        bootstrap_interval(&noise(1, 50), Statistic::Mean, &config).unwrap_err(),
        "more than the record's 50",
    );
    assert!(toml::from_str::<BootstrapConfig>("replication = 3").is_err());
    let config: BootstrapConfig = toml::from_str("mean_block = 4.0").unwrap();
    assert_eq!(config, BootstrapConfig { mean_block: Some(4.0), ..BootstrapConfig::default() });
}
