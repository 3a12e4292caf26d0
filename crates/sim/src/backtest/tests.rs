//! Whole backtests on small series.

use market_data::{Candle, CandleColumns, CandleSeries, SeriesKey, Symbol, Timeframe, Timestamp, Venue};
use rust_decimal::Decimal;
use trading::strategy::{Decision, Strategy, TargetPosition};
use trading::{InstrumentIndex, MarketView, PortfolioView};

use super::*;
use crate::venue::Slippage;

/// Prices of an hour each: open = the close before, high and low the larger and the smaller of both.
fn series(symbol: &str, closes: &[f64]) -> CandleSeries {
    let start: Timestamp = "2024-01-01".parse().unwrap();
    let mut columns = CandleColumns::with_capacity(closes.len(), false);
    let mut open = closes[0];
    for (at, close) in closes.iter().enumerate() {
        columns.push(&Candle {
            open_time: start.plus_millis(at as i64 * 3_600_000),
            open,
            high: open.max(*close),
            low: open.min(*close),
            close: *close,
            volume: 1e9,
            turnover: None,
        });
        open = *close;
    }
    let symbol = Symbol::new(symbol, "USDT", Some("USDT")).unwrap();
    let venue: Venue = "bybit-linear".parse().unwrap();
    CandleSeries::new(SeriesKey::new(venue, symbol, Timeframe::H1), columns).unwrap()
}

fn instrument<'a>(series: &'a CandleSeries, costs: &CostAssumptions) -> BacktestInstrument<'a> {
    BacktestInstrument {
        terms: assumed_terms(series, costs).unwrap(),
        series,
        detail: None,
        funding: Vec::new(),
        signals: Vec::new(),
    }
}

fn free() -> CostAssumptions {
    CostAssumptions {
        perpetual_maker_fee: Decimal::ZERO,
        perpetual_taker_fee: Decimal::ZERO,
        ..CostAssumptions::default()
    }
}

fn config() -> BacktestConfig {
    let mut config = BacktestConfig { cash: Decimal::from(1000), ..BacktestConfig::default() };
    config.engine.limits.minimum_free_margin = Decimal::ZERO;
    config.engine.limits.drawdown = Decimal::ONE;
    config.engine.limits.daily_loss = Decimal::ONE;
    config.venue.slippage = Slippage::None;
    config
}

/// Wants a signed share of equity by the number of the moment.
struct Timetable(Vec<(usize, f64)>, usize);

impl Strategy for Timetable {
    fn name(&self) -> &str {
        "table"
    }
    fn warm_up(&self) -> usize {
        0
    }
    fn decide(&mut self, _: &MarketView<'_>, _: &PortfolioView<'_>, decision: &mut Decision) {
        for (_, share) in self.0.iter().filter(|(at, _)| *at == self.1) {
            decision.want(InstrumentIndex(0), TargetPosition::Exposure(*share), None);
        }
        self.1 += 1;
    }
}

fn run(
    config: &BacktestConfig,
    table: &[(usize, f64)],
    instruments: &[BacktestInstrument<'_>],
) -> BacktestResult {
    run_backtest(config, Timetable(table.to_vec(), 0), instruments, &mut |_| {}).unwrap()
}

#[test]
fn what_is_decided_at_a_close_trades_at_the_next_open() {
    let series = series("BTC", &[100.0, 100.0, 110.0, 121.0, 121.0]);
    let result = run(&config(), &[(0, 0.5), (2, 0.0)], &[instrument(&series, &free())]);
    let trade = &result.trades[0];
    // Decided at the close of the first candle, 5 bought at the open of the second, 100; sold at the open of the fourth, 110.
    assert_eq!((trade.quantity, trade.entry_price, trade.exit_price), (5.into(), 100.into(), 110.into()));
    assert_eq!(result.curve.equity, [1000.0, 1000.0, 1000.0, 1050.0, 1050.0, 1050.0]);
    assert_eq!((result.moments, result.open_at_the_end), (5, false));
    assert_eq!(result.curve.times.len(), 6);
}

#[test]
fn fees_are_those_of_a_taker() {
    let series = series("BTC", &[100.0; 5]);
    let result = run(&config(), &[(0, 0.5), (2, 0.0)], &[instrument(&series, &CostAssumptions::default())]);
    // 2 × 500 × 0.00055
    assert_eq!(result.ledger.fees, "0.55".parse().unwrap());
    assert_eq!(result.curve.equity.last(), Some(&999.45));
}

#[test]
fn funding_is_paid_by_what_was_held_when_it_fell_due() {
    let series = series("BTC", &[100.0, 100.0, 100.0, 100.0]);
    let hour = |hour: i64| "2024-01-01".parse::<Timestamp>().unwrap().plus_millis(hour * 3_600_000);
    let rate: Decimal = "0.001".parse().unwrap();
    let mut one = instrument(&series, &free());
    // At 01:00 nothing is held yet: the entry trades at the open of that candle, after it. At 02:00 five are.
    one.funding = vec![FundingRate { time: hour(1), rate }, FundingRate { time: hour(2), rate }];
    let result = run(&config(), &[(0, 0.5)], &[one]);
    assert_eq!(result.ledger.funding, "-0.5".parse().unwrap());
}

#[test]
fn noise_after_a_moment_changes_nothing_before_it() {
    let mut closes: Vec<f64> = (0..200).map(|at| 100.0 + f64::from((at * 37) % 23)).collect();
    let table: Vec<(usize, f64)> =
        (0..200).step_by(7).map(|at| (at, if at % 2 == 0 { 0.5 } else { -0.5 })).collect();
    let costs = CostAssumptions::default();
    let before = series("BTC", &closes);
    let first = run(&config(), &table, &[instrument(&before, &costs)]);
    closes[150..].iter_mut().for_each(|close| *close = 250.0 - *close);
    let after = series("BTC", &closes);
    let second = run(&config(), &table, &[instrument(&after, &costs)]);
    // The point of moment 150 is at 151: the first is the start.
    assert_eq!(first.curve.equity[..151], second.curve.equity[..151]);
    assert_ne!(first.curve.equity[152..], second.curve.equity[152..]);
    let early = |result: &BacktestResult| {
        let until = result.curve.times[151];
        result.executions.iter().filter(|done| done.time < until).copied().collect::<Vec<_>>()
    };
    assert_eq!(early(&first), early(&second));
    assert!(early(&first).len() > 20);
}

#[test]
fn a_clairvoyant_earns_what_arithmetic_says() {
    let closes: Vec<f64> = (0..500).map(|at| 100.0 + f64::from((at * 7919) % 17) / 17.0).collect();
    let series = series("BTC", &closes);
    // Knows where the next candle goes, and is long or short for all it has, at each close.
    let table: Vec<(usize, f64)> =
        (0..499).map(|at| (at, if closes[at + 1] > closes[at] { 1.0 } else { -1.0 })).collect();
    let mut config = config();
    config.engine.execution.rebalance_band = 0.0;
    let result = run(&config, &table, &[instrument(&series, &free())]);
    // Fills at the open of the next candle, which is the close before: each candle gains |return| on what is held, but for lots.
    let wanted =
        closes.windows(2).fold(1000.0, |equity, pair| equity * (1.0 + (pair[1] / pair[0] - 1.0).abs()));
    let reached = *result.curve.equity.last().unwrap();
    assert!((reached / wanted - 1.0).abs() < 0.02, "{reached} of {wanted}");
}

#[test]
fn two_series_share_one_account_and_meet_by_time() {
    let (first, second) = (series("BTC", &[100.0, 100.0, 110.0, 110.0]), series("ETH", &[10.0; 3]));
    let costs = free();
    let result = run(&config(), &[(0, 0.5)], &[instrument(&first, &costs), instrument(&second, &costs)]);
    assert_eq!(result.moments, 4);
    assert_eq!(result.curve.equity.last(), Some(&1050.0));
    assert!(result.open_at_the_end);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let closes: Vec<f64> = (0..300).map(|at| 100.0 + f64::from((at * 31) % 19)).collect();
    let series = series("BTC", &closes);
    let table: Vec<(usize, f64)> =
        (0..300).step_by(5).map(|at| (at, if at % 2 == 0 { 0.7 } else { -0.4 })).collect();
    let config = BacktestConfig { journal: true, ..config() };
    let bytes = || {
        let result = run(&config, &table, &[instrument(&series, &CostAssumptions::default())]);
        assert!(result.journal.len() > 100);
        serde_json::to_vec(&result).unwrap()
    };
    assert_eq!(bytes(), bytes());
}

#[test]
fn what_does_not_fit_together_is_refused_in_words() {
    let one = series("BTC", &[100.0; 5]);
    let message = |instruments: &[BacktestInstrument<'_>]| {
        run_backtest(&config(), Timetable(Vec::new(), 0), instruments, &mut |_| {}).unwrap_err().to_string()
    };
    assert!(message(&[]).contains("at least one series"));
    let mut short = instrument(&one, &free());
    short.signals = vec![CandleSignal::default(); 2];
    assert!(message(&[short]).contains("5 candles and 2 signals"));
    let mut disordered = instrument(&one, &free());
    let funding = FundingRate { time: "2024-01-01".parse().unwrap(), rate: Decimal::ZERO };
    disordered.funding = vec![funding, funding];
    assert!(message(&[disordered]).contains("in order of time"));
}

#[test]
fn ticks_and_lots_are_read_off_the_prices() {
    for (closes, tick, lot) in [
        ([61_737.3, 61_738.0], "0.1", "0.00001"),
        ([0.000_012_34, 0.000_012_3], "0.00000001", "10000"),
        ([1.5, 2.25], "0.01", "0.1"),
        ([100.0, 101.0], "1", "0.01"),
    ] {
        let series = series("BTC", &closes);
        let terms = assumed_terms(&series, &free()).unwrap();
        let rules = &terms.instrument.rules()[0];
        assert_eq!(
            (rules.tick_size.to_string(), rules.lot_size.to_string()),
            (tick.to_owned(), lot.to_owned())
        );
    }
}

/// One trade of 500 there and 500 back: the fee is 0.55 of 1,000.
#[test]
fn sensitivity_is_that_of_runs_with_the_fees_and_latencies() {
    let series = series("BTC", &[100.0; 6]);
    let instruments = [instrument(&series, &CostAssumptions::default())];
    let mut config = config();
    config.venue.latency_ms = 7;
    let table = vec![(0, 0.5), (2, 0.0)];
    let mut result = run(&config, &table, &instruments);
    // What the caller has is not run again.
    result.curve.equity = vec![1000.0, 1234.0];
    let factors = [Decimal::ZERO, Decimal::ONE, Decimal::TWO];
    let found = fee_and_latency_sensitivity(
        &config,
        &instruments,
        &result,
        &factors,
        &[0, 7],
        &|| Ok(Box::new(Timetable(table.clone(), 0))),
        &|| {},
    )
    .unwrap();
    let returns: Vec<f64> = found.total_returns.iter().map(|value| value.unwrap()).collect();
    let expected = [0.0, 0.0, -0.00055, 0.234, -0.0011, -0.0011];
    let is_near = returns.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-12);
    assert!(is_near, "{returns:?}");
}
