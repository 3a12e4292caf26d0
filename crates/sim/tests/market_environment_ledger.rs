//! The float accounts of the market environment against the exact ledger, a whole backtest, and every path there is.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use market_data::synthetic::generator;
use market_data::{
    Candle, CandleColumns, CandleSeries, Instrument, SeriesKey, Symbol, Timeframe, Timestamp, Venue,
};
use proptest::prelude::*;
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use rl::{Actions, Outcomes, VecEnvironment};
use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};
use sim::backtest::{BacktestConfig, BacktestInstrument, CostAssumptions, assumed_terms, run_backtest};
use sim::market_environment::{
    ActionScheme, CostRange, EnvironmentFill, EpisodeConfig, FillReason, MarketEnvironment,
    MarketEnvironmentConfig, MarketFrame, MarketFrames, Prices, Sizing, optimal_path,
};
use sim::venue::Slippage;
use trading::account::{Account, AccountConfig, InstrumentTerms, MarginMode, MarginTier, MarginTiers};
use trading::orders::{FeeCurrency, Fill};
use trading::strategy::{Decision, Strategy as TradingStrategy, TargetPosition};
use trading::{
    InstrumentIndex, Liquidity, MarketView, PortfolioView, PositionSide, Purpose, Side, amount, notional,
};

const ROWS: usize = 80;

/// A series on an exact grid: prices in ticks, of open, high, low and close.
struct Exact {
    ticks: Vec<[i64; 4]>,
    /// Places of tick and lot.
    tick: u32,
    lot: u32,
    /// In millionths.
    funding: Vec<i64>,
}

impl Exact {
    fn draw(rng: &mut Xoshiro256PlusPlus) -> Self {
        let (tick, lot) = (rng.random_range(0..5), rng.random_range(0..4));
        let mut close = rng.random_range(300..2_000_000_i64);
        let mut ticks = Vec::new();
        for _ in 0..ROWS {
            let mut moved = |from: i64, by: f64| {
                (from as f64 * (by * (rng.random::<f64>() - 0.5)).exp()).round().max(20.0) as i64
            };
            let open = moved(close, 0.02);
            close = moved(open, 0.2);
            let high = moved(open.max(close), 0.1).max(open.max(close));
            let low = moved(open.min(close), 0.1).min(open.min(close));
            ticks.push([open, high, low, close]);
        }
        let funding = (0..ROWS).map(|_| rng.random_range(-2000..2000)).collect();
        Self { ticks, tick, lot, funding }
    }

    fn price(&self, ticks: i64) -> Decimal {
        Decimal::new(ticks, self.tick)
    }

    fn frame(&self) -> MarketFrame {
        let float = |value: Decimal| value.to_f64().unwrap();
        let prices = |row: &[i64; 4]| {
            let [open, high, low, close] = row.map(|ticks| float(self.price(ticks)));
            Prices { open, high, low, close }
        };
        MarketFrame {
            columns: 1,
            features: vec![0.0; ROWS],
            prices: self.ticks.iter().map(prices).collect(),
            open_times: (0..ROWS as i64).collect(),
            candle_ms: 1,
            valid: Vec::new(),
            funding: self.funding.iter().map(|millionths| float(Decimal::new(*millionths, 6))).collect(),
            tick: float(Decimal::new(1, self.tick)),
            lot: float(Decimal::new(1, self.lot)),
        }
    }

    fn terms(&self, symbol: &str) -> InstrumentTerms {
        let (tick, lot) = (Decimal::new(1, self.tick), Decimal::new(1, self.lot));
        let instrument = Instrument::from_toml(&format!(
            "venue = 'bybit-linear'\nsymbol = '{symbol}'\n[[rules]]\nvalid_from = '2020-01-01'\ntick_size = '{tick}'\n\
             lot_size = '{lot}'\nminimum_quantity = '{lot}'\nminimum_notional = '0'\n"
        ))
        .unwrap();
        let tier = MarginTier {
            up_to: Decimal::from(1_000_000_000_000_i64),
            maintenance_rate: Decimal::new(5, 3),
            maximum_leverage: Decimal::ONE_HUNDRED,
        };
        InstrumentTerms {
            instrument,
            maker_fee: Decimal::ZERO,
            taker_fee: Decimal::ZERO,
            leverage: Decimal::ONE,
            tiers: MarginTiers::new(vec![tier]).unwrap(),
        }
    }
}

/// The exact account that is given the environment's fills, with fees and prices of its own.
struct Ledger {
    account: Account,
    fee: Decimal,
    slippage: Decimal,
}

impl Ledger {
    fn book(&mut self, series: &Exact, row: usize, done: &EnvironmentFill) {
        let side = if done.lots > 0.0 { Side::Buy } else { Side::Sell };
        let quantity = Decimal::new(done.lots.abs() as i64, series.lot);
        assert!(done.lots.fract() == 0.0 && done.lots != 0.0);
        let tick = Decimal::new(1, series.tick);
        let price = if done.reason == FillReason::Decision {
            // By the rule of the venue, in decimals.
            let open = series.price(series.ticks[row][0]);
            let (moved, rounding) = match side {
                Side::Buy => (open + open * self.slippage, RoundingStrategy::ToPositiveInfinity),
                Side::Sell => (open - open * self.slippage, RoundingStrategy::ToNegativeInfinity),
            };
            ((moved / tick).round_dp_with_strategy(0, rounding) * tick).max(tick)
        } else {
            Decimal::new((done.price / tick.to_f64().unwrap()).round() as i64, series.tick)
        };
        assert!((price.to_f64().unwrap() / done.price - 1.0).abs() < 1e-12, "{price} {done:?}");
        let liquidation = done.reason == FillReason::Liquidation;
        let rate = if liquidation { Decimal::new(1, 3) } else { self.fee };
        let fill = Fill {
            execution_id: "e".parse().unwrap(),
            client_order_id: None,
            instrument: InstrumentIndex(done.asset as u16),
            position_side: PositionSide::Net,
            side,
            price,
            quantity,
            fee: amount(notional(price, quantity).unwrap() * rate),
            fee_currency: FeeCurrency::Quote,
            liquidity: Liquidity::Taker,
            purpose: if liquidation { Purpose::Liquidation } else { Purpose::Entry },
            time: Timestamp::from_millis(1_704_067_200_000),
        };
        self.account.fill(&fill).unwrap();
    }

    /// One candle, to equity at its close.
    fn candle(&mut self, all: &[Exact], row: usize, fills: &[EnvironmentFill]) -> f64 {
        for (asset, series) in all.iter().enumerate() {
            let rate = Decimal::new(series.funding[row], 6);
            let open = series.price(series.ticks[row][0]);
            self.account.funding(InstrumentIndex(asset as u16), rate, open).unwrap();
        }
        for done in fills {
            self.book(&all[done.asset], row, done);
        }
        for (asset, series) in all.iter().enumerate() {
            self.account.mark(InstrumentIndex(asset as u16), series.price(series.ticks[row][3])).unwrap();
        }
        self.account.check("a candle").unwrap();
        self.account.equity().to_f64().unwrap()
    }
}

/// Plays random actions and holds equity against the ledger at each step; how many steps and liquidations there were.
fn hold_against_the_ledger(seed: u64, assets: usize, brackets: bool) -> (usize, usize) {
    let mut rng = generator(seed, "test/market", 0);
    let all: Vec<Exact> = (0..assets).map(|_| Exact::draw(&mut rng)).collect();
    let (fee, slippage) =
        (Decimal::new(rng.random_range(0..200), 5), Decimal::new(rng.random_range(0..300), 5));
    let levels = vec![-8.0, -1.0, -0.3, 0.0, 0.4, 1.0, 6.0];
    let actions = if brackets {
        ActionScheme::Brackets { levels, stops: vec![0.0, 0.02, 0.05], targets: vec![0.0, 0.03, 0.1] }
    } else {
        ActionScheme::TargetLevels { levels }
    };
    let mut config = MarketEnvironmentConfig {
        environments: 1,
        window: 1,
        cash: 100_000.0,
        actions,
        maximum_exposure: 9.0,
        rebalance_band: 0.02,
        episode: EpisodeConfig::WholeSeries,
        ..MarketEnvironmentConfig::default()
    };
    // Long before equity drowns in the rounding of what there was.
    config.margin.ruin = 0.01;
    config.margin.liquidation_fee = 0.001;
    config.costs.taker_fee = CostRange::fixed(fee.to_f64().unwrap());
    config.costs.slippage = CostRange::fixed(slippage.to_f64().unwrap());
    let frames = MarketFrames::new(vec![all.iter().map(Exact::frame).collect()]).unwrap();
    let mut environment = MarketEnvironment::new(config, Arc::new(frames)).unwrap().recording_fills();
    let account = AccountConfig { margin_mode: MarginMode::Cross, ..AccountConfig::default() };
    let symbols = ["BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT"];
    let terms = all.iter().zip(symbols).map(|(one, symbol)| one.terms(symbol)).collect();
    let account = Account::new(account, terms, Decimal::from(100_000)).unwrap();
    let mut ledger = Ledger { account, fee, slippage };
    let mut outcomes = Outcomes::default();
    let mut before = 100_000.0_f64;
    for step in 1..ROWS {
        let mut choices = Vec::new();
        for _ in 0..assets {
            choices.push(rng.random_range(0..7_usize));
            if brackets {
                choices.extend([rng.random_range(0..3_usize), rng.random_range(0..3_usize)]);
            }
        }
        let parts = choices.len();
        let discrete = assets == 1 && !brackets;
        let action =
            if discrete { Actions::Discrete(choices) } else { Actions::MultiDiscrete(choices, parts) };
        environment.step(&action, &mut outcomes).unwrap();
        let exact = ledger.candle(&all, step, environment.fills());
        let done = outcomes.steps[0];
        // Once an episode has ended its account is gone, but the reward tells the ratio.
        let equity = if done.terminated || done.truncated {
            let ratio = exact.max(10.0) / before.max(10.0);
            assert!(
                (f64::from(done.reward) - ratio.ln()).abs() < 1e-5,
                "seed {seed}, step {step}: {ratio} {done:?}"
            );
            exact
        } else {
            environment.equity()[0]
        };
        assert!((equity - exact).abs() <= 1e-9 * exact.abs(), "seed {seed}, step {step}: {equity} {exact}");
        before = exact;
        if done.terminated {
            let taken = environment.fills().iter().any(|fill| fill.reason == FillReason::Liquidation);
            assert!(taken && ledger.account.is_flat() && exact >= 0.0 || exact <= 1000.0);
            return (step, usize::from(taken));
        }
    }
    (ROWS - 1, 0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn equity_is_that_of_the_exact_ledger(seed: u64, assets in 1_usize..=3, brackets: bool) {
        hold_against_the_ledger(seed, assets, brackets);
    }
}

#[test]
fn the_ledger_sees_long_lives_and_liquidations() {
    let (mut steps, mut liquidations) = (0, 0);
    for seed in 0..60 {
        let (more, ends) = hold_against_the_ledger(seed, 1 + seed as usize % 3, seed % 2 == 0);
        steps += more;
        liquidations += ends;
    }
    assert!(steps > 1000 && liquidations > 5 && liquidations < 60, "{steps} {liquidations}");
}

/// A walk with prices of two places; opens differ from the closes before.
fn walk(rows: usize, seed: u64) -> CandleSeries {
    let mut rng = generator(seed, "test/walk", 0);
    let start: Timestamp = "2024-01-01".parse().unwrap();
    let mut columns = CandleColumns::with_capacity(rows, false);
    let mut close = 100.0_f64;
    let round = |value: f64| (value * 100.0).round() / 100.0;
    for row in 0..rows {
        let mut moved = |from: f64, by: f64| round(from * (by * (rng.random::<f64>() - 0.5)).exp());
        let open = moved(close, 0.01);
        close = moved(open, 0.06);
        let (high, low) = (round(open.max(close) * 1.01), round(open.min(close) * 0.99));
        let open_time = start.plus_millis(row as i64 * 3_600_000);
        columns.push(&Candle { open_time, open, high, low, close, volume: 1e9, turnover: None });
    }
    let symbol = Symbol::new("BTC", "USDT", Some("USDT")).unwrap();
    let venue: Venue = "bybit-linear".parse().unwrap();
    CandleSeries::new(SeriesKey::new(venue, symbol, Timeframe::H1), columns).unwrap()
}

/// Wants one share of equity after the other.
struct Timetable(Vec<f64>, usize);

impl TradingStrategy for Timetable {
    fn name(&self) -> &str {
        "table"
    }
    fn warm_up(&self) -> usize {
        0
    }
    fn decide(&mut self, _: &MarketView<'_>, _: &PortfolioView<'_>, decision: &mut Decision) {
        if let Some(share) = self.0.get(self.1) {
            decision.want(InstrumentIndex(0), TargetPosition::Exposure(*share), None);
        }
        self.1 += 1;
    }
}

#[test]
fn a_backtest_of_the_same_targets_has_the_same_equity() {
    const MOMENTS: usize = 1500;
    let series = walk(MOMENTS, 3);
    let mut rng = generator(3, "test/targets", 0);
    let levels = [-1.0, -0.5, 0.0, 0.25, 0.5, 1.0];
    let choices: Vec<usize> = (0..MOMENTS).map(|_| rng.random_range(0..levels.len())).collect();
    let costs = CostAssumptions {
        minimum_notional: Decimal::new(1, 6),
        leverage: Decimal::from(10),
        ..CostAssumptions::default()
    };
    let terms = assumed_terms(&series, &costs).unwrap();
    let (tick, lot) = (terms.instrument.rules()[0].tick_size, terms.instrument.rules()[0].lot_size);
    let instrument =
        BacktestInstrument { terms, series: &series, detail: None, funding: Vec::new(), signals: Vec::new() };
    let mut config = BacktestConfig { cash: Decimal::from(1_000_000), ..BacktestConfig::default() };
    config.engine.account.margin_mode = MarginMode::Cross;
    let limits = &mut config.engine.limits;
    let wide = Decimal::from(100);
    (limits.symbol_exposure, limits.gross_exposure, limits.net_exposure) = (wide, wide, wide);
    (limits.correlated_exposure, limits.maximum_leverage) = (wide, wide);
    (limits.maximum_order_notional, limits.minimum_free_margin) =
        (Decimal::from(10_000_000_000_i64), Decimal::ZERO);
    (limits.drawdown, limits.daily_loss) = (Decimal::ONE, Decimal::ONE);
    config.venue.volume_share = None;
    config.venue.slippage = Slippage::Fixed { fraction: Decimal::new(37, 5) };
    let targets = choices.iter().map(|choice| levels[*choice]).collect();
    let result = run_backtest(&config, Timetable(targets, 0), &[instrument], &mut |_| {}).unwrap();

    let mut settings = MarketEnvironmentConfig {
        environments: 1,
        window: 1,
        cash: 1_000_000.0,
        actions: ActionScheme::TargetLevels { levels: levels.to_vec() },
        episode: EpisodeConfig::WholeSeries,
        ..MarketEnvironmentConfig::default()
    };
    settings.margin.ruin = 0.0;
    settings.costs.slippage = CostRange::fixed(0.000_37);
    let frame =
        MarketFrame::of_series(&series, 1, vec![0.0; MOMENTS], tick.to_f64().unwrap(), lot.to_f64().unwrap());
    let frames = Arc::new(MarketFrames::of_single(vec![frame]).unwrap());
    let mut environment = MarketEnvironment::new(settings, frames).unwrap();
    let mut outcomes = Outcomes::default();
    let mut curve = vec![1_000_000.0, 1_000_000.0];
    for choice in &choices[..MOMENTS - 2] {
        environment.step(&Actions::Discrete(vec![*choice]), &mut outcomes).unwrap();
        assert!(!outcomes.steps[0].terminated);
        curve.push(environment.equity()[0]);
    }
    assert!(result.executions.len() > 1000, "{}", result.executions.len());
    for (at, (one, other)) in curve.iter().zip(&result.curve.equity).enumerate() {
        assert!((one / other - 1.0).abs() < 1e-9, "moment {at}: {one} {other}");
    }
}

fn path(prices: &[[f64; 2]], lot: f64) -> MarketFrame {
    let rows = prices.len();
    let prices = prices.iter().map(|&[open, close]| Prices {
        open,
        high: open.max(close),
        low: open.min(close),
        close,
    });
    MarketFrame {
        columns: 1,
        features: vec![0.0; rows],
        prices: prices.collect(),
        open_times: (0..rows as i64).collect(),
        candle_ms: 1,
        valid: Vec::new(),
        funding: Vec::new(),
        tick: 0.01,
        lot,
    }
}

#[test]
fn the_best_of_a_known_path_is_what_it_is_by_hand() {
    // Long, short, long of 10: 100 + 90 + 90. Fees of 1 %: 10 × 100 × 0.01 = 10 to open, 20 × 110 × 0.01 = 22 and
    // 20 × 101 × 0.01 = 20.2 to turn: 280 - 52.2 = 227.8.
    let zigzag = path(&[[100.0, 100.0], [100.0, 110.0], [110.0, 101.0], [101.0, 110.0]], 1.0);
    let best = optimal_path(&zigzag, 0, 3, &[-10.0, 0.0, 10.0], 0.01, 0.0).unwrap();
    assert!((best.profit - 227.8).abs() < 1e-9, "{best:?}");
    assert_eq!(best.choices, [2, 0, 2]);
    // At 6 % to turn twice costs 132 + 121.2 and brings 180. Bought once and held it earns 100 - 60 = 40; bought for the last
    // candle only 90 - 60.6.
    let best = optimal_path(&zigzag, 0, 3, &[-10.0, 0.0, 10.0], 0.06, 0.0).unwrap();
    assert!((best.profit - 40.0).abs() < 1e-9, "{best:?}");
    assert_eq!(best.choices, [2, 2, 2]);
    // At 20 % nothing is.
    let best = optimal_path(&zigzag, 0, 3, &[-10.0, 0.0, 10.0], 0.2, 0.0).unwrap();
    assert_eq!((best.profit, best.choices), (0.0, vec![1, 1, 1]));
    assert!(optimal_path(&zigzag, 3, 3, &[0.0], 0.0, 0.0).is_err());
}

#[test]
fn no_path_through_the_environment_beats_the_clairvoyant() {
    // All 3^6 ways to act in six candles, each in an environment of its own.
    const STEPS: usize = 6;
    for seed in 0..20 {
        let mut rng = generator(seed, "test/clairvoyant", 0);
        let mut close = 100.0_f64;
        let round = |value: f64| (value * 100.0).round() / 100.0;
        let prices: Vec<[f64; 2]> = (0..=STEPS)
            .map(|_| {
                let open = round(close * (1.0 + 0.01 * (rng.random::<f64>() - 0.5)));
                close = round(open * (1.0 + 0.06 * (rng.random::<f64>() - 0.5)));
                [open, close]
            })
            .collect();
        let mut frame = path(&prices, 0.01);
        frame.funding = (0..=STEPS).map(|_| 0.004 * (rng.random::<f64>() - 0.5)).collect();
        let count = 3_usize.pow(STEPS as u32);
        let mut config = MarketEnvironmentConfig {
            environments: count,
            window: 1,
            cash: 1000.0,
            sizing: Sizing::FixedQuantity,
            maximum_exposure: 100.0,
            rebalance_band: 0.0,
            episode: EpisodeConfig::WholeSeries,
            ..MarketEnvironmentConfig::default()
        };
        config.costs.taker_fee = CostRange::fixed(0.004);
        config.costs.slippage = CostRange::fixed(0.001);
        let lots = (1000.0 / prices[0][1] / 0.01 + 1e-9).floor();
        let best = optimal_path(&frame, 0, STEPS, &[-lots, 0.0, lots], 0.004, 0.001).unwrap();
        let frames = Arc::new(MarketFrames::of_single(vec![frame]).unwrap());
        let mut environment = MarketEnvironment::new(config, frames).unwrap();
        let mut outcomes = Outcomes::default();
        // The sum of log rewards is the log of what is left of 1000, also after the episodes have begun anew.
        let mut logs = vec![0.0_f64; count];
        for step in 0..STEPS {
            let choices = (0..count).map(|way| way / 3_usize.pow(step as u32) % 3).collect();
            environment.step(&Actions::Discrete(choices), &mut outcomes).unwrap();
            for (log, step) in logs.iter_mut().zip(&outcomes.steps) {
                *log += f64::from(step.reward);
            }
        }
        let profits: Vec<f64> = logs.iter().map(|log| 1000.0 * log.exp() - 1000.0).collect();
        let most = profits.iter().copied().fold(f64::MIN, f64::max);
        assert!((most - best.profit).abs() < 1e-3, "seed {seed}: {most} {}", best.profit);
        let way = best.choices.iter().rev().fold(0, |way, choice| way * 3 + choice);
        assert!((profits[way] - best.profit).abs() < 1e-3, "seed {seed}: {} {best:?}", profits[way]);
        assert!(best.profit > 0.0);
    }
}
