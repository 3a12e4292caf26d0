//! Hand-checked cards: a curve or trades in, the figures that a trader works out with a pencil.

use trading::{InstrumentIndex, PositionSide, Purpose, Side, TradeRecord};

use super::*;
use crate::metrics::{Annualisation, Basis, TradeMetrics};

#[test]
fn days_end_at_midnight() {
    // Each 6 h from 2024-01-30 12:00. The point at 00:00 ends the day before it, and on 02-01 the month too.
    //   01-30 12:00  18:00 | 01-31 00:00  (ends 30th)
    //   01-31 06:00  12:00  18:00 | 02-01 00:00  (ends 31st)
    //   02-01 06:00                              (ends the curve)
    let points = [100.0, 104.0, 110.0, 60.0, 121.0, 120.0, 99.0, 108.9];
    let mut of = curve("2024-01-30T12:00:00Z", 6 * HOUR, &points);
    of.exposure = vec![1.0, 0.0, 2.0, 0.0, 0.0, 0.5, 0.0, 9.0];
    let days = of.daily();
    assert_eq!(days.equity, [100.0, 110.0, 99.0, 108.9]);
    assert_eq!(days.exposure, [1.0, 2.0, 0.0, 9.0]);
    assert_eq!(
        days.times,
        [time("2024-01-30T12:00:00Z"), time("2024-01-31"), time("2024-02-01"), time("2024-02-01T06:00:00Z")]
    );
    let found = metrics(&of, &MetricsConfig::default());
    let daily = found.daily.unwrap();
    // Returns +10 %, −10 %, +10 %: mean 10/3 %; deviation √((2 (20/3)² + (40/3)²) / 2) % = √(400/3) % =
    // 11.547 %
    near(daily.mean, 0.1 / 3.0, "mean");
    near(daily.volatility, (400.0_f64 / 3.0).sqrt() / 100.0 * 365.0_f64.sqrt(), "volatility");
    near(daily.sharpe, (10.0 / 3.0) / (400.0_f64 / 3.0).sqrt() * 365.0_f64.sqrt(), "Sharpe");
    // Downside √(10² / 3) %
    near(daily.sortino, (10.0 / 3.0) / (100.0_f64 / 3.0).sqrt() * 365.0_f64.sqrt(), "Sortino");
    near(daily.omega, 2.0, "20 % gained over 10 % lost");
    // The bars saw 110 → 60: 45.45 %, which the days (110 → 99: 10 %) hide. From 31st 00:00 until 12:00.
    near(found.drawdown.maximum, 50.0 / 110.0, "drawdown of every point");
    let deepest = found.drawdown.deepest.unwrap();
    assert_eq!(deepest.recovered, Some(time("2024-01-31T12:00:00Z")));
    assert_eq!((deepest.bars, deepest.duration_ms), (2, 12 * HOUR));
    // January ends at 99, February has 99 → 108.9.
    let months: Vec<_> = found.months.iter().map(|row| (row.year, row.month)).collect();
    assert_eq!(months, [(2024, 1), (2024, 2)]);
    near(found.months[0].value, -0.01, "January");
    near(found.months[1].value, 0.1, "February");
    // 4 × 365 periods of 6 h
    assert_eq!(found.per_bar.periods_per_year, Some(1460.0));
    assert_eq!((found.per_bar.count, daily.count), (7, 3));
    // Of 7 steps those that begin at points 0, 2 and 5 are in the market; exposure 1 + 2 + 0.5 over 7. The
    // last point begins no step.
    near(found.activity.time_in_market, 3.0 / 7.0, "time in the market");
    near(found.activity.mean_exposure, 0.5, "mean exposure");
    near(found.activity.largest_exposure, 9.0, "largest exposure");
}

#[test]
fn drawdowns_one_by_one() {
    // peak 100 → 90 → 95 → 100 (recovered: 3 days, 10 %), 120 → 90 → 105 (open: 2 days, 25 %)
    let of = curve("2024-01-01", DAY, &[100.0, 90.0, 95.0, 100.0, 120.0, 90.0, 105.0]);
    let found = of.drawdowns();
    let rows: Vec<_> =
        found.iter().map(|one| (one.peak, one.trough, one.recovered, one.depth, one.bars)).collect();
    assert_eq!(
        rows,
        [
            (time("2024-01-01"), time("2024-01-02"), Some(time("2024-01-04")), 0.1, 3),
            (time("2024-01-05"), time("2024-01-06"), None, 0.25, 2),
        ]
    );
    assert_eq!(of.underwater(), [0.0, 0.1, 0.05, 0.0, 0.0, 0.25, 0.125]);
    let found = metrics(&of, &MetricsConfig::default()).drawdown;
    near(found.maximum, 0.25, "maximum");
    near(found.average, 0.175, "(10 % + 25 %) / 2");
    assert_eq!(found.longest.map(|one| one.depth), Some(0.1));
    // √((0.01 + 0.0025 + 0.0625 + 0.015625) / 6) = √(0.090625 / 6)
    near(found.ulcer_index, (0.090625_f64 / 6.0).sqrt(), "ulcer index");
    near(found.recovery_factor, 0.2, "5 % over 25 %");
}

#[test]
fn a_year_is_365_days_of_24_hours() {
    struct Row {
        step: i64,
        days_per_year: f64,
        expected: f64,
    }
    for row in [
        Row { step: DAY, days_per_year: 365.0, expected: 365.0 },
        Row { step: HOUR, days_per_year: 365.0, expected: 8760.0 },
        Row { step: HOUR / 60, days_per_year: 365.0, expected: 525_600.0 },
        Row { step: 4 * HOUR, days_per_year: 365.25, expected: 2191.5 },
    ] {
        let of = curve("2024-01-01", row.step, &[100.0, 101.0, 100.0]);
        let config = MetricsConfig { days_per_year: row.days_per_year, ..MetricsConfig::default() };
        let found = metrics(&of, &config).per_bar;
        assert_eq!(found.periods_per_year, Some(row.expected));
        assert_eq!(found.annualisation, Annualisation::MedianStep);
        let timeframe = market_data::Timeframe::from_millis(row.step);
        let found = metrics(&of, &MetricsConfig { timeframe, ..config.clone() }).per_bar;
        assert_eq!(found.periods_per_year, Some(row.expected));
        assert_eq!(found.annualisation, Annualisation::Timeframe);
        if row.days_per_year == 365.0 {
            assert_eq!(timeframe.map(market_data::Timeframe::per_year), Some(row.expected), "one definition");
        }
        let found = metrics(&of, &MetricsConfig { periods_per_year: Some(252.0), ..config }).per_bar;
        assert_eq!((found.periods_per_year, found.annualisation), (Some(252.0), Annualisation::Given));
    }
}

#[test]
fn growth_counts_time_and_not_points() {
    // 100 → 121 over two years of 365 days, of which most days are missing: 10 % a year.
    let mut of = curve("2021-01-01", DAY, &[100.0, 110.0, 121.0]);
    of.times[2] = time("2023-01-01");
    let found = metrics(&of, &MetricsConfig::default());
    near(found.years, 2.0, "years");
    near(found.cagr, 0.1, "CAGR");
    // 730 days, two of them have a return.
    assert_eq!(found.daily.map(|daily| daily.missing), Some(728));
    assert_eq!(found.per_bar.missing, 728);
    // 2021-01 and, as the last point ends it, 2022-12.
    assert_eq!(found.months.len(), 2);
}

#[test]
fn trades_by_hand() {
    let mut trades = [
        //                                                gross  fees funding  notional    net
        trade("2024-01-01", "2024-01-01T04:00:00Z", 110.0, 8.0, -2.0, 1_000.0), // +100 = 10 %
        trade("2024-01-02", "2024-01-02T02:00:00Z", 1.0, 8.0, 2.0, 1_000.0),    //   −5 = −0.5 %
        trade("2024-01-03", "2024-01-03T06:00:00Z", -20.0, 5.0, 0.0, 500.0),    //  −25 = −5 %
        trade("2024-01-04", "2024-01-04T04:00:00Z", 8.0, 8.0, 0.0, 2_000.0),    //    0
        trade("2024-01-05", "2024-01-05T04:00:00Z", 25.0, 5.0, 0.0, 1_000.0),   //  +20 = 2 %
    ];
    trades[2].is_long = false;
    trades[4].is_long = false;
    let found = TradeMetrics::of(&trades).unwrap();
    assert_eq!((found.count, found.wins, found.losses, found.longs), (5, 2, 2, 3));
    for (found, expected, what) in [
        (found.win_rate, 0.4, "2 of 5: the second gained 1 before its fees"),
        (found.long_win_rate, 1.0 / 3.0, "1 of 3"),
        (found.short_win_rate, 0.5, "1 of 2"),
        (Some(found.gross_profit), 120.0, "100 + 20"),
        (Some(found.gross_loss), 30.0, "5 + 25"),
        (Some(found.net_profit), 90.0, "120 − 30"),
        (found.profit_factor, 4.0, "120 / 30"),
        (found.expectancy, 18.0, "90 / 5"),
        (found.average_win, 60.0, "120 / 2"),
        (found.average_loss, 15.0, "30 / 2"),
        (found.payoff_ratio, 4.0, "60 / 15"),
        (found.average_return, 0.013, "(10 − 0.5 − 5 + 0 + 2) / 5 %"),
        (found.best, 100.0, "the first"),
        (found.worst, -25.0, "the third"),
        (found.average_holding_ms, 4.0 * HOUR as f64, "(4 + 2 + 6 + 4 + 4) / 5 h"),
        (found.average_candles, 4.0, "of an hour each"),
    ] {
        near(found, expected, what);
    }
}

#[test]
fn activity_by_hand() {
    // Mean equity 110 over 73 days, a fifth of a year: 5 500 traded is 50 times the equity, 250 times a year.
    let mut of = curve("2024-01-01", DAY, &[110.0; 74]);
    of.exposure[0] = 1.0;
    let orders =
        OrderCounts { submitted: 8, unfilled: 2, traded_notional: 5_500.0, fees: 4.5, funding: -1.25 };
    let found = Metrics::of(&of, &[], &orders, &MetricsConfig::default()).unwrap().activity;
    near(found.turnover, 250.0, "turnover");
    near(found.unfilled_share, 0.25, "2 of 8");
    near(found.time_in_market, 1.0 / 73.0, "1 of 73 days");
    assert_eq!((found.fees, found.funding, found.mean_equity), (4.5, -1.25, 110.0));
}

#[test]
fn a_benchmark_by_hand() {
    // Half of each return of the benchmark plus 1 %: beta 0.5, alpha 1 % a day = 365 % a year, correlation 1.
    //   benchmark +10 %, −10 %, +20 %; own +6 %, −4 %, +11 %
    let benchmark = curve("2024-01-01", DAY, &[100.0, 110.0, 99.0, 118.8]);
    let own = curve("2024-01-01", DAY, &[100.0, 106.0, 101.76, 112.9536]);
    let found = crate::metrics::BenchmarkMetrics::of(&own, &benchmark, &MetricsConfig::default()).unwrap();
    near(found.beta, 0.5, "beta");
    near(found.alpha, 3.65, "alpha");
    near(found.correlation, 1.0, "correlation");
    // Differences −4, +6, −9 %: mean −7/3 %
    near(found.active_return, -0.07 / 3.0 * 365.0, "active return");
    assert_eq!((found.basis, found.count), (Basis::Daily, 3));
}

#[test]
fn a_record_of_the_kernel_becomes_a_trade() {
    // Sold 2 at 50, bought back at 40: 20 − 0.3 fees + 0.1 funding = 19.8, of 100.
    let record = TradeRecord {
        instrument: InstrumentIndex(0),
        position_side: PositionSide::Net,
        side: Side::Sell,
        opened: time("2024-01-01"),
        closed: time("2024-01-02"),
        quantity: "2".parse().unwrap(),
        entry_price: "50".parse().unwrap(),
        exit_price: "40".parse().unwrap(),
        gross: "20".parse().unwrap(),
        fees: "0.3".parse().unwrap(),
        funding: "0.1".parse().unwrap(),
        net: "19.8".parse().unwrap(),
        candles: 24,
        exit: Purpose::Reduction,
        reason: None,
        votes: Vec::new(),
    };
    let found = ClosedTrade::from(&record);
    let expected = ClosedTrade {
        opened: time("2024-01-01"),
        closed: time("2024-01-02"),
        net: 19.8,
        gross: 20.0,
        fees: 0.3,
        funding: 0.1,
        return_on_notional: 0.198,
        candles: 24,
        is_long: false,
    };
    assert_eq!(found, expected);
    assert!(TradeMetrics::of(&[found]).is_ok());
}
