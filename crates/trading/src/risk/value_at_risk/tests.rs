use proptest::prelude::*;

use super::*;
use crate::risk::tail_limits::{TailLimits, TailMeasure, TailVerdict};

/// The same series as in the Python below: Knuth's generator, the upper 53 bits as a number in [0, 1).
struct Uniforms(u64);

impl Iterator for Uniforms {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Some((self.0 >> 11) as f64 / 9_007_199_254_740_992.0)
    }
}

/// Skewness -0.80, excess kurtosis 1.64: inside the domain of Cornish-Fisher.
fn mild(count: usize) -> Vec<f64> {
    let mut uniforms = Uniforms(42);
    let mut value = || {
        let x = uniforms.by_ref().take(6).sum::<f64>() - 3.0;
        0.0005 + 0.02 * (x - 0.2 * x * x + 0.1 * x * x * x)
    };
    (0..count).map(|_| value()).collect()
}

/// Student's t with two degrees of freedom, excess kurtosis of the sample 14.8: outside.
fn heavy(count: usize) -> Vec<f64> {
    Uniforms(42).map(|x| 0.005 * (2.0 * x - 1.0) / (2.0 * x * (1.0 - x)).sqrt()).take(count).collect()
}

fn gaussian(seed: u64) -> impl Iterator<Item = f64> {
    Uniforms(seed).map(|x| 0.01 * normal_quantile(x.max(1e-16)))
}

fn risk(level: f64, model: TailModel, minimum_observations: usize) -> TailRisk {
    TailRisk::new(TailConfig { level, model, minimum_observations }).unwrap()
}

fn after(mut risk: TailRisk, returns: impl IntoIterator<Item = f64>) -> TailRisk {
    for value in returns {
        risk.push(value).unwrap();
    }
    risk
}

const WINDOW: usize = 1000;
const HISTORICAL: TailModel = TailModel::Historical { window: WINDOW };
const GAUSSIAN: TailModel = TailModel::Gaussian { window: WINDOW };
const CORNISH_FISHER: TailModel = TailModel::CornishFisher { window: WINDOW };
const EWMA: TailModel = TailModel::Ewma { decay: 0.94 };

// numpy and scipy, with a = 0.05 and 0.01 as literals:
//   def uniforms():                                    # s = 42 at first
//       s = (s * 6364136223846793005 + 1442695040888963407) % 2**64; yield (s >> 11) * 2.0**-53
//   mild:  x = sum of six uniforms - 3;  0.0005 + 0.02 * (x - 0.2*x*x + 0.1*x*x*x)
//   heavy: x = a uniform;                0.005 * (2*x - 1) / sqrt(2*x*(1 - x))
//   historical: -np.quantile(r, a, method="inverted_cdf");  r = np.sort(r)
//               w = np.clip(a*len(r) - np.arange(len(r)), 0, 1);  -(w @ r) / (a*len(r))
//   gaussian:   d = stats.norm(r.mean(), r.std(ddof=1));  -d.ppf(a);  -integrate.quad(d.ppf, 0, a)[0] / a
//   cf:         s, k = stats.skew(r), stats.kurtosis(r);  z = stats.norm.ppf(a)
//               w = lambda z: z + (z*z-1)*s/6 + (z**3-3*z)*k/24 - (2*z**3-5*z)*s*s/36
//               e = integrate.quad(lambda x: w(x)*stats.norm.pdf(x), -40, z, points=[-8,-4])[0] / a
//               -r.mean() - r.std(ddof=1)*w(z);  -r.mean() - r.std(ddof=1)*e
//   ewma:       w = 0.94 ** np.arange(len(r))[::-1];  sd = np.sqrt((w @ (r*r)) / w.sum())
//               -stats.norm(0, sd).ppf(a);  sd * stats.norm.pdf(stats.norm.ppf(a)) / a
#[test]
fn the_four_methods_agree_with_scipy() {
    use TailMethod::{CornishFisher, Ewma, Gaussian, Historical};
    let (mild, heavy) = (mild(WINDOW), heavy(WINDOW));
    assert_eq!((mild[0], mild[999]), (-0.00965864145944266, -0.015934188407463343));
    for (returns, model, level, value_at_risk, expected_shortfall, method, fallback) in [
        (&mild, HISTORICAL, 0.95, 0.031596845778881825, 0.04386824049510349, Historical, false),
        (&mild, HISTORICAL, 0.99, 0.05230288920341013, 0.06383343346794942, Historical, false),
        (&mild, GAUSSIAN, 0.95, 0.029271089829881056, 0.036275577847951705, Gaussian, false),
        (&mild, GAUSSIAN, 0.99, 0.04069483857167242, 0.04637518585819725, Gaussian, false),
        (&mild, CORNISH_FISHER, 0.95, 0.03232375440700341, 0.045185582356195075, CornishFisher, false),
        (&mild, CORNISH_FISHER, 0.99, 0.05295967456363172, 0.06593239084796616, CornishFisher, false),
        (&mild, EWMA, 0.95, 0.03517756201849891, 0.044114081960549556, Ewma, false),
        (&mild, EWMA, 0.99, 0.049752297271183944, 0.056999441769517344, Ewma, false),
        (&heavy, HISTORICAL, 0.95, 0.015048146336291656, 0.026238707381949174, Historical, false),
        (&heavy, HISTORICAL, 0.99, 0.030795306061330033, 0.048458806261119834, Historical, false),
        (&heavy, GAUSSIAN, 0.95, 0.017923070772234446, 0.02250198711591023, Gaussian, false),
        (&heavy, GAUSSIAN, 0.99, 0.025390909918348123, 0.029104219864901557, Gaussian, false),
        // The formula would say 0.0145 and 0.0459 at 95 %: below the empirical quantile, three times beyond
        // it on average.
        (&heavy, CORNISH_FISHER, 0.95, 0.015048146336291656, 0.026238707381949174, Historical, true),
        (&heavy, CORNISH_FISHER, 0.99, 0.030795306061330033, 0.048458806261119834, Historical, true),
        (&heavy, EWMA, 0.95, 0.0157477538594591, 0.01974831866078203, Ewma, false),
        (&heavy, EWMA, 0.99, 0.022272348804537087, 0.025516639801271643, Ewma, false),
    ] {
        // Returns of before the window leave no trace; for the weighted ones 0.94^1000 = 1e-27 does not.
        let older = if matches!(model, TailModel::Ewma { .. }) { 0 } else { 777 };
        let before = std::iter::repeat_n([0.5, -0.5, 0.1], older).flatten();
        let risk = after(risk(level, model, 100), before.chain(returns.iter().copied()));
        let found = risk.estimate().unwrap();
        assert!((found.value_at_risk / value_at_risk - 1.0).abs() < 1e-11, "{model:?} {level} {found:?}");
        assert!(
            (found.expected_shortfall / expected_shortfall - 1.0).abs() < 1e-11,
            "{model:?} {level} {found:?}"
        );
        assert_eq!((found.method, found.fallback), (method, fallback), "{model:?}");
    }
}

#[test]
fn the_empirical_tail_by_hand() {
    let sorted: Vec<f64> = (0..100).map(|index| f64::from(index - 50) / 100.0).collect();
    for (count, level, value_at_risk, expected_shortfall) in [
        // The fifth of a hundred, and the mean of -0.50 to -0.46. 100 (1 - 0.95) is above 5 in floats.
        (100, 0.95, 0.46, 0.48),
        // 1 of 100: the worst, and nothing but it.
        (100, 0.99, 0.50, 0.50),
        // 2.5 of 50: the third. (0.50 + 0.49 + 0.5 × 0.48) / 2.5 = 1.23 / 2.5.
        (50, 0.95, 0.48, 0.492),
        // 0.5 of 10: the worst, half of it over one half.
        (10, 0.95, 0.50, 0.50),
    ] {
        let (found_risk, found_shortfall) = historical_tail(&sorted[..count], level).unwrap();
        assert!((found_risk - value_at_risk).abs() < 1e-12, "{count} {level}: {found_risk}");
        assert!((found_shortfall - expected_shortfall).abs() < 1e-12, "{count} {level}: {found_shortfall}");
    }
    assert_eq!(historical_tail(&[], 0.95), None);
}

// Published by mir.stat (opendlang.org/library/mir.stat.distribution.cornish_fisher): quantile p, skewness,
// excess kurtosis.
#[test]
fn published_cornish_fisher_quantiles() {
    for (probability, skewness, kurtosis, expected) in [
        (0.5, 1.0, 0.0, -0.1666667),
        (0.9, 0.1, 1.0, 1.220374),
        (0.9, 0.1, -1.0, 1.365363),
        (0.99, 0.1, 1.0, 2.629904),
        (0.01, 0.1, 0.0, -2.249053),
        (0.01, 0.1, 1.0, -2.482841),
        (0.01, 0.1, -1.0, -2.015265),
    ] {
        let found = cornish_fisher_quantile(normal_quantile(probability), skewness, kurtosis);
        assert!((found - expected).abs() < 1e-6, "{probability} {skewness} {kurtosis}: {found}");
    }
}

// Maillard (2012): without skewness excess kurtosis is valid from 0 to 8, and skewness up to 6 (√2 - 1) =
// 2.485.
#[test]
fn the_domain_of_cornish_fisher() {
    for (skewness, kurtosis, valid) in [
        (0.0, 0.0, true),
        (0.0, 8.0, true),
        (0.0, 8.01, false),
        (0.0, -0.01, false),
        (0.5, 0.0, false),
        (-0.5, 1.5, true),
        // Both factors are 138 − 150 = 1 − 138 + 125 = −12: 4 × 144 passes 900 / 9, and the slope is negative
        // everywhere.
        (30.0, 1104.0, false),
        (f64::NAN, 1.0, false),
    ] {
        assert_eq!(cornish_fisher_is_monotonic(skewness, kurtosis), valid, "{skewness} {kurtosis}");
    }
    let some =
        |skewness| (0..20_000).any(|step| cornish_fisher_is_monotonic(skewness, f64::from(step) * 1e-3));
    assert!(some(2.48) && some(-2.48) && !some(2.49) && !some(-2.49));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn the_domain_is_where_the_quantile_rises(skewness in -3.0..3.0_f64, kurtosis in -2.0..12.0_f64) {
        let at = |step: i32| cornish_fisher_quantile(f64::from(step) * 0.02, skewness, kurtosis);
        let least = (-1500..1500).map(|step| (at(step + 1) - at(step)) / 0.02).fold(f64::INFINITY, f64::min);
        if cornish_fisher_is_monotonic(skewness, kurtosis) {
            prop_assert!(least > -1e-6, "{}", least);
        } else {
            prop_assert!(least < 1e-3, "{}", least);
        }
    }

    #[test]
    fn a_shortfall_is_never_below_its_value_at_risk_and_both_scale(
        returns in prop::collection::vec(-0.2..0.2_f64, 150..260),
        wide in prop::bool::ANY, factor in 0.1..10.0_f64, model in 0_usize..4,
    ) {
        let windowed = 120;
        let model = [
            TailModel::Historical { window: windowed },
            TailModel::Gaussian { window: windowed },
            TailModel::CornishFisher { window: windowed },
            EWMA,
        ][model];
        let level = if wide { 0.95 } else { 0.99 };
        let mut one = risk(level, model, 100);
        let mut scaled = one.clone();
        for (index, value) in returns.iter().enumerate() {
            one.push(*value).unwrap();
            scaled.push(value * factor).unwrap();
            let Some(estimate) = one.estimate() else { continue };
            prop_assert!(estimate.expected_shortfall >= estimate.value_at_risk - 1e-12, "{:?}", estimate);
            let bigger = scaled.estimate().unwrap();
            prop_assert!((bigger.value_at_risk - factor * estimate.value_at_risk).abs() < 1e-9);
            prop_assert!((bigger.expected_shortfall - factor * estimate.expected_shortfall).abs() < 1e-9);
            if estimate.method == TailMethod::Historical {
                let mut sorted = returns[(index + 1).saturating_sub(windowed)..=index].to_vec();
                sorted.sort_by(f64::total_cmp);
                let tail = historical_tail(&sorted, level);
                prop_assert_eq!(tail, Some((estimate.value_at_risk, estimate.expected_shortfall)));
            }
        }
    }
}

#[test]
fn memory_stays_and_what_is_no_return_changes_nothing() {
    let mut risk = risk(0.95, TailModel::CornishFisher { window: 100 }, 100);
    let capacity = risk.sorted.capacity();
    for value in heavy(1000) {
        risk.push(value).unwrap();
    }
    assert_eq!((risk.sorted.capacity(), risk.sorted.len()), (capacity, 100));
    let before = (risk.estimate(), *risk.coverage());
    for value in [f64::NAN, f64::INFINITY, -2e6] {
        let error = risk.push(value).unwrap_err().to_string();
        assert!(error.contains("tail risk") && error.contains("not a number between"), "{error}");
    }
    assert_eq!((risk.estimate(), *risk.coverage()), before);
}

#[test]
fn returns_that_do_not_vary_have_the_tail_of_a_point() {
    for model in [HISTORICAL, GAUSSIAN, CORNISH_FISHER] {
        let estimate = after(risk(0.95, model, 100), [-0.001; 100]).estimate().unwrap();
        assert!((estimate.value_at_risk - 0.001).abs() < 1e-15, "{estimate:?}");
        assert!((estimate.expected_shortfall - 0.001).abs() < 1e-15, "{estimate:?}");
        assert_eq!(estimate.fallback, model == CORNISH_FISHER);
    }
}

#[test]
fn a_return_is_held_against_the_forecast_made_before_it() {
    // 20 returns of ±1 %: σ = 0.01, VaR = 1.6449 × 0.01 = 0.01645.
    let start = after(risk(0.95, EWMA, 20), (0..20).map(|index| if index % 2 == 0 { 0.01 } else { -0.01 }));
    assert!((start.estimate().unwrap().value_at_risk - 0.016448536269514715).abs() < 1e-15);
    assert_eq!(start.coverage().observations(), 0);
    // The loss of 1.65 % exceeds it although the forecast made with it is larger; a gain never does.
    for (value, breach) in [(-0.0165, true), (-0.0164, false), (0.0165, false)] {
        assert_eq!(start.clone().push(value).unwrap(), Some(breach), "{value}");
    }
    let mut risk = after(start, [-0.05, 0.0]);
    risk.gap();
    risk = after(risk, [-0.2, 0.0]);
    assert_eq!((risk.coverage().observations(), risk.coverage().breaches()), (4, 2));
    // Breach and none, the gap, breach and none: twice from a breach to none, and no pair across the gap.
    assert_eq!(risk.coverage().transitions(), [[0, 0], [2, 0]]);
    risk.restart_back_test();
    assert_eq!((risk.coverage().observations(), risk.estimate().is_some()), (0, true));
}

#[test]
fn the_gate_tells_what_is_wrong() {
    let limits = TailLimits { value_at_risk: 0.03, expected_shortfall: 0.04, ..TailLimits::default() };
    let model = TailModel::Gaussian { window: 500 };
    let normal = || after(risk(0.95, model, 100), gaussian(7).take(3000));
    // 1 % a step: value at risk about 1.64 %, shortfall about 2.06 %.
    assert_eq!(limits.judge(&normal()), TailVerdict::Within);
    let early = after(risk(0.95, model, 100), gaussian(7).take(349));
    assert_eq!(limits.judge(&early), TailVerdict::Unproven { observations: 249, needed: 250 });
    let none = after(risk(0.95, model, 100), gaussian(7).take(99));
    assert_eq!(limits.judge(&none), TailVerdict::Unproven { observations: 0, needed: 250 });
    // Limits are exceeded before anything is proven, too.
    let tight = TailLimits { expected_shortfall: 0.018, value_at_risk: 0.018, ..limits };
    let verdict = tight.judge(&early);
    assert!(
        matches!(verdict, TailVerdict::Exceeds { measure: TailMeasure::ExpectedShortfall, .. }),
        "{verdict:?}"
    );
    let tighter = TailLimits { value_at_risk: 0.01, ..limits };
    let verdict = tighter.judge(&normal());
    assert!(matches!(verdict, TailVerdict::Exceeds { measure: TailMeasure::ValueAtRisk, .. }), "{verdict:?}");
    // Calm and storm by turns of 100: the window's volatility is right on average and wrong at each time.
    let turns = gaussian(7).take(3000).enumerate();
    let turns = turns.map(|(index, value)| if index / 100 % 2 == 0 { 0.2 * value } else { value });
    let verdict = limits.judge(&after(risk(0.95, model, 100), turns));
    assert!(
        matches!(verdict, TailVerdict::Miscalibrated { p, breaches, expected }
            if p < 0.01 && (0.03..0.12).contains(&breaches) && (expected - 0.05).abs() < 1e-12),
        "{verdict:?}"
    );
}

#[test]
fn settings_are_read_and_refused() {
    let read = |text: &str| toml::from_str::<TailConfig>(text).map_err(|error| error.to_string());
    let config = read("level = 0.99\nmodel = { method = \"ewma\" }").unwrap();
    assert_eq!(config, TailConfig { level: 0.99, model: EWMA, ..TailConfig::default() });
    let window = read("model = { method = \"cornish-fisher\", window = 250 }").unwrap();
    assert_eq!(window.model, TailModel::CornishFisher { window: 250 });
    assert!(read("model = { method = \"ewma\", window = 250 }").unwrap_err().contains("window"));
    assert!(read("levels = 0.99").unwrap_err().contains("levels"));
    assert!(TailConfig::default().validate().is_ok() && TailLimits::default().validate().is_ok());
    let default = TailConfig::default();
    for (config, field) in [
        (TailConfig { level: 0.5, ..default }, "tail.level = 0.5"),
        (TailConfig { level: 1.0, ..default }, "tail.level = 1"),
        (TailConfig { level: f64::NAN, ..default }, "tail.level = NaN"),
        (TailConfig { minimum_observations: 19, ..default }, "tail.minimum_observations = 19"),
        (TailConfig { minimum_observations: 501, ..default }, "tail.minimum_observations = 501"),
        (TailConfig { level: 0.99, minimum_observations: 99, ..default }, "tail.minimum_observations = 99"),
        (TailConfig { model: TailModel::Ewma { decay: 1.0 }, ..default }, "tail.model.decay = 1"),
        (TailConfig { model: TailModel::Gaussian { window: 2_000_000 }, ..default }, "tail.model.window"),
    ] {
        let error = TailRisk::new(config).unwrap_err().to_string();
        assert!(error.starts_with(field), "{error}");
    }
    assert!(TailConfig { level: 0.99, ..default }.validate().is_ok());
    let limits = TailLimits::default();
    for (limits, field) in [
        (TailLimits { value_at_risk: 0.0, ..limits }, "tail_limits.value_at_risk = 0"),
        (TailLimits { expected_shortfall: 0.04, ..limits }, "tail_limits.expected_shortfall = 0.04"),
        (TailLimits { minimum_p_value: 1.0, ..limits }, "tail_limits.minimum_p_value = 1"),
    ] {
        assert!(limits.validate().unwrap_err().to_string().starts_with(field));
    }
}
