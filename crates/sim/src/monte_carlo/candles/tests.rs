//! Made markets against the recorded one, and what is said of a strategy that knows nothing or something.

use market_data::synthetic::{MarketShape, NoiseMarket};
use market_data::{Candle, CandleColumns, CandleSeries, SeriesKey, Symbol, Timeframe, Timestamp, Venue};
use rust_decimal::Decimal;
use trading::strategy::{BuyAndHoldConfig, MovingAverageCrossoverConfig, StrategyConfig};

use super::market::CommonMarket;
use super::paths::{PathMaker, Ticks};
use super::*;
use crate::backtest::{CandleSignal, CostAssumptions, FundingRate, assumed_terms};
use crate::luck::{below, generator};

fn hour(hour: usize) -> Timestamp {
    "2024-01-01".parse::<Timestamp>().unwrap().plus_millis(hour as i64 * 3_600_000)
}

/// Hours of the log returns given: opens at the close before, extremes 0.1 % beyond, two places.
fn series(code: &str, returns: &[f64]) -> CandleSeries {
    let mut columns = CandleColumns::with_capacity(returns.len(), false);
    let (mut level, mut open) = (1_000.0_f64, 1_000.0_f64);
    let round = |price: f64| (price * 100.0).round() / 100.0;
    for (at, change) in returns.iter().enumerate() {
        level *= change.exp();
        let close = round(level);
        let (high, low) = (round(open.max(close) * 1.001), round(open.min(close) * 0.999));
        let volume = 1e9 + at as f64;
        columns.push(&Candle { open_time: hour(at), open, high, low, close, volume, turnover: None });
        open = close;
    }
    named(code, columns)
}

fn named(code: &str, columns: CandleColumns) -> CandleSeries {
    let symbol = Symbol::new(code, "USDT", Some("USDT")).unwrap();
    let venue: Venue = "bybit-linear".parse().unwrap();
    CandleSeries::new(SeriesKey::new(venue, symbol, Timeframe::H1), columns).unwrap()
}

fn instrument(series: &CandleSeries) -> BacktestInstrument<'_> {
    let terms = assumed_terms(series, &CostAssumptions::default()).unwrap();
    BacktestInstrument { terms, series, detail: None, funding: Vec::new(), signals: Vec::new() }
}

/// Changes of ± 1 % in a random order.
fn coin(seed: u64, count: usize) -> Vec<f64> {
    let mut rng = generator(seed, "test/coin", 0);
    (0..count).map(|_| if below(2, &mut rng) == 0 { 0.01 } else { -0.01 }).collect()
}

fn config(method: CandleMethod, paths: usize) -> CandleMonteCarloConfig {
    CandleMonteCarloConfig { method, paths, ..CandleMonteCarloConfig::default() }
}

fn blocks(mean_block: f64) -> CandleMethod {
    CandleMethod::StationaryBootstrap { mean_block: Some(mean_block) }
}

fn run(
    config: &CandleMonteCarloConfig,
    strategy: &StrategyConfig,
    instruments: &[BacktestInstrument<'_>],
) -> Result<CandleMonteCarlo, SimError> {
    let mut backtest = BacktestConfig::default();
    backtest.engine.limits.daily_loss = Decimal::ONE;
    let build = || strategy.build(instruments.len());
    monte_carlo_candles(config, &backtest, &MetricsConfig::default(), instruments, build, &|_| {})
}

fn crossover(fast: usize, slow: usize) -> StrategyConfig {
    StrategyConfig::MovingAverageCrossover(MovingAverageCrossoverConfig { fast, slow, ..Default::default() })
}

fn log_returns(series: &CandleSeries) -> Vec<f64> {
    series.iter().map(|candle| (candle.close / candle.open).ln()).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn deviation(values: &[f64]) -> f64 {
    let centre = mean(values);
    (values.iter().map(|value| (value - centre).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0)).sqrt()
}

fn correlation(x: &[f64], y: &[f64]) -> f64 {
    let (mean_x, mean_y) = (mean(x), mean(y));
    let products: Vec<f64> = x.iter().zip(y).map(|(x, y)| (x - mean_x) * (y - mean_y)).collect();
    products.iter().sum::<f64>() / (x.len() as f64 - 1.0) / (deviation(x) * deviation(y))
}

#[test]
fn prices_go_to_their_ticks_by_hand() {
    let cards = [
        // tick, [open, high, low, close], on the grid
        (0.1, [10.04, 10.14, 9.96, 10.0], [10.0, 10.1, 10.0, 10.0]),
        // A quarter: 10.13 is nearer to 10.25 than to 10.0 only from 10.125 on.
        (0.25, [10.13, 10.13, 10.12, 10.12], [10.25, 10.25, 10.0, 10.0]),
        (5.0, [14.0, 18.0, 11.0, 12.6], [15.0, 20.0, 10.0, 15.0]),
        (0.00001, [0.123456, 0.123456, 0.000001, 0.5], [0.12346, 0.5, 0.00001, 0.5]),
        // Never less than a tick.
        (1.0, [0.2, 0.4, 0.1, 0.3], [1.0, 1.0, 1.0, 1.0]),
    ];
    for (tick, prices, expected) in cards {
        assert_eq!(Ticks::of(tick).round(prices), Some(expected), "{prices:?} by {tick}");
    }
    assert_eq!(Ticks::of(0.01).round([f64::INFINITY; 4]), None);
}

#[test]
fn candles_are_chained_by_hand() {
    // Two kinds of candle, that open at the close before: up by 10 % with wicks of 1 %, down to 1/1.1 with
    // wicks of 2 %.
    let mut columns = CandleColumns::default();
    let mut open = 1_000.0_f64;
    for at in 0..20 {
        let (factor, wick) = if at % 2 == 0 { (1.1, 0.01) } else { (1.0 / 1.1, 0.02) };
        let close = if at % 2 == 0 { 1_100.0 } else { 1_000.0 };
        let (high, low) = (open.max(close) * (1.0 + wick), open.min(close) * (1.0 - wick));
        assert!((open * factor - close).abs() < 1e-9);
        columns.push(&Candle {
            open_time: hour(at),
            open,
            high,
            low,
            close,
            volume: 1.0 + at as f64,
            turnover: Some(2.0 * close),
        });
        open = close;
    }
    let recorded = named("A", columns);
    let instruments = [instrument(&recorded)];
    let market = CommonMarket::new(&instruments).unwrap();
    let maker = PathMaker::new(&market, &config(blocks(2.0), 1)).unwrap();
    let mut ups = 0;
    for path in 0..50 {
        let made = maker.path(path).unwrap();
        let mut before = 1_000.0_f64;
        for (at, candle) in made.parts[0].series.iter().enumerate() {
            // The volume says which row it was.
            let row = candle.volume as usize - 1;
            let (factor, wick) = if row.is_multiple_of(2) { (1.1, 0.01) } else { (1.0 / 1.1, 0.02) };
            ups += usize::from(row.is_multiple_of(2));
            let (open, close) = (before, before * factor);
            let expected = [open, open.max(close) * (1.0 + wick), open.min(close) * (1.0 - wick), close];
            for (found, expected) in
                [candle.open, candle.high, candle.low, candle.close].into_iter().zip(expected)
            {
                // Half a tick of 1.
                assert!((found - expected).abs() <= 0.5 + 1e-6, "{found} is not {expected}");
            }
            assert_eq!(candle.open_time, hour(at));
            // Turnover was twice volume/(row + 1) at the close.
            let turnover = 2.0 * candle.close;
            assert!((candle.turnover.unwrap() - turnover).abs() < 1e-9 * turnover);
            before = close;
        }
    }
    // Half of 1,000; blocks of two hold one of each, so that this varies less than a coin.
    assert!((ups as f64 - 500.0).abs() < 70.0, "{ups}");
}

#[test]
fn symbols_are_drawn_together_in_blocks() {
    let noise = coin(3, 500);
    let other: Vec<f64> = coin(4, 500).iter().zip(&noise).map(|(own, common)| 0.5 * own + common).collect();
    let (a, b) = (series("A", &noise), series("B", &other));
    let instruments = [instrument(&a), instrument(&b)];
    let market = CommonMarket::new(&instruments).unwrap();
    let maker = PathMaker::new(&market, &config(blocks(10.0), 1)).unwrap();
    let recorded = correlation(&log_returns(&a), &log_returns(&b));
    let (mut breaks, mut candles) = (0, 0);
    for path in 0..20 {
        let made = maker.path(path).unwrap();
        let rows = |at: usize| -> Vec<usize> {
            made.parts[at].series.iter().map(|candle| (candle.volume - 1e9) as usize).collect()
        };
        assert_eq!(rows(0), rows(1), "the same rows of both");
        breaks += rows(0).windows(2).filter(|pair| pair[1] != (pair[0] + 1) % 500).count();
        candles += 499;
        let found = correlation(&log_returns(&made.parts[0].series), &log_returns(&made.parts[1].series));
        // Standard error of a correlation of 0.89 over 500: (1 − 0.8)/√500 = 0.009.
        assert!((found - recorded).abs() < 0.05, "{found} is not {recorded}");
    }
    // A block ends with a probability of 1/10: 998 of 9,980, deviation 30.
    assert!((breaks as f64 - 0.1 * candles as f64).abs() < 100.0, "{breaks} of {candles}");
}

#[test]
fn marginal_moments_stay() {
    // A return of 2 % now and then, skewed: mean, deviation and the share of the large ones must be those of
    // the record.
    let mut rng = generator(9, "test/skewed", 0);
    let returns: Vec<f64> = (0..600).map(|_| if below(8, &mut rng) == 0 { 0.02 } else { -0.002 }).collect();
    let a = series("A", &returns);
    let instruments = [instrument(&a)];
    let market = CommonMarket::new(&instruments).unwrap();
    for (method, is_skewed) in
        [(blocks(1.0), true), (blocks(20.0), true), (CandleMethod::GeometricBrownianMotion {}, false)]
    {
        let maker = PathMaker::new(&market, &config(method, 1)).unwrap();
        let drawn: Vec<f64> =
            (0..60).flat_map(|path| log_returns(&maker.path(path).unwrap().parts[0].series)).collect();
        let (centre, spread) = (mean(&returns), deviation(&returns));
        // 36,000 candles: five standard errors of the mean; blocks of runs of a coin do not widen it.
        assert!(
            (mean(&drawn) - centre).abs() < 5.0 * spread / 36_000.0_f64.sqrt(),
            "{method:?}: {}",
            mean(&drawn)
        );
        assert!((deviation(&drawn) / spread - 1.0).abs() < 0.05, "{method:?}: {}", deviation(&drawn));
        let large = drawn.iter().filter(|value| **value > 0.015).count() as f64 / 36_000.0;
        let recorded = returns.iter().filter(|value| **value > 0.015).count() as f64 / 600.0;
        assert_eq!((large / recorded - 1.0).abs() < 0.1, is_skewed, "{method:?}: {large}");
    }
}

#[test]
fn motions_keep_correlations_and_a_symbol_that_is_another_one_twice() {
    let noise = coin(5, 800);
    let other: Vec<f64> = coin(6, 800).iter().zip(&noise).map(|(own, common)| own - common).collect();
    let twice: Vec<f64> = noise.iter().map(|value| 2.0 * value).collect();
    let all = [series("A", &noise), series("B", &other), series("C", &twice)];
    let instruments: Vec<_> = all.iter().map(instrument).collect();
    let market = CommonMarket::new(&instruments).unwrap();
    let maker = PathMaker::new(&market, &config(CandleMethod::GeometricBrownianMotion {}, 1)).unwrap();
    let recorded = correlation(&noise, &other);
    for path in 0..10 {
        let made = maker.path(path).unwrap();
        let [a, b, c] = [0, 1, 2].map(|at| log_returns(&made.parts[at].series));
        // − 0.7; standard error (1 − 0.5)/√800 = 0.018.
        assert!((correlation(&a, &b) - recorded).abs() < 0.09, "{} is not {recorded}", correlation(&a, &b));
        assert!(correlation(&a, &c) > 0.999 && (deviation(&c) / deviation(&a) - 2.0).abs() < 0.01);
        for part in &made.parts {
            assert!(part.series.iter().all(|candle| candle.high >= candle.open.max(candle.close)));
            assert!(part.series.iter().any(|candle| candle.high > candle.open.max(candle.close)));
            assert!(
                part.series
                    .columns()
                    .open
                    .windows(2)
                    .zip(&part.series.columns().close)
                    .all(|(open, close)| open[1] == *close)
            );
        }
    }
}

#[test]
fn funding_goes_with_its_candle() {
    let a = series("A", &coin(1, 40));
    let mut one = instrument(&a);
    // Every eighth hour, half an hour after the open; the rate says which.
    one.funding = (0..5)
        .map(|at| FundingRate { time: hour(8 * at).plus_millis(1_800_000), rate: Decimal::from(8 * at) })
        .collect();
    let instruments = [one];
    let market = CommonMarket::new(&instruments).unwrap();
    let maker = PathMaker::new(&market, &config(blocks(5.0), 1)).unwrap();
    let mut seen = 0;
    for path in 0..20 {
        let made = maker.path(path).unwrap();
        let part = &made.parts[0];
        let row = |at: usize| (part.series.get(at).volume - 1e9) as usize;
        let expected: Vec<FundingRate> = (0..40)
            .filter(|at| row(*at).is_multiple_of(8))
            .map(|at| FundingRate { time: hour(at).plus_millis(1_800_000), rate: Decimal::from(row(at)) })
            .collect();
        assert_eq!(part.funding, expected);
        seen += expected.len();
    }
    assert!(seen > 50);
}

#[test]
fn windows_are_pieces_of_the_record_with_their_signals() {
    let a = series("A", &coin(1, 60));
    let mut one = instrument(&a);
    one.signals =
        (0..60).map(|at| CandleSignal { probabilities: Some([at as f32, 0.0, 0.0]), action: None }).collect();
    one.funding =
        (0..60).map(|at| FundingRate { time: hour(at), rate: Decimal::new(at as i64, 5) }).collect();
    let instruments = [one];
    let market = CommonMarket::new(&instruments).unwrap();
    let maker = PathMaker::new(&market, &config(CandleMethod::RandomStart { candles: 50 }, 1)).unwrap();
    let mut starts = [0; 11];
    for path in 0..550 {
        let made = maker.path(path).unwrap();
        let part = &made.parts[0];
        let start = (part.series.get(0).volume - 1e9) as usize;
        assert_eq!(part.series.columns(), &a.columns().slice(start..start + 50));
        assert_eq!(part.signals[0].probabilities.unwrap()[0], start as f32);
        assert_eq!((part.signals.len(), part.funding[0].time), (50, hour(start)));
        starts[start] += 1;
    }
    // 50 each, deviation 7.
    assert!(starts.iter().all(|count| (22..=80).contains(count)), "{starts:?}");
    let found =
        run(&config(CandleMethod::RandomStart { candles: 50 }, 30), &StrategyConfig::default(), &instruments)
            .unwrap();
    assert_eq!((found.candles, found.rank, found.outcomes.len()), (50, None, 30));
}

#[test]
fn only_common_candles_take_part() {
    let (a, all) = (series("A", &coin(1, 60)), series("B", &coin(2, 60)));
    // B is listed at the tenth candle and lacks one.
    let kept: Vec<usize> = (10..60).filter(|at| *at != 30).collect();
    let b = named("B", all.columns().select(&kept));
    let instruments = [instrument(&a), instrument(&b)];
    let market = CommonMarket::new(&instruments).unwrap();
    assert_eq!((market.candles(), market.left_out), (49, 11));
    assert_eq!(market.parts[0].series.columns(), &a.columns().select(&kept));
    let made = PathMaker::new(&market, &config(blocks(4.0), 1)).unwrap().path(0).unwrap();
    assert_eq!(made.parts[0].series.columns().open_time, b.columns().open_time);
    // From the open of the first common candle.
    let first = made.parts[0].series.get(0);
    assert!((first.open / a.get(10).open).ln().abs() < 0.0101);
}

#[test]
fn quantiles_shares_and_ranks_by_hand() {
    // Buy and hold where each candle is the same: every path is the record, so that all did as well.
    let rising = series("A", &vec![0.001; 96]);
    let found = run(
        &config(blocks(1.0), 9),
        &StrategyConfig::BuyAndHold(BuyAndHoldConfig::default()),
        &[instrument(&rising)],
    );
    let found = found.unwrap();
    assert_eq!((found.probability_of_loss.share, found.probability_of_ruin.share), (0.0, 0.0));
    assert!(found.recorded.total_return > 0.05 && found.trades.median == 0.0);
    assert!((found.total_return.p5 - found.recorded.total_return).abs() < 1e-3);
    let outcome = |total: f64, lowest: f64| CandlePathOutcome {
        total_return: total,
        sharpe: (total != 0.0).then_some(total),
        maximum_drawdown: 1.0 - lowest,
        lowest_equity: lowest,
        trades: 3,
    };
    let series = series("A", &coin(1, 40));
    let instruments = [instrument(&series)];
    let market = CommonMarket::new(&instruments).unwrap();
    let settings = config(blocks(1.0), 4);
    let maker = PathMaker::new(&market, &settings).unwrap();
    let outcomes = vec![outcome(-0.6, 0.4), outcome(0.2, 0.9), outcome(0.1, 0.5), outcome(0.0, 1.0)];
    let found = CandleMonteCarlo::of(&settings, &market, &maker, outcome(0.1, 0.9), outcomes).unwrap();
    // As high: 0.2 and 0.1, (1 + 2)/(1 + 4). As small a drawdown: those of 0.9 and 1.0, the same.
    assert_eq!(found.rank, Some(RecordedRank { total_return: 0.6, sharpe: 0.6, maximum_drawdown: 0.6 }));
    assert_eq!((found.probability_of_loss.share, found.probability_of_ruin.share), (0.25, 0.5));
    assert_eq!((found.paths_without_sharpe, found.total_return.median), (1, 0.05));
}

#[test]
fn without_serial_dependence_ranks_are_uniform() {
    // 40 markets of noise, 39 paths each. A uniform p-value has the mean 1/2 and a deviation of 0.29; 40 of
    // them 0.046.
    let ranks: Vec<RecordedRank> = (0..40_u64)
        .into_par_iter()
        .map(|seed| {
            let mut shape =
                MarketShape { candles: 300, timeframe: Timeframe::H1, seed, ..Default::default() };
            shape.symbols.truncate(1);
            let noise = NoiseMarket { deviation: 0.01, base_volume: 1e9, ..Default::default() };
            let market = noise.generate(&shape).unwrap();
            let settings = CandleMonteCarloConfig { seed: 1_000 + seed, ..config(blocks(1.0), 39) };
            run(&settings, &crossover(5, 20), &[instrument(&market.series[0])]).unwrap().rank.unwrap()
        })
        .collect();
    let totals: Vec<f64> = ranks.iter().map(|rank| rank.total_return).collect();
    assert!((mean(&totals) - 0.5).abs() < 3.0 * 0.046, "{}", mean(&totals));
    // A quarter below 0.25: 10 of 40, deviation 2.7.
    for level in [0.25, 0.5, 0.75] {
        let below = totals.iter().filter(|value| **value <= level).count() as f64;
        assert!((below - 40.0 * level).abs() <= 9.5, "{below} of 40 at or below {level}");
    }
}

#[test]
fn a_trend_is_worth_more_than_its_shuffles() {
    // 40 candles up, 40 down, with noise beside: a crossover lives on the order.
    let trending: Vec<f64> = coin(7, 800)
        .iter()
        .enumerate()
        .map(|(at, noise)| 0.5 * noise + if at / 40 % 2 == 0 { 0.004 } else { -0.004 })
        .collect();
    let recorded = series("A", &trending);
    let found = |mean_block: f64| {
        run(&config(blocks(mean_block), 99), &crossover(5, 20), &[instrument(&recorded)]).unwrap()
    };
    let shuffled = found(1.0);
    let rank = shuffled.rank.unwrap();
    // The smallest that 99 paths can say.
    assert_eq!((rank.total_return, rank.sharpe), (0.01, 0.01), "{:?}", shuffled.total_return);
    assert!(shuffled.recorded.total_return > shuffled.total_return.p95);
    // Blocks that hold several trends keep what it lives on.
    let kept = found(300.0);
    assert!(kept.rank.unwrap().total_return > 0.1 && kept.total_return.median > shuffled.total_return.p95);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let (a, b) = (series("A", &coin(1, 240)), series("B", &coin(2, 240)));
    let instruments = [instrument(&a), instrument(&b)];
    for method in
        [blocks(12.0), CandleMethod::GeometricBrownianMotion {}, CandleMethod::RandomStart { candles: 200 }]
    {
        let on = |threads: usize, seed: u64| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let settings = CandleMonteCarloConfig { seed, ..config(method, 24) };
            let found = pool.install(|| run(&settings, &crossover(5, 20), &instruments).unwrap());
            serde_json::to_string(&found).unwrap()
        };
        assert_eq!(on(1, 0), on(2, 0));
        assert_ne!(on(2, 0), on(2, 1));
    }
}

#[test]
fn what_cannot_be_resampled_is_refused_in_words() {
    let a = series("A", &coin(1, 60));
    let short = series("A", &coin(1, 19));
    let strategy = StrategyConfig::default();
    let says = |found: Result<CandleMonteCarlo, SimError>, words: &str| {
        let error = found.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    let mut signalled = instrument(&a);
    signalled.signals = vec![CandleSignal::default(); 60];
    says(run(&config(blocks(1.0), 3), &strategy, std::slice::from_ref(&signalled)), "random-start");
    says(run(&config(CandleMethod::GeometricBrownianMotion {}, 3), &strategy, &[signalled]), "signals of");
    let usual = [instrument(&a)];
    says(run(&config(blocks(1.0), 3), &strategy, &[]), "no instrument");
    says(run(&config(blocks(1.0), 3), &strategy, &[instrument(&short)]), "19 of them are common");
    says(run(&config(blocks(61.0), 3), &strategy, &usual), "more than the 60 recorded");
    says(run(&config(blocks(0.5), 3), &strategy, &usual), "candle_monte_carlo.method.mean_block = 0.5");
    says(run(&config(blocks(1.0), 0), &strategy, &usual), "candle_monte_carlo.paths = 0");
    says(
        run(&config(CandleMethod::RandomStart { candles: 60 }, 3), &strategy, &usual),
        "no choice of a start",
    );
    says(run(&config(CandleMethod::RandomStart { candles: 1 }, 3), &strategy, &usual), "method.candles = 1");
    let ruin = CandleMonteCarloConfig { ruin_share: 1.0, ..config(blocks(1.0), 3) };
    says(run(&ruin, &strategy, &usual), "candle_monte_carlo.ruin_share = 1");
    // A strategy that cannot be built says why.
    says(run(&config(blocks(1.0), 3), &crossover(20, 5), &usual), "strategy.");
    // From 1,000 by e²⁴ to 2.6·10¹³ and back; a block of the way up twice is more than 2⁵³ ticks of 0.01,
    // 9·10¹³.
    let changes: Vec<f64> = (0..40).map(|at| if at < 20 { 1.2 } else { -1.2 }).collect();
    let swinging = series("A", &changes);
    let instruments = [instrument(&swinging)];
    let market = CommonMarket::new(&instruments).unwrap();
    let maker = PathMaker::new(&market, &config(blocks(15.0), 1)).unwrap();
    let error = (0..100).find_map(|path| maker.path(path).err()).unwrap().to_string();
    assert!(error.contains("ticks can count") && error.contains("A/USDT:USDT"), "{error}");
}

#[test]
fn settings_are_read_and_unknown_ones_refused() {
    let text = "paths = 50\n[method]\nkind = \"stationary-bootstrap\"\nmean_block = 24.0\n";
    assert_eq!(toml::from_str::<CandleMonteCarloConfig>(text).unwrap(), config(blocks(24.0), 50));
    let text = "[method]\nkind = \"geometric-brownian-motion\"\n";
    let read: CandleMonteCarloConfig = toml::from_str(text).unwrap();
    assert_eq!(read, config(CandleMethod::GeometricBrownianMotion {}, 200));
    assert!(
        toml::from_str::<CandleMonteCarloConfig>("[method]\nkind = \"random-start\"\nsteps = 3\n").is_err()
    );
    assert!(toml::from_str::<CandleMonteCarloConfig>("path = 3").is_err());
}
