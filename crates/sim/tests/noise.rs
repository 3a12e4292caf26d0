//! Where there is nothing to be known, nothing is claimed: on independent Gaussian returns strategies lose
//! their costs, and few pass for skill.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use market_data::synthetic::{MarketShape, NoiseMarket, generator};
use market_data::{CandleSeries, Timeframe};
use rand::Rng;
use rayon::prelude::*;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use sim::backtest::{
    BacktestConfig, BacktestInstrument, BacktestResult, CostAssumptions, assumed_terms, run_backtest,
};
use sim::luck::{TrackRecord, deflated_sharpe_ratio, probabilistic_sharpe_ratio, variance_of_sharpes};
use trading::strategy::{Decision, Strategy, StrategyConfig, TargetPosition};
use trading::{InstrumentIndex, MarketView, PortfolioView};

const CANDLES: usize = 2_500;
const SYMBOLS: usize = 2;
const SEEDS: u64 = 120;

/// All strategies of `trading` that need no model, with their own settings.
const KINDS: [&str; 5] = [
    "buy-and-hold",
    "moving-average-crossover",
    "mean-reversion",
    "equal-risk-contribution",
    "nearest-neighbours",
];

/// Two symbols of hours without anything to forecast, 0.5 % an hour.
fn market(seed: u64) -> Vec<CandleSeries> {
    let mut shape = MarketShape { candles: CANDLES, timeframe: Timeframe::H1, seed, ..Default::default() };
    shape.symbols.truncate(SYMBOLS);
    // Much traded, so that no order is too large for its candle.
    let noise = NoiseMarket { deviation: 0.005, base_volume: 1e9, ..Default::default() };
    noise.generate(&shape).unwrap().series
}

fn run<S: Strategy>(strategy: S, series: &[CandleSeries]) -> BacktestResult {
    let mut config = BacktestConfig::default();
    config.engine.limits.daily_loss = Decimal::ONE;
    let instrument = |series| BacktestInstrument {
        terms: assumed_terms(series, &CostAssumptions::default()).unwrap(),
        series,
        detail: None,
        funding: Vec::new(),
        signals: Vec::new(),
    };
    let instruments: Vec<BacktestInstrument<'_>> = series.iter().map(instrument).collect();
    run_backtest(&config, strategy, &instruments, &mut |_| {}).unwrap()
}

/// Long, short or flat in each symbol by a coin with three sides, for a day each.
struct Dice<R>(R, usize);

impl<R: Rng> Strategy for Dice<R> {
    fn name(&self) -> &str {
        "dice"
    }
    fn warm_up(&self) -> usize {
        0
    }
    fn decide(&mut self, market: &MarketView<'_>, _: &PortfolioView<'_>, decision: &mut Decision) {
        if self.1.is_multiple_of(24) {
            for symbol in 0..market.updates.len() {
                // A third of 2³² each, but for one number.
                let side = (u64::from(self.0.next_u32()) * 3) >> 32;
                let share = (side as f64 - 1.0) * 0.4;
                decision.want(InstrumentIndex(symbol as u16), TargetPosition::Exposure(share), None);
            }
        }
        self.1 += 1;
    }
}

fn dice(seed: u64) -> Dice<impl Rng> {
    Dice(generator(seed, "test/dice", 0), 0)
}

/// What one seed leaves: per strategy the daily record, and net and gross of costs for the random one.
struct Outcome {
    records: Vec<TrackRecord>,
    random_net: f64,
    random_before_costs: f64,
}

fn outcome(seed: u64) -> Outcome {
    let series = market(seed);
    let record =
        |result: &BacktestResult| TrackRecord::from_returns(&result.curve.daily().returns()).unwrap();
    let mut records: Vec<TrackRecord> = KINDS
        .iter()
        .map(|kind| {
            // Read by its name, so that a strategy that is renamed does not drop out unseen.
            let config: StrategyConfig = toml::from_str(&format!("kind = \"{kind}\"")).unwrap();
            let result = run(config.build(SYMBOLS).unwrap(), &series);
            assert!(!result.executions.is_empty(), "{kind} never traded, so that nothing was tested");
            record(&result)
        })
        .collect();
    let random = run(dice(seed), &series);
    assert!(random.trades.len() > 60 && random.ledger.fees > Decimal::ZERO);
    records.push(record(&random));
    let net = random.curve.equity.last().unwrap() - random.curve.equity[0];
    let fees = random.ledger.fees.to_f64().unwrap();
    // What takers slip: 2 basis points of all that was traded.
    let slipped = 0.0002 * random.turnover.to_f64().unwrap();
    Outcome { records, random_net: net, random_before_costs: net + fees + slipped }
}

fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, (variance / count).sqrt())
}

/// The largest count that a rate of 5 % exceeds with a probability of at most 0.1 %, by the binomial
/// distribution.
fn binomial_bound(count: u64) -> usize {
    let mut term = 0.95_f64.powi(count as i32);
    let (mut sum, mut passed) = (term, 0);
    while sum < 0.999 {
        term *= (count - passed) as f64 / (passed + 1) as f64 * (0.05 / 0.95);
        passed += 1;
        sum += term;
    }
    passed as usize
}

#[test]
fn the_bound_is_that_of_the_binomial_distribution() {
    // scipy.stats.binom.ppf(0.999, [100, 160, 200], 0.05)
    assert_eq!([100, 160, 200].map(binomial_bound), [13, 18, 21]);
}

#[test]
fn strategies_lose_their_costs_and_few_pass_for_skill() {
    let all: Vec<Outcome> = (0..SEEDS).into_par_iter().map(outcome).collect();
    let (net, error) = mean_and_error(&all.iter().map(|one| one.random_net).collect::<Vec<_>>());
    assert!(net < -3.0 * error, "random: {net} ± {error}");
    let gross: Vec<f64> = all.iter().map(|one| one.random_before_costs).collect();
    let (before_costs, error) = mean_and_error(&gross);
    assert!(before_costs.abs() < 3.0 * error, "random before costs: {before_costs} ± {error}");

    let names = KINDS.iter().copied().chain(["random"]);
    for (at, name) in names.enumerate() {
        // The gate: as many trials as strategies were run, whose Sharpe ratios spread as they do.
        let deflated = |one: &Outcome| {
            let sharpes: Vec<f64> = one.records.iter().map(TrackRecord::sharpe).collect();
            let variance = variance_of_sharpes(&sharpes).unwrap();
            deflated_sharpe_ratio(&one.records[at], sharpes.len() as f64, variance).unwrap().probability
        };
        let passed = all.iter().filter(|one| deflated(one) >= 0.95).count();
        assert!(passed as f64 <= 0.05 * SEEDS as f64, "{name}: {passed} of {SEEDS} seeds pass the gate");
        // As if it were the only one that was ever tried: the size of the test is then 5 %, less what costs
        // take.
        let alone = |one: &&Outcome| probabilistic_sharpe_ratio(&one.records[at], 0.0).unwrap() >= 0.95;
        let count = all.iter().filter(alone).count();
        assert!(count <= binomial_bound(SEEDS), "{name}: {count} of {SEEDS} seeds pass alone");
    }
}

/// Knows the closes of the first symbol, and holds what will rise until tomorrow.
struct Prophet(Vec<f64>, usize);

impl Strategy for Prophet {
    fn name(&self) -> &str {
        "oracle"
    }
    fn warm_up(&self) -> usize {
        0
    }
    fn decide(&mut self, _: &MarketView<'_>, _: &PortfolioView<'_>, decision: &mut Decision) {
        if self.1.is_multiple_of(24) {
            let rises = self.0.get(self.1 + 24).is_some_and(|close| *close > self.0[self.1]);
            let share = if rises { 0.8 } else { -0.8 };
            decision.want(InstrumentIndex(0), TargetPosition::Exposure(share), None);
        }
        self.1 += 1;
    }
}

#[test]
fn who_sees_the_future_passes() {
    // Or a gate that lets nobody through would pass the test above.
    for seed in 0..8 {
        let series = market(seed);
        let record =
            |result: BacktestResult| TrackRecord::from_returns(&result.curve.daily().returns()).unwrap();
        let records = [
            record(run(Prophet(series[0].columns().close.clone(), 0), &series)),
            record(run(dice(seed), &series)),
            record(run(dice(seed + 1_000), &series)),
        ];
        let sharpes = records.map(|record| record.sharpe());
        let variance = variance_of_sharpes(&sharpes).unwrap();
        let found = deflated_sharpe_ratio(&records[0], 3.0, variance).unwrap().probability;
        assert!(found >= 0.95, "seed {seed}: {found}, Sharpe ratios {sharpes:?}");
    }
}
