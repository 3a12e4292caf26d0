//! What has no figure says so, and what is unsound is refused.

use super::*;
use crate::metrics::{Annualisation, Basis, BenchmarkMetrics, RollingStatistics};

#[test]
fn a_point_is_no_result() {
    let found = metrics(&curve("2024-01-01", DAY, &[100.0]), &MetricsConfig::default());
    let per_bar = found.per_bar;
    assert_eq!((per_bar.count, per_bar.annualisation, per_bar.mean), (0, Annualisation::Unknown, None));
    assert_eq!((found.cagr, found.calmar, found.drawdown.maximum), (None, None, None));
    assert_eq!((found.activity.time_in_market, found.activity.turnover), (None, None));
    assert_eq!((found.total_return, found.years), (0.0, 0.0));
    assert!(found.months.is_empty() && found.best_month.is_none());
}

#[test]
fn figures_that_do_not_exist_are_absent() {
    let of = |equity: &[f64]| {
        let found = metrics(&curve("2024-01-01", DAY, equity), &MetricsConfig::default());
        let daily = found.daily.unwrap();
        let ratios =
            [daily.volatility, daily.sharpe, daily.sortino, daily.omega, daily.skewness, daily.kurtosis];
        ratios.map(|ratio| if ratio.is_some() { 'x' } else { '-' }).iter().collect::<String>()
    };
    //                                                        volatility, Sharpe, Sortino, Omega, skewness, kurtosis
    assert_eq!(of(&[100.0, 101.0]), "------", "one return");
    assert_eq!(of(&[100.0, 100.0, 100.0, 100.0, 100.0]), "x-----", "nothing happened");
    assert_eq!(of(&[100.0, 101.0, 103.0]), "xx----", "two returns, none negative");
    assert_eq!(of(&[100.0, 99.0, 103.0]), "xxxx--", "two returns");
    assert_eq!(of(&[100.0, 99.0, 103.0, 104.0]), "xxxxx-", "three returns");
    assert_eq!(of(&[100.0, 99.0, 103.0, 104.0, 102.0]), "xxxxxx", "four returns");
    // 1 % a day for a year: its deviation is 1e-16 of rounding, by which Sharpe would be 1e15.
    let steady: Vec<f64> = (0..366).map(|day| 100.0 * 1.01_f64.powi(day)).collect();
    assert_eq!(of(&steady), "x-----", "the same return each day");
    let steady: Vec<f64> = (0..366).map(|day| 100.0 * 0.99_f64.powi(day)).collect();
    assert_eq!(of(&steady), "x-xx--", "the same loss each day");
}

#[test]
fn no_drawdown_no_ratio_over_it() {
    let found = metrics(&curve("2024-01-01", DAY, &[100.0, 101.0, 103.0]), &MetricsConfig::default());
    assert_eq!((found.drawdown.maximum, found.drawdown.ulcer_index), (Some(0.0), Some(0.0)));
    assert_eq!((found.drawdown.average, found.drawdown.recovery_factor, found.calmar), (None, None, None));
    assert!(found.cagr.is_some());
}

#[test]
fn trades_without_losses_have_no_profit_factor() {
    let gain = trade("2024-01-01", "2024-01-02", 10.0, 1.0, 0.0, 100.0);
    let of = |trades: &[ClosedTrade]| crate::metrics::TradeMetrics::of(trades).unwrap();
    let found = of(&[gain]);
    assert_eq!((found.profit_factor, found.payoff_ratio, found.average_loss), (None, None, None));
    assert_eq!((found.win_rate, found.short_win_rate), (Some(1.0), None));
    let found = of(&[]);
    assert_eq!(
        (found.win_rate, found.expectancy, found.average_return, found.best),
        (None, None, None, None)
    );
    let loss = trade("2024-01-01", "2024-01-02", -10.0, 1.0, 0.0, 100.0);
    assert_eq!((of(&[loss]).profit_factor, of(&[loss]).payoff_ratio), (Some(0.0), None));
}

#[test]
fn ruin_ends_the_curve() {
    // 100 → 120 → −30: everything and 25 % more; what comes after does not count.
    let mut of = curve("2024-01-01", DAY, &[100.0, 120.0, -30.0, 500.0]);
    of.exposure[2] = f64::NAN;
    let found = metrics(&of, &MetricsConfig::default());
    assert_eq!(found.ruined_at, Some(time("2024-01-03")));
    assert_eq!((found.until, found.final_equity), (time("2024-01-03"), -30.0));
    assert_eq!(of.returns(), [0.2, -1.25]);
    assert_eq!((found.total_return, found.cagr), (-1.3, Some(-1.0)));
    assert_eq!(found.drawdown.maximum, Some(1.25));
    near(found.calmar, -0.8, "-1 / 1.25");
    assert_eq!(found.months[0].value, -1.3);
}

#[test]
fn weeks_have_no_days() {
    let of = curve("2024-01-01", 7 * DAY, &[100.0, 101.0, 99.0]);
    let error = Metrics::of(&of, &[], &OrderCounts::default(), &MetricsConfig::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "metrics.basis = daily: the steps of the curve are longer than a day; set per-bar"
    );
    let config = MetricsConfig { basis: Basis::PerBar, ..MetricsConfig::default() };
    let found = metrics(&of, &config);
    assert!(found.daily.is_none());
    near(found.headline().periods_per_year, 365.0 / 7.0, "weeks in a year");
    assert!(RollingStatistics::of(&of, &MetricsConfig::default()).is_err());
    let short = MetricsConfig { rolling_window: 3, ..config };
    assert!(RollingStatistics::of(&of, &short).unwrap().times.is_empty());
}

#[test]
fn unsound_curves_are_refused() {
    let sound = curve("2024-01-01", DAY, &[100.0, 101.0, 99.0]);
    type Spoil = fn(&mut EquityCurve);
    let rows: [(Spoil, &str); 9] = [
        (|curve| curve.times.clear(), "0 times, 3 equities and 3 exposures"),
        (|curve| curve.exposure.truncate(2), "3 times, 3 equities and 2 exposures"),
        (|curve| curve.equity[1] = f64::NAN, "point 1 at 2024-01-02T00:00:00Z: its equity is NaN"),
        (|curve| curve.equity[0] = 0.0, "it begins with an equity of 0"),
        (|curve| curve.times[2] = curve.times[1], "it comes after 2024-01-02T00:00:00Z"),
        (|curve| curve.exposure[2] = -0.1, "its exposure is -0.1"),
        (|curve| curve.equity[1] = 1e20, "equity goes from 100 to 1"),
        (|curve| curve.times[2] = Timestamp::MAX, "its time is not one of a market"),
        (|curve| curve.times[2] = time("2024-01-03T05:00:00Z"), "is no multiple of 86400000 ms"),
    ];
    for (spoil, expected) in rows {
        let mut of = sound.clone();
        spoil(&mut of);
        let error = Metrics::of(&of, &[], &OrderCounts::default(), &MetricsConfig::default()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error} does not say {expected}");
    }
    let timeframe = Some(market_data::Timeframe::H1);
    let config = MetricsConfig { timeframe, ..MetricsConfig::default() };
    let error = Metrics::of(&sound, &[], &OrderCounts::default(), &config).unwrap_err();
    assert!(error.to_string().contains("median step is 86400000 ms and metrics.timeframe = 1h"), "{error}");
}

#[test]
fn unsound_trades_and_orders_are_refused() {
    let of = curve("2024-01-01", DAY, &[100.0, 101.0]);
    let mut flattering = trade("2024-01-01", "2024-01-02", 10.0, 4.0, 0.0, 100.0);
    flattering.net = 10.0;
    let error =
        Metrics::of(&of, &[flattering], &OrderCounts::default(), &MetricsConfig::default()).unwrap_err();
    assert!(error.to_string().contains("net is 10 but gross - fees + funding is 6"), "{error}");
    let mut backwards = trade("2024-01-01", "2024-01-02", 10.0, 4.0, 0.0, 100.0);
    backwards.opened = time("2024-01-03");
    assert!(crate::metrics::TradeMetrics::of(&[backwards]).is_err());
    backwards.net = f64::NAN;
    assert!(crate::metrics::TradeMetrics::of(&[backwards]).is_err());
    for orders in [
        OrderCounts { submitted: 1, unfilled: 2, ..OrderCounts::default() },
        OrderCounts { traded_notional: -1.0, ..OrderCounts::default() },
        OrderCounts { fees: f64::NAN, ..OrderCounts::default() },
    ] {
        assert!(Metrics::of(&of, &[], &orders, &MetricsConfig::default()).is_err(), "{orders:?}");
    }
}

#[test]
fn a_benchmark_is_measured_at_the_same_times() {
    let own = curve("2024-01-01", DAY, &[100.0, 101.0, 99.0]);
    let config = MetricsConfig::default();
    let late = curve("2024-01-02", DAY, &[100.0, 101.0, 99.0]);
    let error = BenchmarkMetrics::of(&own, &late, &config).unwrap_err().to_string();
    assert!(
        error.contains("a point is at 2024-01-02T00:00:00Z where the curve has one at 2024-01-01"),
        "{error}"
    );
    let short = curve("2024-01-01", DAY, &[100.0, 101.0]);
    let error = BenchmarkMetrics::of(&own, &short, &config).unwrap_err().to_string();
    assert!(error.contains("2 points where the curve has 3"), "{error}");
    // As many points, of which one is on another day
    let (mut gap, mut other) = (own.clone(), own.clone());
    gap.times = vec![time("2024-01-01"), time("2024-01-02"), time("2024-01-04")];
    other.times = vec![time("2024-01-01"), time("2024-01-03"), time("2024-01-04")];
    let error = BenchmarkMetrics::of(&gap, &other, &config).unwrap_err().to_string();
    assert!(
        error.contains("a point is at 2024-01-03T00:00:00Z where the curve has one at 2024-01-02"),
        "{error}"
    );
    let flat = BenchmarkMetrics::of(&own, &curve("2024-01-01", DAY, &[100.0; 3]), &config).unwrap();
    assert_eq!((flat.beta, flat.alpha, flat.correlation), (None, None, None));
    let same = BenchmarkMetrics::of(&own, &own, &config).unwrap();
    assert_eq!((same.information_ratio, same.tracking_error), (None, Some(0.0)));
    let one = curve("2024-01-01", DAY, &[100.0]);
    let alone = BenchmarkMetrics::of(&one, &one, &config).unwrap();
    assert_eq!((alone.beta, alone.active_return, alone.count), (None, None, 0));
}

#[test]
fn settings_are_checked_and_read() {
    type Spoil = fn(&mut MetricsConfig);
    let rows: [(Spoil, &str); 6] = [
        (|config| config.days_per_year = 252.0, "metrics.days_per_year = 252: give 365 or 365.25"),
        (|config| config.periods_per_year = Some(0.0), "metrics.periods_per_year = 0"),
        (|config| config.risk_free_rate = f64::NAN, "metrics.risk_free_rate = NaN"),
        (|config| config.tail_level = 1.0, "metrics.tail_level = 1"),
        (|config| config.tail_level = 0.05, "metrics.tail_level = 0.05"),
        (|config| config.rolling_window = 1, "metrics.rolling_window = 1"),
    ];
    for (spoil, expected) in rows {
        let mut config = MetricsConfig::default();
        spoil(&mut config);
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let config: MetricsConfig = toml::from_str("basis = \"per-bar\"\ntimeframe = \"1h\"").unwrap();
    assert_eq!((config.basis, config.timeframe), (Basis::PerBar, Some(market_data::Timeframe::H1)));
    assert!(toml::from_str::<MetricsConfig>("risk_free = 0.1").is_err());
}
