use super::*;
use crate::risk::normal::normal_quantile;

// Published: the first by Jorion (2007), "Value at risk", 3rd edition, chapter 6 (J.P. Morgan in 1998); the
// second by Jorion, chapter 6, question 10
// (bionicturtle.com/forum/threads/jorion-chapter-6-question-10.13424); the third by MathWorks (varbacktest,
// pof: Normal95). Full digits from scipy:
//   x, n, p: 2*(xlogy(x, x/n) + xlogy(n-x, 1-x/n) - xlogy(x, p) - xlogy(n-x, 1-p)), chi2.sf(statistic, 1)
#[test]
fn kupiec_agrees_with_published_examples() {
    for (observations, breaches, probability, published, digits, scipy) in [
        (252, 20, 0.05, 3.91, 0.005, 3.9125508275532326),
        (252, 6, 0.01, 3.498, 0.001, 3.498776675481605),
        (1043, 57, 0.05, 0.46147, 0.00001, 0.4614663953289835),
    ] {
        let test = proportion_of_failures_test(observations, breaches, probability).unwrap();
        assert!((test.statistic - published).abs() < digits, "{test:?}");
        assert!((test.statistic - scipy).abs() < 1e-11, "{test:?}");
    }
    let p_value = proportion_of_failures_test(1043, 57, 0.05).unwrap().p_value;
    assert!((p_value - 0.49694).abs() < 0.00001, "{p_value}");
}

// Jorion, chapter 6, question 10: 6 exceptions in 252 days, 4 of them after another: "25.837". MathWorks
// (varbacktest, cci and cc): N00 932, N10 53, N01 53, N11 4: LRatioCCI 0.25866, p 0.61104; with LRatioPOF
// 0.46147 LRatioCC 0.72013, p 0.69763. The third and fourth from scipy alone: the counts of Jorion's 252 days
// with 20 exceptions if 6 of them follow another, and ten in clusters.
#[test]
fn christoffersen_agrees_with_published_examples() {
    for (transitions, expected, digits) in [
        ([[244, 2], [2, 4]], 25.837, 0.001),
        ([[932, 53], [53, 4]], 0.25866, 0.00001),
        ([[218, 14], [14, 6]], 9.52956878033637, 1e-11),
        ([[236, 3], [3, 7]], 39.44368459601806, 1e-11),
    ] {
        let test = independence_test(transitions);
        assert!((test.statistic - expected).abs() < digits, "{test:?}");
    }
    assert!((independence_test([[932, 53], [53, 4]]).p_value - 0.61104).abs() < 0.00001);
    // 1043 steps with 57 breaches: 4 pairs of breaches, 53 alone, and no breach at either end but one first
    // step of no pair.
    let outcomes = [[true, true, false]; 4].concat().into_iter();
    let outcomes = std::iter::once(false).chain(outcomes).chain([[true, false]; 49].concat());
    let outcomes: Vec<bool> = outcomes.chain(std::iter::repeat(false)).take(1043).collect();
    let mut coverage = Coverage::default();
    outcomes.iter().for_each(|breach| coverage.push(*breach));
    assert_eq!((coverage.observations(), coverage.breaches()), (1043, 57));
    assert_eq!(coverage.transitions(), [[932, 53], [53, 4]]);
    let test = coverage.conditional_coverage(0.05).unwrap();
    assert!(
        (test.statistic - 0.72013).abs() < 0.00001 && (test.p_value - 0.69763).abs() < 0.00001,
        "{test:?}"
    );
}

#[test]
fn counts_of_zero_are_no_trouble() {
    // No breach in 100: −2 × 100 ln 0.95 = 10.2587 (ln 0.95 = −0.0512933). All of 10: −2 × 10 ln 0.05 =
    // 59.9146.
    let none = proportion_of_failures_test(100, 0, 0.05).unwrap();
    assert!((none.statistic - 10.258_658_877_510_1).abs() < 1e-10, "{none:?}");
    let all = proportion_of_failures_test(10, 10, 0.05).unwrap();
    assert!((all.statistic - 59.914_645_471_079_8).abs() < 1e-10, "{all:?}");
    assert_eq!(proportion_of_failures_test(0, 0, 0.05).unwrap().p_value, 1.0);
    for transitions in [[[0, 0], [0, 0]], [[99, 0], [0, 0]], [[0, 0], [0, 99]]] {
        assert_eq!(independence_test(transitions), LikelihoodRatio { statistic: 0.0, p_value: 1.0 });
    }
    // Breach and none by turns, 5 times each: the chain is certain; 2 × 10 ln 2 = 13.8629.
    assert!((independence_test([[0, 5], [5, 0]]).statistic - 13.862_943_611_198_9).abs() < 1e-10);
}

#[test]
fn what_is_no_probability_is_refused() {
    for probability in [0.0, 1.0, -0.1, f64::NAN] {
        let error = proportion_of_failures_test(10, 1, probability).unwrap_err().to_string();
        assert!(error.starts_with("coverage.probability"), "{error}");
    }
    assert!(proportion_of_failures_test(10, 11, 0.05).is_err());
}

/// Share of 400 runs of 500 Gaussian returns in which the test at 5 % rejects `factor` times the right value
/// at risk.
fn rejections(factor: f64) -> (f64, f64) {
    let threshold = factor * normal_quantile(0.05);
    let mut state = 2024_u64;
    let (mut failures, mut independence) = (0, 0);
    for _ in 0..400 {
        let mut coverage = Coverage::default();
        for _ in 0..500 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let uniform = (state >> 11) as f64 / 9_007_199_254_740_992.0;
            coverage.push(normal_quantile(uniform) < threshold);
        }
        failures += usize::from(coverage.proportion_of_failures(0.05).unwrap().p_value < 0.05);
        independence += usize::from(coverage.independence().p_value < 0.05);
    }
    (failures as f64 / 400.0, independence as f64 / 400.0)
}

// The exact size of Kupiec's test at n = 500, p = 5 % is 5.39 % (binomial sum over the rejected counts,
// scipy), its power against a value at risk 30 % too low 99.995 %. The bounds are three standard errors,
// √(0.054 × 0.946 / 400) = 0.0113.
#[test]
fn a_right_forecast_is_rejected_as_often_as_the_test_says_and_a_low_one_nearly_always() {
    let (failures, independence) = rejections(1.0);
    assert!((0.02..0.088).contains(&failures), "{failures}");
    assert!((0.01..0.11).contains(&independence), "{independence}");
    let (failures, _) = rejections(0.7);
    assert!(failures > 0.98, "{failures}");
}
