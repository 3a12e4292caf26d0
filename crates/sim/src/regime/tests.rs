//! Labels and attributions by hand, and what must hold of all.

use market_data::{Candle, CandleColumns, CandleSeries, SeriesKey, Symbol, Timeframe, Timestamp, Venue};
use proptest::prelude::*;

use super::*;
use crate::luck::BootstrapConfig;
use crate::metrics::{ClosedTrade, EquityCurve, MetricsConfig};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn hour(hour: i64) -> Timestamp {
    "2024-01-01".parse::<Timestamp>().unwrap().plus_millis(hour * HOUR)
}

fn near(found: impl Into<Option<f64>>, expected: f64, what: &str) {
    let found = found.into().unwrap_or(f64::NAN);
    assert!((found - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{what}: {found} is not {expected}");
}

/// `^` bull, `v` bear, `-` sideways.
fn drawn(labels: &[MarketRegime]) -> String {
    let sign = |label: &MarketRegime| match label {
        MarketRegime::Bull => '^',
        MarketRegime::Bear => 'v',
        MarketRegime::Sideways => '-',
    };
    labels.iter().map(sign).collect()
}

#[test]
fn labels_by_hand() {
    // A fifth up or down, and 3 days of pause. Closes; what each change after the first close belongs to;
    // why.
    let cards: [(&[f64], &str, &str); 11] = [
        (&[100.0, 110.0, 90.0, 100.0], "---", "90 is more than 0.8 · 110, and 100 less than 1.2 · 90"),
        (&[100.0, 120.0], "^", "just a fifth is a bull market"),
        (&[100.0, 80.0], "v", "and just a fifth down a bear market"),
        (&[100.0, 105.0, 110.0, 104.0, 99.0, 80.0], "--vvv", "it falls from the high of 110, not from 100"),
        (
            &[100.0, 110.0, 120.0, 130.0, 110.0, 104.0, 100.0, 119.0, 120.0],
            "^^^vvv^^",
            "104 = 0.8 · 130 ends the bull market at its high, 120 = 1.2 · 100 the bear market at its low",
        ),
        (&[100.0, 120.0, 115.0, 116.0, 125.0], "^^^^", "3 days until the next high are no pause"),
        (&[100.0, 120.0, 115.0, 116.0, 117.0, 125.0], "^---^", "4 are, but for the day of the new high"),
        (&[100.0, 120.0, 115.0, 116.0, 117.0, 118.0], "^----", "and so are 4 days at the end"),
        (&[100.0, 80.0, 85.0, 84.0, 83.0, 75.0], "v---v", "the same below"),
        (&[100.0, 110.0, 105.0, 106.0, 107.0, 121.0], "^---^", "a pause before the market is known for one"),
        (&[100.0, 120.0, 120.0, 120.0, 120.0, 120.0, 120.0], "^^^^^^", "an equal high is a high"),
    ];
    let config = RegimeConfig { rise: 0.2, fall: 0.2, pause_days: 3 };
    for (closes, expected, why) in cards {
        assert_eq!(drawn(&label_days(closes, &config).unwrap()), expected, "{closes:?}: {why}");
    }
    assert!(label_days(&[], &config).unwrap().is_empty() && label_days(&[1.0], &config).unwrap().is_empty());
    // Other thresholds: 10 % up is enough, 30 % down is needed.
    let config = RegimeConfig { rise: 0.1, fall: 0.3, pause_days: 9 };
    let closes = [100.0, 110.0, 80.0, 77.0, 78.0, 84.7];
    assert_eq!(drawn(&label_days(&closes, &config).unwrap()), "^vv^^");
}

fn series(code: &str, timeframe: Timeframe, first_open: f64, closes: &[(i64, f64)]) -> CandleSeries {
    let mut columns = CandleColumns::default();
    let mut open = first_open;
    for (at, close) in closes {
        let (high, low) = (open.max(*close), open.min(*close));
        let open_time = hour(at * timeframe.millis() / HOUR);
        columns.push(&Candle { open_time, open, high, low, close: *close, volume: 1.0, turnover: None });
        open = *close;
    }
    let symbol = Symbol::new(code, "USDT", Some("USDT")).unwrap();
    let venue: Venue = "bybit-linear".parse().unwrap();
    CandleSeries::new(SeriesKey::new(venue, symbol, timeframe), columns).unwrap()
}

#[test]
fn an_index_by_hand() {
    // Half days. A: 100 → 120, → 60, no third day, → 66. B is listed on the second day: 10 → 12, → 12, no
    // fourth day.
    let a = [(0, 110.0), (1, 120.0), (2, 90.0), (3, 60.0), (7, 66.0)];
    let b = [(2, 11.0), (3, 12.0), (4, 12.0)];
    let a = series("A", Timeframe::H12, 100.0, &a);
    let b = series("B", Timeframe::H12, 10.0, &b);
    let index = DailyIndex::of(&[&a, &b]).unwrap();
    assert_eq!(index.times, [0, 24, 48, 72, 96].map(hour));
    // + 20 %; the mean of − 50 % and + 20 %; 0 % of B alone; + 10 % of A alone, over its gap.
    for (found, expected) in index.closes.iter().zip([1.0, 1.2, 1.2 * 0.85, 1.02, 1.122]) {
        near(*found, expected, "level");
    }
    assert_eq!(DailyIndex::of(&[&b]).unwrap().closes, [1.0, 1.2, 1.2]);
    let weeks = series("A", Timeframe::W1, 100.0, &[]);
    assert!(DailyIndex::of(&[&weeks]).unwrap_err().to_string().contains("longer than a day"));
    let none = series("A", Timeframe::H12, 100.0, &[]);
    assert!(DailyIndex::of(&[&none]).unwrap_err().to_string().contains("no candle"));
}

fn index(closes: &[f64]) -> DailyIndex {
    DailyIndex {
        times: (0..closes.len()).map(|day| hour(24 * day as i64)).collect(),
        closes: closes.to_vec(),
    }
}

fn curve(step: i64, equity: &[f64]) -> EquityCurve {
    EquityCurve {
        times: (0..equity.len()).map(|at| hour(step * at as i64)).collect(),
        equity: equity.to_vec(),
        exposure: vec![1.0; equity.len()],
    }
}

fn trade(opened: i64, closed: i64, net: f64) -> ClosedTrade {
    ClosedTrade {
        opened: hour(opened),
        closed: hour(closed),
        net,
        gross: net,
        fees: 0.0,
        funding: 0.0,
        return_on_notional: net / 100.0,
        candles: 1,
        is_long: true,
    }
}

fn attribute(
    curve: &EquityCurve,
    trades: &[ClosedTrade],
    benchmark: &DailyIndex,
    config: &RegimeConfig,
) -> Result<RegimeAttribution, crate::SimError> {
    attribute_to_regimes(
        curve,
        trades,
        benchmark,
        config,
        &MetricsConfig::default(),
        &BootstrapConfig::default(),
    )
}

#[test]
fn an_attribution_by_hand() {
    // The fourth card of labels: ^^^vvv^^ on the days 1 to 8.
    let benchmark = index(&[100.0, 110.0, 120.0, 130.0, 110.0, 104.0, 100.0, 119.0, 120.0]);
    //                       +10 %   +10 %   0       −10 %   0       +10 %   −10 %    +20 %
    let equity = [1000.0, 1100.0, 1210.0, 1210.0, 1089.0, 1089.0, 1197.9, 1078.11, 1293.732];
    let trades = [
        trade(0, 90, 10.0),   // at midnight: of the day that begins, the 1st, bull
        trade(71, 80, -4.0),  // 23:00 of the 3rd, bull
        trade(72, 150, -5.0), // midnight, the 4th begins: bear, though it ends in the bull market
    ];
    let config = RegimeConfig { pause_days: 3, ..RegimeConfig::default() };
    let found = attribute(&curve(24, &equity), &trades, &benchmark, &config).unwrap();
    let [bull, bear, sideways] = found.regimes.try_into().unwrap();
    assert_eq!((bull.days, bear.days, sideways.days), (5, 3, 0));
    assert_eq!((bull.stretches, bear.stretches, sideways.stretches), (2, 1, 0));
    assert_eq!((bull.share_of_time, bear.share_of_time), (0.625, 0.375));
    near(bull.total_return, 1.1 * 1.1 * 0.9 * 1.2 - 1.0, "bull");
    near(bear.total_return, 0.9 * 1.1 - 1.0, "bear");
    near(found.total_return, 0.293732, "total");
    near(bull.benchmark_return, 1.3 * 1.2 - 1.0, "benchmark, bull");
    near(bear.benchmark_return, 100.0 / 130.0 - 1.0, "benchmark, bear");
    near(found.benchmark_return, 0.2, "benchmark");
    // Mean 0.06; squares 2 · 0.04² + 0.06² + 0.16² + 0.14² = 0.052, over 4.
    near(bull.volatility, (0.013_f64 * 365.0).sqrt(), "volatility");
    near(bull.sharpe, 0.06 / 0.013_f64.sqrt() * 365.0_f64.sqrt(), "Sharpe ratio");
    // 1197.9 → 1078.11 in the second bull market; the peak of 1210 before the bear market counts into it: →
    // 1089.
    near(bull.maximum_drawdown, 0.1, "drawdown, bull");
    near(bear.maximum_drawdown, 0.1, "drawdown, bear");
    assert_eq!(
        (bull.trades, bull.win_rate, bull.profit_factor, bull.net_profit),
        (2, Some(0.5), Some(2.5), 6.0)
    );
    assert_eq!(
        (bear.trades, bear.win_rate, bear.profit_factor, bear.net_profit),
        (1, Some(0.0), Some(0.0), -5.0)
    );
    assert_eq!((bull.sharpe_interval, sideways.sharpe, sideways.total_return), (None, None, 0.0));
    let spans: Vec<_> = found.stretches.iter().map(|one| (one.regime.name(), one.from, one.until)).collect();
    assert_eq!(
        spans,
        [("bull", hour(0), hour(72)), ("bear", hour(72), hour(144)), ("bull", hour(144), hour(192))]
    );
}

#[test]
fn a_drawdown_inside_a_day_counts_and_one_across_regimes_does_not() {
    // Half days: 1000 → 800 → 1000 on the first day, bull; 1000 → 900 → 850 on the second, bear.
    let found = attribute(
        &curve(12, &[1000.0, 800.0, 1000.0, 900.0, 850.0]),
        &[],
        &index(&[100.0, 120.0, 90.0]),
        &RegimeConfig::default(),
    )
    .unwrap();
    near(found.regimes[0].maximum_drawdown, 0.2, "bull");
    near(found.regimes[1].maximum_drawdown, 0.15, "bear");
    // From the day's end to the day's end.
    near(found.regimes[0].total_return, 0.0, "bull");
}

#[test]
fn the_interval_is_that_of_the_regimes_days() {
    let equity: Vec<f64> =
        (0..61).map(|day| 1000.0 + 10.0 * f64::from(day) + 9.0 * f64::from(day % 3)).collect();
    let closes: Vec<f64> =
        (0..61).map(|day| if day <= 30 { 100.0 + f64::from(day) } else { 160.0 - f64::from(day) }).collect();
    let found = attribute(&curve(24, &equity), &[], &index(&closes), &RegimeConfig::default()).unwrap();
    // 130 falls to 100 in 30 days: bull for 30, bear for 30.
    let bull = found.regimes[0];
    let days = curve(24, &equity[..31]).returns();
    let expected =
        crate::luck::bootstrap_interval(&days, crate::luck::Statistic::Sharpe, &BootstrapConfig::default());
    let (interval, expected) = (bull.sharpe_interval.unwrap(), expected.unwrap());
    assert_eq!((bull.days, found.regimes[1].days), (30, 30));
    near(interval.low, expected.low * 365.0_f64.sqrt(), "low");
    near(interval.high, expected.high * 365.0_f64.sqrt(), "high");
    near(interval.estimate, bull.sharpe.unwrap(), "estimate");
}

#[test]
fn what_cannot_be_attributed_is_refused_in_words() {
    let benchmark = index(&[100.0, 110.0, 120.0]);
    let usual = RegimeConfig::default();
    let says = |found: Result<RegimeAttribution, crate::SimError>, words: &str| {
        let error = found.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    let fine = curve(24, &[100.0, 101.0, 102.0]);
    assert!(attribute(&fine, &[], &benchmark, &usual).is_ok());
    says(attribute(&curve(24, &[1.0, 1.1, 1.2, 1.3]), &[], &benchmark, &usual), "covers the equity curve");
    says(attribute(&curve(48, &[1.0, 1.1]), &[], &benchmark, &usual), "longer than a day");
    says(attribute(&fine, &[trade(100, 101, 1.0)], &benchmark, &usual), "has no candle on that day");
    says(attribute(&fine, &[], &index(&[100.0, 0.0, 1.0]), &usual), "daily close 1");
    says(
        attribute(&fine, &[], &DailyIndex { closes: vec![1.0], ..benchmark.clone() }, &usual),
        "one close per time",
    );
    says(attribute(&fine, &[], &benchmark, &RegimeConfig { rise: 0.0, ..usual }), "regime.rise = 0");
    says(attribute(&fine, &[], &benchmark, &RegimeConfig { fall: 1.0, ..usual }), "regime.fall = 1");
    says(
        attribute(&fine, &[], &benchmark, &RegimeConfig { pause_days: 1, ..usual }),
        "regime.pause_days = 1",
    );
    assert!(toml::from_str::<RegimeConfig>("raise = 0.2").is_err());
    assert_eq!(toml::from_str::<RegimeConfig>("rise = 0.3").unwrap().rise, 0.3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn regimes_multiply_to_the_total_and_count_every_day_and_trade(
        moves in prop::collection::vec((-0.12..0.12_f64, -0.08..0.08_f64), 2..160),
        entries in prop::collection::vec(0.0..1.0_f64, 0..12),
        pause_days in 2_usize..12,
    ) {
        let (mut market, mut equity) = (vec![100.0], vec![1000.0]);
        for (benchmark, own) in &moves {
            market.push(market[market.len() - 1] * (1.0 + benchmark));
            equity.push(equity[equity.len() - 1] * (1.0 + own));
        }
        let last = 24.0 * moves.len() as f64;
        let trades: Vec<_> =
            entries.iter().map(|share| { let at = (share * last) as i64; trade(at, at + 5, share - 0.5) }).collect();
        let config = RegimeConfig { pause_days, ..RegimeConfig::default() };
        let found = attribute(&curve(24, &equity), &trades, &index(&market), &config).unwrap();
        let product = |of: fn(&RegimeResult) -> f64| found.regimes.iter().map(|one| 1.0 + of(one)).product::<f64>();
        let close = |found: f64, expected: f64| (found - expected).abs() <= 1e-9 * expected.abs();
        prop_assert!(close(product(|one| one.total_return), 1.0 + found.total_return));
        prop_assert!(close(product(|one| one.total_return), equity[moves.len()] / 1000.0));
        prop_assert!(close(product(|one| one.benchmark_return), market[moves.len()] / 100.0));
        prop_assert_eq!(found.regimes.iter().map(|one| one.days).sum::<usize>(), moves.len());
        prop_assert_eq!(found.regimes.iter().map(|one| one.trades).sum::<usize>(), trades.len());
        let span: i64 = found.stretches.iter().map(|one| one.until.since(one.from)).sum();
        prop_assert_eq!(span, moves.len() as i64 * DAY);
    }

    #[test]
    fn a_market_upside_down_has_bulls_for_bears(
        moves in prop::collection::vec(-0.12..0.12_f64, 2..200), rise in 0.05..0.5_f64, pause_days in 2_usize..12,
    ) {
        let mut closes = vec![100.0];
        closes.extend(moves.iter().scan(100.0, |level, change| { *level *= change.exp(); Some(*level) }));
        let upside_down: Vec<f64> = closes.iter().map(|close| 1.0 / close).collect();
        // A rise by r is a fall by r / (1 + r) of the reciprocal.
        let fall = 0.2;
        let config = RegimeConfig { rise, fall, pause_days };
        let mirrored = RegimeConfig { rise: fall / (1.0 - fall), fall: rise / (1.0 + rise), pause_days };
        let swapped: String = drawn(&label_days(&upside_down, &mirrored).unwrap()).chars()
            .map(|sign| match sign { '^' => 'v', 'v' => '^', other => other }).collect();
        prop_assert_eq!(drawn(&label_days(&closes, &config).unwrap()), swapped);
    }
}
