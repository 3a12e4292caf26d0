//! The whole loop of a backtest, feed, venue, engine, strategy and recorder: `cargo bench -p sim --bench backtest`.
//!
//! To reach on one core: 5 million candles a second while flat, 1 million while trading at every tenth candle.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use divan::Bencher;
use divan::counter::ItemsCount;
use market_data::{Candle, CandleColumns, CandleSeries, SeriesKey, Symbol, Timeframe, Timestamp, Venue};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rust_decimal::Decimal;
use sim::backtest::{
    BacktestConfig, BacktestInstrument, BacktestResult, CostAssumptions, assumed_terms, run_backtest,
};
use trading::strategy::{Decision, Strategy, TargetPosition};
use trading::{InstrumentIndex, MarketView, PortfolioView};

const CANDLES: usize = 1_000_000;

fn main() {
    divan::main();
}

/// Closes of a Gaussian walk of 0.1 % a minute without drift, opens at the close before, prices of two places.
fn walk() -> CandleSeries {
    let mut random = SmallRng::seed_from_u64(42);
    let start: Timestamp = "2022-01-01".parse().unwrap();
    let mut columns = CandleColumns::with_capacity(CANDLES, false);
    let mut log_price = 0.0_f64;
    let price_at = |log_price: f64| (20_000.0 * log_price.exp() * 100.0).round() / 100.0;
    for at in 0..CANDLES {
        let open = price_at(log_price);
        // Pulled back a little, or a million steps would leave the range of prices that an account can trade.
        log_price += 0.001 * random.sample::<f64, _>(StandardNormal) - 0.000_01 * log_price;
        let close = price_at(log_price);
        let round = |value: f64| (value * 100.0).round() / 100.0;
        columns.push(&Candle {
            open_time: start.plus_millis(at as i64 * 60_000),
            open,
            high: round(open.max(close) * 1.0005),
            low: round(open.min(close) * 0.9995),
            close,
            volume: 1e9,
            turnover: None,
        });
    }
    let symbol = Symbol::new("BTC", "USDT", Some("USDT")).unwrap();
    let venue: Venue = "bybit-linear".parse().unwrap();
    CandleSeries::new(SeriesKey::new(venue, symbol, Timeframe::M1), columns).unwrap()
}

/// Opens and closes in turn at every so many candles; never for 0.
struct Alternating {
    every: usize,
    seen: usize,
    falling: usize,
}

impl Strategy for Alternating {
    fn name(&self) -> &str {
        "alternating"
    }
    fn warm_up(&self) -> usize {
        0
    }
    fn decide(&mut self, market: &MarketView<'_>, _: &PortfolioView<'_>, decision: &mut Decision) {
        self.seen += 1;
        self.falling +=
            market.updates.iter().filter(|update| update.candle.close < update.candle.open).count();
        if self.every > 0 && self.seen.is_multiple_of(self.every) {
            let opens = (self.seen / self.every) % 2 == 1;
            let share = if opens { 0.5 } else { 0.0 };
            decision.want(InstrumentIndex(0), TargetPosition::Exposure(share), None);
        }
    }
}

/// Without costs, so that the account lives through a hundred thousand trades.
fn instrument(series: &CandleSeries) -> BacktestInstrument<'_> {
    let costs = CostAssumptions {
        perpetual_maker_fee: Decimal::ZERO,
        perpetual_taker_fee: Decimal::ZERO,
        ..CostAssumptions::default()
    };
    BacktestInstrument {
        terms: assumed_terms(series, &costs).unwrap(),
        series,
        detail: None,
        funding: Vec::new(),
        signals: Vec::new(),
    }
}

fn run(instrument: &BacktestInstrument<'_>, every: usize) -> BacktestResult {
    let mut config = BacktestConfig::default();
    config.engine.limits.daily_loss = Decimal::ONE;
    config.venue.slippage = sim::venue::Slippage::None;
    let strategy = Alternating { every, seen: 0, falling: 0 };
    let result = run_backtest(&config, strategy, std::slice::from_ref(instrument), &mut |_| {}).unwrap();
    // What the last decision orders has no candle to trade in.
    assert_eq!(result.executions.len(), CANDLES.checked_div(every).map_or(0, |decisions| decisions - 1));
    result
}

#[divan::bench(sample_count = 5, sample_size = 1, args = [0, 10])]
fn trades_every(bencher: Bencher<'_, '_>, every: usize) {
    let series = walk();
    let instrument = instrument(&series);
    bencher.counter(ItemsCount::new(CANDLES)).bench(|| run(&instrument, every).moments);
}
