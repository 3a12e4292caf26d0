//! The same formula series in two languages: figures of QuantStats 0.0.86 (pandas, numpy), `periods=365`.
//!
//! ```python
//! def curve(seed, n=500):
//!     state, equity = seed, [10000.0]
//!     for _ in range(n):
//!         total = 0.0
//!         for _ in range(3):
//!             state = (1103515245 * state + 12345) % 2147483648
//!             total += state / 2147483648.0
//!         equity.append(equity[-1] * (1.0 + (0.001 + 0.04 * (total - 1.5))))
//!     return equity
//! def series(seed):
//!     e = curve(seed)
//!     return pd.Series(e, index=pd.date_range("2022-12-31", periods=len(e), freq="D")).pct_change().dropna()
//! r, b = series(1), series(7)
//! ```
//!
//! The index of pandas names the day; here a day's equity is known at its end, so the curve begins at the end
//! of 2022-12-31.

use super::*;
use crate::metrics::{Annualisation, BenchmarkMetrics, RollingStatistics};

fn formula_curve(seed: u64) -> EquityCurve {
    let mut state = seed;
    let mut equity = vec![10_000.0];
    for _ in 0..500 {
        let mut total = 0.0;
        for _ in 0..3 {
            state = (1_103_515_245 * state + 12_345) % 2_147_483_648;
            total += state as f64 / 2_147_483_648.0;
        }
        equity.push(equity[equity.len() - 1] * (1.0 + (0.001 + 0.04 * (total - 1.5))));
    }
    curve("2023-01-01", DAY, &equity)
}

fn with_rate(risk_free_rate: f64) -> MetricsConfig {
    MetricsConfig { risk_free_rate, ..MetricsConfig::default() }
}

#[test]
fn returns_agree() {
    let found = metrics(&formula_curve(1), &with_rate(0.0));
    let daily = found.headline();
    near(found.total_return, 0.39880265542471194, "qs.comp(r)");
    near(found.cagr, 0.27762148687451904, "qs.cagr(r, periods=365)");
    near(daily.volatility, 0.4031044384058837, "qs.volatility(r, 365)");
    near(daily.sharpe, 0.8086472719944141, "qs.sharpe(r, 0.0, 365)");
    near(daily.sortino, 1.2181978310125974, "qs.sortino(r, 0.0, 365)");
    near(daily.omega, 1.108257704134578, "qs.omega(r, rf=0.0, periods=365)");
    near(found.calmar, 0.8081952900076894, "qs.calmar(r, periods=365)");
    near(daily.skewness, 0.14010596085606689, "qs.skew(r)");
    near(daily.kurtosis, -0.5911121290117662, "qs.kurtosis(r)");
    near(daily.best.map(|one| one.value), 0.05035195289552208, "qs.best(r)");
    near(daily.worst.map(|one| one.value), -0.051304258439689776, "qs.worst(r)");
    // r.idxmax() is the day 2023-02-09, r.idxmin() 2023-12-17; they end at the next midnight.
    assert_eq!(daily.best.map(|one| one.time), Some(time("2023-02-10")));
    assert_eq!(daily.worst.map(|one| one.time), Some(time("2023-12-18")));
    near(daily.value_at_risk, 0.03194808141887184, "-np.quantile(r, 0.05, method='inverted_cdf')");
    near(daily.expected_shortfall, 0.03851605930700897, "-np.sort(r)[:25].mean()");
    let found = metrics(&formula_curve(1), &with_rate(0.03));
    let daily = found.headline();
    near(daily.sharpe, 0.7353164020310189, "qs.sharpe(r, 0.03, 365)");
    near(daily.sortino, 1.103964932893908, "qs.sortino(r, 0.03, 365)");
    near(daily.omega, 1.097961491455067, "qs.omega(r, rf=0.03, periods=365)");
}

#[test]
fn a_daily_curve_says_the_same_on_both_bases() {
    let found = metrics(&formula_curve(1), &with_rate(0.03));
    let daily = found.daily.unwrap();
    assert_eq!(found.per_bar.annualisation, Annualisation::MedianStep);
    assert_eq!(daily.annualisation, Annualisation::CalendarDays);
    let same = crate::metrics::ReturnStatistics {
        basis: daily.basis,
        annualisation: daily.annualisation,
        ..found.per_bar
    };
    assert_eq!(same, daily);
}

#[test]
fn drawdowns_agree() {
    let found = metrics(&formula_curve(1), &with_rate(0.0)).drawdown;
    near(found.maximum, 0.3435079247639239, "-qs.max_drawdown(r)");
    near(found.average, 0.06990390017712607, "qs.drawdown_details(...)['max drawdown'].mean()");
    assert_eq!(found.count, 21, "len(qs.drawdown_details(...))");
    // QuantStats: 2023-02-23 to 2023-07-22, 150 days, valley 2023-05-30. The peak is the end of 2023-02-22,
    // the recovery the end of 2023-07-23: 151 steps.
    let deepest = found.deepest.unwrap();
    assert_eq!(
        (deepest.peak, deepest.trough, deepest.recovered, deepest.bars, deepest.duration_ms),
        (time("2023-02-23"), time("2023-05-31"), Some(time("2023-07-24")), 151, 151 * DAY)
    );
    // QuantStats: 2023-11-25 to 2024-05-14, where the series ends, 172 days.
    let longest = found.longest.unwrap();
    assert_eq!(
        (longest.peak, longest.trough, longest.recovered, longest.bars, longest.duration_ms),
        (time("2023-11-25"), time("2024-04-24"), None, 172, 172 * DAY)
    );
    // -30.775593 % with 6 places
    assert!((longest.depth - 0.30775593).abs() < 5e-9, "{}", longest.depth);
    near(found.ulcer_index, 0.16351598603155587, "qs.ulcer_index(r) * np.sqrt(499 / 500)");
    near(found.recovery_factor, 1.1609707569302496, "qs.comp(r) / -qs.max_drawdown(r)");
}

#[test]
fn months_agree() {
    let found = metrics(&formula_curve(1), &with_rate(0.0));
    // qs.monthly_returns(r), which fills the months after May 2024 with 0
    let expected = [
        (2023, 1, 0.037235620847202666),
        (2023, 2, 0.05367267524101149),
        (2023, 3, -0.06394443319995846),
        (2023, 4, -0.11102732346937694),
        (2023, 5, -0.13140981615746505),
        (2023, 6, 0.21809592189048188),
        (2023, 7, 0.1885957409765815),
        (2023, 8, 0.10663493711462624),
        (2023, 9, 0.17356838404317032),
        (2023, 10, 0.19353502496590846),
        (2023, 11, 0.0415287921767975),
        (2023, 12, -0.15174995711287376),
        (2024, 1, 0.09109740700278723),
        (2024, 2, 0.001737552907503881),
        (2024, 3, -0.11535303740925595),
        (2024, 4, -0.03861203417019876),
        (2024, 5, -0.039221179246986315),
    ];
    assert_eq!(found.months.len(), expected.len());
    for (row, (year, month, value)) in found.months.iter().zip(expected) {
        assert_eq!((row.year, row.month), (year, month));
        near(row.value, value, "month");
    }
    let of = |month: Option<crate::metrics::MonthlyReturn>| month.map(|row| (row.year, row.month));
    assert_eq!(of(found.best_month), Some((2023, 6)), "qs.best(r, 'eom') is 0.21809592189048188");
    assert_eq!(of(found.worst_month), Some((2023, 12)), "qs.worst(r, 'eom') is -0.15174995711287376");
}

#[test]
fn rolling_figures_agree() {
    let found = RollingStatistics::of(&formula_curve(1), &with_rate(0.03)).unwrap();
    assert_eq!((found.times.len(), found.sharpe.len(), found.volatility.len()), (411, 411, 411));
    // 90 days after the start
    assert_eq!(found.times[0], time("2023-04-01"));
    near(found.sharpe[0], 0.35319545577362005, "qs.rolling_sharpe(r, 0.03, 90, True, 365)");
    near(found.sharpe[200], 4.3460169630561785, "the 201st of them");
    near(found.sharpe[410], -2.0816324456916826, "the last of them");
    near(found.volatility[0], 0.3997932216096963, "qs.rolling_volatility(r, 90, 365)");
    near(found.volatility[410], 0.3664796049878384, "the last of them");
}

#[test]
fn the_benchmark_agrees() {
    let (own, other) = (formula_curve(1), formula_curve(7));
    let found = BenchmarkMetrics::of(&own, &other, &with_rate(0.0)).unwrap();
    near(found.alpha, 0.31734016231677004, "qs.greeks(r, b, 365)['alpha']");
    near(found.beta, 0.015860981440451286, "qs.greeks(r, b, 365)['beta']");
    near(found.correlation, 0.014667575721310439, "np.corrcoef(r, b)[0, 1]");
    near(found.active_return, -0.21807913047522154, "(r - b).mean() * 365");
    near(found.tracking_error, 0.5450189893085391, "(r - b).std() * np.sqrt(365)");
    near(found.information_ratio, -0.400131251852154, "qs.information_ratio(r, b) * np.sqrt(365)");
    let found = BenchmarkMetrics::of(&own, &other, &with_rate(0.03)).unwrap();
    // rate = 1.03 ** (1 / 365) - 1
    near(found.alpha, 0.2882490137603285, "((r - rate).mean() - beta * (b - rate).mean()) * 365");
    near(found.beta, 0.015860981440451286, "a constant rate changes no slope");
}
