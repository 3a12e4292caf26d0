//! A backtest that is fed moment by moment says the same as one over whole series, in memory that does not grow with history.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use market_data::{
    Candle, CandleColumns, CandleSeries, Instrument, SeriesKey, Symbol, Timeframe, Timestamp, Venue,
};
use rust_decimal::Decimal;
use sim::backtest::{
    Backtest, BacktestConfig, BacktestInstrument, BacktestResult, CurvePoint, DailyRecord, ExecutedOrder,
    FullRecord, FundingRate, Moment, Record, run_backtest,
};
use sim::metrics::{ClosedTrade, Metrics, MetricsConfig};
use trading::account::{InstrumentTerms, MarginTier, MarginTiers};
use trading::exit::{ExitPlan, ProfitRule, ProfitTarget, StopRule};
use trading::strategy::{Decision, Strategy, TargetPosition};
use trading::{InstrumentIndex, MarketUpdate, MarketView, PortfolioView, Purpose, TradeRecord};

const FIRST: InstrumentIndex = InstrumentIndex(0);

/// Long, short and flat in turn, at every candle.
struct Busy(usize);

impl Strategy for Busy {
    fn name(&self) -> &str {
        "busy"
    }
    fn warm_up(&self) -> usize {
        0
    }
    fn decide(&mut self, _: &MarketView<'_>, _: &PortfolioView<'_>, decision: &mut Decision) {
        let share = [0.5, 0.3, 0.0, -0.4, -0.4, 0.0][self.0 % 6];
        let target = ProfitTarget { distance: ProfitRule::Fraction(0.002), share: 1.0 };
        let exits = ExitPlan {
            stop: Some(StopRule::Fraction(0.001)),
            targets: [Some(target), None, None, None],
            opposite_signal: true,
            ..ExitPlan::default()
        };
        decision.want(FIRST, TargetPosition::Exposure(share), Some(exits));
        self.0 += 1;
    }
}

/// A market without a memory: prices between 990 and 1010 that a congruential generator draws.
struct Market(u64);

impl Market {
    fn price(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        990.0 + ((self.0 >> 33) % 2001) as f64 / 100.0
    }

    /// The next minute, or none where it is missing.
    fn candle(&mut self, at: usize) -> Option<Candle> {
        let [open, close, high, low] = [(); 4].map(|()| self.price());
        let (high, low) = (high.max(open).max(close), low.min(open).min(close));
        let open_time = start().plus_millis(at as i64 * 60_000);
        let candle = Candle { open_time, open, high, low, close, volume: 1e6, turnover: None };
        (at % 1000 != 777).then_some(candle)
    }
}

fn start() -> Timestamp {
    "2024-01-01T06:00:00Z".parse().unwrap()
}

fn terms() -> InstrumentTerms {
    let text = "venue = \"bybit-linear\"\nsymbol = \"BTC/USDT:USDT\"\n[[rules]]\nvalid_from = \"2020-01-01\"\n\
                tick_size = \"0.01\"\nlot_size = \"0.001\"\nminimum_quantity = \"0.001\"\nminimum_notional = \"5\"\n";
    let (maintenance_rate, maximum_leverage) = (Decimal::new(5, 3), Decimal::from(100));
    let tier = MarginTier { up_to: Decimal::from(100_000_000), maintenance_rate, maximum_leverage };
    InstrumentTerms {
        instrument: Instrument::from_toml(text).unwrap(),
        maker_fee: Decimal::ZERO,
        taker_fee: Decimal::new(1, 6),
        leverage: Decimal::ONE,
        tiers: MarginTiers::new(vec![tier]).unwrap(),
    }
}

fn config() -> BacktestConfig {
    let mut config = BacktestConfig::default();
    config.engine.limits.daily_loss = Decimal::ONE;
    config.venue.slippage = sim::venue::Slippage::None;
    config
}

fn funding(at: usize) -> Option<FundingRate> {
    let time = start().plus_millis(at as i64 * 60_000);
    (at > 0 && at.is_multiple_of(97)).then(|| FundingRate { time, rate: Decimal::new(1, 6) })
}

/// Feeds `count` minutes, of which no more than one is in memory.
fn stream<R: Record>(count: usize, record: R) -> Backtest<Busy, R> {
    let mut backtest = Backtest::new(&config(), Busy(0), Timeframe::M1, vec![terms()], record).unwrap();
    let (mut market, mut moment, mut missing) = (Market(1), Moment::default(), false);
    // Funding of a missing candle is exchanged in the next one.
    let mut due = Vec::new();
    for at in 0..count {
        due.extend(funding(at));
        let Some(candle) = market.candle(at) else {
            missing = true;
            continue;
        };
        let update =
            MarketUpdate { after_gap: std::mem::take(&mut missing), ..MarketUpdate::new(FIRST, candle) };
        let close = Timeframe::M1.close_of(candle.open_time);
        moment.begin(close).candle(update).funding(due.drain(..));
        backtest.push(&moment).unwrap();
    }
    backtest
}

fn whole(count: usize) -> BacktestResult {
    let mut market = Market(1);
    let mut columns = CandleColumns::default();
    (0..count).filter_map(|at| market.candle(at)).for_each(|candle| columns.push(&candle));
    let symbol = Symbol::new("BTC", "USDT", Some("USDT")).unwrap();
    let venue: Venue = "bybit-linear".parse().unwrap();
    let series = CandleSeries::new(SeriesKey::new(venue, symbol, Timeframe::M1), columns).unwrap();
    let funding = (0..count).filter_map(funding).collect();
    let instrument =
        BacktestInstrument { terms: terms(), series: &series, detail: None, funding, signals: Vec::new() };
    run_backtest(&config(), Busy(0), &[instrument], &mut |_| {}).unwrap()
}

/// Keeps nothing but a sum.
#[derive(Debug, Default)]
struct Sum(f64);

impl Record for Sum {
    fn point(&mut self, point: CurvePoint) {
        self.0 += point.equity;
    }
    fn executed(&mut self, _: &ExecutedOrder) {}
    fn traded(&mut self, _: &TradeRecord) {}
}

#[test]
fn moment_by_moment_is_the_same_to_the_bit() {
    let (record, totals) = stream(20_000, FullRecord::default()).finish();
    let whole = whole(20_000);
    let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(record.curve.times, whole.curve.times);
    assert_eq!(bits(&record.curve.equity), bits(&whole.curve.equity));
    assert_eq!(bits(&record.curve.exposure), bits(&whole.curve.exposure));
    assert_eq!((&record.trades, &record.executions), (&whole.trades, &whole.executions));
    assert_eq!((totals.orders, totals.ledger, totals.turnover), (whole.orders, whole.ledger, whole.turnover));
    // It traded, was stopped, was funded, and met gaps.
    assert!(totals.orders.submitted > 5000 && totals.moments == 19_980, "{totals:?}");
    assert!(!totals.ledger.funding.is_zero());
    assert!(whole.trades.iter().any(|trade| trade.exit == Purpose::StopLoss));
}

#[test]
fn memory_does_not_grow_with_history() {
    // The engine and the venue remember the last 4096 orders: 10,000 candles are enough to fill that.
    let peak = |count: usize| {
        let mut executions = 0;
        let measured = allocation_counter::measure(|| {
            executions = stream(count, DailyRecord::default()).finish().0.executions;
        });
        assert!(executions as usize > count / 2, "{executions} executions in {count} candles");
        measured.bytes_max
    };
    let (short, long) = (peak(10_000), peak(200_000));
    // Nodes of ordered maps are more or less full: one percent is left for that. The record of days has 132 more of 24 bytes, in
    // vectors that double, old and new at once.
    let most = short + short / 100 + 3 * 132 * 24;
    assert!(long <= most, "{short} bytes after 10,000 candles, {long} after 200,000");
}

#[test]
fn the_record_of_days_says_what_the_whole_record_says() {
    let (daily, _) = stream(20_000, DailyRecord::default()).finish();
    let whole = whole(20_000);
    assert_eq!(daily.curve, whole.curve.daily());
    let trades: Vec<ClosedTrade> = whole.trades.iter().map(ClosedTrade::from).collect();
    let metrics = Metrics::of(&whole.curve, &trades, &whole.orders, &MetricsConfig::default()).unwrap();
    assert_eq!(Some(daily.points.maximum_drawdown), metrics.drawdown.maximum);
    assert_eq!(daily.points.time_in_market(), metrics.activity.time_in_market);
    assert_eq!(daily.points.largest_exposure, metrics.activity.largest_exposure);
    assert_eq!(daily.points.mean_equity(), Some(metrics.activity.mean_equity));
    let close = |left: f64, right: f64| (left - right).abs() <= 1e-12 * right.abs();
    assert!(close(daily.points.mean_exposure().unwrap(), metrics.activity.mean_exposure.unwrap()));
    let days = &daily.trades;
    let counts = [days.count, days.wins, days.losses, days.longs].map(|count| count as usize);
    let of = &metrics.trades;
    assert_eq!(counts, [of.count, of.wins, of.losses, of.longs]);
    assert_eq!((daily.trades.best, daily.trades.worst), (of.best, of.worst));
    assert_eq!((daily.trades.gross_profit, daily.trades.gross_loss), (of.gross_profit, of.gross_loss));
    assert_eq!(daily.trades.net_profit, of.net_profit);
    assert_eq!(daily.executions as usize, whole.executions.len());
}

#[test]
fn moments_out_of_order_are_refused_in_words() {
    let candle = |minute: usize| Market(1).candle(minute).unwrap();
    let refused = |moments: &[(usize, &[u16], &[i64])]| {
        let record = Sum::default();
        let mut backtest = Backtest::new(&config(), Busy(0), Timeframe::M1, vec![terms()], record).unwrap();
        let mut moment = Moment::default();
        let mut problem = None;
        for (minute, instruments, funding) in moments {
            moment.begin(Timeframe::M1.close_of(candle(*minute).open_time));
            for instrument in *instruments {
                moment.candle(MarketUpdate::new(InstrumentIndex(*instrument), candle(*minute)));
            }
            let rate = |ms: &i64| FundingRate { time: start().plus_millis(*ms), rate: Decimal::ZERO };
            moment.funding(funding.iter().map(rate));
            problem = problem.or(backtest.push(&moment).err());
        }
        problem.map_or(String::new(), |error| error.to_string())
    };
    assert_eq!(refused(&[(0, &[0], &[30_000]), (1, &[0], &[])]), "");
    assert!(refused(&[(1, &[0], &[]), (1, &[0], &[])]).contains("in the order of time"));
    assert!(refused(&[(0, &[0, 0], &[])]).contains("in the order of instruments, each once"));
    assert!(refused(&[(0, &[1], &[])]).contains("instrument 1"));
    assert!(refused(&[(0, &[0], &[30_000, 20_000])]).contains("in order of time"));
    assert!(refused(&[(0, &[0], &[60_000])]).contains("in order of time before it"));
}
