//! What holds of any curve.

use proptest::prelude::*;

use super::*;
use crate::metrics::Basis;

fn any_curve() -> impl Strategy<Value = EquityCurve> {
    let steps = proptest::collection::vec((1_i64..4, -0.5_f64..0.6, 0.0_f64..3.0), 1..80);
    (steps, 0_i64..48, 1_i64..7).prop_map(|(steps, offset, hours)| {
        let mut of = curve("2024-01-01", HOUR, &[1_000.0]);
        let mut at = offset * HOUR;
        of.times[0] = time("2024-01-01").plus_millis(at);
        for (length, change, exposure) in steps {
            at += length * hours * HOUR;
            of.times.push(time("2024-01-01").plus_millis(at));
            of.equity.push(of.equity[of.equity.len() - 1] * (1.0 + change));
            of.exposure.push(exposure);
        }
        of
    })
}

fn any_step() -> MetricsConfig {
    MetricsConfig { periods_per_year: Some(8760.0), ..MetricsConfig::default() }
}

fn rate(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e-9 * expected.abs().max(1.0)
}

/// Steps that a strategy should not take: none, hardly any, all at once, ruin.
fn any_extreme_curve() -> impl Strategy<Value = EquityCurve> {
    let change = prop_oneof![
        Just(0.0),
        Just(1e-16),
        Just(-1e-16),
        Just(1e11),
        Just(-1.0 + 1e-15),
        Just(-3.0),
        -0.1_f64..0.1
    ];
    let start = prop_oneof![Just(1e-12), Just(1.0), Just(1e18)];
    let exposure = prop_oneof![Just(0.0), Just(1e12), 0.0_f64..2.0];
    let steps = proptest::collection::vec((change, exposure), 0..8);
    (start, steps, prop_oneof![Just(60_000), Just(DAY), Just(7 * DAY)]).prop_map(|(start, steps, step)| {
        let mut equity = vec![start];
        for (change, _) in &steps {
            equity.push((equity[equity.len() - 1] * (1.0 + change)).min(1e30));
        }
        let mut of = curve("2024-01-01", step, &equity);
        for (at, (_, exposure)) in steps.iter().enumerate() {
            of.exposure[at] = *exposure;
        }
        of
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn no_figure_is_a_nan_or_infinite(of in any_extreme_curve(), win in prop_oneof![Just(1e30), Just(0.0), 0.0..9.0_f64],
        loss in prop_oneof![Just(-1e-300), Just(-5e-324), Just(0.0)], rate in prop_oneof![Just(0.0), Just(0.05)]) {
        // JSON has neither: a field that must have a value would not read back, and one that may would be
        // absent.
        let trades = [win, loss].map(|gross| trade("2024-01-01", "2024-01-02", gross, 0.0, 0.0, 1e9));
        let orders = OrderCounts { traded_notional: 1e30, ..OrderCounts::default() };
        let config = MetricsConfig {
            basis: Basis::PerBar, risk_free_rate: rate, rolling_window: 2, ..MetricsConfig::default()
        };
        if let Ok(found) = Metrics::of(&of, &trades, &orders, &config) {
            let text = serde_json::to_string(&found).unwrap();
            prop_assert_eq!(serde_json::from_str::<Metrics>(&text).unwrap(), found);
            let found = crate::metrics::RollingStatistics::of(&of, &config).unwrap();
            let text = serde_json::to_string(&found).unwrap();
            prop_assert_eq!(serde_json::from_str::<crate::metrics::RollingStatistics>(&text).unwrap(), found);
            let found = crate::metrics::BenchmarkMetrics::of(&of, &of, &config).unwrap();
            let text = serde_json::to_string(&found).unwrap();
            prop_assert_eq!(serde_json::from_str::<crate::metrics::BenchmarkMetrics>(&text).unwrap(), found);
        } else {
            prop_assert!(of.validate().is_err());
        }
    }

    #[test]
    fn days_and_months_compound_to_the_total(of in any_curve()) {
        let found = metrics(&of, &any_step());
        let growth = |values: Vec<f64>| values.iter().map(|value| 1.0 + value).product::<f64>() - 1.0;
        prop_assert!(rate(growth(of.returns()), found.total_return));
        prop_assert!(rate(growth(of.daily().returns()), found.total_return));
        prop_assert!(rate(growth(found.months.iter().map(|row| row.value).collect()), found.total_return));
    }

    #[test]
    fn days_never_hide_a_day_and_have_one_end(of in any_curve()) {
        let days: Vec<i64> = of.daily().times.iter().skip(1).map(|time| (time.as_millis() - 1).div_euclid(DAY)).collect();
        prop_assert!(days.windows(2).all(|pair| pair[0] < pair[1]));
        let seen: std::collections::BTreeSet<i64> =
            of.times.iter().skip(1).map(|time| (time.as_millis() - 1).div_euclid(DAY)).collect();
        prop_assert_eq!(days, seen.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn the_unit_of_money_changes_no_ratio(of in any_curve()) {
        // A power of two scales without rounding, so figures agree to the bit.
        let mut scaled = of.clone();
        scaled.equity.iter_mut().for_each(|equity| *equity *= 64.0);
        let (found, other) = (metrics(&of, &any_step()), metrics(&scaled, &any_step()));
        prop_assert_eq!(found.daily, other.daily);
        prop_assert_eq!(found.per_bar, other.per_bar);
        prop_assert_eq!(found.drawdown, other.drawdown);
        prop_assert_eq!(found.months, other.months);
        prop_assert_eq!((found.cagr, found.calmar), (other.cagr, other.calmar));
    }

    #[test]
    fn drawdowns_match_every_pair_of_points(of in any_curve()) {
        // By definition: the largest fall from any point to any later one.
        let mut deepest = 0.0_f64;
        for (at, before) in of.equity.iter().enumerate() {
            for after in &of.equity[at..] {
                deepest = deepest.max((before - after) / before);
            }
        }
        let found = metrics(&of, &any_step()).drawdown;
        prop_assert_eq!(found.maximum, Some(deepest));
        let underwater = of.underwater();
        prop_assert_eq!(underwater.iter().copied().fold(0.0, f64::max), deepest);
        // Every point under water belongs to one drawdown: a recovered one of n bars has n − 1 of them.
        let points: usize = of.drawdowns().iter().map(|one| one.bars - usize::from(one.recovered.is_some())).sum();
        prop_assert_eq!(points, underwater.iter().filter(|depth| **depth > 0.0).count());
    }

    #[test]
    fn the_tail_is_no_milder_than_its_edge(of in any_curve(), level in 0.6_f64..0.99) {
        let config = MetricsConfig { tail_level: level, basis: Basis::PerBar, ..any_step() };
        let found = metrics(&of, &config);
        let stats = found.headline();
        let (risk, shortfall) = stats.value_at_risk.zip(stats.expected_shortfall).unwrap();
        prop_assert!(shortfall >= risk - 1e-12);
        prop_assert!(shortfall <= -stats.worst.unwrap().value + 1e-12);
    }
}
